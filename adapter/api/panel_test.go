package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/ledger"
)

// Every call that may change something, with bodies that are wrong in every way: a problem that
// names what is wrong, and nothing done.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.user(t, 1, 1000_00), w.user(t, 2, 0)
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		path, body string
		status     int
		says       string
	}{
		{"accounts/" + alice + "/deposits", `{}`, 422, "amount"},
		{"accounts/" + alice + "/deposits", `{"amount":"-1"}`, 422, `"location":"body.amount"`},
		{"accounts/" + alice + "/deposits", `{"amount":"0"}`, 422, "is zero"},
		{"accounts/" + alice + "/deposits", `{"amount":"0.001"}`, 422, "more decimals"},
		{"accounts/" + alice + "/deposits", `{"amount":"1e3"}`, 422, "exponent"},
		{"accounts/" + alice + "/deposits", `{"amount":"1,000"}`, 422, "comma"},
		{"accounts/" + alice + "/deposits", `{"amount":"١٠"}`, 422, "digits other than ASCII"},
		{"accounts/" + alice + "/deposits", `{"amount":"1000000000000.01"}`, 422, "over 10^12"},
		{"accounts/" + alice + "/deposits", `{"amount":"99999999999999999999"}`, 422, "out of range"},
		{"accounts/" + alice + "/deposits", `{"amount":100}`, 422, `"location":"body.amount"`},
		{"accounts/" + alice + "/deposits", `{"amount":null}`, 422, "amount"},
		{"accounts/" + alice + "/deposits", `{"amount":["1"]}`, 422, `"location":"body.amount"`},
		{"accounts/" + alice + "/deposits", `{"amount":"1","currency":"USD"}`, 422, `"location":"body.currency"`},
		{"accounts/" + alice + "/deposits", `{"amount":"1","note":"` + long + `"}`, 422, `"location":"body.note"`},
		{"accounts/" + alice + "/deposits", `{"amount":"1","Amount":"2"}`, 422, `"location":"body.Amount"`},
		{"accounts/" + alice + "/deposits", `{"amount":"1","user":"` + bob + `"}`, 422, `"location":"body.user"`},
		{"accounts/" + alice + "/deposits", `{"Amount":"1"}`, 422, `"location":"body.Amount"`},
		{"accounts/" + alice + "/deposits", `{"amount":"1","amount":"2"}`, 400, "stands twice"},
		{"accounts/" + alice + "/deposits", `[]`, 422, `"location":"body"`},
		{"accounts/" + alice + "/deposits", `"1"`, 422, `"location":"body"`},
		{"accounts/" + alice + "/deposits", `{"amount":"1"`, 400, `"location":"body"`},
		{"accounts/" + alice + "/deposits", ``, 400, "body"},
		{"accounts/" + alice + "/deposits", `{"note":"` + strings.Repeat("x", 17<<10) + `"}`, 413, "large"},
		{"accounts/short/deposits", `{"amount":"1"}`, 422, `"location":"path.hash"`},
		{"accounts/" + strings.Repeat("f", 32) + "/deposits", `{"amount":"1"}`, 404, "not found"},
		{"accounts/" + alice + "/withdrawals", `{"amount":"1000.01"}`, 422, api.ProblemNoFunds},
		{"accounts/" + strings.Repeat("f", 32) + "/withdrawals", `{"amount":"1"}`, 404, "not found"},

		{"payments", `{"user":"` + alice + `"}`, 422, "amount"},
		{"payments", `{"amount":"1"}`, 422, "user"},
		{"payments", `{"user":"me","amount":"1"}`, 422, `"location":"body.user"`},
		{"payments", `{"user":"` + strings.Repeat("f", 32) + `","amount":"1"}`, 422, `"location":"body.user"`},
		{"payments", `{"user":"` + alice + `","amount":"-1"}`, 422, `"location":"body.amount"`},
		{"payments", `{"user":"` + alice + `","amount":"1","currency":"EUR"}`, 422, `"location":"body.currency"`},
		{"payments", `{"user":"` + alice + `","amount":"1","state":"confirmed"}`, 422, `"location":"body.state"`},
		{"payments/7/refunds", `{"user":"` + alice + `"}`, 404, "not found"},
		{"payments/zero/refunds", `{"user":"` + alice + `"}`, 422, `"location":"path.id"`},
		{"payments/0/refunds", `{"user":"` + alice + `"}`, 422, `"location":"path.id"`},
		{"payments/7/resolve", `{"outcome":"perhaps","reason":"x"}`, 422, `"location":"body.outcome"`},
		{"payments/7/resolve", `{"outcome":"confirmed","reason":""}`, 422, `"location":"body.reason"`},
		{"payments/7/resolve", `{"outcome":"confirmed","reason":"x"}`, 404, "not found"},

		{"users", `{"login":""}`, 422, `"location":"body.login"`},
		{"users", `{"login":"a\u0000b"}`, 422, `"location":"body.login"`},
		{"users", `{"login":"` + long + `"}`, 422, `"location":"body.login"`},
		{"users", `{"login":"carl","email":"no"}`, 422, `"location":"body.email"`},
		{"users", `{"login":"carl","phone":"89551234567"}`, 422, `"location":"body.phone"`},
		{"users", `{"login":"carl","suggested_domain":"https://a.b/"}`, 422, `"location":"body.suggested_domain"`},
		{"users", `{"login":"carl","hash":"` + alice + `"}`, 422, `"location":"body.hash"`},
		{"users", `{"login":"taken"}`, 422, api.ProblemRefused},
		{"users", `{"login":"taken"}`, 422, `"errors":[{"message":"username is taken: choose another","location":"body.login"}]`},
		{"users", `{"login":"silent"}`, 502, api.ProblemUnanswered},
		{"users/" + strings.Repeat("f", 32) + "/archive", ``, 404, "not found"},
		{"users/x/archive", ``, 422, `"location":"path.hash"`},
		{"users/" + alice + "/login-link", `{"r":"go/home"}`, 422, `"location":"body.r"`},
		{"users/" + alice + "/login-link", `{"screen":"go/payment"}`, 422, `"location":"body.screen"`},
		{"accounts/" + alice + "/deposits", `{"amount":"1","note":"a\u0000b"}`, 422, `"location":"body.note"`},
		{"accounts/" + alice + "/deposits", `{"amount":"1","note":"` + "\xff" + `"}`, 400, "is no text in UTF-8"},
		{"messages/read", `{"ids":[]}`, 422, `"location":"body.ids"`},
		{"messages/read", `{"ids":["x"]}`, 422, `"location":"body.ids[0]"`},
		{"messages/read", `{"ids":[1]}`, 422, `"location":"body.ids[0]"`},
	} {
		for _, key := range []string{"key of " + tt.path + tt.body[:min(len(tt.body), 60)], ""} {
			if key == "" && strings.HasSuffix(tt.path, "/login-link") {
				continue // which needs none
			}
			key = strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return '?'
				}
				return r
			}, key)
			r := w.post(tt.path, key, tt.body)
			got := text(t, r)
			if r.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("POST %s %.80s: %s", tt.path, tt.body, r.Header.Get("Content-Type"))
			}
			if key == "" {
				if r.StatusCode < 400 || r.StatusCode >= 500 || r.StatusCode == 422 && !strings.Contains(got, `"location":"header.Idempotency-Key"`) {
					t.Errorf("POST %s %.80s without a key: %d %s", tt.path, tt.body, r.StatusCode, got)
				}
			} else if r.StatusCode != tt.status || !strings.Contains(got, tt.says) {
				t.Errorf("POST %s %.80s: %d %.300s\nwant %d with %s", tt.path, tt.body, r.StatusCode, got, tt.status, tt.says)
			}
		}
	}
	for path, want := range map[string]string{
		"users?limit=0": "query.limit", "users?limit=501": "query.limit", "users?limit=x": "query.limit", "users?page=2": "query.page",
		"users?archived=maybe": "query.archived", "users/x": "path.hash", "users/" + alice + "?live=maybe": "query.live",
		"payments?state=done": "query.state[0]", "payments?kind=gift": "query.kind[0]", "payments?from=yesterday": "query.from",
		"payments?to=2026-02-30T00:00:00Z": "query.to", "payments?from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z": "query.to",
		"payments?before=-1": "query.before", "payments?before=1.5": "query.before", "payments/" + long: "path.id",
		"accounts/x": "path.hash", "accounts/" + alice + "/statement?limit=1000": "query.limit",
		"accounts/" + alice + "/statement.csv?limit=100000": "query.limit", "accounts/" + alice + "/statement?format=pdf": "query.format",
		"messages?user=" + alice: "query.user", "users/x/messages": "path.hash",
		"users?login=%ff": "query.login", "payments?user=%00": "query.user", "payments?user=%zz": "query", "payments?user=a;b": "query",
	} {
		r := call(w, "GET", "/v1/"+path, "Bearer payments:read", "", "")
		if got := text(t, r); r.StatusCode != 422 || !strings.Contains(got, `"location":"`+want+`"`) {
			t.Errorf("GET %s: %d %s; want 422 about %s", path, r.StatusCode, got, want)
		}
	}
	if list, err := w.Payments(t.Context(), adapter.PaymentFilter{}); err != nil || len(list) != 0 {
		t.Errorf("payments were made: %v, %v", list, err)
	}
	if b, err := w.Balance(t.Context(), alice); err != nil || b.Available.Text() != "1000.00" {
		t.Errorf("balance %v, %v", b, err)
	}
	if n := w.people.count.Load(); n != 0 {
		t.Errorf("%d users were made", n)
	}
	w.clean(t)
}

