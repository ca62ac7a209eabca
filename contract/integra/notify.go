package integra

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// ErrTemplate is a notification URL that cannot be called.
var ErrTemplate = errors.New("malformed notification URL")

// A NotifyTemplate is a PAYMENT_NOTIFY_URL: an http(s) address that the platform calls with
// GET when a user tops up from the partner's account, after it has replaced
//
//	{id}      by the payment's id, 32 characters
//	{amount}  by the sum, such as 100 or 100.5
//	{hash}    by the user's hash
//
// wherever they stand in the path and in the query. Other braces stay as they are; so do
// placeholders whose braces were url-encoded (%7Bid%7D), as PHP's http_build_query does.
// The call is not signed. Docs: "Шаблон PAYMENT_NOTIFY_URL"; the encoding is our choice.
type NotifyTemplate struct {
	path, query string // query begins with its question mark
}

// ParseNotifyTemplate checks that s is a template which gives a valid address whatever is
// put in. Its error wraps ErrTemplate and says what is wrong.
func ParseNotifyTemplate(s string) (NotifyTemplate, error) {
	fail := func(why string) (NotifyTemplate, error) {
		return NotifyTemplate{}, fmt.Errorf("%w: %s", ErrTemplate, why)
	}
	if !utf8.ValidString(s) {
		return fail("it is not valid UTF-8")
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }); i >= 0 {
		return fail(fmt.Sprintf("it has the character %q at byte %d, which must be url-encoded", s[i], i))
	}
	u, err := url.Parse(s)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, which can hold a secret
		}
		return fail(err.Error())
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fail("it does not begin with http:// or https://")
	case u.Host == "":
		return fail("it has no host")
	case strings.Contains(u.Host, "{"):
		return fail("its host has a placeholder")
	case strings.Contains(s, "#"):
		return fail("it has a fragment, which is never sent")
	}
	if _, err := url.QueryUnescape(u.RawQuery); err != nil {
		return fail(err.Error())
	}
	t := NotifyTemplate{path: s}
	if i := strings.IndexByte(s, '?'); i >= 0 {
		t.path, t.query = s[:i], s[i:]
	}
	return t, nil
}

// String returns the template as it was parsed.
func (t NotifyTemplate) String() string { return t.path + t.query }

// Expand returns the address to call. The values are url-encoded for where they are put;
// nothing else is touched.
func (t NotifyTemplate) Expand(id, amount, hash string) string {
	values := []replacement{{"{id}", id}, {"{amount}", amount}, {"{hash}", hash}}
	b := make([]byte, 0, len(t.path)+len(t.query)+len(id)+len(amount)+len(hash))
	b = appendFilled(b, t.path, values, url.PathEscape)
	b = appendFilled(b, t.query, values, url.QueryEscape)
	return string(b)
}

type replacement struct{ placeholder, value string }

// appendFilled appends s with its placeholders replaced by their escaped values.
func appendFilled(b []byte, s string, values []replacement, escape func(string) string) []byte {
next:
	for {
		brace := strings.IndexByte(s, '{')
		if brace < 0 {
			return append(b, s...)
		}
		b = append(b, s[:brace]...)
		s = s[brace:]
		for _, v := range values {
			if rest, ok := strings.CutPrefix(s, v.placeholder); ok {
				b = append(b, escape(v.value)...)
				s = rest
				continue next
			}
		}
		b = append(b, '{')
		s = s[1:]
	}
}
