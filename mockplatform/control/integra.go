package control

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

type partnerBody struct {
	Hash   string `json:"hash"`
	Path   string `json:"path"`
	Cipher string `json:"cipher"`
}

type (
	partnerAnswer  struct{ Body partnerBody }
	partnersAnswer struct {
		Body struct {
			Partners []partnerBody `json:"partners"`
		}
	}
	partnerChange struct {
		Hash string `path:"hash" minLength:"32" maxLength:"32" pattern:"^[0-9A-Za-z]*$"`
		Body PartnerFields
	}
	// PartnerFields is a partner without its hash. It is exported for huma, like all that is
	// embedded.
	PartnerFields struct {
		Key    string `json:"key" minLength:"1" doc:"Crypt key"`
		Path   string `json:"path" minLength:"1" example:"partners/acme" doc:"The partner answers under iframe as well"`
		Cipher string `json:"cipher,omitempty" enum:"simple,base64" default:"simple"`
	}
)

func (a *api) getPartners(context.Context, *none) (*partnersAnswer, error) {
	answer := &partnersAnswer{}
	for _, p := range a.Integra.Partners() {
		answer.Body.Partners = append(answer.Body.Partners, partnerBody{p.Hash, p.Path, p.Cipher})
	}
	return answer, nil
}

func (a *api) putPartner(_ context.Context, in *partnerChange) (*partnerAnswer, error) {
	p := integra.Partner{Hash: in.Hash, Key: in.Body.Key, Path: in.Body.Path, Cipher: in.Body.Cipher}
	err := a.Integra.PutPartner(p)
	var field *integra.FieldError
	if errors.As(err, &field) {
		return nil, invalid("body."+field.Field, errors.New(field.Why))
	}
	return &partnerAnswer{partnerBody{p.Hash, p.Path, p.Cipher}}, nil
}

type userBody struct {
	Hash         string        `json:"hash"`
	Login        string        `json:"login"`
	Partner      string        `json:"partner" doc:"Hash"`
	Email        string        `json:"email,omitempty"`
	Phone        string        `json:"phone,omitempty"`
	URL          string        `json:"url,omitempty"`
	Balance      string        `json:"balance" example:"100.50"`
	Archived     bool          `json:"archived"`
	CanTopUp     bool          `json:"can_topup" doc:"Logged in with a notification URL, and not archived"`
	Unread       int           `json:"unread" doc:"Messages"`
	CreatedMS    int64         `json:"created_ms"`
	LastLoginMS  int64         `json:"last_login_ms,omitempty"`
	PaymentCount int           `json:"payment_count"`
	Payments     []paymentBody `json:"payments"`
}

type paymentBody struct {
	ID             string        `json:"id" doc:"Of a top-up the platform's, of a direct payment its paymentHash"`
	Number         string        `json:"number,omitempty" doc:"paymentId of a direct payment"`
	Kind           integra.Kind  `json:"kind" enum:"topup,direct,refund"`
	Via            integra.Via   `json:"via,omitempty" enum:"partner,robokassa" doc:"Who moves the money of a top-up, or of its refund"`
	Invoice        string        `json:"inv_id,omitempty" doc:"InvId at Robokassa"`
	PayURL         string        `json:"pay_url,omitempty" doc:"Where the user pays at Robokassa, while he can"`
	User           string        `json:"user" doc:"Hash"`
	Amount         string        `json:"amount"`
	Bonus          string        `json:"bonus"`
	Credited       string        `json:"credited" doc:"What the balance changed by"`
	State          integra.State `json:"state" enum:"unconfirmed,confirmed,declined"`
	Reason         string        `json:"reason,omitempty" doc:"Of a decline"`
	Expired        bool          `json:"expired,omitempty" doc:"Declined because nobody confirmed it in time"`
	ErrorCode      int           `json:"error_code,omitempty" doc:"Of a decline, as the partner gave it"`
	ErrorLink      string        `json:"error_link,omitempty" doc:"Of a decline, as the partner gave it"`
	CreatedMS      int64         `json:"created_ms"`
	NotifiedMS     int64         `json:"notified_ms,omitempty" doc:"When the first notification was sent"`
	AcknowledgedMS int64         `json:"acknowledged_ms,omitempty" doc:"When the partner first answered 200 to one"`
	AnsweredMS     int64         `json:"answered_ms,omitempty" doc:"When the partner confirmed or declined"`
	ExpiresMS      int64         `json:"expires_ms,omitempty" doc:"When it will be declined, while it waits"`
	SettledMS      int64         `json:"settled_ms,omitempty" doc:"When it became final, however that came"`
	NextTryMS      int64         `json:"next_try_ms,omitempty" doc:"When the next notification is due"`
	Attempts       []attemptBody `json:"attempts" doc:"Notifications, in the order of their answers"`
}

