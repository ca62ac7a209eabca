package cmd_test

import (
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
