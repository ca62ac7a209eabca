package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform"
)

// call runs a command and returns its exit code and what it wrote.
func call(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestList(t *testing.T) {
	t.Parallel()
	code, out, _ := call(t, "list", "--only", "INT-CRASH", "--lang", "ru")
	if code != exitKept || !strings.Contains(out, "INT-CRASH-01") || !strings.Contains(out, "Уведомление получило 200") || strings.Contains(out, "INT-NOTIFY") {
		t.Errorf("list: %d\n%s", code, out)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	code, out, _ := call(t, "explain", "int-lost-04", "--lang", "en")
	for _, part := range []string{"INT-LOST-04", "the money is not given back", "Integra §5", "Mend", "tries=tries+1", "confirmPayment"} {
		if code != exitKept || !strings.Contains(out, part) {
			t.Errorf("explain: %d, no %q in\n%s", code, part, out)
		}
	}
	if code, _, errs := call(t, "explain", "INT-LOST-99"); code != exitError || !strings.Contains(errs, `"INT-LOST-99" is no check`) {
		t.Errorf("explain of nothing: %d\n%s", code, errs)
	}
}

// What is wrong with the call or the target is said by name, with exit code 2.
func TestBadInput(t *testing.T) {
	t.Parallel()
	const hook = `{adopt: ["true"], deposit: ["true"], balance: [HOOK]}`
	one := filepath.Join(t.TempDir(), "report")
	nothing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nothing.Close)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Log in</html>")) }))
	t.Cleanup(page.Close)
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	adapter := func(hook, rest string) string {
		return "adapter:\n  notify_url: " + nothing.URL + "/{id}/{amount}\n  users: adopt\n  hook: " + hook + "\nstand_in: {listen: '127.0.0.1:0'}\n" + rest
	}
	lying := adapter(`{adopt: ["true"], deposit: ["true"], balance: [echo, "7"]}`, "")
	for _, tt := range []struct {
		name, target string
		args         []string
		want         string
	}{
		{"no such file", "", nil, "no such file"},
		{"unknown key", "adaptor: {}", nil, `"adaptor" is no key here; possible are name, adapter, platform`},
		{"a check that is not there", adapter(hook, ""), []string{"--only", "INT-NOPE"}, `"INT-NOPE" names no check`},
		{"a hook that fails", adapter(`{adopt: ["sh", -c, "echo the database is down >&2; exit 3"], deposit: ["true"], balance: ["true"]}`, ""), []string{"--only", "INT-NOTIFY-01"}, "hook adopt: sh -c echo the database is down >&2; exit 3: exit status 3: the database is down"},
		{"a hook that loses deposits", lying, []string{"--only", "INT-NOTIFY-01"}, "hook balance: 7.00 available and 0.00 reserved of a new user who was given 1000.00"},
		{"a hook that hangs", adapter(`{adopt: [sleep, "100"], deposit: ["true"], balance: ["true"]}`, "limits: {hook: 50ms}"), []string{"--only", "INT-NOTIFY-01"}, "hook adopt: no answer within 50ms"},
		{"a hook that is not there", adapter(`{adopt: [/no/such/program], deposit: ["true"], balance: ["true"]}`, ""), []string{"--only", "INT-NOTIFY-01"}, "/no/such/program"},
		{"a hook that floods", adapter(`{adopt: [sh, -c, "head -c 3000000 /dev/zero"], deposit: ["true"], balance: ["true"]}`, ""), []string{"--only", "INT-NOTIFY-01"}, "sh printed more than 1 MiB"},
		{"a hook URL that nobody serves", adapter(`{url: "http://127.0.0.1:1/hook", operations: [adopt, deposit, balance]}`, ""), []string{"--only", "INT-NOTIFY-01"}, "hook adopt: Post \"http://127.0.0.1:1/hook\""},
		{"a hook that shows a page", adapter(`{url: "`+page.URL+`", operations: [adopt, deposit, balance]}`, ""), []string{"--only", "INT-NOTIFY-01"}, "hook adopt: POST " + page.URL + ": the answer is no JSON: <html>Log in</html>"},
		{"a hook whose answer never ends", adapter(`{url: "`+endless.URL+`", operations: [adopt, deposit, balance]}`, ""), []string{"--only", "INT-NOTIFY-01"}, "hook adopt: POST " + endless.URL + ": the answer is longer than 1 MiB"},
		{"a request that is refused", adapter(`{adopt: ["true"], deposit: ["true"], requests: {adopt: {post: "`+nothing.URL+`/users/{user}"}, balance: {get: "`+nothing.URL+`"}}}`, ""), []string{"--only", "INT-NOTIFY-01"}, "hook adopt: POST " + nothing.URL + "/users/"},
		{"a token that cannot be had", adapter(`{token: [sh, -c, "echo locked >&2; exit 1"], deposit: ["true"], requests: {adopt: {post: "`+nothing.URL+`"}, balance: {get: "`+nothing.URL+`"}}}`, ""), []string{"--only", "INT-NOTIFY-01"}, "hook adopt: adapter.hook.token: sh -c echo locked >&2; exit 1: exit status 1: locked"},
		{"a stand-in that nobody serves", adapter(hook, ""), []string{"--platform", "http://127.0.0.1:1"}, "control API http://127.0.0.1:1"},
		{"no address of a stand-in", adapter(hook, ""), []string{"--platform", "nonsense"}, "--platform: "},
		{"an adapter that is not there", strings.Replace(adapter(hook, ""), nothing.URL, "http://127.0.0.1:1", 1), nil, "adapter.notify_url: nobody answers at 127.0.0.1:1"},
		{"a start that fails", "adapter:\n  notify_url: http://${listen}/{id}/{amount}\n  users: adopt\n  start: {command: [sh, -c, 'echo no port; exit 4']}\n  hook: " + hook, nil, "adapter.start.command: it ended before it served: exit status 4\nno port"},
		{"two reports in one file", adapter(hook, ""), []string{"--json", one, "--html", one}, "--html: " + one + " is the file of another report already"},
		{"a start that never serves", "limits: {start: 200ms}\nadapter:\n  notify_url: http://${listen}/{id}/{amount}\n  users: adopt\n  start: {command: [sleep, '60'], ready: '" + nothing.URL + "/up'}\n  hook: " + hook, nil, "it does not serve after 200ms: adapter.start.ready: " + nothing.URL + "/up answers 404"},
		{"a platform that nobody serves", "platform: {integra: {url: 'http://127.0.0.1:1', partner: {hash: c9cb3d6a7f7b802f170ca8a166c1375e, key: k, path: p}}}", nil, "platform.integra.url: nobody answers at 127.0.0.1:1"},
		{"checks of another kind", "platform: {integra: {url: '" + nothing.URL + "', partner: {hash: c9cb3d6a7f7b802f170ca8a166c1375e, key: k, path: p}}}", []string{"--only", "INT-CRASH"}, "another kind of target"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "target.yaml")
			if tt.target != "" {
				if err := os.WriteFile(file, []byte(tt.target), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, out, errs := call(t, append([]string{"run", "--target", file}, tt.args...)...)
			if code != exitError || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d; want 2 and %q in\n%s%s", code, tt.want, errs, out)
			}
			if strings.Contains(errs, "goroutine ") {
				t.Errorf("a stack trace:\n%s", errs)
			}
		})
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ lcAll, lang, want string }{
		{"", "ru_RU.UTF-8", "ru"}, {"C", "ru_RU.UTF-8", "en"}, {"ru_RU", "en_US", "ru"}, {"", "", "en"},
	} {
		got := language(func(name string) (string, bool) {
			return map[string]string{"LC_ALL": tt.lcAll, "LANG": tt.lang}[name], true
		})
		if got != tt.want {
			t.Errorf("language with LC_ALL=%q LANG=%q = %q; want %q", tt.lcAll, tt.lang, got, tt.want)
		}
	}
}

