package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/cmd/internal/program"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// readyLine is what the line "ready" tells whoever started the stand-in.
type readyLine struct {
	Msg, Platform, Control, Version, TLS string
	Seed                                 uint64
}

// serve runs the command until the test ends, and returns its line "ready".
func serve(t *testing.T, args ...string) readyLine {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append(args, "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"), in, in)
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("no line; exit code %d", <-code)
	}
	var ready readyLine
	if err := json.Unmarshal(lines.Bytes(), &ready); err != nil || ready.Msg != "ready" {
		t.Fatalf("first line %q: %v", lines.Text(), err)
	}
	t.Cleanup(func() {
		stop()
		for lines.Scan() {
		}
		if got := <-code; got != program.ExitOK {
			t.Errorf("exit code %d", got)
		}
	})
	return ready
}

func get(t *testing.T, address string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", address, response.StatusCode, body, err)
	}
	return strings.TrimSpace(string(body))
}

func TestServe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mock.yaml")
	if err := os.WriteFile(file, []byte("seed: 7\nfrozen: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"serve", "--seed", "42", "--frozen", "--now", "2026-01-31T00:00:00Z"},
		{"--seed", "42", "--frozen", "--now", "2026-01-31T00:00:00Z"}, // serve is what it does by default
		{"--config", file, "--now", "2026-01-31T00:00:00Z", "--seed", "42"},
	} {
		ready := serve(t, args...)
		if ready.Seed != 42 || ready.Version == "" {
			t.Errorf("%v: ready %+v", args, ready)
		}
		if got, want := get(t, ready.Control+"/clock"), `{"now_ms":1769817600000,"frozen":true,"rate":1}`; got != want {
			t.Errorf("%v: clock %s, want %s", args, got, want)
		}
		if got, want := get(t, ready.Platform+"/partners/acme/hello"), `{"status":{"code":1,`; !strings.HasPrefix(got, want) {
			t.Errorf("%v: hello %s, want %s…", args, got, want)
		}
	}
}

func TestSeedIsPrinted(t *testing.T) {
	t.Parallel()
	if a, b := serve(t), serve(t); a.Seed == b.Seed {
		t.Errorf("two starts with the same seed %d", a.Seed)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("MOCKPLATFORM_SEED", "9")
	if ready := serve(t); ready.Seed != 9 {
		t.Errorf("ready %+v, want seed 9", ready)
	}
}

func TestUnkind(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--unkind"}, {"--faults", "repeats,answers-lost"}} {
		if got := get(t, serve(t, args...).Control+"/faults"); !strings.Contains(got, `"id":"f4"`) {
			t.Errorf("%v: faults %s", args, got)
		}
	}
	if got := get(t, serve(t).Control+"/faults"); !strings.Contains(got, `"faults":[]`) {
		t.Errorf("without a flag: faults %s", got)
	}
}

// What `ca` writes is what clients of `--tls` trust, also after the next start.
func TestTLS(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	keep, out := filepath.Join(folder, "keep.pem"), filepath.Join(folder, "ca.pem")
	for range 2 {
		ready := serve(t, "--tls", "--tls-listen", "127.0.0.1:0", "--ca-file", keep)
		var text bytes.Buffer
		if code := run(t.Context(), []string{"ca", "--ca-file", keep, "--out", out}, &text, &text); code != program.ExitOK {
			t.Fatalf("ca: exit code %d: %s", code, &text)
		}
		if code := run(t.Context(), []string{"ca", "--ca-file", keep}, &text, &text); code != program.ExitOK {
			t.Fatalf("ca: exit code %d: %s", code, &text)
		}
		cert, err := os.ReadFile(out)
		if err != nil || text.String() != string(cert) || strings.Contains(string(cert), "PRIVATE") {
			t.Fatalf("certificate %s, printed %s: %v", cert, &text, err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(cert)
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(ready.TLS, "https://"))
			},
		}}
		for _, address := range []string{
			"https://sandbox.promopult.org/iframe/hello", "https://api.any.money/", "https://auth.robokassa.ru/Merchant/Index.aspx", ready.TLS + "/iframe/hello",
		} {
			response, err := client.Get(address)
			if err != nil {
				t.Errorf("%s: %v", address, err)
				continue
			}
			_ = response.Body.Close()
		}
		if got := get(t, ready.Control+"/journal"); strings.Count(got, `"scheme":"https"`) != 4 {
			t.Errorf("journal %s", got)
		}
	}
}

