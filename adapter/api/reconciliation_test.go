package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/contract/money"
)

// days answers with as many days as are asked for, and keeps the filter.
type days struct{ filter adapter.ReconciliationFilter }

func (d *days) Reconciliations(_ context.Context, f adapter.ReconciliationFilter) (list []adapter.Reconciliation, _ error) {
	d.filter = f
	for i := range min(f.Limit, 3) {
		list = append(list, adapter.Reconciliation{
			Date: time.Date(2026, 11, 5-i, 0, 0, 0, 0, time.UTC), User: user, Result: adapter.ReconcileDiffers, At: time.Unix(0, 0),
			Credits: money.New(300_00, money.RUB), Refunds: money.New(0, money.RUB), Income: money.New(200_00, money.RUB),
			Outcome: money.New(-50_00, money.RUB), Difference: money.New(-100_00, money.RUB), Text: "less", Payments: []int64{7},
		})
	}
	return list, nil
}

func TestReconciliation(t *testing.T) {
	t.Parallel()
	d := &days{}
	h := api.New(api.Config{
		Verify:          func(string) (api.Grant, error) { return api.Grant{Scopes: []string{api.ScopePaymentsRead}}, nil },
		Reconciliations: d,
	})
	get := func(query string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/reconciliation?"+query, nil)
		r.Header.Set("Authorization", "Bearer t")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	status, body := get("from=2026-11-01&to=2026-11-30&user=" + user + "&result=differs&limit=2&after=2026-11-06." + user)
	var answer struct {
		Days []api.Reconciliation
		Next string
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	date := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	want := adapter.ReconciliationFilter{From: date(1), To: date(30), User: user, Result: adapter.ReconcileDiffers, Date: date(6), After: user, Limit: 3}
	if diff := cmp.Diff(want, d.filter); diff != "" {
		t.Errorf("filter (-want +got):\n%s", diff)
	}
	first := api.Reconciliation{
		Date: "2026-11-05", User: user, Result: "differs", At: "1970-01-01T00:00:00.000Z", Credits: "300.00", Refunds: "0.00",
		Income: "200.00", Outcome: "-50.00", Difference: "-100.00", Text: "less", Payments: []int64{7},
	}
	if len(answer.Days) != 2 || answer.Next != "2026-11-04."+user {
		t.Fatalf("%d days, next %q", len(answer.Days), answer.Next)
	}
	if diff := cmp.Diff(first, answer.Days[0]); diff != "" {
		t.Errorf("first day (-want +got):\n%s", diff)
	}
	if _, body := get("limit=3"); strings.Contains(body, `"next"`) {
		t.Errorf("the last page goes on: %s", body)
	}
	for query, field := range map[string]string{
		"date=2026-02-30": "query.date", "date=1.11.2026": "query.date", "date=2026-11-01&from=2026-11-01": "query.date",
		"from=2026-11-02&to=2026-11-01": "query.to", "result=fine": "query.result", "after=x": "query.after",
		"limit=0": "query.limit", "limit=501": "query.limit", "users=1": "query.users", "to=2026-13-01": "query.to",
	} {
		if status, body := get(query); status != http.StatusUnprocessableEntity || !strings.Contains(body, field) {
			t.Errorf("%s: %d %s; want 422 naming %s", query, status, body, field)
		}
	}
}

// clerk compares one day at a time.
type clerk struct {
	busy  bool
	asked []string
}

func (*clerk) LastDate() time.Time { return time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC) }

func (c *clerk) Ask(date time.Time) bool {
	if !c.busy {
		c.asked = append(c.asked, date.Format(time.DateOnly))
	}
	return !c.busy
}

func TestReconcileOnDemand(t *testing.T) {
	t.Parallel()
	c := &clerk{}
	w := newWorld(t, func(cfg *api.Config) { cfg.Reconciliations, cfg.Reconciler = &days{}, c })
	for _, tt := range []struct {
		date, key string
		busy      bool
		status    int
		says      string
	}{
		{"2026-05-03", "", false, 422, "header.Idempotency-Key"},
		{"yesterday", "a", false, 422, `"location":"path.date"`},
		{"2026-02-30", "a", false, 422, "is no date"},
		{"2026-05-04", "a", false, 422, "the last one that is: 2026-05-03"},
		{"2026-05-03", "b", true, 409, api.ProblemUnderWay},
		{"2026-05-03", "b", false, 202, `{"date":"2026-05-03"}`},
		{"2026-05-03", "b", true, 202, `{"date":"2026-05-03"}`}, // the first answer again
		{"2026-05-02", "b", false, 422, api.ProblemKeyReused},
	} {
		c.busy = tt.busy
		r := w.post("reconciliation/"+tt.date, tt.key, "")
		if got := text(t, r); r.StatusCode != tt.status || !strings.Contains(got, tt.says) {
			t.Errorf("%+v: %d %s", tt, r.StatusCode, got)
		}
		if at := r.Header.Get("Location"); (at == "/v1/reconciliation?date=2026-05-03") != (tt.status == 202) {
			t.Errorf("%+v: location %q", tt, at)
		}
	}
	if diff := cmp.Diff([]string{"2026-05-03"}, c.asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	if r := text(t, call(w, "GET", "/v1/audit?what=reconcile&limit=1", "Bearer admin", "", "")); !strings.Contains(r, `"on":"reconciliation/2026-05-02"`) || !strings.Contains(r, `"next":`) {
		t.Errorf("the audit log: %s", r)
	}
}
