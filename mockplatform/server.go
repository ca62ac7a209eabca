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
// The packages below are the parts: integra and anymoney the protocols, clock and dice its time and
// chance, journal the record, control the API. This one joins them and owns the listeners.
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

	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/control"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/webui"
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
	Faults        []fault.Rule      // armed from the start
	Journal       journal.Config
	NotifyWorkers int          // notifications on their way at once, of each protocol; 64 if 0
	KeepPayments  int          // Integra's final payments remembered; 30,000 if 0
	KeepOrders    int          // Any.Money's orders remembered; 20,000 if 0
	Log           *slog.Logger // nowhere if nil
	Version       string       // shown by the control API; "devel" if ""
}

// Server is a stand-in with its listeners. It is safe for concurrent use.
type Server struct {
	log      *slog.Logger
	clock    *clock.Clock
	dice     *dice.Dice
	journal  *journal.Journal
	faults   *fault.Set
	integra  *integra.Platform
	anymoney *anymoney.Platform
	platform listener
	control  listener
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
	settings := integra.DefaultSettings()
	if cfg.Settings != nil {
		settings = *cfg.Settings
	}
	if cfg.Version == "" {
		cfg.Version = "devel"
	}
	s := &Server{log: cfg.Log, dice: dice.New(cfg.Seed), journal: journal.New(cfg.Journal)}
	if s.clock, err = clock.New(cfg.Clock); err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	s.faults, err = fault.New(fault.Config{
		Clock: s.clock, Seed: cfg.Seed, Rules: cfg.Faults,
		Protocols: []fault.Protocol{integra.Faults(), anymoney.Faults()},
	})
	if err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	s.integra, err = integra.New(integra.Config{
		Clock: s.clock, Dice: s.dice, Journal: s.journal, Faults: s.faults, Log: cfg.Log,
		Partners: cfg.Partners, Settings: settings,
		Workers: cfg.NotifyWorkers, KeepPayments: cfg.KeepPayments,
	})
	if err != nil {
		return nil, fmt.Errorf("integra: %w", err)
	}
	if err := s.platform.listen(cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen for platform traffic: %w", err)
	}
	if err := s.control.listen(cfg.ControlListen); err != nil {
		_ = s.platform.Close()
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	s.anymoney, err = anymoney.New(anymoney.Config{ // now that its pages have an address
		Clock: s.clock, Dice: s.dice, Journal: s.journal, Faults: s.faults, Log: cfg.Log,
		Document: cfg.AnyMoney, SCIBase: s.PlatformURL() + anymoney.PathSCI,
		Workers: cfg.NotifyWorkers, KeepOrders: cfg.KeepOrders,
	})
	if err != nil {
		_, _ = s.platform.Close(), s.control.Close()
		return nil, fmt.Errorf("anymoney: %w", err)
	}
	s.platform.server = s.newServer(s.platformHandler())
	s.control.server = s.newServer(s.controlHandler(cfg.Version))
	return s, nil
}

func (l *listener) listen(address string) (err error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	l.Listener, err = net.Listen("tcp", address)
	return err
}

// platformHandler is what partners and users reach.
func (s *Server) platformHandler() http.Handler {
	r := mux.NewRouter().SkipClean(true) // an odd path is journalled, not redirected
	r.PathPrefix(page.AssetPrefix).Handler(page.Assets())
	s.anymoney.Mount(r)
	s.integra.Mount(r) // last: it takes what is left, to be journalled
	return r
}

// controlHandler is what tests and developers reach.
func (s *Server) controlHandler(version string) http.Handler {
	r := mux.NewRouter().SkipClean(true) // a name in a path may be ".."
	r.PathPrefix(page.AssetPrefix).Handler(page.Assets())
	webui.Mount(r, webui.Config{Clock: s.clock, Journal: s.journal, Integra: s.integra, Log: s.log})
	control.Mount(r, control.Config{
		Clock: s.clock, Journal: s.journal, Faults: s.faults, Integra: s.integra, AnyMoney: s.anymoney,
		Reset: s.Reset, Healthy: s.healthy, Version: version,
	})
	return r
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
	endRequests()    // ends streams
	s.faults.Close() // ends answers that hang on purpose
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
	s.close()
	return errors.Join(errs...)
}

// close releases what is not a listener.
func (s *Server) close() {
	s.integra.Close()
	s.anymoney.Close()
	s.clock.Close()
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

// PlatformURL is the address of platform traffic, without a slash at its end.
func (s *Server) PlatformURL() string { return "http://" + s.platform.Addr().String() }

// ControlURL is the address of the control API, without a slash at its end.
func (s *Server) ControlURL() string { return "http://" + s.control.Addr().String() }

// Seed is the number from which all chance follows.
func (s *Server) Seed() uint64 { return s.dice.Seed() }

// Clock is the virtual time.
func (s *Server) Clock() *clock.Clock { return s.clock }

// Journal is the record of every exchange.
func (s *Server) Journal() *journal.Journal { return s.journal }

// Integra is the platform with its users and payments.
func (s *Server) Integra() *integra.Platform { return s.integra }

// AnyMoney is the platform with its merchants and orders.
func (s *Server) AnyMoney() *anymoney.Platform { return s.anymoney }

// Faults is the rules about what goes wrong.
func (s *Server) Faults() *fault.Set { return s.faults }

// Reset goes back to the state after the start: seed, clock, settings, partners, faults, no
// users, no orders, an empty journal. Notifications on their way are broken off, and so are
// calls that a fault lets wait.
func (s *Server) Reset() {
	s.faults.Reset()
	s.integra.Reset(func() {
		s.anymoney.Reset(func() {
			s.clock.Reset()
			s.dice.Reset()
			s.journal.Reset()
		})
	})
}
