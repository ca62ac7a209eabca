package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/contract/money"
)

// StoreSuite judges the store on the engine that database gives fresh databases of. What
// only one engine has (crashes, dead processes) is tested beside the store.
func StoreSuite(t *testing.T, database func(testing.TB) string) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"accept":                 testAccept,
		"accept what is no good": testAcceptInvalid,
		"accept at once":         testAcceptConcurrently,
		"refund":                 testRefund,
		"refund at once":         testRefundConcurrently,
		"pay":                    testPay,
		"short of funds":         testShort,
		"decline":                testDecline,
		"resolve":                testResolve,
		"resolve at once":        testResolveConcurrently,
		"user's payments":        testUserPayments,
		"exclusive":              testExclusive,
		"funds":                  testFunds,
		"active users":           testActiveUsers,
		"reconciliations":        testReconciliations,
		"lose":                   testLost,
		"lose at once":           testLostConcurrently,
		"spend at once":          testSpendConcurrently,
		"neighbours":             testNeighbours,
		"claim":                  testClaim,
		"claim at once":          testClaimConcurrently,
		"wake":                   testWake,
		"list":                   testList,
		"users":                  testUsers,
		"users at once":          testAddUsers,
		"archive":                testArchive,
		"seal anew":              testSealAnew,
		"requests":               testRequests,
		"requests at once":       testRequestsConcurrently,
		"requests done":          testRequestsDone,
		"tokens":                 testTokens,
		"deposit":                testDeposit,
		"deposit at once":        testDepositConcurrently,
		"statement":              testStatement,
		"statement between":      testStatementBetween,
		"texts":                  testTexts,
		"overload":               testOverload,
		"hang up and close":      testClose,
		"reopen":                 testReopen,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, database(t)))
		})
	}
}

// fixture is a store with a clock and one user, who has 1,000.00.
type fixture struct {
	*store.Store
	database string
	clock    *Clock
	user     string
}

func newFixture(t *testing.T, database string) *fixture {
	f := &fixture{database: database, clock: NewClock()}
	f.Store = Open(t, database, func(c *store.Config) { c.Now = f.clock.Now })
	f.user = AddUser(t, f.Store, 1, 1000_00)
	return f
}

// accept stores a payment of the fixture's user that this process holds.
func (f *fixture) accept(t *testing.T, kopecks int64) adapter.Payment {
	t.Helper()
	p := TopUp(t, f.user, kopecks, f.clock.Now())
	p.Owner, p.NextAt = f.Owner(), f.clock.Now().Add(Policy.Lease)
	stored, first, err := f.Accept(t.Context(), p)
	if err != nil || !first {
		t.Fatalf("Accept = first %v, %v", first, err)
	}
	return stored
}

func (f *fixture) apply(t *testing.T, st adapter.Step, err error) adapter.Payment {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Apply(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *fixture) decide(t *testing.T, p adapter.Payment) adapter.Payment {
	t.Helper()
	st, err := p.Decide(Policy, f.clock.Now())
	return f.apply(t, st, err)
}

func (f *fixture) answer(t *testing.T, p adapter.Payment, v adapter.Verdict) adapter.Payment {
	t.Helper()
	st, err := p.Answered(adapter.Outcome{Verdict: v, Code: 7, Detail: "so", Took: time.Millisecond}, Policy, f.clock.Now())
	return f.apply(t, st, err)
}

// has checks what the user has, in whole roubles, and that the books are right.
func (f *fixture) has(t *testing.T, available, reserved int64) {
	t.Helper()
	got, err := f.Balance(t.Context(), f.user)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "balance", got, ledger.Balance{Available: RUB(available * 100), Reserved: RUB(reserved * 100)})
	f.clean(t)
}

func (f *fixture) clean(t *testing.T) {
	t.Helper()
	r, err := f.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Differences {
		t.Error("verify:", d)
	}
}

var exact = cmp.AllowUnexported(money.Amount{}, money.Currency{})

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, exact); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want %v", err, want)
	}
}