// Two runs at once against one stand-in, with one seed, do not disturb each other, although
// both move the time, set switches and configure Any.Money; nothing of them stays there.
func TestTwoRunsAtOneStandIn(t *testing.T) {
	t.Parallel()
	platform := mockplatform.Start(t)
	text, err := os.ReadFile("../../docs/examples/target-stand-in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("http://127.0.0.1:8091"), []byte(platform.ControlURL()))
	text = append(bytes.ReplaceAll(text, []byte("http://127.0.0.1:8090"), []byte(platform.PlatformURL())), "\nlimits: {settle: 1m, check: 3m}\n"...)
	file := filepath.Join(t.TempDir(), "target.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			code, out, errs := call(t, "run", "--target", file, "--seed", "1", "--only", "PI-NOTIFY", "--only", "PI-CONFIRM", "--only", "PA-ORDER", "--only", "PR-RESULT")
			if code != exitKept {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
		})
	}
	both.Wait()
	code, out, _ := call(t, "run", "--target", file, "--no-namespace", "--only", "PI-CALL-01")
	if seen := platform.Journal().Len(); code != exitKept || seen == 0 || seen > 20 || len(platform.Integra().Users()) > 0 {
		t.Errorf("exit %d, %d exchanges in the shared world; want those of --no-namespace alone\n%s", code, seen, out)
	}
}

