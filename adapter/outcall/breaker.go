package outcall

import (
	"cmp"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// BreakerConfig is when a platform is left alone; zero fields take the defaults.
type BreakerConfig struct {
	Failures int           // calls in a row without an answer; 20
	Pause    time.Duration // before one call tries again; 10 s
	// OnChange is told when the platform is left alone, and when it answers again. It must not wait.
	OnChange func(paused bool)
}

// A Breaker leaves a platform alone that does not answer: after so many calls in a row without
// an answer none is made for a while; then one tries, and if it is answered, all may again. A
// refusal is an answer. It is safe for concurrent use; nil lets every call pass.
type Breaker struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	trying  atomic.Int64 // calls under way, counted while half open
}

var errUnanswered = errors.New("no answer")

// NewBreaker returns a breaker that lets calls pass.
func NewBreaker(cfg BreakerConfig) *Breaker {
	cfg.Failures = cmp.Or(cfg.Failures, 20)
	cfg.Pause = cmp.Or(cfg.Pause, 10*time.Second)
	return &Breaker{breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     cfg.Pause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(cfg.Failures) }, //nolint:gosec // a small number
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case cfg.OnChange == nil:
			case from == gobreaker.StateClosed:
				cfg.OnChange(true)
			case to == gobreaker.StateClosed:
				cfg.OnChange(false)
			}
		},
	})}
}

// Enter asks for leave to make a call; done must then be told whether it was answered.
func (b *Breaker) Enter() (done func(answered bool), ok bool) {
	if b == nil {
		return func(bool) {}, true
	}
	report, err := b.breaker.Allow()
	if err != nil {
		return nil, false
	}
	b.trying.Add(1)
	return func(answered bool) {
		b.trying.Add(-1)
		if answered {
			report(nil)
		} else {
			report(errUnanswered)
		}
	}, true
}

// Room is how many calls may be made now past all of them; negative for any number.
func Room(breakers ...*Breaker) int {
	least := -1
	for _, b := range breakers {
		if room := b.Room(); room >= 0 && (least < 0 || room < least) {
			least = room
		}
	}
	return least
}

// Room is how many calls may be made now; negative for any number.
func (b *Breaker) Room() int {
	if b == nil {
		return -1
	}
	switch b.breaker.State() {
	case gobreaker.StateOpen:
		return 0
	case gobreaker.StateHalfOpen:
		return int(max(0, 1-b.trying.Load()))
	}
	return -1
}
