package integra_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// receiver is a partner's end of notifications: it notes what comes and answers as told.
type receiver struct {
	*httptest.Server
	s *stand

	mu     sync.Mutex
	got    []string                           // "<virtual time since noon> <target>"
	answer func(w http.ResponseWriter, n int) // n counts from 1; 200 if nil
}

func newReceiver(s *stand, answer func(w http.ResponseWriter, n int)) *receiver {
	r := &receiver{s: s, answer: answer}
	r.Server = httptest.NewServer(r)
	s.t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.got = append(r.got, fmt.Sprintf("%s %s %s", r.s.clock.Now().Sub(noon), req.Method, req.RequestURI))
	n, answer := len(r.got), r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, n)
	}
}

func (r *receiver) received() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

func always(status int) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, _ int) { w.WriteHeader(status) }
}

func TestNotificationSchedules(t *testing.T) {
	t.Parallel()
	const s = time.Second
	tests := []struct {
		name     string
		settings func(*integra.Settings)
		answer   func(http.ResponseWriter, int)
		want     []time.Duration // of the notifications
	}{
		{name: "acknowledged at once", want: []time.Duration{0}},
		{
			name: "never acknowledged", answer: always(500),
			want: []time.Duration{0, 10 * s, 30 * s, 70 * s, 150 * s, 310 * s},
		},
		{
			name: "acknowledged at the third try",
			answer: func(w http.ResponseWriter, n int) {
				if n < 3 {
					w.WriteHeader(503)
				}
			},
			want: []time.Duration{0, 10 * s, 30 * s},
		},
		{
			name: "201 is not 200", answer: always(201),
			settings: func(s *integra.Settings) { s.Notify.Retries = 1 },
			want:     []time.Duration{0, 10 * s},
		},
		{
			name: "a redirect is not followed",
			answer: func(w http.ResponseWriter, _ int) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(302)
			},
			settings: func(s *integra.Settings) { s.Notify.Retries = 1 },
			want:     []time.Duration{0, 10 * s},
		},
		{
			name: "connection closed", answer: func(http.ResponseWriter, int) { panic(http.ErrAbortHandler) },
			settings: func(s *integra.Settings) { s.Notify.Retries = 1 },
			want:     []time.Duration{0, 10 * s},
		},
		{
			name: "never repeated", answer: always(500),
			settings: func(s *integra.Settings) { s.Notify.Retries = 0 },
			want:     []time.Duration{0},
		},
		{
			name: "another first pause", answer: always(500),
			settings: func(s *integra.Settings) { s.Notify.Retries, s.Notify.FirstRetry = 2, time.Minute },
			want:     []time.Duration{0, 60 * s, 180 * s},
		},
		{
			name: "a schedule", answer: always(500),
			settings: func(s *integra.Settings) {
				s.Notify.Schedule = []time.Duration{time.Second, time.Hour, 0}
			},
			want: []time.Duration{0, s, 3601 * s, 3601 * s},
		},
		{
			name:     "delayed",
			settings: func(s *integra.Settings) { s.Notify.Delay = 7 * time.Second },
			want:     []time.Duration{7 * s},
		},
		{
			name:     "duplicates at once",
			settings: func(s *integra.Settings) { s.Notify.Duplicates = 2 },
			want:     []time.Duration{0, 0, 0},
		},
		{
			name: "duplicates later, not repeated", answer: always(500),
			settings: func(s *integra.Settings) {
				s.Notify.Duplicates, s.Notify.DuplicateAfter, s.Notify.Retries = 2, 4*time.Second, 1
			},
			want: []time.Duration{0, 4 * s, 8 * s, 10 * s},
		},
		{
			name:     "held back for one that never comes",
			settings: func(s *integra.Settings) { s.Notify.Reorder = 3 * time.Second },
			want:     []time.Duration{3 * s},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.settings == nil {
				tt.settings = func(*integra.Settings) {}
			}
			s := newStand(t, with(tt.settings))
			partner := newReceiver(s, tt.answer)
			s.register(alice)
			s.logIn(alice, partner.URL+"/n/{id}?sum={amount}&user={hash}&other={x}")
			id := s.topUp(alice, "100.50").ID
			s.advance(23 * time.Hour)

			var want []string
			for _, at := range tt.want {
				want = append(want, fmt.Sprintf("%s GET /n/%s?sum=100.5&user=%s&other={x}", at, id, alice))
			}
			if diff := cmp.Diff(want, partner.received()); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
			payment := s.payment(id)
			if len(payment.Attempts) != len(tt.want) || !payment.NextTry.IsZero() || payment.State != integra.Unconfirmed {
				t.Errorf("payment: %+v; want %d attempts and no more", payment, len(tt.want))
			}
			if got, want := payment.Acknowledged(), tt.answer == nil || tt.name == "acknowledged at the third try"; got != want {
				t.Errorf("acknowledged %v, want %v", got, want)
			}
			if got := len(s.journal.List(journal.Filter{Method: "notify", Direction: journal.Out, User: alice, Payment: id})); got != len(tt.want) {
				t.Errorf("%d in the journal, want %d", got, len(tt.want))
			}
		})
	}
}

