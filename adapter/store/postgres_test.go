package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
)

func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// kill ends the backend that holds the lock of a serving process, which is all that others
// see when the process dies.
func kill(t *testing.T, conn *pgx.Conn, owner int64) {
	t.Helper()
	var killed int
	err := conn.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_locks
		WHERE locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = $1`, owner).Scan(&killed)
	if err != nil || killed != 1 {
		t.Fatalf("killed %d, %v", killed, err)
	}
}

func TestPostgresTakesOverFromTheDead(t *testing.T) {
	t.Parallel()
	database := adaptertest.Postgres(t)
	serve := func(c *store.Config) { c.Serve = true }
	dying := adaptertest.Open(t, database, serve) // it never runs, so that it stays dead
	alive := adaptertest.Open(t, database, serve)
	user := adaptertest.AddUser(t, dying, 1, 100_00)
	p := adaptertest.TopUp(t, user, 10_00, time.Now())
	p.Owner, p.NextAt = dying.Owner(), time.Now().Add(time.Hour)
	held, _, err := dying.Accept(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	step, err := held.Decide(adapter.Policy{Lease: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if held, err = dying.Apply(t.Context(), step); err != nil {
		t.Fatal(err)
	}

	run(t, alive)
	began := time.Now()
	kill(t, connect(t, database), dying.Owner())
	<-alive.Wake()
	claimed, err := alive.Claim(t.Context(), 5)
	if err != nil || len(claimed) != 1 || claimed[0].Num != held.Num || claimed[0].State != adapter.Confirming {
		t.Fatalf("claimed from the dead: %+v, %v", claimed, err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("that took %s", took)
	}
	step, err = claimed[0].Answered(adapter.Outcome{Verdict: adapter.Accepted}, adaptertest.Policy, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alive.Apply(t.Context(), step); err != nil {
		t.Fatal(err)
	}
	clean(t, alive)
}

func TestPostgresGoesOnUnderANewID(t *testing.T) {
	t.Parallel()
	database := adaptertest.Postgres(t)
	s := adaptertest.Open(t, database, func(c *store.Config) { c.Serve = true })
	user := adaptertest.AddUser(t, s, 1, 100_00)
	run(t, s)
	old := s.Owner()
	p := adaptertest.TopUp(t, user, 10_00, time.Now())
	p.Owner, p.NextAt = old, time.Now().Add(time.Hour)
	held, _, err := s.Accept(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	kill(t, connect(t, database), old)
	for { // woken by the new connection, and then by what the old id held
		<-s.Wake()
		claimed, err := s.Claim(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(claimed) == 0 {
			continue
		}
		if s.Owner() == old || claimed[0].Num != held.Num || claimed[0].Owner != s.Owner() {
			t.Errorf("claimed %+v; the id was %d and is %d", claimed, old, s.Owner())
		}
		return
	}
}

func TestPostgresSharesWork(t *testing.T) {
	t.Parallel()
	database := adaptertest.Postgres(t)
	serve := func(c *store.Config) { c.Serve = true }
	a, b := adaptertest.Open(t, database, serve), adaptertest.Open(t, database, serve)
	run(t, a)
	run(t, b)
	user := adaptertest.AddUser(t, a, 1, 100_00)
	if _, _, err := a.Accept(t.Context(), adaptertest.TopUp(t, user, 1_00, time.Now())); err != nil {
		t.Fatal(err)
	}
	<-b.Wake() // told by a, or found by its own look
	if claimed, err := b.Claim(t.Context(), 1); err != nil || len(claimed) != 1 {
		t.Errorf("claimed from the other: %v, %v", claimed, err)
	}
}

// Connections break at any moment of any transaction: nothing that was answered is lost,
// nothing is done twice, and no broken connection reads as a business answer.
func TestPostgresLosesConnections(t *testing.T) {
	t.Parallel()
	database := adaptertest.Postgres(t)
	s := adaptertest.Open(t, database, nil)
	for i := range 5 {
		adaptertest.AddUser(t, s, i, 1000_00)
	}
	killer := connect(t, database)
	ctx := t.Context()
	var killing, payers sync.WaitGroup
	var kills int
	next := make(chan struct{}) // one kill for every payment made, so that there is progress
	killing.Go(func() {
		for range next {
			var n int
			if err := killer.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM (
				SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
				ORDER BY random() LIMIT 1) AS busy`).Scan(&n); err != nil {
				t.Error(err)
			}
			kills += n
		}
	})
	var failures, repeats int
	var mu sync.Mutex
	count := func(what *int) {
		mu.Lock()
		defer mu.Unlock()
		*what++
	}
	const each = 40
	for i := range 8 {
		payers.Go(func() {
			for range each {
				p := adaptertest.TopUp(t, adaptertest.Hash(i%5), 1_00, time.Now())
				p.Owner, p.NextAt = s.Owner(), p.NextAt.Add(time.Hour)
				stored, first, err := s.Accept(ctx, p)
				for err != nil { // as the platform does
					count(&failures)
					stored, first, err = s.Accept(ctx, p)
				}
				if !first {
					count(&repeats)
				}
				for _, decide := range []func(adapter.Payment) (adapter.Step, error){
					func(p adapter.Payment) (adapter.Step, error) { return p.Decide(adaptertest.Policy, time.Now()) },
					func(p adapter.Payment) (adapter.Step, error) {
						return p.Answered(adapter.Outcome{Verdict: adapter.Accepted}, adaptertest.Policy, time.Now())
					},
				} {
					step, err := decide(stored)
					if err != nil {
						t.Error(err)
						return
					}
					stored, err = s.Apply(ctx, step)
					for ; err != nil; stored, err = s.Apply(ctx, step) {
						if isBusiness(err) {
							t.Errorf("a broken connection reads as %v", err)
							return
						}
						count(&failures)
					}
				}
				next <- struct{}{}
			}
		})
	}
	payers.Wait()
	close(next)
	killing.Wait()
	t.Logf("%d connections killed, %d calls failed and were repeated, %d of the accepts had been written", kills, failures, repeats)
	for i := range 5 {
		b, err := s.Balance(t.Context(), adaptertest.Hash(i))
		users := 1 + (8-1-i)/5 // of the eight payers
		if err != nil || b.Available != adaptertest.RUB(1000_00-int64(users)*each*1_00) {
			t.Errorf("user %d has %v, %v after %d payments of 1.00", i, b, err, users*each)
		}
	}
	clean(t, s)
}

