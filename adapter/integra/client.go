package integra

import (
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

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// ClientConfig is how a client reaches the platform; zero fields take the defaults.
type ClientConfig struct {
	BaseURL     string              // the platform's address, such as "https://api.promopult.org"; required
	PartnerPath string              // such as "partners/acme"; "iframe"
	Partner     integra.Credentials // required
	Cipher      integra.Cipher      // the one that Integra gave the partner; integra.Simple

	Timeout     time.Duration // of one call, from looking for a connection to the last byte; 5 s
	DialTimeout time.Duration // for a connection, and again for TLS; 2 s
	Connections int           // kept open while idle, as many as calls run at once; 64
	MaxAnswer   int           // bytes of an answer that are read; 1 MiB

	// DeclineLink is the page of the partner's panel where a user can add funds; the
	// platform may show it beside the reason of a decline. Optional.
	DeclineLink string

	Now func() time.Time // time.Now
	// Observe is told of every call.
	Observe func(method string, o adapter.Outcome)
}

// A Client calls the platform's methods. It never repeats a call: repeats belong to the
// payment's schedule, which is durable. It is safe for concurrent use.
type Client struct {
	cfg       ClientConfig
	http      *resty.Client
	keys      *keyring
	addresses map[integra.Method]string // up to and including "?k="
}

// keepAlive is how long an idle connection is kept: less than the 5 s after which Apache, and
// who knows what stands before the platform, closes it. A call that meets a connection just
// as it is closed has an unknown outcome, although nothing happened.
const keepAlive = 4 * time.Second

// NewClient returns a client; the keys of users come from users and vault. Its error wraps
// adapter.ErrInvalid and names every setting at fault.
func NewClient(cfg ClientConfig, users UserSource, vault Vault) (*Client, error) {
	setDefault(&cfg.PartnerPath, "iframe")
	setDefault(&cfg.Cipher, integra.Simple)
	setDefault(&cfg.Timeout, 5*time.Second)
	setDefault(&cfg.DialTimeout, 2*time.Second)
	setDefault(&cfg.Connections, 64)
	setDefault(&cfg.MaxAnswer, 1<<20)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, adapter.Outcome) {}
	}
	var faults []error
	addresses := map[integra.Method]string{}
	for _, m := range integra.Methods() {
		address, err := integra.RequestURL(cfg.BaseURL, cfg.PartnerPath, m, "", nil)
		if err != nil {
			faults = append(faults, err)
			break
		}
		addresses[m] = address
	}
	if err := cfg.Partner.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("partner: %w", err))
	}
	if cfg.Timeout < 0 || cfg.DialTimeout < 0 || cfg.Connections < 0 || cfg.MaxAnswer < 0 {
		faults = append(faults, errors.New("a limit is negative"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w: %w", adapter.ErrInvalid, errors.Join(faults...))
	}
	hc := resty.NewWithClient(&http.Client{Transport: transport(cfg)}).
		SetLogger(silent{}).
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a call that moves money goes where it was sent
		})).
		SetDoNotParseResponse(true). // exchange reads the answer, bounded
		SetHeaders(map[string]string{
			"User-Agent":   "partnerkit-adapter",
			"Content-Type": "application/json", // as the official client, although there is no body
			"Accept":       "application/json",
		})
	return &Client{cfg: cfg, http: hc, keys: newKeyring(users, vault, cfg.Now), addresses: addresses}, nil
}

func setDefault[T comparable](v *T, def T) {
	if *v == *new(T) {
		*v = def
	}
}

// transport returns the one pool of connections. HTTP/1.1 alone: HTTP/2 replays requests
// by rules of its own.
func transport(cfg ClientConfig) *http.Transport {
	var onlyHTTP1 http.Protocols
	onlyHTTP1.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: cfg.DialTimeout}).DialContext,
		TLSHandshakeTimeout: cfg.DialTimeout,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		Protocols:           &onlyHTTP1,
		MaxIdleConns:        cfg.Connections,
		MaxIdleConnsPerHost: cfg.Connections,
		IdleConnTimeout:     keepAlive,
		DisableCompression:  true, // answers are short, and what they unpack to need not be bounded
	}
}

// silent is resty's logger: what it would say holds addresses, and they hold k.
type silent struct{}

