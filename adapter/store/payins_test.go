package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/contract/money"
)

func TestPayins(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *payinFixture){
		"once":        testPayinOnce,
		"once, race":  testPayinRace,
		"life":        testPayinLife,
		"lost":        testPayinLost,
		"credit once": testPayinCreditRace,
		"claim":       testPayinClaim,
		"list":        testPayinList,
		"count":       testPayinCount,
		"remarks":     testPayinRemarks,
		"audit":       testPayinAudit,
		"guarded":     testPayinGuarded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			adaptertest.EachDatabase(t, func(t *testing.T, database string) {
				clock := adaptertest.NewClock()
				f := &payinFixture{database: database, clock: clock}
				f.Store = adaptertest.Open(t, database, func(c *store.Config) { c.Now = clock.Now })
				f.user = adaptertest.AddUser(t, f.Store, 1, 1000_00)
				test(t, f)
			})
		})
	}
}

type payinFixture struct {
	*store.Store
	database string
	clock    *adaptertest.Clock
	user     string
}

var payinPolicy = adapter.PayinPolicy{
	Lease:     10 * time.Second,
	Retry:     func(n int) time.Duration { return time.Duration(n) * time.Second },
	Poll:      func(time.Duration) time.Duration { return time.Minute },
	CreateFor: time.Hour,
	Ledger:    money.RUB,
}

