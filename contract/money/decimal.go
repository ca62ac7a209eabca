package money

import (
	"math"
	"strconv"

	"github.com/shopspring/decimal"
)

// Decimal returns the amount as a decimal number, exactly, for fees and rates.
func (a Amount) Decimal() decimal.Decimal {
	return decimal.New(a.minor, -int32(a.currency.digits))
}

// FromDecimal returns d of currency c; d may have any sign. It never rounds: whoever divides
// says how. Its error is a *FormatError with FaultDecimals or FaultRange.
func FromDecimal(d decimal.Decimal, c Currency) (Amount, error) {
	fault := FaultRange
	// Exponents far out are decided here, before they become numbers of gigabytes.
	switch exp := int64(d.Exponent()); {
	case d.IsZero():
		return Amount{currency: c}, nil
	case -exp > int64(d.NumDigits()+c.Digits()):
		fault = FaultDecimals
	case exp <= int64(MaxLen):
		minor := d.Shift(int32(c.digits))
		if !minor.IsInteger() {
			fault = FaultDecimals
		} else if n := minor.BigInt(); n.IsInt64() && n.Int64() != math.MinInt64 {
			return Amount{minor: n.Int64(), currency: c}, nil
		}
	}
	return Amount{}, &FormatError{Text: d.Coefficient().String() + "e" + strconv.Itoa(int(d.Exponent())), Currency: c, Fault: fault}
}
