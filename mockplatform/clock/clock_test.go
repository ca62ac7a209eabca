package clock_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 1, 31, 23, 59, 0, 0, time.UTC)

func frozen(t interface {
	Fatal(...any)
	Cleanup(func())
},
) *clock.Clock {
	c, err := clock.New(clock.State{Now: start, Frozen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAdvanceRunsWhatFallsDueInOrder(t *testing.T) {
	t.Parallel()
	c := frozen(t)
	var ran []string
	note := func(name string) func() {
		return func() { ran = append(ran, fmt.Sprintf("%s at %s", name, c.Now().Sub(start))) }
	}
	c.AfterFunc(3*time.Second, note("third"))
	c.AfterFunc(time.Second, func() {
		note("first")()
		c.AfterFunc(time.Second, note("set by the first"))
	})
	c.AfterFunc(2*time.Second, note("second"))
	c.AfterFunc(11*time.Second, note("too late"))
	c.AfterFunc(time.Second, note("stopped")).Stop()
	if err := c.Advance(t.Context(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	want := []string{"first at 1s", "second at 2s", "set by the first at 2s", "third at 3s"}
	if diff := gocmp.Diff(want, ran); diff != "" {
		t.Errorf("ran (-want +got):\n%s", diff)
	}
	if got, want := c.Now(), start.Add(10*time.Second); !got.Equal(want) {
		t.Errorf("now %s, want %s", got, want)
	}
}

func TestAdvanceWaitsForWorkBeforeTimeMovesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := frozen(t)
		var done []time.Duration
		var mu sync.Mutex
		work := func() {
			time.Sleep(4 * time.Second) // real time, which is slower than virtual time here
			mu.Lock()
			defer mu.Unlock()
			done = append(done, c.Now().Sub(start))
		}
		c.Go(work) // in progress when the clock is moved
		c.AfterFunc(time.Second, func() {
			c.Go(func() {
				work()
				c.AfterFunc(time.Second, func() { c.Go(work) }) // as a retry does
			})
		})
		if err := c.Advance(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff([]time.Duration{0, time.Second, 2 * time.Second}, done); diff != "" {
			t.Errorf("work ended at (-want +got):\n%s", diff)
		}
	})
}

// A running clock gets ahead of what falls due while work is waited for; the instants still
// come one at a time.
func TestAdvanceOfARunningClockKeepsTheInstantsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := clock.New(clock.State{Rate: 60})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var working atomic.Int32
		for minute := range time.Duration(3) {
			c.AfterFunc(time.Minute*(1+minute), func() {
				if n := working.Load(); n > 0 {
					t.Errorf("minute %d came while the work of %d before it went on", 1+minute, n)
				}
				working.Add(1)
				c.Go(func() {
					defer working.Add(-1)
					time.Sleep(10 * time.Second) // ten minutes of this clock
				})
			})
		}
		if err := c.Advance(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAdvanceGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := frozen(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.AfterFunc(time.Second, func() { c.Go(func() { time.Sleep(time.Hour) }) })
		c.AfterFunc(2*time.Second, func() { t.Error("ran before the work of the instant before it was done") })
		if err := c.Advance(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
		if got, want := c.Now(), start.Add(time.Second); !got.Equal(want) {
			t.Errorf("now %s, want %s", got, want)
		}
		c.Reset()
	})
}

func TestWithoutDelayRunsAlsoWhileFrozen(t *testing.T) {
	t.Parallel()
	c := frozen(t)
	ran := make(chan struct{})
	c.AfterFunc(0, func() { close(ran) })
	<-ran
}

func TestRunningClock(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 60} {
		t.Run(fmt.Sprint("rate ", rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, err := clock.New(clock.State{Rate: rate})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				begin, real := c.Now(), time.Now()
				var ran []time.Duration
				for _, d := range []time.Duration{time.Hour, time.Minute, 90 * time.Second} {
					c.AfterFunc(d, func() { ran = append(ran, c.Now().Sub(begin)) })
				}
				time.Sleep(2 * time.Hour / time.Duration(rate))
				synctest.Wait()
				if diff := gocmp.Diff([]time.Duration{time.Minute, 90 * time.Second, time.Hour}, ran); diff != "" {
					t.Errorf("ran (-want +got):\n%s", diff)
				}
				if got, want := c.Now().Sub(begin), time.Since(real)*time.Duration(rate); got != want {
					t.Errorf("%s went by, want %s", got, want)
				}
			})
		})
	}
}

func TestRunningClockIsNotHeldUpByWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := clock.New(clock.State{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var ran atomic.Bool
		c.AfterFunc(time.Second, func() { c.Go(func() { time.Sleep(time.Hour) }) })
		c.AfterFunc(2*time.Second, func() { ran.Store(true) })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !ran.Load() {
			t.Error("a timer waited for work that is in progress")
		}
	})
}

