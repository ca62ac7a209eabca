// Package clock keeps the stand-in's virtual time: it follows real time, runs N times as
// fast, or stands still and is moved by hand.
//
// Whatever happens "in ten seconds" is a Timer. Timers that fall due run one at a time, in
// the order of their due times (of equal ones, in the order in which they were set), so
// that a run can be repeated exactly. A timer's function must be quick; slow work, such as
// a call over the network, it hands to Go. Advance waits for that work at every instant
// where something fell due, before time moves on: when it returns, all that had to happen
// up to the new time has happened, and what it brought about too.
//
// A timer without delay is due at once, also while the clock stands still.
package clock

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// ErrInvalid is a setting or a step that no clock can follow; the text names it.
var ErrInvalid = errors.New("invalid clock")

// MaxRate bounds how much faster than real time a clock may run: a day in 86 seconds.
const MaxRate = 1_000

// MaxAdvance bounds one step: a hundred years.
const MaxAdvance = 100 * 365 * 24 * time.Hour

// State is how a clock stands. The zero State is real time.
type State struct {
	Now    time.Time // UTC; zero for the real time of the moment
	Frozen bool      // time moves by Advance and Set alone
	Rate   int       // virtual seconds per real second, 1…MaxRate; 0 means 1
}

// Change names what Set changes; nil keeps what is.
type Change struct {
	Now    *time.Time
	Frozen *bool
	Rate   *int
}

// Clock is virtual time. It is safe for concurrent use. It runs no goroutine while nothing
// is due; Close waits for those that it started.
type Clock struct {
	start State
	face  atomic.Pointer[face] // replaced under mu

	step chan struct{} // holds one token, for whoever runs what is due

	mu     sync.Mutex // guards what follows
	queue  queue
	seq    uint64
	alarm  *time.Timer   // set for the earliest timer of a running clock
	moving bool          // the token is taken: its holder sets the alarm when it is done
	busy   int           // goroutines of Go
	idle   chan struct{} // closed when busy falls to 0; nil unless somebody waits
	closed bool
}

// face turns real time into virtual time.
type face struct {
	base   time.Time // virtual time at anchor
	anchor time.Time // real time, with its monotonic reading
	frozen bool
	rate   int
}

func (f *face) now() time.Time {
	if f.frozen {
		return f.base
	}
	// No further than a Duration holds: at full rate that is 106 days of real time.
	passed := min(time.Since(f.anchor), math.MaxInt64/time.Duration(f.rate))
	return f.base.Add(passed * time.Duration(f.rate))
}

// at is the same face showing another time.
func (f *face) at(now time.Time) *face {
	return &face{base: now, anchor: time.Now(), frozen: f.frozen, rate: f.rate}
}

// New returns a clock in the given state, to which Reset goes back. Its error wraps ErrInvalid.
func New(start State) (*Clock, error) {
	if start.Rate == 0 {
		start.Rate = 1
	}
	if err := checkRate(start.Rate); err != nil {
		return nil, err
	}
	if y := start.Now.UTC().Year(); !start.Now.IsZero() && (y < 1970 || y > 2199) {
		return nil, fmt.Errorf("%w: the start %s is not between the years 1970 and 2199", ErrInvalid, start.Now.UTC().Format(time.RFC3339))
	}
	c := &Clock{start: start, step: make(chan struct{}, 1)}
	c.face.Store(start.face())
	return c, nil
}

func (s State) face() *face {
	f := &face{base: s.Now, anchor: time.Now(), frozen: s.Frozen, rate: s.Rate}
	if f.base.IsZero() {
		f.base = f.anchor
	}
	f.base = f.base.Round(0).UTC()
	return f
}

func checkRate(rate int) error {
	if rate < 1 || rate > MaxRate {
		return fmt.Errorf("%w: rate %d is not between 1 and %d", ErrInvalid, rate, MaxRate)
	}
	return nil
}

// Now is the virtual time, UTC.
func (c *Clock) Now() time.Time { return c.face.Load().now() }

// State tells how the clock stands.
func (c *Clock) State() State {
	f := c.face.Load()
	return State{Now: f.now(), Frozen: f.frozen, Rate: f.rate}
}

