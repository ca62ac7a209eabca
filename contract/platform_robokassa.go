package contract

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/testdata"
)

var robokassaAreas = []Area{
	{
		ID: "PR-CALL", Title: Text{"Robokassa: calls for any shop", "Robokassa: вызовы для любого магазина"},
		Why: Text{
			"These hold for every shop and change nothing, so they can be tried at the real one.",
			"Эти правила действуют для любого магазина и ничего не меняют, поэтому их можно проверить и на настоящей платформе.",
		},
		Mend: Text{
			"Refuse by the code of the reason, whoever asks.",
			"Отвергайте с кодом причины, кто бы ни спрашивал.",
		},
		Example: "GET /Merchant/WebService/Service.asmx/OpStateExt?MerchantLogin=nobody&… → <Result><Code>2</Code>…",
	},
	{
		ID: "PR-SIGN", Title: Text{"Robokassa: signatures, to the letter", "Robokassa: подписи, дословно"},
		Why: Text{
			"Each is a request as a shop, an SDK or a CMS module sends it, with its signature computed elsewhere. A base that differs by one character refuses real shops, or lets a forger in.",
			"Это запросы, какие шлют магазины, SDK и модули CMS; подписи вычислены не нами. Если строка для подписи отличается хоть одним символом, платформа отвергнет настоящий магазин или пропустит подделку.",
		},
		Mend: Text{
			"Look the vector up by its name in testdata/robokassa/vectors.json: it has the fields, the base and all six digests.",
			"Найдите вектор по имени в testdata/robokassa/vectors.json: там поля, строка для подписи и все шесть хешей.",
		},
		Example: "POST /Merchant/Indexjson.aspx MerchantLogin=demo-shop&OutSum=100.00&InvId=12345&SignatureValue=47cf8dd6… → {\"invoiceID\":\"<guid>\",\"errorCode\":0,\"errorMessage\":null}",
	},
	{
		ID: "PR-TOKEN", Title: Text{"Robokassa: tokens of the Invoice API, to the letter", "Robokassa: токены Invoice API, дословно"},
		Why: Text{
			"The Invoice API takes six algorithms under ten names and two alphabets of base64; each is what some client sends.",
			"Invoice API принимает шесть алгоритмов под десятью именами и оба алфавита base64; каждый вариант шлёт какой-нибудь клиент.",
		},
		Mend: Text{
			"Compute the HMAC over header and payload as they were received, with MerchantLogin:Password1 as the key.",
			"Вычисляйте HMAC от заголовка и тела токена в том виде, в каком они пришли; ключ — MerchantLogin:Password1.",
		},
		Example: "POST /InvoiceServiceWebApi/api/CreateInvoice \"eyJ0eXAi…\" → {\"id\":\"<guid>\",\"invId\":1001,\"url\":\"…\",\"isSuccess\":true}",
	},
	{
		ID: "PR-PAGE", Title: Text{"Robokassa: what the payment page refuses", "Robokassa: что отвергает страница оплаты"},
		Why: Text{
			"A shop learns what is wrong by the code alone.",
			"Что не так, магазин узнаёт только по коду.",
		},
		Mend: Text{
			"Check in this order: 26, 25, 23, 31, 29, 30, 33, 34/35, 64/65, 40.",
			"Проверяйте в таком порядке: 26, 25, 23, 31, 29, 30, 33, 34/35, 64/65, 40.",
		},
		Example: "POST /Merchant/Indexjson.aspx …&SignatureValue=00000000… → {\"invoiceID\":\"00000000-…\",\"errorCode\":29,…}",
	},
	{
		ID: "PR-RESULT", Title: Text{"Robokassa: ResultURL", "Robokassa: ResultURL"},
		Why: Text{
			"The shop hands out its goods when ResultURL is called. The fields, their spelling and their decimals are signed as they stand.",
			"Магазин отдаёт товар, когда вызван ResultURL. Поля, их написание и число знаков подписываются как есть.",
		},
		Mend: Text{
			"Send the fields in the captured order, six decimals live and two in test mode, an upper-case signature by password 2; repeat until the answer has OK and the number.",
			"Шлите поля в записанном порядке, шесть знаков в боевом режиме и два в тестовом, подпись заглавными буквами по второму паролю; повторяйте, пока в ответе не будет OK и номера.",
		},
		Example: "POST <ResultURL> out_summ=100.000000&OutSum=100.000000&inv_id=1&InvId=1&crc=…&SignatureValue=…&… → OK1",
	},
	{
		ID: "PR-STATE", Title: Text{"Robokassa: XML service", "Robokassa: XML-сервис"},
		Why: Text{
			"OpStateExt is how a shop finds out what became of a payment whose ResultURL never came.",
			"Через OpStateExt магазин узнаёт, что стало с платежом, о котором ResultURL так и не пришёл.",
		},
		Mend: Text{
			"Answer with Result first, and nothing else where its code is not 0.",
			"Первым в ответе идёт Result, а если его код не 0, больше ничего.",
		},
		Example: "GET /Merchant/WebService/Service.asmx/OpStateExt?MerchantLogin=…&InvoiceID=1&Signature=… → <OperationStateResponse>…<State><Code>100</Code>…",
	},
	{
		ID: "PR-HOLD", Title: Text{"Robokassa: holds and refunds", "Robokassa: холдирование и возвраты"},
		Why: Text{
			"A hold is captured once or let go; a refund gives back no more than was paid.",
			"Холд один раз списывают или снимают; вернуть можно не больше, чем оплачено.",
		},
		Mend: Text{
			"Confirm and Cancel change a hold by one conditional step; sum up refunds before accepting one.",
			"Confirm и Cancel меняют холд одним условным шагом; прежде чем принять возврат, сложите прежние.",
		},
		Example: "POST /Merchant/Payment/Confirm … → \"success: true\"",
	},
}

// robokassaFile is the file of vectors.
type robokassaFile struct {
	Credentials map[string]string `json:"credentials"`
	Signatures  []struct {
		ID    string            `json:"id"`
		Group string            `json:"group"`
		Note  string            `json:"note"`
		Hash  map[string]string `json:"hash"`
		Wire  string            `json:"wire_md5"`
		Pairs [][]string        `json:"fields"`
	} `json:"signatures"`
	JWT []struct {
		ID       string `json:"id"`
		Endpoint string `json:"endpoint"`
		Note     string `json:"note"`
		Token    string `json:"token"`
		Header   string `json:"header_json"`
		Payload  string `json:"payload_json"`
		HMAC     string `json:"hmac"`
	} `json:"jwt"`
}

// robokassaVectors reads the embedded file, once.
var robokassaVectors = sync.OnceValue(func() robokassaFile {
	var file robokassaFile
	if err := json.Unmarshal(testdata.RobokassaVectors, &file); err != nil {
		panic("contract: testdata/robokassa/vectors.json: " + err.Error())
	}
	return file
})

func robokassaChecks() []Check {
	return slices.Concat(shopChecks(), signChecks(), tokenChecks(), pageChecks(), resultChecks(), stateChecks(), holdChecks())
}

