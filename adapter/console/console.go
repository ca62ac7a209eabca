// Package console is the pages of the partner's operators, at /console/: payments with their
// history drawn as who called whom, those in doubt and the forms that settle them, accounts
// with statements, plots of what came in, users' days compared with the platform's books, the
// audit log. It keeps no state of its own; every view of it is an
// address, and everything but live updates works without JavaScript.
//
// Who comes logs in with an API token (adapter token mint). The cookie holds that token, no
// script can read it, and it is verified at every request, so a token that is revoked or has
// expired ends the session on every replica at once. Requests that change something are taken
// from the console's own pages alone (net/http's CrossOriginProtection) and stand in the audit
// log under the token's name.
package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/internal/page"
)

//go:embed page
var files embed.FS

var site = page.New(page.Config{Files: files, Dir: "page"})

// Base is the path under which the console is; page.AssetPrefix has to be served beside it.
const Base = "/console/"

// Scopes of the API that the console asks for.
const (
	ScopeRead  = "payments:read"  // to see anything
	ScopeWrite = "payments:write" // to have a day compared with the platform's books
	ScopeAdmin = "admin"          // stands for all of them; to settle payments in doubt and to see the audit log
)

const (
	perPage   = 50
	liveEvery = 2 * time.Second // between two looks into the store for a page that is open
	maxForm   = 16 << 10        // bytes of a form
)

// A Grant is what a token allows.
type Grant struct {
	Name    string // of the person that holds it
	Scopes  map[string]bool
	Expires time.Time
}

// may reports whether the token has a scope.
func (g Grant) may(scope string) bool { return g.Scopes[scope] || g.Scopes[ScopeAdmin] }

// Waiting is what has not come to an end.
type Waiting struct {
	Unfinished map[adapter.State]int64 // payments that are not final, those in doubt too
	Oldest     time.Time               // when the oldest that is due some day was received; zero if there is none

	MovesRefused int64 // payments that the billing refuses a move of
}

// Store is what the console reads, and where the audit log is (Act).
type Store interface {
	Payments(ctx context.Context, f adapter.PaymentFilter) ([]adapter.Payment, error)
	Payment(ctx context.Context, key adapter.Key) (adapter.Payment, error)
	PaymentByNum(ctx context.Context, num int64) (adapter.Payment, error)
	History(ctx context.Context, num int64) ([]adapter.Event, error)
	Users(ctx context.Context, f adapter.UserFilter) ([]adapter.User, error)
	User(ctx context.Context, hash string) (adapter.User, error)
	Statement(ctx context.Context, user string, f ledger.StatementFilter) ([]ledger.Transfer, error)
	ReconcileRuns(ctx context.Context, f adapter.ReconcileRunFilter) ([]adapter.ReconcileRun, error)
	Reconciliations(ctx context.Context, f adapter.ReconciliationFilter) ([]adapter.Reconciliation, error)
	Actions(ctx context.Context, f adapter.ActionFilter) ([]adapter.Action, error)
	Act(ctx context.Context, a adapter.Action, do func(context.Context) error) error
}

// Balances knows what users have.
type Balances interface {
	Balance(ctx context.Context, user string) (ledger.Balance, error)
}

// Reconciler compares a day of all users with the platform's books.
type Reconciler interface {
	LastDate() time.Time // the newest that is over
	Ask(date time.Time) (taken bool)
	Progress() adapter.ReconcileProgress // of what was asked for last
}

// Config is what the console stands on. All of it is required, unless it says otherwise.
type Config struct {
	Store    Store
	Balances Balances
	// Billing says that the partner's billing keeps the funds: Balances asks it, which can take
	// long and fail, and there are no statements here.
	Billing bool
	// Reconciler is nil where this process compares nothing.
	Reconciler Reconciler
	// Export writes comparisons as csv or json.
	Export func(w io.Writer, form string, days []adapter.Reconciliation) error
	// ExportStatement writes transfers as CSV, as they come; unused with Billing.
	ExportStatement func(w io.Writer, transfers iter.Seq2[ledger.Transfer, error]) error
	// Verify returns what a token allows.
	Verify func(ctx context.Context, token string) (Grant, error)
	// Waiting counts what has not come to an end.
	Waiting func(ctx context.Context) (Waiting, error)
	// Resolve settles a payment in doubt if it is still as read (adapter.Service.Resolve).
	Resolve func(ctx context.Context, p adapter.Payment, r adapter.Resolution) (adapter.Payment, error)
	Now     func() time.Time
	Log     *slog.Logger
}

