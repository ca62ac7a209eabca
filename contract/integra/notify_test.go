package integra_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/contract/integra"
)

func TestNotifyTemplate(t *testing.T) {
	t.Parallel()
	const id, hash = "202cb962ac59075b964b07152d234b70", "0123456789abcdef0123456789abcdef"
	tests := []struct{ name, template, want string }{
		{
			"as in the docs",
			"https://payment.acme.com/payment-notify?amount={amount}&transaction_id={id}",
			"https://payment.acme.com/payment-notify?amount=100.5&transaction_id=" + id,
		},
		{
			"in the path",
			"http://acme.com/notify/{hash}/{id}?sum={amount}",
			"http://acme.com/notify/" + hash + "/" + id + "?sum=100.5",
		},
		{
			"more than once",
			"http://acme.com/{id}?id={id}&again={id}",
			"http://acme.com/" + id + "?id=" + id + "&again=" + id,
		},
		{
			"unknown placeholders stay",
			"http://acme.com/{shop}?id={id}&login={login}&x={ID}&y={ id }",
			"http://acme.com/{shop}?id=" + id + "&login={login}&x={ID}&y={ id }",
		},
		{
			"escaped braces stay",
			"http://acme.com/?id=%7Bid%7D",
			"http://acme.com/?id=%7Bid%7D",
		},
		{
			"braces in braces",
			"http://acme.com/?id={{id}}",
			"http://acme.com/?id={" + id + "}",
		},
		{
			"no placeholder",
			"http://acme.com",
			"http://acme.com",
		},
		{
			"no path",
			"http://acme.com?id={id}",
			"http://acme.com?id=" + id,
		},
		{
			"port, token, Cyrillic host",
			"https://оплата.рф:8443/n?token=a.b-c_d&id={id}",
			"https://оплата.рф:8443/n?token=a.b-c_d&id=" + id,
		},
		{
			"question mark in the query",
			"http://acme.com/?a=?{id}",
			"http://acme.com/?a=?" + id,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			template, err := integra.ParseNotifyTemplate(strings.ReplaceAll(tt.template, "{ id }", "{%20id%20}"))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(tt.want, "{ id }", "{%20id%20}")
			if got := template.Expand(id, "100.5", hash); got != want {
				t.Errorf("Expand = %q; want %q", got, want)
			}
		})
	}
}

// Values are encoded for their place, and never read as placeholders themselves.
func TestNotifyTemplateEncodes(t *testing.T) {
	t.Parallel()
	template, err := integra.ParseNotifyTemplate("http://acme.com/{id}/x?id={id}&amount={amount}&hash={hash}")
	if err != nil {
		t.Fatal(err)
	}
	got := template.Expand("a/b c?d&e+{hash}", "{id}", "#ж")
	want := "http://acme.com/a%2Fb%20c%3Fd&e+%7Bhash%7D/x?id=a%2Fb+c%3Fd%26e%2B%7Bhash%7D&amount=%7Bid%7D&hash=%23%D0%B6"
	if got != want {
		t.Errorf("Expand:\n got %s\nwant %s", got, want)
	}
}

func TestParseNotifyTemplateRefuses(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"nothing":                   "",
		"a path":                    "/notify?id={id}",
		"no scheme":                 "acme.com/notify?id={id}",
		"other scheme":              "ftp://acme.com/{id}",
		"javascript":                "javascript:alert({id})",
		"no host":                   "http:///notify?id={id}",
		"opaque":                    "http:acme.com?id={id}",
		"placeholder as scheme":     "{id}://acme.com/",
		"placeholder in the host":   "http://{hash}.acme.com/",
		"placeholder as a port":     "http://acme.com:{id}/",
		"placeholder behind a port": "http://acme.com:80{id}/",
		"placeholder as a user":     "http://{id}@acme.com/",
		"placeholder in a zone":     "http://[fe80::1%25{id}]/",
		"fragment":                  "http://acme.com/#id={id}",
		"empty fragment":            "http://acme.com/?id={id}#",
		"space":                     "http://acme.com/a b?id={id}",
		"space in the query":        "http://acme.com/?id= {id}",
		"line end":                  "http://acme.com/?id={id}\n",
		"half an escape in path":    "http://acme.com/%{id}",
		"half an escape in query":   "http://acme.com/?id=%{id}",
		"escape cut at the end":     "http://acme.com/?id={id}&a=%2",
		"not UTF-8":                 "http://acme.com/?a=\xff",
	} {
		got, err := integra.ParseNotifyTemplate(s)
		if !errors.Is(err, integra.ErrTemplate) {
			t.Errorf("%s: ParseNotifyTemplate(%q) = %q, %v; want ErrTemplate", name, s, got, err)
		}
	}
	if _, err := integra.ParseNotifyTemplate("http://acme.com:x/?token=secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v; want one that does not show the template", err)
	}
}

func FuzzNotifyTemplate(f *testing.F) {
	f.Add("https://payment.acme.com/payment-notify?amount={amount}&transaction_id={id}", "202cb962", "100", "0123")
	f.Add("http://acme.com/{hash}/{id}%2F?{amount}", "a/b", "{id}", "..")
	f.Add("http://acme.com?%{id}", "41", "?", "#")
	f.Add("http://[fe80::1%25{id}]/", "]", "", "")
	f.Fuzz(func(t *testing.T, s, id, amount, hash string) {
		template, err := integra.ParseNotifyTemplate(s)
		if err != nil {
			if !errors.Is(err, integra.ErrTemplate) {
				t.Fatalf("ParseNotifyTemplate(%q): %v", s, err)
			}
			return
		}
		if template.String() != s {
			t.Fatalf("%q is written back as %q", s, template)
		}
		expanded := template.Expand(id, amount, hash)
		before, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		after, err := url.Parse(expanded)
		if err != nil {
			t.Fatalf("%q expands to %q: %v", s, expanded, err)
		}
		if after.Scheme != before.Scheme || after.Host != before.Host || after.User.String() != before.User.String() || after.Fragment != "" {
			t.Fatalf("%q expands to %q, which goes elsewhere", s, expanded)
		}
		query, err := url.QueryUnescape(after.RawQuery)
		if err != nil {
			t.Fatalf("%q expands to %q: %v", s, expanded, err)
		}
		if strings.Contains(s, "%7") {
			return // may hide braces, which stay, but look like placeholders after decoding
		}
		// The values arrive as they were given, wherever they were put.
		fill := strings.NewReplacer("{id}", id, "{amount}", amount, "{hash}", hash)
		if want := fill.Replace(before.Path); after.Path != want {
			t.Fatalf("%q expands to the path %q; want %q", s, after.Path, want)
		}
		want, err := url.QueryUnescape(before.RawQuery)
		if err != nil || query != fill.Replace(want) {
			t.Fatalf("%q expands to the query %q; want %q, %v", s, query, fill.Replace(want), err)
		}
	})
}
