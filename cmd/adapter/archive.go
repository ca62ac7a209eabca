package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/store"
)

type archivePaymentsCmd struct {
	databaseFlags
	outputFlags
	Before string `required:"" placeholder:"DATE" help:"Only payments that ended before this day (UTC), for example 2026-01-01; at least a month ago."`
	Out    string `required:"" type:"path" placeholder:"FILE" help:"The file to write: JSON lines, compressed by gzip; it must not exist."`
}

// Help is shown by payments archive --help.
func (archivePaymentsCmd) Help() string {
	return `Moves the histories of payments that ended long ago to a file, one JSON object a line with the payment, its history and its transfers. It can be done while the service runs.

The payments' rows and the ledger stay: totals and statements are as before, ledger verify stays clean, and a notification that comes again is still known as a repeat. payments show says in which file the history is.

The file is durable before anything is taken out of the database; after a crash in between, run it again with another file: what was not taken out is then in both.

Examples:
  adapter payments archive --before 2026-01-01 --out /archive/payments-2025.jsonl.gz
  zcat /archive/payments-2025.jsonl.gz | jq 'select(.num == 1042)'`
}

// archiveLeast is how long ago a payment must have ended: refunds, repeats and questions are
// about younger ones.
const archiveLeast = 30 * 24 * time.Hour

// archiveBatch is how many payments are read, and how many histories dropped, at once.
const archiveBatch = 500

// Run moves the histories.
func (c archivePaymentsCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) (err error) {
	before, err := time.Parse(time.DateOnly, c.Before)
	switch {
	case err != nil:
		return refuse([]error{errors.New("--before: must be a day such as 2026-01-01")})
	case time.Since(before) < archiveLeast:
		return refuse([]error{errors.New("--before: must be at least 30 days ago")})
	}
	if _, err := os.Lstat(c.Out); !errors.Is(err, fs.ErrNotExist) {
		return refuse([]error{fmt.Errorf("--out: %s is there already", c.Out)})
	}
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	kept, err := c.write(ctx, st, before)
	if err != nil {
		return err
	}
	dropped := 0
	if len(kept) > 0 {
		err = by.act(ctx, st, "file/"+c.Out, fmt.Sprintf("%d payments that ended before %s", len(kept), c.Before), func(ctx context.Context) error {
			dropped, err = c.drop(ctx, st, kept)
			return err
		})
	}
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%d payments in %s", len(kept), c.Out)
	if len(kept) == 0 {
		text = "nothing to archive, no file was written"
	} else if dropped < len(kept) {
		text += fmt.Sprintf("; %d changed meanwhile and stay in the database as well", len(kept)-dropped)
	}
	return c.print(out, struct {
		File     string `json:"file"`
		Payments int    `json:"payments"`
		Dropped  int    `json:"dropped"`
	}{c.Out, len(kept), dropped}, text)
}

// write writes the file, which takes its name once it is whole and durable.
func (c archivePaymentsCmd) write(ctx context.Context, st *store.Store, before time.Time) (kept []store.Kept, err error) {
	part := c.Out + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(part)) }()
	packed := gzip.NewWriter(f)
	buffered := bufio.NewWriterSize(packed, 1<<16)
	kept, err = c.lines(ctx, st, before, json.NewEncoder(buffered))
	if err = errors.Join(err, buffered.Flush(), packed.Close(), f.Sync(), f.Close()); err != nil || len(kept) == 0 {
		return nil, err
	}
	if err := os.Link(part, c.Out); err != nil {
		return nil, err
	}
	return kept, syncFolder(filepath.Dir(c.Out))
}

// lines writes a line for each payment.
func (c archivePaymentsCmd) lines(ctx context.Context, st *store.Store, before time.Time, to *json.Encoder) (kept []store.Kept, err error) {
	for after := int64(0); ; {
		pasts, next, err := st.Pasts(ctx, before, after, archiveBatch)
		if err != nil {
			return nil, err
		}
		for _, p := range pasts {
			if err := to.Encode(archiveRow(p)); err != nil {
				return nil, err
			}
			kept = append(kept, store.Kept{Num: p.Payment.Num, Lines: len(p.History)})
		}
		if next == 0 {
			return kept, nil
		}
		after = next
	}
}

// archived is a payment as the file has it.
type archived struct {
	api.Payment
	Transfers []api.Transfer `json:"transfers,omitempty"`
}

func archiveRow(p store.Past) archived {
	row := archived{Payment: api.ShowPayment(p.Payment, p.History)}
	for _, x := range p.Transfers {
		row.Transfers = append(row.Transfers, api.ShowTransfer(x))
	}
	return row
}

// drop takes the histories that are in the file out of the database.
func (c archivePaymentsCmd) drop(ctx context.Context, st *store.Store, kept []store.Kept) (dropped int, err error) {
	for len(kept) > 0 {
		n := min(len(kept), archiveBatch)
		d, err := st.DropHistories(ctx, kept[:n], c.Out)
		dropped += d
		if err != nil {
			return dropped, err
		}
		kept = kept[n:]
	}
	return dropped, nil
}

// syncFolder makes the names in a folder durable.
func syncFolder(name string) error {
	f, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
