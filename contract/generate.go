package contract

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// generated is how many values each check of INT-INPUT makes up.
const generated = 60

// A maker makes up a value from chance; what it returns is raw text, not yet in an address.
type maker func(d *dice) string

// pick chooses one of makers.
func pick(makers ...maker) maker {
	return func(d *dice) string { return makers[d.below(len(makers))](d) }
}

func one(values ...string) maker {
	return func(d *dice) string { return values[d.below(len(values))] }
}

// chars makes n times a character, fewer with luck.
func chars(alphabet string, most int) maker {
	runes := []rune(alphabet)
	return func(d *dice) string {
		var b strings.Builder
		for range d.below(most + 1) {
			b.WriteRune(runes[d.below(len(runes))])
		}
		return b.String()
	}
}

func concat(makers ...maker) maker {
	return func(d *dice) string {
		var b strings.Builder
		for _, m := range makers {
			b.WriteString(m(d))
		}
		return b.String()
	}
}

// amounts are texts around the boundaries of what a sum may be.
var amounts = pick(
	concat(one("", "-", "+", " ", "0", "00"), chars("0123456789", 6), one("", ".", ",", ". "), chars("0123456789", 4), one("", "e1", " ", "%", "\u00a0")),
	concat(one("1", "9", "10"), chars("09", 22), one("", ".00", ".000", ".0")),
	one("0.001", "0.009", "0.000000001", "92233720368547758.07", "92233720368547758.08", "1_000", "1'000", "1 000", "٣", "１００", "½", "∞", "null", "true", "[]", "{}", "1;1", "0b1", "0o7", "--1", "1..0", ".", "1.", ".5"),
	chars("0123456789.,+-eE xX_%\u00a0", 8),
)

// oddAmounts are good sums with one thing wrong, which are always tried.
var oddAmounts = []string{
	"-100.5", "+100.5", " 100.5", "\t100.5", "0x10", "$100", "\n100", "--1", "100.5 ", "100e0", "100f", "100,", "100.", "100p.", "100\n", "100%", "100-", "1.005", "0", "0.0", "1.000",
}

// oddIDs are the same for ids.
var oddIDs = []string{
	"202cb962ac59075b964b07152d234b7", "202cb962ac59075b964b07152d234b700", "202cb962-ac59-075b-964b-07152d23", "202cb962ac59075b964b07152d234b7 ", " 202cb962ac59075b964b07152d234b7",
	"202cb962ac59075b964b07152d234b7\n", "../02cb962ac59075b964b07152d234b7", "202cb962ac59075b964b07152d234bё",
}

// ids are texts around the boundaries of what an id may be: 32 letters or digits.
var ids = pick(
	concat(chars("0123456789abcdef", 40), one("", "-", "%", "/", "\\", "'", "\"", "\x00", "\n", "ё", "{id}")),
	concat(one("202cb962ac59075b964b07152d234b"), chars("0123456789abcdefXYZ_-. ;", 4)),
	chars("абвгд0123ÿ\u200b", 34),
)

// badAmount tells whether a text is surely no sum that may be paid. Zeros in front are a
// matter of taste.
func badAmount(text string) bool {
	_, err := money.Parse(text, money.RUB)
	var wrong *money.FormatError
	return errors.As(err, &wrong) && wrong.Fault != money.FaultZeros
}

func generatedChecks() []Check {
	return []Check{
		{
			ID: "INT-INPUT-01", Title: Text{"No made-up amount is taken for a payment", "Ни одна сгенерированная сумма не принимается за платёж"},
			Clause: clauseTemplate, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				t.tries(oddAmounts, amounts, badAmount, func(n notice, value string) notice {
					n.amount = value
					return n
				})
			},
		},
		{
			ID: "INT-INPUT-02", Title: Text{"No made-up id is taken for a payment", "Ни один сгенерированный id не принимается за платёж"},
			Clause: clauseTemplate, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				t.tries(oddIDs, ids, func(text string) bool { return !integra.ValidHash(text) }, func(n notice, value string) notice {
					n.id = value
					return n
				})
			},
		},
		{
			ID: "INT-INPUT-03", Title: Text{"No made-up query brings the adapter down", "Ни одна сгенерированная строка запроса не роняет адаптер"},
			Clause: clauseTemplate, Users: []string{"1000"}, Scene: byHand,
			Run: func(t *T) {
				queries := concat(one("", "&", "id=", "=&=", "id[]=1&", "%"), chars("idamounthsk=&%;+0123456789[]\u00e9 ", 60))
				t.tries(nil, queries, func(string) bool { return true }, func(n notice, value string) notice {
					n.edit = func(u *url.URL) { u.RawQuery = strings.ReplaceAll(url.PathEscape(value), "%25", "%") }
					return n
				})
			},
		},
	}
}

// tries delivers notifications with odd and with made-up values, of which all that are bad
// must be refused, cuts the first that is not down to the smallest, and fails with that.
func (t *T) tries(odd []string, make maker, bad func(string) bool, put func(n notice, value string) notice) {
	u := t.users[0]
	p := u.topUp("137.31")
	refuses := func(value string) (answer, bool) {
		n := put(p.notice(), value)
		if n.id == p.id && n.edit == nil {
			n.id = t.fresh() // an adapter that takes one value shall not take the others for repeats
		}
		a := t.deliver(n)
		return a, a.err == nil && a.status >= 400 && a.status <= 499
	}
	for i := range len(odd) + generated {
		value := make(t.dice)
		if i < len(odd) {
			value = odd[i]
		}
		if !bad(value) {
			continue
		}
		t.forget()
		if _, ok := refuses(value); ok {
			continue
		}
		smallest := shrink(value, func(smaller string) bool {
			if !bad(smaller) {
				return false
			}
			t.forget()
			_, ok := refuses(smaller)
			return !ok
		})
		t.forget()
		if a, ok := refuses(smallest); !ok {
			t.failAt(a.index, say("a refusal (400 to 499) of %q, cut down from %q", smallest, value), a.said())
		}
	}
	t.taken(t.deliver(p.notice())) // the adapter lives
	p.confirmed()
	u.has("862.69", "137.31")
}

// forget drops the exchanges so far: of many tries only the last one matters.
func (t *T) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exchanges = nil
}

// shrink returns the smallest text it finds of which still is true: it leaves parts out and
// puts plain characters for others, in smaller and smaller parts. It asks at most a few
// hundred times.
func shrink(text string, still func(string) bool) string {
	asked := 0
	ask := func(smaller []rune) bool {
		asked++
		return asked < 300 && still(string(smaller))
	}
	runes := []rune(text)
	for size := len(runes); size >= 1; size /= 2 {
		for at := 0; at+size <= len(runes); {
			if smaller := slices.Delete(slices.Clone(runes), at, at+size); ask(smaller) {
				runes = smaller
				continue
			}
			plain := slices.Concat(runes[:at], []rune(strings.Repeat("0", size)), runes[at+size:])
			if !slices.Equal(plain, runes) && ask(plain) {
				runes = plain
			}
			at += size
		}
	}
	return string(runes)
}
