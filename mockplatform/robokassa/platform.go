package robokassa

import (
	"crypto/rsa"
	"crypto/x509"
	_ "embed" // for the key of ResultUrl2 and its certificate
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// Protocol is the name of this protocol in the journal.
const Protocol = "robokassa"

// Faults describes the protocol to the rules about what goes wrong.
func Faults() fault.Protocol {
	return fault.Protocol{
		Name: Protocol, Out: []string{MethodResult, MethodNotice}, SignsOut: true,
		In: []string{
			MethodIndex, MethodIndexJSON, MethodPage, MethodPay, MethodRefuse, MethodCancelPage, MethodState,
			MethodCard, MethodConfirm, MethodCancel, MethodRecurring,
			MethodOpState, MethodOpStateExt, MethodCurrencies, MethodMethods, MethodRates, MethodCalc,
			MethodCreateInvoice, MethodDeactivateInvoice, MethodListInvoices, MethodRefund, MethodRefundState,
		},
	}
}

// The key of ResultUrl2. It is public, as its certificate is, and good for nothing else.
var (
	//go:embed notice.key
	noticeKeyFile []byte
	//go:embed notice.cer
	certificate []byte
)

var noticeKey = sync.OnceValue(func() *rsa.PrivateKey {
	block, _ := pem.Decode(noticeKeyFile)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(fmt.Sprintf("robokassa: the embedded key of ResultUrl2: %v", err))
	}
	return key.(*rsa.PrivateKey)
})

// Certificate is what messages to ResultUrl2 are verified with, in DER.
func Certificate() []byte { return slices.Clone(certificate) }

// Config is what a Platform is made of.
type Config struct {
	Clock    *clock.Clock // to be closed after the platform
	Dice     *dice.Dice
	Journal  *journal.Journal
	Faults   *fault.Set   // of its clock; nothing goes wrong if nil
	Log      *slog.Logger // nowhere if nil
	Shops    []Shop       // that exist from the start
	Settings Settings     // at the start; see DefaultSettings
	Base     string       // address of the platform's own paths, without a slash at its end
	// Workers bounds how many messages are on their way at once; 64 if 0.
	Workers int
	// KeepOperations bounds how many operations are remembered; 20,000 if 0.
	KeepOperations int
}

// Platform is Robokassa: its state and what can be done to it. It is safe for concurrent use.
type Platform struct {
	cfg      Config
	desk     *traffic.Desk
	courier  *courier
	settings atomic.Pointer[Settings]

	mu       sync.Mutex // guards what follows; held for moments only
	shops    map[string]*Shop
	byGUID   map[string]*operation
	byNumber map[number]*operation // the one that a shop means by a number
	byKey    map[string]*operation // by OpKey
	order    []*operation          // the oldest first
	invoices []*invoice            // the oldest first
	refunds  map[string]*refund    // by id
	next     int64                 // below the next number to be assigned
}

// firstNumber is below the first number that is assigned.
const firstNumber = 1_500_000_000

// New returns a platform with the given shops and nothing else. It starts nothing. The error
// is a *FieldError.
func New(cfg Config) (*Platform, error) {
	if cfg.Workers <= 0 {
		cfg.Workers = 64
	}
	if cfg.KeepOperations <= 0 {
		cfg.KeepOperations = 20_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Settings.Validate(); err != nil {
		return nil, err
	}
	cfg.Shops = slices.Clone(cfg.Shops)
	p := &Platform{cfg: cfg, desk: traffic.NewDesk(cfg.Clock, cfg.Journal, cfg.Faults)}
	p.courier = &courier{traffic.NewCourier(p.desk, ".NET Framework/v4.0.30319", cfg.Workers), p}
	return p, p.clear()
}

// clear makes the state of the start.
func (p *Platform) clear() error {
	settings := p.cfg.Settings
	p.settings.Store(&settings)
	for _, o := range p.order {
		p.forget(o)
	}
	p.shops, p.byGUID, p.byNumber = map[string]*Shop{}, map[string]*operation{}, map[number]*operation{}
	p.byKey, p.refunds = map[string]*operation{}, map[string]*refund{}
	p.order, p.invoices, p.next = nil, nil, firstNumber
	for _, shop := range p.cfg.Shops {
		normal, err := shop.normal()
		if err != nil {
			return err
		}
		p.shops[normal.Login] = normal
	}
	return nil
}

// Close ends the messages and waits for those on their way.
func (p *Platform) Close() { p.courier.Stop() }

// Reset goes back to the state that New gave. Meanwhile, when no message is on its way and
// nobody looks at the state, it calls also, to reset what the platform shares with others.
func (p *Platform) Reset(also func()) {
	p.courier.Stop()
	p.clearAgain()
	also() // without mu: it waits for timers that run, and they want mu
	p.clearAgain()
	p.courier.Start()
}

func (p *Platform) clearAgain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.clear() // what New accepted is accepted again
}

