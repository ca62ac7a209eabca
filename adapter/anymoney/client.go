// Package anymoney is the partner's half of Any.Money: it creates payins there, finds out what
// became of them, and takes the platform's callbacks.
//
// payin.create is not idempotent at the platform. So the intent is stored before the call, the
// call is made once, and when its outcome is unknown (a time-out, a reset, an answer that proves
// nothing, or the death of the process) payin.get on the externalid says whether there is an
// order. Only when it says that there is none may the create be made again.
//
// A callback is believed if it is signed, fresh, and of the order that we know by its number;
// else it is a reason to ask. Statuses never go back, and a final one never changes.
package anymoney

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// ClientConfig is how a client reaches the platform; zero fields take the defaults.
type ClientConfig struct {
	URL      string        // where calls go, such as "https://api.any.money/"; required
	Merchant string        // lid of the merchant; required
	Key      wire.Key      // its API key; required
	Window   time.Duration // how old an answer may be; 60 s, the platform's own for requests
	// Unsigned takes answers for what they say, whatever their signature. TLS still vouches for
	// them. It is for a platform that signs answers otherwise than §3.4 supposes.
	Unsigned bool

	Timeout     time.Duration    // of one call; 5 s
	Connections int              // kept open while idle; 8
	Now         func() time.Time // time.Now
	Watch       outcall.Watch    // surrounds every call; its clock is Now
}

// A Client calls the platform's methods, each once. It is safe for concurrent use.
type Client struct {
	cfg    ClientConfig
	caller *outcall.Caller
	calls  atomic.Int64 // the id of the last request
}

// NewClient returns a client. Its error wraps adapter.ErrInvalid and names every setting at fault.
func NewClient(cfg ClientConfig) (*Client, error) {
	cfg.Window = cmp.Or(cfg.Window, time.Minute)
	cfg.Connections = cmp.Or(cfg.Connections, 8)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Watch.Now = cfg.Now
	var faults []error
	if u, err := url.Parse(cfg.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		faults = append(faults, errors.New("the platform's address must be like https://api.any.money/"))
	}
	if cfg.Merchant == "" {
		faults = append(faults, errors.New("merchant is empty"))
	}
	if cfg.Key == "" {
		faults = append(faults, errors.New("key is empty"))
	}
	if cfg.Window < 0 {
		faults = append(faults, errors.New("window is negative"))
	}
	caller, err := outcall.New(outcall.Config{Timeout: cfg.Timeout, Connections: cfg.Connections})
	if err = errors.Join(append(faults, err)...); err != nil {
		return nil, fmt.Errorf("%w: %w", adapter.ErrInvalid, err)
	}
	return &Client{cfg: cfg, caller: caller}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.caller.Close() }

// Merchant is the lid that the client calls as.
func (c *Client) Merchant() string { return c.cfg.Merchant }

// Create makes the order of a payin. code is its cheque, "" for none.
func (c *Client) Create(ctx context.Context, p adapter.Payin, code string) adapter.PayinAnswer {
	return c.order(ctx, wire.MethodPayinCreate, p.ExternalID, wire.CreateParams{
		Amount: wire.Amount(p.Amount.Short()), ExternalID: p.ExternalID, InCurr: p.Amount.Currency().Code(), OutCurr: p.OutCurr,
		Payway: p.Payway, CallbackURL: p.CallbackURL, Code: code, Payer: p.Payer, Contact: p.Contact,
	}.Object())
}

// Get asks for an order.
func (c *Client) Get(ctx context.Context, externalID string) adapter.PayinAnswer {
	return c.order(ctx, wire.MethodPayinGet, externalID, wire.GetParams{ExternalID: externalID}.Object())
}

