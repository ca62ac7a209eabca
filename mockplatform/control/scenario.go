package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/internal/yamldoc"
)

// A Scenario is a state to start from and what happens after that. Every part of it is the
// body of a call of this API, and is checked and carried out by the code of that call.
//
// The state is set in the order of the fields below; what happens is the timeline. See Player
// for how it is played, and docs/scenarios.md for its file.
type Scenario struct {
	Name      string           `json:"name,omitempty" maxLength:"100" doc:"For people"`
	Namespace string           `json:"namespace,omitempty" pattern:"^[0-9A-Za-z._-]{1,64}$" patternDescription:"1 to 64 letters, digits, '.', '_' and '-'" doc:"It is of this namespace alone; of the first one, and of every other without a scenario, if empty"`
	Clock     *startClock      `json:"clock,omitempty" doc:"At the start; what is not given is as the program was told"`
	Settings  *settingsPatch   `json:"settings,omitempty" doc:"As for PATCH /settings"`
	Partners  []partnerPart    `json:"partners,omitempty" nullable:"false" doc:"Of Integra, besides those that are there from the start"`
	Users     []userPart       `json:"users,omitempty" nullable:"false" doc:"Of Integra"`
	AnyMoney  *anyMoneyPart    `json:"anymoney,omitempty"`
	Shops     []shopPart       `json:"shops,omitempty" nullable:"false" doc:"Of Robokassa, besides Integra's own"`
	Faults    []faultsBody     `json:"faults,omitempty" nullable:"false" doc:"Rules and presets that are armed"`
	Timeline  []Step           `json:"timeline,omitempty" nullable:"false" maxItems:"10000" doc:"What happens, in the order of time; at the same time in the order of the list"`
	where     func(string) int // line of a part; nil without a file
	file      string
}

type (
	startClock struct {
		Now    time.Time `json:"now,omitzero" doc:"Such as 2026-01-31T23:59:00Z"`
		Frozen *bool     `json:"frozen,omitempty" doc:"Time moves only when it is told to"`
		Rate   int       `json:"rate,omitempty" minimum:"1" maximum:"1000" doc:"Virtual seconds per real second"`
	}
	partnerPart struct {
		Hash string `json:"hash" minLength:"32" maxLength:"32" pattern:"^[0-9A-Za-z]*$" patternDescription:"letters and digits"`
		PartnerFields
	}
	userPart struct {
		Hash string `json:"hash" minLength:"32" maxLength:"32" pattern:"^[0-9A-Za-z]*$" patternDescription:"letters and digits"`
		UserFields
	}
	anyMoneyPart struct {
		Config map[string]any `json:"config,omitempty" doc:"As for PUT /anymoney/config: instead of the demo's"`
		Patch  map[string]any `json:"patch,omitempty" doc:"As for PATCH /anymoney/config"`
	}
	shopPart struct {
		Login string `json:"login" minLength:"1"`
		ShopFields
	}
)

// A Step is one thing that happens. Exactly one field of the Action is given.
type Step struct {
	At    string `json:"at" pattern:"^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" patternDescription:"a time after the start, such as 90s, 1h30m or 0s, never negative" doc:"Virtual time after the start"`
	Every string `json:"every,omitempty" pattern:"^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" patternDescription:"a pause such as 10m" doc:"Once more after each such pause; times says how often"`
	Times int    `json:"times,omitempty" minimum:"1" maximum:"10000" doc:"How often in all"`
	Note  string `json:"note,omitempty" maxLength:"200" doc:"For people"`
	Action
}

// An Action is what happens in a step.
type Action struct {
	TopUp    *topUpAct      `json:"topup,omitempty" doc:"The user presses the button"`
	Refund   *refundAct     `json:"refund,omitempty" doc:"Money of a top-up by Robokassa goes back"`
	Buyer    *buyerAct      `json:"buyer,omitempty" doc:"What the buyer does on Robokassa's page"`
	Order    *orderAct      `json:"order,omitempty" doc:"An order at Any.Money is given a status, as if the payer had done it"`
	Fault    *faultsBody    `json:"fault,omitempty" doc:"Rules or a preset are armed"`
	Disarm   string         `json:"disarm,omitempty" doc:"The name of the rules, or the preset, that are disarmed"`
	Settings *settingsPatch `json:"settings,omitempty" doc:"As for PATCH /settings"`
	AnyMoney map[string]any `json:"anymoney,omitempty" doc:"As for PATCH /anymoney/config"`
	Partner  *partnerPart   `json:"partner,omitempty" doc:"A partner is added or changed"`
	User     *userPart      `json:"user,omitempty" doc:"A user is added or changed"`
	Shop     *shopPart      `json:"shop,omitempty" doc:"A shop is added or changed"`
	Clock    *clockAct      `json:"clock,omitempty" doc:"The clock is frozen, released, or runs at another rate"`
	Snapshot string         `json:"snapshot,omitempty" maxLength:"64" pattern:"^[0-9A-Za-z._-]*$" patternDescription:"letters, digits, '.', '_' and '-'" doc:"Everything is kept under this name"`
}

