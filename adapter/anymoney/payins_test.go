package anymoney_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/anymoney"
	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p, first, err := f.payins.Create(t.Context(), f.request("order-1"))
	if err != nil || !first || p.Status != adapter.PayinNew || p.Order.Paylink != "https://sci.example/#token=T" || p.Order.LID != firstLID {
		t.Fatalf("Create = %+v, %v, %v", p, first, err)
	}
	again, first, err := f.payins.Create(t.Context(), f.request("order-1"))
	if err != nil || first || again != p {
		t.Errorf("Create again = %+v, %v, %v; want %+v", again, first, err, p)
	}
	other := f.request("order-1")
	other.Amount = "1000"
	if _, _, err := f.payins.Create(t.Context(), other); !errors.Is(err, adapter.ErrConflict) {
		t.Errorf("another request under the name: %v, want %v", err, adapter.ErrConflict)
	}
	small := f.request("order-2")
	small.Amount = "0.5"
	refused, _, err := f.payins.Create(t.Context(), small)
	if want := "platform refused: -32074 EParamAmountTooSmall: amount: Amount is too small"; err != nil || refused.Status != adapter.PayinRefused || refused.Reason != want {
		t.Errorf("too little = %s %q, %v; want it refused: %q", refused.Status, refused.Reason, err, want)
	}
	if n := f.platform.made(wire.MethodPayinCreate); n != 2 {
		t.Errorf("%d creates for two payins", n)
	}
	f.has(t, 0)
}

// Whatever becomes of a call, there is one order, or none and a payin that says so.
func TestCreateWithoutAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fate    fate
		creates int
	}{
		"the answer is lost":      {unanswered, 1},
		"the request is lost":     {unheard, 2},
		"it fails after the deed": {failing, 1},
		"half an answer":          {garbled, 1},
		"an answer of a stranger": {forged, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			n := 0
			f.platform.meets(func(wire.Method) fate {
				if n++; n <= 2 { // the create, and the look after it
					return tt.fate
				}
				return answered
			})
			if p := f.create(t, "order-1"); p.Status != adapter.PayinUnsure || !p.Sent {
				t.Errorf("at first it is %s, want %s", p.Status, adapter.PayinUnsure)
			}
			f.settle(t)
			f.is(t, "order-1", adapter.PayinNew)
			if got := f.platform.made(wire.MethodPayinCreate); got != tt.creates {
				t.Errorf("%d creates, want %d", got, tt.creates)
			}
		})
	}
}

// A code is money and never stored, so a create with one is not made again.
func TestCodeIsSentOnce(t *testing.T) {
	t.Parallel()
	for create, want := range map[fate]adapter.PayinStatus{answered: adapter.PayinNew, unanswered: adapter.PayinNew, unheard: adapter.PayinRefused} {
		f := newFixture(t)
		f.platform.meets(func(m wire.Method) fate { return fateOf(m, create) })
		r := f.request("order-1")
		r.Code = "EX-CODE-1"
		if _, _, err := f.payins.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		f.settle(t)
		f.is(t, "order-1", want)
		if n := f.platform.made(wire.MethodPayinCreate); n != 1 {
			t.Errorf("fate %d: %d creates, want 1", create, n)
		}
	}
}

// fateOf gives creates a fate and answers the rest.
func fateOf(m wire.Method, create fate) fate {
	if m == wire.MethodPayinCreate {
		return create
	}
	return answered
}

var errKilled = errors.New("killed")

// dying is a store whose process is killed at a certain write: from then on nothing is written.
type dying struct {
	anymoney.Store
	mu   sync.Mutex
	left int // writes until then
}

func (d *dying) dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left--
	return d.left < 0
}

func (d *dying) AddPayin(ctx context.Context, p adapter.Payin) (adapter.Payin, bool, error) {
	if d.dead() {
		return p, false, errKilled
	}
	return d.Store.AddPayin(ctx, p)
}

func (d *dying) ApplyPayin(ctx context.Context, s adapter.PayinStep) (adapter.Payin, error) {
	if d.dead() {
		return s.Before, errKilled
	}
	return d.Store.ApplyPayin(ctx, s)
}

