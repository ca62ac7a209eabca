package anymoney

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// MaxBody bounds the body of a request, in bytes. What is longer is refused, and in the
// journal as far as it was read.
const MaxBody = 2 << 20

// Where the API and the pages for payers are.
const (
	PathAPI = "/anymoney"
	PathSCI = "/anymoney-sci"
)

// handler is the API, the form and the pages over HTTP.
type handler struct{ p *Platform }

// Mount adds the API and the pages for payers to a router, under their paths.
func (p *Platform) Mount(r *mux.Router) {
	h := &handler{p}
	api := http.HandlerFunc(h.serveAPI)
	r.Path(PathAPI).Handler(api)
	r.PathPrefix(PathAPI + "/").Handler(api)
	r.PathPrefix(PathSCI + "/").Handler(h.sci())
}

// call is one request on its way through the handler.
type call struct {
	p        *Platform
	request  *http.Request
	body     []byte
	magic    *fault.Plan // what becomes of the answer by the amount
	exchange *journal.Exchange
}

func (h *handler) begin(r *http.Request, method string) *call {
	return &call{p: h.p, request: r, exchange: h.p.desk.Begin(Protocol, method)}
}

// serve lets do answer the call. What it did to whom is noted by note.
func (c *call) serve(w http.ResponseWriter, page bool, do func(*fault.Plan) *fault.Answer) {
	served := &traffic.Call{Exchange: c.exchange, Body: c.body, Page: page}
	served.Do = func(plan *fault.Plan) *fault.Answer {
		answer := do(plan)
		served.Otherwise = c.magic
		return answer
	}
	c.p.desk.Serve(w, c.request, served)
}

// note completes the exchange with what was found out about the call.
func (c *call) note(refused *Refusal) {
	verdict := &c.exchange.Verdict
	verdict.OK = refused == nil
	if refused == nil {
		return
	}
	verdict.Check, verdict.Code, verdict.Detail = string(refused.Check), int(refused.Code), refused.Detail
	if refused.Detail == "" {
		verdict.Detail = cutTo(refused.Error.Error(), 500)
	}
}

// read reads the body of a POST.
func (c *call) read(w http.ResponseWriter) *Refusal {
	if c.request.Method != http.MethodPost {
		return &Refusal{Check: CheckVerb, Error: wire.InvalidRequest(), HTTP: http.StatusMethodNotAllowed, Detail: c.request.Method + " is not possible: use POST"}
	}
	body, err := traffic.ReadBody(w, c.request, MaxBody)
	c.body = body
	switch {
	case errors.Is(err, traffic.ErrTooLong):
		return &Refusal{Check: CheckBody, Error: wire.InvalidRequest(), HTTP: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("body is longer than %d bytes", MaxBody)}
	case err != nil:
		return &Refusal{Check: CheckBody, Error: wire.ParseError(), HTTP: http.StatusBadRequest, Detail: err.Error()}
	}
	return nil
}

// serveAPI answers a JSON-RPC request. Failures have HTTP status 200, unless it is no
// request of the API at all.
func (h *handler) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := h.begin(r, "")
	refused := c.read(w) // before the world is held: a body can take its time
	if path := strings.TrimPrefix(r.URL.Path, PathAPI); path != "" && path != "/" {
		refused = &Refusal{Check: CheckPath, Error: wire.InvalidRequest(), HTTP: http.StatusNotFound, Detail: fmt.Sprintf("the API is at its root, not at %q", path)}
	}
	request, refused := c.parse(refused)
	c.serve(w, false, func(plan *fault.Plan) *fault.Answer {
		h.p.world.RLock()
		defer h.p.world.RUnlock()
		return c.api(plan, request, refused)
	})
}

// parse finds out what the call is about, unless its outside was refused.
func (c *call) parse(refused *Refusal) (wire.Request, *Refusal) {
	if refused != nil {
		return wire.Request{}, refused
	}
	request, err := wire.ParseRequest(c.body)
	if err != nil {
		return request, malformed(err)
	}
	c.exchange.Method = methodName(request.Method)
	c.exchange.Payment = payment(request.Params)
	c.exchange.Secrets = secretsIn(request.Params)
	if m := c.p.rules.Load().merchants[c.request.Header.Get(wire.HeaderMerchant)]; m != nil {
		c.exchange.Partner = m.lid
	}
	return request, nil
}

