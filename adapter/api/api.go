// Package api is the JSON API for the partner's panel. Its OpenAPI 3.1 document, at
// /openapi.json, is made from this code.
//
// Who calls shows a bearer token with the scopes that an operation names. Errors are RFC 9457
// problems. A POST that makes something takes an Idempotency-Key: the same key with the same
// body is the same thing, made once; with another body it is refused. Amounts are decimal text,
// times RFC 3339 in UTC.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/adapter"
)

// A Grant is what a token allows.
type Grant struct {
	Name   string // of the program or person that holds it, for logs
	Scopes []string
}

// Config is what the API stands on.
type Config struct {
	// Verify returns what a bearer token allows; its error, which is shown, says why nothing.
	Verify  func(token string) (Grant, error)
	Payins  Payins     // nil without Any.Money: then there are no payins
	Store   PayinStore // required with Payins
	Act     Act        // keeps the audit log; nil for none
	Version string     // of the program, for the document
	Log     *slog.Logger
}

// New returns the handler of everything under Base and of /openapi.json.
func New(cfg Config) http.Handler {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	r := mux.NewRouter()
	r.NotFoundHandler = problem(http.StatusNotFound)
	r.MethodNotAllowedHandler = problem(http.StatusMethodNotAllowed)

	config := huma.DefaultConfig("partnerkit adapter", cfg.Version)
	config.Info.Description = "What a partner's panel asks of the adapter."
	config.CreateHooks = nil // no "$schema" in answers
	config.DocsPath = ""     // the reader that comes with it is loaded from elsewhere
	config.SchemasPath = ""
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "adapter token mint --name NAME --scope SCOPE"},
	}
	h := humamux.New(r, config)
	h.UseMiddleware(guard(h, cfg.Verify), audit(cfg.Act, cfg.Log))
	if cfg.Payins != nil {
		(&payins{payins: cfg.Payins, store: cfg.Store, log: cfg.Log}).mount(h)
	}
	return r
}

// Base is the path under which the API is.
const Base = "/v1/"

// guard lets a request pass whose token has every scope that the operation names.
func guard(h huma.API, verify func(string) (Grant, error)) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		scheme, token, _ := strings.Cut(ctx.Header("Authorization"), " ")
		if !strings.EqualFold(scheme, "bearer") || token == "" {
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="partnerkit"`)
			_ = huma.WriteErr(h, ctx, http.StatusUnauthorized, "a bearer token is needed")
			return
		}
		grant, err := verify(token)
		if err != nil {
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="partnerkit", error="invalid_token"`)
			_ = huma.WriteErr(h, ctx, http.StatusUnauthorized, err.Error())
			return
		}
		for _, scope := range scopes(ctx.Operation()) {
			if !slices.Contains(grant.Scopes, scope) {
				ctx.SetHeader("WWW-Authenticate", fmt.Sprintf(`Bearer realm="partnerkit", error="insufficient_scope", scope=%q`, scope))
				_ = huma.WriteErr(h, ctx, http.StatusForbidden, "the token lacks the scope "+scope)
				return
			}
		}
		next(huma.WithValue(ctx, grantKey{}, grant))
	}
}

func scopes(o *huma.Operation) []string {
	for _, s := range o.Security {
		return s["bearer"]
	}
	return nil
}

// problem answers what no operation is there for.
func problem(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(huma.NewError(status, fmt.Sprintf("%s %s is no call of this API, see /openapi.json", r.Method, r.URL.Path)))
	})
}

// explain turns what went wrong into a problem. What is not the caller's to know goes to the log.
func explain(ctx context.Context, log *slog.Logger, err error) error {
	var refusal *adapter.Refusal
	switch {
	case errors.As(err, &refusal):
		return huma.Error422UnprocessableEntity(err.Error(), &huma.ErrorDetail{
			Location: strings.TrimSuffix("body."+refusal.Field, "."), Message: strings.TrimSuffix(refusal.Message+": "+refusal.Reason, ": "),
		})
	case errors.Is(err, adapter.ErrInvalid), errors.Is(err, adapter.ErrConflict):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, adapter.ErrNotFound):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, adapter.ErrUnanswered):
		return huma.Error502BadGateway(err.Error())
	}
	log.ErrorContext(ctx, "API call failed", "err", err)
	return huma.Error503ServiceUnavailable("this cannot be done now")
}
