package robokassa_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/robokassa"
)

// Known answers that this package did not produce, see testdata/robokassa/README.md.

type signatureVector struct {
	ID       string                         `json:"id"`
	Group    string                         `json:"group"`
	Password string                         `json:"password"` // name of the credential
	Fields   [][2]string                    `json:"fields"`
	Base     string                         `json:"base"`
	Hash     map[robokassa.Algorithm]string `json:"hash"`
	WireMD5  string                         `json:"wire_md5"`
	BodyMD5  string                         `json:"body_md5"`
	QueryMD5 string                         `json:"query_md5"`
	Query    string                         `json:"query"`
	Answer   string                         `json:"expected_answer"`
}

type tokenVector struct {
	ID      string             `json:"id"`
	Group   string             `json:"group"`
	Header  string             `json:"header_json"`
	Payload string             `json:"payload_json"`
	Key     robokassa.Password `json:"key"`
	Token   string             `json:"token"`
}

type vectorFile struct {
	Credentials map[string]robokassa.Password `json:"credentials"`
	Receipt     map[string]string             `json:"receipt"`
	Signatures  []signatureVector             `json:"signatures"`
	JWT         []tokenVector                 `json:"jwt"`
	ResultURL2  struct {
		Key struct {
			N, D, P, Q string
		} `json:"jwk_test_private_key"`
		Certificate []byte        `json:"certificate_der_b64"`
		Vectors     []tokenVector `json:"vectors"`
	} `json:"result_url2"`
	Fiscal []struct {
		ID      string `json:"id"`
		Payload string `json:"payload_json"`
		Body    string `json:"body"`
	} `json:"fiscal"`
}

