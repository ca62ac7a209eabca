package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// The scopes of tokens.
const (
	ScopePayinsRead  = "payins:read"
	ScopePayinsWrite = "payins:write"
)

// Payins makes payins.
type Payins interface {
	// Create stores what is asked for and makes the order; first is false for a repeat.
	Create(ctx context.Context, r adapter.PayinRequest) (p adapter.Payin, first bool, err error)
	// Calc asks what an order would cost and bring.
	Calc(ctx context.Context, amount, inCurr, outCurr, payway string) (adapter.PayinQuote, error)
}

// PayinStore has what was made.
type PayinStore interface {
	Payin(ctx context.Context, externalID string) (adapter.Payin, error)
	Payins(ctx context.Context, f adapter.PayinFilter) ([]adapter.Payin, error)
	PayinHistory(ctx context.Context, p adapter.Payin) ([]adapter.PayinEvent, error)
}

// Payin is a payin as the API and the commands show it. Amounts are decimals.
type Payin struct {
	Num        int64  `json:"num" doc:"Our own number; the cursor of lists"`
	ExternalID string `json:"externalid"`
	User       string `json:"user" doc:"Hash of the user who is credited; empty for an order that was not made here"`
	Status     string `json:"status" doc:"creating, unsure and refused are the adapter's words; the others are Any.Money's"`
	Reason     string `json:"reason,omitempty" doc:"Why it was refused, or done without being credited"`
	Amount     string `json:"amount" doc:"What the buyer is asked for"`
	InCurr     string `json:"in_curr"`
	OutCurr    string `json:"out_curr" doc:"What the merchant receives"`
	Payway     string `json:"payway"`
	Credited   string `json:"credited,omitempty" doc:"What the user got in the ledger"`
	Order      *Order `json:"order,omitempty" doc:"What the platform said last"`
	CreatedAt  string `json:"created_at"`
	UpdatedAt  string `json:"updated_at"`

	History []PayinEvent `json:"history,omitempty"`
}

// Order is what the platform said of its order last.
type Order struct {
	LID     int64    `json:"lid" doc:"The platform's number"`
	Type    string   `json:"type" doc:"invoice, to be paid at the paylink, or payin"`
	Paylink string   `json:"paylink,omitempty" doc:"Where the buyer pays"`
	InFee   string   `json:"in_fee_amount"`
	Out     string   `json:"out_amount"`
	OutFee  string   `json:"out_fee_amount"`
	Account string   `json:"account_amount" doc:"What the merchant's account gets, in out_curr"`
	Rate    []string `json:"rate,omitempty" doc:"Only if converted"`
}

// PayinEvent is one line of a payin's history.
type PayinEvent struct {
	At      string  `json:"at"`
	Event   string  `json:"event"`
	From    string  `json:"from,omitempty"`
	To      string  `json:"to"`
	Attempt int     `json:"attempt,omitempty"`
	Verdict string  `json:"verdict,omitempty"`
	Code    int     `json:"code,omitempty"`
	TookMS  float64 `json:"took_ms,omitempty"`
	Detail  string  `json:"detail,omitempty"`
}

// ShowPayin returns a payin as it is shown, with its history if that is given.
func ShowPayin(p adapter.Payin, history []adapter.PayinEvent) Payin {
	v := Payin{
		Num: p.Num, ExternalID: p.ExternalID, User: p.User, Status: string(p.Status), Reason: p.Reason,
		Amount: p.Amount.Short(), InCurr: p.Amount.Currency().Code(), OutCurr: p.OutCurr, Payway: p.Payway,
		CreatedAt: stamp(p.CreatedAt), UpdatedAt: stamp(p.UpdatedAt),
	}
	if v.OutCurr == "" {
		v.OutCurr = v.InCurr
	}
	if !p.Credited.IsZero() {
		v.Credited = p.Credited.Text()
	}
	if o := p.Order; o.LID != 0 {
		v.OutCurr = o.Out.Currency().Code()
		v.Order = &Order{
			LID: o.LID, Type: o.Type, Paylink: o.Paylink,
			InFee: o.InFee.Short(), Out: o.Out.Short(), OutFee: o.OutFee.Short(), Account: o.Account.Short(),
			Rate: rate(o.RateIn, o.RateOut),
		}
	}
	for _, e := range history {
		v.History = append(v.History, PayinEvent{
			At: stamp(e.At), Event: string(e.Kind), From: string(e.From), To: string(e.To), Attempt: e.Attempt,
			Verdict: string(e.Verdict), Code: e.Code, TookMS: float64(e.Took.Microseconds()) / 1000, Detail: e.Detail,
		})
	}
	return v
}

