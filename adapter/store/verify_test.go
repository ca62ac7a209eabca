package store_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
)

// withDB opens the database behind the store's back.
func withDB(database string, do func(*sql.DB) error) error {
	driver, name := "pgx", database
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, name = "sqlite", file
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

func execSQL(ctx context.Context, database, query string) error {
	return withDB(database, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, query)
		return err
	})
}

// Somebody changes the books by hand; Verify says what is wrong, and where.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	// The books hold payment 1, confirmed, 2, reserved, 3, declined for lack of funds, and 4, received.
	for name, test := range map[string]struct {
		sql  string
		want []string
	}{
		"nothing": {},
		"a richer user": {
			`UPDATE balances SET available = available + 1`,
			[]string{"balance is 80.01 RUB available and 10.00 RUB reserved, the transfers give 80.00 RUB and 10.00 RUB"},
		},
		"a shorter chain": {
			`UPDATE balances SET last = 2`,
			[]string{"newest transfer is said to be 2, it is 4"},
		},
		"a lost balance": {
			`DELETE FROM balances`,
			[]string{"has transfers but no balance"},
		},
		"a confirmed payment that paid nothing": {
			`UPDATE payments SET state = 'confirmed', next_at = NULL WHERE num = 4`,
			[]string{
				"payment 4: a topup that is confirmed has made the moves [], expected are [[reserve capture]]",
				"payment 4: it is confirmed at version 0, its history ends with received at version 0",
			},
		},
		"a reservation that is forgotten": {
			`UPDATE payments SET state = 'received', version = 0 WHERE num = 2`,
			[]string{
				"payment 2: a topup that is received has made the moves [reserve], expected are [[]]",
				"payment 2: it is received at version 0, its history ends with reserved at version 1",
			},
		},
		"money from nowhere": {
			`INSERT INTO transfers (num, user_hash, move, debit, credit, amount, available, reserved, prev, at, key)
				SELECT 99, hash, 'deposit', 'external', 'user:available', 500, 8500, 1000, 4, 0, 'x' FROM users`,
			[]string{
				"balance is 80.00 RUB available and 10.00 RUB reserved, the transfers give 85.00 RUB and 10.00 RUB",
				"newest transfer is said to be 4, it is 99",
			},
		},
		"a transfer out of line": {
			`INSERT INTO transfers (num, user_hash, payment, move, debit, credit, amount, available, reserved, prev, at)
				SELECT 99, hash, 4, 'release', 'user:reserved', 'user:available', 2000, 1, 2, 3, 0 FROM users`,
			[]string{
				"payment 4: transfer 99 follows transfer 3, but the one before it is 4",
				"payment 4: transfer 99 (release of 20.00 RUB) is not possible: ledger: 20.00 RUB is taken from a reservation that is not there",
				"payment 4: transfer 99 leaves 0.01 RUB available and 0.02 RUB reserved, recomputed are 80.00 RUB and 10.00 RUB",
				"payment 4: a topup that is received has made the moves [release], expected are [[]]",
				"payment 4: its release moves 20.00 RUB",
				"newest transfer is said to be 4, it is 99",
			},
		},
		"a move with other accounts": {
			`INSERT INTO transfers (num, user_hash, move, debit, credit, amount, available, reserved, prev, at, key)
				SELECT 99, hash, 'withdraw', 'user:available', 'platform:integra', 100, 7900, 1000, 4, 0, 'x' FROM users`,
			[]string{
				"transfer 99: a withdraw from user:available to platform:integra is no move of the ledger",
				"the transfers give 79.00 RUB and 10.00 RUB", "newest transfer is said to be 4",
			},
		},
		"orphans": {
			`INSERT INTO transfers (num, user_hash, payment, move, debit, credit, amount, available, reserved, prev, at)
				SELECT 99, hash, 77, 'reserve', 'user:available', 'user:reserved', 1000, 7000, 2000, 4, 0 FROM users;
			INSERT INTO events VALUES (78, 1, 0, 0, 'reserved', 'received', 'reserved', 1, '', 0, '', 0)`,
			[]string{
				"payment 77: a transfer of a payment that does not exist", "payment 78: an event of a payment that does not exist",
				"the transfers give 70.00 RUB and 20.00 RUB", "newest transfer is said to be 4",
			},
		},
		"a gap in a history": {
			`INSERT INTO events VALUES (2, 2, 0, 0, 'in_doubt', 'confirming', 'in_doubt', 1, '', 0, '', 0)`,
			[]string{
				"payment 2: version 2 leads from confirming, but version 1 left it reserved",
				"payment 2: it is reserved at version 1, its history ends with in_doubt at version 2",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			adaptertest.EachDatabase(t, func(t *testing.T, database string) {
				s := adaptertest.Open(t, database, nil)
				user := adaptertest.AddUser(t, s, 1, 100_00)
				fill(t, s, user)
				if test.sql != "" {
					if err := execSQL(t.Context(), database, test.sql); err != nil {
						t.Fatal(err)
					}
				}
				r, err := s.Verify(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r.Clean() != (len(test.want) == 0) || r.Payments != 4 {
					t.Errorf("clean %v, %d payments", r.Clean(), r.Payments)
				}
				rest := r.Differences
				for _, want := range test.want {
					n := len(rest)
					for i, d := range rest {
						if strings.Contains(d.String(), want) {
							rest = append(rest[:i:i], rest[i+1:]...)
							break
						}
					}
					if len(rest) == n {
						t.Errorf("not found: %s", want)
					}
				}
				for _, d := range rest {
					t.Errorf("unexpected: %s", d)
				}
			})
		})
	}
}

