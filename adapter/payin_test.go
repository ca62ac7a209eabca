package adapter_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

const buyer = "0123456789abcdef0123456789abcdef"

var (
	noon        = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	payinPolicy = adapter.PayinPolicy{
		Lease:     10 * time.Second,
		Retry:     func(n int) time.Duration { return time.Duration(n) * time.Second },
		Poll:      func(age time.Duration) time.Duration { return max(age/2, time.Minute) },
		CreateFor: time.Hour,
		Ledger:    money.RUB,
	}
)

func asked() adapter.PayinRequest {
	return adapter.PayinRequest{Key: "button 7", User: buyer, Amount: "100", InCurr: "RUB", Payway: "visamc"}
}

func newPayin(t testing.TB, change func(*adapter.PayinRequest)) adapter.Payin {
	t.Helper()
	r := asked()
	if change != nil {
		change(&r)
	}
	p, err := adapter.NewPayin("37", r, "https://pay.example/anymoney/callback", noon)
	if err != nil {
		t.Fatal(err)
	}
	p.Num = 1
	return p
}

func inCurrency(t testing.TB, code, text string) money.Amount {
	t.Helper()
	c, err := adapter.PayinCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	a, err := money.ParseBalance(text, c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// order is what the platform says of p's order: a fee of 1.5.
func order(t testing.TB, p adapter.Payin, status adapter.PayinStatus, at time.Time) adapter.PayinOrder {
	t.Helper()
	code := p.Amount.Currency().Code()
	return adapter.PayinOrder{
		LID: 135735, Type: "invoice", Status: status, Payway: p.Payway, Paylink: "https://sci.example/#token=x",
		In: p.Amount, InFee: inCurrency(t, code, "1.5"), Out: p.Amount, OutFee: inCurrency(t, code, "1.5"), Account: inCurrency(t, code, "98.5"), At: at,
	}
}

func accepted(o adapter.PayinOrder) adapter.PayinAnswer {
	return adapter.PayinAnswer{Outcome: adapter.Outcome{Verdict: adapter.Accepted}, Order: o}
}

func TestNewPayin(t *testing.T) {
	t.Parallel()
	p := newPayin(t, nil)
	if p.Amount != inCurrency(t, "RUB", "100") || p.Status != adapter.PayinCreating || p.Attempt != 1 || p.NextAt != noon || p.CreatedAt != noon {
		t.Errorf("new payin: %+v", p)
	}
	if p.ExternalID != adapter.PayinID("37", "button 7") || len(p.ExternalID) != 32 || p.ExternalID == adapter.PayinID("38", "button 7") {
		t.Errorf("externalid %q: want it to follow from merchant and key", p.ExternalID)
	}
	for name, change := range map[string]func(*adapter.PayinRequest){
		"amount: malformed":       func(r *adapter.PayinRequest) { r.Amount = "1,000" },
		"amount: zero":            func(r *adapter.PayinRequest) { r.Amount = "0.00" },
		"amount: negative":        func(r *adapter.PayinRequest) { r.Amount = "-1" },
		"amount: too fine":        func(r *adapter.PayinRequest) { r.Amount = "0.0000000001" },
		"in_curr":                 func(r *adapter.PayinRequest) { r.InCurr = "rub" },
		"in_curr: none":           func(r *adapter.PayinRequest) { r.InCurr = "" },
		"out_curr":                func(r *adapter.PayinRequest) { r.OutCurr = "$" },
		"externalid: none":        func(r *adapter.PayinRequest) { r.Key = "" },
		"externalid: long":        func(r *adapter.PayinRequest) { r.ExternalID = strings.Repeat("x", 256) },
		"externalid: path":        func(r *adapter.PayinRequest) { r.ExternalID = "../etc" },
		"idempotency key":         func(r *adapter.PayinRequest) { r.Key = "a\nb" },
		"idempotency key: long":   func(r *adapter.PayinRequest) { r.Key = strings.Repeat("x", 256) },
		"user":                    func(r *adapter.PayinRequest) { r.User = "bob" },
		"payway":                  func(r *adapter.PayinRequest) { r.Payway = "" },
		"payer":                   func(r *adapter.PayinRequest) { r.Payer = "\xff" },
		"contact":                 func(r *adapter.PayinRequest) { r.Contact = "a\x00" },
		"code":                    func(r *adapter.PayinRequest) { r.Code = strings.Repeat("x", 256) },
		"payway: not said, plain": func(r *adapter.PayinRequest) { r.Payway = "\u0085" },
	} {
		r := asked()
		change(&r)
		field, _, _ := strings.Cut(name, ":")
		if p, err := adapter.NewPayin("37", r, "", noon); !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("%s: %+v, %v; want %v that names it", name, p, err, adapter.ErrInvalid)
		}
	}
}

// What a create's outcome leads to. "sent" begins with a payin of which an earlier create may
// have landed.
func TestPayinCreated(t *testing.T) {
	t.Parallel()
	type result struct {
		Status adapter.PayinStatus
		Sent   bool
		Due    time.Duration // from now; -1 for never
		Event  adapter.PayinEventKind
		Reason string
	}
	verdict := func(v adapter.Verdict) adapter.PayinAnswer {
		return adapter.PayinAnswer{Outcome: adapter.Outcome{Verdict: v, Code: -32074, Detail: "EParamAmountTooSmall"}}
	}
	taken := verdict(adapter.Refused)
	taken.Taken = true
	sent := func(p *adapter.Payin) { p.Sent = true }
	late := func(p *adapter.Payin) { p.CreatedAt = noon.Add(-payinPolicy.CreateFor) }
	code := func(p *adapter.Payin) { p.HasCode = true }
	const refused = "platform refused: -32074 EParamAmountTooSmall"
	for name, tt := range map[string]struct {
		before func(*adapter.Payin)
		answer adapter.PayinAnswer
		want   result
	}{
		"accepted":             {answer: accepted(order(t, newPayin(t, nil), adapter.PayinNew, noon)), want: result{adapter.PayinNew, true, time.Minute, adapter.PayinEventOpened, ""}},
		"refused":              {answer: verdict(adapter.Refused), want: result{adapter.PayinRefused, false, -1, adapter.PayinEventRefused, refused}},
		"name taken":           {answer: taken, want: result{adapter.PayinRefused, false, -1, adapter.PayinEventRefused, refused}},
		"name taken, sent":     {before: sent, answer: taken, want: result{adapter.PayinUnsure, true, 0, adapter.PayinEventRetry, ""}},
		"refused, sent":        {before: sent, answer: verdict(adapter.Refused), want: result{adapter.PayinRefused, true, -1, adapter.PayinEventRefused, refused}},
		"unknown":              {answer: verdict(adapter.Unknown), want: result{adapter.PayinUnsure, true, time.Second, adapter.PayinEventRetry, ""}},
		"unknown, with a code": {before: code, answer: verdict(adapter.Unknown), want: result{adapter.PayinUnsure, true, time.Second, adapter.PayinEventRetry, ""}},
		"not sent":             {answer: verdict(adapter.NotSent), want: result{adapter.PayinCreating, false, time.Second, adapter.PayinEventRetry, ""}},
		"not sent for an hour": {before: late, answer: verdict(adapter.NotSent), want: result{adapter.PayinRefused, false, -1, adapter.PayinEventRefused, "the platform could not be reached in time"}},
		"not sent, with a code": {
			before: code, answer: verdict(adapter.NotSent),
			want: result{adapter.PayinRefused, false, -1, adapter.PayinEventRefused, "the platform could not be reached, and the code is not kept for another try"},
		},
		"another order": {
			answer: accepted(order(t, newPayin(t, func(r *adapter.PayinRequest) { r.Amount = "101" }), adapter.PayinNew, noon)),
			want:   result{adapter.PayinUnsure, true, 0, adapter.PayinEventConflict, ""},
		},
	} {
		p := newPayin(t, nil)
		if tt.before != nil {
			tt.before(&p)
		}
		s, err := p.Created(tt.answer, payinPolicy, noon)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := result{s.After.Status, s.After.Sent, s.After.NextAt.Sub(noon), s.Event.Kind, s.After.Reason}
		if s.After.NextAt.IsZero() {
			got.Due = -1
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !s.Credit.IsZero() || s.After.Version != p.Version+1 || s.After.Owner != 0 {
			t.Errorf("%s: credits %s, version %d, owner %d", name, s.Credit, s.After.Version, s.After.Owner)
		}
	}
	if _, err := (adapter.Payin{Status: adapter.PayinUnsure}).Created(verdict(adapter.Accepted), payinPolicy, noon); err == nil {
		t.Error("a create out of unsure was taken: it must have been looked for first")
	}
}

// What payin.get leads to. Only "no such order" lets a create be made again.
func TestPayinLooked(t *testing.T) {
	t.Parallel()
	missing := adapter.PayinAnswer{Outcome: adapter.Outcome{Verdict: adapter.Refused, Code: -32090, Detail: "EParamNotFound"}, NotFound: true}
	lookedFor := func(change func(*adapter.Payin)) adapter.Payin {
		p := newPayin(t, nil)
		p.Status, p.Sent = adapter.PayinUnsure, true
		if change != nil {
			change(&p)
		}
		return p
	}
	open := lookedFor(nil)
	open.Status, open.Order = adapter.PayinPending, order(t, open, adapter.PayinPending, noon)
	foreign := order(t, open, adapter.PayinNew, noon)
	foreign.Payway = "qiwi"
	for name, tt := range map[string]struct {
		before adapter.Payin
		answer adapter.PayinAnswer
		want   adapter.PayinStatus
		event  adapter.PayinEventKind
	}{
		"there":                       {lookedFor(nil), accepted(order(t, open, adapter.PayinNew, noon)), adapter.PayinNew, adapter.PayinEventOpened},
		"there and paid":              {lookedFor(nil), accepted(order(t, open, adapter.PayinDone, noon)), adapter.PayinDone, adapter.PayinEventOpened},
		"not there":                   {lookedFor(nil), missing, adapter.PayinCreating, adapter.PayinEventNotFound},
		"not there, too late":         {lookedFor(func(p *adapter.Payin) { p.CreatedAt = noon.Add(-time.Hour) }), missing, adapter.PayinRefused, adapter.PayinEventNotFound},
		"not there, with a code":      {lookedFor(func(p *adapter.Payin) { p.HasCode = true }), missing, adapter.PayinRefused, adapter.PayinEventNotFound},
		"not there, nobody's":         {lookedFor(func(p *adapter.Payin) { p.User = "" }), missing, adapter.PayinRefused, adapter.PayinEventNotFound},
		"no answer":                   {lookedFor(nil), adapter.PayinAnswer{Outcome: adapter.Outcome{Verdict: adapter.Unknown}}, adapter.PayinUnsure, adapter.PayinEventRetry},
		"not asked":                   {lookedFor(nil), adapter.PayinAnswer{Outcome: adapter.Outcome{Verdict: adapter.NotSent}}, adapter.PayinUnsure, adapter.PayinEventRetry},
		"refused":                     {lookedFor(nil), adapter.PayinAnswer{Outcome: adapter.Outcome{Verdict: adapter.Refused}}, adapter.PayinUnsure, adapter.PayinEventRetry},
		"somebody else's":             {lookedFor(nil), accepted(foreign), adapter.PayinRefused, adapter.PayinEventConflict},
		"refused, there after all":    {lookedFor(func(p *adapter.Payin) { p.Status = adapter.PayinRefused }), accepted(order(t, open, adapter.PayinNew, noon)), adapter.PayinNew, adapter.PayinEventOpened},
		"open, the same":              {open, accepted(order(t, open, adapter.PayinPending, noon.Add(time.Second))), adapter.PayinPending, ""},
		"open, on":                    {open, accepted(order(t, open, adapter.PayinWait, noon.Add(time.Second))), adapter.PayinWait, adapter.PayinEventMoved},
		"open, back":                  {open, accepted(order(t, open, adapter.PayinNew, noon.Add(time.Second))), adapter.PayinPending, ""},
		"open, gone":                  {open, missing, adapter.PayinPending, adapter.PayinEventNotFound},
		"open, turned into another's": {open, accepted(foreign), adapter.PayinPending, adapter.PayinEventConflict},
	} {
		s := tt.before.Looked(tt.answer, payinPolicy, noon)
		if s.After.Status != tt.want || s.Event.Kind != tt.event {
			t.Errorf("%s: %s by %q, want %s by %q", name, s.After.Status, s.Event.Kind, tt.want, tt.event)
		}
		if due := !s.After.NextAt.IsZero(); due == tt.want.Settled() {
			t.Errorf("%s: due %v, but it is %s", name, s.After.NextAt, tt.want)
		}
	}
}

// Who is credited, and with what.
func TestPayinCredit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		request func(*adapter.PayinRequest)
		payin   func(*adapter.Payin)
		order   func(*adapter.PayinOrder)
		credit  money.Amount
		reason  string
	}{
		"what is left after the fee": {credit: money.New(98_50, money.RUB)},
		"converted to roubles": {
			request: func(r *adapter.PayinRequest) { r.InCurr, r.OutCurr = "USD", "RUB" },
			order: func(o *adapter.PayinOrder) {
				o.Out, o.OutFee, o.Account = inCurrency(t, "RUB", "9000"), inCurrency(t, "RUB", "135.1"), inCurrency(t, "RUB", "8864.9")
			},
			credit: money.New(8864_90, money.RUB),
		},
		"another currency": {
			request: func(r *adapter.PayinRequest) { r.InCurr = "UAH" },
			reason:  "not credited: it brought 98.5 UAH, the ledger is kept in RUB",
		},
		"could not be converted": {
			request: func(r *adapter.PayinRequest) { r.InCurr, r.OutCurr = "UAH", "RUB" },
			reason:  "not credited: it brought 98.5 UAH, the ledger is kept in RUB",
		},
		"nobody's": {
			payin:  func(p *adapter.Payin) { p.User = "" },
			reason: "not credited: it belongs to no user",
		},
		"eaten by the fee": {
			order:  func(o *adapter.PayinOrder) { o.OutFee, o.Account = o.Out, inCurrency(t, "RUB", "0") },
			reason: "not credited: nothing is left after the fee",
		},
		"finer than a kopeck": {
			order: func(o *adapter.PayinOrder) {
				o.OutFee, o.Account = inCurrency(t, "RUB", "1.501"), inCurrency(t, "RUB", "98.499")
			},
			reason: "not credited: 98.499 RUB cannot be held by the ledger",
		},
	} {
		p := newPayin(t, tt.request)
		p.Status, p.Sent = adapter.PayinUnsure, true
		if tt.payin != nil {
			tt.payin(&p)
		}
		o := order(t, p, adapter.PayinDone, noon)
		if tt.order != nil {
			tt.order(&o)
		}
		s := p.Looked(accepted(o), payinPolicy, noon)
		if s.After.Status != adapter.PayinDone || s.Credit != tt.credit || s.After.Credited != tt.credit || s.After.Reason != tt.reason {
			t.Errorf("%s: %s, credits %s, reason %q; want %s, %q", name, s.After.Status, s.Credit, s.After.Reason, tt.credit, tt.reason)
		}
	}
}