// A Timer is a function that waits for its time.
type Timer struct {
	clock *Clock
	due   time.Time // guarded by clock.mu
	seq   uint64
	place int // in the queue; -1 once it runs or is stopped
	run   func()
}

// Due is when the timer runs or ran, in virtual time; the zero time where there is none, for nil.
func (t *Timer) Due() time.Time {
	if t == nil {
		return time.Time{}
	}
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.due
}

// Stop keeps the timer from running, and reports whether it did. It does not wait for a
// function that runs already.
func (t *Timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.place < 0 {
		return false
	}
	heap.Remove(&t.clock.queue, t.place)
	return true
}

// AfterFunc runs f once d of virtual time has passed. f must be quick, since it holds up
// everything that is due after it, and must not move the clock. After Close nothing runs.
func (c *Clock) AfterFunc(d time.Duration, f func()) *Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set(c.Now().Add(max(d, 0)), f)
}

// At runs f once the clock shows that time, or at once if that is past; else it is AfterFunc.
func (c *Clock) At(due time.Time, f func()) *Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set(due, f)
}

// set wants mu held.
func (c *Clock) set(due time.Time, f func()) *Timer {
	c.seq++
	t := &Timer{clock: c, due: due, seq: c.seq, place: -1, run: f}
	if c.closed {
		return t
	}
	heap.Push(&c.queue, t)
	if t.place == 0 {
		c.setAlarm()
	}
	return t
}

// Go runs f on a goroutine of its own, for which Advance and Close wait. After Close it
// does nothing.
func (c *Clock) Go(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.busy++
	go func() {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.busy--
			if c.busy == 0 && c.idle != nil {
				close(c.idle)
				c.idle = nil
			}
		}()
		f()
	}()
}

// Pending is the number of timers that wait for their time.
func (c *Clock) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// Advance moves the clock by d and runs everything that falls due on the way, in order:
// at each instant the timers, then, once the work that they handed to Go is done, whatever
// they set for the same instant, and only then the next one. Work that was in progress
// before is waited for first. A clock that runs is put forward by d.
//
// When ctx ends first, its error is returned and the clock stays where it got to. The
// error of a negative or absurd d wraps ErrInvalid.
func (c *Clock) Advance(ctx context.Context, d time.Duration) error {
	if d < 0 || d > MaxAdvance {
		return fmt.Errorf("%w: a step of %s is not between 0 and %s", ErrInvalid, d, MaxAdvance)
	}
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.give()
	return c.advanceTo(ctx, c.Now().Add(d))
}

// Set changes how the clock stands. A later Now is reached as by Advance. An earlier Now
// takes the timers back with it: each keeps the time that it still had to wait. Without a
// Now nothing is waited for, so that work of Go may freeze and release the clock as well.
// Its error wraps ErrInvalid, when nothing was changed, or is ctx's.
func (c *Clock) Set(ctx context.Context, change Change) error {
	if change.Rate != nil {
		if err := checkRate(*change.Rate); err != nil {
			return err
		}
	}
	if n := change.Now; n != nil && (n.Before(time.Unix(0, 0)) || n.Sub(c.Now()) > MaxAdvance) {
		return fmt.Errorf("%w: time %s is not between 1970 and a hundred years from now", ErrInvalid, n.UTC().Format(time.RFC3339))
	}
	if change.Now == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.face.Store(c.turned(change))
		c.setAlarm()
		return nil
	}
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.give()
	c.mu.Lock()
	f := c.turned(change)
	if n := change.Now; n.Before(f.base) {
		back := n.Sub(f.base)
		f.base = n.Round(0).UTC()
		for _, t := range c.queue {
			t.due = t.due.Add(back)
		}
	}
	c.face.Store(f)
	c.mu.Unlock()
	return c.advanceTo(ctx, change.Now.Round(0).UTC())
}

// turned is the face of the moment, frozen or released and at another rate. It wants mu held.
func (c *Clock) turned(change Change) *face {
	f := c.face.Load()
	f = f.at(f.now())
	if change.Frozen != nil {
		f.frozen = *change.Frozen
	}
	if change.Rate != nil {
		f.rate = *change.Rate
	}
	return f
}

// Reset drops every timer and goes back to the state that New was given. Work of Go goes on.
func (c *Clock) Reset() { c.dropTo(c.start.face) }

