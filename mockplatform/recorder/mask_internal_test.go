package recorder

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMaskBody(t *testing.T) {
	t.Parallel()
	const form, xml = "application/x-www-form-urlencoded", "text/xml; charset=utf-8"
	for _, tt := range []struct{ name, body, kind, want, left string }{
		{"nothing", "", "image/png", "", ""},
		{"JSON stays as it is", "{ \"amount\" : 100.50, \"keywords\":[\"a\\/b\"] }\n", "", "{ \"amount\" : 100.50, \"keywords\":[\"a\\/b\"] }\n", ""},
		{"by name", `{"cryptKey":"abc","api_key":"x","accessToken":"y","password1":"z","status":{"code":7},"errorCode":3}`, "", `{"cryptKey":"***","api_key":"***","accessToken":"***","password1":"***","status":{"code":7},"errorCode":3}`, ""},
		{"all below a name", `{"card":{"number":["1",2,true,null,{"a":"b"}]},"n":1}`, "", `{"card":{"number":["***","***",true,null,{"a":"***"}]},"n":1}`, ""},
		{"short ones and numbers", `[{"cvc":123,"cvv2":"1","pin":""}]`, "", `[{"cvc":"***","cvv2":"***","pin":""}]`, ""},
		{"a card anywhere", `{"a":"pay 4111 1111 1111 1111","b":4111111111111111,"c":"4111111111111112","d":0.4111111111111111}`, "", `{"a":"pay ***","b":"***","c":"4111111111111112","d":0.4111111111111111}`, ""},
		{"an address", `{"paymentNotifyUrl":"https:\/\/u:p@acme.com\/?id={id}&token=abc&amount={amount}"}`, "", `{"paymentNotifyUrl":"https://***@acme.com/?id={id}&token=***&amount={amount}"}`, ""},
		{"a token as JSON", `"eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl"`, "", `"eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.***"`, ""},
		{"a token", "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl", "", "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.***", ""},
		{"a k", `{"url":"https://x/iframe?k=zaac9cb3d6a7f7b802f170ca8a166c1375eabc%2B%3D&r=go"}`, "", `{"url":"https://x/iframe?k=zaac9cb3d6a7f7b802f170ca8a166c1375e***&r=go"}`, ""},
		{"a form", "OutSum=1.0&SignatureValue=ab%20c&Shp_a=%20&sign=&a", form, "OutSum=1.0&SignatureValue=***&Shp_a=%20&sign=&a", ""},
		{"XML", `<?xml version="1.0"?><a x="1"><OpKey>AB</OpKey><s:Signature>q</s:Signature><Sum>1</Sum></a>`, xml, `<?xml version="1.0"?><a x="1"><OpKey>***</OpKey><s:Signature>***</s:Signature><Sum>1</Sum></a>`, ""},
		{"text", "OK123", "text/plain", "OK123", ""},
		{"text with a secret", "denied: token=abc user=bob", "text/plain", "denied: token=*** user=bob", ""},
		{"a page", "<html>secret", "text/html", "", "12 bytes of text/html"},
		{"a picture", "\x89PNG", "image/png", "", "4 bytes that are not UTF-8 (image/png)"},
		{"no type", "what is this", "", "", "12 bytes of no known type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, left := maskBody([]byte(tt.body), tt.kind); got != tt.want || left != tt.left {
				t.Errorf("%q, left out %q; want %q, %q", got, left, tt.want, tt.left)
			}
		})
	}
}

// A secret is found in every way to write it, also within a token.
func TestScrubber(t *testing.T) {
	t.Parallel()
	s := newScrubber([]string{"p/w&1 ä", "abcdefgh"})
	for text, want := range map[string]string{
		`a p/w&1 ä b`:                           `a *** b`,
		`a=p%2Fw%261+%C3%A4`:                    `a=***`,
		`a=p%2fw%261%20%c3%a4`:                  `a=p%2fw%261%20%c3%a4`, // neither query nor path: see below
		`p%2Fw&1%20%C3%A4`:                      `***`,
		`{"a":"p\/w\u00261 ä"}`:                 `{"a":"***"}`,
		`xabcdefghx`:                            `x***x`,
		`eyJhIjoxfQ.eyJhIjoxfQ.***`:             `eyJhIjoxfQ.eyJhIjoxfQ.***`,
		`eyJhIjoxfQ.eyJhIjoiYWJjZGVmZ2gifQ.***`: `***`,
	} {
		if got := s.clean(text); got != want {
			t.Errorf("clean(%q) = %q; want %q", text, got, want)
		}
	}
}

func TestNamesSecret(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"key": true, "cryptKey": true, "api_key": true, "X-Api-Key": true, "keywords": false, "monkey": false, "OpKey": true,
		"Authorization": true, "Set-Cookie": true, "x-signature": true, "SignatureValue": true, "assignee": false, "design": false,
		"password1": true, "TestPassword2": true, "passenger": false, "token": true, "notifyToken": true, "code": false, "errorCode": false, "": false,
	} {
		if got := namesSecret(name); got != want {
			t.Errorf("namesSecret(%q) = %t", name, got)
		}
	}
}

// Whatever the JSON, it stays JSON, and no text below the name of a secret is left.
func FuzzMaskJSON(f *testing.F) {
	for _, seed := range []string{`{"key":"s"}`, `[{"a":{"token":[1,"s",{"b":"s"}]}}, "s"]`, `"s"`, ` 1 `, `{"":{},"pan":"\u0073"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := maskJSON(text)
		if ok != json.Valid([]byte(text)) {
			t.Fatalf("%q: %t", text, ok)
		}
		if !ok {
			return
		}
		var value any
		if err := json.Unmarshal([]byte(got), &value); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		var walk func(value any, secret bool)
		walk = func(value any, secret bool) {
			switch value := value.(type) {
			case map[string]any:
				for name, v := range value {
					walk(v, secret || namesSecret(name))
				}
			case []any:
				for _, v := range value {
					walk(v, secret)
				}
			case string:
				if secret && value != "" && !strings.Contains(value, "***") {
					t.Fatalf("%q became %q", text, got)
				}
			case float64:
				if secret {
					t.Fatalf("%q became %q", text, got)
				}
			}
		}
		walk(value, false)
	})
}
