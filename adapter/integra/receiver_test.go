package integra_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// books is an Acceptor that takes payments down.
type books struct {
	mu       sync.Mutex
	accepted []adapter.Payment
	first    bool
	err      error
}

func (b *books) Accept(_ context.Context, p adapter.Payment) (adapter.Payment, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted = append(b.accepted, p)
	return p, b.first, b.err
}

// tokens takes "for-<user>" as the user's token.
type tokens struct{}

func (tokens) Mint(user string) (string, error) { return "for-" + user, nil }

func (tokens) Verify(token string) (string, error) {
	user, ok := strings.CutPrefix(token, "for-")
	if !ok {
		return "", errors.New("token is not valid: not signed by us")
	}
	return user, nil
}

func endpoint(t testing.TB, names integra.Names, g integra.Guard) *integra.Endpoint {
	t.Helper()
	e, err := integra.NewEndpoint("http://adapter.example", names, g)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func secretGuard(t testing.TB, secret string) integra.Guard {
	t.Helper()
	g, err := integra.GuardBySecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// receiver mounts a receiver as the adapter does.
func receiver(b integra.Acceptor, e *integra.Endpoint, log io.Writer, observe func(int)) http.Handler {
	r := mux.NewRouter()
	r.Handle(e.Pattern(), integra.NewReceiver(b, e, integra.ReceiverConfig{
		Now: func() time.Time { return day }, Log: slog.New(slog.NewTextHandler(log, nil)), Observe: observe,
	}))
	return r
}

const (
	good = "id=" + paymentID + "&amount=100.5&hash=" + userHash + "&token=for-" + userHash
	form = "application/x-www-form-urlencoded"
)

func TestReceiver(t *testing.T) {
	t.Parallel()
	const path = "/integra/notify"
	tests := []struct {
		name         string
		verb, target string
		kind, body   string // of a POST
		status       int
		answer       string
		stored       bool
	}{
		{name: "GET", target: path + "?" + good, status: 200, answer: `{"stored":true}`, stored: true},
		{name: "POST with a form", verb: "POST", target: path, kind: form, body: good, status: 200, answer: `{"stored":true}`, stored: true},
		{name: "POST with a query and no body, as the platform's own client", verb: "POST", target: path + "?" + good, kind: "application/json", status: 200, answer: `{"stored":true}`, stored: true},
		{name: "POST with both", verb: "POST", target: path + "?token=for-" + userHash, kind: form + "; charset=utf-8", body: strings.TrimSuffix(good, "&token=for-"+userHash), status: 200, answer: `{"stored":true}`, stored: true},
		{name: "other order, other parameters, everything escaped", target: path + "?x=%zz&%74oken=for%2D" + userHash + "&&hash=" + userHash + "&amount=100%2E50&id=" + paymentID + "&=", status: 200, answer: `{"stored":true}`, stored: true},

		{name: "no parameters", target: path, status: 401, answer: `{"error":"no proof that the address is ours: the token is missing"}`},
		{name: "template as it is", target: path + "?id={id}&amount={amount}&hash={hash}&token=for-" + userHash, status: 400, answer: `{"error":"id is not 32 letters or digits","field":"id"}`},
		{name: "no id", target: path + "?" + strings.Replace(good, "id=", "i=", 1), status: 400, answer: `{"error":"id is missing","field":"id"}`},
		{name: "empty id", target: path + "?" + strings.Replace(good, paymentID, "", 1), status: 400, answer: `{"error":"id is missing","field":"id"}`},
		{name: "short id", target: path + "?" + strings.Replace(good, paymentID, paymentID[1:], 1), status: 400, answer: `{"error":"id is not 32 letters or digits","field":"id"}`},
		{name: "long id", target: path + "?" + strings.Replace(good, paymentID, paymentID+"0", 1), status: 400, answer: `{"error":"id is not 32 letters or digits","field":"id"}`},
		{name: "id with other characters", target: path + "?" + strings.Replace(good, paymentID, paymentID[2:]+"%D1%8F", 1), status: 400, answer: `{"error":"id is not 32 letters or digits","field":"id"}`},
		{name: "id twice", target: path + "?" + good + "&id=" + paymentID, status: 400, answer: `{"error":"id is given twice","field":"id"}`},
		{name: "id in query and body", verb: "POST", target: path + "?" + good, kind: form, body: "id=" + paymentID, status: 400, answer: `{"error":"id is given twice","field":"id"}`},
		{name: "token twice", target: path + "?" + good + "&token=x", status: 400, answer: `{"error":"token is given twice","field":"token"}`},
		{name: "no amount", target: path + "?" + strings.Replace(good, "amount=", "sum=", 1), status: 400, answer: `{"error":"amount is missing","field":"amount"}`},
		{name: "no hash", target: path + "?" + strings.Replace(good, "&hash=", "&user=", 1), status: 400, answer: `{"error":"hash is missing","field":"hash"}`},
		{name: "short hash", target: path + "?" + strings.Replace(good, "hash="+userHash, "hash=abc", 1), status: 400, answer: `{"error":"hash is not 32 letters or digits","field":"hash"}`},
		{name: "bad escape in a name", target: path + "?" + good + "&%zz=1", status: 400, answer: `{"error":"malformed url-encoding"}`},
		{name: "bad escape in a value", target: path + "?" + strings.Replace(good, "100.5", "100%2", 1), status: 400, answer: `{"error":"amount is not url-encoded","field":"amount"}`},
		{name: "semicolon", target: path + "?" + strings.Replace(good, "&amount", ";amount", 1), status: 400, answer: `{"error":"malformed url-encoding"}`},

		{name: "no token", target: path + "?" + strings.Replace(good, "&token=", "&t=", 1), status: 401, answer: `{"error":"no proof that the address is ours: the token is missing"}`},
		{name: "forged token", target: path + "?" + strings.Replace(good, "for-", "by-", 1), status: 401, answer: `{"error":"the proof that the address is ours does not hold: token is not valid: not signed by us"}`},
		{name: "forged token and nonsense", target: path + "?id=1&amount=x&token=x", status: 401, answer: `{"error":"the proof that the address is ours does not hold: token is not valid: not signed by us"}`},
		{name: "another user's token", target: path + "?" + strings.Replace(good, "for-"+userHash, "for-"+otherUser, 1), status: 403, answer: `{"error":"the proof is that of another user"}`},

		{name: "PUT", verb: "PUT", target: path + "?" + good, status: 405, answer: `{"error":"want GET or POST"}`},
		{name: "HEAD", verb: "HEAD", target: path + "?" + good, status: 405},
		{name: "long query", target: path + "?" + good + "&x=" + strings.Repeat("y", 8<<10), status: 413, answer: `{"error":"longer than 8 KiB"}`},
		{name: "long body", verb: "POST", target: path, kind: form, body: good + "&x=" + strings.Repeat("y", 1<<20), status: 413, answer: `{"error":"longer than 8 KiB"}`},
		{name: "JSON", verb: "POST", target: path, kind: "application/json", body: `{"id":1}`, status: 400, answer: `{"error":"the body is not application/x-www-form-urlencoded"}`},
		{name: "body of no kind", verb: "POST", target: path, body: good, status: 400, answer: `{"error":"the body is not application/x-www-form-urlencoded"}`},
		{name: "the secret's path without a secret", target: path + "/x?" + good, status: 404, answer: "404 page not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := &books{first: true}
			var log bytes.Buffer
			var observed []int
			h := receiver(b, endpoint(t, integra.Names{}, integra.GuardByToken(tokens{})), &log, func(s int) { observed = append(observed, s) })
			if tt.verb == "" {
				tt.verb = "GET"
			}
			r := httptest.NewRequest(tt.verb, "http://adapter.example", strings.NewReader(tt.body))
			target, err := url.ParseRequestURI(tt.target)
			if err != nil {
				t.Fatal(err)
			}
			r.URL = target
			r.Header.Set("Content-Type", tt.kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || got != tt.answer && tt.verb != "HEAD" {
				t.Errorf("answered %d %s\nwant     %d %s", w.Code, got, tt.status, tt.answer)
			}
			var want []adapter.Payment
			if tt.stored {
				p := payment(t, adapter.TopUp, adapter.Received)
				want = append(want, p)
			}
			if diff := cmp.Diff(want, b.accepted, cmp.Comparer(sameAmount)); diff != "" {
				t.Errorf("accepted (-want +got):\n%s", diff)
			}
			if tt.status == 404 {
				return
			}
			if diff := cmp.Diff([]int{tt.status}, observed); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
			if line := log.String(); strings.Count(line, "\n") != 1 || strings.Contains(line, "for-") || !strings.Contains(line, fmt.Sprintf("status=%d", tt.status)) {
				t.Errorf("want one log line with the status and without the token, got:\n%s", line)
			}
		})
	}
}

func sameAmount(a, b money.Amount) bool { return a == b }

func TestReceiverAmounts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		amount string // url-encoded
		minor  int64  // 0: refused
		says   string
	}{
		{amount: "100", minor: 100_00},
		{amount: "0.01", minor: 1},
		{amount: "1000000000000", minor: 1_000_000_000_000_00},
		{amount: "1000000000000.01", says: "is out of range"},
		{amount: "1" + strings.Repeat("0", 30), says: "is out of range"},
		{amount: "1" + strings.Repeat("0", 40), says: "is longer than 32 bytes"},
		{amount: "0", says: "is zero"},
		{amount: "0.00", says: "is zero"},
		{amount: "-1", says: "has a sign"},
		{amount: "%2B1", says: "has a sign"},
		{amount: "+1", says: "has a space"},
		{amount: "1%20", says: "has a space"},
		{amount: "1.005", says: "more decimals"},
		{amount: "1,5", says: "comma"},
		{amount: "1e3", says: "exponent"},
		{amount: "01", says: "leading zero"},
		{amount: ".5", says: "both sides"},
		{amount: "5.", says: "both sides"},
		{amount: "%D9%A1", says: "ASCII"},
		{amount: "%EF%BC%91", says: "ASCII"},
		{amount: "NaN", says: "no digit"},
		{amount: "0x10", says: "no digit"},
		{amount: "1%00", says: "no digit"},
		{amount: "1%FF", says: "no digit"},
	}
	for _, tt := range tests {
		t.Run(tt.amount, func(t *testing.T) {
			t.Parallel()
			b := &books{first: true}
			h := receiver(b, endpoint(t, integra.Names{}, integra.Unguarded()), io.Discard, nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/integra/notify?id="+paymentID+"&hash="+userHash+"&amount="+tt.amount, nil))
			if tt.minor > 0 {
				if w.Code != 200 || len(b.accepted) != 1 || b.accepted[0].Amount != money.New(tt.minor, money.RUB) {
					t.Errorf("answered %d %s and accepted %v; want 200 and %d kopecks", w.Code, w.Body, b.accepted, tt.minor)
				}
				return
			}
			if w.Code != 400 || !strings.Contains(w.Body.String(), tt.says) || !strings.Contains(w.Body.String(), `"field":"amount"`) || len(b.accepted) != 0 {
				t.Errorf("answered %d %s and accepted %v; want 400 that names amount and says %q", w.Code, w.Body, b.accepted, tt.says)
			}
		})
	}
}

func TestReceiverAnswersWhatStorageSays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		first  bool
		err    error
		status int
		answer string
		after  string // Retry-After
	}{
		{name: "stored", first: true, status: 200, answer: `{"stored":true}`},
		{name: "repeated", status: 200, answer: `{"stored":true,"repeated":true}`},
		{name: "conflict", err: fmt.Errorf("payment integra/x: %w", adapter.ErrConflict), status: 409, answer: `{"error":"payment integra/x: payment differs from the one accepted before"}`},
		{name: "refused", err: fmt.Errorf("%w: user is too short", adapter.ErrInvalid), status: 400, answer: `{"error":"invalid: user is too short"}`},
		{name: "overloaded", err: fmt.Errorf("accept: %w", adapter.ErrOverloaded), status: 429, answer: `{"error":"accept: too many payments are waiting to be stored"}`, after: "1"},
		{name: "closing", err: adapter.ErrClosed, status: 503, answer: `{"error":"the notification cannot be stored now"}`, after: "5"},
		{name: "no storage", err: errors.New("pq: password authentication failed for user adapter"), status: 503, answer: `{"error":"the notification cannot be stored now"}`, after: "5"},
		{name: "infrastructure is no business", err: fmt.Errorf("commit: %w", context.DeadlineExceeded), status: 503, answer: `{"error":"the notification cannot be stored now"}`, after: "5"},
		{name: "first, and yet an error", first: true, err: errors.New("disk full"), status: 503, answer: `{"error":"the notification cannot be stored now"}`, after: "5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := receiver(&books{first: tt.first, err: tt.err}, endpoint(t, integra.Names{}, integra.Unguarded()), &log, nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/integra/notify?"+good, nil))
			if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || got != tt.answer || w.Header().Get("Retry-After") != tt.after {
				t.Errorf("answered %d %s, Retry-After %q\nwant     %d %s, %q", w.Code, got, w.Header().Get("Retry-After"), tt.status, tt.answer, tt.after)
			}
			if tt.err != nil && !strings.Contains(log.String(), tt.err.Error()) {
				t.Errorf("the log does not give the reason: %s", log.String())
			}
		})
	}
}

