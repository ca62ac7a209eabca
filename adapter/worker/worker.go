// Package worker carries accepted payments through: it reserves, calls the platform,
// captures or releases, waits and tries again, and takes over what a dead process held.
// Where the partner's own billing keeps the funds, it calls that as well.
//
// The row is the job. A payment that came while there was room is worked on at once by the
// process that accepted it; everything else (overflow, retries, what others left behind) is
// claimed from the store when it falls due. Every step is conditional on the version that
// was read, so whoever finds a payment changed stops.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/partnerkit/partnerkit/adapter"
)

// Store is what the pool needs of the store.
type Store interface {
	// Apply writes a step, or its Short, and returns the payment after it; adapter.ErrLost
	// if the payment was changed since it was read.
	Apply(ctx context.Context, s adapter.Step) (adapter.Payment, error)
	// Claim leases up to n due payments to this process.
	Claim(ctx context.Context, n int) ([]adapter.Payment, error)
	// NextDue is when the next payment falls due or a lease ends; false when there is none.
	NextDue(ctx context.Context) (time.Time, bool, error)
	// Wake fires when free work may be due.
	Wake() <-chan struct{}
}

// Platform makes the one call that a payment's kind and state ask for.
type Platform interface {
	Call(ctx context.Context, p adapter.Payment) adapter.Outcome
}

// Funds makes the moves of funds that are kept outside of the store. It may be asked for the
// same move of the same payment any number of times.
type Funds interface {
	Move(ctx context.Context, move adapter.Move, p adapter.Payment) adapter.Outcome
}

// Users tells whether we know a user.
type Users interface {
	// Refuses returns why money of the user is not asked for (adapter.ReasonUnknownUser or
	// ReasonArchived), or "".
	Refuses(ctx context.Context, user string) (reason string, err error)
}

// Config is how a pool works; zero fields take the defaults.
type Config struct {
	Policy      adapter.Policy
	Funds       Funds            // required if, and only if, the policy says that billing keeps the funds
	Workers     int              // payments worked on at once; 64
	ReceiveOnly bool             // accepts are stored free for other replicas; nothing is claimed
	Queue       int              // accepted payments that may wait for a worker in memory; 64
	CallTimeout time.Duration    // one call to the platform, shorter than the lease; 5 s
	Admission   time.Duration    // how long an accept may wait for a place while others finish; 25 ms
	Poll        time.Duration    // how often the store is asked for due work at least; 500 ms
	Grace       time.Duration    // how long running work may take to finish when stopping; 10 s
	Now         func() time.Time // time.Now
	Log         *slog.Logger     // slog.Default
	// Room is how many calls the platform and the billing may be asked now, negative for any number. While it is 0,
	// payments stay where they are: none is claimed, and accepts are stored free. nil is no limit.
	Room func() int
	// Span begins a span about a payment; what it returns ends it. nil for no traces.
	Span func(ctx context.Context, name string, p adapter.Payment) (context.Context, func(error))
	// OnStep observes every written step: the payment after it and the event that explains it.
	OnStep func(p adapter.Payment, e adapter.Event)
}

// Pool works on payments until it is stopped. Its methods are safe for concurrent use.
type Pool struct {
	cfg      Config
	store    Store
	platform Platform
	users    Users

	places  chan struct{}        // one token per payment in hand, claimed or accepted
	jobs    chan adapter.Payment // payments in hand that wait for a worker; never blocks
	kick    chan struct{}        // free work is due, or a retry was scheduled
	stalled atomic.Bool          // places are full and nobody finished within Admission
	stopped atomic.Bool
	health  atomic.Pointer[error] // why due work is not being claimed; nil error when it is
	mu      sync.RWMutex          // held to submit, so that stopping sees every job
}

