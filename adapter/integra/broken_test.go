package integra_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

var hundred = money.New(100_00, money.RUB)

// yes is a platform's whole answer to the confirm of payment.
var yes = func() string {
	body := `{"status":{"code":0,"message":"ok"},"error":false,"data":{"transactionId":"` + paymentID + `"}}`
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}()

// fate is what happens to the nth request (from 1) once it has arrived whole. It reports
// whether the connection lives on.
type fate func(conn *net.TCPConn, n int) (goOn bool)

// a wreck is a platform whose connections break as a test wants.
type wreck struct {
	url      string
	requests atomic.Int32 // that arrived whole
}

// newWreck listens until the test ends. early, if given, sees each connection before
// anything was read from it and reports whether to read.
func newWreck(t testing.TB, early func(*net.TCPConn) bool, f fate) *wreck {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wreck{url: "http://" + l.Addr().String()}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				tcp := conn.(*net.TCPConn)
				if early != nil && !early(tcp) {
					return
				}
				in := bufio.NewReader(conn)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_ = r.Body.Close()
					if !f(tcp, int(w.requests.Add(1))) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return w
}

// reset breaks a connection so that the other side notices.
func reset(c *net.TCPConn) bool {
	_ = c.SetLinger(0)
	return false
}

// hang says nothing until the other side gives up.
func hang(c *net.TCPConn) bool {
	_, _ = io.Copy(io.Discard, c)
	return false
}

func write(text string) fate {
	return func(c *net.TCPConn, _ int) bool {
		_, _ = c.Write([]byte(text))
		return false
	}
}

func TestBrokenAnswersAreUnknown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		early    func(*net.TCPConn) bool
		fate     fate
		timeout  time.Duration
		requests int32
	}{
		{name: "closed before it is read", early: func(*net.TCPConn) bool { return false }},
		{name: "reset while it is read", early: func(c *net.TCPConn) bool {
			_, _ = c.Read(make([]byte, 1)) // any sooner, and it may count as no connection
			return reset(c)
		}},
		{name: "closed after it was read", fate: func(*net.TCPConn, int) bool { return false }, requests: 1},
		{name: "reset after it was read", fate: func(c *net.TCPConn, _ int) bool { return reset(c) }, requests: 1},
		{name: "half a status line", fate: write("HTTP/1.1 20"), requests: 1},
		{name: "half a header", fate: write(yes[:40]), requests: 1},
		{name: "half a body", fate: write(yes[:len(yes)-10]), requests: 1},
		{name: "header and nothing", fate: write(yes[:strings.Index(yes, "{")]), requests: 1},
		{name: "chunks that end early", fate: write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"sta\r\n"), requests: 1},
		{name: "another protocol", fate: write("SSH-2.0-OpenSSH_9.2\r\n"), requests: 1},
		{name: "an answer, then a reset in the middle", fate: func(c *net.TCPConn, _ int) bool {
			_, _ = c.Write([]byte(yes[:len(yes)-10]))
			return reset(c)
		}, requests: 1},
		{name: "no answer", fate: func(c *net.TCPConn, _ int) bool { return hang(c) }, timeout: 100 * time.Millisecond, requests: 1},
		{name: "half an answer, then nothing", fate: func(c *net.TCPConn, _ int) bool {
			_, _ = c.Write([]byte(yes[:len(yes)-10]))
			return hang(c)
		}, timeout: 100 * time.Millisecond, requests: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWreck(t, tt.early, tt.fate)
			c, _ := newClient(t, w.url, func(cfg *integra.ClientConfig) {
				if tt.timeout > 0 {
					cfg.Timeout = tt.timeout
				}
			})
			o := c.Call(t.Context(), payment(t, adapter.TopUp, adapter.Reserved))
			if o.Verdict != adapter.Unknown || o.Detail == "" || strings.Contains(o.Detail, "zaa") {
				t.Errorf("Call = %+v; want unknown, with a reason and without the address", o)
			}
			if got := w.requests.Load(); got != tt.requests {
				t.Errorf("%d requests arrived, want %d", got, tt.requests)
			}
		})
	}
}

func TestAWholeAnswerCountsWhateverFollows(t *testing.T) {
	t.Parallel()
	w := newWreck(t, nil, write(yes))
	c, _ := newClient(t, w.url, nil)
	if o := c.Call(t.Context(), payment(t, adapter.TopUp, adapter.Reserved)); o.Verdict != adapter.Accepted {
		t.Errorf("Call = %+v; want accepted", o)
	}
}

func TestWithoutConnectionNothingIsSent(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	silent := newWreck(t, nil, func(*net.TCPConn, int) bool { return false })
	mute := newWreck(t, hang, nil)
	tests := []struct {
		name, url string
		ctx       func(context.Context) (context.Context, context.CancelFunc)
		timeout   time.Duration
		says      string
	}{
		{name: "nobody listens", url: "http://127.0.0.1:1", says: "refused"},
		{name: "no such host", url: "http://platform.invalid", says: "platform.invalid"},
		{name: "certificate of a stranger", url: secure.URL, says: "certificate"},
		{name: "no TLS there", url: strings.Replace(silent.url, "http:", "https:", 1)},
		{name: "TLS handshake hangs", url: strings.Replace(mute.url, "http:", "https:", 1), timeout: 100 * time.Millisecond, says: "timed out"},
		{name: "given up before", url: silent.url, ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, says: "canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _ := newClient(t, tt.url, func(cfg *integra.ClientConfig) {
				if tt.timeout > 0 {
					cfg.Timeout = tt.timeout
				}
			})
			ctx := t.Context()
			if tt.ctx != nil {
				var cancel context.CancelFunc
				ctx, cancel = tt.ctx(ctx)
				defer cancel()
			}
			o := c.Call(ctx, payment(t, adapter.TopUp, adapter.Reserved))
			if o.Verdict != adapter.NotSent || !strings.Contains(o.Detail, tt.says) || strings.Contains(o.Detail, "zaa") {
				t.Errorf("Call = %+v; want not sent, saying %q, without the address", o, tt.says)
			}
		})
	}
}