// order makes a call whose result is the order of that name.
func (c *Client) order(ctx context.Context, m wire.Method, externalID string, params wire.Object) adapter.PayinAnswer {
	var a adapter.PayinAnswer
	refusal := c.call(ctx, m, params, &a.Outcome, func(result wire.Object, at time.Time) error {
		o, err := wire.ReadOrder(result)
		if err == nil && o.ExternalID != externalID {
			err = fmt.Errorf("the answer is about order %.60q", o.ExternalID)
		}
		if err == nil {
			a.Order, err = readOrder(o, c.cfg.Merchant, at)
		}
		return err
	})
	if refusal != nil && a.Verdict == adapter.Refused {
		a.Taken = m == wire.MethodPayinCreate && refusal.Code == wire.CodeUnique
		a.NotFound = m == wire.MethodPayinGet && refusal.Code == wire.CodeNotFound
	}
	return a
}

// Calc asks what an order would cost and bring; outCurr may be empty. The error is a
// *adapter.Refusal, or wraps adapter.ErrInvalid, which names the field, or adapter.ErrUnanswered.
func (c *Client) Calc(ctx context.Context, amount, inCurr, outCurr, payway string) (q adapter.PayinQuote, err error) {
	sum, err := adapter.PayinAmount(amount, inCurr)
	if err != nil {
		return q, err
	}
	params := wire.CalcParams{Amount: wire.Amount(sum.Short()), InCurr: inCurr, OutCurr: outCurr, Payway: payway}
	if outCurr == "" {
		outCurr = inCurr
	}
	err = c.ask(ctx, wire.MethodPayinCalc, params.Object(), func(result wire.Object) error {
		r, err := wire.ReadCalculation(result)
		if err != nil {
			return err
		}
		s, err := readSums(r.Sums, inCurr, outCurr)
		q = adapter.PayinQuote{
			In: s.in, InFee: s.inFee, Out: s.out, OutFee: s.outFee, Account: s.account,
			RateIn: string(r.Rate[0]), RateOut: string(r.Rate[1]),
		}
		return err
	})
	return q, err
}

// Balances asks what the merchant has there, by currency; of one currency if curr is not empty.
// Its errors are those of Calc.
func (c *Client) Balances(ctx context.Context, curr string) (balances map[string]string, err error) {
	err = c.ask(ctx, wire.MethodBalance, wire.BalanceParams{Curr: curr}.Object(), func(result wire.Object) error {
		b, err := wire.ReadBalances(result)
		balances = make(map[string]string, len(b))
		for currency, amount := range b {
			balances[currency] = string(amount)
		}
		return err
	})
	return balances, err
}

// ask makes a call that changes nothing, so that all there is to know is its result or an error.
func (c *Client) ask(ctx context.Context, m wire.Method, params wire.Object, read func(wire.Object) error) error {
	var o adapter.Outcome
	refusal := c.call(ctx, m, params, &o, func(result wire.Object, _ time.Time) error { return read(result) })
	switch o.Verdict {
	case adapter.Accepted:
		return nil
	case adapter.Refused:
		return &adapter.Refusal{Code: int(refusal.Code), Message: refusal.Message, Field: outcall.Clean(refusal.Field()), Reason: outcall.Clean(refusal.Reason())}
	}
	return fmt.Errorf("%w: %s: %s", adapter.ErrUnanswered, m, o.Detail)
}

// call makes one call and says what is known of it. The result of a success is handed to read,
// with the platform's time; its error says that the answer is to some other question, so that
// the outcome is unknown. The platform's refusal, if that is what came, is returned too. A call
// that is not made, since the platform is left alone, was not sent.
func (c *Client) call(ctx context.Context, m wire.Method, params wire.Object, o *adapter.Outcome, read func(wire.Object, time.Time) error) *wire.Error {
	var refusal *wire.Error
	*o = c.cfg.Watch.Call(ctx, string(m), func(ctx context.Context) (o adapter.Outcome) {
		var err error
		refusal, err = c.exchange(ctx, m, params, read)
		switch {
		case err == nil && refusal == nil:
			o.Verdict = adapter.Accepted
		case errors.Is(err, outcall.ErrNotSent):
			o.Verdict, o.Detail = adapter.NotSent, err.Error()
		case err != nil:
			o.Verdict, o.Detail = adapter.Unknown, err.Error()
		default:
			o.Verdict, o.Code = verdict(refusal.Code), int(refusal.Code)
			o.Detail = refusal.Message
			for _, more := range []string{refusal.Field(), refusal.Reason()} {
				if more != "" {
					o.Detail += ": " + more
				}
			}
		}
		return o
	})
	if o.Verdict == adapter.Held {
		o.Verdict = adapter.NotSent
	}
	return refusal
}

