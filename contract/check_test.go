package contract_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/contract"
)

var idForm = regexp.MustCompile(`^[A-Z]+(-[A-Z0-9]+)+-[0-9]{2,3}$`)

// Every check says all that `contract explain` shows, in both languages.
func TestChecksAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	titles := map[string]string{}
	for _, c := range contract.Checks() {
		area := contract.AreaOf(c.ID)
		switch {
		case !idForm.MatchString(c.ID):
			t.Errorf("%s: want an id such as INT-NOTIFY-03", c.ID)
		case seen[c.ID]:
			t.Errorf("%s: there are two of them", c.ID)
		case c.Title.En == "" || c.Title.Ru == "" || c.Title.En == c.Title.Ru || strings.HasSuffix(c.Title.En, "."):
			t.Errorf("%s: title %+v; want both languages, without a full stop", c.ID, c.Title)
		case c.Clause == "" || c.Run == nil:
			t.Errorf("%s: no clause or no function", c.ID)
		case c.Severity != contract.Must && c.Severity != contract.Should:
			t.Errorf("%s: severity %q", c.ID, c.Severity)
		case area.Example == "":
			t.Errorf("%s: area %s has no example", c.ID, area.ID)
		}
		key := area.ID + c.Title.En
		if other := titles[key]; other != "" {
			t.Errorf("%s and %s have the same title", c.ID, other)
		}
		seen[c.ID], titles[key] = true, c.ID
	}
	for _, a := range contract.Areas() {
		if !slices.ContainsFunc(contract.Checks(), func(c contract.Check) bool { return c.Area() == a.ID }) {
			t.Errorf("area %s has no checks", a.ID)
		}
	}
}

// The promise of the documents: so many checks at least.
func TestThereAreEnough(t *testing.T) {
	t.Parallel()
	adapters, platforms := 0, 0
	for _, c := range contract.Checks() {
		if slices.Contains(c.Needs, contract.NeedAdapter) {
			adapters++
		} else {
			platforms++
		}
	}
	if adapters < 60 || platforms < 120 {
		t.Errorf("%d checks of adapters, %d of platforms; want 60 and 120 at least", adapters, platforms)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		only, skip []string
		want       []string
		err        string
	}{
		{name: "an id", only: []string{"INT-NOTIFY-01"}, want: []string{"INT-NOTIFY-01"}},
		{name: "in small letters", only: []string{"int-notify-01"}, want: []string{"INT-NOTIFY-01"}},
		{name: "an area less one", only: []string{"INT-CONFIRM"}, skip: []string{"INT-CONFIRM-01"}, want: []string{"INT-CONFIRM-02", "INT-CONFIRM-03", "INT-CONFIRM-04", "INT-CONFIRM-05"}},
		{name: "a pattern", only: []string{"INT-*-14"}, want: []string{"INT-NOTIFY-14", "INT-PARAM-14"}},
		{name: "nobody's name", only: []string{"INT-NOTIFY-99"}, err: `"INT-NOTIFY-99" names no check`},
		{name: "a misspelt skip", skip: []string{"INT-NOTFIY"}, err: `"INT-NOTFIY" names no check`},
		{name: "nothing left", only: []string{"INT-CRASH"}, skip: []string{"INT"}, err: "nothing is left"},
		{name: "no pattern", only: []string{"[INT"}, err: "syntax error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			chosen, err := contract.Select(contract.Checks(), tt.only, tt.skip)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("Select: %v; want an error with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range chosen {
				got = append(got, c.ID)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Select = %v; want %v", got, tt.want)
			}
		})
	}
}

// Every text for people is there in both languages, and says more in Russian than names.
func TestTextsAreInBothLanguages(t *testing.T) {
	t.Parallel()
	russian, english := regexp.MustCompile(`[а-яё]`), regexp.MustCompile(`\b[a-z]{2,}`)
	judge := func(where string, text contract.Text) {
		if text.En == "" || russian.MatchString(text.En) || !russian.MatchString(text.Ru) {
			t.Errorf("%s: %+v; want English and Russian", where, text)
		}
	}
	for _, c := range contract.Checks() {
		judge(c.ID+" title", c.Title)
		if english.MatchString(contract.ClauseIn("ru", c.Clause)) || contract.ClauseIn("en", c.Clause) != c.Clause {
			t.Errorf("%s: clause %q is %q in Russian", c.ID, c.Clause, contract.ClauseIn("ru", c.Clause))
		}
		if strings.HasSuffix(c.Title.Ru, ": ") { // of a table that has only the English half
			t.Errorf("%s: the title ends too early: %q", c.ID, c.Title.Ru)
		}
	}
	for _, a := range contract.Areas() {
		judge(a.ID+" why", a.Why)
		judge(a.ID+" mend", a.Mend)
	}
}
