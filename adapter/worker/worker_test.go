package worker_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/worker"
	"github.com/partnerkit/partnerkit/contract/money"
)

const me = 7

var policy = adapter.Policy{
	Lease:      10 * time.Second,
	Retry:      func(int) time.Duration { return 52 * time.Minute },
	DeclineFor: 24 * time.Hour,
}

// memory is a store of a few payments without durability: what the pool sees of a real one.
type memory struct {
	mu     sync.Mutex
	rows   map[int64]adapter.Payment
	steps  []adapter.Event
	broken int // Apply fails that often
	wake   chan struct{}
}

func newMemory() *memory {
	return &memory{rows: map[int64]adapter.Payment{}, wake: make(chan struct{}, 1)}
}

// add stores a payment as the service would: held by us, or free.
func (m *memory) add(t *testing.T, state adapter.State, owner int64) adapter.Payment {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	num := int64(len(m.rows) + 1)
	p, err := adapter.NewPayment(adapter.Key{Platform: "integra", ID: strings.Repeat("a", 31) + string(rune('a'+num))},
		adapter.TopUp, strings.Repeat("u", 32), money.New(100, money.RUB), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.Num, p.Version, p.State, p.Owner = num, 1, state, owner
	if owner != 0 {
		p.NextAt = time.Now().Add(policy.Lease)
	}
	m.rows[num] = p
	return p
}

func (m *memory) Apply(_ context.Context, s adapter.Step) (adapter.Payment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken > 0 {
		m.broken--
		return adapter.Payment{}, errors.New("disk is out of order")
	}
	if m.rows[s.Before.Num].Version != s.Before.Version {
		return adapter.Payment{}, adapter.ErrLost
	}
	m.rows[s.Before.Num] = s.After
	m.steps = append(m.steps, s.Event)
	return s.After, nil
}

func (m *memory) Claim(_ context.Context, n int) ([]adapter.Payment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var got []adapter.Payment
	for num, p := range m.rows {
		if len(got) < n && !p.NextAt.IsZero() && !p.NextAt.After(time.Now()) {
			p = p.Claimed(me, policy, time.Now()).After
			m.rows[num] = p
			got = append(got, p)
		}
	}
	return got, nil
}

func (m *memory) NextDue(context.Context) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due time.Time
	for _, p := range m.rows {
		if !p.NextAt.IsZero() && (due.IsZero() || p.NextAt.Before(due)) {
			due = p.NextAt
		}
	}
	return due, !due.IsZero(), nil
}

func (m *memory) Wake() <-chan struct{} { return m.wake }

func (m *memory) get(num int64) adapter.Payment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[num]
}

func (m *memory) count(kind adapter.EventKind) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, e := range m.steps {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

type platform func(ctx context.Context, p adapter.Payment) adapter.Outcome

func (f platform) Call(ctx context.Context, p adapter.Payment) adapter.Outcome { return f(ctx, p) }

func yes(context.Context, adapter.Payment) adapter.Outcome {
	return adapter.Outcome{Verdict: adapter.Accepted}
}

// users are all refused for the same reason, or for none.
type users string

func (u users) Refuses(context.Context, string) (string, error) { return string(u), nil }

func newPool(t *testing.T, store worker.Store, p platform, cfg worker.Config) *worker.Pool {
	t.Helper()
	cfg.Policy = policy
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	pool, err := worker.New(store, p, users(""), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// start runs the pool inside a synctest bubble and returns what stops it and waits.
func start(t *testing.T, pool *worker.Pool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- pool.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestNewNamesTheSettingAtFault(t *testing.T) {
	tests := []struct {
		name string
		cfg  worker.Config
		want string
	}{
		{"lease too short", worker.Config{Policy: adapter.Policy{Lease: time.Second, Retry: policy.Retry}}, "lease"},
		{"no schedule", worker.Config{Policy: adapter.Policy{Lease: time.Minute}}, "retry"},
		{"negative", worker.Config{Policy: policy, Workers: -1}, "workers"},
	}
	for _, tt := range tests {
		if _, err := worker.New(newMemory(), platform(yes), users(""), tt.cfg); !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestSubmittedPaymentIsCarriedThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pool := newPool(t, m, yes, worker.Config{})
		stop := start(t, pool)
		if !pool.Admit(t.Context()) {
			t.Fatal("no place in an empty pool")
		}
		p := m.add(t, adapter.Received, me)
		pool.Submit(p)
		synctest.Wait()
		if got := m.get(p.Num); got.State != adapter.Confirmed || m.count(adapter.EventReserved) != 1 || m.count(adapter.EventConfirmed) != 1 {
			t.Errorf("payment %+v, events %+v", got, m.steps)
		}
		stop()
	})
}

func TestUnknownUserIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pool, err := worker.New(m, platform(yes), users(adapter.ReasonUnknownUser), worker.Config{Policy: policy})
		if err != nil {
			t.Fatal(err)
		}
		got, err := pool.Drive(t.Context(), m.add(t, adapter.Received, me))
		if err != nil || got.State != adapter.Declined || got.Reason != adapter.ReasonUnknownUser {
			t.Errorf("payment %+v, %v", got, err)
		}
	})
}

