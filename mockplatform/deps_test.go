package mockplatform_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/partnerkit/partnerkit/"

// forbidden returns why the package from may not import to, directly or through others, or
// "" if it may. Our own packages are written as "./mockplatform/clock"; only those of this
// tree are judged here.
func forbidden(from, to string) string {
	const root = "./mockplatform"
	within := func(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }
	name := strings.TrimPrefix(strings.TrimPrefix(from, root), "/") // "" for the root

	switch {
	case to == "testing":
		return "this is linked into a program; Start asks for an interface instead"
	case !within(to, "."):
		return ""
	case within(to, "./adapter"):
		return "a stand-in made of the product's own code can never catch it out; they meet over HTTP"
	case within(to, "./cmd"), to == "./contract":
		return "the arrows point the other way"
	case name == "":
		return "" // the root joins them all
	case to == root:
		return "the root joins the others, so none of them stands on it"
	}
	parts := []string{root + "/clock", root + "/fault", root + "/journal"}
	allowed := map[string][]string{
		"authority": nil,
		"clock":     nil, // time, chance and record know nothing of what they serve
		"dice":      nil,
		"hosts":     nil,
		"journal":   nil,
		"doctor":    {root + "/journal"},
		"fault":     {root + "/clock", root + "/journal"}, // rules wait, and look at exchanges
		"traffic":   parts,
		"integra":   append(parts, "./contract/money", "./contract/integra", "./contract/robokassa", "./internal/page", root+"/dice", root+"/doctor", root+"/traffic"),
		"anymoney":  append(parts, "./contract/money", "./contract/anymoney", "./internal/page", root+"/dice", root+"/doctor", root+"/traffic"),
		"robokassa": append(parts, "./contract/money", "./contract/robokassa", "./internal/page", root+"/dice", root+"/doctor", root+"/hosts", root+"/traffic"),
		"recorder":  {root + "/journal", "./contract/money", "./contract/integra", "./contract/anymoney", "./contract/robokassa", "./contract/recording"},
		"control":   {"*"},
		"webui":     {"*"},
	}
	rules, known := allowed[name]
	switch {
	case !known:
		return "no rule says what this package may import: add one"
	case slices.Contains(rules, to) || from == to:
		return ""
	case slices.Contains(rules, "*"):
		if name == "control" && to == root+"/webui" {
			return "the API is there without pages; pages may use the API"
		}
		return ""
	case within(to, "./contract"):
		return "a protocol knows money and its own words; what two of them share is an accident"
	}
	return "a part stands beside its siblings, not on them"
}

// deps returns, for every package below mockplatform and everything that they lead to, what
// it imports by itself.
func deps(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	imports := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(strings.ReplaceAll(line, module, "./"))
		imports[fields[0]] = fields[1:]
	}
	return imports
}

func TestImports(t *testing.T) {
	t.Parallel()
	imports := deps(t)
	judged := 0
	for from := range imports {
		if from != "./mockplatform" && !strings.HasPrefix(from, "./mockplatform/") {
			continue
		}
		judged++
		via := map[string]string{from: ""} // how we got to a package
		for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
			for _, to := range imports[queue[0]] {
				if _, seen := via[to]; seen {
					continue
				}
				via[to] = queue[0]
				queue = append(queue, to)
				if why := forbidden(from, to); why != "" {
					t.Errorf("%s imports %s: %s", from, way(via, to), why)
				}
			}
		}
	}
	if judged < 6 {
		t.Errorf("judged %d packages; want the whole tree", judged)
	}
}

// way writes how one package led to another.
func way(via map[string]string, to string) string {
	steps := []string{to}
	for at := via[to]; at != ""; at = via[at] {
		steps = append(steps, at)
	}
	slices.Reverse(steps)
	return strings.Join(steps, " → ")
}

// A rule that forbids nothing is worth nothing.
func TestRuleBites(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		ok       bool
	}{
		{"./mockplatform", "./mockplatform/control", true},
		{"./mockplatform", "./internal/page", true},
		{"./mockplatform", "testing", false},
		{"./mockplatform", "./adapter/token", false},
		{"./mockplatform", "./contract", false},
		{"./mockplatform/clock", "time", true},
		{"./mockplatform/clock", "./contract/money", false},
		{"./mockplatform/journal", "./mockplatform/clock", false},
		{"./mockplatform/integra", "./contract/integra", true},
		{"./mockplatform/integra", "./mockplatform/dice", true},
		{"./mockplatform/integra", "./contract/robokassa", true},
		{"./mockplatform/integra", "./mockplatform/control", false},
		{"./mockplatform/integra", "./mockplatform", false},
		{"./mockplatform/integra", "github.com/go-resty/resty/v2", true},
		{"./mockplatform/control", "./mockplatform/integra", true},
		{"./mockplatform/control", "./mockplatform/webui", false},
		{"./mockplatform/control", "./adapter", false},
		{"./mockplatform/webui", "./mockplatform/control", true},
		{"./mockplatform/brandnew", "./contract/money", false},
	} {
		if why := forbidden(tt.from, tt.to); (why == "") != tt.ok {
			t.Errorf("forbidden(%s, %s) = %q", tt.from, tt.to, why)
		}
	}
}
