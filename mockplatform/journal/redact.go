package journal

import (
	"bytes"
	"net/url"
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
		for _, form := range forms(secret) {
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

// forms are the ways in which a secret is written: as it is, in a URL, and in PHP's JSON.
func forms(secret string) []string {
	return []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ReplaceAll(secret, "/", `\/`)}
}
