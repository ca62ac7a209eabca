package integra

import (
	"errors"
	"net/http"

	wire "github.com/partnerkit/partnerkit/contract/integra"
)

// Check names what refused a request; the journal shows it. A bad argument has the check
// "args." with its name.
type Check string

// The checks, in the order in which they are made.
const (
	CheckURL     Check = "url"     // its length and form
	CheckBody    Check = "body"    // its length and form
	CheckPath    Check = "path"    // of some partner
	CheckVerb    Check = "verb"    // GET or POST
	CheckMethod  Check = "method"  // known
	CheckK       Check = "k"       // prefix, hash and base64
	CheckPartner Check = "partner" // known, with this path
	CheckUser    Check = "user"    // known, of a partner with this path
	CheckKey     Check = "key"     // decrypts the arguments
	CheckArgs    Check = "args"    // one JSON object; "args.x" for one of them
	CheckArchive Check = "archive" // the user is not archived
	CheckLogin   Check = "login"   // a user's login or hash is free, or is the user's
	CheckNotify  Check = "notify"  // a top-up needs a notification URL
	CheckVia     Check = "via"     // how a top-up is paid
	CheckAmount  Check = "amount"  // is a sum, and the payment's
	CheckPayment Check = "payment" // known, and the user's
	CheckState   Check = "state"   // of the payment allows it
	CheckHash    Check = "hash"    // paymentHash was not used
	CheckBalance Check = "balance" // covers the refund
)

// checkArg is the check of one argument.
func checkArg(name string) Check { return Check("args." + name) }

// A Refusal is a request that was not carried out; nothing was changed.
type Refusal struct {
	Check   Check
	Code    wire.Code
	Message string // for people, in English
	HTTP    int    // status of an API answer; 0 for 200
}

func (r *Refusal) Error() string { return r.Message }

// pageStatus is the HTTP status of a page that shows the refusal.
func (r *Refusal) pageStatus() int {
	switch {
	case r.HTTP != 0:
		return r.HTTP
	case r.Code == wire.CodeUserNotFound:
		return http.StatusNotFound
	case r.Check == CheckK:
		return http.StatusBadRequest
	}
	return http.StatusForbidden
}

func refuse(check Check, code wire.Code, message string) *Refusal {
	return &Refusal{Check: check, Code: code, Message: message}
}

// argument turns an error of wire.Decode into a refusal that names the argument.
func argument(err error) *Refusal {
	var arg *wire.ArgumentError
	if errors.As(err, &arg) {
		return refuse(checkArg(arg.Name), wire.CodeInvalid, err.Error())
	}
	return refuse(CheckKey, wire.CodeInvalid, err.Error())
}
