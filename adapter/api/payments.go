package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Payments pays, refunds and ends doubts; see adapter.Service.
type Payments interface {
	Pay(ctx context.Context, user string, amount money.Amount, key string) (adapter.Payment, error)
	Refund(ctx context.Context, original adapter.Payment, amount money.Amount, key string) (adapter.Payment, error)
	Resolve(ctx context.Context, p adapter.Payment, r adapter.Resolution) (adapter.Payment, error)
}

// Payment is a payment as the API and the commands show it.
type Payment struct {
	Num        int64  `json:"num" doc:"Our own number; the cursor of lists"`
	ID         string `json:"id" doc:"Its name at the platform: transactionId, or paymentHash of what was begun here"`
	Kind       string `json:"kind" doc:"topup: pressed at the platform; direct: begun here; refund: the way back"`
	User       string `json:"user" doc:"The user's hash"`
	Amount     string `json:"amount"`
	Currency   string `json:"currency"`
	State      string `json:"state" doc:"received, reserved, confirming, confirmed, declining, declined or in_doubt; where the partner's billing keeps the funds also capturing, capture_refused, releasing, release_refused"`
	Reason     string `json:"reason,omitempty" doc:"Why it was declined, is in doubt or cannot be captured"`
	Attempt    int    `json:"attempt" doc:"Calls to the platform begun in the present direction"`
	RefundOf   int64  `json:"refund_of,omitempty" doc:"The number of the payment that a refund gives back"`
	ReceivedAt string `json:"received_at"`
	UpdatedAt  string `json:"updated_at"`
	NextAt     string `json:"next_at,omitempty" doc:"When it is worked on next"`

	History []PaymentEvent `json:"history,omitempty"`
}

// PaymentEvent is one line of a payment's history.
type PaymentEvent struct {
	At      string  `json:"at"`
	Event   string  `json:"event"`
	From    string  `json:"from,omitempty"`
	To      string  `json:"to"`
	Attempt int     `json:"attempt,omitempty"`
	Verdict string  `json:"verdict,omitempty" doc:"What is known of the call: accepted, refused, not_sent or unknown"`
	Code    int     `json:"code,omitempty" doc:"The platform's"`
	TookMS  float64 `json:"took_ms,omitempty"`
	Detail  string  `json:"detail,omitempty"`
}

// ShowPayment returns a payment as it is shown, with its history if that is given.
func ShowPayment(p adapter.Payment, history []adapter.Event) Payment {
	v := Payment{
		Num: p.Num, ID: p.Key.ID, Kind: string(p.Kind), User: p.User, Amount: p.Amount.Text(), Currency: p.Amount.Currency().Code(),
		State: string(p.State), Reason: p.Reason, Attempt: p.Attempt, RefundOf: p.RefundOf,
		ReceivedAt: stamp(p.ReceivedAt), UpdatedAt: stamp(p.UpdatedAt),
	}
	if !p.NextAt.IsZero() {
		v.NextAt = stamp(p.NextAt)
	}
	for _, e := range history {
		v.History = append(v.History, PaymentEvent{
			At: stamp(e.At), Event: string(e.Kind), From: string(e.From), To: string(e.To), Attempt: e.Attempt,
			Verdict: string(e.Verdict), Code: e.Code, TookMS: float64(e.Took.Microseconds()) / 1000, Detail: e.Detail,
		})
	}
	return v
}

type payments struct {
	Config
	once once
}

func (a *payments) mount(h huma.API) {
	accepted := func(o huma.Operation) huma.Operation {
		o.DefaultStatus = http.StatusAccepted
		return o
	}
	huma.Register(h, accepted(operation("create-payment", http.MethodPost, "payments", ScopePaymentsWrite, "payments",
		"Pay directly: from the user's balance to the platform",
		"202: it is stored and will be carried out; look under Location what becomes of it. Without enough funds it ends in declined.",
		http.StatusConflict)), a.create)
	huma.Register(h, operation("list-payments", http.MethodGet, "payments", ScopePaymentsRead, "payments", "Payments, the newest first", ""), a.list)
	huma.Register(h, operation("get-payment", http.MethodGet, "payments/{id}", ScopePaymentsRead, "payments",
		"One payment with its whole history", "", http.StatusNotFound), a.get)
	huma.Register(h, accepted(operation("refund-payment", http.MethodPost, "payments/{id}/refunds", ScopePaymentsWrite, "payments",
		"Refund a confirmed payment, wholly or in part",
		"202: the refund is a payment of its own; look under Location what becomes of it. The money is the user's again once the platform has said yes.",
		http.StatusNotFound, http.StatusConflict)), a.refund)
	huma.Register(h, operation("resolve-payment", http.MethodPost, "payments/{id}/resolve", ScopeAdmin, "payments",
		"End the doubt about a payment, a move that the billing refuses, or the wait for its reservation, as a person decides",
		"The decision stays in the payment's history with its reason and the name on the token. 409: it waits for no person, or not any more. A payment that is capture_refused can only be confirmed, one that is release_refused only be declined: that says that the billing's books are right now. One that is received, since the billing refuses to reserve or does not answer, can be declined: what it may have reserved all the same is released first.",
		http.StatusNotFound, http.StatusConflict), a.resolve)
}

