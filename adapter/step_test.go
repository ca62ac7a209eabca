package adapter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

var (
	t0     = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	user   = strings.Repeat("u", 32)
	policy = adapter.Policy{
		Lease:      10 * time.Second,
		Retry:      func(n int) time.Duration { return time.Duration(n) * time.Second },
		DeclineFor: 24 * time.Hour,
	}
)

func rub(minor int64) money.Amount { return money.New(minor, money.RUB) }

// payment returns one of the kind, in the state, held by process 7 and at its first call.
func payment(t *testing.T, kind adapter.Kind, state adapter.State) adapter.Payment {
	t.Helper()
	p, err := adapter.NewPayment(adapter.Key{Platform: adapter.PlatformIntegra, ID: strings.Repeat("a", 32)}, kind, user, rub(100_00), t0)
	if err != nil {
		t.Fatal(err)
	}
	p.Num, p.Version, p.Owner, p.State = 1, 1, 7, state
	p.NextAt = t0.Add(policy.Lease)
	if state != adapter.Received {
		p.Attempt = 1
	}
	return p
}

func TestNewPaymentRefuses(t *testing.T) {
	id := strings.Repeat("0", 32)
	tests := []struct {
		name   string
		key    adapter.Key
		kind   adapter.Kind
		user   string
		amount money.Amount
		field  string
	}{
		{"no platform", adapter.Key{ID: id}, adapter.TopUp, user, rub(1), "platform"},
		{"short id", adapter.Key{Platform: "integra", ID: id[1:]}, adapter.TopUp, user, rub(1), "id"},
		{"id with a dash", adapter.Key{Platform: "integra", ID: "-" + id[1:]}, adapter.TopUp, user, rub(1), "id"},
		{"id with a letter of two bytes", adapter.Key{Platform: "integra", ID: "ж" + id[2:]}, adapter.TopUp, user, rub(1), "id"},
		{"no kind", adapter.Key{Platform: "integra", ID: id}, "", user, rub(1), "kind"},
		{"short user", adapter.Key{Platform: "integra", ID: id}, adapter.TopUp, "u", rub(1), "user"},
		{"zero", adapter.Key{Platform: "integra", ID: id}, adapter.TopUp, user, rub(0), "amount"},
		{"negative refund", adapter.Key{Platform: "integra", ID: id}, adapter.Refund, user, rub(-1), "amount"},
		{"a kopeck over 10^12", adapter.Key{Platform: "integra", ID: id}, adapter.TopUp, user, rub(adapter.MaxAmount*100 + 1), "amount"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := adapter.NewPayment(tt.key, tt.kind, tt.user, tt.amount, t0)
			if !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(err.Error(), tt.field) {
				t.Errorf("NewPayment: %v; want ErrInvalid naming %q", err, tt.field)
			}
		})
	}
	if _, err := adapter.NewPayment(adapter.Key{Platform: "integra", ID: id}, adapter.TopUp, user, rub(adapter.MaxAmount*100), t0); err != nil {
		t.Errorf("NewPayment of 10^12: %v", err)
	}
}

