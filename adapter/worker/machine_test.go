package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/worker"
	"github.com/partnerkit/partnerkit/contract/money"
)

// The machine under random schedules: notifications in any order, repeated and forged,
// answers lost before and after the platform acted, refusals, time-outs, and a process that
// dies between any two steps. The steps, the pool and the store are the real ones, time is
// virtual, and the platform is a model that knows what it owes.
//
// Funds are kept by the ledger or by a partner's billing, which is a model as well: it loses
// requests and answers, carries out some late, and is short of funds or does not know users.
// People decide about payments in doubt.
//
// However it goes: nothing is captured that the platform has not credited, nothing is
// released that it has, no money appears or vanishes, and once everybody behaves, every
// payment comes to its end or stands in doubt with its money kept.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newMachine(rt, t)
		defer w.close()
		rt.Repeat(map[string]func(*rapid.T){
			"":          w.check,
			"audit":     w.audit,
			"announce":  w.announce,
			"repeat":    w.repeat,
			"forge":     w.forge,
			"pay":       w.pay,
			"refund":    w.refund,
			"work":      w.work,
			"wait":      w.wait,
			"crashSoon": w.crashSoon,
			"replace":   w.replace,
			"resolve":   w.resolve,
			"late":      w.late,
			"earn":      w.earn,
		})
		w.settle()
	})
}

const users3 = 3

type machine struct {
	t        *rapid.T
	database string
	micros   atomic.Int64 // the virtual time; the store's committer asks for it as well
	platform *modelPlatform
	billing  *modelBilling // nil if the ledger keeps the funds
	process  *process
	n        int
	known    []adapter.Payment // as they were first sent
}

