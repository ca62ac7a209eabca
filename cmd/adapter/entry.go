package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/partnerkit/partnerkit/adapter/web"
)

// entryFlags say who comes in, how often, and by what way.
type entryFlags struct {
	TLSCert             string   `group:"Entry" name:"tls-cert" placeholder:"FILE" type:"path" help:"Serve TLS with this certificate and its chain (PEM). When the file changes it is read anew; no connection is dropped."`
	TLSKey              string   `group:"Entry" name:"tls-key" placeholder:"FILE" type:"path" help:"The key of --tls-cert (PEM)."`
	TrustedProxies      []string `group:"Entry" placeholder:"NET" help:"Networks of the proxies in front of this adapter, for example 10.0.0.0/8; they are believed about whom they speak for."`
	ProxyHeader         string   `group:"Entry" default:"X-Forwarded-For" enum:"X-Forwarded-For,Forwarded" placeholder:"NAME" help:"The header in which they say so: X-Forwarded-For or Forwarded. Default: ${default}."`
	NotifyAllow         []string `group:"Entry" placeholder:"NET" help:"Networks that notifications may come from, for example 203.0.113.0/24; others are answered 403. Default: any."`
	MetricsAllow        []string `group:"Entry" default:"127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7" placeholder:"NET" help:"Networks that may read /metrics. Default: private ones."`
	NotifyRate          float64  `group:"Entry" default:"0" placeholder:"N" help:"Notifications a second that are let in; more are answered 429, and the platform sends them again. 0 is no limit. Default: ${default}."`
	NotifyRatePerSource float64  `group:"Entry" default:"0" placeholder:"N" help:"The same for one address (of IPv6, one /64). Default: ${default}."`
}

func (f entryFlags) faults(notifyAuth string) (faults []error) {
	if (f.TLSCert == "") != (f.TLSKey == "") {
		faults = append(faults, errors.New("--tls-cert, --tls-key: give both or none"))
	}
	if _, err := web.ParsePrefixes(f.TrustedProxies); err != nil {
		faults = append(faults, fmt.Errorf("--trusted-proxies: %w", err))
	}
	if _, err := web.ParsePrefixes(f.NotifyAllow); err != nil {
		faults = append(faults, fmt.Errorf("--notify-allow: %w", err))
	}
	if _, err := web.ParsePrefixes(f.MetricsAllow); err != nil {
		faults = append(faults, fmt.Errorf("--metrics-allow: %w", err))
	}
	if notifyAuth == "none" && len(f.NotifyAllow) == 0 {
		faults = append(faults, errors.New("--notify-allow: is needed with --notify-auth=none, since nothing else vouches for a notification"))
	}
	for name, n := range map[string]float64{"notify-rate": f.NotifyRate, "notify-rate-per-source": f.NotifyRatePerSource} {
		if n < 0 || n > 1e6 || math.IsNaN(n) {
			faults = append(faults, fmt.Errorf("--%s: must be from 0 to 1000000", name))
		}
	}
	return faults
}

// proxies and gate are what the flags say; faults has found them right.
func (f entryFlags) proxies() web.Proxies {
	trusted, _ := web.ParsePrefixes(f.TrustedProxies)
	return web.Proxies{Trusted: trusted, Header: f.ProxyHeader}
}

// metricsGate lets in who may read the metrics.
func (f entryFlags) metricsGate(log *slog.Logger) web.Gate {
	allow, _ := web.ParsePrefixes(f.MetricsAllow)
	return web.Gate{Allow: allow, Log: log}
}

func (f entryFlags) gate(observe func(status int), log *slog.Logger) web.Gate {
	allow, _ := web.ParsePrefixes(f.NotifyAllow)
	return web.Gate{Allow: allow, PerSource: f.NotifyRatePerSource, Overall: f.NotifyRate, Observe: observe, Log: log}
}
