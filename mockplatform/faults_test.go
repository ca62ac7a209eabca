package mockplatform_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	money "github.com/partnerkit/partnerkit/contract/anymoney"
	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// control makes a call of the control API.
func control(t *testing.T, s *mockplatform.Server, verb, path, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), verb, s.ControlURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(raw))
}

func frozen(cfg *mockplatform.Config) { cfg.Clock.Frozen = true }

// user is one who can top up at a partner's address.
type user struct {
	t    *testing.T
	s    *mockplatform.Server
	cred wire.Credentials
}

func newUser(t *testing.T, s *mockplatform.Server, notify string) *user {
	t.Helper()
	key, err := s.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "alice", Hash: alice})
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t, s, wire.Credentials{Hash: alice, Key: key}}
	if status, body := u.call(wire.CryptLogin, wire.LoginArgs{Login: "alice", Hash: alice, PaymentNotifyURL: notify}); status != http.StatusOK {
		t.Fatalf("log in: %d %s", status, body)
	}
	return u
}

// call returns status 0 where the connection broke.
func (u *user) call(method wire.Method, args any) (status int, body string) {
	u.t.Helper()
	response, err := client.Get(address(u.t, u.s, method, u.cred, args, nil))
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	raw, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(raw)
}

func (u *user) topUp(amount string) string {
	u.t.Helper()
	payment, err := u.s.Integra().TopUp(alice, amount, integra.ViaPartner)
	if err != nil {
		u.t.Fatal(err)
	}
	return payment.ID
}

func (u *user) confirm(id, amount string) int {
	status, _ := u.call(wire.ConfirmPayment, wire.ConfirmPaymentArgs{TransactionID: id, Amount: wire.Text(amount)})
	return status
}

func (u *user) balance() string {
	shown, _ := u.s.Integra().User(alice, 0)
	return shown.Balance.Text()
}

// The faults that an integration has to survive, at the calls where money moves.
func TestConfirmationsGoWrong(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, frozen)
	u := newUser(t, s, "http://127.0.0.1:1/")
	for i, tt := range []struct {
		act     string
		status  int
		balance string // after the call, and after a repeat
	}{
		{`{"do":"drop_before"}`, 0, "0.00 10.00"},
		{`{"do":"drop_after"}`, 0, "20.00 20.00"},
		{`{"do":"status","status":503}`, 503, "20.00 30.00"},
		{`{"do":"status","status":502,"committed":true}`, 502, "40.00 40.00"},
		{`{"do":"garbage"}`, 200, "50.00 50.00"},
	} {
		id := u.topUp("10")
		rule := fmt.Sprintf(`{"match":{"protocol":"integra","method":"confirmPayment","user":%q,"payment":%q,"nth":1},"act":%s}`, alice, id, tt.act)
		if status, answer := control(t, s, "POST", "/faults", rule); status != 201 || !strings.Contains(answer, fmt.Sprintf(`"id":"f%d"`, i+1)) {
			t.Fatalf("arm: %d %s", status, answer)
		}
		if got := u.confirm(id, "10"); got != tt.status {
			t.Errorf("%s: status %d, want %d", tt.act, got, tt.status)
		}
		after := u.balance()
		if got := u.confirm(id, "10"); got != 200 {
			t.Errorf("%s: repeat answered %d", tt.act, got)
		}
		if got := after + " " + u.balance(); got != tt.balance {
			t.Errorf("%s: balances %s, want %s", tt.act, got, tt.balance)
		}
		e := s.Journal().List(journal.Filter{Method: "confirmPayment", Limit: 2})[0]
		if !strings.HasPrefix(e.Fault, fmt.Sprintf("f%d ", i+1)) || e.User != alice {
			t.Errorf("%s: journal %q, user %q", tt.act, e.Fault, e.User)
		}
	}
}

