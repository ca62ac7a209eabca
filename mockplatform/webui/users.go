package webui

import (
	"cmp"
	"net/http"
	"net/url"
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
	form, why, done := submitted(w, r, func(form url.Values) (string, *problem) {
		return view.With("user", form.Get("user")), h.call(r.Context(), http.MethodPost, "/integra/users/"+url.PathEscape(form.Get("user"))+"/topups",
			map[string]string{"amount": form.Get("amount"), "via": cmp.Or(form.Get("via"), string(integra.ViaPartner))}, nil)
	})
	if done {
		return
	}
	p := h.usersPage(view)
	p.Amount, p.Problem = form.Get("amount"), why
	h.render(w, why, "users", p)
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
