package page

import (
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
)

// A Plot shows values over time as one picture with its legend. Bars of one time stand on each
// other, lines each go their own way.
type Plot struct {
	Title  string
	Bars   bool
	Start  time.Time     // of the first span
	Step   time.Duration // each value's span
	Series []Series
	// Label writes a value with its unit, for the axis and for whoever points at it.
	Label func(v int64) string
	// Time writes when a span began, for the axis; nil writes the time of day.
	Time func(at time.Time) string
}

// A Series is one value per span. NoValue leaves a gap.
type Series struct {
	Name   string
	Role   Role
	Dash   int // lines of one role differ by it: 0 solid, 1 dashed, 2 dotted
	Values []int64
}

// NoValue says that there is nothing to show for a span.
const NoValue int64 = -1

// Sizes of a plot in its own units, which are pixels where there is room.
const (
	plotWidth  = 640
	plotHeight = 220
	plotLeft   = 76 // right of the values' labels
	plotRight  = 12
	plotTop    = 12
	plotBottom = 28 // above the times' labels
	plotTicks  = 4  // steps of the axis of values, about
	plotTimes  = 6  // labels of times, at most

	maxPlotted = int64(1) << 50 // far below where the axis would overflow
)

type plotView struct {
	Title         string
	Width, Height int
	Left, Right   int // of the area
	Base          int // where zero is
	Ticks         []textView
	Times         []textView
	Bars          []barView
	Lines         []lineView
	Legend        []legendView
	Table         plotTable
}

type barView struct {
	box
	Role Role
	Said string
}

type lineView struct {
	Role   Role
	Dash   int
	Points string
	Dots   []dotView
}

type dotView struct {
	point
	Said string
}

type legendView struct {
	Name string
	Role Role
	Dash int
	Bars bool
}

// plotTable is the plot for whoever cannot see it.
type plotTable struct {
	Heads []string
	Rows  [][]string
}

func (p Plot) check() error {
	if len(p.Series) == 0 || p.Step <= 0 || p.Label == nil {
		return errors.New("plot: no series, step or label")
	}
	for _, s := range p.Series {
		if len(s.Values) != len(p.Series[0].Values) {
			return fmt.Errorf("plot: series %q has %d values, %q has %d", s.Name, len(s.Values), p.Series[0].Name, len(p.Series[0].Values))
		}
	}
	if len(p.Series[0].Values) == 0 {
		return errors.New("plot: no values")
	}
	if p.largest() > maxPlotted {
		return fmt.Errorf("plot: a value is over %d", maxPlotted)
	}
	return nil
}

// largest is the greatest value that has to fit.
func (p Plot) largest() int64 {
	top := int64(0)
	for i := range p.Series[0].Values {
		sum := int64(0)
		for _, s := range p.Series {
			v := max(s.Values[i], 0)
			if !p.Bars {
				top = max(top, v)
			}
			sum += v
		}
		if p.Bars {
			top = max(top, sum)
		}
	}
	return top
}

// roundStep is the distance of the axis's ticks: 1, 2 or 5 times a power of ten, so that about
// plotTicks of them reach top.
func roundStep(top int64) int64 {
	for power := int64(1); ; power *= 10 {
		for _, n := range []int64{1, 2, 5} {
			if n*power*plotTicks >= top {
				return n * power
			}
		}
	}
}

func (s *set) plot(piece func(string, any) (template.HTML, error), p Plot) (template.HTML, error) {
	if err := p.check(); err != nil {
		return "", err
	}
	return piece("plot", p.layOut())
}

func (p Plot) layOut() plotView {
	n := len(p.Series[0].Values)
	out := plotView{
		Title: p.Title, Width: plotWidth, Height: plotHeight,
		Left: plotLeft, Right: plotWidth - plotRight, Base: plotHeight - plotBottom,
	}
	width, height := int64(out.Right-out.Left), int64(out.Base-plotTop)
	step := roundStep(p.largest())
	top := max(step, (p.largest()+step-1)/step*step)
	y := func(v int64) int { return out.Base - int(float64(height)*float64(v)/float64(top)) } // a picture, not money
	x := func(i int) int { return out.Left + int(width*int64(i)/int64(n)) }
	for v := int64(0); v <= top; v += step {
		out.Ticks = append(out.Ticks, textView{out.Left - 8, y(v), p.Label(v)})
	}
	every := max(1, (n+plotTimes-1)/plotTimes)
	for i := 0; i < n; i += every {
		out.Times = append(out.Times, textView{(x(i) + x(i+1)) / 2, plotHeight - 8, p.time(i)})
	}
	for _, s := range p.Series {
		out.Legend = append(out.Legend, legendView{s.Name, s.Role, s.Dash, p.Bars})
	}
	if p.Bars {
		out.Bars = p.bars(x, y)
	} else {
		out.Lines = p.lines(x, y)
	}
	out.Table = p.table()
	return out
}

// bars puts the values of each span on each other.
func (p Plot) bars(x func(int) int, y func(int64) int) []barView {
	var out []barView
	for i := range p.Series[0].Values {
		gap := min(2, (x(i+1)-x(i))/4)
		below := int64(0)
		for _, s := range p.Series {
			if v := s.Values[i]; v > 0 {
				bar := box{X: x(i) + gap, W: max(1, x(i+1)-x(i)-2*gap), Y: y(below + v)}
				bar.H = max(1, y(below)-bar.Y)
				out = append(out, barView{bar, s.Role, p.said(s, i)})
				below += v
			}
		}
	}
	return out
}

// lines draws each series, broken where there is no value.
func (p Plot) lines(x func(int) int, y func(int64) int) []lineView {
	var out []lineView
	for _, s := range p.Series {
		line := lineView{Role: s.Role, Dash: s.Dash}
		var path strings.Builder
		move := "M"
		for i, v := range s.Values {
			if v == NoValue {
				move = "M"
				continue
			}
			at := point{(x(i) + x(i+1)) / 2, y(v)}
			fmt.Fprintf(&path, "%s%d %d", move, at.X, at.Y)
			move = "L"
			line.Dots = append(line.Dots, dotView{at, p.said(s, i)})
		}
		line.Points = path.String()
		out = append(out, line)
	}
	return out
}

// said is what a value says to whoever points at it.
func (p Plot) said(s Series, i int) string {
	return p.time(i) + " · " + s.Name + ": " + p.Label(s.Values[i])
}

func (p Plot) table() plotTable {
	t := plotTable{Heads: []string{""}}
	for _, s := range p.Series {
		t.Heads = append(t.Heads, s.Name)
	}
	for i := range p.Series[0].Values {
		row := []string{p.time(i)}
		for _, s := range p.Series {
			cell := "–"
			if s.Values[i] != NoValue {
				cell = p.Label(s.Values[i])
			}
			row = append(row, cell)
		}
		if slices.ContainsFunc(row[1:], func(c string) bool { return c != "–" && c != p.Label(0) }) {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func (p Plot) time(i int) string {
	at := p.Start.Add(time.Duration(i) * p.Step).UTC()
	if p.Time != nil {
		return p.Time(at)
	}
	return at.Format("15:04")
}
