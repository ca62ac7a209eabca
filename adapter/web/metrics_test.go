package web_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/web"
	"github.com/partnerkit/partnerkit/contract/money"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// scrape returns the adapter's own samples, without the buckets of histograms.
func scrape(t *testing.T, m *web.Metrics) (status int, samples []string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "partnerkit_") && !strings.Contains(line, "_bucket{") {
			samples = append(samples, strings.TrimSpace(line))
		}
	}
	slices.Sort(samples)
	return w.Code, samples
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := web.NewMetrics(func(ctx context.Context) (web.Backlog, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			return web.Backlog{}, errors.New("a store that hangs would hang the scrape")
		}
		return web.Backlog{
			Unfinished: map[adapter.State]int64{adapter.Confirming: 3, adapter.InDoubt: 1},
			Oldest:     day.Add(-90 * time.Second),
			Unreserved: map[adapter.Verdict]int64{adapter.Refused: 4},
			Payins:     map[adapter.PayinStatus]int64{adapter.PayinUnsure: 2},
		}, nil
	}, func() time.Time { return day }, slog.New(slog.DiscardHandler))
	m.Notified(200)
	m.Notified(200)
	m.CalledBack(200)
	m.CalledBack(403)
	done := adapter.Payin{Status: adapter.PayinDone, Credited: money.New(98_50, money.RUB), CreatedAt: day, UpdatedAt: day.Add(time.Minute)}
	m.PayinStepped(done, adapter.PayinEvent{From: adapter.PayinPending, To: adapter.PayinDone})
	m.PayinStepped(done, adapter.PayinEvent{From: adapter.PayinDone, To: adapter.PayinDone}) // a remark
	m.PayinStepped(adapter.Payin{Status: adapter.PayinNew}, adapter.PayinEvent{From: adapter.PayinCreating, To: adapter.PayinNew})
	m.Notified(409)
	m.Called("confirmPayment", adapter.Outcome{Verdict: adapter.Accepted, Took: 250 * time.Millisecond})
	m.Called("confirmPayment", adapter.Outcome{Verdict: adapter.Unknown, Took: 5 * time.Second})
	m.Stepped(adapter.Payment{Kind: adapter.TopUp, State: adapter.Reserved, ReceivedAt: day, UpdatedAt: day})
	m.Stepped(adapter.Payment{Kind: adapter.TopUp, State: adapter.Confirmed, ReceivedAt: day, UpdatedAt: day.Add(2 * time.Second)})
	m.Committed(32, 4*time.Millisecond)
	m.Reconciled(adapter.Reconciliation{Result: adapter.ReconcileDiffers})
	m.Paused("integra", false)
	m.Paused("integra", true)
	m.Verified(2, time.Unix(1_700_000_000, 0))
	want := []string{
		`partnerkit_adapter_callbacks_total{status="200"} 1`,
		`partnerkit_adapter_callbacks_total{status="403"} 1`,
		`partnerkit_adapter_commit_duration_seconds_count 1`,
		`partnerkit_adapter_commit_duration_seconds_sum 0.004`,
		`partnerkit_adapter_commit_size_count 1`,
		`partnerkit_adapter_commit_size_sum 32`,
		`partnerkit_adapter_ledger_differences 2`,
		`partnerkit_adapter_ledger_verified_timestamp_seconds 1.7e+09`,
		`partnerkit_adapter_notifications_total{status="200"} 2`,
		`partnerkit_adapter_notifications_total{status="409"} 1`,
		`partnerkit_adapter_oldest_unfinished_payment_age_seconds 90`,
		`partnerkit_adapter_payin_duration_seconds_count{credited="true",status="done"} 1`,
		`partnerkit_adapter_payin_duration_seconds_sum{credited="true",status="done"} 60`,
		`partnerkit_adapter_payins{status="abnormal"} 0`,
		`partnerkit_adapter_payins{status="creating"} 0`,
		`partnerkit_adapter_payins{status="finalizing"} 0`,
		`partnerkit_adapter_payins{status="new"} 0`,
		`partnerkit_adapter_payins{status="pending"} 0`,
		`partnerkit_adapter_payins{status="retry"} 0`,
		`partnerkit_adapter_payins{status="started"} 0`,
		`partnerkit_adapter_payins{status="unsure"} 2`,
		`partnerkit_adapter_payins{status="wait"} 0`,
		`partnerkit_adapter_payment_duration_seconds_count{kind="topup",state="confirmed"} 1`,
		`partnerkit_adapter_payment_duration_seconds_sum{kind="topup",state="confirmed"} 2`,
		`partnerkit_adapter_payments_unreserved{outcome="refused"} 4`,
		`partnerkit_adapter_payments_unreserved{outcome="unknown"} 0`,
		`partnerkit_adapter_payments{state="capture_refused"} 0`,
		`partnerkit_adapter_payments{state="capturing"} 0`,
		`partnerkit_adapter_payments{state="confirming"} 3`,
		`partnerkit_adapter_payments{state="declining"} 0`,
		`partnerkit_adapter_payments{state="in_doubt"} 1`,
		`partnerkit_adapter_payments{state="received"} 0`,
		`partnerkit_adapter_payments{state="release_refused"} 0`,
		`partnerkit_adapter_payments{state="releasing"} 0`,
		`partnerkit_adapter_payments{state="reserved"} 0`,
		`partnerkit_adapter_platform_call_duration_seconds_count{method="confirmPayment",outcome="accepted"} 1`,
		`partnerkit_adapter_platform_call_duration_seconds_count{method="confirmPayment",outcome="unknown"} 1`,
		`partnerkit_adapter_platform_call_duration_seconds_sum{method="confirmPayment",outcome="accepted"} 0.25`,
		`partnerkit_adapter_platform_call_duration_seconds_sum{method="confirmPayment",outcome="unknown"} 5`,
		`partnerkit_adapter_platform_paused{platform="integra"} 1`,
		`partnerkit_adapter_reconciliations_total{result="agrees"} 0`,
		`partnerkit_adapter_reconciliations_total{result="differs"} 1`,
		`partnerkit_adapter_reconciliations_total{result="unread"} 0`,
	}
	status, got := scrape(t, m)
	if diff := cmp.Diff(want, got); diff != "" || status != 200 {
		t.Errorf("answered %d, samples (-want +got):\n%s", status, diff)
	}
}

