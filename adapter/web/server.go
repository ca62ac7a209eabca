// Package web is the adapter's front door: one listener with its limits, the health and
// metrics pages, and whatever handlers it is given. It also says how the adapter logs.
//
// Every request passes here, notifications included, so what is wrapped around a handler is
// kept down to what every answer needs: limits, a few headers, and a net under panics. A Gate
// stands before the handlers that need one.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/gorilla/mux"
	"go.opentelemetry.io/otel/trace"
)

// Config is how a server listens; zero fields take the defaults.
type Config struct {
	Listen        string        // host:port; port 0 takes a free one; 127.0.0.1:8080
	HeaderTimeout time.Duration // for a request's header; 5 s
	ReadTimeout   time.Duration // for a whole request; 10 s
	WriteTimeout  time.Duration // from the end of the header to the end of the answer; 30 s
	IdleTimeout   time.Duration // for an idle connection; 2 min, longer than proxies keep theirs
	MaxHeader     int           // bytes of a request's header; 16 KiB
	MaxBody       int64         // bytes of a request's body, where the handler sets no lower limit; 1 MiB
	Grace         time.Duration // for running requests to finish once the server stops; 10 s
	CertFile      string        // the certificate with its chain, PEM; "" for plain HTTP
	KeyFile       string        // its key, PEM
	Proxies       Proxies       // who is believed about whom a request comes from
	Now           func() time.Time
	Tracers       trace.TracerProvider // nil for no traces
	Log           *slog.Logger         // slog.Default
}

// A Server serves the routes it was given. Set it up, Listen, then Run.
type Server struct {
	cfg      Config
	router   *mux.Router
	handler  http.Handler // the router, traced or not
	listener net.Listener
	checks   []check
	tls      *certificate // nil for plain HTTP
}

// New returns a server with /healthz and /readyz.
func New(cfg Config) *Server {
	cfg.Listen = cmp.Or(cfg.Listen, "127.0.0.1:8080")
	cfg.HeaderTimeout = cmp.Or(cfg.HeaderTimeout, 5*time.Second)
	cfg.ReadTimeout = cmp.Or(cfg.ReadTimeout, 10*time.Second)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, 30*time.Second)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, 2*time.Minute)
	cfg.MaxHeader = cmp.Or(cfg.MaxHeader, 16<<10)
	cfg.MaxBody = cmp.Or(cfg.MaxBody, 1<<20)
	cfg.Grace = cmp.Or(cfg.Grace, 10*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, router: mux.NewRouter().SkipClean(true)}
	s.handler = s.router
	if cfg.Tracers != nil {
		s.handler = traced(s.router, cfg.Tracers)
	}
	s.Handle("/healthz", http.HandlerFunc(s.serveHealth), http.MethodGet, http.MethodHead)
	s.Handle("/readyz", http.HandlerFunc(s.serveReady), http.MethodGet, http.MethodHead)
	return s
}

// Handle mounts a handler at a path in gorilla/mux's notation, for the given methods or,
// without any, for all. Paths are taken as they come: an odd one is not cleaned and redirected, but
// for the handler to judge. Call it before Run.
func (s *Server) Handle(path string, h http.Handler, methods ...string) {
	route := s.router.Handle(path, h)
	if len(methods) > 0 {
		route.Methods(methods...)
	}
}

// Listen reads the certificate, if there is one, and takes the address, so that whoever starts
// the server knows that it is free and which port it became. Connections wait until Run.
func (s *Server) Listen(ctx context.Context) (_ net.Addr, err error) {
	if s.cfg.CertFile != "" || s.cfg.KeyFile != "" {
		if s.tls, err = newCertificate(s.cfg.CertFile, s.cfg.KeyFile, s.cfg.Now, s.cfg.Log); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.listener = l
	return l.Addr(), nil
}

// Run serves until ctx is done. Then it stops in two stages: it takes no new connection and
// lets running requests finish; what still runs after the grace period is cancelled and cut
// off, which is an error. Streams of events, which have no end of their own, are ended at once.
// Listen must have succeeded.
func (s *Server) Run(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") == "text/event-stream" { // as every EventSource says
				stream, end := context.WithCancel(r.Context())
				defer end()
				defer context.AfterFunc(ctx, end)()
				r = r.WithContext(stream)
			}
			s.serve(w, r)
		}),
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		ReadTimeout:       s.cfg.ReadTimeout,
		WriteTimeout:      s.cfg.WriteTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeader,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return hard },
	}
	stopped := make(chan error, 1)
	served := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-served:
			stopped <- nil
			return
		}
		grace, done := context.WithTimeout(hard, s.cfg.Grace)
		defer done()
		err := srv.Shutdown(grace)
		if err != nil {
			err = errors.Join(fmt.Errorf("requests still ran after %s", s.cfg.Grace), srv.Close())
		}
		stopped <- err
	}()
	var err error
	if s.tls != nil {
		srv.TLSConfig = s.tls.config()
		err = srv.ServeTLS(s.listener, "", "")
	} else {
		err = srv.Serve(s.listener)
	}
	close(served)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if err = errors.Join(err, <-stopped); err != nil {
		return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
	}
	return nil
}

// Values of the headers that every answer carries. A page that may be framed, cached or
// styled says so itself. They are shared, never changed.
var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"} // addresses of ours can hold a notify token
	noStore    = []string{"no-store"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
	sameOrigin = []string{"same-origin"}      // no other site takes in what is here
	onlyTLS    = []string{"max-age=31536000"} // a year, this host alone
)

// serve is the way of every request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	t := &tracker{ResponseWriter: w}
	defer func() {
		if fault := recover(); fault != nil {
			s.recovered(t, r, fault)
		}
	}()
	h := w.Header()
	h["X-Content-Type-Options"] = noSniff
	h["Referrer-Policy"] = noReferrer
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = noContent
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	if r.TLS != nil {
		h["Strict-Transport-Security"] = onlyTLS
	}
	if len(s.cfg.Proxies.Trusted) > 0 { // from here on, RemoteAddr is the client's
		r.RemoteAddr = netip.AddrPortFrom(s.cfg.Proxies.Client(r), 0).String()
	}
	if r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, s.cfg.MaxBody)
	}
	s.handler.ServeHTTP(t, r)
}

// recovered ends a request whose handler panicked: with a 500 if nothing was answered yet,
// by cutting the connection otherwise, since half an answer must not look like a whole one.
func (s *Server) recovered(t *tracker, r *http.Request, fault any) {
	if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares it likewise
		panic(fault)
	}
	s.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "request panicked",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), // the path alone: queries hold tokens
		slog.Any("panic", fault), slog.String("stack", string(debug.Stack())))
	if t.begun {
		panic(http.ErrAbortHandler)
	}
	http.Error(t, "internal error", http.StatusInternalServerError)
}

// tracker notes whether an answer has begun.
type tracker struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader notes that the answer begins.
func (t *tracker) WriteHeader(status int) {
	t.begun = t.begun || status >= http.StatusOK // 1xx comes before the answer
	t.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer begins.
func (t *tracker) Write(p []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(p)
}

// Flush serves event streams, which ask for an http.Flusher.
func (t *tracker) Flush() {
	t.begun = true
	_ = http.NewResponseController(t.ResponseWriter).Flush()
}

// Unwrap serves http.ResponseController.
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }
