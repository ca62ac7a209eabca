package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/anymoney"
)

// addAnyMoney declares the operations on Any.Money.
func (a *api) addAnyMoney(h huma.API) {
	add(h, http.MethodGet, "/anymoney/config", "The configuration as it is at the moment, balances and codes included, keys hidden", a.getConfig)
	addLarge(h, http.MethodPut, "/anymoney/config", "Begin anew with a configuration, and no orders", a.putConfig)
	addLarge(h, http.MethodPatch, "/anymoney/config", "Merge a patch (RFC 7396) into the configuration as it is at the moment; orders stay", a.patchConfig)
	add(h, http.MethodGet, "/anymoney/orders", "Orders as the API shows them, the newest first", a.getOrders)
	add(h, http.MethodGet, "/anymoney/orders/{externalid}/history", "The statuses that an order has had", a.getHistory)
	add(h, http.MethodGet, "/anymoney/orders/{externalid}", "One order of a merchant, as the API shows it", a.getOrder)
	add(h, http.MethodPost, "/anymoney/orders/{externalid}/status", "Give an order a status; a final one stays what it is", a.setStatus)
}

// addLarge is add for operations that take a whole configuration.
func addLarge[In, Out any](h huma.API, verb, path, summary string, do func(context.Context, *In) (*Out, error)) {
	huma.Register(h, huma.Operation{
		OperationID: huma.GenerateOperationID(verb, path, (*Out)(nil)),
		Method:      verb, Path: path, Summary: summary,
		MaxBodyBytes: 8 << 20,
	}, do)
}

type (
	configBody struct {
		Body json.RawMessage `doc:"An object of settings, currencies, payways, exchanges, merchants and codes"`
	}
	jsonAnswer struct{ Body json.RawMessage }
)

func (a *api) getConfig(context.Context, *none) (*jsonAnswer, error) {
	return &jsonAnswer{a.AnyMoney.Document()}, nil
}

func (a *api) putConfig(_ context.Context, in *configBody) (*none, error) {
	return nil, configProblem(a.AnyMoney.Configure(in.Body))
}

func (a *api) patchConfig(_ context.Context, in *configBody) (*none, error) {
	return nil, configProblem(a.AnyMoney.Patch(in.Body))
}

// configProblem is a 422 that names every fault by its path.
func configProblem(err error) error {
	var config *anymoney.ConfigError
	if !errors.As(err, &config) {
		return err
	}
	var details []error
	for _, fault := range config.Faults {
		location := "body"
		if fault.Path != "" {
			location += "." + fault.Path
		}
		details = append(details, &huma.ErrorDetail{Location: location, Message: fault.Why})
	}
	return huma.Error422UnprocessableEntity("validation failed", details...)
}

type (
	orderQuery struct {
		ExternalID string `path:"externalid" doc:"Percent-encoded where it has slashes"`
		Merchant   string `query:"merchant" required:"true" doc:"lid" example:"37"`
	}
	statusChange struct {
		ExternalID string `path:"externalid" doc:"Percent-encoded where it has slashes"`
		Body       StatusFields
	}
	// StatusFields is an order's new status.
	StatusFields struct {
		Merchant string      `json:"merchant" doc:"lid" example:"37"`
		Status   wire.Status `json:"status" enum:"new,pending,started,wait,retry,finalizing,abnormal,done,fail,reject,expired,canceled"`
	}
)

type (
	ordersQuery struct {
		Merchant string      `query:"merchant" doc:"lid" example:"37"`
		Status   wire.Status `query:"status" enum:"new,pending,started,wait,retry,finalizing,abnormal,done,fail,reject,expired,canceled"`
		Before   int64       `query:"before" doc:"Only orders with a smaller lid"`
		Limit    int         `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	ordersAnswer struct {
		Body struct {
			Orders []json.RawMessage `json:"orders"`
		}
	}
	historyAnswer struct {
		Body struct {
			History []orderStep `json:"history" doc:"The latest at the end"`
		}
	}
	orderStep struct {
		Status wire.Status `json:"status"`
		AtMS   int64       `json:"at_ms"`
	}
)

func (a *api) getOrders(_ context.Context, in *ordersQuery) (*ordersAnswer, error) {
	answer := &ordersAnswer{}
	answer.Body.Orders = []json.RawMessage{}
	for _, o := range a.AnyMoney.Orders(anymoney.Filter{Merchant: in.Merchant, Status: in.Status, Before: in.Before, Limit: in.Limit}) {
		answer.Body.Orders = append(answer.Body.Orders, o.Object().AppendJSON(nil))
	}
	return answer, nil
}

func (a *api) getHistory(_ context.Context, in *orderQuery) (*historyAnswer, error) {
	answer := &historyAnswer{}
	answer.Body.History = []orderStep{}
	steps := a.AnyMoney.History(in.Merchant, in.ExternalID)
	if steps == nil {
		return nil, huma.Error404NotFound("merchant " + in.Merchant + " has no order " + in.ExternalID)
	}
	for _, s := range steps {
		answer.Body.History = append(answer.Body.History, orderStep{s.Status, s.At.UnixMilli()})
	}
	return answer, nil
}

func (a *api) getOrder(_ context.Context, in *orderQuery) (*jsonAnswer, error) {
	return orderAnswer(in.Merchant, in.ExternalID, a.AnyMoney.Order)
}

func (a *api) setStatus(_ context.Context, in *statusChange) (*jsonAnswer, error) {
	return orderAnswer(in.Body.Merchant, in.ExternalID, func(merchant, externalID string) *wire.Order {
		return a.AnyMoney.SetStatus(merchant, externalID, in.Body.Status)
	})
}

// orderAnswer shows what get returns.
func orderAnswer(merchant, externalID string, get func(merchant, externalID string) *wire.Order) (*jsonAnswer, error) {
	if order := get(merchant, externalID); order != nil {
		return &jsonAnswer{order.Object().AppendJSON(nil)}, nil
	}
	return nil, huma.Error404NotFound("merchant " + merchant + " has no order " + externalID)
}
