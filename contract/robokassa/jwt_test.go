package robokassa_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/robokassa"
)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// A header cannot switch the signature off, choose a method of another API, or turn a public
// key into a secret.
func TestForeignTokens(t *testing.T) {
	t.Parallel()
	const payload = `{"MerchantLogin":"demo-shop"}`
	key := robokassa.InvoiceKey("demo-shop", "Pass1-Live_42")
	for _, header := range []string{
		`{"alg":"none"}`, `{"alg":"None"}`, `{"alg":"RS256"}`, `{"alg":"ES256"}`, `{"alg":"md5"}`, `{"alg":"SHA224"}`, `{"alg":"HS257"}`,
	} {
		for _, signature := range []string{"", encode("x")} {
			token, err := robokassa.ParseToken([]byte(encode(header) + "." + encode(payload) + "." + signature))
			if err != nil {
				t.Fatal(err)
			}
			if err := token.VerifyInvoice(robokassa.MD5, key); !errors.Is(err, robokassa.ErrSignature) {
				t.Errorf("%s passes the Invoice API: %v", header, err)
			}
			if err := token.VerifyRefund("Pass3"); !errors.Is(err, robokassa.ErrSignature) {
				t.Errorf("%s passes the Refund API: %v", header, err)
			}
		}
		if _, err := robokassa.SignToken(header, payload, robokassa.MD5, key); err == nil {
			t.Errorf("%s is signed", header)
		}
	}
	// What is good for invoices alone is refused for refunds, with the right key too.
	text, err := robokassa.SignToken(`{"alg":"MD5"}`, payload, robokassa.MD5, "Pass3")
	if err != nil {
		t.Fatal(err)
	}
	token, err := robokassa.ParseToken([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := token.VerifyRefund("Pass3"); !errors.Is(err, robokassa.ErrSignature) {
		t.Errorf("a refund under MD5 passes: %v", err)
	}
	// And none of the weak methods became known to golang-jwt.
	for _, alg := range []string{"MD5", "RIPEMD160", "SHA1", "HS1", "SHA256", "SHA384", "SHA512"} {
		if jwt.GetSigningMethod(alg) != nil {
			t.Errorf("golang-jwt accepts alg %s everywhere", alg)
		}
	}
}

func TestParseToken(t *testing.T) {
	t.Parallel()
	good := vectors(t).JWT[0].Token
	head, tail, _ := strings.Cut(good, ".")
	for body, want := range map[string]string{
		"":                               "it has 1 parts instead of 3",
		"a.b":                            "it has 2 parts instead of 3",
		good + ".x":                      "it has 4 parts instead of 3",
		`"` + good:                       "it begins with a quote and is no JSON string",
		"!." + tail:                      "its header is not base64",
		encode("[]") + "." + tail:        "its header is no JSON object",
		encode("null") + "." + tail:      "its header is no JSON object",
		encode(`{"alg":1}`) + "." + tail: "its header is no JSON object",
		head + "." + encode("5") + ".AA": "its payload is no JSON object",
		head + "." + encode("{\"a\":\"\xff\"}") + ".AA": "its payload is no JSON object",
		strings.Repeat("x", robokassa.MaxTokenLen+1):    "it is longer than 262144 bytes",
	} {
		if _, err := robokassa.ParseToken([]byte(body)); !errors.Is(err, robokassa.ErrToken) || err.Error() != "malformed token: "+want {
			t.Errorf("ParseToken(%.40q) fails with %v; want %s", body, err, want)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t).JWT {
		token, err := robokassa.ParseToken([]byte(v.Token))
		if err != nil {
			t.Fatal(err)
		}
		switch v.ID {
		case "jwt-create-md5":
			var c robokassa.CreateInvoice
			if err := token.Decode(&c); err != nil {
				t.Fatal(err)
			}
			want := robokassa.CreateInvoice{
				MerchantLogin: "demo-shop", InvoiceType: robokassa.InvoiceOneTime, Culture: "ru", InvID: "1001", OutSum: "100.5",
				Description: "Пополнение баланса", UserFields: map[string]string{"shp_info": "test"},
				InvoiceItems:    []robokassa.InvoiceItem{{Name: "Пополнение баланса", Quantity: "1", Cost: "100.5", Tax: "none", PaymentMethod: "full_payment", PaymentObject: "service"}},
				SuccessURL2Data: &robokassa.ReturnAddress{URL: "https://shop.example/ok", Method: "GET"},
				FailURL2Data:    &robokassa.ReturnAddress{URL: "https://shop.example/fail", Method: "POST"},
			}
			if diff := cmp.Diff(want, c); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
			if again, err := json.Marshal(c); err != nil || string(again) != v.Payload {
				t.Errorf("written again: %s, %v\nwant %s", again, err, v.Payload)
			}
		case "jwt-refund-full-hs256":
			var c robokassa.CreateRefund
			if err := token.Decode(&c); err != nil || c.OpKey != "14D2B521-4EAB-492A-9D91-00D12FF24D57-1NvHQWRwf" || c.RefundSum != "" {
				t.Errorf("payload = %+v, %v", c, err)
			}
		case "jwt-deactivate":
			var c struct{ MerchantLogin int }
			if err := token.Decode(&c); !errors.Is(err, robokassa.ErrToken) || !strings.Contains(err.Error(), "MerchantLogin") {
				t.Errorf("of another type: %v", err)
			}
		}
	}
}

func FuzzParseToken(f *testing.F) {
	for _, v := range vectors(f).JWT {
		f.Add([]byte(v.Token))
		f.Add([]byte(`"` + v.Token + `"`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		token, err := robokassa.ParseToken(body)
		if err != nil {
			if !errors.Is(err, robokassa.ErrToken) {
				t.Fatalf("ParseToken(%q) = %v", body, err)
			}
			return
		}
		if !json.Valid(token.Payload) {
			t.Fatalf("payload %q of %q", token.Payload, body)
		}
		if token.VerifyInvoice(robokassa.MD5, "secret that no corpus has") == nil || token.VerifyRefund("secret that no corpus has") == nil {
			t.Fatalf("%q passes under an unknown key", body)
		}
	})
}

func TestStateNotice(t *testing.T) {
	t.Parallel()
	file := vectors(t)
	der := file.ResultURL2.Certificate
	public, err := robokassa.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := robokassa.ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil || !again.Equal(public) {
		t.Errorf("as PEM: %v", err)
	}
	if _, err := robokassa.ParseCertificate(der[1:]); err == nil {
		t.Error("a cut certificate is read")
	}
	good := file.ResultURL2.Vectors[0].Token
	parts := strings.Split(good, ".")
	hs, err := jwt.SigningMethodHS256.Sign(encode(`{"alg":"HS256"}`)+"."+parts[1], der) // the public part as a secret
	if err != nil {
		t.Fatal(err)
	}
	key := noticeKey(t)
	signed := func(state, shop string) string {
		text, err := robokassa.StateNotice{Timestamp: "1", Shop: shop, InvID: "1", State: state}.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	other, err := robokassa.StateNotice{State: "OK"}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"another payload": {parts[0] + "." + strings.Split(other, ".")[1] + "." + parts[2], robokassa.ErrSignature},
		"no signature":    {parts[0] + "." + parts[1] + ".", robokassa.ErrSignature},
		"none":            {encode(`{"alg":"none"}`) + "." + parts[1] + ".", robokassa.ErrSignature},
		"HS256":           {encode(`{"alg":"HS256"}`) + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(hs), robokassa.ErrSignature},
		"no token":        {"x", robokassa.ErrToken},
		"too long":        {strings.Repeat("x", robokassa.MaxTokenLen+1), robokassa.ErrToken},
		"unknown state":   {signed("FAIL", "shop"), robokassa.ErrToken},
		"without a shop":  {signed("OK", ""), robokassa.ErrToken},
	} {
		if _, err := robokassa.ParseStateNotice(tt.body, public); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", name, err, tt.want)
		}
	}
}

func FuzzParseStateNotice(f *testing.F) {
	file := vectors(f)
	public, err := robokassa.ParseCertificate(file.ResultURL2.Certificate)
	if err != nil {
		f.Fatal(err)
	}
	known := make(map[string]bool)
	for _, v := range file.ResultURL2.Vectors {
		f.Add(v.Token)
		known[v.Token] = true
	}
	f.Fuzz(func(t *testing.T, body string) {
		n, err := robokassa.ParseStateNotice(body, public)
		if err == nil && !known[strings.TrimSpace(body)] {
			t.Fatalf("forged: %q is %+v", body, n)
		}
		if err != nil && !errors.Is(err, robokassa.ErrToken) && !errors.Is(err, robokassa.ErrSignature) {
			t.Fatalf("ParseStateNotice(%q) = %v", body, err)
		}
	})
}

func FuzzParseCertificate(f *testing.F) {
	f.Add(vectors(f).ResultURL2.Certificate)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if key, err := robokassa.ParseCertificate(file); (key == nil) != (err != nil) {
			t.Fatalf("ParseCertificate(%q) = %v, %v", file, key, err)
		}
	})
}

func FuzzParseFiscal(f *testing.F) {
	for _, v := range vectors(f).Fiscal {
		f.Add(v.Body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		payload, err := robokassa.ParseFiscal(body, robokassa.MD5, "secret that no corpus has")
		if err == nil {
			t.Fatalf("forged: %q is %q", body, payload)
		}
		if !errors.Is(err, robokassa.ErrFiscal) && !errors.Is(err, robokassa.ErrSignature) {
			t.Fatalf("ParseFiscal(%q) = %v", body, err)
		}
	})
}

func TestIndexAnswer(t *testing.T) {
	t.Parallel()
	const refused = `{"invoiceID":"00000000-0000-0000-0000-000000000000","errorCode":29,"errorMessage":null}`
	a, err := robokassa.ParseIndexAnswer([]byte(refused))
	if want := (robokassa.IndexAnswer{InvoiceID: robokassa.ZeroGUID, ErrorCode: robokassa.CodeSignature}); !cmp.Equal(a, want) || err != nil {
		t.Errorf("answer = %+v, %v", a, err)
	}
	if again, err := json.Marshal(a); string(again) != refused || err != nil {
		t.Errorf("written again: %s, %v", again, err)
	}
	for _, body := range []string{"", "null", "{}", `{"invoiceID":1}`, `{"invoiceID":"x","errorCode":"29"}`} {
		if a, err := robokassa.ParseIndexAnswer([]byte(body)); err == nil {
			t.Errorf("%q is read as %+v", body, a)
		}
	}
	if got := robokassa.HoldAnswer(true) + robokassa.HoldAnswer(false); got != `"success: true""success: false"` {
		t.Errorf("answers of a hold: %s", got)
	}
}

func FuzzParseIndexAnswer(f *testing.F) {
	f.Add([]byte(`{"invoiceID":"00000000-0000-0000-0000-000000000000","errorCode":29,"errorMessage":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := robokassa.ParseIndexAnswer(body)
		if err != nil {
			return
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := robokassa.ParseIndexAnswer(bytes.ToValidUTF8(text, nil)); err != nil || !cmp.Equal(a, again) {
			t.Fatalf("%q written back is %q: %v", body, text, err)
		}
	})
}
