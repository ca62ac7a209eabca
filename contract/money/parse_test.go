package money_test

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/partnerkit/partnerkit/contract/money"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       int64
		fault      money.Fault
	}{
		{name: "whole", text: "100", want: 100_00},
		{name: "one decimal", text: "100.5", want: 100_50},
		{name: "two decimals", text: "100.50", want: 100_50},
		{name: "a kopeck", text: "0.01", want: 1},
		{name: "largest", text: "92233720368547758.07", want: math.MaxInt64},
		{name: "one past it", text: "92233720368547758.08", fault: money.FaultRange},
		{name: "decimals carry it past", text: "92233720368547759", fault: money.FaultRange},
		{name: "10^30", text: "1000000000000000000000000000000", fault: money.FaultRange},
		{name: "32 digits", text: strings.Repeat("9", 32), fault: money.FaultRange},
		{name: "33 digits", text: strings.Repeat("9", 33), fault: money.FaultLength},
		{name: "a megabyte", text: strings.Repeat("9", 1<<20), fault: money.FaultLength},
		{name: "empty", text: "", fault: money.FaultEmpty},
		{name: "zero", text: "0", fault: money.FaultZero},
		{name: "zero with decimals", text: "0.00", fault: money.FaultZero},
		{name: "minus", text: "-100", fault: money.FaultSign},
		{name: "plus", text: "+100", fault: money.FaultSign},
		{name: "minus of typography", text: "−100", fault: money.FaultSign},
		{name: "minus behind", text: "100-", fault: money.FaultSign},
		{name: "space before", text: " 100", fault: money.FaultSpace},
		{name: "space behind", text: "100 ", fault: money.FaultSpace},
		{name: "line end", text: "100\n", fault: money.FaultSpace},
		{name: "space as thousands mark", text: "1 000", fault: money.FaultSpace},
		{name: "no-break space", text: "1\u00a0000", fault: money.FaultSpace},
		{name: "exponent", text: "1e2", fault: money.FaultExponent},
		{name: "exponent of PHP", text: "1.0E+25", fault: money.FaultExponent},
		{name: "decimal comma", text: "100,50", fault: money.FaultComma},
		{name: "thousands or decimals?", text: "1,000", fault: money.FaultComma},
		{name: "comma is named even if the number is too large", text: "99999999999999999999,5", fault: money.FaultComma},
		{name: "full-width digits", text: "１００", fault: money.FaultScript},
		{name: "Arabic-Indic digits", text: "١٠٠", fault: money.FaultScript},
		{name: "three decimals", text: "100.505", fault: money.FaultDecimals},
		{name: "three decimals, though zero", text: "100.500", fault: money.FaultDecimals},
		{name: "nothing before the point", text: ".5", fault: money.FaultPoint},
		{name: "nothing after the point", text: "100.", fault: money.FaultPoint},
		{name: "point alone", text: ".", fault: money.FaultPoint},
		{name: "two points", text: "1.0.0", fault: money.FaultPoint},
		{name: "octal?", text: "0100", fault: money.FaultZeros},
		{name: "zeros before the point", text: "00.50", fault: money.FaultZeros},
		{name: "hexadecimal", text: "0x64", fault: money.FaultCharacter},
		{name: "not a number", text: "NaN", fault: money.FaultCharacter},
		{name: "currency", text: "100₽", fault: money.FaultCharacter},
		{name: "NUL", text: "100\x00", fault: money.FaultCharacter},
		{name: "broken UTF-8", text: "100\xff", fault: money.FaultCharacter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := money.Parse(tt.text, money.RUB)
			check(t, "Parse", tt.text, got, err, tt.want, tt.fault)
		})
	}
}

func TestParseSigned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		want  int64
		fault money.Fault
	}{
		{text: "-50.25", want: -50_25},
		{text: "50.25", want: 50_25},
		{text: "-92233720368547758.07", want: -math.MaxInt64},
		{text: "-92233720368547758.08", fault: money.FaultRange},
		{text: "-0", fault: money.FaultZero},
		{text: "0.00", fault: money.FaultZero},
		{text: "+50", fault: money.FaultSign},
		{text: "--50", fault: money.FaultSign},
		{text: "-", fault: money.FaultPoint},
		{text: "- 50", fault: money.FaultSpace},
		{text: "-.5", fault: money.FaultPoint},
		{text: "-05", fault: money.FaultZeros},
	} {
		got, err := money.ParseSigned(tt.text, money.RUB)
		check(t, "ParseSigned", tt.text, got, err, tt.want, tt.fault)
	}
}

