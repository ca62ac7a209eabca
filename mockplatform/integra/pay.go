package integra

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
)

// Via is how a user pays a top-up.
type Via string

// The ways to pay a top-up.
const (
	ViaPartner   Via = "partner"   // from the account at the partner, who is asked (flow 2)
	ViaRobokassa Via = "robokassa" // by the acquirer built into the page; the partner is not asked (flow 3)
)

var nothing = money.New(0, money.RUB)

// firstNumber is below the paymentId of the first direct payment.
const firstNumber = 114_000

// TopUp does what the buttons of the page do: it creates an unconfirmed payment and notifies
// the partner, or, by Robokassa, says where the user pays. amount is as the user typed it:
// more than zero, at most two decimals, at most MaxSum. The error is a *Refusal.
func (p *Platform) TopUp(user, amount string, via Via) (Payment, error) {
	return p.topUp(user, amount, via, origin{})
}

// origin is the page from which a user set out.
type origin struct {
	path string // to come back to; "" for none
	lang page.Lang
}

// topUp is TopUp for a user who set out from a page.
func (p *Platform) topUp(user, amount string, via Via, from origin) (Payment, error) {
	p.world.RLock()
	defer p.world.RUnlock()
	u := p.users.get(user)
	if u == nil {
		return Payment{}, noUser(user)
	}
	sum, err := money.Parse(amount, money.RUB)
	switch {
	case err != nil:
		return Payment{}, refuse(CheckAmount, wire.CodeInvalid, err.Error())
	case sum.Cmp(MaxSum) > 0:
		return Payment{}, refuse(CheckAmount, wire.CodeInvalid, fmt.Sprintf("amount %s is over %s", sum, MaxSum))
	case via == ViaRobokassa && p.cfg.Acquirer == nil:
		return Payment{}, refuse(CheckVia, wire.CodeInvalid, "topping up by Robokassa is not offered")
	case via != ViaPartner && via != ViaRobokassa:
		return Payment{}, refuse(CheckVia, wire.CodeInvalid, fmt.Sprintf("via %q is neither %q nor %q", via, ViaPartner, ViaRobokassa))
	}

	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case !u.archivedAt.IsZero():
		return Payment{}, archivedUser(u)
	case via == ViaRobokassa:
		return p.topUpByCard(u, sum, from).view(), nil
	case u.template == nil:
		return Payment{}, refuse(CheckNotify, wire.CodeInvalid, fmt.Sprintf("user %s never logged in with a paymentNotifyUrl", u.hash))
	}
	settings := p.settings.Load()
	pay := &payment{
		kind: TopUp, user: u, state: Unconfirmed, created: p.cfg.Clock.Now(),
		amount: sum, bonus: nothing, credited: nothing,
	}
	for pay.id = p.cfg.Dice.ID(); !p.payments.add(pay.id, pay); {
		pay.id = p.cfg.Dice.ID()
	}
	u.payments = append(u.payments, pay)
	p.desk.Faults.Enchant(Protocol, "", pay.id, pay.amount.Text())
	if settings.Expiry > 0 {
		pay.expiry = p.cfg.Clock.AfterFunc(settings.Expiry, func() { p.expire(pay, settings.Expiry) })
	}
	p.notifier.announce(pay, settings.Notify)
	u.changed()
	return pay.view(), nil
}

// confirm is confirmPayment; changed is false for a repeat.
func (p *Platform) confirm(u *user, id, amount string) (changed bool, _ *Refusal) {
	sum, err := money.Parse(amount, money.RUB)
	if err != nil {
		return false, refuse(checkArg("amount"), wire.CodeInvalid, err.Error())
	}
	settings := p.settings.Load()
	u.mu.Lock()
	defer u.mu.Unlock()
	pay, refusal := p.topUpOf(u, id)
	if refusal != nil {
		return false, refusal
	}
	switch {
	case pay.state == Declined:
		return false, refuse(CheckState, wire.CodePaymentFinal, fmt.Sprintf("payment %s is declined: %s", id, pay.decline.reason))
	case pay.state == Confirmed && sum != pay.credited:
		return false, refuse(CheckAmount, wire.CodeAmountDiffers, fmt.Sprintf("payment %s is confirmed over %s, not %s", id, pay.credited, sum))
	case pay.state == Confirmed && settings.ConfirmRepeated == RepeatRefused:
		return false, refuse(CheckState, wire.CodePaymentFinal, fmt.Sprintf("payment %s is confirmed already", id))
	case pay.state == Confirmed:
		return false, nil
	case sum.Cmp(MaxSum) > 0:
		return false, refuse(checkArg("amount"), wire.CodeInvalid, fmt.Sprintf("amount %s is over %s", sum, MaxSum))
	case sum != pay.amount && settings.ConfirmOtherAmount == OtherAmountRefused:
		return false, refuse(CheckAmount, wire.CodeAmountDiffers, fmt.Sprintf("payment %s is over %s, not %s", id, pay.amount, sum))
	}
	if refusal := u.move(sum, p.cfg.Clock.Now()); refusal != nil {
		return false, refusal
	}
	pay.credited = sum
	p.settle(pay, Confirmed)
	u.tell(p, toppedUp, sum.Short())
	return true, nil
}

