package integra

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// Limits of a request. What is longer is refused, and in the journal as far as it was read.
const (
	MaxURL  = 32 << 10 // bytes of the request's target
	MaxBody = 64 << 10 // bytes
)

// bodyTimeout is how long a caller may take to send a body.
const bodyTimeout = 10 * time.Second

// MethodTopUp is what the journal calls a press of the page's button.
const MethodTopUp = "topUp"

// handler is the API and the page over HTTP.
type handler struct {
	p     *Platform
	pages *pages
}

// Mount adds the API and the page to a router: /{partner path…}/{method}, by GET and POST
// alike. What the router finds no other route for comes here too, to be journalled and
// refused.
func (p *Platform) Mount(r *mux.Router) {
	h := &handler{p: p, pages: &pages{p}}
	r.HandleFunc("/{path:.+}/{method}", h.serve)
	r.NotFoundHandler = http.HandlerFunc(h.serve)
}

// call is one request on its way through the handler.
type call struct {
	p        *Platform
	writer   http.ResponseWriter
	request  *http.Request
	path     string
	method   wire.Method
	query    url.Values
	body     []byte
	partner  *partner // of the hash or of the user
	user     *user    // nil for methods of a partner
	plain    []byte   // decrypted arguments
	secrets  []string
	changed  bool // something was changed, so that the answer may get lost
	exchange *journal.Exchange
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
	_, _ = w.Write(a.body) // a caller that is gone misses nothing that we could mend
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	vars := mux.Vars(r)
	c := &call{p: h.p, writer: w, request: r, path: vars["path"], method: methodOf(vars["method"])}
	c.exchange = &journal.Exchange{
		Protocol: Protocol, Method: string(c.method), Direction: journal.In,
		At: h.p.cfg.Clock.Now(), Real: time.Now().UTC(),
	}
	refusal := c.read() // before the world is held: a body can take its time
	if c.method.HTML() {
		h.servePage(w, c, refusal)
		return
	}
	h.serveAPI(w, c, refusal)
}

// names gives every method by its name. The journal keeps these strings, and does not keep
// hold of the addresses that the names were cut out of.
var names = func() map[string]wire.Method {
	all := map[string]wire.Method{string(wire.LegacyCreateUser): wire.LegacyCreateUser}
	for _, m := range wire.Methods() {
		all[string(m)] = m
	}
	return all
}()

func methodOf(name string) wire.Method {
	if m, known := names[name]; known {
		return m
	}
	return wire.Method(strings.Clone(name))
}

// serveAPI carries out a method and answers with an envelope.
func (h *handler) serveAPI(w http.ResponseWriter, c *call, refusal *Refusal) {
	h.p.world.RLock()
	var data any
	if refusal == nil {
		data, refusal = c.do()
	}
	answer := &reply{status: http.StatusOK, header: w.Header()}
	answer.header["Content-Type"] = []string{wire.ContentType}
	if refusal == nil {
		answer.body = wire.Success(data).Encode()
	} else {
		answer.body = wire.Failure(refusal.Code, refusal.Message).Encode()
		answer.status = max(answer.status, refusal.HTTP)
	}
	if answer.status == http.StatusMethodNotAllowed {
		answer.header["Allow"] = []string{"GET, POST"}
	}
	lost := LostNone
	if c.changed && refusal == nil {
		lost = h.p.settings.Load().LostAnswers
	}
	answer = lost.instead(answer)
	c.record(answer, refusal, lost)
	h.p.retire()
	h.p.world.RUnlock()
	if answer != nil {
		answer.write(w)
		return
	}
	if lost == LostHang {
		<-c.request.Context().Done()
	}
	panic(http.ErrAbortHandler) // net/http's way to close a connection without an answer
}

// instead is what leaves in place of an answer; nil for nothing.
func (l LostAnswers) instead(answer *reply) *reply {
	switch l {
	case LostDrop, LostHang:
		return nil
	case LostError:
		answer.status = http.StatusInternalServerError
		answer.header["Content-Type"] = []string{"text/html; charset=utf-8"}
		answer.body = []byte("<html><head><title>500 Internal Server Error</title></head></html>\n")
	}
	return answer
}

