package billing_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/billing"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/contract/money"
)

const base = "https://billing.example.com/kit"

var (
	id   = strings.Repeat("a", 32)
	key  = "integra-" + id
	user = strings.Repeat("u", 32)
)

func payment(t *testing.T, kind adapter.Kind) adapter.Payment {
	t.Helper()
	p, err := adapter.NewPayment(adapter.Key{Platform: adapter.PlatformIntegra, ID: id}, kind, user, money.New(100_50, money.RUB), time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if kind == adapter.Refund {
		p.RefundOf = 7
	}
	return p
}

// payments knows payment 7.
type payments struct{}

func (payments) PaymentByNum(_ context.Context, num int64) (adapter.Payment, error) {
	if num != 7 {
		return adapter.Payment{}, adapter.ErrNotFound
	}
	return adapter.Payment{Key: adapter.Key{Platform: adapter.PlatformIntegra, ID: strings.Repeat("b", 32)}}, nil
}

func newClient(t *testing.T, change func(*billing.Config)) (*billing.Client, *httpmock.MockTransport) {
	t.Helper()
	cfg := billing.Config{
		BaseURL: base + "/", Token: func(id string) (string, error) { return "token-of-" + id, nil },
	}
	if change != nil {
		change(&cfg)
	}
	c, err := billing.New(cfg, payments{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	mock := httpmock.NewMockTransport()
	c.HTTP().Transport = mock
	return c, mock
}

// Each move is one request of the contract, repeated under the same name.
func TestRequests(t *testing.T) {
	t.Parallel()
	order := map[string]any{"key": key, "user": user, "amount": "100.50", "currency": "RUB"}
	tests := []struct {
		move adapter.Move
		kind adapter.Kind
		path string
		body map[string]any
		says string
	}{
		{adapter.Reserve, adapter.TopUp, "/reservations", order, "reserved"},
		{adapter.Capture, adapter.TopUp, "/reservations/" + key + "/capture", map[string]any{}, "captured"},
		{adapter.Release, adapter.Direct, "/reservations/" + key + "/release", map[string]any{}, "released"},
		{adapter.Restore, adapter.Refund, "/refunds", map[string]any{
			"key": key, "user": user, "amount": "100.50", "currency": "RUB", "reservation": "integra-" + strings.Repeat("b", 32),
		}, "refunded"},
	}
	for _, tt := range tests {
		t.Run(string(tt.move), func(t *testing.T) {
			t.Parallel()
			var observed []string
			c, mock := newClient(t, func(c *billing.Config) {
				c.Watch.Observe = func(operation string, o adapter.Outcome) {
					observed = append(observed, operation+" "+string(o.Verdict))
				}
			})
			mock.RegisterResponder(http.MethodPost, base+tt.path, func(r *http.Request) (*http.Response, error) {
				var body map[string]any
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(tt.body, body); diff != "" {
					t.Errorf("body (-want +got):\n%s", diff)
				}
				name := key + "-" + string(tt.move)
				if got := r.Header.Get("Idempotency-Key"); got != name || r.Header.Get("Authorization") != "Bearer token-of-"+name {
					t.Errorf("Idempotency-Key %q, Authorization %q", got, r.Header.Get("Authorization"))
				}
				return httpmock.NewJsonResponse(http.StatusOK, map[string]string{"key": key, "state": tt.says})
			})
			for range 2 {
				if o := c.Move(t.Context(), tt.move, payment(t, tt.kind)); o.Verdict != adapter.Accepted {
					t.Errorf("Move: %+v", o)
				}
			}
			want := "billing." + string(tt.move) + " accepted"
			if diff := cmp.Diff([]string{want, want}, observed); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
		})
	}
}

// Only the contract's own words are believed.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const yes, no, unknown = adapter.Accepted, adapter.Refused, adapter.Unknown
	good := `{"key":"` + key + `","state":"reserved"}`
	tests := []struct {
		name   string
		move   adapter.Move
		status int
		body   string
		want   adapter.Verdict
		code   int
	}{
		{"made", adapter.Reserve, 201, good, yes, 201},
		{"made before", adapter.Reserve, 200, good, yes, 200},
		{"another key", adapter.Reserve, 201, strings.Replace(good, "aa", "ab", 1), unknown, 201},
		{"another state", adapter.Reserve, 200, strings.Replace(good, "reserved", "released", 1), unknown, 200},
		{"a page", adapter.Reserve, 200, "<html>", unknown, 200},
		{"nothing", adapter.Reserve, 201, "", unknown, 201},
		{"half an answer", adapter.Reserve, 201, good[:20], unknown, 201},
		{"accepted for later", adapter.Reserve, 202, good, unknown, 202},
		{"elsewhere", adapter.Reserve, 302, good, unknown, 302},
		{"no funds", adapter.Reserve, 402, `{"code":"not_enough_funds","title":"Payment Required"}`, no, adapter.CodeNoFunds},
		{"no such user", adapter.Reserve, 404, `{"code":"unknown_user","detail":"who?"}`, no, adapter.CodeUnknownUser},
		{"a proxy's 404", adapter.Reserve, 404, "404 page not found", unknown, 404},
		{"an object's 404", adapter.Reserve, 404, `{"message":"no route"}`, unknown, 404},
		{"codes mixed up", adapter.Reserve, 404, `{"code":"not_enough_funds"}`, unknown, 404},
		{"a licence's 402", adapter.Reserve, 402, `{"code":"plan_expired"}`, unknown, 402},
		{"conflict", adapter.Reserve, 409, `{"code":"conflict"}`, no, 409},
		{"unauthorized", adapter.Reserve, 401, `{"code":"unauthorized"}`, no, 401},
		{"a proxy's 400", adapter.Reserve, 400, `{"message":"bad request"}`, unknown, 400},
		{"broken", adapter.Reserve, 500, `{"code":"not_enough_funds"}`, unknown, 500},
		{"not there", adapter.Capture, 404, `{"code":"unknown_reservation"}`, no, 404},
		{"a proxy's capture", adapter.Capture, 404, "nope", unknown, 404},
		{"captured", adapter.Release, 409, `{"code":"conflict"}`, no, 409},
		{"too many", adapter.Capture, 429, `{"code":"too_many"}`, unknown, 429},
		{"too late", adapter.Release, 408, `{"code":"timeout"}`, unknown, 408},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, mock := newClient(t, nil)
			mock.RegisterNoResponder(httpmock.NewStringResponder(tt.status, tt.body))
			if o := c.Move(t.Context(), tt.move, payment(t, adapter.TopUp)); o.Verdict != tt.want || o.Code != tt.code {
				t.Errorf("%+v; want %s, %d", o, tt.want, tt.code)
			}
		})
	}
}

