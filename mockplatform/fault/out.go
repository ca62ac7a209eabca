package fault

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Before a message leaves, whoever queues it asks the plan for what is to be done in virtual
// time; these are for that.

// VirtualDelay is how long to wait in virtual time before a message is sent.
func (p *Plan) VirtualDelay() time.Duration {
	if p == nil || p.act.Clock == Real {
		return 0
	}
	return p.delay
}

// WaitToSend waits in real time, where the delay is in that, before a message is sent.
func (p *Plan) WaitToSend(ctx context.Context) error {
	if p == nil || p.act.Clock != Real || p.delay == 0 {
		return nil
	}
	t := time.NewTimer(p.delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Copies is how many copies of a message follow it, and the virtual pause before each.
func (p *Plan) Copies() (n int, pause time.Duration) {
	if !p.Does(Duplicate) {
		return 0, 0
	}
	return max(p.act.Copies, 1), time.Duration(p.act.PauseMS) * time.Millisecond
}

// HoldFor is how long, in virtual time, a message waits to be overtaken by the next; 0 for
// not at all.
func (p *Plan) HoldFor() time.Duration {
	switch {
	case !p.Does(Reorder):
		return 0
	case p.act.PauseMS > 0:
		return time.Duration(p.act.PauseMS) * time.Millisecond
	}
	return time.Minute
}

// Mangle returns the address and the body that are sent instead of these: with garbage in the
// body, or in the query where there is no body.
func (p *Plan) Mangle(address string, body []byte) (string, []byte) {
	if !p.Does(Garbage) {
		return address, body
	}
	if len(body) > 0 {
		return address, p.garbage(len(body))
	}
	path, _, _ := strings.Cut(address, "?")
	return path + "?" + url.PathEscape(string(p.garbage(32))), nil
}

// Interrupted is what a message meets that was not sent as it should, or whose answer is
// lost.
var (
	ErrNotSent    = errors.New("the connection broke before anything was sent")
	ErrAnswerLost = errors.New("the answer was lost")
)

// StatusInstead is the status that counts instead of the real answer; 0 for none.
func (p *Plan) StatusInstead() int {
	if !p.Does(Status) {
		return 0
	}
	return p.act.Status
}

// Shapes reports whether the connection has to be one of Dial.
func (p *Plan) Shapes() bool {
	return p.Does(Truncate) || p.Does(Drip) || p.Does(Hang) && !p.committed()
}

// Dial opens a connection that carries what is written as the plan says: slowly, or in part.
func (p *Plan) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &shapedConn{Conn: conn, plan: p, ctx: ctx, closed: make(chan struct{})}, nil
}

// shapedConn writes as a plan says.
type shapedConn struct {
	net.Conn
	plan   *Plan
	ctx    context.Context
	gone   atomic.Bool
	closed chan struct{}
}

// Write writes the first part of what is given and no more, or all of it piece by piece.
func (c *shapedConn) Write(b []byte) (int, error) {
	if c.plan.Does(Drip) {
		return c.drip(b)
	}
	n, err := c.Conn.Write(b[:len(b)/2])
	if err != nil {
		return n, err
	}
	if c.plan.Does(Truncate) {
		_ = c.Close()
		return n, net.ErrClosed
	}
	<-c.closed // hangs until the time limit of the request
	return n, net.ErrClosed
}

func (c *shapedConn) drip(b []byte) (written int, err error) {
	for len(b) > 0 {
		n, err := c.Conn.Write(b[:min(dripBytes, len(b))])
		written += n
		if err != nil {
			return written, err
		}
		if b = b[n:]; len(b) == 0 {
			break
		}
		t := time.NewTimer(c.plan.dripPause())
		select {
		case <-t.C:
		case <-c.closed:
			t.Stop()
			return written, net.ErrClosed
		}
	}
	return written, nil
}

// Close ends what waits as well.
func (c *shapedConn) Close() error {
	if c.gone.CompareAndSwap(false, true) {
		close(c.closed)
	}
	return c.Conn.Close()
}
