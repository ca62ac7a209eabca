package adapter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

func billingPolicy() adapter.Policy {
	pol := policy
	pol.Billing = true
	return pol
}

// The whole machine where the billing keeps the funds, one row per state, kind and answer.
func TestMoved(t *testing.T) {
	t.Parallel()
	const (
		yes, no, unsent, unknown = adapter.Accepted, adapter.Refused, adapter.NotSent, adapter.Unknown
		topup, direct, refund    = adapter.TopUp, adapter.Direct, adapter.Refund
		received, reserved       = adapter.Received, adapter.Reserved
		capturing, confirmed     = adapter.Capturing, adapter.Confirmed
		releasing, declining     = adapter.Releasing, adapter.Declining
		declined                 = adapter.Declined
		stuck, held              = adapter.CaptureRefused, adapter.ReleaseRefused
	)
	tests := []struct {
		kind    adapter.Kind
		from    adapter.State
		attempt int
		verdict adapter.Verdict
		code    int
		to      adapter.State
		again   bool
	}{
		{topup, received, 0, yes, 201, reserved, false},
		{topup, received, 0, unknown, 500, received, true},
		{topup, received, 0, unsent, 0, received, true},
		{topup, received, 0, no, 402, declining, false},
		{topup, received, 0, no, 404, declining, false},
		{topup, received, 0, no, 409, received, true}, // no reason of the user's
		{direct, received, 3, no, 400, received, true},
		{topup, received, 1, no, 402, releasing, false},
		{topup, received, 1, no, 404, releasing, false},
		{direct, received, 0, no, 402, declined, false},
		{direct, received, 2, no, 402, releasing, false},
		{topup, capturing, 1, yes, 200, confirmed, false},
		{topup, capturing, 1, no, 409, stuck, true},
		{topup, stuck, 2, no, 409, stuck, true},
		{topup, stuck, 2, unknown, 500, stuck, true},
		{topup, stuck, 2, yes, 200, confirmed, false},
		{refund, capturing, 1, no, 404, stuck, true},
		{refund, stuck, 2, yes, 201, confirmed, false},
		{topup, capturing, 1, unknown, 0, capturing, true},
		{refund, capturing, 1, yes, 201, confirmed, false},
		{topup, releasing, 1, yes, 200, declining, false},
		{direct, releasing, 1, yes, 200, declined, false},
		{topup, releasing, 1, no, 409, held, true},
		{topup, held, 2, no, 409, held, true},
		{topup, held, 2, unsent, 0, held, true},
		{topup, held, 2, yes, 200, declining, false},
		{direct, held, 2, yes, 200, declined, false},
		{topup, releasing, 1, unsent, 0, releasing, true},
	}
	for _, tt := range tests {
		p := payment(t, tt.kind, tt.from)
		p.Attempt = tt.attempt
		s, err := p.Moved(adapter.Outcome{Verdict: tt.verdict, Code: tt.code}, billingPolicy(), t0)
		if err != nil || s.After.State != tt.to || s.Move != adapter.NoMove || (s.Event.Kind == adapter.EventRetry || s.Event.Kind == adapter.EventMoveRefused) != tt.again ||
			(s.Event.Kind == adapter.EventMoveRefused) != (tt.verdict == no && tt.again) {
			t.Errorf("%s %s after %d calls, %s %d: %s to %s, move %q, %v; want %s", tt.kind, tt.from, tt.attempt, tt.verdict, tt.code, s.Event.Kind, s.After.State, s.Move, err, tt.to)
		}
		if tt.again && (s.After.Owner != 0 || s.After.Attempt != tt.attempt+1 || !s.After.NextAt.After(t0)) {
			t.Errorf("%s %s, %s: comes again as %+v", tt.kind, tt.from, tt.verdict, s.After)
		}
	}
}

