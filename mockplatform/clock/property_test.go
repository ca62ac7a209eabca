package clock_test

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

// act is something that is done to a clock, or to one of its timers, after a real pause.
type act struct {
	Do    string
	Pause time.Duration // real
	D     time.Duration
	Rate  int
	Timer int
}

func acts(t *rapid.T) []act {
	short := rapid.OneOf(rapid.Just(time.Duration(0)), rapid.Map(rapid.Int64Range(1, 7200_000), func(ms int64) time.Duration {
		return time.Duration(ms)*time.Millisecond + time.Duration(ms%7)
	}))
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) act {
		return act{
			Do:    rapid.SampledFrom([]string{"set", "set", "set", "stop", "freeze", "run", "rate", "advance", "later", "earlier"}).Draw(t, "do"),
			Pause: short.Draw(t, "pause") / 60,
			D:     short.Draw(t, "d"),
			Rate:  rapid.SampledFrom([]int{1, 2, 60, 999, clock.MaxRate}).Draw(t, "rate"),
			Timer: rapid.IntRange(0, 30).Draw(t, "timer"),
		}
	}), 1, 60).Draw(t, "acts")
}

// TestRateChanges: however a clock is frozen, released, sped up, put forward and back while
// timers wait, each of them runs once, at its time and in its turn, unless it was stopped.
// Real time stands still within the bubble unless everything waits, so times are exact.
func TestRateChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		list := acts(rt)
		var wrong string
		synctest.Test(t, func(*testing.T) { wrong = play(list) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// set is a timer that was set, and what became of it.
type set struct {
	timer   *clock.Timer
	ran     int
	stopped bool
}

// play does what the list says and returns what went wrong.
func play(list []act) (wrong string) {
	var mu sync.Mutex // guards what timers look at
	complain := func(format string, args ...any) { wrong = cmp.Or(wrong, fmt.Sprintf(format, args...)) }
	c, err := clock.New(clock.State{Now: start})
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	var all []*set
	var latest time.Time // due time of the timer that ran last
	rate := 1
	var add func(d time.Duration, children int)
	add = func(d time.Duration, children int) {
		mu.Lock() // without delay it runs before AfterFunc returns
		defer mu.Unlock()
		one := &set{}
		all = append(all, one)
		one.timer = c.AfterFunc(d, func() {
			if children > 0 {
				defer add(d/2, children-1)
			}
			mu.Lock()
			defer mu.Unlock()
			one.ran++
			now, due := c.Now(), one.timer.Due()
			// A running clock rings no finer than a real nanosecond.
			if late := now.Sub(due); late < 0 || late > time.Duration(rate) {
				complain("a timer due at %s ran at %s, rate %d", due, now, rate)
			}
			if due.Before(latest) {
				complain("a timer due at %s ran after one due at %s", due, latest)
			}
			latest = due
		})
	}
	change := func(a act, change clock.Change) {
		before := c.Now()
		if err := c.Set(context.Background(), change); err != nil {
			complain("%+v: %v", a, err)
		}
		want := before
		if change.Now != nil {
			want = *change.Now
		}
		if !c.Now().Equal(want) {
			complain("%+v: the clock shows %s; want %s", a, c.Now(), want)
		}
	}
	faster := func(to int) { // before it is so, for what rings at once
		mu.Lock()
		defer mu.Unlock()
		rate = to
	}
	for _, a := range list {
		before := c.State()
		time.Sleep(a.Pause)
		synctest.Wait()
		passed := a.Pause * time.Duration(before.Rate)
		if before.Frozen {
			passed = 0
		}
		if got := c.Now().Sub(before.Now); got != passed {
			complain("within %s at rate %d, frozen %v, the clock moved by %s", a.Pause, before.Rate, before.Frozen, got)
		}
		switch a.Do {
		case "set":
			add(a.D, a.Timer%3)
		case "stop":
			mu.Lock()
			if a.Timer < len(all) {
				one := all[a.Timer]
				if one.timer.Stop() {
					one.stopped = true
				} else if one.ran == 0 && !one.stopped {
					complain("a timer that waits could not be stopped")
				}
			}
			mu.Unlock()
		case "freeze":
			change(a, clock.Change{Frozen: new(true)})
		case "run":
			faster(a.Rate)
			change(a, clock.Change{Frozen: new(false), Rate: new(a.Rate)})
		case "rate":
			faster(a.Rate)
			change(a, clock.Change{Rate: new(a.Rate)})
		case "advance":
			at := c.Now()
			if err := c.Advance(context.Background(), a.D); err != nil {
				complain("%+v: %v", a, err)
			}
			if got := c.Now().Sub(at); got != a.D {
				complain("%+v moved the clock by %s", a, got)
			}
		case "later":
			change(a, clock.Change{Now: new(c.Now().Add(a.D))})
		case "earlier":
			mu.Lock()
			latest = time.Time{}
			mu.Unlock()
			change(a, clock.Change{Now: new(c.Now().Add(-a.D))})
		}
		synctest.Wait()
	}
	change(act{Do: "freeze"}, clock.Change{Frozen: new(true)})
	if err := c.Advance(context.Background(), 100*time.Hour); err != nil {
		complain("%v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, one := range all {
		if one.stopped == (one.ran > 0) || one.ran > 1 {
			complain("timer %d ran %d times, stopped %v", i, one.ran, one.stopped)
		}
	}
	if n := c.Pending(); n != 0 {
		complain("%d timers still wait", n)
	}
	return wrong
}