// servePage answers cryptLogin and iframe: with the screen, with its changes, or, when the
// screen's form is posted to its own address, with what came of that.
func (h *handler) servePage(w http.ResponseWriter, c *call, refusal *Refusal) {
	var who visitor
	var template *wire.NotifyTemplate
	if refusal == nil {
		h.p.world.RLock()
		who, template, refusal = c.logIn()
		h.p.world.RUnlock()
	}

	var screen capture
	switch {
	case refusal != nil:
		h.pages.refused(&screen, c.request, refusal)
	case c.query.Has(page.LiveParam):
		h.pages.live(w, c.request, who)
		return // a stream is not an exchange
	case c.request.Method == http.MethodPost && c.form().Has("amount"):
		c.exchange.Method = MethodTopUp
		form := c.form()
		payment, err := h.p.TopUp(who.User, typedAmount(form.Get("amount")), Via(form.Get("via")))
		c.exchange.Payment = payment.ID
		errors.As(err, &refusal)
		h.pages.toppedUp(&screen, c.request, who, form.Get("amount"), err)
	default:
		h.p.rememberLogin(c.user, template)
		h.pages.screen(&screen, c.request, who)
	}
	answer := screen.reply()
	c.record(answer, refusal, LostNone)
	answer.write(w)
}

// record puts the call into the journal, with the answer as it will be sent.
func (c *call) record(answer *reply, refusal *Refusal, lost LostAnswers) {
	e := c.exchange
	e.Request = journal.RawRequest(c.request, c.body)
	e.Args = c.plain
	e.Secrets = c.secrets
	if c.partner != nil {
		e.Partner = c.partner.Hash
	}
	if c.user != nil {
		e.User = c.user.hash
	}
	e.Verdict.OK = refusal == nil
	if refusal != nil {
		e.Verdict.Check, e.Verdict.Code, e.Verdict.Detail = string(refusal.Check), int(refusal.Code), refusal.Message
	}
	if lost != LostNone {
		e.Verdict.Detail = "done, but its answer was lost: " + string(lost)
	}
	if answer != nil {
		// All that net/http would add, so that the journal has what is sent.
		answer.header["Content-Length"] = []string{strconv.Itoa(len(answer.body))}
		answer.header["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
		e.Status = answer.status
		e.Response = journal.RawResponse(c.request.Proto, answer.status, answer.header, answer.body)
	}
	e.Took = time.Since(e.Real)
	c.p.cfg.Journal.Record(e)
}

// read checks the outside of the request and reads its body.
func (c *call) read() *Refusal {
	r := c.request
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return &Refusal{CheckVerb, wire.CodeInvalid, r.Method + " is not possible: use GET or POST", http.StatusMethodNotAllowed}
	}
	if len(r.RequestURI) > MaxURL {
		return &Refusal{CheckURL, wire.CodeInvalid, fmt.Sprintf("address of %d bytes: possible are %d", len(r.RequestURI), MaxURL), http.StatusRequestURITooLong}
	}
	if !c.p.hasPath(c.path) {
		return &Refusal{CheckPath, wire.CodeInvalid, fmt.Sprintf("no partner has the path %q", c.path), http.StatusNotFound}
	}
	if c.method.HashOwner() == 0 && c.method != wire.LegacyCreateUser {
		return &Refusal{CheckMethod, wire.CodeInvalid, fmt.Sprintf("method %q is unknown", c.method), http.StatusNotFound}
	}
	if r.Body != nil && r.ContentLength != 0 {
		// Not for the whole connection: streams and answers that hang are read from as well.
		control := http.NewResponseController(c.writer)
		_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // refused by writers of tests
		body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
		_ = control.SetReadDeadline(time.Time{})
		c.body = body
		switch {
		case len(body) > MaxBody:
			return &Refusal{CheckBody, wire.CodeInvalid, fmt.Sprintf("body is longer than %d bytes", MaxBody), http.StatusRequestEntityTooLarge}
		case err != nil:
			return &Refusal{CheckBody, wire.CodeInvalid, "body was cut off", http.StatusBadRequest}
		}
	}
	var err error
	if c.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return refuse(CheckURL, wire.CodeInvalid, fmt.Sprintf("query of the address: %v", err))
	}
	return nil
}

// form is the body as a form; empty if it is none.
func (c *call) form() url.Values {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return nil
	}
	return form
}

// open finds out whose k the request carries, and decrypts the arguments.
func (c *call) open() *Refusal {
	if len(c.query[wire.ParamK]) > 1 {
		return refuse(CheckK, wire.CodeInvalid, "k is given more than once")
	}
	envelope, err := wire.ParseK(c.query.Get(wire.ParamK))
	if err != nil {
		return badK(err)
	}
	if c.method.HashOwner() == wire.OwnerPartner {
		return c.openAsPartner(envelope)
	}
	return c.openAsUser(envelope)
}

func (c *call) openAsPartner(envelope wire.Envelope) (refusal *Refusal) {
	if refusal = c.setPartner(envelope.Hash); refusal != nil {
		return refusal
	}
	c.plain, refusal = decrypt(envelope, c.partner.cipher, c.partner.Key)
	if refusal != nil && refusal.Check == CheckKey {
		refusal.Code = wire.CodePartnerKey
		refusal.Message = "wrong partner key, or no arguments in JSON: " + refusal.Message
	}
	return refusal
}

