package main

import (
	"context"
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
	"github.com/partnerkit/partnerkit/adapter/alert"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/reconcile"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/vault"
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

// Run serves until ctx is done.
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
	s := &service{serveCmd: c, log: log, traces: traces, keys: keys, endpoint: endpoint, policy: c.keptBy(policy(c.serveFlags))}
	if err := s.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.store.Close()) }()
	defer s.closeCalls()
	for _, add := range []func() error{s.addCalls, s.addWork, s.addServer} {
		if err := add(); err != nil {
			return err
		}
	}
	addr, err := s.server.Listen(ctx)
	if err != nil {
		return err
	}
	return s.run(ctx, addr.String())
}

// service is what `adapter serve` is put together from. The add methods make the parts, each
// from those above it.
type service struct {
	serveCmd
	log      *slog.Logger
	traces   *tracing // nil without traces
	keys     *vault.Vault
	endpoint *integra.Endpoint
	policy   adapter.Policy

	metrics *web.Metrics
	store   *store.Store
	alerts  *alert.Alerts // nil, which is silent, without an address

	client   *integra.Client
	funds    funds              // what payments are taken from
	looks    funds              // the same, for who only looks
	breakers []*outcall.Breaker // of the systems that payments need: the platform and, if it keeps the funds, the billing

	pool       *worker.Pool
	payments   *adapter.Service
	daily      *reconcile.Daily  // nil where nothing is worked on
	background map[string]runner // what runs beside the workers, by name

	server *web.Server
}

// runner is a part of the service that runs until its context is done.
type runner interface {
	Run(ctx context.Context) error
}

// open opens the store, and what tells of it: metrics and alerts.
func (s *service) open(ctx context.Context) (err error) {
	s.metrics = web.NewMetrics(func(ctx context.Context) (web.Backlog, error) { return backlog(ctx, s.store) }, time.Now, s.log)
	s.store, err = store.Open(ctx, store.Config{
		Database: s.Database, Currency: currency, Policy: s.policy, Log: s.log, Serve: true, Migrate: s.Migrate || s.isNew(),
		MaxWaiting: s.MaxWaiting, Funds: store.Funds(s.Funds),
		OnCommit: func(c store.CommitStats) { s.metrics.Committed(c.Size, c.Took) },
	})
	if err != nil {
		return err
	}
	err = s.sameKey(ctx)
	if err == nil {
		s.alerts, err = s.alertFlags.alerts(s.store, s.AlertRefusals, s.log)
	}
	if err != nil {
		return errors.Join(err, s.store.Close())
	}
	return nil
}

// sameKey refuses to serve with a master key that is not the database's: no call could be
// encrypted, and no token that is out would be taken. One user's key alone may be damaged.
func (s *service) sameKey(ctx context.Context) error {
	looked, shut, err := lookAtCryptKeys(ctx, s.store, s.keys)
	if err != nil || looked == 0 || len(shut) < looked {
		return err
	}
	where := "--master-key"
	if file := s.keyFile(s.databaseFlags); file != "" {
		where = file
	}
	return fmt.Errorf("master key: %s opens no crypt key of the users in %s: it is not the key that sealed them; restore that one from its backup", where, s.redacted())
}

// watch surrounds the calls to a system.
func (s *service) watch(system string) outcall.Watch {
	return outcall.Watch{Breaker: s.breaker(system, s.metrics, s.alerts, s.log), Span: s.traces.calls(), Observe: s.metrics.Called}
}

// addCalls makes the clients of the platform and of whoever keeps the funds.
func (s *service) addCalls() (err error) {
	platform := s.watch(systemIntegra)
	s.breakers = append(s.breakers, platform.Breaker)
	if s.client, err = newClient(s.platformFlags, s.Workers, s.store, s.keys, platform); err != nil {
		return err
	}
	var billing outcall.Watch
	if s.policy.Billing {
		billing = s.watch(systemBilling)
		s.breakers = append(s.breakers, billing.Breaker)
	}
	if s.funds, err = s.openFunds(s.CallTimeout, s.Workers, s.store, billing); err != nil {
		return err
	}
	// Who only looks has a client of his own: its breaker must not keep payments from the billing.
	apart := outcall.Watch{Breaker: outcall.NewBreaker(outcall.BreakerConfig{}), Span: s.traces.calls(), Observe: s.metrics.Called}
	s.looks, err = s.openFunds(s.CallTimeout, 8, s.store, apart)
	return err
}

