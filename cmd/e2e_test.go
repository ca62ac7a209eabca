package cmd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
		if there.State != "declined" {
			t.Errorf("the platform says %+v", there)
		}

		var direct payment
		must(t, w.partner.RunJSON(testContext(t), &direct, "payments", "create", w.user, "250.50", "--key", "order-1"))
		var again payment
		must(t, w.partner.RunJSON(testContext(t), &again, "payments", "create", w.user, "250.50", "--key", "order-1"))
		if direct.State != "confirmed" || again.ID != direct.ID {
			t.Errorf("direct payment %s %s, repeated %s", direct.ID, direct.State, again.ID)
		}
		if _, err := w.partner.Run(testContext(t), "payments", "create", w.user, "1", "--key", "order-1"); err == nil {
			t.Error("another payment was made under the same key")
		}
		w.books(w.user, "649.50", "0.00", "350.50")

		w.run("payments", "refund", direct.ID, "50.50", "--key", "refund-1")
		if _, err := w.partner.Run(testContext(t), "payments", "refund", direct.ID, "200.01", "--key", "refund-2"); err == nil {
			t.Error("more was refunded than is left")
		}
		w.run("payments", "refund", direct.ID, "200", "--key", "refund-3")
		w.books(w.user, "900.00", "0.00", "100.00")

		w.run("ledger", "withdraw", w.user, "100", "--key", "w-1")
		w.run("ledger", "withdraw", w.user, "100", "--key", "w-1") // made once
		if _, err := w.partner.Run(testContext(t), "ledger", "withdraw", w.user, "800.01"); err == nil {
			t.Error("more was withdrawn than there is")
		}
		w.books(w.user, "800.00", "0.00", "100.00")

		if out := w.run("users", "list"); !strings.Contains(out, w.user) {
			t.Errorf("users list: %s", out)
		}
		if out := w.run("payments", "list", "--kind", "refund", "--state", "confirmed", "--user", w.user); strings.Count(out, "refund") != 2 {
			t.Errorf("payments list: %s", out)
		}
		if out := w.run("ledger", "statement", w.user, "--limit", "1"); !strings.Contains(out, "withdraw") {
			t.Errorf("statement: %s", out)
		}
		must(t, w.adapter.Stop(time.Minute))
	})
}

// What anybody could send to the notification address, byte for byte.
func TestNotifications(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "adapter.db"))
	w.start()
	other := w.register("other")
	token, foreign := w.run("token", "mint", "--user", w.user), w.run("token", "mint", "--user", other)
	id := w.topUp(w.user, "100")
	w.await(id, "confirmed")

	long := strings.Repeat("9", 9000)
	tests := []struct {
		name   string
		query  string
		status int
		says   string
	}{
		{"a repeat", "id=" + id + "&amount=100.00&hash=" + w.user + "&token=" + token, 200, "stored"},
		{"another amount", "id=" + id + "&amount=101&hash=" + w.user + "&token=" + token, 409, ""},
		{"no token", "id=" + id + "&amount=100&hash=" + w.user, 401, "token"},
		{"forged token", "id=" + id + "&amount=100&hash=" + w.user + "&token=" + token[:len(token)-2] + "AA", 401, ""},
		{"another user's token", "id=" + id + "&amount=100&hash=" + w.user + "&token=" + foreign, 403, ""},
		{"no id", "amount=100&hash=" + w.user + "&token=" + token, 400, "id"},
		{"short id", "id=123&amount=100&hash=" + w.user + "&token=" + token, 400, "id"},
		{"id with other characters", "id=" + strings.Repeat("%2F", 32) + "&amount=100&hash=" + w.user + "&token=" + token, 400, "id"},
		{"id twice", "id=" + id + "&id=" + id + "&amount=100&hash=" + w.user + "&token=" + token, 400, "id"},
		{"zero", "id=" + strings.Repeat("1", 32) + "&amount=0&hash=" + w.user + "&token=" + token, 400, "amount"},
		{"negative", "id=" + strings.Repeat("1", 32) + "&amount=-5&hash=" + w.user + "&token=" + token, 400, "amount"},
		{"10^30", "id=" + strings.Repeat("1", 32) + "&amount=1" + strings.Repeat("0", 30) + "&hash=" + w.user + "&token=" + token, 400, "amount"},
		{"comma", "id=" + strings.Repeat("1", 32) + "&amount=1,5&hash=" + w.user + "&token=" + token, 400, "amount"},
		{"exponent", "id=" + strings.Repeat("1", 32) + "&amount=1e3&hash=" + w.user + "&token=" + token, 400, "amount"},
		{"too long", "id=" + strings.Repeat("1", 32) + "&amount=" + long + "&hash=" + w.user + "&token=" + token, 413, ""},
	}
	for _, tt := range tests {
		if status, body := w.get(w.adapter.URL + "/integra/notify?" + tt.query); status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %q; want %d and %q", tt.name, status, body, tt.status, tt.says)
		}
	}
	p := w.show(id)
	if got := p.events(); !slices.Equal(got, []string{"received", "reserved", "confirmed", "conflict"}) {
		t.Errorf("history %v; want the conflict in it, and nothing done about it", got)
	}
	if out := w.run("payments", "list", "--json"); strings.Count(out, `"num"`) != 1 {
		t.Errorf("payments: %s", out)
	}
	w.books(w.user, "900.00", "0.00", "100.00")
	if log := w.adapter.Log(); strings.Contains(log, token) {
		t.Error("the token is in the log")
	}
}