// payin is a new one of 100 RUB, held by this process.
func (f *payinFixture) payin(t *testing.T, externalID string) adapter.Payin {
	t.Helper()
	p, err := adapter.NewPayin("37", adapter.PayinRequest{
		ExternalID: externalID, User: f.user, Amount: "100", InCurr: "RUB", Payway: "visamc",
	}, "https://pay.example/anymoney/callback", f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.Owner, p.NextAt = f.Owner(), f.clock.Now().Add(payinPolicy.Lease)
	return p
}

func (f *payinFixture) add(t *testing.T, externalID string) adapter.Payin {
	t.Helper()
	p, first, err := f.AddPayin(t.Context(), f.payin(t, externalID))
	if err != nil || !first || p.Num == 0 {
		t.Fatalf("AddPayin = %+v, first %v, %v", p, first, err)
	}
	return p
}

// order is what the platform says about p.
func (f *payinFixture) order(p adapter.Payin, status adapter.PayinStatus) adapter.PayinOrder {
	amount := func(nano int64) money.Amount { return money.New(nano, p.Amount.Currency()) }
	return adapter.PayinOrder{
		LID: 135735, Type: "invoice", Status: status, Payway: p.Payway, Paylink: "https://sci.example/#token=x",
		In: p.Amount, InFee: amount(1_500000000), Out: p.Amount, OutFee: amount(1_500000000), Account: amount(98_500000000),
		At: f.clock.Advance(time.Second).Truncate(time.Millisecond),
	}
}

func (f *payinFixture) apply(t *testing.T, s adapter.PayinStep) adapter.Payin {
	t.Helper()
	p, err := f.ApplyPayin(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// open is a payin whose order the platform has.
func (f *payinFixture) open(t *testing.T, externalID string) adapter.Payin {
	t.Helper()
	p := f.add(t, externalID)
	s, err := p.Created(adapter.PayinAnswer{
		Outcome: adapter.Outcome{Verdict: adapter.Accepted, Took: time.Millisecond}, Order: f.order(p, adapter.PayinNew),
	}, payinPolicy, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return f.apply(t, s)
}

func (f *payinFixture) told(t *testing.T, p adapter.Payin, status adapter.PayinStatus) adapter.PayinStep {
	t.Helper()
	s, news, err := p.Told(f.order(p, status), payinPolicy, f.clock.Now())
	if err != nil || !news {
		t.Fatalf("Told %s: news %v, %v", status, news, err)
	}
	return s
}

func testPayinOnce(t *testing.T, f *payinFixture) {
	asked := adapter.PayinRequest{Key: "button 7", User: f.user, Amount: "100", InCurr: "RUB", Payway: "visamc"}
	add := func(change func(*adapter.PayinRequest)) (adapter.Payin, bool, error) {
		r := asked
		change(&r)
		p, err := adapter.NewPayin("37", r, "", f.clock.Advance(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return f.AddPayin(t.Context(), p)
	}
	first, isFirst, err := add(func(*adapter.PayinRequest) {})
	if err != nil || !isFirst {
		t.Fatalf("AddPayin: first %v, %v", isFirst, err)
	}
	repeat, isFirst, err := add(func(r *adapter.PayinRequest) { r.Amount, r.OutCurr = "100.00", "RUB" })
	if err != nil || isFirst || repeat != first {
		t.Errorf("repeat = %+v, first %v, %v; want %+v", repeat, isFirst, err, first)
	}
	for name, change := range map[string]func(*adapter.PayinRequest){
		"another amount":             func(r *adapter.PayinRequest) { r.Amount = "100.01" },
		"another currency":           func(r *adapter.PayinRequest) { r.InCurr = "UAH" },
		"conversion":                 func(r *adapter.PayinRequest) { r.OutCurr = "USD" },
		"another payway":             func(r *adapter.PayinRequest) { r.Payway = "qiwi" },
		"a code":                     func(r *adapter.PayinRequest) { r.Code = "EX-CODE" },
		"another externalid":         func(r *adapter.PayinRequest) { r.ExternalID = "order-7" },
		"another key, one name":      func(r *adapter.PayinRequest) { r.Key, r.ExternalID = "button 8", first.ExternalID },
		"another user's, same names": func(r *adapter.PayinRequest) { r.User = adaptertest.AddUser(t, f.Store, 2, 0) },
	} {
		if got, _, err := add(change); !errors.Is(err, adapter.ErrConflict) {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, adapter.ErrConflict)
		}
	}
	if _, _, err := add(func(r *adapter.PayinRequest) { r.Key, r.User = "other", adaptertest.Hash(404) }); !errors.Is(err, adapter.ErrNotFound) {
		t.Errorf("user that nobody registered: %v, want %v", err, adapter.ErrNotFound)
	}
	if got, err := f.Payin(t.Context(), first.ExternalID); err != nil || got != first {
		t.Errorf("Payin = %+v, %v; want %+v", got, err, first)
	}
	if _, err := f.Payin(t.Context(), "no such\x00"); !errors.Is(err, adapter.ErrNotFound) {
		t.Errorf("Payin of no such: %v, want %v", err, adapter.ErrNotFound)
	}
}

func testPayinRace(t *testing.T, f *payinFixture) {
	var firsts atomic.Int64
	var nums sync.Map
	var wg sync.WaitGroup
	p := f.payin(t, "order-1")
	for range 16 {
		wg.Go(func() {
			got, first, err := f.AddPayin(t.Context(), p)
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts.Add(1)
			}
			nums.Store(got.Num, nil)
		})
	}
	wg.Wait()
	n := 0
	nums.Range(func(any, any) bool { n++; return true })
	if firsts.Load() != 1 || n != 1 {
		t.Errorf("of 16 equal requests %d were first, %d rows; want one each", firsts.Load(), n)
	}
}

func testPayinLife(t *testing.T, f *payinFixture) {
	p := f.open(t, "order-1")
	want := p
	if got, err := f.Payin(t.Context(), "order-1"); err != nil || got != want {
		t.Fatalf("open: %+v, %v\nwant  %+v", got, err, want)
	}
	p = f.apply(t, f.told(t, p, adapter.PayinPending))
	done := f.told(t, p, adapter.PayinDone)
	p = f.apply(t, done)
	if again, err := f.ApplyPayin(t.Context(), done); err != nil || again != p { // its outcome got lost
		t.Errorf("the same step again: %+v, %v; want %+v", again, err, p)
	}
	if p.Credited != adaptertest.RUB(98_50) || p.Status != adapter.PayinDone || !p.NextAt.IsZero() {
		t.Errorf("done: %+v", p)
	}
	if got, err := f.Payin(t.Context(), "order-1"); err != nil || got != p {
		t.Errorf("done: %+v, %v\nwant  %+v", got, err, p)
	}
	if b, err := f.Balance(t.Context(), f.user); err != nil || b.Available != adaptertest.RUB(1098_50) {
		t.Errorf("balance %v, %v; want 1098.50", b, err)
	}
	statement, err := f.Statement(t.Context(), f.user, ledger.StatementFilter{Limit: 1})
	wantTransfer := []ledger.Transfer{{
		User: f.user, Payin: p.Num, Move: ledger.Payin, Debit: ledger.Anymoney, Credit: ledger.Available, Amount: adaptertest.RUB(98_50),
		After: ledger.Balance{Available: adaptertest.RUB(1098_50), Reserved: adaptertest.RUB(0)}, Prev: 1, At: p.UpdatedAt,
	}}
	if diff := cmp.Diff(wantTransfer, statement, cmpopts.IgnoreFields(ledger.Transfer{}, "Num", "Prev"), cmp.Comparer(func(a, b money.Amount) bool { return a == b })); err != nil || diff != "" {
		t.Errorf("statement: %v (-want +got):\n%s", err, diff)
	}
	history, err := f.PayinHistory(t.Context(), p)
	var lines []string
	for _, e := range history {
		lines = append(lines, fmt.Sprintf("%d.%d %s %s→%s %s %s", e.Version, e.N, e.Kind, e.From, e.To, e.Verdict, e.Detail))
	}
	if diff := cmp.Diff([]string{
		"0.0 created →creating  ",
		"1.0 opened creating→new accepted ",
		"2.0 moved new→pending  callback",
		"3.0 moved pending→done  callback: credited 98.50 RUB",
	}, lines); err != nil || diff != "" {
		t.Errorf("history: %v (-want +got):\n%s", err, diff)
	}
	f.clean(t)
}

func testPayinLost(t *testing.T, f *payinFixture) {
	p := f.open(t, "order-1")
	pending, done := f.told(t, p, adapter.PayinPending), f.told(t, p, adapter.PayinDone)
	f.apply(t, pending)
	if _, err := f.ApplyPayin(t.Context(), done); !errors.Is(err, adapter.ErrLost) {
		t.Errorf("a step from an older version: %v, want %v", err, adapter.ErrLost)
	}
	if b, err := f.Balance(t.Context(), f.user); err != nil || b.Available != adaptertest.RUB(1000_00) {
		t.Errorf("balance %v, %v; want it as it was", b, err)
	}
	f.clean(t)
}

// Sixteen deliveries of the callback that says done, each read and applied by itself.
func testPayinCreditRace(t *testing.T, f *payinFixture) {
	p := f.open(t, "order-1")
	o := f.order(p, adapter.PayinDone)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				now, err := f.Payin(context.Background(), "order-1")
				if err != nil {
					t.Error(err)
					return
				}
				s, news, err := now.Told(o, payinPolicy, f.clock.Now())
				if err != nil {
					t.Error(err)
				}
				if !news {
					return
				}
				if _, err := f.ApplyPayin(context.Background(), s); err != nil && !errors.Is(err, adapter.ErrLost) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b, err := f.Balance(t.Context(), f.user); err != nil || b.Available != adaptertest.RUB(1098_50) {
		t.Errorf("balance %v, %v; want 1098.50", b, err)
	}
	f.clean(t)
}

func testPayinClaim(t *testing.T, f *payinFixture) {
	held, open := f.add(t, "held"), f.open(t, "open")
	claim := func(want ...string) []adapter.Payin {
		t.Helper()
		claimed, err := f.ClaimPayins(t.Context(), payinPolicy, 5)
		var got []string
		for _, p := range claimed {
			got = append(got, p.ExternalID)
			if stored, err := f.Payin(t.Context(), p.ExternalID); err != nil || stored != p {
				t.Errorf("claimed %+v, stored %+v, %v", p, stored, err)
			}
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("claimed: %v (-want +got):\n%s", err, diff)
		}
		return claimed
	}
	claim()
	f.clock.Advance(payinPolicy.Lease)
	taken := claim("held")
	if len(taken) == 1 && (taken[0].Status != adapter.PayinUnsure || !taken[0].Sent || taken[0].Version != held.Version+1) {
		t.Errorf("taken over while creating: %+v, want it unsure", taken[0])
	}
	claim()
	f.clock.Advance(time.Minute)
	claim("held", "open")
	if _, err := f.ApplyPayin(t.Context(), f.told(t, open, adapter.PayinPending)); !errors.Is(err, adapter.ErrLost) {
		t.Errorf("step of a payin that was claimed since: %v, want %v", err, adapter.ErrLost)
	}
	f.clean(t)
}

func testPayinList(t *testing.T, f *payinFixture) {
	for i := range 5 {
		f.open(t, fmt.Sprint("order-", i))
	}
	f.add(t, "creating")
	for _, tt := range []struct {
		name   string
		filter adapter.PayinFilter
		want   string
	}{
		{"all", adapter.PayinFilter{}, "creating order-4 order-3 order-2 order-1 order-0"},
		{"a page", adapter.PayinFilter{Limit: 2}, "creating order-4"},
		{"the next", adapter.PayinFilter{Limit: 2, Before: 5}, "order-3 order-2"},
		{"of a user", adapter.PayinFilter{User: f.user, Limit: 1}, "creating"},
		{"of nobody", adapter.PayinFilter{User: adaptertest.Hash(9)}, ""},
		{"of a status", adapter.PayinFilter{Statuses: []adapter.PayinStatus{adapter.PayinCreating, adapter.PayinDone}}, "creating"},
		{"of no status", adapter.PayinFilter{Statuses: []adapter.PayinStatus{"'; DROP TABLE payins"}}, ""},
	} {
		list, err := f.Payins(t.Context(), tt.filter)
		var got []string
		for _, p := range list {
			got = append(got, p.ExternalID)
		}
		if s := strings.Join(got, " "); err != nil || s != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, s, err, tt.want)
		}
	}
}

func testPayinCount(t *testing.T, f *payinFixture) {
	f.open(t, "order-1")
	f.apply(t, f.told(t, f.open(t, "order-2"), adapter.PayinDone))
	f.add(t, "order-3")
	got, err := f.OpenPayins(t.Context())
	if diff := cmp.Diff(map[adapter.PayinStatus]int64{adapter.PayinNew: 1, adapter.PayinCreating: 1}, got); err != nil || diff != "" {
		t.Errorf("open payins: %v (-want +got):\n%s", err, diff)
	}
}

func testPayinRemarks(t *testing.T, f *payinFixture) {
	p := f.open(t, "order-1")
	for _, detail := range []string{"is of 1 RUB\x00", "is of 1 RUB\x00", "is of 2 RUB"} {
		if err := f.NotePayin(t.Context(), p.Remark(adapter.PayinEventConflict, detail, f.clock.Now())); err != nil {
			t.Fatal(err)
		}
	}
	history, err := f.PayinHistory(t.Context(), p)
	if err != nil || len(history) != 4 || history[2].N != 1 || history[3].N != 2 || history[3].Detail != "is of 2 RUB" {
		t.Errorf("history %+v, %v; want two remarks", history, err)
	}
	f.clean(t)
}

// The audit sees what no constraint can: here a credit that nobody wrote down at the payin.
func testPayinAudit(t *testing.T, f *payinFixture) {
	p := f.apply(t, f.told(t, f.open(t, "order-1"), adapter.PayinDone))
	f.clean(t)
	for _, query := range []string{`UPDATE payins SET credited = 9851`, `INSERT INTO payin_events SELECT 99, version, n, at, kind, from_status, to_status, attempt, verdict, code, detail, took FROM payin_events WHERE version = 1`} {
		if err := execSQL(t.Context(), f.database, query); err != nil {
			t.Fatal(err)
		}
	}
	r, err := f.Verify(t.Context())
	if err != nil || r.Payins != 1 || len(r.Differences) != 2 {
		t.Fatalf("report %+v, %v", r, err)
	}
	for i, want := range []string{
		fmt.Sprintf("payin %d: it is done and says it credited 98.51 RUB, the ledger has 98.50 RUB", p.Num), "an event of payin 99, which does not exist",
	} {
		if !strings.Contains(r.Differences[i].String(), want) {
			t.Errorf("difference %q, want %q", r.Differences[i], want)
		}
	}
}

func testPayinGuarded(t *testing.T, f *payinFixture) {
	f.apply(t, f.told(t, f.open(t, "order-1"), adapter.PayinDone))
	for name, query := range map[string]string{
		"another amount":   `UPDATE payins SET amount = '1'`,
		"another user":     `UPDATE payins SET user_hash = 'u'`,
		"fewer payins":     `DELETE FROM payins`,
		"another history":  `UPDATE payin_events SET detail = ''`,
		"fewer events":     `DELETE FROM payin_events`,
		"a second credit":  `INSERT INTO transfers (num, user_hash, payin, move, debit, credit, amount, available, reserved, prev, at) VALUES (99, 'u', 1, 'payin', 'external:anymoney', 'user:available', 1, 1, 1, 1, 1)`,
		"a nameless payin": `INSERT INTO transfers (num, user_hash, move, debit, credit, amount, available, reserved, prev, at) VALUES (99, 'u', 'payin', 'external:anymoney', 'user:available', 1, 1, 1, 1, 1)`,
		"never due":        `UPDATE payins SET status = 'pending', credited = 0`,
	} {
		if err := execSQL(t.Context(), f.database, query); err == nil {
			t.Errorf("%s: the database let it pass", name)
		}
	}
}

func (f *payinFixture) clean(t *testing.T) {
	t.Helper()
	clean(t, f.Store)
}
