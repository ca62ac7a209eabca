package journal

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// mask follows the first characters of a secret that was taken out.
const mask = "***"

// Redacted returns a copy that may leave the process: every secret is masked, in the raw
// bytes as in the decrypted view, but for its first characters, which tell two secrets
// apart without giving them away.
func (e *Exchange) Redacted() *Exchange {
	view := *e
	view.Secrets = nil
	if e.Diagnosis != nil {
		diagnosis := *e.Diagnosis
		view.Diagnosis = &diagnosis
	}
	for _, secret := range e.Secrets {
		if secret == "" {
			continue
		}
		shown := secret[:min(4, len(secret)/8)] + mask
		for _, form := range Forms(secret) {
			view.Request = bytes.ReplaceAll(view.Request, []byte(form), []byte(shown))
			view.Response = bytes.ReplaceAll(view.Response, []byte(form), []byte(shown))
			view.Args = bytes.ReplaceAll(view.Args, []byte(form), []byte(shown))
			if d := view.Diagnosis; d != nil {
				d.Got, d.Want = strings.ReplaceAll(d.Got, form, shown), strings.ReplaceAll(d.Want, form, shown)
			}
			view.Verdict.Detail = strings.ReplaceAll(view.Verdict.Detail, form, shown)
		}
	}
	return &view
}

// Forms are the ways in which a secret is written, each once: as it is, in a URL (.NET writes
// escapes in lower case), in JSON, and in PHP's JSON.
func Forms(secret string) []string {
	query, path := url.QueryEscape(secret), url.PathEscape(secret)
	quoted, _ := json.Marshal(secret) // a string is always JSON
	inJSON := strings.Trim(string(quoted), `"`)
	all := []string{
		secret, query, path, lowerEscapes(query), lowerEscapes(path),
		inJSON, strings.ReplaceAll(secret, "/", `\/`), strings.ReplaceAll(inJSON, "/", `\/`),
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var escape = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerEscapes(text string) string { return escape.ReplaceAllStringFunc(text, strings.ToLower) }
