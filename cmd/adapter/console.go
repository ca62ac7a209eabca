package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/console"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/token"
	"github.com/partnerkit/partnerkit/adapter/web"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
)

// mountConsole adds the operators' pages to the service. tokens are the API's.
func mountConsole(server *web.Server, tokens *token.API, st *store.Store, service *adapter.Service, log *slog.Logger) {
	pages := console.New(console.Config{
		Store: st,
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
			return console.Waiting{Unfinished: s.Unfinished, Oldest: s.Oldest}, err
		},
		Account: func(ctx context.Context, user string) (console.Account, error) {
			b, err := st.Balance(ctx, user)
			return console.Account(b), err
		},
		Statement: func(ctx context.Context, user string, before int64, limit int) ([]console.Entry, error) {
			transfers, err := st.Statement(ctx, user, before, limit)
			entries := make([]console.Entry, len(transfers))
			for i, t := range transfers {
				entries[i] = entry(t)
			}
			return entries, err
		},
		Resolve: service.Resolve, Act: st.Act, Now: time.Now, Log: log,
	})
	server.Handle("/console", pages)
	server.Handle(console.Base+"{page:.*}", pages)
	server.Handle(page.AssetPrefix+"{file:.*}", page.Assets())
}

// entry is a transfer as a user's statement shows it: what it changed of either part.
func entry(t ledger.Transfer) console.Entry {
	change := func(account ledger.Account) money.Amount {
		switch account {
		case t.Credit:
			return t.Amount
		case t.Debit:
			return t.Amount.Neg()
		}
		return money.New(0, t.Amount.Currency())
	}
	return console.Entry{
		Num: t.Num, At: t.At, Move: t.Move, Payment: t.Payment, Note: t.Note,
		Change: change(ledger.Available), Held: change(ledger.Reserved), After: console.Account(t.After),
	}
}
