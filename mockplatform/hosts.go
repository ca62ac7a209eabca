package mockplatform

import (
	"net"
	"net/http"
	"strings"

	"github.com/partnerkit/partnerkit/internal/page"
)

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
