package robokassa

import (
	"strings"

	"github.com/partnerkit/partnerkit/contract/money"
)

// A Result is the message to ResultURL: a payment was made. All fields are the text that is
// or was sent; the signature covers OutSum, InvID and Shp.
type Result struct {
	OutSum, InvID string
	Signature     string
	PaymentMethod string // e.g. BankCard
	IncSum        string // what the buyer paid
	IncCurrLabel  string // e.g. BankCardPSR
	IsTest        bool
	EMail         string
	Fee           string
	Shp           Fields
}

// NewResult reads a message to ResultURL. The error is a *FieldsError: OutSum, InvId or
// SignatureValue is missing, or one of the doubled names contradicts its twin.
func NewResult(f Fields) (Result, error) {
	if err := require(f, FieldOutSum, FieldInvID, FieldSignature); err != nil {
		return Result{}, err
	}
	for _, twin := range [][2]string{{"out_summ", FieldOutSum}, {"inv_id", FieldInvID}, {"crc", FieldSignature}} {
		if v, sent := f.Lookup(twin[0]); sent && v != f.Get(twin[1]) {
			return Result{}, &FieldsError{Fault: FaultDiffer, Name: twin[0]}
		}
	}
	return Result{
		OutSum: f.Get(FieldOutSum), InvID: f.Get(FieldInvID), Signature: f.Get(FieldSignature),
		PaymentMethod: f.Get(FieldPaymentMethod), IncSum: f.Get(FieldIncSum), IncCurrLabel: f.Get(FieldIncCurrLabel),
		IsTest: f.Get(FieldIsTest) == "1", EMail: f.Get(FieldEmail), Fee: f.Get(FieldFee), Shp: f.Shp(),
	}, nil
}

func require(f Fields, names ...string) error {
	for _, name := range names {
		if f.Get(name) == "" {
			return &FieldsError{Fault: FaultMissing, Name: name}
		}
	}
	return nil
}

// Fields writes the message in the order of captured ones, with the doubled names.
func (r Result) Fields() Fields {
	list := Fields{
		{"out_summ", r.OutSum},
		{FieldOutSum, r.OutSum},
		{"inv_id", r.InvID},
		{FieldInvID, r.InvID},
		{"crc", r.Signature},
		{FieldSignature, r.Signature},
		{FieldPaymentMethod, r.PaymentMethod},
		{FieldIncSum, r.IncSum},
		{FieldIncCurrLabel, r.IncCurrLabel},
	}
	if r.IsTest {
		list = append(list, Field{FieldIsTest, "1"})
	}
	list = append(list, Field{"EMail", r.EMail}, Field{FieldFee, r.Fee})
	return append(list, r.Shp...)
}

// Base is what is signed, with password 2.
func (r Result) Base() Base { return NewBase(r.Shp, r.OutSum, r.InvID) }

// Signed returns the message with its signature, in upper case as Robokassa sends it.
func (r Result) Signed(a Algorithm, p Password) Result {
	r.Signature = strings.ToUpper(r.Base().Sign(a, p))
	return r
}

// Verify returns nil if the signature is that of the message, and ErrSignature if not.
func (r Result) Verify(a Algorithm, p Password) error { return r.Base().Verify(a, p, r.Signature) }

// ResultSums writes what a message to ResultURL says of the sums: six decimals, in test mode
// two and no fee.
func ResultSums(sum, fee money.Amount, test bool) (outSum, feeText string) {
	if test {
		return sum.Text(), "0.0"
	}
	return SixDigits(sum), SixDigits(fee)
}

// Answer is what a shop answers to ResultURL: the message is done with.
func Answer(invID string) string { return "OK" + invID }

// IsAnswer reports whether the body that a shop answered with contains the answer for the
// invoice, not followed by another digit. Whatever else stands there does not matter.
func IsAnswer(body, invID string) bool {
	for rest := body; ; {
		_, after, found := strings.Cut(rest, Answer(invID))
		if !found {
			return false
		}
		if after == "" || after[0] < '0' || after[0] > '9' {
			return true
		}
		rest = after
	}
}

// A Return is what the buyer's browser carries to SuccessURL, or, without a signature, to
// FailURL. It proves nothing about money: that is for ResultURL.
type Return struct {
	OutSum, InvID string
	Signature     string // "" at FailURL
	IsTest        bool
	Culture       string
	Shp           Fields
}

// NewReturn reads what a browser brought to SuccessURL or FailURL. The error is a
// *FieldsError: OutSum or InvId is missing.
func NewReturn(f Fields) (Return, error) {
	if err := require(f, FieldOutSum, FieldInvID); err != nil {
		return Return{}, err
	}
	return Return{
		OutSum: f.Get(FieldOutSum), InvID: f.Get(FieldInvID), Signature: f.Get(FieldSignature),
		IsTest: f.Get(FieldIsTest) == "1", Culture: f.Get(FieldCulture), Shp: f.Shp(),
	}, nil
}

// Fields writes the return in the order of captured ones.
func (r Return) Fields() Fields {
	list := Fields{{FieldOutSum, r.OutSum}, {FieldInvID, r.InvID}}
	if r.Signature != "" {
		list = append(list, Field{FieldSignature, r.Signature})
	}
	if r.IsTest {
		list = append(list, Field{FieldIsTest, "1"})
	}
	return append(append(list, Field{FieldCulture, r.Culture}), r.Shp...)
}

// Base is what is signed at SuccessURL, with password 1.
func (r Return) Base() Base { return NewBase(r.Shp, r.OutSum, r.InvID) }

// Signed returns the return with its signature, in lower case as captured.
func (r Return) Signed(a Algorithm, p Password) Return {
	r.Signature = r.Base().Sign(a, p)
	return r
}

// Verify returns nil if the signature is that of the return, and ErrSignature if not.
func (r Return) Verify(a Algorithm, p Password) error { return r.Base().Verify(a, p, r.Signature) }