// A callback is believed only if it can be about the order that we know.
func TestPayinToldContradiction(t *testing.T) {
	t.Parallel()
	p := newPayin(t, nil)
	p.Status, p.Sent, p.Order = adapter.PayinNew, true, order(t, p, adapter.PayinNew, noon)
	other := func(code, text string) money.Amount { return inCurrency(t, code, text) }
	for name, change := range map[string]func(*adapter.PayinOrder){
		"another order":    func(o *adapter.PayinOrder) { o.LID++ },
		"another amount":   func(o *adapter.PayinOrder) { o.In = other("RUB", "1000") },
		"another currency": func(o *adapter.PayinOrder) { o.In = other("USD", "100") },
		"another payway":   func(o *adapter.PayinOrder) { o.Payway = "qiwi" },
		"brings dollars": func(o *adapter.PayinOrder) {
			o.Out, o.OutFee, o.Account = other("USD", "3"), other("USD", "1"), other("USD", "2")
		},
		"more than there is":   func(o *adapter.PayinOrder) { o.Account = other("RUB", "985") },
		"fee of two, one paid": func(o *adapter.PayinOrder) { o.OutFee = other("RUB", "2") },
		"fee above all":        func(o *adapter.PayinOrder) { o.OutFee, o.Account = other("RUB", "101"), other("RUB", "-1") },
		"fee in other money":   func(o *adapter.PayinOrder) { o.OutFee = other("UAH", "1.5") },
	} {
		o := order(t, p, adapter.PayinDone, noon.Add(time.Minute))
		change(&o)
		if s, news, err := p.Told(o, payinPolicy, noon); !errors.Is(err, adapter.ErrConflict) || news {
			t.Errorf("%s: %+v, news %v, %v; want %v", name, s, news, err, adapter.ErrConflict)
		}
	}
	done, news, err := p.Told(order(t, p, adapter.PayinDone, noon.Add(time.Minute)), payinPolicy, noon)
	if err != nil || !news {
		t.Fatalf("done: news %v, %v", news, err)
	}
	for _, status := range []adapter.PayinStatus{adapter.PayinFail, adapter.PayinCanceled} {
		if _, news, err := done.After.Told(order(t, p, status, noon.Add(time.Hour)), payinPolicy, noon); !errors.Is(err, adapter.ErrConflict) || news {
			t.Errorf("%s after done: news %v, %v; want %v", status, news, err, adapter.ErrConflict)
		}
	}
	p.Order = adapter.PayinOrder{}
	if _, news, err := p.Told(order(t, p, adapter.PayinDone, noon), payinPolicy, noon); err == nil || news {
		t.Errorf("callback about an order that is not known: news %v, %v; want an error", news, err)
	}
}

