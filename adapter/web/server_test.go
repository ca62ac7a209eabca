package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/adapter/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a log that tests read while it is written.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// running is a server under test.
type running struct {
	url    string
	client *http.Client
	log    *journal
	stop   context.CancelFunc
	done   chan error
}

// run starts a server that setup has given its routes. It is stopped when the test ends.
func run(t *testing.T, cfg web.Config, setup func(*web.Server)) *running {
	t.Helper()
	r := &running{log: &journal{}, done: make(chan error, 1), client: &http.Client{Transport: &http.Transport{}}}
	cfg.Listen, cfg.Log = "127.0.0.1:0", slog.New(slog.NewTextHandler(r.log, nil))
	s := web.New(cfg)
	if setup != nil {
		setup(s)
	}
	addr, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + addr.String()
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- s.Run(ctx)
	}()
	t.Cleanup(func() {
		r.stop()
		r.client.CloseIdleConnections()
		<-ended
	})
	return r
}

// get returns the status, header and body of an answer.
func (r *running) get(t *testing.T, path string) (int, http.Header, string) {
	t.Helper()
	resp, err := r.client.Get(r.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func answer(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	r := run(t, web.Config{}, func(s *web.Server) {
		s.Handle("/integra/notify", answer(200, "stored"))
		s.Handle("/only-get", answer(200, "got"), "GET")
	})
	tests := []struct {
		verb, path string
		status     int
		body       string
	}{
		{"GET", "/integra/notify", 200, "stored"},
		{"DELETE", "/integra/notify", 200, "stored"},
		{"GET", "/only-get", 200, "got"},
		{"POST", "/only-get", 405, ""},
		{"GET", "/healthz", 200, "ok\n"},
		{"GET", "/", 404, "404 page not found\n"},
		{"GET", "/integra/notify/", 404, "404 page not found\n"},
		{"GET", "/x%2f../integra/notify", 404, "404 page not found\n"}, // as it came, and not sent elsewhere
		{"GET", "//integra/notify", 404, "404 page not found\n"},
	}
	for _, tt := range tests {
		req, err := http.NewRequestWithContext(t.Context(), tt.verb, r.url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status || string(body) != tt.body {
			t.Errorf("%s %s: %d %q; want %d %q", tt.verb, tt.path, resp.StatusCode, body, tt.status, tt.body)
		}
	}
}

func TestEveryAnswerCarriesTheHeaders(t *testing.T) {
	t.Parallel()
	r := run(t, web.Config{}, func(s *web.Server) {
		s.Handle("/page", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'self'") // a page may say otherwise
		}))
	})
	for _, path := range []string{"/healthz", "/nowhere", "/page"} {
		_, h, _ := r.get(t, path)
		want := map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		}
		if path == "/page" {
			want["Content-Security-Policy"] = "default-src 'self'"
		}
		for name, value := range want {
			if got := h.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", path, name, got, value)
			}
		}
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var down error
	r := run(t, web.Config{}, func(s *web.Server) {
		s.Check("database", func(ctx context.Context) error {
			if _, bounded := ctx.Deadline(); !bounded {
				return errors.New("a check that hangs would hang the answer")
			}
			mu.Lock()
			defer mu.Unlock()
			return down
		})
		s.Check("workers", func(context.Context) error { return nil })
	})
	status, _, body := r.get(t, "/readyz")
	const ready = `{"ready":true,"checks":[{"name":"database","ok":true},{"name":"workers","ok":true}]}` + "\n"
	if status != 200 || body != ready {
		t.Errorf("answered %d %s; want 200 %s", status, body, ready)
	}
	mu.Lock()
	down = errors.New("connection refused")
	mu.Unlock()
	status, _, body = r.get(t, "/readyz")
	const unready = `{"ready":false,"checks":[{"name":"database","ok":false,"reason":"connection refused"},{"name":"workers","ok":true}]}` + "\n"
	if status != 503 || body != unready {
		t.Errorf("answered %d %s; want 503 %s", status, body, unready)
	}
	if status, _, _ := r.get(t, "/healthz"); status != 200 {
		t.Errorf("healthz answered %d; want 200: a restart would not bring the database back", status)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	r := run(t, web.Config{}, func(s *web.Server) {
		s.Handle("/before", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("out of luck") }))
		s.Handle("/after", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic("out of luck")
		}))
		s.Handle("/abort", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	})
	if status, _, body := r.get(t, "/before?token=s3cret"); status != 500 || body != "internal error\n" {
		t.Errorf("answered %d %q; want 500", status, body)
	}
	log := r.log.String()
	for _, says := range []string{"request panicked", "path=/before", `panic="out of luck"`, "server_test.go"} {
		if !strings.Contains(log, says) {
			t.Errorf("the log does not say %q:\n%s", says, log)
		}
	}
	if strings.Contains(log, "s3cret") {
		t.Errorf("the log holds the token:\n%s", log)
	}
	for _, path := range []string{"/after", "/abort"} {
		resp, err := r.client.Post(r.url+path, "text/plain", nil) // a GET would be sent again
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s looks like a whole answer; want a broken connection", path)
		}
	}
	if n := strings.Count(r.log.String(), "request panicked"); n != 2 {
		t.Errorf("%d panics logged, want 2: aborting is no fault", n)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	r := run(t, web.Config{MaxBody: 10, MaxHeader: 1024}, func(s *web.Server) {
		s.Handle("/echo", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
			_, _ = w.Write(body)
		}))
	})
	for body, want := range map[string]int{"0123456789": 200, "0123456789+": 413} {
		resp, err := r.client.Post(r.url+"/echo", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("a body of %d bytes: %d, want %d", len(body), resp.StatusCode, want)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 16<<10))
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 431 {
		t.Errorf("a long header: %d, want 431", resp.StatusCode)
	}
}