// Vectors with an answer of their own: what is refused, and where nothing is documented.
var (
	refusedVectors  = []string{"pay-27-resulturl2-encoded-base", "pay-36-test-mode-live-password", "pay-41-encoded-base-raw-field"}
	advisoryVectors = []string{"pay-12-shp-mixed-case-bytewise", "pay-19-receipt-mixed-form", "pay-21-currency-unsigned", "pay-40-receipt-double-encoded"}
	cardVectors     = []string{"pay-32-cof-token", "pay-33-cof-token-resulturl2"} // for CoFPayment
	widgetVectors   = []string{"pay-39-free-sum-widget"}                          // of a script, which the stand-in has not
)

// shopChecks are those that need nothing but a shop's login.
func shopChecks() []Check {
	// known is the target's shop. A stand-in may not have it yet.
	known := func(t *T) *RobokassaTarget {
		p := t.env.target.Platform
		if t.env.control != nil && !p.ReadOnly {
			t.set(t.env.control.shop(t.ctx, p.Robokassa))
		}
		return p.Robokassa
	}
	payment := func(login string) robokassa.Request {
		return robokassa.Request{Login: login, OutSum: "100.00", InvID: "2147483647", Signature: strings.Repeat("0", 32)}
	}
	state := func(t *T, login string, want int) {
		if code, _, a := t.opState(login, "2147483647", strings.Repeat("0", 32)); code != want {
			t.failAt(a.index, verbatim(fmt.Sprintf("Result %d", want)), a.said())
		}
	}
	return numbered("PR-CALL", "Robokassa §6, §9", []Need{NeedRobo}, []Check{
		{Title: Text{"A payment that is wrongly signed is code 29", "Неверно подписанный платёж — код 29"}, Run: func(t *T) {
			t.page(payment(known(t).Login).Fields().Encode(), robokassa.CodeSignature)
		}},
		{Title: Text{"A payment to a shop that is not there is code 26", "Платёж несуществующему магазину — код 26"}, Run: func(t *T) {
			t.page(payment("nobody-"+t.fresh()).Fields().Encode(), robokassa.CodeNoShop)
		}},
		{Title: Text{"OpStateExt with a wrong signature is code 1", "OpStateExt с неверной подписью — код 1"}, Run: func(t *T) {
			state(t, known(t).Login, 1)
		}},
		{Title: Text{"OpStateExt of a shop that is not there is code 2", "OpStateExt несуществующего магазина — код 2"}, Run: func(t *T) {
			state(t, "nobody-"+t.fresh(), 2)
		}},
		{Title: Text{"OpStateExt with the right signature tells nothing of a number that is not there: code 3", "OpStateExt с верной подписью о несуществующем номере не знает: код 3"}, Run: func(t *T) {
			shop := known(t)
			algorithm := robokassa.Algorithm(cmp.Or(strings.ToUpper(shop.Hash), string(robokassa.MD5)))
			signature := robokassa.OpStateBase(shop.Login, "2147483647").Sign(algorithm, robokassa.Password(shop.Password2))
			if code, _, a := t.opState(shop.Login, "2147483647", signature); code != 3 {
				t.failAt(a.index, verbatim("Result 3"), a.said())
			}
		}},
	})
}

func signChecks() []Check {
	var checks []Check
	for _, v := range robokassaVectors().Signatures {
		if v.Group != "payment_request" || slices.Contains(slices.Concat(cardVectors, widgetVectors), v.ID) {
			continue
		}
		want, outcome, ru := robokassa.Code(0), "accepted", "принимается"
		if slices.Contains(refusedVectors, v.ID) {
			want, outcome, ru = robokassa.CodeSignature, "refused with code 29", "отвергается с кодом 29"
		}
		c := Check{
			Title: Text{fmt.Sprintf("Vector %s is %s: %s", v.ID, outcome, v.Note), fmt.Sprintf("Вектор %s %s: %s", v.ID, ru, vectorsInRussian[v.ID])},
			Run: func(t *T) {
				t.vectorShop("MD5")
				t.page(v.Wire, want)
			},
		}
		if slices.Contains(advisoryVectors, v.ID) {
			c.Severity = Should
		}
		checks = append(checks, c)
	}
	for _, v := range robokassaVectors().Signatures {
		if v.ID != "pay-09-shp" {
			continue
		}
		for _, algorithm := range robokassa.Algorithms()[1:] {
			checks = append(checks, Check{
				Title: Text{fmt.Sprintf("Vector %s by %s is accepted", v.ID, algorithm), fmt.Sprintf("Вектор %s по %s принимается", v.ID, algorithm)}, Alone: true,
				Run: func(t *T) {
					t.vectorShop(string(algorithm))
					t.page(strings.Replace(v.Wire, v.Hash["MD5"], v.Hash[string(algorithm)], 1), 0)
					t.page(v.Wire, robokassa.CodeSignature) // the shop has chosen another one
					t.vectorShop("MD5")
				},
			})
		}
	}
	return numbered("PR-SIGN", "Robokassa §2, §12.1", []Need{NeedRobo, NeedControl, NeedWrite}, append(checks, cardChecks()...))
}

// cardChecks are those of payments with a saved card.
func cardChecks() []Check {
	var checks []Check
	for _, v := range robokassaVectors().Signatures {
		if slices.Contains(cardVectors, v.ID) {
			checks = append(checks, Check{
				Title: Text{fmt.Sprintf("Vector %s is rightly signed: %s", v.ID, v.Note), fmt.Sprintf("Вектор %s подписан верно: %s", v.ID, vectorsInRussian[v.ID])},
				Run: func(t *T) { // the card is nobody's here, which is looked at after the signature
					t.vectorShop("MD5")
					t.cardPage(v.Wire, robokassa.CodeInvoice)
					t.cardPage(strings.Replace(v.Wire, "SignatureValue=", "SignatureValue=0", 1), robokassa.CodeSignature)
				},
			})
		}
	}
	checks = append(checks, Check{
		Title: Text{"A card that has paid pays again by CoFPayment, with its Token signed", "Карта, которой платили, платит снова через CoFPayment, если Token подписан"},
		Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.00"))
			s.acts("pay")
			r := s.request("50.00")
			r.InvID, r.Token = strconv.Itoa(s.number+1), s.opKey()
			t.cardPage(s.signed(r), 0)
			unsigned := r
			unsigned.Token = ""
			r.InvID, r.Signature = strconv.Itoa(s.number+2), unsigned.Signed(robokassa.MD5, shopPassword1).Signature
			t.cardPage(r.Fields().Encode(), robokassa.CodeSignature)
		},
	})
	return append(checks, receiptChecks()...)
}

// receiptChecks are those of a Receipt that is not signed as it was sent.
func receiptChecks() []Check {
	const receipt = `{"items":[{"name":"product","quantity":1,"sum":8.96,"tax":"none"}]}`
	once := url.QueryEscape(receipt)
	twice := url.QueryEscape(once)
	pays := func(t *T, sent, signed string, want robokassa.Code) {
		s := t.shop(nil)
		r := s.request("8.96")
		r.Receipt = signed
		r.Signature = r.Signed(robokassa.MD5, shopPassword1).Signature
		r.Receipt = sent
		t.page(r.Fields().Encode(), want)
	}
	return []Check{
		{
			Title:    Text{"A receipt that arrives encoded twice may be signed in plain JSON", "Receipt, который пришёл закодированным дважды, может быть подписан незакодированным JSON"},
			Severity: Should, Run: func(t *T) { pays(t, twice, receipt, 0) },
		},
		{
			Title: Text{"A receipt that arrives encoded once and is signed encoded twice is code 29", "Receipt пришёл закодированным один раз, а подписан закодированный дважды — код 29"},
			Run:   func(t *T) { pays(t, once, twice, robokassa.CodeSignature) },
		},
	}
}

