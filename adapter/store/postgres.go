package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// pgTimeout bounds one try of a writing transaction, so that a network that swallows
	// packets cannot hold the committers for ever.
	pgTimeout = 15 * time.Second
	// pgTries is how often a transaction is tried that PostgreSQL undid or never got.
	pgTries = 4
	// pgChannel is where processes tell each other that work fell due.
	pgChannel = "partnerkit_due"
)

// postgresEngine shares one database with any number of other processes.
//
// A serving process is alive as long as it holds the session advisory lock with its id, on a
// connection that does nothing else but listen. When that connection breaks, others may free
// what it held, so it goes on under a new id.
type postgresEngine struct {
	config  *pgx.ConnConfig
	writers *pgxpool.Pool
	readers *pgxpool.Pool

	id    atomic.Int64
	mu    sync.Mutex
	alive *pgx.Conn // holds the advisory lock; nil unless serving

	announced atomic.Int64 // when announce last spoke, unix microseconds
}

func openPostgres(ctx context.Context, url string, committers int) (_ *postgresEngine, err error) {
	readers, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(url, "pool_max_conns") {
		readers.MaxConns = 4
	}
	// Every statement here is made for an index. It must go through it even if it was planned
	// when the tables were empty, and then planned once and for all.
	for name, value := range map[string]string{
		"plan_cache_mode": "force_generic_plan",
		"enable_seqscan":  "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
		"jit": "off",
	} {
		readers.ConnConfig.RuntimeParams[name] = value
	}
	writers := readers.Copy()
	writers.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "10s" // a replica that hangs gives up its locks
	writers.MaxConns = int32(committers) + 2                                        // #nosec G115 -- a handful; beside the committers: claims and deposits
	writers.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		// Durable means durable here, whatever the cluster's default.
		_, err := c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	}
	e := &postgresEngine{config: readers.ConnConfig.Copy()}
	e.id.Store(newOwner())
	if e.writers, err = pgxpool.NewWithConfig(ctx, writers); err != nil {
		return nil, err
	}
	if e.readers, err = pgxpool.NewWithConfig(ctx, readers); err != nil {
		e.writers.Close()
		return nil, err
	}
	if err := e.readers.Ping(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *postgresEngine) dialect() dialect {
	return dialect{
		bulk:         newArrays,
		exact:        newExactArrays,
		lock:         " FOR UPDATE",
		lockFree:     " FOR UPDATE SKIP LOCKED",
		transferNums: `SELECT nextval('transfers_num') FROM generate_series(1, $1::bigint)`,
	}
}

// arrays is a bulk that sends each column as one array, so that one statement does for any
// number of rows.
type arrays struct {
	columns string
	sql     string
}

func newArrays(head, columns, tail string) bulk {
	var params, names []string
	for i, c := range columns {
		params = append(params, fmt.Sprintf("$%d::%s[]", i+1, map[rune]string{'i': "bigint", 't': "text"}[c]))
		names = append(names, fmt.Sprintf("column%d", i+1))
	}
	rows := "SELECT * FROM unnest(" + strings.Join(params, ", ") + ") AS rows (" + strings.Join(names, ", ") + ")"
	return arrays{columns: columns, sql: head + rows + tail}
}

// newExactArrays divides by zero unless as many rows were changed as were sent. So the
// commit can travel in the same round trip: it is not reached after an error.
func newExactArrays(head, columns, tail string) bulk {
	return newArrays("WITH changed AS ("+head, columns, tail+" RETURNING 1) SELECT 1 / (count(*) = cardinality($1))::int FROM changed")
}

const divisionByZero = "22012"

func (a arrays) stmts(values []any, row func(scanner) error) []*stmt {
	if len(values) == 0 {
		return nil
	}
	args, columns := make([]any, len(a.columns)), make([]column, len(a.columns))
	for i, c := range a.columns {
		columns[i] = column{values: values[i:], width: len(a.columns), text: c == 't'}
		args[i] = &columns[i]
	}
	return []*stmt{{sql: a.sql, args: args, row: row}}
}

// column is every width-th value: a pgtype.ArrayGetter, so that pgx encodes it to an array.
type column struct {
	values []any
	width  int
	text   bool
}

// Dimensions returns the one dimension.
func (c *column) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32((len(c.values) + c.width - 1) / c.width), LowerBound: 1}} // #nosec G115 -- a group is small
}

// Index returns an element.
func (c *column) Index(i int) any { return c.values[i*c.width] }

// IndexType returns an element's type.
func (c *column) IndexType() any {
	if c.text {
		return ""
	}
	return int64(0)
}

// errUnknownCommit says that the connection broke while a commit was under way: it may have
// happened. Callers repeat themselves, which key and version make harmless.
var errUnknownCommit = errors.New("connection lost while committing, outcome unknown")

