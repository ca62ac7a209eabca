package contract

import (
	"strings"
	"testing"
)

// Secrets are masked wherever they came up, url-encoded too; in a command, what vouches for a
// user of the run stays.
func TestHide(t *testing.T) {
	t.Parallel()
	const key, password, proof = "api+key/of merchant", "pass", "eyJ.proof"
	c := &T{env: &env{target: &Target{
		Adapter:  &AdapterTarget{},
		Platform: &PlatformTarget{AnyMoney: &AnyMoneyTarget{Key: key, SCIKey: "abc"}, Robokassa: &RobokassaTarget{Password1: password, Password2: password + "word"}},
	}}}
	c.secret(proof)
	c.record(Exchange{
		Request: "GET /?key=api%2Bkey%2Fof+merchant&p=password&token=" + proof, Response: "key: " + key + ` "api+key\/of merchant"`, Args: `{"p":"pass"}`, Err: "no " + key,
		Curl: "curl 'http://x/?token=" + proof + "&key=api%2Bkey%2Fof+merchant' # abc",
	})
	c.failure = failure(0, Text{"not " + key, "не " + key}, verbatim(proof))
	c.broken = errorf("hook %s: %w", "deposit", errTooLong)
	c.broken = errorf("%s: %w", key, c.broken)
	e := c.ending()
	want := Exchange{
		Request: "GET /?key=" + mask + "&p=" + mask + "&token=" + mask, Response: "key: " + mask + ` "` + mask + `"`, Args: `{"p":"` + mask + `"}`, Err: "no " + mask,
		Curl: "curl 'http://x/?token=" + proof + "&key=" + mask + "' # abc", // three letters are in every text
	}
	if got := e.exchanges[0]; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if e.why != (Text{mask + ": hook deposit: the answer is longer than 1 MiB", mask + ": hook deposit: ответ длиннее 1 МиБ"}) {
		t.Errorf("the run's error says %+v", e.why)
	}
	if f := e.failure; f.Want != "not "+mask || f.Got != mask || f.WantRu != "не "+mask || f.GotRu != mask {
		t.Errorf("the failure says %+v", f)
	}
	if c.failure.Got != proof || !strings.Contains(c.exchanges[0].Request, proof) {
		t.Error("the check's own record was changed")
	}
}

// Nor is a secret in what the report says beside the checks: of the target, of a variable
// that is one by its name, of the hook, of a check's user.
func TestHideProblems(t *testing.T) {
	t.Parallel()
	target, err := ParseTarget([]byte("platform: {integra: {url: 'http://${HOST}', partner: {hash: c9cb3d6a7f7b802f170ca8a166c1375e, key: '${ACME_KEY}', path: '${DB_PASSWORD}'}}}"), func(name string) (string, bool) {
		return "value-of-" + name, true
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{env: &env{target: target, hook: &targetHook{printed: "bearer"}}, report: &Report{}, ts: []*T{nil, {secrets: []string{"proof"}}}}
	r.report.problem(errorf("%s: %w", "value-of-HOST value-of-ACME_KEY value-of-DB_PASSWORD bearer proof", errTooLong))
	r.hide()
	const rest = "value-of-HOST " + mask + " " + mask + " " + mask + " " + mask
	if got := r.report.ProblemsIn("en")[0]; got != rest+": the answer is longer than 1 MiB" {
		t.Errorf("in English: %s", got)
	}
	if got := r.report.ProblemsIn("ru")[0]; got != rest+": ответ длиннее 1 МиБ" {
		t.Errorf("in Russian: %s", got)
	}
}
