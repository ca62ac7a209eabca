package console_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/console"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/internal/page"
)

const (
	writer   = "token-of-anna"
	reader   = "token-of-boris"
	stranger = "token-without-scopes"
)

// world is a console over a real store.
type world struct {
	store  *store.Store
	clock  *adaptertest.Clock
	user   string
	url    string
	broken error // what Waiting answers, if set
}

var policy = adapter.Policy{Lease: 10 * time.Second, DeclineFor: 24 * time.Hour, Retry: func(int) time.Duration { return time.Minute }}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{clock: adaptertest.NewClock()}
	w.store = adaptertest.Open(t, adaptertest.SQLite(t), func(c *store.Config) { c.Now = w.clock.Now })
	w.user = adaptertest.AddUser(t, w.store, 1, 1000_00)
	service := adapter.NewService(w.store, idle{}, policy, w.clock.Now)
	grants := map[string]console.Grant{
		writer:   {Name: "Anna", Scopes: map[string]bool{console.ScopeRead: true, console.ScopeWrite: true}},
		reader:   {Name: "Boris", Scopes: map[string]bool{console.ScopeRead: true}},
		stranger: {Name: "Carl"},
	}
	h := console.New(console.Config{
		Store: w.store,
		Verify: func(_ context.Context, token string) (console.Grant, error) {
			g, ok := grants[token]
			if !ok {
				return g, errors.New("unknown token")
			}
			g.Expires = w.clock.Now().Add(time.Hour)
			return g, nil
		},
		Waiting: func(ctx context.Context) (console.Waiting, error) {
			s, err := w.store.Stats(ctx)
			return console.Waiting{Unfinished: s.Unfinished, Oldest: s.Oldest}, errors.Join(err, w.broken)
		},
		Resolve: service.Resolve, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	mux := http.NewServeMux()
	mux.Handle("/console/", h)
	mux.Handle("/console", h)
	mux.Handle(page.AssetPrefix, page.Assets())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	w.url = s.URL
	return w
}

// idle is a pool that works on nothing.
type idle struct{}

func (idle) Admit(context.Context) bool { return false }
func (idle) Submit(adapter.Payment)     {}
func (idle) Return()                    {}
func (idle) Kick()                      {}

// payment stores a top-up and leads it to a state.
func (w *world) payment(t testing.TB, kopecks int64, to adapter.State) adapter.Payment {
	t.Helper()
	p, _, err := w.store.Accept(t.Context(), adaptertest.TopUp(t, w.user, kopecks, w.clock.Now()))
	apply := func(s adapter.Step, wrong error) {
		t.Helper()
		if err = errors.Join(err, wrong); err == nil {
			p, err = w.store.Apply(t.Context(), s)
		}
	}
	outcome := func(v adapter.Verdict, code int) adapter.Outcome {
		return adapter.Outcome{Verdict: v, Code: code, Detail: "as the platform said", Took: 20 * time.Millisecond}
	}
	if to != adapter.Received {
		apply(p.Decide(policy, w.clock.Now()))
		w.clock.Advance(40 * time.Millisecond)
	}
	if to == adapter.Confirmed {
		apply(p.Answered(outcome(adapter.Accepted, 0), policy, w.clock.Now()))
	}
	if to == adapter.InDoubt {
		apply(p.Answered(outcome(adapter.Unknown, 0), policy, w.clock.Now()))
		apply(p.Answered(outcome(adapter.Refused, 8), policy, w.clock.Now()))
	}
	if to == adapter.CaptureRefused || to == adapter.ReleaseRefused { // the billing's word
		billed := policy
		billed.Billing = true
		said := adapter.Refused
		if to == adapter.CaptureRefused {
			said = adapter.Accepted
		}
		apply(p.Answered(outcome(said, 0), billed, w.clock.Now()))
		apply(p.Moved(outcome(adapter.Refused, 409), billed, w.clock.Now()))
	}
	if err != nil || p.State != to {
		t.Fatalf("payment is %s, %v; want %s", p.State, err, to)
	}
	return p
}

// visit is a browser that is logged in with a token.
type visit struct {
	t    testing.TB
	http *http.Client
	w    *world
}

func (w *world) visit(t testing.TB, token string) *visit {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visit{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, w}
	if token != "" {
		if status, _, to := v.post("/console/login", url.Values{"token": {token}}); status != http.StatusSeeOther || to != console.Base {
			t.Fatalf("login: %d to %q", status, to)
		}
	}
	return v
}

func (v *visit) do(r *http.Request) (status int, body, location string) {
	v.t.Helper()
	res, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(raw), res.Header.Get("Location")
}

func (v *visit) get(path string) (status int, body, location string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, v.w.url+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(r)
}

func (v *visit) post(path string, form url.Values) (status int, body, location string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, v.w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

func TestNobodyGetsInWithoutToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.payment(t, 100_00, adapter.InDoubt)
	nobody := w.visit(t, "")
	for _, path := range []string{"/console/", "/console/payments/1", "/console/accounts", "/console/accounts/" + w.user, "/console/plots", "/console/nothing"} {
		if status, body, to := nobody.get(path); status != http.StatusSeeOther || !strings.HasPrefix(to, "/console/login?next=") || body != "" {
			t.Errorf("GET %s: %d to %q\n%s", path, status, to, body)
		}
	}
	settle := "/console/payments/" + strconv.FormatInt(p.Num, 10)
	form := url.Values{"decision": {"confirm"}, "reason": {"I say so"}, "version": {strconv.Itoa(p.Version)}}
	if status, _, to := nobody.post(settle, form); status != http.StatusSeeOther || to != "/console/login" {
		t.Errorf("settled by nobody: %d to %q", status, to)
	}
	for token, want := range map[string]string{"": "Paste a token", "nonsense": "not valid", stranger: "may not read"} {
		if status, body, _ := nobody.post("/console/login", url.Values{"token": {token}}); status != http.StatusForbidden || !strings.Contains(body, want) {
			t.Errorf("login with %q: %d, want 403 and %q", token, status, want)
		}
	}
	if status, _, _ := w.visit(t, reader).post(settle, form); status != http.StatusForbidden {
		t.Errorf("settled by a reader: %d", status)
	}
	if now, err := w.store.PaymentByNum(t.Context(), p.Num); err != nil || now.State != adapter.InDoubt {
		t.Errorf("payment is %s, %v", now.State, err)
	}
}

// A move that the billing refuses is shown with the one decision that there is.
func TestMoveRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visit(t, writer)
	for to, decision := range map[adapter.State]string{adapter.CaptureRefused: "confirm", adapter.ReleaseRefused: "decline"} {
		p := w.payment(t, 100_00, to)
		path := "/console/payments/" + strconv.FormatInt(p.Num, 10)
		status, body, _ := v.get(path)
		if status != http.StatusOK || !strings.Contains(body, `value="`+decision+`"`) || strings.Count(body, `name="decision"`) != 1 || !strings.Contains(body, "409") {
			t.Errorf("%s: %d\n%s", to, status, body)
		}
		if status, _, _ := v.get("/console/?state=" + string(to)); status != http.StatusOK {
			t.Errorf("list of %s: %d", to, status)
		}
		against := map[string]string{"confirm": "decline", "decline": "confirm"}[decision]
		form := url.Values{"decision": {against}, "reason": {"booked by hand"}, "version": {strconv.Itoa(p.Version)}}
		if status, body, _ := v.post(path, form); status != http.StatusUnprocessableEntity || !strings.Contains(body, "outcome") {
			t.Errorf("%s, %s: %d\n%s", to, against, status, body)
		}
		if _, body, _ := v.get("/console/"); !strings.Contains(body, "refuses to capture or release 1 payment") {
			t.Errorf("the list does not tell of %s\n%s", to, body)
		}
		form.Set("decision", decision)
		if status, body, _ := v.post(path, form); status != http.StatusSeeOther {
			t.Errorf("%s, %s: %d\n%s", to, decision, status, body)
		}
		if now, err := w.store.PaymentByNum(t.Context(), p.Num); err != nil || now.State.NeedsPerson() {
			t.Errorf("%s: it is %s, %v", to, now.State, err)
		}
	}
}

