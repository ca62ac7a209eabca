package integra_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

// world is everything that a refused request must leave as it is.
func (s *stand) world() []integra.User {
	var all []integra.User
	for _, u := range s.p.Users() {
		u, _ = s.p.User(u.Hash, 1000)
		all = append(all, u)
	}
	return all
}

func unchanged(t *testing.T, s *stand, before []integra.User) {
	t.Helper()
	equal := cmp.Comparer(func(a, b money.Amount) bool { return a == b })
	if diff := cmp.Diff(before, s.world(), equal, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
}

// The payments of a crowded stand; top-ups have the ids that follow from seed 1.
const (
	waiting   = "13abec197caf934806eb1c09f8d84736" // 100.00, of alice
	confirmed = "ebe2158a50f5809767f9a845ff68f73c" // 200.00, of alice
	declined  = "06807bd7dcf8f098c4c5d3565115621c" // 300.00, of alice
	foreign   = "b123525eeaa8adf4f10db1c069120617" // 400.00, of bob
	archived  = "a8b55e3ff25be460b61eb68849a1633a" // 500.00, of carol
	paid      = "5d41402abc4b2a76b9719d911017c592" // 50.00, direct, of alice
)

// crowded is a stand where a request can go wrong in many ways: alice has 250.00 and a
// payment in every state, bob is somebody else, carol is archived.
func crowded(t *testing.T) *stand {
	t.Helper()
	s := newStand(t)
	for _, hash := range []string{alice, bob, carol} {
		s.register(hash)
		s.logIn(hash, nowhere)
	}
	for _, topUp := range []struct{ user, amount, id string }{
		{alice, "100", waiting}, {alice, "200", confirmed}, {alice, "300", declined}, {bob, "400", foreign}, {carol, "500", archived},
	} {
		if got := s.topUp(topUp.user, topUp.amount).ID; got != topUp.id {
			t.Fatalf("id %s, want %s", got, topUp.id)
		}
	}
	for _, call := range [][3]string{
		{"confirmPayment", alice, `{"amount":"200","transactionId":"` + confirmed + `"}`},
		{"declinePayment", alice, `{"transactionId":"` + declined + `"}`},
		{"doPayment", alice, `{"paymentSum":"50","paymentHash":"` + paid + `","userLogin":"` + alice + `"}`},
		{"archiveUser", carol, `{}`},
	} {
		if got := s.call(call[0], call[1], call[2]); !strings.HasPrefix(got.body, `{"status":{"code":0,`) {
			t.Fatalf("%s: %s", call[0], got.body)
		}
	}
	s.advance(0) // the first notifications have found nobody
	return s
}

// k writes an envelope as it stands in an address.
func k(hash, args string) string {
	return url.QueryEscape("zaa" + hash + base64.StdEncoding.EncodeToString([]byte(args)))
}

// Whatever the protocol leaves possible: a clear answer, in the journal, and nothing changed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const dir = "/partners/plain/"
	confirm := func(id, amount string) string { return `{"amount":` + amount + `,"transactionId":"` + id + `"}` }
	pay := func(sum, hash, login string) string {
		return `{"paymentSum":` + sum + `,"paymentHash":"` + hash + `","userLogin":"` + login + `"}`
	}
	create := func(fields string) string {
		return `{"username":"new","hash":"` + strings.Repeat("d", 32) + `"` + fields + `}`
	}
	const fresh = "7d793037a0760186574b0282f2f435e7"
	tests := []struct {
		name    string
		verb    string // GET if ""
		target  string
		body    string
		status  int // 200 if 0
		code    wire.Code
		check   integra.Check
		message string // part of it
	}{
		// The address.
		{name: "no path", target: "/hello", status: 404, code: 1, check: "path"},
		{name: "root", target: "/", status: 404, code: 1, check: "path"},
		{name: "path of nobody", target: "/partners/nobody/hello?k=" + k(plain.Hash, `{}`), status: 404, code: 1, check: "path", message: `"partners/nobody"`},
		{name: "path with empty segments", target: "//partners//plain//hello", status: 404, code: 1, check: "path"},
		{name: "unknown method", target: dir + "transferAll?k=" + k(plain.Hash, `{}`), status: 404, code: 1, check: "method", message: `"transferAll"`},
		{name: "method in other case", target: dir + "Hello?k=" + k(plain.Hash, `{}`), status: 404, code: 1, check: "method"},
		{name: "other verb", verb: http.MethodDelete, target: dir + "hello?k=" + k(plain.Hash, `{}`), status: 405, code: 1, check: "verb", message: "DELETE"},
		{name: "long address", target: dir + "hello?k=" + strings.Repeat("a", integra.MaxURL), status: 414, code: 1, check: "url"},
		{name: "1 MB address", target: dir + "hello?k=" + strings.Repeat("a", 1<<20), status: 414, code: 1, check: "url"},
		{name: "1 MB body", verb: http.MethodPost, target: dir + "hello?k=" + k(plain.Hash, `{}`), body: strings.Repeat("a", 1<<20), status: 413, code: 1, check: "body"},
		{name: "broken escape", target: dir + "hello?k=zaa%zz", code: 1, check: "url", message: "%zz"},

		// k and its parts.
		{name: "no k", target: dir + "hello", code: 1, check: "k", message: "missing"},
		{name: "empty k", target: dir + "hello?k=", code: 1, check: "k", message: "missing"},
		{name: "k twice", target: dir + "hello?k=" + k(plain.Hash, `{}`) + "&k=" + k(plain.Hash, `{}`), code: 1, check: "k", message: "more than once"},
		{name: "wrong prefix", target: dir + "hello?k=zab" + plain.Hash + "e30=", code: 1, check: "k", message: "prefix"},
		{name: "prefix in capitals", target: dir + "hello?k=ZAA" + plain.Hash + "e30=", code: 1, check: "k", message: "prefix"},
		{name: "short hash", target: dir + "hello?k=zaa" + plain.Hash[:31], code: 4, check: "k", message: "32 characters"},
		{name: "hash with other characters", target: dir + "hello?k=zaa" + strings.Repeat("%D1%8F", 16) + "e30=", code: 1, check: "k", message: "letters and digits"},
		{name: "no data", target: dir + "hello?k=zaa" + plain.Hash, code: 1, check: "k", message: "data is missing"},
		{name: "not base64", target: dir + "hello?k=zaa" + plain.Hash + "{}", code: 1, check: "k", message: "base64"},
		{name: "plus not escaped", target: dir + "hello?k=zaa" + plain.Hash + "eyJuYW1lIjoi+//+In0=", code: 1, check: "k", message: "%2B"},
		{name: "escaped twice", target: dir + "hello?k=zaa" + plain.Hash + "e30%253D", code: 1, check: "k", message: "twice"},
		{name: "url-safe base64", target: dir + "hello?k=zaa" + plain.Hash + "eyJuYW1lIjoi-_-_In0=", code: 1, check: "k", message: "url-safe"},
		{name: "cut off", target: dir + "hello?k=zaa" + plain.Hash + "e30x9", code: 1, check: "k"},

		// Whose k it is.
		{name: "unknown partner", target: dir + "hello?k=" + k(strings.Repeat("e", 32), `{}`), code: 2, check: "partner"},
		{name: "partner of another path", target: dir + "hello?k=" + k(acme.Hash, `{}`), code: 2, check: "partner"},
		{name: "unknown user", target: target("doPayment", strings.Repeat("e", 32), pay(`"1"`, fresh, alice)), code: 5, check: "user"},
		{name: "partner's hash for a user's method", target: target("doPayment", plain.Hash, pay(`"1"`, fresh, alice)), code: 5, check: "user"},
		{name: "user of another path", target: "/partners/acme/getUserData?k=" + k(alice, `{}`), code: 5, check: "user"},

		// Keys. Under the partner that encrypts, plain JSON is what a wrong key looks like.
		{name: "wrong partner key", target: "/partners/acme/hello?k=" + k(acme.Hash, `{"name":"x"}`), code: 2, check: "key", message: "wrong partner key"},
		{name: "no JSON", target: target("hello", plain.Hash, `name=x`), code: 2, check: "key", message: "no arguments in JSON"},
		{name: "no JSON of a user", target: target("changeUrl", alice, "\xff\xfe"), code: 1, check: "key", message: "wrong user key"},
		{name: "other shape: a list", target: target("hello", plain.Hash, `[1]`), code: 1, check: "args", message: "no object"},
		{name: "other shape: a text", target: target("hello", plain.Hash, `"x"`), code: 1, check: "args"},
		{name: "other shape: null", target: target("hello", plain.Hash, `null`), code: 1, check: "args"},
		{name: "two objects", target: target("hello", plain.Hash, `{}{}`), code: 1, check: "args", message: "goes on"},
		{name: "duplicate keys", target: target("confirmPayment", alice, `{"amount":"100","transactionId":"`+waiting+`","amount":"1"}`), code: 1, check: "args", message: `"amount" twice`},
		{name: "duplicate keys, escaped", target: target("confirmPayment", alice, `{"amount":"100","transactionId":"`+waiting+`","\u0061mount":"1"}`), code: 1, check: "args", message: `"amount" twice`},
		{name: "nested deep", target: target("hello", plain.Hash, `{"name":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`), code: 1, check: "args", message: "nested"},
		{name: "argument of another type", target: target("hello", plain.Hash, `{"name":{}}`), code: 1, check: "args.name", message: "must be a string"},

		// createUser.
		{name: "createUser without login", target: target("createUser", plain.Hash, `{"hash":"`+fresh+`"}`), code: 1, check: "args.username"},
		{name: "createUser with blank login", target: target("createUser", plain.Hash, `{"username":"  ","hash":"`+fresh+`"}`), code: 1, check: "args.username"},
		{name: "createUser without hash", target: target("createUser", plain.Hash, `{"username":"new"}`), code: 1, check: "args.hash"},
		{name: "createUser with short hash", target: target("createUser", plain.Hash, `{"username":"new","hash":"d"}`), code: 4, check: "args.hash", message: "32 characters"},
		{name: "createUser with long hash", target: target("createUser", plain.Hash, `{"username":"new","hash":"`+fresh+`0"}`), code: 4, check: "args.hash"},
		{name: "createUser with odd hash", target: target("createUser", plain.Hash, `{"username":"new","hash":"`+strings.Repeat("-", 32)+`"}`), code: 1, check: "args.hash"},
		{name: "createUser with taken hash", target: target("createUser", plain.Hash, `{"username":"new","hash":"`+alice+`"}`), code: 3, check: "login", message: "hash"},
		{name: "createUser with taken login", target: target("createUser", plain.Hash, `{"username":"`+alice+`","hash":"`+fresh+`"}`), code: 3, check: "login", message: "username"},
		{name: "createUser with bad email", target: target("createUser", plain.Hash, create(`,"email":"nobody"`)), code: 1, check: "args.email"},
		{name: "createUser with national phone", target: target("createUser", plain.Hash, create(`,"phone":"89551234567"`)), code: 1, check: "args.phone"},
		{name: "createUser with scheme", target: target("createUser", plain.Hash, create(`,"suggestedDomain":"http://a.ru"`)), code: 1, check: "args.suggestedDomain"},
		{name: "createUser with long login", target: target("createUser", plain.Hash, `{"username":"`+strings.Repeat("x", 256)+`","hash":"`+fresh+`"}`), code: 1, check: "args.username"},
		{name: "legacy without login", target: dir + "getCryptKeyWithUserReg?hash=" + fresh + "&partner=" + plain.Hash, code: 1, check: "args.login"},
		{name: "legacy with unknown partner", target: dir + "getCryptKeyWithUserReg?login=x&hash=" + fresh + "&partner=" + fresh, code: 2, check: "partner"},
		{name: "legacy with taken login", target: dir + "getCryptKeyWithUserReg?login=" + alice + "&hash=" + fresh + "&partner=" + plain.Hash, code: 3, check: "login"},

		// confirmPayment.
		{name: "confirm unknown payment", target: target("confirmPayment", alice, confirm(fresh, `"100"`)), code: 7, check: "payment"},
		{name: "confirm foreign payment", target: target("confirmPayment", alice, confirm(foreign, `"400"`)), code: 7, check: "payment"},
		{name: "confirm direct payment", target: target("confirmPayment", alice, confirm(paid, `"50"`)), code: 7, check: "payment"},
		{name: "confirm id too short", target: target("confirmPayment", alice, confirm(fresh[:31], `"100"`)), code: 1, check: "args.transactionId"},
		{name: "confirm id too long", target: target("confirmPayment", alice, confirm(fresh+"0", `"100"`)), code: 1, check: "args.transactionId"},
		{name: "confirm id with other characters", target: target("confirmPayment", alice, confirm(strings.Repeat("-", 32), `"100"`)), code: 1, check: "args.transactionId"},
		{name: "confirm id in capitals", target: target("confirmPayment", alice, confirm(strings.ToUpper(waiting), `"100"`)), code: 7, check: "payment"},
		{name: "confirm without id", target: target("confirmPayment", alice, `{"amount":"100"}`), code: 1, check: "args.transactionId"},
		{name: "confirm without amount", target: target("confirmPayment", alice, `{"transactionId":"`+waiting+`"}`), code: 1, check: "args.amount"},
		{name: "confirm with other amount", target: target("confirmPayment", alice, confirm(waiting, `"100.01"`)), code: 9, check: "amount"},
		{name: "confirm with 10^30", target: target("confirmPayment", alice, confirm(waiting, `1000000000000000000000000000000`)), code: 1, check: "args.amount", message: "out of range"},
		{name: "confirm with negative amount", target: target("confirmPayment", alice, confirm(waiting, `"-100"`)), code: 1, check: "args.amount", message: "sign"},
		{name: "confirm with zero", target: target("confirmPayment", alice, confirm(waiting, `0`)), code: 1, check: "args.amount", message: "zero"},
		{name: "confirm with three decimals", target: target("confirmPayment", alice, confirm(waiting, `"100.000"`)), code: 1, check: "args.amount", message: "decimals"},
		{name: "confirm with comma", target: target("confirmPayment", alice, confirm(waiting, `"100,00"`)), code: 1, check: "args.amount", message: "comma"},
		{name: "confirm with exponent", target: target("confirmPayment", alice, confirm(waiting, `1e2`)), code: 1, check: "args.amount", message: "exponent"},
		{name: "confirm the confirmed with other amount", target: target("confirmPayment", alice, confirm(confirmed, `"201"`)), code: 9, check: "amount"},
		{name: "confirm the declined", target: target("confirmPayment", alice, confirm(declined, `"300"`)), code: 8, check: "state", message: "declined"},
		{name: "decline the confirmed", target: target("declinePayment", alice, `{"transactionId":"`+confirmed+`"}`), code: 8, check: "state", message: "confirmed"},
		{name: "decline unknown payment", target: target("declinePayment", alice, `{"transactionId":"`+fresh+`"}`), code: 7, check: "payment"},
		{name: "decline with errorCode as text", target: target("declinePayment", alice, `{"transactionId":"`+waiting+`","errorCode":"x"}`), code: 1, check: "args.errorCode"},

		// doPayment.
		{name: "pay zero", target: target("doPayment", alice, pay(`"0"`, fresh, alice)), code: 1, check: "args.paymentSum", message: "zero"},
		{name: "pay 10^30", target: target("doPayment", alice, pay(`"1000000000000000000000000000000"`, fresh, alice)), code: 1, check: "args.paymentSum"},
		{name: "pay over the limit", target: target("doPayment", alice, pay(`"1000000000000.01"`, fresh, alice)), code: 1, check: "args.paymentSum", message: "over 1000000000000.00"},
		{name: "pay with a plus", target: target("doPayment", alice, pay(`"+5"`, fresh, alice)), code: 1, check: "args.paymentSum"},
		{name: "pay with a short hash", target: target("doPayment", alice, pay(`"1"`, fresh[:31], alice)), code: 1, check: "args.paymentHash", message: "md5"},
		{name: "pay with a hash that is no md5", target: target("doPayment", alice, pay(`"1"`, strings.Repeat("z", 32), alice)), code: 1, check: "args.paymentHash", message: "md5"},
		{name: "pay with a used hash", target: target("doPayment", alice, pay(`"50"`, paid, alice)), code: 10, check: "hash"},
		{name: "pay with a used hash and another amount", target: target("doPayment", alice, pay(`"51"`, paid, alice)), code: 10, check: "hash"},
		{name: "pay with another user's hash", target: target("doPayment", bob, pay(`"50"`, paid, bob)), code: 10, check: "hash"},
		{name: "pay with another login", target: target("doPayment", alice, pay(`"1"`, fresh, bob)), code: 1, check: "args.userLogin"},
		{name: "pay with a negative bonus", target: target("doPayment", alice, `{"paymentSum":"1","paymentSumBonus":"-1","paymentHash":"`+fresh+`","userLogin":"`+alice+`"}`), code: 1, check: "args.paymentSumBonus"},
		{name: "refund beyond the balance", target: target("doPayment", alice, pay(`"-250.01"`, fresh, alice)), code: 11, check: "balance"},

		// An archived user.
		{name: "pay to the archived", target: target("doPayment", carol, pay(`"1"`, fresh, carol)), code: 6, check: "archive"},
		{name: "confirm for the archived", target: target("confirmPayment", carol, confirm(archived, `"500"`)), code: 6, check: "archive"},
		{name: "decline for the archived", target: target("declinePayment", carol, `{"transactionId":"`+archived+`"}`), code: 6, check: "archive"},
		{name: "change the archived's url", target: target("changeUrl", carol, `{"url":"https://a.ru/"}`), code: 6, check: "archive"},
		{name: "attach to the archived", target: target("attachYandexMetrikaCounter", carol, `{"counterId":1,"accessToken":"secret"}`), code: 6, check: "archive"},

		// The others.
		{name: "archive for another partner", target: target("archiveUser", alice, `{"partner":"`+acme.Hash+`"}`), code: 1, check: "args.partner"},
		{name: "summary without date", target: target("getFinSummaryByDate", alice, `{}`), code: 1, check: "args.date"},
		{name: "summary of no day", target: target("getFinSummaryByDate", alice, `{"date":"2026-02-30"}`), code: 1, check: "args.date"},
		{name: "summary of a Russian date", target: target("getFinSummaryByDate", alice, `{"date":"31.01.2026"}`), code: 1, check: "args.date"},
		{name: "users of unknown type", target: target("getUsersData", plain.Hash, `{}`) + "&type=all", code: 1, check: "args.type"},
		{name: "read no messages", target: target("readMessages", plain.Hash, `{}`), code: 1, check: "args.ids"},
		{name: "read message x", verb: http.MethodPost, target: target("readMessages", plain.Hash, `{}`), body: "ids=1,x", code: 1, check: "args.ids"},
		{name: "mark read with text", target: target("getMessages", plain.Hash, `{"markRead":"yes"}`), code: 1, check: "args.markRead"},
		{name: "url without scheme", target: target("changeUrl", alice, `{"url":"a.ru"}`), code: 1, check: "args.url"},
		{name: "url of another scheme", target: target("changeUrl", alice, `{"url":"javascript:alert(1)"}`), code: 1, check: "args.url"},
		{name: "counter without number", target: target("attachYandexMetrikaCounter", alice, `{"counterId":"x","accessToken":"t"}`), code: 1, check: "args.counterId"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := crowded(t)
			before := s.world()
			verb := tt.verb
			if verb == "" {
				verb = http.MethodGet
			}
			if tt.status == 0 {
				tt.status = http.StatusOK
			}
			got := s.send(verb, tt.target, tt.body)
			response, err := wire.ParseResponse([]byte(got.body))
			if err != nil {
				t.Fatalf("answer %.300s: %v", got.body, err)
			}
			if got.status != tt.status || response.Status.Code != tt.code || !strings.Contains(response.Status.Message, tt.message) {
				t.Errorf("answered %d %s; want %d with code %d and %q", got.status, got.body, tt.status, tt.code, tt.message)
			}
			verdict := s.last().Verdict
			if verdict.OK || verdict.Check != string(tt.check) || verdict.Code != int(tt.code) || verdict.Detail != response.Status.Message {
				t.Errorf("journal: %+v; want check %q, code %d and the answer's message", verdict, tt.check, tt.code)
			}
			unchanged(t, s, before)
		})
	}
}
