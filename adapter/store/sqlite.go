package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/bits"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteEngine keeps everything in one file. One connection writes, guarded by mu; readers
// have a pool of their own and never wait for it (WAL). Other processes may read and write
// the same file; only one may serve.
//
// The writing connection is used through the driver itself: database/sql would lock, copy
// and look up for every statement, which costs as much as SQLite's own work.
type sqliteEngine struct {
	file string
	info os.FileInfo // of the file that is open
	id   int64
	log  *slog.Logger
	lock *flock.Flock // held while serving

	mu      sync.Mutex
	conn    driver.Conn
	cached  map[string]driver.Stmt
	written atomic.Bool         // since the last checkpoint
	named   []driver.NamedValue // scratch

	readers *sql.DB
	queries sync.Map // SQL text → *sql.Stmt
}

// checkpointEvery is how often the log is moved into the database while there are commits.
const checkpointEvery = 250 * time.Millisecond

// sqliteFile returns the data source name: WAL so that readers and the writer do not wait for
// each other, FULL so that a commit survives a power cut.
func sqliteDSN(file string, pragmas ...string) string {
	q := url.Values{
		"_pragma": append([]string{"busy_timeout(15000)", "journal_mode(wal)", "synchronous(full)", "temp_store(memory)"}, pragmas...),
		"_txlock": {"immediate"},
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: q.Encode()}).String()
}

func openSQLite(file string, log *slog.Logger) (*sqliteEngine, error) {
	// As SQLite's own builds do on Linux: the timestamps that fsync also writes cost as much as
	// the data. Where there is no fdatasync it stays with fsync.
	_, _ = sqlite.Fdatasync(true)
	conn, err := (&sqlite.Driver{}).Open(sqliteDSN(file, "cache_size(-16000)", "wal_autocheckpoint(1000)"))
	if err != nil {
		return nil, err
	}
	readers, err := sql.Open("sqlite", sqliteDSN(file, "cache_size(-4000)", "query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	readers.SetMaxOpenConns(4)
	readers.SetMaxIdleConns(4)
	info, err := os.Stat(file) // connecting has made it
	if err != nil {
		return nil, errors.Join(err, readers.Close(), conn.Close())
	}
	return &sqliteEngine{
		file: file, info: info, id: newOwner(), log: log,
		conn: conn, cached: make(map[string]driver.Stmt), readers: readers,
	}, nil
}

func (e *sqliteEngine) dialect() dialect {
	return dialect{
		bulk:  func(head, columns, tail string) bulk { return newValues(head, columns, tail, false) },
		exact: func(head, columns, tail string) bulk { return newValues(head, columns, tail, true) },
		or:    " OR ROLLBACK", // we would anyway, and it spares a journal for each statement
		transferNums: `WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < $1)
			SELECT i + (SELECT coalesce(max(num), 0) FROM transfers) FROM s`,
	}
}

// values is a bulk with the rows written out: VALUES (?, ?), (?, ?), …. The statement exists
// for 1, 2, 4 … maxRows rows, so that few have to be prepared; other numbers are split.
type values struct {
	columns int
	exact   bool
	sql     []string // sql[i] is for 1<<i rows
}

const maxRows = 64

func newValues(head, columns, tail string, exact bool) bulk {
	v := values{columns: len(columns), exact: exact}
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	for rows := 1; rows <= maxRows; rows *= 2 {
		v.sql = append(v.sql, head+"VALUES "+row+strings.Repeat(", "+row, rows-1)+tail)
	}
	return v
}

func (v values) stmts(args []any, row func(scanner) error) []*stmt {
	var sts []*stmt
	for rows := len(args) / v.columns; rows > 0; {
		i := min(bits.Len(uint(rows))-1, len(v.sql)-1)
		n := v.columns << i
		st := &stmt{sql: v.sql[i], args: args[:n:n], row: row}
		if v.exact {
			st.want = 1 << i
		}
		sts = append(sts, st)
		args, rows = args[n:], rows-1<<i
	}
	return sts
}

// errGone says that somebody moved or deleted the file. SQLite would go on with what nobody
// will ever find again, so nothing may be accepted any more.
var errGone = errors.New("the database's file was moved, replaced or deleted; put it back, or restart")

// there reports errGone unless the file that is open is still in its place.
func (e *sqliteEngine) there() error {
	info, err := os.Stat(e.file)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !os.SameFile(info, e.info):
		return fmt.Errorf("%w: %s", errGone, e.file)
	}
	return nil // one that may not be looked at is for SQLite to judge
}

// write: ctx is not watched. A transaction here is a matter of milliseconds, and watching
// costs a goroutine for every statement.
func (e *sqliteEngine) write(_ context.Context, fn func(tx) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx := context.Background()
	if err := e.there(); err != nil {
		return err
	}
	t := &sqliteTx{e: e}
	if err := e.run(ctx, &stmt{sql: "BEGIN IMMEDIATE"}); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed { // also when fn panics
			_ = e.run(ctx, &stmt{sql: "ROLLBACK"}) // fails only where SQLite has rolled back by itself
		}
	}()
	if err := fn(t); err != nil {
		return err
	}
	t.add(&stmt{sql: "COMMIT"})
	if err := t.flush(ctx); err != nil {
		return err
	}
	committed = true
	e.written.Store(true)
	return nil
}

