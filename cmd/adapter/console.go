package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/console"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/token"
	"github.com/partnerkit/partnerkit/internal/page"
)

// mountConsole adds the operators' pages to the service. tokens are the API's.
func (s *service) mountConsole(tokens *token.API) {
	cfg := console.Config{
		Store: s.store, Balances: s.looks.balances(s.store), Billing: s.looks.billing != nil, Export: printDays,
		ExportStatement: func(w io.Writer, transfers iter.Seq2[ledger.Transfer, error]) error {
			return api.WriteStatement(w, func(yield func(api.Transfer, error) bool) {
				for t, err := range transfers {
					if !yield(api.ShowTransfer(t), err) {
						return
					}
				}
			})
		},
		Verify: func(ctx context.Context, text string) (console.Grant, error) {
			g, err := tokens.Verify(text)
			if err != nil {
				return console.Grant{}, err
			}
			revoked, err := s.store.TokenRevoked(ctx, g.ID)
			if err != nil {
				return console.Grant{}, err
			}
			if revoked {
				return console.Grant{}, errors.New("the token is revoked")
			}
			grant := console.Grant{Name: g.Name, Scopes: map[string]bool{}, Expires: g.Expires}
			for _, scope := range g.Scopes {
				grant.Scopes[scope] = true
			}
			return grant, nil
		},
		Waiting: func(ctx context.Context) (console.Waiting, error) {
			now, err := s.store.Stats(ctx)
			return console.Waiting{Unfinished: now.Unfinished, Oldest: now.Oldest, MovesRefused: now.MovesRefused()}, err
		},
		Resolve: s.payments.Resolve, Now: time.Now, Log: s.log,
	}
	if s.daily != nil {
		cfg.Reconciler = s.daily
	}
	pages := console.New(cfg)
	s.server.Handle("/console", pages)
	s.server.Handle(console.Base+"{page:.*}", pages)
	s.server.Handle(page.AssetPrefix+"{file:.*}", page.Assets())
}
