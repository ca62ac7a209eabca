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
		Request: "GET /?key=api%2Bkey%2Fof+merchant&p=password&token=" + proof, Response: "key: " + key, Args: `{"p":"pass"}`, Err: "no " + key,
		Curl: "curl 'http://x/?token=" + proof + "&key=api%2Bkey%2Fof+merchant' # abc",
	})
	c.failure = failure(0, Text{"not " + key, "не " + key}, verbatim(proof))
	e := c.ending()
	want := Exchange{
		Request: "GET /?key=" + mask + "&p=" + mask + "&token=" + mask, Response: "key: " + mask, Args: `{"p":"` + mask + `"}`, Err: "no " + mask,
		Curl: "curl 'http://x/?token=" + proof + "&key=" + mask + "' # abc", // three letters are in every text
	}
	if got := e.exchanges[0]; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if f := e.failure; f.Want != "not "+mask || f.Got != mask {
		t.Errorf("the failure says %+v", f)
	}
	if c.failure.Got != proof || !strings.Contains(c.exchanges[0].Request, proof) {
		t.Error("the check's own record was changed")
	}
}
