package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

const (
	// maxAccepts and maxSteps bound a group: settling goes first and takes more.
	maxAccepts = 64
	maxSteps   = 256
	// worthwhile is how many ops must wait before another transaction is begun beside a running one:
	// many small groups cost PostgreSQL more than few larger ones.
	worthwhile = 16
)

// An op waits to be written: a payment to accept, or a step. It belongs to the committer
// until done is closed.
type op struct {
	step    *adapter.Step   // nil for an accept
	payment adapter.Payment // what to accept; then, in either case, what is stored
	first   bool            // an accept that was the first with its key
	err     error
	done    chan struct{}
}

func newAccept(p adapter.Payment) *op { return &op{payment: p, done: make(chan struct{})} }
func newStep(st *adapter.Step) *op    { return &op{step: st, done: make(chan struct{})} }

// wait returns when the op is written or refused, or with ctx, when it will be written all
// the same.
func (o *op) wait(ctx context.Context) error {
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The committer writes ops in groups: one goroutine, on PostgreSQL up to limit, takes
// whatever gathered while its last commit ran, and ends when there is nothing.
type committer struct {
	store *Store
	limit int

	mu      sync.Mutex
	steps   []*op
	accepts []*op
	running int
	closed  bool
	idle    sync.WaitGroup // counts running
}

// put queues an op; its error is adapter.ErrClosed, or adapter.ErrOverloaded for an accept.
func (c *committer) put(o *op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return adapter.ErrClosed
	case o.step != nil:
		c.steps = append(c.steps, o)
	case len(c.accepts) >= c.store.cfg.MaxWaiting:
		return adapter.ErrOverloaded
	default:
		c.accepts = append(c.accepts, o)
	}
	if waiting := len(c.accepts) + len(c.steps); c.running == 0 || c.running < c.limit && waiting >= worthwhile {
		c.running++
		c.idle.Add(1)
		go c.run()
	}
	return nil
}

func (c *committer) run() {
	defer c.idle.Done()
	for {
		accepts, steps := c.take()
		if len(accepts)+len(steps) == 0 {
			return
		}
		c.store.commit(accepts, steps)
	}
}

// take returns the next group; an empty one ends the goroutine.
func (c *committer) take() (accepts, steps []*op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepts, accepts = split(c.accepts, maxAccepts)
	c.steps, steps = split(c.steps, maxSteps)
	if len(accepts)+len(steps) == 0 {
		c.running--
	}
	return accepts, steps
}

// split takes up to n ops from the front of a queue.
func split(queue []*op, n int) (rest, front []*op) {
	if len(queue) <= n {
		return nil, queue
	}
	return queue[n:], queue[:n:n]
}

// drain waits until nothing is queued.
func (c *committer) drain() { c.idle.Wait() }

func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.drain()
}

// statements is the SQL of the committer, rendered for the engine.
type statements struct {
	insertPayments  bulk
	updatePayments  bulk
	updateHeld      bulk // leaves next_at and its index alone
	selectPayments  bulk // by number, locked
	selectByKey     bulk
	insertEvents    bulk
	selectBalances  bulk // by user, locked in the order of users
	updateBalances  bulk
	insertTransfers bulk
	transferNums    string
	due             string
}

const paymentColumns = `num, platform, platform_id, kind, user_hash, amount, coalesce(refund_of, 0), state, version,
	attempt, owner, coalesce(next_at, 0), reason, received_at, updated_at`

