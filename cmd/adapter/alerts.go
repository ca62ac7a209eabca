package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/alert"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/web"
)

// alertFlags say where operators are told of what needs them.
type alertFlags struct {
	AlertURL    string `group:"Alerts" placeholder:"URL" help:"Where alerts are sent, signed as Standard Webhooks prescribes: payments in doubt, refusals in a row, a platform that does not answer, books that differ. Without it they are only logged."`
	AlertSecret secret `group:"Alerts" placeholder:"KEY" help:"What alerts are signed with: whsec_ and 24 to 64 bytes in base64, or file:NAME of a file with it; two of them, separated by a space, while the receiver changes."`
}

func (f alertFlags) faults() (faults []error) {
	if f.AlertURL == "" {
		if f.AlertSecret != "" {
			faults = append(faults, errors.New("--alert-url: is missing, but --alert-secret is given"))
		}
		return faults
	}
	if err := checkURL(f.AlertURL); err != nil {
		faults = append(faults, fmt.Errorf("--alert-url: %w", err))
	}
	if _, err := alert.ParseKeys(string(f.AlertSecret)); err != nil {
		faults = append(faults, fmt.Errorf("--alert-secret: %w", err))
	}
	return faults
}

// watchFlags say what is worth an alert.
type watchFlags struct {
	AlertRefusals   int           `group:"Alerts" default:"10" placeholder:"N" help:"So many refusals in a row are worth an alert. Default: ${default}."`
	BreakerFailures int           `group:"Alerts" default:"20" placeholder:"N" help:"After so many calls in a row without an answer a platform or the billing is left alone for a while, and payments wait without spending tries. 0 never does. Default: ${default}."`
	BreakerPause    time.Duration `group:"Alerts" default:"5s" placeholder:"TIME" help:"How long, before one call tries again. Default: ${default}."`
	VerifyEvery     time.Duration `group:"Alerts" default:"24h" placeholder:"TIME" help:"How often the running service audits its books, as ledger verify does. 0 never does. Default: ${default}."`
}

func (f watchFlags) faults() (faults []error) {
	if f.AlertRefusals < 1 || f.AlertRefusals > 500 { // store.Refusals looks at the newest 1000 payments
		faults = append(faults, errors.New("--alert-refusals: must be from 1 to 500"))
	}
	if f.BreakerFailures < 0 || f.BreakerFailures > 1_000_000 {
		faults = append(faults, errors.New("--breaker-failures: must be from 0 to 1000000"))
	}
	if f.BreakerPause < 100*time.Millisecond || f.BreakerPause > time.Hour {
		faults = append(faults, errors.New("--breaker-pause: must be from 100ms to 1h"))
	}
	if f.VerifyEvery != 0 && f.VerifyEvery < time.Minute {
		faults = append(faults, errors.New("--verify-every: must be 0 or at least 1m"))
	}
	return faults
}

// alerts returns the alerts; nil, which is silent, without an address.
func (f alertFlags) alerts(st *store.Store, refusals int, log *slog.Logger) (*alert.Alerts, error) {
	if f.AlertURL == "" {
		return nil, nil
	}
	keys, err := alert.ParseKeys(string(f.AlertSecret))
	if err != nil {
		return nil, err
	}
	return alert.New(st, alert.Config{
		URL: f.AlertURL, Keys: keys, Refusals: refusals, NewID: func() string { return "msg_" + rand.Text() }, Log: log,
		Waiting: func(ctx context.Context) (doubts, refused int64, err error) {
			s, err := st.Stats(ctx)
			return s.Unfinished[adapter.InDoubt], s.MovesRefused(), err
		},
	})
}

// The systems that are called, as metrics, logs and alerts name them.
const (
	systemIntegra  = "integra"
	systemAnymoney = "anymoney"
	systemBilling  = "billing"
)

// breaker returns what leaves a system alone that does not answer; nil if that is off.
func (f watchFlags) breaker(system string, metrics *web.Metrics, alerts *alert.Alerts, log *slog.Logger) *outcall.Breaker {
	if f.BreakerFailures == 0 {
		return nil
	}
	metrics.Paused(system, false)
	cause := adapter.CausePaused
	if system != systemIntegra {
		cause += " " + system
	}
	return outcall.NewBreaker(outcall.BreakerConfig{Failures: f.BreakerFailures, Pause: f.BreakerPause, OnChange: func(paused bool) {
		metrics.Paused(system, paused)
		if paused {
			text := fmt.Sprintf("%s left %d calls in a row without an answer; what needs it waits until it answers", system, f.BreakerFailures)
			log.Error("platform paused", "platform", system, "reason", text)
			alerts.Raise(cause, text)
			return
		}
		log.Info("platform answers again", "platform", system)
		alerts.End(cause, system+" answers again")
	}})
}

