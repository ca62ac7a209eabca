package anymoney_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	const calc, create, get = anymoney.MethodPayinCalc, anymoney.MethodPayinCreate, anymoney.MethodPayinGet
	tests := []struct {
		name   string
		method anymoney.Method
		params string
		want   string // field and reason, "" for none
	}{
		{"all of create", create, `{"amount":"1","externalid":"1","in_curr":"UAH","payway":"qiwi","out_curr":null,"callback_url":"x","code":"x","payer":"x","contact":"x"}`, ""},
		{"all of calc", calc, `{"amount":"1","in_curr":"UAH","payway":"qiwi","out_curr":"USD"}`, ""},
		{"nothing optional", calc, `{"payway":"qiwi","amount":"1","in_curr":"UAH"}`, ""},
		{"booleans pass", calc, `{"payway":true,"amount":false,"in_curr":true}`, ""},
		{"empty texts pass", calc, `{"payway":"","amount":"","in_curr":""}`, ""},
		{"get", get, `{"externalid":"1"}`, ""},
		{"status", anymoney.MethodStatus, `{"externalid":"1"}`, ""},
		{"balance", anymoney.MethodBalance, `{}`, ""},
		{"balance of one", anymoney.MethodBalance, `{"curr":"UAH"}`, ""},
		{"list", anymoney.MethodPwcurrencyList, `{}`, ""},

		{"unknown", anymoney.MethodBalance, `{"currency":"UAH"}`, "currency: Should not be provided"},
		{"unknown null", anymoney.MethodPwcurrencyList, `{"x":null}`, "x: Should not be provided"},
		{"unknown in calc though known in create", calc, `{"payway":"qiwi","amount":"1","in_curr":"UAH","externalid":"1"}`, "externalid: Should not be provided"},
		{"names are case-sensitive", get, `{"externalId":"1"}`, "externalId: Should not be provided"},
		{"first unknown by name", get, `{"z":"1","a":"1","m":"1"}`, "a: Should not be provided"},
		{"first unknown in code points", get, `{"a":"1","Z":"1"}`, "Z: Should not be provided"},
		{"unknown before missing", get, `{"externalid":null,"par":"123"}`, "par: Should not be provided"},
		{"unknown before mistyped", get, `{"externalid":1,"par":"123"}`, "par: Should not be provided"},
		{"unknown and nameless", get, `{"":1,"par":1}`, ": Should not be provided"},

		{"first missing by name", create, `{}`, "amount: Should be provided"},
		{"next missing", create, `{"amount":"1"}`, "externalid: Should be provided"},
		{"null is missing", create, `{"amount":"1","externalid":null}`, "externalid: Should be provided"},
		{"third missing", create, `{"amount":"1","externalid":"1"}`, "in_curr: Should be provided"},
		{"last missing", create, `{"amount":"1","externalid":"1","in_curr":"x"}`, "payway: Should be provided"},
		{"missing before mistyped", create, `{"amount":1}`, "externalid: Should be provided"},

		{"int", get, `{"externalid":25}`, "externalid: 'externalid' must not be of 'int' type"},
		{"float", get, `{"externalid":25.0}`, "externalid: 'externalid' must not be of 'float' type"},
		{"exponent", get, `{"externalid":1e5}`, "externalid: 'externalid' must not be of 'float' type"},
		{"list as id", get, `{"externalid":[]}`, "externalid: 'externalid' must not be of 'list' type"},
		{"dict", get, `{"externalid":{}}`, "externalid: 'externalid' must not be of 'dict' type"},
		{"optional mistyped", calc, `{"payway":"qiwi","amount":"1","in_curr":"UAH","out_curr":1}`, "out_curr: 'out_curr' must not be of 'int' type"},
		{"first mistyped by name", calc, `{"payway":1,"in_curr":[],"amount":"1"}`, "in_curr: 'in_curr' must not be of 'list' type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused := tt.method.Check(parse(t, tt.params))
			got := ""
			if refused != nil {
				got = refused.Field() + ": " + refused.Reason()
			}
			if got != tt.want {
				t.Errorf("Check = %v; want %q", refused, tt.want)
			}
			if !tt.method.Known() {
				t.Errorf("%s is not known", tt.method)
			}
		})
	}
	for _, m := range []anymoney.Method{"", "payin", "payin.calcc", "Balance", "payout.create"} {
		if refused := m.Check(nil); m.Known() || refused == nil || refused.Code != anymoney.CodeMethodNotFound || refused.Data != nil {
			t.Errorf("method %q: %v; want it not found", m, refused)
		}
	}
}

