package console_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/console"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
)

const (
	writer   = "token-of-anna"  // who may do everything
	reader   = "token-of-boris" // who may only look
	clerk    = "token-of-dora"  // who may have a day compared, too
	stranger = "token-without-scopes"
)

// world is a console over a real store.
type world struct {
	store  *store.Store
	clock  *adaptertest.Clock
	user   string
	url    string
	broken error // what Waiting answers, if set
	books  books
}

var policy = adapter.Policy{Lease: 10 * time.Second, DeclineFor: 24 * time.Hour, Retry: func(int) time.Duration { return time.Minute }}

// books is a Reconciler that compares nothing.
type books struct {
	mu       sync.Mutex
	asked    []string
	progress adapter.ReconcileProgress
}

// lastDate is the newest day that can be compared.
var lastDate = time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)

func (b *books) LastDate() time.Time { return lastDate }

func (b *books) Ask(date time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.progress.Running {
		return false
	}
	b.asked = append(b.asked, date.Format(time.DateOnly))
	b.progress = adapter.ReconcileProgress{Date: date, Running: true, Done: 1, Users: 3}
	return true
}

func (b *books) Progress() adapter.ReconcileProgress {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.progress
}

// end lets what was asked for end.
func (b *books) end(failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.Running, b.progress.Failed = false, failed
}

