package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

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
	ledger.Balance
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
	for _, u := range users {
		balance, err := h.Store.Balance(r.Context(), u.Hash)
		if err != nil {
			h.broken(w, r, f, err)
			return
		}
		p.Rows = append(p.Rows, accountRow{u, balance})
	}
	h.render(w, http.StatusOK, "accounts", p)
}

// accountPage is one user's account with its statement.
type accountPage struct {
	frame
	User    adapter.User
	Balance ledger.Balance
	Entries []entry
	Older   string
	Newest  string
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
	p := &accountPage{frame: f}
	hash := mux.Vars(r)["user"]
	before, err := strconv.ParseInt(f.Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	var transfers []ledger.Transfer
	if p.User, err = h.Store.User(r.Context(), hash); err == nil {
		if p.Balance, err = h.Store.Balance(r.Context(), hash); err == nil {
			transfers, err = h.Store.Statement(r.Context(), hash, before, perPage+1)
		}
	}
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	if len(transfers) > perPage {
		transfers = transfers[:perPage]
		p.Older = f.With("before", strconv.FormatInt(transfers[perPage-1].Num, 10))
	}
	for _, t := range transfers {
		p.Entries = append(p.Entries, entry{t})
	}
	if before > 0 {
		p.Newest = f.With("before", "")
	}
	h.render(w, http.StatusOK, "account", p)
}
