package integra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// MethodNotify is what the journal calls a notification, which has no method's name.
const MethodNotify = "notify"

// notifier carries notifications to the partners. It runs a goroutine per notification on
// its way, up to a limit, and none when there is nothing to do; the others wait in a queue.
type notifier struct {
	p      *Platform
	client *resty.Client

	mu      sync.Mutex // guards what follows
	queue   []*notification
	held    *notification // waits for the next one to overtake it, see Notify.Reorder
	workers int
	stopped bool
	ctx     context.Context // of the calls; ends with stop
	cancel  context.CancelFunc
	idle    sync.WaitGroup // workers
}

// notification is one try to tell the partner of a top-up.
type notification struct {
	pay     *payment
	url     string
	partner string
	secrets []string // in url
	try     int      // from 1
	copy    bool     // a duplicate, which is not repeated
	after   *notification
}

func newNotifier(p *Platform) *notifier {
	transport := &http.Transport{
		MaxIdleConnsPerHost: p.cfg.Workers,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // the journal shows what was sent
	}
	n := &notifier{p: p}
	n.client = resty.New().SetTransport(transport).
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })).
		SetDoNotParseResponse(true) // at most maxAnswer bytes of it are of interest
	n.client.SetHeader("User-Agent", "Integra (partnerkit mockplatform)")
	n.start()
	return n
}

func (n *notifier) start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.held, n.stopped = nil, false
}

// stop forgets what waits, ends what is on its way, and waits for that.
func (n *notifier) stop() {
	n.mu.Lock()
	n.queue, n.stopped = nil, true
	n.cancel()
	n.mu.Unlock()
	n.idle.Wait()
	n.client.GetClient().CloseIdleConnections()
}

// announce sends the first notification of a new top-up, and its copies, as the settings
// say. It wants the user's mu held, and does not wait for anything.
func (n *notifier) announce(pay *payment, with Notify) {
	u := pay.user
	amount := pay.amount.Short()
	if with.Amount == AmountFull {
		amount = pay.amount.Text()
	}
	first := notification{
		pay: pay, url: u.template.Expand(pay.id, amount, u.hash),
		partner: u.partner, secrets: u.secrets, try: 1,
	}
	n.later(with.Delay, first)
	for i := range with.Duplicates {
		duplicate := first
		duplicate.copy = true
		n.later(with.Delay+time.Duration(i+1)*with.DuplicateAfter, duplicate)
	}
}

// later sends a notification after a pause in virtual time. It wants the user's mu held.
func (n *notifier) later(pause time.Duration, note notification) {
	if pause == 0 {
		n.pass(&note)
		return
	}
	timer := n.p.cfg.Clock.AfterFunc(pause, func() { n.pass(&note) })
	if !note.copy {
		note.pay.retry = timer
	}
}

// pass puts a notification on its way, or holds it back for another one to overtake it.
func (n *notifier) pass(note *notification) {
	hold := n.p.settings.Load().Notify.Reorder
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case hold == 0 || note.try > 1 || note.copy:
		n.send(note)
	case n.held != nil:
		note.after, n.held = n.held, nil
		n.send(note)
	default:
		n.held = note
		n.p.cfg.Clock.AfterFunc(hold, func() { n.release(note) })
	}
}

// release lets a notification go that nothing has overtaken in time.
func (n *notifier) release(note *notification) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held == note {
		n.held = nil
		n.send(note)
	}
}

// send queues a notification and sees to it that somebody works. It wants mu held.
func (n *notifier) send(note *notification) {
	if n.stopped {
		return
	}
	n.queue = append(n.queue, note)
	if n.workers < n.p.cfg.Workers {
		n.workers++
		n.idle.Add(1)
		n.p.cfg.Clock.Go(n.work)
	}
}

// work sends what waits until nothing does.
func (n *notifier) work() {
	defer n.idle.Done()
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.workers--
			n.mu.Unlock()
			return
		}
		note := n.queue[0]
		n.queue[0] = nil
		n.queue = n.queue[1:]
		ctx := n.ctx
		n.mu.Unlock()
		n.try(ctx, note)
		if note.after != nil {
			n.mu.Lock()
			n.send(note.after)
			n.mu.Unlock()
		}
	}
}

// try makes one call, unless the payment needs none any more, and plans the next one.
func (n *notifier) try(ctx context.Context, note *notification) {
	pay, u := note.pay, note.pay.user
	u.mu.Lock()
	needless := pay.state.Final() && !note.copy
	if !note.copy {
		pay.retry = nil
	}
	u.mu.Unlock()
	if needless {
		return
	}

	with := n.p.settings.Load().Notify
	attempt, exchange := n.call(ctx, note, with.Timeout)
	n.p.cfg.Journal.Record(exchange)

	n.p.cfg.Log.Debug("notification", "payment", pay.id, "user", u.hash, "try", note.try, "status", attempt.Status, "took", attempt.Took, "err", attempt.Error)
	u.mu.Lock()
	defer u.mu.Unlock()
	pay.attempts = append(pay.attempts, attempt)
	if attempt.Error != "" && !note.copy && !pay.state.Final() && ctx.Err() == nil {
		if pause, again := with.pause(note.try); again {
			next := *note
			next.try++
			next.after = nil
			n.later(pause, next)
		}
	}
	u.changed()
}

// maxAnswer bounds how much of a partner's answer is read.
const maxAnswer = 64 << 10

// call makes the call and describes it.
func (n *notifier) call(ctx context.Context, note *notification, timeout time.Duration) (Attempt, *journal.Exchange) {
	var sent journal.Sent
	attempt := Attempt{Number: note.try, Copy: note.copy, At: n.p.cfg.Clock.Now()}
	exchange := &journal.Exchange{
		Protocol: Protocol, Method: MethodNotify, Direction: journal.Out,
		Partner: note.partner, User: note.pay.user.hash, Payment: note.pay.id, Attempt: note.try,
		At: attempt.At, Real: time.Now().UTC(), Secrets: note.secrets,
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := n.client.R().SetContext(httptrace.WithClientTrace(ctx, sent.Trace())).Get(note.url)
	if err == nil {
		body, _ := io.ReadAll(io.LimitReader(response.RawBody(), maxAnswer))
		_ = response.RawBody().Close()
		attempt.Status = response.StatusCode()
		exchange.Response = journal.RawResponse(response.RawResponse.Proto, attempt.Status, response.Header(), body)
	}
	attempt.Took = time.Since(exchange.Real)
	switch {
	case err == nil && attempt.Status == http.StatusOK:
	case err == nil:
		attempt.Error = fmt.Sprintf("answered %d, not 200", attempt.Status)
	case errors.Is(err, context.DeadlineExceeded):
		attempt.Error = fmt.Sprintf("no answer within %s", timeout)
	default:
		attempt.Error = journal.Reason(err)
	}
	exchange.Took, exchange.Status = attempt.Took, attempt.Status
	exchange.Request = sent.Raw(http.MethodGet, note.url, nil)
	exchange.Verdict = journal.Verdict{OK: attempt.Error == "", Detail: attempt.Error}
	if attempt.Error != "" {
		exchange.Verdict.Check = "acknowledged"
	}
	return attempt, exchange
}
