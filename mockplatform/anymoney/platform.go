package anymoney

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// Protocol is the name of this protocol in the journal.
const Protocol = "anymoney"

// Faults is what rules about faults can name of this protocol.
func Faults() fault.Protocol {
	p := fault.Protocol{
		Name: Protocol, Out: []string{MethodCallback}, SignsAnswers: true, SignsOut: true,
		In: []string{MethodForm, MethodPage, MethodChoose, MethodPay, MethodRefuse, MethodCancel},
	}
	for _, m := range []wire.Method{
		wire.MethodPayinCreate, wire.MethodPayinCalc, wire.MethodPayinGet, wire.MethodStatus,
		wire.MethodBalance, wire.MethodPwcurrencyList,
	} {
		p.In = append(p.In, string(m))
	}
	return p
}

//go:embed demo.json
var demo []byte

// DemoConfig returns the configuration that a stand-in has from the start unless it is given
// another: the currencies, payways and merchants of the protocol's description, with public
// keys that are good for nothing else.
func DemoConfig() []byte { return append([]byte(nil), demo...) }

// Config is what a Platform is made of.
type Config struct {
	Clock   *clock.Clock // to be closed after the platform
	Dice    *dice.Dice
	Journal *journal.Journal
	Faults  *fault.Set   // none if nil
	Log     *slog.Logger // nowhere if nil
	// Document is the configuration at the start; DemoConfig if nil.
	Document []byte
	// SCIBase is where browsers find the pages of Mount, without a slash at its end:
	// paylinks begin with it unless settings.sci_base says otherwise.
	SCIBase string
	// Workers bounds how many callbacks are on their way at once; 64 if 0.
	Workers int
	// KeepOrders bounds how many orders are remembered; 20,000 if 0, and never more than
	// fit into 48 MiB. The oldest are forgotten, whatever their status; balances stay.
	KeepOrders int
}

// keepBytes bounds what orders occupy.
const keepBytes = 48 << 20

// firstLID is below the number of the first order.
const firstLID = 135_000

// Platform is Any.Money: its state and what can be done to it. It is safe for concurrent
// use; requests do not wait for each other unless they are about the same money.
type Platform struct {
	cfg     Config
	desk    *traffic.Desk
	courier *courier

	// world is held for reading by whatever acts on somebody's behalf, and for writing by
	// what exchanges the rules. Timers, which must not wait, only load what they need.
	world    sync.RWMutex
	document any // that rules were compiled from; guarded by world
	rules    atomic.Pointer[rules]
	orders   atomic.Pointer[orders]
	lid      atomic.Int64 // of the latest order
}

