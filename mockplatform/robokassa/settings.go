package robokassa

import (
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
)

// Settings are the switches for what the documents leave open. They are a message by nature
// (the control API shows and patches them), so they carry the tags of their fields. Times are
// virtual milliseconds unless the name says "real".
type Settings struct {
	ResultRetryMS   int64 `json:"result_retry_ms" doc:"Pause between two messages to ResultURL"`
	ResultTries     int   `json:"result_tries" doc:"Messages to ResultURL at most, until one is answered with OK and the number"`
	ResultTimeoutMS int64 `json:"result_timeout_real_ms" doc:"How long a shop may take to answer"`
	Result2RetryMS  int64 `json:"result2_retry_ms" doc:"Pause between two messages to ResultUrl2"`
	Result2Retries  int   `json:"result2_retries" doc:"How often a message to ResultUrl2 is repeated at most"`

	LiveDecimals    int  `json:"live_decimals" doc:"Of sums in live messages to ResultURL: 6 or 2; test messages have 2"`
	SuccessDecimals int  `json:"success_decimals" doc:"Of OutSum in live redirects to SuccessURL: 6 or 2"`
	FailIsTest      bool `json:"fail_is_test" doc:"Redirects to FailURL say IsTest=1 in test mode"`
	OmitEmptyEmail  bool `json:"omit_empty_email" doc:"ResultURL has no EMail when the buyer gave none"`

	ErrorStatus  int     `json:"error_status" doc:"HTTP status of a page with an error code"`
	CheckOrder   []Check `json:"check_order" nullable:"false" doc:"In which order a payment request is checked"`
	MaxInvID     int64   `json:"max_inv_id" doc:"The largest InvId; 2147483647 in older documents"`
	MaxShpLength int     `json:"max_shp_length" doc:"Of name and value of a Shp_ field, in characters"`

	ReceiptDecodings int  `json:"receipt_decodings" doc:"Receipt may be signed decoded up to so many times more than it was sent: 0 to 2"`
	UnsignedCurrency bool `json:"unsigned_currency" doc:"OutSumCurrency and UserIp may be left out of the signature"`
	BytewiseShp      bool `json:"bytewise_shp" doc:"Shp_ fields may be signed in bytewise order"`
	EncodedURLs      bool `json:"encoded_urls" doc:"ResultUrl2 and its like may be signed percent-encoded, as before 30 June 2025"`

	Rates           map[string]string `json:"rates" doc:"Roubles for one unit of a currency"`
	CurrencyResult  string            `json:"currency_result" enum:"requested,roubles" doc:"What OutSum in ResultURL is for a payment with OutSumCurrency"`
	FeePercent      string            `json:"fee_percent" doc:"What Robokassa keeps of a live payment"`
	CreditDelayMS   int64             `json:"credit_delay_ms" doc:"From payment (state 50) to crediting and ResultURL (state 100)"`
	HoldMS          int64             `json:"hold_ms" doc:"How long money is held before it goes back"`
	RecurringMS     int64             `json:"recurring_delay_ms" doc:"From a Recurring request to its payment"`
	RefundDelayMS   int64             `json:"refund_delay_ms" doc:"How long a refund is processing"`
	RefundUnknown   int               `json:"refund_unknown_status" doc:"HTTP status of GetState for an unknown id"`
	FinalPageSecond int               `json:"final_page_seconds" doc:"How long the page after the payment stays before it leads back to the shop, real"`

	Namespace   string `json:"xml_namespace" doc:"Of the documents of the XML service"`
	UserFields  string `json:"user_fields" enum:"UserField,UserFields,both" doc:"The element that holds the shop's own fields in OpStateExt"`
	TestOpState string `json:"test_opstate" enum:"unknown,ambiguous" doc:"What OpState says of a number with a test payment: code 3, or code 4 if there is a live one too"`
}

// DefaultSettings returns what the protocol's description suggests.
func DefaultSettings() Settings {
	return Settings{
		ResultRetryMS: ms(time.Minute), ResultTries: 24 * 60, ResultTimeoutMS: ms(10 * time.Second),
		Result2RetryMS: ms(time.Minute), Result2Retries: 5,
		LiveDecimals: 6, SuccessDecimals: 6, FailIsTest: true,
		ErrorStatus: 200, CheckOrder: slices.Clone(checkOrder), MaxInvID: wire.MaxInvID, MaxShpLength: 2048,
		ReceiptDecodings: 2, UnsignedCurrency: true, BytewiseShp: true,
		Rates:          map[string]string{"USD": "90", "EUR": "100", "KZT": "0.18"},
		CurrencyResult: "requested", FeePercent: "3.9",
		HoldMS: ms(7 * 24 * time.Hour), RefundDelayMS: ms(5 * time.Second), RefundUnknown: 200, FinalPageSecond: 5,
		Namespace: wire.NamespaceCaptured, UserFields: "UserField", TestOpState: "unknown",
	}
}

