package authority_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/authority"
)

var domains = []string{"promopult.org"}

// A client that trusts the authority gets an answer under the names, and under no other.
func TestServer(t *testing.T) {
	t.Parallel()
	a, err := authority.New(domains, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		names []string
		host  string
		ok    bool
	}{
		{[]string{"sandbox.promopult.org"}, "sandbox.promopult.org", true},
		{nil, "localhost", true},
		{nil, "127.0.0.1", true},
		{[]string{"sandbox.promopult.org"}, "api.promopult.org", false}, // not named
		{[]string{"bank.example"}, "bank.example", false},               // named, but not to be vouched for
	} {
		config, err := a.Server(tt.names, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }))
		server.TLS = config
		server.Config.ErrorLog = nil
		server.StartTLS()
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: a.Pool(), ServerName: tt.host},
		}}
		response, err := client.Get("https://" + server.Listener.Addr().String())
		if err == nil {
			_ = response.Body.Close()
		}
		if (err == nil) != tt.ok {
			t.Errorf("as %s of %v: %v", tt.host, tt.names, err)
		}
		server.Close()
	}
}

// The same file gives the same authority, until it expires.
func TestOpen(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "deep", "ca.pem")
	now := time.Now()
	first, err := authority.Open(file, domains, now)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	again, err := authority.Open(file, domains, now.Add(365*24*time.Hour))
	if err != nil || string(again.Certificate()) != string(first.Certificate()) {
		t.Errorf("another authority a year later: %v", err)
	}
	late, err := authority.Open(file, domains, now.Add(9*365*24*time.Hour))
	if err != nil || string(late.Certificate()) == string(first.Certificate()) {
		t.Errorf("the same authority when it cannot sign for its whole time any more: %v", err)
	}
	if strings.Contains(string(first.Certificate()), "PRIVATE") {
		t.Error("the certificate shows the key")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca.pem")
	a, err := authority.Open(file, domains, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b, err := authority.New(domains, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := os.ReadFile(file)
	_, key, _ := strings.Cut(string(whole), "-----END CERTIFICATE-----\n")
	for name, text := range map[string]string{
		"nothing": "", "no key": string(a.Certificate()), "no certificate": key, "another key": string(b.Certificate()) + key,
		"broken": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + key,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := authority.Open(file, domains, time.Now()); !errors.Is(err, authority.ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
		if kept, _ := os.ReadFile(file); string(kept) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := authority.Open(t.TempDir(), domains, time.Now()); err == nil {
		t.Error("a directory is accepted")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := authority.Open(file, domains, time.Now()); err == nil {
			if _, err := a.Server(nil, time.Now()); err != nil && !strings.Contains(err.Error(), "sign") {
				t.Error(err)
			}
		}
	})
}
