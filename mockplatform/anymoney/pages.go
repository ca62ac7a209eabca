package anymoney

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// Methods of the journal for what payers do at the pages.
const (
	MethodPage   = "sci.page"
	MethodChoose = "sci.choose"
	MethodPay    = "sci.pay"
	MethodRefuse = "sci.refuse"
	MethodCancel = "sci.cancel"
)

//go:embed page
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "page/*.html"))

// orderPage is what the template of an order gets.
type orderPage struct {
	Checkout
	Final   bool
	Refused string // why the latest action was refused; "" for nothing
	Back    string // address of the shop; "" for none
}

// refusedPage is what the template of a refusal gets, as the address of the error page has it.
type refusedPage struct{ Code, Message, Field string }

// sci serves the form and the pages for payers below a root, which is a path without a slash
// at its end.
func (h *handler) sci(root string) http.Handler {
	r := mux.NewRouter().SkipClean(true)
	at := r
	if root != "" {
		at = r.PathPrefix(root).Subrouter()
	}
	at.HandleFunc("/invoice", h.serveForm)
	at.HandleFunc("/{lang:(?:(?:ru|en)/)?}", func(w http.ResponseWriter, r *http.Request) {
		h.servePage(w, r, http.StatusOK, "paylink", root, nil)
	})
	at.HandleFunc("/paylink.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, pageFiles, "page/paylink.js")
	})
	at.HandleFunc("/error", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		h.servePage(w, r, http.StatusOK, "refused", refusedPage{q.Get("code"), q.Get("message"), q.Get("field")}, nil)
	})
	at.HandleFunc("/order/{token}", h.serveOrder)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.servePage(w, r, http.StatusNotFound, "refused", refusedPage{"404", "there is no such page", ""},
			&Refusal{Check: CheckPath, Error: wire.NotFound(), Detail: "there is no such page"})
	})
	return r
}

// serveOrder shows an order to its payer, and does what the payer decides.
func (h *handler) serveOrder(w http.ResponseWriter, r *http.Request) {
	token := mux.Vars(r)["token"]
	var refused *Refusal
	c := h.begin(r, MethodPage)
	if r.Method == http.MethodPost {
		if refused = c.read(w); refused == nil {
			refused = c.decide(token)
		}
	}
	shown, ok := h.p.Checkout(token)
	if !ok {
		refused = refusal(CheckFound, wire.NotFound())
		c.render(w, http.StatusNotFound, "refused", refusedPage{"404", "there is no such order", ""}, refused)
		return
	}
	c.exchange.Partner, c.exchange.Payment = shown.Order.Owner, shown.Order.ExternalID
	page := orderPage{Checkout: shown, Final: shown.Order.Status.Final()}
	if invoice := shown.Order.Invoice; invoice != nil {
		page.Back = webAddress(invoice.RedirectURL)
	}
	status := http.StatusOK
	if refused != nil {
		status, page.Refused = http.StatusUnprocessableEntity, refused.Error.Error()
		if refused.Detail != "" {
			page.Refused = refused.Detail
		}
	} else if r.Method == http.MethodPost { // so that a reload does not do it again
		w.Header().Set("Location", r.URL.Path)
		status = http.StatusSeeOther
	}
	c.render(w, status, "order", page, refused)
}

// decide does what the form of an order's page asks for.
func (c *call) decide(token string) *Refusal {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return &Refusal{Check: CheckForm, Error: wire.ParseError()}
	}
	switch form.Get("action") {
	case "choose":
		c.exchange.Method = MethodChoose
		return c.p.Choose(token, form.Get(wire.FieldPayway))
	case "pay":
		c.exchange.Method = MethodPay
		return c.p.Pay(token)
	case "refuse":
		c.exchange.Method = MethodRefuse
		return c.p.Refuse(token)
	case "cancel":
		c.exchange.Method = MethodCancel
		return c.p.Cancel(token)
	}
	return &Refusal{Check: CheckForm, Error: wire.MethodNotFound(), Detail: "action is none of choose, pay, refuse, cancel"}
}

// webAddress returns an address that browsers may be led to, or "".
func webAddress(address string) string {
	if u, err := url.Parse(address); err != nil || !isWeb(u) {
		return ""
	}
	return address
}

// servePage answers with a page that does nothing.
func (h *handler) servePage(w http.ResponseWriter, r *http.Request, status int, name string, data any, refused *Refusal) {
	h.begin(r, MethodPage).render(w, status, name, data, refused)
}

// render answers with a page and records that.
func (c *call) render(w http.ResponseWriter, status int, name string, data any, refused *Refusal) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		c.p.cfg.Log.Error("a page could not be made", "page", name, "err", err)
		status = http.StatusInternalServerError
	}
	answer := &reply{status: status, header: w.Header(), body: body.Bytes()}
	answer.header.Set("Content-Type", "text/html; charset=utf-8")
	answer.header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	answer.header.Set("X-Content-Type-Options", "nosniff")
	answer.header.Set("Referrer-Policy", "no-referrer") // the address holds the token
	answer.header.Set("Cache-Control", "no-store")
	c.record(answer, refused)
	answer.write(w)
}
