package adapter

import (
	"fmt"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
)

// ReconcileResult is what the comparison of one user's day came to.
type ReconcileResult string

// The results of a comparison.
const (
	ReconcileAgrees  ReconcileResult = "agrees"
	ReconcileDiffers ReconcileResult = "differs"
	ReconcileUnread  ReconcileResult = "unread" // the platform's figures could not be had
)

// ReconcileResults lists every result.
var ReconcileResults = []ReconcileResult{ReconcileAgrees, ReconcileDiffers, ReconcileUnread}

// A Reconciliation compares what one user paid to the platform on one of its dates: here and there.
type Reconciliation struct {
	Date   time.Time // the platform's date, as midnight UTC
	User   string
	Result ReconcileResult
	At     time.Time // when it was compared; UTC, microseconds

	Credits    money.Amount // what our payments credited on that date for certain
	Refunds    money.Amount // what our refunds took back on that date for certain
	Open       int          // payments more that may or may not belong to that date, or be carried out at all
	Income     money.Amount // the platform's
	Outcome    money.Amount // the platform's, negative; users' spending is in it
	Difference money.Amount // Income less Credits

	Text     string  // what differs, or why it could not be read; "" if it agrees
	Payments []int64 // the numbers of the payments behind these figures, the first MaxBehind of them
}

// What a Reconciliation says, each with the amounts that belong into it. A reason that is none
// of them is what the platform's call came to.
const (
	ReasonLess        = "the platform has %s less than was paid to it"
	ReasonLessAround  = "with the days before and after, the platform has %s less than was paid to it"
	ReasonRefunds     = "refunds of %s are not in the platform's outcome of %s"
	ReasonUnexplained = "the platform has %s that no payment explains"
	ReasonOutOfOrder  = "the platform was out of order"
)

// Why takes the text apart: the reason that it was made of and its amounts, or "" if it was
// made of none.
func (r Reconciliation) Why() (reason string, amounts []any) {
	for _, reason := range []string{ReasonLess, ReasonLessAround, ReasonRefunds, ReasonUnexplained, ReasonOutOfOrder} {
		var read [2]string
		n := strings.Count(reason, "%s")
		into, amounts := []any{&read[0], &read[1]}[:n], []any{}
		if _, err := fmt.Sscanf(r.Text, reason, into...); err != nil {
			continue
		}
		for _, text := range read[:n] {
			amounts = append(amounts, text)
		}
		if fmt.Sprintf(reason, amounts...) == r.Text {
			return reason, amounts
		}
	}
	return "", nil
}

// MaxBehind bounds the payments that a Reconciliation names.
const MaxBehind = 100

// A ReconciliationFilter chooses reconciliations; empty fields choose all.
type ReconciliationFilter struct {
	From, To time.Time // dates, both included
	User     string
	Result   ReconcileResult
	Date     time.Time // with After, a cursor: go on after this date and user
	After    string
	Limit    int // 50 if 0
}

// A ReconcileRun sums up the comparison of all users that were active on a date.
type ReconcileRun struct {
	Date                         time.Time
	At                           time.Time
	Users, Agree, Differ, Unread int
}

// A ReconcileRunFilter chooses runs; empty fields choose all.
type ReconcileRunFilter struct {
	From, To time.Time // dates, both included; To is the cursor, too
	Limit    int       // 50 if 0
}

// ReconcileProgress is what became of the run that was last asked for in this process.
type ReconcileProgress struct {
	Date        time.Time // zero if none was
	Running     bool      // it has not come to an end; it may have to wait for another one
	Done, Users int       // compared, of so many; none while it waits
	Failed      bool      // it ended early; the log says why
}

// DayDiffers is a day on which the platform's books differ from ours.
type DayDiffers struct {
	Day   string // 2006-01-02
	Users int64  // for whom they differ
	First string // the first of them
}
