package integra

import (
	"slices"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

// MaxSum bounds every payment: 10^12 roubles.
var MaxSum = money.New(1_000_000_000_000*money.RUB.Unit(), money.RUB)

// Kind is how a payment came about.
type Kind string

// The kinds of payments.
const (
	TopUp  Kind = "topup"  // the user pressed the button; the partner is asked (flow 2)
	Direct Kind = "direct" // the partner's doPayment (flow 1)
	Refund Kind = "refund" // the partner's doPayment with a negative sum (flow 4), or by Robokassa
)

// State is where a payment stands.
type State string

// The states of a payment. The last two are final.
const (
	Unconfirmed State = "unconfirmed" // the partner has been or will be notified
	Confirmed   State = "confirmed"   // credited
	Declined    State = "declined"    // by the partner, or because it expired
)

// Final reports whether nothing will change the payment any more.
func (s State) Final() bool { return s != Unconfirmed }

// A Payment shows one movement of a user's balance as it is at the moment.
type Payment struct {
	ID        string // 32 characters: {id} of a top-up, otherwise the partner's paymentHash
	Number    string // paymentId of doPayment, digits; "" for a top-up
	Kind      Kind
	Via       Via          // who moves the money: "" for a direct payment or refund by the partner
	Invoice   string       // InvId at Robokassa; "" unless Via is ViaRobokassa
	PayURL    string       // where the user pays at Robokassa, while he can
	User      string       // hash
	Amount    money.Amount // negative for a refund
	Bonus     money.Amount // paymentSumBonus; no part of the balance
	Credited  money.Amount // what the balance changed by; nothing until confirmed
	State     State
	Reason    string        // of a decline, for people; "" if the partner gave none
	Expired   bool          // declined because nobody confirmed it in time
	Within    time.Duration // in which nobody did; 0 unless Expired
	ErrorCode int           // of a decline, as the partner gave it
	ErrorLink string        // of a decline, as the partner gave it
	CreatedAt time.Time
	ExpiresAt time.Time // when it will be declined; zero if it is final or cannot expire
	SettledAt time.Time // zero until final
	Attempts  []Attempt // notifications of a top-up, in the order of their answers
	NextTry   time.Time // when the next notification is due; zero if none is
}

// An Attempt is one notification that was sent.
type Attempt struct {
	Number int // 1 for the first
	Copy   bool
	At     time.Time     // virtual
	Heard  time.Time     // virtual, when it was answered or given up
	Took   time.Duration // real
	Status int           // HTTP status; 0 without an answer
	Error  string        // why there was no answer, or that it was not 200; "" when acknowledged
}

// Acknowledged reports whether the partner answered 200 to a notification.
func (p Payment) Acknowledged() bool {
	for _, a := range p.Attempts {
		if a.Error == "" {
			return true
		}
	}
	return false
}

// NotifiedAt is when the first notification was sent; zero if none was.
func (p Payment) NotifiedAt() (at time.Time) {
	for _, a := range p.Attempts {
		if at.IsZero() || a.At.Before(at) {
			at = a.At
		}
	}
	return at
}

// AcknowledgedAt is when the partner first answered 200 to a notification; zero if it did not.
func (p Payment) AcknowledgedAt() time.Time {
	for _, a := range p.Attempts {
		if a.Error == "" {
			return a.Heard
		}
	}
	return time.Time{}
}

// AnsweredAt is when the partner confirmed or declined a top-up; zero if it did not.
func (p Payment) AnsweredAt() time.Time {
	if p.Via != ViaPartner || p.Expired {
		return time.Time{}
	}
	return p.SettledAt
}

// payment is a Payment that lives; all that changes is guarded by user.mu. There are many,
// so what few of them have is kept apart.
type payment struct {
	id, number string
	kind       Kind
	user       *user
	amount     money.Amount
	bonus      money.Amount
	credited   money.Amount
	state      State
	decline    *decline // nil unless declined
	created    time.Time
	settled    time.Time
	attempts   []Attempt
	expiry     *clock.Timer // nil when the payment cannot expire
	retry      *clock.Timer // nil when no notification waits for its time
	card       *card        // nil unless Robokassa moves the money
}

// awaited is what has to be done about the payment, in words that follow "nobody".
func (p *payment) awaited() string {
	if p.card != nil {
		return "paid"
	}
	return "confirmed"
}

// decline is why a payment was declined.
type decline struct {
	reason  string
	code    int
	link    string
	expired bool
	within  time.Duration // of what expired
}

func (p *payment) lockedView() Payment {
	p.user.mu.Lock()
	defer p.user.mu.Unlock()
	return p.view()
}

// view wants user.mu held.
func (p *payment) view() Payment {
	view := Payment{
		ID: p.id, Number: p.number, Kind: p.kind, User: p.user.hash,
		Amount: p.amount, Bonus: p.bonus, Credited: p.credited, State: p.state,
		CreatedAt: p.created, ExpiresAt: p.expiry.Due(), SettledAt: p.settled, Attempts: slices.Clone(p.attempts),
	}
	switch {
	case p.card != nil:
		view.Via, view.Invoice = ViaRobokassa, p.card.number
		if !p.state.Final() {
			view.PayURL = p.card.payURL
		}
	case p.kind == TopUp:
		view.Via = ViaPartner
	}
	if why := p.decline; why != nil {
		view.Reason, view.ErrorCode, view.ErrorLink, view.Expired, view.Within = why.reason, why.code, why.link, why.expired, why.within
	}
	if p.retry != nil {
		view.NextTry = p.retry.Due()
	}
	return view
}
