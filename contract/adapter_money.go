package contract

import (
	"errors"
	"slices"
	"strings"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// sameAmount compares two ways to write a sum.
func sameAmount(a, b string) bool {
	x, err := money.ParseBalance(a, money.RUB)
	if err != nil {
		return false
	}
	return x == rub(b)
}

func confirmChecks() []Check {
	return []Check{
		{
			ID: "INT-CONFIRM-01", Title: Text{"confirmPayment has the id and the amount of the notification", "confirmPayment несёт id и сумму уведомления"},
			Clause: clauseMethods, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("123.45")
				p.confirmed()
				calls := p.calls(integra.ConfirmPayment)
				if len(calls) == 0 {
					t.fail(say("confirmPayment in the platform's journal"), say("none"))
				}
				for _, e := range calls {
					if e.arg("transactionId") != p.id || !sameAmount(e.arg("amount"), "123.45") {
						t.fail(say("confirmPayment of 123.45 for %s", p.id), verbatim(e.Args))
					}
				}
				u.has("876.55", "123.45")
			},
		},
		{
			ID: "INT-CONFIRM-02", Title: Text{"It is made with the user's own hash and key", "confirmPayment вызывается с хешем и ключом самого пользователя"},
			Clause: clauseMethods, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.confirmed()
				u.has("900", "100")
				for _, e := range u.calls(integra.ConfirmPayment, "") {
					if !e.Verdict.OK {
						t.fail(say("calls under the user's hash and key alone"), verbatim(e.Verdict.Check+": "+e.Verdict.Detail))
					}
				}
			},
		},
		{
			ID: "INT-CONFIRM-03", Title: Text{"Once confirmed, it is not confirmed again", "Подтверждённый платёж не подтверждается снова"},
			Clause: clauseFlow, Severity: Should, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.confirmed()
				u.has("900", "100")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-CONFIRM-04", Title: Text{"A user with exactly the sum pays it", "Пользователь, у которого ровно эта сумма, платит её целиком"},
			Clause: clauseFlow, Users: []string{"250.50"},
			Run: func(t *T) { t.paysExactly("250.5", "0") },
		},
		{
			ID: "INT-CONFIRM-05", Title: Text{"A confirmed payment is never declined", "Подтверждённый платёж никогда не отклоняется"},
			Clause: clauseOpen, Users: []string{"100"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.confirmed()
				u.has("0", "100")
				second := u.topUp("0.01") // there is nothing left for it
				second.declined()
				p.never(integra.DeclinePayment)
			},
		},
	}
}

func declineChecks() []Check {
	return []Check{
		{
			ID: "INT-DECLINE-01", Title: Text{"Without enough funds the payment is declined and nothing charged", "При нехватке средств платёж отклоняется, и ничего не списывается"},
			Clause: clauseFlow, Users: []string{"50"},
			Run: func(t *T) { t.declines("100", "50") },
		},
		{
			ID: "INT-DECLINE-02", Title: Text{"One kopeck short is not enough", "Не хватает одной копейки — не хватает"},
			Clause: clauseFlow, Users: []string{"99.99"},
			Run: func(t *T) { t.declines("100", "99.99") },
		},
		{
			ID: "INT-DECLINE-03", Title: Text{"A user without any money is declined", "Пользователю без денег отказывают"},
			Clause: clauseFlow, Users: []string{"0"},
			Run: func(t *T) { t.declines("0.01", "0") },
		},
		{
			ID: "INT-DECLINE-04", Title: Text{"The decline says why", "Отказ называет причину"},
			Clause: clauseMethods, Severity: Should, Users: []string{"50"},
			Run: func(t *T) {
				p := t.declines("100", "50")
				for _, e := range p.calls(integra.DeclinePayment) {
					if e.arg("errorMessage") == "" && e.arg("errorCode") == "" {
						t.fail(say("declinePayment with errorCode or errorMessage"), verbatim(e.Args))
					}
				}
			},
		},
		{
			ID: "INT-DECLINE-05", Title: Text{"What was declined is not paid later, although there is money now", "Отклонённый платёж не проходит потом, даже если деньги появились"},
			Clause: clauseOpen, Users: []string{"50"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.taken(t.deliver(p.notice()))
				p.declined()
				u.deposit("1000")
				pays := func(amount, left, credited string) {
					t.deliver(p.notice()) // late, once more
					next := u.topUp(amount)
					t.taken(t.deliver(next.notice()))
					next.confirmed()
					u.has(left, credited)
				}
				pays("30", "1020", "30") // the adapter may not have read yet that it declined
				pays("20", "1000", "50") // now it has
				p.never(integra.ConfirmPayment)
			},
		},
		{
			ID: "INT-DECLINE-06", Title: Text{"A declined payment leaves the money to a smaller one", "Отклонённый крупный платёж оставляет деньги меньшему"},
			Clause: clauseFlow, Users: []string{"50"},
			Run: func(t *T) {
				u := t.users[0]
				u.topUp("100").declined()
				u.topUp("50").confirmed()
				u.has("0", "50")
			},
		},
		{
			ID: "INT-DECLINE-07", Title: Text{"A decline whose answer is lost is repeated, and nothing is charged", "Отказ с потерянным ответом повторяется, и ничего не списывается"},
			Clause: clauseOpen, Users: []string{"50"}, Scene: Scene{"lost_answers": "error"},
			Run: func(t *T) {
				p := t.declines("100", "50")
				p.called(integra.DeclinePayment, 2)
				p.never(integra.ConfirmPayment)
			},
		},
	}
}

