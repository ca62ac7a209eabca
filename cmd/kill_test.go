package cmd_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// The adapter is killed with SIGKILL at each point of a payment's way and started again: the
// payment must come to its end, once, and the books of both sides must agree.

func TestKilledAfterAccept(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start("ADAPTER_RECEIVE_ONLY=true") // so that nothing but accepting happens
		id := w.topUp(w.user, "100")
		w.await(id, "received")
		w.kill()
		w.start()
		w.await(id, "confirmed")
		w.books(w.user, "900.00", "0.00", "100.00")
	})
}

func TestKilledAfterReserve(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.gate.close() // every confirm ends before it is sent
		id := w.topUp(w.user, "100")
		w.await(id, "reserved")
		w.kill()
		w.books(w.user, "900.00", "100.00", "0.00")
		w.gate.open()
		w.start()
		w.await(id, "confirmed")
		w.books(w.user, "900.00", "0.00", "100.00")
	})
}

func TestKilledAfterConfirmWasSent(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.gate.hold("confirmPayment")
		id := w.topUp(w.user, "100")
		wait(t, w.gate.held, 1) // the platform has credited, and its answer is on the way
		w.kill()
		w.gate.release()
		w.books(w.user, "900.00", "100.00", "100.00")
		w.start()
		p := w.await(id, "confirmed")
		if !slices.Contains(p.events(), "taken_over") {
			t.Errorf("events %v tell of no takeover", p.events())
		}
		w.books(w.user, "900.00", "0.00", "100.00")
	})
}

// Where the platform refuses the repeat of a confirm that it has carried out, nobody can
// tell whether the money moved: it stays reserved until somebody finds out.
func TestKilledAfterConfirmWasSentAndRepeatIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.settings(map[string]any{"confirm_repeated": "refuse"})
		w.start()
		w.gate.hold("confirmPayment")
		id := w.topUp(w.user, "100")
		wait(t, w.gate.held, 1)
		w.kill()
		w.gate.release()
		w.start()
		w.await(id, "in_doubt")
		w.books(w.user, "900.00", "100.00", "100.00")
	})
}

func TestKilledAfterConfirmWasAnswered(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.gate.hold("confirmPayment")
		id := w.topUp(w.user, "100")
		wait(t, w.gate.held, 1)
		must(t, w.adapter.Freeze())
		w.gate.release()
		wait(t, w.gate.written, 1) // the answer lies in the frozen adapter's socket
		w.kill()
		w.start()
		w.await(id, "confirmed")
		w.books(w.user, "900.00", "0.00", "100.00")
	})
}

func TestKilledWhileDeclining(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.gate.hold("declinePayment")
		id := w.topUp(w.user, "5000")
		wait(t, w.gate.held, 1)
		w.kill()
		w.gate.release()
		w.start()
		w.await(id, "declined")
		w.books(w.user, "1000.00", "0.00", "0.00")
	})
}

// Two replicas share a database. The one that holds payments is killed; its lease would run
// for a minute, so whoever finishes them sooner has noticed the death itself.
func TestReplicaTakesOver(t *testing.T) {
	t.Parallel()
	const payments = 8
	w := newWorld(t, adaptertest.Postgres(t), "ADAPTER_LEASE=10m")
	w.start()
	listen, err := stage.FreeAddr()
	must(t, err)
	w.gate.hold("confirmPayment")
	var ids []string
	for range payments {
		ids = append(ids, w.topUp(w.user, "10"))
	}
	wait(t, w.gate.held, payments)
	other, err := w.partner.With("ADAPTER_LISTEN="+listen).Start(testContext(t), nil)
	must(t, err)
	t.Cleanup(func() { _ = other.Kill() })

	w.kill()
	killed := time.Now()
	w.gate.release()
	for _, id := range ids {
		w.await(id, "confirmed")
	}
	t.Logf("%d payments of the killed replica were finished %s after it was killed", payments, time.Since(killed).Round(time.Millisecond))
	w.books(w.user, "920.00", "0.00", "80.00")
}

// Several payments are under way, and the adapter is killed at whatever happens to happen,
// again and again. KILL_ROUNDS and KILL_SEED, which is printed, choose how often and when.
func TestKilledAtRandom(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		rounds, seed := number(t, "KILL_ROUNDS", 12), number(t, "KILL_SEED", time.Now().UnixNano())
		t.Logf("KILL_ROUNDS=%d KILL_SEED=%d", rounds, seed)
		dice := rand.New(rand.NewPCG(uint64(seed), 0))
		w := newWorld(t, database)
		users := []string{w.user, w.register("second")}
		w.start()
		var ids []string
		for round := range rounds {
			stop := w.exchanges() + 1 + dice.IntN(8)
			for range 4 {
				ids = append(ids, w.topUp(users[dice.IntN(2)], fmt.Sprint(1+dice.IntN(60))))
			}
			_, err := stage.Until(testContext(t), func() (int, bool, error) {
				n := w.exchanges()
				return n, n >= stop, nil
			})
			must(t, err)
			w.kill()
			w.start()
			if round%4 == 3 { // notifications that met a dead adapter are repeated
				w.advance(time.Hour)
			}
		}
		w.advance(time.Hour)
		w.quiet()
		for _, user := range users {
			w.agree(user)
		}
		t.Logf("%d payments, %d kills", len(ids), rounds)
	})
}

// agree checks that the ledger holds what a user paid in, less what Integra has credited.
func (w *world) agree(user string) {
	w.t.Helper()
	credited, err := money.ParseBalance(w.credited(user), money.RUB)
	must(w.t, err)
	left, err := money.New(1000_00, money.RUB).Sub(credited)
	must(w.t, err)
	w.books(user, left.Text(), "0.00", credited.Text())
}

// exchanges is how many the stand-in has seen.
func (w *world) exchanges() int {
	w.t.Helper()
	var j struct{ Exchanges []struct{ Seq int } }
	must(w.t, w.platform.Do(testContext(w.t), http.MethodGet, "/journal?limit=1", nil, &j))
	if len(j.Exchanges) == 0 {
		return 0
	}
	return j.Exchanges[0].Seq
}

// advance moves the stand-in's time on; what falls due is delivered when it returns.
func (w *world) advance(d time.Duration) {
	w.t.Helper()
	must(w.t, w.platform.Do(testContext(w.t), http.MethodPost, "/clock/advance", map[string]int64{"ms": d.Milliseconds()}, nil))
}

func number(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	must(t, err)
	return n
}
