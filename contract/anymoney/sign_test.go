package anymoney_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

const key anymoney.Key = "mock-api-key-of-merchant-37"

func TestVerify(t *testing.T) {
	t.Parallel()
	o := anymoney.Object{{"curr", anymoney.Text("BTC")}}
	const stamp = "1700000000000"
	// sig-01 of the vectors
	const good = "6dded7ba3dfcaa06aa107e044caaf09b3a214fd4eaa3679a1a2f57d876c3a5b76bb86915a2f78596ed395f6f9582965e32f401aa80d4a5feda05cef2f12f0563"

	for name, signature := range map[string]string{"as sent": good, "in capitals": strings.ToUpper(good)} {
		if err := key.Verify(o, stamp, signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, verify := range map[string]func() error{
		"nothing":            func() error { return key.Verify(o, stamp, "") },
		"cut off":            func() error { return key.Verify(o, stamp, good[:126]) },
		"half a byte less":   func() error { return key.Verify(o, stamp, good[:127]) },
		"longer":             func() error { return key.Verify(o, stamp, good+"00") },
		"last digit differs": func() error { return key.Verify(o, stamp, good[:127]+"4") },
		"no hex":             func() error { return key.Verify(o, stamp, strings.Repeat("g", 128)) },
		"space around":       func() error { return key.Verify(o, stamp, " "+good) },
		"other time":         func() error { return key.Verify(o, "1700000000001", good) },
		"other value":        func() error { return key.Verify(anymoney.Object{{"curr", anymoney.Text("BTG")}}, stamp, good) },
		"other key":          func() error { return anymoney.Key("mock-api-key-of-merchant-38").Verify(o, stamp, good) },
		"empty key":          func() error { return anymoney.Key("").Verify(o, stamp, anymoney.Key("").Sign(o, stamp)) },
		"form without sign":  func() error { return key.VerifyForm(anymoney.Form{"amount": "1"}) },
		"form, other value": func() error {
			return key.VerifyForm(anymoney.Form{"amount": "1", "sign": key.SignForm(anymoney.Form{"amount": "2"})})
		},
		"form, empty key": func() error {
			return anymoney.Key("").VerifyForm(anymoney.Form{"sign": anymoney.Key("").SignForm(nil)})
		},
	} {
		if err := verify(); !errors.Is(err, anymoney.ErrSignature) {
			t.Errorf("%s: %v; want ErrSignature", name, err)
		}
	}
}

// What is not signed, and what is folded.
func TestSameSignature(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := genObject(1).Draw(t, "object")
		want := key.Sign(o, "1")

		shuffled := slices.Clone(o)
		for i := range shuffled {
			j := rapid.IntRange(0, i).Draw(t, "j")
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		}
		if got := key.Sign(shuffled, "1"); got != want {
			t.Fatalf("%v and %v sign differently", o, shuffled)
		}

		unsigned := func(m anymoney.Member) bool {
			k := m.Value.Kind()
			return k == anymoney.KindNull || k == anymoney.KindList || k == anymoney.KindObject
		}
		if got := key.Sign(slices.DeleteFunc(slices.Clone(o), unsigned), "1"); got != want {
			t.Fatalf("%v signs differently without nulls, lists and objects", o)
		}

		for i, m := range shuffled {
			if s, ok := m.Value.Text(); ok {
				shuffled[i].Value = anymoney.Text(strings.Map(func(r rune) rune {
					if r >= 'a' && r <= 'z' {
						r -= 'a' - 'A'
					}
					return r
				}, s))
			}
		}
		if got := key.Sign(shuffled, "1"); got != want {
			t.Fatalf("%v signs differently in capitals", o)
		}

		read, err := anymoney.ParseObject(o.AppendJSON(nil))
		if err != nil || key.Sign(read, "1") != want {
			t.Fatalf("%v signs differently once it was sent: %v", o, err)
		}
	})
}

// The signed text is what the definition makes of the values, whatever they are.
func TestSignedText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.MapOf(genText(), genText()).Draw(t, "values")
		var o anymoney.Object
		form := anymoney.Form{"sign": "x"}
		names := make([][]rune, 0, len(values))
		for name, value := range values {
			o = append(o, anymoney.Member{Name: name, Value: anymoney.Text(value)})
			form[name] = value
			names = append(names, []rune(name))
		}
		slices.SortFunc(names, slices.Compare[[]rune])
		want := ""
		for _, name := range names {
			want += values[string(name)]
		}
		want = strings.ToLower(want)
		if got := anymoney.SignedText(o, "17"); got != want+"17" {
			t.Fatalf("signed text %q; want %q", got, want+"17")
		}
		if got := form.SignedText(); got != want {
			t.Fatalf("signed text of the form %q; want %q", got, want)
		}
	})
}

