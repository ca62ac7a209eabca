package token

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	apiAudience = "partnerkit-api"
	longestAPI  = 4 << 10
)

// Grant is what an API token allows.
type Grant struct {
	ID      string    // jti: names the token in logs; unique, chosen by whoever mints
	Name    string    // sub: the program or person that holds it
	Scopes  []string  // what it may do; words without spaces
	Expires time.Time // whole seconds on the wire
}

// Allows reports whether the grant has the scope.
func (g Grant) Allows(scope string) bool { return slices.Contains(g.Scopes, scope) }

// API mints and verifies API tokens. It is safe for concurrent use.
type API struct {
	keys   Keys
	parser *jwt.Parser
}

// apiClaims are a grant on the wire; scope is spelled as in RFC 8693 §4.2.
type apiClaims struct {
	Scope string `json:"scope"`
	jwt.RegisteredClaims
}

// NewAPI returns a mint and verifier of API tokens. What others sign under the public keys is
// verified like our own: the same audience, with a name, an id, an expiry and scopes. An error
// names the public key whose id is taken.
func NewAPI(keys Keys, now func() time.Time, public ...PublicKey) (*API, error) {
	all := Keys{signID: keys.signID, byID: maps.Clone(keys.byID)}
	for _, p := range public {
		if _, taken := all.byID[p.ID]; taken {
			return nil, fmt.Errorf("api tokens: there are two keys with the id %q", p.ID)
		}
		all.byID[p.ID] = p.key
	}
	return &API{keys: all, parser: parser(apiAudience, now, jwt.SigningMethodEdDSA.Alg(), jwt.SigningMethodRS256.Alg())}, nil
}

// Mint returns a token for the grant. Its error names the field that is missing.
func (a *API) Mint(g Grant) (string, error) {
	switch {
	case g.ID == "":
		return "", fmt.Errorf("api token: id is empty")
	case g.Name == "":
		return "", fmt.Errorf("api token: name is empty")
	case g.Expires.IsZero():
		return "", fmt.Errorf("api token: expiry is missing")
	case len(g.Scopes) == 0:
		return "", fmt.Errorf("api token: no scopes")
	}
	for _, s := range g.Scopes {
		if s == "" || strings.ContainsAny(s, " \t\r\n") {
			return "", fmt.Errorf("api token: scope %q is not one word", s)
		}
	}
	return a.keys.mint(apiClaims{
		Scope: strings.Join(g.Scopes, " "),
		RegisteredClaims: jwt.RegisteredClaims{
			ID:        g.ID,
			Subject:   g.Name,
			Audience:  jwt.ClaimStrings{apiAudience},
			ExpiresAt: jwt.NewNumericDate(g.Expires),
		},
	})
}

// Verify returns what a token allows; its error is ErrInvalid or ErrExpired.
func (a *API) Verify(token string) (Grant, error) {
	var c apiClaims
	if err := a.keys.verify(a.parser, token, longestAPI, &c); err != nil {
		return Grant{}, err
	}
	if c.ID == "" || c.Subject == "" {
		return Grant{}, fmt.Errorf("%w: it has no id or name", ErrInvalid)
	}
	return Grant{ID: c.ID, Name: c.Subject, Scopes: strings.Fields(c.Scope), Expires: c.ExpiresAt.UTC()}, nil
}
