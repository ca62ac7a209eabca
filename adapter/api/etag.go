package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// etagged gives answers to GET an ETag, and answers 304 to a caller who has the same already.
// The tag is made from the answer's bytes, so it needs no care about what an answer depends on.
// Answers are pages of bounded length, so they are kept until they are whole.
func etagged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		kept := &keptAnswer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(kept, r)
		if kept.status == http.StatusOK {
			sum := sha256.Sum256(kept.body.Bytes())
			tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
			h := w.Header()
			h.Set("ETag", tag)
			h.Set("Cache-Control", "private, no-cache") // to be kept, and asked for again
			if hasTag(r.Header.Values("If-None-Match"), tag) {
				h.Del("Content-Type")
				h.Del("Content-Length")
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		w.WriteHeader(kept.status)
		_, _ = w.Write(kept.body.Bytes()) // who hung up gets nothing
	})
}

// keptAnswer keeps an answer instead of sending it.
type keptAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader keeps the status.
func (k *keptAnswer) WriteHeader(status int) { k.status = status }

// Write keeps a part of the body.
func (k *keptAnswer) Write(p []byte) (int, error) { return k.body.Write(p) }

// hasTag reports whether If-None-Match lists the tag (RFC 9110 §13.1.2: "*", or tags parted by
// commas, of which weak ones are as good here). Our tags hold no comma; others never match.
func hasTag(values []string, tag string) bool {
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			item = strings.TrimSpace(item)
			if item == "*" || strings.TrimPrefix(item, "W/") == tag {
				return true
			}
		}
	}
	return false
}
