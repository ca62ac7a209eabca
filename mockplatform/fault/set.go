package fault

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// MaxRules bounds how many rules are armed at once.
const MaxRules = 10_000

// Errors that callers tell apart, besides *RuleError.
var (
	ErrUnknown = errors.New("no such rule or preset")
	ErrTooMany = fmt.Errorf("%d rules are armed already", MaxRules)
)

// Config is what a Set is made of.
type Config struct {
	Clock     *clock.Clock
	Seed      uint64
	Protocols []Protocol
	Rules     []Rule // armed from the start
}

// Set is the rules that are armed. It is safe for concurrent use.
type Set struct {
	cfg   Config
	count atomic.Int64 // of rules that may still act: the hot path looks here first
	byPay atomic.Bool  // some rule names a payment

	noMagic atomic.Bool

	mu     sync.RWMutex // guards what follows; an exchange holds it for reading
	rules  []*armed     // in the order of arming
	groups map[subject]*group
	shapes []subject // which fields the groups name: each stands for one look-up
	seq    int
	wait   context.Context // of what waits; ends with Reset and Close
	end    context.CancelFunc
}

// subject is the part of a Match that is compared; empty fields match everything.
type subject struct {
	protocol, method string
	direction        journal.Direction
	partner          string
	user, payment    string
}

func (m *Match) subject() subject {
	return subject{m.Protocol, m.Method, m.Direction, m.Partner, m.User, m.Payment}
}

// shape is s with "?" for each field that is given.
func (s subject) shape() subject {
	mark := func(text string) string {
		if text == "" {
			return ""
		}
		return "?"
	}
	return subject{
		mark(s.protocol), mark(s.method), journal.Direction(mark(string(s.direction))),
		mark(s.partner), mark(s.user), mark(s.payment),
	}
}

// in returns the subject that a group of the given shape would have to fit s.
func (s subject) in(shape subject) subject {
	keep := func(text, mark string) string {
		if mark == "" {
			return ""
		}
		return text
	}
	return subject{
		keep(s.protocol, shape.protocol), keep(s.method, shape.method),
		journal.Direction(keep(string(s.direction), string(shape.direction))),
		keep(s.partner, shape.partner), keep(s.user, shape.user), keep(s.payment, shape.payment),
	}
}

// group is the rules of one subject. They all see the same exchanges, so one count serves all.
type group struct {
	mu     sync.Mutex // guards what follows and what changes of the rules; held within Set.mu
	count  int        // exchanges so far
	always []*armed   // due at each exchange, in the order of arming
	queue  queue      // the others, by the exchange at which they are next due
	rules  int        // armed and not yet spent
}

// armed is a rule at work.
type armed struct {
	Rule
	id    string
	seq   int
	group *group // nil once the rule has left it
	src   *rand.ChaCha8
	rnd   *rand.Rand // of src
	base  int        // exchanges of the group before the rule was armed
	next  int        // the exchange of the group at which it is due; 0 for each
	left  int        // how often it may still act; -1 for without end
	acted int
	seen  int // exchanges that fitted, once it is spent or disarmed
	// fleeting rules are forgotten once they are spent.
	fleeting bool
}

// State shows a rule as it is at the moment.
type State struct {
	ID    string
	Rule  Rule
	Seen  int  // exchanges that fitted
	Acted int  // of which it went wrong for so many
	Spent bool // it will not act any more
}

// New returns a set with the rules of the start. Its error is a *RuleError.
func New(cfg Config) (*Set, error) {
	s := &Set{cfg: cfg}
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Set) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait, s.end = context.WithCancel(context.Background())
	s.seq = 0
	for _, r := range s.cfg.Rules {
		if _, err := s.arm(r, false); err != nil {
			return err
		}
	}
	return nil
}

// Reset goes back to the rules of the start, and breaks off what waits.
func (s *Set) Reset() {
	s.Close()
	s.UseMagic(true)
	_ = s.begin() // what New accepted is accepted again
}

