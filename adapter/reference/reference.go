// Package reference is the page on which a person reads what an API can do, made from its
// OpenAPI document and from nothing else. It is served by the program itself and loads nothing
// from elsewhere. The frame is Russian or English; what the document says stays as it says it.
package reference

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/internal/page"
)

//go:embed page
var files embed.FS

var site = page.New(page.Config{Files: files, Dir: "page"})

// Path is where the page is; page.AssetPrefix has to be served beside it.
const Path = "/reference"

// New returns the page of the document that api answers /openapi.json with.
func New(api http.Handler, log *slog.Logger) http.Handler {
	read := sync.OnceValues(func() (reference, error) { return load(api) }) // the document does not change
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ref, err := read()
		if err != nil {
			log.ErrorContext(r.Context(), "the reference could not be made", "err", err)
			http.Error(w, "The reference could not be made. The reason is in the log.", http.StatusInternalServerError)
			return
		}
		p := &referencePage{View: site.View(w, r, time.Now()), reference: ref}
		p.Query = strings.TrimSpace(p.Get("q"))
		p.Found = ref.find(p.Query)
		err = site.Render(w, http.StatusOK, "reference", p)
		if err != nil {
			log.ErrorContext(r.Context(), "the reference could not be shown", "err", err)
		}
	})
}

type referencePage struct {
	page.View
	reference
	Query string
	Found []group // the calls that Query looks for
}

// find returns the calls in which every word of a query occurs.
func (r reference) find(query string) []group {
	words := strings.Fields(strings.ToLower(query))
	var found []group
	for _, g := range r.Groups {
		g.Calls = slices.DeleteFunc(slices.Clone(g.Calls), func(c call) bool {
			return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(c.words, w) })
		})
		if len(g.Calls) > 0 {
			found = append(found, g)
		}
	}
	return found
}

// reference is the document as the page shows it.
type reference struct {
	Name, Version string
	Intro         []string // paragraphs
	Groups        []group
}

type group struct {
	Name  string
	Calls []call
}

type call struct {
	ID, Method, Path, Scope string
	Summary                 string
	Text                    string
	Parameters              []field
	Body                    []field
	Answers                 []answer
	Example                 page.Code
	words                   string // all that a search looks through, in lower case
}

// field is one parameter or one member of a body; members of members are indented by their name.
type field struct {
	Name, In, Type string
	Required       bool
	Text           string
}

type answer struct {
	Status string
	Text   string
	Good   bool
	Fields []field
}

// The parts of the document that are read.
type (
	document struct {
		Info struct{ Title, Version, Description string }
		// Paths by path and verb.
		Paths      map[string]map[string]operation
		Components struct{ Schemas map[string]*schema }
	}
	operation struct {
		OperationID string
		Summary     string
		Description string
		Tags        []string
		Security    []map[string][]string
		Parameters  []struct {
			Name, In, Description string
			Required              bool
			Schema                *schema
		}
		RequestBody *struct {
			Content map[string]struct{ Schema *schema }
		}
		Responses map[string]struct {
			Description string
			Content     map[string]struct{ Schema *schema }
		}
	}
	schema struct {
		Ref         string `json:"$ref"`
		Type        any    // a word, or several
		Format      string
		Description string
		Enum        []any
		Default     any
		Examples    []any
		Minimum     *float64
		Maximum     *float64
		MaxLength   *int
		Properties  map[string]*schema
		Required    []string
		Items       *schema
	}
)

