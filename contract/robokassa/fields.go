package robokassa

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxFields is the largest number of fields that a message may have.
const MaxFields = 200

// ErrFields is a text that is no message; the *FieldsError names the fault.
var ErrFields = errors.New("malformed parameters")

// A Fault is what is wrong with a message, in words that follow "it".
type Fault string

// The faults of a message.
const (
	FaultEscape  Fault = "is not url-encoded"
	FaultUTF8    Fault = "has a parameter that is not valid Unicode"
	FaultMany    Fault = "has too many parameters"
	FaultTwice   Fault = "has a parameter twice"
	FaultMissing Fault = "lacks a parameter"
	FaultDiffer  Fault = "gives two values for one thing"
)

// A FieldsError says why a text is no message. It wraps ErrFields.
type FieldsError struct {
	Fault Fault
	Name  string // the parameter, if there is one to name
}

func (e *FieldsError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%v: it %s", ErrFields, e.Fault)
	}
	return fmt.Sprintf("%v: it %s: %.40q", ErrFields, e.Fault, e.Name)
}

// Unwrap returns ErrFields.
func (e *FieldsError) Unwrap() error { return ErrFields }

// A Field is a parameter: its name as it was spelled, its value after one decode.
type Field struct{ Name, Value string }

// Fields are the parameters of a query or form in the order in which they were sent.
type Fields []Field

// ParseFields reads a query or the body of a form in UTF-8. The error is a *FieldsError. It
// refuses a parameter that stands there twice with two values, except PaymentMethods, which
// is a list, and an Shp_ name that stands there twice in whatever case.
func ParseFields(text string) (Fields, error) {
	var list Fields
	seen := make(map[string]int)
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		if len(list) == MaxFields {
			return nil, &FieldsError{Fault: FaultMany}
		}
		f, fault := parsePair(pair)
		if fault != "" {
			return nil, &FieldsError{Fault: fault, Name: f.Name}
		}
		name := parameter(f.Name)
		if at, twice := seen[name]; twice && name != parameter(FieldPaymentMethods) && (isShp(f.Name) || list[at].Value != f.Value) {
			return nil, &FieldsError{Fault: FaultTwice, Name: f.Name}
		}
		seen[name] = len(list)
		list = append(list, f)
	}
	return list, nil
}

func parsePair(pair string) (Field, Fault) {
	name, value, _ := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(name)
	if err != nil {
		return Field{}, FaultEscape
	}
	value, err = url.QueryUnescape(value)
	switch {
	case err != nil:
		return Field{Name: name}, FaultEscape
	case !utf8.ValidString(name), !utf8.ValidString(value):
		return Field{Name: name}, FaultUTF8
	}
	return Field{name, value}, ""
}

var aliases = map[string]string{
	"mrchlogin": "merchantlogin",
	"invoiceid": "invid",
	"desc":      "description",
	"invdesc":   "description",
}

// parameter is what a name means: lower case, and the present name for an old one.
func parameter(name string) string {
	name = strings.ToLower(name)
	return cmp.Or(aliases[name], name)
}

func isShp(name string) bool { return len(name) >= 4 && strings.EqualFold(name[:4], "shp_") }

// Get returns the value of a parameter under any of its names, "" if it was not sent.
func (f Fields) Get(name string) string {
	v, _ := f.Lookup(name)
	return v
}

// Lookup is Get that tells an absent parameter from an empty one.
func (f Fields) Lookup(name string) (value string, sent bool) {
	name = parameter(name)
	for _, field := range f {
		if parameter(field.Name) == name {
			return field.Value, true
		}
	}
	return "", false
}

// All returns every value of a parameter that may be repeated.
func (f Fields) All(name string) (values []string) {
	for _, field := range f {
		if strings.EqualFold(field.Name, name) {
			values = append(values, field.Value)
		}
	}
	return values
}

// Shp returns the shop's own fields in the order in which they were sent.
func (f Fields) Shp() (shp Fields) {
	for _, field := range f {
		if isShp(field.Name) {
			shp = append(shp, field)
		}
	}
	return shp
}

// Encode writes the fields as a query or the body of a form, in their order.
func (f Fields) Encode() string {
	var b strings.Builder
	for i, field := range f {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(field.Name) + "=" + url.QueryEscape(field.Value))
	}
	return b.String()
}

// AppendTo returns address with the fields behind whatever query it has.
func (f Fields) AppendTo(address string) string {
	address, fragment, _ := strings.Cut(address, "#")
	mark := "?"
	switch {
	case strings.HasSuffix(address, "?"), strings.HasSuffix(address, "&"):
		mark = ""
	case strings.Contains(address, "?"):
		mark = "&"
	}
	address += mark + f.Encode()
	if fragment != "" {
		address += "#" + fragment
	}
	return address
}

// foldedOrder sorts Shp_ fields as Robokassa's WordPress module does.
func foldedOrder(a, b Field) int {
	return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), byteOrder(a, b))
}

// byteOrder sorts Shp_ fields as Robokassa's PHP SDK does.
func byteOrder(a, b Field) int { return strings.Compare(a.Name, b.Name) }

func (f Fields) sorted(order func(a, b Field) int) Fields {
	f = slices.Clone(f)
	slices.SortFunc(f, order)
	return f
}
