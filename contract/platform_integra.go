package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
)

var integraAreas = []Area{
	{
		ID: "PI-CALL", Title: Text{"Integra: calls and answers", "Integra: вызовы и ответы"},
		Why: Text{
			"Every client decides by error and status.code. An answer of another shape is an unknown outcome to it, and a payment in doubt.",
			"Любой клиент решает по error и status.code. Ответ другого вида для него — неизвестный исход, то есть платёж под вопросом.",
		},
		Mend: Text{
			"Answer every call with the one envelope and status 200, whatever was wrong with it.",
			"На каждый вызов отвечайте одним и тем же конвертом и статусом 200, что бы с вызовом ни было не так.",
		},
		Example: "POST /partners/acme/hello?k=zaa… → {\"status\":{\"code\":0,\"message\":\"ok\"},\"error\":false,\"data\":\"Hello, Dmitry!\"}",
	},
	{
		ID: "PI-USER", Title: Text{"Integra: users", "Integra: пользователи"},
		Why: Text{
			"A user's hash and login name one person for ever, and the key is shown once.",
			"Хеш и логин навсегда обозначают одного человека, а ключ показывают один раз.",
		},
		Mend: Text{
			"Keep both unique; answer code 3 for a taken one and code 4 for a hash of another length.",
			"Следите, чтобы оба были уникальны; на занятый отвечайте кодом 3, на хеш другой длины — кодом 4.",
		},
		Example: "createUser {\"username\":\"alice\",\"hash\":\"<32>\"} → {\"cryptKey\":\"…\"}",
	},
	{
		ID: "PI-DATA", Title: Text{"Integra: data and messages", "Integra: данные и сообщения"},
		Why: Text{
			"Panels show what these methods return, and reconciliation relies on the balances.",
			"Панели показывают то, что возвращают эти методы, а сверка опирается на балансы.",
		},
		Mend: Text{
			"Return the members of the reference, with the types that it gives them.",
			"Возвращайте поля из справочника с теми типами, которые он указывает.",
		},
		Example: "getFinSummaryByDate {\"date\":\"2026-01-31\"} → {\"date\":\"2026-01-31\",\"balance\":100,\"income\":100,\"outcome\":0}",
	},
	{
		ID: "PI-PAY", Title: Text{"Integra: direct payments and refunds", "Integra: прямые платежи и возвраты"},
		Why: Text{
			"A doPayment grows the balance at once. Carried out twice, or for a sum that was not meant, it is money.",
			"doPayment увеличивает баланс сразу. Выполненный дважды или не на ту сумму, он стоит денег.",
		},
		Mend: Text{
			"Let the paymentHash be unique, and refuse what is no sum.",
			"Сделайте paymentHash уникальным, а то, что не является суммой, отвергайте.",
		},
		Example: "doPayment {\"paymentSum\":\"250\",\"paymentHash\":\"<md5>\",\"userLogin\":\"alice\"} → {\"paymentId\":\"114163\"}",
	},
	{
		ID: "PI-CONFIRM", Title: Text{"Integra: confirming and declining", "Integra: подтверждение и отказ"},
		Why: Text{
			"A payment is confirmed once or declined once, by its own user, with its own amount.",
			"Платёж подтверждают или отклоняют один раз: свой пользователь и на свою сумму.",
		},
		Mend: Text{
			"Change a payment's state by one conditional step, and credit in the same.",
			"Меняйте состояние платежа одним условным шагом и в нём же зачисляйте деньги.",
		},
		Example: "confirmPayment {\"amount\":\"100\",\"transactionId\":\"<id>\"} → {\"transactionId\":\"<id>\"}",
	},
	{
		ID: "PI-NOTIFY", Title: Text{"Integra: notifications", "Integra: уведомления"},
		Why: Text{
			"The partner learns of a payment by nothing else. A placeholder filled in wrongly is a payment lost.",
			"Больше партнёру узнать о платеже неоткуда. Неверно подставленное значение — потерянный платёж.",
		},
		Mend: Text{
			"Fill in {id}, {amount} and {hash}, url-encoded, and leave all else in the template alone.",
			"Подставляйте {id}, {amount} и {hash} в кодировке URL, а остальное в шаблоне не трогайте.",
		},
		Example: "GET https://payment.acme.com/payment-notify?amount=100&transaction_id=202cb962ac59075b964b07152d234b70",
	},
}

func integraChecks() []Check {
	return slices.Concat(callChecks(), userChecks(), dataChecks(), payChecks(), settleChecks(), announceChecks())
}

// numbered gives checks of one area their ids, clause and needs.
func numbered(area, clause string, needs []Need, checks []Check) []Check {
	for i := range checks {
		c := &checks[i]
		c.ID = fmt.Sprintf("%s-%02d", area, i+1)
		if c.Clause == "" {
			c.Clause = clause
		}
		c.Needs = slices.Concat(needs, c.Needs)
	}
	return checks
}

