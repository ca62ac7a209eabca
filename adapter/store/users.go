package store

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

// AddUser stores a new user, with an empty balance. A hash or login that is taken is an
// *adapter.TakenError.
func (s *Store) AddUser(ctx context.Context, u adapter.User) error {
	return s.AddUsers(ctx, []adapter.User{u})
}

// AddUsers stores new users, all of them or, with an error, none. The error is like AddUser's,
// about the first user that cannot be stored.
func (s *Store) AddUsers(ctx context.Context, users []adapter.User) error {
	for _, u := range users {
		switch {
		case !adapter.ValidUserHash(u.Hash):
			return fmt.Errorf("%w: add user: hash %q must be 32 letters or digits", adapter.ErrInvalid, u.Hash)
		case u.Login == "":
			return fmt.Errorf("%w: add user %s: login is empty", adapter.ErrInvalid, u.Hash)
		}
	}
	err := s.db.write(ctx, func(t tx) error {
		added := make(map[string]bool, len(users))
		for _, u := range users {
			t.add(&stmt{
				sql: `INSERT INTO users (hash, login, sealed_key, archived_at, created_at) VALUES ($1, $2, $3, $4, $5)
					ON CONFLICT DO NOTHING RETURNING hash`,
				args: []any{u.Hash, text(u.Login), notNil(u.SealedKey), micros(u.ArchivedAt), u.CreatedAt.UnixMicro()},
				row: func(scan scanner) error {
					var hash string
					err := scan(&hash)
					added[hash] = true
					return err
				},
			})
		}
		if err := t.flush(ctx); err != nil {
			return err
		}
		for _, u := range users {
			if !added[u.Hash] {
				return &adapter.TakenError{Hash: u.Hash, Login: u.Login}
			}
			delete(added, u.Hash) // the same hash again is taken, by its namesake
			t.add(&stmt{sql: `INSERT INTO balances (user_hash, available, reserved, last) VALUES ($1, 0, 0, 0)`, args: []any{u.Hash}})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add users: %w", err)
	}
	return nil
}

// notNil is b for a column that takes no NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

const userColumns = `hash, login, sealed_key, coalesce(archived_at, 0), created_at`

func scanUser(scan scanner) (adapter.User, error) {
	var (
		u                 adapter.User
		archived, created int64
	)
	err := scan(&u.Hash, &u.Login, &u.SealedKey, &archived, &created)
	u.ArchivedAt, u.CreatedAt = instant(archived), instant(created)
	return u, err
}

// User returns a user by hash, or adapter.ErrNotFound.
func (s *Store) User(ctx context.Context, hash string) (u adapter.User, err error) {
	found := false
	err = s.db.read(ctx, &stmt{
		sql: `SELECT ` + userColumns + ` FROM users WHERE hash = $1`, args: []any{hash},
		row: func(scan scanner) (err error) {
			found = true
			u, err = scanUser(scan)
			return err
		},
	})
	if err == nil && !found {
		err = adapter.ErrNotFound
	}
	if err != nil {
		return u, fmt.Errorf("user %q: %w", hash, err)
	}
	return u, nil
}

// Users lists users in the order of their hashes. The hash of the last one is the cursor to
// go on.
func (s *Store) Users(ctx context.Context, f adapter.UserFilter) ([]adapter.User, error) {
	where, args := []string{"hash > $1"}, []any{f.After}
	if f.Login != "" {
		args = append(args, f.Login)
		where = append(where, "login = $2")
	}
	if f.Archived != nil && *f.Archived {
		where = append(where, "archived_at IS NOT NULL")
	} else if f.Archived != nil {
		where = append(where, "archived_at IS NULL")
	}
	args = append(args, int64(cmp.Or(f.Limit, 50)))
	var list []adapter.User
	err := s.db.read(ctx, &stmt{
		sql:  fmt.Sprintf(`SELECT `+userColumns+` FROM users WHERE %s ORDER BY hash LIMIT $%d`, strings.Join(where, " AND "), len(args)), //nolint:gosec // of constants
		args: args,
		row: func(scan scanner) error {
			u, err := scanUser(scan)
			list = append(list, u)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return list, nil
}

// SetArchived notes that a user is archived since at or, with the zero time, is not any more.
// An archived user stays archived since the first time.
func (s *Store) SetArchived(ctx context.Context, hash string, at time.Time) error {
	found := false
	sql := `UPDATE users SET archived_at = coalesce(archived_at, $2) WHERE hash = $1 RETURNING hash`
	if at.IsZero() {
		sql = `UPDATE users SET archived_at = $2 WHERE hash = $1 RETURNING hash`
	}
	err := s.db.write(ctx, func(t tx) error {
		t.add(&stmt{sql: sql, args: []any{hash, micros(at)}, row: func(scanner) error { found = true; return nil }})
		return nil
	})
	if err == nil && !found {
		err = adapter.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("archive user %q: %w", hash, err)
	}
	return nil
}

// SealAnew puts other seals on the same crypt keys: of each user's sealed key, seal returns
// the new form, or the same if that is good already. It goes through all users in groups, each
// in a transaction of its own, beside everything else that runs; what it was cut short in is
// done by the next run. It returns how many were sealed anew, also with an error.
func (s *Store) SealAnew(ctx context.Context, seal func(user string, sealed []byte) ([]byte, error)) (changed int, err error) {
	const group = 200
	for after := ""; ; {
		users, err := s.Users(ctx, adapter.UserFilter{After: after, Limit: group})
		if err != nil || len(users) == 0 {
			return changed, err
		}
		var sts []*stmt
		n := 0
		for _, u := range users {
			anew, err := seal(u.Hash, u.SealedKey)
			if err != nil {
				return changed, fmt.Errorf("seal key of user %s: %w", u.Hash, err)
			}
			if string(anew) == string(u.SealedKey) {
				continue
			}
			sts = append(sts, &stmt{ // a key that was changed meanwhile has its seal
				sql: `UPDATE users SET sealed_key = $3 WHERE hash = $1 AND sealed_key = $2 RETURNING hash`, args: []any{u.Hash, u.SealedKey, anew},
				row: func(scanner) error { n++; return nil },
			})
		}
		if len(sts) > 0 {
			err = s.db.write(ctx, func(t tx) error {
				n = 0
				t.add(sts...)
				return nil
			})
			if err != nil {
				return changed, fmt.Errorf("seal keys anew: %w", err)
			}
			changed += n
		}
		after = users[len(users)-1].Hash
	}
}