type createPayment struct {
	Keyed
	Body struct {
		User     string `json:"user" pattern:"^[0-9A-Za-z]{32}$" patternDescription:"32 letters or digits" doc:"The user's hash"`
		Amount   string `json:"amount" maxLength:"32" example:"250.00" doc:"More than zero"`
		Currency string `json:"currency,omitempty" maxLength:"12" doc:"If given, that of the books"`
	}
}

func (a *payments) create(ctx context.Context, in *createPayment) (*result[Payment], error) {
	amount, err := sum(in.Body.Amount, in.Body.Currency, a.Currency)
	if err != nil {
		return nil, err
	}
	return perform(ctx, a.once, in.Key, "create-payment", in.Body, func(ctx context.Context, done bool) (result[Payment], error) {
		u, err := a.Records.User(ctx, in.Body.User)
		switch {
		case done: // whatever became of the user since
		case errors.Is(err, adapter.ErrNotFound):
			return result[Payment]{}, wrong("body.user", "is nobody who is registered here", in.Body.User)
		case err != nil:
			return result[Payment]{}, err
		case !u.ArchivedAt.IsZero():
			return result[Payment]{}, typed(ProblemArchived, http.StatusUnprocessableEntity, adapter.ErrArchived.Error(),
				&huma.ErrorDetail{Location: "body.user", Message: "is archived", Value: in.Body.User})
		}
		p, err := a.Payments.Pay(ctx, in.Body.User, amount, in.Key)
		return stored(p), err
	})
}

// stored is the answer to a request that became a payment.
func stored(p adapter.Payment) result[Payment] {
	return result[Payment]{Status: http.StatusAccepted, Location: Base + "payments/" + p.Key.ID, Body: ShowPayment(p, nil)}
}

