package mutant_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/mutant"
	"github.com/partnerkit/partnerkit/mockplatform"
)

var update = flag.Bool("update", false, "write docs/mutants.md anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// demo is the partner that every stand-in knows.
var demo = contract.Partner{
	Hash: mockplatform.DemoPartner.Hash, Key: mockplatform.DemoPartner.Key,
	Path: mockplatform.DemoPartner.Path, Cipher: mockplatform.DemoPartner.Cipher,
}

// adapter returns a mutant as a target, with a stand-in of its own.
func adapter(t *testing.T, defect string) *contract.Target {
	t.Helper()
	platform := mockplatform.Start(t)
	a, err := mutant.NewAdapter(defect, platform.PlatformURL(), demo)
	if err != nil {
		t.Fatal(err)
	}
	return a.Target(contract.StandIn{URL: platform.PlatformURL(), Control: platform.ControlURL()})
}

// The adapter that the mutants are made of passes every check: whatever catches a mutant
// catches its defect.
func TestHonestAdapter(t *testing.T) {
	t.Parallel()
	target := adapter(t, "")
	target.Limits = contract.Limits{Answer: 20 * time.Second, Settle: time.Minute, Check: 3 * time.Minute}
	contract.TestAdapter(t, target, contract.Options{Seed: 1})
}

// atOnce runs f for each of n mutants, several at once: they wait more than they work.
func atOnce(n int, f func(i int)) {
	places := make(chan struct{}, 12)
	var all sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			f(i)
		})
	}
	all.Wait()
}

// looks is how often a check may look at a mutant. Some defects show only where two messages
// meet, which a busy machine may keep apart once; a check that is blind is so every time.
const looks = 3

// caught fails unless each check that the defect names has caught it.
func caught(t *testing.T, d mutant.Defect, target *contract.Target) {
	t.Helper()
	var missed string
	for left, look := d.Catch, 1; len(left) > 0; look++ {
		if look > looks {
			t.Errorf("%s (%s) is not caught: %s", d.ID, d.What, missed)
			return
		}
		report, err := contract.Run(t.Context(), target, contract.Options{Only: left, Seed: 1, Parallel: 4})
		if err != nil {
			t.Errorf("%s: %v", d.ID, err)
			return
		}
		left, missed = nil, ""
		for i := range report.Results {
			if r := &report.Results[i]; r.Outcome != contract.Failed && r.Outcome != contract.Advice {
				left = append(left, r.ID)
				missed += fmt.Sprintf("%s %s %s; ", r.ID, r.Outcome, r.Why.En)
			}
		}
		if missed != "" {
			t.Logf("%s, look %d: %s", d.ID, look, missed)
		}
	}
}

// Every mutant is caught by each check that it names.
func TestAdaptersAreCaught(t *testing.T) {
	t.Parallel()
	defects := mutant.Adapters()
	targets := make([]*contract.Target, len(defects))
	for i, d := range defects {
		targets[i] = adapter(t, d.ID)
		targets[i].Limits = contract.Limits{Answer: time.Second, Settle: 2500 * time.Millisecond, Check: 20 * time.Second}
	}
	atOnce(len(defects), func(i int) { caught(t, defects[i], targets[i]) })
}

// uncatchable are checks that no mutant can be made for, with the reason.
var uncatchable = map[string]string{
	"INT-ACQUIRER-01": "an adapter hears nothing of such a payment, so it has no occasion to do wrong",
	"INT-ACQUIRER-02": "an adapter hears nothing of such a payment, so it has no occasion to do wrong",
}

// defects are those of adapters and of platforms.
func defects() []mutant.Defect {
	all := mutant.Adapters()
	for _, d := range mutant.Platforms() {
		all = append(all, d.Defect)
	}
	return all
}

