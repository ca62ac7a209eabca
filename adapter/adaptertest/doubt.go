package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

// doubtful brings a payment of the fixture's user into doubt.
func (f *fixture) doubtful(t *testing.T, kopecks int64) adapter.Payment {
	t.Helper()
	p := f.decide(t, f.accept(t, kopecks))
	p = f.answer(t, p, adapter.Unknown)
	p = f.answer(t, p, adapter.Refused)
	if p.State != adapter.InDoubt {
		t.Fatalf("payment is %s", p.State)
	}
	return p
}

// A decision moves the money with the state, once, and stays in the history with its remarks.
func testResolve(t *testing.T, f *fixture) {
	yes := adapter.Resolution{Confirm: true, Reason: "seen in the panel", By: "Anna"}
	no := adapter.Resolution{Reason: "not there", By: "Boris"}
	first, second := f.doubtful(t, 400_00), f.doubtful(t, 100_00)
	f.has(t, 500, 500)

	if err := f.Remark(t.Context(), adapter.Event{Payment: first.Num, At: f.clock.Now(), Kind: adapter.EventEvidence, Detail: "nothing is proven"}); err != nil {
		t.Fatal(err)
	}
	st, err := first.Resolved(yes, Policy, f.clock.Now())
	after := f.apply(t, st, err)
	f.has(t, 500, 100)
	if stored, err := f.PaymentByNum(t.Context(), first.Num); err != nil || stored != after || stored.State != adapter.Confirmed || stored.Reason != "" {
		t.Errorf("stored as %+v, %v", stored, err)
	}
	history, err := f.History(t.Context(), first.Num)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "history", kinds(history), []string{"0.0 received", "1.0 reserved", "2.0 retry", "3.0 in_doubt", "3.1 evidence", "4.0 resolved"})
	if last := history[len(history)-1]; last.Detail != "confirmed by Anna: seen in the panel" {
		t.Errorf("the decision reads %q", last.Detail)
	}

	// Who saw the payment before it was decided comes too late.
	st, err = first.Resolved(no, Policy, f.clock.Now())
	if err == nil {
		_, err = f.Apply(t.Context(), st)
	}
	wantErr(t, err, adapter.ErrLost)
	f.has(t, 500, 100)

	st, err = second.Resolved(no, Policy, f.clock.Now())
	f.apply(t, st, err)
	f.has(t, 600, 0)
	wantErr(t, f.Remark(t.Context(), adapter.Event{Payment: 1 << 40, At: f.clock.Now(), Kind: adapter.EventEvidence}), adapter.ErrNotFound)
	f.clean(t)
}

// Of people who decide at once, one does. Each has a moment of his own: a step that equals the
// stored one to the microsecond counts as that very step, whose answer got lost.
func testResolveConcurrently(t *testing.T, f *fixture) {
	p := f.doubtful(t, 400_00)
	const people = 8
	errs := make([]error, people)
	all(people, func(i int) {
		st, err := p.Resolved(adapter.Resolution{Confirm: i%2 == 0, Reason: "seen", By: fmt.Sprint("person ", i)}, Policy, f.clock.Now().Add(time.Duration(i)*time.Microsecond))
		if err == nil {
			_, err = f.Apply(t.Context(), st)
		}
		errs[i] = err
	})
	decided := 0
	for _, err := range errs {
		switch {
		case err == nil:
			decided++
		case !errors.Is(err, adapter.ErrLost):
			t.Error(err)
		}
	}
	if decided != 1 {
		t.Errorf("%d people decided", decided)
	}
	f.clean(t)
}

// Of a user's payments those are listed that can have been carried out between two moments.
func testUserPayments(t *testing.T, f *fixture) {
	begin := f.clock.Now()
	old := f.confirmed(t, 1_00)
	f.clock.Advance(24 * time.Hour)
	waiting := f.decide(t, f.accept(t, 2_00)) // unfinished: it may be carried out at any time
	from := f.clock.Advance(24 * time.Hour)
	recent := f.confirmed(t, 3_00)
	doubt := f.doubtful(t, 4_00)
	to := f.clock.Advance(time.Hour)
	f.confirmed(t, 5_00)
	other := AddUser(t, f.Store, 2, 0)
	if _, _, err := f.Accept(t.Context(), TopUp(t, other, 6_00, f.clock.Now())); err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		name     string
		from, to time.Time
		want     []adapter.Payment
	}{
		{"the second day", from, to, []adapter.Payment{waiting, recent, doubt}},
		{"all but the last", begin, to, []adapter.Payment{old, waiting, recent, doubt}},
		{"before", begin.Add(-time.Hour), begin, nil},
	} {
		got, err := f.UserPayments(t.Context(), f.user, tt.from, tt.to)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, tt.name, got, tt.want)
	}
	inDoubt, err := f.InDoubt(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "in doubt", inDoubt, []adapter.Payment{doubt})
}

// Of two who would run something, one does, also when they are two processes.
func testExclusive(t *testing.T, f *fixture) {
	other := f.Store
	if strings.HasPrefix(f.database, "postgres") {
		other = Open(t, f.database, nil)
	}
	broken := errors.New("broken")
	ran, err := f.Exclusive(t.Context(), "work", func(ctx context.Context) error {
		if ran, err := other.Exclusive(ctx, "work", func(context.Context) error { return nil }); ran || err != nil {
			t.Errorf("beside it the same ran: %t, %v", ran, err)
		}
		if ran, err := other.Exclusive(ctx, "other work", func(context.Context) error { return nil }); !ran || err != nil {
			t.Errorf("beside it something else ran: %t, %v", ran, err)
		}
		return broken
	})
	if !ran || !errors.Is(err, broken) {
		t.Errorf("it ran: %t, %v", ran, err)
	}
	if ran, err := other.Exclusive(t.Context(), "work", func(context.Context) error { return nil }); !ran || err != nil {
		t.Errorf("after it the same ran: %t, %v", ran, err)
	}
}

