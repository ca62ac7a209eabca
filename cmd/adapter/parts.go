package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/term"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/token"
	"github.com/partnerkit/partnerkit/adapter/vault"
	wire "github.com/partnerkit/partnerkit/contract/integra"
)

// Here the flags become the parts that commands are put together from.

// openStore opens the database for one command beside a service that may be running.
func openStore(ctx context.Context, f databaseFlags, log *slog.Logger) (*store.Store, error) {
	return store.Open(ctx, store.Config{Database: f.Database, Currency: currency, Policy: policy(serveDefaults), Log: log})
}

// serveDefaults are the schedule of commands that carry a payment themselves.
var serveDefaults = serveFlags{Lease: 10 * time.Second, RetryFirst: 500 * time.Millisecond, RetryMax: 10 * time.Minute}

// policy is the schedule of the flags.
func policy(f serveFlags) adapter.Policy {
	return adapter.Policy{
		Lease:      f.Lease,
		DeclineFor: 24 * time.Hour,
		Retry: func(n int) time.Duration {
			return pause(n, f.RetryFirst, f.RetryMax, mathrand.Float64()) //nolint:gosec // it spreads retries, it keeps no secret
		},
	}
}

// pause is the n-th one of an exponential schedule, between half of it and the whole: dice,
// from 0 to 1, spreads payments that failed together.
func pause(n int, first, longest time.Duration, dice float64) time.Duration {
	schedule := backoff.ExponentialBackOff{InitialInterval: first, MaxInterval: longest, Multiplier: 2}
	schedule.Reset()
	d := first
	for range min(n, 64) {
		d = schedule.NextBackOff()
	}
	return d/2 + time.Duration(dice*float64(d/2))
}

// newClient returns the client of the platform.
func newClient(f platformFlags, connections int, users integra.UserSource, keys *vault.Vault, watch outcall.Watch) (*integra.Client, error) {
	cipher, err := wire.CipherByName(f.Cipher)
	if err != nil {
		return nil, err
	}
	return integra.NewClient(integra.ClientConfig{
		BaseURL: f.PlatformURL, PartnerPath: f.PartnerPath, Cipher: cipher,
		Partner: wire.Credentials{Hash: f.PartnerHash, Key: string(f.PartnerKey)}, PreviousKey: string(f.PartnerKeyPrevious),
		PanelLink: f.PanelLink, Resizer: f.PanelResizer,
		Timeout: f.CallTimeout, Connections: connections, Watch: watch,
	}, users, keys)
}

// newEndpoint returns where notifications come and what vouches for them.
func newEndpoint(f notifyFlags, tokens *token.Notify) (*integra.Endpoint, error) {
	var guard integra.Guard
	var err error
	switch f.NotifyAuth {
	case "secret":
		var previous []string
		if f.NotifySecretPrevious != "" {
			previous = []string{string(f.NotifySecretPrevious)}
		}
		guard, err = integra.GuardBySecret(string(f.NotifySecret), previous...)
	case "none":
		guard = integra.Unguarded()
	default:
		guard = integra.GuardByToken(tokens)
	}
	if err != nil {
		return nil, err
	}
	names := integra.Names{ID: f.ParamID, Amount: f.ParamAmount, Hash: f.ParamHash, Token: f.ParamToken}
	return integra.NewEndpoint(f.NotifyURLBase, names, guard)
}

// notifyTokens returns the mint of notify tokens, whose keys come from the master key.
func notifyTokens(keys *vault.Vault, ttl time.Duration, now func() time.Time) (*token.Notify, error) {
	k, err := token.NewKeys(keys.Secrets("notify tokens")...)
	if err != nil {
		return nil, err
	}
	return token.NewNotify(k, ttl, now)
}

// apiTokens returns the mint of API tokens, which also verifies what others sign.
func apiTokens(keys *vault.Vault, public ...token.PublicKey) (*token.API, error) {
	k, err := token.NewKeys(keys.Secrets("api tokens")...)
	if err != nil {
		return nil, err
	}
	return token.NewAPI(k, time.Now, public...)
}

// partner is what the commands about users and payments need.
type partner struct {
	store  *store.Store
	client *integra.Client
	users  *integra.Users
}

// openPartner opens all of it; close gives it back.
func openPartner(ctx context.Context, db databaseFlags, k keyFlags, p platformFlags, n notifyFlags, log *slog.Logger) (_ *partner, err error) {
	if err := refuse(db.faults(), k.faults(db), p.faults(), n.faults()); err != nil {
		return nil, err
	}
	keys, err := k.open(db, log)
	if err != nil {
		return nil, err
	}
	tokens, err := notifyTokens(keys, n.NotifyTokenTTL, time.Now)
	if err != nil {
		return nil, err
	}
	endpoint, err := newEndpoint(n, tokens)
	if err != nil {
		return nil, err
	}
	st, err := openStore(ctx, db, log)
	if err != nil {
		return nil, err
	}
	client, err := newClient(p, 1, st, keys, outcall.Watch{})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &partner{store: st, client: client, users: integra.NewUsers(client, st, keys, endpoint, rand.Reader, time.Now)}, nil
}

func (p *partner) close() error {
	p.client.Close()
	return p.store.Close()
}

// defaultLogFormat is text for a person and json for a machine.
func defaultLogFormat(w io.Writer) string {
	if isTerminal(w) {
		return "text"
	}
	return "json"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a descriptor is a small number
}

// logLevel reads --log-level.
func logLevel(text string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return level, fmt.Errorf("--log-level: %q is none of debug, info, warn, error", text)
	}
	return level, nil
}