// Errorf is part of resty.Logger.
func (silent) Errorf(string, ...any) {}

// Warnf is part of resty.Logger.
func (silent) Warnf(string, ...any) {}

// Debugf is part of resty.Logger.
func (silent) Debugf(string, ...any) {}

// Close closes idle connections.
func (c *Client) Close() { c.http.GetClient().CloseIdleConnections() }

// A CallError is a call that was not answered with yes.
type CallError struct {
	Method integra.Method
	adapter.Outcome
}

func (e *CallError) Error() string {
	if e.Verdict == adapter.Refused {
		return fmt.Sprintf("%s: refused with code %d: %s", e.Method, e.Code, e.Detail)
	}
	return fmt.Sprintf("%s: %s: %s", e.Method, e.Verdict, e.Detail)
}

// accept looks into the data of a success. Its detail is worth keeping; an error says that
// the answer is to some other question, so that the outcome is unknown.
type accept func(integra.Response) (detail string, err error)

// call makes one call and says what we know of it. Whatever happens, it is observed.
func (c *Client) call(ctx context.Context, m integra.Method, cred integra.Credentials, args any, check accept) adapter.Outcome {
	began := c.cfg.Now()
	o := c.exchange(ctx, m, cred, args, check)
	o.Took = c.cfg.Now().Sub(began)
	o.Detail = clean(o.Detail)
	c.cfg.Observe(string(m), o)
	return o
}

// exchange sends the request and judges the answer.
func (c *Client) exchange(ctx context.Context, m integra.Method, cred integra.Credentials, args any, check accept) adapter.Outcome {
	k, err := integra.Seal(c.cfg.Cipher, cred, args)
	if err != nil {
		return notSent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var s sending
	// POST, as the official client does, and not only for style: net/http silently repeats a
	// GET whose kept-alive connection breaks. A POST it repeats only if no byte of it was
	// written.
	answer, err := c.http.R().SetContext(s.watch(ctx)).Post(c.addresses[m] + url.QueryEscape(k))
	switch {
	case err != nil && !s.possible():
		return notSent(err)
	case err != nil:
		return unknown(reason(err))
	}
	body, err := c.read(answer.RawResponse)
	if err != nil {
		return unknown(reason(err))
	}
	return judgeAnswer(answer.StatusCode(), body, check)
}

// read returns the body of an answer that is whole and within the limit.
func (c *Client) read(r *http.Response) ([]byte, error) {
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
// with a POST it does only after having written nothing.
type sending struct{ connected atomic.Bool }

func (s *sending) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { s.connected.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { s.connected.Store(true) },
	})
}

// possible reports whether the request may have reached the platform, in part or whole.
func (s *sending) possible() bool { return s.connected.Load() }

// judgeAnswer tells an answer of the platform from everything else that can come back: pages of
// proxies, halves of answers, redirections, failures of the platform after it has committed.
func judgeAnswer(status int, body []byte, check accept) adapter.Outcome {
	if status < 200 || status >= 300 && status < 400 || status >= 500 {
		return unknown(fmt.Sprintf("HTTP status %d", status))
	}
	r, err := integra.ParseResponse(body)
	if err != nil {
		return unknown(fmt.Sprintf("HTTP status %d: %v", status, err))
	}
	var refusal *integra.Refusal
	if errors.As(r.Err(), &refusal) {
		return adapter.Outcome{Verdict: adapter.Refused, Code: int(refusal.Code), Detail: refusal.Message}
	}
	if status >= 400 {
		return unknown(fmt.Sprintf("HTTP status %d contradicts an answer that says ok", status))
	}
	detail, err := check(r)
	if err != nil {
		return unknown(err.Error())
	}
	return adapter.Outcome{Verdict: adapter.Accepted, Detail: detail}
}

func notSent(err error) adapter.Outcome {
	return adapter.Outcome{Verdict: adapter.NotSent, Detail: clean(reason(err))}
}

func unknown(detail string) adapter.Outcome {
	return adapter.Outcome{Verdict: adapter.Unknown, Detail: detail}
}

// reason is an error's text without the address, which holds k.
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

// clean makes a text of the platform's fit to be stored and shown: valid UTF-8, no control
// characters, at most 300 characters.
func clean(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > 300 {
			return -1
		}
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
