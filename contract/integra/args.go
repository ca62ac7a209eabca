package integra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// ErrArguments is arguments that are one JSON object but not those of the method; the
// *ArgumentError around it names the argument.
var ErrArguments = errors.New("invalid arguments")

// An ArgumentError says which argument is missing or of another type. It wraps ErrArguments.
type ArgumentError struct {
	Name string
	Want string // in words: "a string"
	Got  string // in words; "" if the argument is missing
}

func (e *ArgumentError) Error() string {
	if e.Got == "" {
		return fmt.Sprintf("%v: %q is missing", ErrArguments, e.Name)
	}
	return fmt.Sprintf("%v: %q must be %s, not %s", ErrArguments, e.Name, e.Want, e.Got)
}

// Unwrap returns ErrArguments.
func (e *ArgumentError) Unwrap() error { return ErrArguments }

// Text is a value that some callers send as a JSON string and some as a number, such as an
// amount: "100", 100 or 100.50. It is kept exactly as it was written, without the quotes,
// and always sent as a string. Only contract/money makes an amount of it.
type Text string

// UnmarshalJSON reads a string or a number; null leaves t as it is.
func (t *Text) UnmarshalJSON(raw []byte) error {
	switch b := raw[0]; {
	case b == '"':
		return json.Unmarshal(raw, (*string)(t))
	case b == '-', b >= '0' && b <= '9':
		*t = Text(raw)
	case string(raw) != "null":
		return fmt.Errorf("want %s, got %s", wantText, typeOf(raw))
	}
	return nil
}

// The arguments of the methods. A field tagged required must be there and not be empty.
type (
	// HelloArgs are the arguments of hello.
	HelloArgs struct {
		Name string `json:"name"`
	}
	// CreateUserArgs are the arguments of createUser.
	CreateUserArgs struct {
		Username        string `json:"username" integra:"required"` // login, unique at the platform
		Hash            string `json:"hash" integra:"required"`     // chosen by the partner, see ValidHash
		Email           string `json:"email,omitempty"`
		Phone           string `json:"phone,omitempty"`           // international: +79551234567
		SuggestedDomain string `json:"suggestedDomain,omitempty"` // without scheme
		InviterUserID   Text   `json:"inviterUserId,omitempty"`   // the partner's own id of the user
	}
	// LoginArgs are the arguments of cryptLogin and iframe.
	LoginArgs struct {
		Login            string `json:"login" integra:"required"`
		Hash             string `json:"hash" integra:"required"`
		PaymentNotifyURL string `json:"paymentNotifyUrl,omitempty"` // see ParseNotifyTemplate
	}
	// PartnerArgs are the arguments of archiveUser, unarchiveUser, getUserData,
	// getMessageTemplates and readMessages.
	PartnerArgs struct {
		Partner string `json:"partner"` // the partner's hash
	}
	// UsersDataArgs are the arguments of getUsersData.
	UsersDataArgs struct {
		Partner   string `json:"partner"`
		CreatedOn string `json:"createdOn,omitempty"` // local time of the partner: 2006-01-02 03:04:05, see docs
	}
	// MessagesArgs are the arguments of getUserMessages and getMessages.
	MessagesArgs struct {
		Partner  string `json:"partner"`
		MarkRead bool   `json:"markRead,omitempty"`
	}
	// DoPaymentArgs are the arguments of doPayment. A negative sum is a refund.
	DoPaymentArgs struct {
		PaymentSum      Text   `json:"paymentSum" integra:"required"`
		PaymentSumBonus Text   `json:"paymentSumBonus,omitempty"`
		PaymentHash     string `json:"paymentHash" integra:"required"` // chosen by the partner, unique, md5 form
		UserLogin       string `json:"userLogin" integra:"required"`
	}
	// ConfirmPaymentArgs are the arguments of confirmPayment.
	ConfirmPaymentArgs struct {
		Amount        Text   `json:"amount" integra:"required"`
		TransactionID string `json:"transactionId" integra:"required"` // the id of the notification
	}
	// DeclinePaymentArgs are the arguments of declinePayment. The reasons are "no longer
	// supported" in one of the docs and asked for in another: send them, rely on nothing.
	DeclinePaymentArgs struct {
		TransactionID string `json:"transactionId" integra:"required"`
		ErrorCode     int    `json:"errorCode,omitempty"`
		ErrorMessage  string `json:"errorMessage,omitempty"`
		ErrorLink     string `json:"errorLink,omitempty"`
	}
	// FinSummaryArgs are the arguments of getFinSummaryByDate.
	FinSummaryArgs struct {
		Date string `json:"date" integra:"required"` // YYYY-MM-DD
	}
	// ChangeURLArgs are the arguments of changeUrl.
	ChangeURLArgs struct {
		URL string `json:"url" integra:"required"` // with scheme
	}
	// AttachCounterArgs are the arguments of attachYandexMetrikaCounter.
	AttachCounterArgs struct {
		CounterID   Text   `json:"counterId" integra:"required"`
		AccessToken string `json:"accessToken" integra:"required"` // OAuth token at Yandex: a secret
	}
)

// A Param is one argument of a method.
type Param struct {
	Name     string
	Required bool
}

// Params returns the arguments that are described by a struct such as HelloArgs.
func Params(args any) (params []Param) {
	for _, f := range fieldsOf(reflect.TypeOf(args)) {
		params = append(params, Param{f.name, f.required})
	}
	return params
}

// Decode reads the JSON of arguments, as Envelope.Open returns it, into args: a pointer to
// one of the structs above. Names are case-sensitive, unknown ones are ignored, null is as
// good as absent. The error is a *ArgumentError, or as in Open if plain is no object.
func Decode(plain []byte, args any) error {
	target := reflect.ValueOf(args)
	if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("decode arguments into %T: not a pointer to a struct", args)
	}
	var buf [12]member
	members, err := scanObject(plain, buf[:0])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPlain, err)
	}
	for _, f := range fieldsOf(target.Elem().Type()) {
		field := target.Elem().Field(f.index)
		if raw := find(members, f.name); raw != nil && string(raw) != "null" {
			if err := decodeValue(raw, field.Addr().Interface()); err != nil {
				return &ArgumentError{Name: f.name, Want: f.want, Got: typeOf(raw)}
			}
		}
		if f.required && field.IsZero() {
			return &ArgumentError{Name: f.name}
		}
	}
	return nil
}

// decodeValue reads raw, which is valid JSON, into a field. Most are strings without escapes.
func decodeValue(raw []byte, field any) error {
	if raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		switch field := field.(type) {
		case *string:
			*field = string(raw[1 : len(raw)-1])
			return nil
		case *Text:
			*field = Text(raw[1 : len(raw)-1])
			return nil
		}
	}
	return json.Unmarshal(raw, field)
}

// A structField is what Decode needs to know of a field.
type structField struct {
	name     string
	want     string // its type in words
	index    int
	required bool
}

var fieldCache sync.Map // reflect.Type → []structField

func fieldsOf(t reflect.Type) []structField {
	if known, ok := fieldCache.Load(t); ok {
		return known.([]structField)
	}
	fields := make([]structField, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, structField{
			name: name, want: wantOf(f.Type), index: i,
			required: f.Tag.Get("integra") == "required",
		})
	}
	fieldCache.Store(t, fields)
	return fields
}

const wantText = "a string or a number"

// wantOf says in words what a field of type t takes.
func wantOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Text]():
		return wantText
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return "an integer"
}

// typeOf says in words what a valid JSON value is.
func typeOf(raw []byte) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return fmt.Sprintf("the number %.40s", raw)
}
