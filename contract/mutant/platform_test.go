package mutant_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/mutant"
	"github.com/partnerkit/partnerkit/mockplatform"
)

var (
	judge = flag.Bool("judge", false, "try every mutant of a platform with every check of its protocol, and write kills.txt anew; takes minutes")
	named = flag.String("named", "", "with -judge: only the mutants whose names begin so, the others keep their lines")
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
	target.Limits = contract.Limits{Settle: 2500 * time.Millisecond, Check: 20 * time.Second}
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

// Every mutant is caught by a check, and every check has caught a mutant. Each check is tried
// with the one of its mutants that the fewest others catch.
func TestPlatformsAreCaught(t *testing.T) {
	t.Parallel()
	if *judge {
		t.Skip("the kills are being written anew")
	}
	defects := mutant.Platforms()
	by := map[string]int{} // check: index of the defect
	for i, d := range defects {
		for _, id := range d.Catch {
			if best, ok := by[id]; !ok || len(d.Catch) < len(defects[best].Catch) {
				by[id] = i
			}
		}
	}
	tried := make([][]string, len(defects))
	for id, i := range by {
		tried[i] = append(tried[i], id)
	}
	for i, d := range defects {
		if len(tried[i]) == 0 && len(d.Catch) > 0 {
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

// With -judge, every mutant of a platform is tried with every check of its protocol.
func TestJudgePlatforms(t *testing.T) {
	t.Parallel()
	if !*judge {
		t.Skip("only with -judge")
	}
	defects := mutant.Platforms()
	lines := make([]string, len(defects))
	var mu sync.Mutex
	atOnce(len(defects), func(i int) {
		d := defects[i]
		if strings.HasPrefix(d.ID, *named) {
			report, err := contract.Run(t.Context(), platform(t, d), contract.Options{Only: []string{d.Area + "-*"}, Seed: 1})
			if err != nil {
				t.Errorf("%s: %v", d.ID, err)
				return
			}
			d.Catch = nil
			for j := range report.Results {
				switch r := &report.Results[j]; r.Outcome {
				case contract.Failed, contract.Advice:
					d.Catch = append(d.Catch, r.ID)
				case contract.Errored:
					t.Logf("%s: %s: %s", d.ID, r.ID, r.Why)
				}
			}
			mu.Lock()
			t.Logf("%s: %d kills in %d ms", d.ID, len(d.Catch), report.TookMS)
			mu.Unlock()
		}
		lines[i] = fmt.Sprintf("%s: %s\n", d.ID, strings.Join(d.Catch, " "))
	})
	if err := os.WriteFile("kills.txt", []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}
