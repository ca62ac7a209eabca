package mockplatform_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// A partner under test is pointed at PlatformURL; users, payments and time are at hand.
func ExampleStart() {
	_ = func(t *testing.T) {
		platform := mockplatform.Start(t)
		key, err := platform.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "alice", Hash: "0123456789abcdef0123456789abcdef"})
		t.Log(platform.PlatformURL(), key, err)
	}
}

// What the platform does wrong in a test, and the shops and the time it begins with, are options.
func ExampleStart_options() {
	_ = func(t *testing.T) {
		platform := mockplatform.Start(t,
			mockplatform.WithFrozenClock(time.Date(2026, 1, 31, 23, 59, 0, 0, time.UTC)),
			mockplatform.WithShops(robokassa.Shop{Login: "shop", Password1: "first", Password2: "second"}),
			mockplatform.WithFaults(fault.Rule{
				Match: fault.Match{Method: "confirmPayment", Nth: new(1)},
				Act:   fault.Act{Do: fault.DropAfter}, // confirmed, and the answer is lost
			}),
		)
		err := platform.Clock().Advance(t.Context(), 2*time.Minute) // runs all that falls due
		t.Log(err, platform.Journal().List(journal.Filter{Method: "confirmPayment"}))
	}
}

// A scenario's file sets up users with balances, and presses their buttons.
func ExampleWithScenario() {
	_ = func(t *testing.T) {
		partner := httptest.NewServer(http.NotFoundHandler()) // the adapter under test
		defer partner.Close()
		platform := mockplatform.Start(t, mockplatform.WithScenario("testdata/month-end.yaml", "PARTNER="+partner.URL))
		if err := platform.Clock().Advance(t.Context(), 20*time.Minute); err != nil {
			t.Fatal(err)
		}
		user, _ := platform.Integra().User("a11ce000000000000000000000000000", 10)
		t.Log(user.Balance, user.Payments)
	}
}

// Outside of tests a server is made and run. Here a user tops up by card and pays a minute
// later, by the virtual clock.
func ExampleNew() {
	server, err := mockplatform.New(mockplatform.Config{Scenarios: []mockplatform.Script{{File: "card.yaml", Text: []byte(`
clock: {frozen: true}
users:
  - {hash: a11ce000000000000000000000000000, login: alice, key: key-of-alice, balance: "5"}
timeline:
  - {at: 1m, topup: {user: alice, amount: "100", via: robokassa, as: card}}
  - {at: 2m, buyer: {payment: card, do: pay}}
`)}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Run(ctx) }()
	for range 3 {
		user, _ := server.Integra().User("a11ce000000000000000000000000000", 0)
		fmt.Println(user.Balance)
		_ = server.Clock().Advance(ctx, time.Minute)
	}
	stop()
	fmt.Println(<-stopped)
	// Output:
	// 5.00 RUB
	// 5.00 RUB
	// 105.00 RUB
	// <nil>
}

// What is wrong with a scenario is named by line and path.
func ExampleScript_Read() {
	_, err := mockplatform.Script{File: "first.yaml", Text: []byte(`
users:
  - {hash: a11ce000000000000000000000000000, login: alice, key: k, balance: 100}
timeline:
  - {at: -5s, topup: {user: alice, amount: "1"}}
`)}.Read()
	fmt.Println(err)
	// Output:
	// first.yaml:3: users[0].balance: expected text: put the number in quotes
	// first.yaml:5: timeline[0].at: expected string to be a time after the start, such as 90s, 1h30m or 0s, never negative
}

// Each parallel test takes a namespace of one server: a world with its own users, clock,
// faults and journal.
func ExampleServer_Namespace() {
	_ = func(t *testing.T, platform *mockplatform.Server) {
		world, err := platform.Namespace(t.Name())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { platform.DropNamespace(t.Name()) })
		t.Log(world.PlatformURL(), world.ControlURL())
	}
}

// A partner that is down for half a minute gets the notification at the third try, without
// anybody waiting for half a minute.
func TestVirtualTime(t *testing.T) {
	t.Parallel()
	platform := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.Clock.Frozen = true })
	begin := platform.Clock().Now()
	var got []time.Duration
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		got = append(got, platform.Clock().Now().Sub(begin))
		if platform.Clock().Now().Sub(begin) < 30*time.Second {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer partner.Close()

	key, err := platform.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "alice", Hash: alice})
	if err != nil {
		t.Fatal(err)
	}
	get(t, address(t, platform, wire.CryptLogin, wire.Credentials{Hash: alice, Key: key}, wire.LoginArgs{
		Login: "alice", Hash: alice, PaymentNotifyURL: partner.URL,
	}, nil), "")
	payment, err := platform.Integra().TopUp(alice, "100", integra.ViaPartner)
	if err != nil {
		t.Fatal(err)
	}
	if err := platform.Clock().Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	payment, _ = platform.Integra().Payment(payment.ID)
	if want := "[0s 10s 30s]"; fmt.Sprint(got) != want || !payment.Acknowledged() {
		t.Errorf("notified at %v, acknowledged %v; want %s", got, payment.Acknowledged(), want)
	}
}
