package main

import (
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/anymoney"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/store"
	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// anymoneyFlags say how to reach Any.Money and who we are there. Without them that half is off.
type anymoneyFlags struct {
	AnymoneyURL          string        `group:"Any.Money" name:"anymoney-url" placeholder:"URL" help:"Any.Money's address, for example https://api.any.money/. Without it that half is off."`
	AnymoneyMerchant     string        `group:"Any.Money" placeholder:"LID" help:"The merchant's number there."`
	AnymoneyKey          secret        `group:"Any.Money" placeholder:"KEY" help:"The merchant's API key, or file:NAME of a file with it. Not for the command line."`
	AnymoneyCallbackBase string        `group:"Any.Money" placeholder:"URL" help:"Where Any.Money reaches this adapter, for example https://pay.example.com. Without it orders are only looked at from time to time."`
	AnymoneyWindow       time.Duration `group:"Any.Money" default:"1m" placeholder:"TIME" help:"How old an answer or a callback may be. Default: ${default}."`
	AnymoneyAnswers      string        `group:"Any.Money" default:"signed" placeholder:"MODE" help:"Which answers are believed: signed, or any (TLS alone vouches; callbacks must be signed all the same). Default: ${default}."`
	AnymoneyPoll         time.Duration `group:"Any.Money" default:"1m" placeholder:"TIME" help:"How soon a new order is looked at if no callback came; the pause grows with its age, up to an hour. Default: ${default}."`
}

// on reports whether Any.Money is configured.
func (f anymoneyFlags) on() bool { return f.AnymoneyURL != "" }

func (f anymoneyFlags) faults() (faults []error) {
	if !f.on() {
		if f.AnymoneyMerchant != "" || f.AnymoneyKey != "" || f.AnymoneyCallbackBase != "" {
			faults = append(faults, errors.New("--anymoney-url: is missing, but other --anymoney flags are given"))
		}
		return faults
	}
	if err := checkURL(f.AnymoneyURL); err != nil {
		faults = append(faults, fmt.Errorf("--anymoney-url: %w", err))
	}
	if f.AnymoneyMerchant == "" {
		faults = append(faults, errors.New("--anymoney-merchant: is missing"))
	}
	if f.AnymoneyKey == "" {
		faults = append(faults, errors.New("--anymoney-key: is missing"))
	}
	if f.AnymoneyCallbackBase != "" {
		if err := checkURL(f.AnymoneyCallbackBase); err != nil {
			faults = append(faults, fmt.Errorf("--anymoney-callback-base: %w", err))
		}
	}
	if f.AnymoneyWindow < time.Second {
		faults = append(faults, errors.New("--anymoney-window: must be at least 1s"))
	}
	if f.AnymoneyAnswers != "signed" && f.AnymoneyAnswers != "any" {
		faults = append(faults, errors.New("--anymoney-answers: must be signed or any"))
	}
	if f.AnymoneyPoll < time.Second || f.AnymoneyPoll > longestPoll {
		faults = append(faults, errors.New("--anymoney-poll: must be from 1s to 1h"))
	}
	return faults
}

// required are the faults of a command that can do nothing without Any.Money.
func (f anymoneyFlags) required() []error {
	if !f.on() && len(f.faults()) == 0 {
		return []error{errors.New("--anymoney-url: is missing")}
	}
	return f.faults()
}

// callbackURL is where the platform tells of orders; "" for nowhere.
func (f anymoneyFlags) callbackURL() string {
	if f.AnymoneyCallbackBase == "" {
		return ""
	}
	return strings.TrimSuffix(f.AnymoneyCallbackBase, "/") + anymoney.CallbackPath
}

const longestPoll = time.Hour

// payinPolicy is the schedule of payins.
func payinPolicy(f anymoneyFlags) adapter.PayinPolicy {
	return adapter.PayinPolicy{
		Lease:     10 * time.Second,
		CreateFor: time.Hour,
		Ledger:    currency,
		Retry: func(n int) time.Duration {
			return pause(n, time.Second, 10*time.Minute, mathrand.Float64()) //nolint:gosec // it spreads retries, it keeps no secret
		},
		Poll: func(age time.Duration) time.Duration { return min(max(age/2, f.AnymoneyPoll), longestPoll) },
	}
}

// client returns the client of Any.Money.
func (f anymoneyFlags) client(watch outcall.Watch) (*anymoney.Client, error) {
	return anymoney.NewClient(anymoney.ClientConfig{
		URL: f.AnymoneyURL, Merchant: f.AnymoneyMerchant, Key: wire.Key(f.AnymoneyKey),
		Window: f.AnymoneyWindow, Unsigned: f.AnymoneyAnswers == "any", Watch: watch,
	})
}

// payins returns the payins of the client's merchant.
func (f anymoneyFlags) payins(client *anymoney.Client, st *store.Store, onStep func(adapter.Payin, adapter.PayinEvent), log *slog.Logger) (*anymoney.Payins, error) {
	return anymoney.NewPayins(st, client, anymoney.Config{Policy: payinPolicy(f), CallbackURL: f.callbackURL(), Log: log, OnStep: onStep})
}

// addAnymoney adds the half that speaks with Any.Money, and returns what makes payins: nil where
// Any.Money is off.
func (s *service) addAnymoney() (api.Payins, error) {
	if !s.on() {
		return nil, nil
	}
	client, err := s.anymoneyFlags.client(s.watch(systemAnymoney))
	if err != nil {
		return nil, err
	}
	payins, err := s.payins(client, s.store, s.metrics.PayinStepped, s.log)
	if err != nil {
		return nil, err
	}
	s.server.Handle(anymoney.CallbackPath, anymoney.NewReceiver(payins, anymoney.ReceiverConfig{
		Merchant: client.Merchant(), Key: wire.Key(s.AnymoneyKey), Window: s.AnymoneyWindow, Log: s.log, Observe: s.metrics.CalledBack,
	}))
	if !s.ReceiveOnly {
		s.background["payins"] = payins
	}
	return payins, nil
}
