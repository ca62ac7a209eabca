package integra

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// ContentType is the media type of every answer but a page.
const ContentType = "application/json; charset=utf-8"

// Version is the API version that an answer names.
const Version = "1"

// ErrNotEnvelope is an answer that does not say whether the call succeeded. Its outcome is
// unknown, as with a time-out: that is never a refusal.
var ErrNotEnvelope = errors.New("not an answer of the API")

// Code is an answer's status code. The docs give 0 to 4; the others are our choice, and
// whatever the code, all but 0 mean "refused".
type Code int

// The status codes.
const (
	CodeOK              Code = 0
	CodeInvalid         Code = 1  // data validation failed, also: cannot be decrypted
	CodePartnerKey      Code = 2  // wrong partner key
	CodeHashTaken       Code = 3  // the user hash is taken (old modules: the login)
	CodeHashLength      Code = 4  // a hash is not 32 characters long
	CodeUserNotFound    Code = 5  // our choice, like all that follow
	CodeUserArchived    Code = 6  //
	CodePaymentNotFound Code = 7  //
	CodePaymentFinal    Code = 8  // confirmed or declined the other way
	CodeAmountDiffers   Code = 9  // from the payment's amount
	CodePaymentHashUsed Code = 10 //
	CodeBalance         Code = 11 // too low for a refund
	CodeInternal        Code = 99
)

// Status is the outcome of a call.
type Status struct {
	Code    Code
	Message string
}

// A Response is the platform's answer to a call.
type Response struct {
	Status  Status
	Error   bool            // the same as Status.Code != CodeOK
	Data    json.RawMessage // nil if there is none; see Result
	Version string
	Notices []string // hints to the partner's developers, such as a deprecation
}

// A Refusal is an answer that says no.
type Refusal struct {
	Code    Code
	Message string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("refused with code %d: %s", r.Code, r.Message)
}

// Success returns the answer that carries data, which may be nil. Data that cannot be
// marshalled makes a failure with CodeInternal.
func Success(data any) Response {
	r := Response{Status: Status{Message: "ok"}, Version: Version}
	if data == nil {
		return r
	}
	raw, err := marshal(data)
	if err != nil {
		return Failure(CodeInternal, fmt.Sprintf("cannot write the answer: %v", err))
	}
	r.Data = raw
	return r
}

// Failure returns the answer that refuses a call; code is not CodeOK.
func Failure(code Code, message string) Response {
	return Response{Status: Status{Code: code, Message: message}, Error: true, Version: Version}
}

// Err returns nil for a success and a *Refusal otherwise.
func (r Response) Err() error {
	if !r.Error && r.Status.Code == CodeOK {
		return nil
	}
	return &Refusal{Code: r.Status.Code, Message: r.Status.Message}
}

// Result reads the data of a success into a pointer to the method's result. PHP's [], an
// object without members, leaves a struct as it is.
func (r Response) Result(result any) error {
	if r.Data == nil {
		return fmt.Errorf("read %T: the answer has no data", result)
	}
	if err := json.Unmarshal(r.Data, result); err != nil && string(r.Data) != "[]" {
		return fmt.Errorf("read %T: %w", result, err)
	}
	return nil
}

// Encode writes the answer:
//
//	{"status":{"code":0,"message":"ok"},"error":false,"data":…,"version":"1","notices":[]}
func (r Response) Encode() []byte {
	b := make([]byte, 0, 128+len(r.Data)+len(r.Status.Message))
	b = append(b, `{"status":{"code":`...)
	b = strconv.AppendInt(b, int64(r.Status.Code), 10)
	b = append(b, `,"message":`...)
	b = appendString(b, r.Status.Message)
	b = append(b, `},"error":`...)
	b = strconv.AppendBool(b, r.Error)
	if r.Data != nil {
		b = append(b, `,"data":`...)
		b = append(b, r.Data...)
	}
	b = append(b, `,"version":`...)
	b = appendString(b, r.Version)
	b = append(b, `,"notices":[`...)
	for i, notice := range r.Notices {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, notice)
	}
	return append(b, "]}"...)
}

// appendString appends s as a JSON string. What is no Unicode in s becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// ParseResponse reads the body of an answer. The HTTP status is the caller's to look at: the
// API refuses with 200, and a 5xx is no answer whatever its body says.
//
// An answer is one JSON object (as strictly as in Envelope.Open) with an integer status.code
// and a boolean error that agree: 0 and false, or another and true. Anything else is
// ErrNotEnvelope. All other fields may be missing; a message or version that is no text and
// notices that are no strings are passed over, since they decide nothing.
//
// Data is part of body, not a copy.
func ParseResponse(body []byte) (Response, error) {
	var buf, statusBuf [8]member
	members, err := scanObject(body, buf[:0])
	if err != nil {
		return Response{}, fmt.Errorf("%w: %w", ErrNotEnvelope, err)
	}
	status := find(members, "status")
	if len(status) == 0 || status[0] != '{' {
		return Response{}, fmt.Errorf("%w: no status", ErrNotEnvelope)
	}
	inStatus, err := scanObject(status, statusBuf[:0])
	if err != nil {
		return Response{}, fmt.Errorf("%w: %w", ErrNotEnvelope, err)
	}

	var r Response
	code, err := strconv.Atoi(string(find(inStatus, "code")))
	if err != nil {
		return Response{}, fmt.Errorf("%w: status.code is %.40q, not an integer", ErrNotEnvelope, find(inStatus, "code"))
	}
	r.Status.Code = Code(code)
	switch flag := find(members, "error"); string(flag) {
	case "true":
		r.Error = true
	case "false":
	default:
		return Response{}, fmt.Errorf("%w: error is %.40q, not a boolean", ErrNotEnvelope, flag)
	}
	if r.Error != (r.Status.Code != CodeOK) {
		return Response{}, fmt.Errorf("%w: status.code %d contradicts error %t", ErrNotEnvelope, r.Status.Code, r.Error)
	}

	r.Status.Message = looseText(find(inStatus, "message"))
	r.Version = looseText(find(members, "version"))
	if raw := find(members, "notices"); raw != nil && string(raw) != "[]" {
		var notices []string
		if json.Unmarshal(raw, &notices) == nil {
			r.Notices = notices
		}
	}
	if raw := find(members, "data"); raw != nil && string(raw) != "null" {
		r.Data = raw
	}
	return r, nil
}

// looseText is what a string or number says, and "" for anything else.
func looseText(raw []byte) string {
	switch string(raw) {
	case "", "null":
		return ""
	case `"ok"`: // what nearly every answer says
		return "ok"
	}
	var t Text
	if decodeValue(raw, &t) != nil {
		return ""
	}
	return string(t)
}
