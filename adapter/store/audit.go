package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/partnerkit/partnerkit/adapter"
)

// Act does what a person asked for and puts it into the audit log. The first transaction that
// do writes with its context carries the line, so that no effect is without one; if do writes
// nothing, or fails, a line of its own says so. Errors that are the caller's (adapter.ErrInvalid
// and the like) count as refused, others as failed. It returns do's error, or what kept the
// line from being written.
func (s *Store) Act(ctx context.Context, a adapter.Action, do func(context.Context) error) error {
	act := &act{Action: a}
	err := do(context.WithValue(ctx, actKey{}, act))
	switch {
	case err == nil && act.written.Load():
		return nil
	case err == nil:
		a.Result = adapter.ActionDone
	case isRefusal(err):
		a.Result, a.Detail = adapter.ActionRefused, explained(a.Detail, err)
	default:
		a.Result, a.Detail = adapter.ActionFailed, explained(a.Detail, err)
	}
	e := s.db.write(context.WithoutCancel(ctx), func(t tx) error {
		t.add(s.insertAction(a))
		return nil
	})
	if e != nil {
		err = errors.Join(err, fmt.Errorf("audit log: %w", e))
	}
	return err
}

func isRefusal(err error) bool {
	for _, refusal := range []error{
		adapter.ErrInvalid, adapter.ErrConflict, adapter.ErrNotFound, adapter.ErrInsufficient, adapter.ErrLost,
		adapter.ErrNotInDoubt,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

func explained(detail string, err error) string {
	if detail == "" {
		return err.Error()
	}
	return detail + ": " + err.Error()
}

// act is an action on its way, carried by the context of whatever it does.
type act struct {
	adapter.Action
	written atomic.Bool
}

type actKey struct{}

func actOf(ctx context.Context) *act {
	a, _ := ctx.Value(actKey{}).(*act)
	return a
}

// asked reports whether ctx says who asked for what it writes: such a write is a transaction of
// its own, which carries the line of the action and marks the request.
func asked(ctx context.Context) bool { return actOf(ctx) != nil || adapter.RequestOf(ctx) != "" }

// unasked is ctx for writes that are no effect of the action or request.
func unasked(ctx context.Context) context.Context {
	return context.WithValue(adapter.ForRequest(ctx, ""), actKey{}, nil)
}

// audited is an engine whose transactions carry the line of the action that they belong to, and
// the mark of the request.
type audited struct {
	engine
	store *Store
}

// write also keeps in mind when the database took no writes, for Ping.
func (e audited) write(ctx context.Context, fn func(tx) error) error {
	err := e.audit(ctx, fn)
	if err != nil && e.shut(err) {
		e.store.shut.Store(e.store.cfg.Now().UnixMicro())
	}
	return err
}

func (e audited) audit(ctx context.Context, fn func(tx) error) error {
	a, request := actOf(ctx), adapter.RequestOf(ctx)
	if a != nil && a.written.Load() {
		a = nil
	}
	if a == nil && request == "" {
		return e.engine.write(ctx, fn)
	}
	err := e.engine.write(ctx, func(t tx) error {
		if err := fn(t); err != nil {
			return err
		}
		if a != nil {
			done := a.Action
			done.Result = adapter.ActionDone
			t.add(e.store.insertAction(done))
		}
		if request != "" {
			t.add(&stmt{sql: `UPDATE requests SET done = 1 WHERE key = $1`, args: []any{request}})
		}
		return nil
	})
	if err == nil && a != nil {
		a.written.Store(true)
	}
	return err
}

const longestDetail = 2000 // bytes; an error can quote what a stranger sent

func (s *Store) insertAction(a adapter.Action) *stmt {
	return &stmt{
		sql: `INSERT INTO audit (at, who, via, what, subject, result, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		args: []any{
			s.cfg.Now().UnixMicro(), short(a.Who, 255), short(a.Via, 255), short(a.What, 255), short(a.On, 255),
			string(a.Result), short(a.Detail, longestDetail),
		},
	}
}

// short is s fit for the database, at most n bytes of it.
func short(s string, n int) string { return text(s[:min(len(s), n)]) }

// Actions lists the audit log, newest first. The Num of the last one is the cursor to go on.
func (s *Store) Actions(ctx context.Context, f adapter.ActionFilter) ([]adapter.Action, error) {
	where, args := []string{"num > 0"}, []any{}
	arg := func(format string, v any) {
		args = append(args, v)
		where = append(where, fmt.Sprintf(format, len(args)))
	}
	for _, is := range []struct{ column, value string }{{"who", f.Who}, {"via", f.Via}, {"what", f.What}, {"subject", f.On}} {
		if is.value != "" {
			arg(is.column+" = $%d", is.value)
		}
	}
	if !f.From.IsZero() {
		arg("at >= $%d", f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		arg("at < $%d", f.To.UnixMicro())
	}
	if f.Before != 0 {
		arg("num < $%d", f.Before)
	}
	args = append(args, int64(cmp.Or(f.Limit, 50)))
	var list []adapter.Action
	err := s.db.read(ctx, &stmt{
		sql: `SELECT num, at, who, via, what, subject, result, detail FROM audit WHERE ` + strings.Join(where, " AND ") +
			fmt.Sprintf(" ORDER BY num DESC LIMIT $%d", len(args)),
		args: args,
		row: func(scan scanner) error {
			var (
				a      adapter.Action
				at     int64
				result string
			)
			err := scan(&a.Num, &at, &a.Who, &a.Via, &a.What, &a.On, &result, &a.Detail)
			a.At, a.Result = instant(at), adapter.ActionResult(result)
			list = append(list, a)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	return list, nil
}
