package robokassa

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/hosts"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// PathRoot is where everything of Robokassa is: the paths of its own hosts follow.
const PathRoot = "/robokassa"

// MaxBody bounds the body of a request, in bytes.
const MaxBody = 1 << 20

// Methods of the journal, besides those of the XML service.
const (
	MethodIndex      = "Index.aspx"
	MethodIndexJSON  = "Indexjson.aspx"
	MethodPage       = "page"
	MethodPay        = "page.pay"
	MethodRefuse     = "page.refuse"
	MethodCancelPage = "page.cancel"
	MethodState      = "State"
	MethodCard       = "CoFPayment"
	MethodConfirm    = "Confirm"
	MethodCancel     = "Cancel"
	MethodRecurring  = "Recurring"

	MethodCreateInvoice     = "CreateInvoice"
	MethodDeactivateInvoice = "DeactivateInvoice"
	MethodListInvoices      = "GetInvoiceInformationList"
	MethodRefund            = "Refund/Create"
	MethodRefundState       = "Refund/GetState"

	methodUnknown = "unknown"
)

type handler struct{ p *Platform }

// Mount adds everything of Robokassa to a router, under PathRoot.
func (p *Platform) Mount(r *mux.Router) {
	r.PathPrefix(PathRoot + "/").Handler(&handler{p})
}

// call is one request on its way through the handler.
type call struct {
	*handler
	request  *http.Request
	rest     string // of the path, behind what chose the endpoint, as it was spelled
	base     string // address of the paths of Robokassa's hosts
	body     []byte
	fields   wire.Fields // of query and form
	fault    error       // of the fields
	exchange *journal.Exchange
	sum      string      // of the invoice that a token asks for
	magic    *fault.Plan // what becomes of the answer by the amount
}

// endpoint is something that can be called.
type endpoint struct {
	method string // of the journal
	verbs  string
	page   bool // for people
	do     func(*call, *fault.Plan) *fault.Answer
}

const (
	get     = http.MethodGet
	post    = http.MethodPost
	getPost = get + ", " + post
)

// endpoints by path in lower case; one that ends in a slash takes what follows.
var endpoints = map[string]endpoint{
	"merchant/index.aspx":           {MethodIndex, getPost, true, (*call).index},
	"merchant/indexjson.aspx":       {MethodIndexJSON, getPost, false, (*call).indexJSON},
	"merchant/index/":               {MethodPage, getPost, true, (*call).payPage},
	"merchant/invoice/":             {MethodPage, get, true, (*call).invoicePage},
	"merchant/state/":               {MethodState, get, true, (*call).statePage},
	"merchant/payment/cofpayment":   {MethodCard, getPost, true, (*call).savedCard},
	"merchant/payment/confirm":      {MethodConfirm, post, false, (*call).confirm},
	"merchant/payment/cancel":       {MethodCancel, post, false, (*call).cancel},
	"merchant/recurring":            {MethodRecurring, post, false, (*call).recurring},
	"merchant/return.js":            {"return.js", get, true, (*call).script},
	"media/files/jwtsign.cer":       {"jwtsign.cer", get, false, (*call).certificate},
	"refundservice/refund/create":   {MethodRefund, post, false, (*call).refund},
	"refundservice/refund/getstate": {MethodRefundState, get, false, (*call).refundState},

	"invoiceservicewebapi/api/createinvoice":             {MethodCreateInvoice, post, false, (*call).createInvoice},
	"invoiceservicewebapi/api/deactivateinvoice":         {MethodDeactivateInvoice, post, false, (*call).deactivateInvoice},
	"invoiceservicewebapi/api/getinvoiceinformationlist": {MethodListInvoices, post, false, (*call).listInvoices},

	"merchant/webservice/service.asmx":  {methodUnknown, post, false, (*call).soap},
	"merchant/webservice/service.asmx/": {methodUnknown, getPost, false, (*call).service},
}

// find returns the endpoint of a path, and what of the path is left for it.
func find(path string) (e endpoint, rest string, ok bool) {
	lower := strings.ToLower(path)
	if e, ok = endpoints[lower]; ok && !strings.HasSuffix(lower, "/") {
		return e, "", true
	}
	at := strings.LastIndex(lower, "/") + 1
	e, ok = endpoints[lower[:at]]
	return e, path[at:], ok
}

