package robokassa_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

var journalAll = journal.Filter{Protocol: robokassa.Protocol}

const service = "/Merchant/WebService/Service.asmx/"

func (s *stand) opState(id string) (d wire.OperationState) {
	s.Helper()
	a := s.get(service + "OpStateExt?MerchantLogin=demo-shop&InvoiceID=" + id + "&Signature=" + strings.ToUpper(wire.OpStateBase(login, id).Sign(wire.MD5, pass2)))
	if a.status != 200 || a.header.Get("Content-Type") != "text/xml; charset=utf-8" {
		s.Fatalf("OpStateExt: %d %s", a.status, a.body)
	}
	must(s, wire.ReadXML(a.body, &d))
	return d
}

// OpState knows an operation once the buyer has confirmed the details, and follows its states.
func TestOpState(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.change(func(with *robokassa.Settings) { with.CreditDelayMS = 60_000 })
	r := basic("30")
	r.Shp = wire.Fields{{Name: "Shp_login", Value: "Vasya"}}
	s.open(r)
	if d := s.opState("30"); d.Result.Code != wire.ResultNoOperation || d.State != nil || d.Info != nil || d.Result.Description == "" {
		t.Errorf("of a page that is only open: %+v", d)
	}
	s.act(30, robokassa.ActRefuse)
	if d := s.opState("30"); d.State == nil || d.State.Code != wire.StateCancelled {
		t.Errorf("refused: %+v", d)
	}
	s.act(30, robokassa.ActPay)
	if d := s.opState("30"); d.State.Code != wire.StatePaid || len(s.shop.heardAt("/result")) != 0 {
		t.Errorf("paid: %+v", d)
	}
	s.advance(time.Minute)
	d := s.opState("30")
	o := s.operation(30)
	want := wire.OperationState{
		Result: wire.ResultElement{},
		State:  &wire.StateElement{Code: wire.StateDone, RequestDate: "2026-01-01T03:00:00.0000000+03:00", StateDate: "2026-01-01T03:01:00.0000000+03:00"},
		Info: &wire.InfoElement{
			IncCurrLabel: "BankCardPSR", IncSum: "100.260000", IncAccount: "411111******1111", OutCurrLabel: "RUB", OutSum: "96.350000",
			PaymentMethod: wire.MethodElement{Code: "BankCard", Description: "Банковская карта"}, OpKey: &o.OpKey, BankCardRRN: d.Info.BankCardRRN,
		},
		UserField: &wire.UserFieldsList{Fields: []wire.UserField{{Name: "Shp_login", Value: "Vasya"}}},
	}
	if diff := cmp.Diff(want, d, cmpopts.IgnoreFields(wire.OperationState{}, "XMLName", "Names")); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
	if len(*d.Info.BankCardRRN) != 12 || len(o.OpKey) != 36+1+10 {
		t.Errorf("RRN %s, OpKey %s", *d.Info.BankCardRRN, o.OpKey)
	}
	plain := s.get(service + "opstate?merchantlogin=demo-shop&invoiceid=30&signature=" + wire.OpStateBase(login, "30").Sign(wire.MD5, pass2))
	if strings.Contains(plain.body, "OpKey") || strings.Contains(plain.body, "UserField") || !strings.Contains(plain.body, wire.NamespaceCaptured) {
		t.Errorf("OpState: %s", plain.body)
	}
	s.change(func(with *robokassa.Settings) { with.UserFields, with.Namespace = "both", wire.NamespaceDocumented })
	both := s.get(service + "OpStateExt?MerchantLogin=demo-shop&InvoiceID=30&Signature=" + wire.OpStateBase(login, "30").Sign(wire.MD5, pass2))
	if !strings.Contains(both.body, "<UserField>") || !strings.Contains(both.body, "<UserFields>") || !strings.Contains(both.body, wire.NamespaceDocumented) {
		t.Errorf("OpStateExt: %s", both.body)
	}
}

