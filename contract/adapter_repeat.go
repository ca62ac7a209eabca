package contract

import (
	"fmt"
	"net/http"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
)

func repeatChecks() []Check {
	return []Check{
		{
			ID: "INT-REPEAT-01", Title: Text{"A notification with five copies at once is one payment", "Уведомление с пятью копиями разом — один платёж"},
			Clause: clauseOpen, Users: []string{"1000"}, Scene: notify(map[string]any{"duplicates": 5}),
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.confirmed()
				u.has("900", "100")
				t.until(t.env.limits.Answer+t.env.limits.Settle, say("all six notifications answered 200"), func() (bool, Text) {
					good := 0
					for _, a := range p.seen().Attempts {
						if a.Status == http.StatusOK {
							good++
						}
					}
					return good >= 6, say("%d of %d", good, len(p.seen().Attempts))
				})
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-REPEAT-02", Title: Text{"A copy that comes a minute after the confirmation changes nothing", "Копия через минуту после подтверждения ничего не меняет"},
			Clause: clauseOpen, Needs: []Need{NeedClock}, Users: []string{"1000"}, Scene: notify(map[string]any{"duplicates": 2, "duplicate_after_ms": 60_000}),
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.confirmed()
				u.has("900", "100")
				t.advance(3 * time.Minute)
				u.has("900", "100")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-REPEAT-03", Title: Text{"A repeat is answered 200 again", "Повтор снова получает 200"},
			Clause: clauseOpen, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.taken(t.deliver(p.notice()))
				t.taken(t.deliver(p.notice()))
				p.confirmed()
				u.has("900", "100")
				t.taken(t.deliver(p.notice()))
				u.has("900", "100")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-REPEAT-04", Title: Text{"A known id with another amount is not taken for a repeat", "Известный id с другой суммой не принимается за повтор"},
			Clause: clauseOpen, Severity: Should, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.taken(t.deliver(p.notice()))
				t.refused(t.deliver(u.notice(p.id, "900")))
				p.confirmed()
				u.has("900", "100")
			},
		},
		{
			ID: "INT-REPEAT-05", Title: Text{"A known id with another amount charges the first amount, once", "Известный id с другой суммой списывает первую сумму, один раз"},
			Clause: clauseOpen, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.taken(t.deliver(p.notice()))
				t.deliver(u.notice(p.id, "900"))
				p.confirmed()
				u.has("900", "100")
				t.deliver(u.notice(p.id, "0.01"))
				u.has("900", "100")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-REPEAT-06", Title: Text{"A known id with another user charges nobody else", "Известный id с другим пользователем больше ни с кого не списывает"},
			Clause: clauseOpen, Users: []string{"1000", "1000"}, Scene: byHand,
			Run: func(t *T) {
				a, b := t.users[0], t.users[1]
				p := a.topUp("100")
				t.taken(t.deliver(p.notice()))
				t.deliver(b.notice(p.id, "100"))
				p.confirmed()
				a.has("900", "100")
				b.has("1000", "0")
			},
		},
		{
			ID: "INT-REPEAT-07", Title: Text{"A repeat after a decline is answered 200 and confirms nothing", "Повтор после отказа получает 200 и ничего не подтверждает"},
			Clause: clauseOpen, Users: []string{"50"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.taken(t.deliver(p.notice()))
				p.declined()
				t.taken(t.deliver(p.notice()))
				u.has("50", "0")
				p.never(integra.ConfirmPayment)
			},
		},
		{
			ID: "INT-REPEAT-08", Title: Text{"The second payment's notification may come before the first one's", "Уведомление о втором платеже может прийти раньше первого"},
			Clause: clauseOpen, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				first, second := u.topUp("100"), u.topUp("200")
				t.taken(t.deliver(second.notice()))
				second.confirmed()
				t.taken(t.deliver(first.notice()))
				first.confirmed()
				u.has("700", "300")
			},
		},
		{
			ID: "INT-REPEAT-09", Title: Text{"A notification that comes an hour late is paid", "Платёж, уведомление о котором опоздало на час, проходит"},
			Clause: clauseOpen, Needs: []Need{NeedClock}, Users: []string{"1000"}, Scene: notify(map[string]any{"delay_ms": time.Hour.Milliseconds()}),
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.advance(time.Hour + time.Second)
				p.confirmed()
				u.has("900", "100")
			},
		},
		{
			ID: "INT-REPEAT-10", Title: Text{"The same sum twice on purpose is two payments", "Та же сумма дважды намеренно — два платежа"},
			Clause: clauseFlow, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				u.topUp("100").confirmed()
				u.topUp("100").confirmed()
				u.has("800", "200")
			},
		},
		{
			ID: "INT-REPEAT-11", Title: Text{"Repeats and payments of several users, shuffled, are each made once", "Повторы и платежи нескольких пользователей вперемешку — каждый ровно один раз"},
			Clause: clauseOpen, Users: []string{"1000", "1000", "150"}, Scene: byHand,
			Run: func(t *T) {
				var all []*payment
				for _, u := range t.users {
					for range 3 {
						all = append(all, u.topUp("50"))
					}
				}
				var deck []*payment
				for range 3 {
					deck = append(deck, all...)
				}
				for i := len(deck) - 1; i > 0; i-- {
					j := t.dice.below(i + 1)
					deck[i], deck[j] = deck[j], deck[i]
				}
				for _, p := range deck {
					t.taken(t.deliver(p.notice()))
				}
				for _, p := range all {
					p.confirmed()
					p.callsExactly(integra.ConfirmPayment, 1)
				}
				t.users[0].has("850", "150")
				t.users[1].has("850", "150")
				t.users[2].has("0", "150")
			},
		},
	}
}