func TestReceiverLogsOneWideLine(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := receiver(&books{first: true}, endpoint(t, integra.Names{}, integra.GuardByToken(tokens{})), &log, nil)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/integra/notify?"+good, nil))
	_, line, _ := strings.Cut(log.String(), " level=")
	const want = `INFO msg=notification outcome=stored status=200 payment=integra/202cb962ac59075b964b07152d234b70 ` +
		`user=0123456789abcdef0123456789abcdef amount="100.50 RUB" took=0s` + "\n"
	if line != want {
		t.Errorf("logged %swant   %s", line, want)
	}
}

func TestReceiverModes(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-s3cret-s3cret_1"
	bare := "id=" + paymentID + "&amount=100.5&hash=" + userHash
	tests := []struct {
		name   string
		guard  integra.Guard
		target string
		status int
	}{
		{name: "secret", guard: secretGuard(t, secret), target: "/integra/notify/" + secret + "?" + bare, status: 200},
		{name: "no secret", guard: secretGuard(t, secret), target: "/integra/notify?" + bare, status: 401},
		{name: "empty secret", guard: secretGuard(t, secret), target: "/integra/notify/?" + bare, status: 401},
		{name: "wrong secret", guard: secretGuard(t, secret), target: "/integra/notify/" + secret[1:] + "?" + bare, status: 401},
		{name: "secret and more", guard: secretGuard(t, secret), target: "/integra/notify/" + secret + "/x?" + bare, status: 404},
		{name: "unguarded", guard: integra.Unguarded(), target: "/integra/notify?" + bare, status: 200},
		{name: "unguarded, token left over", guard: integra.Unguarded(), target: "/integra/notify?" + bare + "&token=old", status: 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := &books{first: true}
			w := httptest.NewRecorder()
			receiver(b, endpoint(t, integra.Names{}, tt.guard), io.Discard, nil).ServeHTTP(w, httptest.NewRequest("GET", tt.target, nil))
			if w.Code != tt.status || (len(b.accepted) == 1) != (tt.status == 200) {
				t.Errorf("answered %d and accepted %d; want %d", w.Code, len(b.accepted), tt.status)
			}
		})
	}
}

