package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

// Whatever a flag is called that holds a secret, it has the type that hides it.
func TestSecretFlagsAreSecret(t *testing.T) {
	var c cli
	app, err := kong.New(&c, kong.Vars{"version": "", "log_format": "", "account": "", "states": "", "due_states": ""})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(^|-)(key|secret|password|token)(-previous)?$`)
	names := map[string]bool{ // these are called so and hold none
		"key":              true, // the caller's own name for a deposit or payment
		"param-token":      true, // the name of a parameter
		"tls-key":          true, // a file
		"billing-cert-key": true, // a file
		"api-public-key":   true, // a file, and nothing secret in it
	}
	checked := 0
	err = kong.Visit(app.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && named.MatchString(f.Name) && !names[f.Name] {
			checked++
			if f.Target.Type() != reflect.TypeFor[secret]() {
				t.Errorf("--%s is a %s; a secret is of type secret", f.Name, f.Target.Type())
			}
		}
		return next(nil)
	})
	if err != nil || checked < 4 {
		t.Errorf("checked %d flags, %v", checked, err)
	}
}

func TestSecretHidesItself(t *testing.T) {
	const text = "hunter2"
	s := secret(text)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "thing", s)
	marshalled, err := json.Marshal(map[string]any{"thing": s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%v %s", s, s), logged.String(), string(marshalled)} {
		if strings.Contains(shown, text) || !strings.Contains(shown, hidden) {
			t.Errorf("shown as %s", shown)
		}
	}
	if secret("").String() != "" {
		t.Error("a secret that is not given looks as if it were")
	}
}

// No way of giving a secret wrongly makes the program repeat it: not --help, not an error.
func TestSecretsAreNeverEchoed(t *testing.T) {
	const text = "hunter2-hunter2-/?" // wrong wherever a form is asked for
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, text+"\n")
	flags := []string{"master-key", "partner-key", "notify-secret", "anymoney-key"}
	for _, value := range []string{text, "file:" + file} {
		for _, more := range [][]string{{"--help"}, {"--cipher", "rot13"}, {"--fly"}, {"--notify-auth", "secret"}, {"--lease", "soon"}} {
			args := []string{"serve"}
			for _, f := range flags {
				args = append(args, "--"+f, value)
			}
			_, stdout, stderr := adapterRun(t, append(args, more...)...)
			if strings.Contains(stdout+stderr, "hunter2") {
				t.Errorf("%v with %v echoes a secret:\n%s%s", value, more, stdout, stderr)
			}
		}
	}
	for _, f := range flags {
		t.Setenv("ADAPTER_"+strings.ToUpper(strings.ReplaceAll(f, "-", "_")), text)
	}
	for _, args := range [][]string{{"serve", "--help"}, {"serve"}} {
		if _, stdout, stderr := adapterRun(t, args...); strings.Contains(stdout+stderr, "hunter2") {
			t.Errorf("%v echoes a secret of the environment:\n%s%s", args, stdout, stderr)
		}
	}
}

func TestSecretFromFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "line one\n")
	for value, want := range map[string]string{"plain": "plain", "file:" + file: "line one", "": ""} {
		var c struct{ Key secret }
		app, err := kong.New(&c, kong.Writers(io.Discard, io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Parse([]string{"--key=" + value}); err != nil || string(c.Key) != want {
			t.Errorf("%q: %q, %v; want %q", value, string(c.Key), err, want)
		}
	}
	code, _, stderr := adapterRun(t, "serve", "--partner-key", "file:"+file+".none")
	if code != program.ExitUsage || !strings.Contains(stderr, "partner-key") || !strings.Contains(stderr, ".none") {
		t.Errorf("a file that is not there: exit code %d, %s", code, stderr)
	}
}

func TestEntryFaults(t *testing.T) {
	code, _, stderr := adapterRun(t, "serve", "--notify-auth", "none", "--tls-cert", "x", "--trusted-proxies", "here", "--notify-rate=-1", "--notify-rate-per-source", "2000000")
	if code != program.ExitUsage {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"--notify-allow: is needed", "--tls-cert, --tls-key", "--trusted-proxies: \"here\"", "--notify-rate:", "--notify-rate-per-source:"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not named in\n%s", want, stderr)
		}
	}
	if _, _, stderr := adapterRun(t, "serve", "--notify-auth", "none", "--notify-allow", "127.0.0.0/8,::1", "--notify-rate=0.5"); strings.Contains(stderr, "--notify-allow") || strings.Contains(stderr, "--notify-rate") {
		t.Errorf("faults in what is right:\n%s", stderr)
	}
}
