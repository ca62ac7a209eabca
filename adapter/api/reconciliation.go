package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
)

// Reconciliations has what came of comparing users' days with the platform's books.
type Reconciliations interface {
	Reconciliations(ctx context.Context, f adapter.ReconciliationFilter) ([]adapter.Reconciliation, error)
}

// Reconciliation is the comparison of a user's day as the API and the commands show it.
type Reconciliation struct {
	Date       string  `json:"date" doc:"The platform's date, YYYY-MM-DD"`
	User       string  `json:"user" doc:"The user's hash"`
	Result     string  `json:"result" doc:"agrees, differs, or unread if the platform's figures could not be had"`
	At         string  `json:"at" doc:"When it was compared"`
	Credits    string  `json:"credits" doc:"What payments through this adapter credited on that date for certain"`
	Refunds    string  `json:"refunds" doc:"What refunds took back on that date for certain"`
	Open       int     `json:"open" doc:"Payments more that may or may not belong to that date, or be carried out at all"`
	Income     string  `json:"income" doc:"The platform's"`
	Outcome    string  `json:"outcome" doc:"The platform's, negative; what the user spent is in it"`
	Difference string  `json:"difference" doc:"income less credits"`
	Text       string  `json:"text,omitempty" doc:"What differs, or why it could not be read"`
	Payments   []int64 `json:"payments" doc:"The numbers of the payments behind these figures, 100 at most"`
}

// ShowReconciliation returns a comparison as it is shown.
func ShowReconciliation(r adapter.Reconciliation) Reconciliation {
	return Reconciliation{
		Date: r.Date.Format(time.DateOnly), User: r.User, Result: string(r.Result), At: stamp(r.At),
		Credits: r.Credits.Text(), Refunds: r.Refunds.Text(), Open: r.Open, Income: r.Income.Text(), Outcome: r.Outcome.Text(),
		Difference: r.Difference.Text(), Text: r.Text, Payments: append([]int64{}, r.Payments...),
	}
}

// Reconciler compares a day of all users with the platform's books.
type Reconciler interface {
	LastDate() time.Time // the newest that is over
	Ask(date time.Time) (taken bool)
}

type reconciliations struct {
	Config
	once once
}

func (a *reconciliations) mount(h huma.API) {
	huma.Register(h, operation("list-reconciliation", http.MethodGet, "reconciliation", ScopePaymentsRead, "reconciliation",
		"Users' days as they are here and at the platform",
		"Compared every night, for the users with payments on the date, and on demand. The newest dates first, users in the order of their hashes."), a.list)
	if a.Reconciler == nil {
		return
	}
	o := operation("reconcile", http.MethodPost, "reconciliation/{date}", ScopePaymentsWrite, "reconciliation",
		"Have a day compared with the platform's books now",
		"For every user with payments on the date. The answer comes before the results, which the list has as soon as they are there. 409: another day is being compared.",
		http.StatusConflict)
	o.DefaultStatus = http.StatusAccepted
	huma.Register(h, o, a.ask)
}

type askReconciliation struct {
	Keyed
	Date string `path:"date" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" patternDescription:"YYYY-MM-DD" doc:"The platform's date, one that is over"`
}

// AskedReconciliation is the day that will be compared.
type AskedReconciliation struct {
	Date string `json:"date"`
}

func (a *reconciliations) ask(ctx context.Context, in *askReconciliation) (*result[AskedReconciliation], error) {
	at, err := time.Parse(time.DateOnly, in.Date)
	switch last := a.Reconciler.LastDate(); {
	case err != nil:
		return nil, wrong("path.date", "is no date", in.Date)
	case at.After(last):
		return nil, wrong("path.date", "is not over everywhere; the last one that is: "+last.Format(time.DateOnly), in.Date)
	}
	return perform(ctx, a.once, in.Key, "reconcile", in.Date, func(context.Context, bool) (result[AskedReconciliation], error) {
		if !a.Reconciler.Ask(at) {
			return result[AskedReconciliation]{}, retryable(typed(ProblemUnderWay, http.StatusConflict, "another day is being compared; ask again in a moment"), "5")
		}
		return result[AskedReconciliation]{
			Status: http.StatusAccepted, Location: Base + "reconciliation?date=" + in.Date, Body: AskedReconciliation{in.Date},
		}, nil
	})
}

type listReconciliation struct {
	Date   string `query:"date" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" patternDescription:"YYYY-MM-DD" doc:"Only this date"`
	From   string `query:"from" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" patternDescription:"YYYY-MM-DD" doc:"Not before this date"`
	To     string `query:"to" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" patternDescription:"YYYY-MM-DD" doc:"Not after this date"`
	User   string `query:"user" maxLength:"32" doc:"Only this user's"`
	Result string `query:"result" enum:"agrees,differs,unread" doc:"Only with this result"`
	After  string `query:"after" maxLength:"64" doc:"A cursor: next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type reconciliationAnswer struct {
	Body struct {
		Days []Reconciliation `json:"days"`
		Next string           `json:"next,omitempty" doc:"The cursor to go on with, as after; left out at the end"`
	}
}

func (a *reconciliations) list(ctx context.Context, in *listReconciliation) (*reconciliationAnswer, error) {
	if in.Date != "" && (in.From != "" || in.To != "") {
		return nil, wrong("query.date", "does not go with from and to", in.Date)
	}
	f := adapter.ReconciliationFilter{User: in.User, Result: adapter.ReconcileResult(in.Result), Limit: in.Limit + 1}
	for _, d := range []struct {
		name, text string
		into       []*time.Time
	}{
		{"date", in.Date, []*time.Time{&f.From, &f.To}}, {"from", in.From, []*time.Time{&f.From}}, {"to", in.To, []*time.Time{&f.To}},
	} {
		if d.text == "" {
			continue
		}
		at, err := time.Parse(time.DateOnly, d.text)
		if err != nil {
			return nil, wrong("query."+d.name, "is no date", d.text)
		}
		for _, into := range d.into {
			*into = at
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.To.Before(f.From) {
		return nil, wrong("query.to", "must not be before from", in.To)
	}
	if in.After != "" {
		date, user, _ := strings.Cut(in.After, ".")
		at, err := time.Parse(time.DateOnly, date)
		if err != nil || !adapter.ValidUserHash(user) {
			return nil, wrong("query.after", "is no cursor of this list", in.After)
		}
		f.Date, f.After = at, user
	}
	list, err := a.Reconciliations.Reconciliations(ctx, f)
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	answer := &reconciliationAnswer{}
	list, more := page(list, in.Limit)
	answer.Body.Days = make([]Reconciliation, len(list))
	for i, r := range list {
		answer.Body.Days[i] = ShowReconciliation(r)
	}
	if more {
		last := answer.Body.Days[len(list)-1]
		answer.Body.Next = fmt.Sprintf("%s.%s", last.Date, last.User)
	}
	return answer, nil
}
