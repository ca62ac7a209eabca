package mockplatform_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

// A partner under test is pointed at PlatformURL; users, payments and time are at hand.
func ExampleStart() {
	_ = func(t *testing.T) {
		platform := mockplatform.Start(t)
		key, err := platform.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "alice", Hash: "0123456789abcdef0123456789abcdef"})
		t.Log(platform.PlatformURL(), key, err)
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
