package anymoney

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Store is what payins need of the store.
type Store interface {
	// AddPayin stores p the first time; adapter.ErrConflict for its externalid or key with
	// another request, adapter.ErrNotFound for a user that nobody registered.
	AddPayin(ctx context.Context, p adapter.Payin) (stored adapter.Payin, first bool, err error)
	// ApplyPayin writes a step; adapter.ErrLost if the payin was changed since it was read.
	ApplyPayin(ctx context.Context, s adapter.PayinStep) (adapter.Payin, error)
	// NotePayin adds a remark to a payin's history.
	NotePayin(ctx context.Context, e adapter.PayinEvent) error
	// ClaimPayins leases up to n due payins to this process.
	ClaimPayins(ctx context.Context, pol adapter.PayinPolicy, n int) ([]adapter.Payin, error)
	// Payin returns a payin by its externalid, or adapter.ErrNotFound.
	Payin(ctx context.Context, externalID string) (adapter.Payin, error)
	// Owner is the identity under which this process leases.
	Owner() int64
}

// Config is how payins are worked on; zero fields take the defaults.
type Config struct {
	Policy      adapter.PayinPolicy // required
	CallbackURL string              // where the platform reaches the Receiver; "" for nowhere
	Workers     int                 // calls made at once for what fell due; 8
	Tick        time.Duration       // how often the store is asked for what fell due; 1 s
	Now         func() time.Time    // time.Now
	Log         *slog.Logger        // slog.Default
	// OnStep observes every written step: the payin after it and the event that explains it.
	OnStep func(p adapter.Payin, e adapter.PayinEvent)
}

// Payins creates payins and carries them to their end. It is safe for concurrent use.
type Payins struct {
	cfg    Config
	client *Client
	store  Store
}

