package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/partnerkit/partnerkit/adapter/store"
)

// A chore is done now and then beside the service, by one process at a time.
type chore struct {
	name  string // of what is done, in the log
	st    *store.Store
	every time.Duration
	do    func(context.Context) error
	log   *slog.Logger
}

// soon is when a chore is done first, at the latest: not in the rush of a start.
const soon = 10 * time.Minute

// Run does it until ctx is done.
func (c chore) Run(ctx context.Context) error {
	next := time.NewTimer(min(c.every, soon))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		if _, err := c.st.Exclusive(ctx, c.name, c.do); err != nil && ctx.Err() == nil {
			c.log.ErrorContext(ctx, c.name+" failed", "err", err)
		}
		next.Reset(c.every)
	}
}

// forgetter forgets the answers to requests that are older than keep.
func forgetter(st *store.Store, keep time.Duration, log *slog.Logger) chore {
	return chore{"retention", st, 24 * time.Hour, func(ctx context.Context) error {
		n, err := st.PruneRequests(ctx, time.Now().Add(-keep))
		if n > 0 {
			log.InfoContext(ctx, "old answers under idempotency keys are forgotten", "requests", n)
		}
		return err
	}, log}
}
