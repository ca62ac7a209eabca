package integra

import (
	"fmt"
	"time"
)

// Repeat is what a request gets that was carried out before.
type Repeat string

// The ways to answer a repeated request.
const (
	RepeatSucceeds Repeat = "success" // the same answer again; nothing happens twice
	RepeatRefused  Repeat = "refuse"
)

// OtherAmount is what becomes of a confirmation with another amount than the payment's.
type OtherAmount string

// The ways to take a confirmation with another amount.
const (
	OtherAmountRefused  OtherAmount = "refuse" // code 9, nothing credited
	OtherAmountCredited OtherAmount = "credit" // the confirmed amount is credited
)

// Overdraft is what becomes of a refund beyond the balance.
type Overdraft string

// The ways to take a refund beyond the balance.
const (
	OverdraftRefused Overdraft = "refuse" // code 11
	OverdraftAllowed Overdraft = "allow"  // the balance turns negative
)

// LostAnswers is what happens to the answer of a call that changed something.
type LostAnswers string

// The ways to lose an answer. In each the change stays made.
const (
	LostNone  LostAnswers = "none"
	LostDrop  LostAnswers = "drop"  // the connection is closed without an answer
	LostError LostAnswers = "error" // HTTP 500 and no envelope
	LostHang  LostAnswers = "hang"  // no answer until the caller gives up
)

// AmountForm is how {amount} of a notification is written.
type AmountForm string

// The forms of an amount.
const (
	AmountShort AmountForm = "short" // 100, 100.5
	AmountFull  AmountForm = "full"  // 100.00, 100.50
)

// Settings are the switches for what the documents leave open. Durations are virtual,
// except Notify.Timeout.
type Settings struct {
	Notify Notify
	// ConfirmRepeated is for a confirmPayment repeated after its success.
	ConfirmRepeated Repeat
	// ConfirmOtherAmount is for a confirmPayment with another amount than the payment's.
	ConfirmOtherAmount OtherAmount
	// HashReused is for a doPayment whose paymentHash was used before by the same user
	// with the same sum. Any other reuse is always refused.
	HashReused Repeat
	// Expiry is how long a payment may stay unconfirmed; 0 for ever. It holds for payments
	// made after it was set.
	Expiry time.Duration
	// LostAnswers is for the answers of calls that changed something; a repeat changes
	// nothing, and is answered.
	LostAnswers LostAnswers
	// Overdraft is for refunds beyond the balance.
	Overdraft Overdraft
}

// Notify are the switches of notifications.
type Notify struct {
	// Timeout is how long the partner may take to answer, in real time.
	Timeout time.Duration
	// Retries is how often a notification is repeated until it is answered with 200.
	Retries int
	// FirstRetry is the pause before the first repeat; each further one is twice as long.
	FirstRetry time.Duration
	// Schedule, if not empty, gives the pauses one by one, instead of the two above.
	Schedule []time.Duration
	// Delay is how long after the top-up the first notification is sent.
	Delay time.Duration
	// Duplicates is how many copies follow each first notification.
	Duplicates int
	// DuplicateAfter is the pause before each copy; 0 sends all of them at once.
	DuplicateAfter time.Duration
	// Reorder, if not 0, holds a notification back until the next one has overtaken it, or
	// for so long if none comes.
	Reorder time.Duration
	// Amount is how {amount} is written.
	Amount AmountForm
}

// DefaultSettings returns what the protocol's description gives as the stand-in's defaults.
func DefaultSettings() Settings {
	return Settings{
		Notify: Notify{
			Timeout:    5 * time.Second,
			Retries:    5,
			FirstRetry: 10 * time.Second,
			Amount:     AmountShort,
		},
		ConfirmRepeated:    RepeatSucceeds,
		ConfirmOtherAmount: OtherAmountRefused,
		HashReused:         RepeatRefused,
		Expiry:             24 * time.Hour,
		LostAnswers:        LostNone,
		Overdraft:          OverdraftRefused,
	}
}