// all runs f(0) … f(n-1) at once and waits.
func all(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func kinds(history []adapter.Event) (list []string) {
	for _, e := range history {
		list = append(list, fmt.Sprintf("%d.%d %s", e.Version, e.N, e.Kind))
	}
	return list
}

func testAccept(t *testing.T, f *fixture) {
	ctx := t.Context()
	p := TopUp(t, f.user, 100_00, f.clock.Now())
	stored, first, err := f.Accept(ctx, p)
	if err != nil || !first || stored.Num == 0 {
		t.Fatalf("first: %+v, %v, %v", stored, first, err)
	}
	want := p
	want.Num = stored.Num
	equal(t, "stored", stored, want)

	f.clock.Advance(time.Minute)
	again, err := adapter.NewPayment(p.Key, p.Kind, p.User, p.Amount, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	got, first, err := f.Accept(ctx, again)
	if err != nil || first {
		t.Errorf("repeat: first %v, %v", first, err)
	}
	equal(t, "a repeat", got, want)

	for _, change := range []func(*adapter.Payment){
		func(p *adapter.Payment) { p.Amount = RUB(100_01) },
		func(p *adapter.Payment) { p.User = Hash(2) },
		func(p *adapter.Payment) { p.Kind = adapter.Direct },
	} {
		other := again
		change(&other)
		got, first, err := f.Accept(ctx, other)
		wantErr(t, err, adapter.ErrConflict)
		if first {
			t.Error("a conflict is first")
		}
		equal(t, "the payment in conflict", got, want)
	}
	if got, err := f.Payment(ctx, p.Key); err != nil {
		t.Error(err)
	} else {
		equal(t, "payment by key", got, want)
	}
	if got, err := f.PaymentByNum(ctx, want.Num); err != nil {
		t.Error(err)
	} else {
		equal(t, "payment by number", got, want)
	}
	history, err := f.History(ctx, want.Num)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "history", kinds(history), []string{"0.0 received", "0.1 conflict", "0.2 conflict", "0.3 conflict"})
	if got, want := history[1].Detail, "came again as topup of 100.01 RUB for user "+f.user; got != want {
		t.Errorf("remark = %q, want %q", got, want)
	}
	_, err = f.Payment(ctx, NewKey())
	wantErr(t, err, adapter.ErrNotFound)
	_, err = f.PaymentByNum(ctx, 1<<40)
	wantErr(t, err, adapter.ErrNotFound)
	_, err = f.History(ctx, 1<<40)
	wantErr(t, err, adapter.ErrNotFound)

	// The same id on another platform is another payment.
	p.Key.Platform = "elsewhere"
	if _, first, err := f.Accept(ctx, p); err != nil || !first {
		t.Errorf("another platform: first %v, %v", first, err)
	}
	f.has(t, 1000, 0)
}

func testAcceptInvalid(t *testing.T, f *fixture) {
	usd, err := money.NewCurrency("USD", 2)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*adapter.Payment){
		"numbered":       func(p *adapter.Payment) { p.Num = 7 },
		"decided":        func(p *adapter.Payment) { p.State = adapter.Reserved },
		"changed":        func(p *adapter.Payment) { p.Version = 1 },
		"dollars":        func(p *adapter.Payment) { p.Amount = money.New(1, usd) },
		"never due":      func(p *adapter.Payment) { p.NextAt = time.Time{} },
		"refund of none": func(p *adapter.Payment) { p.Kind = adapter.Refund },
		"half a refund":  func(p *adapter.Payment) { p.RefundOf = 1 },
	} {
		p := TopUp(t, f.user, 1, f.clock.Now())
		change(&p)
		if _, first, err := f.Accept(t.Context(), p); first || !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("%s: first %v, %v; want %v", name, first, err, adapter.ErrInvalid)
		}
	}
	if list, err := f.Payments(t.Context(), adapter.PaymentFilter{}); err != nil || len(list) != 0 {
		t.Errorf("stored all the same: %v, %v", list, err)
	}
}

