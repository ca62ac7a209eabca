package integra_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	userHash    = "0123456789abcdef0123456789abcdef"
	otherUser   = "ffffffffffffffffffffffffffffffff"
	partnerHash = "acme00000000000000000000000000ac"
	paymentID   = "202cb962ac59075b964b07152d234b70"
	userKey     = "abc" // of testdata/integra: the vectors' shortest key
	partnerKey  = "z"
	login       = "acme-site.ru-11235813"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// plainVault seals by writing the user's hash in front, which is enough to notice a mix-up.
type plainVault struct{}

func (plainVault) Seal(user, key string) []byte { return []byte(user + key) }

func (plainVault) Open(user string, sealed []byte) (string, error) {
	key, ok := strings.CutPrefix(string(sealed), user)
	if !ok {
		return "", errors.New("sealed for another user")
	}
	return key, nil
}

// people is a UserStore in memory. It counts how often a user was looked for.
type people struct {
	byHash map[string]adapter.User
	asked  int
	err    error // what every call returns, if set
}

func somebody() *people {
	return &people{byHash: map[string]adapter.User{
		userHash: {Hash: userHash, Login: login, SealedKey: plainVault{}.Seal(userHash, userKey)},
	}}
}

func (p *people) User(_ context.Context, hash string) (adapter.User, error) {
	p.asked++
	if p.err != nil {
		return adapter.User{}, p.err
	}
	u, ok := p.byHash[hash]
	if !ok {
		return adapter.User{}, adapter.ErrNotFound
	}
	return u, nil
}

func (p *people) AddUsers(_ context.Context, users []adapter.User) error {
	if p.err != nil {
		return p.err
	}
	for _, u := range users {
		p.byHash[u.Hash] = u
	}
	return nil
}

func (p *people) SetArchived(_ context.Context, hash string, at time.Time) error {
	if p.err != nil {
		return p.err
	}
	u := p.byHash[hash]
	u.ArchivedAt = at
	p.byHash[hash] = u
	return nil
}

// seen is one observed call.
type seen struct {
	Method  string
	Outcome adapter.Outcome
}

// newClient returns a client of the platform at base, and what it lets observe.
func newClient(t testing.TB, base string, change func(*integra.ClientConfig)) (*integra.Client, *[]seen) {
	t.Helper()
	var calls []seen
	cfg := integra.ClientConfig{
		BaseURL: base, PartnerPath: "partners/acme",
		Partner: wire.Credentials{Hash: partnerHash, Key: partnerKey},
		Timeout: time.Minute, DialTimeout: time.Minute, // tests of time-outs set their own; a busy machine causes none
		Watch: outcall.Watch{Observe: func(method string, o adapter.Outcome) { calls = append(calls, seen{method, o}) }},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := integra.NewClient(cfg, somebody(), plainVault{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, &calls
}

// payment returns one of userHash over 100.50, in the given state.
func payment(t testing.TB, kind adapter.Kind, state adapter.State) adapter.Payment {
	t.Helper()
	p, err := adapter.NewPayment(adapter.Key{Platform: adapter.PlatformIntegra, ID: paymentID}, kind, userHash, money.New(100_50, money.RUB), day)
	if err != nil {
		t.Fatal(err)
	}
	p.State = state
	return p
}
