// Package control is the stand-in's control API: JSON over HTTP on a port of its own, by
// which tests and pages set the scene and see what happened. Its OpenAPI document, at
// /openapi.json, is made from this code.
//
// Times are milliseconds since 1970: virtual, unless the name says "real". Sums are decimal
// text in roubles. Errors are RFC 9457 problems whose errors name the field. Secrets are
// masked in all that is given out.
//
// One server has any number of worlds beside each other: every call is about the namespace
// that its header X-Mock-Namespace or its path prefix /ns/{name} names.
//
// Nobody is asked who they are: the port belongs on the loopback interface.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/mockplatform/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// Config is what the API controls.
type Config struct {
	Clock     *clock.Clock
	Journal   *journal.Journal
	Faults    *fault.Set
	Integra   *integra.Platform
	AnyMoney  *anymoney.Platform
	Robokassa *robokassa.Platform
	Reset     func()       // everything, to the state after the start
	Healthy   func() error // nil when all listeners serve
	Version   string       // of the program, for the document

	PlatformURL string // where platform traffic goes, without a slash at its end

	Snapshots     Snapshots
	Scenarios     Scenarios
	IntegraShop   string                  // login of Integra's shop at Robokassa
	Namespaces    func() []string         // their names, in order
	MakeNamespace func(name string) error // unless it is there; the error is about the name or the limit
	DropNamespace func(name string) bool  // reports whether there was one
}

type api struct{ Config }

// Mount adds the API to a router.
func Mount(r *mux.Router, cfg Config) {
	a := &api{cfg}
	config := huma.DefaultConfig("mockplatform control API", cfg.Version)
	config.Info.Description = "Sets the scene for the stand-in and shows what happened there."
	config.CreateHooks = nil // no "$schema" in answers: their shapes are fixed
	config.DocsPath = ""     // the reader that comes with it is loaded from elsewhere
	config.SchemasPath = ""
	config.RejectUnknownQueryParameters = true
	calls := r.NewRoute().Subrouter().UseEncodedPath() // a name in a path may have slashes
	foreign := http.NewCrossOriginProtection()         // the port asks nobody who they are, but a page of another site is not taken for a test
	foreign.SetDenyHandler(problem(http.StatusForbidden, "is asked for by a page of another site"))
	calls.Use(foreign.Handler, asJSON, unescaped)
	h := humamux.New(calls, config)

	add(h, http.MethodGet, "/healthz", "Whether all listeners serve", a.health)
	add(h, http.MethodPost, "/reset", "Back to the state after the start: seed, clock, settings, nobody and nothing, empty journal", a.reset)
	add(h, http.MethodGet, "/clock", "The virtual time", a.getClock)
	add(h, http.MethodPut, "/clock", "Set the time, freeze or release it, let it run faster", a.putClock)
	add(h, http.MethodPost, "/clock/advance", "Move time on, and run all that falls due before answering", a.advance)
	add(h, http.MethodGet, "/ns", "The namespaces; one is made by naming it, in the header X-Mock-Namespace or as the path prefix /ns/{name}", a.getNamespaces)
	add(h, http.MethodPut, "/ns/{name}", "Make a namespace, unless it is there", a.putNamespace)
	add(h, http.MethodDelete, "/ns/{name}", "End a namespace and forget all that is in it", a.deleteNamespace)
	a.addSnapshots(h)
	a.addScenario(h)
	a.addJournal(h)
	add(h, http.MethodGet, "/settings", "The switches for what the protocols leave open", a.getSettings)
	add(h, http.MethodPatch, "/settings", "Change the switches that are given", a.patchSettings)
	add(h, http.MethodGet, "/integra/partners", "Every partner, without keys", a.getPartners)
	add(h, http.MethodPut, "/integra/partners/{hash}", "Add or change a partner", a.putPartner)
	add(h, http.MethodGet, "/integra/users", "Every user, without payments", a.getUsers)
	add(h, http.MethodGet, "/integra/users/{hash}", "One user with payments, the newest first", a.getUser)
	add(h, http.MethodPut, "/integra/users/{hash}", "Add a user, or change balance, notification URL, site and archiving of the one with that hash", a.putUser)
	add(h, http.MethodPost, "/integra/users/{hash}/topups", "Press the button that tops up", a.topUp)
	add(h, http.MethodGet, "/integra/payments/{id}", "One payment with its notifications", a.getPayment)
	add(h, http.MethodPost, "/integra/payments/{id}/refund", "Give money of a top-up by Robokassa back", a.refundPayment)
	add(h, http.MethodPost, "/integra/compose", "The address of a request as a partner would make it, sealed and signed", a.compose)
	a.addFaults(h)
	a.addAnyMoney(h)
	a.addRobokassa(h)

	const noCall = "is no call of this API, see /openapi.json"
	r.NotFoundHandler = problem(http.StatusNotFound, noCall)
	r.MethodNotAllowedHandler = problem(http.StatusMethodNotAllowed, noCall)
}

