package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// An engine is a database. Everything the two engines have in common is written once above
// it; sqlite.go and postgres.go hold what really differs.
type engine interface {
	// write runs fn in one transaction that may write, and commits what it queued. When the
	// transaction was undone by no fault of its own (a deadlock, a lost connection before the
	// commit), fn runs again, a few times. Safe for concurrent use; fn is not run twice at once.
	write(ctx context.Context, fn func(tx) error) error
	// snapshot runs fn in one transaction that sees one state of everything and writes nothing.
	snapshot(ctx context.Context, fn func(tx) error) error
	// read runs one statement that writes nothing.
	read(ctx context.Context, st *stmt) error
	// blames reports whether err, from write, is about the rows written and not about the
	// database: the same rows will fail again, other rows will not.
	blames(err error) bool
	// shut reports whether err, from write, says that the database takes no writes: its disk is
	// full, it is read-only.
	shut(err error) bool
	// unique reports whether err is the violation of a unique index.
	unique(err error) bool

	// serve makes this process one that serves: what its dead predecessors held falls due.
	serve(ctx context.Context, now time.Time) error
	// owner is the id under which this process holds payments; it can change (Store.Run).
	owner() int64
	// watch keeps the process known as alive until ctx is done and calls wake when another
	// process says that work fell due.
	watch(ctx context.Context, wake func())
	// sweep makes due what dead processes hold and returns how many there were.
	sweep(ctx context.Context, now time.Time) (int64, error)
	// alone reports whether no other process serves this database, as of the last sweep.
	alone(ctx context.Context) (bool, error)
	// announce tells other processes that work fell due.
	announce(ctx context.Context)

	// exclusive runs do unless another process runs something under the same name.
	exclusive(ctx context.Context, name string, do func(context.Context) error) (ran bool, err error)

	dialect() dialect
	close() error
}

// A dialect is the SQL that differs.
type dialect struct {
	// bulk returns head, the rows as a table, tail; columns holds a letter for each column of
	// the rows: i BIGINT, t TEXT. The columns are called column1, column2, ….
	bulk func(head, columns, tail string) bulk
	// exact is the same for an UPDATE that has to find all its rows; if it does not, the
	// transaction fails with errChanged.
	exact        func(head, columns, tail string) bulk
	or           string // follows INSERT and UPDATE: what an error undoes
	lock         string // follows a SELECT: lock its rows
	lockFree     string // the same, leaving out rows that others hold
	transferNums string // returns $1 fresh numbers for transfers, one a row
}

// A bulk is a statement over many rows.
type bulk interface {
	// stmts returns what to send for the rows whose values stand one after the other: no
	// statement for no rows. row is as in stmt.
	stmts(values []any, row func(scanner) error) []*stmt
}

// A tx is a running transaction. Statements are queued and sent in order, on PostgreSQL all
// in one round trip, when their results are needed or the transaction ends.
type tx interface {
	add(sts ...*stmt)
	flush(ctx context.Context) error
}

// A stmt is a statement with its arguments (int64, string, []byte, nil).
type stmt struct {
	sql  string
	args []any
	row  func(scan scanner) error // called for each row; nil when none come
	want int64                    // rows that must be affected if not 0, or the error is errChanged; for the engine
}

// A scanner reads the current row into *int64, *string and *[]byte. NULL is not expected.
type scanner func(dest ...any) error

func (st *stmt) wrap(err error) error {
	return fmt.Errorf("%.60q: %w", strings.TrimSpace(st.sql), err)
}

// newOwner returns a fresh id for a process.
func newOwner() int64 { return rand.Int64N(1<<62) + 1 } // #nosec G404 -- an id, not a secret

// errNoRow is what one returns when there is no row.
var errNoRow = errors.New("no row")

// one runs a query for a single row.
func one(ctx context.Context, e engine, sql string, args []any, dest ...any) error {
	found := false
	err := e.read(ctx, &stmt{sql: sql, args: args, row: func(scan scanner) error {
		found = true
		return scan(dest...)
	}})
	if err == nil && !found {
		return errNoRow
	}
	return err
}

// micros writes a time for the database; the zero time is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// instant reads a time back; 0 stands for NULL.
func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// whole cuts a time to what the database keeps.
func whole(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// text makes s fit for both engines: PostgreSQL refuses bytes that are no UTF-8 and NUL, and
// what a platform once answered must not keep a payment from being written.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