// Room is how many calls may be made now; negative for any number.
func (c *Client) Room() int { return c.cfg.Watch.Breaker.Room() }

// verdict tells a refusal of what was asked from one of how it was asked: a clock that is off
// or a key that was changed must not decide about anybody's payment, so nothing was asked yet.
// A code that nobody has heard of may mean anything, also that half of it was done.
func verdict(code wire.Code) adapter.Verdict {
	if code.Message() == "" {
		return adapter.Unknown
	}
	switch code {
	case wire.CodeInternal:
		return adapter.Unknown
	case wire.CodeParse, wire.CodeInvalidRequest, wire.CodeMethodNotFound, wire.CodeHeadersInvalid, wire.CodeMerchantInvalid,
		wire.CodeSignInvalid, wire.CodeRequestWindow:
		return adapter.NotSent
	}
	return adapter.Refused
}

// exchange sends a request and reads the answer: nothing, a refusal, or an error after which
// the outcome is unknown, unless it wraps outcall.ErrNotSent.
func (c *Client) exchange(ctx context.Context, m wire.Method, params wire.Object, read func(wire.Object, time.Time) error) (*wire.Error, error) {
	id := wire.Text(strconv.FormatInt(c.calls.Add(1), 10))
	now := strconv.FormatInt(c.cfg.Now().UnixMilli(), 10)
	answer, err := c.caller.Post(ctx, c.cfg.URL, map[string]string{
		wire.HeaderMerchant:  c.cfg.Merchant,
		wire.HeaderUTCNowMS:  now,
		wire.HeaderSignature: c.cfg.Key.Sign(params, now),
	}, wire.Request{Method: m, Params: params, ID: id}.Encode())
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d", answer.Status)
	}
	r, err := wire.ParseResponse(answer.Body, id)
	if err != nil {
		return nil, err
	}
	at, err := c.vouched(answer.Header, r)
	switch {
	case err != nil && r.Err != nil:
		return nil, fmt.Errorf("%w: %w", err, r.Err)
	case err != nil:
		return nil, err
	case r.Err != nil:
		return r.Err, nil
	}
	return nil, read(r.Result, at)
}

// vouched checks what an answer's signature says of it and returns the platform's time.
func (c *Client) vouched(h http.Header, r wire.Response) (time.Time, error) {
	now := c.cfg.Now()
	sent := h.Get(wire.HeaderUTCNowMS)
	ms, err := strconv.ParseInt(sent, 10, 64)
	at := time.UnixMilli(ms).UTC()
	switch {
	case c.cfg.Unsigned && err != nil:
		return now.UTC().Truncate(time.Millisecond), nil
	case c.cfg.Unsigned:
		return at, nil
	case h.Get(wire.HeaderSignature) == "":
		return at, errors.New("the answer is not signed")
	case c.cfg.Key.Verify(r.Signed(), sent, h.Get(wire.HeaderSignature)) != nil:
		return at, errors.New("the answer's signature is wrong")
	case err != nil:
		return at, errors.New("the answer's time is no number")
	case now.Sub(at).Abs() > c.cfg.Window:
		return at, fmt.Errorf("the answer is from %s: too far from now", at.Format(time.RFC3339))
	}
	return at, nil
}