// New returns a pool that is not running yet. Its error names the setting at fault.
func New(store Store, platform Platform, users Users, cfg Config) (*Pool, error) {
	cfg.Workers = cmp.Or(cfg.Workers, 64)
	cfg.Queue = cmp.Or(cfg.Queue, 64)
	cfg.CallTimeout = cmp.Or(cfg.CallTimeout, 5*time.Second)
	cfg.Admission = cmp.Or(cfg.Admission, 25*time.Millisecond)
	cfg.Poll = cmp.Or(cfg.Poll, 500*time.Millisecond)
	cfg.Grace = cmp.Or(cfg.Grace, 10*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	switch {
	case cfg.Workers < 0 || cfg.Queue < 0:
		return nil, fmt.Errorf("%w: workers %d, queue %d: negative", adapter.ErrInvalid, cfg.Workers, cfg.Queue)
	case cfg.Policy.Lease <= cfg.CallTimeout:
		return nil, fmt.Errorf("%w: lease %s must be longer than the call timeout %s", adapter.ErrInvalid, cfg.Policy.Lease, cfg.CallTimeout)
	case cfg.Policy.Retry == nil:
		return nil, fmt.Errorf("%w: policy has no retry schedule", adapter.ErrInvalid)
	case cfg.Policy.Billing != (cfg.Funds != nil):
		return nil, fmt.Errorf("%w: the policy and the funds do not agree on who keeps the funds", adapter.ErrInvalid)
	}
	size := cfg.Workers + cfg.Queue
	return &Pool{
		cfg: cfg, store: store, platform: platform, users: users,
		places: make(chan struct{}, size),
		jobs:   make(chan adapter.Payment, size),
		kick:   make(chan struct{}, 1),
	}, nil
}

// Admit takes a place for a payment that is about to be accepted. While others finish, it
// waits for one: the flood is paced by what the platform and the store can settle. When
// nobody finishes, it does not wait, and the payment is stored free, to be claimed later.
func (p *Pool) Admit(ctx context.Context) bool {
	if p.stopped.Load() || p.cfg.ReceiveOnly || p.room() == 0 {
		return false
	}
	select {
	case p.places <- struct{}{}:
		return true
	default:
	}
	if p.stalled.Load() {
		return false
	}
	wait := time.NewTimer(p.cfg.Admission)
	defer wait.Stop()
	select {
	case p.places <- struct{}{}:
		return true
	case <-wait.C:
		p.stalled.Store(true)
		return false
	case <-ctx.Done():
		return false
	}
}

// Return gives a place back.
func (p *Pool) Return() {
	<-p.places
	p.stalled.Store(false)
}

// Submit starts work on a payment whose place was taken by Admit.
func (p *Pool) Submit(pay adapter.Payment) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.stopped.Load() { // the lease ends by itself, or the sweep frees it
		p.Return()
		return
	}
	p.jobs <- pay
}

// Kick says that a free payment is due or that the schedule has changed.
func (p *Pool) Kick() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Healthy says why the pool does not work: it is not running, or could not claim lately.
func (p *Pool) Healthy() error {
	if err := p.health.Load(); err != nil {
		return *err
	}
	return errNotRunning
}

var errNotRunning = errors.New("the workers are not running")

// Run works until ctx is done. Then it claims nothing more, gives back what waits, lets
// running work finish, and after the grace period cancels the calls that still run. What became of
// them is written nevertheless, and the payments are given back.
func (p *Pool) Run(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var g errgroup.Group
	for range p.cfg.Workers {
		g.Go(func() error {
			for pay := range p.jobs {
				if p.stopped.Load() {
					p.free(hard, pay)
				} else {
					p.work(hard, pay)
				}
				p.Return()
			}
			return nil
		})
	}
	p.claimLoop(ctx)

	p.mu.Lock()
	p.stopped.Store(true)
	close(p.jobs)
	p.mu.Unlock()
	grace := time.AfterFunc(p.cfg.Grace, cancel)
	defer grace.Stop()
	return g.Wait()
}

