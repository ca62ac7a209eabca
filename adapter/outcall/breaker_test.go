package outcall_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/outcall"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changes []bool
		b := outcall.NewBreaker(outcall.BreakerConfig{Failures: 3, Pause: 10 * time.Second, OnChange: func(paused bool) { changes = append(changes, paused) }})
		call := func(answered bool) {
			t.Helper()
			done, ok := b.Enter()
			if !ok {
				t.Fatal("the call may not be made")
			}
			done(answered)
		}
		room := func(want int) {
			t.Helper()
			if got := b.Room(); got != want {
				t.Errorf("room for %d, want %d", got, want)
			}
		}
		for _, answered := range []bool{false, false, true, false, false} { // never three in a row
			call(answered)
		}
		room(-1)
		call(false)
		room(0)
		if _, ok := b.Enter(); ok {
			t.Error("a platform that is left alone was called")
		}
		time.Sleep(10*time.Second + 1) // virtual
		room(1)
		probe, ok := b.Enter()
		if !ok {
			t.Fatal("nobody may try again")
		}
		room(0)
		if _, ok := b.Enter(); ok {
			t.Error("two try at once")
		}
		probe(false)
		room(0)
		time.Sleep(10*time.Second + 1)
		call(true)
		room(-1)
		if !slices.Equal(changes, []bool{true, false}) {
			t.Errorf("told of %v; want one pause and its end", changes)
		}
	})
}

func TestNoBreakerLetsAllPass(t *testing.T) {
	t.Parallel()
	var b *outcall.Breaker
	done, ok := b.Enter()
	if !ok || b.Room() != -1 {
		t.Errorf("Enter %v, room %d", ok, b.Room())
	}
	done(false)
}

func TestBreakerUnderManyCallers(t *testing.T) {
	t.Parallel()
	b := outcall.NewBreaker(outcall.BreakerConfig{Failures: 5, Pause: time.Hour})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if done, ok := b.Enter(); ok {
					done(false)
				}
			}
		})
	}
	wg.Wait()
	if b.Room() != 0 {
		t.Errorf("room for %d after 1600 failures", b.Room())
	}
}

func TestRoomOfSeveral(t *testing.T) {
	t.Parallel()
	open, closed := outcall.NewBreaker(outcall.BreakerConfig{Failures: 1, Pause: time.Hour}), outcall.NewBreaker(outcall.BreakerConfig{})
	if done, ok := open.Enter(); ok {
		done(false)
	}
	for want, breakers := range map[int][]*outcall.Breaker{-1: {nil, closed}, 0: {closed, open, nil}} {
		if got := outcall.Room(breakers...); got != want {
			t.Errorf("room for %d, want %d", got, want)
		}
	}
}

// A call is made within a span, observed, timed and reported; one that is not made is not.
func TestWatch(t *testing.T) {
	t.Parallel()
	var told []string
	w := outcall.Watch{
		Breaker: outcall.NewBreaker(outcall.BreakerConfig{Failures: 1, Pause: time.Hour}),
		Span: func(ctx context.Context, name string) (context.Context, func(error)) {
			told = append(told, "begin "+name)
			return ctx, func(err error) { told = append(told, fmt.Sprint("end ", err)) }
		},
		Observe: func(method string, o adapter.Outcome) { told = append(told, method+" "+string(o.Verdict)) },
		Now:     func() func() time.Time { n := int64(0); return func() time.Time { n++; return time.Unix(n, 0) } }(),
	}
	for _, v := range []adapter.Verdict{adapter.Refused, adapter.Unknown, adapter.Held} {
		o := w.Call(t.Context(), "m", func(context.Context) adapter.Outcome { return adapter.Outcome{Verdict: v, Code: 7, Detail: "a\nb"} })
		if o.Verdict != v || v != adapter.Held && (o.Took != time.Second || o.Detail != "a b") {
			t.Errorf("%+v; want %s", o, v)
		}
	}
	if want := []string{"begin m", "end refused: 7 a b", "m refused", "begin m", "end unknown: 7 a b", "m unknown"}; !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
}
