package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/partnerkit/partnerkit/cmd/internal/program"
	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/report"
	"github.com/partnerkit/partnerkit/mockplatform"
)

type runCmd struct {
	Target string `required:"" placeholder:"FILE" help:"What to judge; docs/contract.md describes the file."`

	Only     []string      `placeholder:"PATTERN" help:"Only these checks: an id, an area such as INT-CRASH, or a pattern with *. May be repeated."`
	Skip     []string      `placeholder:"PATTERN" help:"Not these checks. May be repeated."`
	FailFast bool          `help:"Start no further check once one has failed."`
	Timeout  time.Duration `default:"10m" placeholder:"TIME" help:"For the whole run. Default: ${default}."`
	Parallel int           `default:"8" placeholder:"N" help:"Checks at once. Default: ${default}."`
	Seed     *uint64       `placeholder:"N" help:"Repeat the chance of an earlier run. Default: another one each time, printed."`

	Platform    string `placeholder:"URL" help:"Control API of a stand-in that runs already, instead of one inside this command."`
	PlatformURL string `placeholder:"URL" help:"Its platform traffic. Default: port 8090 on the same host."`
	Namespace   bool   `default:"true" negatable:"" help:"Take a namespace for this run alone at a stand-in that runs already."`
	ReadOnly    bool   `help:"Leave out what changes anything at a platform."`

	JUnit  string `name:"junit" placeholder:"FILE" help:"Write JUnit XML."`
	JSON   string `name:"json" placeholder:"FILE" help:"Write JSON; docs/report.schema.json describes it."`
	HTML   string `name:"html" placeholder:"FILE" help:"Write one HTML page that needs nothing else: summary, filter, a diagram of each check."`
	GitHub bool   `name:"github" help:"Print annotations for GitHub Actions."`
	Lang   string `default:"${lang}" enum:"en,ru" help:"Language of reports: en or ru. Default: that of the environment."`
	All    bool   `help:"Show the checks that passed as well."`

	Slowest int `placeholder:"N" help:"List so many of the checks that took longest."`
}

// Run runs the checks and writes the reports.
func (c *runCmd) Run(ctx context.Context, s *streams, code *int) (err error) {
	target, err := contract.LoadTarget(c.Target, os.LookupEnv)
	if err != nil {
		return err
	}
	if c.ReadOnly && target.Platform != nil {
		target.Platform.ReadOnly = true
	}
	own := target.Adapter != nil && c.Platform == "" && target.StandIn.Control == "" // stand-in
	if target.Adapter != nil && (c.Platform != "" || target.StandIn.Control == "") {
		at, stop, wrong := standIn(ctx, c.Platform, c.PlatformURL, target.StandIn.Listen)
		if wrong != nil {
			return wrong
		}
		target.StandIn.URL, target.StandIn.Control = at.URL, at.Control
		defer func() { err = errors.Join(err, stop()) }()
	} else if target.Adapter == nil && c.Platform != "" {
		return errors.New("--platform: is for adapters; a platform's control API is platform.control in its target file")
	}
	files, err := c.files()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.close()) }()
	if c.Namespace && !own {
		leave, apartErr := contract.Apart(ctx, target)
		if apartErr != nil {
			return apartErr
		}
		defer func() { err = errors.Join(err, leave(context.WithoutCancel(ctx))) }()
	}
	seed := uint64(rand.Uint32()) //nolint:gosec // chance to be repeated
	if c.Seed != nil {
		seed = *c.Seed
	}
	progress := newProgress(s.err, c.Lang)
	result, err := contract.Run(ctx, target, contract.Options{
		Only: c.Only, Skip: c.Skip, Seed: seed, FailFast: c.FailFast, Parallel: c.Parallel, Timeout: c.Timeout,
		Observe: progress.step,
	})
	progress.end()
	if err != nil {
		return err
	}
	*code = result.ExitCode()
	return c.write(s, result, files)
}

// write writes every report that was asked for, also where one of them cannot be written.
func (c *runCmd) write(s *streams, r *contract.Report, files reportFiles) error {
	errs := []error{report.Terminal{Lang: c.Lang, Color: isTerminal(s.out), All: c.All, Slowest: c.Slowest}.Write(s.out, r), files.write(r)}
	if c.GitHub {
		errs = append(errs, report.GitHub(s.out, r, c.Target))
	}
	return errors.Join(errs...)
}

// standIn returns a stand-in, and how to end it: the one whose control API is given, or one of
// this command's own that listens there.
func standIn(ctx context.Context, control, platform, listen string) (at contract.StandIn, stop func() error, err error) {
	if control != "" {
		u, err := url.Parse(control)
		if err != nil || u.Hostname() == "" {
			return at, nil, fmt.Errorf("--platform: %q is no address such as http://127.0.0.1:8091", control)
		}
		if platform == "" {
			platform = u.Scheme + "://" + net.JoinHostPort(u.Hostname(), "8090") + strings.TrimRight(u.Path, "/")
		}
		return contract.StandIn{URL: platform, Control: control}, func() error { return nil }, nil
	}
	server, err := mockplatform.New(mockplatform.Config{Listen: listen, Version: program.Version()})
	if err != nil {
		return at, nil, fmt.Errorf("stand_in.listen: %w", err)
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx)) // Ctrl-C ends the run first
	ended := make(chan error, 1)
	go func() { ended <- server.Run(serving) }()
	return contract.StandIn{URL: server.PlatformURL(), Control: server.ControlURL()}, func() error {
		cancel()
		return <-ended
	}, nil
}

// progress shows how far a run is: a bar on a terminal, a line for each check elsewhere.
type progress struct {
	w     io.Writer
	bar   bool
	lines report.Terminal
	mu    sync.Mutex
	drawn bool
	bad   int
}

func newProgress(w io.Writer, lang string) *progress {
	return &progress{w: w, bar: isTerminal(w), lines: report.Terminal{Lang: lang}}
}

const barWidth = 30

func (p *progress) step(r *contract.Result, done, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.bar {
		_, _ = fmt.Fprintf(p.w, "%d/%d %s\n", done, all, p.lines.Line(r))
		return
	}
	if r.Outcome == contract.Failed || r.Outcome == contract.Errored {
		p.bad++
	}
	filled := barWidth * done / max(all, 1)
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %d/%d", strings.Repeat("█", filled), strings.Repeat(" ", barWidth-filled), done, all)
	if p.bad > 0 {
		_, _ = fmt.Fprintf(p.w, "  ✗ %d", p.bad)
	}
	_, _ = fmt.Fprint(p.w, "  "+r.ID)
	p.drawn = true
}

// end takes the bar away.
func (p *progress) end() {
	if p.drawn {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a descriptor fits
}
