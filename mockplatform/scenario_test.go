package mockplatform_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	money "github.com/partnerkit/partnerkit/contract/anymoney"
	wire "github.com/partnerkit/partnerkit/contract/integra"
	rwire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/internal/yamldoc"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// The users of docs/examples/scenarios.
const (
	scenarioAlice = "a11ce000000000000000000000000000"
	scenarioBob   = "b0b00000000000000000000000000000"
	scenarioCarol = "ca401000000000000000000000000000"
)

func exampleScenario(name string) string {
	return filepath.Join("..", "docs", "examples", "scenarios", name)
}

// confirming is a partner that confirms each top-up that it is told of, and acknowledges once
// that is done.
type confirming struct {
	*httptest.Server
	started  chan struct{} // closed once platform is there: a clock that runs may press a button before
	platform *mockplatform.Server
	keys     map[string]string

	mu    sync.Mutex
	heard []string // user, amount and virtual time
}

func newConfirming(t *testing.T) *confirming {
	c := &confirming{started: make(chan struct{}), keys: map[string]string{scenarioAlice: "key-of-alice", scenarioBob: "key-of-bob", scenarioCarol: "key-of-carol"}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robokassa/result" {
			_, _ = w.Write([]byte("OK" + r.FormValue("InvId")))
			return
		}
		select {
		case <-c.started:
		case <-r.Context().Done():
			return
		}
		q := r.URL.Query()
		c.mu.Lock()
		c.heard = append(c.heard, fmt.Sprint(q.Get("hash")[:3], " ", q.Get("amount"), " ", c.platform.Clock().Now().Format("15:04:05")))
		c.mu.Unlock()
		cipher, path := wire.Simple, "iframe"
		if q.Get("hash") == scenarioCarol {
			cipher, path = wire.Base64, "partners/other"
		}
		k, err := wire.Seal(cipher, wire.Credentials{Hash: q.Get("hash"), Key: c.keys[q.Get("hash")]},
			wire.ConfirmPaymentArgs{TransactionID: q.Get("id"), Amount: wire.Text(q.Get("amount"))})
		if err != nil {
			t.Error(err)
		}
		address, err := wire.RequestURL(c.platform.PlatformURL(), path, wire.ConfirmPayment, k, nil)
		if err != nil {
			t.Error(err)
		}
		response, err := client.Get(address)
		if err != nil || response.StatusCode != http.StatusOK {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if err == nil {
			_ = response.Body.Close()
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// start starts the platform that tells the partner of top-ups.
func (c *confirming) start(t *testing.T, opts ...mockplatform.Option) *mockplatform.Server {
	t.Helper()
	c.platform = mockplatform.Start(t, opts...)
	close(c.started)
	return c.platform
}

// play starts an example with a partner.
func play(t *testing.T, name string) (*mockplatform.Server, *confirming) {
	t.Helper()
	c := newConfirming(t)
	return c.start(t, mockplatform.WithScenario(exampleScenario(name), "PARTNER="+c.URL, "SHOP="+c.URL)), c
}

func balanceOf(t *testing.T, s *mockplatform.Server, hash string) string {
	t.Helper()
	u, ok := s.Integra().User(hash, 0)
	if !ok {
		t.Fatalf("no user %s", hash)
	}
	return u.Balance.Text()
}

// steps shows the timeline: path, action, state and error of each step.
func steps(t *testing.T, s *mockplatform.Server, namespace string) (all []string) {
	t.Helper()
	var answer struct {
		Steps []struct{ Path, Action, State, Error string }
	}
	response, body := send(t, "GET", s.ControlURL()+"/scenario", namespace, "")
	if err := json.Unmarshal([]byte(body), &answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", response.StatusCode, body, err)
	}
	for _, step := range answer.Steps {
		all = append(all, strings.TrimSpace(fmt.Sprint(step.Path, " ", step.Action, " ", step.State, " ", step.Error)))
	}
	return all
}

// refused are the steps that were not carried out.
func refused(steps []string) []string {
	return slices.DeleteFunc(slices.Clone(steps), func(s string) bool { return strings.HasSuffix(s, " done") })
}

func TestScenarioTopUps(t *testing.T) {
	t.Parallel()
	s, c := play(t, "top-ups.yaml")
	for range 2 { // the second time after a reset
		if got := balanceOf(t, s, scenarioAlice); got != "250.50" {
			t.Fatalf("balance at the start %s", got)
		}
		var balances []string
		for range 11 {
			advance(t, s, time.Minute)
			balances = append(balances, balanceOf(t, s, scenarioAlice))
		}
		want := strings.Fields("350.50 350.50 350.50 390.50 390.50 390.50 390.50 390.50 390.50 370.50 370.50")
		if diff := cmp.Diff(want, balances); diff != "" {
			t.Errorf("balances by minute (-want +got):\n%s", diff)
		}
		if got := refused(steps(t, s, "")); len(got) > 0 {
			t.Errorf("refused: %v", got)
		}
		if diff := cmp.Diff([]string{"a11 100 09:01:00"}, c.heard); diff != "" {
			t.Errorf("the partner heard (-want +got):\n%s", diff)
		}
		if err := s.RestoreSnapshot("after-the-refund"); err != nil || balanceOf(t, s, scenarioAlice) != "370.50" {
			t.Errorf("snapshot: %v", err)
		}
		if status, answer := control(t, s, "POST", "/reset", ""); status != http.StatusNoContent {
			t.Fatalf("reset: %d %s", status, answer)
		}
		c.heard = nil
	}
}

func TestScenarioBadEvening(t *testing.T) {
	t.Parallel()
	s, _ := play(t, "bad-evening.yaml")
	advance(t, s, time.Hour)
	if at := s.Clock().State(); !at.Frozen || at.Rate != 60 {
		t.Errorf("at the end the clock is %+v", at)
	}
	advance(t, s, time.Hour) // the last repeats
	if got := refused(steps(t, s, "")); len(got) > 0 {
		t.Errorf("refused: %v", got)
	}
	if got := balanceOf(t, s, scenarioAlice); got != "600.00" {
		t.Errorf("balance %s after sixty top-ups of 10", got)
	}
	faults := map[string]int{}
	for _, e := range s.Journal().List(journal.Filter{Outcome: journal.Faulty}) {
		_, what, _ := strings.Cut(e.Fault, " ")
		faults[what]++
	}
	if len(faults) < 4 {
		t.Errorf("went wrong: %v", faults)
	}
	if left := s.Faults().List(); len(left) > 0 {
		t.Errorf("still armed: %v", left)
	}
}

func TestScenarioShopsAndMerchants(t *testing.T) {
	t.Parallel()
	s, _ := play(t, "shops-and-merchants.yaml")
	w, err := s.Namespace("shops")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Robokassa().Shops()) != 1 || len(w.Robokassa().Shops()) != 2 {
		t.Errorf("shops %v outside, %v within", s.Robokassa().Shops(), w.Robokassa().Shops())
	}
	order := func(id string) int {
		form := money.Form{"merchant": "37", "amount": "10", "externalid": id, "in_curr": "UAH", "payway": "visamc"}
		form["sign"] = money.Key("mock-sci-key-of-merchant-37").SignForm(form)
		response, _ := send(t, "POST", w.PlatformURL()+"/anymoney-sci/invoice", "", form.Encode())
		return response.StatusCode
	}
	for i := range 2 { // and not order-2
		if status := order(fmt.Sprint("order-", 2*i+1)); status != http.StatusFound {
			t.Fatalf("order: %d", status)
		}
		r := rwire.Request{Login: "my-shop", OutSum: "30.00", InvID: fmt.Sprint(i + 1), Description: "x"}
		get(t, r.Signed(rwire.SHA256, "first-password").Fields().AppendTo(w.PlatformURL()+"/robokassa/Merchant/Index.aspx"), "")
	}
	if err := w.Clock().Advance(t.Context(), 6*time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := w.AnyMoney().Order("37", "order-1").Status; got != money.StatusDone {
		t.Errorf("order-1 is %s", got)
	}
	paid, _ := w.Robokassa().Operation("my-shop", 1)
	late, _ := w.Robokassa().Operation("my-shop", 2)
	if paid.State < 50 || paid.Method != "BankCardPSR" || !late.Expired {
		t.Errorf("operations %+v, %+v", paid, late)
	}
	if got := string(w.AnyMoney().Document()); !strings.Contains(got, `"tech_min":"500"`) {
		t.Errorf("the configuration was not patched: %s", got)
	}
	want := []string{"timeline[1] order refused order: merchant 37 has no order order-2"}
	if diff := cmp.Diff(want, refused(steps(t, s, "shops"))); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if got := steps(t, s, ""); len(got) != 0 {
		t.Errorf("outside the namespace: %v", got)
	}
}

func TestScenarioMonthEnd(t *testing.T) {
	t.Parallel()
	s, c := play(t, "month-end.yaml")
	advance(t, s, 20*time.Minute)
	if got := refused(steps(t, s, "")); len(got) > 0 {
		t.Errorf("refused: %v", got)
	}
	want := []string{"a11 1 23:51:00", "ca4 2 23:55:00", "a11 4 00:00:45", "a11 8 00:05:00"}
	if diff := cmp.Diff(want, c.heard); diff != "" {
		t.Errorf("the partners heard (-want +got):\n%s", diff)
	}
	for hash, balance := range map[string]string{scenarioAlice: "1013.00", scenarioBob: "0.00", scenarioCarol: "2.00"} {
		if got := balanceOf(t, s, hash); got != balance {
			t.Errorf("balance of %s: %s, want %s", hash, got, balance)
		}
	}
	if bob, _ := s.Integra().User(scenarioBob, 0); !bob.Archived {
		t.Error("bob is not archived")
	}
}

// The example of docs/scenarios.md does what it says.
func TestScenarioDocument(t *testing.T) {
	t.Parallel()
	all := examples(t, "scenarios.md")
	if len(all) != 1 || all[0].language != "yaml" {
		t.Fatalf("examples %v", all)
	}
	c := newConfirming(t)
	c.start(t, func(cfg *mockplatform.Config) {
		cfg.Scenarios = []mockplatform.Script{{File: "first.yaml", Text: []byte(all[0].code), Env: func(string) (string, bool) { return c.URL, true }}}
	})
	advance(t, c.platform, 10*time.Minute)
	lost := c.platform.Journal().List(journal.Filter{Method: "confirmPayment", Outcome: journal.Faulty})
	if got := balanceOf(t, c.platform, scenarioAlice); got != "355.50" || len(lost) == 0 || len(refused(steps(t, c.platform, ""))) > 0 {
		t.Errorf("balance %s, %d lost, steps %v", got, len(lost), steps(t, c.platform, ""))
	}
}

// Every example is played by a test here.
func TestScenarioExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(exampleScenario("*.yaml"))
	if err != nil || len(files) != 4 {
		t.Errorf("%d examples, %d are tested: %v", len(files), 4, err)
	}
}

const quiet = `
clock: {now: 2026-01-01T00:00:00Z, frozen: true}
users:
  - {hash: ` + scenarioAlice + `, login: alice, key: k, notify_url: "http://127.0.0.1:1/?id={id}&amount={amount}"}
`

// text starts a server from a scenario that stands in the test.
func text(yaml string) func(*mockplatform.Config) {
	return func(cfg *mockplatform.Config) {
		cfg.Scenarios = append(cfg.Scenarios, mockplatform.Script{File: "test.yaml", Text: []byte(yaml)})
	}
}

// Steps mix with all else that falls due, in the order of time and then of the file.
func TestScenarioOrder(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, text(quiet+`
timeline:
  - {at: 20s, topup: {user: alice, amount: "3"}}
  - {at: 1s, every: 10s, times: 3, topup: {user: alice, amount: "1"}}
  - {at: 20s, settings: {integra: {notify: {retries: 0}}}}
  - {at: 20s, topup: {user: `+scenarioAlice+`, amount: "2"}}
  - {at: 0s, settings: {integra: {notify: {retries: 1, first_retry_ms: 19000}}}}
`))
	advance(t, s, 0)
	if n := s.Journal().Len(); n != 0 {
		t.Fatalf("%d exchanges at the start", n)
	}
	advance(t, s, time.Minute)
	var got []string
	for _, e := range s.Journal().List(journal.Filter{Method: "notify"}) {
		line, _, _ := strings.Cut(string(e.Request), " HTTP")
		got = append(got, fmt.Sprint(e.At.Second(), " ", line[strings.LastIndex(line, "=")+1:]))
	}
	// The first repeats of those before the retries end are at 20, 30 and 39.
	slices.Sort(got)
	want := []string{"1 1", "11 1", "20 1", "20 2", "20 3", "21 1", "30 1", "39 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notified (-want +got):\n%s", diff)
	}
	wantSteps := []string{
		"timeline[4] settings done", "timeline[1] topup done", "timeline[1] topup done", "timeline[0] topup done",
		"timeline[2] settings done", "timeline[3] topup done", "timeline[1] topup done",
	}
	if diff := cmp.Diff(wantSteps, steps(t, s, "")); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// What a timeline has still to do survives a snapshot and a clock that is set back, and a
// clock that runs fast gets there by itself.
func TestScenarioClock(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, text(quiet+`
timeline:
  - {at: 1m, topup: {user: alice, amount: "1"}}
  - {at: 2m, snapshot: here}
  - {at: 3m, topup: {user: alice, amount: "2"}}
  - {at: 4m, clock: {frozen: false, rate: 1000}}
  - {at: 10m, clock: {frozen: true}}
`))
	count := func() int {
		u, _ := s.Integra().User(scenarioAlice, 10)
		return u.PaymentCount
	}
	advance(t, s, 150*time.Second)
	if err := s.RestoreSnapshot("here"); err != nil || count() != 1 {
		t.Fatalf("restore: %v, %d payments", err, count())
	}
	early := s.Clock().Now().Add(-time.Hour)
	if err := s.Clock().Set(t.Context(), clock.Change{Now: &early}); err != nil {
		t.Fatal(err)
	}
	advance(t, s, 59*time.Second)
	if count() != 1 {
		t.Errorf("%d payments a second before the third step", count())
	}
	advance(t, s, time.Second)
	if count() != 2 {
		t.Errorf("%d payments after the third step", count())
	}
	advance(t, s, time.Minute)
	for !s.Clock().State().Frozen { // six minutes are 360 ms
		if got := steps(t, s, ""); strings.Contains(strings.Join(got, ""), "refused") {
			t.Fatal(got)
		}
	}
	if ran := s.Clock().Now().Sub(early); ran < 8*time.Minute || ran > time.Hour {
		t.Errorf("frozen after %s", ran)
	}
}

