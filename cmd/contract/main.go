// Command contract says whether an adapter or a platform keeps the agreement: it runs the
// checks of package contract against a target and reports what was promised and what was
// found.
//
// For an adapter it starts a stand-in of the platform inside itself, so that one binary and
// one target file are all that a partner's QA needs.
package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

// Exit codes.
const (
	exitKept   = 0                 // every promise that must be kept is
	exitBroken = 1                 // at least one is not
	exitError  = program.ExitUsage // there is no verdict: the target, the hook or the call was wrong
)

type cli struct {
	Version kong.VersionFlag `env:"-" help:"Print the version and exit."`

	Run     runCmd     `cmd:"" help:"Run the checks against a target." example:"contract run --target adapter.yaml --html report.html"`
	Drift   driftCmd   `cmd:"" help:"Replay a recording of a real platform against a stand-in, and say what differs."`
	List    listCmd    `cmd:"" help:"List the checks." example:"contract list --only INT-CRASH"`
	Explain explainCmd `cmd:"" help:"Say what a check is about, why, and how to mend what it finds." example:"contract explain INT-LOST-04"`
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

func main() { program.Main(run) }

// run executes one command and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	vars := kong.Vars{"lang": language(os.LookupEnv)}
	return program.Program{Name: "contract", Description: description, Vars: vars}.Run(ctx, &c, args, stdout, stderr, func(command *kong.Context) (int, error) {
		code := exitKept
		if err := command.Run(&streams{stdout, stderr}, &code); err != nil {
			return exitError, err
		}
		return code, nil
	})
}

// streams are where a command writes.
type streams struct{ out, err io.Writer }

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
