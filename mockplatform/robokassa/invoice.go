package robokassa

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
)

// invoice is what the Invoice API knows of an operation besides. It is guarded by Platform.mu.
type invoice struct {
	operation   *operation
	kind        string // wire.InvoiceOneTime or wire.InvoiceReusable
	asked       wire.CreateInvoice
	deactivated bool
	modified    time.Time
	payments    int // of a reusable one, by operations of their own
}

func (i *invoice) status() string {
	switch {
	case i.operation.state == stateDone || i.payments > 0:
		return wire.InvoicePaid
	case i.deactivated || i.operation.expired:
		return wire.InvoiceExpired
	}
	return wire.InvoiceNotPaid
}

// tokenFor verifies a token of the Invoice API, which names its shop in the payload. It wants
// mu held.
func (p *Platform) tokenFor(t wire.Token) (*Shop, *Refusal) {
	var about struct {
		MerchantLogin        string
		AdditionalParameters map[string]json.RawMessage
	}
	if err := t.Decode(&about); err != nil {
		return nil, refuse(CheckToken, wire.CodeInvoice, "%v", err)
	}
	shop := p.shops[about.MerchantLogin]
	if shop == nil {
		return nil, refuse(CheckShop, wire.CodeNoShop, "no shop has the MerchantLogin %.80q", about.MerchantLogin)
	}
	flag := strings.Trim(string(about.AdditionalParameters["IsTest"]), `"`)
	test := flag == "1" || flag == "true"
	if test && !shop.hasTestMode() {
		return nil, refuse(CheckTestMode, wire.CodeNoTestMode, "the shop has no test passwords")
	}
	if err := t.VerifyInvoice(shop.hash(test), wire.InvoiceKey(shop.Login, shop.password1(test))); err != nil {
		refused := refuse(CheckSignature, wire.CodeSignature, "%v; the key is %s:password 1 of this mode", err, shop.Login)
		return nil, p.wrongToken(refused, shop.Login+":password 1 of this mode", func(key wire.Password) error { return t.VerifyInvoice(shop.hash(test), key) },
			func(password wire.Password) wire.Password { return wire.InvoiceKey(shop.Login, password) }, p.keysFor(shop, 1, test))
	}
	return shop, nil
}

// decodeToken reads the payload of a verified token.
func decodeToken(t wire.Token, into any) *Refusal {
	if err := t.Decode(into); err != nil {
		return refuse(CheckFields, wire.CodeInvoice, "%v", err)
	}
	return nil
}

// invoiceMessage is what the Invoice API says of a refusal.
func invoiceMessage(refused *Refusal) string {
	if refused.Reason == wire.InvoiceTaken {
		return refused.Reason
	}
	return refused.Code.Russian() + ": " + refused.Reason
}

func (p *Platform) createInvoice(t wire.Token, base string) (wire.InvoiceCreated, *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	none := wire.InvoiceCreated{}
	shop, refused := p.tokenFor(t)
	if refused != nil {
		return none, refused
	}
	var asked wire.CreateInvoice
	if refused = decodeToken(t, &asked); refused != nil {
		return none, refused
	}
	r, refused := requestOf(asked)
	if refused != nil {
		return none, refused
	}
	d := &draft{Request: r, p: p, s: p.settings.Load(), source: FromInvoice, free: true}
	if refused = d.check(); refused != nil {
		if refused.Check == CheckPaid {
			refused.Reason = wire.InvoiceTaken
		}
		return none, refused
	}
	if d.number != 0 && p.byNumber[number{shop.Login, d.number, d.IsTest}] != nil {
		refused = refuse(CheckPaid, wire.CodeInvoice, "%s", wire.InvoiceTaken)
		return none, refused
	}
	i := &invoice{kind: asked.InvoiceType, asked: asked, modified: p.cfg.Clock.Now()}
	i.operation = p.begin(d)
	i.operation.invoice = i
	p.invoices = append(p.invoices, i)
	return wire.InvoiceCreated{
		ID: i.operation.guid, InvID: i.operation.number.id, URL: invoiceURL(base, i.operation.guid), IsSuccess: true,
	}, nil
}

