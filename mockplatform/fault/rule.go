package fault

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// A Rule says which exchanges go wrong, and how. It is a message by nature (it comes as JSON
// or YAML and is kept in files), so it carries the tags of its fields; a field that is not
// given is nil or zero.
type Rule struct {
	Name  string `json:"name,omitempty" maxLength:"100" doc:"For people; a preset's rules have its name" yaml:"name,omitempty"`
	Match Match  `json:"match,omitempty" yaml:"match,omitempty"`
	Act   Act    `json:"act" yaml:"act"`
}

// Match chooses exchanges. Empty fields match everything.
type Match struct {
	Protocol  string            `json:"protocol,omitempty" example:"integra" yaml:"protocol,omitempty"`
	Method    string            `json:"method,omitempty" example:"confirmPayment" doc:"As in the journal; without it all but pages" yaml:"method,omitempty"`
	Direction journal.Direction `json:"direction,omitempty" enum:"in,out" doc:"in: calls to the stand-in; out: its notifications and callbacks" yaml:"direction,omitempty"`
	Partner   string            `json:"partner,omitempty" maxLength:"255" doc:"Hash of a partner, lid of a merchant, login of a shop" yaml:"partner,omitempty"`
	User      string            `json:"user,omitempty" maxLength:"255" doc:"Hash" yaml:"user,omitempty"`
	Payment   string            `json:"payment,omitempty" maxLength:"255" doc:"As in the journal" yaml:"payment,omitempty"`

	Nth         *int     `json:"nth,omitempty" doc:"Only the nth that fits, from 1" yaml:"nth,omitempty"`
	Every       *int     `json:"every,omitempty" doc:"Each nth that fits" yaml:"every,omitempty"`
	Probability *float64 `json:"probability,omitempty" doc:"Of each that fits; over 0, at most 1" yaml:"probability,omitempty"`
	Count       *int     `json:"count,omitempty" doc:"Act at most so often" yaml:"count,omitempty"`
}

// Outcome is what becomes of an exchange.
type Outcome string

// The outcomes. Those of the second group are for what the stand-in sends.
const (
	DropBefore Outcome = "drop_before" // nothing happens, and the connection is closed
	DropAfter  Outcome = "drop_after"  // it happens, and the answer is lost
	Status     Outcome = "status"      // another HTTP status instead of an answer
	Hang       Outcome = "hang"        // no answer until somebody gives up
	Garbage    Outcome = "garbage"     // bytes without meaning instead of the body or the query
	Truncate   Outcome = "truncate"    // cut off in the middle
	Drip       Outcome = "drip"        // a few bytes at a time

	Duplicate      Outcome = "duplicate"       // sent again, copies and all
	Reorder        Outcome = "reorder"         // overtaken by the next one
	WrongSignature Outcome = "wrong_signature" // also of signed answers
	OtherAmount    Outcome = "other_amount"    // rightly signed, but not what was paid
)

// outcomes lists them, with what they are possible for.
var outcomes = map[Outcome]struct{ in, out bool }{
	DropBefore: {true, true}, DropAfter: {true, true}, Status: {true, true}, Hang: {true, true},
	Garbage: {true, true}, Truncate: {true, true}, Drip: {true, true},
	Duplicate: {false, true}, Reorder: {false, true}, WrongSignature: {true, true}, OtherAmount: {false, true},
}

// ClockKind is the time in which something waits.
type ClockKind string

// The times.
const (
	Real    ClockKind = "real"
	Virtual ClockKind = "virtual"
)