// An interrupted run still says what it found.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	nothing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nothing.Close)
	file := filepath.Join(t.TempDir(), "target.yaml")
	// The hook ends the run at the first payment that is asked for.
	stop := filepath.Join(t.TempDir(), "stop")
	target := "adapter:\n  notify_url: " + nothing.URL + "/{id}/{amount}\n  users: adopt\n  hook: {adopt: ['true'], deposit: ['true'], balance: [echo, '100'], pay: [sh, -c, 'touch " + stop + "; sleep 60']}\nstand_in: {listen: '127.0.0.1:0'}\nlimits: {hook: 1m}\n"
	if err := os.WriteFile(file, []byte(target), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer cancel()
		for tick := time.NewTicker(5 * time.Millisecond); t.Context().Err() == nil; <-tick.C {
			if _, err := os.Stat(stop); err == nil {
				return
			}
		}
	}()
	var out, errs bytes.Buffer
	folder := t.TempDir()
	reports := map[string]string{ // and what each says of it
		filepath.Join(folder, "report.json"): `"outcome": "not_run"`, filepath.Join(folder, "report.xml"): `<skipped message="not run">`, filepath.Join(folder, "report.html"): "The run ended early",
	}
	args := []string{"run", "--target", file, "--only", "INT-DIRECT-03", "--lang", "en"}
	for name := range reports {
		args = append(args, map[string]string{".json": "--json", ".xml": "--junit", ".html": "--html"}[filepath.Ext(name)], name)
	}
	code := run(ctx, args, &out, &errs)
	for _, part := range []string{"ended: ", "No verdict", "1 not run"} {
		if code != exitError || !strings.Contains(out.String(), part) {
			t.Errorf("exit %d, no %q in\n%s%s", code, part, out.String(), errs.String())
		}
	}
	for name, want := range reports {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v; no %q in\n%s", filepath.Base(name), err, want, text)
		}
	}
}

// Ctrl-C while the adapter starts is not taken for one that does not serve.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	ready := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel(errors.New("interrupt"))
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(ready.Close)
	file := filepath.Join(t.TempDir(), "target.yaml")
	text := "adapter:\n  notify_url: http://${listen}/{id}/{amount}\n  users: adopt\n  start: {command: [sleep, '60'], ready: '" + ready.URL + "'}\n  hook: {adopt: ['true'], deposit: ['true'], balance: ['true']}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(ctx, []string{"run", "--target", file}, &out, &errs)
	if code != exitError || !strings.Contains(errs.String(), "it did not serve yet: interrupt") || strings.Contains(errs.String(), "30s") {
		t.Errorf("exit code %d\n%s", code, errs.String())
	}
}

// A report that cannot be written is said so before anything is run, and what is there already
// is not touched by a run that fails.
func TestReportFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	started := filepath.Join(folder, "started")
	target := filepath.Join(folder, "target.yaml")
	text := "adapter:\n  notify_url: http://${listen}/{id}/{amount}\n  users: adopt\n  start: {command: [sh, -c, 'touch " + started + "; exit 4']}\n  hook: {adopt: ['true'], deposit: ['true'], balance: ['true']}\n"
	if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(folder, "old.html")
	if err := os.WriteFile(old, []byte("the last one"), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(folder, "fresh.xml")
	for _, flag := range []string{"--html", "--json", "--junit"} {
		for _, bad := range []string{filepath.Join(folder, "nowhere", "report"), folder} {
			code, out, errs := call(t, "run", "--target", target, flag, bad)
			if code != exitError || !strings.Contains(errs, flag+": open "+bad) {
				t.Errorf("%s %s: exit %d\n%s%s", flag, bad, code, out, errs)
			}
			if _, err := os.Stat(started); err == nil {
				t.Fatalf("%s %s: the adapter was started all the same", flag, bad)
			}
		}
	}
	code, _, errs := call(t, "run", "--target", target, "--html", old, "--junit", fresh)
	if code != exitError || !strings.Contains(errs, "adapter.start.command: it ended before it served") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	if text, err := os.ReadFile(old); err != nil || string(text) != "the last one" {
		t.Errorf("the old report is %q, %v", text, err)
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("an empty report was left behind")
	}
}
