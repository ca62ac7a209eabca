package anymoney

import (
	"cmp"
	"slices"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// A Checkout is an order as its payer sees it.
type Checkout struct {
	Order   *wire.Order
	Expires time.Time // when it expires unless it is paid; zero for a payin
	// Choices are the payways, if the choice is the payer's: until the order is final.
	Choices []Choice
}

// A Choice is a payway that the payer could take, in the order of the configuration.
type Choice struct {
	Payway  string
	Type    string
	In      wire.Amount // what the payer would pay
	Refusal *Refusal    // why it cannot be chosen; nil if it can
}

// Checkout returns what there is to pay for whoever has the token of an order, and false if
// there is no such order.
func (p *Platform) Checkout(token string) (Checkout, bool) {
	p.world.RLock()
	defer p.world.RUnlock()
	o := p.orders.Load().withToken(token)
	if o == nil {
		return Checkout{}, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	r := p.rules.Load()
	shown := Checkout{Order: o.view(r.settings.sciBase)}
	if o.code == nil {
		shown.Expires = o.created.Add(o.lifetime)
	}
	if !o.openPayway || o.status.Final() {
		return shown, true
	}
	for name, way := range r.payways {
		if way.in[o.inCurr] == nil {
			continue
		}
		d, refused := o.draftWith(r, name)
		shown.Choices = append(shown.Choices, Choice{name, way.kind, wire.NewAmount(d.quote.in), refused})
	}
	slices.SortFunc(shown.Choices, func(a, b Choice) int {
		return cmp.Or(cmp.Compare(r.payways[a.Payway].order, r.payways[b.Payway].order), cmp.Compare(a.Payway, b.Payway))
	})
	return shown, true
}

// draftWith makes the checks of the payway once more, for one that the payer takes. It wants
// mu held.
func (o *order) draftWith(r *rules, payway string) (*draft, *Refusal) {
	m := r.merchants[o.id.merchant]
	if m == nil {
		return &draft{}, refusal(CheckMerchant, wire.MerchantInactive(wire.FieldMerchant))
	}
	d := newDraft(r, m, o.reqdata)
	d.terms.share = o.share
	for _, step := range []func() *Refusal{
		d.checkAmount, d.checkCurrencies, d.checkDecimals,
		func() *Refusal { d.payway = payway; return d.usePayway() },
		d.checkPair, d.checkExchange, d.checkLimits,
	} {
		if refused := step(); refused != nil {
			return d, refused
		}
	}
	return d, nil
}

// Watch returns a channel on which there is something to receive whenever the order with the
// token has changed since the last receipt; the reader then calls Checkout again. It tells of
// any number of changes at once, so a slow reader holds up nobody. stop ends it.
func (p *Platform) Watch(token string) (changed <-chan struct{}, stop func()) {
	p.world.RLock()
	defer p.world.RUnlock()
	c := make(chan struct{}, 1)
	o := p.orders.Load().withToken(token)
	if o == nil {
		return c, func() {}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.watchers == nil {
		o.watchers = map[chan struct{}]struct{}{}
	}
	o.watchers[c] = struct{}{}
	return c, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.watchers, c)
	}
}

// Choose is the payer's choice of a payway, if it is the payer's. The sums follow from it.
func (p *Platform) Choose(token, payway string) *Refusal {
	return p.act(token, func(o *order) *Refusal {
		if !o.openPayway {
			return &Refusal{Check: CheckPayway, Error: wire.Forbidden(), Detail: "the merchant has chosen the payway"}
		}
		d, refused := o.draftWith(p.rules.Load(), payway)
		if refused != nil {
			return refused
		}
		o.payway, o.quote = payway, d.quote
		o.changed()
		return nil
	})
}

// Pay is the payer's payment: the order is done.
func (p *Platform) Pay(token string) *Refusal {
	return p.act(token, func(o *order) *Refusal {
		if o.payway == "" {
			return refusal(CheckPayway, wire.ShouldBeProvided(wire.FieldPayway))
		}
		p.settle(o, wire.StatusDone)
		return nil
	})
}

// Refuse is the payway's no to a payment: the order is rejected.
func (p *Platform) Refuse(token string) *Refusal {
	return p.act(token, func(o *order) *Refusal {
		p.settle(o, wire.StatusReject)
		return nil
	})
}

// Cancel is the payer's change of mind: the order is canceled.
func (p *Platform) Cancel(token string) *Refusal {
	return p.act(token, func(o *order) *Refusal {
		p.settle(o, wire.StatusCanceled)
		return nil
	})
}

// act does something with an order that is not final, its mu held.
func (p *Platform) act(token string, do func(*order) *Refusal) *Refusal {
	p.world.RLock()
	defer p.world.RUnlock()
	o := p.orders.Load().withToken(token)
	if o == nil {
		return refusal(CheckFound, wire.NotFound())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.status.Final() {
		return &Refusal{Check: CheckState, Error: wire.Forbidden(), Detail: "the order is " + string(o.status)}
	}
	return do(o)
}
