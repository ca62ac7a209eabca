package cmd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// The main job, from the button to captured money, and what stands around it.
func TestMainJob(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()

		confirmed := w.topUp(w.user, "100")
		w.await(confirmed, "confirmed")
		w.books(w.user, "900.00", "0.00", "100.00")

		declined := w.await(w.topUp(w.user, "5000"), "declined")
		if declined.Reason != "not enough funds" {
			t.Errorf("reason %q", declined.Reason)
		}
		var there struct{ State, Reason string }
		must(t, w.platform.Do(testContext(t), http.MethodGet, "/integra/payments/"+declined.ID, nil, &there))
		if there.State != "declined" || !strings.Contains(there.Reason, "not enough funds") {
			t.Errorf("the platform says %+v", there)
		}

		var direct, again payment
		w.runJSON(&direct, "payments", "create", w.user, "250.50", "--key", "order-1")
		w.runJSON(&again, "payments", "create", w.user, "250.50", "--key", "order-1")
		if direct.State != "confirmed" || again.ID != direct.ID {
			t.Errorf("direct payment %s %s, repeated %s", direct.ID, direct.State, again.ID)
		}
		w.refuses("differs from the one accepted before", "payments", "create", w.user, "1", "--key", "order-1")
		w.books(w.user, "649.50", "0.00", "350.50")

		w.run("payments", "refund", direct.ID, "50.50", "--key", "refund-1")
		w.refuses("only 200.00 RUB are left", "payments", "refund", direct.ID, "200.01", "--key", "refund-2")
		w.run("payments", "refund", direct.ID, "200", "--key", "refund-3")
		w.books(w.user, "900.00", "0.00", "100.00")

		w.run("ledger", "withdraw", w.user, "100", "--key", "w-1")
		w.run("ledger", "withdraw", w.user, "100", "--key", "w-1") // made once
		w.refuses("not enough funds", "ledger", "withdraw", w.user, "800.01")
		w.books(w.user, "800.00", "0.00", "100.00")

		if refunds := w.list("--kind", "refund", "--state", "confirmed", "--user", w.user); len(refunds) != 2 {
			t.Errorf("refunds: %+v", refunds)
		}
		must(t, w.adapter.Stop(time.Minute))
	})
}

// refuses runs a command that must fail, saying why.
func (w *world) refuses(why string, args ...string) {
	w.t.Helper()
	if _, err := w.partner.Run(testContext(w.t), args...); err == nil || !strings.Contains(err.Error(), why) {
		w.t.Errorf("adapter %s: %v; want it to fail with %q", strings.Join(args, " "), err, why)
	}
}

// What anybody could send to the notification address, byte for byte.
func TestNotifications(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		other := w.register("other")
		token, foreign := w.run("token", "mint", "--user", w.user), w.run("token", "mint", "--user", other)
		id := w.topUp(w.user, "100")
		w.await(id, "confirmed")

		fresh := strings.Repeat("1", 32)
		query := func(id, amount, hash, token string) string {
			return "id=" + id + "&amount=" + amount + "&hash=" + hash + "&token=" + token
		}
		tests := []struct {
			name   string
			query  string
			status int
			says   string
		}{
			{"a repeat", query(id, "100.00", w.user, token), 200, "stored"},
			{"another amount", query(id, "101", w.user, token), 409, "differs"},
			{"another user", query(id, "100", other, foreign), 409, "differs"},
			{"no token", "id=" + fresh + "&amount=100&hash=" + w.user, 401, "token"},
			{"forged token", query(fresh, "100", w.user, token[:len(token)-2]+"AA"), 401, ""},
			{"another user's token", query(fresh, "100", w.user, foreign), 403, ""},
			{"no id", "amount=100&hash=" + w.user + "&token=" + token, 400, "id"},
			{"short id", query("123", "100", w.user, token), 400, "id"},
			{"id with other characters", query(strings.Repeat("%2F", 32), "100", w.user, token), 400, "id"},
			{"id twice", query(id, "100", w.user, token) + "&id=" + id, 400, "id"},
			{"zero", query(fresh, "0", w.user, token), 400, "amount"},
			{"negative", query(fresh, "-5", w.user, token), 400, "amount"},
			{"10^30", query(fresh, "1"+strings.Repeat("0", 30), w.user, token), 400, "amount"},
			{"comma", query(fresh, "1,5", w.user, token), 400, "amount"},
			{"exponent", query(fresh, "1e3", w.user, token), 400, "amount"},
			{"too long", query(fresh, strings.Repeat("9", 9000), w.user, token), 413, ""},
		}
		for _, tt := range tests {
			if status, body := w.get(w.adapter.URL + "/integra/notify?" + tt.query); status != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("%s: %d %q; want %d and %q", tt.name, status, body, tt.status, tt.says)
			}
		}
		want := []string{"received", "reserved", "confirmed", "conflict", "conflict"}
		if diff := cmp.Diff(want, w.show(id).events()); diff != "" {
			t.Errorf("history of the payment that was announced differently (-want +got):\n%s", diff)
		}
		if all := w.list(); len(all) != 1 {
			t.Errorf("stored: %+v; want one payment", all)
		}
		w.books(w.user, "900.00", "0.00", "100.00")
		w.books(other, "1000.00", "0.00", "0.00")
		for _, secret := range []string{token, foreign, w.platform.PartnerKey} {
			if strings.Contains(w.adapter.Log(), secret) {
				t.Errorf("%.10s… is in the log", secret)
			}
		}
	})
}