// A partner hears of the top-up although its acknowledgement was lost, twice, and late.
func TestNotificationsGoWrong(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, frozen)
	var mu sync.Mutex
	var got []string
	begin := s.Clock().Now()
	partner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, s.Clock().Now().Sub(begin).String()+" "+r.URL.Query().Get("amount"))
	}))
	defer partner.Close()
	u := newUser(t, s, partner.URL+"/?id={id}&amount={amount}")
	for _, rule := range []string{
		`{"match":{"method":"notify","nth":1},"act":{"do":"drop_after"}}`,
		`{"match":{"method":"notify","nth":2},"act":{"do":"duplicate"}}`,
		`{"match":{"method":"notify","nth":3},"act":{"delay_ms":60000,"do":"other_amount","amount":"1000000"}}`,
	} {
		if status, answer := control(t, s, "POST", "/faults", rule); status != 201 {
			t.Fatalf("arm: %d %s", status, answer)
		}
	}
	id := u.topUp("5")
	if err := s.Clock().Advance(t.Context(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	payment, _ := s.Integra().Payment(id)
	copies := 0
	for _, a := range payment.Attempts {
		if a.Copy {
			copies++
		}
	}
	if len(payment.Attempts) != 3 || copies != 1 || !payment.Acknowledged() {
		t.Errorf("attempts %+v", payment.Attempts)
	}
	u.topUp("7")
	if err := s.Clock().Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if want := []string{"0s 5", "10s 5", "10s 5", "1m10s 1000000"}; cmp.Diff(want, got) != "" {
		t.Errorf("heard %q, want %q", got, want)
	}
}

// Signatures go wrong in answers and callbacks, and amounts under a right one.
func TestSignaturesGoWrong(t *testing.T) {
	t.Parallel()
	const key = money.Key("mock-api-key-of-merchant-37")
	s := mockplatform.Start(t, frozen)
	var mu sync.Mutex
	var got []string
	merchant := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		order, err := money.ParseObject(raw)
		if err != nil {
			t.Error(err)
		}
		in, _ := order.Get("in_amount").Text()
		wrong := key.Verify(order, r.Header.Get(money.HeaderUTCNowMS), r.Header.Get(money.HeaderSignature))
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(in, " ", wrong == nil))
	}))
	defer merchant.Close()
	call := func(method string, params money.Object) (signed bool) {
		t.Helper()
		now := fmt.Sprint(s.Clock().Now().UnixMilli())
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":"x","method":%q,"params":%s}`, method, params.AppendJSON(nil))
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.PlatformURL()+"/anymoney/", strings.NewReader(body))
		for name, value := range map[string]string{
			"Content-Type": "application/json", money.HeaderMerchant: "37",
			money.HeaderUTCNowMS: now, money.HeaderSignature: key.Sign(params, now),
		} {
			r.Header.Set(name, value)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		raw, _ := io.ReadAll(response.Body)
		answer, err := money.ParseResponse(raw, money.Text("x"))
		if err != nil || answer.Err != nil {
			t.Fatalf("%s: %s", method, raw)
		}
		return key.Verify(answer.Signed(), response.Header.Get(money.HeaderUTCNowMS), response.Header.Get(money.HeaderSignature)) == nil
	}
	for _, rule := range []string{
		`{"match":{"protocol":"anymoney","method":"balance","nth":1},"act":{"do":"wrong_signature"}}`,
		`{"match":{"protocol":"anymoney","method":"callback","nth":1},"act":{"do":"wrong_signature"}}`,
		`{"match":{"protocol":"anymoney","method":"callback","nth":2},"act":{"do":"other_amount"}}`,
	} {
		if status, answer := control(t, s, "POST", "/faults", rule); status != 201 {
			t.Fatalf("arm: %d %s", status, answer)
		}
	}
	if call("balance", nil) {
		t.Error("the first answer is signed rightly")
	}
	if !call("balance", nil) {
		t.Error("the second answer is signed wrongly")
	}
	for _, id := range []string{"o1", "o2", "o3"} {
		call("payin.create", money.Object{
			{Name: "amount", Value: money.Text("100")},
			{Name: "externalid", Value: money.Text(id)},
			{Name: "in_curr", Value: money.Text("UAH")},
			{Name: "payway", Value: money.Text("visamc")},
			{Name: "callback_url", Value: money.Text(merchant.URL)},
		})
		if order := s.AnyMoney().SetStatus("37", id, money.StatusDone); order == nil {
			t.Fatal("no order")
		}
		if err := s.Clock().Advance(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"100 false", "101 true", "100 true"}; cmp.Diff(want, got) != "" {
		t.Errorf("heard %q, want %q", got, want)
	}
}

// Presets are armed as a whole, /unkind/ from the start; a reset brings the start back.
func TestPresets(t *testing.T) {
	t.Parallel()
	unkind, err := fault.Preset("unkind")
	if err != nil {
		t.Fatal(err)
	}
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.Faults = unkind })
	count := func() int {
		_, answer := control(t, s, "GET", "/faults", "")
		var body struct {
			Faults  []struct{ Name string }
			Presets []string
		}
		if err := json.Unmarshal([]byte(answer), &body); err != nil || len(body.Presets) < 5 {
			t.Fatalf("%s: %v", answer, err)
		}
		return len(body.Faults)
	}
	if got := count(); got != len(unkind) {
		t.Errorf("%d rules at the start, want %d", got, len(unkind))
	}
	for _, name := range fault.Presets() {
		if status, answer := control(t, s, "POST", "/faults", fmt.Sprintf(`{"preset":%q}`, name)); status != 201 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if status, _ := control(t, s, "DELETE", "/faults", ""); status != 204 || count() != 0 {
		t.Errorf("clear: %d, %d left", status, count())
	}
	s.Reset()
	if got := count(); got != len(unkind) {
		t.Errorf("%d rules after a reset, want %d", got, len(unkind))
	}
}

