package robokassa

import "testing"

// Every text that the pages name is there in both languages, and none is there for nothing.
func TestTexts(t *testing.T) {
	t.Parallel()
	if err := site.Check(); err != nil {
		t.Error(err)
	}
}

// What the pages say of a refused card must have a text.
func TestOutcomesHaveTexts(t *testing.T) {
	t.Parallel()
	for _, o := range []CardOutcome{CardDeclined, CardNoFunds, CardExpired, CardNo3DS, CardWrongCVC, CardForeign, "cancelled"} {
		if key := "failure." + string(o); site.Text("ru", key) == key || site.Text("en", key) == key {
			t.Errorf("no text %s", key)
		}
	}
	for _, card := range Cards() {
		if key := "outcome." + string(card.Outcome); site.Text("ru", key) == key {
			t.Errorf("no text %s", key)
		}
		if !luhn(cardDigits(card.Number)) {
			t.Errorf("%s is no number of a card", card.Number)
		}
	}
}
