package store

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

// What is asked while payments come in may not read more of them as they become more: on
// SQLite, whose plans do not depend on how full the tables are, no query scans them.
func TestNoQueryScansThePayments(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "plan.db"), Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	recorder := &recordingEngine{engine: s.db}
	s.db = recorder
	ctx := t.Context()
	if _, _, err := s.NextDue(ctx); err != nil {
		t.Error(err)
	}
	if _, err := s.Stats(ctx); err != nil {
		t.Error(err)
	}
	for _, f := range []adapter.PaymentFilter{
		{User: "u"},
		{User: "u", States: adapter.States},
		{States: []adapter.State{adapter.InDoubt}},
		{States: []adapter.State{adapter.Declined}},
		{States: []adapter.State{adapter.Received, adapter.Reserved}, Before: 7},
		{States: []adapter.State{adapter.Declining}, From: time.Now()},
	} {
		if _, err := s.Payments(ctx, f); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.UserPayments(ctx, "u", time.Now(), time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := s.behind(ctx, "u", time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := s.ActiveUsers(ctx, time.Now(), time.Now()); err != nil {
		t.Error(err)
	}
	reads := append(recorder.reads, &stmt{sql: s.sql.due, args: []any{int64(1), int64(1)}})
	for _, st := range reads {
		var plan []string
		err := recorder.engine.read(ctx, &stmt{sql: "EXPLAIN QUERY PLAN " + st.sql, args: st.args, row: func(scan scanner) error {
			var (
				id, parent, unused int64
				step               string
			)
			err := scan(&id, &parent, &unused, &step)
			plan = append(plan, step)
			return err
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range plan {
			if step == "SCAN p" || strings.HasPrefix(step, "SCAN payments") || strings.HasPrefix(step, "SCAN transfers") || step == "SCAN t" {
				t.Errorf("%s\n%s", st.sql, strings.Join(plan, "\n"))
			}
		}
	}
}

// recordingEngine keeps what is read.
type recordingEngine struct {
	engine
	reads []*stmt
}

func (e *recordingEngine) read(ctx context.Context, st *stmt) error {
	e.reads = append(e.reads, st)
	return e.engine.read(ctx, st)
}
