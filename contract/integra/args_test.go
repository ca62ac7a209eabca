package integra_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/integra"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, plain string
		want        any
	}{
		{
			"amount as text",
			`{"amount":"100.50","transactionId":"x"}`,
			&integra.ConfirmPaymentArgs{Amount: "100.50", TransactionID: "x"},
		},
		{
			"amount as a number keeps its form",
			`{"amount":100.50,"transactionId":"x"}`,
			&integra.ConfirmPaymentArgs{Amount: "100.50", TransactionID: "x"},
		},
		{
			"amount with an exponent is for money to refuse",
			`{"amount":1e2,"transactionId":"x"}`,
			&integra.ConfirmPaymentArgs{Amount: "1e2", TransactionID: "x"},
		},
		{
			"PHP's escapes",
			`{"transactionId":"x","errorCode":402,"errorMessage":"\u041d\u0435\u0442","errorLink":"https:\/\/a.b\/"}`,
			&integra.DeclinePaymentArgs{TransactionID: "x", ErrorCode: 402, ErrorMessage: "Нет", ErrorLink: "https://a.b/"},
		},
		{
			"older callers send more",
			`{"login":"acme-1","hash":"h","createdOn":"2014-05-06 11:23:24"}`,
			&integra.LoginArgs{Login: "acme-1", Hash: "h"},
		},
		{
			"null is as good as absent",
			`{"username":"acme-1","hash":"h","email":null,"inviterUserId":null}`,
			&integra.CreateUserArgs{Username: "acme-1", Hash: "h"},
		},
		{
			"own id of a user as a number",
			`{"username":"acme-1","hash":"h","inviterUserId":42}`,
			&integra.CreateUserArgs{Username: "acme-1", Hash: "h", InviterUserID: "42"},
		},
		{
			"escaped text for an amount",
			`{"amount":"\u0031\u0030","transactionId":"x"}`,
			&integra.ConfirmPaymentArgs{Amount: "10", TransactionID: "x"},
		},
		{
			"escaped name",
			`{"\u0061mount":"1","transactionId":"x"}`,
			&integra.ConfirmPaymentArgs{Amount: "1", TransactionID: "x"},
		},
		{"flag", `{"markRead":true}`, &integra.MessagesArgs{MarkRead: true}},
		{"PHP's empty array", `[]`, &integra.HelloArgs{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := fresh(tt.want)
			if err := integra.Decode([]byte(tt.plain), got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Decode(%s) (-want +got):\n%s", tt.plain, diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, plain string
		into        any
		want        string
	}{
		{
			"missing", `{"amount":"1"}`, &integra.ConfirmPaymentArgs{},
			`invalid arguments: "transactionId" is missing`,
		},
		{
			"null", `{"amount":"1","transactionId":null}`, &integra.ConfirmPaymentArgs{},
			`invalid arguments: "transactionId" is missing`,
		},
		{
			"empty", `{"amount":"","transactionId":"x"}`, &integra.ConfirmPaymentArgs{},
			`invalid arguments: "amount" is missing`,
		},
		{
			"names are case-sensitive", `{"AMOUNT":"1","transactionId":"x"}`, &integra.ConfirmPaymentArgs{},
			`invalid arguments: "amount" is missing`,
		},
		{
			"object for an amount", `{"amount":{"sum":1},"transactionId":"x"}`, &integra.ConfirmPaymentArgs{},
			`invalid arguments: "amount" must be a string or a number, not an object`,
		},
		{
			"boolean for an amount", `{"amount":true,"transactionId":"x"}`, &integra.ConfirmPaymentArgs{},
			`invalid arguments: "amount" must be a string or a number, not a boolean`,
		},
		{
			"number for text", `{"amount":1,"transactionId":202}`, &integra.ConfirmPaymentArgs{},
			`invalid arguments: "transactionId" must be a string, not the number 202`,
		},
		{
			"array for text", `{"amount":1,"transactionId":[]}`, &integra.ConfirmPaymentArgs{},
			`invalid arguments: "transactionId" must be a string, not an array`,
		},
		{
			"text for a number", `{"transactionId":"x","errorCode":"402"}`, &integra.DeclinePaymentArgs{},
			`invalid arguments: "errorCode" must be an integer, not a string`,
		},
		{
			"fraction for an integer", `{"transactionId":"x","errorCode":4.5}`, &integra.DeclinePaymentArgs{},
			`invalid arguments: "errorCode" must be an integer, not the number 4.5`,
		},
		{
			"number for a flag", `{"markRead":1}`, &integra.MessagesArgs{},
			`invalid arguments: "markRead" must be true or false, not the number 1`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := integra.Decode([]byte(tt.plain), tt.into)
			var e *integra.ArgumentError
			if !errors.As(err, &e) || !errors.Is(err, integra.ErrArguments) || err.Error() != tt.want {
				t.Errorf("Decode(%s): %v; want %s", tt.plain, err, tt.want)
			}
		})
	}
	if err := integra.Decode([]byte(`[1]`), &integra.HelloArgs{}); !errors.Is(err, integra.ErrPlain) {
		t.Errorf("Decode of an array: %v; want ErrPlain", err)
	}
	for _, into := range []any{nil, integra.HelloArgs{}, new(string), &map[string]any{}} {
		if err := integra.Decode([]byte(`{}`), into); err == nil {
			t.Errorf("Decode into %T: no error", into)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]integra.Text{
		`"100"`: "100", `100`: "100", `100.50`: "100.50", `-1e+5`: "-1e+5", `"\u0031"`: "1", `null`: "",
	} {
		var got integra.Text
		if err := json.Unmarshal([]byte(raw), &got); got != want || err != nil {
			t.Errorf("Text of %s = %q, %v; want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{`true`, `{}`, `[]`} {
		var got integra.Text
		if err := json.Unmarshal([]byte(raw), &got); err == nil {
			t.Errorf("Text of %s = %q; want an error", raw, got)
		}
	}
	if got, err := json.Marshal(integra.Text("100.50")); string(got) != `"100.50"` || err != nil {
		t.Errorf("Text is written as %s, %v", got, err)
	}
}