// declines tops up beyond the user's funds and wants it declined.
func (t *T) declines(amount, left string) *payment {
	u := t.users[0]
	p := u.topUp(amount)
	p.acknowledged()
	p.declined()
	u.has(left, "0")
	p.never(integra.ConfirmPayment)
	for _, e := range p.calls(integra.DeclinePayment) {
		if e.arg("transactionId") != p.id {
			t.fail(say("declinePayment for %s", p.id), verbatim(e.Args))
		}
	}
	if p.seen().Expired {
		t.fail(say("declinePayment called"), say("the payment expired at the platform by itself"))
	}
	return p
}

func directChecks() []Check {
	pay := []Need{NeedPay}
	return []Check{
		{
			ID: "INT-DIRECT-01", Title: Text{"A direct payment is made by doPayment and charged", "Прямой платёж проводится через doPayment и списывается"},
			Clause: clauseDirect, Needs: pay, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				u.pay("250.5", t.fresh())
				u.has("749.50", "250.50")
			},
		},
		{
			ID: "INT-DIRECT-02", Title: Text{"Its paymentHash is 32 characters long and its userLogin the user's", "Его paymentHash — 32 символа, а userLogin — логин пользователя"},
			Clause: clauseMethods, Needs: pay, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				u.pay("250", t.fresh())
				u.has("750", "250")
				for _, e := range u.calls(integra.DoPayment, "") {
					if len(e.arg("paymentHash")) != 32 || e.arg("userLogin") != u.login || !sameAmount(e.arg("paymentSum"), "250") {
						t.fail(say("paymentSum 250, a paymentHash of 32 characters, userLogin %s", u.login), verbatim(e.Args))
					}
				}
			},
		},
		{
			ID: "INT-DIRECT-03", Title: Text{"Without funds the platform is not even called", "Без средств платформа даже не вызывается"},
			Clause: clauseDirect, Needs: pay, Users: []string{"100"},
			Run: func(t *T) {
				u := t.users[0]
				if u.pay("100.01", t.fresh()) {
					t.fail(say("the adapter refusing"), say("the adapter said yes"))
				}
				u.has("100", "0")
				u.never(integra.DoPayment)
			},
		},
		{
			ID: "INT-DIRECT-04", Title: Text{"The same payment asked for twice is made once", "Платёж, запрошенный дважды, проводится один раз"},
			Clause: clauseDirect, Needs: pay, Users: []string{"1000"},
			Run: func(t *T) {
				u, key := t.users[0], t.fresh()
				u.pay("100", key)
				u.pay("100", key)
				u.has("900", "100")
			},
		},
		{
			ID: "INT-DIRECT-05", Title: Text{"The same payment asked for twice at once is made once", "Платёж, запрошенный дважды одновременно, проводится один раз"},
			Clause: clauseDirect, Needs: pay, Users: []string{"1000"},
			Run: func(t *T) {
				u, key := t.users[0], t.fresh()
				t.parallel(3, func(int) { u.pay("100", key) })
				u.has("900", "100")
			},
		},
		{
			ID: "INT-DIRECT-06", Title: Text{"A direct payment is not confirmed", "Прямой платёж не подтверждается"},
			Clause: clauseMethods, Needs: pay, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				u.pay("100", t.fresh())
				u.has("900", "100")
				u.never(integra.ConfirmPayment)
			},
		},
		{
			ID: "INT-DIRECT-07", Title: Text{"Its answer lost, and a used paymentHash accepted again: paid and charged once", "Ответ потерян, повторный paymentHash принимается: оплачено и списано один раз"},
			Clause: clauseOpen, Needs: pay, Users: []string{"1000"}, Scene: Scene{"lost_answers": "error", "payment_hash_reused": "success"},
			Run: func(t *T) {
				u := t.users[0]
				u.pay("100", t.fresh())
				u.has("900", "100")
			},
		},
		{
			ID: "INT-DIRECT-08", Title: Text{"Its answer lost, and a used paymentHash refused: the money is not given back", "Ответ потерян, повторный paymentHash отвергается: деньги не возвращаются"},
			Clause: clauseOpen, Needs: pay, Users: []string{"1000"}, Scene: Scene{"lost_answers": "error", "payment_hash_reused": "refuse"},
			Run: func(t *T) {
				u := t.users[0]
				u.mayDoubt()
				u.pay("100", t.fresh())
				t.until(t.env.limits.Settle, say("doPayment repeated under the same paymentHash"), func() (bool, Text) {
					calls := u.calls(integra.DoPayment, "")
					return len(calls) >= 2, times(len(calls))
				})
				hash := ""
				for _, e := range u.calls(integra.DoPayment, "") {
					if hash != "" && e.arg("paymentHash") != hash {
						t.fail(say("one paymentHash for all repeats"), say("%s, then %s", hash, e.arg("paymentHash")))
					}
					hash = e.arg("paymentHash")
				}
			},
		},
		{
			ID: "INT-DIRECT-09", Title: Text{"A malformed sum is refused", "Искажённая сумма отклоняется"},
			Clause: clauseDirect, Needs: pay, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				for _, sum := range []string{"0", "-5", "1.005", "1e2", "abc"} {
					if u.pay(sum, t.fresh()) {
						t.fail(say("a refusal of %s", sum), say("the adapter said yes"))
					}
				}
				u.has("1000", "0")
			},
		},
	}
}

