package integra

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// The acquirer is built into Integra's page (flow 3): the user pays Robokassa, Robokassa
// tells Integra, and Integra credits the user. The partner takes no part in it.

// PathShop is where Integra's shop hears from Robokassa: result, success and fail.
const PathShop = "/integra-shop"

// Methods of the journal for what Integra's shop hears and asks.
const (
	MethodPaid        = "shop.result"
	MethodReturned    = "shop.success"
	MethodNotPaid     = "shop.fail"
	MethodAskKey      = "shop.opstate"
	MethodRefund      = "shop.refund"
	MethodRefundState = "shop.refundState"
)

// Acquirer is Integra's shop at Robokassa.
type Acquirer struct {
	Login                string
	Password1, Password2 robokassa.Password // of the mode that is used
	Password3            robokassa.Password // "" for no refunds
	Hash                 robokassa.Algorithm
	Test                 bool   // payments are test payments
	Robokassa            string // address of Robokassa's paths, without a slash at its end
	FirstNumber          int64  // below the number of the first invoice
}

// firstInvoice is FirstNumber unless it is given.
const firstInvoice = 700_000

// card is what a payment by the acquirer has besides. It is guarded by user.mu.
type card struct {
	number   string // InvId; of a refund, that of the payment
	payURL   string // where the user pays
	back     string // path of the page from which the user set out; "" for none
	opKey    string // once it was asked for
	refunded money.Amount
	of       *payment // that a refund gives back
	refundID string   // at Robokassa
	tries    int      // of asking how the refund stands
	timer    *clock.Timer
}

// Checks of the shop.
const (
	CheckShopMessage   Check = "message"
	CheckShopSignature Check = "signature"
	CheckShopMode      Check = "mode"
)

// FieldPayment carries the payment's id through Robokassa and back.
const FieldPayment = "Shp_payment"

// topUpByCard creates a payment that Robokassa will tell of. It wants u.mu held.
func (p *Platform) topUpByCard(u *user, sum money.Amount, from origin) *payment {
	settings, by := p.settings.Load(), p.cfg.Acquirer
	pay := &payment{
		kind: TopUp, user: u, state: Unconfirmed, created: p.cfg.Clock.Now(),
		amount: sum, bonus: nothing, credited: nothing, card: &card{back: from.path, refunded: nothing},
	}
	for pay.id = p.cfg.Dice.ID(); !p.payments.add(pay.id, pay); {
		pay.id = p.cfg.Dice.ID()
	}
	pay.card.number = strconv.FormatInt(p.invoices.Add(1), 10)
	p.cards.add(pay.card.number, pay)
	request := robokassa.Request{
		Login: by.Login, OutSum: sum.Text(), InvID: pay.card.number, Description: "Пополнение баланса Integra", Culture: string(page.RU),
		IsTest: by.Test, Email: u.details.Email,
		Shp: robokassa.Fields{{Name: FieldPayment, Value: pay.id}},
	}
	if from.lang == page.EN {
		request.Description, request.Culture = "Top-up of the balance at Integra", string(page.EN)
	}
	if settings.Expiry > 0 {
		// Up to the minute, as the protocol has it: Robokassa stops taking money no later than
		// we stop waiting for it.
		request.Expiration = pay.created.Add(settings.Expiry).In(moscow).Format("2006-01-02T15:04")
		pay.expiry = p.cfg.Clock.AfterFunc(settings.Expiry, func() { p.expire(pay, settings.Expiry) })
	}
	pay.card.payURL = request.Signed(by.Hash, by.Password1).Fields().AppendTo(by.Robokassa + "/Merchant/Index.aspx")
	u.payments = append(u.payments, pay)
	u.changed()
	return pay
}

var moscow = time.FixedZone("MSK", 3*60*60)

