package store_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
)

var (
	benchRows  = flag.Int("rows", 0, "payments in the database before a benchmark begins")
	benchUsers = flag.Int("users", 1000, "users among whom a benchmark spreads its payments")
	committers = flag.Int("committers", 0, "committers on PostgreSQL; 0 for the default")
)

// benchStore is a serving store with rich users, and -rows payments of the past.
type benchStore struct {
	*store.Store
	commits, ops atomic.Int64
}

func BenchmarkSQLite(b *testing.B)   { benchmark(b, adaptertest.SQLite(b)) }
func BenchmarkPostgres(b *testing.B) { benchmark(b, adaptertest.Postgres(b)) }

// benchmark runs all on one database, with -rows payments of the past. Besides the usual it
// reports the processor time of this process, PostgreSQL's own is not in it, and how many
// operations a commit took.
func benchmark(b *testing.B, database string) {
	s := openBench(b, database)
	ctx := context.Background()
	b.Run("accept", func(b *testing.B) {
		s.measure(b, 32, func() error {
			p, err := s.payment()
			if err == nil {
				_, _, err = s.Accept(ctx, p)
			}
			return err
		})
	})
	b.Run("accept, reserve, capture", func(b *testing.B) {
		s.measure(b, 128, func() error {
			p, err := s.payment()
			if err == nil {
				_, err = pay(ctx, s.Store, p)
			}
			return err
		})
	})
	b.Run("accept and claim", func(b *testing.B) { // a free payment, by hardly more than one at a time
		s.measure(b, 1, func() error {
			p, err := s.payment()
			if err != nil {
				return err
			}
			p.Owner, p.NextAt = 0, p.ReceivedAt
			if _, _, err = s.Accept(ctx, p); err == nil {
				_, err = s.Claim(ctx, 1)
			}
			return err
		})
	})
	for name, f := range map[string]adapter.PaymentFilter{
		"all":      {},
		"user":     {User: adaptertest.Hash(7)},
		"page":     {Before: int64(*benchRows / 2)},
		"in doubt": {States: []adapter.State{adapter.InDoubt}},
		"reserved": {States: []adapter.State{adapter.Reserved, adapter.Confirming}},
	} {
		b.Run("list "+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Payments(ctx, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("due", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.NextDue(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s, err := store.Open(ctx, store.Config{Database: database})
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func openBench(b *testing.B, database string) *benchStore {
	s := &benchStore{}
	s.Store = adaptertest.Open(b, database, func(c *store.Config) {
		c.Serve, c.Committers = true, *committers
		c.OnCommit = func(c store.CommitStats) { s.commits.Add(1); s.ops.Add(int64(c.Size)) }
	})
	seed(b, database)
	run(b, s.Store)
	return s
}

// seed writes users with 10^10 roubles each, and the payments of the past, all confirmed.
func seed(b *testing.B, database string) {
	past := `INSERT INTO payments (platform, platform_id, kind, user_hash, amount, state, version, attempt, owner, reason, received_at, updated_at)
		SELECT 'integra', %s, 'topup', %s, 10000, 'confirmed', 2, 1, 0, '', i, i FROM %s`
	users := `INSERT INTO transfers (num, user_hash, move, debit, credit, amount, available, reserved, prev, at, key)
			SELECT i, %[1]s, 'deposit', 'external', 'user:available', 1000000000000, 1000000000000, 0, 0, 0, %[1]s FROM %[2]s;
		INSERT INTO balances SELECT user_hash, available, reserved, num FROM transfers`
	// Millions of random keys are sorted at once sooner than put into an index one by one.
	statements := []string{`DROP INDEX payments_key`, `DROP INDEX payments_user`}
	if strings.HasPrefix(database, "sqlite:") {
		series := `(WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)`
		statements = append(statements, fmt.Sprintf(users, "printf('%032x', i)", fmt.Sprintf(series, *benchUsers)))
		for done := 0; done < *benchRows; done += 100_000 {
			statements = append(statements, fmt.Sprintf(past, "lower(hex(randomblob(16)))",
				fmt.Sprintf("printf('%%032x', 1 + abs(random() %% %d))", *benchUsers), fmt.Sprintf(series, min(100_000, *benchRows-done))))
		}
	} else {
		statements = append(statements,
			fmt.Sprintf(users, "lpad(to_hex(i), 32, '0')", fmt.Sprintf("generate_series(1, %d) AS i", *benchUsers)),
			`SELECT setval('transfers_num', (SELECT max(num) FROM transfers))`,
			fmt.Sprintf(past, "md5(random()::text || i)", fmt.Sprintf("lpad(to_hex(1 + (random() * %d)::int), 32, '0')", *benchUsers-1),
				fmt.Sprintf("generate_series(1, %d) AS i", *benchRows)),
		)
	}
	statements = append(statements,
		`CREATE UNIQUE INDEX payments_key ON payments (platform_id, platform)`,
		`CREATE INDEX payments_user ON payments (user_hash, num)`)
	if !strings.HasPrefix(database, "sqlite:") {
		statements = append(statements, `VACUUM ANALYZE`, `CHECKPOINT`)
	}
	err := withDB(database, func(db *sql.DB) error {
		for _, st := range statements {
			if _, err := db.Exec(st); err != nil {
				return fmt.Errorf("%s: %w", st, err)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// payment returns a new one of some user, held by this process.
func (s *benchStore) payment() (adapter.Payment, error) {
	user := adaptertest.Hash(1 + rand.IntN(*benchUsers))
	p, err := adapter.NewPayment(adaptertest.NewKey(), adapter.TopUp, user, adaptertest.RUB(100_00), time.Now())
	p.Owner, p.NextAt = s.Owner(), p.NextAt.Add(adaptertest.Policy.Lease)
	return p, err
}

// measure runs op from n goroutines.
func (s *benchStore) measure(b *testing.B, n int, op func() error) {
	var mu sync.Mutex
	var all []time.Duration
	s.commits.Store(0)
	s.ops.Store(0)
	b.SetParallelism(max(1, n/runtime.GOMAXPROCS(0)))
	b.ReportAllocs()
	before := cpuTime()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var took []time.Duration
		for pb.Next() {
			began := time.Now()
			if err := op(); err != nil {
				b.Error(err)
				return
			}
			took = append(took, time.Since(began))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took...)
	})
	b.StopTimer()
	slices.Sort(all)
	quantile := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1e3 }
	b.ReportMetric(quantile(.5), "p50-ms")
	b.ReportMetric(quantile(.99), "p99-ms")
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(s.ops.Load())/float64(max(s.commits.Load(), 1)), "ops/commit")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
