package webui_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform"
)

// user is who looks at Integra's page.
const (
	userHash  = "7d793037a0760186574b0282f2f435e7"
	userLogin = "acme-site.ru-11235813"
)

// world is a stand-in with one user and a partner that does as it is told.
type world struct {
	t        *testing.T
	platform *mockplatform.Server
	key      string // the user's
	notified chan url.Values
	answer   chan int // what the partner answers to each notification; 200 while nobody sends
	notifyAt string
}

func newWorld(t *testing.T, options ...func(*mockplatform.Config)) *world {
	t.Helper()
	w := &world{t: t, platform: mockplatform.Start(t, options...), notified: make(chan url.Values, 100), answer: make(chan int, 100)}
	partner := httptest.NewServer(http.HandlerFunc(w.serveNotify))
	t.Cleanup(partner.Close)
	w.notifyAt = partner.URL + "/notify?id={id}&amount={amount}&user={hash}&token=0123456789abcdef0123"
	key, err := w.platform.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: userLogin, Hash: userHash})
	if err != nil {
		t.Fatal(err)
	}
	w.key = key
	return w
}

func (w *world) serveNotify(rw http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	select {
	case status = <-w.answer:
	default:
	}
	w.notified <- r.URL.Query()
	rw.WriteHeader(status)
	_, _ = fmt.Fprintln(rw, http.StatusText(status))
}

// address returns the address of a method as the partner calls it.
func (w *world) address(method wire.Method, args any, query url.Values) string {
	w.t.Helper()
	k, err := wire.Seal(wire.Simple, wire.Credentials{Hash: userHash, Key: w.key}, args)
	if err != nil {
		w.t.Fatal(err)
	}
	address, err := wire.RequestURL(w.platform.PlatformURL(), mockplatform.DemoPartner.Path, method, k, query)
	if err != nil {
		w.t.Fatal(err)
	}
	return address
}

// page is the address of the user's page; query adds parameters, such as r.
func (w *world) page(query url.Values) string {
	w.t.Helper()
	return w.address(wire.CryptLogin, wire.LoginArgs{Login: userLogin, Hash: userHash, PaymentNotifyURL: w.notifyAt}, query)
}

// call is the partner calling a method.
func (w *world) call(method wire.Method, args any) {
	w.t.Helper()
	resp, err := http.Get(w.address(method, args, nil))
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// await returns the id of the payment that the partner is notified of next.
func (w *world) await() string {
	w.t.Helper()
	select {
	case q := <-w.notified:
		return q.Get("id")
	case <-time.After(10 * time.Second):
		w.t.Fatal("no notification came")
		return ""
	}
}

func (w *world) confirm(id, amount string) {
	w.t.Helper()
	w.call(wire.ConfirmPayment, wire.ConfirmPaymentArgs{Amount: wire.Text(amount), TransactionID: id})
}

func (w *world) decline(id, reason string) {
	w.t.Helper()
	w.call(wire.DeclinePayment, wire.DeclinePaymentArgs{TransactionID: id, ErrorCode: 402, ErrorMessage: reason, ErrorLink: "https://partner.example/topup"})
}
