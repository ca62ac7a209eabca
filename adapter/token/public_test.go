package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/partnerkit/partnerkit/adapter/token"
)

func pemOf(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// What others sign under their own keys is good as long as it says everything that ours do, and
// no key verifies an algorithm that is not its own.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaPrivate, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := pemOf(t, &rsaPrivate.PublicKey)
	var public []token.PublicKey
	for id, text := range map[string][]byte{"panel": pemOf(t, edPublic), "erp": rsaPEM} {
		k, err := token.ParsePublicKey(id, text)
		if err != nil {
			t.Fatal(err)
		}
		public = append(public, k)
	}
	c := &clock{time.Unix(exp-10, 0)}
	a := api(t, c.now, secret, public...)
	good := jwt.MapClaims{"aud": "partnerkit-api", "sub": "erp", "jti": "x1", "exp": exp, "scope": "payments:read admin"}
	with := func(name string, value any) jwt.MapClaims {
		out := jwt.MapClaims{}
		for k, v := range good {
			out[k] = v
		}
		out[name] = value
		return out
	}
	for _, tt := range []struct {
		name   string
		method jwt.SigningMethod
		key    any
		kid    any
		claims jwt.MapClaims
		err    error
	}{
		{"EdDSA", jwt.SigningMethodEdDSA, edPrivate, "panel", good, nil},
		{"RS256", jwt.SigningMethodRS256, rsaPrivate, "erp", good, nil},
		{"under another's name", jwt.SigningMethodEdDSA, edPrivate, "erp", good, token.ErrInvalid},
		{"under no name", jwt.SigningMethodEdDSA, edPrivate, nil, good, token.ErrInvalid},
		{"the public key as a secret", jwt.SigningMethodHS256, rsaPEM, "erp", good, token.ErrInvalid},
		{"an algorithm that is not taken", jwt.SigningMethodRS512, rsaPrivate, "erp", good, token.ErrInvalid},
		{"unsigned", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "erp", good, token.ErrInvalid},
		{"for another purpose", jwt.SigningMethodEdDSA, edPrivate, "panel", with("aud", "integra-notify"), token.ErrInvalid},
		{"without an id", jwt.SigningMethodEdDSA, edPrivate, "panel", with("jti", ""), token.ErrInvalid},
		{"expired", jwt.SigningMethodEdDSA, edPrivate, "panel", with("exp", exp-100), token.ErrExpired},
		{"not yet", jwt.SigningMethodEdDSA, edPrivate, "panel", with("nbf", exp+100), token.ErrInvalid},
		{"a moment ahead of our clock", jwt.SigningMethodEdDSA, edPrivate, "panel", with("nbf", exp+10), nil},
	} {
		unsigned := jwt.NewWithClaims(tt.method, tt.claims)
		if tt.kid != nil {
			unsigned.Header["kid"] = tt.kid
		}
		text, err := unsigned.SignedString(tt.key)
		if err != nil {
			t.Fatal(err)
		}
		g, err := a.Verify(text)
		if !errors.Is(err, tt.err) || err == nil && (g.ID != "x1" || !g.Allows("admin")) {
			t.Errorf("%s: %+v, %v; want %v", tt.name, g, err, tt.err)
		}
		// Notify tokens are ours alone.
		if _, err := notify(t, c, secret).Verify(text); err == nil {
			t.Errorf("%s: taken for a notify token", tt.name)
		}
	}
	if _, err := token.NewAPI(keys(t, secret), c.now, public[0], public[0]); err == nil || !strings.Contains(err.Error(), public[0].ID) {
		t.Errorf("two keys of one name: %v", err)
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(edPrivate)
	if err != nil {
		t.Fatal(err)
	}
	good := pemOf(t, edPublic)
	for _, tt := range []struct {
		name, id string
		text     []byte
		says     string
	}{
		{"no name", "", good, "1 to 64"},
		{"no PEM", "k", []byte("hello"), "PUBLIC KEY"},
		{"a private key", "k", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), "PUBLIC KEY"},
		{"two", "k", append(append([]byte{}, good...), good...), "several"},
		{"garbage in PEM", "k", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}), "public key k"},
		{"short RSA", "k", pemOf(t, &short.PublicKey), "1024 bits"},
		{"a curve that is not taken", "k", pemOf(t, &curve.PublicKey), "Ed25519 or RSA"},
	} {
		if _, err := token.ParsePublicKey(tt.id, tt.text); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want it to say %q", tt.name, err, tt.says)
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("panel", pemOf(f, public))
	f.Add("", []byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		k, err := token.ParsePublicKey(id, text)
		if (err == nil) != (k.ID != "") {
			t.Errorf("key %+v with %v", k, err)
		}
	})
}
