package stage

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// The partner and the merchant that every stand-in knows from the start. They stand here once more, since this
// package knows the stand-in as everybody outside does: over the wire.
const (
	partnerPath = "partners/acme"
	partnerHash = "c9cb3d6a7f7b802f170ca8a166c1375e"
	partnerKey  = "c4zw42fve9dptsmncamky4xu3fe7e2ta0uufnvblaxsasohbhgw"
	merchant    = "37"
	merchantKey = "mock-api-key-of-merchant-37"
)

// Platform is a running stand-in and its controls.
type Platform struct {
	*Process
	URL         string // platform traffic
	Control     string // control API and pages
	PartnerPath string
	PartnerHash string
	PartnerKey  string
	Merchant    string // at Any.Money; "" leaves that half of an adapter off
	MerchantKey string
	http        *resty.Client
}

// StartPlatform starts the stand-in. args are added to its flags; without addresses among
// them it takes free ports of the loopback interface. tee, if any, gets a copy of its log.
func StartPlatform(ctx context.Context, bin Binaries, tee io.Writer, args ...string) (*Platform, error) {
	args = append([]string{"--log-format", "json", "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"}, args...)
	p, err := start("stand-in", bin.Mockplatform, args, nil, tee)
	if err != nil {
		return nil, err
	}
	ready, err := p.announced(ctx)
	if err != nil {
		return nil, err
	}
	url, _ := ready["platform"].(string)
	control, _ := ready["control"].(string)
	return &Platform{
		Process: p, URL: url, Control: control,
		PartnerPath: partnerPath, PartnerHash: partnerHash, PartnerKey: partnerKey,
		Merchant: merchant, MerchantKey: merchantKey,
		http: resty.New().SetBaseURL(control).SetTimeout(30 * time.Second),
	}, nil
}

// Do makes one call of the control API; body and into may be nil. An answer other than 2xx
// is an error with its text.
func (p *Platform) Do(ctx context.Context, method, path string, body, into any) error {
	r := p.http.R().SetContext(ctx)
	if body != nil {
		r.SetBody(body)
	}
	if into != nil {
		r.SetResult(into)
	}
	res, err := r.Execute(method, path)
	switch {
	case err != nil:
		return fmt.Errorf("control API: %w", err)
	case res.IsError():
		return fmt.Errorf("control API: %s %s: %s: %s", method, path, res.Status(), res.Body())
	}
	return nil
}

// Fetch makes one call of platform traffic and returns the body of an answer 200.
func (p *Platform) Fetch(ctx context.Context, method, address string) ([]byte, error) {
	res, err := p.http.R().SetContext(ctx).Execute(method, address)
	if err != nil {
		return nil, fmt.Errorf("platform: %w", err)
	}
	if res.StatusCode() != http.StatusOK {
		return nil, fmt.Errorf("platform: %s", res.Status())
	}
	return res.Body(), nil
}

// User is what the stand-in knows of a user.
type User struct {
	Hash     string    `json:"hash"`
	Login    string    `json:"login"`
	Balance  string    `json:"balance"`
	Payments []Payment `json:"payments"`
}

// Payment is a payment as the stand-in sees it.
type Payment struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// User asks for a user.
func (p *Platform) User(ctx context.Context, hash string) (u User, err error) {
	return u, p.Do(ctx, http.MethodGet, "/integra/users/"+hash, nil, &u)
}

// TopUp presses "top up" on the user's page: the amount, from the partner's account.
func (p *Platform) TopUp(ctx context.Context, hash, amount string) (pay Payment, err error) {
	return pay, p.Do(ctx, http.MethodPost, "/integra/users/"+hash+"/topups", map[string]string{"amount": amount, "via": "partner"}, &pay)
}

// Payment asks for a payment.
func (p *Platform) Payment(ctx context.Context, id string) (pay Payment, err error) {
	return pay, p.Do(ctx, http.MethodGet, "/integra/payments/"+id, nil, &pay)
}

// Settled waits until a payment is confirmed or declined.
func (p *Platform) Settled(ctx context.Context, id string) (Payment, error) {
	return Until(ctx, func() (Payment, bool, error) {
		pay, err := p.Payment(ctx, id)
		return pay, pay.State == "confirmed" || pay.State == "declined", err
	})
}

// SetOrder gives an order at Any.Money a status, as if the buyer had done something.
func (p *Platform) SetOrder(ctx context.Context, externalID, status string) error {
	return p.Do(ctx, http.MethodPost, "/anymoney/orders/"+externalID+"/status", map[string]string{"merchant": p.Merchant, "status": status}, nil)
}

// Pay presses "pay" on the page of an order at Any.Money that the paylink leads to.
func (p *Platform) Pay(ctx context.Context, paylink string) error {
	page, token, ok := strings.Cut(paylink, "#token=")
	if !ok {
		return fmt.Errorf("platform: paylink %q has no token", paylink)
	}
	res, err := resty.New().SetRedirectPolicy(resty.NoRedirectPolicy()).R().SetContext(ctx).
		SetFormData(map[string]string{"action": "pay"}).Post(page + "order/" + token)
	switch {
	case res != nil && res.StatusCode() == http.StatusSeeOther: // which resty calls an error
		return nil
	case err != nil:
		return fmt.Errorf("platform: page of an order: %w", err)
	}
	return fmt.Errorf("platform: page of an order: %s", res.Status())
}

// Until asks again and again, gently, until the answer is the one waited for or ctx is done.
func Until[T any](ctx context.Context, ask func() (T, bool, error)) (T, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		v, ok, err := ask()
		if err != nil || ok {
			return v, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return v, fmt.Errorf("waited in vain: %w; last answer %+v", ctx.Err(), v)
		}
	}
}
