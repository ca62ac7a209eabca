package anymoney_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/anymoney"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/money"
)

// answering returns a client whose platform gives one answer, what it was sent, and what the
// client lets observe.
func answering(t testing.TB, k wire.Key, now time.Time, status int, header map[string]string, body string) (c *anymoney.Client, sent *http.Request, observed *[]string) {
	t.Helper()
	observed = new([]string)
	c, err := anymoney.NewClient(anymoney.ClientConfig{
		URL: "https://platform.example/", Merchant: merchant, Key: k, Now: func() time.Time { return now },
		Watch: outcall.Watch{Observe: func(method string, o adapter.Outcome) { *observed = append(*observed, method+" "+string(o.Verdict)) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	sent = new(http.Request)
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		raw, err := io.ReadAll(r.Body)
		*sent = *r
		sent.Body = io.NopCloser(strings.NewReader(string(raw)))
		res := httpmock.NewStringResponse(status, body)
		for name, value := range header {
			res.Header.Set(name, value)
		}
		return res, err
	})
	c.HTTP().Transport = mock
	return c, sent, observed
}

// The whole request, byte for byte. The signature is Python's:
//
//	hmac.new(b"mock-api-key-of-merchant-37", ("100https://pay.example/anymoney/callbackorder-1rub" +
//	  "visamc1777863721987").encode(), hashlib.sha512).hexdigest()
func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	now := adaptertest.NewClock().Now()
	c, sent, observed := answering(t, key, now, 500, nil, "")
	p, err := adapter.NewPayin(merchant, adapter.PayinRequest{
		ExternalID: "Order-1", User: adaptertest.Hash(1), Amount: "100.00", InCurr: "RUB", OutCurr: "RUB", Payway: "visamc",
	}, callback, now)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Create(t.Context(), p, ""); a.Verdict != adapter.Unknown {
		t.Errorf("HTTP status 500: %+v, want unknown", a)
	}
	body, err := io.ReadAll(sent.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"verb": sent.Method, "url": sent.URL.String(), "body": string(body)}
	for _, name := range []string{"Content-Type", wire.HeaderMerchant, wire.HeaderUTCNowMS, wire.HeaderSignature} {
		got[name] = sent.Header.Get(name)
	}
	if diff := cmp.Diff(map[string]string{
		"verb": "POST", "url": "https://platform.example/", "Content-Type": "application/json",
		"x-merchant": "37", "x-utc-now-ms": "1777863721987",
		"x-signature": "e979e95df7794e25b450ac78e75c9fc18559e4f82b739290c95e4d5d89f4ea2de5a543a3cf8628aee628aac588e57b4fc02b7dc1b68017b3837a27518f20bd59",
		"body": `{"jsonrpc":"2.0","method":"payin.create","params":{"amount":"100","callback_url":"https://pay.example/anymoney/callback",` +
			`"externalid":"Order-1","in_curr":"RUB","payway":"visamc"},"id":"1"}`,
	}, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"payin.create unknown"}, *observed); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

// message is a recorded message of testdata/anymoney, whose signature this code did not make.
type message struct {
	ID, Key, Body, Signature string
	Stamp                    string `json:"utc_now_ms"`
}

func recorded(t testing.TB, id string) message {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "anymoney", "messages.json"))
	var all []message
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.ID == id {
			return m
		}
	}
	t.Fatalf("no recorded message %q", id)
	return message{}
}

func (m message) header() map[string]string {
	return map[string]string{wire.HeaderUTCNowMS: m.Stamp, wire.HeaderSignature: m.Signature}
}

