package anymoney

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// A Fault is one thing that is wrong with a configuration.
type Fault struct {
	Path string // members from the outside in: payways.visamc.in.UAH.tech_min; "" for the whole
	Why  string
}

// A ConfigError says all that is wrong with a configuration, in the order of the paths.
type ConfigError struct{ Faults []Fault }

func (e *ConfigError) Error() string {
	all := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		all[i] = strings.TrimPrefix(f.Path+": "+f.Why, ": ")
	}
	return strings.Join(all, "; ")
}

// parseDocument reads one JSON value. Its error is a *ConfigError.
func parseDocument(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var document any
	err := d.Decode(&document)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = fmt.Errorf("goes on after the value, at byte %d", d.InputOffset())
		}
	}
	if err != nil {
		return nil, &ConfigError{[]Fault{{Why: "is not JSON: " + err.Error()}}}
	}
	return document, nil
}

// merge applies a merge patch (RFC 7396) and leaves both of its arguments as they are.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	merged := map[string]any{}
	if members, ok := target.(map[string]any); ok {
		maps.Copy(merged, members)
	}
	for name, change := range changes {
		if change == nil {
			delete(merged, name)
		} else {
			merged[name] = merge(merged[name], change)
		}
	}
	return merged
}

// node is a place in a document, where there may be nothing. Its methods give what is
// there, or else note a fault and give something harmless.
type node struct {
	parent *node // nil for the whole
	name   string
	value  any // nil for nothing
	faults *[]Fault
}

func (n *node) fault(format string, args ...any) {
	*n.faults = append(*n.faults, Fault{n.path(), fmt.Sprintf(format, args...)})
}

func (n *node) path() string {
	if n.parent == nil {
		return ""
	}
	outer := n.parent.path()
	if outer == "" || strings.HasPrefix(n.name, "[") {
		return outer + n.name
	}
	return outer + "." + n.name
}

func (n *node) isThere() bool { return n.value != nil }

func (n *node) at(name string, value any) *node { return &node{n, name, value, n.faults} }

// all gives every member, in no order.
func (n *node) all(each func(name string, member *node)) {
	members, ok := n.value.(map[string]any)
	if !ok && n.isThere() {
		n.fault("is no object")
	}
	for name, value := range members {
		each(name, n.at(name, value))
	}
}

// object gives access to the members that may be there, and faults all others.
func (n *node) object(known ...string) func(name string) *node {
	n.all(func(name string, member *node) {
		if !slices.Contains(known, name) {
			member.fault("is unknown: possible are %s", strings.Join(known, ", "))
		}
	})
	members, _ := n.value.(map[string]any)
	return func(name string) *node { return n.at(name, members[name]) }
}

// items gives every element of a list.
func (n *node) items(each func(item *node)) {
	list, ok := n.value.([]any)
	if !ok && n.isThere() {
		n.fault("is no list")
	}
	for i, item := range list {
		each(n.at("["+strconv.Itoa(i)+"]", item))
	}
}

// need faults a place with nothing in it.
func (n *node) need() *node {
	if !n.isThere() {
		n.fault("is missing")
	}
	return n
}

func (n *node) boolean(otherwise bool) bool {
	value, ok := n.value.(bool)
	if !ok {
		if n.isThere() {
			n.fault("is neither true nor false")
		}
		return otherwise
	}
	return value
}

// text returns a text that is not empty.
func (n *node) text(otherwise string) string {
	value, ok := n.value.(string)
	if !ok || value == "" {
		if n.isThere() {
			n.fault("is no text, or an empty one")
		}
		return otherwise
	}
	return value
}

// oneOf returns a text that is among the possible ones, the first of them if there is none.
func (n *node) oneOf(possible ...string) string {
	value := n.text(possible[0])
	if !slices.Contains(possible, value) {
		n.fault("%q is none of %s", value, strings.Join(possible, ", "))
	}
	return value
}

// integer returns a number between two bounds.
func (n *node) integer(otherwise, least, most int64) int64 {
	if !n.isThere() {
		return otherwise
	}
	number, ok := n.value.(json.Number)
	value, err := strconv.ParseInt(number.String(), 10, 64)
	switch {
	case !ok || err != nil:
		n.fault("is no whole number")
	case value < least || value > most:
		n.fault("%d is not between %d and %d", value, least, most)
	default:
		return value
	}
	return otherwise
}

// number returns a decimal number that is not negative, written as text; zero for nothing.
func (n *node) number() decimal.Decimal {
	value := n.signed()
	if value.IsNegative() {
		n.fault("%s is negative", value)
		return zero
	}
	return value
}

// signed returns a decimal number of any sign; zero for nothing.
func (n *node) signed() decimal.Decimal {
	if value, ok := n.value.(decimal.Decimal); ok { // one that came about here, see Platform.running
		return value
	}
	if !n.isThere() {
		return zero
	}
	text, ok := n.value.(string)
	a, err := wire.ParseAmount(text)
	if !ok || err != nil || strings.Contains(text, ",") {
		n.fault("is no number written as text, such as \"0.05\"")
		return zero
	}
	if a.Decimals() > maxDecimals {
		n.fault("%.40s has more than %d decimals", a, maxDecimals)
		return zero
	}
	value, err := a.Decimal()
	if err != nil {
		n.fault("%.40s… has more than %d characters", a, wire.MaxAmountLen)
	}
	return value
}

// limit is number with nil for nothing.
func (n *node) limit() *decimal.Decimal {
	if !n.isThere() {
		return nil
	}
	value := n.number()
	return &value
}
