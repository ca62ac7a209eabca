package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

// Lang is a language that every page speaks.
type Lang string

// The languages, English first: it is what a reader gets who asked for none of them.
const (
	EN Lang = "en"
	RU Lang = "ru"
)

// Langs lists the languages in the order in which a switch offers them.
var Langs = []Lang{RU, EN}

// tag returns what golang.org/x/text calls the language.
func (l Lang) tag() language.Tag {
	if l == RU {
		return language.Russian
	}
	return language.English
}

// pluralForms are the forms that a counted text must give, by CLDR, which calls the one
// for fractions "other" in both languages.
var pluralForms = map[Lang][]string{
	EN: {"one", "other"},
	RU: {"one", "few", "many", "other"},
}

// texts are the words of a set of pages in one language.
//
// A catalogue is a flat JSON object. Its values are texts in the notation of fmt, with
// numbered arguments (%[1]s), or, where the first argument is a number that the words
// must agree with, an object with one text for each plural form of the language.
type texts struct {
	keys    map[string]bool
	printer *message.Printer
}

// loadTexts reads texts.<lang>.json of every source. A key may be given only once, so
// that no package changes the words of another.
func loadTexts(lang Lang, sources ...fs.FS) (*texts, error) {
	t := &texts{keys: map[string]bool{}}
	b := catalog.NewBuilder(catalog.Fallback(lang.tag()))
	name := "texts." + string(lang) + ".json"
	for _, source := range sources {
		data, err := fs.ReadFile(source, name)
		if err != nil {
			return nil, fmt.Errorf("read texts: %w", err)
		}
		if err := eachEntry(data, func(key string, value json.RawMessage) error {
			if t.keys[key] {
				return errors.New("given twice")
			}
			t.keys[key] = true
			msg, err := parseText(lang, value)
			if err != nil {
				return err
			}
			return b.Set(lang.tag(), key, msg)
		}); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	t.printer = message.NewPrinter(lang.tag(), message.Catalog(b))
	return t, nil
}

// say returns the text of key with its arguments filled in. Whole numbers are grouped as
// the language writes them.
func (t *texts) say(key string, args ...any) (string, error) {
	if !t.keys[key] {
		return "", fmt.Errorf("no text %q", key)
	}
	return t.printer.Sprintf(message.Key(key, key), args...), nil
}

// eachEntry calls f for the members of a JSON object in their order, duplicates included,
// which decoding into a map would hide.
func eachEntry(data []byte, f func(key string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key := token.(string) // the decoder takes nothing else before a colon
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := f(key, value); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// parseText turns one value of a catalogue into a message.
func parseText(lang Lang, value json.RawMessage) (catalog.Message, error) {
	var one string
	if json.Unmarshal(value, &one) == nil {
		if strings.TrimSpace(one) == "" {
			return nil, errors.New("empty")
		}
		return catalog.String(one), nil
	}
	var forms map[string]string
	if err := json.Unmarshal(value, &forms); err != nil {
		return nil, errors.New("neither a text nor plural forms")
	}
	if got := slices.Sorted(maps.Keys(forms)); !slices.Equal(got, slices.Sorted(slices.Values(pluralForms[lang]))) {
		return nil, fmt.Errorf("has the plural forms %v, the language needs %v", got, pluralForms[lang])
	}
	var cases []any
	for _, form := range pluralForms[lang] { // "other" comes last: it matches everything
		cases = append(cases, form, forms[form])
	}
	return plural.Selectf(1, "%d", cases...), nil
}
