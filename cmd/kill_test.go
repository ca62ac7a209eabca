package cmd_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
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
		w.books(w.user, "1000.00", "0.00", "0.00")
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
		w.await(id, "confirmed").event(t, "taken_over")
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
		w.kill()
		w.start() // doubt is nothing to be worked on, whoever starts
		other := w.topUp(w.user, "1")
		w.await(other, "confirmed")
		w.await(id, "in_doubt")
		w.books(w.user, "899.00", "100.00", "101.00")
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
		w.books(w.user, "900.00", "100.00", "100.00")
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

// A direct payment is carried by the command itself. When that is killed, the service goes on.
func TestKilledCommand(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.settings(map[string]any{"payment_hash_reused": "success"})
		w.gate.hold("doPayment")
		ctx, kill := context.WithCancel(testContext(t))
		ended := make(chan error, 1)
		go func() {
			_, err := w.partner.Run(ctx, "payments", "create", w.user, "100", "--key", "order-1")
			ended <- err
		}()
		wait(t, w.gate.held, 1)
		kill()
		if err := <-ended; err == nil {
			t.Error("the command ended well")
		}
		w.gate.release()
		w.books(w.user, "900.00", "100.00", "100.00")
		w.start()
		w.quiet()
		w.run("payments", "create", w.user, "100", "--key", "order-1") // is made already
		w.books(w.user, "900.00", "0.00", "100.00")
	})
}

// Whatever was answered 200 is stored, also when the adapter dies in a flood.
func TestKilledInFlood(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		dice := seeded(t)
		w := newWorld(t, database)
		notify := "/integra/notify?amount=1&hash=" + w.user + "&token=" + w.run("token", "mint", "--user", w.user) + "&id="
		acknowledged := map[string]bool{}
		for range 3 {
			w.start("ADAPTER_RECEIVE_ONLY=true")
			answers := make(chan string, 10_000)
			var senders sync.WaitGroup
			for range 8 {
				first := dice.Uint64()
				senders.Go(func() {
					for n := uint64(0); ; n++ {
						id := fmt.Sprintf("%016x%016x", first, n)
						switch status, _, err := get(w.adapter.URL + notify + id); {
						case err != nil:
							return // it is dead
						case status == http.StatusOK:
							answers <- id
						}
					}
				})
			}
			for range 50 + dice.IntN(200) {
				acknowledged[<-answers] = true
			}
			w.kill()
			senders.Wait()
			close(answers)
			for id := range answers {
				acknowledged[id] = true
			}
		}
		stored := w.list()
		for _, p := range stored {
			delete(acknowledged, p.ID)
		}
		if len(acknowledged) > 0 {
			t.Errorf("answered 200 and not stored: %v", slices.Collect(maps.Keys(acknowledged)))
		}
		t.Logf("%d payments are stored", len(stored))
	})
}

// Several payments are under way, and the adapter is killed at any point of any call, again
// and again. KILL_ROUNDS and KILL_SEED choose how often and where.
func TestKilledAtRandom(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		dice, rounds := seeded(t), number(t, "KILL_ROUNDS", 25)
		w := newWorld(t, database)
		users := []string{w.user, w.register("second")}
		const each = 4 // payments a round; each makes at least one call, which passes three points
		var ids []string
		for range rounds {
			w.start()
			fuse := w.gate.light(1 + dice.IntN(3*each))
			for range each {
				ids = append(ids, w.topUp(users[dice.IntN(len(users))], strconv.Itoa(1+dice.IntN(60))))
			}
			wait(t, fuse.burnt, 1)
			w.kill()
			close(fuse.goOn)
		}
		w.start()
		w.advance(time.Hour) // notifications that met a dead adapter are repeated
		w.quiet()
		w.compare(ids)
		for _, user := range users {
			w.agree(user)
		}
		t.Logf("%d payments, %d kills", len(ids), rounds)
	})
}

// compare checks that both sides ended every payment, and alike.
func (w *world) compare(ids []string) {
	w.t.Helper()
	here := map[string]string{}
	for _, p := range w.list() {
		here[p.ID] = p.State
	}
	ends := map[string]int{}
	for _, id := range ids {
		there, err := w.platform.Payment(testContext(w.t), id)
		must(w.t, err)
		if here[id] != there.State || there.State != "confirmed" && there.State != "declined" {
			w.t.Errorf("payment %s is %q with the adapter and %q at Integra", id, here[id], there.State)
		}
		ends[there.State]++
	}
	if len(here) != len(ids) {
		w.t.Errorf("the adapter has %d payments; want %d", len(here), len(ids))
	}
	w.t.Logf("ends: %v", ends)
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

// seeded returns dice for a test whose course depends on them.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := number(t, "KILL_SEED", time.Now().UnixNano())
	t.Logf("KILL_SEED=%d", seed)
	return rand.New(rand.NewPCG(uint64(seed), 0))
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