type handler struct{ Config }

// New returns the handler of everything under Base.
func New(cfg Config) http.Handler {
	h := &handler{cfg}
	r := mux.NewRouter()
	r.HandleFunc("/console", func(w http.ResponseWriter, r *http.Request) { seeOther(w, Base) })
	c := r.PathPrefix(Base).Subrouter()
	c.HandleFunc("/login", h.loginPage).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/login", h.login).Methods(http.MethodPost)
	c.HandleFunc("/logout", h.logout).Methods(http.MethodPost)
	c.HandleFunc("/", h.with(h.payments)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/payments/{num:[0-9]{1,18}}", h.with(h.payment)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/payments/{num:[0-9]{1,18}}", h.with(h.settle)).Methods(http.MethodPost)
	c.HandleFunc("/accounts", h.with(h.accounts)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/accounts/{user:[0-9A-Za-z]{32}}", h.with(h.account)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/accounts/{user:[0-9A-Za-z]{32}}.csv", h.with(h.statementFile)).Methods(http.MethodGet, http.MethodHead)
	const date = "{date:[0-9]{4}-[0-9]{2}-[0-9]{2}}"
	c.HandleFunc("/reconciliation", h.with(h.runs)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/reconciliation", h.with(h.ask)).Methods(http.MethodPost)
	c.HandleFunc("/reconciliation/"+date+".{form:csv|json}", h.with(h.download)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/reconciliation/"+date, h.with(h.day)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/reconciliation/"+date+"/{user:[0-9A-Za-z]{32}}", h.with(h.userDay)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/audit", h.with(h.audit)).Methods(http.MethodGet, http.MethodHead)
	c.HandleFunc("/plots", h.with(h.plots)).Methods(http.MethodGet, http.MethodHead)
	r.NotFoundHandler = h.with(func(w http.ResponseWriter, r *http.Request, f frame) { h.missing(w, f) })
	return http.NewCrossOriginProtection().Handler(r)
}

// frame is what every page of somebody who is logged in gets.
type frame struct {
	page.View
	Here    string // the page's place in the navigation
	Subject string // what the page is about, for its title, where that is less than all of the place
	Grant   Grant
	Waiting Waiting
	Billing bool // keeps the funds
}

// Doubts is how many payments wait for a person.
func (f frame) Doubts() int64 { return f.Waiting.Unfinished[adapter.InDoubt] }

// Underway is how many payments are being worked on.
func (f frame) Underway() int64 {
	n := int64(0)
	for state, count := range f.Waiting.Unfinished {
		if !state.NeedsPerson() {
			n += count
		}
	}
	return n
}

// MaySettle reports whether the reader may settle payments.
func (f frame) MaySettle() bool { return f.Grant.may(ScopeAdmin) }

// MayAudit reports whether the reader may see the audit log.
func (f frame) MayAudit() bool { return f.Grant.may(ScopeAdmin) }

// span is a choice of days, both included, as the reader wrote it.
type span struct{ From, To string }

func spanOf(f frame) span { return span{f.Get("from"), f.Get("to")} }

// times reads the days; wrong is the field that cannot be read, its key under "filter.".
func (s span) times() (from, to time.Time, wrong string) {
	from, errFrom := day(s.From, 0)
	to, errTo := day(s.To, 1)
	switch {
	case errFrom != nil:
		return from, to, "from"
	case errTo != nil:
		return from, to, "to"
	}
	return from, to, ""
}

// cursor is what a page of a list goes on before; 0 on the first.
func cursor(f frame) int64 {
	before, err := strconv.ParseInt(f.Get("before"), 10, 64)
	if err != nil || before < 0 {
		return 0
	}
	return before
}

// day reads a date and adds days to it; the zero time for nothing.
func day(text string, days int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, text, time.UTC)
	return at.AddDate(0, 0, days), err
}

// with lets in who has a session, and sends everybody else to log in.
func (h *handler) with(show func(http.ResponseWriter, *http.Request, frame)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		grant, err := h.session(r)
		if err != nil {
			back := ""
			if r.Method == http.MethodGet {
				back = "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
			}
			seeOther(w, Base+"login"+back)
			return
		}
		f := frame{View: site.View(w, r, h.Now()), Grant: grant, Billing: h.Billing}
		if f.Waiting, err = h.Waiting(r.Context()); err != nil {
			h.broken(w, r, f, err)
			return
		}
		show(w, r, f)
	}
}

