package contract

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Outcome is what a check came to.
type Outcome string

// The outcomes.
const (
	Passed   Outcome = "passed"
	Failed   Outcome = "failed"
	Advice   Outcome = "advice"   // a promise that should be kept, and is not
	Accepted Outcome = "accepted" // it failed, as the target says it does
	Skipped  Outcome = "skipped"  // the target does not support it
	Errored  Outcome = "error"    // of the run: nothing is known about the target
	NotRun   Outcome = "not_run"  // the run ended before
)

// A Report is what a run found. Its JSON is described by docs/report.schema.json.
type Report struct {
	Target   string    `json:"target"`
	Kind     string    `json:"kind" enum:"adapter,platform"`
	Seed     uint64    `json:"seed" doc:"contract run --seed repeats the run's chance"`
	Started  time.Time `json:"started"`
	TookMS   int64     `json:"took_ms"`
	Verdict  Verdict   `json:"verdict" enum:"kept,broken,unknown"`
	Counts   Counts    `json:"counts"`
	Money    *Money    `json:"money,omitempty" doc:"What the counting of an adapter's money came to"`
	Waited   *Waited   `json:"waited,omitempty" doc:"What waiting for what did not come took, if it is worth saying"`
	Ended    string    `json:"ended,omitempty" doc:"Why the run ended early"`
	Problems []string  `json:"problems,omitempty" doc:"What went wrong beside the checks"`
	Results  []Result  `json:"results"`

	EndedRu    string   `json:"ended_ru,omitempty" doc:"Why the run ended early, in Russian"`
	ProblemsRu []string `json:"problems_ru,omitempty" doc:"What went wrong beside the checks, in Russian"`
}

// problem notes what went wrong beside the checks, if anything did.
func (r *Report) problem(err error) {
	if err == nil {
		return
	}
	text := textOf(err)
	r.Problems = append(r.Problems, strings.Split(text.En, "\n")...)
	r.ProblemsRu = append(r.ProblemsRu, strings.Split(text.Ru, "\n")...)
}

// EndedIn says why the run ended early, in a language: ru, or else English.
func (r *Report) EndedIn(lang string) string {
	if lang == "ru" {
		return cmp.Or(r.EndedRu, r.Ended)
	}
	return r.Ended
}

// ProblemsIn says what went wrong beside the checks, in a language: ru, or else English.
func (r *Report) ProblemsIn(lang string) []string {
	if lang == "ru" && r.ProblemsRu != nil {
		return r.ProblemsRu
	}
	return r.Problems
}

// Verdict is what a whole run came to.
type Verdict string

// The verdicts.
const (
	Kept    Verdict = "kept"    // every promise that must be kept is
	Broken  Verdict = "broken"  // at least one is not
	Unknown Verdict = "unknown" // the run has errors, or ended early, and found nothing broken
)

// Counts are how many checks came to each outcome.
type Counts struct {
	All      int `json:"all"`
	Passed   int `json:"passed"`
	Failed   int `json:"failed"`
	Advice   int `json:"advice"`
	Accepted int `json:"accepted"`
	Skipped  int `json:"skipped"`
	Errors   int `json:"errors"`
	NotRun   int `json:"not_run"`
}

// Money is the money of all users whose books were counted, each as it was counted last, in
// roubles. What was charged is what was credited, unless a check has failed or a payment is
// in doubt.
type Money struct {
	Users    int    `json:"users"`
	In       string `json:"in" doc:"Put into the users' accounts at the adapter"`
	Charged  string `json:"charged" doc:"Taken from them"`
	Reserved string `json:"reserved" doc:"Held there, neither charged nor given back"`
	Credited string `json:"credited" doc:"Credited by the platform for the adapter's payments"`
}

// A Result is the outcome of one check.
type Result struct {
	ID        string     `json:"id"`
	Area      string     `json:"area"`
	Title     Text       `json:"title"`
	Clause    string     `json:"clause"`
	Severity  Severity   `json:"severity" enum:"must,should"`
	Outcome   Outcome    `json:"outcome" enum:"passed,failed,advice,accepted,skipped,error,not_run"`
	Why       Text       `json:"why,omitzero" doc:"Why it was skipped, not run, an error or accepted"`
	Failure   *Failure   `json:"failure,omitempty"`
	TookMS    int64      `json:"took_ms"`
	Exchanges []Exchange `json:"exchanges,omitempty"`
	Events    []Event    `json:"events,omitempty" doc:"What happened to the adapter meanwhile, in the order of time"`
}

// An Event is something that happened to the adapter without a call.
type Event struct {
	At   time.Time `json:"at"`
	What Happening `json:"what" enum:"killed,stopped,died,started"`
}