// Users are active between two moments if a payment of theirs can have been carried out then.
func testActiveUsers(t *testing.T, f *fixture) {
	const many = 40
	begin := f.clock.Now()
	var users []string
	for i := range many { // one a day, in the order of days
		user := AddUser(t, f.Store, 100+i, 10_00)
		users = append(users, user)
		if _, _, err := f.Accept(t.Context(), TopUp(t, user, 1_00, f.clock.Now())); err != nil {
			t.Fatal(err)
		}
		due, err := f.Claim(t.Context(), 1)
		if err != nil || len(due) != 1 {
			t.Fatalf("claimed %d, %v", len(due), err)
		}
		if p := f.answer(t, f.decide(t, due[0]), adapter.Accepted); p.State != adapter.Confirmed {
			t.Fatalf("it is %s", p.State)
		}
		f.clock.Advance(24 * time.Hour)
	}
	onDay := func(n int) time.Time { return begin.Add(time.Duration(n) * 24 * time.Hour) }
	for _, tt := range []struct{ from, to int }{{0, 1}, {10, 11}, {10, 13}, {39, 41}, {20, 20}} {
		got, err := f.ActiveUsers(t.Context(), onDay(tt.from).Add(-time.Minute), onDay(tt.to).Add(-time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		want = append(want, users[tt.from:min(tt.to, many)]...)
		equal(t, fmt.Sprint("active on days ", tt), got, want)
	}

	waiting := f.accept(t, 1_00) // unfinished: active until it is carried out, whenever that is
	got, err := f.ActiveUsers(t.Context(), onDay(90), onDay(91))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "active with a payment that waits", got, []string{waiting.User})
}

// Comparisons are kept once for each user and date, and listed by date and user.
func testReconciliations(t *testing.T, f *fixture) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	save := func(date, user int, result adapter.ReconcileResult) adapter.Reconciliation {
		r := adapter.Reconciliation{
			Date: day(date), User: Hash(user), Result: result, At: f.clock.Now(), Open: 2, Text: "so",
			Credits: RUB(300), Refunds: RUB(10), Income: RUB(250), Outcome: RUB(-70), Difference: RUB(-50), Payments: []int64{1, 22, 333},
		}
		if err := f.SaveReconciliation(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	save(3, 1, adapter.ReconcileUnread)
	a := save(3, 1, adapter.ReconcileDiffers) // in the place of the one before
	b := save(3, 2, adapter.ReconcileAgrees)
	c := save(4, 2, adapter.ReconcileUnread)
	d := save(5, 1, adapter.ReconcileDiffers)
	for _, tt := range []struct {
		name   string
		filter adapter.ReconciliationFilter
		want   []adapter.Reconciliation
	}{
		{"all", adapter.ReconciliationFilter{}, []adapter.Reconciliation{d, c, a, b}},
		{"a user's", adapter.ReconciliationFilter{User: Hash(2)}, []adapter.Reconciliation{c, b}},
		{"of two dates", adapter.ReconciliationFilter{From: day(3), To: day(4)}, []adapter.Reconciliation{c, a, b}},
		{"what differs", adapter.ReconciliationFilter{Result: adapter.ReconcileDiffers}, []adapter.Reconciliation{d, a}},
		{"what nobody knows", adapter.ReconciliationFilter{Result: "fine"}, nil},
		{"the first", adapter.ReconciliationFilter{Limit: 1}, []adapter.Reconciliation{d}},
		{"those after it", adapter.ReconciliationFilter{Date: day(5), After: Hash(1)}, []adapter.Reconciliation{c, a, b}},
		{"the last", adapter.ReconciliationFilter{Date: day(3), After: Hash(1)}, []adapter.Reconciliation{b}},
	} {
		got, err := f.Reconciliations(t.Context(), tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, tt.name, got, tt.want)
	}

	for _, r := range []adapter.ReconcileRun{{Date: day(4), Users: 9}, {Date: day(2), At: f.clock.Now(), Users: 1}, {Date: day(4), At: f.clock.Now(), Users: 3, Agree: 1, Differ: 1, Unread: 1}} {
		if err := f.SaveReconcileRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	last, first := adapter.ReconcileRun{Date: day(4), At: f.clock.Now(), Users: 3, Agree: 1, Differ: 1, Unread: 1}, adapter.ReconcileRun{Date: day(2), At: f.clock.Now(), Users: 1}
	for _, tt := range []struct {
		name   string
		filter adapter.ReconcileRunFilter
		want   []adapter.ReconcileRun
	}{
		{"all runs", adapter.ReconcileRunFilter{}, []adapter.ReconcileRun{last, first}},
		{"runs of some dates", adapter.ReconcileRunFilter{From: day(3), To: day(9)}, []adapter.ReconcileRun{last}},
		{"the last run", adapter.ReconcileRunFilter{Limit: 1}, []adapter.ReconcileRun{last}},
		{"runs before it", adapter.ReconcileRunFilter{To: day(3)}, []adapter.ReconcileRun{first}},
	} {
		got, err := f.ReconcileRuns(t.Context(), tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, tt.name, got, tt.want)
	}
}
