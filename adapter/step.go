package adapter

import (
	"fmt"
	"time"
)

// Verdict is what we know about one call to the platform.
type Verdict string

// The verdicts. Unknown is not Refused: a time-out, a reset, a 5xx or an answer that is no
// envelope may each hide a call that the platform has carried out.
const (
	Accepted Verdict = "accepted" // the platform answered yes
	Refused  Verdict = "refused"  // the platform answered no, with a code
	NotSent  Verdict = "not_sent" // the call cannot have reached the platform (no connection, no key)
	Unknown  Verdict = "unknown"  // the call may have reached the platform
	Held     Verdict = "held"     // the call was not made, since the platform is left alone for a while
)

// Outcome is the result of one call to the platform.
type Outcome struct {
	Verdict Verdict
	Code    int           // the platform's status code when it answered
	Detail  string        // the platform's message, or what went wrong; no secrets
	Took    time.Duration // wall time of the call
}

// Move names the money that a step moves, always the payment's whole amount.
type Move string

// The moves of the ledger (adapter/ledger knows their accounts).
const (
	NoMove  Move = ""
	Reserve Move = "reserve" // available → reserved
	Capture Move = "capture" // reserved → platform
	Release Move = "release" // reserved → available
	Restore Move = "restore" // platform → available: a refund that the platform accepted
)

// A Step is one change of a payment: the copy before and after it, the money that it moves
// and the line of history that explains it. The store writes all of it in one transaction,
// or nothing if the payment's version is not Before's any more (ErrLost).
type Step struct {
	Before Payment
	After  Payment
	Move   Move
	Event  Event
	// Short is written instead when Move lacks funds; nil where that cannot happen.
	Short *Step
}

// Event is one line of a payment's history, append-only.
type Event struct {
	Payment int64
	Version int // the version that the event explains; remarks share it
	N       int // 0 the change itself, 1… remarks that changed nothing (a conflict, say)
	At      time.Time
	Kind    EventKind
	From    State
	To      State
	Attempt int     // the call's number, 0 when no call was made
	Verdict Verdict // of the call, if one was made
	Code    int
	Detail  string
	Took    time.Duration
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventReceived  EventKind = "received"
	EventReserved  EventKind = "reserved"
	EventNoFunds   EventKind = "no_funds"
	EventConfirmed EventKind = "confirmed"
	EventCaptured  EventKind = "captured" // by the partner's billing
	EventReleased  EventKind = "released" // by the partner's billing
	// EventMoveRefused is a move that the billing will not make, for no reason of the user's.
	EventMoveRefused EventKind = "move_refused"
	EventRetry       EventKind = "retry" // the call brought no answer; another follows
	EventRefused     EventKind = "refused"
	EventInDoubt     EventKind = "in_doubt"
	EventEvidence    EventKind = "evidence" // a remark: what the platform's books say about a payment in doubt
	EventProven      EventKind = "proven"   // evidence ended the doubt
	EventResolved    EventKind = "resolved" // a person decided
	EventHurried     EventKind = "hurried"  // a person asked for the next try at once
	EventDeclined    EventKind = "declined"
	EventTakenOver   EventKind = "taken_over" // the process that held the payment is gone
	EventArchived    EventKind = "archived"   // a remark that stands for a history that went to a file
	EventConflict    EventKind = "conflict"   // the same key came with other content
)

// EventKinds lists every kind of event.
var EventKinds = []EventKind{
	EventReceived, EventReserved, EventNoFunds, EventConfirmed, EventCaptured, EventReleased, EventMoveRefused, EventRetry, EventRefused,
	EventInDoubt, EventEvidence, EventProven, EventResolved, EventHurried, EventDeclined, EventTakenOver, EventArchived, EventConflict,
}

// Reasons of a decline that is ours.
const (
	ReasonNoFunds     = "not enough funds"
	ReasonUnknownUser = "unknown user"
	ReasonArchived    = "user is archived"
)