// A process that is killed at any write leaves a payin behind that the next one finds, together
// with its order.
func TestKilledAtAnyWrite(t *testing.T) {
	t.Parallel()
	for _, create := range []fate{answered, unanswered, unheard} {
		for left := range 3 {
			t.Run(fmt.Sprintf("fate %d, %d writes", create, left), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.platform.meets(func(m wire.Method) fate { return fateOf(m, create) })
				mortal := f.over(t, &dying{Store: f.store, left: left})
				_, _, err := mortal.Create(t.Context(), f.request("order-1"))
				if killed := errors.Is(err, errKilled); killed != (left == 0) {
					t.Fatalf("Create: %v", err)
				}
				if left == 0 { // nothing was stored, so nothing was asked for, and the caller knows
					if n := f.platform.made(wire.MethodPayinCreate); n != 0 {
						t.Errorf("%d creates before the intent was stored", n)
					}
					return
				}
				f.platform.meets(func(wire.Method) fate { return answered })
				f.settle(t)
				p := f.is(t, "order-1", adapter.PayinNew)
				if want := 1 + int(create)/int(unheard); f.platform.made(wire.MethodPayinCreate) != want || f.platform.orders() != 1 || p.Order.LID != firstLID {
					t.Errorf("%d creates, want %d; order %d", f.platform.made(wire.MethodPayinCreate), want, p.Order.LID)
				}
				f.platform.set("order-1", wire.StatusDone) // and no callback
				for range 2 {
					f.settle(t)
				}
				f.is(t, "order-1", adapter.PayinDone)
				f.has(t, 98_50)
			})
		}
	}
}

// Calls and writes fail at random, processes die, callbacks come at random. In the end every
// order is known, every paid one credited once, and no name has two.
func TestAnythingMayFail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	checks, paid := 0, int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		checks++
		names := []string{fmt.Sprintf("order-%d-1", checks), fmt.Sprintf("order-%d-2", checks)}
		var fates []fate // drawn beforehand: rapid draws in its own goroutine alone
		for range 30 {
			fates = append(fates, fate(rapid.IntRange(0, int(forged)).Draw(rt, "fate")))
		}
		calls := 0
		f.platform.meets(func(wire.Method) fate { calls++; return fates[calls%len(fates)] })
		for range rapid.IntRange(1, 12).Draw(rt, "rounds") {
			name := rapid.SampledFrom(names).Draw(rt, "payin")
			process := f.over(t, &dying{Store: f.store, left: rapid.IntRange(0, 6).Draw(rt, "lives")})
			o := f.platform.find(name)
			switch what := rapid.SampledFrom([]string{"create", "work", "pay", "callback"}).Draw(rt, "what"); {
			case what == "create":
				if _, _, err := process.Create(t.Context(), f.request(name)); err != nil && !errors.Is(err, errKilled) {
					rt.Fatal(err)
				}
			case what == "work":
				f.clock.Advance(policy.Lease)
				process.Round(t.Context())
			case what == "pay" && o != nil:
				f.platform.set(name, wire.StatusDone)
			case what == "callback" && o != nil:
				_, err := process.Told(t.Context(), name, told(t, o, f.clock.Now()))
				if errors.Is(err, adapter.ErrConflict) || errors.Is(err, adapter.ErrNotFound) {
					rt.Fatal(err)
				}
			}
		}
		f.platform.meets(func(wire.Method) fate { return answered })
		for range 6 { // an open order is looked at every minute, so this finds all
			f.clock.Advance(time.Minute)
			f.payins.Round(t.Context())
		}
		for _, name := range names {
			if f.platform.find(name) == nil {
				if p, err := f.store.Payin(t.Context(), name); !errors.Is(err, adapter.ErrNotFound) {
					rt.Fatalf("payin %s is %s (%s), but there is no order; %v", name, p.Status, p.Reason, err)
				}
				continue
			}
			f.platform.set(name, wire.StatusDone)
			paid++
		}
		f.clock.Advance(time.Minute)
		f.payins.Round(t.Context())
		for _, name := range names {
			if f.platform.find(name) != nil {
				f.is(t, name, adapter.PayinDone)
			}
		}
		f.has(t, paid*98_50)
		if t.Failed() {
			rt.Fatal("see above")
		}
	})
}

