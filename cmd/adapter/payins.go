package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/anymoney"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/store"
)

type payinsCmd struct {
	Create  createPayinCmd  `cmd:"" help:"Make an order that credits a user once it is paid; prints where to pay." example:"adapter payins create HASH 256.13 RUB visamc --key 'order 1042'"`
	Calc    calcPayinCmd    `cmd:"" help:"Ask what an order would cost and bring." example:"adapter payins calc 115 UAH visamc --out-curr USD"`
	Get     getPayinCmd     `cmd:"" help:"Show a payin with its history." example:"adapter payins get ID"`
	List    listPayinsCmd   `cmd:"" help:"List payins, newest first." example:"adapter payins list --limit 20"`
	Balance payinBalanceCmd `cmd:"" help:"Print what the merchant has at Any.Money." example:"adapter payins balance"`
}

// Help follows the list of commands.
func (payinsCmd) Help() string {
	return `The address, merchant and key of Any.Money come from the environment or the --config file, as for adapter serve. A running service takes the callbacks; without one, payins get shows what is stored.

Examples:
  adapter payins calc 115 UAH visamc --out-curr USD
  adapter payins create c81e728d9d4c2f636f067f89cc14862c 256.13 RUB visamc --key "order 1042"
  adapter payins get 7d793037a0760186574b0282f2f435e7
  adapter payins list --status new,unsure
  adapter payins balance`
}

// askFlags are those of the commands that only ask Any.Money.
type askFlags struct {
	anymoneyFlags
	outputFlags
}

// use opens a client for the time of do.
func (f askFlags) use(do func(*anymoney.Client) error) error {
	if err := refuse(f.required()); err != nil {
		return err
	}
	client, err := f.client(outcall.Watch{})
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

// payinFlags are those of the commands that also keep what Any.Money says.
type payinFlags struct {
	databaseFlags
	anymoneyFlags
	outputFlags
}

// use opens what the commands need for the time of do.
func (f payinFlags) use(ctx context.Context, log *slog.Logger, do func(*anymoney.Payins, *store.Store) error) (err error) {
	if err := refuse(f.databaseFlags.faults(), f.required()); err != nil {
		return err
	}
	st, err := openStore(ctx, f.databaseFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	client, err := f.client(outcall.Watch{})
	if err != nil {
		return err
	}
	defer client.Close()
	payins, err := f.payins(client, st, nil, log)
	if err != nil {
		return err
	}
	return do(payins, st)
}

type createPayinCmd struct {
	payinFlags
	User       string `arg:"" help:"Hash of the user who is credited."`
	Amount     string `arg:"" help:"What the buyer is asked for, for example 256.13."`
	Curr       string `arg:"" help:"The currency of the amount, for example UAH."`
	Payway     string `arg:"" help:"The way to pay, for example visamc."`
	OutCurr    string `placeholder:"CURR" help:"The currency to receive, if it is another one."`
	Key        string `placeholder:"TEXT" help:"Your name for it: repeated under the same key it is the same order, made once."`
	ExternalID string `name:"externalid" placeholder:"ID" help:"The order's name at Any.Money, for ever unique. Default: derived from --key."`
	Payer      string `placeholder:"TEXT" help:"Some payways ask for it."`
	Contact    string `placeholder:"TEXT" help:"Some payways ask for it."`
	Code       string `placeholder:"CODE" help:"A cheque to be redeemed; it is never stored."`
}

// Run makes an order.
func (c createPayinCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	return c.use(ctx, log, func(payins *anymoney.Payins, st *store.Store) error {
		if kept, err := st.Funds(ctx); err != nil || kept != store.Ledger {
			return errors.Join(err, fmt.Errorf("the %s keeps the funds: what a payin brings would be credited to nobody", kept))
		}
		var p adapter.Payin
		err := by.act(ctx, st, "user/"+c.User, fmt.Sprintf("%s %s through %s", c.Amount, c.Curr, c.Payway), func(ctx context.Context) (err error) {
			p, _, err = payins.Create(ctx, adapter.PayinRequest{
				ExternalID: c.ExternalID, Key: c.Key, User: c.User, Amount: c.Amount, InCurr: c.Curr, OutCurr: c.OutCurr,
				Payway: c.Payway, Payer: c.Payer, Contact: c.Contact, Code: c.Code,
			})
			return err
		})
		if err != nil {
			return err
		}
		if p.Status == adapter.PayinUnsure { // nobody else may be there to ask
			if p, err = payins.Refresh(ctx, p.ExternalID); err != nil {
				return err
			}
		}
		if err := printPayin(ctx, out, c.outputFlags, st, p); err != nil {
			return err
		}
		switch {
		case p.Status == adapter.PayinRefused:
			return fmt.Errorf("payin was refused: %s", p.Reason)
		case !p.Status.OfPlatform():
			return fmt.Errorf("payin is %s; a running service goes on with it", p.Status)
		}
		return nil
	})
}

// printPayin prints a payin with its history.
func printPayin(ctx context.Context, out io.Writer, f outputFlags, st *store.Store, p adapter.Payin) error {
	history, err := st.PayinHistory(ctx, p)
	if err != nil {
		return err
	}
	v := api.ShowPayin(p, history)
	var b strings.Builder
	fmt.Fprintf(&b, "payin %d: %s %s of user %s through %s\nexternalid  %s\nstatus      %s", v.Num, v.Amount, v.InCurr, v.User, v.Payway, v.ExternalID, v.Status)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "\n%-11s %s", name, value)
		}
	}
	line("reason", v.Reason)
	if o := v.Order; o != nil {
		line("order", strconv.FormatInt(o.LID, 10)+", "+o.Type)
		line("paylink", o.Paylink)
		line("rate", strings.Join(o.Rate, " : "))
		line("brings", fmt.Sprintf("%s %s, less a fee of %s: %s", o.Out, v.OutCurr, o.OutFee, o.Account))
	}
	if v.Credited != "" {
		line("credited", v.Credited+" "+currency.Code())
	}
	t := table{head: []string{"AT", "EVENT", "STATUS", "VERDICT", "DETAIL"}}
	for _, e := range v.History {
		t.add(e.At, e.Event, e.To, e.Verdict, e.Detail)
	}
	return f.print(out, v, b.String()+"\n\n"+t.String())
}

