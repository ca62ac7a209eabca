package anymoney

import (
	"net/http"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
)

// MethodForm is what the journal calls a form that asks for an order.
const MethodForm = "sci.invoice"

// formFields are the fields that mean something, in the order of their names, but for
// merchant and sign.
var formFields = []string{
	wire.FieldAmount, wire.FieldCallbackURL, wire.FieldClientEmail, wire.FieldExpiry, wire.FieldExternalID,
	wire.FieldInCurr, wire.FieldIsMultipay, wire.FieldLifetime, wire.FieldPayfee, wire.FieldOutCurr,
	wire.FieldPayway, wire.FieldRedirectURL,
}

// serveForm makes an invoice of a form and sends the payer to its paylink, or says at the
// error page why there is none.
func (h *handler) serveForm(w http.ResponseWriter, r *http.Request) {
	c := h.begin(r, MethodForm)
	refused := c.read(w)
	c.serve(w, false, func(*fault.Plan) *fault.Answer {
		h.p.world.RLock()
		defer h.p.world.RUnlock()
		base := h.p.rules.Load().settings.sciBase
		var paylink string
		if refused == nil {
			paylink, refused = c.invoice(base)
		}
		answer := &fault.Answer{Status: http.StatusFound, Header: http.Header{}}
		switch {
		case refused == nil:
			answer.Header.Set("Location", paylink)
		case refused.HTTP != 0:
			answer.Status = refused.HTTP
			if refused.Check == CheckVerb {
				answer.Header.Set("Allow", http.MethodPost)
			}
		default:
			answer.Header.Set("Location", wire.ErrorURL(base, refused.Error))
		}
		c.note(refused)
		return answer
	})
}

// invoice makes the checks of §12.2, in their order, and then the order.
func (c *call) invoice(base string) (paylink string, _ *Refusal) {
	form, err := wire.ParseForm(string(c.body))
	if err != nil {
		return "", &Refusal{Check: CheckForm, Error: wire.ParseError(), Detail: err.Error()}
	}
	var params wire.Object
	for _, name := range formFields {
		if form[name] != "" {
			params = append(params, wire.Member{Name: name, Value: wire.Text(form[name])})
		}
	}
	c.exchange.Payment = payment(params)
	c.exchange.Secrets = secretsIn(params)
	m, refused := c.formMerchant(form)
	if refused != nil {
		return "", refused
	}
	for _, name := range []string{wire.FieldAmount, wire.FieldExternalID, wire.FieldInCurr} {
		if form[name] == "" {
			return "", refusal(CheckParams, wire.ShouldBeProvided(name))
		}
	}
	d := newDraft(c.p.rules.Load(), m, params)
	multipay, lifetime, refused := d.readForm(form)
	if refused == nil {
		refused = d.check()
	}
	if refused != nil {
		return "", refused
	}
	o := d.order()
	o.viaForm, o.openPayway, o.multipay, o.lifetime = true, d.payway == "", multipay, lifetime
	if refused := c.p.place(d, o); refused != nil {
		return "", refused
	}
	return wire.Paylink(base, o.token), nil
}

// formMerchant finds out whose form it is, and whether the merchant signed it.
func (c *call) formMerchant(form wire.Form) (*merchant, *Refusal) {
	for _, name := range []string{wire.FieldMerchant, wire.FieldSign} {
		if form[name] == "" {
			return nil, refusal(CheckForm, wire.ShouldBeProvided(name))
		}
	}
	m := c.p.rules.Load().merchants[form[wire.FieldMerchant]]
	if m == nil || !m.active {
		return nil, refusal(CheckMerchant, wire.MerchantInactive(wire.FieldMerchant))
	}
	c.exchange.Partner = m.lid
	if m.sciKey.VerifyForm(form) != nil {
		c.exchange.Diagnosis = c.diagnoseForm(m, form)
		return nil, wrongSignature(form.SignedText())
	}
	return m, nil
}

// readForm reads the fields that only the form has. Of the lifetime and its older name the
// newer one counts.
func (d *draft) readForm(form wire.Form) (multipay bool, lifetime time.Duration, _ *Refusal) {
	multipay, err := wire.ParseMultipay(form[wire.FieldIsMultipay])
	if err != nil {
		return false, 0, refusal(CheckParams, err)
	}
	share, err := wire.ParsePayfee(form[wire.FieldPayfee])
	if err != nil {
		return false, 0, refusal(CheckParams, err)
	}
	text := form[wire.FieldLifetime]
	if text == "" {
		text = form[wire.FieldExpiry]
	}
	millis, err := wire.ParseLifetime(text)
	if err != nil {
		return false, 0, refusal(CheckParams, err)
	}
	d.terms.share, _ = share.Decimal() // at most two decimals
	return multipay, time.Duration(millis) * time.Millisecond, nil
}
