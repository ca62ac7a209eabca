package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/contract/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// The vector of the Standard Webhooks reference libraries, not made by this code.
func TestSignatureOfTheSpecification(t *testing.T) {
	t.Parallel()
	keys, err := ParseKeys(whsec)
	if err != nil {
		t.Fatal(err)
	}
	got := sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 999), []byte(`{"test": 2432232314}`))
	for name, want := range map[string]string{
		"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
		"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	} {
		if got[name] != want {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	other := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 64))
	if keys, err := ParseKeys(" " + whsec + "\n" + other); err != nil || len(keys) != 2 || len(keys[0]) != 24 || len(keys[1]) != 64 {
		t.Errorf("%v, %v", keys, err)
	}
	for _, bad := range []string{"", " ", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_hunter2", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), other + "A", whsec + " x"} {
		if keys, err := ParseKeys(bad); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, %v; want an error that does not repeat it", bad, keys, err)
		}
	}
}

// received is one message as a receiver sees it; verified says whether its signature holds.
type received struct {
	id       string
	verified bool
	message
}

// desk is an operators' desk: a receiver that verifies by itself, apart from the code under test,
// and answers what it is told to.
type desk struct {
	*httptest.Server
	status atomic.Int64
	got    chan received
}

func newDesk(t *testing.T) *desk {
	d := &desk{got: make(chan received, 100)}
	d.status.Store(204)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(whsec, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m := received{id: r.Header.Get("webhook-id")}
		h := hmac.New(sha256.New, key)
		h.Write([]byte(m.id + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
		at, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
		m.verified = err == nil && at > 0 && slices.Contains(strings.Fields(r.Header.Get("webhook-signature")), want)
		if err := json.Unmarshal(body, &m.message); err != nil {
			t.Errorf("body %s: %v", body, err)
		}
		w.WriteHeader(int(d.status.Load()))
		d.got <- m
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *desk) next(t *testing.T) received {
	t.Helper()
	select {
	case m := <-d.got:
		if !m.verified {
			t.Errorf("%s: the signature does not hold", m.Data.Cause)
		}
		return m
	case <-time.After(time.Minute):
		t.Fatal("no message within a minute")
	}
	return received{}
}

func (d *desk) expect(t *testing.T, kind, cause string) received {
	t.Helper()
	m := d.next(t)
	if m.Type != kind || m.Data.Cause != cause {
		t.Errorf("got %s of %s (%s); want %s of %s", m.Type, m.Data.Cause, m.Data.Text, kind, cause)
	}
	return m
}

// scene is alerts over a real store, with a clock that is set by hand.
type scene struct {
	*Alerts
	clock  *adaptertest.Clock
	store  *store.Store
	doubts atomic.Int64
	moves  atomic.Int64 // refused by the billing
}

var names atomic.Int64

func newScene(t *testing.T, database, url string) *scene {
	sc := &scene{clock: adaptertest.NewClock()}
	sc.store = adaptertest.Open(t, database, func(c *store.Config) { c.Now = sc.clock.Now })
	keys, err := ParseKeys(whsec)
	if err != nil {
		t.Fatal(err)
	}
	sc.Alerts, err = New(sc.store, Config{
		URL: url, Keys: keys, Refusals: 3, Every: time.Millisecond, Now: sc.clock.Now, Log: slog.New(slog.DiscardHandler),
		NewID: func() string { return fmt.Sprintf("msg_%d", names.Add(1)) },
		Waiting: func(context.Context) (doubts, refused int64, err error) {
			return sc.doubts.Load(), sc.moves.Load(), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func (sc *scene) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sc.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestOneAlertForEachCause(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		d := newDesk(t)
		sc := newScene(t, database, d.URL)
		defer sc.run(t)()
		sc.doubts.Store(2)
		first := d.expect(t, "alert.raised", adapter.CauseInDoubt)
		if !strings.HasPrefix(first.Data.Text, "2 payments") || first.Timestamp != "2026-05-04T03:02:01Z" {
			t.Errorf("%+v", first.message)
		}
		sc.doubts.Store(5) // more of the same are no news
		sc.Raise(adapter.CausePaused, "it does not answer")
		sc.Raise(adapter.CausePaused, "it still does not answer")
		d.expect(t, "alert.raised", adapter.CausePaused)
		sc.End(adapter.CausePaused, "it answers again")
		over := d.expect(t, "alert.over", adapter.CausePaused)
		sc.doubts.Store(0)
		if last := d.expect(t, "alert.over", adapter.CauseInDoubt); last.id == first.id || last.id == over.id {
			t.Errorf("two messages are called %s", last.id)
		}
		sc.End(adapter.CausePaused, "it answers still") // what is not there cannot be over
		sc.doubts.Store(1)
		d.expect(t, "alert.raised", adapter.CauseInDoubt)
		sc.moves.Store(3)
		if m := d.expect(t, "alert.raised", adapter.CauseBilling); !strings.Contains(m.Data.Text, "3 payments") {
			t.Errorf("it says %q", m.Data.Text)
		}
		sc.moves.Store(0)
		d.expect(t, "alert.over", adapter.CauseBilling)
	})
}

// Refusals are counted in the histories, across processes and restarts.
func TestRefusalsInARow(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		d := newDesk(t)
		sc := newScene(t, database, d.URL)
		user := adaptertest.AddUser(t, sc.store, 1, 100_00)
		pay := func(verdicts ...adapter.Verdict) {
			t.Helper()
			p, _, err := sc.store.Accept(t.Context(), adaptertest.TopUp(t, user, 1_00, sc.clock.Advance(time.Second)))
			step := func(s adapter.Step, wrong error) {
				t.Helper()
				if err = errors.Join(err, wrong); err == nil {
					p, err = sc.store.Apply(t.Context(), s)
				}
			}
			step(p.Decide(adaptertest.Policy, sc.clock.Advance(time.Second)))
			for _, v := range verdicts {
				step(p.Answered(adapter.Outcome{Verdict: v, Code: 7, Detail: "blocked"}, adaptertest.Policy, sc.clock.Advance(time.Second)))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		const yes, no, unknown = adapter.Accepted, adapter.Refused, adapter.Unknown
		pay(no)
		pay(no)
		pay(yes) // not in a row
		pay(no)
		pay(no, yes) // that a decline was taken says nothing
		if err := sc.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		pay(unknown, no)
		stop := sc.run(t)
		m := d.expect(t, "alert.raised", adapter.CauseRefusals)
		if !strings.Contains(m.Data.Text, "3 payments in a row") || !strings.Contains(m.Data.Text, "blocked") {
			t.Errorf("it says %q", m.Data.Text)
		}
		stop()
		pay(no)
		pay(yes)
		defer sc.run(t)()
		d.expect(t, "alert.over", adapter.CauseRefusals)
	})
}

// A day that differs is one alert, and one more when it agrees.
func TestDifference(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		d := newDesk(t)
		sc := newScene(t, database, d.URL)
		defer sc.run(t)()
		compared := func(day, user int, result adapter.ReconcileResult) {
			t.Helper()
			zero := money.New(0, money.RUB)
			err := sc.store.SaveReconciliation(t.Context(), adapter.Reconciliation{
				Date: time.Date(2026, 5, day, 0, 0, 0, 0, time.UTC), User: adaptertest.Hash(user), Result: result, At: sc.clock.Now(),
				Credits: zero, Refunds: zero, Income: zero, Outcome: zero, Difference: zero,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		compared(1, 1, adapter.ReconcileAgrees)
		compared(2, 1, adapter.ReconcileDiffers)
		compared(2, 2, adapter.ReconcileDiffers)
		d.expect(t, "alert.raised", adapter.CauseDifference+" 2026-05-02")
		compared(2, 1, adapter.ReconcileAgrees)
		compared(2, 2, adapter.ReconcileUnread) // nobody knows
		compared(3, 1, adapter.ReconcileDiffers)
		d.expect(t, "alert.raised", adapter.CauseDifference+" 2026-05-03")
		compared(2, 2, adapter.ReconcileAgrees)
		d.expect(t, "alert.over", adapter.CauseDifference+" 2026-05-02")
	})
}

// An alert is sent again under the same name until it is taken, also by the next process, and
// given up in the end.
func TestAlertsAreSentUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		d := newDesk(t)
		d.status.Store(500)
		sc := newScene(t, database, d.URL)
		stop := sc.run(t)
		sc.Raise(adapter.CauseImbalance, "one kopeck is missing")
		first := d.expect(t, "alert.raised", adapter.CauseImbalance)
		stop()
		list, err := sc.store.Alerts(t.Context(), 0, 0)
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		if a := list[0]; a.Attempt != 1 || a.Problem != "answered 500" || a.NextAt != sc.clock.Now().Add(5*time.Second) || !a.DeliveredAt.IsZero() {
			t.Errorf("after one attempt: %+v", a)
		}
		d.status.Store(200)
		sc.clock.Advance(5 * time.Second)
		sc.caller = newScene(t, adaptertest.SQLite(t), d.URL).caller // Run closed the one it had
		stop = sc.run(t)
		if again := d.expect(t, "alert.raised", adapter.CauseImbalance); again.id != first.id {
			t.Errorf("the second attempt is called %s, the first %s", again.id, first.id)
		}
		stop()
		if list, err = sc.store.Alerts(t.Context(), 0, 0); err != nil || list[0].DeliveredAt.IsZero() || list[0].Attempt != 2 || !list[0].NextAt.IsZero() || list[0].Problem != "" {
			t.Errorf("after it was taken: %+v, %v", list, err)
		}
	})
}

func TestAlertsAreGivenUpAfterThreeDays(t *testing.T) {
	t.Parallel()
	sc := newScene(t, adaptertest.SQLite(t), "http://127.0.0.1:1/")
	ctx := t.Context()
	sc.Raise(adapter.CauseImbalance, "x")
	attempts := 0
	for ; attempts < 1000; attempts++ {
		if err := sc.look(ctx); err != nil {
			t.Fatal(err)
		}
		list, err := sc.store.Alerts(ctx, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		if list[0].NextAt.IsZero() {
			if list[0].Problem == "" || !list[0].DeliveredAt.IsZero() {
				t.Errorf("given up without a reason: %+v", list[0])
			}
			break
		}
		sc.clock.Advance(list[0].NextAt.Sub(sc.clock.Now()))
	}
	if after := sc.clock.Now().Sub(adaptertest.NewClock().Now()); after < 72*time.Hour || after > 73*time.Hour || attempts < 50 {
		t.Errorf("given up after %s and %d attempts", after, attempts)
	}
	sc.caller.Close()
}

func TestTest(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	sc := newScene(t, adaptertest.SQLite(t), d.URL)
	if err := sc.Test(t.Context()); err != nil {
		t.Error(err)
	}
	d.expect(t, "alert.raised", adapter.CauseTest)
	d.status.Store(401)
	if err := sc.Test(t.Context()); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a desk that refuses: %v", err)
	}
	sc.caller.Close()
}