var pageCode = regexp.MustCompile(`>\s*([0-9]{2})\s*<`)

// cardPage sends a payment with a saved card, and wants the code of a refusal on the page, or
// the page of the payment for 0.
func (t *T) cardPage(form string, want robokassa.Code) {
	a := t.send("CoFPayment", http.MethodPost, t.robo("/Merchant/Payment/CoFPayment"), form, formType)
	code := "0"
	if m := pageCode.FindSubmatch(a.body); m != nil {
		code = string(m[1])
	}
	if a.err != nil || a.status >= 400 || code != strconv.Itoa(int(want)) {
		t.failAt(a.index, say("a page with code %d", want), a.said())
	}
}

// opKey is the platform's name for the payment, as OpStateExt tells it.
func (s *roboShop) opKey() string {
	_, _, a := s.state(shopPassword2)
	_, rest, _ := strings.Cut(string(a.body), "<OpKey>")
	key, _, _ := strings.Cut(rest, "</OpKey>")
	return key
}

// vectorShop makes the shop that the vectors are of.
func (t *T) vectorShop(hash string) {
	c := robokassaVectors().Credentials
	t.set(t.env.control.do(t.ctx, http.MethodPut, "/robokassa/shops/"+c["merchant_login"], map[string]any{
		"password1": c["password1"], "password2": c["password2"], "password3": c["password3"],
		"test_password1": c["test_password1"], "test_password2": c["test_password2"], "hash": hash, "test_hash": hash,
	}, nil))
}

var formType = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

// page sends a payment to the page that answers with JSON, and wants the code. It returns the
// invoice's GUID.
func (t *T) page(form string, want robokassa.Code) string {
	a := t.send("Indexjson", http.MethodPost, t.robo("/Merchant/Indexjson.aspx"), form, formType)
	answer, err := robokassa.ParseIndexAnswer(a.body)
	if a.err != nil || err != nil {
		t.failAt(a.index, verbatim(`{"invoiceID":…,"errorCode":…,"errorMessage":…}`), a.said())
	}
	var members struct {
		InvoiceID string         `json:"invoiceID"`
		ErrorCode robokassa.Code `json:"errorCode"`
	}
	_ = answer
	if err := json.Unmarshal(a.body, &members); err != nil || members.ErrorCode != want || (want == 0) == (members.InvoiceID == robokassa.ZeroGUID || members.InvoiceID == "") {
		t.failAt(a.index, verbatim(fmt.Sprintf("errorCode %d", want)), a.said())
	}
	return members.InvoiceID
}

// robo is an address of the platform.
func (t *T) robo(path string) string {
	return strings.TrimRight(t.env.target.Platform.Robokassa.URL, "/") + path
}

func tokenChecks() []Check {
	var checks []Check
	for _, v := range robokassaVectors().JWT {
		if v.Endpoint != "CreateInvoice" && v.Endpoint != "DeactivateInvoice" && v.Endpoint != "GetInvoiceInformationList" {
			continue
		}
		checks = append(checks, Check{
			Title: Text{fmt.Sprintf("Token %s is accepted", v.ID), fmt.Sprintf("Токен %s принимается", v.ID)},
			Run: func(t *T) {
				t.vectorShop("MD5")
				b, refused := t.invoice(v.Endpoint, strconv.Quote(v.Token[:len(v.Token)-6]+"AAAAAA"))
				if refused["isSuccess"] == true {
					t.failAt(b.index, say("another signature refused"), b.said())
				}
				// A number that is taken, or is not there, is not a matter of the signature.
				if a, answer := t.invoice(v.Endpoint, strconv.Quote(v.Token)); answer["isSuccess"] != true && answer["message"] == refused["message"] {
					t.failAt(a.index, say("the signature accepted"), a.said())
				}
			},
		})
	}
	checks = append(checks,
		Check{Title: Text{"A token without quotes is accepted as well", "Токен без кавычек тоже принимается"}, Run: func(t *T) {
			s := t.shop(nil)
			a, answer := t.invoice("CreateInvoice", s.token(`{"MerchantLogin":"`+s.login+`","InvoiceType":"OneTime","InvId":7,"OutSum":10.5}`))
			if answer["isSuccess"] != true || fmt.Sprint(answer["invId"]) != "7" {
				t.failAt(a.index, verbatim("isSuccess true, invId 7"), a.said())
			}
		}},
		Check{Title: Text{"A number that is taken is refused", "Занятый номер отвергается"}, Run: func(t *T) {
			s := t.shop(nil)
			payload := `{"MerchantLogin":"` + s.login + `","InvoiceType":"OneTime","InvId":7,"OutSum":10.5}`
			t.invoice("CreateInvoice", s.token(payload))
			a, answer := t.invoice("CreateInvoice", s.token(payload))
			if answer["isSuccess"] != false || answer["message"] != robokassa.InvoiceTaken {
				t.failAt(a.index, verbatim(robokassa.InvoiceTaken), a.said())
			}
		}},
		Check{Title: Text{"Without a number one is assigned", "Без номера он назначается"}, Run: func(t *T) {
			s := t.shop(nil)
			a, answer := t.invoice("CreateInvoice", s.token(`{"MerchantLogin":"`+s.login+`","InvoiceType":"OneTime","OutSum":10.5}`))
			if n, err := strconv.Atoi(fmt.Sprint(answer["invId"])); answer["isSuccess"] != true || err != nil || n <= 0 {
				t.failAt(a.index, say("isSuccess true and a number"), a.said())
			}
		}},
		Check{Title: Text{"An invoice that is deactivated is deactivated once", "Счёт деактивируется один раз"}, Run: func(t *T) {
			s := t.shop(nil)
			t.invoice("CreateInvoice", s.token(`{"MerchantLogin":"`+s.login+`","InvoiceType":"OneTime","InvId":7,"OutSum":10.5}`))
			a, answer := t.invoice("DeactivateInvoice", s.token(`{"MerchantLogin":"`+s.login+`","InvId":7}`))
			if answer["isSuccess"] != true {
				t.failAt(a.index, verbatim("isSuccess true"), a.said())
			}
			if a, answer := t.invoice("DeactivateInvoice", s.token(`{"MerchantLogin":"`+s.login+`","InvId":8}`)); answer["isSuccess"] != false {
				t.failAt(a.index, say("a refusal: there is no invoice 8"), a.said())
			}
		}},
	)
	return numbered("PR-TOKEN", "Robokassa §7", []Need{NeedRobo, NeedControl, NeedWrite}, checks)
}

// invoice makes a call of the Invoice API.
func (t *T) invoice(method, body string) (answer, map[string]any) {
	a := t.send(method, http.MethodPost, t.robo("/InvoiceServiceWebApi/api/"+method), body, http.Header{"Content-Type": {"application/json"}})
	object, ok := readJSON(a.body).(map[string]any)
	if _, isBool := object["isSuccess"].(bool); a.err != nil || !ok || !isBool {
		t.failAt(a.index, say(`an object with "isSuccess"`), a.said())
	}
	return a, object
}