func newStatements(d dialect) statements {
	insert, update := `INSERT`+d.or+` INTO `, `UPDATE`+d.or+` `
	const (
		changed = `state = v.column3, version = v.column2 + 1, attempt = v.column4, owner = v.column5,
			reason = v.column6, updated_at = v.column7`
		unchanged = `num = v.column1 AND version = v.column2`
	)
	return statements{
		insertPayments: d.bulk(insert+`payments (platform, platform_id, kind, user_hash, amount, refund_of, state, version,
			attempt, owner, next_at, reason, received_at, updated_at) `, "ttttiitiiiitii",
			` ON CONFLICT (platform_id, platform) DO NOTHING RETURNING num, platform, platform_id`),
		updatePayments: d.exact(update+`payments SET `+changed+`, next_at = v.column8 FROM (`, "iitiitii", `) AS v WHERE `+unchanged),
		updateHeld:     d.exact(update+`payments SET `+changed+` FROM (`, "iitiiti", `) AS v WHERE `+unchanged),
		selectPayments: d.bulk(`SELECT `+paymentColumns+` FROM payments WHERE num IN (`, "i", `) ORDER BY num`+d.lock),
		selectByKey: d.bulk(`SELECT `+paymentColumns+` FROM payments JOIN (`, "tt",
			`) AS v ON platform_id = v.column2 AND platform = v.column1`),
		insertEvents: d.bulk(insert+`events (payment, version, n, at, kind, from_state, to_state, attempt, verdict, code, detail, took) `,
			"iiiitttititi", ``),
		selectBalances: d.bulk(`SELECT user_hash, available, reserved, last FROM balances WHERE user_hash IN (`, "t",
			`) ORDER BY user_hash`+d.lock),
		updateBalances: d.bulk(update+`balances SET available = v.column2, reserved = v.column3, last = v.column4 FROM (`, "tiii",
			`) AS v WHERE user_hash = v.column1`),
		insertTransfers: d.bulk(insert+`transfers (num, user_hash, payment, move, debit, credit, amount, available, reserved, prev, at, key, note) `,
			"ititttiiiiitt", ``),
		transferNums: d.transferNums,
		due:          `SELECT ` + paymentColumns + ` FROM payments WHERE next_at <= $1 ORDER BY next_at LIMIT $2` + d.lockFree,
	}
}

// commit writes a group and answers its ops. An error about the rows of one op must not fail
// its neighbours, so the group is halved until the culprit stands alone.
func (s *Store) commit(accepts, steps []*op) {
	ctx := context.Background()
	began := time.Now()
	err := s.db.write(ctx, func(t tx) error { return s.group(ctx, t, accepts, steps, false) })
	if errors.Is(err, errChanged) {
		err = s.db.write(ctx, func(t tx) error { return s.group(ctx, t, accepts, steps, true) })
	}
	if err != nil && len(accepts)+len(steps) > 1 && s.db.blames(err) {
		a, b := len(accepts)/2, (len(steps)+1)/2
		s.commit(accepts[:a], steps[:b])
		s.commit(accepts[a:], steps[b:])
		return
	}
	took := time.Since(began)
	if err == nil {
		s.repeats(ctx, accepts)
		s.cfg.OnCommit(CommitStats{Size: len(accepts) + len(steps), Accepts: len(accepts), Steps: len(steps), Took: took})
	}
	ops := slices.Concat(steps, accepts)
	for _, o := range ops {
		if err != nil {
			o.err = fmt.Errorf("commit: %w", err)
		}
		close(o.done)
	}
	s.tell(ctx, ops...)
}

// tell wakes whoever works on payments if one of the ops left a payment free and due.
func (s *Store) tell(ctx context.Context, ops ...*op) {
	now := s.cfg.Now()
	for _, o := range ops {
		if p := &o.payment; o.err == nil && p.Owner == 0 && !p.NextAt.IsZero() && !p.NextAt.After(now) {
			s.fire()
			s.db.announce(ctx)
			return
		}
	}
}

// group is the transaction of a group. Everywhere locks are taken in one order (keys, then
// users, then payments, each sorted), so that two groups cannot wait for each other.
func (s *Store) group(ctx context.Context, t tx, accepts, steps []*op, careful bool) error {
	s.insert(t, accepts)
	if len(steps) == 0 {
		return nil // the commit travels with the inserts
	}
	w, err := s.newSteps(ctx, t, steps, careful)
	if err != nil {
		return err
	}
	for _, o := range steps {
		if o.payment, o.err = w.apply(o.step); o.err != nil && !careful {
			return errChanged // a step that cannot be applied may come too late
		}
	}
	w.write(t)
	return nil
}

