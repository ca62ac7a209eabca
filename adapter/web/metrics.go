package web

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/partnerkit/partnerkit/adapter"
)

// Backlog is what waits in the store.
type Backlog struct {
	Unfinished map[adapter.State]int64       // payments in each state that is not final
	Oldest     time.Time                     // when the oldest of them was received; zero if there is none
	Unreserved map[adapter.Verdict]int64     // received ones by what the billing last said when it was asked to reserve: Refused, or Unknown
	Payins     map[adapter.PayinStatus]int64 // those that are not settled
}

// Metrics is everything that the adapter measures, for Prometheus. Its methods are the
// callbacks that the other parts take; they are safe for concurrent use.
type Metrics struct {
	registry      *prometheus.Registry
	log           *slog.Logger
	notifications *prometheus.CounterVec
	payments      *prometheus.HistogramVec
	calls         *prometheus.HistogramVec
	callbacks     *prometheus.CounterVec
	payins        *prometheus.HistogramVec
	reconciled    *prometheus.CounterVec
	commitSize    prometheus.Histogram
	commitTime    prometheus.Histogram
	paused        *prometheus.GaugeVec
	differences   prometheus.Gauge
	verifiedAt    prometheus.Gauge
}

// NewMetrics returns metrics with a registry of their own. Every scrape asks backlog, which
// should be cheap; if it fails, its figures are left out and the rest is served.
func NewMetrics(backlog func(context.Context) (Backlog, error), now func() time.Time, log *slog.Logger) *Metrics {
	const namespace, subsystem = "partnerkit", "adapter"
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		log:      log,
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "notifications_total",
			Help: "Notifications by the HTTP status they were answered with.",
		}, []string{"status"}),
		payments: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "payment_duration_seconds",
			Help:    "Time from a payment's acceptance to its final state, by kind and state; its count is that of payments finished by this process.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400},
		}, []string{"kind", "state"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "platform_call_duration_seconds",
			Help:    "Time of calls to the platform, by method and by what we know of their outcome.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "outcome"}),
		callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "callbacks_total",
			Help: "Any.Money's callbacks by the HTTP status they were answered with.",
		}, []string{"status"}),
		payins: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "payin_duration_seconds",
			Help:    "Time from a payin's request to its end, by status and by whether the user was credited; its count is that of payins ended by this process.",
			Buckets: []float64{.1, 1, 10, 60, 300, 900, 1800, 3600, 21600, 86400, 604800},
		}, []string{"status", "credited"}),
		reconciled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "reconciliations_total",
			Help: "Users' days compared with the platform's books, by result: agrees, differs, unread.",
		}, []string{"result"}),
		commitSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "commit_size",
			Help:    "Accepted payments and steps written by one commit.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024},
		}),
		commitTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "commit_duration_seconds",
			Help:    "Time of one commit.",
			Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}),
	}
	for _, r := range adapter.ReconcileResults { // a counter that is not there cannot be alarmed on
		m.reconciled.WithLabelValues(string(r))
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	}
	m.paused = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "platform_paused",
		Help: "1 while a system that is called (integra, anymoney, billing) does not answer and is left alone, otherwise 0.",
	}, []string{"platform"})
	m.Paused("integra", false) // a gauge that is not there cannot be alarmed on
	m.differences = gauge("ledger_differences", "Differences that this process's last audit of the books found; 0 before the first.")
	m.verifiedAt = gauge("ledger_verified_timestamp_seconds", "When this process last audited the books, Unix time; 0 before the first.")
	m.registry.MustRegister(
		m.paused, m.differences, m.verifiedAt,
		m.notifications, m.payments, m.calls, m.callbacks, m.payins, m.reconciled, m.commitSize, m.commitTime,
		&backlogCollector{
			backlog: backlog, now: now,
			unfinished: prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, "payments"),
				"Payments that are not final, by state.", []string{"state"}, nil),
			oldest: prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, "oldest_unfinished_payment_age_seconds"),
				"Age of the oldest payment that is not final; 0 if there is none.", nil, nil),
			unreserved: prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, "payments_unreserved"),
				"Payments for which the partner's billing was asked to reserve and has not, by whether it refuses for no reason of the user's (refused) or gave no answer (unknown).",
				[]string{"outcome"}, nil),
			payins: prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, "payins"),
				"Payins that are not settled, by status.", []string{"status"}, nil),
		},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Notified counts a notification by the status of its answer.
