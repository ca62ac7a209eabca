package adapter

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
)

// Outcomes that a caller must tell apart, declared here once; other packages wrap them.
var (
	// ErrInvalid is bad input; the text names the field.
	ErrInvalid = errors.New("invalid")
	// ErrConflict is a known key with other content: stored as an event, never acted on.
	ErrConflict = errors.New("payment differs from the one accepted before")
	// ErrLost says that a payment was changed by somebody else since it was read. The loser stops.
	ErrLost = errors.New("payment was changed meanwhile")
	// ErrNotInDoubt refuses to decide about a payment that waits for no person.
	ErrNotInDoubt = errors.New("payment is not in doubt")
	// ErrOutcome refuses a decision against what the platform has said already.
	ErrOutcome = fmt.Errorf("%w: outcome", ErrInvalid)
	// ErrArchived refuses what only a user who is not archived can do.
	ErrArchived = errors.New("user is archived")
	// ErrNotFound is an unknown payment or user.
	ErrNotFound = errors.New("not found")
	// ErrOverloaded asks the caller to come again in a moment; nothing was stored.
	ErrOverloaded = errors.New("too many payments are waiting to be stored")
	// ErrInsufficient is a movement that would make a balance negative. It is a business
	// answer; an infrastructure error never turns into it.
	ErrInsufficient = errors.New("not enough funds")
	// ErrClosed says that the store is closing and takes nothing any more.
	ErrClosed = errors.New("store is closed")
)

// PlatformIntegra begins the key of every payment at Integra.
const PlatformIntegra = "integra"

// Kind tells why money moves.
type Kind string

// The kinds of payments.
const (
	TopUp  Kind = "topup"  // announced by the platform; answered by confirm or decline
	Direct Kind = "direct" // our own doPayment: the user's money goes to the platform
	Refund Kind = "refund" // our own negative doPayment: captured money comes back
)

// State is where a payment stands; docs/states.md draws the machine.
type State string

// The states of a payment. InDoubt waits for evidence or a person; Confirmed and Declined are
// final; all others are work to do. Capturing and Releasing exist only where the partner's own
// billing keeps the funds (Policy.Billing): the ledger does that in the step itself. Once the
// billing has refused such a move for certain, CaptureRefused and ReleaseRefused say so: they are
// tried again, but wait for a person (NeedsPerson).
const (
	Received   State = "received"   // stored and acknowledged, nothing decided
	Reserved   State = "reserved"   // funds set aside; no call is known to have reached the platform
	Confirming State = "confirming" // a call may have reached the platform, its outcome is unknown
	Capturing  State = "capturing"  // the platform said yes; billing is being told
	Confirmed  State = "confirmed"  // the platform said yes; captured
	Releasing  State = "releasing"  // given up; billing is being told, since it may hold a reservation
	Declining  State = "declining"  // nothing reserved; the platform is being told
	Declined   State = "declined"   // final: no money moved
	InDoubt    State = "in_doubt"   // refused after a call that may have landed; funds stay reserved

	CaptureRefused State = "capture_refused" // the platform said yes, and billing will not capture (or give a refund back)
	ReleaseRefused State = "release_refused" // given up, and billing will not release
)

// States lists every state in the order of a payment's life.
var States = []State{Received, Reserved, Confirming, Capturing, CaptureRefused, Confirmed, Releasing, ReleaseRefused, Declining, Declined, InDoubt}

// Due are the states that have a try ahead, or one under way.
var Due = slices.DeleteFunc(slices.Clone(States), func(s State) bool { return s.Final() || s == InDoubt })

// Kinds lists every kind.
var Kinds = []Kind{TopUp, Direct, Refund}

// Final reports whether nothing will change the payment any more.
func (s State) Final() bool { return s == Confirmed || s == Declined }

