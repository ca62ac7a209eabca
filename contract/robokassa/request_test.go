package robokassa_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/contract/robokassa"
)

func TestPasswordHides(t *testing.T) {
	t.Parallel()
	p := robokassa.Password("Pass1-Live_42")
	key := struct{ Password robokassa.Password }{p}
	for _, text := range []string{fmt.Sprint(p), fmt.Sprintf("%q %x %d %+v", p, p, p, key), p.LogValue().String(), robokassa.NewBase(nil, "shop").String()} {
		if strings.Contains(text, "Live_42") || strings.Contains(text, "4c6976") {
			t.Errorf("the password shows in %s", text)
		}
	}
	if b, err := p.MarshalText(); err != nil || strings.Contains(string(b), "42") {
		t.Errorf("marshalled: %s, %v", b, err)
	}
}

func TestParseAlgorithm(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"MD5", "md5", "RipeMD160", "sha1", "SHA256", "sha384", "Sha512"} {
		if a, err := robokassa.ParseAlgorithm(text); string(a) != strings.ToUpper(text) || err != nil {
			t.Errorf("ParseAlgorithm(%s) = %s, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "none", "MD4", "SHA-256", "HS256"} {
		if a, err := robokassa.ParseAlgorithm(text); err == nil {
			t.Errorf("ParseAlgorithm(%q) = %s", text, a)
		}
	}
}

func TestParseInvID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"": 0, "0": 0, "1": 1, "00012": 12, "9223372036854775807": robokassa.MaxInvID} {
		if got, ok := robokassa.ParseInvID(text); got != want || !ok {
			t.Errorf("ParseInvID(%q) = %d, %t; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"-1", "+1", " 1", "1.0", "1e3", "x", "9223372036854775808", "0x1", "1_0", "１"} {
		if got, ok := robokassa.ParseInvID(text); ok {
			t.Errorf("ParseInvID(%q) = %d", text, got)
		}
	}
}

func FuzzParseSum(f *testing.F) {
	for _, text := range []string{"100.500000", "1.", ".5", "0.0", "1e9", "9999999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := robokassa.ParseSum(text, money.RUB)
		if err != nil {
			if !errors.Is(err, money.ErrFormat) {
				t.Fatalf("ParseSum(%q) = %v", text, err)
			}
			return
		}
		if again, err := robokassa.ParseSum(robokassa.SixDigits(a), money.RUB); again != a || a.Sign() <= 0 || err != nil {
			t.Fatalf("%q = %s, with six digits %s, %v", text, a, again, err)
		}
	})
}

func TestSums(t *testing.T) {
	t.Parallel()
	for text, six := range map[string]string{"100": "100.000000", "0.1": "0.100000", "100.260000": "100.260000", "92233720368547758.07": "92233720368547758.070000"} {
		a, err := robokassa.ParseSum(text, money.RUB)
		if err != nil || robokassa.SixDigits(a) != six {
			t.Errorf("%s = %s, %v; want %s", text, robokassa.SixDigits(a), err, six)
		}
	}
	for _, text := range []string{"", "0", "0.00", "-1", "1,5", "0.001", "1e2", "NaN", "1." + strings.Repeat("0", 40) + "1", ".000000", "1.00x000"} {
		if a, err := robokassa.ParseSum(text, money.RUB); err == nil {
			t.Errorf("ParseSum(%q) = %s", text, a)
		}
	}
	if sum, fee := robokassa.ResultSums(money.New(94_72, money.RUB), money.New(3_69, money.RUB), true); sum != "94.72" || fee != "0.0" {
		t.Errorf("test sums = %s, %s", sum, fee)
	}
}