func TestNobodysOrderIsAdopted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o := f.platform.add("Заказ 1", "100")
	f.platform.set("Заказ 1", wire.StatusDone)
	news, err := f.payins.Told(t.Context(), "Заказ 1", told(t, o, f.clock.Now()))
	if err != nil || !news {
		t.Fatalf("Told = %v, %v", news, err)
	}
	if p := f.is(t, "Заказ 1", adapter.PayinDone); p.User != "" || p.Reason != "not credited: it belongs to no user" {
		t.Errorf("adopted: %+v", p)
	}
	if news, err := f.payins.Told(t.Context(), "Заказ 1", told(t, o, f.clock.Now())); err != nil || news {
		t.Errorf("Told again = %v, %v; want no news", news, err)
	}
	if _, err := f.payins.Told(t.Context(), "nowhere", told(t, o, f.clock.Now())); !errors.Is(err, adapter.ErrNotFound) {
		t.Errorf("an order that is nowhere: %v, want %v", err, adapter.ErrNotFound)
	}
	f.platform.meets(func(wire.Method) fate { return unanswered })
	if _, err := f.payins.Told(t.Context(), "nowhere", told(t, o, f.clock.Now())); !errors.Is(err, adapter.ErrUnanswered) {
		t.Errorf("an order that may be somewhere: %v, want %v", err, adapter.ErrUnanswered)
	}
	f.has(t, 0)
}

// The platform has an order of our name that we did not ask for: it is not ours.
func TestTakenNameIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.platform.add("order-1", "100")
	if p := f.create(t, "order-1"); p.Status != adapter.PayinRefused {
		t.Errorf("first create finds its name taken: %s, want it refused", p.Status)
	}
	f.platform.add("order-2", "7")
	f.platform.meets(func(m wire.Method) fate { return fateOf(m, unanswered) })
	f.create(t, "order-2") // whether it was refused is not known, but what is there is another order
	f.settle(t)
	if p := f.is(t, "order-2", adapter.PayinRefused); p.Reason != "the platform has another order of this name: order 135736 is of 7 RUB, not of 100 RUB" {
		t.Errorf("refused: %s", p.Reason)
	}
}

// told is an order as a callback tells of it at the given time.
func told(t testing.TB, o *wire.Order, at time.Time) adapter.PayinOrder {
	t.Helper()
	order, err := anymoney.ReadOrder(*o, merchant, at)
	if err != nil {
		t.Fatal(err)
	}
	return order
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(t, "order-1")
	f.platform.set("order-1", wire.StatusPending)
	f.clock.Advance(time.Second)
	if p, err := f.payins.Refresh(t.Context(), "order-1"); err != nil || p.Status != adapter.PayinPending {
		t.Errorf("Refresh = %s, %v; want pending", p.Status, err)
	}
	f.platform.set("order-1", wire.StatusDone)
	if p, err := f.payins.Refresh(t.Context(), "order-1"); err != nil || p.Credited != adaptertest.RUB(98_50) {
		t.Errorf("Refresh = %s credited %s, %v; want 98.50", p.Status, p.Credited, err)
	}
	calls := f.platform.made(wire.MethodPayinGet)
	if p, err := f.payins.Refresh(t.Context(), "order-1"); err != nil || p.Status != adapter.PayinDone || f.platform.made(wire.MethodPayinGet) != calls {
		t.Errorf("Refresh of what is done = %s, %v; want no call", p.Status, err)
	}
	if _, err := f.payins.Refresh(t.Context(), "order-2"); !errors.Is(err, adapter.ErrNotFound) {
		t.Errorf("Refresh of nothing: %v, want %v", err, adapter.ErrNotFound)
	}
	f.has(t, 98_50)
}
