package anymoney_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/anymoney"
	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// The callback that order Order-1 is done, ten seconds after the clock of tests begins. The
// signature is Python's, over the body's texts, numbers and booleans in the order of their names
// and the time, in lower case:
//
//	hmac.new(b"mock-api-key-of-merchant-37", ("98.51001777863721987order-11777863731987100rub1.5false" +
//	  "1357351100100rub1.537https://sci.example/#token=tvisamcr0donetinvoice1777863731987").encode(), hashlib.sha512)
const (
	doneBody = `{"tp":"invoice","status":"done","lid":135735,"token":"T","ref":"R","externalid":"Order-1","in_curr":"RUB","out_curr":"RUB",` +
		`"payway_name":"visamc","owner":"37","in_amount":"100","out_amount":"100","orig_amount":"100","account_amount":"98.5","in_fee_amount":"1.5",` +
		`"out_fee_amount":"1.5","rate":null,"renumeration":"0","ctime":1777863721987,"ftime":1777863731987,"tgt":null,"uaccount":null,"userdata":{},` +
		`"reqdata":{"amount":"100","externalid":"Order-1","in_curr":"RUB","payway":"visamc","userdata":{}},"paylink":"https://sci.example/#token=T",` +
		`"amount_paid":"100","is_multipay":false,"merchant_payfee":"1","email":null,"redirect_url":null,"address":null,"confirmations":null,"txid":null,` +
		`"payer":null,"front_params":{}}`
	doneStamp     = "1777863731987"
	doneSignature = "63959c21c8a9b376467be296d4e6e36da728d9233a62303811d32931cb2f6681ea8c14bb469f4d56c7a86b03abbd79e6c2667d74c72223ba1371e9f64290c9ca"
)

// receiver is a listening receiver of the fixture's payins.
type receiver struct {
	*httptest.Server
	log      *bytes.Buffer
	observed []int
}

func (f *fixture) receiver(t testing.TB) *receiver {
	t.Helper()
	rc := &receiver{log: new(bytes.Buffer)}
	var mu sync.Mutex
	rc.Server = httptest.NewServer(anymoney.NewReceiver(f.payins, anymoney.ReceiverConfig{
		Merchant: merchant, Key: key, Now: f.clock.Now, Log: slog.New(slog.NewTextHandler(rc.log, nil)),
		Observe: func(status int) {
			mu.Lock()
			defer mu.Unlock()
			rc.observed = append(rc.observed, status)
		},
	}))
	t.Cleanup(rc.Close)
	return rc
}

// raw is a callback as it comes over the wire.
func raw(body, stamp, signature string) string {
	return fmt.Sprintf("POST /anymoney/callback HTTP/1.1\r\nHost: pay.example\r\nUser-Agent: python-requests/2.22.0\r\nX-Merchant: 37\r\n"+
		"x-utc-now-ms: %s\r\nx-signature: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", stamp, signature, len(body), body)
}

// send writes bytes to the receiver and returns the answer.
func (rc *receiver) send(t testing.TB, text string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", rc.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(raw))
}

// signed is a callback with the given status of an order, now, made as the platform makes it.
func (f *fixture) signed(externalID string, s wire.Status) string {
	o := *f.platform.find(externalID)
	o.Status = s
	stamp := strconv.FormatInt(f.clock.Now().UnixMilli(), 10)
	return raw(o.Object().String(), stamp, key.Sign(o.Object(), stamp))
}

func TestCallbackByteForByte(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(t, "Order-1")
	rc := f.receiver(t)
	f.clock.Advance(10 * time.Second)
	for i, want := range []string{`{"stored":true}`, `{"repeated":true,"stored":true}`, `{"repeated":true,"stored":true}`} {
		status, body := rc.send(t, raw(doneBody, doneStamp, doneSignature))
		if status != 200 || body != want {
			t.Errorf("delivery %d: %d %s, want 200 %s", i+1, status, body, want)
		}
		if p := f.is(t, "Order-1", adapter.PayinDone); p.Credited.Minor() != 98_50 {
			t.Errorf("credited %s", p.Credited)
		}
	}
	if status, _ := rc.send(t, raw(doneBody, doneStamp, strings.ToUpper(doneSignature))); status != 200 {
		t.Errorf("signature in capitals: %d", status)
	}
	f.has(t, 98_50)
	if n := f.platform.made(wire.MethodPayinGet); n != 0 {
		t.Errorf("the platform was asked %d times about what it told", n)
	}
	rc.Close()
	if diff := cmp.Diff([]int{200, 200, 200, 200}, rc.observed); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
	if log := rc.log.String(); strings.Contains(log, doneSignature) || !strings.Contains(log, "payin=Order-1") {
		t.Errorf("log: %s", log)
	}
}

