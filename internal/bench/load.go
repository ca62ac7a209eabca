package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The generator shares the machine with what it measures, so it speaks just as much HTTP as
// it needs: requests are bytes made beforehand or appended to a buffer, and of an answer only
// the status and the length are read.

// conn is one keep-alive connection.
type conn struct {
	net.Conn
	in *bufio.Reader
}

func dial(ctx context.Context, addr string) (*conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 4096)}, nil
}

// do sends a request and returns the status of the answer.
func (c *conn) do(request []byte) (status int, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("status line %q", line)
	}
	length := -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		const name = "Content-Length: "
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			if length, err = strconv.Atoi(string(line[len(name):])); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("an answer without Content-Length")
	}
	_, err = c.in.Discard(length)
	return status, err
}

// result is what a run of load brought.
type result struct {
	took      time.Duration
	latencies []time.Duration // of answers 200, sorted
	refused   int             // other answers
}

func (r result) rate() float64 { return float64(len(r.latencies)) / r.took.Seconds() }

// quantile is a latency that the share q of the requests did not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// next appends a request to buf; worker tells the connections apart, and due is when the
// request should leave.
type next func(buf []byte, worker int, due time.Time) []byte

// closedLoop keeps every connection busy for the given time: saturation.
func closedLoop(ctx context.Context, addr string, connections int, lasting time.Duration, request next) (result, error) {
	began := time.Now()
	end := began.Add(lasting)
	return load(ctx, addr, connections, began, func(c *conn, worker int, r *result) error {
		var buf []byte
		for now := time.Now(); now.Before(end); {
			buf = request(buf[:0], worker, now)
			status, err := c.do(buf)
			if err != nil {
				return err
			}
			done := time.Now()
			r.count(status, done.Sub(now))
			now = done
		}
		return nil
	})
}

// openLoop sends at a fixed rate whatever the answers do, and counts a request's latency from
// the moment at which it should have left: a slow answer does not hide the ones behind it.
func openLoop(ctx context.Context, addr string, connections int, rate float64, lasting time.Duration, request next) (result, error) {
	began := time.Now().Add(10 * time.Millisecond)
	due := make(chan time.Time, int(rate*lasting.Seconds())+1)
	go func() {
		defer close(due)
		for i := range int(rate * lasting.Seconds()) {
			at := began.Add(time.Duration(float64(i) / rate * float64(time.Second)))
			time.Sleep(time.Until(at))
			due <- at
		}
	}()
	return load(ctx, addr, connections, began, func(c *conn, worker int, r *result) error {
		var buf []byte
		for at := range due {
			buf = request(buf[:0], worker, at)
			status, err := c.do(buf)
			if err != nil {
				return err
			}
			r.count(status, time.Since(at))
		}
		return nil
	})
}

func (r *result) count(status int, latency time.Duration) {
	if status == 200 {
		r.latencies = append(r.latencies, latency)
	} else {
		r.refused++
	}
}

// load runs work on each connection and joins what it brought.
func load(ctx context.Context, addr string, connections int, began time.Time, work func(*conn, int, *result) error) (result, error) {
	results := make([]result, connections)
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		c, err := dial(ctx, addr)
		if err != nil {
			return result{}, err
		}
		wg.Go(func() {
			defer func() { _ = c.Close() }()
			if err := work(c, i, &results[i]); err != nil && !errors.Is(err, io.EOF) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	all := result{took: time.Since(began)}
	for _, r := range results {
		all.latencies = append(all.latencies, r.latencies...)
		all.refused += r.refused
	}
	slices.Sort(all.latencies)
	return all, errors.Join(errs...)
}
