package recorder

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// errCutOff is the end of an exchange whose answer did not come to its end.
var errCutOff = errors.New("the answer was cut off")

// passing is one exchange on its way through.
type passing struct {
	r            *Recorder
	direction    string
	host, scheme string // of whom it is passed to
	began        time.Time
	request      *http.Request // as it came
	sent, got    seen          // bodies

	mu       sync.Mutex
	response *http.Response
	ended    bool
}

type passingKey struct{}

func passingOf(req *http.Request) *passing { return req.Context().Value(passingKey{}).(*passing) }

// answered takes note of the answer, and watches its body for the end of the exchange.
func (p *passing) answered(res *http.Response) {
	p.mu.Lock()
	p.response = res
	p.mu.Unlock()
	if res.StatusCode == http.StatusSwitchingProtocols || res.Body == http.NoBody { // the header is all
		p.end(nil)
		return
	}
	res.Body = &copied{ReadCloser: res.Body, into: &p.got, atEnd: func() { p.end(nil) }}
}

// end writes the exchange, once.
func (p *passing) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	x := p.exchange(err)
	if err := p.r.file.add(x); err != nil {
		p.r.log.Error("not recorded", "method", x.Method, "err", err)
		return
	}
	p.r.log.Info("recorded", "seq", x.Seq, "protocol", x.Protocol, "method", x.Method, "direction", x.Direction, "status", x.Status, "took", time.Duration(x.TookUS)*time.Microsecond)
}

// exchange is the line. It wants mu held.
func (p *passing) exchange(err error) *recording.Exchange {
	x := &recording.Exchange{
		Direction: p.direction, RealMS: p.began.UnixMilli(), TookUS: time.Since(p.began).Microseconds(),
	}
	body, whyNoRequest := p.sent.text(p.request.Header)
	var header http.Header
	var answer []byte
	var whyNoAnswer string
	if p.response != nil && err == nil {
		header = p.response.Header
		answer, whyNoAnswer = p.got.text(header)
		x.Status = p.response.StatusCode
	}
	p.r.keys.understand(x, p.request, body, x.Status, answer)
	if err != nil {
		x.Verdict = recording.Verdict{Detail: "no answer: " + reason(p.request.Context(), err)}
	}
	s := newScrubber(p.r.keys.known())
	var left []string
	keep := func(what string, body []byte, kind, why string) []byte {
		kept, whyNot := maskBody(body, kind)
		if why == "" {
			why = whyNot
		}
		if why != "" {
			left, kept = append(left, what+": "+why), ""
		}
		return []byte(kept)
	}
	passed := *p.request // as it was passed on
	passed.Host, passed.Header = p.host, maskHeaders(p.request.Header)
	path, query, hasQuery := strings.Cut(p.request.RequestURI, "?")
	passed.RequestURI = masked(path)
	if hasQuery {
		passed.RequestURI += "?" + masked(maskForm(query))
	}
	x.Request = s.clean(string(journal.RawRequest(&passed, keep("request", body, p.request.Header.Get("Content-Type"), whyNoRequest))))
	if x.Status != 0 {
		x.Response = s.clean(string(journal.RawResponse(p.response.Proto, x.Status, maskHeaders(header), keep("response", answer, header.Get("Content-Type"), whyNoAnswer))))
	}
	if clean, isJSON := maskJSON(x.Args); isJSON {
		x.Args = s.clean(clean)
	} else {
		x.Args = ""
	}
	if x.Args == "" {
		x.Sealed = nil
	}
	for _, text := range []*string{&x.Verdict.Detail, &x.Method, &x.Partner, &x.User, &x.Payment} {
		*text = s.clean(masked(*text))
	}
	x.LeftOut = s.clean(strings.Join(left, "; "))
	return x
}

// reason is why there is no answer, without addresses.
func reason(ctx context.Context, err error) string {
	if errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return "the caller hung up"
	}
	return journal.Reason(err)
}

// seen is what of a body has passed, up to MaxBody and a byte.
type seen struct {
	mu   sync.Mutex
	body []byte
	size int64
}

func (s *seen) add(part []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size += int64(len(part))
	s.body = append(s.body, part[:min(len(part), MaxBody+1-len(s.body))]...)
}

// text is the body unpacked, or why it is not kept.
func (s *seen) text(header http.Header) (body []byte, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.body) > MaxBody {
		return nil, tooLong(s.size)
	}
	var unpacked io.Reader
	var err error
	switch packed := strings.ToLower(header.Get("Content-Encoding")); packed {
	case "", "identity":
		return bytes.Clone(s.body), ""
	case "gzip", "x-gzip":
		unpacked, err = gzip.NewReader(bytes.NewReader(s.body))
	case "deflate":
		unpacked, err = zlib.NewReader(bytes.NewReader(s.body))
	default:
		return nil, "packed as " + headerValue(packed)
	}
	if len(s.body) == 0 {
		return nil, ""
	}
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(unpacked, MaxBody+1))
	}
	switch {
	case err != nil:
		return nil, "packed, and cannot be unpacked"
	case len(body) > MaxBody:
		return nil, tooLong(int64(len(body)))
	}
	return body, ""
}

// copied is a body of which everything that is read is seen.
type copied struct {
	io.ReadCloser
	into  *seen
	atEnd func() // may be nil; called before the reader learns of the end
}

// Read reads on, and sees it.
func (c *copied) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.into.add(b[:n])
	if errors.Is(err, io.EOF) && c.atEnd != nil {
		c.atEnd()
	}
	return n, err
}
