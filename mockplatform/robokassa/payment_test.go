package robokassa_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// A buyer pays by card on the page; the shop is told, byte for byte as captured, and the
// browser goes back with a signature of password 1.
func TestPayment(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := basic("450009")
	r.Email = "buyer@example.com"
	r.Shp = wire.Fields{{Name: "Shp_oplata", Value: "1"}, {Name: "Shp_login", Value: "Vasya"}}
	page := s.open(r)
	if a := s.get(page); a.status != 200 || !strings.Contains(a.body, "Лавка") || !strings.Contains(a.body, "Пополнение баланса") {
		t.Errorf("page: %d\n%s", a.status, a.body)
	}
	if _, ok := s.platform.Operation(login, 450009); !ok {
		t.Error("the operation is not there")
	}
	paid := s.post(page, s.card("4111 1111 1111 1111"))
	s.advance(0)
	if want := "../State/"; paid.status != http.StatusSeeOther || !strings.HasPrefix(paid.header.Get("Location"), want) {
		t.Fatalf("paying: %d to %s\n%s", paid.status, paid.header.Get("Location"), paid.body)
	}
	told := s.shop.heardAt("/result")
	if len(told) != 1 {
		t.Fatalf("the shop was told %d times", len(told))
	}
	got := told[0]
	if got.verb != "POST" || got.kind != "application/x-www-form-urlencoded; charset=utf-8" {
		t.Errorf("told by %s of %s", got.verb, got.kind)
	}
	// The signature is that of the vector res-02, which Python computed; the order of Shp_ fields is the shop's.
	want := "out_summ=100.260000&OutSum=100.260000&inv_id=450009&InvId=450009&crc=13C3DB9BFB0D4B24D0980127781990EE&SignatureValue=13C3DB9BFB0D4B24D0980127781990EE&PaymentMethod=BankCard&IncSum=100.260000&IncCurrLabel=BankCardPSR&EMail=buyer%40example.com&Fee=3.910000&Shp_oplata=1&Shp_login=Vasya"
	if got.body != want {
		t.Errorf("told %s\nwant %s", got.body, want)
	}
	state := s.get("/Merchant/" + strings.TrimPrefix(paid.header.Get("Location"), "../"))
	refresh := state.header.Get("Refresh")
	wait, back, _ := strings.Cut(refresh, "; url=")
	if wait != "5" || !strings.HasPrefix(back, s.shop.server.URL+"/ok?a=b&OutSum=100.260000&InvId=450009&SignatureValue=") {
		t.Errorf("state page: refresh %q\n%s", refresh, state.body)
	}
	f := query(t, back)
	success, err := wire.NewReturn(f)
	must(t, err)
	if err := success.Verify(wire.MD5, pass1); err != nil || success.IsTest || success.Culture != "ru" || len(success.Shp) != 2 {
		t.Errorf("return %+v: %v", success, err)
	}
	if o := s.operation(450009); o.State != 100 || !o.Delivered || o.Tries != 1 || o.Fee != money.New(391, money.RUB) {
		t.Errorf("operation %+v", o)
	}
	if again := s.post(page, s.card("4111 1111 1111 1111")); again.code(t) != "40" {
		t.Errorf("paid twice: %d", again.status)
	}
	if a := s.post("/Merchant/Index.aspx", signed(r).Fields()); a.code(t) != "40" {
		t.Error("the number was used again")
	}
	s.advance(24 * time.Hour)
	if n := len(s.shop.heardAt("/result")); n != 1 {
		t.Errorf("the shop was told %d times", n)
	}
	for _, e := range s.journal.List(journalAll) {
		if view := e.Redacted(); strings.Contains(string(view.Request)+string(view.Args), "4111") {
			t.Errorf("the card's number is in the journal: %s", view.Request)
		}
	}
}

