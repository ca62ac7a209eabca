package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // goose speaks database/sql to PostgreSQL
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// ErrMigrations says that the database is not of this program's version: it has pending
// migrations, for Migrate, or is of a newer one.
var ErrMigrations = errors.New("the database is not of this program's version")

var errNewer = fmt.Errorf("%w: it was made by a newer program", ErrMigrations)

// Migrate brings the database to this program's version and returns the names of the steps
// taken. Several processes may do it at once on PostgreSQL; on SQLite all but one get an error.
func Migrate(ctx context.Context, database string) ([]string, error) {
	var applied []string
	if err := create(database); err != nil {
		return nil, err
	}
	err := migrate(ctx, database, func(p *goose.Provider) error {
		done, err := p.Up(ctx)
		for _, r := range done {
			applied = append(applied, path.Base(r.Source.Path))
		}
		return err
	})
	return applied, err
}

// create makes the file of a new SQLite database, to be read by us alone: it holds keys and
// money. SQLite gives the files beside it the same permissions.
func create(database string) error {
	file, _, err := parseDatabase(database)
	if err != nil || file == "" {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator names the file
	if err != nil {
		return err
	}
	return f.Close()
}

// Pending lists the steps that Migrate would take. A database of a later version than this
// program's is ErrMigrations: what it means by its rows is not known here. An SQLite file that is not there has them
// all to take, and is not created.
func Pending(ctx context.Context, database string) ([]string, error) {
	var pending []string
	if file, _, _ := parseDatabase(database); missing(file) {
		steps, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
		for _, s := range steps {
			pending = append(pending, path.Base(s))
		}
		return pending, err
	}
	err := migrate(ctx, database, func(p *goose.Provider) error {
		if current, target, err := p.GetVersions(ctx); err != nil {
			return err
		} else if current > target {
			return fmt.Errorf("%w: it is at version %d, this program knows %d at most", errNewer, current, target)
		}
		steps, err := p.Status(ctx)
		for _, s := range steps {
			if s.State == goose.StatePending {
				pending = append(pending, path.Base(s.Source.Path))
			}
		}
		return err
	})
	return pending, err
}

// missing reports whether there is no such file yet of an embedded database; "" is none.
func missing(file string) bool {
	_, err := os.Stat(file)
	return file != "" && errors.Is(err, fs.ErrNotExist)
}

func migrate(ctx context.Context, database string, do func(*goose.Provider) error) (err error) {
	file, url, err := parseDatabase(database)
	if err != nil {
		return err
	}
	var (
		driver, dsn = "pgx", url
		dialect     = goose.DialectPostgres
		dir         = "migrations/postgres"
		options     []goose.ProviderOption
	)
	if file != "" {
		driver, dsn, dialect, dir = "sqlite", sqliteDSN(file), goose.DialectSQLite3, "migrations/sqlite"
	} else {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // asks every second
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	steps, err := fs.Sub(migrations, dir)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, db, steps, options...)
	if err != nil {
		return err
	}
	if err := do(provider); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// parseDatabase tells the two engines apart: sqlite:FILE and postgres://….
func parseDatabase(database string) (file, url string, err error) {
	switch {
	case strings.HasPrefix(database, "postgres://"), strings.HasPrefix(database, "postgresql://"):
		return "", database, nil
	case strings.HasPrefix(database, "sqlite:") && len(database) > len("sqlite:"):
		return strings.TrimPrefix(database, "sqlite:"), "", nil
	}
	scheme, _, _ := strings.Cut(database, ":") // the rest may hold a password
	return "", "", fmt.Errorf("database %q…: want sqlite:FILE or postgres://…", scheme)
}

// VerifyForm lists in what a database differs from this version's form: migrations that are
// pending, and, of SQLite, tables, indexes, views and triggers that are missing, changed or
// foreign. (PostgreSQL does not keep the text to compare.)
func VerifyForm(ctx context.Context, database string) (differences []string, err error) {
	pending, err := Pending(ctx, database)
	for _, p := range pending {
		differences = append(differences, "pending "+p)
	}
	file, _, _ := parseDatabase(database)
	if err != nil || file == "" || len(pending) > 0 {
		return differences, err
	}
	dir, err := os.MkdirTemp("", "adapter-form-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fresh := filepath.Join(dir, "fresh.db")
	if _, err := Migrate(ctx, "sqlite:"+fresh); err != nil {
		return nil, err
	}
	want, err := form(ctx, fresh)
	if err != nil {
		return nil, err
	}
	got, err := form(ctx, file)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch text, ok := got[name]; {
		case !ok:
			differences = append(differences, name+" is missing")
		case text != want[name]:
			differences = append(differences, name+" is not as it should be")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			differences = append(differences, name+" is not ours")
		}
	}
	return differences, nil
}

// form is the text of everything in a SQLite database that has one, by kind and name.
func form(ctx context.Context, file string) (map[string]string, error) {
	all := map[string]string{}
	err := onSQLite(ctx, file, func(db *sql.DB) (err error) {
		rows, err := db.QueryContext(ctx, `SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL`)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var name, text string
			if err := rows.Scan(&name, &text); err != nil {
				return err
			}
			all[name] = text
		}
		return rows.Err()
	})
	return all, err
}
