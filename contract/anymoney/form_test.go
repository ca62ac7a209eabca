package anymoney_test

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

func TestParseForm(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]anymoney.Form{
		"":                       {},
		"amount=100.50&payway=":  {"amount": "100.50", "payway": ""},
		"a=%D0%96+x&b=%2B&c":     {"a": "Ж x", "b": "+", "c": ""},
		"a=1;b":                  nil,
		"a=1&b=2&a=1":            nil,
		"a=%zz":                  nil,
		"%zz=a":                  nil,
		"a=%ff":                  nil,
		"%ff=a":                  nil,
		"a=%ED%A0%80":            nil,
		"a=1&a=%ff":              nil,
		"a=b=c&=d":               {"a": "b=c", "": "d"},
		"a=%00":                  {"a": "\x00"},
		"A=1&a=2":                {"A": "1", "a": "2"},
		"merchant_payfee=0%2C35": {"merchant_payfee": "0,35"},
	} {
		got, err := anymoney.ParseForm(body)
		if !maps.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("ParseForm(%q) = %v, %v; want %v", body, got, err, want)
		}
	}
	for body, want := range map[string]string{
		"a=%zz":       "malformed form: it is not url-encoded",
		"a=%ff":       `malformed form: it has a field that is not valid Unicode: "a"`,
		"b=1&a=1&a=2": `malformed form: it has a field twice: "a"`,
	} {
		if _, err := anymoney.ParseForm(body); !errors.Is(err, anymoney.ErrForm) || err.Error() != want {
			t.Errorf("ParseForm(%q) fails with %v; want %s", body, err, want)
		}
	}
}

func FuzzParseForm(f *testing.F) {
	f.Add(message(f, "form"))
	f.Add("a=1&a=2")
	f.Add("a=%ff;%zz&&=")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := anymoney.ParseForm(body)
		if err != nil {
			if _, ok := errors.AsType[*anymoney.FormError](err); !ok {
				t.Fatalf("ParseForm(%q) = %#v", body, err)
			}
			return
		}
		again, err := anymoney.ParseForm(form.Encode())
		if err != nil || !maps.Equal(form, again) {
			t.Fatalf("%q written back is %q: %v", body, form.Encode(), err)
		}
	})
}

func TestParseMultipay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": false, "false": false, "true": true} {
		if got, refused := anymoney.ParseMultipay(text); got != want || refused != nil {
			t.Errorf("ParseMultipay(%q) = %t, %v; want %t", text, got, refused, want)
		}
	}
	for _, text := range []string{"True", "TRUE", "1", "0", "yes", " true", "null"} {
		if _, refused := anymoney.ParseMultipay(text); refused == nil || refused.Object().String() !=
			`{"code":-32003,"message":"EParamInvalid","data":{"field":"is_multipay","reason":"Invalid is_multipay value","value":"`+text+`"}}` {
			t.Errorf("ParseMultipay(%q): %v", text, refused)
		}
	}
}

func TestParsePayfee(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]anymoney.Amount{
		"": "1", "1": "1", "1.00": "1", "0": "0", "0,0": "0", "0.35": "0.35", "0,35": "0.35", "0.5000": "0.5", "00.99": "0.99",
	} {
		if got, refused := anymoney.ParsePayfee(text); got != want || refused != nil {
			t.Errorf("ParsePayfee(%q) = %q, %v; want %q", text, got, refused, want)
		}
	}
	for _, text := range []string{"1.01", "2", "10", "100", "-0.5", "0.355", "0.001", ".5", "1e-1", "35%", "x", " "} {
		if got, refused := anymoney.ParsePayfee(text); got != "" || refused == nil || refused.Object().String() !=
			`{"code":-32003,"message":"EParamInvalid","data":{"field":"merchant_payfee","reason":"Invalid merchant_payfee value","value":"`+text+`"}}` {
			t.Errorf("ParsePayfee(%q) = %q, %v", text, got, refused)
		}
	}
}

