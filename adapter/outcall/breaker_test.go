package outcall_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