// A file keeps how far a scenario got; its own state goes before that of a scenario file,
// until a reset.
func TestScenarioWithData(t *testing.T) {
	t.Parallel()
	cfg := mockplatform.Config{Seed: 1, Data: filepath.Join(t.TempDir(), "state.json")}
	play := func(yaml string) (*mockplatform.Server, func()) {
		c := cfg
		if yaml != "" {
			text(yaml)(&c)
		}
		return run(t, c)
	}
	count := func(s *mockplatform.Server) string {
		u, ok := s.Integra().User(scenarioAlice, 10)
		return fmt.Sprint(ok, u.PaymentCount)
	}
	first := quiet + `
timeline:
  - {at: 1m, topup: {user: alice, amount: "1", via: robokassa, as: one}}
  - {at: 2m, topup: {user: alice, amount: "2"}}
  - {at: 3m, buyer: {payment: one, do: pay}}
`
	s, stop := play(first)
	cfg.Listen = strings.TrimPrefix(s.PlatformURL(), "http://") // Robokassa's page has an address
	other, err := s.Namespace("other")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Clock().Advance(t.Context(), 90*time.Second); err != nil {
		t.Fatal(err)
	}
	advance(t, s, 90*time.Second)
	stop()

	s, stop = play(quiet)
	if got := count(s); got != "true 1" {
		t.Errorf("payments after a start with another scenario: %s", got)
	}
	advance(t, s, 2*time.Minute)
	if got := steps(t, s, ""); len(got) != 3 || len(refused(got)) > 0 || balanceOf(t, s, scenarioAlice) != "1.00" {
		t.Errorf("steps %v, balance %s", got, balanceOf(t, s, scenarioAlice))
	}
	if got := refused(steps(t, s, "other")); len(got) != 2 {
		t.Errorf("waiting in the namespace: %v", got)
	}
	s.Reset()
	if got := steps(t, s, ""); len(got) != 0 || count(s) != "true 0" {
		t.Errorf("after the reset: %v, %s", got, count(s))
	}
	stop()

	s, stop = play("")
	defer stop()
	if got := count(s); got != "true 0" {
		t.Errorf("payments without a scenario: %s", got)
	}
	s.Reset()
	if got := count(s); got != "true 0" {
		t.Errorf("a reset forgot the scenario of the file: %s", got)
	}
	if status, answer := control(t, s, "DELETE", "/scenario", ""); status != http.StatusNoContent || count(s) != "false 0" {
		t.Errorf("%d %s, %s", status, answer, count(s))
	}
}

