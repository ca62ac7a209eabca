package store

import (
	"context"
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
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
