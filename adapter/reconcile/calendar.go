package reconcile

import (
	"fmt"
	"time"
)

// skew is how far our clock and the platform's may be apart.
const skew = 5 * time.Minute

// A Calendar says on which of the platform's dates a moment falls. The documents do not tell
// the platform's time zone, so by default a moment may fall on any date that is in use
// somewhere on Earth; a partner who knows the zone gets sharper answers.
type Calendar struct {
	west, east *time.Location // the zones in which it is earliest and latest
}

// AnyZone is the calendar of a platform whose time zone is not known.
var AnyZone = Calendar{west: time.FixedZone("", -12*3600), east: time.FixedZone("", 14*3600)}

// NewCalendar returns the calendar of a zone by its name, such as Europe/Moscow; "any" is AnyZone.
func NewCalendar(zone string) (Calendar, error) {
	if zone == "any" {
		return AnyZone, nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return Calendar{}, fmt.Errorf("time zone %q is unknown; write one like Europe/Moscow, or any", zone)
	}
	return Calendar{west: loc, east: loc}, nil
}

// vague reports whether no moment falls on one date for certain.
func (c Calendar) vague() bool { return c == AnyZone }

// first is the earliest date on which a moment may fall.
func (c Calendar) first(t time.Time) time.Time { return date(t.Add(-skew).In(c.west)) }

// last is the latest one.
func (c Calendar) last(t time.Time) time.Time { return date(t.Add(skew).In(c.east)) }

// date is the midnight, UTC, that stands for t's date.
func date(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

const day = 24 * time.Hour // between two dates
