package contract

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sinks is where a platform under test calls back: one listener of the suite, with a sink for
// each check that wants one.
type sinks struct {
	server *http.Server
	url    string

	mu  sync.Mutex
	all map[string]*sink
}

// sink keeps what a platform has sent to one address.
type sink struct {
	t     *T
	url   string // the address, without a slash at its end
	reply func(n int) int
	text  func(hit) string // the body of an answer; nil for none

	mu   sync.Mutex
	hits []hit
}

// hit is one message of the platform.
type hit struct {
	verb   string
	uri    string // path and query, as sent, below the sink's address
	header http.Header
	body   string
	reply  int // 0 for none
}

// newSinks listens; through, if not nil, says how the platform gets there.
func newSinks(through func(string) string) (*sinks, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	s := &sinks{url: "http://" + l.Addr().String(), all: map[string]*sink{}}
	if through != nil {
		s.url = through(s.url)
	}
	s.server = &http.Server{Handler: http.HandlerFunc(s.take), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

func (s *sinks) close() { _ = s.server.Close() }

// take keeps a message and answers as its sink says.
func (s *sinks) take(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.RequestURI, "/"), "/")
	name, query, _ := strings.Cut(name, "?")
	s.mu.Lock()
	to := s.all[name]
	s.mu.Unlock()
	if to == nil {
		http.NotFound(w, r)
		return
	}
	if query != "" {
		rest = "?" + query
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxAnswer)) // what broke off is kept as far as it came
	to.mu.Lock()
	h := hit{verb: r.Method, uri: "/" + rest, header: r.Header, body: string(body), reply: http.StatusOK}
	if to.reply != nil {
		h.reply = to.reply(len(to.hits) + 1)
	}
	to.hits = append(to.hits, h)
	to.mu.Unlock()
	to.t.record(Exchange{From: to.t.platform(), To: PartySuite, Method: "callback", At: time.Now(), Status: h.reply, Request: keep([]byte(r.Method + " " + r.RequestURI + "\r\n\r\n" + string(body)))})
	switch {
	case h.reply == 0:
		<-r.Context().Done() // until the caller gives up
	case h.reply/100 == 3:
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(h.reply)
	default:
		w.WriteHeader(h.reply)
		if to.text != nil {
			_, _ = io.WriteString(w, to.text(h))
		}
	}
}

// sink returns an address for the platform to call. reply gives the status of the answer to
// the nth message, 0 for none at all; nil is always 200.
func (t *T) sink(reply func(n int) int) *sink {
	name := t.dice.token(12) + fmt.Sprint(t.env.logins.Add(1))
	s := &sink{t: t, url: t.env.sinks.url + "/" + name, reply: reply}
	t.env.sinks.mu.Lock()
	defer t.env.sinks.mu.Unlock()
	t.env.sinks.all[name] = s
	return s
}

// got is what has come so far.
func (s *sink) got() []hit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]hit(nil), s.hits...)
}

// wait waits until n messages have come, and returns them.
func (s *sink) wait(n int) []hit {
	s.t.until(s.t.env.limits.Settle, say("%d messages at the sink", n), func() (bool, Text) {
		got := len(s.got())
		return got >= n, say("%d messages", got)
	})
	return s.got()
}

// exactly fails unless n messages have come.
func (s *sink) exactly(n int) []hit {
	got := s.got()
	if len(got) != n {
		s.t.fail(say("%d messages at the sink", n), say("%d messages", len(got)))
	}
	return got
}

// at is the platform's time, and freeze stops or releases it.
func (t *T) at() int64 {
	var clock struct {
		NowMS int64 `json:"now_ms"`
	}
	t.set(t.env.control.do(t.ctx, http.MethodGet, "/clock", nil, &clock))
	return clock.NowMS
}

func (t *T) freeze() {
	t.set(t.env.control.do(t.ctx, http.MethodPut, "/clock", map[string]any{"frozen": true}, nil))
	t.cleanup(func(ctx context.Context) {
		_ = t.env.control.do(ctx, http.MethodPut, "/clock", map[string]any{"frozen": false}, nil)
	})
}
