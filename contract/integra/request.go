package integra

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// RequestURL returns the address of a request:
//
//	<base>/<partnerPath>/<method>?k=<k url-encoded>&<query>
//
// base is the platform's http(s) address, such as "https://api.promopult.org"; partnerPath
// is one or more segments, such as "partners/acme" (slashes around it do not matter); k
// comes from Seal; query holds the plain parameters of some methods (ParamScreen,
// ParamType) in the order of their names, and may be nil. All arguments travel in the
// address, whatever the verb.
func RequestURL(base, partnerPath string, m Method, k string, query url.Values) (string, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "", fmt.Errorf("platform address: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", fmt.Errorf("platform address %q: want http(s)://host", base)
	case u.User != nil, strings.ContainsAny(base, "?#"):
		return "", fmt.Errorf("platform address %q: want no query, fragment or user", u.Redacted())
	case query.Has(ParamK):
		return "", fmt.Errorf("query of %s: %s is not the caller's to set", m, ParamK)
	}
	var b strings.Builder
	b.WriteString(strings.TrimRight(base, "/"))
	for segment := range strings.SplitSeq(strings.Trim(partnerPath, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", fmt.Errorf("partner path %q: segment %q", partnerPath, segment)
		}
		b.WriteByte('/')
		b.WriteString(url.PathEscape(segment))
	}
	b.WriteByte('/')
	b.WriteString(url.PathEscape(string(m)))
	b.WriteString("?" + ParamK + "=")
	b.WriteString(url.QueryEscape(k))
	if len(query) > 0 {
		b.WriteByte('&')
		b.WriteString(query.Encode())
	}
	return b.String(), nil
}

// MessageIDs is the value of the form field ParamIDs of readMessages: "1,2,3".
func MessageIDs(ids []int64) string {
	var b []byte
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(b)
}

// ParseMessageIDs reads what MessageIDs writes: at least one positive number.
func ParseMessageIDs(s string) ([]int64, error) {
	var ids []int64
	for text := range strings.SplitSeq(s, ",") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id <= 0 || text[0] == '+' || text[0] == '0' {
			return nil, fmt.Errorf("message ids: %.40q is no positive number", text)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// LegacyCreateUserArgs are the arguments of LegacyCreateUser.
type LegacyCreateUserArgs struct {
	Login           string
	Email           string
	Phone           string
	Hash            string // the user's
	Partner         string // the partner's hash
	SuggestedDomain string
	URL             string
}

// ParseLegacyCreateUser reads the query of LegacyCreateUser. The error is a *ArgumentError
// if login, hash or partner is missing.
func ParseLegacyCreateUser(query url.Values) (LegacyCreateUserArgs, error) {
	for _, name := range []string{"login", "hash", "partner"} {
		if query.Get(name) == "" {
			return LegacyCreateUserArgs{}, &ArgumentError{Name: name}
		}
	}
	return LegacyCreateUserArgs{
		Login:           query.Get("login"),
		Email:           query.Get("email"),
		Phone:           query.Get("phone"),
		Hash:            query.Get("hash"),
		Partner:         query.Get("partner"),
		SuggestedDomain: query.Get("suggestedDomain"),
		URL:             query.Get("url"),
	}, nil
}
