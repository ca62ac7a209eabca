package robokassa_test

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/partnerkit/partnerkit/contract/robokassa"
)

// In the form of the captured answer of 2010, with the documented members of today.
const stateDocument = `<?xml version="1.0" encoding="utf-8"?>
<OperationStateResponse xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://merchant.roboxchange.com/WebService/">
  <Result>
    <Code>0</Code>
  </Result>
  <State>
    <Code>100</Code>
    <RequestDate>2010-10-05T23:45:53.936341+04:00</RequestDate>
    <StateDate>2010-10-05T23:46:10.1+04:00</StateDate>
  </State>
  <Info>
    <IncCurrLabel>BankCardPSR</IncCurrLabel>
    <IncSum>0.090000</IncSum>
    <IncAccount></IncAccount>
    <PaymentMethod>
      <Code>BankCard</Code>
      <Description>Банковская карта</Description>
    </PaymentMethod>
    <OutCurrLabel>BANKOCEAN2R</OutCurrLabel>
    <OutSum>0.090000</OutSum>
  </Info>
</OperationStateResponse>`

func TestOperationState(t *testing.T) {
	t.Parallel()
	want := robokassa.OperationState{
		Names:  robokassa.NewNames(robokassa.NamespaceCaptured),
		Result: robokassa.ResultOf(robokassa.ResultOK),
		State:  &robokassa.StateElement{Code: robokassa.StateDone, RequestDate: "2010-10-05T23:45:53.936341+04:00", StateDate: "2010-10-05T23:46:10.1+04:00"},
		Info: &robokassa.InfoElement{
			IncCurrLabel: "BankCardPSR", IncSum: "0.090000", OutCurrLabel: "BANKOCEAN2R", OutSum: "0.090000",
			PaymentMethod: robokassa.MethodElement{Code: "BankCard", Description: "Банковская карта"},
		},
	}
	if got, err := robokassa.WriteXML(want); got != stateDocument || err != nil {
		t.Errorf("written: %v\n%s", err, cmp.Diff(stateDocument, got))
	}
	var got robokassa.OperationState
	if err := robokassa.ReadXML(stateDocument, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(xml.Name{}, robokassa.Names{})); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func TestRefusedDocuments(t *testing.T) {
	t.Parallel()
	names := robokassa.NewNames(robokassa.NamespaceDocumented)
	const head = `<?xml version="1.0" encoding="utf-8"?>` + "\n"
	const spaces = ` xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://auth.robokassa.ru/Merchant/WebService/"`
	result := func(c robokassa.ResultCode, text string) string {
		return "\n  <Result>\n    <Code>" + string('0'+rune(c)) + "</Code>\n    <Description>" + text + "</Description>\n  </Result>\n"
	}
	noShop := "Информация о магазине с таким MerchantLogin не найдена или магазин не активирован"
	for want, document := range map[string]any{
		head + "<OperationStateResponse" + spaces + ">" + result(1, "Неверная цифровая подпись запроса") + "</OperationStateResponse>": robokassa.OperationState{Names: names, Result: robokassa.ResultOf(robokassa.ResultSignature)},
		head + "<CurrenciesList" + spaces + ">" + result(2, noShop) + "</CurrenciesList>":                                              robokassa.CurrenciesList{XMLName: xml.Name{Local: robokassa.RootCurrencies}, Names: names, Result: robokassa.ResultOf(robokassa.ResultNoShop)},
		head + "<PaymentMethodsList" + spaces + ">" + result(2, noShop) + "</PaymentMethodsList>":                                      robokassa.PaymentMethodsList{Names: names, Result: robokassa.ResultOf(robokassa.ResultNoShop)},
		head + "<CalcSummsResponseData" + spaces + ">" + result(2, noShop) + "</CalcSummsResponseData>":                                robokassa.CalcSums{Names: names, Result: robokassa.ResultOf(robokassa.ResultNoShop)},
	} {
		if got, err := robokassa.WriteXML(document); got != want || err != nil {
			t.Errorf("written: %v\n%s", err, cmp.Diff(want, got))
		}
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	list := robokassa.CurrenciesList{
		XMLName: xml.Name{Local: robokassa.RootRates},
		Groups: &[]robokassa.CurrencyGroup{{Code: "BankCard", Description: "Карта", Items: []robokassa.Currency{
			{Label: "BankCardPSR", Alias: "BankCard", Name: "Карта <МИР>", MaxValue: "300000", Rate: &robokassa.Rate{IncSum: "100"}},
		}}},
	}
	text, err := robokassa.WriteXML(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<RatesList>`, `<Groups>`, `<Group Code="BankCard" Description="Карта">`, `<Items>`,
		`<Currency Label="BankCardPSR" Alias="BankCard" Name="Карта &lt;МИР&gt;" MaxValue="300000">`, `<Rate IncSum="100"></Rate>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	var again robokassa.CurrenciesList
	if err := robokassa.ReadXML(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, again); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}

func TestSOAP(t *testing.T) {
	t.Parallel()
	envelope := func(space, body string) string {
		return `<?xml version="1.0"?><s:Envelope xmlns:s="` + space + `"><s:Body>` + body + `</s:Body></s:Envelope>`
	}
	const v11, v12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
	const body = `<OpState xmlns="http://merchant.roboxchange.com/WebService/"><MerchantLogin>demo &amp; shop</MerchantLogin><InvoiceID>5</InvoiceID></OpState>`
	for space, is12 := range map[string]bool{v11: false, v12: true} {
		c, err := robokassa.ParseSOAP(envelope(space, body))
		want := robokassa.Call{Method: "OpState", Fields: robokassa.Fields{{Name: "MerchantLogin", Value: "demo & shop"}, {Name: "InvoiceID", Value: "5"}}, SOAP12: is12}
		if diff := cmp.Diff(want, c); diff != "" || err != nil {
			t.Errorf("call: %v\n%s", err, diff)
		}
		answer := c.WrapSOAP(stateDocument, robokassa.NamespaceCaptured)
		var got struct {
			XMLName xml.Name `xml:"Envelope"`
			Code    int      `xml:"Body>OpStateResponse>OpStateResult>State>Code"`
		}
		if err := robokassa.ReadXML(answer, &got); err != nil || got.Code != 100 || got.XMLName.Space != space {
			t.Errorf("answer: %+v, %v\n%s", got, err, answer)
		}
	}
	for name, text := range map[string]string{
		"no XML":     "x",
		"no call":    envelope(v11, ""),
		"two calls":  envelope(v11, "<a/><b/>"),
		"twice":      envelope(v11, "<a><b>1</b><B>2</B></a>"),
		"no SOAP":    envelope("http://example.com", "<a/>"),
		"other root": "<a/>",
	} {
		if c, err := robokassa.ParseSOAP(text); !errors.Is(err, robokassa.ErrXML) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func FuzzParseSOAP(f *testing.F) {
	f.Add(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><OpState><a>1</a></OpState></s:Body></s:Envelope>`)
	f.Add(stateDocument)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := robokassa.ParseSOAP(text)
		if err != nil {
			if !errors.Is(err, robokassa.ErrXML) {
				t.Fatalf("ParseSOAP(%q) = %v", text, err)
			}
			return
		}
		var any struct {
			XMLName xml.Name
		}
		if err := robokassa.ReadXML(c.WrapSOAP(stateDocument, robokassa.NamespaceCaptured), &any); err != nil {
			t.Fatalf("the answer to %q is no XML: %v", text, err)
		}
	})
}

func FuzzReadXML(f *testing.F) {
	f.Add(stateDocument)
	f.Add(`<OperationStateResponse><UserField><Field><Name>a</Name><Value>b</Value></Field></UserField></OperationStateResponse>`)
	f.Fuzz(func(t *testing.T, text string) {
		var s robokassa.OperationState
		if err := robokassa.ReadXML(text, &s); err != nil {
			if !errors.Is(err, robokassa.ErrXML) {
				t.Fatalf("ReadXML(%q) = %v", text, err)
			}
			return
		}
		again, err := robokassa.WriteXML(robokassa.OperationState{Result: s.Result, State: s.State, Info: s.Info, UserField: s.UserField})
		if err != nil {
			t.Fatalf("%q cannot be written again: %v", text, err)
		}
		var same robokassa.OperationState
		if err := robokassa.ReadXML(again, &same); err != nil || same.Result.Code != s.Result.Code {
			t.Fatalf("%q written again is %q: %v", text, again, err)
		}
	})
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []robokassa.Code{23, 25, 26, 29, 30, 31, 33, 34, 35, 40, 41, 42, 51, 52, 53, 60, 64, 65, 500} {
		if c.Russian() == "" || c.English() == "" || c != 500 && c.English() == robokassa.CodeInternal.English() {
			t.Errorf("code %d: %q, %q", c, c.Russian(), c.English())
		}
	}
	if got := robokassa.Code(36).Russian(); got != "Внутренняя ошибка сервиса" {
		t.Errorf("code 36: %q", got)
	}
	if got := robokassa.Refuse(robokassa.CodeSum, "OutSum is 0").Error(); got != "refused with code 31: The sum of the payment is wrong: OutSum is 0" {
		t.Errorf("error = %q", got)
	}
	if robokassa.ResultOK.Description() != "" || robokassa.ResultNoOperation.Description() == "" {
		t.Error("descriptions of the XML service are wrong")
	}
}
