package anymoney_test

import (
	"errors"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/money"
)

func TestParseAmount(t *testing.T) {
	t.Parallel()
	nines := strings.Repeat("9", 1000)
	for text, want := range map[string]anymoney.Amount{
		"0": "0", "00": "0", "0.00": "0", "-0": "0", "-0,000": "0",
		"1": "1", "10": "10", "100": "100", "007": "7", "-7": "-7",
		"2.40": "2.4", "10.5000": "10.5", "100.50": "100.5", "1.000": "1", "256,13": "256.13",
		"0.00000056": "0.00000056", "00,10": "0.1", "-0.50": "-0.5", "-00.5": "-0.5",
		nines: anymoney.Amount(nines), nines + "." + nines + "0": anymoney.Amount(nines + "." + nines),
	} {
		if got, err := anymoney.ParseAmount(text); got != want || err != nil {
			t.Errorf("ParseAmount(%.40q) = %.40q, %v; want %.40q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-", "--1", "+1", "1-", ".5", "5.", ",5", "5,", "-.5", ".", ",", "1..2", "1,2.3", "1.2,3", "1 000", " 1", "1 ", "1\n",
		"1e2", "1E2", "0x10", "1_000", "String", "NaN", "Infinity", "١٢", "１", "1\x00", "−1", "1'000", "true",
	} {
		if got, err := anymoney.ParseAmount(text); got != "" || !errors.Is(err, anymoney.ErrAmount) {
			t.Errorf("ParseAmount(%q) = %q, %v; want ErrAmount", text, got, err)
		}
	}
}

func TestAmountAsNumber(t *testing.T) {
	t.Parallel()
	for a, want := range map[anymoney.Amount]struct {
		minor    int64 // of RUB
		err      error
		decimals int
		negative bool
	}{
		"100.5":                                  {minor: 100_50, decimals: 1},
		"256,13":                                 {minor: 256_13}, // not canonical: it has no decimals to speak of
		"-0.05":                                  {minor: -5, decimals: 2, negative: true},
		"0":                                      {},
		"0.001":                                  {err: money.ErrFormat, decimals: 3},
		"":                                       {err: anymoney.ErrAmount},
		"x":                                      {err: anymoney.ErrAmount},
		anymoney.Amount(strings.Repeat("9", 64)): {err: money.ErrFormat},
		anymoney.Amount(strings.Repeat("9", 65)): {err: anymoney.ErrAmount},
		anymoney.Amount("1." + strings.Repeat("0", 1_000_000)):                   {minor: 1_00, decimals: 1_000_000},
		anymoney.Amount("1." + strings.Repeat("0", anymoney.MaxAmountLen) + "1"): {err: anymoney.ErrAmount, decimals: 65},
	} {
		got, err := a.In(money.RUB)
		if got.Minor() != want.minor || !errors.Is(err, want.err) {
			t.Errorf("%.40q is %s, %v; want %d, %v", a, got, err, want.minor, want.err)
		}
		if a.Decimals() != want.decimals || a.Negative() != want.negative {
			t.Errorf("%.40q has %d decimals and is negative: %t", a, a.Decimals(), a.Negative())
		}
	}
}

func TestNewAmount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := decimal.New(rapid.Int64().Draw(t, "digits"), rapid.Int32Range(-20, 20).Draw(t, "exponent"))
		a := anymoney.NewAmount(d)
		if canonical, err := anymoney.ParseAmount(string(a)); canonical != a || err != nil {
			t.Fatalf("NewAmount(%v) = %q, whose canonical form is %q, %v", d, a, canonical, err)
		}
		if back, err := a.Decimal(); !back.Equal(d) || err != nil {
			t.Fatalf("NewAmount(%v) = %q, which is %v, %v", d, a, back, err)
		}
	})
}

func TestRate(t *testing.T) {
	t.Parallel()
	if !(anymoney.Rate{}).IsZero() || (anymoney.Rate{"28.7639", "1"}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

var amountForm = regexp.MustCompile(`^-?[0-9]+([.,][0-9]+)?$`)

func FuzzParseAmount(f *testing.F) {
	for _, text := range []string{"256,13", "-0.50", "1e2", "00.100", ".5", "5.", "+1", "1,2.3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := anymoney.ParseAmount(text)
		if (err == nil) != amountForm.MatchString(text) {
			t.Fatalf("ParseAmount(%q) = %q, %v", text, a, err)
		}
		if err != nil {
			return
		}
		got, _ := new(big.Rat).SetString(string(a))
		want, _ := new(big.Rat).SetString(strings.Replace(text, ",", ".", 1))
		if got == nil || want == nil || got.Cmp(want) != 0 || a.Negative() != (want.Sign() < 0) {
			t.Fatalf("%q became %q", text, a)
		}
		if again, err := anymoney.ParseAmount(string(a)); again != a || err != nil {
			t.Fatalf("%q written back is %q, %v", a, again, err)
		}
		if d, err := a.Decimal(); err == nil && anymoney.NewAmount(d) != a {
			t.Fatalf("%q is %v as a number, which is written %q", a, d, anymoney.NewAmount(d))
		}
	})
}
