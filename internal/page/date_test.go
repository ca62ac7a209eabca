package page

import (
	"testing"
	"time"
)

func TestDateText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at     time.Time
		ru, en string
	}{
		{time.Date(2026, 5, 2, 23, 59, 0, 0, time.UTC), "2\u00a0мая\u00a02026", "2\u00a0May\u00a02026"},
		{time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), "31\u00a0декабря\u00a01999", "31\u00a0December\u00a01999"},
	} {
		if ru, en := DateText(RU, test.at), DateText(EN, test.at); ru != test.ru || en != test.en {
			t.Errorf("%s: %q and %q; want %q and %q", test.at, ru, en, test.ru, test.en)
		}
	}
}