// paid takes a message to ResultURL: the user's money came. A repeat changes nothing and is
// answered alike; a payment that we no longer waited for is credited too, since it was paid.
func (p *Platform) paid(f robokassa.Fields) (*payment, *Refusal) {
	by := p.cfg.Acquirer
	r, err := robokassa.NewResult(f)
	if err != nil {
		return nil, shopRefusal(CheckShopMessage, http.StatusBadRequest, err.Error())
	}
	if err := r.Verify(by.Hash, by.Password2); err != nil {
		return nil, shopRefusal(CheckShopSignature, http.StatusForbidden, fmt.Sprintf("%v: expected %s of %q", err, by.Hash, r.Base()))
	}
	if r.IsTest != by.Test {
		return nil, shopRefusal(CheckShopMode, http.StatusForbidden, "the message is of the other mode, test or live")
	}
	pay := p.cards.get(r.InvID)
	if pay == nil {
		return nil, shopRefusal(CheckPayment, http.StatusNotFound, fmt.Sprintf("there is no payment by card with the number %s", r.InvID))
	}
	u := pay.user
	u.mu.Lock()
	defer u.mu.Unlock()
	if id := r.Shp.Get(FieldPayment); id != "" && id != pay.id {
		return pay, shopRefusal(CheckPayment, http.StatusConflict, fmt.Sprintf("number %s is payment %s, not %s", r.InvID, pay.id, id))
	}
	sum, err := robokassa.ParseSum(r.OutSum, money.RUB)
	if err != nil || sum != pay.amount {
		return pay, shopRefusal(CheckAmount, http.StatusConflict, fmt.Sprintf("payment %s is over %s, not %.40q", pay.id, pay.amount, r.OutSum))
	}
	if pay.state == Confirmed {
		return pay, nil
	}
	if refusal := u.move(sum, p.cfg.Clock.Now()); refusal != nil {
		refusal.HTTP = http.StatusInternalServerError // Robokassa will say it again
		return pay, refusal
	}
	if pay.state == Declined {
		p.revive(pay)
	}
	pay.credited = sum
	p.settle(pay, Confirmed)
	u.tell(p, toppedUp, sum.Short())
	return pay, nil
}

// revive takes back that a payment had expired. It wants the user's mu held.
func (p *Platform) revive(pay *payment) {
	pay.decline = nil
	p.retiring.Lock()
	defer p.retiring.Unlock()
	for i, old := range p.retired {
		if old == pay {
			p.retired = append(p.retired[:i], p.retired[i+1:]...)
			return
		}
	}
}

func shopRefusal(check Check, status int, why string) *Refusal {
	return &Refusal{Check: check, Code: wire.CodeInvalid, Message: why, HTTP: status}
}

// serveShop answers Robokassa, and browsers that come back from it.
func (h *handler) serveShop(w http.ResponseWriter, r *http.Request) {
	c := &call{p: h.p, writer: w, request: r}
	name := strings.TrimPrefix(r.URL.Path, PathShop+"/")
	method, known := map[string]string{"result": MethodPaid, "success": MethodReturned, "fail": MethodNotPaid}[name]
	c.exchange = h.p.desk.Begin(Protocol, cmp.Or(method, "shop"))
	fields, refusal := c.readShop()
	if !known && refusal == nil {
		refusal = shopRefusal(CheckPath, http.StatusNotFound, fmt.Sprintf("there is nothing at %.100q", r.URL.Path))
	}
	h.p.desk.Serve(w, r, &traffic.Call{
		Exchange: c.exchange, Body: c.body, Page: method != MethodPaid,
		Do: func(*fault.Plan) *fault.Answer {
			h.p.world.RLock()
			defer h.p.world.RUnlock()
			defer h.p.retire()
			var answer *fault.Answer
			switch {
			case refusal != nil:
			case method == MethodPaid:
				var pay *payment
				pay, refusal = h.p.paid(fields)
				c.about(pay)
				if refusal == nil {
					answer = plainText(http.StatusOK, robokassa.Answer(fields.Get(robokassa.FieldInvID)))
				}
			default:
				answer, refusal = c.comeBack(h.pages, fields, method == MethodReturned)
			}
			c.note(refusal, LostNone)
			if refusal != nil {
				answer = plainText(refusal.HTTP, refusal.Message)
			}
			return answer
		},
	})
}

