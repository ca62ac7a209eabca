package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// The states of what stands under a key.
const (
	reserved = "reserved"
	captured = "captured"
	released = "released"
	refunded = "refunded"
)

// Business answers; anything else is an error of ours.
var (
	errNoFunds    = errors.New("not enough funds")
	errNoUser     = errors.New("the user is not known")
	errNotThere   = errors.New("there is no such reservation")
	errConflict   = errors.New("the key stands for something else")
	errBadRequest = errors.New("bad request")
)

// books are users with their money and what stands under each key. A released key without a
// user is one that was released before it came.
type books struct{ db *sql.DB }

const schema = `
CREATE TABLE IF NOT EXISTS users (
  hash      TEXT PRIMARY KEY,
  available INTEGER NOT NULL CHECK (available >= 0),
  reserved  INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  spent     INTEGER NOT NULL DEFAULT 0,
  deposited INTEGER NOT NULL DEFAULT 0,
  CHECK (available + reserved + spent = deposited)
) STRICT;
CREATE TABLE IF NOT EXISTS keys (
  key         TEXT PRIMARY KEY,
  user        TEXT NOT NULL,
  amount      INTEGER NOT NULL,
  reservation TEXT NOT NULL DEFAULT '', -- of a refund
  state       TEXT NOT NULL CHECK (state IN ('reserved', 'captured', 'released', 'refunded'))
) STRICT;`

func openBooks(ctx context.Context, file string) (*books, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &books{db}, nil
}

func (b *books) close() error { return b.db.Close() }

// in runs do in one transaction, which is immediate: what do reads stays as it is.
func (b *books) in(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// standing is what stands under a key.
type standing struct {
	key, user, reservation, state string
	amount                        int64
}

func find(ctx context.Context, tx *sql.Tx, key string) (s standing, err error) {
	s.key = key
	err = tx.QueryRowContext(ctx, `SELECT user, amount, reservation, state FROM keys WHERE key = ?`, key).Scan(&s.user, &s.amount, &s.reservation, &s.state)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNotThere
	}
	return s, err
}

// reserve sets funds aside. again is true if they are already.
func (b *books) reserve(ctx context.Context, want standing) (again bool, err error) {
	want.state = reserved
	err = b.in(ctx, func(tx *sql.Tx) error {
		s, err := find(ctx, tx, want.key)
		switch {
		case err == nil && s == want:
			again = true
			return nil
		case err == nil:
			return errConflict
		case !errors.Is(err, errNotThere):
			return err
		}
		var available int64
		err = tx.QueryRowContext(ctx, `SELECT available FROM users WHERE hash = ?`, want.user).Scan(&available)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return errNoUser
		case err != nil:
			return err
		case available < want.amount:
			return errNoFunds
		}
		return exec(ctx, tx,
			stmt{`UPDATE users SET available = available - ?, reserved = reserved + ? WHERE hash = ?`, []any{want.amount, want.amount, want.user}},
			stmt{`INSERT INTO keys (key, user, amount, state) VALUES (?, ?, ?, 'reserved')`, []any{want.key, want.user, want.amount}})
	})
	return again, err
}

// capture spends a reservation.
func (b *books) capture(ctx context.Context, key string) error {
	return b.in(ctx, func(tx *sql.Tx) error {
		s, err := find(ctx, tx, key)
		switch {
		case err != nil:
			return err
		case s.state == captured:
			return nil
		case s.state != reserved:
			return errConflict
		}
		return exec(ctx, tx,
			stmt{`UPDATE users SET reserved = reserved - ?, spent = spent + ? WHERE hash = ?`, []any{s.amount, s.amount, s.user}},
			stmt{`UPDATE keys SET state = 'captured' WHERE key = ?`, []any{key}})
	})
}

