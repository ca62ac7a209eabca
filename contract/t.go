package contract

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
)

// T is what a check acts through: the target, its users, and the ways to end. Its methods
// that end the check do so at once, as those of testing.T do; helpers that run side by side
// are started with parallel.
type T struct {
	ctx   context.Context
	env   *env
	check *Check
	dice  *dice
	users []*User

	mu        sync.Mutex // guards what follows
	exchanges []Exchange
	events    []Event
	failure   *Failure
	broken    error // the run itself
	skipped   Text  // why
	later     []func(context.Context) *Failure
	undo      []func(context.Context) // when the check has ended, the last first
	secrets   []string                // hidden in the report
}

// A Failure is a promise that was not kept.
type Failure struct {
	Want   string `json:"want" doc:"What was promised"`
	Got    string `json:"got" doc:"What was there instead"`
	WantRu string `json:"want_ru,omitempty" doc:"What was promised, in Russian"`
	GotRu  string `json:"got_ru,omitempty" doc:"What was there instead, in Russian"`
	// Exchange is the index of the exchange that broke it, -1 for none in particular.
	Exchange int `json:"exchange" doc:"Index of the exchange that broke it; -1 for none in particular"`
}

func failure(exchange int, want, got Text) *Failure {
	return &Failure{Want: want.En, Got: got.En, WantRu: want.Ru, GotRu: got.Ru, Exchange: exchange}
}

func (f *Failure) String() string { return "want " + f.Want + "; got " + f.Got }

// In returns what was promised and what was there instead, in a language: ru, or else English.
func (f *Failure) In(lang string) (want, got string) {
	if lang == "ru" {
		return cmp.Or(f.WantRu, f.Want), cmp.Or(f.GotRu, f.Got)
	}
	return f.Want, f.Got
}

// dice is the check's own chance. It is safe for concurrent use.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

// token returns n letters and digits.
func (d *dice) token(n int) string {
	const alphabet = "0123456789abcdef"
	d.mu.Lock()
	defer d.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[d.rng.IntN(len(alphabet))]
	}
	return string(b)
}

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(n)
}

// fresh returns 32 hexadecimal digits, as hashes and ids are, that nobody has: not even from
// a run with the same seed.
func (t *T) fresh() string {
	return (t.env.prefix[1:] + t.dice.token(integra.HashLen))[:integra.HashLen]
}

// record keeps an exchange for the report and returns its index.
func (t *T) record(x Exchange) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exchanges = append(t.exchanges, x)
	return len(t.exchanges) - 1
}

// happens notes what happens to the adapter.
func (t *T) happens(what Happening) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, Event{time.Now().UTC(), what})
}

// fail ends the check: a promise was not kept. The first failure counts.
func (t *T) fail(want, got Text) { t.failAt(-1, want, got) }

// failAt is fail that names the exchange which broke the promise.
func (t *T) failAt(exchange int, want, got Text) {
	t.mu.Lock()
	if t.failure == nil {
		t.failure = failure(exchange, want, got)
	}
	t.mu.Unlock()
	runtime.Goexit()
}

// set ends the check as an error of the run if err is not nil: the scene could not be set.
func (t *T) set(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	if t.broken == nil {
		t.broken = err
	}
	t.mu.Unlock()
	runtime.Goexit()
}

// skip ends the check: only on the way it turned out that the target cannot do this.
func (t *T) skip(why Text) {
	t.mu.Lock()
	t.skipped = why
	t.mu.Unlock()
	runtime.Goexit()
}

// ended tells whether the check has ended early.
func (t *T) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failure != nil || t.broken != nil || t.skipped != (Text{})
}

// parallel runs f(0) … f(n-1) at once and waits for all; an early end of one ends the check.
func (t *T) parallel(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
	if t.ended() {
		runtime.Goexit()
	}
}

// until asks, gently, until the answer is yes; state is what is seen meanwhile. After the
// limit the check fails with what was wanted and what was seen last.
func (t *T) until(limit time.Duration, want Text, ask func() (done bool, state Text)) {
	began := time.Now()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	pause := 2 * time.Millisecond
	for {
		done, state := ask()
		if done {
			t.env.waits.came(time.Since(began))
			return
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-deadline.C:
			again.Stop()
			t.env.waits.failed(limit)
			t.fail(want, say("%s (after %s, see limits.settle)", state, limit))
		case <-t.ctx.Done():
			again.Stop()
			t.stopped(want, state)
		}
		pause = min(pause*3/2, 100*time.Millisecond)
	}
}

// stopped ends a check whose time is over: its own limit is a failure, the run's end is not.
func (t *T) stopped(want, state Text) {
	if errors.Is(context.Cause(t.ctx), errCheckTime) {
		t.fail(want, say("%s (and the check's time is over, see limits.check)", state))
	}
	t.set(context.Cause(t.ctx))
}

// errCheckTime is the end of a check's own time.
var errCheckTime = errorf("the check took too long")

// atEnd has something looked at once more when the whole run is over: what must never happen
// may happen late. f returns nil if the promise was kept.
func (t *T) atEnd(f func(context.Context) *Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.later = append(t.later, f)
}

// cleanup has something undone when the check has ended, whatever it came to.
func (t *T) cleanup(f func(context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo = append(t.undo, f)
}

// ending is what a check came to.
type ending struct {
	failure   *Failure
	fault     error
	why       Text // what the fault says
	skipped   Text
	exchanges []Exchange
}

// ending returns what the check came to, with all exchanges in the order of time,
// secrets hidden.
func (t *T) ending() ending {
	t.mu.Lock()
	defer t.mu.Unlock()
	order := make([]int, len(t.exchanges))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &t.exchanges[a], &t.exchanges[b]
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(y.TookUS, x.TookUS)) // in one millisecond the cause outlasts its effect
	})
	e := ending{fault: t.broken, skipped: t.skipped, exchanges: make([]Exchange, len(order))}
	if t.broken != nil {
		e.why = textOf(t.broken)
	}
	if t.failure != nil {
		f := *t.failure
		f.Exchange = slices.Index(order, f.Exchange) // where it stands now
		e.failure = &f
	}
	for to, from := range order {
		e.exchanges[to] = t.exchanges[from]
	}
	t.hide(&e)
	return e
}
