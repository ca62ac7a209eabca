package robokassa

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// ErrToken is a text that is no JWT of the Invoice or Refund API.
var ErrToken = errors.New("malformed token")

// MaxTokenLen is the length in bytes of the longest token that is looked at.
const MaxTokenLen = 256 << 10

// A Token is a JWT as it was received: the signature covers the text, not what it means.
type Token struct {
	Algorithm string // alg of the header, "" if it has none
	Payload   []byte // JSON
	signed    string // header and payload as received
	signature []byte
}

// The Invoice API names HMACs by the plain names of hashes. Standing in no table of
// golang-jwt, these methods cannot be switched on by a header anywhere else.
var invoiceMethods = map[string]*jwt.SigningMethodHMAC{
	"MD5":       {Name: "MD5", Hash: crypto.MD5},
	"RIPEMD160": {Name: "RIPEMD160", Hash: crypto.RIPEMD160},
	"SHA1":      {Name: "SHA1", Hash: crypto.SHA1},
	"HS1":       {Name: "HS1", Hash: crypto.SHA1},
	"SHA256":    {Name: "SHA256", Hash: crypto.SHA256},
	"HS256":     jwt.SigningMethodHS256,
	"SHA384":    {Name: "SHA384", Hash: crypto.SHA384},
	"HS384":     jwt.SigningMethodHS384,
	"SHA512":    {Name: "SHA512", Hash: crypto.SHA512},
	"HS512":     jwt.SigningMethodHS512,
}

var refundMethods = []string{"HS256", "HS384", "HS512"}

// ParseToken reads the body of a request: a compact JWT, bare or as a JSON string, its parts
// in either alphabet of base64, padded or not. The error wraps ErrToken. Nothing is verified.
func ParseToken(body []byte) (Token, error) {
	if len(body) > MaxTokenLen {
		return Token{}, fmt.Errorf("%w: it is longer than %d bytes", ErrToken, MaxTokenLen)
	}
	text := string(bytes.TrimSpace(body))
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal([]byte(text), &text); err != nil {
			return Token{}, fmt.Errorf("%w: it begins with a quote and is no JSON string", ErrToken)
		}
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Token{}, fmt.Errorf("%w: it has %d parts instead of 3", ErrToken, len(parts))
	}
	var decoded [3][]byte
	for i, name := range []string{"header", "payload", "signature"} {
		b, err := decodeBase64(parts[i])
		if err != nil {
			return Token{}, fmt.Errorf("%w: its %s is not base64", ErrToken, name)
		}
		decoded[i] = b
	}
	var header struct {
		Alg string `json:"alg"`
	}
	switch {
	case !utf8.Valid(decoded[0]) || !isObject(decoded[0]) || json.Unmarshal(decoded[0], &header) != nil:
		return Token{}, fmt.Errorf("%w: its header is no JSON object", ErrToken)
	case !utf8.Valid(decoded[1]) || !isObject(decoded[1]):
		return Token{}, fmt.Errorf("%w: its payload is no JSON object", ErrToken)
	}
	return Token{header.Alg, decoded[1], parts[0] + "." + parts[1], decoded[2]}, nil
}

func isObject(text []byte) bool {
	return json.Valid(text) && bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
}

var toURLSafe = strings.NewReplacer("+", "-", "/", "_")

func decodeBase64(text string) ([]byte, error) {
	text = toURLSafe.Replace(strings.TrimRight(text, "="))
	return base64.RawURLEncoding.DecodeString(text)
}

// InvoiceKey is the key of the Invoice API: login and password 1.
func InvoiceKey(login string, p Password) Password { return Password(login + ":" + string(p)) }

// VerifyInvoice returns nil if the token bears the signature of the Invoice API under a key
// of InvoiceKey. Without alg the shop's own algorithm is meant. The error wraps ErrSignature.
func (t Token) VerifyInvoice(own Algorithm, key Password) error {
	alg := t.Algorithm
	if alg == "" {
		alg = string(own)
	}
	method, ok := invoiceMethods[alg]
	if !ok {
		return fmt.Errorf("%w: alg %.40q is none of this API", ErrSignature, t.Algorithm)
	}
	return t.verify(method, key)
}

// VerifyRefund returns nil if the token bears the signature of the Refund API under password
// 3. The error wraps ErrSignature.
func (t Token) VerifyRefund(key Password) error {
	if !slices.Contains(refundMethods, t.Algorithm) {
		return fmt.Errorf("%w: alg %.40q is none of this API", ErrSignature, t.Algorithm)
	}
	return t.verify(invoiceMethods[t.Algorithm], key)
}

func (t Token) verify(method *jwt.SigningMethodHMAC, key Password) error {
	if err := method.Verify(t.signed, t.signature, []byte(key)); err != nil {
		return ErrSignature
	}
	return nil
}

// SignToken writes a JWT of the Invoice or Refund API with the given header and payload,
// both JSON, to the letter. The header's alg says how; without one it is own.
func SignToken(header, payload string, own Algorithm, key Password) (string, error) {
	var h struct {
		Alg string `json:"alg"`
	}
	if err := json.Unmarshal([]byte(header), &h); err != nil {
		return "", fmt.Errorf("sign token: header: %w", err)
	}
	if h.Alg == "" {
		h.Alg = string(own)
	}
	method, ok := invoiceMethods[h.Alg]
	if !ok {
		return "", fmt.Errorf("sign token: alg %.40q is not known", h.Alg)
	}
	return sign(method, header, payload, []byte(key))
}

func sign(method jwt.SigningMethod, header, payload string, key any) (string, error) {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(payload))
	signature, err := method.Sign(text, key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return text + "." + encode(signature), nil
}