type calcPayinCmd struct {
	askFlags
	Amount  string `arg:"" help:"What the buyer would be asked for, for example 256.13."`
	Curr    string `arg:"" help:"The currency of the amount, for example UAH."`
	Payway  string `arg:"" help:"The way to pay, for example visamc."`
	OutCurr string `placeholder:"CURR" help:"The currency to receive, if it is another one."`
}

// Run prints what an order would cost and bring.
func (c calcPayinCmd) Run(ctx context.Context, out io.Writer) error {
	return c.use(func(client *anymoney.Client) error {
		q, err := client.Calc(ctx, c.Amount, c.Curr, c.OutCurr, c.Payway)
		if err != nil {
			return err
		}
		v := api.ShowQuote(q)
		text := fmt.Sprintf("pays      %s %s, with a fee of %s\nbrings    %s %s, less a fee of %s\naccount   %s %s", v.In, v.InCurr, v.InFee, v.Out, v.OutCurr, v.OutFee, v.Account, v.OutCurr)
		if len(v.Rate) > 0 {
			text += "\nrate      " + strings.Join(v.Rate, " : ")
		}
		return c.print(out, v, text)
	})
}

type getPayinCmd struct {
	payinFlags
	ExternalID string `arg:"" name:"externalid" help:"The order's name."`
	Refresh    bool   `help:"Ask Any.Money first (payin.get)."`
}

// Run shows one payin.
func (c getPayinCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	if c.Refresh {
		return c.use(ctx, log, func(payins *anymoney.Payins, st *store.Store) error {
			p, err := payins.Refresh(ctx, c.ExternalID)
			if err != nil {
				return err
			}
			return printPayin(ctx, out, c.outputFlags, st, p)
		})
	}
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	p, err := st.Payin(ctx, c.ExternalID)
	if err != nil {
		return err
	}
	return printPayin(ctx, out, c.outputFlags, st, p)
}

type listPayinsCmd struct {
	databaseFlags
	outputFlags
	User   string                `placeholder:"HASH" help:"Only this user's."`
	Status []adapter.PayinStatus `placeholder:"STATUS" help:"Only in these: creating, unsure, refused, new, pending, started, wait, retry, finalizing, abnormal, done, fail, reject, expired, canceled."`
	Before int64                 `placeholder:"NUM" help:"Go on before this payin."`
	Limit  int                   `default:"50" placeholder:"N" help:"How many at most. Default: ${default}."`
}

// Run lists payins.
func (c listPayinsCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	var faults []error
	for _, s := range c.Status {
		if !slices.Contains(adapter.PayinStatuses, s) {
			faults = append(faults, fmt.Errorf("--status: %q is no status; see --help", s))
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
	payins, err := st.Payins(ctx, adapter.PayinFilter{User: c.User, Statuses: c.Status, Before: c.Before, Limit: c.Limit})
	if err != nil {
		return err
	}
	rows := make([]api.Payin, len(payins))
	t := table{head: []string{"NUM", "EXTERNALID", "USER", "AMOUNT", "PAYWAY", "STATUS", "CREDITED", "CREATED", "REASON"}}
	for i, p := range payins {
		v := api.ShowPayin(p, nil)
		rows[i] = v
		t.add(strconv.FormatInt(v.Num, 10), v.ExternalID, v.User, v.Amount+" "+v.InCurr, v.Payway, v.Status, v.Credited, v.CreatedAt, v.Reason)
	}
	return c.print(out, rows, t.String())
}

type payinBalanceCmd struct {
	askFlags
	Curr string `arg:"" optional:"" help:"Only this currency."`
}

// Run prints the merchant's balances.
func (c payinBalanceCmd) Run(ctx context.Context, out io.Writer) error {
	return c.use(func(client *anymoney.Client) error {
		balances, err := client.Balances(ctx, c.Curr)
		if err != nil {
			return err
		}
		t := table{head: []string{"CURRENCY", "BALANCE"}}
		for _, code := range slices.Sorted(maps.Keys(balances)) {
			t.add(code, balances[code])
		}
		return c.print(out, balances, t.String())
	})
}