// decline is declinePayment; changed is false for a repeat.
func (p *Platform) decline(u *user, args wire.DeclinePaymentArgs) (changed bool, _ *Refusal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	pay, refusal := p.topUpOf(u, args.TransactionID)
	switch {
	case refusal != nil:
		return false, refusal
	case pay.state == Confirmed:
		return false, refuse(CheckState, wire.CodePaymentFinal, fmt.Sprintf("payment %s is confirmed", pay.id))
	case pay.state == Declined:
		return false, nil // a repeat, or the partner agrees that it has expired
	}
	pay.decline = &decline{reason: args.ErrorMessage, code: args.ErrorCode, link: args.ErrorLink}
	p.settle(pay, Declined)
	u.tell(p, notToppedUp, pay.amount.Short())
	return true, nil
}

// expire declines a payment that nobody confirmed in time.
func (p *Platform) expire(pay *payment, after time.Duration) {
	defer p.retire()
	u := pay.user
	u.mu.Lock()
	defer u.mu.Unlock()
	if pay.state.Final() {
		return
	}
	pay.decline = &decline{reason: fmt.Sprintf("expired: nobody %s it within %s", pay.awaited(), inWords(after)), expired: true, within: after}
	p.settle(pay, Declined)
	u.tell(p, notToppedUp, pay.amount.Short())
}

