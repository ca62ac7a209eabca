package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// DailyStore is what the daily comparison needs of the store.
type DailyStore interface {
	UserPayments(ctx context.Context, user string, from, to time.Time) ([]adapter.Payment, error)
	// ActiveUsers lists the users with payments that can have been carried out between two moments.
	ActiveUsers(ctx context.Context, from, to time.Time) ([]string, error)
	// SaveReconciliation keeps a comparison in the place of an older one of the same user and date.
	SaveReconciliation(ctx context.Context, r adapter.Reconciliation) error
	Reconciliations(ctx context.Context, f adapter.ReconciliationFilter) ([]adapter.Reconciliation, error)
	SaveReconcileRun(ctx context.Context, r adapter.ReconcileRun) error
	// ReconcileRuns lists runs, the newest dates first.
	ReconcileRuns(ctx context.Context, f adapter.ReconcileRunFilter) ([]adapter.ReconcileRun, error)
	Exclusive(ctx context.Context, name string, do func(context.Context) error) (ran bool, err error)
}

// A Daily compares users' days with the platform's books: every night all users that were
// active, and on demand one.
//
// Compared is the income, which what our payments credited must be part of. Payments near the
// edges of a day, under way or in doubt may be part of it. Less than what is certain is always
// a difference; more is one only where nothing but the adapter tops up (Config.Sole), since
// users' card payments inside the platform's page are not told to partners. A refund must be
// in the outcome, or have lowered the income. What users spend is in the outcome too and is
// not known here.
//
// Payments and ledger say the same (ledger verify), so this is the ledger against the platform,
// and where the partner's billing keeps the funds, what that has acknowledged.
type Daily struct {
	cfg      Config
	store    DailyStore
	platform Platform

	asked    chan time.Time // the date of a run that was asked for
	mu       sync.Mutex
	progress adapter.ReconcileProgress // of that run
}

// NewDaily returns a Daily that is not running yet.
func NewDaily(store DailyStore, platform Platform, cfg Config) *Daily {
	cfg.fill()
	return &Daily{cfg: cfg, store: store, platform: platform, asked: make(chan time.Time, 1)}
}

// catchUp is how many nights back what was left undone is made up for.
const catchUp = 7

// Run compares every day at Config.Nightly, and whenever Ask asks for it, until ctx is done. Of
// several replicas one does.
func (d *Daily) Run(ctx context.Context) error {
	for {
		var night <-chan time.Time
		if !d.cfg.NoNights {
			night = time.After(untilClock(d.cfg.Now(), d.cfg.Nightly))
		}
		select {
		case <-night:
			if _, err := d.store.Exclusive(ctx, exclusive, d.Night); err != nil && ctx.Err() == nil {
				d.cfg.Log.ErrorContext(ctx, "reconciliation failed; the next night makes up for it", "err", err)
			}
		case at := <-d.asked:
			d.onDemand(ctx, at)
		case <-ctx.Done():
			return nil
		}
	}
}

// exclusive is the name under which one replica compares.
const exclusive = "reconcile"

// again is how long a run that was asked for waits before it looks whether another replica,
// which is comparing, has come to an end.
const again = 2 * time.Second

// onDemand compares a date once no other replica is at it.
func (d *Daily) onDemand(ctx context.Context, at time.Time) {
	for {
		ran, err := d.store.Exclusive(ctx, exclusive, func(ctx context.Context) error { return d.All(ctx, at) })
		if ran || err != nil {
			if err != nil && ctx.Err() == nil {
				d.cfg.Log.ErrorContext(ctx, "the reconciliation that was asked for failed", "date", at.Format(time.DateOnly), "err", err)
			}
			d.report(func(p *adapter.ReconcileProgress) { p.Running, p.Failed = false, err != nil })
			return
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return
		}
	}
}

// Ask has Run compare a date for every user that was active on it. It returns false if a run
// that was asked for has not come to an end yet.
func (d *Daily) Ask(at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.progress.Running {
		return false
	}
	d.progress = adapter.ReconcileProgress{Date: date(at), Running: true}
	d.asked <- d.progress.Date // there is room: no other is running
	return true
}

// Progress is what became of the run that was asked for last.
func (d *Daily) Progress() adapter.ReconcileProgress {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.progress
}

func (d *Daily) report(change func(*adapter.ReconcileProgress)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.progress)
}

// untilClock is how long it is until the time of day, UTC, comes next; never nothing.
func untilClock(now time.Time, clock time.Duration) time.Duration {
	next := date(now.UTC()).Add(clock)
	for !next.After(now) {
		next = next.Add(day)
	}
	return next.Sub(now)
}

// LastDate is the newest date that is over wherever the platform may be, and whose figures
// lag no more.
func (d *Daily) LastDate() time.Time {
	return d.cfg.Calendar.first(d.cfg.Now().Add(-d.cfg.Settle)).Add(-day)
}

