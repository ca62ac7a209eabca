package cmd_test

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What must not be linked together, and why; docs/architecture.md has the table.
func TestImports(t *testing.T) {
	t.Parallel()
	const (
		module  = "github.com/partnerkit/partnerkit/"
		oneSide = "a binary that holds both sides could agree with itself"
		outside = "what sets the scene knows the programs as everybody outside does"
	)
	for _, tt := range []struct {
		pkg     string
		without []string
		why     string
	}{
		{"cmd/adapter", []string{"mockplatform"}, oneSide},
		{"cmd/mockplatform", []string{"adapter"}, oneSide},
		{"cmd/contract", []string{"adapter"}, oneSide},
		{"internal/stage", []string{"adapter", "mockplatform"}, outside},
		{"internal/demo", []string{"adapter", "mockplatform"}, outside},
		{"internal/bench", []string{"adapter", "mockplatform"}, outside},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+tt.pkg).Output()
		must(t, err)
		for line := range strings.Lines(string(out)) {
			dep, ours := strings.CutPrefix(strings.TrimSpace(line), module)
			tree, _, _ := strings.Cut(dep, "/")
			if ours && slices.Contains(tt.without, tree) {
				t.Errorf("%s imports %s: %s", tt.pkg, dep, tt.why)
			}
		}
	}
}

// The map of the house is what a newcomer reads first, so it has a line for every package.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/architecture.md")
	must(t, err)
	_, text, _ = bytes.Cut(text, []byte("```\n"))
	text, _, _ = bytes.Cut(text, []byte("```\n"))
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, " ")
		named[strings.TrimSuffix(name, "/")] = true
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "../...").Output()
	must(t, err)
	for line := range strings.Lines(string(out)) {
		pkg := strings.TrimPrefix(strings.TrimSpace(line), "github.com/partnerkit/partnerkit/")
		if pkg != "cmd" && !named[pkg] { // of cmd itself there are only tests
			t.Errorf("docs/architecture.md does not say what %s is", pkg)
		}
		delete(named, pkg)
	}
	delete(named, "testdata") // a package too, but no pattern finds it
	for name := range named {
		t.Errorf("docs/architecture.md names %s, which is no package", name)
	}
}
