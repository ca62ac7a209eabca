package contract

import (
	"slices"
	"time"
)

// The checks of an adapter, in the order of the protocol's story: notifications come in, are
// trusted or not, are confirmed or declined, come again, race, lose their answers, meet a
// crash.
func adapterChecks() []Check {
	checks := slices.Concat(
		notifyChecks(), paramChecks(), proofChecks(), confirmChecks(), declineChecks(), repeatChecks(),
		raceChecks(), lostChecks(), choiceChecks(), directChecks(), refundChecks(), acquirerChecks(), crashChecks(), generatedChecks(),
	)
	for i := range checks {
		checks[i].Needs = append([]Need{NeedAdapter}, checks[i].Needs...)
		if checks[i].Severity == "" {
			checks[i].Severity = Must
		}
	}
	return checks
}

// The clauses that adapters are held to.
const (
	clauseFlow     = "Integra §5, flow 2"
	clauseDirect   = "Integra §5, flow 1"
	clauseAcquirer = "Integra §5, flow 3"
	clauseRefund   = "Integra §5, flow 4"
	clauseOpen     = "Integra §5, open questions"
	clauseTemplate = "Integra §6"
	clauseAnswers  = "Integra §3"
	clauseMethods  = "Integra §4"
)

// byHand is a scene in which the platform's own notifications come much later than any check
// ends: those that come are delivered by the suite.
var byHand = Scene{"notify": map[string]any{"delay_ms": (300 * 24 * time.Hour).Milliseconds()}}

// notify changes the platform's notifications.
func notify(settings map[string]any) Scene { return Scene{"notify": settings} }

