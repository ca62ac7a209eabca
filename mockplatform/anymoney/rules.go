package anymoney

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// rules are a configuration as requests use it. They do not change, except for what has a
// lock of its own: accounts and codes.
//
// Names that lead nowhere, such as a merchant's fee for a payway that is not there, are
// allowed, since a patch may take away either end.
type rules struct {
	settings   settings
	currencies map[string]*currency
	payways    map[string]*payway
	exchanges  map[string]*exchange // by "UAH-USD"
	merchants  map[string]*merchant // by lid
	codes      map[string]*code
}

type settings struct {
	window          int64 // ms that a request may be early or late
	callbackTimeout time.Duration
	callbackOffsets []time.Duration // of all deliveries, from the first one's time
	callbackAlways  bool            // also when a status that is not final changes
	sciBase         string          // without a slash at its end; "" for the stand-in's own
}

type currency struct {
	decimals int32
	crypto   bool
	usable   bool // active and not disabled
}

type payway struct {
	kind     string
	active   bool
	disabled bool
	codes    bool // codes can be redeemed
	order    int64
	required []string // parameters, in the order of their names
	in       map[string]*channel
}

// channel is the way of one currency into a payway.
type channel struct {
	active   bool
	limits   limits
	order    int64
	fee      *fee // nil for none that is active
	boundFee *fee // for merchants bound to the payway; nil for none that is active
}

// limits are inclusive; nil is no limit.
type limits struct{ min, max *decimal.Decimal }

type exchange struct {
	active bool
	rate   rate
	fee    decimal.Decimal
	limits limits
}

type merchant struct {
	lid            string
	apiKey, sciKey wire.Key
	active         bool
	customFee      bool   // personal fees count
	payway         string // of a typed merchant; "" for others
	off            map[string]bool
	fees           map[string]*fee            // active ones by "visamc/UAH"
	exchangeFees   map[string]decimal.Decimal // active ones by "UAH-USD"
	account        *account
}

// account is a merchant's money.
type account struct {
	mu      sync.Mutex
	balance map[string]decimal.Decimal // by currency
}

func (a *account) credit(currency string, sum decimal.Decimal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.balance[currency] = a.balance[currency].Add(sum)
}

// document returns every balance for a document.
func (a *account) document() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]any, len(a.balance))
	for currency, sum := range a.balance {
		all[currency] = sum
	}
	return all
}

// code is a cheque that can be redeemed once.
type code struct {
	payway, currency string
	amount           decimal.Decimal

	mu    sync.Mutex
	state string
}

// The states of a code. Any other is as good as used.
const (
	codeFresh = "fresh"
	codeUsed  = "used"
)

// feeOf returns the fee that a merchant pays, nil for none: a personal one replaces all
// others, a bound one the common one.
func (m *merchant) feeOf(payway, currency string, c *channel) *fee {
	if m.customFee {
		if personal := m.fees[payway+"/"+currency]; personal != nil {
			return personal
		}
	}
	if m.payway != "" && c.boundFee != nil {
		return c.boundFee
	}
	return c.fee
}

// rateOf returns the rate that a merchant gets, less the exchange's fee, and nil when there
// is no active exchange.
func (r *rules) rateOf(m *merchant, in, out string) *rate {
	name := in + "-" + out
	x := r.exchanges[name]
	if x == nil || !x.active {
		return nil
	}
	fee := x.fee
	if m != nil && m.customFee {
		if personal, ok := m.exchangeFees[name]; ok {
			fee = personal
		}
	}
	effective := x.rate.after(fee)
	return &effective
}

// Bounds of settings.
const (
	maxWindow     = int64(365 * 24 * time.Hour / time.Millisecond)
	maxTimeout    = int64(10 * time.Minute / time.Millisecond)
	maxOffset     = int64(365 * 24 * time.Hour / time.Millisecond)
	maxDeliveries = 100
)

// compile turns a document into rules. Its error is a *ConfigError.
func compile(document any) (*rules, error) {
	var faults []Fault
	root := &node{value: document, faults: &faults}
	if !root.isThere() {
		root.fault("is null")
	}
	top := root.object("settings", "currencies", "payways", "exchanges", "merchants", "codes")
	r := &rules{
		settings:   compileSettings(top("settings")),
		currencies: compileAll(top("currencies"), compileCurrency),
		payways:    compileAll(top("payways"), compilePayway),
		exchanges:  compileAll(top("exchanges"), compileExchange),
		merchants:  compileAll(top("merchants"), compileMerchant),
		codes:      compileAll(top("codes"), compileCode),
	}
	for lid, m := range r.merchants {
		m.lid = lid
	}
	if faults != nil {
		slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
		return nil, &ConfigError{faults}
	}
	return r, nil
}

func compileAll[T any](n *node, one func(*node) T) map[string]T {
	all := map[string]T{}
	n.all(func(name string, member *node) { all[name] = one(member) })
	return all
}

