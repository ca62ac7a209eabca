package outcall_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/adapter/outcall"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCaller(t *testing.T, cfg outcall.Config) *outcall.Caller {
	t.Helper()
	c, err := outcall.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestPost(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.ContentLength != int64(len(body)) || r.TransferEncoding != nil {
			t.Errorf("a body of %d bytes came with Content-Length %d, Transfer-Encoding %q", len(body), r.ContentLength, r.TransferEncoding)
		}
		w.Header().Set("X-Echo", r.Header.Get("x-merchant"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)))
	}))
	t.Cleanup(s.Close)
	c := newCaller(t, outcall.Config{})
	for body, want := range map[string]string{"": "POST application/json ", `{"a":1}`: `POST application/json {"a":1}`} {
		var sent []byte
		if body != "" {
			sent = []byte(body)
		}
		a, err := c.Post(t.Context(), s.URL, map[string]string{"x-merchant": "37"}, sent)
		if err != nil || a.Status != http.StatusTeapot || string(a.Body) != want || a.Header.Get("X-Echo") != "37" {
			t.Errorf("Post %q = %d %q %q, %v; want 418 %q", body, a.Status, a.Body, a.Header.Get("X-Echo"), err, want)
		}
	}
}

// Broken connections are told apart by whether the request can have arrived; adapter/integra's
// tests break them in every other way.
func TestBroken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(cut.Close)
	long := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(strings.Repeat("x", 101)))
	}))
	t.Cleanup(long.Close)
	release := make(chan struct{})
	mute := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(mute.Close)
	t.Cleanup(func() { close(release) })
	for name, tt := range map[string]struct {
		address string
		notSent bool
		says    string
	}{
		"nobody listens": {"http://" + l.Addr().String(), true, "refused"},
		"cut":            {cut.URL, false, "closed before the answer was complete"},
		"too long":       {long.URL, false, "longer than 100 bytes"},
		"no answer":      {mute.URL, false, "timed out"},
	} {
		c := newCaller(t, outcall.Config{Timeout: 200 * time.Millisecond, MaxAnswer: 100})
		_, err := c.Post(t.Context(), tt.address+"/?k=secret", nil, nil)
		if err == nil || errors.Is(err, outcall.ErrNotSent) != tt.notSent || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want not sent %v, %q, without the address", name, err, tt.notSent, tt.says)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if _, err := outcall.New(outcall.Config{Timeout: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x00b\xff\n" + strings.Repeat("ж", 400))
	f.Fuzz(func(t *testing.T, s string) {
		got := outcall.Clean(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 300 || strings.ContainsAny(got, "\x00\n\r\t\x1b\u202e\u2028") || outcall.Clean(got) != got {
			t.Errorf("Clean(%q) = %q", s, got)
		}
	})
}

// A request with an Idempotency-Key is one that net/http sends again on another connection.
// If that cannot be had, the first may have arrived nevertheless.
func TestReplayedRequestMayHaveArrived(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{})
	go func() { // answers once, then takes a request on the kept connection and is gone
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = l.Close()
		buf := make([]byte, 4096)
		_, _ = conn.Read(buf)
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
		_, _ = conn.Read(buf)
		close(arrived)
		_ = conn.Close()
	}()
	c := newCaller(t, outcall.Config{})
	header := map[string]string{"Idempotency-Key": "k"}
	if _, err := c.Post(t.Context(), "http://"+l.Addr().String(), header, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	_, err = c.Post(t.Context(), "http://"+l.Addr().String(), header, []byte("{}"))
	<-arrived
	if err == nil || errors.Is(err, outcall.ErrNotSent) {
		t.Errorf("Post = %v; want an unknown outcome", err)
	}
}
