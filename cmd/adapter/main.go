// Command adapter is the partner's side of the promotion platforms: it takes the platform's
// payment notifications, charges the user exactly once and answers the platform exactly once.
//
// `adapter serve` is the service; the other commands work on the same database, beside a
// running service or without one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/web"
	"github.com/partnerkit/partnerkit/cmd/internal/settings"
)

// version is stamped by the build.
var version = "dev"

// Exit codes: what failed is told apart from what was asked for wrongly.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
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
	LoginLink   loginLinkCmd   `cmd:"" help:"Print the address of the platform's page for a user (the iframe's src)."`
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1 // set by --help and --version
	parser, err := kong.New(
		&c,
		kong.Name("adapter"),
		kong.Description(description),
		kong.DefaultEnvars("ADAPTER"),
		kong.Configuration(settings.LoadYAML),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{
			"version": version, "log_format": defaultLogFormat(stderr), "account": account(),
			"states": listed(adapter.States), "due_states": listed(adapter.Due),
		},
	)
	if err != nil { // a mistake in the tags above
		_, _ = fmt.Fprintln(stderr, "adapter:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "adapter: %v\nTry: adapter --help\n", err)
		return exitUsage
	}
	level, err := logLevel(c.LogLevel)
	var log *slog.Logger
	if err == nil {
		log, err = web.NewLogger(stderr, c.LogFormat, level)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "adapter:", err)
		return exitUsage
	}
	slog.SetDefault(log)

	command.BindTo(ctx, (*context.Context)(nil))
	command.BindTo(stdout, (*io.Writer)(nil))
	command.Bind(newOperator(c.As, command))
	err = command.Run(log)
	var bad *configError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &bad):
		_, _ = fmt.Fprintln(stderr, "adapter:", err)
		return exitUsage
	}
	_, _ = fmt.Fprintln(stderr, "adapter:", err)
	return exitFailed
}
