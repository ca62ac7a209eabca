package anymoney_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	value := parse(t, `{"int":10,"float":1.50,"list":[1, 2],"dict":{"1":1},"true":true}`)
	tests := []struct {
		got  *anymoney.Error
		want string
	}{
		{anymoney.ParseError(), `{"code":-32700,"message":"Parse error"}`},
		{anymoney.InvalidRequest(), `{"code":-32600,"message":"Invalid Request"}`},
		{anymoney.MethodNotFound(), `{"code":-32601,"message":"Method not found"}`},
		{anymoney.InternalError(), `{"code":-32603,"message":"Internal error"}`},
		{anymoney.HeaderNotPresent("x-signature"), `{"code":-32012,"message":"EParamHeadersInvalid","data":{"field":"x-signature","reason":"Not present"}}`},
		{anymoney.HeaderNotInteger(), `{"code":-32012,"message":"EParamHeadersInvalid","data":{"field":"x-utc-now-ms","reason":"Should be an Integer"}}`},
		{anymoney.MerchantInactive("x-merchant"), `{"code":-32015,"message":"EParamMerchantInvalid","data":{"field":"x-merchant","reason":"Merchant inactive"}}`},
		{anymoney.SignatureInvalid(), `{"code":-32010,"message":"EParamSignInvalid","data":{"reason":"Invalid signature"}}`},
		{anymoney.WindowExceeded("1699999939999"), `{"code":-32013,"message":"EParamRequestWindow","data":{"field":"x-utc-now-ms","reason":"Request window exceeded","value":"1699999939999"}}`},
		{anymoney.ShouldNotBeProvided("par"), `{"code":-32003,"message":"EParamInvalid","data":{"field":"par","reason":"Should not be provided"}}`},
		{anymoney.ShouldNotBeProvided(""), `{"code":-32003,"message":"EParamInvalid","data":{"field":"","reason":"Should not be provided"}}`},
		{anymoney.ShouldBeProvided("in_curr"), `{"code":-32003,"message":"EParamInvalid","data":{"field":"in_curr","reason":"Should be provided"}}`},
		{anymoney.WrongType("amount", value.Get("int")), `{"code":-32004,"message":"EParamType","data":{"field":"amount","reason":"'amount' must not be of 'int' type","value":10}}`},
		{anymoney.WrongType("amount", value.Get("float")), `{"code":-32004,"message":"EParamType","data":{"field":"amount","reason":"'amount' must not be of 'float' type","value":1.50}}`},
		{anymoney.WrongType("amount", value.Get("list")), `{"code":-32004,"message":"EParamType","data":{"field":"amount","reason":"'amount' must not be of 'list' type","value":[1, 2]}}`},
		{anymoney.WrongType("amount", value.Get("dict")), `{"code":-32004,"message":"EParamType","data":{"field":"amount","reason":"'amount' must not be of 'dict' type","value":{"1":1}}}`},
		{anymoney.AmountNotNumber(), `{"code":-32003,"message":"EParamInvalid","data":{"field":"amount","reason":"Should be a Number"}}`},
		{anymoney.AmountNegative(), `{"code":-32003,"message":"EParamInvalid","data":{"field":"amount","reason":"Should be a positive Number"}}`},
		{anymoney.CallbackURLInvalid(anymoney.Text("ftp://x")), `{"code":-32016,"message":"EParamFieldInvalid","data":{"field":"callback_url","reason":"Invalid callback_url value","value":"ftp://x"}}`},
		{anymoney.ParamInvalid("externalid", value.Get("true")), `{"code":-32003,"message":"EParamInvalid","data":{"field":"externalid","reason":"Invalid externalid value","value":true}}`},
		{anymoney.CurrencyInvalid("out_curr"), `{"code":-32014,"message":"EParamCurrencyInvalid","data":{"field":"out_curr","reason":"Invalid currency name"}}`},
		{anymoney.CurrencyInactive(), `{"code":-32033,"message":"EStateCurrencyInactive","data":{"field":"curr","reason":"Inactive"}}`},
		{anymoney.AmountTooFine(), `{"code":-32082,"message":"EParamAmountFormatInvalid","data":{"field":"amount"}}`},
		{anymoney.PaywayInvalid(), `{"code":-32081,"message":"EParamPaywayInvalid","data":{"field":"payway","reason":"Invalid payway name"}}`},
		{anymoney.PaywayInactive(), `{"code":-32083,"message":"EStatePaywayInactive","data":{"field":"payway","reason":"Inactive"}}`},
		{anymoney.PaywayUnavailable(), `{"code":-32084,"message":"EStatePaywayUnavail","data":{"field":"payway","reason":"Disabled"}}`},
		{anymoney.CurrencyUnavailable("UAH"), `{"code":-32055,"message":"EStateCurrencyUnavail","data":{"field":"currency","reason":"Not able to be used","value":"UAH"}}`},
		{anymoney.PairInactive(), `{"code":-32033,"message":"EStateCurrencyInactive","data":{"field":"currency","reason":"Inactive"}}`},
		{anymoney.Forbidden(), `{"code":-32032,"message":"EStateForbidden","data":{"reason":"Forbidden"}}`},
		{anymoney.ExchangeUnavailable("LTC", "ETH"), `{"code":-32085,"message":"EStateExchangeUnavail","data":{"reason":"Unavailable exchange from LTC to ETH"}}`},
		{anymoney.AmountTooSmall("in_amount", "4.99"), `{"code":-32074,"message":"EParamAmountTooSmall","data":{"field":"in_amount","reason":"Amount is too small","value":"4.99"}}`},
		{anymoney.AmountTooBig("amount", "100.01"), `{"code":-32073,"message":"EParamAmountTooBig","data":{"field":"amount","reason":"Amount is too big","value":"100.01"}}`},
		{anymoney.CodeRefused(anymoney.Text("EX-CODE_9")), `{"code":-32076,"message":"EParamCodeInvalid","data":{"field":"code","reason":"Invalid code value","value":"EX-CODE_9"}}`},
		{anymoney.ExternalIDTaken(), `{"code":-32091,"message":"EParamUnique","data":{"field":"externalid","reason":"Such externalid already present"}}`},
		{anymoney.NotFound(), `{"code":-32090,"message":"EParamNotFound","data":{"field":"externalid","reason":"Not found"}}`},
		{anymoney.PeriodInvalid("1h 30m"), `{"code":-32020,"message":"EParamPeriodInvalid","data":{"field":"lifetime","reason":"Invalid lifetime value","value":"1h 30m"}}`},
		{anymoney.PeriodTooShort("59m"), `{"code":-32021,"message":"EParamPeriodTooShort","data":{"field":"lifetime","reason":"Invalid lifetime value","value":"59m"}}`},
		{anymoney.PeriodTooLong("8d"), `{"code":-32022,"message":"EParamPeriodTooLong","data":{"field":"lifetime","reason":"Invalid lifetime value","value":"8d"}}`},
	}
	seen := make(map[anymoney.Code]bool)
	for _, tt := range tests {
		if got := tt.got.Object().String(); got != tt.want {
			t.Errorf("error is %s\nwant %s", got, tt.want)
		}
		seen[tt.got.Code] = true
	}
	if len(seen) != 28 {
		t.Errorf("errors of %d codes; want those of all 28", len(seen))
	}
}

