package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/internal/page"
)

// unfinished is the filter's word for every state that is work to do.
const unfinished = "unfinished"

// stateChoices are the values of the state filter, in the order in which it offers them.
var stateChoices = func() []string {
	choices := []string{unfinished, string(adapter.InDoubt), string(adapter.Confirmed), string(adapter.Declined)}
	for _, s := range adapter.Due {
		choices = append(choices, string(s))
	}
	return choices
}()

// paymentsPage is the list of payments.
type paymentsPage struct {
	frame
	States   []string
	Kinds    []adapter.Kind
	Chosen   choice
	Rows     []adapter.Payment
	Older    string // link to the next page
	Newest   string // link to the first page, where this is another
	Filtered bool
}

// choice is the filter as the reader wrote it.
type choice struct {
	User, State, Kind string
	span
	Wrong  string // the field that cannot be read: its key under "filter."
	Nobody bool   // there is no user of that login
}

func (h *handler) payments(w http.ResponseWriter, r *http.Request, f frame) {
	if q := strings.TrimSpace(f.Get("q")); q != "" { // the search leads straight to the payment
		p, err := h.find(r.Context(), q)
		if err != nil {
			h.broken(w, r, f, err)
			return
		}
		seeOther(w, Base+"payments/"+strconv.FormatInt(p.Num, 10))
		return
	}
	if isLive(r) {
		h.live(w, r, f, "payments-live", func(ctx context.Context, f frame) (any, error) { return h.paymentsPage(ctx, f) })
		return
	}
	p, err := h.paymentsPage(r.Context(), f)
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	status := http.StatusOK
	if p.Chosen.Wrong != "" {
		status = http.StatusBadRequest
	}
	h.render(w, status, "payments", p)
}

// find returns the payment of an id or a number.
func (h *handler) find(ctx context.Context, q string) (adapter.Payment, error) {
	if adapter.ValidUserHash(q) { // a payment's id is of the same form
		return h.Store.Payment(ctx, adapter.Key{Platform: adapter.PlatformIntegra, ID: q})
	}
	num, err := strconv.ParseInt(q, 10, 64)
	if err != nil {
		return adapter.Payment{}, adapter.ErrNotFound
	}
	return h.Store.PaymentByNum(ctx, num)
}

func (h *handler) paymentsPage(ctx context.Context, f frame) (*paymentsPage, error) {
	f.Here = "payments"
	if f.Get("state") == string(adapter.InDoubt) {
		f.Here = "doubt"
	}
	p := &paymentsPage{frame: f, States: stateChoices, Kinds: adapter.Kinds}
	filter, err := h.filter(ctx, f, &p.Chosen)
	if err != nil {
		return nil, err
	}
	p.Filtered = p.Chosen != choice{}
	if p.Chosen.Wrong != "" || p.Chosen.Nobody {
		return p, nil
	}
	if filter.Before = cursor(f); filter.Before > 0 {
		p.Newest = f.With("before", "")
	}
	filter.Limit = perPage + 1
	if p.Rows, err = h.Store.Payments(ctx, filter); err != nil {
		return nil, err
	}
	if len(p.Rows) > perPage {
		p.Rows = p.Rows[:perPage]
		p.Older = f.With("before", strconv.FormatInt(p.Rows[perPage-1].Num, 10))
	}
	return p, nil
}

// filter reads the address. The user may be named by hash or login.
func (h *handler) filter(ctx context.Context, f frame, c *choice) (adapter.PaymentFilter, error) {
	*c = choice{User: strings.TrimSpace(f.Get("user")), State: f.Get("state"), Kind: f.Get("kind"), span: spanOf(f)}
	filter := adapter.PaymentFilter{User: c.User}
	filter.From, filter.To, c.Wrong = c.times()
	switch {
	case c.State == "":
	case c.State == unfinished:
		filter.States = adapter.Due
	case slices.Contains(stateChoices, c.State):
		filter.States = []adapter.State{adapter.State(c.State)}
	default:
		c.Wrong = "state"
	}
	if kind := adapter.Kind(c.Kind); slices.Contains(adapter.Kinds, kind) {
		filter.Kinds = []adapter.Kind{kind}
	} else if kind != "" {
		c.Wrong = "kind"
	}
	if c.User == "" || adapter.ValidUserHash(c.User) {
		return filter, nil
	}
	found, err := h.Store.Users(ctx, adapter.UserFilter{Login: c.User, Limit: 1})
	if err != nil {
		return filter, err
	}
	if c.Nobody = len(found) == 0; !c.Nobody {
		filter.User = found[0].Hash
	}
	return filter, nil
}

// paymentPage is one payment with all that is known of it.
type paymentPage struct {
	frame
	Payment  adapter.Payment
	User     adapter.User
	Has      holding
	Original *adapter.Payment // what a refund refunds
	History  []adapter.Event  // newest first
	Diagram  page.Diagram
	Form     settleForm
}

