package cmd_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// Two replicas on one PostgreSQL share the work. The one that is killed holds payments under
// a lease of 10 s; the other one notices the death itself and finishes them long before.
func TestReplicas(t *testing.T) {
	t.Parallel()
	const payments, lease = 8, 10 * time.Second
	w := newWorld(t, adaptertest.Postgres(t), "ADAPTER_CALL_TIMEOUT=8s", "ADAPTER_LEASE="+lease.String())
	w.start("ADAPTER_WORKERS=1", "ADAPTER_QUEUE=1") // takes every notification, and one or two payments
	w.replica()
	w.gate.hold("confirmPayment")
	var ids []string
	for range payments {
		ids = append(ids, w.topUp(w.user, "10"))
	}
	wait(t, w.gate.held, payments-1) // of these, one is the first replica's: the rest is shared

	killed := time.Now()
	w.kill()
	w.gate.release()
	var last time.Time
	taken := 0
	for _, id := range ids {
		p := w.await(id, "confirmed")
		done := p.event(t, "confirmed").At
		if done.After(last) {
			last = done
		}
		if !slices.Contains(p.events(), "taken_over") {
			continue
		}
		taken++
		// The lease began no earlier than the payment's last event under the dead replica.
		before := p.History[slices.Index(p.events(), "taken_over")-1].At
		if held := p.event(t, "taken_over").At.Sub(before); held >= lease {
			t.Errorf("payment %s was taken over after %s: its lease had ended", id, held)
		}
	}
	if taken == 0 {
		t.Error("nothing was taken over from the killed replica")
	}
	t.Logf("%d payments of the killed replica were taken over; all %d were finished %s after the kill",
		taken, payments, last.Sub(killed).Round(time.Millisecond))
	w.books(w.user, "920.00", "0.00", "80.00")
}

// A replica that stands still for longer than its lease, as in a paused virtual machine, has
// its payment taken over. When it goes on, with the platform's answer in hand, it finds that
// the payment is another's.
func TestFrozenReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adaptertest.Postgres(t), "ADAPTER_CALL_TIMEOUT=500ms", "ADAPTER_LEASE=600ms")
	w.start()
	w.gate.hold("confirmPayment")
	id := w.topUp(w.user, "100")
	wait(t, w.gate.held, 1)
	must(t, w.adapter.Freeze())
	w.replica()
	wait(t, w.gate.held, 1) // the other one confirms it too
	w.gate.release()
	w.await(id, "confirmed")
	must(t, w.adapter.Thaw())
	_, err := stage.Until(testContext(t), func() (string, bool, error) {
		log := w.adapter.Log()
		return log, strings.Contains(log, "taken over by another"), nil
	})
	must(t, err)
	w.await(w.topUp(w.user, "50"), "confirmed") // it is back at work
	w.books(w.user, "850.00", "0.00", "150.00")
}
