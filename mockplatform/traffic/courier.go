package traffic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// CheckAcknowledged is the check that the journal names where a partner did not acknowledge.
const CheckAcknowledged = "acknowledged"

// Courier carries what a platform has to tell partners. It runs a goroutine per letter on its
// way, up to a limit, and none when there is nothing to do; the others wait in a queue.
type Courier struct {
	desk      *Desk
	userAgent string
	most      int // workers
	client    *resty.Client

	mu      sync.Mutex // guards what follows
	queue   []*posted
	held    *posted // waits for the next one to overtake it
	workers int
	stopped bool
	ctx     context.Context // of the calls; ends with Stop
	cancel  context.CancelFunc
	idle    sync.WaitGroup // workers
}

// A Letter is one try to tell a partner something.
type Letter struct {
	// About is what is known of the exchange: all that rules look at, and Attempt.
	About journal.Exchange
	// Copy marks a duplicate; copies that faults make are marked as well.
	Copy bool
	// HoldFor holds the letter back until the next one has overtaken it, or for so long if
	// none comes, in virtual time; 0 for not at all.
	HoldFor time.Duration
	// Write returns the request when its turn has come, or nil when nobody needs to be told
	// any more.
	Write func(plan *fault.Plan, copy bool) *Request
	// Heard is told what came of it, unless Write returned nil.
	Heard func(Report)
}

// Request is a letter as it is sent.
type Request struct {
	Verb, URL string
	Header    map[string]string
	Body      []byte
	Timeout   time.Duration // real: the partner's program lives in real time
	Secrets   []string      // for the journal
	// Refused says why an answer does not acknowledge the letter, "" if it does. Nil stands
	// for: the status is 200.
	Refused func(status int, body []byte) string
}

// Report is what came of a letter.
type Report struct {
	Copy    bool
	At      time.Time     // virtual
	Heard   time.Time     // virtual, when it was over
	Took    time.Duration // real
	Status  int           // HTTP status; 0 without an answer
	Error   string        // why it does not count as acknowledged; "" if it does
	Stopped bool          // the courier was stopped meanwhile
}

// posted is a letter on its way.
type posted struct {
	Letter
	plan  *fault.Plan
	after *posted // to be sent once this one is through
}

// NewCourier returns a courier that sends at most so many letters at once.
func NewCourier(desk *Desk, userAgent string, workers int) *Courier {
	c := &Courier{desk: desk, userAgent: userAgent, most: workers}
	c.client = c.newClient(&http.Transport{MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute})
	c.Start()
	return c
}

func (c *Courier) newClient(t *http.Transport) *resty.Client {
	t.DisableCompression = true // the journal shows what was sent
	return resty.New().SetTransport(t).
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })).
		SetDoNotParseResponse(true). // at most maxAnswer bytes of it are of interest
		SetHeader("User-Agent", c.userAgent)
}

// Start lets letters be sent again after Stop.
func (c *Courier) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx != nil && !c.stopped {
		return
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.stopped = false
}

// Stop forgets what waits, ends what is on its way, and waits for that. Letters sent
// afterwards are lost.
func (c *Courier) Stop() {
	c.mu.Lock()
	c.queue, c.held, c.stopped = nil, nil, true
	c.cancel()
	c.mu.Unlock()
	c.idle.Wait()
	c.client.GetClient().CloseIdleConnections()
}

// Send puts a letter on its way. It does not wait for anything, and calls no function of the
// letter, so that any lock may be held.
func (c *Courier) Send(l Letter) {
	l.About.Direction = journal.Out
	p := &posted{Letter: l}
	if !l.Copy {
		p.plan = c.desk.Faults.Match(&p.About, false, nil)
	}
	if wait := p.plan.VirtualDelay(); wait > 0 {
		c.desk.Clock.AfterFunc(wait, func() { c.pass(p) })
		return
	}
	c.pass(p)
}

// pass lets a letter go, or holds it back for another one to overtake it.
func (c *Courier) pass(p *posted) {
	hold := max(p.HoldFor, p.plan.HoldFor())
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopped:
		return
	case p.Copy:
		c.enqueue(p)
	case c.held != nil:
		p.after, c.held = c.held, nil
		c.enqueue(p)
	case hold > 0:
		c.held = p
		c.desk.Clock.AfterFunc(hold, func() { c.release(p) })
		return
	default:
		c.enqueue(p)
	}
	copies, pause := p.plan.Copies()
	for i := range copies {
		again := &posted{Letter: p.Letter}
		again.Copy = true
		again.About.Fault = "copy: " + p.plan.String()
		if pause == 0 {
			c.enqueue(again)
			continue
		}
		c.desk.Clock.AfterFunc(time.Duration(i+1)*pause, func() { c.pass(again) })
	}
}

