package page

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// LiveParam is the parameter that asks for a page's live part as server-sent events instead
// of the page. Both stand at one address, so that a link, a proxy or a prefix that reaches
// the page reaches its events as well.
const LiveParam = "live"

const (
	livePing  = 15 * time.Second // between signs of life on a quiet stream
	liveWrite = 10 * time.Second // a reader who takes longer for one message is gone
)

// Live answers r with server-sent events, each of which is what part returns: once at once,
// and again after changed has fired, at most once per every. A part that equals the one sent
// last is not sent. Whatever happens between the page and its first event, or while the
// connection is lost, is therefore made good by the next event, and a thousand changes a
// second cost no more than one.
//
// It returns when the reader leaves or the server closes (through r's context), with part's
// error if that is the reason, and nil otherwise.
func Live(w http.ResponseWriter, r *http.Request, every time.Duration, changed <-chan struct{}, part func() ([]byte, error)) error {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep the events to itself
	out := http.NewResponseController(w)
	defer func() { _ = out.SetWriteDeadline(time.Time{}) }() // the connection may go on

	var last []byte
	ping := time.NewTicker(livePing)
	defer ping.Stop()
	for {
		message := []byte(":\n\n")
		fresh, err := part()
		if err != nil {
			return err
		}
		if last == nil || !bytes.Equal(fresh, last) {
			last, message = fresh, event(fresh)
		}
		// The deadline is refused by writers that know none, as those of tests.
		_ = out.SetWriteDeadline(time.Now().Add(liveWrite))
		if _, err := w.Write(message); err != nil {
			return nil
		}
		if err := out.Flush(); err != nil {
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-time.After(every):
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-changed:
		case <-ping.C:
		}
	}
}

// newlines makes every line end what a server-sent event takes for one.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// event writes one nameless server-sent event.
func event(data []byte) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(newlines.Replace(string(data))) {
		b.WriteString("data: ")
		b.WriteString(strings.TrimSuffix(line, "\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}
