package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter/token"
)

const (
	user   = "0123456789abcdef0123456789abcdef"
	secret = "0123456789abcdef0123456789abcdef"
	older  = "fedcba9876543210fedcba9876543210"
	kid    = "a31cf076"
	exp    = 1_800_000_000 // of both tokens below

	// Made with Python's hmac and json modules.
	notifyElsewhere = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImEzMWNmMDc2IiwidHlwIjoiSldUIn0.eyJzdWIiOiIwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiIsImF1ZCI6WyJpbnRlZ3JhLW5vdGlmeSJdLCJleHAiOjE4MDAwMDAwMDB9.-jABAQwpWLRp6ybJ_XKNA1OFfmx9UfxPgfiaH6OIv1Y"
	apiElsewhere    = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImEzMWNmMDc2IiwidHlwIjoiSldUIn0.eyJzY29wZSI6InBheW1lbnRzOnJlYWQgdXNlcnM6d3JpdGUiLCJzdWIiOiJiaWxsaW5nIiwiYXVkIjpbInBhcnRuZXJraXQtYXBpIl0sImV4cCI6MTgwMDAwMDAwMCwianRpIjoiN2YzYSJ9.EQjmO5lscKPD0AQu8EkNNGRxgHl2XFJOeNxtv0XnkpQ"
)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func keys(t testing.TB, secrets ...string) token.Keys {
	t.Helper()
	raw := make([][]byte, len(secrets))
	for i, s := range secrets {
		raw[i] = []byte(s)
	}
	k, err := token.NewKeys(raw...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func notify(t testing.TB, c *clock, secrets ...string) *token.Notify {
	t.Helper()
	n, err := token.NewNotify(keys(t, secrets...), time.Hour, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// raw signs a token from literal JSON, as a forger would.
func raw(header, claims, secret string, h func() hash.Hash) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(h, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestNotifyMintsWhatAnotherProgramMints(t *testing.T) {
	t.Parallel()
	n := notify(t, &clock{time.Unix(exp, 0).Add(-time.Hour)}, secret)
	if got, err := n.Mint(user); got != notifyElsewhere || err != nil {
		t.Errorf("Mint = %s, %v; want %s", got, err, notifyElsewhere)
	}
}

func TestNotifyVerify(t *testing.T) {
	t.Parallel()
	const (
		header = `{"alg":"HS256","kid":"` + kid + `","typ":"JWT"}`
		claims = `{"sub":"` + user + `","aud":["integra-notify"],"exp":1800000000}`
	)
	sign := func(header, claims string) string { return raw(header, claims, secret, sha256.New) }
	dot := strings.LastIndexByte(notifyElsewhere, '.')
	tests := []struct {
		name, token string
		at          int64 // Unix seconds; 0 is well before the expiry
		err         error
		says        string
	}{
		{name: "made elsewhere", token: notifyElsewhere},
		{name: "audience as a plain string", token: sign(header, strings.NewReplacer("[", "", "]", "").Replace(claims))},
		{name: "last second, with skew", token: notifyElsewhere, at: exp + 29},
		{name: "expired", token: notifyElsewhere, at: exp + 30, err: token.ErrExpired},
		{name: "empty", token: "", err: token.ErrInvalid, says: "empty"},
		{name: "placeholder left as it was", token: "{token}", err: token.ErrInvalid, says: "malformed"},
		{name: "two parts", token: notifyElsewhere[:dot], err: token.ErrInvalid, says: "malformed"},
		{name: "four parts", token: notifyElsewhere + ".x", err: token.ErrInvalid, says: "malformed"},
		{name: "line end within the signature", token: notifyElsewhere[:dot+5] + "\n" + notifyElsewhere[dot+5:], err: token.ErrInvalid, says: "malformed"},
		{name: "other spelling of the last character", token: notifyElsewhere[:len(notifyElsewhere)-1] + "Z", err: token.ErrInvalid, says: "malformed"},
		{name: "padding", token: notifyElsewhere + "=", err: token.ErrInvalid, says: "malformed"},
		{name: "over-long", token: notifyElsewhere + strings.Repeat("A", 1024), err: token.ErrInvalid, says: "malformed"},
		{name: "signature cut", token: notifyElsewhere[:len(notifyElsewhere)-3], err: token.ErrInvalid, says: "not signed by us"},
		{name: "signature empty", token: notifyElsewhere[:dot+1], err: token.ErrInvalid, says: "not signed by us"},
		{name: "none", token: raw(`{"alg":"none","kid":"`+kid+`"}`, claims, "", sha256.New), err: token.ErrInvalid, says: "not signed by us"},
		{name: "none without a signature", token: noSignature(raw(`{"alg":"none","kid":"`+kid+`"}`, claims, "", sha256.New)), err: token.ErrInvalid, says: "not signed by us"},
		{name: "HS512 under our key", token: raw(`{"alg":"HS512","kid":"`+kid+`"}`, claims, secret, sha512.New), err: token.ErrInvalid, says: "not signed by us"},
		{name: "unknown algorithm", token: sign(`{"alg":"hs256","kid":"`+kid+`"}`, claims), err: token.ErrInvalid, says: "not signed by us"},
		{name: "no algorithm", token: sign(`{"kid":"`+kid+`"}`, claims), err: token.ErrInvalid, says: "not signed by us"},
		{name: "no kid", token: sign(`{"alg":"HS256"}`, claims), err: token.ErrInvalid, says: "not signed by us"},
		{name: "kid of another key", token: sign(`{"alg":"HS256","kid":"00000000"}`, claims), err: token.ErrInvalid, says: "not signed by us"},
		{name: "kid of another type", token: sign(`{"alg":"HS256","kid":1}`, claims), err: token.ErrInvalid, says: "not signed by us"},
		{name: "our kid, another key", token: raw(header, claims, older, sha256.New), err: token.ErrInvalid, says: "not signed by us"},
		{name: "other claims under the signature", token: swapClaims(notifyElsewhere, `{"sub":"ffffffffffffffffffffffffffffffff","aud":["integra-notify"],"exp":1800000000}`), err: token.ErrInvalid, says: "not signed by us"},
		{name: "API token", token: apiElsewhere, err: token.ErrInvalid, says: "another purpose"},
		{name: "expired API token", token: apiElsewhere, at: exp + 100, err: token.ErrInvalid, says: "another purpose"},
		{name: "no audience", token: sign(header, `{"sub":"`+user+`","exp":1800000000}`), err: token.ErrInvalid, says: "another purpose"},
		{name: "no expiry", token: sign(header, `{"sub":"`+user+`","aud":"integra-notify"}`), err: token.ErrInvalid, says: "another purpose"},
		{name: "expiry is no number", token: sign(header, `{"sub":"`+user+`","aud":"integra-notify","exp":"tomorrow"}`), err: token.ErrInvalid, says: "malformed"},
		{name: "not valid yet", token: sign(header, `{"sub":"`+user+`","aud":"integra-notify","exp":1800000000,"nbf":1799999999}`), err: token.ErrInvalid, says: "contradict"},
		{name: "no user", token: sign(header, `{"aud":"integra-notify","exp":1800000000}`), err: token.ErrInvalid, says: "names no user"},
		{name: "short user", token: sign(header, `{"sub":"abc","aud":"integra-notify","exp":1800000000}`), err: token.ErrInvalid, says: "names no user"},
		{name: "claims are no object", token: sign(header, `[]`), err: token.ErrInvalid, says: "malformed"},
		{name: "header is no object", token: sign(`"HS256"`, claims), err: token.ErrInvalid, says: "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &clock{time.Unix(exp, 0).Add(-time.Hour)}
			n := notify(t, c, secret)
			if tt.at != 0 {
				c.at = time.Unix(tt.at, 0)
			}
			for range 2 { // the second time a good one is remembered
				got, err := n.Verify(tt.token)
				if tt.err == nil {
					if got != user || err != nil {
						t.Errorf("Verify = %q, %v; want %q", got, err, user)
					}
					continue
				}
				if got != "" || !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("Verify = %q, %v; want %v that says %q", got, err, tt.err, tt.says)
				}
			}
		})
	}
}

func noSignature(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }

func swapClaims(token, claims string) string {
	parts := strings.Split(token, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(claims))
	return strings.Join(parts, ".")
}

func TestRememberedTokenStillExpires(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(exp-10, 0)}
	n := notify(t, c, secret)
	if got, err := n.Verify(notifyElsewhere); got != user || err != nil {
		t.Fatalf("Verify = %q, %v; want %q", got, err, user)
	}
	c.at = time.Unix(exp, 0).Add(token.Skew)
	if got, err := n.Verify(notifyElsewhere); got != "" || !errors.Is(err, token.ErrExpired) {
		t.Errorf("after its expiry: Verify = %q, %v; want ErrExpired", got, err)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(exp-10, 0)}
	minted, err := notify(t, c, older).Mint(user)
	if err != nil {
		t.Fatal(err)
	}
	both := notify(t, c, secret, older)
	if got, err := both.Verify(minted); got != user || err != nil {
		t.Errorf("under the older key: Verify = %q, %v; want %q", got, err, user)
	}
	fresh, err := both.Mint(user)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := notify(t, c, secret).Verify(fresh); got != user || err != nil {
		t.Errorf("minted during rotation: Verify by the new key = %q, %v; want %q", got, err, user)
	}
	if got, err := notify(t, c, secret).Verify(minted); got != "" || !errors.Is(err, token.ErrInvalid) {
		t.Errorf("once the older key is gone: Verify = %q, %v; want ErrInvalid", got, err)
	}
}

func TestNotifyMintRefusesWhatIsNoUser(t *testing.T) {
	t.Parallel()
	n := notify(t, &clock{time.Unix(exp, 0)}, secret)
	for _, bad := range []string{"", "abc", user + "0", strings.Repeat("&", 32)} {
		if got, err := n.Mint(bad); got != "" || err == nil {
			t.Errorf("Mint(%q) = %q, %v; want an error", bad, got, err)
		}
	}
}

func TestKeysRefuseShortSecrets(t *testing.T) {
	t.Parallel()
	if _, err := token.NewKeys(); err == nil {
		t.Error("no secret at all: want an error")
	}
	if _, err := token.NewKeys([]byte(secret), []byte(older)[:31]); err == nil || strings.Contains(err.Error(), older[:8]) {
		t.Errorf("31 bytes: %v; want an error that keeps the secret", err)
	}
}

func api(t testing.TB, now func() time.Time, secret string, public ...token.PublicKey) *token.API {
	t.Helper()
	a, err := token.NewAPI(keys(t, secret), now, public...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAPI(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(exp-10, 0)}
	a := api(t, c.now, secret)
	grant := token.Grant{ID: "7f3a", Name: "billing", Scopes: []string{"payments:read", "users:write"}, Expires: time.Unix(exp, 0).UTC()}
	if got, err := a.Mint(grant); got != apiElsewhere || err != nil {
		t.Errorf("Mint = %s, %v; want %s", got, err, apiElsewhere)
	}
	got, err := a.Verify(apiElsewhere)
	if diff := cmp.Diff(grant, got); diff != "" || err != nil {
		t.Errorf("Verify: %v, grant (-want +got):\n%s", err, diff)
	}
	if !got.Allows("users:write") || got.Allows("users:writ") || got.Allows("") {
		t.Error("Allows: want the granted scopes and no others")
	}
	if _, err := a.Verify(notifyElsewhere); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("a notify token: %v; want ErrInvalid", err)
	}
	if _, err := a.Verify(raw(`{"alg":"HS256","kid":"`+kid+`"}`, `{"aud":"partnerkit-api","exp":1800000000,"sub":"x"}`, secret, sha256.New)); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("no jti: %v; want ErrInvalid", err)
	}
	if _, err := a.Verify(apiElsewhere + strings.Repeat("A", 4096)); !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("over-long: %v; want ErrInvalid, malformed", err)
	}
	c.at = time.Unix(exp+30, 0)
	if _, err := a.Verify(apiElsewhere); !errors.Is(err, token.ErrExpired) {
		t.Errorf("expired: %v; want ErrExpired", err)
	}
}

