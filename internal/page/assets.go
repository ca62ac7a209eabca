package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed assets
var assetFiles embed.FS

// AssetPrefix is where a server that has pages mounts Assets, on each of its listeners.
const AssetPrefix = "/_page/"

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// asset is a file that pages refer to, under a name that changes with its content.
type asset struct {
	address     string // path with the content's hash
	contentType string
	body        []byte
}

// script is the one script of every page. htmx starts itself as soon as the browser has a
// moment, which can be before the next file has arrived: in one file with it, its extension
// is always there in time.
const script = "page.js"

var scriptParts = []string{"htmx.min.js", "hx-sse.min.js", "kit.js"}

// assets knows every asset by its plain name and by its address.
var assets = sync.OnceValue(func() map[string]asset {
	out := map[string]asset{}
	add := func(name string, body []byte) {
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		a := asset{
			address:     AssetPrefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			contentType: assetTypes[ext],
			body:        body,
		}
		out[name], out[a.address] = a, a
	}
	read := func(name string) []byte {
		body, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // what is embedded can be read
		}
		return body
	}
	for _, name := range []string{"kit.css", "icon.svg", "frame.js", "kit.js"} {
		add(name, read(name))
	}
	var parts [][]byte
	for _, name := range scriptParts {
		parts = append(parts, read(name))
	}
	add(script, bytes.Join(parts, []byte("\n")))
	return out
})

// Stylesheet and Script are the kit for a page that has to be one file: there is no server,
// so the script comes without htmx.
func Stylesheet() string { return string(assets()["kit.css"].body) }

// Script is described at Stylesheet.
func Script() string { return string(assets()["kit.js"].body) }

// Assets serves the kit's stylesheet, scripts and icon under AssetPrefix. A name holds the
// hash of its content, so browsers keep it for ever and never ask again.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets()[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", a.contentType)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodGet {
			_, _ = w.Write(a.body) // a reader who left needs no answer
		}
	})
}
