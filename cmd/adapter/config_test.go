package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

// adapterRun runs the command in a folder of its own.
func adapterRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestServeNamesEveryFaultAtOnce(t *testing.T) {
	code, _, stderr := adapterRun(t, "serve",
		"--database", "mysql://x", "--master-key", "short", "--platform-url", "ftp://x", "--partner-path", "a b",
		"--partner-hash", "abc", "--cipher", "rot13", "--call-timeout", "1ms", "--notify-url-base", "https://x/?q=1",
		"--notify-auth", "secret", "--notify-secret", "short", "--notify-token-ttl", "1s", "--param-id", "a&b",
		"--listen", "nowhere", "--workers", "0", "--lease", "1ms", "--retry-first", "1h")
	if code != program.ExitUsage {
		t.Errorf("exit code %d; want %d", code, program.ExitUsage)
	}
	for _, want := range []string{
		"--database", "--master-key", "--platform-url", "--partner-path", "--partner-hash", "--partner-key", "--cipher",
		"--call-timeout", "--notify-url-base", "--notify-secret", "--notify-token-ttl", "--param-", "--listen",
		"--workers", "--lease", "--retry-first", "16 to mend",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not named in\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr, "short") {
		t.Errorf("a secret is repeated in\n%s", stderr)
	}
}

// What a payin brings has no place where the partner's billing keeps the funds.
func TestBillingTakesNoPayins(t *testing.T) {
	_, _, stderr := adapterRun(t, "serve", "--funds", "billing", "--anymoney-url", "https://api.any.money/")
	if !strings.Contains(stderr, "--funds=billing: does not go with --anymoney-url") || !strings.Contains(stderr, "leave out --anymoney-url") {
		t.Errorf("it is not said in\n%s", stderr)
	}
}

func TestStatementBackwards(t *testing.T) {
	code, _, stderr := adapterRun(t, "ledger", "statement", "u", "--from", "2026-11-02T00:00:00Z", "--to", "2026-11-01T00:00:00Z")
	if code != program.ExitUsage || !strings.Contains(stderr, "--to: must be after --from") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
}

// Any.Money is off without an address; with one, everything else is asked for.
func TestAnymoneyIsWholeOrOff(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"off":        {args: []string{"serve"}},
		"no address": {[]string{"serve", "--anymoney-merchant", "37"}, []string{"--anymoney-url"}},
		"the rest": {
			[]string{
				"serve", "--anymoney-url", "https://api.any.money/", "--anymoney-callback-base", "https://x/?q=1", "--anymoney-window", "1ms",
				"--anymoney-answers", "some", "--anymoney-poll", "2h",
			},
			[]string{"--anymoney-merchant", "--anymoney-key", "--anymoney-callback-base", "--anymoney-window", "--anymoney-answers", "--anymoney-poll"},
		},
		"a command that needs it": {[]string{"payins", "calc", "1", "RUB", "visamc"}, []string{"--anymoney-url"}},
	} {
		code, _, stderr := adapterRun(t, tt.args...)
		if code != program.ExitUsage {
			t.Errorf("%s: exit code %d; want %d", name, code, program.ExitUsage)
		}
		if tt.want == nil && strings.Contains(stderr, "--anymoney") {
			t.Errorf("%s: faults in what is off:\n%s", name, stderr)
		}
		for _, want := range tt.want {
			if !strings.Contains(stderr, want+":") {
				t.Errorf("%s: %q is not named in\n%s", name, want, stderr)
			}
		}
	}
}

func TestPollGrowsWithAge(t *testing.T) {
	pol := payinPolicy(anymoneyFlags{AnymoneyPoll: time.Minute})
	for age, want := range map[time.Duration]time.Duration{
		0: time.Minute, time.Minute: time.Minute, 10 * time.Minute: 5 * time.Minute, 2 * time.Hour: time.Hour, 7 * 24 * time.Hour: time.Hour,
	} {
		if got := pol.Poll(age); got != want {
			t.Errorf("pause at the age of %s: %s, want %s", age, got, want)
		}
	}
}

