package control

import (
	"context"
	"errors"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// settingsBody is all switches.
type settingsBody struct {
	Integra      *integraSettings    `json:"integra,omitempty"`
	Robokassa    *robokassa.Settings `json:"robokassa,omitempty"`
	MagicAmounts *bool               `json:"magic_amounts,omitempty" doc:"Some amounts arm a fault for their payment, see GET /faults"`
}

// settingsPatch is those to change: what is not given stays as it is.
type settingsPatch struct {
	Integra      *integraSettings `json:"integra,omitempty"`
	Robokassa    map[string]any   `json:"robokassa,omitempty" doc:"Any of the members that GET shows"`
	MagicAmounts *bool            `json:"magic_amounts,omitempty" doc:"Some amounts arm a fault for their payment, see GET /faults"`
}

type integraSettings struct {
	Notify             *notifySettings      `json:"notify,omitempty"`
	ConfirmRepeated    *integra.Repeat      `json:"confirm_repeated,omitempty" enum:"success,refuse" doc:"confirmPayment repeated after its success: the same answer again, or code 8"`
	ConfirmOtherAmount *integra.OtherAmount `json:"confirm_other_amount,omitempty" enum:"refuse,credit" doc:"confirmPayment with another amount: code 9, or that amount is credited"`
	PaymentHashReused  *integra.Repeat      `json:"payment_hash_reused,omitempty" enum:"success,refuse" doc:"doPayment repeated with its paymentHash: the old paymentId, or code 10"`
	PaymentExpiryMS    *int64               `json:"payment_expiry_ms,omitempty" minimum:"0" doc:"How long a payment may stay unconfirmed, virtual; 0 for ever"`
	LostAnswers        *integra.LostAnswers `json:"lost_answers,omitempty" enum:"none,drop,error,hang" doc:"What happens to the answer of a call that changed something; a repeat changes nothing, and is answered"`
	RefundBeyond       *integra.Overdraft   `json:"refund_beyond_balance,omitempty" enum:"refuse,allow" doc:"Code 11, or the balance turns negative"`
}

type notifySettings struct {
	TimeoutMS        *int64              `json:"timeout_ms,omitempty" minimum:"1" doc:"How long the partner may take to answer, real"`
	Retries          *int                `json:"retries,omitempty" minimum:"0" maximum:"100" doc:"How often a notification is repeated until it is answered with 200"`
	FirstRetryMS     *int64              `json:"first_retry_ms,omitempty" minimum:"0" doc:"Pause before the first repeat, virtual; each further one is twice as long"`
	ScheduleMS       *[]int64            `json:"schedule_ms,omitempty" nullable:"false" doc:"Pauses one by one, instead of retries and first_retry_ms; [] for those"`
	DelayMS          *int64              `json:"delay_ms,omitempty" minimum:"0" doc:"From the top-up to the first notification, virtual"`
	Duplicates       *int                `json:"duplicates,omitempty" minimum:"0" maximum:"100" doc:"Copies that follow each first notification"`
	DuplicateAfterMS *int64              `json:"duplicate_after_ms,omitempty" minimum:"0" doc:"Pause before each copy, virtual; 0 for all at once"`
	ReorderMS        *int64              `json:"reorder_ms,omitempty" minimum:"0" doc:"Hold a notification back until the next one has overtaken it, at most so long, virtual; 0 for never"`
	Amount           *integra.AmountForm `json:"amount,omitempty" enum:"short,full" doc:"100.5 or 100.50"`
}

type settingsAnswer struct{ Body settingsBody }

type settingsChange struct{ Body settingsPatch }

func (a *api) getSettings(context.Context, *none) (*settingsAnswer, error) {
	s := a.Integra.Settings()
	schedule := make([]int64, len(s.Notify.Schedule))
	for i, pause := range s.Notify.Schedule {
		schedule[i] = pause.Milliseconds()
	}
	var acquirer *robokassa.Settings
	if a.Robokassa != nil { // a stand-in without it has no such settings
		acquirer = new(a.Robokassa.Settings())
	}
	return &settingsAnswer{settingsBody{MagicAmounts: new(a.Faults.MagicOn()), Robokassa: acquirer, Integra: &integraSettings{
		Notify: &notifySettings{
			TimeoutMS:        ms(s.Notify.Timeout),
			Retries:          &s.Notify.Retries,
			FirstRetryMS:     ms(s.Notify.FirstRetry),
			ScheduleMS:       &schedule,
			DelayMS:          ms(s.Notify.Delay),
			Duplicates:       &s.Notify.Duplicates,
			DuplicateAfterMS: ms(s.Notify.DuplicateAfter),
			ReorderMS:        ms(s.Notify.Reorder),
			Amount:           &s.Notify.Amount,
		},
		ConfirmRepeated:    &s.ConfirmRepeated,
		ConfirmOtherAmount: &s.ConfirmOtherAmount,
		PaymentHashReused:  &s.HashReused,
		PaymentExpiryMS:    ms(s.Expiry),
		LostAnswers:        &s.LostAnswers,
		RefundBeyond:       &s.Overdraft,
	}}}, nil
}

func ms(d time.Duration) *int64 {
	n := d.Milliseconds()
	return &n
}

func (a *api) patchSettings(ctx context.Context, in *settingsChange) (*settingsAnswer, error) {
	if change := in.Body.Integra; change != nil {
		err := a.Integra.ChangeSettings(func(s *integra.Settings) { change.apply(s) })
		var field *integra.FieldError
		if errors.As(err, &field) {
			return nil, invalid("body.integra."+field.Field, errors.New(field.Why))
		}
	}
	if change := in.Body.Robokassa; change != nil {
		if err := a.patchRobokassa(change); err != nil {
			return nil, err
		}
	}
	if on := in.Body.MagicAmounts; on != nil {
		a.Faults.UseMagic(*on)
	}
	return a.getSettings(ctx, nil)
}

func (c *integraSettings) apply(s *integra.Settings) {
	if n := c.Notify; n != nil {
		setMS(&s.Notify.Timeout, n.TimeoutMS)
		set(&s.Notify.Retries, n.Retries)
		setMS(&s.Notify.FirstRetry, n.FirstRetryMS)
		if n.ScheduleMS != nil {
			s.Notify.Schedule = nil
			for _, pause := range *n.ScheduleMS {
				s.Notify.Schedule = append(s.Notify.Schedule, duration(pause))
			}
		}
		setMS(&s.Notify.Delay, n.DelayMS)
		set(&s.Notify.Duplicates, n.Duplicates)
		setMS(&s.Notify.DuplicateAfter, n.DuplicateAfterMS)
		setMS(&s.Notify.Reorder, n.ReorderMS)
		set(&s.Notify.Amount, n.Amount)
	}
	set(&s.ConfirmRepeated, c.ConfirmRepeated)
	set(&s.ConfirmOtherAmount, c.ConfirmOtherAmount)
	set(&s.HashReused, c.PaymentHashReused)
	setMS(&s.Expiry, c.PaymentExpiryMS)
	set(&s.LostAnswers, c.LostAnswers)
	set(&s.Overdraft, c.RefundBeyond)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func setMS(to *time.Duration, from *int64) {
	if from != nil {
		*to = duration(*from)
	}
}

// duration turns milliseconds into a duration; what does not fit becomes the longest one,
// which every setting refuses.
func duration(ms int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}
