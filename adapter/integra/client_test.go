package integra_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
	wire "github.com/partnerkit/partnerkit/contract/integra"
)

const platform = "https://platform.example"

// request is what the platform got.
type request struct {
	Verb, Path, Hash, Plain string
	Type                    string
	Body                    int64
}

// answering puts a transport under the client that gives one answer and takes down requests.
// key is the one that the platform decrypts with.
func answering(c *integra.Client, status int, body, key string) *[]request {
	var got []request
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		req := request{Verb: r.Method, Path: r.URL.Path, Type: r.Header.Get("Content-Type"), Body: r.ContentLength}
		if e, err := wire.ParseK(r.URL.Query().Get("k")); err != nil {
			req.Plain = err.Error()
		} else if plain, err := wire.Simple.Decrypt(e.Data, key); err != nil {
			req.Plain = err.Error()
		} else {
			req.Hash, req.Plain = e.Hash, string(plain)
		}
		got = append(got, req)
		return httpmock.NewStringResponse(status, body), nil
	})
	c.HTTP().Transport = mock
	return &got
}

func TestCallSendsWhatThePaymentAsksFor(t *testing.T) {
	t.Parallel()
	const yes = `{"status":{"code":0,"message":"ok"},"error":false,"data":{"transactionId":"` + paymentID + `","paymentId":"114163"}}`
	tests := []struct {
		name   string
		kind   adapter.Kind
		state  adapter.State
		reason string
		method string
		plain  string
		detail string
	}{
		{
			name: "confirm", kind: adapter.TopUp, state: adapter.Reserved, method: "confirmPayment",
			plain: `{"amount":"100.5","transactionId":"202cb962ac59075b964b07152d234b70"}`,
		},
		{
			name: "confirm again", kind: adapter.TopUp, state: adapter.Confirming, method: "confirmPayment",
			plain: `{"amount":"100.5","transactionId":"202cb962ac59075b964b07152d234b70"}`,
		},
		{
			name: "decline for want of funds", kind: adapter.TopUp, state: adapter.Declining, reason: adapter.ReasonNoFunds, method: "declinePayment",
			plain: `{"transactionId":"202cb962ac59075b964b07152d234b70","errorCode":402,"errorMessage":"not enough funds","errorLink":"https://panel.example/funds"}`,
		},
		{
			name: "decline of an unknown user", kind: adapter.TopUp, state: adapter.Declining, reason: adapter.ReasonUnknownUser, method: "declinePayment",
			plain: `{"transactionId":"202cb962ac59075b964b07152d234b70","errorCode":404,"errorMessage":"unknown user","errorLink":"https://panel.example/funds"}`,
		},
		{
			name: "direct", kind: adapter.Direct, state: adapter.Reserved, method: "doPayment", detail: "paymentId 114163",
			plain: `{"paymentSum":"100.5","paymentSumBonus":"0","paymentHash":"202cb962ac59075b964b07152d234b70","userLogin":"acme-site.ru-11235813"}`,
		},
		{
			name: "refund", kind: adapter.Refund, state: adapter.Confirming, method: "doPayment", detail: "paymentId 114163",
			plain: `{"paymentSum":"-100.5","paymentSumBonus":"0","paymentHash":"202cb962ac59075b964b07152d234b70","userLogin":"acme-site.ru-11235813"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, calls := newClient(t, platform, func(cfg *integra.ClientConfig) {
				cfg.DeclineLink = "https://panel.example/funds"
				times := 0
				cfg.Now = func() time.Time { times++; return day.Add(time.Duration(times) * time.Second) }
			})
			got := answering(c, 200, yes, userKey)
			p := payment(t, tt.kind, tt.state)
			p.Reason = tt.reason
			o := c.Call(t.Context(), p)
			if want := (adapter.Outcome{Verdict: adapter.Accepted, Detail: tt.detail, Took: time.Second}); o != want {
				t.Errorf("Call = %+v; want %+v", o, want)
			}
			want := []request{{Verb: "POST", Path: "/partners/acme/" + tt.method, Hash: userHash, Plain: tt.plain, Type: "application/json"}}
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("the platform got (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]seen{{tt.method, o}}, *calls); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCallMatchesTheVector: the whole address, byte for byte, is that of
// spec/integra_vectors.json, whose k was not made by our code.
func TestCallMatchesTheVector(t *testing.T) {
	t.Parallel()
	const k = "zaa0123456789abcdef0123456789abcdef" +
		"3oPD0NDX0dWEnYOTk5GEj4PW1cLQ1sLF18rR0arGhZuElZGUxsObmZPDxpabk5iXxZqYl8OSmpKXlcWUlpXEmpGE4A%3D%3D"
	c, _ := newClient(t, platform, nil)
	var address string
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		address = r.URL.String()
		return httpmock.NewStringResponse(200, ""), nil
	})
	c.HTTP().Transport = mock
	p := payment(t, adapter.TopUp, adapter.Reserved)
	p.Amount = hundred
	c.Call(t.Context(), p)
	if want := platform + "/partners/acme/confirmPayment?k=" + k; address != want {
		t.Errorf("called %s\nwant   %s", address, want)
	}
}

func TestAnswersAreTold(t *testing.T) {
	t.Parallel()
	const (
		mine    = `"data":{"transactionId":"` + paymentID + `"}`
		refusal = `{"status":{"code":9,"message":"amount differs"},"error":true}`
		yes     = `{"status":{"code":0,"message":"ok"},"error":false,` + mine + `}`
	)
	tests := []struct {
		name   string
		status int
		body   string
		want   adapter.Verdict
		code   int
		says   string
	}{
		{name: "yes", status: 200, body: yes, want: adapter.Accepted},
		{name: "yes with 201", status: 201, body: yes, want: adapter.Accepted},
		{name: "yes with everything", status: 200, body: `{"notices":["old"],"version":"1",` + mine + `,"status":{"message":"ok","code":0},"error":false}`, want: adapter.Accepted},
		{name: "no", status: 200, body: refusal, want: adapter.Refused, code: 9, says: "amount differs"},
		{name: "no with 400", status: 400, body: refusal, want: adapter.Refused, code: 9, says: "amount differs"},
		{name: "no without a message", status: 200, body: `{"status":{"code":1},"error":true}`, want: adapter.Refused, code: 1},
		{name: "a code that nobody knows", status: 200, body: `{"status":{"code":4711,"message":"?"},"error":true}`, want: adapter.Refused, code: 4711, says: "?"},
		{name: "a message that no database takes", status: 200, body: `{"status":{"code":1,"message":"a\u0000b\nc"},"error":true}`, want: adapter.Refused, code: 1, says: "a b c"},
		{name: "no with 500", status: 500, body: refusal, want: adapter.Unknown, says: "500"},
		{name: "yes with 500", status: 500, body: yes, want: adapter.Unknown, says: "500"},
		{name: "yes with 502", status: 502, body: yes, want: adapter.Unknown, says: "502"},
		{name: "yes with 404", status: 404, body: yes, want: adapter.Unknown, says: "contradicts"},
		{name: "a page with 404", status: 404, body: `<html>Not Found</html>`, want: adapter.Unknown, says: "404"},
		{name: "a page with 200", status: 200, body: `<html>Maintenance</html>`, want: adapter.Unknown, says: "not an answer"},
		{name: "nothing", status: 200, body: ``, want: adapter.Unknown, says: "not an answer"},
		{name: "204", status: 204, body: ``, want: adapter.Unknown, says: "not an answer"},
		{name: "null", status: 200, body: `null`, want: adapter.Unknown, says: "not an answer"},
		{name: "empty object", status: 200, body: `{}`, want: adapter.Unknown, says: "not an answer"},
		{name: "half", status: 200, body: yes[:len(yes)-1], want: adapter.Unknown, says: "not an answer"},
		{name: "two", status: 200, body: yes + yes, want: adapter.Unknown, says: "not an answer"},
		{name: "yes and no", status: 200, body: `{"status":{"code":0,"message":"ok"},"error":true,` + mine + `}`, want: adapter.Unknown, says: "contradicts"},
		{name: "no and yes", status: 200, body: `{"status":{"code":9,"message":"no"},"error":false,` + mine + `}`, want: adapter.Unknown, says: "contradicts"},
		{name: "error twice", status: 200, body: `{"status":{"code":0},"error":true,"error":false,` + mine + `}`, want: adapter.Unknown, says: "not an answer"},
		{name: "error as text", status: 200, body: `{"status":{"code":0},"error":"false",` + mine + `}`, want: adapter.Unknown, says: "not an answer"},
		{name: "yes to another payment", status: 200, body: strings.Replace(yes, paymentID, otherUser, 1), want: adapter.Unknown, says: otherUser},
		{name: "yes to the payment in capitals", status: 200, body: strings.Replace(yes, paymentID, strings.ToUpper(paymentID), 1), want: adapter.Unknown, says: "about payment"},
		{name: "yes to nothing", status: 200, body: `{"status":{"code":0,"message":"ok"},"error":false}`, want: adapter.Unknown, says: "no data"},
		{name: "yes with a list", status: 200, body: `{"status":{"code":0,"message":"ok"},"error":false,"data":[]}`, want: adapter.Unknown},
		{name: "over-long", status: 200, body: yes + strings.Repeat(" ", 4096), want: adapter.Unknown, says: "longer than 4096 bytes"},
		{name: "redirection", status: 302, body: yes, want: adapter.Unknown, says: "302"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _ := newClient(t, platform, func(cfg *integra.ClientConfig) { cfg.MaxAnswer = 4096 })
			got := answering(c, tt.status, tt.body, userKey)
			o := c.Call(t.Context(), payment(t, adapter.TopUp, adapter.Reserved))
			if o.Verdict != tt.want || o.Code != tt.code || !strings.Contains(o.Detail, tt.says) {
				t.Errorf("Call = %+v; want %s, code %d, detail with %q", o, tt.want, tt.code, tt.says)
			}
			if len(*got) != 1 {
				t.Errorf("%d requests, want 1", len(*got))
			}
		})
	}
}

func TestDirectPaymentNeedsThePlatformsID(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, platform, nil)
	answering(c, 200, `{"status":{"code":0,"message":"ok"},"error":false,"data":{}}`, userKey)
	if o := c.Call(t.Context(), payment(t, adapter.Direct, adapter.Reserved)); o.Verdict != adapter.Unknown {
		t.Errorf("Call = %+v; want unknown", o)
	}
}

func TestDeclineTakesAnyYes(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, platform, nil)
	answering(c, 200, `{"status":{"code":0,"message":"ok"},"error":false}`, userKey)
	if o := c.Call(t.Context(), payment(t, adapter.TopUp, adapter.Declining)); o.Verdict != adapter.Accepted {
		t.Errorf("Call = %+v; want accepted", o)
	}
}

func TestCallWithoutKeyIsNotSent(t *testing.T) {
	t.Parallel()
	down := errors.New("database is down")
	tests := []struct {
		name  string
		users *people
		says  string
	}{
		{name: "unknown user", users: &people{}, says: "not found"},
		{name: "store down", users: &people{err: down}, says: "database is down"},
		{name: "another user's key", users: &people{byHash: map[string]adapter.User{
			userHash: {Hash: userHash, SealedKey: plainVault{}.Seal(otherUser, userKey)},
		}}, says: "another user"},
		{name: "empty key", users: &people{byHash: map[string]adapter.User{
			userHash: {Hash: userHash, SealedKey: plainVault{}.Seal(userHash, "")},
		}}, says: "empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := integra.NewClient(integra.ClientConfig{
				BaseURL: platform, Partner: wire.Credentials{Hash: partnerHash, Key: partnerKey},
			}, tt.users, plainVault{})
			if err != nil {
				t.Fatal(err)
			}
			got := answering(c, 200, "", userKey)
			o := c.Call(t.Context(), payment(t, adapter.TopUp, adapter.Reserved))
			if o.Verdict != adapter.NotSent || !strings.Contains(o.Detail, tt.says) || len(*got) != 0 {
				t.Errorf("Call = %+v after %d requests; want not sent, saying %q", o, len(*got), tt.says)
			}
		})
	}
}

// That a user is unknown or archived is a fact about the user; a store that is down, or a key
// that does not open, is not.
func TestRefuses(t *testing.T) {
	t.Parallel()
	users := somebody()
	c, err := integra.NewClient(integra.ClientConfig{
		BaseURL: platform, Partner: wire.Credentials{Hash: partnerHash, Key: partnerKey},
	}, users, plainVault{})
	if err != nil {
		t.Fatal(err)
	}
	archived := strings.Repeat("a", 32)
	users.byHash[archived] = adapter.User{Hash: archived, SealedKey: plainVault{}.Seal(archived, "k"), ArchivedAt: day}
	for user, want := range map[string]string{userHash: "", otherUser: adapter.ReasonUnknownUser, archived: adapter.ReasonArchived} {
		if reason, err := c.Refuses(t.Context(), user); reason != want || err != nil {
			t.Errorf("Refuses(%s) = %q, %v; want %q", user, reason, err, want)
		}
	}
	users.err = errors.New("database is down")
	if reason, err := c.Refuses(t.Context(), otherUser); reason != "" || !errors.Is(err, users.err) {
		t.Errorf("Refuses while the store is down: %q, %v", reason, err)
	}
}

func TestCallInAStateThatAsksForNone(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, platform, nil)
	got := answering(c, 200, "", userKey)
	for _, s := range []adapter.State{adapter.Received, adapter.Confirmed, adapter.Declined, adapter.InDoubt} {
		if o := c.Call(t.Context(), payment(t, adapter.TopUp, s)); o.Verdict != adapter.NotSent || len(*got) != 0 {
			t.Errorf("%s: Call = %+v after %d requests; want not sent", s, o, len(*got))
		}
	}
}

func TestKeysAreKeptForAMinute(t *testing.T) {
	t.Parallel()
	users, at := somebody(), &clock{day}
	c, err := integra.NewClient(integra.ClientConfig{
		BaseURL: platform, Partner: wire.Credentials{Hash: partnerHash, Key: partnerKey}, Now: at.now,
	}, users, plainVault{})
	if err != nil {
		t.Fatal(err)
	}
	answering(c, 200, "", userKey)
	p := payment(t, adapter.TopUp, adapter.Reserved)
	for range 3 {
		c.Call(t.Context(), p)
	}
	if users.asked != 1 {
		t.Errorf("the store was asked %d times within a minute, want once", users.asked)
	}
	at.at = at.at.Add(time.Minute)
	if c.Call(t.Context(), p); users.asked != 2 {
		t.Errorf("the store was asked %d times after a minute, want twice", users.asked)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	ok := func(data string) string {
		return `{"status":{"code":0,"message":"ok"},"error":false,"data":` + data + `}`
	}
	tests := []struct {
		name      string
		call      func(context.Context, *integra.Client) (any, error)
		key, hash string
		path      string
		plain     string
		body      string
		want      any
	}{
		{
			name: "hello", key: partnerKey, hash: partnerHash, path: "hello", plain: `{"name":"Dmitry"}`,
			call: func(ctx context.Context, c *integra.Client) (any, error) { return c.Hello(ctx, "Dmitry") },
			body: ok(`"Hello, Dmitry!"`), want: "Hello, Dmitry!",
		},
		{
			name: "createUser", key: partnerKey, hash: partnerHash, path: "createUser",
			plain: `{"username":"acme-site.ru-11235813","hash":"0123456789abcdef0123456789abcdef"}`,
			call: func(ctx context.Context, c *integra.Client) (any, error) {
				return c.CreateUser(ctx, wire.CreateUserArgs{Username: login, Hash: userHash})
			},
			body: ok(`{"cryptKey":"q8w1dm0ra5"}`), want: "q8w1dm0ra5",
		},
		{
			name: "getUserData: the user's hash under the partner's key", key: partnerKey, hash: userHash, path: "getUserData",
			plain: `{"partner":"acme00000000000000000000000000ac"}`,
			call: func(ctx context.Context, c *integra.Client) (any, error) {
				d, err := c.UserData(ctx, userHash)
				return d.Balance.String(), err
			},
			body: ok(`{"hash":"0123456789abcdef0123456789abcdef","balance":100.50,"unreadCount":1}`), want: "100.50",
		},
		{
			name: "getFinSummaryByDate", key: userKey, hash: userHash, path: "getFinSummaryByDate", plain: `{"date":"2026-03-01"}`,
			call: func(ctx context.Context, c *integra.Client) (any, error) { return c.FinSummary(ctx, userHash, day) },
			body: ok(`{"date":"2026-03-01","balance":10,"income":100.5,"outcome":-0.10}`),
			want: wire.FinSummary{Date: "2026-03-01", Balance: "10", Income: "100.5", Outcome: "-0.10"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _ := newClient(t, platform, nil)
			got := answering(c, 200, tt.body, tt.key)
			data, err := tt.call(t.Context(), c)
			if diff := cmp.Diff(tt.want, data); diff != "" || err != nil {
				t.Errorf("%v, data (-want +got):\n%s", err, diff)
			}
			want := []request{{Verb: "POST", Path: "/partners/acme/" + tt.path, Hash: tt.hash, Plain: tt.plain, Type: "application/json"}}
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("the platform got (-want +got):\n%s", diff)
			}

			answering(c, 200, `{"status":{"code":2,"message":"wrong key"},"error":true}`, tt.key)
			var refused *integra.CallError
			if _, err := tt.call(t.Context(), c); !errors.As(err, &refused) || refused.Verdict != adapter.Refused || refused.Code != 2 {
				t.Errorf("refused: %v; want a CallError with code 2", err)
			}
			answering(c, 200, ok(`{"hash":"x","date":"x","cryptKey":""}`), tt.key)
			if _, err := tt.call(t.Context(), c); !errors.As(err, &refused) || refused.Verdict != adapter.Unknown {
				t.Errorf("an answer to another question: %v; want a CallError that says unknown", err)
			}
		})
	}
}

func TestNewClientNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := integra.NewClient(integra.ClientConfig{
		BaseURL: "platform.example", Partner: wire.Credentials{Hash: "acme", Key: "secret"}, Timeout: -1,
	}, somebody(), plainVault{})
	if !errors.Is(err, adapter.ErrInvalid) {
		t.Fatalf("NewClient: %v; want ErrInvalid", err)
	}
	for _, says := range []string{"platform.example", "partner: ", "negative"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %q: %v", says, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error repeats the key: %v", err)
	}
}

func TestErrorsKeepTheAddressToThemselves(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, "http://127.0.0.1:1", nil) // nothing listens there
	o := c.Call(t.Context(), payment(t, adapter.TopUp, adapter.Reserved))
	if o.Verdict != adapter.NotSent || strings.Contains(o.Detail, "zaa") || strings.Contains(o.Detail, url.QueryEscape(userHash)) {
		t.Errorf("Call = %+v; want not sent, without the request's address", o)
	}
}

// FuzzAnswer: whatever the platform answers, a yes is believed only if it says so itself, about
// this payment, and what is kept of it can be stored.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"status":{"code":0,"message":"ok"},"error":false,"data":{"transactionId":"`+paymentID+`"}}`)
	f.Add(400, `{"status":{"code":9,"message":"no"},"error":true}`)
	f.Add(500, "")
	f.Add(200, "<html>")
	c, _ := newClient(f, platform, func(cfg *integra.ClientConfig) { cfg.MaxAnswer = 1 << 16 })
	p := payment(f, adapter.TopUp, adapter.Reserved)
	f.Fuzz(func(t *testing.T, status int, body string) {
		answering(c, status, body, userKey)
		o := c.Call(t.Context(), p)
		switch o.Verdict {
		case adapter.Accepted:
			var said struct {
				Status struct{ Code int }
				Error  bool
				Data   struct{ TransactionID string }
			}
			err := json.Unmarshal([]byte(body), &said)
			if err != nil || status < 200 || status > 299 || said.Status.Code != 0 || said.Error || said.Data.TransactionID != paymentID {
				t.Errorf("%d %q is taken for a yes", status, body)
			}
		case adapter.Refused:
			if status >= 500 || o.Code == 0 {
				t.Errorf("%d %q is taken for a no: %+v", status, body, o)
			}
		case adapter.Unknown:
		default:
			t.Errorf("%d %q: %+v although it was sent", status, body, o)
		}
		if !utf8.ValidString(o.Detail) || strings.ContainsFunc(o.Detail, unicode.IsControl) || utf8.RuneCountInString(o.Detail) > 300 {
			t.Errorf("detail %q cannot be stored", o.Detail)
		}
	})
}
