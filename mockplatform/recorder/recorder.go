// Package recorder stands between a partner and a real platform, passes every call through
// unchanged, and keeps what was said in a file without secrets: see docs/recorder.md and
// contract/recording for the file.
//
// # What is kept, and what is not
//
// Keys, passwords, tokens, signatures, cookies and card data are masked, by their names, by
// their form, and wherever a text stands that is known to be one: the keys that were given, the
// crypt keys that createUser answered, what is secret in addresses for notifications. Of
// Integra's k only the hash is kept, since its data and its text beside each other are the key.
// A body that is not JSON, a form, XML or a short text is left out: what is not understood
// may hide anything.
//
// An exchange is written when it has ended, and before the caller can know that it has.
package recorder

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// Config describes a recorder.
type Config struct {
	Upstream     *url.URL // the platform; http or https, perhaps with a path
	Listen       string   // address for the partner's calls; "127.0.0.1:0" if ""
	Notify       *url.URL // the partner's adapter, to pass the platform's calls to; nil for none
	NotifyListen string   // address for those; "127.0.0.1:0" if ""
	Out          string   // file
	Keys         Keys
	Learned      string         // file that keeps the crypt keys of users who are made meanwhile, for the next start; "" for none
	Timeout      time.Duration  // until an answer begins; 2 minutes if 0
	RootCAs      *x509.CertPool // trusted for TLS; the system's if nil
	Log          *slog.Logger   // nowhere if nil
}

// MaxBody is how much of a body is looked at, in bytes. What is longer is passed through and
// left out of the file.
const MaxBody = 1 << 20

// A Recorder is bound to its addresses and records once it is Run.
type Recorder struct {
	log       *slog.Logger
	file      *file
	keys      *keyring
	transport *http.Transport
	servers   []*http.Server
	listeners []net.Listener // for the partner; for the platform, if its calls are recorded
	under     sync.WaitGroup // exchanges under way
}

// New opens the file and listens. The error names what is wrong with cfg.
func New(cfg Config) (_ *Recorder, err error) {
	r := &Recorder{log: cfg.Log}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.keys, err = newKeyring(cfg.Keys); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	for _, u := range []*url.URL{cfg.Upstream, cfg.Notify} {
		if u != nil {
			r.keys.learn(secretsOfAddress(u.String())...)
		}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Minute
	}
	r.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: cfg.Timeout,
		DisableCompression: true, // bodies pass as they are
	}
	if cfg.Learned != "" {
		if err := r.keys.openLearned(cfg.Learned); err != nil {
			return nil, fmt.Errorf("learned: %w", err)
		}
	}
	defer func() {
		if err != nil {
			_ = r.keys.close()
			for _, l := range r.listeners {
				_ = l.Close()
			}
		}
	}()
	if err := r.listen("listen", cfg.Listen, recording.In, cfg.Upstream); err != nil {
		return nil, err
	}
	if cfg.Notify != nil {
		if err := r.listen("notify-listen", cfg.NotifyListen, recording.Out, cfg.Notify); err != nil {
			return nil, err
		}
	}
	if r.file, err = openFile(cfg.Out); err != nil {
		return nil, fmt.Errorf("out: %w", err)
	}
	return r, nil
}

func (r *Recorder) listen(name, address, direction string, to *url.URL) error {
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.listeners = append(r.listeners, l)
	r.servers = append(r.servers, &http.Server{
		Handler:           r.proxy(direction, to),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	})
	return nil
}

// URL is where the partner calls.
func (r *Recorder) URL() string { return "http://" + r.listeners[0].Addr().String() }

// NotifyURL is where the platform calls; "" if its calls are not recorded.
func (r *Recorder) NotifyURL() string {
	if len(r.listeners) < 2 {
		return ""
	}
	return "http://" + r.listeners[1].Addr().String()
}

// Lines is how many exchanges were added to the file.
func (r *Recorder) Lines() int {
	r.file.mu.Lock()
	defer r.file.mu.Unlock()
	return r.file.lines
}

// stopWithin is how long exchanges in progress may take to end.
const stopWithin = 5 * time.Second

// Run records until ctx is done, then ends what is in progress. It is called once. The error
// is nil unless a listener failed, or the file could not be written.
func (r *Recorder) Run(ctx context.Context) error {
	failed := make(chan error, len(r.servers))
	for i, s := range r.servers {
		go func() { failed <- s.Serve(r.listeners[i]) }()
	}
	var errs []error
	waiting := len(r.servers)
	select {
	case <-ctx.Done():
		r.log.Info("stopping")
	case err := <-failed:
		errs = append(errs, err)
		waiting--
	}
	stopping, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	var ended sync.WaitGroup
	for _, s := range r.servers {
		ended.Go(func() {
			if s.Shutdown(stopping) != nil {
				_ = s.Close()
			}
		})
	}
	ended.Wait()
	for range waiting {
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	r.under.Wait() // those that were cut off are written too
	r.transport.CloseIdleConnections()
	return errors.Join(append(errs, r.file.close(), r.keys.close())...)
}

// proxy passes calls on to a base address.
func (r *Recorder) proxy(direction string, to *url.URL) http.Handler {
	reverse := &httputil.ReverseProxy{
		Transport:     r.transport,
		FlushInterval: -1, // what comes slowly is passed on slowly
		ErrorLog:      slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.URL.RawQuery = p.In.URL.RawQuery // also what is no query
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if values, ok := p.In.Header[name]; ok {
					p.Out.Header[name] = values
				}
			}
		},
		ModifyResponse: func(res *http.Response) error {
			passingOf(res.Request).answered(res)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			passingOf(req).end(err)
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = fmt.Fprintf(w, "recorder: no answer of %s: %s\n", to.Host, journal.Reason(err))
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.under.Add(1)
		defer r.under.Done()
		p := &passing{r: r, direction: direction, host: to.Host, scheme: to.Scheme, began: time.Now(), request: req}
		if req.Body != nil && req.Body != http.NoBody {
			req.Body = &copied{ReadCloser: req.Body, into: &p.sent}
		}
		_ = http.NewResponseController(w).EnableFullDuplex() // a platform may answer before it has read everything
		defer p.end(errCutOff)                               // unless it has ended; also where a panic closes the connection
		reverse.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), passingKey{}, p)))
	})
}