// Every check catches a mutant, or there is a reason why not.
func TestEveryCheckCatches(t *testing.T) {
	t.Parallel()
	by := catchers()
	for _, c := range contract.Checks() {
		switch why := uncatchable[c.ID]; {
		case len(by[c.ID]) == 0 && why == "":
			t.Errorf("%s (%s) catches no mutant", c.ID, c.Title.En)
		case len(by[c.ID]) > 0 && why != "":
			t.Errorf("%s catches %v, and yet cannot: %s", c.ID, by[c.ID], why)
		}
		delete(by, c.ID)
	}
	for id, defects := range by {
		t.Errorf("%v name the check %s, which is not there", defects, id)
	}
}

// catchers are the defects that each check catches, those first that few others catch.
func catchers() map[string][]string {
	all := defects()
	slices.SortStableFunc(all, func(a, b mutant.Defect) int { return len(a.Catch) - len(b.Catch) })
	by := map[string][]string{}
	for _, d := range all {
		for _, id := range d.Catch {
			by[id] = append(by[id], d.ID)
		}
	}
	return by
}

// docs/mutants.md is the table of kills, as the tests above prove it.
func TestTableIsCurrent(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Mutants\n\nThe contract suite is tested with adapters and platforms that have exactly one deliberate defect each\n" +
		"(package `contract/mutant`). Each must be caught by the checks beside it, and each check must catch one.\n" +
		"A mutant of a platform is the stand-in behind a layer that changes, swallows, repeats or invents a message.\n\n" +
		"This table is written by `go test ./contract/mutant -run TestTableIsCurrent -update`; the tests of that package prove it, those with -every all of it.\n")
	adapters, platforms := mutant.Adapters(), mutant.Platforms()
	fmt.Fprintf(&b, "\n## Adapters: %d\n\n| defect | what it does | caught by |\n|---|---|---|\n", len(adapters))
	for _, d := range adapters {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.ID, cell(d.What), strings.Join(d.Catch, ", "))
	}
	fmt.Fprintf(&b, "\n## Platforms: %d\n\n| defect | what it does | what that costs | caught by |\n|---|---|---|---|\n", len(platforms))
	for _, d := range platforms {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.ID, cell(d.What), cell(d.Costs), strings.Join(ranges(d.Catch), ", "))
	}
	b.WriteString("\n## What each check catches\n\nThe mutants first that the fewest other checks catch, and no more than five of them.\n\n| check | mutants |\n|---|---|\n")
	by := catchers()
	for _, c := range contract.Checks() {
		caught := by[c.ID]
		what := strings.Join(caught[:min(len(caught), 5)], ", ")
		if more := len(caught) - 5; more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
		if what == "" {
			what = "none: " + uncatchable[c.ID]
		}
		fmt.Fprintf(&b, "| %s | %s |\n", c.ID, what)
	}
	const file = "../../docs/mutants.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != b.String() {
		t.Errorf("%s is not current (%v): go test ./contract/mutant -run TestTableIsCurrent -update", file, err)
	}
}

// cell is a text in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// ranges are ids with those that follow each other put together: PI-CALL-01…04.
func ranges(list []string) (short []string) {
	split := func(id string) (area string, n int) {
		at := strings.LastIndexByte(id, '-')
		n, _ = strconv.Atoi(id[at+1:])
		return id[:at], n
	}
	for i := 0; i < len(list); {
		area, n := split(list[i])
		j := i + 1
		for ; j < len(list); j++ {
			if other, m := split(list[j]); other != area || m != n+j-i {
				break
			}
		}
		switch last := list[j-1]; j - i {
		case 1, 2:
			short = append(short, list[i:j]...)
		default:
			short = append(short, list[i]+"…"+strings.TrimPrefix(last, area+"-"))
		}
		i = j
	}
	return short
}

// No defect is named twice, and there are as many as are promised.
func TestDefectsAreMany(t *testing.T) {
	t.Parallel()
	var names []string
	for _, d := range defects() {
		names = append(names, d.ID)
		if d.What == "" || len(d.Catch) == 0 {
			t.Errorf("%s says nothing about itself", d.ID)
		}
	}
	slices.Sort(names)
	if n := len(slices.Compact(names)); n != len(defects()) || n < 50 {
		t.Errorf("%d different defects of %d; want all different, and 50 at least", n, len(defects()))
	}
}
