package integra_test

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/integra"
)

var (
	partner = integra.Credentials{
		Hash: "00112233445566778899aabbccddeeff",
		Key:  "7zq1m0c4x9v8b2n6k5j3h1g0f9d8s7a6p5o4i3u2y1t0r9e8w7q",
	}
	user = integra.Credentials{
		Hash: "0123456789abcdef0123456789abcdef",
		Key:  "ko808duypw6hxos6q4vihukgy4wpuzwwbwnerus676krgwcoi7u", // printed in the docs
	}
)

// Every method with the address that a request to it must have. The addresses were
// computed apart from this package, in Python:
//
//	plain = json.dumps(args, separators=(",", ":"), ensure_ascii=False).encode()
//	data = bytes((b + ord(key[i % len(key) - 1])) % 256 for i, b in enumerate(plain))
//	k = urllib.parse.quote("zaa" + hash + base64.b64encode(data).decode(), safe="")
var requests = []struct {
	method integra.Method
	args   any
	query  url.Values
	plain  string
	url    string
}{
	{
		method: integra.Hello,
		args:   &integra.HelloArgs{Name: "Dmitry"},
		plain:  `{"name":"Dmitry"}`,
		url:    "https://sandbox.promopult.org/partners/acme/hello?k=zaa00112233445566778899aabbccddeeff7Fno0p7SUp1WvKbfrNSrkLM%3D",
	},
	{
		method: integra.CreateUser,
		args: &integra.CreateUserArgs{
			Username: "acme-site.ru-11235813", Hash: user.Hash, Email: "user@site.ru",
			Phone: "+79551234567", SuggestedDomain: "site.ru", InviterUserID: "42",
		},
		plain: `{"username":"acme-site.ru-11235813","hash":"0123456789abcdef0123456789abcdef","email":"user@site.ru","phone":"+79551234567","suggestedDomain":"site.ru","inviterUserId":"42"}`,
		url:   "https://sandbox.promopult.org/partners/acme/createUser?k=zaa00112233445566778899aabbccddeeff7Fnv5JbfnsSh3VuwWsOV25uYqNOnzV%2FZpZNqlWqmbJlno1ebVtGU6Jqba5Zgo2uYbKxtqG%2Bz0pPQlMiaqGqoa5ZnpG2jbsuVy5XMlohlhp3gmMqikm%2BRqdyY53LsmuiVoKvaWqNZ4Z%2Fp35aPaoVfr3KrbZNkoWqga6FVlFPapc2gyavnnMV636LQnddVr1TsmuiVoKvaWqNZ2qXw2qXSorin3au%2FnIRskGqdV%2Bc%3D",
	},
	{
		method: integra.CryptLogin,
		args: &integra.LoginArgs{
			Login: "acme-site.ru-11235813", Hash: user.Hash,
			PaymentNotifyURL: "https://payment.acme.com/payment-notify?amount={amount}&transaction_id={id}",
		},
		query: url.Values{integra.ParamScreen: {string(integra.ScreenPayment)}},
		plain: `{"login":"acme-site.ru-11235813","hash":"0123456789abcdef0123456789abcdef","paymentNotifyUrl":"https://payment.acme.com/payment-notify?amount={amount}&transaction_id={id}"}`,
		url:   "https://sandbox.promopult.org/partners/acme/cryptLogin?k=zaa0123456789abcdef0123456789abcdef8I3bp5eh0pezktiZ1d2c5p%2FlmaTb3aKcmKtnrKimrZmjhN%2FP2NqXrVhnZ52lm6yZpqFw1s3SnJWelKaro6trnq%2BnrJfTl9rOzpeXiemV8N3a6OvF0evXy%2BvK5aJZcI3a2%2BvT4qNmpNvQsZ2d0umn0dqjzabS4qOgpNfi1drZ26ai5uTe4PC2w%2BTd2uDpsLGYo9rn1evgld2p1tnimZOszeTnz%2BCapfPY17OTsQ%3D%3D&r=go%2Fpayment",
	},
	{
		method: integra.Iframe,
		args:   &integra.LoginArgs{Login: "acme-site.ru-11235813", Hash: user.Hash},
		plain:  `{"login":"acme-site.ru-11235813","hash":"0123456789abcdef0123456789abcdef"}`,
		url:    "https://sandbox.promopult.org/partners/acme/iframe?k=zaa0123456789abcdef0123456789abcdef8I3bp5eh0pezktiZ1d2c5p%2FlmaTb3aKcmKtnrKimrZmjhN%2FP2NqXrVhnZ52lm6yZpqFw1s3SnJWelKaro6trnq%2BnrJfTl9rOzpfo",
	},
	{
		method: integra.ArchiveUser,
		args:   &integra.PartnerArgs{Partner: partner.Hash},
		plain:  `{"partner":"00112233445566778899aabbccddeeff"}`,
		url:    "https://sandbox.promopult.org/partners/acme/archiveUser?k=zaa0123456789abcdef0123456789abcdef8I3fmaKs0trrkrFYmKigpGijZ6mdnKqgna9rrqits7DYw9nQyNXZ15ucnNGU5A%3D%3D",
	},
	{
		method: integra.UnarchiveUser,
		args:   &integra.PartnerArgs{Partner: partner.Hash},
		plain:  `{"partner":"00112233445566778899aabbccddeeff"}`,
		url:    "https://sandbox.promopult.org/partners/acme/unarchiveUser?k=zaa0123456789abcdef0123456789abcdef8I3fmaKs0trrkrFYmKigpGijZ6mdnKqgna9rrqits7DYw9nQyNXZ15ucnNGU5A%3D%3D",
	},
	{
		method: integra.DoPayment,
		args: &integra.DoPaymentArgs{
			PaymentSum: "-50.25", PaymentSumBonus: "0",
			PaymentHash: "5d41402abc4b2a76b9719d911017c592", UserLogin: "acme-site.ru-11235813",
		},
		plain: `{"paymentSum":"-50.25","paymentSumBonus":"0","paymentHash":"5d41402abc4b2a76b9719d911017c592","userLogin":"acme-site.ru-11235813"}`,
		url:   "https://sandbox.promopult.org/partners/acme/doPayment?k=zaa0123456789abcdef0123456789abcdef8I3fmamlyePtw%2ByjirKRoGuhYqieiqGN19qt5NXj7srsz7nd0%2BfolXBZZo2eiefE6Nac49%2B3maOghq%2BbpdtqmayfpZfTl6rLmtaindttrqGu3rCok6efnNWqrGhZYo3n2tzVu9ie3tmRclKZx%2BLeneqf3N2d5aueZaebm6qjmKxW9A%3D%3D",
	},
	{
		method: integra.ConfirmPayment,
		args:   &integra.ConfirmPaymentArgs{Amount: "100", TransactionID: "202cb962ac59075b964b07152d234b70"},
		plain:  `{"amount":"100","transactionId":"202cb962ac59075b964b07152d234b70"}`,
		url:    "https://sandbox.promopult.org/partners/acme/confirmPayment?k=zaa0123456789abcdef0123456789abcdef8I3QpZ%2Bt0umbqplnmKiRn1jlptfX29bO2%2BKj5bnZnLGZlKegyNSuqWiYmaCrl66Y0aJtqc2fb2Ftltmro6uYn6iR8A%3D%3D",
	},
	{
		method: integra.DeclinePayment,
		args: &integra.DeclinePaymentArgs{
			TransactionID: "202cb962ac59075b964b07152d234b70", ErrorCode: 402,
			ErrorMessage: "Недостаточно средств <b>", ErrorLink: "https://partner.example/topup",
		},
		plain: `{"transactionId":"202cb962ac59075b964b07152d234b70","errorCode":402,"errorMessage":"Недостаточно средств <b>","errorLink":"https://partner.example/topup"}`,
		url:   "https://sandbox.promopult.org/partners/acme/declinePayment?k=zaa0123456789abcdef0123456789abcdef8I3jqpGm19bc5OCl1sHTlXCTZqaby9eknauV2qWuqq6sxLCkmdSlqmdsaM%2BkmqvFpplZoY3UqqKn1rjo1NxYoqyfpWKTmejb1%2Be4zOyn2NfanLGZMhQ%2BGkIpQ%2FQItzz0Nyc08Tn1RvI%2F9QD2hEb6QfcGHUgjRLdCtkYbiLHNpZtgmdXn7ObpruDc0JSvlZ6rqtvloaaS38qp6dnUql6d3Nbm4OObl%2Bze46vhVvM%3D",
	},
	{
		method: integra.GetFinSummaryByDate,
		args:   &integra.FinSummaryArgs{Date: "2026-11-23"},
		plain:  `{"date":"2026-11-23"}`,
		url:    "https://sandbox.promopult.org/partners/acme/getFinSummaryByDate?k=zaa0123456789abcdef0123456789abcdef8I3TmaSdhq%2BboqdonqWgpGOjZ5jm",
	},
	{
		method: integra.GetUserData,
		args:   &integra.PartnerArgs{Partner: partner.Hash},
		plain:  `{"partner":"00112233445566778899aabbccddeeff"}`,
		url:    "https://sandbox.promopult.org/partners/acme/getUserData?k=zaa0123456789abcdef0123456789abcdef7Fnq0qPhnsimmnOYaJJjn2idaJ1nnGacZpxwm3CrcJqX0ZfRl8yX2Zfel9pS7w%3D%3D",
	},
	{
		method: integra.GetUsersData,
		args:   &integra.UsersDataArgs{Partner: partner.Hash, CreatedOn: "2026-11-23 06:30:00"},
		query:  url.Values{integra.ParamType: {integra.TypeUserInvite}},
		plain:  `{"partner":"00112233445566778899aabbccddeeff","createdOn":"2026-11-23 06:30:00"}`,
		url:    "https://sandbox.promopult.org/partners/acme/getUsersData?k=zaa00112233445566778899aabbccddeeff7Fnq0qPhnsimmnOYaJJjn2idaJ1nnGacZpxwm3CrcJqX0ZfRl8yX2Zfel9pSnlvIqtyY5ZzewJ%2BPaoVmqGusZZNjm2ieVZppomSXapZphrU%3D&type=userInvite",
	},
	{
		method: integra.GetUserMessages,
		args:   &integra.MessagesArgs{Partner: partner.Hash, MarkRead: true},
		plain:  `{"partner":"00112233445566778899aabbccddeeff","markRead":true}`,
		url:    "https://sandbox.promopult.org/partners/acme/getUserMessages?k=zaa0123456789abcdef0123456789abcdef8I3fmaKs0trrkrFYmKigpGijZ6mdnKqgna9rrqits7DYw9nQyNXZ15ucnNGUk5nQ0Nuix9DQnFJy2Ofu1fQ%3D",
	},
	{
		method: integra.GetMessages,
		args:   &integra.MessagesArgs{Partner: partner.Hash},
		plain:  `{"partner":"00112233445566778899aabbccddeeff"}`,
		url:    "https://sandbox.promopult.org/partners/acme/getMessages?k=zaa00112233445566778899aabbccddeeff7Fnq0qPhnsimmnOYaJJjn2idaJ1nnGacZpxwm3CrcJqX0ZfRl8yX2Zfel9pS7w%3D%3D",
	},
	{
		method: integra.GetMessageTemplates,
		args:   &integra.PartnerArgs{Partner: partner.Hash},
		plain:  `{"partner":"00112233445566778899aabbccddeeff"}`,
		url:    "https://sandbox.promopult.org/partners/acme/getMessageTemplates?k=zaa00112233445566778899aabbccddeeff7Fnq0qPhnsimmnOYaJJjn2idaJ1nnGacZpxwm3CrcJqX0ZfRl8yX2Zfel9pS7w%3D%3D",
	},
	{
		method: integra.ReadMessages,
		args:   &integra.PartnerArgs{Partner: partner.Hash},
		plain:  `{"partner":"00112233445566778899aabbccddeeff"}`,
		url:    "https://sandbox.promopult.org/partners/acme/readMessages?k=zaa00112233445566778899aabbccddeeff7Fnq0qPhnsimmnOYaJJjn2idaJ1nnGacZpxwm3CrcJqX0ZfRl8yX2Zfel9pS7w%3D%3D",
	},
	{
		method: integra.ChangeURL,
		args:   &integra.ChangeURLArgs{URL: "http://my-new-domain.com"},
		plain:  `{"url":"http://my-new-domain.com"}`,
		url:    "https://sandbox.promopult.org/partners/acme/changeUrl?k=zaa0123456789abcdef0123456789abcdef8I3kqpxanpfh5Oumoqee4K%2Beotvgldna1Nqd5Z7Y6eSZ3w%3D%3D",
	},
	{
		method: integra.AttachCounter,
		args:   &integra.AttachCounterArgs{CounterID: "12345678", AccessToken: "AQAAAAAh_Q"},
		plain:  `{"counterId":"12345678","accessToken":"AQAAAAAh_Q"}`,
		url:    "https://sandbox.promopult.org/partners/acme/attachYandexMetrikaCounter?k=zaa0123456789abcdef0123456789abcdef8I3Sp6Wm2NrrudtYopqgpWmlaaygoJeXidqX2tXo7cvmzdzch6yXtId4d6yzqN%2FCwIu0",
	},
}

