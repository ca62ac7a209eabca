package page

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	if err := gallerySite(false).Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckFindsFaults(t *testing.T) {
	t.Parallel()
	const one = `{"a": "A"}`
	tests := []struct {
		name, html, en, ru string
		used               []string
		want               string // part of the error; "" for none
	}{
		{name: "nothing wrong", html: `{{define "p"}}{{t "a"}}{{end}}`, en: one, ru: one},
		{name: "used by Go code", en: one, ru: one, used: []string{"a"}},
		{name: "used by its prefix", html: `{{define "p"}}{{t (print "a" .)}}{{end}}`, en: one, ru: one},
		{name: "used in a branch, in a pipe", html: `{{define "p"}}{{if .}}{{else}}{{with .}}{{range .}}{{empty (t "a") ""}}{{end}}{{end}}{{end}}{{end}}`, en: one, ru: one},
		{name: "not there", html: `{{define "p"}}{{t "a"}}{{t "b"}}{{end}}`, en: one, ru: one, want: `en: no text "b"`},
		{name: "named by Go code, not there", html: `{{define "p"}}{{t "a"}}{{end}}`, en: one, ru: one, used: []string{"b"}, want: `ru: no text "b"`},
		{name: "in one language only", html: `{{define "p"}}{{t "a"}}{{end}}`, en: one, ru: `{}`, want: `there in en but not in ru`},
		{name: "used nowhere", en: one, ru: one, want: `text "a" is used nowhere`},
		{name: "the kit's", en: `{"kit.copy": "x"}`, ru: `{}`, want: `"kit.copy": given twice`},
		{name: "given twice", en: `{"a": "A", "a": "B"}`, ru: one, want: `"a": given twice`},
		{name: "empty", en: `{"a": " "}`, ru: one, want: `"a": empty`},
		{name: "a form is missing", en: one, ru: `{"a": {"one": "1", "many": "5", "other": "0.5"}}`, want: `[many one other]`},
		{name: "neither text nor forms", en: `{"a": 1}`, ru: one, want: "neither a text nor plural forms"},
		{name: "no object", en: `[]`, ru: one, want: "not a JSON object"},
		{name: "cut off", en: `{"a": "A"`, ru: one, want: "texts.en.json"},
		{name: "no JSON", en: `{"a" "A"}`, ru: one, want: "texts.en.json"},
		{name: "something follows", en: one + `{}`, ru: one, want: "something follows"},
		{name: "template", html: `{{define "p"}}{{end`, en: one, ru: one, want: "p.html"},
		{name: "no such function", html: `{{define "p"}}{{nope}}{{end}}`, en: one, ru: one, want: "nope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{
				"p.html":        {Data: []byte(tt.html)},
				"texts.en.json": {Data: []byte(tt.en)},
				"texts.ru.json": {Data: []byte(tt.ru)},
			}
			err := New(Config{Files: files}).Check(tt.used...)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Check() = %v; want %q", err, tt.want)
			}
		})
	}
}

func TestRenderHeaders(t *testing.T) {
	t.Parallel()
	for _, framed := range []bool{false, true} {
		s := gallerySite(framed)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := httptest.NewRecorder()
		if err := s.Render(w, http.StatusTeapot, "top", &withTitle{View: ptr(s.View(w, r, noon))}); err != nil {
			t.Fatal(err)
		}
		ancestors := map[bool]string{false: "'none'", true: "*"}[framed]
		want := map[string]string{
			"Content-Type": "text/html; charset=utf-8",
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
				"form-action 'self'; base-uri 'none'; frame-ancestors " + ancestors,
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "no-referrer",
			"Cache-Control":          "no-store",
		}
		got := map[string]string{}
		for name := range w.Header() {
			got[name] = w.Header().Get(name)
		}
		if diff := cmp.Diff(want, got); diff != "" || w.Code != http.StatusTeapot {
			t.Errorf("framed %t: status %d, headers (-want +got):\n%s", framed, w.Code, diff)
		}
		if got := strings.Contains(w.Body.String(), "frame."); got != framed {
			t.Errorf("framed %t: page loads the frame's script: %t", framed, got)
		}
	}
}

// withTitle stands for what the function top hands to its template.
type withTitle struct {
	*View
	Title string
}

func ptr[T any](v T) *T { return &v }

func TestRenderError(t *testing.T) {
	t.Parallel()
	s := gallerySite(false)
	w := httptest.NewRecorder()
	err := s.Render(w, http.StatusOK, "no such page", &View{Lang: RU})
	if err == nil || w.Code != http.StatusInternalServerError {
		t.Errorf("Render() = %v, status %d; want an error and 500", err, w.Code)
	}
}

