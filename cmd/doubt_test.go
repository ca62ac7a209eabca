package cmd_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// doubtful brings a top-up into doubt: the platform has credited it, its answer was lost with
// the adapter, and the repeat is refused.
func (w *world) doubtful(amount string) (id string) {
	w.t.Helper()
	w.settings(map[string]any{"confirm_repeated": "refuse"})
	w.start()
	w.gate.hold("confirmPayment")
	id = w.topUp(w.user, amount)
	wait(w.t, w.gate.held, 1)
	w.kill()
	w.gate.release()
	w.start()
	w.await(id, "in_doubt")
	return id
}

// A person looks, and says what the platform has done.
func TestPersonResolves(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		id := w.doubtful("100")
		w.books(w.user, "900.00", "100.00", "100.00")

		for _, args := range [][]string{
			{"--by", "Anna", "--reason", "seen"},
			{"--confirm", "--decline", "--by", "Anna", "--reason", "seen"},
			{"--decline", "--by", "Anna"},
			{"--confirm", "--by", " ", "--reason", "seen"},
		} {
			if out, err := w.partner.Run(testContext(t), append([]string{"payments", "resolve", id}, args...)...); err == nil || !strings.Contains(err.Error(), "exit status 2") {
				t.Errorf("resolve %v: %v\n%s", args, err, out)
			}
		}
		var p payment
		w.runJSON(&p, "payments", "resolve", id, "--confirm", "--by", "Anna", "--reason", "the panel shows it")
		if e := p.event(t, "resolved"); p.State != "confirmed" || e.Detail != "confirmed by Anna: the panel shows it" {
			t.Errorf("resolved to %s: %q", p.State, e.Detail)
		}
		w.books(w.user, "900.00", "0.00", "100.00")

		if _, err := w.partner.Run(testContext(t), "payments", "resolve", id, "--decline", "--by", "Boris", "--reason", "no"); err == nil || !strings.Contains(err.Error(), "not in doubt") {
			t.Errorf("resolved twice: %v", err)
		}
		w.books(w.user, "900.00", "0.00", "100.00")
	})
}

// Evidence ends doubts by itself: what the platform's books cannot hold is declined, and what
// they cannot be explained without is confirmed, if nobody else tops up.
func TestEvidenceSettles(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		id := w.doubtful("100")
		w.kill()
		w.start("ADAPTER_SETTLE=1ms", "ADAPTER_LOOK_EVERY=10ms")
		p := w.awaitEvent(id, "evidence")
		if p.State != "in_doubt" || !strings.Contains(p.event(t, "evidence").Detail, "come from elsewhere") {
			t.Errorf("it is %s: %+v", p.State, p.History)
		}
		w.kill()
		w.start("ADAPTER_SETTLE=1ms", "ADAPTER_LOOK_EVERY=10ms", "ADAPTER_SOLE_SOURCE=true", "ADAPTER_PLATFORM_ZONE=UTC")
		w.await(id, "confirmed").event(t, "proven")
		w.books(w.user, "900.00", "0.00", "100.00")

		// The adapter dies with a call on its way, which never arrives; the payment expires, so
		// that the next call is refused.
		fuse := w.gate.light(1)
		lost := w.topUp(w.user, "50")
		wait(t, fuse.burnt, 1)
		w.kill()
		w.advance(25 * time.Hour)
		w.start("ADAPTER_SETTLE=1ms", "ADAPTER_LOOK_EVERY=10ms")
		p = w.await(lost, "declined")
		if got, want := p.events()[len(p.events())-2:], []string{"in_doubt", "proven"}; !slices.Equal(got, want) {
			t.Errorf("events %v; want them to end with %v", p.events(), want)
		}
		w.books(w.user, "900.00", "0.00", "100.00")
	})
}

// awaitEvent waits until a payment's history holds an event.
func (w *world) awaitEvent(id, kind string) payment {
	w.t.Helper()
	return w.awaitEvents(id, kind, 1)
}

// awaitEvents waits until there are n of a kind.
func (w *world) awaitEvents(id, kind string, n int) payment {
	w.t.Helper()
	p, err := stage.Until(testContext(w.t), func() (payment, bool, error) {
		p := w.show(id)
		seen := 0
		for _, e := range p.events() {
			if e == kind {
				seen++
			}
		}
		return p, seen >= n, nil
	})
	must(w.t, err)
	return p
}