func testAcceptConcurrently(t *testing.T, f *fixture) {
	const n = 60
	keys := []adapter.Key{NewKey(), NewKey(), NewKey()}
	var firsts, conflicts [3]atomic.Int64
	all(n, func(i int) {
		p := TopUp(t, f.user, 100+int64(i/3%2), f.clock.Now())
		p.Key = keys[i%3]
		_, first, err := f.Accept(t.Context(), p)
		switch {
		case errors.Is(err, adapter.ErrConflict):
			conflicts[i%3].Add(1)
		case err != nil:
			t.Error(err)
		case first:
			firsts[i%3].Add(1)
		}
	})
	for i, key := range keys {
		p, err := f.Payment(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		history, err := f.History(t.Context(), p.Num)
		if err != nil {
			t.Fatal(err)
		}
		if got := firsts[i].Load(); got != 1 {
			t.Errorf("%d accepts were first, want 1", got)
		}
		if got := conflicts[i].Load(); got != n/3/2 || len(history) != 1+n/3/2 {
			t.Errorf("%d conflicts, %d events; want %d and as many and one", got, len(history), n/3/2)
		}
	}
}

func (f *fixture) confirmed(t *testing.T, kopecks int64) adapter.Payment {
	t.Helper()
	return f.answer(t, f.decide(t, f.accept(t, kopecks)), adapter.Accepted)
}

func (f *fixture) newRefund(t *testing.T, original adapter.Payment, kopecks int64) adapter.Payment {
	t.Helper()
	p, err := adapter.NewRefund(original, RUB(kopecks), NewKey().ID, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testRefund(t *testing.T, f *fixture) {
	ctx := t.Context()
	original := f.confirmed(t, 100_00)
	part := f.newRefund(t, original, 60_00)
	stored, first, err := f.Accept(ctx, part)
	if err != nil || !first {
		t.Fatal(first, err)
	}
	declined, first, err := f.Accept(ctx, f.newRefund(t, original, 40_00))
	if err != nil || !first {
		t.Fatal(first, err)
	}

	open := f.accept(t, 10_00)
	stranger := f.newRefund(t, original, 1)
	stranger.User = AddUser(t, f.Store, 2, 0)
	none := f.newRefund(t, original, 1)
	none.RefundOf = 1 << 40
	for name, p := range map[string]adapter.Payment{
		"more than is left":   f.newRefund(t, original, 1),
		"not yet confirmed":   f.newRefund(t, open, 1),
		"of a refund":         f.newRefund(t, stored, 1),
		"by another user":     stranger,
		"of no known payment": none,
	} {
		if _, _, err := f.Accept(ctx, p); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("%s: %v, want %v", name, err, adapter.ErrInvalid)
		}
	}
	if got, first, err := f.Accept(ctx, part); err != nil || first || got != stored {
		t.Errorf("repeat of a refund: %+v, first %v, %v", got, first, err)
	}
	other := part
	other.Amount = RUB(1)
	_, _, err = f.Accept(ctx, other)
	wantErr(t, err, adapter.ErrConflict)

	// A declined refund leaves its sum to others.
	f.answer(t, f.decide(t, declined), adapter.Refused)
	f.answer(t, f.decide(t, stored), adapter.Accepted)
	rest, first, err := f.Accept(ctx, f.newRefund(t, original, 40_00))
	if err != nil || !first {
		t.Fatal(first, err)
	}
	f.has(t, 960, 0)
	f.answer(t, f.decide(t, rest), adapter.Accepted)
	f.has(t, 1000, 0)
}

func testRefundConcurrently(t *testing.T, f *fixture) {
	original := f.confirmed(t, 100_00)
	var accepted atomic.Int64
	all(10, func(int) {
		_, first, err := f.Accept(t.Context(), f.newRefund(t, original, 30_00))
		if first {
			accepted.Add(1)
		} else if !errors.Is(err, adapter.ErrInvalid) {
			t.Error(err)
		}
	})
	if got := accepted.Load(); got != 3 {
		t.Errorf("%d refunds of 30 out of 100 were accepted, want 3", got)
	}
}

func testPay(t *testing.T, f *fixture) {
	p := f.decide(t, f.accept(t, 300_00))
	f.has(t, 700, 300)
	f.clock.Advance(time.Second)
	p = f.answer(t, p, adapter.Unknown)
	if p.State != adapter.Confirming || p.Owner != 0 {
		t.Errorf("after an unknown outcome: %+v", p)
	}
	f.has(t, 700, 300)
	f.clock.Advance(time.Second)
	claimed, err := f.Claim(t.Context(), 10)
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	p = f.answer(t, claimed[0], adapter.Accepted)
	f.has(t, 700, 0)
	if got, err := f.PaymentByNum(t.Context(), p.Num); err != nil {
		t.Error(err)
	} else {
		equal(t, "stored", got, p)
	}
	history, err := f.History(t.Context(), p.Num)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "history", kinds(history), []string{"0.0 received", "1.0 reserved", "2.0 retry", "4.0 confirmed"})
	equal(t, "last event", history[3], adapter.Event{
		Payment: p.Num, Version: 4, At: f.clock.Now(), Kind: adapter.EventConfirmed, From: adapter.Confirming, To: adapter.Confirmed,
		Attempt: 2, Verdict: adapter.Accepted, Code: 7, Detail: "so", Took: time.Millisecond,
	})
	r, err := f.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "accounts", r.Accounts, map[ledger.Account]money.Amount{
		ledger.External: RUB(-1000_00), ledger.Available: RUB(700_00), ledger.Reserved: RUB(0), ledger.Platform("integra"): RUB(300_00),
	})
}

