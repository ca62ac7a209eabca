package billing_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/billing"
)

// certify makes a certificate that vouches for itself.
func certify(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// Each side knows the other by its certificate: a stranger on either side gets no request.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	theirs, theirCA := certify(t, "localhost")
	ours, ourCA := certify(t, "adapter")
	stranger, strangersCA := certify(t, "localhost")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"key":"`+key+`","state":"reserved"}`)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{theirs}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ourCA, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	for _, tt := range []struct {
		name string
		tls  *tls.Config
		ok   bool
	}{
		{"both known", &tls.Config{RootCAs: theirCA, ServerName: "localhost", Certificates: []tls.Certificate{ours}}, true},
		{"no certificate of ours", &tls.Config{RootCAs: theirCA, ServerName: "localhost"}, false},
		{"a stranger's certificate", &tls.Config{RootCAs: theirCA, ServerName: "localhost", Certificates: []tls.Certificate{stranger}}, false},
		{"a billing that nobody vouches for", &tls.Config{RootCAs: strangersCA, ServerName: "localhost", Certificates: []tls.Certificate{ours}}, false},
		{"the system's authorities", nil, false},
	} {
		c, err := billing.New(billing.Config{
			BaseURL: s.URL, Token: func(string) (string, error) { return "t", nil }, TLS: tt.tls,
		}, payments{})
		if err != nil {
			t.Fatal(err)
		}
		if o := c.Move(t.Context(), adapter.Reserve, payment(t, adapter.TopUp)); (o.Verdict == adapter.Accepted) != tt.ok {
			t.Errorf("%s: %+v", tt.name, o)
		}
		c.Close()
	}
}