func plainText(status int, text string) *fault.Answer {
	return &fault.Answer{Status: status, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(text)}
}

// about names a payment in the exchange; nil for none.
func (c *call) about(pay *payment) {
	if pay != nil {
		c.exchange.User, c.exchange.Payment, c.exchange.Partner = pay.user.hash, pay.id, pay.user.partner
	}
}

// readShop reads the parameters of a message to the shop.
func (c *call) readShop() (robokassa.Fields, *Refusal) {
	r := c.request
	if c.p.cfg.Acquirer == nil {
		return nil, shopRefusal(CheckVia, http.StatusNotFound, "there is no acquirer")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return nil, shopRefusal(CheckVerb, http.StatusMethodNotAllowed, r.Method+" is not possible: use GET or POST")
	}
	body, err := traffic.ReadBody(c.writer, r, MaxBody)
	c.body = body
	switch {
	case errors.Is(err, traffic.ErrTooLong):
		return nil, shopRefusal(CheckBody, http.StatusRequestEntityTooLarge, fmt.Sprintf("body is longer than %d bytes", MaxBody))
	case err != nil:
		return nil, shopRefusal(CheckBody, http.StatusBadRequest, err.Error())
	}
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		text = string(body)
	}
	fields, err := robokassa.ParseFields(text)
	if err != nil {
		return nil, shopRefusal(CheckShopMessage, http.StatusBadRequest, err.Error())
	}
	object := make(map[string]string, len(fields))
	for _, f := range fields {
		object[f.Name] = f.Value
	}
	c.exchange.Args, _ = json.Marshal(object) // texts alone
	return fields, nil
}

// comeBack leads a browser that comes from Robokassa to the page from which it set out. It
// credits nothing, whatever the address says: that is for ResultURL. Who cannot show our
// signature or the payment's id is shown nothing of anybody.
func (c *call) comeBack(s *pages, f robokassa.Fields, well bool) (*fault.Answer, *Refusal) {
	by := c.p.cfg.Acquirer
	back, err := robokassa.NewReturn(f)
	if err != nil {
		return nil, shopRefusal(CheckShopMessage, http.StatusBadRequest, err.Error())
	}
	if well && back.Verify(by.Hash, by.Password1) != nil {
		return nil, shopRefusal(CheckShopSignature, http.StatusForbidden, "wrong signature")
	}
	pay := c.p.cards.get(back.InvID)
	if pay == nil || back.Shp.Get(FieldPayment) != pay.id {
		return nil, shopRefusal(CheckPayment, http.StatusNotFound, "there is no such payment")
	}
	c.about(pay)
	if to := pay.card.back; to != "" {
		if u, err := url.Parse(to); err == nil { // the address holds the session
			c.secrets = append(c.secrets, u.Query().Get(wire.ParamK))
		}
		return &fault.Answer{Status: http.StatusSeeOther, Header: http.Header{"Location": {to}, "Referrer-Policy": {"no-referrer"}}}, nil
	}
	var screen traffic.Capture
	view := s.view(&screen, c.request)
	s.render(&screen, http.StatusOK, "returned", &returned{View: view, Payment: pay.lockedView(), Well: well})
	return screen.Answer(), nil
}

