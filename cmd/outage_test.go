package cmd_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// The platform commits and then loses its answer, in each way that it can: confirmed once.
func TestLostAnswers(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database, "ADAPTER_CALL_TIMEOUT=300ms")
		w.start()
		for _, how := range []string{"drop", "error", "hang"} {
			w.settings(map[string]any{"lost_answers": how})
			w.await(w.topUp(w.user, "100"), "confirmed").event(t, "retry")
		}
		w.settings(map[string]any{"lost_answers": "drop"})
		w.await(w.topUp(w.user, "5000"), "declined").event(t, "retry")
		w.books(w.user, "700.00", "0.00", "300.00")
	})
}

// A payment expires at Integra while the platform cannot be reached. No confirm was ever sent,
// so its refusal is definite: the money is released.
func TestPlatformUnreachableUntilExpiry(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.gate.close()
		id := w.topUp(w.user, "100")
		w.await(id, "reserved")
		w.books(w.user, "900.00", "100.00", "0.00")
		w.advance(25 * time.Hour)
		w.gate.open()
		w.await(id, "declined").event(t, "refused")
		w.books(w.user, "1000.00", "0.00", "0.00")
	})
}

// doPayment can be answered "used" when the first one was carried out and its answer lost:
// that proves nothing by itself, so the money stays reserved.
func TestDirectPaymentInDoubt(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.settings(map[string]any{"lost_answers": "drop"})
		if _, err := w.partner.Run(testContext(t), "payments", "create", w.user, "100", "--key", "order-1"); err == nil {
			t.Error("a payment without an answer was reported as made")
		}
		w.quiet()
		if doubtful := w.list("--state", "in_doubt"); len(doubtful) != 1 {
			t.Errorf("in doubt: %+v", doubtful)
		}
		w.books(w.user, "900.00", "100.00", "100.00")
	})
}

// Repeats, copies and other orders of the platform's notifications change nothing.
func TestRepeatedAndReorderedNotifications(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.settings(map[string]any{"notify": map[string]any{"duplicates": 5, "reorder_ms": 1000}})
		ids := []string{w.topUp(w.user, "10"), w.topUp(w.user, "20"), w.topUp(w.user, "30")}
		w.advance(time.Minute)
		for _, id := range ids {
			w.await(id, "confirmed")
		}
		w.books(w.user, "940.00", "0.00", "60.00")
	})
}

// PostgreSQL crashes while payments are being confirmed. Their answers come when there is no
// database to write them to; and what is announced meanwhile is not acknowledged.
func TestDatabaseCrash(t *testing.T) {
	t.Parallel()
	database, cluster := adaptertest.PostgresAlone(t)
	w := newWorld(t, database)
	w.start()
	w.gate.hold("confirmPayment")
	ids := []string{w.topUp(w.user, "10"), w.topUp(w.user, "20"), w.topUp(w.user, "30")}
	wait(t, w.gate.held, len(ids))

	must(t, cluster.Crash())
	w.gate.release()
	wait(t, w.gate.written, len(ids))
	w.ready(http.StatusServiceUnavailable)
	meanwhile := w.topUp(w.user, "40")
	if status := w.notified(meanwhile); status != http.StatusServiceUnavailable {
		t.Errorf("a notification was answered %d without a database", status)
	}
	must(t, cluster.Recover())

	w.ready(http.StatusOK)
	w.advance(time.Hour) // the notification is repeated
	for _, id := range append(ids, meanwhile) {
		w.await(id, "confirmed")
	}
	w.books(w.user, "900.00", "0.00", "100.00")
}

// ready waits until /readyz answers with the status.
func (w *world) ready(status int) {
	w.t.Helper()
	_, err := stage.Until(testContext(w.t), func() (string, bool, error) {
		got, body, err := get(w.adapter.URL + "/readyz")
		return body, got == status, err
	})
	must(w.t, err)
}

// notified waits until the first notification of a payment is answered, and returns the status.
func (w *world) notified(id string) int {
	w.t.Helper()
	type attempts struct{ Attempts []struct{ Status int } }
	p, err := stage.Until(testContext(w.t), func() (p attempts, ok bool, err error) {
		err = w.platform.Do(testContext(w.t), http.MethodGet, "/integra/payments/"+id, nil, &p)
		return p, len(p.Attempts) > 0, err
	})
	must(w.t, err)
	return p.Attempts[0].Status
}
