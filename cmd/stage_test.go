package cmd_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/internal/stage"
)

var binaries stage.Binaries

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "partnerkit-bin-")
	if err == nil {
		binaries, err = stage.Build(context.Background(), folder)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// onBoth runs a test on either database.
func onBoth(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "adapter.db"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, adaptertest.Postgres(t))
	})
}

// world is a stand-in, a gate before it, and a partner with one user who has 1000.00 RUB.
// The adapter is not running yet.
type world struct {
	t        *testing.T
	platform *stage.Platform
	gate     *gate
	partner  *stage.Partner
	adapter  *stage.Adapter
	user     string
}

func newWorld(t *testing.T, database string, settings ...string) *world {
	t.Helper()
	ctx := testContext(t)
	platform, err := stage.StartPlatform(ctx, binaries, nil, "--seed", "1")
	must(t, err)
	t.Cleanup(func() {
		if err := platform.Stop(time.Minute); err != nil {
			t.Error(err)
		}
	})
	g := newGate(t, platform.URL)
	listen, err := stage.FreeAddr()
	must(t, err)
	folder := t.TempDir()
	behind := *platform
	behind.URL = g.url()
	w := &world{t: t, platform: platform, gate: g, partner: stage.NewPartner(binaries, &behind, listen, folder, database,
		append([]string{"ADAPTER_RETRY_FIRST=20ms", "ADAPTER_RETRY_MAX=200ms", "ADAPTER_CALL_TIMEOUT=2s"}, settings...)...)}
	must(t, w.partner.MakeKey(ctx, folder))
	w.run("migrate")
	w.user = w.register("user")
	t.Cleanup(func() {
		if w.adapter != nil {
			_ = w.adapter.Kill()
		}
		if t.Failed() && w.adapter != nil {
			t.Logf("the adapter's log:\n%s", w.adapter.Log())
		}
	})
	return w
}

// testContext bounds whatever a test waits for.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// register makes a user with 1000.00 RUB who has opened Integra's page.
func (w *world) register(login string) string {
	w.t.Helper()
	hash := w.run("users", "register", "--login", login)
	w.run("ledger", "deposit", hash, "1000")
	w.open(hash)
	return hash
}

// open loads Integra's page of the user, from which the platform knows where to notify.
func (w *world) open(hash string) {
	w.t.Helper()
	if status, _ := w.get(w.run("login-link", hash)); status != http.StatusOK {
		w.t.Fatalf("page: status %d", status)
	}
}

