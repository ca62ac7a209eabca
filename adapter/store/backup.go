package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Backup writes a copy of an SQLite database to file, while others read and write it: one state
// of everything, compact. The copy takes its name only once it was read back: its pages are
// sound and its books were audited; the report says with what result. file must not exist.
// What PostgreSQL keeps is backed up by PostgreSQL's own tools, so that is adapter.ErrInvalid.
func Backup(ctx context.Context, database, file string, currency money.Currency) (r ledger.Report, err error) {
	source, _, err := parseDatabase(database)
	switch {
	case err != nil:
		return r, err
	case source == "":
		return r, fmt.Errorf("%w: database: PostgreSQL is backed up by pg_dump or by archiving its log", adapter.ErrInvalid)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w: file: %s is there already", adapter.ErrInvalid, file)
	}
	part := file + ".part"
	defer func() {
		for _, left := range []string{part, part + "-wal", part + "-shm"} {
			if e := os.Remove(left); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}()
	// SQLite fills an empty file that is there, and leaves it private.
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600) // #nosec G304 -- the operator names the file
	if err != nil {
		return r, err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return r, err
	}
	if err := onSQLite(ctx, source, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "VACUUM INTO ?", part)
		return err
	}); err != nil {
		return r, fmt.Errorf("copy %s: %w", source, err)
	}
	if r, err = verifyCopy(ctx, part, currency); err != nil {
		return r, fmt.Errorf("the copy of %s is no good: %w", source, err)
	}
	if err := syncFile(part); err != nil {
		return r, err
	}
	if err := os.Link(part, file); err != nil { // unlike a rename it does not replace what came meanwhile
		return r, err
	}
	return r, syncFile(filepath.Dir(file))
}

// onSQLite opens a database file for the time of do.
func onSQLite(ctx context.Context, file string, do func(*sql.DB) error) (err error) {
	if _, err := os.Stat(file); err != nil { // SQLite would make it
		return err
	}
	db, err := sql.Open("sqlite", sqliteDSN(file))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	return do(db)
}

// verifyCopy checks the pages of a copy and audits its books.
func verifyCopy(ctx context.Context, file string, currency money.Currency) (r ledger.Report, err error) {
	err = onSQLite(ctx, file, func(db *sql.DB) error {
		var result string
		if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&result); err != nil {
			return err
		}
		if result != "ok" {
			return errors.New(result)
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	s, err := Open(ctx, Config{Database: "sqlite:" + file, Currency: currency})
	if err != nil {
		return r, err
	}
	r, err = s.Verify(ctx)
	return r, errors.Join(err, s.Close())
}

// syncFile makes a file, or the names in a folder, durable.
func syncFile(name string) error {
	f, err := os.Open(name) // #nosec G304 -- the operator names it
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
