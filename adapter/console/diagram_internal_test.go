package console

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
)

// Where the partner's billing keeps the funds, its calls go to the account's lane.
func TestDrawWithBilling(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	p := adapter.Payment{Kind: adapter.TopUp, Amount: money.New(100_00, money.RUB), State: adapter.Confirmed}
	var history []adapter.Event
	for i, e := range []adapter.Event{
		{Kind: adapter.EventReceived, To: adapter.Received},
		{Kind: adapter.EventRetry, From: adapter.Received, To: adapter.Received, Verdict: adapter.Unknown},
		{Kind: adapter.EventReserved, From: adapter.Received, To: adapter.Reserved, Verdict: adapter.Accepted},
		{Kind: adapter.EventConfirmed, From: adapter.Reserved, To: adapter.Capturing, Verdict: adapter.Accepted},
		{Kind: adapter.EventCaptured, From: adapter.Capturing, To: adapter.Confirmed, Verdict: adapter.Accepted},
	} {
		e.Version, e.At = i, at.Add(time.Duration(i)*time.Second)
		history = append(history, e)
	}
	d := draw(page.EN, p, history)
	type arrow struct {
		from, to int
		label    string
	}
	sum := " " + page.AmountText(page.EN, "100.00", "RUB")
	want := []arrow{
		{lanePlatform, laneAdapter, "notify" + sum},
		{laneAdapter, laneAccount, "reserve" + sum},
		{laneAdapter, laneAccount, "reserve" + sum},
		{laneAdapter, lanePlatform, "confirmPayment" + sum},
		{laneAdapter, laneAccount, "capture" + sum},
	}
	var got []arrow
	for _, x := range d.Exchanges {
		got = append(got, arrow{x.From, x.To, x.Label})
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(arrow{})); diff != "" {
		t.Errorf("arrows (-want +got):\n%s", diff)
	}
	if len(d.Notes) != 2 || d.Notes[0].Role != page.Wait || d.Notes[1].Role != page.OK {
		t.Errorf("notes %+v; want reserved and captured", d.Notes)
	}
}
