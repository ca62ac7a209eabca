package contract

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
)

// slack is what two clocks in milliseconds may differ by.
const slack = 2

func notifyChecks() []Check {
	return []Check{
		{
			ID: "INT-NOTIFY-01", Title: Text{"A top-up with funds is answered 200 in time, confirmed, and charged once", "Пополнение при достатке средств получает 200 вовремя, подтверждается и списывается один раз"},
			Clause: clauseFlow, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.acknowledged()
				p.confirmed()
				u.has("900", "100")
				for _, a := range p.seen().Attempts {
					if limit := t.env.limits.Answer.Milliseconds(); a.TookMS > limit {
						t.fail(say("an answer within %s", t.env.limits.Answer), say("%s", time.Duration(a.TookMS)*time.Millisecond))
					}
				}
			},
		},
		{
			ID: "INT-NOTIFY-02", Title: Text{"The answer does not wait for the platform's answer to the confirmation", "Ответ на уведомление не ждёт ответа платформы на подтверждение"},
			Clause: clauseFlow, Users: []string{"1000"}, Scene: Scene{"lost_answers": "hang"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100") // its confirmation will not be answered until the adapter gives up
				p.acknowledged()
				u.has("900", "100")
				calls, notes := p.calls(integra.ConfirmPayment), p.notifications()
				if len(calls) < 2 || len(notes) == 0 {
					t.fail(say("a notification, and a second confirmPayment since the first had no answer"), say("%d notifications, %d calls", len(notes), len(calls)))
				}
				if answered := notes[0].RealMS + notes[0].TookUS/1000; answered > calls[1].RealMS+slack {
					t.fail(say("200 while the first confirmPayment was still open"), say("200 only %d ms after it had been given up", answered-calls[1].RealMS))
				}
			},
		},
		{
			ID: "INT-NOTIFY-03", Title: Text{"A sum with one decimal, 100.5, is 100 roubles 50 kopecks", "Сумма с одним знаком, 100.5, — это 100 рублей 50 копеек"},
			Clause: clauseTemplate, Users: []string{"1000"},
			Run: func(t *T) { t.paysExactly("100.5", "899.50") },
		},
		{
			ID: "INT-NOTIFY-04", Title: Text{"A sum with two decimals, 100.50, is the same", "Сумма с двумя знаками, 100.50, — то же самое"},
			Clause: clauseTemplate, Users: []string{"1000"}, Scene: notify(map[string]any{"amount": "full"}),
			Run: func(t *T) { t.paysExactly("100.5", "899.50") },
		},
		{
			ID: "INT-NOTIFY-05", Title: Text{"The smallest sum, one kopeck, is paid exactly", "Наименьшая сумма, одна копейка, проходит точно"},
			Clause: clauseTemplate, Users: []string{"1"},
			Run: func(t *T) { t.paysExactly("0.01", "0.99") },
		},
		{
			ID: "INT-NOTIFY-06", Title: Text{"A large sum is paid to the kopeck", "Крупная сумма проходит до копейки"},
			Clause: clauseTemplate, Users: []string{"98765432.11"},
			Run: func(t *T) { t.paysExactly("98765432.10", "0.01") },
		},
		{
			ID: "INT-NOTIFY-07", Title: Text{"A sum that binary fractions cannot hold is paid to the kopeck", "Сумма, которую не представить двоичной дробью, проходит до копейки"},
			Clause: clauseTemplate, Users: []string{"1.15"},
			Run: func(t *T) { // 1.15·100 is 114.99999999999999 in floating point
				t.paysExactly("1.15", "0")
			},
		},
		{
			ID: "INT-NOTIFY-08", Title: Text{"Parameters may stand in another order, with others among them", "Параметры могут идти в другом порядке и вперемежку с посторонними"},
			Clause: clauseTemplate, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				t.delivered(func(u *url.URL) {
					pairs := strings.Split(u.RawQuery, "&")
					slices.Reverse(pairs)
					u.RawQuery = "utm_source=integra&" + strings.Join(pairs, "&") + "&_=1"
				})
			},
		},
		{
			ID: "INT-NOTIFY-09", Title: Text{"Percent-encoded values are decoded", "Значения с процентным кодированием декодируются"},
			Clause: clauseTemplate, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				t.delivered(func(u *url.URL) {
					u.RawQuery = strings.ReplaceAll(u.RawQuery, "100.5", "%31%30%30%2E%35")
				})
			},
		},
		{
			ID: "INT-NOTIFY-10", Title: Text{"A verb that is neither GET nor POST makes no payment", "Метод, отличный от GET и POST, платежа не создаёт"},
			Clause: clauseFlow, Severity: Should, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100.5")
				t.refused(t.deliverBy(http.MethodDelete, p.notice()))
				t.taken(t.deliver(p.notice()))
				p.confirmed()
				u.has("899.50", "100.50")
			},
		},
		{
			ID: "INT-NOTIFY-11", Title: Text{"A notification that the caller hangs up on is not half done", "Уведомление, при котором вызывающий оборвал соединение, не выполняется наполовину"},
			Clause: clauseFlow, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100.5")
				t.hangUp(p.notice())
				t.taken(t.deliver(p.notice())) // it comes again, as for the platform nobody answered
				p.confirmed()
				u.has("899.50", "100.50")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-NOTIFY-12", Title: Text{"Two users with payments of the same sum are not mixed up", "Двух пользователей с одинаковыми суммами не путают"},
			Clause: clauseFlow, Users: []string{"300", "500"},
			Run: func(t *T) {
				a, b := t.users[0], t.users[1]
				pa, pb := a.topUp("200"), b.topUp("200")
				pa.confirmed()
				pb.confirmed()
				a.has("100", "200")
				b.has("300", "200")
			},
		},
		{
			ID: "INT-NOTIFY-13", Title: Text{"The login link opens the page, and carries a notification URL with {id} and {amount}", "Ссылка входа открывает страницу и несёт адрес уведомлений с {id} и {amount}"},
			Clause: clauseTemplate, Needs: []Need{NeedLink}, Users: []string{"0"},
			Run: func(t *T) {
				u := t.users[0]
				logins := slices.Concat(u.calls(integra.CryptLogin, ""), u.calls(integra.Iframe, ""))
				if len(logins) == 0 || !logins[0].Verdict.OK {
					t.fail(say("cryptLogin accepted by the platform"), say("none in its journal"))
				}
				template := logins[0].arg("paymentNotifyUrl")
				if !strings.Contains(template, "{id}") || !strings.Contains(template, "{amount}") {
					t.fail(say("paymentNotifyUrl with {id} and {amount}"), verbatim(template))
				}
			},
		},
		{
			ID: "INT-NOTIFY-14", Title: Text{"Several payments of one user at once are all confirmed and charged", "Несколько платежей одного пользователя разом — все подтверждены и списаны"},
			Clause: clauseFlow, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				payments := make([]*payment, 10)
				t.parallel(len(payments), func(i int) { payments[i] = u.topUp("10") })
				for _, p := range payments {
					p.confirmed()
				}
				u.has("900", "100")
			},
		},
	}
}

