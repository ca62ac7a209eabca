package cmd_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// billingBinary builds the example of a partner's billing beside the other binaries.
var billingBinary = sync.OnceValues(func() (string, error) {
	file := filepath.Join(filepath.Dir(binaries.Adapter), "billing")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", file, "github.com/partnerkit/partnerkit/docs/examples/billing")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the billing: %w\n%s", err, out)
	}
	return file, nil
})

const billingSecret = "a secret that adapter and billing know"

// billed is a world whose funds are kept by the partner's billing, behind a gate of its own.
type billed struct {
	*world
	bin, file string
	billing   *gate
}

func newBilled(t *testing.T, database string) *billed {
	t.Helper()
	bin, err := billingBinary()
	must(t, err)
	folder := t.TempDir()
	b := &billed{bin: bin, file: folder + "/billing.db"}
	must(t, os.WriteFile(folder+"/secret", []byte(billingSecret), 0o600))
	listen, err := stage.FreeAddr()
	must(t, err)
	cmd := exec.CommandContext(context.Background(), bin, "--database", b.file, "--listen", listen, "--secret-file", folder+"/secret") //nolint:gosec // our own binary
	log, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(log).ReadString('\n'); err != nil || !strings.Contains(line, "listening on") {
		t.Fatalf("billing: %q, %v", line, err)
	}
	b.billing = newGate(t, "http://"+listen)
	b.world = newWorld(t, database, "ADAPTER_FUNDS=billing", "ADAPTER_BILLING_URL="+b.billing.url(), "ADAPTER_BILLING_SECRET="+billingSecret,
		"ADAPTER_ANYMONEY_URL=", "ADAPTER_ANYMONEY_MERCHANT=", "ADAPTER_ANYMONEY_KEY=", "ADAPTER_ANYMONEY_CALLBACK_BASE=")
	b.bill("deposit", b.user, "1000.00")
	return b
}

// bill runs a command of the billing.
func (b *billed) bill(args ...string) string {
	b.t.Helper()
	cmd := exec.CommandContext(testContext(b.t), b.bin, append([]string{"--database", b.file}, args...)...) //nolint:gosec // our own binary
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("billing %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// money compares what billing and platform have of a user, and has the adapter's books verified.
func (b *billed) money(available, reserved, spent, integra string) {
	b.t.Helper()
	want := fmt.Sprintf("%s available %s reserved %s spent %s\n", b.user, available, reserved, spent)
	if got := b.bill("books"); got != want {
		b.t.Errorf("billing: %swant:    %s", got, want)
	}
	if got := b.credited(b.user); got != integra {
		b.t.Errorf("Integra: balance %s; want %s", got, integra)
	}
	if out := b.run("ledger", "verify"); !strings.HasSuffix(out, "clean") {
		b.t.Errorf("verify: %s", out)
	}
}

func TestBilling(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBilled(t, database)
		b.start()
		b.await(b.topUp(b.user, "100"), "confirmed")
		b.money("900.00", "0.00", "100.00", "100.00")
		if p := b.await(b.topUp(b.user, "5000"), "declined"); p.Reason != "not enough funds" {
			t.Errorf("declined for %q", p.Reason)
		}
		stranger := b.run("users", "register", "--login", "stranger")
		b.open(stranger)
		if p := b.await(b.topUp(stranger, "1"), "declined"); p.Reason != "unknown user" {
			t.Errorf("declined for %q", p.Reason)
		}
		var direct payment
		b.runJSON(&direct, "payments", "create", b.user, "250", "--key", "order-1")
		if direct.State != "confirmed" {
			t.Errorf("direct payment is %s", direct.State)
		}
		b.money("650.00", "0.00", "350.00", "350.00")
		b.run("payments", "refund", direct.ID, "50", "--key", "refund-1")
		b.money("700.00", "0.00", "300.00", "300.00")

		var balance struct{ Available, Reserved string }
		b.runJSON(&balance, "ledger", "balance", b.user)
		if balance.Available != "700.00" || balance.Reserved != "0.00" {
			t.Errorf("balance as the billing says: %+v", balance)
		}

		// The ledger does not take over, nor take part, while the billing keeps the funds.
		if _, err := b.partner.With("ADAPTER_FUNDS=ledger", "ADAPTER_BILLING_URL=").Run(testContext(t), "payments", "create", b.user, "1", "--key", "order-2"); err == nil ||
			!strings.Contains(err.Error(), "keeps the funds in the billing") {
			t.Errorf("pay from the ledger: %v", err)
		}
		if _, err := b.partner.Run(testContext(t), "ledger", "deposit", b.user, "1"); err == nil || !strings.Contains(err.Error(), "billing keeps the funds") {
			t.Errorf("deposit into the ledger: %v", err)
		}
		if _, err := b.partner.Run(testContext(t), "ledger", "statement", b.user, "--from", time.Now().UTC().Format(time.RFC3339)); err == nil || !strings.Contains(err.Error(), "billing keeps the funds, and the statements") {
			t.Errorf("statement of the ledger: %v", err)
		}
		b.money("700.00", "0.00", "300.00", "300.00")

		// What is looked at is what the billing says, and what is not here is said to be there.
		panel := b.panel("payments:read")
		panel.shows("/v1/accounts/"+b.user, http.StatusOK, `"available":"700.00"`)
		panel.shows("/v1/accounts/"+b.user+"/statement", http.StatusNotFound, "urn:partnerkit:problem:funds-kept-elsewhere")
		panel.shows("/console/accounts", http.StatusOK, "billing keeps the funds", "700.00", "The billing does not say")
		panel.shows("/console/accounts/"+b.user, http.StatusOK, "billing keeps the funds", "700.00")
	})
}

