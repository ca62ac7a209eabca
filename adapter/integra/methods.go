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
	return askPartner[string](ctx, c, integra.Hello, c.cfg.Partner.Hash, integra.HelloArgs{Name: name})
}

// CreateUser registers a user and returns the crypt key, which the platform shows only this
// once. Like all methods that return an error, it returns a *CallError unless the answer was yes.
func (c *Client) CreateUser(ctx context.Context, args integra.CreateUserArgs) (cryptKey string, err error) {
	data, err := askPartner[integra.CreateUserResult](ctx, c, integra.CreateUser, c.cfg.Partner.Hash, args)
	if err == nil && data.CryptKey == "" {
		err = &CallError{integra.CreateUser, unknown("the answer has no crypt key")}
	}
	return data.CryptKey, err
}

// UserData returns the platform's view of a user, the live balance among it.
func (c *Client) UserData(ctx context.Context, user string) (integra.UserData, error) {
	// The hash is the user's and the key the partner's: so it stands in the docs' sample.
	data, err := askPartner[integra.UserData](ctx, c, integra.GetUserData, user, c.asPartner())
	if err == nil && data.Hash != user {
		err = &CallError{integra.GetUserData, unknown(fmt.Sprintf("the answer is about user %q", data.Hash))}
	}
	return data, err
}

// FinSummary returns what the platform booked for a user on a day (whose date counts, not
// its time) and the balance.
func (c *Client) FinSummary(ctx context.Context, user string, day time.Time) (integra.FinSummary, error) {
	cred, err := c.keys.credentials(ctx, user)
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

// asPartner are the arguments of methods that only want to know who asks.
func (c *Client) asPartner() integra.PartnerArgs {
	return integra.PartnerArgs{Partner: c.cfg.Partner.Hash}
}

// ask makes a call whose answer's data is wanted.
func ask[T any](ctx context.Context, c *Client, m integra.Method, cred integra.Credentials, args any) (data T, err error) {
	o := c.call(ctx, m, cred, args, func(r integra.Response) (string, error) { return "", r.Result(&data) })
	if o.Verdict != adapter.Accepted {
		return *new(T), &CallError{m, o}
	}
	return data, nil
}

// askPartner is ask under the partner's key. While that key is being replaced there are two,
// and nobody tells us when the platform changes over. What it refuses as written under a wrong
// key it has not carried out, so the call is made again under the other one, which stays in use
// if it is taken.
func askPartner[T any](ctx context.Context, c *Client, m integra.Method, hash string, args any) (data T, err error) {
	if c.cfg.PreviousKey == "" {
		return ask[T](ctx, c, m, integra.Credentials{Hash: hash, Key: c.cfg.Partner.Key}, args)
	}
	keys := [2]string{c.cfg.Partner.Key, c.cfg.PreviousKey}
	previous := c.previous.Load()
	if previous {
		keys[0], keys[1] = keys[1], keys[0]
	}
	data, err = ask[T](ctx, c, m, integra.Credentials{Hash: hash, Key: keys[0]}, args)
	if !wrongKey(err) {
		return data, err
	}
	again, other := ask[T](ctx, c, m, integra.Credentials{Hash: hash, Key: keys[1]}, args)
	if wrongKey(other) { // then it was not the key, and the first answer says more
		return data, err
	}
	c.previous.Store(!previous)
	return again, other
}

// wrongKey reports whether err is a refusal that may be due to the key: under a wrong one the
// arguments are garbage, which some calls answer as such and others as bad input.
func wrongKey(err error) bool {
	return refusedWith(err, integra.CodePartnerKey) || refusedWith(err, integra.CodeInvalid)
}

// refusedWith reports whether err is the platform's refusal with this code.
func refusedWith(err error, code integra.Code) bool {
	var e *CallError
	return errors.As(err, &e) && e.Verdict == adapter.Refused && e.Code == int(code)
}
