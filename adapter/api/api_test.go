package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/contract/money"
)

const user = "0123456789abcdef0123456789abcdef"

// fake is payins that do as the externalid says.
type fake struct {
	asked  []adapter.PayinRequest
	filter adapter.PayinFilter
}

func (f *fake) Create(_ context.Context, r adapter.PayinRequest) (adapter.Payin, bool, error) {
	f.asked = append(f.asked, r)
	p, err := adapter.NewPayin("37", r, "", time.Date(2026, 5, 4, 3, 2, 1, 987_654_000, time.UTC))
	if err != nil {
		return p, false, err
	}
	p.Num = 7
	switch r.ExternalID {
	case "conflict":
		return p, false, fmt.Errorf("%w: something else", adapter.ErrConflict)
	case "nobody":
		return p, false, adapter.ErrNotFound
	case "broken":
		return p, false, errors.New("disk full at /var/lib")
	case "creating":
		return p, true, nil
	case "refused":
		p.Status, p.Reason = adapter.PayinRefused, "platform refused: -32074 EParamAmountTooSmall"
		return p, true, nil
	}
	return open(p), r.ExternalID != "repeat", nil
}

// open is p with its order.
func open(p adapter.Payin) adapter.Payin {
	fee := money.New(1_500_000_000, p.Amount.Currency())
	account, _ := p.Amount.Sub(fee)
	p.Status = adapter.PayinNew
	p.Order = adapter.PayinOrder{
		LID: 135735, Type: "invoice", Status: p.Status, Payway: p.Payway, Paylink: "https://sci.example/#token=T",
		In: p.Amount, InFee: fee, Out: p.Amount, OutFee: fee, Account: account, RateIn: "28.7639", RateOut: "1",
	}
	return p
}

func (f *fake) Calc(_ context.Context, amount, inCurr, outCurr, payway string) (adapter.PayinQuote, error) {
	switch payway {
	case "small":
		return adapter.PayinQuote{}, &adapter.Refusal{Code: -32074, Message: "EParamAmountTooSmall", Field: "amount", Reason: "Amount is too small"}
	case "off":
		return adapter.PayinQuote{}, fmt.Errorf("%w: payin.calc: timed out", adapter.ErrUnanswered)
	}
	a, err := adapter.PayinAmount(amount, inCurr)
	return adapter.PayinQuote{In: a, InFee: a, Out: a, OutFee: a, Account: a}, err
}

func (f *fake) Payin(_ context.Context, externalID string) (adapter.Payin, error) {
	if externalID != "order-1" {
		return adapter.Payin{}, fmt.Errorf("payin %q: %w", externalID, adapter.ErrNotFound)
	}
	p, _, err := f.Create(context.Background(), adapter.PayinRequest{ExternalID: externalID, User: user, Amount: "100", InCurr: "RUB", Payway: "visamc"})
	p.Credited = money.New(98_50, money.RUB)
	return p, err
}

func (f *fake) Payins(ctx context.Context, filter adapter.PayinFilter) ([]adapter.Payin, error) {
	f.filter = filter
	p, err := f.Payin(ctx, "order-1")
	return []adapter.Payin{p}, err
}

func (f *fake) PayinHistory(context.Context, adapter.Payin) ([]adapter.PayinEvent, error) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	return []adapter.PayinEvent{{At: at, Kind: adapter.PayinEventOpened, From: adapter.PayinCreating, To: adapter.PayinNew, Attempt: 1, Verdict: adapter.Accepted, Took: 1500 * time.Microsecond}}, nil
}

func newAPI() (http.Handler, *fake) {
	f := &fake{}
	return api.New(api.Config{
		Payins: f, Store: f, Version: "test", Log: slog.New(slog.DiscardHandler),
		Verify: func(token string) (api.Grant, error) {
			switch token {
			case "all":
				return api.Grant{Scopes: []string{api.ScopePayinsRead, api.ScopePayinsWrite}}, nil
			case "read":
				return api.Grant{Scopes: []string{api.ScopePayinsRead}}, nil
			}
			return api.Grant{}, errors.New("token is invalid")
		},
	}), f
}