// Act is what goes wrong: a delay, an outcome, or one after the other.
type Act struct {
	DelayMS int64     `json:"delay_ms,omitempty" doc:"Wait so long" yaml:"delay_ms,omitempty"`
	Delay   *Delay    `json:"delay,omitempty" doc:"Wait for a time by chance, instead of delay_ms" yaml:"delay,omitempty"`
	Clock   ClockKind `json:"clock,omitempty" enum:"real,virtual" doc:"In which time the delay is; real for calls to the stand-in, virtual for what it sends, unless given" yaml:"clock,omitempty"`

	Do Outcome `json:"do,omitempty" enum:"drop_before,drop_after,status,hang,garbage,truncate,drip,duplicate,reorder,wrong_signature,other_amount" yaml:"do,omitempty"`
	// Committed is for delay, status and hang; the other outcomes leave no choice.
	Committed *bool  `json:"committed,omitempty" doc:"Of a delay, status or hang: whether the call takes effect (or is sent) first; false unless given" yaml:"committed,omitempty"`
	Status    int    `json:"status,omitempty" example:"503" doc:"Of status: 200 to 599" yaml:"status,omitempty"`
	Body      string `json:"body,omitempty" maxLength:"65536" doc:"Of status, to a caller; a page of a proxy unless given" yaml:"body,omitempty"`
	PauseMS   int64  `json:"pause_ms,omitempty" doc:"Of drip: between two pieces, 100 unless given; of duplicate: before each copy; of reorder: wait for the next at most so long, 60000 unless given" yaml:"pause_ms,omitempty"`
	Copies    int    `json:"copies,omitempty" doc:"Of duplicate: 1 unless given" yaml:"copies,omitempty"`
	Amount    string `json:"amount,omitempty" maxLength:"64" example:"100.01" doc:"Of other_amount: as it is written; one more than it should be unless given" yaml:"amount,omitempty"`
}

// Delay is a time by chance, in milliseconds.
type Delay struct {
	Kind        Distribution `json:"kind" enum:"uniform,normal,exponential" yaml:"kind"`
	MinMS       int64        `json:"min_ms,omitempty" doc:"Nothing is shorter" yaml:"min_ms,omitempty"`
	MaxMS       int64        `json:"max_ms,omitempty" doc:"Nothing is longer; required for uniform" yaml:"max_ms,omitempty"`
	MeanMS      int64        `json:"mean_ms,omitempty" doc:"Of normal and exponential" yaml:"mean_ms,omitempty"`
	DeviationMS int64        `json:"deviation_ms,omitempty" doc:"Of normal" yaml:"deviation_ms,omitempty"`
}

// Distribution is how a time by chance falls.
type Distribution string

// The distributions.
const (
	Uniform     Distribution = "uniform"
	Normal      Distribution = "normal"
	Exponential Distribution = "exponential"
)

// Bounds of rules.
const (
	MaxRealDelay    = 10 * time.Minute
	MaxVirtualDelay = 365 * 24 * time.Hour
	MaxCopies       = 100
)

// Protocol is what rules can be about; every protocol describes itself.
type Protocol struct {
	Name         string
	In           []string // methods of the journal, calls to the stand-in
	Out          []string // and what it sends
	Users        bool     // exchanges name a user
	SignsAnswers bool     // answers carry a signature
	SignsOut     bool     // what is sent carries a signature
}

// A RuleError says what is wrong with a rule. Each Field is a path from the rule, such as
// "match.nth".
type RuleError struct{ Fields []FieldError }

// A FieldError says what is wrong with one field.
type FieldError struct{ Field, Why string }

func (e *RuleError) Error() string {
	text := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		text[i] = f.Field + ": " + f.Why
	}
	return "invalid rule: " + strings.Join(text, "; ")
}

// checker collects what is wrong with a rule.
type checker struct {
	rule   *Rule
	faults []FieldError
}

func (c *checker) bad(field, format string, args ...any) {
	c.faults = append(c.faults, FieldError{field, fmt.Sprintf(format, args...)})
}

// check returns nil or a *RuleError. A rule that could never do anything is wrong.
func (r *Rule) check(known []Protocol) error {
	c := &checker{rule: r}
	c.checkPick()
	c.checkDelay()
	c.checkOutcome()
	c.checkSubject(known)
	if c.faults == nil {
		return nil
	}
	return &RuleError{c.faults}
}