func callChecks() []Check {
	hello := func(t *T, name string) reply {
		return t.ask(integra.Hello, t.partnerCred(), integra.HelloArgs{Name: name})
	}
	greets := func(t *T, r reply, name string) {
		t.yes(r)
		if r.data != "Hello, "+name+"!" {
			t.failAt(r.index, verbatim(fmt.Sprintf("Hello, %s!", name)), verbatim(fmt.Sprint(r.data)))
		}
	}
	// sealed is k of hello with a plain text of the check's own.
	sealed := func(t *T, cred integra.Credentials, plain string) string {
		cipher, err := integra.CipherByName(t.env.partner.cipher())
		t.set(err)
		k, err := integra.SealText(cipher, cred, []byte(plain))
		t.set(err)
		return k
	}
	raw := func(en, ru, plain, name string) Check {
		return Check{Title: Text{en, ru}, Run: func(t *T) { greets(t, t.askRaw(integra.Hello, sealed(t, t.partnerCred(), plain)), name) }}
	}
	bad := func(en, ru string, k func(t *T) string) Check {
		return Check{Title: Text{en, ru}, Run: func(t *T) { t.no(t.askRaw(integra.Hello, k(t))) }}
	}
	checks := []Check{
		{Title: Text{"hello greets by name", "hello здоровается по имени"}, Run: func(t *T) { greets(t, hello(t, "Dmitry"), "Dmitry") }},
		{Title: Text{"GET does as well as POST", "GET годится не хуже POST"}, Run: func(t *T) {
			greets(t, t.askRaw(integra.Hello, sealed(t, t.partnerCred(), `{"name":"Dmitry"}`)), "Dmitry")
		}},
		{Title: Text{"A success has code 0, a message, error false and data", "Успех несёт код 0, сообщение, error false и data"}, Clause: "Integra §3", Run: func(t *T) {
			r := hello(t, "x")
			t.yes(r)
			if !r.hasData || r.message == "" {
				t.failAt(r.index, say("a message and data"), verbatim(string(r.body)))
			}
		}},
		{Title: Text{"The answer is declared as JSON in UTF-8", "Ответ объявлен как JSON в UTF-8"}, Clause: "Integra §3", Run: func(t *T) {
			r := hello(t, "x")
			if kind := r.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") || strings.Contains(kind, "charset") && !strings.Contains(strings.ToLower(kind), "utf-8") {
				t.failAt(r.index, verbatim("application/json; charset=utf-8"), verbatim(kind))
			}
		}},
		{Title: Text{"A refusal has another code than 0, a message, error true, and status 200", "Отказ несёт код не 0, сообщение, error true и статус 200"}, Clause: "Integra §3", Run: func(t *T) {
			r := t.ask(integra.CreateUser, t.partnerCred(), map[string]string{"hash": "short"})
			t.no(r)
			if r.message == "" {
				t.failAt(r.index, say("a message"), verbatim(string(r.body)))
			}
		}},
		raw("Escaped letters are read, as PHP writes them", "Читаются экранированные буквы, как их пишет PHP", `{"name":"\u0416\u0430\u043d\u043d\u0430"}`, "Жанна"),
		raw("Letters in UTF-8 are read", "Читаются буквы в UTF-8", `{"name":"Жанна"}`, "Жанна"),
		raw("An escaped slash is read", "Читается экранированная косая черта", `{"name":"a\/b"}`, "a/b"),
		raw("Members that nobody knows are passed over", "Неизвестные поля пропускаются", `{"name":"Dmitry","extra":{"a":[1,2]}}`, "Dmitry"),
		bad("A wrong key is refused", "Чужой ключ отвергается", func(t *T) string {
			return sealed(t, integra.Credentials{Hash: t.env.partner.Hash, Key: "not" + t.env.partner.Key}, `{"name":"x"}`)
		}),
		bad("Another prefix than zaa is refused", "Префикс, отличный от zaa, отвергается", func(t *T) string { return "zab" + sealed(t, t.partnerCred(), `{"name":"x"}`)[3:] }),
		bad("A hash that nobody has is refused", "Хеш, которого ни у кого нет, отвергается", func(t *T) string {
			return sealed(t, integra.Credentials{Hash: t.dice.token(32), Key: t.env.partner.Key}, `{"name":"x"}`)
		}),
		bad("Base64 cut off is refused", "Обрезанный base64 отвергается", func(t *T) string { k := sealed(t, t.partnerCred(), `{"name":"Dmitry"}`); return k[:len(k)-5] }),
		bad("What is no base64 is refused", "То, что не base64, отвергается", func(t *T) string { return "zaa" + t.env.partner.Hash + "!!!" }),
		bad("No data at all is refused", "Полное отсутствие данных отвергается", func(t *T) string { return "zaa" + t.env.partner.Hash }),
		bad("JSON that is no object is refused", "JSON, который не объект, отвергается", func(t *T) string { return sealed(t, t.partnerCred(), `["x"]`) }),
		bad("What is no JSON is refused", "То, что не JSON, отвергается", func(t *T) string { return sealed(t, t.partnerCred(), `name=x`) }),
		bad("An empty k is refused", "Пустой k отвергается", func(*T) string { return "" }),
		{Title: Text{"A method that is not there gets an answer that is no fault of the server", "Несуществующий метод получает ответ, который не ошибка сервера"}, Run: func(t *T) {
			a := t.send("noSuchMethod", http.MethodGet, t.env.methodURL("noSuchMethod")+"?k="+url.QueryEscape(sealed(t, t.partnerCred(), `{}`)), "", nil)
			if a.err != nil || a.status >= 500 {
				t.failAt(a.index, say("an answer below 500"), a.said())
			}
		}},
		{Title: Text{"A literal link of an older partner module is read", "Читается дословная ссылка старого партнёрского модуля"}, Needs: []Need{NeedControl, NeedWrite, NeedClock}, Run: func(t *T) {
			// Cipher "simple", key "abc", {"name":"Dmitry"}: testdata/integra/vectors.json.
			const hash = "0123456789abcdef0123456789abcdef"
			t.set(t.env.control.do(t.ctx, http.MethodPut, "/integra/partners/"+hash, map[string]string{"key": "abc", "path": "vectors", "cipher": "simple"}, nil))
			a := t.send("hello", http.MethodGet, t.env.platform+"/vectors/hello?k=zaa0123456789abcdef0123456789abcdef3oPQxM7HhZuEp87L19Pbhd4%3D", "", nil)
			greets(t, t.envelope(a), "Dmitry")
		}},
	}
	return numbered("PI-CALL", "Integra §2", []Need{NeedIntegra}, checks)
}