// ServeHTTP answers whatever is asked of Robokassa.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{handler: h, request: r, exchange: h.p.desk.Begin(Protocol, methodUnknown), base: h.p.cfg.Base}
	if _, named := hosts.Find(r.Host); named {
		c.base = "http://" + strings.Replace(r.Host, "services.", "auth.", 1)
		if r.TLS != nil {
			c.base = "https" + strings.TrimPrefix(c.base, "http")
		}
	}
	e, rest, ok := find(strings.TrimPrefix(r.URL.Path, PathRoot+"/"))
	switch {
	case !ok:
		e = endpoint{methodUnknown, "", true, (*call).nothing}
	case !slices.Contains(strings.Split(e.verbs, ", "), r.Method):
		verbs := e.verbs
		e.do = func(c *call, _ *fault.Plan) *fault.Answer { return c.wrongVerb(verbs) }
	default:
		c.rest = rest
	}
	c.exchange.Method = e.method
	if (e.method == MethodPage || e.method == MethodState) && c.live(w) {
		return // a stream is not an exchange
	}
	if answer := c.read(w); answer != nil {
		e.do = func(*call, *fault.Plan) *fault.Answer { return answer }
	}
	served := &traffic.Call{Exchange: c.exchange, Body: c.body, Page: e.page}
	served.Do = func(plan *fault.Plan) *fault.Answer {
		answer := e.do(c, plan)
		served.Otherwise = c.magic
		return answer
	}
	h.p.desk.Serve(w, r, served)
}

// read reads the body and, of query and form, the fields. The answer is nil unless the body
// cannot be read.
func (c *call) read(w http.ResponseWriter) *fault.Answer {
	body, err := traffic.ReadBody(w, c.request, MaxBody)
	c.body = body
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, traffic.ErrTooLong):
		status = http.StatusRequestEntityTooLarge
		fallthrough
	case err != nil:
		refused := refuse(CheckBody, wire.CodeInternal, "%v", err)
		c.note(refused)
		return text(status, err.Error())
	}
	query := c.request.URL.RawQuery
	if kind := c.request.Header.Get("Content-Type"); len(body) > 0 && strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		if query != "" {
			query += "&"
		}
		query += string(body)
	}
	c.fields, c.fault = wire.ParseFields(query)
	c.about()
	return nil
}

// about tells the exchange whom and what the call is about, as far as the fields say, with
// the fields as they were decoded and what of them is secret.
func (c *call) about() {
	e := c.exchange
	e.Partner, e.Payment = cutTo(c.fields.Get(wire.FieldLogin), 64), cutTo(c.fields.Get(wire.FieldInvID), 19)
	for _, name := range []string{"number", "cvc"} {
		if v := c.fields.Get(name); v != "" {
			e.Secrets = append(e.Secrets, v, cardDigits(v))
		}
	}
	if len(c.fields) > 0 {
		e.Args = decoded(c.fields)
	}
}

func cutTo(s string, n int) string { return strings.Clone(s[:min(n, len(s))]) }

// decoded writes fields as a JSON object, in their order, for the journal.
func decoded(f wire.Fields) []byte {
	b := []byte{'{'}
	for i, field := range f {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, journal.PlainJSON(field.Name)...), ':'), journal.PlainJSON(field.Value)...)
	}
	return append(b, '}')
}

// note completes the exchange with what was found out about the call.
func (c *call) note(refused *Refusal) {
	v := &c.exchange.Verdict
	v.OK = refused == nil
	if refused != nil {
		v.Check, v.Code, v.Detail = string(refused.Check), int(refused.Code), refused.Reason
		c.exchange.Diagnosis = refused.Diagnosis
	}
}

// noteOperation names the operation in the exchange.
func (c *call) noteOperation(o Operation) {
	c.exchange.Partner, c.exchange.Payment = o.Shop, fmt.Sprint(o.InvID)
}

// noteNumber is noteOperation for what is not shown; nil for none.
func (c *call) noteNumber(o *operation) {
	if o != nil { // its number never changes
		c.exchange.Partner, c.exchange.Payment = o.shop, o.invID()
	}
}

func text(status int, body string) *fault.Answer {
	return &fault.Answer{Status: status, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(body)}
}

func jsonAnswer(status int, body any) *fault.Answer {
	return &fault.Answer{Status: status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: journal.PlainJSON(body)}
}

func (c *call) nothing(*fault.Plan) *fault.Answer {
	c.note(refuse(CheckPath, wire.CodeInternal, "there is nothing at %.200q", c.request.URL.Path))
	return text(http.StatusNotFound, "404: there is nothing at this address")
}

func (c *call) wrongVerb(verbs string) *fault.Answer {
	c.note(refuse(CheckVerb, wire.CodeInternal, "%s is not possible: use %s", c.request.Method, verbs))
	answer := text(http.StatusMethodNotAllowed, "405: use "+verbs)
	answer.Header["Allow"] = []string{verbs}
	return answer
}

