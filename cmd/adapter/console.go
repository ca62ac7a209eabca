package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/console"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/web"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
)

// mountConsole adds the operators' pages to the service.
func mountConsole(server *web.Server, st *store.Store, service *adapter.Service, verify func(context.Context, string) (console.Grant, error), log *slog.Logger) {
	pages := console.New(console.Config{
		Store:  st,
		Verify: verify,
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
