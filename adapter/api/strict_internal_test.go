package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestNoNameTwice(t *testing.T) {
	t.Parallel()
	for text, twice := range map[string]string{
		`{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}`: "",
		`{"a":"a","b":"a"}`:                         "",
		`["a","a"]`:                                 "",
		`{"a":1,"a":1}`:                             "a",
		`{"a":{"x":[1,{"y":2,"y":3}]}}`:             "y",
		`{"a":{},"b":[],"a":0}`:                     "a",
		`{"\u0061":1,"a":2}`:                        "a",
		`{"a":1`:                                    "",
		``:                                          "",
		`}`:                                         "",
	} {
		err := noNameTwice([]byte(text))
		if (err != nil) != (twice != "") || err != nil && !strings.Contains(err.Error(), `"`+twice+`"`) {
			t.Errorf("%s: %v; want %q twice", text, err, twice)
		}
	}
}

// What has no name twice reads the same when it is written anew; nothing panics.
func FuzzNoNameTwice(f *testing.F) {
	for _, seed := range []string{`{"a":1,"a":2}`, `[{"a":{}},{}]`, `{"a":[}`, `nul`, `{"a":"b"}{"a":1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := noNameTwice([]byte(text))
		var value any
		if err != nil || json.Unmarshal([]byte(text), &value) != nil {
			return
		}
		again, e := json.Marshal(value)
		if e != nil {
			t.Fatal(e)
		}
		if err := noNameTwice(again); err != nil {
			t.Errorf("%s: written anew: %v", text, err)
		}
		if colons(text) != colons(string(again)) {
			t.Errorf("%s lost a member: %s", text, again)
		}
	})
}

// colons counts the members of JSON: the colons that stand outside of strings.
func colons(text string) (n int) {
	inside := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case c == ':' && !inside:
			n++
		}
	}
	return n
}

func TestCellIsNoFormula(t *testing.T) {
	for text, want := range map[string]string{"": "", "invoice 7": "invoice 7", "=1+1": "'=1+1", "@SUM(1)": "'@SUM(1)", "\n=1+1": "'\n=1+1"} {
		if got := cell(text); got != want {
			t.Errorf("cell(%q) = %q, want %q", text, got, want)
		}
	}
}
