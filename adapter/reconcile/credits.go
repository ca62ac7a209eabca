package reconcile

import (
	"slices"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

// A credit is a payment and when the platform may have carried it out, if it has.
type credit struct {
	payment  adapter.Payment
	sure     bool      // the platform has said that it did
	from, to time.Time // the moment lies between these
}

// minor is what it adds to the user's balance at the platform.
func (c credit) minor() int64 {
	if c.payment.Kind == adapter.Refund {
		return -c.payment.Amount.Minor()
	}
	return c.payment.Amount.Minor()
}

// creditOf tells what a payment may have done to its user's balance at the platform; false
// if it has done nothing. decided says that a person ended a doubt about it, who may be
// mistaken. settle is how long a call may be under way there.
func creditOf(p adapter.Payment, decided bool, now time.Time, settle time.Duration) (credit, bool) {
	c := credit{payment: p, from: p.ReceivedAt, to: p.UpdatedAt}
	switch p.State {
	case adapter.Received: // nobody has called yet
		return c, false
	case adapter.Declining, adapter.Declined: // refused for certain, unless it was a person who said so
		return c, decided
	case adapter.Confirmed:
		c.sure = !decided
	case adapter.InDoubt:
		c.to = c.to.Add(settle)
	default: // a call may be under way
		c.to = now.Add(settle)
	}
	return c, true
}

// place is where a credit stands relative to a window of dates.
type place int

const (
	outside place = iota
	perhaps       // it may be in the window's figures
	inside        // it is in them for certain
)

// A window is the dates from first to last, and when their figures were asked for.
type window struct {
	calendar    Calendar
	first, last time.Time // dates
	asked       time.Time
	settle      time.Duration // how long the figures may lag behind
}

// around is the smallest window that has a credit inside whatever the platform's zone.
func around(c credit, calendar Calendar, asked time.Time, settle time.Duration) window {
	return window{calendar: calendar, first: calendar.first(c.from), last: calendar.last(c.to), asked: asked, settle: settle}
}

// place tells where a credit stands if it was made at all.
func (w window) place(c credit) place {
	first, last := w.calendar.first(c.from), w.calendar.last(c.to)
	switch {
	case last.Before(w.first), first.After(w.last):
		return outside
	case !first.Before(w.first) && !last.After(w.last) && !c.to.Add(w.settle).After(w.asked):
		return inside
	}
	return perhaps
}

// An account is what we know of a window's income: credits that are in it for certain, and
// those that may be. Minor units.
type account struct {
	known int64
	open  []credit
	total int64 // of the refunds among open: what might lower an income, negative
}

// add places a credit. A refund may show in the income or in the outcome, which the documents
// leave open, so it is never certain.
func (a *account) add(w window, c credit) {
	switch p := w.place(c); {
	case p == outside:
	case p == inside && c.sure && c.minor() > 0:
		a.known += c.minor()
	default:
		a.open = append(a.open, c)
		if c.minor() < 0 {
			a.total += c.minor()
		}
	}
}

// credited reports whether something that was paid for certain may be in the window or not.
func (a *account) credited() bool {
	return slices.ContainsFunc(a.open, func(c credit) bool { return c.sure && c.minor() > 0 })
}

// maxOpen bounds the search through what may be in an income: 2^16 sums are a millisecond.
const maxOpen = 16

// sums calls yield with every possible sum of the open credits and, for each, whether the
// one at index i is part of it; it stops when yield returns false.
func (a *account) sums(yield func(sum int64, has func(i int) bool) bool) {
	for set := range uint32(1) << len(a.open) {
		var sum int64
		for i, c := range a.open {
			if set&(1<<i) != 0 {
				sum += c.minor()
			}
		}
		if !yield(sum, func(i int) bool { return set&(1<<i) != 0 }) {
			return
		}
	}
}
