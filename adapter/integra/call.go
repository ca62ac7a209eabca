package integra

import (
	"context"
	"fmt"
	"net/http"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// Call makes the call that a payment's kind and state ask for, once: confirmPayment or
// declinePayment for a top-up, doPayment for our own payments, with the sum negative for a
// refund. It can be repeated under the same ids, and what it says is to be believed:
//
//	accepted  the platform said yes; a confirm named the same payment
//	refused   it said no
//	not sent  the request cannot have reached it
//	unknown   anything else
func (c *Client) Call(ctx context.Context, p adapter.Payment) adapter.Outcome {
	user, err := c.keys.user(ctx, p.User)
	if err != nil {
		return notSent(err)
	}
	cred := user.cred
	switch {
	case p.Kind == adapter.TopUp && p.State == adapter.Declining:
		code := http.StatusPaymentRequired // the finance guide shows no codes; these say it as HTTP does
		switch p.Reason {
		case adapter.ReasonUnknownUser:
			code = http.StatusNotFound
		case adapter.ReasonArchived:
			code = http.StatusForbidden
		}
		return c.call(ctx, integra.DeclinePayment, cred, integra.DeclinePaymentArgs{
			TransactionID: p.Key.ID, ErrorCode: code, ErrorMessage: p.Reason, ErrorLink: c.cfg.DeclineLink,
		}, anyData)
	case p.State != adapter.Reserved && p.State != adapter.Confirming:
		return notSent(fmt.Errorf("a payment that is %s asks for no call", p.State))
	case p.Kind == adapter.TopUp:
		return c.call(ctx, integra.ConfirmPayment, cred, integra.ConfirmPaymentArgs{
			Amount: integra.Text(p.Amount.Short()), TransactionID: p.Key.ID,
		}, sameTransaction(p.Key.ID))
	}
	sum := p.Amount
	if p.Kind == adapter.Refund {
		sum = sum.Neg()
	}
	return c.call(ctx, integra.DoPayment, cred, integra.DoPaymentArgs{
		PaymentSum: integra.Text(sum.Short()), PaymentSumBonus: "0", PaymentHash: p.Key.ID, UserLogin: user.login,
	}, paymentID)
}

// anyData takes every success. A decline moves no money, so it is not worth asking again for
// a better answer.
func anyData(integra.Response) (string, error) { return "", nil }

// sameTransaction takes a success that names the payment: one that names another was meant
// for another call, whoever mixed them up.
func sameTransaction(id string) accept {
	return func(r integra.Response) (string, error) {
		var data integra.TransactionResult
		if err := r.Result(&data); err != nil {
			return "", err
		}
		if data.TransactionID != id {
			return "", fmt.Errorf("the answer is about payment %q", data.TransactionID)
		}
		return "", nil
	}
}

// paymentID takes a success with the platform's own id of the payment, and keeps it.
func paymentID(r integra.Response) (string, error) {
	var data integra.DoPaymentResult
	if err := r.Result(&data); err != nil {
		return "", err
	}
	if data.PaymentID == "" {
		return "", fmt.Errorf("the answer names no payment")
	}
	return "paymentId " + string(data.PaymentID), nil
}
