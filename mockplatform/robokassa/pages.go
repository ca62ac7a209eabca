package robokassa

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/shopspring/decimal"

	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

//go:embed page
var pageFiles embed.FS

var site = page.New(page.Config{Files: pageFiles, Dir: "page"})

const liveEvery = 200 * time.Millisecond // between two changes of a page

// payment is what the templates of an operation get.
type payment struct {
	page.View
	Operation
	Shop      string // its title
	About     string // description
	Lines     []line
	Methods   []Method
	Chosen    Method
	Token     string // a saved card's number, masked; "" for none
	Expires   time.Time
	Problem   string // key of the texts under "problem."; "" for none
	Form      CardForm
	QR        template.HTML
	Phone     string // where the QR code leads
	Cards     []Card
	Payable   bool
	Well      bool
	Held      bool
	Way       wayBack
	Link      string // Way by GET
	Seconds   int    // until the page goes back by itself
	Fresh     bool   // it is on its way back
	Reopen    bool   // the payment can be tried again
	Converted bool
}

// line is one of the receipt.
type line struct {
	Name, Quantity string
	Sum            decimal.Decimal
}

// refusalPage is what the template of a refusal gets.
type refusalPage struct {
	page.View
	*Refusal
	Meaning string
}

// render makes a page. allow is one more address that its forms may lead to.
func (c *call) render(status int, name, allow string, header http.Header, data page.Page) *fault.Answer {
	var made traffic.Capture
	maps.Copy(made.Header(), header)
	if err := site.Render(&made, status, name, data); err != nil {
		c.p.cfg.Log.Error("a page could not be made", "page", name, "err", err)
	}
	if u, err := url.Parse(allow); allow != "" && err == nil {
		policy := made.Header().Get("Content-Security-Policy")
		made.Header().Set("Content-Security-Policy", strings.Replace(policy, "form-action 'self'", "form-action 'self' "+u.Scheme+"://"+u.Host, 1))
	}
	return made.Answer()
}

// view is what every page needs to know of its reader. Unless he chooses, the language is
// the one that the shop asked for.
func (c *call) view(header http.Header, culture string) page.View {
	var made traffic.Capture // takes the cookies that remember a choice
	view := site.View(&made, c.request, c.p.cfg.Clock.Now())
	maps.Copy(header, made.Header())
	if !c.request.URL.Query().Has("lang") {
		switch {
		case strings.HasPrefix(strings.ToLower(culture), "en"):
			view.Lang = page.EN
		case culture != "":
			view.Lang = page.RU
		}
	}
	clock := c.p.cfg.Clock.State()
	view.Still = clock.Frozen || clock.Rate != 1
	return view
}

func redirect(to string) *fault.Answer {
	return &fault.Answer{Status: http.StatusSeeOther, Header: http.Header{"Location": {to}}}
}

// refusedPage shows a refusal with its code.
func (c *call) refusedPage(refused *Refusal) *fault.Answer {
	c.note(refused)
	header := http.Header{}
	culture := c.fields.Get(wire.FieldCulture)
	view := c.view(header, culture)
	meaning := refused.Code.Russian()
	if view.Lang == page.EN {
		meaning = refused.Code.English()
	}
	return c.render(c.p.settings.Load().ErrorStatus, "refused", "", header, &refusalPage{View: view, Refusal: refused, Meaning: meaning})
}

func (c *call) index(*fault.Plan) *fault.Answer { return c.opened("Index/", FromPage) }

func (c *call) savedCard(*fault.Plan) *fault.Answer {
	if c.fault == nil && c.fields.Get(wire.FieldToken) == "" {
		return c.refusedPage(refuse(CheckToken, wire.CodeInvoice, "Token is missing"))
	}
	return c.opened("../Index/", FromCard)
}

// opened leads to the page of a new operation; up is the way to it.
func (c *call) opened(up string, source Source) *fault.Answer {
	o, refused := c.open(source)
	if refused != nil {
		return c.refusedPage(refused)
	}
	c.note(nil)
	return redirect(up + o.GUID)
}