// RefundCard gives money of a payment by card back through Robokassa: all that is left for
// amount "". The user's balance goes down at once, since the money is on its way; if Robokassa
// refuses, it is credited again. The error is a *Refusal.
func (p *Platform) RefundCard(id, amount string) (Payment, error) {
	p.world.RLock()
	defer p.world.RUnlock()
	paid := p.payments.get(id)
	if paid == nil {
		return Payment{}, refuse(CheckPayment, wire.CodePaymentNotFound, fmt.Sprintf("payment %s is unknown", id))
	}
	u, by := paid.user, p.cfg.Acquirer
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case paid.card == nil || paid.kind != TopUp || by == nil:
		return Payment{}, refuse(CheckVia, wire.CodeInvalid, fmt.Sprintf("payment %s was not made by Robokassa", id))
	case by.Test || by.Password3 == "":
		return Payment{}, refuse(CheckVia, wire.CodeInvalid, "the shop has no access to refunds")
	case paid.state != Confirmed:
		return Payment{}, refuse(CheckState, wire.CodePaymentFinal, fmt.Sprintf("payment %s is %s", id, paid.state))
	}
	left, err := paid.credited.Sub(paid.card.refunded)
	if err != nil {
		return Payment{}, refuse(CheckAmount, wire.CodeInvalid, err.Error())
	}
	sum := left
	if amount != "" {
		if sum, err = money.Parse(amount, money.RUB); err != nil {
			return Payment{}, refuse(CheckAmount, wire.CodeInvalid, err.Error())
		}
	}
	switch after, err := u.balance.Sub(sum); {
	case sum.Sign() <= 0 || sum.Cmp(left) > 0:
		return Payment{}, refuse(CheckAmount, wire.CodeInvalid, fmt.Sprintf("of payment %s, %s can be refunded, not %s", id, left, sum))
	case err != nil || after.Sign() < 0 && p.settings.Load().Overdraft == OverdraftRefused:
		return Payment{}, refuse(CheckBalance, wire.CodeBalance, fmt.Sprintf("balance %s does not cover %s", u.balance, sum))
	}
	pay := &payment{
		kind: Refund, user: u, state: Unconfirmed, created: p.cfg.Clock.Now(),
		amount: sum.Neg(), bonus: nothing, credited: sum.Neg(), card: &card{number: paid.card.number, of: paid, refunded: nothing},
	}
	if refusal := u.move(pay.amount, pay.created); refusal != nil {
		return Payment{}, refusal
	}
	for pay.id = p.cfg.Dice.ID(); !p.payments.add(pay.id, pay); {
		pay.id = p.cfg.Dice.ID()
	}
	paid.card.refunded, _ = paid.card.refunded.Add(sum) // at most what was credited
	u.payments = append(u.payments, pay)
	u.changed()
	if paid.card.opKey == "" {
		p.askKey(pay)
	} else {
		p.askRefund(pay)
	}
	return pay.view(), nil
}

// ask sends a request of the shop to Robokassa and hands on the answer; status is 0 without one.
func (p *Platform) ask(pay *payment, method string, q *traffic.Request, heard func(status int, body []byte)) {
	var answer []byte
	q.Timeout = 30 * time.Second
	q.Refused = func(status int, body []byte) string {
		answer = body
		if status < 200 || status > 299 {
			return fmt.Sprintf("answered %d", status)
		}
		return ""
	}
	p.notifier.Send(traffic.Letter{
		About: journal.Exchange{
			Protocol: Protocol, Method: method, Partner: pay.user.partner, User: pay.user.hash, Payment: pay.id,
			Trace: pay.card.of.id, // a refund goes with the payment that it gives back
		},
		Write: func(*fault.Plan, bool) *traffic.Request { return q },
		Heard: func(report traffic.Report) {
			if report.Copy || report.Stopped {
				return
			}
			defer p.retire()
			pay.user.mu.Lock()
			defer pay.user.mu.Unlock()
			heard(report.Status, answer)
		},
	})
}

