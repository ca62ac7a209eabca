package integra

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// Hello asks the platform for a greeting: it shows that address, partner and key are right.
func (c *Client) Hello(ctx context.Context, name string) (greeting string, err error) {
	return ask[string](ctx, c, integra.Hello, c.cfg.Partner, integra.HelloArgs{Name: name})
}

// CreateUser registers a user and returns the crypt key, which the platform shows only this
// once. Like all methods that return an error, it returns a *CallError unless the answer was yes.
func (c *Client) CreateUser(ctx context.Context, args integra.CreateUserArgs) (cryptKey string, err error) {
	data, err := ask[integra.CreateUserResult](ctx, c, integra.CreateUser, c.cfg.Partner, args)
	if err == nil && data.CryptKey == "" {
		err = &CallError{integra.CreateUser, unknown("the answer has no crypt key")}
	}
	return data.CryptKey, err
}

// UserData returns the platform's view of a user, the live balance among it.
func (c *Client) UserData(ctx context.Context, user string) (integra.UserData, error) {
	// The hash is the user's and the key the partner's: so it stands in the docs' sample.
	cred := integra.Credentials{Hash: user, Key: c.cfg.Partner.Key}
	data, err := ask[integra.UserData](ctx, c, integra.GetUserData, cred, integra.PartnerArgs{Partner: c.cfg.Partner.Hash})
	if err == nil && data.Hash != user {
		err = &CallError{integra.GetUserData, unknown(fmt.Sprintf("the answer is about user %q", data.Hash))}
	}
	return data, err
}

// FinSummary returns what the platform booked for a user on a day (whose date counts, not
// its time) and the balance.
func (c *Client) FinSummary(ctx context.Context, user string, day time.Time) (integra.FinSummary, error) {
	cred, _, err := c.keys.user(ctx, user)
	if err != nil {
		return integra.FinSummary{}, &CallError{integra.GetFinSummaryByDate, notSent(err)}
	}
	date := day.Format(time.DateOnly)
	data, err := ask[integra.FinSummary](ctx, c, integra.GetFinSummaryByDate, cred, integra.FinSummaryArgs{Date: date})
	if err == nil && data.Date != date {
		err = &CallError{integra.GetFinSummaryByDate, unknown(fmt.Sprintf("the answer is about the day %q", data.Date))}
	}
	return data, err
}

// ask makes a call whose answer's data is wanted.
func ask[T any](ctx context.Context, c *Client, m integra.Method, cred integra.Credentials, args any) (data T, err error) {
	o := c.call(ctx, m, cred, args, func(r integra.Response) (string, error) { return "", r.Result(&data) })
	if o.Verdict != adapter.Accepted {
		return *new(T), &CallError{m, o}
	}
	return data, nil
}

// refusedWith reports whether err is the platform's refusal with this code.
func refusedWith(err error, code integra.Code) bool {
	var e *CallError
	return errors.As(err, &e) && e.Verdict == adapter.Refused && e.Code == int(code)
}
