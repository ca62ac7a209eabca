package integra_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

// model is what a user's money must be, in kopecks, kept in the plainest way.
type model struct {
	balance  int64
	archived bool
	topUps   map[string]*modelTopUp
	hashes   map[string]int64 // of direct payments
}

type modelTopUp struct {
	amount, credited int64
	state            integra.State
	created          time.Time
}

// Whatever is called in whatever order under whatever switches: money is exact, a payment
// is credited once, and what is refused changes nothing.
func TestMoneyStaysExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := newStand(rapidTB{t, rt})
		models := map[string]*model{}
		hashOwner := map[string]string{}
		for _, hash := range []string{alice, bob} {
			s.register(hash)
			s.logIn(hash, nowhere)
			models[hash] = &model{topUps: map[string]*modelTopUp{}, hashes: map[string]int64{}}
		}
		// Retries to nowhere would only cost time here.
		change := func(f func(*integra.Settings)) {
			if err := s.p.ChangeSettings(f); err != nil {
				rt.Fatal(err)
			}
		}
		change(func(s *integra.Settings) { s.Notify.Retries = 0 })

		user := rapid.SampledFrom([]string{alice, bob})
		kopecks := rapid.OneOf(rapid.Int64Range(1, 300), rapid.Int64Range(1, integra.MaxSum.Minor()))
		// expect sends a call, checks its code, and that a refusal leaves everything as it was.
		expect := func(t *rapid.T, want wire.Code, method, hash, args string) {
			t.Helper()
			before := s.world()
			got := s.call(method, hash, args)
			response, err := wire.ParseResponse([]byte(got.body))
			if err != nil || response.Status.Code != want {
				t.Fatalf("%s %s: %s; want code %d", method, args, got.body, want)
			}
			if want != wire.CodeOK {
				equal := cmp.Comparer(func(a, b money.Amount) bool { return a == b })
				if diff := cmp.Diff(before, s.world(), equal, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("%s was refused, but changed (-before +after):\n%s", method, diff)
				}
			}
		}
		// pick draws a top-up of any user, and whether it belongs to u.
		pick := func(t *rapid.T, u string) (id string, own *modelTopUp) {
			var ids []string
			for _, hash := range []string{alice, bob} {
				full, _ := s.p.User(hash, 1000)
				for _, payment := range full.Payments {
					if payment.Kind == integra.TopUp {
						ids = append(ids, payment.ID)
					}
				}
			}
			if len(ids) == 0 {
				t.Skip("no top-up yet")
			}
			id = rapid.SampledFrom(ids).Draw(t, "id")
			return id, models[u].topUps[id]
		}

		rt.Repeat(map[string]func(*rapid.T){
			"top up": func(t *rapid.T) {
				u, sum := user.Draw(t, "user"), kopecks.Draw(t, "kopecks")
				payment, err := s.p.TopUp(u, money.New(sum, money.RUB).Text(), integra.ViaPartner)
				if (err != nil) != models[u].archived {
					t.Fatalf("top up: %v, archived %v", err, models[u].archived)
				}
				s.advance(0) // lest the notification's end be taken for a change by what follows
				if err == nil {
					models[u].topUps[payment.ID] = &modelTopUp{amount: sum, state: integra.Unconfirmed, created: s.clock.Now()}
				}
			},
			"confirm": func(t *rapid.T) {
				u := user.Draw(t, "user")
				id, own := pick(t, u)
				sum := kopecks.Draw(t, "kopecks")
				if own != nil && rapid.Bool().Draw(t, "right amount") {
					sum = own.amount
				}
				settings := s.p.Settings()
				want := wire.CodeOK
				switch m := models[u]; {
				case m.archived:
					want = wire.CodeUserArchived
				case own == nil:
					want = wire.CodePaymentNotFound
				case own.state == integra.Declined:
					want = wire.CodePaymentFinal
				case own.state == integra.Confirmed && sum != own.credited:
					want = wire.CodeAmountDiffers
				case own.state == integra.Confirmed && settings.ConfirmRepeated == integra.RepeatRefused:
					want = wire.CodePaymentFinal
				case own.state == integra.Confirmed:
				case sum != own.amount && settings.ConfirmOtherAmount == integra.OtherAmountRefused:
					want = wire.CodeAmountDiffers
				default:
					own.state, own.credited = integra.Confirmed, sum
					m.balance += sum
				}
				expect(t, want, "confirmPayment", u, fmt.Sprintf(`{"amount":%s,"transactionId":"%s"}`, money.New(sum, money.RUB).Short(), id))
			},
			"decline": func(t *rapid.T) {
				u := user.Draw(t, "user")
				id, own := pick(t, u)
				want := wire.CodeOK
				switch {
				case models[u].archived:
					want = wire.CodeUserArchived
				case own == nil:
					want = wire.CodePaymentNotFound
				case own.state == integra.Confirmed:
					want = wire.CodePaymentFinal
				default:
					own.state = integra.Declined
				}
				expect(t, want, "declinePayment", u, fmt.Sprintf(`{"transactionId":"%s","errorMessage":"no"}`, id))
			},
			"pay or refund": func(t *rapid.T) {
				u, sum := user.Draw(t, "user"), kopecks.Draw(t, "kopecks")
				if rapid.Bool().Draw(t, "refund") {
					sum = -sum
				}
				hash := fmt.Sprintf("%032x", rapid.IntRange(0, 20).Draw(t, "hash"))
				settings, m := s.p.Settings(), models[u]
				owner, used := hashOwner[hash]
				want := wire.CodeOK
				switch {
				case m.archived:
					want = wire.CodeUserArchived
				case used && owner == u && m.hashes[hash] == sum && settings.HashReused == integra.RepeatSucceeds:
				case used:
					want = wire.CodePaymentHashUsed
				case sum < 0 && m.balance+sum < 0 && settings.Overdraft == integra.OverdraftRefused:
					want = wire.CodeBalance
				default:
					hashOwner[hash], m.hashes[hash] = u, sum
					m.balance += sum
				}
				expect(t, want, "doPayment", u, fmt.Sprintf(`{"paymentSum":"%s","paymentHash":"%s","userLogin":"%s"}`, money.New(sum, money.RUB).Text(), hash, u))
			},
			"archive or not": func(t *rapid.T) {
				u := user.Draw(t, "user")
				models[u].archived = rapid.Bool().Draw(t, "archive")
				method := "unarchiveUser"
				if models[u].archived {
					method = "archiveUser"
				}
				expect(t, wire.CodeOK, method, u, `{}`)
			},
			"time goes by": func(t *rapid.T) {
				s.advance(time.Duration(rapid.IntRange(0, 30).Draw(t, "hours")) * time.Hour)
				for _, m := range models {
					for _, topUp := range m.topUps {
						if topUp.state == integra.Unconfirmed && !s.clock.Now().Before(topUp.created.Add(24*time.Hour)) {
							topUp.state = integra.Declined
						}
					}
				}
			},
			"switches": func(t *rapid.T) {
				repeat := rapid.SampledFrom([]integra.Repeat{integra.RepeatSucceeds, integra.RepeatRefused})
				change(func(s *integra.Settings) {
					s.ConfirmRepeated = repeat.Draw(t, "confirm repeated")
					s.HashReused = repeat.Draw(t, "hash reused")
					s.ConfirmOtherAmount = rapid.SampledFrom([]integra.OtherAmount{integra.OtherAmountRefused, integra.OtherAmountCredited}).Draw(t, "other amount")
					s.Overdraft = rapid.SampledFrom([]integra.Overdraft{integra.OverdraftRefused, integra.OverdraftAllowed}).Draw(t, "overdraft")
				})
			},
			"": func(t *rapid.T) {
				for hash, m := range models {
					u, _ := s.p.User(hash, 1000)
					if u.Balance.Minor() != m.balance {
						t.Fatalf("balance %s, want %d kopecks", u.Balance, m.balance)
					}
					var credited int64
					for _, payment := range u.Payments {
						credited += payment.Credited.Minor()
						if topUp := m.topUps[payment.ID]; topUp != nil && (payment.State != topUp.state || payment.Credited.Minor() != topUp.credited) {
							t.Fatalf("payment %+v, want %+v", payment, topUp)
						}
					}
					if credited != m.balance {
						t.Fatalf("payments add up to %d kopecks, the balance is %d", credited, m.balance)
					}
				}
			},
		})
	})
}