// However what the platform says is delayed, doubled, mixed up and repeated: an order never goes
// back, its end never changes, and its user is credited once, if and only if it was paid.
func TestPayinOrderOfStatuses(t *testing.T) {
	t.Parallel()
	ranks := [][]adapter.PayinStatus{
		{adapter.PayinNew},
		{adapter.PayinPending, adapter.PayinStarted, adapter.PayinWait, adapter.PayinRetry, adapter.PayinFinalizing, adapter.PayinAbnormal},
		{adapter.PayinDone, adapter.PayinFail, adapter.PayinReject, adapter.PayinExpired, adapter.PayinCanceled},
	}
	rank := func(s adapter.PayinStatus) int {
		return slices.IndexFunc(ranks, func(r []adapter.PayinStatus) bool { return slices.Contains(r, s) })
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := newPayin(t, nil)
		p.Status, p.Sent, p.Order = adapter.PayinNew, true, order(t, p, adapter.PayinNew, noon)
		// What really happens at the platform: some open statuses, then perhaps an end.
		said := []adapter.PayinOrder{p.Order}
		for i := range rapid.IntRange(0, 5).Draw(rt, "steps") {
			said = append(said, order(t, p, rapid.SampledFrom(ranks[1]).Draw(rt, "open"), noon.Add(time.Duration(i+1)*time.Second)))
		}
		if rapid.Bool().Draw(rt, "ends") {
			said = append(said, order(t, p, rapid.SampledFrom(ranks[2]).Draw(rt, "end"), noon.Add(time.Minute)))
		}
		// What arrives of it: anything, in any order, any number of times; at last everything once more.
		arrives := rapid.SliceOfN(rapid.SampledFrom(said), 0, 20).Draw(rt, "arrives")
		credits := 0
		for _, o := range append(arrives, said...) {
			s, news := adapter.PayinStep{}, true
			if rapid.Bool().Draw(rt, "polled") {
				s = p.Looked(accepted(o), payinPolicy, noon)
			} else {
				var err error
				if s, news, err = p.Told(o, payinPolicy, noon); err != nil {
					rt.Fatalf("told %s at %s while %s: %v", o.Status, o.At, p.Status, err)
				}
			}
			if !news {
				continue
			}
			if rank(s.After.Status) < rank(p.Status) || p.Status.Final() && s.After.Status != p.Status {
				rt.Fatalf("from %s to %s", p.Status, s.After.Status)
			}
			if rank(s.After.Status) == rank(p.Status) && s.After.Order.At.Before(p.Order.At) {
				rt.Fatalf("from what was said at %s to what was said at %s", p.Order.At, s.After.Order.At)
			}
			if !s.Credit.IsZero() {
				credits++
			}
			p = s.After
		}
		last := said[len(said)-1]
		want := 0
		if last.Status == adapter.PayinDone {
			want = 1
		}
		if p.Status != last.Status || credits != want {
			rt.Fatalf("it ends %s with %d credits, want %s with %d", p.Status, credits, last.Status, want)
		}
	})
}

