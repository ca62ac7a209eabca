package integra_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/goleak"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

const (
	alice = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	bob   = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	carol = "cccccccccccccccccccccccccccccccc"
)

// acme encrypts with the key of the docs' example. The other partner only encodes, so that
// tests can write arguments as they are.
var (
	acme = integra.Partner{
		Hash: "0123456789abcdef0123456789abcdef", Key: "ko808duypw6hxos6q4vihukgy4wpuzwwbwnerus676krgwcoi7u",
		Path: "partners/acme", Cipher: "simple",
	}
	plain = integra.Partner{Hash: "fedcba9876543210fedcba9876543210", Key: "any", Path: "partners/plain", Cipher: "base64"}
)

// stand is a platform in frozen time without listeners.
type stand struct {
	t       testing.TB
	p       *integra.Platform
	clock   *clock.Clock
	journal *journal.Journal
	handler http.Handler
}

func newStand(t testing.TB, options ...func(*integra.Config)) *stand {
	t.Helper()
	c, err := clock.New(clock.State{Now: noon, Frozen: true})
	if err != nil {
		t.Fatal(err)
	}
	cfg := integra.Config{
		Clock: c, Dice: dice.New(1), Journal: journal.New(journal.Config{}),
		Partners: []integra.Partner{acme, plain}, Settings: integra.DefaultSettings(),
	}
	for _, option := range options {
		option(&cfg)
	}
	p, err := integra.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		c.Close()
	})
	r := mux.NewRouter().SkipClean(true)
	p.Mount(r)
	return &stand{t: t, p: p, clock: c, journal: cfg.Journal, handler: r}
}

// with edits the settings at the start.
func with(change func(*integra.Settings)) func(*integra.Config) {
	return func(cfg *integra.Config) { change(&cfg.Settings) }
}

type answer struct {
	status      int
	contentType string
	location    string
	body        string
}

func (s *stand) send(verb, target, form string) answer {
	r := httptest.NewRequest(verb, "http://sandbox.promopult.org"+target, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return s.do(r)
}

func (s *stand) do(r *http.Request) answer {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header().Get("Content-Type"), w.Header().Get("Location"), w.Body.String()}
}

// call sends arguments as the partner that encodes only.
func (s *stand) call(method, hash, args string) answer {
	return s.send(http.MethodGet, target(method, hash, args), "")
}

func target(method, hash, args string) string {
	data := base64.StdEncoding.EncodeToString([]byte(args))
	return "/partners/plain/" + method + "?k=" + url.QueryEscape("zaa"+hash+data)
}

// register adds a user of the partner that encodes only; its login is its hash.
func (s *stand) register(hash string) {
	s.t.Helper()
	if _, err := s.p.Register(plain.Hash, wire.CreateUserArgs{Username: hash, Hash: hash}); err != nil {
		s.t.Fatal(err)
	}
}

// logIn opens the user's page with a notification URL.
func (s *stand) logIn(hash, notifyURL string) {
	s.t.Helper()
	got := s.call("cryptLogin", hash, `{"login":"`+hash+`","hash":"`+hash+`","paymentNotifyUrl":"`+notifyURL+`"}`)
	if got.status != http.StatusOK {
		s.t.Fatalf("log in: %d %s", got.status, got.body)
	}
}

func (s *stand) topUp(hash, amount string) integra.Payment {
	s.t.Helper()
	payment, err := s.p.TopUp(hash, amount, integra.ViaPartner)
	if err != nil {
		s.t.Fatal(err)
	}
	return payment
}

func (s *stand) advance(d time.Duration) {
	s.t.Helper()
	if err := s.clock.Advance(s.t.Context(), d); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) payment(id string) integra.Payment {
	s.t.Helper()
	payment, ok := s.p.Payment(id)
	if !ok {
		s.t.Fatalf("payment %s is gone", id)
	}
	return payment
}

func (s *stand) balance(hash string) string {
	s.t.Helper()
	u, ok := s.p.User(hash, 0)
	if !ok {
		s.t.Fatalf("user %s is gone", hash)
	}
	return u.Balance.Text()
}

// last is the newest exchange in the journal.
func (s *stand) last() *journal.Exchange {
	s.t.Helper()
	found := s.journal.List(journal.Filter{Limit: 1})
	if len(found) == 0 {
		s.t.Fatal("the journal is empty")
	}
	return found[0]
}

// nowhere refuses every connection.
const nowhere = "http://127.0.0.1:1/notify?id={id}&amount={amount}"
