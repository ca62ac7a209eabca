package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// maxInDoubt bounds a list of payments in doubt; so many are no case for a program any more.
const maxInDoubt = 1000

// InDoubt lists the payments in doubt, the newest first.
func (s *Store) InDoubt(ctx context.Context) ([]adapter.Payment, error) {
	return s.Payments(ctx, adapter.PaymentFilter{States: []adapter.State{adapter.InDoubt}, Limit: maxInDoubt})
}

// UserPayments lists all of a user's payments that were received before to and are unfinished
// or changed at or after from: those that can have been carried out between the two.
func (s *Store) UserPayments(ctx context.Context, user string, from, to time.Time) ([]adapter.Payment, error) {
	var list []adapter.Payment
	err := s.db.read(ctx, &stmt{
		sql:  `SELECT ` + paymentColumns + ` FROM payments WHERE user_hash = $1 AND received_at < $2 AND (updated_at >= $3 OR next_at > 0) ORDER BY num`,
		args: []any{user, to.UnixMicro(), from.UnixMicro()},
		row:  s.scanInto(func(p adapter.Payment) { list = append(list, p) }),
	})
	if err != nil {
		return nil, fmt.Errorf("payments of user %q: %w", user, err)
	}
	return list, nil
}

// Exclusive runs do unless another process, or another call of this one, runs something under
// the same name; ran is false then. When this process dies, others may.
func (s *Store) Exclusive(ctx context.Context, name string, do func(context.Context) error) (ran bool, err error) {
	if _, busy := s.exclusive.LoadOrStore(name, struct{}{}); busy {
		return false, nil
	}
	defer s.exclusive.Delete(name)
	return s.db.exclusive(ctx, name, do)
}

// lookBack is how long before a moment a payment may have been received that is carried out
// then: the platform expires its own after a day.
const lookBack = 3 * 24 * time.Hour

