// Package journal is the stand-in's record of exchanges: every request with its reply, in
// and out, as raw bytes and as they were understood.
//
// An exchange is recorded once, when it is complete, and before its reply leaves: whoever
// has seen an answer finds it in the journal. It never changes afterwards. The journal is
// bounded by number and by bytes; the oldest exchanges make room for new ones.
//
// Inside the process exchanges are complete, with secrets. Whatever leaves it (the control
// API, pages, files) goes through Exchange.Redacted.
package journal

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Direction tells who called.
type Direction string

// The directions, seen from the platform.
const (
	In  Direction = "in"  // a partner or a user's browser called the platform
	Out Direction = "out" // the platform called a partner
)

// Verdict is what came of an exchange.
type Verdict struct {
	OK     bool
	Check  string // the check that refused it, such as "k", "user", "args.amount"; "" when OK
	Code   int    // the protocol's own status code
	Detail string // why, for people
}

// Exchange is one request with its reply. It is not changed once it is recorded.
type Exchange struct {
	Seq       uint64 // order of completion, from 1; set by Record
	Protocol  string // "integra"
	Method    string // the protocol's own word: "confirmPayment", "notify"
	Direction Direction
	Scheme    string // "http" or "https"
	Partner   string // the partner's hash, if known
	User      string // the user's hash, if one is meant
	Payment   string // the payment's id at this platform, if one is meant
	Trace     string // the payment that it is part of over all platforms: see Config.Trace
	Attempt   int    // of a notification: 1 for the first
	At        time.Time
	Real      time.Time     // At is the start in virtual time, Real in real time; both UTC
	Took      time.Duration // in real time
	Status    int           // HTTP status; 0 when there was no reply
	Request   []byte        // raw; header names in Go's spelling and order
	Response  []byte        // raw; nil when there was no reply
	Args      []byte        // the decrypted arguments, if they could be decrypted
	Verdict   Verdict
	Diagnosis *Diagnosis // why a key, a signature or a form is not right; nil where there is nothing to say
	Fault     string     // which rule did what to it; "" for none
	Cut       bool       // Request or Response was longer than MaxRaw and is cut off
	Secrets   []string   // what Redacted masks wherever it occurs
}

// A Diagnosis says which part of a request differs from what it should be: the hash doctor's
// finding. It shows no secret.
type Diagnosis struct {
	Cause Cause
	Hint  string // what was done, for people
	Got   string // what was signed or encrypted, as far as that was found out; "" if not
	Want  string // what should have been
}

// Cause is the kind of a mistake.
type Cause string

// The causes.
const (
	CauseWrongKey     Cause = "wrong_key"     // the key of another party or purpose, or a changed one
	CauseOtherMode    Cause = "other_mode"    // the password of the other mode
	CauseOrder        Cause = "order"         // of the parts that are signed
	CauseCase         Cause = "case"          // of letters
	CauseEncoding     Cause = "encoding"      // of characters or bytes
	CauseDecimalForm  Cause = "decimal_form"  // of an amount
	CauseTrailingZero Cause = "trailing_zero" // of an amount
	CauseParts        Cause = "parts"         // something is missing or too much
	CauseSeparator    Cause = "separator"     // between the parts
	CauseTime         Cause = "time"          // the timestamp
	CauseAlgorithm    Cause = "algorithm"     // of the hash or the cipher
	CauseMissing      Cause = "missing"       // nothing was sent
	CauseUnknown      Cause = "unknown"
)

// MaxRaw bounds Request and Response of one exchange, in bytes; the rest is cut off.
const MaxRaw = 64 << 10

// overhead is what an exchange occupies besides its bytes, roughly.
const overhead = 512

func (e *Exchange) size() int {
	return overhead + len(e.Request) + len(e.Response) + len(e.Args)
}

// Config bounds a journal.
type Config struct {
	MaxExchanges int // 10,000 if 0
	MaxBytes     int // 16 MiB if 0
	// Trace tells which payment an exchange is part of, where one payment goes through
	// several platforms that each have a name for it: the same text for all of them, unique
	// over all. It is asked of each exchange that does not say; nil for none.
	Trace func(*Exchange) string
}

// Journal is safe for concurrent use.
type Journal struct {
	cfg Config

	mu       sync.Mutex // held for moments only: the hot path goes through here
	ring     []*Exchange
	head     int // place of the oldest in ring
	count    int
	bytes    int
	seq      uint64
	reset    time.Time // real, of the latest Reset; zero before the first
	watchers map[chan struct{}]struct{}
}

// New returns an empty journal.
func New(cfg Config) *Journal {
	if cfg.MaxExchanges <= 0 {
		cfg.MaxExchanges = 10_000
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 16 << 20
	}
	return &Journal{cfg: cfg, watchers: map[chan struct{}]struct{}{}}
}

