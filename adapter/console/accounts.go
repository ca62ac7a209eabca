package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/sync/errgroup"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/contract/money"
)

// accountsPage is the list of users with what they have.
type accountsPage struct {
	frame
	Login  string
	Rows   []accountRow
	Older  string // link to the next page
	Newest string // link to the first page, where this is another
}

type accountRow struct {
	adapter.User
	Has holding
}

// holding is what a user has, as far as it is known.
type holding struct {
	ledger.Balance
	Known bool
}

const (
	balanceWait = 2 * time.Second // for what the billing says; a page is shown without it
	balancesAt  = 8               // once
)

// holding returns what a user has. Nobody has nothing, and what the billing does not say is not known.
func (h *handler) holding(ctx context.Context, user string) (holding, error) {
	ctx, cancel := context.WithTimeout(ctx, balanceWait)
	defer cancel()
	b, err := h.Balances.Balance(ctx, user)
	switch {
	case err == nil:
		return holding{b, true}, nil
	case errors.Is(err, adapter.ErrNotFound):
		return holding{}, nil
	case h.Billing:
		h.Log.WarnContext(ctx, "the billing did not say what a user has", "user", user, "err", err)
		return holding{}, nil
	}
	return holding{}, err
}

func (h *handler) accounts(w http.ResponseWriter, r *http.Request, f frame) {
	f.Here = "accounts"
	p := &accountsPage{frame: f, Login: strings.TrimSpace(f.Get("login"))}
	if adapter.ValidUserHash(p.Login) {
		seeOther(w, Base+"accounts/"+p.Login)
		return
	}
	filter := adapter.UserFilter{Login: p.Login, After: f.Get("after"), Limit: perPage + 1}
	users, err := h.Store.Users(r.Context(), filter)
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	if len(users) > perPage {
		users = users[:perPage]
		p.Older = f.With("after", users[perPage-1].Hash)
	}
	if filter.After != "" {
		p.Newest = f.With("after", "")
	}
	p.Rows = make([]accountRow, len(users))
	ctx, cancel := context.WithTimeout(r.Context(), balanceWait) // for all of them
	defer cancel()
	ask, ctx := errgroup.WithContext(ctx)
	ask.SetLimit(balancesAt)
	for i, u := range users {
		ask.Go(func() (err error) {
			p.Rows[i].User = u
			p.Rows[i].Has, err = h.holding(ctx, u.Hash)
			return err
		})
	}
	if err := ask.Wait(); err != nil {
		h.broken(w, r, f, err)
		return
	}
	h.render(w, http.StatusOK, "accounts", p)
}

// accountPage is one user's account with its statement.
type accountPage struct {
	frame
	User     adapter.User
	Has      holding
	Chosen   span
	Wrong    string // the field that cannot be read: its key under "filter."
	Entries  []entry
	Older    string
	Newest   string
	Filtered bool
	File     string // the address of the whole as CSV
}

// entry is a transfer as the user sees it.
type entry struct{ ledger.Transfer }

// Change is what it did to what is available.
func (e entry) Change() money.Amount { return e.change(ledger.Available) }

// Held is what it did to what is reserved.
func (e entry) Held() money.Amount { return e.change(ledger.Reserved) }

func (e entry) change(account ledger.Account) money.Amount {
	switch account {
	case e.Credit:
		return e.Amount
	case e.Debit:
		return e.Amount.Neg()
	}
	return money.New(0, e.Amount.Currency())
}

func (h *handler) account(w http.ResponseWriter, r *http.Request, f frame) {
	f.Here = "accounts"
	p := &accountPage{frame: f, Chosen: spanOf(f)}
	hash := mux.Vars(r)["user"]
	var err error
	if p.User, err = h.Store.User(r.Context(), hash); errors.Is(err, adapter.ErrNotFound) {
		h.note(w, http.StatusNotFound, f, note{Key: "stranger", User: hash})
		return
	}
	p.Subject = p.User.Login
	if err == nil {
		p.Has, err = h.holding(r.Context(), hash)
	}
	if err == nil && !h.Billing {
		err = h.statement(r.Context(), p)
	}
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	status := http.StatusOK
	if p.Wrong != "" {
		status = http.StatusBadRequest
	}
	h.render(w, status, "account", p)
}

// statement reads what the address asks for.
func (h *handler) statement(ctx context.Context, p *accountPage) error {
	filter := ledger.StatementFilter{Before: cursor(p.frame), Limit: perPage + 1}
	p.Filtered = p.Chosen != span{}
	if filter.From, filter.To, p.Wrong = p.Chosen.times(); p.Wrong != "" {
		return nil
	}
	transfers, err := h.Store.Statement(ctx, p.User.Hash, filter)
	if err != nil {
		return err
	}
	if len(transfers) > perPage {
		transfers = transfers[:perPage]
		p.Older = p.With("before", strconv.FormatInt(transfers[perPage-1].Num, 10))
	}
	p.File = Base + "accounts/" + p.User.Hash + ".csv"
	if p.Filtered {
		p.File += "?" + url.Values{"from": {p.Chosen.From}, "to": {p.Chosen.To}}.Encode()
	}
	for _, t := range transfers {
		p.Entries = append(p.Entries, entry{t})
	}
	if filter.Before > 0 {
		p.Newest = p.With("before", "")
	}
	return nil
}

const (
	perPart  = 2 * perPage      // transfers that are read at once for a file
	partWait = 30 * time.Second // for a reader to take them
)

// statementFile sends what the address chooses of a statement, all pages of it, as a file. It is read
// and sent part by part, however long it is; whoever gets it with an end has the whole.
func (h *handler) statementFile(w http.ResponseWriter, r *http.Request, f frame) {
	hash := mux.Vars(r)["user"]
	filter := ledger.StatementFilter{Limit: perPart}
	var wrong string
	if filter.From, filter.To, wrong = spanOf(f).times(); wrong != "" {
		h.account(w, r, f) // which says what is wrong
		return
	}
	_, err := h.Store.User(r.Context(), hash)
	if err == nil && h.Billing {
		err = adapter.ErrNotFound // it has them
	}
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	attach(w, "csv", "statement-"+hash+".csv")
	out := http.NewResponseController(w)
	err = h.ExportStatement(w, func(yield func(ledger.Transfer, error) bool) {
		for {
			_ = out.SetWriteDeadline(time.Now().Add(partWait)) // where there is none, it needs no moving
			part, err := h.Store.Statement(r.Context(), hash, filter)
			if err != nil {
				yield(ledger.Transfer{}, err)
				return
			}
			for _, t := range part {
				if !yield(t, nil) {
					return
				}
			}
			if len(part) < perPart {
				return
			}
			filter.Before = part[perPart-1].Num
		}
	})
	if err != nil {
		h.Log.WarnContext(r.Context(), "a download was cut short", "path", r.URL.Path, "err", err)
		panic(http.ErrAbortHandler) // a part must not look like the whole
	}
}
