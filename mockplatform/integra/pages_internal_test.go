package integra

import (
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
)

func TestPageTexts(t *testing.T) {
	t.Parallel()
	if err := site.Check(); err != nil {
		t.Error(err)
	}
}

func TestTypedAmount(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"100":                 "100",
		" 100 ":               "100",
		"100,5":               "100.5",
		"1 234,50":            "1234.50",
		"1\u00a0234\u202f567": "1234567",
		"1,234":               "1,234", // a thousand, or a little more than one?
		"1,234.50":            "1,234.50",
		"1,,5":                "1,,5",
		",5":                  ",5",
		"-1,5":                "-1,5",
		"":                    "",
	} {
		if got := typedAmount(typed); got != want {
			t.Errorf("typedAmount(%q) = %q; want %q", typed, got, want)
		}
	}
}

// FuzzTypedAmount: what is read from the field is what was typed, or is refused. No digit
// may come or go, and no decimal mark may move.
func FuzzTypedAmount(f *testing.F) {
	for _, seed := range []string{"100", "1 234,50", "1,234", "0,01", "1e30", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		amount, err := money.Parse(typedAmount(typed), money.RUB)
		if err != nil {
			if form := failed(typed, refuse(CheckAmount, 1, err.Error())); form.Error == "" || form.Error == "refused" {
				t.Fatalf("%q is refused without words: %v", typed, err)
			}
			return
		}
		clean := strings.ReplaceAll(spaces.Replace(typed), ",", ".")
		again, err := money.Parse(clean, money.RUB)
		if err != nil || again != amount {
			t.Fatalf("%q became %s; as %q it is %s, %v", typed, amount, clean, again, err)
		}
	})
}

func TestEveryAmountFaultHasWords(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"", "0", "-1", "+1", "1.234", "1,234", "1e3", "1.", "abc", "１", "01", "1" + strings.Repeat("0", 30), strings.Repeat("1", 33)} {
		_, err := money.Parse(typedAmount(typed), money.RUB)
		if err == nil {
			t.Errorf("%q is accepted", typed)
			continue
		}
		if form := failed(typed, refuse(CheckAmount, 1, err.Error())); form.Error == "" {
			t.Errorf("%q has no words for %v", typed, err)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	hundred, fifty := money.New(100_00, money.RUB), money.New(50_00, money.RUB)
	tests := []struct {
		name  string
		pay   Payment
		badge string
		sum   money.Amount
		fresh bool
		tries int
	}{
		{"new", Payment{State: Unconfirmed, Amount: hundred}, "waiting", hundred, false, 0},
		{"notified twice, and a copy", Payment{State: Unconfirmed, Amount: hundred, Attempts: []Attempt{{Number: 1}, {Number: 1, Copy: true}, {Number: 2}}}, "waiting", hundred, false, 2},
		{"credited with another amount", Payment{State: Confirmed, Amount: hundred, Credited: fifty, SettledAt: now.Add(-time.Second)}, "confirmed", fifty, true, 0},
		{"declined", Payment{State: Declined, Amount: hundred, Reason: "no", SettledAt: now.Add(-time.Minute)}, "declined", hundred, false, 0},
		{"expired", Payment{State: Declined, Amount: hundred, Expired: true, SettledAt: now.Add(-time.Minute)}, "expired", hundred, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := newLine(tt.pay, now)
			if got.Badge != tt.badge || got.Sum != tt.sum || got.Fresh != tt.fresh || got.Tries != tt.tries {
				t.Errorf("badge %s, sum %s, fresh %t, tries %d; want %s, %s, %t, %d", got.Badge, got.Sum, got.Fresh, got.Tries, tt.badge, tt.sum, tt.fresh, tt.tries)
			}
		})
	}
}

func TestErrorLink(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]string{
		"https://partner.example/topup?a=b": "https://partner.example/topup?a=b",
		"http://partner.example":            "http://partner.example",
		"javascript:alert(1)":               "",
		"JAVASCRIPT:alert(1)":               "",
		"data:text/html,x":                  "",
		"//partner.example":                 "",
		"https:":                            "",
		"/topup":                            "",
		"":                                  "",
		"http://[":                          "",
	} {
		if got := (line{Payment: Payment{ErrorLink: link}}).Link(); got != want {
			t.Errorf("Link() of %q = %q; want %q", link, got, want)
		}
	}
}