// Record takes over e, which the caller must not change any more, and numbers it. What began
// before the latest Reset is not recorded: it belongs to a world that is no more.
func (j *Journal) Record(e *Exchange) {
	e.Request, e.Cut = cut(e.Request, e.Cut)
	e.Response, e.Cut = cut(e.Response, e.Cut)
	if j.cfg.Trace != nil && e.Trace == "" {
		e.Trace = j.cfg.Trace(e)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !e.Real.IsZero() && e.Real.Before(j.reset) {
		return
	}
	j.seq++
	e.Seq = j.seq
	j.add(e)
	j.wake()
}

// add keeps an exchange. It wants mu held.
func (j *Journal) add(e *Exchange) {
	size := e.size()
	for j.count > 0 && (j.count >= j.cfg.MaxExchanges || j.bytes+size > j.cfg.MaxBytes) {
		j.dropOldest()
	}
	if j.count == len(j.ring) {
		j.grow()
	}
	j.ring[(j.head+j.count)%len(j.ring)] = e
	j.count++
	j.bytes += size
}

func cut(raw []byte, already bool) ([]byte, bool) {
	if len(raw) <= MaxRaw {
		return raw, already
	}
	return slices.Clone(raw[:MaxRaw]), true // a clone lets go of the rest
}

func (j *Journal) dropOldest() {
	j.bytes -= j.ring[j.head].size()
	j.ring[j.head] = nil
	j.head = (j.head + 1) % len(j.ring)
	j.count--
}

// grow doubles the full ring.
func (j *Journal) grow() {
	ring := make([]*Exchange, min(max(2*len(j.ring), 64), j.cfg.MaxExchanges))
	j.copyTo(ring)
	j.ring, j.head = ring, 0
}

func (j *Journal) copyTo(dst []*Exchange) {
	n := copy(dst, j.ring[j.head:min(j.head+j.count, len(j.ring))])
	copy(dst[n:], j.ring[:j.count-n])
}

func (j *Journal) wake() {
	for c := range j.watchers {
		select {
		case c <- struct{}{}:
		default: // it has not yet looked at what it was told of before
		}
	}
}

// Filter chooses exchanges. Empty fields match everything.
type Filter struct {
	Protocol  string
	Method    string
	Direction Direction
	Partner   string
	User      string
	Payment   string
	Trace     string
	Outcome   Outcome
	Check     string // what refused it
	Status    int    // HTTP status; -1 for exchanges without an answer
	Since     uint64 // only exchanges recorded after the one with this Seq
	Limit     int    // at most so many, the newest ones; 0 for all
}

// Outcome is a short word for what came of an exchange.
type Outcome string

// The outcomes that a Filter knows.
const (
	OK      Outcome = "ok"      // the platform, or the partner, said yes
	Refused Outcome = "refused" // or anything else
	Faulty  Outcome = "faulty"  // a rule did something to it
)

func (f *Filter) matches(e *Exchange) bool {
	return (f.Protocol == "" || f.Protocol == e.Protocol) &&
		(f.Method == "" || f.Method == e.Method) &&
		(f.Direction == "" || f.Direction == e.Direction) &&
		(f.Partner == "" || f.Partner == e.Partner) &&
		(f.User == "" || f.User == e.User) &&
		(f.Payment == "" || f.Payment == e.Payment) &&
		(f.Trace == "" || f.Trace == e.Trace) &&
		(f.Check == "" || f.Check == e.Verdict.Check) &&
		(f.Status == 0 || f.Status == e.Status || f.Status == -1 && e.Status == 0) &&
		(f.Outcome == "" || f.Outcome.of(e))
}

func (o Outcome) of(e *Exchange) bool {
	switch o {
	case OK:
		return e.Verdict.OK
	case Refused:
		return !e.Verdict.OK
	}
	return e.Fault != ""
}

// List returns the exchanges that match, in order of Seq. They are complete and shared:
// see Exchange.Redacted before showing them to anybody.
func (j *Journal) List(f Filter) []*Exchange {
	j.mu.Lock()
	all := make([]*Exchange, j.count)
	j.copyTo(all)
	j.mu.Unlock()
	since, _ := slices.BinarySearchFunc(all, f.Since, func(e *Exchange, seq uint64) int {
		if e.Seq <= seq {
			return -1
		}
		return 1
	})
	found := slices.DeleteFunc(all[since:], func(e *Exchange) bool { return !f.matches(e) })
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[len(found)-f.Limit:]
	}
	return found
}

// Get returns the exchange with that Seq, nil if it is not kept.
func (j *Journal) Get(seq uint64) *Exchange {
	if seq == 0 {
		return nil
	}
	if found := j.List(Filter{Since: seq - 1}); len(found) > 0 && found[0].Seq == seq {
		return found[0]
	}
	return nil
}

// Await returns what matches once that is at least count exchanges, for tests that wait for
// something to happen. When ctx ends first it returns what there is, with ctx's error.
func (j *Journal) Await(ctx context.Context, f Filter, count int) ([]*Exchange, error) {
	changed, stop := j.Watch()
	defer stop()
	for {
		if found := j.List(f); len(found) >= count {
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return j.List(f), ctx.Err()
		}
	}
}

// Len is the number of exchanges kept.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.count
}

// Clear forgets every exchange; the numbers go on.
func (j *Journal) Clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring, j.head, j.count, j.bytes = nil, 0, 0, 0
	j.wake()
}

// Reset forgets every exchange and numbers from 1 again.
func (j *Journal) Reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring, j.head, j.count, j.bytes, j.seq = nil, 0, 0, 0, 0
	j.reset = time.Now()
	j.wake()
}

// Seq is that of the latest exchange.
func (j *Journal) Seq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seq
}

// Load replaces what is kept by exchanges of another journal, which keep their numbers. They
// must not be changed any more.
func (j *Journal) Load(exchanges []*Exchange) {
	j.Reset()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range exchanges {
		if e.Seq > j.seq {
			j.seq = e.Seq
			j.add(e)
		}
	}
	j.wake()
}

// Watch returns a channel on which there is something to receive whenever the journal has
// changed since the last receipt. It tells of any number of changes at once, so a slow
// reader holds up nobody and misses nothing: it then lists what came since its last Seq.
// stop ends it.
func (j *Journal) Watch() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.watchers[c] = struct{}{}
	return c, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.watchers, c)
	}
}