func refundChecks() []Check {
	refund := []Need{NeedRefund}
	// paid makes a top-up of 100 that can be refunded.
	paid := func(t *T) (*User, *payment) {
		u := t.users[0]
		p := u.topUp("100")
		p.confirmed()
		u.has("900", "100")
		return u, p
	}
	// another makes one of 50 after it.
	another := func(u *User) *payment {
		p := u.topUp("50")
		p.confirmed()
		u.has("850", "150") // now the adapter knows as well
		return p
	}
	return []Check{
		{
			ID: "INT-REFUND-01", Title: Text{"A refund takes from the platform and gives to the user, once", "Возврат снимает с платформы и отдаёт пользователю, один раз"},
			Clause: clauseRefund, Needs: refund, Users: []string{"1000"},
			Run: func(t *T) {
				u, p := paid(t)
				key := t.fresh()
				u.refund(p.id, "40", key)
				u.has("940", "60")
				u.refund(p.id, "40", key) // asked for again: the same refund
				u.has("940", "60")
				for _, e := range u.calls(integra.DoPayment, "") {
					if !strings.HasPrefix(e.arg("paymentSum"), "-") {
						t.fail(say("a negative paymentSum"), verbatim(e.Args))
					}
				}
			},
		},
		{
			ID: "INT-REFUND-02", Title: Text{"A whole payment is refunded, and another one left alone", "Платёж возвращается целиком, другой не затронут"},
			Clause: clauseRefund, Needs: refund, Users: []string{"1000"},
			Run: func(t *T) {
				u, p := paid(t)
				another(u)
				u.refund(p.id, "100", t.fresh())
				u.has("950", "50")
			},
		},
		{
			ID: "INT-REFUND-03", Title: Text{"A refund whose answer is lost is given once, where the platform accepts the repeat", "Возврат с потерянным ответом отдаётся один раз, если платформа принимает повтор"},
			Clause: clauseOpen, Needs: append(refund, NeedPay), Users: []string{"1000"}, Scene: Scene{"lost_answers": "drop", "payment_hash_reused": "success"},
			Run: func(t *T) {
				u, p := paid(t)
				u.refund(p.id, "40", t.fresh())
				u.has("940", "60")
			},
		},
		{
			ID: "INT-REFUND-04", Title: Text{"No more is refunded than was paid, although the platform would", "Возвращается не больше уплаченного, даже если платформа согласилась бы"},
			Clause: clauseRefund, Needs: refund, Users: []string{"1000"},
			Run: func(t *T) {
				u, p := paid(t)
				another(u)
				if u.refund(p.id, "100.01", t.fresh()) {
					t.fail(say("the adapter refusing"), say("the adapter said yes"))
				}
				u.refund(p.id, "60", t.fresh())
				u.has("910", "90")
				if u.refund(p.id, "60", t.fresh()) {
					t.fail(say("the adapter refusing the second part, 120 of 100 in all"), say("the adapter said yes"))
				}
				u.has("910", "90")
			},
		},
		{
			ID: "INT-REFUND-05", Title: Text{"A refund that the platform refuses, since the balance there is spent, gives nothing", "Возврат, который платформа отвергла, так как баланс уже потрачен, ничего не отдаёт"},
			Clause: clauseOpen, Needs: refund, Users: []string{"1000"},
			Run: func(t *T) {
				u, p := paid(t)
				second := another(u)
				u.refund(p.id, "100", t.fresh())
				u.refund(second.id, "50", t.fresh())
				u.has("1000", "0")
				if calls := u.calls(integra.DoPayment, ""); len(calls) < 2 {
					t.fail(say("two refunds called"), times(len(calls)))
				}
			},
		},
	}
}