func TestNotificationsInAnotherOrder(t *testing.T) {
	t.Parallel()
	s := newStand(t, with(func(s *integra.Settings) { s.Notify.Reorder = time.Minute }))
	partner := newReceiver(s, nil)
	s.register(alice)
	s.logIn(alice, partner.URL+"/{amount}")
	for _, amount := range []string{"1", "2", "3", "4", "5"} {
		s.topUp(alice, amount)
		s.advance(time.Second)
	}
	s.advance(time.Hour)
	want := []string{"1s GET /2", "1s GET /1", "3s GET /4", "3s GET /3", "1m4s GET /5"}
	if diff := cmp.Diff(want, partner.received()); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// A partner may be slow to acknowledge, but not to act.
func TestSettledPaymentIsNotAnnouncedAgain(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"confirmPayment", "declinePayment"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			partner := newReceiver(s, always(500))
			s.register(alice)
			s.logIn(alice, partner.URL+"/{id}")
			id := s.topUp(alice, "100").ID
			s.advance(time.Second)
			s.call(method, alice, `{"amount":"100","transactionId":"`+id+`"}`)
			if payment := s.payment(id); !payment.State.Final() || !payment.NextTry.IsZero() {
				t.Errorf("payment: %+v; want it settled, and no further try", payment)
			}
			s.advance(25 * time.Hour)
			if got := partner.received(); len(got) != 1 {
				t.Errorf("received %v, want one", got)
			}
			if s.clock.Pending() != 0 {
				t.Errorf("%d timers are left", s.clock.Pending())
			}
		})
	}
}

// What an expiry is called, people read.
func TestExpiryInWords(t *testing.T) {
	t.Parallel()
	for expiry, want := range map[time.Duration]string{
		24 * time.Hour: "24 hours", time.Hour: "1 hour", 90 * time.Minute: "90 minutes", 61 * time.Second: "61 seconds", 1500 * time.Millisecond: "1500 milliseconds",
	} {
		s := newStand(t, with(func(s *integra.Settings) { s.Expiry = expiry }))
		s.register(alice)
		s.logIn(alice, newReceiver(s, nil).URL)
		id := s.topUp(alice, "100").ID
		s.advance(expiry)
		if got := s.payment(id).Reason; got != "expired: nobody confirmed it within "+want {
			t.Errorf("after %s: %s", expiry, got)
		}
	}
}