// Many committers, few users, every payment twice: without one order of locks this locks up.
func TestPostgresNeverDeadlocks(t *testing.T) {
	t.Parallel()
	database := adaptertest.Postgres(t)
	var stores []*store.Store
	for range 2 {
		stores = append(stores, adaptertest.Open(t, database, func(c *store.Config) { c.Committers = 4 }))
	}
	for i := range 4 {
		adaptertest.AddUser(t, stores[0], i, 100_000_00)
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 10 {
				p := adaptertest.TopUp(t, adaptertest.Hash((i+j)%4), 1_00, time.Now())
				var twice sync.WaitGroup
				for _, s := range stores {
					twice.Go(func() {
						if _, err := pay(t.Context(), s, p); err != nil {
							t.Error(err)
						}
						if i%8 == 0 {
							if _, err := s.Claim(t.Context(), 3); err != nil {
								t.Error(err)
							}
						}
					})
				}
				twice.Wait()
			}
		})
	}
	wg.Wait()
	var deadlocks int
	conn := connect(t, database)
	if err := conn.QueryRow(t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks); err != nil {
		t.Fatal(err)
	}
	if deadlocks > 0 {
		t.Errorf("PostgreSQL broke %d deadlocks", deadlocks)
	}
	clean(t, stores[0])
}

func TestPostgresMigratesAtOnce(t *testing.T) {
	t.Parallel()
	database := adaptertest.Postgres(t)
	pending, err := store.Pending(t.Context(), database)
	if err != nil || len(pending) == 0 {
		t.Fatalf("pending: %v, %v", pending, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := store.Migrate(t.Context(), database); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if pending, err = store.Pending(t.Context(), database); err != nil || len(pending) > 0 {
		t.Errorf("pending: %v, %v", pending, err)
	}
}
