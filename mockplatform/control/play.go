package control

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/internal/yamldoc"
)

// Scenarios is the scenario of the world.
type Scenarios interface {
	// PutScenario makes s the scenario of the start, nil for none, and goes back there. Its
	// error is a *yamldoc.Error, when nothing was changed.
	PutScenario(s *Scenario) error
	// Player plays it.
	Player() *Player
}

// addScenario declares the operations on the scenario.
func (a *api) addScenario(h huma.API) {
	add(h, http.MethodGet, "/scenario", "What of the scenario's timeline was carried out, and what is to come", a.getScenario)
	huma.Register(h, huma.Operation{
		OperationID: "put-scenario", Method: http.MethodPut, Path: "/scenario",
		Summary:      "Go back to the state after the start, set the scenario's on top of it, and begin with its timeline; resets do the same from then on",
		MaxBodyBytes: 1 << 20,
	}, a.putScenario)
	add(h, http.MethodPost, "/scenario/next", "Move time on to the next step of the timeline, and run it and all else that falls due by then before answering", a.nextStep)
	add(h, http.MethodDelete, "/scenario", "Go back to the state after the start, and stay there: without a scenario", a.deleteScenario)
}

type (
	scenarioAnswer struct {
		Body struct {
			Name  string     `json:"name"`
			Steps []stepBody `json:"steps" doc:"In the order of time"`
		}
	}
	stepBody struct {
		Path   string `json:"path" example:"timeline[0]"`
		Action string `json:"action" example:"topup"`
		Note   string `json:"note,omitempty"`
		State  string `json:"state" enum:"waiting,done,refused"`
		AtMS   int64  `json:"at_ms" doc:"When it was carried out, or is to be"`
		Error  string `json:"error,omitempty" doc:"Why it was refused"`
		Args   any    `json:"args,omitempty" doc:"What the action is given; of users, partners and shops only their names, of a configuration its keys, since secrets are in them"`
	}
	scenarioChange struct{ Body Scenario }
)

func (a *api) getScenario(context.Context, *none) (*scenarioAnswer, error) {
	answer := &scenarioAnswer{}
	answer.Body.Name, answer.Body.Steps = a.Scenarios.Player().progress()
	return answer, nil
}

// progress shows every moment of the timeline.
func (p *Player) progress() (name string, steps []stepBody) {
	p.mu.Lock()
	defer p.mu.Unlock()
	steps = []stepBody{}
	if p.scenario == nil {
		return "", steps
	}
	due := p.next()
	for i, m := range p.moments {
		step := &p.scenario.Timeline[m.step]
		body := stepBody{Path: stepPath(m.step), Action: step.given()[0], Args: step.shown(), Note: step.Note, State: "waiting"}
		if i < len(p.results) {
			r := p.results[i]
			body.AtMS, body.Error, body.State = r.At.UnixMilli(), r.Error, "done"
			if r.Error != "" {
				body.State = "refused"
			}
		} else {
			body.AtMS = due.Add(m.at - p.moments[len(p.results)].at).UnixMilli()
		}
		steps = append(steps, body)
	}
	return p.scenario.Name, steps
}

// shown is what an action is given, without secrets.
func (a *Action) shown() any {
	switch {
	case a.TopUp != nil:
		return a.TopUp
	case a.Refund != nil:
		return a.Refund
	case a.Buyer != nil:
		return a.Buyer
	case a.Order != nil:
		return a.Order
	case a.Fault != nil:
		return a.Fault
	case a.Disarm != "":
		return a.Disarm
	case a.Settings != nil:
		return a.Settings
	case a.AnyMoney != nil:
		return slices.Sorted(maps.Keys(a.AnyMoney))
	case a.Partner != nil:
		return a.Partner.Hash
	case a.User != nil:
		return cmp.Or(a.User.Login, a.User.Hash)
	case a.Shop != nil:
		return a.Shop.Login
	case a.Clock != nil:
		return a.Clock
	}
	return a.Snapshot
}

// next is when the next moment is due, where there is one. It wants mu held.
func (p *Player) next() time.Time {
	if p.timer != nil {
		return p.timer.Due() // the clock may have been set back
	}
	return p.due
}

func (a *api) nextStep(ctx context.Context, _ *none) (*scenarioAnswer, error) {
	p := a.Scenarios.Player()
	p.mu.Lock()
	due, left := p.next(), len(p.moments)-len(p.results)
	p.mu.Unlock()
	if left == 0 {
		return nil, huma.Error409Conflict("no step of a scenario is to come")
	}
	// A running clock may be past it by now, and is not set back.
	if err := a.Clock.Advance(ctx, max(due.Sub(a.Clock.Now()), 0)); err != nil {
		return nil, clockProblem("", err)
	}
	return a.getScenario(ctx, nil)
}

func (a *api) putScenario(ctx context.Context, in *scenarioChange) (*scenarioAnswer, error) {
	if in.Body.Namespace != "" {
		return nil, invalid("body.namespace", errors.New("is what the header or the path of the request says"))
	}
	err := in.Body.check()
	if err == nil {
		err = a.Scenarios.PutScenario(&in.Body)
	}
	var wrong *yamldoc.Error
	if errors.As(err, &wrong) {
		var bad problems
		for _, f := range wrong.Faults {
			bad.add("body."+f.Path, errors.New(f.Why))
		}
		err = bad.error()
	}
	if err != nil {
		return nil, err
	}
	return a.getScenario(ctx, nil)
}

func (a *api) deleteScenario(context.Context, *none) (*none, error) {
	return nil, a.Scenarios.PutScenario(nil)
}
