package page

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

func (b box) overlaps(c box) bool {
	return b.X < c.X+c.W && c.X < b.X+b.W && b.Y < c.Y+c.H && c.Y < b.Y+b.H
}

// inkOf is what a text covers, as wide as it is estimated to be.
func inkOf(v textView, anchor string) box {
	w := textWidth(v.Text)
	x := v.X - w/2
	if anchor == "end" { // the times, which are smaller
		w = w * 12 / 13
		x = v.X - w
	}
	return box{X: x, Y: v.Y - 10, W: w, H: 13}
}

func drawDiagram(t *rapid.T) Diagram {
	lanes := rapid.IntRange(2, 4).Draw(t, "lanes")
	label := rapid.SampledFrom([]string{"", "ok", "confirmPayment ₽1,234.50", "Уведомление " + strings.Repeat("очень ", 20), hostile, "漢字漢字漢字漢字漢字漢字漢字"})
	d := Diagram{}
	for i := range lanes {
		d.Lanes = append(d.Lanes, fmt.Sprintf("%d %s", i, label.Draw(t, "lane")))
	}
	at := func() time.Time {
		return noon.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 5, 300, 999, 1000, 60_000, 172_799_000, 90_000_000, 30 * 86_400_000}).Draw(t, "ms")) * time.Millisecond)
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "exchanges") {
		from := rapid.IntRange(0, lanes-1).Draw(t, "from")
		to := rapid.IntRange(0, lanes-2).Draw(t, "to")
		if to >= from {
			to++
		}
		d.Exchanges = append(d.Exchanges, Exchange{
			ID: fmt.Sprint("x", i), From: from, To: to, Label: label.Draw(t, "label"), Answer: label.Draw(t, "answer"),
			Start: at(), End: at(), Fate: Fate(rapid.IntRange(0, 3).Draw(t, "fate")),
			Try: rapid.IntRange(0, 3).Draw(t, "try"), Fault: label.Draw(t, "fault"),
			Role: rapid.SampledFrom([]Role{OK, Bad, Doubt}).Draw(t, "role"),
		})
	}
	for range rapid.IntRange(0, 4).Draw(t, "notes") {
		d.Notes = append(d.Notes, Note{Lane: rapid.IntRange(0, lanes-1).Draw(t, "lane"), At: at(), Text: label.Draw(t, "note"), Role: Wait})
	}
	return d
}

// TestDiagramLayout checks what every diagram must keep, whatever is drawn.
func TestDiagramLayout(t *testing.T) {
	t.Parallel()
	set, err := gallerySite(false).set(RU)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := drawDiagram(t)
		v, err := set.lay(d)
		if err != nil {
			t.Fatal(err)
		}
		requests, answers := map[string]arrowView{}, map[string]arrowView{}
		for _, a := range v.Arrows {
			if a.Answer {
				answers[a.Exchange] = a
			} else {
				requests[a.Exchange] = a
			}
		}
		for _, e := range d.Exchanges {
			request, ok := requests[e.ID]
			answer, answered := answers[e.ID]
			if !ok || answered != (e.Fate == Answered || e.Fate == LostAnswer) {
				t.Errorf("%s, fate %d: request drawn: %t, answer drawn: %t", e.ID, e.Fate, ok, answered)
				continue
			}
			if answered && answer.Line.Y1 <= request.Line.Y1 {
				t.Errorf("%s is answered before it is sent", e.ID)
			}
			if rightwards := request.Line.X1 < request.Line.X2; rightwards != (e.From < e.To) {
				t.Errorf("%s points the wrong way", e.ID)
			}
			if lost := e.Fate == LostRequest; lost != request.Lost || lost != (request.Head == "") {
				t.Errorf("%s: lost %t, drawn as lost: %t, with a tip: %t", e.ID, lost, request.Lost, request.Head != "")
			}
			if answered && (answer.Lost != (e.Fate == LostAnswer) || answer.Lost != (answer.Head == "")) {
				t.Errorf("%s: answer drawn as lost: %t", e.ID, answer.Lost)
			}
			if (e.Fault != "") != (request.Fault != nil || answer.Fault != nil) {
				t.Errorf("%s: fault %q is not marked", e.ID, e.Fault)
			}
			if !slices.ContainsFunc(v.Panels, func(p panelView) bool { return p.ID == e.ID && fmt.Sprint(p.Number) == request.Number.Text }) {
				t.Errorf("%s has no panel with its number", e.ID)
			}
		}
		if len(v.Arrows) != len(requests)+len(answers) || len(v.Panels) != len(d.Exchanges) || len(v.Notes) != len(d.Notes) {
			t.Errorf("%d arrows, %d panels, %d notes", len(v.Arrows), len(v.Panels), len(v.Notes))
		}
		checkRoom(t, v)
	})
}