func TestSlowHeaderIsCutOff(t *testing.T) {
	t.Parallel()
	r := run(t, web.Config{HeaderTimeout: 50 * time.Millisecond, ReadTimeout: time.Hour}, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	if rest, err := io.ReadAll(conn); err != nil { // until the server hangs up
		t.Errorf("read %q, %v; want the server to hang up", rest, err)
	}
}

func TestEventStreamsAreFlushed(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	r := run(t, web.Config{}, func(s *web.Server) {
		s.Handle("/events", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
			<-more
			if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
				_, _ = io.WriteString(w, err.Error())
			}
		}))
	})
	resp, err := r.client.Get(r.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	first := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first\n" {
		t.Errorf("read %q, %v; want the first event before the handler ends", first, err)
	}
	close(more)
	if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
		t.Errorf("then %q, %v; want a clean end", rest, err)
	}
}

// waiting is a handler that waits until it is told to go on, or its request is cancelled.
type waiting struct{ began, goOn chan struct{} }

func (h waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.began <- struct{}{}
	select {
	case <-h.goOn:
		_, _ = io.WriteString(w, "finished")
	case <-r.Context().Done():
		_, _ = io.WriteString(w, "cancelled")
	}
}

func TestStopLetsRunningRequestsFinish(t *testing.T) {
	t.Parallel()
	h := waiting{make(chan struct{}), make(chan struct{})}
	r := run(t, web.Config{Grace: time.Minute}, func(s *web.Server) { s.Handle("/slow", h) })
	type result struct {
		status int
		body   string
	}
	got := make(chan result, 1)
	go func() {
		status, _, body := r.get(t, "/slow")
		got <- result{status, body}
	}()
	<-h.began
	r.stop()
	refused := func() error { // new connections are refused, as soon as the listener is closed
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	for refused() == nil {
	}
	select {
	case err := <-r.done:
		t.Fatalf("Run returned %v while a request ran", err)
	default:
	}
	close(h.goOn)
	if res := <-got; res != (result{200, "finished"}) {
		t.Errorf("the running request got %+v; want it finished", res)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// A page that is open somewhere does not hold the stop up.
func TestStopEndsStreams(t *testing.T) {
	t.Parallel()
	h := waiting{make(chan struct{}), make(chan struct{})}
	r := run(t, web.Config{Grace: time.Hour}, func(s *web.Server) { s.Handle("/events", h) })
	ended := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/events", http.NoBody)
		if err != nil {
			ended <- err
			return
		}
		req.Header.Set("Accept", "text/event-stream")
		resp, err := r.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	<-h.began
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
}

func TestStopCancelsWhatOutlastsTheGrace(t *testing.T) {
	t.Parallel()
	h := waiting{make(chan struct{}), make(chan struct{})}
	r := run(t, web.Config{Grace: 50 * time.Millisecond}, func(s *web.Server) { s.Handle("/slow", h) })
	ended := make(chan error, 1)
	go func() {
		resp, err := r.client.Get(r.url + "/slow")
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	<-h.began
	r.stop()
	if err := <-r.done; err == nil || !strings.Contains(err.Error(), "still ran after 50ms") {
		t.Errorf("Run: %v; want an error that says what was cut off", err)
	}
	if err := <-ended; err == nil {
		t.Error("the request that was cut off got an answer; want a broken connection")
	}
}

func TestListenSaysWhy(t *testing.T) {
	t.Parallel()
	r := run(t, web.Config{}, nil)
	s := web.New(web.Config{Listen: strings.TrimPrefix(r.url, "http://")})
	if _, err := s.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Listen on a taken port: %v; want an error that says so", err)
	}
}

func BenchmarkServe(b *testing.B) {
	s := web.New(web.Config{Log: slog.New(slog.DiscardHandler)})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	s.Handle("/integra/notify", h)
	s.Handle("/metrics", h)
	w := &blank{h: http.Header{}}
	r, err := http.NewRequest("GET", "http://adapter.example/integra/notify?id=1", http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	for name, handler := range map[string]http.Handler{"bare": h, "server": web.Handler(s)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if handler.ServeHTTP(w, r); w.status != 200 {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// blank is a ResponseWriter that costs nothing.
type blank struct {
	h      http.Header
	status int
}

func (b *blank) Header() http.Header         { return b.h }
func (b *blank) WriteHeader(status int)      { b.status = status }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }

func ExampleServer() {
	s := web.New(web.Config{Listen: "127.0.0.1:0"})
	s.Handle("/hello", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }), http.MethodGet)
	s.Check("database", func(context.Context) error { return nil })
	ctx, stop := context.WithCancel(context.Background())
	if _, err := s.Listen(ctx); err != nil {
		fmt.Println(err)
	}
	stop() // in real life upon a signal
	fmt.Println(s.Run(ctx))
	// Output: <nil>
}
