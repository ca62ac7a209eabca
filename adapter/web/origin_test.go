package web_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/adapter/web"
)

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	list, err := web.ParsePrefixes(texts)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestParsePrefixes(t *testing.T) {
	t.Parallel()
	got := prefixes(t, "10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1")
	if text := fmt.Sprint(got); text != "[10.0.0.0/8 192.0.2.1/32 2001:db8::/32 ::1/128]" {
		t.Errorf("parsed %s", text)
	}
	for _, text := range []string{"", "10.0.0.0/33", "10.0.0.1/8", "localhost", "fe80::1%eth0", "10.0.0.0/8,11.0.0.0/8"} {
		if list, err := web.ParsePrefixes([]string{text}); err == nil {
			t.Errorf("%q: %v; want an error", text, list)
		}
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	ours := []string{"10.0.0.0/8", "fd00::/8"}
	for _, tt := range []struct {
		name, peer, header string
		lines              []string
		want               string // "" for unknown
	}{
		{"a stranger says he speaks for another", "203.0.113.7:999", "", []string{"198.51.100.1"}, "203.0.113.7"},
		{"our proxy speaks for the client", "10.0.0.1:999", "", []string{"203.0.113.7"}, "203.0.113.7"},
		{"the client forges what stands before", "10.0.0.1:999", "", []string{"198.51.100.1, 10.0.0.9, 203.0.113.7"}, "203.0.113.7"},
		{"two proxies", "10.0.0.1:999", "", []string{"198.51.100.1, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		{"two lines are one", "10.0.0.1:999", "", []string{"198.51.100.1, 203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		{"the proxy itself", "10.0.0.1:999", "", nil, "10.0.0.1"},
		{"only proxies", "10.0.0.1:999", "", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"with a port", "10.0.0.1:999", "", []string{"203.0.113.7:5000"}, "203.0.113.7"},
		{"IPv6", "[fd00::1]:999", "", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 with a port", "[fd00::1]:999", "", []string{"[2001:db8::7]:443"}, "2001:db8::7"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:999", "", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"no address", "10.0.0.1:999", "", []string{"203.0.113.7, unknown"}, ""},
		{"no address behind the stranger", "10.0.0.1:999", "", []string{"unknown, 203.0.113.7"}, "203.0.113.7"},
		{"no peer", "@", "", []string{"203.0.113.7"}, ""},

		{"RFC 7239", "10.0.0.1:999", web.Forwarded, []string{`for=198.51.100.1;proto=https, for=203.0.113.7;by=10.0.0.2, For="10.0.0.2:80"`}, "203.0.113.7"},
		{"RFC 7239, IPv6", "10.0.0.1:999", web.Forwarded, []string{`for="[2001:db8::7]:443"`}, "2001:db8::7"},
		{"RFC 7239, obscured", "10.0.0.1:999", web.Forwarded, []string{`for=198.51.100.1, for=_hidden`}, ""},
		{"RFC 7239, nobody named", "10.0.0.1:999", web.Forwarded, []string{`for=198.51.100.1, proto=https`}, ""},
		{"RFC 7239, a quote left open", "10.0.0.1:999", web.Forwarded, []string{`for="198.51.100.1`, `for=203.0.113.7`}, ""},
		{"RFC 7239, a comma in quotes", "10.0.0.1:999", web.Forwarded, []string{`for=198.51.100.1;host="a,for=10.0.0.5", for=203.0.113.7`}, "203.0.113.7"},
	} {
		p := web.Proxies{Trusted: prefixes(t, ours...), Header: tt.header}
		name := web.XForwardedFor
		if tt.header != "" {
			name = tt.header
		}
		r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{name: tt.lines}}
		if tt.header == web.Forwarded { // what is not read must not matter
			r.Header[web.XForwardedFor] = []string{"198.51.100.99"}
		}
		got := p.Client(r)
		if want, _ := netip.ParseAddr(tt.want); got != want {
			t.Errorf("%s: %s, want %q", tt.name, got, tt.want)
		}
	}
}

// Whatever a stranger sends before our proxy adds the stranger's address, he does not pass for
// another.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{"", "198.51.100.1", "10.0.0.2, 10.0.0.3", "unknown", `for="`, `for=10.0.0.1`, `for="[::1]"`, "for=1;", "\\", ",,,", `a="\"`} {
		f.Add(seed)
	}
	trusted := prefixes(f, "10.0.0.0/8")
	real := netip.MustParseAddr("203.0.113.7")
	f.Fuzz(func(t *testing.T, sent string) {
		for _, header := range []string{web.XForwardedFor, web.Forwarded} {
			p := web.Proxies{Trusted: trusted, Header: header}
			added := real.String()
			if header == web.Forwarded {
				added = "for=" + added
			}
			for _, lines := range [][]string{{sent, added}, {sent + ", " + added}} {
				got := p.Client(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{header: lines}})
				if got != real && (got.IsValid() || header == web.XForwardedFor) {
					t.Errorf("%s: %q passes for %s", header, strings.Join(lines, " | "), got)
				}
			}
			if got := p.Client(&http.Request{RemoteAddr: "203.0.113.7:1", Header: http.Header{header: {sent}}}); got != real {
				t.Errorf("%s: %q, sent by nobody's proxy, passes for %s", header, sent, got)
			}
		}
	})
}