// settleForm is the decision about a payment in doubt, as it was typed.
type settleForm struct {
	Decision, Reason string
	Error            string // a key of the texts under "settle.error."; "" for none
	Detail           string
}

func (h *handler) payment(w http.ResponseWriter, r *http.Request, f frame) {
	if isLive(r) {
		num := mux.Vars(r)["num"]
		h.live(w, r, f, "payment-live", func(ctx context.Context, f frame) (any, error) { return h.paymentPage(ctx, f, num) })
		return
	}
	p, err := h.paymentPage(r.Context(), f, mux.Vars(r)["num"])
	if err != nil {
		h.broken(w, r, f, err)
		return
	}
	h.render(w, http.StatusOK, "payment", p)
}

func (h *handler) paymentPage(ctx context.Context, f frame, name string) (*paymentPage, error) {
	f.Here = "payments"
	p := &paymentPage{frame: f}
	num, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return nil, adapter.ErrNotFound
	}
	if p.Payment, err = h.Store.PaymentByNum(ctx, num); err != nil {
		return nil, err
	}
	p.Subject = site.Text(f.Lang, "payment", num)
	if p.History, err = h.Store.History(ctx, num); err != nil {
		return nil, err
	}
	if p.User, err = h.Store.User(ctx, p.Payment.User); err != nil && !errors.Is(err, adapter.ErrNotFound) {
		return nil, err // a stranger's top-up is a payment, too
	}
	if p.Has, err = h.holding(ctx, p.Payment.User); err != nil {
		return nil, err
	}
	if p.Payment.RefundOf != 0 {
		original, err := h.Store.PaymentByNum(ctx, p.Payment.RefundOf)
		if err != nil {
			return nil, err
		}
		p.Original = &original
	}
	p.Diagram = draw(f.Lang, p.Payment, p.History)
	slices.Reverse(p.History)
	return p, nil
}

// Undecided reports whether a person may decide about the payment.
func (p *paymentPage) Undecided() bool {
	return p.Payment.State.NeedsPerson() || p.Payment.Unreserved(adapter.Policy{Billing: p.Billing})
}

// settle takes a person's decision about a payment.
func (h *handler) settle(w http.ResponseWriter, r *http.Request, f frame) {
	of := "payment/" + mux.Vars(r)["num"]
	if !f.MaySettle() {
		h.attempted(r.Context(), f, "resolve-payment", of, errLacks(ScopeAdmin))
		h.forbidden(w, f, ScopeAdmin)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.note(w, http.StatusBadRequest, f, note{Key: "form"})
		return
	}
	p, err := h.paymentPage(r.Context(), f, mux.Vars(r)["num"])
	if err != nil {
		if errors.Is(err, adapter.ErrNotFound) {
			h.attempted(r.Context(), f, "resolve-payment", of, err)
		}
		h.broken(w, r, f, err)
		return
	}
	p.Form = settleForm{Decision: r.PostForm.Get("decision"), Reason: strings.TrimSpace(r.PostForm.Get("reason"))}
	seen, err := strconv.Atoi(r.PostForm.Get("version"))
	switch {
	case err != nil || p.Form.Decision != "confirm" && p.Form.Decision != "decline":
		p.Form.Error = "decision"
	case p.Form.Reason == "":
		p.Form.Error = "reason"
	case seen != p.Payment.Version:
		p.Form.Error = "changed"
	}
	if p.Form.Error == "" {
		p.Form.Error, p.Form.Detail, err = h.resolve(r.Context(), f, p)
		if err != nil {
			h.broken(w, r, f, err)
			return
		}
	}
	if p.Form.Error != "" {
		h.render(w, http.StatusUnprocessableEntity, "payment", p)
		return
	}
	seeOther(w, Base+"payments/"+strconv.FormatInt(p.Payment.Num, 10))
}

// resolve carries a decision out, under the audit log. problem is a key of the texts under
// "settle.error." when the decision could not be taken.
func (h *handler) resolve(ctx context.Context, f frame, p *paymentPage) (problem, detail string, err error) {
	a := adapter.Action{
		Who: f.Grant.Name, Via: adapter.ViaConsole, What: "resolve-payment",
		On: "payment/" + p.Payment.Key.ID, Detail: p.Form.Decision + ": " + p.Form.Reason,
	}
	err = h.Store.Act(ctx, a, func(ctx context.Context) error {
		_, err := h.Resolve(ctx, p.Payment, adapter.Resolution{
			Confirm: p.Form.Decision == "confirm", Reason: p.Form.Reason, By: f.Grant.Name,
		})
		return err
	})
	switch {
	case errors.Is(err, adapter.ErrLost), errors.Is(err, adapter.ErrNotInDoubt):
		return "changed", "", nil
	case errors.Is(err, adapter.ErrInvalid):
		return "invalid", err.Error(), nil
	}
	return "", "", err
}
