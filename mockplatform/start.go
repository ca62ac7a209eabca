package mockplatform

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// TB is what Start needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// An Option edits the Config that Start begins with. What has no Option below is one line:
//
//	mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.KeepPayments = 10 })
type Option = func(*Config)

// Start runs a server on random loopback ports until the test ends, when it waits for
// everything that the server started. Every server is a world of its own, so tests can run
// in parallel. Its seed is 1 unless an option gives another.
func Start(t TB, options ...Option) *Server {
	t.Helper()
	cfg := Config{Seed: 1}
	for _, option := range options {
		option(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatalf("start mockplatform: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Logf("mockplatform, seed %d: %v", cfg.Seed, err)
		}
	})
	return s
}

// WithSeed gives the number from which all chance follows.
func WithSeed(seed uint64) Option { return func(cfg *Config) { cfg.Seed = seed } }

// WithFrozenClock lets time stand still until Clock().Advance moves it. It begins at now, or
// at the real time if now is zero.
func WithFrozenClock(now time.Time) Option {
	return func(cfg *Config) { cfg.Clock.Now, cfg.Clock.Frozen = now, true }
}

// WithPartners adds partners of Integra to DemoPartner.
func WithPartners(partners ...integra.Partner) Option {
	return func(cfg *Config) {
		if cfg.Partners == nil {
			cfg.Partners = []integra.Partner{DemoPartner}
		}
		cfg.Partners = append(cfg.Partners, partners...)
	}
}

// WithShops adds shops of Robokassa to Integra's own.
func WithShops(shops ...robokassa.Shop) Option {
	return func(cfg *Config) { cfg.Shops = append(cfg.Shops, shops...) }
}

// WithFaults arms rules about what goes wrong.
func WithFaults(rules ...fault.Rule) Option {
	return func(cfg *Config) { cfg.Faults = append(cfg.Faults, rules...) }
}

// WithTLS serves platform traffic over TLS as well, see Server.TLSURL and Server.Authority.
func WithTLS() Option { return func(cfg *Config) { cfg.TLSListen = "127.0.0.1:0" } }

// WithScenario plays a scenario's file from the start, and from every Reset. Each of vars is
// "NAME=text" for a ${NAME} in the file, before what the environment says.
func WithScenario(file string, vars ...string) Option {
	return func(cfg *Config) {
		cfg.Scenarios = append(cfg.Scenarios, Script{File: file, Env: func(name string) (string, bool) {
			for _, v := range vars {
				if text, ok := strings.CutPrefix(v, name+"="); ok {
					return text, true
				}
			}
			return os.LookupEnv(name)
		}})
	}
}
