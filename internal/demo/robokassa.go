package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// integraShop is the login of Integra's shop at Robokassa.
const integraShop = "integra"

// byCard tops up by card: the user goes to Robokassa's page and does what action says there.
// The partner is not asked.
func (p *play) byCard(amount, action, want string) func(context.Context) error {
	return func(ctx context.Context) error {
		var pay struct {
			ID     string
			Number string `json:"inv_id"`
			PayURL string `json:"pay_url"`
		}
		err := p.platform.Do(ctx, http.MethodPost, "/integra/users/"+p.user+"/topups", map[string]string{"amount": amount, "via": "robokassa"}, &pay)
		if err != nil {
			return err
		}
		if _, err := p.platform.Fetch(ctx, http.MethodGet, pay.PayURL); err != nil {
			return err
		}
		if err := p.platform.Do(ctx, http.MethodPost, "/robokassa/operations/"+pay.Number+"/"+action, map[string]string{"shop": integraShop}, nil); err != nil {
			return err
		}
		now, err := p.platform.Payment(ctx, pay.ID)
		if want == "confirmed" && err == nil {
			now, err = p.platform.Settled(ctx, pay.ID)
		}
		if err != nil {
			return err
		}
		if now.State != want {
			return fmt.Errorf("top-up of %s by card is %s, not %s", amount, now.State, want)
		}
		at, err := p.platform.User(ctx, p.user)
		p.after = fmt.Sprintf("  the payment is %s, the balance at Integra %s RUB; the partner was told nothing", now.State, at.Balance)
		return err
	}
}

// robokassa says who told what to whom in an exchange with Robokassa.
func robokassa(method, direction, args, request string) (from, to, what string) {
	if direction != "out" {
		return "User", "Robokassa", args
	}
	_, body, _ := strings.Cut(request, "\r\n\r\n")
	if f, err := url.ParseQuery(body); err == nil && method == "ResultURL" {
		what = fmt.Sprintf("OutSum=%s InvId=%s SignatureValue=%.8s…", f.Get("OutSum"), f.Get("InvId"), f.Get("SignatureValue"))
	}
	return "Robokassa", "Integra", what
}
