package integra

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// saved is the platform as a file keeps it. Sums are kopecks. What is on its way when it is
// saved (a notification, a copy of one, a call to Robokassa) is not kept: a payment that was
// not acknowledged is notified again.
type saved struct {
	Number                       int
	Messages, Counters, Invoices int64
	Settings                     Settings
	Partners                     []Partner
	Users                        []savedUser
	Final                        []string // ids of final payments, in the order in which they became so
}

type savedUser struct {
	Hash, Login, Key, Partner string
	Details                   wire.CreateUserArgs
	Order                     int
	Created                   time.Time
	Balance                   int64
	Days                      []savedDay
	Messages                  []savedMessage
	Template                  string
	LoginAt, ArchivedAt       time.Time
	URL                       string
	Counters                  map[string]int64
	Payments                  []savedPayment
}

type savedDay struct {
	Date                     string
	Income, Outcome, Balance int64
}

type savedMessage struct {
	ID     int64
	Kind   int
	Amount string
	Read   bool
}

type savedPayment struct {
	ID, Number              string
	Kind                    Kind
	Amount, Bonus, Credited int64
	State                   State
	Decline                 *savedDecline
	Created, Settled        time.Time
	Attempts                []Attempt
	Expiry, Retry           time.Time // when they are due; zero for not at all
	Card                    *savedCard
}

type savedDecline struct {
	Reason  string
	Code    int
	Link    string
	Expired bool
	Within  time.Duration `json:",omitempty"`
}

type savedCard struct {
	Number, PayURL, Back, OpKey string
	Refunded                    int64
	Of                          string // id of the payment that is given back
	RefundID                    string
	Tries                       int
}

// Save returns the state, keys included, for Load. While no call changes it, it calls also,
// to take the state of others at the same moment: a message from one platform to another has
// then arrived at both, or is still to be acknowledged.
func (p *Platform) Save(also func()) ([]byte, error) {
	s := p.copy(also)
	return json.Marshal(s)
}

// copy takes the state while no call changes it.
func (p *Platform) copy(also func()) *saved {
	p.world.Lock()
	defer p.world.Unlock()
	also()
	s := &saved{
		Messages: p.messages.Load(), Counters: p.counters.Load(), Invoices: p.invoices.Load(),
		Settings: p.Settings(), Partners: p.Partners(),
	}
	p.register.Lock()
	s.Number = p.number
	p.register.Unlock()
	for _, u := range p.inOrder("") {
		s.Users = append(s.Users, u.save())
	}
	p.retiring.Lock()
	defer p.retiring.Unlock()
	for _, pay := range p.retired {
		s.Final = append(s.Final, pay.id)
	}
	return s
}

func (u *user) save() savedUser {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := savedUser{
		Hash: u.hash, Login: u.login, Key: u.key, Partner: u.partner, Details: u.details, Order: u.order, Created: u.created,
		Balance: u.balance.Minor(), LoginAt: u.loginAt, ArchivedAt: u.archivedAt, URL: u.url,
	}
	for _, d := range u.days {
		s.Days = append(s.Days, savedDay{d.date, d.income.Minor(), d.outcome.Minor(), d.balance.Minor()})
	}
	for _, m := range u.messages {
		s.Messages = append(s.Messages, savedMessage{m.id, m.kind.id, m.amount, m.read})
	}
	if u.template != nil {
		s.Template = u.template.String()
	}
	if u.counters != nil {
		s.Counters = map[string]int64{}
		for counter, id := range u.counters {
			s.Counters[counter] = id
		}
	}
	for _, pay := range u.payments {
		s.Payments = append(s.Payments, pay.save())
	}
	return s
}

// save wants user.mu held.
func (p *payment) save() savedPayment {
	s := savedPayment{
		ID: p.id, Number: p.number, Kind: p.kind, Amount: p.amount.Minor(), Bonus: p.bonus.Minor(), Credited: p.credited.Minor(),
		State: p.state, Created: p.created, Settled: p.settled, Attempts: slices.Clone(p.attempts),
		Expiry: p.expiry.Due(), Retry: p.retry.Due(),
	}
	if d := p.decline; d != nil {
		s.Decline = &savedDecline{d.reason, d.code, d.link, d.expired, d.within}
	}
	if c := p.card; c != nil {
		s.Card = &savedCard{Number: c.number, PayURL: c.payURL, Back: c.back, OpKey: c.opKey, Refunded: c.refunded.Minor(), RefundID: c.refundID, Tries: c.tries}
		if c.of != nil {
			s.Card.Of = c.of.id
		}
	}
	return s
}

// ErrState is text that Save did not write.
var ErrState = errors.New("no state of Integra")

// Load replaces the state by one that Save returned; the clock shows the time of then, or a
// later one. What fell due meanwhile happens at once. Its error wraps ErrState, when nothing
// was changed.
func (p *Platform) Load(text []byte) error {
	var s saved
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	if err := s.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	p.notifier.Stop()
	p.world.Lock()
	defer p.world.Unlock()
	_ = p.clear() // what New accepted is accepted again
	p.settings.Store(&s.Settings)
	p.messages.Store(s.Messages)
	p.counters.Store(s.Counters)
	p.invoices.Store(s.Invoices)
	p.register.Lock()
	p.number = s.Number
	p.partners = map[string]*partner{}
	p.register.Unlock()
	for _, partner := range s.Partners {
		_ = p.PutPartner(partner) // checked
	}
	due := map[*payment]dueTimes{}
	for i := range s.Users {
		p.loadUser(&s.Users[i], due)
	}
	for _, id := range s.Final {
		if pay := p.payments.get(id); pay != nil {
			p.retired = append(p.retired, pay)
		}
	}
	p.notifier.Start() // before what is due is sent
	for _, u := range p.inOrder("") {
		p.resume(u, due)
	}
	return nil
}