// Other languages put a scenario as JSON.
func TestPutScenario(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, text(quiet))
	put := func(namespace, body string, want int) string {
		t.Helper()
		response, answer := send(t, "PUT", s.ControlURL()+"/scenario", namespace, body)
		if response.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", body, response.StatusCode, answer, want)
		}
		return answer
	}
	answer := put("a", `{"name":"X","users":[{"hash":"`+scenarioBob+`","login":"bob","key":"k"}],"timeline":[{"at":"1m","topup":{"user":"bob","amount":"1","via":"robokassa"},"note":"n"}]}`, 200)
	if !strings.Contains(answer, `"name":"X","steps":[{"path":"timeline[0]","action":"topup","note":"n","state":"waiting"`) {
		t.Error(answer)
	}
	a, err := s.Namespace("a")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(len(s.Integra().Users()), len(a.Integra().Users())); got != "1 1" {
		t.Errorf("users outside and within: %s", got)
	}
	for body, location := range map[string]string{
		`{"users":[{"hash":"x"}]}`:                                         "body.users[0].hash",
		`{"timeline":[{"at":"1m"}]}`:                                       "body.timeline[0]",
		`{"timeline":[{"at":"1m","topup":{"user":"alice","amount":"1"}}]}`: "body.timeline[0].topup.user",
		`{"timeline":[{"at":"-1m","snapshot":"x"}]}`:                       "body.timeline[0].at",
		`{"namespace":"b"}`:                                                "body.namespace",
		`{"faults":[{"act":{"do":"hang","status":3}}]}`:                    "body.faults[0].act.status",
		`{"anymoney":{"config":{"payways":[]}}}`:                           "body.anymoney.config.",
		`{"clock":{"now":"1969-12-31T23:59:59Z"}}`:                         "body.clock.now",
		`{"clock":{"rate":-1}}`:                                            "body.clock.rate",
		`{"nothing":1}`:                                                    "body.nothing",
		`{"timeline":[{"at":"1m","every":"1m","times":10000,"snapshot":"x"},{"at":"1m","snapshot":"x"}]}`: "body.timeline",
	} {
		if answer := put("a", body, 422); !strings.Contains(answer, `"location":"`+location) {
			t.Errorf("%s:\n%s\nnames not %s", body, answer, location)
		}
	}
	if got := len(a.Integra().Users()); got != 1 {
		t.Errorf("what was refused changed the world: %d users", got)
	}
	response, _ := send(t, "DELETE", s.ControlURL()+"/scenario", "a", "")
	if response.StatusCode != http.StatusNoContent || len(a.Integra().Users()) != 0 || len(s.Integra().Users()) != 1 {
		t.Errorf("%d, users outside %d, within %d", response.StatusCode, len(s.Integra().Users()), len(a.Integra().Users()))
	}
}

