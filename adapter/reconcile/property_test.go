package reconcile_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/reconcile"
	"github.com/partnerkit/partnerkit/contract/money"
)

const settle = time.Hour

var (
	user   = fmt.Sprintf("%032d", 7)
	policy = adapter.Policy{
		Lease: 10 * time.Second, DeclineFor: 24 * time.Hour,
		Retry: func(int) time.Duration { return time.Second },
	}
	silent = slog.New(slog.NewTextHandler(io.Discard, nil))
)

func rub(minor int64) money.Amount { return money.New(minor, money.RUB) }

// Evidence under random schedules, against a platform whose zone, lag, clock and readings of
// its documents are drawn: it credits late, loses answers, refuses repeats or not, books
// refunds as outcome or against the income; users spend, and pay by card where that is
// possible; people decide, and may be wrong. Whatever happens, evidence never settles a
// payment in another way than the platform has.
func TestEvidenceIsNeverWrong(t *testing.T) {
	var proven [2]int
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"":       w.check,
			"pay":    w.pay,
			"call":   w.call,
			"call2":  w.call,
			"spend":  w.spend,
			"card":   w.card,
			"wait":   w.wait,
			"look":   w.look,
			"person": w.person,
		})
		for range 8 {
			w.now = w.now.Add(9 * time.Hour)
			w.look(rt)
		}
		w.check(rt)
		for _, p := range w.payments {
			if e := w.history[p.Num]; len(e) > 0 && e[len(e)-1].Kind == adapter.EventProven {
				if p.State == adapter.Confirmed {
					proven[0]++
				} else {
					proven[1]++
				}
			}
		}
	})
	t.Logf("proven: %d carried out, %d not", proven[0], proven[1])
	if proven[0]+proven[1] == 0 {
		t.Error("nothing was proven: the test shows nothing")
	}
}

// world is the platform and the adapter's store, both in memory, and the true time.
type world struct {
	now    time.Time
	doubts *reconcile.Doubts

	// the platform
	zone          *time.Location
	ahead         time.Duration // of its clock
	lag, liveLag  time.Duration
	repeatRefused bool
	refundsReduce bool // the income, instead of adding to the outcome
	sole          bool
	moves         []move
	late          []late
	done          map[int64]bool // by payment
	fails         bool

	// the store
	payments []adapter.Payment // by Num-1
	history  map[int64][]adapter.Event
}

// move is a movement at the platform, by its clock.
type move struct {
	at     time.Time
	minor  int64
	refund bool
}

// late is a call that is still on its way.
type late struct {
	at      time.Time
	payment int64
}

func newWorld(rt *rapid.T) *world {
	w := &world{
		zone: time.FixedZone("", 3600*rapid.SampledFrom([]int{-12, -5, 0, 3, 3, 14}).Draw(rt, "zone")),

		ahead:         time.Duration(rapid.IntRange(-4, 4).Draw(rt, "minutes ahead")) * time.Minute,
		lag:           time.Duration(rapid.IntRange(0, 50).Draw(rt, "lag")) * time.Minute,
		liveLag:       time.Duration(rapid.IntRange(0, 50).Draw(rt, "lag of the live balance")) * time.Minute,
		repeatRefused: rapid.Bool().Draw(rt, "a repeat is refused"),
		refundsReduce: rapid.Bool().Draw(rt, "refunds reduce the income"),
		sole:          rapid.Bool().Draw(rt, "sole source"),
		done:          map[int64]bool{},
		history:       map[int64][]adapter.Event{},
	}
	// Much happens near the platform's midnight, where days and clocks matter.
	w.now = time.Date(2026, 11, 1, 0, 0, 0, 0, w.zone).Add(time.Duration(rapid.IntRange(-70, 10).Draw(rt, "minutes after midnight")) * time.Minute).UTC()
	calendar := reconcile.AnyZone
	if _, offset := w.now.In(w.zone).Zone(); offset == 3*3600 && rapid.Bool().Draw(rt, "the zone is known") {
		var err error
		if calendar, err = reconcile.NewCalendar("Europe/Moscow"); err != nil {
			rt.Fatal(err)
		}
	}
	w.doubts = reconcile.NewDoubts(w, w, reconcile.Config{
		Policy: policy, Calendar: calendar, Sole: w.sole, Settle: settle,
		Now: func() time.Time { return w.now }, Log: silent,
	})
	return w
}