// script is what sends the buyer back to a shop that wants it by POST.
func (c *call) script(*fault.Plan) *fault.Answer {
	c.note(nil)
	body, err := pageFiles.ReadFile("page/return.js")
	if err != nil {
		return c.nothing(nil)
	}
	return &fault.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/javascript; charset=utf-8"}}, Body: body}
}

func (c *call) certificate(*fault.Plan) *fault.Answer {
	c.note(nil)
	return &fault.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/pkix-cert"}}, Body: Certificate()}
}

// open makes the checks of a payment request.
func (c *call) open(source Source) (Operation, *Refusal) {
	if c.fault != nil {
		return Operation{}, badFields(c.fault)
	}
	o, refused := c.p.Open(wire.NewRequest(c.fields), source)
	if refused == nil {
		c.noteOperation(o)
	}
	return o, refused
}

// badFields is the code for parameters that cannot be read: of two values that were sent
// under one name, none is known to be the signed one.
func badFields(err error) *Refusal {
	code := wire.CodeSignature
	var at *wire.FieldsError
	if errors.As(err, &at) {
		switch one := (wire.Fields{{Name: at.Name}}); {
		case has(one, wire.FieldLogin):
			code = wire.CodeNoShop
		case has(one, wire.FieldOutSum):
			code = wire.CodeSum
		case has(one, wire.FieldInvID):
			code = wire.CodeInvoice
		}
	}
	return refuse(CheckFields, code, "%v", err)
}

func has(f wire.Fields, name string) bool {
	_, ok := f.Lookup(name)
	return ok
}

func (c *call) indexJSON(*fault.Plan) *fault.Answer {
	o, refused := c.open(FromPage)
	c.note(refused)
	answer := wire.IndexAnswer{InvoiceID: o.GUID}
	if refused != nil {
		answer.InvoiceID, answer.ErrorCode = wire.ZeroGUID, refused.Code
	}
	return jsonAnswer(http.StatusOK, answer)
}

func (c *call) confirm(*fault.Plan) *fault.Answer { return c.hold(c.p.confirmHold) }
func (c *call) cancel(*fault.Plan) *fault.Answer  { return c.hold(c.p.cancelHold) }

func (c *call) hold(do func(wire.Fields) *Refusal) *fault.Answer {
	refused := do(c.fields)
	if c.fault != nil {
		refused = badFields(c.fault)
	}
	c.note(refused)
	answer := text(http.StatusOK, wire.HoldAnswer(refused == nil))
	answer.Header["Content-Type"] = []string{"application/json; charset=utf-8"}
	return answer
}

func (c *call) recurring(*fault.Plan) *fault.Answer {
	if c.fault != nil {
		refused := badFields(c.fault)
		c.note(refused)
		return text(http.StatusOK, recurringAnswer("", refused))
	}
	invID, refused := c.p.recur(wire.NewRequest(c.fields))
	c.conjure(refused, c.fields.Get(wire.FieldOutSum))
	c.note(refused)
	return text(http.StatusOK, recurringAnswer(invID, refused))
}

// token reads the body as a JWT.
func (c *call) token() (wire.Token, *Refusal) {
	t, err := wire.ParseToken(c.body)
	if err != nil {
		return t, refuse(CheckToken, wire.CodeInvoice, "%v", err)
	}
	c.exchange.Args = t.Payload
	var about struct {
		MerchantLogin string
		InvID         json.Number `json:"InvId"`
		OutSum        json.Number
	}
	_ = t.Decode(&about) // for the journal; it is decoded again, and judged
	c.exchange.Partner, c.exchange.Payment = cutTo(about.MerchantLogin, 64), cutTo(about.InvID.String(), 19)
	c.sum = about.OutSum.String()
	return t, nil
}

// conjure lets the sum of a payment that a call has made decide what becomes of its answer.
func (c *call) conjure(refused *Refusal, sum string) {
	if refused == nil {
		c.magic = c.p.desk.Faults.Conjure(sum)
	}
}

func (c *call) createInvoice(*fault.Plan) *fault.Answer {
	var created wire.InvoiceCreated
	t, refused := c.token()
	if refused == nil {
		created, refused = c.p.createInvoice(t, c.base)
		c.conjure(refused, c.sum)
	}
	return c.invoiceAnswer(created, refused)
}

func (c *call) deactivateInvoice(*fault.Plan) *fault.Answer {
	t, refused := c.token()
	if refused == nil {
		refused = c.p.deactivateInvoice(t)
	}
	return c.invoiceAnswer(wire.InvoiceCreated{IsSuccess: true}, refused)
}

