package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
)

// Act does what somebody asked for and puts it into the audit log, in the same transaction as
// its effect if it has one (store.Store.Act).
type Act func(ctx context.Context, a adapter.Action, do func(context.Context) error) error

// grantKey is where guard leaves the Grant in a request's context.
type grantKey struct{}

// audit puts every call that may change something, one whose scope is not for reading, into
// the audit log under the token's name, whatever becomes of it: what is refused since there is no
// such payment, or since the token lacks the scope, was attempted all the same.
func audit(act Act, log *slog.Logger) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if act == nil || readsOnly(ctx.Operation()) {
			next(ctx)
			return
		}
		grant, _ := ctx.Context().Value(grantKey{}).(Grant)
		path := ctx.URL().Path
		a := adapter.Action{
			Who: grant.Name, Via: adapter.ViaAPI, What: ctx.Operation().OperationID, On: strings.TrimPrefix(path, Base),
		}
		if key := ctx.Header("Idempotency-Key"); key != "" {
			a.Detail = "key " + key
		}
		var refused error
		err := act(ctx.Context(), a, func(c context.Context) error {
			inner := huma.WithContext(ctx, c)
			next(inner)
			refused = refusal(inner.Status())
			return refused
		})
		if err != refused { //nolint:errorlint // anything more than that is the log's own trouble
			log.ErrorContext(ctx.Context(), "an action is missing in the audit log", "who", a.Who, "what", a.What, "on", a.On, "err", err)
		}
	}
}

// readsOnly reports whether an operation is a GET or asks for reading scopes alone.
func readsOnly(o *huma.Operation) bool {
	if o.Method == http.MethodGet {
		return true
	}
	for _, scope := range scopes(o) {
		if !strings.HasSuffix(scope, ":read") {
			return false
		}
	}
	return true
}

// refusal is a status as the audit log tells of it; nil for success.
func refusal(status int) error {
	switch {
	case status < http.StatusBadRequest:
		return nil
	case status < http.StatusInternalServerError:
		return fmt.Errorf("%w: answered %d %s", adapter.ErrInvalid, status, http.StatusText(status))
	}
	return fmt.Errorf("answered %d %s", status, http.StatusText(status))
}

// Actions has the audit log.
type Actions interface {
	Actions(ctx context.Context, f adapter.ActionFilter) ([]adapter.Action, error)
}

// Action is a line of the audit log as the API and the commands show it.
type Action struct {
	Num    int64  `json:"num" doc:"Our own number; the cursor of the log"`
	At     string `json:"at"`
	Who    string `json:"who" doc:"The token's name, or the account that ran the command"`
	Via    string `json:"via" doc:"The way in: cli, api or console"`
	What   string `json:"what" doc:"As the way in calls it: ledger deposit, create-payin"`
	On     string `json:"on,omitempty" doc:"What it was done to: user/HASH, payment/ID"`
	Result string `json:"result" doc:"done, refused or failed"`
	Detail string `json:"detail,omitempty" doc:"What was asked for, and why it was refused or failed"`
}

// ShowAction returns an action as it is shown.
func ShowAction(a adapter.Action) Action {
	return Action{Num: a.Num, At: stamp(a.At), Who: a.Who, Via: a.Via, What: a.What, On: a.On, Result: string(a.Result), Detail: a.Detail}
}

type actions struct{ Config }

func (a *actions) mount(h huma.API) {
	huma.Register(h, operation("list-actions", http.MethodGet, "audit", ScopeAdmin, "audit",
		"Who did what, by which way, and how it ended", "The newest first. Nothing is ever taken out of the log; looking into it is not in it."), a.list)
}

type listActions struct {
	Who    string    `query:"who" maxLength:"255" doc:"Only this person's or token's"`
	Via    string    `query:"via" enum:"cli,api,console" doc:"Only by this way"`
	What   string    `query:"what" maxLength:"255" doc:"Only this action"`
	On     string    `query:"on" maxLength:"255" doc:"Only what was done to this"`
	From   time.Time `query:"from" doc:"At or after this time" example:"2026-11-01T00:00:00Z"`
	To     time.Time `query:"to" doc:"Before this time" example:"2026-12-01T00:00:00Z"`
	Before int64     `query:"before" minimum:"0" doc:"A cursor: the num of the last one seen"`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type actionsAnswer struct {
	Body struct {
		Actions []Action `json:"actions"`
		Next    int64    `json:"next,omitempty" doc:"The cursor to go on with, as before; left out at the end"`
	}
}

func (a *actions) list(ctx context.Context, in *listActions) (*actionsAnswer, error) {
	if err := inOrder(in.From, in.To); err != nil {
		return nil, err
	}
	list, err := a.Actions.Actions(ctx, adapter.ActionFilter{
		Who: in.Who, Via: in.Via, What: in.What, On: in.On, From: in.From, To: in.To, Before: in.Before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	answer := &actionsAnswer{}
	list, more := page(list, in.Limit)
	answer.Body.Actions = make([]Action, len(list))
	for i, x := range list {
		answer.Body.Actions[i] = ShowAction(x)
	}
	if more {
		answer.Body.Next = list[len(list)-1].Num
	}
	return answer, nil
}
