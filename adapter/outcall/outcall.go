// Package outcall carries one request to a platform and brings back its answer, or what can be
// known of what became of the request. It never repeats one: repeats belong to the schedule of
// whatever the call is for, which is durable.
package outcall

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/go-resty/resty/v2"
)

// ErrNotSent says that a request cannot have reached the platform, for want of a connection.
// After any other error it may have, in part or whole, and have been carried out.
var ErrNotSent = errors.New("no connection")

// Config is how calls are made; zero fields take the defaults.
type Config struct {
	Timeout     time.Duration // of one call, from looking for a connection to the last byte; 5 s
	DialTimeout time.Duration // for a connection, and again for TLS; 2 s
	Connections int           // kept open while idle, as many as calls run at once; 64
	MaxAnswer   int           // bytes of an answer that are read; 1 MiB
	TLS         *tls.Config   // authorities and a certificate of our own; the system's authorities and none
}

// A Caller makes calls. It is safe for concurrent use.
type Caller struct {
	cfg  Config
	http *resty.Client
}

// keepAlive is how long an idle connection is kept: less than the 5 s after which Apache, and
// who knows what stands before the platform, closes it. A call that meets a connection just
// as it is closed has an unknown outcome, although nothing happened.
const keepAlive = 4 * time.Second

// New returns a caller. Its error names the setting at fault.
func New(cfg Config) (*Caller, error) {
	if cfg.Timeout < 0 || cfg.DialTimeout < 0 || cfg.Connections < 0 || cfg.MaxAnswer < 0 {
		return nil, errors.New("a limit of calls is negative")
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Second)
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, 2*time.Second)
	cfg.Connections = cmp.Or(cfg.Connections, 64)
	cfg.MaxAnswer = cmp.Or(cfg.MaxAnswer, 1<<20)
	client := resty.NewWithClient(&http.Client{Transport: pool(cfg)}).
		SetLogger(silent{}).
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a call that moves money goes where it was sent
		})).
		SetDoNotParseResponse(true). // read reads it, bounded
		SetContentLength(true).      // or a call without a body goes out in chunks, which not every server takes
		SetHeaders(map[string]string{
			"User-Agent":   "partnerkit-adapter",
			"Content-Type": "application/json", // also without a body, as Integra's official client
			"Accept":       "application/json",
		})
	return &Caller{cfg: cfg, http: client}, nil
}

// pool returns the one pool of connections. HTTP/1.1 alone: HTTP/2 replays requests by rules
// of its own.
func pool(cfg Config) *http.Transport {
	secure := cfg.TLS.Clone()
	if secure == nil {
		secure = &tls.Config{} // #nosec G402 -- its least version follows
	}
	secure.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
	secure.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	var onlyHTTP1 http.Protocols
	onlyHTTP1.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: cfg.DialTimeout}).DialContext,
		TLSHandshakeTimeout: cfg.DialTimeout,
		TLSClientConfig:     secure,
		Protocols:           &onlyHTTP1,
		MaxIdleConns:        cfg.Connections,
		MaxIdleConnsPerHost: cfg.Connections,
		IdleConnTimeout:     keepAlive,
		DisableCompression:  true, // answers are short, and what they unpack to need not be bounded
	}
}

// silent is resty's logger: what it would say holds addresses, and they can hold secrets.
type silent struct{}

// Errorf is part of resty.Logger.
func (silent) Errorf(string, ...any) {}

// Warnf is part of resty.Logger.
func (silent) Warnf(string, ...any) {}

// Debugf is part of resty.Logger.
func (silent) Debugf(string, ...any) {}

// HTTP is the client underneath, for whoever needs another transport there: tests.
func (c *Caller) HTTP() *http.Client { return c.http.GetClient() }

// Close closes idle connections.
func (c *Caller) Close() { c.HTTP().CloseIdleConnections() }

// An Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Post sends body, which may be nil, and returns the answer, whatever its status. Always POST:
// net/http silently repeats a GET whose kept-alive connection breaks; a POST it repeats only if
// no byte of it was written, or if it has an Idempotency-Key. The error wraps ErrNotSent, or the outcome is unknown; its text
// holds no address.
func (c *Caller) Post(ctx context.Context, address string, header map[string]string, body []byte) (Answer, error) {
	return c.send(ctx, http.MethodPost, address, header, body)
}

// Get is Post for what only asks: it may be repeated without harm, as net/http does.
func (c *Caller) Get(ctx context.Context, address string, header map[string]string) (Answer, error) {
	return c.send(ctx, http.MethodGet, address, header, nil)
}

func (c *Caller) send(ctx context.Context, method, address string, header map[string]string, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	s := sending{replayed: header["Idempotency-Key"] != ""}
	request := c.http.R().SetContext(s.watch(ctx)).SetHeaders(header)
	if body != nil {
		request.SetBody(body)
	}
	answer, err := request.Execute(method, address)
	switch {
	case err != nil && !s.possible():
		return Answer{}, fmt.Errorf("%w: %s", ErrNotSent, Clean(reason(err)))
	case err != nil:
		return Answer{}, errors.New(Clean(reason(err)))
	}
	got, err := c.read(answer.RawResponse)
	if err != nil {
		return Answer{}, errors.New(Clean(reason(err)))
	}
	return Answer{Status: answer.StatusCode(), Header: answer.Header(), Body: got}, nil
}

// read returns the body of an answer that is whole and within the limit.
func (c *Caller) read(r *http.Response) ([]byte, error) {
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(c.cfg.MaxAnswer)+1))
	if err == nil && len(body) > c.cfg.MaxAnswer {
		err = fmt.Errorf("the answer is longer than %d bytes", c.cfg.MaxAnswer)
	}
	return body, err
}

// sending watches whether a request may have been written. WroteHeaders is what one would
// look at, but another goroutine calls it, and nothing promises that it has done so by the
// time a call is given up. GotConn comes before any writing, in the caller's own goroutine,
// so without it nothing was written. A second GetConn means that net/http starts over, which
// with a POST it does only after having written nothing, unless it has an Idempotency-Key: that
// it takes for leave to send it again.
type sending struct {
	connected atomic.Bool
	replayed  bool
}

func (s *sending) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { s.connected.CompareAndSwap(true, s.replayed) },
		GotConn: func(httptrace.GotConnInfo) { s.connected.Store(true) },
	})
}

// possible reports whether the request may have reached the platform, in part or whole.
func (s *sending) possible() bool { return s.connected.Load() }

// reason is an error's text without the address.
func reason(err error) string {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was complete"
	}
	return err.Error()
}

// Clean makes a text from outside fit to be stored and shown: valid UTF-8, at most 300 characters,
// and none that cannot be seen, such as those that control a terminal or turn what follows around.
func Clean(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > 300 {
			return -1
		}
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, s)
}
