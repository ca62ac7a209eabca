package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/store"
)

type retryCmd struct {
	databaseFlags
	outputFlags
	ID     []string        `arg:"" optional:"" help:"Payments by id or number; otherwise they are chosen by the flags."`
	State  []adapter.State `placeholder:"STATE" help:"In these states: ${due_states}."`
	User   string          `placeholder:"HASH" help:"Only this user's."`
	Kind   []adapter.Kind  `placeholder:"KIND" help:"Only of these kinds: topup, direct, refund."`
	Before time.Time       `placeholder:"TIME" help:"Only those received before this time, for example 2026-05-04T00:00:00Z."`
	DryRun bool            `help:"Only show what would be tried."`
}

// Help is shown by payments retry --help.
func (retryCmd) Help() string {
	return `The try is the scheduled one, put forward, so there are never two at once: what is being tried at this moment is left alone. A running service makes it within a second. Payments in doubt are not tried, they are decided: see payments resolve.

Examples:
  adapter payments retry --state confirming,declining --dry-run
  adapter payments retry --state confirming --before 2026-05-04T00:00:00Z
  adapter payments retry 1042`
}

// retried is what became of one payment.
type retried struct {
	api.Payment
	Result string `json:"result"`
}

func (c retryCmd) faults() (faults []error) {
	for _, s := range c.State {
		if !slices.Contains(adapter.Due, s) {
			faults = append(faults, fmt.Errorf("--state: %q is no state that has tries ahead: %s", s, listed(adapter.Due)))
		}
	}
	for _, k := range c.Kind {
		if !slices.Contains(adapter.Kinds, k) {
			faults = append(faults, fmt.Errorf("--kind: %q is no kind; see --help", k))
		}
	}
	switch chosen := len(c.State) > 0 || c.User != "" || len(c.Kind) > 0 || !c.Before.IsZero(); {
	case len(c.ID) > 0 && chosen:
		faults = append(faults, errors.New("give payments, or flags that choose them, not both"))
	case len(c.ID) == 0 && len(c.State) == 0:
		faults = append(faults, errors.New("--state: is missing; name the states, or the payments"))
	}
	return faults
}

// Run puts tries forward.
func (c retryCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) (err error) {
	if err := refuse(c.faults()); err != nil {
		return err
	}
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	rows := []retried{}
	t := table{head: []string{"NUM", "ID", "STATE", "ATTEMPT", "NEXT TRY", "RESULT"}}
	err = c.each(ctx, st, by, func(p adapter.Payment) error {
		result, err := c.hurry(ctx, st, p, by)
		if err != nil {
			return err
		}
		rows = append(rows, retried{api.ShowPayment(p, nil), result})
		t.add(strconv.FormatInt(p.Num, 10), p.Key.ID, string(p.State), strconv.Itoa(p.Attempt), stamp(p.NextAt), result)
		return nil
	})
	if printErr := c.print(out, rows, t.String()); printErr != nil { // also what was done before an error
		return printErr
	}
	return err
}

// each calls do for every payment that is chosen.
func (c retryCmd) each(ctx context.Context, st *store.Store, by operator, do func(adapter.Payment) error) error {
	for _, id := range c.ID {
		p, err := findPayment(ctx, st, id)
		switch {
		case err == nil:
			err = do(p)
		case !c.DryRun:
			err = by.act(ctx, st, "payment/"+id, "", func(context.Context) error { return err }) // an attempt all the same
		}
		if err != nil {
			return err
		}
	}
	if len(c.ID) > 0 {
		return nil
	}
	for f := (adapter.PaymentFilter{User: c.User, States: c.State, Kinds: c.Kind, To: c.Before, Limit: 500}); ; {
		page, err := st.Payments(ctx, f)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, p := range page {
			if err := do(p); err != nil {
				return err
			}
		}
		f.Before = page[len(page)-1].Num
	}
}

// hurry puts one try forward, or says why not.
func (c retryCmd) hurry(ctx context.Context, st *store.Store, p adapter.Payment, by operator) (string, error) {
	step, err := p.Hurried(by.who, time.Now())
	switch {
	case errors.Is(err, adapter.ErrLost), errors.Is(err, adapter.ErrInvalid) && len(c.ID) == 0:
		return "left alone: it is being tried, or due", nil
	case err != nil:
		return "", refuse([]error{err})
	case c.DryRun:
		return "would be tried now", nil
	}
	err = by.act(ctx, st, "payment/"+p.Key.ID, "", func(ctx context.Context) error {
		_, err := st.Apply(ctx, step)
		return err
	})
	if errors.Is(err, adapter.ErrLost) {
		return "left alone: it changed meanwhile", nil
	}
	return "tried now", err
}
