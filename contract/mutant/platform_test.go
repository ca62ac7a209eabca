package mutant_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/mutant"
	"github.com/partnerkit/partnerkit/mockplatform"
)

var (
	judge  = flag.Bool("judge", false, "try every mutant of a platform with every check of its area, and write kills.txt anew; takes minutes")
	named  = flag.String("named", "", "with -judge: only the mutants whose names match this regular expression, the others keep their lines")
	every  = flag.Bool("every", false, "try every mutant of a platform, not a sample of those that no check needs")
	checks = flag.String("checks", "", "with -judge: only these checks (an id, an area or a pattern), the others keep their kills")
)

// platform returns a mutant as a target, with a stand-in of its own behind it.
func platform(t *testing.T, d mutant.PlatformDefect) *contract.Target {
	t.Helper()
	server := mockplatform.Start(t)
	url := server.PlatformURL()
	p, err := mutant.NewPlatform(d, &contract.Target{Name: "mutant", Platform: &contract.PlatformTarget{
		Control:   server.ControlURL(),
		Integra:   &contract.IntegraTarget{URL: url, Partner: demo},
		AnyMoney:  &contract.AnyMoneyTarget{URL: url + "/anymoney/", Merchant: "37", Key: "mock-api-key-of-merchant-37", SCIURL: url + "/anymoney-sci", SCIKey: "mock-sci-key-of-merchant-37"},
		Robokassa: &contract.RobokassaTarget{URL: url + "/robokassa", Login: "demo-shop", Password1: "Pass1-Live_42", Password2: "Pass2-Live_42"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	target := p.Target()
	target.Limits = contract.Limits{Settle: 1500 * time.Millisecond, Check: 3 * time.Minute}
	return target
}

// Through a layer without a defect the stand-in keeps the agreement: whatever catches a mutant
// catches its defect.
func TestHonestPlatform(t *testing.T) {
	t.Parallel()
	target := platform(t, mutant.PlatformDefect{})
	target.Limits = contract.Limits{Settle: time.Minute, Check: 3 * time.Minute}
	contract.TestPlatform(t, target, contract.Options{Seed: 1})
}

// spare is one of how many mutants that no check needs is tried without -every.
const spare = 10

// early are mutants that checks with generated arguments catch by the first of them.
var early = map[string]string{"PA-INPUT-01": "pa-no-upper-limits", "PA-INPUT-02": "pa-default-amount"}

// Every check catches a mutant: it is tried with the one of its mutants that the fewest others
// catch, or an early one. With -every, every other mutant is caught by a check as well, else a sample of them.
func TestPlatformsAreCaught(t *testing.T) {
	t.Parallel()
	if *judge {
		t.Skip("the kills are being written anew")
	}
	defects := mutant.Platforms()
	by := map[string]int{} // check: index of the defect
	for i, d := range defects {
		for _, id := range d.Catch {
			if name := early[id]; name != "" && name != d.ID {
				continue
			}
			if best, ok := by[id]; !ok || len(d.Catch) < len(defects[best].Catch) {
				by[id] = i
			}
		}
	}
	tried := make([][]string, len(defects))
	for id, i := range by {
		tried[i] = append(tried[i], id)
	}
	others := 0
	for i, d := range defects {
		if len(tried[i]) > 0 || len(d.Catch) == 0 {
			continue
		}
		if others++; *every || others%spare == 0 {
			tried[i] = d.Catch[:1]
		}
	}
	atOnce(len(defects), func(i int) {
		d := defects[i].Defect
		if d.Catch = tried[i]; len(d.Catch) > 0 {
			caught(t, d, platform(t, defects[i]))
		}
	})
}

// luck is kills that depend on which of two calls comes first.
var luck = map[string][]string{
	"pi-confirms-the-declined":  {"PI-CONFIRM-08"},
	"pi-declines-the-confirmed": {"PI-CONFIRM-08"},
}

// catching returns those of the checks that d.Catch names which catch the mutant.
func catching(t *testing.T, d mutant.PlatformDefect) (ids []string) {
	t.Helper()
	report, err := contract.Run(t.Context(), platform(t, d), contract.Options{Only: d.Catch, Seed: 1})
	if err != nil {
		t.Errorf("%s: %v", d.ID, err)
		return nil
	}
	for i := range report.Results {
		switch r := &report.Results[i]; r.Outcome {
		case contract.Failed, contract.Advice:
			ids = append(ids, r.ID)
		case contract.Errored:
			t.Logf("%s: %s: no verdict: %s", d.ID, r.ID, r.Why)
		case contract.Passed, contract.Skipped, contract.Accepted, contract.NotRun:
		}
	}
	return ids
}

// With -judge, every mutant of a platform is tried with every check of its area.
func TestJudgePlatforms(t *testing.T) {
	t.Parallel()
	if !*judge {
		t.Skip("only with -judge")
	}
	only := regexp.MustCompile(*named)
	defects := mutant.Platforms()
	lines := make([]string, len(defects))
	for i, d := range defects {
		lines[i] = fmt.Sprintf("%s: %s\n", d.ID, strings.Join(d.Catch, " "))
	}
	var mu sync.Mutex // guards lines and the file
	atOnce(len(defects), func(i int) {
		d := defects[i]
		if only.MatchString(d.ID) && (strings.HasPrefix(d.Area, *checks) || strings.HasPrefix(*checks, d.Area)) {
			before := d.Catch
			d.Catch = []string{cmp.Or(*checks, d.Area)}
			for range 2 { // what only sometimes catches a mutant is no kill
				if len(d.Catch) > 0 {
					d.Catch = catching(t, d)
				}
			}
			d.Catch = slices.DeleteFunc(d.Catch, func(id string) bool { return slices.Contains(luck[d.ID], id) })
			if *checks != "" {
				d.Catch = slices.Concat(slices.DeleteFunc(before, func(id string) bool { return strings.HasPrefix(id, *checks) }), d.Catch)
			}
			t.Logf("%s: %d kills", d.ID, len(d.Catch))
		}
		mu.Lock()
		defer mu.Unlock()
		lines[i] = fmt.Sprintf("%s: %s\n", d.ID, strings.Join(d.Catch, " "))
		if err := os.WriteFile("kills.txt", []byte(strings.Join(lines, "")), 0o644); err != nil { // so far
			t.Error(err)
		}
	})
}
