package anymoney_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

var (
	token = strings.Repeat("T", anymoney.TokenLen)
	ref   = strings.Repeat("R", anymoney.TokenLen)
)

func invoice() anymoney.Order {
	userdata := anymoney.Object{{"payer", anymoney.Text("380501234567")}}
	return anymoney.Order{
		Type: anymoney.TypeInvoice, Status: anymoney.StatusDone, LID: 135735, Token: token, Ref: ref,
		ExternalID: "Заказ-1", InCurr: "UAH", OutCurr: "USD", Payway: "privat24", Owner: "37",
		Sums: anymoney.Sums{In: "115", Orig: "115", InFee: "6.03", Out: "3.99", OutFee: "0.21", Account: "3.78"},
		Rate: anymoney.Rate{"28.7639", "1"}, CTime: 1700000000000, FTime: 1700000000500,
		UserData: userdata,
		ReqData: anymoney.Object{
			{"amount", anymoney.Text("115")},
			{"externalid", anymoney.Text("Заказ-1")},
			{"in_curr", anymoney.Text("UAH")},
			{"out_curr", anymoney.Text("USD")},
			{"payway", anymoney.Text("privat24")},
			{"userdata", anymoney.Nested(userdata)},
		},
		Invoice: &anymoney.Invoice{Paylink: "https://sci.mock.test/#token=" + token, AmountPaid: "115", Payfee: "1"},
	}
}

func payin() anymoney.Order {
	return anymoney.Order{
		Type: anymoney.TypePayin, Status: anymoney.StatusNew, LID: 1, Token: token, Ref: ref,
		ExternalID: "c1", InCurr: "USD", OutCurr: "USD", Payway: "exmo", Owner: "37",
		Sums:  anymoney.Sums{In: "10", Orig: "10", InFee: "0.8", Out: "10", OutFee: "0.8", Account: "9.2"},
		CTime: 1700000000000, UserData: anymoney.Object{},
		ReqData: anymoney.Object{
			{"amount", anymoney.Text("10")},
			{"code", anymoney.Text("EX-CODE_1")},
			{"externalid", anymoney.Text("c1")},
			{"in_curr", anymoney.Text("USD")},
			{"payway", anymoney.Text("exmo")},
			{"userdata", anymoney.Nested(nil)},
		},
		Code: &anymoney.RedeemedCode{Amount: "10", Code: "EX-CODE_1", Currency: "USD"},
	}
}

func formInvoice() anymoney.Order {
	o := invoice()
	o.Payway, o.OutCurr, o.Rate, o.FTime, o.Status = "", "UAH", anymoney.Rate{}, 0, anymoney.StatusNew
	o.Invoice.AmountPaid, o.Invoice.IsMultipay, o.Invoice.Payfee = "0", true, "0.35"
	o.Invoice.Email, o.Invoice.RedirectURL = "Payer@Mail.Test", "https://shop.test/Back?a=1&b=<2>"
	return o
}

func TestOrderBytes(t *testing.T) {
	t.Parallel()
	for id, order := range map[string]anymoney.Order{"invoice": invoice(), "payin": payin(), "sci without payway": formInvoice()} {
		want := message(t, id)
		if got := order.Object().String(); got != want {
			t.Errorf("%s is written as\n%s\nwant\n%s", id, got, want)
		}
		got, err := anymoney.ReadOrder(parse(t, want))
		if diff := cmp.Diff(order, got, exact); diff != "" || err != nil {
			t.Errorf("%s is read with %v (-want +got):\n%s", id, err, diff)
		}
	}
}