// Night compares the last date that is over, and of the week before it whatever was not
// compared or could not be read.
func (d *Daily) Night(ctx context.Context) error {
	last := d.LastDate()
	runs, err := d.store.ReconcileRuns(ctx, adapter.ReconcileRunFilter{From: last.Add(-(catchUp - 1) * day), To: last})
	if err != nil {
		return err
	}
	first := last
	if len(runs) > 0 {
		first = runs[len(runs)-1].Date // nothing is made up for that was never begun
	}
	for at := first; !at.After(last); at = at.Add(day) {
		i := slices.IndexFunc(runs, func(r adapter.ReconcileRun) bool { return r.Date.Equal(at) })
		if i >= 0 && runs[i].Unread == 0 {
			continue
		}
		var users []string
		run := adapter.ReconcileRun{Date: at}
		if i < 0 {
			users, err = d.activeUsers(ctx, at)
		} else {
			run = runs[i]
			run.Users, run.Unread = run.Users-run.Unread, 0
			users, err = d.unread(ctx, at)
		}
		if err == nil {
			err = d.all(ctx, run, users)
		}
		if err != nil {
			return fmt.Errorf("reconcile %s: %w", at.Format(time.DateOnly), err)
		}
	}
	return nil
}

// All compares a date for every user that was active on it.
func (d *Daily) All(ctx context.Context, at time.Time) error {
	users, err := d.activeUsers(ctx, at)
	if err != nil {
		return err
	}
	return d.all(ctx, adapter.ReconcileRun{Date: date(at)}, users)
}

func (d *Daily) activeUsers(ctx context.Context, at time.Time) ([]string, error) {
	return d.store.ActiveUsers(ctx, at.Add(-day), at.Add(3*day))
}

func (d *Daily) unread(ctx context.Context, at time.Time) (users []string, err error) {
	f := adapter.ReconciliationFilter{From: at, To: at, Result: adapter.ReconcileUnread, Limit: 500}
	for {
		page, err := d.store.Reconciliations(ctx, f)
		if err != nil || len(page) == 0 {
			return users, err
		}
		for _, r := range page {
			users = append(users, r.User)
		}
		f.Date, f.After = at, page[len(page)-1].User
	}
}

// all compares a date for the users and adds them to the run. A platform that is out of order
// is asked no more than a few users in a row: the rest is left to the next night.
func (d *Daily) all(ctx context.Context, run adapter.ReconcileRun, users []string) error {
	const patience = 20
	inARow := 0
	for i, user := range users {
		d.report(func(p *adapter.ReconcileProgress) {
			if p.Date.Equal(run.Date) { // and this is no night that it has to wait for
				p.Done, p.Users = i, len(users)
			}
		})
		r := adapter.Reconciliation{Date: run.Date, User: user, Result: adapter.ReconcileUnread, Text: adapter.ReasonOutOfOrder}
		if inARow < patience {
			var err error
			if r, err = d.compare(ctx, user, run.Date); err != nil {
				return err
			}
		}
		if err := d.keep(ctx, r); err != nil {
			return err
		}
		run.Users++
		inARow++
		switch r.Result {
		case adapter.ReconcileUnread:
			run.Unread++
			continue
		case adapter.ReconcileDiffers:
			run.Differ++
		case adapter.ReconcileAgrees:
			run.Agree++
		}
		inARow = 0
	}
	run.At = whole(d.cfg.Now())
	if err := d.store.SaveReconcileRun(ctx, run); err != nil {
		return err
	}
	level := d.cfg.Log.InfoContext
	if run.Differ+run.Unread > 0 {
		level = d.cfg.Log.WarnContext
	}
	level(ctx, "reconciled", "date", run.Date.Format(time.DateOnly), "users", run.Users, "agree", run.Agree, "differ", run.Differ, "unread", run.Unread)
	return nil
}

// User compares a date for one user and keeps the result.
func (d *Daily) User(ctx context.Context, user string, at time.Time) (adapter.Reconciliation, error) {
	r, err := d.compare(ctx, user, date(at))
	if err != nil {
		return r, err
	}
	return r, d.keep(ctx, r)
}

func (d *Daily) keep(ctx context.Context, r adapter.Reconciliation) error {
	if r.At.IsZero() {
		r.At = whole(d.cfg.Now())
	}
	if err := d.store.SaveReconciliation(ctx, r); err != nil {
		return err
	}
	d.cfg.OnReconciled(r)
	if r.Result == adapter.ReconcileDiffers {
		d.cfg.Log.WarnContext(ctx, "reconciliation differs", "date", r.Date.Format(time.DateOnly), "user", r.User,
			"credits", r.Credits, "income", r.Income, "difference", r.Difference, "text", r.Text, "payments", r.Payments)
	}
	return nil
}

