package robokassa

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/partnerkit/partnerkit/contract/money"
)

// A Request is what a shop sends to the payment page, and, with fewer fields, to CoFPayment,
// Recurring and Confirm. Everything is text as it was sent, "" for what was not.
type Request struct {
	Login, OutSum, InvID  string
	Description           string
	Signature             string
	Receipt               string // see ParseReceipt
	Currency, UserIP      string
	IncCurrLabel          string   // the method that the shop suggests
	PaymentMethods        []string // the only methods that the shop wants
	Culture, Encoding     string
	Email                 string
	Expiration            string // YYYY-MM-DDThh:mm, Moscow time
	IsTest                bool   // exactly "1"
	Recurring             bool
	PreviousID            string
	StepByStep            bool
	ResultURL2            string
	SuccessURL2, FailURL2 string
	SuccessMethod         string // GET or POST
	FailMethod            string
	Token                 string // OpKey of an earlier operation with a card
	Shp                   Fields
}

// NewRequest reads a request from the fields of a query or form.
func NewRequest(f Fields) Request {
	return Request{
		Login: f.Get(FieldLogin), OutSum: f.Get(FieldOutSum), InvID: f.Get(FieldInvID),
		Description: f.Get(FieldDescription), Signature: f.Get(FieldSignature), Receipt: f.Get(FieldReceipt),
		Currency: f.Get(FieldCurrency), UserIP: f.Get(FieldUserIP),
		IncCurrLabel: f.Get(FieldIncCurrLabel), PaymentMethods: f.All(FieldPaymentMethods),
		Culture: f.Get(FieldCulture), Encoding: f.Get(FieldEncoding), Email: f.Get(FieldEmail),
		Expiration: f.Get(FieldExpiration), IsTest: f.Get(FieldIsTest) == "1",
		Recurring: strings.EqualFold(f.Get(FieldRecurring), "true"), PreviousID: f.Get(FieldPreviousID),
		StepByStep: strings.EqualFold(f.Get(FieldStepByStep), "true"), ResultURL2: f.Get(FieldResultURL2),
		SuccessURL2: f.Get(FieldSuccessURL2), SuccessMethod: f.Get(FieldSuccessMethod),
		FailURL2: f.Get(FieldFailURL2), FailMethod: f.Get(FieldFailMethod),
		Token: f.Get(FieldToken), Shp: f.Shp(),
	}
}

// Fields writes the request with the documented names; what is empty is left out.
func (r Request) Fields() Fields {
	var list Fields
	add := func(name, value string) {
		if value != "" {
			list = append(list, Field{name, value})
		}
	}
	flag := func(name, value string, set bool) {
		if set {
			add(name, value)
		}
	}
	add(FieldLogin, r.Login)
	add(FieldOutSum, r.OutSum)
	add(FieldInvID, r.InvID)
	add(FieldPreviousID, r.PreviousID)
	add(FieldDescription, r.Description)
	add(FieldSignature, r.Signature)
	add(FieldReceipt, r.Receipt)
	add(FieldCurrency, r.Currency)
	add(FieldUserIP, r.UserIP)
	add(FieldIncCurrLabel, r.IncCurrLabel)
	for _, m := range r.PaymentMethods {
		add(FieldPaymentMethods, m)
	}
	add(FieldCulture, r.Culture)
	add(FieldEncoding, r.Encoding)
	add(FieldEmail, r.Email)
	add(FieldExpiration, r.Expiration)
	flag(FieldIsTest, "1", r.IsTest)
	flag(FieldRecurring, "true", r.Recurring)
	flag(FieldStepByStep, "true", r.StepByStep)
	add(FieldResultURL2, r.ResultURL2)
	add(FieldSuccessURL2, r.SuccessURL2)
	add(FieldSuccessMethod, r.SuccessMethod)
	add(FieldFailURL2, r.FailURL2)
	add(FieldFailMethod, r.FailMethod)
	add(FieldToken, r.Token)
	return append(list, r.Shp...)
}

// Base is what the shop signs with password 1: every modifier that is sent, each as it is sent.
func (r Request) Base() Base { return newBase(r.Shp.sorted(foldedOrder), r.parts()) }

func (r Request) parts() []string {
	parts := []string{r.Login, r.OutSum, r.InvID}
	add := func(value string) {
		if value != "" {
			parts = append(parts, value)
		}
	}
	add(r.Currency)
	add(r.UserIP)
	add(r.Receipt)
	if r.StepByStep {
		add("true")
	}
	add(r.ResultURL2)
	add(r.SuccessURL2)
	add(r.SuccessMethod)
	add(r.FailURL2)
	add(r.FailMethod)
	add(r.Token)
	return parts
}

