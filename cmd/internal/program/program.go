// Package program is what the commands have in common: the command line, signals, the version and
// how an error becomes an exit code.
package program

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

// Version is what the build stamped, or else what `go install` knows.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "dev" && info.Main.Version != "" {
		return info.Main.Version
	}
	return version
}

// Exit codes: what failed is told apart from what was asked for wrongly.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Main runs a program and ends the process with its exit code. Stopping has two stages: at the
// first SIGINT or SIGTERM ctx is done, at the second the process ends at once, whatever runs.
func Main(run func(ctx context.Context, args []string, stdout, stderr io.Writer) int) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Reset(os.Interrupt, syscall.SIGTERM) // first: who sees the program stop may signal again
		cancel()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// A Program is a command line. Every flag is also a variable of the environment, under the
// program's name, and a key of its YAML file, where the flags have one.
type Program struct {
	Name        string
	Description string
	Vars        kong.Vars // besides version
}

// Run reads args into flags, which are a pointer to a struct with kong's tags, and has do execute
// the command that they name. What a command's tag says as example is shown by its --help. Run
// returns the exit code: do's, or ExitUsage where args are wrong. An error is printed, whatever
// code comes with it.
func (p Program) Run(ctx context.Context, flags any, args []string, stdout, stderr io.Writer, do func(command *kong.Context) (code int, err error)) int {
	exit := -1 // set by --help and --version
	parser, err := kong.New(
		flags,
		kong.Name(p.Name),
		kong.Description(p.Description),
		kong.DefaultEnvars(strings.ToUpper(p.Name)),
		kong.Configuration(loadYAML),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": Version()},
		p.Vars,
	)
	if err != nil { // a mistake in the tags
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return ExitUsage
	}
	for _, command := range parser.Model.Leaves(false) {
		if example := command.Tag.Get("example"); example != "" {
			command.Detail = strings.TrimLeft(command.Detail+"\n\nExamples:\n  "+example, "\n")
		}
	}
	command, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\nTry: %[1]s --help\n", p.Name, err)
		return ExitUsage
	}
	command.BindTo(ctx, (*context.Context)(nil))
	command.BindTo(stdout, (*io.Writer)(nil))
	code, err := do(command)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
	}
	return code
}