// The adapter is killed once the billing has made a move and before it hears of it.
func TestBillingKilledAtEachMove(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBilled(t, database)
		b.start()
		for i, move := range []string{"reservations", "capture"} {
			b.billing.hold(move)
			id := b.topUp(b.user, "100")
			wait(t, b.billing.held, 1)
			b.kill()
			b.billing.release()
			b.start()
			b.await(id, "confirmed")
			b.money(strconv.Itoa(900-100*i)+".00", "0.00", strconv.Itoa(100+100*i)+".00", strconv.Itoa(100+100*i)+".00")
		}

		// A payment that the platform refuses for certain is released.
		b.gate.close()
		id := b.topUp(b.user, "100")
		b.awaitEvent(id, "reserved")
		b.money("700.00", "100.00", "200.00", "200.00")
		b.advance(25 * time.Hour) // it expires
		b.billing.hold("release")
		b.gate.open()
		wait(t, b.billing.held, 1)
		b.kill()
		b.billing.release()
		b.money("800.00", "0.00", "200.00", "200.00")
		b.start()
		b.await(id, "declined")
		b.money("800.00", "0.00", "200.00", "200.00")
	})
}

// An adapter that gives up on a payment whose reservation it never heard of releases it, also
// after it was killed.
func TestBillingGivesUpAReservationItNeverHeardOf(t *testing.T) {
	t.Parallel()
	b := newBilled(t, sqlite(t))
	b.start()
	b.billing.spoils(func(string) fate { return lost }) // reserved, for all that the adapter knows perhaps
	id := b.topUp(b.user, "1000")
	b.awaitEvent(id, "retry")
	b.kill()
	b.money("0.00", "1000.00", "0.00", "0.00")
	b.gate.close()
	b.billing.spoils(nil)
	b.advance(25 * time.Hour)
	b.start()
	b.awaitEvent(id, "reserved")
	b.gate.open()
	b.await(id, "declined").event(t, "released")
	b.money("1000.00", "0.00", "0.00", "0.00")
}

// A person decides about a payment in doubt: the billing is told.
func TestBillingResolved(t *testing.T) {
	t.Parallel()
	b := newBilled(t, sqlite(t))
	confirmed := b.doubtful("100")
	b.money("900.00", "100.00", "0.00", "100.00")
	b.run("payments", "resolve", confirmed, "--confirm", "--by", "Anna", "--reason", "it is there")
	b.await(confirmed, "confirmed").event(t, "captured")
	b.money("900.00", "0.00", "100.00", "100.00")

	b.kill()
	fuse := func() string { // a call that never arrives; then the payment expires
		b.start()
		f := b.gate.light(1)
		id := b.topUp(b.user, "50")
		wait(t, f.burnt, 1)
		b.kill()
		b.advance(25 * time.Hour)
		b.start()
		return id
	}
	absent := fuse()
	b.await(absent, "in_doubt")
	b.money("850.00", "50.00", "100.00", "100.00")
	b.run("payments", "resolve", absent, "--decline", "--by", "Anna", "--reason", "it is not there")
	b.await(absent, "declined").event(t, "released")
	b.money("900.00", "0.00", "100.00", "100.00")
}

