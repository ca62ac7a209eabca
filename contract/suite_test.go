package contract_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// standIn is a stand-in as a target.
func standIn(platform *mockplatform.Server) *contract.Target {
	url := platform.PlatformURL()
	p := mockplatform.DemoPartner
	return &contract.Target{
		Name: "stand-in",
		Platform: &contract.PlatformTarget{
			Control:   platform.ControlURL(),
			Integra:   &contract.IntegraTarget{URL: url, Partner: contract.Partner{Hash: p.Hash, Key: p.Key, Path: p.Path, Cipher: p.Cipher}},
			AnyMoney:  &contract.AnyMoneyTarget{URL: url + "/anymoney/", Merchant: "37", Key: "mock-api-key-of-merchant-37", SCIURL: url + "/anymoney-sci", SCIKey: "mock-sci-key-of-merchant-37"},
			Robokassa: &contract.RobokassaTarget{URL: url + "/robokassa", Login: "demo-shop", Password1: "Pass1-Live_42", Password2: "Pass2-Live_42"},
		},
		Limits: contract.Limits{Settle: time.Minute, Check: 3 * time.Minute},
	}
}

// Our stand-in keeps the agreement: every check of platforms.
func TestStandIn(t *testing.T) {
	t.Parallel()
	contract.TestPlatform(t, standIn(mockplatform.Start(t)), contract.Options{Seed: 1})
}

// Without the control API what needs it is skipped aloud; read-only, nothing is changed.
func TestSandbox(t *testing.T) {
	t.Parallel()
	platform := mockplatform.Start(t)
	target := standIn(platform)
	shop := robokassa.Shop{Login: target.Platform.Robokassa.Login, Password1: "Pass1-Live_42", Password2: "Pass2-Live_42"}
	if err := platform.Robokassa().PutShop(shop); err != nil {
		t.Fatal(err)
	}
	target.Platform.Control, target.Platform.ReadOnly = "", true
	report, err := contract.Run(t.Context(), target, contract.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if report.Verdict != contract.Kept || report.Counts.Passed < 30 || report.Counts.Skipped < 200 {
		t.Errorf("verdict %s, %+v; want kept, with many checks skipped", report.Verdict, report.Counts)
	}
	for i := range report.Results {
		if r := &report.Results[i]; r.Outcome == contract.Skipped && (r.Why.En == "" || r.Why.Ru == "") {
			t.Errorf("%s is skipped without a word", r.ID)
		}
	}
	if users := platform.Integra().Users(); len(users) > 0 {
		t.Errorf("read-only, and yet there are %d users", len(users))
	}
}

// Equal seeds give equal runs: the same values in the same calls.
func TestSeedRepeats(t *testing.T) {
	t.Parallel()
	seen := func(seed uint64) (all []string) {
		var got []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.URL.Query().Get("k")) // one at a time: Parallel is 1
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"status":{"code":1,"message":"no"},"error":true}`)
		}))
		defer server.Close()
		target := standIn(mockplatform.Start(t))
		target.Platform = &contract.PlatformTarget{Integra: &contract.IntegraTarget{URL: server.URL, Partner: target.Platform.Integra.Partner}}
		if _, err := contract.Run(t.Context(), target, contract.Options{Seed: seed, Parallel: 1, Only: []string{"PI-CALL"}}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first, again, other := seen(7), seen(7), seen(8)
	if len(first) < 10 || fmt.Sprint(first) != fmt.Sprint(again) {
		t.Errorf("two runs with one seed differ:\n%v\n%v", first, again)
	}
	if fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("another seed changes nothing")
	}
}

// What a target accepts is shown and breaks nothing until its day has passed.
func TestDeviations(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(broken.Close)
	target := standIn(mockplatform.Start(t))
	target.Platform = &contract.PlatformTarget{Integra: &contract.IntegraTarget{URL: broken.URL, Partner: target.Platform.Integra.Partner}}
	until := time.Date(2030, 6, 15, 0, 0, 0, 0, time.UTC)
	target.Accept = []contract.Deviation{{Check: "PI-CALL-01", Reason: "ticket 42", Until: until}}
	for _, tt := range []struct {
		today   time.Time
		outcome contract.Outcome
		verdict contract.Verdict
		exit    int
	}{
		{until.Add(23 * time.Hour), contract.Accepted, contract.Kept, 0},
		{until.Add(25 * time.Hour), contract.Failed, contract.Broken, 1},
	} {
		report, err := contract.Run(t.Context(), target, contract.Options{Only: []string{"PI-CALL-01"}, Now: func() time.Time { return tt.today }})
		if err != nil {
			t.Fatal(err)
		}
		if r := report.Results[0]; r.Outcome != tt.outcome || report.Verdict != tt.verdict || report.ExitCode() != tt.exit || r.Failure == nil || r.Why.En == "" {
			t.Errorf("on %s: %s (%s), verdict %s, exit %d; want %s, %s, %d", tt.today, r.Outcome, r.Why, report.Verdict, report.ExitCode(), tt.outcome, tt.verdict, tt.exit)
		}
	}
}

// An answer that never ends is cut off, and said to be too long.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	target := standIn(mockplatform.Start(t))
	target.Platform = &contract.PlatformTarget{Integra: &contract.IntegraTarget{URL: endless.URL, Partner: target.Platform.Integra.Partner}}
	report, err := contract.Run(t.Context(), target, contract.Options{Only: []string{"PI-CALL-01"}})
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Results[0]; r.Outcome != contract.Failed || r.Failure.Got != "200, then: the answer is longer than 1 MiB" {
		t.Errorf("%s: %v; want it said that the answer is too long", r.Outcome, r.Failure)
	}
}
