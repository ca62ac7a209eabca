package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a certificate and its key in two files, read anew when they change: who
// renews them, by whatever means, need not tell us, and no connection is dropped.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	stamp  [2]fileStamp // of the files as they were last looked into, well or ill
	looked time.Time
}

// lookEvery is how often the files are looked at, while there are handshakes.
const lookEvery = time.Second

type fileStamp struct {
	modified time.Time
	size     int64
}

// newCertificate reads the files for the first time.
func newCertificate(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log, looked: now()}
	var err error
	if c.stamp, err = c.stamps(); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS: %s, %s: %w", certFile, keyFile, err)
	}
	c.loaded = &pair
	return c, nil
}

func (c *certificate) stamps() (s [2]fileStamp, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return s, err
		}
		s[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

// get is for tls.Config.GetCertificate. Files that cannot be read, or do not belong together
// since only one of them is new yet, leave the present certificate in place.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < lookEvery {
		return c.loaded, nil
	}
	c.looked = now
	stamp, err := c.stamps()
	if err == nil && stamp == c.stamp {
		return c.loaded, nil
	}
	var pair tls.Certificate
	if err == nil {
		c.stamp = stamp
		pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	if err != nil {
		c.log.Error("the new certificate cannot be read, going on with the old one", "err", err)
		return c.loaded, nil
	}
	c.loaded = &pair
	c.log.Info("certificate loaded anew", "file", c.certFile, "good_until", pair.Leaf.NotAfter)
	return c.loaded, nil
}

// config is how we speak TLS.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}