// Policy is what a step needs to know besides the payment.
type Policy struct {
	// Lease is how long a process may hold a payment without writing: 10 s by default.
	Lease time.Duration
	// Retry gives the pause after the n-th call (n ≥ 1) that brought no answer.
	Retry func(n int) time.Duration
	// DeclineFor is how long we try to tell the platform of a decline, from the payment's
	// acceptance; after it the payment is declined untold: 24 h by default, when the
	// platform has expired it by itself.
	DeclineFor time.Duration
	// Billing says that the partner's own billing keeps the funds, not the ledger: steps move
	// no money, and moves are calls of their own (Payment.Owes, Payment.Moved).
	Billing bool
}

// step begins a step from p: the next version, at the given time.
func (p Payment) step(kind EventKind, to State, at time.Time) Step {
	at = at.UTC().Truncate(time.Microsecond)
	after := p
	after.State = to
	after.Version++
	after.UpdatedAt = at
	if to.Final() || to == InDoubt {
		after.Owner, after.NextAt = 0, time.Time{}
	}
	return Step{
		Before: p,
		After:  after,
		Event: Event{
			Payment: p.Num, Version: after.Version, At: at,
			Kind: kind, From: p.State, To: to,
		},
	}
}

// Decide is the step out of Received: the funds are reserved for the first call, or, when
// there are not enough, the payment turns to Declining. A refund needs no funds.
// The process that holds the lease keeps it to make that call. With billing only
// refunds are decided so; others owe a reservation first.
func (p Payment) Decide(pol Policy, at time.Time) (Step, error) {
	if p.State != Received || p.Owes(pol) != NoMove {
		return Step{}, fmt.Errorf("decide payment %s: it is %s and owes a move", p.Key, p.State)
	}
	s := p.step(EventReserved, Reserved, at)
	s.After.Attempt = 1
	s.After.NextAt = p.lease(pol, at)
	if p.Kind == Refund {
		return s, nil
	}
	s.Move = Reserve
	short := p.turnDown(EventNoFunds, ReasonNoFunds, pol, at)
	s.Short = &short
	return s, nil
}

// Refuse is the step out of Received for a user whose money is not asked for: nobody
// registered the user with us, or the user is archived.
func (p Payment) Refuse(reason string, pol Policy, at time.Time) Step {
	return p.turnDownUnreserved(reason, pol, at)
}

// turnDown leads to Declining, or for our own payments, which the platform never heard of,
// straight to Declined. The lease is kept for the call.
func (p Payment) turnDown(kind EventKind, reason string, pol Policy, at time.Time) Step {
	to := Declining
	if p.Kind != TopUp {
		to = Declined
	}
	s := p.step(kind, to, at)
	s.After.Reason = reason
	s.Event.Detail = reason
	if to == Declining {
		s.After.Attempt = 1
		s.After.NextAt = p.lease(pol, at)
	}
	return s
}

// lease is the end of the lease for the call that follows. One that is hardly used goes on: as
// long as next_at stays, a row is written without touching the index of what is due.
func (p Payment) lease(pol Policy, at time.Time) time.Time {
	if p.NextAt.Sub(at) >= pol.Lease-pol.Lease/10 {
		return p.NextAt
	}
	return at.Add(pol.Lease)
}

// Answered is the step that an outcome of the present call leads to.
//
// A refusal of a confirm is definite only in Reserved, where no earlier call can have
// reached the platform; in Confirming one may have landed, and the payment is in doubt.
func (p Payment) Answered(o Outcome, pol Policy, at time.Time) (Step, error) {
	if o.Verdict == Held && (p.State == Reserved || p.State == Confirming || p.State == Declining) {
		return p.Freed(at), nil
	}
	var s Step
	switch {
	case p.State == Declining:
		s = p.declineAnswered(o, pol, at)
	case p.State != Reserved && p.State != Confirming:
		return Step{}, fmt.Errorf("answer for payment %s: it is %s", p.Key, p.State)
	case o.Verdict == Accepted && pol.Billing:
		s = p.due(EventConfirmed, Capturing, pol, at)
	case o.Verdict == Accepted:
		s = p.step(EventConfirmed, Confirmed, at)
		s.Move = Capture
		if p.Kind == Refund {
			s.Move = Restore
		}
	case o.Verdict == Refused && p.State == Confirming:
		s = p.step(EventInDoubt, InDoubt, at)
		s.After.Reason = refusal(o)
	case o.Verdict == Refused && pol.Billing && p.Kind != Refund:
		s = p.giveUp(EventRefused, refusal(o), pol, at)
	case o.Verdict == Refused:
		s = p.turnDown(EventRefused, refusal(o), pol, at)
		if p.Kind != Refund {
			s.Move = Release
		}
	case o.Verdict == NotSent:
		s = p.again(p.State, pol, at)
	case o.Verdict == Unknown:
		s = p.again(Confirming, pol, at)
	default:
		return Step{}, fmt.Errorf("answer for payment %s: verdict %q", p.Key, o.Verdict)
	}
	s.explain(p.Attempt, o)
	return s, nil
}

