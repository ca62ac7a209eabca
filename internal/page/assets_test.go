package page

import (
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	t.Parallel()
	get := func(method, target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		Assets().ServeHTTP(w, httptest.NewRequest(method, target, nil))
		return w
	}
	for _, name := range []string{"kit.css", "page.js", "frame.js", "icon.svg"} {
		address := assets()[name].address
		if !regexp.MustCompile(`^/_page/[a-z.-]+\.[0-9a-f]{12}\.(css|js|svg)$`).MatchString(address) {
			t.Errorf("%s is at %q", name, address)
		}
		w := get(http.MethodGet, address)
		if w.Code != http.StatusOK || w.Body.Len() == 0 ||
			w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" ||
			w.Header().Get("Content-Type") != assetTypes[path.Ext(name)] {
			t.Errorf("GET %s: %d, %d bytes, %v", address, w.Code, w.Body.Len(), w.Header())
		}
		if w := get(http.MethodHead, address); w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d, %d bytes", address, w.Code, w.Body.Len())
		}
		if w := get(http.MethodPost, address); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("POST %s: %d", address, w.Code)
		}
	}
	for _, target := range []string{"/_page/", "/_page/kit.css", "/_page/kit.000000000000.css", "/_page/../site.go", "/kit.css"} {
		if w := get(http.MethodGet, target); w.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d; want 404", target, w.Code)
		}
	}
}

// TestAssetsAreAlone: a page needs nothing from anywhere else, fonts and pictures included.
// The vendored files are judged by the browser tests, under the content security policy.
func TestAssetsAreAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kit.css", "kit.js", "frame.js", "icon.svg"} {
		body, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(body), `xmlns="http://www.w3.org/2000/svg"`, "")
		for _, foreign := range []string{"http://", "https://", "url(", "@import", "data:", "eval("} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s contains %q", name, foreign)
			}
		}
	}
}