// The platform commits and then loses its answer, in each way that it can: confirmed once.
func TestLostAnswers(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database, "ADAPTER_CALL_TIMEOUT=300ms")
		w.start()
		for _, how := range []string{"drop", "error", "hang"} {
			w.settings(map[string]any{"lost_answers": how})
			p := w.await(w.topUp(w.user, "100"), "confirmed")
			if !slices.Contains(p.events(), "retry") {
				t.Errorf("%s: events %v tell of no retry", how, p.events())
			}
		}
		w.settings(map[string]any{"lost_answers": "drop"})
		w.await(w.topUp(w.user, "5000"), "declined")
		w.books(w.user, "700.00", "0.00", "300.00")
	})
}

// doPayment can be answered "used" when the first one was carried out and its answer lost:
// that proves nothing by itself, so the money stays reserved.
func TestDirectPaymentInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "adapter.db"))
	w.start()
	w.settings(map[string]any{"lost_answers": "drop"})
	_, err := w.partner.Run(testContext(t), "payments", "create", w.user, "100", "--key", "order-1")
	if err == nil {
		t.Error("a payment without an answer was reported as made")
	}
	var all []payment
	_, err = stage.Until(testContext(t), func() ([]payment, bool, error) {
		err := w.partner.RunJSON(testContext(t), &all, "payments", "list", "--state", "in_doubt")
		return all, len(all) == 1, err
	})
	must(t, err)
	w.books(w.user, "900.00", "100.00", "100.00")
}

// Repeats, copies and other orders of the platform's notifications change nothing.
func TestRepeatedAndReorderedNotifications(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.settings(map[string]any{"notify": map[string]any{"duplicates": 5, "reorder_ms": 1000}})
		ids := []string{w.topUp(w.user, "10"), w.topUp(w.user, "20"), w.topUp(w.user, "30")}
		w.advance(time.Minute)
		for _, id := range ids {
			w.await(id, "confirmed")
		}
		w.books(w.user, "940.00", "0.00", "60.00")
	})
}

func TestOperations(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "adapter.db")
	w := newWorld(t, database)
	w.start()
	w.await(w.topUp(w.user, "100"), "confirmed")

	if status, body := w.get(w.adapter.URL + "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d %s", status, body)
	}
	status, body := w.get(w.adapter.URL + "/readyz")
	var ready struct {
		Ready  bool
		Checks []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(body), &ready); err != nil || status != http.StatusOK || !ready.Ready || len(ready.Checks) != 2 {
		t.Errorf("/readyz: %d %s %v", status, body, err)
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

	second, err := stage.FreeAddr()
	must(t, err)
	if _, err := w.partner.With("ADAPTER_LISTEN="+second).Start(testContext(t), nil); err == nil || !strings.Contains(err.Error(), "another process serves this database") {
		t.Errorf("a second process on one SQLite file: %v", err)
	}
	for _, secret := range []string{w.platform.PartnerKey} {
		if strings.Contains(w.adapter.Log(), secret) {
			t.Error("a key is in the log")
		}
	}
	must(t, w.adapter.Stop(time.Minute))
	if !strings.Contains(w.adapter.Log(), `"msg":"stopped"`) {
		t.Error("the stop left no line")
	}
}

// A payment that is being confirmed when SIGTERM comes is finished before the process ends.
func TestStopFinishesRunningWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "adapter.db"))
	w.start()
	w.gate.hold("confirmPayment")
	id := w.topUp(w.user, "100")
	wait(t, w.gate.held, 1)
	stopped := make(chan error, 1)
	go func() { stopped <- w.adapter.Stop(time.Minute) }()
	_, err := stage.Until(testContext(t), func() (string, bool, error) { // it takes nothing new
		res, err := http.Get(w.adapter.URL + "/healthz") //nolint:noctx // bounded by the test
		if err == nil {
			_ = res.Body.Close()
		}
		return "", err != nil, nil
	})
	must(t, err)
	w.gate.release()
	must(t, <-stopped)
	if p := w.show(id); p.State != "confirmed" {
		t.Errorf("payment is %s", p.State)
	}
	w.books(w.user, "900.00", "0.00", "100.00")
}

// The same settings as flags, as environment and as YAML lead to the same service.
func TestYAML(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "adapter.db"))
	file := filepath.Join(t.TempDir(), "adapter.yaml")
	yaml := ""
	for _, v := range w.partner.Environment() {
		name, value, _ := strings.Cut(v, "=")
		name = strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "ADAPTER_")), "_", "-")
		yaml += fmt.Sprintf("%s: %q\n", name, value)
	}
	must(t, os.WriteFile(file, []byte(yaml), 0o600))
	out, err := exec.Command(binaries.Adapter, "users", "list", "--config", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), w.user) {
		t.Errorf("users list by YAML: %v %s", err, out)
	}
}

// No binary holds both sides: what they agree on, they agree on over the wire.
func TestImportsOfBinaries(t *testing.T) {
	for binary, foreign := range map[string]string{"adapter": "mockplatform", "mockplatform": "adapter"} {
		out, err := exec.Command("go", "list", "-deps", "github.com/partnerkit/partnerkit/cmd/"+binary).Output()
		must(t, err)
		for pkg := range strings.Lines(string(out)) {
			if strings.HasPrefix(pkg, "github.com/partnerkit/partnerkit/"+foreign) {
				t.Errorf("cmd/%s imports %s: a binary that holds both sides could agree with itself", binary, strings.TrimSpace(pkg))
			}
		}
	}
}
