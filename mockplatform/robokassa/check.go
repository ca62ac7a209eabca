package robokassa

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// Check names what refuses a request.
type Check string

// The checks of a payment request, in the order in which they are made unless
// Settings.CheckOrder says otherwise.
const (
	CheckShop      Check = "shop"      // code 26
	CheckActive    Check = "active"    // 25, live payments alone
	CheckTestMode  Check = "test_mode" // 23
	CheckSum       Check = "sum"       // 31, and 60 for a currency without a rate
	CheckSignature Check = "signature" // 29
	CheckInvoice   Check = "invoice"   // 30
	CheckExpired   Check = "expired"   // 33
	CheckRecurring Check = "recurring" // 34, 35
	CheckHold      Check = "hold"      // 64, 65
	CheckPaid      Check = "paid"      // 40
)

var checkOrder = []Check{
	CheckShop, CheckActive, CheckTestMode, CheckSum, CheckSignature, CheckInvoice, CheckExpired, CheckRecurring, CheckHold, CheckPaid,
}

// Checks that belong to no request for a payment.
const (
	CheckFields    Check = "fields"    // the parameters themselves
	CheckVerb      Check = "verb"      // of HTTP
	CheckPath      Check = "path"      // nothing is there
	CheckBody      Check = "body"      // too long, or cut off
	CheckOperation Check = "operation" // there is none
	CheckMethod    Check = "method"    // of payment
	CheckCard      Check = "card"
	CheckState     Check = "state" // of the operation
	CheckToken     Check = "token" // a JWT, or a saved card
	CheckAccess    Check = "access"
	CheckFunds     Check = "funds"
)

// A Refusal says which check refused a request, and why.
type Refusal struct {
	Check Check
	*wire.PageError
	HTTP      int                // status, where it is no matter of the protocol; 0 for that
	Diagnosis *journal.Diagnosis // of a signature; nil for what is none
}

// Error is the refusal in one line.
func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Check, r.PageError) }

func refuse(check Check, code wire.Code, why string, args ...any) *Refusal {
	return &Refusal{Check: check, PageError: wire.Refuse(code, fmt.Sprintf(why, args...))}
}

// currencyOf is a currency of hundredths.
func currencyOf(code string) (money.Currency, error) {
	if strings.EqualFold(code, money.RUB.Code()) {
		return money.RUB, nil
	}
	return money.NewCurrency(strings.ToUpper(code), money.RUB.Digits())
}

// Source is where an operation comes from.
type Source string

// The sources of operations.
const (
	FromPage      Source = "page"      // Index.aspx or Indexjson.aspx
	FromCard      Source = "card"      // CoFPayment
	FromInvoice   Source = "invoice"   // the Invoice API
	FromRecurring Source = "recurring" // Recurring
)

// answered tells whether the shop itself waits for the answer, and not a buyer.
func (s Source) answered() bool { return s == FromInvoice || s == FromRecurring }

// draft is a payment request on its way through the checks.
type draft struct {
	wire.Request
	p       *Platform
	s       *Settings
	source  Source
	shop    *Shop
	number  int64        // InvId; 0 to be assigned
	sum     money.Amount // as the shop asks for it
	roubles money.Amount // what the buyer pays
	receipt *wire.Receipt
	expires time.Time // zero for never
	methods []Method  // offered
	free    bool      // the signature was checked already
}

// check makes all checks. It wants p.mu held.
func (d *draft) check() *Refusal {
	checks := map[Check]func() *Refusal{
		CheckShop: d.checkShop, CheckActive: d.checkActive, CheckTestMode: d.checkTestMode, CheckSum: d.checkSum,
		CheckSignature: d.checkSignature, CheckInvoice: d.checkInvoice, CheckExpired: d.checkExpired,
		CheckRecurring: d.checkRecurring, CheckHold: d.checkHold, CheckPaid: d.checkPaid,
	}
	// Without a shop nothing can be judged, whatever the order.
	if d.shop = d.p.shops[d.Login]; d.shop == nil {
		return d.checkShop()
	}
	for _, name := range d.s.CheckOrder {
		if refused := checks[name](); refused != nil {
			return refused
		}
	}
	return nil
}

