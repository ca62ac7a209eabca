package contract

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/internal/yamldoc"
)

// byLine writes faults down, the first line first.
func byLine(faults []yamldoc.Fault) (texts []string) {
	slices.SortStableFunc(faults, func(a, b yamldoc.Fault) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path)) })
	for _, f := range faults {
		text := f.Why
		if f.Path != "" {
			text = f.Path + ": " + text
		}
		if f.Line > 0 {
			text = fmt.Sprintf("line %d: %s", f.Line, text)
		}
		texts = append(texts, text)
	}
	return texts
}

// targetDecoder puts a document's values into a target, and notes all that does not fit.
type targetDecoder struct {
	doc    *yamldoc.Document
	faults []yamldoc.Fault
}

func (d *targetDecoder) fault(path, why string) {
	d.faults = append(d.faults, yamldoc.Fault{Line: d.doc.Line(path), Path: path, Why: why})
}

// wanted are the types of a target in words.
var wanted = map[reflect.Type]string{
	reflect.TypeFor[string]():                 "a text",
	reflect.TypeFor[bool]():                   "true or false",
	reflect.TypeFor[time.Duration]():          "a time such as 5s or 1m",
	reflect.TypeFor[time.Time]():              "a day such as 2026-12-31",
	reflect.TypeFor[[]string]():               "a list of texts, such as a command's words",
	reflect.TypeFor[[][]string]():             "a list of commands, each a list of words",
	reflect.TypeFor[map[string]string]():      "names with texts",
	reflect.TypeFor[map[string]HookRequest](): "operations with their requests",
	reflect.TypeFor[[]Deviation]():            "a list of deviations",
}

// decode puts a value into a field; nil leaves it as it is.
func (d *targetDecoder) decode(value any, into reflect.Value, path string) {
	if value == nil {
		return
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	fits := false
	switch value := value.(type) {
	case map[string]any:
		fits = d.object(value, into, path)
	case []any:
		if fits = into.Kind() == reflect.Slice; fits {
			into.Set(reflect.MakeSlice(into.Type(), len(value), len(value)))
			for i, one := range value {
				d.decode(one, into.Index(i), fmt.Sprintf("%s[%d]", path, i))
			}
		}
	case string:
		fits = scalar(value, into)
	default:
		fits = scalar(d.doc.Text(path), into)
	}
	if !fits {
		want := wanted[into.Type()]
		if want == "" {
			want = "the keys " + strings.Join(keysOf(into.Type()), ", ")
		}
		d.fault(path, fmt.Sprintf("here is %s where %s must be", sortOf(value), want))
	}
}

// object puts keys with values into a struct or a map, and tells whether the field is one.
func (d *targetDecoder) object(value map[string]any, into reflect.Value, path string) bool {
	inside := func(key string) string { return strings.TrimPrefix(path+"."+key, ".") }
	switch {
	case into.Kind() == reflect.Map:
		into.Set(reflect.MakeMap(into.Type()))
		for key, one := range value {
			element := reflect.New(into.Type().Elem()).Elem()
			d.decode(one, element, inside(key))
			into.SetMapIndex(reflect.ValueOf(key), element)
		}
		return true
	case wanted[into.Type()] != "" || into.Kind() != reflect.Struct:
		return false
	}
	keys := keysOf(into.Type())
	for key, one := range value {
		if !slices.Contains(keys, key) {
			d.fault(inside(key), fmt.Sprintf("%q is no key here; possible are %s", key, strings.Join(keys, ", ")))
			continue
		}
		for field, v := range into.Fields() {
			if field.Tag.Get("yaml") == key {
				d.decode(one, v, inside(key))
			}
		}
	}
	return true
}

// scalar puts a text into a field, and tells whether it is one that the field can hold.
func scalar(text string, into reflect.Value) bool {
	switch field := into.Addr().Interface().(type) {
	case *string:
		*field = text
		return true
	case *bool:
		switch strings.ToLower(text) {
		case "true", "yes", "on":
			*field = true
			return true
		case "false", "no", "off":
			return true
		}
	case *time.Duration:
		limit, err := time.ParseDuration(text)
		*field = limit
		return err == nil
	case *time.Time:
		day, err := time.Parse(time.DateOnly, text)
		*field = day
		return err == nil
	}
	return false
}

// keysOf returns the keys of a struct.
func keysOf(t reflect.Type) (keys []string) {
	for field := range t.Fields() {
		if key := field.Tag.Get("yaml"); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

// sortOf says what a value is; not which, since it may be a secret.
func sortOf(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "keys with values"
	}
	return "a number"
}
