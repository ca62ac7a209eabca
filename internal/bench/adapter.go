package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path/filepath"
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
	platform *slowPlatform
	listen   string
	hashes   []string
	tokens   []string
}

func newPartner(ctx context.Context, bin stage.Binaries, folder, database string) (*partner, error) {
	platform, err := startPlatform(ctx, platformTime)
	if err != nil {
		return nil, err
	}
	listen, err := stage.FreeAddr()
	if err != nil {
		return nil, err
	}
	p := &partner{platform: platform, listen: listen}
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
	return p, nil
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

// accept measures durable 200s: nothing but receiving, the work is left to other replicas.
func (p *partner) accept(ctx context.Context, rep *report, bareRate float64) error {
	a, err := p.With("ADAPTER_RECEIVE_ONLY=true").Start(ctx, nil)
	if err != nil {
		return err
	}
	used, err := cpu(a.PID())
	if err != nil {
		return err
	}
	r, err := closedLoop(ctx, p.listen, connections, rep.lasting, func(buf []byte, worker int, _ time.Time) []byte {
		buf, _ = p.notification(buf, worker)
		return buf
	})
	if err != nil {
		return err
	}
	after, err := cpu(a.PID())
	if err != nil {
		return err
	}
	rep.row("accept, durable 200s", "%8.0f /s  p50 %s  p99 %s  %.0f µs CPU each", r.rate(),
		ms(quantile(r.latencies, .5)), ms(quantile(r.latencies, .99)), perCall(after-used, len(r.latencies)))
	rep.row("  against the bare grouped insert", "%8.0f %%   (bar 50 %%)", 100*r.rate()/bareRate)
	if r.refused > 0 {
		rep.row("  refused", "%8d", r.refused)
	}
	return a.Stop(time.Minute)
}

// flow measures the whole way from notification to captured: first saturation, then at 300/s.
func (p *partner) flow(ctx context.Context, rep *report, books books) error {
	a, err := p.Start(ctx, nil)
	if err != nil {
		return err
	}
	// What accept left behind is worked off first.
	if err := books.drained(ctx); err != nil {
		return err
	}
	before, err := books.confirmed(ctx)
	if err != nil {
		return err
	}
	used, err := cpu(a.PID())
	if err != nil {
		return err
	}
	began := time.Now()
	r, err := closedLoop(ctx, p.listen, connections, rep.lasting, func(buf []byte, worker int, _ time.Time) []byte {
		buf, _ = p.notification(buf, worker)
		return buf
	})
	if err != nil {
		return err
	}
	if err := books.drained(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := cpu(a.PID())
	if err != nil {
		return err
	}
	now, err := books.confirmed(ctx)
	if err != nil {
		return err
	}
	done, err := books.doneTimes(ctx, now-before)
	if err != nil {
		return err
	}
	rep.row("whole flow, saturated", "%8.0f /s  done p50 %s  p99 %s  %.0f µs CPU each", float64(now-before)/took.Seconds(),
		ms(quantile(done, .5)), ms(quantile(done, .99)), perCall(after-used, int(now-before)))
	if missing := int64(len(r.latencies)) - (now - before); missing != 0 {
		return fmt.Errorf("%d accepted payments were not confirmed", missing)
	}
	if err := p.steady(ctx, rep, books); err != nil {
		return err
	}
	mib, err := memory(a.PID())
	if err != nil {
		return err
	}
	rep.row("memory after the load", "%8.0f MiB (bar 80)", mib)
	return a.Stop(time.Minute)
}

// steady measures at 300/s from the moment at which the notification should have left to the
// moment at which the capture can be seen in the database.
func (p *partner) steady(ctx context.Context, rep *report, books books) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	seen := make(chan map[string]time.Time, 1)
	var watchErr error
	go func() {
		var m map[string]time.Time
		m, watchErr = books.watch(watching)
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
	if err := books.drained(ctx); err != nil {
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
	above := quantile(done, .99) - platformTime
	rep.row("whole flow at 300/s", "%8d     done p50 %s  p99 %s: %s above the platform's 5 ms (bar 10 ms)", n,
		ms(quantile(done, .5)), ms(quantile(done, .99)), ms(above))
	return nil
}

// sending is a notification on its way.
type sending struct {
	id string
	at time.Time
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func perCall(used time.Duration, calls int) float64 {
	return float64(used.Microseconds()) / float64(max(calls, 1))
}

func sqliteURL(folder string) string { return "sqlite:" + filepath.Join(folder, "adapter.db") }

func sorted(d []time.Duration) []time.Duration {
	slices.Sort(d)
	return d
}
