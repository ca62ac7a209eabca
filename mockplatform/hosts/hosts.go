// Package hosts is the one table of the names under which clients know the platforms: a client
// that was not changed is pointed at the stand-in by its resolver or by its connection, and
// asks for one of these. Routing, certificates, the command line and the documents go by it.
package hosts

import (
	"net"
	"slices"
	"strings"
)

// Host is a name of a platform.
type Host struct {
	Name string
	Of   string // whose it is, for people
	Path string // at which the stand-in serves what is asked of the name; "" for the same path
}

var table = []Host{
	{"sandbox.promopult.org", "Integra", ""},
	{"api.promopult.org", "Integra", ""},
	{"api.any.money", "Any.Money's API", "/anymoney"},
	{"sci.any.money", "Any.Money's form and pages for payers", "/anymoney-sci"},
	{"auth.robokassa.ru", "Robokassa", "/robokassa"},
	{"auth.robokassa.kz", "Robokassa", "/robokassa"},
	{"services.robokassa.ru", "Robokassa", "/robokassa"},
	{"services.robokassa.kz", "Robokassa", "/robokassa"},
	{"docs.robokassa.ru", "Robokassa", "/robokassa"},
	{"merchant.roboxchange.com", "Robokassa, an old name", "/robokassa/Merchant"},
}

// All returns the table.
func All() []Host { return slices.Clone(table) }

// Names returns every name.
func Names() []string {
	names := make([]string, len(table))
	for i, h := range table {
		names[i] = h.Name
	}
	return names
}

// Domains returns the domains that the names are in: for these the stand-in's certificate
// authority may vouch.
func Domains() []string {
	var domains []string
	for _, h := range table {
		at := strings.LastIndexByte(h.Name, '.')
		if domain := h.Name[strings.LastIndexByte(h.Name[:at], '.')+1:]; !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains
}

// Find returns the host that the Host header of a request names, in any case and with any port.
func Find(header string) (Host, bool) {
	name := strings.ToLower(header)
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	i := slices.IndexFunc(table, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return table[i], true
}
