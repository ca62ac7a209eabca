package robokassa

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

// State is where an operation stands: a code of OpState, or stateOpened, of which OpState
// does not know yet.
type State wire.StateCode

const (
	stateOpened   State = 0 // the page was opened
	stateStarted        = State(wire.StateStarted)
	stateEnded          = State(wire.StateCancelled)
	stateHeld           = State(wire.StateHold)
	statePaid           = State(wire.StatePaid)
	stateReturned       = State(wire.StateReturned)
	stateDone           = State(wire.StateDone)
)

// taken reports whether the number of the operation is used up.
func (s State) taken() bool {
	return s == stateHeld || s == statePaid || s == stateReturned || s == stateDone
}

// paid reports whether the buyer's money came.
func (s State) paid() bool { return s == stateHeld || s == statePaid || s == stateDone }

// number is what a shop calls an operation.
type number struct {
	shop string
	id   int64
	test bool
}

// operation is one payment from the opened page on; all of it is guarded by Platform.mu.
type operation struct {
	guid    string
	number  number
	shop    string
	request wire.Request
	source  Source
	sum     money.Amount // as the shop asked for it, or confirmed less
	roubles money.Amount // what the buyer pays
	receipt *wire.Receipt
	methods []Method

	state    State
	history  []Step
	created  time.Time
	changed  time.Time // of state
	expires  time.Time // zero for never
	expired  bool
	method   Method
	email    string
	account  string // masked number of the card
	opKey    string // once the buyer has confirmed the details
	rrn      string // of a card
	fee      money.Amount
	refunded money.Amount
	failure  string // why it was refused the last time, a CardOutcome or a word of ours; "" for not
	gone     bool

	expiry *clock.Timer
	timer  *clock.Timer // of crediting or of the end of a hold
	result delivery     // to ResultURL
	notice delivery     // to ResultUrl2

	invoice  *invoice // of the Invoice API
	watchers map[chan struct{}]struct{}
}

// An Operation shows one operation as it is at the moment.
type Operation struct {
	GUID      string
	Shop      string
	InvID     int64
	Test      bool
	Source    Source
	State     State
	Sum       money.Amount
	Roubles   money.Amount
	Fee       money.Amount
	Refunded  money.Amount
	Method    string // label; "" before one was chosen
	OpKey     string
	Failure   string
	Expired   bool
	Created   time.Time
	Changed   time.Time
	Delivered bool // ResultURL was answered as it should be
	Tries     int  // of ResultURL
	NextTry   time.Time
	Methods   []Method // that are offered
	History   []Step   // states it has been in, the latest at the end
	Request   wire.Request
}

// A Step is a state that an operation has been in from a moment on.
type Step struct {
	State    State
	Why      string    // of a failure, as Operation.Failure has it, or "expired"
	At, Real time.Time // in virtual and in real time
}

// maxSteps is how many of an operation are remembered, the latest ones.
const maxSteps = 50

func (o *operation) view() Operation {
	view := Operation{
		GUID: o.guid, Shop: o.shop, InvID: o.number.id, Test: o.number.test, Source: o.source, State: o.state,
		Sum: o.sum, Roubles: o.roubles, Fee: o.fee, Refunded: o.refunded, Method: o.method.Label, OpKey: o.opKey,
		Failure: o.failure, Expired: o.expired, Created: o.created, Changed: o.changed,
		Delivered: o.result.done, Tries: o.result.tries, Request: o.request,
		Methods: o.methods, History: slices.Clone(o.history),
	}
	if !o.result.done {
		view.NextTry = o.result.timer.Due()
	}
	return view
}

// set gives the operation a state and tells who watches.
func (p *Platform) set(o *operation, s State) {
	p.enter(o, s)
	o.tell()
}

func (p *Platform) enter(o *operation, s State) {
	o.state, o.changed = s, p.cfg.Clock.Now()
	step := Step{State: s, Why: o.failure, At: o.changed, Real: time.Now().UTC()}
	if o.expired {
		step.Why = "expired"
	}
	o.history = append(o.history, step)
	o.history = o.history[max(len(o.history)-maxSteps, 0):]
}

