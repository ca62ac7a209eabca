package contract_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract"
)

func noEnv(string) (string, bool) { return "", false }

// What is wrong with a target is said by line and key, all of it at once.
func TestTargetFaults(t *testing.T) {
	t.Parallel()
	const good = `
adapter:
  notify_url: http://127.0.0.1:8080/notify?id={id}&amount={amount}&hash={hash}
  users: adopt
  hook: {url: "http://127.0.0.1:8080/hook", operations: [adopt, deposit, balance]}
stand_in: {listen: "127.0.0.1:8090"}
`
	for _, tt := range []struct {
		name, text string
		want       []string // parts of the error; none for a good target
	}{
		{"good", good, nil},
		{"unknown key", good + "limits: {anwser: 5s}", []string{"line 7: limits.anwser: ", `"anwser" is no key here`, "answer, settle, hook, start, check"}},
		{"unknown key within", strings.Replace(good, "users: adopt", "user: adopt", 1), []string{"line 4: adapter.user: ", `"user" is no key here`, "users"}},
		{"two unknown keys", good + "limits: {a: 1s}\nx: 1", []string{"2 to mend", `line 7: limits.a: "a"`, `line 8: x: "x"`}},
		{"an empty file", "", []string{"line 1: is empty"}},
		{"a list for keys", "adapter: [1, 2]", []string{"line 1: adapter: here is a list where the keys notify_url, partner, users"}},
		{"a text for a command", strings.Replace(good, "users: adopt", "users: adopt\n  stop: service stop x", 1), []string{"line 5: adapter.stop: here is a text where a list of texts"}},
		{"a text for a day", good + "accept: [{check: INT-NOTIFY-01, reason: r, until: next week}]", []string{"line 7: accept[0].until: here is a text where a day such as 2026-12-31 must be"}},
		{"two targets", good + "---\n" + good, []string{"line 9: is a second document"}},
		{"no YAML", "adapter: [", []string{"line 1"}},
		{"nothing to judge", "name: x", []string{"adapter, platform: give one of them"}},
		{"both", good + "platform: {integra: {url: 'http://x', partner: {hash: c9cb3d6a7f7b802f170ca8a166c1375e, key: k, path: p}}}", []string{"adapter, platform: give one of them"}},
		{"a request of no operation", strings.Replace(good, "[adopt, deposit, balance]", "[adopt, deposit, balance], requests: {refill: {post: 'http://x'}}", 1), []string{"line 5: adapter.hook.requests.refill: is none of register, adopt"}},
		{"a request with two addresses", strings.Replace(good, "[adopt, deposit, balance]", "[adopt, deposit], requests: {balance: {get: 'http://x', post: 'http://x'}}", 1), []string{"adapter.hook.requests.balance: give one address"}},
		{"an unknown key of a request", strings.Replace(good, "[adopt, deposit, balance]", "[adopt, deposit], requests: {balance: {url: 'http://x'}}", 1), []string{`line 5: adapter.hook.requests.balance.url: "url" is no key here; possible are get, post, put, body`}},
		{"no template", "adapter: {hook: {url: 'http://x', operations: [register, link, deposit, balance]}}\nstand_in: {listen: 'x:1'}", []string{"adapter.notify_url: is missing"}},
		{"a template without id", strings.Replace(good, "{id}", "1", 1), []string{"adapter.notify_url", "lacks {id}"}},
		{"no address", strings.Replace(good, "http://127.0.0.1:8080/hook", "localhost", 1), []string{"adapter.hook.url", `"localhost" is no address`}},
		{"no balance", strings.Replace(good, ", balance", "", 1), []string{"line 5: adapter.hook.balance: is missing"}},
		{"no such operation", strings.Replace(good, "deposit,", "deposit, refill,", 1), []string{"adapter.hook.operations[2]", `"refill" is none of`}},
		{"a proof without its operation", strings.Replace(good, "{hash}", "{hash}&t={proof}", 1), []string{"adapter.hook.proof: is missing"}},
		{"registering without a link", strings.Replace(strings.ReplaceAll(good, "adopt", "register"), "users: register", "users: register", 1), []string{"adapter.hook.link: is missing"}},
		{"where does it look for the platform?", strings.Replace(good, "stand_in: {listen: \"127.0.0.1:8090\"}", "", 1), []string{"stand_in.listen: is missing"}},
		{"a kill without a start", strings.Replace(good, "users: adopt", "users: adopt\n  kill: [kill, x]", 1), []string{"adapter.kill"}},
		{"an unknown variable", strings.Replace(good, "8080/hook", "${HOOK_PORT}/hook", 1), []string{"line 5: adapter.hook.url: ${HOOK_PORT}: there is no such variable"}},
		{"a variable that nobody fills in", strings.Replace(strings.Replace(good, "127.0.0.1:8080/notify", "${lisen}/notify", 1), "127.0.0.1:8080/hook", "${Listen}/hook", 1), []string{"2 to mend", "adapter.notify_url: ${lisen} is none of ${listen}, ${folder}", "adapter.hook.url: ${Listen} is none"}},
		{"an empty command before the start", strings.Replace(good, "users: adopt", "users: adopt\n  start: {command: [''], before: [[], ['']]}", 1), []string{"3 to mend", "adapter.start.before: is missing: a program", "adapter.start.before: begins with an empty word", "adapter.start.command: begins with an empty word"}},
		{"an empty word for a hook", strings.Replace(good, "[adopt, deposit, balance]", "[adopt, balance], deposit: ['', x]", 1), []string{"adapter.hook.deposit: begins with an empty word"}},
		{"a long limit", good + "limits: {answer: 2h}", []string{"limits.answer: must be from 0 to 1h"}},
		{"no duration", good + "limits: {answer: soon}", []string{"line 7: limits.answer: here is a text where a time such as 5s"}},
		{"a deviation of no check", good + "accept: [{check: INT-X-01, reason: r, until: 2030-01-01}]", []string{`line 7: accept[0].check: "INT-X-01" is no check`}},
		{"a deviation without reason and end", good + "accept: [{check: INT-NOTIFY-01}]", []string{"accept[0].reason: is missing", "accept[0].until: is missing"}},
		{"a key twice", good + "adapter: {}", []string{"line 7: adapter: is there twice: first on line 2"}},
		{"a text for true or false", "platform: {read_only: often, integra: {url: 1}}", []string{"line 1: platform.read_only: here is a text where true or false must be"}},
		{"a number for a list", strings.Replace(good, "users: adopt", "users: adopt\n  start: {command: 5}", 1), []string{"line 5: adapter.start.command: here is a number where a list of texts"}},
		{"a platform without protocols", "platform: {}", []string{"platform.integra, platform.anymoney, platform.robokassa: give one of them"}},
		{"half a platform", "platform: {anymoney: {url: 'http://x/', sci_url: 'http://y'}}", []string{"platform.anymoney.key: is missing", "platform.anymoney.merchant: is missing", "belong together"}},
		{"a partner's hash", "platform: {integra: {url: 'http://x', partner: {hash: abc, key: k, path: p, cipher: rot13}}}", []string{"platform.integra.partner.hash: must be 32", "rot13"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := contract.ParseTarget([]byte(tt.text), noEnv)
			if tt.want == nil {
				if err != nil {
					t.Fatalf("ParseTarget: %v; want none", err)
				}
				return
			}
			var faults *contract.TargetError
			if !errors.As(err, &faults) {
				t.Fatalf("ParseTarget: %v; want a *TargetError", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("ParseTarget: %v; want %q in it", err, part)
				}
			}
		})
	}
}