// invoiceURL is the link to an invoice; base is where Merchant is.
func invoiceURL(base, guid string) string { return base + "/merchant/Invoice/" + encodedID(guid) }

// requestOf turns the payload of CreateInvoice into what it would be on the payment page.
func requestOf(asked wire.CreateInvoice) (wire.Request, *Refusal) {
	r := wire.Request{
		Login: asked.MerchantLogin, OutSum: string(asked.OutSum), InvID: string(asked.InvID), Description: asked.Description,
		Culture: asked.Culture, Expiration: asked.ExpirationDate,
	}
	switch asked.InvoiceType {
	case wire.InvoiceOneTime, wire.InvoiceReusable:
	default:
		return r, refuse(CheckFields, wire.CodeInvoice, "InvoiceType %.40q is neither %s nor %s", asked.InvoiceType, wire.InvoiceOneTime, wire.InvoiceReusable)
	}
	for _, name := range slices.Sorted(maps.Keys(asked.UserFields)) {
		if len(name) < 4 || !strings.EqualFold(name[:4], "shp_") {
			return r, refuse(CheckFields, wire.CodeInvoice, "UserFields: %.40q does not begin with shp_", name)
		}
		r.Shp = append(r.Shp, wire.Field{Name: name, Value: asked.UserFields[name]})
	}
	r.Shp = append(r.Shp, wire.Field{Name: wire.InvoiceField, Value: wire.InvoiceFieldValue})
	for i, a := range []*wire.ReturnAddress{asked.SuccessURL2Data, asked.FailURL2Data} {
		switch {
		case a == nil:
		case i == 0:
			r.SuccessURL2, r.SuccessMethod = a.URL, strings.ToUpper(a.Method)
		default:
			r.FailURL2, r.FailMethod = a.URL, strings.ToUpper(a.Method)
		}
	}
	if len(asked.InvoiceItems) > 0 {
		receipt, err := json.Marshal(receiptOf(asked.InvoiceItems))
		if err != nil {
			return r, refuse(CheckFields, wire.CodeInvoice, "InvoiceItems: %v", err)
		}
		r.Receipt = string(receipt)
	}
	var exclusive int
	for name, value := range asked.AdditionalParameters {
		set := value == "true" || value == "1"
		switch {
		case strings.EqualFold(name, "Email"):
			r.Email = value
		case strings.EqualFold(name, wire.FieldResultURL2):
			r.ResultURL2 = value
		case strings.EqualFold(name, wire.FieldStepByStep):
			r.StepByStep = set
		case strings.EqualFold(name, wire.FieldRecurring):
			r.Recurring = set
		case strings.EqualFold(name, wire.FieldToken):
			r.Token, set = value, value != ""
		case strings.EqualFold(name, wire.FieldIsTest):
			r.IsTest, set = set, false
		case strings.EqualFold(name, "Split"):
			return r, refuse(CheckFields, wire.CodeInvoice, "AdditionalParameters.Split is not imitated")
		default:
			return r, refuse(CheckFields, wire.CodeInvoice, "AdditionalParameters.%.40s is not known", name)
		}
		if set && !strings.EqualFold(name, "Email") && !strings.EqualFold(name, wire.FieldResultURL2) {
			exclusive++
		}
	}
	if exclusive > 1 {
		return r, refuse(CheckFields, wire.CodeInvoice, "AdditionalParameters: of StepByStep, Recurring and Token only one is possible")
	}
	return r, nil
}

func receiptOf(items []wire.InvoiceItem) wire.Receipt {
	var r wire.Receipt
	for _, i := range items {
		r.Items = append(r.Items, wire.ReceiptItem{
			Name: i.Name, Quantity: i.Quantity, Cost: i.Cost, Tax: i.Tax,
			PaymentMethod: i.PaymentMethod, PaymentObject: i.PaymentObject, NomenclatureCode: i.NomenclatureCode,
		})
	}
	return r
}

