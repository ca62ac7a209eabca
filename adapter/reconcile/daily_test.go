package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/reconcile"
)

// kept is what a Daily has written.
type kept struct {
	*world
	results map[string]adapter.Reconciliation // by date
	runs    []adapter.ReconcileRun

	busy     atomic.Bool // another replica is comparing
	storeErr error       // what a run ends with
}

func (k *kept) Exclusive(ctx context.Context, _ string, do func(context.Context) error) (bool, error) {
	if k.busy.Load() {
		return false, nil
	}
	return true, do(ctx)
}

func (k *kept) ActiveUsers(_ context.Context, from, to time.Time) ([]string, error) {
	list, err := k.UserPayments(context.Background(), user, from, to)
	if len(list) == 0 {
		return nil, err
	}
	return []string{user}, err
}

func (k *kept) SaveReconciliation(_ context.Context, r adapter.Reconciliation) error {
	k.results[r.Date.Format(time.DateOnly)] = r
	return nil
}

func (k *kept) Reconciliations(_ context.Context, f adapter.ReconciliationFilter) ([]adapter.Reconciliation, error) {
	if r, ok := k.results[f.From.Format(time.DateOnly)]; ok && r.Result == f.Result && f.After == "" {
		return []adapter.Reconciliation{r}, nil
	}
	return nil, nil
}

func (k *kept) SaveReconcileRun(_ context.Context, r adapter.ReconcileRun) error {
	if k.storeErr != nil {
		return k.storeErr
	}
	k.runs = slices.DeleteFunc(k.runs, func(q adapter.ReconcileRun) bool { return q.Date.Equal(r.Date) })
	k.runs = append(k.runs, r)
	return nil
}

func (k *kept) ReconcileRuns(_ context.Context, f adapter.ReconcileRunFilter) (list []adapter.ReconcileRun, _ error) {
	for _, r := range k.runs {
		if !r.Date.Before(f.From) && !r.Date.After(f.To) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b adapter.ReconcileRun) int { return b.Date.Compare(a.Date) })
	return list, nil
}

// daily is a Daily over a world of which nothing is drawn, at the platform's zone.
func daily(t *testing.T, change func(*reconcile.Config)) (*kept, *reconcile.Daily) {
	t.Helper()
	k := &kept{world: still(t, nil), results: map[string]adapter.Reconciliation{}}
	calendar, err := reconcile.NewCalendar("UTC")
	if err != nil {
		t.Fatal(err)
	}
	cfg := reconcile.Config{Policy: policy, Calendar: calendar, Settle: settle, Now: func() time.Time { return k.now }, Log: silent}
	if change != nil {
		change(&cfg)
	}
	return k, reconcile.NewDaily(k, k, cfg)
}

