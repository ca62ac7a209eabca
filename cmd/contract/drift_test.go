package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/recorder"
)

// sandbox is a stand-in in the part of a real platform, with a recorder before it, a partner
// who calls it, and that partner's adapter behind it.
type sandbox struct {
	*testing.T
	platform *mockplatform.Server
	recorder *recorder.Recorder
	file     string
	stop     func()
	client   *http.Client
	secrets  []string // that must not be in the file
	alice    integra.Credentials
}

const (
	merchantKey  = "mock-api-key-of-merchant-37"
	shopPassword = "qwerty-of-the-shop"
	notifyToken  = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	callbackPath = "/callbacks/9f8e7d6c5b4a39281706"
	accessToken  = "yandex-oauth-token-of-alice"
)

func newSandbox(t *testing.T, options ...func(*mockplatform.Config)) *sandbox {
	t.Helper()
	s := &sandbox{T: t, platform: mockplatform.Start(t, options...), file: filepath.Join(t.TempDir(), "journal.jsonl"), client: &http.Client{Transport: &http.Transport{}}}
	adapter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if number := r.FormValue("InvId"); number != "" {
			_, _ = io.WriteString(w, robokassa.Answer(number))
			return
		}
		_, _ = io.WriteString(w, `{"stored":true}`)
	}))
	t.Cleanup(adapter.Close)
	upstream, _ := url.Parse(s.platform.PlatformURL())
	notify, _ := url.Parse(adapter.URL)
	var err error
	s.recorder, err = recorder.New(recorder.Config{
		Upstream: upstream, Notify: notify, Out: s.file,
		Keys: recorder.Keys{Partners: map[string]string{mockplatform.DemoPartner.Hash: mockplatform.DemoPartner.Key}, Secrets: []string{merchantKey}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.recorder.Run(ctx) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		s.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(s.stop)
	s.secrets = []string{
		mockplatform.DemoPartner.Key, merchantKey, shopPassword, notifyToken, strings.Split(notifyToken, ".")[2], strings.TrimPrefix(callbackPath, "/callbacks/"),
		accessToken, "chocolate-cookie", "4111111111111111",
	}
	return s
}

// send makes a call to the platform by way of the recorder.
func (s *sandbox) send(verb, path, body string, header map[string]string) []byte {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), verb, s.recorder.URL()+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	req.Header.Set("Cookie", "session=chocolate-cookie")
	res, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer
}

// control makes a call to the platform's control API: what happens there without the partner.
func (s *sandbox) control(verb, path, body string) (answer struct{ ID string }) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), verb, s.platform.ControlURL()+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 300 {
		s.Fatalf("%s %s: %d %s", verb, path, res.StatusCode, text)
	}
	_ = json.Unmarshal(text, &answer)
	return answer
}

// integra calls Integra, as the official client does, and returns the data of the answer.
func (s *sandbox) integra(m integra.Method, cred integra.Credentials, args any) (data map[string]any) {
	s.Helper()
	k, err := integra.Seal(integra.Simple, cred, args)
	if err != nil {
		s.Fatal(err)
	}
	s.secrets = append(s.secrets, k[len(integra.Prefix)+integra.HashLen:], cred.Key)
	address, err := integra.RequestURL("http://x", "partners/acme", m, k, nil)
	if err != nil {
		s.Fatal(err)
	}
	body, kind := "", "application/json"
	if m == integra.ReadMessages {
		body, kind = "ids=1,2", "application/x-www-form-urlencoded"
	}
	response, err := integra.ParseResponse(s.send("POST", strings.TrimPrefix(address, "http://x"), body, map[string]string{"Content-Type": kind}))
	if err == nil && response.Err() == nil {
		_ = json.Unmarshal(response.Data, &data)
	}
	return data
}

// money calls Any.Money.
func (s *sandbox) money(key anymoney.Key, method, params string) {
	s.Helper()
	body := `{"jsonrpc":"2.0","method":"` + method + `","params":` + params + `,"id":"7"}`
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	signature := strings.Repeat("ab", 64)
	if request, err := anymoney.ParseRequest([]byte(body)); err == nil {
		signature = key.Sign(request.Params, now)
	}
	s.secrets = append(s.secrets, signature)
	s.send("POST", "/anymoney/", body, map[string]string{"Content-Type": "application/json", "x-merchant": "37", "x-utc-now-ms": now, "x-signature": signature})
}

