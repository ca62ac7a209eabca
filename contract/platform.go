package contract

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// The checks of a platform: Integra, Any.Money, Robokassa.
func platformChecks() []Check {
	checks := slices.Concat(integraChecks(), anymoneyChecks(), robokassaChecks(), madeUpChecks())
	for i := range checks {
		if checks[i].Severity == "" {
			checks[i].Severity = Must
		}
	}
	return checks
}

var areas = slices.Concat(adapterAreas, integraAreas, anymoneyAreas, robokassaAreas, madeUpAreas)

// platform is the name of the party that a check is about.
func (t *T) platform() string {
	switch {
	case t.check.needs(NeedAnyMoney):
		return PartyMoney
	case t.check.needs(NeedRobo):
		return PartyRobo
	}
	return PartyIntegra
}

// send makes a request to the platform.
func (t *T) send(method, verb, address, body string, header http.Header) answer {
	req, err := newRequest(t, verb, address, body)
	t.set(err)
	for name, values := range header {
		req.Header[name] = values
	}
	return t.call(t.platform(), method, req, t.env.limits.Settle)
}

// A member is a user at the platform, made for one check.
type member struct {
	t                *T
	login, hash, key string
}

func (m *member) cred() integra.Credentials { return integra.Credentials{Hash: m.hash, Key: m.key} }

func (t *T) partnerCred() integra.Credentials {
	return integra.Credentials{Hash: t.env.partner.Hash, Key: t.env.partner.Key}
}

// member makes a user.
func (t *T) member() *member {
	m := &member{t: t, login: t.env.login(t), hash: t.fresh()}
	r := t.ask(integra.CreateUser, t.partnerCred(), integra.CreateUserArgs{Username: m.login, Hash: m.hash})
	t.yes(r)
	m.key = r.text("cryptKey")
	if m.key == "" {
		t.failAt(r.index, say("a cryptKey"), verbatim(string(r.body)))
	}
	t.secret(m.key)
	return m
}

// reply is an answer of Integra, taken apart.
type reply struct {
	answer
	t       *T
	refused bool
	code    int
	message string
	data    any // as encoding/json has it, with json.Number
	hasData bool
}

// ask makes a call as the official client does: POST, an empty body, JSON as its type.
func (t *T) ask(m integra.Method, cred integra.Credentials, args any) reply {
	address, err := t.env.sealed(m, cred, args, nil)
	t.set(err)
	return t.envelope(t.send(string(m), http.MethodPost, address, "", http.Header{"Content-Type": {"application/json"}}))
}

// askRaw makes a call with a k of the check's own making.
func (t *T) askRaw(m integra.Method, k string) reply {
	return t.envelope(t.send(string(m), http.MethodGet, t.env.methodURL(m)+"?k="+url.QueryEscape(k), "", nil))
}

// methodURL is a method's address without parameters.
func (e *env) methodURL(m integra.Method) string {
	return e.platform + "/" + e.partner.Path + "/" + string(m)
}

// envelope reads an answer, which must be one of the API's.
func (t *T) envelope(a answer) reply {
	r, ok := t.reply(a)
	if !ok {
		t.failAt(a.index, verbatim(wantEnvelope), a.said())
	}
	return r
}

const wantEnvelope = `200 with {"status":{"code":…,"message":…},"error":…,"data":…}`

// reply takes an answer apart and tells whether it is one of the API's.
func (t *T) reply(a answer) (r reply, ok bool) {
	r = reply{answer: a, t: t}
	object, ok := readJSON(a.body).(map[string]any)
	status, _ := object["status"].(map[string]any)
	code, isNumber := status["code"].(json.Number)
	n, err := code.Int64()
	refused, isBool := object["error"].(bool)
	message, isText := status["message"].(string)
	r.refused, r.code, r.message = refused, int(n), message
	r.data, r.hasData = object["data"]
	return r, a.err == nil && a.status == http.StatusOK && ok && isNumber && err == nil && isBool && isText && refused != (n == 0)
}

// yes fails unless the platform said yes, and no unless it said no, with one of the codes if
// any are given.
func (t *T) yes(r reply) {
	if r.refused {
		t.failAt(r.index, say("an answer without error"), say("code %d: %s", r.code, r.message))
	}
}

func (t *T) no(r reply, codes ...integra.Code) {
	if !r.refused {
		t.failAt(r.index, say("a refusal"), say("an answer without error: %s", oneLine(string(r.body), 200)))
	}
	if len(codes) > 0 && !slices.Contains(codes, integra.Code(r.code)) {
		t.failAt(r.index, say("a refusal with code %v", codes), say("code %d: %s", r.code, r.message))
	}
}

// text is a text or number of the data, "" if there is none of the name.
func (r reply) text(name string) string {
	object, _ := r.data.(map[string]any)
	switch value := object[name].(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	}
	return ""
}

// has fails unless the data has every one of the names.
func (r reply) has(names ...string) {
	object, ok := r.data.(map[string]any)
	for _, name := range names {
		if _, there := object[name]; !ok || !there {
			r.t.failAt(r.index, say("data with %q", name), verbatim(oneLine(string(r.body), 300)))
		}
	}
}

// balance is what the platform says the user has there.
func (m *member) balance() money.Amount {
	r := m.t.ask(integra.GetUserData, integra.Credentials{Hash: m.hash, Key: m.t.env.partner.Key}, integra.PartnerArgs{Partner: m.t.env.partner.Hash})
	m.t.yes(r)
	balance, err := money.ParseBalance(r.text("balance"), money.RUB)
	if err != nil {
		m.t.failAt(r.index, say("a balance in roubles"), verbatim(oneLine(string(r.body), 300)))
	}
	return balance
}

// holds fails unless the user has the balance at the platform.
func (m *member) holds(want string) {
	if got := m.balance(); got != rub(want) {
		m.t.fail(say("a balance of %s at Integra", rub(want).Text()), verbatim(got.Text()))
	}
}

// pays makes a direct payment.
func (m *member) pays(sum, hash string) reply {
	return m.t.ask(integra.DoPayment, m.cred(), integra.DoPaymentArgs{PaymentSum: integra.Text(sum), PaymentHash: hash, UserLogin: m.login})
}

// opens loads the user's page with a notification URL, from which the platform knows it.
func (m *member) opens(template string) {
	address, err := m.t.env.sealed(integra.CryptLogin, m.cred(), integra.LoginArgs{Login: m.login, Hash: m.hash, PaymentNotifyURL: template}, nil)
	m.t.set(err)
	if a := m.t.send("cryptLogin", http.MethodGet, address, "", nil); a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		m.t.failAt(a.index, say("200 with the user's page"), a.said())
	}
}

// announced presses "top up" and returns the id of the payment.
func (m *member) announced(amount string) string {
	p, err := m.t.env.control.topUp(m.t.ctx, m.hash, amount, "partner")
	m.t.set(err)
	return p.ID
}

func (m *member) confirms(id, amount string) reply {
	return m.t.ask(integra.ConfirmPayment, m.cred(), integra.ConfirmPaymentArgs{Amount: integra.Text(amount), TransactionID: id})
}

func (m *member) declines(id string) reply {
	return m.t.ask(integra.DeclinePayment, m.cred(), integra.DeclinePaymentArgs{TransactionID: id, ErrorCode: 1, ErrorMessage: "not enough funds"})
}
