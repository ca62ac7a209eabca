package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/contract/robokassa"
)

var madeUpAreas = []Area{
	madeUpArea("PI-INPUT", "Integra: generated arguments", "Integra: сгенерированные аргументы", `doPayment {"paymentSum":"1e2",…} → {"status":{"code":1,"message":"…"},"error":true}`),
	madeUpArea("PA-INPUT", "Any.Money: generated parameters", "Any.Money: сгенерированные параметры", `payin.create {"amount":[],…} → {"error":{"code":-32004,"message":"EParamType",…}}`),
	madeUpArea("PR-INPUT", "Robokassa: generated fields", "Robokassa: сгенерированные поля", `POST /Merchant/Indexjson.aspx OutSum=1e2&… → {"errorCode":31,…}`),
}

func madeUpArea(id, en, ru, example string) Area {
	return Area{
		ID: id, Title: Text{en, ru},
		Why: Text{
			"A table of bad values is what somebody thought of. These are made up for every parameter of the protocol's description, around the boundaries of its type, and cut down to the smallest that is still wrong.",
			"В таблице плохих значений есть лишь то, о чём кто-то подумал. Здесь значения сочиняются для каждого параметра из описания протокола, вокруг границ его типа, и урезаются до наименьшего, которое ещё нарушает договор.",
		},
		Mend: Text{
			"Read every parameter as the type that the description gives it; refuse the rest in the protocol's own words. The report has the call as a curl command, and --seed makes the same values again.",
			"Читайте каждый параметр строго как тип из описания, остальное отвергайте словами протокола. В отчёте есть вызов командой curl, а --seed повторит те же значения.",
		},
		Example: example,
	}
}

// perParam is how many values are made up for one parameter.
const perParam = 24

// A value is what a parameter is given: a text, or JSON as it stands.
type value struct {
	text string
	json bool
}

// raw is the value as JSON.
func (v value) raw() json.RawMessage {
	if v.json {
		return json.RawMessage(v.text)
	}
	return plainJSON(v.text)
}

// String shows the value as JSON, not too long.
func (v value) String() string { return oneLine(string(v.raw()), 200) }

// nothing tells whether the value says nothing: null or an empty text.
func (v value) nothing() bool { return v.text == "" || v.json && v.text == "null" }

// structured tells whether the value is a list or an object, which no parameter is.
func (v value) structured() bool { return v.json && strings.ContainsAny(v.text[:1], "[{") }

// A param is one parameter of a call, by its type.
type param struct {
	name string
	odd  []string // texts that are always tried
	make maker    // of more of them
	bad  func(v value) bool
}

// Values that are odd for any type.
var (
	oddJSON  = []string{"null", "true", "false", "0", "-1", "1.5", "1e400", "99999999999999999999", "[]", "{}", `["x"]`, `{"a":1}`, "[[[[[[[[]]]]]]]]"}
	oddTexts = []string{"", " ", "\x00", "\u202e", "null", "%00", "'\"", "<b>", "{}", strings.Repeat("x", 5000), "😀", "ё"}
	anyText  = pick(chars("abcxyzABC0123456789", 40), chars(" \t\n\x00'\"\\/<>&%+=;,.{}[]()ёяß€😀\u200b\u202e", 12), chars("ab ё'%0", 300))
)

// values are those to be tried for p, the odd ones first; JSON of other types than text only
// where the protocol is JSON.
func (p *param) values(d *dice, isJSON bool) (all []value) {
	for _, text := range slices.Concat(p.odd, oddTexts) {
		all = append(all, value{text: text})
	}
	if isJSON {
		for _, text := range oddJSON {
			all = append(all, value{text, true})
		}
	}
	m := anyText
	if p.make != nil {
		m = pick(p.make, p.make, anyText)
	}
	for range perParam {
		all = append(all, value{text: m(d)})
	}
	return all
}

// A reaction is what a platform made of a call.
type reaction struct {
	answer
	whole   bool // it is an answer of the protocol
	refused bool
}

