package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/internal/stage"
)

const (
	connections  = 32
	platformTime = 5 * time.Millisecond
	users        = 32
)

// partner is an adapter over a database with users who have money, beside a platform that
// answers after 5 ms.
type partner struct {
	*stage.Partner
	engine   engine
	platform *slowPlatform
	books    books
	listen   string
	hashes   []string
	tokens   []string
}

func newPartner(ctx context.Context, bin stage.Binaries, e engine, folder, database string) (*partner, error) {
	platform, err := startPlatform(ctx, platformTime)
	if err != nil {
		return nil, err
	}
	listen, err := stage.FreeAddr()
	if err != nil {
		return nil, err
	}
	p := &partner{engine: e, platform: platform, listen: listen}
	p.Partner = stage.NewPartner(bin, &stage.Platform{
		URL: platform.url, PartnerPath: "iframe", PartnerHash: strings.Repeat("b", 32), PartnerKey: key,
	}, listen, folder, database, "ADAPTER_LOG_LEVEL=warn")
	if err := p.MakeKey(ctx, folder); err != nil {
		return nil, err
	}
	if _, err := p.Run(ctx, "migrate"); err != nil {
		return nil, err
	}
	for i := range users {
		hash, err := p.Run(ctx, "users", "register", "--login", fmt.Sprintf("bench-%d", i))
		if err != nil {
			return nil, err
		}
		if _, err := p.Run(ctx, "ledger", "deposit", hash, "1000000000"); err != nil {
			return nil, err
		}
		token, err := p.Run(ctx, "token", "mint", "--user", hash)
		if err != nil {
			return nil, err
		}
		p.hashes, p.tokens = append(p.hashes, hash), append(p.tokens, token)
	}
	p.books, err = openBooks(database)
	return p, err
}

func (p *partner) close() {
	p.platform.close()
	_ = p.books.db.Close()
}

// notification appends the platform's GET for a new payment of 1.00 and returns its id.
func (p *partner) notification(buf []byte, worker int) ([]byte, string) {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	id := hex.EncodeToString(raw[:])
	user := worker % users
	buf = append(buf, "GET /integra/notify?id="...)
	buf = append(buf, id...)
	buf = append(buf, "&amount=1&hash="...)
	buf = append(buf, p.hashes[user]...)
	buf = append(buf, "&token="...)
	buf = append(buf, p.tokens[user]...)
	return append(buf, " HTTP/1.1\r\nHost: adapter\r\nUser-Agent: bench\r\n\r\n"...), id
}

// accept measures durable 200s, nothing but receiving, against inserts of the same row.
func (p *partner) accept(ctx context.Context, rep *report) error {
	grouped, single, err := p.books.limits(ctx, rep.lasting/2)
	if err != nil {
		return err
	}
	rep.row("limit: bare inserts, 32 a commit", "", "%.0f /s", grouped)
	rep.row("limit: bare inserts, one a commit", "", "%.0f /s", single)
	a, err := p.With("ADAPTER_RECEIVE_ONLY=true").Start(ctx, nil) // the work is left to other replicas
	if err != nil {
		return err
	}
	m, err := p.meter(a)
	if err != nil {
		return err
	}
	r, err := p.saturate(ctx, rep.lasting)
	if err := errors.Join(err, m.stop()); err != nil {
		return err
	}
	rep.row("accept, durable 200s", p.engine.acceptBar, "%.0f /s", r.rate())
	rep.row("  of the bare inserts, 32 a commit", "≥ 50", "%.0f %%", 100*r.rate()/grouped)
	rep.row("  p50", "", "%s", ms(quantile(r.latencies, .5)))
	rep.row("  p99", p.engine.acceptP99, "%s", ms(quantile(r.latencies, .99)))
	if r.refused > 0 {
		rep.row("  refused", "", "%d", r.refused)
	}
	m.rows(rep, len(r.latencies), "")
	return a.Stop(time.Minute)
}

