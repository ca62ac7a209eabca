package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSQLite(t *testing.T)   { adaptertest.StoreSuite(t, adaptertest.SQLite) }
func TestPostgres(t *testing.T) { adaptertest.StoreSuite(t, adaptertest.Postgres) }

// run runs s until the test ends.
func run(t testing.TB, s *store.Store) {
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func clean(t *testing.T, s *store.Store) {
	t.Helper()
	r, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Differences {
		t.Error("verify:", d)
	}
}

// isBusiness reports whether err says something about the payment, not about the database.
func isBusiness(err error) bool {
	for _, e := range []error{
		adapter.ErrInsufficient, adapter.ErrLost, adapter.ErrConflict, adapter.ErrInvalid, adapter.ErrNotFound, adapter.ErrOverloaded, adapter.ErrClosed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pay carries a payment through, as held by s. It stops where another does the same.
func pay(ctx context.Context, s *store.Store, p adapter.Payment) (adapter.Payment, error) {
	p.Owner, p.NextAt = s.Owner(), p.NextAt.Add(adaptertest.Policy.Lease)
	p, _, err := s.Accept(ctx, p)
	for err == nil && !p.State.Final() {
		var step adapter.Step
		if p.State == adapter.Received {
			step, err = p.Decide(adaptertest.Policy, time.Now())
		} else {
			step, err = p.Answered(adapter.Outcome{Verdict: adapter.Accepted}, adaptertest.Policy, time.Now())
		}
		if err == nil {
			p, err = s.Apply(ctx, step)
		}
	}
	if errors.Is(err, adapter.ErrLost) {
		return p, nil
	}
	return p, err
}
