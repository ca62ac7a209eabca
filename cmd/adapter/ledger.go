package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/contract/money"
)

type ledgerCmd struct {
	Deposit   depositCmd   `cmd:"" help:"Add to a user's balance." example:"adapter ledger deposit HASH 1000.00 --key 'invoice 1207' --note 'paid by bank'"`
	Withdraw  withdrawCmd  `cmd:"" help:"Take from a user's balance." example:"adapter ledger withdraw HASH 99.90 --key 'payout 31'"`
	Balance   balanceCmd   `cmd:"" help:"Print a user's balance." example:"adapter ledger balance HASH"`
	Statement statementCmd `cmd:"" help:"Print a user's transfers, newest first." example:"adapter ledger statement HASH --from 2026-05-01T00:00:00Z"`
	Verify    verifyCmd    `cmd:"" help:"Recompute every balance and check every payment against the ledger." example:"adapter ledger verify"`
}

// movementFlags are those of deposits and withdrawals.
type movementFlags struct {
	databaseFlags
	outputFlags
	User   string `arg:"" help:"The user's hash."`
	Amount string `arg:"" help:"The amount, for example 1000 or 99.90."`
	Key    string `placeholder:"TEXT" help:"Your name for this movement: repeated under the same key it is made once."`
	Note   string `placeholder:"TEXT" help:"A remark for the statement."`
}

// move is Store.Deposit or Store.Withdraw.
type move func(st *store.Store, ctx context.Context, user string, amount money.Amount, note, key string) (ledger.Balance, error)

func (f movementFlags) run(ctx context.Context, out io.Writer, log *slog.Logger, by operator, m move) (err error) {
	amount, err := money.Parse(f.Amount, currency)
	if err != nil {
		return refuse([]error{fmt.Errorf("amount: %w", err)})
	}
	if !adapter.ValidUserHash(f.User) {
		return refuse([]error{errors.New("user: must be a hash of 32 letters or digits; see `adapter users list`")})
	}
	if f.Key == "" {
		f.Key = rand.Text()
	}
	st, err := f.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if kept, err := st.Funds(ctx); err != nil || kept != store.Ledger {
		return errors.Join(err, fmt.Errorf("the %s keeps the funds: nothing is spent from the ledger here", kept))
	}
	var b ledger.Balance
	err = by.act(ctx, st, "user/"+f.User, fmt.Sprintf("%s, key %s", amount, f.Key), func(ctx context.Context) error {
		if _, err := st.User(ctx, f.User); err != nil {
			return fmt.Errorf("user %s: %w", f.User, err)
		}
		b, err = m(st, ctx, f.User, amount, f.Note, f.Key)
		return err
	})
	if err != nil {
		return err
	}
	return printBalance(out, f.outputFlags, f.User, b)
}

type depositCmd struct{ movementFlags }

// Run adds the amount.
func (c depositCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	return c.run(ctx, out, log, by, (*store.Store).Deposit)
}

type withdrawCmd struct{ movementFlags }

// Run takes the amount.
func (c withdrawCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	return c.run(ctx, out, log, by, (*store.Store).Withdraw)
}

func printBalance(out io.Writer, f outputFlags, user string, b ledger.Balance) error {
	return f.print(out, api.ShowAccount(user, b),
		fmt.Sprintf("available %s\nreserved  %s", b.Available, b.Reserved))
}

type balanceCmd struct {
	databaseFlags
	fundsFlags
	outputFlags
	User string `arg:"" help:"The user's hash."`
}

// Run prints the balance, from where it is kept.
func (c balanceCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	if err := refuse(c.fundsFlags.faults(false)); err != nil {
		return err
	}
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := c.agree(ctx, st); err != nil {
		return err
	}
	if _, err := st.User(ctx, c.User); err != nil {
		return fmt.Errorf("user %s: %w", c.User, err)
	}
	funds, err := c.openFunds(0, 1, st, outcall.Watch{})
	if err != nil {
		return err
	}
	defer funds.close()
	b, err := funds.balances(st).Balance(ctx, c.User)
	if err != nil {
		return err
	}
	return printBalance(out, c.outputFlags, c.User, b)
}

