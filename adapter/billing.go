package adapter

import (
	"fmt"
	"time"
)

// Here is how a payment lives where the partner's own billing keeps the funds. The ledger's
// moves are part of the steps that they belong to; the billing's are calls that may be lost.
// So each has a state in which it is owed and repeated, under the payment's key, until it is
// acknowledged: Received owes the reservation, Capturing the capture (of a refund, the money
// given back), Releasing the release. Whatever the adapter gives up while the billing may hold
// a reservation, it gives up by way of Releasing. A capture or release that the billing refuses
// is owed still, in CaptureRefused or ReleaseRefused. A payment whose reservation it refuses for a
// reason that is not the user's stays in Received, with that reason.

// Owes is the move that the billing is to be asked for next; NoMove where there is none.
func (p Payment) Owes(pol Policy) Move {
	switch {
	case !pol.Billing:
	case p.State == Received && p.Kind != Refund:
		return Reserve
	case p.tellsYes() && p.Kind == Refund:
		return Restore
	case p.tellsYes():
		return Capture
	case p.State == Releasing || p.State == ReleaseRefused:
		return Release
	}
	return NoMove
}

// Unreserved reports whether the payment waits for a reservation that the billing refuses, gives no
// answer to, or is not asked for since it is left alone. A person may decline it (Resolved).
func (p Payment) Unreserved(pol Policy) bool {
	return p.Owes(pol) == Reserve && (p.Attempt > 0 || p.Owner == 0)
}

// tellsYes reports whether the billing is owed the platform's yes.
func (p Payment) tellsYes() bool { return p.State == Capturing || p.State == CaptureRefused }

// Codes by which the billing refuses a reservation, as HTTP has them.
const (
	CodeNoFunds     = 402
	CodeUnknownUser = 404
)

// Moved is the step that the billing's answer about the move that is owed leads to.
//
// Only a reservation may be refused: for want of funds, or because the billing does not know
// the user. If an earlier call may have left a reservation nevertheless, it is released. Refused
// for another reason (a conflict, say) it proves nothing about the user, nor that there is no
// reservation: it is noted as refused and asked for again like one without an answer. A
// capture or release is owed once the platform has said its word, so a refusal leads to a state
// that asks for a person and is repeated, until the billing is mended or the person has seen to
// its books (Resolved). Unknown is not refused.
func (p Payment) Moved(o Outcome, pol Policy, at time.Time) (Step, error) {
	var s Step
	switch move := p.Owes(pol); {
	case move == NoMove:
		return Step{}, fmt.Errorf("billing's answer for payment %s: it is %s", p.Key, p.State)
	case o.Verdict == Held:
		return p.Freed(at), nil
	case o.Verdict == Accepted && move == Reserve:
		s = p.due(EventReserved, Reserved, pol, at)
		s.After.Reason = ""
	case o.Verdict == Accepted && move == Release:
		s = p.turnDown(EventReleased, p.Reason, pol, at)
	case o.Verdict == Accepted:
		s = p.step(EventCaptured, Confirmed, at)
		s.After.Reason = ""
	case o.Verdict == Refused && p.tellsYes():
		s = p.moveRefused(CaptureRefused, o, pol, at)
	case o.Verdict == Refused && move == Release:
		s = p.moveRefused(ReleaseRefused, o, pol, at)
		s.After.Reason = p.Reason // stays the one for which it was given up
	case o.Verdict == Refused && move == Reserve && o.Code == CodeNoFunds:
		s = p.turnDownUnreserved(ReasonNoFunds, pol, at)
	case o.Verdict == Refused && move == Reserve && o.Code == CodeUnknownUser:
		s = p.turnDownUnreserved(ReasonUnknownUser, pol, at)
	case o.Verdict == Refused:
		s = p.moveRefused(Received, o, pol, at)
	default:
		s = p.again(p.State, pol, at)
	}
	s.explain(p.Attempt, o)
	return s, nil
}

// moveRefused frees the payment until the move is tried again that the billing has refused.
func (p Payment) moveRefused(to State, o Outcome, pol Policy, at time.Time) Step {
	s := p.again(to, pol, at)
	s.Event.Kind = EventMoveRefused
	s.After.Reason = fmt.Sprintf("billing refused: %d %s", o.Code, o.Detail)
	return s
}

// turnDownUnreserved turns down a payment without a reservation, as far as is known: if the
// billing has been asked for one before, it may have made it.
func (p Payment) turnDownUnreserved(reason string, pol Policy, at time.Time) Step {
	if p.Owes(pol) == Reserve && p.Attempt > 0 {
		return p.giveUp(EventNoFunds, reason, pol, at)
	}
	return p.turnDown(EventNoFunds, reason, pol, at)
}

// giveUp leads to Releasing.
func (p Payment) giveUp(kind EventKind, reason string, pol Policy, at time.Time) Step {
	s := p.due(kind, Releasing, pol, at)
	s.After.Reason = reason
	s.Event.Detail = reason
	return s
}

// due leads to a state that asks for a call, which the process that holds the lease makes.
func (p Payment) due(kind EventKind, to State, pol Policy, at time.Time) Step {
	s := p.step(kind, to, at)
	s.After.Attempt = 1
	s.After.NextAt = s.After.UpdatedAt.Add(pol.Lease)
	return s
}
