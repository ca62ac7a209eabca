package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/reconcile"
	"github.com/partnerkit/partnerkit/contract/money"
)

// still is a world in which nothing is drawn: UTC, no lag, no skew.
func still(t *testing.T, change func(*reconcile.Config)) *world {
	t.Helper()
	w := &world{
		now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), zone: time.UTC,
		done: map[int64]bool{}, history: map[int64][]adapter.Event{},
	}
	cfg := reconcile.Config{Policy: policy, Settle: settle, Now: func() time.Time { return w.now }, Log: silent}
	if change != nil {
		change(&cfg)
	}
	w.doubts = reconcile.NewDoubts(w, w, cfg)
	return w
}

// add makes a payment and brings it into a state by answers; the last one counts for the platform.
func (w *world) add(t *testing.T, kind adapter.Kind, amount int64, carriedOut bool, verdicts ...adapter.Verdict) int64 {
	t.Helper()
	num := int64(len(w.payments) + 1)
	p, err := adapter.NewPayment(adapter.Key{Platform: adapter.PlatformIntegra, ID: strings.Repeat("a", 31) + string(rune('a'+num))}, kind, user, rub(amount), w.now)
	if err != nil {
		t.Fatal(err)
	}
	p.Num, p.Owner = num, 1
	w.payments = append(w.payments, p)
	step, err := p.Decide(policy, w.now)
	for _, v := range verdicts {
		if err == nil {
			p, err = w.Apply(t.Context(), step)
		}
		if err == nil {
			step, err = p.Answered(adapter.Outcome{Verdict: v, Code: 8}, policy, w.now)
		}
	}
	if err == nil {
		_, err = w.Apply(t.Context(), step)
	}
	if err != nil {
		t.Fatal(err)
	}
	if carriedOut {
		w.credit(num, w.now)
	}
	return num
}

func (w *world) doubtful(t *testing.T, kind adapter.Kind, amount int64, carriedOut bool) int64 {
	t.Helper()
	return w.add(t, kind, amount, carriedOut, adapter.Unknown, adapter.Refused)
}

// after looks once a day has passed, and returns what became of a payment and why.
func (w *world) after(t *testing.T, num int64) (adapter.State, string) {
	t.Helper()
	w.now = w.now.Add(26 * time.Hour)
	if err := w.doubts.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := w.history[num]
	return w.payments[num-1].State, events[len(events)-1].Detail
}

func TestDoubts(t *testing.T) {
	t.Parallel()
	sole := func(c *reconcile.Config) { c.Sole = true }
	const topup, direct, refund = adapter.TopUp, adapter.Direct, adapter.Refund
	tests := []struct {
		name   string
		config func(*reconcile.Config)
		scene  func(*testing.T, *world) int64
		want   adapter.State
		says   string
	}{
		{"nothing came in", nil, func(t *testing.T, w *world) int64 {
			return w.doubtful(t, topup, 100, false)
		}, adapter.Declined, "does not hold this payment"},
		{"it is there, but others can top up", nil, func(t *testing.T, w *world) int64 {
			return w.doubtful(t, topup, 100, true)
		}, adapter.InDoubt, "come from elsewhere"},
		{"it is there, and nobody else tops up", sole, func(t *testing.T, w *world) int64 {
			return w.doubtful(t, topup, 100, true)
		}, adapter.Confirmed, "cannot be explained without"},
		{"an own payment whose hash was said to be used", sole, func(t *testing.T, w *world) int64 {
			return w.doubtful(t, direct, 100, true)
		}, adapter.Confirmed, "cannot be explained without"},
		{"the user has spent it since", sole, func(t *testing.T, w *world) int64 {
			n := w.doubtful(t, topup, 100, true)
			w.moves = append(w.moves, move{at: w.now, minor: -100})
			return n
		}, adapter.Confirmed, "outcome -1.00"},
		{"of two alike one is there", sole, func(t *testing.T, w *world) int64 {
			w.doubtful(t, topup, 100, true)
			return w.doubtful(t, topup, 100, false)
		}, adapter.InDoubt, "with this payment and without"},
		{"of two alike both are there", sole, func(t *testing.T, w *world) int64 {
			w.doubtful(t, topup, 100, true)
			return w.doubtful(t, topup, 100, true)
		}, adapter.Confirmed, "cannot be explained without"},
		{"of two that differ the other is there", sole, func(t *testing.T, w *world) int64 {
			w.doubtful(t, topup, 300, true)
			return w.doubtful(t, topup, 100, false)
		}, adapter.Declined, "only be explained without"},
		{"the income is that of a confirmed payment", nil, func(t *testing.T, w *world) int64 {
			w.add(t, topup, 100, true, adapter.Accepted)
			return w.doubtful(t, topup, 100, false)
		}, adapter.Declined, "1.00 of the income are known"},
		{"what was confirmed is missing", nil, func(t *testing.T, w *world) int64 {
			w.add(t, topup, 300, false, adapter.Accepted)
			return w.doubtful(t, topup, 100, true)
		}, adapter.InDoubt, "less than there must be"},
		{"a refund", sole, func(t *testing.T, w *world) int64 {
			return w.doubtful(t, refund, 100, false)
		}, adapter.InDoubt, "left to a person"},
		{"an income that nothing explains", sole, func(t *testing.T, w *world) int64 {
			w.moves = append(w.moves, move{at: w.now, minor: 777})
			return w.doubtful(t, topup, 100, true)
		}, adapter.InDoubt, "nothing explains it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := still(t, tt.config)
			n := tt.scene(t, w)
			if state, detail := w.after(t, n); state != tt.want || !strings.Contains(detail, tt.says) {
				t.Errorf("%s: %q; want %s because %q", state, detail, tt.want, tt.says)
			}
		})
	}
}

