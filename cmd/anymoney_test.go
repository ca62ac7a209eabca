package cmd_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// payin is what `payins get --json` and the API show.
type payin struct {
	ExternalID, Status, Reason, Credited, Detail string
	Order                                        struct {
		LID     int64
		Paylink string
		Out     string `json:"out_amount"`
		Rate    []string
	}
	History []event
}

// awaitPayin waits until the adapter has the payin in the status.
func (w *world) awaitPayin(externalID, status string) payin {
	w.t.Helper()
	p, err := stage.Until(testContext(w.t), func() (p payin, ok bool, err error) {
		err = w.partner.RunJSON(testContext(w.t), &p, "payins", "get", externalID)
		return p, p.Status == status, err
	})
	must(w.t, err)
	return p
}

// pay lets the buyer pay.
func (w *world) pay(externalID string) {
	w.t.Helper()
	must(w.t, w.platform.SetOrder(testContext(w.t), externalID, "done"))
}

// has checks the user's balance and has the ledger verified.
func (w *world) has(available string) {
	w.t.Helper()
	var b struct{ Available string }
	w.runJSON(&b, "ledger", "balance", w.user)
	if b.Available != available {
		w.t.Errorf("ledger: %s available, want %s", b.Available, available)
	}
	if out := w.run("ledger", "verify"); !strings.HasSuffix(out, "clean") {
		w.t.Errorf("verify: %s", out)
	}
}

// creates is how many creates have come to the platform.
func (w *world) creates() int {
	w.t.Helper()
	var journal struct{ Exchanges []struct{ Method string } }
	must(w.t, w.platform.Do(testContext(w.t), http.MethodGet, "/journal?protocol=anymoney&method=payin.create", nil, &journal))
	return len(journal.Exchanges)
}

// configure merges a patch into Any.Money's configuration.
func (w *world) configure(patch string) {
	w.t.Helper()
	must(w.t, w.platform.Do(testContext(w.t), http.MethodPatch, "/anymoney/config", []byte(patch), nil))
}

// From the order to the credited balance, by command and by the panel's API.
func TestPayinJob(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.configure(`{"payways":{"visamc":{"in":{"RUB":{"tech_min":"10","fee":{"mult":"0.015"}}}}}}`)
		w.start()

		if quote := w.run("payins", "calc", "100", "RUB", "visamc"); !strings.Contains(quote, "account   98.5 RUB") {
			t.Errorf("quote:\n%s", quote)
		}
		var p payin
		w.runJSON(&p, "payins", "create", w.user, "100", "RUB", "visamc", "--externalid", "order-1")
		if p.Status != "new" || p.Order.LID == 0 || !strings.Contains(p.Order.Paylink, "#token=") {
			t.Errorf("created: %+v", p)
		}
		w.pay("order-1")
		if p = w.awaitPayin("order-1", "done"); p.Credited != "98.50" || !strings.HasPrefix(p.History[len(p.History)-1].Detail, "callback") {
			t.Errorf("done: %+v", p)
		}
		w.has("1098.50")

		w.refuses("EParamAmountTooSmall", "payins", "create", w.user, "9.99", "RUB", "visamc", "--externalid", "order-2")
		w.refuses("EParamAmountTooSmall", "payins", "create", w.user, "9.99", "RUB", "visamc", "--externalid", "order-2")

		w.runJSON(&p, "payins", "create", w.user, "115", "UAH", "visamc", "--out-curr", "USD", "--externalid", "order-3")
		w.pay("order-3")
		if p = w.awaitPayin("order-3", "done"); p.Credited != "" || p.Order.Out != "4.07" || !strings.Contains(p.Reason, "4.07 USD") {
			t.Errorf("converted: %+v", p)
		}
		w.has("1098.50")

		panel := resty.New().SetBaseURL(w.adapter.URL).SetAuthToken(w.run("token", "mint", "--name", "panel", "--scope", "payins:read,payins:write"))
		body := map[string]string{"user": w.user, "amount": "20", "in_curr": "RUB", "payway": "visamc"}
		for _, want := range []int{201, 200} {
			res, err := panel.R().SetHeader("Idempotency-Key", "button 7").SetBody(body).SetResult(&p).Post("/v1/payins")
			must(t, err)
			if res.StatusCode() != want || p.Status != "new" {
				t.Errorf("POST /v1/payins: %d %s, want %d", res.StatusCode(), res.Body(), want)
			}
		}
		w.pay(p.ExternalID)
		w.awaitPayin(p.ExternalID, "done")
		w.has("1118.20")
		body["amount"] = "21"
		res, err := panel.R().SetHeader("Idempotency-Key", "button 7").SetBody(body).Post("/v1/payins")
		must(t, err)
		if res.StatusCode() != 422 {
			t.Errorf("the key with another body: %d %s, want 422", res.StatusCode(), res.Body())
		}
		if n := w.creates(); n != 4 {
			t.Errorf("%d creates came to the platform, want 4", n)
		}
	})
}