// Settings returns the switches as they are.
func (p *Platform) Settings() Settings {
	s := *p.settings.Load()
	s.CheckOrder = slices.Clone(s.CheckOrder)
	rates := map[string]string{}
	for code, rate := range s.Rates {
		rates[code] = rate
	}
	s.Rates = rates
	return s
}

// ChangeSettings lets change edit the switches; they hold for everything that happens from
// then on. Its error is change's, or a *FieldError; then nothing was changed.
func (p *Platform) ChangeSettings(change func(*Settings) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.Settings()
	if err := change(&s); err != nil {
		return err
	}
	if err := s.Validate(); err != nil {
		return err
	}
	p.settings.Store(&s)
	return nil
}

// remember adds an operation, and forgets the oldest of too many. It wants mu held.
func (p *Platform) remember(o *operation) {
	p.byGUID[o.guid] = o
	p.order = append(p.order, o)
	for len(p.order) > p.cfg.KeepOperations {
		old := p.order[0]
		p.order[0] = nil
		p.order = p.order[1:]
		p.forget(old)
		delete(p.byGUID, old.guid)
		delete(p.byKey, old.opKey)
		if p.byNumber[old.number] == old {
			delete(p.byNumber, old.number)
		}
		p.invoices = slices.DeleteFunc(p.invoices, func(i *invoice) bool { return i.operation == old })
	}
}

// forget stops whatever an operation waits for.
func (p *Platform) forget(o *operation) {
	o.gone = true
	for _, t := range []*clock.Timer{o.expiry, o.timer, o.result.timer, o.notice.timer} {
		if t != nil {
			t.Stop()
		}
	}
	o.tell()
}

// guid returns a new GUID in lower case.
func (p *Platform) guid() string {
	var b [16]byte
	p.cfg.Dice.Fill(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// opKey returns a new OpKey: a GUID in upper case and ten letters or digits.
func (p *Platform) opKey() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	tail := make([]byte, 10)
	for i := range tail {
		tail[i] = letters[p.cfg.Dice.N(len(letters))]
	}
	return strings.ToUpper(p.guid()) + "-" + string(tail)
}

func (p *Platform) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789"[p.cfg.Dice.N(10)]
	}
	return string(b)
}

