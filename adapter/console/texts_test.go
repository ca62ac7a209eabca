package console

import "testing"

func TestTexts(t *testing.T) {
	t.Parallel()
	used := []string{
		"title.", "lane.platform", "lane.adapter", "lane.account", "move.reserve", "move.capture", "move.release", "move.restore",
		"plot.states", "plot.volume", "plot.volume.confirmed", "plot.latency", "plot.state.ok", "plot.state.ended", "plot.state.wait", "plot.state.doubt", "unit.ms", "unit.s",
	}
	if err := site.Check(used...); err != nil {
		t.Error(err)
	}
}