// explain notes the call that led to the step.
func (s *Step) explain(attempt int, o Outcome) {
	s.Event.Attempt = attempt
	s.Event.Verdict, s.Event.Code, s.Event.Took = o.Verdict, o.Code, o.Took
	if o.Detail != "" {
		s.Event.Detail = o.Detail
	}
}

// declineAnswered: nothing is reserved, so a refused decline ends the matter as well.
func (p Payment) declineAnswered(o Outcome, pol Policy, at time.Time) Step {
	if o.Verdict == Accepted || o.Verdict == Refused || at.Sub(p.ReceivedAt) >= pol.DeclineFor {
		return p.step(EventDeclined, Declined, at)
	}
	return p.again(Declining, pol, at)
}

// again frees the payment until its next call.
func (p Payment) again(to State, pol Policy, at time.Time) Step {
	s := p.step(EventRetry, to, at)
	s.After.Owner = 0
	s.After.Attempt++
	s.After.NextAt = s.After.UpdatedAt.Add(pol.Retry(max(p.Attempt, 1)))
	return s
}

// refusal is the reason kept for a refusal: the platform's code and message.
func refusal(o Outcome) string { return fmt.Sprintf("platform refused: %d %s", o.Code, o.Detail) }

// Claimed is how a payment looks once a process has taken it over or taken it up: leased to
// owner until the lease ends. If another process held it in Reserved, that process may have
// called the platform before it died, so from here on a refusal is not definite any more.
func (p Payment) Claimed(owner int64, pol Policy, at time.Time) Step {
	to := p.State
	if p.State == Reserved && p.Owner != 0 {
		to = Confirming
	}
	s := p.step(EventTakenOver, to, at)
	// Whoever held it may have called: for a billing's reservation that is not written down first.
	if p.Owner != 0 && (p.Attempt > 0 || p.Owes(pol) == Reserve) {
		s.After.Attempt++
	}
	s.After.Owner = owner
	s.After.NextAt = s.After.UpdatedAt.Add(pol.Lease)
	return s
}

// Hurried makes a free payment's scheduled try due at once, since who asked for it. It is that
// very try, put forward: there is never a second one beside it. A payment that is being tried
// at this moment, or is due by itself, is ErrLost; one that has no try ahead ErrInvalid.
func (p Payment) Hurried(who string, at time.Time) (Step, error) {
	switch {
	case p.NextAt.IsZero():
		return Step{}, fmt.Errorf("%w: payment %s is %s: there is nothing to try", ErrInvalid, p.Key, p.State)
	case p.Owner != 0:
		return Step{}, fmt.Errorf("%w: payment %s is being tried", ErrLost, p.Key)
	case !p.NextAt.After(at):
		return Step{}, fmt.Errorf("%w: payment %s is due already", ErrLost, p.Key)
	}
	s := p.step(EventHurried, p.State, at)
	s.After.NextAt = s.After.UpdatedAt
	s.Event.Detail = "asked for by " + who
	return s, nil
}

// Freed gives a payment back untouched: the process that held it made no call for it.
func (p Payment) Freed(at time.Time) Step {
	s := p.step("", p.State, at)
	s.After.Owner = 0
	s.After.NextAt = s.After.UpdatedAt
	return s
}