// Nobody is led away by a link to the login page.
func TestLoginStaysWithin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for next, want := range map[string]string{
		"":                            "/console/",
		"/console/payments/7?lang=ru": "/console/payments/7?lang=ru",
		"https://evil.example/":       "/console/",
		"//evil.example/console/":     "/console/",
		"/console/../v1/users":        "/console/",
		"/v1/users":                   "/console/",
		"javascript:alert(1)":         "/console/",
		"\\\\evil.example/console/":   "/console/",
	} {
		if _, _, to := w.visit(t, "").post("/console/login", url.Values{"token": {reader}, "next": {next}}); to != want {
			t.Errorf("after login with next=%q: %q, want %q", next, to, want)
		}
	}
}

// A form of a foreign page is refused, whatever cookies come with it.
func TestForeignFormsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.payment(t, 100_00, adapter.InDoubt)
	v := w.visit(t, writer)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/console/payments/"+strconv.FormatInt(p.Num, 10),
		strings.NewReader(url.Values{"decision": {"confirm"}, "reason": {"x"}, "version": {strconv.Itoa(p.Version)}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	if status, _, _ := v.do(r); status != http.StatusForbidden {
		t.Errorf("a foreign form: %d, want 403", status)
	}
	if now, err := w.store.PaymentByNum(t.Context(), p.Num); err != nil || now.State != adapter.InDoubt {
		t.Errorf("payment is %s, %v", now.State, err)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	for decision, want := range map[string]struct {
		state     adapter.State
		available int64
	}{"confirm": {adapter.Confirmed, 900_00}, "decline": {adapter.Declined, 1000_00}} {
		t.Run(decision, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.payment(t, 100_00, adapter.InDoubt)
			v := w.visit(t, writer)
			address := "/console/payments/" + strconv.FormatInt(p.Num, 10)
			good := url.Values{"decision": {decision}, "reason": {"ticket 1207"}, "version": {strconv.Itoa(p.Version)}}
			for field, value := range map[string]string{
				"decision": "perhaps", "reason": "  ", "version": strconv.Itoa(p.Version - 1),
			} {
				bad := url.Values{"decision": good["decision"], "reason": good["reason"], "version": good["version"]}
				bad.Set(field, value)
				if status, body, _ := v.post(address, bad); status != http.StatusUnprocessableEntity || !strings.Contains(body, "field-error") {
					t.Errorf("%s %q: %d, want 422 and why", field, value, status)
				}
			}
			if status, _, to := v.post(address, good); status != http.StatusSeeOther || to != address {
				t.Fatalf("settle: %d to %q", status, to)
			}
			now, err := w.store.PaymentByNum(t.Context(), p.Num)
			if err != nil || now.State != want.state {
				t.Errorf("payment is %s, %v; want %s", now.State, err, want.state)
			}
			if b, err := w.store.Balance(t.Context(), w.user); err != nil || b.Available != adaptertest.RUB(want.available) || b.Reserved.Sign() != 0 {
				t.Errorf("balance %+v, %v", b, err)
			}
			if status, body, _ := v.post(address, good); status != http.StatusUnprocessableEntity || !strings.Contains(body, "has changed since") {
				t.Errorf("settled again: %d, want 422", status)
			}
			actions, err := w.store.Actions(t.Context(), adapter.ActionFilter{Via: adapter.ViaConsole})
			if err != nil || len(actions) == 0 {
				t.Fatalf("audit log: %v, %v", actions, err)
			}
			done := 0
			for _, a := range actions {
				if a.Who == "Anna" && a.Result == adapter.ActionDone && a.On == "payment/"+p.Key.ID && strings.Contains(a.Detail, "ticket 1207") {
					done++
				}
			}
			if done != 1 {
				t.Errorf("%d lines about it in the audit log, want 1: %+v", done, actions)
			}
			if _, body, _ := v.get(address); !strings.Contains(body, "ticket 1207") || !strings.Contains(body, "Anna") || strings.Contains(body, `name="decision"`) {
				t.Errorf("the page of a settled payment:\n%s", body)
			}
		})
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	confirmed, doubt := w.payment(t, 100_00, adapter.Confirmed), w.payment(t, 50_00, adapter.InDoubt)
	w.clock.Advance(48 * time.Hour)
	fresh := w.payment(t, 25_00, adapter.Received)
	v := w.visit(t, reader)
	today := w.clock.Now().Format("2006-01-02")
	all := []adapter.Payment{confirmed, doubt, fresh}
	for query, want := range map[string][]adapter.Payment{
		"":                          all,
		"state=in_doubt":            {doubt},
		"state=unfinished":          {fresh},
		"state=confirmed":           {confirmed},
		"kind=refund":               nil,
		"user=" + w.user:            all,
		"user=nobody":               nil,
		"from=" + today:             {fresh},
		"to=" + today:               all,
		"to=2020-01-01":             nil,
		"before=" + num(doubt):      {confirmed},
		"state=in_doubt&kind=topup": {doubt},
	} {
		_, body, _ := v.get("/console/?" + query)
		for _, p := range all {
			shown, wanted := strings.Contains(body, `id="p`+num(p)+`"`), false
			for _, q := range want {
				wanted = wanted || q.Num == p.Num
			}
			if shown != wanted {
				t.Errorf("%q: payment %d is shown: %v, want %v", query, p.Num, shown, wanted)
			}
		}
	}
	for _, query := range []string{"state=odd", "kind=odd", "from=yesterday", "to=31.12.2026"} {
		if status, body, _ := v.get("/console/?" + query); status != http.StatusBadRequest || !strings.Contains(body, "cannot be read") {
			t.Errorf("%q: %d, want 400", query, status)
		}
	}
	for q, want := range map[string]string{num(doubt): "/console/payments/" + num(doubt), doubt.Key.ID: "/console/payments/" + num(doubt)} {
		if _, _, to := v.get("/console/?q=" + q); to != want {
			t.Errorf("search for %s leads to %q, want %q", q, to, want)
		}
	}
	for _, path := range []string{"/console/?q=nothing", "/console/payments/999", "/console/accounts/" + adaptertest.Hash(9), "/console/odd", "/console/payments/999999999999999999"} {
		if status, body, _ := v.get(path); status != http.StatusNotFound || !strings.Contains(body, "There is nothing here") {
			t.Errorf("GET %s: %d, want 404 and a page", path, status)
		}
	}
}

func num(p adapter.Payment) string { return strconv.FormatInt(p.Num, 10) }

// Whatever a stranger sent us is text on the page, and the policy lets nothing else run.
func TestStrangersTextIsEscaped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.payment(t, 100_00, adapter.InDoubt)
	if err := w.store.Remark(t.Context(), adapter.Event{Payment: p.Num, At: w.clock.Now(), Kind: adapter.EventConflict, Detail: `<script>alert(1)</script>`}); err != nil {
		t.Fatal(err)
	}
	v := w.visit(t, writer)
	if _, body, _ := v.get("/console/payments/" + num(p)); strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;alert(1)") {
		t.Errorf("a stranger's text:\n%s", body)
	}
	if _, body, _ := v.get("/console/?user=" + url.QueryEscape(`"><script>alert(1)</script>`)); strings.Contains(body, "<script>alert") {
		t.Errorf("a reader's text:\n%s", body)
	}
	res, err := v.http.Get(w.url + "/console/")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}

// A database that does not answer is said on the page, and no more than that.
func TestBrokenDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visit(t, reader)
	w.broken = errors.New("disk is on fire")
	if status, body, _ := v.get("/console/"); status != http.StatusServiceUnavailable || !strings.Contains(body, "cannot be shown now") || strings.Contains(body, "fire") {
		t.Errorf("%d:\n%s", status, body)
	}
}

func TestPlots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.payment(t, 100_00, adapter.Confirmed)
	w.payment(t, 50_50, adapter.Confirmed)
	w.payment(t, 50_00, adapter.InDoubt)
	v := w.visit(t, reader)
	for _, window := range []string{"", "1h", "24h", "7d", "odd"} {
		_, body, _ := v.get("/console/plots?window=" + window)
		for _, want := range []string{"confirmed: ₽150.50", "in doubt: 1", "confirmed: 2", "p99: 40 ms"} {
			if !strings.Contains(body, want) {
				t.Errorf("window %q: %q is missing", window, want)
			}
		}
	}
}