// Whatever the order in which parameters are sent, the same one is refused.
func TestCheckOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"amount", "callback_url", "code", "contact", "externalid", "in_curr", "out_curr", "payer", "payway", "par", "", "Z"}
		sent := rapid.Permutation(names).Draw(t, "names")[:rapid.IntRange(0, len(names)).Draw(t, "n")]
		var params anymoney.Object
		for _, name := range sent {
			params = append(params, anymoney.Member{Name: name, Value: genValue(1).Draw(t, "value")})
		}
		want := ""
		slices.SortFunc(names, strings.Compare)
		check := func(reason string, bad func(name string, v anymoney.Value) bool) {
			for _, name := range names {
				if want == "" && bad(name, params.Get(name)) {
					want = name + "|" + reason
				}
			}
		}
		check("Should not be provided", func(name string, _ anymoney.Value) bool {
			return params.Has(name) && (name == "par" || name == "" || name == "Z")
		})
		check("Should be provided", func(name string, v anymoney.Value) bool {
			return v.IsNull() && (name == "amount" || name == "externalid" || name == "in_curr" || name == "payway")
		})
		check("type", func(_ string, v anymoney.Value) bool { return v.Kind() > anymoney.KindText })

		got := ""
		if refused := anymoney.MethodPayinCreate.Check(params); refused != nil {
			reason := refused.Reason()
			if strings.HasSuffix(reason, " type") {
				reason = "type"
			}
			got = refused.Field() + "|" + reason
		}
		if got != want {
			t.Fatalf("%v is refused for %q; want %q", params, got, want)
		}
	})
}

func TestCheckValues(t *testing.T) {
	t.Parallel()
	text := anymoney.Text
	letters := strings.Repeat("Ж", 255)
	address := "https://shop.test/" + strings.Repeat("ж", 2048-len("https://shop.test/"))
	tests := []struct {
		name    string
		refused *anymoney.Error
		want    *anymoney.Error
	}{
		{"no address", anymoney.CheckCallbackURL(anymoney.Value{}), nil},
		{"http", anymoney.CheckCallbackURL(text("http://127.0.0.1:8080/cb?x=1#y")), nil},
		{"https in capitals", anymoney.CheckCallbackURL(text("HTTPS://Shop.Test")), nil},
		{"IPv6", anymoney.CheckCallbackURL(text("https://[::1]/")), nil},
		{"2048 characters", anymoney.CheckCallbackURL(text(address)), nil},
		{"one more", anymoney.CheckCallbackURL(text(address + "x")), anymoney.CallbackURLInvalid(text(address + "x"))},
		{"other scheme", anymoney.CheckCallbackURL(text("ftp://x")), anymoney.CallbackURLInvalid(text("ftp://x"))},
		{"no scheme", anymoney.CheckCallbackURL(text("//x/")), anymoney.CallbackURLInvalid(text("//x/"))},
		{"no host", anymoney.CheckCallbackURL(text("http:///x")), anymoney.CallbackURLInvalid(text("http:///x"))},
		{"port alone", anymoney.CheckCallbackURL(text("http://:80/")), anymoney.CallbackURLInvalid(text("http://:80/"))},
		{"opaque", anymoney.CheckCallbackURL(text("http:x")), anymoney.CallbackURLInvalid(text("http:x"))},
		{"empty address", anymoney.CheckCallbackURL(text("")), anymoney.CallbackURLInvalid(text(""))},
		{"boolean address", anymoney.CheckCallbackURL(anymoney.Bool(true)), anymoney.CallbackURLInvalid(anymoney.Bool(true))},
		{"no address at all", anymoney.CheckCallbackURL(text("http://a b/")), anymoney.CallbackURLInvalid(text("http://a b/"))},

		{"id", anymoney.CheckExternalID(text("1")), nil},
		{"id of 255 letters", anymoney.CheckExternalID(text(letters)), nil},
		{"one letter more", anymoney.CheckExternalID(text(letters + "x")), anymoney.ParamInvalid("externalid", text(letters+"x"))},
		{"empty id", anymoney.CheckExternalID(text("")), anymoney.ParamInvalid("externalid", text(""))},
		{"boolean id", anymoney.CheckExternalID(anymoney.Bool(false)), anymoney.ParamInvalid("externalid", anymoney.Bool(false))},

		{"amount", amountError("256,13"), nil},
		{"nothing", amountError("0.00"), nil},
		{"minus nothing", amountError("-0"), nil},
		{"negative", amountError("-0.01"), anymoney.AmountNegative()},
		{"word", amountError("String"), anymoney.AmountNotNumber()},
		{"exponent", amountError("1e2"), anymoney.AmountNotNumber()},
		{"empty amount", amountError(""), anymoney.AmountNotNumber()},
	}
	for _, tt := range tests {
		if (tt.refused == nil) != (tt.want == nil) || tt.want != nil && tt.refused.Object().String() != tt.want.Object().String() {
			t.Errorf("%s: %v; want %v", tt.name, tt.refused, tt.want)
		}
	}
	if a, refused := anymoney.CheckAmount(anymoney.Bool(true)); a != "" || refused == nil || refused.Reason() != "Should be a Number" {
		t.Errorf("CheckAmount(true) = %q, %v", a, refused)
	}
	if a, refused := anymoney.CheckAmount(text("0256,130")); a != "256.13" || refused != nil {
		t.Errorf("CheckAmount = %q, %v", a, refused)
	}
}

