package anymoney

import (
	"time"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// do carries out a method for a merchant; the parameters are as they were sent.
func (p *Platform) do(r *rules, m *merchant, method wire.Method, params wire.Object) (wire.Object, *Refusal) {
	if !method.Known() {
		return nil, refusal(CheckMethod, wire.MethodNotFound())
	}
	if err := method.Check(params); err != nil {
		return nil, refusal(CheckParams, err)
	}
	switch method {
	case wire.MethodPayinCreate:
		return p.payinCreate(r, m, params)
	case wire.MethodPayinCalc:
		d := newDraft(r, m, params)
		if refused := d.check(); refused != nil {
			return nil, refused
		}
		return wire.Calculation{Sums: d.quote.sums(), Rate: d.quote.rate.pair()}.Object(), nil
	case wire.MethodPayinGet:
		return p.find(m, params, func(o *order) bool { return !o.viaForm })
	case wire.MethodStatus:
		return p.find(m, params, func(*order) bool { return true })
	case wire.MethodBalance:
		return balance(r, m, params)
	}
	return m.payways(r).Object(), nil
}

func newDraft(r *rules, m *merchant, params wire.Object) *draft {
	return &draft{rules: r, merchant: m, params: params, terms: terms{share: one}}
}

// payinCreate makes a payin of a code at a payway that takes codes, and an invoice otherwise.
func (p *Platform) payinCreate(r *rules, m *merchant, params wire.Object) (wire.Object, *Refusal) {
	d := newDraft(r, m, params)
	d.required = true
	if refused := d.check(); refused != nil {
		return nil, refused
	}
	o := d.order()
	if refused := p.place(d, o); refused != nil {
		return nil, refused
	}
	return p.show(o).Object(), nil
}

// order returns the order with all that follows from the parameters alone. It keeps nothing
// of the text that they were read from, which may be long.
func (d *draft) order() *order {
	var sent, userdata wire.Object
	for _, param := range d.params {
		switch {
		case param.Value.IsNull():
		case param.Name == wire.FieldPayer, param.Name == wire.FieldContact:
			userdata = append(userdata, param)
		default:
			sent = append(sent, param)
		}
	}
	sent = append(sent, wire.Member{Name: fieldUserdata, Value: wire.Nested(userdata)})
	kept := wire.Nested(sent)
	sent, _ = kept.Object()
	text := func(field string) string {
		s, _ := sent.Get(field).Text()
		return s
	}
	o := &order{
		id:          orderID{d.merchant.lid, text(wire.FieldExternalID)},
		lifetime:    time.Duration(wire.DefaultLifetime) * time.Millisecond,
		inCurr:      text(wire.FieldInCurr),
		callbackURL: text(wire.FieldCallbackURL),
		redirectURL: text(wire.FieldRedirectURL),
		email:       text(wire.FieldClientEmail),
		reqdata:     sent,
		size:        orderSize + 2*len(kept.String()), // in requests and in what is read out of them
	}
	o.userdata, _ = sent.Get(fieldUserdata).Object()
	return o
}

// fieldUserdata is the member of reqdata that gathers the parameters of payways.
const fieldUserdata = "userdata"

// orderSize is what an order occupies besides its texts, roughly.
const orderSize = 2_000 + 3*stepSize

// find returns an order of the merchant that fits.
func (p *Platform) find(m *merchant, params wire.Object, fits func(*order) bool) (wire.Object, *Refusal) {
	asked := params.Get(wire.FieldExternalID)
	if err := wire.CheckExternalID(asked); err != nil {
		return nil, refusal(CheckExternalID, err)
	}
	id, _ := asked.Text()
	o := p.orders.Load().get(orderID{m.lid, id})
	if o == nil || !fits(o) {
		return nil, refusal(CheckFound, wire.NotFound())
	}
	return p.show(o).Object(), nil
}

// balance shows one currency or all of them, whether they are active or not.
func balance(r *rules, m *merchant, params wire.Object) (wire.Object, *Refusal) {
	m.account.mu.Lock()
	defer m.account.mu.Unlock()
	shown := wire.Balances{}
	if asked := params.Get(wire.FieldCurr); !asked.IsNull() {
		name, _ := asked.Text()
		if r.currencies[name] == nil {
			return nil, refusal(CheckCurrency, wire.CurrencyInvalid(wire.FieldCurr))
		}
		shown[name] = wire.NewAmount(m.account.balance[name])
		return shown.Object(), nil
	}
	for name := range r.currencies {
		shown[name] = wire.NewAmount(m.account.balance[name])
	}
	return shown.Object(), nil
}

// payways lists the payways that are there for the merchant, with the fees that it pays.
func (m *merchant) payways(r *rules) wire.Payways {
	shown := wire.Payways{}
	for name, way := range r.payways {
		if !way.active || !m.mayUse(name, way) {
			continue
		}
		in := map[string]wire.PaywayCurrency{}
		for code, channel := range way.in {
			if currency := r.currencies[code]; currency != nil && currency.usable {
				in[code] = channel.wire(currency, m.feeOf(name, code, channel))
			}
		}
		shown[name] = wire.Payway{Type: way.kind, Order: way.order, In: in}
	}
	return shown
}

func (c *channel) wire(in *currency, f *fee) wire.PaywayCurrency {
	shown := wire.PaywayCurrency{
		IsActive: c.active, IsCrypto: in.crypto, Order: c.order, Precision: int64(in.decimals),
		TechMin: "0", TechMax: "0", // without limits: as a fee without cap is shown
	}
	if c.limits.min != nil {
		shown.TechMin = wire.NewAmount(*c.limits.min)
	}
	if c.limits.max != nil {
		shown.TechMax = wire.NewAmount(*c.limits.max)
	}
	if f != nil {
		shown.Fee = &wire.Fee{
			Add: wire.NewAmount(f.add), Mult: wire.NewAmount(f.mult),
			Min: wire.NewAmount(f.min), Max: wire.NewAmount(f.max), Method: feeMethod,
		}
	}
	return shown
}
