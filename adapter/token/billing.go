package token

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The claims by which a partner's billing knows our requests (docs/billing.openapi.yaml).
const (
	BillingIssuer   = "partnerkit-adapter"
	BillingAudience = "partner-billing"
)

// Billing mints the tokens of requests to a partner's billing, under a secret that both know.
// It is safe for concurrent use.
type Billing struct {
	keys Keys
	ttl  time.Duration
	now  func() time.Time
}

// NewBilling returns a mint of tokens that are good for ttl.
func NewBilling(keys Keys, ttl time.Duration, now func() time.Time) (*Billing, error) {
	if ttl <= 0 {
		return nil, fmt.Errorf("billing tokens: lifetime %s is not positive", ttl)
	}
	return &Billing{keys: keys, ttl: ttl, now: now}, nil
}

// Mint returns a token for one request; id becomes its jti, so that the billing can tell a
// token that was used for another request.
func (b *Billing) Mint(id string) (string, error) {
	now := b.now()
	return b.keys.mint(jwt.RegisteredClaims{
		ID: id, Issuer: BillingIssuer, Audience: jwt.ClaimStrings{BillingAudience},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(b.ttl)),
	})
}