// inWords writes a time as people do, in the largest unit of which it is a whole number.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		is   time.Duration
		name string
	}{{time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}, {time.Millisecond, "millisecond"}} {
		switch n := d / unit.is; {
		case d%unit.is != 0:
		case n == 1:
			return "1 " + unit.name
		default:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}

// topUpOf finds the payment that a partner confirms or declines. Direct payments and those by
// card are not found: they need neither. It wants u.mu held.
func (p *Platform) topUpOf(u *user, id string) (*payment, *Refusal) {
	if !wire.ValidHash(id) {
		return nil, refuse(checkArg("transactionId"), wire.CodeInvalid, fmt.Sprintf("transactionId must be %d letters or digits", wire.HashLen))
	}
	if refusal := u.refuseArchived(); refusal != nil {
		return nil, refusal
	}
	pay := p.payments.get(id)
	if pay == nil || pay.user != u || pay.kind != TopUp || pay.card != nil {
		return nil, refuse(CheckPayment, wire.CodePaymentNotFound, fmt.Sprintf("user %s has no payment %s", u.hash, id))
	}
	return pay, nil
}

// settle makes a payment final. It wants the user's mu held.
func (p *Platform) settle(pay *payment, state State) {
	pay.state = state
	pay.settled = p.cfg.Clock.Now()
	if pay.expiry != nil {
		pay.expiry.Stop()
		pay.expiry = nil
	}
	if pay.retry != nil {
		pay.retry.Stop()
		pay.retry = nil
	}
	p.desk.Faults.Told(Protocol, "", pay.id)
	pay.user.changed()
	p.retiring.Lock()
	p.retired = append(p.retired, pay)
	p.retiring.Unlock()
}

// direct is doPayment: it creates a payment that is credited, or for a negative sum taken
// back, at once, and returns its number; changed is false for a repeat.
func (p *Platform) direct(u *user, args wire.DoPaymentArgs) (number string, changed bool, _ *Refusal) {
	bad := func(name, why string) (string, bool, *Refusal) {
		return "", false, refuse(checkArg(name), wire.CodeInvalid, fmt.Sprintf("invalid arguments: %q %s", name, why))
	}
	sum, err := money.ParseSigned(string(args.PaymentSum), money.RUB)
	if err != nil {
		return bad("paymentSum", err.Error())
	}
	bonus := nothing
	if args.PaymentSumBonus != "" {
		if bonus, err = money.ParseBalance(string(args.PaymentSumBonus), money.RUB); err != nil {
			return bad("paymentSumBonus", err.Error())
		}
	}
	switch {
	case sum.Cmp(MaxSum) > 0, sum.Cmp(MaxSum.Neg()) < 0:
		return bad("paymentSum", fmt.Sprintf("of %s is over %s", sum, MaxSum))
	case bonus.Sign() < 0, bonus.Cmp(MaxSum) > 0:
		return bad("paymentSumBonus", fmt.Sprintf("of %s is not between 0 and %s", bonus, MaxSum))
	case !isMD5(args.PaymentHash):
		return bad("paymentHash", "must have the form of an md5: 32 hex digits")
	case args.UserLogin != u.login:
		return bad("userLogin", fmt.Sprintf("is %q, the user's is %q", args.UserLogin, u.login))
	}

	settings := p.settings.Load()
	u.mu.Lock()
	defer u.mu.Unlock()
	if refusal := u.refuseArchived(); refusal != nil {
		return "", false, refusal
	}
	pay := &payment{
		id: args.PaymentHash, kind: Direct, user: u, state: Unconfirmed, created: p.cfg.Clock.Now(),
		amount: sum, bonus: bonus, credited: nothing,
	}
	if sum.Sign() < 0 {
		pay.kind = Refund
	}
	// The hash is claimed before money moves: of two requests at once, one finds it taken.
	if !p.payments.add(pay.id, pay) {
		old := p.payments.get(pay.id)
		if old != nil && old.user == u && old.kind == pay.kind && old.amount == sum && settings.HashReused == RepeatSucceeds {
			return old.number, false, nil
		}
		return "", false, refuse(CheckHash, wire.CodePaymentHashUsed, fmt.Sprintf("paymentHash %s is used already", pay.id))
	}
	if left, err := u.balance.Add(sum); err == nil && sum.Sign() < 0 && left.Sign() < 0 && settings.Overdraft == OverdraftRefused {
		p.payments.remove(pay.id)
		return "", false, refuse(CheckBalance, wire.CodeBalance, fmt.Sprintf("balance %s does not cover %s", u.balance, sum.Neg()))
	}
	if refusal := u.move(sum, pay.created); refusal != nil {
		p.payments.remove(pay.id)
		return "", false, refusal
	}
	pay.number = p.nextNumber()
	pay.credited = sum
	u.payments = append(u.payments, pay)
	p.settle(pay, Confirmed)
	return pay.number, true, nil
}

func (p *Platform) nextNumber() string {
	p.register.Lock()
	defer p.register.Unlock()
	p.number += 1 + p.cfg.Dice.N(9) // other partners pay too
	return strconv.Itoa(p.number)
}

func isMD5(s string) bool {
	if len(s) != wire.HashLen {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// retire forgets the oldest final payments once there are too many. It wants no lock held.
func (p *Platform) retire() {
	for {
		p.retiring.Lock()
		if len(p.retired) <= p.cfg.KeepPayments {
			p.retiring.Unlock()
			return
		}
		pay := p.retired[0]
		p.retired[0] = nil
		p.retired = p.retired[1:]
		p.retiring.Unlock()

		p.payments.remove(pay.id)
		if pay.card != nil && pay.kind == TopUp {
			p.cards.remove(pay.card.number)
		}
		u := pay.user
		u.mu.Lock()
		switch i := slices.Index(u.payments, pay); i {
		case -1:
		case 0: // as good as always; needs no shifting
			u.payments[0] = nil
			u.payments = u.payments[1:]
		default:
			u.payments = slices.Delete(u.payments, i, i+1)
		}
		u.mu.Unlock()
	}
}

func noUser(hash string) *Refusal {
	return refuse(CheckUser, wire.CodeUserNotFound, fmt.Sprintf("user %s is unknown", hash))
}

func archivedUser(u *user) *Refusal {
	return refuse(CheckArchive, wire.CodeUserArchived, fmt.Sprintf("user %s is archived", u.hash))
}
