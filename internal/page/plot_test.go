package page

import (
	"html/template"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawPlot(t *rapid.T) Plot {
	n := rapid.IntRange(1, 60).Draw(t, "spans")
	p := Plot{
		Title: hostile, Bars: rapid.Bool().Draw(t, "bars"), Start: noon, Step: time.Hour,
		Label: func(v int64) string { return strconv.FormatInt(v, 10) },
	}
	for range rapid.IntRange(1, 5).Draw(t, "series") {
		p.Series = append(p.Series, Series{
			Name: hostile, Role: rapid.SampledFrom([]Role{OK, Bad, Doubt, Wait, Ended}).Draw(t, "role"),
			Values: rapid.SliceOfN(rapid.OneOf(rapid.Just(NoValue), rapid.Int64Range(0, 9), rapid.Int64Range(0, maxPlotted/8)), n, n).Draw(t, "values"),
		})
	}
	return p
}

// TestPlotLayout checks what every plot must keep, whatever the values are: everything lies in
// its area, bars of one span do not cover each other, and every value is told.
func TestPlotLayout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlot(t)
		if err := p.check(); err != nil {
			t.Fatal(err)
		}
		v := p.layOut()
		told := 0
		for i, bar := range v.Bars {
			told++
			if bar.X < v.Left || bar.X+bar.W > v.Right+1 || bar.Y < plotTop-1 || bar.Y+bar.H > v.Base+1 {
				t.Fatalf("bar %+v leaves the area", bar)
			}
			if i > 0 && bar.X == v.Bars[i-1].X && bar.Y+bar.H > v.Bars[i-1].Y+1 {
				t.Fatalf("bar %+v covers %+v", bar, v.Bars[i-1])
			}
		}
		for _, line := range v.Lines {
			for _, dot := range line.Dots {
				told++
				if dot.X < v.Left || dot.X > v.Right || dot.Y < plotTop || dot.Y > v.Base {
					t.Fatalf("dot %+v leaves the area", dot)
				}
			}
			if strings.Count(line.Points, "M")+strings.Count(line.Points, "L") != len(line.Dots) {
				t.Fatalf("the line %q has %d values", line.Points, len(line.Dots))
			}
		}
		want := 0
		for _, s := range p.Series {
			for _, value := range s.Values {
				if value > 0 || value == 0 && !p.Bars {
					want++
				}
			}
		}
		if told != want {
			t.Fatalf("%d values are drawn, want %d", told, want)
		}
		if len(v.Ticks) < 2 || len(v.Ticks) > 2*plotTicks+1 || len(v.Times) > plotTimes {
			t.Fatalf("%d ticks, %d times", len(v.Ticks), len(v.Times))
		}
		if last := v.Ticks[len(v.Ticks)-1].Text; last != strconv.FormatInt(max(p.largest(), 1), 10) && p.largest() > mustInt(t, last) {
			t.Fatalf("the axis ends at %s, below %d", last, p.largest())
		}
	})
}

func mustInt(t *rapid.T, text string) int64 {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPlotIsEscapedAndChecked(t *testing.T) {
	t.Parallel()
	set, err := gallerySite(false).set(EN)
	if err != nil {
		t.Fatal(err)
	}
	piece := func(name string, data any) (template.HTML, error) {
		var b strings.Builder
		err := set.templates.ExecuteTemplate(&b, name, data)
		return template.HTML(b.String()), err //nolint:gosec // as in funcs
	}
	p := Plot{Title: hostile, Start: noon, Step: time.Hour, Series: []Series{{Name: hostile, Role: OK, Values: []int64{1}}}, Label: func(int64) string { return hostile }}
	out, err := set.plot(piece, p)
	if err != nil || strings.Contains(string(out), "<script") || strings.Contains(string(out), "<img") {
		t.Errorf("a plot of hostile names: %v\n%s", err, out)
	}
	for name, change := range map[string]func(*Plot){
		"no series":   func(p *Plot) { p.Series = nil },
		"no values":   func(p *Plot) { p.Series = []Series{{}} },
		"no step":     func(p *Plot) { p.Step = 0 },
		"no label":    func(p *Plot) { p.Label = nil },
		"uneven":      func(p *Plot) { p.Series = []Series{{Values: []int64{1}}, {Values: []int64{1, 2}}} },
		"out of hand": func(p *Plot) { p.Series = []Series{{Values: []int64{1 << 60}}} },
	} {
		p := p
		change(&p)
		if _, err := set.plot(piece, p); err == nil {
			t.Errorf("%s: drawn", name)
		}
	}
}
