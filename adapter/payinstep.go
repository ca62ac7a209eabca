package adapter

import (
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
)

// A PayinStep is one change of a payin: the copy before and after it, what the user is credited
// with, and the line of history. The store writes all of it in one transaction, or nothing if
// the payin's version is not Before's any more (ErrLost).
type PayinStep struct {
	Before Payin
	After  Payin
	Credit money.Amount // zero for none
	Event  PayinEvent   // without a Kind where nothing is worth a line
}

// PayinEvent is one line of a payin's history, append-only.
type PayinEvent struct {
	Payin   int64
	Version int // the version that the event explains; remarks share it
	N       int // 0 the change itself, 1… remarks that changed nothing (a contradiction, say)
	At      time.Time
	Kind    PayinEventKind
	From    PayinStatus
	To      PayinStatus
	Attempt int     // the call's number, 0 when no call was made
	Verdict Verdict // of the call, if one was made
	Code    int
	Detail  string
	Took    time.Duration
}

// PayinEventKind says what happened to a payin.
type PayinEventKind string

// The kinds of a payin's events.
const (
	PayinEventCreated   PayinEventKind = "created"    // stored, before any call
	PayinEventOpened    PayinEventKind = "opened"     // the platform has the order
	PayinEventMoved     PayinEventKind = "moved"      // the platform's status changed
	PayinEventRetry     PayinEventKind = "retry"      // the call brought no answer; another follows
	PayinEventNotFound  PayinEventKind = "not_found"  // payin.get knows no such order
	PayinEventRefused   PayinEventKind = "refused"    // there will be no order
	PayinEventTakenOver PayinEventKind = "taken_over" // the process that held the payin is gone
	PayinEventConflict  PayinEventKind = "conflict"   // the platform said what cannot be; not acted on
)

// PayinPolicy is what a payin's step needs to know besides the payin.
type PayinPolicy struct {
	// Lease is how long a process may hold a payin without writing: 10 s by default.
	Lease time.Duration
	// Retry gives the pause after the n-th call (n ≥ 1) that brought no answer.
	Retry func(n int) time.Duration
	// Poll gives the pause between two looks at an open order of that age. Callbacks are
	// quicker; this finds what they failed to bring.
	Poll func(age time.Duration) time.Duration
	// CreateFor is how long after the request a create is still begun: nobody waits for the
	// page any more.
	CreateFor time.Duration
	// Ledger is the currency that users are credited in.
	Ledger money.Currency
}

// PayinAnswer is the outcome of payin.create or payin.get.
type PayinAnswer struct {
	Outcome
	Order    PayinOrder // if it was accepted
	Taken    bool       // refused, because the externalid is taken
	NotFound bool       // refused, because there is no such order
}

func (p Payin) step(kind PayinEventKind, to PayinStatus, at time.Time) PayinStep {
	at = at.UTC().Truncate(time.Microsecond)
	after := p
	after.Status = to
	after.Version++
	after.Owner = 0
	after.NextAt = at
	after.UpdatedAt = at
	if to.Settled() {
		after.NextAt = time.Time{}
	}
	return PayinStep{
		Before: p,
		After:  after,
		Event:  PayinEvent{Payin: p.Num, Version: after.Version, At: at, Kind: kind, From: p.Status, To: to},
	}
}

// Created is the step that the outcome of payin.create leads to, out of Creating.
//
// The platform does not take two orders under one externalid, and does not answer a repeat with
// the first one. So an unknown outcome is never followed by another create but by a look
// (payin.get), and a create that finds its name taken is refused for good unless one of ours
// may have taken it.
func (p Payin) Created(a PayinAnswer, pol PayinPolicy, at time.Time) (PayinStep, error) {
	if p.Status != PayinCreating {
		return PayinStep{}, fmt.Errorf("create payin %s: it is %s", p.ExternalID, p.Status)
	}
	var s PayinStep
	switch {
	case a.Verdict == Accepted:
		if why := p.contradiction(a.Order); why != nil {
			s = p.unsure(PayinEventConflict, at)
			s.Event.Detail = why.Error()
			break
		}
		s, _ = p.take(a.Order, pol, at)
	case a.Verdict == Refused && a.Taken && p.Sent:
		s = p.unsure(PayinEventRetry, at)
	case a.Verdict == Refused:
		s = p.refuse(PayinEventRefused, refusal(a.Outcome), at)
	case a.Verdict == NotSent && p.HasCode:
		s = p.refuse(PayinEventRefused, "the platform could not be reached, and the code is not kept for another try", at)
	case a.Verdict == NotSent && p.late(pol, at):
		s = p.refuse(PayinEventRefused, "the platform could not be reached in time", at)
	case a.Verdict == NotSent:
		s = p.step(PayinEventRetry, PayinCreating, at)
		s.retry(pol)
	case a.Verdict == Unknown:
		s = p.unsure(PayinEventRetry, at)
		s.retry(pol)
	default:
		return PayinStep{}, fmt.Errorf("create payin %s: verdict %q", p.ExternalID, a.Verdict)
	}
	s.explain(p, a.Outcome)
	return s, nil
}

