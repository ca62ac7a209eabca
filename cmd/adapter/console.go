package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/console"
	"github.com/partnerkit/partnerkit/adapter/reconcile"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/token"
	"github.com/partnerkit/partnerkit/adapter/web"
	"github.com/partnerkit/partnerkit/internal/page"
)

// mountConsole adds the operators' pages to the service. tokens are the API's.
func mountConsole(server *web.Server, tokens *token.API, st *store.Store, service *adapter.Service, funds funds, daily *reconcile.Daily, log *slog.Logger) {
	var reconciler console.Reconciler
	if daily != nil {
		reconciler = daily
	}
	pages := console.New(console.Config{
		Store: st, Balances: funds.balances(st), Billing: funds.billing != nil, Reconciler: reconciler, Export: printDays,
		Verify: func(ctx context.Context, text string) (console.Grant, error) {
			g, err := tokens.Verify(text)
			if err != nil {
				return console.Grant{}, err
			}
			revoked, err := st.TokenRevoked(ctx, g.ID)
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
			s, err := st.Stats(ctx)
			return console.Waiting{Unfinished: s.Unfinished, Oldest: s.Oldest, MovesRefused: s.MovesRefused()}, err
		},
		Resolve: service.Resolve, Now: time.Now, Log: log,
	})
	server.Handle("/console", pages)
	server.Handle(console.Base+"{page:.*}", pages)
	server.Handle(page.AssetPrefix+"{file:.*}", page.Assets())
}
