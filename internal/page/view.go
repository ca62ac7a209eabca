package page

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
)

// Theme is how a page is lit.
type Theme string

// The themes.
const (
	Auto  Theme = "auto" // as the reader's system is
	Light Theme = "light"
	Dark  Theme = "dark"
)

// Themes lists the themes in the order in which a switch offers them.
var Themes = []Theme{Auto, Light, Dark}

// A View is what every page needs to know of its reader. A page's data embeds it.
type View struct {
	Lang  Lang
	Theme Theme
	// Now is the time that "5 s ago" counts from, by the clock of whoever owns the page.
	Now time.Time
	// Still says that this clock does not run like a wall clock, so that the page must not
	// count on by itself.
	Still bool

	framed bool
	query  url.Values
}

func (v *View) view() *View { return v }

// View reads the reader's wishes: the parameters lang and theme of the address, else what a
// cookie remembers of them, else the browser's language and its system's theme. A wish in
// the address is remembered. In a frame of a foreign page cookies may be blocked, so every
// link made by With keeps the parameters.
func (s *Site) View(w http.ResponseWriter, r *http.Request, now time.Time) View {
	q := r.URL.Query()
	q.Del(LiveParam) // links in a live part lead to the page, not to the part
	return View{
		Lang:   choose(w, r, q, "lang", Langs, acceptedLang(r)),
		Theme:  choose(w, r, q, "theme", Themes, Auto),
		Now:    now,
		framed: s.config.Framed,
		query:  q,
	}
}

// choose returns the one of options that the parameter name or its cookie asks for.
func choose[T ~string](w http.ResponseWriter, r *http.Request, q url.Values, name string, options []T, otherwise T) T {
	for _, option := range options {
		if q.Get(name) == string(option) {
			//nolint:gosec // it is Secure wherever the page is; a stand-in on a laptop speaks plain HTTP
			http.SetCookie(w, &http.Cookie{
				Name: name, Value: string(option), Path: "/", MaxAge: 365 * 24 * 60 * 60,
				SameSite: http.SameSiteLaxMode, HttpOnly: true, Secure: r.TLS != nil,
			})
			return option
		}
	}
	if c, err := r.Cookie(name); err == nil {
		for _, option := range options {
			if c.Value == string(option) {
				return option
			}
		}
	}
	return otherwise
}

var matcher = sync.OnceValue(func() language.Matcher {
	return language.NewMatcher([]language.Tag{language.English, language.Russian})
})

// acceptedLang returns the language of ours that fits Accept-Language best.
func acceptedLang(r *http.Request) Lang {
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return EN
	}
	if _, i, _ := matcher().Match(tags...); i == 1 {
		return RU
	}
	return EN
}

// Get returns a parameter of the page's address as text that pages and databases take: valid
// UTF-8 without NUL.
func (v View) Get(name string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(v.query.Get(name), "\uFFFD"), "\x00", "")
}

// With returns a link to the same page with some parameters changed: pairs of name and
// value, where an empty value takes the parameter away. Filters, switches and open drawers
// link this way, so that each state of a page has an address.
func (v View) With(pairs ...string) string {
	q := url.Values{}
	maps.Copy(q, v.query)
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return "?" + q.Encode()
}

// Rest returns the parameters of the address, those named left out, for the hidden fields of
// a form that is sent with GET.
func (v View) Rest(except ...string) []Param {
	var out []Param
	for _, name := range slices.Sorted(maps.Keys(v.query)) {
		for _, value := range v.query[name] {
			if !slices.Contains(except, name) {
				out = append(out, Param{name, value})
			}
		}
	}
	return out
}

// Framed tells whether the page may stand in a frame of somebody else's.
func (v View) Framed() bool { return v.framed }

// Languages returns the choices of the language switch.
func (v View) Languages() []Choice {
	out := make([]Choice, len(Langs))
	for i, lang := range Langs {
		out[i] = Choice{Value: string(lang), Href: v.With("lang", string(lang)), Current: lang == v.Lang}
	}
	return out
}

// Lights returns the choices of the theme switch.
func (v View) Lights() []Choice {
	out := make([]Choice, len(Themes))
	for i, theme := range Themes {
		out[i] = Choice{Value: string(theme), Href: v.With("theme", string(theme)), Current: theme == v.Theme}
	}
	return out
}

// A Choice is one option of a switch.
type Choice struct {
	Value   string
	Href    string
	Current bool
}

// A Param is one parameter of an address.
type Param struct{ Name, Value string }