// Until the shop answers OK and the number, it is told again every minute.
func TestResultIsRepeated(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(shop *robokassa.Shop) { shop.ResultMethod = "GET" })
	answers := []func(heard) (int, string){
		func(heard) (int, string) { return 500, "OK7" },
		func(heard) (int, string) { return 200, "" },
		func(heard) (int, string) { return 200, "OK8" },
		func(heard) (int, string) { return 302, "OK7" },
		func(heard) (int, string) { return 201, "<b>OK7</b>" },
	}
	var n int
	s.shop.answers(func(h heard) (int, string) { n++; return answers[n-1](h) })
	s.open(basic("7"))
	s.act(7, robokassa.ActPay)
	for i := range answers {
		if got := len(s.shop.heardAt("/result")); got != i+1 {
			t.Fatalf("told %d times after %d minutes", got, i)
		}
		if o := s.operation(7); o.Delivered != (i == len(answers)-1) || !o.Delivered && o.NextTry.IsZero() {
			t.Errorf("after %d minutes: %+v", i, o)
		}
		s.advance(59 * time.Second)
		if got := len(s.shop.heardAt("/result")); got != i+1 {
			t.Fatalf("told %d times before the minute was over", got)
		}
		s.advance(time.Second)
	}
	told := s.shop.heardAt("/result")
	if len(told) != len(answers) {
		t.Errorf("told %d times; want %d", len(told), len(answers))
	}
	for _, h := range told {
		if h.verb != "GET" || h.query != told[0].query || h.body != "" {
			t.Errorf("told by %s %s", h.verb, h.query)
		}
	}
	if v := s.last(robokassa.MethodResult).Verdict; !v.OK {
		t.Errorf("verdict %+v", v)
	}
}

func TestTestMode(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := wire.Request{Login: login, OutSum: "94.72", InvID: "3", IsTest: true, ResultURL2: s.shop.server.URL + "/result2"}
	page := s.open(r)
	if a := s.get(page); !strings.Contains(a.body, "IsTest=1") {
		t.Error("the page does not say that it is a test")
	}
	s.act(3, robokassa.ActPay)
	told := s.shop.heardAt("/result")
	// The vector res-04.
	want := "out_summ=94.72&OutSum=94.72&inv_id=3&InvId=3&crc=CFC99677D5746C02146CCE1D89BEC917&SignatureValue=CFC99677D5746C02146CCE1D89BEC917&PaymentMethod=BankCard&IncSum=94.72&IncCurrLabel=BankCardPSR&IsTest=1&EMail=&Fee=0.0"
	if len(told) != 1 || told[0].body != want {
		t.Errorf("told %+v\nwant %s", told, want)
	}
	if n := len(s.shop.heardAt("/result2")); n != 0 {
		t.Errorf("ResultUrl2 was told %d times in test mode", n)
	}
	// The number may be used again: for a test, and for a live payment.
	s.open(r)
	s.act(3, robokassa.ActPay)
	live := basic("3")
	s.open(live)
	if a := s.opState("3"); a.Result.Code != wire.ResultNoOperation {
		t.Errorf("OpState of a test number: %+v", a.Result)
	}
	s.act(3, robokassa.ActPay)
	if a := s.opState("3"); a.Result.Code != wire.ResultOK || a.State.Code != wire.StateDone {
		t.Errorf("OpState beside a test number: %+v", a)
	}
	s.change(func(with *robokassa.Settings) { with.TestOpState = "ambiguous" })
	if a := s.opState("3"); a.Result.Code != wire.ResultAmbiguous {
		t.Errorf("OpState of an ambiguous number: %+v", a.Result)
	}
}