func (c *checker) checkPick() {
	m := &c.rule.Match
	for _, n := range []struct {
		field string
		value *int
	}{{"match.nth", m.Nth}, {"match.every", m.Every}, {"match.count", m.Count}} {
		if n.value != nil && *n.value < 1 {
			c.bad(n.field, "%d is not positive: it would never match", *n.value)
		}
	}
	if p := m.Probability; p != nil && !(*p > 0 && *p <= 1) { // also not a number
		c.bad("match.probability", "%v is not over 0 and at most 1", *p)
	}
	picks := 0
	for _, given := range []bool{m.Nth != nil, m.Every != nil, m.Probability != nil} {
		if given {
			picks++
		}
	}
	if picks > 1 {
		c.bad("match", "nth, every and probability exclude each other")
	}
	if m.Nth != nil && m.Count != nil && *m.Count > 1 {
		c.bad("match.count", "there is only one nth exchange: leave count out")
	}
}

// clock is the time in which the delay is.
func (a *Act) clock(d journal.Direction) ClockKind {
	switch {
	case a.Clock != "":
		return a.Clock
	case d == journal.Out:
		return Virtual
	}
	return Real
}

func (a *Act) delays() bool { return a.DelayMS != 0 || a.Delay != nil }

func (c *checker) checkDelay() {
	a := &c.rule.Act
	limit := MaxVirtualDelay
	if a.clock(c.rule.Match.Direction) == Real {
		limit = MaxRealDelay
	}
	within := func(field string, ms int64) {
		if ms < 0 || ms > limit.Milliseconds() {
			c.bad(field, "%d ms is not between 0 and %d", ms, limit.Milliseconds())
		}
	}
	within("act.delay_ms", a.DelayMS)
	if a.Clock != "" && a.Clock != Real && a.Clock != Virtual {
		c.bad("act.clock", "%q is neither %q nor %q", a.Clock, Real, Virtual)
	}
	if a.Clock != "" && !a.delays() {
		c.bad("act.clock", "there is no delay to be in that time")
	}
	d := a.Delay
	if d == nil {
		return
	}
	if a.DelayMS != 0 {
		c.bad("act.delay_ms", "delay_ms and delay exclude each other")
	}
	for _, t := range []struct {
		field string
		ms    int64
	}{{"min_ms", d.MinMS}, {"max_ms", d.MaxMS}, {"mean_ms", d.MeanMS}, {"deviation_ms", d.DeviationMS}} {
		within("act.delay."+t.field, t.ms)
	}
	if d.MaxMS != 0 && d.MaxMS < d.MinMS {
		c.bad("act.delay.max_ms", "%d is less than min_ms, %d", d.MaxMS, d.MinMS)
	}
	unused := func(field string, ms int64) {
		if ms != 0 {
			c.bad("act.delay."+field, "means nothing to a delay of the kind %s", d.Kind)
		}
	}
	switch d.Kind {
	case Uniform:
		unused("mean_ms", d.MeanMS)
		unused("deviation_ms", d.DeviationMS)
		if d.MaxMS == 0 {
			c.bad("act.delay.max_ms", "is required for a uniform delay")
		}
	case Normal, Exponential:
		if d.MeanMS == 0 {
			c.bad("act.delay.mean_ms", "is required for a delay of the kind %s", d.Kind)
		}
		if d.Kind == Exponential {
			unused("deviation_ms", d.DeviationMS)
		}
	default:
		c.bad("act.delay.kind", "%q is none of %q", d.Kind, []Distribution{Uniform, Normal, Exponential})
	}
}