// Looked is the step that the outcome of payin.get leads to, in any status. Only when the
// platform says that there is no such order may a create be made again; whatever else it does
// not say is asked again.
func (p Payin) Looked(a PayinAnswer, pol PayinPolicy, at time.Time) PayinStep {
	var s PayinStep
	switch {
	case a.Verdict == Accepted:
		if s = p.found(a.Order, pol, at); s.Event.Kind == "" {
			return s // nothing new
		}
	case a.NotFound && p.Status == PayinUnsure && p.Adopted():
		s = p.refuse(PayinEventNotFound, "the platform has no such order", at)
	case a.NotFound && p.Status == PayinUnsure && p.HasCode:
		s = p.refuse(PayinEventNotFound, "the platform has no such order, and the code is not kept for another try", at)
	case a.NotFound && p.Status == PayinUnsure && p.late(pol, at):
		s = p.refuse(PayinEventNotFound, "the platform has no such order, and it is too late for another try", at)
	case a.NotFound && p.Status == PayinUnsure:
		s = p.step(PayinEventNotFound, PayinCreating, at)
		s.After.Attempt = 1
	case a.NotFound:
		s = p.step(PayinEventNotFound, p.Status, at)
		s.poll(pol)
	default:
		s = p.step(PayinEventRetry, p.Status, at)
		s.retry(pol)
	}
	s.explain(p, a.Outcome)
	return s
}

// found is the step that follows an answer of payin.get that has the order.
func (p Payin) found(o PayinOrder, pol PayinPolicy, at time.Time) PayinStep {
	why := p.contradiction(o)
	switch s, news := p.take(o, pol, at); {
	case why == nil && news:
		return s
	case why == nil:
		s = p.step("", p.Status, at)
		s.poll(pol)
		return s
	case p.Status.rank() == rankNoOrder: // the name is somebody else's
		return p.refuse(PayinEventConflict, "the platform has another order of this name: "+why.Error(), at)
	}
	s := p.step(PayinEventConflict, p.Status, at)
	s.Event.Detail = why.Error()
	s.poll(pol)
	return s
}

// Told is the step that a callback about an order leads to, and whether it says anything new:
// callbacks come late, twice and out of order. Its error wraps ErrConflict when the callback
// contradicts what is known; then nothing of it is believed.
//
// It must be of the order that we know by its number. A callback that comes before we know
// that is a reason to look, not evidence: its signature covers a text, not where one field ends.
func (p Payin) Told(o PayinOrder, pol PayinPolicy, at time.Time) (s PayinStep, news bool, err error) {
	if p.Order.LID == 0 {
		return s, false, fmt.Errorf("callback for payin %s: its order is not known yet", p.ExternalID)
	}
	if why := p.contradiction(o); why != nil {
		return s, false, fmt.Errorf("%w: payin %s: %w", ErrConflict, p.ExternalID, why)
	}
	s, news = p.take(o, pol, at)
	if news {
		s.Event.Detail = join("callback", s.Event.Detail)
	}
	return s, news, nil
}

// Remark is a line of history about something that changed nothing.
func (p Payin) Remark(kind PayinEventKind, detail string, at time.Time) PayinEvent {
	return PayinEvent{
		Payin: p.Num, Version: p.Version, At: at.UTC().Truncate(time.Microsecond),
		Kind: kind, From: p.Status, To: p.Status, Detail: detail,
	}
}

// contradiction says why o cannot be the order of this payin as it is known.
func (p Payin) contradiction(o PayinOrder) error {
	out := o.Out.Currency().Code()
	account, err := o.Out.Sub(o.OutFee)
	switch {
	case p.Order.LID != 0 && o.LID != p.Order.LID:
		return fmt.Errorf("order %d, but ours is order %d", o.LID, p.Order.LID)
	case o.In != p.Amount:
		return fmt.Errorf("order %d is of %s %s, not of %s %s", o.LID, o.In.Short(), o.In.Currency(), p.Amount.Short(), p.Amount.Currency())
	case o.Payway != p.Payway:
		return fmt.Errorf("order %d goes through %q, not %q", o.LID, o.Payway, p.Payway)
	case out != p.received() && out != p.Amount.Currency().Code(): // what cannot be converted stays as it came in
		return fmt.Errorf("order %d brings %s, not %s", o.LID, out, p.received())
	case err != nil || account != o.Account || account.Sign() < 0:
		return fmt.Errorf("order %d brings %s to the account, but %s less a fee of %s", o.LID, o.Account.Short(), o.Out.Short(), o.OutFee.Short())
	case p.Status.Final() && o.Status.Final() && o.Status != p.Status:
		return fmt.Errorf("order %d is %s, but it ended as %s", o.LID, o.Status, p.Status)
	case p.Status == PayinDone && o.Status == PayinDone && (o.Account != p.Order.Account):
		return fmt.Errorf("order %d brought %s %s, not %s %s", o.LID, o.Account.Short(), out, p.Order.Account.Short(), p.Order.Account.Currency())
	}
	return nil
}

