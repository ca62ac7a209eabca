package mockplatform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	money "github.com/partnerkit/partnerkit/contract/anymoney"
	wire "github.com/partnerkit/partnerkit/contract/integra"
	rwire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// listener is a partner, merchant and shop that is told of payments and never says yes, so
// that everything goes on.
type deaf struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string
}

func newDeaf(t *testing.T) *deaf {
	d := &deaf{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.heard = append(d.heard, r.URL.Path+"?"+r.URL.RawQuery)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *deaf) take() (heard []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	heard, d.heard = d.heard, nil
	return heard
}

// busy makes a world in which something is going on at every platform.
func busy(t *testing.T, s *mockplatform.Server, d *deaf) {
	t.Helper()
	u := newUser(t, s, d.URL+"/notify?id={id}&amount={amount}&secret=0123456789abcdef")
	u.topUp("5")
	paid := u.topUp("7")
	advance(t, s, 0)
	if got := u.confirm(paid, "7"); got != http.StatusOK {
		t.Fatalf("confirm: %d", got)
	}
	declined := u.topUp("8")
	advance(t, s, 0)
	u.call(wire.DeclinePayment, wire.DeclinePaymentArgs{TransactionID: declined, ErrorMessage: "no", ErrorCode: 3})
	u.call(wire.DoPayment, wire.DoPaymentArgs{PaymentSum: "100.50", PaymentHash: strings.Repeat("1", 32), UserLogin: "alice"})
	if _, err := s.Integra().TopUp(alice, "9", integra.ViaRobokassa); err != nil {
		t.Fatal(err)
	}
	for i, payway := range []string{"visamc", "visamc"} {
		form := money.Form{"merchant": "37", "amount": "10", "externalid": fmt.Sprint("o", i), "in_curr": "UAH", "payway": payway, "callback_url": d.URL + "/callback"}
		form["sign"] = money.Key("mock-sci-key-of-merchant-37").SignForm(form)
		if response, _ := send(t, "POST", s.PlatformURL()+"/anymoney-sci/invoice", "", money.Form(form).Encode()); response.StatusCode != http.StatusFound {
			t.Fatalf("form: %d", response.StatusCode)
		}
	}
	s.AnyMoney().SetStatus("37", "o1", money.StatusDone)
	if err := s.Robokassa().PutShop(robokassa.Shop{Login: "shop", Password1: "p1", Password2: "p2", ResultURL: d.URL + "/result"}); err != nil {
		t.Fatal(err)
	}
	if status, answer := control(t, s, "PATCH", "/settings", `{"robokassa":{"result_tries":5}}`); status != 200 {
		t.Fatalf("settings: %d %s", status, answer)
	}
	for i, r := range []rwire.Request{{}, {StepByStep: true}, {Expiration: "2100-01-01T00:00"}} {
		r.Login, r.OutSum, r.InvID, r.Description = "shop", "30.00", fmt.Sprint(i+1), "x"
		get(t, r.Signed(rwire.MD5, "p1").Fields().AppendTo(s.PlatformURL()+"/robokassa/Merchant/Index.aspx"), "")
		if i == 2 {
			continue
		}
		if _, refused := s.Robokassa().Act("shop", int64(i+1), robokassa.ActPay, ""); refused != nil {
			t.Fatal(refused)
		}
	}
	advance(t, s, 0)
	for _, rule := range []string{
		`{"match":{"method":"notify","nth":6},"act":{"do":"drop_before"}}`,
		`{"match":{"method":"hello","probability":0.5},"act":{"do":"status","status":503}}`,
	} {
		if status, answer := control(t, s, "POST", "/faults", rule); status != 201 {
			t.Fatalf("arm: %d %s", status, answer)
		}
	}
	u.call(wire.Hello, wire.HelloArgs{Name: "x"})
	if status, answer := control(t, s, "PATCH", "/settings", `{"integra":{"notify":{"retries":9}},"magic_amounts":false}`); status != 200 {
		t.Fatalf("settings: %d %s", status, answer)
	}
	advance(t, s, 15*time.Second)
}

func advance(t *testing.T, s *mockplatform.Server, d time.Duration) {
	t.Helper()
	if err := s.Clock().Advance(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// future lets a world go on and tells what happened.
func future(t *testing.T, s *mockplatform.Server, d *deaf) map[string]any {
	t.Helper()
	d.take()
	before := s.Journal().Seq()
	var calls []int
	for range 8 {
		status, _ := get(t, address(t, s, wire.Hello, partner(), wire.HelloArgs{Name: "x"}, nil), "")
		calls = append(calls, status)
	}
	key, err := s.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "bob", Hash: strings.Repeat("b", 32)})
	if err != nil {
		t.Fatal(err)
	}
	advance(t, s, 25*time.Hour) // everything expires
	u, _ := s.Integra().User(alice, 100)
	for i := range u.Payments {
		for j := range u.Payments[i].Attempts {
			u.Payments[i].Attempts[j].Took = 0
		}
	}
	var exchanges []string
	for _, e := range s.Journal().List(journal.Filter{Since: before, Direction: journal.Out}) {
		exchanges = append(exchanges, fmt.Sprint(e.At.UnixMilli(), e.Method, e.Payment, e.Attempt, e.Fault, e.Verdict.Detail))
	}
	slices.Sort(exchanges) // at one instant there is no order
	heard := d.take()
	slices.Sort(heard)
	_, faults := control(t, s, "GET", "/faults", "")
	_, settings := control(t, s, "GET", "/settings", "")
	return map[string]any{
		"heard": heard, "calls": calls, "key": key, "user": fmt.Sprintf("%+v", u), "journal": exchanges, "faults": faults, "settings": settings,
		"orders": string(s.AnyMoney().Order("37", "o0").Object().AppendJSON(nil)) + string(s.AnyMoney().Order("37", "o1").Object().AppendJSON(nil)),
		"config": string(s.AnyMoney().Document()), "operations": fmt.Sprintf("%+v", s.Robokassa().Operations(robokassa.Filter{})),
	}
}

// From a snapshot everything happens once more as it happened.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, frozen)
	d := newDeaf(t)
	busy(t, s, d)
	kept := s.Journal().Len()
	if status, answer := control(t, s, "POST", "/snapshots/busy", ""); status != 204 {
		t.Fatalf("take: %d %s", status, answer)
	}
	want := future(t, s, d)
	if len(want["heard"].([]string)) < 15 || !strings.Contains(want["operations"].(string), "State:20") || !strings.Contains(want["faults"].(string), `"spent":true`) {
		t.Fatalf("not much happened: %v", want)
	}
	for range 2 {
		s.Reset()
		if status, answer := control(t, s, "POST", "/snapshots/busy/restore", ""); status != 204 {
			t.Fatalf("restore: %d %s", status, answer)
		}
		if got := s.Journal().Len(); got != kept {
			t.Errorf("the journal has %d exchanges, want %d", got, kept)
		}
		if diff := cmp.Diff(want, future(t, s, d)); diff != "" {
			t.Fatalf("after the restore (-first +again):\n%s", diff)
		}
	}
	if _, answer := control(t, s, "GET", "/snapshots", ""); answer != `{"snapshots":["busy"]}` {
		t.Errorf("snapshots: %s", answer)
	}
	for _, tt := range []struct {
		verb, path string
		status     int
	}{
		{"POST", "/snapshots/a%20b", 422}, {"POST", "/snapshots/none/restore", 404}, {"DELETE", "/snapshots/none", 404}, {"DELETE", "/snapshots/busy", 204},
	} {
		if status, answer := control(t, s, tt.verb, tt.path, ""); status != tt.status {
			t.Errorf("%s %s: %d %s, want %d", tt.verb, tt.path, status, answer, tt.status)
		}
	}
	for i := range 21 {
		err := s.TakeSnapshot(fmt.Sprint(i))
		if want := i == 20; want != errors.Is(err, mockplatform.ErrSnapshotLimit) {
			t.Errorf("snapshot %d: %v", i, err)
		}
	}
}