func compileSettings(n *node) settings {
	get := n.object("request_window_ms", "callback_timeout_ms", "callback_offsets_ms", "callback_on_change", "sci_base")
	s := settings{
		window:          get("request_window_ms").integer(60_000, 0, maxWindow),
		callbackTimeout: ms(get("callback_timeout_ms").integer(5_000, 1, maxTimeout)),
		callbackAlways:  get("callback_on_change").boolean(false),
		sciBase:         strings.TrimSuffix(get("sci_base").text(""), "/"),
	}
	if u, err := url.Parse(s.sciBase); s.sciBase != "" && (err != nil || !isWeb(u)) {
		get("sci_base").fault("%q is no http or https address", s.sciBase)
	}
	offsets := get("callback_offsets_ms")
	if !offsets.isThere() {
		s.callbackOffsets = []time.Duration{0, 25 * time.Second, 150 * time.Second, 775 * time.Second, 3900 * time.Second}
	}
	earlier := int64(0)
	offsets.items(func(item *node) {
		earlier = item.need().integer(earlier, earlier, maxOffset)
		s.callbackOffsets = append(s.callbackOffsets, ms(earlier))
	})
	if len(s.callbackOffsets) > maxDeliveries {
		offsets.fault("has more than %d elements", maxDeliveries)
	}
	return s
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func isWeb(u *url.URL) bool {
	return (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) && u.Hostname() != ""
}

func compileCurrency(n *node) *currency {
	get := n.object("precision", "is_crypto", "is_active", "is_disabled", "admin_min", "admin_max")
	get("admin_min").number() // the platform does not look at either
	get("admin_max").number()
	active, disabled := get("is_active").boolean(true), get("is_disabled").boolean(false)
	return &currency{
		decimals: int32(get("precision").need().integer(0, 0, maxDecimals)), //nolint:gosec // at most maxDecimals
		crypto:   get("is_crypto").boolean(false),
		usable:   active && !disabled,
	}
}

func compilePayway(n *node) *payway {
	get := n.object("type", "is_active", "is_disabled", "is_code", "required", "order", "in")
	p := &payway{
		kind:     get("type").oneOf("sci", "crypto", "cheque", "cash"),
		active:   get("is_active").boolean(true),
		disabled: get("is_disabled").boolean(false),
		codes:    get("is_code").boolean(false),
		order:    compileOrder(get("order")),
		in:       compileAll(get("in"), compileChannel),
	}
	get("required").items(func(item *node) { p.required = append(p.required, item.need().text("")) })
	slices.Sort(p.required)
	p.required = slices.Compact(p.required)
	return p
}

func compileChannel(n *node) *channel {
	get := n.object("is_active", "order", "tech_min", "tech_max", "fee", "bound_fee")
	return &channel{
		active:   get("is_active").boolean(true),
		order:    compileOrder(get("order")),
		limits:   compileLimits(get),
		fee:      compileFee(get("fee")),
		boundFee: compileFee(get("bound_fee")),
	}
}

func compileOrder(n *node) int64 { return n.integer(0, -1<<53, 1<<53) }

func compileLimits(get func(string) *node) limits {
	return limits{get("tech_min").limit(), get("tech_max").limit()}
}

// compileFee returns nil for a fee that is not there or not active.
func compileFee(n *node) *fee {
	get := n.object("add", "mult", "min", "max", "method", "is_active")
	f := &fee{mult: get("mult").number(), add: get("add").number(), min: get("min").number(), max: get("max").number()}
	get("method").oneOf(feeMethod)
	if !n.isThere() || !get("is_active").boolean(true) {
		return nil
	}
	return f
}

func compileExchange(n *node) *exchange {
	get := n.object("rate", "fee", "tech_min", "tech_max", "is_active")
	return &exchange{
		active: get("is_active").boolean(true),
		rate:   compileRate(get("rate").need()),
		fee:    compileFraction(get("fee")),
		limits: compileLimits(get),
	}
}

// compileRate reads [r, "1"] or ["1", r]; ["1", "1"] is the first.
func compileRate(n *node) rate {
	var sides []decimal.Decimal
	n.items(func(item *node) {
		side := item.need().number()
		if !side.IsPositive() {
			item.fault("is not above zero")
		}
		sides = append(sides, side)
	})
	switch {
	case len(sides) == 2 && sides[1].Equal(one):
		return rate{sides[0], true}
	case len(sides) == 2 && sides[0].Equal(one):
		return rate{sides[1], false}
	}
	if n.isThere() {
		n.fault(`is no pair of numbers of which one is "1"`)
	}
	return rate{one, true}
}

// compileFraction reads a number from 0 to 1.
func compileFraction(n *node) decimal.Decimal {
	value := n.number()
	if value.GreaterThan(one) {
		n.fault("%s is more than 1", value)
	}
	return value
}

func compileMerchant(n *node) *merchant {
	get := n.object("api_key", "sci_key", "is_active", "is_customfee", "payway", "payways", "fees", "exchange_fees", "balances")
	m := &merchant{
		apiKey:       wire.Key(get("api_key").need().text("")),
		sciKey:       wire.Key(get("sci_key").need().text("")),
		active:       get("is_active").boolean(true),
		customFee:    get("is_customfee").boolean(false),
		payway:       get("payway").text(""),
		off:          map[string]bool{},
		fees:         compileAll(get("fees"), compileFee),
		exchangeFees: map[string]decimal.Decimal{},
		account:      &account{balance: compileAll(get("balances"), (*node).signed)},
	}
	get("payways").all(func(name string, member *node) { m.off[name] = !member.boolean(true) })
	get("exchange_fees").all(func(name string, member *node) {
		get := member.object("fee", "is_active")
		if fee := compileFraction(get("fee")); get("is_active").boolean(true) {
			m.exchangeFees[name] = fee
		}
	})
	return m
}

func compileCode(n *node) *code {
	get := n.object("payway", "currency", "amount", "state")
	return &code{
		payway:   get("payway").need().text(""),
		currency: get("currency").need().text(""),
		amount:   get("amount").need().number(),
		state:    get("state").text(codeFresh),
	}
}
