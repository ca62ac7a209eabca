package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

// A database that can be read but not written is no database that is ready, and it is ready
// again once it can.
func TestPingAfterAWriteThatFailed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, err := Open(t.Context(), Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "a.db"), Migrate: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	e := s.db.(audited).engine.(*sqliteEngine)
	add := func() error {
		return s.AddUsers(t.Context(), []adapter.User{{Hash: "0123456789abcdef0123456789abcdef", Login: "a"}})
	}
	if err := e.pragma(t.Context(), "query_only = 1"); err != nil {
		t.Fatal(err)
	}
	if add() == nil || s.Ping(t.Context()) == nil {
		t.Errorf("ready with a database that takes no writes: %v", s.Ping(t.Context()))
	}
	now = now.Add(shutFor)
	if s.Ping(t.Context()) == nil {
		t.Error("ready later, though nothing can be written")
	}
	if err := e.pragma(t.Context(), "query_only = 0"); err != nil {
		t.Fatal(err)
	}
	if s.Ping(t.Context()) == nil {
		t.Error("ready at once, as a full disk can seem to be after a small write")
	}
	now = now.Add(shutFor)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("not ready with a database that takes writes again: %v", err)
	}
	if err := add(); err != nil {
		t.Error(err)
	}
}
