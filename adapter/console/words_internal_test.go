package console

import (
	"testing"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/internal/page"
)

// A page breaks at a word that is missing, so all of them are there.
func TestEveryWordIsThere(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, s := range adapter.States {
		keys = append(keys, "kit.state."+string(s))
		if s.NeedsPerson() {
			keys = append(keys, "settle.hint."+string(s))
		}
	}
	for _, k := range adapter.EventKinds {
		keys = append(keys, "event."+string(k))
	}
	for _, k := range adapter.Kinds {
		keys = append(keys, "kind."+string(k), "settle.confirm."+string(k), "settle.decline."+string(k))
	}
	for _, lang := range []page.Lang{page.RU, page.EN} {
		for _, key := range keys {
			if site.Text(lang, key) == key {
				t.Errorf("%s: %q has no word", lang, key)
			}
		}
	}
}
