package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Deposit adds to what a user has available and returns the balance after it. key is the
// caller's name for the deposit: the same again changes nothing and returns what it returned
// the first time; with other content it is adapter.ErrConflict.
func (s *Store) Deposit(ctx context.Context, user string, amount money.Amount, note, key string) (ledger.Balance, error) {
	return s.bookByHand(ctx, ledger.Deposit, user, amount, note, key)
}

// Withdraw takes from what a user has available, or returns adapter.ErrInsufficient. It is
// like Deposit otherwise, and shares its keys.
func (s *Store) Withdraw(ctx context.Context, user string, amount money.Amount, note, key string) (ledger.Balance, error) {
	return s.bookByHand(ctx, ledger.Withdraw, user, amount, note, key)
}

func (s *Store) bookByHand(ctx context.Context, move adapter.Move, user string, amount money.Amount, note, key string) (ledger.Balance, error) {
	switch {
	case key == "":
		return ledger.Balance{}, fmt.Errorf("%w: %s: idempotency key is empty", adapter.ErrInvalid, move)
	case amount.Sign() <= 0 || amount.Currency() != s.cfg.Currency:
		return ledger.Balance{}, fmt.Errorf("%w: %s of %s: must be positive and in %s", adapter.ErrInvalid, move, amount, s.cfg.Currency)
	}
	note = text(note)
	var after ledger.Balance
	err := s.db.write(ctx, func(t tx) (err error) {
		after, err = s.bookOnce(ctx, t, move, user, amount, note, key)
		return err
	})
	if s.db.unique(err) { // the same key at the same time for another user: now it is a repeat
		err = s.db.write(ctx, func(t tx) (err error) {
			after, err = s.bookOnce(ctx, t, move, user, amount, note, key)
			return err
		})
	}
	if err != nil {
		return ledger.Balance{}, fmt.Errorf("%s of %s for user %s: %w", move, amount, user, err)
	}
	return after, nil
}

// bookOnce makes one transfer by hand unless its key is known.
func (s *Store) bookOnce(ctx context.Context, t tx, move adapter.Move, user string, amount money.Amount, note, key string) (ledger.Balance, error) {
	w := &steps{store: s, accounts: map[string]*account{user: nil}}
	w.lock(t, 1)
	var known *ledger.Transfer
	t.add(&stmt{sql: `SELECT ` + transferColumns + ` FROM transfers WHERE key = $1`, args: []any{key}, row: func(scan scanner) error {
		x, err := s.scanTransfer(scan)
		known = &x
		return err
	}})
	if err := t.flush(ctx); err != nil {
		return ledger.Balance{}, err
	}
	acc := w.accounts[user]
	switch {
	case known != nil && (known.Move != move || known.User != user || known.Amount != amount || known.Note != note):
		return ledger.Balance{}, fmt.Errorf("%w: key %q is a %s of %s for user %s", adapter.ErrConflict, key, known.Move, known.Amount, known.User)
	case known != nil:
		return known.After, nil
	case acc == nil:
		return ledger.Balance{}, fmt.Errorf("user %s: %w", user, adapter.ErrNotFound)
	}
	err := w.transfer(acc, ledger.Transfer{User: user, Move: move, Amount: amount, At: s.cfg.Now(), Key: key, Note: note}, "")
	if err != nil {
		return ledger.Balance{}, err
	}
	w.write(t)
	return acc.Balance, nil
}

// Balance returns what a user has, or adapter.ErrNotFound.
func (s *Store) Balance(ctx context.Context, user string) (ledger.Balance, error) {
	var available, reserved int64
	err := one(ctx, s.db, `SELECT available, reserved FROM balances WHERE user_hash = $1`, []any{user}, &available, &reserved)
	if errors.Is(err, errNoRow) {
		err = adapter.ErrNotFound
	}
	if err != nil {
		return ledger.Balance{}, fmt.Errorf("balance of user %q: %w", user, err)
	}
	return s.balance(available, reserved), nil
}

