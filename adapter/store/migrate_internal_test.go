package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
)

// Payments of an older database are still there, word by word, once their table was made anew.
func TestMigrateKeepsPayments(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "old.db")
	database := "sqlite:" + file
	if err := migrate(t.Context(), database, func(p *goose.Provider) error {
		_, err := p.UpTo(t.Context(), 2)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", sqliteDSN(file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	do := func(query string) error {
		_, err := db.ExecContext(context.Background(), query)
		return err
	}
	const columns = `num, platform, platform_id, kind, user_hash, amount, refund_of, state, version, attempt, owner, next_at, reason, received_at, updated_at`
	if err := do(`INSERT INTO payments (` + columns + `) VALUES
		(1, 'integra', 'a', 'topup', 'u', 5, NULL, 'confirmed', 2, 1, 0, NULL, '', 10, 20),
		(3, 'integra', 'b', 'refund', 'u', 4, 1, 'in_doubt', 3, 2, 0, NULL, 'refused', 11, 21),
		(4, 'integra', 'c', 'topup', 'v', 3, NULL, 'received', 0, 0, 0, 12, '', 12, 12)`); err != nil {
		t.Fatal(err)
	}
	rows := func() (all string) {
		t.Helper()
		err := db.QueryRowContext(t.Context(), `SELECT group_concat(row, ';') FROM (SELECT concat_ws(',', `+columns+`, aside) AS row FROM payments ORDER BY num)`).Scan(&all)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := rows()
	if _, err := Migrate(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	if after := rows(); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
	for what, query := range map[string]string{
		"a changed amount": `UPDATE payments SET amount = 9 WHERE num = 1`,
		"a deletion":       `DELETE FROM payments WHERE num = 1`,
		"a known key":      `INSERT INTO payments (` + columns + `) VALUES (5, 'integra', 'a', 'topup', 'u', 5, NULL, 'confirmed', 2, 1, 0, NULL, '', 10, 20)`,
		"no such state":    `UPDATE payments SET state = 'lost' WHERE num = 4`,
	} {
		if do(query) == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if err := do(`UPDATE payments SET state = 'capture_refused' WHERE num = 4`); err != nil {
		t.Error(err)
	}
}