// run runs a server until stop is called.
func run(t *testing.T, cfg mockplatform.Config) (s *mockplatform.Server, stop func()) {
	t.Helper()
	s, err := mockplatform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// What a file keeps goes on in the next run as it would have gone on in the first.
func TestData(t *testing.T) {
	t.Parallel()
	d := newDeaf(t)
	path := filepath.Join(t.TempDir(), "state.json")
	cfg := mockplatform.Config{Seed: 1, Data: path}
	cfg.Clock.Frozen = true
	first, stop := run(t, cfg)
	busy(t, first, d)
	if err := first.TakeSnapshot("here"); err != nil {
		t.Fatal(err)
	}
	n, err := first.Namespace("other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "carol", Hash: strings.Repeat("c", 32)}); err != nil {
		t.Fatal(err)
	}
	if _, err := mockplatform.New(cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server on the file: %v", err)
	}
	stop()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v", err)
	}
	second, _ := run(t, cfg)
	want := func() map[string]any {
		s := mockplatform.Start(t, frozen, func(c *mockplatform.Config) { c.Clock.Now = first.Clock().Now().Add(-15 * time.Second) })
		busy(t, s, d)
		return future(t, s, d)
	}()
	got := future(t, second, d)
	for _, same := range []string{"calls", "key"} {
		if diff := cmp.Diff(want[same], got[same]); diff != "" {
			t.Errorf("%s (-undisturbed +after a restart):\n%s", same, diff)
		}
	}
	if w, g := len(want["heard"].([]string)), len(got["heard"].([]string)); w != g {
		t.Errorf("heard %d times, undisturbed %d times", g, w)
	}
	if fmt.Sprint(second.Snapshots()) != "[here]" {
		t.Errorf("snapshots %v", second.Snapshots())
	}
	other, err := second.Namespace("other")
	if err != nil {
		t.Fatal(err)
	}
	if users := other.Integra().Users(); len(users) != 1 || users[0].Login != "carol" {
		t.Errorf("users of the namespace: %+v", users)
	}
}

