package webui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// payment collects what is known of the payment that a reader names: by its id or number at
// Integra, by an order's externalid, by an operation's InvId, or by a trace.
func (h *handler) payment(view page.View, name string) *payment {
	out := &payment{ID: name}
	if known, ok := h.Integra.Payment(name); ok {
		out.ID, out.Known = known.ID, &known
		out.Badge = badge(known)
	}
	of := journal.Filter{Payment: out.ID}
	if found := h.Journal.List(of); len(found) > 0 {
		out.Trace = found[len(found)-1].Trace
	} else if len(h.Journal.List(journal.Filter{Trace: name, Limit: 1})) > 0 {
		out.Trace = name
	}
	if out.Trace != "" {
		of = journal.Filter{Trace: out.Trace}
	}
	out.find(h)
	out.Filter = of
	out.Diagram = h.draw(view.Lang, h.Journal.List(of), out, func(seq string) string { return view.With("open", seq) })
	return out
}

// story is what is known of the payment of an order or an operation, for its own page.
func (h *handler) story(lang page.Lang, trace string) *payment {
	out := &payment{ID: trace, Trace: trace, Filter: journal.Filter{Trace: trace}}
	out.find(h)
	out.Diagram = h.draw(lang, h.Journal.List(out.Filter), out, func(seq string) string {
		return "./?" + url.Values{"payment": {trace}, "open": {seq}}.Encode()
	})
	return out
}