func (m *Metrics) Notified(status int) {
	m.notifications.WithLabelValues(strconv.Itoa(status)).Inc()
}

// Called observes a call to the platform.
func (m *Metrics) Called(method string, o adapter.Outcome) {
	m.calls.WithLabelValues(method, string(o.Verdict)).Observe(o.Took.Seconds())
}

// Stepped observes a payment after a step.
func (m *Metrics) Stepped(p adapter.Payment) {
	if p.State.Final() {
		m.payments.WithLabelValues(string(p.Kind), string(p.State)).Observe(p.UpdatedAt.Sub(p.ReceivedAt).Seconds())
	}
}

// CalledBack counts a callback of Any.Money by the status of its answer.
func (m *Metrics) CalledBack(status int) {
	m.callbacks.WithLabelValues(strconv.Itoa(status)).Inc()
}

// PayinStepped observes a payin after a step.
func (m *Metrics) PayinStepped(p adapter.Payin, e adapter.PayinEvent) {
	if p.Status.Settled() && e.From != e.To {
		m.payins.WithLabelValues(string(p.Status), strconv.FormatBool(!p.Credited.IsZero())).Observe(p.UpdatedAt.Sub(p.CreatedAt).Seconds())
	}
}

// Reconciled counts a user's day that was compared with the platform's books.
func (m *Metrics) Reconciled(r adapter.Reconciliation) {
	m.reconciled.WithLabelValues(string(r.Result)).Inc()
}

// Committed observes a commit of so many accepted payments and steps.
func (m *Metrics) Committed(size int, took time.Duration) {
	m.commitSize.Observe(float64(size))
	m.commitTime.Observe(took.Seconds())
}

// Paused says whether a system that is called is left alone.
func (m *Metrics) Paused(platform string, paused bool) {
	value := 0.0
	if paused {
		value = 1
	}
	m.paused.WithLabelValues(platform).Set(value)
}

// Verified says what an audit of the books found, and when.
func (m *Metrics) Verified(differences int, at time.Time) {
	m.differences.Set(float64(differences))
	m.verifiedAt.Set(float64(at.Unix()))
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
		ErrorLog:      slog.NewLogLogger(m.log.Handler(), slog.LevelError),
	})
}

// backlogCollector turns the store's figures into gauges at the moment of a scrape.
type backlogCollector struct {
	backlog            func(context.Context) (Backlog, error)
	now                func() time.Time
	unfinished, oldest *prometheus.Desc
	unreserved, payins *prometheus.Desc
}

// Describe is part of prometheus.Collector.
func (c *backlogCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.unfinished
	ch <- c.oldest
	ch <- c.unreserved
	ch <- c.payins
}

// Collect is part of prometheus.Collector.
func (c *backlogCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	b, err := c.backlog(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.oldest, err)
		return
	}
	for _, s := range adapter.States {
		if !s.Final() { // all of them each time: a gauge that vanishes at 0 cannot be alarmed on
			ch <- prometheus.MustNewConstMetric(c.unfinished, prometheus.GaugeValue, float64(b.Unfinished[s]), string(s))
		}
	}
	for _, v := range []adapter.Verdict{adapter.Refused, adapter.Unknown} {
		ch <- prometheus.MustNewConstMetric(c.unreserved, prometheus.GaugeValue, float64(b.Unreserved[v]), string(v))
	}
	for _, s := range adapter.PayinStatuses {
		if !s.Settled() {
			ch <- prometheus.MustNewConstMetric(c.payins, prometheus.GaugeValue, float64(b.Payins[s]), string(s))
		}
	}
	age := 0.0
	if !b.Oldest.IsZero() {
		age = max(0, c.now().Sub(b.Oldest).Seconds())
	}
	ch <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, age)
}
