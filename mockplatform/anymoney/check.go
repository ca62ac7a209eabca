package anymoney

import (
	"github.com/shopspring/decimal"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// Check names what refused a request; the journal shows it.
type Check string

// The checks, in the order in which they are made: of the outside of a request (§3.5), then
// of its parameters (§8). The form begins with CheckForm instead of those up to CheckHeaders.
const (
	CheckPath      Check = "path"      // of the API or of the form
	CheckVerb      Check = "verb"      // POST
	CheckBody      Check = "body"      // its length
	CheckParse     Check = "parse"     // JSON
	CheckEnvelope  Check = "envelope"  // of JSON-RPC
	CheckForm      Check = "form"      // url-encoded, with merchant and sign
	CheckHeaders   Check = "headers"   // all three, and a time
	CheckMerchant  Check = "merchant"  // known and active
	CheckSignature Check = "signature" // is that of the request
	CheckWindow    Check = "window"    // the time is near
	CheckMethod    Check = "method"    // known

	CheckParams      Check = "params"       // known, given, of the right type
	CheckAmount      Check = "amount"       // a number, not below zero
	CheckCallbackURL Check = "callback_url" // an address, if given
	CheckExternalID  Check = "externalid"   // a text that is not too long
	CheckCurrency    Check = "currency"     // both exist and are active
	CheckDecimals    Check = "decimals"     // of the amount fit the currency
	CheckPayway      Check = "payway"       // exists, is active, is there for the merchant
	CheckRequired    Check = "required"     // what the payway requires
	CheckPair        Check = "pair"         // the payway works in the currency
	CheckTyped       Check = "typed"        // a merchant bound to a payway does not convert
	CheckExchange    Check = "exchange"     // there is one
	CheckLimits      Check = "limits"       // of payway and exchange
	CheckCode        Check = "code"         // can be redeemed for this order
	CheckUnique      Check = "unique"       // no other order has the externalid
	CheckFound       Check = "found"        // an order has it
	CheckState       Check = "state"        // the order is not final (the pay page alone)
)

// A Refusal is a request that was not carried out; nothing was changed.
type Refusal struct {
	Check Check
	*wire.Error
	Detail string // more than the answer says, for the journal; "" for nothing
	HTTP   int    // status of the answer; 0 for the usual one
}

// refusal joins a check with what it found; nil for nothing.
func refusal(check Check, err *wire.Error) *Refusal {
	if err == nil {
		return nil
	}
	return &Refusal{Check: check, Error: err}
}

// draft is an order to be, and what the checks have found out about it so far. Each check
// takes for granted that those before it passed.
type draft struct {
	rules    *rules
	merchant *merchant
	params   wire.Object // as sent; a form's empty fields are not among them
	required bool        // the payway's own parameters must be there

	amount        wire.Amount
	asked         decimal.Decimal
	huge          bool // the amount is beyond all limits that can be configured
	inCurr        string
	outCurr       string
	in, out       *currency
	payway        string // "" for none: the payer will choose
	channel       *channel
	redeems       bool // a code, at a payway that takes codes
	terms         terms
	quote         quote
	exchangeLimit limits
}

// check makes the checks 4 to 15 of §8, in their order.
func (d *draft) check() *Refusal {
	for _, step := range []func() *Refusal{
		d.checkAmount, d.checkCallbackURL, d.checkExternalID, d.checkCurrencies, d.checkDecimals,
		d.checkPayway, d.checkRequired, d.checkPair, d.checkExchange, d.checkLimits,
	} {
		if refused := step(); refused != nil {
			return refused
		}
	}
	return nil
}

func (d *draft) checkAmount() *Refusal {
	amount, err := wire.CheckAmount(d.params.Get(wire.FieldAmount))
	if err != nil {
		return refusal(CheckAmount, err)
	}
	d.amount = amount
	asked, tooLong := amount.Decimal()
	d.asked, d.huge = asked, tooLong != nil
	return nil
}

func (d *draft) checkCallbackURL() *Refusal {
	return refusal(CheckCallbackURL, wire.CheckCallbackURL(d.params.Get(wire.FieldCallbackURL)))
}

func (d *draft) checkExternalID() *Refusal {
	if !d.params.Has(wire.FieldExternalID) { // payin.calc
		return nil
	}
	return refusal(CheckExternalID, wire.CheckExternalID(d.params.Get(wire.FieldExternalID)))
}

func (d *draft) checkCurrencies() *Refusal {
	d.inCurr, _ = d.params.Get(wire.FieldInCurr).Text()
	d.outCurr = d.inCurr
	if out := d.params.Get(wire.FieldOutCurr); !out.IsNull() {
		d.outCurr, _ = out.Text()
	}
	d.in, d.out = d.rules.currencies[d.inCurr], d.rules.currencies[d.outCurr]
	switch {
	case d.in == nil:
		return refusal(CheckCurrency, wire.CurrencyInvalid(wire.FieldInCurr))
	case d.out == nil:
		return refusal(CheckCurrency, wire.CurrencyInvalid(wire.FieldOutCurr))
	case !d.in.usable || !d.out.usable:
		return refusal(CheckCurrency, wire.CurrencyInactive())
	}
	return nil
}

func (d *draft) checkDecimals() *Refusal {
	if d.amount.Decimals() > int(d.in.decimals) {
		return refusal(CheckDecimals, wire.AmountTooFine())
	}
	return nil
}

func (d *draft) checkPayway() *Refusal {
	asked := d.params.Get(wire.FieldPayway)
	d.payway, _ = asked.Text()
	if asked.IsNull() { // a form; a typed merchant's payway is filled in
		d.payway = d.merchant.payway
		if d.payway == "" {
			return nil
		}
	}
	return d.usePayway()
}

// usePayway checks the draft's payway itself.
func (d *draft) usePayway() *Refusal {
	way := d.rules.payways[d.payway]
	switch {
	case way == nil:
		return refusal(CheckPayway, wire.PaywayInvalid())
	case !way.active:
		return refusal(CheckPayway, wire.PaywayInactive())
	case !d.merchant.mayUse(d.payway, way):
		return refusal(CheckPayway, wire.PaywayUnavailable())
	}
	d.channel = way.in[d.inCurr]
	d.redeems = way.codes && !d.params.Get(wire.FieldCode).IsNull()
	return nil
}

// mayUse reports whether a payway is there for the merchant.
func (m *merchant) mayUse(name string, way *payway) bool {
	return !way.disabled && !m.off[name] && (m.payway == "" || m.payway == name)
}

func (d *draft) checkRequired() *Refusal {
	if !d.required {
		return nil
	}
	for _, name := range d.rules.payways[d.payway].required {
		given := d.params.Get(name)
		if given.IsNull() {
			return refusal(CheckRequired, wire.ShouldBeProvided(name))
		}
		if text, _ := given.Text(); text == "" {
			return refusal(CheckRequired, wire.ParamInvalid(name, given))
		}
	}
	return nil
}

func (d *draft) checkPair() *Refusal {
	switch {
	case d.payway == "":
		return nil
	case d.channel == nil:
		return refusal(CheckPair, wire.CurrencyUnavailable(d.inCurr))
	case !d.channel.active:
		return refusal(CheckPair, wire.PairInactive())
	}
	d.terms.fee = d.merchant.feeOf(d.payway, d.inCurr, d.channel)
	return nil
}

func (d *draft) checkExchange() *Refusal {
	d.terms.inDecimals, d.terms.outDecimals = d.in.decimals, d.out.decimals
	if d.inCurr == d.outCurr {
		return nil
	}
	if d.merchant.payway != "" {
		return refusal(CheckTyped, wire.Forbidden())
	}
	d.terms.rate = d.rules.rateOf(d.merchant, d.inCurr, d.outCurr)
	if d.terms.rate == nil {
		return refusal(CheckExchange, wire.ExchangeUnavailable(d.inCurr, d.outCurr))
	}
	d.exchangeLimit = d.rules.exchanges[d.inCurr+"-"+d.outCurr].limits
	return nil
}

// checkLimits compares what was asked for, whatever the fee, and makes the quote.
func (d *draft) checkLimits() *Refusal {
	tooSmall := refusal(CheckLimits, wire.AmountTooSmall(wire.FieldAmount, d.amount))
	if d.channel != nil {
		if refused := d.checkLimit(d.channel.limits, wire.FieldAmount); refused != nil {
			return refused
		}
	}
	if d.asked.IsZero() && !d.huge {
		return tooSmall
	}
	if refused := d.checkLimit(d.exchangeLimit, wire.FieldInAmount); refused != nil {
		return refused
	}
	if d.huge {
		return refusal(CheckLimits, wire.AmountTooBig(wire.FieldAmount, d.amount))
	}
	d.quote = d.terms.quote(d.asked)
	if d.quote.account().IsNegative() {
		return tooSmall
	}
	return nil
}

func (d *draft) checkLimit(within limits, field string) *Refusal {
	switch {
	case within.min != nil && !d.huge && d.asked.LessThan(*within.min):
		return refusal(CheckLimits, wire.AmountTooSmall(field, d.amount))
	case within.max != nil && (d.huge || d.asked.GreaterThan(*within.max)):
		return refusal(CheckLimits, wire.AmountTooBig(field, d.amount))
	}
	return nil
}
