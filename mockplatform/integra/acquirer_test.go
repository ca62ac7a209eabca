package integra_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// The passwords of testdata/robokassa.
const (
	pass1 = robokassa.Password("Pass1-Live_42")
	pass2 = robokassa.Password("Pass2-Live_42")
	test2 = robokassa.Password("TestPass2_77")
)

// acquired gives the platform a shop whose next invoice has the number of a recorded message.
func acquired(next int64, change ...func(*integra.Acquirer)) func(*integra.Config) {
	return func(cfg *integra.Config) {
		cfg.Acquirer = &integra.Acquirer{
			Login: "demo-shop", Password1: pass1, Password2: pass2, Password3: "Pass3-Refund_42", Hash: robokassa.MD5,
			Robokassa: "http://127.0.0.1:1/robokassa", FirstNumber: next - 1,
		}
		for _, c := range change {
			c(cfg.Acquirer)
		}
	}
}

func recordedResult(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "robokassa", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (s *stand) byCard(user, amount string) integra.Payment {
	s.t.Helper()
	pay, err := s.p.TopUp(user, amount, integra.ViaRobokassa)
	if err != nil {
		s.t.Fatal(err)
	}
	return pay
}

// shop sends a form to an address of the shop.
func (s *stand) shop(name, body string) answer {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, integra.PathShop+"/"+name, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return s.do(r)
}

// Literal bytes of a message to ResultURL credit once, however often they come; no altered
// copy credits anything. The partner is told nothing.
func TestRecordedResultURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, amount, balance string
		next                  int64
		change                func(*integra.Acquirer)
	}{
		{"result-live.txt", "100", "100.00", 12345, func(*integra.Acquirer) {}},
		{"result-live-shp.txt", "100.26", "100.26", 450009, func(*integra.Acquirer) {}},
		{"result-test.txt", "94.72", "94.72", 3, func(a *integra.Acquirer) { a.Test, a.Password2 = true, test2 }},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, acquired(tt.next, tt.change))
			s.register(alice)
			s.logIn(alice, "http://127.0.0.1:1/{id}") // a partner who would be told, were he asked
			pay := s.byCard(alice, tt.amount)
			body := recordedResult(t, tt.file)
			fields, err := robokassa.ParseFields(body)
			if err != nil {
				t.Fatal(err)
			}
			refused := func(name, body string, status int) {
				t.Helper()
				got := s.shop("result", body)
				if got.status != status || strings.HasPrefix(got.body, "OK") || s.balance(alice) != "0.00" {
					t.Errorf("%s: %d %q, balance %s; want %d", name, got.status, got.body, s.balance(alice), status)
				}
			}
			with := func(name, value string) string {
				var changed robokassa.Fields
				for _, f := range fields {
					if f.Name == name {
						f.Value = value
					}
					changed = append(changed, f)
				}
				return changed.Encode()
			}
			without := func(name string) string {
				var kept robokassa.Fields
				for _, f := range fields {
					if f.Name != name {
						kept = append(kept, f)
					}
				}
				return kept.Encode()
			}
			resigned := func(change func(*robokassa.Result), a robokassa.Algorithm, p robokassa.Password) string {
				r, err := robokassa.NewResult(fields)
				if err != nil {
					t.Fatal(err)
				}
				change(&r)
				return r.Signed(a, p).Fields().Encode()
			}
			right := pass2
			if tt.file == "result-test.txt" {
				right = test2
			}
			other := map[robokassa.Password]robokassa.Password{pass2: test2, test2: pass2}[right]
			nothing := func(*robokassa.Result) {}
			signature := fields.Get(robokassa.FieldSignature)
			refused("another signature", strings.ReplaceAll(body, signature, "0"+signature[1:]), 403)
			refused("another sum", with("OutSum", "1"+fields.Get("OutSum")), 400) // its twin says otherwise
			refused("another sum, twice", strings.ReplaceAll(body, "="+fields.Get("OutSum"), "=1.000000"), 403)
			refused("another number", strings.ReplaceAll(body, "="+fields.Get("InvId"), "=12399"), 403)
			refused("without a sum", without("OutSum"), 400)
			refused("without a number", without("InvId"), 400)
			refused("without a signature", without("SignatureValue"), 400)
			refused("another hash", resigned(nothing, robokassa.SHA256, right), 403)
			refused("password 1", resigned(nothing, robokassa.MD5, pass1), 403)
			refused("the other mode's password", resigned(nothing, robokassa.MD5, other), 403)
			refused("the other mode", resigned(func(r *robokassa.Result) { r.IsTest = !r.IsTest }, robokassa.MD5, right), 403)
			refused("a field twice", body+"&OutSum=1", 400)
			refused("an unknown number, rightly signed", resigned(func(r *robokassa.Result) { r.InvID = "99" }, robokassa.MD5, right), 404)
			refused("another sum, rightly signed", resigned(func(r *robokassa.Result) { r.OutSum = "1.00" }, robokassa.MD5, right), 409)
			refused("another payment, rightly signed", resigned(func(r *robokassa.Result) {
				r.Shp = robokassa.Fields{{Name: "Shp_payment", Value: bob}}
			}, robokassa.MD5, right), 409)
			refused("nothing", "", 400)
			if view, _ := s.p.Payment(pay.ID); view.State != integra.Unconfirmed {
				t.Fatalf("payment %+v", view)
			}

			for range 3 {
				got := s.shop("result", body)
				if want := "OK" + fields.Get("InvId"); got.status != 200 || got.body != want {
					t.Errorf("answer %d %q; want %q", got.status, got.body, want)
				}
				if got := s.balance(alice); got != tt.balance {
					t.Errorf("balance %s; want %s", got, tt.balance)
				}
			}
			if got := s.do(httptest.NewRequest(http.MethodGet, integra.PathShop+"/result?"+body, nil)); got.status != 200 {
				t.Errorf("by GET: %d %s", got.status, got.body)
			}
			view, _ := s.p.Payment(pay.ID)
			if view.State != integra.Confirmed || view.Via != integra.ViaRobokassa || view.Credited.Text() != tt.balance || view.PayURL != "" {
				t.Errorf("payment %+v", view)
			}
			s.advance(48 * time.Hour)
			if got := s.journal.List(journal.Filter{Direction: journal.Out}); len(got) != 0 {
				t.Errorf("the partner was called: %s", got[0].Request)
			}
			if got := s.call("confirmPayment", alice, `{"transactionId":"`+pay.ID+`","amount":"`+tt.amount+`"}`); !strings.Contains(got.body, `"error":true`) || s.balance(alice) != tt.balance {
				t.Errorf("the partner confirmed a payment by card: %s", got.body)
			}
		})
	}
}

