package yamldoc_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/internal/yamldoc"
)

func env(name string) (string, bool) { return "value: 1", name == "NAME" }

func TestParse(t *testing.T) {
	t.Parallel()
	doc, err := yamldoc.Parse("x.yaml", []byte(`# one
text: &t "100" # two
number: 7
half: .5
yes: true
none: ~
day: 2026-01-31
list:
  - a
  - {b: *t, c.d: "${NAME} ${OTHER:-else} ${OTHER:-} {id} $x"}
37: merchant
`), env)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"text": "100", "number": int64(7), "half": .5, "yes": true, "none": nil, "day": "2026-01-31", "37": "merchant",
		"list": []any{"a", map[string]any{"b": "100", "c.d": "value: 1 else  {id} $x"}},
	}
	if diff := cmp.Diff(want, doc.Value); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
	if a, b := doc.Text("half"), doc.Text("yes"); a != ".5" || b != "true" {
		t.Errorf("written are %q and %q", a, b)
	}
	for path, line := range map[string]int{
		"": 2, "text": 2, "list": 8, "list[0]": 9, "list[1]": 10, "list[1].b": 10, "37": 11,
		"list[1].nothing.deeper[3]": 10, "nothing": 2, "list[7]": 8,
	} {
		if got := doc.Line(path); got != line {
			t.Errorf("line of %q is %d, want %d", path, got, line)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ yaml, want string }{
		"empty":        {"# nothing", "x.yaml:1: is empty"},
		"syntax":       {"a: 1\n\tb: 2", "x.yaml:2: found a tab character that violates indentation"},
		"twice":        {"a: 1\nb: 2\na: 3", "x.yaml:3: a: is there twice: first on line 1"},
		"deep twice":   {"a:\n- b: 2\n  b: 3", "x.yaml:3: a[0].b: is there twice: first on line 2"},
		"second":       {"a: 1\n---\nb: 2", "x.yaml:3: is a second document: one is enough"},
		"bad second":   {"a: 1\n---\n[", "x.yaml:3: did not find expected node content"},
		"merge":        {"a: &a {b: 1}\nc:\n  <<: *a", "x.yaml:3: c: has a key that is no text"},
		"key":          {"? [1]\n: 2", "x.yaml:1: has a key that is no text"},
		"long key":     {strings.Repeat("k", 129) + ": 1", "x.yaml:1: has a key of more than 128 bytes"},
		"tag":          {"a: !!binary aGk=", "x.yaml:1: a: the tag !!binary means nothing here"},
		"own tag":      {"a: !x y", "x.yaml:1: a: the tag !x means nothing here"},
		"large number": {"a: 9223372036854775808", "x.yaml:1: a: 9223372036854775808 is no number that fits"},
		"infinity":     {"a: .inf", "x.yaml:1: a: .inf is no number that fits"},
		"itself":       {"a: &a [*a]", "x.yaml:1: a" + strings.Repeat("[0]", 10) + ": is nested too deeply, or contains itself"},
		"unknown":      {"a: 1\nb: ${OTHER}", "x.yaml:2: b: ${OTHER}: there is no such variable, and ${OTHER:-…} gives no other text"},
		"several":      {"b: .nan\na: .nan", "x.yaml:1: b: .nan is no number that fits\nx.yaml:2: a: .nan is no number that fits"},
		"many values":  {strings.Repeat("- 1\n", 50_001), "x.yaml:50000: [49999]: there are more than 50000 values"},
		"large":        {strings.Repeat("#", yamldoc.MaxBytes+1), "x.yaml: is larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := yamldoc.Parse("x.yaml", []byte(tt.yaml), env)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestManyFaults(t *testing.T) {
	t.Parallel()
	_, err := yamldoc.Parse("x.yaml", []byte(strings.Repeat("- .nan\n", 60)), env)
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 51 || lines[50] != "and 10 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, make([]byte, yamldoc.MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	var faults *yamldoc.Error
	if _, err := yamldoc.Read(large); !errors.As(err, &faults) {
		t.Errorf("large: %v", err)
	}
	if _, err := yamldoc.Read(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	if text, err := yamldoc.Read("yamldoc_test.go"); err != nil || len(text) == 0 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// What is accepted has a value that JSON can write, and a line for each part.
func FuzzParse(f *testing.F) {
	f.Add([]byte("a: &a [1, .5, ~, true]\nb: {c: *a, d: '${NAME}'}\n"))
	f.Add([]byte("- ? x\n  : y\n- !!str 5\n- |\n  long\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := yamldoc.Parse("x.yaml", text, env)
		if err != nil {
			var faults *yamldoc.Error
			if !errors.As(err, &faults) || len(faults.Faults) == 0 {
				t.Errorf("error %v", err)
			}
			return
		}
		if _, err := json.Marshal(doc.Value); err != nil {
			t.Error(err)
		}
		if line := doc.Line("a.b[0]"); line < 1 {
			t.Errorf("line %d", line)
		}
	})
}