type sqliteTx struct {
	e     *sqliteEngine
	queue []*stmt
}

func (t *sqliteTx) add(sts ...*stmt) { t.queue = append(t.queue, sts...) }

func (t *sqliteTx) flush(ctx context.Context) error {
	queue := t.queue
	t.queue = nil
	for _, st := range queue {
		if err := t.e.run(ctx, st); err != nil {
			return err
		}
	}
	return nil
}

// run executes st on the writing connection, preparing it the first time.
func (e *sqliteEngine) run(ctx context.Context, st *stmt) (err error) {
	prepared := e.cached[st.sql]
	if prepared == nil {
		if prepared, err = e.conn.Prepare(st.sql); err != nil {
			return st.wrap(err)
		}
		e.cached[st.sql] = prepared
	}
	e.named = e.named[:0]
	for i, a := range st.args {
		e.named = append(e.named, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	if st.row == nil {
		res, err := prepared.(driver.StmtExecContext).ExecContext(ctx, e.named)
		if err != nil {
			return st.wrap(err)
		}
		if n, err := res.RowsAffected(); err != nil || st.want != 0 && st.want != n {
			return cmp.Or(err, errChanged)
		}
		return nil
	}
	rows, err := prepared.(driver.StmtQueryContext).QueryContext(ctx, e.named)
	if err != nil {
		return st.wrap(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(rows.Columns()))
	scan := func(dest ...any) error { return assign(dest, values) }
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return st.wrap(err)
		}
		if err := st.row(scan); err != nil {
			return err
		}
	}
}

// assign copies what the driver read.
func assign(dest []any, values []driver.Value) error {
	for i, d := range dest {
		ok := false
		switch d := d.(type) {
		case *int64:
			*d, ok = values[i].(int64)
		case *string:
			*d, ok = values[i].(string)
		case *[]byte:
			*d, ok = values[i].([]byte)
		}
		if !ok {
			return fmt.Errorf("column %d: %T does not fit %T", i, values[i], d)
		}
	}
	return nil
}

func (e *sqliteEngine) read(ctx context.Context, st *stmt) error {
	if err := e.there(); err != nil {
		return err
	}
	q, ok := e.queries.Load(st.sql)
	if !ok {
		prepared, err := e.readers.PrepareContext(ctx, st.sql)
		if err != nil {
			return st.wrap(err)
		}
		var raced bool
		if q, raced = e.queries.LoadOrStore(st.sql, prepared); raced {
			if err := prepared.Close(); err != nil {
				return err
			}
		}
	}
	rows, err := q.(*sql.Stmt).QueryContext(ctx, st.args...)
	return st.each(rows, err)
}

// each runs the statement's row function over what database/sql read.
func (st *stmt) each(rows *sql.Rows, err error) error {
	if err != nil {
		return st.wrap(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has said what there is to say
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

func (e *sqliteEngine) snapshot(ctx context.Context, fn func(tx) error) (err error) {
	conn, err := e.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// Deferred, unlike what _txlock says: a snapshot must not wait for writers.
	if _, err := conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") }()
	return fn(&sqliteSnapshot{conn: conn})
}

type sqliteSnapshot struct {
	conn  *sql.Conn
	queue []*stmt
}

func (t *sqliteSnapshot) add(sts ...*stmt) { t.queue = append(t.queue, sts...) }

func (t *sqliteSnapshot) flush(ctx context.Context) error {
	queue := t.queue
	t.queue = nil
	for _, st := range queue {
		rows, err := t.conn.QueryContext(ctx, st.sql, st.args...)
		if err := st.each(rows, err); err != nil {
			return err
		}
	}
	return nil
}

func (e *sqliteEngine) blames(err error) bool {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return false
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return true
	}
	return false
}

func (e *sqliteEngine) shut(err error) bool {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return false
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

func (e *sqliteEngine) unique(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && (se.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || se.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// serve keeps a second serving process out and frees what the one before it held.
func (e *sqliteEngine) serve(ctx context.Context, now time.Time) error {
	e.lock = flock.New(e.file+".lock", flock.SetPermissions(0o600))
	ok, err := e.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", e.lock.Path(), err)
	}
	if !ok {
		return fmt.Errorf("%w: %s is locked", ErrServed, e.lock.Path())
	}
	return e.write(ctx, func(t tx) error {
		t.add(&stmt{sql: `UPDATE payments SET next_at = $1 WHERE next_at > $1 AND owner <> 0`, args: []any{now.UnixMicro()}},
			&stmt{sql: `UPDATE payins SET next_at = $1 WHERE next_at > $1 AND owner <> 0`, args: []any{now.UnixMicro()}},
			&stmt{sql: `UPDATE requests SET held_until = 0 WHERE held_until > 0`})
		return nil
	})
}

func (e *sqliteEngine) owner() int64 { return e.id }

// watch moves the write-ahead log into the database. SQLite would do it inside every
// thousandth commit or so, for all callers to wait; here another connection does nearly all
// of it beside the running commits. What they wrote meanwhile is little, and moving it while
// none runs completes the work, which lets the log begin anew instead of growing.
func (e *sqliteEngine) watch(ctx context.Context, _ func()) {
	err := e.pragma(ctx, "wal_autocheckpoint = 100000") // now only a safety net
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		if err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "checkpoint failed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if e.written.Swap(false) {
			const checkpoint = "wal_checkpoint(PASSIVE)"
			_, err = e.readers.ExecContext(ctx, "PRAGMA "+checkpoint)
			err = errors.Join(err, e.pragma(ctx, checkpoint))
		}
	}
}

// pragma runs a PRAGMA on the writing connection.
func (e *sqliteEngine) pragma(ctx context.Context, text string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.run(ctx, &stmt{sql: "PRAGMA " + text, row: func(scanner) error { return nil }})
}

func (e *sqliteEngine) sweep(context.Context, time.Time) (int64, error) { return 0, nil }

// alone: serve keeps others out.
func (e *sqliteEngine) alone(context.Context) (bool, error) { return true, nil }

// exclusive: one process serves.
func (e *sqliteEngine) exclusive(ctx context.Context, _ string, do func(context.Context) error) (bool, error) {
	return true, do(ctx)
}

func (e *sqliteEngine) announce(context.Context) {}

func (e *sqliteEngine) close() error {
	err := e.readers.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, st := range e.cached {
		err = errors.Join(err, st.Close())
	}
	err = errors.Join(err, e.conn.Close())
	if e.lock != nil {
		err = errors.Join(err, e.lock.Close())
	}
	return err
}