func TestEnvironmentAndFileNameTheSameThings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "adapter.yaml")
	write(t, file, "database: mysql://from-file\n")
	t.Run("file", func(t *testing.T) {
		if _, _, stderr := adapterRun(t, "ledger", "verify", "--config", file); !strings.Contains(stderr, "--database") {
			t.Errorf("the file was not read: %s", stderr)
		}
	})
	t.Run("environment", func(t *testing.T) {
		t.Setenv("ADAPTER_DATABASE", "mysql://from-env")
		if _, _, stderr := adapterRun(t, "ledger", "verify"); !strings.Contains(stderr, "--database") {
			t.Errorf("the environment was not read: %s", stderr)
		}
	})
	t.Run("a key that is no setting", func(t *testing.T) {
		write(t, file, "databse: sqlite:x\nlistne: y\n")
		code, _, stderr := adapterRun(t, "ledger", "verify", "--config", file)
		if code != program.ExitUsage || !strings.Contains(stderr, "databse") || !strings.Contains(stderr, "listne") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	})
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestHelpShowsExamples(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Vars{"log_format": "", "account": "", "version": "", "states": "", "due_states": ""})
	if err != nil {
		t.Fatal(err)
	}
	commands := [][]string{nil}
	for _, leaf := range parser.Model.Leaves(false) {
		commands = append(commands, strings.Fields(leaf.FullPath())[1:])
	}
	for _, command := range commands {
		code, stdout, _ := adapterRun(t, append(command, "--help")...)
		if code != program.ExitOK || !strings.Contains(stdout, "Examples:\n") {
			t.Errorf("%v: exit code %d\n%s", command, code, stdout)
		}
	}
}

// What others wrote, an imported user's login say, stays in its cell.
func TestTableKeepsRowsApart(t *testing.T) {
	rows := table{head: []string{"LOGIN", "STATE"}}
	rows.add("eve\nroot\tadmin\x1b[2J\u202e", "good")
	want := "LOGIN                STATE\neve root admin [2J   good\n"
	if got := rows.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The key file is made once, with a mode that keeps it private, and never overwritten.
func TestMasterKeyFileIsMadeOnce(t *testing.T) {
	db := filepath.Join(t.TempDir(), "a.db")
	mint := func() string {
		code, out, errs := adapterRun(t, "token", "mint", "--database", "sqlite:"+db, "--user", strings.Repeat("u", 32))
		if code != program.ExitOK {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		return out
	}
	mint()
	first, err := os.ReadFile(db + ".key")
	if err != nil {
		t.Fatal(err)
	}
	mint()
	second, err := os.ReadFile(db + ".key")
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the key changed: %v", err)
	}
	if info, err := os.Stat(db + ".key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestPauseDoublesWithJitterUpToTheLongest(t *testing.T) {
	first, longest := 500*time.Millisecond, 10*time.Minute
	for n := 1; n <= 100; n++ {
		whole := min(first<<min(n-1, 20), longest)
		if got := pause(n, first, longest, 0); got != whole/2 {
			t.Errorf("pause %d without dice: %s; want %s", n, got, whole/2)
		}
		if got := pause(n, first, longest, 1); got != whole {
			t.Errorf("pause %d with full dice: %s; want %s", n, got, whole)
		}
	}
}

func TestWrongUseIsToldApartFromFailure(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none", "a.db")
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown command", []string{"fly"}, program.ExitUsage, "fly"},
		{"unknown flag", []string{"serve", "--fly"}, program.ExitUsage, "fly"},
		{"log level", []string{"token", "master-key", "--log-level", "loud"}, program.ExitUsage, "loud"},
		{"log format", []string{"token", "master-key", "--log-format", "xml"}, program.ExitUsage, "xml"},
		{"negative deposit", []string{"ledger", "deposit", strings.Repeat("u", 32), "--", "-5"}, program.ExitUsage, "amount"},
		{"amount with comma", []string{"ledger", "deposit", strings.Repeat("u", 32), "1,5"}, program.ExitUsage, "amount"},
		{"user that is no hash", []string{"ledger", "deposit", "bob", "5"}, program.ExitUsage, "user"},
		{"unknown state", []string{"payments", "list", "--state", "lost"}, program.ExitUsage, "lost"},
		{"unknown kind", []string{"payments", "list", "--kind", "gift"}, program.ExitUsage, "gift"},
		{"unknown screen", []string{"login-link", strings.Repeat("u", 32), "--r", "go/away"}, program.ExitUsage, "--r"},
		{"token for nobody", []string{"token", "mint"}, program.ExitUsage, "--user"},
		{"database that cannot be", []string{"ledger", "verify", "--database", "sqlite:" + missing}, program.ExitFailed, "database"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, stderr := adapterRun(t, tt.args...)
			if code != tt.code || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q in it", code, tt.code, stderr, tt.want)
			}
		})
	}
}
