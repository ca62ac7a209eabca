package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// addRobokassa declares the operations on Robokassa.
func (a *api) addRobokassa(h huma.API) {
	add(h, http.MethodGet, "/robokassa/shops", "Every shop, without passwords", a.getShops)
	add(h, http.MethodPut, "/robokassa/shops/{login}", "Add a shop, or change the one with that login; its operations stay", a.putShop)
	add(h, http.MethodGet, "/robokassa/operations", "Operations, the newest first", a.getOperations)
	add(h, http.MethodGet, "/robokassa/operations/{inv_id}", "What a shop means by a number", a.getOperation)
	for _, action := range slices.Sorted(maps.Keys(actions)) {
		add(h, http.MethodPost, "/robokassa/operations/{inv_id}/"+string(action), actions[action], a.act(action))
	}
	add(h, http.MethodPost, "/robokassa/operations/{inv_id}/refund", "Give money back, as in the shop's account at Robokassa", a.refundOperation)
}

var actions = map[robokassa.Action]string{
	robokassa.ActPay:    "Pay, as a buyer does on the page",
	robokassa.ActRefuse: "Let the bank refuse; the buyer may try again",
	robokassa.ActExpire: "Let the time for paying be over",
	robokassa.ActTake:   "Take what is on hold, as in the shop's account",
	robokassa.ActFree:   "Let what is on hold go back, as in the shop's account",
}

type (
	// ShopFields is a shop without its login.
	ShopFields struct {
		Name          string `json:"name,omitempty" doc:"Shown to buyers; the login if empty"`
		Password1     string `json:"password1" minLength:"1"`
		Password2     string `json:"password2" minLength:"1"`
		TestPassword1 string `json:"test_password1,omitempty" doc:"Without the two there is no test mode"`
		TestPassword2 string `json:"test_password2,omitempty"`
		Password3     string `json:"password3,omitempty" doc:"Without it there is no Refund API"`
		Hash          string `json:"hash,omitempty" doc:"MD5 (if empty), RIPEMD160, SHA1, SHA256, SHA384 or SHA512"`
		TestHash      string `json:"test_hash,omitempty" doc:"Of the test mode; MD5 if empty"`
		ResultURL     string `json:"result_url,omitempty"`
		ResultMethod  string `json:"result_method,omitempty" doc:"POST (if empty), GET, or EMAIL: nothing is called"`
		SuccessURL    string `json:"success_url,omitempty"`
		SuccessMethod string `json:"success_method,omitempty" doc:"GET (if empty) or POST"`
		FailURL       string `json:"fail_url,omitempty"`
		FailMethod    string `json:"fail_method,omitempty" doc:"GET (if empty) or POST"`
		Inactive      bool   `json:"inactive,omitempty" doc:"Takes test payments alone"`
		NoHolds       bool   `json:"no_holds,omitempty" doc:"StepByStep is not granted"`
		NoRecurring   bool   `json:"no_recurring,omitempty" doc:"Recurring is not granted"`
	}
	shopChange struct {
		Login string `path:"login"`
		Body  ShopFields
	}
	shopView struct {
		Login         string         `json:"login"`
		Name          string         `json:"name"`
		TestMode      bool           `json:"test_mode" doc:"It has test passwords"`
		Refunds       bool           `json:"refunds" doc:"It has password 3"`
		Hash          wire.Algorithm `json:"hash"`
		TestHash      wire.Algorithm `json:"test_hash"`
		ResultURL     string         `json:"result_url"`
		ResultMethod  string         `json:"result_method"`
		SuccessURL    string         `json:"success_url"`
		SuccessMethod string         `json:"success_method"`
		FailURL       string         `json:"fail_url"`
		FailMethod    string         `json:"fail_method"`
		Inactive      bool           `json:"inactive"`
		NoHolds       bool           `json:"no_holds"`
		NoRecurring   bool           `json:"no_recurring"`
	}
	shopsAnswer struct {
		Body struct {
			Shops []shopView `json:"shops"`
		}
	}
	shopAnswer struct{ Body shopView }
)

func (a *api) getShops(context.Context, *none) (*shopsAnswer, error) {
	answer := &shopsAnswer{}
	answer.Body.Shops = []shopView{}
	for _, shop := range a.Robokassa.Shops() {
		answer.Body.Shops = append(answer.Body.Shops, shopOf(shop))
	}
	return answer, nil
}