// A payment tells by the virtual clock when it was made, notified, acknowledged and answered.
func TestTimes(t *testing.T) {
	t.Parallel()
	s := newStand(t, with(func(s *integra.Settings) { s.Notify.Delay = 3 * time.Second }))
	partner := newReceiver(s, func(w http.ResponseWriter, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	s.register(alice)
	s.logIn(alice, partner.URL)
	begin := s.clock.Now()
	id := s.topUp(alice, "100").ID
	after := func(at time.Time) string {
		if at.IsZero() {
			return "-"
		}
		return at.Sub(begin).String()
	}
	times := func() string {
		p := s.payment(id)
		return fmt.Sprint(after(p.CreatedAt), " ", after(p.NotifiedAt()), " ", after(p.AcknowledgedAt()), " ", after(p.AnsweredAt()), " ", after(p.SettledAt), " ", after(p.ExpiresAt))
	}
	if got := times(); got != "0s - - - - 24h0m0s" {
		t.Errorf("made: %s", got)
	}
	s.advance(3 * time.Second)
	if got := times(); got != "0s 3s - - - 24h0m0s" {
		t.Errorf("notified: %s", got)
	}
	s.advance(time.Minute)
	if got := times(); got != "0s 3s 13s - - 24h0m0s" {
		t.Errorf("acknowledged: %s", got)
	}
	s.call("confirmPayment", alice, `{"amount":"100","transactionId":"`+id+`"}`)
	if got := times(); got != "0s 3s 13s 1m3s 1m3s -" {
		t.Errorf("confirmed: %s", got)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		expiry time.Duration
		after  time.Duration
		want   integra.State
	}{
		{"just before", 24 * time.Hour, 24*time.Hour - time.Millisecond, integra.Unconfirmed},
		{"in time", 24 * time.Hour, 24 * time.Hour, integra.Declined},
		{"another duration", time.Minute, time.Minute, integra.Declined},
		{"never", 0, 90 * 365 * 24 * time.Hour, integra.Unconfirmed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, with(func(s *integra.Settings) { s.Expiry = tt.expiry }))
			partner := newReceiver(s, nil)
			s.register(alice)
			s.logIn(alice, partner.URL)
			id := s.topUp(alice, "100").ID
			s.advance(tt.after)
			payment := s.payment(id)
			if payment.State != tt.want || payment.Expired != (tt.want == integra.Declined) {
				t.Fatalf("payment: %+v; want it %s", payment, tt.want)
			}
			if tt.want == integra.Declined && (payment.Within != tt.expiry || !payment.AnsweredAt().IsZero() || !payment.ExpiresAt.IsZero()) {
				t.Errorf("after expiry: %+v", payment)
			}
			confirm := s.call("confirmPayment", alice, `{"amount":"100","transactionId":"`+id+`"}`)
			if tt.want == integra.Unconfirmed {
				if s.balance(alice) != "100.00" {
					t.Errorf("confirm: %s", confirm.body)
				}
				return
			}
			if want := `{"status":{"code":8,`; !strings.HasPrefix(confirm.body, want) || s.balance(alice) != "0.00" {
				t.Errorf("confirm after expiry: %s with balance %s; want %s…", confirm.body, s.balance(alice), want)
			}
			decline := s.call("declinePayment", alice, `{"transactionId":"`+id+`"}`)
			if !strings.HasPrefix(decline.body, `{"status":{"code":0,`) || s.payment(id).Reason != payment.Reason {
				t.Errorf("decline after expiry: %s", decline.body)
			}
		})
	}
}

// A partner that is slow to answer costs nobody anything but itself. How long it may take is
// no part of this: on a busy machine the quick one needs its time too.
func TestSlowPartnerBlocksNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t, with(func(s *integra.Settings) { s.Notify.Timeout = time.Minute }))
	release, heard := make(chan struct{}), make(chan struct{})
	slow := newReceiver(s, func(http.ResponseWriter, int) { <-release })
	quick := newReceiver(s, func(http.ResponseWriter, int) { close(heard) })
	s.register(alice)
	s.register(bob)
	s.logIn(alice, slow.URL)
	s.logIn(bob, quick.URL)
	a, b := s.topUp(alice, "1").ID, s.topUp(bob, "1").ID // neither waits
	<-heard
	if got := s.payment(a); got.Acknowledged() {
		t.Errorf("payment at the slow partner: %+v", got)
	}
	close(release)
	s.advance(0)
	for _, id := range []string{a, b} {
		if got := s.payment(id); !got.Acknowledged() || len(got.Attempts) != 1 {
			t.Errorf("payment in the end: %+v", got)
		}
	}
}

func TestPartnerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	s := newStand(t, with(func(s *integra.Settings) { s.Notify.Timeout, s.Notify.Retries = 50*time.Millisecond, 0 }))
	release := make(chan struct{})
	silent := newReceiver(s, func(http.ResponseWriter, int) { <-release })
	defer close(release)
	s.register(alice)
	s.logIn(alice, silent.URL)
	id := s.topUp(alice, "1").ID
	s.advance(0)
	if got := s.payment(id); got.Acknowledged() || len(got.Attempts) != 1 || got.Attempts[0].Error != "no answer within 50ms" || got.Attempts[0].Status != 0 {
		t.Errorf("payment: %+v", got)
	}
	e := s.journal.List(journal.Filter{Method: "notify"})[0]
	if e.Response != nil || e.Status != 0 || e.Verdict.OK || e.Verdict.Detail != "no answer within 50ms" {
		t.Errorf("journal: %+v", e.Verdict)
	}
}

