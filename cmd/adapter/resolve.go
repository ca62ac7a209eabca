package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/store"
)

type resolveCmd struct {
	databaseFlags
	outputFlags
	ID      string `arg:"" help:"The payment's id (32 characters) or number."`
	Confirm bool   `xor:"decision" required:"" help:"The platform has it: the reserved money is captured (a refund's is restored)."`
	Decline bool   `xor:"decision" required:"" help:"The platform does not have it: the reserved money is released."`
	Reason  string `required:"" placeholder:"TEXT" help:"What the decision rests on. It stays in the payment's history."`
	By      string `placeholder:"NAME" help:"Who decides. It stays in the payment's history. Default: --as."`
}

// Help is shown by payments resolve --help.
func (resolveCmd) Help() string {
	return `A payment is in doubt when the platform refused it after an earlier call that may have been carried out; its money stays reserved. Look at what the platform shows for the user before deciding: nobody asks again.

A payment is capture_refused or release_refused when the partner's billing refuses what it owes. Mend the billing, and it ends by itself; or put the billing's books right by hand, and say so: --confirm for capture_refused, since the platform has it, --decline for release_refused.

A payment stays received while that billing refuses to reserve for no reason of the user's, or does not answer. The platform has had no call for it, so --decline gives it up: what the billing may have reserved all the same is released first, then the platform is told.

Examples:
  adapter payments list --state in_doubt
  adapter payments resolve 41 --confirm --by "Anna Petrova" --reason "balance grew by 100.00 on 3 November, ticket 1207"`
}

// Run decides.
func (c resolveCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) (err error) {
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	kept, err := st.Funds(ctx)
	if err != nil {
		return err
	}
	pol := policy(serveDefaults)
	pol.Billing = kept == store.Billing
	service := adapter.NewService(st, noWorkers{}, pol, time.Now)
	r := adapter.Resolution{Confirm: c.Confirm, Reason: c.Reason, By: cmp.Or(c.By, by.who)}
	decision := "decline: "
	if c.Confirm {
		decision = "confirm: "
	}
	var after adapter.Payment
	err = by.actOn(ctx, st, c.ID, decision+c.Reason, func(ctx context.Context, p adapter.Payment) (err error) {
		after, err = service.Resolve(ctx, p, r)
		return err
	})
	switch {
	case errors.Is(err, adapter.ErrInvalid):
		return refuse([]error{err})
	case err != nil:
		return err
	}
	return printPayment(ctx, out, c.outputFlags, st, after)
}

// noWorkers stands in for a pool in a command that only writes: what falls due is left to a
// running service, which looks for it.
type noWorkers struct{}

func (noWorkers) Admit(context.Context) bool { return false }
func (noWorkers) Submit(adapter.Payment)     {}
func (noWorkers) Return()                    {}
func (noWorkers) Kick()                      {}