// Health, readiness, metrics and the end by SIGTERM.
func TestOperations(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.await(w.topUp(w.user, "100"), "confirmed")

		if status, body := w.get(w.adapter.URL + "/healthz"); status != http.StatusOK {
			t.Errorf("/healthz: %d %s", status, body)
		}
		status, body := w.get(w.adapter.URL + "/readyz")
		var ready struct {
			Ready  bool
			Checks []struct {
				Name string
				OK   bool
			}
		}
		must(t, json.Unmarshal([]byte(body), &ready))
		if status != http.StatusOK || !ready.Ready || len(ready.Checks) < 2 {
			t.Errorf("/readyz: %d %s", status, body)
		}
		_, body = w.get(w.adapter.URL + "/metrics")
		for _, want := range []string{
			`partnerkit_adapter_notifications_total{status="200"} 1`,
			`partnerkit_adapter_payments{state="in_doubt"} 0`,
			`partnerkit_adapter_payment_duration_seconds_count{kind="topup",state="confirmed"} 1`,
			`partnerkit_adapter_platform_call_duration_seconds_count{method="confirmPayment",outcome="accepted"} 1`,
			`partnerkit_adapter_oldest_unfinished_payment_age_seconds 0`,
			`partnerkit_adapter_commit_size_count`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("/metrics lacks %s", want)
			}
		}
		must(t, w.adapter.Stop(time.Minute))
		if !strings.Contains(w.adapter.Log(), `"msg":"stopped"`) {
			t.Error("the stop left no line")
		}
	})
}

// SQLite is for one process; PostgreSQL for any number (TestReplicas).
func TestSecondProcessOnSQLite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlite(t))
	w.start()
	second, err := stage.FreeAddr()
	must(t, err)
	_, err = w.partner.With("ADAPTER_LISTEN="+second).Start(testContext(t), nil)
	if err == nil || !strings.Contains(err.Error(), "another process serves this database") {
		t.Errorf("a second process on one SQLite file: %v", err)
	}
	w.await(w.topUp(w.user, "100"), "confirmed") // the first one is none the worse
}

// A payment that is being confirmed when SIGTERM comes is finished before the process ends.
func TestStopFinishesRunningWork(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database, "ADAPTER_CALL_TIMEOUT=8s")
		w.start()
		w.gate.hold("confirmPayment")
		id := w.topUp(w.user, "100")
		wait(t, w.gate.held, 1)
		stopped := make(chan error, 1)
		go func() { stopped <- w.adapter.Stop(time.Minute) }()
		_, err := stage.Until(testContext(t), func() (string, bool, error) { // it takes nothing new
			_, body, err := get(w.adapter.URL + "/healthz")
			return body, err != nil, nil
		})
		must(t, err)
		w.gate.release()
		must(t, <-stopped)
		if p := w.show(id); p.State != "confirmed" {
			t.Errorf("payment is %s", p.State)
		}
		w.books(w.user, "900.00", "0.00", "100.00")
	})
}

