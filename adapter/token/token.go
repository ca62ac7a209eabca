// Package token mints and verifies the adapter's own JSON web tokens (RFC 7519), all HS256, and
// verifies API tokens that others sign under public keys that the operator names.
//
// Two kinds, each with its audience and, by derivation, keys of its own:
//
//   - a notify token stands in the notification address that a user's login hands to the
//     platform, and proves that a notification about this user uses an address of ours;
//   - an API token lets a program or an operator use the adapter's API within its scopes.
//
// Verification takes nothing on trust: the algorithm is fixed, the key is named by kid and
// must be one of ours, audience, subject and expiry must be there. Several keys verify, one
// signs, so a key can be replaced while tokens under the old one are still about.
package token

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Outcomes a caller must tell apart. Their texts never repeat the token.
var (
	// ErrInvalid is a token that we did not mint for this purpose.
	ErrInvalid = errors.New("token is not valid")
	// ErrExpired is one that we did mint, too long ago.
	ErrExpired = errors.New("token has expired")
)

// Skew is how far the clocks of replicas may differ: a token is taken that much after its expiry.
const Skew = 30 * time.Second

// minSecret is the length of HS256's hash; RFC 7518 §3.2 asks for a key no shorter.
const minSecret = sha256.Size

// Keys are the secrets of one kind of token.
type Keys struct {
	signID string
	byID   map[string]any // kid → []byte, as jwt takes it
}

// NewKeys takes secrets of at least 32 bytes, such as vault.Secrets derives: the first signs,
// all verify. A key's id (kid) is computed from it, so replicas agree without being told.
func NewKeys(secrets ...[]byte) (Keys, error) {
	if len(secrets) == 0 {
		return Keys{}, errors.New("token keys: none given")
	}
	k := Keys{byID: make(map[string]any, len(secrets))}
	for i, secret := range secrets {
		if len(secret) < minSecret {
			return Keys{}, fmt.Errorf("token keys: secret %d has %d bytes, fewer than %d", i+1, len(secret), minSecret)
		}
		id := keyID(secret)
		if i == 0 {
			k.signID = id
		}
		k.byID[id] = secret
	}
	return k, nil
}

// keyID names a secret without giving it away.
func keyID(secret []byte) string {
	sum := sha256.Sum256(append([]byte("partnerkit kid: "), secret...))
	return hex.EncodeToString(sum[:4])
}

// mint signs claims.
func (k Keys) mint(claims jwt.Claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	t.Header["kid"] = k.signID
	signed, err := t.SignedString(k.byID[k.signID])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// parser returns what checks algorithm, audience and expiry. Which of several algorithms a token
// may have is decided by its key: a key of one kind verifies nothing of another.
func parser(audience string, now func() time.Time, algorithms ...string) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods(append(algorithms, jwt.SigningMethodHS256.Alg())),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(Skew),
		jwt.WithTimeFunc(now),
		jwt.WithStrictDecoding(),
	)
}

// verify fills claims from a token that is ours, or says why it is not.
func (k Keys) verify(p *jwt.Parser, token string, longest int, claims jwt.Claims) error {
	if token == "" {
		return fmt.Errorf("%w: it is empty", ErrInvalid)
	}
	if len(token) > longest || !isCompact(token) {
		return fmt.Errorf("%w: malformed", ErrInvalid)
	}
	_, err := p.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		key, ok := k.byID[id]
		if !ok {
			return nil, errors.New("unknown kid")
		}
		return key, nil
	})
	switch { // in this order: of a token with several faults the gravest is told
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrTokenMalformed):
		return fmt.Errorf("%w: malformed", ErrInvalid)
	case errors.Is(err, jwt.ErrTokenUnverifiable), errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return fmt.Errorf("%w: not signed by us", ErrInvalid)
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return fmt.Errorf("%w: minted for another purpose", ErrInvalid)
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrExpired
	}
	return fmt.Errorf("%w: its claims contradict", ErrInvalid)
}

// isCompact reports whether token consists of the characters of a compact JWT. Go's base64
// skips line ends even in strict mode; without this a token would have several spellings.
func isCompact(token string) bool {
	for i := range len(token) {
		c := token[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
