package robokassa

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrFiscal is a body that is no request for a second receipt.
var ErrFiscal = errors.New("malformed request for a receipt")

// SignFiscal writes the body of a request for a second receipt: payload and signature, each in
// base64, parted by a point. What is hashed is the payload's base64 followed by password 1.
func SignFiscal(payload string, a Algorithm, p Password) string {
	encoded := base64.RawURLEncoding.EncodeToString([]byte(payload))
	return encoded + "." + base64.RawURLEncoding.EncodeToString([]byte(a.Sum(encoded+string(p))))
}

// ParseFiscal reads and verifies such a body. The error wraps ErrFiscal or ErrSignature.
func ParseFiscal(body string, a Algorithm, p Password) (payload string, err error) {
	encoded, signature, ok := strings.Cut(strings.TrimSpace(body), ".")
	if !ok {
		return "", fmt.Errorf("%w: it has no point", ErrFiscal)
	}
	text, err := decodeBase64(encoded)
	if err != nil {
		return "", fmt.Errorf("%w: the payload is not base64", ErrFiscal)
	}
	hash, err := decodeBase64(signature)
	if err != nil {
		return "", fmt.Errorf("%w: the signature is not base64", ErrFiscal)
	}
	if !strings.EqualFold(string(hash), a.Sum(encoded+string(p))) {
		return "", ErrSignature
	}
	return string(text), nil
}