// credit lets the platform carry out a payment, unless it has.
func (w *world) credit(num int64, at time.Time) {
	p := w.payments[num-1]
	if w.done[num] {
		return
	}
	w.done[num] = true
	m := move{at: at.Add(w.ahead), minor: p.Amount.Minor()}
	if p.Kind == adapter.Refund {
		m.minor, m.refund = -m.minor, true
	}
	w.moves = append(w.moves, m)
}

// arrive lets the late calls arrive whose time has come.
func (w *world) arrive() {
	w.late = slices.DeleteFunc(w.late, func(l late) bool {
		if l.at.After(w.now) {
			return false
		}
		w.credit(l.payment, l.at)
		return true
	})
}

// pay makes a payment that a worker holds and is about to call for.
func (w *world) pay(rt *rapid.T) {
	kind := rapid.SampledFrom([]adapter.Kind{adapter.TopUp, adapter.TopUp, adapter.Direct, adapter.Refund}).Draw(rt, "kind")
	num := int64(len(w.payments) + 1)
	amount := rapid.SampledFrom([]int64{100, 100, 200, 300, 500}).Draw(rt, "amount")
	p, err := adapter.NewPayment(adapter.Key{Platform: adapter.PlatformIntegra, ID: fmt.Sprintf("%032d", num)}, kind, user, rub(amount), w.now)
	if err != nil {
		rt.Fatal(err)
	}
	p.Num, p.Owner = num, 1
	w.payments = append(w.payments, p)
	step, err := p.Decide(policy, w.now)
	w.step(rt, step, err)
}

func (w *world) step(rt *rapid.T, s adapter.Step, err error) {
	if err == nil {
		_, err = w.Apply(context.Background(), s)
	}
	if err != nil {
		rt.Fatal(err)
	}
}

// call makes the next call for some payment and takes its answer.
func (w *world) call(rt *rapid.T) {
	var open []adapter.Payment
	for _, p := range w.payments {
		if p.State == adapter.Reserved || p.State == adapter.Confirming {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		rt.Skip("nothing to call for")
	}
	p := rapid.SampledFrom(open).Draw(rt, "payment")
	o := adapter.Outcome{Verdict: adapter.Unknown}
	switch rapid.SampledFrom([]string{"answered", "lost before", "lost after", "late", "refused", "refused"}).Draw(rt, "fate") {
	case "answered":
		o.Verdict = adapter.Accepted
		if w.done[p.Num] && w.repeatRefused {
			o.Verdict, o.Code = adapter.Refused, 8
		}
		w.credit(p.Num, w.now)
	case "lost after":
		w.credit(p.Num, w.now)
	case "late":
		w.late = append(w.late, late{w.now.Add(time.Duration(rapid.IntRange(1, 55).Draw(rt, "minutes late")) * time.Minute), p.Num})
	case "refused":
		o.Verdict, o.Code = adapter.Refused, 99
	}
	w.now = w.now.Add(time.Second)
	step, err := p.Answered(o, policy, w.now)
	w.step(rt, step, err)
}

func (w *world) spend(rt *rapid.T) {
	w.moves = append(w.moves, move{at: w.now.Add(w.ahead), minor: -rapid.Int64Range(1, 300).Draw(rt, "amount")})
}

// card is a payment inside the platform's page, of which nobody tells us.
func (w *world) card(rt *rapid.T) {
	if w.sole {
		rt.Skip("not offered")
	}
	w.moves = append(w.moves, move{at: w.now.Add(w.ahead), minor: rapid.SampledFrom([]int64{100, 200, 300}).Draw(rt, "amount")})
}

func (w *world) wait(rt *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 5, 50, 125, 600}).Draw(rt, "minutes")) * time.Minute)
	w.arrive()
}