// clockSkew is how far the clocks of two processes may differ: that much can the transfers of a
// user be out of their order in time.
const clockSkew = 5 * time.Minute

// Statement lists a user's transfers, newest first, each with the balance after it. It walks
// the chain from the cursor, from a little behind f.To, or from the newest, and no further than
// f.From: what a page costs does not depend on how many are newer.
func (s *Store) Statement(ctx context.Context, user string, f ledger.StatementFilter) ([]ledger.Transfer, error) {
	to := int64(math.MaxInt64)
	if !f.To.IsZero() {
		to = f.To.UnixMicro()
	}
	var entry int64
	if !f.To.IsZero() && f.Before == 0 {
		var err error
		if entry, err = s.behind(ctx, user, f.To); err != nil {
			return nil, fmt.Errorf("statement of user %q: %w", user, err)
		}
	}
	var list []ledger.Transfer
	err := s.db.read(ctx, &stmt{
		sql: `WITH RECURSIVE chain AS (
				SELECT * FROM transfers WHERE user_hash = $1 AND num = (
					SELECT CASE WHEN $2 <> 0 THEN (SELECT prev FROM transfers WHERE num = $2) WHEN $7 <> 0 THEN $7 ELSE last END
					FROM balances WHERE user_hash = $1)
				UNION ALL
				SELECT t.* FROM transfers t JOIN chain ON t.num = chain.prev WHERE chain.at >= $4
			) SELECT ` + transferColumns + ` FROM chain WHERE at >= $5 AND at < $6 LIMIT $3`,
		args: []any{user, f.Before, int64(cmp.Or(f.Limit, 50)), f.From.Add(-clockSkew).UnixMicro(), f.From.UnixMicro(), to, entry},
		row: func(scan scanner) error {
			t, err := s.scanTransfer(scan)
			list = append(list, t)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("statement of user %q: %w", user, err)
	}
	return list, nil
}

// behind returns the number of a transfer of a user with all those made before a moment behind it
// in the chain, and few others; 0 for the newest. Transfers of payments are found by the payments,
// others by an index of their own: one that held all would make every payment dearer.
func (s *Store) behind(ctx context.Context, user string, t time.Time) (num int64, err error) {
	t = t.Add(2 * margin)
	first, err := s.firstSince(ctx, t.Add(margin)) // with those that are out of step
	if err != nil {
		return 0, err
	}
	err = one(ctx, s.db, `SELECT coalesce(min(num), 0) FROM (
			SELECT num FROM (SELECT t.num FROM payments p JOIN transfers t ON t.payment = p.num
				WHERE p.user_hash = $1 AND p.num >= $2 ORDER BY p.num LIMIT 1) AS paid
			UNION ALL
			SELECT num FROM (SELECT num FROM transfers WHERE user_hash = $1 AND payment IS NULL AND at >= $3 ORDER BY at LIMIT 1) AS other
		) AS either`, []any{user, first, t.UnixMicro()}, &num)
	return num, err
}

const transferColumns = `num, user_hash, coalesce(payment, 0), move, debit, credit, amount, available, reserved, prev, at, coalesce(key, ''), note, coalesce(payin, 0)`

func (s *Store) scanTransfer(scan scanner) (ledger.Transfer, error) {
	var (
		t                               ledger.Transfer
		move, debit, credit             string
		amount, available, reserved, at int64
	)
	err := scan(&t.Num, &t.User, &t.Payment, &move, &debit, &credit, &amount, &available, &reserved, &t.Prev, &at, &t.Key, &t.Note, &t.Payin)
	t.Move, t.Debit, t.Credit = adapter.Move(move), ledger.Account(debit), ledger.Account(credit)
	t.Amount = money.New(amount, s.cfg.Currency)
	t.After = s.balance(available, reserved)
	t.At = instant(at)
	return t, err
}
