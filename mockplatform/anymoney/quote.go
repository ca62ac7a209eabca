package anymoney

import (
	"github.com/shopspring/decimal"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

var (
	zero = decimal.Decimal{}
	one  = decimal.New(1, 0)
)

// maxDecimals is how fine a number of a configuration may be: the platform keeps integers
// scaled by 10⁹.
const maxDecimals = 9

// rateDecimals is how finely a rate is kept, whatever the currencies.
const rateDecimals = 5

// feeMethod is the only way known in which a fee is rounded: up.
const feeMethod = "ceil"

// A fee is what the platform keeps of an incoming sum.
type fee struct {
	mult decimal.Decimal // a fraction: 0.055 for 5.5 %
	add  decimal.Decimal
	min  decimal.Decimal
	max  decimal.Decimal // zero for no cap
}

// of returns the fee on a sum, rounded up to so many decimals. Both bounds are for
// mult·sum + add as a whole, and min wins. A nil fee is none.
func (f *fee) of(sum decimal.Decimal, decimals int32) decimal.Decimal {
	if f == nil {
		return zero
	}
	kept := f.mult.Mul(sum).Add(f.add)
	if f.max.IsPositive() && kept.GreaterThan(f.max) {
		kept = f.max
	}
	if kept.LessThan(f.min) {
		kept = f.min
	}
	return kept.RoundCeil(decimals)
}

// A rate turns incoming sums into outgoing ones.
type rate struct {
	value   decimal.Decimal
	divides bool // so many incoming units buy one outgoing unit; otherwise the reverse
}

// after returns the rate less the exchange's fee, a fraction, rounded against the merchant.
func (r rate) after(fee decimal.Decimal) rate {
	if r.divides {
		return rate{r.value.Mul(one.Add(fee)).RoundCeil(rateDecimals), true}
	}
	return rate{r.value.Mul(one.Sub(fee)).RoundFloor(rateDecimals), false}
}

// down converts a sum, rounding down to so many decimals.
func (r rate) down(sum decimal.Decimal, decimals int32) decimal.Decimal {
	if r.divides {
		whole, _ := sum.QuoRem(r.value, decimals)
		return whole
	}
	return sum.Mul(r.value).RoundFloor(decimals)
}

// up converts a sum, rounding up to so many decimals.
func (r rate) up(sum decimal.Decimal, decimals int32) decimal.Decimal {
	if r.divides {
		whole, rest := sum.QuoRem(r.value, decimals)
		if !rest.IsZero() {
			whole = whole.Add(decimal.New(1, -decimals))
		}
		return whole
	}
	return sum.Mul(r.value).RoundCeil(decimals)
}

// pair writes the rate as the API shows it; nil is no rate.
func (r *rate) pair() wire.Rate {
	switch {
	case r == nil:
		return wire.Rate{}
	case r.divides:
		return wire.Rate{wire.NewAmount(r.value), "1"}
	}
	return wire.Rate{"1", wire.NewAmount(r.value)}
}

// terms are what the sums of an order follow from.
type terms struct {
	fee                     *fee  // nil for none
	rate                    *rate // less the exchange's fee; nil without conversion
	inDecimals, outDecimals int32
	// share is the part of the fee that the merchant bears, from 0 to 1: the payer pays
	// the rest on top of what was asked for.
	share decimal.Decimal
}

// A quote is what becomes of a sum that was asked for. No number in it is negative, but what
// the merchant gets can be.
type quote struct {
	orig        decimal.Decimal
	in, inFee   decimal.Decimal
	out, outFee decimal.Decimal
	rate        *rate // nil without conversion
}

// account is what the merchant gets, in the outgoing currency.
func (q quote) account() decimal.Decimal { return q.out.Sub(q.outFee) }

// quote calculates what becomes of a sum.
func (t terms) quote(asked decimal.Decimal) quote {
	kept := t.fee.of(asked, t.inDecimals)
	onTop := one.Sub(t.share).Mul(kept).RoundCeil(t.inDecimals)
	return convert(quote{orig: asked, in: asked.Add(onTop), inFee: kept}, t.rate, t.outDecimals)
}

// convert fills in the outgoing side: what comes in, and the rounded fee, each converted by
// itself.
func convert(q quote, by *rate, decimals int32) quote {
	q.rate, q.out, q.outFee = by, q.in, q.inFee
	if by != nil {
		q.out, q.outFee = by.down(q.in, decimals), by.up(q.inFee, decimals)
	}
	return q
}
