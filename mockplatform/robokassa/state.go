package robokassa

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
)

// saved is the platform as a file keeps it. A message that is on its way when it is saved is
// sent again.
type saved struct {
	Settings   Settings
	Shops      []savedShop
	Operations []savedOperation // the oldest first
	Numbers    []string         // guids of the operations that shops mean by their numbers
	Invoices   []savedInvoice
	Refunds    []savedRefund
	Next       int64
}

// savedShop shows the passwords, which wire.Password hides.
type savedShop struct {
	Shop
	Passwords [5]string
}

type savedAmount struct {
	Minor    int64
	Currency string
}

type savedOperation struct {
	GUID, Shop                  string
	Number                      int64
	Test                        bool
	Request                     wire.Request
	Source                      Source
	Sum, Roubles, Fee, Refunded savedAmount
	Receipt                     *wire.Receipt
	Methods                     []string
	State                       State
	History                     []Step
	Created, Changed, Expires   time.Time
	Expired                     bool
	Method, Email, Account      string
	OpKey, RRN, Failure         string
	Timer                       time.Time // due; zero for none
	Result, Notice              savedDelivery
	Invoice                     int // place of its invoice, from 1; 0 for none
}

type savedDelivery struct {
	News, Tries int
	State       string
	Done        bool
	Due         time.Time
}

type savedInvoice struct {
	Operation   string // guid
	Kind        string
	Asked       wire.CreateInvoice
	Deactivated bool
	Modified    time.Time
	Payments    int
}

type savedRefund struct {
	ID, Operation, Label string
	Amount               savedAmount
	Due                  time.Time
}

func saveAmount(a money.Amount) savedAmount { return savedAmount{a.Minor(), a.Currency().Code()} }

func (s savedAmount) amount() (money.Amount, error) {
	c, err := currencyOf(s.Currency)
	return money.New(s.Minor, c), err
}

// Save takes the state of this moment, passwords included; write is for afterwards, and
// returns it as Load wants it.
func (p *Platform) Save() (write func() ([]byte, error)) {
	s := p.copy()
	return func() ([]byte, error) { return json.Marshal(s) }
}