var adapterAreas = []Area{
	{
		ID: "INT-NOTIFY", Title: Text{"Notifications", "Уведомления"},
		Why: Text{
			"The platform waits five seconds for 200. What is not answered comes again or never; what is answered 200 without being stored is lost for good, and so is the user's payment.",
			"Платформа ждёт ответа 200 пять секунд. Уведомление без ответа придёт ещё раз или не придёт вовсе; если же ответить 200, не сохранив уведомление, оно потеряно навсегда, а с ним и платёж пользователя.",
		},
		Mend: Text{
			"Store the payment under its id, commit, answer 200, and do everything else afterwards in a worker that reads the store.",
			"Сохраните платёж под его id, зафиксируйте транзакцию, ответьте 200, а всё остальное делайте потом, в обработчике, который читает хранилище.",
		},
		Example: "GET /notify?id=202cb962ac59075b964b07152d234b70&amount=100&hash=<hash> → 200\n" +
			"confirmPayment {\"amount\":\"100\",\"transactionId\":\"202cb962ac59075b964b07152d234b70\"} → {\"status\":{\"code\":0,…},\"error\":false,…}",
	},
	{
		ID: "INT-PARAM", Title: Text{"Malformed notifications", "Искажённые уведомления"},
		Why: Text{
			"Anybody on the internet can call the notification URL. What is not a sum or not an id must not become a payment, a crash or a 500 that is repeated for hours.",
			"Адрес уведомлений может вызвать кто угодно. То, что не является суммой или идентификатором, не должно стать ни платежом, ни падением, ни ответом 500, из-за которого повторы будут идти часами.",
		},
		Mend: Text{
			"Read the parameters strictly: the id is 32 letters or digits, the amount a positive decimal with at most two digits after a point. Answer 400 and store nothing.",
			"Разбирайте параметры строго: id — 32 буквы или цифры, сумма — положительное десятичное число не более чем с двумя знаками после точки. Отвечайте 400 и ничего не сохраняйте.",
		},
		Example: "GET /notify?id=202cb962ac59075b964b07152d234b70&amount=1e3&hash=<hash> → 400 {\"error\":\"has an exponent\",\"field\":\"amount\"}",
	},
	{
		ID: "INT-PROOF", Title: Text{"Forged and foreign notifications", "Поддельные и чужие уведомления"},
		Why: Text{
			"The notification carries no signature of the platform: whoever learns the URL can forge one.",
			"Платформа не подписывает уведомление: подделать его может каждый, кто узнал адрес.",
		},
		Mend: Text{
			"Put a signed token for the user, with an expiry, into the template that is handed to cryptLogin, and check it against {hash}. Never let a notification alone move money: only the platform's answer to confirmPayment does.",
			"Вставьте в шаблон, который передаётся в cryptLogin, подписанный токен пользователя со сроком действия и сверяйте его с {hash}. Деньги не должны двигаться по одному лишь уведомлению: только по ответу платформы на confirmPayment.",
		},
		Example: "GET /notify?id=…&amount=100&hash=<B>&token=<A> → 403",
	},
	{
		ID: "INT-CONFIRM", Title: Text{"Confirming", "Подтверждение"},
		Why: Text{
			"The platform credits what is confirmed. A wrong sum or the wrong user is somebody's money.",
			"Платформа зачисляет то, что подтверждено. Неверная сумма или не тот пользователь — это чьи-то деньги.",
		},
		Mend: Text{
			"Keep the amount as an integer of kopecks; reserve it before the call, capture it after an answer without error. Send the id and the amount of the notification.",
			"Храните сумму целым числом копеек; резервируйте её до вызова, списывайте после ответа без ошибки. Передавайте id и сумму из уведомления.",
		},
		Example: "POST /partners/acme/confirmPayment?k=… {\"amount\":\"100.5\",\"transactionId\":\"<id>\"}",
	},
	{
		ID: "INT-DECLINE", Title: Text{"Declining", "Отказ"},
		Why: Text{
			"Without a decline the user's page waits for a day; a decline after a confirmation takes back money that the platform has credited.",
			"Без отказа страница пользователя ждёт сутки; отказ после подтверждения отбирает деньги, которые платформа уже зачислила.",
		},
		Mend: Text{
			"When the funds do not suffice, call declinePayment with the id and a reason, and repeat it until the platform has answered.",
			"Если средств не хватает, вызовите declinePayment с id и причиной и повторяйте вызов, пока платформа не ответит.",
		},
		Example: "POST /partners/acme/declinePayment?k=… {\"transactionId\":\"<id>\",\"errorCode\":1,\"errorMessage\":\"not enough funds\"}",
	},
	{
		ID: "INT-REPEAT", Title: Text{"Repeats and order", "Повторы и порядок"},
		Why: Text{
			"Notifications come again, late and in another order. Each payment is charged once all the same.",
			"Уведомления приходят повторно, с опозданием и в другом порядке. Списать каждый платёж всё равно нужно ровно один раз.",
		},
		Mend: Text{
			"Let a unique index on the payment's id decide who is first; answer a repeat 200 and change nothing. A known id with other content is a conflict, not a repeat.",
			"Пусть вопрос, кто первый, решает уникальный индекс по id платежа; на повтор отвечайте 200 и ничего не меняйте. Известный id с другим содержимым — это противоречие, а не повтор.",
		},
		Example: "2 × GET /notify?id=X&amount=100… → 200\n1 × confirmPayment",
	},
	{
		ID: "INT-RACE", Title: Text{"At the same moment", "Одновременность"},
		Why: Text{
			"Looking whether the id is known and then inserting it lets two deliveries both find nothing; looking at the balance and then taking from it lets two payments spend the same rouble.",
			"Если сначала проверить, известен ли id, а потом вставить его, две одновременные доставки обе ничего не найдут; если сначала посмотреть остаток, а потом списать, два платежа потратят один и тот же рубль.",
		},
		Mend: Text{
			"Insert and let the unique index refuse the second; reserve by one conditional statement or under a lock of the user's account.",
			"Вставляйте сразу, и пусть уникальный индекс отвергнет вторую вставку; резервируйте одним условным запросом или под блокировкой счёта пользователя.",
		},
		Example: "20 × GET /notify?id=X… → 200\n1 × confirmPayment",
	},
	{
		ID: "INT-LOST", Title: Text{"Lost and broken answers", "Потерянные и испорченные ответы"},
		Why: Text{
			"A time-out, a cut connection, a 500 or a page of HTML says nothing about what the platform has done. Who takes that for a refusal gives money back that the platform has credited.",
			"Тайм-аут, оборванное соединение, ответ 500 или HTML-страница ничего не говорят о том, что сделала платформа. Кто примет это за отказ, вернёт пользователю деньги, которые платформа уже зачислила.",
		},
		Mend: Text{
			"Only an envelope with \"error\":true refuses. After anything else keep the reservation and call again with the same id, with growing pauses, across restarts.",
			"Отказ — это только конверт с \"error\":true. После всего остального держите резерв и повторяйте вызов с тем же id, с растущими паузами и после перезапуска тоже.",
		},
		Example: "confirmPayment {…,\"transactionId\":\"X\"} → ✗\nconfirmPayment {…,\"transactionId\":\"X\"} → {…,\"error\":false,…}",
	},
	{
		ID: "INT-CHOICE", Title: Text{"What the documents leave open", "Что документы оставляют открытым"},
		Why: Text{
			"The documents do not say which of two ways the platform goes. An adapter that relies on one of them loses money the day it is the other.",
			"Документы не говорят, как из двух способов поступит платформа. Адаптер, который рассчитывает на один из них, потеряет деньги в тот день, когда верным окажется другой.",
		},
		Mend: Text{
			"Be right under both: hold the money until the outcome is certain, and leave to a person what never becomes certain.",
			"Работайте верно в обоих случаях: держите деньги в резерве, пока исход не ясен, а то, что само не прояснится, оставляйте человеку.",
		},
		Example: "confirmPayment {\"amount\":\"99\",\"transactionId\":\"<id>\"} → {\"status\":{\"code\":9,…},\"error\":true}\nconfirmPayment {\"amount\":\"99\",\"transactionId\":\"<id>\"} → {…,\"error\":false,…}",
	},
	{
		ID: "INT-DIRECT", Title: Text{"Direct payments", "Прямые платежи"},
		Why: Text{
			"doPayment grows the platform's balance at once, and nothing confirms it later. Its paymentHash is all that keeps a repeat from paying twice.",
			"doPayment сразу увеличивает баланс на платформе, и потом его ничто не подтверждает. Только paymentHash не даёт повтору заплатить дважды.",
		},
		Mend: Text{
			"Derive the paymentHash from the caller's own key and store it before the call, so that every repeat has the same.",
			"Вычисляйте paymentHash из ключа того, кто вызвал вас, и сохраняйте его до вызова платформы, чтобы у каждого повтора он был тем же.",
		},
		Example: "POST /partners/acme/doPayment?k=… {\"paymentSum\":\"250\",\"paymentHash\":\"<md5>\",\"userLogin\":\"alice\"}",
	},
	{
		ID: "INT-REFUND", Title: Text{"Refunds", "Возвраты"},
		Why: Text{
			"A refund is a doPayment with a negative sum: given back twice it is the partner's loss, given back without the platform's yes as well.",
			"Возврат — это doPayment с отрицательной суммой: проведённый дважды, он становится убытком партнёра, зачисленный без согласия платформы — тоже.",
		},
		Mend: Text{
			"Credit the user only after the platform's yes; repeat under the same paymentHash.",
			"Зачисляйте деньги пользователю только после согласия платформы; повторяйте вызов с тем же paymentHash.",
		},
		Example: "POST /partners/acme/doPayment?k=… {\"paymentSum\":\"-100\",…}",
	},
	{
		ID: "INT-ACQUIRER", Title: Text{"Robokassa's payments", "Платежи через Robokassa"},
		Why: Text{
			"What a user pays by Robokassa inside Integra is none of the partner's business: nobody is notified, and the partner's account stays as it is.",
			"То, что пользователь платит внутри Integra через Robokassa, партнёра не касается: уведомлений об этом нет, и счёт у партнёра не меняется.",
		},
		Mend: Text{
			"Do nothing: in particular do not follow the platform's balance and charge what grows there.",
			"Ничего не делайте: в частности, не следите за балансом на платформе и не списывайте то, что там прибавилось.",
		},
		Example: "Integra → Robokassa\n0 × Integra → Partner\n0 × Partner → Integra",
	},
	{
		ID: "INT-CRASH", Title: Text{"Crashes", "Сбои"},
		Why: Text{
			"Power goes, processes are killed. Whatever moment it is, every acknowledged payment is finished afterwards, once.",
			"Отключается питание, процессы убивают. В какой бы момент это ни случилось, каждый принятый платёж потом доводится до конца, и ровно один раз.",
		},
		Mend: Text{
			"Keep every step in the store before it is acted upon; at the start take up what is unfinished, repeating calls with the same ids.",
			"Сохраняйте каждый шаг прежде, чем действовать; при запуске продолжайте незавершённое, повторяя вызовы с теми же id.",
		},
		Example: "confirmPayment → SIGKILL\nconfirmPayment → {…,\"error\":false,…}",
	},
	{
		ID: "INT-INPUT", Title: Text{"Generated notifications", "Сгенерированные уведомления"},
		Why: Text{
			"A table of bad values is what somebody thought of. These are made up from the types in the protocol's description, around their boundaries, and cut down to the smallest that is still wrong.",
			"Таблица плохих значений — это то, до чего кто-то додумался. Здесь значения порождаются по типам из описания протокола, у самых границ, и сокращаются до наименьшего, на котором ошибка ещё видна.",
		},
		Mend: Text{
			"As for INT-PARAM; the report carries the call as a curl command and the seed of the run.",
			"Как для INT-PARAM; в отчёте есть команда curl, которая повторяет вызов, и seed прогона.",
		},
		Example: "GET /notify?id=…&amount=00.0&hash=… → 400",
	},
}
