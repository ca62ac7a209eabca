package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/reconcile"
	"github.com/partnerkit/partnerkit/adapter/web"
)

// booksFlags say how the platform's books are to be read.
type booksFlags struct {
	PlatformZone string        `group:"Platform's books" default:"any" placeholder:"ZONE" help:"Time zone of the platform's days, such as Europe/Moscow. It is not documented; any takes every zone to be possible, which is slower to prove things. Default: ${default}."`
	SoleSource   bool          `group:"Platform's books" help:"Nothing but this adapter tops up these users at the platform: no card payments in its page, no other program. Only then can evidence also confirm a payment in doubt, and money at the platform that we know nothing of is a difference."`
	Settle       time.Duration `group:"Platform's books" default:"1h" placeholder:"TIME" help:"How late the platform may carry out a call that timed out, and how far its figures may lag. Payments in doubt are looked at after twice that. Default: ${default}."`
	ReconcileAt  string        `group:"Platform's books" default:"04:30" placeholder:"HH:MM" help:"Time of day, UTC, at which the last day that is over is compared with the platform's figures for every user that was active; off for only when somebody asks for it. Default: ${default}."`
	LookEvery    time.Duration `group:"Platform's books" default:"1m" placeholder:"TIME" help:"How often payments in doubt are looked for; about each of them the platform is asked ever more rarely, up to every 6h. Default: ${default}."`
}

func (f booksFlags) faults() (faults []error) {
	if _, err := reconcile.NewCalendar(f.PlatformZone); err != nil {
		faults = append(faults, fmt.Errorf("--platform-zone: %w", err))
	}
	if f.Settle <= 0 {
		faults = append(faults, errors.New("--settle: must be positive"))
	}
	if _, err := reconcile.ParseClock(f.ReconcileAt); err != nil && f.ReconcileAt != "off" {
		faults = append(faults, fmt.Errorf("--reconcile-at: %w, or off", err))
	}
	if f.LookEvery <= 0 {
		faults = append(faults, errors.New("--look-every: must be positive"))
	}
	return faults
}

// reconcile is the configuration that the flags say.
func (f booksFlags) reconcile(pol adapter.Policy, metrics *web.Metrics, log *slog.Logger) reconcile.Config {
	calendar, _ := reconcile.NewCalendar(f.PlatformZone) // faults has checked it and the next
	off := f.ReconcileAt == "off"
	clock, _ := reconcile.ParseClock(f.ReconcileAt)
	return reconcile.Config{
		Policy: pol, Calendar: calendar, Sole: f.SoleSource, Settle: f.Settle, Every: f.LookEvery, Log: log,
		OnStep:       func(p adapter.Payment, _ adapter.Event) { metrics.Stepped(p) },
		OnReconciled: metrics.Reconciled, Nightly: clock, NoNights: off, Currency: currency,
	}
}

type reconcileCmd struct {
	databaseFlags
	keyFlags
	platformFlags
	PlatformZone string        `group:"Platform's books" default:"any" placeholder:"ZONE" help:"As for serve."`
	SoleSource   bool          `group:"Platform's books" help:"As for serve."`
	Settle       time.Duration `group:"Platform's books" default:"1h" placeholder:"TIME" help:"As for serve."`
	Date         string        `placeholder:"DATE" help:"The platform's date, YYYY-MM-DD. Default: the last one that is over wherever the platform may be."`
	User         string        `placeholder:"HASH" help:"Only this user; without, everybody who was active on the date."`
	Format       string        `enum:"table,json,csv" default:"table" placeholder:"FORM" help:"table, json or csv. Default: ${default}."`
}

// Help is shown by reconcile --help.
func (reconcileCmd) Help() string {
	return `Compares what users paid to the platform on a day, here and there, keeps the result and prints it. The service does so by itself every night. The exit code is 1 if something differs or could not be read.

Examples:
  adapter reconcile --date 2026-11-03
  adapter reconcile --date 2026-11-03 --user HASH --format json`
}

// Run compares.
func (c reconcileCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	books := booksFlags{PlatformZone: c.PlatformZone, SoleSource: c.SoleSource, Settle: c.Settle, ReconcileAt: "off", LookEvery: time.Minute}
	faults := books.faults()
	date, parseErr := time.Parse(time.DateOnly, c.Date)
	if c.Date != "" && parseErr != nil {
		faults = append(faults, fmt.Errorf("--date: %q is no date such as 2026-11-03", c.Date))
	}
	if c.User != "" && !adapter.ValidUserHash(c.User) {
		faults = append(faults, errors.New("--user: must be 32 letters or digits"))
	}
	if err := refuse(faults, c.databaseFlags.faults(), c.keyFlags.faults(c.databaseFlags), c.platformFlags.faults()); err != nil {
		return err
	}
	keys, err := c.keyFlags.open(c.databaseFlags, log)
	if err != nil {
		return err
	}
	st, err := openStore(ctx, c.databaseFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	client, err := newClient(c.platformFlags, 1, st, keys, outcall.Watch{})
	if err != nil {
		return err
	}
	defer client.Close()
	var days []adapter.Reconciliation
	cfg := books.reconcile(policy(serveDefaults), nil, log)
	cfg.OnReconciled = func(r adapter.Reconciliation) { days = append(days, r) }
	daily := reconcile.NewDaily(st, client, cfg)
	if c.Date == "" {
		date = daily.LastDate()
	}
	if c.User == "" {
		err = daily.All(ctx, date)
	} else if _, err = st.User(ctx, c.User); err == nil {
		_, err = daily.User(ctx, c.User, date)
	}
	if err != nil {
		return err
	}
	if err := printDays(out, c.Format, days); err != nil {
		return err
	}
	wrong := 0
	for _, r := range days {
		if r.Result != adapter.ReconcileAgrees {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%s: of %d users %d differ or could not be read", date.Format(time.DateOnly), len(days), wrong)
	}
	return nil
}

// printDays prints comparisons in the form that was asked for: table, json or csv.
func printDays(out io.Writer, form string, days []adapter.Reconciliation) error {
	rows := make([]api.Reconciliation, len(days))
	for i, r := range days {
		rows[i] = api.ShowReconciliation(r)
	}
	if form == "json" {
		return outputFlags{JSON: true}.print(out, rows, "")
	}
	head := []string{"date", "user", "result", "credits", "refunds", "open", "income", "outcome", "difference", "payments", "text"}
	var cells [][]string
	for _, r := range rows {
		nums := strings.Trim(fmt.Sprint(r.Payments), "[]")
		cells = append(cells, []string{
			r.Date, r.User, r.Result, r.Credits, r.Refunds, strconv.Itoa(r.Open), r.Income, r.Outcome, r.Difference, nums, r.Text,
		})
	}
	if form == "csv" {
		w := csv.NewWriter(out)
		return errors.Join(w.Write(head), w.WriteAll(cells))
	}
	t := table{head: make([]string, len(head)), rows: cells}
	for i, h := range head {
		t.head[i] = strings.ToUpper(h)
	}
	return outputFlags{}.print(out, nil, t.String())
}
