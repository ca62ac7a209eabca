package mockplatform_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const alice = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// client keeps no connection, so that goleak finds none.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func get(t *testing.T, address, host string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(raw)
}

// address is that of a call in the name of the demo partner, or of a user with that key.
func address(t *testing.T, s *mockplatform.Server, method wire.Method, cred wire.Credentials, args any, query url.Values) string {
	t.Helper()
	k, err := wire.Seal(wire.Simple, cred, args)
	if err != nil {
		t.Fatal(err)
	}
	at, err := wire.RequestURL(s.PlatformURL(), mockplatform.DemoPartner.Path, method, k, query)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func partner() wire.Credentials {
	return wire.Credentials{Hash: mockplatform.DemoPartner.Hash, Key: mockplatform.DemoPartner.Key}
}

// Unmodified clients are pointed at the stand-in by Host name or by address alone.
func TestHostNames(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t)
	hello := address(t, s, wire.Hello, partner(), wire.HelloArgs{Name: "x"}, nil)
	for _, host := range []string{"", "sandbox.promopult.org", "api.promopult.org"} {
		for _, path := range []string{mockplatform.DemoPartner.Path, integra.CommonPath} {
			status, body := get(t, strings.Replace(hello, mockplatform.DemoPartner.Path, path, 1), host)
			if status != http.StatusOK || !strings.Contains(body, `"data":"Hello, x!"`) {
				t.Errorf("hello at %s under %s: %d %s", host, path, status, body)
			}
		}
	}
	if status, body := get(t, s.ControlURL()+"/healthz", ""); status != http.StatusOK || strings.TrimSpace(body) != `{"status":"ok"}` {
		t.Errorf("healthz: %d %s", status, body)
	}
}

// The journal has the very bytes of the connection, apart from the spelling and order of
// the request's headers.
func TestBytesOfTheConnection(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.PlatformURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var sent bytes.Buffer
	received := bufio.NewReader(io.TeeReader(conn, &sent))
	for _, request := range []string{
		"GET /iframe/hello?k=nonsense HTTP/1.1\r\nHost: api.promopult.org\r\nAccept: */*\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n",
		"POST /iframe/createUser HTTP/1.1\r\nHost: api.promopult.org\r\nContent-Length: 7\r\nContent-Type: text/plain\r\n\r\na body\n",
		"GET /iframe/cryptLogin HTTP/1.1\r\nHost: api.promopult.org\r\nAccept-Language: ru\r\n\r\n",
		"PUT /nowhere HTTP/1.1\r\nHost: api.promopult.org\r\n\r\n",
	} {
		sent.Reset()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(received, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		e := s.Journal().List(journal.Filter{Limit: 1})[0]
		if diff := cmp.Diff(request, string(e.Request)); diff != "" {
			t.Errorf("request (-sent +journal):\n%s", diff)
		}
		if diff := cmp.Diff(sent.String(), string(e.Response)); diff != "" {
			t.Errorf("response (-sent +journal):\n%s", diff)
		}
	}
}

// What is too long for the protocol is refused and journalled all the same.
func TestLongAddressOverTheNetwork(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t)
	status, body := get(t, s.PlatformURL()+"/iframe/hello?k="+strings.Repeat("a", 1<<20), "")
	if status != http.StatusRequestURITooLong || !strings.Contains(body, `"error":true`) {
		t.Errorf("answered %d %.200s", status, body)
	}
	if e := s.Journal().List(journal.Filter{}); len(e) != 1 || e[0].Verdict.Check != "url" || !e[0].Cut {
		t.Errorf("journal: %d exchanges", len(e))
	}
}

// Equal seeds and calls give equal worlds, also after a reset; another seed another one.
func TestSeeds(t *testing.T) {
	t.Parallel()
	live := func(s *mockplatform.Server) string {
		key, err := s.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "alice", Hash: alice})
		if err != nil {
			t.Fatal(err)
		}
		login := wire.LoginArgs{Login: "alice", Hash: alice, PaymentNotifyURL: "http://127.0.0.1:1/"}
		if status, body := get(t, address(t, s, wire.CryptLogin, wire.Credentials{Hash: alice, Key: key}, login, nil), ""); status != http.StatusOK {
			t.Fatalf("log in: %d %s", status, body)
		}
		payment, err := s.Integra().TopUp(alice, "1", integra.ViaPartner)
		if err != nil {
			t.Fatal(err)
		}
		return key + payment.ID
	}
	a, b := mockplatform.Start(t), mockplatform.Start(t)
	other := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.Seed = 2 })
	first := live(a)
	if got := live(b); got != first {
		t.Errorf("another server gives %s, want %s", got, first)
	}
	if got := live(other); got == first {
		t.Errorf("another seed gives %s as well", got)
	}
	a.Reset()
	if got := a.Journal().Len(); got != 0 {
		t.Errorf("%d exchanges after the reset", got)
	}
	if got := live(a); got != first {
		t.Errorf("after the reset %s, want %s", got, first)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	settings := integra.DefaultSettings()
	settings.Notify.Retries = 0
	at := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	other := integra.Partner{Hash: strings.Repeat("e", 32), Key: "k", Path: "partners/e", Cipher: "base64"}
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) {
		cfg.Seed, cfg.Settings, cfg.Partners = 7, &settings, []integra.Partner{other}
		cfg.Clock = clock.State{Now: at, Frozen: true}
	})
	if s.Seed() != 7 || s.Integra().Settings().Notify.Retries != 0 || !s.Clock().Now().Equal(at) {
		t.Errorf("seed %d, settings %+v, now %s", s.Seed(), s.Integra().Settings(), s.Clock().Now())
	}
	if diff := cmp.Diff([]integra.Partner{other}, s.Integra().Partners()); diff != "" {
		t.Errorf("partners (-want +got):\n%s", diff)
	}
}

