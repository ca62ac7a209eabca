package console

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	used := []string{
		"payment", "reconcile.title", "reconcile.of", "lane.platform", "lane.adapter", "lane.account", "move.reserve", "move.capture", "move.release", "move.restore",
		"plot.states", "plot.volume", "plot.volume.confirmed", "plot.latency", "plot.state.ok", "plot.state.ended", "plot.state.wait", "plot.state.doubt", "unit.ms", "unit.s",
	}
	if err := site.Check(used...); err != nil {
		t.Error(err)
	}
}

// A payment can be shown in every state, also those that only a billing brings.
func TestStates(t *testing.T) {
	t.Parallel()
	for _, state := range adapter.States {
		r := httptest.NewRequest(http.MethodGet, Base, nil)
		w := httptest.NewRecorder()
		p := &paymentsPage{
			frame: frame{View: site.View(w, r, time.Now()), Here: "payments"}, States: stateChoices,
			Rows: []adapter.Payment{{State: state, Kind: adapter.TopUp, Amount: money.New(1, money.RUB)}},
		}
		if err := site.Render(w, http.StatusOK, "payments", p); err != nil {
			t.Errorf("%s: %v", state, err)
		}
	}
}
