package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/reconcile"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/web"
	"github.com/partnerkit/partnerkit/adapter/worker"
	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

type serveCmd struct {
	databaseFlags
	keyFlags
	platformFlags
	notifyFlags
	anymoneyFlags
	booksFlags
	entryFlags
	apiFlags
	fundsFlags
	alertFlags
	watchFlags
	serveFlags
}

// faults are those of all groups.
func (c serveCmd) faults() []error {
	return slices.Concat(c.databaseFlags.faults(), c.keyFlags.faults(c.databaseFlags), c.platformFlags.faults(),
		c.notifyFlags.faults(), c.anymoneyFlags.faults(), c.apiFlags.faults(), c.booksFlags.faults(), c.fundsFlags.faults(c.AnymoneyURL != ""),
		c.entryFlags.faults(c.NotifyAuth),
		c.alertFlags.faults(), c.watchFlags.faults(), c.serveFlags.faults(c.CallTimeout))
}

// Help is shown by `adapter serve --help`.
func (serveCmd) Help() string {
	return `Examples:
  adapter serve --platform-url https://api.promopult.org --partner-hash H --notify-url-base https://pay.example.com
  ADAPTER_PARTNER_KEY=… adapter serve --config adapter.yaml
  adapter serve --database postgres://adapter@db/adapter --master-key-file /run/secrets/master-key …

Platform notifications come to /integra/notify, Any.Money's callbacks to /anymoney/callback, the panel's calls to /v1/ (see /openapi.json), its operators to /console/; /healthz, /readyz and /metrics are for operations.
On SIGTERM new requests are refused, running work is finished, waiting work is given back. A second SIGTERM ends the process at once, which loses nothing: it is what a crash leaves, and the next process takes over.`
}

// gcPercent is GOGC unless the environment says otherwise: the heap is small beside the
// database's cache, and collecting it half as often costs a few MiB and spares up to a tenth of the CPU.
const gcPercent = 200

