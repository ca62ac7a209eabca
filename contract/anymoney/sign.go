package anymoney

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrSignature is a signature that is not that of the message.
var ErrSignature = errors.New("wrong signature")

// A Key is a merchant's secret: the API key signs requests, responses and callbacks, the SCI
// key signs forms. Formatted, logged or marshalled it shows nothing of itself.
type Key string

// Format hides the key, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(key hidden)")) }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue("(key hidden)") }

// MarshalText hides the key.
func (Key) MarshalText() ([]byte, error) { return []byte("(key hidden)"), nil }

// SignedText is the text that is signed: the values of o in the order of its names with
// nothing between them, then utcNowMS, the x-utc-now-ms header as sent, all in lower case.
// Texts, booleans and numbers as they are written take part; null, lists and objects do not.
//
// Source: docs (auth.md), suite and callers, which agree.
func SignedText(o Object, utcNowMS string) string {
	var buf [512]byte
	return string(appendSigned(buf[:0], o, utcNowMS))
}

func appendSigned(b []byte, o Object, utcNowMS string) []byte {
	var room [ordinary]*Member
	byName := room[:0]
	for i := range o {
		switch o[i].Value.Kind() {
		case KindText, KindBool, KindInt, KindFloat:
			byName = append(byName, &o[i])
		}
	}
	slices.SortFunc(byName, func(x, y *Member) int { return strings.Compare(x.Name, y.Name) })
	for _, m := range byName {
		b = appendLower(b, m.Value.s)
	}
	return appendLower(b, utcNowMS)
}

// appendLower appends s in lower case, letter by letter. What is no Unicode stays as it is.
func appendLower(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError {
			b = append(b, s[i:i+size]...)
		} else {
			b = utf8.AppendRune(b, unicode.ToLower(r))
		}
		i += size
	}
	return b
}

// Sign returns the x-signature of a request's params, of a response's result or error
// (Response.Signed) or of a callback's body: HMAC-SHA512 of SignedText under the API key, in
// 128 lower-case hex digits.
func (k Key) Sign(o Object, utcNowMS string) string {
	var buf [512]byte
	return k.sign(appendSigned(buf[:0], o, utcNowMS))
}

// Verify returns nil if signature is that of Sign, in hex of either case, and ErrSignature
// otherwise; also if the key is empty, since anyone could sign with that. The comparison
// takes the same time wherever they differ.
func (k Key) Verify(o Object, utcNowMS, signature string) error {
	var buf [512]byte
	return k.verify(appendSigned(buf[:0], o, utcNowMS), signature)
}

func (k Key) mac(text []byte) []byte {
	h := hmac.New(sha512.New, []byte(k))
	h.Write(text)
	return h.Sum(nil)
}

func (k Key) sign(text []byte) string { return hex.EncodeToString(k.mac(text)) }

func (k Key) verify(text []byte, signature string) error {
	given, err := hex.DecodeString(signature)
	if k == "" || err != nil || !hmac.Equal(given, k.mac(text)) {
		return ErrSignature
	}
	return nil
}

// Headers are the three headers of a request or of a callback.
type Headers struct {
	Merchant  string
	Signature string
	UTCNowMS  string // as sent, which is how it is signed
	Millis    int64  // the same as a number: Unix milliseconds, UTC; MaxInt64 for anything beyond
}

// ReadHeaders takes the headers out of a message; get is http.Header.Get. The error is nil,
// or the platform's refusal: of the first header that is missing, then of an x-utc-now-ms
// that is no number.
func ReadHeaders(get func(name string) string) (Headers, *Error) {
	h := Headers{Merchant: get(HeaderMerchant), Signature: get(HeaderSignature), UTCNowMS: get(HeaderUTCNowMS)}
	switch {
	case h.Merchant == "":
		return Headers{}, HeaderNotPresent(HeaderMerchant)
	case h.Signature == "":
		return Headers{}, HeaderNotPresent(HeaderSignature)
	case h.UTCNowMS == "":
		return Headers{}, HeaderNotPresent(HeaderUTCNowMS)
	case !digits(h.UTCNowMS):
		return Headers{}, HeaderNotInteger()
	}
	h.Millis, _ = strconv.ParseInt(h.UTCNowMS, 10, 64) // out of range it is MaxInt64
	return h, nil
}

// Within reports whether the message is from at most window milliseconds before or after
// now, which is not negative.
func (h Headers) Within(window, now int64) bool {
	return max(h.Millis-now, now-h.Millis) <= window
}

// digits reports whether s is ASCII digits, at least one.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