func TestSet(t *testing.T) {
	t.Parallel()
	ptr := func(at time.Time) *time.Time { return &at }
	yes, no, sixty, zero := true, false, 60, 0
	tests := []struct {
		name    string
		change  clock.Change
		want    clock.State
		ran     bool // a timer one minute after the start
		pending int
		err     error
	}{
		{"nothing", clock.Change{}, clock.State{Now: start, Frozen: true, Rate: 1}, false, 1, nil},
		{"later, over the timer", clock.Change{Now: ptr(start.Add(time.Hour))}, clock.State{Now: start.Add(time.Hour), Frozen: true, Rate: 1}, true, 0, nil},
		{"later, before the timer", clock.Change{Now: ptr(start.Add(time.Second))}, clock.State{Now: start.Add(time.Second), Frozen: true, Rate: 1}, false, 1, nil},
		{"earlier", clock.Change{Now: ptr(start.Add(-time.Hour))}, clock.State{Now: start.Add(-time.Hour), Frozen: true, Rate: 1}, false, 1, nil},
		{"rate", clock.Change{Rate: &sixty, Frozen: &yes}, clock.State{Now: start, Frozen: true, Rate: 60}, false, 1, nil},
		{"running", clock.Change{Frozen: &no, Rate: &sixty}, clock.State{Now: start, Rate: 60}, false, 1, nil},
		{"rate 0", clock.Change{Rate: &zero, Frozen: &no}, clock.State{Now: start, Frozen: true, Rate: 1}, false, 1, clock.ErrInvalid},
		{"before 1970", clock.Change{Now: ptr(time.Unix(-1, 0)), Frozen: &no}, clock.State{Now: start, Frozen: true, Rate: 1}, false, 1, clock.ErrInvalid},
		{"far away", clock.Change{Now: ptr(start.AddDate(101, 0, 0)), Frozen: &no}, clock.State{Now: start, Frozen: true, Rate: 1}, false, 1, clock.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := frozen(t)
				var ran bool
				c.AfterFunc(time.Minute, func() { ran = true })
				if err := c.Set(t.Context(), tt.change); !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if diff := gocmp.Diff(tt.want, c.State()); diff != "" {
					t.Errorf("state (-want +got):\n%s", diff)
				}
				if ran != tt.ran || c.Pending() != tt.pending {
					t.Errorf("ran %v with %d pending, want %v with %d", ran, c.Pending(), tt.ran, tt.pending)
				}
			})
		})
	}
}

