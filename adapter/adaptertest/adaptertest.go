// Package adaptertest is for tests only: databases for them, a clock that is set by hand,
// and the suite that the store passes on every engine.
//
// There is no store in memory here. SQLite in a temporary folder and a private PostgreSQL
// are quick enough to be used wherever a test needs a store, and a third implementation
// would only be one more thing to be wrong.
package adaptertest

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/contract/money"
)

// SQLite returns the name of a fresh database in a folder that goes when the test ends.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "adapter.db")
}

// EachDatabase runs a test on every engine, each time with a fresh database.
func EachDatabase(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// Policy is one for tests: leases of ten seconds, retries after as many seconds as there
// were calls.
var Policy = adapter.Policy{
	Lease:      10 * time.Second,
	Retry:      func(n int) time.Duration { return time.Duration(n) * time.Second },
	DeclineFor: 24 * time.Hour,
}

// A Clock stands until it is moved. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at some moment in whole microseconds.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 5, 4, 3, 2, 1, 987_654_000, time.UTC)} }

// Now is the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on and returns the new time.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Open opens a store on the database, migrated, in roubles, with Policy, and closes it when
// the test ends. change, if not nil, changes the config.
func Open(t testing.TB, database string, change func(*store.Config)) *store.Store {
	t.Helper()
	cfg := store.Config{Database: database, Migrate: true, Policy: Policy}
	if change != nil {
		change(&cfg)
	}
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

// RUB is an amount in kopecks.
func RUB(kopecks int64) money.Amount { return money.New(kopecks, money.RUB) }

// Hash is the n-th of many user hashes.
func Hash(n int) string { return fmt.Sprintf("%032x", n) }

// AddUser registers the user with Hash(n) and deposits kopecks, if any.
func AddUser(t testing.TB, s *store.Store, n int, kopecks int64) string {
	t.Helper()
	u := adapter.User{Hash: Hash(n), Login: fmt.Sprintf("user%d", n), SealedKey: []byte{1, 2, 3}, CreatedAt: NewClock().Now()}
	err := s.AddUser(t.Context(), u)
	if err == nil && kopecks > 0 {
		_, err = s.Deposit(t.Context(), u.Hash, RUB(kopecks), "", "first deposit of "+u.Hash)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u.Hash
}

// NewKey returns a key without order, as platforms make them.
func NewKey() adapter.Key {
	id := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) // #nosec G404 -- a name in a test
	return adapter.Key{Platform: adapter.PlatformIntegra, ID: id}
}

// TopUp returns a new payment, free and due at once.
func TopUp(t testing.TB, user string, kopecks int64, at time.Time) adapter.Payment {
	t.Helper()
	p, err := adapter.NewPayment(NewKey(), adapter.TopUp, user, RUB(kopecks), at)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