// roboShop is a shop made for one check.
type roboShop struct {
	t      *T
	login  string
	result *sink
	number int
}

const (
	shopPassword1 = "contract-password-1"
	shopPassword2 = "contract-password-2"
	shopPassword3 = "contract-password-3"
	testPassword1 = "contract-test-password-1"
	testPassword2 = "contract-test-password-2"
)

// shop makes a shop whose ResultURL is a sink that answers OK; more changes its settings.
func (t *T) shop(more map[string]any) *roboShop {
	s := &roboShop{t: t, login: t.env.login(t), result: t.sink(nil), number: 1 + t.dice.below(1_000_000)}
	s.result.text = robokassaOK
	settings := map[string]any{
		"password1": shopPassword1, "password2": shopPassword2, "password3": shopPassword3,
		"test_password1": testPassword1, "test_password2": testPassword2, "result_url": s.result.url + "/result",
	}
	for name, value := range more {
		settings[name] = value
	}
	t.set(t.env.control.do(t.ctx, http.MethodPut, "/robokassa/shops/"+s.login, settings, nil))
	return s
}

// robokassaOK is the answer that Robokassa waits for.
func robokassaOK(h hit) string {
	fields := h.fields()
	return robokassa.Answer(fields.Get(robokassa.FieldInvID))
}

// fields are the parameters of a message, from its body or its address.
func (h hit) fields() robokassa.Fields {
	text := h.body
	if _, query, ok := strings.Cut(h.uri, "?"); ok && text == "" {
		text = query
	}
	fields, err := robokassa.ParseFields(text)
	if err != nil {
		return nil
	}
	return fields
}

// request is a payment of the shop.
func (s *roboShop) request(sum string) robokassa.Request {
	return robokassa.Request{Login: s.login, OutSum: sum, InvID: strconv.Itoa(s.number), Description: "contract", Email: "buyer@example.com"}
}

// opens sends a payment to the page, rightly signed.
func (s *roboShop) opens(r robokassa.Request) string { return s.t.page(s.signed(r), 0) }

func (s *roboShop) signed(r robokassa.Request) string {
	password := robokassa.Password(shopPassword1)
	if r.IsTest {
		password = testPassword1
	}
	return r.Signed(robokassa.MD5, password).Fields().Encode()
}

// acts does what a buyer does: pay, refuse, expire.
func (s *roboShop) acts(action string) {
	s.t.set(s.t.env.control.do(s.t.ctx, http.MethodPost, fmt.Sprintf("/robokassa/operations/%d/%s", s.number, action), map[string]string{"shop": s.login}, nil))
}

// token signs a payload for the Invoice API.
func (s *roboShop) token(payload string) string {
	token, err := robokassa.SignToken(`{"typ":"JWT","alg":"MD5"}`, payload, robokassa.MD5, robokassa.InvoiceKey(s.login, shopPassword1))
	s.t.set(err)
	return token
}

func pageChecks() []Check {
	refuse := func(en, ru string, code robokassa.Code, more map[string]any, form func(s *roboShop, r robokassa.Request) string) Check {
		return Check{Title: Text{en, ru}, Run: func(t *T) {
			s := t.shop(more)
			t.page(form(s, s.request("100.00")), code)
		}}
	}
	with := func(change func(*robokassa.Request)) func(*roboShop, robokassa.Request) string {
		return func(s *roboShop, r robokassa.Request) string {
			change(&r)
			return s.signed(r)
		}
	}
	checks := []Check{
		{Title: Text{"A payment that is rightly signed gets an invoice", "Верно подписанный платёж получает счёт"}, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.00"))
		}},
		refuse("A shop that is not there is code 26", "Несуществующий магазин — код 26", robokassa.CodeNoShop, nil, with(func(r *robokassa.Request) { r.Login += "-nobody" })),
		refuse("A shop that is not active is code 25", "Неактивный магазин — код 25", robokassa.CodeInactive, map[string]any{"inactive": true}, with(func(*robokassa.Request) {})),
		refuse("A test of a shop without test passwords is code 23", "Тест магазина без тестовых паролей — код 23", robokassa.CodeNoTestMode, map[string]any{"test_password1": "", "test_password2": ""}, with(func(r *robokassa.Request) { r.IsTest = true })),
		refuse("A sum of 0 is code 31", "Нулевая сумма — код 31", robokassa.CodeSum, nil, with(func(r *robokassa.Request) { r.OutSum = "0" })),
		refuse("No sum is code 31", "Отсутствие суммы — код 31", robokassa.CodeSum, nil, with(func(r *robokassa.Request) { r.OutSum = "" })),
		refuse("A negative sum is code 31", "Отрицательная сумма — код 31", robokassa.CodeSum, nil, with(func(r *robokassa.Request) { r.OutSum = "-1" })),
		refuse("A wrong signature is code 29", "Неверная подпись — код 29", robokassa.CodeSignature, nil, func(_ *roboShop, r robokassa.Request) string {
			r.Signature = strings.Repeat("0", 32)
			return r.Fields().Encode()
		}),
		refuse("No signature is code 29", "Отсутствие подписи — код 29", robokassa.CodeSignature, nil, func(_ *roboShop, r robokassa.Request) string { return r.Fields().Encode() }),
		refuse("A sum changed after signing is code 29", "Сумма, изменённая после подписи, — код 29", robokassa.CodeSignature, nil, func(s *roboShop, r robokassa.Request) string {
			return strings.Replace(s.signed(r), "100.00", "1.00", 1)
		}),
		refuse("The live password in a test is code 29", "Боевой пароль в тесте — код 29", robokassa.CodeSignature, nil, func(_ *roboShop, r robokassa.Request) string {
			r.IsTest = true
			return r.Signed(robokassa.MD5, shopPassword1).Fields().Encode()
		}),
		refuse("The second password is code 29", "Второй пароль — код 29", robokassa.CodeSignature, nil, func(_ *roboShop, r robokassa.Request) string {
			return r.Signed(robokassa.MD5, shopPassword2).Fields().Encode()
		}),
		refuse("A number beyond 64 bits is code 30", "Номер за пределами 64 бит — код 30", robokassa.CodeInvoice, nil, with(func(r *robokassa.Request) { r.InvID = "9223372036854775808" })),
		refuse("A number that is none is code 30", "Номер, который не число, — код 30", robokassa.CodeInvoice, nil, with(func(r *robokassa.Request) { r.InvID = "12a" })),
		refuse("A payment whose time is over is code 33", "Платёж с истёкшим сроком — код 33", robokassa.CodeExpired, nil, with(func(r *robokassa.Request) { r.Expiration = "2001-01-01T00:00" })),
		refuse("A recurring payment that is not granted is code 34", "Неразрешённый периодический платёж — код 34", robokassa.CodeNoRecurring, map[string]any{"no_recurring": true}, with(func(r *robokassa.Request) { r.Recurring = true })),
		refuse("A hold that is not granted is code 64", "Неразрешённое холдирование — код 64", robokassa.CodeNoHold, map[string]any{"no_holds": true}, with(func(r *robokassa.Request) { r.StepByStep = true })),
		{Title: Text{"A number that was paid is code 40", "Оплаченный номер — код 40"}, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.00"))
			s.acts("pay")
			t.page(s.signed(s.request("100.00")), robokassa.CodePaid)
		}},
		{Title: Text{"A test payment never is: its number may be used again", "Тестовая оплата номер не занимает: его можно взять снова"}, Run: func(t *T) {
			s := t.shop(nil)
			r := s.request("100.00")
			r.IsTest = true
			s.opens(r)
			s.acts("pay")
			s.opens(r)
		}},
		{Title: Text{"Names of parameters are matched in any case", "Имена параметров читаются в любом регистре"}, Run: func(t *T) {
			s := t.shop(nil)
			t.page(strings.NewReplacer("MerchantLogin", "merchantlogin", "OutSum", "OUTSUM", "SignatureValue", "signaturevalue", "InvId", "invoiceID").Replace(s.signed(s.request("100.00"))), 0)
		}},
		{Title: Text{"A signature is read in any case", "Подпись читается в любом регистре"}, Run: func(t *T) {
			s := t.shop(nil)
			r := s.request("100.00").Signed(robokassa.MD5, shopPassword1)
			r.Signature = strings.ToUpper(r.Signature)
			t.page(r.Fields().Encode(), 0)
		}},
		{Title: Text{"A page of a browser is HTML with the code of its refusal", "Страница для браузера — HTML с кодом отказа"}, Severity: Should, Run: func(t *T) {
			s := t.shop(nil)
			r := s.request("100.00")
			r.Signature = strings.Repeat("0", 32)
			a := t.send("Index", http.MethodGet, t.robo("/Merchant/Index.aspx?"+r.Fields().Encode()), "", nil)
			if a.err != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(string(a.body), "29") {
				t.failAt(a.index, say("HTML with 29"), a.said())
			}
		}},
	}
	return numbered("PR-PAGE", "Robokassa §9", []Need{NeedRobo, NeedControl, NeedWrite}, checks)
}

