package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/store"
)

// The statement of an old day is not walked to from the newest transfer: it is there although
// nobody knows which that is.
func TestOldStatementsAreNotWalkedTo(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(testing.TB) string{"SQLite": adaptertest.SQLite, "PostgreSQL": adaptertest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, clock := database(t), adaptertest.NewClock()
			s := adaptertest.Open(t, url, func(c *store.Config) { c.Now = clock.Now })
			saver, payer := adaptertest.AddUser(t, s, 1, 0), adaptertest.AddUser(t, s, 2, 0)
			deposit := func(user, key string) {
				if _, err := s.Deposit(t.Context(), user, adaptertest.RUB(100_00), key, key+user); err != nil {
					t.Fatal(err)
				}
			}
			began := clock.Now()
			for _, user := range []string{saver, payer} {
				deposit(user, "first")
				deposit(user, "second")
			}
			clock.Advance(48 * time.Hour)
			deposit(saver, "third")
			p, _, err := s.Accept(t.Context(), adaptertest.TopUp(t, payer, 5_00, clock.Now()))
			if err != nil {
				t.Fatal(err)
			}
			reserved, err := p.Decide(adaptertest.Policy, clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Apply(t.Context(), reserved); err != nil {
				t.Fatal(err)
			}
			if err := execSQL(t.Context(), url, `UPDATE balances SET last = 0`); err != nil {
				t.Fatal(err)
			}
			for user, who := range map[string]string{saver: "who deposits", payer: "who pays"} {
				list, err := s.Statement(t.Context(), user, ledger.StatementFilter{To: began.Add(24 * time.Hour)})
				var got []string
				for _, x := range list {
					got = append(got, x.Note)
				}
				if want := []string{"second", "first"}; err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: %q, %v; want %q", who, got, err, want)
				}
			}
		})
	}
}
