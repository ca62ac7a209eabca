package money_test

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/money"
)

func currency(t testing.TB, code string, digits int) money.Currency {
	t.Helper()
	c, err := money.NewCurrency(code, digits)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewCurrency(t *testing.T) {
	t.Parallel()
	c := currency(t, "RUB", 2)
	if c != money.RUB || c.Code() != "RUB" || c.Digits() != 2 || c.Unit() != 100 || c.String() != "RUB" {
		t.Errorf("RUB = %+v: code %q, digits %d, unit %d", c, c.Code(), c.Digits(), c.Unit())
	}
	if got := currency(t, "JPY", 0).Unit(); got != 1 {
		t.Errorf("unit of a currency without digits = %d; want 1", got)
	}
	for _, tt := range []struct {
		code   string
		digits int
	}{
		{"", 2},
		{"R", 2},
		{"rub", 2},
		{"RU B", 2},
		{"РУБ", 2},
		{"ABCDEFGHIJKLM", 2},
		{"RUB", -1},
		{"RUB", money.MaxDigits + 1},
	} {
		if got, err := money.NewCurrency(tt.code, tt.digits); err == nil {
			t.Errorf("NewCurrency(%q, %d) = %+v; want an error", tt.code, tt.digits, got)
		}
	}
}

func TestWriting(t *testing.T) {
	t.Parallel()
	yen, coin := currency(t, "JPY", 0), currency(t, "BTC", 8)
	tests := []struct {
		minor               int64
		c                   money.Currency
		text, short, string string
	}{
		{0, money.RUB, "0.00", "0", "0.00 RUB"},
		{1, money.RUB, "0.01", "0.01", "0.01 RUB"},
		{10, money.RUB, "0.10", "0.1", "0.10 RUB"},
		{100, money.RUB, "1.00", "1", "1.00 RUB"},
		{100_00, money.RUB, "100.00", "100", "100.00 RUB"},
		{100_50, money.RUB, "100.50", "100.5", "100.50 RUB"},
		{-5, money.RUB, "-0.05", "-0.05", "-0.05 RUB"},
		{-50_25, money.RUB, "-50.25", "-50.25", "-50.25 RUB"},
		{math.MaxInt64, money.RUB, "92233720368547758.07", "92233720368547758.07", "92233720368547758.07 RUB"},
		{math.MinInt64, money.RUB, "-92233720368547758.08", "-92233720368547758.08", "-92233720368547758.08 RUB"},
		{1000, yen, "1000", "1000", "1000 JPY"},
		{0, yen, "0", "0", "0 JPY"},
		{1, coin, "0.00000001", "0.00000001", "0.00000001 BTC"},
		{1_0000_0000, coin, "1.00000000", "1", "1.00000000 BTC"},
	}
	for _, tt := range tests {
		a := money.New(tt.minor, tt.c)
		if got := a.Text(); got != tt.text {
			t.Errorf("Text of %d = %q; want %q", tt.minor, got, tt.text)
		}
		if got := a.Short(); got != tt.short {
			t.Errorf("Short of %d = %q; want %q", tt.minor, got, tt.short)
		}
		if got := a.String(); got != tt.string {
			t.Errorf("String of %d = %q; want %q", tt.minor, got, tt.string)
		}
	}
}

func TestLogsAsText(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("paid", "amount", money.New(100_50, money.RUB))
	if want := `"amount":"100.50 RUB"`; !strings.Contains(out.String(), want) {
		t.Errorf("log line %s; want %s in it", out.String(), want)
	}
}

func TestArithmetic(t *testing.T) {
	t.Parallel()
	rub := func(minor int64) money.Amount { return money.New(minor, money.RUB) }
	usd := money.New(100, currency(t, "USD", 2))

	if got, err := rub(100).Add(rub(50)); got != rub(150) || err != nil {
		t.Errorf("1.00 + 0.50 = %s, %v", got, err)
	}
	if got, err := rub(100).Sub(rub(150)); got != rub(-50) || err != nil {
		t.Errorf("1.00 - 1.50 = %s, %v", got, err)
	}
	if got, err := rub(100).Add(usd); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("roubles + dollars = %s, %v; want ErrCurrency", got, err)
	}
	if got, err := rub(100).Sub(usd); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("roubles - dollars = %s, %v; want ErrCurrency", got, err)
	}
	if got := rub(100).Neg(); got != rub(-100) || got.Sign() != -1 || got.Minor() != -100 || got.Currency() != money.RUB {
		t.Errorf("-(1.00) = %s", got)
	}
	if rub(0).Sign() != 0 || rub(7).Sign() != 1 || !rub(0).IsZero() || rub(1).IsZero() || !(money.Amount{}).IsZero() {
		t.Error("Sign or IsZero is wrong")
	}
	if rub(1).Cmp(rub(2)) != -1 || rub(2).Cmp(rub(1)) != 1 || rub(2).Cmp(rub(2)) != 0 {
		t.Error("Cmp is wrong within a currency")
	}
	if rub(1).Cmp(usd) != -1 || usd.Cmp(rub(1)) != 1 || rub(1).Cmp(money.New(1, currency(t, "RUB", 3))) != -1 {
		t.Error("Cmp is wrong between currencies")
	}
}