func resultChecks() []Check {
	// paid has a payment paid and returns the message to ResultURL, verified.
	paid := func(t *T, more map[string]any, change func(*robokassa.Request)) (*roboShop, hit, robokassa.Result) {
		s := t.shop(more)
		r := s.request("100.5")
		if change != nil {
			change(&r)
		}
		s.opens(r)
		s.acts("pay")
		h := s.result.wait(1)[0]
		result, err := robokassa.NewResult(h.fields())
		if err == nil {
			password := robokassa.Password(shopPassword2)
			if r.IsTest {
				password = testPassword2
			}
			err = result.Verify(robokassa.MD5, password)
		}
		if err != nil {
			t.fail(say("a message that is rightly signed by password 2"), verbatim(err.Error()+": "+h.uri+" "+h.body))
		}
		return s, h, result
	}
	names := func(h hit) (all []string) {
		for _, f := range h.fields() {
			all = append(all, f.Name)
		}
		return all
	}
	checks := []Check{
		{Title: Text{"A payment is told by POST to ResultURL, signed by password 2", "Об оплате сообщается POST на ResultURL с подписью паролем 2"}, Run: func(t *T) {
			s, h, result := paid(t, nil, nil)
			if h.verb != http.MethodPost || result.InvID != strconv.Itoa(s.number) || !strings.HasPrefix(h.header.Get("Content-Type"), "application/x-www-form-urlencoded") {
				t.fail(say("POST of a form with InvId %s", strconv.Itoa(s.number)), verbatim(h.verb+" "+h.header.Get("Content-Type")+" "+h.body))
			}
		}},
		{Title: Text{"Its fields come in the captured order", "Поля идут в записанном порядке"}, Run: func(t *T) {
			_, h, _ := paid(t, nil, nil)
			want := []string{"out_summ", "OutSum", "inv_id", "InvId", "crc", "SignatureValue", "PaymentMethod", "IncSum", "IncCurrLabel", "EMail", "Fee"}
			if got := names(h); !slices.Equal(got, want) {
				t.fail(verbatim(strings.Join(want, ", ")), verbatim(strings.Join(got, ", ")))
			}
		}},
		{Title: Text{"Sums have six decimals", "У сумм шесть знаков"}, Run: func(t *T) {
			_, h, result := paid(t, nil, nil)
			if result.OutSum != "100.500000" || len(result.Fee) < 8 || result.Fee[len(result.Fee)-7] != '.' {
				t.fail(say("OutSum 100.500000 and a Fee with six decimals"), verbatim(h.body))
			}
		}},
		{Title: Text{"The signature is in upper case", "Подпись в верхнем регистре"}, Run: func(t *T) {
			_, h, _ := paid(t, nil, nil)
			if got := h.fields().Get(robokassa.FieldSignature); got != strings.ToUpper(got) {
				t.fail(say("upper-case hex"), verbatim(got))
			}
		}},
		{Title: Text{"OutSum, InvId and the signature come under their old names as well", "OutSum, InvId и подпись идут и под старыми именами"}, Run: func(t *T) {
			_, h, _ := paid(t, nil, nil)
			values, err := url.ParseQuery(h.body)
			t.set(err)
			if values.Get("out_summ") != values.Get("OutSum") || values.Get("inv_id") != values.Get("InvId") || values.Get("crc") != values.Get("SignatureValue") {
				t.fail(say("out_summ, inv_id and crc like their namesakes"), verbatim(h.body))
			}
		}},
		{Title: Text{"A test has two decimals, IsTest=1, no fee and no address", "У теста два знака, IsTest=1, без комиссии и адреса"}, Clause: "Robokassa §10", Run: func(t *T) {
			_, h, result := paid(t, nil, func(r *robokassa.Request) { r.IsTest = true })
			if result.OutSum != "100.50" || !result.IsTest || result.Fee != "0.0" || result.EMail != "" {
				t.fail(say("OutSum 100.50, IsTest=1, Fee 0.0, an empty EMail"), verbatim(h.body))
			}
		}},
		{Title: Text{"Fields of the shop come back as they were sent", "Поля магазина возвращаются как были"}, Run: func(t *T) {
			_, h, _ := paid(t, nil, func(r *robokassa.Request) {
				r.Shp = robokassa.Fields{{Name: "Shp_b", Value: "2 + 2"}, {Name: "shp_a", Value: "Вася"}}
			})
			if fields := h.fields(); fields.Get("Shp_b") != "2 + 2" || fields.Get("shp_a") != "Вася" || !slices.Contains(names(h), "Shp_b") || !slices.Contains(names(h), "shp_a") {
				t.fail(say("Shp_b and shp_a as sent"), verbatim(h.body))
			}
		}},
		{Title: Text{"A shop that wants GET gets GET", "Магазин, выбравший GET, получает GET"}, Run: func(t *T) {
			_, h, _ := paid(t, map[string]any{"result_method": "GET"}, nil)
			if h.verb != http.MethodGet || !strings.Contains(h.uri, "?") {
				t.fail(say("GET with a query"), verbatim(h.verb+" "+h.uri))
			}
		}},
		{Title: Text{"A payment that is refused is not told", "О неоплаченном не сообщается"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.00"))
			s.acts("refuse")
			t.advance(10 * time.Minute)
			s.result.exactly(0)
		}},
		{Title: Text{"Opening the page alone is not told", "Об открытии одной только страницы не сообщается"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.00"))
			t.advance(time.Minute)
			s.result.exactly(0)
		}},
		{Title: Text{"The right answer ends the repeats", "Верный ответ прекращает повторы"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			s, _, _ := paid(t, nil, nil)
			t.advance(10 * time.Minute)
			s.result.exactly(1)
		}},
		{Title: Text{"An answer without the number is repeated, the same each time", "Ответ без номера вызывает повторы, одинаковые"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			s := t.shop(nil)
			s.result.text = func(hit) string { return "OK" }
			s.opens(s.request("100.00"))
			s.acts("pay")
			s.result.wait(1)
			t.advance(3*time.Minute + time.Second)
			hits := s.result.wait(3)
			if hits[1].body != hits[0].body {
				t.fail(say("the same message again"), verbatim(hits[1].body))
			}
		}},
		{Title: Text{"A 500 is repeated until the answer is right", "500 вызывает повторы до верного ответа"}, Needs: []Need{NeedClock}, Run: func(t *T) {
			s := t.shop(nil)
			s.result.reply = func(n int) int { return map[bool]int{true: 500, false: 200}[n == 1] }
			s.opens(s.request("100.00"))
			s.acts("pay")
			s.result.wait(1)
			t.advance(10 * time.Minute)
			s.result.exactly(2)
		}},
		{Title: Text{"ResultUrl2 gets a token of Robokassa's own, of three parts", "ResultUrl2 получает токен самой Robokassa из трёх частей"}, Clause: "Robokassa §4", Run: func(t *T) {
			s, second := t.shop(nil), t.sink(nil)
			r := s.request("100.5")
			r.ResultURL2 = second.url + "/second"
			s.opens(r)
			s.acts("pay")
			h := second.wait(1)[0]
			header, data := stateNotice(h.body)
			if h.verb != http.MethodPost || header != `{"typ":"JWT","alg":"RS256"}` || data["invId"] != strconv.Itoa(s.number) || data["shop"] != s.login || data["state"] != robokassa.NoticeOK || data["incSum"] == nil {
				t.fail(say("a JWS about the payment, state OK"), verbatim(oneLine(h.body, 300)))
			}
		}},
		{Title: Text{"In a test ResultUrl2 gets nothing", "В тесте ResultUrl2 не получает ничего"}, Clause: "Robokassa §4", Needs: []Need{NeedClock}, Run: func(t *T) {
			s, second := t.shop(nil), t.sink(nil)
			r := s.request("100.5")
			r.ResultURL2, r.IsTest = second.url+"/second", true
			s.opens(r)
			s.acts("pay")
			s.result.wait(1)
			t.advance(10 * time.Minute)
			second.exactly(0)
		}},
	}
	return numbered("PR-RESULT", "Robokassa §3", []Need{NeedRobo, NeedControl, NeedWrite}, checks)
}