// The platform has at most one order of a name, answers may get lost and processes die before
// they can write what they learned. Whatever happens, no second order is asked for while the
// first may be there, and a payin ends open exactly if there is an order.
func TestPayinIsCreatedOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p, at := newPayin(t, nil), noon
		p.Owner = 1
		var there bool // at the platform
		write := func(s adapter.PayinStep) {
			if rapid.IntRange(0, 3).Draw(rt, "dies") == 0 {
				at = at.Add(payinPolicy.Lease)
				p = p.Claimed(2, payinPolicy, at).After // by another process
			} else {
				p = s.After
			}
		}
		for i := 0; !p.Status.OfPlatform() && p.Status != adapter.PayinRefused; i++ {
			if i == 200 {
				return // the dice never let anything through
			}
			at = at.Add(time.Second)
			if p.Owner == 0 {
				p = p.Claimed(2, payinPolicy, at).After
			}
			fate := rapid.SampledFrom([]adapter.Verdict{adapter.Accepted, adapter.NotSent, adapter.Unknown}).Draw(rt, "fate")
			a := adapter.PayinAnswer{Outcome: adapter.Outcome{Verdict: fate}}
			creating := p.Status == adapter.PayinCreating
			if creating && there && !p.Sent {
				rt.Fatal("a second create, and nothing says that there was a first")
			}
			switch {
			case fate == adapter.NotSent:
			case creating && there:
				a.Verdict, a.Taken = adapter.Refused, true
			case creating:
				there = fate == adapter.Accepted || rapid.Bool().Draw(rt, "carried out")
				a.Order = order(t, p, adapter.PayinNew, at)
			case there:
				a.Order = order(t, p, adapter.PayinNew, at)
			case fate == adapter.Accepted:
				a.Verdict, a.NotFound = adapter.Refused, true
			}
			if !creating {
				write(p.Looked(a, payinPolicy, at))
				continue
			}
			s, err := p.Created(a, payinPolicy, at)
			if err != nil {
				rt.Fatal(err)
			}
			write(s)
		}
		if open := p.Status.OfPlatform(); open != there {
			rt.Fatalf("it ends %s (%s), an order is there: %v", p.Status, p.Reason, there)
		}
	})
}

func FuzzNewPayin(f *testing.F) {
	f.Add("100.50", "RUB", "USD", "visamc", "order-1", "key")
	f.Add("256,13", "uah", "", "", "../x", "\x00")
	f.Add("9223372036.854775807", "BTC", "BTC", "btc", "", "k")
	f.Fuzz(func(t *testing.T, amount, in, out, payway, externalID, key string) {
		p, err := adapter.NewPayin("37", adapter.PayinRequest{
			ExternalID: externalID, Key: key, User: buyer, Amount: amount, InCurr: in, OutCurr: out, Payway: payway,
		}, "", noon)
		if err != nil {
			if !errors.Is(err, adapter.ErrInvalid) {
				t.Errorf("%v does not wrap %v", err, adapter.ErrInvalid)
			}
			return
		}
		again, err := adapter.PayinAmount(p.Amount.Short(), p.Amount.Currency().Code())
		if err != nil || again != p.Amount || p.Amount.Sign() <= 0 || p.ExternalID == "" || len(p.ExternalID) > 255 {
			t.Errorf("%q %q became %+v; read back %v, %v", amount, externalID, p, again, err)
		}
	})
}
