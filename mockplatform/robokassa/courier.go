package robokassa

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// Methods of the journal for what is sent to shops.
const (
	MethodResult = "ResultURL"
	MethodNotice = "ResultUrl2"
)

// courier tells shops of payments.
type courier struct {
	*traffic.Courier
	p *Platform
}

// delivery is how far a message has come. It is guarded by Platform.mu.
type delivery struct {
	news  int // counts messages, so that a try for an old one stops
	tries int // of the present one
	state string
	done  bool
	timer *clock.Timer
}

// result begins to tell ResultURL. It wants mu held.
func (c *courier) result(o *operation) {
	shop := c.p.shops[o.shop]
	if shop == nil || shop.ResultURL == "" || shop.ResultMethod == ByEmail {
		return
	}
	o.result = delivery{news: o.result.news + 1}
	c.send(o, &o.result, MethodResult)
}

// notice begins to tell ResultUrl2, if the payment has one: never in test mode. It wants mu held.
func (c *courier) notice(o *operation, state string) {
	if o.request.ResultURL2 == "" || o.number.test {
		return
	}
	if o.notice.timer != nil {
		o.notice.timer.Stop()
	}
	o.notice = delivery{news: o.notice.news + 1, state: state}
	c.send(o, &o.notice, MethodNotice)
}

// send makes one try. It wants mu held.
func (c *courier) send(o *operation, d *delivery, method string) {
	news, write := d.news, c.resultRequest
	if method == MethodNotice {
		write = c.noticeRequest
	}
	d.tries++
	c.Send(traffic.Letter{
		About: journal.Exchange{Protocol: Protocol, Method: method, Partner: o.shop, Payment: o.invID(), Attempt: d.tries},
		Write: func(plan *fault.Plan, _ bool) *traffic.Request {
			c.p.mu.Lock()
			defer c.p.mu.Unlock()
			if o.gone || d.news != news {
				return nil
			}
			return write(o, plan)
		},
		Heard: func(report traffic.Report) {
			c.p.cfg.Log.Debug(method, "shop", o.shop, "operation", o.number.id, "status", report.Status, "took", report.Took, "err", report.Error)
			c.p.mu.Lock()
			defer c.p.mu.Unlock()
			if o.gone || d.news != news || report.Copy {
				return
			}
			pause, again := c.again(method, d.tries)
			switch {
			case report.Error == "":
				d.done = true
				c.told(o)
			case report.Stopped || d.done:
			case again:
				c.later(o, d, duration(pause), method)
			default:
				c.told(o)
			}
			o.tell()
		},
	})
}

// told notes that nothing more is sent about an operation, unless ResultUrl2 is told of what
// becomes of it later. It wants mu held.
func (c *courier) told(o *operation) {
	if o.request.ResultURL2 == "" {
		c.p.desk.Faults.Told(Protocol, o.shop, o.invID())
	}
}

// later makes the next try after a pause, unless there are other news by then. It wants mu
// held.
func (c *courier) later(o *operation, d *delivery, pause time.Duration, method string) {
	news := d.news
	d.timer = c.p.cfg.Clock.AfterFunc(pause, func() {
		c.p.mu.Lock()
		defer c.p.mu.Unlock()
		if !o.gone && d.news == news {
			c.send(o, d, method)
		}
	})
}

// resume goes on with a message that a file kept. It wants mu held.
func (c *courier) resume(o *operation, d *delivery, pause time.Duration, method string) {
	if _, again := c.again(method, d.tries); d.tries > 0 && !d.done && again {
		c.later(o, d, max(pause, 0), method)
	}
}

// again says whether there is another try after so many, and after which pause.
func (c *courier) again(method string, tries int) (pause int64, again bool) {
	s := c.p.settings.Load()
	if method == MethodNotice {
		return s.Result2RetryMS, tries <= s.Result2Retries
	}
	return s.ResultRetryMS, tries < s.ResultTries
}

// resultRequest writes a message to ResultURL. It wants mu held.
func (c *courier) resultRequest(o *operation, plan *fault.Plan) *traffic.Request {
	shop, s := c.p.shops[o.shop], c.p.settings.Load()
	if shop == nil || shop.ResultURL == "" || shop.ResultMethod == ByEmail {
		return nil
	}
	test := o.number.test
	result := wire.Result{
		OutSum: plan.Amount(o.outSum(s, s.LiveDecimals)), InvID: o.invID(),
		PaymentMethod: o.method.Alias, IncSum: decimalsOf(o.roubles, s.LiveDecimals, test), IncCurrLabel: o.method.Label,
		IsTest: test, EMail: o.email, Fee: decimalsOf(o.fee, s.LiveDecimals, test), Shp: o.request.Shp,
	}
	if test {
		result.EMail, result.Fee = "", "0.0"
	}
	result = result.Signed(shop.hash(test), shop.password2(test))
	result.Signature = plan.Signature(result.Signature)
	fields := result.Fields()
	if s.OmitEmptyEmail && result.EMail == "" {
		fields = without(fields, "EMail")
	}
	q := &traffic.Request{
		Verb: shop.ResultMethod, URL: shop.ResultURL, Timeout: duration(s.ResultTimeoutMS),
		Secrets: journal.SecretsIn(shop.ResultURL),
		Refused: func(status int, body []byte) string {
			switch {
			case status < 200 || status > 299:
				return fmt.Sprintf("answered %d", status)
			case !wire.IsAnswer(string(body), result.InvID):
				return fmt.Sprintf("answered %.60q, not %s", body, wire.Answer(result.InvID))
			}
			return ""
		},
	}
	if q.Verb == http.MethodGet {
		q.URL = fields.AppendTo(q.URL)
	} else {
		q.Header = map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
		q.Body = []byte(fields.Encode())
	}
	return q
}

func without(fields wire.Fields, name string) wire.Fields {
	var kept wire.Fields
	for _, f := range fields {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	return kept
}

// noticeRequest writes a message to ResultUrl2. It wants mu held.
func (c *courier) noticeRequest(o *operation, plan *fault.Plan) *traffic.Request {
	s := c.p.settings.Load()
	text, err := wire.StateNotice{
		Timestamp: strconv.FormatInt(c.p.cfg.Clock.Now().Unix(), 10),
		Shop:      o.shop, OpKey: o.opKey, InvID: o.invID(), PaymentMethod: o.method.Alias,
		IncSum: plan.Amount(o.roubles.Text()), State: o.notice.state,
	}.Sign(noticeKey())
	if err != nil {
		c.p.cfg.Log.Error("a message to ResultUrl2 could not be signed", "err", err)
		return nil
	}
	if plan.Does(fault.WrongSignature) {
		at := strings.LastIndexByte(text, '.') + 1
		text = text[:at] + plan.Signature(text[at:at+1]) + text[at+1:] // of the last letter not all bits count
	}
	address := plain(o.request.ResultURL2)
	return &traffic.Request{
		Verb: http.MethodPost, URL: address, Body: []byte(text),
		Header:  map[string]string{"Content-Type": "application/json; charset=utf-8"},
		Timeout: duration(s.ResultTimeoutMS), Secrets: journal.SecretsIn(address),
		Refused: func(status int, _ []byte) string {
			if status < 200 || status > 299 {
				return fmt.Sprintf("answered %d", status)
			}
			return ""
		},
	}
}