// check looks for what could not be loaded.
func (s *saved) check() error {
	if err := s.Settings.Validate(); err != nil {
		return err
	}
	partners, users, payments := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, partner := range s.Partners {
		if err := partner.check(nil); err != nil {
			return err
		}
		partners[partner.Hash] = true
	}
	for i := range s.Users {
		u := &s.Users[i]
		if !partners[u.Partner] || users[u.Hash] || u.Key == "" {
			return fmt.Errorf("user %q is of no partner, or there twice, or without a key", u.Hash)
		}
		users[u.Hash] = true
		if _, err := wire.ParseNotifyTemplate(u.Template); u.Template != "" && err != nil {
			return fmt.Errorf("user %s: %w", u.Hash, err)
		}
		for _, m := range u.Messages {
			if templateOf(m.Kind) == nil {
				return fmt.Errorf("user %s: message %d has no kind", u.Hash, m.ID)
			}
		}
		for _, pay := range u.Payments {
			if payments[pay.ID] {
				return fmt.Errorf("payment %q is there twice", pay.ID)
			}
			payments[pay.ID] = true
			if pay.Card != nil && pay.Kind == Refund && !payments[pay.Card.Of] {
				return fmt.Errorf("refund %q is of no payment before it", pay.ID)
			}
		}
	}
	return nil
}

func templateOf(id int) *template {
	for _, t := range templates {
		if t.id == id {
			return t
		}
	}
	return nil
}

func roubles(minor int64) money.Amount { return money.New(minor, money.RUB) }

// loadUser adds a user with payments, of which nothing goes on yet; it notes in due what was.
func (p *Platform) loadUser(s *savedUser, due map[*payment]dueTimes) {
	u := &user{
		hash: s.Hash, login: s.Login, key: s.Key, partner: s.Partner, details: s.Details, order: s.Order, created: s.Created,
		balance: roubles(s.Balance), loginAt: s.LoginAt, archivedAt: s.ArchivedAt, url: s.URL, counters: s.Counters,
	}
	for _, d := range s.Days {
		u.days = append(u.days, day{d.Date, roubles(d.Income), roubles(d.Outcome), roubles(d.Balance)})
	}
	for _, m := range s.Messages {
		u.messages = append(u.messages, message{m.ID, templateOf(m.Kind), m.Amount, m.Read})
	}
	if s.Template != "" {
		template, _ := wire.ParseNotifyTemplate(s.Template) // checked
		u.setTemplate(&template)
	}
	for _, one := range s.Payments {
		pay := &payment{
			id: one.ID, number: one.Number, kind: one.Kind, user: u, amount: roubles(one.Amount), bonus: roubles(one.Bonus),
			credited: roubles(one.Credited), state: one.State, created: one.Created, settled: one.Settled, attempts: one.Attempts,
		}
		if d := one.Decline; d != nil {
			pay.decline = &decline{d.Reason, d.Code, d.Link, d.Expired, d.Within}
		}
		if c := one.Card; c != nil {
			pay.card = &card{number: c.Number, payURL: c.PayURL, back: c.Back, opKey: c.OpKey, refunded: roubles(c.Refunded), refundID: c.RefundID, tries: c.Tries}
			if c.Of != "" {
				pay.card.of = p.payments.get(c.Of)
			} else {
				p.cards.add(c.Number, pay)
			}
		}
		due[pay] = dueTimes{one.Expiry, one.Retry}
		p.payments.add(pay.id, pay)
		u.payments = append(u.payments, pay)
	}
	p.register.Lock()
	p.logins[u.login] = u
	p.register.Unlock()
	p.users.add(u.hash, u)
}

// dueTimes are those of a payment, zero for nothing.
type dueTimes struct{ expiry, retry time.Time }

// resume lets go on what was going on with the user's payments.
func (p *Platform) resume(u *user, due map[*payment]dueTimes) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := p.cfg.Clock.Now()
	for _, pay := range u.payments {
		at := due[pay]
		if pay.state.Final() {
			continue
		}
		if !at.expiry.IsZero() {
			pay.expiry = p.cfg.Clock.AfterFunc(at.expiry.Sub(now), func() { p.expire(pay, at.expiry.Sub(pay.created)) })
		}
		switch {
		case pay.kind == TopUp && pay.card == nil:
			p.notifier.resume(pay, at.retry, now)
		case pay.kind == Refund && pay.card.refundID != "":
			p.askState(pay)
		case pay.kind == Refund:
			pay.decline = &decline{reason: "Robokassa's answer to the refund is not known"}
		}
	}
}

// resume goes on notifying of a payment. It wants the user's mu held.
func (n *notifier) resume(pay *payment, retry, now time.Time) {
	tries := 0
	for _, a := range pay.attempts {
		if a.Copy {
			continue
		}
		tries++
		if a.Error == "" {
			return
		}
	}
	settings := n.p.settings.Load().Notify
	pause := retry.Sub(now)
	if retry.IsZero() { // it was on its way
		again := true
		if pause = 0; tries > 0 {
			pause, again = settings.pause(tries)
		}
		if !again {
			return
		}
	}
	n.later(max(pause, 0), n.note(pay, settings, tries+1))
}
