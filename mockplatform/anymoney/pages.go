package anymoney

import (
	"embed"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
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

// site are the pages of payers. Nobody may frame them: a click on them moves money.
var site = page.New(page.Config{Files: pageFiles, Dir: "page"})

const (
	liveEvery = 200 * time.Millisecond // between two changes of a page
	// liveKeep is the value of page.LiveParam of a page with an error about what was typed.
	liveKeep = "keep"
	// paramBack is the parameter of an order's page that leads back to the shop once the
	// order is final.
	paramBack = "back"
)

// orderPage is what the templates of an order get.
type orderPage struct {
	page.View
	Checkout
	Mood    page.Role
	Final   bool
	Refused string // a key of the texts under "error."; "" for nothing
	Detail  string // what the texts do not say of it
	Code    string // as it was typed
	Back    string // address of the shop; "" for none
	Leaving bool   // the browser goes there by itself
	Keep    bool   // a live part leaves the payer's input alone
}

// linkPage is what the page that leads from a paylink to its order gets.
type linkPage struct {
	page.View
	Root string // leads from the page's address to the root: "" or "../"
}

// refusedPage is what the page of a refusal gets.
type refusedPage struct {
	page.View
	Kind                 string // a key of the texts under "error."
	Code, Message, Field string // "" for what there is not
}

// sci serves the form and the pages for payers.
func (h *handler) sci() http.Handler {
	r := mux.NewRouter().SkipClean(true)
	at := r.PathPrefix(PathSCI).Subrouter()
	at.HandleFunc("/invoice", h.serveForm)
	at.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.serveLink(w, r, "") })
	at.HandleFunc("/{lang:ru|en}/", func(w http.ResponseWriter, r *http.Request) {
		h.serveLink(w, withLang(r, mux.Vars(r)["lang"]), "../")
	})
	at.HandleFunc("/paylink.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, pageFiles, "page/paylink.js")
	})
	at.HandleFunc("/error", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		h.serveRefusal(w, r, http.StatusOK, refusedPage{Code: q.Get("code"), Message: q.Get("message"), Field: q.Get("field")}, nil)
	})
	at.HandleFunc("/order/{token}", h.serveOrder)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.serveRefusal(w, r, http.StatusNotFound, refusedPage{Kind: "page"},
			&Refusal{Check: CheckPath, Error: wire.NotFound(), Detail: "there is no such page"})
	})
	return r
}

// withLang has a request ask for the language that its path names, unless it asks for one.
func withLang(r *http.Request, lang string) *http.Request {
	q := r.URL.Query()
	if lang == "" || q.Has("lang") {
		return r
	}
	q.Set("lang", lang)
	asked := r.Clone(r.Context())
	asked.URL.RawQuery = q.Encode()
	return asked
}

// serveLink leads from a paylink to its order. The token stands behind the #, where no server
// sees it, so that takes a script; for whoever has none the page asks for the token, and takes
// it as a parameter too.
func (h *handler) serveLink(w http.ResponseWriter, r *http.Request, root string) {
	c := h.begin(r, MethodPage)
	q := r.URL.Query()
	token := strings.TrimSpace(q.Get("token"))
	if _, pasted, ok := strings.Cut(token, "#token="); ok { // the whole paylink
		token = pasted
	}
	c.serve(w, true, func(*fault.Plan) *fault.Answer {
		var made traffic.Capture
		status := http.StatusOK
		if token != "" {
			q.Del("token")
			status = http.StatusSeeOther
			made.Header().Set("Location", withQuery(root+"order/"+url.PathEscape(token), q.Encode()))
		}
		return c.render(&made, status, "link", &linkPage{c.view(&made), root}, nil)
	})
}

// withQuery adds a query to an address, if there is one.
func withQuery(address, query string) string {
	if query == "" {
		return address
	}
	return address + "?" + query
}

// serveOrder shows an order to its payer, and does what the payer decides.
func (h *handler) serveOrder(w http.ResponseWriter, r *http.Request) {
	token := mux.Vars(r)["token"]
	if r.Method != http.MethodPost && r.URL.Query().Has(page.LiveParam) {
		h.serveLive(w, r, token)
		return
	}
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
		return c.showOrder(token, form.Get(wire.FieldCode), refused)
	})
}

// showOrder makes the page of an order, after an action with a code that may have been
// refused.
func (c *call) showOrder(token, code string, refused *Refusal) *fault.Answer {
	shown, ok := c.p.Checkout(token)
	if !ok {
		return c.refuse(http.StatusNotFound, refusedPage{Kind: "order"}, refusal(CheckFound, wire.NotFound()))
	}
	c.exchange.Partner, c.exchange.Payment = shown.Order.Owner, shown.Order.ExternalID
	var made traffic.Capture
	data := newOrderPage(c.view(&made), shown)
	status := http.StatusOK
	switch {
	case refused != nil && refused.Check == CheckState:
		status, data.Refused = http.StatusConflict, "state"
	case refused != nil:
		status = max(http.StatusUnprocessableEntity, refused.HTTP)
		data.Refused, data.Detail, data.Code = kindOf(refused.Message), refused.Detail, code
	case c.request.Method == http.MethodPost: // so that a reload does not do it again
		status = http.StatusSeeOther
		q := c.request.URL.Query()
		if data.Final && data.Back != "" {
			q.Set(paramBack, "1")
		}
		made.Header().Set("Location", withQuery(url.PathEscape(token), q.Encode()))
	case data.Leaving:
		made.Header().Set("Refresh", "5; url="+data.Back)
	}
	return c.render(&made, status, "order", data, refused)
}