func userChecks() []Check {
	create := func(t *T, args any) reply { return t.ask(integra.CreateUser, t.partnerCred(), args) }
	page := func(t *T, m integra.Method) {
		u := t.member()
		address, err := t.env.sealed(m, u.cred(), integra.LoginArgs{Login: u.login, Hash: u.hash}, nil)
		t.set(err)
		a := t.send(string(m), http.MethodGet, address, "", nil)
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(strings.ToLower(string(a.body)), "<html") {
			t.failAt(a.index, say("200 with a page of HTML"), verbatim(fmt.Sprintf("%d %s", a.status, a.header.Get("Content-Type"))))
		}
	}
	checks := []Check{
		{Title: Text{"createUser returns the user's crypt key", "createUser возвращает ключ пользователя"}, Run: func(t *T) { t.member() }},
		{Title: Text{"Two users get two keys", "Два пользователя получают два ключа"}, Run: func(t *T) {
			if a, b := t.member(), t.member(); a.key == b.key {
				t.fail(say("two keys"), say("the same key twice"))
			}
		}},
		{Title: Text{"A taken hash is refused with code 3", "Занятый хеш отвергается с кодом 3"}, Run: func(t *T) {
			t.no(create(t, integra.CreateUserArgs{Username: t.env.login(t), Hash: t.member().hash}), integra.CodeHashTaken)
		}},
		{Title: Text{"A taken login is refused", "Занятый логин отвергается"}, Run: func(t *T) {
			t.no(create(t, integra.CreateUserArgs{Username: t.member().login, Hash: t.fresh()}))
		}},
		{Title: Text{"A hash of 31 characters is refused with code 4", "Хеш из 31 символа отвергается с кодом 4"}, Run: func(t *T) {
			t.no(create(t, map[string]string{"username": t.env.login(t), "hash": t.dice.token(31)}), integra.CodeHashLength)
		}},
		{Title: Text{"A hash of 33 characters is refused with code 4", "Хеш из 33 символов отвергается с кодом 4"}, Run: func(t *T) {
			t.no(create(t, map[string]string{"username": t.env.login(t), "hash": t.dice.token(33)}), integra.CodeHashLength)
		}},
		{Title: Text{"createUser without a login is refused with code 1", "createUser без логина отвергается с кодом 1"}, Run: func(t *T) {
			t.no(create(t, map[string]string{"hash": t.fresh()}), integra.CodeInvalid)
		}},
		{Title: Text{"createUser without a hash is refused", "createUser без хеша отвергается"}, Run: func(t *T) {
			t.no(create(t, map[string]string{"username": t.env.login(t)}), integra.CodeInvalid, integra.CodeHashLength)
		}},
		{Title: Text{"A refused createUser leaves no trace: the login is free afterwards", "Отвергнутый createUser не оставляет следа: логин свободен"}, Run: func(t *T) {
			login := t.env.login(t)
			t.no(create(t, map[string]string{"username": login, "hash": "short"}))
			t.yes(create(t, integra.CreateUserArgs{Username: login, Hash: t.fresh()}))
		}},
		{Title: Text{"cryptLogin shows the page", "cryptLogin показывает страницу"}, Run: func(t *T) { page(t, integra.CryptLogin) }},
		{Title: Text{"iframe shows the page", "iframe показывает страницу"}, Run: func(t *T) { page(t, integra.Iframe) }},
		{Title: Text{"archiveUser returns userHash and lastBillingDate, unarchiveUser userHash", "archiveUser возвращает userHash и lastBillingDate, unarchiveUser — userHash"}, Run: func(t *T) {
			u := t.member()
			args := integra.PartnerArgs{Partner: t.env.partner.Hash}
			r := t.ask(integra.ArchiveUser, u.cred(), args)
			t.yes(r)
			r.has("userHash", "lastBillingDate")
			r = t.ask(integra.UnarchiveUser, u.cred(), args)
			t.yes(r)
			if r.text("userHash") != u.hash {
				t.failAt(r.index, verbatim(u.hash), verbatim(r.text("userHash")))
			}
		}},
		{Title: Text{"An archived user pays nothing", "Архивный пользователь ничего не платит"}, Severity: Should, Run: func(t *T) {
			u := t.member()
			t.yes(t.ask(integra.ArchiveUser, u.cred(), integra.PartnerArgs{Partner: t.env.partner.Hash}))
			t.no(u.pays("100", t.fresh()))
		}},
		{Title: Text{"One user's key opens nothing of another", "Ключ одного пользователя не открывает чужого"}, Run: func(t *T) {
			a, b := t.member(), t.member()
			t.no(t.ask(integra.DoPayment, integra.Credentials{Hash: a.hash, Key: b.key}, integra.DoPaymentArgs{PaymentSum: "100", PaymentHash: t.fresh(), UserLogin: a.login}))
			a.holds("0")
		}},
	}
	return numbered("PI-USER", "Integra §4", []Need{NeedIntegra, NeedWrite}, checks)
}

