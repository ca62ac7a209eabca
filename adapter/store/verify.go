package store

import (
	"context"
	"fmt"
	"math"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
)

// Verify recomputes every balance from the transfers and checks every payment and payin against its
// transfers and its history, all in one snapshot beside the running work. It reads
// everything once; an error says that it could not, differences are in the report.
func (s *Store) Verify(ctx context.Context) (ledger.Report, error) {
	audit := ledger.NewAudit(s.cfg.Currency)
	err := s.db.snapshot(ctx, func(t tx) error {
		if err := s.auditUsers(ctx, t, audit); err != nil {
			return err
		}
		if err := s.auditPayments(ctx, t, audit); err != nil {
			return err
		}
		return s.auditPayins(ctx, t, audit)
	})
	if err != nil {
		return ledger.Report{}, fmt.Errorf("verify the books: %w", err)
	}
	return audit.Report(), nil
}

func (s *Store) auditUsers(ctx context.Context, t tx, audit *ledger.Audit) error {
	t.add(&stmt{
		sql: `SELECT ` + transferColumns + ` FROM transfers ORDER BY num`,
		row: func(scan scanner) error {
			x, err := s.scanTransfer(scan)
			audit.Transfer(x)
			return err
		},
	}, &stmt{
		sql: `SELECT user_hash, available, reserved, last FROM balances`,
		row: func(scan scanner) error {
			var (
				user                      string
				available, reserved, last int64
			)
			err := scan(&user, &available, &reserved, &last)
			audit.Balance(user, s.balance(available, reserved), last)
			return err
		},
	})
	return t.flush(ctx)
}

// auditPayments goes through the payments a few thousand at a time, with what belongs to
// them, so that memory does not grow with the books.
func (s *Store) auditPayments(ctx context.Context, t tx, audit *ledger.Audit) error {
	const chunk = 4096
	for last := int64(0); last < math.MaxInt64; {
		var payments []adapter.Payment
		t.add(&stmt{
			sql:  `SELECT ` + paymentColumns + ` FROM payments WHERE num > $1 ORDER BY num LIMIT $2`,
			args: []any{last, int64(chunk)}, row: s.scanInto(func(p adapter.Payment) { payments = append(payments, p) }),
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		to := int64(math.MaxInt64)
		if len(payments) == chunk {
			to = payments[chunk-1].Num
		}
		moves := make(map[int64][]ledger.Transfer, len(payments))
		history := make(map[int64][]adapter.Event, len(payments))
		t.add(&stmt{
			sql:  `SELECT ` + transferColumns + ` FROM transfers WHERE payment > $1 AND payment <= $2 ORDER BY payment, num`,
			args: []any{last, to}, row: func(scan scanner) error {
				x, err := s.scanTransfer(scan)
				moves[x.Payment] = append(moves[x.Payment], x)
				return err
			},
		}, &stmt{
			sql:  `SELECT ` + eventColumns + ` FROM events WHERE payment > $1 AND payment <= $2 AND (n = 0 OR kind = 'archived') ORDER BY payment, version, n`,
			args: []any{last, to}, row: func(scan scanner) error {
				e, err := scanEvent(scan)
				history[e.Payment] = append(history[e.Payment], e)
				return err
			},
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		for _, p := range payments {
			audit.Payment(p, moves[p.Num], history[p.Num])
			delete(moves, p.Num)
			delete(history, p.Num)
		}
		for num := range moves {
			audit.Orphan(num, "a transfer")
		}
		for num := range history {
			audit.Orphan(num, "an event")
		}
		last = to
	}
	return nil
}
