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
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/worker"
	"github.com/partnerkit/partnerkit/contract/money"
)

type paymentsCmd struct {
	List   listPaymentsCmd `cmd:"" help:"List payments, newest first." example:"adapter payments list --state in_doubt"`
	Show   showPaymentCmd  `cmd:"" help:"Show a payment with its history." example:"adapter payments show 41"`
	Create createCmd       `cmd:"" help:"Pay directly (doPayment): from the user's balance to the platform." example:"adapter payments create HASH 250.00 --key 'button 41'"`
	Refund refundCmd       `cmd:"" help:"Refund a confirmed payment, wholly or in part (negative doPayment)." example:"adapter payments refund 41 50.00 --key 'ticket 1207'"`

	Retry   retryCmd           `cmd:"" help:"Put the scheduled tries of payments forward, chosen by a filter."`
	Archive archivePaymentsCmd `cmd:"" help:"Move the histories of payments that ended long ago to a file."`
	Resolve resolveCmd         `cmd:"" help:"Decide about a payment in doubt: did the platform carry it out?"`
}

type listPaymentsCmd struct {
	databaseFlags
	outputFlags
	User   string          `placeholder:"HASH" help:"Only this user's."`
	State  []adapter.State `placeholder:"STATE" help:"Only in these states: ${states}."`
	Kind   []adapter.Kind  `placeholder:"KIND" help:"Only of these kinds: topup, direct, refund."`
	Before int64           `placeholder:"NUM" help:"Go on before this payment."`
	Limit  int             `default:"50" placeholder:"N" help:"How many at most. Default: ${default}."`
}

// Run lists payments.
func (c listPaymentsCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	var faults []error
	for _, s := range c.State {
		if !slices.Contains(adapter.States, s) {
			faults = append(faults, fmt.Errorf("--state: %q is no state; see --help", s))
		}
	}
	for _, k := range c.Kind {
		if !slices.Contains(adapter.Kinds, k) {
			faults = append(faults, fmt.Errorf("--kind: %q is no kind; see --help", k))
		}
	}
	if err := refuse(faults); err != nil {
		return err
	}
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	payments, err := st.Payments(ctx, adapter.PaymentFilter{User: c.User, States: c.State, Kinds: c.Kind, Before: c.Before, Limit: c.Limit})
	if err != nil {
		return err
	}
	rows := make([]api.Payment, len(payments))
	t := table{head: []string{"NUM", "ID", "KIND", "USER", "AMOUNT", "STATE", "RECEIVED", "REASON"}}
	for i, p := range payments {
		rows[i] = api.ShowPayment(p, nil)
		t.add(strconv.FormatInt(p.Num, 10), p.Key.ID, string(p.Kind), p.User, p.Amount.String(), string(p.State), stamp(p.ReceivedAt), p.Reason)
	}
	return c.print(out, rows, t.String())
}

type showPaymentCmd struct {
	databaseFlags
	outputFlags
	ID string `arg:"" help:"The payment's id (32 characters) or number."`
}

// Run shows one payment.
func (c showPaymentCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	p, err := findPayment(ctx, st, c.ID)
	if err != nil {
		return err
	}
	return printPayment(ctx, out, c.outputFlags, st, p)
}

// findPayment takes the platform's id or our number.
func findPayment(ctx context.Context, st *store.Store, name string) (p adapter.Payment, err error) {
	if num, parseErr := strconv.ParseInt(name, 10, 64); parseErr == nil && len(name) < 20 {
		p, err = st.PaymentByNum(ctx, num)
	} else {
		p, err = st.Payment(ctx, adapter.Key{Platform: adapter.PlatformIntegra, ID: name})
	}
	if err != nil {
		return p, fmt.Errorf("payment %s: %w", name, err)
	}
	return p, nil
}

// printPayment prints a payment with its history.
func printPayment(ctx context.Context, out io.Writer, f outputFlags, st *store.Store, p adapter.Payment) error {
	history, err := st.History(ctx, p.Num)
	if err != nil {
		return err
	}
	row := api.ShowPayment(p, history)
	t := table{head: []string{"AT", "EVENT", "STATE", "ATTEMPT", "VERDICT", "TOOK", "DETAIL"}}
	for _, e := range history {
		attempt, took := "", ""
		if e.Verdict != "" {
			attempt, took = strconv.Itoa(e.Attempt), e.Took.Round(time.Microsecond).String()
		}
		t.add(stamp(e.At), string(e.Kind), string(e.To), attempt, string(e.Verdict), took, e.Detail)
	}
	text := fmt.Sprintf("%s %d: %s of user %s\nid        %s\nstate     %s", p.Kind, p.Num, p.Amount, p.User, p.Key.ID, p.State)
	if p.Reason != "" {
		text += "\nreason    " + p.Reason
	}
	if !p.NextAt.IsZero() {
		text += "\nnext try  " + stamp(p.NextAt)
	}
	return f.print(out, row, text+"\n\n"+t.String())
}

