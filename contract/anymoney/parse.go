package anymoney

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how many objects and lists may stand in each other. (Our choice: enough for
// anything that somebody means, and far from what exhausts a stack.)
const MaxDepth = 512

// ErrMessage is a text that is no message of the API; the *MessageError names the fault.
var ErrMessage = errors.New("not a message of the API")

// A Fault is what is wrong with a message, in words that follow "it".
type Fault string

// The faults of a text that should be JSON. The platform calls them a parse error.
const (
	FaultEmpty  Fault = "is empty"
	FaultNUL    Fault = "has a NUL byte"
	FaultUTF8   Fault = "is not valid Unicode"
	FaultSyntax Fault = "is not JSON, or goes on after it"
	FaultDepth  Fault = "is nested deeper than 512 levels"
)

// The faults of JSON that should be a request. The platform calls them an invalid request.
const (
	FaultBatch        Fault = "is a list: batches are not supported"
	FaultNotObject    Fault = "is JSON but no object"
	FaultDuplicate    Fault = "has a name twice"
	FaultVersion      Fault = `has a jsonrpc other than "2.0"`
	FaultMethod       Fault = "has no method, or one that is no text"
	FaultPositional   Fault = "has a list of params: they must be named"
	FaultParams       Fault = "has params that are no object"
	FaultNotification Fault = "has no id: notifications are not supported"
	FaultID           Fault = "has an id that is neither text nor number"
)

// The faults of JSON that should be a response.
const (
	FaultNoOutcome   Fault = "has not exactly one of result and error"
	FaultResult      Fault = "has a result that is no object"
	FaultError       Fault = "has an error without a whole code or a text message"
	FaultOtherAnswer Fault = "has the id of another request"
)

// The faults of the content of a result or a callback.
const (
	FaultAbsent Fault = "lacks a member that must be there"
	FaultValue  Fault = "has a value that cannot be read"
)

// A MessageError says why a text is no message of the API. It wraps ErrMessage.
type MessageError struct {
	Fault  Fault
	Name   string // of FaultDuplicate, FaultAbsent and FaultValue: whose, as in "code.amount"
	Offset int    // in bytes from the start of the text; 0 for faults of what it means
}

func (e *MessageError) Error() string {
	s := ErrMessage.Error() + ": it " + string(e.Fault)
	if e.Name != "" {
		s += fmt.Sprintf(": %.60q", e.Name)
	}
	if e.Offset > 0 {
		s += fmt.Sprintf(", at byte %d", e.Offset)
	}
	return s
}

// Unwrap returns ErrMessage.
func (e *MessageError) Unwrap() error { return ErrMessage }

// Refusal is what the platform answers to a request with this fault, with a null id.
func (e *MessageError) Refusal() *Error {
	switch e.Fault {
	case FaultEmpty, FaultNUL, FaultUTF8, FaultSyntax, FaultDepth:
		return ParseError()
	}
	return InvalidRequest()
}

// ParseObject reads a text that is one JSON object: the body of a callback, or a result.
// The error is a *MessageError. The caller limits the length of text beforehand.
func ParseObject(text []byte) (Object, error) {
	// encoding/json judges the grammar; what it lets pass is judged here: invalid UTF-8,
	// which it replaces, and a name that stands twice, of which it takes the last. Two
	// readers of one message would then see two amounts.
	switch {
	case len(text) == 0:
		return nil, &MessageError{Fault: FaultEmpty}
	case !utf8.Valid(text):
		return nil, &MessageError{Fault: FaultUTF8, Offset: validPrefix(text)}
	case !json.Valid(text):
		return nil, syntaxFault(text)
	}
	w := newWalker(string(text))
	w.space()
	if w.text[w.pos] == '{' {
		err := w.object(1)
		if err != nil {
			return nil, err
		}
		return w.members, nil
	}
	fault := FaultNotObject
	if w.text[w.pos] == '[' {
		fault = FaultBatch
	}
	if _, err := w.value(0); err != nil {
		return nil, err
	}
	return nil, &MessageError{Fault: fault}
}

// validPrefix is the length of the part of text before its first invalid byte.
func validPrefix(text []byte) int {
	pos := 0
	for pos < len(text) {
		r, size := utf8.DecodeRune(text[pos:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		pos += size
	}
	return pos
}

// syntaxFault says why text is not JSON.
func syntaxFault(text []byte) error {
	e := &MessageError{Fault: FaultSyntax}
	var raw json.RawMessage
	if bad, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, &raw)); ok {
		e.Offset = max(int(bad.Offset)-1, 0)
	}
	if at, ok := tooDeep(text[:e.Offset]); ok {
		e.Fault, e.Offset = FaultDepth, at // encoding/json has a limit of its own
	} else if e.Offset < len(text) && text[e.Offset] == 0 {
		e.Fault = FaultNUL
	}
	return e
}

// tooDeep finds where more than MaxDepth objects and lists stand in each other in text, the
// beginning of something that is not JSON.
func tooDeep(text []byte) (at int, ok bool) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++ // a quote that follows ends nothing
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			if depth++; depth > MaxDepth {
				return i, true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return 0, false
}

// A walker walks over text that is known to be valid JSON in valid UTF-8, so that each
// value is recognised by its first byte and no index leaves the text.
type walker struct {
	text string
	pos  int
	// members are those of the objects around pos, the outermost first. An inner object
	// takes the room behind and gives it back, so that only the outermost needs memory.
	members Object
}

// ordinary is how many members an object of the API can have, and some more: an order has 35.
const ordinary = 40

// newWalker returns a walker with room for the members that an ordinary text can have.
func newWalker(text string) walker {
	return walker{text: text, members: make(Object, 0, min(strings.Count(text, ":"), ordinary))}
}

func (w *walker) space() {
	for w.pos < len(w.text) {
		switch w.text[w.pos] {
		case ' ', '\t', '\r', '\n':
			w.pos++
		default:
			return
		}
	}
}

// open steps over an opening bracket and the space behind. If the closing one follows at
// once, it is stepped over too, and empty.
func (w *walker) open(closing byte, depth int) (empty bool, err error) {
	if depth > MaxDepth {
		return false, &MessageError{Fault: FaultDepth, Offset: w.pos}
	}
	w.pos++
	w.space()
	if w.text[w.pos] == closing {
		w.pos++
		return true, nil
	}
	return false, nil
}

// next steps over the comma or the closing bracket behind an element, with the space around,
// and reports whether it was a comma.
func (w *walker) next() bool {
	w.space()
	comma := w.text[w.pos] == ','
	w.pos++
	if comma {
		w.space()
	}
	return comma
}

// object appends the members of the object that begins here to w.members.
func (w *walker) object(depth int) error {
	empty, err := w.open('}', depth)
	if err != nil || empty {
		return err
	}
	first := len(w.members)
	var names nameSet
	for {
		at := w.pos
		name, err := w.str()
		if err != nil {
			return err
		}
		if !names.add(name, w.members[first:]) {
			return &MessageError{Fault: FaultDuplicate, Name: name, Offset: at}
		}
		w.space()
		w.pos++ // the colon
		w.space()
		value, err := w.value(depth)
		if err != nil {
			return err
		}
		w.members = append(w.members, Member{name, value})
		if !w.next() {
			return nil
		}
	}
}

// A nameSet holds the names of one object; in an ordinary one they are looked for one by one.
type nameSet map[string]struct{}

// add reports whether name is not among the members so far.
func (n *nameSet) add(name string, members Object) bool {
	if len(members) < ordinary {
		return !members.Has(name)
	}
	if *n == nil {
		*n = make(nameSet, 2*len(members))
		for i := range members {
			(*n)[members[i].Name] = struct{}{}
		}
	}
	before := len(*n)
	(*n)[name] = struct{}{}
	return len(*n) > before
}

// list hands the elements of the list that begins here to each.
func (w *walker) list(depth int, each func(Value)) error {
	empty, err := w.open(']', depth)
	if err != nil || empty {
		return err
	}
	for {
		v, err := w.value(depth)
		if err != nil {
			return err
		}
		each(v)
		if !w.next() {
			return nil
		}
	}
}

// value reads the value that begins here; depth is that of the object or list around it.
func (w *walker) value(depth int) (Value, error) {
	from := w.pos
	var kind Kind
	var err error
	switch w.text[w.pos] {
	case '"':
		s, err := w.str()
		return Value{KindText, s}, err
	case '{':
		kind = KindObject
		around := len(w.members)
		err = w.object(depth + 1)
		w.members = w.members[:around]
	case '[':
		kind = KindList
		err = w.list(depth+1, func(Value) {})
	case 'n':
		w.pos += len("null")
		return Value{}, nil
	case 't':
		kind = KindBool
		w.pos += len("true")
	case 'f':
		kind = KindBool
		w.pos += len("false")
	default:
		kind = w.number()
	}
	return Value{kind, w.text[from:w.pos]}, err
}

// number steps over the number that begins here.
func (w *walker) number() Kind {
	kind := KindInt
	for ; w.pos < len(w.text); w.pos++ {
		switch w.text[w.pos] {
		case '.', 'e', 'E':
			kind = KindFloat
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return kind
		}
	}
	return kind
}

// str reads the string that begins here and returns what it says.
func (w *walker) str() (string, error) {
	from := w.pos + 1
	end := from + strings.IndexByte(w.text[from:], '"')
	if strings.IndexByte(w.text[from:end], '\\') < 0 {
		w.pos = end + 1
		return w.text[from:end], nil
	}
	var b strings.Builder
	for w.pos = from; w.text[w.pos] != '"'; {
		length := strings.IndexAny(w.text[w.pos:], `"\`)
		b.WriteString(w.text[w.pos : w.pos+length])
		w.pos += length
		if w.text[w.pos] == '\\' {
			at := w.pos
			r := w.escape()
			if r < 0 {
				return "", &MessageError{Fault: FaultUTF8, Offset: at}
			}
			b.WriteRune(r)
		}
	}
	w.pos++
	return b.String(), nil
}

// escape reads a backslash with what belongs to it; half a surrogate pair, which is no
// character, is -1.
func (w *walker) escape() rune {
	c := w.text[w.pos+1]
	if c != 'u' {
		w.pos += 2
		if i := strings.IndexByte("bfnrt", c); i >= 0 {
			return rune("\b\f\n\r\t"[i])
		}
		return rune(c)
	}
	r := w.hex()
	if !utf16.IsSurrogate(r) {
		return r
	}
	if strings.HasPrefix(w.text[w.pos:], `\u`) {
		if pair := utf16.DecodeRune(r, w.hex()); pair != utf8.RuneError {
			return pair
		}
	}
	return -1
}

// hex reads \u and its four digits.
func (w *walker) hex() rune {
	var b [2]byte
	_, _ = hex.Decode(b[:], []byte(w.text[w.pos+2:w.pos+6])) // valid JSON: it cannot fail
	w.pos += 6
	return rune(b[0])<<8 | rune(b[1])
}
