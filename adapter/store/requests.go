package store

import (
	"context"
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

const requestColumns = `key, operation, fingerprint, asked_by, at, done, status, answer, held_until`

// BeginRequest stores r, whose status is 0, the first time its key is seen, and holds it for
// the given time: begun says that whoever asked is to work on it. For a repeat that has its
// answer, begun is false and known holds it. A repeat that nobody holds any more, because that
// work failed or its process died, is begun again; known.Done says that its effect is there then.
//
// A known key with another fingerprint is adapter.ErrConflict, a request that somebody still
// works on adapter.ErrUnderWay.
func (s *Store) BeginRequest(ctx context.Context, r adapter.Request, hold time.Duration) (known adapter.Request, begun bool, err error) {
	if r.Key == "" || r.Status != 0 {
		return r, false, fmt.Errorf("%w: begin request %q: it has no key, or an answer already", adapter.ErrInvalid, r.Key)
	}
	now := s.cfg.Now()
	until := now.Add(hold).UnixMicro()
	// What is done with the request is the act, not that it is remembered.
	err = s.db.write(unasked(ctx), func(t tx) error {
		begun, known = false, adapter.Request{}
		t.add(&stmt{
			sql: `INSERT INTO requests (key, operation, fingerprint, asked_by, at, held_until, owner, status, answer)
				VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) ON CONFLICT DO NOTHING RETURNING held_until`,
			args: []any{r.Key, r.Operation, r.Fingerprint, text(r.By), r.At.UnixMicro(), until, s.Owner(), []byte{}},
			row:  func(scanner) error { begun, known = true, r; return nil },
		})
		if err := t.flush(ctx); err != nil || begun {
			return err
		}
		var held int64
		t.add(&stmt{
			sql: `SELECT ` + requestColumns + ` FROM requests WHERE key = $1` + s.db.dialect().lock, args: []any{r.Key},
			row: func(scan scanner) (err error) {
				known, held, err = scanRequest(scan)
				return err
			},
		})
		if err := t.flush(ctx); err != nil {
			return err
		}
		switch {
		case known.Fingerprint != r.Fingerprint:
			return adapter.ErrConflict
		case known.Status != 0:
			return nil
		case held > now.UnixMicro():
			return adapter.ErrUnderWay
		}
		begun = true
		t.add(&stmt{sql: `UPDATE requests SET held_until = $2, owner = $3 WHERE key = $1`, args: []any{r.Key, until, s.Owner()}})
		return nil
	})
	if err != nil {
		return known, false, fmt.Errorf("begin request %q: %w", r.Key, err)
	}
	return known, begun, nil
}

// EndRequest stores the answer of a request that was begun, or with status 0 gives it back to
// be begun anew. The first answer stays: if somebody else was faster, that one is returned.
func (s *Store) EndRequest(ctx context.Context, r adapter.Request) (stored adapter.Request, err error) {
	answer := r.Answer
	if answer == nil {
		answer = []byte{}
	}
	err = s.db.write(unasked(ctx), func(t tx) error {
		t.add(&stmt{
			sql:  `UPDATE requests SET held_until = 0, status = $2, answer = $3 WHERE key = $1 AND status = 0`,
			args: []any{r.Key, int64(r.Status), answer},
		}, &stmt{
			sql: `SELECT ` + requestColumns + ` FROM requests WHERE key = $1`, args: []any{r.Key},
			row: func(scan scanner) (err error) {
				stored, _, err = scanRequest(scan)
				return err
			},
		})
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("end request %q: %w", r.Key, err)
	}
	return stored, nil
}

func scanRequest(scan scanner) (r adapter.Request, held int64, err error) {
	var at, done, status int64
	err = scan(&r.Key, &r.Operation, &r.Fingerprint, &r.By, &at, &done, &status, &r.Answer, &held)
	r.At, r.Done, r.Status = instant(at), done == 1, int(status)
	return r, held, err
}

// pruneChunk is how many requests one transaction forgets: others do not wait for long.
const pruneChunk = 500

// PruneRequests forgets the requests that were made before a time, with their answers, but none
// that somebody works on, and returns how many. What they did stays, and what moved money is
// recognised by its key still.
func (s *Store) PruneRequests(ctx context.Context, before time.Time) (forgotten int, err error) {
	for ctx.Err() == nil {
		n := 0
		err := s.db.write(ctx, func(t tx) error {
			n = 0
			t.add(&stmt{
				sql: `DELETE FROM requests WHERE key IN (
					SELECT key FROM requests WHERE at < $1 AND held_until <= $2 ORDER BY at LIMIT $3) RETURNING 1`,
				args: []any{before.UnixMicro(), s.cfg.Now().UnixMicro(), int64(pruneChunk)},
				row:  func(scanner) error { n++; return nil },
			})
			return nil
		})
		if err != nil {
			return forgotten, fmt.Errorf("forget old requests: %w", err)
		}
		if forgotten += n; n < pruneChunk {
			break
		}
	}
	return forgotten, ctx.Err()
}