// closeCalls closes the idle connections of the clients that were made.
func (s *service) closeCalls() {
	if s.client != nil {
		s.client.Close()
	}
	s.funds.close()
	s.looks.close()
}

// addWork makes what carries payments through, and what runs beside it.
func (s *service) addWork() (err error) {
	s.pool, err = worker.New(s.store, s.client, s.client, worker.Config{
		Policy: s.policy, Funds: s.funds.outside(), Workers: s.Workers, Queue: s.Queue, ReceiveOnly: s.ReceiveOnly,
		CallTimeout: s.CallTimeout, Grace: s.ShutdownGrace, Log: s.log,
		Room: func() int { return outcall.Room(s.breakers...) }, Span: s.traces.span(),
		OnStep: func(p adapter.Payment, _ adapter.Event) { s.metrics.Stepped(p) },
	})
	if err != nil {
		return err
	}
	s.payments = adapter.NewService(s.store, s.pool, s.policy, time.Now)
	s.background = map[string]runner{}
	if s.alerts != nil {
		s.background["alerts"] = s.alerts
	}
	if s.VerifyEvery > 0 {
		s.background["audit"] = chore{"audit of the books", s.store, s.VerifyEvery, auditor{s.store, s.metrics, s.alerts, s.log}.audit, s.log}
	}
	if s.KeepAnswers > 0 {
		s.background["retention"] = forgetter(s.store, s.KeepAnswers, s.log)
	}
	if !s.ReceiveOnly {
		books := s.reconcile(s.policy, s.metrics, s.log)
		s.daily = reconcile.NewDaily(s.store, s.client, books)
		s.background["reconciliation"] = s.daily
		s.background["doubts"] = reconcile.NewDoubts(s.store, s.client, books)
	}
	return nil
}

// addServer makes the server and mounts on it whatever is asked from outside.
func (s *service) addServer() error {
	s.server = web.New(web.Config{
		Listen: s.Listen, Grace: s.ShutdownGrace, Log: s.log, CertFile: s.TLSCert, KeyFile: s.TLSKey,
		Proxies: s.proxies(), Tracers: s.traces.providerOf(),
	})
	receiver := integra.NewReceiver(s.traces.remember(s.payments), s.endpoint, integra.ReceiverConfig{
		Currency: currency, Log: s.log, Observe: s.metrics.Notified,
	})
	s.server.Handle(s.endpoint.Pattern(), s.gate(s.metrics.Notified, s.log).Wrap(receiver))
	s.server.Handle("/metrics", s.metricsGate(s.log).Wrap(s.metrics.Handler()), "GET")
	s.server.Check("database", s.store.Ping)
	s.server.Check("workers", func(context.Context) error { return s.pool.Healthy() })
	payins, err := s.addAnymoney()
	if err != nil {
		return err
	}
	return s.mountAPI(payins)
}

// run runs the parts until ctx is done or one of them fails. They stop in order: first the
// listener, so that nothing new comes in, then the workers and all that runs beside them, then
// the store's committer, which has to outlive them.
func (s *service) run(ctx context.Context, addr string) error {
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	workCtx, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStore()
	defer stopWork()
	all, failed := errgroup.WithContext(ctx)
	var work sync.WaitGroup
	begin := func(name string, run func(context.Context) error) {
		work.Add(1)
		all.Go(func() error {
			defer work.Done()
			return part(name, run(workCtx))
		})
	}
	all.Go(func() error { return part("store", s.store.Run(storeCtx)) })
	begin("workers", s.pool.Run)
	for name, r := range s.background {
		begin(name, r.Run)
	}
	all.Go(func() error {
		err := s.server.Run(failed)
		stopWork()
		work.Wait()
		stopStore()
		return part("server", err)
	})
	s.log.InfoContext(ctx, "ready", "listen", addr, "version", program.Version(), "database", s.redacted(),
		"workers", s.Workers, "receive_only", s.ReceiveOnly)
	err := all.Wait()
	s.log.Info("stopped")
	return err
}

// part says which part an error comes from.
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
