// Package alert tells the partner's operators what needs a person: payments in doubt, a row of
// refusals, a platform that is left alone because it does not answer, books that differ.
//
// There is one alert for each cause, not for each payment, and one more when the cause is over.
// Both are rows of an outbox, written before they are sent, and sent until the receiver says
// 2xx or three days have passed; a restart loses none, and replicas do not send each other's
// twice at once. What can be is read from what is stored, so that a restart forgets no cause
// either: doubts, refusals, differences. A message is signed as Standard Webhooks prescribes, so that any library for
// that verifies it. It keeps its webhook-id over all attempts.
package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/outcall"
)

// Store keeps the outbox.
type Store interface {
	// Alert puts a into the outbox unless its cause was raised (or, with a.Over, was not) before.
	Alert(ctx context.Context, a adapter.Alert) (first bool, err error)
	// DueAlerts takes up to n that are due, putting off their next attempt.
	DueAlerts(ctx context.Context, n int, next time.Time) ([]adapter.Alert, error)
	// AlertTried notes what became of an attempt: the alert's NextAt, DeliveredAt and Problem.
	AlertTried(ctx context.Context, a adapter.Alert) error
	// Refusals are the newest of the platform's refusals since it last confirmed a payment, up to n.
	Refusals(ctx context.Context, n int) ([]adapter.Event, error)
	// Differing are the days that were compared since a time and differ, Agreed those that a
	// difference was raised for and that agree now.
	Differing(ctx context.Context, since time.Time) ([]adapter.DayDiffers, error)
	Agreed(ctx context.Context) (days []string, err error)
}

// Config is how alerts are sent; zero fields take the defaults.
type Config struct {
	URL      string        // where to; required
	Keys     []Key         // required
	Refusals int           // so many in a row are a cause; 10
	Every    time.Duration // how often the store is looked at; 5 s
	GiveUp   time.Duration // after the alert; 72 h
	NewID    func() string // required: unique names
	// Waiting counts the payments that are in doubt, and those that the billing refuses a move of; required.
	Waiting func(context.Context) (doubts, refused int64, err error)
	Now     func() time.Time // time.Now
	Log     *slog.Logger     // slog.Default
}

// Alerts notices causes and sends alerts. Its methods are safe for concurrent use and never
// wait: what they say is written by Run. Nil ones keep silent.
type Alerts struct {
	cfg    Config
	store  Store
	caller *outcall.Caller

	mu   sync.Mutex
	said map[string]adapter.Alert // the latest of each cause that is not written yet
	more chan struct{}
}

// New returns alerts that are not running yet.
func New(store Store, cfg Config) (*Alerts, error) {
	if cfg.URL == "" || len(cfg.Keys) == 0 || cfg.NewID == nil || cfg.Waiting == nil {
		return nil, fmt.Errorf("%w: alerts need an address, a key, names and what waits", adapter.ErrInvalid)
	}
	cfg.Refusals = cmp.Or(cfg.Refusals, 10)
	cfg.Every = cmp.Or(cfg.Every, 5*time.Second)
	cfg.GiveUp = cmp.Or(cfg.GiveUp, 72*time.Hour)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	caller, err := outcall.New(outcall.Config{Connections: 1, MaxAnswer: 64 << 10})
	if err != nil {
		return nil, err
	}
	return &Alerts{cfg: cfg, store: store, caller: caller, said: map[string]adapter.Alert{}, more: make(chan struct{}, 1)}, nil
}

// Raise says that a cause is there.
func (a *Alerts) Raise(cause, text string) { a.say(adapter.Alert{Cause: cause, Text: text}) }

// End says that a cause is over.
func (a *Alerts) End(cause, text string) { a.say(adapter.Alert{Cause: cause, Text: text, Over: true}) }

func (a *Alerts) say(alert adapter.Alert) {
	if a == nil {
		return
	}
	alert.ID, alert.At = a.cfg.NewID(), a.cfg.Now()
	a.mu.Lock()
	a.said[alert.Cause] = alert
	a.mu.Unlock()
	select {
	case a.more <- struct{}{}:
	default:
	}
}

// Run writes and sends alerts until ctx is done. What is not sent by then is sent by the next
// process.
func (a *Alerts) Run(ctx context.Context) error {
	defer a.caller.Close()
	tick := time.NewTicker(a.cfg.Every)
	defer tick.Stop()
	for {
		if err := a.look(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Log.ErrorContext(ctx, "alerts cannot be written or sent now", "err", err)
		}
		select {
		case <-ctx.Done():
			return a.write(context.WithoutCancel(ctx)) // the last words, such as those of a breaker
		case <-tick.C:
		case <-a.more:
		}
	}
}

func (a *Alerts) look(ctx context.Context) error {
	doubts, refused, err := a.cfg.Waiting(ctx)
	if err != nil {
		return err
	}
	err = a.counted(ctx, adapter.CauseInDoubt, doubts,
		"%d payments are in doubt and wait for a person: adapter payments list --state in_doubt", "no payment is in doubt any more")
	if err != nil {
		return err
	}
	err = a.counted(ctx, adapter.CauseBilling, refused,
		"the billing refuses to reserve, capture or release %d payments: adapter payments list --state received,capture_refused,release_refused", "the billing refuses no move any more")
	if err != nil {
		return err
	}
	if err := errors.Join(a.refusals(ctx), a.differences(ctx), a.write(ctx)); err != nil {
		return err
	}
	return a.send(ctx)
}

