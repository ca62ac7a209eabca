package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// standIn measures stateful calls (doPayment, each with a hash of its own) with the journal
// on, against a bare handler of the same router.
func standIn(ctx context.Context, rep *report, bin stage.Binaries) error {
	rep.section("Stand-in")
	platform, err := stage.StartPlatform(ctx, bin, nil, "--seed", "1")
	if err != nil {
		return err
	}
	requests, err := payers(ctx, platform)
	if err != nil {
		return err
	}
	addr := strings.TrimPrefix(platform.URL, "http://")
	m, err := startMeter(party{name: "stand-in", pid: platform.PID()}, self())
	if err != nil {
		return err
	}
	calls, err := measured(ctx, rep, addr, requests)
	if err := errors.Join(err, m.stop()); err != nil {
		return err
	}
	rep.row("stateful calls, journal on", "≥ 15000", "%.0f /s", calls.rate())
	rep.row("  p99", "", "%s", ms(quantile(calls.latencies, .99)))
	m.rows(rep, len(calls.latencies), "≤ 60")
	mib, err := memory(platform.PID())
	if err != nil {
		return err
	}
	rep.row("memory after the load", "≤ 80", "%.0f MiB", mib)
	if err := platform.Stop(time.Minute); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	other := exec.CommandContext(ctx, program, "-role", "bare") //nolint:gosec // ourselves
	out, err := other.StdoutPipe()
	if err != nil {
		return err
	}
	if err := other.Start(); err != nil {
		return err
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	bareAddr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	if m, err = startMeter(party{name: "bare handler", pid: other.Process.Pid}, self()); err != nil {
		return err
	}
	bare, err := measured(ctx, rep, strings.TrimSpace(bareAddr), requests)
	if err := errors.Join(err, m.stop()); err != nil {
		return err
	}
	rep.row("limit: bare gorilla/mux handler", "", "%.0f /s", bare.rate())
	rep.row("  p99", "", "%s", ms(quantile(bare.latencies, .99)))
	m.rows(rep, len(bare.latencies), "")
	rep.row("stateful calls of the limit", "", "%.0f %%", 100*calls.rate()/bare.rate())
	return crowded(ctx, rep, bin)
}

// crowded measures what a call costs where much is going on, against where hardly anything is:
// open payments, each with its timer, and armed rules about other users' calls of the same
// method, each of which has to be passed over.
func crowded(ctx context.Context, rep *report, bin stage.Binaries) error {
	var cost [2]float64
	for i, crowd := range []struct{ payments, faults int }{{1, 1}, {10_000, 1_000}} {
		platform, err := stage.StartPlatform(ctx, bin, nil, "--seed", "1")
		if err != nil {
			return err
		}
		requests, err := payers(ctx, platform)
		if err != nil {
			return err
		}
		if err := gather(ctx, platform, crowd.payments, crowd.faults); err != nil {
			return err
		}
		m, err := startMeter(party{name: "stand-in", pid: platform.PID()})
		if err != nil {
			return err
		}
		calls, err := measured(ctx, rep, strings.TrimPrefix(platform.URL, "http://"), requests)
		if err := errors.Join(err, m.stop()); err != nil {
			return err
		}
		cost[i] = perCall(m.used[0], len(calls.latencies))
		rep.row(fmt.Sprintf("with payments %d, faults %d", crowd.payments, crowd.faults), "", "%.0f µs", cost[i])
		if err := platform.Stop(time.Minute); err != nil {
			return err
		}
	}
	rep.row("  the crowd costs", "≤ 1.5", "%.2f ×", cost[1]/cost[0])
	return nil
}

// gather opens payments of the payers, and arms rules that are about nobody of them.
func gather(ctx context.Context, platform *stage.Platform, payments, faults int) error {
	rules := make([]map[string]any, faults)
	for i := range rules {
		rules[i] = map[string]any{
			"match": map[string]any{"protocol": "integra", "method": integra.DoPayment, "user": fmt.Sprintf("%032x", i+1<<40)},
			"act":   map[string]any{"do": "drop_after"},
		}
	}
	if err := platform.Do(ctx, http.MethodPost, "/faults", map[string]any{"rules": rules}, nil); err != nil {
		return err
	}
	for i := range payments {
		path := fmt.Sprintf("/integra/users/%032d/topups", i%connections)
		if err := platform.Do(ctx, http.MethodPost, path, map[string]string{"amount": "1", "via": "robokassa"}, nil); err != nil {
			return err
		}
	}
	return nil
}

// measured is a closed loop in which no call may be refused.
func measured(ctx context.Context, rep *report, addr string, request next) (result, error) {
	r, err := closedLoop(ctx, addr, connections, rep.lasting, request)
	if r.refused > 0 && err == nil {
		err = fmt.Errorf("%d calls were not answered 200", r.refused)
	}
	return r, err
}

// payers registers a user for each connection and returns what makes their calls.
func payers(ctx context.Context, platform *stage.Platform) (next, error) {
	creds := make([]integra.Credentials, connections)
	for i := range creds {
		hash := fmt.Sprintf("%032d", i)
		k, err := integra.Seal(integra.Simple, integra.Credentials{Hash: platform.PartnerHash, Key: platform.PartnerKey},
			integra.CreateUserArgs{Username: fmt.Sprintf("bench-%d", i), Hash: hash})
		if err != nil {
			return nil, err
		}
		answer, err := call(ctx, platform, integra.CreateUser, k)
		if err != nil {
			return nil, err
		}
		var created integra.CreateUserResult
		if err := answer.Result(&created); err != nil {
			return nil, err
		}
		creds[i] = integra.Credentials{Hash: hash, Key: created.CryptKey}
	}
	return func(buf []byte, worker int, _ time.Time) []byte {
		var raw [16]byte
		_, _ = rand.Read(raw[:])
		k, err := integra.Seal(integra.Simple, creds[worker], integra.DoPaymentArgs{
			PaymentSum: "1", PaymentHash: hex.EncodeToString(raw[:]), UserLogin: fmt.Sprintf("bench-%d", worker),
		})
		if err != nil {
			panic(err) // the arguments are ours
		}
		address, err := integra.RequestURL("http://standin", platform.PartnerPath, integra.DoPayment, k, nil)
		if err != nil {
			panic(err)
		}
		buf = append(buf, "POST "...)
		buf = append(buf, strings.TrimPrefix(address, "http://standin")...)
		return append(buf, " HTTP/1.1\r\nHost: standin\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"...)
	}, nil
}

func call(ctx context.Context, platform *stage.Platform, m integra.Method, k string) (integra.Response, error) {
	address, err := integra.RequestURL(platform.URL, platform.PartnerPath, m, k, nil)
	if err != nil {
		return integra.Response{}, err
	}
	body, err := platform.Fetch(ctx, http.MethodPost, address)
	if err != nil {
		return integra.Response{}, err
	}
	answer, err := integra.ParseResponse(body)
	if err == nil {
		err = answer.Err()
	}
	return answer, err
}

// startUp measures the time from the start of a process to its line "ready", and its memory
// when idle.
func startUp(ctx context.Context, rep *report, bin stage.Binaries) error {
	rep.section("Start-up and idle memory")
	folder, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	platform, err := timed(rep, "stand-in ready", "≤ 50", func() (*stage.Process, error) {
		p, err := stage.StartPlatform(ctx, bin, nil)
		if err != nil {
			return nil, err
		}
		return p.Process, nil
	})
	if err != nil {
		return err
	}
	listen, err := stage.FreeAddr()
	if err != nil {
		return err
	}
	p := stage.NewPartner(bin, &stage.Platform{URL: "http://127.0.0.1:9", PartnerPath: "iframe", PartnerHash: strings.Repeat("b", 32), PartnerKey: key},
		listen, folder, "sqlite:"+filepath.Join(folder, "adapter.db"))
	if err := p.MakeKey(ctx, folder); err != nil {
		return err
	}
	if _, err := p.Run(ctx, "migrate"); err != nil {
		return err
	}
	adapter, err := timed(rep, "adapter ready, migrated SQLite", "≤ 100", func() (*stage.Process, error) {
		a, err := p.Start(ctx, nil)
		if err != nil {
			return nil, err
		}
		return a.Process, nil
	})
	if err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		*stage.Process
	}{{"stand-in idle", platform}, {"adapter idle", adapter}} {
		mib, err := memory(p.PID())
		if err != nil {
			return err
		}
		rep.row(p.name, "≤ 30", "%.0f MiB", mib)
		if err := p.Stop(time.Minute); err != nil {
			return err
		}
	}
	return nil
}

// timed starts a process five times and tells the median; the last one is left running.
func timed(rep *report, name, bar string, start func() (*stage.Process, error)) (*stage.Process, error) {
	var took []time.Duration
	for {
		began := time.Now()
		p, err := start()
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if len(took) == 5 {
			rep.row(name, bar, "%s", ms(quantile(sorted(took), .5)))
			return p, nil
		}
		if err := p.Stop(time.Minute); err != nil {
			return nil, err
		}
	}
}