// robo calls Robokassa with a signed form.
func (s *sandbox) robo(path string, fields robokassa.Fields, base robokassa.Base) {
	s.Helper()
	signature := base.Sign(robokassa.MD5, shopPassword)
	s.secrets = append(s.secrets, signature)
	s.send("POST", "/robokassa"+path, append(fields, robokassa.Field{Name: "SignatureValue", Value: signature}).Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

// session is a day of the partner: nearly everything that can be said.
func (s *sandbox) session() {
	s.Helper()
	partner := integra.Credentials{Hash: mockplatform.DemoPartner.Hash, Key: mockplatform.DemoPartner.Key}
	s.integra(integra.Hello, partner, integra.HelloArgs{Name: "acme"})
	s.alice.Hash = "a11ce000000000000000000000000001"
	made := s.integra(integra.CreateUser, partner, integra.CreateUserArgs{Username: "alice@acme.com", Hash: s.alice.Hash, Email: "alice@acme.com", SuggestedDomain: "acme.com"})
	s.alice.Key, _ = made["cryptKey"].(string)
	if s.alice.Key == "" {
		s.Fatalf("no key of %v", made)
	}
	s.secrets = append(s.secrets, s.alice.Key)
	s.integra(integra.CreateUser, partner, integra.CreateUserArgs{Username: "bob", Hash: s.alice.Hash}) // taken
	s.integra(integra.CreateUser, partner, map[string]any{"username": "carol", "hash": "short"})
	s.integra(integra.CryptLogin, s.alice, integra.LoginArgs{
		Login: "alice@acme.com", Hash: s.alice.Hash,
		PaymentNotifyURL: s.recorder.NotifyURL() + "/integra/notify?id={id}&amount={amount}&hash={hash}&token=" + notifyToken,
	})
	first := s.topUp("100.5")
	s.integra(integra.ConfirmPayment, s.alice, integra.ConfirmPaymentArgs{Amount: "100.5", TransactionID: first})
	s.integra(integra.ConfirmPayment, s.alice, integra.ConfirmPaymentArgs{Amount: "100.5", TransactionID: first})
	s.integra(integra.DeclinePayment, s.alice, integra.DeclinePaymentArgs{TransactionID: first})
	second := s.topUp("5000")
	s.integra(integra.ConfirmPayment, s.alice, integra.ConfirmPaymentArgs{Amount: "4999", TransactionID: second})
	s.integra(integra.DeclinePayment, s.alice, integra.DeclinePaymentArgs{TransactionID: second, ErrorCode: 7, ErrorMessage: "not enough funds"})
	s.integra(integra.ConfirmPayment, s.alice, integra.ConfirmPaymentArgs{Amount: "1", TransactionID: strings.Repeat("f", 32)}) // there is none
	direct := integra.DoPaymentArgs{PaymentSum: "250.50", PaymentHash: strings.Repeat("d", 32), UserLogin: "alice@acme.com"}
	s.integra(integra.DoPayment, s.alice, direct)
	s.integra(integra.DoPayment, s.alice, direct)
	s.integra(integra.DoPayment, s.alice, integra.DoPaymentArgs{PaymentSum: "-50", PaymentHash: strings.Repeat("e", 32), UserLogin: "alice@acme.com"})
	s.integra(integra.GetUserData, integra.Credentials{Hash: s.alice.Hash, Key: partner.Key}, integra.PartnerArgs{Partner: partner.Hash})
	s.integra(integra.GetFinSummaryByDate, s.alice, integra.FinSummaryArgs{Date: time.Now().UTC().Format(time.DateOnly)})
	s.integra(integra.GetUserMessages, s.alice, map[string]any{"partner": partner.Hash, "markRead": false})
	s.integra(integra.GetMessages, partner, map[string]any{"partner": partner.Hash})
	s.integra(integra.GetMessageTemplates, partner, integra.PartnerArgs{Partner: partner.Hash})
	s.integra(integra.ReadMessages, partner, integra.PartnerArgs{Partner: partner.Hash})
	s.integra(integra.GetUsersData, partner, integra.UsersDataArgs{Partner: partner.Hash})
	s.integra(integra.ChangeURL, s.alice, integra.ChangeURLArgs{URL: "https://www.acme.com"})
	s.integra(integra.AttachCounter, s.alice, integra.AttachCounterArgs{CounterID: "42", AccessToken: accessToken})
	s.integra(integra.ArchiveUser, s.alice, integra.PartnerArgs{Partner: partner.Hash})
	s.integra(integra.UnarchiveUser, s.alice, integra.PartnerArgs{Partner: partner.Hash})

	s.money(merchantKey, "balance", `{}`)
	s.money(merchantKey, "payin.calc", `{"amount":"115","in_curr":"UAH","payway":"visamc","out_curr":"USD"}`)
	s.money(merchantKey, "payin.create", `{"amount":"256.13","externalid":"order-1042","in_curr":"UAH","payway":"visamc","callback_url":"`+s.recorder.NotifyURL()+callbackPath+`"}`)
	s.money(merchantKey, "payin.create", `{"amount":"256.13","externalid":"order-1042","in_curr":"UAH","payway":"visamc"}`) // taken
	s.money("another-key", "balance", `{}`)
	s.money(merchantKey, "payin.fly", `{}`)
	s.money(merchantKey, "payin.create", `{"amount":`)
	s.await(1, func() { s.control("POST", "/anymoney/orders/order-1042/status", `{"merchant":"37","status":"done"}`) })
	s.money(merchantKey, "payin.get", `{"externalid":"order-1042"}`)

	s.control("PUT", "/robokassa/shops/acme", `{"password1":"`+shopPassword+`","password2":"`+shopPassword+`"}`)
	request := robokassa.Request{Login: "acme", OutSum: "10.00", InvID: "5", Description: "order 5"}
	s.robo("/Merchant/Indexjson.aspx", request.Fields(), request.Base())
	s.robo("/Merchant/Indexjson.aspx", robokassa.Request{Login: "acme", OutSum: "11.00", InvID: "6"}.Fields(), request.Base()) // wrong signature
	s.robo("/Merchant/WebService/Service.asmx/OpState", robokassa.Fields{{Name: "MerchantLogin", Value: "acme"}, {Name: "InvoiceID", Value: "5"}}, robokassa.OpStateBase("acme", "5"))
	token, err := robokassa.SignToken(`{"typ":"JWT","alg":"MD5"}`, `{"MerchantLogin":"acme","InvoiceType":"OneTime","InvId":8,"OutSum":1.5,"Description":"eight"}`, robokassa.MD5, robokassa.InvoiceKey("acme", shopPassword))
	if err != nil {
		s.Fatal(err)
	}
	s.secrets = append(s.secrets, token[strings.LastIndex(token, ".")+1:])
	s.send("POST", "/robokassa/InvoiceServiceWebApi/api/CreateInvoice", strconv.Quote(token), map[string]string{"Content-Type": "application/json"})
	s.send("POST", "/robokassa/Merchant/Index/none", "number=4111+1111+1111+1111&cvc=123", map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

// slowRefunds keeps refunds from being finished while a test is slow.
const slowRefunds = `{"robokassa":{"refund_delay_ms":3600000}}`

// cards is a day of a shop at Robokassa: holds, messages to ResultURL, refunds.
func (s *sandbox) cards() {
	s.Helper()
	s.control("PATCH", "/settings", slowRefunds)
	s.control("PUT", "/robokassa/shops/acme", `{"password1":"`+shopPassword+`","password2":"`+shopPassword+`","password3":"`+shopPassword+`","result_url":"`+s.recorder.NotifyURL()+`/robokassa/result"}`)
	opens := func(number string, hold bool) {
		request := robokassa.Request{Login: "acme", OutSum: "100.00", InvID: number, StepByStep: hold}
		s.robo("/Merchant/Indexjson.aspx", request.Fields(), request.Base())
	}
	acts := func(number, what, method string) {
		s.control("POST", "/robokassa/operations/"+number+"/"+what, `{"shop":"acme","method":"`+method+`"}`)
	}
	about := func(number string, more ...robokassa.Field) robokassa.Fields {
		return append(robokassa.Fields{{Name: "MerchantLogin", Value: "acme"}, {Name: "InvoiceID", Value: number}}, more...)
	}
	state := func(number string) {
		s.robo("/Merchant/WebService/Service.asmx/OpStateExt", about(number), robokassa.OpStateBase("acme", number))
	}
	confirm := func(number, sum string) {
		s.robo("/Merchant/Payment/Confirm", about(number, robokassa.Field{Name: "OutSum", Value: sum}), robokassa.NewBase(nil, "acme", sum, number))
	}
	opens("21", true)
	confirm("21", "60.00") // nobody has paid
	acts("21", "pay", "")
	state("21")
	s.await(2, func() { confirm("21", "60.00") }) // its answer, and ResultURL
	confirm("21", "60.00")
	state("21")

	opens("22", true)
	acts("22", "pay", "")
	s.robo("/Merchant/Payment/Cancel", about("22"), robokassa.CancelBase("acme", "22"))
	state("22")

	opens("23", false)
	s.await(1, func() { acts("23", "pay", "SBPPSR") })
	state("23")
	o, ok := s.platform.Robokassa().Operation("acme", 23)
	if !ok || o.OpKey == "" {
		s.Fatalf("operation %+v", o)
	}
	s.secrets = append(s.secrets, o.OpKey)
	refund := func(sum string, key robokassa.Password) (id string) {
		token, err := robokassa.SignToken(`{"alg":"HS256","typ":"JWT"}`, `{"OpKey":"`+o.OpKey+`","RefundSum":`+sum+`}`, robokassa.SHA256, key)
		if err != nil {
			s.Fatal(err)
		}
		var made struct{ RequestID string }
		_ = json.Unmarshal(s.send("POST", "/robokassa/RefundService/Refund/Create", strconv.Quote(token), map[string]string{"Content-Type": "application/json"}), &made)
		return made.RequestID
	}
	id := refund("40", shopPassword)
	s.send("GET", "/robokassa/RefundService/Refund/GetState?id="+id, "", nil)
	refund("60.01", shopPassword) // more than is left
	refund("1", "another password")
	s.send("GET", "/robokassa/RefundService/Refund/GetState?id=00000000-0000-0000-0000-000000000001", "", nil)
}

// topUp presses the button and waits until the partner's adapter has heard of it.
func (s *sandbox) topUp(amount string) (id string) {
	s.Helper()
	s.await(1, func() {
		id = s.control("POST", "/integra/users/"+s.alice.Hash+"/topups", `{"amount":"`+amount+`"}`).ID
	})
	return id
}

// keepsSecrets fails if the recording holds a secret, in any form in which messages write it.
func (s *sandbox) keepsSecrets() {
	s.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		s.Fatal(err)
	}
	for _, secret := range s.secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), strings.ReplaceAll(secret, "/", `\/`)} {
			if bytes.Contains(text, []byte(form)) {
				s.Errorf("the file holds %s", form)
			}
		}
	}
}