// refusals looks whether the platform refuses one payment after the other. It counts what is in
// the histories, whichever process wrote it.
func (a *Alerts) refusals(ctx context.Context) error {
	list, err := a.store.Refusals(ctx, a.cfg.Refusals)
	if err != nil {
		return err
	}
	text := "the platform confirms payments again"
	if len(list) >= a.cfg.Refusals {
		last := list[0]
		text = fmt.Sprintf("the platform refused %d payments in a row, the last, %d, with code %d: %s", len(list), last.Payment, last.Code, last.Detail)
	}
	return a.put(ctx, adapter.CauseRefusals, len(list) >= a.cfg.Refusals, text)
}

// differences raises one alert for a day, however many users it concerns, and ends it when a later
// comparison, whoever asked for it, finds no difference any more.
func (a *Alerts) differences(ctx context.Context) error {
	days, err := a.store.Differing(ctx, a.cfg.Now().Add(-a.cfg.GiveUp))
	if err != nil {
		return err
	}
	for _, d := range days {
		text := fmt.Sprintf("the platform's books of %s differ from ours for %d users, the first %s; see /console/reconciliation/%[1]s", d.Day, d.Users, d.First)
		if err := a.put(ctx, adapter.CauseDifference+" "+d.Day, true, text); err != nil {
			return err
		}
	}
	agreed, err := a.store.Agreed(ctx)
	for _, day := range agreed {
		err = errors.Join(err, a.put(ctx, adapter.CauseDifference+" "+day, false, "the platform's books of "+day+" agree with ours now"))
	}
	return err
}

// counted raises a cause as long as there are n of something, and ends it when there are none.
func (a *Alerts) counted(ctx context.Context, cause string, n int64, raised, over string) error {
	if n > 0 {
		return a.put(ctx, cause, true, fmt.Sprintf(raised, n))
	}
	return a.put(ctx, cause, false, over)
}

// put writes that a cause is there or is over, as of now.
func (a *Alerts) put(ctx context.Context, cause string, there bool, text string) error {
	return a.enqueue(ctx, adapter.Alert{ID: a.cfg.NewID(), At: a.cfg.Now(), Cause: cause, Over: !there, Text: text})
}

func (a *Alerts) enqueue(ctx context.Context, alert adapter.Alert) error {
	first, err := a.store.Alert(ctx, alert)
	if first {
		a.cfg.Log.WarnContext(ctx, "alert", "cause", alert.Cause, "over", alert.Over, "text", alert.Text)
	}
	return err
}

// write writes what was said. What cannot be written is said again, unless something newer was.
func (a *Alerts) write(ctx context.Context) error {
	a.mu.Lock()
	said := a.said
	a.said = map[string]adapter.Alert{}
	a.mu.Unlock()
	var failed error
	for cause, alert := range said {
		if err := a.enqueue(ctx, alert); err != nil {
			failed = err
			a.mu.Lock()
			if _, newer := a.said[cause]; !newer {
				a.said[cause] = alert
			}
			a.mu.Unlock()
		}
	}
	return failed
}

// send sends what is due.
func (a *Alerts) send(ctx context.Context) error {
	for ctx.Err() == nil {
		// Until it is known what becomes of it, nobody else is to send it.
		due, err := a.store.DueAlerts(ctx, 1, a.cfg.Now().Add(time.Minute))
		if err != nil || len(due) == 0 {
			return err
		}
		for _, alert := range due {
			if err := a.store.AlertTried(context.WithoutCancel(ctx), a.try(ctx, alert)); err != nil {
				return err
			}
		}
	}
	return nil
}

// try sends an alert once and returns it with what became of it.
func (a *Alerts) try(ctx context.Context, alert adapter.Alert) adapter.Alert {
	err := a.deliver(context.WithoutCancel(ctx), alert) // begun is carried through: within its time-out
	now := a.cfg.Now()
	switch {
	case err == nil:
		alert.DeliveredAt, alert.NextAt, alert.Problem = now, time.Time{}, ""
		a.cfg.Log.InfoContext(ctx, "alert delivered", "cause", alert.Cause, "id", alert.ID, "attempt", alert.Attempt)
		return alert
	case now.Sub(alert.At) >= a.cfg.GiveUp:
		alert.NextAt = time.Time{}
	default:
		alert.NextAt = now.Add(min(5*time.Second<<min(alert.Attempt-1, 10), time.Hour))
	}
	alert.Problem = outcall.Clean(err.Error())
	a.cfg.Log.ErrorContext(ctx, "alert not delivered", "cause", alert.Cause, "id", alert.ID, "attempt", alert.Attempt, "next_at", alert.NextAt, "err", alert.Problem)
	return alert
}

// message is what is sent.
type message struct {
	Type      string `json:"type"` // alert.raised or alert.over
	Timestamp string `json:"timestamp"`
	Data      struct {
		Cause string `json:"cause"`
		Text  string `json:"text"`
	} `json:"data"`
}

func (a *Alerts) deliver(ctx context.Context, alert adapter.Alert) error {
	m := message{Type: "alert.raised", Timestamp: alert.At.UTC().Format(time.RFC3339)}
	if alert.Over {
		m.Type = "alert.over"
	}
	m.Data.Cause, m.Data.Text = alert.Cause, alert.Text
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	answer, err := a.caller.Post(ctx, a.cfg.URL, sign(a.cfg.Keys, alert.ID, a.cfg.Now(), body), body)
	if err != nil {
		return err
	}
	if answer.Status < 200 || answer.Status > 299 {
		return fmt.Errorf("answered %d", answer.Status)
	}
	return nil
}

// Test sends a test alert, past the outbox, and says what became of it.
func (a *Alerts) Test(ctx context.Context) error {
	return a.deliver(ctx, adapter.Alert{ID: a.cfg.NewID(), Cause: adapter.CauseTest, Text: "somebody tries whether alerts arrive", At: a.cfg.Now()})
}
