package adapter_test

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// may lists, for every package of this tree, what else of ours it may import; docs/architecture.md
// has the same table. Neighbours are strangers: they meet in cmd/adapter, through small
// interfaces that each declares for itself.
var may = map[string][]string{
	"./adapter":             {"./contract/money"},
	"./adapter/ledger":      {"./adapter", "./contract/money"},
	"./adapter/store":       {"./adapter", "./contract/money", "./adapter/ledger"}, // whose rows live in the store, in the payment's transaction
	"./adapter/worker":      {"./adapter", "./contract/money"},
	"./adapter/integra":     {"./adapter", "./contract/money", "./contract/integra", "./adapter/outcall"},  // which carries its calls
	"./adapter/anymoney":    {"./adapter", "./contract/money", "./contract/anymoney", "./adapter/outcall"}, // likewise
	"./adapter/billing":     {"./adapter", "./contract/money", "./adapter/outcall"},                        // which carries its calls
	"./adapter/reconcile":   {"./adapter", "./contract/money"},
	"./adapter/outcall":     {"./adapter", "./contract/money"},
	"./adapter/alert":       {"./adapter", "./contract/money", "./adapter/outcall"},                   // which carries its messages
	"./adapter/api":         {"./adapter", "./contract/money", "./adapter/ledger"},                    // whose balances and transfers it shows
	"./adapter/console":     {"./adapter", "./contract/money", "./adapter/ledger", "./internal/page"}, // likewise
	"./adapter/reference":   {"./internal/page"},
	"./adapter/vault":       {"./adapter", "./contract/money"},
	"./adapter/token":       {"./adapter", "./contract/money"},
	"./adapter/web":         {"./adapter", "./contract/money"},
	"./adapter/adaptertest": {"./adapter", "./contract/money", "./adapter/ledger", "./adapter/store", "./internal/pgcluster"}, // which its suite judges, on real databases
}

// forbidden returns why the package from may not import to by itself, or "" if it may. Our
// own packages are written as "./adapter/store".
func forbidden(from, to string) string {
	switch {
	case to == "./mockplatform" || strings.HasPrefix(to, "./mockplatform/"):
		return "the adapter knows no stand-in: what it is tested against must not be what it is made of"
	case to == "./cmd" || strings.HasPrefix(to, "./cmd/"):
		return "the arrows point the other way: cmd joins, nobody joins cmd"
	case strings.HasPrefix(to, "./adapter/") && !slices.Contains(may[from], to):
		return "neighbours are strangers; declare the few methods you call, and let cmd/adapter join the two"
	case strings.HasPrefix(to, "./contract/") && !slices.Contains(may[from], to):
		return "a platform's words stay in the package that speaks its protocol"
	case strings.HasPrefix(to, "./") && !slices.Contains(may[from], to):
		return "it is not in the table above"
	case from == "./adapter/adaptertest":
		return "" // made of tests
	case to == "testing":
		return "production code is linked with this package"
	case from == "./adapter" && slices.Contains([]string{"net", "net/http", "database/sql", "os", "log/slog", "math/rand/v2", "crypto/rand"}, to):
		return "the domain talks to no network, database, file or log, and takes chance from its caller"
	case from == "./adapter" && !strings.HasPrefix(to, "./") && strings.Contains(firstSegment(to), "."):
		return "the domain stands on the standard library and on money alone"
	case strings.HasPrefix(to, "github.com/shopspring/decimal"):
		return "amounts are contract/money's; decimals are for fees and rates"
	case from != "./adapter/store" && (to == "database/sql" || strings.HasPrefix(to, "github.com/jackc/") || strings.HasPrefix(to, "modernc.org/")):
		return "only the store knows that there is a database"
	case from != "./adapter/outcall" && strings.HasPrefix(to, "github.com/go-resty/"):
		return "platforms are called through outcall"
	case from != "./adapter/api" && strings.HasPrefix(to, "github.com/danielgtaylor/huma/"):
		return "what the panel asks is declared in the API alone"
	}
	return ""
}

func firstSegment(importPath string) string {
	first, _, _ := strings.Cut(importPath, "/")
	return first
}

func TestImports(t *testing.T) {
	t.Parallel()
	const module = "github.com/partnerkit/partnerkit/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	judged := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(strings.ReplaceAll(line, module, "./"))
		from := fields[0]
		if from != "./adapter" && !strings.HasPrefix(from, "./adapter/") {
			continue // of ours that leads elsewhere, the other trees' tests judge
		}
		judged[from] = true
		if _, known := may[from]; !known {
			t.Errorf("%s has no line in the table: say what it may import, here and in docs/architecture.md", from)
		}
		for _, to := range fields[1:] {
			if why := forbidden(from, to); why != "" {
				t.Errorf("%s imports %s: %s", from, to, why)
			}
		}
	}
	for from := range may {
		if !judged[from] {
			t.Errorf("%s is in the table, but %s is no package", from, path.Base(from))
		}
	}
}

// A rule that forbids nothing is worth nothing.
func TestRuleBites(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		ok       bool
	}{
		{"./adapter", "./contract/money", true},
		{"./adapter", "crypto/sha256", true},
		{"./adapter", "net/http", false},
		{"./adapter", "./contract/integra", false},
		{"./adapter", "./adapter/store", false},
		{"./adapter", "github.com/google/uuid", false},
		{"./adapter/integra", "./contract/integra", true},
		{"./adapter/integra", "./contract/robokassa", false},
		{"./adapter/integra", "./adapter/vault", false},
		{"./adapter/integra", "./mockplatform/integra", false},
		{"./adapter/integra", "./adapter/outcall", true},
		{"./adapter/integra", "github.com/go-resty/resty/v2", false},
		{"./adapter/worker", "github.com/go-resty/resty/v2", false},
		{"./adapter/worker", "./adapter/store", false},
		{"./adapter/worker", "./contract/integra", false},
		{"./adapter/worker", "database/sql", false},
		{"./adapter/store", "./adapter/ledger", true},
		{"./adapter/store", "database/sql", true},
		{"./adapter/store", "testing", false},
		{"./adapter/ledger", "github.com/shopspring/decimal", false},
		{"./adapter/anymoney", "./contract/anymoney", true},
		{"./adapter/anymoney", "./contract/integra", false},
		{"./adapter/anymoney", "./adapter/outcall", true},
		{"./adapter/anymoney", "./adapter/store", false},
		{"./adapter/anymoney", "./adapter/api", false},
		{"./adapter/anymoney", "github.com/go-resty/resty/v2", false},
		{"./adapter/anymoney", "github.com/shopspring/decimal", false},
		{"./adapter/outcall", "github.com/go-resty/resty/v2", true},
		{"./adapter/api", "./adapter/anymoney", false},
		{"./adapter/api", "github.com/danielgtaylor/huma/v2", true},
		{"./adapter/web", "github.com/danielgtaylor/huma/v2", false},
		{"./adapter/web", "./cmd/adapter", false},
		{"./adapter/web", "./internal/page", false},
		{"./adapter/adaptertest", "testing", true},
	} {
		if why := forbidden(tt.from, tt.to); (why == "") != tt.ok {
			t.Errorf("%s → %s: %q; want it allowed %t", tt.from, tt.to, why, tt.ok)
		}
	}
}