func (w *world) get(address string) (status int, body string) {
	w.t.Helper()
	res, err := http.Get(address) //nolint:noctx // the test's end ends it
	must(w.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	must(w.t, err)
	return res.StatusCode, string(raw)
}

// run runs a command of the adapter.
func (w *world) run(args ...string) string {
	w.t.Helper()
	out, err := w.partner.Run(testContext(w.t), args...)
	must(w.t, err)
	return out
}

func (w *world) start(settings ...string) {
	w.t.Helper()
	a, err := w.partner.With(settings...).Start(testContext(w.t), nil)
	must(w.t, err)
	w.adapter = a
}

func (w *world) kill() {
	w.t.Helper()
	must(w.t, w.adapter.Kill())
}

// topUp presses the button and returns the payment's id.
func (w *world) topUp(user, amount string) string {
	w.t.Helper()
	p, err := w.platform.TopUp(testContext(w.t), user, amount)
	must(w.t, err)
	return p.ID
}

// payment is what `payments show --json` prints.
type payment struct {
	ID, Kind, User, Amount, State, Reason string
	History                               []struct{ Event, To, Verdict, Detail, At string }
}

func (p payment) events() (names []string) {
	for _, e := range p.History {
		names = append(names, e.Event)
	}
	return names
}

func (w *world) show(id string) (p payment) {
	w.t.Helper()
	must(w.t, w.partner.RunJSON(testContext(w.t), &p, "payments", "show", id))
	return p
}

// await waits until the adapter has the payment in one of the states.
func (w *world) await(id string, states ...string) payment {
	w.t.Helper()
	p, err := stage.Until(testContext(w.t), func() (payment, bool, error) {
		p := payment{}
		err := w.partner.RunJSON(testContext(w.t), &p, "payments", "show", id)
		if err != nil && strings.Contains(err.Error(), "not found") {
			err = nil // it is not stored yet
		}
		return p, slices.Contains(states, p.State), err
	})
	must(w.t, err)
	return p
}

// quiet waits until no payment of the adapter is under way.
func (w *world) quiet() {
	w.t.Helper()
	_, err := stage.Until(testContext(w.t), func() ([]payment, bool, error) {
		var open []payment
		err := w.partner.RunJSON(testContext(w.t), &open, "payments", "list", "--limit", "1000", "--state", "received,reserved,confirming,declining")
		return open, len(open) == 0, err
	})
	must(w.t, err)
}

// books compares both sides' balances of a user and has the ledger verified.
func (w *world) books(user, available, reserved, integra string) {
	w.t.Helper()
	var b struct{ Available, Reserved string }
	must(w.t, w.partner.RunJSON(testContext(w.t), &b, "ledger", "balance", user))
	if b.Available != available || b.Reserved != reserved {
		w.t.Errorf("ledger: %s available, %s reserved; want %s, %s", b.Available, b.Reserved, available, reserved)
	}
	if got := w.credited(user); got != integra {
		w.t.Errorf("Integra: balance %s; want %s", got, integra)
	}
	if out := w.run("ledger", "verify"); !strings.HasSuffix(out, "clean") {
		w.t.Errorf("verify: %s", out)
	}
}

// credited is the user's balance at Integra.
func (w *world) credited(user string) string {
	w.t.Helper()
	u, err := w.platform.User(testContext(w.t), user)
	must(w.t, err)
	return u.Balance
}

// settings changes switches of the stand-in's Integra.
func (w *world) settings(integra map[string]any) {
	w.t.Helper()
	must(w.t, w.platform.Do(testContext(w.t), http.MethodPatch, "/settings", map[string]any{"integra": integra}, nil))
}

// gate stands between adapter and stand-in: it can refuse connections, and it can let a call
// through and hold its answer back.
type gate struct {
	t        *testing.T
	upstream string
	addr     string
	srv      *http.Server

	mu      sync.Mutex
	holding string        // the method whose answers are held back
	held    chan struct{} // one for each answer in hand
	free    chan struct{} // closed to let held answers go
	written chan struct{} // one for each held answer that was written
}

func newGate(t *testing.T, upstream string) *gate {
	g := &gate{t: t, upstream: upstream, held: make(chan struct{}, 1000), written: make(chan struct{}, 1000)}
	g.open()
	t.Cleanup(func() {
		g.release()
		g.close()
	})
	return g
}

func (g *gate) url() string { return "http://" + g.addr }

// open lets connections in.
func (g *gate) open() {
	g.t.Helper()
	addr := g.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr) //nolint:noctx // it does not wait
	must(g.t, err)
	g.addr = l.Addr().String()
	g.srv = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func(srv *http.Server) { _ = srv.Serve(l) }(g.srv)
}

// close refuses connections, and breaks those that there are.
func (g *gate) close() { _ = g.srv.Close() }

// hold holds back the answers of a method until release.
func (g *gate) hold(method string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holding, g.free = method, make(chan struct{})
}

// release lets held answers go, and holds no more.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holding != "" {
		close(g.free)
	}
	g.holding = ""
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, err := http.NewRequest(r.Method, g.upstream+r.URL.RequestURI(), nil) //nolint:noctx // a call that was let through is carried out
	if err != nil {
		panic(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil { // the answer was lost
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	g.mu.Lock()
	hold, free := g.holding != "" && strings.HasSuffix(r.URL.Path, g.holding), g.free
	g.mu.Unlock()
	if hold {
		g.held <- struct{}{}
		<-free
		defer func() { g.written <- struct{}{} }()
	}
	w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).Flush()
}

// wait waits for n signals.
func wait(t *testing.T, signals <-chan struct{}, n int) {
	t.Helper()
	for range n {
		select {
		case <-signals:
		case <-time.After(time.Minute):
			t.Fatal("waited for a minute in vain")
		}
	}
}
