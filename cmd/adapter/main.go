// Command adapter is the partner's side of the promotion platforms: it takes the platform's
// payment notifications, charges the user exactly once and answers the platform exactly once.
//
// `adapter serve` is the service; the other commands work on the same database, beside a
// running service or without one.
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/alecthomas/kong"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/web"
	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

type cli struct {
	Config    kong.ConfigFlag  `placeholder:"FILE" help:"YAML file with the same names as the flags."`
	LogFormat string           `default:"${log_format}" placeholder:"FORMAT" help:"json or text. Default: text on a terminal, json elsewhere."`
	LogLevel  string           `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error. Default: ${default}."`
	As        string           `default:"${account}" placeholder:"NAME" help:"Who is acting, for the audit log. Default: the account that runs the command."`
	Version   kong.VersionFlag `help:"Print the version and exit."`

	Serve       serveCmd       `cmd:"" help:"Run the service."`
	Doctor      doctorCmd      `cmd:"" help:"Look whether the service can run here, and say what to do if not."`
	CheckConfig checkConfigCmd `cmd:"" help:"Print the settings that serve would run with, secrets hidden, and every fault."`
	Migrate     migrateCmd     `cmd:"" help:"Bring the database to this version, show what is pending, or check its form."`
	Users       usersCmd       `cmd:"" help:"Register and list users."`
	LoginLink   loginLinkCmd   `cmd:"" help:"Print the address of the platform's page for a user (the iframe's src)." example:"adapter login-link HASH"`
	Ledger      ledgerCmd      `cmd:"" help:"Users' money: deposit, withdraw, balance, statement, verify."`
	Payments    paymentsCmd    `cmd:"" help:"List and show payments, pay directly, refund."`
	Payins      payinsCmd      `cmd:"" help:"Any.Money: make orders that credit users, and see what became of them."`
	Reconcile   reconcileCmd   `cmd:"" help:"Compare users' days with the platform's books."`
	Token       tokenCmd       `cmd:"" help:"Mint, list and revoke tokens."`
	Keys        keysCmd        `cmd:"" help:"Put the users' crypt keys under a new master key."`
	Alerts      alertsCmd      `cmd:"" help:"What the operators were told, and a test of whether it arrives."`
	Backup      backupCmd      `cmd:"" help:"Copy an embedded database while it is served, and check the copy."`
	Audit       auditCmd       `cmd:"" help:"What persons did: who, what, on what, when, with what result."`
}

const description = `The partner's side of Integra: no payment lost, none doubled, whatever fails.

Every flag is also an environment variable (--platform-url is ADAPTER_PLATFORM_URL) and a key of the --config file.

Examples:
  adapter serve --platform-url https://api.promopult.org --partner-hash H --notify-url-base https://pay.example.com
  adapter users register --login alice --email alice@example.com
  adapter ledger deposit HASH 1000.00
  adapter login-link HASH
  adapter payments list --state in_doubt
  adapter ledger verify`

func main() { program.Main(run) }

// run executes one command and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	vars := kong.Vars{"log_format": defaultLogFormat(stderr), "account": account(), "states": listed(adapter.States), "due_states": listed(adapter.Due)}
	return program.Program{Name: "adapter", Description: description, Vars: vars}.Run(ctx, &c, args, stdout, stderr, func(command *kong.Context) (int, error) {
		level, err := logLevel(c.LogLevel)
		if err != nil {
			return program.ExitUsage, err
		}
		log, err := web.NewLogger(stderr, c.LogFormat, level)
		if err != nil {
			return program.ExitUsage, err
		}
		slog.SetDefault(log)
		command.Bind(newOperator(c.As, command))
		err = command.Run(log)
		var bad *configError
		switch {
		case err == nil:
			return program.ExitOK, nil
		case errors.As(err, &bad):
			return program.ExitUsage, err
		}
		return program.ExitFailed, err
	})
}