// stateNotice takes a JWS apart without judging its signature: the certificate is the
// platform's.
func stateNotice(body string) (header string, data map[string]any) {
	parts := strings.Split(body, ".")
	if len(parts) != 3 {
		return "", nil
	}
	payload, _ := readJSON(unbase64(parts[1])).(map[string]any)
	data, _ = payload["data"].(map[string]any)
	return string(unbase64(parts[0])), data
}

// state is the answer of OpStateExt.
func (s *roboShop) state(password robokassa.Password) (code int, state int, a answer) {
	id := strconv.Itoa(s.number)
	return s.t.opState(s.login, id, robokassa.OpStateBase(s.login, id).Sign(robokassa.MD5, password))
}

var xmlCode = regexp.MustCompile(`<(Result|State)>\s*<Code>(\d+)</Code>`)

func (t *T) opState(login, id, signature string) (code int, state int, a answer) {
	query := url.Values{"MerchantLogin": {login}, "InvoiceID": {id}, "Signature": {signature}}
	a = t.send("OpStateExt", http.MethodGet, t.robo("/Merchant/WebService/Service.asmx/OpStateExt?"+query.Encode()), "", nil)
	code, state = -1, -1
	for _, m := range xmlCode.FindAllStringSubmatch(string(a.body), -1) {
		n, _ := strconv.Atoi(m[2])
		if m[1] == "Result" {
			code = n
		} else {
			state = n
		}
	}
	if a.err != nil || a.status != http.StatusOK || code < 0 || !strings.Contains(a.header.Get("Content-Type"), "xml") {
		t.failAt(a.index, say("XML with Result and Code"), a.said())
	}
	return code, state, a
}

// vector are the digests of a vector, by algorithm.
func vector(id string) map[string]string {
	for _, v := range robokassaVectors().Signatures {
		if v.ID == id {
			return v.Hash
		}
	}
	panic("contract: testdata/robokassa/vectors.json has no " + id)
}

