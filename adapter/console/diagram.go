package console

import (
	"fmt"
	"strconv"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/internal/page"
)

// The lanes of a payment's diagram.
const (
	lanePlatform = iota
	laneAdapter
	laneAccount
)

// draw makes the diagram of a payment from its history, oldest first: calls are arrows, what
// happened to the user's money stands on the account's lane.
func draw(lang page.Lang, p adapter.Payment, history []adapter.Event) page.Diagram {
	text := func(key string, args ...any) string { return site.Text(lang, key, args...) }
	sum := page.AmountText(lang, p.Amount.Text(), p.Amount.Currency().Code())
	d := page.Diagram{Lanes: []string{text("lane.platform"), text("lane.adapter"), text("lane.account")}}
	for _, e := range history {
		id := fmt.Sprintf("v%d-%d", e.Version, e.N)
		switch {
		case e.Kind == adapter.EventReceived && p.Kind == adapter.TopUp:
			d.Exchanges = append(d.Exchanges, page.Exchange{
				ID: id, From: lanePlatform, To: laneAdapter, Label: "notify " + sum, Answer: "200", Role: page.OK,
				Start: e.At, End: e.At.Add(time.Millisecond),
			})
		case e.Kind == adapter.EventConflict:
			d.Exchanges = append(d.Exchanges, page.Exchange{
				ID: id, From: lanePlatform, To: laneAdapter, Label: "notify", Answer: "409", Role: page.Bad,
				Start: e.At, End: e.At.Add(time.Millisecond), Facts: []page.Fact{{Name: text("history.detail"), Value: e.Detail}},
			})
		case e.Verdict != "":
			d.Exchanges = append(d.Exchanges, call(text, id, sum, p, e))
		case e.Kind == adapter.EventResolved, e.Kind == adapter.EventProven, e.Kind == adapter.EventTakenOver:
			d.Notes = append(d.Notes, page.Note{Lane: laneAdapter, At: e.At, Text: text("event." + string(e.Kind)), Role: page.Neutral})
		}
		if n, ok := moved(text, p, e); ok {
			d.Notes = append(d.Notes, n)
		}
	}
	return d
}

// call is a call to the platform, or to the partner's billing where that keeps the funds.
func call(text func(string, ...any) string, id, sum string, p adapter.Payment, e adapter.Event) page.Exchange {
	x := page.Exchange{
		ID: id, From: laneAdapter, To: lanePlatform, Label: method(p.Kind, e.From), Try: e.Attempt,
		Start: e.At.Add(-e.Took), End: e.At, Role: page.Bad,
	}
	if move, ok := asked(p.Kind, e.From); ok {
		x.To, x.Label = laneAccount, move
	}
	if e.From != adapter.Declining {
		x.Label += " " + sum
	}
	switch e.Verdict {
	case adapter.Accepted:
		x.Role, x.Answer = page.OK, "ok"
	case adapter.Refused:
		x.Role, x.Answer = page.Doubt, strconv.Itoa(e.Code)+" "+e.Detail
	case adapter.NotSent:
		x.Fate = page.LostRequest
	case adapter.Unknown:
		x.Fate = page.LostAnswer
	}
	if e.Detail != "" {
		x.Facts = []page.Fact{{Name: text("history.detail"), Value: e.Detail}}
	}
	return x
}

// asked is what the billing is asked for in a state; the ledger is never asked by a call.
func asked(k adapter.Kind, from adapter.State) (move string, ok bool) {
	switch {
	case from == adapter.Received:
		return "reserve", true
	case (from == adapter.Capturing || from == adapter.CaptureRefused) && k == adapter.Refund:
		return "refund", true
	case from == adapter.Capturing, from == adapter.CaptureRefused:
		return "capture", true
	case from == adapter.Releasing, from == adapter.ReleaseRefused:
		return "release", true
	}
	return "", false
}

// method is what is called of the platform in a state.
func method(k adapter.Kind, from adapter.State) string {
	switch {
	case k != adapter.TopUp:
		return "doPayment"
	case from == adapter.Declining:
		return "declinePayment"
	}
	return "confirmPayment"
}

// moved tells what a change did to the user's money.
func moved(text func(string, ...any) string, p adapter.Payment, e adapter.Event) (page.Note, bool) {
	n := page.Note{Lane: laneAccount, At: e.At}
	switch {
	case e.From == e.To:
		return n, false
	case p.Kind == adapter.Refund:
		n.Role, n.Text = page.OK, text("move.restore")
		return n, e.To == adapter.Confirmed
	case !e.From.HoldsFunds() && e.To.HoldsFunds():
		n.Role, n.Text = page.Wait, text("move.reserve")
	case e.From.HoldsFunds() && e.To == adapter.Confirmed:
		n.Role, n.Text = page.OK, text("move.capture")
	case e.From.HoldsFunds() && !e.To.HoldsFunds():
		n.Role, n.Text = page.Ended, text("move.release")
	default:
		return n, false
	}
	return n, true
}
