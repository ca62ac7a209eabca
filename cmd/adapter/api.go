package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/adapter/reference"
	"github.com/partnerkit/partnerkit/adapter/token"
	"github.com/partnerkit/partnerkit/adapter/web"
	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

// apiFlags are those of the API for the partner's panel.
type apiFlags struct {
	APIRate      float64       `group:"API" name:"api-rate" default:"50" placeholder:"N" help:"Requests a second that one token may make; 0 for any number. Default: ${default}."`
	APIBurst     int           `group:"API" name:"api-burst" default:"100" placeholder:"N" help:"Requests that one token may make at once. Default: ${default}."`
	KeepAnswers  time.Duration `group:"API" default:"2160h" placeholder:"TIME" help:"How long the answers under idempotency keys are kept, so that repeats are answered alike. 0 keeps them for good. Default: ${default}."`
	APIPublicKey []string      `group:"API" name:"api-public-key" placeholder:"FILE" help:"Public key, Ed25519 or RSA in PEM, of whoever else mints tokens (EdDSA, RS256). Such a token's kid is the name of the file without its ending. May be repeated."`
}

func (f apiFlags) faults() (faults []error) {
	if f.APIRate < 0 || f.APIRate > 100_000 {
		faults = append(faults, errors.New("--api-rate: must be from 0 to 100000"))
	}
	if f.APIBurst < 1 || f.APIBurst > 100_000 {
		faults = append(faults, errors.New("--api-burst: must be from 1 to 100000"))
	}
	if f.KeepAnswers != 0 && f.KeepAnswers < 24*time.Hour {
		faults = append(faults, errors.New("--keep-answers: must be 0 or at least 24h"))
	}
	if _, err := f.publicKeys(); err != nil {
		faults = append(faults, fmt.Errorf("--api-public-key: %w", err))
	}
	return faults
}

// publicKeys reads the files.
func (f apiFlags) publicKeys() ([]token.PublicKey, error) {
	keys := make([]token.PublicKey, len(f.APIPublicKey))
	for i, file := range f.APIPublicKey {
		text, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, err
		}
		name := filepath.Base(file)
		if keys[i], err = token.ParsePublicKey(strings.TrimSuffix(name, filepath.Ext(name)), text); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// mountAPI adds the API to the service and, under the same tokens, the operators' console.
// payins are nil where Any.Money is off.
func (s *service) mountAPI(payins api.Payins) error {
	public, err := s.publicKeys()
	if err != nil {
		return err
	}
	tokens, err := apiTokens(s.keys, public...)
	if err != nil {
		return err
	}
	cfg := api.Config{
		Verify: verifier(tokens), Revoked: s.store.TokenRevoked, Rate: s.APIRate, Burst: s.APIBurst,

		Users:           integra.NewUsers(s.client, s.store, s.keys, s.endpoint, rand.Reader, time.Now),
		Payments:        s.payments,
		Balances:        s.looks.balances(s.store),
		Records:         s.store,
		Reconciliations: s.store,
		Actions:         s.store,
		Requests:        s.store,
		Currency:        currency,
		Payins:          payins,
		Store:           s.store,

		Act: s.store.Act, TraceID: web.TraceID, Version: program.Version(), Log: s.log,
	}
	if s.looks.billing == nil {
		cfg.Ledger = s.store
	}
	if s.daily != nil {
		cfg.Reconciler = s.daily
	}
	calls := api.New(cfg)
	s.server.Handle(strings.TrimSuffix(api.Base, "/"), calls)
	s.server.Handle(api.Base+"{call:(?s:.*)}", calls) // of every path, also one with a line break, it says itself that it is no call
	s.server.Handle("/openapi.json", calls, http.MethodGet)
	s.server.Handle(reference.Path, reference.New(calls, s.log), http.MethodGet, http.MethodHead)
	s.mountConsole(tokens)
	return nil
}

// verifier lets the API ask what a token allows.
func verifier(tokens *token.API) func(string) (api.Grant, error) {
	return func(text string) (api.Grant, error) {
		g, err := tokens.Verify(text)
		return api.Grant{ID: g.ID, Name: g.Name, Scopes: g.Scopes}, err
	}
}
