// Command bench measures the adapter and the stand-in, as processes under load over loopback,
// against limits of the machine that it measures in the same run. Beside each figure stands
// its bar. It judges nothing: the machines it runs on are noisy, so it also says what processor
// time everything took, and how much of it others took meanwhile.
//
//	bench [-time 5s] [-only sqlite,postgres,standin,startup]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/internal/pgcluster"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// report prints what was measured.
type report struct{ lasting time.Duration }

func (r *report) section(title string) { fmt.Printf("\n%-54s%s\n", title, "bar") }

// row prints a figure with its unit, and its bar if it has one.
func (r *report) row(name, bar, format string, args ...any) {
	figure, unit, _ := strings.Cut(fmt.Sprintf(format, args...), " ")
	fmt.Println(strings.TrimRight(fmt.Sprintf("  %-36s%9s %-5s %s", name, figure, unit, bar), " "))
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
	debug.SetGCPercent(800) // this process is no part of what is measured
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
	rep.section("Adapter, SQLite (WAL, synchronous=FULL)")
	return adapterOn(ctx, rep, bin, engine{acceptBar: "≥ 12000", acceptP99: "≤ 8", flowBar: "≥ 5000", parties: []party{self()}},
		func(folder string) (string, error) { return "sqlite:" + filepath.Join(folder, "adapter.db"), nil })
}

// postgres measures it over a private cluster with its default durability.
func postgres(ctx context.Context, rep *report, bin stage.Binaries) error {
	cluster, err := pgcluster.Start()
	if err != nil {
		return err
	}
	defer func() { _ = cluster.Stop() }()
	pid, err := cluster.PID()
	if err != nil {
		return err
	}
	rep.section("Adapter, PostgreSQL (fsync on)")
	return adapterOn(ctx, rep, bin, engine{acceptBar: "≥ 10000", acceptP99: "≤ 10", flowBar: "≥ 4000", parties: []party{self(), {"PostgreSQL", pid, true}}},
		func(string) (string, error) { return cluster.NewDatabase(ctx) })
}

// engine is what differs between databases.
type engine struct {
	acceptBar, acceptP99, flowBar string
	parties                       []party // who works besides the adapter
}

// adapterOn measures accepting and the whole flow, each over a new database.
func adapterOn(ctx context.Context, rep *report, bin stage.Binaries, e engine, newDatabase func(folder string) (string, error)) error {
	for _, measure := range []func(*partner, context.Context, *report) error{(*partner).accept, (*partner).flow} {
		err := func() error {
			folder, err := os.MkdirTemp("", "bench-*")
			if err != nil {
				return err
			}
			defer func() { _ = os.RemoveAll(folder) }()
			database, err := newDatabase(folder)
			if err != nil {
				return err
			}
			p, err := newPartner(ctx, bin, e, folder, database)
			if err != nil {
				return err
			}
			defer p.close()
			return measure(p, ctx, rep)
		}()
		if err != nil {
			return err
		}
	}
	return nil
}
