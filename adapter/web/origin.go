package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// ParsePrefixes reads networks such as 10.0.0.0/8, and single addresses. Its error names the
// one at fault.
func ParsePrefixes(texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("%q is no network such as 192.0.2.0/24 and no address", text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p.Masked() != p {
			return nil, fmt.Errorf("%q has bits set beyond its length, did you mean %s?", text, p.Masked())
		}
		list = append(list, p)
	}
	return list, nil
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// The headers in which proxies say whom they speak for. Only the one that the proxies are known
// to write may be read: the other comes from whoever likes to send it.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded" // RFC 7239
)

// Proxies are those that are believed about whom they speak for. Without any, the caller is
// who is connected.
type Proxies struct {
	Trusted []netip.Prefix
	Header  string // XForwardedFor or Forwarded; the former if ""
}

// Client is the address of whoever a request comes from: the last one, counted from us, that is
// no proxy of ours. Each proxy adds the address that it was called from on the right, so what
// stands to the left of the first stranger is the stranger's own tale. The zero Addr says that
// it cannot be known: a proxy said something that is no address.
func (p Proxies) Client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plain(peer.Addr())
	if !within(p.Trusted, client) {
		return client
	}
	hops, err := p.hops(r.Header)
	if err != nil {
		return netip.Addr{}
	}
	for i := len(hops) - 1; i >= 0 && within(p.Trusted, client); i-- {
		if client = hop(hops[i]); !client.IsValid() {
			break
		}
	}
	return client
}

// hops are the addresses that the header lists, as they are written.
func (p Proxies) hops(h http.Header) ([]string, error) {
	if p.Header == Forwarded {
		return forwardedFor(strings.Join(h.Values(Forwarded), ","))
	}
	var hops []string
	for _, line := range h.Values(XForwardedFor) {
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.TrimSpace(part); part != "" {
				hops = append(hops, part)
			}
		}
	}
	return hops, nil
}

// hop reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1,
// [2001:db8::1], [2001:db8::1]:80.
func hop(text string) netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil {
		return plain(a)
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return plain(ap.Addr())
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			if a, err := netip.ParseAddr(inner); err == nil && a.Is6() {
				return plain(a)
			}
		}
	}
	return netip.Addr{}
}

// plain is an address in the one form that networks are compared with.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

var errForwarded = errors.New("malformed Forwarded header")

// forwardedFor returns the for= of each element, "" where there is none.
func forwardedFor(text string) ([]string, error) {
	var list []string
	element, seen := "", false
	for text = skipSpace(text); text != ""; text = skipSpace(text) {
		switch text[0] {
		case ',':
			if seen {
				list = append(list, element)
			}
			element, seen, text = "", false, text[1:]
			continue
		case ';':
			text = text[1:]
			continue
		}
		name, value, rest, err := pair(text)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "for") {
			element = value
		}
		seen, text = true, rest
		if text = skipSpace(text); text != "" && text[0] != ',' && text[0] != ';' {
			return nil, errForwarded
		}
	}
	if seen {
		list = append(list, element)
	}
	return list, nil
}

func skipSpace(s string) string { return strings.TrimLeft(s, " \t") }

// pair reads name=value, the value a token or a quoted string.
func pair(text string) (name, value, rest string, err error) {
	name, text, ok := strings.Cut(text, "=")
	if !ok || name == "" || strings.ContainsAny(name, " \t,;\"") {
		return "", "", "", errForwarded
	}
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, " \t,;")
		if end < 0 {
			end = len(text)
		}
		if value = text[:end]; strings.Contains(value, `"`) {
			return "", "", "", errForwarded
		}
		return name, value, text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return name, b.String(), text[i+1:], nil
		case '\\':
			if i++; i == len(text) {
				return "", "", "", errForwarded
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", "", errForwarded
}
