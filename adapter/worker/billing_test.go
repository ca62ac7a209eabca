package worker_test

import (
	"context"
	"slices"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter"
)

// modelBilling is a partner's billing as docs/billing.openapi.yaml says: moves are idempotent
// by key, and a key that was released is never reserved again, also if it was not known.
type modelBilling struct {
	m         *machine
	available map[string]int64        // by user; who is not here is unknown
	made      map[string]adapter.Move // the last move by key
	under     []request               // on their way: nobody waits for them any more
}

type request struct {
	move    adapter.Move
	payment adapter.Payment
}

func newModelBilling(m *machine) *modelBilling {
	b := &modelBilling{m: m, available: map[string]int64{}, made: map[string]adapter.Move{}}
	for i := range rapid.IntRange(2, users3).Draw(m.t, "users that the billing knows") {
		b.available[userHash(i)] = rapid.SampledFrom([]int64{0, 300, 1000}).Draw(m.t, "funds")
	}
	return b
}

// agrees reports whether the billing has for a payment what its state says.
func (b *modelBilling) agrees(p adapter.Payment) bool {
	made := b.made[p.Key.ID]
	switch p.State {
	case adapter.Confirmed:
		return made == adapter.Capture || p.Kind == adapter.Refund && made == adapter.Restore
	case adapter.Declined, adapter.Declining:
		return made == adapter.NoMove || made == adapter.Release
	case adapter.Reserved, adapter.Confirming, adapter.InDoubt:
		return made == adapter.Reserve || p.Kind == adapter.Refund && made == adapter.NoMove
	}
	return true
}

// Move draws what happens to the request: whether it arrives, when, and whether its answer does.
func (b *modelBilling) Move(_ context.Context, move adapter.Move, p adapter.Payment) adapter.Outcome {
	unknown := adapter.Outcome{Verdict: adapter.Unknown}
	if !b.m.process.does() {
		return unknown // dead before it called
	}
	fate := "answered"
	if !b.m.platform.kind {
		fate = rapid.SampledFrom([]string{"answered", "answered", "answered", "not sent", "lost before", "lost after", "late", "broken"}).Draw(b.m.t, "billing")
	}
	switch fate {
	case "not sent":
		return adapter.Outcome{Verdict: adapter.NotSent}
	case "broken":
		return adapter.Outcome{Verdict: adapter.Refused, Code: 409, Detail: "conflict"}
	case "late":
		b.under = append(b.under, request{move, p})
		return unknown
	case "lost before":
		return unknown
	}
	answer := b.act(move, p)
	if fate == "lost after" || !b.m.process.does() {
		return unknown
	}
	return answer
}

func (b *modelBilling) arrive(i int) {
	r := b.under[i]
	b.under = slices.Delete(b.under, i, i+1)
	b.act(r.move, r.payment)
}

// act is what the billing does with a request that arrives.
func (b *modelBilling) act(move adapter.Move, p adapter.Payment) adapter.Outcome {
	yes := adapter.Outcome{Verdict: adapter.Accepted}
	no := func(code int) adapter.Outcome { return adapter.Outcome{Verdict: adapter.Refused, Code: code} }
	amount := p.Amount.Minor()
	available, known := b.available[p.User]
	switch made := b.made[p.Key.ID]; {
	case made == move:
		return yes
	case move == adapter.Reserve && made == adapter.NoMove && !known:
		return no(adapter.CodeUnknownUser)
	case move == adapter.Reserve && made == adapter.NoMove && available < amount:
		return no(adapter.CodeNoFunds)
	case move == adapter.Reserve && made == adapter.NoMove:
		b.available[p.User] -= amount
	case move == adapter.Release && made == adapter.Reserve, move == adapter.Restore && made == adapter.NoMove:
		b.available[p.User] += amount
	case move == adapter.Capture && made == adapter.Reserve, move == adapter.Release && made == adapter.NoMove:
	default:
		return no(409)
	}
	b.made[p.Key.ID] = move
	return yes
}