// triesParams gives each parameter odd and made-up values, one at a time: call makes a call
// in which all else is right. Every answer must be one of the protocol, and what is surely
// none of the type must be refused. With onlyBad nothing else is tried, since it would change
// something. The first value that is not treated so is cut down to the smallest.
func (t *T) triesParams(params []param, isJSON, onlyBad bool, call func(name string, v value) reaction) {
	for i := range params {
		p := &params[i]
		wrong := func(v value) (reaction, bool) {
			if v.json && !json.Valid([]byte(v.text)) || onlyBad && !p.bad(v) {
				return reaction{}, false
			}
			t.forget()
			r := call(p.name, v)
			return r, !r.whole || p.bad(v) && !r.refused
		}
		for _, v := range p.values(t.dice, isJSON) {
			if _, is := wrong(v); !is {
				continue
			}
			smallest := value{shrink(v.text, func(smaller string) bool {
				_, is := wrong(value{smaller, v.json})
				return is
			}), v.json}
			r, is := wrong(smallest)
			switch want := say("%s = %s, cut down from %s", p.name, smallest, v); {
			case is && !r.whole:
				t.failAt(r.index, say("an answer of the protocol to %s", want), r.said())
			case is:
				t.failAt(r.index, say("a refusal of %s", want), r.said())
			}
		}
	}
	t.forget()
}

// notSum tells whether a text is surely no sum in roubles. What is only too much for us, or
// begins with zeros, may be one.
func notSum(parse func(string, money.Currency) (money.Amount, error)) func(v value) bool {
	return func(v value) bool {
		_, err := parse(v.text, money.RUB)
		var wrong *money.FormatError
		if v.json && !v.structured() && !v.nothing() && v.text != "true" && v.text != "false" {
			return false // a number may be written otherwise
		}
		return errors.As(err, &wrong) && !slices.Contains([]money.Fault{money.FaultZeros, money.FaultRange, money.FaultLength}, wrong.Fault)
	}
}

func other(right string) func(v value) bool {
	return func(v value) bool { return !strings.EqualFold(strings.TrimSpace(v.text), right) }
}

// integraParam is an argument of Integra by its name. Those that nothing more is known of
// are texts: required ones are not empty.
func integraParam(p integra.Param, id, amount string) param {
	made := param{name: p.Name, bad: func(v value) bool { return v.structured() || p.Required && v.nothing() }}
	switch p.Name {
	case "paymentSum":
		made.odd, made.make = oddAmounts[1:], amounts // the first is a refund
		made.bad = notSum(money.ParseSigned)
	case "amount":
		made.odd, made.make = oddAmounts, amounts
		made.bad = func(v value) bool {
			sum, err := money.Parse(strings.TrimSpace(v.text), money.RUB)
			return err != nil || sum != rub(amount)
		}
	case "hash", "paymentHash":
		made.odd, made.make = oddIDs, ids
		made.bad = func(v value) bool {
			return len(v.text) != integra.HashLen && utf8.RuneCountInString(v.text) != integra.HashLen
		}
	case "transactionId":
		made.odd, made.make, made.bad = oddIDs, ids, other(id)
	case "date":
		made.odd = []string{"2026-02-30", "2026-13-01", "2026-1-1", "01.02.2026", "2026-02-01T00:00:00Z", "today", "0000-00-00"}
		made.make = pick(concat(one("2026-", "26-", "-", ""), chars("0123456789-", 7)), chars("0123456789-./ ", 10))
		made.bad = func(v value) bool { _, err := time.Parse(time.DateOnly, v.text); return err != nil }
	}
	return made
}

// madeUpChecks are those of generated inputs, in all protocols.
func madeUpChecks() []Check {
	return slices.Concat(integraInputs(), anymoneyInputs(), robokassaInputs())
}