type (
	topUpAct struct {
		User string `json:"user" doc:"Login or hash"`
		TopUpFields
		As string `json:"as,omitempty" maxLength:"64" doc:"A name for later steps"`
	}
	refundAct struct {
		Payment string `json:"payment" doc:"The name that the step topup gave"`
		RefundFields
	}
	buyerAct struct {
		Do      string `json:"do" enum:"pay,refuse,expire"`
		Payment string `json:"payment,omitempty" doc:"The name that the step topup gave"`
		Shop    string `json:"shop,omitempty" doc:"Or else the login of a shop"`
		InvID   int64  `json:"inv_id,omitempty" minimum:"1" doc:"And its number"`
		Method  string `json:"method,omitempty" doc:"Label such as BankCardPSR; the first that is offered if empty"`
	}
	orderAct struct {
		ExternalID string `json:"externalid" minLength:"1"`
		StatusFields
	}
	clockAct struct {
		Frozen *bool `json:"frozen,omitempty"`
		Rate   *int  `json:"rate,omitempty" minimum:"1" maximum:"1000"`
	}
)

// scenarioSchema is the schema of scenarios, made from their types.
var scenarioSchema = sync.OnceValues(func() (huma.Registry, *huma.Schema) {
	registry := huma.NewMapRegistry("#/$defs/", huma.DefaultSchemaNamer)
	return registry, huma.SchemaFromType(registry, reflect.TypeFor[Scenario]())
})

// ScenarioSchema is the JSON schema of scenario files, indented.
func ScenarioSchema() ([]byte, error) {
	registry, schema := scenarioSchema()
	text, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "A scenario of mockplatform",
		"$ref":    schema.Ref,
		"$defs":   registry.Map(),
	}, "", "  ")
	return append(text, '\n'), err
}

