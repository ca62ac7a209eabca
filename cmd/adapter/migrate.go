package main

import (
	"context"
	"fmt"
	"io"

	"github.com/partnerkit/partnerkit/adapter/store"
)

type migrateCmd struct {
	databaseFlags
	DryRun bool `help:"Only show what is pending."`
}

// Run applies pending migrations, or shows them.
func (c migrateCmd) Run(ctx context.Context, out io.Writer) error {
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
	}
	for _, name := range names {
		_, _ = fmt.Fprintln(out, verb, name)
	}
	if err == nil && len(names) == 0 {
		_, _ = fmt.Fprintln(out, "up to date")
	}
	return err
}
