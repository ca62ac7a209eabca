package page

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Diagram shows who called whom, in the order of time, from top to bottom.
type Diagram struct {
	Lanes     []string // names, from left to right
	Exchanges []Exchange
	Notes     []Note
	// Open names the exchange whose payload is shown at first; "" shows none.
	Open string
}

// An Exchange is a request with its answer: two arrows.
type Exchange struct {
	ID       string // unique in the diagram; letters, digits and dashes
	From, To int    // lanes
	Label    string // on the request's arrow: method and amount
	Answer   string // on the answer's
	Role     Role   // what the answer means
	Start    time.Time
	End      time.Time // of the answer, or when the caller gave up waiting
	Fate     Fate
	Try      int    // from the second on, the arrow bears the number
	Fault    string // name of the rule that interfered
	Href     string // the page of the exchange, if it has one

	Facts          []Fact // shown above the payloads
	Request, Reply Code
}

// Fate tells how far an exchange came.
type Fate int

// The fates of an exchange.
const (
	Answered    Fate = iota
	Open             // no answer yet
	LostRequest      // did not reach the other side
	LostAnswer       // reached it, but the answer did not come back
)

// A Note stands on a lane: something happened there without a call.
type Note struct {
	Lane int
	At   time.Time
	Text string
	Role Role
}

// A Fact is one line of a key-value list.
type Fact struct{ Name, Value string }

// Sizes of a diagram in its own units, which are pixels where there is room.
const (
	minGap    = 216 // between two lanes; as wide as the labels need
	maxGap    = 312
	laneLeft  = 150 // the first lane; the times stand left of it
	laneRight = 60  // what is right of the last lane
	laneWidth = 112 // of a lane's name
	headTop   = 1
	headSize  = 32
	rowSize   = 46
	gapSize   = 30
	barSize   = 8
	timeRight = 80 // the right edge of the times
	labelRoom = 36 // that a label leaves free beside it
	longGap   = time.Second
)

// drawing is a diagram laid out.
type drawing struct {
	Width, Height int
	Lanes         []laneView
	Bars          []box  // while the called side was busy
	Pauses        []line // where nothing happened for long
	Times         []textView
	Gaps          []textView
	Arrows        []arrowView
	Notes         []noteView
	Panels        []panelView
}

type box struct{ X, Y, W, H int }

type line struct{ X1, Y1, X2, Y2 int }

type point struct{ X, Y int }

type textView struct {
	X, Y int
	Text string
}

type laneView struct {
	X, Bottom int
	Name      textView
	Full      string
	Heads     []box // above, and below where the diagram is long
}

type arrowView struct {
	Exchange string // names the panel
	Spoken   string // what a screen reader says
	Answer   bool
	Lost     bool
	Role     Role
	Line     line
	Head     string // points of the tip, or of nothing when it is lost
	Cross    point
	Hit      box // what the pointer has to meet
	Number   textView
	Label    textView
	Full     string // the label when it had to be cut
	Fault    *noteView
}

type noteView struct {
	Box  box
	Text textView
	Full string
	Role Role
}

type panelView struct {
	Exchange
	Number         int
	Caller, Callee string
	Outcome        string
	Shown          bool
}

// step is something that takes a row: a request, an answer or a note.
type step struct {
	at     time.Time
	order  int // among events of the same time
	index  int
	answer bool
	note   bool
}

func (d Diagram) check() error {
	known := map[string]bool{}
	lane := func(i int) bool { return i >= 0 && i < len(d.Lanes) }
	for _, x := range d.Exchanges {
		switch {
		case x.ID == "" || known[x.ID]:
			return fmt.Errorf("exchange id %q is empty or not unique", x.ID)
		case !lane(x.From) || !lane(x.To) || x.From == x.To:
			return fmt.Errorf("exchange %s goes from lane %d to lane %d of %d", x.ID, x.From, x.To, len(d.Lanes))
		}
		known[x.ID] = true
	}
	for _, n := range d.Notes {
		if !lane(n.Lane) {
			return fmt.Errorf("note %q stands on lane %d of %d", n.Text, n.Lane, len(d.Lanes))
		}
	}
	if len(d.Lanes) == 0 {
		return errors.New("no lanes")
	}
	return nil
}

// events returns what happened in the order of time. Things of one moment, which a clock
// that stands still produces, keep the order in which they were given: an exchange with its
// answer before the next one, notes last.
func (d Diagram) events() []step {
	var out []step
	for i, x := range d.Exchanges {
		out = append(out, step{at: x.Start, order: 2 * i, index: i})
		if x.Fate == Answered || x.Fate == LostAnswer {
			end := x.End
			if end.Before(x.Start) {
				end = x.Start
			}
			out = append(out, step{at: end, order: 2*i + 1, index: i, answer: true})
		}
	}
	for i, n := range d.Notes {
		out = append(out, step{at: n.At, order: 2*len(d.Exchanges) + i, index: i, note: true})
	}
	slices.SortStableFunc(out, func(a, b step) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order))
	})
	return out
}

