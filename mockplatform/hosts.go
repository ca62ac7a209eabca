package mockplatform

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// Hosts are the names of the real platforms that a server answers under: a client that was not
// changed is pointed at the stand-in by its resolver or by its connection, and asks for one of
// these. What each stands for is its protocol's matter.
func Hosts() []string {
	names := append(integra.Hosts(), anymoney.HostAPI, anymoney.HostSCI)
	return slices.Sorted(slices.Values(slices.AppendSeq(names, maps.Keys(robokassa.Hosts()))))
}

// Domains are those that the certificate authority may vouch for.
func Domains() []string {
	return []string{"promopult.org", "any.money", "robokassa.ru", "robokassa.kz", "roboxchange.com"}
}

// byHost lets a client that was not changed find a platform by the name of its host: what
// is asked of a name is served at the path that stands for it.
func byHost(paths map[string]string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.ToLower(r.Host)
		if host, _, err := net.SplitHostPort(name); err == nil {
			name = host
		}
		if path, ok := paths[name]; ok && !strings.HasPrefix(r.URL.Path, page.AssetPrefix) {
			at := *r.URL
			at.Path, at.RawPath = path+r.URL.Path, ""
			inside := *r
			inside.URL = &at
			r = &inside
		}
		next.ServeHTTP(w, r)
	})
}
