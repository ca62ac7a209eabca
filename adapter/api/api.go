// Package api is the JSON API for the partner's panel. Its OpenAPI 3.1 document, at
// /openapi.json, is made from this code.
//
// Who calls shows a bearer token with the scopes that an operation names. Errors are RFC 9457
// problems that name the field; those that a program may want to tell apart have a type.
// Amounts are decimal text, times RFC 3339 in UTC. Lists come in pages: next, if there is one,
// is the cursor of the following page, whose order nothing disturbs. Answers to GET carry an
// ETag.
//
// A POST that changes something takes an Idempotency-Key (see once). Keys are the partner's,
// not a token's: a panel that repeats itself under a new token pays nothing twice. Payins have
// keys of their own.
//
// The operations themselves are plain Go elsewhere: adapter.Service, integra.Users and the
// store, here behind small interfaces. The structs and Show functions are exported for the
// commands, which print the same.
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
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/contract/money"
)

// A Grant is what a token allows.
type Grant struct {
	ID     string // of the token: what is revoked and limited
	Name   string // of the program or person that holds it, for logs
	Scopes []string
}

// The scopes of tokens, beside those of payins. A token with ScopeAdmin may do everything.
const (
	ScopePaymentsRead  = "payments:read" // payments, users, accounts and messages
	ScopePaymentsWrite = "payments:write"
	ScopeLedgerWrite   = "ledger:write"
	ScopeUsersWrite    = "users:write"
	ScopeAdmin         = "admin"
)

// Scopes lists every scope.
var Scopes = []string{
	ScopePaymentsRead, ScopePaymentsWrite, ScopeLedgerWrite, ScopeUsersWrite, ScopePayinsRead, ScopePayinsWrite, ScopeAdmin,
}

// Config is what the API stands on. What is nil leaves out the operations that need it.
type Config struct {
	// Verify returns what a bearer token allows; its error, which is shown, says why nothing.
	Verify func(token string) (Grant, error)
	// Revoked reports whether the token with this id is good no more; nil for never.
	Revoked func(ctx context.Context, id string) (bool, error)
	Rate    float64 // requests a second that one token may make; 0 for any number
	Burst   int     // requests that it may make at once; Rate, rounded up, if 0

	Users    Users    // needs Records
	Payments Payments // needs Records
	Balances Balances // of whoever keeps the funds
	Ledger   Ledger   // nil if the partner's billing keeps them: then balances are all that is known; needs Balances
	Records  Records
	Requests Requests       // required with any of the above
	Currency money.Currency // of payments and accounts
	Payins   Payins         // nil without Any.Money: then there are no payins
	Store    PayinStore     // required with Payins

	Reconciliations Reconciliations
	Reconciler      Reconciler // needs Reconciliations and Requests; nil where this process compares nothing
	Actions         Actions    // the audit log

	TraceID func(context.Context) string // names a request's trace; nil for none
	Act     Act                          // keeps the audit log; nil for none
	Version string                       // of the program, for the document
	Now     func() time.Time
	Log     *slog.Logger
}

// New returns the handler of everything under Base, of Base without its slash, and of /openapi.json.
func New(cfg Config) http.Handler {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := mux.NewRouter().SkipClean(true) // an odd path is no call, and gets no redirection
	r.NotFoundHandler = problem(http.StatusNotFound, cfg.TraceID)
	r.MethodNotAllowedHandler = problem(http.StatusMethodNotAllowed, cfg.TraceID)

	config := huma.DefaultConfig("partnerkit adapter", cfg.Version)
	config.Info.Description = description
	config.CreateHooks = nil // no "$schema" in answers
	config.DocsPath = ""     // the reader that comes with it is loaded from elsewhere
	config.SchemasPath = ""
	config.Formats = map[string]huma.Format{"application/json": strict, "json": strict}
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "adapter token mint --name NAME --scope SCOPE"},
	}
	if cfg.TraceID != nil {
		config.Transformers = append(config.Transformers, nameTraces(cfg.TraceID))
	}
	h := humamux.New(r, config)
	h.UseMiddleware(guard(h, cfg), limit(cfg), audit(cfg.Act, cfg.Log), allow(h), readable(h))
	o := once{requests: cfg.Requests, now: cfg.Now, log: cfg.Log}
	if cfg.Users != nil {
		(&users{Config: cfg, once: o}).mount(h)
		(&messages{Config: cfg, once: o}).mount(h)
	}
	if cfg.Payments != nil {
		(&payments{Config: cfg, once: o}).mount(h)
	}
	if cfg.Balances != nil {
		(&accounts{Config: cfg, once: o}).mount(h)
	}
	if cfg.Reconciliations != nil {
		(&reconciliations{Config: cfg, once: o}).mount(h)
	}
	if cfg.Actions != nil {
		(&actions{cfg}).mount(h)
	}
	if cfg.Payins != nil {
		(&payins{payins: cfg.Payins, store: cfg.Store, log: cfg.Log}).mount(h)
	}
	return etagged(r)
}

