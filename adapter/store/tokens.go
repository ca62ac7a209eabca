package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/partnerkit/partnerkit/adapter"
)

// AddToken remembers a token that was minted. An id that is known is adapter.ErrConflict.
func (s *Store) AddToken(ctx context.Context, t adapter.Token) error {
	err := s.db.write(ctx, func(q tx) error {
		q.add(&stmt{
			sql:  `INSERT INTO tokens (id, name, scopes, minted_at, expires_at, reason) VALUES ($1, $2, $3, $4, $5, '')`,
			args: []any{t.ID, text(t.Name), strings.Join(t.Scopes, " "), micros(t.MintedAt), micros(t.ExpiresAt)},
		})
		return nil
	})
	switch {
	case s.db.unique(err):
		return fmt.Errorf("%w: add token %s: the id is taken", adapter.ErrConflict, t.ID)
	case err != nil:
		return fmt.Errorf("add token %s: %w", t.ID, err)
	}
	return nil
}

// RevokeToken makes a token good no more, whether it was minted here or elsewhere. Of a token
// that is revoked already, the first time and reason stay.
func (s *Store) RevokeToken(ctx context.Context, t adapter.Token) error {
	if t.ID == "" || t.RevokedAt.IsZero() {
		return fmt.Errorf("%w: revoke token %q: it has no id, or no time", adapter.ErrInvalid, t.ID)
	}
	err := s.db.write(ctx, func(q tx) error {
		q.add(&stmt{
			sql: `INSERT INTO tokens (id, name, scopes, expires_at, revoked_at, reason) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason WHERE tokens.revoked_at IS NULL`,
			args: []any{t.ID, text(t.Name), strings.Join(t.Scopes, " "), micros(t.ExpiresAt), t.RevokedAt.UnixMicro(), text(t.Reason)},
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("revoke token %s: %w", t.ID, err)
	}
	return nil
}

// TokenRevoked reports whether a token is good no more. One that was never heard of is good.
func (s *Store) TokenRevoked(ctx context.Context, id string) (bool, error) {
	revoked := false
	err := s.db.read(ctx, &stmt{
		sql: `SELECT revoked_at FROM tokens WHERE id = $1 AND revoked_at IS NOT NULL`, args: []any{id},
		row: func(scanner) error { revoked = true; return nil },
	})
	if err != nil {
		return false, fmt.Errorf("look up token %s: %w", id, err)
	}
	return revoked, nil
}

// Tokens lists the tokens that were minted here or revoked, the newest first.
func (s *Store) Tokens(ctx context.Context) ([]adapter.Token, error) {
	var list []adapter.Token
	err := s.db.read(ctx, &stmt{
		sql: `SELECT id, name, scopes, coalesce(minted_at, 0), coalesce(expires_at, 0), coalesce(revoked_at, 0), reason FROM tokens
			ORDER BY coalesce(minted_at, revoked_at, 0) DESC, id`,
		row: func(scan scanner) error {
			var (
				t                        adapter.Token
				scopes                   string
				minted, expires, revoked int64
			)
			err := scan(&t.ID, &t.Name, &scopes, &minted, &expires, &revoked, &t.Reason)
			t.Scopes = strings.Fields(scopes)
			t.MintedAt, t.ExpiresAt, t.RevokedAt = instant(minted), instant(expires), instant(revoked)
			list = append(list, t)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return list, nil
}