func (m message) time(t testing.TB) time.Time {
	t.Helper()
	ms, err := strconv.ParseInt(m.Stamp, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(ms)
}

func TestCalcOfRecordedAnswers(t *testing.T) {
	t.Parallel()
	m := recorded(t, "calculation")
	c, _, _ := answering(t, wire.Key(m.Key), m.time(t), 200, m.header(), `{"result":`+m.Body+`,"id":"1","jsonrpc":"2.0"}`)
	q, err := c.Calc(t.Context(), "115", "UAH", "USD", "privat24")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		q.In.Short(), q.In.Currency().Code(), q.InFee.Short(), q.Out.Short(), q.OutFee.Short(), q.Account.Short(), q.Account.Currency().Code(), q.RateIn, q.RateOut,
	}
	if diff := cmp.Diff([]string{"115", "UAH", "6.03", "3.99", "0.21", "3.78", "USD", "28.7639", "1"}, got); diff != "" {
		t.Errorf("quote (-want +got):\n%s", diff)
	}

	m = recorded(t, "error")
	c, _, _ = answering(t, wire.Key(m.Key), m.time(t), 200, m.header(), `{"error":`+m.Body+`,"id":"1","jsonrpc":"2.0"}`)
	_, err = c.Calc(t.Context(), "0.99", "UAH", "", "privat24")
	var refusal *adapter.Refusal
	want := adapter.Refusal{Code: -32074, Message: "EParamAmountTooSmall", Field: "amount", Reason: "Amount is too small"}
	if !errors.As(err, &refusal) || *refusal != want {
		t.Errorf("refused: %v, want %+v", err, want)
	}
	if _, err := c.Calc(t.Context(), "1", "UAH", "", "privat24"); !errors.Is(err, adapter.ErrUnanswered) { // the answer is to the call before
		t.Errorf("answer to another call: %v, want %v", err, adapter.ErrUnanswered)
	}
	for _, bad := range [][2]string{{"1,5", "UAH"}, {"0", "UAH"}, {"1", "uah"}} {
		if _, err := c.Calc(t.Context(), bad[0], bad[1], "", "privat24"); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("Calc %v: %v, want %v", bad, err, adapter.ErrInvalid)
		}
	}
}

func TestBalances(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1700000000000)
	result := wire.Object{{Name: "UAH", Value: wire.Text("11.5")}, {Name: "BTC", Value: wire.Text("0")}}
	header := map[string]string{wire.HeaderUTCNowMS: "1700000000000", wire.HeaderSignature: key.Sign(result, "1700000000000")}
	c, sent, _ := answering(t, key, now, 200, header, `{"result":`+result.String()+`,"id":"1","jsonrpc":"2.0"}`)
	got, err := c.Balances(t.Context(), "")
	if diff := cmp.Diff(map[string]string{"UAH": "11.5", "BTC": "0"}, got); err != nil || diff != "" {
		t.Errorf("Balances: %v (-want +got):\n%s", err, diff)
	}
	// "With no params the timestamp stands alone": vector sig-02 of the specification has it for another time.
	if sent.Header.Get(wire.HeaderSignature) != key.Sign(nil, "1700000000000") {
		t.Error("a call without params is signed otherwise than its time alone")
	}
}

