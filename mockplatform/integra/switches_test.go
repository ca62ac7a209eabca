package integra_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

func code(t *testing.T, got answer) wire.Code {
	t.Helper()
	response, err := wire.ParseResponse([]byte(got.body))
	if err != nil {
		t.Fatalf("answer %.200s: %v", got.body, err)
	}
	return response.Status.Code
}

// Each switch with each of its positions, and what it changes.
func TestSwitches(t *testing.T) {
	t.Parallel()
	const other = "7d793037a0760186574b0282f2f435e7"
	pay := func(sum, hash string) [2]string {
		return [2]string{"doPayment", `{"paymentSum":"` + sum + `","paymentHash":"` + hash + `","userLogin":"` + alice + `"}`}
	}
	confirm := func(amount string) [2]string {
		return [2]string{"confirmPayment", `{"amount":"` + amount + `","transactionId":"ID"}`}
	}
	tests := []struct {
		name    string
		change  func(*integra.Settings)
		calls   [][2]string // method and arguments; ID is the id of a top-up of 100
		codes   []wire.Code
		balance string
	}{
		{"confirm again", nil, [][2]string{confirm("100"), confirm("100.00"), confirm("100")}, []wire.Code{0, 0, 0}, "100.00"},
		{
			"confirm again, refused", func(s *integra.Settings) { s.ConfirmRepeated = integra.RepeatRefused },
			[][2]string{confirm("100"), confirm("100")},
			[]wire.Code{0, 8},
			"100.00",
		},
		{"confirm another amount", nil, [][2]string{confirm("99"), confirm("100")}, []wire.Code{9, 0}, "100.00"},
		{
			"confirm another amount, credited", func(s *integra.Settings) { s.ConfirmOtherAmount = integra.OtherAmountCredited },
			[][2]string{confirm("99.5"), confirm("99.50"), confirm("100")},
			[]wire.Code{0, 0, 9},
			"99.50",
		},
		{
			"confirm more than possible", func(s *integra.Settings) { s.ConfirmOtherAmount = integra.OtherAmountCredited },
			[][2]string{confirm("1000000000000.01")},
			[]wire.Code{1},
			"0.00",
		},
		{"pay again", nil, [][2]string{pay("5", paid), pay("5", paid), pay("5", other)}, []wire.Code{0, 10, 0}, "10.00"},
		{
			"pay again, same answer", func(s *integra.Settings) { s.HashReused = integra.RepeatSucceeds },
			[][2]string{pay("5", paid), pay("5.00", paid), pay("6", paid), pay("-5", paid)},
			[]wire.Code{0, 0, 10, 10},
			"5.00",
		},
		{"refund to the last kopeck", nil, [][2]string{pay("5", paid), pay("-5", other)}, []wire.Code{0, 0}, "0.00"},
		{"refund beyond", nil, [][2]string{pay("5", paid), pay("-5.01", other), pay("-5", other)}, []wire.Code{0, 11, 0}, "0.00"},
		{
			"refund beyond, allowed", func(s *integra.Settings) { s.Overdraft = integra.OverdraftAllowed },
			[][2]string{pay("-5.01", other)},
			[]wire.Code{0},
			"-5.01",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			s.register(alice)
			s.logIn(alice, nowhere)
			if tt.change != nil { // at run time, as the control API does
				if err := s.p.ChangeSettings(tt.change); err != nil {
					t.Fatal(err)
				}
			}
			id := s.topUp(alice, "100").ID
			var codes []wire.Code
			var answers []string
			for _, c := range tt.calls {
				got := s.call(c[0], alice, strings.ReplaceAll(c[1], "ID", id))
				codes = append(codes, code(t, got))
				if codes[len(codes)-1] == wire.CodeOK {
					answers = append(answers, got.body)
				}
			}
			if diff := cmp.Diff(tt.codes, codes); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
			if s.balance(alice) != tt.balance {
				t.Errorf("balance %s, want %s", s.balance(alice), tt.balance)
			}
			if strings.Contains(tt.name, "again") && len(answers) > 1 && answers[0] != answers[1] && tt.name != "pay again" {
				t.Errorf("repeat answered %s, first %s", answers[1], answers[0])
			}
		})
	}
}

func TestAmountForms(t *testing.T) {
	t.Parallel()
	for form, want := range map[integra.AmountForm][]string{
		integra.AmountShort: {"/100", "/100.5", "/0.01"},
		integra.AmountFull:  {"/100.00", "/100.50", "/0.01"},
	} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, with(func(s *integra.Settings) { s.Notify.Amount = form }))
			partner := newReceiver(s, nil)
			s.register(alice)
			s.logIn(alice, partner.URL+"/{amount}")
			for i, amount := range []string{"100.0", "100.50", "0.01"} {
				s.topUp(alice, amount)
				s.advance(0)
				if got := partner.received()[i]; !strings.HasSuffix(got, " GET "+want[i]) {
					t.Errorf("notified %s, want %s", got, want[i])
				}
			}
		})
	}
}

