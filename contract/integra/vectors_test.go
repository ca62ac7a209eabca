package integra_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/partnerkit/partnerkit/contract/integra"
)

type vector struct {
	Cipher string `json:"cipher"`
	Key    string `json:"key"`
	Plain  string `json:"plain"`
	Data   string `json:"data"`
	KParam string `json:"k_param"`
}

func vectors(t testing.TB) (userHash string, cases []vector) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "integra", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		UserHash string   `json:"user_hash"`
		Cases    []vector `json:"cases"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatal("no vectors")
	}
	return file.UserHash, file.Cases
}

func TestVectors(t *testing.T) {
	t.Parallel()
	hash, cases := vectors(t)
	for _, v := range cases {
		c, err := integra.CipherByName(v.Cipher)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Encrypt([]byte(v.Plain), v.Key); got != v.Data || err != nil {
			t.Errorf("%s %q: Encrypt(%q) = %q, %v; want %q", v.Cipher, v.Key, v.Plain, got, err, v.Data)
		}
		if got, err := c.Decrypt(v.Data, v.Key); string(got) != v.Plain || err != nil {
			t.Errorf("%s %q: Decrypt(%q) = %q, %v; want %q", v.Cipher, v.Key, v.Data, got, err, v.Plain)
		}

		k, err := integra.SealText(c, integra.Credentials{Hash: hash, Key: v.Key}, []byte(v.Plain))
		if got := url.QueryEscape(k); got != v.KParam || err != nil {
			t.Errorf("%s %q: k = %q, %v; want %q", v.Cipher, v.Key, got, err, v.KParam)
		}
		k, err = url.QueryUnescape(v.KParam)
		if err != nil {
			t.Fatal(err)
		}
		want := integra.Envelope{Hash: hash, Data: v.Data}
		if got, err := integra.ParseK(k); got != want || err != nil {
			t.Errorf("ParseK(%q) = %+v, %v; want %+v", k, got, err, want)
		}
	}
}