func stateChecks() []Check {
	wants := func(t *T, a answer, code, state, wantCode, wantState int) {
		if code != wantCode || state != wantState {
			t.failAt(a.index, verbatim(fmt.Sprintf("Result %d, State %d", wantCode, wantState)), verbatim(fmt.Sprintf("Result %d, State %d", code, state)))
		}
	}
	list := func(en, ru, path, want string) Check {
		return Check{Title: Text{en, ru}, Run: func(t *T) {
			s := t.shop(nil)
			a := t.send(path, http.MethodGet, t.robo("/Merchant/WebService/Service.asmx/"+path+"?MerchantLogin="+s.login+"&Language=ru&IncCurrLabel=BankCardPSR&IncSum=100&OutSum=100"), "", nil)
			if a.err != nil || !strings.Contains(string(a.body), want) {
				t.failAt(a.index, verbatim(want), a.said())
			}
		}}
	}
	checks := []Check{
		{Title: Text{"A payment that is done has state 100", "Завершённый платёж в состоянии 100"}, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.5"))
			s.acts("pay")
			s.result.wait(1)
			t.until(t.env.limits.Settle, say("state 100"), func() (bool, Text) {
				code, state, _ := s.state(shopPassword2)
				return code == 0 && state == 100, verbatim(fmt.Sprintf("Result %d, State %d", code, state))
			})
			_, _, a := s.state(shopPassword2)
			if !strings.Contains(string(a.body), "<OpKey>") {
				t.failAt(a.index, say("an OpKey"), a.said())
			}
		}},
		{Title: Text{"Before the buyer has done anything it is unknown: code 3", "До действий покупателя платёж неизвестен: код 3"}, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.5"))
			code, state, a := s.state(shopPassword2)
			wants(t, a, code, state, 3, -1)
		}},
		{Title: Text{"A wrong signature is code 1, and nothing else is told", "Неверная подпись — код 1, и больше ничего"}, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.5"))
			s.acts("pay")
			code, state, a := s.state(shopPassword1)
			wants(t, a, code, state, 1, -1)
		}},
		{Title: Text{"A shop that is not there is code 2", "Несуществующий магазин — код 2"}, Run: func(t *T) {
			code, state, a := t.opState("nobody-at-all", "1", strings.Repeat("0", 32))
			wants(t, a, code, state, 2, -1)
		}},
		{Title: Text{"A number that is not there is code 3", "Несуществующий номер — код 3"}, Run: func(t *T) {
			s := t.shop(nil)
			code, state, a := s.state(shopPassword2)
			wants(t, a, code, state, 3, -1)
		}},
		{Title: Text{"A signature in upper case does", "Подпись в верхнем регистре годится"}, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.5"))
			s.acts("pay")
			id := strconv.Itoa(s.number)
			code, _, a := t.opState(s.login, id, strings.ToUpper(robokassa.OpStateBase(s.login, id).Sign(robokassa.MD5, shopPassword2)))
			wants(t, a, code, 0, 0, 0)
		}},
		{Title: Text{"A payment whose time is over has state 10", "Просроченный платёж в состоянии 10"}, Severity: Should, Run: func(t *T) {
			s := t.shop(nil)
			s.opens(s.request("100.5"))
			s.acts("refuse")
			s.acts("expire")
			code, state, a := s.state(shopPassword2)
			wants(t, a, code, state, 0, 10)
		}},
		{Title: Text{"A test is not told: code 3", "О тесте не сообщается: код 3"}, Severity: Should, Run: func(t *T) {
			s := t.shop(nil)
			r := s.request("100.5")
			r.IsTest = true
			s.opens(r)
			s.acts("pay")
			code, state, a := s.state(shopPassword2)
			wants(t, a, code, state, 3, -1)
		}},
		list("GetCurrencies lists labels", "GetCurrencies перечисляет метки", "GetCurrencies", "BankCardPSR"),
		list("GetPaymentMethods lists methods", "GetPaymentMethods перечисляет способы", "GetPaymentMethods", "<Method "),
		list("CalcOutSumm computes a sum", "CalcOutSumm считает сумму", "CalcOutSumm", "<OutSum>"),
		{Title: Text{"Vector xml-01-opstate is rightly signed by every algorithm", "Вектор xml-01-opstate подписан верно по каждому алгоритму"}, Clause: "Robokassa §6, §12.4", Alone: true, Run: func(t *T) {
			login, v := robokassaVectors().Credentials["merchant_login"], vector("xml-01-opstate")
			for _, algorithm := range slices.Backward(robokassa.Algorithms()) { // MD5 last: it stays
				t.vectorShop(string(algorithm))
				if code, _, a := t.opState(login, "12345", v[string(algorithm)]); code == 1 {
					t.failAt(a.index, say("the signature by %s accepted", string(algorithm)), a.said())
				}
				if code, _, a := t.opState(login, "12345", "0"+v[string(algorithm)][1:]); code != 1 && v[string(algorithm)][0] != '0' {
					t.failAt(a.index, say("another signature refused with code 1"), a.said())
				}
			}
		}},
		{Title: Text{"Vectors rec-01 and rec-02 are rightly signed", "Векторы rec-01 и rec-02 подписаны верно"}, Clause: "Robokassa §8.3, §12.6", Severity: Should, Run: func(t *T) {
			t.vectorShop("MD5")
			for _, v := range robokassaVectors().Signatures {
				if v.Group != "recurring" {
					continue
				}
				form := url.Values{"SignatureValue": {v.Hash["MD5"]}}
				for _, pair := range v.Pairs {
					form.Set(pair[0], pair[1])
				}
				recurs := func() answer {
					return t.send("Recurring", http.MethodPost, t.robo("/Merchant/Recurring"), form.Encode(), formType)
				}
				// There is no payment that it could repeat, which is looked at after the signature.
				if a := recurs(); a.err != nil || !strings.Contains(string(a.body), strconv.Itoa(int(robokassa.CodeRecurring))) {
					t.failAt(a.index, say("a refusal with code 35"), a.said())
				}
				form.Set("SignatureValue", strings.Repeat("0", 32))
				if a := recurs(); a.err != nil || !strings.Contains(string(a.body), strconv.Itoa(int(robokassa.CodeSignature))) {
					t.failAt(a.index, say("a refusal with code 29"), a.said())
				}
			}
		}},
	}
	return numbered("PR-STATE", "Robokassa §6", []Need{NeedRobo, NeedControl, NeedWrite}, checks)
}

// vectorOpKey is the payment that the tokens of refunds are about.
var vectorOpKey = regexp.MustCompile(`14D2B521-[0-9A-Za-z-]+`)

// refund asks for a refund and returns the answer.
func (s *roboShop) refund(kind, body string) (answer, map[string]any) {
	a := s.t.send("Refund", http.MethodPost, s.t.robo("/RefundService/Refund/Create"), body, http.Header{"Content-Type": {kind}})
	object, _ := readJSON(a.body).(map[string]any)
	return a, object
}