// ActiveUsers lists, sorted, the users with payments that can have been carried out between two
// moments: received in the time from lookBack before, or unfinished, or in doubt. Numbers grow
// with time, so the first and last are found by halving.
func (s *Store) ActiveUsers(ctx context.Context, from, to time.Time) ([]string, error) {
	first, err := s.firstSince(ctx, from.Add(-lookBack))
	if err != nil {
		return nil, err
	}
	last, err := s.firstSince(ctx, to)
	if err != nil {
		return nil, err
	}
	var users []string
	err = s.db.read(ctx, &stmt{
		sql: `SELECT user_hash FROM payments WHERE num >= $1 AND num < $2 AND received_at < $3 AND (updated_at >= $4 OR next_at > 0)
			UNION ALL SELECT user_hash FROM payments WHERE next_at > 0 AND received_at < $3
			UNION ALL SELECT user_hash FROM payments WHERE aside = 'in_doubt' AND received_at < $3 AND updated_at >= $4`,
		args: []any{first, last, to.UnixMicro(), from.UnixMicro()},
		row: func(scan scanner) error {
			var user string
			err := scan(&user)
			users = append(users, user)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("users with payments from %s to %s: %w", from, to, err)
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}

// margin is how much a number may be out of step with the time of its payment's receipt.
const margin = time.Hour

// firstSince returns a number such that the payments received since t have it or a greater
// one, and few others do.
func (s *Store) firstSince(ctx context.Context, t time.Time) (int64, error) {
	var end int64
	if err := one(ctx, s.db, `SELECT coalesce(max(num), 0) + 1 FROM payments`, nil, &end); err != nil {
		return 0, err
	}
	begin := int64(1)
	for begin < end {
		middle := begin + (end-begin)/2
		var num, at int64
		err := one(ctx, s.db, `SELECT num, received_at FROM payments WHERE num >= $1 ORDER BY num LIMIT 1`, []any{middle}, &num, &at)
		switch {
		case err != nil:
			return 0, err
		case instant(at).Before(t.Add(-margin)):
			begin = num + 1
		default:
			end = middle
		}
	}
	return begin, nil
}

const reconciliationColumns = `date, user_hash, result, at, credits, refunds, open, income, outcome, difference, detail, payments`

// SaveReconciliation keeps a comparison in the place of an older one of the same user and date.
func (s *Store) SaveReconciliation(ctx context.Context, r adapter.Reconciliation) error {
	nums := make([]string, len(r.Payments))
	for i, n := range r.Payments {
		nums[i] = strconv.FormatInt(n, 10)
	}
	err := s.db.write(ctx, func(t tx) error {
		t.add(&stmt{
			sql: `INSERT INTO reconciliations (` + reconciliationColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
				ON CONFLICT (date, user_hash) DO UPDATE SET result = excluded.result, at = excluded.at, credits = excluded.credits,
				refunds = excluded.refunds, open = excluded.open, income = excluded.income, outcome = excluded.outcome,
				difference = excluded.difference, detail = excluded.detail, payments = excluded.payments`,
			args: []any{
				r.Date.Format(time.DateOnly), r.User, string(r.Result), r.At.UnixMicro(), r.Credits.Minor(), r.Refunds.Minor(), int64(r.Open),
				r.Income.Minor(), r.Outcome.Minor(), r.Difference.Minor(), text(r.Text), strings.Join(nums, " "),
			},
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("save reconciliation of %s on %s: %w", r.User, r.Date.Format(time.DateOnly), err)
	}
	return nil
}

// Reconciliations lists comparisons, the newest dates first and users in their order.
func (s *Store) Reconciliations(ctx context.Context, f adapter.ReconciliationFilter) ([]adapter.Reconciliation, error) {
	var (
		where = []string{"1 = 1"}
		args  []any
	)
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if !f.From.IsZero() {
		where = append(where, "date >= "+arg(f.From.Format(time.DateOnly)))
	}
	if !f.To.IsZero() {
		where = append(where, "date <= "+arg(f.To.Format(time.DateOnly)))
	}
	if f.User != "" {
		where = append(where, "user_hash = "+arg(f.User))
	}
	if f.Result != "" {
		where = append(where, oneOf("result", []adapter.ReconcileResult{f.Result}, adapter.ReconcileResults))
	}
	if f.After != "" {
		d := arg(f.Date.Format(time.DateOnly))
		where = append(where, fmt.Sprintf("(date < %s OR date = %s AND user_hash > %s)", d, d, arg(f.After)))
	}
	var list []adapter.Reconciliation
	err := s.db.read(ctx, &stmt{
		sql: `SELECT ` + reconciliationColumns + ` FROM reconciliations WHERE ` + strings.Join(where, " AND ") +
			` ORDER BY date DESC, user_hash LIMIT ` + arg(int64(cmp.Or(f.Limit, 50))),
		args: args,
		row: func(scan scanner) error {
			r, err := s.scanReconciliation(scan)
			list = append(list, r)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("list reconciliations: %w", err)
	}
	return list, nil
}

func (s *Store) scanReconciliation(scan scanner) (r adapter.Reconciliation, err error) {
	var (
		date, result, nums                                      string
		at, credits, refunds, open, income, outcome, difference int64
	)
	if err := scan(&date, &r.User, &result, &at, &credits, &refunds, &open, &income, &outcome, &difference, &r.Text, &nums); err != nil {
		return r, err
	}
	for _, n := range strings.Fields(nums) {
		num, err := strconv.ParseInt(n, 10, 64)
		if err != nil {
			return r, err
		}
		r.Payments = append(r.Payments, num)
	}
	r.Result, r.At, r.Open = adapter.ReconcileResult(result), instant(at), int(open)
	amount := func(minor int64) money.Amount { return money.New(minor, s.cfg.Currency) }
	r.Credits, r.Refunds, r.Income, r.Outcome, r.Difference = amount(credits), amount(refunds), amount(income), amount(outcome), amount(difference)
	r.Date, err = time.Parse(time.DateOnly, date)
	return r, err
}

// SaveReconcileRun keeps a run in the place of an older one of the same date.
func (s *Store) SaveReconcileRun(ctx context.Context, r adapter.ReconcileRun) error {
	err := s.db.write(ctx, func(t tx) error {
		t.add(&stmt{
			sql: `INSERT INTO reconcile_runs (date, at, users, agree, differ, unread) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (date) DO UPDATE SET at = excluded.at, users = excluded.users, agree = excluded.agree, differ = excluded.differ, unread = excluded.unread`,
			args: []any{r.Date.Format(time.DateOnly), r.At.UnixMicro(), int64(r.Users), int64(r.Agree), int64(r.Differ), int64(r.Unread)},
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("save run of %s: %w", r.Date.Format(time.DateOnly), err)
	}
	return nil
}

// ReconcileRuns lists runs, the newest dates first.
func (s *Store) ReconcileRuns(ctx context.Context, f adapter.ReconcileRunFilter) ([]adapter.ReconcileRun, error) {
	to := "9999-12-31"
	if !f.To.IsZero() {
		to = f.To.Format(time.DateOnly)
	}
	var list []adapter.ReconcileRun
	err := s.db.read(ctx, &stmt{
		sql:  `SELECT date, at, users, agree, differ, unread FROM reconcile_runs WHERE date >= $1 AND date <= $2 ORDER BY date DESC LIMIT $3`,
		args: []any{f.From.Format(time.DateOnly), to, int64(cmp.Or(f.Limit, 50))},
		row: func(scan scanner) error {
			var (
				date                             string
				at, users, agree, differ, unread int64
			)
			if err := scan(&date, &at, &users, &agree, &differ, &unread); err != nil {
				return err
			}
			on, err := time.Parse(time.DateOnly, date)
			list = append(list, adapter.ReconcileRun{Date: on, At: instant(at), Users: int(users), Agree: int(agree), Differ: int(differ), Unread: int(unread)})
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("list runs of the reconciliation: %w", err)
	}
	return list, nil
}