// add declares an operation.
func add[In, Out any](h huma.API, verb, path, summary string, do func(context.Context, *In) (*Out, error)) {
	huma.Register(h, huma.Operation{
		OperationID: huma.GenerateOperationID(verb, path, (*Out)(nil)),
		Method:      verb, Path: path, Summary: summary,
		MaxBodyBytes: 64 << 10,
	}, do)
}

// asJSON takes every body for JSON, also from a caller who does not say so: curl -d claims to
// send a form.
func asJSON(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		next.ServeHTTP(w, r)
	})
}

// unescaped gives calls the names in their path as they are meant: the router has matched them as
// they are written.
func unescaped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, written := range mux.Vars(r) {
			if meant, err := url.PathUnescape(written); err == nil { // else net/http had refused it
				mux.Vars(r)[name] = meant
			}
		}
		next.ServeHTTP(w, r)
	})
}

// problem answers what no operation is there for.
func problem(status int, what string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(huma.NewError(status, fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, what)))
	})
}

// invalid is a 422 that names the field at fault.
func invalid(location string, err error) error {
	return huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Location: location, Message: err.Error()})
}

type (
	none         struct{}
	healthAnswer struct {
		Body struct {
			Status string `json:"status" example:"ok"`
		}
	}
)

func (a *api) health(context.Context, *none) (*healthAnswer, error) {
	if err := a.Healthy(); err != nil {
		return nil, huma.Error503ServiceUnavailable(err.Error())
	}
	answer := &healthAnswer{}
	answer.Body.Status = "ok"
	return answer, nil
}

func (a *api) reset(context.Context, *none) (*none, error) {
	a.Reset()
	return nil, nil
}

type (
	namespacesAnswer struct {
		Body struct {
			Namespaces []string `json:"namespaces"`
		}
	}
	namespaceQuery struct {
		Name string `path:"name"`
	}
)

func (a *api) getNamespaces(context.Context, *none) (*namespacesAnswer, error) {
	answer := &namespacesAnswer{}
	answer.Body.Namespaces = append([]string{}, a.Namespaces()...)
	return answer, nil
}

func (a *api) putNamespace(_ context.Context, in *namespaceQuery) (*none, error) {
	if err := a.MakeNamespace(in.Name); err != nil {
		return nil, invalid("path.name", err)
	}
	return nil, nil
}

func (a *api) deleteNamespace(_ context.Context, in *namespaceQuery) (*none, error) {
	if !a.DropNamespace(in.Name) {
		return nil, huma.Error404NotFound("there is no namespace " + in.Name)
	}
	return nil, nil
}

// Clock

type clockBody struct {
	NowMS  int64 `json:"now_ms" doc:"Virtual time, milliseconds since 1970"`
	Frozen bool  `json:"frozen" doc:"Time moves only when it is told to"`
	Rate   int   `json:"rate" doc:"Virtual seconds per real second"`
}

type clockAnswer struct{ Body clockBody }

type clockChange struct {
	Body struct {
		NowMS  *int64 `json:"now_ms,omitempty" minimum:"0" doc:"A later time is reached as by advance; an earlier one takes all that waits back with it"`
		Frozen *bool  `json:"frozen,omitempty"`
		Rate   *int   `json:"rate,omitempty" minimum:"1" maximum:"1000"`
	}
}

type clockStep struct {
	Body struct {
		MS int64 `json:"ms" minimum:"0" maximum:"3153600000000" doc:"Milliseconds of virtual time, up to a hundred years"`
	}
}

func (a *api) getClock(context.Context, *none) (*clockAnswer, error) {
	now := a.Clock.State()
	return &clockAnswer{clockBody{NowMS: now.Now.UnixMilli(), Frozen: now.Frozen, Rate: now.Rate}}, nil
}

func (a *api) putClock(ctx context.Context, in *clockChange) (*clockAnswer, error) {
	change := clock.Change{Frozen: in.Body.Frozen, Rate: in.Body.Rate}
	if in.Body.NowMS != nil {
		now := time.UnixMilli(*in.Body.NowMS)
		change.Now = &now
	}
	if err := a.Clock.Set(ctx, change); err != nil {
		return nil, clockProblem("body.now_ms", err)
	}
	return a.getClock(ctx, nil)
}

func (a *api) advance(ctx context.Context, in *clockStep) (*clockAnswer, error) {
	if err := a.Clock.Advance(ctx, time.Duration(in.Body.MS)*time.Millisecond); err != nil {
		return nil, clockProblem("body.ms", err)
	}
	return a.getClock(ctx, nil)
}

func clockProblem(location string, err error) error {
	if errors.Is(err, clock.ErrInvalid) {
		return invalid(location, err)
	}
	return huma.Error503ServiceUnavailable("the clock was stopped on its way: " + err.Error())
}