// The same finding is noted once, whatever else happens to the user.
func TestFindingIsNotedOnce(t *testing.T) {
	t.Parallel()
	w := still(t, nil)
	n := w.doubtful(t, adapter.TopUp, 100, true)
	before := len(w.history[n])
	for range 3 {
		w.after(t, n)
		w.moves = append(w.moves, move{at: w.now.Add(-48 * time.Hour), minor: -1})
	}
	if got := len(w.history[n]) - before; got != 1 {
		t.Errorf("%d remarks: %+v", got, w.history[n])
	}
}

// Nothing is asked before a late call and late figures are out of the question.
func TestTooEarly(t *testing.T) {
	t.Parallel()
	w := still(t, nil)
	n := w.doubtful(t, adapter.TopUp, 100, false)
	for _, minutes := range []int{0, 59, 60} {
		w.now = w.now.Add(time.Duration(minutes) * time.Minute)
		if err := w.doubts.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := w.history[n]; e[len(e)-1].Kind != adapter.EventInDoubt {
			t.Errorf("%d minutes later: %+v", minutes, e[len(e)-1])
		}
	}
	w.now = w.now.Add(time.Minute)
	if err := w.doubts.Round(t.Context()); err != nil || w.payments[n-1].State != adapter.Declined {
		t.Errorf("two hours later it is %s, %v", w.payments[n-1].State, err)
	}
}

// contrary gives figures that contradict each other.
type contrary struct {
	reconcile.Platform
	day, live int64
}

func (c contrary) Day(ctx context.Context, user string, date time.Time) (adapter.Day, error) {
	d, err := c.Platform.Day(ctx, user, date)
	d.Balance, _ = d.Balance.Add(rub(c.day * int64(date.Day())))
	return d, err
}

func (c contrary) Balance(ctx context.Context, user string) (money.Amount, error) {
	b, err := c.Platform.Balance(ctx, user)
	if err == nil {
		b, err = b.Add(rub(c.live))
	}
	return b, err
}

func TestContradictionsProveNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]contrary{"days do not add up": {day: 1}, "the live balance is another": {live: 1}} {
		w := still(t, nil)
		c.Platform = w
		w.doubts = reconcile.NewDoubts(w, c, reconcile.Config{Policy: policy, Settle: settle, Now: func() time.Time { return w.now }, Log: silent})
		n := w.doubtful(t, adapter.TopUp, 100, false)
		w.now = w.now.Add(2 * settle)
		if err := w.doubts.Round(t.Context()); err != nil || w.payments[n-1].State != adapter.InDoubt {
			t.Errorf("%s: it is %s, %v", name, w.payments[n-1].State, err)
		}
	}
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"", "Local", "Mars/Olympus", "+03:00"} {
		if _, err := reconcile.NewCalendar(zone); err == nil {
			t.Errorf("zone %q is taken", zone)
		}
	}
	for _, zone := range []string{"any", "UTC", "Europe/Moscow"} {
		if _, err := reconcile.NewCalendar(zone); err != nil {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
}
