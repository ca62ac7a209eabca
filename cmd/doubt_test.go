package cmd_test

import (
	"strings"
	"testing"
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
			{"--confirm", "--by", "Anna"},
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