// checkRoom reports texts that overlap, or that leave the drawing.
func checkRoom(t *rapid.T, v drawing) {
	type thing struct {
		what string
		box  box
	}
	var things []thing
	add := func(what string, b box) {
		if b.W > 0 {
			things = append(things, thing{what, b})
		}
	}
	for _, a := range v.Arrows {
		add("label "+a.Label.Text, inkOf(a.Label, "middle"))
		if a.Fault != nil {
			add("fault "+a.Fault.Text.Text, a.Fault.Box)
		}
	}
	for _, n := range v.Notes {
		add("note "+n.Text.Text, n.Box)
	}
	for _, text := range append(slices.Clone(v.Times), v.Gaps...) {
		add("time "+text.Text, inkOf(text, "end"))
	}
	for _, lane := range v.Lanes {
		for _, head := range lane.Heads {
			add("lane "+lane.Name.Text, head)
		}
	}
	for i, a := range things {
		if a.box.X < 0 || a.box.Y < 0 || a.box.X+a.box.W > v.Width || a.box.Y+a.box.H > v.Height {
			t.Errorf("%q at %v leaves the drawing of %d × %d", a.what, a.box, v.Width, v.Height)
		}
		for _, b := range things[i+1:] {
			if a.box.overlaps(b.box) {
				t.Errorf("%q at %v overlaps %q at %v", a.what, a.box, b.what, b.box)
			}
		}
	}
}

func TestDiagramOrder(t *testing.T) {
	t.Parallel()
	d := topUp()
	var got []string
	for _, e := range d.events() {
		switch {
		case e.note:
			got = append(got, d.Notes[e.index].Text)
		case e.answer:
			got = append(got, "answer "+d.Exchanges[e.index].ID)
		default:
			got = append(got, "request "+d.Exchanges[e.index].ID)
		}
	}
	want := []string{
		"request 1", "answer 1", "unconfirmed", "request 2", "answer 2", "request 3", "request 4", "answer 4", "confirmed",
		"answer 3", "request 5", "request 6",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %q; want %q", got, want)
	}
}

// TestDiagramOfFrozenTime: a clock that stands still gives every step one time.
func TestDiagramOfFrozenTime(t *testing.T) {
	t.Parallel()
	d := topUp()
	for i := range d.Exchanges {
		d.Exchanges[i].Start, d.Exchanges[i].End = noon, noon
	}
	var got []int
	for _, e := range d.events() {
		if !e.note {
			got = append(got, e.index)
		}
	}
	if want := []int{0, 0, 1, 1, 2, 2, 3, 3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("exchanges %v; want %v", got, want)
	}
}

func TestDiagramRefuses(t *testing.T) {
	t.Parallel()
	set, err := gallerySite(false).set(EN)
	if err != nil {
		t.Fatal(err)
	}
	lanes := []string{"a", "b"}
	for name, d := range map[string]Diagram{
		"no lanes":      {},
		"no such lane":  {Lanes: lanes, Exchanges: []Exchange{{ID: "1", From: 0, To: 2}}},
		"to itself":     {Lanes: lanes, Exchanges: []Exchange{{ID: "1", From: 1, To: 1}}},
		"without id":    {Lanes: lanes, Exchanges: []Exchange{{From: 0, To: 1}}},
		"same id twice": {Lanes: lanes, Exchanges: []Exchange{{ID: "1", To: 1}, {ID: "1", To: 1}}},
		"note nowhere":  {Lanes: lanes, Notes: []Note{{Lane: -1}}},
	} {
		if _, err := set.lay(d); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestDiagramHTML reads the diagram as a browser and a screen reader do.
func TestDiagramHTML(t *testing.T) {
	t.Parallel()
	_, doc := render(t, "/", nil, func(g *gallery) { g.Diagram.Open = "2" })
	panels := map[string]*html.Node{}
	for _, p := range nodes(doc, classed("panel")) {
		panels[attr(p, "id")] = p
	}
	arrows := nodes(doc, classed("arrow"))
	if len(arrows) != 10 || len(panels) != 6 {
		t.Errorf("%d arrows, %d panels; want 10, 6", len(arrows), len(panels))
	}
	for _, a := range arrows {
		if attr(a, "href") == "" || attr(a, "aria-label") == "" {
			t.Errorf("arrow %v cannot be reached or has no name", a.Attr)
		}
		if panels[strings.TrimPrefix(attr(a, "href"), "#")] == nil {
			t.Errorf("arrow leads to %s, where nothing is", attr(a, "href"))
		}
	}
	if got := attr(arrows[3], "aria-label"); got != "2. Integra ← Partner: timeout (lost)" {
		t.Errorf("a lost answer is called %q", got)
	}
	if got := attr(panels["x-2"], "class"); got != "panel shown" {
		t.Errorf("the open panel has the class %q", got)
	}
	if got := text(panels["x-2"]); !strings.Contains(got, "Outcomearrived, the answer was lost: timeoutFaulthang") || !strings.Contains(got, "GET /notify?amount=100 HTTP/1.1") {
		t.Errorf("the panel says %q", got)
	}
}
