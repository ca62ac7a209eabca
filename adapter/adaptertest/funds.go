package adaptertest

import (
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/store"
)

// Funds change hands only when no payment is under way, and by a process that serves alone.
func testFunds(t *testing.T, f *fixture) {
	reopen := func(funds store.Funds, serve bool) (*store.Store, error) {
		return store.Open(t.Context(), store.Config{Database: f.database, Policy: Policy, Funds: funds, Serve: serve, Now: f.clock.Now})
	}
	refused := func(what string, funds store.Funds, serve bool, want error) {
		t.Helper()
		s, err := reopen(funds, serve)
		if err == nil {
			t.Errorf("%s: it opened", what)
			_ = s.Close()
			return
		}
		wantErr(t, err, want)
	}
	p := f.doubtful(t, 100_00)
	refused("a command with other funds", store.Billing, false, store.ErrFunds)
	refused("a service with other funds, one payment in doubt", store.Billing, true, store.ErrFunds)
	refused("funds that do not exist", "mattress", true, adapter.ErrInvalid)

	st, err := p.Resolved(adapter.Resolution{Reason: "no", By: "Anna"}, Policy, f.clock.Now())
	f.apply(t, st, err)
	waiting := f.accept(t, 1_00)
	refused("one payment waiting", store.Billing, true, store.ErrFunds)
	waiting = f.decide(t, waiting)
	f.answer(t, waiting, adapter.Accepted)

	s, err := reopen(store.Billing, true)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := f.Funds(t.Context()); now != store.Billing || err != nil {
		t.Errorf("funds are in the %s, %v", now, err)
	}
	if strings.HasPrefix(f.database, "postgres") {
		refused("another replica with other funds", store.Ledger, true, store.ErrFunds)
	}
	for _, funds := range []store.Funds{"", store.Billing} { // a command that agrees, or does not mind
		other, err := reopen(funds, false)
		if err == nil {
			err = other.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = reopen(store.Ledger, true); err != nil {
		t.Fatal("back again:", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f.clean(t)
}
