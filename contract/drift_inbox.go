package contract

import (
	"cmp"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/contract/robokassa"
)

// inbox is where a stand-in sends its notifications during a replay.
type inbox struct {
	server *http.Server
	url    string

	mu     sync.Mutex
	status int                  // of answers
	result string               // how ResultURL is answered; "" for what Robokassa wants to hear
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

// resultURL is the address of Robokassa's messages to a shop.
func (b *inbox) resultURL(login string) string { return b.url + resultPath + login }

const resultPath = "/result/"

// callback is the address of Any.Money's callbacks.
func (b *inbox) callback() string { return b.url + "/callback" }

func (b *inbox) take(w http.ResponseWriter, r *http.Request) {
	body, _ := readAll(r.Body)
	got := &letter{r.Method, r.URL.Query(), body}
	payment := got.query.Get("id")
	login, isResult := strings.CutPrefix(r.URL.Path, resultPath)
	form, _ := url.ParseQuery(string(body))
	switch {
	case r.URL.Path == "/callback":
		payment = textMembers(string(body))["externalid"]
	case isResult:
		payment = login + "/" + form.Get(robokassa.FieldInvID)
	}
	b.mu.Lock()
	b.got[payment] = append(b.got[payment], got)
	status, result := b.status, b.result
	b.mu.Unlock()
	w.WriteHeader(status)
	if isResult {
		_, _ = io.WriteString(w, cmp.Or(result, robokassa.Answer(form.Get(robokassa.FieldInvID))))
	}
}

// answerResultWith sets how messages to ResultURL are answered from now on, "" for what
// Robokassa wants to hear.
func (b *inbox) answerResultWith(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.result = text
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
