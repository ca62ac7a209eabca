package anymoney_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/anymoney"
	"github.com/partnerkit/partnerkit/adapter/store"
	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	merchant = "37"
	key      = wire.Key("mock-api-key-of-merchant-37")
	firstLID = 135735
	callback = "https://pay.example" + anymoney.CallbackPath
)

var policy = adapter.PayinPolicy{
	Lease:     10 * time.Second,
	Retry:     func(n int) time.Duration { return time.Duration(n) * time.Second },
	Poll:      func(time.Duration) time.Duration { return time.Minute },
	CreateFor: time.Hour,
	Ledger:    money.RUB,
}

// A fate is what happens to a call.
type fate int

const (
	answered   fate = iota
	unanswered      // carried out, but the answer is lost
	unheard         // lost before it is carried out
	failing         // carried out, and answered with 500
	garbled         // carried out, and answered with half of it
	forged          // carried out, and answered with a wrong signature
)

// platform is Any.Money as far as a test needs it: orders of one merchant with a fee of 1.5.
type platform struct {
	t     testing.TB
	now   func() time.Time
	url   string
	mu    sync.Mutex
	fate  func(m wire.Method) fate // of the next call; set by meets
	calls []wire.Method
	order map[string]*wire.Order
}

func newPlatform(t testing.TB, now func() time.Time) *platform {
	t.Helper()
	p := &platform{t: t, now: now, fate: func(wire.Method) fate { return answered }, order: map[string]*wire.Order{}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.url = s.URL + "/"
	return p
}

// meets decides the fate of the calls from now on. The function is called under the lock.
func (p *platform) meets(fate func(m wire.Method) fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fate = fate
}

// find returns a copy of an order, nil if there is none.
func (p *platform) find(externalID string) *wire.Order {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.order[externalID]
	if !ok {
		return nil
	}
	found := *o
	return &found
}

// orders is how many there are.
func (p *platform) orders() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.order)
}

// add makes an order that nobody asked for by a call.
func (p *platform) add(externalID, amount string) *wire.Order {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.make(externalID, amount, "RUB", "visamc")
}

// ServeHTTP answers a call.
func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	request, err := wire.ParseRequest(body)
	if err != nil {
		p.t.Errorf("request %s: %v", body, err)
	}
	h, refusal := wire.ReadHeaders(r.Header.Get)
	if refusal != nil || h.Merchant != merchant || key.Verify(request.Params, h.UTCNowMS, h.Signature) != nil {
		p.t.Errorf("request %s with headers %v is not signed", body, r.Header)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, request.Method)
	fate := p.fate(request.Method)
	if fate == unheard {
		panic(http.ErrAbortHandler)
	}
	response := p.carryOut(request)
	switch fate {
	case unanswered:
		panic(http.ErrAbortHandler)
	case failing:
		http.Error(w, "gateway time-out", http.StatusInternalServerError)
		return
	}
	stamp := strconv.FormatInt(p.now().UnixMilli(), 10)
	signature := key.Sign(response.Signed(), stamp)
	if fate == forged {
		signature = wire.Key("another").Sign(response.Signed(), stamp)
	}
	w.Header().Set(wire.HeaderUTCNowMS, stamp)
	w.Header().Set(wire.HeaderSignature, signature)
	answer := response.Encode()
	if fate == garbled {
		answer = answer[:len(answer)/2]
	}
	_, _ = w.Write(answer)
}

func (p *platform) carryOut(r wire.Request) wire.Response {
	param := func(name string) string {
		s, _ := r.Params.Get(name).Text()
		return s
	}
	response := wire.Response{ID: r.ID}
	o := p.order[param("externalid")]
	switch {
	case r.Method == wire.MethodPayinCreate && param("amount") == "0.5":
		response.Err = &wire.Error{Code: wire.CodeAmountTooSmall, Message: "EParamAmountTooSmall", Data: wire.Object{
			{Name: "field", Value: wire.Text("amount")}, {Name: "reason", Value: wire.Text("Amount is too small")}, {Name: "value", Value: wire.Text("0.5")},
		}}
	case r.Method == wire.MethodPayinCreate && o != nil:
		response.Err = &wire.Error{Code: wire.CodeUnique, Message: "EParamUnique"}
	case r.Method == wire.MethodPayinCreate:
		o = p.make(param("externalid"), param("amount"), param("in_curr"), param("payway"))
		response.Result = o.Object()
	case o == nil:
		response.Err = &wire.Error{Code: wire.CodeNotFound, Message: "EParamNotFound"}
	default:
		response.Result = o.Object()
	}
	return response
}

