package traffic_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stand is a platform that does nothing but count, in frozen time.
type stand struct {
	t       *testing.T
	clock   *clock.Clock
	journal *journal.Journal
	faults  *fault.Set
	desk    *traffic.Desk
	url     string
	client  *http.Client
	done    atomic.Int32 // calls that were carried out
}

var body = `{"answer":"` + strings.Repeat("yes ", 20) + `"}`

func newStand(t *testing.T) *stand {
	t.Helper()
	c, err := clock.New(clock.State{Now: time.UnixMilli(1_000_000), Frozen: true})
	if err != nil {
		t.Fatal(err)
	}
	faults, err := fault.New(fault.Config{Clock: c, Seed: 1, Protocols: []fault.Protocol{
		{Name: "toy", In: []string{"ask"}, Out: []string{"tell"}, SignsAnswers: true, SignsOut: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{t: t, clock: c, journal: journal.New(journal.Config{}), faults: faults}
	s.desk = traffic.NewDesk(c, s.journal, faults)
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	transport := &http.Transport{}
	s.url, s.client = server.URL, &http.Client{Transport: transport}
	t.Cleanup(func() {
		faults.Close()
		transport.CloseIdleConnections()
		server.Close()
		c.Close()
	})
	return s
}

func (s *stand) serve(w http.ResponseWriter, r *http.Request) {
	e := s.desk.Begin("toy", "ask")
	got, err := traffic.ReadBody(w, r, 100)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, err.Error())
		return
	}
	s.desk.Serve(w, r, &traffic.Call{Exchange: e, Body: got, Do: func(plan *fault.Plan) *fault.Answer {
		s.done.Add(1)
		e.Verdict.OK = true
		return &fault.Answer{
			Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "X-Sign": {plan.Signature("00ff")}},
			Body: []byte(body),
		}
	}})
}

func (s *stand) arm(act fault.Act) {
	s.t.Helper()
	if _, err := s.faults.Arm(fault.Rule{Match: fault.Match{Protocol: "toy", Method: "ask"}, Act: act}); err != nil {
		s.t.Fatal(err)
	}
}

// ask makes a call and returns what came back, as far as it came.
func (s *stand) ask(ctx context.Context) (status int, header http.Header, got string, err error) {
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/ask", strings.NewReader("please"))
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header, string(b), err
}

func (s *stand) last() *journal.Exchange {
	s.t.Helper()
	found := s.journal.List(journal.Filter{Limit: 1})
	if len(found) == 0 {
		s.t.Fatal("the journal is empty")
	}
	return found[0]
}

// waitsForClock returns once something waits for the clock.
func (s *stand) waitsForClock() {
	for s.clock.Pending() == 0 {
		runtime.Gosched()
	}
}

func TestCallsGoWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		act    fault.Act
		done   int32
		status int  // 0 for a connection that breaks before an answer
		whole  bool // the body comes to an end
		body   func(string) bool
		fault  string
	}{
		{"drop_before", fault.Act{Do: fault.DropBefore}, 0, 0, false, nil, "f1 drop_before"},
		{"drop_after", fault.Act{Do: fault.DropAfter}, 1, 0, false, nil, "f1 drop_after"},
		{"status", fault.Act{Do: fault.Status, Status: 503}, 0, 503, true, func(b string) bool { return strings.Contains(b, "503 Service") }, "f1 status 503"},
		{"status after", fault.Act{Do: fault.Status, Status: 500, Body: "oops", Committed: new(true)}, 1, 500, true, func(b string) bool { return b == "oops" }, "f1 status 500"},
		{"garbage", fault.Act{Do: fault.Garbage}, 1, 200, true, func(b string) bool { return !utf8.ValidString(b) && len(b) == len(body) }, "f1 garbage"},
		{"truncate", fault.Act{Do: fault.Truncate}, 1, 200, false, func(b string) bool { return b == body[:len(body)/2] }, "f1 truncate"},
		{"drip", fault.Act{Do: fault.Drip, PauseMS: 1}, 1, 200, true, func(b string) bool { return b == body }, "f1 drip"},
		{"wrong signature", fault.Act{Do: fault.WrongSignature}, 1, 200, true, func(b string) bool { return b == body }, "f1 wrong_signature"},
		{"delay", fault.Act{DelayMS: 1}, 1, 200, true, func(b string) bool { return b == body }, "f1 delay 1ms"},
		{"delay after", fault.Act{DelayMS: 1, Committed: new(true), Do: ""}, 1, 200, true, func(b string) bool { return b == body }, "f1 delay 1ms"},
		{"delay, then drop", fault.Act{DelayMS: 1, Do: fault.DropAfter}, 1, 0, false, nil, "f1 delay 1ms drop_after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			s.arm(tt.act)
			status, header, got, err := s.ask(t.Context())
			if status != tt.status || (err == nil) != tt.whole {
				t.Fatalf("answer %d, %v", status, err)
			}
			if tt.body != nil && !tt.body(got) {
				t.Errorf("body %q", got)
			}
			if tt.act.Do == fault.WrongSignature && header.Get("X-Sign") == "00ff" {
				t.Error("the signature is right")
			}
			if s.done.Load() != tt.done {
				t.Errorf("carried out %d times, want %d", s.done.Load(), tt.done)
			}
			e := s.last()
			if e.Fault != tt.fault || e.Status != tt.status || e.Verdict.OK != (tt.done > 0) {
				t.Errorf("journal: fault %q, status %d, %+v", e.Fault, e.Status, e.Verdict)
			}
			if !strings.HasSuffix(string(e.Response), got) || !strings.HasSuffix(string(e.Request), "\r\n\r\nplease") {
				t.Errorf("journal: request %q, response %q", e.Request, e.Response)
			}
			if tt.done == 0 && e.Verdict.Check != traffic.CheckFault {
				t.Errorf("check %q", e.Verdict.Check)
			}
			s.faults.DisarmAll()
			if status, _, got, err := s.ask(t.Context()); status != 200 || got != body || err != nil {
				t.Errorf("disarmed: %d %q, %v", status, got, err)
			}
		})
	}
}

