package webui

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

// maxForm bounds what a form may send.
const maxForm = 1 << 20

// controlsPage is the clock, the faults and every setting.
type controlsPage struct {
	frame
	Clock   clock.State
	Faults  faults
	Rule    string // as it was typed
	Groups  []settingGroup
	Problem *problem

	Snapshots  []string
	Namespaces []string
}

// Root leads from a page to the pages of the first world.
func (f frame) Root() string {
	if f.Namespace == "" {
		return ""
	}
	return "../../"
}

// faults is what GET /faults answers.
type faults struct {
	Faults  []armed  `json:"faults"`
	Presets []string `json:"presets"`
}

// Armed is how many rules may still act.
func (f faults) Armed() (n int) {
	for _, r := range f.Faults {
		if !r.Spent {
			n++
		}
	}
	return n
}

// armed is a rule; Match and Act are shown as they were given.
type armed struct {
	ID    string          `json:"id"`
	Name  string          `json:"name"`
	Match json.RawMessage `json:"match"`
	Act   json.RawMessage `json:"act"`
	Seen  int             `json:"seen"`
	Acted int             `json:"acted"`
	Spent bool            `json:"spent"`
}

// ruleExample stands in the field of a new rule.
const ruleExample = `{"match":{"protocol":"integra","method":"confirmPayment","nth":1},"act":{"do":"drop_after"}}`

// steps are the buttons that move the clock on, in milliseconds.
var steps = []struct {
	Name string // a key of the texts under "step."
	MS   int64
}{{"10s", 10_000}, {"1min", 60_000}, {"10min", 600_000}, {"1h", 3_600_000}, {"1d", 86_400_000}}

// Steps is part of the page.
func (controlsPage) Steps() any { return steps }

// Example is part of the page.
func (controlsPage) Example() string { return ruleExample }

// settingGroup is the settings of one protocol.
type settingGroup struct {
	Name   string
	Fields []setting
}

// setting is one switch, as the API's document describes it.
type setting struct {
	Path    string // integra.notify.retries
	Name    string // without the protocol
	Value   string
	Options []string // of a choice; nil for any value
	Number  bool
	Doc     string
	kind    string // the schema's type
}

func (h *handler) controls(w http.ResponseWriter, r *http.Request) {
	p := &controlsPage{frame: h.frame(h.view(w, r), "controls")}
	form, why, done := submitted(w, r, func(url.Values) (string, *problem) { return p.after(r), h.control(r) })
	if done {
		return
	}
	p.Rule, p.Problem = form.Get("rule"), why
	p.Clock = h.Clock.State()
	for path, into := range map[string]any{
		"/faults":    &p.Faults,
		"/snapshots": &struct{ Snapshots *[]string }{&p.Snapshots},
		"/ns":        &struct{ Namespaces *[]string }{&p.Namespaces},
	} {
		if fault := h.call(r.Context(), http.MethodGet, path, nil, into); fault != nil {
			p.Problem = fault
		}
	}
	var fault *problem
	if p.Groups, fault = h.settings(r, p.Lang); fault != nil {
		p.Problem = fault
	}
	h.render(w, p.Problem, "controls", p)
}

// after is where a form leads once it was carried out: into the namespace that was made, out
// of the one that is no more.
func (p *controlsPage) after(r *http.Request) string {
	name := r.PostForm.Get("name")
	switch do := r.PostForm.Get("do"); {
	case do == "make":
		return p.Root() + "ns/" + url.PathEscape(name) + "/controls" + p.With()
	case do == "drop" && name == p.Namespace:
		return p.Root() + "controls" + p.With()
	}
	return p.With()
}

// view reads the reader's wishes.
func (h *handler) view(w http.ResponseWriter, r *http.Request) page.View {
	view := site.View(w, r, h.Clock.Now())
	state := h.Clock.State()
	view.Still = state.Frozen || state.Rate != 1
	return view
}

