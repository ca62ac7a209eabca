package vault_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter/vault"
)

const (
	master   = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	user     = "0123456789abcdef0123456789abcdef"
	cryptKey = "q8w1dm0ra5x2k9z7c3v6b4n1m8l5j2h9g6f3d0s7a4p1o8i5u2y"

	// Made with Python's cryptography 48.0 (HKDF, AESGCM) from the three above and the
	// nonce 64…6f, after this package's comments.
	sealedElsewhere = "01" + "8e15a350" + "6465666768696a6b6c6d6e6f" +
		"d7e7f569e9792251a0d794dbfa83fc5fc4c8604280e08e84087f4fc8db46be5f5cd605740045f92a046d2126b03047ff361950" +
		"fac9519c8eb913a619d79677b869fd42"
	notifySecretElsewhere = "d2db6b2f7d4c79513e57f7c6d2ca04b4eb1e800307336aaa0497c41d77d25aec"
)

func key(t testing.TB, text string) vault.Key {
	t.Helper()
	k, err := vault.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, keys ...string) *vault.Vault {
	t.Helper()
	parsed := make([]vault.Key, len(keys))
	for i, k := range keys {
		parsed[i] = key(t, k)
	}
	v, err := vault.New(parsed[0], parsed[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOpensWhatAnotherProgramSealed(t *testing.T) {
	t.Parallel()
	sealed, err := hex.DecodeString(sealedElsewhere)
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, master)
	if got, err := v.Open(user, sealed); got != cryptKey || err != nil {
		t.Errorf("Open = %q, %v; want %q", got, err, cryptKey)
	}
	if got := hex.EncodeToString(v.Secrets("notify tokens")[0]); got != notifySecretElsewhere {
		t.Errorf("Secrets = %s; want %s", got, notifySecretElsewhere)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	const (
		std = "+/+/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw="
		url = "-_-_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw"
	)
	tests := []struct {
		name, text string
		same       string // another text of the same key; "" when it is refused
		says       string
	}{
		{name: "hex", text: master, same: strings.ToUpper(master)},
		{name: "base64", text: std, same: url},
		{name: "line end of a file", text: "  " + std + "\r\n", same: std},
		{name: "padding left out", text: strings.TrimRight(std, "="), same: std},
		{name: "hex digits that are base64 of the same length in bytes", text: "0123456789012345678901234567890123456789012=", says: "neither"},
		{name: "empty", text: " \n", says: "empty"},
		{name: "16 bytes", text: "AAECAwQFBgcICQoLDA0ODw==", says: "16 bytes"},
		{name: "33 bytes in hex", text: master + "20", says: "neither"},
		{name: "a passphrase", text: "correct horse battery staple", says: "neither"},
		{name: "zeros", text: strings.Repeat("0", 64), says: "zeros"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := vault.ParseKey(tt.text)
			if tt.same != "" {
				if err != nil || got != key(t, tt.same) {
					t.Errorf("ParseKey = %v, want the key of %q", err, tt.same)
				}
				return
			}
			if !errors.Is(err, vault.ErrKey) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ParseKey = %v; want ErrKey that says %q", err, tt.says)
			}
			if text := strings.TrimSpace(tt.text); text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("the error repeats the key: %v", err)
			}
		})
	}
}

func TestNewKeyIsFreshAndReadable(t *testing.T) {
	t.Parallel()
	one, other := key(t, vault.NewKey()), key(t, vault.NewKey())
	if one == other {
		t.Error("two fresh keys are equal")
	}
}

