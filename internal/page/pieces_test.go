package page

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func TestAgo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ago    time.Duration
		ru, en string
	}{
		{0, "только что", "just now"},
		{999 * time.Millisecond, "только что", "just now"},
		{-999 * time.Millisecond, "только что", "just now"},
		{time.Second, "1 с назад", "1 s ago"},
		{-10 * time.Second, "через 10 с", "in 10 s"},
		{59*time.Second + 999*time.Millisecond, "59 с назад", "59 s ago"},
		{time.Minute, "1 мин назад", "1 min ago"},
		{-90 * time.Minute, "через 1 ч", "in 1 h"},
		{23 * time.Hour, "23 ч назад", "23 h ago"},
		{6 * 24 * time.Hour, "6 дн. назад", "6 d ago"},
		{7 * 24 * time.Hour, "7 марта 2026", "7 March 2026"},
	}
	for lang, pick := range map[Lang]int{RU: 0, EN: 1} {
		set, err := gallerySite(false).set(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			want := []string{tt.ru, tt.en}[pick]
			if got, err := set.ago(noon.Add(-tt.ago), noon); strings.ReplaceAll(got, nbsp, " ") != want || err != nil {
				t.Errorf("%s, %s ago: %q, %v; want %q", lang, tt.ago, got, err, want)
			}
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		d      time.Duration
		ru, en string
	}{
		{0, "0 мс", "0 ms"},
		{850 * time.Microsecond, "850 мкс", "850 µs"},
		{12*time.Millisecond + 700*time.Microsecond, "12 мс", "12 ms"},
		{1250 * time.Millisecond, "1,25 с", "1.25 s"},
		{5 * time.Second, "5 с", "5 s"},
		{59*time.Second + 900*time.Millisecond, "59 с", "59 s"},
		{200 * time.Second, "3 мин 20 с", "3 min 20 s"},
		{24 * time.Hour, "24 ч", "24 h"},
		{5 * time.Minute, "5 мин", "5 min"},
		{26*time.Hour + 5*time.Minute, "26 ч 5 мин", "26 h 5 min"},
		{732 * time.Hour, "30 дн. 12 ч", "30 d 12 h"},
		{-5 * time.Second, "−5 с", "−5 s"},
	}
	for lang, pick := range map[Lang]int{RU: 0, EN: 1} {
		set, err := gallerySite(false).set(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			want := []string{tt.ru, tt.en}[pick]
			if got, err := set.duration(tt.d); strings.ReplaceAll(got, nbsp, " ") != want || err != nil {
				t.Errorf("%s, %s: %q, %v; want %q", lang, tt.d, got, err, want)
			}
		}
	}
}

func TestPieces(t *testing.T) {
	t.Parallel()
	_, doc := render(t, "/", map[string][]string{"Accept-Language": {"ru"}}, func(g *gallery) { g.States = []string{"declined"} })
	find := func(match func(*html.Node) bool) *html.Node {
		t.Helper()
		found := nodes(doc, match)
		if len(found) == 0 {
			t.Fatal("a piece is missing")
		}
		return found[0]
	}
	amount := find(classed("amount"))
	if got := attr(amount, "title"); got != "1234567.50 RUB" || text(amount) != "1 234 567,50 ₽" {
		t.Errorf("amount says %q with the title %q", text(amount), got)
	}
	badge := find(classed("badge"))
	if got := attr(badge, "class"); got != "badge ended" || text(badge) != "Отклонён" || len(nodes(badge, named("svg"))) != 1 {
		t.Errorf("badge %q says %q", got, text(badge))
	}
	id := find(classed("id"))
	if code := nodes(id, named("code"))[0]; text(code) != "202cb962ac59075b964b07152d234b70" || attr(code, "title") != text(code) {
		t.Errorf("id says %q with the title %q", text(code), attr(code, "title"))
	}
	if got := text(find(classed("id-middle"))); got != "62ac59075b964b07152d23" {
		t.Errorf("id hides %q", got)
	}
	if got := attr(find(classed("copy")), "data-copy"); got != "202cb962ac59075b964b07152d234b70" {
		t.Errorf("id copies %q", got)
	}
	at := find(named("time"))
	if attr(at, "datetime") != "2026-03-14T11:59:55.000Z" || attr(at, "title") != "2026-03-14 11:59:55.000 UTC" || text(at) != "5 с назад" {
		t.Errorf("time %v says %q", at.Attr, text(at))
	}
}

func TestShortIDIsWhole(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "114163", "twelve chars"} {
		if got := splitID(id); got.Head != id || got.Middle != "" || got.Tail != "" {
			t.Errorf("splitID(%q) = %+v", id, got)
		}
	}
	if got := splitID(strings.Repeat("ж", 32)); got.Head+got.Middle+got.Tail != strings.Repeat("ж", 32) {
		t.Errorf("an id was cut within a letter: %+v", got)
	}
}
