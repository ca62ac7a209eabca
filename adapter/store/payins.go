package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Payins are far fewer than payments, and whoever asks for one waits for another company's
// answer anyway, so each write is a transaction of its own, beside the committer's.

const (
	payinColumns = `num, merchant, externalid, coalesce(key, ''), fingerprint, user_hash, amount, in_curr, asked_curr, payway, payer, contact,
	has_code, callback_url, status, sent, lid, type, paylink, in_fee, out_curr, out_amount, out_fee, account, rate_in, rate_out, coalesce(order_at, 0),
	credited, reason, version, attempt, owner, coalesce(next_at, 0), created_at, updated_at`

	insertPayin = `INSERT INTO payins (merchant, externalid, key, fingerprint, user_hash, amount, in_curr, asked_curr, payway, payer, contact,
	has_code, callback_url, status, sent, lid, type, paylink, in_fee, out_curr, out_amount, out_fee, account, rate_in, rate_out, order_at,
	credited, reason, version, attempt, owner, next_at, created_at, updated_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
	$27, $28, $29, $30, $31, $32, $33, $34) ON CONFLICT DO NOTHING RETURNING num`

	updatePayin = `UPDATE payins SET status = $3, sent = $4, lid = $5, type = $6, paylink = $7, in_fee = $8, out_curr = $9, out_amount = $10,
	out_fee = $11, account = $12, rate_in = $13, rate_out = $14, order_at = $15, credited = $16, reason = $17, version = $18, attempt = $19,
	owner = $20, next_at = $21, updated_at = $22 WHERE num = $1 AND version = $2`

	insertPayinTransfer = `INSERT INTO transfers (num, user_hash, payin, move, debit, credit, amount, available, reserved, prev, at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	insertPayinEvent = `INSERT INTO payin_events (payin, version, n, at, kind, from_status, to_status, attempt, verdict, code, detail, took)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
)

// AddPayin stores p the first time its externalid and key are seen and returns it with its
// number; when it returns, the row is durable. For a repeat, first is false, err nil, and stored
// is the payin as it is now. Another request under the same externalid or key is
// adapter.ErrConflict, a user that nobody registered adapter.ErrNotFound.
func (s *Store) AddPayin(ctx context.Context, p adapter.Payin) (stored adapter.Payin, first bool, err error) {
	if p.Num != 0 || p.Version != 0 || p.NextAt.IsZero() {
		return p, false, fmt.Errorf("%w: add payin %s: it is not new", adapter.ErrInvalid, p.ExternalID)
	}
	if p.User != "" {
		if _, err := s.User(ctx, p.User); err != nil {
			return p, false, fmt.Errorf("add payin %s: %w", p.ExternalID, err)
		}
	}
	p = storedPayin(p)
	err = s.db.write(ctx, func(t tx) error {
		first, stored = false, p
		t.add(&stmt{sql: insertPayin, args: payinArgs(&p), row: func(scan scanner) error {
			first = true
			return scan(&stored.Num)
		}})
		if err := t.flush(ctx); err != nil || first {
			return err
		}
		return errKnown
	})
	if errors.Is(err, errKnown) {
		stored, err = s.repeatedPayin(ctx, p)
	}
	if err != nil {
		return p, false, fmt.Errorf("add payin %s: %w", p.ExternalID, err)
	}
	return stored, first, nil
}

// repeatedPayin is the payin whose externalid or key p has.
func (s *Store) repeatedPayin(ctx context.Context, p adapter.Payin) (known adapter.Payin, err error) {
	err = s.db.read(ctx, &stmt{
		sql:  `SELECT ` + payinColumns + ` FROM payins WHERE externalid = $1 OR (key IS NOT NULL AND key = $2) ORDER BY num`,
		args: []any{p.ExternalID, p.Key}, row: s.payinsInto(func(q adapter.Payin) {
			if known.Num == 0 || q.ExternalID == p.ExternalID {
				known = q
			}
		}),
	})
	switch {
	case err != nil:
		return p, err
	case known.Num == 0:
		return p, errors.New("neither stored nor known")
	case !known.SameRequest(p):
		return p, fmt.Errorf("%w: the name or key is that of payin %d, which asks for something else", adapter.ErrConflict, known.Num)
	}
	return known, nil
}

