package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// The types of problems that a program may want to tell apart.
const (
	ProblemKeyReused         = "urn:partnerkit:problem:idempotency-key-reused"
	ProblemUnderWay          = "urn:partnerkit:problem:request-under-way"
	ProblemNoFunds           = "urn:partnerkit:problem:not-enough-funds"
	ProblemArchived          = "urn:partnerkit:problem:user-archived"
	ProblemNotInDoubt        = "urn:partnerkit:problem:payment-not-in-doubt"
	ProblemChanged           = "urn:partnerkit:problem:payment-changed"
	ProblemRefused           = "urn:partnerkit:problem:platform-refused"
	ProblemUnanswered        = "urn:partnerkit:problem:platform-unanswered"
	ProblemKeptElsewhere     = "urn:partnerkit:problem:funds-kept-elsewhere"
	ProblemBillingUnanswered = "urn:partnerkit:problem:billing-unanswered"
	ProblemOverloaded        = "urn:partnerkit:problem:overloaded"
	ProblemTooManyCalls      = "urn:partnerkit:problem:too-many-requests"
)

// typed is a problem of a type.
func typed(kind string, status int, detail string, fields ...*huma.ErrorDetail) *huma.ErrorModel {
	return &huma.ErrorModel{Type: kind, Title: http.StatusText(status), Status: status, Detail: detail, Errors: fields}
}

// answer writes a problem where no operation is there to return it.
func answer(ctx huma.Context, traceID func(context.Context) string, problem *huma.ErrorModel) {
	nameTrace(ctx.Context(), traceID, problem)
	ctx.SetHeader("Content-Type", "application/problem+json")
	ctx.SetStatus(problem.Status)
	_ = json.NewEncoder(ctx.BodyWriter()).Encode(problem) // who hung up gets nothing
}

// retryable is an error after which the same request may be sent again, so many seconds later.
func retryable(err error, seconds string) error {
	return huma.ErrorWithHeaders(err, http.Header{"Retry-After": {seconds}})
}

// wrong is the problem of one field.
func wrong(location, message string, value any) error {
	return huma.Error422UnprocessableEntity(strings.TrimPrefix(location, "body.")+" "+message,
		&huma.ErrorDetail{Location: location, Message: message, Value: value})
}

// inOrder returns a problem unless a span of time can hold anything.
func inOrder(from, to time.Time) error {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return wrong("query.to", "must be after from", to)
	}
	return nil
}

// explain turns what went wrong into a problem. What is not the caller's to know goes to the log.
func explain(ctx context.Context, log *slog.Logger, err error) error {
	var (
		refusal *adapter.Refusal
		problem huma.StatusError
	)
	switch {
	case errors.As(err, &problem):
		return err
	case errors.As(err, &refusal):
		problem := typed(ProblemRefused, http.StatusUnprocessableEntity, err.Error())
		if refusal.Field != "" {
			problem.Errors = []*huma.ErrorDetail{{
				Location: "body." + refusal.Field, Message: strings.TrimSuffix(refusal.Message+": "+refusal.Reason, ": "),
			}}
		}
		return problem
	case errors.Is(err, adapter.ErrInsufficient):
		return typed(ProblemNoFunds, http.StatusUnprocessableEntity, "the user has not enough available",
			&huma.ErrorDetail{Location: "body.amount", Message: "is more than the user has available"})
	case errors.Is(err, money.ErrOverflow):
		return wrong("body.amount", "would make the balance greater than can be kept", nil)
	case errors.Is(err, adapter.ErrArchived):
		return typed(ProblemArchived, http.StatusUnprocessableEntity, err.Error())
	case errors.Is(err, adapter.ErrNotInDoubt):
		return typed(ProblemNotInDoubt, http.StatusConflict, err.Error())
	case errors.Is(err, adapter.ErrLost):
		return typed(ProblemChanged, http.StatusConflict, err.Error())
	case errors.Is(err, adapter.ErrInvalid), errors.Is(err, adapter.ErrConflict):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, adapter.ErrNotFound):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, adapter.ErrUnanswered):
		return typed(ProblemUnanswered, http.StatusBadGateway, err.Error())
	case errors.Is(err, adapter.ErrOverloaded):
		return retryable(typed(ProblemOverloaded, http.StatusTooManyRequests, err.Error()), "1")
	}
	log.ErrorContext(ctx, "API call failed", "err", err)
	return huma.Error503ServiceUnavailable("this cannot be done now")
}

// sum reads the amount of a request, and its currency, which may be left out.
func sum(amount, currency string, want money.Currency) (money.Amount, error) {
	if currency != "" && currency != want.Code() {
		return money.Amount{}, wrong("body.currency", "must be "+want.Code()+", in which the books are kept", currency)
	}
	a, err := money.Parse(amount, want)
	var format *money.FormatError
	switch {
	case errors.As(err, &format):
		return a, wrong("body.amount", string(format.Fault), amount)
	case err != nil:
		return a, wrong("body.amount", err.Error(), amount)
	case a.Minor() > adapter.MaxAmount*want.Unit():
		return a, wrong("body.amount", "is over 10^12", amount)
	}
	return a, nil
}
