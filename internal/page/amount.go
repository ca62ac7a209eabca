package page

import "strings"

// nbsp keeps the parts of an amount on one line.
const nbsp = "\u00a0"

// currencySigns are the currencies that readers know by a sign. Others keep their code.
var currencySigns = map[string]string{"RUB": "₽", "USD": "$", "EUR": "€", "UAH": "₴", "KZT": "₸"}

// amountParts is an amount ready to be laid out: Sign and Number carry the weight, the
// currency stands muted before or after them.
type amountParts struct {
	Sign, Before, Number, After string
	Exact                       string // as computers write it, for the title: 1234.50 RUB
}

// splitAmount writes the decimal text as lang does. It moves digits about and never
// calculates, so that any precision stays exact. What is no decimal stays as it is.
func splitAmount(lang Lang, text, code string) amountParts {
	exact := text + " " + code
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if !isDigits(whole) || point && !isDigits(fraction) {
		return amountParts{Number: text, After: code, Exact: exact}
	}
	p := amountParts{Exact: exact, Number: groupDigits(lang, whole)}
	if point {
		p.Number += decimalPoint(lang, "."+fraction)
	}
	if negative {
		p.Sign = "−"
	}
	sign, known := currencySigns[code]
	switch {
	case lang == RU && known:
		p.After = sign
	case lang == RU || !known:
		p.After = code
	default:
		p.Before = sign
	}
	return p
}

// AmountText writes an amount in plain text: 1 234,50 ₽ in Russian, ₽1,234.50 in English.
// text is a decimal with a point, as "-1234.50"; code is the currency's, as "RUB".
func AmountText(lang Lang, text, code string) string {
	p := splitAmount(lang, text, code)
	out := p.Sign + p.Before + p.Number
	if p.After != "" {
		out += nbsp + p.After
	}
	return out
}

// groupDigits separates thousands: with a space in Russian, with a comma in English.
func groupDigits(lang Lang, digits string) string {
	separator := ","
	if lang == RU {
		separator = nbsp
	}
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// decimalPoint puts the decimal comma of Russian in the place of the point.
func decimalPoint(lang Lang, text string) string {
	if lang == RU {
		return strings.Replace(text, ".", ",", 1)
	}
	return text
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