func acquirerChecks() []Check {
	return []Check{
		{
			ID: "INT-ACQUIRER-01", Title: Text{"A payment by Robokassa reaches the platform's balance without any call to or from the partner", "Платёж через Robokassa пополняет баланс платформы без единого обмена с партнёром"},
			Clause: clauseAcquirer, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				before := len(u.exchanges())
				u.byRobokassa("300")
				p := u.topUp("100") // what comes of this shows that the adapter has had its turn
				p.confirmed()
				u.has("900", "400")
				for _, e := range u.exchanges()[before:] {
					partners := e.Method == "notify" || slices.Contains(integra.Methods(), integra.Method(e.Method))
					if partners && e.Payment != p.id && e.arg("transactionId") != p.id {
						t.fail(say("no call about a payment by Robokassa"), verbatim(e.Method+" "+e.Args))
					}
				}
			},
		},
		{
			ID: "INT-ACQUIRER-02", Title: Text{"It does not touch the user's account at the partner, even without funds", "Платёж через Robokassa не трогает счёт у партнёра, даже пустой"},
			Clause: clauseAcquirer, Users: []string{"0"},
			Run: func(t *T) {
				u := t.users[0]
				u.byRobokassa("300")
				u.topUp("0.01").declined()
				u.has("0", "300")
			},
		},
	}
}

// exchanges is all that the platform's journal has about the user.
func (u *User) exchanges() []entry {
	all, err := u.t.env.control.journal(u.t.ctx, u.hash)
	u.t.set(err)
	return all
}

// byRobokassa has the user pay by Robokassa, inside of the platform: press the button, open
// the page that it leads to, pay there.
func (u *User) byRobokassa(amount string) {
	p, err := u.t.env.control.topUp(u.t.ctx, u.hash, amount, "robokassa")
	var refusal *controlError
	if errors.As(err, &refusal) {
		u.t.skip(Text{"the stand-in takes no payments by Robokassa: " + refusal.text, "стенд не принимает платежи через Robokassa: " + refusal.text})
	}
	u.t.set(err)
	u.t.set(u.t.env.control.payByCard(u.t.ctx, p))
	u.outside = plus(u.outside, rub(amount))
	u.t.until(u.t.env.limits.Settle, say("the payment by Robokassa credited"), func() (bool, Text) {
		credited, err := u.credited(u.t.ctx)
		u.t.set(err)
		return credited.Cmp(rub(amount)) >= 0, verbatim(credited.Text())
	})
}
