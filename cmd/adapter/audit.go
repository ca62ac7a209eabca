package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/store"
)

// operator is the person at the command line, and the command.
type operator struct{ who, what string }

// newOperator names the person as --as says, and the command without its arguments.
func newOperator(who string, command *kong.Context) operator {
	words := slices.DeleteFunc(strings.Fields(command.Command()), func(w string) bool { return strings.HasPrefix(w, "<") || strings.HasPrefix(w, "[") })
	return operator{who: who, what: strings.Join(words, " ")}
}

// account is the name of the account that runs the command, and of the one behind sudo.
func account() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if behind := os.Getenv("SUDO_USER"); behind != "" && behind != name {
		name = fmt.Sprintf("%s (as %s)", behind, name)
	}
	return name
}

// act does what the command is for and puts it into the audit log.
func (o operator) act(ctx context.Context, st *store.Store, on, detail string, do func(context.Context) error) error {
	return st.Act(ctx, adapter.Action{Who: o.who, Via: adapter.ViaCLI, What: o.what, On: on, Detail: detail}, do)
}

// actOn is act on a payment that is named by id or number. That there is no such payment is found
// out within, so the attempt stands in the log.
func (o operator) actOn(ctx context.Context, st *store.Store, id, detail string, do func(context.Context, adapter.Payment) error) error {
	p, err := findPayment(ctx, st, id)
	if err == nil {
		id = p.Key.ID
	}
	return o.act(ctx, st, "payment/"+id, detail, func(ctx context.Context) error {
		if err != nil {
			return err
		}
		return do(ctx, p)
	})
}

// note puts something that was done outside the database into the audit log.
func (o operator) note(ctx context.Context, db databaseFlags, log *slog.Logger, on, detail string) (err error) {
	st, err := openStore(ctx, db, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return o.act(ctx, st, on, detail, func(context.Context) error { return nil })
}

type auditCmd struct {
	List listAuditCmd `cmd:"" help:"List what persons did, newest first." example:"adapter audit list --limit 20"`
}

type listAuditCmd struct {
	databaseFlags
	outputFlags
	Who    string    `placeholder:"NAME" help:"Only this person's or token's."`
	Via    string    `placeholder:"WAY" help:"Only by this way: cli, api or console."`
	What   string    `placeholder:"TEXT" help:"Only this action, for example 'ledger deposit' or create-payin."`
	On     string    `placeholder:"THING" help:"Only what was done to this, for example user/HASH or payment/ID."`
	From   time.Time `placeholder:"TIME" help:"Not before this time, for example 2026-05-04T00:00:00Z."`
	To     time.Time `placeholder:"TIME" help:"Only before this time."`
	Before int64     `placeholder:"NUM" help:"Go on before this line."`
	Limit  int       `default:"50" placeholder:"N" help:"How many at most. Default: ${default}."`
}

// Run lists actions.
func (c listAuditCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	if c.Via != "" && !slices.Contains([]string{adapter.ViaCLI, adapter.ViaAPI, adapter.ViaConsole}, c.Via) {
		return refuse([]error{fmt.Errorf("--via: %q is none of cli, api, console", c.Via)})
	}
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	actions, err := st.Actions(ctx, adapter.ActionFilter{
		Who: c.Who, Via: c.Via, What: c.What, On: c.On, From: c.From, To: c.To, Before: c.Before, Limit: c.Limit,
	})
	if err != nil {
		return err
	}
	rows := make([]api.Action, len(actions))
	t := table{head: []string{"NUM", "AT", "WHO", "VIA", "WHAT", "ON", "RESULT", "DETAIL"}}
	for i, a := range actions {
		rows[i] = api.ShowAction(a)
		t.add(strconv.FormatInt(a.Num, 10), stamp(a.At), a.Who, a.Via, a.What, a.On, string(a.Result), a.Detail)
	}
	return c.print(out, rows, t.String())
}