func TestRenderUnknownLanguage(t *testing.T) {
	t.Parallel()
	got, err := gallerySite(false).HTML("fr", "badge", badge{OK, "fine"})
	if err != nil || !strings.Contains(string(got), "fine") {
		t.Errorf("HTML() = %q, %v", got, err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	s := gallerySite(false)
	tests := []struct {
		lang Lang
		key  string
		args []any
		want string
	}{
		{lang: EN, key: "title", want: "Pieces"},
		{lang: RU, key: "payments", args: []any{21}, want: "21 платёж"},
		{lang: RU, key: "no such key", want: "no such key"},
	}
	for _, tt := range tests {
		if got := s.Text(tt.lang, tt.key, tt.args...); got != tt.want {
			t.Errorf("Text(%s, %q, %v) = %q; want %q", tt.lang, tt.key, tt.args, got, tt.want)
		}
	}
}

// TestNothingInline goes through every element of a page with every piece: what the content
// security policy forbids must not be there in the first place.
func TestNothingInline(t *testing.T) {
	t.Parallel()
	_, doc := render(t, "/?x=1", nil, nil)
	for _, n := range nodes(doc, func(*html.Node) bool { return true }) {
		if n.Data == "style" || n.Data == "script" && attr(n, "src") == "" {
			t.Errorf("inline <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.TrimSpace(a.Val), "javascript:") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
}

// TestHostileText hands every piece text that wants to be HTML.
func TestHostileText(t *testing.T) {
	t.Parallel()
	counts := func(change func(*gallery)) map[string]int {
		_, doc := render(t, "/", nil, change)
		out := map[string]int{}
		for _, n := range nodes(doc, func(*html.Node) bool { return true }) {
			out[n.Data]++
		}
		return out
	}
	kind := counts(func(g *gallery) {
		g.Hostile, g.ID = "kind", "kind"
		for i := range g.Diagram.Exchanges {
			g.Diagram.Exchanges[i].Label = strings.Repeat("kind ", 20) // cut as the hostile text is
		}
		g.Code.Tabs[0].Text = "kind"
	})
	bad := counts(func(g *gallery) {
		g.Hostile, g.ID = hostile, hostile
		g.Diagram.Lanes = []string{"User", "Integra", "Partner"}
		for i := range g.Diagram.Exchanges {
			g.Diagram.Exchanges[i].Label = hostile
		}
		g.Diagram.Exchanges[0].Answer, g.Diagram.Notes[0].Text = "a", "b"
		g.Code.Tabs[0].Text = hostile
	})
	bad["span"] -= len(stateRoles) // the middle of the ids, which "kind" is too short for
	if diff := cmp.Diff(kind, bad); diff != "" {
		t.Errorf("hostile text made other elements (-kind +hostile):\n%s", diff)
	}
}

func TestStatesHaveWords(t *testing.T) {
	t.Parallel()
	s := gallerySite(false)
	for name := range stateRoles {
		for _, lang := range Langs {
			if key := "kit.state." + name; s.Text(lang, key) == key {
				t.Errorf("%s: state %s has no word", lang, name)
			}
		}
	}
	_, err := s.HTML(EN, "gallery", &gallery{View: View{Lang: EN}, States: []string{"strange"}})
	if err == nil || !strings.Contains(err.Error(), `no state "strange"`) {
		t.Errorf("a page with an unknown state: %v", err)
	}
}

func TestUnknownPieces(t *testing.T) {
	t.Parallel()
	for _, call := range []string{`{{icon "no such"}}`, `{{asset "no such"}}`, `{{diagram .}}`, `{{t "no such"}}`} {
		files := fstest.MapFS{
			"p.html":        {Data: []byte(`{{define "p"}}` + call + `{{end}}`)},
			"texts.en.json": {Data: []byte(`{}`)},
			"texts.ru.json": {Data: []byte(`{}`)},
		}
		if got, err := New(Config{Files: files}).HTML(EN, "p", Diagram{}); err == nil {
			t.Errorf("%s = %q; want an error", call, got)
		}
	}
}

func TestMissingFiles(t *testing.T) {
	t.Parallel()
	if err := New(Config{Files: fstest.MapFS{}, Dir: "../up"}).Check(); err == nil {
		t.Error("a folder outside of the files is accepted")
	}
	s := New(Config{Files: fstest.MapFS{}})
	if err := s.Check(); err == nil {
		t.Error("a site without catalogues is accepted")
	}
	if got := s.Text(EN, "key"); got != "key" {
		t.Errorf("Text() = %q", got)
	}
	w := httptest.NewRecorder()
	if err := s.Render(w, http.StatusOK, "p", &View{}); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("Render() = %v; want the reason", err)
	}
}

func TestRolesHaveIcons(t *testing.T) {
	t.Parallel()
	set, err := gallerySite(false).set(EN)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []any{OK, Wait, Doubt, Bad, Ended, Neutral, Auto, Light, Dark} {
		if set.templates.Lookup(fmt.Sprint("icon-", name)) == nil {
			t.Errorf("no icon %v", name)
		}
	}
}
