package control_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"go.uber.org/goleak"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/control"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	partner = "fedcba9876543210fedcba9876543210"
	alice   = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	bob     = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// stand is a control API over a platform in frozen time.
type stand struct {
	t        *testing.T
	clock    *clock.Clock
	journal  *journal.Journal
	platform *integra.Platform
	router   *mux.Router
	sick     error
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{t: t, journal: journal.New(journal.Config{})}
	var err error
	s.clock, err = clock.New(clock.State{Now: time.UnixMilli(1_000_000), Frozen: true})
	if err != nil {
		t.Fatal(err)
	}
	s.platform, err = integra.New(integra.Config{
		Clock: s.clock, Dice: dice.New(1), Journal: s.journal, Settings: integra.DefaultSettings(),
		Partners: []integra.Partner{{Hash: partner, Key: "topsecret", Path: "partners/plain", Cipher: "base64"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.platform.Close()
		s.clock.Close()
	})
	s.router = mux.NewRouter()
	faults, err := fault.New(fault.Config{Clock: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	control.Mount(s.router, control.Config{
		Clock: s.clock, Journal: s.journal, Faults: faults, Integra: s.platform, Version: "test",
		Reset:   func() { faults.Reset(); s.platform.Reset(func() { s.clock.Reset(); s.journal.Reset() }) },
		Healthy: func() error { return s.sick },
	})
	return s
}

func (s *stand) do(verb, path, body string) (status int, answer string) {
	r := httptest.NewRequest(verb, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d says
	w := httptest.NewRecorder()
	s.router.ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return w.Code, strings.TrimSpace(string(raw))
}

// expect checks status and exact body of an answer.
func (s *stand) expect(verb, path, body string, status int, want string) {
	s.t.Helper()
	gotStatus, got := s.do(verb, path, body)
	if gotStatus != status || got != want {
		s.t.Errorf("%s %s %s:\n got %d %s\nwant %d %s", verb, path, body, gotStatus, got, status, want)
	}
}

// logIn makes users able to top up, with an address where nobody listens.
func (s *stand) logIn(users ...string) {
	s.t.Helper()
	for _, hash := range users {
		if _, err := s.platform.Register(partner, wire.CreateUserArgs{Username: hash, Hash: hash}); err != nil {
			s.t.Fatal(err)
		}
		k, err := wire.Seal(wire.Base64, wire.Credentials{Hash: hash, Key: "x"}, wire.LoginArgs{
			Login: hash, Hash: hash, PaymentNotifyURL: "http://127.0.0.1:1/notify?id={id}&token=s3cr3t",
		})
		if err != nil {
			s.t.Fatal(err)
		}
		address, err := wire.RequestURL("http://localhost", "iframe", wire.CryptLogin, k, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		r := mux.NewRouter()
		s.platform.Mount(r)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
		if w.Code != http.StatusOK {
			s.t.Fatal(w.Body)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.expect("GET", "/healthz", "", 200, `{"status":"ok"}`)
	s.sick = errors.New("the platform listener does not serve")
	s.expect("GET", "/healthz", "", 503, `{"title":"Service Unavailable","status":503,"detail":"the platform listener does not serve"}`)
}

// The port asks nobody who they are, and any site can have a developer's browser post to it.
func TestPagesOfOtherSites(t *testing.T) {
	s := newStand(t)
	for name, want := range map[string]int{"": http.StatusNoContent, "http://example.com": http.StatusNoContent, "https://evil.example": http.StatusForbidden, "null": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodPost, "/reset", nil) // to example.com
		if name != "" {
			r.Header.Set("Origin", name)
		}
		w := httptest.NewRecorder()
		s.router.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("POST /reset from a page of %q: %d, want %d", name, w.Code, want)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.expect("GET", "/clock", "", 200, `{"now_ms":1000000,"frozen":true,"rate":1}`)
	s.expect("POST", "/clock/advance", `{"ms":500}`, 200, `{"now_ms":1000500,"frozen":true,"rate":1}`)
	s.expect("PUT", "/clock", `{"now_ms":2000000}`, 200, `{"now_ms":2000000,"frozen":true,"rate":1}`)
	s.expect("PUT", "/clock", `{"now_ms":1000,"frozen":true,"rate":60}`, 200, `{"now_ms":1000,"frozen":true,"rate":60}`)
	s.expect("PUT", "/clock", `{}`, 200, `{"now_ms":1000,"frozen":true,"rate":60}`)
	s.expect("POST", "/reset", ``, 204, ``)
	s.expect("GET", "/clock", "", 200, `{"now_ms":1000000,"frozen":true,"rate":1}`)
	if status, _ := s.do("PUT", "/clock", `{"frozen":false,"rate":1000}`); status != 200 || s.clock.State().Frozen {
		t.Errorf("status %d, state %+v; want the clock to run", status, s.clock.State())
	}
}

func TestTopUp(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.logIn(alice)
	status, created := s.do("POST", "/integra/users/"+alice+"/topups", `{"amount":"100.5"}`)
	var payment struct{ ID, State string }
	if err := json.Unmarshal([]byte(created), &payment); err != nil || status != 201 || len(payment.ID) != 32 || payment.State != "unconfirmed" {
		t.Fatalf("created %d %s", status, created)
	}
	s.do("POST", "/clock/advance", `{"ms":0}`)
	_, shown := s.do("GET", "/integra/payments/"+payment.ID, "")
	shown = cutNumbers(shown, `"took_ms":`)
	want := `{"id":"` + payment.ID + `","kind":"topup","via":"partner","user":"` + alice + `","amount":"100.50","bonus":"0.00","credited":"0.00",` +
		`"state":"unconfirmed","created_ms":1000000,"notified_ms":1000000,"expires_ms":87400000,"next_try_ms":1010000,"attempts":[{"number":1,"at_ms":1000000,"heard_ms":1000000,"took_ms":N,"status":0,` +
		`"error":"dial tcp 127.0.0.1:1: connect: connection refused"}]}`
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("payment (-want +got):\n%s", diff)
	}
	_, user := s.do("GET", "/integra/users/"+alice, "")
	want = `{"hash":"` + alice + `","login":"` + alice + `","partner":"` + partner + `","balance":"0.00","archived":false,"can_topup":true,` +
		`"unread":1,"created_ms":1000000,"last_login_ms":1000000,"payment_count":1,"payments":[` + want + `]}`
	if diff := cmp.Diff(want, cutNumbers(user, `"took_ms":`)); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	_, users := s.do("GET", "/integra/users", "")
	if !strings.HasPrefix(users, `{"users":[{"hash":"`+alice+`",`) || !strings.HasSuffix(users, `"payments":[]}]}`) {
		t.Errorf("users: %s", users)
	}
	if _, user := s.do("GET", "/integra/users/"+alice+"?limit=0", ""); !strings.HasSuffix(user, `"payment_count":1,"payments":[]}`) {
		t.Errorf("user without payments: %s", user)
	}
}

// cutNumbers replaces the digits after a field's name, which differ from run to run.
func cutNumbers(text, field string) string {
	before, after, found := strings.Cut(text, field)
	if !found {
		return text
	}
	return before + field + "N" + cutNumbers(strings.TrimLeft(after, "0123456789"), field)
}

func TestPartner(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.expect("PUT", "/integra/partners/"+alice, `{"key":"k","path":"partners/a","cipher":"base64"}`, 200, `{"hash":"`+alice+`","path":"partners/a","cipher":"base64"}`)
	s.expect("PUT", "/integra/partners/"+alice, `{"key":"k","path":"partners/b"}`, 200, `{"hash":"`+alice+`","path":"partners/b","cipher":"simple"}`)
	s.expect("GET", "/integra/partners", ``, 200, `{"partners":[{"hash":"`+alice+`","path":"partners/b","cipher":"simple"},{"hash":"`+partner+`","path":"partners/plain","cipher":"base64"}]}`)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	const defaults = `{"integra":{"notify":{"timeout_ms":5000,"retries":5,"first_retry_ms":10000,"schedule_ms":[],"delay_ms":0,` +
		`"duplicates":0,"duplicate_after_ms":0,"reorder_ms":0,"amount":"short"},"confirm_repeated":"success","confirm_other_amount":"refuse",` +
		`"payment_hash_reused":"refuse","payment_expiry_ms":86400000,"lost_answers":"none","refund_beyond_balance":"refuse"},"magic_amounts":true}`
	s.expect("GET", "/settings", "", 200, defaults)
	s.expect("PATCH", "/settings", `{}`, 200, defaults)
	s.expect("PATCH", "/settings", `{"integra":{"notify":{}}}`, 200, defaults)
	const all = `{"integra":{"notify":{"timeout_ms":1,"retries":0,"first_retry_ms":2,"schedule_ms":[3,4],"delay_ms":5,` +
		`"duplicates":6,"duplicate_after_ms":7,"reorder_ms":8,"amount":"full"},"confirm_repeated":"refuse","confirm_other_amount":"credit",` +
		`"payment_hash_reused":"success","payment_expiry_ms":0,"lost_answers":"drop","refund_beyond_balance":"allow"},"magic_amounts":false}`
	s.expect("PATCH", "/settings", all, 200, all)
	s.expect("PATCH", "/settings", `{"integra":{"notify":{"schedule_ms":[],"retries":1}}}`, 200,
		strings.NewReplacer(`[3,4]`, `[]`, `"retries":0`, `"retries":1`).Replace(all))
	s.expect("POST", "/reset", ``, 204, ``)
	s.expect("GET", "/settings", "", 200, defaults)
}

func TestJournal(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.expect("GET", "/journal", "", 200, `{"exchanges":[]}`)
	at, real := time.UnixMilli(5000), time.UnixMilli(6000)
	s.journal.Record(&journal.Exchange{
		Protocol: "integra", Method: "createUser", Direction: journal.In, Partner: partner, User: alice, At: at, Real: real, Took: 1500 * time.Microsecond,
		Status: 200, Request: []byte("GET / HTTP/1.1\r\n\r\n"), Response: []byte(`{"cryptKey":"verysecretkey"}`), Args: []byte(`{"a":"é"}`),
		Verdict: journal.Verdict{OK: true}, Secrets: []string{"verysecretkey"},
	})
	s.journal.Record(&journal.Exchange{
		Protocol: "integra", Method: "notify", Direction: journal.Out, User: bob, Payment: "p", Attempt: 2, At: at, Real: real,
		Request: []byte("\xff\x00"), Verdict: journal.Verdict{Check: "acknowledged", Code: 3, Detail: "no"}, Cut: true,
	})
	first := `{"seq":1,"protocol":"integra","method":"createUser","direction":"in","partner":"` + partner + `","user":"` + alice + `",` +
		`"at_ms":5000,"real_ms":6000,"took_us":1500,"status":200,"request":"GET / HTTP/1.1\r\n\r\n","response":"{\"cryptKey\":\"v***\"}",` +
		`"args":"{\"a\":\"é\"}","verdict":{"ok":true,"code":0}}`
	second := `{"seq":2,"protocol":"integra","method":"notify","direction":"out","user":"` + bob + `","payment":"p","attempt":2,` +
		`"at_ms":5000,"real_ms":6000,"took_us":0,"status":0,"request":"\ufffd\u0000","response":"","request_base64":"/wA=",` +
		`"verdict":{"ok":false,"check":"acknowledged","code":3,"detail":"no"},"cut":true}`
	both := `{"exchanges":[` + first + `,` + second + `]}`
	s.expect("GET", "/journal", "", 200, both)
	s.expect("GET", "/journal?protocol=integra&since=0", "", 200, both)
	s.expect("GET", "/journal?method=notify", "", 200, `{"exchanges":[`+second+`]}`)
	s.expect("GET", "/journal?since=1", "", 200, `{"exchanges":[`+second+`]}`)
	s.expect("GET", "/journal?direction=in", "", 200, `{"exchanges":[`+first+`]}`)
	s.expect("GET", "/journal?user="+bob+"&payment=p", "", 200, `{"exchanges":[`+second+`]}`)
	s.expect("GET", "/journal?limit=1", "", 200, `{"exchanges":[`+second+`]}`)
	s.expect("GET", "/journal?protocol=anymoney", "", 200, `{"exchanges":[]}`)
	s.expect("DELETE", "/journal", "", 204, ``)
	s.expect("GET", "/journal", "", 200, `{"exchanges":[]}`)
}

// Bad input: a problem that names the field, and nothing changed.
func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		verb, path, body string
		status           int
		location         string // of the error; "" for a problem without
		text             string // part of the answer
	}{
		{"GET", "/nope", "", 404, "", "GET /nope is no call of this API"},
		{"DELETE", "/clock", "", 405, "", "DELETE /clock"},
		{"PUT", "/clock", `{"rate":0}`, 422, "body.rate", ""},
		{"PUT", "/clock", `{"rate":1001}`, 422, "body.rate", ""},
		{"PUT", "/clock", `{"rate":1.5}`, 422, "body.rate", ""},
		{"PUT", "/clock", `{"now_ms":-1}`, 422, "body.now_ms", ""},
		{"PUT", "/clock", `{"now_ms":9223372036854775807}`, 422, "body.now_ms", ""},
		{"PUT", "/clock", `{"now":"2026"}`, 422, "body.now", "unexpected property"},
		{"PUT", "/clock", `{"frozen":"yes"}`, 422, "body.frozen", ""},
		{"PUT", "/clock", `frozen`, 400, "", ""},
		{"PUT", "/clock", ``, 400, "", "required"},
		{"POST", "/clock/advance", `{}`, 422, "body", "ms"},
		{"POST", "/clock/advance", `{"ms":-1}`, 422, "body.ms", ""},
		{"POST", "/clock/advance", `{"ms":3153600000001}`, 422, "body.ms", ""},
		{"GET", "/journal?since=x", "", 422, "query.since", ""},
		{"GET", "/journal?since=-1", "", 422, "query.since", ""},
		{"GET", "/journal?protocol=robokasa", "", 422, "query.protocol", ""},
		{"GET", "/journal?direction=up", "", 422, "query.direction", ""},
		{"GET", "/journal?metod=x", "", 422, "query.metod", ""},
		{"PATCH", "/settings", `{"integra":{"lost_answers":"some"}}`, 422, "body.integra.lost_answers", ""},
		{"PATCH", "/settings", `{"integra":{"lost_answer":"drop"}}`, 422, "body.integra.lost_answer", "unexpected property"},
		{"PATCH", "/settings", `{"integra":{"notify":{"delay_ms":-5}}}`, 422, "body.integra.notify.delay_ms", ""},
		{"PATCH", "/settings", `{"integra":{"notify":{"timeout_ms":600001}}}`, 422, "body.integra.notify.timeout_ms", ""},
		{"PATCH", "/settings", `{"integra":{"notify":{"schedule_ms":[1,9223372036854775807]}}}`, 422, "body.integra.notify.schedule_ms[1]", ""},
		{"PATCH", "/settings", `{"integra":{"confirm_repeated":"refuse","notify":{"retries":101}}}`, 422, "body.integra.notify.retries", ""},
		{"PATCH", "/settings", `{"anymoney":{}}`, 422, "body.anymoney", ""},
		{"PATCH", "/settings", strings.Repeat(" ", 70_000) + `{}`, 413, "", ""},
		{"PUT", "/integra/partners/short", `{"key":"k","path":"p"}`, 422, "path.hash", ""},
		{"PUT", "/integra/partners/" + alice, `{"key":"","path":"p"}`, 422, "body.key", ""},
		{"PUT", "/integra/partners/" + alice, `{"key":"k","path":"/p"}`, 422, "body.path", "segments"},
		{"PUT", "/integra/partners/" + alice, `{"key":"k","path":"p","cipher":"rot13"}`, 422, "body.cipher", ""},
		{"GET", "/integra/users/nobody", "", 404, "", "nobody"},
		{"POST", "/integra/users/nobody/topups", `{"amount":"1"}`, 404, "", "nobody"},
		{"POST", "/integra/users/" + alice + "/topups", `{"amount":"0"}`, 422, "body.amount", "is zero"},
		{"POST", "/integra/users/" + alice + "/topups", `{"amount":"-1"}`, 422, "body.amount", "sign"},
		{"POST", "/integra/users/" + alice + "/topups", `{"amount":100}`, 422, "body.amount", "string"},
		{"POST", "/integra/users/" + alice + "/topups", `{"amount":"1` + strings.Repeat("0", 30) + `"}`, 422, "body.amount", ""},
		{"POST", "/integra/users/" + alice + "/topups", `{"amount":"1","via":"robokassa"}`, 422, "body.via", "not offered"},
		{"POST", "/integra/users/" + alice + "/topups", `{"amount":"1","via":"cash"}`, 422, "body.via", ""},
		{"POST", "/integra/users/" + alice + "/topups", `{}`, 422, "body", "amount"},
		{"POST", "/integra/users/" + bob + "/topups", `{"amount":"1"}`, 409, "", "never logged in"},
		{"GET", "/integra/payments/nothing", "", 404, "", "nothing"},
	}
	s := newStand(t)
	s.logIn(alice)
	if _, err := s.platform.Register(partner, wire.CreateUserArgs{Username: bob, Hash: bob}); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		var all strings.Builder
		for _, path := range []string{"/clock", "/settings", "/integra/users", "/integra/partners"} {
			_, answer := s.do("GET", path, "")
			all.WriteString(answer + "\n")
		}
		return all.String()
	}
	before := state()
	for _, tt := range tests {
		status, answer := s.do(tt.verb, tt.path, tt.body)
		var problem struct {
			Title, Detail string
			Status        int
			Errors        []struct{ Location, Message string }
		}
		err := json.Unmarshal([]byte(answer), &problem)
		if err != nil || status != tt.status || problem.Status != tt.status || problem.Title == "" || !strings.Contains(answer, tt.text) {
			t.Errorf("%s %s %.80s: %d %s; want %d with %q", tt.verb, tt.path, tt.body, status, answer, tt.status, tt.text)
			continue
		}
		if tt.location != "" && (len(problem.Errors) == 0 || problem.Errors[0].Location != tt.location) {
			t.Errorf("%s %s %.80s: errors %+v; want one of %s", tt.verb, tt.path, tt.body, problem.Errors, tt.location)
		}
	}
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
}

// Secrets stay inside: keys of partners and users, and what is fixed in a notification URL.
func TestNothingSecretIsShown(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.logIn(alice)
	s.do("POST", "/integra/users/"+alice+"/topups", `{"amount":"1"}`)
	s.do("POST", "/clock/advance", `{"ms":0}`)
	for _, path := range []string{"/journal", "/integra/users", "/integra/users/" + alice, "/integra/partners", "/openapi.json"} {
		_, answer := s.do("GET", path, "")
		for _, secret := range []string{"topsecret", "s3cr3t", "czNjcjN0" /* the same in base64 */, dice.New(1).Key()} {
			if strings.Contains(answer, secret) {
				t.Errorf("GET %s shows %s", path, secret)
			}
		}
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	status, answer := s.do("GET", "/openapi.json", "")
	var doc struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(answer), &doc); err != nil || status != 200 {
		t.Fatalf("%d %.200s: %v", status, answer, err)
	}
	var calls []string
	for path, verbs := range doc.Paths {
		for verb := range verbs {
			calls = append(calls, strings.ToUpper(verb)+" "+path)
		}
	}
	want := []string{
		"GET /healthz", "POST /reset", "GET /clock", "PUT /clock", "POST /clock/advance", "GET /journal", "DELETE /journal",
		"GET /settings", "PATCH /settings", "GET /integra/partners", "PUT /integra/partners/{hash}", "GET /integra/users",
		"GET /integra/users/{hash}", "PUT /integra/users/{hash}", "GET /scenario", "PUT /scenario", "POST /scenario/next", "DELETE /scenario", "POST /integra/users/{hash}/topups", "GET /integra/payments/{id}", "POST /integra/compose", "POST /integra/payments/{id}/refund",
		"GET /journal/expect", "GET /journal/{seq}", "GET /journal.har",
		"GET /snapshots", "POST /snapshots/{name}", "POST /snapshots/{name}/restore", "DELETE /snapshots/{name}",
		"GET /ns", "PUT /ns/{name}", "DELETE /ns/{name}", "GET /faults", "POST /faults", "DELETE /faults", "DELETE /faults/{id}",
		"GET /robokassa/shops", "PUT /robokassa/shops/{login}", "GET /robokassa/operations", "GET /robokassa/operations/{inv_id}",
		"POST /robokassa/operations/{inv_id}/pay", "POST /robokassa/operations/{inv_id}/refuse", "POST /robokassa/operations/{inv_id}/expire",
		"POST /robokassa/operations/{inv_id}/confirm", "POST /robokassa/operations/{inv_id}/cancel", "POST /robokassa/operations/{inv_id}/refund",
		"GET /anymoney/config", "PUT /anymoney/config", "PATCH /anymoney/config",
		"GET /anymoney/orders", "GET /anymoney/orders/{externalid}/history", "GET /anymoney/orders/{externalid}", "POST /anymoney/orders/{externalid}/status",
	}
	sorted := cmp.Transformer("sorted", func(in []string) map[string]bool {
		out := map[string]bool{}
		for _, s := range in {
			out[s] = true
		}
		return out
	})
	if diff := cmp.Diff(want, calls, sorted); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Version != "test" {
		t.Errorf("version %s of %s", doc.OpenAPI, doc.Info.Version)
	}
}

// A user is set up in one call, and changed by the same.
func TestPutUser(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	put := func(hash, fields string, status int, want string) {
		t.Helper()
		gotStatus, got := s.do("PUT", "/integra/users/"+hash, fields)
		if gotStatus != status || !strings.Contains(got, want) {
			t.Errorf("%s %s: %d %s, want %d with %s", hash, fields, gotStatus, got, status, want)
		}
	}
	put(alice, `{"login":"alice","key":"k","balance":"100.5","notify_url":"http://127.0.0.1:1/?id={id}","url":"example.com"}`, 200,
		`"login":"alice","partner":"`+partner+`","url":"example.com","balance":"100.50","archived":false,"can_topup":true,"unread":1`)
	put(alice, `{"login":"alice","key":"k","balance":"-3","archived":true}`, 200, `"balance":"-3.00","archived":true,"can_topup":false`)
	put(alice, `{"login":"alice","key":"k","balance":"1"}`, 200, `"balance":"1.00","archived":false,"can_topup":true`)
	if day, _ := s.platform.User(alice, 10); day.PaymentCount != 0 {
		t.Errorf("payments %+v", day.Payments)
	}
	for fields, location := range map[string]string{
		`{"login":"alice","key":"other"}`:                          `"location":"body.hash"`,
		`{"login":"carol","key":"k"}`:                              `"location":"body.hash"`,
		`{"login":"alice","key":"k","balance":"1.001"}`:            `"location":"body.balance"`,
		`{"login":"alice","key":"k","balance":"1000000000000.01"}`: `"location":"body.balance"`,
		`{"login":"alice","key":"k","notify_url":"here"}`:          `"location":"body.notify_url"`,
		`{"login":"alice","key":"k","phone":"12"}`:                 `"location":"body.phone"`,
		`{"login":"alice","key":"k","email":"x"}`:                  `"location":"body.email"`,
		`{"login":"alice","key":"k","url":"https://x"}`:            `"location":"body.url"`,
		`{"login":" ","key":"k"}`:                                  `"location":"body.login"`,
		`{"login":"alice","key":""}`:                               `"location":"body.key"`,
		`{"login":"alice","key":"k","partner":"x"}`:                `"location":"body.partner"`,
		`{"login":"alice","key":"k","nothing":1}`:                  `"location":"body.nothing"`,
	} {
		put(alice, fields, 422, location)
	}
	put(bob, `{"login":"alice","key":"k"}`, 422, `"location":"body.login"`)
	put("short", `{"login":"bob","key":"k"}`, 422, `"location":"path.hash"`)
	s.expect("PUT", "/integra/partners/ffffffffffffffffffffffffffffffff", `{"key":"k","path":"p"}`, 200, `{"hash":"ffffffffffffffffffffffffffffffff","path":"p","cipher":"simple"}`)
	put(bob, `{"login":"bob","key":"k"}`, 422, `"message":"is needed, as there are 2"`)
	if users := s.platform.Users(); len(users) != 1 {
		t.Errorf("what was refused made users: %+v", users)
	}
}