// What goes wrong before there is an answer is never a refusal.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	c, mock := newClient(t, nil)
	mock.RegisterNoResponder(httpmock.NewErrorResponder(errors.New("reset")))
	if o := c.Move(t.Context(), adapter.Reserve, payment(t, adapter.TopUp)); o.Verdict != adapter.NotSent && o.Verdict != adapter.Unknown {
		t.Errorf("no connection: %+v", o)
	}
	c, _ = newClient(t, func(c *billing.Config) { c.Token = func(string) (string, error) { return "", errors.New("no key") } })
	if o := c.Move(t.Context(), adapter.Reserve, payment(t, adapter.TopUp)); o.Verdict != adapter.NotSent {
		t.Errorf("no token: %+v", o)
	}
	if o := c.Move(t.Context(), "gift", payment(t, adapter.TopUp)); o.Verdict != adapter.NotSent {
		t.Errorf("no such move: %+v", o)
	}
	orphan := payment(t, adapter.Refund)
	orphan.RefundOf = 8
	if o := c.Move(t.Context(), adapter.Restore, orphan); o.Verdict != adapter.NotSent {
		t.Errorf("a refund of nothing: %+v", o)
	}
}

// A billing that fails again and again is left alone for a while, and then tried again.
// Refusals are no failures.
func TestBreaker(t *testing.T) {
	t.Parallel()
	c, mock := newClient(t, func(c *billing.Config) {
		c.Watch.Breaker = outcall.NewBreaker(outcall.BreakerConfig{Failures: 3, Pause: time.Millisecond})
	})
	p := payment(t, adapter.TopUp)
	status, body := 402, `{"code":"not_enough_funds"}`
	mock.RegisterNoResponder(func(*http.Request) (*http.Response, error) { return httpmock.NewStringResponse(status, body), nil })
	for range 10 {
		if o := c.Move(t.Context(), adapter.Reserve, p); o.Verdict != adapter.Refused {
			t.Fatalf("refusals: %+v", o)
		}
	}
	status = 500
	for range 3 {
		if o := c.Move(t.Context(), adapter.Reserve, p); o.Verdict != adapter.Unknown {
			t.Fatalf("failures: %+v", o)
		}
	}
	status, body = 201, `{"key":"`+key+`","state":"reserved"}`
	paused, calls := false, mock.GetTotalCallCount()
	for {
		o := c.Move(t.Context(), adapter.Reserve, p)
		if o.Verdict == adapter.Accepted {
			break // the pause is over
		}
		if o.Verdict != adapter.Held {
			t.Fatalf("while it is left alone: %+v", o)
		}
		paused = true
	}
	if asked := mock.GetTotalCallCount() - calls; asked != 1 {
		t.Errorf("it was asked %d times; paused %t", asked, paused)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	good := `{"user":"` + user + `","available":"900.00","reserved":"0.50","currency":"RUB"}`
	for _, tt := range []struct {
		name   string
		status int
		body   string
		err    error // nil: any error, unless good
	}{
		{"good", 200, good, nil},
		{"another user's", 200, strings.Replace(good, "uu", "uv", 1), nil},
		{"in dollars", 200, strings.Replace(good, "RUB", "USD", 1), nil},
		{"a number", 200, strings.Replace(good, `"900.00"`, "900", 1), nil},
		{"not known", 404, `{"code":"unknown_user"}`, adapter.ErrNotFound},
		{"a proxy's 404", 404, "no", nil},
		{"broken", 500, "no", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, mock := newClient(t, nil)
			mock.RegisterResponder(http.MethodGet, base+"/users/"+user+"/balance", httpmock.NewStringResponder(tt.status, tt.body))
			available, reserved, err := c.Balance(t.Context(), user, money.RUB)
			switch {
			case tt.name == "good":
				if err != nil || available.Minor() != 900_00 || reserved.Minor() != 50 {
					t.Errorf("%s, %s, %v", available, reserved, err)
				}
			case err == nil || errors.Is(err, adapter.ErrNotFound) != (tt.err != nil):
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	token := func(string) (string, error) { return "", nil }
	for name, cfg := range map[string]billing.Config{
		"no address":     {Token: token},
		"a path":         {BaseURL: "/kit", Token: token},
		"another scheme": {BaseURL: "ftp://billing", Token: token},
		"a query":        {BaseURL: base + "?a=1", Token: token},
		"no tokens":      {BaseURL: base},
		"negative time":  {BaseURL: base, Token: token, Timeout: -1},
	} {
		if _, err := billing.New(cfg, payments{}); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