// A scenario of the command line is played, in its namespace if it names one.
func TestScenario(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "..", "docs", "examples", "scenarios")
	ready := serve(t, "--scenario", filepath.Join(folder, "top-ups.yaml"), "--scenario", filepath.Join(folder, "shops-and-merchants.yaml"))
	for path, want := range map[string]string{
		"/integra/users": `"balance":"250.50"`, "/scenario": `"name":"Top-ups of all kinds"`, "/clock": `"now_ms":1772442000000,"frozen":true`,
		"/ns/shops/robokassa/shops": `"login":"my-shop"`, "/ns/other/scenario": `"name":"Top-ups of all kinds"`,
	} {
		if got := get(t, ready.Control+path); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// The schema that is published is the one of the code.
func TestScenarioSchema(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if code := run(t.Context(), []string{"scenario", "schema"}, &out, &out); code != program.ExitOK {
		t.Fatalf("exit code %d: %s", code, &out)
	}
	published, err := os.ReadFile(filepath.Join("..", "..", "docs", "scenario.schema.json"))
	if err != nil || !bytes.Equal(published, out.Bytes()) {
		t.Errorf("docs/scenario.schema.json is not what `mockplatform scenario schema` prints: write it anew (%v)", err)
	}
}

func TestScenarioCheck(t *testing.T) {
	t.Parallel()
	good := filepath.Join("..", "..", "docs", "examples", "scenarios", "month-end.yaml")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	text := "users:\n  - hash: a11ce000000000000000000000000000\n    login: alice\n    key: k\n    balance: \"1.234\"\n"
	if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		text []string // each a line of the output, or its beginning
	}{
		{[]string{"scenario", "check", good}, program.ExitOK, []string{good + ": 3 users, 6 steps"}},
		{[]string{"scenario", "check", bad, good}, program.ExitUsage, []string{good + ": 3 users", bad + ":5: users[0].balance: malformed amount"}},
		{[]string{"--scenario", bad}, program.ExitUsage, []string{bad + ":5: users[0].balance: malformed amount"}},
		{[]string{"--scenario", good, "--scenario", good}, program.ExitFailed, []string{"mockplatform: two scenarios name no namespace"}},
		{[]string{"--scenario", "nowhere.yaml"}, program.ExitFailed, []string{"mockplatform: open nowhere.yaml: "}},
		{[]string{"scenario", "check"}, program.ExitUsage, []string{"mockplatform: expected \"<file> ...\""}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if got := run(t.Context(), tt.args, &out, &out); got != tt.code {
				t.Errorf("exit code %d, want %d", got, tt.code)
			}
			for _, text := range tt.text {
				if !strings.Contains("\n"+out.String(), "\n"+text) {
					t.Errorf("output has no line %q:\n%s", text, &out)
				}
			}
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mock.yaml")
	if err := os.WriteFile(file, []byte("sead: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		code int
		text []string
	}{
		{[]string{"--help"}, program.ExitOK, []string{"Examples:", "MOCKPLATFORM_CONTROL_LISTEN", "serve", "scenario check", "--data state.json"}},
		{[]string{"scenario", "check", "--help"}, program.ExitOK, []string{"Scenario files."}},
		{[]string{"serve", "--help"}, program.ExitOK, []string{"--listen", "127.0.0.1:8090", "--seed", "MOCKPLATFORM_SEED"}},
		{[]string{"--version"}, program.ExitOK, []string{program.Version()}},
		{[]string{"--nope"}, program.ExitUsage, []string{"--nope", "--help"}},
		{[]string{"--seed", "-1"}, program.ExitUsage, []string{"--seed"}},
		{[]string{"--now", "yesterday"}, program.ExitUsage, []string{"--now"}},
		{[]string{"--config", file}, program.ExitUsage, []string{"sead"}},
		{[]string{"--faults", "kind"}, program.ExitUsage, []string{"--faults", "kind", "answers-lost"}},
		{[]string{"--rate", "0", "--keep-payments", "0", "--journal-mib=-1"}, program.ExitUsage, []string{"--rate", "--keep-payments", "--journal-mib"}},
		{[]string{"--listen", "nonsense"}, program.ExitFailed, []string{"listen for platform traffic"}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if got := run(t.Context(), tt.args, &out, &out); got != tt.code {
				t.Errorf("exit code %d, want %d", got, tt.code)
			}
			for _, text := range tt.text {
				if !strings.Contains(out.String(), text) {
					t.Errorf("output has no %q:\n%s", text, &out)
				}
			}
		})
	}
}