func (c *call) invoicePage(*fault.Plan) *fault.Answer {
	guid, refused := c.p.openInvoice(c.rest)
	if refused != nil {
		return c.refusedPage(refused)
	}
	c.note(nil)
	return redirect("../Index/" + guid)
}

// payment collects what the pages of an operation show; ok is false if there is none.
func (c *call) payment(header http.Header) (*payment, bool) {
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.byGUID[strings.ToLower(c.rest)]
	if o == nil || p.shops[o.shop] == nil {
		return nil, false
	}
	s := p.settings.Load()
	data := &payment{
		View: c.view(header, o.request.Culture), Operation: o.view(), Shop: p.shops[o.shop].Title(), About: o.request.Description,
		Methods: o.methods, Expires: o.expires, Cards: Cards(), Well: o.state.taken() && o.state != stateReturned, Held: o.state == stateHeld,
		Converted: o.sum.Currency() != money.RUB, Seconds: s.FinalPageSecond,
		Payable: p.payable(o) == nil,
	}
	if o.receipt != nil {
		for _, item := range o.receipt.Items {
			data.Lines = append(data.Lines, line{item.Name, string(item.Quantity), item.Total()})
		}
	}
	if saved := p.byKey[o.request.Token]; o.request.Token != "" && saved != nil {
		data.Token = saved.account
	}
	data.Reopen = data.Payable && o.state == stateEnded
	data.Way = p.way(o, data.Well)
	if data.Way.URL != "" {
		data.Link = data.Way.Fields.AppendTo(data.Way.URL)
	}
	return data, true
}

// choose reads which method the buyer looks at.
func (c *call) choose(data *payment) {
	wanted := cmp.Or(c.fields.Get("method"), c.suggested(data))
	m, _ := methodOf(wanted)
	for _, offered := range data.Methods {
		if offered.Label == m.Label {
			data.Chosen = offered
		}
	}
	if len(data.Methods) == 1 {
		data.Chosen = data.Methods[0]
	}
	data.Phone = c.base + "/Merchant/Index/" + data.GUID + "?method=" + url.QueryEscape(data.Chosen.Label) + "&phone=1"
	if data.Chosen.ByQR && c.fields.Get("phone") == "" {
		data.QR = qrCode(data.Phone)
	}
}

func (c *call) suggested(data *payment) string { return data.Request.IncCurrLabel }

