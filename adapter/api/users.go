package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
)

// Users registers, archives and logs in users, and asks the platform about them.
type Users interface {
	Register(ctx context.Context, r adapter.Registration) (adapter.User, error)
	Archive(ctx context.Context, user string) (lastBilling string, err error)
	Unarchive(ctx context.Context, user string) error
	Login(ctx context.Context, user, screen string) (adapter.Login, error)
	Live(ctx context.Context, user string) (adapter.PlatformUser, error)

	Messages(ctx context.Context, user string) ([]adapter.Message, error)
	MessageTemplates(ctx context.Context) ([]adapter.MessageTemplate, error)
	ReadMessages(ctx context.Context, ids []int64) (marked int, err error)
}

// User is a user as the API and the commands show it.
type User struct {
	Hash       string `json:"hash" doc:"The platform's name for the user, 32 letters or digits"`
	Login      string `json:"login"`
	CreatedAt  string `json:"created_at"`
	ArchivedAt string `json:"archived_at,omitempty" doc:"Since when the user is archived"`
}

// ShowUser returns a user as it is shown.
func ShowUser(u adapter.User) User {
	v := User{Hash: u.Hash, Login: u.Login, CreatedAt: stamp(u.CreatedAt)}
	if !u.ArchivedAt.IsZero() {
		v.ArchivedAt = stamp(u.ArchivedAt)
	}
	return v
}

// WholeUser is a user with what is known of the user here and at the platform.
type WholeUser struct {
	User
	Account       *Account      `json:"account,omitempty" doc:"The balance here, or in the partner's billing where that keeps the funds; left out if it does not say"`
	AccountError  string        `json:"account_error,omitempty" doc:"Why the billing does not say"`
	Platform      *PlatformUser `json:"platform,omitempty" doc:"What the platform says now"`
	PlatformError string        `json:"platform_error,omitempty" doc:"Why it says nothing"`
}

// PlatformUser is what the platform says of a user.
type PlatformUser struct {
	Balance      string `json:"balance" doc:"Decimal, as the platform wrote it"`
	DailyBudget  string `json:"daily_budget,omitempty" doc:"The month's budget / 30"`
	DailyExpense string `json:"daily_expense,omitempty" doc:"On average"`
	Site         string `json:"site,omitempty"`
	Status       string `json:"status,omitempty" doc:"run, stopped or new"`
	Progress     string `json:"progress,omitempty" doc:"WIZARD_STEP_1 to 4, CAMPAIGN_PAID, CAMPAIGN_UNPAID or UNKNOWN"`
	Unread       int    `json:"unread" doc:"Messages"`
	LastsUntil   string `json:"lasts_until,omitempty" doc:"When the balance will be used up"`
}

// ShowPlatformUser returns what the platform says as it is shown.
func ShowPlatformUser(u adapter.PlatformUser) *PlatformUser {
	v := &PlatformUser{
		Balance: u.Balance, DailyBudget: u.DailyBudget, DailyExpense: u.DailyExpense, Site: u.Site, Status: u.Status, Progress: u.Progress,
		Unread: u.Unread,
	}
	if !u.LastsUntil.IsZero() {
		v.LastsUntil = stamp(u.LastsUntil)
	}
	return v
}

type users struct {
	Config
	once once
}