// auditor audits the books.
type auditor struct {
	st      *store.Store
	metrics *web.Metrics
	alerts  *alert.Alerts
	log     *slog.Logger
}

func (a auditor) audit(ctx context.Context) error {
	r, err := a.st.Verify(ctx)
	if err != nil {
		return err
	}
	a.metrics.Verified(len(r.Differences), time.Now())
	if r.Clean() {
		a.log.InfoContext(ctx, "the books balance", "payments", r.Payments, "transfers", r.Transfers)
		a.alerts.End(adapter.CauseImbalance, "the books balance again")
		return nil
	}
	for _, d := range r.Differences[:min(len(r.Differences), 20)] {
		a.log.ErrorContext(ctx, "the books differ", "difference", d.String())
	}
	a.alerts.Raise(adapter.CauseImbalance, fmt.Sprintf("the books do not balance, %d differences, the first: %s; see adapter ledger verify", len(r.Differences), r.Differences[0]))
	return nil
}

type alertsCmd struct {
	List listAlertsCmd `cmd:"" help:"List alerts, newest first, and what became of them." example:"adapter alerts list --limit 5"`
	Test testAlertCmd  `cmd:"" help:"Send a test alert and say whether it was taken." example:"adapter alerts test --alert-url https://desk.example.com/hook --alert-secret file:alert-secret"`
}

type listAlertsCmd struct {
	databaseFlags
	outputFlags
	Before int64 `placeholder:"NUM" help:"Go on before this alert."`
	Limit  int   `default:"50" placeholder:"N" help:"How many at most. Default: ${default}."`
}

// Run lists alerts.
func (c listAlertsCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	alerts, err := st.Alerts(ctx, c.Before, c.Limit)
	if err != nil {
		return err
	}
	type row struct {
		Num       int64  `json:"num"`
		ID        string `json:"id"`
		At        string `json:"at"`
		Cause     string `json:"cause"`
		Over      bool   `json:"over"`
		Text      string `json:"text"`
		Attempts  int    `json:"attempts"`
		Delivered string `json:"delivered_at,omitempty"`
		Next      string `json:"next_at,omitempty"`
		Problem   string `json:"problem,omitempty"`
	}
	rows := make([]row, len(alerts))
	t := table{head: []string{"NUM", "AT", "CAUSE", "", "SENT", "TEXT"}}
	for i, a := range alerts {
		rows[i] = row{a.Num, a.ID, stamp(a.At), a.Cause, a.Over, a.Text, a.Attempt, stamp(a.DeliveredAt), stamp(a.NextAt), a.Problem}
		what, sent := "raised", "given up: "+a.Problem
		if a.Over {
			what = "over"
		}
		switch {
		case !a.DeliveredAt.IsZero():
			sent = stamp(a.DeliveredAt)
		case !a.NextAt.IsZero():
			sent = fmt.Sprintf("%d attempts, next %s %s", a.Attempt, stamp(a.NextAt), a.Problem)
		}
		t.add(strconv.FormatInt(a.Num, 10), stamp(a.At), a.Cause, what, sent, a.Text)
	}
	return c.print(out, rows, t.String())
}

type testAlertCmd struct {
	databaseFlags
	alertFlags
}

// Run sends a test alert.
func (c testAlertCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) (err error) {
	faults := c.alertFlags.faults()
	if c.AlertURL == "" && len(faults) == 0 {
		faults = append(faults, errors.New("--alert-url: is missing"))
	}
	if err := refuse(c.databaseFlags.faults(), faults); err != nil {
		return err
	}
	st, err := openStore(ctx, c.databaseFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	alerts, err := c.alerts(st, 1, log)
	if err != nil {
		return err
	}
	if err := by.act(ctx, st, "", c.AlertURL, alerts.Test); err != nil {
		return fmt.Errorf("the alert was not taken: %w", err)
	}
	_, err = fmt.Fprintln(out, "taken")
	return err
}