func (d *draft) checkShop() *Refusal {
	if d.shop == nil {
		return refuse(CheckShop, wire.CodeNoShop, "no shop has the MerchantLogin %.80q", d.Login)
	}
	return nil
}

func (d *draft) checkActive() *Refusal {
	if d.shop.Inactive && !d.IsTest {
		return refuse(CheckActive, wire.CodeInactive, "the shop takes test payments alone")
	}
	return nil
}

func (d *draft) checkTestMode() *Refusal {
	if d.IsTest && !d.shop.hasTestMode() {
		return refuse(CheckTestMode, wire.CodeNoTestMode, "the shop has no test passwords")
	}
	return nil
}

func (d *draft) checkSum() *Refusal {
	c, err := currencyOf(d.Currency)
	if d.Currency == "" {
		c, err = money.RUB, nil
	}
	if err != nil {
		return refuse(CheckSum, wire.CodeConversion, "OutSumCurrency: %v", err)
	}
	if d.sum, err = wire.ParseSum(d.OutSum, c); err != nil {
		return refuse(CheckSum, wire.CodeSum, "OutSum: %v", err)
	}
	d.roubles = d.sum
	if c != money.RUB {
		rate, known := d.s.Rates[c.Code()]
		if !known {
			return refuse(CheckSum, wire.CodeConversion, "OutSumCurrency: there is no rate for %s", c)
		}
		d.roubles, err = money.FromDecimal(d.sum.Decimal().Mul(decimal.RequireFromString(rate)).Round(2), money.RUB)
		if err != nil || d.roubles.Sign() <= 0 {
			return refuse(CheckSum, wire.CodeSum, "OutSum: %s cannot be converted at %s", d.sum, rate)
		}
	}
	if d.roubles.Cmp(maxSum) > 0 {
		return refuse(CheckSum, wire.CodeSum, "OutSum: %s is over %s", d.roubles, maxSum)
	}
	return nil
}

// maxSum bounds every payment, so that sums of many stay in range.
var maxSum = money.New(1_000_000_000_000, money.RUB)

func (d *draft) checkSignature() *Refusal {
	test := d.IsTest
	if d.free || d.Verify(d.s.leniency(), d.shop.hash(test), d.shop.password1(test)) == nil {
		return nil
	}
	return wrongSignature(wire.CodeSignature, d.Signature, d.shop.hash(test), d.p.keysFor(d.shop, 1, test), basesFor(d.Request, d.s.leniency()))
}

func (d *draft) checkInvoice() *Refusal {
	bad := func(why string, args ...any) *Refusal { return refuse(CheckInvoice, wire.CodeInvoice, why, args...) }
	var ok bool
	if d.number, ok = wire.ParseInvID(d.InvID); !ok || d.number > d.s.MaxInvID {
		return bad("InvId %.40q is not a whole number from 1 to %d", d.InvID, d.s.MaxInvID)
	}
	if n := utf8.RuneCountInString(d.Description); n > wire.MaxDescriptionLen {
		return bad("Description has %d characters: possible are %d", n, wire.MaxDescriptionLen)
	}
	if d.Receipt != "" {
		r, err := wire.ParseReceipt(d.Receipt)
		if err != nil {
			return bad("Receipt: %v", err)
		}
		d.receipt = &r
	}
	for _, f := range d.Shp {
		if utf8.RuneCountInString(f.Name)+utf8.RuneCountInString(f.Value) > d.s.MaxShpLength {
			return bad("%.40s is longer than %d characters", f.Name, d.s.MaxShpLength)
		}
	}
	for _, a := range []struct{ name, url, method string }{
		{wire.FieldResultURL2, d.ResultURL2, ""}, {wire.FieldSuccessURL2, d.SuccessURL2, d.SuccessMethod}, {wire.FieldFailURL2, d.FailURL2, d.FailMethod},
	} {
		switch {
		case a.url != "" && !isWebAddress(plain(a.url)):
			return bad("%s %.80q is no http or https address", a.name, a.url)
		case a.method != "" && a.method != "GET" && a.method != "POST":
			return bad("%sMethod %.20q is neither GET nor POST", a.name, a.method)
		}
	}
	return d.checkMethods()
}

