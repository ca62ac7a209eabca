package webui

import (
	"net/http"
	"slices"

	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

// usersPage is Integra's users, each with the button that tops up, and the payments of one.
type usersPage struct {
	frame
	Users   []integra.User
	Chosen  *integra.User
	Amount  string // as it was typed
	Problem *problem
}

// shownPayments is how many payments of a user the page lists.
const shownPayments = 50

// Badge is the kit's name of a payment's state.
func (usersPage) Badge(p integra.Payment) string { return badge(p) }

func (h *handler) users(w http.ResponseWriter, r *http.Request) {
	p := &usersPage{frame: frame{h.view(w, r), "users"}}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			p.Problem = &problem{Status: http.StatusBadRequest, Detail: err.Error()}
		} else {
			p.Amount = r.PostForm.Get("amount")
			p.Problem = h.call(r.Context(), http.MethodPost, "/integra/users/"+r.PostForm.Get("user")+"/topups",
				map[string]string{"amount": p.Amount, "via": "partner"}, nil)
			if p.Problem == nil {
				seeOther(w, p.With("user", r.PostForm.Get("user")))
				return
			}
		}
	}
	p.Users = h.Integra.Users()
	slices.Reverse(p.Users) // whoever came last is whom a developer looks for
	if hash := p.Get("user"); hash != "" {
		if u, ok := h.Integra.User(hash, shownPayments); ok {
			p.Chosen = &u
		}
	}
	h.render(w, p.Problem, "users", p)
}