func (p *Platform) deactivateInvoice(t wire.Token) *Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	shop, refused := p.tokenFor(t)
	if refused != nil {
		return refused
	}
	var asked wire.DeactivateInvoice
	if refused = decodeToken(t, &asked); refused != nil {
		return refused
	}
	guid := strings.ToLower(asked.ID)
	if guid == "" {
		guid = decodedID(asked.EncodedID)
	}
	at := slices.IndexFunc(p.invoices, func(i *invoice) bool {
		o := i.operation
		return o.shop == shop.Login && (guid != "" && o.guid == guid || guid == "" && string(asked.InvID) == o.invID())
	})
	switch {
	case at < 0:
		return refuse(CheckOperation, wire.CodeInvoiceNotFound, "the shop has no such invoice")
	case p.invoices[at].status() != wire.InvoiceNotPaid:
		return refuse(CheckState, wire.CodeInvoicePaid, "the invoice is %s", p.invoices[at].status())
	}
	i := p.invoices[at]
	i.deactivated, i.modified = true, p.cfg.Clock.Now()
	p.expire(i.operation)
	return nil
}

func (p *Platform) listInvoices(t wire.Token, base string) (wire.InvoiceList, *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	none := wire.InvoiceList{Invoices: []wire.InvoiceInformation{}}
	shop, refused := p.tokenFor(t)
	if refused != nil {
		return none, refused
	}
	var asked wire.ListInvoices
	if refused = decodeToken(t, &asked); refused != nil {
		return none, refused
	}
	match, refused := matcher(asked)
	if refused != nil {
		return none, refused
	}
	var found []*invoice
	for _, i := range p.invoices {
		if i.operation.shop == shop.Login && match(i) {
			found = append(found, i)
		}
	}
	if !asked.IsAscending {
		slices.Reverse(found)
	}
	from := min((asked.CurrentPage-1)*asked.PageSize, len(found))
	none.Total, none.IsSuccess = len(found), true
	for _, i := range found[from:min(from+asked.PageSize, len(found))] {
		none.Invoices = append(none.Invoices, information(i, base))
	}
	return none, nil
}

// maxPage bounds PageSize and, so that their product fits, CurrentPage.
const maxPage = 1_000_000

// matcher reads the filter of GetInvoiceInformationList.
func matcher(asked wire.ListInvoices) (func(*invoice) bool, *Refusal) {
	bad := func(why string, args ...any) (func(*invoice) bool, *Refusal) {
		return nil, refuse(CheckFields, wire.CodeInvoice, why, args...)
	}
	oneOf := func(list []string, word string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, word) })
	}
	from, errFrom := parseExpiration(asked.DateFrom)
	to, errTo := parseExpiration(asked.DateTo)
	low, high := money.New(0, money.RUB), maxSum
	var errLow, errHigh error
	if asked.SumFrom != "" {
		low, errLow = money.ParseBalance(string(asked.SumFrom), money.RUB)
	}
	if asked.SumTo != "" {
		high, errHigh = money.ParseBalance(string(asked.SumTo), money.RUB)
	}
	switch {
	case asked.CurrentPage < 1 || asked.CurrentPage > maxPage:
		return bad("CurrentPage %d is not between 1 and %d", asked.CurrentPage, maxPage)
	case asked.PageSize < 1 || asked.PageSize > maxPage:
		return bad("PageSize %d is not between 1 and %d", asked.PageSize, maxPage)
	case len(asked.InvoiceStatuses) == 0:
		return bad("InvoiceStatuses is missing")
	case len(asked.InvoiceTypes) == 0:
		return bad("InvoiceTypes is missing")
	case errFrom != nil:
		return bad("DateFrom %.40q is no date", asked.DateFrom)
	case errTo != nil:
		return bad("DateTo %.40q is no date", asked.DateTo)
	case errors.Join(errLow, errHigh) != nil:
		return bad("SumFrom, SumTo: %v", errors.Join(errLow, errHigh))
	}
	for _, status := range asked.InvoiceStatuses {
		if !oneOf([]string{wire.InvoicePaid, wire.InvoiceExpired, wire.InvoiceNotPaid}, status) {
			return bad("InvoiceStatuses: %.40q is not known", status)
		}
	}
	for _, kind := range asked.InvoiceTypes {
		if !oneOf([]string{wire.InvoiceOneTime, wire.InvoiceReusable}, kind) {
			return bad("InvoiceTypes: %.40q is not known", kind)
		}
	}
	return func(i *invoice) bool {
		o := i.operation
		return oneOf(asked.InvoiceStatuses, i.status()) && oneOf(asked.InvoiceTypes, i.kind) &&
			!o.created.Before(from) && !o.created.After(to) && o.roubles.Cmp(low) >= 0 && o.roubles.Cmp(high) <= 0 &&
			(asked.Keywords == "" || strings.Contains(strings.ToLower(o.request.Description), strings.ToLower(asked.Keywords)) || o.invID() == asked.Keywords)
	}, nil
}

