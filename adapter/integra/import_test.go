package integra_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
)

const (
	annaHash  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	borisHash = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestImport(t *testing.T) {
	t.Parallel()
	sealed := func(hash, key string) []byte { return plainVault{}.Seal(hash, key) }
	both := map[string]adapter.User{
		annaHash:  {Hash: annaHash, Login: "anna", SealedKey: sealed(annaHash, "k1"), CreatedAt: day},
		borisHash: {Hash: borisHash, Login: "boris", SealedKey: sealed(borisHash, "k2"), CreatedAt: day},
	}
	anna := map[string]adapter.User{annaHash: both[annaHash]}
	for _, tt := range []struct {
		name, file   string
		here         map[string]adapter.User
		added, known int
		faults       string
	}{
		{name: "as it should be", file: "hash,login,crypt_key\n" + annaHash + ",anna,k1\n" + borisHash + ",boris,k2\n", added: 2},
		{
			name: "another order, semicolons, a mark, spaces, capitals, line ends of Windows",
			file: "\ufeffLogin; Crypt_Key ;HASH\r\nanna;k1;" + annaHash + "\r\n\"boris\"; k2 ;" + borisHash + "\r\n", added: 2,
		},
		{name: "one is here already", file: "hash,login,crypt_key\n" + annaHash + ",anna,k1\n" + borisHash + ",boris,k2\n", here: anna, added: 1, known: 1},
		{
			name: "here with another login", file: "hash,login,crypt_key\n" + borisHash + ",boris,k2\n" + annaHash + ",ann,k1\n", here: anna,
			faults: `line 3, hash: this user is here with the login "anna"`,
		},
		{
			name: "here with another key", file: "hash,login,crypt_key\n" + annaHash + ",anna,k9\n", here: anna,
			faults: "line 2, hash: this user is here with another crypt key",
		},
		{
			name: "a line short", file: "hash,login,crypt_key\n" + annaHash + ",anna\n" + borisHash + ",boris,k2\n",
			faults: "line 2: has 2 columns, not 3",
		},
		{
			name: "several faults, all at once", file: "hash,login,crypt_key\nxyz,anna,k1\n" + annaHash + ",,k1\n" + borisHash + ",boris,\n",
			faults: "line 2, hash: \"xyz\" is not 32 letters or digits\nline 3, login: is empty\nline 4, crypt_key: is empty",
		},
		{name: "twice the same hash", file: "hash,login,crypt_key\n" + annaHash + ",anna,k1\n" + annaHash + ",boris,k2\n", faults: "line 3, hash: stands on line 2 as well"},
		{name: "twice the same login", file: "hash,login,crypt_key\n" + annaHash + ",anna,k1\n" + borisHash + ",anna,k2\n", faults: "line 3, login: stands on line 2 as well"},
		{
			name: "no names of columns", file: annaHash + ",anna,k1\n",
			faults: "line 1: column \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" is none of hash, login, crypt_key",
		},
		{name: "a column missing", file: "hash,login\n" + annaHash + ",anna\n", faults: "line 1, crypt_key: is missing"},
		{name: "a column twice", file: "hash,hash,login,crypt_key\n", faults: "line 1, hash: is there twice"},
		{name: "nobody", file: "hash,login,crypt_key\n", faults: "there are no users in it"},
		{name: "nothing", file: "", faults: "line 1: must name the columns hash, login, crypt_key"},
		{name: "not UTF-8", file: "hash,login,crypt_key\n" + annaHash + ",\xc0\xed\xed\xe0,k1\n", faults: "line 2: is not UTF-8"},
		{name: "a quote that does not end", file: "hash,login,crypt_key\n" + annaHash + ",\"anna,k1\n", faults: `line 2: extraneous or missing " in quoted-field`},
		{name: "a login too long", file: "hash,login,crypt_key\n" + annaHash + "," + strings.Repeat("a", 256) + ",k1\n", faults: "line 2, login: is longer than 255 bytes"},
		{name: "a login that cannot be shown", file: "hash,login,crypt_key\n" + annaHash + ",a\x00b,k1\n", faults: "line 2, login: has characters that cannot be shown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &people{byHash: map[string]adapter.User{}}
			for hash, u := range tt.here {
				p.byHash[hash] = u
			}
			u, calls := users(t, p)
			added, known, err := u.Import(t.Context(), strings.NewReader(tt.file))
			if added != tt.added || known != tt.known || len(*calls) != 0 {
				t.Errorf("Import = %d, %d with %d calls; want %d, %d without", added, known, len(*calls), tt.added, tt.known)
			}
			want := tt.here
			if tt.faults == "" {
				want = both
				if err != nil {
					t.Errorf("Import: %v", err)
				}
			} else if err == nil || !strings.HasPrefix(err.Error(), tt.faults) || !errors.Is(err, adapter.ErrInvalid) {
				t.Errorf("Import: %v\nwant %s", err, tt.faults)
			}
			if want == nil {
				want = map[string]adapter.User{}
			}
			if diff := cmp.Diff(want, p.byHash); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImportOfTooMany(t *testing.T) {
	t.Parallel()
	if _, err := integra.ParseImport(strings.NewReader("hash,login,crypt_key\n" + strings.Repeat("x", 32<<20))); err == nil || !strings.Contains(err.Error(), "32 MiB") {
		t.Errorf("a large file: %v", err)
	}
}

// Whatever a file holds, it is read or refused with a line, and what is read is fit to be stored.
func FuzzParseImport(f *testing.F) {
	f.Add("hash,login,crypt_key\n" + annaHash + ",anna,k1\n")
	f.Add("\ufefflogin;crypt_key;hash\r\nanna;\"k\n1\";" + annaHash)
	f.Add("hash,login,crypt_key\n\"\n")
	f.Add("a;b\nc")
	f.Fuzz(func(t *testing.T, file string) {
		rows, err := integra.ParseImport(strings.NewReader(file))
		var fault *integra.ImportError
		if err != nil && (!errors.As(err, &fault) || len(fault.Faults) == 0 || len(rows) != 0) {
			t.Errorf("%d rows with %v", len(rows), err)
		}
		if err == nil && len(rows) == 0 {
			t.Error("nobody, and no error")
		}
		seen := map[string]bool{}
		for _, r := range rows {
			if !adapter.ValidUserHash(r.Hash) || r.Login == "" || r.Key == "" || r.Line < 2 || seen[r.Hash] || seen["login "+r.Login] {
				t.Errorf("row %+v", r)
			}
			seen[r.Hash], seen["login "+r.Login] = true, true
		}
	})
}
