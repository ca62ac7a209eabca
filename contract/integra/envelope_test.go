package integra_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/integra"
)

func TestParseK(t *testing.T) {
	t.Parallel()
	const hash = "0123456789abcdef0123456789ABCDEF"
	for _, k := range []string{"zaa" + hash, "zaa" + hash + "e30="} {
		e, err := integra.ParseK(k)
		if err != nil || e.Hash != hash || e.K() != k {
			t.Errorf("ParseK(%q) = %+v, %v", k, e, err)
		}
	}
	tests := []struct {
		name, k string
		part    integra.Part
		fault   integra.Fault
	}{
		{"nothing", "", integra.PartK, integra.FaultMissing},
		{"half a prefix", "za", integra.PartPrefix, integra.FaultPrefix},
		{"other prefix", "zab" + hash, integra.PartPrefix, integra.FaultPrefix},
		{"capital prefix", "ZAA" + hash, integra.PartPrefix, integra.FaultPrefix},
		{"space before", " zaa" + hash, integra.PartPrefix, integra.FaultPrefix},
		{"prefix alone", "zaa", integra.PartHash, integra.FaultLength},
		{"short hash", "zaa" + hash[1:], integra.PartHash, integra.FaultLength},
		{"short hash runs into the data", "zaa" + hash[1:] + "+30=", integra.PartHash, integra.FaultAlphabet},
		{"hash with a dash", "zaa-" + hash[1:], integra.PartHash, integra.FaultAlphabet},
		{"hash in Cyrillic", "zaa" + strings.Repeat("й", 16), integra.PartHash, integra.FaultAlphabet},
	}
	for _, tt := range tests {
		e, err := integra.ParseK(tt.k)
		checkK(t, tt.name, e, err, tt.part, tt.fault)
	}
}

