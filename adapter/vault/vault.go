// Package vault keeps the users' crypt keys secret at rest and derives the adapter's other
// secrets, all from one master key that the operator provides.
//
// A crypt key is sealed with AES-256-GCM. The user's hash is authenticated with it, so that
// a row copied onto another user does not open, and every sealed key names the master key it
// was sealed under: to rotate, put a new master key first and keep the old ones behind it
// until the rows are sealed anew.
//
// Nothing is sealed under the master key itself. Every purpose has a key of its own, derived
// by HKDF-SHA256 (RFC 5869) under a label, so that none of them gives away another.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Outcomes a caller must tell apart.
var (
	// ErrKey is a master key that is not 32 bytes in base64 or hex. Its text never repeats it.
	ErrKey = errors.New("master key is not usable")
	// ErrSealed is a sealed crypt key that does not open: damaged, another user's, or sealed
	// under a master key that is not configured.
	ErrSealed = errors.New("sealed crypt key does not open")
)

// A sealed crypt key: version, id of the master key, then what GCM makes (nonce of 12 bytes,
// ciphertext, tag of 16 bytes).
const (
	version    = 1
	idLen      = 4
	headerLen  = 1 + idLen
	overhead   = headerLen + 12 + 16
	sealLabel  = "partnerkit adapter: crypt keys"
	idLabel    = "partnerkit adapter: id of the master key"
	otherLabel = "partnerkit adapter: secret for "
)

// Key is a master key: 32 random bytes. It does not print itself.
type Key struct{ bytes [32]byte }

// ParseKey reads a master key as `openssl rand` writes it: 64 hex digits, or base64 in the
// standard or the URL alphabet, padded or not; white space around it is ignored.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(Key{}.bytes) {
		text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		raw, err = base64.RawStdEncoding.Strict().DecodeString(text)
	}
	switch {
	case text == "":
		return Key{}, fmt.Errorf("%w: it is empty", ErrKey)
	case err != nil: // err would quote a byte of it
		return Key{}, fmt.Errorf("%w: it is neither base64 nor hex", ErrKey)
	case len(raw) != len(Key{}.bytes):
		return Key{}, fmt.Errorf("%w: it has %d bytes instead of %d", ErrKey, len(raw), len(Key{}.bytes))
	}
	k := Key{[32]byte(raw)}
	if k == (Key{}) {
		return Key{}, fmt.Errorf("%w: it is all zeros", ErrKey)
	}
	return k, nil
}

// NewKey returns a fresh master key as text that ParseKey reads.
func NewKey() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // documented never to fail
	return base64.StdEncoding.EncodeToString(raw[:])
}

// Format keeps the key out of every printed form.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(master key)") }

// LogValue keeps the key out of logs.
func (Key) LogValue() slog.Value { return slog.StringValue("(master key)") }

// derive returns the key for one purpose.
func (k Key) derive(label string, size int) []byte {
	out, err := hkdf.Key(sha256.New, k.bytes[:], nil, label, size)
	if err != nil { // only for sizes beyond 255 hashes
		panic(fmt.Sprintf("vault: derive %q: %v", label, err))
	}
	return out
}

// id names the key in what is sealed under it.
func (k Key) id() [idLen]byte { return [idLen]byte(k.derive(idLabel, idLen)) }

// A Vault seals and opens crypt keys. It is safe for concurrent use.
type Vault struct {
	masters []Key // the first seals
	aeads   map[[idLen]byte]cipher.AEAD
}

// New returns a vault that seals under current and opens under current and older ones.
func New(current Key, older ...Key) (*Vault, error) {
	v := &Vault{masters: append([]Key{current}, older...), aeads: map[[idLen]byte]cipher.AEAD{}}
	for i, k := range v.masters {
		if k == (Key{}) {
			return nil, fmt.Errorf("%w: key %d is empty", ErrKey, i+1)
		}
		block, err := aes.NewCipher(k.derive(sealLabel, 32))
		if err != nil {
			return nil, fmt.Errorf("prepare cipher: %w", err)
		}
		// Nonces are random: 2^32 seals under one key stay far below a collision that matters.
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("prepare cipher: %w", err)
		}
		if _, twice := v.aeads[k.id()]; twice {
			return nil, fmt.Errorf("%w: key %d is given twice", ErrKey, i+1)
		}
		v.aeads[k.id()] = aead
	}
	return v, nil
}

// Seal encrypts a crypt key for the row of the user with this hash.
func (v *Vault) Seal(user, cryptKey string) []byte {
	id := v.masters[0].id()
	out := make([]byte, headerLen, overhead+len(cryptKey))
	out[0] = version
	copy(out[1:], id[:])
	return v.aeads[id].Seal(out, nil, []byte(cryptKey), boundTo(out, user)) //nolint:gosec // no nonce is passed: this AEAD draws its own
}

// Open returns the crypt key that was sealed for this user; every failure is ErrSealed.
func (v *Vault) Open(user string, sealed []byte) (cryptKey string, err error) {
	switch {
	case len(sealed) < overhead:
		return "", fmt.Errorf("%w: user %s: only %d bytes", ErrSealed, user, len(sealed))
	case sealed[0] != version:
		return "", fmt.Errorf("%w: user %s: version %d is unknown", ErrSealed, user, sealed[0])
	}
	header, body := sealed[:headerLen], sealed[headerLen:]
	aead, ok := v.aeads[[idLen]byte(header[1:])]
	if !ok {
		return "", fmt.Errorf("%w: user %s: sealed under master key %x, which is not configured", ErrSealed, user, header[1:])
	}
	plain, err := aead.Open(nil, nil, body, boundTo(header, user))
	if err != nil {
		return "", fmt.Errorf("%w: user %s: damaged, or another user's", ErrSealed, user)
	}
	return string(plain), nil
}

// SealAnew returns a sealed crypt key as it reads under the current master key: the same bytes
// if it was sealed under that one. An error is ErrSealed.
func (v *Vault) SealAnew(user string, sealed []byte) ([]byte, error) {
	cryptKey, err := v.Open(user, sealed)
	if err != nil {
		return nil, err
	}
	if current := v.masters[0].id(); [idLen]byte(sealed[1:headerLen]) == current {
		return sealed, nil
	}
	return v.Seal(user, cryptKey), nil
}

// Secrets derives the 32-byte secret for a purpose from every master key, the current one
// first: what signs and what else still verifies.
func (v *Vault) Secrets(purpose string) [][]byte {
	out := make([][]byte, len(v.masters))
	for i, k := range v.masters {
		out[i] = k.derive(otherLabel+purpose, 32)
	}
	return out
}

// boundTo is what is authenticated beside the key: the header and the user's hash.
func boundTo(header []byte, user string) []byte {
	bound := make([]byte, 0, headerLen+len(user))
	return append(append(bound, header...), user...)
}
