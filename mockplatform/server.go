// Package mockplatform is the stand-in: platforms that behave like the real ones, for
// developers and for tests, with a virtual clock, a journal of every exchange and a control
// API.
//
// A test needs three lines:
//
//	platform := mockplatform.Start(t)
//	key, err := platform.Integra().Register(mockplatform.DemoPartner.Hash, integra.CreateUserArgs{…})
//	… platform.PlatformURL() …
//
// The packages below are the parts: integra, anymoney and robokassa the protocols, clock and
// dice its time and chance, journal the record, control the API. This one joins them and owns the listeners.
package mockplatform

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/partnerkit/partnerkit/mockplatform/authority"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/hosts"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// DemoPartner is the partner that a server knows from the start, unless Config names
// others. Its key is public, and good for nothing else. It answers under "iframe" as well.
var DemoPartner = integra.Partner{
	Hash:   "c9cb3d6a7f7b802f170ca8a166c1375e",
	Key:    "c4zw42fve9dptsmncamky4xu3fe7e2ta0uufnvblaxsasohbhgw",
	Path:   "partners/acme",
	Cipher: "simple",
}

// Config describes a server. The zero Config is one on random loopback ports, in real time,
// with the demo partner.
type Config struct {
	Listen        string               // address of platform traffic; "127.0.0.1:0" if ""
	ControlListen string               // address of the control API; "127.0.0.1:0" if ""
	TLSListen     string               // address of platform traffic over TLS; "" for none
	Authority     *authority.Authority // signs for TLS; one of its own if nil
	Seed          uint64               // of all chance; equal seeds give equal runs
	Clock         clock.State          // at the start
	Partners      []integra.Partner    // at the start; DemoPartner alone if nil
	Settings      *integra.Settings    // at the start; integra.DefaultSettings if nil
	AnyMoney      []byte               // Any.Money's configuration at the start; anymoney.DemoConfig if nil
	Shops         []robokassa.Shop     // Robokassa's shops at the start, besides Integra's own
	Faults        []fault.Rule         // armed from the start
	Scenarios     []Script             // played from the start, on top of the rest; one for each namespace, and one for all others
	Journal       journal.Config
	NotifyWorkers int           // notifications on their way at once, of each protocol; 64 if 0
	KeepPayments  int           // Integra's final payments remembered; 30,000 if 0
	KeepOrders    int           // Any.Money's orders, and Robokassa's operations, remembered; 20,000 if 0
	Data          string        // file that keeps everything between runs; "" for none
	Namespaces    int           // how many there may be at once; 100 if 0
	NamespaceIdle time.Duration // real time without use after which one makes room for another when there are so many; 10 minutes if 0
	Log           *slog.Logger  // nowhere if nil
	Version       string        // shown by the control API; "devel" if ""
}

// Server is a stand-in with its listeners, and the World that requests reach that name no
// namespace. It is safe for concurrent use.
type Server struct {
	*World
	log        *slog.Logger
	namespaces namespaces
	platform   listener
	control    listener
	tls        listener // platform traffic, over TLS; nil without
	authority  *authority.Authority
	data       string       // file; "" for none
	lock       *flock.Flock // of the file; nil without
}

// listener is one address and what is served there.
type listener struct {
	net.Listener
	name    string
	server  *http.Server
	serving atomic.Bool
}

// withDefaults is the configuration with what it leaves out.
func (cfg Config) withDefaults() Config {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Partners == nil {
		cfg.Partners = []integra.Partner{DemoPartner}
	}
	if cfg.Settings == nil {
		cfg.Settings = new(integra.DefaultSettings())
	}
	if cfg.Version == "" {
		cfg.Version = "devel"
	}
	if cfg.Namespaces == 0 {
		cfg.Namespaces = 100
	}
	if cfg.NamespaceIdle == 0 {
		cfg.NamespaceIdle = 10 * time.Minute
	}
	return cfg
}