func integraInputs() []Check {
	// read is a method that only shows something, write one that changes something.
	method := func(m integra.Method, args any, onlyBad bool, needs []Need, prepare func(t *T) (u *member, cred integra.Credentials, right map[string]any, after func())) Check {
		severity := Should
		if onlyBad {
			severity = Must
		}
		return Check{
			Title: Text{fmt.Sprintf("No made-up argument of %s is taken for a right one", m), fmt.Sprintf("Ни один сгенерированный аргумент %s не принимается за верный", m)},
			Needs: needs, Severity: severity,
			Run: func(t *T) {
				u, cred, right, after := prepare(t)
				var params []param
				id, _ := right["transactionId"].(string)
				amount, _ := right["amount"].(string)
				for _, p := range integra.Params(args) {
					params = append(params, integraParam(p, id, amount))
				}
				t.triesParams(params, true, onlyBad, func(name string, v value) reaction {
					given := map[string]any{}
					for n, r := range right {
						if f, made := r.(func() string); made {
							r = f()
						}
						given[n] = r
					}
					given[name] = v.raw()
					address, err := t.env.sealed(m, cred, given, nil)
					t.set(err)
					r, ok := t.reply(t.send(string(m), http.MethodPost, address, "", http.Header{"Content-Type": {"application/json"}}))
					return reaction{answer: r.answer, whole: ok, refused: r.refused}
				})
				if u != nil && after == nil {
					u.holds("0")
				}
				if after != nil {
					after()
				}
			},
		}
	}
	read := func(m integra.Method, args any, right map[string]any) Check {
		return method(m, args, false, []Need{NeedWrite}, func(t *T) (*member, integra.Credentials, map[string]any, func()) {
			u := t.member()
			return u, u.cred(), right, nil
		})
	}
	settling := func(m integra.Method, args any) Check {
		return method(m, args, true, []Need{NeedWrite, NeedControl}, func(t *T) (*member, integra.Credentials, map[string]any, func()) {
			u := t.member()
			u.opens("http://127.0.0.1:1/?id={id}&amount={amount}")
			id := u.announced("137.31")
			right := map[string]any{"transactionId": id}
			if m == integra.ConfirmPayment {
				right["amount"] = "137.31"
			}
			return u, u.cred(), right, func() { // nothing has settled it
				t.yes(u.confirms(id, "137.31"))
				u.holds("137.31")
			}
		})
	}
	return numbered("PI-INPUT", "Integra §4", []Need{NeedIntegra}, []Check{
		method(integra.Hello, integra.HelloArgs{}, false, nil, func(t *T) (*member, integra.Credentials, map[string]any, func()) {
			return nil, t.partnerCred(), map[string]any{}, nil
		}),
		method(integra.CreateUser, integra.CreateUserArgs{}, true, []Need{NeedWrite}, func(t *T) (*member, integra.Credentials, map[string]any, func()) {
			return nil, t.partnerCred(), map[string]any{"username": func() string { return t.env.login(t) }, "hash": t.fresh}, nil
		}),
		method(integra.DoPayment, integra.DoPaymentArgs{}, true, []Need{NeedWrite}, func(t *T) (*member, integra.Credentials, map[string]any, func()) {
			u := t.member()
			return u, u.cred(), map[string]any{"paymentSum": "10", "paymentHash": t.fresh, "userLogin": u.login}, nil
		}),
		settling(integra.ConfirmPayment, integra.ConfirmPaymentArgs{}),
		settling(integra.DeclinePayment, integra.DeclinePaymentArgs{}),
		read(integra.GetFinSummaryByDate, integra.FinSummaryArgs{}, map[string]any{"date": "2026-01-31"}),
		read(integra.ChangeURL, integra.ChangeURLArgs{}, map[string]any{"url": "https://shop.example/"}),
		read(integra.GetUserMessages, integra.MessagesArgs{}, map[string]any{}),
	})
}