func information(i *invoice, base string) wire.InvoiceInformation {
	o := i.operation
	info := wire.InvoiceInformation{
		ID: o.guid, InvID: o.number.id, InvoiceType: i.kind, Created: isoTime(o.created), Modified: isoTime(i.modified),
		OutSum: json.Number(o.sum.Text()), Description: o.request.Description, InvoiceStatus: i.status(), PaymentURL: invoiceURL(base, o.guid),
		Aliases: []string{}, Items: []wire.ListedItem{}, UserFields: i.asked.UserFields, Payments: []json.RawMessage{},
	}
	for _, item := range i.asked.InvoiceItems {
		info.Items = append(info.Items, wire.ListedItem{
			Name: item.Name, Quantity: item.Quantity, Cost: item.Cost, Tax: item.Tax, PaymentMethod: item.PaymentMethod, PaymentObject: item.PaymentObject,
		})
	}
	return info
}

// isoTime writes a time as the APIs do: ISO 8601 with fraction, in Moscow.
func isoTime(t time.Time) string { return t.In(moscow).Format("2006-01-02T15:04:05.0000000-07:00") }

// openInvoice returns the operation that a link of the Invoice API leads to. A reusable
// invoice that was paid begins a new one, under a new number.
func (p *Platform) openInvoice(encoded string) (guid string, _ *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.byGUID[decodedID(encoded)]
	if o == nil || o.invoice == nil {
		return "", refuse(CheckOperation, wire.CodeInvoiceNotFound, "there is no such invoice")
	}
	i := o.invoice
	if i.kind == wire.InvoiceReusable && o.state.taken() && !i.deactivated {
		r := o.request
		r.InvID = ""
		d := &draft{Request: r, p: p, s: p.settings.Load(), source: FromInvoice, free: true}
		if refused := d.check(); refused != nil {
			return "", refused
		}
		i.payments++
		return p.begin(d).guid, nil
	}
	if refused := p.payable(o); refused != nil {
		return "", refused
	}
	return o.guid, nil
}

// refund is a request of the Refund API. It is guarded by Platform.mu.
type refund struct {
	id     string
	amount money.Amount
	label  string
	of     *operation
	timer  *clock.Timer
}

