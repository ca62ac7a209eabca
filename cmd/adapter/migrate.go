package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/partnerkit/partnerkit/adapter/store"
)

type migrateCmd struct {
	Apply  applyMigrationsCmd  `cmd:"" default:"withargs" help:"Bring the database to this version. This is what adapter migrate alone does." example:"adapter migrate"`
	Plan   planMigrationsCmd   `cmd:"" help:"Show what is pending." example:"adapter migrate plan"`
	Verify verifyMigrationsCmd `cmd:"" help:"Check that the database has exactly this version's form; the exit code tells." example:"adapter migrate verify"`
}

type applyMigrationsCmd struct {
	databaseFlags
	DryRun bool `help:"Only show what is pending."`
}

// Run applies pending migrations, or shows them.
func (c applyMigrationsCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	if c.DryRun {
		return planMigrationsCmd{c.databaseFlags}.Run(ctx, out)
	}
	if err := refuse(c.faults()); err != nil {
		return err
	}
	names, err := store.Migrate(ctx, c.Database)
	report(out, "applied", names, err)
	if err != nil || len(names) == 0 {
		return err
	}
	return by.note(ctx, c.databaseFlags, log, "", strings.Join(names, ", "))
}

func report(out io.Writer, verb string, names []string, err error) {
	for _, name := range names {
		_, _ = fmt.Fprintln(out, verb, name)
	}
	if err == nil && len(names) == 0 {
		_, _ = fmt.Fprintln(out, "up to date")
	}
}

type planMigrationsCmd struct{ databaseFlags }

// Run shows pending migrations.
func (c planMigrationsCmd) Run(ctx context.Context, out io.Writer) error {
	if err := refuse(c.faults()); err != nil {
		return err
	}
	names, err := store.Pending(ctx, c.Database)
	report(out, "pending", names, err)
	return err
}

type verifyMigrationsCmd struct{ databaseFlags }

// Run checks the database's form.
func (c verifyMigrationsCmd) Run(ctx context.Context, out io.Writer) error {
	if err := refuse(c.faults()); err != nil {
		return err
	}
	differences, err := store.VerifyForm(ctx, c.Database)
	if err != nil {
		return err
	}
	for _, d := range differences {
		_, _ = fmt.Fprintln(out, "DIFFERS:", d)
	}
	if len(differences) > 0 {
		return fmt.Errorf("the database has not this version's form: %d differences", len(differences))
	}
	_, err = fmt.Fprintln(out, "up to date")
	return err
}