func raceChecks() []Check {
	return []Check{
		{
			ID: "INT-RACE-01", Title: Text{"Twenty identical notifications in the same instant are one payment", "Двадцать одинаковых уведомлений одновременно — один платёж"},
			Clause: clauseOpen, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				n := p.notice()
				t.parallel(20, func(int) { t.taken(t.deliver(n)) })
				p.confirmed()
				u.has("900", "100")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-RACE-02", Title: Text{"Of two payments that race for the last rouble one is confirmed and one declined", "Из двух платежей, которым нужен один и тот же последний рубль, один подтверждён и один отклонён"},
			Clause: clauseFlow, Users: []string{"100"}, Scene: byHand,
			Run: func(t *T) { t.race(2, "100", 1, "0", "100") },
		},
		{
			ID: "INT-RACE-03", Title: Text{"Of ten payments as many are confirmed as there is money for", "Из десяти платежей подтверждено столько, на сколько хватает денег"},
			Clause: clauseFlow, Users: []string{"55"}, Scene: byHand,
			Run: func(t *T) { t.race(10, "10", 5, "5", "50") },
		},
		{
			ID: "INT-RACE-04", Title: Text{"Of two notifications with one id and two amounts at once, at most one counts", "Из двух уведомлений с одним id и разными суммами разом засчитывается не больше одного"},
			Clause: clauseOpen, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				notices := []notice{p.notice(), u.notice(p.id, "900")}
				t.parallel(8, func(i int) { t.deliver(notices[i%2]) })
				switch p.final() { // whichever came first; the false one is refused by the platform
				case "confirmed":
					u.has("900", "100")
				default:
					u.has("1000", "0")
				}
			},
		},
		{
			ID: "INT-RACE-05", Title: Text{"A deposit at the moment of the notification: confirmed or declined, never both", "Счёт пополнили в момент уведомления: платёж подтверждён или отклонён, но не то и другое"},
			Clause: clauseOpen, Users: []string{"50"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				n := p.notice()
				t.parallel(2, func(i int) {
					if i == 0 {
						u.deposit("50")
					} else {
						t.taken(t.deliver(n))
					}
				})
				if p.final() == "confirmed" {
					u.has("0", "100")
				} else {
					u.has("100", "0")
				}
			},
		},
		{
			ID: "INT-RACE-06", Title: Text{"Callers that hang up in the middle of a crowd harm nobody", "Соединения, оборванные среди многих, никому не вредят"},
			Clause: clauseFlow, Users: []string{"1000", "1000"}, Scene: byHand,
			Run: func(t *T) {
				a, b := t.users[0], t.users[1]
				p, q := a.topUp("100"), b.topUp("100")
				np, nq := p.notice(), q.notice()
				t.parallel(12, func(i int) {
					if i%2 == 0 {
						t.hangUp(np)
					} else {
						t.taken(t.deliver(nq))
					}
				})
				t.taken(t.deliver(np))
				p.confirmed()
				q.confirmed()
				a.has("900", "100")
				b.has("900", "100")
			},
		},
		{
			ID: "INT-RACE-07", Title: Text{"Many users at once are served each from their own account", "Много пользователей разом: у каждого списано со своего счёта"},
			Clause: clauseFlow, Users: []string{"100", "100", "100", "100", "100", "100"},
			Run: func(t *T) {
				t.parallel(len(t.users), func(i int) {
					u := t.users[i]
					for range 3 {
						u.topUp("30").confirmed()
					}
					u.topUp("30").declined()
				})
				for _, u := range t.users {
					u.has("10", "90")
				}
			},
		},
		{
			ID: "INT-RACE-08", Title: Text{"The answers come in time while many notifications come at once", "Ответы приходят вовремя, когда уведомлений много разом"},
			Clause: clauseFlow, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				payments := make([]*payment, 30)
				for i := range payments {
					payments[i] = u.topUp("1")
				}
				proof := payments[0].notice().proof
				t.parallel(len(payments), func(i int) {
					n := notice{id: payments[i].id, amount: "1", hash: u.hash, proof: proof}
					t.taken(t.deliver(n))
				})
				for _, p := range payments {
					p.confirmed()
				}
				u.has("970", "30")
			},
		},
	}
}

