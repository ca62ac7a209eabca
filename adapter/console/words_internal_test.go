package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
)

// Every reason that a comparison can give is told in the reader's language, with its amounts.
func TestReasonsOfDifferences(t *testing.T) {
	t.Parallel()
	rub := money.New(0, money.RUB)
	for _, tt := range []struct{ text, ru string }{
		{fmt.Sprintf(adapter.ReasonLess, "70.00"), "У платформы на 70,00 ₽ меньше, чем ей перечислено"},
		{fmt.Sprintf(adapter.ReasonRefunds, "5.00", "-1.50"), "Возвратов на 5,00 ₽ нет в расходе платформы (−1,50 ₽)"},
		{fmt.Sprintf(adapter.ReasonUnexplained, "0.50"), "У платформы 0,50 ₽, которые не объясняет ни один платёж"},
		{adapter.ReasonOutOfOrder, "Платформа не работала"},
		{"getFinSummaryByDate: timed out", "getFinSummaryByDate: timed out"},
		{adapter.ReasonOutOfOrder + " again", adapter.ReasonOutOfOrder + " again"},
		{"", ""},
	} {
		got := strings.ReplaceAll(why(page.RU, adapter.Reconciliation{Text: tt.text, Income: rub}), "\u00a0", " ")
		if got != tt.ru {
			t.Errorf("%s: %q; want %q", tt.text, got, tt.ru)
		}
	}
}

// A page breaks at a word that is missing, so all of them are there.
func TestEveryWordIsThere(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, s := range adapter.States {
		keys = append(keys, "kit.state."+string(s))
		if s.NeedsPerson() {
			keys = append(keys, "settle.hint."+string(s))
		}
	}
	for _, k := range adapter.EventKinds {
		keys = append(keys, "event."+string(k))
	}
	for _, k := range adapter.Kinds {
		keys = append(keys, "kind."+string(k), "settle.confirm."+string(k), "settle.decline."+string(k))
	}
	for _, key := range reasons {
		keys = append(keys, "reconcile.why."+key)
	}
	for _, lang := range []page.Lang{page.RU, page.EN} {
		for _, key := range keys {
			if site.Text(lang, key) == key {
				t.Errorf("%s: %q has no word", lang, key)
			}
		}
	}
}
