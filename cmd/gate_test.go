package cmd_test

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// gate stands between adapter and stand-in: it can refuse connections, let a call through and
// hold its answer back, and stop a call at a point that was chosen by number. A call that has
// come is carried out, whatever becomes of the caller.
type gate struct {
	t        *testing.T
	upstream string
	addr     string
	srv      *http.Server
	ended    chan struct{} // closed when the test ends

	mu      sync.Mutex
	holding string        // the method whose answers are held back
	held    chan struct{} // one for each answer in hand
	free    chan struct{} // closed to let held answers go
	written chan struct{} // one for each held answer that was written
	fuse    *fuse
	spoil   func(path string) fate // what becomes of the next call; nil lets all pass
}

// fate is what becomes of a call.
type fate int

const (
	passed     fate = iota
	failed          // it is answered 500 and not carried out
	failedLate      // it is carried out and answered 500
	lost            // it is carried out, and its answer lost
	refused         // it is answered 409 with a problem, and not carried out
)

// spoils decides about every call from now on; nil lets all pass.
func (g *gate) spoils(decide func(path string) fate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spoil = decide
}

func (g *gate) fate(path string) fate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.spoil == nil {
		return passed
	}
	return g.spoil(path)
}

func newGate(t *testing.T, upstream string) *gate {
	t.Helper()
	addr, err := stage.FreeAddr()
	must(t, err)
	g := &gate{
		t: t, upstream: upstream, addr: addr, ended: make(chan struct{}),
		held: make(chan struct{}, 1000), written: make(chan struct{}, 1000),
	}
	g.open()
	t.Cleanup(func() {
		close(g.ended)
		g.close()
	})
	return g
}

func (g *gate) url() string { return "http://" + g.addr }

// open lets connections in.
func (g *gate) open() {
	g.t.Helper()
	l, err := net.Listen("tcp", g.addr) //nolint:noctx // it does not wait
	must(g.t, err)
	g.srv = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func(srv *http.Server) { _ = srv.Serve(l) }(g.srv)
}

// close refuses connections, and breaks those that there are.
func (g *gate) close() { _ = g.srv.Close() }

// hold holds back the answers of a method until release.
func (g *gate) hold(method string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holding, g.free = method, make(chan struct{})
}

// release lets held answers go, and holds no more.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holding = ""
	close(g.free)
}

// A fuse burns down as calls pass through the gate, by one at each of three points: the call
// has come, it is carried out, it is answered. The call at which it ends waits there.
type fuse struct {
	left  int
	burnt chan struct{} // closed when it ends
	goOn  chan struct{} // closed to let the call go on
}

// light lights a fuse of so many points.
func (g *gate) light(points int) *fuse {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fuse = &fuse{left: points, burnt: make(chan struct{}), goOn: make(chan struct{})}
	return g.fuse
}

// point is passed by every call.
func (g *gate) point() {
	g.mu.Lock()
	f := g.fuse
	if f != nil {
		f.left--
	}
	last := f != nil && f.left == 0
	g.mu.Unlock()
	if last {
		close(f.burnt)
		g.until(f.goOn)
	}
}

// until waits for a signal, or for the end of the test.
func (g *gate) until(signal <-chan struct{}) {
	select {
	case <-signal:
	case <-g.ended:
	}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.point()
	sent, err := io.ReadAll(r.Body)
	if err != nil { // the request was lost
		panic(http.ErrAbortHandler)
	}
	fate := g.fate(r.URL.Path)
	switch fate {
	case failed:
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	case refused:
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(`{"code":"conflict","title":"Conflict","detail":"not this one"}`))
		return
	}
	req, err := http.NewRequest(r.Method, g.upstream+r.URL.RequestURI(), bytes.NewReader(sent)) //nolint:noctx // not the caller's: see above
	if err != nil {
		panic(err)
	}
	req.Header = r.Header.Clone()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil { // the answer was lost
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch fate {
	case failedLate:
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	case lost:
		panic(http.ErrAbortHandler)
	}
	g.point()
	g.mu.Lock()
	hold, free := g.holding != "" && strings.HasSuffix(r.URL.Path, g.holding), g.free
	g.mu.Unlock()
	if hold {
		g.held <- struct{}{}
		g.until(free)
		defer func() { g.written <- struct{}{} }()
	}
	maps.Copy(w.Header(), res.Header)
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).Flush()
	g.point()
}