// await does something and waits for so many lines that come of it.
func (s *sandbox) await(lines int, do func()) {
	s.Helper()
	before := s.recorder.Lines()
	do()
	for deadline := time.Now().Add(30 * time.Second); s.recorder.Lines() < before+lines; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("%d lines came of it, not %d", s.recorder.Lines()-before, lines)
		}
	}
}

// drift runs contract drift and returns its report.
func drift(t *testing.T, want int, args ...string) (report contract.DriftReport) {
	t.Helper()
	code, out, errs := call(t, append([]string{"drift", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != want {
		t.Fatalf("exit %d, not %d: %v\n%s%s", code, want, err, out, errs)
	}
	return report
}

// A recording of one stand-in is what another one answers, and holds no secret.
func TestRecordedIsReplayed(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.session()
	s.stop()
	s.keepsSecrets()
	report := drift(t, exitKept, "--journal", s.file)
	if len(report.Differences) > 0 || len(report.Notes) > 0 || report.Compared < 38 {
		t.Errorf("%+v", report)
	}
	t.Logf("%d of %d compared; skipped %+v", report.Compared, report.Exchanges, report.Skipped)
	code, out, errs := call(t, "drift", "--journal", s.file, "--lang", "en")
	if want := fmt.Sprintf("No drift; %d of %d exchanges compared\n", report.Compared, report.Exchanges); code != exitKept || !strings.HasSuffix(out, want) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	// A stand-in that is used, with its own clock, is as good, twice.
	other := mockplatform.Start(t)
	for seed := range 2 {
		report := drift(t, exitKept, "--journal", s.file, "--platform", other.ControlURL(), "--platform-url", other.PlatformURL(), "--seed", strconv.Itoa(seed))
		if len(report.Differences) > 0 {
			t.Errorf("%+v", report)
		}
	}
	if off := time.Since(other.Clock().Now()).Abs(); off > time.Minute {
		t.Errorf("the clock of the stand-in was left %s off", off)
	}
}

// What a shop does with payments is replayed, after what its buyers did.
func TestHoldsAndRefundsAreReplayed(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.cards()
	s.stop()
	s.keepsSecrets()
	for _, tt := range []struct{ change, replace, want string }{
		{slowRefunds, "", ""},
		{`{"robokassa":{"refund_delay_ms":0}}`, "", `Refund/GetState label "processing" "finished"`},
		{`{"robokassa":{"live_decimals":2}}`, "", `ResultURL Fee "2.340000" "2.34"`},
		{slowRefunds, "success: true", `Confirm (body) "success: true" "success: yes"`},
		{slowRefunds, `"success":true`, `Refund/Create success true false`},
	} {
		other := mockplatform.Start(t)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPatch, other.ControlURL()+"/settings", strings.NewReader(tt.change))
		res, err := s.client.Do(req)
		if err != nil || res.StatusCode >= 300 {
			t.Fatal(res, err)
		}
		_ = res.Body.Close()
		address := other.PlatformURL()
		if tt.replace != "" {
			address = mutate(t, address, tt.replace, strings.NewReplacer(": true", ": yes", ":true", ":false").Replace(tt.replace))
		}
		want := exitBroken
		if tt.want == "" {
			want = exitKept
		}
		report := drift(t, want, "--journal", s.file, "--platform", other.ControlURL(), "--platform-url", address)
		if len(report.Skipped)+len(report.Notes) > 0 || report.Compared != 18 {
			t.Errorf("%d compared: %+v", report.Compared, report)
		}
		found := tt.want == ""
		for _, d := range report.Differences {
			found = found || fmt.Sprint(d.Method, " ", d.Path, " ", d.Recorded, " ", d.StandIn) == tt.want
		}
		if !found {
			t.Errorf("%s %s: no difference %s", tt.change, tt.replace, tt.want)
		}
	}
}

// What a stand-in does otherwise is named: the field, what was recorded, what it says.
func TestDrift(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.session()
	s.stop()
	for _, tt := range []struct {
		name, patch, body string
		ignore            []string
		want              []string
	}{
		{"a setting", "/settings", `{"integra":{"confirm_repeated":"refuse"}}`, nil, []string{
			"confirmPayment data absent", "confirmPayment error true", "confirmPayment status.code 8", "confirmPayment status.message",
		}},
		{"that is ignored", "/settings", `{"integra":{"confirm_repeated":"refuse"}}`, []string{"--ignore", "status.*", "--ignore", "confirmPayment:error", "--ignore", "data"}, nil},
		{"an answer that never comes", "/settings", `{"integra":{"lost_answers":"error"}}`, []string{"--ignore", "(body)", "--ignore", "getMessages:data", "--ignore", "getUsersData:data"}, []string{
			// and whatever the user whose key is lost does, cannot be replayed
			"createUser (status) 500", "createUser (content-type) text/html", "readMessages (status) 500", "readMessages (content-type) text/html",
		}},
		{"an amount in another form", "/settings", `{"integra":{"notify":{"amount":"full"}}}`, nil, []string{
			`notify amount 100.50`, `notify amount 5000.00`,
		}},
		{"a fee", "/anymoney/config", `{"payways":{"visamc":{"in":{"UAH":{"fee":{"mult":"0.5"}}}}}}`, []string{"--ignore", "*.account_amount", "--ignore", "account_amount"}, []string{
			`payin.calc result.in_fee_amount "57.5"`, `payin.calc result.out_fee_amount "2.04"`,
			`payin.create result.in_fee_amount "128.07"`, `payin.create result.out_fee_amount "128.07"`,
			`callback in_fee_amount "128.07"`, `callback out_fee_amount "128.07"`,
			`payin.get result.in_fee_amount "128.07"`, `payin.get result.out_fee_amount "128.07"`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			other := mockplatform.Start(t)
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPatch, other.ControlURL()+tt.patch, strings.NewReader(tt.body))
			res, err := s.client.Do(req)
			if err != nil || res.StatusCode >= 300 {
				t.Fatal(res, err)
			}
			_ = res.Body.Close()
			code, out, errs := call(t, append([]string{"drift", "--json", "--journal", s.file, "--platform", other.ControlURL(), "--platform-url", other.PlatformURL()}, tt.ignore...)...)
			var report contract.DriftReport
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Fatalf("exit %d: %v\n%s%s", code, err, out, errs)
			}
			var got []string
			for _, d := range report.Differences {
				if d.Path == "status.message" {
					d.StandIn = "" // it names an id of this recording
				}
				got = append(got, strings.TrimSpace(d.Method+" "+d.Path+" "+d.StandIn))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || code != min(len(tt.want), 1) {
				t.Errorf("exit %d (-want +got):\n%s", code, diff)
			}
		})
	}
}

// mutate is a platform that answers as another one does, but for some text.
func mutate(t *testing.T, platform string, replace ...string) string {
	t.Helper()
	to, err := url.Parse(platform)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		text := strings.NewReplacer(replace...).Replace(string(body))
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		r.Header.Set("Content-Length", strconv.Itoa(len(text)))
		return err
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// Each change of an answer is found, and nothing else is.
func TestDriftOfMutants(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.session()
	s.stop()
	for _, tt := range []struct {
		name    string
		replace []string
		want    []string
	}{
		{"a number as text", []string{`"dailyExpense":0`, `"dailyExpense":"0"`}, []string{`getUserData data.dailyExpense 0 "0"`, `getUsersData data[0].dailyExpense 0 "0"`}},
		{"a field less", []string{`"dailyExpense":0,`, ``}, []string{"getUserData data.dailyExpense 0 absent", "getUsersData data[0].dailyExpense 0 absent"}},
		{"a field more", []string{`"oldUrl":`, `"olderUrl":null,"oldUrl":`}, []string{"changeUrl data.olderUrl absent null"}},
		{"zeros at the end of a number", []string{`"balance":301,`, `"balance":301.00,`}, nil},
		{"another text", []string{"Hello, ", "Hi, "}, []string{`hello data "Hello, acme!" "Hi, acme!"`}},
		{"another code", []string{`"status":{"code":9,`, `"status":{"code":1,`}, []string{"confirmPayment status.code 9 1"}},
		{"no JSON", []string{`{"status":{"code":9,`, `status:{"code":9,`}, []string{"confirmPayment (body) JSON text"}},
		{"another id than before", []string{`"data":{"userHash":"`, `"data":{"userHash":"x`}, []string{"archiveUser data.userHash *", "unarchiveUser data.userHash *"}},
		{"a version", []string{`"version":"1"`, `"version":"2"`}, nil},
		{"XML", []string{"<Code>0</Code>", "<Code>1000</Code>", "<Code>3</Code>", "<Code>1000</Code>"}, []string{"OpState OperationStateResponse.Result.Code \"3\" \"1000\""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			other := mockplatform.Start(t)
			_, out, errs := call(t, "drift", "--json", "--journal", s.file, "--platform", other.ControlURL(), "--platform-url", mutate(t, other.PlatformURL(), tt.replace...))
			var report contract.DriftReport
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Fatalf("%v\n%s%s", err, out, errs)
			}
			var got []string
			for _, d := range report.Differences {
				text := fmt.Sprint(d.Method, " ", d.Path, " ", d.Recorded, " ", d.StandIn)
				if strings.HasSuffix(d.Path, "Hash") { // it is of this recording
					text = fmt.Sprint(d.Method, " ", d.Path, " *")
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A recording that begins in the middle: a user who was there already, and payments of which
// no notification was recorded.
func TestDriftFromTheMiddle(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.session()
	s.stop()
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"user":"`+s.alice.Hash) && !strings.Contains(line, `"method":"createUser"`) && !strings.Contains(line, `"direction":"out"`) && !strings.Contains(line, `"method":"cryptLogin"`) {
			kept = append(kept, line)
		}
	}
	file := filepath.Join(t.TempDir(), "middle.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(kept, "")+`{"v":1,"cut`), 0o600); err != nil {
		t.Fatal(err)
	}
	// Some of what was before shows all the same.
	before := []string{"--journal", file, "--ignore", "getUserData:data.url", "--ignore", "changeUrl:data.oldUrl", "--ignore", "getUserMessages:data.messages[]", "--ignore", "confirmPayment:status.message"}
	code, out, errs := call(t, append([]string{"drift", "--lang", "en"}, before...)...)
	for _, part := range []string{"Assumed: user " + s.alice.Hash + " was there before the recording: made for the replay, with nothing", "No drift; ", "its last line is cut off"} {
		if code != exitKept || !strings.Contains(out+errs, part) {
			t.Errorf("exit %d; want %q in\n%s%s", code, part, out, errs)
		}
	}
	code, out, _ = call(t, append([]string{"drift", "--lang", "ru"}, before...)...)
	if code != exitKept || !strings.Contains(out, "Расхождений нет; сравнено обменов: ") {
		t.Errorf("exit %d\n%s", code, out)
	}
	control := mockplatform.Start(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPatch, control.ControlURL()+"/settings", strings.NewReader(`{"integra":{"confirm_repeated":"refuse"}}`))
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	code, out, errs = call(t, append([]string{"drift", "--lang", "en", "--platform", control.ControlURL(), "--platform-url", control.PlatformURL()}, before...)...)
	for _, part := range []string{"integra confirmPayment\n", "  status.code\n    recorded: 0\n    stand-in: 8\n    in exchange ", "Drift: 3 differences in 3 fields; "} {
		if code != exitBroken || !strings.Contains(out, part) {
			t.Errorf("exit %d; want %q in\n%s%s", code, part, out, errs)
		}
	}
}

// What is wrong with the call, the file or the stand-in is said by name, with exit code 2.
func TestDriftBadInput(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const sealed = `{"v":1,"seq":1,"protocol":"integra","method":"hello","direction":"in","real_ms":1,"took_us":1,"status":200,"request":"GET /iframe/hello?k=zaa HTTP/1.1\r\n\r\n","response":"HTTP/1.1 200 OK\r\n\r\n{}","verdict":{"ok":true,"code":0}}` + "\n"
	good := file("good", sealed)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no file", []string{"--journal", filepath.Join(folder, "none")}, "--journal: open "},
		{"no recording", []string{"--journal", file("diary", "dear diary\n")}, "diary: line 1: line: is not JSON"},
		{"a wrong field", []string{"--journal", file("field", strings.Replace(sealed, `"status":200`, `"status":"ok"`, 1))}, "field: line 1: status: must be a whole number, is a string"},
		{"nothing in it", []string{"--journal", file("empty", "")}, "nothing of the recording can be compared"},
		{"nothing that can be opened", []string{"--journal", good}, "nothing of the recording can be compared"},
		{"a path that is none", []string{"--journal", good, "--ignore", "hello:"}, `ignore: "hello:" is no path such as`},
		{"no stand-in", []string{"--journal", good, "--platform", "http://127.0.0.1:1"}, "control API http://127.0.0.1:1"},
		{"no address", []string{"--journal", good, "--platform", "nonsense"}, "--platform: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := call(t, append([]string{"drift", "--lang", "en"}, tt.args...)...)
			if code != exitError || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d; want 2 and %q in\n%s%s", code, tt.want, errs, out)
			}
		})
	}
}
