package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// secret is the value of a flag that nobody may see: it is printed and logged as hidden.
// file:NAME stands for what the file holds, so that secrets need stand neither on the command
// line, where every user of the machine sees them, nor in the environment.
type secret string

const hidden = "(hidden)"

// String hides the secret.
func (s secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// LogValue hides the secret.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret.
func (s secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Decode is part of kong.MapperValue.
func (s *secret) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("secret", &text); err != nil {
		return err
	}
	if name, ok := strings.CutPrefix(text, "file:"); ok {
		raw, err := os.ReadFile(name) //nolint:gosec // the operator names the file
		if err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		text = strings.TrimRight(string(raw), "\r\n")
	}
	*s = secret(text)
	return nil
}