// An answer gets lost after the change is made: the change stays, and only changes count.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, lost := range []integra.LostAnswers{integra.LostDrop, integra.LostError, integra.LostHang} {
		t.Run(string(lost), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, with(func(s *integra.Settings) { s.LostAnswers = lost }))
			server := httptest.NewServer(s.handler)
			defer server.Close()
			get := func(ctx context.Context, method, args string) (status int, body string, err error) {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+target(method, alice, args), nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := server.Client().Do(r)
				if err != nil {
					return 0, "", err
				}
				defer func() { _ = response.Body.Close() }()
				raw, err := io.ReadAll(response.Body)
				return response.StatusCode, string(raw), err
			}
			s.register(alice)
			s.logIn(alice, nowhere)
			id := s.topUp(alice, "100").ID
			s.advance(0)

			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			if lost == integra.LostHang { // the caller's patience ends once the change is made
				recorded, stop := s.journal.Watch()
				defer stop()
				go func() {
					<-recorded
					giveUp()
				}()
			}
			status, body, err := get(ctx, "confirmPayment", `{"amount":"100","transactionId":"`+id+`"}`)
			switch lost {
			case integra.LostError:
				_, notEnvelope := wire.ParseResponse([]byte(body))
				if err != nil || status != http.StatusInternalServerError || !errors.Is(notEnvelope, wire.ErrNotEnvelope) {
					t.Errorf("answered %d %q, %v; want a 500 that is no envelope", status, body, err)
				}
			case integra.LostDrop:
				if !errors.Is(err, io.EOF) {
					t.Errorf("answered %d %q, %v; want a closed connection", status, body, err)
				}
			case integra.LostHang:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("answered %d %q, %v; want nothing", status, body, err)
				}
			}
			if s.balance(alice) != "100.00" {
				t.Errorf("balance %s, want 100.00", s.balance(alice))
			}
			e := s.journal.List(journal.Filter{Method: "confirmPayment"})[0]
			if !e.Verdict.OK || e.Verdict.Detail != "done, but its answer was lost: "+string(lost) || (e.Response == nil) != (lost != integra.LostError) {
				t.Errorf("journal: %+v, response %q", e.Verdict, e.Response)
			}
			for _, call := range [][2]string{{"getUserData", `{}`}, {"confirmPayment", `{"amount":"100","transactionId":"` + id + `"}`}, {"confirmPayment", `{"amount":"1","transactionId":"` + id + `"}`}} {
				if status, body, err := get(t.Context(), call[0], call[1]); err != nil || status != http.StatusOK {
					t.Errorf("%s, which changes nothing: %d %q, %v", call[0], status, body, err)
				}
			}
		})
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		field  string
		change func(*integra.Settings)
	}{
		{"notify.timeout_ms", func(s *integra.Settings) { s.Notify.Timeout = 0 }},
		{"notify.timeout_ms", func(s *integra.Settings) { s.Notify.Timeout = time.Hour }},
		{"notify.retries", func(s *integra.Settings) { s.Notify.Retries = -1 }},
		{"notify.retries", func(s *integra.Settings) { s.Notify.Retries = 101 }},
		{"notify.first_retry_ms", func(s *integra.Settings) { s.Notify.FirstRetry = -1 }},
		{"notify.schedule_ms[1]", func(s *integra.Settings) { s.Notify.Schedule = []time.Duration{0, -1} }},
		{"notify.schedule_ms", func(s *integra.Settings) { s.Notify.Schedule = make([]time.Duration, 101) }},
		{"notify.delay_ms", func(s *integra.Settings) { s.Notify.Delay = -1 }},
		{"notify.duplicates", func(s *integra.Settings) { s.Notify.Duplicates = -1 }},
		{"notify.duplicate_after_ms", func(s *integra.Settings) { s.Notify.DuplicateAfter = -1 }},
		{"notify.reorder_ms", func(s *integra.Settings) { s.Notify.Reorder = 367 * 24 * time.Hour }},
		{"notify.amount", func(s *integra.Settings) { s.Notify.Amount = "long" }},
		{"confirm_repeated", func(s *integra.Settings) { s.ConfirmRepeated = "" }},
		{"confirm_other_amount", func(s *integra.Settings) { s.ConfirmOtherAmount = "half" }},
		{"payment_hash_reused", func(s *integra.Settings) { s.HashReused = "maybe" }},
		{"payment_expiry_ms", func(s *integra.Settings) { s.Expiry = -1 }},
		{"lost_answers", func(s *integra.Settings) { s.LostAnswers = "all" }},
		{"refund_beyond_balance", func(s *integra.Settings) { s.Overdraft = "" }},
	}
	for _, tt := range tests {
		t.Run(tt.field, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			before := s.p.Settings()
			var field *integra.FieldError
			if err := s.p.ChangeSettings(tt.change); !errors.As(err, &field) || field.Field != tt.field {
				t.Errorf("error %v, want one of %s", err, tt.field)
			}
			if diff := cmp.Diff(before, s.p.Settings()); diff != "" {
				t.Errorf("settings changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestPartnersAreChecked(t *testing.T) {
	t.Parallel()
	good := integra.Partner{Hash: strings.Repeat("e", 32), Key: "k", Path: "a/b.c/d_e-f", Cipher: "base64"}
	tests := []struct {
		field  string
		change func(*integra.Partner)
	}{
		{"hash", func(p *integra.Partner) { p.Hash = "short" }},
		{"hash", func(p *integra.Partner) { p.Hash = strings.Repeat("-", 32) }},
		{"key", func(p *integra.Partner) { p.Key = "" }},
		{"path", func(p *integra.Partner) { p.Path = "" }},
		{"path", func(p *integra.Partner) { p.Path = "/partners/e" }},
		{"path", func(p *integra.Partner) { p.Path = "partners//e" }},
		{"path", func(p *integra.Partner) { p.Path = "../e" }},
		{"path", func(p *integra.Partner) { p.Path = "partners/é" }},
		{"cipher", func(p *integra.Partner) { p.Cipher = "rot13" }},
	}
	s := newStand(t)
	for _, tt := range tests {
		bad := good
		tt.change(&bad)
		var field *integra.FieldError
		if err := s.p.PutPartner(bad); !errors.As(err, &field) || field.Field != tt.field {
			t.Errorf("PutPartner(%+v): %v, want an error of %s", bad, err, tt.field)
		}
	}
	if got := len(s.p.Partners()); got != 2 {
		t.Errorf("%d partners, want 2", got)
	}
	if err := s.p.PutPartner(good); err != nil {
		t.Fatal(err)
	}
	hello := "/a/b.c/d_e-f/hello?k=" + k(good.Hash, `{"name":"x"}`)
	if got := s.send(http.MethodGet, hello, ""); code(t, got) != 0 {
		t.Errorf("hello of the new partner: %s", got.body)
	}
	good.Path = "elsewhere"
	if err := s.p.PutPartner(good); err != nil {
		t.Fatal(err)
	}
	if got := s.send(http.MethodGet, hello, ""); got.status != http.StatusNotFound {
		t.Errorf("hello under the old path: %d %s", got.status, got.body)
	}
	for _, path := range []string{"elsewhere", "iframe"} {
		if got := s.send(http.MethodGet, "/"+path+"/hello?k="+k(good.Hash, `{"name":"x"}`), ""); code(t, got) != 0 {
			t.Errorf("hello under %s: %s", path, got.body)
		}
	}
}

// What the button of the page refuses.
func TestTopUpRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		user, amount string
		via          integra.Via
		check        integra.Check
		code         wire.Code
	}{
		{alice, "0", integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "0.00", integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "-1", integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "", integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "1.001", integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "1e3", integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "１００", integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "1" + strings.Repeat("0", 30), integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "1000000000000.01", integra.ViaPartner, integra.CheckAmount, 1},
		{alice, "1", integra.ViaRobokassa, integra.CheckVia, 1},
		{alice, "1", "cash", integra.CheckVia, 1},
		{bob, "1", integra.ViaPartner, integra.CheckNotify, 1},
		{carol, "1", integra.ViaPartner, integra.CheckArchive, 6},
		{strings.Repeat("e", 32), "1", integra.ViaPartner, integra.CheckUser, 5},
	}
	s := newStand(t)
	for _, hash := range []string{alice, bob, carol} {
		s.register(hash)
		if hash != bob {
			s.logIn(hash, nowhere)
		}
	}
	s.call("archiveUser", carol, `{}`)
	before := s.world()
	for _, tt := range tests {
		_, err := s.p.TopUp(tt.user, tt.amount, tt.via)
		var refusal *integra.Refusal
		if !errors.As(err, &refusal) || refusal.Check != tt.check || refusal.Code != tt.code {
			t.Errorf("TopUp(%s, %q, %s): %v; want check %s with code %d", tt.user, tt.amount, tt.via, err, tt.check, tt.code)
		}
	}
	unchanged(t, s, before)
	if payment := s.topUp(alice, "1000000000000"); payment.Amount != integra.MaxSum {
		t.Errorf("the greatest amount became %s", payment.Amount)
	}
}

// A page that is not let in is a page, not JSON, and in the journal.
func TestPageRefusals(t *testing.T) {
	t.Parallel()
	login := func(fields string) string { return `{"login":"` + alice + `","hash":"` + alice + `"` + fields + `}` }
	tests := []struct {
		name   string
		target string
		status int
		check  integra.Check
	}{
		{"no k", "/partners/plain/cryptLogin", 400, "k"},
		{"bad k", "/partners/plain/iframe?k=zzz", 400, "k"},
		{"unknown path", "/partners/nobody/cryptLogin?k=" + k(alice, login("")), 404, "path"},
		{"unknown user", target("cryptLogin", strings.Repeat("e", 32), login("")), 404, "user"},
		{"wrong key", "/iframe/cryptLogin?k=" + k(bob, "\x01\x02"), 403, "key"},
		{"no login", target("cryptLogin", alice, `{"hash":"`+alice+`"}`), 403, "args.login"},
		{"other login", target("cryptLogin", alice, `{"login":"x","hash":"`+alice+`"}`), 403, "args.login"},
		{"other hash", target("cryptLogin", alice, `{"login":"`+alice+`","hash":"`+bob+`"}`), 403, "args.hash"},
		{"archived", target("cryptLogin", carol, `{"login":"`+carol+`","hash":"`+carol+`"}`), 403, "archive"},
		{"notification URL of another scheme", target("cryptLogin", alice, login(`,"paymentNotifyUrl":"file:///etc/passwd"`)), 403, "args.paymentNotifyUrl"},
		{"1 MB", "/partners/plain/cryptLogin?k=" + strings.Repeat("a", 1<<20), 414, "url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			for _, hash := range []string{alice, bob, carol} {
				s.register(hash)
			}
			s.call("archiveUser", carol, `{}`)
			before := s.world()
			checkPage(t, tt.name, s.send(http.MethodGet, tt.target, ""), tt.status)
			if e := s.last(); e.Verdict.OK || e.Verdict.Check != string(tt.check) || e.Status != tt.status {
				t.Errorf("journal: %d %+v, want check %s", e.Status, e.Verdict, tt.check)
			}
			unchanged(t, s, before)
		})
	}
}

