package adapter

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what a person writes about a decision, in characters.
const (
	MaxReason = 1000
	MaxPerson = 100
)

// A Resolution is a person's decision about a payment that waits for one.
type Resolution struct {
	// Confirm says that the platform has carried the payment out; otherwise it has not and will
	// not. Where the billing refuses a move, that is known, and the decision says that the
	// billing's books are right now; where it makes no reservation, the payment is given up.
	Confirm bool
	Reason  string // what the decision rests on: 1 to MaxReason characters
	By      string // who decided: 1 to MaxPerson characters
}

// Resolved is the step out of doubt that a person decided on. Confirmed, the money that is
// still reserved is captured (a refund's is restored); declined, it is released and nobody is
// told, since the platform has given its last word already. With billing, that is told first,
// and the platform as well. Reason and name go into the history, with whatever space they hold
// turned into single blanks.
//
// A move that the billing refuses is taken for made: the person has seen to it there. The outcome
// cannot be chosen then, for the platform's word stands: a payment that it has carried out is
// confirmed, one that was given up is declined. A payment for which the billing makes no
// reservation (Unreserved) can only be declined: the platform has had no call for it. What the
// billing may have reserved all the same is released first. While it is being tried, it is ErrLost.
//
// The error is otherwise ErrNotInDoubt, or wraps ErrInvalid and names the field.
func (p Payment) Resolved(r Resolution, pol Policy, at time.Time) (Step, error) {
	reason, err := written("reason", r.Reason, MaxReason)
	if err != nil {
		return Step{}, err
	}
	by, err := written("by", r.By, MaxPerson)
	if err != nil {
		return Step{}, err
	}
	verb := "declined"
	if r.Confirm {
		verb = "confirmed"
	}
	detail := fmt.Sprintf("%s by %s: %s", verb, by, reason)
	if p.Unreserved(pol) {
		return p.abandoned(r.Confirm, detail, pol, at)
	}
	if p.State == CaptureRefused || p.State == ReleaseRefused {
		return p.moveMade(r.Confirm, detail, pol, at)
	}
	return p.endDoubt(EventResolved, r.Confirm, detail, pol, at)
}

// moveMade is the step out of CaptureRefused or ReleaseRefused of a person who has put the
// billing's books right.
func (p Payment) moveMade(confirm bool, detail string, pol Policy, at time.Time) (Step, error) {
	switch {
	case p.Owner != 0:
		return Step{}, fmt.Errorf("%w: payment %s is being tried", ErrLost, p.Key)
	case confirm && p.State == ReleaseRefused:
		return Step{}, fmt.Errorf("%w: payment %s was given up, so it can only be declined", ErrOutcome, p.Key)
	case !confirm && p.State == CaptureRefused:
		return Step{}, fmt.Errorf("%w: the platform has carried payment %s out, so it can only be confirmed", ErrOutcome, p.Key)
	}
	var s Step
	if confirm {
		s = p.step(EventResolved, Confirmed, at)
		s.After.Reason = ""
	} else {
		s = p.turnDown(EventResolved, p.Reason, pol, at).dueAtOnce()
	}
	s.Event.Detail = detail
	return s, nil
}

// abandoned is the step out of Received of a person who will not wait for the billing.
func (p Payment) abandoned(confirm bool, detail string, pol Policy, at time.Time) (Step, error) {
	switch {
	case p.Owner != 0:
		return Step{}, fmt.Errorf("%w: payment %s is being tried", ErrLost, p.Key)
	case confirm:
		return Step{}, fmt.Errorf("%w: the platform has had no call for payment %s, so it can only be declined", ErrOutcome, p.Key)
	case p.Attempt > 0: // it may have reserved
		return p.giveUp(EventResolved, detail, pol, at).dueAtOnce(), nil
	}
	return p.turnDown(EventResolved, detail, pol, at).dueAtOnce(), nil
}

// dueAtOnce makes the call that a step out of a free payment asks for due: nobody holds it.
func (s Step) dueAtOnce() Step {
	if !s.After.State.Final() {
		s.After.NextAt = s.After.UpdatedAt
	}
	return s
}

// Proven is the step out of doubt that the platform's own books leave no choice about;
// evidence tells what they say. Its error is ErrNotInDoubt.
func (p Payment) Proven(credited bool, evidence string, pol Policy, at time.Time) (Step, error) {
	return p.endDoubt(EventProven, credited, evidence, pol, at)
}

func (p Payment) endDoubt(kind EventKind, confirm bool, detail string, pol Policy, at time.Time) (Step, error) {
	if p.State != InDoubt {
		return Step{}, fmt.Errorf("%w: payment %s is %s", ErrNotInDoubt, p.Key, p.State)
	}
	to := Declined
	switch {
	case pol.Billing && confirm:
		to = Capturing
	case pol.Billing && p.Kind != Refund:
		to = Releasing
	case confirm:
		to = Confirmed
	}
	s := p.step(kind, to, at)
	s.Event.Detail = detail
	s.After.Reason = ""
	if !confirm {
		s.After.Reason = detail
	}
	switch {
	case pol.Billing:
		if to != Declined {
			s.After.Attempt = 1
			s = s.dueAtOnce()
		}
	case confirm && p.Kind == Refund:
		s.Move = Restore
	case confirm:
		s.Move = Capture
	case p.Kind != Refund:
		s.Move = Release
	}
	return s, nil
}

// written checks what a person wrote and makes it one line.
func written(field, text string, longest int) (string, error) {
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("%w: %s is not valid UTF-8", ErrInvalid, field)
	}
	text = strings.Join(strings.Fields(text), " ")
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "", fmt.Errorf("%w: %s is missing", ErrInvalid, field)
	case n > longest:
		return "", fmt.Errorf("%w: %s has %d characters, more than %d", ErrInvalid, field, n, longest)
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return "", fmt.Errorf("%w: %s has characters that cannot be shown", ErrInvalid, field)
	}
	return text, nil
}

// Resolve settles a payment in doubt as a person decided, if it is still as that person saw
// it: p is the payment as read, and ErrLost says that it has changed since. The money moves
// in the same transaction. Other errors are those of Resolved.
func (s *Service) Resolve(ctx context.Context, p Payment, r Resolution) (Payment, error) {
	step, err := p.Resolved(r, s.policy, s.now())
	if err != nil {
		return p, err
	}
	after, err := s.store.Apply(context.WithoutCancel(ctx), step)
	if err != nil {
		return p, err
	}
	if !after.NextAt.IsZero() {
		s.workers.Kick()
	}
	return after, nil
}
