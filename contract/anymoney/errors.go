package anymoney

import (
	"fmt"
	"strconv"
)

// A Code is the code of an error.
type Code int

// The codes of the docs (exc.md). Each has one message, see Code.Message.
const (
	CodeParse               Code = -32700
	CodeInvalidRequest      Code = -32600
	CodeMethodNotFound      Code = -32601
	CodeInternal            Code = -32603
	CodeParamInvalid        Code = -32003
	CodeParamType           Code = -32004
	CodeSignInvalid         Code = -32010
	CodeHeadersInvalid      Code = -32012
	CodeRequestWindow       Code = -32013
	CodeCurrencyInvalid     Code = -32014
	CodeMerchantInvalid     Code = -32015
	CodeFieldInvalid        Code = -32016
	CodePeriodInvalid       Code = -32020
	CodePeriodTooShort      Code = -32021
	CodePeriodTooLong       Code = -32022
	CodeForbidden           Code = -32032
	CodeCurrencyInactive    Code = -32033
	CodeCurrencyUnavailable Code = -32055
	CodeAmountTooBig        Code = -32073
	CodeAmountTooSmall      Code = -32074
	CodeCodeInvalid         Code = -32076
	CodePaywayInvalid       Code = -32081
	CodeAmountFormat        Code = -32082
	CodePaywayInactive      Code = -32083
	CodePaywayUnavailable   Code = -32084
	CodeExchangeUnavailable Code = -32085
	CodeNotFound            Code = -32090
	CodeUnique              Code = -32091
)

var messages = map[Code]string{
	CodeParse:               "Parse error",
	CodeInvalidRequest:      "Invalid Request",
	CodeMethodNotFound:      "Method not found",
	CodeInternal:            "Internal error",
	CodeParamInvalid:        "EParamInvalid",
	CodeParamType:           "EParamType",
	CodeSignInvalid:         "EParamSignInvalid",
	CodeHeadersInvalid:      "EParamHeadersInvalid",
	CodeRequestWindow:       "EParamRequestWindow",
	CodeCurrencyInvalid:     "EParamCurrencyInvalid",
	CodeMerchantInvalid:     "EParamMerchantInvalid",
	CodeFieldInvalid:        "EParamFieldInvalid",
	CodePeriodInvalid:       "EParamPeriodInvalid",
	CodePeriodTooShort:      "EParamPeriodTooShort",
	CodePeriodTooLong:       "EParamPeriodTooLong",
	CodeForbidden:           "EStateForbidden",
	CodeCurrencyInactive:    "EStateCurrencyInactive",
	CodeCurrencyUnavailable: "EStateCurrencyUnavail",
	CodeAmountTooBig:        "EParamAmountTooBig",
	CodeAmountTooSmall:      "EParamAmountTooSmall",
	CodeCodeInvalid:         "EParamCodeInvalid",
	CodePaywayInvalid:       "EParamPaywayInvalid",
	CodeAmountFormat:        "EParamAmountFormatInvalid",
	CodePaywayInactive:      "EStatePaywayInactive",
	CodePaywayUnavailable:   "EStatePaywayUnavail",
	CodeExchangeUnavailable: "EStateExchangeUnavail",
	CodeNotFound:            "EParamNotFound",
	CodeUnique:              "EParamUnique",
}

// Message is the platform's name for the code, "" for a code that is not among them.
func (c Code) Message() string { return messages[c] }

// An Error is the platform's answer that says no.
type Error struct {
	Code    Code
	Message string
	Data    Object // field, reason and value, each if it applies; nil for none
}

func (e *Error) Error() string {
	s := fmt.Sprintf("refused with code %d %s", e.Code, e.Message)
	if field := e.Field(); field != "" {
		s += fmt.Sprintf(", %.40q", field)
	}
	if reason := e.Reason(); reason != "" {
		s += ": " + reason
	}
	return s
}

// Field names what the error is about: a parameter, a header or a field of the form.
func (e *Error) Field() string { return e.data("field") }

