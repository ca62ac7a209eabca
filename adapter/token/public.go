package token

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// minRSA is the shortest RSA key that is taken, in bits (RFC 7518 §3.3).
const minRSA = 2048

// A PublicKey verifies API tokens that somebody else signs: EdDSA under an Ed25519 key, RS256
// under an RSA key.
type PublicKey struct {
	ID  string // kid in the header of those tokens
	key any    // ed25519.PublicKey or *rsa.PublicKey
}

// ParsePublicKey reads a key as `openssl pkey -pubout` writes it: PEM with one PUBLIC KEY.
func ParsePublicKey(id string, text []byte) (PublicKey, error) {
	block, rest := pem.Decode(text)
	switch {
	case id == "" || len(id) > 64:
		return PublicKey{}, fmt.Errorf("public key: the id %.64q must have 1 to 64 characters", id)
	case block == nil || block.Type != "PUBLIC KEY":
		return PublicKey{}, fmt.Errorf("public key %s: it is not PEM that begins with PUBLIC KEY", id)
	}
	if more, _ := pem.Decode(rest); more != nil {
		return PublicKey{}, fmt.Errorf("public key %s: there are several in it", id)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key %s: %w", id, err)
	}
	switch k := key.(type) {
	case ed25519.PublicKey:
		return PublicKey{id, k}, nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA {
			return PublicKey{}, fmt.Errorf("public key %s: RSA with %d bits, fewer than %d", id, bits, minRSA)
		}
		return PublicKey{id, k}, nil
	}
	return PublicKey{}, fmt.Errorf("public key %s: it is %T; want Ed25519 or RSA", id, key)
}