func TestCompare(t *testing.T) {
	t.Parallel()
	sole := func(c *reconcile.Config) { c.Sole = true }
	nobodyKnows := func(c *reconcile.Config) { c.Calendar = reconcile.AnyZone }
	const topup, refund = adapter.TopUp, adapter.Refund
	accepted := adapter.Accepted
	tests := []struct {
		name       string
		config     func(*reconcile.Config)
		scene      func(*testing.T, *world)
		want       adapter.ReconcileResult
		difference int64
		says       string
	}{
		{"nothing on either side", sole, func(*testing.T, *world) {}, adapter.ReconcileAgrees, 0, ""},
		{"a top-up and some spending", sole, func(t *testing.T, w *world) {
			w.add(t, topup, 300, true, accepted)
			w.moves = append(w.moves, move{at: w.now, minor: -120})
		}, adapter.ReconcileAgrees, 0, ""},
		{"confirmed, yet not there", nil, func(t *testing.T, w *world) {
			w.add(t, topup, 300, true, accepted)
			w.add(t, topup, 100, false, accepted)
		}, adapter.ReconcileDiffers, -100, "1.00 less"},
		{"a top-up in a zone that nobody knows", nobodyKnows, func(t *testing.T, w *world) {
			w.add(t, topup, 300, true, accepted)
			w.add(t, refund, 100, true, accepted)
		}, adapter.ReconcileAgrees, 300, ""},
		{"confirmed, yet not there, in a zone that nobody knows", nobodyKnows, func(t *testing.T, w *world) {
			w.add(t, topup, 300, true, accepted)
			w.add(t, topup, 100, false, accepted)
		}, adapter.ReconcileDiffers, 300, "with the days before and after, the platform has 1.00 less"},
		{"more than was paid, where others may top up", nil, func(t *testing.T, w *world) {
			w.add(t, topup, 300, true, accepted)
			w.moves = append(w.moves, move{at: w.now, minor: 50})
		}, adapter.ReconcileAgrees, 50, ""},
		{"more than was paid, where nobody else does", sole, func(t *testing.T, w *world) {
			w.add(t, topup, 300, true, accepted)
			w.moves = append(w.moves, move{at: w.now, minor: 50})
		}, adapter.ReconcileDiffers, 50, "0.50 that no payment explains"},
		{"in doubt, and there", sole, func(t *testing.T, w *world) {
			w.doubtful(t, topup, 100, true)
		}, adapter.ReconcileAgrees, 100, ""},
		{"in doubt, and not there", sole, func(t *testing.T, w *world) {
			w.doubtful(t, topup, 100, false)
		}, adapter.ReconcileAgrees, 0, ""},
		{"a refund", sole, func(t *testing.T, w *world) {
			w.add(t, topup, 300, true, accepted)
			w.add(t, refund, 100, true, accepted)
		}, adapter.ReconcileAgrees, 0, ""},
		{"a refund that lowers the income", sole, func(t *testing.T, w *world) {
			w.refundsReduce = true
			w.add(t, topup, 300, true, accepted)
			w.add(t, refund, 100, true, accepted)
		}, adapter.ReconcileAgrees, -100, ""},
		{"a refund that is not there", sole, func(t *testing.T, w *world) {
			w.add(t, topup, 300, true, accepted)
			w.add(t, refund, 100, false, accepted)
		}, adapter.ReconcileDiffers, 0, "refunds of 1.00"},
		{"a person was mistaken", nil, func(t *testing.T, w *world) {
			n := w.doubtful(t, topup, 100, false)
			step, err := w.payments[n-1].Resolved(adapter.Resolution{Confirm: true, Reason: "so", By: "Anna"}, policy, w.now)
			if err == nil {
				_, err = w.Apply(t.Context(), step)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, adapter.ReconcileDiffers, -100, "1.00 less"},
		{"no answer", nil, func(_ *testing.T, w *world) { w.fails = true }, adapter.ReconcileUnread, 0, "answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, d := daily(t, tt.config)
			date := k.now
			tt.scene(t, k.world)
			k.now = k.now.Add(48 * time.Hour)
			r, err := d.User(t.Context(), user, date)
			if err != nil || r.Result != tt.want || r.Difference.Minor() != tt.difference || !strings.Contains(r.Text, tt.says) || (r.Text == "") != (tt.want == adapter.ReconcileAgrees) {
				t.Errorf("%+v, %v; want %s, %d, %q", r, err, tt.want, tt.difference, tt.says)
			}
			if len(r.Payments) != len(k.payments) && tt.want != adapter.ReconcileUnread {
				t.Errorf("behind it are %v, of %d payments", r.Payments, len(k.payments))
			}
			if got := k.results["2026-11-01"]; got.Result != r.Result {
				t.Errorf("kept is %+v", got)
			}
		})
	}
}

// A night compares the last day that is over, makes up for nights that were missed, and asks
// again where there was no answer.
func TestNight(t *testing.T) {
	t.Parallel()
	k, d := daily(t, nil)
	night := func(want ...string) {
		t.Helper()
		before := map[string]adapter.Reconciliation{}
		for date, r := range k.results {
			before[date] = r
		}
		if err := d.Night(t.Context()); err != nil {
			t.Fatal(err)
		}
		var compared []string
		for date, r := range k.results {
			if !r.At.Equal(before[date].At) {
				compared = append(compared, date+" "+string(r.Result))
			}
		}
		slices.Sort(compared)
		if !slices.Equal(compared, want) {
			t.Errorf("compared %q; want %q", compared, want)
		}
	}
	pay := func() { k.add(t, adapter.TopUp, 100, true, adapter.Accepted) }
	pay()                             // 1 November
	k.now = k.now.Add(16 * time.Hour) // 2 November, 04:00
	night("2026-11-01 agrees")        // the first night looks no further back
	night()                           // again: there is nothing to do
	k.now = k.now.Add(8 * time.Hour)  // noon
	pay()                             // 2 November
	k.now = k.now.Add(24 * time.Hour) // the adapter is down for a night
	pay()                             // 3 November
	k.fails = true                    //
	k.now = k.now.Add(16 * time.Hour) // 4 November, 04:00
	night("2026-11-02 unread", "2026-11-03 unread")
	k.fails = false
	k.now = k.now.Add(24 * time.Hour) // nobody was active on the 4th, but those of the 3rd are near its edge
	night("2026-11-02 agrees", "2026-11-03 agrees", "2026-11-04 agrees")
	if n := len(k.runs); n != 4 || k.runs[n-1].Differ+k.runs[n-1].Unread != 0 || k.runs[n-1].Users != 1 {
		t.Errorf("runs %+v", k.runs)
	}
}

// Every night at its time, and never twice.
func TestNightly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		k, d := daily(t, func(c *reconcile.Config) {
			c.Nightly, c.Now = 4*time.Hour+30*time.Minute, time.Now
		})
		k.now = begin
		k.add(t, adapter.TopUp, 100, true, adapter.Accepted)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		time.Sleep(72*time.Hour + time.Minute)
		synctest.Wait()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(k.runs) != 3 {
			t.Errorf("%d runs in three nights: %+v", len(k.runs), k.runs)
		}
		for _, r := range k.runs {
			if r.At.Hour() != 4 || r.At.Minute() != 30 {
				t.Errorf("it ran at %s", r.At)
			}
		}
	})
}