// Reason says why, for people.
func (e *Error) Reason() string { return e.data("reason") }

func (e *Error) data(name string) string {
	s, _ := e.Data.Get(name).Text()
	return s
}

// Object is the error as it stands in a response: code, message and, if there is any, data.
func (e *Error) Object() Object {
	o := Object{{"code", Value{KindInt, strconv.Itoa(int(e.Code))}}, {"message", Text(e.Message)}}
	if e.Data != nil {
		o = append(o, Member{"data", Nested(e.Data)})
	}
	return o
}

func refuse(c Code, data ...Member) *Error {
	return &Error{Code: c, Message: c.Message(), Data: data}
}

func field(name string) Member   { return Member{"field", Text(name)} }
func reason(text string) Member  { return Member{"reason", Text(text)} }
func value(v Value) Member       { return Member{"value", v} }
func invalid(name string) Member { return reason("Invalid " + name + " value") }

// The refusals of a request as a whole, in the order in which it is checked.

// ParseError refuses a body that is not JSON.
func ParseError() *Error { return refuse(CodeParse) }

// InvalidRequest refuses JSON that is no request.
func InvalidRequest() *Error { return refuse(CodeInvalidRequest) }

// HeaderNotPresent refuses a request without a header, or with an empty one.
func HeaderNotPresent(header string) *Error {
	return refuse(CodeHeadersInvalid, field(header), reason("Not present"))
}

// HeaderNotInteger refuses an x-utc-now-ms of other characters than digits.
func HeaderNotInteger() *Error {
	return refuse(CodeHeadersInvalid, field(HeaderUTCNowMS), reason("Should be an Integer"))
}

// MerchantInactive refuses a merchant that is unknown or inactive. Field is HeaderMerchant,
// or FieldMerchant in the SCI form.
func MerchantInactive(name string) *Error {
	return refuse(CodeMerchantInvalid, field(name), reason("Merchant inactive"))
}

// SignatureInvalid refuses a wrong signature.
func SignatureInvalid() *Error { return refuse(CodeSignInvalid, reason("Invalid signature")) }

// WindowExceeded refuses a request that is too old or too far ahead; sent is its x-utc-now-ms.
func WindowExceeded(sent string) *Error {
	return refuse(CodeRequestWindow, field(HeaderUTCNowMS), reason("Request window exceeded"), value(Text(sent)))
}

// MethodNotFound refuses a method or model that does not exist.
func MethodNotFound() *Error { return refuse(CodeMethodNotFound) }

// InternalError is the platform's own failure.
func InternalError() *Error { return refuse(CodeInternal) }

// The refusals of parameters, in the order in which they are checked.

// ShouldNotBeProvided refuses a parameter that the method does not have.
func ShouldNotBeProvided(name string) *Error {
	return refuse(CodeParamInvalid, field(name), reason("Should not be provided"))
}

// ShouldBeProvided refuses the absence of a parameter that the method requires.
func ShouldBeProvided(name string) *Error {
	return refuse(CodeParamInvalid, field(name), reason("Should be provided"))
}

// WrongType refuses a value that is neither text nor boolean.
func WrongType(name string, v Value) *Error {
	return refuse(CodeParamType, field(name), reason("'"+name+"' must not be of '"+v.Kind().String()+"' type"), value(v))
}

// AmountNotNumber refuses an amount that ParseAmount does.
func AmountNotNumber() *Error {
	return refuse(CodeParamInvalid, field(FieldAmount), reason("Should be a Number"))
}

// AmountNegative refuses an amount below zero.
func AmountNegative() *Error {
	return refuse(CodeParamInvalid, field(FieldAmount), reason("Should be a positive Number"))
}

// CallbackURLInvalid refuses a callback_url that the platform could not call.
func CallbackURLInvalid(v Value) *Error {
	return refuse(CodeFieldInvalid, field(FieldCallbackURL), invalid(FieldCallbackURL), value(v))
}

// ParamInvalid refuses the value of an externalid, of a parameter of a payway or of a field
// of the SCI form.
func ParamInvalid(name string, v Value) *Error {
	return refuse(CodeParamInvalid, field(name), invalid(name), value(v))
}

