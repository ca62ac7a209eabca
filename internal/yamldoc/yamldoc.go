// Package yamldoc reads YAML that people write: as the value that the same text in JSON would
// have, with the line on which each part stands, so that whoever checks the value can say
// where it is wrong. It is strict where YAML is not: a key that is there twice, a second
// document, merge keys and tags are refused, and what aliases can blow up is limited.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds of a document. Values count as often as aliases repeat them.
const (
	MaxBytes  = 1 << 20
	maxValues = 50_000
	maxDepth  = 20
	maxKey    = 128 // bytes
	maxFaults = 50
)

// A Fault is one thing that is wrong.
type Fault struct {
	Line int    // from 1; 0 if it is not known
	Path string // such as users[0].balance; "" for the whole document
	Why  string
}

// An Error lists all that is wrong with a file.
type Error struct {
	File   string
	Faults []Fault
}

// Error is a line for each fault, in the order of lines: file:line: path: why.
func (e *Error) Error() string {
	faults := slices.Clone(e.Faults)
	slices.SortStableFunc(faults, func(a, b Fault) int { return a.Line - b.Line })
	lines := make([]string, 0, len(faults))
	for i, f := range faults {
		if i == maxFaults {
			lines = append(lines, fmt.Sprintf("and %d more", len(faults)-i))
			break
		}
		var line strings.Builder
		line.WriteString(e.File)
		if f.Line > 0 {
			fmt.Fprintf(&line, ":%d", f.Line)
		}
		line.WriteString(": ")
		if f.Path != "" {
			line.WriteString(f.Path + ": ")
		}
		line.WriteString(f.Why)
		lines = append(lines, line.String())
	}
	return strings.Join(lines, "\n")
}

// A Document is what was read.
type Document struct {
	Value any // of maps with text for keys, slices, text, bool, int64, float64 and nil
	lines map[string]int
	texts map[string]string // of what is no text
}

// Text is what is written where the part with that path stands, if it is a number or a truth
// value: 007 as 007.
func (d *Document) Text(path string) string { return d.texts[path] }

// Line is where the part with that path stands, or else the innermost part around it.
func (d *Document) Line(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return d.lines[""]
}

// Read reads the text of a file, unless it is too large.
func Read(file string) ([]byte, error) {
	f, err := os.Open(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxBytes {
		return nil, &Error{file, []Fault{{Why: fmt.Sprintf("is larger than %d bytes", MaxBytes)}}}
	}
	return text, nil
}

// Parse reads a document. ${NAME} in a text is what env says, and ${NAME:-other} is other
// where env says nothing. Its error is an *Error for that file.
func Parse(file string, text []byte, env func(string) (string, bool)) (*Document, error) {
	if len(text) > MaxBytes {
		return nil, &Error{file, []Fault{{Why: fmt.Sprintf("is larger than %d bytes", MaxBytes)}}}
	}
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, &Error{file, []Fault{{Line: 1, Why: "is empty"}}}
	case err != nil:
		return nil, &Error{file, []Fault{syntaxFault(err)}}
	}
	r := &reader{env: env, lines: map[string]int{}, texts: map[string]string{}}
	value := r.value(root.Content[0], "", 0)
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		r.fault(second.Content[0], "", "is a second document: one is enough")
	} else if !errors.Is(err, io.EOF) {
		r.faults = append(r.faults, syntaxFault(err))
	}
	if r.faults != nil {
		return nil, &Error{file, r.faults}
	}
	return &Document{value, r.lines, r.texts}, nil
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func syntaxFault(err error) Fault {
	f := Fault{Why: err.Error()}
	if m := yamlError.FindStringSubmatch(f.Why); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		f.Why = m[2]
	}
	return f
}

// reader turns nodes into values.
type reader struct {
	env    func(string) (string, bool)
	lines  map[string]int
	texts  map[string]string
	values int
	faults []Fault
}

func (r *reader) fault(n *yaml.Node, path, format string, args ...any) {
	if r.values <= maxValues || len(r.faults) == 0 {
		r.faults = append(r.faults, Fault{n.Line, path, fmt.Sprintf(format, args...)})
	}
}

func (r *reader) value(n *yaml.Node, path string, depth int) any {
	if _, ok := r.lines[path]; !ok {
		r.lines[path] = n.Line
	}
	switch r.values++; {
	case r.values == maxValues+1:
		r.faults = nil // nothing is as bad
		r.fault(n, path, "there are more than %d values", maxValues)
		return nil
	case r.values > maxValues:
		return nil
	case depth > maxDepth:
		r.fault(n, path, "is nested too deeply, or contains itself")
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, path, depth+1)
	case yaml.MappingNode:
		return r.object(n, path, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, one := range n.Content {
			if r.values > maxValues {
				break
			}
			list = append(list, r.value(one, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
		return list
	}
	return r.scalar(n, path)
}

func (r *reader) object(n *yaml.Node, path string, depth int) any {
	object := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content) && r.values <= maxValues; i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" || key.ShortTag() == "!!null" {
			r.fault(key, path, "has a key that is no text")
			continue
		}
		if len(key.Value) > maxKey {
			r.fault(key, path, "has a key of more than %d bytes", maxKey)
			continue
		}
		at := key.Value
		if path != "" {
			at = path + "." + key.Value
		}
		if _, twice := object[key.Value]; twice {
			r.fault(key, at, "is there twice: first on line %d", r.lines[at])
			continue
		}
		r.lines[at] = key.Line
		object[key.Value] = r.value(n.Content[i+1], at, depth+1)
	}
	return object
}

func (r *reader) scalar(n *yaml.Node, path string) any {
	r.texts[path] = n.Value
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err == nil {
			return b
		}
	case "!!int":
		var i int64
		if err := n.Decode(&i); err == nil {
			return i
		}
		r.fault(n, path, "%.40s is no number that fits", n.Value)
		return nil
	case "!!float":
		var f float64
		if err := n.Decode(&f); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		r.fault(n, path, "%.40s is no number that fits", n.Value)
		return nil
	case "!!str", "!!timestamp":
		return r.fill(n, path)
	}
	r.fault(n, path, "the tag %.40s means nothing here", n.Tag)
	return nil
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}`)

// fill puts variables into a text.
func (r *reader) fill(n *yaml.Node, path string) string {
	return variable.ReplaceAllStringFunc(n.Value, func(found string) string {
		m := variable.FindStringSubmatch(found)
		if value, ok := r.env(m[1]); ok {
			return value
		}
		if m[2] == "" {
			r.fault(n, path, "${%s}: there is no such variable, and ${%s:-…} gives no other text", m[1], m[1])
		}
		return strings.TrimPrefix(m[2], ":-")
	})
}