// Every error that a case expects is one of the codes with its message, and is read and
// written without a change.
func TestErrorsOfCases(t *testing.T) {
	t.Parallel()
	n := 0
	for _, c := range cases(t).Cases {
		for _, step := range c.Steps {
			e := step.Expect.Error
			if e == nil {
				continue
			}
			n++
			if got := e.Code.Message(); got != e.Message {
				t.Errorf("%s: message of %d is %q; want %q", c.ID, e.Code, got, e.Message)
			}
			if step.Call == nil {
				continue
			}
			body, err := json.Marshal(map[string]any{"id": 1, "error": struct {
				refusal
				Data json.RawMessage `json:"data,omitempty"`
			}{*e, e.Data}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := anymoney.ParseResponse(body, anymoney.Int(1))
			if err != nil {
				t.Errorf("%s: %v", c.ID, err)
				continue
			}
			r.ID = anymoney.Int(1)
			if diff := cmp.Diff(reads(t, body).(map[string]any)["error"], reads(t, r.Encode()).(map[string]any)["error"]); diff != "" {
				t.Errorf("%s: error differs (-want +got):\n%s", c.ID, diff)
			}
		}
	}
	if n < 50 {
		t.Errorf("found %d errors in the cases", n)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*anymoney.Error{
		"refused with code -32601 Method not found":                                       anymoney.MethodNotFound(),
		"refused with code -32010 EParamSignInvalid: Invalid signature":                   anymoney.SignatureInvalid(),
		`refused with code -32082 EParamAmountFormatInvalid, "amount"`:                    anymoney.AmountTooFine(),
		`refused with code -32074 EParamAmountTooSmall, "in_amount": Amount is too small`: anymoney.AmountTooSmall("in_amount", "1"),
		`refused with code -1 x, "` + long[:40] + `"`: {
			Code: -1, Message: "x", Data: anymoney.Object{{Name: "field", Value: anymoney.Text(long)}, {Name: "reason", Value: anymoney.Int(1)}},
		},
	} {
		if got := e.Error(); got != want {
			t.Errorf("error says %q; want %q", got, want)
		}
	}
	if got := anymoney.Code(-32602).Message(); got != "" {
		t.Errorf("message of a code that is never produced is %q", got)
	}
}
