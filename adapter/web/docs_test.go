package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/web"
)

// measured is every sample's name with the names of its labels.
func measured(t *testing.T) map[string]map[string]bool {
	t.Helper()
	m := web.NewMetrics(func(context.Context) (web.Backlog, error) { return web.Backlog{}, nil }, time.Now, slog.New(slog.DiscardHandler))
	m.Notified(200)
	m.CalledBack(200)
	m.Called("confirmPayment", adapter.Outcome{Verdict: adapter.Accepted})
	m.Stepped(adapter.Payment{Kind: adapter.TopUp, State: adapter.Confirmed})
	m.PayinStepped(adapter.Payin{Status: adapter.PayinDone}, adapter.PayinEvent{To: adapter.PayinDone})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	all := map[string]map[string]bool{}
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name := line[:strings.IndexAny(line, "{ ")]
		if all[name] == nil {
			all[name] = map[string]bool{"job": true, "instance": true}
		}
		for _, label := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(line, -1) {
			all[name][label[1]] = true
		}
	}
	return all
}

// What the dashboard and the alert rules ask for is there to be asked.
func TestDashboardAndRulesNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	exist := measured(t)
	asked := regexp.MustCompile(`\b((?:partnerkit_adapter|process|go)_[a-z0-9_]+)(\{[^}]*\})?`)
	matched := regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`)
	for _, file := range []string{"grafana-dashboard.json", "alert-rules.yaml"} {
		raw, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := asked.FindAllStringSubmatch(strings.ReplaceAll(string(raw), `\"`, `"`), -1)
		if len(found) < 10 {
			t.Errorf("%s asks for %d metrics only", file, len(found))
		}
		for _, f := range found {
			if exist[f[1]] == nil {
				t.Errorf("%s asks for %s, which does not exist", file, f[1])
			}
			for _, label := range matched.FindAllStringSubmatch(f[2], -1) {
				if !exist[f[1]][label[1]] {
					t.Errorf("%s asks for the label %s of %s, which it has not", file, label[1], f[1])
				}
			}
		}
	}
}

func TestDashboardIsWellFormed(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title, UID string
		Panels     []struct {
			ID          int
			Title, Type string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil || board.Title == "" || board.UID == "" {
		t.Fatalf("%q: %v", board.Title, err)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range board.Panels {
		if p.Title == "" || ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 || len(p.Targets) == 0 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

func TestAlertRulesAreWellFormed(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/alert-rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: %+v", g.Name, r)
			}
			if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			for _, pair := range []string{"()", "[]", "{}"} {
				if strings.Count(r.Expr, pair[:1]) != strings.Count(r.Expr, pair[1:]) {
					t.Errorf("%s: %s does not close in %s", r.Alert, pair, r.Expr)
				}
			}
		}
	}
}
