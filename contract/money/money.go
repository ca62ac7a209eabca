// Package money is the only amount type of this repository: a whole number of the smallest
// units of one currency.
//
// Amounts are integers because integers cannot drift: ten times 0.10 is 1.00, on every
// machine and in every order of addition. Text is read and written exactly; nothing is ever
// rounded, and what cannot be held exactly is refused with an error that names the fault.
// An amount knows its currency, so that roubles are never added to dollars.
//
// The platforms' own ways of writing a sum (a comma, six decimals, an exponent) are
// converted by their wire packages; here there is one form: digits, then at most one
// decimal point followed by no more digits than the currency has.
//
// shopspring/decimal appears only at the edge, for fees and rates, which are not sums of
// money yet: see Amount.Decimal and FromDecimal.
package money

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
)

var (
	// ErrOverflow is a result that does not fit 64 bits of minor units.
	ErrOverflow = errors.New("amount out of range")
	// ErrCurrency is an operation on amounts of two currencies.
	ErrCurrency = errors.New("currencies differ")
)

// MaxDigits is the finest precision a currency can have: 10^-9. (Nine digits still leave
// room for nine thousand million whole units.)
const MaxDigits = 9

var units = [MaxDigits + 1]int64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// A Currency is a code and the number of digits after the decimal point. Currencies are
// compared with ==. The zero value has no code and no digits.
type Currency struct {
	code   string
	digits uint8
}

// RUB is the Russian rouble of 100 kopecks.
var RUB = Currency{code: "RUB", digits: 2}

// NewCurrency returns the currency with the given code, 2 to 12 upper-case Latin letters or
// digits, and 0 to MaxDigits digits after the decimal point.
func NewCurrency(code string, digits int) (Currency, error) {
	if len(code) < 2 || len(code) > 12 {
		return Currency{}, fmt.Errorf("currency %q: the code must have 2 to 12 characters", code)
	}
	for i := range len(code) {
		if c := code[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return Currency{}, fmt.Errorf("currency %q: the code must be upper-case letters and digits", code)
		}
	}
	if digits < 0 || digits > MaxDigits {
		return Currency{}, fmt.Errorf("currency %s: %d digits after the point, possible are 0 to %d", code, digits, MaxDigits)
	}
	return Currency{code: code, digits: uint8(digits)}, nil
}

// Code is the currency's short name, such as "RUB".
func (c Currency) Code() string { return c.code }

// Digits is the number of digits after the decimal point.
func (c Currency) Digits() int { return int(c.digits) }

// Unit is the number of minor units in one whole unit: 100 for RUB.
func (c Currency) Unit() int64 { return units[c.digits] }

// String returns the code.
func (c Currency) String() string { return c.code }

// An Amount is a sum of money, which may be negative. It is a value: amounts are copied,
// compared with ==, and safe for concurrent use. The zero value is nothing of no currency.
type Amount struct {
	minor    int64
	currency Currency
}

// New returns the amount of so many minor units (kopecks) of c.
func New(minor int64, c Currency) Amount { return Amount{minor: minor, currency: c} }

// Minor is the amount in minor units of its currency.
func (a Amount) Minor() int64 { return a.minor }

// Currency is the currency of the amount.
func (a Amount) Currency() Currency { return a.currency }

// Sign is -1, 0 or +1.
func (a Amount) Sign() int { return cmp.Compare(a.minor, 0) }

// IsZero reports whether the amount is nothing, in whatever currency.
func (a Amount) IsZero() bool { return a.minor == 0 }

// Neg returns the amount with the other sign. As with Go's integers, the one number without
// a counterpart, math.MinInt64, stays itself; no parser and no sum here yields it.
func (a Amount) Neg() Amount { return Amount{minor: -a.minor, currency: a.currency} }

// Add returns a + b. Its error wraps ErrCurrency or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	sum := a.minor + b.minor
	overflow := (b.minor > 0) == (sum < a.minor) && b.minor != 0
	return a.result("add", b, sum, overflow)
}

// Sub returns a - b. Its error wraps ErrCurrency or ErrOverflow.
func (a Amount) Sub(b Amount) (Amount, error) {
	diff := a.minor - b.minor
	overflow := (b.minor > 0) == (diff > a.minor) && b.minor != 0
	return a.result("subtract", b, diff, overflow)
}

func (a Amount) result(op string, b Amount, minor int64, overflow bool) (Amount, error) {
	switch {
	case a.currency != b.currency:
		return Amount{}, fmt.Errorf("%s %s and %s: %w", op, a, b, ErrCurrency)
	case overflow || minor == math.MinInt64: // keeps the range symmetrical, see Neg
		return Amount{}, fmt.Errorf("%s %s and %s: %w", op, a, b, ErrOverflow)
	}
	return Amount{minor: minor, currency: a.currency}, nil
}

// Cmp orders amounts: -1 if a < b, 0 if they are equal, +1 if a > b. Amounts of different
// currencies are ordered by currency, which is good for sorting and says nothing of value.
func (a Amount) Cmp(b Amount) int {
	return cmp.Or(
		cmp.Compare(a.currency.code, b.currency.code),
		cmp.Compare(a.currency.digits, b.currency.digits),
		cmp.Compare(a.minor, b.minor),
	)
}

// Text writes the amount in the full precision of its currency, without the currency:
// "100.50", "-0.05". The parsers read it back to the same amount.
func (a Amount) Text() string {
	var buf [32]byte
	return string(a.appendText(buf[:0]))
}

// Short writes the amount without trailing zeros, as Integra shows it: "100", "100.5".
func (a Amount) Short() string {
	var buf [32]byte
	b := a.appendText(buf[:0])
	if a.currency.digits > 0 {
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
		if b[len(b)-1] == '.' {
			b = b[:len(b)-1]
		}
	}
	return string(b)
}

// String writes amount and currency for people and logs: "100.50 RUB".
func (a Amount) String() string {
	var buf [48]byte
	b := append(a.appendText(buf[:0]), ' ')
	return string(append(b, a.currency.code...))
}

// LogValue makes slog write an amount like String, in JSON too.
func (a Amount) LogValue() slog.Value { return slog.StringValue(a.String()) }

func (a Amount) appendText(b []byte) []byte {
	unit := a.currency.Unit()
	if unit == 1 {
		return strconv.AppendInt(b, a.minor, 10)
	}
	whole, part := a.minor/unit, a.minor%unit
	if a.minor < 0 {
		whole, part = -whole, -part // whole fits: it was divided by 10 at least
		b = append(b, '-')
	}
	b = strconv.AppendInt(b, whole, 10)
	point := len(b)
	b = strconv.AppendInt(b, unit+part, 10) // a 1 in front keeps the leading zeros…
	b[point] = '.'                          // …and gives its place to the point
	return b
}