func TestReceiverNames(t *testing.T) {
	t.Parallel()
	e := endpoint(t, integra.Names{ID: "transaction_id", Amount: "sum", Hash: "user", Token: "sig"}, integra.GuardByToken(tokens{}))
	b := &books{first: true}
	h := receiver(b, e, io.Discard, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/integra/notify?transaction_id="+paymentID+"&sum=100.5&user="+userHash+"&sig=for-"+userHash+"&id=1&amount=2", nil))
	if w.Code != 200 || len(b.accepted) != 1 {
		t.Errorf("answered %d %s; want 200", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/integra/notify?"+good+"&sig=for-"+userHash, nil))
	if want := `{"error":"transaction_id is missing","field":"transaction_id"}` + "\n"; w.Code != 400 || w.Body.String() != want {
		t.Errorf("answered %d %s; want 400 %s", w.Code, w.Body, want)
	}
}

// slow is an Acceptor that stores only when it is told to.
type slow struct {
	began chan struct{}
	store chan struct{}
	done  chan error // what became of the context
}

func (s *slow) Accept(ctx context.Context, p adapter.Payment) (adapter.Payment, bool, error) {
	close(s.began)
	<-s.store
	s.done <- ctx.Err()
	return p, true, ctx.Err()
}

func TestReceiverStoresAlthoughTheCallerHangsUp(t *testing.T) {
	t.Parallel()
	a := &slow{began: make(chan struct{}), store: make(chan struct{}), done: make(chan error, 1)}
	gone := make(chan struct{})
	inner := receiver(a, endpoint(t, integra.Names{}, integra.Unguarded()), io.Discard, nil)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), func() { close(gone) })
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	ctx, hangUp := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/integra/notify?"+good, nil)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		resp, err := s.Client().Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		answered <- err
	}()
	<-a.began
	hangUp()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Fatalf("the caller got %v; want it to have hung up", err)
	}
	<-gone // the server has noticed
	close(a.store)
	if err := <-a.done; err != nil {
		t.Errorf("storing was given up with %v although the notification had arrived", err)
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	t.Run("template", func(t *testing.T) {
		t.Parallel()
		tests := []struct {
			name  string
			guard integra.Guard
			names integra.Names
			want  string
		}{
			{name: "token", guard: integra.GuardByToken(tokens{}), want: "http://adapter.example/integra/notify?id={id}&amount={amount}&hash={hash}&token=for-" + userHash},
			{name: "secret", guard: secretGuard(t, "0123456789abcdef"), want: "http://adapter.example/integra/notify/0123456789abcdef?id={id}&amount={amount}&hash={hash}"},
			{name: "none", guard: integra.Unguarded(), names: integra.Names{ID: "transaction_id"}, want: "http://adapter.example/integra/notify?transaction_id={id}&amount={amount}&hash={hash}"},
		}
		for _, tt := range tests {
			if got, err := endpoint(t, tt.names, tt.guard).Template(userHash); got != tt.want || err != nil {
				t.Errorf("%s: Template = %s, %v\nwant %s", tt.name, got, err, tt.want)
			}
		}
	})
	t.Run("faults", func(t *testing.T) {
		t.Parallel()
		for _, base := range []string{"", "adapter.example", "ftp://adapter.example", "http://", "https://u:p@adapter.example", "https://adapter.example?x=1", "https://adapter.example#x", "https://adapter example"} {
			if _, err := integra.NewEndpoint(base, integra.Names{}, integra.Unguarded()); !errors.Is(err, adapter.ErrInvalid) {
				t.Errorf("NewEndpoint(%q): %v; want ErrInvalid", base, err)
			}
		}
		for _, names := range []integra.Names{{ID: "a b"}, {ID: "id&"}, {Amount: "id"}, {Token: "hash"}, {Hash: strings.Repeat("h", 33)}} {
			if _, err := integra.NewEndpoint("http://adapter.example", names, integra.Unguarded()); !errors.Is(err, adapter.ErrInvalid) {
				t.Errorf("NewEndpoint with %+v: %v; want ErrInvalid", names, err)
			}
		}
		for _, secret := range []string{"", "short", "with/slash-with/slash", strings.Repeat("x", 129)} {
			if _, err := integra.GuardBySecret(secret); !errors.Is(err, adapter.ErrInvalid) || secret != "" && strings.Contains(err.Error(), secret) {
				t.Errorf("GuardBySecret(%q): %v; want ErrInvalid that keeps the secret", secret, err)
			}
		}
	})
}

