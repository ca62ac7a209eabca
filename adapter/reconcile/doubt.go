package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// DoubtStore is what the Doubts need of the store.
type DoubtStore interface {
	// InDoubt lists the payments in doubt, some hundreds at most.
	InDoubt(ctx context.Context) ([]adapter.Payment, error)
	// UserPayments lists a user's payments that were received before to and are unfinished or
	// changed at or after from.
	UserPayments(ctx context.Context, user string, from, to time.Time) ([]adapter.Payment, error)
	History(ctx context.Context, num int64) ([]adapter.Event, error)
	Apply(ctx context.Context, s adapter.Step) (adapter.Payment, error)
	Remark(ctx context.Context, e adapter.Event) error
	// Exclusive runs do unless another process runs something under the same name.
	Exclusive(ctx context.Context, name string, do func(context.Context) error) (ran bool, err error)
}

// Doubts settle payments in doubt by evidence.
type Doubts struct {
	cfg      Config
	store    DoubtStore
	platform Platform
	looks    map[int64]look // by payment; what is forgotten in a restart is looked at again
}

// look is when evidence is looked for next.
type look struct {
	next  time.Time
	pause time.Duration
}

// NewDoubts returns Doubts that are not running yet.
func NewDoubts(store DoubtStore, platform Platform, cfg Config) *Doubts {
	cfg.fill()
	return &Doubts{cfg: cfg, store: store, platform: platform, looks: make(map[int64]look)}
}

