package mutant_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
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

// caught fails unless each check that the defect names has caught it.
func caught(t *testing.T, d mutant.Defect, target *contract.Target) {
	t.Helper()
	report, err := contract.Run(t.Context(), target, contract.Options{Only: d.Catch, Seed: 1, Parallel: 4})
	if err != nil {
		t.Errorf("%s: %v", d.ID, err)
		return
	}
	for i := range report.Results {
		r := &report.Results[i]
		if r.Outcome != contract.Failed && r.Outcome != contract.Advice {
			t.Errorf("%s (%s) is not caught by %s: %s %s", d.ID, d.What, r.ID, r.Outcome, r.Why.En)
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

// adapterChecks are the checks that mutants of adapters prove. Those of platforms (P…) have no
// mutants yet; the stand-in passes them, and no more is known of them.
func adapterChecks() []contract.Check {
	return slices.DeleteFunc(contract.Checks(), func(c contract.Check) bool { return strings.HasPrefix(c.ID, "P") })
}

// Every check catches a mutant, or there is a reason why not.
func TestEveryCheckCatches(t *testing.T) {
	t.Parallel()
	by := catchers()
	for _, c := range adapterChecks() {
		switch why := uncatchable[c.ID]; {
		case len(by[c.ID]) == 0 && why == "":
			t.Errorf("%s catches no mutant", c.ID)
		case len(by[c.ID]) > 0 && why != "":
			t.Errorf("%s catches %v, and yet cannot: %s", c.ID, by[c.ID], why)
		}
		delete(by, c.ID)
	}
	for id, defects := range by {
		t.Errorf("%v name the check %s, which is not there", defects, id)
	}
}

// catchers are the defects that each check catches.
func catchers() map[string][]string {
	by := map[string][]string{}
	for _, d := range mutant.Adapters() {
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
	b.WriteString("# Mutants\n\nThe contract suite is tested with adapters that have exactly one deliberate defect each\n" +
		"(package `contract/mutant`). Each must be caught by the checks beside it, and each check of adapters must\n" +
		"catch one. The checks of platforms have no mutants yet.\n\n" +
		"This table is written by `go test ./contract/mutant -run TestTableIsCurrent -update`; the tests of that package prove it.\n")
	section := func(title string, defects []mutant.Defect) {
		fmt.Fprintf(&b, "\n## %s: %d\n\n| defect | what it does | caught by |\n|---|---|---|\n", title, len(defects))
		for _, d := range defects {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.ID, strings.ReplaceAll(d.What, "|", "\\|"), strings.Join(d.Catch, ", "))
		}
	}
	section("Adapters", mutant.Adapters())
	b.WriteString("\n## What each check catches\n\n| check | mutants |\n|---|---|\n")
	by := catchers()
	for _, c := range adapterChecks() {
		what := strings.Join(by[c.ID], ", ")
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

// No defect is named twice, and there are as many as are promised.
func TestDefectsAreMany(t *testing.T) {
	t.Parallel()
	var names []string
	for _, d := range mutant.Adapters() {
		names = append(names, d.ID)
		if d.What == "" || len(d.Catch) == 0 {
			t.Errorf("%s says nothing about itself", d.ID)
		}
	}
	slices.Sort(names)
	if n := len(slices.Compact(names)); n != len(mutant.Adapters()) || n < 50 {
		t.Errorf("%d different defects of %d; want all different, and 50 at least", n, len(mutant.Adapters()))
	}
}
