package contract

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// say makes a text for people out of its English, a format as fmt.Sprintf has it; inRussian
// has the Russian of each. Arguments that are texts, errors or durations are said in the
// same language.
func say(format string, args ...any) Text {
	return Text{fmt.Sprintf(format, args...), russian(format, args)}
}

func russian(format string, args []any) string {
	args = slices.Clone(args)
	for i, arg := range args {
		switch arg := arg.(type) {
		case Text:
			args[i] = arg.Ru
		case error:
			args[i] = textOf(arg).Ru
		case time.Duration:
			args[i] = strings.TrimSuffix(unitsInRussian.Replace(arg.String()), " ")
		}
	}
	return fmt.Sprintf(strings.ReplaceAll(cmp.Or(inRussian[format], format), "%w", "%v"), args...)
}

var unitsInRussian = strings.NewReplacer("ms", " мс ", "µs", " мкс ", "ns", " нс ", "h", " ч ", "m", " мин ", "s", " с ")

// verbatim is a text that is the same in both languages: what was sent, or what a program
// says of itself.
func verbatim(text string) Text { return Text{text, text} }

// errorf is an error in both languages; see say. What is wrapped by %w is found in it.
func errorf(format string, args ...any) error {
	return &saidError{fmt.Errorf(format, args...), russian(format, args)}
}

type saidError struct {
	error

	ru string
}

func (e *saidError) said() Text { return Text{e.Error(), e.ru} }

// Unwrap returns the error as it is in English.
func (e *saidError) Unwrap() error { return e.error }

// textOf is what an error says, in both languages where it knows both.
func textOf(err error) Text {
	var knows interface {
		error
		said() Text
	}
	if errors.As(err, &knows) && knows.Error() == err.Error() {
		return knows.said()
	}
	text := verbatim(err.Error())
	text.Ru = cmp.Or(inRussian[text.En], text.Ru)
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // this error alone, not what is wrapped in it
		var en, ru []string
		for _, one := range joined.Unwrap() {
			t := textOf(one)
			en, ru = append(en, t.En), append(ru, t.Ru)
		}
		if strings.Join(en, "\n") == text.En {
			text.Ru = strings.Join(ru, "\n")
		}
	}
	return text
}
