package anymoney

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// MethodCallback is what the journal calls a callback, which has no method's name.
const MethodCallback = "callback"

// courier carries callbacks to the merchants. It runs a goroutine per callback on its way, up
// to a limit, and none when there is nothing to do; the others wait in a queue.
type courier struct {
	p      *Platform
	client *resty.Client

	mu      sync.Mutex // guards what follows
	queue   []delivery
	workers int
	stopped bool
	ctx     context.Context // of the calls; ends with stop
	cancel  context.CancelFunc
	idle    sync.WaitGroup // workers
}

// delivery is one try to tell a merchant of an order.
type delivery struct {
	o     *order
	news  int       // of the order, when it was announced
	try   int       // from 1
	since time.Time // when the first try was due
}

func newCourier(p *Platform) *courier {
	transport := &http.Transport{
		MaxIdleConnsPerHost: p.cfg.Workers,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // the journal shows what was sent
	}
	c := &courier{p: p}
	c.client = resty.New().SetTransport(transport).
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })).
		SetDoNotParseResponse(true) // at most maxAnswer bytes of it are of interest
	c.client.SetHeader("User-Agent", "Any.Money (partnerkit mockplatform)")
	c.start()
	return c
}

func (c *courier) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.stopped = false
}

// stop forgets what waits, ends what is on its way, and waits for that.
func (c *courier) stop() {
	c.mu.Lock()
	c.queue, c.stopped = nil, true
	c.cancel()
	c.mu.Unlock()
	c.idle.Wait()
	c.client.GetClient().CloseIdleConnections()
}

// announce begins to tell the merchant how the order stands now; what was not yet told
// before is dropped. It wants the order's mu held, and does not wait for anything.
func (c *courier) announce(o *order) {
	if o.callbackURL == "" {
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
		return
	}
	pause := d.since.Add(offsets[d.try-1]).Sub(c.p.cfg.Clock.Now())
	if pause <= 0 {
		c.send(d)
		return
	}
	d.o.resend = c.p.cfg.Clock.AfterFunc(pause, func() { c.send(d) })
}

// send queues a delivery and sees to it that somebody works.
func (c *courier) send(d delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.queue = append(c.queue, d)
	if c.workers < c.p.cfg.Workers {
		c.workers++
		c.idle.Add(1)
		c.p.cfg.Clock.Go(c.work)
	}
}

// work sends what waits until nothing does.
func (c *courier) work() {
	defer c.idle.Done()
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.workers--
			c.mu.Unlock()
			return
		}
		d := c.queue[0]
		c.queue[0] = delivery{}
		c.queue = c.queue[1:]
		ctx := c.ctx
		c.mu.Unlock()
		c.try(ctx, d)
	}
}

// try makes one call, unless there is later news, and plans the next one.
func (c *courier) try(ctx context.Context, d delivery) {
	r := c.p.rules.Load()
	o := d.o
	o.mu.Lock()
	m := r.merchants[o.id.merchant]
	if o.gone || o.news != d.news || m == nil { // without the merchant there is no key to sign with
		o.mu.Unlock()
		return
	}
	order := o.view(r.settings.sciBase)
	o.mu.Unlock()

	delivered := c.call(ctx, d, m, order, r.settings.callbackTimeout)
	o.mu.Lock()
	defer o.mu.Unlock()
	if !delivered && o.news == d.news && ctx.Err() == nil {
		d.try++
		c.schedule(d)
	}
}

// maxAnswer bounds how much of a merchant's answer is read.
const maxAnswer = 64 << 10

// call tells the merchant and the journal, and reports whether the merchant has it now.
func (c *courier) call(ctx context.Context, d delivery, m *merchant, order *wire.Order, timeout time.Duration) bool {
	body := order.Object()
	at := c.p.cfg.Clock.Now()
	stamp := at.UnixMilli()
	if d.try == 1 && order.FTime != 0 {
		stamp = order.FTime
	}
	stampText := strconv.FormatInt(stamp, 10)
	text := body.AppendJSON(nil)

	var sent journal.Sent
	exchange := &journal.Exchange{
		Protocol: Protocol, Method: MethodCallback, Direction: journal.Out,
		Partner: m.lid, Payment: order.ExternalID, Attempt: d.try,
		At: at, Real: time.Now().UTC(), Secrets: secretsIn(body),
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := c.client.R().SetContext(httptrace.WithClientTrace(ctx, sent.Trace())).
		SetHeader("Content-Type", wire.ContentType).
		SetHeader(wire.HeaderMerchant, m.lid).
		SetHeader(wire.HeaderUTCNowMS, stampText).
		SetHeader(wire.HeaderSignature, m.apiKey.Sign(body, stampText)).
		SetBody(bytes.NewReader(text)).
		Post(d.o.callbackURL)
	if err == nil {
		answer, _ := io.ReadAll(io.LimitReader(response.RawBody(), maxAnswer))
		_ = response.RawBody().Close()
		exchange.Status = response.StatusCode()
		exchange.Response = journal.RawResponse(response.RawResponse.Proto, exchange.Status, response.Header(), answer)
	}
	verdict := &exchange.Verdict
	switch {
	case err == nil && exchange.Status == http.StatusOK:
		verdict.OK = true
	case err == nil:
		verdict.Detail = fmt.Sprintf("answered %d, not 200", exchange.Status)
	case errors.Is(err, context.DeadlineExceeded):
		verdict.Detail = fmt.Sprintf("no answer within %s", timeout)
	default:
		verdict.Detail = journal.Reason(err)
	}
	if !verdict.OK {
		verdict.Check = "acknowledged"
	}
	exchange.Took = time.Since(exchange.Real)
	exchange.Request = sent.Raw(http.MethodPost, d.o.callbackURL, text)
	c.p.cfg.Journal.Record(exchange)
	c.p.cfg.Log.Debug("callback", "order", order.ExternalID, "merchant", m.lid, "try", d.try,
		"status", exchange.Status, "took", exchange.Took, "err", verdict.Detail)
	return verdict.OK
}