// FuzzForm compares the parser with net/url's, which it must agree with on everything that
// both take.
func FuzzForm(f *testing.F) {
	f.Add(good)
	f.Add("id=1&id=2")
	f.Add("a=%zz&id=%31+%2b")
	f.Add("&&=&id&%69d=x")
	f.Add("id=1;amount=2")
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := integra.ReadForm(raw)
		all, urlErr := url.ParseQuery(raw)
		twice := false
		for _, name := range []string{"id", "amount", "hash", "token"} {
			twice = twice || len(all[name]) > 1
		}
		if urlErr == nil {
			if (err != nil) != twice {
				t.Fatalf("ReadForm(%q): %v; net/url takes it, a parameter twice: %t", raw, err, twice)
			}
			want := integra.Form{ID: all.Get("id"), Amount: all.Get("amount"), Hash: all.Get("hash"), Token: all.Get("token")}
			if err == nil && got != want {
				t.Fatalf("ReadForm(%q) = %+v; net/url: %+v", raw, got, want)
			}
		}
	})
}

// FuzzReceiver: whatever comes, it is answered with one of the statuses that are promised,
// and 200 means stored, as the very payment that was announced.
func FuzzReceiver(f *testing.F) {
	b := &books{first: true}
	h := receiver(b, endpoint(f, integra.Names{}, integra.GuardByToken(tokens{})), io.Discard, nil)
	f.Add(false, good, "", "")
	f.Add(true, "", form, good)
	f.Add(true, good, form, "id=1")
	f.Add(true, good, "text/plain", "x")
	f.Fuzz(func(t *testing.T, post bool, query, kind, body string) {
		b.accepted = nil
		r := httptest.NewRequest("GET", "/integra/notify", strings.NewReader(body))
		if post {
			r.Method = "POST"
		}
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case 400, 401, 403, 413:
			if len(b.accepted) != 0 {
				t.Errorf("answered %d and stored", w.Code)
			}
		case 200:
			if len(b.accepted) != 1 || b.accepted[0].Amount.Sign() <= 0 || !strings.Contains(query+body, b.accepted[0].Amount.Short()[:1]) {
				t.Errorf("answered 200 and stored %v", b.accepted)
			}
		default:
			t.Errorf("answered %d", w.Code)
		}
	})
}

func newRecorder(h http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	return w
}
