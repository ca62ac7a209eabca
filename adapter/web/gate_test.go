package web_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter/web"
)

// handClock is moved by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newHandClock() *handClock { return &handClock{now: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)} }

// knock sends one request through a handler and returns the status and Retry-After.
func knock(h http.Handler, from string) (int, string) {
	r := httptest.NewRequest("GET", "/integra/notify?id=1", nil)
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Retry-After")
}

func TestGateLetsInWhoMay(t *testing.T) {
	t.Parallel()
	seen := map[int]int{}
	h := web.Gate{
		Allow: prefixes(t, "203.0.113.0/24", "2001:db8::/32"), Log: slog.New(slog.DiscardHandler), Observe: func(status int) { seen[status]++ },
	}.Wrap(answer(200, "stored"))
	for from, want := range map[string]int{
		"203.0.113.7:1": 200, "[2001:db8::1]:1": 200, "[::ffff:203.0.113.7]:1": 200,
		"203.0.114.7:1": 403, "[2001:db9::1]:1": 403, "invalid AddrPort": 403, "": 403,
	} {
		if got, _ := knock(h, from); got != want {
			t.Errorf("%s: %d, want %d", from, got, want)
		}
	}
	if seen[403] != 4 || len(seen) != 1 {
		t.Errorf("observed %v, want the four that were refused", seen)
	}
}

func TestGateCountsEachSourceByItself(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	h := web.Gate{PerSource: 0.5, Now: clock.Now, Log: slog.New(slog.DiscardHandler)}.Wrap(answer(200, "stored"))
	expect := func(from string, status int, retry string) {
		t.Helper()
		if got, after := knock(h, from); got != status || after != retry {
			t.Errorf("%s: %d, Retry-After %q; want %d, %q", from, got, after, status, retry)
		}
	}
	expect("203.0.113.7:1", 200, "")
	expect("203.0.113.7:2", 429, "2")
	expect("203.0.113.8:1", 200, "")
	expect("[2001:db8:0:1::1]:1", 200, "")
	expect("[2001:db8:0:1:ffff::9]:1", 429, "2") // the same customer's /64
	expect("[2001:db8:0:2::1]:1", 200, "")
	clock.advance(time.Second)
	expect("203.0.113.7:1", 429, "1")
	clock.advance(time.Second)
	expect("203.0.113.7:1", 200, "")
}

// Who comes back when Retry-After says gets in, if nobody else came meanwhile, and over any time
// no more get in than the burst and the rate allow.
func TestGateKeepsItsRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clock := newHandClock()
		began := clock.Now()
		rate := rapid.Float64Range(0.1, 500).Draw(t, "rate")
		gate := web.Gate{Now: clock.Now, Log: slog.New(slog.DiscardHandler)}
		if rapid.Bool().Draw(t, "overall") {
			gate.Overall = rate
		} else {
			gate.PerSource = rate
		}
		h := gate.Wrap(answer(200, "stored"))
		in := 0
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			clock.advance(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "pause")))
			status, retry := knock(h, "203.0.113.7:1")
			if status == 429 {
				seconds, err := strconv.Atoi(retry)
				if err != nil || seconds < 1 {
					t.Fatalf("Retry-After %q", retry)
				}
				clock.advance(time.Duration(seconds) * time.Second)
				if status, _ = knock(h, "203.0.113.7:1"); status != 200 {
					t.Fatalf("after the %d s that it was asked to wait: %d", seconds, status)
				}
			}
			in++
		}
		if most := 2*rate + 1 + rate*clock.Now().Sub(began).Seconds(); float64(in) > most+1e-6 {
			t.Fatalf("%d got in, at most %f should", in, most)
		}
	})
}

// The one who floods is turned away; what the others may is not spent by it.
func TestOverallLimitIsSpentByThoseWhoPass(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	h := web.Gate{PerSource: 1, Overall: 2, Now: clock.Now, Log: slog.New(slog.DiscardHandler)}.Wrap(answer(200, "stored"))
	for range 100 {
		knock(h, "203.0.113.7:1") // two get in
	}
	for i := range 3 {
		want := 200
		if i == 2 {
			want = 429 // four of all
		}
		if got, _ := knock(h, fmt.Sprintf("203.0.113.%d:1", 8+i)); got != want {
			t.Errorf("other source %d: %d, want %d", i, got, want)
		}
	}
}

func TestGateThatLetsEverybodyInCostsNothing(t *testing.T) {
	t.Parallel()
	h := http.NewServeMux()
	if got := (web.Gate{}).Wrap(h); got != http.Handler(h) {
		t.Errorf("wrapped in %T", got)
	}
}