func TestSealedKeyOpensForItsUserOnly(t *testing.T) {
	t.Parallel()
	v := open(t, master)
	rapid.Check(t, func(rt *rapid.T) {
		owner := rapid.StringMatching(`[0-9a-zA-Z]{32}`).Draw(rt, "owner")
		plain := rapid.String().Draw(rt, "key")
		sealed := v.Seal(owner, plain)
		if plain != "" && len(plain) > 3 && bytes.Contains(sealed, []byte(plain)) {
			rt.Fatal("the key shows in what was sealed")
		}
		if got, err := v.Open(owner, sealed); got != plain || err != nil {
			rt.Fatalf("Open = %q, %v; want %q", got, err, plain)
		}
		other := rapid.StringMatching(`[0-9a-zA-Z]{32}`).Filter(func(s string) bool { return s != owner }).Draw(rt, "other")
		if got, err := v.Open(other, sealed); got != "" || !errors.Is(err, vault.ErrSealed) {
			rt.Fatalf("Open for another user = %q, %v; want ErrSealed", got, err)
		}
		flipped := bytes.Clone(sealed)
		flipped[rapid.IntRange(0, len(sealed)-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		if got, err := v.Open(owner, flipped); got != "" || !errors.Is(err, vault.ErrSealed) {
			rt.Fatalf("Open of a damaged key = %q, %v; want ErrSealed", got, err)
		}
		if got, err := v.Open(owner, sealed[:rapid.IntRange(0, len(sealed)-1).Draw(rt, "cut")]); got != "" || !errors.Is(err, vault.ErrSealed) {
			rt.Fatalf("Open of a cut key = %q, %v; want ErrSealed", got, err)
		}
	})
}

func TestOpenSaysWhy(t *testing.T) {
	t.Parallel()
	v := open(t, master)
	whole, err := hex.DecodeString(sealedElsewhere)
	if err != nil {
		t.Fatal(err)
	}
	with := func(at int, b byte) []byte {
		changed := bytes.Clone(whole)
		changed[at] = b
		return changed
	}
	tests := []struct {
		says   string
		sealed []byte
	}{
		{"only 0 bytes", nil},
		{"only 32 bytes", whole[:32]},
		{"version 2 is unknown", with(0, 2)},
		{"master key ff15a350, which is not configured", with(1, 0xff)},
		{"damaged", with(40, 0)},
		{"damaged", whole[:33]},
	}
	for _, tt := range tests {
		if _, err := v.Open(user, tt.sealed); !errors.Is(err, vault.ErrSealed) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), user) {
			t.Errorf("Open of %x: %v; want ErrSealed that says %q and names the user", tt.sealed, err, tt.says)
		}
	}
}

func TestSealTwiceDiffers(t *testing.T) {
	t.Parallel()
	v := open(t, master)
	if bytes.Equal(v.Seal(user, cryptKey), v.Seal(user, cryptKey)) {
		t.Error("the same key sealed twice gives the same bytes: the nonce repeats")
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	fresh := vault.NewKey()
	before, during, after := open(t, master), open(t, fresh, master), open(t, fresh)
	old := before.Seal(user, cryptKey)
	if got, err := during.Open(user, old); got != cryptKey || err != nil {
		t.Errorf("with the older key behind: Open = %q, %v; want %q", got, err, cryptKey)
	}
	if got, err := after.Open(user, during.Seal(user, cryptKey)); got != cryptKey || err != nil {
		t.Errorf("sealed anew: Open = %q, %v; want %q", got, err, cryptKey)
	}
	_, err := after.Open(user, old)
	if !errors.Is(err, vault.ErrSealed) || !strings.Contains(err.Error(), "not configured") {
		t.Errorf("with the older key gone: %v; want ErrSealed that says why", err)
	}
	now, then := during.Secrets("api"), before.Secrets("api")
	if len(now) != 2 || !bytes.Equal(now[1], then[0]) || bytes.Equal(now[0], now[1]) {
		t.Error("secrets: want the current one first and the older one behind it")
	}
	if bytes.Equal(then[0], before.Secrets("notify")[0]) {
		t.Error("two purposes share a secret")
	}
}

func TestNewRefusesKeysThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	k := key(t, master)
	if _, err := vault.New(vault.Key{}); !errors.Is(err, vault.ErrKey) {
		t.Errorf("New of no key: %v; want ErrKey", err)
	}
	if _, err := vault.New(k, k); !errors.Is(err, vault.ErrKey) {
		t.Errorf("New of one key twice: %v; want ErrKey", err)
	}
}

func TestMasterKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	k := key(t, master)
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("start", "key", k, "keys", []vault.Key{k})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+"\n", k)
		fmt.Fprintf(&out, verb+"\n", &k)
	}
	for _, trace := range []string{master[:16], "0 1 2 3", "0x0, 0x1"} {
		if strings.Contains(out.String(), trace) {
			t.Errorf("the master key shows (%q) in:\n%s", trace, out.String())
		}
	}
}

func FuzzOpen(f *testing.F) {
	v := open(f, master)
	sealed, _ := hex.DecodeString(sealedElsewhere)
	f.Add(user, sealed)
	f.Add(user, v.Seal(user, ""))
	f.Add("", []byte{1})
	f.Fuzz(func(t *testing.T, user string, sealed []byte) {
		got, err := v.Open(user, sealed)
		switch {
		case err == nil: // only what was sealed for this user: without the key nobody makes one
			if again, err := v.Open(user, v.Seal(user, got)); again != got || err != nil {
				t.Errorf("sealed again, it opens as %q, %v; want %q", again, err, got)
			}
		case got != "" || !errors.Is(err, vault.ErrSealed):
			t.Errorf("Open = %q, %v; want ErrSealed and nothing else", got, err)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(master)
	f.Add("+/+/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw=")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := vault.ParseKey(text)
		if err != nil && (!errors.Is(err, vault.ErrKey) || k != vault.Key{}) {
			t.Errorf("ParseKey = %v; want ErrKey and no key", err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	v := open(b, master)
	sealed := v.Seal(user, cryptKey)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Open(user, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