// askKey finds out the OpKey of the payment, without which nothing can be refunded. It wants
// the user's mu held.
func (p *Platform) askKey(pay *payment) {
	by, paid := p.cfg.Acquirer, pay.card.of
	query := robokassa.Fields{
		{Name: robokassa.FieldLogin, Value: by.Login},
		{Name: "InvoiceID", Value: paid.card.number},
		{Name: "Signature", Value: robokassa.OpStateBase(by.Login, paid.card.number).Sign(by.Hash, by.Password2)},
	}
	address := query.AppendTo(by.Robokassa + "/Merchant/WebService/Service.asmx/OpStateExt")
	p.ask(pay, MethodAskKey, &traffic.Request{Verb: http.MethodGet, URL: address}, func(status int, body []byte) {
		var state robokassa.OperationState
		err := robokassa.ReadXML(string(body), &state)
		if status != http.StatusOK || err != nil || state.Info == nil || state.Info.OpKey == nil || *state.Info.OpKey == "" {
			p.unrefund(pay, "Robokassa did not say which operation it was")
			return
		}
		paid.card.opKey = *state.Info.OpKey
		p.askRefund(pay)
	})
}

// askRefund asks for the refund, once: the API does not know repeats. It wants the user's mu
// held.
func (p *Platform) askRefund(pay *payment) {
	by := p.cfg.Acquirer
	payload, err := json.Marshal(robokassa.CreateRefund{OpKey: pay.card.of.card.opKey, RefundSum: json.Number(pay.amount.Neg().Text())})
	if err != nil {
		p.unrefund(pay, err.Error())
		return
	}
	token, err := robokassa.SignToken(`{"alg":"HS256","typ":"JWT"}`, string(payload), by.Hash, by.Password3)
	if err != nil {
		p.unrefund(pay, err.Error())
		return
	}
	p.ask(pay, MethodRefund, &traffic.Request{
		Verb: http.MethodPost, URL: by.Robokassa + "/RefundService/Refund/Create",
		Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(`"` + token + `"`),
	}, func(_ int, body []byte) {
		var created robokassa.RefundCreated
		switch err := json.Unmarshal(body, &created); {
		case err == nil && created.Success && created.RequestID != nil:
			pay.card.refundID = *created.RequestID
			p.askState(pay)
		case err == nil && !created.Success && created.Message != nil:
			p.unrefund(pay, *created.Message)
		default: // it may have been accepted: the money stays set aside, and a person looks
			pay.decline = &decline{reason: "Robokassa's answer to the refund is not known"}
			pay.user.changed()
		}
	})
}

// Asking how a refund stands.
const (
	refundPause = 5 * time.Second // virtual
	refundTries = 1000
)

// askState asks how the refund stands until it is known. It wants the user's mu held.
func (p *Platform) askState(pay *payment) {
	pay.card.tries++
	if pay.card.tries > refundTries {
		return
	}
	address := p.cfg.Acquirer.Robokassa + "/RefundService/Refund/GetState?id=" + url.QueryEscape(pay.card.refundID)
	p.ask(pay, MethodRefundState, &traffic.Request{Verb: http.MethodGet, URL: address}, func(_ int, body []byte) {
		var state robokassa.RefundState
		_ = json.Unmarshal(body, &state) // what is no state is asked for again
		switch state.Label {
		case robokassa.RefundFinished:
			p.settle(pay, Confirmed)
		case robokassa.RefundCanceled:
			p.unrefund(pay, "Robokassa canceled the refund")
		default:
			pay.card.timer = p.cfg.Clock.AfterFunc(refundPause, func() {
				pay.user.mu.Lock()
				defer pay.user.mu.Unlock()
				p.askState(pay)
			})
		}
	})
}

// unrefund credits again what was set aside for a refund that Robokassa refused. It wants the
// user's mu held.
func (p *Platform) unrefund(pay *payment, why string) {
	if pay.state.Final() {
		return
	}
	if refusal := pay.user.move(pay.amount.Neg(), p.cfg.Clock.Now()); refusal != nil {
		p.cfg.Log.Error("a refused refund could not be credited again", "payment", pay.id, "err", refusal)
		return
	}
	of := pay.card.of.card
	of.refunded, _ = of.refunded.Add(pay.amount) // it was added before
	pay.credited = nothing
	pay.decline = &decline{reason: why}
	p.settle(pay, Declined)
}
