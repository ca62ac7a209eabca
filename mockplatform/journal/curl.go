package journal

import (
	"fmt"
	"slices"
	"strings"
)

// Curl writes the request of an exchange as a command for bash, without secrets: what was
// masked has to be put in again by whoever knows it.
func (e *Exchange) Curl() string {
	m := parse(e.Redacted().Request)
	parts := []string{"curl -i"}
	if verb := m.first[0]; verb != "GET" && (verb != "POST" || len(m.body) == 0) {
		parts = append(parts, "-X "+quote(verb))
	}
	parts = append(parts, quote(m.url(e.Scheme)))
	typed := false
	for _, h := range m.headers {
		if slices.ContainsFunc([]string{"Host", "Content-Length", "Accept-Encoding", "Connection"}, func(name string) bool {
			return strings.EqualFold(name, h.name)
		}) {
			continue // curl's own affair
		}
		typed = typed || strings.EqualFold(h.name, "Content-Type")
		parts = append(parts, "-H "+quote(h.name+": "+h.value))
	}
	if len(m.body) > 0 {
		if !typed {
			parts = append(parts, "-H 'Content-Type:'") // or curl would add one
		}
		parts = append(parts, "--data-binary "+quote(string(m.body)))
	}
	return strings.Join(parts, " \\\n  ")
}

// quote writes an argument for bash: in plain quotes where it can be read, otherwise byte by
// byte. A zero byte ends it, since no argument can hold one.
func quote(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	plain := true
	for i := range len(s) {
		plain = plain && (s[i] >= ' ' && s[i] < 0x7f || s[i] == '\n')
	}
	if plain {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c < 0x7f:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	b.WriteString("'")
	return b.String()
}