// Whoever cannot wait for running work says so by a second SIGTERM: the process ends at once,
// and the next one finds the payment where the call left it.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlite(t), "ADAPTER_CALL_TIMEOUT=1m", "ADAPTER_SHUTDOWN_GRACE=10m")
	w.start()
	w.gate.hold("confirmPayment")
	id := w.topUp(w.user, "100")
	wait(t, w.gate.held, 1) // the platform has confirmed, and its answer does not come
	must(t, w.adapter.Term())
	_, err := stage.Until(testContext(t), func() (string, bool, error) { // the first stage
		_, body, err := get(w.adapter.URL + "/healthz")
		return body, err != nil, nil
	})
	must(t, err)
	select {
	case <-w.adapter.Done():
		t.Fatal("it did not wait for the payment that it worked on")
	default:
	}
	must(t, w.adapter.Term())
	wait(t, w.adapter.Done(), 1)
	w.gate.release()
	w.start()
	if p := w.await(id, "confirmed"); p.events()[len(p.History)-1] != "confirmed" {
		t.Errorf("events %v", p.events())
	}
	w.books(w.user, "900.00", "0.00", "100.00")
}

// A payment whose call outlasts the grace is given back, and the process ends well all the same.
// A page of the console that is open does not keep it.
func TestStopGivesBackWhatOutlastsTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlite(t), "ADAPTER_CALL_TIMEOUT=1m", "ADAPTER_SHUTDOWN_GRACE=200ms")
	w.start()
	w.gate.hold("confirmPayment")
	id := w.topUp(w.user, "100")
	wait(t, w.gate.held, 1)
	token := w.run("token", "mint", "--name", "operator", "--scope", "payments:read")
	r, err := http.NewRequestWithContext(testContext(t), http.MethodGet, w.adapter.URL+"/console/?live", http.NoBody)
	must(t, err)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cookie", "partnerkit_console="+token)
	page, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = page.Body.Close() }()
	if got := page.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("the console's page is %d %q", page.StatusCode, got)
	}
	must(t, w.adapter.Stop(time.Minute))
	w.gate.release()
	if p := w.show(id); p.State != "confirming" {
		t.Errorf("payment is %s, events %v", p.State, p.events())
	}
	w.start()
	w.await(id, "confirmed")
	w.books(w.user, "900.00", "0.00", "100.00")
}

// Every command, as a person and as a program would run it.
func TestCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		if out := w.run("migrate"); out != "up to date" {
			t.Errorf("migrate: %s", out)
		}
		if out := w.run("migrate", "--dry-run"); out != "up to date" {
			t.Errorf("migrate --dry-run: %s", out)
		}
		if link := w.run("login-link", w.user, "--r", "go/payment"); !strings.HasPrefix(link, w.gate.url()+"/"+w.platform.PartnerPath+"/cryptLogin?") ||
			!strings.HasSuffix(link, "&r=go%2Fpayment") {
			t.Errorf("login-link: %s", link)
		}
		if token := w.run("token", "mint", "--name", "panel", "--scope", "payments:read"); strings.Count(token, ".") != 2 {
			t.Errorf("token mint: %s", token)
		}
		var made payment
		w.runJSON(&made, "payments", "create", w.user, "10", "--key", "order-1")
		var user struct{ Hash, Login string }
		w.runJSON(&user, "users", "register", "--login", "second", "--email", "second@example.com")
		if len(user.Hash) != 32 || user.Login != "second" {
			t.Errorf("users register: %+v", user)
		}
		for _, tt := range []struct {
			args []string
			says string
		}{
			{[]string{"users", "list"}, user.Hash},
			{[]string{"ledger", "deposit", user.Hash, "99.90", "--key", "d-1", "--note", "by hand"}, "99.90"},
			{[]string{"ledger", "withdraw", user.Hash, "9.90", "--key", "w-1"}, "90.00"},
			{[]string{"ledger", "balance", user.Hash}, "90.00"},
			{[]string{"ledger", "statement", user.Hash}, "by hand"},
			{[]string{"ledger", "verify"}, "clean"},
			{[]string{"payments", "list", "--kind", "direct", "--state", "confirmed", "--user", w.user}, made.ID},
			{[]string{"payments", "show", made.ID}, "accepted"},
			{[]string{"payments", "create", w.user, "10", "--key", "order-1"}, made.ID},
			{[]string{"payments", "refund", made.ID, "--key", "refund-1"}, "10.00"},
		} {
			if out := w.run(tt.args...); !strings.Contains(out, tt.says) {
				t.Errorf("adapter %s: %s\nwant %q in it", strings.Join(tt.args, " "), out, tt.says)
			}
			var parsed any
			w.runJSON(&parsed, tt.args...)
			if text := fmt.Sprint(parsed); !strings.Contains(text, tt.says) {
				t.Errorf("adapter %s --json: %s\nwant %q in it", strings.Join(tt.args, " "), text, tt.says)
			}
		}
	})
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"", "serve", "migrate", "users register", "users list", "users import", "users show", "users archive", "users unarchive", "users messages", "login-link",
		"token mint", "token list", "token revoke", "token master-key", "keys rotate",
		"ledger deposit", "ledger withdraw", "ledger balance", "ledger statement", "ledger verify",
		"payments list", "payments show", "payments create", "payments refund",
	} {
		out, err := exec.CommandContext(t.Context(), binaries.Adapter, append(strings.Fields(command), "--help")...).Output()
		if usage := strings.TrimSpace("Usage: adapter " + command); err != nil || !strings.HasPrefix(string(out), usage) {
			t.Errorf("adapter %s --help: %v\n%s", command, err, out)
		}
		if (command == "" || command == "serve") && !strings.Contains(string(out), "Examples:") {
			t.Errorf("adapter %s --help shows no examples:\n%s", command, out)
		}
	}
}

