package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/recorder"
)

type recordCmd struct {
	Upstream string `required:"" placeholder:"URL" help:"The real platform, such as https://sandbox.promopult.org."`
	Out      string `required:"" placeholder:"FILE" help:"Where the exchanges go, as JSON Lines; what is there is added to."`
	Keys     string `placeholder:"FILE" help:"YAML with what opens Integra's calls, and other secrets to mask: cipher, partners and users (crypt keys by hash), secrets. $${NAME} in a value is taken from the environment."`
	Learned  string `placeholder:"FILE" help:"Keeps the crypt keys of users who are made meanwhile, which are secrets, for the next start. Default: they are forgotten."`
	Listen   string `default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"Address at which the partner calls; port 0 for any. Default: ${default}."`

	Notify       string `placeholder:"URL" help:"The partner's adapter: the platform's notifications are passed to it, and recorded. Default: they are not."`
	NotifyListen string `default:"127.0.0.1:8092" placeholder:"ADDRESS" help:"Address at which the platform calls; port 0 for any. Default: ${default}."`

	Timeout    time.Duration `default:"2m" placeholder:"TIME" help:"How long an answer may take to begin. Default: ${default}."`
	UpstreamCA string        `name:"upstream-ca" placeholder:"FILE" help:"Certificates in PEM to trust besides the system's, such as another stand-in's."`
}

// Help is shown by record --help.
func (*recordCmd) Help() string {
	return `Stands between a partner and a real platform, passes every call through unchanged, and keeps the exchanges without secrets. contract drift replays them against a stand-in. docs/recorder.md describes the file.

Examples:
  mockplatform record --upstream https://sandbox.promopult.org --out sandbox.jsonl --keys keys.yaml
  mockplatform record --upstream https://api.any.money --out anymoney.jsonl --listen 127.0.0.1:0
  mockplatform record --upstream https://sandbox.promopult.org --out sandbox.jsonl --keys keys.yaml --notify http://127.0.0.1:8080 --notify-listen :8092
  contract drift --journal sandbox.jsonl`
}

// Run records until ctx is done.
func (c *recordCmd) Run(ctx context.Context, log *slog.Logger) error {
	cfg, err := c.config()
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	cfg.Log = log
	r, err := recorder.New(cfg)
	if err != nil {
		return err
	}
	ready := []any{"url", r.URL(), "upstream", cfg.Upstream.Host, "out", c.Out}
	if cfg.Notify != nil {
		ready = append(ready, "notify", r.NotifyURL())
	}
	log.Info("ready", ready...)
	err = r.Run(ctx)
	log.Info("stopped", "recorded", r.Lines(), "out", c.Out)
	return err
}

// config turns flags into a configuration; every fault is named at once.
func (c *recordCmd) config() (cfg recorder.Config, err error) {
	cfg = recorder.Config{Listen: c.Listen, NotifyListen: c.NotifyListen, Out: c.Out, Timeout: c.Timeout, Learned: c.Learned}
	var faults []error
	address := func(flag, text string) *url.URL {
		u, err := url.Parse(text)
		switch {
		case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
			faults = append(faults, fmt.Errorf("%s: is no address such as https://sandbox.promopult.org", flag))
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			faults = append(faults, fmt.Errorf("%s: must have no user, query or fragment", flag))
		}
		return u
	}
	cfg.Upstream = address("--upstream", c.Upstream)
	if c.Notify != "" {
		cfg.Notify = address("--notify", c.Notify)
	}
	if c.Timeout <= 0 {
		faults = append(faults, fmt.Errorf("--timeout: %s is not positive", c.Timeout))
	}
	if c.Keys != "" {
		text, err := os.ReadFile(c.Keys)
		if err == nil {
			cfg.Keys, err = recorder.ParseKeys(text, os.LookupEnv)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("--keys: %w", err))
		}
	}
	if c.UpstreamCA != "" {
		if cfg.RootCAs, err = x509.SystemCertPool(); err != nil {
			cfg.RootCAs = x509.NewCertPool()
		}
		text, err := os.ReadFile(c.UpstreamCA)
		if err != nil || !cfg.RootCAs.AppendCertsFromPEM(text) {
			faults = append(faults, fmt.Errorf("--upstream-ca: %s has no certificate in PEM (%v)", c.UpstreamCA, err)) //nolint:errorlint // for people; it may be nil
		}
	}
	return cfg, errors.Join(faults...)
}