// moneyParam is a parameter of Any.Money by its name. Whatever it is, a number, a list and an
// object are refused (§4), and where it is required null is.
func moneyParam(name string, required bool) param {
	mistyped := func(v value) bool {
		return v.json && v.text != "null" && v.text != "true" && v.text != "false" || required && v.json && v.text == "null"
	}
	made := param{name: name, bad: mistyped}
	also := func(bad func(text string) bool) {
		made.bad = func(v value) bool { return mistyped(v) || !v.json && bad(v.text) }
	}
	switch name {
	case anymoney.FieldAmount:
		made.odd, made.make = oddAmounts, amounts
		also(func(text string) bool { // of hryvnias, from 0.01 to 3000
			a, err := anymoney.ParseAmount(text)
			if err != nil || a.Negative() || a.Decimals() > 2 || a == "0" {
				return true
			}
			d, err := a.Decimal()
			return err != nil || d.IntPart() > 3000
		})
	case anymoney.FieldInCurr, anymoney.FieldOutCurr, anymoney.FieldCurr:
		made.odd, made.make = []string{"UHA", "uah", "UAH ", " UAH", "UAH\x00", "978"}, concat(one("UA", "U", "usd", ""), chars("ABCHUabch0 ", 4))
		also(func(text string) bool {
			return !slices.Contains([]string{"UAH", "USD", "RUB", "BTC", "LTC", "ETH", "USDT", "BCHABC"}, text)
		})
	case anymoney.FieldPayway:
		made.odd, made.make = []string{"VISAMC", "visamc ", "visa", "visamc\x00"}, concat(one("visa", "vi", ""), chars("amcMC0 ", 4))
		also(func(text string) bool { return text != "visamc" })
	case anymoney.FieldExternalID:
		made.odd = []string{strings.Repeat("x", anymoney.MaxExternalIDLen+1)}
		also(func(text string) bool { return text == "" || utf8.RuneCountInString(text) > anymoney.MaxExternalIDLen })
	case anymoney.FieldCallbackURL:
		made.odd = []string{"ftp://shop.example/", "shop.example", "http://", "//shop.example/", "javascript:alert(1)"}
		also(func(text string) bool {
			return !strings.HasPrefix(strings.ToLower(text), "http://") && !strings.HasPrefix(strings.ToLower(text), "https://")
		})
	}
	return made
}

func anymoneyInputs() []Check {
	check := func(m anymoney.Method, right map[string]any) Check {
		return Check{
			Title: Text{fmt.Sprintf("No made-up parameter of %s is taken for a right one", m), fmt.Sprintf("Ни один сгенерированный параметр %s не принимается за верный", m)},
			Run: func(t *T) {
				p := &moneyPlay{t: t}
				p.configure(nil)
				required, optional := m.Params()
				var params []param
				for _, name := range slices.Sorted(slices.Values(slices.Concat(required, optional))) {
					params = append(params, moneyParam(name, slices.Contains(required, name)))
				}
				call := func(given map[string]any) reaction {
					raw, err := json.Marshal(given)
					t.set(err)
					object, err := anymoney.ParseObject(raw)
					t.set(err)
					stamp := strconv.FormatInt(t.at(), 10)
					a := t.send(string(m), http.MethodPost, t.env.target.Platform.AnyMoney.URL, fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":%s,"id":"1"}`, m, raw), http.Header{
						"Content-Type": {"application/json"}, http.CanonicalHeaderKey(anymoney.HeaderMerchant): {"37"},
						http.CanonicalHeaderKey(anymoney.HeaderUTCNowMS): {stamp}, http.CanonicalHeaderKey(anymoney.HeaderSignature): {p.key("37", "api_key").Sign(object, stamp)},
					})
					response, ok := readJSON(a.body).(map[string]any)
					_, yes := response["result"]
					_, no := response["error"].(map[string]any)
					return reaction{answer: a, whole: a.err == nil && a.status == http.StatusOK && ok && yes != no, refused: no}
				}
				t.triesParams(params, true, m == anymoney.MethodPayinCreate, func(name string, v value) reaction {
					given := map[string]any{}
					for n, r := range right {
						given[n] = r
					}
					given[name] = v.raw()
					return call(given)
				})
				if m == anymoney.MethodPayinCreate { // what was refused has left no trace
					if r := call(right); r.refused || !r.whole {
						t.failAt(r.index, say("the order made at last"), r.said())
					}
				}
			},
		}
	}
	order := map[string]any{"amount": "50", "externalid": "made-up", "in_curr": "UAH", "payway": "visamc"}
	return numbered("PA-INPUT", "Any.Money §4, §8, §9", []Need{NeedAnyMoney, NeedWrite, NeedControl, NeedClock}, []Check{
		check(anymoney.MethodPayinCreate, order),
		check(anymoney.MethodPayinCalc, map[string]any{"amount": "50", "in_curr": "UAH", "payway": "visamc"}),
		check(anymoney.MethodPayinGet, map[string]any{}),
		check(anymoney.MethodStatus, map[string]any{}),
		check(anymoney.MethodBalance, map[string]any{}),
	})
}

var dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d`)

// roboParam is a field of a payment request, by its name in robokassa.Request.
func roboParam(name, login, signature string) param {
	made := param{name: name, bad: func(value) bool { return false }}
	switch name {
	case "Login":
		made.odd, made.bad = []string{login + "x"}, other(login)
	case "OutSum":
		made.odd, made.make = oddAmounts, amounts
		made.bad = notSum(robokassa.ParseSum)
	case "InvID":
		made.odd = []string{"-1", "1.5", "9223372036854775808", "1e3", "0x1", " 1", "1 ", "١"}
		made.make = pick(chars("0123456789", 25), chars("0123456789-+.e xа", 8))
		made.bad = func(v value) bool { _, ok := robokassa.ParseInvID(v.text); return !ok }
	case "Signature":
		made.odd = []string{signature[1:], signature + "0", " " + signature, strings.Repeat("0", 32)}
		made.make, made.bad = ids, other(signature)
	case "Description":
		made.make = chars("abc ё", 3*robokassa.MaxDescriptionLen)
		made.bad = func(v value) bool { return utf8.RuneCountInString(v.text) > robokassa.MaxDescriptionLen }
	case "Expiration":
		made.odd = []string{"tomorrow", "2026", "01.02.2030", "2030-13-41T00:00"}
		made.bad = func(v value) bool { return v.text != "" && !dateTime.MatchString(v.text) }
	}
	return made
}

func robokassaInputs() []Check {
	return numbered("PR-INPUT", "Robokassa §2, §9", []Need{NeedRobo, NeedControl, NeedWrite}, []Check{{
		Title: Text{"No made-up field of a payment is taken for a right one", "Ни одно сгенерированное поле платежа не принимается за верное"},
		Run: func(t *T) {
			s := t.shop(nil)
			right := s.request("100.00")
			signature := right.Signed(robokassa.MD5, shopPassword1).Signature
			var params []param
			for field := range reflect.TypeFor[robokassa.Request]().Fields() {
				if field.Type.Kind() == reflect.String {
					params = append(params, roboParam(field.Name, s.login, signature))
				}
			}
			t.triesParams(params, false, false, func(name string, v value) reaction {
				r := right
				reflect.ValueOf(&r).Elem().FieldByName(name).SetString(v.text)
				if name != "Signature" {
					r = r.Signed(robokassa.MD5, shopPassword1)
				}
				a := t.send("Indexjson", http.MethodPost, t.robo("/Merchant/Indexjson.aspx"), r.Fields().Encode(), formType)
				object, _ := readJSON(a.body).(map[string]any)
				code, isNumber := object["errorCode"].(json.Number)
				return reaction{answer: a, whole: a.err == nil && a.status == http.StatusOK && isNumber, refused: code != "0"}
			})
			s.result.exactly(0)
			s.opens(right) // the shop lives
		},
	}, {
		Title: Text{"No made-up parameter of OpStateExt is taken for a right one", "Ни один сгенерированный параметр OpStateExt не принимается за верный"},
		Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.00"))
			s.acts("pay")
			id := strconv.Itoa(s.number)
			signature := robokassa.OpStateBase(s.login, id).Sign(robokassa.MD5, shopPassword2)
			params := []param{roboParam("Login", s.login, signature), {name: "InvID", odd: roboParam("InvID", "", signature).odd, bad: other(id)}, roboParam("Signature", s.login, signature)}
			t.triesParams(params, false, false, func(name string, v value) reaction {
				query := url.Values{"MerchantLogin": {s.login}, "InvoiceID": {id}}
				query.Set(map[string]string{"Login": "MerchantLogin", "InvID": "InvoiceID", "Signature": "Signature"}[name], v.text)
				if name != "Signature" {
					query.Set("Signature", robokassa.OpStateBase(query.Get("MerchantLogin"), query.Get("InvoiceID")).Sign(robokassa.MD5, shopPassword2))
				}
				a := t.send("OpStateExt", http.MethodGet, t.robo("/Merchant/WebService/Service.asmx/OpStateExt?"+query.Encode()), "", nil)
				m := xmlCode.FindStringSubmatch(string(a.body))
				return reaction{answer: a, whole: a.err == nil && a.status == http.StatusOK && m != nil && m[1] == "Result", refused: m != nil && m[2] != "0"}
			})
		},
	}})
}