func dataChecks() []Check {
	partner := func(t *T) integra.PartnerArgs { return integra.PartnerArgs{Partner: t.env.partner.Hash} }
	list := func(m integra.Method, own bool) func(t *T) {
		return func(t *T) {
			u := t.member()
			cred := t.partnerCred()
			if own {
				cred = u.cred()
			}
			r := t.ask(m, cred, integra.MessagesArgs{Partner: t.env.partner.Hash})
			t.yes(r)
			object, _ := r.data.(map[string]any)
			if _, ok := object["messages"].([]any); !ok {
				t.failAt(r.index, verbatim(`{"messages":[…]}`), verbatim(oneLine(string(r.body), 200)))
			}
		}
	}
	checks := []Check{
		{Title: Text{"getUserData has every member of the reference", "getUserData несёт все поля описания"}, Run: func(t *T) {
			u := t.member()
			r := t.ask(integra.GetUserData, integra.Credentials{Hash: u.hash, Key: t.env.partner.Key}, partner(t))
			t.yes(r)
			r.has("hash", "balance", "dailyBudget", "dailyExpense", "url", "keywords", "status", "progress", "markers", "unreadCount", "balanceInfo")
			if r.text("hash") != u.hash {
				t.failAt(r.index, verbatim(u.hash), verbatim(r.text("hash")))
			}
		}},
		{Title: Text{"A new user has a balance of 0", "У нового пользователя баланс 0"}, Run: func(t *T) { t.member().holds("0") }},
		{Title: Text{"getUserData takes the user's key as well", "getUserData принимает и ключ пользователя"}, Severity: Should, Run: func(t *T) {
			t.yes(t.ask(integra.GetUserData, t.member().cred(), partner(t)))
		}},
		{Title: Text{"getUsersData lists the partner's users", "getUsersData перечисляет пользователей партнёра"}, Run: func(t *T) {
			u := t.member()
			r := t.ask(integra.GetUsersData, t.partnerCred(), integra.UsersDataArgs{Partner: t.env.partner.Hash})
			t.yes(r)
			all, _ := r.data.([]any)
			if !slices.ContainsFunc(all, func(one any) bool { object, _ := one.(map[string]any); return object["hash"] == u.hash }) {
				t.failAt(r.index, say("a list with the user %s", u.hash), say("%d users, without it", len(all)))
			}
		}},
		{Title: Text{"getFinSummaryByDate has date, balance, income and outcome", "getFinSummaryByDate несёт date, balance, income и outcome"}, Run: func(t *T) {
			u := t.member()
			t.yes(u.pays("100", t.fresh()))
			today := time.Now().UTC().Format(time.DateOnly)
			if t.env.control != nil {
				today = time.UnixMilli(t.at()).UTC().Format(time.DateOnly)
			}
			r := t.ask(integra.GetFinSummaryByDate, u.cred(), integra.FinSummaryArgs{Date: today})
			t.yes(r)
			r.has("date", "balance", "income", "outcome")
			if r.text("date") != today || !sameAmount(r.text("balance"), "100") {
				t.failAt(r.index, say("%s with a balance of 100", today), verbatim(oneLine(string(r.body), 200)))
			}
		}},
		{Title: Text{"A date that is none is refused", "Дата, которой нет, отвергается"}, Run: func(t *T) {
			u := t.member()
			for _, date := range []string{"", "31.01.2026", "2026-02-30", "today"} {
				t.no(t.ask(integra.GetFinSummaryByDate, u.cred(), map[string]string{"date": date}))
			}
		}},
		{Title: Text{"getUserMessages lists messages", "getUserMessages перечисляет сообщения"}, Run: list(integra.GetUserMessages, true)},
		{Title: Text{"getMessages lists messages", "getMessages перечисляет сообщения всех"}, Run: list(integra.GetMessages, false)},
		{Title: Text{"getMessageTemplates lists templates", "getMessageTemplates перечисляет шаблоны"}, Run: list(integra.GetMessageTemplates, false)},
		{Title: Text{"readMessages counts", "readMessages считает"}, Run: func(t *T) {
			address, err := t.env.sealed(integra.ReadMessages, t.partnerCred(), partner(t), nil)
			t.set(err)
			r := t.envelope(t.send("readMessages", http.MethodPost, address, "ids=999999998,999999999", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}))
			t.yes(r)
			r.has("success")
			if r.text("success") != "0" {
				t.failAt(r.index, say("success 0: nobody has these messages"), verbatim(r.text("success")))
			}
		}},
		{Title: Text{"changeUrl returns the new and the old address", "changeUrl возвращает новый и старый адрес"}, Run: func(t *T) {
			u := t.member()
			t.yes(t.ask(integra.ChangeURL, u.cred(), integra.ChangeURLArgs{URL: "http://first.example/"}))
			r := t.ask(integra.ChangeURL, u.cred(), integra.ChangeURLArgs{URL: "http://second.example/"})
			t.yes(r)
			r.has("newUrl", "oldUrl")
			if !strings.Contains(r.text("newUrl"), "second.example") || !strings.Contains(r.text("oldUrl"), "first.example") {
				t.failAt(r.index, verbatim("newUrl second.example, oldUrl first.example"), verbatim(oneLine(string(r.body), 200)))
			}
		}},
		{Title: Text{"attachYandexMetrikaCounter returns an id", "attachYandexMetrikaCounter возвращает id"}, Run: func(t *T) {
			r := t.ask(integra.AttachCounter, t.member().cred(), integra.AttachCounterArgs{CounterID: "123", AccessToken: "token"})
			t.yes(r)
			r.has("id")
		}},
	}
	return numbered("PI-DATA", "Integra §4", []Need{NeedIntegra, NeedWrite}, checks)
}

