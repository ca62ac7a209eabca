package fault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

// ErrBroken is a wait that was broken off because the rules were reset.
var ErrBroken = errors.New("broken off: the rules were reset")

// Plan is what a rule does to one exchange. A nil Plan does nothing, and every method may be
// called on it.
type Plan struct {
	id    string
	name  string
	act   Act
	delay time.Duration
	noise uint64
	clock *clock.Clock
	until context.Context // ends what waits
	spent bool
}

func (c *chosen) plan(clk *clock.Clock, until context.Context) *Plan {
	return &Plan{c.id, c.Name, c.Act, c.delay, c.noise, clk, until, c.spent}
}

// NewPlan returns a plan that no rule made, for a protocol that has reasons of its own to
// lose an answer.
func (s *Set) NewPlan(name string, act Act) *Plan {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Plan{id: name, act: act, delay: time.Duration(act.DelayMS) * time.Millisecond, clock: s.cfg.Clock, until: s.wait}
}

// String tells which rule did what, for the journal.
func (p *Plan) String() string {
	if p == nil {
		return ""
	}
	parts := []string{p.id}
	if p.name != "" {
		parts = append(parts, "("+p.name+")")
	}
	if p.delay > 0 {
		parts = append(parts, "delay "+p.delay.String())
	}
	switch {
	case p.act.Do == Status:
		parts = append(parts, fmt.Sprintf("status %d", p.act.Status))
	case p.act.Do != "":
		parts = append(parts, string(p.act.Do))
	}
	return strings.Join(parts, " ")
}

// Does reports whether this outcome is planned.
func (p *Plan) Does(o Outcome) bool { return p != nil && p.act.Do == o }

// committed is the rule's choice where there is one.
func (p *Plan) committed() bool { return p.act.Committed != nil && *p.act.Committed }

// Prevents reports whether the exchange comes to nothing: the call is not carried out, or
// not sent.
func (p *Plan) Prevents() bool {
	return p.Does(DropBefore) || (p.Does(Status) || p.Does(Hang)) && !p.committed()
}

// WaitBefore waits for the delay, if it is one before the call takes effect, and WaitAfter if
// it is one after that. It ends early with ErrBroken.
func (p *Plan) WaitBefore() error { return p.waitIf(false) }

// WaitAfter is the other half of WaitBefore.
func (p *Plan) WaitAfter() error { return p.waitIf(true) }

func (p *Plan) waitIf(committed bool) error {
	if p == nil || p.delay == 0 || p.committed() != committed {
		return nil
	}
	if p.act.Clock == Virtual {
		return p.waitVirtual(p.delay)
	}
	return p.pause(p.delay)
}

// pause waits in real time.
func (p *Plan) pause(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-p.until.Done():
		return ErrBroken
	}
}

func (p *Plan) waitVirtual(d time.Duration) error {
	over := make(chan struct{})
	t := p.clock.AfterFunc(d, func() { close(over) })
	defer t.Stop()
	select {
	case <-over:
		return nil
	case <-p.until.Done():
		return ErrBroken
	}
}

// An Answer is a reply before it is sent.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Alter returns what leaves instead of an answer, which is nil where the call was not carried
// out; nil for nothing at all. The Content-Length of a truncated answer is that of the whole.
func (p *Plan) Alter(a *Answer) *Answer {
	if p == nil {
		return a
	}
	switch p.act.Do {
	case DropBefore, DropAfter, Hang:
		return nil
	case Status:
		body := p.act.Body
		if body == "" {
			text := fmt.Sprintf("%d %s", p.act.Status, http.StatusText(p.act.Status))
			body = "<html><head><title>" + text + "</title></head><body>" + text + "</body></html>\n"
		}
		return &Answer{p.act.Status, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, []byte(body)}
	case Garbage:
		return &Answer{a.Status, a.Header, p.garbage(max(64, min(len(a.Body), 4096)))}
	}
	return a
}

// garbage makes bytes without meaning; they are no UTF-8.
func (p *Plan) garbage(n int) []byte {
	rnd := rand.New(rand.NewPCG(p.noise, 0)) //nolint:gosec // repeatable on purpose
	b := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], rnd.Uint64())
	}
	b[0] = 0xff
	return b[:n]
}

// Cut returns how much of a body of n bytes is sent.
func (p *Plan) Cut(n int) int {
	if p.Does(Truncate) {
		return n / 2
	}
	return n
}

// Pieces of a slow answer or request.
const (
	dripBytes = 8
	dripPause = 100 * time.Millisecond
)

func (p *Plan) dripPause() time.Duration {
	if p.act.PauseMS > 0 {
		return time.Duration(p.act.PauseMS) * time.Millisecond
	}
	return dripPause
}

// Send sends what Alter returned, as the plan wants it sent. It panics with
// http.ErrAbortHandler, net/http's way to close a connection, where there is no good end.
func (p *Plan) Send(w http.ResponseWriter, r *http.Request, a *Answer) {
	if a == nil {
		if p.Does(Hang) {
			select {
			case <-r.Context().Done():
			case <-p.until.Done():
			}
		}
		panic(http.ErrAbortHandler)
	}
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	switch {
	case p.Does(Truncate):
		_, _ = w.Write(a.Body[:p.Cut(len(a.Body))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case p.Does(Drip):
		p.drip(w, r, a.Body)
	default:
		_, _ = w.Write(a.Body) //nolint:gosec // made by the handler; a caller that is gone misses nothing that we could mend
	}
}

func (p *Plan) drip(w http.ResponseWriter, r *http.Request, body []byte) {
	control := http.NewResponseController(w)
	for len(body) > 0 {
		n := min(dripBytes, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		_ = control.Flush()
		if body = body[n:]; len(body) == 0 {
			return
		}
		if r.Context().Err() != nil || p.pause(p.dripPause()) != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// Signature returns the signature to be sent: text, or another one of the same form.
func (p *Plan) Signature(text string) string {
	if !p.Does(WrongSignature) || text == "" {
		return text
	}
	b := []byte(text)
	last := &b[len(b)-1]
	if *last == '0' {
		*last = '1'
	} else {
		*last = '0'
	}
	return string(b)
}

// Amount returns the decimal amount to be sent: text, or another one.
func (p *Plan) Amount(text string) string {
	switch {
	case !p.Does(OtherAmount):
		return text
	case p.act.Amount != "":
		return p.act.Amount
	}
	return oneMore(text)
}

// oneMore adds one to the whole part of a decimal without a sign.
func oneMore(text string) string {
	whole, rest, point := strings.Cut(text, ".")
	digits := []byte(whole)
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] != '9' {
			digits[i]++
			break
		}
		digits[i] = '0'
		if i == 0 {
			digits = append([]byte{'1'}, digits...)
		}
	}
	if point {
		return string(digits) + "." + rest
	}
	return string(digits)
}
