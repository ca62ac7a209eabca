package contract

import (
	"sync"
	"time"
)

// Waited is what a run spent on waiting for what did not come. Waits are as long as
// limits.settle says, and no shorter where many of them are in vain: that would judge an
// adapter that is slow but right by the defects of others. So the report says which limit it
// was, and what would have been enough.
type Waited struct {
	Waits       int   `json:"waits" doc:"How many ended without what was promised"`
	TookMS      int64 `json:"took_ms" doc:"How long they were all together; several run at once"`
	SettleMS    int64 `json:"settle_ms" doc:"limits.settle, which ended them"`
	LongestMS   int64 `json:"longest_ms" doc:"The longest wait for something that came"`
	SuggestedMS int64 `json:"suggested_ms,omitempty" doc:"A shorter limits.settle that is enough for what came"`
}

// Text is the same in words.
func (w *Waited) Text() Text {
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	text := say("Waits in vain: %d, %s in all, each ended by limits.settle (%s).", w.Waits, ms(w.TookMS).Round(time.Second), ms(w.SettleMS))
	if w.SuggestedMS > 0 {
		text = say("%s All that did come came within %s: with limits.settle at %s the next run is over sooner.", text, ms(w.LongestMS), ms(w.SuggestedMS))
	}
	return text
}

// waits counts what the checks of a run wait for. It is safe for concurrent use.
type waits struct {
	mu      sync.Mutex
	longest time.Duration // of those that ended well
	missed  int
	spent   time.Duration // on those that did not
}

// came notes a wait that ended well.
func (w *waits) came(after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest = max(w.longest, after)
}

// failed notes one that did not.
func (w *waits) failed(after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missed++
	w.spent += after
}

// Bounds of what is said about waits.
const (
	worthSaying    = 10 * time.Second
	shortestSettle = 2 * time.Second
)

// report is what to say about the waits of a run; nil if it is not worth it.
func (w *waits) report(settle time.Duration) *Waited {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spent < worthSaying {
		return nil
	}
	r := &Waited{Waits: w.missed, TookMS: w.spent.Milliseconds(), SettleMS: settle.Milliseconds(), LongestMS: w.longest.Milliseconds()}
	enough := max((3*w.longest + time.Second - 1).Truncate(time.Second), shortestSettle)
	if enough <= settle/2 {
		r.SuggestedMS = enough.Milliseconds()
	}
	return r
}
