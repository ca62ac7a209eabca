// Package integra is the partner's half of Integra: it takes the platform's notifications,
// calls its methods, and registers and logs in users there.
//
// Two rules shape it. A notification is answered 200 only once the payment is stored, and
// never moves money by itself: it is not signed, so the platform's answer to confirmPayment
// alone counts. And a call whose outcome is not known is said to be unknown, never refused:
// between "it cannot have arrived" and "the platform said no" lies everything that may have
// happened unseen.
package integra

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// NotifyPath is where notifications come.
const NotifyPath = "/integra/notify"

// Names are what the notification's parameters are called; empty fields take the defaults.
type Names struct {
	ID     string // the payment's id; "id"
	Amount string // "amount"
	Hash   string // the user's hash; "hash"
	Token  string // the notify token; "token"
}

// An Endpoint is what the receiver and the login links must agree on: where notifications
// come, what their parameters are called, and what proves that they are meant for us.
type Endpoint struct {
	base  string
	names Names
	guard Guard
}

// NewEndpoint returns the endpoint that the platform reaches under base, an http(s) address
// such as "https://adapter.partner.example". Its error wraps adapter.ErrInvalid.
func NewEndpoint(base string, names Names, guard Guard) (*Endpoint, error) {
	names.ID = cmp.Or(names.ID, "id")
	names.Amount = cmp.Or(names.Amount, "amount")
	names.Hash = cmp.Or(names.Hash, "hash")
	names.Token = cmp.Or(names.Token, "token")
	seen := map[string]bool{}
	for _, name := range []string{names.ID, names.Amount, names.Hash, names.Token} {
		switch {
		case !isPlain(name) || len(name) > 32:
			return nil, fmt.Errorf("%w: parameter name %q: want up to 32 letters, digits, '-' and '_'", adapter.ErrInvalid, name)
		case seen[name]:
			return nil, fmt.Errorf("%w: two parameters are called %q", adapter.ErrInvalid, name)
		}
		seen[name] = true
	}
	e := &Endpoint{base: strings.TrimRight(base, "/"), names: names, guard: guard}
	u, err := url.Parse(e.base)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%w: notification address: want http(s)://host without query, fragment or user", adapter.ErrInvalid)
	}
	if _, err := integra.ParseNotifyTemplate(e.template("", "")); err != nil {
		return nil, fmt.Errorf("%w: notification address: %w", adapter.ErrInvalid, err)
	}
	return e, nil
}

// Pattern is the route of the receiver in gorilla/mux's notation.
func (e *Endpoint) Pattern() string {
	if _, secret := e.guard.(secretGuard); secret {
		return NotifyPath + "{secret:(?:/[^/]*)?}"
	}
	return NotifyPath
}

// Template returns the PAYMENT_NOTIFY_URL that a user's login hands to the platform. It
// proves that whoever uses it got it from us, so it is a secret.
func (e *Endpoint) Template(user string) (string, error) {
	segment, token, err := e.guard.prove(user)
	if err != nil {
		return "", fmt.Errorf("notification address of user %s: %w", user, err)
	}
	return e.template(segment, token), nil
}

func (e *Endpoint) template(segment, token string) string {
	t := e.base + NotifyPath + segment +
		"?" + e.names.ID + "={id}&" + e.names.Amount + "={amount}&" + e.names.Hash + "={hash}"
	if token != "" {
		t += "&" + e.names.Token + "=" + token
	}
	return t
}

// isPlain reports whether s consists of what URLs never escape: letters, digits, '-' and '_'.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

// A Guard tells notifications that use an address of ours from others: see GuardByToken,
// GuardBySecret and Unguarded.
type Guard interface {
	// prove returns what an address about user carries: a path segment with its slash, and a
	// token; either may be empty.
	prove(user string) (segment, token string, err error)
	// identify returns the user whom the proof names, "" for any. The error is
	// errNoProof or errBadProof, or wraps one.
	identify(segment, token string) (user string, err error)
}

var (
	errNoProof  = errors.New("no proof that the address is ours")
	errBadProof = errors.New("the proof that the address is ours does not hold")
)

// Tokens mints and verifies notify tokens.
type Tokens interface {
	// Mint returns a token for notifications about a user, in characters that URLs do not escape.
	Mint(user string) (string, error)
	// Verify returns the user that a token was minted for.
	Verify(token string) (user string, err error)
}

// GuardByToken gives each user's address a token of its own. A notification then proves the
// user it is about, and an address that leaks can do no harm to others and expires.
func GuardByToken(t Tokens) Guard { return tokenGuard{t} }

type tokenGuard struct{ tokens Tokens }

func (g tokenGuard) prove(user string) (string, string, error) {
	token, err := g.tokens.Mint(user)
	return "", token, err
}

func (g tokenGuard) identify(_, token string) (string, error) {
	if token == "" {
		return "", fmt.Errorf("%w: the token is missing", errNoProof)
	}
	user, err := g.tokens.Verify(token)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errBadProof, err)
	}
	return user, nil
}

// GuardBySecret gives all addresses one secret as the last segment of their path, for
// platforms that cut long addresses. Addresses under previous secrets, which it replaces, are
// good as well. A secret has 16 to 128 letters, digits, '-' and '_'; the error wraps
// adapter.ErrInvalid.
func GuardBySecret(secret string, previous ...string) (Guard, error) {
	var g secretGuard
	for _, s := range append([]string{secret}, previous...) {
		if len(s) < 16 || len(s) > 128 || !isPlain(s) {
			return nil, fmt.Errorf("%w: notification secret: want 16 to 128 letters, digits, '-' and '_'", adapter.ErrInvalid)
		}
		g = append(g, "/"+s)
	}
	return g, nil
}

// secretGuard holds the segments that are good; addresses are made with the first.
type secretGuard []string

func (g secretGuard) prove(string) (string, string, error) { return g[0], "", nil }

func (g secretGuard) identify(segment, _ string) (string, error) {
	if len(segment) <= 1 {
		return "", errNoProof
	}
	good := 0
	for _, s := range g {
		good |= subtle.ConstantTimeCompare([]byte(segment), []byte(s))
	}
	if good != 1 {
		return "", errBadProof
	}
	return "", nil
}

// Unguarded lets every notification in. It is meant for an adapter that only the platform
// can reach.
func Unguarded() Guard { return unguarded{} }

type unguarded struct{}

func (unguarded) prove(string) (string, string, error)    { return "", "", nil }
func (unguarded) identify(string, string) (string, error) { return "", nil }
