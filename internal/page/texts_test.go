package page

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPlurals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		lang  Lang
		count int
		want  string
	}{
		{EN, 0, "0 payments"},
		{EN, 1, "1 payment"},
		{EN, 21, "21 payments"},
		{EN, 1000, "1,000 payments"},
		{RU, 0, "0 платежей"},
		{RU, 1, "1 платёж"},
		{RU, 2, "2 платежа"},
		{RU, 4, "4 платежа"},
		{RU, 5, "5 платежей"},
		{RU, 11, "11 платежей"},
		{RU, 14, "14 платежей"},
		{RU, 21, "21 платёж"},
		{RU, 22, "22 платежа"},
		{RU, 111, "111 платежей"},
		{RU, 1001, "1\u00a0001 платёж"},
		{RU, 1_000_000, "1\u00a0000\u00a0000 платежей"},
	}
	s := gallerySite(false)
	for _, tt := range tests {
		if got := s.Text(tt.lang, "payments", tt.count); got != tt.want {
			t.Errorf("%s, %d: %q; want %q", tt.lang, tt.count, got, tt.want)
		}
	}
}

func FuzzTexts(f *testing.F) {
	f.Add(`{"a": "A %[1]s", "b": {"one": "%[1]d", "other": "%[1]d"}}`)
	f.Add(`{"a": {"one": "", "other": ""}}`)
	f.Add(`{"a": "%", "a": null}`)
	f.Fuzz(func(t *testing.T, catalogue string) {
		files := fstest.MapFS{"texts.en.json": {Data: []byte(catalogue)}}
		texts, err := loadTexts(EN, files)
		if err != nil {
			return
		}
		var whole map[string]any
		if err := json.Unmarshal([]byte(catalogue), &whole); err != nil {
			t.Fatalf("accepted what is no JSON object: %v", err)
		}
		if len(whole) != len(texts.keys) {
			t.Fatalf("%d keys of %d", len(texts.keys), len(whole))
		}
		for key, value := range whole {
			got, err := texts.say(key, 1, "x")
			if err != nil {
				t.Fatalf("say(%q): %v", key, err)
			}
			if plain, ok := value.(string); ok && !strings.Contains(plain, "%") && !strings.HasPrefix(got, plain) {
				t.Fatalf("say(%q) = %q; want %q", key, got, plain)
			}
		}
	})
}