func TestParseLifetime(t *testing.T) {
	t.Parallel()
	const second, minute, hour, day = 1000, 60_000, 3_600_000, 86_400_000
	for text, want := range map[string]int64{
		"":               7 * day,
		"3600":           hour,
		"604800":         7 * day,
		"003600":         hour,
		"1h":             hour,
		"60m":            hour,
		"3600000ms":      hour,
		"59m60s":         hour,
		"59m59s1000ms":   hour,
		"0w0d1h0m0s0ms":  hour,
		"1d12h":          36 * hour,
		"12h1d":          36 * hour,
		"1h30m":          90 * minute,
		"1h1ms1m":        hour + minute + 1,
		"1w":             7 * day,
		"7d":             7 * day,
		"6d23h59m59s":    7*day - second,
		"6d23h59m60s0ms": 7 * day,
	} {
		if got, refused := anymoney.ParseLifetime(text); got != want || refused != nil {
			t.Errorf("ParseLifetime(%q) = %d, %v; want %d", text, got, refused, want)
		}
	}
	nines := strings.Repeat("9", 100)
	for code, texts := range map[anymoney.Code][]string{
		anymoney.CodePeriodInvalid: {
			"1h 30m", " 1h", "1h ", "h", "1h30", "1x", "1H", "1hm", "h1", "1h1h", "1m1m", "-1h", "+1h", "1.5h", "1,5h", "1e3s",
			"١h", "1год", "ms", "1sm", "1mss", nines + "y", "8d1", "1d1d1w", "1\x00h",
		},
		anymoney.CodePeriodTooShort: {"0", "3599", "59m", "59m59s999ms", "0w", "1s", "0ms"},
		anymoney.CodePeriodTooLong:  {"604801", "8d", "1w1ms", "2w", nines, nines + "w", nines + "ms", nines + "w" + nines + "d" + nines + "h" + nines + "m" + nines + "s" + nines + "ms"},
	} {
		for _, text := range texts {
			got, refused := anymoney.ParseLifetime(text)
			if refused == nil || refused.Code != code || refused.Field() != "lifetime" || got != 0 {
				t.Errorf("ParseLifetime(%.40q) = %d, %v; want code %d", text, got, refused, code)
				continue
			}
			if value, _ := refused.Data.Get("value").Text(); value != text {
				t.Errorf("ParseLifetime(%.40q) shows %.40q", text, value)
			}
		}
	}
}

// Any pairs within the bounds add up, in any order.
func TestLifetimeAddsUp(t *testing.T) {
	t.Parallel()
	sizes := map[string]int64{"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.Permutation([]string{"w", "d", "h", "m", "s", "ms"}).Draw(t, "units")
		text, want := "", int64(0)
		for _, unit := range units[:rapid.IntRange(1, 6).Draw(t, "n")] {
			n := rapid.Int64Range(0, 800_000_000/sizes[unit]).Draw(t, unit)
			text += strconv.FormatInt(n, 10) + unit
			want += n * sizes[unit]
		}
		got, refused := anymoney.ParseLifetime(text)
		switch {
		case want < anymoney.MinLifetime:
			if refused == nil || refused.Code != anymoney.CodePeriodTooShort {
				t.Fatalf("ParseLifetime(%q) = %d, %v; want too short", text, got, refused)
			}
		case want > anymoney.MaxLifetime:
			if refused == nil || refused.Code != anymoney.CodePeriodTooLong {
				t.Fatalf("ParseLifetime(%q) = %d, %v; want too long", text, got, refused)
			}
		case got != want || refused != nil:
			t.Fatalf("ParseLifetime(%q) = %d, %v; want %d", text, got, refused, want)
		}
	})
}

func FuzzParseLifetime(f *testing.F) {
	for _, text := range []string{"3600", "1d12h", "1h 30m", "1m1ms", "99999999999999999999w"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, refused := anymoney.ParseLifetime(text)
		if refused != nil {
			return
		}
		if again, refused := anymoney.ParseLifetime(strconv.FormatInt(got, 10) + "ms"); again != got || refused != nil {
			t.Fatalf("ParseLifetime(%q) = %d, which reads as %d, %v", text, got, again, refused)
		}
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	var random [51]byte
	for i := range random {
		random[i] = byte(200 + i)
	}
	const token = "yMnKy8zNzs_Q0dLT1NXW19jZ2tvc3d7f4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6" // by Python's base64
	if got := anymoney.NewToken(random); got != token || len(got) != anymoney.TokenLen {
		t.Errorf("token %s; want %s", got, token)
	}
	for _, base := range []string{"https://sci.mock.test", "https://sci.mock.test/"} {
		if got, want := anymoney.Paylink(base, "T"), "https://sci.mock.test/#token=T"; got != want {
			t.Errorf("paylink %s; want %s", got, want)
		}
		for want, e := range map[string]*anymoney.Error{
			"https://sci.mock.test/error?code=-32010&message=EParamSignInvalid":             anymoney.SignatureInvalid(),
			"https://sci.mock.test/error?code=-32600&message=Invalid+Request":               anymoney.InvalidRequest(),
			"https://sci.mock.test/error?code=-32091&message=EParamUnique&field=externalid": anymoney.ExternalIDTaken(),
			"https://sci.mock.test/error?code=-32003&message=EParamInvalid&field=a%26b":     anymoney.ShouldBeProvided("a&b"),
		} {
			if got := anymoney.ErrorURL(base, e); got != want {
				t.Errorf("error page %s; want %s", got, want)
			}
		}
	}
}
