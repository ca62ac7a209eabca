package integra_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/contract/integra"
)

func TestCipherByName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]integra.Cipher{"simple": integra.Simple, "base64": integra.Base64} {
		if got, err := integra.CipherByName(name); got != want || err != nil || got.Name() != name {
			t.Errorf("CipherByName(%q) = %v, %v", name, got, err)
		}
	}
	if got, err := integra.CipherByName("rot13"); err == nil || !strings.Contains(err.Error(), "simple and base64") {
		t.Errorf("CipherByName(rot13) = %v, %v; want an error that names the ciphers", got, err)
	}
}

func TestEmptyKey(t *testing.T) {
	t.Parallel()
	for _, c := range []integra.Cipher{integra.Simple, integra.Base64} {
		if _, err := c.Encrypt([]byte("{}"), ""); !errors.Is(err, integra.ErrKey) {
			t.Errorf("%s: Encrypt without a key: %v; want ErrKey", c.Name(), err)
		}
		if _, err := c.Decrypt("e30=", ""); !errors.Is(err, integra.ErrKey) {
			t.Errorf("%s: Decrypt without a key: %v; want ErrKey", c.Name(), err)
		}
	}
}

// An aesLike is a cipher as a partner would add it: with a demand of its own on the key.
type aesLike struct{}

var errKeySize = errors.New("the key must have 16 bytes")

func (aesLike) Name() string { return "aes-like" }

func (aesLike) Encrypt(plain []byte, key string) (string, error) {
	if len(key) != 16 {
		return "", errKeySize
	}
	return strings.ToUpper(hex.EncodeToString(plain)), nil
}

func (aesLike) Decrypt(data, _ string) ([]byte, error) { return hex.DecodeString(data) }

func TestOwnCipher(t *testing.T) {
	t.Parallel()
	cred := integra.Credentials{Hash: user.Hash, Key: "0123456789abcdef"}
	k, err := integra.Seal(aesLike{}, cred, integra.HelloArgs{Name: "D"})
	if want := "zaa" + user.Hash + "7B226E616D65223A2244227D"; k != want || err != nil {
		t.Errorf("Seal = %q, %v; want %q", k, err, want)
	}
	e, err := integra.ParseK(k)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := e.Open(aesLike{}, cred.Key); string(plain) != `{"name":"D"}` || err != nil {
		t.Errorf("Open = %s, %v", plain, err)
	}
	cred.Key = "short"
	if k, err := integra.Seal(aesLike{}, cred, integra.HelloArgs{}); !errors.Is(err, errKeySize) {
		t.Errorf("Seal with a short key = %q, %v; want the cipher's own error", k, err)
	}
}

// Near misses of base64 are refused, and the error says what the sender did.
func TestDecryptStrict(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, data string
		fault      integra.Fault
	}{
		{"a plus that became a space", "ZTQo DP4", integra.FaultSpace},
		{"space behind", "ZTQo ", integra.FaultSpace},
		{"line end", "ZTQo\nZTQo", integra.FaultNewline},
		{"line end behind", "ZTQo\r\n", integra.FaultNewline},
		{"line end in the padding", "ZT\nQ=", integra.FaultNewline},
		{"line end between the padding", "ZQ=\n=", integra.FaultPadding},
		{"url-safe minus", "ZTQo-DP4", integra.FaultURLAlphabet},
		{"url-safe underscore", "ZTQo_DP4", integra.FaultURLAlphabet},
		{"escaped twice", "ZTQo%2BDP4", integra.FaultEscapedTwice},
		{"no padding", "ZTQ", integra.FaultPadding},
		{"half the padding", "ZQ=", integra.FaultPadding},
		{"too much padding", "ZTQ==", integra.FaultPadding},
		{"padding for nothing", "ZTQo=", integra.FaultPadding},
		{"padding in the middle", "ZTQ=ZTQo", integra.FaultPadding},
		{"padding alone", "==", integra.FaultPadding},
		{"cut", "ZTQoZ", integra.FaultCut},
		{"cut and padded", "ZTQoZ===", integra.FaultCut},
		{"stray bits", "ZTR=", integra.FaultTrailingBits},
		{"punctuation", "ZTQ!", integra.FaultCharacter},
		{"not ASCII", "ZTQй", integra.FaultCharacter},
		{"NUL", "ZTQ\x00", integra.FaultCharacter},
	}
	for _, tt := range tests {
		for _, c := range []integra.Cipher{integra.Simple, integra.Base64} {
			plain, err := c.Decrypt(tt.data, "key")
			var e *integra.KError
			if !errors.As(err, &e) || e.Part != integra.PartData || e.Fault != tt.fault || !errors.Is(err, integra.ErrK) {
				t.Errorf("%s, %s: Decrypt(%q) = %q, %v; want %q", tt.name, c.Name(), tt.data, plain, err, tt.fault)
			}
		}
	}
}

func FuzzCipher(f *testing.F) {
	_, cases := vectors(f)
	for _, v := range cases {
		f.Add([]byte(v.Plain), v.Data, v.Key)
	}
	f.Add([]byte{0, 255}, "ZTQo DP4", "\x00\xff")
	f.Fuzz(func(t *testing.T, plain []byte, data, key string) {
		for _, c := range []integra.Cipher{integra.Simple, integra.Base64} {
			before := string(plain)
			sealed, err := c.Encrypt(plain, key)
			if string(plain) != before {
				t.Fatalf("%s: Encrypt changed its argument", c.Name())
			}
			if key == "" {
				if !errors.Is(err, integra.ErrKey) {
					t.Fatalf("%s: Encrypt without a key: %v", c.Name(), err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: Encrypt(%q, %q): %v", c.Name(), plain, key, err)
			}
			if got, err := c.Decrypt(sealed, key); string(got) != string(plain) || err != nil {
				t.Fatalf("%s: %q comes back as %q, %v", c.Name(), plain, got, err)
			}

			// What Decrypt accepts is exactly what Encrypt writes.
			got, err := c.Decrypt(data, key)
			if err != nil {
				var e *integra.KError
				if !errors.As(err, &e) || e.Fault == "" {
					t.Fatalf("%s: Decrypt(%q): %v is no *KError", c.Name(), data, err)
				}
				continue
			}
			if again, err := c.Encrypt(got, key); again != data || err != nil {
				t.Fatalf("%s: Decrypt accepts %q, Encrypt writes %q, %v", c.Name(), data, again, err)
			}
		}
	})
}

func BenchmarkDecrypt(b *testing.B) {
	for _, size := range []int{64, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			data, err := integra.Simple.Encrypt(make([]byte, size), user.Key)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := integra.Simple.Decrypt(data, user.Key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
