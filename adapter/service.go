package adapter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
)

// PaymentStore is what the service needs of the store.
type PaymentStore interface {
	// Accept stores p the first time its key is seen. For a repeat, first is false and err
	// nil; a known key with other content is ErrConflict.
	Accept(ctx context.Context, p Payment) (stored Payment, first bool, err error)
	// Apply writes a step and returns the payment after it; ErrLost if the payment was changed
	// since it was read.
	Apply(ctx context.Context, s Step) (Payment, error)
	// Owner is the identity under which this process leases payments.
	Owner() int64
}

// Workers is what the service needs of the pool that works on payments.
type Workers interface {
	// Admit waits a moment for a free place and reports whether one was taken.
	Admit(ctx context.Context) bool
	// Submit starts work on a payment that holds the place taken by Admit.
	Submit(p Payment)
	// Return gives the place back unused.
	Return()
	// Kick says that a free payment is due.
	Kick()
}

// Service accepts payments and hands them to the workers. It is safe for concurrent use.
type Service struct {
	store   PaymentStore
	workers Workers
	policy  Policy
	now     func() time.Time
}

// NewService returns a service over the store and the workers.
func NewService(store PaymentStore, workers Workers, policy Policy, now func() time.Time) *Service {
	return &Service{store: store, workers: workers, policy: policy, now: now}
}

// Accept stores p and starts the work on it; nil says that the row is durable. first is
// false for a repeat, which changes nothing. The caller may hang up meanwhile: what was
// begun is stored and worked on all the same.
func (s *Service) Accept(ctx context.Context, p Payment) (stored Payment, first bool, err error) {
	ctx = context.WithoutCancel(ctx)
	held := s.workers.Admit(ctx)
	if held { // born leased: no claim is needed to find the row again
		p.Owner = s.store.Owner()
		p.NextAt = s.now().UTC().Truncate(time.Microsecond).Add(s.policy.Lease)
	}
	stored, first, err = s.store.Accept(ctx, p)
	switch {
	case held && first && err == nil:
		s.workers.Submit(stored)
	case held:
		s.workers.Return()
	case first && err == nil:
		s.workers.Kick()
	}
	return stored, first, err
}

// Pay accepts a direct payment of the user: doPayment at the platform, then capture. The
// idempotency key is the caller's name for the payment: the same key is the same payment,
// and with other content ErrConflict.
func (s *Service) Pay(ctx context.Context, user string, amount money.Amount, idempotencyKey string) (Payment, error) {
	p, err := NewDirect(user, amount, idempotencyKey, s.now())
	if err != nil {
		return Payment{}, err
	}
	stored, _, err := s.Accept(ctx, p)
	return stored, err
}

// Refund accepts a refund of original, of the whole sum or a part of it. The store refuses
// one of a payment that is not captured, or of more than is left of it (ErrInvalid).
func (s *Service) Refund(ctx context.Context, original Payment, amount money.Amount, idempotencyKey string) (Payment, error) {
	p, err := NewRefund(original, amount, idempotencyKey, s.now())
	if err != nil {
		return Payment{}, err
	}
	stored, _, err := s.Accept(ctx, p)
	return stored, err
}

// NewDirect returns a direct payment in Received, named by the caller's idempotency key.
func NewDirect(user string, amount money.Amount, idempotencyKey string, at time.Time) (Payment, error) {
	if idempotencyKey == "" {
		return Payment{}, fmt.Errorf("%w: idempotency key is empty", ErrInvalid)
	}
	return NewPayment(Key{PlatformIntegra, PaymentHash(Direct, user, idempotencyKey)}, Direct, user, amount, at)
}

// NewRefund returns a refund in Received, named by the caller's idempotency key.
func NewRefund(original Payment, amount money.Amount, idempotencyKey string, at time.Time) (Payment, error) {
	switch {
	case idempotencyKey == "":
		return Payment{}, fmt.Errorf("%w: idempotency key is empty", ErrInvalid)
	case original.Num == 0:
		return Payment{}, fmt.Errorf("%w: refund of a payment that is not stored", ErrInvalid)
	}
	p, err := NewPayment(Key{PlatformIntegra, PaymentHash(Refund, original.User, idempotencyKey)}, Refund, original.User, amount, at)
	if err != nil {
		return Payment{}, err
	}
	p.RefundOf = original.Num
	return p, nil
}

// PaymentHash derives the 32-character id that a payment of ours bears at the platform
// (doPayment's paymentHash) from the caller's idempotency key, so that a repeat is the same
// payment there as well. Kind and user are part of it: keys need be unique only among them.
func PaymentHash(kind Kind, user, idempotencyKey string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + user + "\x00" + idempotencyKey))
	return hex.EncodeToString(sum[:16])
}
