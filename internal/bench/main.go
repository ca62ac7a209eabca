// Command bench measures the adapter and the stand-in, as processes under load over loopback,
// against limits of the machine that it measures in the same run. It prints ratios and CPU
// per request, and judges nothing: these machines are noisy.
//
//	bench [-time 5s] [-only sqlite,postgres,standin,startup]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/internal/pgcluster"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// report prints what was measured.
type report struct{ lasting time.Duration }

func (r *report) section(title string) { fmt.Printf("\n%s\n", title) }

func (r *report) row(name, format string, args ...any) {
	fmt.Printf("  %-34s "+format+"\n", append([]any{name}, args...)...)
}

func main() {
	lasting := flag.Duration("time", 5*time.Second, "how long each measurement lasts")
	only := flag.String("only", "sqlite,postgres,standin,startup", "parts to measure")
	role := flag.String("role", "", "internal: the process to be")
	flag.Parse()
	if *role == "bare" {
		exit(bare())
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rep := &report{lasting: *lasting}
	bin := stage.In("bin")
	parts := []struct {
		name    string
		measure func(context.Context, *report, stage.Binaries) error
	}{
		{"startup", startUp},
		{"sqlite", sqlite},
		{"postgres", postgres},
		{"standin", standIn},
	}
	for _, p := range parts {
		if slices.Contains(strings.Split(*only, ","), p.name) {
			if err := p.measure(ctx, rep, bin); err != nil {
				exit(fmt.Errorf("%s: %w", p.name, err))
				return
			}
		}
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sqlite measures the adapter over an embedded database.
func sqlite(ctx context.Context, rep *report, bin stage.Binaries) error {
	folder, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	rep.section("Adapter, SQLite (WAL, synchronous=FULL)")
	return adapterOn(ctx, rep, bin, folder, sqliteURL(folder))
}

// postgres measures it over a private cluster with its default durability.
func postgres(ctx context.Context, rep *report, bin stage.Binaries) error {
	folder, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	cluster, err := pgcluster.Start()
	if err != nil {
		return err
	}
	defer func() { _ = cluster.Stop() }()
	database, err := cluster.NewDatabase(ctx)
	if err != nil {
		return err
	}
	rep.section("Adapter, PostgreSQL (fsync on)")
	return adapterOn(ctx, rep, bin, folder, database)
}

func adapterOn(ctx context.Context, rep *report, bin stage.Binaries, folder, database string) error {
	p, err := newPartner(ctx, bin, folder, database)
	if err != nil {
		return err
	}
	defer p.platform.close()
	b, err := openBooks(database)
	if err != nil {
		return err
	}
	defer func() { _ = b.db.Close() }()
	if err := b.makeBare(ctx); err != nil {
		return err
	}
	grouped, single, err := b.limits(ctx, rep.lasting/2)
	if err != nil {
		return err
	}
	rep.row("bare inserts of the row, 32 a commit", "%8.0f /s", grouped)
	rep.row("bare inserts, one a commit", "%8.0f /s", single)
	if err := p.accept(ctx, rep, grouped); err != nil {
		return err
	}
	if err := p.flow(ctx, rep, b); err != nil {
		return err
	}
	verify, err := p.Run(ctx, "ledger", "verify")
	if err != nil {
		return err
	}
	lines := strings.Split(verify, "\n")
	rep.row("ledger verify", "%s: %s", lines[0], lines[len(lines)-1])
	return nil
}