func call(h http.Handler, verb, path, authorization, key, body string) *http.Response {
	r := httptest.NewRequest(verb, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestWhoMay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		authorization, verb, path string
		status                    int
		challenge                 string
	}{
		{"", "GET", "/v1/payins", 401, `Bearer realm="partnerkit"`},
		{"Basic YTpi", "GET", "/v1/payins", 401, `Bearer realm="partnerkit"`},
		{"Bearer ", "GET", "/v1/payins", 401, `Bearer realm="partnerkit"`},
		{"Bearer forged", "GET", "/v1/payins", 401, `Bearer realm="partnerkit", error="invalid_token"`},
		{"Bearer read", "GET", "/v1/payins", 200, ""},
		{"bearer read", "GET", "/v1/payins/order-1", 200, ""},
		{"Bearer read", "POST", "/v1/payins", 403, `Bearer realm="partnerkit", error="insufficient_scope", scope="payins:write"`},
		{"Bearer read", "POST", "/v1/payins/calc", 400, ""}, // may, but says nothing
		{"", "GET", "/openapi.json", 200, ""},
	} {
		h, f := newAPI()
		r := call(h, tt.verb, tt.path, tt.authorization, "", "")
		if r.StatusCode != tt.status || r.Header.Get("WWW-Authenticate") != tt.challenge {
			t.Errorf("%s %s as %q: %d, challenge %q; want %d, %q", tt.verb, tt.path, tt.authorization, r.StatusCode, r.Header.Get("WWW-Authenticate"), tt.status, tt.challenge)
		}
		if tt.verb == "POST" && len(f.asked) > 0 {
			t.Errorf("%s %s as %q got through", tt.verb, tt.path, tt.authorization)
		}
	}
}

func TestCreatePayin(t *testing.T) {
	t.Parallel()
	body := func(externalID string) string {
		return `{"user":"` + user + `","amount":"115","in_curr":"UAH","out_curr":"USD","payway":"visamc","externalid":"` + externalID + `"}`
	}
	for _, tt := range []struct {
		name, key, body string
		status          int
		says            string
	}{
		{"made", "", body("order-1"), 201, `"paylink":"https://sci.example/#token=T"`},
		{"named by its key", "button 7", strings.Replace(body(""), `,"externalid":""`, "", 1), 201, `"externalid":"` + adapter.PayinID("37", "button 7") + `"`},
		{"a repeat", "", body("repeat"), 200, `"status":"new"`},
		{"not known yet", "", body("creating"), 202, `"status":"creating"`},
		{"refused", "", body("refused"), 422, "platform refused: -32074 EParamAmountTooSmall"},
		{"a conflict", "", body("conflict"), 422, "idempotency-key-reused"},
		{"nobody's", "", body("nobody"), 422, `"location":"body.user"`},
		{"no name", "", strings.Replace(body(""), `,"externalid":""`, "", 1), 422, "externalid is missing"},
		{"broken", "", body("broken"), 503, "this cannot be done now"},
		{"no amount", "k", strings.Replace(body("x"), `"amount":"115",`, "", 1), 422, "amount"},
		{"an amount as a number", "k", strings.Replace(body("x"), `"115"`, `115`, 1), 422, `"location":"body.amount"`},
		{"an amount with a comma", "k", strings.Replace(body("x"), `115`, `115,5`, 1), 422, `"location":"body.amount"`},
		{"a currency in small letters", "k", strings.Replace(body("x"), `"in_curr":"UAH"`, `"in_curr":"uah"`, 1), 422, `"location":"body.in_curr"`},
		{"a currency to receive with a space", "k", strings.Replace(body("x"), `USD`, `U D`, 1), 422, `"location":"body.out_curr"`},
		{"a member too many", "k", strings.Replace(body("x"), `{`, `{"status":"done",`, 1), 422, `"location":"body.status"`},
		{"a name for paths", "k", body("../x"), 422, `"location":"body.externalid"`},
		{"no JSON", "k", "amount=1", 400, ""},
		{"too long", "k", `{"user":"` + strings.Repeat("x", 17<<10) + `"}`, 413, ""},
		{"a key too long", strings.Repeat("k", 256), body("x"), 422, "header.Idempotency-Key"},
	} {
		h, _ := newAPI()
		r := call(h, "POST", "/v1/payins", "Bearer all", tt.key, tt.body)
		got := text(t, r)
		if r.StatusCode != tt.status || !strings.Contains(got, tt.says) {
			t.Errorf("%s: %d %s; want %d with %s", tt.name, r.StatusCode, got, tt.status, tt.says)
		}
		want := "application/json"
		if tt.status >= 400 {
			want = "application/problem+json"
		} else if l := r.Header.Get("Location"); !strings.HasPrefix(l, "/v1/payins/") {
			t.Errorf("%s: location %q", tt.name, l)
		}
		if ct := r.Header.Get("Content-Type"); ct != want {
			t.Errorf("%s: %s, want %s", tt.name, ct, want)
		}
		if (r.Header.Get("Retry-After") != "") != (tt.status == 202) {
			t.Errorf("%s: Retry-After %q with %d", tt.name, r.Header.Get("Retry-After"), tt.status)
		}
	}
}