// seeOther answers a form with the address of what to look at next.
func seeOther(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

func (h *handler) render(w http.ResponseWriter, status int, name string, p page.Page) {
	if err := site.Render(w, status, name, p); err != nil {
		h.Log.Error("a page could not be made", "page", name, "err", err)
	}
}

// note is a page that only says something; Key names its texts.
type note struct {
	frame
	Key   string
	Scope string // of Key "forbidden": what is missing
	User  string // of Key "stranger": the user's hash
}

func (h *handler) note(w http.ResponseWriter, status int, f frame, n note) {
	f.Subject = site.Text(f.Lang, "note."+n.Key)
	n.frame = f
	h.render(w, status, "note", &n)
}

// attempted puts into the audit log what somebody wanted to do and err kept from being begun.
func (h *handler) attempted(ctx context.Context, f frame, what, on string, err error) {
	a := adapter.Action{Who: f.Grant.Name, Via: adapter.ViaConsole, What: what, On: on}
	if e := h.Store.Act(context.WithoutCancel(ctx), a, func(context.Context) error { return err }); e != err { //nolint:errorlint // anything more is the log's own trouble
		h.Log.ErrorContext(ctx, "an action is missing in the audit log", "who", a.Who, "what", a.What, "on", a.On, "err", e)
	}
}

// errLacks says that a token lacks a scope.
func errLacks(scope string) error {
	return fmt.Errorf("%w: the token lacks the scope %s", adapter.ErrInvalid, scope)
}

// forbidden says which scope the reader's token lacks.
func (h *handler) forbidden(w http.ResponseWriter, f frame, scope string) {
	h.note(w, http.StatusForbidden, f, note{Key: "forbidden", Scope: scope})
}

// missing says that there is no such page, payment or user.
func (h *handler) missing(w http.ResponseWriter, f frame) {
	h.note(w, http.StatusNotFound, f, note{Key: "missing"})
}

// broken says that something failed; what it was is in the log.
func (h *handler) broken(w http.ResponseWriter, r *http.Request, f frame, err error) {
	if errors.Is(err, context.Canceled) {
		return // the reader has left
	}
	if errors.Is(err, adapter.ErrNotFound) {
		h.missing(w, f)
		return
	}
	h.Log.ErrorContext(r.Context(), "a page of the console failed", "path", r.URL.Path, "err", err)
	h.note(w, http.StatusServiceUnavailable, f, note{Key: "broken"})
}

// live keeps a part of a page current while it is open; part makes it anew.
func (h *handler) live(w http.ResponseWriter, r *http.Request, f frame, name string, part func(ctx context.Context, f frame) (any, error)) {
	always := make(chan struct{}) // the store does not say when it changes, so it is looked at every time
	close(always)
	err := page.Live(w, r, liveEvery, always, func() ([]byte, error) {
		grant, err := h.session(r) // a session can end while a page is open
		if err != nil {
			return nil, err
		}
		f.Now, f.Grant = h.Now(), grant
		if f.Waiting, err = h.Waiting(r.Context()); err != nil {
			return nil, err
		}
		data, err := part(r.Context(), f)
		if err != nil {
			return nil, err
		}
		return site.HTML(f.Lang, name, data)
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		h.Log.InfoContext(r.Context(), "a live page of the console ended", "path", r.URL.Path, "err", err)
	}
}

// isLive reports whether a request asks for a page's live part.
func isLive(r *http.Request) bool { return r.URL.Query().Has(page.LiveParam) }
