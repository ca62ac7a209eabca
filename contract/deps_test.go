package contract_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/partnerkit/partnerkit/"

// forbidden returns why the package from may not import to, directly or through others,
// or "" if it may. Our own packages are written as "./contract/money"; only those of this
// tree are judged here.
func forbidden(from, to string, direct bool) string {
	const suite, report, mutant, money = "./contract", "./contract/report", "./contract/mutant", "./contract/money"
	within := func(tree string) bool { return to == tree || strings.HasPrefix(to, tree+"/") }
	wire := from != suite && from != report && from != mutant && from != money

	switch {
	case within("./adapter"), within("./mockplatform"):
		return "a contract that knows one side's code judges that side by itself; it meets both over HTTP alone"
	case from == report && to == "./internal/page":
		return "" // all pages share one look
	case to == "./internal/yamldoc" && !wire && from != money:
		return "" // whoever writes a file is told the line and the key
	case within("./cmd"), within("./internal"):
		return "the arrows point the other way"
	case from == suite && (to == report || to == mutant):
		return "the list of checks stands by itself; reports and mutants are made of it"
	case from == money && within("."):
		return "every other package stands on money, so it stands on none of them"
	case wire && within(suite) && to != money:
		return "a wire format is one protocol: what two of them share is an accident, or money"
	case !wire && from != money:
		return "" // the suite may use the standard library as it needs
	case to == "testing":
		return "production code is linked with this package"
	case to == "net/http":
		return "a format neither serves nor calls: that is for the packages that speak one half"
	case to == "time" && direct:
		return "a format has no clock; times are text here, and whoever knows the time passes it in"
	}
	return ""
}

// deps returns, for every package below contract and everything that they lead to, what it
// imports by itself.
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
	var judged int
	for from := range imports {
		if !strings.HasPrefix(from+"/", "./contract/") {
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
				if why := forbidden(from, to, queue[0] == from); why != "" {
					t.Errorf("%s imports %s (%s): %s", from, to, path(via, to), why)
				}
			}
		}
	}
	if judged < 2 {
		t.Errorf("judged %d packages; want contract/money and the wire formats at least", judged)
	}
}

// path writes the way that led to a package.
func path(via map[string]string, to string) string {
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
		direct   bool
		ok       bool
	}{
		{"./contract/integra", "./contract/money", true, true},
		{"./contract/integra", "encoding/json", true, true},
		{"./contract/integra", "time", false, true}, // fmt leads there
		{"./contract/integra", "time", true, false},
		{"./contract/integra", "net/http", false, false},
		{"./contract/integra", "testing", false, false},
		{"./contract/integra", "./contract/robokassa", true, false},
		{"./contract/integra", "./contract", true, false},
		{"./contract/integra", "./adapter", true, false},
		{"./contract/anymoney", "github.com/shopspring/decimal", true, true},
		{"./contract/anymoney", "./contract/integra", true, false},
		{"./contract/anymoney", "net/http", false, false},
		{"./contract/money", "github.com/shopspring/decimal", true, true},
		{"./contract/money", "./contract/integra", true, false},
		{"./contract/money", "testing", false, false},
		{"./contract/money", "./internal/page", true, false},
		{"./contract", "./contract/integra", true, true},
		{"./contract", "net/http", true, true},
		{"./contract", "./adapter/store", false, false},
		{"./contract", "./mockplatform", false, false},
		{"./contract", "./cmd/adapter", false, false},
		{"./contract", "./internal/page", false, false},
		{"./contract", "./internal/yamldoc", true, true},
		{"./contract/integra", "./internal/yamldoc", false, false},
		{"./contract", "./contract/report", false, false},
		{"./contract", "./contract/mutant", false, false},
		{"./contract/report", "./contract", true, true},
		{"./contract/report", "./internal/page", true, true},
		{"./contract/report", "./mockplatform", false, false},
		{"./contract/mutant", "./contract", true, true},
		{"./contract/mutant", "./mockplatform/integra", false, false},
		{"./contract/mutant", "./adapter", false, false},
	} {
		if why := forbidden(tt.from, tt.to, tt.direct); (why == "") != tt.ok {
			t.Errorf("%s → %s: %q; want it allowed %t", tt.from, tt.to, why, tt.ok)
		}
	}
}
