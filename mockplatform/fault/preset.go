package fault

import (
	"fmt"
	"maps"
	"slices"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// The presets, by name.
var presets = map[string][]Rule{
	// A bit of everything that a partner meets in a bad week.
	"unkind": {
		in(likely(.03), Act{Do: DropBefore}),
		in(likely(.05), Act{Do: DropAfter}),
		in(likely(.03), Act{Do: Status, Status: 503}),
		in(likely(.02), Act{Do: Status, Status: 502, Committed: new(true)}),
		in(likely(.01), Act{Do: Garbage}),
		in(likely(.01), Act{Do: Truncate}),
		in(likely(.20), Act{Delay: &Delay{Kind: Exponential, MeanMS: 100, MaxMS: 2_000}}),
		out(likely(.10), Act{Do: DropAfter}),
		out(likely(.20), Act{Do: Duplicate}),
		out(likely(.10), Act{Do: Reorder}),
		out(likely(.10), Act{Delay: &Delay{Kind: Exponential, MeanMS: 30_000, MaxMS: 300_000}}),
	},
	// Connections break on the way there, and on the way back.
	"lossy-network": {
		in(likely(.05), Act{Do: DropBefore}),
		in(likely(.05), Act{Do: DropAfter}),
		in(likely(.02), Act{Do: Truncate}),
		out(likely(.05), Act{Do: DropBefore}),
		out(likely(.05), Act{Do: DropAfter}),
	},
	// Every call takes its time, a few more than most callers wait.
	"slow-platform": {
		in(likely(.05), Act{DelayMS: 12_000}),
		in(nil, Act{Delay: &Delay{Kind: Exponential, MeanMS: 800, MinMS: 100, MaxMS: 8_000}}),
	},
	// What was asked for happened, but nobody hears of it at the first try.
	"answers-lost": {
		in(every(2), Act{Do: DropAfter}),
		out(every(2), Act{Do: DropAfter}),
	},
	// Everything is sent more than once, and not in order.
	"repeats": {
		out(every(3), Act{Do: Reorder, PauseMS: 5_000}),
		out(nil, Act{Do: Duplicate, Copies: 2}),
	},
}

func in(pick func(*Match), act Act) Rule  { return of(journal.In, pick, act) }
func out(pick func(*Match), act Act) Rule { return of(journal.Out, pick, act) }

func of(d journal.Direction, pick func(*Match), act Act) Rule {
	r := Rule{Match: Match{Direction: d}, Act: act}
	if pick != nil {
		pick(&r.Match)
	}
	return r
}

func likely(p float64) func(*Match) { return func(m *Match) { m.Probability = new(p) } }
func every(n int) func(*Match)      { return func(m *Match) { m.Every = new(n) } }

// Presets are the names of all presets, in order.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// Preset returns the rules of a preset, each under its name. Its error wraps ErrUnknown.
func Preset(name string) ([]Rule, error) {
	rules, ok := presets[name]
	if !ok {
		return nil, fmt.Errorf("%w: %.40q is none of %q", ErrUnknown, name, Presets())
	}
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Name = name
	}
	return rules, nil
}
