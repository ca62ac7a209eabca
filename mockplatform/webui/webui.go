// Package webui is the stand-in's pages for developers, on the control port: who called whom,
// what was sent, and what became of a payment; the clock, faults and settings; users with
// their button; a composer of requests. It shows what the journal and the protocols know and
// keeps no state of its own; every view of it is an address, and every button is a call of
// the control API, whose refusals are shown as they are.
package webui

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

//go:embed page
var files embed.FS

var site = page.New(page.Config{Files: files, Dir: "page"})

const (
	perPage   = 100                    // exchanges
	liveEvery = 250 * time.Millisecond // between two changes of what is shown
)

// Config is what the pages show.
type Config struct {
	Clock   *clock.Clock
	Journal *journal.Journal
	Integra *integra.Platform
	Log     *slog.Logger

	API      http.Handler // the control API: what the pages' buttons call
	Platform http.Handler // where the composer sends
}

type handler struct{ Config }

// Mount adds the pages to a router, which serves page.Assets as well.
func Mount(r *mux.Router, cfg Config) {
	h := &handler{cfg}
	r.HandleFunc("/", h.serve).Methods(http.MethodGet, http.MethodHead)
	own := http.NewCrossOriginProtection() // the port asks nobody who they are, but a foreign page's forms are not taken
	for path, show := range map[string]func(http.ResponseWriter, *http.Request){
		"/controls": h.controls, "/users": h.users, "/compose": h.compose,
	} {
		r.Handle(path, own.Handler(http.HandlerFunc(show))).Methods(http.MethodGet, http.MethodHead, http.MethodPost)
	}
}

// journalPage is what the templates get.
type journalPage struct {
	frame
	Filter    journal.Filter
	Filtered  bool
	Protocols []string
	Methods   []string
	Kept      int // exchanges in the journal
	Rows      []row
	Newer     string // link to the newest page, where this is an older one
	Older     string // link to the next page
	Payment   *payment
	Open      *detail
	Missing   bool // an exchange was asked for that is not kept
}

// frame is what every page gets.
type frame struct {
	page.View
	Here string // the page's place in the navigation
}

// row is one exchange of the list.
type row struct {
	*journal.Exchange
	From, To string // keys of the texts under "party."
	Outcome  outcome
	Current  bool
}

// payment is what is known of the payment that the list is filtered by.
type payment struct {
	ID      string
	Known   *integra.Payment // nil if the platform does not know it (any more)
	Badge   string           // the kit's name of its state
	Diagram page.Diagram
}

// detail is one exchange in full.
type detail struct {
	row
	Request, Reply page.Code
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	view := site.View(w, r, h.Clock.Now())
	state := h.Clock.State()
	view.Still = state.Frozen || state.Rate != 1
	if r.URL.Query().Has(page.LiveParam) {
		changed, stop := h.Journal.Watch()
		defer stop()
		err := page.Live(w, r, liveEvery, changed, func() ([]byte, error) {
			view.Now = h.Clock.Now()
			return site.HTML(view.Lang, "live", h.journal(view))
		})
		if err != nil {
			h.Log.Error("a live page ended", "err", err)
		}
		return
	}
	p := h.journal(view)
	status := http.StatusOK
	if open := view.Get("open"); open != "" {
		if p.Open = h.open(view.Lang, open); p.Open == nil {
			p.Missing, status = true, http.StatusNotFound
		}
	}
	if err := site.Render(w, status, "journal", p); err != nil {
		h.Log.Error("a page could not be made", "err", err)
	}
}

// journal collects what the page shows, but for the open exchange.
func (h *handler) journal(view page.View) *journalPage {
	p := &journalPage{frame: frame{view, "journal"}, Filter: journal.Filter{
		Protocol: view.Get("protocol"), Method: view.Get("method"), Direction: journal.Direction(view.Get("direction")),
		User: strings.TrimSpace(view.Get("user")), Payment: strings.TrimSpace(view.Get("payment")),
	}}
	p.Filtered = p.Filter != journal.Filter{}
	all := h.Journal.List(journal.Filter{})
	p.Kept = len(all)
	protocols, methods := map[string]bool{}, map[string]bool{}
	for _, e := range all {
		protocols[e.Protocol], methods[e.Method] = true, true
	}
	p.Protocols, p.Methods = options(protocols, p.Filter.Protocol), options(methods, p.Filter.Method)
	if p.Filter.Payment != "" {
		p.Payment = h.payment(view, p.Filter.Payment)
		p.Filter.Payment = p.Payment.ID
	}

	found := h.Journal.List(p.Filter)
	if before, err := strconv.ParseUint(view.Get("before"), 10, 64); err == nil {
		i, _ := slices.BinarySearchFunc(found, before, func(e *journal.Exchange, seq uint64) int { return cmp.Compare(e.Seq, seq) })
		found = found[:i]
		p.Newer = view.With("before", "")
	}
	if len(found) > perPage {
		found = found[len(found)-perPage:]
		p.Older = view.With("before", strconv.FormatUint(found[0].Seq, 10))
	}
	for _, e := range slices.Backward(found) {
		r := newRow(e)
		r.Current = view.Get("open") == strconv.FormatUint(e.Seq, 10)
		p.Rows = append(p.Rows, r)
	}
	return p
}