// live sends the changes of a page's live part. The journal tells of calls; what time alone
// does is looked for every so often.
func (h *handler) live(w http.ResponseWriter, r *http.Request, view page.View, part string, look func(page.View) page.Page) {
	called, stop := h.Journal.Watch()
	defer stop()
	changed, ended := make(chan struct{}, 1), make(chan struct{})
	defer close(ended)
	go func() {
		tick := time.NewTicker(liveTick)
		defer tick.Stop()
		for {
			select {
			case <-called:
			case <-tick.C:
			case <-ended:
				return
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	err := page.Live(w, r, liveEvery, changed, func() ([]byte, error) {
		view.Now = h.Clock.Now()
		return site.HTML(view.Lang, part, look(view))
	})
	if err != nil {
		h.Log.Error("a live page ended", "err", err)
	}
}

// render answers with a page, under the status of the problem that it tells of.
func (h *handler) render(w http.ResponseWriter, why *problem, name string, p page.Page) {
	status := http.StatusOK
	if why != nil {
		status = cmp.Or(why.Status, http.StatusInternalServerError)
	}
	if err := site.Render(w, status, name, p); err != nil {
		h.Log.Error("a page could not be made", "page", name, "err", err)
	}
}

func seeOther(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

// control carries out what a form of the page asks for.
func (h *handler) control(r *http.Request) *problem {
	ctx, form := r.Context(), r.PostForm
	name := url.PathEscape(form.Get("name"))
	number := func(name string) json.RawMessage {
		return json.RawMessage(cmp.Or(strings.TrimSpace(form.Get(name)), "null"))
	}
	switch form.Get("do") {
	case "advance":
		return h.call(ctx, http.MethodPost, "/clock/advance", map[string]any{"ms": number("ms")}, nil)
	case "freeze", "run":
		change := map[string]any{"frozen": form.Get("do") == "freeze"}
		if form.Get("rate") != "" {
			change["rate"] = number("rate")
		}
		return h.call(ctx, http.MethodPut, "/clock", change, nil)
	case "arm":
		if !json.Valid([]byte(form.Get("rule"))) {
			return &problem{Status: http.StatusUnprocessableEntity, Detail: "the rule is not JSON"}
		}
		return h.call(ctx, http.MethodPost, "/faults", json.RawMessage(form.Get("rule")), nil)
	case "preset":
		return h.call(ctx, http.MethodPost, "/faults", map[string]any{"preset": form.Get("preset")}, nil)
	case "disarm":
		path := "/faults"
		if id := form.Get("id"); id != "" {
			path += "/" + id
		}
		return h.call(ctx, http.MethodDelete, path, nil, nil)
	case "reset":
		return h.call(ctx, http.MethodPost, "/reset", nil, nil)
	case "snapshot":
		return h.call(ctx, http.MethodPost, "/snapshots/"+name, nil, nil)
	case "restore":
		return h.call(ctx, http.MethodPost, "/snapshots/"+name+"/restore", nil, nil)
	case "forget":
		return h.call(ctx, http.MethodDelete, "/snapshots/"+name, nil, nil)
	case "make":
		return h.call(ctx, http.MethodPut, "/ns/"+name, nil, nil)
	case "drop":
		return h.call(ctx, http.MethodDelete, "/ns/"+name, nil, nil)
	case "settings":
		return h.change(r)
	}
	return &problem{Status: http.StatusBadRequest, Detail: "the form does not say what to do"}
}

// schema is as much of a JSON schema as settings need.
type schema struct {
	Ref         string            `json:"$ref"`
	Type        any               `json:"type"` // a word, or a list with "null"
	Enum        []string          `json:"enum"`
	Description string            `json:"description"`
	Properties  map[string]schema `json:"properties"`
}

// word is the type without "null".
func (s schema) word() string {
	if list, ok := s.Type.([]any); ok {
		for _, one := range list {
			if one != "null" {
				word, _ := one.(string)
				return word
			}
		}
	}
	word, _ := s.Type.(string)
	return word
}

// russian is what the API's document says of settings, in Russian, by their paths.
var russian = sync.OnceValue(func() (docs map[string]string) {
	text, err := files.ReadFile("page/settings.ru.json")
	if err == nil {
		err = json.Unmarshal(text, &docs)
	}
	if err != nil {
		panic(err) // what is embedded can be read
	}
	return docs
})

// settings returns every switch with its value, as GET /settings and the API's document have
// them: a new one shows up here by itself.
func (h *handler) settings(r *http.Request, lang page.Lang) ([]settingGroup, *problem) {
	var document struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct {
					Schema schema `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	var values map[string]any
	if p := h.call(r.Context(), http.MethodGet, "/openapi.json", nil, &document); p != nil {
		return nil, p
	}
	if p := h.call(r.Context(), http.MethodGet, "/settings", nil, &values); p != nil {
		return nil, p
	}
	resolve := func(s schema) schema {
		if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
			return document.Components.Schemas[name]
		}
		return s
	}
	all := resolve(document.Paths["/settings"]["get"].Responses["200"].Content["application/json"].Schema)
	var groups []settingGroup
	common := settingGroup{Name: "mockplatform"} // what is not about one protocol
	for _, name := range slices.Sorted(maps.Keys(all.Properties)) {
		members, isGroup := values[name].(map[string]any)
		if !isGroup {
			collect(&common, resolve, "", schema{Properties: map[string]schema{name: all.Properties[name]}}, values)
			continue
		}
		group := settingGroup{Name: name}
		collect(&group, resolve, name+".", resolve(all.Properties[name]), members)
		groups = append(groups, group)
	}
	if len(common.Fields) > 0 {
		groups = append(groups, common)
	}
	if lang == page.RU {
		for _, g := range groups {
			for i := range g.Fields {
				g.Fields[i].Doc = cmp.Or(russian()[g.Fields[i].Path], g.Fields[i].Doc)
			}
		}
	}
	return groups, nil
}

// collect adds the switches of an object to a group, those of the objects in it after them.
func collect(g *settingGroup, resolve func(schema) schema, prefix string, s schema, values map[string]any) {
	var inner []string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		value, there := values[name]
		member := resolve(s.Properties[name])
		if _, object := value.(map[string]any); object && len(member.Properties) > 0 {
			inner = append(inner, name)
			continue
		}
		if !there || len(member.Properties) > 0 {
			continue
		}
		f := setting{
			Path: prefix + name, Name: strings.TrimPrefix(prefix+name, g.Name+"."), Value: shown(value),
			Options: member.Enum, Doc: cmp.Or(s.Properties[name].Description, member.Description), kind: member.word(),
		}
		f.Number = f.kind == "integer" || f.kind == "number"
		if f.kind == "boolean" {
			f.Options = []string{"false", "true"}
		}
		g.Fields = append(g.Fields, f)
	}
	for _, name := range inner {
		members, _ := values[name].(map[string]any)
		collect(g, resolve, prefix+name+".", resolve(s.Properties[name]), members)
	}
}

// shown writes a value as a form has it: texts bare, anything else as JSON.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

// change sends what a form changes of the settings, and nothing else.
func (h *handler) change(r *http.Request) *problem {
	groups, p := h.settings(r, page.EN)
	if p != nil {
		return p
	}
	patch := map[string]any{}
	for _, g := range groups {
		for _, f := range g.Fields {
			typed := r.PostForm.Get(f.Path)
			if !r.PostForm.Has(f.Path) || typed == f.Value {
				continue
			}
			var value any = typed
			if f.kind != "string" {
				if !json.Valid([]byte(typed)) {
					return &problem{Status: http.StatusUnprocessableEntity, Detail: f.Path + ": " + strconv.Quote(typed) + " is no " + f.kind}
				}
				value = json.RawMessage(typed)
			}
			put(patch, strings.Split(f.Path, "."), value)
		}
	}
	if len(patch) == 0 {
		return nil
	}
	return h.call(r.Context(), http.MethodPatch, "/settings", patch, nil)
}

// put sets a member of nested objects.
func put(object map[string]any, path []string, value any) {
	for ; len(path) > 1; path = path[1:] {
		inner, ok := object[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[path[0]] = inner
		}
		object = inner
	}
	object[path[0]] = value
}
