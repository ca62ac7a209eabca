package page

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAmountText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, code, ru, en string
	}{
		{name: "as the design gives it", text: "1234.50", code: "RUB", ru: "1 234,50 ₽", en: "₽1,234.50"},
		{name: "small", text: "0.05", code: "RUB", ru: "0,05 ₽", en: "₽0.05"},
		{name: "three digits", text: "100", code: "USD", ru: "100 $", en: "$100"},
		{name: "four digits", text: "1000", code: "EUR", ru: "1 000 €", en: "€1,000"},
		{name: "largest", text: "92233720368547758.07", code: "RUB", ru: "92 233 720 368 547 758,07 ₽", en: "₽92,233,720,368,547,758.07"},
		{name: "negative", text: "-50.25", code: "RUB", ru: "−50,25 ₽", en: "−₽50.25"},
		{name: "no sign for the currency", text: "1234.00000001", code: "BTC", ru: "1 234,00000001 BTC", en: "1,234.00000001 BTC"},
		{name: "no decimal", text: "1e5", code: "RUB", ru: "1e5 RUB", en: "1e5 RUB"},
		{name: "half a decimal", text: "1.", code: "RUB", ru: "1. RUB", en: "1. RUB"},
		{name: "empty", text: "", code: "RUB", ru: " RUB", en: " RUB"},
		{name: "other digits", text: "１００", code: "RUB", ru: "１００ RUB", en: "１００ RUB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for lang, want := range map[Lang]string{RU: tt.ru, EN: tt.en} {
				want = strings.ReplaceAll(want, " ", nbsp)
				if got := AmountText(lang, tt.text, tt.code); got != want {
					t.Errorf("AmountText(%s, %q, %q) = %q; want %q", lang, tt.text, tt.code, got, want)
				}
			}
		})
	}
}

// TestAmountKeepsDigits: whatever is put around them, the digits and the sign stay.
func TestAmountKeepsDigits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,25}(\.[0-9]{1,8})?`).Draw(t, "text")
		code := rapid.SampledFrom([]string{"RUB", "USD", "BTC"}).Draw(t, "code")
		ru := strings.NewReplacer(nbsp, "", "−", "-", ",", ".", "₽", "", "$", "", "BTC", "").Replace(AmountText(RU, text, code))
		en := strings.NewReplacer(nbsp, "", "−", "-", ",", "", "₽", "", "$", "", "BTC", "").Replace(AmountText(EN, text, code))
		if ru != text || en != text {
			t.Errorf("%s %s became %q and %q", text, code, ru, en)
		}
	})
}
