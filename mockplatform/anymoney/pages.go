package anymoney

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
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
	c := h.begin(r, MethodPage)
	var refused *Refusal
	var form url.Values
	if r.Method == http.MethodPost {
		if refused = c.read(w); refused == nil {
			form, refused = c.decision()
		}
	}
	c.serve(w, true, func(*fault.Plan) *fault.Answer {
		if form != nil {
			refused = c.decide(token, form)
		}
		return c.showOrder(token, refused)
	})
}

// showOrder makes the page of an order, after an action that may have been refused.
func (c *call) showOrder(token string, refused *Refusal) *fault.Answer {
	shown, ok := c.p.Checkout(token)
	if !ok {
		refused = refusal(CheckFound, wire.NotFound())
		return c.render(http.StatusNotFound, "refused", refusedPage{"404", "there is no such order", ""}, refused)
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
	} else if c.request.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	answer := c.render(status, "order", page, refused)
	if status == http.StatusSeeOther { // so that a reload does not do it again
		answer.Header.Set("Location", c.request.URL.Path)
	}
	return answer
}

// decision reads the form of an order's page, and notes what it asks for.
func (c *call) decision() (url.Values, *Refusal) {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return nil, &Refusal{Check: CheckForm, Error: wire.ParseError()}
	}
	method, known := decisions[form.Get("action")]
	if !known {
		return nil, &Refusal{Check: CheckForm, Error: wire.MethodNotFound(), Detail: "action is none of choose, pay, refuse, cancel"}
	}
	c.exchange.Method = method
	return form, nil
}

// decisions are the actions of an order's page, with their names in the journal.
var decisions = map[string]string{"choose": MethodChoose, "pay": MethodPay, "refuse": MethodRefuse, "cancel": MethodCancel}

// decide does what the form of an order's page asks for.
func (c *call) decide(token string, form url.Values) *Refusal {
	switch c.exchange.Method {
	case MethodChoose:
		return c.p.Choose(token, form.Get(wire.FieldPayway))
	case MethodPay:
		return c.p.Pay(token)
	case MethodRefuse:
		return c.p.Refuse(token)
	}
	return c.p.Cancel(token)
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
	c := h.begin(r, MethodPage)
	c.serve(w, true, func(*fault.Plan) *fault.Answer { return c.render(status, name, data, refused) })
}

// render makes a page.
func (c *call) render(status int, name string, data any, refused *Refusal) *fault.Answer {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		c.p.cfg.Log.Error("a page could not be made", "page", name, "err", err)
		status = http.StatusInternalServerError
	}
	answer := &fault.Answer{Status: status, Header: http.Header{}, Body: body.Bytes()}
	answer.Header.Set("Content-Type", "text/html; charset=utf-8")
	answer.Header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	answer.Header.Set("X-Content-Type-Options", "nosniff")
	answer.Header.Set("Referrer-Policy", "no-referrer") // the address holds the token
	answer.Header.Set("Cache-Control", "no-store")
	c.note(refused)
	return answer
}