// What the billing owes and refuses is kept, shown and told of, also by the process that comes
// after; it ends when the billing is mended, or when a person says that its books are right.
func TestBillingRefusesWhatItOwes(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBilled(t, database)
		d := newDesk(t)
		d.watch(b.world)
		b.partner = b.partner.With("ADAPTER_RETRY_FIRST=1h", "ADAPTER_RETRY_MAX=1h")
		refuse := func(move string) {
			b.billing.spoils(func(path string) fate {
				if strings.HasSuffix(path, move) {
					return refused
				}
				return passed
			})
		}
		b.start()
		refuse("capture")
		id := b.topUp(b.user, "100")
		p := b.await(id, "capture_refused")
		if e := p.event(t, "move_refused"); e.Verdict != "refused" || !strings.Contains(e.Detail, "not this one") || !strings.Contains(p.Reason, "409") {
			t.Errorf("refused: %+v, reason %q", e, p.Reason)
		}
		if m := d.next("alert.raised", "billing_refused"); !strings.Contains(m.Data.Text, "1 payments") {
			t.Errorf("it says %q", m.Data.Text)
		}
		if _, body := b.get(b.adapter.URL + "/metrics"); !strings.Contains(body, `partnerkit_adapter_payments{state="capture_refused"} 1`) {
			t.Error("the metrics do not show it")
		}
		b.kill()
		b.start()
		b.run("payments", "retry", id) // in vain
		b.awaitEvents(id, "move_refused", 2)
		b.money("900.00", "100.00", "0.00", "100.00")
		if _, err := b.partner.Run(testContext(t), "payments", "resolve", id, "--decline", "--by", "Anna", "--reason", "x"); err == nil || !strings.Contains(err.Error(), "only be confirmed") {
			t.Errorf("declined against the platform's yes: %v", err)
		}
		b.billing.spoils(nil)
		b.run("payments", "retry", id)
		if p := b.await(id, "confirmed"); p.Reason != "" {
			t.Errorf("reason %q", p.Reason)
		}
		d.next("alert.over", "billing_refused")
		b.money("900.00", "0.00", "100.00", "100.00")

		b.gate.close()
		id = b.topUp(b.user, "50")
		b.awaitEvent(id, "retry")
		b.advance(25 * time.Hour) // it expires
		refuse("release")
		b.gate.open()
		b.run("payments", "retry", id)
		b.await(id, "release_refused")
		d.next("alert.raised", "billing_refused")
		b.kill()
		b.start()
		b.run("payments", "resolve", id, "--decline", "--by", "Anna", "--reason", "released by hand, ticket 7")
		if e := b.await(id, "declined").event(t, "resolved"); !strings.Contains(e.Detail, "ticket 7") {
			t.Errorf("history says %q", e.Detail)
		}
		d.next("alert.over", "billing_refused")
		d.quiet()
		b.money("850.00", "50.00", "100.00", "100.00") // as the person left it there: not ours to say
	})
}

// A reservation that the billing refuses for no reason of the user's declines nothing: it is told
// of, and made when the billing is mended.
func TestBillingRefusesToReserve(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBilled(t, database)
		d := newDesk(t)
		d.watch(b.world)
		b.partner = b.partner.With("ADAPTER_RETRY_FIRST=1h", "ADAPTER_RETRY_MAX=1h")
		b.start()
		b.billing.spoils(func(string) fate { return refused })
		id := b.topUp(b.user, "100")
		b.awaitEvent(id, "move_refused")
		if p := b.show(id); p.State != "received" || !strings.Contains(p.Reason, "409 conflict: not this one") {
			t.Errorf("it is %s for %q", p.State, p.Reason)
		}
		d.next("alert.raised", "billing_refused")
		b.panel("payments:read").shows("/console/", http.StatusOK, "refuses to reserve, capture or release 1 payment")
		b.kill()
		b.start()
		b.billing.spoils(nil)
		b.run("payments", "retry", id)
		if p := b.await(id, "confirmed"); p.Reason != "" {
			t.Errorf("reason %q", p.Reason)
		}
		d.next("alert.over", "billing_refused")
		d.quiet()
		b.money("900.00", "0.00", "100.00", "100.00")
	})
}