// Money of an archived user is not asked for; money that comes back is a matter of the platform.
func TestArchivedUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pool, err := worker.New(m, platform(yes), users(adapter.ReasonArchived), worker.Config{Policy: policy})
		if err != nil {
			t.Fatal(err)
		}
		for kind, want := range map[adapter.Kind]adapter.State{adapter.TopUp: adapter.Declined, adapter.Direct: adapter.Declined, adapter.Refund: adapter.Confirmed} {
			p := m.add(t, adapter.Received, me)
			p.Kind = kind
			got, err := pool.Drive(t.Context(), p)
			if err != nil || got.State != want || (want == adapter.Declined) != (got.Reason == adapter.ReasonArchived) {
				t.Errorf("%s: payment %+v, %v; want it %s", kind, got, err, want)
			}
		}
	})
}

func TestRetryIsMadeWhenItFallsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		began := time.Now()
		var calls []time.Duration
		pool := newPool(t, m, func(context.Context, adapter.Payment) adapter.Outcome {
			calls = append(calls, time.Since(began))
			if len(calls) < 3 {
				return adapter.Outcome{Verdict: adapter.Unknown}
			}
			return adapter.Outcome{Verdict: adapter.Accepted}
		}, worker.Config{})
		p := m.add(t, adapter.Received, 0)
		stop := start(t, pool)
		time.Sleep(2 * time.Hour) // virtual
		stop()
		if got := m.get(p.Num); got.State != adapter.Confirmed {
			t.Errorf("payment is %s", got.State)
		}
		if want := []time.Duration{0, 52 * time.Minute, 104 * time.Minute}; !slices.Equal(calls, want) {
			t.Errorf("calls at %v; want %v", calls, want)
		}
	})
}

func TestAdmissionIsPacedWhileOthersFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := newPool(t, newMemory(), yes, worker.Config{Workers: 1, Queue: 1})
		if first, second := pool.Admit(t.Context()), pool.Admit(t.Context()); !first || !second {
			t.Fatal("two places expected")
		}
		go func() {
			time.Sleep(10 * time.Millisecond)
			pool.Return()
		}()
		began := time.Now()
		if !pool.Admit(t.Context()) || time.Since(began) != 10*time.Millisecond {
			t.Errorf("the third did not take the place given back, after %s", time.Since(began))
		}
		// Nobody finishes: one caller finds out, the others do not wait.
		began = time.Now()
		if pool.Admit(t.Context()) || time.Since(began) != 25*time.Millisecond {
			t.Errorf("the fourth waited %s", time.Since(began))
		}
		began = time.Now()
		if pool.Admit(t.Context()) || time.Since(began) != 0 {
			t.Errorf("a stalled pool made an accept wait %s", time.Since(began))
		}
		pool.Return()
		if !pool.Admit(t.Context()) {
			t.Error("a place given back was not found")
		}
	})
}

func TestReceiveOnlyTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		p := m.add(t, adapter.Received, 0)
		pool := newPool(t, m, yes, worker.Config{ReceiveOnly: true})
		stop := start(t, pool)
		if pool.Admit(t.Context()) {
			t.Error("admitted")
		}
		pool.Kick()
		time.Sleep(time.Minute)
		stop()
		if got := m.get(p.Num); got.State != adapter.Received {
			t.Errorf("payment is %s", got.State)
		}
	})
}

// Stopping has two stages: what runs may finish, what waits is given back at once.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		answer := make(chan struct{})
		pool := newPool(t, m, func(context.Context, adapter.Payment) adapter.Outcome {
			<-answer
			return adapter.Outcome{Verdict: adapter.Accepted}
		}, worker.Config{Workers: 1, Queue: 1})
		stop := start(t, pool)
		running, waiting := m.add(t, adapter.Received, me), m.add(t, adapter.Received, me)
		for _, p := range []adapter.Payment{running, waiting} {
			if !pool.Admit(t.Context()) {
				t.Fatal("no place")
			}
			pool.Submit(p)
		}
		synctest.Wait()
		go func() {
			time.Sleep(time.Second)
			close(answer)
		}()
		stop()
		if got := m.get(running.Num); got.State != adapter.Confirmed {
			t.Errorf("running payment is %s", got.State)
		}
		if got := m.get(waiting.Num); got.State != adapter.Received || got.Owner != 0 || got.NextAt.After(time.Now()) {
			t.Errorf("waiting payment was not given back: %+v", got)
		}
		if pool.Admit(t.Context()) {
			t.Error("a stopped pool admits")
		}
	})
}

func TestGraceEndsACallThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pool := newPool(t, m, func(ctx context.Context, _ adapter.Payment) adapter.Outcome {
			<-ctx.Done()
			return adapter.Outcome{Verdict: adapter.Unknown, Detail: ctx.Err().Error()}
		}, worker.Config{Grace: time.Second, CallTimeout: 5 * time.Second})
		stop := start(t, pool)
		pool.Admit(t.Context())
		p := m.add(t, adapter.Received, me)
		pool.Submit(p)
		synctest.Wait()
		began := time.Now()
		stop()
		if took := time.Since(began); took != time.Second {
			t.Errorf("stopped after %s; want the grace of 1 s", took)
		}
		if got := m.get(p.Num); got.State != adapter.Confirming || got.Owner != 0 || got.Attempt != 2 {
			t.Errorf("the payment was not given back with what is known of the call: %+v", got)
		}
	})
}

// The answer in hand is written when the store comes back; the platform is not asked again.
func TestStoreOutOfOrderForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		calls := 0
		pool := newPool(t, m, func(context.Context, adapter.Payment) adapter.Outcome {
			calls++
			m.mu.Lock()
			m.broken = 3
			m.mu.Unlock()
			return adapter.Outcome{Verdict: adapter.Accepted}
		}, worker.Config{})
		got, err := pool.Drive(t.Context(), m.add(t, adapter.Received, me))
		if err != nil || got.State != adapter.Confirmed || calls != 1 {
			t.Errorf("payment is %s after %d calls, %v", got.State, calls, err)
		}
	})
}

func TestTheLoserStops(t *testing.T) {
	m := newMemory()
	p := m.add(t, adapter.Received, me)
	pool := newPool(t, m, func(context.Context, adapter.Payment) adapter.Outcome {
		m.mu.Lock() // somebody settles it meanwhile
		defer m.mu.Unlock()
		other := m.rows[p.Num]
		other.Version++
		other.State = adapter.InDoubt
		m.rows[p.Num] = other
		return adapter.Outcome{Verdict: adapter.Accepted}
	}, worker.Config{})
	if _, err := pool.Drive(t.Context(), p); !errors.Is(err, adapter.ErrLost) {
		t.Errorf("Drive: %v; want ErrLost", err)
	}
	if got := m.get(p.Num); got.State != adapter.InDoubt {
		t.Errorf("the loser wrote %s", got.State)
	}
}

func TestNoCallOnAnEndingLease(t *testing.T) {
	m := newMemory()
	p := m.add(t, adapter.Reserved, me)
	p.NextAt = time.Now().Add(time.Second)
	m.rows[p.Num] = p
	pool := newPool(t, m, func(context.Context, adapter.Payment) adapter.Outcome {
		t.Error("called the platform")
		return adapter.Outcome{}
	}, worker.Config{})
	if _, err := pool.Drive(t.Context(), p); err == nil {
		t.Error("no error")
	}
}

// While the platform is left alone nothing is claimed and no try is spent; then as many calls are
// made as there is room for, and once it answers all the rest.
func TestPlatformLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		for range 5 {
			m.add(t, adapter.Received, 0)
		}
		var mu sync.Mutex
		room, calls := 0, 0
		set := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			room = n
		}
		made := func() int {
			mu.Lock()
			defer mu.Unlock()
			return calls
		}
		pool := newPool(t, m, func(context.Context, adapter.Payment) adapter.Outcome {
			mu.Lock()
			defer mu.Unlock()
			calls++
			if room == 0 { // the breaker closed the door after the claim
				return adapter.Outcome{Verdict: adapter.Held}
			}
			return adapter.Outcome{Verdict: adapter.Accepted}
		}, worker.Config{Room: func() int {
			mu.Lock()
			defer mu.Unlock()
			return room
		}})
		stop := start(t, pool)
		time.Sleep(time.Minute) // virtual
		if n := made(); n != 0 || pool.Admit(t.Context()) {
			t.Errorf("%d calls; want none, and no payment taken in hand", n)
		}
		if err := pool.Healthy(); err != nil {
			t.Errorf("it is the platform that is ill, not us: %v", err)
		}
		set(1)
		time.Sleep(time.Second)
		if n := made(); n < 1 || n > 3 { // one each time that it looks
			t.Errorf("%d calls with room for one; want few", n)
		}
		set(-1)
		time.Sleep(2 * time.Second)
		stop()
		if n := m.count(adapter.EventConfirmed); n != 5 {
			t.Errorf("%d confirmed, want all 5", n)
		}
		if n := m.count(adapter.EventRetry); n != 0 {
			t.Errorf("%d tries were spent on a platform that was left alone", n)
		}
	})
}

func TestHeldPaymentIsGivenBackUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pool := newPool(t, m, func(context.Context, adapter.Payment) adapter.Outcome {
			return adapter.Outcome{Verdict: adapter.Held}
		}, worker.Config{OnStep: func(_ adapter.Payment, e adapter.Event) {
			if e.Kind == "" {
				t.Error("a step without an event is told of")
			}
		}})
		p, err := pool.Drive(t.Context(), m.add(t, adapter.Received, me))
		if err != nil || p.State != adapter.Reserved || p.Owner != 0 || p.Attempt != 1 || p.NextAt.After(time.Now()) {
			t.Errorf("%+v, %v; want it reserved, free, due, at its first try", p, err)
		}
	})
}