// The adapter is killed while the platform's answer to a create is on the way: the next one
// finds the order, asks for no other, and credits what was paid meanwhile.
func TestKilledWhileCreating(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		w.start()
		w.gate.hold("/anymoney/")
		panel := resty.New().SetBaseURL(w.adapter.URL).SetAuthToken(w.run("token", "mint", "--name", "panel", "--scope", "payins:write"))
		hungUp := make(chan error, 1)
		go func() {
			_, err := panel.R().SetBody(map[string]string{"user": w.user, "amount": "100", "in_curr": "RUB", "payway": "visamc", "externalid": "order-1"}).Post("/v1/payins")
			hungUp <- err
		}()
		wait(t, w.gate.held, 1)
		w.kill()
		if err := <-hungUp; err == nil {
			t.Error("the panel got an answer")
		}
		w.gate.release()
		w.awaitPayin("order-1", "creating")
		w.start()
		p := w.awaitPayin("order-1", "new")
		if n := w.creates(); n != 1 || p.Order.LID == 0 {
			t.Errorf("%d creates, want 1; %+v", n, p)
		}
		w.pay("order-1")
		w.awaitPayin("order-1", "done")
		w.has("1100.00")
	})
}

// A callback that finds nobody comes again, and one that is lost for good is made up for.
func TestAdapterDownAtCallback(t *testing.T) {
	w := newWorld(t, sqlite(t), "ADAPTER_ANYMONEY_POLL=1s")
	w.start()
	w.run("payins", "create", w.user, "100", "RUB", "visamc", "--externalid", "order-1")
	w.run("payins", "create", w.user, "50", "RUB", "visamc", "--externalid", "order-2")
	w.kill()
	w.pay("order-1")
	w.start()
	w.advance(25 * time.Second) // the second delivery
	w.awaitPayin("order-1", "done")
	w.has("1100.00")

	w.kill()
	w.configure(`{"settings":{"callback_offsets_ms":[0]}}`)
	w.pay("order-2")
	w.start()
	w.awaitPayin("order-2", "done")
	w.has("1150.00")
}

// Orders are made, several at once, and paid while the adapter is killed at any point of any
// call, again and again. KILL_ROUNDS and KILL_SEED choose how often and where. In the end each
// button that was pressed is one order, paid once and credited once.
func TestPayinsKilledAtRandom(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		dice, rounds := seeded(t), number(t, "KILL_ROUNDS", 12)
		w := newWorld(t, database, "ADAPTER_ANYMONEY_POLL=1s")
		token := w.run("token", "mint", "--name", "panel", "--scope", "payins:write")
		press := func(key string) (p payin, status int) {
			res, err := resty.New().SetBaseURL(w.adapter.URL).SetAuthToken(token).R().
				SetHeader("Idempotency-Key", key).SetResult(&p).
				SetBody(map[string]string{"user": w.user, "amount": "10", "in_curr": "RUB", "payway": "visamc"}).Post("/v1/payins")
			if err != nil {
				return p, 0 // it is dead
			}
			return p, res.StatusCode()
		}
		const each = 4 // orders a round; each makes at least one call, which passes three points
		var keys []string
		for round := range rounds {
			w.start()
			fuse := w.gate.light(1 + dice.IntN(3*each))
			var buttons sync.WaitGroup
			for n := range each {
				key := fmt.Sprintf("button %d of round %d", n, round)
				keys = append(keys, key)
				pays := dice.IntN(2) == 0
				buttons.Go(func() {
					if p, _ := press(key); p.Order.LID != 0 && pays {
						_ = w.platform.SetOrder(testContext(t), p.ExternalID, "done") // and the callback may find nobody
					}
				})
			}
			wait(t, fuse.burnt, 1)
			w.kill()
			close(fuse.goOn)
			buttons.Wait()
		}
		w.start()
		orders := map[int64]bool{}
		for _, key := range keys {
			p, err := stage.Until(testContext(t), func() (payin, bool, error) {
				p, status := press(key)
				if status != http.StatusOK && status != http.StatusCreated && status != http.StatusAccepted {
					return p, false, fmt.Errorf("%s: status %d", key, status)
				}
				return p, p.Order.LID != 0, nil
			})
			must(t, err)
			orders[p.Order.LID] = true
			w.pay(p.ExternalID)
			if p = w.awaitPayin(p.ExternalID, "done"); p.Credited != "10.00" {
				t.Errorf("%s: %+v", key, p)
			}
		}
		if len(orders) != len(keys) {
			t.Errorf("%d orders for %d buttons", len(orders), len(keys))
		}
		w.has(fmt.Sprintf("%d.00", 1000+10*len(keys)))
		var balances map[string]string
		w.runJSON(&balances, "payins", "balance", "RUB")
		if want := strconv.Itoa(10 * len(keys)); balances["RUB"] != want {
			t.Errorf("the platform has credited %s RUB, want %s", balances["RUB"], want)
		}
		t.Logf("%d orders, %d creates, %d kills", len(keys), w.creates(), rounds)
	})
}