func TestAnsweredWithBilling(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind    adapter.Kind
		from    adapter.State
		verdict adapter.Verdict
		to      adapter.State
	}{
		{adapter.TopUp, adapter.Reserved, adapter.Accepted, adapter.Capturing},
		{adapter.TopUp, adapter.Reserved, adapter.Refused, adapter.Releasing},
		{adapter.TopUp, adapter.Reserved, adapter.Unknown, adapter.Confirming},
		{adapter.TopUp, adapter.Confirming, adapter.Refused, adapter.InDoubt},
		{adapter.Direct, adapter.Reserved, adapter.Refused, adapter.Releasing},
		{adapter.Refund, adapter.Reserved, adapter.Accepted, adapter.Capturing},
		{adapter.Refund, adapter.Reserved, adapter.Refused, adapter.Declined},
		{adapter.TopUp, adapter.Declining, adapter.Refused, adapter.Declined},
	}
	for _, tt := range tests {
		s, err := payment(t, tt.kind, tt.from).Answered(adapter.Outcome{Verdict: tt.verdict}, billingPolicy(), t0)
		if err != nil || s.After.State != tt.to || s.Move != adapter.NoMove {
			t.Errorf("%s %s, %s: %s, move %q, %v; want %s", tt.kind, tt.from, tt.verdict, s.After.State, s.Move, err, tt.to)
		}
	}
}

// Whoever takes a payment over from a process that may have asked for a reservation knows
// that there may be one.
func TestClaimedWithBilling(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind  adapter.Kind
		owner int64
		pol   adapter.Policy
		want  int
	}{
		{adapter.TopUp, 7, billingPolicy(), 1},
		{adapter.TopUp, 0, billingPolicy(), 0}, // it was free: nobody has asked
		{adapter.Refund, 7, billingPolicy(), 0},
		{adapter.TopUp, 7, policy, 0},
	} {
		p := payment(t, tt.kind, adapter.Received)
		p.Owner = tt.owner
		if s := p.Claimed(8, tt.pol, t0); s.After.Attempt != tt.want {
			t.Errorf("%s of owner %d, billing %t: attempt %d, want %d", tt.kind, tt.owner, tt.pol.Billing, s.After.Attempt, tt.want)
		}
	}
}

// A doubt that is ended is told to the billing first.
func TestResolvedWithBilling(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind    adapter.Kind
		confirm bool
		to      adapter.State
	}{
		{adapter.TopUp, true, adapter.Capturing},
		{adapter.TopUp, false, adapter.Releasing},
		{adapter.Refund, true, adapter.Capturing},
		{adapter.Refund, false, adapter.Declined},
	} {
		at := t0.Add(time.Hour)
		s, err := inDoubt(t, tt.kind).Proven(tt.confirm, "the books", billingPolicy(), at)
		due := s.After.Owner == 0 && s.After.NextAt.Equal(at) && s.After.Attempt == 1
		if err != nil || s.After.State != tt.to || s.Move != adapter.NoMove || due == tt.to.Final() {
			t.Errorf("%s, credited %t: %+v, %v; want %s", tt.kind, tt.confirm, s.After, err, tt.to)
		}
	}
}

// A request that was not made, since the billing is left alone, costs no try.
func TestMovedHeld(t *testing.T) {
	t.Parallel()
	p := payment(t, adapter.TopUp, adapter.Received)
	s, err := p.Moved(adapter.Outcome{Verdict: adapter.Held}, billingPolicy(), t0)
	if err != nil || s.After.State != adapter.Received || s.After.Attempt != p.Attempt || s.After.Owner != 0 || s.Event.Kind != "" {
		t.Errorf("%+v, event %q, %v; want it given back as it was", s.After, s.Event.Kind, err)
	}
}