// lay computes the drawing. Every event has a row of its own, so nothing can overlap
// vertically; labels are cut to the room between their lanes. A pause is drawn as a short
// row that names its length, however long it was.
func (s *set) lay(d Diagram) (drawing, error) {
	if err := d.check(); err != nil {
		return drawing{}, err
	}
	labels, err := s.labels(d)
	if err != nil {
		return drawing{}, err
	}
	gap := d.laneGap(labels)
	out := drawing{Width: laneLeft + (len(d.Lanes)-1)*gap + laneRight}
	x := func(lane int) int { return laneLeft + lane*gap }
	y := headTop + headSize + 4
	events := d.events()
	starts := make([]int, len(d.Exchanges)) // where each request was drawn
	numbers := make([]int, len(d.Exchanges))
	count := 0
	lastTime := ""
	for i, e := range events {
		if i > 0 {
			if pause := e.at.Sub(events[i-1].at); pause >= longGap {
				text, err := s.duration(pause)
				if err != nil {
					return drawing{}, err
				}
				out.Pauses = append(out.Pauses, line{Y1: y + 8, Y2: y + 8 + gapSize})
				out.Gaps = append(out.Gaps, textView{X: timeRight, Y: y + 8 + gapSize/2 + 4, Text: "+" + text})
				y += gapSize
				lastTime = ""
			}
		}
		y += rowSize
		since, err := s.duration(e.at.Sub(events[0].at).Truncate(time.Millisecond))
		if err != nil {
			return drawing{}, err
		}
		if since != lastTime {
			out.Times = append(out.Times, textView{X: timeRight, Y: y + 4, Text: since})
			lastTime = since
		}
		if e.note {
			note := d.Notes[e.index]
			most := gap - 44
			if note.Lane == 0 || note.Lane == len(d.Lanes)-1 { // at the edge
				most = min(most, laneWidth)
			}
			out.Notes = append(out.Notes, layNote(note, x(note.Lane), y, most))
			continue
		}
		exchange := d.Exchanges[e.index]
		if !e.answer {
			count++
			numbers[e.index], starts[e.index] = count, y
		} else {
			out.Bars = append(out.Bars, box{X: x(exchange.To) - barSize/2, Y: starts[e.index], W: barSize, H: y - starts[e.index]})
		}
		out.Arrows = append(out.Arrows, layArrow(d, exchange, labels[e.index], e.answer, numbers[e.index], y, x))
	}
	y += rowSize * 2 / 3
	for i, exchange := range d.Exchanges { // busy to this moment
		if exchange.Fate == Open {
			out.Bars = append(out.Bars, box{X: x(exchange.To) - barSize/2, Y: starts[i], W: barSize, H: y - starts[i]})
		}
	}
	bottom := y
	long := len(events) > 12
	if long {
		y += headSize
	}
	out.Height = y + 1
	for i, name := range d.Lanes {
		lane := laneView{X: x(i), Bottom: bottom, Heads: []box{{X: x(i) - laneWidth/2, Y: headTop, W: laneWidth, H: headSize}}}
		if long {
			lane.Heads = append(lane.Heads, box{X: x(i) - laneWidth/2, Y: bottom, W: laneWidth, H: headSize})
		}
		lane.Name.Text, lane.Full = fit(name, laneWidth-16)
		out.Lanes = append(out.Lanes, lane)
	}
	panels, err := s.panels(d, numbers)
	out.Panels = panels
	return out, err
}

// labels returns what stands on the arrows of the requests.
func (s *set) labels(d Diagram) ([]string, error) {
	out := make([]string, len(d.Exchanges))
	for i, e := range d.Exchanges {
		out[i] = e.Label
		if e.Try > 1 {
			try, err := s.texts.say("kit.diagram.try", e.Try)
			if err != nil {
				return nil, err
			}
			out[i] += " · " + try
		}
	}
	return out, nil
}