type listPayments struct {
	User   string    `query:"user" maxLength:"32" doc:"Only this user's"`
	State  []string  `query:"state" doc:"Only in these, joined by commas" enum:"received,reserved,confirming,capturing,capture_refused,confirmed,releasing,release_refused,declining,declined,in_doubt"`
	Kind   []string  `query:"kind" doc:"Only these, joined by commas" enum:"topup,direct,refund"`
	From   time.Time `query:"from" doc:"Received at or after this time" example:"2026-11-01T00:00:00Z"`
	To     time.Time `query:"to" doc:"Received before this time" example:"2026-12-01T00:00:00Z"`
	Before int64     `query:"before" minimum:"0" doc:"A cursor: the num of the last one seen"`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type paymentsAnswer struct {
	Body struct {
		Payments []Payment `json:"payments"`
		Next     int64     `json:"next,omitempty" doc:"The cursor to go on with, as before; left out at the end"`
	}
}

func (a *payments) list(ctx context.Context, in *listPayments) (*paymentsAnswer, error) {
	if err := inOrder(in.From, in.To); err != nil {
		return nil, err
	}
	f := adapter.PaymentFilter{User: in.User, From: in.From, To: in.To, Before: in.Before, Limit: in.Limit + 1}
	for _, s := range in.State {
		f.States = append(f.States, adapter.State(s))
	}
	for _, k := range in.Kind {
		f.Kinds = append(f.Kinds, adapter.Kind(k))
	}
	list, err := a.Records.Payments(ctx, f)
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	answer := &paymentsAnswer{}
	list, more := page(list, in.Limit)
	answer.Body.Payments = make([]Payment, len(list))
	for i, p := range list {
		answer.Body.Payments[i] = ShowPayment(p, nil)
	}
	if more {
		answer.Body.Next = list[len(list)-1].Num
	}
	return answer, nil
}

// OfPayment is the path of calls about one payment.
type OfPayment struct {
	ID string `path:"id" pattern:"^([0-9A-Za-z]{32}|[1-9][0-9]{0,17})$" patternDescription:"an id of 32 letters or digits, or a number" doc:"The payment's id or number"`
}

// find returns the payment with an id or number.
func (a *payments) find(ctx context.Context, id string) (adapter.Payment, error) {
	if num, err := strconv.ParseInt(id, 10, 64); err == nil && len(id) < 19 {
		return a.Records.PaymentByNum(ctx, num)
	}
	return a.Records.Payment(ctx, adapter.Key{Platform: adapter.PlatformIntegra, ID: id})
}

type getPayment struct {
	OfPayment
	User string `query:"user" maxLength:"32" doc:"Only if it is this user's: a panel that shows a payment to a user says to whom"`
}

type paymentAnswer struct{ Body Payment }

func (a *payments) get(ctx context.Context, in *getPayment) (*paymentAnswer, error) {
	p, err := a.find(ctx, in.ID)
	if err == nil && in.User != "" && p.User != in.User {
		return nil, huma.Error404NotFound("payment " + in.ID + ": not found for this user")
	}
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	history, err := a.Records.History(ctx, p.Num)
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	return &paymentAnswer{ShowPayment(p, history)}, nil
}

type refundPayment struct {
	Keyed
	OfPayment
	Body struct {
		User     string `json:"user" pattern:"^[0-9A-Za-z]{32}$" patternDescription:"32 letters or digits" doc:"Whose payment it is: somebody else's is refused"`
		Amount   string `json:"amount,omitempty" maxLength:"32" example:"50.00" doc:"A part of it; without, the whole sum"`
		Currency string `json:"currency,omitempty" maxLength:"12" doc:"If given, that of the books"`
	}
}

func (a *payments) refund(ctx context.Context, in *refundPayment) (*result[Payment], error) {
	var part money.Amount
	if in.Body.Amount != "" || in.Body.Currency != "" {
		text := in.Body.Amount
		if text == "" {
			text = "1" // only the currency is to be looked at
		}
		var err error
		if part, err = sum(text, in.Body.Currency, a.Currency); err != nil {
			return nil, err
		}
	}
	asked := struct{ Payment, Body any }{in.ID, in.Body}
	return perform(ctx, a.once, in.Key, "refund-payment", asked, func(ctx context.Context, _ bool) (result[Payment], error) {
		original, err := a.find(ctx, in.ID)
		if err != nil {
			return result[Payment]{}, err
		}
		amount := original.Amount
		if in.Body.Amount != "" {
			amount = part
		}
		switch {
		case original.User != in.Body.User:
			return result[Payment]{}, wrong("body.user", "is not the one whose payment it is", in.Body.User)
		case original.Kind == adapter.Refund:
			return result[Payment]{}, wrong("path.id", "is a refund itself", in.ID)
		case original.State != adapter.Confirmed:
			return result[Payment]{}, wrong("path.id", "is "+string(original.State)+", and only a confirmed payment can be refunded", in.ID)
		case amount.Cmp(original.Amount) > 0:
			return result[Payment]{}, wrong("body.amount", "is more than the payment's "+original.Amount.Text(), amount.Text())
		}
		p, err := a.Payments.Refund(ctx, original, amount, in.Key)
		if errors.Is(err, adapter.ErrInvalid) { // what is left of it is all that was not looked at
			return result[Payment]{}, wrong("body.amount", "is more than is left of the payment", amount.Text())
		}
		return stored(p), err
	})
}

type resolvePayment struct {
	Keyed
	OfPayment
	Body struct {
		Outcome string `json:"outcome" enum:"confirmed,declined" doc:"confirmed: the platform has carried it out, and the money is captured; declined: it has not and will not, and the money is released"`
		Reason  string `json:"reason" minLength:"1" maxLength:"1000" doc:"What the decision rests on"`
	}
}

func (a *payments) resolve(ctx context.Context, in *resolvePayment) (*result[Payment], error) {
	grant, _ := ctx.Value(grantKey{}).(Grant)
	asked := struct{ Payment, Body any }{in.ID, in.Body}
	return perform(ctx, a.once, in.Key, "resolve-payment", asked, func(ctx context.Context, done bool) (result[Payment], error) {
		p, err := a.find(ctx, in.ID)
		if err != nil || done {
			return result[Payment]{Status: http.StatusOK, Body: ShowPayment(p, nil)}, err
		}
		p, err = a.Payments.Resolve(ctx, p, adapter.Resolution{Confirm: in.Body.Outcome == "confirmed", Reason: in.Body.Reason, By: grant.Name})
		switch {
		case errors.Is(err, adapter.ErrOutcome):
			return result[Payment]{}, wrong("body.outcome", err.Error(), in.Body.Outcome)
		case errors.Is(err, adapter.ErrInvalid):
			return result[Payment]{}, wrong("body.reason", err.Error(), nil)
		}
		return result[Payment]{Status: http.StatusOK, Body: ShowPayment(p, nil)}, err
	})
}
