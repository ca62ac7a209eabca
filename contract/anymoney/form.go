package anymoney

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Names of the fields of the SCI form that are no parameters of payin.create.
const (
	FieldMerchant    = "merchant"
	FieldSign        = "sign"
	FieldRedirectURL = "redirect_url"
	FieldClientEmail = "client_email"
	FieldIsMultipay  = "is_multipay"
	FieldLifetime    = "lifetime"
	FieldExpiry      = "expiry" // an older name of lifetime
	FieldPayfee      = "merchant_payfee"
)

// Bounds of a lifetime in milliseconds, both included.
const (
	MinLifetime     int64 = 3600 * 1000
	MaxLifetime     int64 = 7 * 24 * 3600 * 1000
	DefaultLifetime       = MaxLifetime
)

// ErrForm is a body that is no form; the *FormError names the fault.
var ErrForm = errors.New("malformed form")

// The faults of a form.
const (
	FaultEscape    Fault = "is not url-encoded"
	FaultFieldUTF8 Fault = "has a field that is not valid Unicode"
	FaultTwice     Fault = "has a field twice"
)

// A FormError says why a body is no form. It wraps ErrForm.
type FormError struct {
	Fault Fault
	Name  string // of FaultFieldUTF8 and FaultTwice: the field
}

func (e *FormError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%v: it %s", ErrForm, e.Fault)
	}
	return fmt.Sprintf("%v: it %s: %.40q", ErrForm, e.Fault, e.Name)
}

// Unwrap returns ErrForm.
func (e *FormError) Unwrap() error { return ErrForm }

// A Form is the SCI form: fields with their values. An empty value counts as absent.
type Form map[string]string

// ParseForm reads the body of a form, application/x-www-form-urlencoded in UTF-8. The error
// is a *FormError. A field that stands there twice is refused: which of the two was signed?
func ParseForm(body string) (Form, error) {
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, &FormError{Fault: FaultEscape}
	}
	f := make(Form, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		switch {
		case !utf8.ValidString(name), !utf8.ValidString(v[0]):
			return nil, &FormError{Fault: FaultFieldUTF8, Name: name}
		case len(v) > 1:
			return nil, &FormError{Fault: FaultTwice, Name: name}
		}
		f[name] = v[0]
	}
	return f, nil
}

// Encode writes the form as the body of a request, in the order of the names.
func (f Form) Encode() string {
	values := make(url.Values, len(f))
	for name, value := range f {
		values.Set(name, value)
	}
	return values.Encode()
}

// SignedText is the text that is signed: the values of all fields but sign, known or not, in
// the order of their names with nothing between them, in lower case. No timestamp follows.
func (f Form) SignedText() string {
	var buf [512]byte
	return string(f.appendSigned(buf[:0]))
}

func (f Form) appendSigned(b []byte) []byte {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if name != FieldSign {
			b = appendLower(b, f[name])
		}
	}
	return b
}

// SignForm returns the sign of a form: HMAC-SHA512 of Form.SignedText under the SCI key, in
// 128 lower-case hex digits.
func (k Key) SignForm(f Form) string { return k.sign(f.appendSigned(nil)) }

// VerifyForm is Verify for a form and its field sign.
func (k Key) VerifyForm(f Form) error { return k.verify(f.appendSigned(nil), f[FieldSign]) }

// ParseMultipay reads is_multipay: "true" or "false" in lower case, absent is false. The
// error is nil or the platform's refusal.
func ParseMultipay(text string) (bool, *Error) {
	switch text {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, ParamInvalid(FieldIsMultipay, Text(text))
}

// ParsePayfee reads merchant_payfee, the part of the fee that the merchant bears: from 0 to
// 1, at most two decimals, absent is 1. The error is nil or the platform's refusal.
func ParsePayfee(text string) (Amount, *Error) {
	if text == "" {
		return "1", nil
	}
	a, err := ParseAmount(text)
	if err != nil || a.Negative() || a.Decimals() > 2 || a != "1" && !strings.HasPrefix(string(a), "0") {
		return "", ParamInvalid(FieldPayfee, Text(text))
	}
	return a, nil
}

var lifetimeUnits = map[string]int64{
	"w": 7 * 24 * 3600 * 1000, "d": 24 * 3600 * 1000, "h": 3600 * 1000, "m": 60 * 1000, "s": 1000, "ms": 1,
}

// ParseLifetime reads a lifetime and returns it in milliseconds; absent is DefaultLifetime.
// It is digits alone, which are seconds, or pairs of digits and a unit (w d h m s ms) without
// spaces, each unit at most once: "1d12h". The error is nil or the platform's refusal.
func ParseLifetime(text string) (int64, *Error) {
	switch {
	case text == "":
		return DefaultLifetime, nil
	case digits(text):
		return lifetime(text, text+"s")
	}
	return lifetime(text, text)
}

// lifetime reads the pairs; text is how they were sent.
func lifetime(text, pairs string) (int64, *Error) {
	var total int64
	seen := make(map[string]bool, len(lifetimeUnits))
	for pairs != "" {
		number := span(pairs, "0123456789")
		unit := span(pairs[len(number):], "wdhms")
		size, known := lifetimeUnits[unit]
		if number == "" || !known || seen[unit] {
			return 0, PeriodInvalid(text)
		}
		seen[unit] = true
		n, _ := strconv.ParseInt(number, 10, 64) // out of range it is MaxInt64
		total += min(n, MaxLifetime/size+1) * size
		pairs = pairs[len(number)+len(unit):]
	}
	switch {
	case total < MinLifetime:
		return 0, PeriodTooShort(text)
	case total > MaxLifetime:
		return 0, PeriodTooLong(text)
	}
	return total, nil
}

// span is the beginning of s that consists of the given characters.
func span(s, characters string) string {
	return s[:len(s)-len(strings.TrimLeft(s, characters))]
}

// TokenLen is the length of the token of an order: 51 random bytes in URL-safe base64.
const TokenLen = 68

// NewToken returns the token that so many random bytes make.
func NewToken(random [51]byte) string { return base64.RawURLEncoding.EncodeToString(random[:]) }

// Paylink is the address at which the payer pays the order with the given token.
func Paylink(sciBase, token string) string {
	return strings.TrimSuffix(sciBase, "/") + "/#token=" + token
}

// ErrorURL is the address to which a payer is sent whose form was refused:
// <sciBase>/error?code=…&message=…&field=…, without field if the error names none.
func ErrorURL(sciBase string, e *Error) string {
	b := strings.TrimSuffix(sciBase, "/") + "/error?code=" + strconv.Itoa(int(e.Code)) + "&message=" + url.QueryEscape(e.Message)
	if name := e.Field(); name != "" {
		b += "&field=" + url.QueryEscape(name)
	}
	return b
}