// The whole machine, one row per state, kind and verdict.
func TestAnswered(t *testing.T) {
	const (
		topup, direct, refund         = adapter.TopUp, adapter.Direct, adapter.Refund
		yes, no, unsent, unknown      = adapter.Accepted, adapter.Refused, adapter.NotSent, adapter.Unknown
		reserved, confirming          = adapter.Reserved, adapter.Confirming
		held                          = adapter.Held
		declining, declined, inDoubt  = adapter.Declining, adapter.Declined, adapter.InDoubt
		confirmed                     = adapter.Confirmed
		none, capture, release, back_ = adapter.NoMove, adapter.Capture, adapter.Release, adapter.Restore
	)
	tests := []struct {
		kind    adapter.Kind
		from    adapter.State
		verdict adapter.Verdict
		to      adapter.State
		move    adapter.Move
	}{
		{topup, reserved, yes, confirmed, capture},
		{topup, reserved, no, declining, release},
		{topup, reserved, unsent, reserved, none},
		{topup, reserved, unknown, confirming, none},
		{topup, confirming, yes, confirmed, capture},
		{topup, confirming, no, inDoubt, none},
		{topup, confirming, unsent, confirming, none},
		{topup, confirming, unknown, confirming, none},
		{topup, declining, yes, declined, none},
		{topup, declining, no, declined, none},
		{topup, declining, unsent, declining, none},
		{topup, declining, unknown, declining, none},
		{topup, reserved, held, reserved, none},
		{topup, confirming, held, confirming, none},
		{topup, declining, held, declining, none},

		{direct, reserved, yes, confirmed, capture},
		{direct, reserved, no, declined, release},
		{direct, reserved, unsent, reserved, none},
		{direct, reserved, unknown, confirming, none},
		{direct, confirming, yes, confirmed, capture},
		{direct, confirming, no, inDoubt, none},
		{direct, confirming, unsent, confirming, none},
		{direct, confirming, unknown, confirming, none},

		{refund, reserved, yes, confirmed, back_},
		{refund, reserved, no, declined, none},
		{refund, reserved, unsent, reserved, none},
		{refund, reserved, unknown, confirming, none},
		{refund, confirming, yes, confirmed, back_},
		{refund, confirming, no, inDoubt, none},
		{refund, confirming, unsent, confirming, none},
		{refund, confirming, unknown, confirming, none},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind)+" "+string(tt.from)+" "+string(tt.verdict), func(t *testing.T) {
			p := payment(t, tt.kind, tt.from)
			at := t0.Add(time.Second)
			s, err := p.Answered(adapter.Outcome{Verdict: tt.verdict, Code: 8, Detail: "text"}, policy, at)
			if err != nil {
				t.Fatal(err)
			}
			if s.After.State != tt.to || s.Move != tt.move {
				t.Errorf("→ %s, move %q; want %s, move %q", s.After.State, s.Move, tt.to, tt.move)
			}
			if s.After.Version != p.Version+1 || s.Event.Version != s.After.Version || s.Event.From != tt.from || s.Event.To != tt.to {
				t.Errorf("event %+v does not explain version %d", s.Event, s.After.Version)
			}
			if diff := cmp.Diff(s.Before, p, cmp.AllowUnexported(money.Amount{}, money.Currency{})); diff != "" {
				t.Errorf("Before is not the payment: %s", diff)
			}
			switch {
			case s.After.State.Final() || s.After.State == inDoubt:
				if s.After.Owner != 0 || !s.After.NextAt.IsZero() {
					t.Errorf("resting, yet held by %d until %s", s.After.Owner, s.After.NextAt)
				}
			case tt.verdict == held:
				if s.After.Owner != 0 || s.After.NextAt != at || s.After.Attempt != p.Attempt || s.Event.Kind != "" {
					t.Errorf("a call that was not made left its mark: owner %d at %s, attempt %d, event %q", s.After.Owner, s.After.NextAt, s.After.Attempt, s.Event.Kind)
				}
			case tt.to == declining && tt.from != declining:
				if s.After.Owner != p.Owner || s.After.Attempt != 1 {
					t.Errorf("the decline is not ours to send: owner %d, attempt %d", s.After.Owner, s.After.Attempt)
				}
			default:
				if s.After.Owner != 0 || s.After.NextAt != at.Add(time.Second) || s.After.Attempt != 2 {
					t.Errorf("retry: owner %d at %s, attempt %d", s.After.Owner, s.After.NextAt, s.After.Attempt)
				}
			}
		})
	}
}

func TestAnsweredOnlyWhereACallIsMade(t *testing.T) {
	for _, state := range []adapter.State{adapter.Received, adapter.Confirmed, adapter.Declined, adapter.InDoubt} {
		if _, err := payment(t, adapter.TopUp, state).Answered(adapter.Outcome{Verdict: adapter.Accepted}, policy, t0); err == nil {
			t.Errorf("%s took an answer", state)
		}
	}
}

func TestDecide(t *testing.T) {
	at := t0.Add(time.Second)
	t.Run("reserves, or declines for want of funds", func(t *testing.T) {
		s, err := payment(t, adapter.TopUp, adapter.Received).Decide(policy, at)
		if err != nil {
			t.Fatal(err)
		}
		if s.After.State != adapter.Reserved || s.Move != adapter.Reserve || s.After.NextAt != t0.Add(policy.Lease) || s.After.Owner != 7 {
			t.Errorf("step %+v", s)
		}
		if s.Short == nil || s.Short.After.State != adapter.Declining || s.Short.Move != adapter.NoMove || s.Short.After.Reason != adapter.ReasonNoFunds {
			t.Errorf("short %+v", s.Short)
		}
	})
	t.Run("renews a lease that is used by more than a tenth", func(t *testing.T) {
		late := at.Add(time.Microsecond)
		s, err := payment(t, adapter.TopUp, adapter.Received).Decide(policy, late)
		if err != nil || s.After.NextAt != late.Add(policy.Lease) || s.Short.After.NextAt != late.Add(policy.Lease) {
			t.Errorf("leased until %s, without funds %s, %v; want %s", s.After.NextAt, s.Short.After.NextAt, err, late.Add(policy.Lease))
		}
	})
	t.Run("our own payment without funds ends at once", func(t *testing.T) {
		s, err := payment(t, adapter.Direct, adapter.Received).Decide(policy, at)
		if err != nil || s.Short == nil || s.Short.After.State != adapter.Declined {
			t.Errorf("short %+v, %v", s.Short, err)
		}
	})
	t.Run("a refund reserves nothing", func(t *testing.T) {
		s, err := payment(t, adapter.Refund, adapter.Received).Decide(policy, at)
		if err != nil || s.Move != adapter.NoMove || s.Short != nil || s.After.State != adapter.Reserved {
			t.Errorf("step %+v, %v", s, err)
		}
	})
	t.Run("only once", func(t *testing.T) {
		if _, err := payment(t, adapter.TopUp, adapter.Reserved).Decide(policy, at); err == nil {
			t.Error("decided twice")
		}
	})
}

