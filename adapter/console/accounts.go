package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/adapter"
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
	Account
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
		account, err := h.Account(r.Context(), u.Hash)
		if err != nil {
			h.broken(w, r, f, err)
			return
		}
		p.Rows = append(p.Rows, accountRow{u, account})
	}
	h.render(w, http.StatusOK, "accounts", p)
}

// accountPage is one user's account with its statement.
type accountPage struct {
	frame
	User    adapter.User
	Account Account
	Entries []Entry
	Older   string
	Newest  string
}

func (h *handler) account(w http.ResponseWriter, r *http.Request, f frame) {
	f.Here = "accounts"
	p := &accountPage{frame: f}
	hash := mux.Vars(r)["user"]
	before, err := strconv.ParseInt(f.Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	if p.User, err = h.Store.User(r.Context(), hash); err == nil {
		if p.Account, err = h.Account(r.Context(), hash); err == nil {
			p.Entries, err = h.Statement(r.Context(), hash, before, perPage+1)
		}
	}
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	if len(p.Entries) > perPage {
		p.Entries = p.Entries[:perPage]
		p.Older = f.With("before", strconv.FormatInt(p.Entries[perPage-1].Num, 10))
	}
	if before > 0 {
		p.Newest = f.With("before", "")
	}
	h.render(w, http.StatusOK, "account", p)
}