func newOrderPage(view page.View, shown Checkout) *orderPage {
	data := &orderPage{View: view, Checkout: shown, Final: shown.Order.Status.Final(), Mood: page.Wait}
	switch shown.Order.Status {
	case wire.StatusDone:
		data.Mood = page.OK
	case wire.StatusFail, wire.StatusAbnormal:
		data.Mood = page.Bad
	case wire.StatusReject, wire.StatusExpired, wire.StatusCanceled:
		data.Mood = page.Ended
	}
	if invoice := shown.Order.Invoice; invoice != nil {
		data.Back = webAddress(invoice.RedirectURL)
	}
	data.Leaving = data.Final && data.Back != "" && view.Get(paramBack) != ""
	return data
}

// In is an amount in the incoming currency as the page shows it.
func (o *orderPage) In(a wire.Amount) string { return shownAmount(a, o.InDecimals) }

// Out is an amount in the outgoing currency as the page shows it.
func (o *orderPage) Out(a wire.Amount) string { return shownAmount(a, o.OutDecimals) }

// shownAmount writes 5.5 as 5.50 in currencies with two decimals, as people do.
func shownAmount(a wire.Amount, decimals int32) string {
	if decimals == 2 && a.Decimals() == 1 {
		return string(a) + "0"
	}
	return string(a)
}

// OnTop is what the payer pays on top of what was asked for; "" if the shop bears all of it.
func (o *orderPage) OnTop() wire.Amount {
	in, err := o.Order.Sums.In.Decimal()
	orig, err2 := o.Order.Sums.Orig.Decimal()
	if err != nil || err2 != nil || !in.GreaterThan(orig) {
		return ""
	}
	return wire.NewAmount(in.Sub(orig))
}

// serveLive sends the changes of an order's page.
func (h *handler) serveLive(w http.ResponseWriter, r *http.Request, token string) {
	changed, stop := h.p.Watch(token)
	defer stop()
	view := h.begin(r, MethodPage).view(w)
	if _, ok := h.p.Checkout(token); !ok {
		http.NotFound(w, r)
		return
	}
	err := page.Live(w, r, liveEvery, changed, func() ([]byte, error) {
		shown, ok := h.p.Checkout(token)
		if !ok {
			return site.HTML(view.Lang, "gone", &refusedPage{View: view, Kind: "order"})
		}
		view.Now = h.p.cfg.Clock.Now()
		data := newOrderPage(view, shown)
		data.Keep = r.URL.Query().Get(page.LiveParam) == liveKeep
		return site.HTML(view.Lang, "live", data)
	})
	if err != nil {
		h.p.cfg.Log.Info("a live page ended", "err", err)
	}
}

// decisions are the actions of an order's page, with their names in the journal.
var decisions = map[string]string{"choose": MethodChoose, "pay": MethodPay, "refuse": MethodRefuse, "cancel": MethodCancel}

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
	c.exchange.Secrets = secretsIn(wire.Object{{Name: wire.FieldCode, Value: wire.Text(form.Get(wire.FieldCode))}})
	return form, nil
}

// decide does what the form of an order's page asks for.
func (c *call) decide(token string, form url.Values) *Refusal {
	switch c.exchange.Method {
	case MethodChoose:
		return c.p.Choose(token, form.Get(wire.FieldPayway))
	case MethodPay:
		return c.p.Pay(token, strings.TrimSpace(form.Get(wire.FieldCode)))
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

// errorKinds are the errors that the texts have words for.
var errorKinds = []string{
	"EParamInvalid", "EParamSignInvalid", "EParamMerchantInvalid", "EParamFieldInvalid", "EParamCurrencyInvalid",
	"EParamPeriodInvalid", "EParamPeriodTooShort", "EParamPeriodTooLong", "EStateForbidden", "EStateCurrencyInactive",
	"EStateCurrencyUnavail", "EParamAmountTooBig", "EParamAmountTooSmall", "EParamCodeInvalid", "EParamPaywayInvalid",
	"EParamAmountFormatInvalid", "EStatePaywayInactive", "EStatePaywayUnavail", "EStateExchangeUnavail", "EParamUnique",
}

// kindOf is the key of an error's words.
func kindOf(message string) string {
	switch {
	case slices.Contains(errorKinds, message):
		return message
	case message == wire.CodeParse.Message():
		return "parse"
	}
	return "other"
}

// serveRefusal answers with the page of a refusal.
func (h *handler) serveRefusal(w http.ResponseWriter, r *http.Request, status int, data refusedPage, refused *Refusal) {
	c := h.begin(r, MethodPage)
	c.serve(w, true, func(*fault.Plan) *fault.Answer { return c.refuse(status, data, refused) })
}

// refuse makes the page of a refusal.
func (c *call) refuse(status int, data refusedPage, refused *Refusal) *fault.Answer {
	var made traffic.Capture
	data.View = c.view(&made)
	if data.Kind == "" {
		data.Kind = kindOf(data.Message)
	}
	return c.render(&made, status, "refused", &data, refused)
}

// view reads the reader's wishes.
func (c *call) view(w http.ResponseWriter) page.View {
	view := site.View(w, c.request, c.p.cfg.Clock.Now())
	clock := c.p.cfg.Clock.State()
	view.Still = clock.Frozen || clock.Rate != 1
	return view
}

// render writes a page.
func (c *call) render(made *traffic.Capture, status int, name string, data page.Page, refused *Refusal) *fault.Answer {
	if err := site.Render(made, status, name, data); err != nil {
		c.p.cfg.Log.Error("a page could not be made", "page", name, "err", err)
	}
	c.note(refused)
	return made.Answer()
}
