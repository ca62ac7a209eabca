package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/cmd/internal/program"
	"gopkg.in/yaml.v3"
)

// What check-config prints is a file that --config takes, with secrets hidden, and it names
// every fault.
func TestCheckConfig(t *testing.T) {
	args := []string{
		"check-config", "--platform-url", "https://api.example", "--partner-hash", strings.Repeat("p", 32), "--partner-key", "hunter2",
		"--notify-url-base", "https://pay.example", "--notify-allow", "10.0.0.0/8,::1", "--call-timeout", "3s", "--workers", "7",
	}
	code, out, stderr := adapterRun(t, args...)
	if code != program.ExitOK || strings.Contains(out+stderr, "hunter2") || !strings.Contains(out, "partner-key: "+hidden) {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(out), &values); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if values["workers"] != 7 || values["call-timeout"] != "3s" || values["lease"] != "10s" {
		t.Errorf("workers %v, call-timeout %v, lease %v", values["workers"], values["call-timeout"], values["lease"])
	}
	file := filepath.Join(t.TempDir(), "adapter.yaml")
	write(t, file, out)
	if code, again, stderr := adapterRun(t, "check-config", "--config", file); code != program.ExitOK || again != out {
		t.Errorf("read back: exit code %d, %s\n%s", code, stderr, again)
	}
	code, out, stderr = adapterRun(t, "check-config", "--database", "postgres://u:hunter2@db/x", "--lease", "1s")
	if code != program.ExitUsage || strings.Contains(out+stderr, "hunter2") || !strings.Contains(stderr, "--lease") || !strings.Contains(stderr, "--platform-url") {
		t.Errorf("faults: exit code %d\n%s%s", code, out, stderr)
	}
}

func TestJudgeClock(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 400_000_000, time.UTC)
	for _, tt := range []struct {
		theirs time.Duration // against ours; a Date is cut to the second
		health string
	}{
		{-400 * time.Millisecond, healthy},
		{0, healthy},
		{-3 * time.Second, healthy},
		{4 * time.Second, healthy},
		{-7 * time.Second, worry},
		{7 * time.Second, worry},
		{-2 * time.Minute, broken},
		{2 * time.Minute, broken},
	} {
		got := judgeClock(at, at.Add(100*time.Millisecond), at.Add(tt.theirs))
		if got.Health != tt.health || (got.ToDo == "") != (tt.health == healthy) {
			t.Errorf("%s: %+v, want %s", tt.theirs, got, tt.health)
		}
	}
}

// The doctor finds what is wrong and says what to do, without a platform to talk to.
func TestDoctorFinds(t *testing.T) {
	dir := t.TempDir()
	db := "sqlite:" + filepath.Join(dir, "a.db")
	examine := func(args ...string) (int, map[string]finding) {
		t.Helper()
		code, out, stderr := adapterRun(t, append([]string{
			"doctor", "--json", "--database", db, "--listen", "127.0.0.1:0", "--platform-url", "http://127.0.0.1:1",
			"--partner-hash", strings.Repeat("p", 32), "--partner-key", "k", "--notify-url-base", "https://pay.example",
		}, args...)...)
		var list []finding
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatalf("%v: %s%s", err, out, stderr)
		}
		byName := map[string]finding{}
		for _, f := range list {
			byName[f.Name] = f
		}
		return code, byName
	}
	expect := func(found map[string]finding, name, health, says string) {
		t.Helper()
		f := found[name]
		if f.Health != health || !strings.Contains(f.Detail+f.ToDo, says) {
			t.Errorf("%s: %+v; want %s with %q", name, f, health, says)
		}
		if health == broken && f.ToDo == "" {
			t.Errorf("%s is broken, and nothing is said about what to do", name)
		}
	}
	code, found := examine()
	expect(found, "settings", healthy, "")
	expect(found, "database", healthy, "will be made")
	expect(found, "master key", healthy, "will be made")
	expect(found, "platform", broken, "connection refused")
	expect(found, "clock", skipped, "")
	if code != program.ExitFailed {
		t.Errorf("exit code %d", code)
	}
	if code, _, stderr := adapterRun(t, "migrate", "--database", db); code != program.ExitOK {
		t.Fatal(stderr)
	}
	_, found = examine("--lease", "1s")
	expect(found, "settings", broken, "--lease")
	expect(found, "database", healthy, "answers")
	expect(found, "migrations", healthy, "none pending")
	expect(found, "master key", broken, "restore the key")
	_, found = examine("--tls-cert", filepath.Join(dir, "none.crt"), "--tls-key", filepath.Join(dir, "none.key"), "--listen", "192.0.2.1:1", "--database", "sqlite:"+filepath.Join(dir, "none", "a.db"))
	expect(found, "certificate", broken, "none.crt")
	expect(found, "port", broken, "--listen")
	expect(found, "disk", broken, "make the folder")
}

func TestMigratePlanAndVerify(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"migrate", "plan"}, program.ExitOK, "pending 00001_payments.sql"},
		{[]string{"migrate", "verify"}, program.ExitFailed, "DIFFERS: pending 00001_payments.sql"},
		{[]string{"migrate", "--dry-run"}, program.ExitOK, "pending 00001_payments.sql"},
		{[]string{"migrate"}, program.ExitOK, "applied 00001_payments.sql"},
		{[]string{"migrate", "apply"}, program.ExitOK, "up to date"},
		{[]string{"migrate", "plan"}, program.ExitOK, "up to date"},
		{[]string{"migrate", "verify"}, program.ExitOK, "up to date"},
	} {
		code, out, stderr := adapterRun(t, append(tt.args, "--database", db)...)
		if code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%v: exit code %d, %s%s; want %d, %q", tt.args, code, out, stderr, tt.code, tt.want)
		}
	}
}

func TestAlertFaults(t *testing.T) {
	_, _, stderr := adapterRun(t, "serve", "--alert-secret", "whsec_hunter2", "--alert-refusals", "0", "--breaker-failures=-1", "--breaker-pause", "1ms", "--verify-every", "1s")
	for _, want := range []string{"--alert-url: is missing", "--alert-refusals", "--breaker-failures", "--breaker-pause", "--verify-every"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not named in\n%s", want, stderr)
		}
	}
	_, _, stderr = adapterRun(t, "serve", "--alert-url", "ftp://x", "--alert-secret", "hunter2")
	if !strings.Contains(stderr, "--alert-url: must be") || !strings.Contains(stderr, "--alert-secret: must be whsec_") || strings.Contains(stderr, "hunter2") {
		t.Error(stderr)
	}
}