// Each call asks for its own scope, and admin stands for all.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *api.Config) { c.Reconciliations, c.Reconciler = &days{}, &clerk{} })
	alice := w.user(t, 1, 0)
	for path, scope := range map[string]string{
		"GET audit": api.ScopeAdmin, "GET reconciliation": api.ScopePaymentsRead, "POST reconciliation/2026-05-03": api.ScopePaymentsWrite,
		"GET users": api.ScopePaymentsRead, "GET users/" + alice: api.ScopePaymentsRead, "GET payments": api.ScopePaymentsRead,
		"GET payments/1": api.ScopePaymentsRead, "GET accounts/" + alice: api.ScopePaymentsRead, "GET accounts/" + alice + "/statement": api.ScopePaymentsRead,
		"GET accounts/" + alice + "/statement.csv": api.ScopePaymentsRead, "GET messages": api.ScopePaymentsRead,
		"GET messages/templates": api.ScopePaymentsRead, "GET users/" + alice + "/messages": api.ScopePaymentsRead,
		"POST users": api.ScopeUsersWrite, "POST users/" + alice + "/archive": api.ScopeUsersWrite, "POST users/" + alice + "/unarchive": api.ScopeUsersWrite,
		"POST users/" + alice + "/login-link": api.ScopeUsersWrite, "POST messages/read": api.ScopeUsersWrite,
		"POST payments": api.ScopePaymentsWrite, "POST payments/1/refunds": api.ScopePaymentsWrite, "POST payments/1/resolve": api.ScopeAdmin,
		"POST accounts/" + alice + "/deposits": api.ScopeLedgerWrite, "POST accounts/" + alice + "/withdrawals": api.ScopeLedgerWrite,
	} {
		verb, path, _ := strings.Cut(path, " ")
		for _, held := range api.Scopes {
			r := call(w, verb, "/v1/"+path, "Bearer "+held, "", "")
			if may := r.StatusCode != http.StatusForbidden; may != (held == scope || held == api.ScopeAdmin) {
				t.Errorf("%s %s with %s: %d; it needs %s", verb, path, held, r.StatusCode, scope)
			}
		}
	}
}

func TestRevokedToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if r := call(w, "GET", "/v1/users", "Bearer admin", "", ""); r.StatusCode != 200 {
		t.Fatalf("before: %d", r.StatusCode)
	}
	if err := w.RevokeToken(t.Context(), adapter.Token{ID: "admin", RevokedAt: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	r := call(w, "GET", "/v1/users", "Bearer admin", "", "")
	if got := text(t, r); r.StatusCode != 401 || !strings.Contains(got, "revoked") || !strings.Contains(r.Header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("after: %d %s", r.StatusCode, got)
	}
	broken := newWorld(t, func(c *api.Config) {
		c.Revoked = func(context.Context, string) (bool, error) { return false, errors.New("disk full") }
	})
	r = call(broken, "GET", "/v1/users", "Bearer admin", "", "")
	if got := text(t, r); r.StatusCode != 503 || strings.Contains(got, "disk") {
		t.Errorf("a store that cannot tell: %d %s", r.StatusCode, got)
	}
}

func TestLimitPerToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *api.Config) { c.Rate, c.Burst = 0.5, 3 })
	ask := func(token string) (int, string, string) {
		r := call(w, "GET", "/v1/users", "Bearer "+token, "", "")
		return r.StatusCode, r.Header.Get("Retry-After"), text(t, r)
	}
	for i := range 3 {
		if status, _, got := ask("payments:read"); status != 200 {
			t.Fatalf("request %d of a burst of three: %d %s", i+1, status, got)
		}
	}
	if status, retry, got := ask("payments:read"); status != 429 || retry != "2" || !strings.Contains(got, api.ProblemTooManyCalls) {
		t.Errorf("the fourth: %d, Retry-After %q, %s; want 429 and 2 seconds", status, retry, got)
	}
	if status, _, _ := ask("admin"); status != 200 {
		t.Errorf("another token: %d", status)
	}
	w.clock.Advance(2 * time.Second)
	if status, _, _ := ask("payments:read"); status != 200 {
		t.Errorf("after two seconds: %d", status)
	}
	if status, _, _ := ask("payments:read"); status != 429 {
		t.Errorf("one more: %d, want 429", status)
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.user(t, 1, 10_00)
	get := func(match string) (int, string, string) {
		r := httptest.NewRequest("GET", "/v1/accounts/"+alice, nil)
		r.Header.Set("Authorization", "Bearer admin")
		if match != "" {
			r.Header.Set("If-None-Match", match)
		}
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		return rec.Code, rec.Header().Get("ETag"), rec.Body.String()
	}
	_, tag, _ := get("")
	if len(tag) != 18 || tag[0] != '"' {
		t.Fatalf("tag %s", tag)
	}
	for match, want := range map[string]int{
		tag: 304, "W/" + tag: 304, `"a", ` + tag: 304, "*": 304, `"a"`: 200, tag[1:]: 200, strings.Trim(tag, `"`): 200, ",,,": 200,
	} {
		status, again, body := get(match)
		if status != want || again != tag || (body == "") != (want == 304) {
			t.Errorf("If-None-Match %s: %d, tag %s, body %q; want %d", match, status, again, body, want)
		}
	}
	w.post("accounts/"+alice+"/deposits", "d", `{"amount":"1"}`)
	if status, changed, _ := get(tag); status != 200 || changed == tag {
		t.Errorf("after a deposit: %d, tag %s", status, changed)
	}
	if r := call(w, "GET", "/v1/users/x", "Bearer admin", "", ""); r.Header.Get("ETag") != "" {
		t.Error("a problem has a tag")
	}
}

