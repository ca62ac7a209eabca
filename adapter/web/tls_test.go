package web_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter/web"
)

// certify writes a certificate with the serial number and its key over the files.
func certify(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "adapter"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	put(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	// Two certificates can be made within the grain of a file system's clock.
	at := time.Unix(1_700_000_000+serial, 0)
	for _, file := range []string{certFile, keyFile} {
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func put(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// visit asks for /healthz and returns the serial number of the certificate that was shown.
func visit(t *testing.T, c *http.Client, url string) (serial int64, header http.Header, proto string) {
	t.Helper()
	res, err := c.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.TLS.PeerCertificates[0].SerialNumber.Int64(), res.Header, res.Proto
}

func stranger(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestCertificateIsReloadedWithoutDroppingConnections(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), newHandClock()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certify(t, certFile, keyFile, 1)
	r := run(t, web.Config{CertFile: certFile, KeyFile: keyFile, Now: clock.Now}, nil)
	url := strings.Replace(r.url, "http:", "https:", 1)
	regular := stranger(t)
	serial, header, proto := visit(t, regular, url)
	if serial != 1 || proto != "HTTP/2.0" || header.Get("Strict-Transport-Security") == "" {
		t.Errorf("certificate %d, %s, HSTS %q; want 1, HTTP/2.0 and some", serial, proto, header.Get("Strict-Transport-Security"))
	}
	check := func(what string, want int64) {
		t.Helper()
		if got, _, _ := visit(t, stranger(t), url); got != want {
			t.Errorf("%s: newcomers see certificate %d, want %d", what, got, want)
		}
		if got, _, _ := visit(t, regular, url); got != 1 { // the connection is the old one, and lives
			t.Errorf("%s: the old connection shows certificate %d", what, got)
		}
	}
	certify(t, certFile, keyFile, 2)
	check("within the second", 1)
	clock.advance(time.Second)
	check("after a change", 2)

	certify(t, certFile, filepath.Join(dir, "later.key"), 3) // the certificate is there, its key is not yet
	clock.advance(time.Second)
	check("half a change", 2)
	if !strings.Contains(r.log.String(), "going on with the old one") {
		t.Errorf("nothing is said of half a change: %s", r.log)
	}
	if err := os.Rename(filepath.Join(dir, "later.key"), keyFile); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Second)
	check("the other half", 3)

	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Second)
	check("no file at all", 3)
}

func TestTLSNeedsAGoodPairAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile, other := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "other.key")
	certify(t, filepath.Join(dir, "other.crt"), other, 2)
	certify(t, certFile, keyFile, 1)
	for name, cfg := range map[string]web.Config{
		"no key":        {CertFile: certFile},
		"no file":       {CertFile: certFile, KeyFile: filepath.Join(dir, "none")},
		"another's key": {CertFile: certFile, KeyFile: other},
		"a swap":        {CertFile: keyFile, KeyFile: certFile},
	} {
		cfg.Listen = "127.0.0.1:0"
		if addr, err := web.New(cfg).Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("%s: listens at %v, %v", name, addr, err)
		}
	}
}

// Old versions are not spoken, and who speaks no TLS at all is told so.
func TestOnlyModernTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certify(t, certFile, keyFile, 1)
	r := run(t, web.Config{CertFile: certFile, KeyFile: keyFile}, nil)
	old := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}}
	if c, err := old.DialContext(context.Background(), "tcp", strings.TrimPrefix(r.url, "http://")); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if status, _, _ := r.get(t, "/healthz"); status != http.StatusBadRequest {
		t.Errorf("plain HTTP: %d, want 400", status)
	}
}

// Behind a trusted proxy, handlers see the client's address.
func TestServerSeesThroughProxies(t *testing.T) {
	t.Parallel()
	echo := func(s *web.Server) {
		s.Handle("/who", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }))
	}
	for name, tt := range map[string]struct {
		proxies web.Proxies
		want    string
	}{
		"trusted":   {web.Proxies{Trusted: prefixes(t, "127.0.0.0/8")}, "203.0.113.7:0"},
		"untrusted": {web.Proxies{Trusted: prefixes(t, "10.0.0.0/8")}, "127.0.0.1:0"},
		"none":      {web.Proxies{}, "127.0.0.1:"},
		"no sense":  {web.Proxies{Trusted: prefixes(t, "127.0.0.0/8"), Header: web.Forwarded}, "invalid AddrPort"},
	} {
		r := run(t, web.Config{Proxies: tt.proxies}, echo)
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/who", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", "198.51.100.1, 203.0.113.7")
		req.Header.Set("Forwarded", "for=unknown")
		res, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if !strings.HasPrefix(string(body), tt.want) {
			t.Errorf("%s: %s, want %s", name, body, tt.want)
		}
	}
}