// Run looks for evidence again and again until ctx is done. Of several replicas one does.
func (d *Doubts) Run(ctx context.Context) error {
	tick := time.NewTicker(d.cfg.Every)
	defer tick.Stop()
	for {
		_, err := d.store.Exclusive(ctx, "doubts", d.Round)
		if err != nil && ctx.Err() == nil {
			d.cfg.Log.WarnContext(ctx, "evidence not looked for", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Round looks once at every payment in doubt whose time has come. A payment about which
// nothing can be found out does not keep the others waiting.
func (d *Doubts) Round(ctx context.Context) error {
	payments, err := d.store.InDoubt(ctx)
	if err != nil {
		return fmt.Errorf("list payments in doubt: %w", err)
	}
	looks := make(map[int64]look, len(payments))
	for _, p := range payments {
		l, known := d.looks[p.Num]
		if !known {
			l = look{next: p.UpdatedAt.Add(2 * d.cfg.Settle), pause: d.cfg.Every} // a late call, late figures
		}
		if now := d.cfg.Now(); ctx.Err() == nil && !l.next.After(now) {
			l.pause = min(2*l.pause, d.cfg.Again)
			l.next = now.Add(l.pause)
			if err := d.examine(ctx, p); err != nil {
				d.cfg.Log.WarnContext(ctx, "no evidence", "payment", p.Key.String(), "err", err, "next_look", l.next)
			}
		}
		looks[p.Num] = l
	}
	d.looks = looks
	return nil
}

// examine reads the books about one payment and does what they prove.
func (d *Doubts) examine(ctx context.Context, p adapter.Payment) error {
	if p.Kind == adapter.Refund {
		return d.remark(ctx, p, "", "a refund: what it took cannot be told from what the user spent; it is left to a person")
	}
	f, err := d.figures(ctx, p)
	if err != nil {
		return err
	}
	acc, err := d.account(ctx, p, f.window)
	if err != nil {
		return err
	}
	found := judge(acc, f.income.Minor(), p, d.cfg.Sole)
	if found.is == open {
		return d.remark(ctx, p, f.String()+"; ", found.text)
	}
	text := f.String() + "; " + found.text
	step, err := p.Proven(found.is == credited, text, d.cfg.Policy, d.cfg.Now())
	if err != nil {
		return err
	}
	after, err := d.store.Apply(ctx, step)
	switch {
	case errors.Is(err, adapter.ErrLost): // a person was faster
		return nil
	case err != nil:
		return err
	}
	d.cfg.OnStep(after, step.Event)
	d.cfg.Log.InfoContext(ctx, "doubt ended by evidence", "payment", p.Key.String(), "amount", p.Amount, "state", after.State, "evidence", text)
	return nil
}

// figures are what the platform says about the window of a payment.
type figures struct {
	window
	before, after money.Amount // balance before the first date, and at the end of the last one
	income        money.Amount
	outcome       money.Amount
	live          money.Amount
}

func (f figures) String() string {
	return fmt.Sprintf("the platform's books from %s to %s: balance before %s, income %s, outcome %s, balance after %s, live %s",
		f.first.Format(time.DateOnly), f.last.Format(time.DateOnly), f.before, f.income, f.outcome, f.after, f.live)
}

// errContradiction says that the figures do not fit each other, so they prove nothing.
var errContradiction = errors.New("the platform's figures contradict each other")

// figures asks the platform about the smallest window that has the payment inside.
func (d *Doubts) figures(ctx context.Context, p adapter.Payment) (f figures, err error) {
	asked := d.cfg.Now()
	c, _ := creditOf(p, false, asked, d.cfg.Settle)
	if ready := c.to.Add(d.cfg.Settle); ready.After(asked) {
		return f, fmt.Errorf("figures may lack what is carried out late until %s", ready.Format(time.RFC3339))
	}
	f.window = around(c, d.cfg.Calendar, asked, d.cfg.Settle)
	before, err := d.platform.Day(ctx, p.User, f.first.Add(-day))
	if err != nil {
		return f, err
	}
	f.before, f.after = before.Balance, before.Balance
	f.income, f.outcome = money.New(0, p.Amount.Currency()), money.New(0, p.Amount.Currency())
	for at := f.first; !at.After(f.last); at = at.Add(day) {
		day, err := d.platform.Day(ctx, p.User, at)
		if err != nil {
			return f, err
		}
		f.after = day.Balance
		if f.income, err = f.income.Add(day.Income); err != nil {
			return f, err
		}
		if f.outcome, err = f.outcome.Add(day.Outcome); err != nil {
			return f, err
		}
	}
	if f.live, err = d.platform.Balance(ctx, p.User); err != nil {
		return f, err
	}
	return f, f.check()
}

// check compares the figures with each other.
func (f figures) check() error {
	end, err := f.before.Add(f.income)
	if err == nil {
		end, err = end.Add(f.outcome)
	}
	switch {
	case err != nil:
		return err
	case end != f.after:
		return fmt.Errorf("%w: %s", errContradiction, f)
	case f.live != f.after && !f.last.Before(f.calendar.last(f.asked)):
		return fmt.Errorf("%w (or something was booked just now): %s", errContradiction, f)
	}
	return nil
}

// account gathers what we know of the user's credits in the window. It is asked for after
// the figures: whatever is in these is known by now.
func (d *Doubts) account(ctx context.Context, p adapter.Payment, w window) (account, error) {
	// Dates are at most 14 hours ahead of UTC and 12 behind.
	payments, err := d.store.UserPayments(ctx, p.User, w.first.Add(-day-d.cfg.Settle), w.last.Add(3*day))
	if err != nil {
		return account{}, err
	}
	var acc account
	for _, q := range payments {
		decided, err := d.decided(ctx, q)
		if err != nil {
			return account{}, err
		}
		if c, ok := creditOf(q, decided, w.asked, w.settle); ok {
			acc.add(w, c)
		}
	}
	return acc, nil
}

// decided reports whether a person ended a doubt about the payment.
func (d *Doubts) decided(ctx context.Context, p adapter.Payment) (bool, error) {
	if p.State != adapter.Confirmed && p.State != adapter.Declining && p.State != adapter.Declined {
		return false, nil
	}
	events, err := d.store.History(ctx, p.Num)
	return slices.ContainsFunc(events, func(e adapter.Event) bool { return e.Kind == adapter.EventResolved }), err
}

// is is what the books say about a payment.
type is int

const (
	open     is = iota // nothing for certain
	credited           // it was carried out
	absent             // it was not
)

type finding struct {
	is   is
	text string
}

// judge says what an income proves about p, which is one of the account's open credits.
func judge(acc account, income int64, p adapter.Payment, sole bool) finding {
	amount := func(minor int64) string { return money.New(minor, p.Amount.Currency()).Text() }
	left := income - acc.known
	text := fmt.Sprintf("%s of the income are known credits, which leaves %s for what is open: %s", amount(acc.known), amount(left), acc.list())
	at := slices.IndexFunc(acc.open, func(c credit) bool { return c.payment.Num == p.Num })
	switch {
	case at < 0:
		return finding{open, text + "; this payment is not among it any more"}
	case left < acc.total:
		return finding{open, text + "; that is less than there must be: the figures are incomplete, or something known was not carried out"}
	case p.Amount.Minor()+acc.total > left:
		return finding{absent, text + "; it does not hold this payment, so it was not carried out"}
	case !sole:
		return finding{open, text + "; that may hold this payment or come from elsewhere"}
	case len(acc.open) > maxOpen:
		return finding{open, text + "; too much is open to be told apart"}
	}
	with, without := false, false
	acc.sums(func(sum int64, has func(int) bool) bool {
		if sum == left {
			with, without = with || has(at), without || !has(at)
		}
		return !with || !without
	})
	switch {
	case with && !without:
		return finding{credited, text + "; it cannot be explained without this payment, so it was carried out"}
	case without && !with:
		return finding{absent, text + "; it can only be explained without this payment, so it was not carried out"}
	case with:
		return finding{open, text + "; it can be explained with this payment and without"}
	}
	return finding{open, text + "; nothing explains it"}
}

// list names the open credits.
func (a *account) list() string {
	const most = 10
	var names []string
	for i, c := range a.open {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(a.open)-most))
			break
		}
		names = append(names, fmt.Sprintf("%s %d of %s", c.payment.Kind, c.payment.Num, c.payment.Amount.Text()))
	}
	return strings.Join(names, ", ")
}

// remark keeps a finding that ends no doubt and the figures before it, unless the finding was
// the last one as well.
func (d *Doubts) remark(ctx context.Context, p adapter.Payment, figures, text string) error {
	history, err := d.store.History(ctx, p.Num)
	if err != nil {
		return err
	}
	if i := len(history) - 1; i >= 0 && history[i].Kind == adapter.EventEvidence && strings.HasSuffix(history[i].Detail, text) {
		return nil
	}
	return d.store.Remark(ctx, adapter.Event{Payment: p.Num, At: d.cfg.Now(), Kind: adapter.EventEvidence, Detail: figures + text})
}
