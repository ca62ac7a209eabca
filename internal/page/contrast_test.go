package page

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestContrast computes what WCAG 2 calls the contrast of every pair of roles that meet on a
// page, in both themes: text needs 4.5 (AA), the edges of controls and marks need 3.
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("assets/kit.css")
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);`).FindAllStringSubmatch(string(css), -1) {
		roles[m[1]] = [2]string{m[2], m[3]}
	}
	type pair struct {
		ink, ground string
		least       float64
	}
	pairs := []pair{
		{"surface-raised", "accent", 4.5}, // a button's words
		{"surface-raised", "text", 4.5},   // a toast
		{"text-muted", "line", 4.5},       // a masked secret
		{"line-strong", "surface", 3},
		{"line-strong", "surface-raised", 3},
		{"text", "accent-soft", 4.5},
		{"text-muted", "accent-soft", 4.5},
		{"accent", "accent-soft", 4.5},
	}
	for _, ground := range []string{"surface", "surface-raised"} {
		for _, ink := range []string{"text", "text-muted", "accent", "ok", "wait", "doubt", "bad"} {
			pairs = append(pairs, pair{ink, ground, 4.5})
		}
	}
	for _, state := range []string{"ok", "wait", "doubt", "bad"} {
		pairs = append(pairs, pair{state, state + "-soft", 4.5}, pair{"text", state + "-soft", 4.5}, pair{"text-muted", state + "-soft", 4.5})
	}
	for _, p := range pairs {
		for i, theme := range []string{"light", "dark"} {
			ink, ground := roles[p.ink][i], roles[p.ground][i]
			if ink == "" || ground == "" {
				t.Fatalf("no colours for %s on %s", p.ink, p.ground)
			}
			if got := contrast(t, ink, ground); got < p.least {
				t.Errorf("%s: %s %s on %s %s has a contrast of %.2f; want %.1f", theme, p.ink, ink, p.ground, ground, got, p.least)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(fmt.Errorf("colour %q: %w", colour, err))
		}
		c := float64(n) / 255
		if c <= 0.03928 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
