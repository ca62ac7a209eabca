package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Accept stores p the first time its key is seen and returns it with its number; when it
// returns, the row is durable. For a repeat, first is false, err nil, and stored is the
// payment as it is now; a known key with other content is adapter.ErrConflict, noted in the
// history of the known payment. adapter.ErrOverloaded means that nothing was stored.
//
// The caller may hang up: what was queued is written. After any other error the payment may
// be stored; a repeat tells.
//
// A refund is refused with adapter.ErrInvalid unless it refers to a confirmed payment of the
// same user with at least so much left to refund.
func (s *Store) Accept(ctx context.Context, p adapter.Payment) (stored adapter.Payment, first bool, err error) {
	if err := s.acceptable(p); err != nil {
		return adapter.Payment{}, false, err
	}
	p.NextAt, p.ReceivedAt, p.UpdatedAt = whole(p.NextAt), whole(p.ReceivedAt), whole(p.UpdatedAt)
	o := newAccept(p)
	if p.Kind == adapter.Refund || asked(ctx) {
		err = s.acceptAlone(context.WithoutCancel(ctx), o)
	} else if err = s.committer.put(o); err == nil {
		err = o.wait(ctx)
	}
	if errors.Is(err, adapter.ErrConflict) {
		return o.payment, false, s.conflict(unasked(context.WithoutCancel(ctx)), o.payment, p)
	} else if err != nil {
		return adapter.Payment{}, false, fmt.Errorf("accept payment %s: %w", p.Key, err)
	}
	return o.payment, o.first, nil
}

// acceptable refuses what can only be a mistake of the caller.
func (s *Store) acceptable(p adapter.Payment) error {
	switch {
	case p.Num != 0 || p.State != adapter.Received || p.Version != 0:
		return fmt.Errorf("%w: accept payment %s: it is not new", adapter.ErrInvalid, p.Key)
	case p.Amount.Currency() != s.cfg.Currency:
		return fmt.Errorf("%w: accept payment %s: the books are kept in %s, not in %s", adapter.ErrInvalid, p.Key, s.cfg.Currency, p.Amount.Currency())
	case p.NextAt.IsZero():
		return fmt.Errorf("%w: accept payment %s: it would never fall due", adapter.ErrInvalid, p.Key)
	case (p.Kind == adapter.Refund) != (p.RefundOf != 0):
		return fmt.Errorf("%w: accept payment %s: a refund, and nothing else, names the payment it refunds", adapter.ErrInvalid, p.Key)
	}
	return nil
}

// errKnown undoes a transaction that found what it was to store.
var errKnown = errors.New("known")

// acceptAlone accepts a payment in a transaction of its own: a refund, since what is left of
// the original payment is known only while its row is locked, and what a person asked for,
// with its line of the audit log.
func (s *Store) acceptAlone(ctx context.Context, o *op) error {
	p := o.payment
	err := s.db.write(ctx, func(t tx) error {
		var (
			original adapter.Payment
			refunded int64
			known    bool
		)
		if p.Kind == adapter.Refund {
			t.add(s.sql.selectPayments.stmts([]any{p.RefundOf}, s.scanInto(func(q adapter.Payment) { original = q }))...)
			t.add(&stmt{
				sql:  `SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM payments WHERE refund_of = $1 AND state <> 'declined'`,
				args: []any{p.RefundOf}, row: func(scan scanner) error { return scan(&refunded) },
			})
		}
		t.add(s.sql.selectByKey.stmts([]any{p.Key.Platform, p.Key.ID}, s.scanInto(func(adapter.Payment) { known = true }))...)
		switch err := t.flush(ctx); {
		case err != nil:
			return err
		case known:
			return errKnown
		}
		if p.Kind == adapter.Refund {
			if err := refundable(p, original, money.New(refunded, s.cfg.Currency)); err != nil {
				return err
			}
		}
		s.insert(t, []*op{o})
		return nil
	})
	if err != nil && !errors.Is(err, errKnown) {
		return err
	}
	s.repeats(ctx, []*op{o})
	s.tell(ctx, o)
	return o.err
}

