package webui

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

// timelinePage is how far a scenario got, what is next, and what of it was refused.
type timelinePage struct {
	frame
	Name    string
	Clock   clock.State
	Done    int // steps, carried out or refused
	Refused int
	All     int
	Next    *moment // nil at the end
	State   string  // of the steps that are shown; "" for any
	Rows    []moment
	Earlier string // link to the steps before; "" for none
	Later   string
	Here    string // link to where the timeline is; "" where that is shown anyway
	Problem *problem
}

// moment is a step of the timeline, as GET /scenario has it.
type moment struct {
	Path   string          `json:"path"`
	Action string          `json:"action"`
	Args   json.RawMessage `json:"args"`
	Note   string          `json:"note"`
	State  string          `json:"state"`
	AtMS   int64           `json:"at_ms"`
	Error  string          `json:"error"`
	Place  int             `json:"-"` // in the order of time
	IsNext bool            `json:"-"`
}

// At is when it was carried out, or is to be.
func (m moment) At() time.Time { return time.UnixMilli(m.AtMS).UTC() }

// Given is what the action is given, a text without its quotes.
func (m moment) Given() string {
	var text string
	if json.Unmarshal(m.Args, &text) == nil {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, m.Args) != nil {
		return ""
	}
	return b.String()
}

// The states of a step.
const (
	stepWaiting = "waiting"
	stepDone    = "done"
	stepRefused = "refused"
)

// StepStates is part of the page.
func (timelinePage) StepStates() []string { return []string{stepWaiting, stepDone, stepRefused} }

// StepRole is part of the page.
func (timelinePage) StepRole(state string) page.Role {
	switch state {
	case stepDone:
		return page.OK
	case stepRefused:
		return page.Bad
	}
	return page.Wait
}

func (h *handler) timeline(w http.ResponseWriter, r *http.Request) {
	view := h.view(w, r)
	if r.URL.Query().Has(page.LiveParam) {
		ctx := r.Context()
		h.live(w, r, view, "timeline-live", func(view page.View) page.Page { return h.timelinePage(ctx, view) })
		return
	}
	_, why, done := submitted(w, r, func(form url.Values) (string, *problem) {
		if form.Get("do") != "next" {
			return "", &problem{Status: http.StatusBadRequest, Detail: "the form does not say what to do"}
		}
		return view.With("from", ""), h.call(r.Context(), http.MethodPost, "/scenario/next", nil, nil)
	})
	if done {
		return
	}
	p := h.timelinePage(r.Context(), view)
	if why != nil {
		p.Problem = why
	}
	h.render(w, p.Problem, "timeline", p)
}

// shownBefore is how many steps that are over the page shows above the next one.
const shownBefore = 20

func (h *handler) timelinePage(ctx context.Context, view page.View) *timelinePage {
	p := &timelinePage{frame: h.frame(view, "timeline"), Clock: h.Clock.State(), State: view.Get("state")}
	var played struct {
		Name  string   `json:"name"`
		Steps []moment `json:"steps"`
	}
	p.Problem = h.call(ctx, http.MethodGet, "/scenario", nil, &played)
	p.Name, p.All = played.Name, len(played.Steps)
	var found []moment
	start := 0 // of the page, where the address does not say it
	for i, m := range played.Steps {
		m.Place = i
		switch m.State {
		case stepWaiting:
			if p.Next == nil {
				m.IsNext = true
				p.Next = &m
				start = max(len(found)-shownBefore, 0)
			}
		case stepRefused:
			p.Refused++
			fallthrough
		default:
			p.Done++
		}
		if p.State == "" || p.State == m.State {
			found = append(found, m)
		}
	}
	if p.Next == nil { // it is over: the end is what is looked at
		start = max(len(found)-perPage, 0)
	}
	from := start
	if n, err := strconv.Atoi(view.Get("from")); err == nil {
		from = min(max(n, 0), max(len(found)-1, 0))
		p.Here = view.With("from", "")
	}
	to := min(from+perPage, len(found))
	p.Rows = found[from:to]
	if from > 0 {
		p.Earlier = view.With("from", strconv.Itoa(max(from-perPage, 0)))
	}
	if to < len(found) {
		p.Later = view.With("from", strconv.Itoa(to))
	}
	return p
}