// What an answer is worth.
func TestAnswers(t *testing.T) {
	t.Parallel()
	now := adaptertest.NewClock().Now().Truncate(time.Millisecond)
	f := newPlatform(t, func() time.Time { return now })
	order := f.add("order-1", "100")
	whole := order.Object()
	without := func(name string, value ...wire.Value) wire.Object {
		var o wire.Object
		for _, m := range whole {
			if m.Name == name && len(value) == 0 {
				continue
			}
			if m.Name == name {
				m.Value = value[0]
			}
			o = append(o, m)
		}
		return o
	}
	refusal := func(code wire.Code) wire.Object {
		return (&wire.Error{Code: code, Message: code.Message(), Data: wire.Object{{Name: "field", Value: wire.Text("externalid")}}}).Object()
	}
	type result struct {
		Verdict         adapter.Verdict
		Code            int
		NotFound, Taken bool
	}
	tests := []struct {
		name     string
		status   int         // 200
		member   string      // "result"
		object   wire.Object // the result or the error
		raw      string      // the body, if it is not made of these
		stamp    time.Time   // now
		key      wire.Key    // the merchant's
		unsigned bool
		create   bool
		want     result
		detail   string
	}{
		{name: "an order", object: whole, want: result{Verdict: adapter.Accepted}},
		{name: "an order, in time", object: whole, stamp: now.Add(-time.Minute), want: result{Verdict: adapter.Accepted}},
		{name: "too old", object: whole, stamp: now.Add(-time.Minute - time.Millisecond), want: result{Verdict: adapter.Unknown}, detail: "too far from now"},
		{name: "from the future", object: whole, stamp: now.Add(time.Minute + time.Millisecond), want: result{Verdict: adapter.Unknown}, detail: "too far from now"},
		{name: "signed by a stranger", object: whole, key: "another", want: result{Verdict: adapter.Unknown}, detail: "signature is wrong"},
		{name: "not signed", object: whole, unsigned: true, want: result{Verdict: adapter.Unknown}, detail: "not signed"},
		{name: "refused", member: "error", object: refusal(wire.CodePaywayInvalid), want: result{Verdict: adapter.Refused, Code: -32081}, detail: "EParamPaywayInvalid: externalid"},
		{name: "refused, not signed", member: "error", object: refusal(wire.CodePaywayInvalid), unsigned: true, want: result{Verdict: adapter.Unknown}, detail: "EParamPaywayInvalid"},
		{name: "not found", member: "error", object: refusal(wire.CodeNotFound), want: result{Verdict: adapter.Refused, Code: -32090, NotFound: true}},
		{name: "not found, not signed", member: "error", object: refusal(wire.CodeNotFound), unsigned: true, want: result{Verdict: adapter.Unknown}},
		{name: "not found, by create", create: true, member: "error", object: refusal(wire.CodeNotFound), want: result{Verdict: adapter.Refused, Code: -32090}},
		{name: "taken", create: true, member: "error", object: refusal(wire.CodeUnique), want: result{Verdict: adapter.Refused, Code: -32091, Taken: true}},
		{name: "taken, by get", member: "error", object: refusal(wire.CodeUnique), want: result{Verdict: adapter.Refused, Code: -32091}},
		{name: "the platform failed", create: true, member: "error", object: refusal(wire.CodeInternal), want: result{Verdict: adapter.Unknown, Code: -32603}},
		{name: "an error that nobody has heard of", create: true, member: "error", object: refusal(-32031), want: result{Verdict: adapter.Unknown, Code: -32031}},
		{name: "our clock is off", create: true, member: "error", object: refusal(wire.CodeRequestWindow), want: result{Verdict: adapter.NotSent, Code: -32013}},
		{name: "merchant inactive", create: true, member: "error", object: refusal(wire.CodeMerchantInvalid), want: result{Verdict: adapter.NotSent, Code: -32015}},
		{name: "another order", object: without("externalid", wire.Text("order-2")), want: result{Verdict: adapter.Unknown}, detail: `about order "order-2"`},
		{name: "letters of another case", object: without("externalid", wire.Text("ORDER-1")), want: result{Verdict: adapter.Unknown}, detail: `about order "ORDER-1"`},
		{name: "another merchant's", object: without("owner", wire.Text("38")), want: result{Verdict: adapter.Unknown}, detail: `of merchant "38"`},
		{name: "no status", object: without("status"), want: result{Verdict: adapter.Unknown}},
		{name: "a status of ours", object: without("status", wire.Text("unsure")), want: result{Verdict: adapter.Unknown}, detail: "no status that we know"},
		{name: "no amount", object: without("account_amount"), want: result{Verdict: adapter.Unknown}},
		{name: "an amount below zero", object: without("account_amount", wire.Text("-1")), want: result{Verdict: adapter.Unknown}},
		{name: "an amount too fine", object: without("in_amount", wire.Text("0.0000000001")), want: result{Verdict: adapter.Unknown}},
		{name: "an amount too large", object: without("in_amount", wire.Text("1"+strings.Repeat("0", 40))), want: result{Verdict: adapter.Unknown}},
		{name: "a currency of no name", object: without("out_curr", wire.Text("руб")), want: result{Verdict: adapter.Unknown}},
		{name: "order 0", object: without("lid", wire.Int(0)), want: result{Verdict: adapter.Unknown}},
		{name: "HTTP status 201", status: 201, object: whole, want: result{Verdict: adapter.Unknown}, detail: "HTTP status 201"},
		{name: "HTTP status 502", status: 502, object: whole, want: result{Verdict: adapter.Unknown}, detail: "HTTP status 502"},
		{name: "a redirection", status: 302, object: whole, want: result{Verdict: adapter.Unknown}, detail: "HTTP status 302"},
		{name: "nothing", raw: " ", want: result{Verdict: adapter.Unknown}},
		{name: "a page", raw: "<html>", want: result{Verdict: adapter.Unknown}},
		{name: "a batch", raw: `[{"result":{},"id":"1","jsonrpc":"2.0"}]`, want: result{Verdict: adapter.Unknown}},
		{name: "another call's", raw: `{"result":` + whole.String() + `,"id":"2","jsonrpc":"2.0"}`, want: result{Verdict: adapter.Unknown}},
		{name: "both", raw: `{"result":{},"error":{"code":-32090,"message":"EParamNotFound"},"id":"1","jsonrpc":"2.0"}`, want: result{Verdict: adapter.Unknown}},
		{name: "a name twice", raw: `{"result":{"status":"new","status":"done"},"id":"1","jsonrpc":"2.0"}`, want: result{Verdict: adapter.Unknown}},
		{name: "too long", raw: `{"result":{"a":"` + strings.Repeat("x", 1<<20) + `"},"id":"1","jsonrpc":"2.0"}`, want: result{Verdict: adapter.Unknown}, detail: "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header, stamp := map[string]string{}, now
			if !tt.stamp.IsZero() {
				stamp = tt.stamp
			}
			if !tt.unsigned {
				k := key
				if tt.key != "" {
					k = tt.key
				}
				ms := strconv.FormatInt(stamp.UnixMilli(), 10)
				header = map[string]string{wire.HeaderUTCNowMS: ms, wire.HeaderSignature: k.Sign(tt.object, ms)}
			}
			body, status := tt.raw, tt.status
			if body == "" {
				member := tt.member
				if member == "" {
					member = "result"
				}
				body = `{"` + member + `":` + tt.object.String() + `,"id":"1","jsonrpc":"2.0"}`
			}
			if status == 0 {
				status = 200
			}
			c, _, _ := answering(t, key, now, status, header, body)
			var a adapter.PayinAnswer
			if tt.create {
				a = c.Create(t.Context(), adapter.Payin{ExternalID: "order-1", Amount: money.New(1, money.RUB), Payway: "visamc"}, "")
			} else {
				a = c.Get(t.Context(), "order-1")
			}
			if diff := cmp.Diff(tt.want, result{a.Verdict, a.Code, a.NotFound, a.Taken}); diff != "" {
				t.Errorf("answer (-want +got):\n%s(%s)", diff, a.Detail)
			}
			if !strings.Contains(a.Detail, tt.detail) || (a.Verdict != adapter.Accepted) == (a.Detail == "") {
				t.Errorf("detail %q, want %q in it", a.Detail, tt.detail)
			}
			if a.Verdict == adapter.Accepted && (a.Order.LID != firstLID || a.Order.Account.Short() != "98.5" || a.Order.Status != adapter.PayinNew || !a.Order.At.Equal(stamp)) {
				t.Errorf("order: %+v", a.Order)
			}
		})
	}
}

