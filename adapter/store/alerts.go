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
