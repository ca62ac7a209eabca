package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/partnerkit/partnerkit/adapter"
)

// Funds is who keeps the users' money.
type Funds string

// Who can keep it.
const (
	Ledger  Funds = "ledger"  // the ledger in this database
	Billing Funds = "billing" // the partner's own billing
)

// ErrFunds says that the payments under way have their funds elsewhere than the config says.
var ErrFunds = errors.New("funds are kept elsewhere")

// Funds is who keeps the money of the payments in these books.
func (s *Store) Funds(ctx context.Context) (Funds, error) {
	var funds string
	err := one(ctx, s.db, `SELECT funds FROM book`, nil, &funds)
	return Funds(funds), err
}

// keepFunds makes the books agree with the config. Only a process that serves alone changes
// them, and only when no payment is under way: it would be captured where it is not reserved.
func (s *Store) keepFunds(ctx context.Context) error {
	want := s.cfg.Funds
	now, err := s.Funds(ctx)
	if err != nil || want == "" || want == now {
		return err
	}
	if want != Ledger && want != Billing {
		return fmt.Errorf("%w: funds %q", adapter.ErrInvalid, want)
	}
	if !s.cfg.Serve {
		return fmt.Errorf("%w: the service keeps them in the %s, not in the %s", ErrFunds, now, want)
	}
	if _, err := s.db.sweep(ctx, s.cfg.Now()); err != nil {
		return err
	}
	alone, err := s.db.alone(ctx)
	if err != nil {
		return err
	}
	if !alone {
		return fmt.Errorf("%w: another process keeps them in the %s, not in the %s", ErrFunds, now, want)
	}
	return s.db.write(ctx, func(t tx) error {
		var open int64
		t.add(&stmt{
			sql: `SELECT (SELECT count(*) FROM payments WHERE next_at > 0) + (SELECT count(*) FROM payments WHERE aside = 'in_doubt')`,
			row: func(scan scanner) error { return scan(&open) },
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		if open > 0 {
			return fmt.Errorf("%w: %d payments are under way with the %s; let it finish them before the %s takes over", ErrFunds, open, now, want)
		}
		t.add(&stmt{sql: `UPDATE book SET funds = $1`, args: []any{string(want)}})
		return nil
	})
}