func amountError(s string) *anymoney.Error {
	_, refused := anymoney.CheckAmount(anymoney.Text(s))
	return refused
}

// What our own client sends passes the checks that need no configuration.
func TestParams(t *testing.T) {
	t.Parallel()
	for want, tt := range map[string]struct {
		method anymoney.Method
		params anymoney.Object
	}{
		`{"amount":"1","in_curr":"UAH","payway":"visamc"}`: {
			anymoney.MethodPayinCalc, anymoney.CalcParams{Amount: "1", InCurr: "UAH", Payway: "visamc"}.Object(),
		},
		`{"amount":"1","in_curr":"UAH","out_curr":"USD","payway":"visamc"}`: {
			anymoney.MethodPayinCalc, anymoney.CalcParams{Amount: "1", InCurr: "UAH", OutCurr: "USD", Payway: "visamc"}.Object(),
		},
		`{"amount":"1","externalid":"a","in_curr":"UAH","payway":"visamc"}`: {
			anymoney.MethodPayinCreate, anymoney.CreateParams{Amount: "1", ExternalID: "a", InCurr: "UAH", Payway: "visamc"}.Object(),
		},
		`{"amount":"1","callback_url":"u","code":"d","contact":"c","externalid":"a","in_curr":"UAH","out_curr":"USD","payer":"p","payway":"visamc"}`: {
			anymoney.MethodPayinCreate, anymoney.CreateParams{
				Amount: "1", ExternalID: "a", InCurr: "UAH", OutCurr: "USD", Payway: "visamc", CallbackURL: "u", Code: "d", Payer: "p", Contact: "c",
			}.Object(),
		},
		`{"externalid":"a"}`: {anymoney.MethodPayinGet, anymoney.GetParams{ExternalID: "a"}.Object()},
		`{}`:                 {anymoney.MethodBalance, anymoney.BalanceParams{}.Object()},
		`{"curr":"UAH"}`:     {anymoney.MethodBalance, anymoney.BalanceParams{Curr: "UAH"}.Object()},
	} {
		if got := tt.params.String(); got != want {
			t.Errorf("params are %s; want %s", got, want)
		}
		if refused := tt.method.Check(tt.params); refused != nil {
			t.Errorf("%s %s: %v", tt.method, want, refused)
		}
	}
}
