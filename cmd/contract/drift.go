package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/contract/report"
)

type driftCmd struct {
	Journal string   `required:"" placeholder:"FILE" help:"What mockplatform record has written."`
	Ignore  []string `placeholder:"PATH" help:"A field that does not matter, such as data.messages[].title, *.balance or getUserData:data.url. May be repeated."`

	Platform    string `placeholder:"URL" help:"Control API of a stand-in that runs already, instead of one inside this command; its clock is moved meanwhile. With /ns/NAME at its end, a namespace."`
	PlatformURL string `placeholder:"URL" help:"Its platform traffic. Default: port 8090 on the same host."`

	JSON bool   `name:"json" env:"-" help:"Print JSON."`
	Seed uint64 `default:"1" placeholder:"N" help:"Number from which ids and keys at the stand-in follow. Default: ${default}."`
	Lang string `default:"${lang}" enum:"en,ru" help:"en or ru. Default: that of the environment."`
}

// Help is shown by drift --help.
func (*driftCmd) Help() string {
	return `Exit codes: 0 no drift, 1 drift, 2 there is no verdict (a bad journal, a stand-in that is not there, nothing that can be compared).

Examples:
  contract drift --journal sandbox.jsonl
  contract drift --journal sandbox.jsonl --ignore status.message --ignore 'getUserData:data.keywords' --json
  contract drift --journal sandbox.jsonl --platform http://127.0.0.1:8091/ns/drift`
}

// Run replays a recording and says what differs.
func (c *driftCmd) Run(ctx context.Context, s *streams, code *int) (err error) {
	file, err := os.Open(c.Journal)
	if err != nil {
		return fmt.Errorf("--journal: %w", err)
	}
	exchanges, whole, err := recording.Read(file)
	info, statErr := file.Stat()
	if err := errors.Join(statErr, file.Close()); err != nil {
		return fmt.Errorf("--journal: %w", err)
	}
	if err != nil {
		return fmt.Errorf("--journal: %s: %w", c.Journal, err)
	}
	if whole < info.Size() {
		_, _ = fmt.Fprintf(s.err, "contract: %s: its last line is cut off, and left out\n", c.Journal)
	}
	at, stop, err := standIn(ctx, c.Platform, c.PlatformURL, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	found, err := contract.Drift(ctx, exchanges, at, contract.DriftOptions{Ignore: c.Ignore, Seed: c.Seed})
	if err != nil && !errors.Is(err, contract.ErrNothingToCompare) {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(s.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = errors.Join(err, encoder.Encode(found))
	} else {
		err = errors.Join(err, report.Terminal{Lang: c.Lang, Color: isTerminal(s.out)}.WriteDrift(s.out, found))
	}
	*code = found.ExitCode()
	return err
}