// received is the currency that the merchant asked for.
func (p Payin) received() string {
	if p.OutCurr != "" {
		return p.OutCurr
	}
	return p.Amount.Currency().Code()
}

// take is the step that an order as the platform describes it leads to; news is false if it is
// older than what is known, or the same.
func (p Payin) take(o PayinOrder, pol PayinPolicy, at time.Time) (s PayinStep, news bool) {
	same := o
	same.At = p.Order.At
	switch now, then := o.Status.rank(), p.Status.rank(); {
	case now < rankNew, now < then, then == rankFinal, same == p.Order:
		return s, false
	case now == then && !o.At.After(p.Order.At):
		return s, false
	}
	kind := PayinEventMoved
	if p.Order.LID == 0 {
		kind = PayinEventOpened
	}
	s = p.step(kind, o.Status, at)
	s.After.Order = o
	s.After.Sent = true
	s.After.Reason = ""
	s.poll(pol)
	if o.Status == PayinDone {
		s.credit(pol.Ledger)
	}
	return s, true
}

// credit gives the user what the merchant received, or says why not. It never converts: a rate
// of ours would be a guess about somebody's money.
func (s *PayinStep) credit(ledger money.Currency) {
	account := s.After.Order.Account
	amount, err := money.FromDecimal(account.Decimal(), ledger)
	switch code := account.Currency().Code(); {
	case s.After.User == "":
		s.After.Reason = "not credited: it belongs to no user"
	case code != ledger.Code():
		s.After.Reason = fmt.Sprintf("not credited: it brought %s %s, the ledger is kept in %s", account.Short(), code, ledger)
	case account.IsZero():
		s.After.Reason = "not credited: nothing is left after the fee"
	case err != nil:
		s.After.Reason = fmt.Sprintf("not credited: %s %s cannot be held by the ledger", account.Short(), code)
	default:
		s.Credit, s.After.Credited = amount, amount
		s.Event.Detail = "credited " + amount.String()
	}
	if s.After.Reason != "" {
		s.Event.Detail = s.After.Reason
	}
}

// unsure leads to Unsure, to be looked for at once.
func (p Payin) unsure(kind PayinEventKind, at time.Time) PayinStep {
	s := p.step(kind, PayinUnsure, at)
	s.After.Sent = true
	return s
}

func (p Payin) refuse(kind PayinEventKind, reason string, at time.Time) PayinStep {
	s := p.step(kind, PayinRefused, at)
	s.After.Reason = reason
	s.Event.Detail = reason
	return s
}

// late reports whether it is too late to begin a create.
func (p Payin) late(pol PayinPolicy, at time.Time) bool { return at.Sub(p.CreatedAt) >= pol.CreateFor }

// retry puts the next call off after one that brought no answer.
func (s *PayinStep) retry(pol PayinPolicy) {
	s.After.NextAt = s.After.UpdatedAt.Add(pol.Retry(s.Before.Attempt))
	s.After.Attempt++
}

// poll puts off the next look at an open order.
func (s *PayinStep) poll(pol PayinPolicy) {
	s.After.Attempt = 1
	if !s.After.Status.Settled() {
		s.After.NextAt = s.After.UpdatedAt.Add(pol.Poll(s.After.UpdatedAt.Sub(s.After.CreatedAt)))
	}
}

// explain adds to the step's event what is known of the call that led to it.
func (s *PayinStep) explain(p Payin, o Outcome) {
	s.Event.Attempt = p.Attempt
	s.Event.Verdict, s.Event.Code, s.Event.Took = o.Verdict, o.Code, o.Took
	if s.Event.Detail == "" {
		s.Event.Detail = o.Detail
	}
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

// Claimed is how a payin looks once a process has taken it up or over: leased to owner until
// the lease ends. If another process held it in Creating, that one may have made the call.
func (p Payin) Claimed(owner int64, pol PayinPolicy, at time.Time) PayinStep {
	s := p.step("", p.Status, at)
	if p.Status == PayinCreating && p.Owner != 0 {
		s = p.unsure(PayinEventTakenOver, at)
	}
	s.After.Owner = owner
	s.After.NextAt = s.After.UpdatedAt.Add(pol.Lease)
	return s
}
