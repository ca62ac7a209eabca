package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/partnerkit/partnerkit/adapter/store"
)

type backupCmd struct {
	databaseFlags
	keyFlags
	outputFlags
	File string `arg:"" type:"path" help:"The file to write; it must not exist."`
}

// Help is shown by adapter backup --help.
func (backupCmd) Help() string {
	return `Copies an embedded database while the service works on it, and audits the copy before it takes its name. PostgreSQL has tools of its own: pg_dump, or archiving its log.

The master key is not in the copy, and without it the users' crypt keys in the copy cannot be read: keep both, apart from each other.

Examples:
  adapter backup /backup/adapter-$(date +%F).db
  adapter ledger verify --database sqlite:/backup/adapter-2026-05-04.db`
}

// Run writes the copy.
func (c backupCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	if err := refuse(c.databaseFlags.faults()); err != nil {
		return err
	}
	r, err := store.Backup(ctx, c.Database, c.File, currency)
	if err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	if err := by.note(ctx, c.databaseFlags, log, "file/"+c.File, fmt.Sprintf("%d bytes", info.Size())); err != nil {
		return err
	}
	answer := struct {
		File     string `json:"file"`
		Bytes    int64  `json:"bytes"`
		Payments int    `json:"payments"`
		Clean    bool   `json:"clean"`
		KeyFile  string `json:"key_file,omitempty"`
	}{c.File, info.Size(), r.Payments, r.Clean(), c.keyFile(c.databaseFlags)}
	if _, err := os.Stat(answer.KeyFile); err != nil {
		answer.KeyFile = ""
	}
	text := fmt.Sprintf("%s: %d bytes, %d users, %d payments, %d transfers", c.File, info.Size(), r.Users, r.Payments, r.Transfers)
	if answer.KeyFile != "" {
		text += fmt.Sprintf("\nkeep a copy of %s as well, elsewhere: the users' crypt keys open with nothing else", answer.KeyFile)
	}
	if !r.Clean() {
		text += "\nthe copy is true to the original, whose books do not balance: see `adapter ledger verify`"
	}
	if err := c.print(out, answer, text); err != nil {
		return err
	}
	if !r.Clean() {
		return errUnbalanced
	}
	return nil
}