func recorded(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "robokassa", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func vectors(t testing.TB) vectorFile {
	t.Helper()
	var file vectorFile
	if err := json.Unmarshal([]byte(recorded(t, "vectors.json")), &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func (v signatureVector) fields() robokassa.Fields {
	var f robokassa.Fields
	for _, pair := range v.Fields {
		f = append(f, robokassa.Field{Name: pair[0], Value: pair[1]})
	}
	return f
}

// refused are the vectors that must not be accepted: the base holds a text more encoded than
// the field, or the password is that of the other mode.
var refused = map[string]bool{
	"pay-27-resulturl2-encoded-base": true,
	"pay-36-test-mode-live-password": true,
	"pay-41-encoded-base-raw-field":  true,
}

// notCanonical are signed otherwise than Request.Base does, and accepted all the same.
var notCanonical = map[string]bool{
	"pay-12-shp-mixed-case-bytewise": true,
	"pay-19-receipt-mixed-form":      true,
	"pay-21-currency-unsigned":       true,
	"pay-40-receipt-double-encoded":  true,
}

// Every vector is checked, under each of the six hashes.
func TestVectors(t *testing.T) {
	t.Parallel()
	file := vectors(t)
	groups := make(map[string]int)
	var hashes int
	for _, v := range file.Signatures {
		groups[v.Group]++
		t.Run(v.ID, func(t *testing.T) {
			password := file.Credentials[v.Password]
			for _, a := range robokassa.Algorithms() {
				want, ok := v.Hash[a]
				if v.Group == "fail_url" {
					break // unsigned
				}
				if !ok {
					t.Fatalf("no vector for %s", a)
				}
				hashes++
				if got := a.Sum(v.Base); !strings.EqualFold(got, want) {
					t.Errorf("%s of the base = %s; want %s", a, got, want)
				}
				v.check(t, a, want, password)
			}
			v.checkWire(t)
		})
	}
	for _, v := range file.JWT {
		groups[v.Group]++
		t.Run(v.ID, func(t *testing.T) { v.checkJWT(t) })
	}
	key := noticeKey(t)
	for _, v := range file.ResultURL2.Vectors {
		groups["result_url2_jws"]++
		t.Run(v.ID, func(t *testing.T) { v.checkJWS(t, key) })
	}
	for _, v := range file.Fiscal {
		groups["fiscal"]++
		t.Run(v.ID, func(t *testing.T) {
			a, err := robokassa.ParseAlgorithm(strings.TrimPrefix(v.ID, "fiscal-"))
			if err != nil {
				t.Fatal(err)
			}
			password := file.Credentials["password1"]
			if got := robokassa.SignFiscal(v.Payload, a, password); got != v.Body {
				t.Errorf("SignFiscal = %s; want %s", got, v.Body)
			}
			if got, err := robokassa.ParseFiscal(v.Body, a, password); got != v.Payload || err != nil {
				t.Errorf("ParseFiscal = %s, %v", got, err)
			}
			if _, err := robokassa.ParseFiscal(v.Body, a, "other"); !errors.Is(err, robokassa.ErrSignature) {
				t.Errorf("under another password: %v", err)
			}
		})
	}
	want := map[string]int{
		"payment_request": 42, "result_url": 6, "success_url": 3, "fail_url": 1, "xml": 2, "hold": 3, "recurring": 2, "split": 1, "sms": 1,
		"invoice_jwt": 16, "refund_jwt": 4, "result_url2_jws": 2, "fiscal": 6,
	}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("vectors by group (-want +got):\n%s", diff)
	}
	if hashes != 6*60 {
		t.Errorf("%d hashes were compared; want 360", hashes)
	}
}

// check holds our own making of the base, and our verdict, against the vector.
func (v signatureVector) check(t *testing.T, a robokassa.Algorithm, signature string, p robokassa.Password) {
	t.Helper()
	f := v.fields()
	var base robokassa.Base
	switch v.Group {
	case "payment_request", "recurring":
		v.checkRequest(t, a, signature, p)
		return
	case "hold":
		if v.ID != "hold-03-cancel" {
			v.checkRequest(t, a, signature, p)
			return
		}
		base = robokassa.CancelBase(f.Get("MerchantLogin"), f.Get("InvId"))
	case "result_url":
		r, err := robokassa.NewResult(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Signed(a, p).Signature; got != signature {
			t.Errorf("%s: signed as %s; want %s", a, got, signature)
		}
		base = r.Base()
	case "success_url":
		r, err := robokassa.NewReturn(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Signed(a, p).Signature; got != signature {
			t.Errorf("%s: signed as %s; want %s", a, got, signature)
		}
		base = r.Base()
	case "xml":
		base = robokassa.OpStateBase(f.Get("MerchantLogin"), f.Get("InvoiceID"))
		if v.ID == "xml-02-calcoutsumm" {
			base = robokassa.CalcOutSummBase(f.Get("MerchantLogin"), f.Get("IncSum"))
		}
	case "split":
		base = robokassa.SplitBase(f.Get("Invoice"))
	case "sms":
		base = robokassa.SMSBase(f.Get("login"), f.Get("phone"), f.Get("message"))
	default:
		t.Fatalf("group %q is not known", v.Group)
	}
	if got := base.Text(p); got != v.Base {
		t.Errorf("base = %s\nwant   %s", got, v.Base)
	}
	if err := base.Verify(a, p, signature); err != nil {
		t.Errorf("%s: %v", a, err)
	}
}

func (v signatureVector) checkRequest(t *testing.T, a robokassa.Algorithm, signature string, p robokassa.Password) {
	t.Helper()
	r := robokassa.NewRequest(v.fields())
	r.Signature = signature
	if r.IsTest {
		p = vectors(t).Credentials["test_password1"]
	}
	err := r.Verify(robokassa.DefaultLeniency(), a, p)
	if refused[v.ID] != errors.Is(err, robokassa.ErrSignature) {
		t.Errorf("%s: %v", a, err)
	}
	if got := r.Base().Text(p); (got == v.Base) == (refused[v.ID] || notCanonical[v.ID]) {
		t.Errorf("base = %s\nvector %s", got, v.Base)
	}
	if refused[v.ID] {
		return
	}
	r.Signature = strings.ToUpper(signature)
	if err := r.Verify(robokassa.DefaultLeniency(), a, p); err != nil {
		t.Errorf("%s in upper case: %v", a, err)
	}
	if err := r.Verify(robokassa.DefaultLeniency(), a, p+"x"); !errors.Is(err, robokassa.ErrSignature) {
		t.Errorf("%s under another password: %v", a, err)
	}
	r.OutSum += "0"
	if err := r.Verify(robokassa.DefaultLeniency(), a, p); !errors.Is(err, robokassa.ErrSignature) {
		t.Errorf("%s with another sum: %v", a, err)
	}
}

// checkWire reads what the vector has as wire text, and writes it again to the byte.
func (v signatureVector) checkWire(t *testing.T) {
	t.Helper()
	for _, wire := range []string{v.WireMD5, v.BodyMD5, v.QueryMD5, v.Query} {
		if wire == "" {
			continue
		}
		got, err := robokassa.ParseFields(wire)
		if err != nil {
			t.Fatal(err)
		}
		want := v.fields()
		if v.WireMD5 != "" {
			name := "SignatureValue"
			if _, sent := got.Lookup("Signature"); sent {
				name = "Signature"
			}
			want = append(want, robokassa.Field{Name: name, Value: v.Hash["MD5"]})
		}
		if diff := cmp.Diff(want, got); diff != "" && v.Group != "sms" {
			t.Errorf("fields of the wire text (-want +got):\n%s", diff)
		}
		if again := got.Encode(); again != wire {
			t.Errorf("written again it is %s\nwant %s", again, wire)
		}
	}
	switch v.Group {
	case "result_url":
		r, err := robokassa.NewResult(v.fields())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Fields().Encode(); got != v.BodyMD5 {
			t.Errorf("body = %s\nwant   %s", got, v.BodyMD5)
		}
		if got := robokassa.Answer(r.InvID); got != v.Answer {
			t.Errorf("answer = %s; want %s", got, v.Answer)
		}
	case "success_url", "fail_url":
		r, err := robokassa.NewReturn(v.fields())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Fields().Encode(); got != v.QueryMD5+v.Query {
			t.Errorf("query = %s\nwant    %s%s", got, v.QueryMD5, v.Query)
		}
	}
}

func (v tokenVector) checkJWT(t *testing.T) {
	t.Helper()
	if v.ID != "jwt-deactivate-std-base64" {
		got, err := robokassa.SignToken(v.Header, v.Payload, robokassa.MD5, v.Key)
		if got != v.Token || err != nil {
			t.Errorf("SignToken = %s, %v\nwant %s", got, err, v.Token)
		}
	}
	for _, body := range []string{v.Token, `"` + v.Token + `"`, " " + v.Token + "\n"} {
		token, err := robokassa.ParseToken([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		verify := func(key robokassa.Password) error {
			if v.Group == "refund_jwt" {
				return token.VerifyRefund(key)
			}
			return token.VerifyInvoice(robokassa.MD5, key)
		}
		if got := string(token.Payload); got != v.Payload {
			t.Errorf("payload = %s\nwant %s", got, v.Payload)
		}
		if err := verify(v.Key); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if err := verify(v.Key + "x"); !errors.Is(err, robokassa.ErrSignature) {
			t.Errorf("under another key: %v", err)
		}
	}
}

func (v tokenVector) checkJWS(t *testing.T, key *rsa.PrivateKey) {
	t.Helper()
	public, err := robokassa.ParseCertificate(vectors(t).ResultURL2.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	notice, err := robokassa.ParseStateNotice(v.Token, public)
	if err != nil {
		t.Fatal(err)
	}
	want := robokassa.StateNotice{
		Timestamp: "1767225600", Shop: "demo-shop", OpKey: "14D2B521-4EAB-492A-9D91-00D12FF24D57-1NvHQWRwf",
		InvID: "12345", PaymentMethod: "BankCard", IncSum: "100.00", State: robokassa.NoticeOK,
	}
	if v.ID == "jws-02-hold" {
		want.State = robokassa.NoticeHold
	}
	if diff := cmp.Diff(want, notice); diff != "" {
		t.Errorf("notice (-want +got):\n%s", diff)
	}
	if got, err := notice.Sign(key); got != v.Token || err != nil {
		t.Errorf("Sign = %s, %v\nwant %s", got, err, v.Token)
	}
}

// noticeKey is the test key of the vectors.
func noticeKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k := vectors(t).ResultURL2.Key
	number := func(text string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b)
	}
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: number(k.N), E: 65537},
		D:         number(k.D),
		Primes:    []*big.Int{number(k.P), number(k.Q)},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		t.Fatal(err)
	}
	return key
}
