package anymoney_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

// nested is n lists in each other, as the value of a.
func nested(n int) string {
	return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
}

func TestParseObjectFaults(t *testing.T) {
	t.Parallel()
	many := `"n0":0`
	for i := range 60 {
		many += `,"m` + strings.Repeat("x", i) + `":0`
	}
	tests := []struct {
		name, text string
		want       anymoney.MessageError
	}{
		{"nothing", "", anymoney.MessageError{Fault: anymoney.FaultEmpty}},
		{"space", " \n", anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 1}},
		{"cut off", `{"method": `, anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 10}},
		{"two objects", `{}{}`, anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 2}},
		{"trailing comma", `{"a":1,}`, anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 7}},
		{"single quotes", `{'a':1}`, anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 1}},
		{"NaN", `{"a":NaN}`, anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 5}},
		{"leading zero", `{"a":01}`, anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 6}},
		{"byte order mark", "\ufeff{}", anymoney.MessageError{Fault: anymoney.FaultSyntax}},
		{"line end in a text", "{\"a\":\"\n\"}", anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 6}},
		{"unknown escape", `{"a":"\x"}`, anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 7}},
		{"NUL in a text", "{\"a\":\"b\x00\"}", anymoney.MessageError{Fault: anymoney.FaultNUL, Offset: 7}},
		{"NUL behind", "{}\x00", anymoney.MessageError{Fault: anymoney.FaultNUL, Offset: 2}},
		{"NUL alone", "\x00", anymoney.MessageError{Fault: anymoney.FaultNUL}},
		{"bytes of no letter", "{\"a\":\"é\xff\"}", anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 8}},
		{"half a letter", "{\"a\":\"\xd0\"}", anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 6}},
		{"a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 6}},
		{"windows-1251", "{\"a\":\"\xc7\xe0\xea\xe0\xe7\"}", anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 6}},
		{"half a pair escaped", `{"a":"b\ud83d"}`, anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 7}},
		{"the other half", `{"a":"\ude00"}`, anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 6}},
		{"two first halves", `{"a":"\ud83d\ud83d"}`, anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 6}},
		{"half a pair in a name", `{"\ud83d":1}`, anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 2}},
		{"half a pair further in", `{"a":[{"b":"\ud83d!"}]}`, anymoney.MessageError{Fault: anymoney.FaultUTF8, Offset: 12}},
		{"too deep", nested(anymoney.MaxDepth), anymoney.MessageError{Fault: anymoney.FaultDepth, Offset: 5 + anymoney.MaxDepth - 1}},
		{"far too deep", nested(100_000), anymoney.MessageError{Fault: anymoney.FaultDepth, Offset: 5 + anymoney.MaxDepth - 1}},
		{"deep and never closed", strings.Repeat(`{"\"":[`, 300), anymoney.MessageError{Fault: anymoney.FaultDepth, Offset: 256 * 7}},
		{"brackets in a text are not deep", `{"a":"` + strings.Repeat("[", 1000) + `\"[`, anymoney.MessageError{Fault: anymoney.FaultSyntax, Offset: 1008}},
		{"list", `[{"a":1}]`, anymoney.MessageError{Fault: anymoney.FaultBatch}},
		{"empty list", " []", anymoney.MessageError{Fault: anymoney.FaultBatch}},
		{"deep list", strings.Repeat("[", 600) + strings.Repeat("]", 600), anymoney.MessageError{Fault: anymoney.FaultDepth, Offset: anymoney.MaxDepth}},
		{"text", `"a"`, anymoney.MessageError{Fault: anymoney.FaultNotObject}},
		{"number", "-1.5e3", anymoney.MessageError{Fault: anymoney.FaultNotObject}},
		{"null", "null", anymoney.MessageError{Fault: anymoney.FaultNotObject}},
		{"true", "true", anymoney.MessageError{Fault: anymoney.FaultNotObject}},
		{"name twice", `{"a":1,"b":2,"a":1}`, anymoney.MessageError{Fault: anymoney.FaultDuplicate, Name: "a", Offset: 13}},
		{"name twice in two spellings", `{"a":1,"\u0061":2}`, anymoney.MessageError{Fault: anymoney.FaultDuplicate, Name: "a", Offset: 7}},
		{"no name twice", `{"":1,"":2}`, anymoney.MessageError{Fault: anymoney.FaultDuplicate, Offset: 6}},
		{"name twice further in", `{"a":[0,{"b":1,"b":2}]}`, anymoney.MessageError{Fault: anymoney.FaultDuplicate, Name: "b", Offset: 15}},
		{"name twice among many", `{` + many + `,"n0":1}`, anymoney.MessageError{Fault: anymoney.FaultDuplicate, Name: "n0", Offset: len(many) + 2}},
		{"late name twice among many", `{` + many + `,"mx":1}`, anymoney.MessageError{Fault: anymoney.FaultDuplicate, Name: "mx", Offset: len(many) + 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := anymoney.ParseObject([]byte(tt.text))
			got, ok := errors.AsType[*anymoney.MessageError](err)
			if !ok || *got != tt.want || o != nil || !errors.Is(err, anymoney.ErrMessage) {
				t.Errorf("ParseObject = %v, %+v; want %+v", o, got, tt.want)
			}
		})
	}
}