func (c *Clock) dropTo(show func() *face) {
	_ = c.take(context.Background())
	defer c.give()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.queue {
		t.place = -1
	}
	c.queue = nil
	c.face.Store(show())
}

// Restore drops every timer and goes to a state that State gave, which leaves that of Reset
// as it is. Its error wraps ErrInvalid, when nothing was changed.
func (c *Clock) Restore(s State) error {
	if s.Rate == 0 {
		s.Rate = 1
	}
	if err := checkRate(s.Rate); err != nil {
		return err
	}
	c.dropTo(s.face)
	return nil
}

// Close drops every timer and waits for the work that runs. Its owner makes that work end.
func (c *Clock) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.Reset()
	_ = c.wait(context.Background())
}

// take makes the caller the one who runs what is due; give ends that and sets the alarm.
func (c *Clock) take(ctx context.Context) error {
	select {
	case c.step <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moving = true
	return nil
}

func (c *Clock) give() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moving = false
	c.setAlarm()
	<-c.step
}

// setAlarm makes the clock ring when its earliest timer falls due, unless somebody is at
// it already or time stands still before it. It wants mu held.
func (c *Clock) setAlarm() {
	if c.moving {
		return
	}
	if c.alarm != nil {
		c.alarm.Stop()
		c.alarm = nil
	}
	if c.closed || len(c.queue) == 0 {
		return
	}
	f := c.face.Load()
	wait := c.queue[0].due.Sub(f.now())
	switch {
	case wait <= 0:
		wait = 0
	case f.frozen:
		return
	default: // rounded up, so that the timer is due when the alarm rings
		wait = (wait-1)/time.Duration(f.rate) + 1
	}
	c.alarm = time.AfterFunc(wait, c.ring)
}

// ring runs what is due by now. The work handed to Go goes on meanwhile: on a running
// clock nobody waits for a partner that is slow to answer. What falls due while it runs waits
// for the next ring, so that timers which follow each other faster than they run keep nobody
// from moving the clock.
func (c *Clock) ring() {
	_ = c.take(context.Background())
	defer c.give()
	for now := c.Now(); c.runNext(now); {
	}
}

// advanceTo runs everything up to target; the caller holds the token.
func (c *Clock) advanceTo(ctx context.Context, target time.Time) error {
	for {
		if err := c.wait(ctx); err != nil {
			return err
		}
		if instant, ok := c.earliest(); ok && !instant.After(c.Now()) {
			for c.runNext(instant) {
			}
			continue // they may have handed work to Go, also when a running clock is past the next instant
		}
		if !c.moveOn(target) {
			return nil
		}
	}
}

// earliest is the due time of the timer that is due first.
func (c *Clock) earliest() (due time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return time.Time{}, false
	}
	return c.queue[0].due, true
}

// runNext runs the earliest timer if it is due by now, and reports whether there was one.
func (c *Clock) runNext(now time.Time) bool {
	c.mu.Lock()
	if len(c.queue) == 0 || c.queue[0].due.After(now) {
		c.mu.Unlock()
		return false
	}
	t := heap.Pop(&c.queue).(*Timer)
	c.mu.Unlock()
	t.run()
	return true
}

// moveOn puts the clock at the next instant where something is due, or else at target, and
// reports whether something is due there.
func (c *Clock) moveOn(target time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, due := target, false
	if len(c.queue) > 0 && !c.queue[0].due.After(target) {
		next, due = c.queue[0].due, true
	}
	if f := c.face.Load(); next.After(f.now()) { // a running clock may have got there by itself
		c.face.Store(f.at(next))
	}
	return due
}

// wait returns when no work of Go is in progress.
func (c *Clock) wait(ctx context.Context) error {
	c.mu.Lock()
	if c.busy == 0 {
		c.mu.Unlock()
		return ctx.Err()
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queue is a heap of timers, earliest first; it keeps each timer's place up to date.
type queue []*Timer

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].seq < q[j].seq
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push is for container/heap.
func (q *queue) Push(x any) {
	t := x.(*Timer)
	t.place = len(*q)
	*q = append(*q, t)
}

// Pop is for container/heap.
func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	t.place = -1
	*q = old[:len(old)-1]
	return t
}