// Interrupt breaks off what waits, now and from now on.
func (s *Set) Interrupt() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.end()
}

// Close disarms every rule and breaks off what waits: the connections are closed without an
// answer.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	s.rules, s.groups, s.shapes = nil, nil, nil
	s.count.Store(0)
	s.byPay.Store(false)
}

// Arm adds a rule. Its error is a *RuleError or ErrTooMany.
func (s *Set) Arm(r Rule) (State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.arm(r, false)
	if err != nil {
		return State{}, err
	}
	return a.state(), nil
}

// ArmAll adds rules, all or none. Its error is as Arm's; the index is that of the rule at fault.
func (s *Set) ArmAll(rules []Rule) (armed []State, index int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range rules {
		if err := rules[i].check(s.cfg.Protocols); err != nil {
			return nil, i, err
		}
	}
	if len(s.rules)+len(rules) > MaxRules {
		return nil, 0, ErrTooMany
	}
	for _, r := range rules {
		a, err := s.arm(r, false)
		if err != nil {
			return nil, 0, err
		}
		armed = append(armed, a.state())
	}
	return armed, 0, nil
}

// ArmBriefly adds a rule of the stand-in's own making, which is forgotten once it is spent.
// When there is no room it does nothing.
func (s *Set) ArmBriefly(r Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.arm(r, true) // there may be no room
}

// arm wants mu held.
func (s *Set) arm(r Rule, fleeting bool) (*armed, error) {
	if err := r.check(s.cfg.Protocols); err != nil {
		return nil, err
	}
	if len(s.rules) >= MaxRules {
		return nil, ErrTooMany
	}
	s.seq++
	a := &armed{Rule: r, id: "f" + strconv.Itoa(s.seq), seq: s.seq, left: -1, fleeting: fleeting}
	var seed [32]byte
	copy(seed[:], "partnerkit fault")
	binary.LittleEndian.PutUint64(seed[16:], s.cfg.Seed)
	binary.LittleEndian.PutUint64(seed[24:], uint64(s.seq)) //nolint:gosec // never negative
	a.src = rand.NewChaCha8(seed)
	a.rnd = rand.New(a.src) //nolint:gosec // repeatable on purpose
	switch {
	case r.Match.Nth != nil:
		a.left = 1
	case r.Match.Count != nil:
		a.left = *r.Match.Count
	}
	s.rules = append(s.rules, a)
	s.join(a)
	a.schedule(a.group.count)
	a.group.admit(a)
	return a, nil
}

// join finds the group of a rule. It wants mu held.
func (s *Set) join(a *armed) {
	s.count.Add(1)
	about := a.Match.subject()
	g := s.groups[about]
	if g == nil {
		g = &group{}
		if s.groups == nil {
			s.groups = map[subject]*group{}
		}
		s.groups[about] = g
		if shape := about.shape(); !slices.Contains(s.shapes, shape) {
			s.shapes = append(s.shapes, shape)
		}
	}
	if about.payment != "" {
		s.byPay.Store(true)
	}
	a.group, a.base = g, g.count
	g.rules++
}

// admit puts a rule where it waits for its turn.
func (g *group) admit(a *armed) {
	if a.next == 0 {
		g.always = append(g.always, a)
		return
	}
	heap.Push(&g.queue, a)
}

// never is the turn of a rule that had its only one.
const never = math.MaxInt

// schedule finds out at which exchange after the given one the rule is next due.
func (a *armed) schedule(after int) {
	m := &a.Match
	switch {
	case m.Nth != nil:
		if a.next = a.base + *m.Nth; a.next <= after {
			a.next = never // its only turn has come
		}
	case m.Every != nil && *m.Every > 1:
		done := after - a.base
		a.next = a.base + (done / *m.Every + 1)**m.Every
	case m.Probability != nil && *m.Probability < 1:
		// The number of exchanges up to the next that is hit falls geometrically.
		skip := math.Floor(math.Log1p(-a.rnd.Float64()) / math.Log1p(-*m.Probability))
		a.next = after + 1 + int(min(skip, math.MaxInt32))
	default:
		a.next = 0
	}
}

