package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
)

// Records has what is stored.
type Records interface {
	User(ctx context.Context, hash string) (adapter.User, error)
	Users(ctx context.Context, f adapter.UserFilter) ([]adapter.User, error)
	Payment(ctx context.Context, key adapter.Key) (adapter.Payment, error)
	PaymentByNum(ctx context.Context, num int64) (adapter.Payment, error)
	Payments(ctx context.Context, f adapter.PaymentFilter) ([]adapter.Payment, error)
	History(ctx context.Context, num int64) ([]adapter.Event, error)
}

// maxBody bounds a request's body, in bytes.
const maxBody = 16 << 10

// operation describes a call under Base: what it needs and how it can fail beside the ways in
// which every call can.
func operation(id, method, path, scope, tag, summary, description string, failures ...int) huma.Operation {
	o := huma.Operation{
		OperationID: id, Method: method, Path: Base + path, Summary: summary, Description: description, Tags: []string{tag},
		Security: []map[string][]string{{"bearer": {scope}}},
		Errors: append(failures, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity,
			http.StatusTooManyRequests, http.StatusServiceUnavailable),
	}
	if method == http.MethodPost {
		o.MaxBodyBytes = maxBody
		o.Errors = append(o.Errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	slices.Sort(o.Errors)
	o.Errors = slices.Compact(o.Errors)
	return o
}

// OfUser is the path of calls about one user.
type OfUser struct {
	Hash string `path:"hash" pattern:"^[0-9A-Za-z]{32}$" patternDescription:"32 letters or digits" doc:"The user's hash"`
}