func (a *users) mount(h huma.API) {
	huma.Register(h, created(operation("register-user", http.MethodPost, "users", ScopeUsersWrite, "users",
		"Create a user at the platform",
		"The user's crypt key is kept here, sealed. 502: the platform did not answer, and may have created the user; its support knows.",
		http.StatusConflict, http.StatusBadGateway)), a.register)
	huma.Register(h, operation("list-users", http.MethodGet, "users", ScopePaymentsRead, "users",
		"Users, in the order of their hashes", ""), a.list)
	huma.Register(h, operation("get-user", http.MethodGet, "users/{hash}", ScopePaymentsRead, "users",
		"One user, with the balance here and the live balance at the platform",
		"A platform that does not answer is no error: platform is left out then and platform_error says why.",
		http.StatusNotFound), a.get)
	huma.Register(h, operation("archive-user", http.MethodPost, "users/{hash}/archive", ScopeUsersWrite, "users",
		"Archive a user at the platform and here",
		"Top-ups and direct payments of an archived user are declined; what is under way is finished, money can be withdrawn, and refunds are still asked for.",
		http.StatusNotFound, http.StatusConflict, http.StatusBadGateway), a.archive)
	huma.Register(h, operation("unarchive-user", http.MethodPost, "users/{hash}/unarchive", ScopeUsersWrite, "users",
		"Take a user out of the archive", "", http.StatusNotFound, http.StatusConflict, http.StatusBadGateway), a.unarchive)
	huma.Register(h, operation("login-user", http.MethodPost, "users/{hash}/login-link", ScopeUsersWrite, "users",
		"The way of a user into the platform's page",
		"Whoever has the address is logged in: ask for it anew for each view of the page, and show it to this user alone. Nothing is changed, so there is no idempotency key.",
		http.StatusNotFound), a.login)
}

// created says that an operation makes something.
func created(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusCreated
	return o
}

type registerUser struct {
	Keyed
	Body struct {
		Login           string `json:"login" minLength:"1" maxLength:"255" pattern:"^[^\\p{C}]+$" patternDescription:"text without control characters" doc:"Unique at the platform"`
		Email           string `json:"email,omitempty" maxLength:"255" format:"email"`
		Phone           string `json:"phone,omitempty" pattern:"^\\+[0-9]{7,15}$" patternDescription:"an international number such as +79551234567" example:"+79551234567"`
		SuggestedDomain string `json:"suggested_domain,omitempty" maxLength:"255" pattern:"^[^/:\\s]+\\.[^/:\\s]+$" patternDescription:"a domain without scheme" example:"acme.example" doc:"The site to promote"`
		InviterID       string `json:"inviter_id,omitempty" maxLength:"255" doc:"Your own id of whoever invited the user"`
	}
}

func (a *users) register(ctx context.Context, in *registerUser) (*result[User], error) {
	b := in.Body
	return perform(ctx, a.once, in.Key, "register-user", b, func(ctx context.Context, done bool) (result[User], error) {
		if done {
			return a.registered(ctx, b.Login)
		}
		u, err := a.Users.Register(ctx, adapter.Registration{
			Login: b.Login, Email: b.Email, Phone: b.Phone, SuggestedDomain: b.SuggestedDomain, InviterID: b.InviterID,
		})
		if err != nil {
			return result[User]{}, err
		}
		return newUser(u), nil
	})
}

func newUser(u adapter.User) result[User] {
	return result[User]{Status: http.StatusCreated, Location: Base + "users/" + u.Hash, Body: ShowUser(u)}
}

// registered is the answer about a user who was registered before.
func (a *users) registered(ctx context.Context, login string) (result[User], error) {
	list, err := a.Records.Users(ctx, adapter.UserFilter{Login: login, Limit: 1})
	if err != nil || len(list) == 0 {
		return result[User]{}, cmp.Or(err, fmt.Errorf("user %q is registered and cannot be found", login))
	}
	return newUser(list[0]), nil
}