// CurrencyInvalid refuses a currency that does not exist; name is FieldInCurr, FieldOutCurr
// or FieldCurr.
func CurrencyInvalid(name string) *Error {
	return refuse(CodeCurrencyInvalid, field(name), reason("Invalid currency name"))
}

// CurrencyInactive refuses a currency that is inactive or disabled.
func CurrencyInactive() *Error {
	return refuse(CodeCurrencyInactive, field(FieldCurr), reason("Inactive"))
}

// AmountTooFine refuses an amount with more decimals than its currency has.
func AmountTooFine() *Error { return refuse(CodeAmountFormat, field(FieldAmount)) }

// PaywayInvalid refuses a payway that does not exist.
func PaywayInvalid() *Error {
	return refuse(CodePaywayInvalid, field(FieldPayway), reason("Invalid payway name"))
}

// PaywayInactive refuses a payway that is inactive.
func PaywayInactive() *Error {
	return refuse(CodePaywayInactive, field(FieldPayway), reason("Inactive"))
}

// PaywayUnavailable refuses a payway that is disabled, switched off for the merchant, or not
// the one that the merchant is bound to.
func PaywayUnavailable() *Error {
	return refuse(CodePaywayUnavailable, field(FieldPayway), reason("Disabled"))
}

// CurrencyUnavailable refuses a currency in which the payway does not work.
func CurrencyUnavailable(currency string) *Error {
	return refuse(CodeCurrencyUnavailable, field(FieldCurrency), reason("Not able to be used"), value(Text(currency)))
}

// PairInactive refuses a currency that is inactive for the payway.
func PairInactive() *Error {
	return refuse(CodeCurrencyInactive, field(FieldCurrency), reason("Inactive"))
}

// Forbidden refuses a conversion to a merchant that is bound to one payway.
func Forbidden() *Error { return refuse(CodeForbidden, reason("Forbidden")) }

// ExchangeUnavailable refuses a conversion that nobody makes at present.
func ExchangeUnavailable(in, out string) *Error {
	return refuse(CodeExchangeUnavailable, reason("Unavailable exchange from "+in+" to "+out))
}

// AmountTooSmall refuses an amount below a limit: of the payway (FieldAmount) or of the
// exchange (FieldInAmount).
func AmountTooSmall(name string, a Amount) *Error {
	return refuse(CodeAmountTooSmall, field(name), reason("Amount is too small"), value(Text(string(a))))
}

// AmountTooBig refuses an amount above a limit, see AmountTooSmall.
func AmountTooBig(name string, a Amount) *Error {
	return refuse(CodeAmountTooBig, field(name), reason("Amount is too big"), value(Text(string(a))))
}

// CodeRefused refuses a code that cannot be redeemed for this order.
func CodeRefused(v Value) *Error {
	return refuse(CodeCodeInvalid, field(FieldCode), invalid(FieldCode), value(v))
}

// ExternalIDTaken refuses an externalid that another order of the merchant has.
func ExternalIDTaken() *Error {
	return refuse(CodeUnique, field(FieldExternalID), reason("Such externalid already present"))
}

// NotFound is the answer where the merchant has no such order.
func NotFound() *Error {
	return refuse(CodeNotFound, field(FieldExternalID), reason("Not found"))
}

// The refusals of a lifetime in the SCI form; their data is our choice.

// PeriodInvalid refuses a lifetime that cannot be read.
func PeriodInvalid(text string) *Error { return period(CodePeriodInvalid, text) }

// PeriodTooShort refuses a lifetime below MinLifetime.
func PeriodTooShort(text string) *Error { return period(CodePeriodTooShort, text) }

// PeriodTooLong refuses a lifetime above MaxLifetime.
func PeriodTooLong(text string) *Error { return period(CodePeriodTooLong, text) }

func period(c Code, text string) *Error {
	return refuse(c, field(FieldLifetime), invalid(FieldLifetime), value(Text(text)))
}