func TestAPIMintNamesTheMissingField(t *testing.T) {
	t.Parallel()
	a := api(t, time.Now, secret)
	whole := token.Grant{ID: "1", Name: "x", Scopes: []string{"a"}, Expires: time.Unix(exp, 0)}
	tests := []struct {
		says string
		cut  func(*token.Grant)
	}{
		{"id", func(g *token.Grant) { g.ID = "" }},
		{"name", func(g *token.Grant) { g.Name = "" }},
		{"expiry", func(g *token.Grant) { g.Expires = time.Time{} }},
		{"no scopes", func(g *token.Grant) { g.Scopes = nil }},
		{`"a b"`, func(g *token.Grant) { g.Scopes = []string{"a b"} }},
	}
	for _, tt := range tests {
		g := whole
		tt.cut(&g)
		if got, err := a.Mint(g); got != "" || err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("Mint(%+v) = %q, %v; want an error that says %s", g, got, err, tt.says)
		}
	}
}

// FuzzVerify: whoever has no key gets nothing through that we did not mint.
func FuzzVerify(f *testing.F) {
	c := &clock{time.Unix(exp-10, 0)}
	n, a := notify(f, c, secret), api(f, c.now, secret)
	f.Add(notifyElsewhere)
	f.Add(apiElsewhere)
	f.Add("..")
	f.Add(raw(`{"alg":"none"}`, `{}`, "", sha256.New))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := n.Verify(text)
		switch {
		case err == nil && text != notifyElsewhere:
			t.Errorf("a forgery passes as %q: %q", got, text)
		case err != nil && (got != "" || !errors.Is(err, token.ErrInvalid)):
			t.Errorf("Verify = %q, %v; want ErrInvalid", got, err)
		}
		if _, err := a.Verify(text); err == nil && text != apiElsewhere {
			t.Errorf("a forgery passes the API: %q", text)
		}
	})
}

// The two benchmarks show what remembering a verified token saves on the accept path.
func BenchmarkVerifyRemembered(b *testing.B) {
	n := notify(b, &clock{time.Unix(exp-10, 0)}, secret)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.Verify(notifyElsewhere); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyFirstTime(b *testing.B) {
	late := notify(b, &clock{time.Unix(exp+100, 0)}, secret) // refused after the signature was checked, so never remembered
	b.ReportAllocs()
	for b.Loop() {
		if _, err := late.Verify(notifyElsewhere); !errors.Is(err, token.ErrExpired) {
			b.Fatal(err)
		}
	}
}

func BenchmarkMint(b *testing.B) {
	n := notify(b, &clock{time.Unix(exp-10, 0)}, secret)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.Mint(user); err != nil {
			b.Fatal(err)
		}
	}
}