func newMachine(rt *rapid.T, t *testing.T) *machine {
	m := &machine{
		t: rt, database: "sqlite:" + filepath.Join(t.TempDir(), fmt.Sprintf("%d.db", time.Now().UnixNano())),
	}
	m.set(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	m.platform = &modelPlatform{
		m: m, payments: map[string]*modelPayment{},
		repeatFails: rapid.Bool().Draw(rt, "a repeat after success is refused"),
	}
	if rapid.Bool().Draw(rt, "billing keeps the funds") {
		m.billing = newModelBilling(m)
	}
	m.start(true)
	for i := range users3 {
		u := adapter.User{Hash: userHash(i), Login: fmt.Sprint("user", i), SealedKey: []byte("sealed"), CreatedAt: m.now()}
		if err := m.process.AddUser(m.ctx(), u); err != nil {
			rt.Fatal(err)
		}
		if _, err := m.process.Deposit(m.ctx(), u.Hash, money.New(1000, money.RUB), "", u.Hash); err != nil {
			rt.Fatal(err)
		}
	}
	return m
}

func (m *machine) now() time.Time   { return time.UnixMicro(m.micros.Load()).UTC() }
func (m *machine) set(at time.Time) { m.micros.Store(at.UnixMicro()) }

func userHash(i int) string { return fmt.Sprintf("%032d", i) }

func (m *machine) ctx() context.Context { return context.Background() }

// process is one life of the adapter. It dies after so many more things that it does.
type process struct {
	*store.Store
	pool *worker.Pool
	left int // negative: it will not die
}

var errDead = fmt.Errorf("the process is dead: %w", adapter.ErrClosed)

// does counts one thing done or about to be done, and reports whether the process still lives.
func (p *process) does() bool {
	if p.left > 0 {
		p.left--
	}
	return p.left != 0
}

// Apply can die before the step is written, and after.
func (p *process) Apply(ctx context.Context, s adapter.Step) (adapter.Payment, error) {
	if !p.does() {
		return adapter.Payment{}, errDead
	}
	after, err := p.Store.Apply(ctx, s)
	if !p.does() {
		return adapter.Payment{}, errDead
	}
	return after, err
}

// Refuses tells registered users from others.
func (p *process) Refuses(ctx context.Context, user string) (string, error) {
	if _, err := p.User(ctx, user); err != nil {
		return adapter.ReasonUnknownUser, nil
	}
	return "", nil
}

func (m *machine) policy() adapter.Policy {
	return adapter.Policy{
		Lease: 10 * time.Second, DeclineFor: 24 * time.Hour,
		Retry:   func(n int) time.Duration { return time.Duration(n) * time.Second },
		Billing: m.billing != nil,
	}
}

func (m *machine) start(migrate bool) {
	funds := store.Ledger
	if m.billing != nil {
		funds = store.Billing
	}
	s, err := store.Open(m.ctx(), store.Config{
		Database: m.database, Policy: m.policy(), Serve: true, Migrate: migrate, Funds: funds,
		Now: m.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.process = &process{Store: s, left: -1}
	cfg := worker.Config{Policy: m.policy(), Now: m.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if m.billing != nil {
		cfg.Funds = m.billing
	}
	m.process.pool, err = worker.New(m.process, m.platform, m.process, cfg)
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) close() {
	if err := m.process.Close(); err != nil {
		m.t.Error(err)
	}
}

// accept is what the service does; leased says that a worker takes it up at once.
func (m *machine) accept(p adapter.Payment, leased bool) {
	p.NextAt = m.now()
	if leased {
		p.Owner, p.NextAt = m.process.Owner(), m.now().Add(m.policy().Lease)
	}
	if !m.process.does() {
		m.replace(m.t)
		return // the platform got no 200 and may repeat
	}
	stored, first, err := m.process.Accept(m.ctx(), p)
	if err != nil && !errors.Is(err, adapter.ErrInvalid) {
		m.t.Fatalf("accept %s: %v", p.Key, err)
	}
	if err == nil && first {
		m.known = append(m.known, stored)
		if leased {
			m.drive(stored)
		}
	}
}

func (m *machine) drive(p adapter.Payment) {
	if _, err := m.process.pool.Drive(m.ctx(), p); errors.Is(err, errDead) {
		m.replace(m.t)
	} else if err != nil && !errors.Is(err, adapter.ErrLost) {
		m.t.Fatalf("drive %s: %v", p.Key, err)
	}
}

func (m *machine) fresh(rt *rapid.T, kind adapter.Kind) adapter.Payment {
	m.n++
	p, err := adapter.NewPayment(adapter.Key{Platform: adapter.PlatformIntegra, ID: fmt.Sprintf("%032d", 1_000_000+m.n)}, kind,
		userHash(rapid.IntRange(0, users3).Draw(rt, "user")), // the last one is not registered
		money.New(rapid.Int64Range(1, 700).Draw(rt, "amount"), money.RUB), m.now())
	if err != nil {
		rt.Fatal(err)
	}
	return p
}

// announce: the user presses "top up" at the platform, which notifies.
func (m *machine) announce(rt *rapid.T) {
	p := m.fresh(rt, adapter.TopUp)
	m.platform.payments[p.Key.ID] = &modelPayment{amount: p.Amount.Minor()}
	m.accept(p, rapid.Bool().Draw(rt, "leased"))
}

func (m *machine) repeat(rt *rapid.T) {
	if len(m.known) == 0 {
		rt.Skip("nothing known")
	}
	p := rapid.SampledFrom(m.known).Draw(rt, "payment")
	p.Num, p.State, p.Version, p.Owner, p.NextAt = 0, adapter.Received, 0, 0, m.now()
	if _, first, err := m.process.Accept(m.ctx(), p); err != nil || first {
		rt.Fatalf("repeat of %s: first %t, %v", p.Key, first, err)
	}
}

// forge: a known id comes with another amount.
func (m *machine) forge(rt *rapid.T) {
	if len(m.known) == 0 {
		rt.Skip("nothing known")
	}
	p := rapid.SampledFrom(m.known).Draw(rt, "payment")
	p.Num, p.State, p.Version, p.Owner, p.NextAt = 0, adapter.Received, 0, 0, m.now()
	p.Amount = money.New(p.Amount.Minor()+1, money.RUB)
	_, first, err := m.process.Accept(m.ctx(), p)
	if p.Kind == adapter.Refund { // it may also be more than is left
		if first || err == nil {
			rt.Fatalf("forged refund %s was taken", p.Key)
		}
	} else if !errors.Is(err, adapter.ErrConflict) {
		rt.Fatalf("forged %s: first %t, %v", p.Key, first, err)
	}
}

// pay: a direct payment from the partner's panel.
func (m *machine) pay(rt *rapid.T) { m.accept(m.fresh(rt, adapter.Direct), true) }

func (m *machine) refund(rt *rapid.T) {
	var confirmed []adapter.Payment
	for _, p := range m.all() {
		if p.State == adapter.Confirmed && p.Kind != adapter.Refund {
			confirmed = append(confirmed, p)
		}
	}
	if len(confirmed) == 0 {
		rt.Skip("nothing to refund")
	}
	original := rapid.SampledFrom(confirmed).Draw(rt, "original")
	m.n++
	p, err := adapter.NewRefund(original, money.New(rapid.Int64Range(1, original.Amount.Minor()).Draw(rt, "amount"), money.RUB), fmt.Sprint(m.n), m.now())
	if err != nil {
		rt.Fatal(err)
	}
	m.accept(p, true)
}

// work claims what is due and carries it on.
func (m *machine) work(rt *rapid.T) {
	due, err := m.process.Claim(m.ctx(), rapid.IntRange(1, 4).Draw(rt, "n"))
	if err != nil {
		rt.Fatal(err)
	}
	process := m.process
	for _, p := range due {
		if m.process != process {
			return // it died; the rest is held by the dead
		}
		m.drive(p)
	}
}

func (m *machine) wait(rt *rapid.T) {
	m.set(m.now().Add(time.Duration(rapid.Int64Range(1, int64(15*time.Second)).Draw(rt, "time"))))
}

// crashSoon lets the process die after a few more things that it does.
func (m *machine) crashSoon(rt *rapid.T) { m.process.left = rapid.IntRange(1, 8).Draw(rt, "left") }

// replace ends the process, whatever it holds, and starts another.
func (m *machine) replace(*rapid.T) {
	m.close()
	m.start(false)
}

func (m *machine) all() []adapter.Payment {
	all, err := m.process.Payments(m.ctx(), adapter.PaymentFilter{Limit: 1000})
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

// check holds at any moment.
func (m *machine) check(rt *rapid.T) {
	for _, p := range m.all() {
		credited := m.platform.credited(p.Key.ID)
		switch {
		case p.State == adapter.Confirmed && !credited:
			rt.Fatalf("%s %s is captured, and the platform knows nothing of it", p.Kind, p.Key)
		case (p.State == adapter.Declined || p.State == adapter.Declining || p.State == adapter.Releasing || p.State == adapter.ReleaseRefused) && credited:
			rt.Fatalf("%s %s is %s, and the platform has credited it", p.Kind, p.Key, p.State)
		case m.billing != nil && !m.billing.agrees(p):
			rt.Fatalf("%s %s is %s, and the billing has %q", p.Kind, p.Key, p.State, m.billing.made[p.Key.ID])
		}
	}
}

// resolve lets a person, who knows, decide about a payment in doubt; or put the billing's books
// right by hand, where it refuses to; or give up what it makes no reservation for.
func (m *machine) resolve(rt *rapid.T) {
	list := slices.DeleteFunc(m.all(), func(p adapter.Payment) bool {
		return !p.State.NeedsPerson() && !p.Unreserved(m.policy()) || p.Owner != 0
	})
	if len(list) == 0 {
		rt.Skip("nothing waits for a person")
	}
	p := rapid.SampledFrom(list).Draw(rt, "payment")
	if p.State == adapter.CaptureRefused || p.State == adapter.ReleaseRefused {
		m.billing.act(p.Owes(m.policy()), p)
	}
	step, err := p.Resolved(adapter.Resolution{Confirm: m.platform.credited(p.Key.ID), Reason: "seen", By: "Anna"}, m.policy(), m.now())
	if err == nil {
		_, err = m.process.Apply(m.ctx(), step)
	}
	if errors.Is(err, errDead) {
		m.replace(rt)
	} else if err != nil {
		rt.Fatal(err)
	}
}

// earn gives a user of the billing money.
func (m *machine) earn(rt *rapid.T) {
	if m.billing == nil {
		rt.Skip("the ledger keeps the funds")
	}
	m.billing.available[userHash(rapid.IntRange(0, 1).Draw(rt, "user"))] += 500
}

// late lets a request to the billing arrive that nobody waits for any more.
func (m *machine) late(rt *rapid.T) {
	if m.billing == nil || len(m.billing.under) == 0 {
		rt.Skip("nothing is on its way")
	}
	m.billing.arrive(rapid.IntRange(0, len(m.billing.under)-1).Draw(rt, "request"))
}

// audit recomputes the books.
func (m *machine) audit(rt *rapid.T) {
	report, err := m.process.Verify(m.ctx())
	if err != nil {
		rt.Fatal(err)
	}
	if !report.Clean() {
		rt.Fatalf("books: %v", report.Differences)
	}
}

// settle lets everybody behave and time pass, and looks at what has become of each payment.
func (m *machine) settle() {
	m.platform.kind = true
	m.process.left = -1
	for range 1000 {
		next, ok, err := m.process.NextDue(m.ctx())
		if err != nil {
			m.t.Fatal(err)
		}
		if !ok {
			break
		}
		if next.After(m.now()) {
			m.set(next)
		}
		due, err := m.process.Claim(m.ctx(), 10)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, p := range due {
			m.drive(p)
		}
	}
	if m.billing != nil { // what comes late finds enough funds
		for user := range m.billing.available {
			m.billing.available[user] += 1_000_000
		}
		for len(m.billing.under) > 0 {
			m.billing.arrive(0)
		}
	}
	m.check(m.t)
	m.audit(m.t)
	for _, p := range m.all() {
		if m.billing != nil && m.billing.made[p.Key.ID] == adapter.Reserve && p.State != adapter.InDoubt {
			m.t.Errorf("%s %s is %s, and the billing still holds its reservation", p.Kind, p.Key, p.State)
		}
		if !slices.Contains([]adapter.State{adapter.Confirmed, adapter.Declined, adapter.InDoubt}, p.State) {
			m.t.Errorf("%s %s came to no end: %s", p.Kind, p.Key, p.State)
		}
		if m.platform.credited(p.Key.ID) && p.State != adapter.Confirmed && p.State != adapter.InDoubt {
			m.t.Errorf("%s %s was credited by the platform and is %s", p.Kind, p.Key, p.State)
		}
	}
}

// modelPlatform credits each payment at most once and answers as badly as it is allowed to.
type modelPlatform struct {
	m           *machine
	payments    map[string]*modelPayment
	repeatFails bool
	kind        bool
}

type modelPayment struct {
	amount              int64
	confirmed, declined bool
}

func (p *modelPlatform) credited(id string) bool {
	pay := p.payments[id]
	return pay != nil && pay.confirmed
}

// Call draws what happens to the call: whether it arrives, whether its answer does.
func (p *modelPlatform) Call(_ context.Context, pay adapter.Payment) adapter.Outcome {
	if !p.m.process.does() {
		return adapter.Outcome{Verdict: adapter.Unknown} // dead before it called
	}
	fate := "answered"
	if !p.kind {
		fate = rapid.SampledFrom([]string{"answered", "answered", "refused", "not sent", "lost before", "lost after"}).Draw(p.m.t, "fate")
	}
	switch fate {
	case "refused":
		return adapter.Outcome{Verdict: adapter.Refused, Code: 99, Detail: "internal error"}
	case "not sent":
		return adapter.Outcome{Verdict: adapter.NotSent}
	case "lost before":
		return adapter.Outcome{Verdict: adapter.Unknown}
	}
	answer := p.act(pay)
	if fate == "lost after" || !p.m.process.does() {
		return adapter.Outcome{Verdict: adapter.Unknown}
	}
	return answer
}

// act is what the platform does with a call that arrives.
func (p *modelPlatform) act(pay adapter.Payment) adapter.Outcome {
	yes := adapter.Outcome{Verdict: adapter.Accepted}
	no := adapter.Outcome{Verdict: adapter.Refused, Code: 8, Detail: "already final"}
	known := p.payments[pay.Key.ID]
	switch {
	case pay.Kind != adapter.TopUp && known == nil:
		p.payments[pay.Key.ID] = &modelPayment{amount: pay.Amount.Minor(), confirmed: true}
		return yes
	case pay.State == adapter.Declining && known.confirmed, pay.State != adapter.Declining && known.declined:
		return no
	case pay.State == adapter.Declining:
		known.declined = true
		return yes
	case known.confirmed && p.repeatFails:
		return no
	}
	known.confirmed = true
	return yes
}
