package mockplatform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

const cardUser = "cccccccccccccccccccccccccccccccc"

// world is a stand-in in frozen time with one user.
type world struct {
	*testing.T
	*mockplatform.Server
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{t, mockplatform.Start(t, func(cfg *mockplatform.Config) {
		cfg.Clock = clock.State{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Frozen: true}
	})}
	if _, err := w.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "carol", Hash: cardUser}); err != nil {
		t.Fatal(err)
	}
	return w
}

// call makes a call of the control API and decodes the answer.
func (w world) call(verb, path, body string, status int) map[string]any {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), verb, w.ControlURL()+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		w.Fatalf("%s %s: %d, not %d: %s, %v", verb, path, response.StatusCode, status, text, err)
	}
	var out map[string]any
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			w.Fatal(err)
		}
	}
	return out
}

func (w world) balance() string {
	w.Helper()
	return w.call("GET", "/integra/users/"+cardUser, "", 200)["balance"].(string)
}

func (w world) advance(d time.Duration) {
	w.Helper()
	if err := w.Clock().Advance(w.Context(), d); err != nil {
		w.Fatal(err)
	}
}

// open follows the address of a top-up to the payment page.
func (w world) open(topUp map[string]any) {
	w.Helper()
	response, err := http.Get(topUp["pay_url"].(string))
	if err != nil {
		w.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 200 || !strings.Contains(response.Request.URL.Path, "/robokassa/Merchant/Index/") {
		w.Fatalf("the payment page: %d at %s", response.StatusCode, response.Request.URL)
	}
}

// A top-up by card is credited when Robokassa reports it, once, and the partner hears nothing.
func TestTopUpByRobokassa(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	topUp := w.call("POST", "/integra/users/"+cardUser+"/topups", `{"amount":"100.50","via":"robokassa"}`, 201)
	id, number := topUp["id"].(string), topUp["inv_id"].(string)
	w.open(topUp)
	act := func(action string, status int) map[string]any {
		return w.call("POST", "/robokassa/operations/"+number+"/"+action, `{"shop":"integra"}`, status)
	}
	act("refuse", 200)
	w.advance(time.Minute)
	if got := w.balance(); got != "0.00" {
		t.Errorf("balance %s after a refusal", got)
	}
	act("pay", 200)
	w.advance(0)
	if got := w.balance(); got != "100.50" {
		t.Errorf("balance %s", got)
	}
	act("pay", 409)
	w.advance(24 * time.Hour)
	if got := w.balance(); got != "100.50" {
		t.Errorf("balance %s a day later", got)
	}
	pay := w.call("GET", "/integra/payments/"+id, "", 200)
	if pay["state"] != "confirmed" || pay["via"] != "robokassa" || pay["credited"] != "100.50" {
		t.Errorf("payment %v", pay)
	}
	if op := w.call("GET", "/robokassa/operations/"+number+"?shop=integra", "", 200); op["delivered"] != true || op["tries"] != 1.0 || op["state"] != 100.0 {
		t.Errorf("operation %v", op)
	}
	if n := len(w.Journal().List(journal.Filter{Method: "notify"})); n != 0 {
		t.Errorf("the partner was notified %d times", n)
	}
	for _, e := range w.Journal().List(journal.Filter{Direction: journal.Out}) {
		if e.Protocol != "robokassa" {
			t.Errorf("an exchange with somebody else: %s %s", e.Protocol, e.Method)
		}
	}
}

// Refunds lower the balance at once, and are given back if Robokassa refuses.
func TestRefundByRobokassa(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	topUp := w.call("POST", "/integra/users/"+cardUser+"/topups", `{"amount":"100","via":"robokassa"}`, 201)
	id, number := topUp["id"].(string), topUp["inv_id"].(string)
	w.call("POST", "/integra/payments/"+id+"/refund", `{}`, 409)
	w.open(topUp)
	w.call("POST", "/robokassa/operations/"+number+"/pay", `{"shop":"integra"}`, 200)
	w.advance(0)

	part := w.call("POST", "/integra/payments/"+id+"/refund", `{"amount":"40"}`, 201)
	if got := w.balance(); got != "60.00" || part["state"] != "unconfirmed" {
		t.Errorf("balance %s while the refund is under way: %v", got, part)
	}
	w.advance(10 * time.Second)
	refund := w.call("GET", "/integra/payments/"+part["id"].(string), "", 200)
	if refund["state"] != "confirmed" || refund["kind"] != "refund" || refund["credited"] != "-40.00" || w.balance() != "60.00" {
		t.Errorf("refund %v, balance %s", refund, w.balance())
	}
	w.call("POST", "/integra/payments/"+id+"/refund", `{"amount":"60.01"}`, 422)
	w.call("POST", "/integra/payments/nobody/refund", `{}`, 404)

	// A second shop program took the money back already: Robokassa has nothing left.
	w.call("POST", "/faults", `{"match":{"method":"Refund/Create"},"act":{"do":"status","status":200,"body":"{\"success\":false,\"message\":\"NotEnoughOperationFunds\",\"requestId\":null}"}}`, 201)
	no := w.call("POST", "/integra/payments/"+id+"/refund", `{}`, 201)
	w.advance(time.Minute)
	refund = w.call("GET", "/integra/payments/"+no["id"].(string), "", 200)
	if refund["state"] != "declined" || refund["credited"] != "0.00" || w.balance() != "60.00" {
		t.Errorf("refused refund %v, balance %s", refund, w.balance())
	}
	// An answer that got lost proves nothing: the money stays set aside.
	w.call("DELETE", "/faults", "", 204)
	w.call("POST", "/faults", `{"match":{"method":"Refund/Create"},"act":{"do":"drop_after"}}`, 201)
	lost := w.call("POST", "/integra/payments/"+id+"/refund", `{"amount":"10"}`, 201)
	w.advance(time.Minute)
	refund = w.call("GET", "/integra/payments/"+lost["id"].(string), "", 200)
	if refund["state"] != "unconfirmed" || w.balance() != "50.00" {
		t.Errorf("lost refund %v, balance %s", refund, w.balance())
	}
	if n := len(w.Journal().List(journal.Filter{Method: "Refund/Create"})); n != 3 {
		t.Errorf("refunds were asked for %d times; want 3", n)
	}
}

// Integra's shop answers nothing but good messages, however its answer gets lost.
func TestResultSurvivesFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, act := range []string{
		`{"match":{"method":"ResultURL","nth":1},"act":{"do":"drop_before"}}`,
		`{"match":{"method":"ResultURL","nth":2},"act":{"do":"wrong_signature"}}`,
		`{"match":{"method":"ResultURL","nth":3},"act":{"do":"other_amount"}}`,
		`{"match":{"method":"ResultURL","nth":4},"act":{"do":"drop_after"}}`,
		`{"match":{"method":"ResultURL","nth":5},"act":{"do":"duplicate","copies":3}}`,
	} {
		w.call("POST", "/faults", act, 201)
	}
	topUp := w.call("POST", "/integra/users/"+cardUser+"/topups", `{"amount":"70","via":"robokassa"}`, 201)
	w.open(topUp)
	w.call("POST", "/robokassa/operations/"+topUp["inv_id"].(string)+"/pay", `{"shop":"integra"}`, 200)
	w.advance(0)
	for i, want := range []string{"0.00", "0.00", "0.00", "70.00", "70.00", "70.00"} {
		if got := w.balance(); got != want {
			t.Errorf("balance %s after %d tries; want %s", got, i+1, want)
		}
		w.advance(time.Minute)
	}
	if n := len(w.Journal().List(journal.Filter{Method: "ResultURL"})); n != 5+3 {
		t.Errorf("ResultURL was called %d times; want 8", n)
	}
}