// Sums and differences are those of unbounded integers, or refused.
func TestArithmeticAgainstBig(t *testing.T) {
	t.Parallel()
	limit := big.NewInt(math.MaxInt64)
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64})).Draw(t, "x")
		y := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64})).Draw(t, "y")
		a, b := money.New(x, money.RUB), money.New(y, money.RUB)
		check := func(op string, got money.Amount, err error, want *big.Int) {
			if fits := want.CmpAbs(limit) <= 0; fits != (err == nil) {
				t.Fatalf("%d %s %d: error %v; want %s", x, op, y, err, want)
			}
			if err != nil && !errors.Is(err, money.ErrOverflow) {
				t.Fatalf("%d %s %d: error %v; want ErrOverflow", x, op, y, err)
			}
			if err == nil && got != money.New(want.Int64(), money.RUB) {
				t.Fatalf("%d %s %d = %s; want %s", x, op, y, got, want)
			}
		}
		sum, err := a.Add(b)
		check("+", sum, err, new(big.Int).Add(big.NewInt(x), big.NewInt(y)))
		diff, err := a.Sub(b)
		check("-", diff, err, new(big.Int).Sub(big.NewInt(x), big.NewInt(y)))
	})
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, err := money.NewCurrency("XYZ", rapid.IntRange(0, money.MaxDigits).Draw(t, "digits"))
		if err != nil {
			t.Fatal(err)
		}
		minor := rapid.Int64Range(-math.MaxInt64, math.MaxInt64).Draw(t, "minor")
		a := money.New(minor, c)
		if got := a.Decimal().StringFixed(int32(c.Digits())); got != a.Text() {
			t.Fatalf("decimal of %s = %s", a, got)
		}
		// The same number under other exponents is the same amount.
		d := a.Decimal()
		more := rapid.Int32Range(0, 40).Draw(t, "more")
		d = decimal.NewFromBigInt(new(big.Int).Mul(d.Coefficient(), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(more)), nil)), d.Exponent()-more)
		if got, err := money.FromDecimal(d, c); got != a || err != nil {
			t.Fatalf("FromDecimal(%s) = %s, %v; want %s", d, got, err, a)
		}
	})
}

func TestFromDecimal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		d     decimal.Decimal
		want  int64
		fault money.Fault
	}{
		{"whole", decimal.New(100, 0), 100_00, ""},
		{"positive exponent", decimal.New(1, 3), 1000_00, ""},
		{"negative", decimal.New(-5, -2), -5, ""},
		{"zero", decimal.Zero, 0, ""},
		{"zero of a huge exponent", decimal.New(0, math.MaxInt32), 0, ""},
		{"zero of a tiny exponent", decimal.New(0, math.MinInt32), 0, ""},
		{"trailing zeros", decimal.New(100_5000, -4), 100_50, ""},
		{"half a kopeck", decimal.New(5, -3), 0, money.FaultDecimals},
		{"tiny, and no gigabytes for it", decimal.New(5, math.MinInt32), 0, money.FaultDecimals},
		{"huge, and no gigabytes for it", decimal.New(5, math.MaxInt32), 0, money.FaultRange},
		{"one past the largest", decimal.New(math.MaxInt64, -2).Add(decimal.New(1, -2)), 0, money.FaultRange},
		{"the smallest int64", decimal.New(math.MinInt64, -2), 0, money.FaultRange},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := money.FromDecimal(tt.d, money.RUB)
			if tt.fault == "" {
				if got != money.New(tt.want, money.RUB) || err != nil {
					t.Errorf("FromDecimal = %s, %v; want %d", got, err, tt.want)
				}
				return
			}
			var e *money.FormatError
			if !errors.As(err, &e) || e.Fault != tt.fault {
				t.Errorf("FromDecimal = %s, %v; want %q", got, err, tt.fault)
			}
		})
	}
}

// The receiver of notifications reads and writes an amount for each of them.
func TestAllocations(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _, _ = money.Parse("1234567.89", money.RUB) }); n != 0 {
		t.Errorf("Parse allocates %v times; want 0", n)
	}
	a := money.New(1234567_89, money.RUB)
	if n := testing.AllocsPerRun(100, func() { _ = a.Text() }); n > 1 {
		t.Errorf("Text allocates %v times; want 1 at most", n)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := money.Parse("1234567.89", money.RUB); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkText(b *testing.B) {
	b.ReportAllocs()
	a := money.New(1234567_89, money.RUB)
	for b.Loop() {
		_ = a.Text()
	}
}