func ms(d time.Duration) int64 { return d.Milliseconds() }

func duration(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// A FieldError says what is wrong with settings or a shop. Field is the name in the control API.
type FieldError struct{ Field, Why string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Why }

const maxPauseMS = 365 * 24 * 3600 * 1000

// Validate returns nil or a *FieldError.
func (s Settings) Validate() error {
	for _, n := range []struct {
		field           string
		value, min, max int64
	}{
		{"result_retry_ms", s.ResultRetryMS, 1, maxPauseMS},
		{"result_tries", int64(s.ResultTries), 1, 100_000},
		{"result_timeout_real_ms", s.ResultTimeoutMS, 1, 600_000},
		{"result2_retry_ms", s.Result2RetryMS, 1, maxPauseMS},
		{"result2_retries", int64(s.Result2Retries), 0, 1000},
		{"error_status", int64(s.ErrorStatus), 200, 599},
		{"max_inv_id", s.MaxInvID, 1, wire.MaxInvID},
		{"max_shp_length", int64(s.MaxShpLength), 1, 100_000},
		{"receipt_decodings", int64(s.ReceiptDecodings), 0, 2},
		{"credit_delay_ms", s.CreditDelayMS, 0, maxPauseMS},
		{"hold_ms", s.HoldMS, 1, maxPauseMS},
		{"recurring_delay_ms", s.RecurringMS, 0, maxPauseMS},
		{"refund_delay_ms", s.RefundDelayMS, 0, maxPauseMS},
		{"refund_unknown_status", int64(s.RefundUnknown), 200, 599},
		{"final_page_seconds", int64(s.FinalPageSecond), 0, 3600},
	} {
		if n.value < n.min || n.value > n.max {
			return &FieldError{n.field, fmt.Sprintf("%d is not between %d and %d", n.value, n.min, n.max)}
		}
	}
	for _, w := range []struct {
		field, value string
		possible     []string
	}{
		{"live_decimals", fmt.Sprint(s.LiveDecimals), []string{"6", "2"}},
		{"success_decimals", fmt.Sprint(s.SuccessDecimals), []string{"6", "2"}},
		{"currency_result", s.CurrencyResult, []string{"requested", "roubles"}},
		{"user_fields", s.UserFields, []string{"UserField", "UserFields", "both"}},
		{"test_opstate", s.TestOpState, []string{"unknown", "ambiguous"}},
	} {
		if !slices.Contains(w.possible, w.value) {
			return &FieldError{w.field, fmt.Sprintf("%q is none of %q", w.value, w.possible)}
		}
	}
	if got := slices.Sorted(slices.Values(s.CheckOrder)); !slices.Equal(got, slices.Sorted(slices.Values(checkOrder))) {
		return &FieldError{"check_order", fmt.Sprintf("must have each of %q once", checkOrder)}
	}
	if s.Namespace == "" {
		return &FieldError{"xml_namespace", "is empty"}
	}
	if fee, err := decimal.NewFromString(s.FeePercent); err != nil || fee.IsNegative() || fee.GreaterThan(decimal.NewFromInt(100)) || fee.Exponent() < -6 || fee.Exponent() > 0 {
		return &FieldError{"fee_percent", fmt.Sprintf("%.40q is not a number from 0 to 100 with at most 6 decimals", s.FeePercent)}
	}
	for code, text := range s.Rates {
		if rate, err := decimal.NewFromString(text); err != nil || !rate.IsPositive() || rate.Exponent() < -6 || rate.Exponent() > 0 || rate.GreaterThan(decimal.NewFromInt(1_000_000)) {
			return &FieldError{"rates." + code, fmt.Sprintf("%.40q is not a number over 0 with at most 6 decimals", text)}
		}
		if _, err := currencyOf(code); err != nil {
			return &FieldError{"rates." + code, err.Error()}
		}
	}
	return nil
}

func (s *Settings) leniency() wire.Leniency {
	return wire.Leniency{ReceiptDecodings: s.ReceiptDecodings, UnsignedCurrency: s.UnsignedCurrency, BytewiseShp: s.BytewiseShp, EncodedURLs: s.EncodedURLs}
}