// Clients that were not changed find Robokassa by the names of its hosts.
func TestHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for host, path := range map[string]string{
		"auth.robokassa.ru":        "/Merchant/WebService/Service.asmx/GetPaymentMethods?MerchantLogin=integra&Language=ru",
		"AUTH.robokassa.kz:443":    "/Merchant/WebService/Service.asmx/GetPaymentMethods?MerchantLogin=integra&Language=ru",
		"merchant.roboxchange.com": "/WebService/Service.asmx/GetPaymentMethods?MerchantLogin=integra&Language=ru",
		"services.robokassa.ru":    "/RefundService/Refund/GetState?id=x",
		"docs.robokassa.ru":        "/media/files/jwtsign.cer",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.PlatformURL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != 200 {
			t.Errorf("%s%s: %d", host, path, response.StatusCode)
		}
	}
	all := w.Journal().List(journal.Filter{Protocol: "robokassa"})
	if len(all) != 5 || !strings.HasPrefix(string(all[0].Request), "GET /") {
		t.Errorf("%d exchanges in the journal", len(all))
	}
}

// Shops are registered and switches are turned over HTTP; what cannot be is a problem that
// names the field.
func TestShopsAndSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const good = `{"password1":"one","password2":"two","hash":"sha512","result_url":"http://127.0.0.1:1/result"}`
	shop := w.call("PUT", "/robokassa/shops/mine", good, 200)
	if shop["hash"] != "SHA512" || shop["test_mode"] != false || shop["result_method"] != "POST" || strings.Contains(fmt.Sprint(shop), "two") {
		t.Errorf("shop %v", shop)
	}
	if all := w.call("GET", "/robokassa/shops", "", 200)["shops"].([]any); len(all) != 2 {
		t.Errorf("shops %v", all)
	}
	for _, tt := range []struct{ verb, path, body, field string }{
		{"PUT", "/robokassa/shops/mine", `{"password1":"one","password2":"two","hash":"MD4"}`, "body.hash"},
		{"PUT", "/robokassa/shops/mine", `{"password1":"one","password2":"two","result_url":"file:///etc"}`, "body.result_url"},
		{"PUT", "/robokassa/shops/mine", `{"password1":"one"}`, "body"},
		{"PUT", "/robokassa/shops/two%20words", `{"password1":"one","password2":"two"}`, "body.login"},
		{"PUT", "/integra/partners/" + cardUser, `{"key":"k","path":"robokassa/acme"}`, "body.path"},
		{"PUT", "/integra/partners/" + cardUser, `{"key":"k","path":"ns"}`, "body.path"},
		{"PATCH", "/settings", `{"robokassa":{"result_tries":0}}`, "body.robokassa.result_tries"},
		{"PATCH", "/settings", `{"robokassa":{"result_try":1}}`, "body.robokassa"},
		{"PATCH", "/settings", `{"robokassa":{"live_decimals":"six"}}`, "body.robokassa"},
		{"POST", "/integra/users/" + cardUser + "/topups", `{"amount":"0","via":"robokassa"}`, "body.amount"},
	} {
		problem := w.call(tt.verb, tt.path, tt.body, 422)
		first := problem["errors"].([]any)[0].(map[string]any)
		if first["location"] != tt.field {
			t.Errorf("%s %s %s: %v; want %s", tt.verb, tt.path, tt.body, first, tt.field)
		}
	}
	w.call("POST", "/robokassa/operations/5/pay", `{"shop":"mine"}`, 404)
	settings := w.call("PATCH", "/settings", `{"robokassa":{"fee_percent":"2.5","check_order":["shop","active","test_mode","signature","sum","invoice","expired","recurring","hold","paid"]}}`, 200)
	if of := settings["robokassa"].(map[string]any); of["fee_percent"] != "2.5" || of["check_order"].([]any)[3] != "signature" || of["result_retry_ms"] != 60000.0 {
		t.Errorf("settings %v", of)
	}
	w.call("POST", "/reset", "", 204)
	if of := w.call("GET", "/settings", "", 200)["robokassa"].(map[string]any); of["fee_percent"] != "3.9" {
		t.Errorf("settings after a reset: %v", of)
	}
}
