package contract

import (
	"testing"
	"testing/synctest"
	"time"
)

// A run that waited in vain says which limit it was, and suggests one that is enough for all
// that came; never one that is hardly shorter.
func TestWaits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		came, failed, settle time.Duration
		want                 int64 // suggested, in ms; -1 if nothing is worth saying
	}{
		"quick":             {300 * time.Millisecond, 15 * time.Second, 15 * time.Second, 2000},
		"slow but right":    {2100 * time.Millisecond, 15 * time.Second, 15 * time.Second, 7000},
		"nearly too slow":   {4 * time.Second, 15 * time.Second, 15 * time.Second, 0},
		"short already":     {time.Second, 12 * time.Second, 3 * time.Second, 0},
		"nothing in vain":   {time.Second, 0, 15 * time.Second, -1},
		"hardly any time":   {time.Second, 3 * time.Second, 3 * time.Second, -1},
		"nothing came ever": {0, 15 * time.Second, 15 * time.Second, 2000},
	} {
		var w waits
		w.came(tt.came / 2)
		w.came(tt.came)
		w.failed(tt.failed)
		got := int64(-1)
		if r := w.report(tt.settle); r != nil {
			got = r.SuggestedMS
		}
		if got != tt.want {
			t.Errorf("%s: %d ms suggested; want %d", name, got, tt.want)
		}
	}
}

// What a check waits for is counted, and a failure by waiting names the limit.
func TestUntilCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &T{ctx: t.Context(), env: &env{limits: Limits{Settle: 15 * time.Second}}}
		began := time.Now()
		c.until(15*time.Second, say("none"), func() (bool, Text) { return time.Since(began) > time.Second, Text{} })
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.until(15*time.Second, say("none"), func() (bool, Text) { return false, say("never") })
		}()
		<-done
		w := c.env.waits.report(15 * time.Second)
		if w == nil || w.Waits != 1 || w.TookMS != 15_000 || w.LongestMS < 1000 || w.LongestMS > 1200 || w.SuggestedMS != 4000 {
			t.Errorf("counted %+v", w)
		}
		const want, wantRu = "never (after 15s, see limits.settle)", "ни разу (прошло 15 с, см. limits.settle)"
		if c.failure.Got != want || c.failure.GotRu != wantRu {
			t.Errorf("the failure says %q, %q", c.failure.Got, c.failure.GotRu)
		}
	})
}
