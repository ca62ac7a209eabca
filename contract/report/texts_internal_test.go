package report

import "testing"

// No text of the page is missing in a language, and none is there in vain.
func TestTexts(t *testing.T) {
	t.Parallel()
	if err := site.Check("lane.suite", "lane.partner", "fact.error", "cut"); err != nil {
		t.Error(err)
	}
}
