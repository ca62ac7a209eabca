package token

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/partnerkit/partnerkit/adapter"
)

const (
	notifyAudience = "integra-notify"
	longestNotify  = 1 << 10
	// remembered bounds the verified tokens in memory, some 300 bytes each.
	remembered = 8192
)

// Notify mints and verifies notify tokens. It is safe for concurrent use.
type Notify struct {
	keys   Keys
	ttl    time.Duration
	now    func() time.Time
	parser *jwt.Parser
	// A user's login hands out one token, which then comes with every top-up. Its signature
	// is checked once: what was verified is remembered under the token's SHA-256. Only
	// verified tokens get in, so a flood of forgeries pushes nothing out.
	verified *lru.Cache[[sha256.Size]byte, notifyClaims]
}

// notifyClaims are what a verified token says.
type notifyClaims struct {
	user    string
	expires time.Time
}

// NewNotify returns a mint for tokens that live for ttl. That should outlast a day: so long
// may a page stay open, and so long may the platform repeat a notification.
func NewNotify(keys Keys, ttl time.Duration, now func() time.Time) (*Notify, error) {
	if ttl < time.Second {
		return nil, fmt.Errorf("notify tokens: lifetime %s is under a second", ttl)
	}
	verified, err := lru.New[[sha256.Size]byte, notifyClaims](remembered)
	if err != nil {
		return nil, fmt.Errorf("notify tokens: %w", err)
	}
	return &Notify{keys: keys, ttl: ttl, now: now, parser: parser(notifyAudience, now), verified: verified}, nil
}

// Mint returns a token for the notifications about a user. Every character of it may stand
// in a URL as it is.
func (n *Notify) Mint(user string) (string, error) {
	if !adapter.ValidUserHash(user) {
		return "", errors.New("notify token: user hash must be 32 letters or digits")
	}
	return n.keys.mint(jwt.RegisteredClaims{
		Subject:   user,
		Audience:  jwt.ClaimStrings{notifyAudience},
		ExpiresAt: jwt.NewNumericDate(n.now().Add(n.ttl)),
	})
}

// Verify returns the user that a token was minted for; its error is ErrInvalid or ErrExpired.
func (n *Notify) Verify(token string) (user string, err error) {
	sum := sha256.Sum256([]byte(token))
	if c, ok := n.verified.Get(sum); ok {
		if !n.now().Before(c.expires.Add(Skew)) {
			return "", ErrExpired
		}
		return c.user, nil
	}
	var claims jwt.RegisteredClaims
	if err := n.keys.verify(n.parser, token, longestNotify, &claims); err != nil {
		return "", err
	}
	if !adapter.ValidUserHash(claims.Subject) {
		return "", fmt.Errorf("%w: it names no user", ErrInvalid)
	}
	n.verified.Add(sum, notifyClaims{claims.Subject, claims.ExpiresAt.Time})
	return claims.Subject, nil
}
