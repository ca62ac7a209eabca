package robokassa

import (
	"slices"
	"strings"
	"time"
)

// A Method is a way to pay, as GetCurrencies lists it.
type Method struct {
	Label       string // IncCurrLabel
	Alias       string // PaymentMethod of ResultURL
	Group       string
	RU, EN      string
	Card, ByQR  bool
	MinRU, Most string // bounds in roubles; "" for none
}

// methods are those that clients and captures name.
var methods = []Method{
	{Label: "BankCardPSR", Alias: "BankCard", Group: "BankCard", RU: "Банковская карта", EN: "Bank card", Card: true, MinRU: "1", Most: "300000"},
	{Label: "SBPPSR", Alias: "SBP", Group: "SBP", RU: "СБП", EN: "SBP: by QR code", ByQR: true, MinRU: "1", Most: "1000000"},
	{Label: "SberPayPSR", Alias: "SberPay", Group: "EMoney", RU: "SberPay", EN: "SberPay", MinRU: "1", Most: "300000"},
	{Label: "YandexPayPSR", Alias: "YandexPay", Group: "EMoney", RU: "Yandex Pay", EN: "Yandex Pay", MinRU: "1", Most: "300000"},
	{Label: "MirPayPSR", Alias: "MirPay", Group: "EMoney", RU: "Mir Pay", EN: "Mir Pay", MinRU: "1", Most: "300000"},
}

// methodOf finds a method by its label or alias, in any case.
func methodOf(name string) (Method, bool) {
	i := slices.IndexFunc(methods, func(m Method) bool {
		return strings.EqualFold(m.Label, name) || strings.EqualFold(m.Alias, name)
	})
	if i < 0 {
		return Method{}, false
	}
	return methods[i], true
}

// A CardOutcome is what becomes of a payment with a card for tests.
type CardOutcome string

// The outcomes. CardForeign is a number that is none of Cards.
const (
	CardPays     CardOutcome = "pays"
	CardDeclined CardOutcome = "declined"
	CardNoFunds  CardOutcome = "no_funds"
	CardExpired  CardOutcome = "expired"
	CardNo3DS    CardOutcome = "no_3ds"
	CardWrongCVC CardOutcome = "wrong_cvc"
	CardForeign  CardOutcome = "foreign"
)

// A Card is a number for tests.
type Card struct {
	Number  string // in groups of four
	System  string
	Outcome CardOutcome
}

// Cards lists the numbers that the page accepts, with any date in the future and any CVC.
func Cards() []Card {
	return []Card{
		{"4111 1111 1111 1111", "Visa", CardPays},
		{"5555 5555 5555 4444", "Mastercard", CardPays},
		{"2200 0000 0000 0004", "Мир", CardPays},
		{"4000 0000 0000 0002", "Visa", CardDeclined},
		{"4000 0000 0000 9995", "Visa", CardNoFunds},
		{"4000 0000 0000 0069", "Visa", CardExpired},
		{"4000 0000 0000 0101", "Visa", CardNo3DS},
		{"4000 0000 0000 0127", "Visa", CardWrongCVC},
	}
}

// CardForm is a card as a buyer typed it.
type CardForm struct {
	Number, Expiry, CVC string
	Saved               bool // number and date are known, only the CVC was asked for
}

// fault names the field that is not filled in as it should be: "number", "expiry", "cvc"; ""
// for none.
func (c CardForm) fault(now time.Time) string {
	digits := cardDigits(c.Number)
	switch {
	case !c.Saved && (len(digits) < 13 || len(digits) > 19 || !luhn(digits)):
		return "number"
	case !c.Saved && !validExpiry(c.Expiry, now):
		return "expiry"
	case len(c.CVC) != 3 || strings.Trim(c.CVC, "0123456789") != "":
		return "cvc"
	}
	return ""
}

func (c CardForm) outcome() CardOutcome {
	if c.Saved {
		return CardPays
	}
	digits := cardDigits(c.Number)
	for _, card := range Cards() {
		if cardDigits(card.Number) == digits {
			return card.Outcome
		}
	}
	return CardForeign
}

// cardDigits returns the digits of a number, or "" if it holds anything but digits, spaces
// and hyphens.
func cardDigits(number string) string {
	digits := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(number)
	if strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits
}

// luhn checks the last digit of a card's number.
func luhn(digits string) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// validExpiry reads MM/YY; the card is good through the end of that month.
func validExpiry(text string, now time.Time) bool {
	text = strings.ReplaceAll(text, " ", "")
	if len(text) == 4 && !strings.Contains(text, "/") {
		text = text[:2] + "/" + text[2:]
	}
	month, err := time.Parse("01/06", text)
	return err == nil && now.Before(month.AddDate(0, 1, 0))
}

// masked shows of a card's number what receipts do.
func masked(number string) string {
	digits := cardDigits(number)
	return digits[:6] + strings.Repeat("*", len(digits)-10) + digits[len(digits)-4:]
}
