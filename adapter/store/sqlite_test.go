package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
)

func TestSQLiteIsServedOnce(t *testing.T) {
	t.Parallel()
	database := adaptertest.SQLite(t)
	serve := store.Config{Database: database, Migrate: true, Policy: adaptertest.Policy, Serve: true}
	first, err := store.Open(t.Context(), serve)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), serve); !errors.Is(err, store.ErrServed) {
		t.Errorf("a second server: %v, want %v", err, store.ErrServed)
	}
	adaptertest.Open(t, database, nil) // a command beside the server is welcome
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	adaptertest.Open(t, database, func(c *store.Config) { c.Serve = true })
}

// Nothing is accepted into a file that nobody will find again.
func TestSQLiteFileMovedAway(t *testing.T) {
	t.Parallel()
	database := adaptertest.SQLite(t)
	s := adaptertest.Open(t, database, func(c *store.Config) { c.Serve = true })
	user := adaptertest.AddUser(t, s, 1, 100_00)
	file := strings.TrimPrefix(database, "sqlite:")
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if _, first, err := s.Accept(t.Context(), adaptertest.TopUp(t, user, 1_00, time.Now())); err == nil || first {
		t.Errorf("accepted into a file that is gone: %v, %v", first, err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("ready without a database")
	}
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	if _, first, err := s.Accept(t.Context(), adaptertest.TopUp(t, user, 1_00, time.Now())); err != nil || !first {
		t.Errorf("after it was put back: %v, %v", first, err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSQLiteStartFreesLeases(t *testing.T) {
	t.Parallel()
	database, clock := adaptertest.SQLite(t), adaptertest.NewClock()
	config := func(c *store.Config) { c.Serve, c.Now = true, clock.Now }
	s, err := store.Open(t.Context(), store.Config{Database: database, Migrate: true, Policy: adaptertest.Policy, Serve: true, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	user := adaptertest.AddUser(t, s, 1, 100_00)
	p := adaptertest.TopUp(t, user, 10_00, clock.Now())
	p.Owner, p.NextAt = s.Owner(), clock.Now().Add(time.Hour)
	held, _, err := s.Accept(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	waiting := adaptertest.TopUp(t, user, 10_00, clock.Now())
	waiting.NextAt = clock.Now().Add(time.Hour)
	if _, _, err := s.Accept(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	claimed, err := adaptertest.Open(t, database, config).Claim(t.Context(), 5)
	if err != nil || len(claimed) != 1 || claimed[0].Num != held.Num {
		t.Errorf("claimed after a start: %v, %v; want what the process before it held", claimed, err)
	}
}

func TestSQLiteCommandBesideServer(t *testing.T) {
	t.Parallel()
	database := adaptertest.SQLite(t)
	server := adaptertest.Open(t, database, func(c *store.Config) { c.Serve = true })
	run(t, server)
	user := adaptertest.AddUser(t, server, 1, 1000_00)
	stores := []*store.Store{server, adaptertest.Open(t, database, nil), adaptertest.Open(t, database, nil)}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			if _, err := pay(t.Context(), stores[i%3], adaptertest.TopUp(t, user, 1_00, time.Now())); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if b, err := server.Balance(t.Context(), user); err != nil || b.Available != adaptertest.RUB(970_00) {
		t.Errorf("balance %v, %v; want 970.00", b, err)
	}
	clean(t, server)
}

// A copy of the files, taken while commits go on, is what a crash leaves: what was answered
// before it began is in it, and its books are right.
func TestSQLiteCrash(t *testing.T) {
	t.Parallel()
	database := adaptertest.SQLite(t)
	s := adaptertest.Open(t, database, nil) // no Run: the log stays a log for a thousand pages
	for i := range 5 {
		adaptertest.AddUser(t, s, i, 1000_00)
	}
	ctx, stop := context.WithCancel(t.Context())
	var (
		mu       sync.Mutex
		answered []adapter.Payment
		payers   sync.WaitGroup
		total    atomic.Int64
	)
	enough := make(chan struct{})
	for i := range 8 {
		payers.Go(func() {
			for ctx.Err() == nil {
				p, err := pay(context.Background(), s, adaptertest.TopUp(t, adaptertest.Hash(i%5), 1_00, time.Now()))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				answered = append(answered, p)
				mu.Unlock()
				if total.Add(1) == 60 {
					close(enough)
				}
			}
		})
	}
	<-enough
	mu.Lock()
	before := append([]adapter.Payment(nil), answered...)
	mu.Unlock()
	crashed := filepath.Join(t.TempDir(), "crashed.db")
	file := strings.TrimPrefix(database, "sqlite:")
	copyFile(t, crashed, file)
	copyFile(t, crashed+"-wal", file+"-wal")
	stop()
	payers.Wait()

	after := adaptertest.Open(t, "sqlite:"+crashed, func(c *store.Config) { c.Serve = true })
	for _, p := range before {
		got, err := after.PaymentByNum(t.Context(), p.Num)
		if err != nil || got != p {
			t.Errorf("answered before the crash: %+v, stored is %+v, %v", p, got, err)
		}
	}
	clean(t, after)
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSQLiteFile(t *testing.T) {
	t.Parallel()
	database := adaptertest.SQLite(t)
	file := strings.TrimPrefix(database, "sqlite:")
	if _, err := store.Open(t.Context(), store.Config{Database: database}); !errors.Is(err, store.ErrMigrations) || !strings.Contains(err.Error(), "no file "+file) {
		t.Errorf("open of a file that is not there: %v, want %v, naming the file", err, store.ErrMigrations)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking at a database made it: %v", err)
	}
	adaptertest.AddUser(t, adaptertest.Open(t, database, nil), 1, 1)
	for _, name := range []string{file, file + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(info.Mode().Perm()); got != "-rw-------" {
			t.Errorf("%s has %s", name, got)
		}
	}
}