func shopOf(s robokassa.Shop) shopView {
	return shopView{
		Login: s.Login, Name: s.Title(), TestMode: s.TestPassword1 != "" && s.TestPassword2 != "", Refunds: s.Password3 != "",
		Hash: s.Hash, TestHash: s.TestHash, ResultURL: s.ResultURL, ResultMethod: s.ResultMethod,
		SuccessURL: s.SuccessURL, SuccessMethod: s.SuccessMethod, FailURL: s.FailURL, FailMethod: s.FailMethod,
		Inactive: s.Inactive, NoHolds: s.NoHolds, NoRecurring: s.NoRecurring,
	}
}

func (a *api) putShop(_ context.Context, in *shopChange) (*shopAnswer, error) {
	b := in.Body
	err := a.Robokassa.PutShop(robokassa.Shop{
		Login: in.Login, Name: b.Name,
		Password1: wire.Password(b.Password1), Password2: wire.Password(b.Password2), Password3: wire.Password(b.Password3),
		TestPassword1: wire.Password(b.TestPassword1), TestPassword2: wire.Password(b.TestPassword2),
		Hash: wire.Algorithm(b.Hash), TestHash: wire.Algorithm(b.TestHash),
		ResultURL: b.ResultURL, ResultMethod: b.ResultMethod, SuccessURL: b.SuccessURL, SuccessMethod: b.SuccessMethod,
		FailURL: b.FailURL, FailMethod: b.FailMethod,
		Inactive: b.Inactive, NoHolds: b.NoHolds, NoRecurring: b.NoRecurring,
	})
	if err != nil {
		return nil, fieldProblem("body.", err)
	}
	for _, shop := range a.Robokassa.Shops() {
		if shop.Login == in.Login {
			return &shopAnswer{shopOf(shop)}, nil
		}
	}
	return nil, huma.Error404NotFound("the shop is gone")
}

// fieldProblem is a 422 that names a field of a shop or of the settings.
func fieldProblem(prefix string, err error) error {
	var field *robokassa.FieldError
	if errors.As(err, &field) {
		return invalid(prefix+field.Field, errors.New(field.Why))
	}
	return err
}

// patchRobokassa changes the switches that are given.
func (a *api) patchRobokassa(change map[string]any) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return invalid("body.robokassa", err)
	}
	err = a.Robokassa.ChangeSettings(func(s *robokassa.Settings) error {
		d := json.NewDecoder(bytes.NewReader(patch))
		d.DisallowUnknownFields()
		if err := d.Decode(s); err != nil {
			return invalid("body.robokassa", err)
		}
		return nil
	})
	return fieldProblem("body.robokassa.", err)
}

