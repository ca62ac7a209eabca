package page

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestMasked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		secrets    []string
		want       string // with masks
	}{
		{name: "nothing secret", text: "GET / HTTP/1.1\r\n\r\n", want: "GET / HTTP/1.1\n\n"},
		{name: "a line end that is none", text: "a\rb\r", want: `a\rb\r`},
		{name: "twice", text: `{"cryptKey":"abc"} abc`, secrets: []string{"abc"}, want: `{"cryptKey":"` + mask + `"} ` + mask},
		{name: "the longer one", text: "abcdef abc", secrets: []string{"abc", "abcdef"}, want: mask + " " + mask},
		{name: "one after the other", text: "abcxyz", secrets: []string{"xyz", "abc"}, want: mask + mask},
		{name: "no empty secret", text: "abc", secrets: []string{""}, want: "abc"},
		{name: "secret with strange bytes", text: "a\x00\xffb", secrets: []string{"\x00\xff"}, want: "a" + mask + "b"},
		{name: "bytes without a look", text: "\x00\x1b[31m\xff\u202e\u200b", want: `\u0000\u001b[31m\xff\u202e\u200b`},
		{name: "letters of all kinds", text: "Пётр 語 🙂\t\n", want: "Пётр 語 🙂\t\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			for _, s := range masked(tt.text, tt.secrets) {
				got.WriteString(s.Text)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Errorf("masked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLongCodeIsCut(t *testing.T) {
	t.Parallel()
	const secret = "the-secret"
	tests := []struct {
		name, text string
		shown      int // bytes
	}{
		{"just fits", strings.Repeat("a", maxCode), maxCode},
		{"one byte more", strings.Repeat("a", maxCode+1), maxCode},
		{"not within a rune", "a" + strings.Repeat("ж", maxCode), maxCode - 1},
		{"not within a secret", strings.Repeat("a", maxCode-3) + secret + "!", maxCode - 3},
		{"right behind a secret", strings.Repeat("a", maxCode-len(secret)) + secret + "!", maxCode},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := Code{Tabs: []Tab{{Text: tt.text}}, Secrets: []string{secret}}.view().Tabs[0]
			if got := len(tt.text) - v.Cut; got != tt.shown {
				t.Errorf("shows %d bytes of %d; want %d", got, len(tt.text), tt.shown)
			}
			for _, s := range v.Segments {
				if strings.Contains(s.Text, "the-") || !utf8.ValidString(s.Text) {
					t.Errorf("shows %q", s.Text[max(0, len(s.Text)-20):])
				}
			}
		})
	}
}

func FuzzMasked(f *testing.F) {
	f.Add("token=abc&key=abcd", "abc", "abcd")
	f.Add("\xff\x00", "\xff", "")
	f.Fuzz(func(t *testing.T, text, one, two string) {
		for _, s := range masked(text, []string{one, two}) {
			if s.Secret != (s.Text == mask) && s.Secret {
				t.Fatalf("a secret is shown as %q", s.Text)
			}
			if !s.Secret && (!utf8.ValidString(s.Text) || strings.ContainsAny(s.Text, "\x00\x1b\r\u202e")) {
				t.Fatalf("shows %q", s.Text)
			}
		}
	})
}
