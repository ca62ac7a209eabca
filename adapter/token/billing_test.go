package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/partnerkit/partnerkit/adapter/token"
)

// The partner's side verifies with nothing of ours.
func TestBillingToken(t *testing.T) {
	t.Parallel()
	secret := []byte(strings.Repeat("s", 32))
	keys, err := token.NewKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	if _, err := token.NewBilling(keys, 0, time.Now); err == nil {
		t.Error("a lifetime of nothing is taken")
	}
	mint, err := token.NewBilling(keys, time.Minute, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	signed, err := mint.Mint("integra-a-reserve")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		at     time.Time
		secret []byte
		ok     bool
	}{
		{"at once", now, secret, true},
		{"at its end", now.Add(59 * time.Second), secret, true},
		{"after it", now.Add(61 * time.Second), secret, false},
		{"with another secret", now, []byte(strings.Repeat("x", 32)), false},
	} {
		var claims jwt.RegisteredClaims
		_, err := jwt.ParseWithClaims(signed, &claims, func(*jwt.Token) (any, error) { return tt.secret, nil },
			jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("partnerkit-adapter"), jwt.WithAudience("partner-billing"),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return tt.at }))
		if (err == nil) != tt.ok || tt.ok && claims.ID != "integra-a-reserve" {
			t.Errorf("%s: %+v, %v", tt.name, claims, err)
		}
	}
}