// layArrow draws a request or its answer at height y.
func layArrow(d Diagram, e Exchange, label string, answer bool, number, y int, x func(int) int) arrowView {
	from, to := x(e.From), x(e.To)
	a := arrowView{Exchange: e.ID, Answer: answer, Role: Neutral}
	if answer {
		from, to, label = to, from, e.Answer
		a.Role = e.Role
		a.Lost = e.Fate == LostAnswer
	} else {
		a.Lost = e.Fate == LostRequest
		a.Number = textView{X: from, Y: y, Text: fmt.Sprint(number)}
	}
	if a.Lost {
		a.Role = Bad
	}
	step := 1 // rightwards
	if to < from {
		step = -1
	}
	left, right := min(from, to), max(from, to)
	a.Line = line{X1: from + step*10, Y1: y, X2: to - step*5, Y2: y}
	if answer {
		a.Line.X1 = from + step*5
	}
	if a.Lost {
		a.Line.X2 = from + (to-from)*6/10
		a.Cross = point{a.Line.X2 + step*8, y}
	} else {
		a.Head = fmt.Sprintf("%d,%d %d,%d %d,%d", a.Line.X2, y, a.Line.X2-step*9, y-4, a.Line.X2-step*9, y+4)
	}
	a.Hit = box{X: left + 6, Y: y - 24, W: right - left - 12, H: 38}
	a.Label = textView{X: (left + right) / 2, Y: y - 7}
	if a.Lost {
		a.Label.Y -= 3 // clear of the cross
	}
	a.Label.Text, a.Full = fit(label, right-left-labelRoom)
	if e.Fault != "" && answer == (e.Fate != LostRequest && e.Fate != Open) {
		fault := layNote(Note{Text: e.Fault, Role: Doubt}, (left+right)/2, y+16, right-left-44)
		a.Fault = &fault
	}
	a.Spoken = fmt.Sprintf("%d. %s → %s: %s", number, d.Lanes[e.From], d.Lanes[e.To], label)
	if answer {
		a.Spoken = fmt.Sprintf("%d. %s ← %s: %s", number, d.Lanes[e.From], d.Lanes[e.To], e.Answer)
	}
	return a
}

// laneGap is the distance of the lanes that lets the longest label between two neighbours
// stand uncut, within reason.
func (d Diagram) laneGap(labels []string) int {
	gap := minGap
	for i, e := range d.Exchanges {
		if e.From-e.To == 1 || e.To-e.From == 1 {
			gap = max(gap, textWidth(labels[i])+labelRoom, textWidth(e.Answer)+labelRoom)
		}
	}
	return min(gap, maxGap)
}

// layNote draws a pill around text, centred on x and y and at most so wide.
func layNote(n Note, x, y, most int) noteView {
	const height = 20
	v := noteView{Role: n.Role}
	v.Text.Text, v.Full = fit(n.Text, most-20)
	width := textWidth(v.Text.Text) + 20
	v.Box = box{X: x - width/2, Y: y - height/2, W: width, H: height}
	v.Text.X, v.Text.Y = x, y+4
	return v
}

// panels returns what is shown of each exchange beside the drawing, in the drawing's order.
func (s *set) panels(d Diagram, numbers []int) ([]panelView, error) {
	out := make([]panelView, len(d.Exchanges))
	for i, e := range d.Exchanges {
		outcome, err := s.outcome(e)
		if err != nil {
			return nil, err
		}
		out[i] = panelView{
			Exchange: e, Number: numbers[i], Caller: d.Lanes[e.From], Callee: d.Lanes[e.To],
			Outcome: outcome, Shown: e.ID == d.Open,
		}
	}
	slices.SortFunc(out, func(a, b panelView) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

// outcome says in words how far e came.
func (s *set) outcome(e Exchange) (string, error) {
	switch e.Fate {
	case Open:
		return s.texts.say("kit.fate.open")
	case LostRequest:
		return s.texts.say("kit.fate.lost_request")
	case LostAnswer:
		return s.texts.say("kit.fate.lost_answer")
	}
	took, err := s.duration(e.End.Sub(e.Start))
	if err != nil {
		return "", err
	}
	return s.texts.say("kit.fate.answered", took)
}

// diagram lays d out and renders it.
func (s *set) diagram(piece func(string, any) (template.HTML, error), d Diagram) (template.HTML, error) {
	drawn, err := s.lay(d)
	if err != nil {
		return "", fmt.Errorf("draw diagram: %w", err)
	}
	return piece("diagram", drawn)
}

// fit cuts text to a width. full is the whole text when something was cut.
func fit(text string, width int) (short, full string) {
	if textWidth(text) <= width {
		return text, ""
	}
	runes := []rune(text)
	for len(runes) > 0 && textWidth(string(runes))+textWidth("…") > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimRightFunc(string(runes), unicode.IsSpace) + "…", text
}

// textWidth estimates the width of text at 13 px, rather too wide: which font the browser
// will take is not known here.
func textWidth(text string) int {
	tenths := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune("iljI.,:;'|!()[] \u00a0", r):
			tenths += 42
		case r >= 0x1100: // wide scripts
			tenths += 135
		case unicode.IsUpper(r) || strings.ContainsRune("mwMWшщжюмфыШЩЖЮМФЫ—→←…@%", r):
			tenths += 100
		default:
			tenths += 76
		}
	}
	return (tenths + 9) / 10
}
