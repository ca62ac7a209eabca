package page

import (
	"strconv"
	"strings"
	"time"
)

// monthNames are those of Russian dates: of which month a day is.
var monthNames = strings.Fields("января февраля марта апреля мая июня июля августа сентября октября ноября декабря")

// DateText writes a day as lang does: 3 ноября 2026 in Russian, 3 November 2026 in English.
func DateText(lang Lang, at time.Time) string {
	year, month, day := at.Date()
	name := month.String()
	if lang == RU {
		name = monthNames[month-1]
	}
	return strconv.Itoa(day) + nbsp + name + nbsp + strconv.Itoa(year)
}
