package integra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how many objects and arrays may stand in each other.
const MaxDepth = 32

// The faults of a text that should be one JSON object.
const (
	FaultSyntax    Fault = "is not JSON"
	FaultUTF8      Fault = "is not valid Unicode"
	FaultNotObject Fault = "is JSON but no object"
	FaultTrailing  Fault = "goes on after the object"
	FaultDuplicate Fault = "has a name twice"
	FaultDepth     Fault = "is nested deeper than 32 levels"
)

// An ObjectError says why a text is not one JSON object as we read it.
type ObjectError struct {
	Fault  Fault
	Name   string // of FaultDuplicate: the name that stands there twice
	Offset int    // in bytes from the start of the text
}

func (e *ObjectError) Error() string {
	if e.Fault == FaultDuplicate {
		return fmt.Sprintf("text has the name %.40q twice, at byte %d", e.Name, e.Offset)
	}
	return fmt.Sprintf("text %s, at byte %d", e.Fault, e.Offset)
}

// A member is one name, decoded, of the outermost object with its value as it stands there.
type member struct{ name, value []byte }

// scanObject checks in one pass that text is exactly one JSON object, and appends its
// members to members. It is stricter than encoding/json, which replaces what is no Unicode
// and lets the last of two equal names win: two readers of one message would then see two
// amounts. As json_encode writes an array without elements for an object without members,
// [] is an empty object. The error is an *ObjectError.
func scanObject(text []byte, members []member) ([]member, error) {
	s := scanner{text: text}
	s.space()
	if s.peek() != '{' {
		switch {
		case string(bytes.Trim(text, " \t\r\n")) == "[]":
			return members, nil
		case json.Valid(text):
			return nil, s.fault(FaultNotObject)
		}
		return nil, s.fault(FaultSyntax)
	}
	members, err := s.object(1, members)
	if err != nil {
		return nil, err
	}
	s.space()
	if s.pos < len(text) {
		return nil, s.fault(FaultTrailing)
	}
	return members, nil
}

// find returns the value of the member with exactly that name, or nil.
func find(members []member, name string) []byte {
	for _, m := range members {
		if string(m.name) == name {
			return m.value
		}
	}
	return nil
}

// A scanner walks over JSON text (RFC 8259).
type scanner struct {
	text []byte
	pos  int
}