// Step by step: each call goes to the next moment of the timeline, whatever the clock shows.
func TestNextStep(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, text(`
users:
  - {hash: `+scenarioAlice+`, login: alice, key: secret-of-alice}
timeline:
  - {at: 1m, topup: {user: alice, amount: "1", via: robokassa}}
  - {at: 1m, user: {hash: `+scenarioBob+`, login: bob, key: secret-of-bob}}
  - {at: 1h, order: {merchant: "37", externalid: none, status: done}, note: "nobody made it"}
  - {at: 2h, snapshot: end}
`), frozen, func(cfg *mockplatform.Config) { cfg.Clock.Now = time.Date(2026, 3, 2, 9, 0, 0, 123_999_999, time.UTC) })
	begin := s.Clock().Now()
	for _, want := range []struct {
		at    time.Duration
		steps string
	}{
		{time.Minute, "done done waiting waiting"},
		{time.Hour, "done done refused waiting"},
		{2 * time.Hour, "done done refused done"},
	} {
		status, answer := control(t, s, "POST", "/scenario/next", "")
		var states []string
		for _, step := range steps(t, s, "") {
			states = append(states, strings.Fields(step)[2])
		}
		if at := s.Clock().Now().Sub(begin); status != http.StatusOK || at != want.at || strings.Join(states, " ") != want.steps {
			t.Errorf("%d after %s: %v\n%s", status, at, states, answer)
		}
		if strings.Contains(answer, "secret-of") || !strings.Contains(answer, `"args":"bob"`) || !strings.Contains(answer, `"args":{"user":"alice","amount":"1","via":"robokassa"}`) {
			t.Errorf("what is given:\n%s", answer)
		}
	}
	if status, answer := control(t, s, "POST", "/scenario/next", ""); status != http.StatusConflict {
		t.Errorf("at the end: %d %s", status, answer)
	}
	if status, answer := control(t, mockplatform.Start(t), "POST", "/scenario/next", ""); status != http.StatusConflict {
		t.Errorf("without a scenario: %d %s", status, answer)
	}
}

