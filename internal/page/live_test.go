package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// stream is a ResponseWriter that notes what was written when.
type stream struct {
	header http.Header
	mu     sync.Mutex
	start  time.Time
	events []string
	broken bool
}

func newStream() *stream { return &stream{header: http.Header{}, start: time.Now()} }

func (s *stream) Header() http.Header { return s.header }
func (s *stream) WriteHeader(int)     {}
func (s *stream) Flush()              {}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return 0, errors.New("the reader is gone")
	}
	s.events = append(s.events, time.Since(s.start).String()+" "+strings.TrimSpace(string(b)))
	return len(b), nil
}

func TestLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequest(http.MethodGet, "/?live=1", nil).WithContext(ctx)
		changed := make(chan struct{}, 1)
		var text atomic.Value
		text.Store("<p>one</p>\n<p>\rtwo</p>")
		w := newStream()
		done := make(chan error, 1)
		go func() {
			done <- Live(w, r, 250*time.Millisecond, changed, func() ([]byte, error) { return []byte(text.Load().(string)), nil })
		}()
		change := func(to string) {
			synctest.Wait()
			text.Store(to)
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		change("a") // within 250 ms of the first
		change("b") // made good together with it
		time.Sleep(time.Second)
		change("c") // at once: nothing was sent for long
		time.Sleep(100 * time.Millisecond)
		change("c") // the same again
		time.Sleep(20 * time.Second)
		synctest.Wait()
		leave()
		if err := <-done; err != nil {
			t.Errorf("Live() = %v", err)
		}
		want := []string{
			"0s data: <p>one</p>\ndata: <p>\ndata: two</p>",
			"250ms data: b",
			"1s data: c",
			"1.25s :",
			"15s :",
		}
		if !slices.Equal(w.events, want) {
			t.Errorf("events %q; want %q", w.events, want)
		}
		if got := w.header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Content-Type %q", got)
		}
	})
}

func TestLiveEnds(t *testing.T) {
	t.Parallel()
	fault := errors.New("no such user any more")
	t.Run("when there is nothing to show", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if err := Live(newStream(), r, 0, nil, func() ([]byte, error) { return nil, fault }); !errors.Is(err, fault) {
			t.Errorf("Live() = %v; want %v", err, fault)
		}
	})
	t.Run("when the reader is gone", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := newStream()
		w.broken = true
		if err := Live(w, r, 0, nil, func() ([]byte, error) { return nil, nil }); err != nil {
			t.Errorf("Live() = %v", err)
		}
	})
	t.Run("when the writer cannot stream", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := struct{ http.ResponseWriter }{httptest.NewRecorder()}
		if err := Live(w, r, 0, nil, func() ([]byte, error) { return nil, nil }); err != nil {
			t.Errorf("Live() = %v", err)
		}
	})
}