func holdChecks() []Check {
	// held is a payment of 100.00 that is held.
	held := func(t *T) *roboShop {
		s := t.shop(nil)
		r := s.request("100.00")
		r.StepByStep = true
		s.opens(r)
		s.acts("pay")
		if code, state, a := s.state(shopPassword2); code != 0 || state != 20 {
			t.failAt(a.index, say("state 20"), verbatim(fmt.Sprintf("Result %d, State %d", code, state)))
		}
		return s
	}
	act := func(s *roboShop, what, sum string) bool {
		form := url.Values{"MerchantLogin": {s.login}, "InvoiceID": {strconv.Itoa(s.number)}}
		base := robokassa.CancelBase(s.login, strconv.Itoa(s.number))
		if what == "Confirm" {
			form.Set("OutSum", sum)
			base = robokassa.NewBase(nil, s.login, sum, strconv.Itoa(s.number))
		}
		form.Set("SignatureValue", base.Sign(robokassa.MD5, shopPassword1))
		a := s.t.send(what, http.MethodPost, s.t.robo("/Merchant/Payment/"+what), form.Encode(), formType)
		switch string(a.body) {
		case robokassa.HoldAnswer(true):
			return true
		case robokassa.HoldAnswer(false):
			return false
		}
		s.t.failAt(a.index, say("%s or %s", robokassa.HoldAnswer(true), robokassa.HoldAnswer(false)), a.said())
		return false
	}
	reaches := func(s *roboShop, want int) {
		s.t.until(s.t.env.limits.Settle, say("state %d", want), func() (bool, Text) {
			code, state, _ := s.state(shopPassword2)
			return code == 0 && state == want, verbatim(fmt.Sprintf("Result %d, State %d", code, state))
		})
	}
	// refunds asks for a refund of a payment and returns the answer.
	refunds := func(s *roboShop, key robokassa.Password, sum string) (answer, map[string]any) {
		payload := `{"OpKey":"` + s.opKey() + `"}`
		if sum != "" {
			payload = `{"OpKey":"` + s.opKey() + `","RefundSum":` + sum + `}`
		}
		token, err := robokassa.SignToken(`{"alg":"HS256","typ":"JWT"}`, payload, robokassa.SHA256, key)
		s.t.set(err)
		return s.refund("application/json", strconv.Quote(token))
	}
	done := func(t *T) *roboShop {
		s := t.shop(nil)
		s.opens(s.request("100.00"))
		s.acts("pay")
		s.result.wait(1)
		reaches(s, 100)
		return s
	}
	checks := []Check{
		{Title: Text{"A held payment is not told to ResultURL", "О холде на ResultURL не сообщается"}, Run: func(t *T) { held(t).result.exactly(0) }},
		{Title: Text{"A hold that is confirmed is told, and done", "О подтверждённом холде сообщается, и он завершён"}, Run: func(t *T) {
			s := held(t)
			if !act(s, "Confirm", "100.00") {
				t.fail(verbatim("success: true"), verbatim("success: false"))
			}
			s.result.wait(1)
			reaches(s, 100)
		}},
		{Title: Text{"A hold may be confirmed for less", "Холд можно подтвердить на меньшую сумму"}, Run: func(t *T) {
			s := held(t)
			if !act(s, "Confirm", "60.00") {
				t.fail(verbatim("success: true"), verbatim("success: false"))
			}
			result, err := robokassa.NewResult(s.result.wait(1)[0].fields())
			t.set(err)
			if sum, err := robokassa.ParseSum(result.OutSum, money.RUB); err != nil || sum != rub("60") {
				t.fail(verbatim("OutSum 60"), verbatim(result.OutSum))
			}
		}},
		{Title: Text{"A hold may not be confirmed for more", "Холд нельзя подтвердить на большую сумму"}, Run: func(t *T) {
			s := held(t)
			if act(s, "Confirm", "100.01") {
				t.fail(verbatim("success: false"), verbatim("success: true"))
			}
			s.result.exactly(0)
		}},
		{Title: Text{"A hold is confirmed once", "Холд подтверждается только один раз"}, Run: func(t *T) {
			s := held(t)
			act(s, "Confirm", "100.00")
			s.result.wait(1)
			if act(s, "Confirm", "100.00") {
				t.fail(verbatim("success: false"), verbatim("success: true"))
			}
		}},
		{Title: Text{"A hold that is let go has state 60, and cannot be confirmed", "Снятый холд в состоянии 60, и подтвердить его нельзя"}, Run: func(t *T) {
			s := held(t)
			if !act(s, "Cancel", "") {
				t.fail(verbatim("success: true"), verbatim("success: false"))
			}
			reaches(s, 60)
			if act(s, "Confirm", "100.00") {
				t.fail(verbatim("success: false"), verbatim("success: true"))
			}
			s.result.exactly(0)
		}},
		{Title: Text{"A hold is told to ResultUrl2 as HOLD", "О холде на ResultUrl2 сообщается HOLD"}, Clause: "Robokassa §4", Run: func(t *T) {
			s, second := t.shop(nil), t.sink(nil)
			r := s.request("100.00")
			r.StepByStep, r.ResultURL2 = true, second.url+"/second"
			s.opens(r)
			s.acts("pay")
			if _, data := stateNotice(second.wait(1)[0].body); data["state"] != robokassa.NoticeHold {
				t.fail(say("state HOLD"), verbatim(short(data)))
			}
		}},
		{Title: Text{"A refund is accepted and gets an id", "Возврат принимается и получает id"}, Clause: "Robokassa §8.1", Run: func(t *T) {
			s := done(t)
			a, object := refunds(s, shopPassword3, "40.00")
			id, _ := object["requestId"].(string)
			if object["success"] != true || id == "" {
				t.failAt(a.index, verbatim(`{"success":true,"message":null,"requestId":…}`), a.said())
			}
			state := t.send("GetState", http.MethodGet, t.robo("/RefundService/Refund/GetState?id="+url.QueryEscape(id)), "", nil)
			got, _ := readJSON(state.body).(map[string]any)
			if got["requestId"] != id || !slices.Contains([]any{"finished", "processing"}, got["label"]) {
				t.failAt(state.index, say("the refund, finished or processing"), state.said())
			}
		}},
		{Title: Text{"No more is refunded than was paid", "Возвращается не больше уплаченного"}, Clause: "Robokassa §8.1", Run: func(t *T) {
			s := done(t)
			if a, object := refunds(s, shopPassword3, "100.01"); object["success"] != false || object["message"] != robokassa.RefundNoFunds {
				t.failAt(a.index, verbatim(robokassa.RefundNoFunds), a.said())
			}
			refunds(s, shopPassword3, "60.00")
			if a, object := refunds(s, shopPassword3, "60.00"); object["success"] != false {
				t.failAt(a.index, say("a refusal of the second part, 120 of 100 in all"), a.said())
			}
		}},
		{Title: Text{"A refund under another password is refused", "Возврат под другим паролем отвергается"}, Clause: "Robokassa §8.1", Run: func(t *T) {
			if a, object := refunds(done(t), shopPassword1, "1.00"); object["success"] == true {
				t.failAt(a.index, say("a refusal"), a.said())
			}
		}},
		{Title: Text{"A refund that is not there is said to be so", "О несуществующем возврате так и сообщается"}, Clause: "Robokassa §8.1", Run: func(t *T) {
			a := t.send("GetState", http.MethodGet, t.robo("/RefundService/Refund/GetState?id=00000000-0000-0000-0000-000000000001"), "", nil)
			if object, _ := readJSON(a.body).(map[string]any); object["message"] != robokassa.RefundUnknownID {
				t.failAt(a.index, verbatim(robokassa.RefundUnknownID), a.said())
			}
		}},
	}
	for _, v := range robokassaVectors().JWT {
		if v.Endpoint != "Refund/Create" {
			continue
		}
		checks = append(checks, Check{
			Title:  Text{fmt.Sprintf("Token %s is accepted, for a payment that is there: %s", v.ID, v.Note), fmt.Sprintf("Токен %s принимается, если платёж есть: %s", v.ID, vectorsInRussian[v.ID])},
			Clause: "Robokassa §8.1, §12.11",
			Run: func(t *T) {
				s := done(t)
				payload := vectorOpKey.ReplaceAllLiteralString(v.Payload, s.opKey())
				algorithm := map[string]robokassa.Algorithm{"sha256": robokassa.SHA256, "sha384": robokassa.SHA384, "sha512": robokassa.SHA512}[v.HMAC]
				token, err := robokassa.SignToken(v.Header, payload, algorithm, shopPassword3)
				t.set(err)
				if a, object := s.refund("application/json", strconv.Quote(token[:len(token)-6]+"AAAAAA")); object["success"] == true {
					t.failAt(a.index, say("another signature refused"), a.said())
				}
				// As the documents send it, and bare, as clients do.
				for _, form := range []struct{ kind, body string }{{"application/json", strconv.Quote(token)}, {"application/jwt", token}, {"text/plain", token}} {
					a, object := s.refund(form.kind, form.body)
					if again := object["message"] == robokassa.RefundNoFunds && !strings.Contains(payload, "RefundSum"); object["success"] != true && !again {
						t.failAt(a.index, verbatim(`"success":true`), a.said())
					}
				}
			},
		})
	}
	checks = append(checks, Check{Title: Text{"A hold that is confirmed cannot be let go", "Подтверждённый холд снять нельзя"}, Run: func(t *T) {
		s := held(t)
		act(s, "Confirm", "100.00")
		s.result.wait(1)
		if act(s, "Cancel", "") {
			t.fail(verbatim("success: false"), verbatim("success: true"))
		}
		reaches(s, 100)
	}})
	return numbered("PR-HOLD", "Robokassa §8.2", []Need{NeedRobo, NeedControl, NeedWrite}, checks)
}
