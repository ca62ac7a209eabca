package integra_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/integra"
)

// fresh returns a pointer to a new zero value of what v points to.
func fresh(v any) any { return reflect.New(reflect.TypeOf(v).Elem()).Interface() }

// Every method that answers with an envelope, with the bytes of a success. The shapes are
// those of the docs (guide/API-v1-reference.md), written by hand; version and notices
// follow the client.
var successes = []struct {
	method integra.Method
	result any
	body   string
}{
	{
		integra.Hello, ptr("Hello, Dmitry!"),
		`{"status":{"code":0,"message":"ok"},"error":false,"data":"Hello, Dmitry!","version":"1","notices":[]}`,
	},
	{
		integra.CreateUser, &integra.CreateUserResult{CryptKey: "ko808duypw6hxos6q4vihukgy4wpuzwwbwnerus676krgwcoi7u"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"cryptKey":"ko808duypw6hxos6q4vihukgy4wpuzwwbwnerus676krgwcoi7u"},"version":"1","notices":[]}`,
	},
	{
		integra.ArchiveUser, &integra.ArchiveUserResult{UserHash: "0123456789abcdef0123456789abcdef", LastBillingDate: "2026-11-23"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"userHash":"0123456789abcdef0123456789abcdef","lastBillingDate":"2026-11-23"},"version":"1","notices":[]}`,
	},
	{
		integra.UnarchiveUser, &integra.UnarchiveUserResult{UserHash: "0123456789abcdef0123456789abcdef"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"userHash":"0123456789abcdef0123456789abcdef"},"version":"1","notices":[]}`,
	},
	{
		integra.DoPayment, &integra.DoPaymentResult{PaymentID: "114163"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"paymentId":"114163"},"version":"1","notices":[]}`,
	},
	{
		integra.ConfirmPayment, &integra.TransactionResult{TransactionID: "202cb962ac59075b964b07152d234b70"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"transactionId":"202cb962ac59075b964b07152d234b70"},"version":"1","notices":[]}`,
	},
	{
		integra.DeclinePayment, &integra.TransactionResult{TransactionID: "202cb962ac59075b964b07152d234b70"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"transactionId":"202cb962ac59075b964b07152d234b70"},"version":"1","notices":[]}`,
	},
	{
		integra.GetFinSummaryByDate, &integra.FinSummary{Date: "2026-11-23", Balance: "100.5", Income: "150", Outcome: "-49.5"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"date":"2026-11-23","balance":100.5,"income":150,"outcome":-49.5},"version":"1","notices":[]}`,
	},
	{
		integra.GetUserData, &userData,
		`{"status":{"code":0,"message":"ok"},"error":false,"data":` + userDataJSON + `,"version":"1","notices":[]}`,
	},
	{
		integra.GetUsersData, &[]integra.UserData{userData},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":[` + userDataJSON + `],"version":"1","notices":[]}`,
	},
	{
		integra.GetUserMessages, &integra.MessagesResult{Messages: []integra.Message{{
			ID: "7", UserLogin: "acme-1", Type: "low_balance", Title: "Баланс", Text: `<a href="{{go/payment}}">ссылке</a>`,
			Params: json.RawMessage(`{"days":3}`), TemplateID: "12", TextTemplate: "{{days}}", TitleTemplate: "Баланс",
		}}},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"messages":[{"id":"7","userLogin":"acme-1","type":"low_balance","title":"Баланс","text":"<a href=\"{{go/payment}}\">ссылке</a>","params":{"days":3},"templateId":"12","textTemplate":"{{days}}","titleTemplate":"Баланс"}]},"version":"1","notices":[]}`,
	},
	{
		integra.GetMessages, &integra.MessagesResult{Messages: []integra.Message{}},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"messages":[]},"version":"1","notices":[]}`,
	},
	{
		integra.GetMessageTemplates, &integra.MessageTemplatesResult{Messages: []integra.MessageTemplate{
			{TemplateID: "12", TextTemplate: "{{days}}", TitleTemplate: "Баланс"},
		}},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"messages":[{"templateId":"12","textTemplate":"{{days}}","titleTemplate":"Баланс"}]},"version":"1","notices":[]}`,
	},
	{
		integra.ReadMessages, &integra.ReadMessagesResult{Success: 3},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"success":3},"version":"1","notices":[]}`,
	},
	{
		integra.ChangeURL, &integra.ChangeURLResult{NewURL: "http://my-new-domain.com", OldURL: "http://site.ru"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"newUrl":"http://my-new-domain.com","oldUrl":"http://site.ru"},"version":"1","notices":[]}`,
	},
	{
		integra.AttachCounter, &integra.AttachCounterResult{ID: "31"},
		`{"status":{"code":0,"message":"ok"},"error":false,"data":{"id":31},"version":"1","notices":[]}`,
	},
}

var userData = integra.UserData{
	Hash: "0123456789abcdef0123456789abcdef", Balance: "-12.30", DailyBudget: "33.33", DailyExpense: "0",
	URL: "site.ru", Keywords: []string{"слово1", "слово2"}, Status: integra.StatusRun, Progress: integra.ProgressPaid,
	Markers: []integra.Marker{{
		Code: 5, Type: integra.MarkerWarning, Title: "Баланс", Text: "3 дня",
		TitleTemplate: "Баланс", TextTemplate: "{{days}} дня", Data: json.RawMessage(`[3]`),
	}},
	UnreadCount: 2, BalanceInfo: integra.BalanceInfo{Days: 3, Months: 0, UntilTime: 1811192400000},
}

const userDataJSON = `{"hash":"0123456789abcdef0123456789abcdef","balance":-12.30,"dailyBudget":33.33,"dailyExpense":0,"url":"site.ru","keywords":["слово1","слово2"],"status":"run","progress":"CAMPAIGN_PAID","markers":[{"code":5,"type":"warning","title":"Баланс","text":"3 дня","title_template":"Баланс","text_template":"{{days}} дня","data":[3]}],"unreadCount":2,"balanceInfo":{"days":3,"months":0,"untilTime":1811192400000}}`

func ptr[T any](v T) *T { return &v }

func TestSuccesses(t *testing.T) {
	t.Parallel()
	for _, m := range integra.Methods() {
		answered := slices.ContainsFunc(successes, func(s struct {
			method integra.Method
			result any
			body   string
		},
		) bool {
			return s.method == m
		})
		if answered == m.HTML() {
			t.Errorf("%s: an envelope in the table: %t; answers with a page: %t", m, answered, m.HTML())
		}
	}
	for _, tt := range successes {
		t.Run(string(tt.method), func(t *testing.T) {
			t.Parallel()
			if got := string(integra.Success(tt.result).Encode()); got != tt.body {
				t.Errorf("Encode:\n got %s\nwant %s", got, tt.body)
			}
			r, err := integra.ParseResponse([]byte(tt.body))
			if err != nil || r.Err() != nil || r.Version != "1" || r.Status.Message != "ok" || r.Notices != nil {
				t.Fatalf("ParseResponse = %+v, %v", r, err)
			}
			result := fresh(tt.result)
			if err := r.Result(result); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.result, result); diff != "" {
				t.Errorf("Result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for code, body := range map[integra.Code]string{
		integra.CodeInvalid:         `{"status":{"code":1,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodePartnerKey:      `{"status":{"code":2,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodeHashTaken:       `{"status":{"code":3,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodeHashLength:      `{"status":{"code":4,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodeUserNotFound:    `{"status":{"code":5,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodeUserArchived:    `{"status":{"code":6,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodePaymentNotFound: `{"status":{"code":7,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodePaymentFinal:    `{"status":{"code":8,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodeAmountDiffers:   `{"status":{"code":9,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodePaymentHashUsed: `{"status":{"code":10,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodeBalance:         `{"status":{"code":11,"message":"no"},"error":true,"version":"1","notices":[]}`,
		integra.CodeInternal:        `{"status":{"code":99,"message":"no"},"error":true,"version":"1","notices":[]}`,
		12345:                       `{"status":{"code":12345,"message":"no"},"error":true,"version":"1","notices":[]}`,
		-1:                          `{"status":{"code":-1,"message":"no"},"error":true,"version":"1","notices":[]}`,
	} {
		want := integra.Failure(code, "no")
		if got := string(want.Encode()); got != body {
			t.Errorf("Encode:\n got %s\nwant %s", got, body)
		}
		got, err := integra.ParseResponse([]byte(body))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("ParseResponse: %v (-want +got):\n%s", err, diff)
		}
		var refusal *integra.Refusal
		if !errors.As(got.Err(), &refusal) || *refusal != (integra.Refusal{Code: code, Message: "no"}) {
			t.Errorf("Err = %v", got.Err())
		}
	}
}

// Everything that decides nothing may be missing or odd.
func TestParseResponseGenerous(t *testing.T) {
	t.Parallel()
	ok := integra.Response{Status: integra.Status{Message: "ok"}}
	with := func(change func(*integra.Response)) integra.Response {
		r := ok
		change(&r)
		return r
	}
	tests := []struct {
		name, body string
		want       integra.Response
	}{
		{"as in the docs", `{"status":{"code":0,"message":"ok"},"error":false}`, ok},
		{"white space and order", "\n{ \"error\" : false , \"status\" : { \"message\" : \"ok\" , \"code\" : 0 } }\n", ok},
		{"unknown fields", `{"status":{"code":0,"message":"ok","x":1},"error":false,"debug":{"a":[1]}}`, ok},
		{"null data", `{"status":{"code":0,"message":"ok"},"error":false,"data":null}`, ok},
		{
			"PHP's empty data", `{"status":{"code":0,"message":"ok"},"error":false,"data":[]}`,
			with(func(r *integra.Response) { r.Data = json.RawMessage(`[]`) }),
		},
		{
			"version as a number, as in the client's tests", `{"version":1,"notices":[],"status":{"code":0,"message":""},"error":false}`,
			with(func(r *integra.Response) { r.Version, r.Status.Message = "1", "" }),
		},
		{
			"notices", `{"status":{"code":0,"message":"ok"},"error":false,"notices":["old","older"]}`,
			with(func(r *integra.Response) { r.Notices = []string{"old", "older"} }),
		},
		{
			"escapes", `{"status":{"code":0,"message":"\u043e\u043a \/"},"error":false}`,
			with(func(r *integra.Response) { r.Status.Message = "ок /" }),
		},
		{"no message", `{"status":{"code":0},"error":false}`, with(func(r *integra.Response) { r.Status.Message = "" })},
		{"message is no text", `{"status":{"code":0,"message":{"ru":"ок"}},"error":false}`, with(func(r *integra.Response) { r.Status.Message = "" })},
		{"notices are no strings", `{"status":{"code":0,"message":"ok"},"error":false,"notices":[{"a":1}],"version":null}`, ok},
		{"notices are an object", `{"status":{"code":0,"message":"ok"},"error":false,"notices":{"0":"old"}}`, ok},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := integra.ParseResponse([]byte(tt.body))
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("ParseResponse(%s): %v (-want +got):\n%s", tt.body, err, diff)
			}
		})
	}
}

// What does not say whether the call succeeded is no answer: the outcome is unknown.
func TestParseResponseStrict(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":                      ``,
		"a page":                       `<html><body>502 Bad Gateway</body></html>`,
		"a PHP warning before it":      `Warning: mysql_connect(): {"status":{"code":0,"message":"ok"},"error":false}`,
		"cut off":                      `{"status":{"code":0,"message":"ok"},"error":fal`,
		"cut off at a tempting place":  `{"status":{"code":0,"message":"ok"},"error":false`,
		"two answers":                  `{"status":{"code":0,"message":"ok"},"error":false}{"status":{"code":1},"error":true}`,
		"an array":                     `[{"status":{"code":0,"message":"ok"},"error":false}]`,
		"PHP's empty array":            `[]`,
		"an empty object":              `{}`,
		"null":                         `null`,
		"no status":                    `{"error":false}`,
		"status is null":               `{"status":null,"error":false}`,
		"status is text":               `{"status":"ok","error":false}`,
		"status is PHP's empty array":  `{"status":[],"error":false}`,
		"no code":                      `{"status":{"message":"ok"},"error":false}`,
		"code is null":                 `{"status":{"code":null},"error":false}`,
		"code is text":                 `{"status":{"code":"0"},"error":false}`,
		"code is a fraction":           `{"status":{"code":0.5},"error":true}`,
		"code is huge":                 `{"status":{"code":99999999999999999999},"error":true}`,
		"no error":                     `{"status":{"code":0,"message":"ok"}}`,
		"error is null":                `{"status":{"code":0,"message":"ok"},"error":null}`,
		"error is a number":            `{"status":{"code":0,"message":"ok"},"error":0}`,
		"error is text":                `{"status":{"code":0,"message":"ok"},"error":"false"}`,
		"an error of code 0":           `{"status":{"code":0,"message":"ok"},"error":true}`,
		"a success of code 1":          `{"status":{"code":1,"message":"no"},"error":false}`,
		"error said twice":             `{"status":{"code":0,"message":"ok"},"error":false,"error":true}`,
		"code said twice":              `{"status":{"code":0,"code":1},"error":false}`,
		"status said twice":            `{"status":{"code":0},"status":{"code":1},"error":false}`,
		"names are case-sensitive":     `{"Status":{"Code":0},"Error":false}`,
		"not UTF-8":                    "{\"status\":{\"code\":1,\"message\":\"\xcd\xe5\xf2\"},\"error\":true}",
		"an answer of another service": `{"ok":true}`,
	} {
		got, err := integra.ParseResponse([]byte(body))
		if !errors.Is(err, integra.ErrNotEnvelope) {
			t.Errorf("%s: ParseResponse(%s) = %+v, %v; want ErrNotEnvelope", name, body, got, err)
		}
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	var got integra.TransactionResult
	if err := integra.Success(nil).Result(&got); err == nil {
		t.Error("Result without data: no error")
	}
	if err := integra.Success([]int{}).Result(&got); err != nil || got != (integra.TransactionResult{}) {
		t.Errorf("Result of PHP's empty array = %+v, %v", got, err)
	}
	if err := integra.Success("text").Result(&got); err == nil || !strings.Contains(err.Error(), "TransactionResult") {
		t.Errorf("Result of text: %v; want an error that names the result", err)
	}
}

func TestSuccessThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := integra.Success(func() {})
	if r.Status.Code != integra.CodeInternal || !r.Error || r.Err() == nil {
		t.Errorf("Success(func) = %+v; want a failure", r)
	}
}

func TestEncodeEscapes(t *testing.T) {
	t.Parallel()
	r := integra.Failure(integra.CodeInvalid, "a \"b\" \\ \n <т> \xff")
	r.Notices = []string{"deprecated", `use "createUser"`}
	want := `{"status":{"code":1,"message":"a \"b\" \\ \n <т> ` + `\ufffd` + `"},"error":true,"version":"1","notices":["deprecated","use \"createUser\""]}`
	if got := string(r.Encode()); got != want {
		t.Errorf("Encode:\n got %s\nwant %s", got, want)
	}
}

func FuzzParseResponse(f *testing.F) {
	for _, tt := range successes {
		f.Add([]byte(tt.body))
	}
	f.Add(integra.Failure(integra.CodeAmountDiffers, "Сумма").Encode())
	f.Add([]byte(`{"version":1,"notices":{"a":"b"},"status":{"code":-0,"message":null},"error":false,"data":[]}`))
	f.Add([]byte(`{"status":{"code":0},"error":true}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := integra.ParseResponse(body)
		if err != nil {
			if !errors.Is(err, integra.ErrNotEnvelope) {
				t.Fatalf("ParseResponse(%q): %v", body, err)
			}
			return
		}
		if (r.Err() == nil) != (r.Status.Code == integra.CodeOK) || r.Error != (r.Err() != nil) {
			t.Fatalf("%q decides both ways: %+v", body, r)
		}
		// encoding/json sees the same decision.
		var plain struct {
			Status struct{ Code int }
			Error  bool
		}
		if err := json.Unmarshal(body, &plain); err == nil && !hasOtherCase(body) && (plain.Error != r.Error || plain.Status.Code != int(r.Status.Code)) {
			t.Fatalf("%q: %+v; encoding/json reads %+v", body, r, plain)
		}
		written := r.Encode()
		again, err := integra.ParseResponse(written)
		if diff := cmp.Diff(r, again); diff != "" || err != nil {
			t.Fatalf("%q is written as %q: %v (-first +again):\n%s", body, written, err, diff)
		}
		if twice := again.Encode(); string(twice) != string(written) {
			t.Fatalf("%q is written as %q and then as %q", body, written, twice)
		}
	})
}

// hasOtherCase reports whether encoding/json, which takes names in any case, may read
// another field than we do.
func hasOtherCase(body []byte) bool {
	lower := strings.ToLower(string(body))
	return strings.Count(lower, "error")+strings.Count(lower, "code")+strings.Count(lower, "status") > 3 || strings.Contains(lower, `\u`) || strings.Contains(lower, "ſ")
}