// paysExactly tops up and has the balances compared: all that is there but left.
func (t *T) paysExactly(amount, left string) {
	u := t.users[0]
	p := u.topUp(amount)
	p.confirmed()
	for _, call := range p.calls(integra.ConfirmPayment) {
		if got := call.arg("amount"); !sameAmount(got, amount) {
			t.fail(say("confirmPayment of %s", amount), say("confirmPayment of %s", got))
		}
	}
	u.has(left, amount)
}

// delivered delivers one payment's notification, its address changed, and wants it confirmed.
func (t *T) delivered(edit func(*url.URL)) {
	u := t.users[0]
	p := u.topUp("100.5")
	n := p.notice()
	n.edit = edit
	t.taken(t.deliver(n))
	p.confirmed()
	u.has("899.50", "100.50")
}

func paramChecks() []Check {
	type param int
	const (
		id param = iota
		amount
		hash
	)
	none := []string{}
	table := []struct {
		param  param
		values []string // as they stand in the address; none removes the parameter
		en, ru string
	}{
		{id, none, "No id", "Нет id"},
		{id, []string{""}, "An empty id", "Пустой id"},
		{id, []string{"202cb962ac59075b964b07152d234b7"}, "An id of 31 characters", "id из 31 символа"},
		{id, []string{"202cb962ac59075b964b07152d234b700"}, "An id of 33 characters", "id из 33 символов"},
		{id, []string{"202cb962ac59075b964b07152d23%27--"}, "An id with a quote", "id с кавычкой"},
		{id, []string{"202cb962ac59075b964b07152d2%0034b7"}, "An id with a NUL byte", "id с нулевым байтом"},
		{id, []string{"%zz"}, "An id with a broken percent-encoding", "id с испорченным процентным кодированием"},
		{id, []string{strings.Repeat("a", 40_000)}, "An id of 40,000 characters", "id из 40 000 символов"},
		{amount, none, "No amount", "Нет суммы"},
		{amount, []string{""}, "An empty amount", "Пустая сумма"},
		{amount, []string{"0"}, "An amount of zero", "Нулевая сумма"},
		{amount, []string{"0.00"}, "An amount of 0.00", "Сумма 0.00"},
		{amount, []string{"-100"}, "A negative amount", "Отрицательная сумма"},
		{amount, []string{"abc"}, "An amount that is no number", "Сумма — не число"},
		{amount, []string{"1e3"}, "An amount with an exponent", "Сумма с показателем степени"},
		{amount, []string{"0x10"}, "A hexadecimal amount", "Шестнадцатеричная сумма"},
		{amount, []string{"100%2C50"}, "An amount with a comma", "Сумма с запятой"},
		{amount, []string{"1.005"}, "An amount with three decimals", "Сумма с тремя знаками"},
		{amount, []string{"NaN"}, "An amount of NaN", "Сумма NaN"},
		{amount, []string{"Infinity"}, "An infinite amount", "Бесконечная сумма"},
		{amount, []string{"99999999999999999999"}, "An amount beyond 64 bits", "Сумма за пределами 64 бит"},
		{amount, []string{"+100"}, "An amount with a blank in front", "Сумма с пробелом впереди"},
		{amount, []string{"100%20rub"}, "An amount with a currency", "Сумма с валютой"},
		{amount, []string{"100", "1"}, "Two amounts", "Две суммы"},
		{hash, none, "No user", "Нет пользователя"},
		{hash, []string{""}, "An empty user", "Пустой пользователь"},
		{hash, []string{"deadbeef"}, "A user hash of 8 characters", "Хеш пользователя из 8 символов"},
	}
	checks := make([]Check, len(table))
	for i, row := range table {
		checks[i] = Check{
			ID: "INT-PARAM-" + twoDigits(i+1), Title: Text{row.en + " is refused, and makes no payment", row.ru + " — отказ, и платёж не создаётся"},
			Clause: clauseTemplate, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("137.31")
				n := p.notice()
				mark := [...]string{n.id, n.amount, n.hash}[row.param]
				if row.param == hash && !strings.Contains(t.env.notifyURL, "{hash}") {
					t.skip(Text{"adapter.notify_url has no {hash}", "в adapter.notify_url нет {hash}"})
				}
				t.refused(t.deliver(n.with(mark, row.values...)))
				p.callsExactly(integra.ConfirmPayment, 0)
				p.callsExactly(integra.DeclinePayment, 0)
				t.taken(t.deliver(n)) // the adapter lives, and the true one is not taken for a repeat
				p.confirmed()
				u.has("862.69", "137.31")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		}
	}
	return append(checks, Check{
		ID: "INT-PARAM-" + twoDigits(len(table)+1), Title: Text{"A user whom nobody knows is not charged to somebody else", "Неизвестный пользователь не оплачивается за чужой счёт"},
		Clause: clauseTemplate, Users: []string{"1000"}, Scene: byHand,
		Run: func(t *T) {
			u := t.users[0]
			p := u.topUp("137.31")
			n := p.notice()
			n.hash = t.fresh()
			a := t.deliver(n)
			if a.err != nil || a.status >= 500 { // 200 and a decline later is right as well
				t.failAt(a.index, say("an answer that is no error of the server"), a.said())
			}
			p.never(integra.ConfirmPayment)
			u.has("1000", "0")
		},
	})
}

func twoDigits(n int) string { return string([]byte{byte('0' + n/10%10), byte('0' + n%10)}) }