func TestServiceRefuses(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	good := wire.OpStateBase(login, "1").Sign(wire.MD5, pass2)
	for query, code := range map[string]wire.ResultCode{
		"MerchantLogin=demo-shop&InvoiceID=1&Signature=" + wire.OpStateBase(login, "1").Sign(wire.MD5, pass1): wire.ResultSignature,
		"MerchantLogin=demo-shop&InvoiceID=2&Signature=" + good:                                               wire.ResultSignature,
		"MerchantLogin=demo-shop&InvoiceID=1":                                                                 wire.ResultSignature,
		"MerchantLogin=nobody&InvoiceID=1&Signature=" + good:                                                  wire.ResultNoShop,
		"": wire.ResultNoShop,
		"MerchantLogin=demo-shop&InvoiceID=1&Signature=" + good: wire.ResultNoOperation,
	} {
		var d wire.OperationState
		a := s.get(service + "OpState?" + query)
		must(t, wire.ReadXML(a.body, &d))
		if d.Result.Code != code || a.status != 200 || s.last("OpState").Verdict.OK {
			t.Errorf("%s: %d %+v; want %d", query, a.status, d.Result, code)
		}
	}
	if a := s.get(service + "GetLimits"); a.status != http.StatusNotFound {
		t.Errorf("an unknown method: %d", a.status)
	}
	if a := s.get(service + "OpState?a=%zz"); a.status != http.StatusBadRequest {
		t.Errorf("no query: %d", a.status)
	}
	if a := s.do("DELETE", service+"OpState", "", ""); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("DELETE: %d", a.status)
	}
}

