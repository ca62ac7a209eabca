// Package store keeps payments, their history, users and the ledger durably, on SQLite or
// PostgreSQL, under one interface.
//
// The row is the job: a payment's row carries its state, the attempt and next_at, so that
// there is no second queue to keep in step. What is accepted, and every step of a payment
// with the money that it moves, is written by a committer that commits whatever gathered
// while its last commit ran; it never waits to fill a batch. Settling goes before accepting,
// and accepting is limited, so that a flood cannot starve what was promised already.
//
// A step is written only if the payment still has the version that the step was made from;
// otherwise it is adapter.ErrLost and nothing of it is written. A failure of the database is
// returned as itself and is never a business answer.
//
// Times are kept in whole microseconds, amounts in minor units of the one currency of the
// books.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// ErrServed says that another process serves the SQLite file. PostgreSQL is for several.
var ErrServed = errors.New("another process serves this database")

// sweepEvery is how often a serving process looks for dead ones and for work that others
// left due; DESIGN promises that a dead process is noticed within the second.
const sweepEvery = 500 * time.Millisecond

// Config is how a store works; zero fields take the defaults.
type Config struct {
	Database string         // sqlite:FILE or postgres://…; required
	Policy   adapter.Policy // how long a claim leases; required to claim
	Currency money.Currency // of the books; roubles
	Funds    Funds          // who keeps the users' money; as it is in the books if empty
	// Serve says that this process works on payments: it is known to others as long as it
	// lives, and what its predecessors held falls due at once. On SQLite one process may.
	Serve      bool
	Migrate    bool // bring the database to this version instead of returning ErrMigrations
	MaxWaiting int  // accepts that wait for the committer before adapter.ErrOverloaded; 4096
	Committers int  // transactions that commit side by side on PostgreSQL; 2
	Now        func() time.Time
	Log        *slog.Logger
	OnCommit   func(CommitStats) // observes every group that was committed
}

// CommitStats describes one group commit.
type CommitStats struct {
	Size    int // operations written together
	Accepts int
	Steps   int
	Took    time.Duration // from the begin of the transaction to its durable end
}

// A Store is safe for concurrent use. Close it when nobody uses it any more.
type Store struct {
	cfg       Config
	db        engine
	sql       statements
	committer committer
	wake      chan struct{}
	shut      atomic.Int64 // when the database last took no writes, in Unix microseconds; 0 for never
	exclusive sync.Map     // names under which Exclusive runs something
}

// Open opens a database, which must be of this program's version: otherwise ErrMigrations,
// unless the config says to migrate. It starts nothing.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	file, url, err := parseDatabase(cfg.Database)
	if err != nil {
		return nil, err
	}
	if cfg.Currency == (money.Currency{}) {
		cfg.Currency = money.RUB
	}
	if cfg.MaxWaiting == 0 {
		cfg.MaxWaiting = 4096
	}
	if cfg.Committers == 0 {
		cfg.Committers = 2
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.OnCommit == nil {
		cfg.OnCommit = func(CommitStats) {}
	}
	if err := prepare(ctx, cfg); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, wake: make(chan struct{}, 1)}
	if file != "" {
		s.cfg.Committers = 1 // SQLite has one writer
		s.db, err = openSQLite(file, cfg.Log)
	} else {
		s.db, err = openPostgres(ctx, url, cfg.Committers)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s.db = audited{s.db, s}
	s.sql = newStatements(s.db.dialect())
	s.committer = committer{store: s, limit: s.cfg.Committers}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.db.close())
	}
	return s, nil
}

// prepare sees to the form of the database.
func prepare(ctx context.Context, cfg Config) error {
	pending, err := Pending(ctx, cfg.Database)
	switch {
	case err != nil || len(pending) == 0:
		return err
	case cfg.Migrate:
		_, err := Migrate(ctx, cfg.Database)
		return err
	}
	if file, _, _ := parseDatabase(cfg.Database); missing(file) {
		return fmt.Errorf("%w: there is no file %s; say where it is by --database or in the file of --config, or have it made by adapter migrate", ErrMigrations, file)
	}
	return fmt.Errorf("%w: pending migrations %v; make a backup, then run adapter migrate", ErrMigrations, pending)
}