// Flags, environment and YAML are three ways to say the same: what is wrong with settings is
// said in the same words, all at once; and what is right with them works.
func TestSettings(t *testing.T) {
	t.Parallel()
	wrong := [][2]string{
		{"database", "mysql://x"},
		{"master-key", "short"},
		{"platform-url", "ftp://x"},
		{"partner-path", "a b"},
		{"partner-hash", "abc"},
		{"partner-key", ""},
		{"cipher", "rot13"},
		{"call-timeout", "1ms"},
		{"notify-url-base", "https://x/?q=1"},
		{"notify-auth", "secret"},
		{"notify-secret", "short"},
		{"notify-token-ttl", "1s"},
		{"param-id", "a&b"},
		{"listen", "nowhere"},
		{"workers", "0"},
		{"lease", "1ms"},
		{"retry-first", "1h"},
	}
	var flags, env, lines []string
	for _, s := range wrong {
		name, value := s[0], s[1]
		flags = append(flags, "--"+name+"="+value)
		env = append(env, "ADAPTER_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"="+value)
		lines = append(lines, fmt.Sprintf("%s: %q", name, value))
	}
	said := serveFails(t, nil, flags...)
	if diff := cmp.Diff(said, serveFails(t, env)); diff != "" {
		t.Errorf("flags and environment differ (-flags +environment):\n%s", diff)
	}
	if diff := cmp.Diff(said, serveFails(t, nil, "--config", yaml(t, lines))); diff != "" {
		t.Errorf("flags and YAML differ (-flags +YAML):\n%s", diff)
	}
	for _, s := range wrong {
		named := "--" + s[0] + ":"
		switch s[0] {
		case "notify-auth": // is right by itself
			continue
		case "param-id":
			named = "--param-…:"
		case "retry-first":
			named = "--retry-first, --retry-max:"
		}
		if !strings.Contains(said, named) {
			t.Errorf("%s is not named in\n%s", named, said)
		}
	}

	w := newWorld(t, sqlite(t))
	lines = nil
	for _, v := range w.partner.Environment() {
		name, value, _ := strings.Cut(v, "=")
		lines = append(lines, fmt.Sprintf("%s: %q", strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "ADAPTER_")), "_", "-"), value))
	}
	out, err := exec.CommandContext(t.Context(), binaries.Adapter, "users", "list", "--config", yaml(t, lines)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), w.user) {
		t.Errorf("users list by YAML: %v %s", err, out)
	}
}

func yaml(t *testing.T, lines []string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "adapter.yaml")
	must(t, os.WriteFile(file, []byte(strings.Join(slices.Compact(lines), "\n")), 0o600))
	return file
}

// serveFails runs `adapter serve`, which must find fault with how it was asked, and returns
// what it says.
func serveFails(t *testing.T, env []string, args ...string) (said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binaries.Adapter, append([]string{"serve"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	_, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Fatalf("adapter serve: %v; want exit code 2", err)
	}
	return string(exit.Stderr)
}