// Bounds of settings.
const (
	MaxRetries    = 100
	MaxDuplicates = 100
	MaxPause      = 365 * 24 * time.Hour // of every duration but Notify.Timeout
	MaxTimeout    = 10 * time.Minute     // of Notify.Timeout
)

// A FieldError says what is wrong with settings or a partner. Field is the name in the control API.
type FieldError struct {
	Field string
	Why   string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Why }

// Validate returns nil or a *FieldError.
func (s Settings) Validate() error {
	for _, d := range []struct {
		field    string
		value    time.Duration
		min, max time.Duration
	}{
		{"notify.timeout_ms", s.Notify.Timeout, time.Millisecond, MaxTimeout},
		{"notify.first_retry_ms", s.Notify.FirstRetry, 0, MaxPause},
		{"notify.delay_ms", s.Notify.Delay, 0, MaxPause},
		{"notify.duplicate_after_ms", s.Notify.DuplicateAfter, 0, MaxPause},
		{"notify.reorder_ms", s.Notify.Reorder, 0, MaxPause},
		{"payment_expiry_ms", s.Expiry, 0, MaxPause},
	} {
		if d.value < d.min || d.value > d.max {
			return &FieldError{d.field, fmt.Sprintf("%d ms is not between %d and %d", d.value.Milliseconds(), d.min.Milliseconds(), d.max.Milliseconds())}
		}
	}
	for i, pause := range s.Notify.Schedule {
		if pause < 0 || pause > MaxPause {
			return &FieldError{fmt.Sprintf("notify.schedule_ms[%d]", i), fmt.Sprintf("%d ms is not between 0 and %d", pause.Milliseconds(), MaxPause.Milliseconds())}
		}
	}
	for _, n := range []struct {
		field      string
		value, max int
	}{
		{"notify.retries", s.Notify.Retries, MaxRetries},
		{"notify.schedule_ms", len(s.Notify.Schedule), MaxRetries},
		{"notify.duplicates", s.Notify.Duplicates, MaxDuplicates},
	} {
		if n.value < 0 || n.value > n.max {
			return &FieldError{n.field, fmt.Sprintf("%d is not between 0 and %d", n.value, n.max)}
		}
	}
	switch {
	case s.Notify.Amount != AmountShort && s.Notify.Amount != AmountFull:
		return unknown("notify.amount", s.Notify.Amount, AmountShort, AmountFull)
	case s.ConfirmRepeated != RepeatSucceeds && s.ConfirmRepeated != RepeatRefused:
		return unknown("confirm_repeated", s.ConfirmRepeated, RepeatSucceeds, RepeatRefused)
	case s.ConfirmOtherAmount != OtherAmountRefused && s.ConfirmOtherAmount != OtherAmountCredited:
		return unknown("confirm_other_amount", s.ConfirmOtherAmount, OtherAmountRefused, OtherAmountCredited)
	case s.HashReused != RepeatSucceeds && s.HashReused != RepeatRefused:
		return unknown("payment_hash_reused", s.HashReused, RepeatSucceeds, RepeatRefused)
	case s.Overdraft != OverdraftRefused && s.Overdraft != OverdraftAllowed:
		return unknown("refund_beyond_balance", s.Overdraft, OverdraftRefused, OverdraftAllowed)
	}
	switch s.LostAnswers {
	case LostNone, LostDrop, LostError, LostHang:
		return nil
	}
	return unknown("lost_answers", s.LostAnswers, LostNone, LostDrop, LostError, LostHang)
}

func unknown[T ~string](field string, got T, possible ...T) error {
	return &FieldError{field, fmt.Sprintf("%q is none of %q", string(got), possible)}
}

// pause is how long to wait after the n-th unacknowledged try (n ≥ 1) before the next one;
// again is false when there is none.
func (n Notify) pause(try int) (pause time.Duration, again bool) {
	if len(n.Schedule) > 0 {
		if try > len(n.Schedule) {
			return 0, false
		}
		return n.Schedule[try-1], true
	}
	if try > n.Retries {
		return 0, false
	}
	pause = n.FirstRetry
	for range try - 1 {
		if pause = 2 * pause; pause >= MaxPause {
			return MaxPause, true
		}
	}
	return pause, true
}