// description opens the document.
const description = `What a partner's panel asks of the adapter.

A call shows a bearer token that has the scope it needs; admin stands for all of them. Errors are problems (RFC 9457): detail says what is wrong, errors name the fields. Amounts are decimal text such as "99.90", times are RFC 3339 in UTC.

A POST that changes something needs an Idempotency-Key, your name for the request. Repeated with the same body it is the same request: it is done once, and the answer is the first one, with the header Idempotency-Replayed. With another body it is refused. A request whose outcome is not known (no answer, 409, 429, 5xx) is repeated under its key until there is an answer. Answers are kept for months (adapter serve --keep-answers).

A parameter of a query stands once; several values are joined by commas. Lists come newest first or in the order of their names. If there is more, next is the cursor of the following page. Answers to GET carry an ETag; If-None-Match is answered with 304 while nothing has changed.`

// Base is the path under which the API is.
const Base = "/v1/"

// guard lets a request pass whose token is good.
func guard(h huma.API, cfg Config) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		scheme, token, _ := strings.Cut(ctx.Header("Authorization"), " ")
		if !strings.EqualFold(scheme, "bearer") || token == "" {
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="partnerkit"`)
			_ = huma.WriteErr(h, ctx, http.StatusUnauthorized, "a bearer token is needed")
			return
		}
		grant, err := cfg.Verify(token)
		if err == nil && cfg.Revoked != nil {
			revoked, failed := cfg.Revoked(ctx.Context(), grant.ID)
			if failed != nil { // a token that cannot be looked up is not good, but not bad either
				cfg.Log.ErrorContext(ctx.Context(), "API call failed", "err", failed)
				_ = huma.WriteErr(h, ctx, http.StatusServiceUnavailable, "this cannot be done now")
				return
			}
			if revoked {
				err = errors.New("token is revoked")
			}
		}
		if err != nil {
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="partnerkit", error="invalid_token"`)
			_ = huma.WriteErr(h, ctx, http.StatusUnauthorized, err.Error())
			return
		}
		next(huma.WithValue(ctx, grantKey{}, grant))
	}
}

// allow lets a request pass whose token has every scope that the operation names. It comes behind
// the audit log, where an attempt without it belongs.
func allow(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		grant, _ := ctx.Context().Value(grantKey{}).(Grant)
		for _, scope := range scopes(ctx.Operation()) {
			if !slices.Contains(grant.Scopes, scope) && !slices.Contains(grant.Scopes, ScopeAdmin) {
				ctx.SetHeader("WWW-Authenticate", fmt.Sprintf(`Bearer realm="partnerkit", error="insufficient_scope", scope=%q`, scope))
				_ = huma.WriteErr(h, ctx, http.StatusForbidden, "the token lacks the scope "+scope)
				return
			}
		}
		next(ctx)
	}
}

func scopes(o *huma.Operation) []string {
	for _, s := range o.Security {
		return s["bearer"]
	}
	return nil
}

// problem answers what no operation is there for.
func problem(status int, traceID func(context.Context) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem := &huma.ErrorModel{
			Title: http.StatusText(status), Status: status,
			Detail: fmt.Sprintf("%s %s is no call of this API, see /openapi.json", r.Method, r.URL.Path),
		}
		nameTrace(r.Context(), traceID, problem)
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(problem)
	})
}