func FuzzIfNoneMatch(f *testing.F) {
	w := newWorld(f, nil)
	for _, seed := range []string{"*", `"a"`, `W/"a", "b"`, ",", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, match string) {
		r := httptest.NewRequest("GET", "/v1/users", nil)
		r.Header.Set("Authorization", "Bearer admin")
		r.Header.Set("If-None-Match", match)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		star := false
		for item := range strings.SplitSeq(match, ",") {
			star = star || strings.TrimSpace(item) == "*"
		}
		holds := star || strings.Contains(match, rec.Header().Get("ETag"))
		if rec.Code == 304 && !holds || rec.Code != 304 && rec.Code != 200 {
			t.Errorf("%q: %d with tag %s", match, rec.Code, rec.Header().Get("ETag"))
		}
	})
}

// A refused key, a repeat, a repeat by another spelling of the same JSON, and one under way.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.user(t, 1, 0), w.user(t, 2, 0)
	first := w.post("accounts/"+alice+"/deposits", "k", `{"amount":"10","note":"x"}`)
	want := text(t, first)
	if first.StatusCode != 201 || first.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", first.StatusCode, want)
	}
	w.post("accounts/"+alice+"/deposits", "another", `{"amount":"5"}`)
	again := w.post("accounts/"+alice+"/deposits", "k", ` { "note" : "x", "amount":"\u0031\u0030" } `)
	if got := text(t, again); again.StatusCode != 201 || got != want || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("Location") != first.Header.Get("Location") {
		t.Errorf("repeat: %d %s; want 201 %s", again.StatusCode, got, want)
	}
	for _, other := range []struct{ path, body string }{
		{"accounts/" + alice + "/deposits", `{"amount":"10"}`},
		{"accounts/" + bob + "/deposits", `{"amount":"10","note":"x"}`},
		{"accounts/" + alice + "/withdrawals", `{"amount":"10","note":"x"}`},
		{"payments", `{"user":"` + alice + `","amount":"10"}`},
	} {
		r := w.post(other.path, "k", other.body)
		if got := text(t, r); r.StatusCode != 422 || !strings.Contains(got, api.ProblemKeyReused) {
			t.Errorf("%s %s under the same key: %d %s", other.path, other.body, r.StatusCode, got)
		}
	}
	// A no is an answer too, and stays one.
	refused := w.post("accounts/"+bob+"/withdrawals", "w", `{"amount":"1"}`)
	w.post("accounts/"+bob+"/deposits", "enough", `{"amount":"1"}`)
	again = w.post("accounts/"+bob+"/withdrawals", "w", `{"amount":"1"}`)
	if a, b := text(t, refused), text(t, again); refused.StatusCode != 422 || again.StatusCode != 422 || a != b || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("a refusal: %d %s, and again %d %s", refused.StatusCode, a, again.StatusCode, b)
	}
	// What decided nothing is not kept.
	for range 2 {
		if r := w.post("users", "u", `{"login":"silent"}`); r.StatusCode != 502 || r.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("a platform that is silent: %d", r.StatusCode)
		}
	}
	// A key that a command used.
	if _, err := w.Deposit(t.Context(), bob, adaptertest.RUB(7_00), "", "by hand"); err != nil {
		t.Fatal(err)
	}
	if r := w.post("accounts/"+bob+"/deposits", "by hand", `{"amount":"8"}`); r.StatusCode != 422 || !strings.Contains(text(t, r), api.ProblemKeyReused) {
		t.Errorf("a command's key: %d", r.StatusCode)
	}
	for _, key := range []string{strings.Repeat("k", 256), "ключ", "a\tb"} {
		if r := w.post("accounts/"+alice+"/deposits", key, `{"amount":"10"}`); r.StatusCode != 422 || !strings.Contains(text(t, r), "header.Idempotency-Key") {
			t.Errorf("key %q: %d", key, r.StatusCode)
		}
	}
	w.clean(t)
}

