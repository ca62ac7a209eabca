package anymoney_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

var exact = cmp.Comparer(sameValue)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       anymoney.Request
	}{
		{
			"full", `{"jsonrpc":"2.0","method":"balance","params":{"curr":"UAH"},"id":"R5822"}`,
			anymoney.Request{Method: "balance", Params: anymoney.Object{{Name: "curr", Value: anymoney.Text("UAH")}}, ID: anymoney.Text("R5822")},
		},
		{"no params", `{"jsonrpc":"2.0","method":"balance","id":1}`, anymoney.Request{Method: "balance", ID: anymoney.Int(1)}},
		{"null params", `{"jsonrpc":"2.0","method":"balance","params":null,"id":1}`, anymoney.Request{Method: "balance", ID: anymoney.Int(1)}},
		{"empty params", `{"jsonrpc":"2.0","method":"balance","params":{},"id":""}`, anymoney.Request{Method: "balance", Params: anymoney.Object{}, ID: anymoney.Text("")}},
		{"version as a number", `{"jsonrpc":2.0,"method":"x","id":0}`, anymoney.Request{Method: "x", ID: anymoney.Int(0)}},
		{"version as JavaScript writes the number", `{"jsonrpc":2,"method":"x","id":0}`, anymoney.Request{Method: "x", ID: anymoney.Int(0)}},
		{"other members", `{"id":7,"auth":null,"method":"x","jsonrpc":"2.0"}`, anymoney.Request{Method: "x", ID: anymoney.Int(7)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := anymoney.ParseRequest([]byte(tt.body))
			if diff := cmp.Diff(tt.want, got, exact); diff != "" || err != nil {
				t.Errorf("ParseRequest = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestParseRequestFaults(t *testing.T) {
	t.Parallel()
	const (
		parseError     = `{"code":-32700,"message":"Parse error"}`
		invalidRequest = `{"code":-32600,"message":"Invalid Request"}`
	)
	tests := []struct {
		name, body string
		fault      anymoney.Fault
		answer     string
	}{
		{"nothing", "", anymoney.FaultEmpty, parseError},
		{"cut off", `{"method": `, anymoney.FaultSyntax, parseError},
		{"NUL", "{\"method\":\"\x00\"}", anymoney.FaultNUL, parseError},
		{"no Unicode", "{\"method\":\"\xff\"}", anymoney.FaultUTF8, parseError},
		{"too deep", nested(1000), anymoney.FaultDepth, parseError},
		{"batch", `[{"jsonrpc":"2.0","method":"balance","params":{},"id":"1"}]`, anymoney.FaultBatch, invalidRequest},
		{"empty batch", `[]`, anymoney.FaultBatch, invalidRequest},
		{"text", `"balance"`, anymoney.FaultNotObject, invalidRequest},
		{"null", `null`, anymoney.FaultNotObject, invalidRequest},
		{"nothing in it", `{}`, anymoney.FaultVersion, invalidRequest},
		{"no version", `{"method":"balance","id":1}`, anymoney.FaultVersion, invalidRequest},
		{"other version", `{"jsonrpc":"1.0","method":"balance","id":1}`, anymoney.FaultVersion, invalidRequest},
		{"version 2", `{"jsonrpc":"2","method":"balance","id":1}`, anymoney.FaultVersion, invalidRequest},
		{"version null", `{"jsonrpc":null,"method":"balance","id":1}`, anymoney.FaultVersion, invalidRequest},
		{"version with space", `{"jsonrpc":"2.0 ","method":"balance","id":1}`, anymoney.FaultVersion, invalidRequest},
		{"no method", `{"jsonrpc":"2.0","id":1}`, anymoney.FaultMethod, invalidRequest},
		{"empty method", `{"jsonrpc":"2.0","method":"","id":1}`, anymoney.FaultMethod, invalidRequest},
		{"number as method", `{"jsonrpc":"2.0","method":1,"id":1}`, anymoney.FaultMethod, invalidRequest},
		{"method in capitals", `{"jsonrpc":"2.0","Method":"balance","id":1}`, anymoney.FaultMethod, invalidRequest},
		{"positional params", `{"jsonrpc":"2.0","method":"balance","params":["UAH"],"id":"1"}`, anymoney.FaultPositional, invalidRequest},
		{"empty list of params", `{"jsonrpc":"2.0","method":"balance","params":[],"id":"1"}`, anymoney.FaultPositional, invalidRequest},
		{"text as params", `{"jsonrpc":"2.0","method":"balance","params":"UAH","id":"1"}`, anymoney.FaultParams, invalidRequest},
		{"false as params", `{"jsonrpc":"2.0","method":"balance","params":false,"id":"1"}`, anymoney.FaultParams, invalidRequest},
		{"notification", `{"jsonrpc":"2.0","method":"balance","params":{}}`, anymoney.FaultNotification, invalidRequest},
		{"null id", `{"jsonrpc":"2.0","method":"balance","id":null}`, anymoney.FaultID, invalidRequest},
		{"boolean id", `{"jsonrpc":"2.0","method":"balance","id":true}`, anymoney.FaultID, invalidRequest},
		{"list as id", `{"jsonrpc":"2.0","method":"balance","id":[1]}`, anymoney.FaultID, invalidRequest},
		{"object as id", `{"jsonrpc":"2.0","method":"balance","id":{}}`, anymoney.FaultID, invalidRequest},
		{"two methods", `{"jsonrpc":"2.0","method":"balance","method":"status","id":1}`, anymoney.FaultDuplicate, invalidRequest},
		{"two amounts", `{"jsonrpc":"2.0","method":"x","params":{"amount":"1","amount":"2"},"id":1}`, anymoney.FaultDuplicate, invalidRequest},
		{"a response", `{"jsonrpc":"2.0","result":{},"id":1}`, anymoney.FaultMethod, invalidRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := anymoney.ParseRequest([]byte(tt.body))
			e, ok := errors.AsType[*anymoney.MessageError](err)
			if !ok || e.Fault != tt.fault {
				t.Fatalf("ParseRequest = %v, %v; want fault %q", got, err, tt.fault)
			}
			if answer := e.Refusal().Object().String(); answer != tt.answer {
				t.Errorf("answered with %s; want %s", answer, tt.answer)
			}
		})
	}
}

func TestEncodeRequest(t *testing.T) {
	t.Parallel()
	r := anymoney.Request{
		Method: anymoney.MethodPayinCreate, ID: anymoney.Text("1"),
		Params: anymoney.CreateParams{Amount: "256.13", ExternalID: "Order-1", InCurr: "UAH", Payway: "visamc", CallbackURL: "https://shop.test/Cb?a=1&b=2"}.Object(),
	}
	const want = `{"jsonrpc":"2.0","method":"payin.create","params":{"amount":"256.13","callback_url":"https://shop.test/Cb?a=1&b=2",` +
		`"externalid":"Order-1","in_curr":"UAH","payway":"visamc"},"id":"1"}`
	if got := string(r.Encode()); got != want {
		t.Errorf("request is %s\nwant %s", got, want)
	}
	r = anymoney.Request{Method: anymoney.MethodBalance, ID: anymoney.Int(7)}
	if got, want := string(r.Encode()), `{"jsonrpc":"2.0","method":"balance","params":{},"id":7}`; got != want {
		t.Errorf("request is %s\nwant %s", got, want)
	}
}

func TestEncodeResponse(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]anymoney.Response{
		`{"result":{"UAH":"0"},"id":"R5822","jsonrpc":"2.0"}`: {Result: anymoney.Balances{"UAH": "0"}.Object(), ID: anymoney.Text("R5822")},
		`{"result":{},"id":1.50,"jsonrpc":"2.0"}`:             {ID: parse(t, `{"id":1.50}`).Get("id")},
		`{"error":{"code":-32600,"message":"Invalid Request"},"id":null,"jsonrpc":"2.0"}`: {
			Err: anymoney.InvalidRequest(),
		},
		`{"error":{"code":-32091,"message":"EParamUnique","data":{"field":"externalid","reason":"Such externalid already present"}},"id":7,"jsonrpc":"2.0"}`: {
			Err: anymoney.ExternalIDTaken(), ID: anymoney.Int(7),
		},
	} {
		if got := string(r.Encode()); got != want {
			t.Errorf("response is %s\nwant %s", got, want)
		}
	}
}

func TestParseResponse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       anymoney.Response
	}{
		{
			"result", `{"jsonrpc":"2.0","result":{"UAH":"11.5"},"id":"1"}`,
			anymoney.Response{Result: anymoney.Object{{Name: "UAH", Value: anymoney.Text("11.5")}}, ID: anymoney.Text("1")},
		},
		{"result and null error", `{"result":{},"error":null,"id":"1"}`, anymoney.Response{Result: anymoney.Object{}, ID: anymoney.Text("1")}},
		{
			"error", `{"error":{"code":-32074,"message":"EParamAmountTooSmall","data":{"field":"amount","reason":"Amount is too small","value":"0.99"}},"result":null,"id":"1"}`,
			anymoney.Response{Err: anymoney.AmountTooSmall("amount", "0.99"), ID: anymoney.Text("1")},
		},
		{"error without data", `{"error":{"code":-32601,"message":"Method not found"},"id":"1"}`, anymoney.Response{Err: anymoney.MethodNotFound(), ID: anymoney.Text("1")}},
		{
			"error with odd data", `{"error":{"code":-1,"message":"","data":"text"},"id":"1"}`,
			anymoney.Response{Err: &anymoney.Error{Code: -1}, ID: anymoney.Text("1")},
		},
		{"unread request", `{"error":{"code":-32700,"message":"Parse error"},"id":null}`, anymoney.Response{Err: anymoney.ParseError()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := anymoney.ParseResponse([]byte(tt.body), anymoney.Text("1"))
			if diff := cmp.Diff(tt.want, got, exact); diff != "" || err != nil {
				t.Errorf("ParseResponse = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestParseResponseFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		fault      anymoney.Fault
	}{
		{"page", "<html>502 Bad Gateway</html>", anymoney.FaultSyntax},
		{"cut off", `{"result":{"UAH":"1`, anymoney.FaultSyntax},
		{"list", `[]`, anymoney.FaultBatch},
		{"nothing in it", `{}`, anymoney.FaultNoOutcome},
		{"both", `{"result":{},"error":{"code":1,"message":"x"},"id":"1"}`, anymoney.FaultNoOutcome},
		{"neither", `{"result":null,"error":null,"id":"1"}`, anymoney.FaultNoOutcome},
		{"two results", `{"result":{},"result":{},"id":"1"}`, anymoney.FaultDuplicate},
		{"list as result", `{"result":[],"id":"1"}`, anymoney.FaultResult},
		{"true as result", `{"result":true,"id":"1"}`, anymoney.FaultResult},
		{"text as error", `{"error":"no","id":"1"}`, anymoney.FaultError},
		{"error without code", `{"error":{"message":"x"},"id":"1"}`, anymoney.FaultError},
		{"error without message", `{"error":{"code":-32003},"id":"1"}`, anymoney.FaultError},
		{"text as code", `{"error":{"code":"-32003","message":"x"},"id":"1"}`, anymoney.FaultError},
		{"fraction as code", `{"error":{"code":-32003.0,"message":"x"},"id":"1"}`, anymoney.FaultError},
		{"endless code", `{"error":{"code":99999999999999999999,"message":"x"},"id":"1"}`, anymoney.FaultError},
		{"other id", `{"result":{},"id":"2"}`, anymoney.FaultOtherAnswer},
		{"id of another type", `{"result":{},"id":1}`, anymoney.FaultOtherAnswer},
		{"result without id", `{"result":{}}`, anymoney.FaultOtherAnswer},
		{"error of another id", `{"error":{"code":-32003,"message":"x"},"id":"2"}`, anymoney.FaultOtherAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := anymoney.ParseResponse([]byte(tt.body), anymoney.Text("1"))
			if e, ok := errors.AsType[*anymoney.MessageError](err); !ok || e.Fault != tt.fault {
				t.Errorf("ParseResponse = %v, %v; want fault %q", got, err, tt.fault)
			}
		})
	}
}

// An accepted request is written back to one that is read as the same.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","method":"payin.calc","params":{"amount":1.50,"x":[{}],"in_curr":"Ж"},"id":"1"}`))
	f.Add([]byte(`{"jsonrpc":2.0,"method":"balance","params":null,"id":-1e5}`))
	f.Add([]byte(`[{"jsonrpc":"2.0","method":"balance","params":["UAH"]}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := anymoney.ParseRequest(body)
		if err != nil {
			if e, ok := errors.AsType[*anymoney.MessageError](err); !ok || e.Fault == "" {
				t.Fatalf("ParseRequest(%q) = %#v", body, err)
			}
			return
		}
		again, err := anymoney.ParseRequest(r.Encode())
		if err != nil || again.Method != r.Method || again.ID != r.ID || again.Params.String() != r.Params.String() {
			t.Fatalf("%q written back is %q: %v", body, r.Encode(), err)
		}
		_ = r.Method.Check(r.Params)
	})
}

// An accepted response is written back to one that is read as the same, up to data that no
// error of the platform has.
func FuzzParseResponse(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","result":{"UAH":"11.5"},"id":"1"}`))
	f.Add([]byte(`{"error":{"code":-32004,"message":"EParamType","data":{"field":"amount","reason":"x","value":[1, 2]}},"id":"1"}`))
	f.Add([]byte(`{"error":{"code":-32700,"message":"Parse error"},"id":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := anymoney.ParseResponse(body, anymoney.Text("1"))
		if err != nil {
			return
		}
		again, err := anymoney.ParseResponse(r.Encode(), anymoney.Text("1"))
		if err != nil || !cmp.Equal(r, again, exact) {
			t.Fatalf("%q written back is %q: %v", body, r.Encode(), err)
		}
		if r.Err != nil && !strings.Contains(r.Err.Error(), r.Err.Message) {
			t.Fatalf("error says %q; want %q in it", r.Err, r.Err.Message)
		}
		_, _ = anymoney.ReadOrder(r.Result)
		_, _ = anymoney.ReadCalculation(r.Result)
		_, _ = anymoney.ReadBalances(r.Result)
		_, _ = anymoney.ReadPayways(r.Result)
	})
}