// release lets a letter go that nothing has overtaken in time.
func (c *Courier) release(p *posted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == p {
		c.held = nil
		c.enqueue(p)
	}
}

// enqueue sees to it that somebody works. It wants mu held.
func (c *Courier) enqueue(p *posted) {
	if c.stopped {
		return
	}
	c.queue = append(c.queue, p)
	if c.workers < c.most {
		c.workers++
		c.idle.Add(1)
		c.desk.Clock.Go(c.work)
	}
}

// work sends what waits until nothing does.
func (c *Courier) work() {
	defer c.idle.Done()
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.workers--
			c.mu.Unlock()
			return
		}
		p := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		ctx := c.ctx
		c.mu.Unlock()
		if request := p.Write(p.plan, p.Copy); request != nil {
			report, e := c.send(ctx, p, request)
			c.desk.Journal.Record(e)
			p.Heard(report)
		}
		if p.after != nil {
			c.mu.Lock()
			c.enqueue(p.after)
			c.mu.Unlock()
		}
	}
}

// maxAnswer bounds how much of a partner's answer is read.
const maxAnswer = 64 << 10

// send makes the call and describes it.
func (c *Courier) send(ctx context.Context, p *posted, q *Request) (Report, *journal.Exchange) {
	stop := ctx
	e := p.About
	e.Real, e.Secrets = time.Now().UTC(), q.Secrets
	e.At = c.desk.Clock.Now()
	e.Scheme, _, _ = strings.Cut(q.URL, ":")
	report := Report{Copy: p.Copy, At: e.At}
	_ = p.plan.WaitToSend(ctx) // of a courier that was stopped, the call fails at once
	ctx, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	address, body := p.plan.Mangle(q.URL, q.Body)
	var sent journal.Sent
	answer, err := c.call(ctx, p.plan, q, address, body, &sent, &e)
	report.Took, report.Status, report.Heard = time.Since(e.Real), e.Status, c.desk.Clock.Now()
	switch {
	case err == nil && q.Refused != nil:
		report.Error = q.Refused(e.Status, answer)
	case err == nil && e.Status != http.StatusOK:
		report.Error = fmt.Sprintf("answered %d, not 200", e.Status)
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		report.Error = fmt.Sprintf("no answer within %s", q.Timeout)
	default:
		report.Error = journal.Reason(err)
	}
	report.Stopped = stop.Err() != nil
	e.Took = report.Took
	e.Request = sent.Raw(q.Verb, address, body)
	e.Verdict = journal.Verdict{OK: report.Error == "", Detail: report.Error}
	if !e.Verdict.OK {
		e.Verdict.Check = CheckAcknowledged
	}
	return report, &e
}

// call sends the request as the plan says and returns the body of the answer. It sets status
// and response of the exchange.
func (c *Courier) call(ctx context.Context, plan *fault.Plan, q *Request, address string, body []byte, sent *journal.Sent, e *journal.Exchange) ([]byte, error) {
	if plan.Prevents() && !plan.Shapes() {
		if e.Status = plan.StatusInstead(); e.Status != 0 {
			return nil, nil
		}
		return nil, fault.ErrNotSent
	}
	client := c.client
	if plan.Shapes() {
		client = c.newClient(&http.Transport{DialContext: plan.Dial, DisableKeepAlives: true})
	}
	request := client.R().SetContext(httptrace.WithClientTrace(ctx, sent.Trace())).SetHeaders(q.Header)
	if body != nil {
		request.SetBody(bytes.NewReader(body))
	}
	response, err := request.Execute(q.Verb, address)
	if err != nil {
		return nil, err
	}
	answer, _ := io.ReadAll(io.LimitReader(response.RawBody(), maxAnswer))
	_ = response.RawBody().Close()
	e.Response = journal.RawResponse(response.RawResponse.Proto, response.StatusCode(), response.Header(), answer)
	switch {
	case plan.Does(fault.DropAfter):
		return nil, fmt.Errorf("%w: it was %d", fault.ErrAnswerLost, response.StatusCode())
	case plan.Does(fault.Hang):
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if e.Status = plan.StatusInstead(); e.Status == 0 {
		e.Status = response.StatusCode()
	}
	return answer, nil
}