// A reset in the middle of things leaves nothing of what was before.
func TestResetWhileTheTimelineRuns(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, text(quiet+`
settings: {integra: {notify: {retries: 0}}}
timeline:
  - {at: 0s, every: 1ms, times: 3000, topup: {user: alice, amount: "1"}}
`))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 5 {
				s.Reset()
				_ = s.TakeSnapshot("x")
				_ = s.Clock().Advance(t.Context(), 20*time.Millisecond)
				_ = s.RestoreSnapshot("x")
			}
		})
	}
	wait.Wait()
	s.Reset()
	advance(t, s, 9*time.Millisecond)
	u, _ := s.Integra().User(scenarioAlice, 1)
	if u.PaymentCount != 10 {
		t.Errorf("%d payments in the first 9 ms, want 10", u.PaymentCount)
	}
}

// What is wrong with a scenario is named by line and path.
func TestScenarioIsRefused(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'g'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 10))
	}
	for name, tt := range map[string]struct {
		yaml string
		want []string // each a line of the error, or its beginning
	}{
		"syntax":         {"users: [", []string{"test.yaml:1: did not find expected node content"}},
		"empty":          {"", []string{"test.yaml:1: is empty"}},
		"no object":      {"- 1", []string{"test.yaml:1: expected object"}},
		"second":         {"name: x\n---\nname: y\n", []string{"test.yaml:3: is a second document"}},
		"unknown key":    {"name: x\nusers:\n  - hash: " + scenarioAlice + "\n    login: a\n    key: k\n    balanse: \"1\"\n", []string{"test.yaml:6: users[0].balanse: is no key here; possible are archived, balance,"}},
		"duplicate key":  {"name: x\nclock:\n  rate: 1\n  rate: 2\n", []string{"test.yaml:4: clock.rate: is there twice: first on line 3"}},
		"number":         {"timeline:\n- at: 1s\n  topup:\n    user: a\n    amount: 100\n", []string{"test.yaml:5: timeline[0].topup.amount: expected text: put the number in quotes"}},
		"negative times": {"timeline:\n- at: -1s\n  snapshot: a\nsettings:\n  integra:\n    payment_expiry_ms: -1\n", []string{"test.yaml:2: timeline[0].at: expected string to be a time after the start", "test.yaml:6: settings.integra.payment_expiry_ms: expected number >= 0"}},
		"negative delay": {"faults:\n- act: {delay_ms: -5}\n", []string{"test.yaml:2: faults[0].act.delay_ms: -5 ms is not between 0 and"}},
		"balance":        {quiet + "  - {hash: " + scenarioBob + ", login: bob, key: k, balance: \"1.234\"}\n", []string{"test.yaml:5: users[1].balance: malformed amount"}},
		"twice":          {quiet + "  - {hash: " + scenarioAlice + ", login: bob, key: k}\n", []string{"test.yaml:5: users[1].hash: is the hash of a user before"}},
		"login taken":    {quiet + "  - {hash: " + scenarioBob + ", login: alice, key: k}\n", []string{"test.yaml:5: users[1].login: \"alice\" is taken"}},
		"partner":        {quiet + "  - {hash: " + scenarioBob + ", login: bob, key: k, partner: nobody}\n", []string{"test.yaml:5: users[1].partner: \"nobody\" is unknown"}},
		"references": {quiet + `timeline:
  - {at: 1s, topup: {user: bob, amount: "1"}}
  - {at: 1s, order: {merchant: "99", externalid: x, status: done}}
  - {at: 1s, buyer: {shop: none, inv_id: 3, do: pay}}
  - {at: 1s, buyer: {payment: none, do: pay}}
  - {at: 1s, refund: {payment: none}}
  - {at: 1s, disarm: none}
  - {at: 1s, fault: {match: {user: none}, act: {do: hang}}}
  - {at: 1s, fault: {rules: [{match: {partner: none}, act: {do: hang}}]}}
  - {at: 1s, user: {hash: ` + scenarioBob + `, login: bob, key: k, partner: none}}
`, []string{
			`test.yaml:6: timeline[0].topup.user: "bob" is the login or hash of no user`,
			`test.yaml:7: timeline[1].order.merchant: "99" is no merchant's lid`,
			`test.yaml:8: timeline[2].buyer.shop: "none" is no shop's login`,
			`test.yaml:9: timeline[3].buyer.payment: no top-up before this was named "none"`,
			`test.yaml:10: timeline[4].refund.payment: no top-up before this was named "none"`,
			`test.yaml:11: timeline[5].disarm: no rule that is armed has the name "none"`,
			`test.yaml:12: timeline[6].fault.match.user: "none" is the login or hash of no user`,
			`test.yaml:13: timeline[7].fault.rules[0].match.partner: "none" is no partner's hash`,
			`test.yaml:14: timeline[8].user.partner: "none" is unknown`,
		}},
		"too late to name": {quiet + "timeline:\n- {at: 1s, disarm: x}\n- {at: 2s, fault: {name: x, act: {do: hang}}}\n", []string{"test.yaml:6: timeline[0].disarm"}},
		"no notify_url":    {"users: [{hash: " + scenarioBob + ", login: bob, key: k}]\ntimeline:\n- {at: 1s, topup: {user: bob, amount: \"1\"}}\n", []string{"test.yaml:3: timeline[0].topup: user " + scenarioBob + " never logged in"}},
		"actions":          {quiet + "timeline:\n- {at: 1s}\n- {at: 1s, snapshot: a, disarm: b}\n", []string{"test.yaml:6: timeline[0]: has 0 actions: give one of topup,", "test.yaml:7: timeline[1]: has 2 actions"}},
		"times":            {quiet + "timeline:\n- {at: 1s, every: 1s, snapshot: a}\n- {at: 1s, times: 2, snapshot: a}\n- {at: 90000h, snapshot: a}\n- {at: 0s, every: 80000h, times: 9, snapshot: a}\n", []string{"test.yaml:6: timeline[0].every: needs times", "test.yaml:7: timeline[1].times: needs every", "test.yaml:8: timeline[2].at: 90000h is not between", "test.yaml:9: timeline[3].times: ends later"}},
		"as twice":         {quiet + "timeline:\n- {at: 1s, topup: {user: alice, amount: \"1\", as: x}}\n- {at: 1s, every: 1s, times: 2, topup: {user: alice, amount: \"1\", as: x}}\n", []string{"test.yaml:7: timeline[1].topup.as: \"x\" is the name of an earlier", "test.yaml:7: timeline[1].topup.as: is one name for many"}},
		"not by card":      {quiet + "timeline:\n- {at: 1s, topup: {user: alice, amount: \"1\", as: x}}\n- {at: 2s, buyer: {payment: x, do: pay}}\n", []string{"test.yaml:7: timeline[1].buyer.payment: the top-up \"x\" is not by Robokassa"}},
		"settings":         {"settings:\n  robokassa: {nothing: 1}\n", []string{"test.yaml:2: settings.robokassa"}},
		"config":           {"anymoney:\n  patch:\n    payways:\n      visamc: {in: {UAH: {tech_min: x}}}\n", []string{"test.yaml:4: anymoney.patch.payways.visamc.in.UAH.tech_min: is no number"}},
		"shop":             {"shops:\n- {login: a, password1: x, password2: y, hash: MD6}\n", []string{"test.yaml:2: shops[0].hash: hash \"MD6\""}},
		"variable":         {"name: ${NO_SUCH_VARIABLE}\n", []string{"test.yaml:1: name: ${NO_SUCH_VARIABLE}: there is no such variable"}},
		"bomb":             {bomb, []string{"test.yaml:2: e["}},
		"contains itself":  {"a: &a [*a]\n", []string{"test.yaml:1: a[0][0]"}},
		"merge key":        {"a: &a {b: 1}\nc: {<<: *a}\n", []string{"test.yaml:2: c: has a key that is no text"}},
		"large":            {strings.Repeat("# large\n", 1<<17) + "name: x\n", []string{"test.yaml: is larger than 1048576 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := mockplatform.Config{}
			text(tt.yaml)(&cfg)
			_, err := mockplatform.New(cfg)
			var faults *yamldoc.Error
			if !errors.As(err, &faults) {
				t.Fatalf("error %v", err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Errorf("%d lines, want %d", len(lines), len(tt.want))
			}
			for i, want := range tt.want {
				if i < len(lines) && !strings.HasPrefix(lines[i], want) {
					t.Errorf("got  %s\nwant %s…", lines[i], want)
				}
			}
		})
	}
}

