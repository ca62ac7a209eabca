package integra

import (
	"net/http"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// MethodNotify is what the journal calls a notification, which has no method's name.
const MethodNotify = "notify"

// notifier tells partners of top-ups.
type notifier struct {
	*traffic.Courier
	p *Platform
}

// notification is one try to tell the partner of a top-up.
type notification struct {
	pay     *payment
	url     func(amount string) string
	amount  string
	partner string
	secrets []string // in the address
	try     int      // from 1
	copy    bool     // a duplicate, which is not repeated
}

func newNotifier(p *Platform) *notifier {
	return &notifier{traffic.NewCourier(p.desk, "Integra (partnerkit mockplatform)", p.cfg.Workers), p}
}

// announce sends the first notification of a new top-up, and its copies, as the settings
// say. It wants the user's mu held, and does not wait for anything.
func (n *notifier) announce(pay *payment, with Notify) {
	first := n.note(pay, with, 1)
	n.later(with.Delay, first)
	for i := range with.Duplicates {
		duplicate := first
		duplicate.copy = true
		n.later(with.Delay+time.Duration(i+1)*with.DuplicateAfter, duplicate)
	}
}

// note is the try of that number to tell of a payment. It wants the user's mu held.
func (n *notifier) note(pay *payment, with Notify, try int) notification {
	u := pay.user
	amount := pay.amount.Short()
	if with.Amount == AmountFull {
		amount = pay.amount.Text()
	}
	template, hash, id := u.template, u.hash, pay.id
	return notification{
		pay: pay, url: func(amount string) string { return template.Expand(id, amount, hash) }, amount: amount,
		partner: u.partner, secrets: u.secrets, try: try,
	}
}

// later sends a notification after a pause in virtual time. It wants the user's mu held.
func (n *notifier) later(pause time.Duration, note notification) {
	if pause == 0 {
		n.send(note)
		return
	}
	timer := n.p.cfg.Clock.AfterFunc(pause, func() { n.send(note) })
	if !note.copy {
		note.pay.retry = timer
	}
}

// send hands a notification to the courier.
func (n *notifier) send(note notification) {
	letter := traffic.Letter{
		About: journal.Exchange{
			Protocol: Protocol, Method: MethodNotify,
			Partner: note.partner, User: note.pay.user.hash, Payment: note.pay.id, Attempt: note.try,
		},
		Copy:  note.copy,
		Write: func(plan *fault.Plan, again bool) *traffic.Request { return n.write(note, plan, again) },
		Heard: func(report traffic.Report) { n.heard(note, report) },
	}
	if note.try == 1 && !note.copy {
		letter.HoldFor = n.p.settings.Load().Notify.Reorder
	}
	n.Send(letter)
}

// write makes the request, unless the payment needs none any more.
func (n *notifier) write(note notification, plan *fault.Plan, again bool) *traffic.Request {
	pay := note.pay
	pay.user.mu.Lock()
	defer pay.user.mu.Unlock()
	if !again {
		pay.retry = nil
		if pay.state.Final() {
			return nil
		}
	}
	return &traffic.Request{
		Verb: http.MethodGet, URL: note.url(plan.Amount(note.amount)),
		Timeout: n.p.settings.Load().Notify.Timeout, Secrets: note.secrets,
	}
}

// heard notes what came of a try, and plans the next one.
func (n *notifier) heard(note notification, report traffic.Report) {
	pay, u := note.pay, note.pay.user
	n.p.cfg.Log.Debug("notification", "payment", pay.id, "user", u.hash, "try", note.try, "status", report.Status, "took", report.Took, "err", report.Error)
	u.mu.Lock()
	defer u.mu.Unlock()
	pay.attempts = append(pay.attempts, Attempt{
		Number: note.try, Copy: report.Copy, At: report.At, Heard: report.Heard, Took: report.Took, Status: report.Status, Error: report.Error,
	})
	if report.Error != "" && !report.Copy && !pay.state.Final() && !report.Stopped {
		if pause, again := n.p.settings.Load().Notify.pause(note.try); again {
			next := note
			next.try++
			n.later(pause, next)
		}
	}
	u.changed()
}