// api makes the answer to a request of the API.
func (c *call) api(plan *fault.Plan, request wire.Request, refused *Refusal) *fault.Answer {
	response := wire.Response{ID: request.ID}
	var m *merchant
	if refused == nil {
		response.Result, m, refused = c.answer(request)
	}
	answer := &fault.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {wire.ContentType}}}
	if refused != nil {
		response.Result, response.Err = nil, refused.Error
		answer.Status = max(answer.Status, refused.HTTP)
	}
	if answer.Status == http.StatusMethodNotAllowed {
		answer.Header.Set("Allow", http.MethodPost)
	}
	if m != nil {
		now := strconv.FormatInt(c.p.cfg.Clock.Now().UnixMilli(), 10)
		answer.Header.Set(wire.HeaderUTCNowMS, now)
		answer.Header.Set(wire.HeaderSignature, plan.Signature(m.apiKey.Sign(response.Signed(), now)))
	}
	answer.Body = response.Encode()
	c.exchange.Secrets = append(c.exchange.Secrets, secretsIn(response.Result)...)
	c.note(refused)
	return answer
}

// answer makes the checks of §3.5, in their order, and carries out the method. The merchant
// is nil until it is known.
func (c *call) answer(request wire.Request) (result wire.Object, m *merchant, _ *Refusal) {
	headers, absent := wire.ReadHeaders(c.request.Header.Get)
	if absent != nil {
		return nil, nil, refusal(CheckHeaders, absent)
	}
	rules := c.p.rules.Load()
	if m = rules.merchants[headers.Merchant]; m == nil || !m.active {
		return nil, nil, refusal(CheckMerchant, wire.MerchantInactive(wire.HeaderMerchant))
	}
	if m.apiKey.Verify(request.Params, headers.UTCNowMS, headers.Signature) != nil {
		c.exchange.Diagnosis = c.diagnoseCall(m, request.Params, headers)
		return nil, m, wrongSignature(wire.SignedText(request.Params, headers.UTCNowMS))
	}
	if !headers.Within(rules.settings.window, c.p.cfg.Clock.Now().UnixMilli()) {
		return nil, m, refusal(CheckWindow, wire.WindowExceeded(headers.UTCNowMS))
	}
	result, refused := c.p.do(rules, m, request.Method, request.Params)
	if refused == nil && request.Method == wire.MethodPayinCreate {
		amount, _ := request.Params.Get(wire.FieldAmount).Text()
		c.magic = c.p.desk.Faults.Conjure(amount)
	}
	return result, m, refused
}

// malformed turns an error of wire.ParseRequest into a refusal.
func malformed(err error) *Refusal {
	refused := &Refusal{Check: CheckEnvelope, Error: wire.InvalidRequest(), Detail: err.Error()}
	if fault, ok := err.(*wire.MessageError); ok { //nolint:errorlint // it is not wrapped
		refused.Error = fault.Refusal()
	}
	if refused.Code == wire.CodeParse {
		refused.Check = CheckParse
	}
	return refused
}

// wrongSignature says in the journal what should have been signed.
func wrongSignature(text string) *Refusal {
	return &Refusal{Check: CheckSignature, Error: wire.SignatureInvalid(), Detail: fmt.Sprintf("this should have been signed: %.2000q", text)}
}

// methodName is what the journal calls a method. It keeps nothing of a request's text, which
// may be long.
func methodName(m wire.Method) string {
	if m.Known() {
		return string(m)
	}
	return strings.Clone(fmt.Sprintf("%.40s", m))
}

// payment is the externalid that parameters name.
func payment(params wire.Object) string {
	id, _ := params.Get(wire.FieldExternalID).Text()
	return strings.Clone(cutTo(id, wire.MaxExternalIDLen))
}

func cutTo(s string, n int) string { return s[:min(n, len(s))] }

// secretsIn are what the journal must not show of parameters or of an order: a code, which
// is as good as money, and what belongs to the merchant alone in an address.
func secretsIn(o wire.Object) []string {
	const shortest = 8 // what is shorter guards nothing, and stands in other words too
	var secrets []string
	code := o.Get(wire.FieldCode)
	if redeemed, ok := code.Object(); ok {
		code = redeemed.Get(wire.FieldCode)
	}
	if text, _ := code.Text(); len(text) >= shortest {
		secrets = append(secrets, strings.Clone(text), strings.ToLower(text)) // as it is signed
	}
	if address, _ := o.Get(wire.FieldCallbackURL).Text(); address != "" {
		secrets = append(secrets, journal.SecretsIn(strings.Clone(address))...)
	}
	if sent, ok := o.Get("reqdata").Object(); ok {
		secrets = append(secrets, secretsIn(sent)...)
	}
	return secrets
}