// A run that was asked for waits until another replica has come to an end, and no other is
// taken meanwhile; there is nothing at night where nothing is wanted then.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		k, d := daily(t, func(c *reconcile.Config) { c.NoNights, c.Now = true, time.Now })
		k.now = begin
		k.add(t, adapter.TopUp, 100, true, adapter.Accepted)
		k.busy.Store(true)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		if p := d.Progress(); p != (adapter.ReconcileProgress{}) {
			t.Errorf("before anything was asked for: %+v", p)
		}
		if !d.Ask(begin) || d.Ask(begin) {
			t.Error("want one run to be taken, and no second beside it")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if p := d.Progress(); !p.Running || len(k.runs) != 0 {
			t.Errorf("while another replica compares: %+v, runs %+v", p, k.runs)
		}
		k.busy.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if p := d.Progress(); p.Running || p.Failed || p.Users != 1 || len(k.runs) != 1 || k.runs[0].Agree != 1 {
			t.Errorf("after it: %+v, runs %+v", p, k.runs)
		}
		k.storeErr = errors.New("the disk is full")
		if !d.Ask(begin.Add(-24 * time.Hour)) {
			t.Error("want another run to be taken")
		}
		synctest.Wait()
		if p := d.Progress(); p.Running || !p.Failed {
			t.Errorf("a run that failed: %+v", p)
		}
		k.storeErr = nil
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(k.runs) != 1 {
			t.Errorf("runs %+v; want no nightly ones", k.runs)
		}
	})
}

// With an honest platform and nothing in doubt, no day differs, whatever the zone is that the
// calendar does not know, and whoever else tops up or not.
func TestHonestDaysAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		k := &kept{world: w, results: map[string]adapter.Reconciliation{}}
		d := reconcile.NewDaily(k, k, reconcile.Config{Policy: policy, Sole: w.sole, Settle: settle, Now: func() time.Time { return w.now }, Log: silent})
		first := w.now
		rt.Repeat(map[string]func(*rapid.T){
			"pay": w.pay, "call": w.call, "call2": w.call, "spend": w.spend, "card": w.card, "wait": w.wait,
		})
		w.now = w.now.Add(72 * time.Hour)
		w.arrive()
		for at := first.Add(-24 * time.Hour); at.Before(w.now.Add(-36 * time.Hour)); at = at.Add(24 * time.Hour) {
			r, err := d.User(context.Background(), user, at)
			if err != nil || r.Result == adapter.ReconcileDiffers {
				rt.Fatalf("%+v, %v", r, err)
			}
		}
	})
}

func TestParseClock(t *testing.T) {
	t.Parallel()
	if got, err := reconcile.ParseClock("04:30"); got != 4*time.Hour+30*time.Minute || err != nil {
		t.Errorf("04:30 is %s, %v", got, err)
	}
	for _, text := range []string{"", "4", "24:00", "04:60", "04:30:00", "-1:00"} {
		if got, err := reconcile.ParseClock(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}
