package mockplatform_test

import (
	"slices"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
	robokassawire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// What Robokassa calls by a number and Integra by an id is one payment, from the page to the
// refund; a payment of another shop under the same number is not.
func TestTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	topUp := w.call("POST", "/integra/users/"+cardUser+"/topups", `{"amount":"100","via":"robokassa"}`, 201)
	id, number := topUp["id"].(string), topUp["inv_id"].(string)
	w.open(topUp)
	w.call("POST", "/robokassa/operations/"+number+"/pay", `{"shop":"integra"}`, 200)
	w.advance(0)
	w.call("POST", "/integra/payments/"+id+"/refund", `{"amount":"40"}`, 201)
	w.advance(time.Minute)
	w.call("PUT", "/robokassa/shops/mine", `{"password1":"one","password2":"two"}`, 200)
	sum, err := money.Parse("5", money.RUB)
	if err != nil {
		t.Fatal(err)
	}
	request := robokassawire.Request{Login: "mine", OutSum: sum.Text(), InvID: number}
	if _, refused := w.Robokassa().Open(request.Signed(robokassawire.MD5, "one"), robokassa.FromPage); refused != nil {
		t.Fatal(refused)
	}
	other := request.Signed(robokassawire.MD5, "one").Fields().AppendTo(w.PlatformURL() + "/robokassa/Merchant/Index.aspx")
	w.open(map[string]any{"pay_url": other})

	answer := w.call("GET", "/journal/expect?within=0&count=12&exact=true&trace="+id, "", 200)
	var methods []string
	for _, e := range answer["exchanges"].([]any) {
		methods = append(methods, e.(map[string]any)["method"].(string))
	}
	slices.Sort(methods)
	want := []string{
		"Index.aspx", "OpStateExt", "Refund/Create", "Refund/GetState", "Refund/GetState", "ResultURL", "page",
		"shop.opstate", "shop.refund", "shop.refundState", "shop.refundState", "shop.result",
	}
	if !slices.Equal(methods, want) {
		t.Errorf("the payment's exchanges are %q; want %q", methods, want)
	}
	if got := w.Journal().List(journal.Filter{Trace: "mine/" + number}); len(got) != 2 {
		t.Errorf("%d exchanges of the other shop; want 2", len(got))
	}
}

// A reset while timers run and want what is being reset comes to an end.
func TestResetAmongTimers(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) {
		cfg.Clock = clock.State{Rate: clock.MaxRate}
		cfg.Shops = []robokassa.Shop{{Login: "mine", Password1: "one", Password2: "two"}}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			for range 20 {
				r := robokassawire.Request{Login: "mine", OutSum: "1", StepByStep: true}.Signed(robokassawire.MD5, "one")
				if o, refused := s.Robokassa().Open(r, robokassa.FromPage); refused == nil {
					_, _ = s.Robokassa().Act("mine", o.InvID, robokassa.ActPay, "")
				}
			}
			s.Reset()
		}
	}()
	settings := func(x *robokassa.Settings) error {
		x.HoldMS = 1
		return nil
	}
	for {
		select {
		case <-done:
			return
		default:
			_ = s.Robokassa().ChangeSettings(settings)
		}
	}
}