// Each refusal has its code, as page and as JSON, and nothing is begun or sent.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	must(t, s.platform.PutShop(robokassa.Shop{Login: "asleep", Password1: pass1, Password2: pass2, Inactive: true}))
	must(t, s.platform.PutShop(robokassa.Shop{Login: "plain", Password1: pass1, Password2: pass2, NoHolds: true, NoRecurring: true}))
	s.open(basic("900"))
	s.act(900, robokassa.ActPay)
	before := len(s.shop.heardAt("/result"))
	type change = func(*wire.Request)
	unsigned := func(r wire.Request) string { return r.Fields().Encode() }
	with := func(change change) string {
		r := basic("77")
		change(&r)
		return unsigned(signed(r))
	}
	for name, tt := range map[string]struct{ form, code, check string }{
		"unknown shop":         {with(func(r *wire.Request) { r.Login = "nobody" }), "26", "shop"},
		"no shop":              {"OutSum=1&InvId=2", "26", "shop"},
		"shop twice":           {"MerchantLogin=demo-shop&MrchLogin=plain&OutSum=1", "26", "fields"},
		"inactive":             {with(func(r *wire.Request) { r.Login = "asleep" }), "25", "active"},
		"no test mode":         {with(func(r *wire.Request) { r.Login, r.IsTest = "plain", true }), "23", "test_mode"},
		"no sum":               {with(func(r *wire.Request) { r.OutSum = "" }), "31", "sum"},
		"sum of 0":             {with(func(r *wire.Request) { r.OutSum = "0.00" }), "31", "sum"},
		"negative sum":         {with(func(r *wire.Request) { r.OutSum = "-5" }), "31", "sum"},
		"sum with comma":       {with(func(r *wire.Request) { r.OutSum = "1,5" }), "31", "sum"},
		"sum twice":            {"MerchantLogin=demo-shop&OutSum=1&outsum=2", "31", "fields"},
		"huge sum":             {with(func(r *wire.Request) { r.OutSum = "10000000000.01" }), "31", "sum"},
		"unknown currency":     {with(func(r *wire.Request) { r.Currency = "XXX" }), "60", "sum"},
		"unsigned":             {unsigned(basic("77")), "29", "signature"},
		"signed by password 2": {unsigned(basic("77").Signed(wire.MD5, pass2)), "29", "signature"},
		"another hash":         {unsigned(basic("77").Signed(wire.SHA256, pass1)), "29", "signature"},
		"live password in test mode": {unsigned(func() wire.Request {
			r := basic("77").Signed(wire.MD5, pass1)
			r.IsTest = true
			return r
		}()), "29", "signature"},
		"sum changed":           {strings.Replace(with(func(*wire.Request) {}), "OutSum=100.26", "OutSum=1.00", 1), "29", "signature"},
		"number changed":        {strings.Replace(with(func(*wire.Request) {}), "InvId=77", "InvId=78", 1), "29", "signature"},
		"Shp_ added":            {with(func(*wire.Request) {}) + "&Shp_a=1", "29", "signature"},
		"Shp_ collide":          {with(func(r *wire.Request) { r.Shp = wire.Fields{{Name: "Shp_a", Value: "1"}, {Name: "shp_A", Value: "2"}} }), "29", "fields"},
		"a field twice":         {with(func(*wire.Request) {}) + "&Receipt=a&receipt=b", "29", "fields"},
		"not url-encoded":       {"MerchantLogin=demo-shop&OutSum=%zz", "31", "fields"},
		"number too large":      {with(func(r *wire.Request) { r.InvID = "9223372036854775808" }), "30", "invoice"},
		"negative number":       {with(func(r *wire.Request) { r.InvID = "-1" }), "30", "invoice"},
		"number twice":          {"MerchantLogin=demo-shop&OutSum=1&InvId=1&InvoiceID=2", "30", "fields"},
		"long description":      {with(func(r *wire.Request) { r.Description = strings.Repeat("я", 101) }), "30", "invoice"},
		"receipt no JSON":       {with(func(r *wire.Request) { r.Receipt = "{items" }), "30", "invoice"},
		"receipt without items": {with(func(r *wire.Request) { r.Receipt = `{"items":[]}` }), "30", "invoice"},
		"long Shp_":             {with(func(r *wire.Request) { r.Shp = wire.Fields{{Name: "Shp_a", Value: strings.Repeat("x", 3000)}} }), "30", "invoice"},
		"bad ResultUrl2":        {with(func(r *wire.Request) { r.ResultURL2 = "javascript:alert(1)" }), "30", "invoice"},
		"bad method":            {with(func(r *wire.Request) { r.SuccessURL2, r.SuccessMethod = "https://shop.example", "PUT" }), "30", "invoice"},
		"no method left":        {with(func(r *wire.Request) { r.PaymentMethods = []string{"Bitcoin"} }), "30", "invoice"},
		"date of no form":       {with(func(r *wire.Request) { r.Expiration = "tomorrow" }), "30", "invoice"},
		"expired":               {with(func(r *wire.Request) { r.Expiration = "2026-01-01T02:59" }), "33", "expired"}, // Moscow time
		"no recurring":          {with(func(r *wire.Request) { r.Login, r.Recurring = "plain", true }), "34", "recurring"},
		"recurring and hold":    {with(func(r *wire.Request) { r.Recurring, r.StepByStep = true, true }), "35", "recurring"},
		"no hold":               {with(func(r *wire.Request) { r.Login, r.StepByStep = "plain", true }), "64", "hold"},
		"hold in test mode":     {with(func(r *wire.Request) { r.StepByStep, r.IsTest = true, true }), "65", "hold"},
		"paid already":          {with(func(r *wire.Request) { r.InvID = "900" }), "40", "paid"},
	} {
		page := s.do("POST", "/merchant/INDEX.aspx", "application/x-www-form-urlencoded", tt.form)
		if got := page.code(t); got != tt.code {
			t.Errorf("%s: page with code %s; want %s", name, got, tt.code)
		}
		if v := s.last(robokassa.MethodIndex).Verdict; v.OK || v.Check != tt.check || num(int64(v.Code)) != tt.code || v.Detail == "" {
			t.Errorf("%s: verdict %+v; want %s", name, v, tt.check)
		} else if strings.Contains(v.Detail, "Live_42") {
			t.Errorf("%s: the journal shows a password: %s", name, v.Detail)
		}
		json := s.do("POST", "/Merchant/Indexjson.aspx", "application/x-www-form-urlencoded", tt.form)
		if want := `{"invoiceID":"00000000-0000-0000-0000-000000000000","errorCode":` + tt.code + `,"errorMessage":null}`; json.body != want || json.status != 200 {
			t.Errorf("%s: %d %s; want %s", name, json.status, json.body, want)
		}
		if get := s.get("/Merchant/Index.aspx?" + tt.form); get.code(t) != tt.code {
			t.Errorf("%s by GET: code %s", name, get.code(t))
		}
	}
	s.advance(time.Hour)
	if n := len(s.shop.heardAt("/result")); n != before {
		t.Errorf("refused requests made the shop hear %d times", n-before)
	}
	if list := s.platform.Operations(robokassa.Filter{}); len(list) != 1 {
		t.Errorf("refused requests left %d operations", len(list)-1)
	}
}

