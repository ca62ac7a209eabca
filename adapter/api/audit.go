package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
)

// Act does what somebody asked for and puts it into the audit log, in the same transaction as
// its effect if it has one (store.Store.Act).
type Act func(ctx context.Context, a adapter.Action, do func(context.Context) error) error

// grantKey is where guard leaves the Grant in a request's context.
type grantKey struct{}

// audit puts every call that may change something, one whose scope is not for reading, into
// the audit log under the token's name.
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

// readsOnly reports whether an operation asks for reading scopes alone.
func readsOnly(o *huma.Operation) bool {
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