func TestTargetTakesSecretsFromTheEnvironment(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) { return "s3cret", name == "ACME_KEY" }
	target, err := contract.ParseTarget([]byte("platform: {integra: {url: 'http://x', partner: {hash: c9cb3d6a7f7b802f170ca8a166c1375e, key: '${ACME_KEY}', path: p}}}"), env)
	if err != nil {
		t.Fatal(err)
	}
	if got := target.Platform.Integra.Partner.Key; got != "s3cret" {
		t.Errorf("key %q; want that of the environment", got)
	}
}

// Texts need no quotes, numbers in the place of texts stay as they are written, and a variable
// may have a value for where there is none.
func TestTargetTakesTextsAsTheyAre(t *testing.T) {
	t.Parallel()
	target, err := contract.ParseTarget([]byte("name: ${NAME:-mine}\nplatform:\n  read_only: ${RO:-true}\n  anymoney: {url: 'http://x', merchant: 037, key: 1e3}\naccept: [{check: INT-NOTIFY-01, reason: yes, until: 2030-01-31}]\nlimits: {settle: 1m}\n"), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	m, d := target.Platform.AnyMoney, target.Accept[0]
	if target.Name != "mine" || !target.Platform.ReadOnly || m.Merchant != "037" || m.Key != "1e3" || d.Reason != "yes" || d.Until.Format(time.DateOnly) != "2030-01-31" || target.Limits.Settle != time.Minute {
		t.Errorf("read as %+v, %+v, %+v, %+v", target, target.Platform, m, d)
	}
}

// Every example that we publish is a good target.
func TestExamplesAreTargets(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../docs/examples/target-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	anything := func(string) (string, bool) { return "x", true }
	for _, file := range files {
		if _, err := contract.LoadTarget(file, anything); err != nil {
			t.Error(err)
		}
	}
	if _, err := contract.LoadTarget("../docs", os.LookupEnv); err == nil {
		t.Error("a folder was taken for a target")
	}
	if _, err := contract.LoadTarget("no-such-file.yaml", os.LookupEnv); err == nil {
		t.Error("a file that is not there was taken for a target")
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("adapter: {notify_url: 'http://x/{id}/{amount}', hook: {url: 'http://x'}}")
	f.Add("platform: {integra: {url: ${X}}}\naccept: [{check: a, until: 2026-01-01}]")
	f.Fuzz(func(t *testing.T, text string) {
		target, err := contract.ParseTarget([]byte(text), func(string) (string, bool) { return "v", true })
		if (target == nil) == (err == nil) {
			t.Errorf("ParseTarget(%q) = %v, %v; want one of them", text, target, err)
		}
	})
}