func TestTypedOptions(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	s := mockplatform.Start(t,
		mockplatform.WithSeed(9), mockplatform.WithFrozenClock(at), mockplatform.WithTLS(),
		mockplatform.WithPartners(integra.Partner{Hash: strings.Repeat("e", 32), Key: "k", Path: "partners/e"}),
		mockplatform.WithPartners(integra.Partner{Hash: strings.Repeat("f", 32), Key: "k", Path: "partners/f"}),
		mockplatform.WithShops(robokassa.Shop{Login: "shop", Password1: "a", Password2: "b"}),
		mockplatform.WithFaults(fault.Rule{Act: fault.Act{Do: fault.Hang}}),
		mockplatform.WithScenario(exampleScenario("shops-and-merchants.yaml"), "SHOP=http://127.0.0.1:7"),
	)
	w, err := s.Namespace("shops")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(s.Seed(), s.Clock().State().Frozen, s.Clock().Now().Equal(at), s.TLSURL() != "",
		len(s.Integra().Partners()), len(s.Robokassa().Shops()), len(s.Faults().List()), w.Robokassa().Shops()[1].ResultURL)
	if want := "9 true true true 3 2 1http://127.0.0.1:7/robokassa/result"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Neither streams nor answers that hang on purpose keep a server from stopping.
func TestStop(t *testing.T) {
	t.Parallel()
	s, err := mockplatform.New(mockplatform.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	if err := s.Integra().ChangeSettings(func(s *integra.Settings) { s.LostAnswers = integra.LostHang }); err != nil {
		t.Fatal(err)
	}
	recorded, done := s.Journal().Watch()
	defer done()
	create := address(t, s, wire.CreateUser, partner(), wire.CreateUserArgs{Username: "alice", Hash: alice}, nil)
	answered := make(chan error, 1)
	go func() {
		response, err := client.Get(create)
		if err == nil {
			_ = response.Body.Close()
		}
		answered <- err
	}()
	<-recorded
	stop()
	if err := <-stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := <-answered; err == nil {
		t.Error("the answer came")
	}
	if _, err := client.Get(s.PlatformURL()); err == nil {
		t.Error("the listener is still there")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	bad := integra.DefaultSettings()
	bad.Notify.Retries = -1
	var field *integra.FieldError
	tests := []struct {
		name string
		cfg  mockplatform.Config
		text string
		is   func(error) bool
	}{
		{"rate", mockplatform.Config{Clock: clock.State{Rate: -1}}, "clock", func(err error) bool { return errors.Is(err, clock.ErrInvalid) }},
		{"settings", mockplatform.Config{Settings: &bad}, "notify.retries", func(err error) bool { return errors.As(err, &field) }},
		{"partner", mockplatform.Config{Partners: []integra.Partner{{}}}, "hash", func(err error) bool { return errors.As(err, &field) }},
		{"taken address", mockplatform.Config{Listen: taken.Addr().String()}, "platform traffic", func(error) bool { return true }},
		{"taken control address", mockplatform.Config{ControlListen: taken.Addr().String()}, "control", func(error) bool { return true }},
		{"no address", mockplatform.Config{Listen: "nonsense"}, "platform traffic", func(error) bool { return true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := mockplatform.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.text) || !tt.is(err) {
				t.Errorf("New: %v; want an error about %s", err, tt.text)
			}
		})
	}
}

// fatalTB shows what Start does when it cannot.
type fatalTB struct {
	*testing.T
	fatal string
}

func (t *fatalTB) Fatalf(format string, args ...any) {
	t.fatal = fmt.Sprintf(format, args...)
	panic(t)
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	tb := &fatalTB{T: t}
	defer func() {
		if recover() != tb || !strings.Contains(tb.fatal, "start mockplatform: listen for platform traffic") {
			t.Errorf("Fatalf(%q)", tb.fatal)
		}
	}()
	mockplatform.Start(tb, func(cfg *mockplatform.Config) { cfg.Listen = "nonsense" })
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := mockplatform.New(mockplatform.Config{})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		stop()
		if err := s.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
