package robokassa

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// Methods of the XML service, as the journal calls them too.
const (
	MethodOpState    = "OpState"
	MethodOpStateExt = "OpStateExt"
	MethodCurrencies = "GetCurrencies"
	MethodMethods    = "GetPaymentMethods"
	MethodRates      = "GetRates"
	MethodCalc       = "CalcOutSumm"
)

var serviceMethods = []string{MethodOpState, MethodOpStateExt, MethodCurrencies, MethodMethods, MethodRates, MethodCalc}

// A resultRefusal is a Result.Code with what the journal says of it.
type resultRefusal struct {
	check     Check
	code      wire.ResultCode
	why       string
	diagnosis *journal.Diagnosis // of a signature
}

// ask carries out a method of the XML service and returns its document.
func (p *Platform) ask(method string, f wire.Fields) (document any, _ *resultRefusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.settings.Load()
	names := wire.NewNames(s.Namespace)
	refused := func(r *resultRefusal) wire.ResultElement {
		if r == nil {
			return wire.ResultOf(wire.ResultOK)
		}
		return wire.ResultOf(r.code)
	}
	shop := p.shops[f.Get(wire.FieldLogin)]
	var no *resultRefusal
	if shop == nil {
		no = &resultRefusal{check: CheckShop, code: wire.ResultNoShop, why: "no shop has the MerchantLogin " + f.Get(wire.FieldLogin)}
	}
	english := strings.EqualFold(f.Get("Language"), "en")
	switch method {
	case MethodOpState, MethodOpStateExt:
		o, why := p.stateOf(shop, f, no)
		d := wire.OperationState{Names: names, Result: refused(why)}
		if why == nil {
			p.describe(&d, o, s, method == MethodOpStateExt)
		}
		return d, why
	case MethodMethods:
		d := wire.PaymentMethodsList{Names: names, Result: refused(no)}
		if no == nil {
			d.Methods = &[]wire.PaymentMethod{}
			for _, m := range methods {
				*d.Methods = append(*d.Methods, wire.PaymentMethod{Code: m.Alias, Description: m.name(english)})
			}
		}
		return d, no
	case MethodCalc:
		out, why := p.calc(shop, f, s, no)
		return wire.CalcSums{Names: names, Result: refused(why), OutSum: out}, why
	}
	d := wire.CurrenciesList{XMLName: xml.Name{Local: wire.RootCurrencies}, Names: names}
	rate := ""
	if method == MethodRates {
		d.XMLName.Local = wire.RootRates
		sum, err := wire.ParseSum(f.Get(wire.FieldOutSum), money.RUB)
		if no == nil && err != nil {
			no = &resultRefusal{check: CheckSum, code: wire.ResultInternal, why: "OutSum: " + err.Error()}
		}
		rate = wire.SixDigits(sum)
	}
	d.Result = refused(no)
	if no == nil {
		groups := currencyGroups(english, rate, f.Get(wire.FieldIncCurrLabel))
		d.Groups = &groups
	}
	return d, no
}

func (m Method) name(english bool) string {
	if english {
		return m.EN
	}
	return m.RU
}

// currencyGroups lists the methods; rate is what the buyer would pay, "" where nobody asked,
// and label the one method that is asked for, "" for all.
func currencyGroups(english bool, rate, label string) []wire.CurrencyGroup {
	groups := []wire.CurrencyGroup{}
	for _, m := range methods {
		if label != "" && !strings.EqualFold(label, m.Label) {
			continue
		}
		c := wire.Currency{Label: m.Label, Alias: m.Alias, Name: m.name(english), MinValue: m.MinRU, MaxValue: m.Most}
		if rate != "" {
			c.Rate = &wire.Rate{IncSum: rate}
		}
		at := slices.IndexFunc(groups, func(g wire.CurrencyGroup) bool { return g.Code == m.Group })
		if at < 0 {
			at = len(groups)
			groups = append(groups, wire.CurrencyGroup{Code: m.Group, Description: groupNames[m.Group][english]})
		}
		groups[at].Items = append(groups[at].Items, c)
	}
	return groups
}

var groupNames = map[string]map[bool]string{
	"BankCard": {false: "Банковской картой", true: "By bank card"},
	"SBP":      {false: "Через СБП", true: "By SBP"},
	"EMoney":   {false: "Кошельком", true: "By wallet"},
}