// A person who has put the billing's books right ends what the billing refuses; against the
// platform's word nobody decides.
func TestResolvedWhatBillingRefuses(t *testing.T) {
	t.Parallel()
	at := t0.Add(time.Hour)
	for _, tt := range []struct {
		kind    adapter.Kind
		from    adapter.State
		confirm bool
		to      adapter.State
		reason  string
		err     error
	}{
		{adapter.TopUp, adapter.CaptureRefused, true, adapter.Confirmed, "", nil},
		{adapter.Direct, adapter.CaptureRefused, true, adapter.Confirmed, "", nil},
		{adapter.Refund, adapter.CaptureRefused, true, adapter.Confirmed, "", nil},
		{adapter.TopUp, adapter.CaptureRefused, false, "", "", adapter.ErrOutcome},
		{adapter.TopUp, adapter.ReleaseRefused, false, adapter.Declining, "why", nil},
		{adapter.Direct, adapter.ReleaseRefused, false, adapter.Declined, "why", nil},
		{adapter.TopUp, adapter.ReleaseRefused, true, "", "", adapter.ErrOutcome},
		{adapter.TopUp, adapter.Capturing, true, "", "", adapter.ErrNotInDoubt},
		{adapter.TopUp, adapter.Releasing, false, "", "", adapter.ErrNotInDoubt},
	} {
		p := payment(t, tt.kind, tt.from)
		p.Owner, p.Reason = 0, "why"
		r := adapter.Resolution{Confirm: tt.confirm, Reason: "booked by hand", By: "Anna"}
		s, err := p.Resolved(r, billingPolicy(), at)
		due := s.After.NextAt.Equal(at) && s.After.Owner == 0
		if !errors.Is(err, tt.err) || s.After.State != tt.to || s.Move != adapter.NoMove ||
			err == nil && (s.After.Reason != tt.reason || due == tt.to.Final() || !strings.HasSuffix(s.Event.Detail, "by Anna: booked by hand")) {
			t.Errorf("%s %s, confirm %t: %+v, %q, %v; want %s, %v", tt.kind, tt.from, tt.confirm, s.After, s.Event.Detail, err, tt.to, tt.err)
		}
		p.Owner = 7 // a try under way may succeed
		if _, err := p.Resolved(r, billingPolicy(), at); tt.err == nil && !errors.Is(err, adapter.ErrLost) {
			t.Errorf("%s %s while it is tried: %v", tt.kind, tt.from, err)
		}
	}
}

// A person can give up a payment that the billing makes no reservation for, and nothing else: the
// platform has had no call. What may be reserved all the same is released.
func TestResolvedWithoutReservation(t *testing.T) {
	t.Parallel()
	at := t0.Add(time.Hour)
	for _, tt := range []struct {
		name    string
		kind    adapter.Kind
		attempt int
		owner   int64
		confirm bool
		pol     adapter.Policy
		to      adapter.State
		err     error
	}{
		{"asked before", adapter.TopUp, 1, 0, false, billingPolicy(), adapter.Releasing, nil},
		{"asked before, ours", adapter.Direct, 3, 0, false, billingPolicy(), adapter.Releasing, nil},
		{"never asked", adapter.TopUp, 0, 0, false, billingPolicy(), adapter.Declining, nil},
		{"never asked, ours", adapter.Direct, 0, 0, false, billingPolicy(), adapter.Declined, nil},
		{"confirmed", adapter.TopUp, 1, 0, true, billingPolicy(), "", adapter.ErrOutcome},
		{"being asked again", adapter.TopUp, 1, 7, false, billingPolicy(), "", adapter.ErrLost},
		{"being asked first", adapter.TopUp, 0, 7, false, billingPolicy(), "", adapter.ErrNotInDoubt},
		{"a refund needs none", adapter.Refund, 0, 0, false, billingPolicy(), "", adapter.ErrNotInDoubt},
		{"the ledger answers at once", adapter.TopUp, 0, 0, false, policy, "", adapter.ErrNotInDoubt},
	} {
		p := payment(t, tt.kind, adapter.Received)
		p.Attempt, p.Owner, p.Reason = tt.attempt, tt.owner, "billing refused: 409 conflict"
		s, err := p.Resolved(adapter.Resolution{Confirm: tt.confirm, Reason: "ticket 7", By: "Anna"}, tt.pol, at)
		if !errors.Is(err, tt.err) || s.After.State != tt.to || s.Move != adapter.NoMove {
			t.Errorf("%s: %+v, %v; want %s, %v", tt.name, s.After, err, tt.to, tt.err)
		}
		const why = "declined by Anna: ticket 7"
		due := s.After.NextAt.Equal(at) && s.After.Owner == 0
		if err == nil && (s.After.Reason != why || s.Event.Detail != why || s.Event.Kind != adapter.EventResolved || !tt.to.Final() && (!due || s.After.Attempt != 1)) {
			t.Errorf("%s: %+v, %+v", tt.name, s.After, s.Event)
		}
	}
}
