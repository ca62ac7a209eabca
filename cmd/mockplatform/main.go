// Command mockplatform runs the stand-in: a platform that behaves like the real one, for a
// developer's machine and for tests.
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partnerkit/partnerkit/cmd/internal/program"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
)

type cli struct {
	Config    kong.ConfigFlag  `placeholder:"FILE" help:"YAML file with the same names as the flags."`
	LogFormat string           `default:"json" enum:"json,text" help:"json or text. Default: ${default}."`
	LogLevel  slog.Level       `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error. Default: ${default}."`
	Version   kong.VersionFlag `env:"-" help:"Print the version and exit."`

	Serve  serveCmd  `cmd:"" default:"withargs" help:"Run the stand-in (the default)." example:"mockplatform --unkind --data state.json"`
	Record recordCmd `cmd:"" help:"Pass a partner's calls to a real platform, and record them without secrets."`
	CA     caCmd     `cmd:"" help:"Write the certificate that clients have to trust for --tls." example:"mockplatform ca --out ca.pem"`
	Hosts  hostsCmd  `cmd:"" help:"Write the names of the real platforms, for /etc/hosts." example:"mockplatform hosts | sudo tee -a /etc/hosts"`

	Scenario scenarioCmd `cmd:"" help:"Check scenario files, and print their schema."`
}

const description = `A stand-in for Integra, Any.Money and Robokassa, with a virtual clock, a journal of every exchange and a control API.

Every flag is also an environment variable (--control-listen is MOCKPLATFORM_CONTROL_LISTEN) and a key of the --config file.
The partner c9cb3d6a7f7b802f170ca8a166c1375e exists from the start, under partners/acme and iframe.

Examples:
  mockplatform
  mockplatform serve --listen 127.0.0.1:0 --control-listen 127.0.0.1:0 --seed 42
  mockplatform --frozen --now 2026-01-31T23:59:00Z
  mockplatform --unkind
  mockplatform --tls && mockplatform ca --out ca.pem
  mockplatform --data state.json
  mockplatform --scenario busy-day.yaml --rate 60
  mockplatform scenario check busy-day.yaml
  mockplatform record --upstream https://sandbox.promopult.org --out sandbox.jsonl --keys keys.yaml
  curl -s http://127.0.0.1:8091/journal
  curl -s http://127.0.0.1:8091/faults -d '{"match":{"method":"confirmPayment","nth":1},"act":{"do":"drop_after"}}'
  curl -s -X PATCH http://127.0.0.1:8091/settings -d '{"integra":{"lost_answers":"drop"}}'`

func main() { program.Main(run) }

// run executes one command and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	vars := kong.Vars{"presets": strings.Join(fault.Presets(), ", ")}
	return program.Program{Name: "mockplatform", Description: description, Vars: vars}.Run(ctx, &c, args, stdout, stderr, func(command *kong.Context) (int, error) {
		err := command.Run(c.logger(stderr))
		switch {
		case err == nil:
			return program.ExitOK, nil
		case errors.Is(err, errUsage):
			return program.ExitUsage, err
		}
		return program.ExitFailed, err
	})
}

func (c *cli) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
