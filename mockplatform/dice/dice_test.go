package dice_test

import (
	"encoding/hex"
	"regexp"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/mockplatform/dice"
)

// The values of a seed are promised across versions: recorded runs are replayed from them.
func TestValuesOfASeed(t *testing.T) {
	t.Parallel()
	d := dice.New(1)
	got := []any{d.ID(), d.Key(), d.N(9), d.N(9), d.ID(), filled(d, 11)}
	want := []any{
		"c60b26fc5d0ac992ceede4e4f196bd71", "8zuwxulqe4ul2q574cnm2m442usay2w3481usu2y7xz1n07glai", 5, 0, "67cd41fcd1a5e8d9b1dfdabc1129aecc", "55815a373df28055468542",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("seed 1 gives (-want +got):\n%s", diff)
	}
}

// filled is n bytes of chance in hex.
func filled(d *dice.Dice, n int) string {
	b := make([]byte, n)
	d.Fill(b)
	return hex.EncodeToString(b)
}

func TestForms(t *testing.T) {
	t.Parallel()
	id, key := regexp.MustCompile(`^[0-9a-f]{32}$`), regexp.MustCompile(`^[0-9a-z]{51}$`)
	rapid.Check(t, func(t *rapid.T) {
		d := dice.New(rapid.Uint64().Draw(t, "seed"))
		if got := d.ID(); !id.MatchString(got) {
			t.Errorf("id %q", got)
		}
		if got := d.Key(); !key.MatchString(got) {
			t.Errorf("key %q", got)
		}
		n := rapid.IntRange(1, 1<<30).Draw(t, "n")
		if got := d.N(n); got < 0 || got >= n {
			t.Errorf("N(%d) = %d", n, got)
		}
	})
}

func TestEqualSeedsAndCallsGiveEqualValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		a, b, again := dice.New(seed), dice.New(seed), dice.New(seed)
		again.ID()
		again.Reset()
		t.Repeat(map[string]func(*rapid.T){
			"id":  func(t *rapid.T) { same(t, a.ID(), b.ID(), again.ID()) },
			"key": func(t *rapid.T) { same(t, a.Key(), b.Key(), again.Key()) },
			"fill": func(t *rapid.T) {
				n := rapid.IntRange(0, 40).Draw(t, "n")
				same(t, filled(a, n), filled(b, n), filled(again, n))
			},
			"n": func(t *rapid.T) {
				n := rapid.IntRange(1, 1000).Draw(t, "n")
				same(t, a.N(n), b.N(n), again.N(n))
			},
		})
	})
}

func same[T comparable](t *rapid.T, a, b, c T) {
	if a != b || b != c {
		t.Errorf("%v, %v and %v differ", a, b, c)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	d := dice.New(1)
	var seen sync.Map
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for range 500 {
				if _, twice := seen.LoadOrStore(d.ID(), true); twice {
					t.Error("an id came twice")
				}
			}
		})
	}
	users.Wait()
}
