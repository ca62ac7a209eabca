package main

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

type checkConfigCmd struct{ serveCmd }

// Help is shown by adapter check-config --help.
func (checkConfigCmd) Help() string {
	return `Takes what adapter serve takes, prints the settings that it would run with, as a file for --config in which secrets are hidden, and names every fault at once. It opens and asks nothing; adapter doctor does.

Examples:
  adapter check-config --config adapter.yaml`
}

// Run prints the settings and their faults.
func (c checkConfigCmd) Run(out io.Writer, command *kong.Context) error {
	var flags []*kong.Flag
	for _, f := range command.Flags() {
		if f.Group != nil { // the rest are about the command line itself
			flags = append(flags, f)
		}
	}
	slices.SortStableFunc(flags, func(a, b *kong.Flag) int { return strings.Compare(a.Group.Title, b.Group.Title) })
	group := ""
	for _, f := range flags {
		if group != f.Group.Title {
			group = f.Group.Title
			if _, err := fmt.Fprintf(out, "# %s\n", group); err != nil {
				return err
			}
		}
		line := fmt.Appendf(nil, "# %s:\n", f.Name) // not set, and without a default
		if kind := f.Target.Kind(); kind != reflect.String && kind != reflect.Slice || f.Target.Len() > 0 {
			var err error
			if line, err = yaml.Marshal(map[string]any{f.Name: c.shown(f)}); err != nil {
				return err
			}
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return refuse(c.faults())
}

// shown is a flag's value as it may be seen.
func (c checkConfigCmd) shown(f *kong.Flag) any {
	if f.Name == "database" {
		return c.redacted()
	}
	switch v := f.Target.Interface().(type) {
	case secret:
		return v.String()
	case fmt.Stringer: // a time span
		return v.String()
	default:
		return v
	}
}