// options are the values of a filter: those that the journal has, and the chosen one.
func options(seen map[string]bool, chosen string) []string {
	if chosen != "" {
		seen[chosen] = true
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// The sides of an exchange, as keys of the texts under "party.", in the order of the lanes.
const (
	sideUser     = "user"
	sidePlatform = "integra"
	sidePartner  = "partner"
)

var sides = []string{sideUser, sidePlatform, sidePartner}

// parties tells who called whom.
func parties(e *journal.Exchange) (from, to string) {
	switch {
	case e.Direction == journal.Out:
		return sidePlatform, sidePartner
	case wire.Method(e.Method).HTML() || e.Method == integra.MethodTopUp:
		return sideUser, sidePlatform
	}
	return sidePartner, sidePlatform
}

// outcome is what came of an exchange, for a badge: a key of the texts under "outcome.", and
// what to add to it.
type outcome struct {
	Key  string
	Role page.Role
	Note string
}

func newRow(e *journal.Exchange) row {
	r := row{Exchange: e}
	r.From, r.To = parties(e)
	switch {
	case e.Status == 0:
		r.Outcome = outcome{"lost", page.Bad, ""}
	case e.Verdict.OK:
		r.Outcome = outcome{"ok", page.OK, ""}
	case e.Direction == journal.Out:
		r.Outcome = outcome{"bad", page.Bad, strconv.Itoa(e.Status)}
	default:
		r.Outcome = outcome{"refused", page.Ended, e.Verdict.Check}
	}
	return r
}

// open returns an exchange in full, or nil if it is not kept.
func (h *handler) open(lang page.Lang, name string) *detail {
	seq, err := strconv.ParseUint(name, 10, 64)
	if err != nil {
		return nil
	}
	kept := h.Journal.Get(seq)
	if kept == nil {
		return nil
	}
	e := kept.Redacted()
	request, reply := codes(lang, e)
	return &detail{row: newRow(e), Request: request, Reply: reply}
}

// codes returns the payloads of an exchange that was redacted.
func codes(lang page.Lang, e *journal.Exchange) (request, reply page.Code) {
	seq := strconv.FormatUint(e.Seq, 10)
	request, reply = page.Code{ID: "request-" + seq}, page.Code{ID: "reply-" + seq}
	add := func(c *page.Code, key, text string) {
		if text != "" {
			c.Tabs = append(c.Tabs, page.Tab{Name: site.Text(lang, key), Text: text})
		}
	}
	if e.Direction == journal.In {
		if e.Method == integra.MethodTopUp {
			add(&request, "tab.form", parameters(string(body(e.Request))))
		}
		add(&request, "tab.args", indented(e.Args))
	} else {
		add(&request, "tab.query", parameters(query(e.Request)))
	}
	add(&request, "tab.raw", string(e.Request))
	add(&reply, "tab.body", indented(body(e.Response)))
	add(&reply, "tab.raw", string(e.Response))
	return request, reply
}

// indented lays out JSON for reading; "" if it is none.
func indented(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return ""
	}
	return b.String()
}

// body returns what follows the headers of a message.
func body(raw []byte) []byte {
	_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	return body
}

// query returns what follows the question mark in the first line of a request.
func query(raw []byte) string {
	line, _, _ := bytes.Cut(raw, []byte("\r\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 2 {
		return ""
	}
	_, query, _ := strings.Cut(fields[1], "?")
	return query
}

// parameters lists the parameters of a query or a form, one per line.
func parameters(text string) string {
	var b strings.Builder
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		if name != "" {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	return b.String()
}
