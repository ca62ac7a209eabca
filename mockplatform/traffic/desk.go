package traffic

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// CheckFault is the check that the journal names where a fault kept a call from being
// carried out.
const CheckFault = "fault"

// Desk is where calls to a platform come in, and what its couriers work for.
type Desk struct {
	Clock   *clock.Clock
	Journal *journal.Journal
	Faults  *fault.Set
}

// NewDesk returns a desk. Without faults, which may be nil, nothing goes wrong.
func NewDesk(c *clock.Clock, j *journal.Journal, faults *fault.Set) *Desk {
	if faults == nil {
		faults, _ = fault.New(fault.Config{Clock: c}) // no rule is wrong
	}
	return &Desk{c, j, faults}
}

// Begin starts an exchange with a call to the stand-in.
func (d *Desk) Begin(protocol, method string) *journal.Exchange {
	return &journal.Exchange{
		Protocol: protocol, Method: method, Direction: journal.In,
		At: d.Clock.Now(), Real: time.Now().UTC(),
	}
}

// Errors of ReadBody.
var (
	ErrTooLong = errors.New("body is too long")
	ErrCutOff  = errors.New("body was cut off")
)

// bodyTimeout is how long a caller may take to send a body.
const bodyTimeout = 10 * time.Second

// ReadBody reads the body of a request, of at most so many bytes. What was read is returned
// with ErrTooLong and ErrCutOff as well.
func ReadBody(w http.ResponseWriter, r *http.Request, most int) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	// Not for the whole connection: streams and answers that hang are read from as well.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // refused by writers of tests
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(most)+1))
	_ = control.SetReadDeadline(time.Time{})
	switch {
	case len(body) > most:
		return body, ErrTooLong
	case err != nil:
		return body, ErrCutOff
	}
	return body, nil
}

// A Call is one call to the stand-in, as far as its outside was read.
type Call struct {
	Exchange *journal.Exchange
	Body     []byte
	Page     bool // of users: only rules that name its method are about it
	// Payment finds out the payment before Do does, for rules about one payment; it may be nil.
	Payment func() string
	// Do carries the call out and returns the answer. It completes the exchange but for what
	// Serve knows: request, response, status and time.
	Do func(*fault.Plan) *fault.Answer
	// Otherwise, if Do sets it, becomes of the answer what a rule would make of it, unless a
	// rule does already.
	Otherwise *fault.Plan
}

// Serve carries out a call as the armed rules allow, records the exchange, and answers. It
// may panic with http.ErrAbortHandler, net/http's way to close a connection.
func (d *Desk) Serve(w http.ResponseWriter, r *http.Request, c *Call) {
	plan := d.Faults.Match(c.Exchange, c.Page, c.Payment)
	if plan.WaitBefore() != nil {
		panic(http.ErrAbortHandler) // a reset: nothing happened
	}
	var answer *fault.Answer
	if plan.Prevents() {
		c.Exchange.Verdict = journal.Verdict{Check: CheckFault, Detail: "not carried out: " + plan.String()}
	} else {
		answer = c.Do(plan)
		if plan == nil && c.Otherwise != nil {
			plan = c.Otherwise
			c.Exchange.Fault = plan.String()
		}
		if plan.WaitAfter() != nil {
			panic(http.ErrAbortHandler)
		}
	}
	answer = plan.Alter(answer)
	d.record(r, c, plan, answer)
	if plan == nil {
		write(w, answer)
		return
	}
	plan.Send(w, r, answer)
}

func write(w http.ResponseWriter, a *fault.Answer) {
	header := w.Header()
	for name, values := range a.Header {
		header[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) //nolint:gosec // made by the protocol; a caller that is gone misses nothing that we could mend
}

// record puts the call into the journal, with the answer as it will be sent.
func (d *Desk) record(r *http.Request, c *Call, plan *fault.Plan, answer *fault.Answer) {
	e := c.Exchange
	e.Scheme = "http"
	if r.TLS != nil {
		e.Scheme = "https"
	}
	e.Request = journal.RawRequest(r, c.Body)
	if answer != nil {
		if answer.Header == nil {
			answer.Header = http.Header{}
		}
		// All that net/http would add, so that the journal has what is sent.
		answer.Header["Content-Length"] = []string{strconv.Itoa(len(answer.Body))}
		answer.Header["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
		e.Status = answer.Status
		sent := plan.Cut(len(answer.Body))
		e.Response = journal.RawResponse(r.Proto, answer.Status, answer.Header, answer.Body[:sent])
	}
	e.Took = time.Since(e.Real)
	d.Journal.Record(e)
}