func credentials(m integra.Method) integra.Credentials {
	pick := map[integra.Owner]integra.Credentials{integra.OwnerPartner: partner, integra.OwnerUser: user}
	return integra.Credentials{Hash: pick[m.HashOwner()].Hash, Key: pick[m.KeyOwner()].Key}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range requests {
		t.Run(string(tt.method), func(t *testing.T) {
			t.Parallel()
			cred := credentials(tt.method)

			// Written: from arguments to the address.
			k, err := integra.Seal(integra.Simple, cred, tt.args)
			if err != nil {
				t.Fatal(err)
			}
			got, err := integra.RequestURL("https://sandbox.promopult.org", "partners/acme", tt.method, k, tt.query)
			if got != tt.url || err != nil {
				t.Errorf("RequestURL:\n got %s, %v\nwant %s", got, err, tt.url)
			}

			// Read: from the literal address to the arguments.
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			e, err := integra.ParseK(u.Query().Get(integra.ParamK))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := e.Open(integra.Simple, cred.Key)
			if string(plain) != tt.plain || err != nil {
				t.Fatalf("Open:\n got %s, %v\nwant %s", plain, err, tt.plain)
			}
			args := reflect.New(reflect.TypeOf(tt.args).Elem()).Interface()
			if err := integra.Decode(plain, args); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.args, args); diff != "" {
				t.Errorf("Decode (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	tested := make([]integra.Method, 0, len(requests))
	for _, tt := range requests {
		tested = append(tested, tt.method)
	}
	if diff := cmp.Diff(integra.Methods(), tested); diff != "" {
		t.Errorf("methods without a request in the table (-want +got):\n%s", diff)
	}
	for _, m := range integra.Methods() {
		if m.HashOwner() == 0 || m.KeyOwner() == 0 {
			t.Errorf("%s: hash of %d, key of %d", m, m.HashOwner(), m.KeyOwner())
		}
		if got, want := m.HTML(), m == "cryptLogin" || m == "iframe"; got != want {
			t.Errorf("%s answers with a page: %t; want %t", m, got, want)
		}
	}
	if o := integra.Method("drop").KeyOwner(); o != 0 {
		t.Errorf("owner of an unknown method's key = %d; want 0", o)
	}
	if slices.Contains(integra.Methods(), integra.LegacyCreateUser) {
		t.Error("the legacy alias is among the methods of API v1")
	}
}

func TestRequestURL(t *testing.T) {
	t.Parallel()
	good := []struct{ base, path, want string }{
		{"https://api.promopult.org", "iframe", "https://api.promopult.org/iframe/hello?k=zaa%2B%2F%3D"},
		{"https://api.promopult.org/", "/iframe/", "https://api.promopult.org/iframe/hello?k=zaa%2B%2F%3D"},
		{"http://127.0.0.1:8090/ns/a", "partners/acme", "http://127.0.0.1:8090/ns/a/partners/acme/hello?k=zaa%2B%2F%3D"},
		{"http://h", "a b/ю", "http://h/a%20b/%D1%8E/hello?k=zaa%2B%2F%3D"},
	}
	for _, tt := range good {
		if got, err := integra.RequestURL(tt.base, tt.path, integra.Hello, "zaa+/=", nil); got != tt.want || err != nil {
			t.Errorf("RequestURL(%q, %q) = %q, %v; want %q", tt.base, tt.path, got, err, tt.want)
		}
	}
	bad := []struct {
		name, base, path string
		query            url.Values
	}{
		{"no scheme", "api.promopult.org", "iframe", nil},
		{"other scheme", "ftp://api.promopult.org", "iframe", nil},
		{"no host", "https://", "iframe", nil},
		{"not a URL", "https://a b", "iframe", nil},
		{"query in base", "https://h?x=1", "iframe", nil},
		{"empty query in base", "https://h?", "iframe", nil},
		{"fragment in base", "https://h#x", "iframe", nil},
		{"password in base", "https://u:secret@h", "iframe", nil},
		{"no path", "https://h", "", nil},
		{"only slashes", "https://h", "//", nil},
		{"empty segment", "https://h", "partners//acme", nil},
		{"way up", "https://h", "partners/../acme", nil},
		{"k is ours", "https://h", "iframe", url.Values{"k": {"zaa"}}},
	}
	for _, tt := range bad {
		got, err := integra.RequestURL(tt.base, tt.path, integra.Hello, "zaa", tt.query)
		if err == nil {
			t.Errorf("%s: RequestURL = %q; want an error", tt.name, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", tt.name, err)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	t.Parallel()
	if got := integra.MessageIDs([]int64{1, 20, 300}); got != "1,20,300" {
		t.Errorf("MessageIDs = %q", got)
	}
	got, err := integra.ParseMessageIDs("1,20,300")
	if diff := cmp.Diff([]int64{1, 20, 300}, got); diff != "" || err != nil {
		t.Errorf("ParseMessageIDs: %v (-want +got):\n%s", err, diff)
	}
	for _, s := range []string{"", ",", "1,", "1, 2", "0", "-1", "+1", "01", "x", "9223372036854775808"} {
		if got, err := integra.ParseMessageIDs(s); err == nil {
			t.Errorf("ParseMessageIDs(%q) = %v; want an error", s, got)
		}
	}
}

func TestParseLegacyCreateUser(t *testing.T) {
	t.Parallel()
	query := "login=acme-1&email=user%40site.ru&phone=%2B79551234567&hash=" + user.Hash +
		"&partner=" + partner.Hash + "&suggestedDomain=site.ru&url=http%3A%2F%2Fsite.ru"
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	got, err := integra.ParseLegacyCreateUser(values)
	want := integra.LegacyCreateUserArgs{
		Login: "acme-1", Email: "user@site.ru", Phone: "+79551234567", Hash: user.Hash,
		Partner: partner.Hash, SuggestedDomain: "site.ru", URL: "http://site.ru",
	}
	if got != want || err != nil {
		t.Errorf("ParseLegacyCreateUser = %+v, %v; want %+v", got, err, want)
	}
	values.Del("hash")
	if _, err := integra.ParseLegacyCreateUser(values); err == nil || !strings.Contains(err.Error(), `"hash" is missing`) {
		t.Errorf("without a hash: %v; want an error that names it", err)
	}
}