// copy takes the state while nothing changes it.
func (p *Platform) copy() *saved {
	shops := p.Shops()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &saved{Settings: p.Settings(), Next: p.next}
	for _, shop := range shops {
		s.Shops = append(s.Shops, savedShop{shop, [5]string{
			string(shop.Password1), string(shop.Password2), string(shop.TestPassword1), string(shop.TestPassword2), string(shop.Password3),
		}})
	}
	for _, o := range p.order {
		one := o.save()
		one.Invoice = slices.Index(p.invoices, o.invoice) + 1
		s.Operations = append(s.Operations, one)
		if p.byNumber[o.number] == o {
			s.Numbers = append(s.Numbers, o.guid)
		}
	}
	for _, i := range p.invoices {
		s.Invoices = append(s.Invoices, savedInvoice{i.operation.guid, i.kind, i.asked, i.deactivated, i.modified, i.payments})
	}
	for _, r := range p.refunds {
		s.Refunds = append(s.Refunds, savedRefund{r.id, r.of.guid, r.label, saveAmount(r.amount), r.timer.Due()})
	}
	slices.SortFunc(s.Refunds, func(a, b savedRefund) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func (d *delivery) save() savedDelivery {
	return savedDelivery{d.news, d.tries, d.state, d.done, d.timer.Due()}
}

func (o *operation) save() savedOperation {
	s := savedOperation{
		GUID: o.guid, Shop: o.shop, Number: o.number.id, Test: o.number.test, Request: o.request, Source: o.source,
		Sum: saveAmount(o.sum), Roubles: saveAmount(o.roubles), Fee: saveAmount(o.fee), Refunded: saveAmount(o.refunded),
		Receipt: o.receipt, State: o.state, History: o.history, Created: o.created, Changed: o.changed, Expires: o.expires, Expired: o.expired,
		Method: o.method.Label, Email: o.email, Account: o.account, OpKey: o.opKey, RRN: o.rrn, Failure: o.failure,
		Timer: o.timer.Due(), Result: o.result.save(), Notice: o.notice.save(),
	}
	for _, m := range o.methods {
		s.Methods = append(s.Methods, m.Label)
	}
	return s
}

// ErrState is text that Save did not write.
var ErrState = errors.New("no state of Robokassa")

// Load replaces the state by one that Save returned; the clock shows the time of then, or a
// later one. What fell due meanwhile happens at once. Its error wraps ErrState, when nothing
// was changed.
func (p *Platform) Load(text []byte) error {
	var s saved
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	shops, operations, err := s.parts()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	p.courier.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.clear() // what New accepted is accepted again
	p.settings.Store(&s.Settings)
	p.shops, p.next = shops, s.Next
	for _, o := range operations {
		p.byGUID[o.guid] = o
		p.order = append(p.order, o)
		if o.opKey != "" {
			p.byKey[o.opKey] = o
		}
	}
	for _, guid := range s.Numbers {
		o := p.byGUID[guid]
		p.byNumber[o.number] = o
	}
	for _, i := range s.Invoices {
		p.invoices = append(p.invoices, &invoice{p.byGUID[i.Operation], i.Kind, i.Asked, i.Deactivated, i.Modified, i.Payments})
	}
	p.courier.Start() // before what is due is sent
	for i, o := range operations {
		if at := s.Operations[i].Invoice; at > 0 {
			o.invoice = p.invoices[at-1]
		}
		p.resume(o, &s.Operations[i])
	}
	now := p.cfg.Clock.Now()
	for _, r := range s.Refunds {
		amount, _ := r.Amount.amount() // checked
		one := &refund{id: r.ID, amount: amount, label: r.Label, of: p.byGUID[r.Operation]}
		p.refunds[r.ID] = one
		if r.Label == wire.RefundProcessing {
			p.finishRefund(one, one.of, r.Due.Sub(now))
		}
	}
	return nil
}

// parts makes shops and operations, and looks for what could not be loaded.
func (s *saved) parts() (map[string]*Shop, []*operation, error) {
	if err := s.Settings.Validate(); err != nil {
		return nil, nil, err
	}
	shops := map[string]*Shop{}
	for _, one := range s.Shops {
		shop, w := one.Shop, one.Passwords
		shop.Password1, shop.Password2 = wire.Password(w[0]), wire.Password(w[1])
		shop.TestPassword1, shop.TestPassword2, shop.Password3 = wire.Password(w[2]), wire.Password(w[3]), wire.Password(w[4])
		normal, err := shop.normal()
		if err != nil {
			return nil, nil, fmt.Errorf("shop %.80q: %w", shop.Login, err)
		}
		shops[normal.Login] = normal
	}
	known := map[string]bool{}
	operations := make([]*operation, len(s.Operations))
	for i := range s.Operations {
		one := &s.Operations[i]
		o, err := one.operation()
		switch {
		case err != nil:
		case known[o.guid]:
			err = errors.New("is there twice")
		case one.Invoice < 0 || one.Invoice > len(s.Invoices):
			err = errors.New("has no invoice of that place")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("operation %.80q: %w", one.GUID, err)
		}
		operations[i], known[o.guid] = o, true
	}
	for _, guid := range s.Numbers {
		if !known[guid] {
			return nil, nil, fmt.Errorf("number of an unknown operation %.80q", guid)
		}
	}
	for _, i := range s.Invoices {
		if !known[i.Operation] {
			return nil, nil, fmt.Errorf("invoice of an unknown operation %.80q", i.Operation)
		}
	}
	for _, r := range s.Refunds {
		if _, err := r.Amount.amount(); err != nil || !known[r.Operation] {
			return nil, nil, fmt.Errorf("refund %.80q is of no known operation or currency", r.ID)
		}
	}
	return shops, operations, nil
}

func (s *savedOperation) operation() (*operation, error) {
	o := &operation{
		guid: s.GUID, shop: s.Shop, number: number{s.Shop, s.Number, s.Test}, request: s.Request, source: s.Source,
		receipt: s.Receipt, state: s.State, history: s.History, created: s.Created, changed: s.Changed, expires: s.Expires, expired: s.Expired,
		email: s.Email, account: s.Account, opKey: s.OpKey, rrn: s.RRN, failure: s.Failure,
	}
	for _, a := range []struct {
		to   *money.Amount
		from savedAmount
	}{{&o.sum, s.Sum}, {&o.roubles, s.Roubles}, {&o.fee, s.Fee}, {&o.refunded, s.Refunded}} {
		amount, err := a.from.amount()
		if err != nil {
			return nil, err
		}
		*a.to = amount
	}
	for _, label := range s.Methods {
		if m, ok := methodOf(label); ok {
			o.methods = append(o.methods, m)
		}
	}
	if len(o.methods) == 0 {
		return nil, errors.New("offers no method")
	}
	o.method, _ = methodOf(s.Method) // none was chosen
	return o, nil
}

// resume lets go on what was going on with an operation. It wants mu held.
func (p *Platform) resume(o *operation, s *savedOperation) {
	now := p.cfg.Clock.Now()
	if !o.expires.IsZero() && !o.expired && !o.state.taken() {
		p.expireAfter(o, o.expires.Sub(now))
	}
	waits := o.state == stateHeld || o.state == statePaid || o.source == FromRecurring && !o.state.taken()
	if !s.Timer.IsZero() && waits {
		p.after(o, s.Timer.Sub(now))
	}
	o.result = delivery{news: s.Result.News, tries: s.Result.Tries, done: s.Result.Done}
	o.notice = delivery{news: s.Notice.News, tries: s.Notice.Tries, state: s.Notice.State, done: s.Notice.Done}
	p.courier.resume(o, &o.result, s.Result.Due.Sub(now), MethodResult)
	p.courier.resume(o, &o.notice, s.Notice.Due.Sub(now), MethodNotice)
}