func (c *checker) checkOutcome() {
	a := &c.rule.Act
	switch _, known := outcomes[a.Do]; {
	case a.Do == "" && !a.delays():
		c.bad("act", "does nothing: give a delay or do")
	case a.Do != "" && !known:
		c.bad("act.do", "%q is none of %q", a.Do, slices.Sorted(maps.Keys(outcomes)))
	}
	only := func(field string, given bool, when ...Outcome) {
		if given && !slices.Contains(when, a.Do) {
			c.bad("act."+field, "is for %q, not for %q", when, a.Do)
		}
	}
	only("status", a.Status != 0, Status)
	only("body", a.Body != "", Status)
	only("pause_ms", a.PauseMS != 0, Drip, Duplicate, Reorder)
	only("copies", a.Copies != 0, Duplicate)
	only("amount", a.Amount != "", OtherAmount)
	only("committed", a.Committed != nil, "", Status, Hang)
	if a.Committed != nil && a.Do == "" && c.rule.Match.Direction == journal.Out {
		c.bad("act.committed", "means nothing to a delay of what the stand-in sends")
	}
	if a.Do == Status && (a.Status < 200 || a.Status > 599) {
		c.bad("act.status", "%d is not between 200 and 599", a.Status)
	}
	if a.Copies < 0 || a.Copies > MaxCopies {
		c.bad("act.copies", "%d is not between 1 and %d", a.Copies, MaxCopies)
	}
	limit := MaxVirtualDelay
	if a.Do == Drip {
		limit = MaxRealDelay
	}
	if a.PauseMS < 0 || a.PauseMS > limit.Milliseconds() {
		c.bad("act.pause_ms", "%d ms is not between 0 and %d", a.PauseMS, limit.Milliseconds())
	}
}

// checkSubject looks for a protocol whose exchanges the rule can match. It adds the direction
// that an outcome is only possible in.
func (c *checker) checkSubject(known []Protocol) {
	m, a := &c.rule.Match, &c.rule.Act
	if m.Direction != "" && m.Direction != journal.In && m.Direction != journal.Out {
		c.bad("match.direction", "%q is neither %q nor %q", m.Direction, journal.In, journal.Out)
		return
	}
	protocols := known
	if m.Protocol != "" {
		protocols = slices.DeleteFunc(slices.Clone(known), func(p Protocol) bool { return p.Name != m.Protocol })
		if len(protocols) == 0 {
			var names []string
			for _, p := range known {
				names = append(names, p.Name)
			}
			c.bad("match.protocol", "%q is none of %q", m.Protocol, names)
			return
		}
	}
	// What is left after each question; the first one without an answer is at fault.
	type side struct {
		p Protocol
		d journal.Direction
	}
	var sides []side
	for _, p := range protocols {
		sides = append(sides, side{p, journal.In}, side{p, journal.Out})
	}
	narrow := func(field string, fits func(side) bool, format string, args ...any) bool {
		sides = slices.DeleteFunc(sides, func(s side) bool { return !fits(s) })
		if len(sides) == 0 {
			c.bad(field, format, args...)
		}
		return len(sides) > 0
	}
	methods := func(s side) []string {
		if s.d == journal.In {
			return s.p.In
		}
		return s.p.Out
	}
	if !narrow("match.direction", func(s side) bool { return (m.Direction == "" || s.d == m.Direction) && len(methods(s)) > 0 },
		"%s has no exchanges in the direction %q", m.Protocol, m.Direction) {
		return
	}
	if m.Method != "" && !narrow("match.method", func(s side) bool { return slices.Contains(methods(s), m.Method) },
		"%.80q is no method of the protocol in that direction: it would never match", m.Method) {
		return
	}
	if m.User != "" && !narrow("match.user", func(s side) bool { return s.p.Users },
		"%s has no users: it would never match", m.Protocol) {
		return
	}
	possible, isKnown := outcomes[a.Do]
	if !isKnown {
		return
	}
	if !narrow("act.do", func(s side) bool { return s.d == journal.In && possible.in || s.d == journal.Out && possible.out },
		"%s is for what the stand-in sends: direction out", a.Do) {
		return
	}
	if !possible.in {
		m.Direction = journal.Out
	}
	if a.Do != WrongSignature {
		return
	}
	before := len(sides)
	if narrow("act.do", func(s side) bool { return s.d == journal.In && s.p.SignsAnswers || s.d == journal.Out && s.p.SignsOut },
		"nothing is signed there") && len(sides) < before {
		c.bad("match", "not all that fits is signed: give a protocol and a direction")
	}
}
