package webui

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/anymoney"
)

// ordersPage is Any.Money's orders, and one of them with all that happened to it.
type ordersPage struct {
	frame
	Merchants []string
	Rows      []*wire.Order
	Older     string // link to the next page; "" for none
	Chosen    *wire.Order
	Missing   bool // an order was asked for that is not there
	Story     *payment
	Problem   *problem
}

// The statuses in the order in which an order goes through them; the last ones are final.
var (
	openStatuses  = []wire.Status{wire.StatusNew, wire.StatusPending, wire.StatusStarted, wire.StatusWait, wire.StatusRetry, wire.StatusFinalizing, wire.StatusAbnormal}
	finalStatuses = []wire.Status{wire.StatusDone, wire.StatusReject, wire.StatusFail, wire.StatusCanceled, wire.StatusExpired}
)

// Open is part of the page.
func (ordersPage) Open() []wire.Status { return openStatuses }

// Final is part of the page.
func (ordersPage) Final() []wire.Status { return finalStatuses }

// Time is a moment of an order.
func (ordersPage) Time(ms int64) time.Time { return time.UnixMilli(ms) }

func statusRole(s wire.Status) page.Role {
	switch s {
	case wire.StatusDone:
		return page.OK
	case wire.StatusFail, wire.StatusAbnormal:
		return page.Bad
	case wire.StatusReject, wire.StatusExpired, wire.StatusCanceled:
		return page.Ended
	}
	return page.Wait
}

func (h *handler) orders(w http.ResponseWriter, r *http.Request) {
	view := h.view(w, r)
	if r.URL.Query().Has(page.LiveParam) {
		h.live(w, r, view, "orders-live", func(view page.View) page.Page { return h.ordersPage(view) })
		return
	}
	_, why, done := submitted(w, r, func(form url.Values) (string, *problem) {
		return view.With(), h.call(r.Context(), http.MethodPost, "/anymoney/orders/"+url.PathEscape(form.Get("id"))+"/status",
			map[string]string{"merchant": form.Get("owner"), "status": form.Get("status")}, nil)
	})
	if done {
		return
	}
	p := h.ordersPage(view)
	if p.Problem = why; why == nil && p.Missing {
		why = &problem{Status: http.StatusNotFound}
	}
	h.render(w, why, "orders", p)
}

func (h *handler) ordersPage(view page.View) *ordersPage {
	p := &ordersPage{frame: h.frame(view, "orders")}
	if h.AnyMoney == nil {
		return p
	}
	p.Merchants = h.AnyMoney.Merchants()
	before, _ := strconv.ParseInt(view.Get("before"), 10, 64) // the newest ones for what is no number
	p.Rows = h.AnyMoney.Orders(anymoney.Filter{
		Merchant: view.Get("merchant"), Status: wire.Status(view.Get("status")), Before: before, Limit: perPage + 1,
	})
	if len(p.Rows) > perPage {
		p.Rows = p.Rows[:perPage]
		p.Older = view.With("before", strconv.FormatInt(p.Rows[perPage-1].LID, 10))
	}
	if id := view.Get("id"); id != "" {
		if p.Chosen = h.AnyMoney.Order(view.Get("owner"), id); p.Chosen == nil {
			p.Missing = true
			return p
		}
		p.Story = h.story(view.Lang, p.Chosen.Owner+"/"+p.Chosen.ExternalID)
	}
	return p
}