// insert queues the accepted payments, sorted by key, leaving out keys that are known.
func (s *Store) insert(t tx, accepts []*op) {
	if len(accepts) == 0 {
		return
	}
	slices.SortFunc(accepts, func(a, b *op) int { return compareKeys(a.payment.Key, b.payment.Key) })
	values := make([]any, 0, 14*len(accepts))
	for i, o := range accepts {
		o.first = false // the transaction may be running again
		if i > 0 && o.payment.Key == accepts[i-1].payment.Key {
			continue
		}
		values = appendPayment(values, &o.payment)
	}
	t.add(s.sql.insertPayments.stmts(values, func(scan scanner) error {
		var (
			num int64
			key adapter.Key
		)
		if err := scan(&num, &key.Platform, &key.ID); err != nil {
			return err
		}
		i, _ := slices.BinarySearchFunc(accepts, key, func(o *op, k adapter.Key) int { return compareKeys(o.payment.Key, k) })
		accepts[i].first, accepts[i].payment.Num = true, num
		return nil
	})...)
}

func compareKeys(a, b adapter.Key) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Platform, b.Platform))
}

func appendPayment(values []any, p *adapter.Payment) []any {
	var refundOf any
	if p.RefundOf != 0 {
		refundOf = p.RefundOf
	}
	return append(values,
		p.Key.Platform, p.Key.ID, string(p.Kind), p.User, p.Amount.Minor(), refundOf, string(p.State), int64(p.Version),
		int64(p.Attempt), p.Owner, micros(p.NextAt), p.Reason, p.ReceivedAt.UnixMicro(), p.UpdatedAt.UnixMicro(),
	)
}

// repeats answers the accepts whose key was known before. What a payment announced never
// changes, so it may be read after the commit.
func (s *Store) repeats(ctx context.Context, accepts []*op) {
	var known []*op
	var args []any
	for _, o := range accepts {
		if !o.first {
			known = append(known, o)
			args = append(args, o.payment.Key.Platform, o.payment.Key.ID)
		}
	}
	if known == nil {
		return
	}
	stored := make(map[adapter.Key]adapter.Payment, len(known))
	var err error
	for _, st := range s.sql.selectByKey.stmts(args, s.scanInto(func(p adapter.Payment) { stored[p.Key] = p })) {
		if e := s.db.read(ctx, st); e != nil {
			err = fmt.Errorf("read repeated payments: %w", e)
		}
	}
	for _, o := range known {
		p, ok := stored[o.payment.Key]
		switch {
		case !ok && err != nil:
			o.err = err
		case !ok:
			o.err = errors.New("neither stored nor known")
		case !p.SameContent(o.payment):
			o.err = adapter.ErrConflict
		}
		o.payment = p
	}
}

// scanInto returns a row function that reads payments.
func (s *Store) scanInto(yield func(adapter.Payment)) func(scanner) error {
	return func(scan scanner) error {
		p, err := s.scanPayment(scan)
		if err == nil {
			yield(p)
		}
		return err
	}
}

func (s *Store) scanPayment(scan scanner) (adapter.Payment, error) {
	var (
		p                                                       adapter.Payment
		kind, state                                             string
		amount, version, attempt, nextAt, receivedAt, updatedAt int64
	)
	err := scan(&p.Num, &p.Key.Platform, &p.Key.ID, &kind, &p.User, &amount, &p.RefundOf, &state, &version,
		&attempt, &p.Owner, &nextAt, &p.Reason, &receivedAt, &updatedAt)
	p.Kind, p.State = adapter.Kind(kind), adapter.State(state)
	p.Amount = money.New(amount, s.cfg.Currency)
	p.Version, p.Attempt = int(version), int(attempt)
	p.NextAt, p.ReceivedAt, p.UpdatedAt = instant(nextAt), instant(receivedAt), instant(updatedAt)
	return p, err
}
