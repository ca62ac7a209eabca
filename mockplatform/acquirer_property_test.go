package mockplatform_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// Whatever users press, whatever becomes of messages on their way: in the end Integra's
// balance is what Robokassa took less what it gave back, every payment is credited at most
// once, and the partner was never called.
func TestCardMoneyIsConserved(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) {
		cfg.Clock = clock.State{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Frozen: true}
	})
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		s.Reset()
		if _, err := s.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "carol", Hash: cardUser}); err != nil {
			t.Fatal(err)
		}
		advance := func(d time.Duration) {
			if err := s.Clock().Advance(ctx, d); err != nil {
				t.Fatal(err)
			}
		}
		lost := []fault.Outcome{fault.DropBefore, fault.DropAfter, fault.WrongSignature, fault.OtherAmount, fault.Duplicate, fault.Reorder, fault.Garbage}
		for range rapid.IntRange(0, 4).Draw(t, "faults") {
			nth := rapid.IntRange(1, 6).Draw(t, "nth")
			_, err := s.Faults().Arm(fault.Rule{
				Match: fault.Match{Method: robokassa.MethodResult, Nth: &nth}, Act: fault.Act{Do: rapid.SampledFrom(lost).Draw(t, "do")},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var made []integra.Payment
		one := func() integra.Payment { return rapid.SampledFrom(made).Draw(t, "payment") }
		act := func(what robokassa.Action) {
			if len(made) == 0 {
				return
			}
			o, refused := s.Robokassa().Act(mockplatform.IntegraShop, number(one().Invoice), what, "")
			if refused != nil && o.GUID == "" {
				t.Fatal(refused)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"top up": func(t *rapid.T) {
				sum := money.New(rapid.Int64Range(1, 1_000_000).Draw(t, "kopecks"), money.RUB)
				pay, err := s.Integra().TopUp(cardUser, sum.Text(), integra.ViaRobokassa)
				if err != nil {
					t.Fatal(err)
				}
				made = append(made, pay)
				open(ctx, t, pay.PayURL)
			},
			"pay":     func(*rapid.T) { act(robokassa.ActPay) },
			"refuse":  func(*rapid.T) { act(robokassa.ActRefuse) },
			"expire":  func(*rapid.T) { act(robokassa.ActExpire) },
			"advance": func(t *rapid.T) { advance(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second) },
			"refund": func(t *rapid.T) {
				if len(made) > 0 {
					_, _ = s.Integra().RefundCard(one().ID, rapid.SampledFrom([]string{"", "0.01", "5"}).Draw(t, "sum"))
				}
			},
		})
		advance(48 * time.Hour) // every message has come by then
		took := money.New(0, money.RUB)
		for _, o := range s.Robokassa().Operations(robokassa.Filter{Shop: mockplatform.IntegraShop}) {
			if o.State == 100 {
				took, _ = took.Add(o.Roubles)
			}
			took, _ = took.Sub(o.Refunded)
		}
		u, _ := s.Integra().User(cardUser, 1000)
		credited := money.New(0, money.RUB)
		for _, pay := range u.Payments {
			credited, _ = credited.Add(pay.Credited)
			if !pay.State.Final() || pay.State == integra.Confirmed && pay.Credited != pay.Amount || pay.State == integra.Declined && !pay.Credited.IsZero() {
				t.Fatalf("payment %+v", pay)
			}
		}
		if u.Balance != took || u.Balance != credited {
			t.Fatalf("balance %s; Robokassa holds %s, payments say %s", u.Balance, took, credited)
		}
		if n := len(s.Journal().List(journal.Filter{Method: integra.MethodNotify})); n != 0 {
			t.Fatalf("the partner was notified %d times", n)
		}
	})
}

func number(text string) (n int64) {
	for _, c := range text {
		n = 10*n + int64(c-'0')
	}
	return n
}

// open visits the payment page.
func open(ctx context.Context, t *rapid.T, address string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the payment page: %d", response.StatusCode)
	}
}