// Whatever is changed in a signed request, but for the case of its signature, breaks it.
func TestEveryChangeBreaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z0-9]{1,6}`)
		maybe := rapid.OneOf(rapid.Just(""), word)
		r := robokassa.Request{
			Login: word.Draw(t, "login"), OutSum: word.Draw(t, "sum"), InvID: maybe.Draw(t, "id"), Receipt: maybe.Draw(t, "receipt"),
			StepByStep: rapid.Bool().Draw(t, "hold"), ResultURL2: maybe.Draw(t, "result"), SuccessURL2: maybe.Draw(t, "success"),
			FailURL2: maybe.Draw(t, "fail"), Token: maybe.Draw(t, "token"),
		}
		for i, value := range rapid.SliceOfN(word, 0, 3).Draw(t, "shp") {
			r.Shp = append(r.Shp, robokassa.Field{Name: fmt.Sprintf("Shp_%d", 9-i), Value: value})
		}
		a := rapid.SampledFrom(robokassa.Algorithms()).Draw(t, "hash")
		r = r.Signed(a, "secret")
		if err := r.Verify(robokassa.DefaultLeniency(), a, "secret"); err != nil {
			t.Fatal(err)
		}
		changed := r
		switch rapid.IntRange(0, 6).Draw(t, "change") {
		case 0:
			changed.OutSum += "0"
		case 1:
			changed.InvID += "1"
		case 2:
			changed.Login = "x" + changed.Login
		case 3:
			changed.Receipt += "x"
		case 4:
			changed.Shp = append(changed.Shp[:len(changed.Shp):len(changed.Shp)], robokassa.Field{Name: "Shp_x", Value: ""})
		case 5:
			changed.StepByStep = !changed.StepByStep
		case 6:
			changed.Signature = changed.Signature[1:] + "g"
		}
		if err := changed.Verify(robokassa.DefaultLeniency(), a, "secret"); !errors.Is(err, robokassa.ErrSignature) {
			t.Fatalf("%+v passes under the signature of %+v", changed, r)
		}
	})
}

func TestIsAnswer(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		"OK5": true, "OK5\n": true, "<html>OK5</html>": true, "OK55 OK5": true, "xOK5.": true,
		"": false, "OK": false, "ok5": false, "OK 5": false, "OK55": false, "OK6": false, "bad sign": false, "OK05": false,
	} {
		if got := robokassa.IsAnswer(body, "5"); got != want {
			t.Errorf("IsAnswer(%q, 5) = %t", body, got)
		}
	}
}

// Literal bytes of ResultURL are accepted under their password, and no altered copy is.
func TestRecordedResults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file     string
		password robokassa.Password
		id, sum  string
	}{
		{"result-live.txt", "Pass2-Live_42", "12345", "100.000000"},
		{"result-live-shp.txt", "Pass2-Live_42", "450009", "100.260000"},
		{"result-test.txt", "TestPass2_77", "3", "94.72"},
	} {
		body := recorded(t, tt.file)
		accepted := func(body string, a robokassa.Algorithm, p robokassa.Password) bool {
			f, err := robokassa.ParseFields(body)
			if err != nil {
				return false
			}
			r, err := robokassa.NewResult(f)
			return err == nil && r.Verify(a, p) == nil && r.InvID == tt.id && r.OutSum == tt.sum
		}
		if !accepted(body, robokassa.MD5, tt.password) {
			t.Errorf("%s is refused", tt.file)
		}
		if accepted(body, robokassa.MD5, "Pass1-Live_42") || accepted(body, robokassa.SHA256, tt.password) {
			t.Errorf("%s is accepted under another password or hash", tt.file)
		}
		pairs := strings.Split(body, "&")
		for i, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			for _, signed := range []string{"OutSum", "InvId", "SignatureValue", "Shp_login", "Shp_oplata"} {
				if name != signed {
					continue
				}
				altered := append([]string{}, pairs...)
				altered[i] = name + "=" + value + "1"
				if accepted(strings.Join(altered, "&"), robokassa.MD5, tt.password) {
					t.Errorf("%s is accepted with another %s", tt.file, name)
				}
				if accepted(strings.Join(append(altered[:i:i], altered[i+1:]...), "&"), robokassa.MD5, tt.password) {
					t.Errorf("%s is accepted without %s", tt.file, name)
				}
			}
		}
		if accepted(strings.Replace(body, "out_summ=", "out_summ=9", 1), robokassa.MD5, tt.password) {
			t.Errorf("%s is accepted with an out_summ that contradicts OutSum", tt.file)
		}
	}
}

// Each kind of leniency admits what it says, and without it that is refused.
func TestLeniency(t *testing.T) {
	t.Parallel()
	receipt := url.QueryEscape(`{"items":[]}`)
	r := robokassa.Request{
		Login: "shop", OutSum: "1", InvID: "7", Receipt: receipt, Currency: "USD", ResultURL2: "https://s.example/?a=b",
		Shp: robokassa.Fields{{Name: "shp_a", Value: "1"}, {Name: "Shp_b", Value: "2"}},
	}
	for name, tt := range map[string]struct {
		base string
		l    robokassa.Leniency
	}{
		"documented": {"shop:1:7:USD:" + receipt + ":https://s.example/?a=b:one:shp_a=1:Shp_b=2", robokassa.Leniency{}},
		"receipt":    {`shop:1:7:USD:{"items":[]}:https://s.example/?a=b:one:shp_a=1:Shp_b=2`, robokassa.Leniency{ReceiptDecodings: 1}},
		"currency":   {"shop:1:7:" + receipt + ":https://s.example/?a=b:one:shp_a=1:Shp_b=2", robokassa.Leniency{UnsignedCurrency: true}},
		"bytewise":   {"shop:1:7:USD:" + receipt + ":https://s.example/?a=b:one:Shp_b=2:shp_a=1", robokassa.Leniency{BytewiseShp: true}},
		"encoded":    {"shop:1:7:USD:" + receipt + ":https%3A%2F%2Fs.example%2F%3Fa%3Db:one:shp_a=1:Shp_b=2", robokassa.Leniency{EncodedURLs: true}},
	} {
		r.Signature = robokassa.MD5.Sum(tt.base)
		if err := r.Verify(tt.l, robokassa.MD5, "one"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := r.Verify(robokassa.Leniency{}, robokassa.MD5, "one"); (err == nil) != (tt.l == robokassa.Leniency{}) {
			t.Errorf("%s without leniency: %v", name, err)
		}
	}
}
