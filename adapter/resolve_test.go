package adapter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
)

// inDoubt is a payment that nobody holds and nothing is due for.
func inDoubt(t *testing.T, kind adapter.Kind) adapter.Payment {
	p := payment(t, kind, adapter.InDoubt)
	p.Owner, p.NextAt, p.Reason = 0, time.Time{}, "platform refused: 8 already final"
	return p
}

func TestResolved(t *testing.T) {
	at := t0.Add(time.Hour)
	tests := []struct {
		kind    adapter.Kind
		confirm bool
		to      adapter.State
		move    adapter.Move
	}{
		{adapter.TopUp, true, adapter.Confirmed, adapter.Capture},
		{adapter.TopUp, false, adapter.Declined, adapter.Release},
		{adapter.Direct, true, adapter.Confirmed, adapter.Capture},
		{adapter.Direct, false, adapter.Declined, adapter.Release},
		{adapter.Refund, true, adapter.Confirmed, adapter.Restore},
		{adapter.Refund, false, adapter.Declined, adapter.NoMove},
	}
	for _, tt := range tests {
		p := inDoubt(t, tt.kind)
		got, err := p.Resolved(adapter.Resolution{Confirm: tt.confirm, Reason: " seen in\nthe panel ", By: "Anna"}, policy, at)
		if err != nil {
			t.Fatal(err)
		}
		detail := "declined by Anna: seen in the panel"
		if tt.confirm {
			detail = "confirmed by Anna: seen in the panel"
		}
		want := adapter.Step{
			Before: p, After: p, Move: tt.move,
			Event: adapter.Event{Payment: 1, Version: 2, At: at, Kind: adapter.EventResolved, From: adapter.InDoubt, To: tt.to, Detail: detail},
		}
		want.After.State, want.After.Version, want.After.UpdatedAt, want.After.Reason = tt.to, 2, at, ""
		if !tt.confirm {
			want.After.Reason = detail
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(adapter.Payment{}), cmp.Comparer(func(a, b adapter.Payment) bool { return a == b })); diff != "" {
			t.Errorf("%s, confirm %t (-want +got):\n%s", tt.kind, tt.confirm, diff)
		}
		if proven, err := p.Proven(tt.confirm, "the books", policy, at); err != nil || proven.Move != tt.move || proven.After.State != tt.to || proven.Event.Kind != adapter.EventProven {
			t.Errorf("%s, credited %t: %+v, %v", tt.kind, tt.confirm, proven, err)
		}
	}
}

func TestResolvedRefuses(t *testing.T) {
	good := adapter.Resolution{Confirm: true, Reason: "seen", By: "Anna"}
	for _, s := range adapter.States {
		if _, err := payment(t, adapter.TopUp, s).Resolved(good, policy, t0); s.NeedsPerson() == errors.Is(err, adapter.ErrNotInDoubt) {
			t.Errorf("resolve a payment that is %s: %v", s, err)
		}
	}
	tests := []struct {
		name, field string
		change      func(*adapter.Resolution)
	}{
		{"no reason", "reason", func(r *adapter.Resolution) { r.Reason = "" }},
		{"a blank reason", "reason", func(r *adapter.Resolution) { r.Reason = " \n\t" }},
		{"a long reason", "reason", func(r *adapter.Resolution) { r.Reason = strings.Repeat("я", adapter.MaxReason+1) }},
		{"a reason with a bell", "reason", func(r *adapter.Resolution) { r.Reason = "seen\a" }},
		{"a reason that is no text", "reason", func(r *adapter.Resolution) { r.Reason = "\xff" }},
		{"nobody", "by", func(r *adapter.Resolution) { r.By = "" }},
		{"a long name", "by", func(r *adapter.Resolution) { r.By = strings.Repeat("A", adapter.MaxPerson+1) }},
	}
	for _, tt := range tests {
		r := good
		tt.change(&r)
		if _, err := inDoubt(t, adapter.TopUp).Resolved(r, policy, t0); !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%s: %v; want ErrInvalid naming %s", tt.name, err, tt.field)
		}
	}
	longest := adapter.Resolution{Reason: strings.Repeat("я", adapter.MaxReason), By: strings.Repeat("A", adapter.MaxPerson)}
	if _, err := inDoubt(t, adapter.TopUp).Resolved(longest, policy, t0); err != nil {
		t.Errorf("the longest texts: %v", err)
	}
}

// stepStore answers Apply with err, or with the payment after the step.
type stepStore struct {
	adapter.PaymentStore
	err error
}

func (s stepStore) Apply(_ context.Context, st adapter.Step) (adapter.Payment, error) {
	return st.After, s.err
}

func TestServiceResolve(t *testing.T) {
	r := adapter.Resolution{Confirm: true, Reason: "seen", By: "Anna"}
	p := inDoubt(t, adapter.TopUp)
	for _, tt := range []struct {
		err   error
		state adapter.State
	}{{nil, adapter.Confirmed}, {adapter.ErrLost, adapter.InDoubt}} {
		s := adapter.NewService(stepStore{err: tt.err}, nil, policy, func() time.Time { return t0 })
		if got, err := s.Resolve(t.Context(), p, r); !errors.Is(err, tt.err) || got.State != tt.state {
			t.Errorf("store says %v: %s, %v", tt.err, got.State, err)
		}
	}
}