func (c *call) listInvoices(*fault.Plan) *fault.Answer {
	var list wire.InvoiceList
	t, refused := c.token()
	if refused == nil {
		list, refused = c.p.listInvoices(t, c.base)
	}
	return c.invoiceAnswer(list, refused)
}

func (c *call) invoiceAnswer(answer any, refused *Refusal) *fault.Answer {
	c.note(refused)
	if refused != nil {
		answer = wire.InvoiceCreated{Message: invoiceMessage(refused)}
	}
	return jsonAnswer(http.StatusOK, answer)
}

func (c *call) refund(*fault.Plan) *fault.Answer {
	var id string
	t, refused := c.token()
	if refused == nil {
		var of *operation
		id, of, refused = c.p.createRefund(t)
		c.noteNumber(of)
	}
	c.note(refused)
	if refused == nil {
		return jsonAnswer(http.StatusOK, wire.RefundCreated{Success: true, RequestID: &id})
	}
	status, message := http.StatusOK, refused.Reason
	switch refused.Check {
	case CheckAccess:
		status, message = http.StatusUnauthorized, wire.RefundNoAccess
	case CheckToken, CheckFields, CheckSum:
		status = http.StatusBadRequest
	}
	return jsonAnswer(status, wire.RefundCreated{Message: &message})
}

func (c *call) refundState(*fault.Plan) *fault.Answer {
	state, of := c.p.refundState(c.fields.Get("id"))
	if of == nil {
		c.note(refuse(CheckOperation, wire.CodeInvoice, "no refund has the id %.40q", c.fields.Get("id")))
		return jsonAnswer(c.p.settings.Load().RefundUnknown, struct {
			Message string `json:"message"`
		}{wire.RefundUnknownID})
	}
	c.note(nil)
	c.noteNumber(of)
	return jsonAnswer(http.StatusOK, state)
}

// service answers a method of the XML service that is called by GET, by form or, as one
// client does, by a JSON object.
func (c *call) service(*fault.Plan) *fault.Answer {
	method, ok := serviceMethod(c.rest)
	if !ok {
		return c.nothing(nil)
	}
	if strings.HasPrefix(c.request.Header.Get("Content-Type"), "application/json") {
		c.fields, c.fault = jsonFields(c.body)
		c.about()
	}
	document, refused := c.ask(method)
	if refused != nil {
		return c.xmlFault(refused)
	}
	return xmlAnswer(document)
}

func serviceMethod(name string) (string, bool) {
	i := slices.IndexFunc(serviceMethods, func(m string) bool { return strings.EqualFold(m, name) })
	if i < 0 {
		return "", false
	}
	return serviceMethods[i], true
}

// ask carries out a method of the XML service. The error is not the service's own, which is
// part of the document.
func (c *call) ask(method string) (string, *Refusal) {
	c.exchange.Method = method
	if c.fault != nil {
		return "", badFields(c.fault)
	}
	answer, no := c.p.ask(method, c.fields)
	c.exchange.Verdict.OK = no == nil
	if no != nil {
		c.exchange.Verdict = journal.Verdict{Check: string(no.check), Code: int(no.code), Detail: no.why}
		c.exchange.Diagnosis = no.diagnosis
	}
	document, err := wire.WriteXML(answer)
	if err != nil {
		return "", refuse(CheckFields, wire.CodeInternal, "%v", err)
	}
	return document, nil
}

// soap answers a method that is called by SOAP.
func (c *call) soap(*fault.Plan) *fault.Answer {
	asked, err := wire.ParseSOAP(string(c.body))
	if err != nil {
		return c.xmlFault(refuse(CheckBody, wire.CodeInternal, "%v", err))
	}
	method, ok := serviceMethod(asked.Method)
	if !ok {
		return c.xmlFault(refuse(CheckPath, wire.CodeInternal, "there is no method %.40q", asked.Method))
	}
	c.fields, c.fault = asked.Fields, nil
	c.about()
	document, refused := c.ask(method)
	if refused != nil {
		return c.xmlFault(refused)
	}
	return xmlAnswer(asked.WrapSOAP(document, c.p.settings.Load().Namespace))
}

func xmlAnswer(document string) *fault.Answer {
	return &fault.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}}, Body: []byte(document)}
}

// xmlFault answers what is no call of the service at all.
func (c *call) xmlFault(refused *Refusal) *fault.Answer {
	c.note(refused)
	return text(http.StatusBadRequest, refused.Reason)
}

// jsonFields reads a JSON object of texts and numbers as fields.
func jsonFields(body []byte) (wire.Fields, error) {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("body is no JSON object: %w", err)
	}
	values := url.Values{}
	for name, value := range object {
		values.Set(name, fmt.Sprint(value))
	}
	return wire.ParseFields(values.Encode())
}