// release gives a reservation back. A key that is not known is kept as released, so that a
// reservation that was held up on its way is refused when it comes.
func (b *books) release(ctx context.Context, key string) error {
	return b.in(ctx, func(tx *sql.Tx) error {
		s, err := find(ctx, tx, key)
		switch {
		case errors.Is(err, errNotThere):
			return exec(ctx, tx, stmt{`INSERT INTO keys (key, user, amount, state) VALUES (?, '', 0, 'released')`, []any{key}})
		case err != nil:
			return err
		case s.state == released:
			return nil
		case s.state != reserved:
			return errConflict
		}
		return exec(ctx, tx,
			stmt{`UPDATE users SET reserved = reserved - ?, available = available + ? WHERE hash = ?`, []any{s.amount, s.amount, s.user}},
			stmt{`UPDATE keys SET state = 'released' WHERE key = ?`, []any{key}})
	})
}

// refund gives captured money back. again is true if it was given back before.
func (b *books) refund(ctx context.Context, want standing) (again bool, err error) {
	want.state = refunded
	err = b.in(ctx, func(tx *sql.Tx) error {
		s, err := find(ctx, tx, want.key)
		switch {
		case err == nil && s == want:
			again = true
			return nil
		case err == nil:
			return errConflict
		case !errors.Is(err, errNotThere):
			return err
		}
		original, err := find(ctx, tx, want.reservation)
		if err != nil {
			return err
		}
		var before int64
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(amount), 0) FROM keys WHERE reservation = ?`, want.reservation).Scan(&before); err != nil {
			return err
		}
		if original.state != captured || original.user != want.user || want.amount > original.amount-before {
			return errConflict
		}
		return exec(ctx, tx,
			stmt{`UPDATE users SET spent = spent - ?, available = available + ? WHERE hash = ?`, []any{want.amount, want.amount, want.user}},
			stmt{`INSERT INTO keys (key, user, amount, reservation, state) VALUES (?, ?, ?, ?, 'refunded')`, []any{want.key, want.user, want.amount, want.reservation}})
	})
	return again, err
}

func (b *books) balance(ctx context.Context, user string) (available, set int64, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT available, reserved FROM users WHERE hash = ?`, user).Scan(&available, &set)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoUser
	}
	return available, set, err
}

// deposit gives a user money, and makes the user if it is new.
func (b *books) deposit(ctx context.Context, user string, amount int64) error {
	if !isName(user) {
		return fmt.Errorf("%w: user %q must be 32 letters or digits", errBadRequest, user)
	}
	_, err := b.db.ExecContext(ctx, `INSERT INTO users (hash, available, deposited) VALUES (?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET available = available + excluded.available, deposited = deposited + excluded.deposited`, user, amount, amount)
	return err
}

// print writes every user's money.
func (b *books) print(ctx context.Context, out io.Writer) (err error) {
	rows, err := b.db.QueryContext(ctx, `SELECT hash, available, reserved, spent FROM users ORDER BY hash`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			hash                  string
			available, set, spent int64
		)
		if err := rows.Scan(&hash, &available, &set, &spent); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s available %s reserved %s spent %s\n", hash, text(available), text(set), text(spent)); err != nil {
			return err
		}
	}
	return rows.Err()
}

type stmt struct {
	sql  string
	args []any
}

func exec(ctx context.Context, tx *sql.Tx, sts ...stmt) error {
	for _, s := range sts {
		if _, err := tx.ExecContext(ctx, s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// parseAmount reads "100.50" into kopecks: digits, a point, two digits.
func parseAmount(s string) (int64, error) {
	whole, part, ok := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole, 10, 63)
	k, err2 := strconv.ParseUint(part, 10, 63)
	switch {
	case !ok || err != nil || err2 != nil || len(part) != 2 || n > math.MaxInt64/100-1 || len(whole) > 1 && whole[0] == '0':
		return 0, fmt.Errorf("%w: amount %.40q must look like 100.50", errBadRequest, s)
	case n == 0 && k == 0:
		return 0, fmt.Errorf("%w: amount must be positive", errBadRequest)
	}
	return int64(n)*100 + int64(k), nil // #nosec G115 -- bounded above
}

func text(kopecks int64) string { return fmt.Sprintf("%d.%02d", kopecks/100, kopecks%100) }

// isName reports whether s is a user's hash.
func isName(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