func (s *scanner) fault(f Fault) error { return &ObjectError{Fault: f, Offset: s.pos} }

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// take steps over the next byte if it is b.
func (s *scanner) take(b byte) bool {
	if s.peek() != b {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) space() {
	for {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// object steps over the object that begins here and appends its members to members. (An
// inner object is given those of the outer one too, for the room behind them alone: the
// outer one appends over them, and a common message needs no memory.)
func (s *scanner) object(depth int, members []member) ([]member, error) {
	if depth > MaxDepth {
		return nil, s.fault(FaultDepth)
	}
	first := len(members)
	var names nameSet
	s.pos++
	s.space()
	if s.take('}') {
		return members, nil
	}
	for {
		at := s.pos
		name, err := s.name()
		if err != nil {
			return nil, err
		}
		if !names.add(name, members[first:]) {
			return nil, &ObjectError{Fault: FaultDuplicate, Name: string(name), Offset: at}
		}
		s.space()
		if !s.take(':') {
			return nil, s.fault(FaultSyntax)
		}
		s.space()
		from := s.pos
		if err := s.value(depth, members); err != nil {
			return nil, err
		}
		members = append(members, member{name: name, value: s.text[from:s.pos]})
		s.space()
		switch {
		case s.take(','):
			s.space()
		case s.take('}'):
			return members, nil
		default:
			return nil, s.fault(FaultSyntax)
		}
	}
}

// A nameSet holds the names of one object; up to a dozen they are looked for one by one.
type nameSet map[string]struct{}

// add reports whether name is not among members yet.
func (n *nameSet) add(name []byte, members []member) bool {
	if len(members) < 12 {
		return find(members, string(name)) == nil
	}
	if *n == nil {
		*n = make(nameSet, 2*len(members))
		for _, m := range members {
			(*n)[string(m.name)] = struct{}{}
		}
	}
	if _, there := (*n)[string(name)]; there {
		return false
	}
	(*n)[string(name)] = struct{}{}
	return true
}

// name steps over a string and returns what it says.
func (s *scanner) name() ([]byte, error) {
	from := s.pos
	escaped, err := s.str()
	if err != nil {
		return nil, err
	}
	raw := s.text[from:s.pos]
	if !escaped {
		return raw[1 : len(raw)-1], nil
	}
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return nil, s.fault(FaultSyntax)
	}
	return []byte(name), nil
}

// value steps over any value; depth is that of the object or array around it, and behind
// members there may be room.
func (s *scanner) value(depth int, members []member) error {
	switch b := s.peek(); {
	case b == '"':
		_, err := s.str()
		return err
	case b == '{':
		_, err := s.object(depth+1, members)
		return err
	case b == '[':
		return s.array(depth+1, members)
	case b == '-', b >= '0' && b <= '9':
		return s.number()
	case b == 't':
		return s.word("true")
	case b == 'f':
		return s.word("false")
	case b == 'n':
		return s.word("null")
	}
	return s.fault(FaultSyntax)
}

func (s *scanner) array(depth int, members []member) error {
	if depth > MaxDepth {
		return s.fault(FaultDepth)
	}
	s.pos++
	s.space()
	if s.take(']') {
		return nil
	}
	for {
		if err := s.value(depth, members); err != nil {
			return err
		}
		s.space()
		switch {
		case s.take(','):
			s.space()
		case s.take(']'):
			return nil
		default:
			return s.fault(FaultSyntax)
		}
	}
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.text[s.pos:], []byte(w)) {
		return s.fault(FaultSyntax)
	}
	s.pos += len(w)
	return nil
}

func (s *scanner) number() error {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return s.fault(FaultSyntax)
	}
	if s.take('.') && !s.digits() {
		return s.fault(FaultSyntax)
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return s.fault(FaultSyntax)
		}
	}
	return nil
}

// digits steps over digits and reports whether there was one.
func (s *scanner) digits() bool {
	from := s.pos
	for b := s.peek(); b >= '0' && b <= '9'; b = s.peek() {
		s.pos++
	}
	return s.pos > from
}

// str steps over a string and reports whether it has escapes.
func (s *scanner) str() (escaped bool, err error) {
	if !s.take('"') {
		return false, s.fault(FaultSyntax)
	}
	for s.pos < len(s.text) {
		switch b := s.text[s.pos]; {
		case b == '"':
			s.pos++
			return escaped, nil
		case b == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return false, err
			}
		case b < ' ':
			return false, s.fault(FaultSyntax)
		case b < utf8.RuneSelf:
			s.pos++
		default:
			r, size := utf8.DecodeRune(s.text[s.pos:])
			if r == utf8.RuneError && size == 1 {
				return false, s.fault(FaultUTF8)
			}
			s.pos += size
		}
	}
	return false, s.fault(FaultSyntax)
}

// escape steps over a backslash and what belongs to it. Half a surrogate pair is no character.
func (s *scanner) escape() error {
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return nil
	}
	r, ok := s.hex()
	if !ok {
		return s.fault(FaultSyntax)
	}
	if utf16.IsSurrogate(r) {
		low, ok := rune(0), s.take('\\')
		if ok {
			low, ok = s.hex()
		}
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return s.fault(FaultUTF8)
		}
	}
	return nil
}

// hex steps over the u and the four digits of an escape.
func (s *scanner) hex() (rune, bool) {
	if !s.take('u') {
		return 0, false
	}
	var r rune
	for range 4 {
		b := s.peek()
		switch {
		case b >= '0' && b <= '9':
			b -= '0'
		case b >= 'a' && b <= 'f':
			b -= 'a' - 10
		case b >= 'A' && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
		s.pos++
	}
	return r, true
}