func TestScenariosOfNamespaces(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		texts []string
		want  string
	}{
		"two for all":  {[]string{"name: a", "name: b"}, "two scenarios name no namespace"},
		"two for one":  {[]string{"namespace: a", "namespace: a"}, "two scenarios are for the namespace a"},
		"name":         {[]string{"namespace: a/b"}, "test.yaml:1: namespace: expected string to be 1 to 64 letters"},
		"points alone": {[]string{"namespace: .."}, "a namespace has a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := mockplatform.Config{}
			for _, yaml := range tt.texts {
				text(yaml)(&cfg)
			}
			if _, err := mockplatform.New(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	s := mockplatform.Start(t, text(quiet), text("namespace: own\nname: own"))
	for namespace, want := range map[string]int{"": 1, "own": 0, "other": 1} {
		w := s.World
		if namespace != "" {
			w, _ = s.Namespace(namespace)
		}
		if got := len(w.Integra().Users()); got != want {
			t.Errorf("namespace %q has %d users, want %d", namespace, got, want)
		}
	}
}

// Whatever a file says, it is played or refused.
func FuzzScenario(f *testing.F) {
	files, _ := filepath.Glob(exampleScenario("*.yaml"))
	for _, file := range files {
		yaml, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(yaml)
	}
	f.Add([]byte("a: &a {<<: *a, ? [1] : !!binary x}\n"))
	f.Add([]byte(".: 0\nusers.x[0]: 1\n"))
	f.Fuzz(func(t *testing.T, yaml []byte) {
		s, err := mockplatform.Script{File: "fuzz.yaml", Text: yaml, Env: func(string) (string, bool) { return "", false }}.Read()
		if err == nil {
			err = mockplatform.Rehearse(mockplatform.Config{}, s)
		}
		var faults *yamldoc.Error
		if err != nil && !errors.As(err, &faults) {
			t.Errorf("error %v", err)
		}
	})
}