// rapidTB gives a stand what it needs of a test; it is torn down with each check.
type rapidTB struct {
	*testing.T
	rt *rapid.T
}

func (t rapidTB) Cleanup(f func())             { t.rt.Cleanup(f) }
func (t rapidTB) Helper()                      { t.rt.Helper() }
func (t rapidTB) Fatal(args ...any)            { t.rt.Fatal(args...) }
func (t rapidTB) Fatalf(f string, args ...any) { t.rt.Fatalf(f, args...) }

// Many at once: the same confirmation, the same paymentHash, refunds of the last money. Of
// each kind one goes through, or as many as there is money for.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	partner := newReceiver(s, nil)
	s.register(alice)
	s.logIn(alice, partner.URL)
	id := s.topUp(alice, "100").ID
	s.advance(0) // a payment that is settled before is not announced
	const each = 50
	var mu sync.Mutex
	codes := map[string]map[string]int{}
	var all sync.WaitGroup
	for i := range each {
		for name, call := range map[string][2]string{
			"confirm": {"confirmPayment", `{"amount":"100","transactionId":"` + id + `"}`},
			"pay":     {"doPayment", `{"paymentSum":"7","paymentHash":"` + paid + `","userLogin":"` + alice + `"}`},
			"fill":    {"doPayment", fmt.Sprintf(`{"paymentSum":"1","paymentHash":"%032x","userLogin":"%s"}`, i, alice)},
			"look":    {"getUserData", `{}`},
		} {
			all.Go(func() {
				got := s.call(call[0], alice, call[1])
				mu.Lock()
				defer mu.Unlock()
				if codes[name] == nil {
					codes[name] = map[string]int{}
				}
				codes[name][got.body[:strings.Index(got.body, ",")]]++
			})
		}
		all.Go(func() { s.topUp(alice, "1") })
	}
	all.Wait()
	s.advance(0)
	want := map[string]map[string]int{
		"confirm": {`{"status":{"code":0`: each},
		"pay":     {`{"status":{"code":0`: 1, `{"status":{"code":10`: each - 1},
		"fill":    {`{"status":{"code":0`: each},
		"look":    {`{"status":{"code":0`: each},
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if got := s.balance(alice); got != "157.00" {
		t.Errorf("balance %s, want 157.00", got)
	}

	var refunded sync.WaitGroup
	for i := range each {
		refunded.Go(func() {
			s.call("doPayment", alice, fmt.Sprintf(`{"paymentSum":"-10","paymentHash":"%032x","userLogin":"%s"}`, 1000+i, alice))
		})
	}
	refunded.Wait()
	if got := s.balance(alice); got != "7.00" {
		t.Errorf("balance %s, want 7.00 after as many refunds of 10 as it covers", got)
	}
	if got := len(partner.received()); got != each+1 {
		t.Errorf("notified %d times, want %d", got, each+1)
	}
}

