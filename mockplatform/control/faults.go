package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/mockplatform/fault"
)

// addFaults declares the operations on faults.
func (a *api) addFaults(h huma.API) {
	add(h, http.MethodGet, "/faults", "The rules about what goes wrong, in the order of arming, and the names of presets", a.getFaults)
	huma.Register(h, huma.Operation{
		OperationID: "post-faults", Method: http.MethodPost, Path: "/faults",
		Summary:       "Arm a rule, a list of rules, or a preset: all of it or nothing",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: 8 << 20,
	}, a.postFaults)
	add(h, http.MethodDelete, "/faults", "Disarm every rule", a.clearFaults)
	add(h, http.MethodDelete, "/faults/{id}", "Disarm the rule with that id, or all rules with that name, such as a preset's", a.deleteFault)
}

type faultBody struct {
	ID string `json:"id"`
	fault.Rule
	Seen  int  `json:"seen" doc:"Exchanges that fitted since it was armed"`
	Acted int  `json:"acted" doc:"Of which it went wrong for so many"`
	Spent bool `json:"spent" doc:"It will not act any more"`
}

type magicBody struct {
	Amount string `json:"amount" example:"4040.01"`
	What   string `json:"what"`
}

type (
	faultsAnswer struct {
		Body struct {
			Faults  []faultBody `json:"faults"`
			Presets []string    `json:"presets" doc:"What POST takes as preset"`
			Magic   []magicBody `json:"magic" doc:"Amounts that arm a fault for the payment that is over them, unless the setting magic_amounts is off"`
		}
	}
	faultsChange struct{ Body faultsBody }
	faultsBody   struct {
		Name   string       `json:"name,omitempty" maxLength:"100" doc:"Of one rule, for people"`
		Match  *fault.Match `json:"match,omitempty" doc:"Of one rule"`
		Act    *fault.Act   `json:"act,omitempty" doc:"Of one rule"`
		Rules  []fault.Rule `json:"rules,omitempty" nullable:"false" doc:"Instead of one rule" maxItems:"10000"`
		Preset string       `json:"preset,omitempty" doc:"Instead of rules" enum:"answers-lost,lossy-network,repeats,slow-platform,unkind"`
	}
	faultsArmed struct {
		Body struct {
			ID     string      `json:"id,omitempty" doc:"Of the rule, if it is one"`
			Faults []faultBody `json:"faults"`
		}
	}
	faultQuery struct {
		ID string `path:"id"`
	}
)

func faultOf(s fault.State) faultBody {
	return faultBody{ID: s.ID, Rule: s.Rule, Seen: s.Seen, Acted: s.Acted, Spent: s.Spent}
}

func faultsOf(states []fault.State) []faultBody {
	all := make([]faultBody, len(states))
	for i, s := range states {
		all[i] = faultOf(s)
	}
	return all
}

func (a *api) getFaults(context.Context, *none) (*faultsAnswer, error) {
	answer := &faultsAnswer{}
	answer.Body.Faults = faultsOf(a.Faults.List())
	answer.Body.Presets = fault.Presets()
	for _, m := range fault.MagicAmounts() {
		answer.Body.Magic = append(answer.Body.Magic, magicBody{m.Amount, m.What})
	}
	return answer, nil
}

func (a *api) postFaults(_ context.Context, in *faultsChange) (*faultsArmed, error) {
	b := &in.Body
	one := b.Act != nil || b.Match != nil || b.Name != ""
	given := 0
	for _, is := range []bool{one, b.Rules != nil, b.Preset != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, invalid("body", errors.New("give one rule (act, perhaps with match), or rules, or a preset"))
	}
	rules := b.Rules
	path := func(i int) string { return fmt.Sprintf("body.rules[%d].", i) }
	switch {
	case one && b.Act == nil:
		return nil, invalid("body.act", errors.New("is required: what goes wrong"))
	case one:
		r := fault.Rule{Name: b.Name, Act: *b.Act}
		if b.Match != nil {
			r.Match = *b.Match
		}
		rules = []fault.Rule{r}
		path = func(int) string { return "body." }
	case b.Preset != "":
		var err error
		if rules, err = fault.Preset(b.Preset); err != nil {
			return nil, invalid("body.preset", err)
		}
	}
	armed, at, err := a.Faults.ArmAll(rules)
	if err != nil {
		return nil, faultProblem(path(at), err)
	}
	answer := &faultsArmed{}
	answer.Body.Faults = faultsOf(armed)
	if one {
		answer.Body.ID = armed[0].ID
	}
	return answer, nil
}

// faultProblem is a 422 that names each field at fault by its path.
func faultProblem(path string, err error) error {
	var rule *fault.RuleError
	if !errors.As(err, &rule) {
		return huma.Error409Conflict(err.Error())
	}
	var details []error
	for _, f := range rule.Fields {
		details = append(details, &huma.ErrorDetail{Location: path + f.Field, Message: f.Why})
	}
	return huma.Error422UnprocessableEntity("validation failed", details...)
}

func (a *api) clearFaults(context.Context, *none) (*none, error) {
	a.Faults.DisarmAll()
	return nil, nil
}

func (a *api) deleteFault(_ context.Context, in *faultQuery) (*none, error) {
	if a.Faults.Disarm(in.ID) == nil || a.Faults.DisarmNamed(in.ID) == nil {
		return nil, nil
	}
	return nil, huma.Error404NotFound(fmt.Sprintf("no rule that is armed has the id or the name %.100q", in.ID))
}
