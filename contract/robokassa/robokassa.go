// Package robokassa is Robokassa as it looks on the wire: the parameters of a payment and
// what of them is signed, ResultURL with its answer OK<InvId>, SuccessURL and FailURL, the
// codes of refusals, the JWTs of the Invoice and Refund APIs, ResultUrl2's JWS, the documents
// of the XML service and receipts. It opens no connection and reads no clock. Both halves,
// Robokassa and the shop, are spoken by the stand-in; an adapter needs neither.
//
// # What is promised
//
// Text stays text. A signature covers the literal text of a message, so 100, 100.0 and
// 100.000000 sign differently, and every field here is what one transport decode has left.
// What a sum is worth is for the caller, through ParseSum. There is no floating point.
//
// Names of parameters are matched without regard to case, old names (MrchLogin, Desc,
// InvoiceID) are the same parameters, and the spelling of Shp_ names is kept, since it is
// signed. A parameter that is sent twice with two values is refused by ParseFields: which of
// the two was signed? Shp_ names that differ in case only count as one for that purpose.
//
// # What is signed
//
// Parts are joined by colons; a modifier that is not sent leaves no slot, InvId always has
// one. Request.Base is what a shop should sign. Request.Accepted lists what Robokassa accepts,
// because its documentation and its own modules do not agree.
//
// # Sources
//
// Robokassa's documentation (docs.robokassa.ru: pay-interface, notifications-and-redirects,
// xml-interfaces, testing-mode, invoice-api, refund-api, hold, script-parameters), its SDKs
// and CMS modules (github.com/robokassa), published clients and captured messages. Nothing
// was checked against the live service. Where they are silent, we chose:
//
//   - a text more encoded than the field that arrived is never accepted in its place; a
//     Receipt may be signed as it arrived or decoded once or twice more;
//   - OutSumCurrency and UserIp, if sent, may be signed or not;
//   - Shp_ fields are sorted without regard to case, and bytewise order passes as well;
//   - an empty modifier and StepByStep other than "true" count as not sent;
//   - code 30 refuses an InvId out of range, a Description that is too long and a Receipt that
//     is none; code 29 a parameter that is sent twice.
//
// Known answers with the source of each are in testdata/robokassa.
package robokassa

// Names of parameters as the documentation spells them.
const (
	FieldLogin          = "MerchantLogin"
	FieldOutSum         = "OutSum"
	FieldInvID          = "InvId"
	FieldDescription    = "Description"
	FieldSignature      = "SignatureValue"
	FieldReceipt        = "Receipt"
	FieldCurrency       = "OutSumCurrency"
	FieldUserIP         = "UserIp"
	FieldIncCurrLabel   = "IncCurrLabel"
	FieldPaymentMethods = "PaymentMethods"
	FieldCulture        = "Culture"
	FieldEncoding       = "Encoding"
	FieldEmail          = "Email"
	FieldExpiration     = "ExpirationDate"
	FieldIsTest         = "IsTest"
	FieldRecurring      = "Recurring"
	FieldPreviousID     = "PreviousInvoiceID"
	FieldStepByStep     = "StepByStep"
	FieldResultURL2     = "ResultUrl2"
	FieldSuccessURL2    = "SuccessUrl2"
	FieldSuccessMethod  = "SuccessUrl2Method"
	FieldFailURL2       = "FailUrl2"
	FieldFailMethod     = "FailUrl2Method"
	FieldToken          = "Token"
	FieldDefaultSum     = "DefaultSum"
	FieldIncSum         = "IncSum"
	FieldPaymentMethod  = "PaymentMethod"
	FieldFee            = "Fee"
)

// Bounds of parameters.
const (
	MaxDescriptionLen       = 100 // characters
	MaxInvID          int64 = 1<<63 - 1
)

// ZeroGUID stands in answers where there is no invoice.
const ZeroGUID = "00000000-0000-0000-0000-000000000000"
