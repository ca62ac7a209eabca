package traffic

import (
	"bytes"
	"net/http"

	"github.com/partnerkit/partnerkit/mockplatform/fault"
)

// A Capture is a ResponseWriter that keeps a page until faults and the journal have had it.
// The zero Capture is empty.
type Capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the headers to be sent.
func (c *Capture) Header() http.Header {
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}

// WriteHeader keeps the first status.
func (c *Capture) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
}

// Write appends to the page.
func (c *Capture) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(b)
}

// Answer returns what was written.
func (c *Capture) Answer() *fault.Answer {
	c.WriteHeader(http.StatusOK)
	return &fault.Answer{Status: c.status, Header: c.Header(), Body: c.body.Bytes()}
}