func fill(t *testing.T, s *store.Store, user string) {
	t.Helper()
	now := time.Now()
	for num, kopecks := range []int64{10_00, 10_00, 1000_00, 10_00} {
		p := adaptertest.TopUp(t, user, kopecks, now)
		p.Owner, p.NextAt = s.Owner(), now.Add(time.Hour)
		p, _, err := s.Accept(t.Context(), p)
		for left := 2 - num; err == nil && left >= 0 && !p.State.Final(); left-- {
			var step adapter.Step
			if p.State == adapter.Received {
				step, err = p.Decide(adaptertest.Policy, now)
			} else {
				step, err = p.Answered(adapter.Outcome{Verdict: adapter.Accepted}, adaptertest.Policy, now)
			}
			if err == nil && (num != 1 || step.Event.To == adapter.Reserved) {
				p, err = s.Apply(t.Context(), step)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What the database itself refuses, whatever the program believes.
func TestDatabaseRefuses(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		s := adaptertest.Open(t, database, nil)
		fill(t, s, adaptertest.AddUser(t, s, 1, 100_00))
		for name, query := range map[string]string{
			"a debt":               `UPDATE balances SET available = -1`,
			"less than reserved":   `UPDATE balances SET reserved = -1`,
			"another history":      `UPDATE events SET detail = 'all well'`,
			"no history":           `DELETE FROM events`,
			"another transfer":     `UPDATE transfers SET amount = 1`,
			"fewer transfers":      `DELETE FROM transfers`,
			"a second capture":     `INSERT INTO transfers (num, user_hash, payment, move, debit, credit, amount, available, reserved, prev, at) VALUES (99, 'u', 1, 'capture', 'user:reserved', 'platform:integra', 1, 1, 1, 1, 1)`,
			"a transfer to itself": `INSERT INTO transfers (num, user_hash, move, debit, credit, amount, available, reserved, prev, at) VALUES (99, 'u', 'deposit', 'external', 'external', 1, 1, 1, 1, 1)`,
			"another sum":          `UPDATE payments SET amount = 1`,
			"another user":         `UPDATE payments SET user_hash = 'u'`,
			"no payment":           `DELETE FROM payments`,
			"a state of its own":   `UPDATE payments SET state = 'lost'`,
			"an end that is due":   `UPDATE payments SET state = 'confirmed', next_at = 1`,
			"the same key again":   `INSERT INTO payments (platform, platform_id, kind, user_hash, amount, state, version, attempt, owner, next_at, reason, received_at, updated_at) SELECT platform, platform_id, kind, user_hash, 1, 'received', 0, 0, 0, 1, '', 1, 1 FROM payments`,
		} {
			if err := execSQL(t.Context(), database, query); err == nil {
				t.Errorf("%s was written: %s", name, query)
			}
		}
		clean(t, s)
	})
}

// The view that shows each transfer as two signed entries gives every account its balance.
func TestLedgerEntries(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		s := adaptertest.Open(t, database, nil)
		user := adaptertest.AddUser(t, s, 1, 100_00)
		fill(t, s, user)
		for account, want := range map[string]int64{
			"external": -100_00, "platform:integra": 10_00, "user:" + user + ":available": 80_00, "user:" + user + ":reserved": 10_00,
		} {
			const query = `SELECT CAST(sum(amount) AS BIGINT) FROM ledger_entries WHERE account = $1`
			var got int64
			err := withDB(database, func(db *sql.DB) error { return db.QueryRowContext(t.Context(), query, account).Scan(&got) })
			if err != nil || got != want {
				t.Errorf("account %s holds %d, %v; want %d", account, got, err, want)
			}
		}
	})
}