// ParseScenario reads the text of a scenario's file, in YAML or JSON; see yamldoc.Parse for env.
// Its error is a *yamldoc.Error. What only a platform can know, such as whether a user exists,
// is found out by Player.Rehearse.
func ParseScenario(file string, text []byte, env func(string) (string, bool)) (*Scenario, error) {
	doc, err := yamldoc.Parse(file, text, env)
	if err != nil {
		return nil, err
	}
	s := &Scenario{where: doc.Line, file: file}
	if err := validateScenario(doc.Value); err != nil {
		return nil, s.located(err)
	}
	plain, err := json.Marshal(doc.Value)
	if err != nil {
		return nil, s.located(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(s); err != nil {
		return nil, s.located(err)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// validateScenario holds a value against the schema.
func validateScenario(value any) error {
	registry, schema := scenarioSchema()
	var found huma.ValidateResult
	huma.Validate(registry, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, &found)
	for _, err := range found.Errors {
		var detail *huma.ErrorDetail
		if !errors.As(err, &detail) {
			continue
		}
		switch _, number := detail.Value.(int64); detail.Message {
		case "unexpected property":
			detail.Message = "is no key here; possible are " + strings.Join(keysAround(registry, schema, detail.Location), ", ")
		case "expected string":
			if _, float := detail.Value.(float64); number || float {
				detail.Message = "expected text: put the number in quotes"
			}
		}
	}
	if found.Errors != nil {
		return huma.Error422UnprocessableEntity("validation failed", found.Errors...)
	}
	return nil
}

// keysAround are the keys that the schema knows beside the last one of a path, which it does
// not know.
func keysAround(registry huma.Registry, s *huma.Schema, path string) []string {
	s = followed(registry, s)
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' }) {
		next := s.Properties[step]
		if strings.HasSuffix(step, "]") {
			next = s.Items
		}
		if next == nil {
			break // the last one, which may have points itself
		}
		s = followed(registry, next)
	}
	return slices.Sorted(maps.Keys(s.Properties))
}

func followed(registry huma.Registry, s *huma.Schema) *huma.Schema {
	for s.Ref != "" {
		s = registry.SchemaFromRef(s.Ref)
	}
	return s
}

// located is an error of this API as one of the scenario's file.
func (s *Scenario) located(err error) error {
	out := &yamldoc.Error{File: s.file}
	add := func(path, why string) {
		f := yamldoc.Fault{Path: path, Why: why}
		if s.where != nil {
			f.Line = s.where(path)
		}
		out.Faults = append(out.Faults, f)
	}
	for _, detail := range detailsOf(err, "") {
		add(detail.Location, detail.Message)
	}
	return out
}

// detailsOf are the parts of an error of this API, each with its place below path.
func detailsOf(err error, path string) []*huma.ErrorDetail {
	var model *huma.ErrorModel
	if !errors.As(err, &model) {
		return []*huma.ErrorDetail{{Location: path, Message: err.Error()}}
	}
	if len(model.Errors) == 0 {
		return []*huma.ErrorDetail{{Location: path, Message: model.Detail}}
	}
	var all []*huma.ErrorDetail
	for _, d := range model.Errors {
		at := path
		if rest := strings.TrimPrefix(strings.TrimPrefix(d.Location, "body"), "."); rest != "" {
			if at = rest; path != "" {
				at = path + "." + rest
			}
		}
		all = append(all, &huma.ErrorDetail{Location: at, Message: d.Message, Value: d.Value})
	}
	return all
}

// problems gathers what is wrong with the parts of a scenario.
type problems []error

func (p *problems) add(path string, err error) {
	if err == nil {
		return
	}
	for _, d := range detailsOf(err, path) {
		*p = append(*p, d)
	}
}

func (p problems) error() error {
	if len(p) == 0 {
		return nil
	}
	return huma.Error422UnprocessableEntity("validation failed", p...)
}

// maxMoments bounds a timeline with all its repetitions.
const maxMoments = 10_000

// A moment is a step at one of its times.
type moment struct {
	at   time.Duration
	step int
}

// check finds what the schema cannot say. Its error is a *yamldoc.Error.
func (s *Scenario) check() error {
	var bad problems
	s.moments(&bad)
	names := map[string]bool{}
	for i := range s.Timeline {
		step, path := &s.Timeline[i], stepPath(i)
		if n := len(step.given()); n != 1 {
			bad.add(path, fmt.Errorf("has %d actions: give one of %s", n, strings.Join(actionNames(), ", ")))
		}
		if a := step.TopUp; a != nil && a.As != "" {
			if names[a.As] {
				bad.add(path+".topup.as", fmt.Errorf("%q is the name of an earlier top-up", a.As))
			}
			if step.Times > 1 {
				bad.add(path+".topup.as", errors.New("is one name for many top-ups: leave times out"))
			}
			names[a.As] = true
		}
		if a := step.Buyer; a != nil && (a.Payment != "") == (a.Shop != "" || a.InvID != 0) {
			bad.add(path+".buyer", errors.New("give payment, or shop and inv_id"))
		}
		if a := step.Clock; a != nil && a.Frozen == nil && a.Rate == nil {
			bad.add(path+".clock", errors.New("give frozen or rate"))
		}
	}
	if err := bad.error(); err != nil {
		return s.located(err)
	}
	return nil
}

func stepPath(i int) string { return fmt.Sprintf("timeline[%d]", i) }

// moments is the timeline in the order of time.
func (s *Scenario) moments(bad *problems) []moment {
	var all []moment
	for i := range s.Timeline {
		step := &s.Timeline[i]
		at := stepTime(bad, stepPath(i)+".at", step.At)
		var pause time.Duration
		switch {
		case step.Every != "" && step.Times == 0:
			bad.add(stepPath(i)+".every", errors.New("needs times: how often in all"))
		case step.Every == "" && step.Times > 1:
			bad.add(stepPath(i)+".times", errors.New("needs every: the pause between two times"))
		case step.Every != "":
			pause = stepTime(bad, stepPath(i)+".every", step.Every)
			if pause > 0 && time.Duration(step.Times-1) > maxStepTime/pause {
				bad.add(stepPath(i)+".times", fmt.Errorf("ends later than %s", maxStepTime))
				pause = 0
			}
		}
		for n := range max(step.Times, 1) {
			if len(all) == maxMoments {
				bad.add("timeline", fmt.Errorf("has more than %d steps with all repetitions", maxMoments))
				return nil
			}
			all = append(all, moment{at + time.Duration(n)*pause, i})
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return int(min(max(a.at-b.at, -1), 1)) })
	return all
}

// maxStepTime bounds each time of a step, so that all repetitions together fit.
const maxStepTime = 10 * 365 * 24 * time.Hour

func stepTime(bad *problems, path, text string) time.Duration {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		bad.add(path, err)
	case d < 0 || d > maxStepTime:
		bad.add(path, fmt.Errorf("%s is not between 0s and ten years", text))
		return 0
	}
	return d
}

// given are the names of the actions that a step has.
func (s *Step) given() (names []string) {
	v := reflect.ValueOf(&s.Action).Elem()
	for i, name := range actionNames() {
		if !v.Field(i).IsZero() {
			names = append(names, name)
		}
	}
	return names
}

// actionNames are the keys of an Action.
var actionNames = sync.OnceValue(func() (names []string) {
	for f := range reflect.TypeFor[Action]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
})