// The file is there before the end: a process that dies leaves it whole.
func TestDataIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	s, _ := run(t, mockplatform.Config{Seed: 1, Data: path})
	newUser(t, s, "http://127.0.0.1:1/")
	var text []byte
	for len(text) == 0 {
		runtime.Gosched()
		text, _ = os.ReadFile(path)
	}
	copied := filepath.Join(t.TempDir(), "copy.json")
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	again, _ := run(t, mockplatform.Config{Seed: 1, Data: copied})
	if users := again.Integra().Users(); len(users) != 1 || users[0].Login != "alice" {
		t.Errorf("users %+v", users)
	}
}

func TestDataIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	good := filepath.Join(folder, "good.json")
	s, stop := run(t, mockplatform.Config{Data: good})
	newUser(t, s, "http://127.0.0.1:1/")
	stop()
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"empty":          func(string) string { return "" },
		"half":           func(s string) string { return s[:len(s)/2] },
		"another format": func(s string) string { return strings.Replace(s, "partnerkit mockplatform", "x", 1) },
		"another time":   func(s string) string { return strings.Replace(s, `"Version":1`, `"Version":2`, 1) },
		"another user": func(s string) string {
			return strings.Replace(s, `"Partner":"`+mockplatform.DemoPartner.Hash, `"Partner":"x`, 1)
		},
		"no dice": func(s string) string { return strings.Replace(s, `"Dice":"`, `"Dice":"AAAA`, 1) },
	} {
		path := filepath.Join(folder, strings.ReplaceAll(name, " ", "-"))
		bad := change(string(text))
		if bad == string(text) {
			t.Fatalf("%s changes nothing", name)
		}
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := mockplatform.New(mockplatform.Config{Data: path}); !errors.Is(err, mockplatform.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
		if kept, _ := os.ReadFile(path); string(kept) != bad {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// A state that somebody edited is loaded or refused, and never breaks anything.
func FuzzLoad(f *testing.F) {
	s := mockplatform.Start(f, mockplatform.WithScenario(exampleScenario("month-end.yaml")))
	integraSave := func() ([]byte, error) { return s.Integra().Save(func() {}) }
	for _, save := range []func() ([]byte, error){integraSave, s.AnyMoney().Save, s.Robokassa().Save(), s.Faults().Save, s.Player().Save} {
		text, err := save()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			t.Skip()
		}
		for name, load := range map[string]func([]byte) error{
			"integra": s.Integra().Load, "anymoney": s.AnyMoney().Load, "robokassa": s.Robokassa().Load, "faults": s.Faults().Load, "scenario": s.Player().Load,
		} {
			if err := load(text); err != nil && err.Error() == "" {
				t.Errorf("%s: an error without words", name)
			}
		}
		within, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Clock().Advance(within, time.Hour); err != nil {
			t.Fatal(err)
		}
		s.Reset()
	})
}

// A snapshot that is taken while cards are charged holds each charge at both ends, or sends it
// again: nobody is charged for nothing, and nothing is credited that was not paid.
func TestSnapshotWhileMoneyMoves(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t) // the clock runs: messages are on their way all the time
	u := newUser(t, s, "http://127.0.0.1:1/")
	moves := func() {
		payment, err := s.Integra().TopUp(alice, "1", integra.ViaRobokassa)
		if err != nil {
			t.Error(err)
			return
		}
		get(t, payment.PayURL, "")
		number, _ := strconv.ParseInt(payment.Invoice, 10, 64)
		if _, refused := s.Robokassa().Act(mockplatform.IntegraShop, number, robokassa.ActPay, ""); refused != nil {
			t.Error(refused)
		}
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 25 {
				moves()
			}
		})
	}
	const most = 8
	for i := range most {
		want := (i + 1) * 100 / (most + 2)
		for {
			if user, _ := s.Integra().User(alice, 0); user.PaymentCount >= want {
				break
			}
			runtime.Gosched()
		}
		if err := s.TakeSnapshot(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	wait.Wait()
	for i := range most {
		if err := s.RestoreSnapshot(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		advance(t, s, time.Hour)
		paid := 0
		for _, o := range s.Robokassa().Operations(robokassa.Filter{Shop: mockplatform.IntegraShop, Limit: 1000}) {
			if o.State == 100 {
				paid++
			}
		}
		if got := u.balance(); got != fmt.Sprintf("%d.00", paid) {
			t.Errorf("snapshot %d: balance %s, %d were paid", i, got, paid)
		}
	}
}