// claimLoop takes due payments whenever there is room, until ctx is done.
func (p *Pool) claimLoop(ctx context.Context) {
	healthy := error(nil)
	p.health.Store(&healthy)
	defer p.health.Store(&errNotRunning)
	if p.cfg.ReceiveOnly {
		<-ctx.Done()
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.kick:
		case <-p.store.Wake():
		}
		wait, err := p.untilDue(ctx)
		switch room := p.room(); {
		case err != nil || wait > 0:
		case room == 0: // the platform is left alone
			wait = p.cfg.Poll
		default:
			var n int
			if n, err = p.claim(ctx, room); n == 0 { // another replica is faster
				wait = p.cfg.Poll
			}
			if room > 0 { // what these find out decides about the rest
				wait = p.cfg.Poll
			}
		}
		p.health.Store(&err)
		if err != nil && ctx.Err() == nil {
			p.cfg.Log.ErrorContext(ctx, "claim failed", "err", err)
			wait = p.cfg.Poll
		}
		timer.Reset(max(wait, 0))
	}
}

// untilDue is how long to wait for the next payment to fall due, at most Poll: work that
// another process leaves behind may not announce itself.
func (p *Pool) untilDue(ctx context.Context) (time.Duration, error) {
	due, ok, err := p.store.NextDue(ctx)
	if err != nil {
		return 0, fmt.Errorf("look for due payments: %w", err)
	}
	if !ok {
		return p.cfg.Poll, nil
	}
	return min(due.Sub(p.cfg.Now()), p.cfg.Poll), nil
}

// room is how many calls the platform may be asked now; negative for any number.
func (p *Pool) room() int {
	if p.cfg.Room == nil {
		return -1
	}
	return p.cfg.Room()
}

// claim takes what is due, as much as there are places and room for. Accepts compete for the
// same places, so neither starves the other.
func (p *Pool) claim(ctx context.Context, room int) (int, error) {
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return 0, nil
	}
	n := 1
	for n < p.cfg.Workers && n != room && p.tryPlace() {
		n++
	}
	due, err := p.store.Claim(ctx, n)
	for _, pay := range due {
		p.Submit(pay)
	}
	for range n - len(due) {
		p.Return()
	}
	if err != nil {
		return len(due), fmt.Errorf("claim %d payments: %w", n, err)
	}
	return len(due), nil
}

func (p *Pool) tryPlace() bool {
	select {
	case p.places <- struct{}{}:
		return true
	default:
		return false
	}
}

// work drives one payment and logs what stopped it.
func (p *Pool) work(ctx context.Context, pay adapter.Payment) {
	after, err := p.Drive(ctx, pay)
	switch {
	case errors.Is(err, adapter.ErrLost): // somebody else has it: theirs to finish
		p.cfg.Log.InfoContext(ctx, "payment taken over by another", "payment", pay.Key.String())
	case err != nil: // the lease ends by itself, then it is claimed again
		p.cfg.Log.ErrorContext(ctx, "payment left to its lease", "payment", pay.Key.String(), "state", after.State, "err", err)
	case !after.NextAt.IsZero():
		p.Kick()
	}
}

// free gives back a payment that nobody worked on.
func (p *Pool) free(ctx context.Context, pay adapter.Payment) {
	if _, err := p.store.Apply(context.WithoutCancel(ctx), pay.Freed(p.cfg.Now())); err != nil && !errors.Is(err, adapter.ErrLost) {
		p.cfg.Log.WarnContext(ctx, "payment left to its lease", "payment", pay.Key.String(), "err", err)
	}
}

// Drive carries a payment that this process holds as far as it goes now: to its end, into
// doubt, or to a retry that lies in the future. It returns the payment as last written.
func (p *Pool) Drive(ctx context.Context, pay adapter.Payment) (_ adapter.Payment, err error) {
	if p.cfg.Span != nil {
		var end func(error)
		ctx, end = p.cfg.Span(ctx, "work on payment", pay)
		defer func() { end(err) }()
	}
	for {
		if ctx.Err() != nil { // no more calls
			p.free(ctx, pay)
			return pay, nil
		}
		step, err := p.next(ctx, pay)
		if err != nil {
			return pay, err
		}
		pay, err = p.write(ctx, step)
		if err != nil {
			return step.Before, err
		}
		if pay.Owner == 0 {
			return pay, nil
		}
	}
}