// refundable checks, with the original locked, that p may be refunded from it.
func refundable(p, original adapter.Payment, refunded money.Amount) error {
	if original.Num == 0 {
		return fmt.Errorf("%w: refund of payment %d, which does not exist", adapter.ErrInvalid, p.RefundOf)
	}
	left, err := original.Amount.Sub(refunded)
	switch {
	case err != nil:
		return err
	case original.User != p.User:
		return fmt.Errorf("%w: refund of payment %d, which is another user's", adapter.ErrInvalid, p.RefundOf)
	case original.Kind == adapter.Refund:
		return fmt.Errorf("%w: refund of payment %d, which is a refund itself", adapter.ErrInvalid, p.RefundOf)
	case original.State != adapter.Confirmed:
		return fmt.Errorf("%w: refund of payment %d, which is %s, not confirmed", adapter.ErrInvalid, p.RefundOf, original.State)
	case left.Cmp(p.Amount) < 0:
		return fmt.Errorf("%w: refund of %s, but of payment %d only %s are left", adapter.ErrInvalid, p.Amount, p.RefundOf, left)
	}
	return nil
}

// conflict notes in the history of the known payment that its key came again as other. Its
// result is adapter.ErrConflict when the note is written.
func (s *Store) conflict(ctx context.Context, known, other adapter.Payment) error {
	e := adapter.Event{
		Payment: known.Num, At: s.cfg.Now(), Kind: adapter.EventConflict,
		Detail: fmt.Sprintf("came again as %s of %s for user %s", other.Kind, other.Amount, other.User),
	}
	if other.RefundOf != 0 {
		e.Detail += fmt.Sprintf(", refunding payment %d", other.RefundOf)
	}
	if err := s.Remark(ctx, e); err != nil {
		return fmt.Errorf("note conflict of payment %s: %w", known.Key, err)
	}
	return fmt.Errorf("%w: %s is stored as %s of %s for user %s", adapter.ErrConflict, known.Key, known.Kind, known.Amount, known.User)
}

