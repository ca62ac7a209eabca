package integra

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrKey is a missing crypt key: a fault of the configuration, not of the message.
var ErrKey = errors.New("crypt key is empty")

// A Cipher turns arguments into the data of k= and back. Integra hands each partner the
// class to use; a partner that was given another one adds it by implementing Cipher.
// Implementations are safe for concurrent use.
type Cipher interface {
	// Name is what configuration calls the cipher.
	Name() string
	// Encrypt returns the data as it stands in k= before url-encoding. It fails if the key
	// cannot be used, with ErrKey if it is empty.
	Encrypt(plain []byte, key string) (data string, err error)
	// Decrypt undoes Encrypt. A wrong key is not noticed here, see Envelope.Open.
	// Data that cannot have come from Encrypt is a *KError with PartData.
	Decrypt(data, key string) (plain []byte, err error)
}

var (
	// Simple adds the key to the text, byte by byte and modulo 256, then encodes in base64.
	// The text's first byte meets the key's last byte, the second the first, and so on
	// around. Source: partner modules of the predecessor (PrestaShop, PHPShop, Joomla).
	Simple Cipher = simple{}
	// Base64 encodes without encrypting; the key must be there but has no effect. Source:
	// docs, guide/examples/crypt.php.
	Base64 Cipher = plainBase64{}
)

// CipherByName returns Simple for "simple" and Base64 for "base64".
func CipherByName(name string) (Cipher, error) {
	for _, c := range []Cipher{Simple, Base64} {
		if c.Name() == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("cipher %q is unknown: possible are %s and %s", name, Simple.Name(), Base64.Name())
}

type simple struct{}

// Name implements Cipher.
func (simple) Name() string { return "simple" }

// Encrypt implements Cipher.
func (simple) Encrypt(plain []byte, key string) (string, error) {
	if key == "" {
		return "", ErrKey
	}
	var buf [512]byte // arguments rarely need more
	shifted := append(buf[:0], plain...)
	k := len(key) - 1
	for i := range shifted {
		shifted[i] += key[k]
		if k++; k == len(key) {
			k = 0
		}
	}
	return base64.StdEncoding.EncodeToString(shifted), nil
}

// Decrypt implements Cipher.
func (simple) Decrypt(data, key string) ([]byte, error) {
	if key == "" {
		return nil, ErrKey
	}
	plain, err := decodeBase64(data)
	if err != nil {
		return nil, err
	}
	k := len(key) - 1
	for i := range plain {
		plain[i] -= key[k]
		if k++; k == len(key) {
			k = 0
		}
	}
	return plain, nil
}

type plainBase64 struct{}

// Name implements Cipher.
func (plainBase64) Name() string { return "base64" }

// Encrypt implements Cipher.
func (plainBase64) Encrypt(plain []byte, key string) (string, error) {
	if key == "" {
		return "", ErrKey
	}
	return base64.StdEncoding.EncodeToString(plain), nil
}

// Decrypt implements Cipher.
func (plainBase64) Decrypt(data, key string) ([]byte, error) {
	if key == "" {
		return nil, ErrKey
	}
	return decodeBase64(data)
}

var strictBase64 = base64.StdEncoding.Strict()

// decodeBase64 reads standard base64 with padding, and only the form that encoding gives.
// Near misses are refused rather than repaired: a platform that repairs them hides the bug
// of a partner until it meets one that does not.
func decodeBase64(data string) ([]byte, error) {
	plain, err := strictBase64.DecodeString(data)
	if err != nil || strings.ContainsAny(data, "\r\n") { // line ends are skipped by DecodeString
		return nil, &KError{Part: PartData, Fault: base64Fault(data)}
	}
	return plain, nil
}

// base64Fault says why data, which is not strict base64, is not.
func base64Fault(data string) Fault {
	trimmed := strings.TrimRight(data, "=")
	for i := range len(trimmed) {
		switch c := trimmed[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
		case c == ' ':
			return FaultSpace
		case c == '\r', c == '\n':
			return FaultNewline
		case c == '-', c == '_':
			return FaultURLAlphabet
		case c == '%':
			return FaultEscapedTwice
		case c == '=':
			return FaultPadding
		default:
			return FaultCharacter
		}
	}
	switch padding := len(data) - len(trimmed); {
	case len(trimmed)%4 == 1:
		return FaultCut
	case padding != (4-len(trimmed)%4)%4:
		return FaultPadding
	}
	return FaultTrailingBits
}
