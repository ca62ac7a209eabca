package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// saved is a set as a file keeps it.
type saved struct {
	Seq     int
	NoMagic bool
	Rules   []savedRule
}

type savedRule struct {
	Seq               int
	Rule              Rule
	Seen, Acted, Left int
	Ahead             int // exchanges until it is next due; 0 for each, -1 for never
	Fleeting          bool
	Chance            []byte
}

// Save returns the rules and how far each has come, for Load.
func (s *Set) Save() ([]byte, error) {
	s.mu.Lock() // no exchange is at it meanwhile
	defer s.mu.Unlock()
	all := saved{Seq: s.seq, NoMagic: !s.MagicOn()}
	for _, a := range s.rules {
		chance, err := a.src.MarshalBinary()
		if err != nil {
			return nil, err
		}
		one := savedRule{a.seq, a.Rule, a.state().Seen, a.acted, a.left, 0, a.fleeting, chance}
		switch {
		case a.group == nil || a.next == 0:
		case a.next == never:
			one.Ahead = -1
		default:
			one.Ahead = a.next - a.group.count
		}
		all.Rules = append(all.Rules, one)
	}
	return json.Marshal(all)
}

// ErrState is text that Save did not write.
var ErrState = errors.New("no state of faults")

// Load replaces the rules by those that Save returned, and breaks off what waits. Its error
// wraps ErrState, when nothing was changed.
func (s *Set) Load(text []byte) error {
	var all saved
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	if len(all.Rules) > MaxRules {
		return fmt.Errorf("%w: %d rules", ErrState, len(all.Rules))
	}
	rules := make([]*armed, len(all.Rules))
	for i, one := range all.Rules {
		a := &armed{
			Rule: one.Rule, id: "f" + strconv.Itoa(one.Seq), seq: one.Seq, src: rand.NewChaCha8([32]byte{}),
			left: one.Left, acted: one.Acted, seen: one.Seen, fleeting: one.Fleeting,
		}
		err := a.check(s.cfg.Protocols)
		if err == nil {
			err = a.src.UnmarshalBinary(one.Chance)
		}
		if err == nil && (one.Seen < 0 || i > 0 && one.Seq <= rules[i-1].seq || one.Seq > all.Seq || one.Ahead > math.MaxInt32) {
			err = errors.New("its numbers are not in order")
		}
		if err != nil {
			return fmt.Errorf("%w: rule %d: %w", ErrState, one.Seq, err)
		}
		a.rnd = rand.New(a.src) //nolint:gosec // repeatable on purpose
		rules[i] = a
	}
	s.Reset()
	s.DisarmAll()
	s.UseMagic(!all.NoMagic)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq, s.rules = all.Seq, rules
	for i, a := range rules {
		if a.left == 0 {
			continue
		}
		s.join(a)
		a.base -= a.seen
		switch ahead := all.Rules[i].Ahead; {
		case ahead < 0:
			a.next = never
		case ahead > 0:
			a.next = a.group.count + ahead
		}
		a.group.admit(a)
	}
	return nil
}
