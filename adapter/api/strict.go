package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// Go's JSON takes a name in any case, of a name that is there twice the last one, and puts
// something else where a text is no UTF-8; its queries leave out what they cannot read. What is
// about money has one reading: a name has one spelling and stands once, and a filter that cannot
// be read, or of which only a part counts, is no answer to all.

// The check of names is huma's, and a switch of the whole program.
func init() { huma.ValidateStrictCasing = true }

// readable refuses queries that cannot be read, that name a parameter twice, or that hold what no
// database takes for text.
func readable(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		address := ctx.URL()
		query, err := url.ParseQuery(address.RawQuery)
		if err != nil {
			_ = huma.WriteErr(h, ctx, http.StatusUnprocessableEntity, "the query cannot be read",
				&huma.ErrorDetail{Location: "query", Message: err.Error(), Value: address.RawQuery})
			return
		}
		for name, values := range query {
			if len(values) > 1 {
				message := "stands more than once"
				if takesList(ctx.Operation(), name) {
					message += ": join the values by commas"
				}
				_ = huma.WriteErr(h, ctx, http.StatusUnprocessableEntity, "validation failed",
					&huma.ErrorDetail{Location: "query." + name, Message: message, Value: strings.Join(values, ",")})
				return
			}
			for _, value := range values {
				if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
					_ = huma.WriteErr(h, ctx, http.StatusUnprocessableEntity, "validation failed",
						&huma.ErrorDetail{Location: "query." + name, Message: "is no text in UTF-8", Value: value})
					return
				}
			}
		}
		next(ctx)
	}
}

// takesList reports whether a parameter of the query may have several values.
func takesList(o *huma.Operation, name string) bool {
	return slices.ContainsFunc(o.Parameters, func(p *huma.Param) bool {
		return p.In == "query" && p.Name == name && p.Schema.Type == huma.TypeArray
	})
}

// strict is huma's format with bodies in UTF-8 that hold no name twice.
var strict = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if !utf8.Valid(data) {
			return errors.New("is no text in UTF-8")
		}
		if err := noNameTwice(data); err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	},
}

// noNameTwice reports a name that stands twice in one object. What is no JSON is for others to
// complain about.
func noNameTwice(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type level struct {
		names map[string]bool // nil for an array
		value bool            // in an object: a value follows, not a name
	}
	var open []level
	for {
		token, err := d.Token()
		if err != nil { // the end, or no JSON
			return nil //nolint:nilerr // json.Unmarshal says what is wrong
		}
		in := len(open) - 1
		name, isText := token.(string)
		if in >= 0 && open[in].names != nil && token != json.Delim('}') {
			if isName := !open[in].value; isName && isText {
				if open[in].names[name] {
					return fmt.Errorf("the name %.40q stands twice", name)
				}
				open[in].names[name] = true
			}
			open[in].value = !open[in].value
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:in]
		}
	}
}