// The page's button is a form that is posted to the page's own address.
func TestTopUpOnThePage(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	partner := newReceiver(s, nil)
	s.register(alice)
	s.logIn(alice, partner.URL+"/{amount}")
	address := target("cryptLogin", alice, `{"login":"`+alice+`","hash":"`+alice+`"}`) // keeps the URL of the login
	got := s.send(http.MethodPost, address, "amount=100%2C50&via=partner")
	if got.status != http.StatusSeeOther {
		t.Fatalf("answered %d %s", got.status, got.body)
	}
	s.advance(0)
	if diff := cmp.Diff([]string{"0s GET /100.5"}, partner.received()); diff != "" {
		t.Errorf("notified (-want +got):\n%s", diff)
	}
	presses := s.journal.List(journal.Filter{Method: "topUp", User: alice})
	u, _ := s.p.User(alice, 1)
	if len(presses) != 1 || presses[0].Payment != u.Payments[0].ID || !presses[0].Verdict.OK {
		t.Errorf("journal: %d presses", len(presses))
	}
	got = s.send(http.MethodPost, address, "amount=-1&via=partner")
	if e := s.last(); got.status != http.StatusUnprocessableEntity || e.Verdict.OK || e.Verdict.Check != "amount" {
		t.Errorf("answered %d, journal %+v", got.status, e.Verdict)
	}
}

// Old final payments are forgotten; the balance is not.
func TestKeepPayments(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(cfg *integra.Config) { cfg.KeepPayments = 3 })
	s.register(alice)
	s.logIn(alice, nowhere)
	waiting := s.topUp(alice, "1").ID
	for i := range 10 {
		args := fmt.Sprintf(`{"paymentSum":"10","paymentHash":"%032x","userLogin":"%s"}`, i, alice)
		if got := s.call("doPayment", alice, args); code(t, got) != 0 {
			t.Fatal(got.body)
		}
	}
	u, _ := s.p.User(alice, 100)
	var kept []string
	for _, payment := range u.Payments {
		kept = append(kept, payment.ID)
	}
	want := []string{fmt.Sprintf("%032x", 9), fmt.Sprintf("%032x", 8), fmt.Sprintf("%032x", 7), waiting}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if u.Balance.Text() != "100.00" || u.PaymentCount != 4 {
		t.Errorf("balance %s with %d payments, want 100.00 with 4", u.Balance, u.PaymentCount)
	}
	if _, ok := s.p.Payment(fmt.Sprintf("%032x", 0)); ok {
		t.Error("a forgotten payment is found")
	}
}