// look is a round of the Doubts; sometimes the platform does not answer.
func (w *world) look(rt *rapid.T) {
	w.arrive()
	w.fails = rapid.IntRange(0, 9).Draw(rt, "fails") == 0
	if err := w.doubts.Round(context.Background()); err != nil {
		rt.Fatal(err)
	}
}

// person decides about a payment in doubt, rightly or wrongly.
func (w *world) person(rt *rapid.T) {
	list, _ := w.InDoubt(context.Background())
	if len(list) == 0 || rapid.IntRange(0, 3).Draw(rt, "patience") > 0 {
		rt.Skip("nothing to decide")
	}
	p := rapid.SampledFrom(list).Draw(rt, "payment")
	step, err := p.Resolved(adapter.Resolution{Confirm: rapid.Bool().Draw(rt, "confirm"), Reason: "so", By: "Anna"}, policy, w.now)
	w.step(rt, step, err)
}

// check: what evidence has settled is as the platform has it, and stays so.
func (w *world) check(rt *rapid.T) {
	for _, p := range w.payments {
		events := w.history[p.Num]
		if len(events) == 0 || events[len(events)-1].Kind != adapter.EventProven {
			continue
		}
		if e := events[len(events)-1]; (p.State == adapter.Confirmed) != w.done[p.Num] {
			rt.Fatalf("%s %d is %s, carried out at the platform: %t\n%s", p.Kind, p.Num, p.State, w.done[p.Num], e.Detail)
		}
	}
}

// The platform as reconcile sees it.

func (w *world) Day(_ context.Context, _ string, date time.Time) (adapter.Day, error) {
	if w.fails {
		return adapter.Day{}, adapter.ErrUnanswered
	}
	d := adapter.Day{Date: date, Income: rub(0), Outcome: rub(0), Balance: rub(0)}
	add := func(to *money.Amount, minor int64) { *to, _ = to.Add(rub(minor)) }
	for _, m := range w.moves {
		on := m.at.In(w.zone).Format(time.DateOnly)
		if m.at.After(w.now.Add(w.ahead-w.lag)) || on > date.Format(time.DateOnly) {
			continue
		}
		add(&d.Balance, m.minor)
		switch {
		case on != date.Format(time.DateOnly):
		case m.minor > 0, m.refund && w.refundsReduce:
			add(&d.Income, m.minor)
		default:
			add(&d.Outcome, m.minor)
		}
	}
	return d, nil
}

func (w *world) Balance(context.Context, string) (money.Amount, error) {
	sum := int64(0)
	for _, m := range w.moves {
		if !m.at.After(w.now.Add(w.ahead - w.liveLag)) {
			sum += m.minor
		}
	}
	return rub(sum), nil
}

// The store as reconcile sees it.

func (w *world) InDoubt(context.Context) (list []adapter.Payment, _ error) {
	for _, p := range w.payments {
		if p.State == adapter.InDoubt {
			list = append(list, p)
		}
	}
	return list, nil
}

func (w *world) UserPayments(_ context.Context, _ string, from, to time.Time) (list []adapter.Payment, _ error) {
	for _, p := range w.payments {
		if p.ReceivedAt.Before(to) && (!p.UpdatedAt.Before(from) || !p.NextAt.IsZero()) {
			list = append(list, p)
		}
	}
	return list, nil
}

func (w *world) History(_ context.Context, num int64) ([]adapter.Event, error) {
	return w.history[num], nil
}

func (w *world) Apply(_ context.Context, s adapter.Step) (adapter.Payment, error) {
	now := &w.payments[s.Before.Num-1]
	if now.Version != s.Before.Version {
		return *now, adapter.ErrLost
	}
	*now = s.After
	w.history[now.Num] = append(w.history[now.Num], s.Event)
	return *now, nil
}

func (w *world) Remark(_ context.Context, e adapter.Event) error {
	w.history[e.Payment] = append(w.history[e.Payment], e)
	return nil
}

func (w *world) Exclusive(ctx context.Context, _ string, do func(context.Context) error) (bool, error) {
	return true, do(ctx)
}
