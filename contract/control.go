package contract

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// control is the control API of a stand-in. What it says no to is an error.
type control struct {
	url    string
	client *resty.Client
}

func newControl(address string) *control {
	client := resty.New().SetBaseURL(strings.TrimRight(address, "/")).SetTimeout(2 * time.Minute).SetDoNotParseResponse(true)
	client.SetTransport(&http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute})
	return &control{url: address, client: client}
}

// close releases the connections.
func (c *control) close() { c.client.GetClient().CloseIdleConnections() }

// do makes one call; body and into may be nil.
func (c *control) do(ctx context.Context, method, path string, body, into any) error {
	r := c.client.R().SetContext(ctx)
	if body != nil {
		r.SetBody(body)
	}
	res, err := r.Execute(method, path)
	if err != nil {
		return errorf("control API %s: %w", c.url, err)
	}
	defer func() { _ = res.RawBody().Close() }()
	out, err := io.ReadAll(io.LimitReader(res.RawBody(), maxJournal+1))
	switch {
	case err != nil:
		return errorf("control API: %s %s: %w", method, path, err)
	case len(out) > maxJournal:
		return errorf("control API: %s %s: the answer is longer than 64 MiB", method, path)
	case res.IsError():
		return &controlError{method, path, res.StatusCode(), oneLine(string(out), 400)}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(out, into); err != nil {
		return errorf("control API: %s %s: %w", method, path, err)
	}
	return nil
}

// maxJournal bounds an answer of the control API; a whole journal is a large one.
const maxJournal = 64 << 20

// controlError is a refusal of the control API.
type controlError struct {
	method, path string
	status       int
	text         string
}

func (e *controlError) Error() string { return e.said().En }

func (e *controlError) said() Text {
	return say("control API: %s %s: %d: %s", e.method, e.path, e.status, e.text)
}

// platformUser is a user as the platform sees them.
type platformUser struct {
	Hash     string `json:"hash"`
	Login    string `json:"login"`
	Balance  string `json:"balance"`
	Payments []platformPayment
}

// platformPayment is a payment as the platform sees it.
type platformPayment struct {
	ID       string `json:"id"`
	Number   string `json:"number"`
	Kind     string `json:"kind"`
	User     string `json:"user"`
	Amount   string `json:"amount"`
	Credited string `json:"credited"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Expired  bool   `json:"expired"`
	Invoice  string `json:"inv_id"`  // at Robokassa
	PayURL   string `json:"pay_url"` // of Robokassa's page
	Attempts []struct {
		Number int    `json:"number"`
		Copy   bool   `json:"copy"`
		TookMS int64  `json:"took_ms"`
		Status int    `json:"status"`
		Error  string `json:"error"`
	} `json:"attempts"`
}

// partner makes a partner known.
func (c *control) partner(ctx context.Context, p Partner) error {
	return c.do(ctx, http.MethodPut, "/integra/partners/"+p.Hash, map[string]string{"key": p.Key, "path": p.Path, "cipher": p.cipher()}, nil)
}

func (c *control) user(ctx context.Context, hash string) (u platformUser, err error) {
	return u, c.do(ctx, http.MethodGet, "/integra/users/"+url.PathEscape(hash), nil, &u)
}

func (c *control) payment(ctx context.Context, id string) (p platformPayment, err error) {
	return p, c.do(ctx, http.MethodGet, "/integra/payments/"+url.PathEscape(id), nil, &p)
}

func (c *control) topUp(ctx context.Context, hash, amount, via string) (p platformPayment, err error) {
	return p, c.do(ctx, http.MethodPost, "/integra/users/"+url.PathEscape(hash)+"/topups", map[string]string{"amount": amount, "via": via}, &p)
}

// payByCard opens the page to which a top-up by Robokassa leads, and pays there.
func (c *control) payByCard(ctx context.Context, p platformPayment) error {
	page, err := url.Parse(p.PayURL)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.PayURL, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	shop := map[string]string{"shop": page.Query().Get("MerchantLogin")}
	return c.do(ctx, http.MethodPost, "/robokassa/operations/"+url.PathEscape(p.Invoice)+"/pay", shop, nil)
}

// advance moves the platform's time on and runs all that falls due.
func (c *control) advance(ctx context.Context, d time.Duration) error {
	return c.do(ctx, http.MethodPost, "/clock/advance", map[string]int64{"ms": d.Milliseconds()}, nil)
}

func (c *control) settings(ctx context.Context, integra map[string]any) error {
	return c.do(ctx, http.MethodPatch, "/settings", map[string]any{"integra": integra}, nil)
}

// entry is an exchange in the stand-in's journal.
type entry struct {
	Seq       uint64 `json:"seq"`
	Protocol  string `json:"protocol"`
	Method    string `json:"method"`
	Direction string `json:"direction"` // as the stand-in sees it: in is a call of the adapter
	User      string `json:"user"`
	Payment   string `json:"payment"`
	Attempt   int    `json:"attempt"`
	RealMS    int64  `json:"real_ms"`
	TookUS    int64  `json:"took_us"`
	Status    int    `json:"status"`
	Request   string `json:"request"`
	Response  string `json:"response"`
	Args      string `json:"args"`
	Fault     string `json:"fault"`
	Verdict   struct {
		OK     bool   `json:"ok"`
		Check  string `json:"check"`
		Code   int    `json:"code"`
		Detail string `json:"detail"`
	} `json:"verdict"`
}

// arg is an argument of the call, "" if it has none of the name.
func (e *entry) arg(name string) string {
	var args map[string]any
	decoder := json.NewDecoder(strings.NewReader(e.Args))
	decoder.UseNumber()
	if decoder.Decode(&args) != nil || args[name] == nil {
		return ""
	}
	return fmt.Sprint(args[name])
}

// journal returns the exchanges about a user, the oldest first.
func (c *control) journal(ctx context.Context, user string) ([]entry, error) {
	var answer struct{ Exchanges []entry }
	return answer.Exchanges, c.do(ctx, http.MethodGet, "/journal?protocol=integra&user="+url.QueryEscape(user), nil, &answer)
}

// newest is the number of the newest exchange of the partner's; 0 where there is none.
func (c *control) newest(ctx context.Context) (seq uint64, err error) {
	var answer struct{ Exchanges []entry }
	err = c.do(ctx, http.MethodGet, "/journal?protocol=integra&limit=1", nil, &answer)
	for i := range answer.Exchanges {
		seq = answer.Exchanges[i].Seq
	}
	return seq, err
}
