package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
)

// lines are the audit log, oldest first, without what every test has its own of.
func lines(t *testing.T, s *store.Store, f adapter.ActionFilter) (list []string) {
	t.Helper()
	actions, err := s.Actions(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range actions {
		list = append([]string{fmt.Sprintf("%s %s %s", a.What, a.Result, a.Detail)}, list...)
	}
	return list
}

func wantLines(t *testing.T, s *store.Store, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, lines(t, s, adapter.ActionFilter{})); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
}

func TestEveryActionHasItsLine(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		ctx, clock := t.Context(), adaptertest.NewClock()
		s := adaptertest.Open(t, database, func(c *store.Config) { c.Now = clock.Now })
		user := adaptertest.AddUser(t, s, 1, 100_00)
		act := func(what string, do func(context.Context) error) error {
			clock.Advance(time.Second)
			return s.Act(ctx, adapter.Action{Who: "alice", Via: adapter.ViaCLI, What: what, On: "user/" + user, Detail: "so"}, do)
		}
		deposit := func(ctx context.Context, kopecks int64, key string) error {
			_, err := s.Deposit(ctx, user, adaptertest.RUB(kopecks), "", key)
			return err
		}
		direct, err := adapter.NewDirect(user, adaptertest.RUB(10_00), "d1", clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		dearer := direct
		dearer.Amount = adaptertest.RUB(11_00)
		var stored adapter.Payment
		broken := errors.New("disk is full")
		for _, tt := range []struct {
			what string
			do   func(context.Context) error
			want error
		}{
			{"deposit", func(ctx context.Context) error { return deposit(ctx, 5_00, "k") }, nil},
			{"deposit again", func(ctx context.Context) error { return deposit(ctx, 5_00, "k") }, nil},
			{"deposit other", func(ctx context.Context) error { return deposit(ctx, 6_00, "k") }, adapter.ErrConflict},
			{"withdraw", func(ctx context.Context) error {
				_, err := s.Withdraw(ctx, user, adaptertest.RUB(1000_00), "", "w")
				return err
			}, adapter.ErrInsufficient},
			{"pay", func(ctx context.Context) (err error) {
				stored, _, err = s.Accept(ctx, direct)
				return err
			}, nil},
			{"pay again", func(ctx context.Context) error {
				_, first, err := s.Accept(ctx, direct)
				if first {
					t.Error("a repeat was first")
				}
				return err
			}, nil},
			{"pay more", func(ctx context.Context) error {
				_, _, err := s.Accept(ctx, dearer)
				return err
			}, adapter.ErrConflict},
			{"decide", func(ctx context.Context) error {
				st, err := stored.Decide(adaptertest.Policy, clock.Now())
				if err == nil {
					_, err = s.Apply(ctx, st)
				}
				return err
			}, nil},
			{"decide late", func(ctx context.Context) error {
				_, err := s.Apply(ctx, stored.Refuse(adapter.ReasonUnknownUser, adaptertest.Policy, clock.Now()))
				return err
			}, adapter.ErrLost},
			{"look", func(context.Context) error { return nil }, nil},
			{"break", func(context.Context) error { return broken }, broken},
			{"break later", func(ctx context.Context) error { return errors.Join(deposit(ctx, 1, "l"), broken) }, broken},
		} {
			if err := act(tt.what, tt.do); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v; want %v", tt.what, err, tt.want)
			}
		}
		got := lines(t, s, adapter.ActionFilter{})
		for i, line := range got {
			if line, _, cut := strings.Cut(line, ": "); cut && !strings.HasPrefix(line, "break") {
				got[i] = line + ": …"
			}
		}
		want := []string{
			"deposit done so", "deposit again done so", "deposit other refused so: …", "withdraw refused so: …",
			"pay done so", "pay again done so", "pay more refused so: …", "decide done so", "decide late refused so: …",
			"look done so", "break failed so: disk is full", "break later done so", "break later failed so: disk is full",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("audit log (-want +got):\n%s", diff)
		}
		for what, f := range map[string]adapter.ActionFilter{
			"look done so":    {What: "look"},
			"deposit done so": {From: clock.Now().Add(-11 * time.Second), To: clock.Now().Add(-10 * time.Second)},
			"break failed so: disk is full": {
				Who: "alice", Via: adapter.ViaCLI, On: "user/" + user, Before: 12, Limit: 1,
			},
		} {
			if diff := cmp.Diff([]string{what}, lines(t, s, f)); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", f, diff)
			}
		}
		for _, f := range []adapter.ActionFilter{{Who: "bob"}, {Via: "api"}, {On: "user"}} {
			if got := lines(t, s, f); got != nil {
				t.Errorf("%+v: %v", f, got)
			}
		}
		clean(t, s)
	})
}

// An effect without its line is worse than no effect: where the line cannot be written, nothing is.
func TestNoLineNoEffect(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		ctx := t.Context()
		s := adaptertest.Open(t, database, nil)
		user := adaptertest.AddUser(t, s, 1, 100_00)
		breakIt := `CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk is full'); END`
		if strings.HasPrefix(database, "postgres") {
			breakIt = `CREATE TRIGGER full_disk BEFORE INSERT ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('disk is full')`
		}
		if err := execSQL(ctx, database, breakIt); err != nil {
			t.Fatal(err)
		}
		err := s.Act(ctx, adapter.Action{Who: "alice", What: "deposit"}, func(ctx context.Context) error {
			_, err := s.Deposit(ctx, user, adaptertest.RUB(5_00), "", "k")
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("deposit: %v", err)
		}
		p := adaptertest.TopUp(t, user, 1, time.Now())
		err = s.Act(ctx, adapter.Action{Who: "alice", What: "accept"}, func(ctx context.Context) error {
			_, _, err := s.Accept(ctx, p)
			return err
		})
		if err == nil {
			t.Error("accepted")
		}
		if b, err := s.Balance(ctx, user); err != nil || b.Available != adaptertest.RUB(100_00) {
			t.Errorf("balance %v, %v; want it unchanged", b, err)
		}
		if _, err := s.Payment(ctx, p.Key); !errors.Is(err, adapter.ErrNotFound) {
			t.Errorf("payment: %v; want it not stored", err)
		}
		if _, err := s.Deposit(ctx, user, adaptertest.RUB(5_00), "", "k"); err != nil { // what no person asked for goes on
			t.Error(err)
		}
	})
}

func TestAuditLogIsAppendOnly(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		s := adaptertest.Open(t, database, nil)
		long := strings.Repeat("ж", 3000) + "\x00\xff"
		err := s.Act(t.Context(), adapter.Action{Who: long, What: "look", Detail: "token\x00"}, func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{`UPDATE audit SET who = 'bob'`, `DELETE FROM audit`} {
			if err := execSQL(t.Context(), database, query); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", query, err)
			}
		}
		wantLines(t, s, "look done token\uFFFD")
	})
}