// Whatever single byte of body, time or signature is changed, the callback moves no money, and
// is believed only where the signature does not look: at lists, objects, nulls and white space.
func TestCallbackWithAnyByteChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o := f.platform.add("Order-1", "100")
	f.clock.Advance(10 * time.Second)
	for i := range len(doneBody) {
		var teller onlyTold
		body := doneBody[:i] + string(doneBody[i]^1) + doneBody[i+1:]
		r := httptest.NewRequest(http.MethodPost, anymoney.CallbackPath, strings.NewReader(body))
		r.Header.Set(wire.HeaderMerchant, merchant)
		r.Header.Set(wire.HeaderUTCNowMS, doneStamp)
		r.Header.Set(wire.HeaderSignature, doneSignature)
		w := httptest.NewRecorder()
		anymoney.NewReceiver(&teller, anymoney.ReceiverConfig{Merchant: merchant, Key: key, Now: f.clock.Now, Log: slog.New(slog.DiscardHandler)}).ServeHTTP(w, r)
		want := told(t, o, f.clock.Now().Truncate(time.Millisecond))
		want.Status = adapter.PayinDone
		for _, got := range teller.told {
			// Where a name was changed, a text may be missing; a payway must not be, for Payins.Told.
			got.Paylink, got.Payway = want.Paylink, want.Payway
			if got != want || w.Code != 200 {
				t.Errorf("byte %d, %q: answered %d, told of %+v", i, body[max(0, i-20):min(i+20, len(body))], w.Code, got)
			}
		}
		if len(teller.told) == 0 && w.Code != 400 && w.Code != 403 {
			t.Errorf("byte %d: answered %d", i, w.Code)
		}
	}
	rc := f.receiver(t)
	for i := range len(doneSignature) {
		if status, _ := rc.send(t, raw(doneBody, doneStamp, doneSignature[:i]+string(doneSignature[i]^1)+doneSignature[i+1:])); status != 403 {
			t.Errorf("signature changed at %d: %d, want 403", i, status)
		}
	}
}

// onlyTold takes down what it is told.
type onlyTold struct{ told []adapter.PayinOrder }

func (o *onlyTold) Told(_ context.Context, _ string, order adapter.PayinOrder) (bool, error) {
	o.told = append(o.told, order)
	return true, nil
}

func TestCallbackRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(t, "Order-1")
	rc := f.receiver(t)
	f.clock.Advance(10 * time.Second)
	good := raw(doneBody, doneStamp, doneSignature)
	edit := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("no %q to be changed", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	stamped := func(d time.Duration) string {
		stamp := strconv.FormatInt(f.clock.Now().Add(d).UnixMilli(), 10)
		o, err := wire.ParseObject([]byte(doneBody))
		if err != nil {
			t.Fatal(err)
		}
		return raw(doneBody, stamp, key.Sign(o, stamp))
	}
	signed := func(body string) string {
		o, err := wire.ParseObject([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return raw(body, doneStamp, key.Sign(o, doneStamp))
	}
	long := strings.Replace(doneBody, `"userdata":{}`, `"userdata":{"a":"`+strings.Repeat("x", 64<<10)+`"}`, 1)
	for name, tt := range map[string]struct {
		text   string
		status int
		says   string
	}{
		"no merchant":               {edit("X-Merchant: 37\r\n", ""), 400, "x-merchant"},
		"no signature":              {edit("x-signature: "+doneSignature, "x-signature: "), 400, "x-signature"},
		"no time":                   {edit("x-utc-now-ms: "+doneStamp+"\r\n", ""), 400, "x-utc-now-ms"},
		"time in words":             {edit("x-utc-now-ms: "+doneStamp, "x-utc-now-ms: now"), 400, "Integer"},
		"time of another callback":  {edit("x-utc-now-ms: "+doneStamp, "x-utc-now-ms: 1777863731986"), 403, "wrong signature"},
		"another merchant":          {edit("X-Merchant: 37", "X-Merchant: 38"), 403, "not for this merchant"},
		"GET":                       {edit("POST", "GET"), 405, "want POST"},
		"another amount":            {edit(`"account_amount":"98.5"`, `"account_amount":"99.5"`), 403, "wrong signature"},
		"half of it":                {good[:len(good)-300], 400, "broke off"},
		"signed, but a minute old":  {stamped(-time.Minute - time.Millisecond), 403, "too old"},
		"signed, but of the future": {stamped(time.Minute + time.Millisecond), 403, "too old"},
		"signed for another key":    {raw(doneBody, doneStamp, wire.Key("").Sign(nil, doneStamp)), 403, "wrong signature"},
		"no body":                   {raw("", doneStamp, doneSignature), 400, "empty"},
		"no JSON":                   {raw("status=done", doneStamp, doneSignature), 400, "malformed"},
		"a list":                    {raw("["+doneBody+"]", doneStamp, doneSignature), 400, "list"},
		"a name twice":              {raw(doneBody[:len(doneBody)-1]+`,"status":"done"}`, doneStamp, doneSignature), 400, "twice"},
		"NUL":                       {raw(doneBody+"\x00", doneStamp, doneSignature), 400, "malformed"},
		"invalid UTF-8":             {raw(strings.Replace(doneBody, "visamc", "visa\xff", 1), doneStamp, doneSignature), 400, "Unicode"},
		"nested deep":               {raw(strings.Repeat(`{"a":`, 600)+"1"+strings.Repeat("}", 600), doneStamp, doneSignature), 400, "nested"},
		"too long":                  {raw(long, doneStamp, doneSignature), 413, "64 KiB"},
		"signed, but no order":      {signed(`{}`), 400, "malformed"},
		"signed, without amount":    {signed(strings.Replace(doneBody, `"account_amount":"98.5",`, "", 1)), 400, "account_amount"},
		"signed, of nobody's":       {signed(strings.Replace(doneBody, `"owner":"37"`, `"owner":"38"`, 1)), 400, "merchant"},
		"signed, of a new status":   {signed(strings.Replace(doneBody, `"status":"done"`, `"status":"creating"`, 1)), 400, "no status that we know"},
		"signed, of another number": {signed(strings.Replace(doneBody, `135735`, `135736`, 1)), 409, "order 135736, but ours is order 135735"},
		"signed, of another amount": {signed(strings.Replace(doneBody, `"in_amount":"100"`, `"in_amount":"1000"`, 1)), 409, "not of 100 RUB"},
		"signed, adding up wrongly": {signed(strings.Replace(doneBody, `"account_amount":"98.5"`, `"account_amount":"985"`, 1)), 409, "brings 985"},
		"signed, of no known order": {signed(strings.Replace(doneBody, `"externalid":"Order-1"`, `"externalid":"order-1"`, 1)), 404, "not found at the platform"},
	} {
		if status, body := rc.send(t, tt.text); status != tt.status || !strings.Contains(body, tt.says) || !strings.Contains(body, `"error"`) {
			t.Errorf("%s: %d %s, want %d with %q", name, status, body, tt.status, tt.says)
		}
	}
	// Nothing of it was believed; what contradicted is in the history.
	p := f.is(t, "Order-1", adapter.PayinNew)
	history, err := f.store.PayinHistory(t.Context(), p)
	conflicts := 0
	for _, e := range history {
		if e.Kind == adapter.PayinEventConflict {
			conflicts++
		}
	}
	if err != nil || conflicts != 3 {
		t.Errorf("history %+v, %v; want three conflicts", history, err)
	}
	f.has(t, 0)
	if status, _ := rc.send(t, good); status != 200 {
		t.Errorf("the good one at last: %d", status)
	}
	f.has(t, 98_50)
}

// Callbacks in the wrong order: what was said earlier never undoes what was said later.
func TestCallbacksOutOfOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(t, "Order-1")
	rc := f.receiver(t)
	var sent []string
	for _, s := range []wire.Status{wire.StatusPending, wire.StatusWait, wire.StatusDone} {
		f.clock.Advance(time.Second)
		sent = append(sent, f.signed("Order-1", s))
	}
	for _, step := range []struct {
		arrives int
		want    adapter.PayinStatus
	}{{1, adapter.PayinWait}, {0, adapter.PayinWait}, {2, adapter.PayinDone}, {1, adapter.PayinDone}, {0, adapter.PayinDone}, {2, adapter.PayinDone}} {
		if status, body := rc.send(t, sent[step.arrives]); status != 200 {
			t.Errorf("callback %d: %d %s", step.arrives, status, body)
		}
		f.is(t, "Order-1", step.want)
	}
	f.has(t, 98_50)
	if status, body := rc.send(t, f.signed("Order-1", wire.StatusCanceled)); status != 409 || !strings.Contains(body, "it ended as done") {
		t.Errorf("canceled after done: %d %s, want 409", status, body)
	}
	f.has(t, 98_50)
}

// A callback can be quicker than the answer of the create that it is about. It is believed only
// after the platform was asked, and 200 says that it is stored.
func TestCallbackBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	rc := f.receiver(t)
	f.platform.meets(func(m wire.Method) fate { return fateOf(m, unanswered) })
	f.create(t, "Order-1")
	text := f.signed("Order-1", wire.StatusDone)
	f.platform.meets(func(wire.Method) fate { return unanswered })
	if status, _ := rc.send(t, text); status != 503 {
		t.Errorf("callback while the platform does not answer: %d, want 503", status)
	}
	f.platform.meets(func(wire.Method) fate { return answered })
	f.platform.set("Order-1", wire.StatusDone)
	if status, body := rc.send(t, text); status != 200 || body != `{"stored":true}` {
		t.Errorf("callback: %d %s", status, body)
	}
	f.is(t, "Order-1", adapter.PayinDone)
	f.has(t, 98_50)
}

