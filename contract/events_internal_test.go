package contract

import (
	"context"
	"testing"
	"time"
)

// idle is a process that does what it is told at once.
type idle struct{}

func (idle) Start(context.Context) error { return nil }
func (idle) Stop(context.Context) error  { return nil }
func (idle) Kill(context.Context) error  { return nil }
func (idle) Died() error                 { return nil }

// Whom a check kills and starts again is in its result, among the exchanges by time.
func TestEventsAreKept(t *testing.T) {
	t.Parallel()
	c := &T{ctx: t.Context(), env: &env{process: idle{}, target: &Target{}}}
	r := &runner{env: c.env, opts: Options{Now: time.Now}, checks: make([]Check, 1), report: &Report{Results: []Result{{ID: "X-01", Outcome: NotRun}}}, ts: []*T{c}}
	before := Exchange{Method: "notify", At: time.Now()}
	c.kill()
	c.begin()
	after := Exchange{Method: "confirmPayment", At: time.Now().Add(time.Millisecond)}
	r.finish(0, Passed, nil, Text{}, []Exchange{before, after}, 0)
	var story []string
	result := &r.report.Results[0]
	for i, event := range result.Story() {
		if event != nil {
			story = append(story, event.Text().Ru)
		} else {
			story = append(story, result.Exchanges[i].Method)
		}
	}
	if want := []string{"notify", "убит", "запущен", "confirmPayment"}; len(story) != 4 || [4]string(story) != [4]string(want) {
		t.Errorf("the story is %q; want %q", story, want)
	}
	for range result.Story() {
		break // a reader may stop
	}
}
