package cmd_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/internal/stage"
)

var binaries stage.Binaries

func TestMain(m *testing.M) {
	code := 1
	if err := play(m, &code); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// play builds the binaries, once for all tests, and runs the tests.
func play(m *testing.M, code *int) (err error) {
	folder, err := os.MkdirTemp("", "partnerkit-bin-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if binaries, err = stage.Build(context.Background(), folder); err != nil {
		return err
	}
	*code = m.Run()
	http.DefaultClient.CloseIdleConnections()
	return goleak.Find()
}

// onBoth runs a test on either database.
func onBoth(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, sqlite(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, adaptertest.Postgres(t))
	})
}

func sqlite(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "adapter.db") }

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
	settings = append([]string{
		"ADAPTER_RETRY_FIRST=20ms", "ADAPTER_RETRY_MAX=200ms", "ADAPTER_CALL_TIMEOUT=2s",
		"ADAPTER_LEASE=10m", // longer than any test: what the dead held is free because their death was noticed
	}, settings...)
	w := &world{t: t, platform: platform, gate: g, partner: stage.NewPartner(binaries, &behind, listen, folder, database, settings...)}
	must(t, w.partner.MakeKey(ctx, folder))
	w.run("migrate")
	w.user = w.register("user")
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
	if status, body := w.get(w.run("login-link", hash)); status != http.StatusOK || !strings.Contains(body, "<html") {
		w.t.Fatalf("page: status %d\n%s", status, body)
	}
}

func (w *world) get(address string) (status int, body string) {
	w.t.Helper()
	status, body, err := get(address)
	must(w.t, err)
	return status, body
}

func get(address string) (status int, body string, err error) {
	res, err := http.Get(address) //nolint:noctx // the test's end ends it
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, string(raw), err
}

// panel is somebody who holds a token, at the API and at the console.
type panel struct {
	*world
	token string
}

func (w *world) panel(scopes string) panel {
	w.t.Helper()
	return panel{w, w.run("token", "mint", "--name", "panel of "+scopes, "--scope", scopes)}
}

// asks makes a request and follows where the answer leads.
func (p panel) asks(verb, path, form string) (status int, body string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(testContext(p.t), verb, p.adapter.URL+path, strings.NewReader(form))
	must(p.t, err)
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Cookie", "partnerkit_console="+p.token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	must(p.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	must(p.t, err)
	return res.StatusCode, string(raw)
}

// shows checks what a GET is answered with.
func (p panel) shows(path string, status int, words ...string) {
	p.t.Helper()
	got, body := p.asks(http.MethodGet, path, "")
	for _, word := range words {
		if got != status || !strings.Contains(body, word) {
			p.t.Errorf("%s: %d, want %d and %q in\n%s", path, got, status, word, body)
		}
	}
}

// run runs a command of the adapter.
func (w *world) run(args ...string) string {
	w.t.Helper()
	out, err := w.partner.Run(testContext(w.t), args...)
	must(w.t, err)
	return out
}

// runJSON runs a command of the adapter with --json.
func (w *world) runJSON(into any, args ...string) {
	w.t.Helper()
	must(w.t, w.partner.RunJSON(testContext(w.t), into, args...))
}

// start starts the adapter.
func (w *world) start(settings ...string) {
	w.t.Helper()
	w.adapter = w.serve(w.partner.With(settings...))
}

// replica starts another adapter on the same database.
func (w *world) replica(settings ...string) *stage.Adapter {
	w.t.Helper()
	listen, err := stage.FreeAddr()
	must(w.t, err)
	return w.serve(w.partner.With(append(settings, "ADAPTER_LISTEN="+listen)...))
}

func (w *world) serve(p *stage.Partner) *stage.Adapter {
	w.t.Helper()
	a, err := p.Start(testContext(w.t), nil)
	must(w.t, err)
	w.t.Cleanup(func() {
		_ = a.Kill()
		if w.t.Failed() {
			w.t.Logf("log of the adapter at %s:\n%s", a.URL, a.Log())
		}
	})
	return a
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
	History                               []event
}

type event struct {
	At                         time.Time
	Event, To, Verdict, Detail string
}

func (p payment) events() (names []string) {
	for _, e := range p.History {
		names = append(names, e.Event)
	}
	return names
}

// event is the first one of the kind.
func (p payment) event(t *testing.T, kind string) event {
	t.Helper()
	i := slices.IndexFunc(p.History, func(e event) bool { return e.Event == kind })
	if i < 0 {
		t.Fatalf("payment %s: events %v; want %s among them", p.ID, p.events(), kind)
	}
	return p.History[i]
}

func (w *world) show(id string) (p payment) {
	w.t.Helper()
	w.runJSON(&p, "payments", "show", id)
	return p
}

// list is what `payments list` prints with the arguments.
func (w *world) list(args ...string) (payments []payment) {
	w.t.Helper()
	w.runJSON(&payments, append([]string{"payments", "list", "--limit", "1000000"}, args...)...)
	return payments
}

// await waits until the adapter has the payment in the state.
func (w *world) await(id, state string) payment {
	w.t.Helper()
	p, err := stage.Until(testContext(w.t), func() (payment, bool, error) {
		p := payment{}
		err := w.partner.RunJSON(testContext(w.t), &p, "payments", "show", id)
		if err != nil && strings.Contains(err.Error(), "not found") {
			err = nil // it is not stored yet
		}
		return p, p.State == state, err
	})
	must(w.t, err)
	return p
}

// quiet waits until the adapter has no payment under way.
func (w *world) quiet() {
	w.t.Helper()
	_, err := stage.Until(testContext(w.t), func() ([]payment, bool, error) {
		open := w.list("--state", "received,reserved,confirming,capturing,capture_refused,releasing,release_refused,declining")
		return open, len(open) == 0, nil
	})
	must(w.t, err)
}

// books compares both sides' balances of a user and has the ledger verified.
func (w *world) books(user, available, reserved, integra string) {
	w.t.Helper()
	var b struct{ Available, Reserved string }
	w.runJSON(&b, "ledger", "balance", user)
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

// advance moves the stand-in's time on; what falls due is delivered when it returns.
func (w *world) advance(d time.Duration) {
	w.t.Helper()
	must(w.t, w.platform.Do(testContext(w.t), http.MethodPost, "/clock/advance", map[string]int64{"ms": d.Milliseconds()}, nil))
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