func (a *armed) state() State {
	seen := a.seen
	if a.left != 0 {
		seen = a.group.count - a.base
	}
	return State{ID: a.id, Rule: a.Rule, Seen: seen, Acted: a.acted, Spent: a.left == 0 || a.next == never}
}

// List returns every rule that is armed or spent, in the order of arming.
func (s *Set) List() []State {
	s.mu.Lock() // no exchange is at it meanwhile
	defer s.mu.Unlock()
	all := make([]State, len(s.rules))
	for i, a := range s.rules {
		all[i] = a.state()
	}
	return all
}

// Disarm forgets a rule. Its error wraps ErrUnknown.
func (s *Set) Disarm(id string) error {
	if !s.disarm(func(a *armed) bool { return a.id == id }) {
		return fmt.Errorf("%w: %.40q", ErrUnknown, id)
	}
	return nil
}

// DisarmNamed forgets every rule of that name. Its error wraps ErrUnknown.
func (s *Set) DisarmNamed(name string) error {
	if name == "" || !s.disarm(func(a *armed) bool { return a.Name == name }) {
		return fmt.Errorf("%w: %.40q", ErrUnknown, name)
	}
	return nil
}

// DisarmAll forgets every rule; numbers go on.
func (s *Set) DisarmAll() { s.disarm(func(*armed) bool { return true }) }

// disarm forgets the rules that are chosen and reports whether there was one.
func (s *Set) disarm(chosen func(*armed) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.rules)
	s.rules = slices.DeleteFunc(s.rules, func(a *armed) bool {
		if !chosen(a) {
			return false
		}
		s.leave(a)
		return true
	})
	return len(s.rules) < before
}

// leave takes a rule out of its group for good. It wants mu held for writing.
func (s *Set) leave(a *armed) {
	g := a.group
	if g == nil {
		return
	}
	if a.left != 0 {
		a.seen = g.count - a.base
	}
	a.group, a.left = nil, 0
	s.count.Add(-1)
	if a.next == 0 {
		g.always = slices.DeleteFunc(g.always, func(b *armed) bool { return a == b })
	} else if i := slices.Index(g.queue, a); i >= 0 {
		heap.Remove(&g.queue, i)
	}
	if g.rules--; g.rules == 0 {
		s.dropGroup(a.Match.subject())
	}
}

// dropGroup forgets a group without rules, and the shapes that no group has any more.
func (s *Set) dropGroup(about subject) {
	delete(s.groups, about)
	s.shapes = slices.DeleteFunc(s.shapes, func(shape subject) bool {
		if shape != about.shape() {
			return false
		}
		for other := range s.groups {
			if other.shape() == shape {
				return false
			}
		}
		return true
	})
	if about.payment == "" {
		return
	}
	s.byPay.Store(slices.ContainsFunc(s.shapes, func(shape subject) bool { return shape.payment != "" }))
}

// Match counts an exchange, and returns what becomes of it by the rules, nil for nothing.
// page tells that it is a page of users. payment, which may be nil, finds out the payment
// where e does not name it yet; it is asked only if some rule wants to know. The rule that
// acts is noted in e.
func (s *Set) Match(e *journal.Exchange, page bool, payment func() string) *Plan {
	if s.count.Load() == 0 {
		return nil
	}
	about := subject{e.Protocol, e.Method, e.Direction, e.Partner, e.User, e.Payment}
	if about.payment == "" && payment != nil && s.byPay.Load() {
		about.payment = payment()
	}
	s.mu.RLock()
	acts := s.pick(about, page)
	var plan *Plan
	if acts != nil {
		plan = acts.plan(s.cfg.Clock, s.wait)
	}
	s.mu.RUnlock()
	if plan == nil {
		return nil
	}
	e.Fault = plan.String()
	if plan.spent {
		s.bury(acts.armed)
	}
	return plan
}