func (c *call) setPartner(hash string) *Refusal {
	partner := c.p.partner(hash)
	if partner == nil || !partner.answersUnder(c.path) {
		return refuse(CheckPartner, wire.CodePartnerKey, fmt.Sprintf("partner %s is unknown under the path %q", hash, c.path))
	}
	c.partner = partner
	return nil
}

func (c *call) openAsUser(envelope wire.Envelope) (refusal *Refusal) {
	c.exchange.User = envelope.Hash
	u := c.p.users.get(envelope.Hash)
	if u == nil {
		return noUser(envelope.Hash)
	}
	partner := c.p.partner(u.partner)
	if !partner.answersUnder(c.path) {
		return refuse(CheckUser, wire.CodeUserNotFound, fmt.Sprintf("user %s is unknown under the path %q", u.hash, c.path))
	}
	c.partner, c.user = partner, u
	c.plain, refusal = decrypt(envelope, partner.cipher, u.key)
	if refusal != nil && c.method.KeyOwner() == wire.OwnerPartner {
		// The docs' sample has the partner's key here; the user's is as good.
		c.plain, refusal = decrypt(envelope, partner.cipher, partner.Key)
	}
	if refusal != nil && refusal.Check == CheckKey {
		refusal.Message = "wrong user key, or no arguments in JSON: " + refusal.Message
	}
	return refusal
}

// decrypt opens the envelope. A wrong key shows as text that is no JSON; text that is JSON,
// but not of the right kind, was written with the right one. Text that is refused is
// returned as well, for the journal.
func decrypt(envelope wire.Envelope, cipher wire.Cipher, key string) ([]byte, *Refusal) {
	plain, err := envelope.Open(cipher, key)
	if err == nil {
		return plain, nil
	}
	var fault *wire.ObjectError
	if !errors.As(err, &fault) {
		return nil, badK(err)
	}
	plain, _ = cipher.Decrypt(envelope.Data, key) // it went well in Open
	if fault.Fault == wire.FaultSyntax || fault.Fault == wire.FaultUTF8 {
		return plain, refuse(CheckKey, wire.CodeInvalid, err.Error())
	}
	return plain, refuse(CheckArgs, wire.CodeInvalid, err.Error())
}

func badK(err error) *Refusal {
	var k *wire.KError
	if errors.As(err, &k) && k.Part == wire.PartHash && k.Fault == wire.FaultLength {
		return refuse(CheckK, wire.CodeHashLength, err.Error())
	}
	return refuse(CheckK, wire.CodeInvalid, err.Error())
}

// visitor is who looks at the page.
type visitor struct {
	User   string        // hash
	Screen wire.Deeplink // asked for by r; "" for none, or one that is unknown
}

// logIn checks a request for the page. The template is nil if the caller gave none.
func (c *call) logIn() (visitor, *wire.NotifyTemplate, *Refusal) {
	fail := func(refusal *Refusal) (visitor, *wire.NotifyTemplate, *Refusal) { return visitor{}, nil, refusal }
	if refusal := c.open(); refusal != nil {
		return fail(refusal)
	}
	args, refusal := decode[wire.LoginArgs](c)
	if refusal != nil {
		return fail(refusal)
	}
	if secrets := journal.SecretsIn(args.PaymentNotifyURL); len(secrets) > 0 {
		// k holds them as well, and one of the ciphers hides nothing.
		c.secrets = append(secrets, c.query.Get(wire.ParamK)[len(wire.Prefix)+wire.HashLen:])
	}
	switch {
	case args.Hash != c.user.hash:
		return fail(refuse(checkArg("hash"), wire.CodeInvalid, "hash of the arguments is not the one in k"))
	case args.Login != c.user.login:
		return fail(refuse(checkArg("login"), wire.CodeInvalid, fmt.Sprintf("login %q is not the user's", args.Login)))
	case c.user.isArchived():
		return fail(archivedUser(c.user))
	}
	who := visitor{User: c.user.hash}
	who.Screen, _ = wire.ParseDeeplink(c.query.Get(wire.ParamScreen))
	if args.PaymentNotifyURL == "" {
		return who, nil, nil
	}
	template, err := wire.ParseNotifyTemplate(args.PaymentNotifyURL)
	if err != nil {
		return fail(refuse(checkArg("paymentNotifyUrl"), wire.CodeInvalid, err.Error()))
	}
	return who, &template, nil
}

// capture is a ResponseWriter that keeps a page until it is in the journal.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the headers to be sent.
func (c *capture) Header() http.Header {
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}

// WriteHeader keeps the first status.
func (c *capture) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
}

// Write appends to the page.
func (c *capture) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(b)
}

func (c *capture) reply() *reply {
	c.WriteHeader(http.StatusOK)
	return &reply{status: c.status, header: c.Header(), body: c.body.Bytes()}
}
