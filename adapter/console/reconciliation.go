package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/internal/page"
)

// runsPage is the list of days that were compared with the platform's books.
type runsPage struct {
	frame
	Runs     []adapter.ReconcileRun
	Progress adapter.ReconcileProgress
	Last     time.Time // the newest day that can be compared; zero where this process compares nothing
	Form     askForm
	Older    string
	Newest   string
}

// askForm asks for a day to be compared, as it was typed.
type askForm struct {
	Date  string
	Error string // a key of the texts under "reconcile.error."; "" for none
}

// MayAsk reports whether the reader may have a day compared.
func (p runsPage) MayAsk() bool { return p.Grant.may(ScopeWrite) }

// Differing is how many of the days shown differ.
func (p runsPage) Differing() (n int64) {
	for _, r := range p.Runs {
		n += int64(min(r.Differ, 1))
	}
	return n
}

// Unread is how many of them could not be read to the end.
func (p runsPage) Unread() (n int64) {
	for _, r := range p.Runs {
		n += int64(min(r.Unread, 1))
	}
	return n
}

func (h *handler) runs(w http.ResponseWriter, r *http.Request, f frame) {
	if isLive(r) {
		h.live(w, r, f, "runs-live", func(ctx context.Context, f frame) (any, error) { return h.runsPage(ctx, f) })
		return
	}
	p, err := h.runsPage(r.Context(), f)
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	h.render(w, http.StatusOK, "runs", p)
}

func (h *handler) runsPage(ctx context.Context, f frame) (*runsPage, error) {
	f.Here = "reconciliation"
	p := &runsPage{frame: f}
	if h.Reconciler != nil {
		p.Progress, p.Last = h.Reconciler.Progress(), h.Reconciler.LastDate()
		p.Form.Date = p.Last.Format(time.DateOnly)
	}
	filter := adapter.ReconcileRunFilter{Limit: perPage + 1}
	if to, err := day(f.Get("to"), 0); err == nil && !to.IsZero() {
		filter.To = to
		p.Newest = f.With("to", "")
	}
	var err error
	if p.Runs, err = h.Store.ReconcileRuns(ctx, filter); err != nil {
		return nil, err
	}
	if len(p.Runs) > perPage {
		p.Older = f.With("to", p.Runs[perPage].Date.Format(time.DateOnly))
		p.Runs = p.Runs[:perPage]
	}
	return p, nil
}

// ask starts the comparison of a day, as `adapter reconcile` does.
func (h *handler) ask(w http.ResponseWriter, r *http.Request, f frame) {
	if !f.Grant.may(ScopeWrite) {
		h.attempted(r.Context(), f, "reconcile", "", errLacks(ScopeWrite))
		h.forbidden(w, f, ScopeWrite)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.note(w, http.StatusBadRequest, f, note{Key: "form"})
		return
	}
	p, err := h.runsPage(r.Context(), f)
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	p.Form.Date = strings.TrimSpace(r.PostForm.Get("date"))
	at, err := day(p.Form.Date, 0)
	switch {
	case h.Reconciler == nil:
		p.Form.Error = "nobody"
	case err != nil || at.IsZero():
		p.Form.Error = "date"
	case at.After(p.Last):
		p.Form.Error = "early"
	}
	if p.Form.Error == "" {
		a := adapter.Action{Who: f.Grant.Name, Via: adapter.ViaConsole, What: "reconcile", On: "date/" + p.Form.Date}
		err = h.Store.Act(r.Context(), a, func(context.Context) error {
			if !h.Reconciler.Ask(at) {
				return errBusy
			}
			return nil
		})
		switch {
		case errors.Is(err, errBusy):
			p.Form.Error = "busy"
		case err != nil:
			h.broken(w, r, f, err)
			return
		}
	}
	if p.Form.Error != "" {
		h.render(w, http.StatusUnprocessableEntity, "runs", p)
		return
	}
	seeOther(w, Base+"reconciliation")
}

// errBusy says that a day is being compared already.
var errBusy = fmt.Errorf("%w: another day is being compared", adapter.ErrConflict)

// dayPage is one day's comparison: its users, those that differ first to be seen.
type dayPage struct {
	frame
	Date   time.Time
	Run    *adapter.ReconcileRun // nil if users of the day were compared one by one alone
	Result adapter.ReconcileResult
	Shown  []shown // the choices of what is shown
	Rows   []dayRow
	Next   string
	First  string
}

// shown is one choice of what a day's page shows.
type shown struct {
	Key     string // of the texts under "reconcile."
	Count   int
	Href    string
	Current bool
}

type dayRow struct {
	adapter.Reconciliation
	Login string // "" if it is not known here
	Why   string // Text in the reader's language
}

// reasons are the keys of the texts under "reconcile.why.".
var reasons = map[string]string{
	adapter.ReasonLess: "less", adapter.ReasonLessAround: "around", adapter.ReasonRefunds: "refunds", adapter.ReasonUnexplained: "unexplained", adapter.ReasonOutOfOrder: "order",
}

// why is what a comparison says, in a language. What a call came to stays as it is.
func why(lang page.Lang, r adapter.Reconciliation) string {
	reason, amounts := r.Why()
	if reason == "" {
		return r.Text
	}
	for i, text := range amounts {
		amounts[i] = page.AmountText(lang, text.(string), r.Income.Currency().Code())
	}
	return site.Text(lang, "reconcile.why."+reasons[reason], amounts...)
}

// all is the filter's word for every result.
const all = "all"

