package integra

import (
	"fmt"
	"html"
	"net/http"
)

// pages draws what a user of the iframe sees.
type pages struct{ p *Platform }

// screen answers cryptLogin and iframe.
func (s *pages) screen(w http.ResponseWriter, _ *http.Request, session Session) {
	u, _ := s.p.User(session.User, 50)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><title>Integra</title><p>%s: %s", html.EscapeString(u.Login), u.Balance)
}

// live answers a request for the changes of the screen: one with the query parameter "live".
func (s *pages) live(w http.ResponseWriter, r *http.Request, session Session) {
	s.screen(w, r, session)
}

// toppedUp answers the form of the screen: a POST to its own address with "amount" and "via".
// err is nil or a *Refusal.
func (s *pages) toppedUp(w http.ResponseWriter, r *http.Request, session Session, _ Payment, err error) {
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintln(w, err)
		return
	}
	http.Redirect(w, r, session.Address, http.StatusSeeOther)
}

// refused answers a request for the screen that is not let in.
func (s *pages) refused(w http.ResponseWriter, _ *http.Request, refusal *Refusal) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(refusal.pageStatus())
	fmt.Fprintf(w, "<!doctype html><title>Integra</title><p>%s", html.EscapeString(refusal.Message))
}