func checkK(t *testing.T, name string, got any, err error, part integra.Part, fault integra.Fault) {
	t.Helper()
	var e *integra.KError
	if !errors.As(err, &e) || e.Part != part || e.Fault != fault || !errors.Is(err, integra.ErrK) {
		t.Errorf("%s: %v, %v; want %s %s", name, got, err, part, fault)
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		`malformed k: hash is not 32 characters long`:                      &integra.KError{Part: integra.PartHash, Fault: integra.FaultLength},
		`malformed k: data has a space: a '+' was not url-encoded as %2B`:  &integra.KError{Part: integra.PartData, Fault: integra.FaultSpace},
		`text has the name "amount" twice, at byte 17`:                     &integra.ObjectError{Fault: integra.FaultDuplicate, Name: "amount", Offset: 17},
		`text is not JSON, at byte 0`:                                      &integra.ObjectError{Fault: integra.FaultSyntax},
		`refused with code 9: the payment's amount is 100`:                 integra.Failure(integra.CodeAmountDiffers, "the payment's amount is 100").Err(),
		`invalid arguments: "hash" is missing`:                             &integra.ArgumentError{Name: "hash"},
		`invalid arguments: "hash" must be a string, not the number 12345`: &integra.ArgumentError{Name: "hash", Want: "a string", Got: "the number 12345"},
	} {
		if err.Error() != want {
			t.Errorf("error text %q; want %q", err, want)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	open := func(plain string) ([]byte, error) {
		k, err := integra.SealText(integra.Simple, user, []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		e, err := integra.ParseK(k)
		if err != nil {
			t.Fatal(err)
		}
		return e.Open(integra.Simple, user.Key)
	}
	// As PHP writes it, as everybody else does, and as an array that PHP takes for an object.
	for _, plain := range []string{
		`{"errorLink":"https:\/\/a.b","errorMessage":"\u041d\u0435\u0442 \ud83d\ude00"}`,
		`{"errorLink":"https://a.b","errorMessage":"Нет 😀"}`,
		` { "a" : [ 1 , { } ] } `,
		`{}`,
		`[]`,
	} {
		if got, err := open(plain); string(got) != plain || err != nil {
			t.Errorf("Open = %s, %v; want %s", got, err, plain)
		}
	}
	if got, err := open(`{"a":1,"a":2}`); !errors.Is(err, integra.ErrPlain) || !strings.Contains(err.Error(), `"a" twice`) {
		t.Errorf("Open = %s, %v; want ErrPlain that names the key", got, err)
	}
	if got, err := open(`hello`); !errors.Is(err, integra.ErrPlain) || !strings.Contains(err.Error(), "wrong key?") {
		t.Errorf("Open = %s, %v; want ErrPlain that suspects the key", got, err)
	}

	e := integra.Envelope{Hash: user.Hash}
	got, err := e.Open(integra.Simple, user.Key)
	checkK(t, "no data", got, err, integra.PartData, integra.FaultMissing)
	e.Data = "e30"
	got, err = e.Open(integra.Simple, user.Key)
	checkK(t, "no padding", got, err, integra.PartData, integra.FaultPadding)
	if _, err := e.Open(integra.Simple, ""); !errors.Is(err, integra.ErrKey) {
		t.Errorf("Open without a key: %v; want ErrKey", err)
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	args := integra.HelloArgs{Name: "Dmitry"}
	if _, err := integra.Seal(integra.Simple, integra.Credentials{Hash: user.Hash}, args); !errors.Is(err, integra.ErrKey) {
		t.Errorf("no key: %v; want ErrKey", err)
	}
	k, err := integra.Seal(integra.Simple, integra.Credentials{Hash: "short", Key: "key"}, args)
	checkK(t, "short hash", k, err, integra.PartHash, integra.FaultLength)
	k, err = integra.Seal(integra.Simple, integra.Credentials{Hash: user.Hash + "0", Key: "key"}, args)
	checkK(t, "long hash", k, err, integra.PartHash, integra.FaultLength)
	k, err = integra.Seal(integra.Simple, integra.Credentials{Hash: strings.Repeat("+", 32), Key: "key"}, args)
	checkK(t, "hash of pluses", k, err, integra.PartHash, integra.FaultAlphabet)
	for _, args := range []any{nil, "text", []int{1}, 7, make(chan int)} {
		if k, err := integra.Seal(integra.Simple, user, args); err == nil {
			t.Errorf("Seal(%T) = %q; want an error", args, k)
		}
	}
}

func TestCredentialsHideTheKey(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("call", "as", user)
	slog.New(slog.NewTextHandler(&log, nil)).Info("call", "as", &user)
	asJSON, err := json.Marshal(user)
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += fmt.Sprintf(verb, user) + fmt.Sprintf(verb, &user) + fmt.Sprintf(verb, struct{ C integra.Credentials }{user})
	}
	if strings.Contains(shown, user.Key) || strings.Contains(shown, fmt.Sprintf("%x", user.Key)) {
		t.Errorf("the key shows in %s", shown)
	}
	if !strings.Contains(shown, user.Hash) {
		t.Errorf("the hash is missing in %s", shown)
	}
}

// A wrong key is an error, as good as always. The keys here are strangers to each other, as
// two users' are. For a message to pass nevertheless, its first two and last two bytes have
// to decrypt to {" and "}, which four characters of the key decide: a chance of 36^-4, one in
// 1.7 million. And everything between has to be JSON by chance too, so that a failure of
// this test is a defect, not bad luck. (Shrinking makes keys alike; the filter stops it.)
func TestWrongKey(t *testing.T) {
	t.Parallel()
	key := rapid.StringMatching(`[0-9a-z]{51}`)
	rapid.Check(t, func(t *rapid.T) {
		cred := integra.Credentials{Hash: user.Hash, Key: key.Draw(t, "key")}
		wrong := key.Filter(func(k string) bool { return differ(k, cred.Key) > 25 }).Draw(t, "wrong key")
		args := integra.ConfirmPaymentArgs{
			Amount:        integra.Text(rapid.StringMatching(`[1-9][0-9]{0,6}`).Draw(t, "amount")),
			TransactionID: rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "id"),
		}
		k, err := integra.Seal(integra.Simple, cred, args)
		if err != nil {
			t.Fatal(err)
		}
		e, err := integra.ParseK(k)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := e.Open(integra.Simple, cred.Key); err != nil {
			t.Fatalf("right key: %s, %v", plain, err)
		}
		if plain, err := e.Open(integra.Simple, wrong); !errors.Is(err, integra.ErrPlain) {
			t.Fatalf("wrong key: %s, %v; want ErrPlain", plain, err)
		}
	})
}

// differ counts the bytes in which two strings of one length differ.
func differ(a, b string) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// A key that is wrong in one character can go unnoticed: the cipher is no seal. This is a
// fact about the protocol which the package comment states, and this test keeps true.
func TestAlmostRightKey(t *testing.T) {
	t.Parallel()
	k, err := integra.Seal(integra.Simple, user, integra.ConfirmPaymentArgs{Amount: "100", TransactionID: strings.Repeat("0", 32)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := integra.ParseK(k)
	if err != nil {
		t.Fatal(err)
	}
	key := []byte(user.Key)
	key[10]-- // decrypts byte 11, the amount's first digit, and byte 62, one of the id
	plain, err := e.Open(integra.Simple, string(key))
	if want := `{"amount":"200","transactionId":"00000000000000000000000000000100"}`; string(plain) != want || err != nil {
		t.Errorf("Open with an almost right key = %s, %v; want %s", plain, err, want)
	}
}

func FuzzParseK(f *testing.F) {
	_, cases := vectors(f)
	for _, v := range cases {
		f.Add("zaa"+user.Hash+v.Data, v.Key)
	}
	f.Add("zaa"+user.Hash+"eyJhIjoxLCJhIjoyfQ==", "k")
	f.Fuzz(func(t *testing.T, k, key string) {
		e, err := integra.ParseK(k)
		if err != nil {
			var ke *integra.KError
			if !errors.As(err, &ke) {
				t.Fatalf("ParseK(%q): %v is no *KError", k, err)
			}
			return
		}
		if e.K() != k || !integra.ValidHash(e.Hash) {
			t.Fatalf("ParseK(%q) = %+v, written as %q", k, e, e.K())
		}
		for _, c := range []integra.Cipher{integra.Simple, integra.Base64} {
			plain, err := e.Open(c, key)
			if err != nil {
				if !errors.Is(err, integra.ErrK) && !errors.Is(err, integra.ErrKey) && !errors.Is(err, integra.ErrPlain) {
					t.Fatalf("Open: %v is none of our errors", err)
				}
				continue
			}
			if !json.Valid(plain) {
				t.Fatalf("Open accepts %q", plain)
			}
			again, err := integra.SealText(c, integra.Credentials{Hash: e.Hash, Key: key}, plain)
			if again != k || err != nil {
				t.Fatalf("opened %q, sealed again %q, %v", k, again, err)
			}
		}
	})
}
