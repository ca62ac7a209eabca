package integra

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// ClientConfig is how a client reaches the platform; zero fields take the defaults.
type ClientConfig struct {
	BaseURL     string              // the platform's address, such as "https://api.promopult.org"; required
	PartnerPath string              // such as "partners/acme"; "iframe"
	Partner     integra.Credentials // required
	PreviousKey string              // the partner's key that Partner.Key replaces, taken while the platform still asks for it; optional
	Cipher      integra.Cipher      // the one that Integra gave the partner; integra.Simple

	Timeout     time.Duration // of one call, from looking for a connection to the last byte; 5 s
	DialTimeout time.Duration // for a connection, and again for TLS; 2 s
	Connections int           // kept open while idle, as many as calls run at once; 64
	MaxAnswer   int           // bytes of an answer that are read; 1 MiB

	Watch outcall.Watch // surrounds every call; its clock is Now

	// DeclineLink is the page of the partner's panel where a user can add funds; the
	// platform may show it beside the reason of a decline. Optional.
	DeclineLink string
	// PanelLink is the address in the partner's panel that shows a screen of the platform's
	// page; {r} stands for the screen. It goes into messages; without it they keep their templates.
	PanelLink string
	Resizer   string // address of the panel's copy of iframeResizer; "/js/iframeResizer.min.js"

	Now func() time.Time // time.Now
}

// A Client calls the platform's methods. It never repeats a call: repeats belong to the
// payment's schedule, which is durable. It is safe for concurrent use.
type Client struct {
	cfg       ClientConfig
	caller    *outcall.Caller
	keys      *keyring
	addresses map[integra.Method]string // up to and including "?k="
	previous  atomic.Bool               // the platform still asks for the partner's previous key
}

// NewClient returns a client; the keys of users come from users and vault. Its error wraps
// adapter.ErrInvalid and names every setting at fault.
func NewClient(cfg ClientConfig, users UserSource, vault Vault) (*Client, error) {
	cfg.PartnerPath = cmp.Or(cfg.PartnerPath, "iframe")
	cfg.Cipher = cmp.Or(cfg.Cipher, integra.Simple)
	cfg.Resizer = cmp.Or(cfg.Resizer, "/js/iframeResizer.min.js")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Watch.Now = cfg.Now
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
	if err := CheckPanelLink(cfg.PanelLink); err != nil {
		faults = append(faults, fmt.Errorf("panel link: %w", err))
	}
	caller, err := outcall.New(outcall.Config{
		Timeout: cfg.Timeout, DialTimeout: cfg.DialTimeout, Connections: cfg.Connections, MaxAnswer: cfg.MaxAnswer,
	})
	if err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w: %w", adapter.ErrInvalid, errors.Join(faults...))
	}
	return &Client{cfg: cfg, caller: caller, keys: newKeyring(users, vault, cfg.Now), addresses: addresses}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.caller.Close() }

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

// Unwrap returns an *adapter.Refusal if the platform said no, and adapter.ErrUnanswered otherwise.
func (e *CallError) Unwrap() error {
	if e.Verdict == adapter.Refused {
		return &adapter.Refusal{Code: e.Code, Message: e.Detail}
	}
	return adapter.ErrUnanswered
}

// accept looks into the data of a success. Its detail is worth keeping; an error says that
// the answer is to some other question, so that the outcome is unknown.
type accept func(integra.Response) (detail string, err error)

// call makes one call, if the platform is not left alone, and says what we know of it.
func (c *Client) call(ctx context.Context, m integra.Method, cred integra.Credentials, args any, check accept) adapter.Outcome {
	return c.cfg.Watch.Call(ctx, string(m), func(ctx context.Context) adapter.Outcome { return c.exchange(ctx, m, cred, args, check) })
}

// exchange sends the request and judges the answer.
func (c *Client) exchange(ctx context.Context, m integra.Method, cred integra.Credentials, args any, check accept) adapter.Outcome {
	args, header, form := body(args)
	k, err := integra.Seal(c.cfg.Cipher, cred, args)
	if err != nil {
		return notSent(err)
	}
	answer, err := c.caller.Post(ctx, c.addresses[m]+url.QueryEscape(k), header, form)
	switch {
	case errors.Is(err, outcall.ErrNotSent):
		return notSent(err)
	case err != nil:
		return unknown(err.Error())
	}
	return judgeAnswer(answer.Status, answer.Body, check)
}

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
	return adapter.Outcome{Verdict: adapter.NotSent, Detail: outcall.Clean(err.Error())}
}

func unknown(detail string) adapter.Outcome {
	return adapter.Outcome{Verdict: adapter.Unknown, Detail: detail}
}
