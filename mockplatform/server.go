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
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
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
	Listen        string            // address of platform traffic; "127.0.0.1:0" if ""
	ControlListen string            // address of the control API; "127.0.0.1:0" if ""
	Seed          uint64            // of all chance; equal seeds give equal runs
	Clock         clock.State       // at the start
	Partners      []integra.Partner // at the start; DemoPartner alone if nil
	Settings      *integra.Settings // at the start; integra.DefaultSettings if nil
	AnyMoney      []byte            // Any.Money's configuration at the start; anymoney.DemoConfig if nil
	Shops         []robokassa.Shop  // Robokassa's shops at the start, besides Integra's own
	Faults        []fault.Rule      // armed from the start
	Journal       journal.Config
	NotifyWorkers int          // notifications on their way at once, of each protocol; 64 if 0
	KeepPayments  int          // Integra's final payments remembered; 30,000 if 0
	KeepOrders    int          // Any.Money's orders, and Robokassa's operations, remembered; 20,000 if 0
	Namespaces    int          // how many there may be at once; 100 if 0
	Log           *slog.Logger // nowhere if nil
	Version       string       // shown by the control API; "devel" if ""
}

// Server is a stand-in with its listeners, and the World that requests reach that name no
// namespace. It is safe for concurrent use.
type Server struct {
	*World
	log        *slog.Logger
	namespaces namespaces
	platform   listener
	control    listener
}

// listener is one address and what is served there.
type listener struct {
	net.Listener
	server  *http.Server
	serving atomic.Bool
}

// New returns a server that is bound to its addresses and serves once it is Run. What is
// wrong with cfg, the error names by its field.
func New(cfg Config) (_ *Server, err error) {
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
	s := &Server{log: cfg.Log}
	if err := s.platform.listen(cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen for platform traffic: %w", err)
	}
	defer func() {
		if err != nil {
			_ = s.platform.Close()
		}
	}()
	if err := s.control.listen(cfg.ControlListen); err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	platformURL, controlURL := "http://"+s.platform.Addr().String(), "http://"+s.control.Addr().String()
	s.namespaces.most = cfg.Namespaces
	s.namespaces.worlds.Store(&map[string]*World{})
	s.namespaces.make = func(name string) (*World, error) {
		return newWorld(cfg, platformURL+namespacePath+name, controlURL+namespacePath+name, s.shared(cfg.Version))
	}
	if s.World, err = newWorld(cfg, platformURL, controlURL, s.shared(cfg.Version)); err != nil {
		_ = s.control.Close()
		return nil, err
	}
	s.namespaces.first = s.World
	s.platform.server = s.newServer(s.namespaces.handler(func(w *World) http.Handler { return w.platform }))
	s.control.server = s.newServer(s.namespaces.handler(func(w *World) http.Handler { return w.control() }))
	return s, nil
}

func (l *listener) listen(address string) (err error) {
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
	failed := make(chan error, 2)
	for _, l := range []*listener{&s.platform, &s.control} {
		l.server.BaseContext = func(net.Listener) context.Context { return requests }
		l.serving.Store(true)
		go func() {
			err := l.server.Serve(l.Listener)
			l.serving.Store(false)
			failed <- err
		}()
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
	for _, l := range []*listener{&s.platform, &s.control} {
		if err := l.server.Shutdown(stopping); err != nil {
			errs = append(errs, l.server.Close())
		}
	}
	for range 2 {
		if err := <-failed; err != nil && !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	for _, w := range s.namespaces.all() {
		w.close()
	}
	return errors.Join(errs...)
}

// healthy tells whether all listeners serve.
func (s *Server) healthy() error {
	for name, l := range map[string]*listener{"platform": &s.platform, "control": &s.control} {
		if !l.serving.Load() {
			return fmt.Errorf("the %s listener does not serve", name)
		}
	}
	return nil
}