// createRefund begins a refund that a shop asks for. The operation is nil until its OpKey was
// read.
func (p *Platform) createRefund(t wire.Token) (id string, of *operation, _ *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var asked wire.CreateRefund
	if err := t.Decode(&asked); err != nil {
		return "", nil, refuse(CheckFields, wire.CodeInvoice, "%v", err)
	}
	o := p.byKey[asked.OpKey]
	noAccess := func(why string) (string, *operation, *Refusal) {
		refused := refuse(CheckAccess, wire.CodeSignature, "%s", why)
		refused.HTTP = 401
		return "", o, refused
	}
	if o == nil {
		return noAccess("OpKey is known to no shop")
	}
	shop := p.shops[o.shop]
	if shop == nil || shop.Password3 == "" {
		return noAccess("the shop has no password 3")
	}
	if err := t.VerifyRefund(shop.Password3); err != nil {
		_, _, refused := noAccess(err.Error())
		return "", o, p.wrongToken(refused, "password 3", t.VerifyRefund, func(password wire.Password) wire.Password { return password }, p.keysFor(shop, 1, false))
	}
	if len(asked.InvoiceItems) > 0 {
		text, err := json.Marshal(receiptOf(asked.InvoiceItems))
		if err == nil {
			_, err = wire.ParseReceipt(string(text))
		}
		if err != nil {
			return "", o, refuse(CheckFields, wire.CodeInvoice, "InvoiceItems: %v", err)
		}
	}
	id, refused := p.giveBack(o, string(asked.RefundSum))
	return id, o, refused
}

// giveBack begins a refund over an amount, or over all that is left for "". It wants mu held.
func (p *Platform) giveBack(o *operation, amount string) (id string, _ *Refusal) {
	left, err := o.roubles.Sub(o.refunded)
	if err != nil || o.state != stateDone || o.number.test {
		return "", refuse(CheckState, wire.CodeInvoice, "%s", wire.RefundNoFunds)
	}
	sum := left
	if amount != "" {
		if sum, err = wire.ParseSum(amount, money.RUB); err != nil {
			return "", refuse(CheckSum, wire.CodeSum, "RefundSum: %v", err)
		}
	}
	if sum.Sign() <= 0 || sum.Cmp(left) > 0 {
		return "", refuse(CheckFunds, wire.CodeSum, "%s", wire.RefundNoFunds)
	}
	if o.refunded, err = o.refunded.Add(sum); err != nil {
		return "", refuse(CheckFunds, wire.CodeSum, "%s", wire.RefundNoFunds)
	}
	r := &refund{id: p.guid(), amount: sum, label: wire.RefundProcessing}
	p.refunds[r.id] = r
	p.finishRefund(r, o, duration(p.settings.Load().RefundDelayMS))
	o.tell()
	return r.id, nil
}

// finishRefund lets a refund be done after a time. It wants mu held.
func (p *Platform) finishRefund(r *refund, o *operation, after time.Duration) {
	r.of = o
	r.timer = p.cfg.Clock.AfterFunc(after, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		r.label = wire.RefundFinished
		o.tell()
	})
}

// refundState tells how a refund stands; the operation is nil if there is no such refund.
func (p *Platform) refundState(id string) (wire.RefundState, *operation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.refunds[strings.ToLower(id)]
	if r == nil {
		return wire.RefundState{}, nil
	}
	return wire.RefundState{RequestID: r.id, Amount: json.Number(wire.SixDigits(r.amount)), Label: r.label}, r.of
}

// held finds the hold that Confirm and Cancel are about, after shop and signature. It wants
// mu held.
func (p *Platform) held(f wire.Fields, base func(wire.Request) []wire.Base) (*operation, *Refusal) {
	r := wire.NewRequest(f)
	shop := p.shops[r.Login]
	if shop == nil {
		return nil, refuse(CheckShop, wire.CodeNoShop, "no shop has the MerchantLogin %.80q", r.Login)
	}
	bases := base(r)
	if !slices.ContainsFunc(bases, func(b wire.Base) bool { return b.Verify(shop.Hash, shop.Password1, r.Signature) == nil }) {
		return nil, wrongSignature(wire.CodeSignature, r.Signature, shop.Hash, p.keysFor(shop, 1, false), plainBases(bases[0]))
	}
	id, ok := wire.ParseInvID(r.InvID)
	o := p.byNumber[number{r.Login, id, false}]
	switch {
	case !ok || o == nil:
		return nil, refuse(CheckOperation, wire.CodeHold, "there is no operation %.40q", r.InvID)
	case o.state != stateHeld:
		return nil, refuse(CheckState, wire.CodeHold, "the operation is in state %d, not on hold", o.state)
	}
	return o, nil
}