func payChecks() []Check {
	checks := []Check{
		{Title: Text{"doPayment returns a paymentId of digits and grows the balance at once", "doPayment возвращает paymentId из цифр и сразу увеличивает баланс"}, Run: func(t *T) {
			u := t.member()
			r := u.pays("100", t.fresh())
			t.yes(r)
			if id := r.text("paymentId"); id == "" || strings.Trim(id, "0123456789") != "" {
				t.failAt(r.index, say("a paymentId of digits"), verbatim(oneLine(string(r.body), 200)))
			}
			u.holds("100")
		}},
		{Title: Text{"Kopecks are credited exactly", "Копейки зачисляются точно"}, Run: func(t *T) {
			u := t.member()
			t.yes(u.pays("1.15", t.fresh()))
			t.yes(u.pays("0.01", t.fresh()))
			t.yes(u.pays("1000000.10", t.fresh()))
			u.holds("1000001.26")
		}},
		{Title: Text{"A used paymentHash credits nothing again, where it is refused", "Где повтор paymentHash отвергается, ничего не зачисляется снова"}, Needs: []Need{NeedControl}, Scene: Scene{"payment_hash_reused": "refuse"}, Clause: clauseOpen, Run: func(t *T) {
			u, hash := t.member(), t.fresh()
			t.yes(u.pays("100", hash))
			t.no(u.pays("100", hash))
			u.holds("100")
		}},
		{Title: Text{"A used paymentHash returns the same paymentId, where it is accepted, and credits nothing again", "Где повтор paymentHash принимается, возвращается тот же paymentId и ничего не зачисляется снова"}, Needs: []Need{NeedControl}, Scene: Scene{"payment_hash_reused": "success"}, Clause: clauseOpen, Run: func(t *T) {
			u, hash := t.member(), t.fresh()
			first := u.pays("100", hash)
			t.yes(first)
			second := u.pays("100", hash)
			t.yes(second)
			if first.text("paymentId") != second.text("paymentId") {
				t.failAt(second.index, verbatim(first.text("paymentId")), verbatim(second.text("paymentId")))
			}
			u.holds("100")
		}},
		{Title: Text{"Ten equal doPayments at once credit one", "Десять одинаковых doPayment разом зачисляют один"}, Run: func(t *T) {
			u, hash := t.member(), t.fresh()
			t.parallel(10, func(int) { u.pays("100", hash) })
			u.holds("100")
		}},
		{Title: Text{"A payment credits its own user alone", "Платёж зачисляется только своему пользователю"}, Run: func(t *T) {
			a, b := t.member(), t.member()
			t.yes(a.pays("100", t.fresh()))
			t.yes(b.pays("200", t.fresh()))
			a.holds("100")
			b.holds("200")
		}},
		{Title: Text{"What is no sum is refused and credits nothing", "То, что не сумма, отвергается и ничего не зачисляет"}, Run: func(t *T) {
			u := t.member()
			for _, sum := range []string{"", "0", "abc", "1e3", "1,5", "1.005", "NaN", "99999999999999999999"} {
				t.no(u.pays(sum, t.fresh()))
			}
			u.holds("0")
		}},
		{Title: Text{"A doPayment without paymentHash is refused", "doPayment без paymentHash отвергается"}, Run: func(t *T) {
			u := t.member()
			t.no(t.ask(integra.DoPayment, u.cred(), map[string]string{"paymentSum": "100", "userLogin": u.login}), integra.CodeInvalid)
			u.holds("0")
		}},
		{Title: Text{"A negative sum is a refund and lowers the balance", "Отрицательная сумма — возврат, и уменьшает баланс"}, Clause: clauseRefund, Run: func(t *T) {
			u := t.member()
			t.yes(u.pays("100", t.fresh()))
			t.yes(u.pays("-40.5", t.fresh()))
			u.holds("59.50")
		}},
		{Title: Text{"A refund beyond the balance is refused, where it is", "Где возврат сверх баланса запрещён, он отвергается"}, Needs: []Need{NeedControl}, Scene: Scene{"refund_beyond_balance": "refuse"}, Clause: clauseOpen, Run: func(t *T) {
			u := t.member()
			t.yes(u.pays("100", t.fresh()))
			t.no(u.pays("-100.01", t.fresh()))
			u.holds("100")
		}},
		{Title: Text{"A refund beyond the balance makes it negative, where it is allowed", "Где возврат сверх баланса разрешён, баланс становится отрицательным"}, Needs: []Need{NeedControl}, Scene: Scene{"refund_beyond_balance": "allow"}, Clause: clauseOpen, Run: func(t *T) {
			u := t.member()
			t.yes(u.pays("100", t.fresh()))
			t.yes(u.pays("-150", t.fresh()))
			u.holds("-50")
		}},
		{Title: Text{"Numbers are taken as well as texts", "Числа принимаются наравне с текстом"}, Run: func(t *T) {
			u := t.member()
			t.yes(t.ask(integra.DoPayment, u.cred(), map[string]any{"paymentSum": json.Number("12.5"), "paymentHash": t.fresh(), "userLogin": u.login}))
			u.holds("12.50")
		}},
	}
	return numbered("PI-PAY", clauseDirect, []Need{NeedIntegra, NeedWrite}, checks)
}

