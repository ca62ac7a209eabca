package webui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// payment collects what is known of a payment, which may be named by its id or its number.
func (h *handler) payment(view page.View, name string) *payment {
	out := &payment{ID: name}
	if known, ok := h.Integra.Payment(name); ok {
		out.ID, out.Known = known.ID, &known
		out.Badge = badge(known)
	}
	exchanges := h.Journal.List(journal.Filter{Payment: out.ID})
	out.Diagram = draw(view, exchanges, out.Known)
	return out
}

// badge is the kit's name of a payment's state.
func badge(p integra.Payment) string {
	switch {
	case p.State == integra.Confirmed:
		return "confirmed"
	case p.Expired:
		return "expired"
	case p.State == integra.Declined:
		return "declined"
	}
	return "waiting"
}

// draw makes a payment's diagram. known may be nil.
func draw(view page.View, exchanges []*journal.Exchange, known *integra.Payment) page.Diagram {
	d, lang := page.Diagram{}, view.Lang
	for _, side := range sides {
		d.Lanes = append(d.Lanes, site.Text(lang, "party."+side))
	}
	exchanges = slices.Clone(exchanges)
	slices.SortStableFunc(exchanges, func(a, b *journal.Exchange) int { return a.Real.Compare(b.Real) })
	times := timeline(exchanges)
	tries := map[string]int{} // calls of the same kind, to number repeats
	for i, e := range exchanges {
		e = e.Redacted()
		from, to := parties(e)
		tries[e.Method]++
		x := page.Exchange{
			ID:   strconv.FormatUint(e.Seq, 10),
			From: slices.Index(sides, from), To: slices.Index(sides, to),
			Label: label(lang, e, known), Start: times[i].start, End: times[i].end,
			Try: tries[e.Method], Href: view.With("open", strconv.FormatUint(e.Seq, 10)),
		}
		x.Role, x.Fate, x.Answer = answer(e)
		x.Request, x.Reply = codes(lang, e)
		if e.Verdict.Detail != "" {
			x.Facts = append(x.Facts, page.Fact{Name: site.Text(lang, "detail.why"), Value: e.Verdict.Detail})
		}
		d.Exchanges = append(d.Exchanges, x)
	}
	if known != nil {
		d.Notes = notes(lang, *known, exchanges, times)
	}
	return d
}

// span is when an exchange began and ended, as it is drawn.
type span struct{ start, end time.Time }

// timeline puts exchanges, which come in the order in which they really began, on one line of
// virtual time. That alone does not tell what came first: it may stand still, or leap. So real
// time gives the order of all beginnings and ends, virtual time the distances.
func timeline(exchanges []*journal.Exchange) []span {
	type event struct {
		real, virtual time.Time
		index         int
		end           bool
	}
	var events []event
	for i, e := range exchanges {
		events = append(events, event{e.Real, e.At, i, false}, event{e.Real.Add(e.Took), e.At.Add(e.Took), i, true})
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(a.real.Compare(b.real), cmp.Compare(a.index, b.index)) })
	out := make([]span, len(exchanges))
	var last time.Time
	for _, e := range events {
		at := e.virtual
		if !at.After(last) {
			at = last.Add(time.Nanosecond)
		}
		last = at
		if e.end {
			out[e.index].end = at
		} else {
			out[e.index].start = at
		}
	}
	return out
}

// label says what was called, and over how much.
func label(lang page.Lang, e *journal.Exchange, known *integra.Payment) string {
	text := e.Method
	if sum, ok := amountOf(e, known); ok {
		text += " " + page.AmountText(lang, sum.Text(), sum.Currency().Code())
	}
	return text
}

// amountOf returns the amount of a call: the one that it names, else that of its payment.
func amountOf(e *journal.Exchange, known *integra.Payment) (money.Amount, bool) {
	switch {
	case e.Method == integra.MethodNotify || e.Method == integra.MethodTopUp:
		if known != nil {
			return known.Amount, true
		}
	case e.Direction == journal.In:
		var args struct {
			Amount     wire.Text
			PaymentSum wire.Text
		}
		if json.Unmarshal(e.Args, &args) == nil {
			sum, err := money.ParseSigned(string(cmp.Or(args.Amount, args.PaymentSum)), money.RUB)
			return sum, err == nil
		}
	}
	return money.Amount{}, false
}

// answer says what came back and what it means.
func answer(e *journal.Exchange) (page.Role, page.Fate, string) {
	status := strconv.Itoa(e.Status)
	switch {
	case e.Status == 0 && e.Direction == journal.Out && !wasSent(e.Request):
		return page.Bad, page.LostRequest, e.Verdict.Detail
	case e.Status == 0:
		return page.Bad, page.LostAnswer, e.Verdict.Detail
	case e.Verdict.OK && e.Direction == journal.In && !wire.Method(e.Method).HTML() && e.Method != integra.MethodTopUp:
		return page.OK, page.Answered, "ok"
	case e.Verdict.OK:
		return page.OK, page.Answered, status
	case e.Direction == journal.Out:
		return page.Bad, page.Answered, status
	}
	return page.Doubt, page.Answered, strconv.Itoa(e.Verdict.Code) + " " + e.Verdict.Check
}

// wasSent reports whether anything of a request left: the journal has its headers then.
func wasSent(request []byte) bool {
	_, headers, _ := bytes.Cut(request, []byte("\r\n"))
	return len(bytes.TrimSpace(headers)) > 0
}

// notes marks on the platform's lane when the payment came to be and when it was settled:
// within the calls that did it, which on a clock that stands still are all at one time.
func notes(lang page.Lang, p integra.Payment, exchanges []*journal.Exchange, times []span) []page.Note {
	lane := slices.Index(sides, sidePlatform)
	within := func(at time.Time, methods ...wire.Method) time.Time {
		for i, e := range exchanges {
			if e.Verdict.OK && slices.Contains(methods, wire.Method(e.Method)) {
				return times[i].start.Add(times[i].end.Sub(times[i].start) / 2)
			}
		}
		return at
	}
	var out []page.Note
	if p.Kind == integra.TopUp {
		out = append(out, page.Note{
			Lane: lane, Role: page.Wait, Text: site.Text(lang, "note.created"),
			At: within(p.CreatedAt, integra.MethodTopUp),
		})
	}
	switch {
	case p.State == integra.Confirmed:
		out = append(out, page.Note{
			Lane: lane, Role: page.OK, At: within(p.SettledAt, wire.ConfirmPayment, wire.DoPayment),
			Text: site.Text(lang, "note.confirmed", page.AmountText(lang, p.Credited.Text(), p.Credited.Currency().Code())),
		})
	case p.Expired:
		out = append(out, page.Note{Lane: lane, Role: page.Ended, Text: site.Text(lang, "note.expired"), At: p.SettledAt})
	case p.State == integra.Declined:
		out = append(out, page.Note{
			Lane: lane, Role: page.Ended, At: within(p.SettledAt, wire.DeclinePayment),
			Text: site.Text(lang, "note.declined"),
		})
	}
	return out
}