// The request that the page leads to is signed as Robokassa's documentation says.
func TestPayURL(t *testing.T) {
	t.Parallel()
	s := newStand(t, acquired(12345))
	s.register(alice)
	pay := s.byCard(alice, "100.5")
	u, err := url.Parse(pay.PayURL)
	if err != nil {
		t.Fatal(err)
	}
	f, err := robokassa.ParseFields(u.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	base := "demo-shop:100.50:12345:Pass1-Live_42:Shp_payment=" + pay.ID
	if got := f.Get("SignatureValue"); got != robokassa.MD5.Sum(base) || u.Path != "/robokassa/Merchant/Index.aspx" || f.Get("OutSum") != "100.50" || f.Get("ExpirationDate") != "2026-02-01T15:00" {
		t.Errorf("address %s", pay.PayURL)
	}
	if _, err := s.p.TopUp(alice, "1.001", integra.ViaRobokassa); err == nil {
		t.Error("a tenth of a kopeck is taken")
	}
}

// SuccessURL alone never credits. It leads back to the page from which the user set out, and
// only those who show our signature, or the payment's id.
func TestReturnsCreditNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, acquired(12345))
	s.register(alice)
	page := target("cryptLogin", alice, `{"login":"`+alice+`","hash":"`+alice+`"}`)
	started := s.send(http.MethodPost, page, "amount=100&via=robokassa")
	payURL := started.location
	if started.status != http.StatusSeeOther || !strings.HasPrefix(payURL, "http://127.0.0.1:1/robokassa/Merchant/Index.aspx?MerchantLogin=demo-shop&") {
		t.Fatalf("pressed: %d to %s\n%s", started.status, payURL, started.body)
	}
	u, _ := s.p.User(alice, 1)
	id := u.Payments[0].ID
	shp := robokassa.Fields{{Name: "Shp_payment", Value: id}}
	good := robokassa.Return{OutSum: "100.000000", InvID: "12345", Culture: "ru", Shp: shp}.Signed(robokassa.MD5, pass1)
	forged := good
	forged.Signature = strings.Repeat("0", 32)
	foreign := robokassa.Return{OutSum: "100.000000", InvID: "12345", Culture: "ru", Shp: robokassa.Fields{{Name: "Shp_payment", Value: bob}}}
	for _, tt := range []struct {
		name, at string
		r        robokassa.Return
		status   int
	}{
		{"success", "success", good, http.StatusSeeOther},
		{"success again", "success", good, http.StatusSeeOther},
		{"forged success", "success", forged, 403},
		{"unsigned success", "success", robokassa.Return{OutSum: "100.000000", InvID: "12345", Shp: shp}, 403},
		{"foreign success", "success", foreign.Signed(robokassa.MD5, pass1), 404},
		{"failure", "fail", robokassa.Return{OutSum: "100.000000", InvID: "12345", Shp: shp}, http.StatusSeeOther},
		{"foreign failure", "fail", foreign, 404},
		{"unknown failure", "fail", robokassa.Return{OutSum: "1", InvID: "1"}, 404},
		{"empty", "success", robokassa.Return{}, 400},
	} {
		got := s.send(http.MethodGet, integra.PathShop+"/"+tt.at+"?"+tt.r.Fields().Encode(), "")
		if got.status != tt.status {
			t.Errorf("%s: %d %s; want %d", tt.name, got.status, got.body, tt.status)
		}
		if to := got.location; (tt.status == http.StatusSeeOther) != (to == page) || tt.status != http.StatusSeeOther && strings.Contains(got.body, id) {
			t.Errorf("%s leads to %q", tt.name, to)
		}
	}
	if s.balance(alice) != "0.00" {
		t.Errorf("balance %s", s.balance(alice))
	}
	if got := s.send(http.MethodGet, integra.PathShop+"/other", ""); got.status != 404 {
		t.Errorf("another address: %d", got.status)
	}
	// Who began elsewhere is shown where the payment stands.
	pay := s.byCard(alice, "5")
	back := robokassa.Return{OutSum: "5.000000", InvID: pay.Invoice, Shp: robokassa.Fields{{Name: "Shp_payment", Value: pay.ID}}}
	if got := s.send(http.MethodGet, integra.PathShop+"/fail?"+back.Fields().Encode(), ""); got.status != 200 || !strings.Contains(got.body, pay.ID) {
		t.Errorf("without a page: %d", got.status)
	}
}

// Money that came for a payment that had expired is credited all the same, once.
func TestLateResult(t *testing.T) {
	t.Parallel()
	s := newStand(t, acquired(12345), with(func(settings *integra.Settings) { settings.Expiry = time.Hour }))
	s.register(alice)
	pay := s.byCard(alice, "100")
	s.advance(time.Hour)
	if view, _ := s.p.Payment(pay.ID); !view.Expired || view.State != integra.Declined || !strings.Contains(view.Reason, "nobody paid") {
		t.Fatalf("payment %+v", view)
	}
	for range 2 {
		if got := s.shop("result", recordedResult(t, "result-live.txt")); got.body != "OK12345" {
			t.Errorf("answer %s", got.body)
		}
	}
	if view, _ := s.p.Payment(pay.ID); view.State != integra.Confirmed || view.Expired || s.balance(alice) != "100.00" {
		t.Errorf("payment %+v, balance %s", view, s.balance(alice))
	}
}

func TestNoAcquirer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	if got := s.shop("result", recordedResult(t, "result-live.txt")); got.status != 404 {
		t.Errorf("answer %d %s", got.status, got.body)
	}
	if _, err := s.p.RefundCard(alice, ""); err == nil {
		t.Error("an unknown payment is refunded")
	}
}