// load asks the API for its document and reads it.
func load(api http.Handler) (reference, error) {
	r, err := http.NewRequest(http.MethodGet, "/openapi.json", nil) //nolint:noctx // it goes nowhere
	if err != nil {
		return reference{}, err
	}
	var got kept
	api.ServeHTTP(&got, r)
	var d document
	if err := json.Unmarshal(got.body, &d); err != nil {
		return reference{}, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	return d.reference(), nil
}

// kept is an answer that stays in the process.
type kept struct {
	header http.Header
	body   []byte
}

// Header is part of http.ResponseWriter.
func (k *kept) Header() http.Header {
	if k.header == nil {
		k.header = http.Header{}
	}
	return k.header
}

// Write is part of http.ResponseWriter.
func (k *kept) Write(p []byte) (int, error) { k.body = append(k.body, p...); return len(p), nil }

// WriteHeader is part of http.ResponseWriter.
func (k *kept) WriteHeader(int) {}

// verbs are in the order of a page: what reads comes first.
var verbs = []string{"get", "post", "put", "patch", "delete"}

func (d *document) reference() reference {
	ref := reference{Name: d.Info.Title, Version: d.Info.Version, Intro: strings.Split(d.Info.Description, "\n\n")}
	groups := map[string][]call{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, verb := range verbs {
			if op, ok := d.Paths[path][verb]; ok {
				tag := "other"
				if len(op.Tags) > 0 {
					tag = op.Tags[0]
				}
				groups[tag] = append(groups[tag], d.call(path, verb, op))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		ref.Groups = append(ref.Groups, group{Name: name, Calls: groups[name]})
	}
	return ref
}

func (d *document) call(path, verb string, op operation) call {
	c := call{ID: op.OperationID, Method: strings.ToUpper(verb), Path: path, Summary: op.Summary, Text: op.Description}
	for _, s := range op.Security {
		for _, scopes := range s {
			c.Scope = strings.Join(scopes, " ")
		}
	}
	key := false
	for _, p := range op.Parameters {
		key = key || p.Name == "Idempotency-Key"
		c.Parameters = append(c.Parameters, field{Name: p.Name, In: p.In, Type: d.typeOf(p.Schema), Required: p.Required, Text: cmp.Or(p.Description, d.resolve(p.Schema).Description)})
	}
	var example string
	if op.RequestBody != nil {
		for _, content := range op.RequestBody.Content {
			c.Body = d.fields("", content.Schema, 0)
			example = d.example(content.Schema)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		res := op.Responses[status]
		a := answer{Status: status, Text: res.Description, Good: status < "4"}
		for _, content := range res.Content {
			if a.Good {
				a.Fields = d.fields("", content.Schema, 0)
			}
		}
		c.Answers = append(c.Answers, a)
	}
	curl := "curl -H \"Authorization: Bearer $TOKEN\""
	if key {
		curl += " \\\n  -H 'Idempotency-Key: order-1'"
	}
	if example != "" {
		curl += " \\\n  -H 'Content-Type: application/json' -d '" + example + "'"
	} else if verb == "post" {
		curl += " -X POST"
	}
	words := []string{c.Method, c.Path, c.ID, c.Scope, c.Summary, c.Text}
	for _, x := range slices.Concat(c.Parameters, c.Body) {
		words = append(words, x.Name, x.Text)
	}
	c.words = strings.ToLower(strings.Join(words, "\n"))
	c.Example = page.Code{ID: "example-" + c.ID, Tabs: []page.Tab{{Name: "curl", Text: curl + " \\\n  \"$ADAPTER" + path + "\""}}}
	return c
}

// resolve follows a reference; nil is an empty schema.
func (d *document) resolve(s *schema) *schema {
	for range 8 { // no document of ours refers further
		if s == nil {
			return &schema{}
		}
		if s.Ref == "" {
			return s
		}
		s = d.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	return &schema{}
}

// fields lists the members of an object and, below each, its own; deeper than three it stops.
func (d *document) fields(prefix string, s *schema, depth int) (list []field) {
	s = d.resolve(s)
	if s.Items != nil {
		return d.fields(prefix+"[].", s.Items, depth)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if name == "$schema" {
			continue
		}
		p := s.Properties[name]
		whole := d.resolve(p)
		list = append(list, field{
			Name: prefix + name, Type: d.typeOf(p), Required: slices.Contains(s.Required, name), Text: cmp.Or(p.Description, whole.Description),
		})
		switch inner := whole; {
		case depth >= 3:
		case inner.Items != nil && len(d.resolve(inner.Items).Properties) > 0:
			list = append(list, d.fields(prefix+name+"[].", inner.Items, depth+1)...)
		case len(inner.Properties) > 0:
			list = append(list, d.fields(prefix+name+".", inner, depth+1)...)
		}
	}
	return list
}

// typeOf says in words what a value may be.
func (d *document) typeOf(s *schema) string {
	s = d.resolve(s)
	text := ""
	switch t := s.Type.(type) {
	case string:
		text = t
	case []any:
		words := make([]string, len(t))
		for i, w := range t {
			words[i] = fmt.Sprint(w)
		}
		text = strings.Join(words, " or ")
	}
	switch {
	case s.Items != nil:
		text = "array of " + cmp.Or(d.typeOf(s.Items), "anything")
	case s.Format != "" && s.Format != "int64" && s.Format != "double":
		text += ", " + s.Format
	}
	if len(s.Enum) > 0 && len(s.Enum) < 10 {
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprint(v)
		}
		text = strings.Join(words, " | ")
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		text += fmt.Sprintf(", %g to %g", *s.Minimum, *s.Maximum)
	case s.MaxLength != nil:
		text += fmt.Sprintf(", up to %d characters", *s.MaxLength)
	}
	if s.Default != nil {
		text += fmt.Sprintf(", %v if left out", s.Default)
	}
	return text
}

// example is a small body: what is required and what shows an example.
func (d *document) example(s *schema) string {
	s = d.resolve(s)
	members := map[string]any{}
	for name, p := range s.Properties {
		p = d.resolve(p)
		switch {
		case name == "$schema":
		case len(p.Examples) > 0:
			members[name] = p.Examples[0]
		case !slices.Contains(s.Required, name):
		case len(p.Enum) > 0:
			members[name] = p.Enum[0]
		case p.Items != nil:
			members[name] = []any{}
		case name == "user":
			members[name] = "0123456789abcdef0123456789abcdef"
		default:
			members[name] = "…"
		}
	}
	text, err := json.Marshal(members)
	if err != nil { // made of the document's own JSON
		return ""
	}
	return string(text)
}