func TestCheckOrder(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	form := wire.Request{Login: login, OutSum: "0"}.Fields()
	if got := s.post("/Merchant/Index.aspx", form).code(t); got != "31" {
		t.Errorf("code %s; want 31 first", got)
	}
	s.change(func(with *robokassa.Settings) {
		with.CheckOrder[3], with.CheckOrder[4] = with.CheckOrder[4], with.CheckOrder[3]
	})
	if got := s.post("/Merchant/Index.aspx", form).code(t); got != "29" {
		t.Errorf("code %s; want 29 first", got)
	}
}

// The cards for tests do what their table says, any other card is refused, and a refused
// payment can be tried again.
func TestCards(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	page := s.open(basic("11"))
	for _, tt := range []struct{ number, expiry, cvc, problem string }{
		{"4111 1111 1111 1112", "12/30", "123", "number"},
		{"411", "12/30", "123", "number"},
		{"x", "12/30", "123", "number"},
		{"4111 1111 1111 1111", "12/25", "123", "expiry"},
		{"4111 1111 1111 1111", "13/30", "123", "expiry"},
		{"4111 1111 1111 1111", "12/30", "12", "cvc"},
		{"4111 1111 1111 1111", "12/30", "1x3", "cvc"},
	} {
		f := wire.Fields{{Name: "action", Value: "pay"}, {Name: "method", Value: "BankCardPSR"}, {Name: "number", Value: tt.number}, {Name: "expiry", Value: tt.expiry}, {Name: "cvc", Value: tt.cvc}}
		a := s.post(page, f)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="`+tt.problem+`"`) || strings.Count(a.body, "aria-invalid") != 1 {
			t.Errorf("%+v: %d", tt, a.status)
		}
		if tt.cvc == "123" && strings.Contains(a.body, `value="123"`) {
			t.Errorf("the page repeats the CVC")
		}
	}
	if _, ok := s.platform.Operation(login, 11); !ok || s.operation(11).State != 0 {
		t.Errorf("operation %+v", s.operation(11))
	}
	for i, card := range robokassa.Cards() {
		id := int64(100 + i)
		page := s.open(basic(num(id)))
		s.post(page, s.card(card.Number))
		s.advance(0)
		o := s.operation(id)
		switch card.Outcome {
		case robokassa.CardPays:
			if o.State != 100 || o.Failure != "" {
				t.Errorf("%s: %+v", card.Number, o)
			}
		default:
			if o.State != 10 || o.Failure != string(card.Outcome) || o.Tries != 0 {
				t.Errorf("%s: %+v", card.Number, o)
			}
			if a := s.get("/Merchant/State/" + o.GUID); !strings.Contains(a.body, s.shop.server.URL+"/fail?OutSum=100.260000&amp;InvId="+num(id)+"&amp;Culture=ru") || strings.Contains(a.body, "SignatureValue") {
				t.Errorf("%s: the page does not lead to FailURL\n%s", card.Number, a.body)
			}
			s.post(page, s.card("4111111111111111"))
			if o := s.operation(id); o.State != 100 {
				t.Errorf("%s, then a good one: %+v", card.Number, o)
			}
		}
	}
	s.post(page, s.card("4242 4242 4242 4242"))
	if o := s.operation(11); o.State != 10 || o.Failure != "foreign" {
		t.Errorf("a card that is none for tests: %+v", o)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := basic("12")
	r.Expiration = "2026-01-01T04:00" // in Moscow; an hour from now
	page := s.open(r)
	s.advance(time.Hour - time.Millisecond)
	if a := s.get(page); a.status != 200 {
		t.Errorf("before the end: %d", a.status)
	}
	s.advance(time.Millisecond)
	if o := s.operation(12); !o.Expired || o.State != 10 {
		t.Errorf("operation %+v", o)
	}
	if got := s.post(page, s.card("4111111111111111")).code(t); got != "33" {
		t.Errorf("paid too late: code %s", got)
	}
	if _, refused := s.platform.Act(login, 12, robokassa.ActPay, ""); refused == nil || refused.Code != wire.CodeExpired {
		t.Errorf("paid too late: %v", refused)
	}
	s.advance(0)
	if n := len(s.shop.heardAt("/result")); n != 0 {
		t.Errorf("the shop was told %d times", n)
	}
	if o := func() robokassa.Operation { s.open(basic("13")); return s.act(13, robokassa.ActExpire) }(); !o.Expired {
		t.Errorf("expired by hand: %+v", o)
	}
}

// Of two pages with one number only the first that is paid counts.
func TestOneNumberIsPaidOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	one, two := basic("14"), basic("14")
	two.OutSum = "5.00"
	first, second := s.open(one), s.open(two)
	if first == second {
		t.Fatal("two requests share a page")
	}
	if again := s.open(two); again != second {
		t.Error("a page that is loaded again is another operation")
	}
	s.post(first, s.card("4111111111111111"))
	if got := s.post(second, s.card("4111111111111111")).code(t); got != "40" {
		t.Errorf("code %s", got)
	}
	s.advance(time.Hour)
	told := s.shop.heardAt("/result")
	if len(told) != 1 || told[0].fields(t).Get("OutSum") != "100.260000" {
		t.Errorf("told %+v", told)
	}
}

func TestAssignedNumbersAndPreparedInvoices(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	seen := map[string]bool{}
	for _, id := range []string{"", "0", ""} {
		a := s.post("/Merchant/Indexjson.aspx", signed(basic(id)).Fields())
		prepared, err := wire.ParseIndexAnswer([]byte(a.body))
		if err != nil || prepared.ErrorCode != 0 || seen[prepared.InvoiceID] {
			t.Fatalf("prepared %s: %v", a.body, err)
		}
		seen[prepared.InvoiceID] = true
		if page := s.get("/Merchant/Index/" + strings.ToUpper(prepared.InvoiceID)); page.status != 200 {
			t.Errorf("page of a prepared invoice: %d", page.status)
		}
	}
	ids := map[int64]bool{}
	for _, o := range s.platform.Operations(robokassa.Filter{Shop: login, Limit: 10}) {
		if o.InvID <= 0 || ids[o.InvID] {
			t.Errorf("assigned %d", o.InvID)
		}
		ids[o.InvID] = true
	}
	if got := s.get("/Merchant/Index/" + wire.ZeroGUID).code(t); got != "53" {
		t.Errorf("an unknown GUID: code %s", got)
	}
}

// The signed addresses of a payment go before those of the shop, by their own methods.
func TestReturnByPost(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := basic("15")
	r.SuccessURL2, r.SuccessMethod = s.shop.server.URL+"/ok2", "POST"
	r.Culture = "en"
	page := s.open(r)
	paid := s.post(page, s.card("4111111111111111"))
	a := s.get("/Merchant/" + strings.TrimPrefix(paid.header.Get("Location"), "../"))
	for _, want := range []string{
		`<form method="post" action="` + s.shop.server.URL + `/ok2" data-send-after="5">`,
		`<input type="hidden" name="InvId" value="15">`, `<input type="hidden" name="Culture" value="en">`, `src="../return.js"`, "Return to the shop",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in\n%s", want, a.body)
		}
	}
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' "+s.shop.server.URL) {
		t.Errorf("policy %s", policy)
	}
	if script := s.get("/Merchant/return.js"); script.status != 200 || !strings.Contains(script.body, "data-send-after") {
		t.Errorf("script: %d", script.status)
	}
}

func TestResultURL2(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	key, err := wire.ParseCertificate([]byte(s.get("/media/files/jwtsign.cer").body))
	must(t, err)
	refuse := true
	s.shop.answers(func(h heard) (int, string) {
		if h.path == "/result2" && refuse {
			return 500, ""
		}
		return obedient(h)
	})
	r := basic("16")
	r.ResultURL2 = s.shop.server.URL + "/result2"
	s.open(r)
	o := s.act(16, robokassa.ActPay)
	s.advance(24 * time.Hour)
	told := s.shop.heardAt("/result2")
	if len(told) != 6 { // at once, and repeated five times at most
		t.Fatalf("told %d times", len(told))
	}
	for i, h := range told {
		n, err := wire.ParseStateNotice(h.body, key)
		want := wire.StateNotice{
			Timestamp: num(start.Unix() + int64(i)*60), Shop: login, OpKey: o.OpKey, InvID: "16",
			PaymentMethod: "BankCard", IncSum: "100.26", State: wire.NoticeOK,
		}
		if diff := cmp.Diff(want, n); diff != "" || err != nil || h.verb != "POST" || !strings.HasPrefix(h.kind, "application/json") {
			t.Errorf("notice %d: %v %s\n%s", i, err, h.kind, diff)
		}
	}
}

// Faults spoil what only the protocol can: a signature, and an amount.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	key, err := wire.ParseCertificate(robokassa.Certificate())
	must(t, err)
	one := 1
	for _, rule := range []fault.Rule{
		{Match: fault.Match{Method: robokassa.MethodResult, Nth: &one}, Act: fault.Act{Do: fault.WrongSignature}},
		{Match: fault.Match{Method: robokassa.MethodResult, Payment: "18"}, Act: fault.Act{Do: fault.OtherAmount}},
		{Match: fault.Match{Method: robokassa.MethodNotice}, Act: fault.Act{Do: fault.WrongSignature}},
	} {
		_, err := s.faults.Arm(rule)
		must(t, err)
	}
	verify := func(h heard) error {
		r, err := wire.NewResult(h.fields(t))
		must(t, err)
		return r.Verify(wire.MD5, pass2)
	}
	r := basic("17")
	r.ResultURL2 = s.shop.server.URL + "/result2"
	s.open(r)
	s.act(17, robokassa.ActPay)
	s.open(basic("18"))
	s.act(18, robokassa.ActPay)
	told := s.shop.heardAt("/result")
	if len(told) != 2 || verify(told[0]) == nil || verify(told[1]) != nil || told[1].fields(t).Get("OutSum") != "101.260000" {
		t.Errorf("told %+v", told)
	}
	if _, err := wire.ParseStateNotice(s.shop.heardAt("/result2")[0].body, key); err == nil {
		t.Error("the notice is rightly signed")
	}
}

func TestCurrency(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := basic("19")
	r.OutSum, r.Currency = "10.00", "USD"
	s.open(r)
	s.act(19, robokassa.ActPay)
	f := s.shop.heardAt("/result")[0].fields(t)
	if f.Get("OutSum") != "10.000000" || f.Get("IncSum") != "900.000000" || f.Get("Fee") != "35.100000" {
		t.Errorf("told %v", f)
	}
}

// What waits is as it should be after a reset: nothing is there, and nothing more is sent.
func TestReset(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.shop.answers(func(heard) (int, string) { return 500, "" })
	s.open(basic("20"))
	s.act(20, robokassa.ActPay)
	must(t, s.platform.PutShop(robokassa.Shop{Login: "other", Password1: "a", Password2: "b"}))
	s.change(func(with *robokassa.Settings) { with.FeePercent = "1" })
	s.platform.Reset(func() { s.clock.Reset(); s.journal.Reset() })
	before := len(s.shop.heardAt("/result"))
	s.advance(time.Hour)
	if n := len(s.shop.heardAt("/result")); n != before {
		t.Errorf("the shop was told %d times after the reset", n-before)
	}
	if _, ok := s.platform.Operation(login, 20); ok || len(s.platform.Shops()) != 1 || s.platform.Settings().FeePercent != "3.9" {
		t.Error("something is left")
	}
}

func TestSettingsAndShopsAreChecked(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for field, change := range map[string]func(*robokassa.Settings){
		"result_tries":    func(with *robokassa.Settings) { with.ResultTries = 0 },
		"live_decimals":   func(with *robokassa.Settings) { with.LiveDecimals = 3 },
		"check_order":     func(with *robokassa.Settings) { with.CheckOrder = with.CheckOrder[1:] },
		"fee_percent":     func(with *robokassa.Settings) { with.FeePercent = "1e9" },
		"rates.USD":       func(with *robokassa.Settings) { with.Rates["USD"] = "0" },
		"rates.rouble":    func(with *robokassa.Settings) { with.Rates["rouble"] = "1"; with.Rates["rouble"] = "-1" },
		"currency_result": func(with *robokassa.Settings) { with.CurrencyResult = "x" },
		"xml_namespace":   func(with *robokassa.Settings) { with.Namespace = "" },
	} {
		err := s.platform.ChangeSettings(func(with *robokassa.Settings) error { change(with); return nil })
		if at, ok := errors.AsType[*robokassa.FieldError](err); !ok || at.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if diff := cmp.Diff(robokassa.DefaultSettings(), s.platform.Settings()); diff != "" {
		t.Errorf("settings changed:\n%s", diff)
	}
	text, err := json.Marshal(s.platform.Settings())
	if err != nil || !strings.Contains(string(text), `"result_retry_ms":60000`) {
		t.Errorf("settings as JSON: %s, %v", text, err)
	}
	good := robokassa.Shop{Login: "a", Password1: "1", Password2: "2"}
	for field, change := range map[string]func(*robokassa.Shop){
		"login":          func(shop *robokassa.Shop) { shop.Login = "a b" },
		"password1":      func(shop *robokassa.Shop) { shop.Password1 = "" },
		"password2":      func(shop *robokassa.Shop) { shop.Password2 = "" },
		"hash":           func(shop *robokassa.Shop) { shop.Hash = "MD4" },
		"test_hash":      func(shop *robokassa.Shop) { shop.TestHash = "none" },
		"result_url":     func(shop *robokassa.Shop) { shop.ResultURL = "ftp://shop" },
		"result_method":  func(shop *robokassa.Shop) { shop.ResultMethod = "PUT" },
		"success_url":    func(shop *robokassa.Shop) { shop.SuccessURL = "javascript:alert(1)" },
		"success_method": func(shop *robokassa.Shop) { shop.SuccessMethod = "EMAIL" },
		"fail_url":       func(shop *robokassa.Shop) { shop.FailURL = "/fail" },
	} {
		shop := good
		change(&shop)
		if at, ok := errors.AsType[*robokassa.FieldError](s.platform.PutShop(shop)); !ok || at.Field != field {
			t.Errorf("%s: %v", field, at)
		}
	}
}

// The page speaks the language that the shop asked for, and without that its reader's.
func TestPageLanguage(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for i, tt := range []struct{ culture, accept, want string }{
		{"", "ru", "ru"},
		{"", "en", "en"},
		{"ru", "en", "ru"},
		{"en", "ru", "en"},
	} {
		r := basic(num(int64(100 + i)))
		r.Culture = tt.culture
		page, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+s.open(r), nil)
		if err != nil {
			t.Fatal(err)
		}
		page.Header.Set("Accept-Language", tt.accept)
		response, err := s.client.Do(page)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || !strings.Contains(string(text), `<html lang="`+tt.want+`"`) {
			t.Errorf("Culture %q, Accept-Language %q: want %s, got %.60s, %v", tt.culture, tt.accept, tt.want, text, err)
		}
	}
}
