package anymoney

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Kind is what sort of JSON a Value is.
type Kind uint8

// The kinds of values.
const (
	KindNull Kind = iota
	KindBool
	KindText
	KindInt   // a number of digits alone, with or without a minus
	KindFloat // a number with a fraction or an exponent
	KindList
	KindObject
)

var kindWords = [...]string{"NoneType", "bool", "str", "int", "float", "list", "dict"}

// String is the platform's word for the kind, which is Python's: "int", "dict".
func (k Kind) String() string { return kindWords[k] }

// A Value is one JSON value. Values are compared with ==: texts by what they say, numbers
// by their digits, lists and objects by their spelling. The zero value is null.
type Value struct {
	kind Kind
	s    string // what a text says, otherwise the JSON as it was sent
}

// Text returns the value that says s. What is no Unicode in s becomes U+FFFD.
func Text(s string) Value { return Value{KindText, strings.ToValidUTF8(s, "\ufffd")} }

// Bool returns the value true or false.
func Bool(b bool) Value { return Value{KindBool, strconv.FormatBool(b)} }

// Int returns the value of a whole number.
func Int(n int64) Value { return Value{KindInt, strconv.FormatInt(n, 10)} }

// List returns the list of the given values.
func List(values ...Value) Value {
	b := []byte{'['}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = v.AppendJSON(b)
	}
	return Value{KindList, string(append(b, ']'))}
}

// Nested returns the value that holds o.
func Nested(o Object) Value { return Value{KindObject, string(o.AppendJSON(nil))} }

// Kind says what sort of value v is.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is null, which the API takes for "absent".
func (v Value) IsNull() bool { return v.kind == KindNull }

// Text returns what v says; ok is false and the text empty if v is no text.
func (v Value) Text() (s string, ok bool) {
	if v.kind != KindText {
		return "", false
	}
	return v.s, true
}

// Object returns the members of v; ok is false if v is no object.
func (v Value) Object() (o Object, ok bool) {
	if v.kind != KindObject {
		return nil, false
	}
	w := newWalker(v.s) // valid: v was read or made here
	ok = w.object(1) == nil
	return w.members, ok
}

// List returns the elements of v; ok is false if v is no list.
func (v Value) List() (values []Value, ok bool) {
	if v.kind != KindList {
		return nil, false
	}
	w := walker{text: v.s}
	ok = w.list(1, func(e Value) { values = append(values, e) }) == nil
	return values, ok
}

// AppendJSON appends v to b. Numbers, lists and objects are written as they were sent.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case KindNull:
		return append(b, "null"...)
	case KindText:
		return appendText(b, v.s)
	}
	return append(b, v.s...)
}

// MarshalJSON is AppendJSON for encoding/json.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// String is the value's JSON.
func (v Value) String() string { return string(v.AppendJSON(nil)) }

// A Member is a name of an object with its value.
type Member struct {
	Name  string
	Value Value
}

// An Object is a JSON object: its members in the order in which they were sent. No name
// stands in it twice; whoever builds one sees to that.
type Object []Member

// Get returns the value of the member with exactly that name, null if there is none.
func (o Object) Get(name string) Value {
	for i := range o {
		if o[i].Name == name {
			return o[i].Value
		}
	}
	return Value{}
}

// Has reports whether o has a member with exactly that name, be it null.
func (o Object) Has(name string) bool {
	return slices.ContainsFunc(o, func(m Member) bool { return m.Name == name })
}

// AppendJSON appends o to b, without spaces.
func (o Object) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	for i := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, o[i].Name), ':')
		b = o[i].Value.AppendJSON(b)
	}
	return append(b, '}')
}

// MarshalJSON is AppendJSON for encoding/json.
func (o Object) MarshalJSON() ([]byte, error) { return o.AppendJSON(nil), nil }

// String is the object's JSON.
func (o Object) String() string { return string(o.AppendJSON(nil)) }

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string. Only what must be escaped is. What is no Unicode
// becomes U+FFFD.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}
