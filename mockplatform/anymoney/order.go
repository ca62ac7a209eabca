package anymoney

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

// orderID is what a merchant knows an order by.
type orderID struct{ merchant, external string }

// order is one order. There are many, so its texts are kept in little memory: those that the
// request gave are parts of the one text that reqdata was made of.
type order struct {
	// These never change.
	id          orderID
	lid         int64
	token, ref  string
	viaForm     bool // made by the SCI form, not by payin.create
	inCurr      string
	code        *wire.RedeemedCode // nil for an invoice
	callbackURL string             // "" for none
	redirectURL string
	email       string
	multipay    bool
	share       decimal.Decimal // of the fee, borne by the merchant
	openPayway  bool            // the payer chooses
	userdata    wire.Object
	reqdata     wire.Object
	created     time.Time
	lifetime    time.Duration // of an invoice
	size        int           // in bytes, roughly

	mu       sync.Mutex // guards what follows
	status   wire.Status
	history  []Step
	payway   string // "" until the payer has chosen
	outCurr  string
	quote    quote
	finished time.Time    // zero until final
	expiry   *clock.Timer // nil for none
	gone     bool         // forgotten: whoever still holds it leaves it alone
	news     int          // counts what was announced by callbacks: later news end the earlier
	resend   *clock.Timer // nil when no callback waits for its time
	pending  pending      // the callback that waits or is on its way; zero for none
	watchers map[chan struct{}]struct{}
}

// A Step is a status that an order has had from a moment on.
type Step struct {
	Status   wire.Status
	At, Real time.Time // in virtual and in real time
}

const (
	maxSteps = 50 // that are remembered of an order, the latest ones
	stepSize = 64 // bytes, roughly
)

// enter gives the order a status. It wants mu held, unless nobody knows the order yet.
func (o *order) enter(status wire.Status, now time.Time) {
	o.status = status
	o.history = append(o.history, Step{status, now, time.Now().UTC()})
	o.history = o.history[max(len(o.history)-maxSteps, 0):]
}

// view shows the order as the API does; paylinks begin with base. It wants mu held.
func (o *order) view(base string) *wire.Order {
	view := &wire.Order{
		Type: wire.TypePayin, Status: o.status, LID: o.lid, Token: o.token, Ref: o.ref,
		ExternalID: o.id.external, InCurr: o.inCurr, OutCurr: o.outCurr, Payway: o.payway, Owner: o.id.merchant,
		Sums: o.quote.sums(), Rate: o.quote.rate.pair(),
		CTime: o.created.UnixMilli(), UserData: o.userdata, ReqData: o.reqdata, Code: o.code,
	}
	if !o.finished.IsZero() {
		view.FTime = o.finished.UnixMilli()
	}
	if o.code != nil {
		return view
	}
	view.Type = wire.TypeInvoice
	view.Invoice = &wire.Invoice{
		Paylink: wire.Paylink(base, o.token), AmountPaid: "0", IsMultipay: o.multipay,
		Payfee: wire.NewAmount(o.share), Email: o.email, RedirectURL: o.redirectURL,
	}
	if o.status == wire.StatusDone {
		view.Invoice.AmountPaid = view.Sums.In
	}
	return view
}

// sums writes the numbers of a quote as the API does.
func (q quote) sums() wire.Sums {
	return wire.Sums{
		In: wire.NewAmount(q.in), Orig: wire.NewAmount(q.orig), InFee: wire.NewAmount(q.inFee),
		Out: wire.NewAmount(q.out), OutFee: wire.NewAmount(q.outFee), Account: wire.NewAmount(q.account()),
	}
}

// changed tells whoever watches. It wants mu held.
func (o *order) changed() {
	for c := range o.watchers {
		select {
		case c <- struct{}{}:
		default: // it has not yet looked at what it was told of before
		}
	}
}

// forget stops all that would happen to the order by itself.
func (o *order) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone = true
	for _, t := range []*clock.Timer{o.expiry, o.resend} {
		if t != nil {
			t.Stop()
		}
	}
	o.changed()
}

// orders remembers orders up to a number and a size; the oldest make room. It is cut into
// parts by the number of an order, so that nobody waits for a lock of all of them.
type orders struct {
	byID    sync.Map // orderID to *order
	byToken sync.Map // string to *order

	keep, keepBytes int // per part
	parts           [16]struct {
		sync.Mutex
		queue []*order // the oldest first
		bytes int
	}
}

func newOrders(keep, keepBytes int) *orders {
	x := &orders{}
	x.keep, x.keepBytes = max(keep/len(x.parts), 1), keepBytes/len(x.parts)
	return x
}

func (x *orders) get(id orderID) *order { return loaded(x.byID.Load(id)) }

func (x *orders) withToken(token string) *order { return loaded(x.byToken.Load(token)) }

// list returns the orders, the newest first.
func (x *orders) list() []*order {
	var all []*order
	for i := range x.parts {
		part := &x.parts[i]
		part.Lock()
		all = append(all, part.queue...)
		part.Unlock()
	}
	slices.SortFunc(all, func(a, b *order) int { return cmp.Compare(b.lid, a.lid) })
	return all
}

func loaded(o any, _ bool) *order {
	found, _ := o.(*order)
	return found
}

// add reports whether the order's id was free and is now its own. Orders that make room are
// forgotten.
func (x *orders) add(o *order) bool {
	if _, taken := x.byID.LoadOrStore(o.id, o); taken {
		return false
	}
	x.byToken.Store(o.token, o)
	part := &x.parts[o.lid%int64(len(x.parts))]
	part.Lock()
	defer part.Unlock()
	part.queue = append(part.queue, o)
	part.bytes += o.size
	for len(part.queue) > 1 && (len(part.queue) > x.keep || part.bytes > x.keepBytes) {
		oldest := part.queue[0]
		part.queue[0] = nil
		part.queue = part.queue[1:]
		part.bytes -= oldest.size
		x.byID.Delete(oldest.id)
		x.byToken.Delete(oldest.token)
		oldest.forget()
	}
	return true
}

// forgetAll ends every order.
func (x *orders) forgetAll() {
	x.byID.Range(func(_, o any) bool {
		o.(*order).forget()
		return true
	})
}
