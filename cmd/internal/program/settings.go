package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/alecthomas/kong"
	kongyaml "github.com/alecthomas/kong-yaml"
	"gopkg.in/yaml.v3"
)

// flatYAML is a YAML file of settings: flat, a key is the name of a flag whatever the command, and a
// key that is no flag's name is refused. kong-yaml alone would look for a command's flags under the
// command's name and pass over what it does not know.
type flatYAML struct {
	kong.Resolver
	keys []string
}

// loadYAML is a kong.ConfigurationLoader.
func loadYAML(r io.Reader) (kong.Resolver, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read configuration file: %w", err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	resolver, err := kongyaml.Loader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return flatYAML{resolver, slices.Sorted(maps.Keys(values))}, nil
}

// Resolve looks the flag up at the top of the file.
func (f flatYAML) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	return f.Resolver.Resolve(ctx, &kong.Path{App: ctx.Model}, flag)
}

// Validate refuses keys that no flag of any command has for a name, all at once.
func (f flatYAML) Validate(app *kong.Application) error {
	known := map[string]bool{}
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[flag.Name] = true
		}
		return next(nil)
	})
	for _, key := range f.keys {
		if !known[key] {
			err = errors.Join(err, fmt.Errorf("configuration file: %q is no setting", key))
		}
	}
	return err
}