// New returns a platform without orders. It starts nothing. The error is a *ConfigError.
func New(cfg Config) (*Platform, error) {
	if cfg.Document == nil {
		cfg.Document = demo
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 64
	}
	if cfg.KeepOrders <= 0 {
		cfg.KeepOrders = 20_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Platform{cfg: cfg, desk: traffic.NewDesk(cfg.Clock, cfg.Journal, cfg.Faults)}
	p.orders.Store(newOrders(cfg.KeepOrders, keepBytes))
	p.lid.Store(firstLID)
	p.courier = newCourier(p)
	document, err := parseDocument(cfg.Document)
	if err != nil {
		return nil, err
	}
	if err := p.obey(document); err != nil {
		return nil, err
	}
	return p, nil
}

// obey makes a document the configuration, or returns a *ConfigError and changes nothing.
func (p *Platform) obey(document any) error {
	document = merge(nil, document) // drops what is null
	r, err := compile(document)
	if err != nil {
		return err
	}
	if r.settings.sciBase == "" {
		r.settings.sciBase = p.cfg.SCIBase
	}
	p.document = document
	p.rules.Store(r)
	return nil
}

// Close ends the callbacks and waits for those on their way.
func (p *Platform) Close() { p.courier.Stop() }

// Reset goes back to the state that New gave. Meanwhile, when no callback is on its way and
// no request looks at the state, it calls also, to reset what the platform shares with others.
func (p *Platform) Reset(also func()) {
	_ = p.begin(p.cfg.Document, func() { // what New accepted is accepted again
		p.lid.Store(firstLID)
		also()
	})
}

// Configure begins anew with a configuration: balances and codes are as it says, and no
// order is left. Its error is a *ConfigError, when nothing was changed.
func (p *Platform) Configure(document []byte) error { return p.begin(document, func() {}) }

func (p *Platform) begin(text []byte, also func()) error {
	document, err := parseDocument(text)
	if err != nil {
		return err
	}
	p.world.Lock()
	defer p.world.Unlock()
	if err := p.obey(document); err != nil {
		return err
	}
	p.courier.Stop()
	p.orders.Load().forgetAll()
	p.orders.Store(newOrders(p.cfg.KeepOrders, keepBytes))
	also()
	p.courier.Start()
	return nil
}

// Patch merges a patch (RFC 7396) into the configuration as it is at the moment, balances
// and codes included. Orders stay. Its error is a *ConfigError, when nothing was changed.
func (p *Platform) Patch(patch []byte) error {
	change, err := parseDocument(patch)
	if err != nil {
		return err
	}
	p.world.Lock()
	defer p.world.Unlock()
	return p.obey(merge(p.running(), change))
}

// Document returns the configuration as it is at the moment, with keys hidden.
func (p *Platform) Document() []byte {
	p.world.Lock() // nothing moves meanwhile
	defer p.world.Unlock()
	document := p.running()
	hidden := map[string]any{}
	for lid := range p.rules.Load().merchants {
		hidden[lid] = map[string]any{"api_key": hiddenKey, "sci_key": hiddenKey}
	}
	if len(hidden) > 0 {
		document = merge(document, map[string]any{"merchants": hidden})
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(fmt.Sprintf("anymoney: a document that was JSON is none any more: %v", err))
	}
	return text
}

const hiddenKey = "***"

// running is the document with the balances and codes of the moment. It wants world held for
// writing.
func (p *Platform) running() any {
	r := p.rules.Load()
	merchants, codes := map[string]any{}, map[string]any{}
	for lid, m := range r.merchants {
		merchants[lid] = map[string]any{"balances": m.account.document()}
	}
	for text, c := range r.codes {
		codes[text] = map[string]any{"state": c.state}
	}
	moved := map[string]any{}
	if len(merchants) > 0 {
		moved["merchants"] = merchants
	}
	if len(codes) > 0 {
		moved["codes"] = codes
	}
	return merge(p.document, moved)
}

// place makes an order of a draft that passed the checks; the last two, 16 and 17 of §8,
// decide.
func (p *Platform) place(d *draft, o *order) *Refusal {
	o.lid, o.created = p.lid.Add(1), p.cfg.Clock.Now()
	o.token, o.ref = p.token(), p.token()
	o.enter(wire.StatusNew, o.created)
	o.quote, o.share = d.quote, d.terms.share
	o.payway, o.outCurr = strings.Clone(d.payway), strings.Clone(d.outCurr) // a request's text may be long
	add := func() *Refusal {
		if !p.orders.Load().add(o) {
			return refusal(CheckUnique, wire.ExternalIDTaken())
		}
		if o.viaForm || p.desk.Faults.Conjure(string(d.amount)) == nil { // else the answer to this very call is meant
			p.desk.Faults.Enchant(Protocol, o.id.merchant, o.id.external, string(d.amount))
		}
		return nil
	}
	if d.redeems {
		return d.redeem(o, add)
	}
	if refused := add(); refused != nil {
		return refused
	}
	p.limitLife(o)
	return nil
}

func (p *Platform) token() string {
	var random [51]byte
	p.cfg.Dice.Fill(random[:])
	return wire.NewToken(random)
}

// redeem spends the draft's code on an order if it fits and the order can be added.
func (d *draft) redeem(o *order, add func() *Refusal) *Refusal {
	given := d.params.Get(wire.FieldCode)
	return d.rules.spend(given, d.payway, d.inCurr, d.asked, func() *Refusal {
		text, _ := given.Text()
		o.code = &wire.RedeemedCode{Amount: d.amount, Code: strings.Clone(text), Currency: o.inCurr}
		return add()
	})
}

// spend spends a code if it is fresh and just what is asked for, and if then agrees.
func (r *rules) spend(given wire.Value, payway, currency string, sum decimal.Decimal, then func() *Refusal) *Refusal {
	refused := refusal(CheckCode, wire.CodeRefused(given))
	text, _ := given.Text()
	c := r.codes[text]
	if c == nil || c.payway != payway || c.currency != currency || !c.amount.Equal(sum) {
		return refused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != codeFresh {
		return refused
	}
	if refused := then(); refused != nil {
		return refused
	}
	c.state = codeUsed
	return nil
}

// limitLife lets an invoice expire unless it is final by then.
func (p *Platform) limitLife(o *order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return
	}
	p.expireAfter(o, o.lifetime)
}

// expireAfter lets an order expire unless it is final by then. It wants o.mu held.
func (p *Platform) expireAfter(o *order, d time.Duration) {
	o.expiry = p.cfg.Clock.AfterFunc(d, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		p.settle(o, wire.StatusExpired)
	})
}

