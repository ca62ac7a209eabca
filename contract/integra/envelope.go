package integra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

const (
	// Prefix begins every k. The docs call it the code of the cipher, and it is always this.
	Prefix = "zaa"
	// HashLen is the length of every hash: the partner's, a user's, a payment's.
	HashLen = 32
)

// Query parameters of a request.
const (
	ParamK      = "k"    // the envelope
	ParamScreen = "r"    // of cryptLogin and iframe: the Deeplink to open
	ParamType   = "type" // of getUsersData, see TypeUserInvite
	ParamIDs    = "ids"  // of readMessages, in the form body: see MessageIDs

	TypeUserInvite = "userInvite" // the only type in the docs
)

var (
	// ErrK is a k that is no envelope; the *KError around it names the part and the fault.
	ErrK = errors.New("malformed k")
	// ErrPlain is decrypted text that is not the JSON object it has to be, most likely
	// because of a wrong key; the *ObjectError beside it names the fault.
	ErrPlain = errors.New("decrypted arguments are not one JSON object")
)

// A Part is a part of k.
type Part string

// The parts of k.
const (
	PartK      Part = "parameter" // all of it
	PartPrefix Part = "prefix"
	PartHash   Part = "hash"
	PartData   Part = "data"
)

// A Fault is what is wrong with a part of k or with the text inside, in words that follow "it".
type Fault string

// The faults of k.
const (
	FaultMissing      Fault = "is missing"
	FaultPrefix       Fault = `is not "zaa"`
	FaultLength       Fault = "is not 32 characters long"
	FaultAlphabet     Fault = "has other characters than letters and digits"
	FaultSpace        Fault = "has a space: a '+' was not url-encoded as %2B"
	FaultNewline      Fault = "has a line end: base64 was wrapped"
	FaultURLAlphabet  Fault = "has '-' or '_': url-safe base64 instead of the standard alphabet"
	FaultEscapedTwice Fault = "has a '%': it was url-encoded twice"
	FaultPadding      Fault = "has missing or misplaced '=' padding"
	FaultCharacter    Fault = "has a character that is not base64"
	FaultCut          Fault = "is cut off: no base64 has this length"
	FaultTrailingBits Fault = "has stray bits in its last character: changed or cut off"
)

// A KError says which part of k is wrong, and how. It wraps ErrK.
type KError struct {
	Part  Part
	Fault Fault
}

func (e *KError) Error() string { return fmt.Sprintf("%v: %s %s", ErrK, e.Part, e.Fault) }

// Unwrap returns ErrK.
func (e *KError) Unwrap() error { return ErrK }

// ValidHash reports whether s has the form of a hash: 32 Latin letters or digits. (The docs
// say 32 characters, and md5 where they say more.)
func ValidHash(s string) bool { return len(s) == HashLen && alphanumeric(s) }

func alphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// Credentials are the hash and crypt key of a partner or of a user. Formatted, logged or
// marshalled they show the hash alone.
type Credentials struct {
	Hash string
	Key  string `json:"-"`
}

// Validate returns nil, ErrKey, or a *KError with PartHash.
func (c Credentials) Validate() error {
	switch {
	case c.Key == "":
		return ErrKey
	case len(c.Hash) != HashLen:
		return &KError{Part: PartHash, Fault: FaultLength}
	case !alphanumeric(c.Hash):
		return &KError{Part: PartHash, Fault: FaultAlphabet}
	}
	return nil
}

// Format writes the hash and hides the key, whatever the verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%s (key hidden)", c.Hash) }

// LogValue is the hash alone.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.Hash) }

// Seal returns the k of a request with the given arguments, a struct or map that marshals
// to a JSON object. It is not url-encoded yet; RequestURL does that.
// The error is that of Credentials.Validate, of json or of the cipher.
func Seal(c Cipher, cred Credentials, args any) (k string, err error) {
	plain, err := marshal(args)
	if err != nil {
		return "", fmt.Errorf("seal arguments: %w", err)
	}
	if plain[0] != '{' {
		return "", fmt.Errorf("seal arguments: %T marshals to no JSON object", args)
	}
	return SealText(c, cred, plain)
}

// SealText is Seal for arguments that are bytes already. They are not looked at, so that a
// test can send whatever it needs to.
func SealText(c Cipher, cred Credentials, plain []byte) (k string, err error) {
	if err := cred.Validate(); err != nil {
		return "", err
	}
	data, err := c.Encrypt(plain, cred.Key)
	if err != nil {
		return "", fmt.Errorf("encrypt with %s: %w", c.Name(), err)
	}
	return Prefix + cred.Hash + data, nil
}

// marshal is json.Marshal without the escapes that only a page needs.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// An Envelope is the k of a request, taken apart but not yet decrypted: the hash says whose
// key will do that.
type Envelope struct {
	Hash string
	Data string // as the cipher gave it: base64
}

// ParseK takes k apart; k is the parameter's value after url-decoding. The data is not
// looked at, that is the cipher's matter. The error is a *KError.
func ParseK(k string) (Envelope, error) {
	switch {
	case k == "":
		return Envelope{}, &KError{Part: PartK, Fault: FaultMissing}
	case len(k) < len(Prefix), k[:len(Prefix)] != Prefix:
		return Envelope{}, &KError{Part: PartPrefix, Fault: FaultPrefix}
	case len(k) < len(Prefix)+HashLen:
		return Envelope{}, &KError{Part: PartHash, Fault: FaultLength}
	}
	e := Envelope{Hash: k[len(Prefix):][:HashLen], Data: k[len(Prefix)+HashLen:]}
	if !alphanumeric(e.Hash) {
		return Envelope{}, &KError{Part: PartHash, Fault: FaultAlphabet}
	}
	return e, nil
}

// K puts the envelope together again.
func (e Envelope) K() string { return Prefix + e.Hash + e.Data }

// Open decrypts the data and returns the arguments' JSON, for Decode. It is exactly one
// object in valid UTF-8, no name twice in any object, at most MaxDepth levels deep. PHP's
// [], an object without members, is accepted in place of {}.
//
// The error is a *KError if the data is not what the cipher writes, ErrKey if the key is
// empty, and ErrPlain with an *ObjectError if the text inside is no such object: probably the
// wrong key.
// The caller limits the length of k beforehand.
func (e Envelope) Open(c Cipher, key string) (plain []byte, err error) {
	if key == "" {
		return nil, ErrKey
	}
	if e.Data == "" {
		return nil, &KError{Part: PartData, Fault: FaultMissing}
	}
	plain, err = c.Decrypt(e.Data, key)
	if err != nil {
		return nil, err
	}
	var members [12]member
	if _, err := scanObject(plain, members[:0]); err != nil {
		var hint string
		if e, ok := errors.AsType[*ObjectError](err); ok && (e.Fault == FaultSyntax || e.Fault == FaultUTF8) {
			hint = " (wrong key?)"
		}
		return nil, fmt.Errorf("%w%s: %w", ErrPlain, hint, err)
	}
	return plain, nil
}
