// Package page is the look that all pages of this repository share: the stylesheet with
// its colour roles, htmx, icons, the pieces (amounts, states, ids, times, code blocks),
// the sequence diagram and the Russian and English texts.
//
// A package with pages embeds its templates and catalogues, makes a Site of them once and
// renders through it:
//
//	//go:embed *.html texts.*.json
//	var files embed.FS
//
//	var site = page.New(page.Config{Files: files})
//
// A template is written between {{top . (t "its title")}} and {{bottom .}}, and calls the
// pieces as functions: {{amount "1234.5" "RUB"}}, {{id .Hash}}, {{state "confirmed"}}; the
// list is in pieces.go. Everything is html/template, so whatever a stranger sent us is
// escaped; the pages run under a content security policy without inline script or style.
//
// Pages work without JavaScript except for live updates. With it, they are kept current by
// server-sent events (Live) that htmx merges into the page.
//
// A Site parses nothing before the first page is asked for, and is safe for concurrent use.
// The package imports nothing of ours.
package page
