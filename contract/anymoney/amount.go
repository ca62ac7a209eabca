package anymoney

import (
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/partnerkit/partnerkit/contract/money"
)

// ErrAmount is a text that is no amount.
var ErrAmount = errors.New("not an amount")

// MaxAmountLen is the length in bytes of the longest amount that becomes a number.
const MaxAmountLen = 64

// An Amount is an amount, a rate or a fraction as the wire has it: text. What this package
// reads and NewAmount makes is canonical: digits, a point if there is a fraction, no zero
// that adds nothing, "0" for nothing, a minus in front if it is less. Canonical amounts are
// equal if their texts are. The zero value is no amount.
type Amount string

// ParseAmount reads digits, among them at most one point or comma with digits on both sides,
// perhaps after a minus, and returns them as a canonical amount of any length. The error
// wraps ErrAmount. The point is what callers send, the comma what the docs show.
func ParseAmount(text string) (Amount, error) {
	unsigned := strings.TrimPrefix(text, "-")
	whole, fraction := unsigned, ""
	if mark := strings.IndexAny(unsigned, ".,"); mark >= 0 {
		whole, fraction = unsigned[:mark], unsigned[mark+1:]
		if fraction == "" {
			whole = ""
		}
	}
	if !digits(whole) || fraction != "" && !digits(fraction) {
		return "", fmt.Errorf("%w: %.40q", ErrAmount, text)
	}
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" && fraction == "" {
		return "0", nil
	}
	var b strings.Builder
	if len(unsigned) < len(text) {
		b.WriteByte('-')
	}
	if whole == "" {
		whole = "0"
	}
	b.WriteString(whole)
	if fraction != "" {
		b.WriteByte('.')
		b.WriteString(fraction)
	}
	return Amount(b.String()), nil
}

// NewAmount writes d as the platform does.
func NewAmount(d decimal.Decimal) Amount { return Amount(d.String()) }

// Decimals is the number of digits behind the point of a canonical amount.
func (a Amount) Decimals() int {
	_, fraction, _ := strings.Cut(string(a), ".")
	return len(fraction)
}

// Negative reports whether a canonical amount is less than zero.
func (a Amount) Negative() bool { return strings.HasPrefix(string(a), "-") }

// Decimal returns the amount as a number, exactly. The error wraps ErrAmount: a is no
// amount, or longer than MaxAmountLen.
func (a Amount) Decimal() (decimal.Decimal, error) {
	canonical, err := ParseAmount(string(a))
	if err != nil {
		return decimal.Decimal{}, err
	}
	if len(canonical) > MaxAmountLen {
		return decimal.Decimal{}, fmt.Errorf("%w: %.40q… has more than %d characters", ErrAmount, a, MaxAmountLen)
	}
	return decimal.NewFromString(string(canonical))
}

// In returns the amount as a sum of currency c. The error wraps ErrAmount, or money.ErrFormat
// if the currency cannot hold it exactly.
func (a Amount) In(c money.Currency) (money.Amount, error) {
	d, err := a.Decimal()
	if err != nil {
		return money.Amount{}, err
	}
	return money.FromDecimal(d, c)
}

// A Rate is a pair of amounts: {"28.7639", "1"} divides the incoming amount by 28.7639,
// {"1", "27.7628"} multiplies it. The zero value is no rate, since nothing was converted.
type Rate [2]Amount

// IsZero reports whether there is no rate.
func (r Rate) IsZero() bool { return r == Rate{} }

func (r Rate) value() Value {
	if r.IsZero() {
		return Value{}
	}
	return List(Text(string(r[0])), Text(string(r[1])))
}