// wrongResult refuses a signature of the XML service, which knows no test mode.
func (p *Platform) wrongResult(shop *Shop, password int, base wire.Base, sent string) *resultRefusal {
	refused := wrongSignature(wire.CodeSignature, sent, shop.Hash, p.keysFor(shop, password, false), plainBases(base))
	return &resultRefusal{CheckSignature, wire.ResultSignature, refused.Reason, refused.Diagnosis}
}

// stateOf finds the operation that OpState is asked about.
func (p *Platform) stateOf(shop *Shop, f wire.Fields, no *resultRefusal) (*operation, *resultRefusal) {
	if no != nil {
		return nil, no
	}
	signature := f.Get("Signature")
	if signature == "" {
		signature = f.Get(wire.FieldSignature)
	}
	base := wire.OpStateBase(shop.Login, f.Get(wire.FieldInvID))
	if base.Verify(shop.Hash, shop.Password2, signature) != nil {
		return nil, p.wrongResult(shop, 2, base, signature)
	}
	id, ok := wire.ParseInvID(f.Get(wire.FieldInvID))
	live, test := p.byNumber[number{shop.Login, id, false}], p.byNumber[number{shop.Login, id, true}]
	switch {
	case !ok, live == nil, live.state == stateOpened:
		return nil, &resultRefusal{check: CheckOperation, code: wire.ResultNoOperation, why: "no buyer has begun to pay a number " + f.Get(wire.FieldInvID)}
	case test != nil && test.state != stateOpened && p.settings.Load().TestOpState == "ambiguous":
		return nil, &resultRefusal{check: CheckOperation, code: wire.ResultAmbiguous, why: "there is a test payment with the number too"}
	}
	return live, nil
}

// describe fills in what OpState tells of an operation.
func (p *Platform) describe(d *wire.OperationState, o *operation, s *Settings, ext bool) {
	d.State = &wire.StateElement{Code: wire.StateCode(o.state), RequestDate: isoTime(o.created), StateDate: isoTime(o.changed)}
	credited, _ := o.roubles.Sub(o.fee) // the fee is a part of it
	d.Info = &wire.InfoElement{
		IncCurrLabel: o.method.Label, IncSum: wire.SixDigits(o.roubles), IncAccount: o.account,
		PaymentMethod: wire.MethodElement{Code: o.method.Alias, Description: o.method.RU},
		OutCurrLabel:  "RUB", OutSum: wire.SixDigits(credited),
	}
	if !ext {
		return
	}
	key, rrn := o.opKey, o.rrn
	d.Info.OpKey, d.Info.BankCardRRN = &key, &rrn
	if len(o.request.Shp) == 0 {
		return
	}
	list := &wire.UserFieldsList{}
	for _, f := range o.request.Shp {
		list.Fields = append(list.Fields, wire.UserField(f))
	}
	if s.UserFields != "UserFields" {
		d.UserField = list
	}
	if s.UserFields != "UserField" {
		d.UserFields = list
	}
}

// calc is CalcOutSumm: what the shop gets of a sum that a buyer pays.
func (p *Platform) calc(shop *Shop, f wire.Fields, s *Settings, no *resultRefusal) (string, *resultRefusal) {
	if no != nil {
		return "", no
	}
	if signature := f.Get("Signature"); signature != "" {
		base := wire.CalcOutSummBase(shop.Login, f.Get(wire.FieldIncSum))
		if base.Verify(shop.Hash, shop.Password1, signature) != nil {
			return "", p.wrongResult(shop, 1, base, signature)
		}
	}
	sum, err := wire.ParseSum(f.Get(wire.FieldIncSum), money.RUB)
	if err != nil {
		return "", &resultRefusal{check: CheckSum, code: wire.ResultInternal, why: "IncSum: " + err.Error()}
	}
	if _, known := methodOf(f.Get(wire.FieldIncCurrLabel)); !known {
		return "", &resultRefusal{check: CheckMethod, code: wire.ResultInternal, why: "IncCurrLabel is not known"}
	}
	fee := sum.Decimal().Mul(decimal.RequireFromString(s.FeePercent)).Div(decimal.NewFromInt(100)).Round(2)
	return sum.Decimal().Sub(fee).StringFixed(6), nil
}