func (e *postgresEngine) write(ctx context.Context, fn func(tx) error) error {
	for try := 1; ; try++ {
		err := e.writeOnce(ctx, fn)
		if err == nil || try == pgTries || ctx.Err() != nil || !again(err) {
			return err
		}
		// Deadlocks want to be out of step with each other, a restarting server wants time.
		pause := time.Duration(rand.Int64N(int64(10*time.Millisecond) << (2 * try))) // #nosec G404 -- jitter
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// again reports whether a transaction that failed with err was certainly undone and may
// succeed when it is tried again.
func again(err error) bool {
	var pe *pgconn.PgError
	switch {
	case errors.Is(err, errUnknownCommit):
		return false
	case errors.As(err, &pe):
		switch pe.Code {
		case "40001", "40P01", // serialization failure, deadlock
			"57P01", "57P02", "57P03": // the server stops, crashed, is starting
			return true
		}
		return strings.HasPrefix(pe.Code, "08")
	}
	var ce *pgconn.ConnectError
	return errors.As(err, &ce) || errors.Is(err, errConnection)
}

// errConnection marks what a broken connection says while no commit was under way.
var errConnection = errors.New("connection lost")

func (e *postgresEngine) writeOnce(ctx context.Context, fn func(tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, pgTimeout)
	defer cancel()
	conn, err := e.writers.Acquire(ctx)
	if err != nil {
		return err
	}
	// A connection that is still in a transaction is closed by the pool, which rolls it back.
	defer conn.Release()
	t := &postgresTx{conn: conn.Conn()}
	if err = fn(t); err == nil {
		err = t.commit(ctx)
	}
	if err != nil && !t.conn.IsClosed() && t.conn.PgConn().TxStatus() != 'I' {
		_, _ = t.conn.Exec(ctx, "ROLLBACK")
	}
	return err
}

type postgresTx struct {
	conn  *pgx.Conn
	queue []*stmt
	begun bool
}

func (t *postgresTx) add(sts ...*stmt) { t.queue = append(t.queue, sts...) }

func (t *postgresTx) flush(ctx context.Context) error {
	if !t.begun {
		t.begun = true
		t.queue = append([]*stmt{{sql: "BEGIN"}}, t.queue...)
	}
	err := t.send(ctx)
	if err != nil && t.conn.IsClosed() {
		return fmt.Errorf("%w: %w", errConnection, err)
	}
	return err
}

// commit sends what is left together with the commit. What was queued without a flush before
// is one round trip, which PostgreSQL takes as a transaction by itself.
func (t *postgresTx) commit(ctx context.Context) error {
	if t.begun {
		t.add(&stmt{sql: "COMMIT"})
	}
	err := t.send(ctx)
	var pe *pgconn.PgError
	switch {
	case err == nil || errors.As(err, &pe) || !t.conn.IsClosed():
		return err
	case pgconn.SafeToRetry(err): // it was broken before anything was sent
		return fmt.Errorf("%w: %w", errConnection, err)
	}
	return fmt.Errorf("%w: %w", errUnknownCommit, err)
}

// send sends the queue in one round trip.
func (t *postgresTx) send(ctx context.Context) error {
	if len(t.queue) == 0 {
		return nil
	}
	var batch pgx.Batch
	for _, st := range t.queue {
		batch.Queue(st.sql, st.args...)
	}
	res := t.conn.SendBatch(ctx, &batch)
	err := receive(res, t.queue)
	if e := res.Close(); err == nil {
		err = e
	}
	t.queue = nil
	var pe *pgconn.PgError
	if errors.As(err, &pe) && pe.Code == divisionByZero {
		return errChanged
	}
	return err
}

func receive(res pgx.BatchResults, queue []*stmt) error {
	for _, st := range queue {
		if st.row == nil {
			if _, err := res.Exec(); err != nil {
				return st.wrap(err)
			}
			continue
		}
		rows, err := res.Query()
		if err := st.eachPostgres(rows, err); err != nil {
			return err
		}
	}
	return nil
}

func (st *stmt) eachPostgres(rows pgx.Rows, err error) error {
	if err != nil {
		return st.wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := st.row(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return st.wrap(err)
	}
	return nil
}

func (e *postgresEngine) read(ctx context.Context, st *stmt) error {
	rows, err := e.readers.Query(ctx, st.sql, st.args...)
	return st.eachPostgres(rows, err)
}

func (e *postgresEngine) snapshot(ctx context.Context, fn func(tx) error) error {
	return pgx.BeginTxFunc(ctx, e.readers, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(t pgx.Tx) error {
		return fn(&postgresTx{conn: t.Conn(), begun: true})
	})
}

func (e *postgresEngine) blames(err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code[:2] {
	case "22", "23", "54", "P0": // bad data, a constraint, too large, raised by a trigger
		return true
	}
	return false
}

func (e *postgresEngine) shut(err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code {
	case "25006", "53100": // read-only, disk full
		return true
	}
	return pe.Code[:2] == "58" || pe.Code[:2] == "XX" // the machine's own trouble, damaged data
}

func (e *postgresEngine) unique(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "23505"
}

func (e *postgresEngine) owner() int64 { return e.id.Load() }

// serve takes a connection that shows the others that this process lives.
func (e *postgresEngine) serve(ctx context.Context, now time.Time) error {
	conn, err := pgx.ConnectConfig(ctx, e.config)
	if err != nil {
		return err
	}
	id := newOwner()
	for _, st := range []stmt{
		// The lock comes first: a process row without its lock is a dead process.
		{sql: "SELECT pg_advisory_lock($1)", args: []any{id}},
		{sql: "INSERT INTO processes (id, started_at) VALUES ($1, $2)", args: []any{id, now.UnixMicro()}},
		{sql: "LISTEN " + pgChannel},
	} {
		if _, err := conn.Exec(ctx, st.sql, st.args...); err != nil {
			return errors.Join(st.wrap(err), conn.Close(ctx))
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.alive = conn
	e.id.Store(id)
	return nil
}

// watch listens on the connection that holds the lock, and when it breaks, registers anew.
func (e *postgresEngine) watch(ctx context.Context, wake func()) {
	for {
		e.mu.Lock()
		conn := e.alive
		e.mu.Unlock()
		_, err := conn.WaitForNotification(ctx)
		switch {
		case err == nil:
			wake()
		case ctx.Err() != nil || e.rejoin(ctx, conn) != nil:
			return
		default:
			wake()
		}
	}
}

// rejoin registers this process under a new id, trying until ctx is done.
func (e *postgresEngine) rejoin(ctx context.Context, broken *pgx.Conn) error {
	_ = broken.Close(ctx)
	pause := time.NewTicker(200 * time.Millisecond)
	defer pause.Stop()
	for e.serve(ctx, time.Now()) != nil {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// sweep: whose lock can be had is dead. owner stays on the rows, so that whoever claims one
// knows that another process may have called the platform.
func (e *postgresEngine) sweep(ctx context.Context, now time.Time) (freed int64, err error) {
	err = e.write(ctx, func(t tx) error {
		t.add(&stmt{
			sql: `WITH dead AS (DELETE FROM processes WHERE id <> $1 AND pg_try_advisory_xact_lock(id) RETURNING id),
				p AS (UPDATE payments SET next_at = $2 FROM dead WHERE owner = dead.id AND next_at > $2 RETURNING 1),
				q AS (UPDATE payins SET next_at = $2 FROM dead WHERE owner = dead.id AND next_at > $2 RETURNING 1),
				r AS (UPDATE requests SET held_until = 0 FROM dead WHERE owner = dead.id AND held_until > 0 RETURNING 1)
				SELECT (SELECT count(*) FROM p) + (SELECT count(*) FROM q) + (SELECT count(*) FROM r)`,
			args: []any{e.owner(), now.UnixMicro()}, row: func(scan scanner) error { return scan(&freed) },
		})
		return nil
	})
	return freed, err
}

func (e *postgresEngine) alone(ctx context.Context) (bool, error) {
	var others int64
	err := one(ctx, e, `SELECT count(*) FROM processes WHERE id <> $1`, []any{e.owner()}, &others)
	return others == 0, err
}

// announce speaks at most every 50 ms, which spares PostgreSQL a lock that notifying commits
// queue for; what it leaves unsaid the others find within the period of their sweep.
func (e *postgresEngine) announce(ctx context.Context) {
	now, last := time.Now().UnixMicro(), e.announced.Load()
	if now-last >= 50_000 && e.announced.CompareAndSwap(last, now) {
		_, _ = e.readers.Exec(ctx, "SELECT pg_notify($1, '')", pgChannel)
	}
}

// exclusive holds a session lock, on a connection of its own, while do runs. The two-part key
// keeps it apart from the locks of processes.
func (e *postgresEngine) exclusive(ctx context.Context, name string, do func(context.Context) error) (ran bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, e.config)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtext('partnerkit'), hashtext($1))", name).Scan(&ran); err != nil || !ran {
		return false, err
	}
	// The lock goes with the connection, but the server may notice its end only after the next one asked.
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtext('partnerkit'), hashtext($1))", name)
	}()
	return true, do(ctx)
}

func (e *postgresEngine) close() error {
	e.writers.Close()
	e.readers.Close()
	if e.alive == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return e.alive.Close(ctx)
}