// Requests go on while the world is reset under them.
func TestConcurrentReset(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	partner := newReceiver(s, nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 25 {
				_, _ = s.p.Register(plain.Hash, wire.CreateUserArgs{Username: alice, Hash: alice})
				s.call("cryptLogin", alice, `{"login":"`+alice+`","hash":"`+alice+`","paymentNotifyUrl":"`+partner.URL+`"}`)
				_, _ = s.p.TopUp(alice, "1", integra.ViaPartner)
				s.call("getUserData", alice, `{}`)
			}
		})
	}
	for range 10 {
		s.p.Reset(func() {
			s.clock.Reset()
			s.journal.Reset()
		})
	}
	all.Wait()
	s.p.Reset(s.clock.Reset)
	if got := len(s.p.Users()); got != 0 {
		t.Errorf("%d users after the reset", got)
	}
}

// Whatever stands in an address or a body: an answer, and never a panic.
func FuzzHandler(f *testing.F) {
	f.Add("hello", k(plain.Hash, `{"name":"x"}`), "")
	f.Add("confirmPayment", k(alice, `{"amount":"1","transactionId":"`+paid+`"}`), "")
	f.Add("doPayment", k(alice, `{"paymentSum":1.5,"paymentHash":"`+paid+`","userLogin":"`+alice+`"}`), "")
	f.Add("readMessages", k(plain.Hash, `{}`), "ids=1%2C2")
	f.Add("cryptLogin", k(alice, `{"login":"`+alice+`","hash":"`+alice+`","paymentNotifyUrl":"http:\/\/127.0.0.1:1\/{id}"}`), "amount=1&via=partner")
	f.Add("getCryptKeyWithUserReg", "zaa&login=x&hash="+bob+"&partner="+plain.Hash, "")
	f.Fuzz(func(t *testing.T, method, k, body string) {
		s := newStand(t)
		s.register(alice)
		r, err := http.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawQuery = "/partners/plain/"+method, "k="+k
		r.RequestURI = r.URL.RequestURI()
		before := s.world()
		got := s.do(r)
		if got.status < 200 || got.status > 499 {
			t.Errorf("status %d: %s", got.status, got.body)
		}
		if strings.HasPrefix(got.contentType, "text/html") {
			return
		}
		response, err := wire.ParseResponse([]byte(got.body))
		if err != nil {
			t.Fatalf("answer %q: %v", got.body, err)
		}
		if response.Error {
			unchanged(t, s, before)
		}
	})
}