func TestCreatePayinPassesEverythingOn(t *testing.T) {
	t.Parallel()
	h, f := newAPI()
	call(h, "POST", "/v1/payins", "Bearer all", "k", `{"user":"`+user+`","amount":"1.50","in_curr":"UAH","out_curr":"USD","payway":"exmo","externalid":"o","payer":"p","contact":"c","code":"EX"}`)
	want := []adapter.PayinRequest{{ExternalID: "o", Key: "k", User: user, Amount: "1.50", InCurr: "UAH", OutCurr: "USD", Payway: "exmo", Payer: "p", Contact: "c", Code: "EX"}}
	if diff := cmp.Diff(want, f.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestCalcPayin(t *testing.T) {
	t.Parallel()
	h, _ := newAPI()
	for payway, want := range map[string]string{
		"visamc": `200 {"in_amount":"1.5","in_curr":"UAH","in_fee_amount":"1.5","out_amount":"1.5","out_curr":"UAH","out_fee_amount":"1.5","account_amount":"1.5"}`,
		"small": `422 {"type":"urn:partnerkit:problem:platform-refused","title":"Unprocessable Entity","status":422,"detail":"the platform refused: -32074 EParamAmountTooSmall, amount: Amount is too small",` +
			`"errors":[{"message":"EParamAmountTooSmall: Amount is too small","location":"body.amount"}]}`,
		"off": `502 {"type":"urn:partnerkit:problem:platform-unanswered","title":"Bad Gateway","status":502,"detail":"the platform did not answer: payin.calc: timed out"}`,
	} {
		r := call(h, "POST", "/v1/payins/calc", "Bearer read", "", `{"amount":"1.50","in_curr":"UAH","payway":"`+payway+`"}`)
		if got := fmt.Sprintf("%d %s", r.StatusCode, text(t, r)); got != want {
			t.Errorf("%s: %s\nwant %s", payway, got, want)
		}
	}
}

const shown = `"num":7,"externalid":"order-1","user":"` + user + `","status":"new","amount":"100","in_curr":"RUB","out_curr":"RUB","payway":"visamc",` +
	`"credited":"98.50","order":{"lid":135735,"type":"invoice","paylink":"https://sci.example/#token=T","in_fee_amount":"1.5","out_amount":"100",` +
	`"out_fee_amount":"1.5","account_amount":"98.5","rate":["28.7639","1"]},"created_at":"2026-05-04T03:02:01.987Z","updated_at":"2026-05-04T03:02:01.987Z"`

func TestGetAndList(t *testing.T) {
	t.Parallel()
	h, f := newAPI()
	for path, want := range map[string]string{
		"/v1/payins/order-1": `200 {` + shown + `,"history":[{"at":"2026-05-04T03:02:01.000Z","event":"opened","from":"creating","to":"new","attempt":1,"verdict":"accepted","took_ms":1.5}]}`,
		"/v1/payins/order-2": `404 {"title":"Not Found","status":404,"detail":"payin \"order-2\": not found"}`,
		"/v1/payins?user=" + user + "&status=new,done&before=9&limit=1": `200 {"payins":[{` + shown + `}],"next":7}`,
		"/v1/payins":     `200 {"payins":[{` + shown + `}]}`,
		"/v1/nothing":    `404 {"title":"Not Found","status":404,"detail":"GET /v1/nothing is no call of this API, see /openapi.json"}`,
		"/v1/payins?a=1": "422",
		"/v1/payins?status=new&status=done": `422 {"title":"Unprocessable Entity","status":422,"detail":"validation failed",` +
			`"errors":[{"message":"stands more than once: join the values by commas","location":"query.status","value":"new,done"}]}`,
		"/v1/payins?user=" + user + "&limit=1&limit=2": `422 {"title":"Unprocessable Entity","status":422,"detail":"validation failed",` +
			`"errors":[{"message":"stands more than once","location":"query.limit","value":"1,2"}]}`,
		"/v1/payins/a/b":            "404",
		"/v1/payins?limit=501":      "422",
		"/v1/payins?status=settled": "422",
	} {
		r := call(h, "GET", path, "Bearer read", "", "")
		if got := fmt.Sprintf("%d %s", r.StatusCode, text(t, r)); got != want && (len(want) > 3 || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %s\nwant %s", path, got, want)
		}
		if strings.Contains(path, "before") {
			wantFilter := adapter.PayinFilter{User: user, Statuses: []adapter.PayinStatus{adapter.PayinNew, adapter.PayinDone}, Before: 9, Limit: 1}
			if diff := cmp.Diff(wantFilter, f.filter); diff != "" {
				t.Errorf("filter (-want +got):\n%s", diff)
			}
		}
	}
	for _, path := range []string{"/v1", "/v1/", "/v1/x%2f..", "/v1/x%2f..%2f..%2fconsole", "/v1//payins", "/v1/./payins", "/v1/../v1/payins", "/v1/%0a"} {
		r := call(h, "GET", path, "Bearer read", "", "")
		if got := text(t, r); r.StatusCode != 404 || r.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(got, "is no call of this API") {
			t.Errorf("%s: %d %s", path, r.StatusCode, got)
		}
	}
	if r := call(h, "DELETE", "/v1/payins/order-1", "Bearer all", "", ""); r.StatusCode != 405 {
		t.Errorf("DELETE: %d, want 405", r.StatusCode)
	}
}

// The document says what each call needs, and that errors are problems.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	h, _ := newAPI()
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Security  []map[string][]string
			Responses map[string]struct{ Content map[string]any }
		}
		Components struct {
			SecuritySchemes map[string]struct{ Type, Scheme string }
		}
	}
	if err := json.Unmarshal([]byte(text(t, call(h, "GET", "/openapi.json", "", "", ""))), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Components.SecuritySchemes["bearer"].Scheme != "bearer" {
		t.Errorf("OpenAPI %s, schemes %v", doc.OpenAPI, doc.Components.SecuritySchemes)
	}
	calls := 0
	for path, verbs := range doc.Paths {
		for verb, op := range verbs {
			calls++
			want := api.ScopePayinsRead
			if verb == "post" && path == "/v1/payins" {
				want = api.ScopePayinsWrite
			}
			if len(op.Security) != 1 || len(op.Security[0]["bearer"]) != 1 || op.Security[0]["bearer"][0] != want {
				t.Errorf("%s %s needs %v, want %s", verb, path, op.Security, want)
			}
			if op.Responses["401"].Content["application/problem+json"] == nil {
				t.Errorf("%s %s does not say what a 401 looks like", verb, path)
			}
		}
	}
	if calls != 4 {
		t.Errorf("%d calls, want 4", calls)
	}
}
