package robokassa_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/goleak"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Those of the vectors.
const (
	login = "demo-shop"
	pass1 = wire.Password("Pass1-Live_42")
	pass2 = wire.Password("Pass2-Live_42")
	pass3 = wire.Password("Pass3-Refund_42")
	test1 = wire.Password("TestPass1_77")
	test2 = wire.Password("TestPass2_77")
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stand is Robokassa in frozen time, with a shop that notes what it is told.
type stand struct {
	*testing.T
	platform *robokassa.Platform
	clock    *clock.Clock
	journal  *journal.Journal
	faults   *fault.Set
	url      string // of Robokassa's paths
	shop     *shop
	client   *http.Client
}

// shop is a program of a shop.
type shop struct {
	server *httptest.Server

	mu     sync.Mutex
	told   []heard
	answer func(heard) (status int, body string)
}

// heard is a message to the shop.
type heard struct{ verb, path, query, kind, body string }

func (h heard) fields(t testing.TB) wire.Fields {
	t.Helper()
	f, err := wire.ParseFields(h.query + h.body)
	if err != nil {
		t.Fatalf("%q: %v", h.query+h.body, err)
	}
	return f
}

func obedient(h heard) (int, string) {
	f, err := wire.ParseFields(h.query + h.body)
	if err != nil {
		return 400, err.Error()
	}
	return 200, wire.Answer(f.Get(wire.FieldInvID))
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h := heard{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), string(body)}
	s.mu.Lock()
	s.told = append(s.told, h)
	answer := s.answer
	s.mu.Unlock()
	status, text := answer(h)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// heardAt returns what came to a path.
func (s *shop) heardAt(path string) (list []heard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.told {
		if h.path == path {
			list = append(list, h)
		}
	}
	return list
}

func (s *shop) answers(answer func(heard) (int, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func newStand(t *testing.T, changes ...func(*robokassa.Shop)) *stand {
	t.Helper()
	s := &stand{T: t, journal: journal.New(journal.Config{}), shop: &shop{answer: obedient}}
	s.shop.server = httptest.NewServer(s.shop)
	t.Cleanup(s.shop.server.Close)
	var err error
	if s.clock, err = clock.New(clock.State{Now: start, Frozen: true}); err != nil {
		t.Fatal(err)
	}
	s.faults, err = fault.New(fault.Config{Clock: s.clock, Seed: 1, Protocols: []fault.Protocol{robokassa.Faults()}})
	if err != nil {
		t.Fatal(err)
	}
	of := robokassa.Shop{
		Login: login, Name: "Лавка", Password1: pass1, Password2: pass2, Password3: pass3, TestPassword1: test1, TestPassword2: test2,
		ResultURL: s.shop.server.URL + "/result", SuccessURL: s.shop.server.URL + "/ok?a=b", FailURL: s.shop.server.URL + "/fail",
	}
	for _, change := range changes {
		change(&of)
	}
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String() + robokassa.PathRoot
	s.platform, err = robokassa.New(robokassa.Config{
		Clock: s.clock, Dice: dice.New(1), Journal: s.journal, Faults: s.faults, Settings: robokassa.DefaultSettings(),
		Shops: []robokassa.Shop{of}, Base: s.url,
	})
	if err != nil {
		t.Fatal(err)
	}
	router := mux.NewRouter().SkipClean(true)
	s.platform.Mount(router)
	server.Config.Handler = router
	server.Start()
	s.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		server.Close()
		s.platform.Close()
		s.clock.Close()
	})
	return s
}

// advance moves the clock, and waits for what falls due.
func (s *stand) advance(d time.Duration) {
	s.Helper()
	if err := s.clock.Advance(s.Context(), d); err != nil {
		s.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *stand) do(verb, path, kind, body string) answer {
	s.Helper()
	address := path
	if !strings.HasPrefix(path, "http") {
		address = s.url + path
	}
	r, err := http.NewRequestWithContext(s.Context(), verb, address, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

func (s *stand) get(path string) answer {
	s.Helper()
	return s.do(http.MethodGet, path, "", "")
}

func (s *stand) post(path string, f wire.Fields) answer {
	s.Helper()
	return s.do(http.MethodPost, path, "application/x-www-form-urlencoded", f.Encode())
}

// basic is a request that passes every check once it is signed.
func basic(id string) wire.Request {
	return wire.Request{Login: login, OutSum: "100.26", InvID: id, Description: "Пополнение баланса"}
}

func signed(r wire.Request) wire.Request {
	if r.IsTest {
		return r.Signed(wire.MD5, test1)
	}
	return r.Signed(wire.MD5, pass1)
}

// open opens the payment page and returns the path of the operation's own page.
func (s *stand) open(r wire.Request) string {
	s.Helper()
	a := s.post("/Merchant/Index.aspx", signed(r).Fields())
	if a.status != http.StatusSeeOther {
		s.Fatalf("opening %s: %d\n%s", r.InvID, a.status, a.body)
	}
	return "/Merchant/" + a.header.Get("Location")
}

// code returns the code of a refusing page, and fails if it is none.
func (a answer) code(t testing.TB) string {
	t.Helper()
	_, rest, ok := strings.Cut(a.body, "<dd><code>")
	code, _, _ := strings.Cut(rest, "<")
	if !ok || a.status != http.StatusOK {
		t.Fatalf("status %d, to %q: no page with a code\n%.600s", a.status, a.header.Get("Location"), a.body)
	}
	return code
}

// act does to an operation what the control API would.
func (s *stand) act(id int64, what robokassa.Action) robokassa.Operation {
	s.Helper()
	o, refused := s.platform.Act(login, id, what, "")
	if refused != nil {
		s.Fatal(refused)
	}
	s.advance(0)
	return o
}

// eventually is the state of an operation as the shop sees it.
func (s *stand) operation(id int64) robokassa.Operation {
	s.Helper()
	o, ok := s.platform.Operation(login, id)
	if !ok {
		s.Fatalf("there is no operation %d", id)
	}
	return o
}

func (s *stand) change(change func(*robokassa.Settings)) {
	s.Helper()
	if err := s.platform.ChangeSettings(func(with *robokassa.Settings) error { change(with); return nil }); err != nil {
		s.Fatal(err)
	}
}

// last is the verdict of the newest exchange of a method.
func (s *stand) last(method string) *journal.Exchange {
	s.Helper()
	found := s.journal.List(journal.Filter{Protocol: robokassa.Protocol, Method: method, Limit: 1})
	if len(found) == 0 {
		s.Fatalf("no exchange of %s", method)
	}
	return found[0].Redacted()
}

func (s *stand) card(number string) wire.Fields {
	return wire.Fields{{Name: "action", Value: "pay"}, {Name: "method", Value: "BankCardPSR"}, {Name: "number", Value: number}, {Name: "expiry", Value: "12/30"}, {Name: "cvc", Value: "123"}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// query reads the parameters of an address.
func query(t testing.TB, address string) wire.Fields {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	f, err := wire.ParseFields(u.RawQuery)
	must(t, err)
	return f
}

func num(n int64) string { return fmt.Sprint(n) }
