package integra

import (
	"errors"
	"net/url"
	"strings"
)

// form is what a notification says, url-decoded but not judged. A parameter that is missing
// is as good as one that is empty.
type form struct {
	id, amount, hash, token string
	seen                    [4]bool
}

// errForm is a query or form body that is no sequence of url-encoded name=value.
var errForm = errors.New("malformed url-encoding")

// fieldError is a parameter that is missing or wrong.
type fieldError struct {
	field string // as the partner calls it
	why   string // in words that follow the name; repeats nothing that was sent
}

func (e *fieldError) Error() string { return e.field + " " + e.why }

// read adds the parameters of one query or form body. Parameters that we do not know are
// passed over, since a partner may put others into the template. One that comes twice is
// refused: whoever filters on the one must not leave us with the other.
//
// This does what url.ParseQuery does, for four names and without a map of all of them.
func (f *form) read(raw string, n *Names) error {
	if strings.IndexByte(raw, ';') >= 0 { // once a separator: some programs between would still take it as one
		return errForm
	}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := unescape(name)
		if err != nil {
			return err
		}
		var to *string
		var i int
		switch name {
		case n.ID:
			to, i = &f.id, 0
		case n.Amount:
			to, i = &f.amount, 1
		case n.Hash:
			to, i = &f.hash, 2
		case n.Token:
			to, i = &f.token, 3
		default:
			continue
		}
		if f.seen[i] {
			return &fieldError{name, "is given twice"}
		}
		f.seen[i] = true
		if *to, err = unescape(value); err != nil {
			return &fieldError{name, "is not url-encoded"}
		}
	}
	return nil
}

// unescape is url.QueryUnescape without work where there is nothing to do.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	s, err := url.QueryUnescape(s)
	if err != nil {
		return "", errForm
	}
	return s, nil
}