// chosen is a rule that acts, with the chance that it has drawn for that.
type chosen struct {
	*armed
	delay time.Duration
	noise uint64
	spent bool
}

// pick counts the exchange in every group that it fits and returns the oldest of the rules
// that are due. It wants mu held for reading.
func (s *Set) pick(about subject, page bool) *chosen {
	var buf [8]*group
	due := buf[:0]
	for _, shape := range s.shapes {
		if page && shape.method == "" || shape.payment != "" && about.payment == "" {
			continue
		}
		if g := s.groups[about.in(shape)]; g != nil {
			due = append(due, g)
		}
	}
	if len(due) == 0 {
		return nil
	}
	// The groups are few; their locks are taken in the order of the shapes, which is the same
	// for everybody, and held together, so that only one rule acts.
	for _, g := range due {
		g.mu.Lock()
		g.count++
	}
	var first *armed
	for _, g := range due {
		if a := g.due(); a != nil && (first == nil || a.seq < first.seq) {
			first = a
		}
	}
	var acts *chosen
	if first != nil {
		acts = first.act()
	}
	for _, g := range due {
		g.mu.Unlock()
	}
	return acts
}

// due returns the oldest rule of the group that is due at its present exchange, and plans the
// next turn of all that were. It wants mu held.
func (g *group) due() *armed {
	var first *armed
	for _, a := range g.always {
		if a.left != 0 { // a spent one is about to leave
			first = a
			break
		}
	}
	for len(g.queue) > 0 && g.queue[0].next <= g.count {
		a := heap.Pop(&g.queue).(*armed)
		if a.left != 0 && (first == nil || a.seq < first.seq) {
			first = a
		}
		a.schedule(g.count)
		heap.Push(&g.queue, a)
	}
	return first
}

// act notes that the rule acts. It wants the group's mu held.
func (a *armed) act() *chosen {
	a.acted++
	if a.left > 0 {
		a.left--
	}
	acts := &chosen{armed: a, delay: a.delay(), noise: a.rnd.Uint64(), spent: a.left == 0}
	if acts.spent {
		a.seen = a.group.count - a.base
	}
	return acts
}

// bury takes a spent rule out of its group.
func (s *Set) bury(a *armed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.rules, a)
	if i < 0 {
		return // disarmed meanwhile
	}
	s.leave(a)
	if a.fleeting {
		s.rules = slices.Delete(s.rules, i, i+1)
	}
}

// delay draws how long to wait.
func (a *armed) delay() time.Duration {
	d, rnd := a.Act.Delay, a.rnd
	if d == nil {
		return time.Duration(a.Act.DelayMS) * time.Millisecond
	}
	var ms float64
	switch d.Kind {
	case Uniform:
		ms = float64(d.MinMS) + rnd.Float64()*float64(d.MaxMS-d.MinMS)
	case Normal:
		ms = float64(d.MeanMS) + rnd.NormFloat64()*float64(d.DeviationMS)
	case Exponential:
		ms = rnd.ExpFloat64() * float64(d.MeanMS)
	}
	limit := MaxRealDelay
	if a.Act.clock(a.Match.Direction) == Virtual {
		limit = MaxVirtualDelay
	}
	if d.MaxMS > 0 {
		limit = time.Duration(d.MaxMS) * time.Millisecond
	}
	wait := time.Duration(min(max(ms, float64(d.MinMS)), float64(limit.Milliseconds())) * float64(time.Millisecond))
	return wait.Round(time.Microsecond)
}

// queue is a heap of rules by their next turn, the oldest first among equals.
type queue []*armed

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].next != q[j].next {
		return q[i].next < q[j].next
	}
	return q[i].seq < q[j].seq
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for container/heap.
func (q *queue) Push(x any) { *q = append(*q, x.(*armed)) }

// Pop is for container/heap.
func (q *queue) Pop() any {
	old := *q
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return a
}
