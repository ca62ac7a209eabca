package contract

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// formats are what the package says: the first argument of every call of say and errorf.
func formats(t *testing.T) []string {
	t.Helper()
	files := token.NewFileSet()
	parsed, err := parser.ParseDir(files, ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0) //nolint:staticcheck // no build tags matter here
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for n := range ast.Preorder(parsed["contract"]) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			continue
		}
		if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "say" && name.Name != "errorf" {
			continue
		}
		text, ok := call.Args[0].(*ast.BasicLit)
		if !ok {
			t.Errorf("%s: the format is no literal, so nobody can look whether there is Russian for it", files.Position(call.Pos()))
			continue
		}
		format, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, format)
	}
	return found
}

var (
	verb = regexp.MustCompile(`%(\[\d\])?[a-z]`)
	// names are what no language translates: words of protocols, keys of a target's file.
	names = regexp.MustCompile(`\w*[a-z_.][A-Z_.]\w+(\.\w+)*|hook`)
)

// There is Russian for all that checks and errors say, with the same values in it, and none
// for what nobody says.
func TestEverythingIsSaidInRussian(t *testing.T) {
	t.Parallel()
	said := formats(t)
	if len(said) < 150 {
		t.Fatalf("only %d texts found", len(said))
	}
	for _, format := range said {
		ru, ok := inRussian[format]
		if words := names.ReplaceAllString(verb.ReplaceAllString(format, ""), ""); !ok && strings.ContainsFunc(words, func(r rune) bool { return 'a' <= r && r <= 'z' }) {
			t.Errorf("no Russian for %q", format)
		}
		if got, want := verb.FindAllString(ru, -1), verb.FindAllString(format, -1); ok && !slices.Equal(got, want) {
			t.Errorf("%q has the values %v; want %v, as in the English", ru, got, want)
		}
	}
	own := []string{"interrupt signal received", "terminated signal received"} // signal.NotifyContext says them
	for format := range maps.Keys(inRussian) {
		if !slices.Contains(said, format) && !slices.Contains(own, format) {
			t.Errorf("nobody says %q", format)
		}
	}
}

// Values are said in the language of the text: texts, errors however they are wrapped, and
// times.
func TestSay(t *testing.T) {
	t.Parallel()
	inner := errorf("no answer within %s (limits.hook)", 1500*time.Millisecond)
	for _, tt := range []struct {
		got  Text
		want Text
	}{
		{say("%s called %s", "doPayment", times(3)), Text{"doPayment called 3 times", "вызов doPayment: 3 раза"}},
		{times(12), Text{"12 times", "12 раз"}},
		{say("no answer: %s", inner), Text{"no answer: no answer within 1.5s (limits.hook)", "нет ответа: нет ответа за 1.5 с (limits.hook)"}},
		{textOf(errorf("hook %s: %w", "balance", inner)), Text{"hook balance: no answer within 1.5s (limits.hook)", "hook balance: нет ответа за 1.5 с (limits.hook)"}},
		{textOf(errors.Join(errTooLong, errors.New("oops"))), Text{"the answer is longer than 1 MiB\noops", "ответ длиннее 1 МиБ\noops"}},
		{textOf(&controlError{"GET", "/clock", 500, "broken"}), Text{"control API: GET /clock: 500: broken", "управляющий API: GET /clock: 500: broken"}},
		{textOf(fmt.Errorf("foreign: %w", inner)), verbatim("foreign: no answer within 1.5s (limits.hook)")},
		{verbatim("100 % sure"), Text{"100 % sure", "100 % sure"}},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %+v\nwant %+v", tt.got, tt.want)
		}
	}
	if !errors.Is(errorf("%w: %s", ErrRefused, "no"), ErrRefused) {
		t.Error("what is wrapped is not found")
	}
}