func TestMetricsWithoutTheStore(t *testing.T) {
	t.Parallel()
	var log journal
	m := web.NewMetrics(func(context.Context) (web.Backlog, error) {
		return web.Backlog{}, errors.New("database is down")
	}, time.Now, slog.New(slog.NewTextHandler(&log, nil)))
	m.Notified(503)
	status, got := scrape(t, m)
	if status != 200 || !slices.Contains(got, `partnerkit_adapter_notifications_total{status="503"} 1`) {
		t.Errorf("answered %d with %q; want the rest all the same", status, got)
	}
	for _, sample := range got {
		if strings.HasPrefix(sample, "partnerkit_adapter_payments") || strings.Contains(sample, "oldest") {
			t.Errorf("%s is served although nobody knows", sample)
		}
	}
	if !strings.Contains(log.String(), "database is down") {
		t.Errorf("the log does not say why figures are missing: %s", log.String())
	}
}

func TestNothingUnfinished(t *testing.T) {
	t.Parallel()
	for name, oldest := range map[string]time.Time{"none": {}, "clock of the database ahead": day.Add(time.Second)} {
		m := web.NewMetrics(func(context.Context) (web.Backlog, error) { return web.Backlog{Oldest: oldest}, nil },
			func() time.Time { return day }, slog.New(slog.DiscardHandler))
		if _, got := scrape(t, m); !slices.Contains(got, `partnerkit_adapter_oldest_unfinished_payment_age_seconds 0`) {
			t.Errorf("%s: want an age of 0, got %q", name, got)
		}
	}
}
