package cmd_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// desk is where alerts arrive.
type desk struct {
	t    *testing.T
	url  string
	told chan message
}

type message struct {
	Type string
	Data struct{ Cause, Text string }
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, told: make(chan message, 100)}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m message
		if err := json.Unmarshal(body, &m); err != nil || !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") {
			t.Errorf("message %s: %v", body, err)
		}
		d.told <- m
	}))
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

// watch has the adapter of a world send its alerts here, from its next start on.
func (d *desk) watch(w *world) {
	w.partner = w.partner.With("ADAPTER_ALERT_URL="+d.url, "ADAPTER_ALERT_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

// next is the next message, which must be of a kind and cause.
func (d *desk) next(kind, cause string) message {
	d.t.Helper()
	select {
	case m := <-d.told:
		if m.Type != kind || m.Data.Cause != cause {
			d.t.Errorf("told %+v; want %s of %s", m, kind, cause)
		}
		return m
	case <-time.After(time.Minute):
		d.t.Fatalf("nothing was told; want %s of %s", kind, cause)
		return message{}
	}
}

// quiet checks that nothing more was told.
func (d *desk) quiet() {
	d.t.Helper()
	if len(d.told) > 0 {
		d.t.Errorf("told besides: %+v", <-d.told)
	}
}

// A platform that does not answer is left alone: one alert goes out, payments wait without
// spending tries, and when it answers again they are confirmed and the alert is over.
func TestPlatformThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	d := newDesk(t)
	w := newWorld(t, sqlite(t), "ADAPTER_BREAKER_FAILURES=3", "ADAPTER_BREAKER_PAUSE=1s")
	d.watch(w)
	w.start()
	w.gate.close()
	ids := []string{w.topUp(w.user, "10"), w.topUp(w.user, "20"), w.topUp(w.user, "30")}
	d.next("alert.raised", "platform_paused")
	if _, body := w.get(w.adapter.URL + "/metrics"); !strings.Contains(body, `partnerkit_adapter_platform_paused{platform="integra"} 1`) {
		t.Error("the metrics do not say that the platform is left alone")
	}
	ids = append(ids, w.topUp(w.user, "40")) // is stored all the same
	w.gate.open()
	d.next("alert.over", "platform_paused")
	for _, id := range ids {
		w.await(id, "confirmed")
	}
	w.books(w.user, "900.00", "0.00", "100.00")
	d.quiet()
	var sent []struct {
		Cause     string
		Over      bool
		Delivered string `json:"delivered_at"`
	}
	w.runJSON(&sent, "alerts", "list")
	if len(sent) != 2 || !sent[0].Over || sent[1].Over || sent[0].Delivered == "" {
		t.Errorf("listed: %+v", sent)
	}
	if out := w.run("alerts", "test"); out != "taken" {
		t.Errorf("alerts test: %s", out)
	}
}

func TestDoctorOnARunningService(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		var found []struct{ Name, Health, Detail, ToDo string }
		w.runJSON(&found, "doctor")
		names := map[string]bool{}
		for _, f := range found {
			names[f.Name] = true
			if f.Health != "ok" {
				t.Errorf("%s: %s, %s; want ok", f.Name, f.Health, f.Detail)
			}
		}
		for _, name := range []string{"settings", "master key", "database", "migrations", "crypt keys", "port", "platform", "clock"} {
			if !names[name] {
				t.Errorf("%s was not looked at", name)
			}
		}
		w.gate.close()
		out, err := w.partner.Run(testContext(t), "doctor")
		if err == nil || !strings.Contains(out, "fail  platform") || !strings.Contains(out, "→") {
			t.Errorf("with the platform gone: %v\n%s", err, out)
		}
	})
}

// A database is not served with a key that opens nothing in it, as after the loss of the key's file.
func TestAnotherMasterKey(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		file := filepath.Join(t.TempDir(), "key")
		must(t, os.WriteFile(file, []byte(w.run("token", "master-key")+"\n"), 0o600))
		cmd := exec.CommandContext(testContext(t), binaries.Adapter, "serve")
		cmd.Env = append(os.Environ(), w.partner.With("ADAPTER_MASTER_KEY_FILE="+file).Environment()...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), file+" opens no crypt key") {
			t.Errorf("served with another key: %v\n%s", err, out)
		}
		w.start() // nothing was changed
		w.await(w.topUp(w.user, "100"), "confirmed")
	})
}

func TestBackupOfARunningService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlite(t))
	w.start()
	w.await(w.topUp(w.user, "100"), "confirmed")
	file := filepath.Join(t.TempDir(), "copy.db")
	var done struct {
		Payments int
		Clean    bool
	}
	w.runJSON(&done, "backup", file)
	if done.Payments != 1 || !done.Clean {
		t.Errorf("backup: %+v", done)
	}
	w.await(w.topUp(w.user, "100"), "confirmed") // it went on
	if out := w.run("ledger", "balance", w.user, "--database", "sqlite:"+file); !strings.Contains(out, "900.00") {
		t.Errorf("balance in the copy: %s", out)
	}
	if out, err := w.partner.Run(testContext(t), "backup", file); err == nil {
		t.Errorf("wrote over a backup: %s", out)
	}
}

// A person puts scheduled tries forward: those that are chosen, each once, with a line of the
// audit log and of the payment's history.
func TestRetryByHand(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database, "ADAPTER_RETRY_FIRST=1h", "ADAPTER_RETRY_MAX=1h")
		w.start()
		w.gate.close()
		a, b := w.topUp(w.user, "10"), w.topUp(w.user, "20")
		for _, id := range []string{a, b} {
			w.await(id, "reserved")
			_, err := stage.Until(testContext(t), func() (payment, bool, error) {
				p := w.show(id)
				return p, slices.Contains(p.events(), "retry"), nil
			})
			must(t, err)
		}
		w.gate.open()
		type row struct{ ID, Result string }
		var rows []row
		w.runJSON(&rows, "payments", "retry", "--state", "reserved", "--dry-run")
		if len(rows) != 2 || rows[0].Result != "would be tried now" || w.show(a).State != "reserved" {
			t.Errorf("dry run: %+v", rows)
		}
		w.runJSON(&rows, "payments", "retry", "--state", "reserved", "--before", "2020-01-01T00:00:00Z")
		if len(rows) != 0 {
			t.Errorf("none is so old: %+v", rows)
		}
		w.runJSON(&rows, "payments", "retry", a)
		if len(rows) != 1 || rows[0] != (row{a, "tried now"}) {
			t.Errorf("one by name: %+v", rows)
		}
		if p := w.await(a, "confirmed"); len(p.events()) != 5 {
			t.Errorf("events %v; want received, reserved, retry, hurried, confirmed", p.events())
		}
		if w.show(b).State != "reserved" {
			t.Error("one that was not chosen was tried")
		}
		w.runJSON(&rows, "payments", "retry", "--state", "reserved,confirming")
		if len(rows) != 1 || rows[0] != (row{b, "tried now"}) {
			t.Errorf("by filter: %+v", rows)
		}
		w.await(b, "confirmed")
		w.books(w.user, "970.00", "0.00", "30.00")
		if out, err := w.partner.Run(testContext(t), "payments", "retry", a); err == nil || !strings.Contains(err.Error(), "nothing to try") {
			t.Errorf("a final one: %v %s", err, out)
		}
		var log []struct{ What, On, Result string }
		w.runJSON(&log, "audit", "list", "--what", "payments retry")
		if len(log) != 2 || log[0].On != "payment/"+b || log[1].On != "payment/"+a {
			t.Errorf("audit log: %+v", log)
		}
	})
}