func (o *operation) tell() {
	for c := range o.watchers {
		select {
		case c <- struct{}{}:
		default: // it has not yet looked at what it was told of before
		}
	}
}

// begin makes an operation of a draft that passed the checks. It wants mu held.
func (p *Platform) begin(d *draft) *operation {
	for d.number == 0 {
		p.next += 1 + int64(p.cfg.Dice.N(5)) // other shops' invoices are counted too
		if p.byNumber[number{d.Login, p.next, d.IsTest}] == nil {
			d.number = p.next
		}
	}
	o := &operation{
		guid: p.guid(), shop: d.Login, number: number{d.Login, d.number, d.IsTest}, request: d.Request, source: d.source,
		sum: d.sum, roubles: d.roubles, receipt: d.receipt, methods: d.methods, email: d.Email,
		created: p.cfg.Clock.Now(), expires: d.expires,
		fee: money.New(0, money.RUB), refunded: money.New(0, money.RUB),
	}
	p.enter(o, stateOpened)
	p.remember(o)
	if now := p.byNumber[o.number]; now == nil || !now.state.taken() || o.number.test {
		p.byNumber[o.number] = o
	}
	if !o.expires.IsZero() {
		p.expireAfter(o, o.expires.Sub(p.cfg.Clock.Now()))
	}
	if !o.source.answered() || p.desk.Faults.Conjure(o.sum.Text()) == nil { // else the answer to this very call is meant
		p.desk.Faults.Enchant(Protocol, o.shop, o.invID(), o.sum.Text())
	}
	return o
}

// expireAfter lets an operation expire unless it is paid by then. It wants mu held.
func (p *Platform) expireAfter(o *operation, d time.Duration) {
	o.expiry = p.cfg.Clock.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.expire(o)
	})
}

// expire ends an operation that was not paid in time. It wants mu held.
func (p *Platform) expire(o *operation) {
	if o.gone || o.state.taken() || o.expired {
		return
	}
	o.expired = true
	p.set(o, stateEnded)
}

// payable refuses what cannot be paid (any more). It wants mu held.
func (p *Platform) payable(o *operation) *Refusal {
	paid, late := wire.CodePaid, wire.CodeExpired
	if o.invoice != nil {
		paid, late = wire.CodeInvoicePaid, wire.CodeInvoiceExpired
	}
	shop := p.shops[o.shop]
	switch {
	case o.gone || shop == nil:
		return refuse(CheckOperation, wire.CodeInvoiceNotFound, "the operation is gone")
	case o.expired || o.invoice != nil && o.invoice.deactivated:
		return refuse(CheckExpired, late, "the operation has expired")
	case o.state.taken():
		return refuse(CheckPaid, paid, "the operation is in state %d", o.state)
	case shop.Inactive && !o.number.test:
		return refuse(CheckActive, wire.CodeInactive, "the shop takes test payments alone")
	}
	if now := p.byNumber[o.number]; now != nil && now != o && now.state.taken() && !o.number.test {
		return refuse(CheckPaid, paid, "the number %d was paid on another page", o.number.id)
	}
	return nil
}

// try begins a payment by a method: from here on OpState knows the operation. It wants mu held.
func (p *Platform) try(o *operation, label string) *Refusal {
	if refused := p.payable(o); refused != nil {
		return refused
	}
	if label == "" {
		label = o.methods[0].Label
	}
	m, known := methodOf(label)
	offered := false
	for _, one := range o.methods {
		offered = offered || one.Label == m.Label
	}
	if !known || !offered {
		return refuse(CheckMethod, wire.CodeInvoice, "method %.40q is not offered", label)
	}
	o.method, o.failure = m, ""
	p.byNumber[o.number] = o
	if o.opKey == "" {
		o.opKey = p.opKey()
		p.byKey[o.opKey] = o
	}
	p.set(o, stateStarted)
	return nil
}

// pay is the buyer's money. It wants mu held, and try before it.
func (p *Platform) pay(o *operation) {
	if o.expiry != nil {
		o.expiry.Stop()
	}
	if o.method.Card {
		o.rrn = p.digits(12)
		if o.account == "" {
			o.account = masked(Cards()[0].Number)
		}
	}
	if o.request.StepByStep {
		p.set(o, stateHeld)
		p.after(o, duration(p.settings.Load().HoldMS))
		p.courier.notice(o, wire.NoticeHold)
		return
	}
	p.credit(o)
}

