package contract

import (
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// inbox is where a stand-in sends its notifications during a replay.
type inbox struct {
	server *http.Server
	url    string

	mu     sync.Mutex
	status int                  // of answers
	got    map[string][]*letter // by payment
}

// letter is one notification.
type letter struct {
	verb  string
	query url.Values
	body  []byte
}

func newInbox() (*inbox, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	b := &inbox{url: "http://" + l.Addr().String(), status: http.StatusOK, got: map[string][]*letter{}}
	b.server = &http.Server{Handler: http.HandlerFunc(b.take), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = b.server.Serve(l) }()
	return b, nil
}

func (b *inbox) close() { _ = b.server.Close() }

// template is the address of Integra's notifications.
func (b *inbox) template() string { return b.url + "/notify?id={id}&amount={amount}&hash={hash}" }

// callback is the address of Any.Money's callbacks.
func (b *inbox) callback() string { return b.url + "/callback" }

func (b *inbox) take(w http.ResponseWriter, r *http.Request) {
	body, _ := readAll(r.Body)
	got := &letter{r.Method, r.URL.Query(), body}
	payment := got.query.Get("id")
	if r.URL.Path == "/callback" {
		payment = textMembers(string(body))["externalid"]
	}
	b.mu.Lock()
	b.got[payment] = append(b.got[payment], got)
	status := b.status
	b.mu.Unlock()
	w.WriteHeader(status)
}

// answerWith sets the status of answers from now on; no answer stands for 503.
func (b *inbox) answerWith(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status = status; status == 0 {
		b.status = http.StatusServiceUnavailable
	}
}

// get returns a payment's notification of that number, from 0; nil if there is none.
func (b *inbox) get(payment string, n int) *letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n >= len(b.got[payment]) {
		return nil
	}
	return b.got[payment][n]
}

func (b *inbox) count(payment string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.got[payment])
}
