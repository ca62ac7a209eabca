package anymoney

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// MaxBody bounds the body of a request, in bytes. What is longer is refused, and in the
// journal as far as it was read.
const MaxBody = 2 << 20

// bodyTimeout is how long a caller may take to send a body.
const bodyTimeout = 10 * time.Second

// Where the API and the pages for payers are, besides at the platform's own names.
const (
	PathAPI = "/anymoney"
	PathSCI = "/anymoney-sci"
	HostAPI = "api.any.money"
	HostSCI = "sci.any.money"
)

// handler is the API, the form and the pages over HTTP.
type handler struct{ p *Platform }

// Mount adds the API and the pages for payers to a router: under their paths, and as a whole
// under the names of the platform's own hosts.
func (p *Platform) Mount(r *mux.Router) {
	h := &handler{p}
	api := http.HandlerFunc(h.serveAPI)
	r.Host(HostAPI).Handler(api)
	r.Path(PathAPI).Handler(api)
	r.PathPrefix(PathAPI + "/").Handler(api)
	r.Host(HostSCI).Handler(h.sci(""))
	r.PathPrefix(PathSCI + "/").Handler(h.sci(PathSCI))
}

// call is one request on its way through the handler.
type call struct {
	p        *Platform
	request  *http.Request
	body     []byte
	exchange *journal.Exchange
}

func (h *handler) begin(r *http.Request, method string) *call {
	return &call{p: h.p, request: r, exchange: &journal.Exchange{
		Protocol: Protocol, Method: method, Direction: journal.In,
		At: h.p.cfg.Clock.Now(), Real: time.Now().UTC(),
	}}
}

// read reads the body of a POST.
func (c *call) read(w http.ResponseWriter) *Refusal {
	r := c.request
	if r.Method != http.MethodPost {
		return &Refusal{Check: CheckVerb, Error: wire.InvalidRequest(), HTTP: http.StatusMethodNotAllowed, Detail: r.Method + " is not possible: use POST"}
	}
	// Not for the whole connection: it is read from while a page is live as well.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // refused by writers of tests
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	_ = control.SetReadDeadline(time.Time{})
	c.body = body
	switch {
	case len(body) > MaxBody:
		return &Refusal{Check: CheckBody, Error: wire.InvalidRequest(), HTTP: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("body is longer than %d bytes", MaxBody)}
	case err != nil:
		return &Refusal{Check: CheckBody, Error: wire.ParseError(), HTTP: http.StatusBadRequest, Detail: "body was cut off"}
	}
	return nil
}

// serveAPI answers a JSON-RPC request. Failures have HTTP status 200, unless it is no
// request of the API at all.
func (h *handler) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := h.begin(r, "")
	refused := c.read(w) // before the world is held: a body can take its time
	if path := strings.TrimPrefix(r.URL.Path, PathAPI); path != "" && path != "/" {
		refused = &Refusal{Check: CheckPath, Error: wire.InvalidRequest(), HTTP: http.StatusNotFound, Detail: fmt.Sprintf("the API is at its root, not at %q", r.URL.Path)}
	}
	h.p.world.RLock()
	answer := c.api(refused)
	h.p.world.RUnlock()
	answer.write(w)
}

// api makes the answer to a request of the API, of which the outside was checked, and
// records both.
func (c *call) api(refused *Refusal) *reply {
	var response wire.Response
	var m *merchant
	if refused == nil {
		response, m, refused = c.answer()
	}
	answer := &reply{status: http.StatusOK, header: http.Header{"Content-Type": {wire.ContentType}}}
	if refused != nil {
		response.Result, response.Err = nil, refused.Error
		answer.status = max(answer.status, refused.HTTP)
	}
	if answer.status == http.StatusMethodNotAllowed {
		answer.header.Set("Allow", http.MethodPost)
	}
	if m != nil {
		now := strconv.FormatInt(c.p.cfg.Clock.Now().UnixMilli(), 10)
		answer.header.Set(wire.HeaderUTCNowMS, now)
		answer.header.Set(wire.HeaderSignature, m.apiKey.Sign(response.Signed(), now))
	}
	answer.body = response.Encode()
	c.exchange.Secrets = append(c.exchange.Secrets, secretsIn(response.Result)...)
	c.record(answer, refused)
	return answer
}

// answer makes the checks of §3.5, in their order, and carries out the method. The merchant
// is nil until it is known.
func (c *call) answer() (response wire.Response, m *merchant, _ *Refusal) {
	request, err := wire.ParseRequest(c.body)
	if err != nil {
		return response, nil, malformed(err)
	}
	response.ID = request.ID
	c.exchange.Method = methodName(request.Method)
	c.exchange.Payment = payment(request.Params)
	c.exchange.Secrets = secretsIn(request.Params)

	headers, absent := wire.ReadHeaders(c.request.Header.Get)
	if absent != nil {
		return response, nil, refusal(CheckHeaders, absent)
	}
	rules := c.p.rules.Load()
	if m = rules.merchants[headers.Merchant]; m == nil || !m.active {
		return response, nil, refusal(CheckMerchant, wire.MerchantInactive(wire.HeaderMerchant))
	}
	c.exchange.Partner = m.lid
	if m.apiKey.Verify(request.Params, headers.UTCNowMS, headers.Signature) != nil {
		return response, m, wrongSignature(wire.SignedText(request.Params, headers.UTCNowMS))
	}
	if !headers.Within(rules.settings.window, c.p.cfg.Clock.Now().UnixMilli()) {
		return response, m, refusal(CheckWindow, wire.WindowExceeded(headers.UTCNowMS))
	}
	result, refused := c.p.do(rules, m, request.Method, request.Params)
	response.Result = result
	return response, m, refused
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

// reply is an answer before it is sent.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (a *reply) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) //nolint:gosec // JSON, or made by html/template; a caller that is gone misses nothing that we could mend
}

// record puts the call into the journal, with the answer as it will be sent.
func (c *call) record(answer *reply, refused *Refusal) {
	e := c.exchange
	e.Request = journal.RawRequest(c.request, c.body)
	e.Verdict.OK = refused == nil
	if refused != nil {
		e.Verdict.Check, e.Verdict.Code, e.Verdict.Detail = string(refused.Check), int(refused.Code), refused.Detail
		if refused.Detail == "" {
			e.Verdict.Detail = cutTo(refused.Error.Error(), 500)
		}
	}
	// All that net/http would add, so that the journal has what is sent.
	answer.header["Content-Length"] = []string{strconv.Itoa(len(answer.body))}
	answer.header["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	e.Status = answer.status
	e.Response = journal.RawResponse(c.request.Proto, answer.status, answer.header, answer.body)
	e.Took = time.Since(e.Real)
	c.p.cfg.Journal.Record(e)
}