// What a dead process may have done decides how its payment goes on.
func TestClaimed(t *testing.T) {
	tests := []struct {
		name    string
		from    adapter.State
		owner   int64
		to      adapter.State
		attempt int
	}{
		{"free retry, nothing sent", adapter.Reserved, 0, adapter.Reserved, 1},
		{"held by the dead: it may have called", adapter.Reserved, 3, adapter.Confirming, 2},
		{"already unsure", adapter.Confirming, 3, adapter.Confirming, 2},
		{"nothing decided yet", adapter.Received, 3, adapter.Received, 0},
		{"a decline is repeated", adapter.Declining, 3, adapter.Declining, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := payment(t, adapter.TopUp, tt.from)
			p.Owner = tt.owner
			got := p.Claimed(9, policy, t0).After
			if got.State != tt.to || got.Owner != 9 || got.Attempt != tt.attempt || got.NextAt != t0.Add(policy.Lease) {
				t.Errorf("claimed: %s, owner %d, attempt %d, lease %s", got.State, got.Owner, got.Attempt, got.NextAt)
			}
		})
	}
}

func TestDecliningGivesUpAfterADay(t *testing.T) {
	p := payment(t, adapter.TopUp, adapter.Declining)
	s, err := p.Answered(adapter.Outcome{Verdict: adapter.Unknown}, policy, t0.Add(24*time.Hour))
	if err != nil || s.After.State != adapter.Declined || s.Move != adapter.NoMove {
		t.Errorf("→ %s, %v; want declined", s.After.State, err)
	}
}

func TestPaymentHashIsStableAndDistinct(t *testing.T) {
	h := adapter.PaymentHash(adapter.Direct, user, "order-1")
	if h != adapter.PaymentHash(adapter.Direct, user, "order-1") || len(h) != 32 {
		t.Errorf("hash %q", h)
	}
	for _, other := range []string{
		adapter.PaymentHash(adapter.Refund, user, "order-1"),
		adapter.PaymentHash(adapter.Direct, strings.Repeat("v", 32), "order-1"),
		adapter.PaymentHash(adapter.Direct, user, "order-2"),
	} {
		if other == h {
			t.Error("two payments share a hash")
		}
	}
}

func TestHurried(t *testing.T) {
	at := t0.Add(time.Second)
	free := func(state adapter.State, next time.Time) adapter.Payment {
		p := payment(t, adapter.TopUp, state)
		p.Owner, p.NextAt, p.Attempt = 0, next, 5
		return p
	}
	s, err := free(adapter.Confirming, at.Add(time.Hour)).Hurried("alice", at)
	if err != nil || s.After.NextAt != at || s.After.State != adapter.Confirming || s.After.Attempt != 5 || s.After.Owner != 0 ||
		s.Move != adapter.NoMove || s.Event.Kind != adapter.EventHurried || !strings.Contains(s.Event.Detail, "alice") {
		t.Errorf("%+v, %v", s, err)
	}
	held := free(adapter.Confirming, at.Add(time.Hour))
	held.Owner = 7
	for name, tt := range map[string]struct {
		p    adapter.Payment
		want error
	}{
		"being tried": {held, adapter.ErrLost},
		"due":         {free(adapter.Reserved, at), adapter.ErrLost},
		"final":       {free(adapter.Confirmed, time.Time{}), adapter.ErrInvalid},
		"in doubt":    {free(adapter.InDoubt, time.Time{}), adapter.ErrInvalid},
	} {
		if s, err := tt.p.Hurried("alice", at); !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v; want %v", name, s, err, tt.want)
		}
	}
}
