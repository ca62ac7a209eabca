package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
)

// archiveAll archives everything that ended before a time, as the command does.
func archiveAll(ctx context.Context, s *store.Store, before time.Time, limit int) (pasts []store.Past, dropped int, err error) {
	for after := int64(0); ; {
		page, next, err := s.Pasts(ctx, before, after, limit)
		if err != nil {
			return nil, 0, err
		}
		pasts = append(pasts, page...)
		if next == 0 {
			break
		}
		after = next
	}
	var kept []store.Kept
	for _, p := range pasts {
		kept = append(kept, store.Kept{Num: p.Payment.Num, Lines: len(p.History)})
	}
	dropped, err = s.DropHistories(ctx, kept, "a.jsonl.gz")
	return pasts, dropped, err
}

// After archiving, totals are as before, the audit is clean, and what comes again is still a
// repeat or a conflict.
func TestArchive(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		ctx, clock := t.Context(), adaptertest.NewClock()
		s := adaptertest.Open(t, database, func(c *store.Config) { c.Now = clock.Now })
		user := adaptertest.AddUser(t, s, 1, 1000_00)
		begin := func(kopecks int64) adapter.Payment {
			p := adaptertest.TopUp(t, user, kopecks, clock.Now())
			p.Owner, p.NextAt = s.Owner(), clock.Now().Add(adaptertest.Policy.Lease)
			p, _, err := s.Accept(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			step, err := p.Decide(adaptertest.Policy, clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			if p, err = s.Apply(ctx, step); err != nil {
				t.Fatal(err)
			}
			return p
		}
		end := func(p adapter.Payment, v adapter.Verdict) adapter.Payment {
			for !p.State.Final() {
				step, err := p.Answered(adapter.Outcome{Verdict: v, Code: 7, Detail: "so"}, adaptertest.Policy, clock.Now())
				if err != nil {
					t.Fatal(err)
				}
				if p, err = s.Apply(ctx, step); err != nil {
					t.Fatal(err)
				}
			}
			return p
		}
		var old []adapter.Payment
		for range 5 {
			old = append(old, end(begin(10_00), adapter.Accepted))
		}
		old = append(old, end(begin(10_00), adapter.Refused))
		open := begin(20_00)
		clock.Advance(time.Hour)
		before := clock.Now()
		young := end(begin(30_00), adapter.Accepted)
		was, err := s.Balance(ctx, user)
		if err != nil {
			t.Fatal(err)
		}

		pasts, dropped, err := archiveAll(ctx, s, before, 2)
		if err != nil || len(pasts) != len(old) || dropped != len(old) {
			t.Fatalf("archived %d, dropped %d, %v; want %d", len(pasts), dropped, err, len(old))
		}
		if p := pasts[0]; p.Payment != old[0] || len(p.History) != 2 || len(p.Transfers) != 2 || p.History[1].Kind != adapter.EventConfirmed {
			t.Errorf("kept of the first: %+v", p)
		}
		clean(t, s)
		if is, err := s.Balance(ctx, user); err != nil || is != was {
			t.Errorf("balance %v, %v; want %v", is, err, was)
		}
		for _, p := range old {
			if got, err := s.PaymentByNum(ctx, p.Num); err != nil || got != p {
				t.Errorf("payment %+v, %v; want %+v", got, err, p)
			}
			history, err := s.History(ctx, p.Num)
			if err != nil || len(history) != 2 || history[1].Kind != adapter.EventArchived || !strings.Contains(history[1].Detail, "a.jsonl.gz") {
				t.Errorf("history %+v, %v", history, err)
			}
		}
		for _, p := range []adapter.Payment{open, young} {
			if history, err := s.History(ctx, p.Num); err != nil || len(history) < 2 || history[1].Kind == adapter.EventArchived {
				t.Errorf("what is open or young was archived: %+v, %v", history, err)
			}
		}

		again, err := adapter.NewPayment(old[0].Key, adapter.TopUp, user, old[0].Amount, clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got, first, err := s.Accept(ctx, again); err != nil || first || got != old[0] {
			t.Errorf("a repeat: %+v, first %v, %v", got, first, err)
		}
		again.Amount = adaptertest.RUB(11_00)
		if _, _, err := s.Accept(ctx, again); !errors.Is(err, adapter.ErrConflict) {
			t.Errorf("a conflict: %v", err)
		}
		if history, err := s.History(ctx, old[0].Num); err != nil || len(history) != 3 || history[2].Kind != adapter.EventConflict {
			t.Errorf("history after a conflict: %+v, %v", history, err)
		}
		clean(t, s)
		if pasts, dropped, err := archiveAll(ctx, s, before, 100); err != nil || len(pasts) != 0 || dropped != 0 {
			t.Errorf("a second time: %d, %d, %v", len(pasts), dropped, err)
		}
	})
}

// A history that grew after it was written to the file stays.
func TestArchiveLeavesWhatGrew(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		ctx := t.Context()
		s := adaptertest.Open(t, database, nil)
		user := adaptertest.AddUser(t, s, 1, 1000_00)
		p, err := pay(ctx, s, adaptertest.TopUp(t, user, 1_00, time.Now()))
		if err != nil || !p.State.Final() {
			t.Fatalf("%+v, %v", p, err)
		}
		pasts, _, err := s.Pasts(ctx, time.Now().Add(time.Hour), 0, 10)
		if err != nil || len(pasts) != 1 {
			t.Fatalf("%+v, %v", pasts, err)
		}
		other := adaptertest.TopUp(t, user, 2_00, time.Now())
		other.Key = p.Key
		if _, _, err := s.Accept(ctx, other); !errors.Is(err, adapter.ErrConflict) {
			t.Fatal(err)
		}
		dropped, err := s.DropHistories(ctx, []store.Kept{{Num: p.Num, Lines: len(pasts[0].History)}, {Num: 1 << 40, Lines: 0}}, "f")
		if err != nil || dropped != 0 {
			t.Errorf("dropped %d, %v; want the conflict kept", dropped, err)
		}
		if history, err := s.History(ctx, p.Num); err != nil || history[len(history)-1].Kind != adapter.EventConflict {
			t.Errorf("history %+v, %v", history, err)
		}
	})
}

// Outside an archive nothing takes a line of history away.
func TestHistoryIsStillAppendOnly(t *testing.T) {
	t.Parallel()
	adaptertest.EachDatabase(t, func(t *testing.T, database string) {
		ctx := t.Context()
		s := adaptertest.Open(t, database, nil)
		user := adaptertest.AddUser(t, s, 1, 1000_00)
		if _, err := pay(ctx, s, adaptertest.TopUp(t, user, 1_00, time.Now())); err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{`DELETE FROM events`, `UPDATE events SET detail = 'x'`} {
			if err := execSQL(ctx, database, query); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", query, err)
			}
		}
		if _, dropped, err := archiveAll(ctx, s, time.Now().Add(time.Hour), 10); err != nil || dropped != 1 {
			t.Fatalf("dropped %d, %v", dropped, err)
		}
		if err := execSQL(ctx, database, `DELETE FROM events`); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("the line that stands for a history can be deleted: %v", err)
		}
		clean(t, s)
	})
}