// qrCode draws a text as a QR code.
func qrCode(text string) template.HTML {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "" // longer than a code can be, which no address of ours is
	}
	const quiet = 4 // modules around the code, as scanners want them
	size := code.Bounds().Dx()
	var d strings.Builder
	for y := range size {
		for x := range size {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&d, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	return template.HTML(fmt.Sprintf( //nolint:gosec // numbers alone
		`<svg class="qr" viewBox="0 0 %d %d" role="img" shape-rendering="crispEdges"><rect width="100%%" height="100%%" fill="#fff"/><path fill="#000" d="%s"/></svg>`,
		size+2*quiet, size+2*quiet, d.String()))
}

// payPage shows an operation to its buyer, and does what he decides.
func (c *call) payPage(*fault.Plan) *fault.Answer {
	header := http.Header{}
	data, ok := c.payment(header)
	if !ok {
		return c.refusedPage(refuse(CheckOperation, wire.CodeInvoiceNotFound, "there is no such operation"))
	}
	c.noteOperation(data.Operation)
	if c.fault != nil {
		return c.refusedPage(badFields(c.fault))
	}
	c.choose(data)
	if c.request.Method == http.MethodPost {
		return c.decide(data, header)
	}
	c.note(nil)
	if !data.Payable {
		return redirect("../State/" + data.GUID)
	}
	return c.render(http.StatusOK, "pay", "", header, data)
}

// decide does what the form of the page asks for. Whatever comes of it, the next page is
// that of the state, so that a reload does not do it again, unless the form has to be
// filled in better.
func (c *call) decide(data *payment, header http.Header) *fault.Answer {
	action := c.fields.Get("action")
	form := CardForm{Number: c.fields.Get("number"), Expiry: c.fields.Get("expiry"), CVC: c.fields.Get("cvc"), Saved: data.Token != ""}
	switch action {
	case "pay":
		c.exchange.Method = MethodPay
	case "refuse":
		c.exchange.Method = MethodRefuse
	case "cancel":
		c.exchange.Method = MethodCancelPage
	default:
		return c.refusedPage(refuse(CheckFields, wire.CodeInvoice, "action %.40q is not known", action))
	}
	if action == "pay" && data.Chosen.Card {
		if data.Problem = form.fault(c.p.cfg.Clock.Now()); data.Problem != "" {
			c.note(refuse(CheckCard, wire.CodeInvoice, "the %s of the card cannot be", data.Problem))
			data.Form = CardForm{Number: form.Number, Expiry: form.Expiry}
			return c.render(http.StatusUnprocessableEntity, "pay", "", header, data)
		}
	}
	refused := c.p.buyerDecides(data.GUID, action, data.Chosen.Label, cutTo(c.fields.Get("email"), 255), form)
	c.note(refused)
	if refused != nil && refused.Check != CheckCard {
		return c.refusedPage(refused)
	}
	return redirect("../State/" + data.GUID)
}

// buyerDecides carries out what a buyer chose on the page. A card that is refused is a
// refusal of CheckCard, and stands in the operation too.
func (p *Platform) buyerDecides(guid, action, label, email string, form CardForm) *Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.byGUID[guid]
	if o == nil {
		return refuse(CheckOperation, wire.CodeInvoiceNotFound, "the operation is gone")
	}
	if action == "cancel" {
		if refused := p.payable(o); refused != nil {
			return refused
		}
		p.fail(o, "cancelled")
		return nil
	}
	if refused := p.try(o, label); refused != nil {
		return refused
	}
	if email != "" {
		o.email = email
	}
	if action == "refuse" {
		p.fail(o, string(CardDeclined))
		return nil
	}
	if o.method.Card {
		if outcome := form.outcome(); outcome != CardPays {
			p.fail(o, string(outcome))
			return refuse(CheckCard, wire.CodeStart, "the card is refused: %s", outcome)
		}
		if saved := p.byKey[o.request.Token]; form.Saved && saved != nil {
			o.account = saved.account
		} else {
			o.account = masked(form.Number)
		}
	}
	p.pay(o)
	return nil
}

// statePage shows what became of an operation, and leads back to the shop.
func (c *call) statePage(*fault.Plan) *fault.Answer {
	header := http.Header{}
	data, ok := c.payment(header)
	if !ok {
		return c.refusedPage(refuse(CheckOperation, wire.CodeInvoiceNotFound, "there is no such operation"))
	}
	c.noteOperation(data.Operation)
	c.note(nil)
	if data.Payable && data.State != stateEnded { // nothing has been decided yet
		return redirect("../Index/" + data.GUID)
	}
	// Over well, the page goes back by itself; after a refusal the buyer may want to try again.
	data.Fresh = data.Way.URL != "" && (data.Well || !data.Reopen)
	if data.Fresh && data.Way.Verb == http.MethodGet {
		header.Set("Refresh", fmt.Sprintf("%d; url=%s", data.Seconds, data.Link))
	}
	allow := ""
	if data.Way.Verb == http.MethodPost {
		allow = data.Way.URL
	}
	return c.render(http.StatusOK, "state", allow, header, data)
}

// live answers a request for the changes of the page of a payment: one with page.LiveParam.
func (c *call) live(w http.ResponseWriter) bool {
	if c.request.Method != http.MethodGet || !c.request.URL.Query().Has(page.LiveParam) {
		return false
	}
	changed, stop := c.p.watch(strings.ToLower(c.rest))
	defer stop()
	err := page.Live(w, c.request, liveEvery, changed, func() ([]byte, error) {
		data, ok := c.payment(http.Header{})
		if !ok {
			return nil, fmt.Errorf("operation %s is gone", c.rest)
		}
		return site.HTML(data.Lang, "live", data)
	})
	if err != nil {
		c.p.cfg.Log.Info("a live page ended", "err", err)
	}
	return true
}