func settleChecks() []Check {
	// ready is a user whose notifications go to a sink, with a payment of 100.
	ready := func(t *T) (*member, string, *sink) {
		u, s := t.member(), t.sink(nil)
		u.opens(s.url + "/n?id={id}&amount={amount}&hash={hash}")
		return u, u.announced("100"), s
	}
	state := func(t *T, id, want string) {
		p, err := t.env.control.payment(t.ctx, id)
		t.set(err)
		if p.State != want {
			t.fail(say("the payment %s at Integra", stateText(want)), stateText(p.State))
		}
	}
	checks := []Check{
		{Title: Text{"A confirmed payment is credited, and its id answered", "Подтверждённый платёж зачисляется, и возвращается его id"}, Run: func(t *T) {
			u, id, _ := ready(t)
			r := u.confirms(id, "100")
			t.yes(r)
			if r.text("transactionId") != id {
				t.failAt(r.index, verbatim(id), verbatim(oneLine(string(r.body), 200)))
			}
			u.holds("100")
		}},
		{Title: Text{"An unconfirmed payment is not credited", "Неподтверждённый платёж не зачисляется"}, Run: func(t *T) {
			u, id, _ := ready(t)
			u.holds("0")
			state(t, id, "unconfirmed")
		}},
		{Title: Text{"A declined payment is not credited", "Отклонённый платёж не зачисляется"}, Run: func(t *T) {
			u, id, _ := ready(t)
			r := u.declines(id)
			t.yes(r)
			if r.text("transactionId") != id {
				t.failAt(r.index, verbatim(id), verbatim(oneLine(string(r.body), 200)))
			}
			u.holds("0")
			state(t, id, "declined")
		}},
		{Title: Text{"declinePayment needs no reason", "declinePayment не требует причины"}, Clause: "Integra §4", Run: func(t *T) {
			u, id, _ := ready(t)
			t.yes(t.ask(integra.DeclinePayment, u.cred(), map[string]string{"transactionId": id}))
		}},
		{Title: Text{"A confirmation again is answered as before, where it is, and credits once", "Где повторное подтверждение получает прежний ответ, зачисляется один раз"}, Scene: Scene{"confirm_repeated": "success"}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.yes(u.confirms(id, "100"))
			t.yes(u.confirms(id, "100"))
			u.holds("100")
		}},
		{Title: Text{"A confirmation again is refused, where it is, and credits once", "Где повторное подтверждение отвергается, зачисляется один раз"}, Scene: Scene{"confirm_repeated": "refuse"}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.yes(u.confirms(id, "100"))
			t.no(u.confirms(id, "100"))
			u.holds("100")
		}},
		{Title: Text{"Ten confirmations at once credit once", "Десять подтверждений разом зачисляют один раз"}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.parallel(10, func(int) { u.confirms(id, "100") })
			u.holds("100")
		}},
		{Title: Text{"Of confirm and decline at once one counts", "Из подтверждения и отказа разом засчитывается одно"}, Run: func(t *T) {
			u, id, _ := ready(t)
			var said [2]reply
			t.parallel(2, func(i int) {
				if i == 0 {
					said[0] = u.confirms(id, "100")
				} else {
					said[1] = u.declines(id)
				}
			})
			if said[0].refused == said[1].refused {
				t.fail(say("one yes and one no"), say("codes %d and %d", said[0].code, said[1].code))
			}
			if said[0].refused {
				u.holds("0")
			} else {
				u.holds("100")
			}
		}},
		{Title: Text{"A confirmation after a decline is refused", "Подтверждение после отказа отвергается"}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.yes(u.declines(id))
			t.no(u.confirms(id, "100"))
			u.holds("0")
		}},
		{Title: Text{"A decline after a confirmation is refused, and the money stays", "Отказ после подтверждения отвергается, и деньги остаются"}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.yes(u.confirms(id, "100"))
			t.no(u.declines(id))
			u.holds("100")
		}},
		{Title: Text{"Another amount is refused, where it is, and credits nothing", "Где другая сумма отвергается, ничего не зачисляется"}, Scene: Scene{"confirm_other_amount": "refuse"}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.no(u.confirms(id, "99.99"))
			u.holds("0")
			t.yes(u.confirms(id, "100")) // it is still open
		}},
		{Title: Text{"Another amount is what is credited, where it is accepted", "Где другая сумма принимается, она и зачисляется"}, Scene: Scene{"confirm_other_amount": "credit"}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.yes(u.confirms(id, "70.5"))
			u.holds("70.50")
		}},
		{Title: Text{"The same amount written otherwise is the same", "Та же сумма в другой записи — та же"}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.yes(u.confirms(id, "100.00"))
			u.holds("100")
		}},
		{Title: Text{"A payment that is not there is refused", "Несуществующий платёж отвергается"}, Run: func(t *T) {
			u := t.member()
			t.no(u.confirms(t.fresh(), "100"))
			t.no(u.declines(t.fresh()))
			u.holds("0")
		}},
		{Title: Text{"Somebody else's payment is refused", "Чужой платёж отвергается"}, Run: func(t *T) {
			a, id, _ := ready(t)
			b := t.member()
			t.no(b.confirms(id, "100"))
			t.no(b.declines(id))
			a.holds("0")
			b.holds("0")
			t.yes(a.confirms(id, "100"))
		}},
		{Title: Text{"After a day a payment expires as declined", "Через сутки платёж истекает как отклонённый"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.advance(24*time.Hour + time.Second)
			state(t, id, "declined")
			t.no(u.confirms(id, "100"))
			u.holds("0")
		}},
		{Title: Text{"Where payments never expire, it is confirmed after a month", "Где платежи не истекают, он подтверждается и через месяц"}, Needs: []Need{NeedClock}, Scene: Scene{"payment_expiry_ms": 0}, Run: func(t *T) {
			u, id, _ := ready(t)
			t.advance(30 * 24 * time.Hour)
			t.yes(u.confirms(id, "100"))
			u.holds("100")
		}},
		{Title: Text{"An answer that is lost leaves the confirmation made", "Ответ потерян, а подтверждение осталось в силе"}, Scene: Scene{"lost_answers": "drop", "confirm_repeated": "success"}, Run: func(t *T) {
			u := t.lostMember()
			id := u.announced("100")
			address, err := t.env.sealed(integra.ConfirmPayment, u.cred(), integra.ConfirmPaymentArgs{Amount: "100", TransactionID: id}, nil)
			t.set(err)
			if a := t.send("confirmPayment", http.MethodPost, address, "", nil); a.err == nil {
				t.failAt(a.index, say("a connection without an answer"), a.said())
			}
			u.holds("100")
			t.yes(u.confirms(id, "100"))
			u.holds("100")
		}},
	}
	return numbered("PI-CONFIRM", clauseOpen, []Need{NeedIntegra, NeedWrite, NeedControl}, checks)
}