// HoldsFunds reports whether the state keeps the user's money reserved.
func (s State) HoldsFunds() bool {
	switch s {
	case Reserved, Confirming, Capturing, CaptureRefused, Releasing, ReleaseRefused, InDoubt:
		return true
	}
	return false
}

// NeedsPerson reports whether the state waits for somebody to look into it: see Payment.Resolved.
func (s State) NeedsPerson() bool {
	return s == InDoubt || s == CaptureRefused || s == ReleaseRefused
}

// Key makes two messages one payment: the platform's name and its own id for the payment
// (32 characters; for our own payments the paymentHash).
type Key struct {
	Platform string
	ID       string
}

func (k Key) String() string { return k.Platform + "/" + k.ID }

// A Payment is one movement of money between a user and a platform that is decided exactly once.
// It is a value: a step (see Step) carries the changed copy.
type Payment struct {
	Num        int64 // our own id, given by the store in the order of acceptance; 0 before that
	Key        Key
	Kind       Kind
	User       string       // user hash, 32 characters
	Amount     money.Amount // always positive; Kind says in which direction it goes
	RefundOf   int64        // a refund's original payment; otherwise 0
	State      State
	Version    int       // grows with every change; what a conditional update compares
	Attempt    int       // calls begun in the present direction: confirm, decline, or a move at the billing
	Owner      int64     // process that holds the lease; 0 when the row is free
	NextAt     time.Time // retry time of a free row, end of the lease of a held one; zero when nothing is due
	Reason     string    // why it was declined, is in doubt or cannot be captured; "" otherwise
	ReceivedAt time.Time // UTC, microseconds
	UpdatedAt  time.Time // UTC, microseconds
}

// MaxAmount bounds every payment: 10^12 whole units.
const MaxAmount = 1_000_000_000_000

// NewPayment returns a payment in Received. Its error wraps ErrInvalid and names the field.
func NewPayment(key Key, kind Kind, user string, amount money.Amount, at time.Time) (Payment, error) {
	at = at.UTC().Truncate(time.Microsecond)
	switch {
	case key.Platform == "":
		return Payment{}, fmt.Errorf("%w: platform is empty", ErrInvalid)
	case !isID(key.ID):
		return Payment{}, fmt.Errorf("%w: id must be 32 letters or digits", ErrInvalid)
	case kind != TopUp && kind != Direct && kind != Refund:
		return Payment{}, fmt.Errorf("%w: kind %q", ErrInvalid, kind)
	case !isID(user):
		return Payment{}, fmt.Errorf("%w: user hash must be 32 letters or digits", ErrInvalid)
	case amount.Sign() <= 0: // a refund is a payment of its own, never a negative top-up
		return Payment{}, fmt.Errorf("%w: amount %s is not positive", ErrInvalid, amount)
	case amount.Minor()/amount.Currency().Unit() >= MaxAmount && amount.Minor() != MaxAmount*amount.Currency().Unit():
		return Payment{}, fmt.Errorf("%w: amount %s is over 10^12", ErrInvalid, amount)
	}
	return Payment{
		Key: key, Kind: kind, User: user, Amount: amount,
		State: Received, NextAt: at, ReceivedAt: at, UpdatedAt: at,
	}, nil
}

// isID reports whether s is a 32-character name as the platform writes them.
func isID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// ValidUserHash reports whether s can be a user's hash.
func ValidUserHash(s string) bool { return isID(s) }

// SameContent reports whether q announces what p announced: a repeat. A known key with
// other content is a conflict.
func (p Payment) SameContent(q Payment) bool {
	return p.Key == q.Key && p.Kind == q.Kind && p.User == q.User && p.Amount == q.Amount && p.RefundOf == q.RefundOf
}

// PaymentFilter chooses payments; empty fields choose all.
type PaymentFilter struct {
	User     string
	States   []State
	Kinds    []Kind
	From, To time.Time // received at or after From, before To
	Before   int64     // a cursor: payments with smaller numbers only; 0 begins with the newest
	Limit    int       // 50 if 0
}