// NewPayins returns payins of the client's merchant. Its error wraps adapter.ErrInvalid.
func NewPayins(store Store, client *Client, cfg Config) (*Payins, error) {
	cfg.Workers = cmp.Or(cfg.Workers, 8)
	cfg.Tick = cmp.Or(cfg.Tick, time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.OnStep == nil {
		cfg.OnStep = func(adapter.Payin, adapter.PayinEvent) {}
	}
	switch pol := cfg.Policy; {
	case cfg.Workers < 0 || cfg.Tick < 0:
		return nil, fmt.Errorf("%w: payins: workers or tick are negative", adapter.ErrInvalid)
	case pol.Retry == nil || pol.Poll == nil || pol.Lease <= 0 || pol.Ledger == (money.Currency{}):
		return nil, fmt.Errorf("%w: payins: the policy is incomplete", adapter.ErrInvalid)
	}
	return &Payins{cfg: cfg, client: client, store: store}, nil
}

// Create stores what is asked for and makes the order at the platform. first is false for a
// repeat, which makes no call and returns the payin as it is now.
//
// A nil error says that the intent is durable, and no more: the payin returned may be refused,
// or still creating or unsure, and then a running service goes on with it. Errors:
// adapter.ErrInvalid names the field, adapter.ErrConflict is another request of the same name,
// adapter.ErrNotFound an unknown user.
func (s *Payins) Create(ctx context.Context, r adapter.PayinRequest) (p adapter.Payin, first bool, err error) {
	p, err = adapter.NewPayin(s.client.Merchant(), r, s.cfg.CallbackURL, s.cfg.Now())
	if err != nil {
		return p, false, err
	}
	p.Owner, p.NextAt = s.store.Owner(), p.CreatedAt.Add(s.cfg.Policy.Lease) // born leased: the call follows
	p, first, err = s.store.AddPayin(ctx, p)
	if err != nil || !first {
		return p, false, err
	}
	// From here on there is an intent, and it is carried out also if the caller hangs up.
	after, err := s.create(context.WithoutCancel(ctx), p, r.Code)
	if errors.Is(err, adapter.ErrLost) { // somebody was told of the order before us
		after, err = s.store.Payin(ctx, p.ExternalID)
	}
	if err != nil { // stored it is, so the lease will end and the work go on
		s.cfg.Log.ErrorContext(ctx, "payin left to its lease", "payin", p.ExternalID, "err", err)
		return p, true, nil
	}
	return after, true, nil
}

// create makes the order of a payin that this process holds.
func (s *Payins) create(ctx context.Context, p adapter.Payin, code string) (adapter.Payin, error) {
	step, err := p.Created(s.client.Create(ctx, p, code), s.cfg.Policy, s.cfg.Now())
	if err != nil {
		return p, err
	}
	return s.write(ctx, step)
}

// look asks the platform for the order of a payin.
func (s *Payins) look(ctx context.Context, p adapter.Payin) (adapter.Payin, error) {
	return s.write(ctx, p.Looked(s.client.Get(ctx, p.ExternalID), s.cfg.Policy, s.cfg.Now()))
}

// Calc is the client's.
func (s *Payins) Calc(ctx context.Context, amount, inCurr, outCurr, payway string) (adapter.PayinQuote, error) {
	return s.client.Calc(ctx, amount, inCurr, outCurr, payway)
}

// Refresh asks the platform how a payin stands, if there is anything to ask: an order that is
// there or may be, and is not final. It returns the payin as it is then; adapter.ErrNotFound
// for one that is not in the store.
func (s *Payins) Refresh(ctx context.Context, externalID string) (adapter.Payin, error) {
	p, err := s.store.Payin(ctx, externalID)
	if err != nil || p.Status.Final() || p.Status == adapter.PayinCreating || !p.Sent {
		return p, err
	}
	after, err := s.look(ctx, p)
	if errors.Is(err, adapter.ErrLost) { // somebody else has just asked
		after, err = s.store.Payin(ctx, externalID)
	}
	return after, err
}

// Told takes what a callback says about an order. nil says that it is stored, and news whether
// it changed anything. Errors: adapter.ErrConflict, noted in the payin's history, contradicts
// what is known; adapter.ErrNotFound is an order that is not known here and, when asked, not at
// the platform; after any other error the platform should come again.
func (s *Payins) Told(ctx context.Context, externalID string, o adapter.PayinOrder) (news bool, err error) {
	const tries = 8 // of those that change the same payin at once, one is ahead of us each time
	for range tries {
		if news, err = s.tell(ctx, externalID, o); !errors.Is(err, adapter.ErrLost) {
			break
		}
	}
	return news, err
}

// tell is one try of Told; adapter.ErrLost asks for another.
func (s *Payins) tell(ctx context.Context, externalID string, o adapter.PayinOrder) (news bool, err error) {
	p, looked, err := s.known(ctx, externalID)
	if err != nil {
		return false, err
	}
	step, news, err := p.Told(o, s.cfg.Policy, s.cfg.Now())
	switch {
	case errors.Is(err, adapter.ErrConflict):
		return false, errors.Join(err, s.store.NotePayin(ctx, p.Remark(adapter.PayinEventConflict, "callback: "+err.Error(), s.cfg.Now())))
	case err == nil && news:
		_, err = s.write(ctx, step)
	}
	return news || looked, err
}

// known returns the payin of a callback with its order known, and whether it became known only
// now. A callback is no proof of an
// order that we know nothing of, so the platform is asked; one that is not in the store at all
// is taken into it, without a user to credit.
func (s *Payins) known(ctx context.Context, externalID string) (p adapter.Payin, looked bool, err error) {
	p, err = s.store.Payin(ctx, externalID)
	missing := errors.Is(err, adapter.ErrNotFound)
	if err != nil && !missing || p.Order.LID != 0 {
		return p, false, err
	}
	a := s.client.Get(ctx, externalID)
	switch {
	case a.NotFound:
		return p, false, fmt.Errorf("order %.60q of a callback: %w at the platform", externalID, adapter.ErrNotFound)
	case a.Verdict != adapter.Accepted:
		return p, false, fmt.Errorf("%w: %s", adapter.ErrUnanswered, a.Detail)
	case missing:
		s.cfg.Log.WarnContext(ctx, "the platform has an order that nobody here asked for", "payin", externalID)
		if p, _, err = s.store.AddPayin(ctx, adapter.AdoptPayin(s.client.Merchant(), externalID, a.Order, s.cfg.Now())); err != nil {
			return p, false, err
		}
	}
	p, err = s.write(ctx, p.Looked(a, s.cfg.Policy, s.cfg.Now()))
	if err == nil && p.Order.LID == 0 {
		err = fmt.Errorf("%w: %s", adapter.ErrConflict, p.Reason)
	}
	return p, true, err
}

// Run works on payins that fall due until ctx is done, and then lets running calls finish: what
// a dead process left behind, creates whose outcome is unknown, and open orders of which no
// callback has told for a while.
func (s *Payins) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Tick)
	defer tick.Stop()
	for ctx.Err() == nil {
		if s.round(ctx) == s.cfg.Workers {
			continue // there may be more
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// round works on what is due now, as much as is worked on at once, and returns how much it was:
// while the platform is left alone, nothing.
func (s *Payins) round(ctx context.Context) int {
	n := s.cfg.Workers
	if room := s.client.Room(); room >= 0 {
		n = min(n, room)
	}
	if n == 0 {
		return 0
	}
	due, err := s.store.ClaimPayins(ctx, s.cfg.Policy, n)
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "claim failed", "err", err)
	}
	var all sync.WaitGroup
	for _, p := range due {
		all.Go(func() { s.work(context.WithoutCancel(ctx), p) })
	}
	all.Wait()
	return len(due)
}

