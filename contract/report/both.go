package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/partnerkit/partnerkit/internal/page"
)

// both is a page in two languages. What is the same in both is there once; what differs is
// there in each, marked with its language, and the stylesheet shows one of them.
type both struct {
	first, second page.Lang
	doc           *html.Node
}

// inBoth puts the same page in two languages into one.
func inBoth(first page.Lang, a []byte, second page.Lang, b []byte) (*both, error) {
	one, err := html.Parse(bytes.NewReader(a))
	if err != nil {
		return nil, err
	}
	other, err := html.Parse(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	d := &both{first, second, one}
	d.children(one, other)
	return d, nil
}

// children merges what is in two elements that are the same in both languages.
func (d *both) children(a, b *html.Node) {
	x, y := a.FirstChild, b.FirstChild
	for x != nil && y != nil {
		nextX, nextY := x.NextSibling, y.NextSibling
		switch {
		case x.Type == html.TextNode && x.Data != y.Data:
			d.each(a, x, d.wrapped(x, d.first), d.wrapped(y, d.second))
		case x.Type == html.ElementNode && !d.alike(x, y):
			b.RemoveChild(y)
			d.each(a, x, marked(x, d.first), marked(y, d.second))
		case x.Type == html.ElementNode:
			d.said(x, y)
			d.children(x, y)
		}
		x, y = nextX, nextY
	}
}

// each puts two nodes into the place of x.
func (d *both) each(parent, x, first, second *html.Node) {
	next := x.NextSibling
	parent.RemoveChild(x)
	parent.InsertBefore(first, next)
	parent.InsertBefore(second, next)
}

// wrapped is a text in an element that says its language.
func (d *both) wrapped(text *html.Node, lang page.Lang) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: "span", DataAtom: atom.Span, Attr: []html.Attribute{{Key: "lang", Val: string(lang)}}}
	if text.Parent.Namespace == "svg" {
		n.Data, n.DataAtom, n.Namespace = "tspan", 0, "svg"
	}
	n.AppendChild(&html.Node{Type: html.TextNode, Data: text.Data})
	return n
}

func marked(n *html.Node, lang page.Lang) *html.Node {
	n.Attr = append(n.Attr, html.Attribute{Key: "lang", Val: string(lang)})
	return n
}

// spoken are the attributes that hold words; the page's script changes them.
var spoken = []string{"title", "aria-label", "placeholder", "data-said", "data-name"}

// whole are the elements whose text can have no element around it.
var whole = []string{"title", "option", "textarea"}

// alike tells whether two elements can be one, in which only words differ.
func (d *both) alike(a, b *html.Node) bool {
	if a.Type != b.Type || a.Data != b.Data || len(a.Attr) != len(b.Attr) {
		return false
	}
	for i, attr := range a.Attr {
		if attr.Key != b.Attr[i].Key || attr.Val != b.Attr[i].Val && !slices.Contains(spoken, attr.Key) && a.DataAtom != atom.Html {
			return false
		}
	}
	x, y := a.FirstChild, b.FirstChild
	for ; x != nil && y != nil; x, y = x.NextSibling, y.NextSibling {
		switch {
		case x.Type != y.Type, slices.Contains(whole, a.Data) && x.Data != y.Data:
			return false
		case a.Namespace == "svg" && x.Type == html.ElementNode && !d.alike(x, y):
			return false // a drawing is laid out as one
		}
	}
	return x == nil && y == nil
}

// otherwise is what the attribute is called that has the words of another one in the language
// that is not shown.
const otherwise = "data-other-"

// said gives a the words that b has in its attributes, for the script.
func (d *both) said(a, b *html.Node) {
	for i, attr := range slices.Clone(a.Attr) {
		if other := b.Attr[i].Val; attr.Val != other && a.DataAtom != atom.Html {
			a.Attr = append(a.Attr, html.Attribute{Key: otherwise + attr.Key, Val: other})
		}
	}
}

// write writes the page with its stylesheet and script in it, and a policy that allows these
// two and nothing else: whatever a report shows, it neither runs nor calls anybody.
func (d *both) write(w io.Writer, style, script string) error {
	head, body := d.find(atom.Head), d.find(atom.Body)
	head.InsertBefore(&html.Node{Type: html.ElementNode, Data: "meta", DataAtom: atom.Meta, Attr: []html.Attribute{
		{Key: "http-equiv", Val: "Content-Security-Policy"},
		{Key: "content", Val: fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hash(style), hash(script))},
	}}, head.FirstChild)
	add := func(to *html.Node, a atom.Atom, text string) {
		n := &html.Node{Type: html.ElementNode, Data: a.String(), DataAtom: a}
		n.AppendChild(&html.Node{Type: html.TextNode, Data: text})
		to.AppendChild(n)
	}
	add(head, atom.Style, style)
	add(body, atom.Script, script)
	return html.Render(w, d.doc)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func (d *both) find(a atom.Atom) *html.Node {
	for n := range d.doc.Descendants() {
		if n.DataAtom == a {
			return n
		}
	}
	return nil // html.Parse makes head and body
}
