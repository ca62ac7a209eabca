// Package anymoney is Any.Money's merchant API as it looks on the wire: the JSON-RPC
// envelope, x-signature, methods with their parameters and results, orders and their
// statuses, every error with its code and data, the body of a callback and the SCI form. It
// opens no connection and reads no clock; one half of the protocol is spoken by
// adapter/anymoney, the other by mockplatform/anymoney.
//
// # What is promised
//
// Text stays text. Amounts and rates are text on the wire and here (Amount), a number keeps
// the digits it was sent with (11 and 11.0 sign differently), and there is no floating point
// anywhere. What an amount is worth is for the caller, through Amount.Decimal or Amount.In.
//
// Messages are read strictly, since they move money: valid UTF-8, JSON with nothing behind
// it, no name twice in any object, at most MaxDepth levels. A fault is a *MessageError that
// names it. What the platform does with a bad request is in the error's Refusal; what a
// caller does with a bad answer is to treat the outcome of its call as unknown.
//
// Orders and results are read generously except where they decide: members that we do not
// know are passed over, numbers may come as text and the other way round, but what says how
// an order stands and what it is worth must be there and be readable.
//
// # What a signature proves
//
// Values touch in the signed text, letters are folded and lists and objects left out. So it
// vouches for that text, not for where one value ends, not for the case of letters and not
// for anything nested: {a: "1", b: "23"} and {a: "12", b: "3"} sign alike. There is no nonce
// either; one timestamp may serve many requests within the window.
//
// # Sources
//
// The platform's merchant documentation, called "docs" (github.com/wiz-jcash/anyteam.github.io,
// commit 5f81589: auth, exc, callback, add_order, invoice, sci_invoice, balance, pwcurrency),
// the black-box suite of its predecessor, called "suite" (github.com/JuliaTsarenko/Python_API),
// and published callers. Where they disagree, names and codes of errors are those of the docs
// and the shape of their data is that of the suite. They leave open, and we chose:
//
//   - which of two equal names counts: neither, the message is refused. In a request that is
//     an invalid request; too much depth is a parse error.
//   - what a response's signature is made of: see Response.Signed.
//   - how texts are folded: letter by letter as Unicode has it. İ, and Σ at the end of a word,
//     for which Python has rules of its own, may sign differently.
//   - the order of an order's members, for which nobody should look.
//   - the data of errors about a lifetime: the field, "Invalid lifetime value" and what was sent.
//
// Known answers with the source of each are in testdata/anymoney.
package anymoney

// Names of the HTTP headers of requests, responses and callbacks, as the errors spell them.
const (
	HeaderMerchant  = "x-merchant"   // lid of the merchant
	HeaderSignature = "x-signature"  // see Key.Sign
	HeaderUTCNowMS  = "x-utc-now-ms" // Unix milliseconds, UTC, in decimal digits
)

// ContentType is the media type of requests, responses and callbacks.
const ContentType = "application/json"

// A Method is the name of a method as it stands in a request.
type Method string

// The methods of which this package knows parameters and results.
const (
	MethodPayinCreate    Method = "payin.create"
	MethodPayinCalc      Method = "payin.calc"
	MethodPayinGet       Method = "payin.get"
	MethodStatus         Method = "status"
	MethodBalance        Method = "balance"
	MethodPwcurrencyList Method = "pwcurrency.list"
)

// Names of parameters. Those after FieldCode belong to payways: which of them one requires
// is a matter of its configuration.
const (
	FieldAmount      = "amount"
	FieldCallbackURL = "callback_url"
	FieldCurr        = "curr"
	FieldExternalID  = "externalid"
	FieldInCurr      = "in_curr"
	FieldOutCurr     = "out_curr"
	FieldPayway      = "payway"
	FieldCode        = "code"
	FieldPayer       = "payer"
	FieldContact     = "contact"
)

// Fields that errors name and that are no parameters.
const (
	FieldInAmount = "in_amount" // a limit of the exchange was missed, not one of the payway
	FieldCurrency = "currency"  // the payway's currency, not the currency itself
)

// Bounds of parameters in characters. (Our choice: the docs have none.)
const (
	MaxExternalIDLen  = 255
	MaxCallbackURLLen = 2048
)