// Every whole order and calculation in the cases is read and written without a change.
func TestResultsOfCases(t *testing.T) {
	t.Parallel()
	concrete := strings.NewReplacer(`"$ms"`, "1700000000001", `"$lid"`, "7", `"$token"`, `"`+token+`"`, `"$paylink"`, `"`+anymoney.Paylink("https://sci.mock.test", token)+`"`)
	count := make(map[anymoney.Method]int)
	for _, c := range cases(t).Cases {
		for _, step := range c.Steps {
			if step.Call == nil || step.Expect.Match != "exact" {
				continue
			}
			text := concrete.Replace(string(step.Expect.Result))
			o := parse(t, text)
			var got anymoney.Object
			var err error
			switch method := step.Call.Method; method {
			case anymoney.MethodPayinCreate, anymoney.MethodPayinGet, anymoney.MethodStatus:
				var order anymoney.Order
				order, err = anymoney.ReadOrder(o)
				got = order.Object()
			case anymoney.MethodPayinCalc:
				var calculation anymoney.Calculation
				calculation, err = anymoney.ReadCalculation(o)
				got = calculation.Object()
			case anymoney.MethodBalance:
				var balances anymoney.Balances
				balances, err = anymoney.ReadBalances(o)
				got = balances.Object()
			case anymoney.MethodPwcurrencyList:
				var payways anymoney.Payways
				payways, err = anymoney.ReadPayways(o)
				got = payways.Object()
			default:
				t.Fatalf("%s: method %s", c.ID, method)
			}
			count[step.Call.Method]++
			if err != nil {
				t.Errorf("%s: %v", c.ID, err)
			}
			if diff := cmp.Diff(reads(t, []byte(text)), reads(t, got.AppendJSON(nil))); diff != "" {
				t.Errorf("%s: written back differs (-want +got):\n%s", c.ID, diff)
			}
		}
	}
	for _, m := range []anymoney.Method{anymoney.MethodPayinCreate, anymoney.MethodPayinCalc, anymoney.MethodStatus, anymoney.MethodBalance, anymoney.MethodPwcurrencyList} {
		if count[m] == 0 {
			t.Errorf("no result of %s in the cases: %v", m, count)
		}
	}
}

// with returns the invoice of messages.json with one member changed, or without it if json
// is "".
func with(t testing.TB, name, value string) anymoney.Object {
	t.Helper()
	o := parse(t, message(t, "invoice"))
	i := slices.IndexFunc(o, func(m anymoney.Member) bool { return m.Name == name })
	if i < 0 {
		o, i = append(o, anymoney.Member{Name: name}), len(o)
	}
	if value == "" {
		return slices.Delete(o, i, i+1)
	}
	o[i].Value = parse(t, `{"v":`+value+`}`).Get("v")
	return o
}

func TestReadOrderGenerously(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, json string
		want       func(*anymoney.Order)
	}{
		{"lid", `"135735"`, func(*anymoney.Order) {}},
		{"owner", `37`, func(*anymoney.Order) {}},
		{"in_amount", `115`, func(*anymoney.Order) {}},
		{"in_amount", `"115,00"`, func(*anymoney.Order) {}},
		{"account_amount", `3.780`, func(*anymoney.Order) {}},
		{"ctime", `"1700000000000"`, func(*anymoney.Order) {}},
		{"ftime", `null`, func(o *anymoney.Order) { o.FTime = 0 }},
		{"rate", "", func(o *anymoney.Order) { o.Rate = anymoney.Rate{} }},
		{"token", "", func(o *anymoney.Order) { o.Token = "" }},
		{"userdata", `null`, func(o *anymoney.Order) { o.UserData = nil }},
		{"reqdata", "", func(o *anymoney.Order) { o.ReqData = nil }},
		{"payway_name", `null`, func(o *anymoney.Order) { o.Payway = "" }},
		{"status", `"frozen"`, func(o *anymoney.Order) { o.Status = "frozen" }},
		{"tp", `"payout"`, func(o *anymoney.Order) { o.Type, o.Invoice = "payout", nil }},
		{"tp", `"payin"`, func(o *anymoney.Order) { o.Type, o.Invoice = "payin", nil }},
		{"is_multipay", "", func(*anymoney.Order) {}},
		{"merchant_payfee", "", func(*anymoney.Order) {}},
		{"amount_paid", `null`, func(o *anymoney.Order) { o.Invoice.AmountPaid = "0" }},
		{"confirmations", `3`, func(*anymoney.Order) {}},
		{"txid", `{"a":[]}`, func(*anymoney.Order) {}},
		{"something_new", `[1]`, func(*anymoney.Order) {}},
	} {
		want := invoice()
		tt.want(&want)
		got, err := anymoney.ReadOrder(with(t, tt.name, tt.json))
		if diff := cmp.Diff(want, got, exact); diff != "" || err != nil {
			t.Errorf("%s %s is read with %v (-want +got):\n%s", tt.name, tt.json, err, diff)
		}
	}
}