// race delivers n notifications of the same sum at once and wants so many confirmed, the
// others declined.
func (t *T) race(n int, amount string, confirmed int, left, credited string) {
	u := t.users[0]
	payments := make([]*payment, n)
	notices := make([]notice, n)
	for i := range payments {
		payments[i] = u.topUp(amount)
		notices[i] = payments[i].notice()
	}
	t.parallel(n, func(i int) { t.taken(t.deliver(notices[i])) })
	got := 0
	for _, p := range payments {
		if p.final() == "confirmed" {
			got++
		}
	}
	if got != confirmed {
		t.fail(say("%d of %d confirmed", confirmed, n), say("%d confirmed", got))
	}
	u.has(left, credited)
}

func lostChecks() []Check {
	lost := func(id string, title Text, how, repeated string) Check {
		c := Check{
			ID: id, Title: title, Clause: clauseOpen, Users: []string{"1000"},
			Scene: Scene{"lost_answers": how, "confirm_repeated": repeated},
			Run: func(t *T) {
				u := t.users[0]
				if repeated == "refuse" {
					u.mayDoubt() // nobody but the platform knows
				}
				p := u.topUp("100")
				p.confirmed()
				p.called(integra.ConfirmPayment, 2)
				p.never(integra.DeclinePayment)
				if repeated == "success" {
					u.has("900", "100")
				}
			},
		}
		return c
	}
	faulty := func(id string, title Text, effect map[string]any) Check {
		return Check{
			ID: id, Title: title, Clause: clauseAnswers, Needs: []Need{NeedFaults}, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.misbehave(u, integra.ConfirmPayment, 2, effect)
				t.taken(t.deliver(p.notice()))
				p.called(integra.ConfirmPayment, 3)
				p.confirmed()
				u.has("900", "100")
				p.never(integra.DeclinePayment)
			},
		}
	}
	return []Check{
		lost("INT-LOST-01", Text{"Confirmed, but the connection is cut before the answer: charged once", "Подтверждено, но связь оборвалась до ответа: списано один раз"}, "drop", "success"),
		lost("INT-LOST-02", Text{"Confirmed, but answered 500: charged once", "Подтверждено, но ответ 500: списано один раз"}, "error", "success"),
		lost("INT-LOST-03", Text{"Confirmed, but never answered: charged once", "Подтверждено, но ответа нет: списано один раз"}, "hang", "success"),
		lost("INT-LOST-04", Text{"The connection cut, the repeat refused: the money is not given back", "Связь оборвалась, повтор отвергнут: деньги не возвращаются"}, "drop", "refuse"),
		lost("INT-LOST-05", Text{"Answered 500, the repeat refused: the money is not given back", "Ответ 500, повтор отвергнут: деньги не возвращаются"}, "error", "refuse"),
		lost("INT-LOST-06", Text{"Never answered, the repeat refused: the money is not given back", "Ответа нет, повтор отвергнут: деньги не возвращаются"}, "hang", "refuse"),
		{
			ID: "INT-LOST-07", Title: Text{"While the outcome is unknown, the money is not there for another payment", "Пока исход неизвестен, деньги недоступны другому платежу"},
			Clause: clauseOpen, Users: []string{"100"}, Scene: Scene{"lost_answers": "drop", "confirm_repeated": "refuse"},
			Run: func(t *T) {
				u := t.users[0]
				u.mayDoubt()
				p := u.topUp("100")
				p.confirmed()
				p.called(integra.ConfirmPayment, 2)
				second := u.topUp("100")
				second.declined()
				second.never(integra.ConfirmPayment)
			},
		},
		faulty("INT-LOST-08", Text{"503 before anything happened: called again, then charged once", "503, когда ещё ничего не произошло: вызов повторён, списано один раз"}, map[string]any{"do": "status", "status": 503}),
		faulty("INT-LOST-09", Text{"An answer of garbage is no refusal", "Мусор вместо ответа — не отказ"}, map[string]any{"do": "garbage"}),
		faulty("INT-LOST-10", Text{"A truncated answer is no refusal", "Обрезанный ответ — не отказ"}, map[string]any{"do": "truncate"}),
		faulty("INT-LOST-11", Text{"A connection cut before the call arrives is no refusal", "Обрыв до получения вызова — не отказ"}, map[string]any{"do": "drop_before"}),
		faulty("INT-LOST-12", Text{"Confirmed, then cut, twice: charged once", "Подтверждено и оборвано, дважды: списано один раз"}, map[string]any{"do": "drop_after"}),
	}
}