// credit carries an operation from the buyer's money to the shop's. It wants mu held.
func (p *Platform) credit(o *operation) {
	p.set(o, statePaid)
	delay := duration(p.settings.Load().CreditDelayMS)
	if delay == 0 {
		p.finish(o)
		return
	}
	p.after(o, delay)
}

// finish credits the shop and tells it. It wants mu held.
func (p *Platform) finish(o *operation) {
	s := p.settings.Load()
	if !o.number.test {
		fee := o.roubles.Decimal().Mul(decimal.RequireFromString(s.FeePercent)).Div(decimal.NewFromInt(100)).Round(2)
		o.fee, _ = money.FromDecimal(fee, money.RUB) // at most the sum itself
	}
	p.set(o, stateDone)
	p.courier.result(o)
	p.courier.notice(o, wire.NoticeOK)
}

// after lets time do to the operation what it does in its present state: a hold ends, paid
// money is credited, and a recurring payment is made. It wants mu held.
func (p *Platform) after(o *operation, d time.Duration) {
	o.timer = p.cfg.Clock.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case o.gone:
		case o.state == stateHeld:
			p.set(o, stateReturned)
		case o.state == statePaid:
			p.finish(o)
		case o.source == FromRecurring && !o.state.taken():
			p.charge(o)
		}
	})
}

// fail ends a try without money; the buyer may try again. It wants mu held, and try before it.
func (p *Platform) fail(o *operation, why string) {
	o.failure = why
	p.set(o, stateEnded)
}

// A way back to the shop: what the browser carries where, and how.
type wayBack struct {
	Verb   string // "" if the shop gave no address
	URL    string
	Fields wire.Fields
}

// way returns how the buyer gets back to the shop after the operation went well or not. It
// wants mu held.
func (p *Platform) way(o *operation, well bool) wayBack {
	shop, s := p.shops[o.shop], p.settings.Load()
	if shop == nil {
		return wayBack{}
	}
	way := wayBack{Verb: shop.SuccessMethod, URL: shop.SuccessURL}
	second, method := o.request.SuccessURL2, o.request.SuccessMethod
	if !well {
		way.Verb, way.URL = shop.FailMethod, shop.FailURL
		second, method = o.request.FailURL2, o.request.FailMethod
	}
	if second != "" {
		way.URL, way.Verb = plain(second), http.MethodGet
		if method != "" {
			way.Verb = method
		}
	}
	if way.URL == "" {
		return wayBack{}
	}
	back := wire.Return{
		OutSum: o.outSum(s, s.SuccessDecimals), InvID: o.invID(), IsTest: o.number.test,
		Culture: o.culture(), Shp: o.request.Shp,
	}
	if well {
		back = back.Signed(shop.hash(o.number.test), shop.password1(o.number.test))
	} else {
		back.IsTest = back.IsTest && s.FailIsTest
	}
	way.Fields = back.Fields()
	return way
}

func (o *operation) invID() string { return strconv.FormatInt(o.number.id, 10) }

func (o *operation) culture() string {
	if o.request.Culture == "" {
		return "ru"
	}
	return o.request.Culture
}

// outSum is the sum as the shop is told it.
func (o *operation) outSum(s *Settings, decimals int) string {
	sum := o.sum
	if s.CurrencyResult == "roubles" {
		sum = o.roubles
	}
	return decimalsOf(sum, decimals, o.number.test)
}

func decimalsOf(a money.Amount, decimals int, test bool) string {
	if test || decimals == 2 {
		return a.Text()
	}
	return wire.SixDigits(a)
}

// plain undoes the encoding that Robokassa's WordPress module puts on addresses.
func plain(address string) string {
	for _, form := range []string{"http%3A%2F%2F", "https%3A%2F%2F", "http%3a%2f%2f", "https%3a%2f%2f"} {
		if len(address) >= len(form) && address[:len(form)] == form {
			if f, err := wire.ParseFields("u=" + address); err == nil {
				return f.Get("u")
			}
		}
	}
	return address
}