// breaking cannot store answers while it is broken, as a process that dies before it could.
type breaking struct {
	api.Requests
	broken atomic.Bool
}

func (b *breaking) EndRequest(ctx context.Context, r adapter.Request) (adapter.Request, error) {
	if b.broken.Load() {
		return r, errors.New("killed")
	}
	return b.Requests.EndRequest(ctx, r)
}

// A process that dies between the effect and its answer: nobody got an answer that could be
// another later; the repeat finds the effect, does nothing twice, and is answered as it should
// have been, from then on alike.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path, body string
		status     int
		says       string
	}{
		"deposit":   {"accounts/%s/deposits", `{"amount":"10"}`, 201, `"available":"90.00"`},
		"withdraw":  {"accounts/%s/withdrawals", `{"amount":"10"}`, 201, `"available":"70.00"`},
		"pay":       {"payments", `{"user":"%s","amount":"10"}`, 202, `"received"`},
		"refund":    {"payments/1/refunds", `{"user":"%s"}`, 202, `"refund_of":1`},
		"resolve":   {"payments/2/resolve", `{"outcome":"declined","reason":"seen"}`, 200, `"declined"`},
		"register":  {"users", `{"login":"carl"}`, 201, `"login":"carl"`},
		"archive":   {"users/%s/archive", ``, 200, `"archived_at"`},
		"unarchive": {"users/%s/unarchive", ``, 200, `"login":"user1"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &breaking{}
			w := newWorld(t, func(c *api.Config) { b.Requests, c.Requests = c.Requests, b })
			alice := w.user(t, 1, 100_00)
			for n, verdicts := range [][]adapter.Verdict{{adapter.Accepted}, {adapter.Unknown, adapter.Refused}} { // one confirmed, one in doubt
				w.post("payments", fmt.Sprint("before ", n), `{"user":"`+alice+`","amount":"10"}`)
				for _, v := range verdicts {
					w.verdict.Store(v)
					w.drive(t)
					w.clock.Advance(time.Hour)
				}
			}
			path, body := strings.ReplaceAll(tt.path, "%s", alice), strings.ReplaceAll(tt.body, "%s", alice)
			b.broken.Store(true)
			if r := w.post(path, "k", body); r.StatusCode != 503 {
				t.Errorf("an answer that is not stored: %d %s", r.StatusCode, text(t, r))
			}
			b.broken.Store(false)
			r := w.post(path, "k", body)
			if got := text(t, r); r.StatusCode != 409 || !strings.Contains(got, api.ProblemUnderWay) || r.Header.Get("Retry-After") == "" {
				t.Errorf("while it may still be worked on: %d %s", r.StatusCode, got)
			}
			if name == "pay" { // whatever becomes of the user meanwhile
				if err := w.SetArchived(t.Context(), alice, w.clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
			effects := w.effects(t)
			w.clock.Advance(31 * time.Second)
			again := w.post(path, "k", body)
			want := text(t, again)
			if again.StatusCode != tt.status || !strings.Contains(want, tt.says) || again.Header.Get("Idempotency-Replayed") != "" {
				t.Errorf("repeat: %d %s\nwant %d with %s", again.StatusCode, want, tt.status, tt.says)
			}
			third := w.post(path, "k", body)
			if got := text(t, third); got != want || third.StatusCode != tt.status || third.Header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("repeated again: %d %s\nwant %s", third.StatusCode, got, want)
			}
			if now := w.effects(t); now != effects {
				t.Errorf("what was done: %s\nand now: %s", effects, now)
			}
			w.clean(t)
		})
	}
}

// effects is all that calls can have done, but for the audit log.
func (w *world) effects(t testing.TB) string {
	t.Helper()
	payments, err := w.Payments(t.Context(), adapter.PaymentFilter{})
	if err != nil {
		t.Fatal(err)
	}
	users, err := w.Users(t.Context(), adapter.UserFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var transfers []string
	for _, u := range users {
		list, err := w.Statement(t.Context(), u.Hash, ledger.StatementFilter{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			transfers = append(transfers, fmt.Sprint(x.Num, x.Move, x.Amount))
		}
	}
	return fmt.Sprint(len(payments), payments, transfers, users)
}

// A payment from its begin to refunds and out of doubt.
func TestPaymentsOfThePanel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.user(t, 1, 100_00), w.user(t, 2, 0)
	var p, shown, refund, doubt api.Payment
	w.decode(t, w.post("payments", "p", `{"user":"`+alice+`","amount":"40"}`), 202, &p)
	w.drive(t)
	w.decode(t, call(w, "GET", "/v1/payments/"+p.ID, "Bearer admin", "", ""), 200, &shown)
	if shown.State != "confirmed" || len(shown.History) != 3 || shown.History[2].Verdict != "accepted" || shown.Num != p.Num {
		t.Errorf("shown: %+v", shown)
	}
	if r := call(w, "GET", "/v1/payments/"+p.ID+"?user="+bob, "Bearer admin", "", ""); r.StatusCode != 404 {
		t.Errorf("as somebody else's: %d", r.StatusCode)
	}
	for body, says := range map[string]string{
		`{"user":"` + bob + `"}`:                       `"location":"body.user"`,
		`{"user":"` + alice + `","amount":"40.01"}`:    `"location":"body.amount"`,
		`{"user":"` + alice + `","currency":"USD"}`:    `"location":"body.currency"`,
		`{"user":"` + alice + `","amount":"-5"}`:       `"location":"body.amount"`,
		`{"user":"` + alice + `","payment":"` + "7\"}": `"location":"body.payment"`,
	} {
		r := w.post("payments/"+p.ID+"/refunds", "bad "+body[:12]+says, body)
		if got := text(t, r); r.StatusCode != 422 || !strings.Contains(got, says) {
			t.Errorf("refund %s: %d %s; want 422 with %s", body, r.StatusCode, got, says)
		}
	}
	w.decode(t, w.post(fmt.Sprintf("payments/%d/refunds", p.Num), "r1", `{"user":"`+alice+`","amount":"15.5"}`), 202, &refund)
	if refund.Kind != "refund" || refund.RefundOf != p.Num || refund.Amount != "15.50" {
		t.Errorf("refund: %+v", refund)
	}
	if r := w.post("payments/"+p.ID+"/refunds", "r2", `{"user":"`+alice+`","amount":"24.51"}`); r.StatusCode != 422 || !strings.Contains(text(t, r), "left of the payment") {
		t.Errorf("more than is left: %d", r.StatusCode)
	}
	w.drive(t)
	if r := w.post("payments/"+refund.ID+"/refunds", "r3", `{"user":"`+alice+`"}`); r.StatusCode != 422 || !strings.Contains(text(t, r), "is a refund itself") {
		t.Errorf("a refund of a refund: %d", r.StatusCode)
	}

	w.decode(t, w.post("payments", "d", `{"user":"`+alice+`","amount":"20"}`), 202, &doubt)
	if r := w.post("payments/"+doubt.ID+"/refunds", "r4", `{"user":"`+alice+`"}`); r.StatusCode != 422 || !strings.Contains(text(t, r), "is received") {
		t.Errorf("a refund of what is not confirmed: %d", r.StatusCode)
	}
	w.verdict.Store(adapter.Unknown)
	w.drive(t)
	w.clock.Advance(time.Hour)
	w.verdict.Store(adapter.Refused)
	w.drive(t)
	if r := w.post("payments/"+p.ID+"/resolve", "x1", `{"outcome":"declined","reason":"x"}`); r.StatusCode != 409 || !strings.Contains(text(t, r), api.ProblemNotInDoubt) {
		t.Errorf("resolve what is confirmed: %d", r.StatusCode)
	}
	for range 2 {
		w.decode(t, w.post("payments/"+doubt.ID+"/resolve", "x2", `{"outcome":"declined","reason":"the platform's books have no such payment"}`), 200, &doubt)
	}
	if doubt.State != "declined" || !strings.Contains(doubt.Reason, "panel of admin") {
		t.Errorf("resolved: %+v", doubt)
	}
	if b, err := w.Balance(t.Context(), alice); err != nil || b.Available.Text() != "75.50" || !b.Reserved.IsZero() {
		t.Errorf("balance %v, %v", b, err)
	}
	w.clean(t)
}

func (w *world) decode(t testing.TB, r *http.Response, status int, into any) {
	t.Helper()
	body := text(t, r)
	if r.StatusCode != status {
		t.Fatalf("%d %s; want %d", r.StatusCode, body, status)
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}

// Pages hold every row once, in order, whatever is added while somebody turns them.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.user(t, 1, 1000_00)
	const rows = 23
	for i := range rows {
		w.clock.Advance(time.Minute)
		w.post("payments", fmt.Sprint("p", i), `{"user":"`+alice+`","amount":"1"}`)
		w.post("accounts/"+alice+"/deposits", fmt.Sprint("d", i), `{"amount":"1"}`)
		w.user(t, 100+i, 0)
	}
	walk := func(path, cursor string, page func(body string) (ids []string, next string)) (all []string) {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		at := ""
		for turn := 0; ; turn++ {
			r := call(w, "GET", "/v1/"+path+sep+"limit=5"+at, "Bearer admin", "", "")
			ids, next := page(text(t, r))
			all = append(all, ids...)
			if next == "" || turn > rows {
				return all
			}
			at = "&" + cursor + "=" + next
			w.post("payments", fmt.Sprint(path, turn), `{"user":"`+alice+`","amount":"2"}`) // in the midst of it
		}
	}
	payments := func(body string) (ids []string, next string) {
		var list struct {
			Payments []api.Payment
			Next     int64
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Payments {
			ids = append(ids, fmt.Sprint(p.Num))
		}
		if list.Next != 0 {
			next = fmt.Sprint(list.Next)
		}
		return ids, next
	}
	falling := func(name string, ids []string, want int) {
		t.Helper()
		if len(ids) != want {
			t.Errorf("%s: %d rows, want %d", name, len(ids), want)
		}
		for i := 1; i < len(ids); i++ {
			var a, b int
			_, _ = fmt.Sscan(ids[i-1], &a)
			_, _ = fmt.Sscan(ids[i], &b)
			if a <= b {
				t.Errorf("%s: %d before %d", name, a, b)
			}
		}
	}
	falling("payments", walk("payments", "before", payments), rows)
	from, to := w.clock.Now().Add(-9*time.Minute), w.clock.Now().Add(-4*time.Minute)
	falling("payments of five minutes", walk("payments?kind=direct&state=received&user="+alice+"&from="+from.Format(time.RFC3339Nano)+"&to="+to.Format(time.RFC3339Nano), "before", payments), 5)
	falling("statement", walk("accounts/"+alice+"/statement", "before", func(body string) (ids []string, next string) {
		var list struct {
			Transfers []api.Transfer
			Next      int64
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		for _, x := range list.Transfers {
			ids = append(ids, fmt.Sprint(x.Num))
		}
		if list.Next != 0 {
			next = fmt.Sprint(list.Next)
		}
		return ids, next
	}), rows+1)
	hashes := walk("users", "after", func(body string) (ids []string, next string) {
		var list struct {
			Users []api.User
			Next  string
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		for _, u := range list.Users {
			ids = append(ids, u.Hash)
		}
		return ids, list.Next
	})
	if len(hashes) != rows+1 {
		t.Errorf("users: %d, want %d", len(hashes), rows+1)
	}
}

func TestUsersOfThePanel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.user(t, 1, 5_00), w.user(t, 2, 0)
	for _, tt := range []struct{ verb, path, body, want string }{
		{"GET", "users/" + alice, "", `{"hash":"` + alice + `","login":"user1","created_at":"2026-05-04T03:02:01.987Z","account":{"user":"` + alice + `","available":"5.00","reserved":"0.00","currency":"RUB"},` +
			`"platform":{"balance":"12.5","status":"run","unread":2,"lasts_until":"2026-05-04T03:02:01.987Z"}}`},
		{"GET", "users/" + alice + "?live=false", "", `{"hash":"` + alice + `","login":"user1","created_at":"2026-05-04T03:02:01.987Z","account":{"user":"` + alice + `","available":"5.00","reserved":"0.00","currency":"RUB"}}`},
		{"GET", "users/" + bob, "", `"platform_error":"getUserData: the platform did not answer"`},
		{"GET", "users?login=user2", "", `{"users":[{"hash":"` + bob + `","login":"user2","created_at":"2026-05-04T03:02:01.987Z"}]}`},
		{"GET", "messages", "", `{"messages":[{"id":"17","login":"user1","type":"welcome","title":"T","text":"<b>x</b>","template_id":"1","title_template":"","text_template":""}]}`},
		{"GET", "users/" + bob + "/messages", "", api.ProblemUnanswered},
		{"GET", "messages/templates", "", `{"templates":[{"template_id":"1","title_template":"T","text_template":"x"}]}`},
		{"POST", "messages/read", `{"ids":["17","18"]}`, `{"marked":2}`},
		{"POST", "users/" + alice + "/login-link", `{"r":"go/payment"}`, `{"url":"https://platform.example/?r=go/payment","embed":"<iframe>"}`},
		{"POST", "users/" + alice + "/login-link", "", `{"url":"https://platform.example/?r=","embed":"<iframe>"}`},
		{"POST", "users/" + alice + "/archive", "", `"last_billing_date":"2026-05-05"`},
		{"GET", "users?archived=true", "", `"archived_at":"2026-05-04T03:02:01.987Z"}]}`},
		{"POST", "users/" + alice + "/login-link", "", api.ProblemArchived},
		{"POST", "payments", `{"user":"` + alice + `","amount":"1"}`, api.ProblemArchived},
		{"POST", "accounts/" + alice + "/withdrawals", `{"amount":"5"}`, `"available":"0.00"`},
		{"POST", "users/" + alice + "/unarchive", "", `{"hash":"` + alice + `","login":"user1","created_at":"2026-05-04T03:02:01.987Z"}`},
		{"GET", "users?archived=true", "", `{"users":[]}`},
	} {
		r := call(w, tt.verb, "/v1/"+tt.path, "Bearer admin", "key of "+tt.verb+tt.path+fmt.Sprint(len(tt.body)), tt.body)
		if got := text(t, r); !strings.Contains(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(got), tt.want) {
			t.Errorf("%s %s: %d %s\nwant %s", tt.verb, tt.path, r.StatusCode, got, tt.want)
		}
	}
}

func TestStatementCSV(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.user(t, 1, 5_00)
	w.post("accounts/"+alice+"/deposits", "=k", `{"amount":"1.5","note":"=HYPERLINK(\"x\")"}`)
	w.post("accounts/"+alice+"/deposits", "k2", `{"amount":"2","note":"a, \"b\""}`)
	r := call(w, "GET", "/v1/accounts/"+alice+"/statement.csv?limit=2", "Bearer admin", "", "")
	const want = "num,at,move,debit,credit,amount,available_after,reserved_after,payment,payin,key,note\n" +
		"3,2026-05-04T03:02:01.987Z,deposit,external,user:available,2.00,8.50,0.00,,,k2,\"a, \"\"b\"\"\"\n" +
		"2,2026-05-04T03:02:01.987Z,deposit,external,user:available,1.50,6.50,0.00,,,'=k,\"'=HYPERLINK(\"\"x\"\")\""
	if got := text(t, r); got != want || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/csv; charset=utf-8") {
		t.Errorf("%s\n%s\nwant %s", r.Header.Get("Content-Type"), got, want)
	}
	if link := r.Header.Get("Link"); link != "</v1/accounts/"+alice+`/statement.csv?before=2&limit=2>; rel="next"` {
		t.Errorf("Link %s", link)
	}
	if !bytes.Contains([]byte(r.Header.Get("Content-Disposition")), []byte("statement-"+alice+".csv")) {
		t.Errorf("Content-Disposition %s", r.Header.Get("Content-Disposition"))
	}
}
