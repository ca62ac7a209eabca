package report_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/mutant"
	"github.com/partnerkit/partnerkit/mockplatform"
)

// day is when every report here was made that no run has made.
var day = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// until is to when the real report accepts a deviation: to a day that is still to come.
var until = time.Now().UTC().AddDate(0, 1, 0).Truncate(24 * time.Hour)

var (
	once sync.Once
	run  *contract.Report
)

// real is what a real run found of an adapter that gives money back when the platform does not
// answer: something of every outcome, but for errors. No test changes it. On a slow machine
// answers are late by themselves, so that more checks fail than are meant to: a test must not
// take it for granted that any other has passed.
func real(t *testing.T) *contract.Report {
	t.Helper()
	once.Do(func() {
		platform := mockplatform.Start(t)
		p := mockplatform.DemoPartner
		adapter, err := mutant.NewAdapter("takes-a-time-out-for-no", platform.PlatformURL(), contract.Partner{Hash: p.Hash, Key: p.Key, Path: p.Path, Cipher: p.Cipher})
		if err != nil {
			t.Error(err)
			return
		}
		target := adapter.Target(contract.StandIn{URL: platform.PlatformURL(), Control: platform.ControlURL()})
		target.Name = "acme billing"
		if err := target.Adapter.Process.Start(t.Context()); err != nil {
			t.Error(err)
			return
		}
		target.Adapter.Process = nil // it runs, and may not be killed
		target.Limits = contract.Limits{Answer: 10 * time.Second, Settle: 6 * time.Second, Check: time.Minute}
		target.Accept = []contract.Deviation{{Check: "INT-LOST-03", Reason: "ticket 42: mended with the next release", Until: until}}
		run, err = contract.Run(t.Context(), target, contract.Options{
			Only: []string{"INT-NOTIFY", "INT-CONFIRM", "INT-LOST-03", "INT-LOST-06", "INT-CRASH"}, Skip: []string{"INT-NOTIFY-02"}, Seed: 42,
		})
		if err != nil {
			t.Error(err)
		}
	})
	if run == nil {
		t.Fatal("no report")
	}
	return run
}

// find returns the first result with the outcome.
func find(t *testing.T, r *contract.Report, o contract.Outcome) *contract.Result {
	t.Helper()
	for i := range r.Results {
		if r.Results[i].Outcome == o {
			return &r.Results[i]
		}
	}
	t.Fatalf("nothing is %s in %+v", o, r.Counts)
	return nil
}

// hostile is text as a stranger might send it.
const hostile = `"><script>alert('x')</script><img src=x onerror="document.title='owned'"></title></style></script>]]> javascript:alert(1) {{.}} ' onmouseover='x` + "\x00\x1b[31m\u202e\xff\r\n::error::"

// forged is a report in which everything that comes from outside is hostile, and every outcome
// is there.
func forged() *contract.Report {
	f := &contract.Failure{Want: "peace, " + hostile, Got: "war\n" + hostile, Exchange: 1}
	x := contract.Exchange{
		From: contract.PartySuite, To: contract.PartyPartner, Method: "notify", At: day, TookUS: 1500, Status: 200,
		Request: "GET /notify?amount=100" + hostile + " HTTP/1.1\r\nHost: x\r\n\r\n", Response: "HTTP/1.1 200 OK\r\n\r\n" + hostile, Args: hostile, Curl: "curl -i '" + hostile + "'",
	}
	lost := x
	lost.From, lost.To, lost.Method, lost.Status, lost.Response, lost.Err = contract.PartyPartner, contract.PartyIntegra, "confirmPayment", 0, "", "no answer "+hostile
	strange := x
	strange.From = hostile
	why := contract.Text{En: "because " + hostile, Ru: "потому что " + hostile}
	r := &contract.Report{
		Target: "acme " + hostile, Kind: "adapter", Seed: 42, Started: day, TookMS: 61_234, Verdict: contract.Broken, Ended: hostile, Problems: []string{hostile},
		Money: &contract.Money{Users: 2, In: "1000.50", Charged: "100", Reserved: "0", Credited: "100"},
	}
	for i, o := range []contract.Outcome{contract.Passed, contract.Failed, contract.Advice, contract.Accepted, contract.Skipped, contract.Errored, contract.NotRun} {
		result := contract.Result{
			ID: "INT-NOTIFY-0" + string(rune('1'+i)), Area: "INT-NOTIFY", Title: contract.Text{En: "Check " + string(o), Ru: "Проверка " + string(o)},
			Clause: "Integra §5, flow 2", Severity: contract.Must, Outcome: o, TookMS: 12,
		}
		switch o {
		case contract.Failed, contract.Accepted:
			result.Failure, result.Exchanges = f, []contract.Exchange{x, lost, strange}
		case contract.Advice:
			result.Severity, result.Failure, result.Exchanges = contract.Should, &contract.Failure{Want: "a", Got: "b", Exchange: -1}, []contract.Exchange{x, lost}
		case contract.Passed:
			result.Exchanges = []contract.Exchange{x}
		}
		if o != contract.Failed && o != contract.Passed && o != contract.Advice && o != contract.NotRun {
			result.Why = why
		}
		r.Results = append(r.Results, result)
	}
	r.Counts = contract.Counts{All: 7, Passed: 1, Failed: 1, Advice: 1, Accepted: 1, Skipped: 1, Errors: 1, NotRun: 1}
	return r
}

// has fails for every part that text lacks.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// lacks fails for every part that text has.
func lacks(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("there is %q in\n%s", part, text)
		}
	}
}
