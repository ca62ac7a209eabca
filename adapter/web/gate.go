package web

import (
	"cmp"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Gate is who may come in, and how often; zero fields let everybody in as often as they like.
type Gate struct {
	Allow     []netip.Prefix   // the networks that may
	PerSource float64          // requests a second from one source: an IPv4 address, an IPv6 /64
	Overall   float64          // requests a second from all of them
	Now       func() time.Time // time.Now
	Log       *slog.Logger     // slog.Default
	// Observe is told the status of every request that is turned away.
	Observe func(status int)
}

// sources bounds the memory for sources: who was not heard of for longest is forgotten.
const sources = 4096

// burst is how many seconds' worth of requests may come at once.
const burst = 2

// gate is a Gate at work.
type gate struct {
	Gate
	next    http.Handler
	overall *rate.Limiter
	sources *lru.Cache[netip.Prefix, *rate.Limiter]
}

// Wrap puts the gate before a handler. Whom it turns away is answered 403 for good, or 429 with
// Retry-After; what came through is not its business any more. It goes by r.RemoteAddr, which
// Server sets to the client's address.
func (g Gate) Wrap(next http.Handler) http.Handler {
	if len(g.Allow) == 0 && g.PerSource <= 0 && g.Overall <= 0 {
		return next
	}
	g.Log = cmp.Or(g.Log, slog.Default())
	if g.Now == nil {
		g.Now = time.Now
	}
	if g.Observe == nil {
		g.Observe = func(int) {}
	}
	cache, _ := lru.New[netip.Prefix, *rate.Limiter](sources) // fails for a size below 1 alone
	return &gate{Gate: g, next: next, overall: limiter(g.Overall), sources: cache}
}

// limiter returns a limiter for so many a second; nil for no limit.
func limiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(max(1, math.Ceil(burst*perSecond))))
}

// ServeHTTP lets a request through or turns it away.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client := clientOf(r)
	if len(g.Allow) > 0 && !within(g.Allow, client) {
		g.refuse(w, r, http.StatusForbidden, "this address may not come in")
		return
	}
	now := g.Now()
	wait := take(g.source(client), now)
	if wait == 0 { // a source that is over its own limit takes nothing from the others
		wait = take(g.overall, now)
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		g.refuse(w, r, http.StatusTooManyRequests, "too many requests")
		return
	}
	g.next.ServeHTTP(w, r)
}

// source is the limiter of a client's network.
func (g *gate) source(client netip.Addr) *rate.Limiter {
	if g.PerSource <= 0 {
		return nil
	}
	bits := client.BitLen()
	if client.Is6() {
		bits = 64 // what one customer gets
	}
	network, _ := client.Prefix(bits) // clients that are not known share the zero one
	if l, ok := g.sources.Get(network); ok {
		return l
	}
	l := limiter(g.PerSource)
	if known, ok, _ := g.sources.PeekOrAdd(network, l); ok {
		return known
	}
	return l
}

// take takes a token and returns 0, or how long it would have to be waited for.
func take(l *rate.Limiter, now time.Time) time.Duration {
	if l == nil || l.AllowN(now, 1) {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	return max(time.Millisecond, time.Duration(missing/float64(l.Limit())*float64(time.Second)))
}

func (g *gate) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"error":"` + why + "\"}\n"))
	g.Observe(status)
	g.Log.LogAttrs(r.Context(), slog.LevelWarn, "turned away", slog.Int("status", status), slog.String("from", r.RemoteAddr), slog.String("reason", why))
}

// clientOf is the client's address as Server left it in r.RemoteAddr.
func clientOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plain(peer.Addr())
}
