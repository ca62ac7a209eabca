package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/internal/page"
)

// auditPage is the audit log: what persons did, and programs with a person's token.
type auditPage struct {
	frame
	Ways     []string
	Chosen   actionChoice
	Rows     []actionRow
	Older    string
	Newest   string
	Filtered bool
}

// actionChoice is the filter as the reader wrote it.
type actionChoice struct {
	Who, Via, What, On string
	span
	Wrong string // the field that cannot be read: its key under "filter."
}

// waysIn are the values of the filter by way.
var waysIn = []string{adapter.ViaCLI, adapter.ViaAPI, adapter.ViaConsole}

type actionRow struct {
	adapter.Action
	Href             string // where what it was done to can be looked at; "" if nowhere
	Kind, Name, Rest string // what it was done to, around its name
}

// Role says how the action ended.
func (r actionRow) Role() page.Role {
	switch r.Result {
	case adapter.ActionDone:
		return page.OK
	case adapter.ActionRefused:
		return page.Ended
	}
	return page.Bad
}

func (h *handler) audit(w http.ResponseWriter, r *http.Request, f frame) {
	f.Here = "audit"
	if !f.MayAudit() {
		h.forbidden(w, f, ScopeAdmin)
		return
	}
	trimmed := func(name string) string { return strings.TrimSpace(f.Get(name)) }
	p := &auditPage{frame: f, Ways: waysIn, Chosen: actionChoice{
		Who: trimmed("who"), Via: f.Get("via"), What: trimmed("what"), On: trimmed("on"), span: spanOf(f),
	}}
	p.Filtered = p.Chosen != actionChoice{}
	filter := adapter.ActionFilter{Who: p.Chosen.Who, Via: p.Chosen.Via, What: p.Chosen.What, On: p.Chosen.On, Limit: perPage + 1}
	filter.From, filter.To, p.Chosen.Wrong = p.Chosen.times()
	if p.Chosen.Via != "" && !slices.Contains(waysIn, p.Chosen.Via) {
		p.Chosen.Wrong = "via"
	}
	if p.Chosen.Wrong != "" {
		h.render(w, http.StatusBadRequest, "audit", p)
		return
	}
	if filter.Before = cursor(f); filter.Before > 0 {
		p.Newest = f.With("before", "")
	}
	list, err := h.Store.Actions(r.Context(), filter)
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	if len(list) > perPage {
		list = list[:perPage]
		p.Older = f.With("before", strconv.FormatInt(list[perPage-1].Num, 10))
	}
	for _, a := range list {
		p.Rows = append(p.Rows, rowOf(a))
	}
	h.render(w, http.StatusOK, "audit", p)
}

// rowOf finds the page of what an action was done to: "user/HASH" and "payment/ID" as commands
// and pages write it, "accounts/HASH/deposits" and the like as the API does.
func rowOf(a adapter.Action) actionRow {
	kind, rest, _ := strings.Cut(a.On, "/")
	name, _, _ := strings.Cut(rest, "/")
	r := actionRow{Action: a, Kind: kind + "/", Name: name, Rest: strings.TrimPrefix(rest, name)}
	switch kind {
	case "user", "users", "account", "accounts":
		if adapter.ValidUserHash(name) {
			r.Href = Base + "accounts/" + name
		}
	case "payment", "payments":
		if _, err := strconv.ParseUint(name, 10, 63); err == nil || adapter.ValidUserHash(name) {
			r.Href = Base + "?q=" + name
		}
	case "date":
		if at, err := day(name, 0); err == nil && !at.IsZero() {
			r.Href = Base + "reconciliation/" + name
		}
	}
	return r
}