// make makes an order, under the lock.
func (p *platform) make(externalID, amount, curr, payway string) *wire.Order {
	sum, err := wire.Amount(amount).Decimal()
	fee, feeErr := wire.Amount("1.5").Decimal()
	if err = errors.Join(err, feeErr); err != nil {
		p.t.Error(err)
	}
	o := &wire.Order{
		Type: wire.TypeInvoice, Status: wire.StatusNew, LID: firstLID + int64(len(p.order)), Token: "T", Ref: "R",
		ExternalID: externalID, InCurr: curr, OutCurr: curr, Payway: payway, Owner: merchant,
		Sums: wire.Sums{
			In: wire.Amount(amount), Orig: wire.Amount(amount), InFee: "1.5",
			Out: wire.Amount(amount), OutFee: "1.5", Account: wire.NewAmount(sum.Sub(fee)),
		},
		CTime:   p.now().UnixMilli(),
		Invoice: &wire.Invoice{Paylink: "https://sci.example/#token=T", AmountPaid: "0", Payfee: "1"},
	}
	p.order[externalID] = o
	return o
}

// set gives an order a status.
func (p *platform) set(externalID string, s wire.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order[externalID].Status = s
}

// made is how often a method was called.
func (p *platform) made(m wire.Method) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.calls {
		if c == m {
			n++
		}
	}
	return n
}

// fixture is a partner of the platform with one user.
type fixture struct {
	clock    *adaptertest.Clock
	platform *platform
	store    *store.Store
	user     string
	payins   *anymoney.Payins
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{clock: adaptertest.NewClock()}
	f.platform = newPlatform(t, f.clock.Now)
	f.store = adaptertest.Open(t, adaptertest.SQLite(t), func(c *store.Config) { c.Now = f.clock.Now })
	f.user = adaptertest.AddUser(t, f.store, 1, 0)
	f.payins = f.over(t, f.store)
	return f
}

// over returns payins that keep what they do in s: another process, if s is not f.store itself.
func (f *fixture) over(t testing.TB, s anymoney.Store) *anymoney.Payins {
	t.Helper()
	payins, err := anymoney.NewPayins(s, f.client(t, nil), anymoney.Config{
		Policy: policy, CallbackURL: callback, Now: f.clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return payins
}

func (f *fixture) client(t testing.TB, change func(*anymoney.ClientConfig)) *anymoney.Client {
	t.Helper()
	cfg := anymoney.ClientConfig{URL: f.platform.url, Merchant: merchant, Key: key, Now: f.clock.Now}
	if change != nil {
		change(&cfg)
	}
	c, err := anymoney.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// request asks for 100 RUB.
func (f *fixture) request(externalID string) adapter.PayinRequest {
	return adapter.PayinRequest{ExternalID: externalID, User: f.user, Amount: "100", InCurr: "RUB", Payway: "visamc"}
}

func (f *fixture) create(t testing.TB, externalID string) adapter.Payin {
	t.Helper()
	p, _, err := f.payins.Create(t.Context(), f.request(externalID))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// is checks how a payin is stored.
func (f *fixture) is(t testing.TB, externalID string, want adapter.PayinStatus) adapter.Payin {
	t.Helper()
	p, err := f.store.Payin(t.Context(), externalID)
	if err != nil || p.Status != want {
		t.Errorf("payin %s is %s (%s), %v; want %s", externalID, p.Status, p.Reason, err, want)
	}
	return p
}

// has checks what the user has, and that the books are right.
func (f *fixture) has(t testing.TB, kopecks int64) {
	t.Helper()
	if b, err := f.store.Balance(t.Context(), f.user); err != nil || b.Available != adaptertest.RUB(kopecks) {
		t.Errorf("the user has %s, %v; want %s", b.Available, err, adaptertest.RUB(kopecks))
	}
	if r, err := f.store.Verify(context.Background()); err != nil || !r.Clean() {
		t.Errorf("the books: %v, %v", r.Differences, err)
	}
}

// settle lets time pass, with a round of work after each step, until nothing is due for a while.
func (f *fixture) settle(t testing.TB) {
	t.Helper()
	for range 10 {
		f.clock.Advance(policy.Lease)
		f.payins.Round(t.Context())
	}
}