// Many deliveries at once, one credit.
func TestCallbacksAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(t, "Order-1")
	rc := f.receiver(t)
	f.clock.Advance(10 * time.Second)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if status, body := rc.send(t, raw(doneBody, doneStamp, doneSignature)); status != 200 {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	all.Wait()
	f.has(t, 98_50)
}

// Without storage nothing is acknowledged, and the platform is not told what ails us.
func TestCallbackWithoutStorage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(t, "Order-1")
	f.clock.Advance(10 * time.Second)
	f.payins = f.over(t, &dying{Store: f.store})
	rc := f.receiver(t)
	if status, body := rc.send(t, raw(doneBody, doneStamp, doneSignature)); status != 503 || strings.Contains(body, errKilled.Error()) {
		t.Errorf("%d %s, want 503", status, body)
	}
	f.is(t, "Order-1", adapter.PayinNew)
	f.has(t, 0)
}

func FuzzCallback(f *testing.F) {
	f.Add(doneBody, doneStamp)
	f.Add(`{"status":"done","status":"new"}`, "1")
	f.Add("", "")
	at := time.UnixMilli(1777863731987)
	f.Fuzz(func(t *testing.T, body, stamp string) {
		// Signed, if it can be at all: what lies behind the signature is judged too.
		signature := doneSignature
		o, err := wire.ParseObject([]byte(body))
		if err == nil {
			signature = key.Sign(o, stamp)
		}
		r := httptest.NewRequest(http.MethodPost, anymoney.CallbackPath, strings.NewReader(body))
		r.Header.Set(wire.HeaderMerchant, merchant)
		r.Header.Set(wire.HeaderUTCNowMS, stamp)
		r.Header.Set(wire.HeaderSignature, signature)
		w := httptest.NewRecorder()
		var teller onlyTold
		anymoney.NewReceiver(&teller, anymoney.ReceiverConfig{
			Merchant: merchant, Key: key, Now: func() time.Time { return at }, Log: slog.New(slog.DiscardHandler),
		}).ServeHTTP(w, r)
		switch {
		case (w.Code == 200) != (len(teller.told) == 1):
			t.Errorf("answered %d, told %d times", w.Code, len(teller.told))
		case w.Code == 200 && (err != nil || !teller.told[0].Status.OfPlatform() || teller.told[0].Account.Sign() < 0):
			t.Errorf("believed %s", body)
		case w.Code != 200 && w.Code != 400 && w.Code != 403 && w.Code != 413:
			t.Errorf("answered %d", w.Code)
		}
	})
}
