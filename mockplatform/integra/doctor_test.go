package integra_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// Every mistake that is known to be made with k is found out and named, and no key is shown.
func TestKDoctor(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	key, err := s.p.Register(acme.Hash, wire.CreateUserArgs{Username: "alice", Hash: alice})
	if err != nil {
		t.Fatal(err)
	}
	bobs, err := s.p.Register(acme.Hash, wire.CreateUserArgs{Username: "bob", Hash: bob})
	if err != nil {
		t.Fatal(err)
	}
	s.register(carol)
	const login = `{"login":"alice","hash":"` + alice + `"}`
	seal := func(cipher wire.Cipher, hash, key, text string) string {
		k, err := wire.SealText(cipher, wire.Credentials{Hash: hash, Key: key}, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	simple := func(text string) string { return seal(wire.Simple, alice, key, text) }
	// A text whose base64 has a '+' and a '/', and needs padding.
	odd := simple(login)
	for pad := ""; !strings.Contains(odd, "+") || !strings.Contains(odd, "/") || !strings.HasSuffix(odd, "="); pad += "x" {
		odd = simple(`{"login":"alice","hash":"` + alice + `","x":"` + pad + `"}`)
	}
	tests := []struct {
		name, method, query string
		cause               journal.Cause
		hint                string
	}{
		{"nothing", "cryptLogin", "", journal.CauseMissing, "no parameter k"},
		{"capital K", "cryptLogin", "K=" + url.QueryEscape(odd), journal.CauseCase, "named K"},
		{"plus", "cryptLogin", "k=" + odd, journal.CauseEncoding, "%2B"},
		{"encoded twice", "cryptLogin", "k=" + url.QueryEscape(url.QueryEscape(odd)), journal.CauseEncoding, "twice"},
		{"url-safe", "cryptLogin", "k=" + url.QueryEscape(strings.NewReplacer("+", "-", "/", "_").Replace(odd)), journal.CauseEncoding, "url-safe"},
		{"no padding", "cryptLogin", "k=" + url.QueryEscape(strings.TrimRight(odd, "=")), journal.CauseEncoding, "padding"},
		{"wrapped", "cryptLogin", "k=" + url.QueryEscape(odd[:60]+"\r\n"+odd[60:]), journal.CauseEncoding, "lines"},
		{"no prefix", "cryptLogin", "k=" + url.QueryEscape(odd[3:]), journal.CauseParts, "prefix"},
		{"prefix in capitals", "cryptLogin", "k=" + url.QueryEscape("ZAA"+odd[3:]), journal.CauseCase, "prefix"},
		{"hash in capitals", "cryptLogin", "k=" + url.QueryEscape(odd[:3]+strings.ToUpper(alice)+odd[35:]), journal.CauseCase, "hash"},
		{"partner's key", "cryptLogin", "k=" + url.QueryEscape(seal(wire.Simple, alice, acme.Key, login)), journal.CauseWrongKey, "partner's key"},
		{"user's key", "createUser", "k=" + url.QueryEscape(seal(wire.Simple, acme.Hash, key, login)), journal.CauseWrongKey, "user " + alice},
		{"another user's key", "cryptLogin", "k=" + url.QueryEscape(seal(wire.Simple, alice, bobs, login)), journal.CauseWrongKey, "user " + bob},
		{"another partner's key", "createUser", "k=" + url.QueryEscape(seal(wire.Simple, acme.Hash, plain.Key, login)), journal.CauseWrongKey, "partner " + plain.Hash},
		{"a key of nobody", "createUser", "k=" + url.QueryEscape(seal(wire.Simple, acme.Hash, strings.Repeat("z", 51), login)), journal.CauseWrongKey, "no key"},
		{"key with a line end", "cryptLogin", "k=" + url.QueryEscape(seal(wire.Simple, alice, key+"\n", login)), journal.CauseWrongKey, "line end"},
		{"key cut", "cryptLogin", "k=" + url.QueryEscape(seal(wire.Simple, alice, key[:len(key)-1], login)), journal.CauseWrongKey, "last character"},
		{"only encoded", "cryptLogin", "k=" + url.QueryEscape("zaa"+alice+base64.StdEncoding.EncodeToString([]byte(login))), journal.CauseAlgorithm, "cipher base64"},
		{"encrypted for one who encodes", "cryptLogin", "k=" + url.QueryEscape(seal(wire.Simple, carol, "x", login)), journal.CauseUnknown, "under the path"},
		{"user's hash for the partner", "createUser", "k=" + url.QueryEscape(seal(wire.Simple, alice, acme.Key, login)), journal.CauseParts, "hash in k is a user's"},
		{"partner's hash for a user", "cryptLogin", "k=" + url.QueryEscape(seal(wire.Simple, acme.Hash, key, login)), journal.CauseParts, "hash in k is the partner's"},
		{"nobody", "cryptLogin", "k=" + url.QueryEscape(seal(wire.Simple, strings.Repeat("e", 32), key, login)), journal.CauseUnknown, "nobody"},
		{"JSON in JSON", "cryptLogin", "k=" + url.QueryEscape(simple(`"{\"login\":\"alice\"}"`)), journal.CauseEncoding, "encoded twice"},
		{"a form", "cryptLogin", "k=" + url.QueryEscape(simple(`login=alice&hash=`+alice)), journal.CauseEncoding, "form"},
		{"serialized", "cryptLogin", "k=" + url.QueryEscape(simple(`a:1:{s:5:"login";s:5:"alice";}`)), journal.CauseEncoding, "serialize"},
		{"windows-1251", "cryptLogin", "k=" + url.QueryEscape(simple("{\"login\":\"\xe0\xeb\xe8\xf1\xe0\"}")), journal.CauseEncoding, "UTF-8"},
		{"broken JSON", "cryptLogin", "k=" + url.QueryEscape(simple(`{"login":"alice",}`)), journal.CauseEncoding, "broken"},
		{"a list", "cryptLogin", "k=" + url.QueryEscape(simple(`[1]`)), journal.CauseEncoding, "not one JSON object"},
	}
	for _, tt := range tests {
		s.send(http.MethodGet, "/partners/acme/"+tt.method+"?"+tt.query, "")
		e := s.last().Redacted()
		if e.Verdict.OK || e.Diagnosis == nil {
			t.Errorf("%s: verdict %+v, diagnosis %+v", tt.name, e.Verdict, e.Diagnosis)
			continue
		}
		d := *e.Diagnosis
		if tt.cause != journal.CauseUnknown && d.Cause != tt.cause || !strings.Contains(d.Hint, tt.hint) || d.Want == "" {
			t.Errorf("%s: %+v", tt.name, d)
		}
		for _, secret := range []string{key, bobs, acme.Key} {
			if strings.Contains(d.Hint+d.Got+d.Want, secret) {
				t.Errorf("%s: a key is shown: %+v", tt.name, d)
			}
		}
	}
	s.send(http.MethodPost, "/partners/acme/cryptLogin", "k="+url.QueryEscape(odd))
	if d := s.last().Diagnosis; d == nil || !strings.Contains(d.Hint, "in the body") {
		t.Errorf("k in the body: %+v", d)
	}
	// A call that is right has no diagnosis, nor has one that is refused for another reason.
	s.send(http.MethodGet, "/partners/acme/cryptLogin?k="+url.QueryEscape(simple(login)), "")
	if e := s.last(); !e.Verdict.OK || e.Diagnosis != nil {
		t.Errorf("a right call: %+v, %+v", e.Verdict, e.Diagnosis)
	}
	s.send(http.MethodGet, "/partners/acme/cryptLogin?k="+url.QueryEscape(simple(`{"login":"bob","hash":"`+alice+`"}`)), "")
	if e := s.last(); e.Verdict.OK || e.Diagnosis != nil {
		t.Errorf("a wrong login: %+v, %+v", e.Verdict, e.Diagnosis)
	}
}

// The doctor looks at anything without harm.
func FuzzKDoctor(f *testing.F) {
	for _, query := range []string{"k=zaa" + alice + "e30=", "K=1", "k=%25", "k=zaa" + acme.Hash + "e30=", "k=zaa"} {
		f.Add("cryptLogin", query, "k=1")
	}
	s := newStand(f)
	s.register(alice)
	f.Fuzz(func(t *testing.T, method, query, body string) {
		r, err := http.NewRequest(http.MethodPost, "http://localhost/iframe/"+url.PathEscape(method)+"?"+query, strings.NewReader(body))
		if err != nil || strings.ContainsAny(query, "#") {
			t.Skip()
		}
		r.RequestURI = r.URL.RequestURI()
		s.do(r)
		e := s.journal.List(journal.Filter{Limit: 1})[0]
		if e.Diagnosis != nil && (e.Diagnosis.Hint == "" || e.Diagnosis.Cause == "") {
			t.Errorf("an empty diagnosis: %+v", e.Diagnosis)
		}
	})
}