func rate(in, out string) []string {
	if in == "" {
		return nil
	}
	return []string{in, out}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Quote is what an order would cost and bring, as the API and the commands show it.
type Quote struct {
	In      string   `json:"in_amount" doc:"What the buyer pays"`
	InCurr  string   `json:"in_curr"`
	InFee   string   `json:"in_fee_amount"`
	Out     string   `json:"out_amount"`
	OutCurr string   `json:"out_curr"`
	OutFee  string   `json:"out_fee_amount"`
	Account string   `json:"account_amount" doc:"What the merchant's account would get, in out_curr"`
	Rate    []string `json:"rate,omitempty" doc:"Only if converted"`
}

// ShowQuote returns a quote as it is shown.
func ShowQuote(q adapter.PayinQuote) Quote {
	return Quote{
		In: q.In.Short(), InCurr: q.In.Currency().Code(), InFee: q.InFee.Short(),
		Out: q.Out.Short(), OutCurr: q.Out.Currency().Code(), OutFee: q.OutFee.Short(), Account: q.Account.Short(),
		Rate: rate(q.RateIn, q.RateOut),
	}
}

type payins struct {
	payins Payins
	store  PayinStore
	log    *slog.Logger
}

func (a *payins) mount(h huma.API) {
	read := []map[string][]string{{"bearer": {ScopePayinsRead}}}
	write := []map[string][]string{{"bearer": {ScopePayinsWrite}}}
	const maxBody = 16 << 10
	huma.Register(h, huma.Operation{
		OperationID: "create-payin", Method: http.MethodPost, Path: Base + "payins", Security: write, MaxBodyBytes: maxBody, Tags: []string{"payins"},
		Summary: "Make an order at Any.Money that credits a user once it is paid",
		Description: "201: the order is there, and for an invoice its paylink. 202: the intent is stored, but whether the platform has the order is not known yet; " +
			"look again under Location. 200: a repeat, nothing was done. 422: refused by the platform, or malformed, or the key is that of another request.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, a.create)
	huma.Register(h, huma.Operation{
		OperationID: "calc-payin", Method: http.MethodPost, Path: Base + "payins/calc", Security: read, MaxBodyBytes: maxBody, Tags: []string{"payins"},
		Summary: "What an order would cost and bring; nothing is made",
		Errors:  []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusBadGateway},
	}, a.calc)
	huma.Register(h, huma.Operation{
		OperationID: "list-payins", Method: http.MethodGet, Path: Base + "payins", Security: read, Tags: []string{"payins"},
		Summary: "Payins, the newest first",
		Errors:  []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, a.list)
	huma.Register(h, huma.Operation{
		OperationID: "get-payin", Method: http.MethodGet, Path: Base + "payins/{externalid}", Security: read, Tags: []string{"payins"},
		Summary: "One payin with its history",
		Errors:  []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable},
	}, a.get)
}

type createPayin struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Your name for this request: repeated under the same key it is the same payin. Needed unless externalid is given, which derives from it otherwise"`
	Body struct {
		User       string `json:"user" pattern:"^[0-9A-Za-z]{32}$" doc:"Hash of the user who is credited"`
		Amount     string `json:"amount" maxLength:"32" example:"256.13"`
		InCurr     string `json:"in_curr" maxLength:"12" example:"UAH" doc:"What the buyer pays in"`
		OutCurr    string `json:"out_curr,omitempty" maxLength:"12" doc:"What you receive; in_curr if left out. Only what the ledger is kept in can be credited"`
		Payway     string `json:"payway" minLength:"1" maxLength:"64" example:"visamc"`
		ExternalID string `json:"externalid,omitempty" maxLength:"255" pattern:"^[0-9A-Za-z._:-]*$" doc:"The order's name, for ever unique"`
		Payer      string `json:"payer,omitempty" maxLength:"255" doc:"Some payways ask for it"`
		Contact    string `json:"contact,omitempty" maxLength:"255" doc:"Some payways ask for it"`
		Code       string `json:"code,omitempty" maxLength:"255" doc:"A cheque to be redeemed; it is sent once and never stored"`
	}
}

type payinAnswer struct {
	Status   int
	Location string `header:"Location"`
	Retry    string `header:"Retry-After"`
	Body     Payin
}

func (a *payins) create(ctx context.Context, in *createPayin) (*payinAnswer, error) {
	b := in.Body
	if err := payinSum(b.Amount, b.InCurr, b.OutCurr); err != nil {
		return nil, err
	}
	p, first, err := a.payins.Create(ctx, adapter.PayinRequest{
		ExternalID: b.ExternalID, Key: in.Key, User: b.User, Amount: b.Amount, InCurr: b.InCurr, OutCurr: b.OutCurr,
		Payway: b.Payway, Payer: b.Payer, Contact: b.Contact, Code: b.Code,
	})
	switch {
	case errors.Is(err, adapter.ErrNotFound):
		return nil, huma.Error422UnprocessableEntity("no such user", &huma.ErrorDetail{Location: "body.user", Message: "nobody registered this user", Value: b.User})
	case errors.Is(err, adapter.ErrConflict):
		return nil, typed(ProblemKeyReused, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		return nil, explain(ctx, a.log, err)
	case p.Status == adapter.PayinRefused:
		return nil, huma.Error422UnprocessableEntity(p.Reason)
	}
	answer := &payinAnswer{Status: http.StatusOK, Location: Base + "payins/" + url.PathEscape(p.ExternalID), Body: ShowPayin(p, nil)}
	switch {
	case !p.Status.OfPlatform():
		answer.Status, answer.Retry = http.StatusAccepted, "1"
	case first:
		answer.Status = http.StatusCreated
	}
	return answer, nil
}

// payinSum refuses a sum that no payin can be of, by its field.
func payinSum(amount, inCurr, outCurr string) error {
	const code = "must be the code of a currency: upper-case letters and digits"
	if _, err := adapter.PayinCurrency(inCurr); err != nil {
		return wrong("body.in_curr", code, inCurr)
	}
	if _, err := adapter.PayinCurrency(outCurr); outCurr != "" && err != nil {
		return wrong("body.out_curr", code, outCurr)
	}
	_, err := adapter.PayinAmount(amount, inCurr)
	var format *money.FormatError
	switch {
	case errors.As(err, &format):
		return wrong("body.amount", string(format.Fault), amount)
	case err != nil:
		return wrong("body.amount", err.Error(), amount)
	}
	return nil
}

type calcPayin struct {
	Body struct {
		Amount  string `json:"amount" maxLength:"32" example:"256.13"`
		InCurr  string `json:"in_curr" maxLength:"12" example:"UAH"`
		OutCurr string `json:"out_curr,omitempty" maxLength:"12"`
		Payway  string `json:"payway" minLength:"1" maxLength:"64" example:"visamc"`
	}
}

type quoteAnswer struct{ Body Quote }

func (a *payins) calc(ctx context.Context, in *calcPayin) (*quoteAnswer, error) {
	if err := payinSum(in.Body.Amount, in.Body.InCurr, in.Body.OutCurr); err != nil {
		return nil, err
	}
	q, err := a.payins.Calc(ctx, in.Body.Amount, in.Body.InCurr, in.Body.OutCurr, in.Body.Payway)
	if err != nil {
		return nil, explain(ctx, a.log, err)
	}
	return &quoteAnswer{Body: ShowQuote(q)}, nil
}

type listPayins struct {
	User   string   `query:"user" doc:"Only this user's"`
	Status []string `query:"status" doc:"Only in these, joined by commas" enum:"creating,unsure,refused,new,pending,started,wait,retry,finalizing,abnormal,done,fail,reject,expired,canceled"`
	Before int64    `query:"before" minimum:"0" doc:"A cursor: the num of the last one seen"`
	Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type payinsAnswer struct {
	Body struct {
		Payins []Payin `json:"payins"`
		Next   int64   `json:"next,omitempty" doc:"The cursor to go on with; left out at the end"`
	}
}

func (a *payins) list(ctx context.Context, in *listPayins) (*payinsAnswer, error) {
	f := adapter.PayinFilter{User: in.User, Before: in.Before, Limit: in.Limit}
	for _, s := range in.Status {
		f.Statuses = append(f.Statuses, adapter.PayinStatus(s))
	}
	list, err := a.store.Payins(ctx, f)
	if err != nil {
		return nil, explain(ctx, a.log, err)
	}
	answer := &payinsAnswer{}
	answer.Body.Payins = make([]Payin, len(list))
	for i, p := range list {
		answer.Body.Payins[i] = ShowPayin(p, nil)
	}
	if len(list) == in.Limit {
		answer.Body.Next = list[len(list)-1].Num
	}
	return answer, nil
}

type getPayin struct {
	ExternalID string `path:"externalid"`
}

func (a *payins) get(ctx context.Context, in *getPayin) (*payinAnswer, error) {
	p, err := a.store.Payin(ctx, in.ExternalID)
	if err != nil {
		return nil, explain(ctx, a.log, err)
	}
	history, err := a.store.PayinHistory(ctx, p)
	if err != nil {
		return nil, explain(ctx, a.log, err)
	}
	return &payinAnswer{Status: http.StatusOK, Body: ShowPayin(p, history)}, nil
}
