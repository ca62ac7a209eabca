package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/partnerkit/partnerkit/cmd/internal/program"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// errUsage is a configuration that was asked for wrongly.
var errUsage = errors.New("configuration")

type serveCmd struct {
	Listen        string `default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"Address of platform traffic; port 0 for any. Default: ${default}."`
	ControlListen string `default:"127.0.0.1:8091" placeholder:"ADDRESS" help:"Address of the control API; port 0 for any. It asks nobody who they are. Default: ${default}."`

	TLS       bool   `help:"Serve platform traffic over TLS as well, under the real platforms' names too: see mockplatform ca."`
	TLSListen string `default:"127.0.0.1:8443" placeholder:"ADDRESS" help:"Address for that; port 0 for any. Default: ${default}."`
	CAFile    string `placeholder:"FILE" help:"Certificate authority with its key; made where there is none. Default: ca.pem in the user's configuration."`

	Data string `placeholder:"FILE" help:"File that keeps everything between runs, with keys. Default: nothing is kept."`

	Scenario []string `sep:"none" placeholder:"FILE" help:"Start from this scenario, and at every reset; see docs/scenarios.md. Once more for each further namespace. What a --data file keeps goes on until then."`

	Seed   *uint64   `placeholder:"N" help:"Number from which all chance follows; equal numbers give equal runs. Default: another one each time, printed."`
	Now    time.Time `placeholder:"TIME" help:"Virtual time at the start, such as 2026-01-31T23:59:00Z. Default: real time."`
	Frozen bool      `help:"Time stands still until it is moved through the control API."`
	Rate   int       `default:"1" placeholder:"N" help:"Virtual seconds per real second. Default: ${default}."`

	Unkind bool     `help:"Arm the preset unkind from the start: lost answers, delays, repeats, a bit of everything."`
	Faults []string `placeholder:"PRESET" help:"Arm these presets from the start: ${presets}."`

	JournalExchanges int `default:"10000" placeholder:"N" help:"Exchanges that the journal keeps. Default: ${default}."`
	JournalMiB       int `name:"journal-mib" default:"16" placeholder:"N" help:"Size of the journal in MiB. Default: ${default}."`
	KeepPayments     int `default:"30000" placeholder:"N" help:"Final payments that are remembered. Default: ${default}."`
	NotifyWorkers    int `default:"64" placeholder:"N" help:"Notifications on their way at once. Default: ${default}."`
}

// Run serves until ctx is done.
func (f *serveCmd) Run(ctx context.Context, log *slog.Logger) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	cfg.Log = log
	if f.TLS {
		cfg.TLSListen = f.TLSListen
		if cfg.Authority, err = openAuthority(f.CAFile); err != nil {
			return err
		}
	}
	server, err := mockplatform.New(cfg)
	if errors.Is(err, clock.ErrInvalid) {
		return fmt.Errorf("%w: %w", errUsage, err)
	} else if err != nil {
		return scenarioFault(err)
	}
	ready := []any{"platform", server.PlatformURL(), "control", server.ControlURL(), "seed", server.Seed(), "version", cfg.Version}
	if f.TLS {
		ready = append(ready, "tls", server.TLSURL())
	}
	log.Info("ready", ready...)
	return server.Run(ctx)
}

// config turns flags into a configuration; every fault is named at once.
func (f *serveCmd) config() (mockplatform.Config, error) {
	var faults []error
	for _, n := range []struct {
		flag  string
		value int
	}{
		{"--journal-exchanges", f.JournalExchanges},
		{"--journal-mib", f.JournalMiB},
		{"--keep-payments", f.KeepPayments},
		{"--notify-workers", f.NotifyWorkers},
	} {
		if n.value < 1 {
			faults = append(faults, fmt.Errorf("%s: %d is not positive", n.flag, n.value))
		}
	}
	if f.Rate < 1 || f.Rate > clock.MaxRate {
		faults = append(faults, fmt.Errorf("--rate: %d is not between 1 and %d", f.Rate, clock.MaxRate))
	}
	var rules []fault.Rule
	if f.Unkind {
		f.Faults = append([]string{"unkind"}, f.Faults...)
	}
	for _, name := range f.Faults {
		preset, err := fault.Preset(name)
		if err != nil {
			faults = append(faults, fmt.Errorf("--faults: %w", err))
		}
		rules = append(rules, preset...)
	}
	if len(faults) > 0 {
		return mockplatform.Config{}, fmt.Errorf("%w: %w", errUsage, errors.Join(faults...))
	}
	cfg := mockplatform.Config{
		Listen: f.Listen, ControlListen: f.ControlListen,
		Faults:        rules,
		Data:          f.Data,
		Clock:         clock.State{Now: f.Now, Frozen: f.Frozen, Rate: f.Rate},
		Journal:       journal.Config{MaxExchanges: f.JournalExchanges, MaxBytes: f.JournalMiB << 20},
		NotifyWorkers: f.NotifyWorkers, KeepPayments: f.KeepPayments,
		Version: program.Version(),
	}
	for _, file := range f.Scenario {
		cfg.Scenarios = append(cfg.Scenarios, mockplatform.Script{File: file})
	}
	if f.Seed != nil {
		cfg.Seed = *f.Seed
	} else {
		cfg.Seed = uint64(rand.Uint32()) //nolint:gosec // chance to be repeated, not to be trusted
	}
	return cfg, nil
}
