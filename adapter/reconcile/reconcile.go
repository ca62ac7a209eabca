// Package reconcile compares what we know of users' money with the platform's own books.
//
// # Doubt
//
// A payment is in doubt when the platform refused it after a call that may have been carried
// out. The Doubts look for evidence in the platform's daily figures (getFinSummaryByDate) and
// live balance (getUserData), and settle only what these leave no choice about. The reasoning
// is a sum. The income of the days on which the call can have landed holds, for certain, every
// credit that the platform has acknowledged and whose moment lies within those days; it may
// hold others: payments in doubt, under way, near the edges of the days. So
//
//   - a payment was not carried out if the income cannot hold it beside what it holds for
//     certain;
//   - it was carried out if the income cannot be explained without it. That needs one more
//     fact, which only the partner knows: that nothing but this adapter tops up these users
//     (Config.Sole). Where users can also pay by card inside the platform's page, or another
//     program pays for them, any income may come from there, and no income proves a payment.
//
// Users' spending does not matter: it is in the outcome, apart. Neither do codes of refusals,
// whose meaning is not documented. Refunds are always left to a person, because what they take
// cannot be told from what the user spends.
//
// What makes figures deceive, and what is done about it:
//
//   - The platform's time zone is not documented: unless the partner gives it, a moment may
//     fall on any date that is in use on Earth (Calendar), and clocks may differ by five minutes.
//   - A call that timed out may be carried out late, and figures may lag, each by Config.Settle
//     at most: nothing is looked at before both have passed, and no credit is certain that is
//     younger than the lag.
//   - Figures that contradict each other prove nothing: with the day before, the days must add
//     up to the last day's balance, and that to the live balance if the last day is today.
//   - What a person decided may be mistaken: it is never certain, in either direction.
//   - Payments may change while the figures are being read: they are read after the figures,
//     so that whatever is in these is known by then.
//
// Every finding stays in the payment's history, once: as the event that ended the doubt or as
// a remark for the person to whom the rest is left.
package reconcile

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Platform is what is asked of the platform.
type Platform interface {
	// Day returns what the platform booked for a user on a date.
	Day(ctx context.Context, user string, date time.Time) (adapter.Day, error)
	// Balance returns a user's live balance at the platform.
	Balance(ctx context.Context, user string) (money.Amount, error)
}

// Config is how the platform's books are read; zero fields take the defaults.
type Config struct {
	Policy   adapter.Policy
	Calendar Calendar         // AnyZone
	Sole     bool             // nothing but this adapter tops up these users: no card payments inside the platform, no other program
	Settle   time.Duration    // how late figures may be, and how late a call may still be carried out, each; 1 h
	Every    time.Duration    // how often the payments in doubt are looked for; 1 min
	Again    time.Duration    // the longest pause before evidence on the same payment is looked for again; 6 h
	Now      func() time.Time // time.Now
	Log      *slog.Logger     // slog.Default
	// OnStep observes every doubt that evidence ended.
	OnStep func(p adapter.Payment, e adapter.Event)
	// OnReconciled observes every comparison of a user's day.
	OnReconciled func(r adapter.Reconciliation)

	Nightly  time.Duration  // the time of day, UTC, at which all users of the last day are compared; midnight
	NoNights bool           // nothing is compared but on demand
	Currency money.Currency // of the books; roubles
}

func (c *Config) fill() {
	c.Calendar = cmp.Or(c.Calendar, AnyZone)
	c.Settle = cmp.Or(c.Settle, time.Hour)
	c.Every = cmp.Or(c.Every, time.Minute)
	c.Again = cmp.Or(c.Again, 6*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.OnStep == nil {
		c.OnStep = func(adapter.Payment, adapter.Event) {}
	}
	if c.OnReconciled == nil {
		c.OnReconciled = func(adapter.Reconciliation) {}
	}
	c.Currency = cmp.Or(c.Currency, money.RUB)
}
