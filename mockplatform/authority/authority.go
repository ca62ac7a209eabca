// Package authority is the stand-in's own certificate authority: it lets clients that were
// not changed speak TLS to the stand-in under the real platforms' names.
//
// The authority may vouch for those names, for localhost and for loopback addresses, and for
// nothing else: its certificate says so (name constraints, critical), so that whoever trusts
// it on a developer's machine trusts it with no more than that. It is kept in a file, with its
// key, so that a client that learnt to trust it once still does after the next start; it is
// good for ten years. Server certificates are made anew at every start.
//
// Keys come from the system's randomness, not from the stand-in's seed: a key that everybody
// can compute protects nobody.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// ErrFile is a file that holds no authority; the text says why.
var ErrFile = errors.New("no certificate authority")

const (
	lifetime       = 10 * 365 * 24 * time.Hour
	serverLifetime = 397 * 24 * time.Hour // browsers accept no longer one
	skew           = time.Hour            // clocks differ
)

// Authority signs certificates. It is safe for concurrent use.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// New makes an authority for domains and all below them, as of now.
func New(domains []string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "partnerkit mockplatform CA", Organization: []string{"for development only"}},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,

		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         append([]string{"localhost"}, domains...),
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the authority back: %w", err)
	}
	return &Authority{cert, key}, nil
}

// Open returns the authority that a file keeps. Where there is no file, or its authority has
// expired, it makes one and keeps it there, readable for its owner alone. A file that holds
// something else is ErrFile, and stays as it is.
func Open(file string, domains []string, now time.Time) (*Authority, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the operator's own file
	switch {
	case err == nil:
		a, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if now.Before(a.cert.NotAfter.Add(-serverLifetime)) {
			return a, nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	a, err := New(domains, now)
	if err != nil {
		return nil, err
	}
	return a, a.save(file)
}

const (
	blockCert = "CERTIFICATE"
	blockKey  = "PRIVATE KEY"
)

func parse(text []byte) (*Authority, error) {
	a := &Authority{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var err error
		switch block.Type {
		case blockCert:
			a.cert, err = x509.ParseCertificate(block.Bytes)
		case blockKey:
			var key any
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
			a.key, _ = key.(crypto.Signer)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		}
	}
	switch {
	case a.cert == nil || a.key == nil:
		return nil, fmt.Errorf("%w: it takes a certificate and its key", ErrFile)
	case !a.cert.IsCA:
		return nil, fmt.Errorf("%w: the certificate is not an authority's", ErrFile)
	}
	if pub, ok := a.cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(a.key.Public()) {
		return nil, fmt.Errorf("%w: the key is not the certificate's", ErrFile)
	}
	return a, nil
}

// save writes beside the file and renames, so that no reader finds half of it.
func (a *Authority) save(file string) error {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return fmt.Errorf("write the authority's key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	text := append(a.Certificate(), pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: key})...)
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}

// Certificate returns the authority's certificate in PEM: what clients have to trust.
func (a *Authority) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: a.cert.Raw})
}

// Pool returns a pool with the authority alone, for Go clients.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Server returns the TLS configuration of a server that answers under the names given, under
// localhost and under loopback addresses.
func (a *Authority) Server(names []string, now time.Time) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "partnerkit mockplatform"},
		NotBefore: now.Add(-skew), NotAfter: now.Add(serverLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    append([]string{"localhost"}, names...),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign the server's certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}},
	}, nil
}