// A call that hangs ends when its caller gives up, and a reset ends it too: then nothing of
// it is in the new journal.
func TestHang(t *testing.T) {
	t.Parallel()
	for _, committed := range []bool{false, true} {
		t.Run(fmt.Sprint("committed ", committed), func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			s.arm(fault.Act{Do: fault.Hang, Committed: &committed})
			changed, stop := s.journal.Watch()
			defer stop()
			ctx, giveUp := context.WithCancel(t.Context())
			failed := make(chan error, 1)
			go func() {
				_, _, _, err := s.ask(ctx)
				failed <- err
			}()
			<-changed // it is in the journal, and hangs
			giveUp()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("gave up: %v", err)
			}
			go func() {
				_, _, _, err := s.ask(t.Context())
				failed <- err
			}()
			<-changed
			s.faults.Reset()
			if err := <-failed; err == nil {
				t.Error("a reset let the call through")
			}
			if got := s.done.Load() > 0; got != committed {
				t.Errorf("carried out: %v", got)
			}
		})
	}
}

func TestVirtualDelay(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.arm(fault.Act{DelayMS: 3_600_000, Clock: fault.Virtual})
	answered := make(chan int, 1)
	go func() {
		status, _, _, _ := s.ask(t.Context())
		answered <- status
	}()
	s.waitsForClock()
	if err := s.clock.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got != 200 {
		t.Errorf("status %d", got)
	}
}