// flow measures the whole way from notification to captured: first saturation, then at 300/s.
func (p *partner) flow(ctx context.Context, rep *report) error {
	a, err := p.Start(ctx, nil)
	if err != nil {
		return err
	}
	if err := p.saturated(ctx, rep, a); err != nil {
		return err
	}
	if err := p.steady(ctx, rep); err != nil {
		return err
	}
	mib, err := memory(a.PID())
	if err != nil {
		return err
	}
	rep.row("memory after the load", "≤ 80", "%.0f MiB", mib)
	if err := a.Stop(time.Minute); err != nil {
		return err
	}
	verify, err := p.Run(ctx, "ledger", "verify")
	if err != nil {
		return err
	}
	lines := strings.Split(verify, "\n")
	rep.row("ledger verify", "", "%s", strings.ReplaceAll(lines[len(lines)-1], " ", "\u00a0"))
	return nil
}

func (p *partner) saturated(ctx context.Context, rep *report, a *stage.Adapter) error {
	m, err := p.meter(a)
	if err != nil {
		return err
	}
	began := time.Now()
	r, err := p.saturate(ctx, rep.lasting)
	if err != nil {
		return err
	}
	if err := p.books.drained(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	if err := m.stop(); err != nil {
		return err
	}
	confirmed, err := p.books.confirmed(ctx)
	if err != nil {
		return err
	}
	done, err := p.books.doneTimes(ctx)
	if err != nil {
		return err
	}
	rep.row("whole flow, saturated", p.engine.flowBar, "%.0f /s", float64(confirmed)/took.Seconds())
	rep.row("  captured, p50", "", "%s", ms(quantile(done, .5)))
	rep.row("  captured, p99", "", "%s", ms(quantile(done, .99)))
	if missing := int64(len(r.latencies)) - confirmed; missing != 0 {
		return fmt.Errorf("%d accepted payments were not confirmed", missing)
	}
	m.rows(rep, len(done), "")
	return nil
}

func (p *partner) meter(a *stage.Adapter) (meter, error) {
	return startMeter(append([]party{{name: "adapter", pid: a.PID()}}, p.engine.parties...)...)
}

// saturate keeps all connections busy.
func (p *partner) saturate(ctx context.Context, lasting time.Duration) (result, error) {
	return closedLoop(ctx, p.listen, connections, lasting, func(buf []byte, worker int, _ time.Time) []byte {
		buf, _ = p.notification(buf, worker)
		return buf
	})
}

// steady measures at 300/s from the moment at which the notification should have left to the
// moment at which the capture can be seen in the database.
func (p *partner) steady(ctx context.Context, rep *report) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	seen := make(chan map[string]time.Time, 1)
	var watchErr error
	go func() {
		var m map[string]time.Time
		m, watchErr = p.books.watch(watching)
		seen <- m
	}()

	const rate = 300
	sent := make(chan sending, rate*int(rep.lasting.Seconds()+1))
	_, err := openLoop(ctx, p.listen, connections, rate, rep.lasting, func(buf []byte, worker int, due time.Time) []byte {
		buf, id := p.notification(buf, worker)
		sent <- sending{id, due}
		return buf
	})
	if err != nil {
		return err
	}
	close(sent)
	if err := p.books.drained(ctx); err != nil {
		return err
	}
	stop()
	captured := <-seen
	if watchErr != nil {
		return watchErr
	}
	var done []time.Duration
	n := 0
	for s := range sent {
		n++
		if at, ok := captured[s.id]; ok {
			done = append(done, at.Sub(s.at))
		}
	}
	if len(done) != n {
		return fmt.Errorf("%d of %d payments were seen captured", len(done), n)
	}
	slices.Sort(done)
	rep.row("whole flow at 300/s", "", "%d", n)
	rep.row("  captured, p50 above the platform", "", "%s", ms(quantile(done, .5)-platformTime))
	rep.row("  captured, p99 above the platform", "≤ 10", "%s", ms(quantile(done, .99)-platformTime))
	return nil
}

// sending is a notification on its way.
type sending struct {
	id string
	at time.Time
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func sorted(d []time.Duration) []time.Duration {
	slices.Sort(d)
	return d
}
