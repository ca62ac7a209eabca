package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

// Alert puts a into the outbox, due at once, the first time that its cause is raised, or, with
// a.Over, when a cause that was raised is over. Otherwise first is false and nothing is written.
func (s *Store) Alert(ctx context.Context, a adapter.Alert) (first bool, err error) {
	known := false
	err = s.db.read(ctx, &stmt{
		sql: `SELECT 1 FROM alert_causes WHERE cause = $1`, args: []any{a.Cause},
		row: func(scan scanner) error {
			var n int64
			known = true
			return scan(&n)
		},
	})
	if err != nil || known != a.Over { // this is asked every few seconds: do not write for nothing
		return false, wrapAlert(a.Cause, err)
	}
	err = s.db.write(ctx, func(t tx) error {
		first = false
		change := &stmt{
			sql: `INSERT INTO alert_causes (cause, since) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1`, args: []any{a.Cause, a.At.UnixMicro()},
		}
		if a.Over {
			change = &stmt{sql: `DELETE FROM alert_causes WHERE cause = $1 RETURNING 1`, args: []any{a.Cause}}
		}
		change.row = func(scan scanner) error {
			var n int64
			first = true
			return scan(&n)
		}
		t.add(change)
		if err := t.flush(ctx); err != nil || !first {
			return err
		}
		over := int64(0)
		if a.Over {
			over = 1
		}
		t.add(&stmt{
			sql:  `INSERT INTO alerts (id, cause, is_over, text, at, attempt, next_at, problem) VALUES ($1, $2, $3, $4, $5, 0, $5, '')`,
			args: []any{a.ID, text(a.Cause), over, text(a.Text), a.At.UnixMicro()},
		})
		return nil
	})
	return first && err == nil, wrapAlert(a.Cause, err)
}

func wrapAlert(cause string, err error) error {
	if err != nil {
		return fmt.Errorf("alert %s: %w", cause, err)
	}
	return nil
}

const alertColumns = `num, id, cause, is_over, text, at, attempt, coalesce(next_at, 0), coalesce(delivered_at, 0), problem`

func scanAlert(scan scanner) (a adapter.Alert, err error) {
	var over, at, attempt, next, delivered int64
	err = scan(&a.Num, &a.ID, &a.Cause, &over, &a.Text, &at, &attempt, &next, &delivered, &a.Problem)
	a.Over, a.Attempt = over == 1, int(attempt)
	a.At, a.NextAt, a.DeliveredAt = instant(at), instant(next), instant(delivered)
	return a, err
}

// DueAlerts takes up to n alerts that are due, the oldest first, counts the attempt and puts
// the next one off: should the process die, somebody else makes it then.
func (s *Store) DueAlerts(ctx context.Context, n int, next time.Time) ([]adapter.Alert, error) {
	now := s.cfg.Now().UnixMicro()
	due := false
	err := s.db.read(ctx, &stmt{
		sql: `SELECT 1 FROM alerts WHERE next_at <= $1 LIMIT 1`, args: []any{now},
		row: func(scan scanner) error {
			var one int64
			due = true
			return scan(&one)
		},
	})
	if err != nil || !due {
		return nil, err
	}
	var list []adapter.Alert
	err = s.db.write(ctx, func(t tx) error {
		list = list[:0]
		t.add(&stmt{
			sql: `UPDATE alerts SET attempt = attempt + 1, next_at = $2 WHERE num IN (
				SELECT num FROM alerts WHERE next_at <= $1 ORDER BY next_at, num LIMIT $3` + s.db.dialect().lockFree + `) RETURNING ` + alertColumns,
			args: []any{now, next.UnixMicro(), int64(n)},
			row: func(scan scanner) error {
				a, err := scanAlert(scan)
				list = append(list, a)
				return err
			},
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take due alerts: %w", err)
	}
	return list, nil
}

// AlertTried writes what became of an attempt: a's NextAt, DeliveredAt and Problem.
func (s *Store) AlertTried(ctx context.Context, a adapter.Alert) error {
	err := s.db.write(ctx, func(t tx) error {
		t.add(&stmt{
			sql:  `UPDATE alerts SET next_at = $2, delivered_at = $3, problem = $4 WHERE num = $1 AND delivered_at IS NULL`,
			args: []any{a.Num, micros(a.NextAt), micros(a.DeliveredAt), text(a.Problem)},
		})
		return nil
	})
	return wrapAlert(a.Cause, err)
}

// Alerts lists the outbox, newest first. before is a cursor, 0 begins with the newest; 50 if
// limit is 0.
func (s *Store) Alerts(ctx context.Context, before int64, limit int) (list []adapter.Alert, err error) {
	err = s.db.read(ctx, &stmt{
		sql:  `SELECT ` + alertColumns + ` FROM alerts WHERE num < $1 OR $1 = 0 ORDER BY num DESC LIMIT $2`,
		args: []any{before, int64(cmp.Or(limit, 50))},
		row: func(scan scanner) error {
			a, err := scanAlert(scan)
			list = append(list, a)
			return err
		},
	})
	return list, err
}

// recentPayments is among how many of the newest payments Refusals looks.
const recentPayments = 1000

// Refusals returns the newest of the platform's refusals since it last confirmed a payment, the
// newest first, up to n. It looks at the histories of the newest payments alone, which takes some
// milliseconds.
func (s *Store) Refusals(ctx context.Context, n int) (list []adapter.Event, err error) {
	err = s.db.read(ctx, &stmt{
		sql: `WITH recent AS (SELECT * FROM events WHERE payment > (SELECT coalesce(max(num), 0) FROM payments) - $1)
			SELECT ` + eventColumns + ` FROM recent WHERE kind IN ('refused', 'in_doubt')
			AND at > (SELECT coalesce(max(at), 0) FROM recent WHERE kind = 'confirmed' AND verdict = 'accepted')
			ORDER BY at DESC, payment DESC LIMIT $2`,
		args: []any{int64(recentPayments), int64(n)},
		row: func(scan scanner) error {
			e, err := scanEvent(scan)
			list = append(list, e)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("look for refusals: %w", err)
	}
	return list, nil
}

// Differing returns the days that were compared with the platform's books since a time and
// differ.
func (s *Store) Differing(ctx context.Context, since time.Time) (days []adapter.DayDiffers, err error) {
	err = s.db.read(ctx, &stmt{
		sql:  `SELECT date, count(*), min(user_hash) FROM reconciliations WHERE result = 'differs' AND at >= $1 GROUP BY date ORDER BY date`,
		args: []any{since.UnixMicro()},
		row: func(scan scanner) error {
			var d adapter.DayDiffers
			err := scan(&d.Day, &d.Users, &d.First)
			days = append(days, d)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("look for differences: %w", err)
	}
	return days, nil
}

// Agreed returns the days for which a difference is raised and none is known any more.
func (s *Store) Agreed(ctx context.Context) (days []string, err error) {
	err = s.db.read(ctx, &stmt{
		sql: `SELECT substr(cause, length($1) + 1) FROM alert_causes WHERE substr(cause, 1, length($1)) = $1
			AND NOT EXISTS (SELECT 1 FROM reconciliations WHERE result <> 'agrees' AND date = substr(cause, length($1) + 1))`,
		args: []any{adapter.CauseDifference + " "},
		row: func(scan scanner) error {
			var day string
			err := scan(&day)
			days = append(days, day)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("look for differences that are over: %w", err)
	}
	return days, nil
}