// actFlags are those of the commands that move money at the platform.
type actFlags struct {
	databaseFlags
	keyFlags
	platformFlags
	notifyFlags
	fundsFlags
	outputFlags
	Key string `required:"" placeholder:"TEXT" help:"Your name for it: repeated under the same key it is the same payment, made once."`
}

// act accepts a payment and carries it as far as it goes at once. If it is not settled then,
// a running service goes on with it. What cannot be made stands in the audit log as an attempt on
// what it was to be made of.
func (f actFlags) act(ctx context.Context, out io.Writer, log *slog.Logger, by operator, of string, make func(*store.Store) (adapter.Payment, error)) (err error) {
	if err := refuse(f.fundsFlags.faults(false)); err != nil {
		return err
	}
	p, err := openPartner(ctx, f.databaseFlags, f.keyFlags, f.platformFlags, f.notifyFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := f.agree(ctx, p.store); err != nil {
		return err
	}
	funds, err := f.openFunds(f.CallTimeout, 1, p.store, outcall.Watch{})
	if err != nil {
		return err
	}
	defer funds.close()
	pay, err := make(p.store)
	if err != nil {
		return by.act(ctx, p.store, of, "key "+f.Key, func(context.Context) error { return err })
	}
	pol := f.keptBy(policy(serveDefaults))
	pool, err := worker.New(p.store, p.client, p.client, worker.Config{Policy: pol, Funds: funds.outside(), CallTimeout: f.CallTimeout, Log: log})
	if err != nil {
		return err
	}
	pay.Owner, pay.NextAt = p.store.Owner(), time.Now().UTC().Truncate(time.Microsecond).Add(pol.Lease)
	var (
		stored adapter.Payment
		first  bool
	)
	err = by.act(ctx, p.store, "payment/"+pay.Key.ID, fmt.Sprintf("%s of user %s, key %s", pay.Amount, pay.User, f.Key), func(ctx context.Context) error {
		stored, first, err = p.store.Accept(ctx, pay)
		return err
	})
	if err != nil {
		return err
	}
	if first {
		// From here on the money may move: Ctrl-C must not leave that to a lease.
		if stored, err = pool.Drive(context.WithoutCancel(ctx), stored); err != nil {
			return err
		}
	}
	if err := printPayment(ctx, out, f.outputFlags, p.store, stored); err != nil {
		return err
	}
	switch stored.State {
	case adapter.Confirmed:
		return nil
	case adapter.Declined:
		return fmt.Errorf("payment was declined: %s", stored.Reason)
	}
	return fmt.Errorf("payment is %s; a running service goes on with it", stored.State)
}

type createCmd struct {
	actFlags
	User   string `arg:"" help:"The user's hash."`
	Amount string `arg:"" help:"The amount, for example 250 or 99.90."`
}

// Run makes a direct payment.
func (c createCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	amount, err := money.Parse(c.Amount, currency)
	if err != nil {
		return refuse([]error{fmt.Errorf("amount: %w", err)})
	}
	return c.act(ctx, out, log, by, "user/"+c.User, func(st *store.Store) (adapter.Payment, error) {
		if _, err := st.User(ctx, c.User); err != nil {
			return adapter.Payment{}, fmt.Errorf("user %s: %w", c.User, err)
		}
		return adapter.NewDirect(c.User, amount, c.Key, time.Now())
	})
}

type refundCmd struct {
	actFlags
	ID     string `arg:"" help:"The confirmed payment's id or number."`
	Amount string `arg:"" optional:"" help:"A part of it; without, the whole sum."`
}

// Run makes a refund.
func (c refundCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	var part money.Amount
	if c.Amount != "" {
		var err error
		if part, err = money.Parse(c.Amount, currency); err != nil {
			return refuse([]error{fmt.Errorf("amount: %w", err)})
		}
	}
	return c.act(ctx, out, log, by, "payment/"+c.ID, func(st *store.Store) (adapter.Payment, error) {
		original, err := findPayment(ctx, st, c.ID)
		if err != nil {
			return adapter.Payment{}, err
		}
		amount := original.Amount
		if c.Amount != "" {
			amount = part
		}
		return adapter.NewRefund(original, amount, c.Key, time.Now())
	})
}
