package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/report"
)

var update = flag.Bool("update", false, "write docs/report.schema.json anew")

const schemaFile = "../../docs/report.schema.json"

// schema describes contract.Report as it is in Go.
func schema(t *testing.T) []byte {
	t.Helper()
	registry := huma.NewMapRegistry("#/$defs/", huma.DefaultSchemaNamer)
	root := registry.Schema(reflect.TypeFor[contract.Report](), true, "")
	body, err := json.MarshalIndent(map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "Report of a run of the contract suite",
		"description": "What contract run --json writes; docs/contract.md tells about it.",
		"$ref":        root.Ref,
		"$defs":       registry.Map(),
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(body, '\n')
}

// The published schema is that of the Go types.
func TestSchemaIsCurrent(t *testing.T) {
	t.Parallel()
	want := schema(t)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil { //nolint:gosec // a document for everybody
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/report.schema.json is not that of the Go types; go test ./contract/report -run TestSchema -update writes it (-want +got):\n%s", diff)
	}
}

// compiled is the published schema, ready to judge.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := filepath.Abs(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	s, err := compiler.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Reports are what the published schema says, by the judgement of a validator that knows
// nothing of the Go types, and hold what was found.
func TestJSON(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	for name, r := range map[string]*contract.Report{"real": real(t), "forged": forged()} {
		var b bytes.Buffer
		if err := report.JSON(&b, r); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var back contract.Report
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if name == "real" {
			if diff := cmp.Diff(*r, back); diff != "" {
				t.Errorf("read again (-want +got):\n%s", diff)
			}
		}
	}
}

// The schema refuses what is no report.
func TestSchemaBites(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	var good bytes.Buffer
	if err := report.JSON(&good, forged()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"an outcome that is none":    {`"outcome": "passed"`, `"outcome": "fine"`},
		"a verdict that is none":     {`"verdict": "broken"`, `"verdict": "so-so"`},
		"a key that is none":         {`"seed": 42`, `"seeds": 42`},
		"a time that is none":        {`"started": "2026-03-14T12:00:00Z"`, `"started": "noon"`},
		"a number that is a text":    {`"took_ms": 61234`, `"took_ms": "61234"`},
		"a title in one language":    {`"ru": "Проверка passed"`, `"fr": "contrôle"`},
		"a severity that is unheard": {`"severity": "should"`, `"severity": "may"`},
	} {
		bad := strings.Replace(good.String(), change[0], change[1], 1)
		if bad == good.String() {
			t.Errorf("%s: there is no %s", name, change[0])
			continue
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(value) == nil {
			t.Errorf("%s is taken for a report", name)
		}
	}
}