type attemptBody struct {
	Number  int    `json:"number"`
	Copy    bool   `json:"copy,omitempty" doc:"A duplicate"`
	AtMS    int64  `json:"at_ms"`
	HeardMS int64  `json:"heard_ms,omitempty" doc:"When it was answered or given up"`
	TookMS  int64  `json:"took_ms" doc:"Real"`
	Status  int    `json:"status" doc:"HTTP status; 0 without an answer"`
	Error   string `json:"error,omitempty" doc:"Why it does not count as acknowledged"`
}

type (
	usersAnswer struct {
		Body struct {
			Users []userBody `json:"users"`
		}
	}
	userQuery struct {
		Hash  string `path:"hash"`
		Limit int    `query:"limit" minimum:"0" default:"100" doc:"At most so many payments"`
	}
	userAnswer  struct{ Body userBody }
	topUpButton struct {
		Hash string `path:"hash"`
		Body TopUpFields
	}
	// TopUpFields is what a user chooses who tops up.
	TopUpFields struct {
		Amount string      `json:"amount" example:"100" doc:"As a user types it"`
		Via    integra.Via `json:"via,omitempty" enum:"partner,robokassa" default:"partner"`
	}
	topUpAnswer struct {
		Status int
		Body   paymentBody
	}
	paymentQuery struct {
		ID string `path:"id" doc:"Or the number of a direct payment"`
	}
	paymentAnswer struct{ Body paymentBody }
)

func (a *api) getUsers(context.Context, *none) (*usersAnswer, error) {
	answer := &usersAnswer{}
	answer.Body.Users = []userBody{}
	for _, u := range a.Integra.Users() {
		answer.Body.Users = append(answer.Body.Users, userOf(u))
	}
	return answer, nil
}

func (a *api) getUser(_ context.Context, in *userQuery) (*userAnswer, error) {
	u, ok := a.Integra.User(in.Hash, in.Limit)
	if !ok {
		return nil, huma.Error404NotFound("no user has the hash " + in.Hash)
	}
	return &userAnswer{userOf(u)}, nil
}

type (
	userChange struct {
		Hash string `path:"hash" minLength:"32" maxLength:"32" pattern:"^[0-9A-Za-z]*$"`
		Body UserFields
	}
	// UserFields is a user without the hash.
	UserFields struct {
		Login     string `json:"login" minLength:"1" maxLength:"255" doc:"Unique at the platform"`
		Key       string `json:"key" minLength:"1" doc:"Crypt key"`
		Partner   string `json:"partner,omitempty" doc:"Hash; the only partner if there is one alone"`
		Balance   string `json:"balance,omitempty" example:"100.50" doc:"0 if empty"`
		NotifyURL string `json:"notify_url,omitempty" doc:"Template of PAYMENT_NOTIFY_URL, as if the user had logged in with it; without one there are no top-ups by the partner"`
		Email     string `json:"email,omitempty"`
		Phone     string `json:"phone,omitempty" example:"+79551234567"`
		URL       string `json:"url,omitempty" doc:"Of the promoted site, without scheme"`
		Archived  bool   `json:"archived,omitempty"`
	}
)

func (a *api) putUser(_ context.Context, in *userChange) (*userAnswer, error) {
	b := &in.Body
	balance := money.New(0, money.RUB)
	if b.Balance != "" {
		var err error
		if balance, err = money.ParseBalance(b.Balance, money.RUB); err != nil {
			return nil, invalid("body.balance", err)
		}
	}
	u, err := a.Integra.PutUser(integra.Account{
		CreateUserArgs: wire.CreateUserArgs{Username: b.Login, Hash: in.Hash, Email: b.Email, Phone: b.Phone, SuggestedDomain: b.URL},
		Partner:        b.Partner, Key: b.Key, Balance: balance, NotifyURL: b.NotifyURL, Archived: b.Archived,
	})
	var field *integra.FieldError
	if errors.As(err, &field) {
		return nil, invalid("body."+field.Field, errors.New(field.Why))
	}
	return &userAnswer{userOf(u)}, err
}

