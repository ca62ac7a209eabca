package store_test

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
	"github.com/partnerkit/partnerkit/adapter/store"
)

// Whatever is done at once, in whatever order and from however stale a copy, the books are
// right afterwards, and in the end every payment is.
func TestAnyOrderKeepsTheBooks(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		w := &world{clock: adaptertest.NewClock()}
		w.store = adaptertest.Open(t, database, func(c *store.Config) { c.Now = w.clock.Now })
		for i := range 3 {
			w.users = append(w.users, adaptertest.AddUser(t, w.store, i, 500_00))
		}
		rapid.Check(t, func(t *rapid.T) {
			w.known = nil
			for range rapid.IntRange(1, 12).Draw(t, "rounds") {
				w.round(t)
			}
			w.finish(t)
		})
	})
}

// world is a store and what the test knows of it.
type world struct {
	store *store.Store
	clock *adaptertest.Clock
	users []string
	keys  int

	mu    sync.Mutex
	known []adapter.Payment // every copy ever returned
}

func (w *world) learn(list ...adapter.Payment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = append(w.known, list...)
}

// round draws a few operations and runs them at once.
func (w *world) round(t *rapid.T) {
	var ops []func() error
	for range rapid.IntRange(1, 10).Draw(t, "ops") {
		ops = append(ops, w.draw(t))
	}
	errs := make([]error, len(ops))
	var wg sync.WaitGroup
	for i, op := range ops {
		wg.Go(func() { errs[i] = op() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !isBusiness(err) {
			t.Error(err)
		}
	}
	w.clock.Advance(time.Duration(rapid.IntRange(0, 15).Draw(t, "seconds")) * time.Second)
}

// draw returns an operation, most often the next step of a payment known in some version.
func (w *world) draw(t *rapid.T) func() error {
	ctx, now := context.Background(), w.clock.Now()
	user := rapid.SampledFrom(w.users).Draw(t, "user")
	amount := adaptertest.RUB(int64(rapid.IntRange(1, 300_00).Draw(t, "kopecks")))
	w.keys++
	key := fmt.Sprintf("%032d", w.keys)
	what := rapid.SampledFrom([]string{"accept", "accept", "step", "step", "step", "step", "claim", "free", "deposit", "withdraw", "refund"}).Draw(t, "what")
	if len(w.known) == 0 && (what == "step" || what == "free" || what == "refund") {
		what = "accept"
	}
	accept := func(p adapter.Payment, err error) func() error {
		return func() error {
			if err != nil {
				return err
			}
			p, _, err := w.store.Accept(ctx, p)
			if err == nil {
				w.learn(p)
			}
			return err
		}
	}
	switch what {
	case "accept":
		if again := rapid.IntRange(0, 3).Draw(t, "again"); again > 0 && w.keys > again { // the same key at once, with other content perhaps
			key = fmt.Sprintf("%032d", w.keys-again)
		}
		p, err := adapter.NewPayment(adapter.Key{Platform: adapter.PlatformIntegra, ID: key}, adapter.TopUp, user, amount, now)
		if rapid.Bool().Draw(t, "held") {
			p.Owner, p.NextAt = w.store.Owner(), now.Add(adaptertest.Policy.Lease)
		}
		return accept(p, err)
	case "claim":
		n := rapid.IntRange(1, 5).Draw(t, "n")
		return func() error {
			list, err := w.store.Claim(ctx, n)
			w.learn(list...)
			return err
		}
	case "deposit":
		return func() error { _, err := w.store.Deposit(ctx, user, amount, "", key); return err }
	case "withdraw":
		return func() error { _, err := w.store.Withdraw(ctx, user, amount, "", key); return err }
	}
	p := rapid.SampledFrom(w.known).Draw(t, "payment")
	if what == "refund" {
		return accept(adapter.NewRefund(p, amount, key, now))
	}
	verdict := rapid.SampledFrom([]adapter.Verdict{adapter.Accepted, adapter.Refused, adapter.NotSent, adapter.Unknown}).Draw(t, "verdict")
	return func() error {
		st, err := next(p, verdict, now)
		if what == "free" && !p.State.Final() && p.State != adapter.InDoubt {
			st, err = p.Freed(now), nil
		}
		if err != nil {
			return nil // there is no step from here
		}
		p, err := w.store.Apply(ctx, st)
		if err == nil {
			w.learn(p)
		}
		return err
	}
}

func next(p adapter.Payment, verdict adapter.Verdict, now time.Time) (adapter.Step, error) {
	if p.State == adapter.Received {
		return p.Decide(adaptertest.Policy, now)
	}
	return p.Answered(adapter.Outcome{Verdict: verdict}, adaptertest.Policy, now)
}

// finish carries every payment to its end and looks at the books.
func (w *world) finish(t *rapid.T) {
	ctx := context.Background()
	for {
		w.clock.Advance(time.Minute)
		claimed, err := w.store.Claim(ctx, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(claimed) == 0 {
			break
		}
		for _, p := range claimed {
			for !p.State.Final() {
				st, err := next(p, adapter.Accepted, w.clock.Now())
				if err != nil {
					t.Fatal(err)
				}
				if p, err = w.store.Apply(ctx, st); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	stats, err := w.store.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for state, n := range stats.Unfinished {
		if n > 0 && state != adapter.InDoubt {
			t.Errorf("%d payments are %s in the end", n, state)
		}
	}
	r, err := w.store.Verify(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Differences {
		t.Error("verify:", d)
	}
}

// A step that comes again after its commit's outcome got lost is known again, though others
// were written since in the same group.
func TestRepeatedStepAmongOthers(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		s := adaptertest.Open(t, database, nil)
		user := adaptertest.AddUser(t, s, 1, 1000_00)
		steps := make([]adapter.Step, 20)
		for i := range steps {
			p := adaptertest.TopUp(t, user, 1_00, time.Now())
			p.Owner = s.Owner()
			p, _, err := s.Accept(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if steps[i], err = p.Decide(adaptertest.Policy, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i := range 3 * len(steps) {
			wg.Go(func() {
				p, err := s.Apply(t.Context(), steps[i%len(steps)])
				if err == nil && p.State != adapter.Reserved {
					t.Errorf("it is %s", p.State)
				}
				if err != nil && !errors.Is(err, adapter.ErrLost) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if b, err := s.Balance(t.Context(), user); err != nil || b.Reserved != adaptertest.RUB(20_00) {
			t.Errorf("balance %v, %v; want 20.00 reserved", b, err)
		}
		clean(t, s)
	})
}