type statementCmd struct {
	databaseFlags
	outputFlags
	User   string    `arg:"" help:"The user's hash."`
	From   time.Time `placeholder:"TIME" help:"Not before this time, for example 2026-05-04T00:00:00Z."`
	To     time.Time `placeholder:"TIME" help:"Only before this time."`
	Before int64     `placeholder:"NUM" help:"Go on before this transfer."`
	Limit  int       `default:"50" placeholder:"N" help:"How many at most. Default: ${default}."`
}

// Run prints the statement.
func (c statementCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	if !c.From.IsZero() && !c.To.IsZero() && !c.From.Before(c.To) {
		return refuse([]error{errors.New("--to: must be after --from")})
	}
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	transfers, err := st.Statement(ctx, c.User, ledger.StatementFilter{From: c.From, To: c.To, Before: c.Before, Limit: c.Limit})
	if err != nil {
		return err
	}
	kept, err := st.Funds(ctx)
	switch {
	case err != nil:
		return err
	case kept != store.Ledger && len(transfers) == 0:
		return fmt.Errorf("the %s keeps the funds, and the statements with them", kept)
	case kept != store.Ledger:
		log.WarnContext(ctx, fmt.Sprintf("the %s keeps the funds, and the statements with them: this is what moved here before", kept))
	}
	rows := make([]api.Transfer, len(transfers))
	t := table{head: []string{"NUM", "AT", "MOVE", "AMOUNT", "AVAILABLE", "RESERVED", "PAYMENT", "NOTE"}}
	for i, x := range transfers {
		rows[i] = api.ShowTransfer(x)
		payment := ""
		if x.Payment != 0 {
			payment = strconv.FormatInt(x.Payment, 10)
		}
		t.add(strconv.FormatInt(x.Num, 10), stamp(x.At), string(x.Move), x.Amount.Text(),
			x.After.Available.Text(), x.After.Reserved.Text(), payment, x.Note)
	}
	return c.print(out, rows, t.String())
}

type verifyCmd struct {
	databaseFlags
	outputFlags
}

// verifyJSON is the result of an audit as the command prints it; amounts are decimals.
type verifyJSON struct {
	Users       int               `json:"users"`
	Payments    int               `json:"payments"`
	Payins      int               `json:"payins"`
	Transfers   int               `json:"transfers"`
	Clean       bool              `json:"clean"`
	Accounts    map[string]string `json:"accounts"`
	Differences []string          `json:"differences"`
}

// errUnbalanced makes the exit code tell.
var errUnbalanced = errors.New("the books do not balance: stop paying out and look into the differences above")

// Run checks the books; differences make it fail.
func (c verifyCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	r, err := st.Verify(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("checked %d users, %d payments, %d payins, %d transfers", r.Users, r.Payments, r.Payins, r.Transfers)
	answer := verifyJSON{
		Users: r.Users, Payments: r.Payments, Payins: r.Payins, Transfers: r.Transfers, Clean: r.Clean(),
		Accounts: map[string]string{}, Differences: []string{},
	}
	for _, account := range slices.Sorted(maps.Keys(r.Accounts)) {
		answer.Accounts[string(account)] = r.Accounts[account].Text()
		text += fmt.Sprintf("\n  %-18s %16s %s", account, r.Accounts[account].Text(), currency.Code())
	}
	for _, d := range r.Differences {
		answer.Differences = append(answer.Differences, d.String())
		text += "\n  DIFFERS: " + d.String()
	}
	if r.Clean() {
		text += "\nclean"
	}
	err = c.print(out, answer, text)
	if err == nil && !r.Clean() {
		err = errUnbalanced
	}
	return err
}
