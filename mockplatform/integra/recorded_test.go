package integra_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// recorded is one conversation with every method, byte for byte. The requests were made by
// a Python program that shares no code with this repository (above each, what it encrypted);
// keys and ids follow from seed 1; the answers are spec/integra.md §§3 and 4, written out.
var recorded = []struct {
	name   string
	topUp  string // press the button with this amount; want is the payment's id
	target string
	body   string // form
	html   bool
	want   string
}{
	{
		name: "hello",
		// {"name":"Dmitry"}
		target: "/partners/acme/hello?k=zaa0123456789abcdef0123456789abcdef8I3dmZ2dhq%2BbtOSf3OrolbM%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":"Hello, Dmitry!","version":"1","notices":[]}`,
	},
	{
		name: "hello as PHP writes it",
		// {"name":"\u0414\u043c\u0438\u0442\u0440\u0438\u0439 \/ \ud83d\ude00"}
		target: "/partners/acme/hello?k=zaa0123456789abcdef0123456789abcdef8I3dmZ2dhq%2BbzOxmnKmjz6uhaKnMxOqbm6xs0%2BWlrqupvuyemaalz6tnap6qw%2ByTo5xwlceeWIytyK2s1NOrzN2fo1ju",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":"Hello, Дмитрий / 😀!","version":"1","notices":[]}`,
	},
	{
		name: "hello in UTF-8",
		// {"name":"Дмитрий"}
		target: "/partners/acme/hello?k=zaa0123456789abcdef0123456789abcdef8I3dmZ2dhq%2BbQAsGJEgnRLhCtEYhOC6N5A%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":"Hello, Дмитрий!","version":"1","notices":[]}`,
	},
	{
		name: "createUser",
		// {"username":"acme-site.ru-11235813","hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","email":"user@acme-site.ru","phone":"+79551234567","suggestedDomain":"acme-site.ru"}
		target: "/partners/acme/createUser?k=zaa0123456789abcdef0123456789abcdef8I3kq5Wq0tbm1ZlwitnS4Juep9%2FdzaPd3KZlqKKor6%2BolZmah9rW5p5ZcI3TyNjE0MqY1szQmZGZxdba0diXydnQ1JfSldfKydbMyJtgmdXi2%2BDjhLGQ2uXa5XaYmdjXlOrM485l5%2BCRZFKozOTn1ZlwiqOmrGumZaicnKqhnptgmePq4d7c1evTybbk4JegpI2sidjG3M5k6NTjnV6q2Zf2",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"cryptKey":"rt8zuwxulqe4ul2q574cnm2m442usay2w3481usu2y7xz1n07gl"},"version":"1","notices":[]}`,
	},
	{
		name: "getUserData of a new user",
		// {"partner":"0123456789abcdef0123456789abcdef"}
		target: "/partners/acme/getUserData?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8I3fmaKs0trrkrFYmKmhpmqmaq2hodbNyt2Z3aCmrKqrl62lnavW1Zmbm9GU5A%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","balance":0,"dailyBudget":0,"dailyExpense":0,"url":"acme-site.ru","keywords":[],"status":"new","progress":"WIZARD_STEP_1","markers":[],"unreadCount":1,"balanceInfo":{"days":0,"months":0,"untilTime":0}},"version":"1","notices":[]}`,
	},
	{
		name: "cryptLogin",
		// {"login":"acme-site.ru-11235813","hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","paymentNotifyUrl":"http:\/\/127.0.0.1:1\/notify?transaction_id={id}&amount={amount}","createdOn":"2026-01-31"}
		target: "/partners/acme/cryptLogin?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Tgp%2BHe5ZqvjtLIodqZpdqpnGLV45pjnmZnZ62klJtemZuVq5mXrZeT2pjZ25LPkZjIzdPVmdvW2NnWzdLGldbNk9KWmJXEz49ej6SVq%2BLYz%2B2A5qednqrK5eFUs1ng7qXeapOWyKGlarGjp6almqKfZdGboOCpoJrcreGkzqKnk9jnyuig1pyYdaze1%2FJY2qTn75%2FibbLI2eHppu7ymaSXz%2BPKlenRlsCjWW6FoJ1ko2FkY6Kmkpuv&r=%2Fgo%2Fpayment",
		html:   true,
	},
	{
		name: "iframe",
		// {"login":"acme-site.ru-11235813","hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
		target: "/partners/acme/iframe?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Tgp%2BHe5ZqvjtLIodqZpdqpnGLV45pjnmZnZ62klJtemZuVq5mXrZeT2pjZ25LPkZjIzdPVmdvW2NnWzdLGldbNk9KWmJXEz4%2Bv",
		html:   true,
	},
	{
		name: "doPayment",
		// {"paymentSum":"100.5","paymentSumBonus":"0","paymentHash":"5d41402abc4b2a76b9719d911017c592","userLogin":"acme-site.ru-11235813"}
		target: "/partners/acme/doPayment?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55TkmfPi3Obpv%2BbSVq%2BOY6FlZWmFmo%2Bizq2hl%2BPntO6fuaKiraSXrZdim2Oa6pLnnZzV4LrVq%2BKXsZqq0KWWaKWek9OYa5aVz6Roz21rY67Xmqpjp2Rrm2aupZdem6zr36O6n57Q2pSuWtvY5N2i39rZmaPep55maGaWo6VjoFax",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"paymentId":"114003"},"version":"1","notices":[]}`,
	},
	{
		name:  "top up",
		topUp: "100", want: "83c2dcd04a9d117c99ae5ef68de561a7",
	},
	{
		name: "confirmPayment",
		// {"amount":"100","transactionId":"83c2dcd04a9d117c99ae5ef68de561a7"}
		target: "/partners/acme/confirmPayment?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55TVpenq5eyXppOWZKWOXpOpqZXR4c6V4Z2joL7Xg7NUr2aXapXY16Vm2nDcq2Klk3CgzdepneCrr9zaoaeWlayOrw%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"transactionId":"83c2dcd04a9d117c99ae5ef68de561a7"},"version":"1","notices":[]}`,
	},
	{
		name:  "top up",
		topUp: "5000", want: "154543060ef3cd8467cd41fcd1a5e8d9",
	},
	{
		name: "declinePayment",
		// {"transactionId":"154543060ef3cd8467cd41fcd1a5e8d9","errorCode":402,"errorMessage":"\u041d\u0435\u0434\u043e\u0441\u0442\u0430\u0442\u043e\u0447\u043d\u043e \u0441\u0440\u0435\u0434\u0441\u0442\u0432","errorLink":"https:\/\/partner.example\/topup"}
		target: "/partners/acme/declinePayment?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Toqtvj6tnY4NrUor7QVKtXaGmXo6FlnWpkl9umxN1qq2lrm5WppNuV3WjZr5amlHCJmJTZquzk6bvk0NaHbqmcZJ1XnKbV3d9%2F0qenk9zYg7NU06hkbGLZz%2BpirWqt1qaeZGqbyOekbK3a0%2B2loKWWkOqcZqVnk6mToqBiyalkZqmlve5iq2aZlKalp6lp1ayormTSjKyXoKXZWNbqp6ypnc3aZKmgYs2qZ2iWo8mnnWhnZtHoka1mqI%2BpaGWppdGnqWurrFOaUpzZ3uHmhOPj4pqvjtnZqOXfbM1kk2PTz9%2Bm25mmYNrrwuai45iQZ6Xk4%2Bqim7Q%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"transactionId":"154543060ef3cd8467cd41fcd1a5e8d9"},"version":"1","notices":[]}`,
	},
	{
		name: "doPayment, a refund",
		// {"paymentSum":"-50.25","paymentSumBonus":"0","paymentHash":"7d793037a0760186574b0282f2f435e7","userLogin":"acme-site.ru-11235813"}
		target: "/partners/acme/doPayment?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55TkmfPi3Obpv%2BbSVq%2BOX6ZlZWaYkJlU3ZWtn9rh1cyn5HWjpqbola9UqVmknKHPqaTM2ua8me3dmbKXo9WcbaicZaiWZ2uZnp5qo2lrZtejk7Fk3WWabGSq2KxUpVnt7ZbgfKbO1eCWcpzW2uXameTOqNqapOZiaGWVoaJqnmdWrw%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"paymentId":"114010"},"version":"1","notices":[]}`,
	},
	{
		name: "getFinSummaryByDate",
		// {"date":"2026-01-31"}
		target: "/partners/acme/getFinSummaryByDate?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55TYme7ambKXnqGXaqKcY55oaFbg",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"date":"2026-01-31","balance":150.25,"income":200.5,"outcome":-50.25},"version":"1","notices":[]}`,
	},
	{
		name: "getFinSummaryByDate of a day before",
		// {"date":"2026-01-30"}
		target: "/partners/acme/getFinSummaryByDate?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55TYme7ambKXnqGXaqKcY55oZ1bg",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"date":"2026-01-30","balance":0,"income":0,"outcome":0},"version":"1","notices":[]}`,
	},
	{
		name: "getFinSummaryByDate of a day after",
		// {"date":"2026-02-01"}
		target: "/partners/acme/getFinSummaryByDate?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55TYme7ambKXnqGXaqKcZJ5laFbg",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"date":"2026-02-01","balance":150.25,"income":0,"outcome":0},"version":"1","notices":[]}`,
	},
	{
		name: "getUserData",
		// {"partner":"0123456789abcdef0123456789abcdef"}
		target: "/partners/acme/getUserData?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa8I3fmaKs0trrkrFYmKmhpmqmaq2hodbNyt2Z3aCmrKqrl62lnavW1Zmbm9GU5A%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","balance":150.25,"dailyBudget":100,"dailyExpense":0,"url":"acme-site.ru","keywords":[],"status":"run","progress":"CAMPAIGN_PAID","markers":[],"unreadCount":3,"balanceInfo":{"days":1,"months":0,"untilTime":1769947200000}},"version":"1","notices":[]}`,
	},
	{
		name: "getUserData with the user key",
		// {"partner":"0123456789abcdef0123456789abcdef"}
		target: "/partners/acme/getUserData?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Tkmezp5d3njquHZKaeZaVqbWubp86U0JiZmKWkk6xmrGlrcGrW1diW3p2a9w%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","balance":150.25,"dailyBudget":100,"dailyExpense":0,"url":"acme-site.ru","keywords":[],"status":"run","progress":"CAMPAIGN_PAID","markers":[],"unreadCount":3,"balanceInfo":{"days":1,"months":0,"untilTime":1769947200000}},"version":"1","notices":[]}`,
	},
	{
		name: "getUsersData",
		// {"partner":"0123456789abcdef0123456789abcdef","createdOn":"2026-01-31 12:00:00"}
		target: "/partners/acme/getUsersData?k=zaa0123456789abcdef0123456789abcdef8I3fmaKs0trrkrFYmKmhpmqmaq2hodbNyt2Z3aCmrKqrl62lnavW1Zmbm9GUk5nG4c6Y6dDTh55anperoKlslaigoGmiVKeboqWboalkme0%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":[{"hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","balance":150.25,"dailyBudget":100,"dailyExpense":0,"url":"acme-site.ru","keywords":[],"status":"run","progress":"CAMPAIGN_PAID","markers":[],"unreadCount":3,"balanceInfo":{"days":1,"months":0,"untilTime":1769947200000}}],"version":"1","notices":[]}`,
	},
	{
		name: "getUsersData of the invited",
		// {"partner":"0123456789abcdef0123456789abcdef","createdOn":"2026-01-31 12:00:00"}
		target: "/partners/acme/getUsersData?k=zaa0123456789abcdef0123456789abcdef8I3fmaKs0trrkrFYmKmhpmqmaq2hodbNyt2Z3aCmrKqrl62lnavW1Zmbm9GUk5nG4c6Y6dDTh55anperoKlslaigoGmiVKeboqWboalkme0%3D&type=userInvite",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":[],"version":"1","notices":[]}`,
	},
	{
		name: "getMessages",
		// {"partner":"0123456789abcdef0123456789abcdef","markRead":false}
		target: "/partners/acme/getMessages?k=zaa0123456789abcdef0123456789abcdef8I3fmaKs0trrkrFYmKmhpmqmaq2hodbNyt2Z3aCmrKqrl62lnavW1Zmbm9GUk5nQ0Nuix9DQnFJyytbl49yz",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"messages":[{"id":"1","userLogin":"acme-site.ru-11235813","type":"welcome","title":"Добро пожаловать","text":"Аккаунт создан. Чтобы запустить продвижение, <a href=\"{{go/payment}}\">пополните баланс</a>.","params":{},"templateId":"1","textTemplate":"Аккаунт создан. Чтобы запустить продвижение, <a href=\"{{go/payment}}\">пополните баланс</a>.","titleTemplate":"Добро пожаловать"},{"id":"2","userLogin":"acme-site.ru-11235813","type":"payment_confirmed","title":"Баланс пополнен","text":"Зачислено 100 руб.","params":{"amount":"100"},"templateId":"2","textTemplate":"Зачислено {{amount}} руб.","titleTemplate":"Баланс пополнен"},{"id":"3","userLogin":"acme-site.ru-11235813","type":"payment_declined","title":"Пополнение отклонено","text":"Платёж на 5000 руб. отклонён. Попробуйте <a href=\"{{go/payment}}\">пополнить ещё раз</a> или <a href=\"{{go/support}}\">напишите нам</a>.","params":{"amount":"5000"},"templateId":"3","textTemplate":"Платёж на {{amount}} руб. отклонён. Попробуйте <a href=\"{{go/payment}}\">пополнить ещё раз</a> или <a href=\"{{go/support}}\">напишите нам</a>.","titleTemplate":"Пополнение отклонено"}]},"version":"1","notices":[]}`,
	},
	{
		name: "readMessages",
		// {"partner":"0123456789abcdef0123456789abcdef"}
		target: "/partners/acme/readMessages?k=zaa0123456789abcdef0123456789abcdef8I3fmaKs0trrkrFYmKmhpmqmaq2hodbNyt2Z3aCmrKqrl62lnavW1Zmbm9GU5A%3D%3D",
		body:   "ids=1%2C3%2C99",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"success":2},"version":"1","notices":[]}`,
	},
	{
		name: "getUserMessages",
		// {"partner":"0123456789abcdef0123456789abcdef","markRead":true}
		target: "/partners/acme/getUserMessages?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Tkmezp5d3njquHZKaeZaVqbWubp86U0JiZmKWkk6xmrGlrcGrW1diW3p2aplPbkanSvtfVnJyv6%2Brq0e4%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"messages":[{"id":"2","userLogin":"acme-site.ru-11235813","type":"payment_confirmed","title":"Баланс пополнен","text":"Зачислено 100 руб.","params":{"amount":"100"},"templateId":"2","textTemplate":"Зачислено {{amount}} руб.","titleTemplate":"Баланс пополнен"}]},"version":"1","notices":[]}`,
	},
	{
		name: "getUserMessages, all read",
		// {"partner":"0123456789abcdef0123456789abcdef","markRead":false}
		target: "/partners/acme/getUserMessages?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Tkmezp5d3njquHZKaeZaVqbWubp86U0JiZmKWkk6xmrGlrcGrW1diW3p2aplPbkanSvtfVnJyv3dnh39bi",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"messages":[]},"version":"1","notices":[]}`,
	},
	{
		name: "getMessageTemplates",
		// {"partner":"0123456789abcdef0123456789abcdef"}
		target: "/partners/acme/getMessageTemplates?k=zaa0123456789abcdef0123456789abcdef8I3fmaKs0trrkrFYmKmhpmqmaq2hodbNyt2Z3aCmrKqrl62lnavW1Zmbm9GU5A%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"messages":[{"templateId":"1","textTemplate":"Аккаунт создан. Чтобы запустить продвижение, <a href=\"{{go/payment}}\">пополните баланс</a>.","titleTemplate":"Добро пожаловать"},{"templateId":"2","textTemplate":"Зачислено {{amount}} руб.","titleTemplate":"Баланс пополнен"},{"templateId":"3","textTemplate":"Платёж на {{amount}} руб. отклонён. Попробуйте <a href=\"{{go/payment}}\">пополнить ещё раз</a> или <a href=\"{{go/support}}\">напишите нам</a>.","titleTemplate":"Пополнение отклонено"}]},"version":"1","notices":[]}`,
	},
	{
		name: "changeUrl",
		// {"url":"https:\/\/acme-site.ru\/"}
		target: "/partners/acme/changeUrl?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55TpquaXsZrd4OXVp6%2FIYc1kmJfQ05ql1qiZYOfovahU9A%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"newUrl":"https://acme-site.ru/","oldUrl":"acme-site.ru"},"version":"1","notices":[]}`,
	},
	{
		name: "attachYandexMetrikaCounter",
		// {"counterId":"44147844","accessToken":"AQAAAAAexampletoken"}
		target: "/partners/acme/attachYandexMetrikaCounter?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55TXp%2B%2Fj693ntdWHbpegZqJpbmyXoo9ej5WXldrm1M2h4piiWmuXtMZzuni5u5bmkaTX2Nfop%2BXa5Zry",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"id":1},"version":"1","notices":[]}`,
	},
	{
		name: "archiveUser",
		// {"partner":"0123456789abcdef0123456789abcdef"}
		target: "/partners/acme/archiveUser?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Tkmezp5d3njquHZKaeZaVqbWubp86U0JiZmKWkk6xmrGlrcGrW1diW3p2a9w%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"userHash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","lastBillingDate":"2026-01-31"},"version":"1","notices":[]}`,
	},
	{
		name: "archiveUser again",
		// {"partner":"0123456789abcdef0123456789abcdef"}
		target: "/partners/acme/archiveUser?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Tkmezp5d3njquHZKaeZaVqbWubp86U0JiZmKWkk6xmrGlrcGrW1diW3p2a9w%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"userHash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","lastBillingDate":"2026-01-31"},"version":"1","notices":[]}`,
	},
	{
		name: "unarchiveUser",
		// {"partner":"0123456789abcdef0123456789abcdef"}
		target: "/partners/acme/unarchiveUser?k=zaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa55Tkmezp5d3njquHZKaeZaVqbWubp86U0JiZmKWkk6xmrGlrcGrW1diW3p2a9w%3D%3D",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"userHash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"version":"1","notices":[]}`,
	},
	{
		name:   "getCryptKeyWithUserReg",
		target: "/iframe/getCryptKeyWithUserReg?login=old-site.ru-1&email=old%40old-site.ru&phone=%2B79551234567&hash=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb&partner=0123456789abcdef0123456789abcdef&suggestedDomain=old-site.ru&url=http%3A%2F%2Fold-site.ru%2F",
		want:   `{"status":{"code":0,"message":"ok"},"error":false,"data":{"cryptKey":"c9w6bla6dhmpci26d1ose691i6oroxwsog02v7lbmvb5a5kv5r7"},"version":"1","notices":[]}`,
	},
}

