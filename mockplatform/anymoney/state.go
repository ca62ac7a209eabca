package anymoney

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// saved is the platform as a file keeps it. A callback that is on its way when it is saved is
// sent again.
type saved struct {
	Document json.RawMessage // with keys, balances and codes of the moment
	LID      int64
	Orders   []savedOrder // the oldest first
}

type savedOrder struct {
	Merchant, External              string
	LID                             int64
	Token, Ref                      string
	ViaForm                         bool
	InCurr                          string
	Code                            *wire.RedeemedCode
	CallbackURL, RedirectURL, Email string
	Multipay, OpenPayway            bool
	Share                           decimal.Decimal
	ReqData                         json.RawMessage
	Created, Finished               time.Time
	Lifetime                        time.Duration
	Size                            int
	Status                          wire.Status
	History                         []Step
	Payway, OutCurr                 string
	Orig, In, InFee, Out, OutFee    decimal.Decimal
	Rate                            *decimal.Decimal
	Divides                         bool
	News, Try                       int // of the latest news, and the next try to tell of it; 0 for none
	Expiry, Resend, Since           time.Time
}

// Save returns the state, keys included, for Load.
func (p *Platform) Save() ([]byte, error) {
	s, err := p.copy()
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// copy takes the state while no call changes it.
func (p *Platform) copy() (*saved, error) {
	p.world.Lock()
	defer p.world.Unlock()
	document, err := json.Marshal(p.running())
	if err != nil {
		return nil, err
	}
	s := &saved{Document: document, LID: p.lid.Load()}
	p.orders.Load().byID.Range(func(_, o any) bool {
		s.Orders = append(s.Orders, o.(*order).save())
		return true
	})
	slices.SortFunc(s.Orders, func(a, b savedOrder) int { return cmp.Compare(a.LID, b.LID) })
	return s, nil
}

func (o *order) save() savedOrder {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := savedOrder{
		Merchant: o.id.merchant, External: o.id.external, LID: o.lid, Token: o.token, Ref: o.ref, ViaForm: o.viaForm,
		InCurr: o.inCurr, Code: o.code, CallbackURL: o.callbackURL, RedirectURL: o.redirectURL, Email: o.email,
		Multipay: o.multipay, OpenPayway: o.openPayway, Share: o.share, ReqData: o.reqdata.AppendJSON(nil),
		Created: o.created, Finished: o.finished, Lifetime: o.lifetime, Size: o.size,
		Status: o.status, History: o.history, Payway: o.payway, OutCurr: o.outCurr,
		Orig: o.quote.orig, In: o.quote.in, InFee: o.quote.inFee, Out: o.quote.out, OutFee: o.quote.outFee,
		News: o.news, Try: o.pending.try, Since: o.pending.since, Resend: o.resend.Due(),
	}
	if r := o.quote.rate; r != nil {
		s.Rate, s.Divides = &r.value, r.divides
	}
	if o.code == nil {
		s.Expiry = o.expiry.Due()
	}
	return s
}

// ErrState is text that Save did not write.
var ErrState = errors.New("no state of Any.Money")

// Load replaces the state by one that Save returned; the clock shows the time of then, or a
// later one. What fell due meanwhile happens at once. Its error wraps ErrState or is a
// *ConfigError, when nothing was changed.
func (p *Platform) Load(text []byte) error {
	var s saved
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	loaded := make([]*order, len(s.Orders))
	seen := map[orderID]bool{}
	for i := range s.Orders {
		o, err := s.Orders[i].order()
		if err == nil && seen[o.id] {
			err = errors.New("is there twice")
		}
		if err != nil {
			return fmt.Errorf("%w: order %.80q: %w", ErrState, s.Orders[i].External, err)
		}
		loaded[i], seen[o.id] = o, true
	}
	return p.begin(s.Document, func() {
		p.lid.Store(s.LID)
		p.courier.Start() // before what is due is sent
		for i, o := range loaded {
			if p.orders.Load().add(o) {
				p.resume(o, &s.Orders[i])
			}
		}
	})
}

func (s *savedOrder) order() (*order, error) {
	reqdata, err := wire.ParseObject(s.ReqData)
	if err != nil {
		return nil, err
	}
	o := &order{
		id: orderID{s.Merchant, s.External}, lid: s.LID, token: s.Token, ref: s.Ref, viaForm: s.ViaForm,
		inCurr: s.InCurr, code: s.Code, callbackURL: s.CallbackURL, redirectURL: s.RedirectURL, email: s.Email,
		multipay: s.Multipay, openPayway: s.OpenPayway, share: s.Share, reqdata: reqdata,
		created: s.Created, finished: s.Finished, lifetime: s.Lifetime, size: s.Size,
		status: s.Status, history: s.History, payway: s.Payway, outCurr: s.OutCurr, news: s.News,
		quote: quote{orig: s.Orig, in: s.In, inFee: s.InFee, out: s.Out, outFee: s.OutFee},
	}
	o.userdata, _ = reqdata.Get(fieldUserdata).Object()
	if s.Rate != nil {
		o.quote.rate = &rate{*s.Rate, s.Divides}
	}
	if !s.Status.Known() {
		return nil, fmt.Errorf("status %.40q is unknown", s.Status)
	}
	return o, nil
}

// resume lets go on what was going on with an order.
func (p *Platform) resume(o *order, s *savedOrder) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return
	}
	now := p.cfg.Clock.Now()
	if !s.Expiry.IsZero() && !o.status.Final() {
		p.expireAfter(o, s.Expiry.Sub(now))
	}
	if s.Try == 0 {
		return
	}
	d := delivery{o: o, news: o.news, try: s.Try, since: s.Since}
	o.pending = d.pending()
	if pause := s.Resend.Sub(now); !s.Resend.IsZero() && pause > 0 {
		o.resend = p.cfg.Clock.AfterFunc(pause, func() { p.courier.send(d) })
		return
	}
	p.courier.send(d)
}
