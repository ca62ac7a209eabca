package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/ledger"
)

func TestStatementBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.user(t, 1, 0)
	var noon []time.Time
	for _, key := range []string{"first", "second", "third", "fourth"} {
		noon = append(noon, w.clock.Now())
		if r := w.post("accounts/"+alice+"/deposits", key, `{"amount":"1"}`); r.StatusCode != http.StatusCreated {
			t.Fatal(text(t, r))
		}
		w.clock.Advance(24 * time.Hour)
	}
	get := func(path string, span url.Values) *http.Response {
		return call(w, "GET", "/v1/accounts/"+alice+"/"+path+"?"+span.Encode(), "Bearer admin", "", "")
	}
	between := url.Values{"from": {noon[1].Format(time.RFC3339Nano)}, "to": {noon[3].Format(time.RFC3339Nano)}}
	for _, path := range []string{"statement", "statement.csv"} {
		got := text(t, get(path, between))
		for key, want := range map[string]bool{"first": false, "second": true, "third": true, "fourth": false} {
			if strings.Contains(got, key) != want {
				t.Errorf("%s: %s is there: %v\n%s", path, key, !want, got)
			}
		}
		backwards := url.Values{"from": between["to"], "to": between["from"]}
		if r := get(path, backwards); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text(t, r), `"location":"query.to"`) {
			t.Errorf("%s, backwards: %d", path, r.StatusCode)
		}
		if r := get(path, url.Values{"from": {"yesterday"}}); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text(t, r), `"location":"query.from"`) {
			t.Errorf("%s, from yesterday: %d", path, r.StatusCode)
		}
	}

	// The next page is of the same span.
	between.Set("limit", "1")
	link := get("statement.csv", between).Header.Get("Link")
	next, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	rest := text(t, call(w, "GET", next, "Bearer admin", "", ""))
	if !strings.Contains(rest, "second") || strings.Contains(rest, "first") || strings.Contains(rest, "third") {
		t.Errorf("after %s:\n%s", link, rest)
	}
}

// billed is a partner's billing that knows one user.
type billed struct {
	user string
	down atomic.Bool
}

func (b *billed) Balance(_ context.Context, user string) (ledger.Balance, error) {
	switch {
	case b.down.Load():
		return ledger.Balance{}, errors.New("connection refused by 10.0.0.7")
	case user != b.user:
		return ledger.Balance{}, adapter.ErrNotFound
	}
	return ledger.Balance{Available: adaptertest.RUB(12_50), Reserved: adaptertest.RUB(3_00)}, nil
}

// Where the partner's billing keeps the funds, its balance is passed on, and what is not here says so.
func TestBillingKeepsFunds(t *testing.T) {
	t.Parallel()
	var b billed
	w := newWorld(t, func(c *api.Config) { c.Balances, c.Ledger = &b, nil })
	alice, bob := w.user(t, 1, 0), w.user(t, 2, 0)
	b.user = alice
	wants := func(verb, path string, status int, says ...string) {
		t.Helper()
		body := ""
		if verb == "POST" {
			body = `{"amount":"1"}`
		}
		r := call(w, verb, "/v1/"+path, "Bearer admin", "key of "+path, body)
		got := text(t, r)
		if r.StatusCode != status || strings.Contains(got, "10.0.0.7") {
			t.Errorf("%s %s: %d %s; want %d", verb, path, r.StatusCode, got, status)
		}
		for _, word := range says {
			if !strings.Contains(got, word) {
				t.Errorf("%s %s: no %s in %s", verb, path, word, got)
			}
		}
	}
	wants("GET", "accounts/"+alice, 200, `"available":"12.50"`, `"reserved":"3.00"`)
	wants("GET", "accounts/"+bob, 404, "knows no user")
	for _, path := range []string{"statement", "statement.csv"} {
		wants("GET", "accounts/"+alice+"/"+path, 404, api.ProblemKeptElsewhere, "billing keeps the funds")
	}
	for _, path := range []string{"deposits", "withdrawals"} {
		wants("POST", "accounts/"+alice+"/"+path, 404, api.ProblemKeptElsewhere, "billing keeps the funds")
	}
	wants("GET", "users/"+alice+"?live=false", 200, `"available":"12.50"`)
	wants("GET", "users/"+bob+"?live=false", 200, `"account_error":"the billing, which keeps the funds, knows no user`)
	b.down.Store(true)
	wants("GET", "accounts/"+alice, 502, api.ProblemBillingUnanswered)
	wants("GET", "users/"+alice+"?live=false", 200, `"account_error":"the billing, which keeps the funds, did not say`)
	w.clean(t)
}
