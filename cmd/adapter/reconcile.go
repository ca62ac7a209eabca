package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/reconcile"
	"github.com/partnerkit/partnerkit/adapter/web"
)

// booksFlags say how the platform's books are to be read.
type booksFlags struct {
	PlatformZone string        `group:"Platform's books" default:"any" placeholder:"ZONE" help:"Time zone of the platform's days, such as Europe/Moscow. It is not documented; any takes every zone to be possible, which is slower to prove things. Default: ${default}."`
	SoleSource   bool          `group:"Platform's books" help:"Nothing but this adapter tops up these users at the platform: no card payments in its page, no other program. Only then can evidence also confirm a payment in doubt, and money at the platform that we know nothing of is a difference."`
	Settle       time.Duration `group:"Platform's books" default:"1h" placeholder:"TIME" help:"How late the platform may carry out a call that timed out, and how far its figures may lag. Payments in doubt are looked at after twice that. Default: ${default}."`
	LookEvery    time.Duration `group:"Platform's books" default:"1m" placeholder:"TIME" help:"How often payments in doubt are looked for; about each of them the platform is asked ever more rarely, up to every 6h. Default: ${default}."`
}

func (f booksFlags) faults() (faults []error) {
	if _, err := reconcile.NewCalendar(f.PlatformZone); err != nil {
		faults = append(faults, fmt.Errorf("--platform-zone: %w", err))
	}
	if f.Settle <= 0 {
		faults = append(faults, errors.New("--settle: must be positive"))
	}
	if f.LookEvery <= 0 {
		faults = append(faults, errors.New("--look-every: must be positive"))
	}
	return faults
}

// reconcile is the configuration that the flags say.
func (f booksFlags) reconcile(pol adapter.Policy, metrics *web.Metrics, log *slog.Logger) reconcile.Config {
	calendar, _ := reconcile.NewCalendar(f.PlatformZone) // faults has checked it
	return reconcile.Config{
		Policy: pol, Calendar: calendar, Sole: f.SoleSource, Settle: f.Settle, Every: f.LookEvery, Log: log,
		OnStep: func(p adapter.Payment, _ adapter.Event) { metrics.Stepped(p) },
	}
}