// The service answers to GET, form, JSON and SOAP alike.
func TestServiceForms(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	get := s.get(service + "GetPaymentMethods?MerchantLogin=demo-shop&Language=en")
	form := s.post(service+"GetPaymentMethods", wire.Fields{{Name: "MerchantLogin", Value: login}, {Name: "Language", Value: "en"}})
	byJSON := s.do("POST", service+"GetPaymentMethods", "application/json", `{"MerchantLogin":"demo-shop","Language":"en"}`)
	if get.body != form.body || get.body != byJSON.body || !strings.Contains(get.body, `<Method Code="BankCard" Description="Bank card">`) {
		t.Errorf("by GET %s\nby form %s\nby JSON %s", get.body, form.body, byJSON.body)
	}
	soap := s.do("POST", "/Merchant/WebService/Service.asmx", "text/xml; charset=utf-8",
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><CalcOutSumm xmlns="http://merchant.roboxchange.com/WebService/"><MerchantLogin>demo-shop</MerchantLogin><IncCurrLabel>BankCardPSR</IncCurrLabel><IncSum>100</IncSum></CalcOutSumm></s:Body></s:Envelope>`)
	var d struct {
		OutSum string `xml:"Body>CalcOutSummResponse>CalcOutSummResult>OutSum"`
	}
	if err := wire.ReadXML(soap.body, &d); err != nil || d.OutSum != "96.100000" {
		t.Errorf("by SOAP: %v\n%s", err, soap.body)
	}
	if a := s.do("POST", "/Merchant/WebService/Service.asmx", "text/xml", "x"); a.status != 400 {
		t.Errorf("no SOAP: %d", a.status)
	}
	signed := wire.CalcOutSummBase(login, "100").Sign(wire.MD5, pass1)
	for query, want := range map[string]string{
		"IncSum=100&IncCurrLabel=BankCardPSR&Signature=" + signed: "<OutSum>96.100000</OutSum>",
		"IncSum=200&IncCurrLabel=BankCardPSR&Signature=" + signed: "<Code>1</Code>",
		"IncSum=x&IncCurrLabel=BankCardPSR":                       "<Code>1000</Code>",
		"IncSum=100&IncCurrLabel=Gold":                            "<Code>1000</Code>",
	} {
		if a := s.get(service + "CalcOutSumm?MerchantLogin=demo-shop&" + query); !strings.Contains(a.body, want) {
			t.Errorf("%s: %s", query, a.body)
		}
	}
	if a := s.get(service + "GetCurrencies?MerchantLogin=demo-shop&Language=ru"); !strings.Contains(a.body, `<Currency Label="BankCardPSR" Alias="BankCard" Name="Банковская карта" MinValue="1" MaxValue="300000">`) {
		t.Errorf("GetCurrencies: %s", a.body)
	}
	if a := s.get(service + "GetRates?MerchantLogin=demo-shop&Language=ru&IncCurrLabel=SBPPSR&OutSum=50"); strings.Count(a.body, "<Currency ") != 1 || !strings.Contains(a.body, `<Rate IncSum="50.000000">`) {
		t.Errorf("GetRates: %s", a.body)
	}
}

// A hold is announced to ResultUrl2 alone; Confirm charges, also less; Cancel gives back.
func TestHold(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	key, err := wire.ParseCertificate(robokassa.Certificate())
	must(t, err)
	hold := func(id string) {
		r := basic(id)
		r.StepByStep, r.ResultURL2 = true, s.shop.server.URL+"/result2"
		n, _ := wire.ParseInvID(id)
		s.open(r)
		s.act(n, robokassa.ActPay)
	}
	capture := func(id, sum string) string {
		return s.post("/Merchant/Payment/Confirm", signed(wire.Request{Login: login, InvID: id, OutSum: sum}).Fields()).body
	}
	release := func(id string) string {
		return s.post("/Merchant/Payment/Cancel", wire.Fields{
			{Name: "MerchantLogin", Value: login},
			{Name: "InvoiceID", Value: id},
			{Name: "OutSum", Value: "100.26"},
			{Name: "SignatureValue", Value: wire.CancelBase(login, id).Sign(wire.MD5, pass1)},
		}).body
	}
	states := func() (list []string) {
		for _, h := range s.shop.heardAt("/result2") {
			n, err := wire.ParseStateNotice(h.body, key)
			must(t, err)
			list = append(list, n.InvID+n.State)
		}
		return list
	}
	const yes, no = `"success: true"`, `"success: false"`
	hold("40")
	if s.operation(40).State != 20 || len(s.shop.heardAt("/result")) != 0 {
		t.Errorf("held: %+v", s.operation(40))
	}
	for _, sum := range []string{"100.27", "0", "x"} {
		if got := capture("40", sum); got != no {
			t.Errorf("confirmed %s: %s", sum, got)
		}
	}
	if got := s.post("/Merchant/Payment/Confirm", wire.Request{Login: login, InvID: "40", OutSum: "1", Signature: "x"}.Fields()).body; got != no {
		t.Errorf("confirmed unsigned: %s", got)
	}
	if got := capture("40", "60.00"); got != yes {
		t.Errorf("confirmed: %s", got)
	}
	s.advance(0)
	told := s.shop.heardAt("/result")
	if len(told) != 1 || told[0].fields(t).Get("OutSum") != "60.000000" || told[0].fields(t).Get("IncSum") != "60.000000" || s.operation(40).State != 100 {
		t.Errorf("told %+v", told)
	}
	if capture("40", "60.00") != no || release("40") != no {
		t.Error("confirmed or released again")
	}
	hold("41")
	if got := release("41"); got != yes || s.operation(41).State != 60 {
		t.Errorf("released: %s, %+v", got, s.operation(41))
	}
	hold("42")
	s.advance(7*24*time.Hour - 1)
	if s.operation(42).State != 20 {
		t.Error("the hold ended too early")
	}
	s.advance(1)
	if s.operation(42).State != 60 || capture("42", "1") != no {
		t.Errorf("after seven days: %+v", s.operation(42))
	}
	if diff := cmp.Diff([]string{"40HOLD", "40OK", "41HOLD", "42HOLD"}, states()); diff != "" {
		t.Errorf("ResultUrl2 (-want +got):\n%s", diff)
	}
	if n := len(s.shop.heardAt("/result")); n != 1 {
		t.Errorf("ResultURL was told %d times", n)
	}
}

func TestRecurringAndSavedCard(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	parent := basic("50")
	parent.Recurring, parent.Email = true, "b@example.com"
	child := func(id, previous string, change func(*wire.Request)) string {
		r := wire.Request{Login: login, OutSum: "10.00", InvID: id, PreviousID: previous, Description: "Renewal"}
		if change != nil {
			change(&r)
		}
		return s.post("/Merchant/Recurring", signed(r).Fields()).body
	}
	s.open(parent)
	if got := child("51", "50", nil); !strings.HasPrefix(got, "ERROR 35") {
		t.Errorf("before the parent was paid: %s", got)
	}
	o := s.act(50, robokassa.ActPay)
	if got := child("51", "50", nil); got != "OK51" {
		t.Errorf("child: %s", got)
	}
	s.advance(0)
	told := s.shop.heardAt("/result")
	if len(told) != 2 || told[1].fields(t).Get("InvId") != "51" || told[1].fields(t).Get("EMail") != "b@example.com" {
		t.Errorf("told %+v", told)
	}
	for name, tt := range map[string]struct{ got, want string }{
		"number used":      {child("51", "50", nil), "ERROR 40"},
		"no number":        {child("", "50", nil), "ERROR 35"},
		"no parent":        {child("52", "999", nil), "ERROR 35"},
		"child of a child": {child("52", "51", nil), "ERROR 35"},
		"with a label":     {child("52", "50", func(r *wire.Request) { r.IncCurrLabel = "BankCardPSR" }), "ERROR 35"},
		"no sum":           {child("52", "50", func(r *wire.Request) { r.OutSum = "" }), "ERROR 31"},
		"unsigned":         {s.post("/Merchant/Recurring", wire.Request{Login: login, OutSum: "1", InvID: "52", PreviousID: "50"}.Fields()).body, "ERROR 29"},
	} {
		if !strings.HasPrefix(tt.got, tt.want) {
			t.Errorf("%s: %s; want %s", name, tt.got, tt.want)
		}
	}

	saved := basic("53")
	saved.Token = o.OpKey
	a := s.post("/Merchant/Payment/CoFPayment", signed(saved).Fields())
	page := "/Merchant/" + strings.TrimPrefix(a.header.Get("Location"), "../")
	if body := s.get(page).body; !strings.Contains(body, "411111******1111") || strings.Contains(body, `name="number"`) {
		t.Errorf("the page of a saved card:\n%s", body)
	}
	if a := s.post(page, wire.Fields{{Name: "action", Value: "pay"}, {Name: "cvc", Value: "321"}}); a.status != http.StatusSeeOther || s.operation(53).State != 100 {
		t.Errorf("paid by a saved card: %d %+v", a.status, s.operation(53))
	}
	saved.InvID, saved.Token = "54", "14D2B521-4EAB-492A-9D91-00D12FF24D57-1NvHQWRwf"
	if got := s.post("/Merchant/Payment/CoFPayment", signed(saved).Fields()).code(t); got != "30" {
		t.Errorf("a foreign token: code %s", got)
	}
	if got := s.post("/Merchant/Payment/CoFPayment", signed(basic("55")).Fields()).code(t); got != "30" {
		t.Errorf("without a token: code %s", got)
	}
}

func base64url(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func token(t testing.TB, header, payload string, key wire.Password) string {
	t.Helper()
	text, err := wire.SignToken(header, payload, wire.MD5, key)
	must(t, err)
	return text
}

const invoiceAPI = "/InvoiceServiceWebApi/api/"

func TestInvoiceAPI(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	key := wire.InvoiceKey(login, pass1)
	call := func(method, payload string, key wire.Password) string {
		t.Helper()
		a := s.do("POST", invoiceAPI+method, "application/json", `"`+token(t, `{"typ":"JWT","alg":"MD5"}`, payload, key)+`"`)
		if a.status != 200 {
			t.Errorf("%s: %d", method, a.status)
		}
		return a.body
	}
	// Literal bytes: the token of the vector jwt-create-md5.
	const vector = `"eyJ0eXAiOiJKV1QiLCJhbGciOiJNRDUifQ.eyJNZXJjaGFudExvZ2luIjoiZGVtby1zaG9wIiwiSW52b2ljZVR5cGUiOiJPbmVUaW1lIiwiQ3VsdHVyZSI6InJ1IiwiSW52SWQiOjEwMDEsIk91dFN1bSI6MTAwLjUsIkRlc2NyaXB0aW9uIjoi0J_QvtC_0L7Qu9C90LXQvdC40LUg0LHQsNC70LDQvdGB0LAiLCJVc2VyRmllbGRzIjp7InNocF9pbmZvIjoidGVzdCJ9LCJJbnZvaWNlSXRlbXMiOlt7Ik5hbWUiOiLQn9C-0L_QvtC70L3QtdC90LjQtSDQsdCw0LvQsNC90YHQsCIsIlF1YW50aXR5IjoxLCJDb3N0IjoxMDAuNSwiVGF4Ijoibm9uZSIsIlBheW1lbnRNZXRob2QiOiJmdWxsX3BheW1lbnQiLCJQYXltZW50T2JqZWN0Ijoic2VydmljZSJ9XSwiU3VjY2Vzc1VybDJEYXRhIjp7IlVybCI6Imh0dHBzOi8vc2hvcC5leGFtcGxlL29rIiwiTWV0aG9kIjoiR0VUIn0sIkZhaWxVcmwyRGF0YSI6eyJVcmwiOiJodHRwczovL3Nob3AuZXhhbXBsZS9mYWlsIiwiTWV0aG9kIjoiUE9TVCJ9fQ.BH1bjlZfOJqmi2TY68sO0g"`
	a := s.do("POST", invoiceAPI+"CreateInvoice", "application/json", vector)
	var created wire.InvoiceCreated
	if err := json.Unmarshal([]byte(a.body), &created); err != nil || !created.IsSuccess || created.InvID != 1001 || !strings.HasPrefix(created.URL, s.url+"/merchant/Invoice/") {
		t.Fatalf("created %s: %v", a.body, err)
	}
	if got := s.do("POST", invoiceAPI+"CreateInvoice", "application/json", vector).body; got != `{"isSuccess":false,"message":"Заказ с таким Id уже существует"}` {
		t.Errorf("the number again: %s", got)
	}
	opened := s.do("GET", created.URL, "", "")
	if opened.status != http.StatusSeeOther || opened.header.Get("Location") != "../Index/"+created.ID {
		t.Errorf("the link: %d to %s", opened.status, opened.header.Get("Location"))
	}
	list := func() (l wire.InvoiceList) {
		t.Helper()
		body := call("GetInvoiceInformationList", `{"MerchantLogin":"demo-shop","CurrentPage":1,"PageSize":10,"InvoiceStatuses":["paid","expired","notpaid"],"DateFrom":"2026-01-01T00:00:00+03:00","DateTo":"2026-12-31T23:59:59+03:00","InvoiceTypes":["onetime","reusable"]}`, key)
		must(t, json.Unmarshal([]byte(body), &l))
		return l
	}
	if l := list(); l.Total != 1 || l.Invoices[0].InvoiceStatus != "Notpaid" || l.Invoices[0].OutSum != "100.50" || l.Invoices[0].UserFields["shp_info"] != "test" {
		t.Errorf("list %+v", l)
	}
	s.act(1001, robokassa.ActPay)
	if l := list(); l.Invoices[0].InvoiceStatus != "Paid" {
		t.Errorf("list %+v", l)
	}
	f := s.shop.heardAt("/result")[0].fields(t)
	if f.Get("shp_info") != "test" || f.Get(wire.InvoiceField) != wire.InvoiceFieldValue {
		t.Errorf("told %v", f)
	}
	if got := s.do("GET", created.URL, "", "").code(t); got != "52" {
		t.Errorf("a paid invoice: code %s", got)
	}
	if got := call("DeactivateInvoice", `{"MerchantLogin":"demo-shop","InvId":1001}`, key); !strings.Contains(got, `"isSuccess":false`) {
		t.Errorf("deactivated a paid one: %s", got)
	}
	body := call("CreateInvoice", `{"MerchantLogin":"demo-shop","InvoiceType":"Reusable","OutSum":5}`, key)
	must(t, json.Unmarshal([]byte(body), &created))
	first := s.do("GET", created.URL, "", "").header.Get("Location")
	s.act(created.InvID, robokassa.ActPay)
	if second := s.do("GET", created.URL, "", "").header.Get("Location"); second == first || second == "" {
		t.Errorf("a reusable invoice leads to %s again", second)
	}
	body = call("CreateInvoice", `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime","OutSum":5}`, key)
	must(t, json.Unmarshal([]byte(body), &created))
	encoded := created.URL[strings.LastIndex(created.URL, "/")+1:]
	if len(encoded) != 22 {
		t.Errorf("encoded id %s", encoded)
	}
	if got := call("DeactivateInvoice", `{"MerchantLogin":"demo-shop","EncodedId":"`+encoded+`"}`, key); got != `{"isSuccess":true}` {
		t.Errorf("deactivated: %s", got)
	}
	if got := s.do("GET", created.URL, "", "").code(t); got != "51" {
		t.Errorf("a deactivated invoice: code %s", got)
	}
	if got := s.get("/Merchant/Invoice/6hucaX7-BkKNi4lyi-Iu2g").code(t); got != "53" {
		t.Errorf("an unknown invoice: code %s", got)
	}
	// The test mode has its own password.
	const test = `{"MerchantLogin":"demo-shop","InvId":77,"InvoiceType":"OneTime","OutSum":1,"AdditionalParameters":{"IsTest":"1"}}`
	if got := call("CreateInvoice", test, key); !strings.Contains(got, `"isSuccess":false`) {
		t.Errorf("a test invoice under the live password: %s", got)
	}
	if got := call("CreateInvoice", test, wire.InvoiceKey(login, test1)); !strings.Contains(got, `"isSuccess":true`) {
		t.Errorf("a test invoice: %s", got)
	}
	for name, payload := range map[string]string{
		"no type":       `{"MerchantLogin":"demo-shop","OutSum":1}`,
		"no sum":        `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime"}`,
		"sum as text":   `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime","OutSum":{}}`,
		"bad field":     `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime","OutSum":1,"UserFields":{"a":"b"}}`,
		"two modes":     `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime","OutSum":1,"AdditionalParameters":{"Recurring":"true","StepByStep":"true"}}`,
		"unknown param": `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime","OutSum":1,"AdditionalParameters":{"X":"1"}}`,
		"unknown shop":  `{"MerchantLogin":"nobody","InvoiceType":"OneTime","OutSum":1}`,
		"bad item":      `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime","OutSum":1,"InvoiceItems":[{"Name":"a"}]}`,
	} {
		if got := call("CreateInvoice", payload, key); !strings.HasPrefix(got, `{"isSuccess":false,"message":"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, body := range []string{"", "x", vector[:50], `"` + strings.Replace(vector[1:len(vector)-1], "BH1b", "BH1c", 1) + `"`} {
		if got := s.do("POST", invoiceAPI+"CreateInvoice", "application/json", body).body; !strings.HasPrefix(got, `{"isSuccess":false`) {
			t.Errorf("%.40q: %s", body, got)
		}
	}
}

func TestRefundAPI(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.open(basic("60"))
	o := s.act(60, robokassa.ActPay)
	refund := func(header, payload string, key wire.Password) (r wire.RefundCreated, status int) {
		t.Helper()
		a := s.do("POST", "/RefundService/Refund/Create", "application/json", `"`+token(t, header, payload, key)+`"`)
		must(t, json.Unmarshal([]byte(a.body), &r))
		return r, a.status
	}
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	part := `{"OpKey":"` + o.OpKey + `","RefundSum":40.26}`
	for name, tt := range map[string]struct {
		header, payload string
		key             wire.Password
		status          int
		message         string
	}{
		"another key":       {hs256, part, pass2, 401, wire.RefundNoAccess},
		"MD5":               {`{"alg":"MD5"}`, part, pass3, 401, wire.RefundNoAccess},
		"unknown operation": {hs256, `{"OpKey":"x"}`, pass3, 401, wire.RefundNoAccess},
		"too much":          {hs256, `{"OpKey":"` + o.OpKey + `","RefundSum":100.27}`, pass3, 200, wire.RefundNoFunds},
		"nothing":           {hs256, `{"OpKey":"` + o.OpKey + `","RefundSum":0}`, pass3, 400, ""},
		"negative":          {hs256, `{"OpKey":"` + o.OpKey + `","RefundSum":-1}`, pass3, 400, ""},
		"an item of none":   {hs256, `{"OpKey":"` + o.OpKey + `","InvoiceItems":[{"Name":""}]}`, pass3, 400, ""},
	} {
		r, status := refund(tt.header, tt.payload, tt.key)
		if r.Success || r.RequestID != nil || status != tt.status || r.Message == nil || tt.message != "" && *r.Message != tt.message {
			t.Errorf("%s: %d %+v", name, status, r)
		}
	}
	for _, header := range []string{`{"alg":"none"}`, `{"alg":"RS256"}`} {
		text := token(t, hs256, part, pass3)
		parts := strings.Split(text, ".")
		body := base64url(header) + "." + parts[1] + "." + parts[2]
		if a := s.do("POST", "/RefundService/Refund/Create", "text/plain", body); a.status != 401 {
			t.Errorf("%s: %d %s", header, a.status, a.body)
		}
	}
	if got := s.operation(60).Refunded.Text(); got != "0.00" {
		t.Fatalf("refused refunds took %s", got)
	}
	r, status := refund(hs256, part, pass3)
	if !r.Success || status != 200 || r.RequestID == nil || r.Message != nil {
		t.Fatalf("refund: %d %+v", status, r)
	}
	state := func(id string) string { return s.get("/RefundService/Refund/GetState?id=" + id).body }
	if got, want := state(*r.RequestID), `{"requestId":"`+*r.RequestID+`","amount":40.260000,"label":"processing"}`; got != want {
		t.Errorf("state %s; want %s", got, want)
	}
	s.advance(5 * time.Second)
	if got := state(*r.RequestID); !strings.HasSuffix(got, `"label":"finished"}`) {
		t.Errorf("state %s", got)
	}
	if got := state("x"); got != `{"message":"Id is invalid or request id does not exist"}` {
		t.Errorf("an unknown id: %s", got)
	}
	if r, _ := refund(hs256, part, pass3); !r.Success {
		t.Errorf("the second part: %+v", r)
	}
	if r, _ := refund(hs256, part, pass3); r.Success {
		t.Error("more was refunded than was paid")
	}
	if r, _ := refund(hs256, `{"OpKey":"`+o.OpKey+`"}`, pass3); !r.Success || s.operation(60).Refunded != s.operation(60).Roubles {
		t.Errorf("the rest: %+v", r)
	}
	if r, _ := refund(hs256, `{"OpKey":"`+o.OpKey+`"}`, pass3); r.Success {
		t.Error("nothing was left, and was refunded")
	}
}
