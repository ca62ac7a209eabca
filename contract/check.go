package contract

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

// A Check is one promise of the agreement and the way to find out whether it is kept.
type Check struct {
	ID       string // area and number: INT-NOTIFY-03
	Title    Text   // what is promised, as a sentence without a full stop
	Clause   string // what it proves: a section of the protocol's description
	Severity Severity
	Needs    []Need // what a target must support; without it the check is skipped

	// Scene is how the platform behaves meanwhile, as its settings for Integra; nil for the
	// defaults.
	Scene Scene
	// Users are the balances of the check's users at the adapter, made before the scene is set.
	Users []string
	// Alone is for checks that change what others rely on; NeedKill and NeedClock imply it.
	Alone bool
	// Run finds out. It ends early, by T's methods, at the first promise that is not kept.
	Run func(*T)
}

// Text is a text for people in both languages.
type Text struct {
	En string `json:"en"`
	Ru string `json:"ru"`
}

// clauseInRussian has the words of clauses that are no names.
var clauseInRussian = strings.NewReplacer(", flow ", ", поток ", ", open questions", ", открытые вопросы")

// ClauseIn returns a check's clause in a language: ru, or else English.
func ClauseIn(lang, clause string) string {
	if lang == "ru" {
		return clauseInRussian.Replace(clause)
	}
	return clause
}

// String returns the text in English.
func (t Text) String() string { return t.En }

// In returns the text in a language: ru, or else English.
func (t Text) In(lang string) string {
	if lang == "ru" {
		return t.Ru
	}
	return t.En
}

// Severity says how bad it is not to keep a promise.
type Severity string

// The severities. Only Must makes a run fail.
const (
	Must   Severity = "must"
	Should Severity = "should"
)

// A Need is something that not every target supports.
type Need string

// What a check can need.
const (
	NeedAdapter  Need = "adapter"   // the target is an adapter
	NeedKill     Need = "kill"      // the adapter may be killed and started again
	NeedProof    Need = "proof"     // its notification URL carries {proof}
	NeedExpired  Need = "expired"   // the hook gives an expired proof
	NeedLink     Need = "link"      // the hook gives the user's login link
	NeedPay      Need = "pay"       // the hook makes direct payments
	NeedRefund   Need = "refund"    // the hook makes refunds
	NeedControl  Need = "control"   // the platform has a control API
	NeedClock    Need = "clock"     // its time can be moved
	NeedFaults   Need = "faults"    // it misbehaves on demand
	NeedWrite    Need = "write"     // something may be changed
	NeedIntegra  Need = "integra"   // the platform speaks Integra
	NeedAnyMoney Need = "anymoney"  // the platform speaks Any.Money
	NeedSCI      Need = "sci"       // and its SCI form
	NeedRobo     Need = "robokassa" // the platform speaks Robokassa
)

// alone tells whether a check with the need has the target for itself.
func (n Need) alone() bool { return n == NeedKill || n == NeedClock }

func (c *Check) needs(n Need) bool { return slices.Contains(c.Needs, n) }

// alone tells whether no other check may run beside c.
func (c *Check) alone() bool { return c.Alone || slices.ContainsFunc(c.Needs, Need.alone) }

// Area is the id without its number.
func (c *Check) Area() string { return c.ID[:max(strings.LastIndexByte(c.ID, '-'), 0)] }

// A Scene changes how the platform behaves towards everybody: settings for Integra, as in
// PATCH /settings.
type Scene map[string]any

// An Area is a group of checks about one subject.
type Area struct {
	ID      string
	Title   Text
	Why     Text   // what goes wrong in production where its checks do not hold
	Mend    Text   // how to mend it
	Example string // an exchange as it should be, without words of any language
}

// Checks returns every check there is, those of adapters first.
func Checks() []Check { return slices.Clone(allChecks()) }

// allChecks makes the list once: titles and values are read from files.
var allChecks = sync.OnceValue(func() []Check { return slices.Concat(adapterChecks(), platformChecks()) })

// Areas returns every area there is, in the order of the checks.
func Areas() []Area { return slices.Clone(areas) }

// AreaOf returns the area that the check with the id belongs to.
func AreaOf(id string) Area {
	c := Check{ID: id}
	for _, a := range areas {
		if a.ID == c.Area() {
			return a
		}
	}
	return Area{ID: c.Area()}
}

// Select returns those of checks that one of the patterns in only (all, if there is none)
// and none of those in skip names. A pattern is an id, an area or has a * for anything. A
// pattern that names no check is an error: it would silently judge nothing.
func Select(checks []Check, only, skip []string) ([]Check, error) {
	for _, pattern := range slices.Concat(only, skip) {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if !slices.ContainsFunc(checks, func(c Check) bool { return named(&c, pattern) }) {
			return nil, fmt.Errorf("pattern %q names no check; `contract list` shows them", pattern)
		}
	}
	var chosen []Check
	for _, c := range checks {
		by := func(pattern string) bool { return named(&c, pattern) }
		if (len(only) == 0 || slices.ContainsFunc(only, by)) && !slices.ContainsFunc(skip, by) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("nothing is left to check: everything is skipped")
	}
	return chosen, nil
}

func named(c *Check, pattern string) bool {
	pattern = strings.ToUpper(pattern)
	if strings.HasPrefix(c.ID, pattern+"-") { // an area, or a protocol
		return true
	}
	ok, _ := path.Match(pattern, c.ID)
	return ok
}
