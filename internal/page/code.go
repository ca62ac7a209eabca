package page

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code is text shown as it was sent, in one or more tabs (raw, decoded).
type Code struct {
	ID   string // unique on the page
	Tabs []Tab
	// Secrets are texts that must not be shown; every occurrence is masked, and the page
	// does not hold them.
	Secrets []string
}

// A Tab is one view of a Code.
type Tab struct {
	Name string
	Text string // any bytes; what cannot be printed is shown as \x1b
}

// maxCode is how many bytes of a text are shown, so that a page stays a page whatever was
// sent to us.
const maxCode = 16 << 10

// mask stands for a secret of any length.
const mask = "••••••"

type codeView struct {
	ID   string
	Tabs []tabView
}

type tabView struct {
	ID       string
	Name     string
	Segments []segment
	Cut      int // bytes that are not shown
}

// A segment is a stretch of text that is masked or not.
type segment struct {
	Text   string
	Secret bool
}

func (c Code) view() codeView {
	out := codeView{ID: c.ID}
	for i, tab := range c.Tabs {
		text, cut := tab.Text, 0
		if len(text) > maxCode {
			end := maxCode // not in the middle of a rune, nor of a secret
			for end > maxCode-utf8.UTFMax && !utf8.RuneStart(text[end]) {
				end--
			}
			for _, secret := range c.Secrets {
				from := max(0, end-len(secret)+1)
				to := min(len(text), end+len(secret)-1)
				if at := strings.Index(text[from:to], secret); secret != "" && at >= 0 {
					end = from + at
				}
			}
			text, cut = text[:end], len(tab.Text)-end
		}
		out.Tabs = append(out.Tabs, tabView{
			ID: fmt.Sprintf("%s-%d", c.ID, i), Name: tab.Name, Segments: masked(text, c.Secrets), Cut: cut,
		})
	}
	return out
}

// masked cuts text at its secrets. Where two secrets begin at one place, the longer is taken.
func masked(text string, secrets []string) []segment {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" })
	var out []segment
	for text != "" {
		at, length := len(text), 0
		for _, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 && (i < at || i == at && len(secret) > length) {
				at, length = i, len(secret)
			}
		}
		if at > 0 {
			out = append(out, segment{Text: Printable(text[:at])})
		}
		if length > 0 {
			out = append(out, segment{Text: mask, Secret: true})
		}
		text = text[at+length:]
	}
	return out
}

// Printable shows bytes that have no look of their own by their number. Lines end with LF or
// CR LF alike.
func Printable(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == '\r' && strings.HasPrefix(text[i:], "\r\n"): // how HTTP ends its lines
		case r == '\r':
			b.WriteString(`\r`)
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r): // Cf: could turn the text around
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}