// find looks for what other platforms know of a payment, and for what Integra knows of one
// that was named by its trace.
func (p *payment) find(h *handler) {
	if known, ok := h.Integra.Payment(p.Trace); ok && p.Known == nil {
		p.Known, p.Badge = &known, badge(known)
	}
	partner, id, _ := strings.Cut(p.Trace, "/")
	if p.Known != nil && p.Known.Invoice != "" {
		partner, id = h.Shop, p.Known.Invoice
	}
	if h.Robokassa != nil {
		if number, err := strconv.ParseInt(id, 10, 64); err == nil {
			if o, ok := h.Robokassa.Operation(partner, number); ok {
				p.Operation = &o
			}
		}
	}
	if h.AnyMoney != nil && p.Operation == nil {
		if p.Order = h.AnyMoney.Order(partner, id); p.Order != nil {
			p.Steps = h.AnyMoney.History(partner, id)
		}
	}
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

// draw makes a payment's diagram; open returns the page that shows an exchange by its number.
func (h *handler) draw(lang page.Lang, exchanges []*journal.Exchange, of *payment, open func(seq string) string) page.Diagram {
	d := page.Diagram{}
	exchanges = slices.Clone(exchanges)
	slices.SortStableFunc(exchanges, func(a, b *journal.Exchange) int { return a.Real.Compare(b.Real) })
	exchanges, ends := join(exchanges)
	marks := marks(lang, of)
	times := timeline(exchanges, marks)
	used := map[string]bool{}
	for _, e := range exchanges {
		from, to := h.parties(e)
		used[from], used[to] = true, true
	}
	for _, m := range marks {
		used[m.side] = true
	}
	if !used[sideRobokassa] && !used[sideAnyMoney] { // always the same picture where nobody else takes part
		used[sideUser], used[sideIntegra], used[sidePartner] = true, true, true
	}
	lanes := slices.DeleteFunc(slices.Clone(sides), func(side string) bool { return !used[side] })
	for _, side := range lanes {
		d.Lanes = append(d.Lanes, site.Text(lang, "party."+side))
	}
	tries := map[string]int{} // calls of the same kind, to number repeats
	for i, e := range exchanges {
		e = e.Redacted()
		from, to := h.parties(e)
		tries[e.Method]++
		x := page.Exchange{
			ID:   strconv.FormatUint(e.Seq, 10),
			From: slices.Index(lanes, from), To: slices.Index(lanes, to),
			Label: label(lang, e, of), Start: times[i].start, End: times[i].end,
			Try: tries[e.Method], Fault: e.Fault, Href: open(strconv.FormatUint(e.Seq, 10)),
		}
		x.Role, x.Fate, x.Answer = answer(e, from == sideUser)
		x.Request, x.Reply = codes(lang, e)
		if e.Verdict.Detail != "" {
			x.Facts = append(x.Facts, page.Fact{Name: site.Text(lang, "detail.why"), Value: e.Verdict.Detail})
		}
		if end := ends[e.Seq]; end != nil {
			said := newOutcome(end)
			x.Facts = append(x.Facts, page.Fact{
				Name:  site.Text(lang, "detail.end"),
				Value: site.Text(lang, "detail.end.said", end.Seq, end.Method, site.Text(lang, "outcome."+said.Key), end.Redacted().Verdict.Detail),
			})
		}
		d.Exchanges = append(d.Exchanges, x)
	}
	for i, m := range marks {
		d.Notes = append(d.Notes, page.Note{Lane: slices.Index(lanes, m.side), Role: m.role, Text: m.text, At: m.place(exchanges, times, times[len(exchanges)+i].start)})
	}
	return d
}

// otherEnd names, for a call from one of our platforms to another one, what the other one's
// end of it is called.
var otherEnd = map[string]string{
	robokassa.MethodResult:    integra.MethodPaid,
	integra.MethodAskKey:      robokassa.MethodOpStateExt,
	integra.MethodRefund:      robokassa.MethodRefund,
	integra.MethodRefundState: robokassa.MethodRefundState,
}

// join makes one of the two ends of a call between our platforms: of exchanges in the order
// of their beginnings it leaves out those that are the other end of one that goes out, and
// returns them by its number.
func join(exchanges []*journal.Exchange) (left []*journal.Exchange, ends map[uint64]*journal.Exchange) {
	ends = map[uint64]*journal.Exchange{}
	for _, e := range exchanges {
		i := -1
		if e.Direction == journal.In {
			i = slices.IndexFunc(left, func(out *journal.Exchange) bool {
				return out.Direction == journal.Out && otherEnd[out.Method] == e.Method && ends[out.Seq] == nil &&
					!e.Real.After(out.Real.Add(out.Took))
			})
		}
		if i >= 0 {
			ends[left[i].Seq] = e
		} else {
			left = append(left, e)
		}
	}
	return left, ends
}

// span is when an exchange began and ended, as it is drawn.
type span struct{ start, end time.Time }

// timeline puts exchanges, which come in the order in which they really began, and marks after
// them, on one line of virtual time. That alone does not tell what came first: it may stand
// still, or leap. So real time gives the order of all beginnings and ends, virtual time the
// distances.
func timeline(exchanges []*journal.Exchange, marks []mark) []span {
	type event struct {
		real, virtual time.Time
		index         int
		end           bool
	}
	var events []event
	for i, e := range exchanges {
		events = append(events, event{e.Real, e.At, i, false}, event{e.Real.Add(e.Took), e.At.Add(e.Took), i, true})
	}
	for i, m := range marks {
		if !m.real.IsZero() {
			events = append(events, event{m.real, m.at, len(exchanges) + i, false})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(a.real.Compare(b.real), cmp.Compare(a.index, b.index)) })
	out := make([]span, len(exchanges)+len(marks))
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
func label(lang page.Lang, e *journal.Exchange, of *payment) string {
	if text, code, ok := amountOf(e, of); ok {
		return e.Method + " " + page.AmountText(lang, text, code)
	}
	return e.Method
}

// amountOf returns the amount of a call: the one that it names, else that of its payment.
func amountOf(e *journal.Exchange, of *payment) (text, currency string, ok bool) {
	switch {
	case e.Method == integra.MethodNotify || e.Method == integra.MethodTopUp:
		if of.Known != nil {
			return of.Known.Amount.Text(), of.Known.Amount.Currency().Code(), true
		}
	case e.Method == anymoney.MethodForm:
		if form, err := url.ParseQuery(string(body(e.Request))); err == nil {
			text, currency = form.Get("amount"), form.Get("in_curr")
			return text, currency, text != "" && currency != ""
		}
	case e.Protocol == anymoney.Protocol:
		var said struct {
			Params struct {
				Amount string
				InCurr string `json:"in_curr"`
			}
			Sums   struct{ In string }
			InCurr string `json:"in_curr"`
		}
		_ = json.Unmarshal(body(e.Request), &said) // what is none says nothing
		text, currency = cmp.Or(said.Params.Amount, said.Sums.In), cmp.Or(said.Params.InCurr, said.InCurr)
		return text, currency, text != "" && currency != ""
	case e.Protocol == robokassa.Protocol && e.Method == robokassa.MethodResult:
		if form, err := url.ParseQuery(string(body(e.Request)) + "&" + query(e.Request)); err == nil && form.Has("OutSum") {
			return sixDigits(form.Get("OutSum")), "RUB", true
		}
	case e.Direction == journal.In:
		var args struct{ Amount, PaymentSum, OutSum, OutSumCurrency wire.Text }
		if json.Unmarshal(e.Args, &args) != nil {
			break
		}
		sum, err := money.ParseSigned(sixDigits(string(cmp.Or(args.Amount, args.PaymentSum, args.OutSum))), money.RUB)
		return sum.Text(), string(cmp.Or(args.OutSumCurrency, "RUB")), err == nil
	}
	return "", "", false
}

// sixDigits takes from a sum the zeros that Robokassa adds.
func sixDigits(text string) string {
	if at := strings.IndexByte(text, '.'); at >= 0 && at+3 < len(text) {
		return text[:at+3] + strings.TrimRight(text[at+3:], "0")
	}
	return text
}

// answer says what came back and what it means.
func answer(e *journal.Exchange, toUser bool) (page.Role, page.Fate, string) {
	status := strconv.Itoa(e.Status)
	switch {
	case e.Status == 0 && e.Direction == journal.Out && !wasSent(e.Request):
		return page.Bad, page.LostRequest, e.Verdict.Detail
	case e.Status == 0:
		return page.Bad, page.LostAnswer, e.Verdict.Detail
	case e.Verdict.OK && e.Direction == journal.In && !toUser:
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

// mark is a note before its place on the diagram is known.
type mark struct {
	side string
	text string
	role page.Role
	at   time.Time // virtual
	real time.Time // zero if it is not known
	// within are the methods of the calls that did it: without real time, on a clock that
	// stands still, nothing else tells where it belongs.
	within []wire.Method
}

// place returns when a mark is drawn; at is its place by real time, if it has one.
func (m mark) place(exchanges []*journal.Exchange, times []span, at time.Time) time.Time {
	if !m.real.IsZero() {
		return at
	}
	for i, e := range exchanges {
		if e.Verdict.OK && (slices.Contains(m.within, wire.Method(e.Method)) || slices.Contains(m.within, wire.Method(otherEnd[e.Method]))) {
			return times[i].start.Add(times[i].end.Sub(times[i].start) / 2)
		}
	}
	return m.at
}

// marks say on the platforms' lanes when the payment came to be and what became of it.
func marks(lang page.Lang, of *payment) (all []mark) {
	if p := of.Known; p != nil {
		add := func(key string, role page.Role, at time.Time, within []wire.Method, args ...any) {
			all = append(all, mark{side: sideIntegra, text: site.Text(lang, key, args...), role: role, at: at, within: within})
		}
		if p.Kind == integra.TopUp {
			add("note.created", page.Wait, p.CreatedAt, []wire.Method{integra.MethodTopUp})
		}
		switch {
		case p.State == integra.Confirmed:
			add("note.confirmed", page.OK, p.SettledAt, []wire.Method{wire.ConfirmPayment, wire.DoPayment, integra.MethodPaid},
				page.AmountText(lang, p.Credited.Text(), p.Credited.Currency().Code()))
		case p.Expired:
			add("note.expired", page.Ended, p.SettledAt, nil)
		case p.State == integra.Declined:
			add("note.declined", page.Ended, p.SettledAt, []wire.Method{wire.DeclinePayment})
		}
	}
	if o := of.Operation; o != nil {
		for _, s := range o.History {
			all = append(all, mark{side: sideRobokassa, text: stateText(lang, s.State), role: stateRole(s.State), at: s.At, real: s.Real})
		}
	}
	for _, s := range of.Steps {
		all = append(all, mark{side: sideAnyMoney, text: site.Text(lang, "order.status."+string(s.Status)), role: statusRole(s.Status), at: s.At, real: s.Real})
	}
	return all
}
