package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"
)

// books looks into the adapter's database from outside.
type books struct {
	db       *sql.DB
	postgres bool
}

func openBooks(database string) (books, error) {
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)")
		return books{db: db}, err
	}
	db, err := sql.Open("pgx", database)
	return books{db: db, postgres: true}, err
}

// confirmed counts confirmed payments.
func (b books) confirmed(ctx context.Context) (n int64, err error) {
	return n, b.db.QueryRowContext(ctx, `SELECT count(*) FROM payments WHERE state = 'confirmed'`).Scan(&n)
}

// drained waits until nothing is due.
func (b books) drained(ctx context.Context) error {
	for {
		var n int64
		if err := b.db.QueryRowContext(ctx, `SELECT count(*) FROM payments WHERE next_at IS NOT NULL`).Scan(&n); err != nil || n == 0 {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// doneTimes are the times from acceptance to capture, sorted, as the adapter stamps them: the
// capture's stamp is made as its commit begins.
func (b books) doneTimes(ctx context.Context) ([]time.Duration, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT updated_at - received_at FROM payments`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var done []time.Duration
	for rows.Next() {
		var micros int64
		if err := rows.Scan(&micros); err != nil {
			return nil, err
		}
		done = append(done, time.Duration(micros)*time.Microsecond)
	}
	slices.Sort(done)
	return done, rows.Err()
}

// watch notes, until ctx is done, when each payment is seen confirmed by another connection.
// It looks every millisecond, so it sees a capture up to a millisecond late.
func (b books) watch(ctx context.Context) (map[string]time.Time, error) {
	seen := map[string]time.Time{}
	var low int64 // everything up to here was seen
	if err := b.db.QueryRowContext(ctx, `SELECT coalesce(max(num), 0) FROM payments`).Scan(&low); err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		last := ctx.Err() != nil // one more look: the last capture may have come since
		var err error
		if low, err = b.look(low, seen); err != nil || last {
			return seen, err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// look notes what is confirmed among the payments after low, and returns the number up to
// which all are.
func (b books) look(low int64, seen map[string]time.Time) (int64, error) {
	rows, err := b.db.Query(`SELECT num, platform_id, state = 'confirmed' FROM payments WHERE num > $1 ORDER BY num`, low) //nolint:noctx // short
	if err != nil {
		return low, err
	}
	defer func() { _ = rows.Close() }()
	now, gap := time.Now(), false
	for rows.Next() {
		var (
			num  int64
			id   string
			done bool
		)
		if err := rows.Scan(&num, &id, &done); err != nil {
			return low, err
		}
		if _, known := seen[id]; done && !known {
			seen[id] = now
		}
		gap = gap || !done
		if !gap {
			low = num
		}
	}
	return low, rows.Err()
}

// limits measures what the database gives at best for the row that accepting writes: one
// commit for groups of 32, and one commit each. Both per second.
func (b books) limits(ctx context.Context, lasting time.Duration) (grouped, single float64, err error) {
	if err := b.makeBare(ctx); err != nil {
		return 0, 0, err
	}
	c, err := b.db.Conn(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = c.Close() }()
	insert, err := c.PrepareContext(ctx, `INSERT INTO bare (platform, platform_id, kind, user_hash, amount, state, version,
		attempt, owner, next_at, reason, received_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = insert.Close() }()
	n := 0
	rate := func(group int) (float64, error) {
		began, first := time.Now(), n
		for time.Since(began) < lasting {
			tx, err := c.BeginTx(ctx, nil)
			if err != nil {
				return 0, err
			}
			for range group {
				n++
				now := time.Now().UnixMicro()
				// The id is spread as a random one is.
				id := fmt.Sprintf("%016x%016x", uint64(n)*0x9e3779b97f4a7c15, n) //nolint:gosec // a counter
				if _, err := tx.StmtContext(ctx, insert).ExecContext(ctx, "integra", id, "topup", "0123456789abcdef0123456789abcdef",
					100, "received", 1, 0, 1, now, "", now, now); err != nil {
					return 0, err
				}
			}
			if err := tx.Commit(); err != nil {
				return 0, err
			}
		}
		return float64(n-first) / time.Since(began).Seconds(), nil
	}
	if grouped, err = rate(32); err != nil {
		return 0, 0, err
	}
	single, err = rate(1)
	return grouped, single, err
}

// makeBare makes the table of the bare inserts: the columns and the unique key of payments.
func (b books) makeBare(ctx context.Context) error {
	num := "num INTEGER PRIMARY KEY"
	if b.postgres {
		num = "num bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
	}
	for _, sql := range []string{
		`CREATE TABLE bare (` + num + `, platform text NOT NULL, platform_id text NOT NULL, kind text NOT NULL, user_hash text NOT NULL,
			amount bigint NOT NULL, refund_of bigint, state text NOT NULL, version bigint NOT NULL, attempt bigint NOT NULL,
			owner bigint NOT NULL, next_at bigint, reason text NOT NULL, received_at bigint NOT NULL, updated_at bigint NOT NULL)`,
		`CREATE UNIQUE INDEX bare_key ON bare (platform_id, platform)`,
	} {
		if _, err := b.db.ExecContext(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
