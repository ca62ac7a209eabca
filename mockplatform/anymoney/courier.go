package anymoney

import (
	"net/http"
	"strconv"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// MethodCallback is what the journal calls a callback, which has no method's name.
const MethodCallback = "callback"

// courier tells merchants how their orders stand.
type courier struct {
	*traffic.Courier
	p *Platform
}

// delivery is one try to tell a merchant of an order.
type delivery struct {
	o     *order
	news  int       // of the order, when it was announced
	try   int       // from 1
	since time.Time // when the first try was due
}

// pending is how far the latest news has been told.
type pending struct {
	try   int // the next one, or the one on its way
	since time.Time
}

func (d delivery) pending() pending { return pending{d.try, d.since} }

func newCourier(p *Platform) *courier {
	return &courier{traffic.NewCourier(p.desk, "Any.Money (partnerkit mockplatform)", p.cfg.Workers), p}
}

// announce begins to tell the merchant how the order stands now; what was not yet told
// before is dropped. It wants the order's mu held, and does not wait for anything.
func (c *courier) announce(o *order) {
	if o.callbackURL == "" {
		c.told(o)
		return
	}
	if o.resend != nil {
		o.resend.Stop()
	}
	o.news++
	c.schedule(delivery{o: o, news: o.news, try: 1, since: c.p.cfg.Clock.Now()})
}

// schedule sends a delivery when its time has come, if there is to be one of its number. It
// wants the order's mu held.
func (c *courier) schedule(d delivery) {
	offsets := c.p.rules.Load().settings.callbackOffsets
	if d.try > len(offsets) || d.o.gone {
		d.o.pending = pending{}
		c.told(d.o)
		return
	}
	d.o.pending = d.pending()
	pause := d.since.Add(offsets[d.try-1]).Sub(c.p.cfg.Clock.Now())
	if pause <= 0 {
		c.send(d)
		return
	}
	d.o.resend = c.p.cfg.Clock.AfterFunc(pause, func() { c.send(d) })
}

// send hands a delivery to the courier.
func (c *courier) send(d delivery) {
	c.Send(traffic.Letter{
		About: journal.Exchange{
			Protocol: Protocol, Method: MethodCallback,
			Partner: d.o.id.merchant, Payment: d.o.id.external, Attempt: d.try,
		},
		Write: func(plan *fault.Plan, _ bool) *traffic.Request { return c.write(d, plan) },
		Heard: func(report traffic.Report) { c.heard(d, report) },
	})
}

// write makes the request, unless there is later news.
func (c *courier) write(d delivery, plan *fault.Plan) *traffic.Request {
	r := c.p.rules.Load()
	o := d.o
	o.mu.Lock()
	m := r.merchants[o.id.merchant]
	if o.gone || o.news != d.news || m == nil { // without the merchant there is no key to sign with
		o.mu.Unlock()
		return nil
	}
	order := o.view(r.settings.sciBase)
	o.mu.Unlock()
	if plan.Does(fault.OtherAmount) {
		order.Sums.In = wire.Amount(plan.Amount(string(order.Sums.In)))
	}
	body := order.Object()
	stamp := c.p.cfg.Clock.Now().UnixMilli()
	if d.try == 1 && order.FTime != 0 {
		stamp = order.FTime
	}
	stampText := strconv.FormatInt(stamp, 10)
	return &traffic.Request{
		Verb: http.MethodPost, URL: o.callbackURL,
		Header: map[string]string{
			"Content-Type":       wire.ContentType,
			wire.HeaderMerchant:  m.lid,
			wire.HeaderUTCNowMS:  stampText,
			wire.HeaderSignature: plan.Signature(m.apiKey.Sign(body, stampText)),
		},
		Body:    body.AppendJSON(nil),
		Timeout: r.settings.callbackTimeout, Secrets: secretsIn(body),
	}
}

// heard plans the next try, if there has to be one.
func (c *courier) heard(d delivery, report traffic.Report) {
	o := d.o
	c.p.cfg.Log.Debug("callback", "order", o.id.external, "merchant", o.id.merchant, "try", d.try,
		"status", report.Status, "took", report.Took, "err", report.Error)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case report.Copy || o.news != d.news || report.Stopped:
	case report.Error == "":
		o.pending = pending{}
		c.told(o)
	default:
		d.try++
		c.schedule(d)
	}
}

// told notes that nothing more is sent about an order, if it is final. It wants the order's mu
// held.
func (c *courier) told(o *order) {
	if o.status.Final() {
		c.p.desk.Faults.Told(Protocol, o.id.merchant, o.id.external)
	}
}
