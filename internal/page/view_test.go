package page

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestViewChoices(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, target, accept, cookie string
		lang                         Lang
		theme                        Theme
		remembered                   []string
	}{
		{name: "nothing said", target: "/", lang: EN, theme: Auto},
		{name: "browser speaks Russian", target: "/", accept: "ru-RU,ru;q=0.9,en;q=0.8", lang: RU, theme: Auto},
		{name: "browser prefers English", target: "/", accept: "en-GB,ru;q=0.5", lang: EN, theme: Auto},
		{name: "browser speaks neither", target: "/", accept: "fi", lang: EN, theme: Auto},
		{name: "browser speaks nonsense", target: "/", accept: ";;q=,=", lang: EN, theme: Auto},
		{name: "cookies remember", target: "/", cookie: "lang=ru; theme=dark", accept: "en", lang: RU, theme: Dark},
		{name: "cookies with nonsense", target: "/", cookie: "lang=xx; theme=xx", lang: EN, theme: Auto},
		{name: "address wins and is remembered", target: "/?lang=ru&theme=light", cookie: "lang=en; theme=dark", lang: RU, theme: Light, remembered: []string{"lang=ru", "theme=light"}},
		{name: "address with nonsense", target: "/?lang=<script>&theme=", cookie: "lang=ru", lang: RU, theme: Auto},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, tt.target, nil)
			r.Header.Set("Accept-Language", tt.accept)
			r.Header.Set("Cookie", tt.cookie)
			w := httptest.NewRecorder()
			v := gallerySite(false).View(w, r, noon)
			if v.Lang != tt.lang || v.Theme != tt.theme {
				t.Errorf("View() speaks %s, is lit %s; want %s, %s", v.Lang, v.Theme, tt.lang, tt.theme)
			}
			var remembered []string
			for _, c := range w.Result().Cookies() {
				remembered = append(remembered, c.Name+"="+c.Value)
			}
			if diff := cmp.Diff(tt.remembered, remembered); diff != "" {
				t.Errorf("remembered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestViewLinks(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/deep/path?k=zaa%2B1&live=1&user=a&user=b&lang=ru", nil)
	v := gallerySite(true).View(httptest.NewRecorder(), r, noon)
	tests := []struct {
		name, got, want string
	}{
		{"as it is, but for live", v.With(), "?k=zaa%2B1&lang=ru&user=a&user=b"},
		{"one changed", v.With("lang", "en"), "?k=zaa%2B1&lang=en&user=a&user=b"},
		{"one taken away, one added", v.With("user", "", "open", "1 2"), "?k=zaa%2B1&lang=ru&open=1+2"},
		{"a name without value is no change", v.With("user"), "?k=zaa%2B1&lang=ru&user=a&user=b"},
		{"value", v.Get("k"), "zaa+1"},
		{"what is no text", View{query: url.Values{"k": {"a\x00b\xff"}}}.Get("k"), "ab\uFFFD"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %q; want %q", tt.name, tt.got, tt.want)
		}
	}
	want := []Param{{"lang", "ru"}, {"user", "a"}, {"user", "b"}}
	if diff := cmp.Diff(want, v.Rest("k", "theme")); diff != "" {
		t.Errorf("Rest() (-want +got):\n%s", diff)
	}
	current := func(choices []Choice) (out []string) {
		for _, c := range choices {
			if c.Current {
				out = append(out, c.Value)
			}
		}
		return out
	}
	if diff := cmp.Diff([]string{"ru", "auto"}, append(current(v.Languages()), current(v.Lights())...)); diff != "" {
		t.Errorf("current choices (-want +got):\n%s", diff)
	}
}