// Run serves until ctx is done. The parts stop in order: first the listener, so that nothing
// new comes in, then the workers, then the store, which has to outlive them both.
func (c serveCmd) Run(ctx context.Context, log *slog.Logger) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := refuse(c.faults()); err != nil {
		return err
	}
	traces, err := newTracing(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, traces.close()) }()
	log = slog.New(web.SampleFloods(log.Handler(), time.Now))
	if traces != nil {
		log = slog.New(web.LogTraces(log.Handler()))
	}
	keys, err := c.keyFlags.open(c.databaseFlags, log)
	if err != nil {
		return err
	}
	tokens, err := notifyTokens(keys, c.NotifyTokenTTL, time.Now)
	if err != nil {
		return err
	}
	endpoint, err := newEndpoint(c.notifyFlags, tokens)
	if err != nil {
		return err
	}

	var st *store.Store
	metrics := web.NewMetrics(func(ctx context.Context) (web.Backlog, error) { return backlog(ctx, st) }, time.Now, log)
	pol := c.keptBy(policy(c.serveFlags))
	st, err = store.Open(ctx, store.Config{
		Database: c.Database, Currency: currency, Policy: pol, Log: log, Serve: true, Migrate: c.Migrate || c.isNew(),
		MaxWaiting: c.MaxWaiting, Funds: store.Funds(c.Funds),
		OnCommit: func(s store.CommitStats) { metrics.Committed(s.Size, s.Took) },
	})
	if err != nil {
		return err
	}
	alerts, err := c.alerts(st, c.AlertRefusals, log)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	watch := func(system string) outcall.Watch {
		return outcall.Watch{Breaker: c.breaker(system, metrics, alerts, log), Span: traces.calls(), Observe: metrics.Called}
	}
	platform := watch(systemIntegra)
	breakers := []*outcall.Breaker{platform.Breaker}
	client, err := newClient(c.platformFlags, c.Workers, st, keys, platform)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	defer client.Close()
	var billing outcall.Watch
	if pol.Billing {
		billing = watch(systemBilling)
		breakers = append(breakers, billing.Breaker)
	}
	funds, err := c.openFunds(c.CallTimeout, c.Workers, st, billing)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	defer funds.close()
	// Who only looks has a client of his own: its breaker must not keep payments from the billing.
	looks, err := c.openFunds(c.CallTimeout, 8, st, outcall.Watch{Breaker: outcall.NewBreaker(outcall.BreakerConfig{}), Span: traces.calls(), Observe: metrics.Called})
	if err != nil {
		return errors.Join(err, st.Close())
	}
	defer looks.close()
	pool, err := worker.New(st, client, client, worker.Config{
		Policy: pol, Funds: funds.outside(), Workers: c.Workers, Queue: c.Queue, ReceiveOnly: c.ReceiveOnly,
		CallTimeout: c.CallTimeout, Grace: c.ShutdownGrace, Log: log, Room: func() int { return outcall.Room(breakers...) }, Span: traces.span(),
		OnStep: func(p adapter.Payment, _ adapter.Event) { metrics.Stepped(p) },
	})
	if err != nil {
		return errors.Join(err, st.Close())
	}
	service := adapter.NewService(st, pool, pol, time.Now)
	receiver := integra.NewReceiver(traces.remember(service), endpoint, integra.ReceiverConfig{
		Currency: currency, Log: log, Observe: metrics.Notified,
	})
	server := web.New(web.Config{
		Listen: c.Listen, Grace: c.ShutdownGrace, Log: log, CertFile: c.TLSCert, KeyFile: c.TLSKey, Proxies: c.proxies(), Tracers: traces.providerOf(),
	})
	server.Handle(endpoint.Pattern(), c.gate(metrics.Notified, log).Wrap(receiver))
	server.Handle("/metrics", c.metricsGate(log).Wrap(metrics.Handler()), "GET")
	books := c.reconcile(pol, metrics, log)
	var daily *reconcile.Daily // nil where nothing is worked on
	if !c.ReceiveOnly {
		daily = reconcile.NewDaily(st, client, books)
	}
	payins, payinWork, err := c.mountAnymoney(server, st, metrics, watch, log)
	if err == nil {
		err = c.mountAPI(server, keys, st, service, integra.NewUsers(client, st, keys, endpoint, rand.Reader, time.Now), payins, looks, daily, log)
	}
	if err != nil {
		return errors.Join(err, st.Close())
	}
	server.Check("database", st.Ping)
	server.Check("workers", func(context.Context) error { return pool.Healthy() })
	addr, err := server.Listen(ctx)
	if err != nil {
		return errors.Join(err, st.Close())
	}

	background := map[string]runner{"payins": payinWork}
	if alerts != nil {
		background["alerts"] = alerts
	}
	if c.VerifyEvery > 0 {
		background["audit"] = chore{"audit of the books", st, c.VerifyEvery, auditor{st, metrics, alerts, log}.audit, log}
	}
	if c.KeepAnswers > 0 {
		background["retention"] = forgetter(st, c.KeepAnswers, log)
	}
	if daily != nil {
		background["doubts"] = reconcile.NewDoubts(st, client, books)
		background["reconciliation"] = daily
	}
	return c.runAll(ctx, log, addr.String(), server, pool, background, st)
}

// runAll runs the parts until ctx is done or one of them fails, and stops them in order.
func (c serveCmd) runAll(ctx context.Context, log *slog.Logger, addr string, server *web.Server, pool *worker.Pool, background map[string]runner, st *store.Store) error {
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStore()
	defer stopPool()
	all, failed := errgroup.WithContext(ctx)
	var workers sync.WaitGroup
	workers.Add(1)
	all.Go(func() error { return part("store", st.Run(storeCtx)) })
	all.Go(func() error {
		defer workers.Done()
		return part("workers", pool.Run(poolCtx))
	})
	for name, r := range background {
		workers.Add(1)
		all.Go(func() error {
			defer workers.Done()
			return part(name, r.Run(poolCtx))
		})
	}
	all.Go(func() error {
		err := server.Run(failed)
		stopPool()
		workers.Wait()
		stopStore()
		return part("server", err)
	})
	log.InfoContext(ctx, "ready", "listen", addr, "version", program.Version(), "database", c.redacted(),
		"workers", c.Workers, "receive_only", c.ReceiveOnly)
	err := all.Wait()
	log.Info("stopped")
	return errors.Join(err, st.Close())
}

func part(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// backlog is what the metrics tell of the store.
func backlog(ctx context.Context, st *store.Store) (web.Backlog, error) {
	s, err := st.Stats(ctx)
	if err != nil {
		return web.Backlog{}, err
	}
	payins, err := st.OpenPayins(ctx)
	unreserved := map[adapter.Verdict]int64{adapter.Refused: s.Unreserved, adapter.Unknown: s.Unanswered}
	return web.Backlog{Unfinished: s.Unfinished, Oldest: s.Oldest, Unreserved: unreserved, Payins: payins}, err
}
