package page

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/template/parse"
)

//go:embed kit
var kitFiles embed.FS

// Config describes a set of pages.
type Config struct {
	// Files holds the templates (*.html, one or more {{define}} each) and the catalogues
	// (texts.ru.json, texts.en.json).
	Files fs.FS
	// Dir is the folder of Files that they lie in; "" is the top.
	Dir string
	// Framed pages may be shown in a frame by anyone, and then tell an iframeResizer of the
	// page around them how tall they are. Other pages refuse to be framed.
	Framed bool
}

// A Site is a set of pages with its texts.
type Site struct {
	config Config
	sets   map[Lang]func() (*set, error) // parsed once, when first needed
}

// set is a site in one language.
type set struct {
	lang      Lang
	texts     *texts
	templates *template.Template
}

// New returns the site that c describes. It reads nothing yet; Check tells whether it can.
func New(c Config) *Site {
	s := &Site{config: c, sets: map[Lang]func() (*set, error){}}
	for _, lang := range Langs {
		s.sets[lang] = sync.OnceValues(func() (*set, error) { return s.load(lang) })
	}
	return s
}

// load parses the kit's and the site's own templates with functions that speak lang.
func (s *Site) load(lang Lang) (*set, error) {
	kit, err := fs.Sub(kitFiles, "kit")
	if err != nil {
		return nil, err
	}
	own := s.config.Files
	if s.config.Dir != "" {
		if own, err = fs.Sub(own, s.config.Dir); err != nil {
			return nil, err
		}
	}
	out := &set{lang: lang, templates: template.New("")}
	if out.texts, err = loadTexts(lang, kit, own); err != nil {
		return nil, err
	}
	out.templates.Option("missingkey=error").Funcs(out.funcs())
	for _, files := range []fs.FS{kit, own} {
		if _, err = out.templates.ParseFS(files, "*.html"); err != nil {
			return nil, err
		}
	}
	// html/template escapes a template when it first executes it, and in that changes those
	// that it includes: two first pages at once would race. So all are escaped here, by
	// executions that come to nothing.
	for _, t := range out.templates.Templates() {
		_ = t.Execute(io.Discard, nil)
	}
	return out, nil
}

// A Page is what a template is given: a struct of the page's own that embeds View.
type Page interface{ view() *View }

// Render answers with the page name. When the page cannot be made, it answers 500 and
// returns why, for the log.
func (s *Site) Render(w http.ResponseWriter, status int, name string, p Page) error {
	body, err := s.HTML(p.view().Lang, name, p)
	if err != nil {
		http.Error(w, "The page could not be made. The reason is in the log.", http.StatusInternalServerError)
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.policy())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // an address can hold a session
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// policy is the Content-Security-Policy: scripts, styles, pictures and connections from
// ourselves only, nothing inline.
func (s *Site) policy() string {
	ancestors := "'none'"
	if s.config.Framed {
		ancestors = "*"
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors " + ancestors
}

// HTML executes the template name with data. Unlike Render it serves parts of pages too.
func (s *Site) HTML(lang Lang, name string, data any) ([]byte, error) {
	set, err := s.set(lang)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := set.templates.ExecuteTemplate(&b, name, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Text returns a text of the catalogues for use outside of a template. A key that is not
// there is returned as it is; Check finds such keys if it is told of them.
func (s *Site) Text(lang Lang, key string, args ...any) string {
	set, err := s.set(lang)
	if err != nil {
		return key
	}
	text, err := set.texts.say(key, args...)
	if err != nil {
		return key
	}
	return text
}

// set returns the site in lang, or in English when lang is none of ours.
func (s *Site) set(lang Lang) (*set, error) {
	load, ok := s.sets[lang]
	if !ok {
		load = s.sets[EN]
	}
	return load()
}

// Check reports everything that is wrong with the site: templates that do not parse, texts
// that one language lacks, that the templates ask for in vain, or that nobody uses. used
// lists the keys that only Go code names (see Text). It is made for a test of each site.
func (s *Site) Check(used ...string) error {
	own := map[Lang]map[string]bool{}
	kit, err := fs.Sub(kitFiles, "kit")
	if err != nil {
		return err
	}
	var errs []error
	for _, lang := range Langs {
		set, err := s.set(lang)
		if err != nil {
			return err
		}
		shared, err := loadTexts(lang, kit)
		if err != nil {
			return err
		}
		own[lang] = maps.Clone(set.texts.keys)
		for key := range shared.keys {
			delete(own[lang], key)
		}
		asked, prefixes := askedTexts(set.templates)
		for _, key := range append(asked, used...) {
			if !set.texts.keys[key] {
				errs = append(errs, fmt.Errorf("%s: no text %q", lang, key))
			}
		}
		for key := range own[lang] {
			if !slices.Contains(asked, key) && !slices.Contains(used, key) &&
				!slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
				errs = append(errs, fmt.Errorf("%s: text %q is used nowhere", lang, key))
			}
		}
	}
	for _, lang := range Langs {
		for key := range own[lang] {
			for _, other := range Langs {
				if !own[other][key] {
					errs = append(errs, fmt.Errorf("text %q is there in %s but not in %s", key, lang, other))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// askedTexts returns the keys that templates hand to the function t, and the prefixes of
// keys that they put together by {{t (print "prefix." .Name)}}.
func askedTexts(t *template.Template) (keys, prefixes []string) {
	var walk func(n parse.Node)
	walkAll := func(list *parse.ListNode) {
		if list != nil {
			for _, n := range list.Nodes {
				walk(n)
			}
		}
	}
	walkPipe := func(p *parse.PipeNode) {
		if p != nil {
			for _, c := range p.Cmds {
				walk(c)
			}
		}
	}
	branch := func(b *parse.BranchNode) { walkPipe(b.Pipe); walkAll(b.List); walkAll(b.ElseList) }
	walk = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ActionNode:
			walkPipe(n.Pipe)
		case *parse.TemplateNode:
			walkPipe(n.Pipe)
		case *parse.IfNode:
			branch(&n.BranchNode)
		case *parse.RangeNode:
			branch(&n.BranchNode)
		case *parse.WithNode:
			branch(&n.BranchNode)
		case *parse.PipeNode:
			walkPipe(n)
		case *parse.CommandNode:
			for _, arg := range n.Args {
				walk(arg)
			}
			if name, ok := n.Args[0].(*parse.IdentifierNode); !ok || name.Ident != "t" || len(n.Args) < 2 {
				return
			}
			switch key := n.Args[1].(type) {
			case *parse.StringNode:
				keys = append(keys, key.Text)
			case *parse.PipeNode:
				if args := key.Cmds[0].Args; len(args) > 1 {
					if prefix, ok := args[1].(*parse.StringNode); ok {
						prefixes = append(prefixes, prefix.Text)
					}
				}
			}
		}
	}
	for _, named := range t.Templates() {
		if named.Tree != nil {
			walkAll(named.Tree.Root)
		}
	}
	return keys, prefixes
}