func TestResetBreaksDelaysOff(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.arm(fault.Act{DelayMS: 600_000, Clock: fault.Virtual})
	failed := make(chan error, 1)
	go func() {
		_, _, _, err := s.ask(t.Context())
		failed <- err
	}()
	s.waitsForClock()
	s.faults.Reset()
	if err := <-failed; err == nil || s.done.Load() != 0 {
		t.Errorf("%v, carried out %d times", err, s.done.Load())
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	answer, err := s.client.Post(s.url, "text/plain", strings.NewReader(strings.Repeat("x", 101)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if b, _ := io.ReadAll(answer.Body); string(b) != traffic.ErrTooLong.Error() {
		t.Errorf("too long: %q", b)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab")
	_ = conn.(*net.TCPConn).CloseWrite()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if b, _ := io.ReadAll(response.Body); string(b) != traffic.ErrCutOff.Error() {
		t.Errorf("cut off: %q", b)
	}
}

// partner is whom the courier tells.
type partner struct {
	*httptest.Server
	mu      sync.Mutex
	got     []string // queries and bodies, in the order of arrival
	broken  int      // requests that were never whole
	arrived chan struct{}
}

func newPartner(t *testing.T) *partner {
	p := &partner{arrived: make(chan struct{}, 100)}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil {
			p.broken++
			return
		}
		p.got = append(p.got, string(b))
		_, _ = io.WriteString(w, "thanks")
	}))
	p.Config.ErrorLog = nil
	p.Start()
	t.Cleanup(p.Close)
	return p
}

func (p *partner) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.got...)
}

// office is a courier and what it reported.
type office struct {
	*stand
	*traffic.Courier
	partner *partner
	mu      sync.Mutex
	reports []string
}

func newOffice(t *testing.T) *office {
	o := &office{stand: newStand(t), partner: newPartner(t)}
	o.Courier = traffic.NewCourier(o.desk, "test", 4)
	t.Cleanup(o.Stop)
	return o
}

func (o *office) tell(text string) {
	o.Send(traffic.Letter{
		About: journal.Exchange{Protocol: "toy", Method: "tell", Payment: text},
		Write: func(plan *fault.Plan, again bool) *traffic.Request {
			say := plan.Amount("1") + " " + plan.Signature("00") + " " + text
			return &traffic.Request{Verb: http.MethodPost, URL: o.partner.URL, Body: []byte(say), Timeout: time.Second}
		},
		Heard: func(r traffic.Report) {
			o.mu.Lock()
			defer o.mu.Unlock()
			text := fmt.Sprint(text, " ", r.Status)
			if r.Copy {
				text = "copy of " + text
			}
			if r.Error != "" {
				text += " " + r.Error
			}
			o.reports = append(o.reports, text)
		},
	})
}

func (o *office) advance(d time.Duration) {
	o.t.Helper()
	if err := o.clock.Advance(o.t.Context(), d); err != nil {
		o.t.Fatal(err)
	}
}

func TestLettersGoWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		act     fault.Act
		got     []string // by the partner, of the letters a and b
		reports []string
	}{
		{"drop_before", fault.Act{Do: fault.DropBefore}, []string{"1 00 b"}, []string{"a 0 the connection broke before anything was sent", "b 200"}},
		{"drop_after", fault.Act{Do: fault.DropAfter}, []string{"1 00 a", "1 00 b"}, []string{"a 0 the answer was lost: it was 200", "b 200"}},
		{"status", fault.Act{Do: fault.Status, Status: 502}, []string{"1 00 b"}, []string{"a 502 answered 502, not 200", "b 200"}},
		{"status after", fault.Act{Do: fault.Status, Status: 502, Committed: new(true)}, []string{"1 00 a", "1 00 b"}, []string{"a 502 answered 502, not 200", "b 200"}},
		{"hang", fault.Act{Do: fault.Hang}, []string{"1 00 b"}, []string{"a 0 no answer within 1s", "b 200"}},
		{"hang after", fault.Act{Do: fault.Hang, Committed: new(true)}, []string{"1 00 a", "1 00 b"}, []string{"a 0 no answer within 1s", "b 200"}},
		{"duplicate", fault.Act{Do: fault.Duplicate, Copies: 2, PauseMS: 5}, []string{"1 00 a", "1 00 a", "1 00 a", "1 00 b"}, []string{"a 200", "copy of a 200", "copy of a 200", "b 200"}},
		{"reorder", fault.Act{Do: fault.Reorder}, []string{"1 00 b", "1 00 a"}, []string{"b 200", "a 200"}},
		{"wrong signature", fault.Act{Do: fault.WrongSignature}, []string{"1 01 a", "1 00 b"}, []string{"a 200", "b 200"}},
		{"other amount", fault.Act{Do: fault.OtherAmount}, []string{"2 00 a", "1 00 b"}, []string{"a 200", "b 200"}},
		{"drip", fault.Act{Do: fault.Drip, PauseMS: 1}, []string{"1 00 a", "1 00 b"}, []string{"a 200", "b 200"}},
		{"delay", fault.Act{DelayMS: 60_000}, []string{"1 00 b", "1 00 a"}, []string{"b 200", "a 200"}},
		{"real delay", fault.Act{DelayMS: 1, Clock: fault.Real}, []string{"1 00 a", "1 00 b"}, []string{"a 200", "b 200"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			if _, err := o.faults.Arm(fault.Rule{Match: fault.Match{Method: "tell", Count: new(1)}, Act: tt.act}); err != nil {
				t.Fatal(err)
			}
			o.tell("a")
			if tt.act.Do == fault.Reorder {
				o.tell("b")
			} else {
				o.advance(10 * time.Millisecond)
				o.tell("b")
			}
			o.advance(time.Hour)
			if diff := cmp.Diff(tt.got, o.partner.heard()); diff != "" {
				t.Errorf("the partner heard (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.reports, o.reports); diff != "" {
				t.Errorf("reports (-want +got):\n%s", diff)
			}
			faulty := 0
			for _, e := range o.journal.List(journal.Filter{Direction: journal.Out}) {
				if e.Fault != "" {
					faulty++
				}
			}
			if faulty == 0 {
				t.Error("the journal names no fault")
			}
		})
	}
}

func TestLettersWithoutMeaning(t *testing.T) {
	t.Parallel()
	for _, act := range []fault.Act{{Do: fault.Garbage}, {Do: fault.Truncate}} {
		t.Run(string(act.Do), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			if _, err := o.faults.Arm(fault.Rule{Match: fault.Match{Method: "tell"}, Act: act}); err != nil {
				t.Fatal(err)
			}
			o.tell(strings.Repeat("long ", 100))
			o.advance(0)
			for _, got := range o.partner.heard() {
				if utf8.ValidString(got) {
					t.Errorf("the partner understood %q", got)
				}
			}
			ok := o.last().Verdict.OK
			if ok != (act.Do == fault.Garbage) { // what this partner makes of garbage is its own affair
				t.Errorf("journal: %+v", o.last().Verdict)
			}
		})
	}
}

// A letter that is held back goes when nothing comes to overtake it.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	if _, err := o.faults.Arm(fault.Rule{Match: fault.Match{Method: "tell"}, Act: fault.Act{Do: fault.Reorder, PauseMS: 5_000}}); err != nil {
		t.Fatal(err)
	}
	o.tell("a")
	o.advance(4_999 * time.Millisecond)
	if got := o.partner.heard(); len(got) != 0 {
		t.Errorf("heard %q too early", got)
	}
	o.advance(time.Millisecond)
	if got := o.partner.heard(); len(got) != 1 {
		t.Errorf("heard %q", got)
	}
}

func TestStopForgets(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	if _, err := o.faults.Arm(fault.Rule{Match: fault.Match{Method: "tell"}, Act: fault.Act{DelayMS: 5_000}}); err != nil {
		t.Fatal(err)
	}
	o.tell("a")
	o.Stop()
	o.advance(time.Minute)
	o.Start()
	o.faults.DisarmAll()
	o.tell("b")
	o.advance(0)
	if got := o.partner.heard(); len(got) != 1 || !strings.HasSuffix(got[0], "b") {
		t.Errorf("heard %q", got)
	}
}
