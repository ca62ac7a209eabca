package store

import (
	"context"
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
)

// An archive takes the histories of final payments, which are most of what a payment needs. Its
// row stays: it is what makes a notification that comes again a repeat. So do its transfers:
// they are the books. In place of the history stands one line that says where it went.

// Past is a final payment with all that is known of it.
type Past struct {
	Payment   adapter.Payment
	History   []adapter.Event
	Transfers []ledger.Transfer
}

// archivedN is the place of the line that stands for a history: behind all remarks.
const archivedN = 1_000_000

// Pasts lists up to limit final payments that were last changed before a time and still have
// their history, in the order of their numbers, beginning after the given one. next is where
// to go on; 0 at the end.
func (s *Store) Pasts(ctx context.Context, before time.Time, after int64, limit int) (list []Past, next int64, err error) {
	err = s.db.snapshot(ctx, func(t tx) error {
		seen := 0
		t.add(&stmt{
			sql:  `SELECT ` + paymentColumns + ` FROM payments WHERE num > $1 AND state IN ('confirmed', 'declined') AND updated_at < $2 ORDER BY num LIMIT $3`,
			args: []any{after, before.UnixMicro(), int64(limit)}, row: s.scanInto(func(p adapter.Payment) {
				seen++
				list, next = append(list, Past{Payment: p}), p.Num
			}),
		})
		if err := t.flush(ctx); err != nil || seen == 0 {
			return err
		}
		byNum := make(map[int64]*Past, len(list))
		for i := range list {
			byNum[list[i].Payment.Num] = &list[i]
		}
		first, last := list[0].Payment.Num, next
		if seen < limit {
			next = 0
		}
		t.add(&stmt{
			sql:  `SELECT ` + eventColumns + ` FROM events WHERE payment >= $1 AND payment <= $2 ORDER BY payment, version, n`,
			args: []any{first, last}, row: func(scan scanner) error {
				e, err := scanEvent(scan)
				if p := byNum[e.Payment]; p != nil {
					p.History = append(p.History, e)
				}
				return err
			},
		}, &stmt{
			sql:  `SELECT ` + transferColumns + ` FROM transfers WHERE payment >= $1 AND payment <= $2 ORDER BY payment, num`,
			args: []any{first, last}, row: func(scan scanner) error {
				x, err := s.scanTransfer(scan)
				if p := byNum[x.Payment]; p != nil {
					p.Transfers = append(p.Transfers, x)
				}
				return err
			},
		})
		return t.flush(ctx)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list final payments: %w", err)
	}
	kept := list[:0]
	for _, p := range list {
		if !archived(p.History) {
			kept = append(kept, p)
		}
	}
	return kept, next, nil
}

func archived(history []adapter.Event) bool {
	for _, e := range history {
		if e.Kind == adapter.EventArchived {
			return true
		}
	}
	return false
}

// Kept is what is in a file now: a payment and how many lines its history has there.
type Kept struct {
	Num   int64
	Lines int
}

// DropHistories takes the histories of payments out of the database, since they are in a file
// now, which where names; in one transaction. A history that has grown since stays, to be
// archived another time. It returns how many went.
func (s *Store) DropHistories(ctx context.Context, kept []Kept, where string) (dropped int, err error) {
	err = s.db.write(ctx, func(t tx) error {
		dropped = 0
		for _, k := range kept {
			var (
				p     adapter.Payment
				lines int64
			)
			t.add(s.sql.selectPayments.stmts([]any{k.Num}, s.scanInto(func(q adapter.Payment) { p = q }))...)
			t.add(&stmt{
				sql: `SELECT count(*) FROM events WHERE payment = $1`, args: []any{k.Num},
				row: func(scan scanner) error { return scan(&lines) },
			})
			if err := t.flush(ctx); err != nil {
				return err
			}
			if !p.State.Final() || lines != int64(k.Lines) {
				continue
			}
			e := adapter.Event{
				Payment: p.Num, Version: p.Version, N: archivedN, At: s.cfg.Now(), Kind: adapter.EventArchived,
				From: p.State, To: p.State, Detail: fmt.Sprintf("%d lines of history moved to %s", lines, where),
			}
			t.add(s.sql.insertEvents.stmts(appendEvent(nil, &e), nil)...)
			t.add(&stmt{sql: `DELETE FROM events WHERE payment = $1 AND kind <> 'archived'`, args: []any{k.Num}})
			dropped++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("drop archived histories: %w", err)
	}
	return dropped, nil
}