// ApplyPayin writes a step with its money and its history and returns the payin after it.
// adapter.ErrLost says that the payin was changed since the step was made and that nothing was
// written; a step that was written before, by a call whose outcome got lost, is returned again.
func (s *Store) ApplyPayin(ctx context.Context, st adapter.PayinStep) (adapter.Payin, error) {
	if st.Before.Num == 0 || st.After.Num != st.Before.Num || st.After.Version != st.Before.Version+1 || st.Credit != st.After.Credited {
		return st.Before, fmt.Errorf("%w: step of payin %s does not lead from one version to the next", adapter.ErrInvalid, st.Before.ExternalID)
	}
	after := storedPayin(st.After)
	// What is known must be written, also if whoever told it hangs up.
	err := s.db.write(context.WithoutCancel(ctx), func(t tx) error {
		w := &steps{store: s, accounts: make(map[string]*account)}
		if !st.Credit.IsZero() {
			w.accounts[after.User] = nil
			w.lock(t, 1)
		}
		var now adapter.Payin
		t.add(&stmt{
			sql: `SELECT ` + payinColumns + ` FROM payins WHERE num = $1` + s.db.dialect().lock, args: []any{after.Num},
			row: s.payinsInto(func(p adapter.Payin) { now = p }),
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		switch {
		case now.Num == 0:
			return adapter.ErrNotFound
		case now == after:
			return nil // this very step
		case now.Version != st.Before.Version:
			return adapter.ErrLost
		}
		if err := w.credit(t, after, st.Credit); err != nil {
			return err
		}
		t.add(&stmt{sql: updatePayin, args: payinUpdate(&after, st.Before.Version)})
		if st.Event.Kind != "" {
			t.add(&stmt{sql: insertPayinEvent, args: payinEventArgs(&st.Event)})
		}
		w.write(t)
		return nil
	})
	if err != nil {
		return st.Before, fmt.Errorf("apply step of payin %s: %w", st.Before.ExternalID, err)
	}
	return after, nil
}

// credit moves what a payin brought to its user.
func (w *steps) credit(t tx, p adapter.Payin, amount money.Amount) error {
	if amount.IsZero() {
		return nil
	}
	acc := w.accounts[p.User]
	if acc == nil {
		return fmt.Errorf("user %s has no account", p.User)
	}
	debit, credit, err := ledger.Sides(ledger.Payin, "")
	if err != nil {
		return err
	}
	after, err := acc.Apply(debit, credit, amount)
	if err != nil {
		return err
	}
	t.add(&stmt{sql: insertPayinTransfer, args: []any{
		w.nums[0], p.User, p.Num, string(ledger.Payin), string(debit), string(credit), amount.Minor(),
		after.Available.Minor(), after.Reserved.Minor(), acc.last, p.UpdatedAt.UnixMicro(),
	}})
	acc.Balance, acc.last, acc.changed = after, w.nums[0], true
	return nil
}

// NotePayin adds a remark to a payin's history, unless the last one at this version says the
// same. e.N is given by the store.
func (s *Store) NotePayin(ctx context.Context, e adapter.PayinEvent) error {
	ctx = context.WithoutCancel(ctx)
	err := s.db.write(ctx, func(t tx) error {
		said, n := false, int64(0)
		t.add(&stmt{sql: `SELECT num FROM payins WHERE num = $1` + s.db.dialect().lock, args: []any{e.Payin}, row: func(scan scanner) error {
			var num int64
			return scan(&num)
		}}, &stmt{
			sql:  `SELECT ` + payinEventColumns + ` FROM payin_events WHERE payin = $1 AND version = $2 ORDER BY n`,
			args: []any{e.Payin, int64(e.Version)}, row: func(scan scanner) error {
				last, err := scanPayinEvent(scan)
				n = int64(last.N)
				said = last.N > 0 && last.Kind == e.Kind && last.Detail == text(e.Detail)
				return err
			},
		})
		if err := t.flush(ctx); err != nil || said {
			return err
		}
		e.N = int(n) + 1
		t.add(&stmt{sql: insertPayinEvent, args: payinEventArgs(&e)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("note to payin %d: %w", e.Payin, err)
	}
	return nil
}

// ClaimPayins leases up to n payins that are due to this process, those that wait longest first.
func (s *Store) ClaimPayins(ctx context.Context, pol adapter.PayinPolicy, n int) ([]adapter.Payin, error) {
	var claimed []adapter.Payin
	now := s.cfg.Now()
	var due int64
	switch err := one(ctx, s.db, `SELECT next_at FROM payins WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1`, nil, &due); {
	case errors.Is(err, errNoRow), err == nil && due > now.UnixMicro(): // nearly always, and it costs no transaction
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for due payins: %w", err)
	}
	ctx = context.WithoutCancel(ctx) // a lease that nobody hears of would have to expire
	err := s.db.write(ctx, func(t tx) error {
		claimed = claimed[:0]
		var due []adapter.Payin
		t.add(&stmt{
			sql:  `SELECT ` + payinColumns + ` FROM payins WHERE next_at <= $1 ORDER BY next_at LIMIT $2` + s.db.dialect().lockFree,
			args: []any{now.UnixMicro(), int64(n)}, row: s.payinsInto(func(p adapter.Payin) { due = append(due, p) }),
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		for _, p := range due {
			st := p.Claimed(s.Owner(), pol, now)
			after := storedPayin(st.After)
			t.add(&stmt{sql: updatePayin, args: payinUpdate(&after, p.Version)})
			if st.Event.Kind != "" {
				t.add(&stmt{sql: insertPayinEvent, args: payinEventArgs(&st.Event)})
			}
			claimed = append(claimed, after)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim payins: %w", err)
	}
	return claimed, nil
}

// Payin returns a payin by its externalid, or adapter.ErrNotFound.
func (s *Store) Payin(ctx context.Context, externalID string) (p adapter.Payin, err error) {
	err = s.db.read(ctx, &stmt{
		sql: `SELECT ` + payinColumns + ` FROM payins WHERE externalid = $1`, args: []any{text(externalID)},
		row: s.payinsInto(func(q adapter.Payin) { p = q }),
	})
	if err == nil && p.Num == 0 {
		err = adapter.ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("payin %q: %w", externalID, err)
	}
	return p, nil
}

// Payins lists payins, newest first. The Num of the last one is the cursor to go on.
func (s *Store) Payins(ctx context.Context, f adapter.PayinFilter) ([]adapter.Payin, error) {
	var (
		where []string
		args  []any
		list  []adapter.Payin
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
	if len(f.Statuses) > 0 {
		where = append(where, oneOf("status", f.Statuses, adapter.PayinStatuses))
	}
	sql := `SELECT ` + payinColumns + ` FROM payins`
	if len(where) > 0 {
		sql += ` WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, int64(cmp.Or(f.Limit, 50)))
	sql += fmt.Sprintf(` ORDER BY num DESC LIMIT $%d`, len(args))
	err := s.db.read(ctx, &stmt{sql: sql, args: args, row: s.payinsInto(func(p adapter.Payin) { list = append(list, p) })})
	if err != nil {
		return nil, fmt.Errorf("list payins: %w", err)
	}
	return list, nil
}

// OpenPayins counts the payins that are not settled, by status. It reads only these.
func (s *Store) OpenPayins(ctx context.Context) (map[adapter.PayinStatus]int64, error) {
	open := make(map[adapter.PayinStatus]int64)
	err := s.db.read(ctx, &stmt{
		sql: `SELECT status, count(*) FROM payins WHERE next_at IS NOT NULL GROUP BY status`,
		row: func(scan scanner) error {
			var (
				status string
				n      int64
			)
			err := scan(&status, &n)
			open[adapter.PayinStatus(status)] = n
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("count open payins: %w", err)
	}
	return open, nil
}

const payinEventColumns = `payin, version, n, at, kind, from_status, to_status, attempt, verdict, code, detail, took`

// PayinHistory returns what happened to a payin, in order, beginning with its creation.
func (s *Store) PayinHistory(ctx context.Context, p adapter.Payin) ([]adapter.PayinEvent, error) {
	history := []adapter.PayinEvent{{Payin: p.Num, At: p.CreatedAt, Kind: adapter.PayinEventCreated, To: p.FirstStatus()}}
	err := s.db.read(ctx, &stmt{
		sql: `SELECT ` + payinEventColumns + ` FROM payin_events WHERE payin = $1 ORDER BY version, n`, args: []any{p.Num},
		row: func(scan scanner) error {
			e, err := scanPayinEvent(scan)
			history = append(history, e)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("history of payin %s: %w", p.ExternalID, err)
	}
	return history, nil
}

// auditPayins goes through the payins as auditPayments does through the payments.
func (s *Store) auditPayins(ctx context.Context, t tx, audit *ledger.Audit) error {
	const chunk = 4096
	for last := int64(0); last < math.MaxInt64; {
		var payins []adapter.Payin
		t.add(&stmt{
			sql:  `SELECT ` + payinColumns + ` FROM payins WHERE num > $1 ORDER BY num LIMIT $2`,
			args: []any{last, int64(chunk)}, row: s.payinsInto(func(p adapter.Payin) { payins = append(payins, p) }),
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		to := int64(math.MaxInt64)
		if len(payins) == chunk {
			to = payins[chunk-1].Num
		}
		moves := make(map[int64][]ledger.Transfer, len(payins))
		history := make(map[int64][]adapter.PayinEvent, len(payins))
		t.add(&stmt{
			sql:  `SELECT ` + transferColumns + ` FROM transfers WHERE payin > $1 AND payin <= $2 ORDER BY payin`,
			args: []any{last, to}, row: func(scan scanner) error {
				x, err := s.scanTransfer(scan)
				moves[x.Payin] = append(moves[x.Payin], x)
				return err
			},
		}, &stmt{
			sql:  `SELECT ` + payinEventColumns + ` FROM payin_events WHERE payin > $1 AND payin <= $2 AND n = 0 ORDER BY payin, version`,
			args: []any{last, to}, row: func(scan scanner) error {
				e, err := scanPayinEvent(scan)
				history[e.Payin] = append(history[e.Payin], e)
				return err
			},
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		for _, p := range payins {
			audit.Payin(p, moves[p.Num], history[p.Num])
			delete(moves, p.Num)
			delete(history, p.Num)
		}
		for num := range moves {
			audit.OrphanPayin(num, "a transfer")
		}
		for num := range history {
			audit.OrphanPayin(num, "an event")
		}
		last = to
	}
	return nil
}

// storedPayin returns p as it reads when it was stored.
func storedPayin(p adapter.Payin) adapter.Payin {
	p.NextAt, p.CreatedAt, p.UpdatedAt, p.Order.At = whole(p.NextAt), whole(p.CreatedAt), whole(p.UpdatedAt), whole(p.Order.At)
	for _, s := range []*string{&p.Reason, &p.Payway, &p.ExternalID, &p.Order.Type, &p.Order.Payway, &p.Order.Paylink, &p.Order.RateIn, &p.Order.RateOut} {
		*s = text(*s)
	}
	return p
}

func payinArgs(p *adapter.Payin) []any {
	var key any
	if p.Key != "" {
		key = p.Key
	}
	return append(append([]any{
		p.Merchant, p.ExternalID, key, p.Fingerprint, p.User, p.Amount.Short(), p.Amount.Currency().Code(), p.OutCurr,
		p.Payway, p.Payer, p.Contact, bit(p.HasCode), p.CallbackURL,
	}, payinState(p)...), p.CreatedAt.UnixMicro(), p.UpdatedAt.UnixMicro())
}

func payinUpdate(p *adapter.Payin, version int) []any {
	return append(append([]any{p.Num, int64(version)}, payinState(p)...), p.UpdatedAt.UnixMicro())
}

// payinState is what changes about a payin. Of the order, what equals the request is not kept.
func payinState(p *adapter.Payin) []any {
	o := &p.Order
	return []any{
		string(p.Status), bit(p.Sent), o.LID, o.Type, o.Paylink, o.InFee.Short(), o.Out.Currency().Code(), o.Out.Short(), o.OutFee.Short(),
		o.Account.Short(), o.RateIn, o.RateOut, micros(o.At), p.Credited.Minor(), p.Reason,
		int64(p.Version), int64(p.Attempt), p.Owner, micros(p.NextAt),
	}
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func payinEventArgs(e *adapter.PayinEvent) []any {
	return []any{
		e.Payin, int64(e.Version), int64(e.N), e.At.UnixMicro(), string(e.Kind), string(e.From), string(e.To),
		int64(e.Attempt), string(e.Verdict), int64(e.Code), text(e.Detail), e.Took.Microseconds(),
	}
}

func scanPayinEvent(scan scanner) (adapter.PayinEvent, error) {
	var (
		e                                   adapter.PayinEvent
		kind, from, to, verdict             string
		version, n, at, attempt, code, took int64
	)
	err := scan(&e.Payin, &version, &n, &at, &kind, &from, &to, &attempt, &verdict, &code, &e.Detail, &took)
	e.Version, e.N, e.At, e.Attempt, e.Code = int(version), int(n), instant(at), int(attempt), int(code)
	e.Kind, e.From, e.To, e.Verdict = adapter.PayinEventKind(kind), adapter.PayinStatus(from), adapter.PayinStatus(to), adapter.Verdict(verdict)
	e.Took = time.Duration(took) * time.Microsecond
	return e, err
}

// payinsInto returns a row function that reads payins.
func (s *Store) payinsInto(yield func(adapter.Payin)) func(scanner) error {
	return func(scan scanner) error {
		p, err := s.scanPayin(scan)
		if err == nil {
			yield(p)
		}
		return err
	}
}

func (s *Store) scanPayin(scan scanner) (adapter.Payin, error) {
	var (
		p                                              adapter.Payin
		amount, inCurr, status                         string
		inFee, outCurr, out, outFee, account           string
		hasCode, sent, orderAt, credited               int64
		version, attempt, nextAt, createdAt, updatedAt int64
	)
	o := &p.Order
	err := scan(&p.Num, &p.Merchant, &p.ExternalID, &p.Key, &p.Fingerprint, &p.User, &amount, &inCurr, &p.OutCurr, &p.Payway, &p.Payer, &p.Contact,
		&hasCode, &p.CallbackURL, &status, &sent, &o.LID, &o.Type, &o.Paylink, &inFee, &outCurr, &out, &outFee, &account, &o.RateIn, &o.RateOut, &orderAt,
		&credited, &p.Reason, &version, &attempt, &p.Owner, &nextAt, &createdAt, &updatedAt)
	if err != nil {
		return p, err
	}
	var in, received currency
	p.Amount = in.of(inCurr).amount(amount)
	p.HasCode, p.Sent, p.Status = hasCode == 1, sent == 1, adapter.PayinStatus(status)
	p.Version, p.Attempt = int(version), int(attempt)
	p.NextAt, p.CreatedAt, p.UpdatedAt = instant(nextAt), instant(createdAt), instant(updatedAt)
	if credited != 0 {
		p.Credited = money.New(credited, s.cfg.Currency)
	}
	if o.LID != 0 {
		o.Status, o.Payway, o.In, o.At = p.Status, p.Payway, p.Amount, instant(orderAt)
		o.InFee = in.amount(inFee)
		received.of(outCurr)
		o.Out, o.OutFee, o.Account = received.amount(out), received.amount(outFee), received.amount(account)
	}
	return p, errors.Join(in.err, received.err)
}

// currency reads the amounts of one currency that the row names; the first error stays.
type currency struct {
	money.Currency
	err error
}

func (c *currency) of(code string) *currency {
	c.Currency, c.err = adapter.PayinCurrency(code)
	return c
}

func (c *currency) amount(text string) money.Amount {
	if c.err != nil {
		return money.Amount{}
	}
	a, err := money.ParseBalance(text, c.Currency)
	c.err = err
	return a
}
