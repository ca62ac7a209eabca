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
	// WantsCode says that at the order's payway a code is what is paid with.
	WantsCode bool
	// InDecimals and OutDecimals are those of the currencies; 0 if they are gone.
	InDecimals, OutDecimals int32
}

// A Choice is a payway that the payer could take, in the order of the configuration.
type Choice struct {
	Payway   string
	Type     string
	Chosen   bool        // at present
	In, Fee  wire.Amount // what the payer would pay, and the fee; "" if it cannot be chosen
	Min, Max wire.Amount // limits of what was asked for; "" for none
	Refusal  *Refusal    // why it cannot be chosen; nil if it can
}

// Why is the reason in a word: "small", "big", or "off" for all that no other amount mends.
func (c Choice) Why() string {
	switch c.Refusal.Code {
	case wire.CodeAmountTooSmall:
		return "small"
	case wire.CodeAmountTooBig:
		return "big"
	}
	return "off"
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
	shown := Checkout{Order: o.view(r.settings.sciBase), WantsCode: o.wantsCode(r)}
	if o.code == nil {
		shown.Expires = o.created.Add(o.lifetime)
	}
	if in := r.currencies[o.inCurr]; in != nil {
		shown.InDecimals = in.decimals
	}
	if out := r.currencies[o.outCurr]; out != nil {
		shown.OutDecimals = out.decimals
	}
	if !o.openPayway || o.status.Final() {
		return shown, true
	}
	for name, way := range r.payways {
		if way.in[o.inCurr] != nil {
			shown.Choices = append(shown.Choices, o.choice(r, name))
		}
	}
	slices.SortFunc(shown.Choices, func(a, b Choice) int {
		return cmp.Or(cmp.Compare(r.payways[a.Payway].order, r.payways[b.Payway].order), cmp.Compare(a.Payway, b.Payway))
	})
	return shown, true
}

// choice shows a payway that works in the order's currency. It wants mu held.
func (o *order) choice(r *rules, payway string) Choice {
	way := r.payways[payway]
	c := Choice{Payway: payway, Type: way.kind, Chosen: payway == o.payway}
	limits := way.in[o.inCurr].limits
	if limits.min != nil {
		c.Min = wire.NewAmount(*limits.min)
	}
	if limits.max != nil {
		c.Max = wire.NewAmount(*limits.max)
	}
	d, refused := o.draftWith(r, payway)
	if c.Refusal = refused; refused == nil {
		c.In, c.Fee = wire.NewAmount(d.quote.in), wire.NewAmount(d.quote.inFee)
	}
	return c
}

// wantsCode reports whether a code is what the order is paid with. It wants mu held.
func (o *order) wantsCode(r *rules) bool {
	way := r.payways[o.payway]
	return way != nil && way.codes && o.code == nil
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

// Pay is the payer's payment: the order is done. At a payway that takes codes it is a code
// that pays, and it is spent; elsewhere code is passed over.
func (p *Platform) Pay(token, code string) *Refusal {
	return p.act(token, func(o *order) *Refusal {
		r := p.rules.Load()
		done := func() *Refusal {
			p.settle(o, wire.StatusDone)
			return nil
		}
		switch {
		case o.payway == "":
			return refusal(CheckPayway, wire.ShouldBeProvided(wire.FieldPayway))
		case o.wantsCode(r):
			return r.spend(wire.Text(code), o.payway, o.inCurr, o.quote.in, done)
		}
		return done()
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