func TestManyNotificationsAtOnce(t *testing.T) {
	t.Parallel()
	const workers, payments = 4, 200
	s := newStand(t, func(cfg *integra.Config) { cfg.Workers = workers })
	var now, most atomic.Int64
	partner := newReceiver(s, nil)
	partner.answer = func(http.ResponseWriter, int) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		now.Add(-1)
	}
	s.register(alice)
	s.logIn(alice, partner.URL)
	for range payments {
		s.topUp(alice, "1")
	}
	s.advance(0)
	if got := len(partner.received()); got != payments {
		t.Errorf("received %d, want %d", got, payments)
	}
	if most.Load() > workers {
		t.Errorf("%d at once, want at most %d", most.Load(), workers)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	s.logIn(alice, nowhere)
	id := s.topUp(alice, "1").ID
	s.advance(0)
	payment := s.payment(id)
	if len(payment.Attempts) != 1 || !strings.Contains(payment.Attempts[0].Error, "connection refused") {
		t.Fatalf("attempts: %+v", payment.Attempts)
	}
	if want := noon.Add(10 * time.Second); !payment.NextTry.Equal(want) {
		t.Errorf("next try %s, want %s", payment.NextTry, want)
	}
}

// The journal has the very bytes of the connection.
func TestNotificationBytes(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	const response = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nServer: nginx\r\n\r\nstored"
	received := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		var all bytes.Buffer
		for r := bufio.NewReader(conn); !bytes.HasSuffix(all.Bytes(), []byte("\r\n\r\n")); {
			b, err := r.ReadByte()
			if err != nil {
				break
			}
			all.WriteByte(b)
		}
		_, _ = conn.Write([]byte(response))
		received <- all.String()
	}()
	s := newStand(t)
	s.register(alice)
	s.logIn(alice, "http://"+l.Addr().String()+`/pay?id={id}&amount={amount}`)
	id := s.topUp(alice, "100").ID
	s.advance(0)
	e := s.last()
	if diff := cmp.Diff(<-received, string(e.Request)); diff != "" {
		t.Errorf("request (-sent +journal):\n%s", diff)
	}
	if diff := cmp.Diff(response, string(e.Response)); diff != "" {
		t.Errorf("response (-sent +journal):\n%s", diff)
	}
	if e.Method != "notify" || e.Direction != journal.Out || e.User != alice || e.Partner != plain.Hash || e.Payment != id ||
		e.Attempt != 1 || e.Status != 200 || !e.Verdict.OK || !e.At.Equal(noon) {
		t.Errorf("journal: %+v", e)
	}
}

func TestSecretsOfNotificationURLs(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	partner := newReceiver(s, nil)
	const token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	s.register(alice)
	s.logIn(alice, partner.URL+"/hook/5up3r53cr3t5egment/{id}?amount={amount}&key=pass&token="+token)
	s.topUp(alice, "100")
	s.advance(0)
	for _, e := range s.journal.List(journal.Filter{User: alice}) {
		view := e.Redacted()
		all := string(view.Request) + string(view.Args) + string(view.Response)
		for _, secret := range []string{token, token[40:], "5up3r53cr3t5egment", "key=pass", "ZXlKaGJHY2lPaUpJVXpJ" /* of the token, in base64 */} {
			if strings.Contains(all, secret) {
				t.Errorf("%s shows %s in\n%s", e.Method, secret, all)
			}
		}
		if e.Method == "notify" && !strings.Contains(string(view.Request), "amount=100&key=***&token=eyJh***") {
			t.Errorf("request is hidden altogether:\n%s", view.Request)
		}
	}
}

func TestResetBreaksOff(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	arrived := make(chan struct{})
	partner := newReceiver(s, nil)
	release := make(chan struct{})
	defer close(release)
	partner.answer = func(http.ResponseWriter, int) {
		arrived <- struct{}{}
		<-release
	}
	s.register(alice)
	s.logIn(alice, partner.URL)
	changed, stop := s.p.Watch(alice)
	defer stop()
	id := s.topUp(alice, "1").ID
	<-arrived
	s.p.Reset(s.clock.Reset)
	<-changed
	if _, ok := s.p.Payment(id); ok {
		t.Error("the payment is still there")
	}
	if _, ok := s.p.User(alice, 0); ok {
		t.Error("the user is still there")
	}
	if s.clock.Pending() != 0 {
		t.Errorf("%d timers are left", s.clock.Pending())
	}
	s.register(alice) // the name is free again
}