// next is the step that the payment's state asks for; it may call the platform or the billing.
func (p *Pool) next(ctx context.Context, pay adapter.Payment) (adapter.Step, error) {
	pol := p.cfg.Policy
	if pay.State == adapter.Received {
		reason, err := p.users.Refuses(ctx, pay.User)
		switch {
		case err != nil:
			return adapter.Step{}, fmt.Errorf("look up user of payment %s: %w", pay.Key, err)
		case reason == adapter.ReasonArchived && pay.Kind == adapter.Refund: // gets money, so let the platform say
		case reason != "":
			return pay.Refuse(reason, pol, p.cfg.Now()), nil
		}
		if pay.Owes(pol) == adapter.NoMove {
			return pay.Decide(pol, p.cfg.Now())
		}
	}
	if pay.Owner == 0 || pay.NextAt.IsZero() {
		return adapter.Step{}, fmt.Errorf("payment %s is %s: nothing to do", pay.Key, pay.State)
	}
	if left := pay.NextAt.Sub(p.cfg.Now()); left < p.cfg.CallTimeout {
		return adapter.Step{}, fmt.Errorf("payment %s: %s of the lease is left, too little for a call", pay.Key, left)
	}
	call, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout)
	defer cancel()
	if move := pay.Owes(pol); move != adapter.NoMove {
		return pay.Moved(p.cfg.Funds.Move(call, move, pay), pol, p.cfg.Now())
	}
	return pay.Answered(p.platform.Call(call, pay), pol, p.cfg.Now())
}

// write applies a step, again and again while the store is out of order and the lease
// lasts: the platform's answer is in hand and should not have to be asked for twice. That holds
// when ctx is done as well, once.
func (p *Pool) write(ctx context.Context, step adapter.Step) (_ adapter.Payment, err error) {
	if p.cfg.Span != nil {
		var end func(error)
		ctx, end = p.cfg.Span(ctx, "write "+string(step.Event.Kind), step.Before)
		defer func() { end(err) }()
	}
	left := step.Before.NextAt.Sub(p.cfg.Now())
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(left, p.cfg.CallTimeout))
	defer cancel()
	after, err := backoff.Retry(ctx, func() (adapter.Payment, error) {
		after, err := p.store.Apply(last, step)
		if errors.Is(err, adapter.ErrLost) || errors.Is(err, adapter.ErrClosed) {
			return after, backoff.Permanent(err)
		}
		return after, err
	}, backoff.WithMaxElapsedTime(max(left, time.Millisecond)))
	if err != nil {
		return after, fmt.Errorf("write %s of payment %s: %w", step.Event.Kind, step.Before.Key, err)
	}
	p.observe(ctx, step, after)
	return after, nil
}

// observe logs one line per step and tells the observer.
func (p *Pool) observe(ctx context.Context, step adapter.Step, after adapter.Payment) {
	e := step.Event
	if e.Kind == "" { // given back untouched
		return
	}
	if step.Short != nil && after.State == step.Short.After.State {
		e = step.Short.Event
	}
	if p.cfg.OnStep != nil {
		p.cfg.OnStep(after, e)
	}
	level := slog.LevelInfo
	switch e.Kind {
	case adapter.EventRetry:
		level = slog.LevelWarn
	case adapter.EventInDoubt, adapter.EventMoveRefused:
		level = slog.LevelError
	}
	if !p.cfg.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("payment", after.Key.String()), slog.String("kind", string(after.Kind)),
		slog.String("amount", after.Amount.String()), slog.String("event", string(e.Kind)),
		slog.String("state", string(after.State)),
	}
	if e.Verdict != "" {
		attrs = append(attrs, slog.Int("attempt", e.Attempt), slog.String("verdict", string(e.Verdict)),
			slog.Int("code", e.Code), slog.Duration("took", e.Took))
	}
	if e.Detail != "" {
		attrs = append(attrs, slog.String("detail", e.Detail))
	}
	if !after.NextAt.IsZero() && after.Owner == 0 {
		attrs = append(attrs, slog.Time("next_at", after.NextAt))
	}
	p.cfg.Log.LogAttrs(ctx, level, "payment step", attrs...)
}
