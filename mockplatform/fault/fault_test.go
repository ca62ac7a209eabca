package fault_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var protocols = []fault.Protocol{
	{Name: "integra", In: []string{"confirmPayment", "declinePayment", "cryptLogin"}, Out: []string{"notify"}, Users: true},
	{Name: "anymoney", In: []string{"payin.create"}, Out: []string{"callback"}, SignsAnswers: true, SignsOut: true},
}

func newSet(t testing.TB, seed uint64, rules ...fault.Rule) *fault.Set {
	t.Helper()
	c, err := clock.New(clock.State{Frozen: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := fault.New(fault.Config{Clock: c, Seed: seed, Protocols: protocols, Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		c.Close()
	})
	return s
}

// rule drops what matches.
func rule(m fault.Match) fault.Rule {
	return fault.Rule{Match: m, Act: fault.Act{Do: fault.DropBefore}}
}

func confirm(user, payment string) *journal.Exchange {
	return &journal.Exchange{Protocol: "integra", Method: "confirmPayment", Direction: journal.In, User: user, Payment: payment}
}

// acts sends n exchanges and tells which of them, from 1, a rule acted on.
func acts(s *fault.Set, n int, e func(int) *journal.Exchange) (found []string) {
	for i := 1; i <= n; i++ {
		if p := s.Match(e(i), false, nil); p != nil {
			id, _, _ := strings.Cut(p.String(), " ")
			found = append(found, fmt.Sprint(i, ":", id))
		}
	}
	return found
}

func TestPick(t *testing.T) {
	t.Parallel()
	m := fault.Match{Method: "confirmPayment"}
	with := func(change func(*fault.Match)) fault.Rule {
		m := m
		change(&m)
		return rule(m)
	}
	tests := []struct {
		name  string
		rules []fault.Rule
		want  []string
	}{
		{"each", []fault.Rule{rule(m)}, []string{"1:f1", "2:f1", "3:f1", "4:f1", "5:f1", "6:f1"}},
		{"nth", []fault.Rule{with(func(m *fault.Match) { m.Nth = new(3) })}, []string{"3:f1"}},
		{"every", []fault.Rule{with(func(m *fault.Match) { m.Every = new(2) })}, []string{"2:f1", "4:f1", "6:f1"}},
		{"count", []fault.Rule{with(func(m *fault.Match) { m.Count = new(2) })}, []string{"1:f1", "2:f1"}},
		{"every, count", []fault.Rule{with(func(m *fault.Match) { m.Every, m.Count = new(2), new(2) })}, []string{"2:f1", "4:f1"}},
		{"certain", []fault.Rule{with(func(m *fault.Match) { m.Probability, m.Count = new(1.), new(1) })}, []string{"1:f1"}},
		{"the oldest acts, all count", []fault.Rule{
			with(func(m *fault.Match) { m.Nth = new(2) }), with(func(m *fault.Match) { m.Every = new(2) }),
			with(func(m *fault.Match) { m.Nth = new(5) }),
		}, []string{"2:f1", "4:f2", "5:f3", "6:f2"}},
		{"one spent, the next takes over", []fault.Rule{
			with(func(m *fault.Match) { m.Count = new(2) }), with(func(m *fault.Match) { m.Count = new(1) }),
		}, []string{"1:f1", "2:f1", "3:f2"}},
		{"groups of other shapes", []fault.Rule{
			with(func(m *fault.Match) { m.User, m.Nth = "u1", new(2) }),
			with(func(m *fault.Match) { m.User, m.Count = "u0", new(1) }),
			rule(fault.Match{Protocol: "integra", Direction: journal.In, Nth: new(2)}),
			rule(fault.Match{Payment: "p5"}),
			rule(fault.Match{Payment: "p5", User: "u0"}),
			rule(fault.Match{Protocol: "anymoney"}),
			rule(fault.Match{Direction: journal.Out}),
		}, []string{"2:f2", "3:f1", "5:f4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t, 1, tt.rules...)
			each := func(i int) *journal.Exchange { return confirm(fmt.Sprint("u", i%2), fmt.Sprint("p", i)) }
			if diff := cmp.Diff(tt.want, acts(s, 6, each)); diff != "" {
				t.Errorf("acts (-want +got):\n%s", diff)
			}
			s.Reset()
			if diff := cmp.Diff(tt.want, acts(s, 6, each)); diff != "" {
				t.Errorf("acts after a reset (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever rules are armed and disarmed in between, those act that a plain count would choose.
func TestPickAgainstModel(t *testing.T) {
	t.Parallel()
	type model struct {
		m          fault.Match
		id         string
		seen, left int
	}
	rapid.Check(t, func(t *rapid.T) {
		c, _ := clock.New(clock.State{Frozen: true})
		defer c.Close()
		s, err := fault.New(fault.Config{Clock: c, Protocols: protocols})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var armed []*model
		some := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0, 1: // arm
				m := fault.Match{
					Protocol: some("protocol", "", "integra"), Method: some("method", "", "confirmPayment", "declinePayment"),
					User: some("user", "", "u1", "u2"), Payment: some("payment", "", "", "p1"),
				}
				n := rapid.IntRange(1, 4).Draw(t, "n")
				left := -1
				switch some("pick", "each", "nth", "every", "count", "every count") {
				case "nth":
					m.Nth, left = new(n), 1
				case "every":
					m.Every = new(n)
				case "count":
					m.Count, left = new(n), n
				case "every count":
					m.Every, m.Count, left = new(n), new(2), 2
				}
				state, err := s.Arm(rule(m))
				if err != nil {
					t.Fatal(err)
				}
				armed = append(armed, &model{m: m, id: state.ID, left: left})
			case 2: // disarm
				if len(armed) > 0 {
					i := rapid.IntRange(0, len(armed)-1).Draw(t, "which")
					if err := s.Disarm(armed[i].id); err != nil {
						t.Fatal(err)
					}
					armed = slices.Delete(armed, i, i+1)
				}
			default: // an exchange
				e := confirm(some("of", "u1", "u2"), some("pays", "p1", "p2"))
				e.Method = some("calls", "confirmPayment", "declinePayment")
				want := ""
				for _, a := range armed {
					fits := func(field, value string) bool { return field == "" || field == value }
					if a.left == 0 || !fits(a.m.Method, e.Method) || !fits(a.m.User, e.User) || !fits(a.m.Payment, e.Payment) {
						continue
					}
					a.seen++
					due := a.m.Nth == nil && a.m.Every == nil || a.m.Nth != nil && a.seen == *a.m.Nth || a.m.Every != nil && a.seen%*a.m.Every == 0
					if due && want == "" {
						want = a.id
						a.left--
					}
				}
				got := ""
				if p := s.Match(e, false, nil); p != nil {
					got, _, _ = strings.Cut(p.String(), " ")
				}
				if got != want {
					t.Fatalf("%s acts, want %q\n%+v", got, want, s.List())
				}
			}
		}
		for i, state := range s.List() {
			if state.ID != armed[i].id || state.Seen != armed[i].seen {
				t.Errorf("rule %s saw %d; want %s, %d", state.ID, state.Seen, armed[i].id, armed[i].seen)
			}
		}
	})
}

func TestProbability(t *testing.T) {
	t.Parallel()
	r := rule(fault.Match{Probability: new(.25)})
	run := func(seed uint64) string {
		return fmt.Sprint(acts(newSet(t, seed, r), 2_000, func(int) *journal.Exchange { return confirm("u", "p") }))
	}
	first := run(1)
	if n := strings.Count(first, ":"); n < 400 || n > 600 {
		t.Errorf("acted on %d of 2000; want about 500", n)
	}
	if run(1) != first {
		t.Error("equal seeds, different faults")
	}
	if run(2) == first {
		t.Error("different seeds, equal faults")
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := newSet(t, 1, rule(fault.Match{}))
	login := &journal.Exchange{Protocol: "integra", Method: "cryptLogin", Direction: journal.In}
	if p := s.Match(login, true, nil); p != nil {
		t.Errorf("a rule without a method acted on a page: %s", p)
	}
	if _, err := s.Arm(rule(fault.Match{Method: "cryptLogin"})); err != nil {
		t.Fatal(err)
	}
	if p := s.Match(login, true, nil); p == nil || login.Fault != "f2 drop_before" {
		t.Errorf("%v, noted %q", p, login.Fault)
	}
}

func TestPaymentIsAskedForOnDemand(t *testing.T) {
	t.Parallel()
	s := newSet(t, 1, rule(fault.Match{Method: "declinePayment"}))
	asked := 0
	ask := func() string { asked++; return "p1" }
	s.Match(confirm("u", ""), false, ask)
	if asked > 0 {
		t.Error("asked, though no rule names a payment")
	}
	state, _ := s.Arm(rule(fault.Match{Payment: "p1"}))
	if p := s.Match(confirm("u", ""), false, ask); p == nil || asked != 1 {
		t.Errorf("%v, asked %d times", p, asked)
	}
	if err := s.Disarm(state.ID); err != nil {
		t.Fatal(err)
	}
	s.Match(confirm("u", ""), false, ask)
	if asked != 1 {
		t.Error("asked, though the rule is gone")
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	s := newSet(t, 1, rule(fault.Match{Count: new(1)}), rule(fault.Match{Method: "notify"}))
	acts(s, 3, func(int) *journal.Exchange { return confirm("u", "p") })
	got := s.List()
	if len(got) != 2 || got[0].Seen != 1 || got[0].Acted != 1 || !got[0].Spent || got[1].Seen != 0 || got[1].Spent {
		t.Errorf("%+v", got)
	}
	if err := s.Disarm("f9"); !errors.Is(err, fault.ErrUnknown) {
		t.Errorf("disarm an unknown rule: %v", err)
	}
	s.ArmBriefly(rule(fault.Match{Payment: "p", Count: new(1)}))
	if n := len(s.List()); n != 3 {
		t.Errorf("%d rules, want 3", n)
	}
	acts(s, 2, func(int) *journal.Exchange { return confirm("u", "p") })
	if n := len(s.List()); n != 2 {
		t.Errorf("%d rules after the brief one is spent, want 2", n)
	}
	s.DisarmAll()
	if state, _ := s.Arm(rule(fault.Match{})); state.ID != "f4" {
		t.Errorf("id %s after disarming; numbers go on", state.ID)
	}
	s.Reset()
	if got := s.List(); len(got) != 2 || got[0].ID != "f1" || got[0].Seen != 0 || got[0].Spent {
		t.Errorf("after a reset: %+v", got)
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	s := newSet(t, 1)
	many := slices.Repeat([]fault.Rule{rule(fault.Match{})}, fault.MaxRules)
	if _, _, err := s.ArmAll(many); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Arm(rule(fault.Match{})); !errors.Is(err, fault.ErrTooMany) {
		t.Errorf("one too many: %v", err)
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	drop := fault.Act{Do: fault.DropBefore}
	tests := []struct {
		name  string
		rule  fault.Rule
		field []string
	}{
		{"nothing to do", fault.Rule{}, []string{"act"}},
		{"unknown outcome", fault.Rule{Act: fault.Act{Do: "explode"}}, []string{"act.do"}},
		{"nth 0", rule(fault.Match{Nth: new(0)}), []string{"match.nth"}},
		{"every -1", rule(fault.Match{Every: new(-1)}), []string{"match.every"}},
		{"count 0", rule(fault.Match{Count: new(0)}), []string{"match.count"}},
		{"nth more than once", rule(fault.Match{Nth: new(1), Count: new(2)}), []string{"match.count"}},
		{"never", rule(fault.Match{Probability: new(0.)}), []string{"match.probability"}},
		{"more than certain", rule(fault.Match{Probability: new(1.1)}), []string{"match.probability"}},
		{"two picks", rule(fault.Match{Nth: new(1), Every: new(2)}), []string{"match"}},
		{"unknown protocol", rule(fault.Match{Protocol: "swift"}), []string{"match.protocol"}},
		{"unknown direction", rule(fault.Match{Direction: "up"}), []string{"match.direction"}},
		{"unknown method", rule(fault.Match{Method: "confirmpayment"}), []string{"match.method"}},
		{"method of another protocol", rule(fault.Match{Protocol: "anymoney", Method: "notify"}), []string{"match.method"}},
		{"method of another direction", rule(fault.Match{Direction: journal.Out, Method: "confirmPayment"}), []string{"match.method"}},
		{"no users there", rule(fault.Match{Protocol: "anymoney", User: "u"}), []string{"match.user"}},
		{"copies of a call", fault.Rule{Match: fault.Match{Direction: journal.In}, Act: fault.Act{Do: fault.Duplicate}}, []string{"act.do"}},
		{"nothing is signed", fault.Rule{Match: fault.Match{Protocol: "integra"}, Act: fault.Act{Do: fault.WrongSignature}}, []string{"act.do"}},
		{"not all is signed", fault.Rule{Act: fault.Act{Do: fault.WrongSignature}}, []string{"match"}},
		{"negative delay", fault.Rule{Act: fault.Act{DelayMS: -1}}, []string{"act.delay_ms"}},
		{"long real delay", fault.Rule{Act: fault.Act{DelayMS: 3_600_000}}, []string{"act.delay_ms"}},
		{"clock of no delay", fault.Rule{Act: fault.Act{Do: fault.Hang, Clock: fault.Virtual}}, []string{"act.clock"}},
		{"unknown clock", fault.Rule{Act: fault.Act{DelayMS: 1, Clock: "wall"}}, []string{"act.clock"}},
		{"two delays", fault.Rule{Act: fault.Act{DelayMS: 1, Delay: &fault.Delay{Kind: fault.Uniform, MaxMS: 2}}}, []string{"act.delay_ms"}},
		{"unknown distribution", fault.Rule{Act: fault.Act{Delay: &fault.Delay{Kind: "zipf"}}}, []string{"act.delay.kind"}},
		{"uniform without end", fault.Rule{Act: fault.Act{Delay: &fault.Delay{Kind: fault.Uniform, MeanMS: 3}}}, []string{"act.delay.mean_ms", "act.delay.max_ms"}},
		{"normal without mean", fault.Rule{Act: fault.Act{Delay: &fault.Delay{Kind: fault.Normal, DeviationMS: 3}}}, []string{"act.delay.mean_ms"}},
		{"backwards", fault.Rule{Act: fault.Act{Delay: &fault.Delay{Kind: fault.Uniform, MinMS: 3, MaxMS: 2}}}, []string{"act.delay.max_ms"}},
		{"status 0", fault.Rule{Act: fault.Act{Do: fault.Status}}, []string{"act.status"}},
		{"status of a drop", fault.Rule{Act: fault.Act{Do: fault.DropAfter, Status: 500}}, []string{"act.status"}},
		{"drop_after is committed anyway", fault.Rule{Act: fault.Act{Do: fault.DropAfter, Committed: new(true)}}, []string{"act.committed"}},
		{"many copies", fault.Rule{Act: fault.Act{Do: fault.Duplicate, Copies: 101}}, []string{"act.copies"}},
		{"negative pause", fault.Rule{Act: fault.Act{Do: fault.Drip, PauseMS: -1}}, []string{"act.pause_ms"}},
		{"everything", fault.Rule{Match: fault.Match{Protocol: "x", Nth: new(0)}, Act: fault.Act{Do: fault.DropAfter, Copies: 1}}, []string{"match.nth", "act.copies", "match.protocol"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t, 1)
			_, err := s.Arm(tt.rule)
			var wrong *fault.RuleError
			if !errors.As(err, &wrong) {
				t.Fatalf("Arm: %v", err)
			}
			var fields []string
			for _, f := range wrong.Fields {
				fields = append(fields, f.Field)
			}
			if diff := cmp.Diff(tt.field, fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s\n%v", diff, err)
			}
			if len(s.List()) != 0 {
				t.Error("armed all the same")
			}
			if _, at, err := s.ArmAll([]fault.Rule{{Act: drop}, tt.rule}); at != 1 || err == nil || len(s.List()) != 0 {
				t.Errorf("ArmAll: %d, %v; %d armed", at, err, len(s.List()))
			}
		})
	}
}

func TestPresets(t *testing.T) {
	t.Parallel()
	for _, name := range fault.Presets() {
		rules, err := fault.Preset(name)
		if err != nil || len(rules) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		s := newSet(t, 1, rules...)
		for _, state := range s.List() {
			if state.Rule.Name != name {
				t.Errorf("%s has a rule named %q", name, state.Rule.Name)
			}
		}
	}
	if _, err := fault.Preset("kind"); !errors.Is(err, fault.ErrUnknown) {
		t.Errorf("unknown preset: %v", err)
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	s := newSet(t, 1)
	plus := s.NewPlan("", fault.Act{Do: fault.OtherAmount})
	for text, want := range map[string]string{"100": "101", "100.50": "101.50", "9": "10", "99.99": "100.99", "0.01": "1.01", "109": "110"} {
		if got := plus.Amount(text); got != want {
			t.Errorf("Amount(%q) = %q, want %q", text, got, want)
		}
	}
	if got := s.NewPlan("", fault.Act{Do: fault.OtherAmount, Amount: "7"}).Amount("100"); got != "7" {
		t.Errorf("a given amount: %q", got)
	}
	var none *fault.Plan
	if none.Amount("1") != "1" || none.Signature("ab") != "ab" || none.Prevents() || none.String() != "" {
		t.Error("a nil plan does something")
	}
	wrong := s.NewPlan("", fault.Act{Do: fault.WrongSignature})
	for _, text := range []string{"00", "af", "f0"} {
		if got := wrong.Signature(text); got == text || len(got) != len(text) {
			t.Errorf("Signature(%q) = %q", text, got)
		}
	}
}

func TestDelaysByChance(t *testing.T) {
	t.Parallel()
	for _, d := range []fault.Delay{
		{Kind: fault.Uniform, MinMS: 10, MaxMS: 30},
		{Kind: fault.Normal, MeanMS: 20, DeviationMS: 5, MinMS: 10, MaxMS: 30},
		{Kind: fault.Exponential, MeanMS: 20, MinMS: 10, MaxMS: 30},
	} {
		s := newSet(t, 1, fault.Rule{Match: fault.Match{Direction: journal.Out}, Act: fault.Act{Delay: &d}})
		seen := map[time.Duration]bool{}
		for range 100 {
			p := s.Match(&journal.Exchange{Protocol: "integra", Method: "notify", Direction: journal.Out}, false, nil)
			wait := p.VirtualDelay()
			if wait < 10*time.Millisecond || wait > 30*time.Millisecond {
				t.Errorf("%s: %s", d.Kind, wait)
			}
			seen[wait] = true
		}
		if len(seen) < 10 {
			t.Errorf("%s: only %d different delays", d.Kind, len(seen))
		}
	}
}

// BenchmarkMatch measures an exchange beside 1 rule and beside 1,000 that it fits or not.
func BenchmarkMatch(b *testing.B) {
	fill := map[string]func(i int) fault.Match{
		"for other users":  func(i int) fault.Match { return fault.Match{User: fmt.Sprint("user", i)} },
		"never due":        func(int) fault.Match { return fault.Match{Nth: new(1 << 40)} },
		"by chance":        func(int) fault.Match { return fault.Match{Probability: new(1e-9)} },
		"of other methods": func(i int) fault.Match { return fault.Match{Method: "declinePayment", Nth: new(i + 1)} },
	}
	for name, m := range fill {
		for _, n := range []int{1, 1_000} {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				s := newSet(b, 1)
				for i := range n {
					if _, err := s.Arm(rule(m(i))); err != nil {
						b.Fatal(err)
					}
				}
				e := confirm("u", "p")
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						s.Match(e, false, nil)
					}
				})
			})
		}
	}
}

// What an amount did to notifications is forgotten with the last one; what it does to answers,
// and what others armed, stays.
func TestTold(t *testing.T) {
	t.Parallel()
	s := newSet(t, 1, rule(fault.Match{Protocol: "integra", Direction: journal.Out, Payment: "p1"}))
	for payment, amount := range map[string]string{"p1": "4040.02", "p2": "4040.13", "p3": "4040.07"} {
		s.Enchant("integra", "", payment, amount)
	}
	names := func() string {
		var all []string
		for _, f := range s.List() {
			all = append(all, f.Rule.Match.Payment+" "+f.Rule.Name)
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	for _, payment := range []string{"p1", "p2", "none"} {
		s.Told("integra", "", payment)
	}
	if got, want := names(), "p1 , p2 magic 4040.13, p3 magic 4040.07"; got != want {
		t.Errorf("armed are %q, want %q", got, want)
	}
}
