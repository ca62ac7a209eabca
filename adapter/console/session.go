package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/partnerkit/partnerkit/internal/page"
)

const cookieName = "partnerkit_console"

// errNoSession says that nobody is logged in.
var errNoSession = errors.New("no session")

// session returns what the token in the cookie allows now.
func (h *handler) session(r *http.Request) (Grant, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return Grant{}, errNoSession
	}
	grant, err := h.Verify(r.Context(), c.Value)
	if err == nil && !grant.may(ScopeRead) {
		err = errNoSession
	}
	return grant, err
}

// loginForm is the page of somebody who is not logged in.
type loginForm struct {
	page.View
	Next  string
	Error string // a key of the texts under "login.error."; "" for none
}

func (h *handler) loginPage(w http.ResponseWriter, r *http.Request) {
	h.render(w, http.StatusOK, "login", &loginForm{View: site.View(w, r, h.Now()), Next: r.URL.Query().Get("next")})
}

// login takes an API token and leads to where the reader wanted to go.
func (h *handler) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	view := site.View(w, r, h.Now())
	if err := r.ParseForm(); err != nil {
		h.render(w, http.StatusBadRequest, "login", &loginForm{View: view, Error: "form"})
		return
	}
	form := &loginForm{View: view, Next: r.PostForm.Get("next")}
	token := strings.TrimSpace(r.PostForm.Get("token"))
	grant, err := h.Verify(r.Context(), token)
	switch {
	case token == "":
		form.Error = "empty"
	case err != nil:
		form.Error = "token"
		h.Log.WarnContext(r.Context(), "login to the console refused", "err", err)
	case !grant.may(ScopeRead):
		form.Error = "scope"
	}
	if form.Error != "" {
		h.render(w, http.StatusForbidden, "login", form)
		return
	}
	setCookie(w, r, token, int(grant.Expires.Sub(h.Now()).Seconds()))
	h.Log.InfoContext(r.Context(), "logged in to the console", "who", grant.Name)
	seeOther(w, within(form.Next))
}

func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	setCookie(w, r, "", -1)
	seeOther(w, Base+"login")
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	//nolint:gosec // it is Secure wherever the page is; a first try on a laptop speaks plain HTTP
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/console", MaxAge: maxAge,
		HttpOnly: true, Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https", SameSite: http.SameSiteLaxMode,
	})
}

// within returns an address of the console: next, if it is one. Nobody is led elsewhere by
// whoever wrote the link to the login page.
func within(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, Base) || strings.Contains(u.Path, "..") {
		return Base
	}
	return u.RequestURI()
}