func testShort(t *testing.T, f *fixture) {
	p := f.decide(t, f.accept(t, 1000_01))
	if p.State != adapter.Declining || p.Reason != adapter.ReasonNoFunds {
		t.Errorf("short of funds: %+v", p)
	}
	f.has(t, 1000, 0)

	// A user whom nobody registered has no account; neither has he funds.
	stranger := TopUp(t, Hash(99), 1, f.clock.Now())
	stored, _, err := f.Accept(t.Context(), stranger)
	if err != nil {
		t.Fatal(err)
	}
	if p := f.decide(t, stored); p.State != adapter.Declining {
		t.Errorf("a stranger's payment is %s", p.State)
	}

	// Without a Short the step is refused, and nothing of it is written.
	p = f.accept(t, 1000_01)
	st, err := p.Decide(Policy, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	st.Short = nil
	_, err = f.Apply(t.Context(), st)
	wantErr(t, err, adapter.ErrInsufficient)
	if got, err := f.PaymentByNum(t.Context(), p.Num); err != nil || got != p {
		t.Errorf("it was changed: %+v, %v", got, err)
	}
	f.has(t, 1000, 0)
}

func testDecline(t *testing.T, f *fixture) {
	p := f.decide(t, f.accept(t, 400_00))
	f.has(t, 600, 400)
	p = f.answer(t, p, adapter.Refused)
	f.has(t, 1000, 0)
	p = f.answer(t, p, adapter.Accepted)
	if p.State != adapter.Declined {
		t.Errorf("it is %s", p.State)
	}
	f.has(t, 1000, 0)

	// In doubt the money stays where it is.
	p = f.decide(t, f.accept(t, 400_00))
	p = f.answer(t, p, adapter.Unknown)
	p = f.answer(t, p, adapter.Refused)
	if p.State != adapter.InDoubt {
		t.Errorf("it is %s", p.State)
	}
	f.has(t, 600, 400)
}

func testLost(t *testing.T, f *fixture) {
	p := f.accept(t, 100_00)
	first, err := p.Decide(Policy, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	after := f.apply(t, first, nil)
	if again := f.apply(t, first, nil); again != after {
		t.Errorf("the same step again: %+v, want %+v", again, after)
	}
	f.has(t, 900, 100)

	f.clock.Advance(time.Second)
	second, err := p.Decide(Policy, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Apply(t.Context(), second)
	wantErr(t, err, adapter.ErrLost)
	f.answer(t, after, adapter.Accepted)
	_, err = f.Apply(t.Context(), first)
	wantErr(t, err, adapter.ErrLost)
	f.has(t, 900, 0)

	for name, change := range map[string]func(*adapter.Step){
		"a version left out": func(st *adapter.Step) { st.After.Version++ },
		"another payment":    func(st *adapter.Step) { st.After.Num++ },
		"nothing stored":     func(st *adapter.Step) { st.Before.Num, st.After.Num = 0, 0 },
	} {
		st := second
		change(&st)
		if _, err := f.Apply(t.Context(), st); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("%s: %v, want %v", name, err, adapter.ErrInvalid)
		}
	}
	unknown := second
	unknown.Before.Num, unknown.After.Num, unknown.Short, unknown.Event.Payment = 1<<40, 1<<40, nil, 1<<40
	_, err = f.Apply(t.Context(), unknown)
	wantErr(t, err, adapter.ErrNotFound)
}

func testLostConcurrently(t *testing.T, f *fixture) {
	for range 5 {
		p := f.accept(t, 10_00)
		var won atomic.Int64
		all(20, func(i int) {
			// Each would-be winner writes another moment, so that no two steps are the same.
			st, err := p.Decide(Policy, f.clock.Now().Add(time.Duration(i)*time.Microsecond))
			if err == nil {
				_, err = f.Apply(t.Context(), st)
			}
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, adapter.ErrLost):
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d of 20 steps were written, want 1", won.Load())
		}
	}
	f.has(t, 950, 50)
}

func testSpendConcurrently(t *testing.T, f *fixture) {
	const n, price = 40, 70_00 // the user can pay for 14
	payments := make([]adapter.Payment, n)
	for i := range payments {
		payments[i] = f.accept(t, price)
	}
	var reserved atomic.Int64
	all(n, func(i int) {
		st, err := payments[i].Decide(Policy, f.clock.Now())
		if err != nil {
			t.Error(err)
			return
		}
		p, err := f.Apply(t.Context(), st)
		if err != nil {
			t.Error(err)
		}
		if p.State == adapter.Reserved {
			reserved.Add(1)
		}
	})
	if got := reserved.Load(); got != 14 {
		t.Errorf("%d payments were reserved, want 14", got)
	}
	f.has(t, 20, 980)
}

func testNeighbours(t *testing.T, f *fixture) {
	const n = 30
	payments := make([]adapter.Payment, n)
	for i := range payments {
		payments[i] = f.accept(t, 1_00)
	}
	// All at once: every fifth step is one that the database refuses.
	all(n, func(i int) {
		st, err := payments[i].Decide(Policy, f.clock.Now())
		if err != nil {
			t.Error(err)
			return
		}
		if i%5 == 0 {
			st.After.State = "no such state"
		}
		_, err = f.Apply(t.Context(), st)
		switch {
		case i%5 != 0 && err != nil:
			t.Errorf("its neighbour's fault: %v", err)
		case i%5 == 0 && err == nil:
			t.Error("a state that does not exist was written")
		case i%5 == 0 && (errors.Is(err, adapter.ErrLost) || errors.Is(err, adapter.ErrInsufficient)):
			t.Errorf("a failure of the database reads as a business answer: %v", err)
		}
	})
	f.has(t, 1000-n+n/5, n-n/5)
}

func testClaim(t *testing.T, f *fixture) {
	ctx := t.Context()
	if got, err := f.Claim(ctx, 5); err != nil || len(got) != 0 {
		t.Fatalf("claim of nothing: %v, %v", got, err)
	}
	if _, ok, err := f.NextDue(ctx); err != nil || ok {
		t.Fatalf("due: %v, %v", ok, err)
	}
	held := f.accept(t, 1)
	free := TopUp(t, f.user, 2, f.clock.Now())
	if _, _, err := f.Accept(ctx, free); err != nil {
		t.Fatal(err)
	}
	later := TopUp(t, f.user, 3, f.clock.Now())
	later.NextAt = f.clock.Now().Add(time.Second)
	if _, _, err := f.Accept(ctx, later); err != nil {
		t.Fatal(err)
	}
	if at, ok, err := f.NextDue(ctx); err != nil || !ok || !at.Equal(f.clock.Now()) {
		t.Errorf("next due = %v, %v, %v; want now", at, ok, err)
	}
	claimed, err := f.Claim(ctx, 5)
	if err != nil || len(claimed) != 1 || claimed[0].Key != free.Key {
		t.Fatalf("claimed %v, %v; want the free and due one", claimed, err)
	}
	got := claimed[0]
	if got.Owner != f.Owner() || got.Version != 1 || !got.NextAt.Equal(f.clock.Now().Add(Policy.Lease)) || got.Attempt != 0 {
		t.Errorf("claimed: %+v", got)
	}
	history, err := f.History(ctx, got.Num)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "history of a payment taken up", kinds(history), []string{"0.0 received"})

	// A lease that ends: the payment is taken over, and may have been called for.
	held = f.decide(t, held)
	f.clock.Advance(Policy.Lease)
	claimed, err = f.Claim(ctx, 1)
	if err != nil || len(claimed) != 1 || claimed[0].Key != later.Key {
		t.Fatalf("claimed %v, %v; want the one that waits longest", claimed, err)
	}
	claimed, err = f.Claim(ctx, 5)
	if err != nil || len(claimed) != 2 {
		t.Fatal(claimed, err)
	}
	if claimed[0].Num != held.Num || claimed[0].State != adapter.Confirming || claimed[0].Attempt != 2 {
		t.Errorf("taken over: %+v", claimed[0])
	}
	if history, err = f.History(ctx, held.Num); err != nil {
		t.Fatal(err)
	}
	equal(t, "history of a payment taken over", kinds(history), []string{"0.0 received", "1.0 reserved", "2.0 taken_over"})
	st, err := held.Answered(adapter.Outcome{Verdict: adapter.Accepted}, Policy, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Apply(ctx, st)
	wantErr(t, err, adapter.ErrLost)

	freed := f.apply(t, claimed[1].Freed(f.clock.Now()), nil)
	if freed.Owner != 0 || !freed.NextAt.Equal(f.clock.Now()) {
		t.Errorf("freed: %+v", freed)
	}
	f.clean(t)
}

func testClaimConcurrently(t *testing.T, f *fixture) {
	const n = 100
	for range n {
		if _, _, err := f.Accept(t.Context(), TopUp(t, f.user, 1, f.clock.Now())); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	seen := make(map[int64]int)
	all(10, func(int) {
		for {
			got, err := f.Claim(t.Context(), 7)
			if err != nil {
				t.Error(err)
			}
			if len(got) == 0 {
				return
			}
			mu.Lock()
			for _, p := range got {
				seen[p.Num]++
			}
			mu.Unlock()
		}
	})
	for num, times := range seen {
		if times != 1 {
			t.Errorf("payment %d was claimed %d times", num, times)
		}
	}
	// A claimer may see nothing while the others write, so the last ones can be left.
	rest, err := f.Claim(t.Context(), n)
	if err != nil || len(seen)+len(rest) != n {
		t.Errorf("%d claimed at once, then %d, %v; want %d", len(seen), len(rest), err, n)
	}
}

func testWake(t *testing.T, f *fixture) {
	woken := func() bool {
		select {
		case <-f.Wake():
			return true
		default:
			return false
		}
	}
	f.accept(t, 1)
	if woken() {
		t.Error("woken for a payment that is held")
	}
	p, _, err := f.Accept(t.Context(), TopUp(t, f.user, 1, f.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	<-f.Wake()
	claimed, err := f.Claim(t.Context(), 1)
	if err != nil || len(claimed) != 1 || claimed[0].Num != p.Num {
		t.Fatal(claimed, err)
	}
	f.apply(t, claimed[0].Freed(f.clock.Now()), nil)
	<-f.Wake()
}

func testList(t *testing.T, f *fixture) {
	ctx := t.Context()
	other := AddUser(t, f.Store, 2, 500_00)
	var stored []adapter.Payment
	for i := range 40 {
		f.clock.Advance(time.Second)
		p := TopUp(t, f.user, int64(i+1), f.clock.Now())
		if i%3 == 0 {
			p.User = other
		}
		if i%4 == 0 {
			p.Kind = adapter.Direct
		}
		p, _, err := f.Accept(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			p = f.decide(t, p)
		}
		switch i % 8 {
		case 2:
			p = f.answer(t, p, adapter.Accepted)
		case 4:
			p = f.answer(t, f.answer(t, p, adapter.Unknown), adapter.Refused)
		case 6:
			p = f.answer(t, p, adapter.Refused)
			if p.State == adapter.Declining {
				p = f.answer(t, p, adapter.Refused)
			}
		}
		stored = append(stored, p)
	}
	slices.Reverse(stored)
	mid := stored[20].ReceivedAt
	filters := []adapter.PaymentFilter{
		{},
		{Limit: 7},
		{Before: stored[10].Num, Limit: 7},
		{User: f.user},
		{User: other, Limit: 4, Before: stored[5].Num},
		{User: other, States: []adapter.State{adapter.Declined, adapter.Received}},
		{User: Hash(77)},
		{From: mid},
		{To: mid, Limit: 3},
		{From: mid.Add(-5 * time.Second), To: mid},
		{Kinds: []adapter.Kind{adapter.Direct}},
		{Kinds: []adapter.Kind{adapter.Refund}},
		{States: []adapter.State{"no such state"}},
		{States: adapter.States, Limit: 9},
		{States: []adapter.State{adapter.Received, adapter.Declined, adapter.InDoubt, adapter.Declined}, Limit: 11, Before: stored[3].Num},
	}
	for _, st := range adapter.States {
		filters = append(filters, adapter.PaymentFilter{States: []adapter.State{st}}, adapter.PaymentFilter{States: []adapter.State{st}, User: f.user, Limit: 2})
	}
	for _, filter := range filters {
		got, err := f.Payments(ctx, filter)
		if err != nil {
			t.Fatal(err)
		}
		var want []adapter.Payment
		for _, p := range stored {
			limit := filter.Limit
			if limit == 0 {
				limit = 50
			}
			if len(want) < limit && (filter.User == "" || p.User == filter.User) &&
				(filter.States == nil || slices.Contains(filter.States, p.State)) &&
				(filter.Kinds == nil || slices.Contains(filter.Kinds, p.Kind)) &&
				(filter.Before == 0 || p.Num < filter.Before) &&
				(filter.From.IsZero() || !p.ReceivedAt.Before(filter.From)) &&
				(filter.To.IsZero() || p.ReceivedAt.Before(filter.To)) {
				want = append(want, p)
			}
		}
		equal(t, fmt.Sprintf("%+v", filter), got, want)
	}

	count := make(map[adapter.State]int64)
	var oldest time.Time
	for _, p := range stored {
		if !p.State.Final() {
			count[p.State]++
		}
		if !p.NextAt.IsZero() {
			oldest = p.ReceivedAt
		}
	}
	stats, err := f.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "stats", stats, store.Stats{Unfinished: count, Oldest: oldest})
	f.clean(t)
}

func testUsers(t *testing.T, f *fixture) {
	ctx := t.Context()
	u := adapter.User{Hash: Hash(7), Login: "anna", SealedKey: []byte{0, 1, 255}, CreatedAt: f.clock.Now(), ArchivedAt: f.clock.Now().Add(time.Hour)}
	if err := f.AddUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	got, err := f.User(ctx, u.Hash)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "user", got, u)
	wantErr(t, f.AddUser(ctx, u), adapter.ErrConflict)
	wantErr(t, f.AddUser(ctx, adapter.User{Hash: Hash(8), Login: "anna"}), adapter.ErrConflict)
	wantErr(t, f.AddUser(ctx, adapter.User{Hash: Hash(7), Login: "boris"}), adapter.ErrConflict)
	wantErr(t, f.AddUser(ctx, adapter.User{Hash: "short", Login: "boris"}), adapter.ErrInvalid)
	wantErr(t, f.AddUser(ctx, adapter.User{Hash: Hash(8)}), adapter.ErrInvalid)
	_, err = f.User(ctx, Hash(8))
	wantErr(t, err, adapter.ErrNotFound)
	_, err = f.Balance(ctx, Hash(8))
	wantErr(t, err, adapter.ErrNotFound)
	for i := 10; i < 15; i++ {
		AddUser(t, f.Store, i, 0)
	}
	var seen []string
	for after := ""; ; {
		list, err := f.Users(ctx, adapter.UserFilter{After: after, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, u := range list {
			seen = append(seen, u.Hash)
		}
		after = seen[len(seen)-1]
	}
	equal(t, "users", seen, []string{Hash(1), Hash(7), Hash(10), Hash(11), Hash(12), Hash(13), Hash(14)})
}

func testDeposit(t *testing.T, f *fixture) {
	ctx := t.Context()
	after := func(available int64) ledger.Balance {
		return ledger.Balance{Available: RUB(available * 100), Reserved: RUB(0)}
	}
	for range 2 {
		got, err := f.Deposit(ctx, f.user, RUB(50_00), "cash", "d1")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "deposit", got, after(1050))
	}
	got, err := f.Withdraw(ctx, f.user, RUB(1000_00), "", "w1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "withdrawal", got, after(50))
	if got, err = f.Deposit(ctx, f.user, RUB(50_00), "cash", "d1"); err != nil {
		t.Fatal(err)
	}
	equal(t, "the first deposit once more", got, after(1050))

	_, err = f.Withdraw(ctx, f.user, RUB(50_01), "", "w2")
	wantErr(t, err, adapter.ErrInsufficient)
	other := AddUser(t, f.Store, 2, 0)
	for name, do := range map[string]func() (ledger.Balance, error){
		"another amount": func() (ledger.Balance, error) { return f.Deposit(ctx, f.user, RUB(50_01), "cash", "d1") },
		"another user":   func() (ledger.Balance, error) { return f.Deposit(ctx, other, RUB(50_00), "cash", "d1") },
		"another note":   func() (ledger.Balance, error) { return f.Deposit(ctx, f.user, RUB(50_00), "card", "d1") },
		"a withdrawal":   func() (ledger.Balance, error) { return f.Withdraw(ctx, f.user, RUB(50_00), "cash", "d1") },
	} {
		if _, err := do(); !errors.Is(err, adapter.ErrConflict) {
			t.Errorf("%s: %v, want %v", name, err, adapter.ErrConflict)
		}
	}
	_, err = f.Deposit(ctx, Hash(99), RUB(1), "", "d2")
	wantErr(t, err, adapter.ErrNotFound)
	_, err = f.Deposit(ctx, f.user, RUB(1), "", "")
	wantErr(t, err, adapter.ErrInvalid)
	_, err = f.Deposit(ctx, f.user, RUB(-1), "", "d3")
	wantErr(t, err, adapter.ErrInvalid)
	_, err = f.Deposit(ctx, f.user, RUB(1<<63-1), "", "d4")
	wantErr(t, err, money.ErrOverflow)
	f.has(t, 50, 0)
}

func testDepositConcurrently(t *testing.T, f *fixture) {
	other := AddUser(t, f.Store, 2, 0)
	var conflicts atomic.Int64
	all(24, func(i int) {
		user, key := f.user, fmt.Sprint(i/4) // four callers for each key…
		if i%4 == 3 {                        // …one of them for another user
			user = other
		}
		_, err := f.Deposit(t.Context(), user, RUB(1_00), "", key)
		switch {
		case errors.Is(err, adapter.ErrConflict):
			conflicts.Add(1)
		case err != nil:
			t.Error(err)
		}
	})
	mine, err := f.Balance(t.Context(), f.user)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := f.Balance(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if got := mine.Available.Minor() + theirs.Available.Minor(); got != 1006_00 {
		t.Errorf("six keys brought %d kopecks", got-1000_00)
	}
	f.clean(t)
}

func testStatement(t *testing.T, f *fixture) {
	ctx := t.Context()
	AddUser(t, f.Store, 2, 5_00)
	p := f.confirmed(t, 300_00)
	if _, err := f.Withdraw(ctx, f.user, RUB(100_00), "back", "w"); err != nil {
		t.Fatal(err)
	}
	type line struct {
		move                adapter.Move
		debit, credit       ledger.Account
		available, reserved int64
		payment             int64
		note                string
	}
	want := []line{
		{ledger.Withdraw, ledger.Available, ledger.External, 600, 0, 0, "back"},
		{adapter.Capture, ledger.Reserved, ledger.Platform("integra"), 700, 0, p.Num, ""},
		{adapter.Reserve, ledger.Available, ledger.Reserved, 700, 300, p.Num, ""},
		{ledger.Deposit, ledger.External, ledger.Available, 1000, 0, 0, ""},
	}
	for _, page := range []int{0, 1, 3} {
		var got []line
		for before := int64(0); ; {
			list, err := f.Statement(ctx, f.user, ledger.StatementFilter{Before: before, Limit: page})
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			for _, x := range list {
				got = append(got, line{x.Move, x.Debit, x.Credit, x.After.Available.Minor() / 100, x.After.Reserved.Minor() / 100, x.Payment, x.Note})
				if !x.At.Equal(f.clock.Now()) || x.User != f.user {
					t.Errorf("line %+v", x)
				}
			}
			before = list[len(list)-1].Num
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
			t.Errorf("statement, %d a page (-want +got):\n%s", page, diff)
		}
	}
	if list, err := f.Statement(ctx, Hash(99), ledger.StatementFilter{}); err != nil || len(list) != 0 {
		t.Errorf("statement of a stranger: %v, %v", list, err)
	}
	mine, err := f.Statement(ctx, f.user, ledger.StatementFilter{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := f.Statement(ctx, Hash(2), ledger.StatementFilter{Before: mine[0].Num}); err != nil || len(list) != 0 {
		t.Errorf("statement with another's cursor: %v, %v", list, err)
	}
}

func testStatementBetween(t *testing.T, f *fixture) {
	ctx := t.Context()
	began := f.clock.Now()
	for i := range 4 { // beside the first deposit, one an hour
		f.clock.Advance(time.Hour)
		if _, err := f.Deposit(ctx, f.user, RUB(1_00), strconv.Itoa(i+1), strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.Advance(-time.Minute) // a process whose clock is a little behind
	if _, err := f.Deposit(ctx, f.user, RUB(1_00), "late", "late"); err != nil {
		t.Fatal(err)
	}
	hour := func(n int) time.Time { return began.Add(time.Duration(n) * time.Hour) }
	for name, tt := range map[string]struct {
		filter ledger.StatementFilter
		want   []string
	}{
		"all":               {ledger.StatementFilter{}, []string{"late", "4", "3", "2", "1", ""}},
		"from is included":  {ledger.StatementFilter{From: hour(3)}, []string{"late", "4", "3"}},
		"to is not":         {ledger.StatementFilter{To: hour(2)}, []string{"1", ""}},
		"between":           {ledger.StatementFilter{From: hour(2), To: hour(4)}, []string{"late", "3", "2"}},
		"behind a slow one": {ledger.StatementFilter{From: hour(4)}, []string{"4"}},
		"with a limit":      {ledger.StatementFilter{From: hour(1), To: hour(4), Limit: 2}, []string{"late", "3"}},
		"nothing":           {ledger.StatementFilter{From: hour(9)}, nil},
	} {
		list, err := f.Statement(ctx, f.user, tt.filter)
		var got []string
		for _, x := range list {
			got = append(got, x.Note)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

func testTexts(t *testing.T, f *fixture) {
	p := f.decide(t, f.accept(t, 1_00))
	detail := "\xff\x00 «ок» \u2028 '; DROP TABLE payments; --" + strings.Repeat("я", 2000)
	st, err := p.Answered(adapter.Outcome{Verdict: adapter.Refused, Code: 11, Detail: detail}, Policy, f.clock.Now())
	after := f.apply(t, st, err)
	got, err := f.PaymentByNum(t.Context(), p.Num)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "payment", got, after)
	history, err := f.History(t.Context(), p.Num)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := history[2].Detail, strings.NewReplacer("\xff", "\uFFFD", "\x00", "\uFFFD").Replace(detail); got != want {
		t.Errorf("detail = %q, want %q", got, want)
	}
}

func testOverload(t *testing.T, f *fixture) {
	const limit = 3
	busy, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s, err := store.Open(t.Context(), store.Config{
		Database: f.database, Policy: Policy, MaxWaiting: limit, Committers: 1, Now: f.clock.Now,
		OnCommit: func(store.CommitStats) {
			once.Do(func() {
				close(busy)
				<-hold
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var keys []adapter.Key
	for i := range 1 + limit {
		p := TopUp(t, f.user, 1, f.clock.Now())
		keys = append(keys, p.Key)
		if _, _, err := s.Accept(ctx, p); !errors.Is(err, context.Canceled) {
			t.Errorf("queued: %v", err)
		}
		if i == 0 {
			<-busy // the committer has the first in hand, and keeps it
		}
	}
	refused := TopUp(t, f.user, 1, f.clock.Now())
	_, _, err = s.Accept(t.Context(), refused)
	wantErr(t, err, adapter.ErrOverloaded)
	close(hold)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if _, err := f.Payment(t.Context(), key); err != nil {
			t.Error("queued:", err)
		}
	}
	_, err = f.Payment(t.Context(), refused.Key)
	wantErr(t, err, adapter.ErrNotFound)
}

func testClose(t *testing.T, f *fixture) {
	s, err := store.Open(t.Context(), store.Config{Database: f.database, Policy: Policy})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var keys []adapter.Key
	for range 50 {
		p := TopUp(t, f.user, 1, f.clock.Now())
		keys = append(keys, p.Key)
		if _, _, err := s.Accept(ctx, p); err != nil && !errors.Is(err, context.Canceled) { // the caller hangs up
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if _, err := f.Payment(t.Context(), key); err != nil {
			t.Error("queued before the store was closed:", err)
		}
	}
	_, _, err = s.Accept(t.Context(), TopUp(t, f.user, 1, f.clock.Now()))
	wantErr(t, err, adapter.ErrClosed)
}

func testReopen(t *testing.T, f *fixture) {
	p := f.decide(t, f.accept(t, 100_00))
	again := Open(t, f.database, func(c *store.Config) { c.Migrate = false })
	got, err := again.PaymentByNum(t.Context(), p.Num)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "payment", got, p)
	usd, err := money.NewCurrency("USD", 2)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := store.Open(t.Context(), store.Config{Database: f.database, Currency: usd}); err == nil {
		t.Errorf("books in roubles were opened in dollars: %v", s.Close())
	}
}