// settle gives an order a status, unless it is final already, and does what follows from
// that. It reports whether anything was changed. It wants o.mu held.
func (p *Platform) settle(o *order, status wire.Status) bool {
	if o.gone || o.status.Final() || o.status == status {
		return false
	}
	now := p.cfg.Clock.Now()
	o.enter(status, now)
	r := p.rules.Load()
	if status.Final() {
		o.finished = now
		if o.expiry != nil {
			o.expiry.Stop()
		}
	}
	if status == wire.StatusDone {
		m := r.merchants[o.id.merchant] // nil if a patch took it away
		if o.code == nil && o.outCurr != o.inCurr {
			o.convert(r, m)
		}
		if m != nil {
			m.account.credit(o.outCurr, o.quote.account())
		}
	}
	if status.Final() || r.settings.callbackAlways {
		p.courier.announce(o)
	}
	o.changed()
	return true
}

// convert turns an invoice's money into the outgoing currency at the rate of the moment. If
// nobody exchanges it at present, it stays in the incoming one. It wants mu held.
func (o *order) convert(r *rules, m *merchant) {
	out, by := r.currencies[o.outCurr], r.rateOf(m, o.inCurr, o.outCurr)
	if out == nil || by == nil {
		o.outCurr = o.inCurr
		o.quote = convert(o.quote, nil, 0)
		return
	}
	o.quote = convert(o.quote, by, out.decimals)
}

// SetStatus gives the order of a merchant with that externalid a status, and returns it as
// it is then: a final status stays what it is. The order is nil if there is none.
func (p *Platform) SetStatus(merchant, externalID string, status wire.Status) *wire.Order {
	p.world.RLock()
	defer p.world.RUnlock()
	o := p.orders.Load().get(orderID{merchant, externalID})
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	p.settle(o, status)
	return o.view(p.rules.Load().settings.sciBase)
}

// Filter chooses orders. Empty fields match everything.
type Filter struct {
	Merchant string
	Status   wire.Status
	Before   int64 // only orders with a smaller lid
	Limit    int   // at most so many, the newest ones; 0 for all
}

// Orders returns the orders that match, the newest first.
func (p *Platform) Orders(f Filter) []*wire.Order {
	p.world.RLock()
	defer p.world.RUnlock()
	base := p.rules.Load().settings.sciBase
	all := []*wire.Order{}
	for _, o := range p.orders.Load().list() {
		if f.Merchant != "" && o.id.merchant != f.Merchant || f.Before != 0 && o.lid >= f.Before {
			continue
		}
		o.mu.Lock()
		if !o.gone && (f.Status == "" || o.status == f.Status) {
			all = append(all, o.view(base))
		}
		o.mu.Unlock()
		if f.Limit > 0 && len(all) == f.Limit {
			break
		}
	}
	return all
}

// History returns the statuses that an order has had, the latest at the end; nil if there is
// no such order.
func (p *Platform) History(merchant, externalID string) []Step {
	p.world.RLock()
	defer p.world.RUnlock()
	o := p.orders.Load().get(orderID{merchant, externalID})
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.history)
}

// Merchants returns the lids of the merchants, in order.
func (p *Platform) Merchants() []string {
	return slices.Sorted(maps.Keys(p.rules.Load().merchants))
}

// Order returns the order of a merchant with that externalid, nil if there is none.
func (p *Platform) Order(merchant, externalID string) *wire.Order {
	p.world.RLock()
	defer p.world.RUnlock()
	return p.show(p.orders.Load().get(orderID{merchant, externalID}))
}

// show returns an order as the API shows it; nil for nil.
func (p *Platform) show(o *order) *wire.Order {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.view(p.rules.Load().settings.sciBase)
}