type (
	operationsQuery struct {
		Shop   string           `query:"shop" doc:"Of this shop alone"`
		State  int              `query:"state" minimum:"-1" maximum:"100" default:"-1" doc:"Code of OpState; 0 while the page is only open, -1 for any"`
		Source robokassa.Source `query:"source" enum:"page,card,invoice,recurring"`
		Before string           `query:"before" doc:"Only operations older than the one of this guid"`
		Limit  int              `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	operationsAnswer struct {
		Body struct {
			Operations []operationBody `json:"operations"`
		}
	}
	operationQuery struct {
		InvID int64  `path:"inv_id"`
		Shop  string `query:"shop" required:"true"`
	}
	operationAction struct {
		InvID int64 `path:"inv_id"`
		Body  actionBody
	}
	actionBody struct {
		Shop   string `json:"shop" minLength:"1"`
		Method string `json:"method,omitempty" doc:"Label such as BankCardPSR; the first that is offered if empty"`
	}
	operationRefund struct {
		InvID int64 `path:"inv_id"`
		Body  struct {
			Shop   string `json:"shop" minLength:"1"`
			Amount string `json:"amount,omitempty" example:"10.50" doc:"In roubles; all that is left if empty"`
		}
	}
	operationAnswer struct{ Body operationBody }
	operationBody   struct {
		InvID     string           `json:"inv_id"`
		Shop      string           `json:"shop"`
		Test      bool             `json:"test"`
		Source    robokassa.Source `json:"source" enum:"page,card,invoice,recurring"`
		GUID      string           `json:"guid" doc:"Its page is /robokassa/Merchant/Index/{guid}"`
		State     int              `json:"state" doc:"Code of OpState; 0 while the page is only open"`
		OutSum    string           `json:"out_sum"`
		Currency  string           `json:"currency"`
		IncSum    string           `json:"inc_sum" doc:"What the buyer pays, in roubles"`
		Fee       string           `json:"fee"`
		Refunded  string           `json:"refunded"`
		Method    string           `json:"method,omitempty"`
		OpKey     string           `json:"op_key,omitempty"`
		Failure   string           `json:"failure,omitempty" doc:"Why it was refused the last time"`
		Expired   bool             `json:"expired,omitempty"`
		CreatedMS int64            `json:"created_ms"`
		StateMS   int64            `json:"state_ms" doc:"Since when it is in this state"`
		Delivered bool             `json:"delivered" doc:"ResultURL was answered with OK and the number"`
		Tries     int              `json:"tries" doc:"Messages to ResultURL"`
		NextTryMS int64            `json:"next_try_ms,omitempty"`
		History   []operationStep  `json:"history" doc:"States it has been in, the latest at the end"`
	}
	operationStep struct {
		State int    `json:"state" doc:"Code of OpState"`
		Why   string `json:"why,omitempty" doc:"Of a failure"`
		AtMS  int64  `json:"at_ms"`
	}
)

func operationOf(o robokassa.Operation) operationBody {
	history := make([]operationStep, len(o.History))
	for i, s := range o.History {
		history[i] = operationStep{int(s.State), s.Why, s.At.UnixMilli()}
	}
	return operationBody{
		History: history,
		InvID:   strconv.FormatInt(o.InvID, 10), Shop: o.Shop, Test: o.Test, Source: o.Source, GUID: o.GUID, State: int(o.State),
		OutSum: o.Sum.Text(), Currency: o.Sum.Currency().Code(), IncSum: o.Roubles.Text(), Fee: o.Fee.Text(), Refunded: o.Refunded.Text(),
		Method: o.Method, OpKey: o.OpKey, Failure: o.Failure, Expired: o.Expired,
		CreatedMS: o.Created.UnixMilli(), StateMS: o.Changed.UnixMilli(), Delivered: o.Delivered, Tries: o.Tries, NextTryMS: orZero(o.NextTry),
	}
}

func (a *api) getOperations(_ context.Context, in *operationsQuery) (*operationsAnswer, error) {
	answer := &operationsAnswer{}
	answer.Body.Operations = []operationBody{}
	f := robokassa.Filter{Shop: in.Shop, Source: in.Source, Before: in.Before, Limit: in.Limit}
	if in.State >= 0 {
		f.State = new(robokassa.State(in.State))
	}
	for _, o := range a.Robokassa.Operations(f) {
		answer.Body.Operations = append(answer.Body.Operations, operationOf(o))
	}
	return answer, nil
}

func (a *api) getOperation(_ context.Context, in *operationQuery) (*operationAnswer, error) {
	o, ok := a.Robokassa.Operation(in.Shop, in.InvID)
	if !ok {
		return nil, huma.Error404NotFound(fmt.Sprintf("shop %s has no operation %d", in.Shop, in.InvID))
	}
	return &operationAnswer{operationOf(o)}, nil
}

func (a *api) act(what robokassa.Action) func(context.Context, *operationAction) (*operationAnswer, error) {
	return func(_ context.Context, in *operationAction) (*operationAnswer, error) {
		return acted(a.Robokassa.Act(in.Body.Shop, in.InvID, what, in.Body.Method))
	}
}

func (a *api) refundOperation(_ context.Context, in *operationRefund) (*operationAnswer, error) {
	return acted(a.Robokassa.Refund(in.Body.Shop, in.InvID, in.Body.Amount))
}

// acted answers what came of an action.
func acted(o robokassa.Operation, refused *robokassa.Refusal) (*operationAnswer, error) {
	switch {
	case refused == nil:
		return &operationAnswer{operationOf(o)}, nil
	case refused.Check == robokassa.CheckOperation:
		return nil, huma.Error404NotFound(refused.Reason)
	case refused.Check == robokassa.CheckMethod:
		return nil, invalid("body.method", errors.New(refused.Reason))
	case refused.Check == robokassa.CheckSum:
		return nil, invalid("body.amount", errors.New(refused.Reason))
	}
	return nil, huma.Error409Conflict(refused.Error())
}
