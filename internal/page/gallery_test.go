package page

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// noon is when everything in these tests happens.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// hostile is text as a stranger might send it.
const hostile = `"><script>alert('x')</script><img src=x onerror=alert(1)> javascript:alert(1) {{.}} ' onmouseover='x`

// gallery is a page with every piece on it.
type gallery struct {
	View
	Count   int
	States  []string
	At      time.Time
	ID      string
	Hostile string
	Code    Code
	Diagram Diagram
}

func gallerySite(framed bool) *Site {
	return New(Config{Files: os.DirFS("."), Dir: "testdata", Framed: framed})
}

// render answers a request for the gallery and returns the parsed page too.
func render(t *testing.T, target string, header http.Header, change func(*gallery)) (*httptest.ResponseRecorder, *html.Node) {
	t.Helper()
	s := gallerySite(false)
	r := httptest.NewRequest(http.MethodGet, target, nil)
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	g := gallery{
		View: s.View(w, r, noon), Count: 2, At: noon.Add(-5 * time.Second),
		States: slices.Sorted(maps.Keys(stateRoles)), ID: "202cb962ac59075b964b07152d234b70", Hostile: hostile,
		Code:    Code{ID: "c", Tabs: []Tab{{"raw", hostile + "\x00"}, {"decoded", "{}"}}},
		Diagram: topUp(),
	}
	if change != nil {
		change(&g)
	}
	if err := s.Render(w, http.StatusOK, "gallery", &g); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return w, doc
}

// topUp is a payment whose first notification was not answered.
func topUp() Diagram {
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	raw := Code{ID: "raw", Tabs: []Tab{{"raw", "GET /notify?amount=100 HTTP/1.1"}, {"decoded", "amount  100"}}}
	return Diagram{
		Lanes: []string{"User", "Integra", "Partner"},
		Exchanges: []Exchange{
			{ID: "1", From: 0, To: 1, Label: "top up ₽100.00", Answer: "page", Role: OK, Start: at(0), End: at(3)},
			{ID: "2", From: 1, To: 2, Label: "notify ₽100.00", Answer: "timeout", Role: Bad, Start: at(4), End: at(5004), Fate: LostAnswer, Fault: "hang", Request: raw},
			{ID: "3", From: 1, To: 2, Label: "notify ₽100.00", Answer: "200", Role: OK, Start: at(15004), End: at(15019), Try: 2},
			{ID: "4", From: 2, To: 1, Label: "confirmPayment ₽100.00", Answer: "ok", Role: OK, Start: at(15012), End: at(15013)},
			{ID: "5", From: 1, To: 2, Label: "notify " + hostile, Role: Bad, Start: at(15030), Fate: LostRequest},
			{ID: "6", From: 1, To: 2, Label: "notify", Start: at(15040), Fate: Open},
		},
		Notes: []Note{
			{Lane: 1, At: at(3), Text: "unconfirmed", Role: Wait},
			{Lane: 1, At: at(15013), Text: "confirmed", Role: OK},
		},
	}
}

// nodes returns the elements for which the condition holds, in the order of the document.
func nodes(doc *html.Node, match func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			out = append(out, n)
		}
	}
	return out
}

func named(tag string) func(*html.Node) bool {
	return func(n *html.Node) bool { return n.Data == tag }
}

func classed(class string) func(*html.Node) bool {
	return func(n *html.Node) bool { return slices.Contains(strings.Fields(attr(n, "class")), class) }
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text returns what a reader sees of n, spaces joined.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