// begin checks that the books are kept in our currency and takes up serving.
func (s *Store) begin(ctx context.Context) error {
	var (
		code   string
		digits int64
	)
	err := one(ctx, s.db, `SELECT currency, digits FROM book`, nil, &code, &digits)
	if errors.Is(err, errNoRow) {
		code, digits = s.cfg.Currency.Code(), int64(s.cfg.Currency.Digits())
		err = s.db.write(ctx, func(t tx) error {
			t.add(&stmt{sql: `INSERT INTO book (id, currency, digits) VALUES (1, $1, $2) ON CONFLICT DO NOTHING`, args: []any{code, digits}})
			return nil
		})
	}
	if err != nil {
		return err
	}
	if code != s.cfg.Currency.Code() || digits != int64(s.cfg.Currency.Digits()) {
		return fmt.Errorf("the books are kept in %s with %d decimals, not in %s with %d", code, digits, s.cfg.Currency, s.cfg.Currency.Digits())
	}
	if s.cfg.Serve {
		if err := s.db.serve(ctx, s.cfg.Now()); err != nil {
			return err
		}
	}
	return s.keepFunds(ctx)
}

// Run keeps this process known as alive, frees what dead ones held and fires Wake, until ctx
// is done; then it returns once everything queued is written. Only a serving store runs;
// reading and writing work without it.
func (s *Store) Run(ctx context.Context) error {
	if !s.cfg.Serve {
		return errors.New("run a store that was not opened to serve")
	}
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		s.db.watch(ctx, s.fire)
	}()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "sweep failed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	<-watching
	s.committer.drain()
	return nil
}

// look frees what the dead hold and wakes the workers if anything is due: others need not
// have announced it.
func (s *Store) look(ctx context.Context) error {
	now := s.cfg.Now()
	freed, err := s.db.sweep(ctx, now)
	if err != nil {
		return err
	}
	if freed > 0 {
		s.cfg.Log.InfoContext(ctx, "a process is gone, what it held is due", "rows", freed)
	}
	due, ok, err := s.NextDue(ctx)
	if err == nil && ok && !due.After(now) {
		s.fire()
	}
	return err
}

func (s *Store) fire() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Wake fires when free work may be due: left so by this process or another, or freed from a
// dead one. One reader is meant.
func (s *Store) Wake() <-chan struct{} { return s.wake }

// Owner is the id under which this process holds payments. On PostgreSQL it changes when the
// connection that shows the others that this process lives was lost.
func (s *Store) Owner() int64 { return s.db.owner() }

// shutFor is how long a database that took no writes is not ready. On a full disk a small write
// can succeed between two that do not, so one alone says nothing.
const shutFor = 10 * time.Second

// Ping reports whether the database answers and takes writes. Some time after the last one that
// it did not take, Ping tries one.
func (s *Store) Ping(ctx context.Context) error {
	var n int64
	last := s.shut.Load()
	if err := one(ctx, s.db, `SELECT digits FROM book`, nil, &n); err != nil || last == 0 {
		return err
	}
	if since := s.cfg.Now().Sub(time.UnixMicro(last)); since >= 0 && since < shutFor {
		return errors.New("a write failed a moment ago; the log says why")
	}
	err := s.db.write(ctx, func(t tx) error {
		t.add(&stmt{sql: `UPDATE book SET digits = digits`})
		return nil
	})
	if err != nil {
		return fmt.Errorf("nothing can be written: %w", err)
	}
	s.shut.CompareAndSwap(last, 0)
	return nil
}

// Close writes what is queued, refuses everything later with adapter.ErrClosed, and closes
// the database. Run must have returned.
func (s *Store) Close() error {
	s.committer.close()
	return s.db.close()
}