// encodedID is a GUID in 22 characters, as links of the Invoice API have it.
func encodedID(guid string) string {
	b, _ := hex.DecodeString(strings.ReplaceAll(guid, "-", "")) // we made it
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodedID undoes encodedID; "" for what it never made.
func decodedID(encoded string) string {
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(b) != 16 {
		return ""
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Open makes the checks of a payment request and returns the GUID of its operation.
func (p *Platform) Open(r wire.Request, source Source) (Operation, *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := &draft{Request: r, p: p, s: p.settings.Load(), source: source}
	if refused := d.check(); refused != nil {
		return Operation{}, refused
	}
	// The same request once more is the same operation: a page that is loaded again.
	if now := p.byNumber[number{d.Login, d.number, d.IsTest}]; now != nil && d.number != 0 && source == FromPage &&
		!now.state.taken() && !now.expired && now.source == source && now.request.Signature == r.Signature {
		return now.view(), nil
	}
	return p.begin(d).view(), nil
}

// Operation returns what a shop means by a number, a live payment before one of the test
// mode, and false if there is none.
func (p *Platform) Operation(shop string, invID int64) (Operation, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.find(shop, invID)
	if o == nil {
		return Operation{}, false
	}
	return o.view(), true
}

// Field returns a field of the shop's own (Shp_…) of the operation that it means by a number;
// "" if there is none.
func (p *Platform) Field(shop, invID, name string) string {
	id, _ := wire.ParseInvID(invID)
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.find(shop, id); o != nil {
		return o.request.Shp.Get(name)
	}
	return ""
}

func (p *Platform) find(shop string, invID int64) *operation {
	live, test := p.byNumber[number{shop, invID, false}], p.byNumber[number{shop, invID, true}]
	if live == nil {
		return test
	}
	return live
}

// Filter chooses operations. Empty fields match everything.
type Filter struct {
	Shop   string
	State  *State
	Source Source
	Before string // only operations older than the one of that GUID
	Limit  int    // at most so many, the newest ones; 0 for all
}

// Operations returns the operations that match, the newest first.
func (p *Platform) Operations(f Filter) []Operation {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Operation
	seen := f.Before == ""
	for _, o := range slices.Backward(p.order) {
		if f.Limit > 0 && len(all) == f.Limit {
			break
		}
		if seen && (f.Shop == "" || o.shop == f.Shop) && (f.State == nil || o.state == *f.State) && (f.Source == "" || o.source == f.Source) {
			all = append(all, o.view())
		}
		seen = seen || o.guid == f.Before
	}
	return all
}

// An Action is what a buyer, the shop or time does to an operation.
type Action string

// The actions.
const (
	ActPay    Action = "pay"
	ActRefuse Action = "refuse" // by the bank
	ActExpire Action = "expire"
	ActTake   Action = "confirm" // the shop takes what is on hold
	ActFree   Action = "cancel"  // or lets it go back
)

// Refund gives money of an operation back, as a shop may do in its account at Robokassa: an
// amount in roubles, or all that is left for "".
func (p *Platform) Refund(shop string, invID int64, amount string) (Operation, *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.find(shop, invID)
	if o == nil {
		return Operation{}, noOperation(shop, invID)
	}
	_, refused := p.giveBack(o, amount)
	return o.view(), refused
}

func noOperation(shop string, invID int64) *Refusal {
	return refuse(CheckOperation, wire.CodeInvoiceNotFound, "shop %s has no operation %d", shop, invID)
}

// Act does to the operation of a number what a buyer would do on its page, or the shop with
// what is on hold. An empty method is the first that is offered.
func (p *Platform) Act(shop string, invID int64, what Action, method string) (Operation, *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.find(shop, invID)
	if o == nil {
		return Operation{}, noOperation(shop, invID)
	}
	switch what {
	case ActExpire:
		if refused := p.payable(o); refused != nil {
			return o.view(), refused
		}
		p.expire(o)
		return o.view(), nil
	case ActTake, ActFree:
		if o.state != stateHeld {
			return o.view(), refuse(CheckState, wire.CodeHold, "the operation is in state %d, not on hold", o.state)
		}
		p.endHold(o, what == ActTake)
		return o.view(), nil
	}
	if refused := p.try(o, method); refused != nil {
		return o.view(), refused
	}
	if what == ActPay {
		p.pay(o)
	} else {
		p.fail(o, string(CardDeclined))
	}
	return o.view(), nil
}

// watch returns a channel on which there is something to receive whenever the operation has
// changed since the last receipt; stop ends it.
func (p *Platform) watch(guid string) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.byGUID[guid]
	if o == nil {
		return c, func() {}
	}
	if o.watchers == nil {
		o.watchers = map[chan struct{}]struct{}{}
	}
	o.watchers[c] = struct{}{}
	return c, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(o.watchers, c)
	}
}
