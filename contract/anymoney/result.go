package anymoney

import (
	"maps"
	"slices"
)

// A Calculation is the result of payin.calc.
type Calculation struct {
	Sums Sums
	Rate Rate // zero if nothing is converted
}

// Object writes the result; rate is left out if nothing is converted.
func (c Calculation) Object() Object {
	o := Object{
		{"account_amount", Text(string(c.Sums.Account))},
		{"in_amount", Text(string(c.Sums.In))},
		{"in_fee_amount", Text(string(c.Sums.InFee))},
		{"orig_amount", Text(string(c.Sums.Orig))},
		{"out_amount", Text(string(c.Sums.Out))},
		{"out_fee_amount", Text(string(c.Sums.OutFee))},
	}
	if !c.Rate.IsZero() {
		o = append(o, Member{"rate", c.Rate.value()})
	}
	return o
}

// Balances are the result of balance: amounts by currency.
type Balances map[string]Amount

// Object writes the result in the order of the currencies' names.
func (b Balances) Object() Object {
	o := make(Object, 0, len(b))
	for _, currency := range slices.Sorted(maps.Keys(b)) {
		o = append(o, Member{currency, Text(string(b[currency]))})
	}
	return o
}

// Payways are the result of pwcurrency.list: payways by name.
type Payways map[string]Payway

// A Payway is a way to pay: cards of a bank, a wallet, a coin.
type Payway struct {
	Type  string                    // "sci", "crypto", "cheque" or "cash"
	Order int64                     // in which payers see it
	In    map[string]PaywayCurrency // by currency
	Out   map[string]PaywayCurrency
}

// A PaywayCurrency is a currency in which a payway works.
type PaywayCurrency struct {
	IsActive  bool
	IsCrypto  bool
	Order     int64
	Precision int64 // decimals of the currency
	TechMin   Amount
	TechMax   Amount
	Fee       *Fee // the one that applies to this merchant; nil for none
}

// A Fee is mult·amount + add, at least min, at most max unless that is "0".
type Fee struct {
	Add, Mult, Min, Max Amount
	Method              string // of rounding: "ceil"
}

// Object writes the result in the order of names.
func (p Payways) Object() Object {
	o := make(Object, 0, len(p))
	for _, name := range slices.Sorted(maps.Keys(p)) {
		o = append(o, Member{name, Nested(Object{
			{"in", currencies(p[name].In)},
			{"out", currencies(p[name].Out)},
			{"order", Int(p[name].Order)},
			{"type", Text(p[name].Type)},
		})})
	}
	return o
}

func currencies(all map[string]PaywayCurrency) Value {
	o := make(Object, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		var fee Object
		if f := c.Fee; f != nil {
			fee = Object{
				{"add", Text(string(f.Add))},
				{"max", Text(string(f.Max))},
				{"method", Text(f.Method)},
				{"min", Text(string(f.Min))},
				{"mult", Text(string(f.Mult))},
			}
		}
		o = append(o, Member{name, Nested(Object{
			{"fee", Nested(fee)},
			{"is_active", Bool(c.IsActive)},
			{"is_crypto", Bool(c.IsCrypto)},
			{"order", Int(c.Order)},
			{"precision", Int(c.Precision)},
			{"tech_max", Text(string(c.TechMax))},
			{"tech_min", Text(string(c.TechMin))},
		})})
	}
	return Nested(o)
}
