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

	anymoneywire "github.com/partnerkit/partnerkit/contract/anymoney"
	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

//go:embed page
var files embed.FS

var site = page.New(page.Config{Files: files, Dir: "page"})

const (
	perPage   = 100                    // exchanges
	liveEvery = 250 * time.Millisecond // between two changes of what is shown
	liveTick  = time.Second            // between two looks at what no call has changed
)

// Config is what the pages show.
type Config struct {
	Clock   *clock.Clock
	Journal *journal.Journal
	Integra *integra.Platform
	Log     *slog.Logger

	AnyMoney    *anymoney.Platform  // nil for none
	Robokassa   *robokassa.Platform // nil for none
	Shop        string              // login of Integra's shop at Robokassa
	PlatformURL string              // where platform traffic goes, without a slash at its end
	Namespace   string              // the world that is shown; "" for the first one

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
		"/controls": h.controls, "/users": h.users, "/compose": h.compose, "/orders": h.orders, "/operations": h.operations, "/timeline": h.timeline,
	} {
		r.Handle(path, own.Handler(http.HandlerFunc(show))).Methods(http.MethodGet, http.MethodHead, http.MethodPost)
	}
}

// missingPage says that there is no such page.
type missingPage struct {
	frame
	Home string // address of the journal
}

// Missing answers a browser that asks for a page that is not there; other callers are left to next.
func Missing(cfg Config, next http.Handler) http.Handler {
	h := &handler{cfg}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
			next.ServeHTTP(w, r)
			return
		}
		p := &missingPage{h.frame(h.view(w, r), ""), "/"}
		if h.Namespace != "" {
			p.Home = "/ns/" + url.PathEscape(h.Namespace) + "/"
		}
		if err := site.Render(w, http.StatusNotFound, "missing", p); err != nil {
			h.Log.Error("a page could not be made", "err", err)
		}
	})
}

// journalPage is what the templates get.
type journalPage struct {
	frame
	Filter    journal.Filter
	Filtered  bool
	Protocols []string
	Methods   []string
	Kept      int    // exchanges in the journal
	Count     uint64 // exchanges that there were
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
	Here      string // the page's place in the navigation
	Namespace string // "" for the first world
}

func (h *handler) frame(view page.View, here string) frame { return frame{view, here, h.Namespace} }

// StateRole is part of the pages.
func (frame) StateRole(s robokassa.State) page.Role { return stateRole(s) }

// StatusRole is part of the pages.
func (frame) StatusRole(s anymoneywire.Status) page.Role { return statusRole(s) }

// step is a line of a history.
type step struct {
	At   time.Time
	Role page.Role
	Text string
	Why  string
}

// StepsOf is the history of an order or an operation.
func (f frame) StepsOf(of *payment) (all []step) {
	if of.Operation != nil {
		for _, s := range of.Operation.History {
			all = append(all, step{s.At, stateRole(s.State), stateText(f.Lang, s.State), s.Why})
		}
	}
	for _, s := range of.Steps {
		all = append(all, step{s.At, statusRole(s.Status), site.Text(f.Lang, "order.status."+string(s.Status)), ""})
	}
	return all
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
	ID        string
	Trace     string               // "" where no exchange is about it
	Known     *integra.Payment     // nil if Integra does not know it (any more)
	Badge     string               // the kit's name of its state there
	Operation *robokassa.Operation // nil if Robokassa does not know it
	Order     *anymoneywire.Order  // nil if Any.Money does not know it
	Steps     []anymoney.Step      // of the order
	Filter    journal.Filter       // of its exchanges
	Diagram   page.Diagram
}

// detail is one exchange in full.
type detail struct {
	row
	Request, Reply page.Code
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	view := h.view(w, r)
	if r.URL.Query().Has(page.LiveParam) {
		h.live(w, r, view, "live", func(view page.View) page.Page { return h.journal(view) })
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
	p := &journalPage{frame: h.frame(view, "journal"), Count: h.Journal.Seq(), Filter: journal.Filter{
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
	filter := p.Filter
	if p.Filter.Payment != "" {
		p.Payment = h.payment(view, p.Filter.Payment)
		p.Filter.Payment = p.Payment.ID
		filter.Payment, filter.Trace = p.Payment.Filter.Payment, p.Payment.Filter.Trace
	}

	found := h.Journal.List(filter)
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
		r := h.row(e)
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

// The sides of an exchange, as keys of the texts under "party."; the platforms' are the names
// of their protocols.
const (
	sideUser      = "user"
	sideIntegra   = integra.Protocol
	sidePartner   = "partner"
	sideRobokassa = robokassa.Protocol
	sideAnyMoney  = anymoney.Protocol
)

// sides are all of them in the order of the lanes.
var sides = []string{sideUser, sideIntegra, sidePartner, sideRobokassa, sideAnyMoney}

// byUser are the methods that people's browsers call, besides those of Integra's pages.
var byUser = []string{
	integra.MethodTopUp, integra.MethodReturned, integra.MethodNotPaid,
	anymoney.MethodForm, anymoney.MethodPage, anymoney.MethodChoose, anymoney.MethodPay, anymoney.MethodRefuse, anymoney.MethodCancel,
	robokassa.MethodIndex, robokassa.MethodPage, robokassa.MethodPay, robokassa.MethodRefuse, robokassa.MethodCancelPage,
	robokassa.MethodState, robokassa.MethodCard,
}

// parties tells who called whom. What Integra and Robokassa say to each other goes between
// their lanes.
func (h *handler) parties(e *journal.Exchange) (from, to string) {
	platform := e.Protocol
	if !slices.Contains(sides, platform) {
		platform = sideIntegra
	}
	other := sidePartner
	switch {
	case platform == sideIntegra && (e.Method == integra.MethodPaid || otherEnd[e.Method] != ""):
		other = sideRobokassa
	case platform == sideRobokassa && e.Partner == h.Shop && h.Shop != "":
		other = sideIntegra
	}
	switch {
	case e.Direction == journal.Out:
		return platform, other
	case slices.Contains(byUser, e.Method) || platform == sideIntegra && wire.Method(e.Method).HTML():
		return sideUser, platform
	}
	return other, platform
}

// outcome is what came of an exchange, for a badge: a key of the texts under "outcome.", and
// what to add to it.
type outcome struct {
	Key  string
	Role page.Role
	Note string
}

func (h *handler) row(e *journal.Exchange) row {
	r := row{Exchange: e, Outcome: newOutcome(e)}
	r.From, r.To = h.parties(e)
	return r
}

func newOutcome(e *journal.Exchange) outcome {
	switch {
	case e.Status == 0:
		return outcome{"lost", page.Bad, ""}
	case e.Verdict.OK:
		return outcome{"ok", page.OK, ""}
	case e.Direction == journal.Out:
		return outcome{"bad", page.Bad, strconv.Itoa(e.Status)}
	}
	return outcome{"refused", page.Ended, e.Verdict.Check}
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
	return &detail{row: h.row(e), Request: request, Reply: reply}
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
	sent := body(e.Request)
	args := indented(e.Args)
	add(&request, "tab.args", args)
	if args == "" || e.Direction == journal.Out {
		add(&request, "tab.query", parameters(query(e.Request)))
		if bytes.Contains(e.Request, []byte("application/x-www-form-urlencoded")) {
			add(&request, "tab.form", parameters(string(sent)))
		}
		add(&request, "tab.body", indented(sent))
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