// A person declines what the billing will not reserve. What it has reserved without an answer is
// released, also if the adapter was killed before.
func TestBillingReservesNothingAndAPersonDeclines(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBilled(t, database)
		b.partner = b.partner.With("ADAPTER_RETRY_FIRST=1h", "ADAPTER_RETRY_MAX=1h")
		b.start()
		b.billing.spoils(func(string) fate { return refused })
		id := b.topUp(b.user, "100")
		b.awaitEvent(id, "move_refused")
		if _, body := b.get(b.adapter.URL + "/metrics"); !strings.Contains(body, `partnerkit_adapter_payments_unreserved{outcome="refused"} 1`) {
			t.Error("the metrics do not show what is refused")
		}
		if _, err := b.partner.Run(testContext(t), "payments", "resolve", id, "--confirm", "--by", "Anna", "--reason", "x"); err == nil || !strings.Contains(err.Error(), "only be declined") {
			t.Errorf("confirmed what was never called for: %v", err)
		}
		b.run("payments", "resolve", id, "--decline", "--by", "Anna", "--reason", "ticket 7")
		b.await(id, "release_refused") // it refuses everything
		b.billing.spoils(nil)
		b.run("payments", "retry", id)
		if p := b.await(id, "declined"); p.Reason != "declined by Anna: ticket 7" {
			t.Errorf("declined for %q", p.Reason)
		}
		b.money("1000.00", "0.00", "0.00", "0.00")

		b.billing.spoils(func(string) fate { return lost })
		id = b.topUp(b.user, "100")
		b.awaitEvent(id, "retry")
		if _, body := b.get(b.adapter.URL + "/metrics"); !strings.Contains(body, `partnerkit_adapter_payments_unreserved{outcome="unknown"} 1`) {
			t.Error("the metrics do not show what is not answered")
		}
		b.money("900.00", "100.00", "0.00", "0.00")
		b.kill()
		b.billing.spoils(nil)
		b.run("payments", "resolve", id, "--decline", "--by", "Anna", "--reason", "ticket 8")
		b.start()
		b.await(id, "declined").event(t, "released")
		b.money("1000.00", "0.00", "0.00", "0.00")
	})
}

// A billing that does not answer is left alone, payments wait without spending tries, and the
// operators are told once.
func TestBillingThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBilled(t, sqlite(t))
	d := newDesk(t)
	d.watch(b.world)
	b.start("ADAPTER_BREAKER_FAILURES=3", "ADAPTER_BREAKER_PAUSE=1s")
	b.billing.close()
	ids := []string{b.topUp(b.user, "10"), b.topUp(b.user, "20"), b.topUp(b.user, "30")}
	d.next("alert.raised", "platform_paused billing")
	ids = append(ids, b.topUp(b.user, "40")) // is stored all the same
	b.billing.open()
	d.next("alert.over", "platform_paused billing")
	for _, id := range ids {
		b.await(id, "confirmed")
	}
	d.quiet()
	b.money("900.00", "0.00", "100.00", "100.00")
}

// Billing and platform fail and lose answers at random, and the adapter is killed at any point
// of any call of either. At the end the money is where it belongs.
func TestBillingAtRandom(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		dice, rounds := seeded(t), number(t, "KILL_ROUNDS", 12)
		b := newBilled(t, database)
		spoilt := rand.New(rand.NewPCG(dice.Uint64(), 1)) //nolint:gosec // chance, no secret
		const each = 4
		var ids []string
		for range rounds {
			b.start()
			b.billing.spoils(func(string) fate {
				return []fate{passed, passed, passed, failed, failedLate, lost}[spoilt.IntN(6)]
			})
			gate := b.gate
			if dice.IntN(2) == 0 {
				gate = b.billing
			}
			fuse := gate.light(1 + dice.IntN(2*each))
			for range each {
				ids = append(ids, b.topUp(b.user, strconv.Itoa(1+dice.IntN(60))))
			}
			wait(t, fuse.burnt, 1)
			b.kill()
			close(fuse.goOn)
			b.billing.spoils(nil)
		}
		b.start()
		b.advance(time.Hour) // notifications that met a dead adapter are repeated
		b.quiet()
		b.compare(ids)

		var spent int64
		for _, p := range b.list("--state", "confirmed") {
			amount, err := money.ParseBalance(p.Amount, money.RUB)
			must(t, err)
			spent += amount.Minor()
		}
		text := func(minor int64) string { return money.New(minor, money.RUB).Text() }
		b.money(text(1000_00-spent), "0.00", text(spent), text(spent))
		t.Logf("%d payments, %d kills, %s spent", len(ids), rounds, text(spent))
	})
}