func TestReadOrderFaults(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"tp", "status", "lid", "externalid", "in_curr", "out_curr",
		"in_amount", "out_amount", "orig_amount", "account_amount", "in_fee_amount", "out_fee_amount",
	} {
		for _, json := range []string{"", "null", `""`} {
			_, err := anymoney.ReadOrder(with(t, name, json))
			if e, ok := errors.AsType[*anymoney.MessageError](err); !ok || e.Fault != anymoney.FaultAbsent || e.Name != name {
				t.Errorf("%s %s: %v; want it absent", name, json, err)
			}
		}
	}
	for _, tt := range []struct{ name, json, where string }{
		{"status", `true`, "status"},
		{"lid", `1.5`, "lid"},
		{"lid", `99999999999999999999`, "lid"},
		{"lid", `"7x"`, "lid"},
		{"ctime", `"now"`, "ctime"},
		{"ftime", `[]`, "ftime"},
		{"token", `{}`, "token"},
		{"in_amount", `1e2`, "in_amount"},
		{"in_amount", `"free"`, "in_amount"},
		{"account_amount", `[1]`, "account_amount"},
		{"rate", `"28"`, "rate"},
		{"rate", `[]`, "rate"},
		{"rate", `["28"]`, "rate"},
		{"rate", `["28","1","1"]`, "rate"},
		{"rate", `[28,1]`, "rate"},
		{"rate", `["x","1"]`, "rate"},
		{"userdata", `[]`, "userdata"},
		{"reqdata", `"x"`, "reqdata"},
		{"amount_paid", `"x"`, "amount_paid"},
		{"merchant_payfee", `"x"`, "merchant_payfee"},
		{"is_multipay", `"true"`, "is_multipay"},
		{"paylink", `[]`, "paylink"},
	} {
		_, err := anymoney.ReadOrder(with(t, tt.name, tt.json))
		if e, ok := errors.AsType[*anymoney.MessageError](err); !ok || e.Fault != anymoney.FaultValue || e.Name != tt.where {
			t.Errorf("%s %s: %v; want its value to be at fault", tt.name, tt.json, err)
		}
	}

	code := parse(t, message(t, "payin"))
	at := slices.IndexFunc(code, func(m anymoney.Member) bool { return m.Name == "code" })
	for _, tt := range []struct{ json, where string }{
		{`"EX-CODE_1"`, "code"},
		{`{}`, "code.amount"},
		{`{"amount":"x","code":"a","currency":"USD"}`, "code.amount"},
		{`{"amount":"1","code":"","currency":"USD"}`, "code.code"},
		{`{"amount":"1","code":"a"}`, "code.currency"},
	} {
		code[at].Value = parse(t, `{"v":`+tt.json+`}`).Get("v")
		_, err := anymoney.ReadOrder(code)
		if e, ok := errors.AsType[*anymoney.MessageError](err); !ok || e.Name != tt.where {
			t.Errorf("code %s: %v; want %s", tt.json, err, tt.where)
		}
	}
	if _, err := anymoney.ReadOrder(nil); !errors.Is(err, anymoney.ErrMessage) {
		t.Errorf("an order of nothing: %v", err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	final := map[anymoney.Status]bool{
		"new": false, "pending": false, "started": false, "wait": false, "retry": false, "finalizing": false, "abnormal": false,
		"done": true, "fail": true, "reject": true, "expired": true, "canceled": true,
	}
	for s, want := range final {
		if s.Final() != want || !s.Known() {
			t.Errorf("%s is final: %t, known: %t", s, s.Final(), s.Known())
		}
	}
	for _, s := range []anymoney.Status{"", "Done", "cancelled", "frozen"} {
		if s.Final() || s.Known() {
			t.Errorf("%q is final: %t, known: %t", s, s.Final(), s.Known())
		}
	}
}

// An order that is accepted is written to one that is read as the same, and signs the same.
func FuzzReadOrder(f *testing.F) {
	for _, id := range []string{"invoice", "payin", "sci without payway"} {
		f.Add([]byte(message(f, id)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := anymoney.ParseObject(text)
		if err != nil {
			return
		}
		order, err := anymoney.ReadOrder(o)
		if err != nil {
			if e, ok := errors.AsType[*anymoney.MessageError](err); !ok || e.Name == "" {
				t.Fatalf("ReadOrder(%q) = %#v", text, err)
			}
			return
		}
		written := order.Object()
		again, err := anymoney.ReadOrder(parse(t, written.String()))
		if err != nil || again.Object().String() != written.String() || key.Sign(again.Object(), "1") != key.Sign(written, "1") {
			t.Fatalf("%q is written as %v, and then as %v: %v", text, written, again.Object(), err)
		}
	})
}

// Whatever an order holds, both sides have the same one and the same signature.
func TestOrderTravels(t *testing.T) {
	t.Parallel()
	amount := rapid.Custom(func(t *rapid.T) anymoney.Amount {
		a, err := anymoney.ParseAmount(rapid.StringMatching(`[0-9]{1,30}(\.[0-9]{1,9})?`).Draw(t, "amount"))
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
	required := rapid.StringN(1, 20, -1)
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom([]anymoney.Order{invoice(), payin(), formInvoice()}).Draw(t, "order")
		o.ExternalID, o.InCurr, o.OutCurr = required.Draw(t, "id"), required.Draw(t, "in"), required.Draw(t, "out")
		o.Payway, o.Token = genText().Draw(t, "payway"), genText().Draw(t, "token")
		o.LID, o.CTime, o.FTime = rapid.Int64().Draw(t, "lid"), rapid.Int64Min(1).Draw(t, "ctime"), rapid.Int64Min(0).Draw(t, "ftime")
		o.Sums = anymoney.Sums{
			In: amount.Draw(t, "in"), Orig: amount.Draw(t, "orig"), InFee: amount.Draw(t, "fee"),
			Out: amount.Draw(t, "out"), OutFee: amount.Draw(t, "out fee"), Account: amount.Draw(t, "account"),
		}
		o.Rate = anymoney.Rate{amount.Draw(t, "rate"), "1"}
		o.UserData, o.ReqData = genObject(1).Draw(t, "userdata"), genObject(2).Draw(t, "reqdata")
		if o.Invoice != nil {
			i := *o.Invoice
			i.Email, i.RedirectURL, i.Paylink = genText().Draw(t, "email"), genText().Draw(t, "url"), genText().Draw(t, "paylink")
			o.Invoice = &i
		}

		signature := key.Sign(o.Object(), "17")
		received, err := anymoney.ParseObject(o.Object().AppendJSON(nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Verify(received, "17", signature); err != nil {
			t.Fatalf("%v: %v", received, err)
		}
		got, err := anymoney.ReadOrder(received)
		if diff := cmp.Diff(o, got, exact); diff != "" || err != nil {
			t.Fatalf("order is read with %v (-want +got):\n%s", err, diff)
		}
	})
}