type listUsers struct {
	Login    string `query:"login" maxLength:"255" doc:"Only the one with this login"`
	Archived string `query:"archived" enum:"true,false" doc:"Only those who are archived, or only those who are not"`
	After    string `query:"after" maxLength:"32" doc:"A cursor: the hash of the last one seen"`
	Limit    int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type usersAnswer struct {
	Body struct {
		Users []User `json:"users"`
		Next  string `json:"next,omitempty" doc:"The cursor to go on with, as after; left out at the end"`
	}
}

func (a *users) list(ctx context.Context, in *listUsers) (*usersAnswer, error) {
	f := adapter.UserFilter{Login: in.Login, After: in.After, Limit: in.Limit + 1}
	if in.Archived != "" {
		archived := in.Archived == "true"
		f.Archived = &archived
	}
	list, err := a.Records.Users(ctx, f)
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	answer := &usersAnswer{}
	list, more := page(list, in.Limit)
	answer.Body.Users = make([]User, len(list))
	for i, u := range list {
		answer.Body.Users[i] = ShowUser(u)
	}
	if more {
		answer.Body.Next = list[len(list)-1].Hash
	}
	return answer, nil
}

// page cuts a list that was asked for with one more than a page has.
func page[T any](list []T, limit int) (_ []T, more bool) {
	if len(list) > limit {
		return list[:limit], true
	}
	return list, false
}

type getUser struct {
	OfUser
	Live bool `query:"live" default:"true" doc:"Ask the platform as well"`
}

type userAnswer struct{ Body WholeUser }

func (a *users) get(ctx context.Context, in *getUser) (*userAnswer, error) {
	u, err := a.Records.User(ctx, in.Hash)
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	answer := &userAnswer{Body: WholeUser{User: ShowUser(u)}}
	answer.Body.Account, err = a.show(ctx, u.Hash)
	switch {
	case err != nil && a.Ledger != nil:
		return nil, err
	case err != nil:
		answer.Body.AccountError = err.Error()
	}
	if !in.Live {
		return answer, nil
	}
	live, err := a.Users.Live(ctx, u.Hash)
	var refusal *adapter.Refusal
	switch {
	case err == nil:
		answer.Body.Platform = ShowPlatformUser(live)
	case errors.As(err, &refusal), errors.Is(err, adapter.ErrUnanswered):
		answer.Body.PlatformError = err.Error()
	default:
		return nil, explain(ctx, a.Log, err)
	}
	return answer, nil
}

// changeUser is a POST that says all with its address.
type changeUser struct {
	Keyed
	OfUser
}

// Archived is the answer to archive-user.
type Archived struct {
	User
	LastBilling string `json:"last_billing_date,omitempty" doc:"The day up to which the platform goes on charging, 2006-01-02"`
}

func (a *users) archive(ctx context.Context, in *changeUser) (*result[Archived], error) {
	return perform(ctx, a.once, in.Key, "archive-user", in.Hash, func(ctx context.Context, done bool) (result[Archived], error) {
		var v Archived
		var last string // the platform says it once
		if !done {
			var err error
			if last, err = a.Users.Archive(ctx, in.Hash); err != nil {
				return result[Archived]{}, err
			}
		}
		u, err := a.Records.User(ctx, in.Hash)
		v.User, v.LastBilling = ShowUser(u), last
		return result[Archived]{Status: http.StatusOK, Body: v}, err
	})
}

func (a *users) unarchive(ctx context.Context, in *changeUser) (*result[User], error) {
	return perform(ctx, a.once, in.Key, "unarchive-user", in.Hash, func(ctx context.Context, done bool) (result[User], error) {
		if !done {
			if err := a.Users.Unarchive(ctx, in.Hash); err != nil {
				return result[User]{}, err
			}
		}
		u, err := a.Records.User(ctx, in.Hash)
		return result[User]{Status: http.StatusOK, Body: ShowUser(u)}, err
	})
}

type loginUser struct {
	OfUser
	Body *struct {
		Screen string `json:"r,omitempty" maxLength:"64" example:"go/payment" doc:"The screen to open: go/payment, go/support or go/help, as a link in a message passes it on"`
	} `required:"false"`
}

// Login is the answer to login-user.
type Login struct {
	URL   string `json:"url" doc:"For the src of an iframe. A secret"`
	Embed string `json:"embed" doc:"HTML of an iframe that grows with the page. A secret"`
}

type loginAnswer struct{ Body Login }

func (a *users) login(ctx context.Context, in *loginUser) (*loginAnswer, error) {
	screen := ""
	if in.Body != nil {
		screen = in.Body.Screen
	}
	l, err := a.Users.Login(ctx, in.Hash, screen)
	switch {
	case errors.Is(err, adapter.ErrInvalid): // the screen is all that can be
		return nil, wrong("body.r", "must be go/payment, go/support or go/help", screen)
	case err != nil:
		return nil, explain(ctx, a.Log, err)
	}
	return &loginAnswer{Login{URL: l.URL, Embed: l.Embed}}, nil
}