// A platform that signs answers in another way can be believed for its TLS.
func TestAnyAnswers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.platform.meets(func(wire.Method) fate { return forged })
	f.platform.add("order-1", "100")
	c := f.client(t, func(cfg *anymoney.ClientConfig) { cfg.Unsigned = true })
	if a := c.Get(t.Context(), "order-1"); a.Verdict != adapter.Accepted || !a.Order.At.Equal(f.clock.Now().Truncate(time.Millisecond)) {
		t.Errorf("Get = %+v; want accepted", a)
	}
}

func TestClientConfig(t *testing.T) {
	t.Parallel()
	_, err := anymoney.NewClient(anymoney.ClientConfig{URL: "ftp://x", Window: -1, Timeout: -1})
	if !errors.Is(err, adapter.ErrInvalid) {
		t.Errorf("NewClient: %v, want %v", err, adapter.ErrInvalid)
	}
	for _, want := range []string{"address", "merchant", "key", "window", "limit"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in %v", want, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	m := recorded(f, "invoice")
	f.Add(`{"result":`+m.Body+`,"id":"1","jsonrpc":"2.0"}`, 200)
	f.Add(`{"error":{"code":-32090,"message":"EParamNotFound","data":{"field":"externalid","reason":"Not found"}},"id":"1","jsonrpc":"2.0"}`, 200)
	f.Add(`{"error":{"code":-32700,"message":"Parse error"},"id":null,"jsonrpc":"2.0"}`, 200)
	f.Add("\x00", 502)
	f.Fuzz(func(t *testing.T, body string, status int) {
		if status < 100 || status > 999 {
			return
		}
		// Signatures aside, which a fuzzer cannot make: here the reading is judged.
		c, _, _ := answering(t, wire.Key(m.Key), m.time(t), status, m.header(), body)
		a := c.Get(t.Context(), "Заказ-1")
		if !utf8.ValidString(a.Detail) || strings.IndexFunc(a.Detail, unicode.IsControl) >= 0 || utf8.RuneCountInString(a.Detail) > 300 {
			t.Errorf("detail %q is not fit to be stored", a.Detail)
		}
		if (a.Verdict == adapter.Accepted) != (a.Order != adapter.PayinOrder{}) || a.Verdict == adapter.Accepted && !a.Order.Status.OfPlatform() {
			t.Errorf("%s with order %+v", a.Verdict, a.Order)
		}
	})
}
