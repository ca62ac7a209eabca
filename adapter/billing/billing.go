// Package billing keeps users' funds in the partner's own system, over HTTP, as
// docs/billing.openapi.yaml describes it.
//
// Every move is named by the payment's key, so that it can be repeated: an answer that was
// lost costs another request, never another reservation. The client repeats nothing itself;
// that belongs to the payment's schedule, which is durable.
//
// Believed is only what is unmistakable: a success names the payment and the state it is in,
// a refusal is a JSON object with the code that the contract gives. Everything else, a proxy's
// 404 or an error of the billing itself among it, is an unknown outcome.
package billing

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Config is how the billing is reached; zero fields take the defaults.
type Config struct {
	BaseURL string // such as "https://billing.example.com/partnerkit"; required
	// Token mints the bearer token of one request, named by its idempotency key; required.
	Token       func(id string) (string, error)
	TLS         *tls.Config   // authorities and, for mutual TLS, our certificate; the system's authorities and none
	Timeout     time.Duration // of one request; 5 s
	Connections int           // kept open while idle; 64
	Watch       outcall.Watch // surrounds every request, by the name of its operation
}

// Payments finds the payment that a refund refunds.
type Payments interface {
	PaymentByNum(ctx context.Context, num int64) (adapter.Payment, error)
}

// A Client asks the billing. It is safe for concurrent use.
type Client struct {
	cfg      Config
	caller   *outcall.Caller
	payments Payments
}

// New returns a client. Its error wraps adapter.ErrInvalid and names the setting at fault.
func New(cfg Config, payments Payments) (*Client, error) {
	base, err := url.Parse(cfg.BaseURL)
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("%w: billing: address must be absolute http or https without query", adapter.ErrInvalid)
	case cfg.Token == nil:
		return nil, fmt.Errorf("%w: billing: no tokens", adapter.ErrInvalid)
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	caller, err := outcall.New(outcall.Config{Timeout: cfg.Timeout, Connections: cfg.Connections, MaxAnswer: 64 << 10, TLS: cfg.TLS})
	if err != nil {
		return nil, fmt.Errorf("%w: billing: %w", adapter.ErrInvalid, err)
	}
	return &Client{cfg: cfg, caller: caller, payments: payments}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.caller.Close() }

// HTTP is the client underneath, for tests.
func (c *Client) HTTP() *http.Client { return c.caller.HTTP() }

// Key is the billing's name for a payment.
func Key(p adapter.Payment) string { return p.Key.Platform + "-" + p.Key.ID }

// order is a request to reserve or to refund.
type order struct {
	Key         string `json:"key"`
	User        string `json:"user"`
	Amount      string `json:"amount"` // decimal, in the full precision of the currency
	Currency    string `json:"currency"`
	Reservation string `json:"reservation,omitempty"` // of a refund: the key of what is refunded
}

// standing is what a success says.
type standing struct {
	Key   string `json:"key"`
	State string `json:"state"`
}

// refusal is what a refusal says: an RFC 9457 problem with a code.
type refusal struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// Move asks the billing for a move of a payment, once. It can be repeated.
//
//	accepted  the billing has made the move, now or before
//	refused   it says no, with a code and any 4xx status that does not ask to come again. To a
//	          reservation, adapter.CodeNoFunds and CodeUnknownUser come only with their own codes
//	not sent  the request cannot have reached it
//	held      nothing was asked, since the billing is left alone for a while
//	unknown   anything else
func (c *Client) Move(ctx context.Context, move adapter.Move, p adapter.Payment) adapter.Outcome {
	return c.cfg.Watch.Call(ctx, "billing."+string(move), func(ctx context.Context) adapter.Outcome { return c.move(ctx, move, p) })
}

func (c *Client) move(ctx context.Context, move adapter.Move, p adapter.Payment) adapter.Outcome {
	key := Key(p)
	var (
		path string
		body any
		want string
	)
	switch move {
	case adapter.Reserve:
		path, want = "/reservations", "reserved"
		body = order{Key: key, User: p.User, Amount: p.Amount.Text(), Currency: p.Amount.Currency().Code()}
	case adapter.Capture:
		path, want = "/reservations/"+url.PathEscape(key)+"/capture", "captured"
	case adapter.Release:
		path, want = "/reservations/"+url.PathEscape(key)+"/release", "released"
	case adapter.Restore:
		original, err := c.payments.PaymentByNum(ctx, p.RefundOf)
		if err != nil {
			return adapter.Outcome{Verdict: adapter.NotSent, Detail: err.Error()}
		}
		path, want = "/refunds", "refunded"
		body = order{Key: key, User: p.User, Amount: p.Amount.Text(), Currency: p.Amount.Currency().Code(), Reservation: Key(original)}
	default:
		return adapter.Outcome{Verdict: adapter.NotSent, Detail: fmt.Sprintf("no such move: %q", move)}
	}
	answer, err := c.post(ctx, path, key+"-"+string(move), body)
	switch {
	case errors.Is(err, outcall.ErrNotSent):
		return adapter.Outcome{Verdict: adapter.NotSent, Detail: err.Error()}
	case err != nil:
		return adapter.Outcome{Verdict: adapter.Unknown, Detail: err.Error()}
	}
	return judge(answer, move, key, want)
}

