package webui

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/partnerkit/partnerkit/internal/page"
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
	view := h.view(w, r)
	if r.URL.Query().Has(page.LiveParam) {
		h.live(w, r, view, "users-live", func(view page.View) page.Page { return h.usersPage(view) })
		return
	}
	p := &usersPage{}
	if r.Method == http.MethodPost {
		form, why := readForm(w, r)
		if why == nil {
			p.Amount = form.Get("amount")
			why = h.call(r.Context(), http.MethodPost, "/integra/users/"+form.Get("user")+"/topups",
				map[string]string{"amount": p.Amount, "via": cmp.Or(form.Get("via"), string(integra.ViaPartner))}, nil)
		}
		if why == nil {
			seeOther(w, view.With("user", form.Get("user")))
			return
		}
		p.Problem = why
	}
	shown := h.usersPage(view)
	shown.Amount, shown.Problem = p.Amount, p.Problem
	h.render(w, p.Problem, "users", shown)
}

func (h *handler) usersPage(view page.View) *usersPage {
	p := &usersPage{frame: h.frame(view, "users"), Users: h.Integra.Users()}
	slices.Reverse(p.Users) // whoever came last is whom a developer looks for
	if hash := p.Get("user"); hash != "" {
		if u, ok := h.Integra.User(hash, shownPayments); ok {
			p.Chosen = &u
		}
	}
	return p
}