func TestMessageError(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]anymoney.MessageError{
		"not a message of the API: it is empty":                                             {Fault: anymoney.FaultEmpty},
		"not a message of the API: it has a NUL byte, at byte 7":                            {Fault: anymoney.FaultNUL, Offset: 7},
		`not a message of the API: it has a name twice: "a", at byte 13`:                    {Fault: anymoney.FaultDuplicate, Name: "a", Offset: 13},
		`not a message of the API: it lacks a member that must be there: "code.amount"`:     {Fault: anymoney.FaultAbsent, Name: "code.amount"},
		`not a message of the API: it has a value that cannot be read: "` + long[:60] + `"`: {Fault: anymoney.FaultValue, Name: long},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

var long = strings.Repeat("x", 1000)

// What is read is what was written, in the order in which it was written.
func TestParseObject(t *testing.T) {
	t.Parallel()
	const text = ` { "b" : "x" , "a":null,"":true,"f":false,"i":-0,"j":12,"g":1.50,"h":1E+2,
		"l":[ 1 , "]" ,{"x":[]}],"o":{ "y": "}" },"e":{},"\u0061b":"\u0416\ud83d\ude00\/\"","p":[1,2] } `
	got := parse(t, text)
	type member struct {
		name, json string
		kind       anymoney.Kind
	}
	want := []member{
		{"b", `"x"`, anymoney.KindText},
		{"a", `null`, anymoney.KindNull},
		{"", `true`, anymoney.KindBool},
		{"f", `false`, anymoney.KindBool},
		{"i", `-0`, anymoney.KindInt},
		{"j", `12`, anymoney.KindInt},
		{"g", `1.50`, anymoney.KindFloat},
		{"h", `1E+2`, anymoney.KindFloat},
		{"l", `[ 1 , "]" ,{"x":[]}]`, anymoney.KindList},
		{"o", `{ "y": "}" }`, anymoney.KindObject},
		{"e", `{}`, anymoney.KindObject},
		{"ab", `"Ж😀/\""`, anymoney.KindText},
		{"p", `[1,2]`, anymoney.KindList},
	}
	var members []member
	for _, m := range got {
		members = append(members, member{m.Name, m.Value.String(), m.Value.Kind()})
	}
	if diff := cmp.Diff(want, members, cmp.AllowUnexported(member{})); diff != "" {
		t.Errorf("members differ (-want +got):\n%s", diff)
	}
	if again := parse(t, got.String()); !cmp.Equal(again, got, cmp.Comparer(sameValue)) {
		t.Errorf("written and read again %s; want %s", again, got)
	}

	if list, ok := got.Get("p").List(); !ok || len(list) != 2 || list[1] != anymoney.Int(2) {
		t.Errorf("list p = %v, %t", list, ok)
	}
	if o, ok := got.Get("o").Object(); !ok || o.Get("y") != anymoney.Text("}") {
		t.Errorf("object o = %v, %t", o, ok)
	}
	if o, ok := got.Get("e").Object(); !ok || o == nil || len(o) != 0 {
		t.Errorf("object e = %#v, %t; want an empty one", o, ok)
	}
	if !got.Has("a") || !got.Get("a").IsNull() || got.Has("z") || !got.Get("z").IsNull() {
		t.Error("null and absent members are not what Has and Get say")
	}
	for _, name := range []string{"a", "", "j", "l", "o", "z"} {
		v := got.Get(name)
		if s, ok := v.Text(); ok || s != "" {
			t.Errorf("text of %s = %q, %t", v, s, ok)
		}
		if o, ok := v.Object(); ok != (v.Kind() == anymoney.KindObject) || !ok && o != nil {
			t.Errorf("object of %s = %v, %t", v, o, ok)
		}
		if l, ok := v.List(); ok != (v.Kind() == anymoney.KindList) || !ok && l != nil {
			t.Errorf("list of %s = %v, %t", v, l, ok)
		}
	}
}

func sameValue(x, y anymoney.Value) bool { return x == y }

func TestDepthLimitIsInclusive(t *testing.T) {
	t.Parallel()
	parse(t, nested(anymoney.MaxDepth-1))
}

func TestBuiltValues(t *testing.T) {
	t.Parallel()
	o := anymoney.Object{
		{"text", anymoney.Text("a\"\\/\b\f\n\r\t\x00\x1f\x7f<>&'é\u2028😀\xff")},
		{"tr\nue", anymoney.Bool(true)},
		{"\xfff", anymoney.Bool(false)},
		{"int", anymoney.Int(-9223372036854775808)},
		{"list", anymoney.List(anymoney.Text("x"), anymoney.Value{}, anymoney.List())},
		{"object", anymoney.Nested(anymoney.Object{{"y", anymoney.Nested(nil)}})},
	}
	want := `{"text":"a\"\\/\u0008\u000c\n\r\t\u0000\u001f` + "\x7f<>&'é\u2028😀\ufffd" + `","tr\nue":true,"` + "\ufffd" +
		`f":false,"int":-9223372036854775808,"list":["x",null,[]],"object":{"y":{}}}`
	if got := o.String(); got != want {
		t.Errorf("written as %s\nwant %s", got, want)
	}
	if got, err := json.Marshal(o); !json.Valid(got) || err != nil {
		t.Errorf("json.Marshal = %s, %v", got, err)
	}
	if got, err := json.Marshal(map[string]anymoney.Value{"a": anymoney.Int(1)}); string(got) != `{"a":1}` || err != nil {
		t.Errorf("json.Marshal of a value = %s, %v", got, err)
	}
	if anymoney.Text("a\xff") != anymoney.Text("a\ufffd") {
		t.Error("what is signed differs from what is written")
	}
	for k, want := range map[anymoney.Kind]string{
		anymoney.KindNull: "NoneType", anymoney.KindBool: "bool", anymoney.KindText: "str", anymoney.KindInt: "int",
		anymoney.KindFloat: "float", anymoney.KindList: "list", anymoney.KindObject: "dict",
	} {
		if got := k.String(); got != want {
			t.Errorf("kind %d is %q; want %q", k, got, want)
		}
	}
}

// judge says by another way whether text is one object without a name twice, half a
// surrogate pair or too much depth.
func judge(text []byte) bool {
	if !utf8.Valid(text) || !json.Valid(text) || halfPair(text) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var open []map[string]bool // of each list nil
	name := false              // the next token is a name
	for first := true; ; first = false {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return true
		}
		if first && token != json.Delim('{') {
			return false
		}
		if s, isText := token.(string); isText && name {
			names := open[len(open)-1]
			if names[s] {
				return false
			}
			names[s], name = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > anymoney.MaxDepth {
			return false
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

// halfPair reports whether an escape in valid JSON is half a surrogate pair: encoding/json
// reads that as U+FFFD, so there are more of them than are written.
func halfPair(text []byte) bool {
	written := bytes.Count(text, []byte("\ufffd"))
	for i := 0; i+5 < len(text); i++ {
		if text[i] == '\\' {
			if strings.EqualFold(string(text[i+1:i+6]), "ufffd") {
				written++
			}
			i++
		}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	read := 0
	for {
		token, err := dec.Token()
		if err != nil {
			return read > written
		}
		if s, ok := token.(string); ok {
			read += strings.Count(s, "\ufffd")
		}
	}
}

// reads is what encoding/json makes of text.
func reads(t *testing.T, text []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q is no JSON: %v", text, err)
	}
	return v
}

func FuzzParseObject(f *testing.F) {
	for _, v := range messages(f) {
		f.Add([]byte(v.Body))
	}
	for _, v := range cases(f).Vectors {
		f.Add([]byte(v.Data))
	}
	f.Add([]byte(`{"a":[{"b":1,"b":2}],"\ud83d\ude00":"\ufffd\ud83d"}`))
	f.Add([]byte(nested(600)))
	f.Add([]byte("{\"a\":\"\x00\xff\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := anymoney.ParseObject(text)
		if (err == nil) != judge(text) {
			t.Fatalf("ParseObject(%q) = %v; encoding/json judges %t", text, err, judge(text))
		}
		if err != nil {
			e, ok := errors.AsType[*anymoney.MessageError](err)
			if !ok || e.Offset < 0 || e.Offset > len(text) || e.Refusal() == nil {
				t.Fatalf("ParseObject(%q) = %#v", text, err)
			}
			return
		}
		written := o.AppendJSON(nil)
		if diff := cmp.Diff(reads(t, text), reads(t, written)); diff != "" {
			t.Fatalf("%q written back is %q:\n%s", text, written, diff)
		}
		again := parse(t, string(written))
		if !cmp.Equal(o, again, cmp.Comparer(sameValue)) {
			t.Fatalf("%q read again is %v; want %v", written, again, o)
		}
		for _, m := range o { // what was checked once is taken apart without looking
			if inner, ok := m.Value.Object(); ok && m.Value.Kind() == anymoney.KindObject {
				parse(t, inner.String())
			}
			if list, ok := m.Value.List(); ok {
				_ = anymoney.List(list...)
			}
		}
	})
}

// genText draws a text of the letters that trouble parsers and signers.
func genText() *rapid.Generator[string] {
	return rapid.StringOf(rapid.OneOf(
		rapid.RuneFrom([]rune("aAzZ019 .,-_\"\\/{}[]:\n\t\x00é😀ЖжẞİΣς\u2028\ufffd")),
		rapid.Rune(),
	))
}

// genValue draws a value; lists and objects go depth deep.
func genValue(depth int) *rapid.Generator[anymoney.Value] {
	kinds := []*rapid.Generator[anymoney.Value]{
		rapid.Just(anymoney.Value{}),
		rapid.Map(rapid.Bool(), anymoney.Bool),
		rapid.Map(rapid.Int64(), anymoney.Int),
		rapid.Map(genText(), anymoney.Text),
	}
	if depth > 0 {
		kinds = append(kinds,
			rapid.Map(rapid.SliceOfN(genValue(depth-1), 0, 4), func(v []anymoney.Value) anymoney.Value { return anymoney.List(v...) }),
			rapid.Map(genObject(depth-1), anymoney.Nested),
		)
	}
	return rapid.OneOf(kinds...)
}

// genObject draws an object of up to sixty members, in any order.
func genObject(depth int) *rapid.Generator[anymoney.Object] {
	return rapid.Custom(func(t *rapid.T) anymoney.Object {
		names := rapid.SliceOfNDistinct(genText(), 0, 60, rapid.ID).Draw(t, "names")
		o := make(anymoney.Object, len(names))
		for i, name := range names {
			o[i] = anymoney.Member{Name: name, Value: genValue(depth).Draw(t, "value")}
		}
		return o
	})
}

// Whatever is written is JSON, and reads as what it was.
func TestWrittenReads(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := genObject(2).Draw(t, "object")
		text := o.String()
		if !json.Valid([]byte(text)) {
			t.Fatalf("no JSON: %s", text)
		}
		got, err := anymoney.ParseObject([]byte(text))
		if err != nil || !cmp.Equal(o, got, cmp.Comparer(sameValue)) {
			t.Fatalf("%s reads as %v, %v", text, got, err)
		}
	})
}