// Every method answers the same to GET and to POST.
func TestRecordedConversation(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{http.MethodGet, http.MethodPost} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			for _, step := range recorded {
				if step.topUp != "" {
					payment, err := s.p.TopUp(alice, step.topUp, integra.ViaPartner)
					if err != nil || payment.ID != step.want || payment.State != integra.Unconfirmed {
						t.Fatalf("%s: %+v, %v; want unconfirmed payment %s", step.name, payment, err, step.want)
					}
					continue
				}
				got := s.send(verb, step.target, step.body)
				if step.html {
					checkPage(t, step.name, got, http.StatusOK)
					continue
				}
				if diff := cmp.Diff(step.want, got.body); diff != "" {
					t.Errorf("%s (-want +got):\n%s", step.name, diff)
				}
				if got.status != http.StatusOK || got.contentType != "application/json; charset=utf-8" {
					t.Errorf("%s: status %d, content type %q", step.name, got.status, got.contentType)
				}
			}
			for _, e := range s.journal.List(journal.Filter{Direction: journal.In}) {
				if !e.Verdict.OK || e.Partner != acme.Hash || e.Status != http.StatusOK {
					t.Errorf("journal: %s with status %d: %+v", e.Method, e.Status, e.Verdict)
				}
			}
		})
	}
}

func checkPage(t *testing.T, name string, got answer, status int) {
	t.Helper()
	if got.status != status || got.contentType != "text/html; charset=utf-8" || !strings.Contains(strings.ToLower(got.body), "<!doctype html>") {
		t.Errorf("%s: status %d, %q, %.200s; want page with status %d", name, got.status, got.contentType, got.body, status)
	}
}
