package anymoney

import (
	"testing"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/internal/page"
)

func TestPageTexts(t *testing.T) {
	t.Parallel()
	if err := site.Check(); err != nil {
		t.Error(err)
	}
}

// Whatever an address says, the page of a refusal has words for it.
func TestEveryErrorHasWords(t *testing.T) {
	t.Parallel()
	messages := []string{"", "<script>", "EParamNotFound"}
	for code := wire.Code(-32800); code < -32000; code++ {
		messages = append(messages, code.Message())
	}
	for _, message := range messages {
		key := "error." + kindOf(message)
		for _, lang := range page.Langs {
			if got := site.Text(lang, key); got == key {
				t.Errorf("%q has no words in %s", message, lang)
			}
		}
	}
}

func TestWebAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://shop.example/done?a=b": "https://shop.example/done?a=b",
		"HTTP://shop.example":           "HTTP://shop.example",
		"javascript:alert(1)":           "",
		"data:text/html,x":              "",
		"//shop.example":                "",
		"/done":                         "",
		"https:":                        "",
		"http://[":                      "",
		"":                              "",
	} {
		if got := webAddress(address); got != want {
			t.Errorf("webAddress(%q) = %q; want %q", address, got, want)
		}
	}
}