// passing are statuses that say come again, so they are no refusal.
var passing = []int{http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests}

// judge tells the contract's answers from everything else that can come back.
func judge(answer outcall.Answer, move adapter.Move, key, want string) adapter.Outcome {
	unknown := adapter.Outcome{Verdict: adapter.Unknown, Code: answer.Status, Detail: fmt.Sprintf("HTTP status %d", answer.Status)}
	switch {
	case answer.Status == http.StatusOK || answer.Status == http.StatusCreated:
		var s standing
		if err := json.Unmarshal(answer.Body, &s); err != nil {
			unknown.Detail += ": not the JSON that was expected"
			return unknown
		}
		if s.Key != key || s.State != want {
			unknown.Detail += fmt.Sprintf(": it says that %q is %q", s.Key, s.State)
			return unknown
		}
		return adapter.Outcome{Verdict: adapter.Accepted, Code: answer.Status}
	case slices.Contains(passing, answer.Status):
		return unknown
	case answer.Status >= 400 && answer.Status < 500:
		var r refusal
		if json.Unmarshal(answer.Body, &r) != nil || r.Code == "" {
			return unknown
		}
		text := r.Code
		if detail := cmp.Or(r.Detail, r.Title); detail != "" {
			text += ": " + detail
		}
		known := map[int]string{adapter.CodeNoFunds: "not_enough_funds", adapter.CodeUnknownUser: "unknown_user"}[answer.Status]
		if move == adapter.Reserve && known != "" && known != r.Code {
			unknown.Detail += ": " + text
			return unknown // somebody else's answer, perhaps, that must not decline a payment
		}
		return adapter.Outcome{Verdict: adapter.Refused, Code: answer.Status, Detail: text}
	}
	return unknown
}

// Balance is what the billing says a user has; adapter.ErrNotFound if it knows no such user.
func (c *Client) Balance(ctx context.Context, user string, currency money.Currency) (available, reserved money.Amount, err error) {
	header, err := c.header("balance-" + user)
	if err != nil {
		return available, reserved, err
	}
	var answer outcall.Answer
	o := c.cfg.Watch.Call(ctx, "billing.balance", func(ctx context.Context) adapter.Outcome {
		if answer, err = c.caller.Get(ctx, c.cfg.BaseURL+"/users/"+url.PathEscape(user)+"/balance", header); err != nil {
			return adapter.Outcome{Verdict: adapter.Unknown, Detail: err.Error()}
		}
		verdict := adapter.Accepted
		if answer.Status != http.StatusOK && answer.Status != http.StatusNotFound {
			verdict = adapter.Unknown
		}
		return adapter.Outcome{Verdict: verdict, Code: answer.Status}
	})
	var data struct {
		User      string `json:"user"`
		Available string `json:"available"`
		Reserved  string `json:"reserved"`
		Currency  string `json:"currency"`
	}
	var r refusal
	switch {
	case o.Verdict == adapter.Held:
		err = errors.New(o.Detail)
	case answer.Status == http.StatusNotFound && json.Unmarshal(answer.Body, &r) == nil && r.Code == "unknown_user":
		err = adapter.ErrNotFound
	case err != nil:
	case answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &data) != nil || data.User != user || data.Currency != currency.Code():
		err = fmt.Errorf("HTTP status %d with another answer than was expected", answer.Status)
	default:
		if available, err = money.ParseBalance(data.Available, currency); err == nil {
			reserved, err = money.ParseBalance(data.Reserved, currency)
		}
	}
	if err != nil {
		return money.Amount{}, money.Amount{}, fmt.Errorf("billing: balance of user %q: %w", user, err)
	}
	return available, reserved, nil
}

// post sends one request.
func (c *Client) post(ctx context.Context, path, id string, body any) (outcall.Answer, error) {
	header, err := c.header(id)
	if err != nil {
		return outcall.Answer{}, fmt.Errorf("%w: %w", outcall.ErrNotSent, err)
	}
	raw := []byte("{}")
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return outcall.Answer{}, fmt.Errorf("%w: %w", outcall.ErrNotSent, err)
		}
	}
	return c.caller.Post(ctx, c.cfg.BaseURL+path, header, raw)
}

func (c *Client) header(id string) (map[string]string, error) {
	token, err := c.cfg.Token(id)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return map[string]string{"Authorization": "Bearer " + token, "Idempotency-Key": id}, nil
}
