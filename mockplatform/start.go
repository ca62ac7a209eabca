package mockplatform

import "context"

// TB is what Start needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Start runs a server on random loopback ports until the test ends, when it waits for
// everything that the server started. Every server is a world of its own, so tests can run
// in parallel. Options edit the Config: its seed is 1 unless they give another.
func Start(t TB, options ...func(*Config)) *Server {
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