// newWorld changes the config last.
func newWorld(t testing.TB, change ...func(*console.Config)) *world {
	t.Helper()
	w := &world{clock: adaptertest.NewClock()}
	w.store = adaptertest.Open(t, adaptertest.SQLite(t), func(c *store.Config) { c.Now = w.clock.Now })
	w.user = adaptertest.AddUser(t, w.store, 1, 1000_00)
	service := adapter.NewService(w.store, idle{}, policy, w.clock.Now)
	grants := map[string]console.Grant{
		writer:   {Name: "Anna", Scopes: map[string]bool{console.ScopeAdmin: true}},
		clerk:    {Name: "Dora", Scopes: map[string]bool{console.ScopeRead: true, console.ScopeWrite: true}},
		reader:   {Name: "Boris", Scopes: map[string]bool{console.ScopeRead: true}},
		stranger: {Name: "Carl"},
	}
	cfg := console.Config{
		Store: w.store, Balances: w.store, Reconciler: &w.books,
		Export: func(out io.Writer, form string, days []adapter.Reconciliation) error {
			_, err := fmt.Fprintf(out, "%d days as %s", len(days), form)
			return err
		},
		ExportStatement: func(out io.Writer, transfers iter.Seq2[ledger.Transfer, error]) error {
			for t, err := range transfers {
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(out, "%s %s\n", t.Move, t.Note); err != nil {
					return err
				}
			}
			return nil
		},
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
			return console.Waiting{Unfinished: s.Unfinished, Oldest: s.Oldest, MovesRefused: s.MovesRefused()}, errors.Join(err, w.broken)
		},
		Resolve: service.Resolve, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&cfg)
	}
	h := console.New(cfg)
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
	for _, path := range []string{"/console/", "/console/payments/1", "/console/accounts", "/console/accounts/" + w.user, "/console/plots", "/console/reconciliation", "/console/reconciliation/2026-11-03", "/console/reconciliation/2026-11-03.csv", "/console/audit", "/console/nothing"} {
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
	for _, token := range []string{reader, clerk} {
		if status, _, _ := w.visit(t, token).post(settle, form); status != http.StatusForbidden {
			t.Errorf("settled with %s: %d", token, status)
		}
	}
	if now, err := w.store.PaymentByNum(t.Context(), p.Num); err != nil || now.State != adapter.InDoubt {
		t.Errorf("payment is %s, %v", now.State, err)
	}
	if status, _, _ := w.visit(t, writer).post("/console/payments/4711", form); status != http.StatusNotFound {
		t.Errorf("settled a payment that does not exist: %d", status)
	}
	var attempts []string
	actions, err := w.store.Actions(t.Context(), adapter.ActionFilter{What: "resolve-payment"})
	for _, a := range actions {
		attempts = append(attempts, fmt.Sprintf("%s %s on %s: %s", a.Who, a.Result, a.On, a.Detail))
	}
	own := "payment/" + strconv.FormatInt(p.Num, 10)
	want := []string{
		"Anna refused on payment/4711: payment 4711: not found",
		"Dora refused on " + own + ": invalid: the token lacks the scope admin",
		"Boris refused on " + own + ": invalid: the token lacks the scope admin",
	}
	if diff := cmp.Diff(want, attempts); diff != "" || err != nil {
		t.Errorf("audit log: %v (-want +got):\n%s", err, diff)
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
		if _, body, _ := v.get("/console/"); !strings.Contains(body, "refuses to reserve, capture or release 1 payment") {
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

// What the billing makes no reservation for can be declined, and nothing else.
func TestWithoutReservation(t *testing.T) {
	t.Parallel()
	billed := policy
	billed.Billing = true
	w := newWorld(t, func(c *console.Config) {
		c.Billing = true
		c.Resolve = adapter.NewService(c.Store.(*store.Store), idle{}, billed, c.Now).Resolve
	})
	p := w.payment(t, 100_00, adapter.Received)
	refused, err := p.Moved(adapter.Outcome{Verdict: adapter.Refused, Code: 409, Detail: "conflict"}, billed, w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if p, err = w.store.Apply(t.Context(), refused); err != nil {
		t.Fatal(err)
	}
	path := "/console/payments/" + strconv.FormatInt(p.Num, 10)
	v := w.visit(t, writer)
	if status, body, _ := v.get(path); status != http.StatusOK || !strings.Contains(body, `value="decline"`) || strings.Count(body, `name="decision"`) != 1 || !strings.Contains(body, "makes no reservation") {
		t.Errorf("%d\n%s", status, body)
	}
	form := url.Values{"decision": {"confirm"}, "reason": {"ticket 7"}, "version": {strconv.Itoa(p.Version)}}
	if status, body, _ := v.post(path, form); status != http.StatusUnprocessableEntity || !strings.Contains(body, "only be declined") {
		t.Errorf("confirmed: %d\n%s", status, body)
	}
	form.Set("decision", "decline")
	if status, body, _ := v.post(path, form); status != http.StatusSeeOther {
		t.Errorf("declined: %d\n%s", status, body)
	}
	if now, err := w.store.PaymentByNum(t.Context(), p.Num); err != nil || now.State != adapter.Releasing || now.Reason != "declined by Anna: ticket 7" {
		t.Errorf("it is %s for %q, %v", now.State, now.Reason, err)
	}
}

// Both that wait for a person are told of.
func TestNewsOfBoth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.payment(t, 100_00, adapter.InDoubt)
	w.payment(t, 100_00, adapter.CaptureRefused)
	w.visit(t, reader).shows("/console/", http.StatusOK, []string{"1 payment is in doubt", "refuses to reserve, capture or release 1 payment"}, []string{"Everything is settled"})
}

// A statement can be had as a file: all of it, however many pages, or the days that are chosen.
func TestStatementFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := w.clock.Now()
	want := "deposit \n"
	for i := range 101 {
		if i == 100 {
			w.clock.Advance(48 * time.Hour)
		}
		note := "number " + strconv.Itoa(i)
		if _, err := w.store.Deposit(t.Context(), w.user, adaptertest.RUB(1_00), note, note); err != nil {
			t.Fatal(err)
		}
		want = "deposit " + note + "\n" + want
	}
	v := w.visit(t, reader)
	page := "/console/accounts/" + w.user
	v.shows(page, http.StatusOK, []string{`href="` + page + `.csv"`}, nil)
	if status, body, _ := v.get(page + ".csv"); status != http.StatusOK || body != want {
		t.Errorf("%d, %q\nwant %q", status, body, want)
	}
	today := w.clock.Now().Format(time.DateOnly)
	v.shows(page+"?from="+today, http.StatusOK, []string{page + ".csv?from=" + today}, nil)
	if status, body, _ := v.get(page + ".csv?from=" + today); status != http.StatusOK || body != "deposit number 100\n" {
		t.Errorf("from %s: %d, %q", today, status, body)
	}
	until := began.Format(time.DateOnly)
	if _, body, _ := v.get(page + ".csv?to=" + until); strings.Contains(body, "number 100") || !strings.Contains(body, "number 99") {
		t.Errorf("to %s: %q", until, body)
	}
	v.shows(page+".csv?from=odd", http.StatusBadRequest, []string{"cannot be read"}, nil)
	v.shows("/console/accounts/"+adaptertest.Hash(77)+".csv", http.StatusNotFound, nil, []string{"deposit"})
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
	for _, path := range []string{"/console/?q=nothing", "/console/payments/999", "/console/odd", "/console/payments/999999999999999999"} {
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

// compared stores what came of a day: one user each that agrees, differs and could not be read.
func (w *world) compared(t testing.TB, date time.Time) {
	t.Helper()
	behind := []int64{w.payment(t, 100_00, adapter.Confirmed).Num, w.payment(t, 70_00, adapter.Confirmed).Num}
	rub := func(kopecks int64) money.Amount { return adaptertest.RUB(kopecks) }
	users := []string{w.user, adaptertest.AddUser(t, w.store, 2, 0), adaptertest.Hash(3)}
	for i, r := range []adapter.Reconciliation{
		{Result: adapter.ReconcileDiffers, Credits: rub(170_00), Income: rub(100_00), Difference: rub(-70_00), Text: "the platform has 70.00 less than was paid to it", Payments: behind},
		{Result: adapter.ReconcileAgrees, Credits: rub(50_00), Income: rub(50_00)},
		{Result: adapter.ReconcileUnread, Text: "the platform was out of order"},
	} {
		r.Date, r.User, r.At = date, users[i], w.clock.Now()
		if err := w.store.SaveReconciliation(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.store.SaveReconcileRun(t.Context(), adapter.ReconcileRun{Date: date, At: w.clock.Now(), Users: 3, Agree: 1, Differ: 1, Unread: 1}); err != nil {
		t.Fatal(err)
	}
}

// shows checks a page for what it must and must not say.
func (v *visit) shows(path string, status int, say, not []string) {
	v.t.Helper()
	got, body, _ := v.get(path)
	if got != status {
		v.t.Errorf("GET %s: %d, want %d", path, got, status)
	}
	for _, text := range say {
		if !strings.Contains(body, text) {
			v.t.Errorf("GET %s: %q is missing:\n%s", path, text, body)
		}
	}
	for _, text := range not {
		if strings.Contains(body, text) {
			v.t.Errorf("GET %s: %q is there:\n%s", path, text, body)
		}
	}
}

func TestReconciliation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visit(t, reader)
	const day = "/console/reconciliation/2026-11-02"
	ask := `action="/console/reconciliation"`
	v.shows("/console/reconciliation", http.StatusOK, []string{"No day has been compared yet"}, []string{ask})
	v.shows(day, http.StatusNotFound, []string{"There is nothing here"}, nil)
	w.compared(t, time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC))
	second := adaptertest.Hash(2)

	v.shows("/console/reconciliation", http.StatusOK, []string{`href="` + day + `"`, "differs"}, nil)
	v.shows("/console/reconciliation?to=2026-11-01", http.StatusOK, []string{"No day has been compared yet", "Newest"}, nil)
	v.shows(day, http.StatusOK, []string{"1 of 3 users differs", day + "/" + w.user, "70.00 less", day + ".csv?result=differs"}, []string{second})
	v.shows(day+"?result=all", http.StatusOK, []string{w.user, second, adaptertest.Hash(3), day + ".json?result=all"}, nil)
	v.shows(day+"?result=agrees", http.StatusOK, []string{second}, []string{day + "/" + w.user})
	v.shows(day+"?result=odd", http.StatusOK, []string{"Nobody here"}, nil)
	v.shows(day+"?result=all&after="+second, http.StatusOK, []string{adaptertest.Hash(3)}, []string{day + "/" + w.user})
	v.shows(day+"/"+w.user, http.StatusOK, []string{"70.00 less", `href="/console/payments/1"`, `href="/console/payments/2"`, "70.00 RUB"}, nil)
	v.shows(day+"/"+second, http.StatusOK, []string{"No payment"}, nil)
	for _, path := range []string{day + "/" + adaptertest.Hash(9), "/console/reconciliation/2026-02-30", "/console/reconciliation/2026-02-30.csv", "/console/reconciliation/yesterday"} {
		v.shows(path, http.StatusNotFound, []string{"There is nothing here"}, nil)
	}
	for path, want := range map[string]string{
		".csv": "3 days as csv", ".csv?result=all": "3 days as csv", ".json?result=differs": "1 days as json", ".csv?result=odd": "0 days as csv",
	} {
		if status, body, _ := v.get(day + path); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q, want %q", path, status, body, want)
		}
	}
}

func TestAskForReconciliation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/console/reconciliation"
	form := func(date string) url.Values { return url.Values{"date": {date}} }
	if status, body, _ := w.visit(t, reader).post(path, form("2026-11-03")); status != http.StatusForbidden || !strings.Contains(body, "payments:write") {
		t.Errorf("asked by a reader: %d", status)
	}
	v := w.visit(t, clerk)
	v.shows(path, http.StatusOK, []string{`action="/console/reconciliation"`, `value="2026-11-03"`}, []string{"hx-sse"})
	for date, want := range map[string]string{"": "no date", "soon": "no date", "2026-11-04": "not over yet"} {
		if status, body, _ := v.post(path, form(date)); status != http.StatusUnprocessableEntity || !strings.Contains(body, want) {
			t.Errorf("asked for %q: %d, want 422 and %q", date, status, want)
		}
	}
	if status, _, to := v.post(path, form("2026-11-03")); status != http.StatusSeeOther || to != path {
		t.Errorf("asked: %d to %q", status, to)
	}
	v.shows(path, http.StatusOK, []string{"3\u00a0November\u00a02026 is being compared", "1 of 3 users", "hx-sse"}, nil)
	if status, body, _ := v.post(path, form("2026-11-01")); status != http.StatusUnprocessableEntity || !strings.Contains(body, "compared already") {
		t.Errorf("asked again: %d", status)
	}
	w.books.end(false)
	v.shows(path, http.StatusOK, []string{"3\u00a0November\u00a02026 has been compared", path + "/2026-11-03"}, []string{"hx-sse"})
	w.books.end(true)
	v.shows(path, http.StatusOK, []string{"ended early"}, nil)
	if got := strings.Join(w.books.asked, " "); got != "2026-11-03" {
		t.Errorf("asked for %q", got)
	}
	var attempts []string
	actions, err := w.store.Actions(t.Context(), adapter.ActionFilter{What: "reconcile"})
	for _, a := range actions {
		attempts = append(attempts, fmt.Sprintf("%s %s %s", a.Who, a.On, a.Result))
	}
	if diff := cmp.Diff([]string{"Dora date/2026-11-01 refused", "Dora date/2026-11-03 done", "Boris  refused"}, attempts); diff != "" || err != nil {
		t.Errorf("audit log: %v (-want +got):\n%s", err, diff)
	}

	idle := newWorld(t, func(c *console.Config) { c.Reconciler = nil })
	v = idle.visit(t, writer)
	v.shows(path, http.StatusOK, []string{"This process compares nothing"}, []string{`action="/console/reconciliation"`})
	if status, _, _ := v.post(path, form("2026-11-03")); status != http.StatusUnprocessableEntity {
		t.Errorf("asked where nothing is compared: %d", status)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	act := func(who, via, what, on string, err error) {
		t.Helper()
		a := adapter.Action{Who: who, Via: via, What: what, On: on, Detail: "for " + who}
		if got := w.store.Act(t.Context(), a, func(context.Context) error { return err }); !errors.Is(got, err) {
			t.Fatal(got)
		}
	}
	p := w.payment(t, 1_00, adapter.Confirmed)
	act("vera", adapter.ViaCLI, "ledger deposit", "user/"+w.user, nil)
	act("panel", adapter.ViaAPI, "deposit", "accounts/"+w.user+"/deposits", adapter.ErrInvalid)
	w.clock.Advance(48 * time.Hour)
	act("Anna", adapter.ViaConsole, "resolve-payment", "payment/"+p.Key.ID, errors.New("<b>disk</b>"))

	for _, token := range []string{reader, clerk} {
		v := w.visit(t, token)
		v.shows("/console/audit", http.StatusForbidden, []string{"needs the scope admin"}, []string{"for vera"})
		v.shows("/console/", http.StatusOK, nil, []string{`"/console/audit"`})
	}
	v := w.visit(t, writer)
	v.shows("/console/audit", http.StatusOK, []string{
		"for vera", "for panel", "for Anna: &lt;b&gt;disk", "Done", "Refused", "Failed", `href="/console/accounts/` + w.user + `"`, `href="/console/?q=` + p.Key.ID + `"`,
	}, []string{"<b>disk"})
	today := w.clock.Now().Format(time.DateOnly)
	for query, want := range map[string]string{
		"who=vera": "vera", "via=api": "panel", "what=resolve-payment": "Anna", "on=user/" + w.user: "vera", "from=" + today: "Anna", "before=2": "vera", "who=nobody": "",
	} {
		_, body, _ := v.get("/console/audit?" + query)
		for _, who := range []string{"vera", "panel", "Anna"} {
			if shown := strings.Contains(body, "for "+who); shown != (who == want) {
				t.Errorf("%s: %s is shown: %v", query, who, shown)
			}
		}
	}
	for _, query := range []string{"via=fax", "from=yesterday", "to=31.12.2026"} {
		v.shows("/console/audit?"+query, http.StatusBadRequest, []string{"cannot be read"}, []string{"for vera"})
	}
}

func TestStatementOfSomeDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.clock.Now()
	for i, note := range []string{"one", "two", "three"} {
		if _, err := w.store.Deposit(t.Context(), w.user, adaptertest.RUB(1_00), "note "+note, strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(24 * time.Hour)
	}
	v := w.visit(t, reader)
	at := func(days int) string { return first.AddDate(0, 0, days).Format(time.DateOnly) }
	path := "/console/accounts/" + w.user
	v.shows(path, http.StatusOK, []string{"note one", "note two", "note three"}, nil)
	v.shows(path+"?from="+at(1)+"&to="+at(1), http.StatusOK, []string{"note two", `value="` + at(1) + `"`}, []string{"note one", "note three"})
	v.shows(path+"?to="+at(-9), http.StatusOK, []string{"Nothing moved on these days"}, nil)
	v.shows(path+"?from=soon", http.StatusBadRequest, []string{"cannot be read"}, []string{"note one"})
	v.shows("/console/accounts/"+adaptertest.Hash(9), http.StatusNotFound, []string{"not registered here", "/console/?user=" + adaptertest.Hash(9)}, nil)
}

// billing is a partner's, which knows one user.
type billing struct {
	user string
	down atomic.Bool
}

func (b *billing) Balance(_ context.Context, user string) (ledger.Balance, error) {
	switch {
	case b.down.Load():
		return ledger.Balance{}, errors.New("connection refused")
	case user != b.user:
		return ledger.Balance{}, adapter.ErrNotFound
	}
	return ledger.Balance{Available: adaptertest.RUB(7123_45), Reserved: adaptertest.RUB(8_00)}, nil
}

// Where the partner's billing keeps the funds, the pages show what it says, and no statement.
func TestBilling(t *testing.T) {
	t.Parallel()
	var b billing
	w := newWorld(t, func(c *console.Config) { c.Balances, c.Billing = &b, true })
	b.user = w.user
	p := w.payment(t, 100_00, adapter.Confirmed)
	other := adaptertest.AddUser(t, w.store, 2, 0)
	v := w.visit(t, reader)
	keeps := "billing keeps the funds"
	v.shows("/console/accounts", http.StatusOK, []string{keeps, "7,123.45", "8.00", "The billing does not say"}, nil)
	v.shows("/console/accounts/"+w.user, http.StatusOK, []string{keeps, "7,123.45", "/console/?user=" + w.user}, []string{"Statement</h2>"})
	v.shows("/console/accounts/"+other, http.StatusOK, []string{keeps, "The billing does not say"}, nil)
	v.shows("/console/payments/"+num(p), http.StatusOK, []string{"7,123.45"}, nil)
	b.down.Store(true)
	for _, path := range []string{"/console/accounts", "/console/accounts/" + w.user, "/console/payments/" + num(p)} {
		v.shows(path, http.StatusOK, nil, []string{"7,123.45", "refused"})
	}
}