// A sum of the table makes trouble for its own payment, and for no other.
func TestMagicAmounts(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, frozen)
	var mu sync.Mutex
	heard := map[string]int{}
	partner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		heard[r.URL.Query().Get("id")]++
	}))
	defer partner.Close()
	u := newUser(t, s, partner.URL+"/?id={id}")
	for _, tt := range []struct {
		amount   string
		heard    int
		statuses string // of three confirmations
		credited bool   // by the first
	}{
		{"4040", 1, "[200 200 200]", true},
		{"4040.09", 1, "[200 200 200]", true},
		{"4040.01", 2, "[200 200 200]", true},
		{"4040.02", 2, "[200 200 200]", true},
		{"4040.04", 1, "[200 200 200]", true},
		{"4040.07", 0, "[200 200 200]", true},
		{"4040.11", 1, "[0 200 200]", true},
		{"4040.12", 1, "[0 200 200]", false},
		{"4040.13", 1, "[503 503 503]", false},
		{"4040.17", 1, "[500 200 200]", true},
	} {
		id := u.topUp(tt.amount)
		if err := s.Clock().Advance(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		before := u.balance()
		statuses := []int{u.confirm(id, tt.amount)}
		credited := u.balance() != before
		statuses = append(statuses, u.confirm(id, tt.amount), u.confirm(id, tt.amount))
		mu.Lock()
		if heard[id] != tt.heard || fmt.Sprint(statuses) != tt.statuses || credited != tt.credited {
			t.Errorf("%s: heard %d times, confirmed %v, credited by the first %v; want %+v", tt.amount, heard[id], statuses, credited, tt)
		}
		mu.Unlock()
	}
	// What has ended is gone: with its last use, or with its payment's last notification.
	var left []string
	for _, f := range s.Faults().List() {
		left = append(left, f.Rule.Name)
	}
	if got := fmt.Sprint(left); got != "[]" {
		t.Errorf("still armed: %s", got)
	}
	if status, answer := control(t, s, "PATCH", "/settings", `{"magic_amounts":false}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if id := u.topUp("4040.13"); u.confirm(id, "4040.13") != 200 {
		t.Error("the amount is magic though that was turned off")
	}
	hash := strings.Repeat("d", 32)
	pay := wire.DoPaymentArgs{PaymentSum: "4040.11", PaymentHash: hash, UserLogin: "alice"}
	s.Reset()
	u = newUser(t, s, partner.URL)
	if status, _ := u.call(wire.DoPayment, pay); status != 0 || u.balance() != "4040.11" {
		t.Errorf("a direct payment: status %d, balance %s", status, u.balance())
	}
}

func TestFaultsAreRefused(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t)
	for _, tt := range []struct{ body, location string }{
		{`{"act":{"do":"drop_before"},"explode":true}`, "body.explode"},
		{`{"match":{"metod":"x"},"act":{"do":"drop_before"}}`, "body.match.metod"},
		{`{"act":{"do":"explode"}}`, "body.act.do"},
		{`{"act":{"delay_ms":-1}}`, "body.act.delay_ms"},
		{`{"match":{"nth":0},"act":{"do":"hang"}}`, "body.match.nth"},
		{`{"match":{"method":"notify","direction":"in"},"act":{"do":"hang"}}`, "body.match.method"},
		{`{"rules":[{"act":{"do":"hang"}},{"match":{"every":0},"act":{"do":"hang"}}]}`, "body.rules[1].match.every"},
		{`{"preset":"kind"}`, "body.preset"},
		{`{"preset":"unkind","rules":[]}`, "body"},
		{`{"match":{"method":"notify"}}`, "body.act"},
		{`{}`, "body"},
	} {
		status, answer := control(t, s, "POST", "/faults", tt.body)
		if status != 422 || !strings.Contains(answer, `"location":"`+tt.location+`"`) {
			t.Errorf("%s: %d %s, want 422 at %s", tt.body, status, answer, tt.location)
		}
	}
	if status, _ := control(t, s, "DELETE", "/faults/f1", ""); status != 404 {
		t.Errorf("delete an unknown one: %d", status)
	}
	if n := len(s.Faults().List()); n != 0 {
		t.Errorf("%d rules are armed", n)
	}
}

// A rule is disarmed by its name, whatever is in it.
func TestFaultNamesInPaths(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, frozen)
	if status, answer := control(t, s, "POST", "/faults", `{"preset":"repeats"}`); status != http.StatusCreated {
		t.Fatalf("%d %s", status, answer)
	}
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		if status, answer := control(t, s, "DELETE", "/faults/repeats", ""); status != want || len(s.Faults().List()) > 0 {
			t.Errorf("preset: %d %s; want %d", status, answer, want)
		}
	}
	for _, name := range []string{"answers lost", "по вечерам", "a/b", "100%"} {
		if status, answer := control(t, s, "POST", "/faults", fmt.Sprintf(`{"name":%q,"act":{"do":"hang"}}`, name)); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, status, answer)
		}
		if status, answer := control(t, s, "DELETE", "/faults/"+url.PathEscape(name), ""); status != http.StatusNoContent {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}