func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// compare reads both sides. An error is one of our own side; the platform's is a result.
func (d *Daily) compare(ctx context.Context, user string, at time.Time) (adapter.Reconciliation, error) {
	w := window{calendar: d.cfg.Calendar, first: at, last: at, asked: d.cfg.Now(), settle: d.cfg.Settle}
	zero := money.New(0, d.cfg.Currency)
	r := adapter.Reconciliation{
		Date: at, User: user, At: whole(w.asked), Result: adapter.ReconcileUnread,
		Credits: zero, Refunds: zero, Income: zero, Outcome: zero, Difference: zero,
	}
	books, err := d.platform.Day(ctx, user, at)
	if err != nil {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		r.Text = err.Error()
		return r, nil
	}
	r.Income, r.Outcome = books.Income, books.Outcome

	acc, refunds, behind, err := d.gather(ctx, user, w)
	if err != nil {
		return r, err
	}
	r.Credits, r.Refunds = money.New(acc.known, d.cfg.Currency), money.New(refunds, d.cfg.Currency)
	r.Open, r.Payments = len(acc.open), behind
	if r.Difference, err = r.Income.Sub(r.Credits); err != nil {
		return r, err
	}
	r.Result = adapter.ReconcileAgrees
	if r.Text = differs(acc, r, d.cfg.Sole); r.Text != "" {
		r.Result = adapter.ReconcileDiffers
		return r, nil
	}
	if d.cfg.Calendar.vague() && acc.credited() {
		return d.around(ctx, r, w)
	}
	return r, nil
}

// around looks at the days before and after a date as well, on which nothing differs: where the
// platform's zone is not known, no payment belongs to one date for certain, but whatever was
// paid on the date, UTC, belongs to the three.
func (d *Daily) around(ctx context.Context, r adapter.Reconciliation, w window) (adapter.Reconciliation, error) {
	w.first, w.last = w.first.Add(-day), w.last.Add(day)
	income := r.Income
	for _, at := range []time.Time{w.first, w.last} {
		if at.After(w.calendar.last(w.asked)) { // not yet begun anywhere
			continue
		}
		books, err := d.platform.Day(ctx, r.User, at)
		switch {
		case ctx.Err() != nil:
			return r, ctx.Err()
		case err != nil:
			r.Result, r.Text = adapter.ReconcileUnread, err.Error()
			return r, nil
		}
		if income, err = income.Add(books.Income); err != nil {
			return r, err
		}
	}
	acc, _, _, err := d.gather(ctx, r.User, w)
	if err != nil {
		return r, err
	}
	if missing := acc.known + acc.total - income.Minor(); missing > 0 {
		r.Result = adapter.ReconcileDiffers
		r.Text = fmt.Sprintf(adapter.ReasonLessAround, money.New(missing, d.cfg.Currency).Text())
	}
	return r, nil
}

// gather sums up our side: credits and open payments, refunds that are certain (minor units),
// and the numbers of all of them.
func (d *Daily) gather(ctx context.Context, user string, w window) (acc account, refunds int64, behind []int64, err error) {
	payments, err := d.store.UserPayments(ctx, user, w.first.Add(-day-d.cfg.Settle), w.last.Add(3*day))
	if err != nil {
		return acc, 0, nil, err
	}
	for _, p := range payments {
		// Here a person's decision counts like any other: if it was mistaken, it shows.
		c, ok := creditOf(p, false, w.asked, w.settle)
		if !ok || w.place(c) == outside {
			continue
		}
		acc.add(w, c)
		if c.sure && p.Kind == adapter.Refund && w.place(c) == inside {
			refunds += p.Amount.Minor()
		}
		if len(behind) < adapter.MaxBehind {
			behind = append(behind, p.Num)
		}
	}
	return acc, refunds, behind, nil
}

// differs says what is wrong between an account and the platform's figures, or "".
func differs(acc account, r adapter.Reconciliation, sole bool) string {
	left := r.Difference.Minor()
	amount := func(minor int64) string { return money.New(minor, r.Income.Currency()).Text() }
	switch {
	case left < acc.total:
		return fmt.Sprintf(adapter.ReasonLess, amount(acc.total-left))
	case r.Refunds.Minor() > max(0, -left)-r.Outcome.Minor() && (sole || left <= 0): // neither in the outcome nor taken off the income
		return fmt.Sprintf(adapter.ReasonRefunds, r.Refunds.Text(), r.Outcome.Text())
	case !sole || acc.explains(left):
		return ""
	}
	return fmt.Sprintf(adapter.ReasonUnexplained, amount(left))
}

// explains reports whether some of what is open adds up to an amount. Where that is too much
// to try, it may.
func (a *account) explains(minor int64) (found bool) {
	if len(a.open) > maxOpen {
		return true
	}
	a.sums(func(sum int64, _ func(int) bool) bool {
		found = found || sum == minor
		return !found
	})
	return found
}

// ParseClock reads a time of day such as 04:30.
func ParseClock(text string) (time.Duration, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, errors.New("must be a time of day such as 04:30")
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}