func (a *api) topUp(_ context.Context, in *topUpButton) (*topUpAnswer, error) {
	payment, err := a.Integra.TopUp(in.Hash, in.Body.Amount, in.Body.Via)
	var refusal *integra.Refusal
	if !errors.As(err, &refusal) {
		return &topUpAnswer{Status: http.StatusCreated, Body: paymentOf(payment)}, err
	}
	switch refusal.Check {
	case integra.CheckUser:
		return nil, huma.Error404NotFound(refusal.Message)
	case integra.CheckAmount, integra.CheckVia:
		return nil, invalid("body."+string(refusal.Check), err)
	}
	return nil, huma.Error409Conflict(refusal.Message)
}

type (
	refundButton struct {
		ID   string `path:"id"`
		Body RefundFields
	}
	// RefundFields is what is chosen for a refund.
	RefundFields struct {
		Amount string `json:"amount,omitempty" doc:"All that is left if empty"`
	}
)

// refundPayment asks Robokassa to give money of a top-up back.
func (a *api) refundPayment(_ context.Context, in *refundButton) (*topUpAnswer, error) {
	payment, err := a.Integra.RefundCard(in.ID, in.Body.Amount)
	var refusal *integra.Refusal
	if !errors.As(err, &refusal) {
		return &topUpAnswer{Status: http.StatusCreated, Body: paymentOf(payment)}, err
	}
	switch refusal.Check {
	case integra.CheckPayment:
		return nil, huma.Error404NotFound(refusal.Message)
	case integra.CheckAmount:
		return nil, invalid("body.amount", err)
	}
	return nil, huma.Error409Conflict(refusal.Message)
}

func (a *api) getPayment(_ context.Context, in *paymentQuery) (*paymentAnswer, error) {
	payment, ok := a.Integra.Payment(in.ID)
	if !ok {
		return nil, huma.Error404NotFound("no payment has the id or number " + in.ID)
	}
	return &paymentAnswer{paymentOf(payment)}, nil
}

func userOf(u integra.User) userBody {
	body := userBody{
		Hash: u.Hash, Login: u.Login, Partner: u.Partner, Email: u.Email, Phone: u.Phone, URL: u.URL,
		Balance: u.Balance.Text(), Archived: u.Archived, CanTopUp: u.CanTopUp, Unread: u.Unread,
		CreatedMS: u.CreatedAt.UnixMilli(), LastLoginMS: orZero(u.LastLoginAt),
		PaymentCount: u.PaymentCount, Payments: make([]paymentBody, len(u.Payments)),
	}
	for i, payment := range u.Payments {
		body.Payments[i] = paymentOf(payment)
	}
	return body
}

func paymentOf(p integra.Payment) paymentBody {
	body := paymentBody{
		ID: p.ID, Number: p.Number, Kind: p.Kind, Via: p.Via, Invoice: p.Invoice, PayURL: p.PayURL, User: p.User,
		Amount: p.Amount.Text(), Bonus: p.Bonus.Text(), Credited: p.Credited.Text(),
		State: p.State, Reason: p.Reason, Expired: p.Expired, ErrorCode: p.ErrorCode, ErrorLink: p.ErrorLink,
		CreatedMS: p.CreatedAt.UnixMilli(), NotifiedMS: orZero(p.NotifiedAt()), AcknowledgedMS: orZero(p.AcknowledgedAt()),
		AnsweredMS: orZero(p.AnsweredAt()), ExpiresMS: orZero(p.ExpiresAt), SettledMS: orZero(p.SettledAt), NextTryMS: orZero(p.NextTry),
		Attempts: make([]attemptBody, len(p.Attempts)),
	}
	for i, a := range p.Attempts {
		body.Attempts[i] = attemptBody{a.Number, a.Copy, a.At.UnixMilli(), orZero(a.Heard), a.Took.Milliseconds(), a.Status, a.Error}
	}
	return body
}

// orZero is t in milliseconds, and 0 for no time.
func orZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