func TestParseBalance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		want  int64
		fault money.Fault
	}{
		{text: "0"},
		{text: "0.0"},
		{text: "-0.0"}, // how PHP writes a float that was rounded from below
		{text: "-12.3", want: -12_30},
		{text: "900.00", want: 900_00},
		{text: "", fault: money.FaultEmpty},
		{text: "0.000", fault: money.FaultDecimals},
	} {
		got, err := money.ParseBalance(tt.text, money.RUB)
		check(t, "ParseBalance", tt.text, got, err, tt.want, tt.fault)
	}
}

func TestParseOtherPrecisions(t *testing.T) {
	t.Parallel()
	yen, coin := currency(t, "JPY", 0), currency(t, "BTC", 8)
	for _, tt := range []struct {
		text  string
		c     money.Currency
		want  int64
		fault money.Fault
	}{
		{text: "100", c: yen, want: 100},
		{text: "100.0", c: yen, fault: money.FaultDecimals},
		{text: "100.", c: yen, fault: money.FaultPoint},
		{text: "0.00000001", c: coin, want: 1},
		{text: "92233720368.54775807", c: coin, want: math.MaxInt64},
		{text: "92233720369", c: coin, fault: money.FaultRange},
	} {
		got, err := money.Parse(tt.text, tt.c)
		if tt.fault == "" && got.Currency() != tt.c {
			t.Errorf("Parse(%q) has currency %s; want %s", tt.text, got.Currency(), tt.c)
		}
		check(t, "Parse", tt.text, got, err, tt.want, tt.fault)
	}
}

func check(t *testing.T, name, text string, got money.Amount, err error, want int64, fault money.Fault) {
	t.Helper()
	if fault == "" {
		if got.Minor() != want || err != nil {
			t.Errorf("%s(%.40q) = %s, %v; want %d", name, text, got, err, want)
		}
		return
	}
	var e *money.FormatError
	if !errors.As(err, &e) || e.Fault != fault || !errors.Is(err, money.ErrFormat) || got != (money.Amount{}) {
		t.Errorf("%s(%.40q) = %s, %v; want the fault %q", name, text, got, err, fault)
	}
}

func TestFormatErrorText(t *testing.T) {
	t.Parallel()
	_, err := money.Parse("1,000", money.RUB)
	if want := `malformed amount: "1,000" has a comma: the decimal mark is a point, and nothing parts thousands`; err.Error() != want {
		t.Errorf("error text %q; want %q", err, want)
	}
	if _, err := money.Parse(strings.Repeat("9", 1<<20), money.RUB); len(err.Error()) > 120 {
		t.Errorf("error text has %d bytes; want it cut", len(err.Error()))
	}
}

var form = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]{1,2})?$`)

// FuzzParse holds the parsers against a regular expression for the form and shopspring's
// decimal for the value, neither of which is ours.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"100", "100.5", "100.50", "0.01", "0", "-0.00", "-50.25", "1e2", "1,000", "１００", ".5", "5.", "00.5", " 1", "",
		"92233720368547758.07", "92233720368547758.08", "-92233720368547758.07",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		wellFormed := form.MatchString(text) && len(text) <= money.MaxLen
		var want decimal.Decimal
		if wellFormed {
			want = decimal.RequireFromString(text)
			wellFormed = want.Abs().LessThanOrEqual(decimal.New(math.MaxInt64, -2))
		}
		for name, p := range map[string]struct {
			parse func(string, money.Currency) (money.Amount, error)
			ok    bool
		}{
			"Parse":        {money.Parse, wellFormed && want.IsPositive() && text[0] != '-'},
			"ParseSigned":  {money.ParseSigned, wellFormed && !want.IsZero()},
			"ParseBalance": {money.ParseBalance, wellFormed},
		} {
			got, err := p.parse(text, money.RUB)
			switch {
			case (err == nil) != p.ok:
				t.Errorf("%s(%q) = %s, %v; want acceptance %t", name, text, got, err, p.ok)
			case err == nil && !got.Decimal().Equal(want):
				t.Errorf("%s(%q) = %s; want %s", name, text, got, want)
			case err == nil:
				for _, written := range []string{got.Text(), got.Short()} {
					if again, err := p.parse(written, money.RUB); again != got || err != nil {
						t.Errorf("%s(%q) writes %q, which reads as %s, %v", name, text, written, again, err)
					}
				}
			}
		}
	})
}