func (h *handler) day(w http.ResponseWriter, r *http.Request, f frame) {
	f.Here = "reconciliation"
	p := &dayPage{frame: f}
	var err error
	if p.Date, err = day(mux.Vars(r)["date"], 0); err != nil {
		h.missing(w, f)
		return
	}
	p.Subject = site.Text(f.Lang, "reconcile.title", page.DateText(f.Lang, p.Date))
	runs, err := h.Store.ReconcileRuns(r.Context(), adapter.ReconcileRunFilter{From: p.Date, To: p.Date})
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	if len(runs) > 0 {
		p.Run = &runs[0]
	}
	p.choose(f)
	filter := adapter.ReconciliationFilter{From: p.Date, To: p.Date, Result: p.Result, Limit: perPage + 1}
	if after := f.Get("after"); adapter.ValidUserHash(after) {
		filter.Date, filter.After = p.Date, after
		p.First = f.With("after", "")
	}
	list, err := h.Store.Reconciliations(r.Context(), filter)
	if err == nil && len(list) == 0 && p.Run == nil && f.Get("result") == "" {
		err = adapter.ErrNotFound // of this day nothing is known
	}
	if len(list) > perPage {
		list = list[:perPage]
		p.Next = f.With("after", list[perPage-1].User)
	}
	for _, x := range list {
		row := dayRow{Reconciliation: x, Why: why(f.Lang, x)}
		if err == nil {
			row.Login, err = h.loginOf(r.Context(), x.User)
		}
		p.Rows = append(p.Rows, row)
	}
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	h.render(w, http.StatusOK, "day", p)
}

// choose finds out which results are shown: those that the address names, else what is worst.
func (p *dayPage) choose(f frame) {
	var counts adapter.ReconcileRun
	if p.Run != nil {
		counts = *p.Run
	}
	wanted := f.Get("result")
	switch {
	case wanted != "":
	case counts.Differ > 0:
		wanted = string(adapter.ReconcileDiffers)
	case counts.Unread > 0:
		wanted = string(adapter.ReconcileUnread)
	default:
		wanted = all
	}
	if wanted != all {
		p.Result = adapter.ReconcileResult(wanted)
	}
	for _, c := range []struct {
		result adapter.ReconcileResult
		count  int
	}{{adapter.ReconcileDiffers, counts.Differ}, {adapter.ReconcileUnread, counts.Unread}, {adapter.ReconcileAgrees, counts.Agree}, {"", counts.Users}} {
		key := string(c.result)
		if c.result == "" {
			key = all
		}
		p.Shown = append(p.Shown, shown{Key: key, Count: c.count, Href: f.With("result", key, "after", ""), Current: key == wanted})
	}
}

// loginOf is a user's, or "" if nobody of that hash is registered here.
func (h *handler) loginOf(ctx context.Context, user string) (string, error) {
	u, err := h.Store.User(ctx, user)
	if errors.Is(err, adapter.ErrNotFound) {
		return "", nil
	}
	return u.Login, err
}

// userDayPage is the comparison of one user's day with the payments behind it.
type userDayPage struct {
	frame
	dayRow
	Behind []adapter.Payment
	More   bool // there are more than are named
}

func (h *handler) userDay(w http.ResponseWriter, r *http.Request, f frame) {
	f.Here = "reconciliation"
	p := &userDayPage{frame: f}
	ctx := r.Context()
	at, err := day(mux.Vars(r)["date"], 0)
	if err != nil {
		h.missing(w, f)
		return
	}
	list, err := h.Store.Reconciliations(ctx, adapter.ReconciliationFilter{From: at, To: at, User: mux.Vars(r)["user"]})
	if err == nil && len(list) == 0 {
		err = adapter.ErrNotFound
	}
	if err == nil {
		p.Reconciliation, p.Why = list[0], why(f.Lang, list[0])
		p.Login, err = h.loginOf(ctx, p.User)
	}
	for _, num := range p.Payments {
		var x adapter.Payment
		if err == nil {
			x, err = h.Store.PaymentByNum(ctx, num)
		}
		p.Behind = append(p.Behind, x)
	}
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	p.Subject = site.Text(f.Lang, "reconcile.of", cmp.Or(p.Login, "–"), page.DateText(f.Lang, p.Date))
	p.More = len(p.Payments) == adapter.MaxBehind
	h.render(w, http.StatusOK, "user-day", p)
}

// download sends a day's comparisons as a file.
func (h *handler) download(w http.ResponseWriter, r *http.Request, f frame) {
	form := mux.Vars(r)["form"]
	at, err := day(mux.Vars(r)["date"], 0)
	if err != nil {
		h.missing(w, f)
		return
	}
	filter := adapter.ReconciliationFilter{From: at, To: at, Limit: 1000}
	if result := f.Get("result"); result != all {
		filter.Result = adapter.ReconcileResult(result)
	}
	days := []adapter.Reconciliation{}
	for {
		part, err := h.Store.Reconciliations(r.Context(), filter)
		if err != nil {
			h.broken(w, r, f, err)
			return
		}
		days = append(days, part...)
		if len(part) < filter.Limit {
			break
		}
		filter.Date, filter.After = at, part[len(part)-1].User
	}
	attach(w, form, "reconciliation-"+at.Format(time.DateOnly)+"."+form)
	if err := h.Export(w, form, days); err != nil {
		h.Log.WarnContext(r.Context(), "a download was cut short", "path", r.URL.Path, "err", err)
	}
}

// attach announces a file to be kept.
func attach(w http.ResponseWriter, form, name string) {
	kind := "text/csv; charset=utf-8"
	if form == "json" {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
}
