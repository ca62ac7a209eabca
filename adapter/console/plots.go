package console

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
)

// maxPlotted is how many payments a page of plots reads: the newest ones. Where there are more,
// the page says since when it is complete.
const maxPlotted = 20_000

// A window is a stretch of time that plots show.
type window struct {
	Name  string // a key of the texts under "window."
	Step  time.Duration
	Steps int
	time  string // how the axis writes a time
}

// windows are the choices; the first is the one without a choice.
var windows = []window{
	{"24h", 30 * time.Minute, 48, "15:04"},
	{"1h", time.Minute, 60, "15:04"},
	{"7d", 4 * time.Hour, 42, "02.01 15h"},
}

// plotsPage shows what came in.
type plotsPage struct {
	frame
	Window   window
	Windows  []page.Choice
	Count    int       // payments
	Complete time.Time // there are more payments than are read: these plots begin here
	Plots    []page.Plot
}

func (h *handler) plots(w http.ResponseWriter, r *http.Request, f frame) {
	f.Here = "plots"
	p := &plotsPage{frame: f, Window: windows[0]}
	for _, choice := range windows {
		if choice.Name == f.Get("window") {
			p.Window = choice
		}
	}
	for _, choice := range windows {
		p.Windows = append(p.Windows, page.Choice{
			Value: choice.Name, Href: f.With("window", choice.Name), Current: choice.Name == p.Window.Name,
		})
	}
	start := f.Now.UTC().Truncate(p.Window.Step).Add(-time.Duration(p.Window.Steps-1) * p.Window.Step)
	list, err := h.Store.Payments(r.Context(), adapter.PaymentFilter{From: start, Limit: maxPlotted})
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	p.Count = len(list)
	if p.Count == maxPlotted {
		p.Complete = list[p.Count-1].ReceivedAt
	}
	p.Plots = summarise(f.Lang, p.Window, start, list)
	h.render(w, http.StatusOK, "plots", p)
}

// spans are the payments received in each span of a window.
type spans struct {
	count map[page.Role][]int64
	sum   []int64           // confirmed, minor units
	took  [][]time.Duration // from received to settled
}

// summarise makes the three plots of a window from its payments.
func summarise(lang page.Lang, w window, start time.Time, list []adapter.Payment) []page.Plot {
	text := func(key string) string { return site.Text(lang, key) }
	s := spans{count: map[page.Role][]int64{}, sum: make([]int64, w.Steps), took: make([][]time.Duration, w.Steps)}
	for _, role := range plotRoles {
		s.count[role] = make([]int64, w.Steps)
	}
	currency := money.RUB
	for _, p := range list {
		i := int(p.ReceivedAt.Sub(start) / w.Step)
		if i < 0 || i >= w.Steps {
			continue // received after the page was asked for
		}
		s.count[roleOf(p.State)][i]++
		if p.State.Final() {
			s.took[i] = append(s.took[i], p.UpdatedAt.Sub(p.ReceivedAt))
		}
		if p.State == adapter.Confirmed && p.Kind != adapter.Refund {
			currency = p.Amount.Currency()
			s.sum[i] = min(s.sum[i]+p.Amount.Minor(), 1<<49) // what a plot can show
		}
	}
	plot := page.Plot{Start: start, Step: w.Step, Time: func(at time.Time) string { return at.Format(w.time) }}

	states := plot
	states.Title, states.Bars = text("plot.states"), true
	states.Label = func(v int64) string { return strconv.FormatInt(v, 10) }
	for _, role := range plotRoles {
		states.Series = append(states.Series, page.Series{Name: text("plot.state." + string(role)), Role: role, Values: s.count[role]})
	}

	volume := plot
	volume.Title, volume.Bars = text("plot.volume"), true
	volume.Label = func(v int64) string { return page.AmountText(lang, money.New(v, currency).Text(), currency.Code()) }
	volume.Series = []page.Series{{Name: text("plot.volume.confirmed"), Role: page.OK, Values: s.sum}}

	latency := plot
	latency.Title = text("plot.latency")
	latency.Label = func(v int64) string { return millis(lang, v) }
	for i, percent := range []int{50, 95, 99} {
		values := make([]int64, w.Steps)
		for j, took := range s.took {
			values[j] = percentile(took, percent)
		}
		latency.Series = append(latency.Series, page.Series{
			Name: "p" + strconv.Itoa(percent), Role: []page.Role{page.OK, page.Wait, page.Doubt}[i], Dash: i, Values: values,
		})
	}
	return []page.Plot{states, volume, latency}
}

// plotRoles are what the states are counted as, from the bottom up.
var plotRoles = []page.Role{page.OK, page.Ended, page.Wait, page.Doubt}

func roleOf(s adapter.State) page.Role {
	switch s {
	case adapter.Confirmed:
		return page.OK
	case adapter.Declined:
		return page.Ended
	case adapter.InDoubt, adapter.CaptureRefused, adapter.ReleaseRefused:
		return page.Doubt
	}
	return page.Wait
}

// percentile is the least time, in milliseconds, that so many of a hundred did not exceed.
func percentile(took []time.Duration, percent int) int64 {
	if len(took) == 0 {
		return page.NoValue
	}
	slices.SortFunc(took, cmp.Compare)
	return took[(len(took)*percent+99)/100-1].Milliseconds()
}

// millis writes milliseconds as briefly as an axis wants it.
func millis(lang page.Lang, v int64) string {
	if v >= 10_000 {
		return site.Text(lang, "unit.s", strconv.FormatInt(v/1000, 10))
	}
	return site.Text(lang, "unit.ms", strconv.FormatInt(v, 10))
}
