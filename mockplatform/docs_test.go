package mockplatform_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// runners run a file of each language that the documents have examples in.
var runners = map[string]struct {
	ext     string
	command []string
}{
	"sh":     {"sh", []string{"sh"}},
	"php":    {"php", []string{"php"}},
	"go":     {"go", []string{"go", "run"}},
	"js":     {"js", []string{"node"}},
	"python": {"py", []string{"python3"}},
}

// example is a fenced piece of code of a document.
type example struct{ language, code string }

var fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

func examples(t *testing.T, document string) (all []example) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		all = append(all, example{m[1], m[2]})
	}
	return all
}

// run runs the example as it stands in the document. Without the language's program it is
// skipped, but not in CI, where .ci/tools has installed it.
func (e example) run(t *testing.T, environment ...string) string {
	t.Helper()
	runner, known := runners[e.language]
	if !known {
		t.Fatalf("no test runs %s", e.language)
	}
	if _, err := exec.LookPath(runner.command[0]); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed: .ci/tools does that", runner.command[0])
		}
		t.Skipf("%s is not installed", runner.command[0])
	}
	file := filepath.Join(t.TempDir(), "example."+runner.ext)
	if err := os.WriteFile(file, []byte(e.code), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), runner.command[0], append(runner.command[1:], file)...)
	command.Env = append(os.Environ(), environment...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// Every recipe of docs/clients.md gets an answer from the stand-in under a platform's name.
func TestClientRecipes(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.TLSListen = "127.0.0.1:0" })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.Authority().Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	recipes := examples(t, "clients.md")
	if len(recipes) != 5 {
		t.Fatalf("%d recipes, want 5", len(recipes))
	}
	for _, recipe := range recipes {
		t.Run(recipe.language, func(t *testing.T) {
			k, err := wire.Seal(wire.Simple, partner(), wire.HelloArgs{Name: recipe.language})
			if err != nil {
				t.Fatal(err)
			}
			out := recipe.run(t, "MOCK_TLS="+strings.TrimPrefix(s.TLSURL(), "https://"), "MOCK_CA="+ca, "MOCK_K="+k)
			if !strings.Contains(out, "Hello, "+recipe.language+"!") {
				t.Errorf("it printed %q", out)
			}
			e := s.Journal().List(journal.Filter{Limit: 1})
			if len(e) != 1 || e[0].Scheme != "https" || !strings.Contains(string(e[0].Request), "Host: sandbox.promopult.org\r\n") {
				t.Errorf("the stand-in saw %+v", e)
			}
		})
	}
}

// Every example of docs/languages.md does what it says.
func TestLanguageExamples(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t)
	all := examples(t, "languages.md")
	if len(all) != 3 {
		t.Fatalf("%d examples, want 3", len(all))
	}
	for _, e := range all {
		t.Run(e.language, func(t *testing.T) {
			t.Parallel()
			out := e.run(t, "MOCK_PLATFORM="+s.PlatformURL(), "MOCK_CONTROL="+s.ControlURL())
			if want := "200 503 f1 status 503\n"; out != want {
				t.Errorf("it printed %q, want %q", out, want)
			}
		})
	}
	t.Cleanup(func() {
		if left := s.Journal().Len(); left != 0 {
			t.Errorf("%d exchanges outside the namespaces", left)
		}
	})
}

// A command that the journal gives for an exchange repeats it.
func TestCurlRepeats(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t)
	hello := address(t, s, wire.Hello, partner(), wire.HelloArgs{Name: "it's; $me"}, nil)
	if status, _ := get(t, hello, ""); status != 200 {
		t.Fatal(status)
	}
	command := s.Journal().Get(1).Curl()
	if out := (example{"sh", command}).run(t); !strings.Contains(out, `"data":"Hello, it's; $me!"`) {
		t.Errorf("%s\nprinted %s", command, out)
	}
	first, second := s.Journal().Get(1), s.Journal().Get(2)
	line := func(e *journal.Exchange) string { text, _, _ := strings.Cut(string(e.Request), "\r\n"); return text }
	if second == nil || line(first) != line(second) {
		t.Errorf("repeated %v", second)
	}
}
