// Command contract says whether an adapter or a platform keeps the agreement: it runs the
// checks of package contract against a target and reports what was promised and what was
// found.
//
// For an adapter it starts a stand-in of the platform inside itself, so that one binary and
// one target file are all that a partner's QA needs.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is stamped by the build.
var version = "dev"

// Exit codes.
const (
	exitKept   = 0 // every promise that must be kept is
	exitBroken = 1 // at least one is not
	exitError  = 2 // there is no verdict: the target, the hook or the call was wrong
)

type cli struct {
	Version kong.VersionFlag `env:"-" help:"Print the version and exit."`

	Run     runCmd     `cmd:"" help:"Run the checks against a target."`
	Drift   driftCmd   `cmd:"" help:"Replay a recording of a real platform against a stand-in, and say what differs."`
	List    listCmd    `cmd:"" help:"List the checks."`
	Explain explainCmd `cmd:"" help:"Say what a check is about, why, and how to mend what it finds."`
}

const description = `Says whether any adapter and any platform keep the agreement.

Exit codes: 0 the agreement is kept, 1 it is broken, 2 there is no verdict (a bad target file, a hook that fails, an interrupted run).

Examples:
  contract run --target adapter.yaml
  contract run --target adapter.yaml --only INT-CRASH
  contract run --target adapter.yaml --seed 42 --junit report.xml
  contract run --target sandbox.yaml
  contract drift --journal sandbox.jsonl
  contract list --only 'INT-PARAM-*'
  contract explain INT-LOST-04`

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
		kong.Name("contract"),
		kong.Description(description),
		kong.DefaultEnvars("CONTRACT"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": buildVersion(), "lang": language(os.LookupEnv)},
	)
	if err != nil { // a mistake in the tags
		_, _ = fmt.Fprintln(stderr, "contract:", err)
		return exitError
	}
	command, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "contract: %v\nTry: contract --help\n", err)
		return exitError
	}
	code := exitKept
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(&streams{stdout, stderr}, &code); err != nil {
		_, _ = fmt.Fprintln(stderr, "contract:", err)
		return exitError
	}
	return code
}

// streams are where a command writes.
type streams struct{ out, err io.Writer }

// buildVersion is what the build stamped, or else what `go install` knows.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "dev" && info.Main.Version != "" {
		return info.Main.Version
	}
	return version
}

// language is that of the environment, if it is one of ours.
func language(env func(string) (string, bool)) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value, ok := env(name); ok && value != "" {
			if strings.HasPrefix(value, "ru") {
				return "ru"
			}
			break
		}
	}
	return "en"
}
