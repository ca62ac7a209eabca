package hosts

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

func TestFind(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"api.any.money": "/anymoney", "AUTH.robokassa.KZ:8443": "/robokassa", "merchant.roboxchange.com": "/robokassa/Merchant",
		"api.promopult.org": "", "example.com": "none", "any.money": "none", "": "none", "[::1]:80": "none", "api.any.money.evil.com": "none",
	} {
		host, ok := Find(header)
		if ok == (want == "none") || ok && host.Path != want {
			t.Errorf("Find(%q) = %+v, %v; want %s", header, host, ok, want)
		}
	}
}

func TestDomains(t *testing.T) {
	t.Parallel()
	want := []string{"promopult.org", "any.money", "robokassa.ru", "robokassa.kz", "roboxchange.com"}
	if got := Domains(); !slices.Equal(got, want) {
		t.Errorf("domains %q; want %q", got, want)
	}
}

// The document for people who point clients here names the hosts of the table, and no others.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, row := range regexp.MustCompile("(?m)^\\| `.*\\.[a-z]+` \\| .* \\|$").FindAllString(string(text), -1) {
		for _, m := range regexp.MustCompile("`([a-z.]+)`").FindAllStringSubmatch(row, -1) {
			found = append(found, m[1])
		}
	}
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(Names())); !slices.Equal(found, want) {
		t.Errorf("docs/clients.md has the names %q; want %q", found, want)
	}
}