// TestKeptConnectionThatBreaksHidesNoSecondCall: on a connection that was used before,
// net/http repeats what it holds to be idempotent when the platform hangs up instead of
// answering. The control shows that it does so with a GET; with our POST it must not.
func TestKeptConnectionThatBreaksHidesNoSecondCall(t *testing.T) {
	t.Parallel()
	breaks := map[string]func(*net.TCPConn) bool{
		"closed": func(*net.TCPConn) bool { return false },
		"reset":  reset,
	}
	for name, end := range breaks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := func(c *net.TCPConn, n int) bool {
				if n == 2 {
					return end(c)
				}
				_, _ = c.Write([]byte(yes))
				return true
			}
			w := newWreck(t, nil, second)
			c, _ := newClient(t, w.url, nil)
			p := payment(t, adapter.TopUp, adapter.Reserved)
			if o := c.Call(t.Context(), p); o.Verdict != adapter.Accepted {
				t.Fatalf("first Call = %+v; want accepted", o)
			}
			if o := c.Call(t.Context(), p); o.Verdict != adapter.Unknown {
				t.Errorf("second Call = %+v; want unknown", o)
			}
			if got := w.requests.Load(); got != 2 {
				t.Errorf("%d requests arrived, want 2: net/http repeated one", got)
			}

			control := newWreck(t, nil, second)
			c, _ = newClient(t, control.url, nil)
			for range 2 {
				r, err := c.HTTP().Get(control.url)
				if err != nil {
					t.Fatalf("control: %v", err)
				}
				_, _ = bufio.NewReader(r.Body).ReadString('\n')
				_ = r.Body.Close()
			}
			if got := control.requests.Load(); got != 3 {
				t.Errorf("control: %d requests arrived, want 3: this test would not notice a repeat", got)
			}
		})
	}
}

// deaf is a connection that fails every write once it is told to, before a byte has left.
type deaf struct {
	net.Conn
	now *atomic.Bool
}

func (d deaf) Write(p []byte) (int, error) {
	if d.now.Load() {
		return 0, errors.New("broken pipe")
	}
	return d.Conn.Write(p)
}

// TestStaleConnectionIsReplaced: when not a byte could be written to a kept connection,
// net/http takes another one, and what counts is what becomes of that.
func TestStaleConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	for _, reachable := range []bool{true, false} {
		t.Run(fmt.Sprintf("reachable %t", reachable), func(t *testing.T) {
			t.Parallel()
			w := newWreck(t, nil, func(c *net.TCPConn, _ int) bool {
				_, _ = c.Write([]byte(yes))
				return true
			})
			c, _ := newClient(t, w.url, nil)
			var broken atomic.Bool
			transport := c.HTTP().Transport.(*http.Transport)
			var dials atomic.Int32
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				n := dials.Add(1)
				if n > 1 && !reachable {
					return nil, errors.New("no route to host")
				}
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				if n > 1 {
					return conn, err
				}
				return deaf{conn, &broken}, err
			}
			p := payment(t, adapter.TopUp, adapter.Reserved)
			if o := c.Call(t.Context(), p); o.Verdict != adapter.Accepted {
				t.Fatalf("first Call = %+v; want accepted", o)
			}
			broken.Store(true)
			o := c.Call(t.Context(), p)
			want, requests := adapter.NotSent, int32(1)
			if reachable {
				want, requests = adapter.Accepted, 2
			}
			if got := w.requests.Load(); o.Verdict != want || got != requests || dials.Load() != 2 {
				t.Errorf("second Call = %+v after %d requests and %d connections; want %s, %d and 2", o, got, dials.Load(), want, requests)
			}
		})
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	w := newWreck(t, nil, func(c *net.TCPConn, _ int) bool {
		_, _ = c.Write([]byte(yes))
		return true
	})
	var dials atomic.Int32
	c, _ := newClient(t, w.url, nil)
	transport := c.HTTP().Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, addr)
	}
	for range 10 {
		if o := c.Call(t.Context(), payment(t, adapter.TopUp, adapter.Reserved)); o.Verdict != adapter.Accepted {
			t.Fatalf("Call = %+v; want accepted", o)
		}
	}
	if got := dials.Load(); got != 1 {
		t.Errorf("%d connections for 10 calls in a row, want 1", got)
	}
}

func TestRedirectionIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var requests atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			http.Redirect(w, r, "/elsewhere", status)
		}))
		t.Cleanup(s.Close)
		c, _ := newClient(t, s.URL, nil)
		o := c.Call(t.Context(), payment(t, adapter.TopUp, adapter.Reserved))
		if got := requests.Load(); o.Verdict != adapter.Unknown || got != 1 {
			t.Errorf("%d: Call = %+v after %d requests; want unknown after 1", status, o, got)
		}
	}
}

func TestHTTP1Only(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"status":{"code":0,"message":"ok"},"error":false,"data":%q}`, r.Proto)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	c, _ := newClient(t, s.URL, nil)
	c.HTTP().Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	if got, err := c.Hello(t.Context(), "x"); got != "HTTP/1.1" || err != nil {
		t.Errorf("spoke %q, %v; want HTTP/1.1: HTTP/2 repeats requests by rules of its own", got, err)
	}
}
