package contract

import (
	"cmp"
	"strings"
	"testing"
)

// TestAdapter runs every check of adapters against the target, each as a subtest. The target
// has its platform in StandIn: the addresses of a stand-in, such as mockplatform.Start gives.
// What the target accepts, advice and checks that it does not support are logged or skipped;
// what cannot be judged fails.
func TestAdapter(t *testing.T, target *Target, opts Options) {
	t.Helper()
	judge(t, target, opts)
}

// TestPlatform does the same with every check of platforms.
func TestPlatform(t *testing.T, target *Target, opts Options) {
	t.Helper()
	judge(t, target, opts)
}

func judge(t *testing.T, target *Target, opts Options) {
	t.Helper()
	report, err := Run(t.Context(), target, opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Results {
		r := &report.Results[i]
		t.Run(r.ID, func(t *testing.T) {
			switch r.Outcome {
			case Failed:
				t.Errorf("%s (%s)\n%s\n%s\nseed %d", r.Title.En, r.Clause, r.Failure, exchanges(r), report.Seed)
			case Errored, NotRun:
				t.Errorf("no verdict: %s %s", r.Outcome, r.Why.En)
			case Skipped:
				t.Skip(r.Why.En)
			case Advice:
				t.Logf("should be otherwise: %s", r.Failure)
			case Accepted:
				t.Logf("%s: %s", r.Why.En, r.Failure)
			case Passed:
			}
		})
	}
	for _, problem := range report.Problems {
		t.Error(problem)
	}
	if report.Ended != "" {
		t.Errorf("the run ended early: %s", report.Ended)
	}
}

// exchanges are those of a result, in a line each.
func exchanges(r *Result) string {
	var b strings.Builder
	for i, event := range r.Story() {
		if event != nil {
			b.WriteString("  " + PartyPartner + " " + event.Text().En + "\n")
			continue
		}
		x := &r.Exchanges[i]
		mark := "  "
		if r.Failure != nil && r.Failure.Exchange == i {
			mark = "! "
		}
		_, body, _ := strings.Cut(x.Response, "\r\n\r\n")
		line, _, _ := strings.Cut(x.Request, "\r\n")
		b.WriteString(mark + x.From + " → " + x.To + " " + x.Method + " " + oneLine(cmp.Or(x.Args, line), 160) + " ⇒ " + oneLine(body+x.Err, 100) + "\n")
	}
	return b.String()
}
