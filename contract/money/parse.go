package money

import (
	"errors"
	"fmt"
	"math"
	"unicode"
	"unicode/utf8"
)

// MaxLen is the length in bytes of the longest text that is looked at.
const MaxLen = 32

// ErrFormat is a text that is no amount; the *FormatError around it names the fault.
var ErrFormat = errors.New("malformed amount")

// A Fault is what is wrong with a text, in words that follow "it".
type Fault string

// The faults of a text.
const (
	FaultEmpty     Fault = "is empty"
	FaultLength    Fault = "is longer than 32 bytes"
	FaultSign      Fault = "has a sign where none may be"
	FaultSpace     Fault = "has a space"
	FaultExponent  Fault = "has an exponent"
	FaultComma     Fault = "has a comma: the decimal mark is a point, and nothing parts thousands"
	FaultPoint     Fault = "needs digits on both sides of one decimal point"
	FaultScript    Fault = "has digits other than ASCII 0 to 9"
	FaultCharacter Fault = "has a character that is no digit"
	FaultZeros     Fault = "has a leading zero"
	FaultDecimals  Fault = "has more decimals than the currency"
	FaultZero      Fault = "is zero"
	FaultRange     Fault = "is out of range"
)

// A FormatError tells why a text is no amount of a currency. It wraps ErrFormat.
type FormatError struct {
	Text     string // as received
	Currency Currency
	Fault    Fault
}

func (e *FormatError) Error() string {
	text := e.Text
	if len(text) > MaxLen {
		text = text[:MaxLen] + "…"
	}
	return fmt.Sprintf("%v: %q %s", ErrFormat, text, e.Fault)
}

// Unwrap returns ErrFormat.
func (e *FormatError) Unwrap() error { return ErrFormat }

// Parse reads a sum that is paid: more than zero, without a sign, such as "100", "100.5" or
// "100.50". Its error is a *FormatError.
func Parse(text string, c Currency) (Amount, error) { return parse(text, c, false, false) }

// ParseSigned reads a sum that is paid or, with a minus in front, given back. It is not
// zero. Its error is a *FormatError.
func ParseSigned(text string, c Currency) (Amount, error) { return parse(text, c, true, false) }

// ParseBalance reads a sum that may be anything: negative, zero or positive. Its error is a
// *FormatError.
func ParseBalance(text string, c Currency) (Amount, error) { return parse(text, c, true, true) }

func parse(text string, c Currency, minus, zero bool) (Amount, error) {
	minor, fault := scan(text, c.Digits(), minus)
	if fault == "" && minor == 0 && !zero {
		fault = FaultZero
	}
	if fault != "" {
		return Amount{}, &FormatError{Text: text, Currency: c, Fault: fault}
	}
	return Amount{minor: minor, currency: c}, nil
}

// scan reads text as a number of 10^-digits.
func scan(text string, digits int, minus bool) (int64, Fault) {
	switch {
	case text == "":
		return 0, FaultEmpty
	case len(text) > MaxLen:
		return 0, FaultLength
	}
	body, negative := text, false
	if minus && text[0] == '-' {
		body, negative = text[1:], true
	}

	var n int64
	var outOfRange bool
	point := -1 // where the decimal point stands
	for i := range len(body) {
		switch b := body[i]; {
		case b >= '0' && b <= '9':
			var fits bool
			if n, fits = shift(n, int64(b-'0')); !fits {
				outOfRange = true // and look on: a comma further on is the better answer
			}
		case b == '.' && point < 0:
			point = i
		default:
			return 0, faultAt(body[i:])
		}
	}

	decimals := 0
	if point >= 0 {
		decimals = len(body) - point - 1
	}
	switch {
	case body == "", point == 0, point == len(body)-1:
		return 0, FaultPoint
	case body[0] == '0' && len(body) > 1 && point != 1:
		return 0, FaultZeros
	case decimals > digits:
		return 0, FaultDecimals
	}
	for ; decimals < digits && !outOfRange; decimals++ {
		var fits bool
		n, fits = shift(n, 0)
		outOfRange = !fits
	}
	switch {
	case outOfRange:
		return 0, FaultRange
	case negative:
		return -n, ""
	}
	return n, ""
}

// shift returns 10n + digit, or n and false if that does not fit.
func shift(n, digit int64) (int64, bool) {
	if n > (math.MaxInt64-digit)/10 {
		return n, false
	}
	return 10*n + digit, true
}

// faultAt names what is wrong with the first character of rest, which is no digit.
func faultAt(rest string) Fault {
	switch r, _ := utf8.DecodeRuneInString(rest); {
	case r == '.':
		return FaultPoint
	case r == ',':
		return FaultComma
	case r == '-', r == '+', r == '−':
		return FaultSign
	case r == 'e', r == 'E':
		return FaultExponent
	case unicode.IsSpace(r):
		return FaultSpace
	case unicode.IsDigit(r):
		return FaultScript
	}
	return FaultCharacter
}
