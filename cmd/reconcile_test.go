package cmd_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// reconciled is a comparison as commands and API show it.
type reconciled struct {
	Date, User, Result, Credits, Income, Difference, Text string
	Payments                                              []int64
}

// A day is compared on demand, by itself, and both can be looked up.
func TestReconcile(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start("ADAPTER_PLATFORM_ZONE=UTC")
		today := time.Now().UTC().Format(time.DateOnly)
		if now := time.Now().UTC(); now.Hour() == 23 && now.Minute() > 50 || now.Hour() == 0 && now.Minute() < 10 {
			t.Skip("it is nearly midnight: what belongs to which day is open")
		}
		w.await(w.topUp(w.user, "100"), "confirmed")
		w.run("payments", "create", w.user, "250.50", "--key", "order-1")

		var days []reconciled
		zone := []string{"--platform-zone", "UTC", "--sole-source", "--settle", "1ms"}
		must(t, json.Unmarshal([]byte(w.run(append([]string{"reconcile", "--date", today, "--user", w.user, "--format", "json"}, zone...)...)), &days))
		if len(days) != 1 || days[0].Result != "agrees" || days[0].Credits != "350.50" || days[0].Income != "350.50" || len(days[0].Payments) != 2 {
			t.Errorf("compared: %+v", days)
		}
		if out := w.run(append([]string{"reconcile", "--date", today, "--format", "csv"}, zone...)...); !strings.Contains(out, today+","+w.user+",agrees,350.50,0.00,0,350.50,0.00,0.00,1 2,") {
			t.Errorf("csv: %s", out)
		}

		// A person decides wrongly: the platform has money that the ledger gave back.
		w.kill()
		id := w.doubtful("70")
		w.run("payments", "resolve", id, "--decline", "--by", "Anna", "--reason", "a mistake")
		out, err := w.partner.Run(testContext(t), append([]string{"reconcile", "--date", today, "--format", "json"}, zone...)...)
		if err == nil || !strings.Contains(err.Error(), "of 1 users 1 differ") {
			t.Errorf("reconcile: %v", err)
		}
		days = nil
		must(t, json.Unmarshal([]byte(out), &days))
		if len(days) != 1 || days[0].Result != "differs" || days[0].Difference != "70.00" || !strings.Contains(days[0].Text, "70.00 that no payment explains") {
			t.Errorf("compared: %+v", days)
		}

		// What was compared is kept.
		w.kill()
		w.start("ADAPTER_PLATFORM_ZONE=UTC", "ADAPTER_RECONCILE_AT=off", "ADAPTER_SETTLE=1ms")
		clerk := w.panel("payments:read,payments:write")
		status, body := clerk.asks(http.MethodGet, "/v1/reconciliation?result=differs&date="+today, "")
		var stored struct{ Days []reconciled }
		must(t, json.Unmarshal([]byte(body), &stored))
		if diff := cmp.Diff(days, stored.Days); status != http.StatusOK || diff != "" {
			t.Errorf("status %d, printed and stored differ:\n%s", status, diff)
		}

		// The console shows it, and has another day compared, of which nothing is known yet.
		clerk.shows("/console/reconciliation/"+today, http.StatusOK, "1 of 1 users differs", "70.00 that no payment explains")
		clerk.shows("/console/reconciliation/"+today+".csv?result=all", http.StatusOK, today+","+w.user+",differs,")
		yesterday := time.Now().UTC().AddDate(0, 0, -1)
		before := yesterday.Format(time.DateOnly)
		if status, body := w.panel("payments:read").asks(http.MethodPost, "/console/reconciliation", "date="+before); status != http.StatusForbidden {
			t.Errorf("asked for by a reader: %d\n%s", status, body)
		}
		if status, body := clerk.asks(http.MethodPost, "/console/reconciliation", "date="+before); status != http.StatusOK {
			t.Errorf("asked for: %d\n%s", status, body)
		}
		_, err = stage.Until(testContext(t), func() (string, bool, error) {
			_, body := clerk.asks(http.MethodGet, "/console/reconciliation", "")
			return body, strings.Contains(body, strings.ReplaceAll(yesterday.Format("2 January 2006"), " ", "\u00a0")+" has been compared"), nil
		})
		must(t, err)
		clerk.shows("/console/reconciliation/"+before, http.StatusOK, "1 user agrees")
		for _, path := range []string{"/v1", "/v1/x%2f..", "/v1//payments", "/v1/%0a"} {
			w.panel("admin").shows(path, http.StatusNotFound, `"status":404`, "is no call of this API")
		}
		w.panel("admin").shows("/console/audit?what=reconcile", http.StatusOK, "date/", "panel of payments:read,payments:write")
	})
}