// Happening is what can happen to an adapter.
type Happening string

// What happens to adapters.
const (
	Killed  Happening = "killed"  // by the check
	Stopped Happening = "stopped" // was asked to end by the check
	Died    Happening = "died"    // ended by itself
	Started Happening = "started" // again
)

// Text is the event in a word, which a diagram has room for.
func (e Event) Text() Text {
	switch e.What {
	case Killed:
		return say("killed")
	case Stopped:
		return say("stopped")
	case Died:
		return say("died")
	case Started:
		return say("started")
	}
	return verbatim(string(e.What))
}

// Story is what happened in the order of time: the index of each exchange, and -1 with each
// event.
func (r *Result) Story() iter.Seq2[int, *Event] {
	return func(yield func(int, *Event) bool) {
		next := 0
		events := func(until int) bool {
			for ; next < len(r.Events) && (until == len(r.Exchanges) || r.Events[next].At.Before(r.Exchanges[until].At)); next++ {
				if !yield(-1, &r.Events[next]) {
					return false
				}
			}
			return true
		}
		for i := range r.Exchanges {
			if !events(i) || !yield(i, nil) {
				return
			}
		}
		events(len(r.Exchanges))
	}
}

func newReport(target *Target, checks []Check, seed uint64) *Report {
	r := &Report{Target: target.Name, Kind: "platform", Seed: seed, Started: time.Now().UTC(), Results: make([]Result, len(checks))}
	if target.Adapter != nil {
		r.Kind = "adapter"
	}
	for i, c := range checks {
		r.Results[i] = Result{ID: c.ID, Area: c.Area(), Title: c.Title, Clause: c.Clause, Severity: c.Severity, Outcome: NotRun}
	}
	return r
}

// settle notes an outcome, in view of what the target's file accepts on this day.
func (r *Result) settle(o Outcome, f *Failure, why Text, exchanges []Exchange, took time.Duration, accept []Deviation, today time.Time) {
	r.Outcome, r.Failure, r.Why, r.Exchanges, r.TookMS = o, f, why, exchanges, took.Milliseconds()
	if o == Failed && r.Severity == Should {
		r.Outcome = Advice
	}
	i := slices.IndexFunc(accept, func(d Deviation) bool { return d.Check == r.ID })
	if i < 0 {
		return
	}
	d := accept[i]
	day := d.Until.Format(time.DateOnly)
	switch over := !today.Before(d.Until.AddDate(0, 0, 1)); {
	case o == Failed && over:
		r.Why = Text{fmt.Sprintf("accepted until %s, which has passed: %s", day, d.Reason), fmt.Sprintf("было принято до %s, этот день прошёл: %s", day, d.Reason)}
	case o == Failed:
		r.Outcome, r.Why = Accepted, Text{fmt.Sprintf("accepted until %s: %s", day, d.Reason), fmt.Sprintf("принято до %s: %s", day, d.Reason)}
	case o == Passed:
		r.Why = Text{
			"the target accepts that this fails, but it passes: the line under accept can go",
			"цель допускает здесь отклонение, но проверка пройдена: строку в accept можно убрать",
		}
	}
}

func (r *Result) took() time.Duration { return time.Duration(r.TookMS) * time.Millisecond }

// close counts, and gives the verdict.
func (r *Report) close(ctx context.Context) {
	r.TookMS = time.Since(r.Started).Milliseconds()
	if ctx.Err() != nil {
		ended := textOf(context.Cause(ctx))
		r.Ended, r.EndedRu = ended.En, ended.Ru
	}
	c := Counts{All: len(r.Results)}
	for i := range r.Results {
		switch r.Results[i].Outcome {
		case Passed:
			c.Passed++
		case Failed:
			c.Failed++
		case Advice:
			c.Advice++
		case Accepted:
			c.Accepted++
		case Skipped:
			c.Skipped++
		case Errored:
			c.Errors++
		case NotRun:
			c.NotRun++
		}
	}
	r.Counts = c
	switch {
	case c.Failed > 0:
		r.Verdict = Broken
	case c.Errors > 0 || c.NotRun > 0 || len(r.Problems) > 0 || c.Passed+c.Advice+c.Accepted == 0:
		r.Verdict = Unknown
	default:
		r.Verdict = Kept
	}
}

// ExitCode is what a command returns: 0 kept, 1 broken, 2 an error of the run.
func (r *Report) ExitCode() int {
	switch {
	case r.Counts.Errors > 0 || len(r.Problems) > 0 || r.Verdict == Unknown:
		return 2
	case r.Verdict == Broken:
		return 1
	}
	return 0
}