func TestLongTextsSign(t *testing.T) {
	t.Parallel()
	var o anymoney.Object
	for i := range 100 {
		o = append(o, anymoney.Member{Name: fmt.Sprintf("%03d", i), Value: anymoney.Text(long)})
	}
	if got := anymoney.SignedText(o, ""); got != strings.Repeat("x", 100_000) {
		t.Errorf("signed text has %d bytes", len(got))
	}
	if got, want := anymoney.SignedText(anymoney.Object{{"a", anymoney.Text("A")}}, "X"), "ax"; got != want {
		t.Errorf("signed text %q; want %q: the time is folded too", got, want)
	}
}

// Bytes of a form that are no Unicode are signed as they are.
func TestFoldKeepsOtherBytes(t *testing.T) {
	t.Parallel()
	if got, want := (anymoney.Form{"a": "A\xffЖ\xd0\ufffd"}).SignedText(), "a\xffж\xd0\ufffd"; got != want {
		t.Errorf("signed text %q; want %q", got, want)
	}
}

func TestKeyIsNeverShown(t *testing.T) {
	t.Parallel()
	const secret anymoney.Key = "s3cr3t-K3y"
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", secret)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", secret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, secret)
		fmt.Fprintf(&out, verb, struct{ K anymoney.Key }{secret})
	}
	if err := json.NewEncoder(&out).Encode(map[string]any{"key": secret}); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Contains(s, "3cr3t") || strings.Contains(s, fmt.Sprintf("%x", string(secret))) || !strings.Contains(s, "key hidden") {
		t.Errorf("the key is shown: %s", s)
	}
}

func TestReadHeaders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, merchant, signature, stamp string
		millis                           int64
		refusal                          string
	}{
		{"good", "37", "ab", "1700000000000", 1700000000000, ""},
		{"zeros in front", "37", "ab", "0017", 17, ""},
		{"largest", "37", "ab", "9223372036854775807", math.MaxInt64, ""},
		{"endless", "37", "ab", strings.Repeat("9", 40), math.MaxInt64, ""},
		{"none", "", "", "", 0, "x-merchant: Not present"},
		{"no merchant", "", "ab", "now", 0, "x-merchant: Not present"},
		{"no signature", "37", "", "", 0, "x-signature: Not present"},
		{"no time", "37", "ab", "", 0, "x-utc-now-ms: Not present"},
		{"no number", "37", "ab", "now", 0, "x-utc-now-ms: Should be an Integer"},
		{"negative", "37", "ab", "-17", 0, "x-utc-now-ms: Should be an Integer"},
		{"plus", "37", "ab", "+17", 0, "x-utc-now-ms: Should be an Integer"},
		{"fraction", "37", "ab", "17.0", 0, "x-utc-now-ms: Should be an Integer"},
		{"space", "37", "ab", "17 ", 0, "x-utc-now-ms: Should be an Integer"},
		{"underscore", "37", "ab", "1_7", 0, "x-utc-now-ms: Should be an Integer"},
		{"other digits", "37", "ab", "१७", 0, "x-utc-now-ms: Should be an Integer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, refused := anymoney.ReadHeaders(func(name string) string {
				return map[string]string{"x-merchant": tt.merchant, "x-signature": tt.signature, "x-utc-now-ms": tt.stamp}[name]
			})
			if tt.refusal != "" {
				if refused == nil || refused.Code != anymoney.CodeHeadersInvalid || refused.Field()+": "+refused.Reason() != tt.refusal {
					t.Errorf("refused with %v; want %s", refused, tt.refusal)
				}
				return
			}
			if want := (anymoney.Headers{Merchant: tt.merchant, Signature: tt.signature, UTCNowMS: tt.stamp, Millis: tt.millis}); h != want || refused != nil {
				t.Errorf("ReadHeaders = %+v, %v; want %+v", h, refused, want)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	const now, window = 1700000000000, 60000
	for millis, want := range map[int64]bool{
		now: true, now - window: true, now + window: true, now - window - 1: false, now + window + 1: false,
		0: false, now / 1000: false, math.MaxInt64: false, // seconds instead of milliseconds
	} {
		if got := (anymoney.Headers{Millis: millis}).Within(window, now); got != want {
			t.Errorf("%d is within %d of %d: %t; want %t", millis, window, int64(now), got, want)
		}
	}
}