// work makes the one call that a claimed payin needs, and logs what stopped it.
func (s *Payins) work(ctx context.Context, p adapter.Payin) {
	do := s.look
	if p.Status == adapter.PayinCreating {
		do = func(ctx context.Context, p adapter.Payin) (adapter.Payin, error) { return s.create(ctx, p, "") }
	}
	_, err := do(ctx, p)
	switch {
	case errors.Is(err, adapter.ErrLost): // a callback was quicker
		s.cfg.Log.InfoContext(ctx, "payin changed meanwhile", "payin", p.ExternalID)
	case err != nil: // the lease ends by itself, then it is claimed again
		s.cfg.Log.ErrorContext(ctx, "payin left to its lease", "payin", p.ExternalID, "err", err)
	}
}

// write writes a step, logs it in one line and tells the observer.
func (s *Payins) write(ctx context.Context, step adapter.PayinStep) (adapter.Payin, error) {
	after, err := s.store.ApplyPayin(ctx, step)
	if err != nil {
		return after, err
	}
	e := step.Event
	if e.Kind == "" {
		return after, nil
	}
	s.cfg.OnStep(after, e)
	level := slog.LevelInfo
	switch {
	case e.Kind == adapter.PayinEventConflict:
		level = slog.LevelError
	case e.Kind == adapter.PayinEventRetry, after.Status == adapter.PayinDone && after.Credited.IsZero():
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("payin", after.ExternalID), slog.String("user", after.User), slog.String("amount", after.Amount.Short()),
		slog.String("currency", after.Amount.Currency().Code()), slog.String("event", string(e.Kind)), slog.String("status", string(after.Status)),
	}
	if e.Verdict != "" {
		attrs = append(attrs, slog.Int("attempt", e.Attempt), slog.String("verdict", string(e.Verdict)), slog.Int("code", e.Code), slog.Duration("took", e.Took))
	}
	if e.Detail != "" {
		attrs = append(attrs, slog.String("detail", e.Detail))
	}
	s.cfg.Log.LogAttrs(ctx, level, "payin step", attrs...)
	return after, nil
}