// Remark adds a line to a payment's history that changes nothing. The version, the number and
// the state are those of the payment as it is.
func (s *Store) Remark(ctx context.Context, e adapter.Event) error {
	e.Version = -1
	err := s.db.write(ctx, func(t tx) error {
		t.add(s.sql.selectPayments.stmts([]any{e.Payment}, s.scanInto(func(p adapter.Payment) {
			e.Version, e.From, e.To = p.Version, p.State, p.State
		}))...)
		if err := t.flush(ctx); err != nil {
			return err
		}
		if e.Version < 0 {
			return adapter.ErrNotFound
		}
		t.add(&stmt{
			sql:  `SELECT coalesce(max(n), 0) + 1 FROM events WHERE payment = $1 AND version = $2`,
			args: []any{e.Payment, int64(e.Version)}, row: func(scan scanner) error {
				var n int64
				err := scan(&n)
				e.N = int(n)
				return err
			},
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		t.add(s.sql.insertEvents.stmts(appendEvent(nil, &e), nil)...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("remark about payment %d: %w", e.Payment, err)
	}
	return nil
}

// Apply writes a step with its money and its history, or, when funds are missing, its Short,
// and returns the payment after it. adapter.ErrLost says that the payment was changed since
// the step was made and that nothing was written; a step that was written before, by a call
// whose outcome got lost, is not lost but returned again. After any other error the step may
// be written or not: apply it again.
func (s *Store) Apply(ctx context.Context, st adapter.Step) (adapter.Payment, error) {
	if st.Before.Num == 0 || st.After.Num != st.Before.Num || st.After.Version != st.Before.Version+1 ||
		st.Short != nil && (st.Short.Before != st.Before || st.Short.After.Version != st.After.Version || st.Short.Move != adapter.NoMove) {
		return st.Before, fmt.Errorf("%w: step of payment %s does not lead from one version to the next", adapter.ErrInvalid, st.Before.Key)
	}
	o := newStep(&st)
	var err error
	if asked(ctx) {
		err = s.applyAlone(context.WithoutCancel(ctx), o)
	} else if err = s.committer.put(o); errors.Is(err, adapter.ErrClosed) {
		return st.Before, err
	} else {
		err = o.wait(ctx)
	}
	if err != nil {
		return st.Before, fmt.Errorf("apply step of payment %s: %w", st.Before.Key, err)
	}
	return o.payment, nil
}

// applyAlone writes a step that a person decided on, with its line of the audit log.
func (s *Store) applyAlone(ctx context.Context, o *op) error {
	err := s.db.write(ctx, func(t tx) error {
		if err := s.group(ctx, t, nil, []*op{o}, true); err != nil {
			return err
		}
		return o.err
	})
	if err == nil {
		s.tell(ctx, o)
	}
	return err
}

// Claim leases up to n payments that are due to this process, those that wait longest first.
// On PostgreSQL it leaves out what others are about to write.
func (s *Store) Claim(ctx context.Context, n int) ([]adapter.Payment, error) {
	var claimed []adapter.Payment
	ctx = context.WithoutCancel(ctx) // a lease that nobody hears of would have to expire
	err := s.db.write(ctx, func(t tx) error {
		claimed = claimed[:0]
		now := s.cfg.Now()
		var due []adapter.Payment
		t.add(&stmt{sql: s.sql.due, args: []any{now.UnixMicro(), int64(n)}, row: s.scanInto(func(p adapter.Payment) { due = append(due, p) })})
		if err := t.flush(ctx); err != nil || len(due) == 0 {
			return err
		}
		slices.SortFunc(due, compareNums)
		w := &steps{store: s}
		for _, p := range due {
			st := p.Claimed(s.Owner(), s.cfg.Policy, now)
			if p.Owner == 0 {
				st.Event.Kind = "" // taken up, not taken over
			}
			claimed = append(claimed, w.change(&st))
		}
		w.write(t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim payments: %w", err)
	}
	return claimed, nil
}

// NextDue is when the next payment falls due or a lease ends; false when there is none.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var at int64
	err := one(ctx, s.db, `SELECT next_at FROM payments WHERE next_at > 0 ORDER BY next_at LIMIT 1`, nil, &at)
	if errors.Is(err, errNoRow) {
		return time.Time{}, false, nil
	}
	return instant(at), err == nil, err
}

// Payment returns a payment by its key, or adapter.ErrNotFound.
func (s *Store) Payment(ctx context.Context, key adapter.Key) (adapter.Payment, error) {
	return s.payment(ctx, key.String(), `platform_id = $1 AND platform = $2`, key.ID, key.Platform)
}

// PaymentByNum returns a payment by our own number, or adapter.ErrNotFound.
func (s *Store) PaymentByNum(ctx context.Context, num int64) (adapter.Payment, error) {
	return s.payment(ctx, fmt.Sprint(num), `num = $1`, num)
}

func (s *Store) payment(ctx context.Context, name, where string, args ...any) (p adapter.Payment, err error) {
	found := false
	err = s.db.read(ctx, &stmt{
		sql: `SELECT ` + paymentColumns + ` FROM payments WHERE ` + where, args: args,
		row: s.scanInto(func(q adapter.Payment) { p, found = q, true }),
	})
	if err == nil && !found {
		err = adapter.ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("payment %s: %w", name, err)
	}
	return p, nil
}

// History returns what happened to a payment, in order. It begins with its acceptance, and
// takes in remarks that changed nothing.
func (s *Store) History(ctx context.Context, num int64) ([]adapter.Event, error) {
	p, err := s.PaymentByNum(ctx, num)
	if err != nil {
		return nil, err
	}
	history := []adapter.Event{{Payment: num, At: p.ReceivedAt, Kind: adapter.EventReceived, To: adapter.Received}}
	err = s.db.read(ctx, &stmt{
		sql: `SELECT ` + eventColumns + ` FROM events WHERE payment = $1 ORDER BY version, n`, args: []any{num},
		row: func(scan scanner) error {
			e, err := scanEvent(scan)
			history = append(history, e)
			return err
		},
	})
	return history, err
}

const eventColumns = `payment, version, n, at, kind, from_state, to_state, attempt, verdict, code, detail, took`

func scanEvent(scan scanner) (adapter.Event, error) {
	var (
		e                                   adapter.Event
		kind, from, to, verdict             string
		version, n, at, attempt, code, took int64
	)
	err := scan(&e.Payment, &version, &n, &at, &kind, &from, &to, &attempt, &verdict, &code, &e.Detail, &took)
	e.Version, e.N, e.At, e.Attempt, e.Code = int(version), int(n), instant(at), int(attempt), int(code)
	e.Kind, e.From, e.To, e.Verdict = adapter.EventKind(kind), adapter.State(from), adapter.State(to), adapter.Verdict(verdict)
	e.Took = time.Duration(took) * time.Microsecond
	return e, err
}

// Payments lists payments, newest first. The Num of the last one is the cursor to go on.
func (s *Store) Payments(ctx context.Context, f adapter.PaymentFilter) ([]adapter.Payment, error) {
	limit := cmp.Or(f.Limit, 50)
	var list []adapter.Payment
	for _, part := range filterParts(f) {
		sql, args := filterQuery(f, part, limit)
		err := s.db.read(ctx, &stmt{sql: sql, args: args, row: s.scanInto(func(p adapter.Payment) { list = append(list, p) })})
		if err != nil {
			return nil, fmt.Errorf("list payments: %w", err)
		}
	}
	slices.SortFunc(list, func(a, b adapter.Payment) int { return compareNums(b, a) })
	return list[:min(len(list), limit)], nil
}

// filterParts splits the states so that each part has an index in which all its payments stand
// together: without a user, the unfinished, the doubtful and the declined would have to be
// looked for among all the confirmed. Nil is all states.
func filterParts(f adapter.PaymentFilter) [][]adapter.State {
	if f.User != "" || len(f.States) == 0 {
		return [][]adapter.State{f.States}
	}
	var parts [][]adapter.State
	var unfinished []adapter.State
	for _, st := range slices.Compact(slices.Sorted(slices.Values(f.States))) {
		if st.Final() || st == adapter.InDoubt {
			parts = append(parts, []adapter.State{st})
		} else {
			unfinished = append(unfinished, st)
		}
	}
	if unfinished != nil {
		parts = append(parts, unfinished)
	}
	return parts
}

func filterQuery(f adapter.PaymentFilter, states []adapter.State, limit int) (string, []any) {
	var (
		where []string
		args  []any
		order = "num"
	)
	arg := func(format string, v any) {
		args = append(args, v)
		where = append(where, fmt.Sprintf(format, len(args)))
	}
	if f.User != "" {
		arg("user_hash = $%d", f.User)
	}
	if f.Before != 0 {
		arg("num < $%d", f.Before)
	}
	if !f.From.IsZero() {
		arg("received_at >= $%d", f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		arg("received_at < $%d", f.To.UnixMicro())
	}
	if len(states) > 0 {
		column := "state"
		switch {
		case f.User != "" || states[0] == adapter.Confirmed:
		case states[0] == adapter.InDoubt, states[0] == adapter.Declined:
			column = "aside"
		default:
			where, order = append(where, "next_at > 0"), "+num" // from the index of what is due, sorted
		}
		where = append(where, oneOf(column, states, adapter.States))
	}
	if len(f.Kinds) > 0 {
		where = append(where, oneOf("kind", f.Kinds, adapter.Kinds))
	}
	sql := `SELECT ` + paymentColumns + ` FROM payments`
	if len(where) > 0 {
		sql += ` WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, int64(limit))
	return sql + fmt.Sprintf(` ORDER BY %s DESC LIMIT $%d`, order, len(args)), args
}

// oneOf writes known values into the SQL itself, where partial indexes can see them. Values
// that are not known match nothing.
func oneOf[T ~string](column string, values, known []T) string {
	var list []string
	for _, v := range known {
		if slices.Contains(values, v) {
			list = append(list, "'"+string(v)+"'")
		}
	}
	switch len(list) {
	case 0:
		return "1 = 0"
	case 1:
		return column + " = " + list[0]
	}
	return column + " IN (" + strings.Join(list, ", ") + ")"
}

// Stats is what waits.
type Stats struct {
	Unfinished map[adapter.State]int64 // payments in each state that is not final, those in doubt too
	Oldest     time.Time               // when the oldest that is due some day was received; zero if there is none
	Unreserved int64                   // those of them that the billing refuses to reserve, for no reason of the user's
	Unanswered int64                   // those of them that the billing was asked to reserve, without an answer yet
}

// MovesRefused is how many payments the billing refuses a move of.
func (s Stats) MovesRefused() int64 {
	return s.Unreserved + s.Unfinished[adapter.CaptureRefused] + s.Unfinished[adapter.ReleaseRefused]
}

// Stats counts what waits. It reads only that, however many payments there are.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Unfinished: make(map[adapter.State]int64)}
	err := s.db.read(ctx, &stmt{
		sql: `SELECT state, count(*), min(received_at), count(CASE WHEN state = 'received' AND reason <> '' THEN 1 END),
				count(CASE WHEN state = 'received' AND reason = '' AND attempt > 0 THEN 1 END) FROM payments WHERE next_at > 0 GROUP BY state
			UNION ALL SELECT 'in_doubt', count(*), 0, 0, 0 FROM payments WHERE aside = 'in_doubt'`,
		row: func(scan scanner) error {
			var (
				state                             string
				n, oldest, unreserved, unanswered int64
			)
			err := scan(&state, &n, &oldest, &unreserved, &unanswered)
			st.Unreserved += unreserved
			st.Unanswered += unanswered
			st.Unfinished[adapter.State(state)] = n
			if at := instant(oldest); oldest != 0 && (st.Oldest.IsZero() || at.Before(st.Oldest)) {
				st.Oldest = at
			}
			return err
		},
	})
	return st, err
}
