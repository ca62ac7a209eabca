package integra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestScanObject(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1)
	}
	tests := []struct {
		name, text string
		fault      Fault
		offset     int
	}{
		{"empty object", `{}`, "", 0},
		{"PHP's empty object", "[]\n", "", 0},
		{"all kinds", `{"s":"x","n":-1.5e+3,"z":0,"t":true,"f":false,"0":null,"a":[1,[]],"o":{"s":1}}`, "", 0},
		{"white space", " \t\r\n{ \"a\" : 1 , \"b\" : [ 1 , 2 ] } \n", "", 0},
		{"same name in two objects", `{"a":{"a":1},"b":{"a":2}}`, "", 0},
		{"names that differ in case", `{"a":1,"A":2}`, "", 0},
		{"surrogate pair", `{"a":"\ud83d\ude00"}`, "", 0},
		{"32 levels", deep(32), "", 0},
		{"33 levels", deep(33), FaultDepth, 32 * 5},
		{"33 levels of arrays", `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, FaultDepth, 5 + 31},
		{"a bomb", `{"a":` + strings.Repeat("[", 1<<20), FaultDepth, 5 + 31},

		{"nothing", "", FaultSyntax, 0},
		{"white space alone", "  ", FaultSyntax, 2},
		{"garbage", "\x9c\x01{}", FaultSyntax, 0},
		{"form feed, white space elsewhere", "[]\f", FaultSyntax, 0},
		{"array", `[1]`, FaultNotObject, 0},
		{"string", `"{}"`, FaultNotObject, 0},
		{"null", ` null`, FaultNotObject, 1},
		{"two objects", `{}{}`, FaultTrailing, 2},
		{"NUL behind", "{}\x00", FaultTrailing, 2},
		{"byte order mark", "\ufeff{}", FaultSyntax, 0},

		{"repeated name", `{"a":1,"b":2,"a":3}`, FaultDuplicate, 13},
		{"repeated name, written differently", `{"a":1,"\u0061":2}`, FaultDuplicate, 7},
		{"repeated name further down", `{"x":[{"a":1,"a":2}]}`, FaultDuplicate, 13},
		{"repeated empty name", `{"":1,"":2}`, FaultDuplicate, 6},

		{"half a pair", `{"a":"\ud83d"}`, FaultUTF8, 12},
		{"half a pair and a letter", `{"a":"\ud83dx"}`, FaultUTF8, 12},
		{"half a pair and an escape", `{"a":"\ud83d\n"}`, FaultUTF8, 13},
		{"wrong half first", `{"a":"\ude00\ud83d"}`, FaultUTF8, 18},
		{"Latin-1", "{\"a\":\"\xe9\"}", FaultUTF8, 6},
		{"UTF-8 cut", "{\"a\":\"\xd0\"}", FaultUTF8, 6},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", FaultUTF8, 6},

		{"open", `{`, FaultSyntax, 1},
		{"open after a name", `{"a"`, FaultSyntax, 4},
		{"open after a value", `{"a":1`, FaultSyntax, 6},
		{"open string", `{"a":"`, FaultSyntax, 6},
		{"open escape", `{"a":"\`, FaultSyntax, 7},
		{"open array", `{"a":[1`, FaultSyntax, 7},
		{"name without quotes", `{a:1}`, FaultSyntax, 1},
		{"single quotes", `{'a':1}`, FaultSyntax, 1},
		{"comma behind", `{"a":1,}`, FaultSyntax, 7},
		{"comma behind in an array", `{"a":[1,]}`, FaultSyntax, 8},
		{"no value", `{"a":}`, FaultSyntax, 5},
		{"equals sign", `{"a"=1}`, FaultSyntax, 4},
		{"leading zero", `{"a":01}`, FaultSyntax, 6},
		{"plus", `{"a":+1}`, FaultSyntax, 5},
		{"minus alone", `{"a":-}`, FaultSyntax, 6},
		{"no decimals", `{"a":1.}`, FaultSyntax, 7},
		{"no exponent", `{"a":1e+}`, FaultSyntax, 8},
		{"two signs", `{"a":1e+-1}`, FaultSyntax, 8},
		{"not a number", `{"a":NaN}`, FaultSyntax, 5},
		{"capital word", `{"a":True}`, FaultSyntax, 5},
		{"word cut", `{"a":tru}`, FaultSyntax, 5},
		{"word too long", `{"a":nullx}`, FaultSyntax, 9},
		{"control character", "{\"a\":\"\n\"}", FaultSyntax, 6},
		{"unknown escape", `{"a":"\x"}`, FaultSyntax, 7},
		{"escape of three digits", `{"a":"\u12g4"}`, FaultSyntax, 10},
		{"comment", `{/**/}`, FaultSyntax, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := scanObject([]byte(tt.text), nil)
			if tt.fault == "" {
				if err != nil {
					t.Errorf("scanObject(%.80q): %v", tt.text, err)
				}
				return
			}
			var e *ObjectError
			if !errors.As(err, &e) || e.Fault != tt.fault || e.Offset != tt.offset {
				t.Errorf("scanObject(%.80q): %v; want %q at byte %d", tt.text, err, tt.fault, tt.offset)
			}
		})
	}
}

func TestScanObjectMembers(t *testing.T) {
	t.Parallel()
	text := ` {"a":"x\ty" , "\u0062" :[1, {"c":2}],"":-0.5e1}`
	members, err := scanObject([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range members {
		got = append(got, fmt.Sprintf("%s=%s", m.name, m.value))
	}
	if want := `a="x\ty" b=[1, {"c":2}] =-0.5e1`; strings.Join(got, " ") != want {
		t.Errorf("members %q; want %q", got, want)
	}
}

// A large object is looked through in one go too.
func TestScanObjectLarge(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, `,"n%d":%d`, i, i)
	}
	large := "{" + b.String()[1:]
	if _, err := scanObject([]byte(large+"}"), nil); err != nil {
		t.Error(err)
	}
	_, err := scanObject([]byte(large+`,"n7":0}`), nil)
	var e *ObjectError
	if !errors.As(err, &e) || e.Fault != FaultDuplicate || e.Name != "n7" {
		t.Errorf("repeated name among many: %v", err)
	}
}

// FuzzScanObject holds the scanner against encoding/json: what it accepts is valid there and
// reads alike, and what it refuses is invalid, or one of the cases that we are stricter about.
func FuzzScanObject(f *testing.F) {
	for _, s := range []string{
		`{"amount":"100","transactionId":"202cb962ac59075b964b07152d234b70"}`,
		`{"a":1,"\u0061":2}`, `{"a":"\ud83d\ude00\/","b":[{},[],null,true,-1.5e+3]}`, `[]`, `[1]`, `{}{}`,
		`{"a":"\ud83d"}`, "{\"a\":\"\xff\"}", `{"status":{"code":0,"message":"ok"},"error":false,"data":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := scanObject(text, nil)
		var e *ObjectError
		switch {
		case err == nil:
			if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
				var empty []any
				if err := json.Unmarshal(text, &empty); err != nil || len(empty) != 0 {
					t.Fatalf("accepts %q for an empty object", text)
				}
				return
			}
			var want map[string]json.RawMessage
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatalf("accepts %q, which encoding/json refuses: %v", text, err)
			}
			if len(want) != len(members) {
				t.Fatalf("%q has %d members; want %d", text, len(members), len(want))
			}
			for _, m := range members {
				if raw, ok := want[string(m.name)]; !ok || !bytes.Equal(raw, m.value) {
					t.Fatalf("%q: member %q is %q; want %q", text, m.name, m.value, raw)
				}
			}
		case !errors.As(err, &e):
			t.Fatalf("%v is no *ObjectError", err)
		case e.Offset < 0 || e.Offset > len(text):
			t.Fatalf("%q: %v lies outside", text, err)
		case e.Fault == FaultSyntax || e.Fault == FaultTrailing:
			if json.Valid(text) && utf8.Valid(text) {
				t.Fatalf("refuses %q: %v; encoding/json takes it", text, err)
			}
		case e.Fault == FaultNotObject:
			if !json.Valid(text) || bytes.TrimSpace(text)[0] == '{' {
				t.Fatalf("%q: %v", text, err)
			}
		case e.Fault == FaultDuplicate && json.Valid(text):
			if !repeats(text, e.Name) {
				t.Fatalf("%q: %v, but it stands there once", text, err)
			}
		}
	})
}

// repeats reports whether name stands twice among all names and strings of a valid text.
func repeats(text []byte, name string) bool {
	dec := json.NewDecoder(bytes.NewReader(text))
	n := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return n >= 2
		}
		if err != nil {
			return true
		}
		if tok == any(name) {
			n++
		}
	}
}