// New returns a server that is bound to its addresses and serves once it is Run. What is
// wrong with cfg, the error names by its field.
func New(cfg Config) (_ *Server, err error) {
	cfg = cfg.withDefaults()
	scripts, err := scenarios(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{log: cfg.Log}
	defer func() {
		if err == nil {
			return
		}
		for _, l := range s.listeners() {
			_ = l.Close()
		}
		if s.World != nil {
			for _, w := range s.namespaces.all() {
				w.close()
			}
		}
	}()
	if err := s.platform.listen("platform", cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen for platform traffic: %w", err)
	}
	if err := s.control.listen("control", cfg.ControlListen); err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	if err := s.listenTLS(cfg); err != nil {
		return nil, err
	}
	platformURL, controlURL := "http://"+s.platform.Addr().String(), "http://"+s.control.Addr().String()
	loading := true // the worlds that come into being are those of a file
	s.namespaces.most, s.namespaces.unused, s.namespaces.log = cfg.Namespaces, cfg.NamespaceIdle, cfg.Log
	s.namespaces.worlds.Store(&map[string]*World{})
	s.namespaces.make = func(name string) (*World, error) {
		w, err := newWorld(cfg, name, platformURL+namespacePath+name, controlURL+namespacePath+name, s.shared(cfg.Version))
		if err != nil {
			return nil, err
		}
		if w.scenario = scripts[name]; w.scenario == nil {
			w.scenario = scripts[""]
		}
		if !loading {
			w.begin()
		}
		return w, nil
	}
	if s.World, err = newWorld(cfg, "", platformURL, controlURL, s.shared(cfg.Version)); err != nil {
		return nil, err
	}
	s.namespaces.first, s.scenario = s.World, scripts[""]
	found, err := s.openData(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	loading = false
	if !found {
		s.begin()
	} else if len(scripts) > 0 {
		s.log.Info("what the file keeps goes on; a scenario begins there at the next reset", "file", cfg.Data)
	}
	for name := range scripts {
		if name != "" {
			if _, err := s.Namespace(name); err != nil {
				return nil, err
			}
		}
	}
	s.platform.server = s.newServer(s.namespaces.handler(func(w *World) http.Handler { return w.platform }))
	s.tls.server = s.newServer(s.platform.server.Handler)
	s.control.server = s.newServer(s.namespaces.handler(func(w *World) http.Handler { return w.control() }))
	return s, nil
}

// openData brings back the state of the latest run, if there is one, and keeps other processes
// from the file.
func (s *Server) openData(path string) (found bool, err error) {
	if path == "" {
		return false, nil
	}
	lock := flock.New(path + ".lock")
	switch mine, err := lock.TryLock(); {
	case err != nil:
		return false, err
	case !mine:
		return false, fmt.Errorf("%s is in use by another stand-in", path)
	}
	if err = tidy(path); err == nil {
		found, err = s.loadFile(path)
	}
	if err != nil {
		_ = lock.Unlock()
		return false, err
	}
	s.data, s.lock, s.namespaces.counted = path, lock, true
	return found, nil
}

// listenTLS listens for platform traffic over TLS if that is wanted. It is HTTP/1.1 as without,
// so that faults do the same to a connection.
func (s *Server) listenTLS(cfg Config) (err error) {
	if cfg.TLSListen == "" {
		return nil
	}
	s.authority = cfg.Authority
	if s.authority == nil {
		if s.authority, err = authority.New(hosts.Domains(), time.Now()); err != nil {
			return fmt.Errorf("certificate authority: %w", err)
		}
	}
	config, err := s.authority.Server(hosts.Names(), time.Now())
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if err := s.tls.listen("TLS", cfg.TLSListen); err != nil {
		return fmt.Errorf("listen for platform traffic over TLS: %w", err)
	}
	s.tls.Listener = tls.NewListener(s.tls.Listener, config)
	return nil
}

// listeners are those that are there.
func (s *Server) listeners() (all []*listener) {
	for _, l := range []*listener{&s.platform, &s.control, &s.tls} {
		if l.Listener != nil {
			all = append(all, l)
		}
	}
	return all
}

func (l *listener) listen(name, address string) (err error) {
	l.name = name
	if address == "" {
		address = "127.0.0.1:0"
	}
	l.Listener, err = net.Listen("tcp", address)
	return err
}

func (s *Server) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    2 << 20, // an address that is too long is still journalled
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// stopWithin is how long requests in progress may take to end.
const stopWithin = 5 * time.Second

// Run serves until ctx is done, then ends what is in progress and releases everything. It
// is called once. The error is nil unless a listener failed.
func (s *Server) Run(ctx context.Context) error {
	requests, endRequests := context.WithCancel(context.Background())
	defer endRequests()
	listeners := s.listeners()
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		l.server.BaseContext = func(net.Listener) context.Context { return requests }
		l.serving.Store(true)
		go func() {
			err := l.server.Serve(l.Listener)
			l.serving.Store(false)
			failed <- err
		}()
	}
	saving, saved := make(chan struct{}), make(chan error, 1)
	if s.data != "" {
		go func() { saved <- s.keepSaving(s.data, saving) }()
	}
	var errs []error
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case err := <-failed:
		errs = append(errs, err)
		failed <- nil // it will not come again
	}
	endRequests() // ends streams
	for _, w := range s.namespaces.all() {
		w.interrupt()
	}
	stopping, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	for _, l := range listeners {
		if err := l.server.Shutdown(stopping); err != nil {
			errs = append(errs, l.server.Close())
		}
	}
	for range listeners {
		if err := <-failed; err != nil && !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	if s.data != "" {
		close(saving)
		errs = append(errs, <-saved, s.lock.Unlock())
	}
	for _, w := range s.namespaces.all() {
		w.close()
	}
	return errors.Join(errs...)
}

// healthy tells whether all listeners serve.
func (s *Server) healthy() error {
	for _, l := range s.listeners() {
		if !l.serving.Load() {
			return fmt.Errorf("the %s listener does not serve", l.name)
		}
	}
	return nil
}

// TLSURL is the address of platform traffic over TLS, "" without.
func (s *Server) TLSURL() string {
	if s.tls.Listener == nil {
		return ""
	}
	return "https://" + s.tls.Addr().String()
}

// Authority is who signed the certificate of the TLS address; nil without.
func (s *Server) Authority() *authority.Authority { return s.authority }