// Leniency is how far Robokassa goes in accepting what its documentation does not say.
type Leniency struct {
	ReceiptDecodings int  // Receipt may be signed decoded up to so many times more than it was sent, at most 2
	UnsignedCurrency bool // OutSumCurrency and UserIp may be left out
	BytewiseShp      bool // Shp_ fields may be sorted bytewise
	EncodedURLs      bool // ResultUrl2, SuccessUrl2 and FailUrl2 may be signed percent-encoded, as before 30 June 2025
}

// DefaultLeniency accepts what Robokassa's own modules and known clients send today.
func DefaultLeniency() Leniency {
	return Leniency{ReceiptDecodings: 2, UnsignedCurrency: true, BytewiseShp: true}
}

// Accepted lists the bases under which a signature is good, the documented one first.
func (r Request) Accepted(l Leniency) []Base {
	readings := []Request{r}
	vary := func(change func(*Request)) {
		for _, reading := range slices.Clone(readings) {
			change(&reading)
			readings = append(readings, reading)
		}
	}
	if l.UnsignedCurrency && (r.Currency != "" || r.UserIP != "") {
		vary(func(c *Request) { c.Currency, c.UserIP = "", "" })
	}
	if l.EncodedURLs && (r.ResultURL2 != "" || r.SuccessURL2 != "" || r.FailURL2 != "") {
		vary(func(c *Request) {
			c.ResultURL2, c.SuccessURL2, c.FailURL2 = url.QueryEscape(c.ResultURL2), url.QueryEscape(c.SuccessURL2), url.QueryEscape(c.FailURL2)
		})
	}
	receipts := decodings(r.Receipt)
	receipts = receipts[:min(len(receipts), 1+max(0, l.ReceiptDecodings))]
	var list []Base
	for _, reading := range readings {
		for _, receipt := range receipts {
			reading.Receipt = receipt
			parts := reading.parts()
			list = append(list, newBase(r.Shp.sorted(foldedOrder), parts))
			if b := newBase(r.Shp.sorted(byteOrder), parts); l.BytewiseShp && b != list[len(list)-1] {
				list = append(list, b)
			}
		}
	}
	return list
}

// decodings returns text and what one and two percent-decodes make of it, as far as they
// change anything.
func decodings(text string) []string {
	list := []string{text}
	for range 2 {
		// Only what still has an escape is decoded: a blank may be a plus, and a plus in
		// raw JSON is a plus.
		if !strings.Contains(text, "%") {
			break
		}
		next, err := url.QueryUnescape(text)
		if err != nil || next == text || !utf8.ValidString(next) {
			break
		}
		text = next
		list = append(list, text)
	}
	return list
}

// Verify returns nil if the request bears the signature that the password makes of one of its
// Accepted bases, and ErrSignature if not.
func (r Request) Verify(l Leniency, a Algorithm, p Password) error {
	for _, b := range r.Accepted(l) {
		if b.Verify(a, p, r.Signature) == nil {
			return nil
		}
	}
	return ErrSignature
}

// Signed returns the request with its signature.
func (r Request) Signed(a Algorithm, p Password) Request {
	r.Signature = r.Base().Sign(a, p)
	return r
}

// ParseSum reads a sum of roubles, or of another currency of hundredths: more than zero, with
// a point, and no decimals but zeros after the second. The error is a *money.FormatError.
func ParseSum(text string, c money.Currency) (money.Amount, error) {
	short := text
	if whole, part, ok := strings.Cut(text, "."); ok && len(part) > c.Digits() && strings.Trim(part[c.Digits():], "0") == "" {
		short = strings.TrimSuffix(whole+"."+part[:c.Digits()], ".")
	}
	a, err := money.Parse(short, c)
	if format, ok := errors.AsType[*money.FormatError](err); ok {
		format.Text = text
	}
	return a, err
}

// SixDigits writes a sum as live messages do: 100.500000.
func SixDigits(a money.Amount) string { return a.Decimal().StringFixed(6) }

// ParseInvID reads the number of an invoice; ok is false if it is out of range. Absent, empty
// and 0 are 0: Robokassa assigns a number.
func ParseInvID(text string) (id int64, ok bool) {
	if text == "" {
		return 0, true
	}
	if strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil
}
