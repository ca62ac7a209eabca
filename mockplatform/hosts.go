package mockplatform

import (
	"net/http"
	"strings"

	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/hosts"
)

// byHost lets a client that was not changed find a platform by the name of its host: what
// is asked of a name is served at the path that stands for it.
func byHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, ok := hosts.Find(r.Host); ok && host.Path != "" && !strings.HasPrefix(r.URL.Path, page.AssetPrefix) {
			at := *r.URL
			at.Path, at.RawPath = host.Path+r.URL.Path, ""
			inside := *r
			inside.URL = &at
			r = &inside
		}
		next.ServeHTTP(w, r)
	})
}
