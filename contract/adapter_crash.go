package contract

import (
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
)

func crashChecks() []Check {
	kill := []Need{NeedKill}
	return []Check{
		{
			ID: "INT-CRASH-01", Title: Text{"What was answered 200 is paid after a crash, without being announced again", "Уведомление получило 200, затем сбой: платёж проходит без нового уведомления"},
			Clause: clauseFlow, Needs: kill, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				payments := make([]*payment, 12)
				for i := range payments {
					payments[i] = u.topUp("10")
				}
				u.notice("", "") // asks for the proof, while there is an adapter to ask
				acknowledged := make([]bool, len(payments))
				done := make(chan struct{}, len(payments))
				t.parallel(len(payments)+1, func(i int) {
					if i == len(payments) { // after the third answer
						for range 3 {
							<-done
						}
						t.kill()
						return
					}
					acknowledged[i] = t.deliver(payments[i].notice()).status == 200
					done <- struct{}{}
				})
				t.begin()
				for i, p := range payments {
					if acknowledged[i] {
						p.confirmed()
					}
				}
				for _, p := range payments { // the platform announces the others again, and for good measure all
					t.taken(t.deliver(p.notice()))
				}
				for _, p := range payments {
					p.confirmed()
				}
				u.has("880", "120")
			},
		},
		{
			ID: "INT-CRASH-02", Title: Text{"Killed while the confirmation is open, which has landed: charged once", "Убит при незавершённом подтверждении, которое прошло: списано один раз"},
			Clause: clauseOpen, Needs: kill, Users: []string{"1000"}, Scene: Scene{"lost_answers": "hang"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.confirmed()
				t.kill()
				t.begin()
				u.has("900", "100")
				p.never(integra.DeclinePayment)
			},
		},
		{
			ID: "INT-CRASH-03", Title: Text{"The same, and the platform refuses the repeat: the money is not given back", "То же, и платформа отвергает повтор: деньги не возвращаются"},
			Clause: clauseOpen, Needs: kill, Users: []string{"1000"}, Scene: Scene{"lost_answers": "hang", "confirm_repeated": "refuse"},
			Run: func(t *T) {
				u := t.users[0]
				u.mayDoubt()
				p := u.topUp("100")
				p.confirmed()
				t.kill()
				t.begin()
				p.called(integra.ConfirmPayment, 2)
				p.never(integra.DeclinePayment)
			},
		},
		{
			ID: "INT-CRASH-04", Title: Text{"Killed as soon as the platform has confirmed: charged once", "Убит сразу после подтверждения платформой: списано один раз"},
			Clause: clauseFlow, Needs: kill, Users: []string{"1000"},
			Run: func(t *T) {
				u := t.users[0]
				for _, left := range []string{"900", "800", "700"} {
					p := u.topUp("100")
					p.confirmed()
					t.kill()
					t.begin()
					u.has(left, minus(rub("1000"), rub(left)).Text())
				}
			},
		},
		{
			ID: "INT-CRASH-05", Title: Text{"Killed while the decline is open: nothing is charged, nothing confirmed", "Убит при незавершённом отказе: ничего не списано, ничего не подтверждено"},
			Clause: clauseOpen, Needs: kill, Users: []string{"50"}, Scene: Scene{"lost_answers": "hang"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.declined()
				t.kill()
				t.begin()
				u.has("50", "0")
				p.never(integra.ConfirmPayment)
			},
		},
		{
			ID: "INT-CRASH-06", Title: Text{"Killed three times in a flood: every payment is made once in the end", "Убит трижды посреди потока: каждый платёж в итоге проходит один раз"},
			Clause: clauseOpen, Needs: []Need{NeedKill, NeedClock}, Users: []string{"1000", "95"}, Scene: notify(map[string]any{"retries": 12, "first_retry_ms": 1000}),
			Run: func(t *T) {
				rich, poor := t.users[0], t.users[1]
				var payments []*payment
				for range 3 {
					for range 5 {
						payments = append(payments, rich.topUp("10"), poor.topUp("10"))
					}
					payments[len(payments)-1-t.dice.below(5)].tried(1)
					t.kill()
					t.begin()
				}
				t.advance(time.Hour)
				for _, p := range payments {
					p.final()
				}
				rich.has("850", "150")
				poor.has("5", "90")
			},
		},
		{
			ID: "INT-CRASH-07", Title: Text{"A repeat after a restart is still a repeat", "Повтор после перезапуска остаётся повтором"},
			Clause: clauseOpen, Needs: kill, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				t.taken(t.deliver(p.notice()))
				p.confirmed()
				u.has("900", "100")
				t.kill()
				t.begin()
				t.taken(t.deliver(p.notice()))
				u.has("900", "100")
				p.callsExactly(integra.ConfirmPayment, 1)
			},
		},
		{
			ID: "INT-CRASH-08", Title: Text{"Asked to stop while the confirmation is open, it ends, and the payment is charged once", "Остановлен при незавершённом подтверждении: завершает работу, платёж списан один раз"},
			Clause: clauseOpen, Needs: kill, Users: []string{"1000"}, Scene: Scene{"lost_answers": "hang"},
			Run: func(t *T) {
				u := t.users[0]
				p := u.topUp("100")
				p.confirmed()
				t.happens(Stopped)
				if err := t.env.process.Stop(t.ctx); err != nil {
					t.fail(say("an adapter that ends when it is asked to"), textOf(err))
				}
				t.begin()
				u.has("900", "100")
			},
		},
		{
			ID: "INT-CRASH-09", Title: Text{"A balance outlives a crash", "Баланс переживает сбой"},
			Clause: clauseFlow, Needs: kill, Users: []string{"123.45"}, Scene: byHand,
			Run: func(t *T) {
				u := t.users[0]
				t.kill()
				t.begin()
				u.has("123.45", "0")
				p := u.topUp("123.45")
				t.taken(t.deliver(p.notice()))
				p.confirmed()
				u.has("0", "123.45")
			},
		},
	}
}
