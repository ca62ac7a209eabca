package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/partnerkit/partnerkit/adapter/store"
)

type migrateCmd struct {
	databaseFlags
	DryRun bool `help:"Only show what is pending."`
}

// Run applies pending migrations, or shows them.
func (c migrateCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	if err := refuse(c.faults()); err != nil {
		return err
	}
	names, verb := []string(nil), "applied"
	var err error
	if c.DryRun {
		verb = "pending"
		names, err = store.Pending(ctx, c.Database)
	} else {
		names, err = store.Migrate(ctx, c.Database)
		if err == nil && len(names) > 0 {
			err = c.record(ctx, log, by, names)
		}
	}
	for _, name := range names {
		_, _ = fmt.Fprintln(out, verb, name)
	}
	if err == nil && len(names) == 0 {
		_, _ = fmt.Fprintln(out, "up to date")
	}
	return err
}

// record puts the migration into the audit log.
func (c migrateCmd) record(ctx context.Context, log *slog.Logger, by operator, names []string) (err error) {
	st, err := openStore(ctx, c.databaseFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return by.act(ctx, st, "", strings.Join(names, ", "), func(context.Context) error { return nil })
}
