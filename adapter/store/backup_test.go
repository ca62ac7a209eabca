package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Copies that are made while payments run balance, and leave nothing beside them.
func TestBackupWhileServing(t *testing.T) {
	t.Parallel()
	ctx, database := t.Context(), adaptertest.SQLite(t)
	s := adaptertest.Open(t, database, func(c *store.Config) { c.Serve = true })
	run(t, s)
	user := adaptertest.AddUser(t, s, 1, 1000_00)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := pay(ctx, s, adaptertest.TopUp(t, user, 1, time.Now())); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	dir := t.TempDir()
	for i := range 3 {
		file := filepath.Join(dir, fmt.Sprintf("copy%d.db", i))
		r, err := store.Backup(ctx, database, file, money.RUB)
		if err != nil || !r.Clean() || r.Users != 1 {
			t.Errorf("backup %d: %+v, %v", i, r, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v; want it private", info, err)
		}
	}
	close(stop)
	busy.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	copied := adaptertest.Open(t, "sqlite:"+filepath.Join(dir, "copy2.db"), nil)
	clean(t, copied)
	if u, err := copied.User(ctx, user); err != nil || u.Login != "user1" {
		t.Errorf("user of the copy: %+v, %v", u, err)
	}
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	database := adaptertest.SQLite(t)
	adaptertest.Open(t, database, nil)
	there := filepath.Join(dir, "there.db")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ database, file, says string }{
		"a file that is there": {database, there, "there already"},
		"PostgreSQL":           {"postgres://db/x", filepath.Join(dir, "a.db"), "pg_dump"},
	} {
		if _, err := store.Backup(ctx, tt.database, tt.file, money.RUB); !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tt := range map[string]struct{ database, file string }{
		"no database":      {"sqlite:" + filepath.Join(dir, "none.db"), filepath.Join(dir, "a.db")},
		"no folder":        {database, filepath.Join(dir, "none", "a.db")},
		"no database file": {"sqlite:" + there, filepath.Join(dir, "a.db")},
	} {
		if _, err := store.Backup(ctx, tt.database, tt.file, money.RUB); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "precious" {
		t.Errorf("the file that was there: %q, %v", text, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A copy whose books do not balance is made all the same, and said so.
func TestBackupTellsOfSpoiledBooks(t *testing.T) {
	t.Parallel()
	database := adaptertest.SQLite(t)
	s := adaptertest.Open(t, database, nil)
	adaptertest.AddUser(t, s, 1, 1000_00)
	if err := execSQL(t.Context(), database, `UPDATE balances SET available = available + 1`); err != nil {
		t.Fatal(err)
	}
	r, err := store.Backup(t.Context(), database, filepath.Join(t.TempDir(), "copy.db"), money.RUB)
	if err != nil || r.Clean() {
		t.Errorf("%+v, %v; want the difference", r, err)
	}
}

func TestVerifyForm(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change string
		want   []string
	}{
		"as it should be":   {`SELECT 1`, nil},
		"a trigger is gone": {`DROP TRIGGER audit_append_only_delete`, []string{"trigger audit_append_only_delete is missing"}},
		"a foreign index":   {`CREATE INDEX mine ON users (created_at)`, []string{"index mine is not ours"}},
		"a changed table":   {`ALTER TABLE audit ADD COLUMN more TEXT`, []string{"table audit is not as it should be"}},
	} {
		database := adaptertest.SQLite(t)
		adaptertest.Open(t, database, nil)
		if err := execSQL(t.Context(), database, tt.change); err != nil {
			t.Fatal(err)
		}
		got, err := store.VerifyForm(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A database of a later version is not touched: what its rows mean is not known here.
func TestNewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		adaptertest.Open(t, database, nil)
		if err := execSQL(t.Context(), database, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`); err != nil {
			t.Fatal(err)
		}
		if s, err := store.Open(t.Context(), store.Config{Database: database, Migrate: true}); !errors.Is(err, store.ErrMigrations) || !strings.Contains(err.Error(), "newer") {
			t.Errorf("opened: %v, %v", s, err)
		}
	})
}
