package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// fees gives Any.Money fees and a limit, so that there is something to see.
func (p *play) fees(ctx context.Context) error {
	const patch = `{"payways":{"visamc":{"in":{
		"RUB":{"tech_min":"10","fee":{"mult":"0.015"}},
		"UAH":{"fee":{"mult":"0.035","add":"2"}}}}}}`
	return p.platform.Do(ctx, http.MethodPatch, "/anymoney/config", []byte(patch), nil)
}

func (p *play) calc(ctx context.Context) error {
	_, err := p.partner.Run(ctx, "payins", "calc", "200", "RUB", "visamc")
	return err
}

// payin is what the demo looks at of a payin.
type payin struct {
	Status, Reason, Credited string
	OutCurr                  string `json:"out_curr"`
	Order                    struct {
		Paylink string
		Account string `json:"account_amount"`
	}
}

// payin makes an order, pays it on the platform's page and waits until the partner knows.
func (p *play) payin(amount, inCurr, outCurr string) func(context.Context) error {
	return func(ctx context.Context) error {
		name := "demo-" + strings.ToLower(inCurr)
		var made payin
		err := p.partner.RunJSON(ctx, &made, "payins", "create", p.user, amount, inCurr, "visamc", "--out-curr", outCurr, "--externalid", name)
		if err != nil {
			return err
		}
		if err := p.platform.Pay(ctx, made.Order.Paylink); err != nil {
			return err
		}
		done, err := stage.Until(ctx, func() (now payin, ok bool, err error) {
			err = p.partner.RunJSON(ctx, &now, "payins", "get", name)
			return now, now.Status == "done", err
		})
		if err != nil {
			return err
		}
		p.after = fmt.Sprintf("  payin %s is %s and brought %s %s; ", name, done.Status, done.Order.Account, done.OutCurr)
		if done.Credited != "" {
			p.after += "the user is credited with " + done.Credited + " RUB"
		} else {
			p.after += done.Reason
		}
		if (done.Credited != "") != (outCurr == "RUB") {
			return fmt.Errorf("payin %s credited %q: %s", name, done.Credited, done.Reason)
		}
		return nil
	}
}

func (p *play) tooSmall(ctx context.Context) error {
	out, err := p.partner.Run(ctx, "payins", "create", p.user, "5", "RUB", "visamc", "--externalid", "demo-small")
	if err == nil || !strings.Contains(out, "EParamAmountTooSmall") {
		return fmt.Errorf("an order of 5 RUB was not refused: %w\n%s", err, out)
	}
	return nil
}

// anymoney says who told what to whom in an exchange with Any.Money.
func anymoney(method, direction, request, answer string) (from, to, what, said string) {
	_, body, _ := strings.Cut(request, "\r\n\r\n")
	var call struct{ Params json.RawMessage }
	switch {
	case direction == "out":
		return "Any.Money", "Partner", summary([]byte(body)), answer
	case json.Unmarshal([]byte(body), &call) != nil: // a form of its page
		return "Buyer", "Any.Money", "on the order's page", answer
	}
	var reply struct{ Result, Error json.RawMessage }
	if json.Unmarshal([]byte(answer), &reply) == nil && reply.Result != nil {
		return "Partner", "Any.Money", string(call.Params), summary(reply.Result)
	}
	return "Partner", "Any.Money", string(call.Params), string(reply.Error)
}

// summary is what matters of an order or a calculation; an order has some thirty members.
func summary(object []byte) string {
	var o struct {
		Status  string    `json:"status,omitempty"`
		In      string    `json:"in_amount"`
		InCurr  string    `json:"in_curr,omitempty"`
		Fee     string    `json:"in_fee_amount"`
		Account string    `json:"account_amount"`
		OutCurr string    `json:"out_curr,omitempty"`
		Rate    *[]string `json:"rate,omitempty"`
	}
	if err := json.Unmarshal(object, &o); err != nil {
		return string(object)
	}
	short, _ := json.Marshal(o) // texts always marshal
	return string(short)
}