// A timer keeps the time that it has to wait when the clock is put back.
func TestSetEarlierTakesTimersBack(t *testing.T) {
	t.Parallel()
	c := frozen(t)
	ran := 0
	c.AfterFunc(time.Minute, func() { ran++ })
	back := start.AddDate(-1, 0, 0)
	if err := c.Set(t.Context(), clock.Change{Now: &back}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{0, 1} {
		if err := c.Advance(t.Context(), 30*time.Second); err != nil {
			t.Fatal(err)
		}
		if ran != want {
			t.Errorf("ran %d times by %s, want %d", ran, c.Now().Sub(back), want)
		}
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	c := frozen(t)
	timer := c.AfterFunc(time.Minute, func() { t.Error("ran after Reset") })
	if err := c.Advance(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	c.Reset()
	if timer.Stop() {
		t.Error("a dropped timer was stopped")
	}
	if err := c.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, want := c.Now(), start.Add(time.Hour); !got.Equal(want) {
		t.Errorf("now %s, want %s", got, want)
	}
}

func TestNothingRunsAfterClose(t *testing.T) {
	t.Parallel()
	c := frozen(t)
	c.Close()
	c.AfterFunc(0, func() { t.Error("a timer ran") })
	c.Go(func() { t.Error("work ran") })
	if err := c.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	c.Close() // once more is fine
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{-1, clock.MaxRate + 1} {
		if _, err := clock.New(clock.State{Rate: rate}); !errors.Is(err, clock.ErrInvalid) {
			t.Errorf("New with rate %d: %v, want ErrInvalid", rate, err)
		}
	}
	for _, year := range []int{0, 1969, 2200} {
		if _, err := clock.New(clock.State{Now: time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)}); !errors.Is(err, clock.ErrInvalid) {
			t.Errorf("New in the year %d: %v, want ErrInvalid", year, err)
		}
	}
	c := frozen(t)
	for _, d := range []time.Duration{-1, clock.MaxAdvance + 1} {
		if err := c.Advance(t.Context(), d); !errors.Is(err, clock.ErrInvalid) {
			t.Errorf("Advance(%d): %v, want ErrInvalid", d, err)
		}
	}
}

// Whatever is set, stopped and advanced in whatever way, timers run exactly once, in order,
// at their own time, and those that were stopped never.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	type ran struct {
		timer int
		at    time.Duration
	}
	rapid.Check(t, func(t *rapid.T) {
		c := frozen(rapidTB{t})
		var got []ran
		var want []ran
		timers := map[int]*clock.Timer{}
		due := map[int]time.Duration{}
		now, n := time.Duration(0), 0
		delay := rapid.Map(rapid.IntRange(1, 20), func(n int) time.Duration { return time.Duration(n) * time.Second })
		// A timer may set another one when it runs; children[n] is the delay of n's child.
		children := map[int]time.Duration{}
		var set func(d time.Duration)
		set = func(d time.Duration) {
			n++
			id := n
			due[id] = c.Now().Sub(start) + d
			timers[id] = c.AfterFunc(d, func() {
				got = append(got, ran{id, c.Now().Sub(start)})
				if d, ok := children[id]; ok {
					set(d)
				}
			})
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "with child") {
					children[n+1] = delay.Draw(t, "delay of the child")
				}
				set(delay.Draw(t, "delay"))
			},
			"stop": func(t *rapid.T) {
				if n == 0 {
					t.Skip("no timer")
				}
				id := rapid.IntRange(1, n).Draw(t, "timer")
				pending := due[id] > now
				if _, gone := due[id]; !gone {
					pending = false
				}
				if stopped := timers[id].Stop(); stopped != pending {
					t.Fatalf("Stop of timer %d due at %s: %v at %s", id, due[id], stopped, now)
				}
				if pending {
					delete(due, id)
				}
			},
			"advance": func(t *rapid.T) {
				step := time.Duration(rapid.IntRange(0, 30).Draw(t, "seconds")) * time.Second
				if err := c.Advance(context.Background(), step); err != nil {
					t.Fatal(err)
				}
				now += step
			},
			"": func(t *rapid.T) {
				want = want[:0]
				for id, at := range due {
					if at <= now {
						want = append(want, ran{id, at})
					}
				}
				// Of equal times the first set runs first: ids are in the order of setting.
				slices.SortFunc(want, func(a, b ran) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.timer, b.timer)) })
				if !slices.Equal(got, want) {
					t.Fatalf("by %s ran %v, want %v", now, got, want)
				}
			},
		})
	})
}

// rapidTB closes a clock with the check; rapid.T has its own way to clean up.
type rapidTB struct{ *rapid.T }

func (t rapidTB) Cleanup(f func()) { t.T.Cleanup(f) }

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c, err := clock.New(clock.State{Rate: clock.MaxRate})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var ran atomic.Int64
	var users sync.WaitGroup
	const each = 200
	for range 4 {
		users.Go(func() {
			for i := range each {
				c.AfterFunc(time.Duration(i)*time.Millisecond, func() { c.Go(func() { ran.Add(1) }) })
				if i%20 == 0 {
					if err := c.Advance(t.Context(), time.Second); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	users.Wait()
	if err := c.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := ran.Load(); got != 4*each {
		t.Errorf("%d ran, want %d", got, 4*each)
	}
}

// Work may freeze and release the clock, also while somebody waits for it to end.
func TestSetWithinWork(t *testing.T) {
	t.Parallel()
	c, err := clock.New(clock.State{Now: start, Frozen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.AfterFunc(time.Minute, func() {
		c.Go(func() {
			if err := c.Set(t.Context(), clock.Change{Rate: new(60)}); err != nil {
				t.Error(err)
			}
		})
	})
	within, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Advance(within, time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, want := c.State(), (clock.State{Now: start.Add(time.Hour), Frozen: true, Rate: 60}); got != want {
		t.Errorf("state %+v, want %+v", got, want)
	}
}

// A time is kept to the nanosecond, however fast the clock runs meanwhile.
func TestAt(t *testing.T) {
	t.Parallel()
	c, err := clock.New(clock.State{Now: start, Rate: clock.MaxRate})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var ran atomic.Int32
	later := c.At(start.Add(240*time.Hour), func() { ran.Add(1) })
	if got := later.Due().Sub(start); got != 240*time.Hour {
		t.Errorf("due after %s", got)
	}
	c.At(start.Add(-time.Hour), func() { ran.Add(10) })
	if err := c.Advance(t.Context(), 0); err != nil || ran.Load() != 10 {
		t.Errorf("%d ran at once: %v", ran.Load(), err)
	}
	if err := c.Advance(t.Context(), 240*time.Hour); err != nil || ran.Load() != 11 {
		t.Errorf("%d ran in the end: %v", ran.Load(), err)
	}
}
