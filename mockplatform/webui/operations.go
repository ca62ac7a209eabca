package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// operationsPage is Robokassa's operations, and one of them with all that happened to it.
type operationsPage struct {
	frame
	Shops   []robokassa.Shop
	Rows    []robokassa.Operation
	Older   string // link to the next page; "" for none
	Chosen  *robokassa.Operation
	PayURL  string // its page
	Missing bool   // an operation was asked for that is not there
	Story   *payment
	Amount  string // as it was typed
	Problem *problem
}

// states are those that an operation can be in, in the order in which it goes through them.
var states = []wire.StateCode{0, wire.StateStarted, wire.StateCancelled, wire.StateHold, wire.StatePaid, wire.StateReturned, wire.StateDone}

// States is part of the page.
func (operationsPage) States() []wire.StateCode { return states }

// Sources is part of the page.
func (operationsPage) Sources() []robokassa.Source {
	return []robokassa.Source{robokassa.FromPage, robokassa.FromCard, robokassa.FromInvoice, robokassa.FromRecurring}
}

// Payable tells whether the buyer can pay.
func (p *operationsPage) Payable() bool {
	return !p.Chosen.Expired && slices.Contains([]wire.StateCode{0, wire.StateStarted, wire.StateCancelled}, wire.StateCode(p.Chosen.State))
}

// Held tells whether money is on hold.
func (p *operationsPage) Held() bool { return wire.StateCode(p.Chosen.State) == wire.StateHold }

// Refundable tells whether money can be given back: of Integra's shop by Integra, which moves
// the user's balance as well.
func (p *operationsPage) Refundable() bool {
	o := p.Chosen
	return wire.StateCode(o.State) == wire.StateDone && !o.Test && o.Refunded.Cmp(o.Roubles) < 0
}

func stateRole(s robokassa.State) page.Role {
	switch wire.StateCode(s) {
	case wire.StateDone:
		return page.OK
	case wire.StateCancelled, wire.StateReturned:
		return page.Ended
	}
	return page.Wait
}

func stateText(lang page.Lang, s robokassa.State) string {
	return site.Text(lang, "operation.state."+strconv.Itoa(int(s)))
}

func (h *handler) operations(w http.ResponseWriter, r *http.Request) {
	view := h.view(w, r)
	if r.URL.Query().Has(page.LiveParam) {
		h.live(w, r, view, "operations-live", func(view page.View) page.Page { return h.operationsPage(view) })
		return
	}
	form, why, done := submitted(w, r, func(form url.Values) (string, *problem) { return view.With(), h.operate(r, form) })
	if done {
		return
	}
	p := h.operationsPage(view)
	p.Amount = form.Get("amount")
	if p.Problem = why; why == nil && p.Missing {
		why = &problem{Status: http.StatusNotFound}
	}
	h.render(w, why, "operations", p)
}

// operate does what a button asks for. Integra gives back itself what its users paid.
func (h *handler) operate(r *http.Request, form url.Values) *problem {
	shop, id, do := form.Get("of"), form.Get("id"), form.Get("do")
	if do == "refund" && shop == h.Shop {
		if number, err := strconv.ParseInt(id, 10, 64); err == nil {
			if o, ok := h.Robokassa.Operation(shop, number); ok {
				return h.call(r.Context(), http.MethodPost, "/integra/payments/"+url.PathEscape(o.Request.Shp.Get(integra.FieldPayment))+"/refund",
					map[string]string{"amount": form.Get("amount")}, nil)
			}
		}
	}
	body := map[string]string{"shop": shop}
	switch {
	case do == "refund":
		body["amount"] = form.Get("amount")
	case form.Get("method") != "":
		body["method"] = form.Get("method")
	}
	return h.call(r.Context(), http.MethodPost, "/robokassa/operations/"+url.PathEscape(id)+"/"+url.PathEscape(do), body, nil)
}

func (h *handler) operationsPage(view page.View) *operationsPage {
	p := &operationsPage{frame: h.frame(view, "operations")}
	if h.Robokassa == nil {
		return p
	}
	p.Shops = h.Robokassa.Shops()
	filter := robokassa.Filter{Shop: view.Get("shop"), Source: robokassa.Source(view.Get("source")), Before: view.Get("before"), Limit: perPage + 1}
	if state, err := strconv.Atoi(view.Get("state")); err == nil {
		filter.State = new(robokassa.State(state))
	}
	p.Rows = h.Robokassa.Operations(filter)
	if len(p.Rows) > perPage {
		p.Rows = p.Rows[:perPage]
		p.Older = view.With("before", p.Rows[perPage-1].GUID)
	}
	if id := view.Get("id"); id != "" {
		p.Missing = true
		if number, err := strconv.ParseInt(id, 10, 64); err == nil {
			if o, ok := h.Robokassa.Operation(view.Get("of"), number); ok {
				p.Missing, p.Chosen = false, &o
				p.PayURL = h.PlatformURL + robokassa.PathRoot + "/Merchant/Index/" + o.GUID
				trace := o.Shop + "/" + id
				if o.Shop == h.Shop && o.Request.Shp.Get(integra.FieldPayment) != "" {
					trace = o.Request.Shp.Get(integra.FieldPayment)
				}
				p.Story = h.story(view.Lang, trace)
			}
		}
	}
	return p
}