func (p *Platform) confirmHold(f wire.Fields) *Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, refused := p.held(f, func(r wire.Request) []wire.Base {
		return wire.Request{Login: r.Login, OutSum: r.OutSum, InvID: r.InvID, Receipt: r.Receipt}.Accepted(p.settings.Load().leniency())
	})
	if refused != nil {
		return refused
	}
	r := wire.NewRequest(f)
	sum, err := wire.ParseSum(r.OutSum, o.sum.Currency())
	if err != nil {
		return refuse(CheckSum, wire.CodeHold, "OutSum: %v", err)
	}
	if sum.Cmp(o.sum) > 0 {
		return refuse(CheckSum, wire.CodeHold, "OutSum %s is more than the %s on hold", sum, o.sum)
	}
	if r.Receipt != "" {
		receipt, err := wire.ParseReceipt(r.Receipt)
		if err != nil {
			return refuse(CheckInvoice, wire.CodeHold, "Receipt: %v", err)
		}
		if o.receipt != nil && receipt.Total().GreaterThan(o.receipt.Total()) {
			return refuse(CheckInvoice, wire.CodeHold, "Receipt: it may only shrink")
		}
		o.receipt = &receipt
	}
	if sum != o.sum && o.sum != o.roubles { // in another currency: the same part of the roubles
		part := o.roubles.Decimal().Mul(sum.Decimal()).Div(o.sum.Decimal()).Round(2)
		if o.roubles, err = money.FromDecimal(part, money.RUB); err != nil {
			return refuse(CheckSum, wire.CodeHold, "OutSum: %v", err)
		}
	} else {
		o.roubles = sum
	}
	o.sum = sum
	p.endHold(o, true)
	return nil
}

func (p *Platform) cancelHold(f wire.Fields) *Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, refused := p.held(f, func(r wire.Request) []wire.Base { return []wire.Base{wire.CancelBase(r.Login, r.InvID)} })
	if refused != nil {
		return refused
	}
	p.endHold(o, false)
	return nil
}

// endHold takes what is on hold, or lets it go back. It wants mu held.
func (p *Platform) endHold(o *operation, take bool) {
	o.timer.Stop()
	if take {
		p.credit(o)
		return
	}
	p.set(o, stateReturned)
}

// recur makes the child of a recurring payment, which is paid without the buyer.
func (p *Platform) recur(r wire.Request) (invID string, _ *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := &draft{Request: r, p: p, s: p.settings.Load(), source: FromRecurring}
	if refused := d.check(); refused != nil {
		return "", refused
	}
	previous, _ := strconv.ParseInt(r.PreviousID, 10, 64) // checked
	parent := p.byNumber[number{r.Login, previous, false}]
	o := p.begin(d)
	o.email = parent.email
	delay := duration(d.s.RecurringMS)
	if delay == 0 {
		p.charge(o)
		return o.invID(), nil
	}
	p.after(o, delay)
	return o.invID(), nil
}

// charge pays a recurring payment as its parent was paid. It wants mu held.
func (p *Platform) charge(o *operation) {
	previous, _ := strconv.ParseInt(o.request.PreviousID, 10, 64) // checked
	parent := p.byNumber[number{o.shop, previous, false}]
	if parent == nil {
		return // forgotten
	}
	if refused := p.try(o, parent.method.Label); refused != nil {
		p.cfg.Log.Debug("a recurring payment was not made", "shop", o.shop, "operation", o.number.id, "err", refused)
		return
	}
	p.pay(o)
}

// recurringAnswer is what Recurring answers.
func recurringAnswer(invID string, refused *Refusal) string {
	if refused != nil {
		return fmt.Sprintf("ERROR %d: %s", refused.Code, refused.Code.Russian())
	}
	return wire.Answer(invID)
}
