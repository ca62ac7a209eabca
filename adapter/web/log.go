package web

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// redacted stands in logs for what must not.
const redacted = "(redacted)"

// NewLogger returns the adapter's logger: one line per record, as "json" or "text", with
// secrets left out by Redact.
func NewLogger(w io.Writer, format string, level slog.Leveler) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: Redact}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("log format %q: possible are json and text", format)
}

// Redact hides attributes whose name, or whose group's name, is that of a secret; it is made
// for slog.HandlerOptions.ReplaceAttr. It goes by names alone: what is inside a struct or a
// text is kept out by whoever makes it.
func Redact(groups []string, a slog.Attr) slog.Attr {
	if isSecret(a.Key) {
		return slog.String(a.Key, redacted)
	}
	for _, g := range groups {
		if isSecret(g) {
			return slog.String(a.Key, redacted)
		}
	}
	return a
}

// isSecret reports whether a name is a secret's: k, as Integra calls its envelope, or one
// that ends as in partner_key, notifyToken, Authorization.
func isSecret(name string) bool {
	if name == "" {
		return false
	}
	switch name[len(name)-1] { // most names end otherwise
	case 'k', 'K':
		return len(name) == 1
	case 'y', 'Y':
		return endsIn(name, "key")
	case 'n', 'N':
		return endsIn(name, "token") || endsIn(name, "authorization")
	case 't', 'T':
		return endsIn(name, "secret") || endsIn(name, "jwt")
	case 'd', 'D':
		return endsIn(name, "password")
	case 'e', 'E':
		return endsIn(name, "cookie")
	case 's', 'S':
		return isSecret(name[:len(name)-1])
	}
	return false
}

func endsIn(name, word string) bool {
	return len(name) >= len(word) && strings.EqualFold(name[len(name)-len(word):], word)
}