// lostMember makes a user although the scene loses the answers of all calls, and with them
// crypt keys: the scene is lifted meanwhile.
func (t *T) lostMember() *member {
	t.set(t.env.control.settings(t.ctx, map[string]any{"lost_answers": "none"}))
	u := t.member()
	s := t.sink(nil)
	u.opens(s.url + "/n?id={id}&amount={amount}")
	t.set(t.env.control.settings(t.ctx, map[string]any{"lost_answers": t.check.Scene["lost_answers"]}))
	return u
}

func announceChecks() []Check {
	// notified opens the page with a template behind the sink's address and tops up.
	notified := func(t *T, template, amount string, reply func(int) int) (*member, string, *sink) {
		u, s := t.member(), t.sink(reply)
		u.opens(s.url + template)
		return u, u.announced(amount), s
	}
	is := func(t *T, template, amount string, want func(u *member, id string) string) {
		u, id, s := notified(t, template, amount, nil)
		got := s.wait(1)[0]
		if got.verb != http.MethodGet || got.uri != want(u, id) {
			t.fail(verbatim(fmt.Sprintf("GET %s", want(u, id))), verbatim(got.verb+" "+got.uri))
		}
	}
	no := func(int) int { return http.StatusInternalServerError }
	checks := []Check{
		{Title: Text{"A top-up is announced by GET with id, amount and hash", "О пополнении сообщается GET-запросом с id, суммой и хешем"}, Run: func(t *T) {
			is(t, "/notify?id={id}&amount={amount}&hash={hash}", "100", func(u *member, id string) string { return "/notify?id=" + id + "&amount=100&hash=" + u.hash })
		}},
		{Title: Text{"The id has 32 characters", "id состоит из 32 символов"}, Run: func(t *T) {
			_, id, s := notified(t, "/notify?id={id}&amount={amount}", "100", nil)
			s.wait(1)
			if !integra.ValidHash(id) {
				t.fail(say("32 letters or digits"), verbatim(id))
			}
		}},
		{Title: Text{"Placeholders in the path are filled in", "Подстановки в пути заполняются"}, Run: func(t *T) {
			is(t, "/pay/{hash}/{id}?sum={amount}", "100", func(u *member, id string) string { return "/pay/" + u.hash + "/" + id + "?sum=100" })
		}},
		{Title: Text{"The partner's own parameters stay as they are", "Собственные параметры партнёра остаются как есть"}, Run: func(t *T) {
			is(t, "/n?token=a%2Bb%2Fc%3D&id={id}&x=1&amount={amount}", "100", func(_ *member, id string) string { return "/n?token=a%2Bb%2Fc%3D&id=" + id + "&x=1&amount=100" })
		}},
		{Title: Text{"Unknown placeholders stay as they are", "Неизвестные подстановки остаются как есть"}, Severity: Should, Run: func(t *T) {
			u, id, s := notified(t, "/n?id={id}&amount={amount}&z={zebra}", "100", nil)
			_ = u
			if got := s.wait(1)[0].uri; !strings.Contains(got, "id="+id) || !strings.Contains(got, "zebra") {
				t.fail(say("{zebra} left alone"), verbatim(got))
			}
		}},
		{Title: Text{"A placeholder that stands there twice is filled in twice", "Подстановка, стоящая дважды, заполняется дважды"}, Run: func(t *T) {
			is(t, "/n?id={id}&again={id}&amount={amount}", "100", func(_ *member, id string) string { return "/n?id=" + id + "&again=" + id + "&amount=100" })
		}},
		{Title: Text{"An amount with kopecks in the short form", "Сумма с копейками в краткой форме"}, Scene: notify(map[string]any{"amount": "short"}), Run: func(t *T) {
			is(t, "/n?id={id}&amount={amount}", "100.5", func(_ *member, id string) string { return "/n?id=" + id + "&amount=100.5" })
		}},
		{Title: Text{"An amount with kopecks in the full form", "Сумма с копейками в полной форме"}, Scene: notify(map[string]any{"amount": "full"}), Run: func(t *T) {
			is(t, "/n?id={id}&amount={amount}", "100.5", func(_ *member, id string) string { return "/n?id=" + id + "&amount=100.50" })
		}},
		{Title: Text{"What is answered 200 is not announced again", "Получившее 200 не повторяется"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			_, _, s := notified(t, "/n?id={id}&amount={amount}", "100", nil)
			s.wait(1)
			t.advance(time.Hour)
			s.exactly(1)
		}},
		{Title: Text{"What is not answered 200 is announced five times more, the same each time", "Не получившее 200 повторяется ещё пять раз, одинаково"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			_, _, s := notified(t, "/n?id={id}&amount={amount}", "100", no)
			s.wait(1)
			t.advance(2 * time.Hour)
			hits := s.exactly(6)
			for _, h := range hits {
				if h.uri != hits[0].uri {
					t.fail(say("the same address each time"), verbatim(h.uri))
				}
			}
		}},
		{Title: Text{"It ends with the first 200", "Повторы кончаются первым 200"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			_, _, s := notified(t, "/n?id={id}&amount={amount}", "100", func(n int) int { return map[bool]int{true: 500, false: 200}[n < 3] })
			s.wait(1)
			t.advance(2 * time.Hour)
			s.exactly(3)
		}},
		{Title: Text{"The first repeat comes after ten seconds, the second twenty later", "Первый повтор через десять секунд, второй через двадцать"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			t.freeze()
			_, _, s := notified(t, "/n?id={id}&amount={amount}", "100", no)
			s.wait(1)
			t.tried(s, 1)
			t.advance(9 * time.Second)
			s.exactly(1)
			t.advance(time.Second)
			s.exactly(2)
			t.advance(19 * time.Second)
			s.exactly(2)
			t.advance(time.Second)
			s.exactly(3)
		}},
		{Title: Text{"Where nothing is repeated, it is announced once", "Где повторов нет, уведомление одно"}, Needs: []Need{NeedClock}, Scene: notify(map[string]any{"retries": 0}), Run: func(t *T) {
			_, _, s := notified(t, "/n?id={id}&amount={amount}", "100", no)
			s.wait(1)
			t.advance(2 * time.Hour)
			s.exactly(1)
		}},
		{Title: Text{"Copies are told to come, and do", "Дубликаты приходят, если так настроено"}, Scene: notify(map[string]any{"duplicates": 2}), Run: func(t *T) {
			_, _, s := notified(t, "/n?id={id}&amount={amount}", "100", nil)
			hits := s.wait(3)
			if hits[1].uri != hits[0].uri || hits[2].uri != hits[0].uri {
				t.fail(say("three equal notifications"), verbatim(hits[1].uri))
			}
		}},
		{Title: Text{"A direct payment is not announced", "О прямом платеже не сообщается"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			u, s := t.member(), t.sink(nil)
			u.opens(s.url + "/n?id={id}&amount={amount}")
			t.yes(u.pays("100", t.fresh()))
			t.advance(time.Minute)
			s.exactly(0)
		}},
		{Title: Text{"A redirect is no acknowledgement", "Перенаправление — не подтверждение"}, Severity: Should, Needs: []Need{NeedClock}, Run: func(t *T) {
			_, _, s := notified(t, "/n?id={id}&amount={amount}", "100", func(int) int { return http.StatusFound })
			s.wait(1)
			t.advance(11 * time.Second)
			s.wait(2)
		}},
		{Title: Text{"Each of several payments is announced", "Сообщается о каждом из нескольких платежей"}, Run: func(t *T) {
			u, s := t.member(), t.sink(nil)
			u.opens(s.url + "/n?id={id}&amount={amount}")
			ids := make([]string, 10)
			t.parallel(len(ids), func(i int) { ids[i] = u.announced("1") })
			seen := map[string]bool{}
			for _, h := range s.wait(len(ids)) {
				seen[h.uri] = true
			}
			for _, id := range ids {
				if !seen["/n?id="+id+"&amount=1"] {
					t.fail(say("a notification of %s", id), say("none"))
				}
			}
		}},
	}
	return numbered("PI-NOTIFY", clauseTemplate, []Need{NeedIntegra, NeedWrite, NeedControl}, checks)
}

// tried waits until the platform has noted the answers to n messages of a sink.
func (t *T) tried(s *sink, n int) {
	t.until(t.env.limits.Settle, say("%d answers noted", n), func() (bool, Text) {
		id, _, _ := strings.Cut(strings.TrimPrefix(s.got()[0].uri, "/n?id="), "&")
		p, err := t.env.control.payment(t.ctx, id)
		t.set(err)
		return len(p.Attempts) >= n, verbatim(fmt.Sprint(len(p.Attempts)))
	})
}
