// Package recording is the file that keeps exchanges with a real platform: the format in which
// `mockplatform record` writes it and `contract drift` reads it. docs/recorder.md describes it.
//
// A file is JSON Lines: one exchange a line, in the order in which they ended, each line ended
// by a line feed and never changed. Names and meanings are those of an exchange of the
// stand-in's control API, as far as both have them. A last line without its line feed was
// being written when its writer was killed; it is no exchange.
//
// No line holds a secret. What stood in its place is Mask, and what Integra's k held is not
// there at all: with the cipher "simple", text and data beside each other are the key.
package recording

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Version is the version of the format that this package writes and reads.
const Version = 1

// Mask stands for a secret, or for all of it but its first characters.
const Mask = "***"

// Protocols of exchanges.
const (
	Integra   = "integra"
	AnyMoney  = "anymoney"
	Robokassa = "robokassa"
	Unknown   = "unknown" // a file of a page, or what nobody could make sense of
)

// Directions, seen from the platform.
const (
	In  = "in"  // the platform was called
	Out = "out" // the platform called
)

// Notify is the method of a platform's notification.
const Notify = "notify"

// An Exchange is one request with its answer.
type Exchange struct {
	V         int     `json:"v"`                  // Version
	Seq       uint64  `json:"seq"`                // from 1, one more a line
	Protocol  string  `json:"protocol"`           //
	Method    string  `json:"method"`             // the protocol's own word, or Notify
	Direction string  `json:"direction"`          //
	Partner   string  `json:"partner,omitempty"`  // hash, lid or login
	User      string  `json:"user,omitempty"`     // hash
	Payment   string  `json:"payment,omitempty"`  // id
	RealMS    int64   `json:"real_ms"`            // start, Unix milliseconds
	TookUS    int64   `json:"took_us"`            // microseconds until its end
	Status    int     `json:"status"`             // HTTP status; 0 without an answer
	Request   string  `json:"request"`            // as it was sent, but for secrets
	Response  string  `json:"response,omitempty"` // likewise; none without an answer
	Args      string  `json:"args,omitempty"`     // what the request says, as a JSON object: decrypted, or of a form, a query, a token
	Sealed    *Sealed `json:"sealed,omitempty"`   // of Integra: how Args were sealed
	Verdict   Verdict `json:"verdict"`            //
	LeftOut   string  `json:"left_out,omitempty"` // which bodies are not there, and why
}

// Sealed says how the arguments of a call to Integra were sealed, so that they can be sealed
// again. It is there if they could be opened.
type Sealed struct {
	Path   string `json:"path"`   // the partner's: one or more segments
	Hash   string `json:"hash"`   // that stood in k
	Key    string `json:"key"`    // whose it was: KeyPartner or KeyUser
	Cipher string `json:"cipher"` // by name
}

// Owners of a key.
const (
	KeyPartner = "partner"
	KeyUser    = "user"
)

// A Verdict is what came of an exchange.
type Verdict struct {
	OK     bool   `json:"ok"`
	Code   int    `json:"code"`             // the protocol's own
	Detail string `json:"detail,omitempty"` // why, for people
}

// A FieldError says which field of an exchange is wrong.
type FieldError struct{ Field, Why string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Why }

// Line writes the exchange with its line feed. What it writes, ParseLine reads.
func (e *Exchange) Line() ([]byte, error) {
	e.V = Version
	if err := e.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ParseLine reads one line. Its error is a *FieldError.
func ParseLine(line []byte) (*Exchange, error) {
	if !utf8.Valid(line) {
		return nil, &FieldError{"line", "is not UTF-8"}
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	e := &Exchange{}
	if err := decoder.Decode(e); err != nil {
		return nil, fieldError(err)
	}
	if _, err := decoder.Token(); err == nil || decoder.More() {
		return nil, &FieldError{"line", "goes on behind the object"}
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return e, nil
}

// fieldError says in our words what encoding/json means.
func fieldError(err error) error {
	switch wrong := err.(type) { //nolint:errorlint // it is not wrapped
	case *json.UnmarshalTypeError:
		field := wrong.Field
		if field == "" {
			field = "line"
		}
		return &FieldError{field, fmt.Sprintf("must be %s, is a %s", typeName(wrong.Type.Kind().String()), wrong.Value)}
	case *json.SyntaxError:
		return &FieldError{"line", fmt.Sprintf("is not JSON: %v, at byte %d", wrong, wrong.Offset)}
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if name, unknown := strings.CutPrefix(text, "unknown field "); unknown {
		if plain, err := strconv.Unquote(name); err == nil && plain != "" {
			name = plain
		}
		return &FieldError{fmt.Sprintf("%.40s", name), "is no field of version " + strconv.Itoa(Version)}
	}
	return &FieldError{"line", "is not JSON: " + text}
}

func typeName(kind string) string {
	switch kind {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "struct":
		return "an object"
	}
	return "a whole number"
}

// maxMS is the end of the year 9999.
const maxMS = 253_402_300_799_999

// check returns a *FieldError for the first field that cannot be as it is.
func (e *Exchange) check() error {
	bad := func(field, why string, args ...any) error { return &FieldError{field, fmt.Sprintf(why, args...)} }
	switch {
	case e.V != Version:
		return bad("v", "is %d: this program reads version %d", e.V, Version)
	case e.Seq == 0:
		return bad("seq", "must be from 1")
	case e.Protocol != Integra && e.Protocol != AnyMoney && e.Protocol != Robokassa && e.Protocol != Unknown:
		return bad("protocol", "%.40q is none of integra, anymoney, robokassa and unknown", e.Protocol)
	case e.Method == "":
		return bad("method", "is missing")
	case e.Direction != In && e.Direction != Out:
		return bad("direction", "%.40q is neither in nor out", e.Direction)
	case e.RealMS < 0 || e.RealMS > maxMS:
		return bad("real_ms", "%d is no time before the year 10000", e.RealMS)
	case e.TookUS < 0:
		return bad("took_us", "must not be negative")
	case e.Status != 0 && (e.Status < 100 || e.Status > 999):
		return bad("status", "%d is no HTTP status", e.Status)
	case (e.Status == 0) != (e.Response == ""):
		return bad("response", "must be there if, and only if, there is a status")
	}
	if _, err := ParseRequest(e.Request); err != nil {
		return bad("request", "%v", err)
	}
	if e.Response != "" {
		m, err := ParseResponse(e.Response)
		if err != nil {
			return bad("response", "%v", err)
		}
		if m.Status != e.Status {
			return bad("response", "begins with the status %d, not with %d", m.Status, e.Status)
		}
	}
	if e.Args != "" && !isObject(e.Args) {
		return bad("args", "is not a JSON object")
	}
	return e.checkSealed()
}

func (e *Exchange) checkSealed() error {
	s := e.Sealed
	switch {
	case s == nil:
		return nil
	case e.Protocol != Integra:
		return &FieldError{"sealed", "is of integra alone"}
	case e.Args == "":
		return &FieldError{"args", "is missing: it is what was sealed"}
	case strings.Trim(s.Path, "/") != s.Path || s.Path == "":
		return &FieldError{"sealed.path", "must be one or more segments without slashes around them"}
	case s.Hash == "":
		return &FieldError{"sealed.hash", "is missing"}
	case s.Key != KeyPartner && s.Key != KeyUser:
		return &FieldError{"sealed.key", fmt.Sprintf("%.40q is neither partner nor user", s.Key)}
	case s.Cipher == "":
		return &FieldError{"sealed.cipher", "is missing"}
	}
	return nil
}

func isObject(text string) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
}