// checkMethods finds out which methods the buyer is offered.
func (d *draft) checkMethods() *Refusal {
	d.methods = slices.Clone(methods)
	if len(d.PaymentMethods) > 0 {
		d.methods = slices.DeleteFunc(d.methods, func(m Method) bool {
			return !slices.ContainsFunc(d.PaymentMethods, func(name string) bool { wanted, ok := methodOf(name); return ok && wanted.Label == m.Label })
		})
	}
	if d.StepByStep || d.Recurring || d.Token != "" {
		d.methods = slices.DeleteFunc(d.methods, func(m Method) bool { return !m.Card })
	}
	if len(d.methods) == 0 {
		return refuse(CheckInvoice, wire.CodeInvoice, "PaymentMethods %q leave no method", d.PaymentMethods)
	}
	if d.Token != "" {
		o := d.p.byKey[d.Token]
		if o == nil || o.shop != d.Login || !o.method.Card || !o.state.paid() {
			return refuse(CheckToken, wire.CodeInvoice, "Token is no OpKey of a payment by card in this shop")
		}
	}
	return nil
}

var moscow = time.FixedZone("MSK", 3*60*60)

// parseExpiration reads ExpirationDate: Moscow time unless it names another zone.
func parseExpiration(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	var err error
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		var t time.Time
		if t, err = time.ParseInLocation(layout, text, moscow); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, err
}

func (d *draft) checkExpired() *Refusal {
	if d.Expiration == "" {
		return nil
	}
	t, err := parseExpiration(d.Expiration)
	switch {
	case err != nil:
		return refuse(CheckInvoice, wire.CodeInvoice, "ExpirationDate %.40q is not of the form 2029-01-16T12:00", d.Expiration)
	case !d.p.cfg.Clock.Now().Before(t):
		return refuse(CheckExpired, wire.CodeExpired, "ExpirationDate %s has passed", d.Expiration)
	}
	d.expires = t
	return nil
}

func (d *draft) checkRecurring() *Refusal {
	bad := func(why string, args ...any) *Refusal {
		return refuse(CheckRecurring, wire.CodeRecurring, why, args...)
	}
	switch {
	case (d.Recurring || d.source == FromRecurring) && d.shop.NoRecurring:
		return refuse(CheckRecurring, wire.CodeNoRecurring, "recurring payments are not granted to the shop")
	case d.Recurring && d.StepByStep:
		return bad("Recurring and StepByStep exclude each other")
	case d.source != FromRecurring:
		return nil
	case d.IsTest:
		return bad("there is no test mode for Recurring")
	case d.number == 0:
		return bad("InvoiceID is missing")
	case d.IncCurrLabel != "" || d.Expiration != "":
		return bad("IncCurrLabel and ExpirationDate are not allowed")
	}
	previous, ok := wire.ParseInvID(d.PreviousID)
	if parent := d.p.byNumber[number{d.Login, previous, false}]; !ok || parent == nil || !parent.request.Recurring || parent.state != stateDone {
		return bad("PreviousInvoiceID %.40q is no paid payment with Recurring=true", d.PreviousID)
	}
	return nil
}

func (d *draft) checkHold() *Refusal {
	switch {
	case !d.StepByStep:
		return nil
	case d.shop.NoHolds:
		return refuse(CheckHold, wire.CodeNoHold, "holds are not granted to the shop")
	case d.IsTest:
		return refuse(CheckHold, wire.CodeHold, "there is no test mode for holds")
	case d.source == FromRecurring || d.Token != "":
		return refuse(CheckHold, wire.CodeHold, "StepByStep is possible only for a new payment by card")
	}
	return nil
}

func (d *draft) checkPaid() *Refusal {
	if d.IsTest || d.number == 0 {
		return nil
	}
	o := d.p.byNumber[number{d.Login, d.number, false}]
	if o == nil || !o.state.taken() {
		return nil
	}
	return refuse(CheckPaid, wire.CodePaid, "the number %s stands for an operation in state %d", strconv.FormatInt(d.number, 10), o.state)
}