func choiceChecks() []Check {
	return []Check{
		{
			ID: "INT-CHOICE-01", Title: Text{"Another amount, refused by the platform: nothing is charged", "Другая сумма, отвергнутая платформой: ничего не списано"},
			Clause: clauseOpen, Users: []string{"1000"}, Scene: Scene{"confirm_other_amount": "refuse", "notify": byHand["notify"]},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.taken(t.deliver(u.notice(p.id, "700")))
				p.called(integra.ConfirmPayment, 1) // before that nothing could have gone wrong
				u.has("1000", "0")
			},
		},
		{
			ID: "INT-CHOICE-02", Title: Text{"Another amount, credited by the platform: as much is charged as was credited", "Другая сумма, зачисленная платформой: списано ровно зачисленное"},
			Clause: clauseOpen, Users: []string{"1000"}, Scene: Scene{"confirm_other_amount": "credit", "notify": byHand["notify"]},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.taken(t.deliver(u.notice(p.id, "70")))
				p.confirmed()
				u.has("930", "70")
			},
		},
		{
			ID: "INT-CHOICE-03", Title: Text{"Expired before the notification came: nothing is charged", "Платёж истёк до прихода уведомления: ничего не списано"},
			Clause: clauseOpen, Needs: []Need{NeedClock}, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.advance(25 * time.Hour)
				p.declined() // by itself
				t.taken(t.deliver(p.notice()))
				p.called(integra.ConfirmPayment, 1)
				u.has("1000", "0")
			},
		},
		{
			ID: "INT-CHOICE-04", Title: Text{"Where payments never expire, one that comes after three days is paid", "Где платежи не истекают, уведомление через три дня — и платёж проходит"},
			Clause: clauseOpen, Needs: []Need{NeedClock}, Users: []string{"1000"}, Scene: Scene{"payment_expiry_ms": 0, "notify": byHand["notify"]},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.advance(72 * time.Hour)
				t.taken(t.deliver(p.notice()))
				p.confirmed()
				u.has("900", "100")
			},
		},
		{
			ID: "INT-CHOICE-05", Title: Text{"The platform repeats: what came while the adapter was down is paid", "Платформа повторяет: уведомлённый, пока адаптер не работал, платёж проходит"},
			Clause: clauseOpen, Needs: []Need{NeedKill, NeedClock}, Users: []string{"1000"}, Scene: notify(map[string]any{"retries": 3}),
			Run: func(t *T) {
				u := t.users[0]
				t.kill()
				p := u.topUp("100")
				p.tried(1)
				t.begin()
				t.advance(11 * time.Second)
				p.confirmed()
				u.has("900", "100")
			},
		},
		{
			ID: "INT-CHOICE-06", Title: Text{"The platform never repeats: what came while the adapter was down costs nothing", "Платформа не повторяет: за уведомление, пропущенное при остановке адаптера, ничего не списано"},
			Clause: clauseOpen, Needs: []Need{NeedKill, NeedClock}, Users: []string{"1000"}, Scene: notify(map[string]any{"retries": 0}),
			Run: func(t *T) {
				u := t.users[0]
				t.kill()
				p := u.topUp("100")
				p.tried(1)
				t.begin()
				t.advance(25 * time.Hour)
				p.declined()
				u.has("1000", "0")
			},
		},
		{
			ID: "INT-CHOICE-07", Title: Text{"The platform repeats by a schedule of its own: the payment is made once", "Платформа повторяет по своему расписанию: платёж проходит один раз"},
			Clause: clauseOpen, Needs: []Need{NeedKill, NeedClock}, Users: []string{"1000"}, Scene: notify(map[string]any{"schedule_ms": []int64{5_000, 5_000, 60_000}}),
			Run: func(t *T) {
				u := t.users[0]
				t.kill()
				p := u.topUp("100")
				p.tried(1)
				t.advance(6 * time.Second)
				p.tried(2)
				t.begin()
				t.advance(2 * time.Minute)
				p.confirmed()
				u.has("900", "100")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-CHOICE-08", Title: Text{"Two payments whose notifications the platform delivers in the other order are both paid", "Два платежа, уведомления о которых платформа доставляет в обратном порядке, оба оплачены"},
			Clause: clauseOpen, Needs: []Need{NeedClock}, Users: []string{"1000"}, Scene: notify(map[string]any{"reorder_ms": 60_000}),
			Run: func(t *T) {
				u := t.users[0]
				first, second := u.topUp("100"), u.topUp("200")
				t.advance(2 * time.Minute)
				first.confirmed()
				second.confirmed()
				u.has("700", "300")
			},
		},
	}
}

// tried waits until the platform has tried n times to notify of the payment.
func (p *payment) tried(n int) {
	p.u.t.until(p.u.t.env.limits.Settle, say("%d notifications tried", n), func() (bool, Text) {
		tries := len(p.seen().Attempts)
		return tries >= n, verbatim(fmt.Sprint(tries))
	})
}

// misbehave has the platform do something wrong at the user's next n calls of the method.
func (t *T) misbehave(u *User, method integra.Method, n int, act map[string]any) {
	rule := map[string]any{
		"name":  t.check.ID,
		"match": map[string]any{"protocol": "integra", "method": string(method), "user": u.hash, "direction": "in", "count": n},
		"act":   act,
	}
	t.set(t.env.control.do(t.ctx, http.MethodPost, "/faults", rule, nil))
}
