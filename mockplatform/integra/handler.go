package integra

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// Limits of a request. What is longer is refused, and in the journal as far as it was read.
const (
	MaxURL  = 32 << 10 // bytes of the request's target
	MaxBody = 64 << 10 // bytes
)

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
	r.PathPrefix(PathShop + "/").HandlerFunc(h.serveShop)
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
	partner  *partner      // of the hash or of the user
	user     *user         // nil for methods of a partner
	users    *index[*user] // of the world that k was opened in; nil before that
	plain    []byte        // decrypted arguments
	secrets  []string
	changed  bool        // something was changed, so that the answer may get lost
	magic    *fault.Plan // what becomes of the answer by the amount
	exchange *journal.Exchange
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	vars := mux.Vars(r)
	c := &call{p: h.p, writer: w, request: r, path: vars["path"], method: methodOf(vars["method"])}
	c.exchange = h.p.desk.Begin(Protocol, string(c.method))
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
	refusal = c.open(refusal)
	h.p.world.RUnlock()
	served := &traffic.Call{Exchange: c.exchange, Body: c.body, Payment: c.paymentID}
	served.Do = func(*fault.Plan) *fault.Answer {
		h.p.world.RLock()
		defer h.p.world.RUnlock()
		defer h.p.retire()
		var data any
		if refusal = c.open(refusal); refusal == nil { // once more: a reset may have come between
			data, refusal = c.do()
		}
		lost := LostNone
		if c.changed && refusal == nil {
			lost = h.p.settings.Load().LostAnswers
			served.Otherwise = cmp.Or(h.p.lose(lost), c.magic)
		}
		c.note(refusal, lost)
		return envelope(data, refusal)
	}
	h.p.desk.Serve(w, c.request, served)
}

// envelope is the answer to a call of the API.
func envelope(data any, refusal *Refusal) *fault.Answer {
	answer := &fault.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {wire.ContentType}}}
	if refusal == nil {
		answer.Body = wire.Success(data).Encode()
		return answer
	}
	answer.Body = wire.Failure(refusal.Code, refusal.Message).Encode()
	answer.Status = max(answer.Status, refusal.HTTP)
	if answer.Status == http.StatusMethodNotAllowed {
		answer.Header["Allow"] = []string{"GET, POST"}
	}
	return answer
}

// lose is what becomes of an answer by the setting; nil for nothing.
func (p *Platform) lose(how LostAnswers) *fault.Plan {
	act := fault.Act{Committed: new(true)}
	switch how {
	case LostDrop:
		act.Do = fault.DropAfter
	case LostHang:
		act.Do = fault.Hang
	case LostError:
		act.Do, act.Status = fault.Status, http.StatusInternalServerError
		act.Body = "<html><head><title>500 Internal Server Error</title></head></html>\n"
	default:
		return nil
	}
	return p.desk.Faults.NewPlan("lost_answers", act)
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
	posted := c.request.Method == http.MethodPost && c.form().Has("amount")
	switch {
	case refusal != nil:
	case c.query.Has(page.LiveParam):
		h.pages.live(w, c.request, who)
		return // a stream is not an exchange
	case posted:
		c.exchange.Method = MethodTopUp
	}
	h.p.desk.Serve(w, c.request, &traffic.Call{
		Exchange: c.exchange, Body: c.body, Page: true,
		Do: func(*fault.Plan) *fault.Answer {
			var screen traffic.Capture
			switch {
			case refusal != nil:
				h.pages.refused(&screen, c.request, refusal)
			case posted:
				form := c.form()
				payment, err := h.p.topUp(who.User, typedAmount(form.Get("amount")), Via(form.Get("via")), origin{c.pageAddress(), h.pages.view(&screen, c.request).Lang})
				c.exchange.Payment = payment.ID
				errors.As(err, &refusal)
				if payment.PayURL != "" {
					screen.Header().Set("Location", payment.PayURL)
					screen.WriteHeader(http.StatusSeeOther)
					break
				}
				h.pages.toppedUp(&screen, c.request, who, form.Get("amount"), err)
			default:
				h.p.rememberLogin(c.user, template)
				h.pages.screen(&screen, c.request, who)
			}
			c.note(refusal, LostNone)
			return screen.Answer()
		},
	})
}

// pageAddress is the path of the page itself, to come back to.
func (c *call) pageAddress() string { return c.request.URL.Path + "?" + c.request.URL.RawQuery }

// note completes the exchange with what was found out about the call.
func (c *call) note(refusal *Refusal, lost LostAnswers) {
	e := c.exchange
	e.Secrets = c.secrets
	e.Verdict.OK = refusal == nil
	if refusal != nil {
		e.Verdict.Check, e.Verdict.Code, e.Verdict.Detail = string(refusal.Check), int(refusal.Code), refusal.Message
	}
	if lost != LostNone {
		e.Verdict.Detail = "done, but its answer was lost: " + string(lost)
	}
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
	body, err := traffic.ReadBody(c.writer, r, MaxBody)
	c.body = body
	switch {
	case errors.Is(err, traffic.ErrTooLong):
		return &Refusal{CheckBody, wire.CodeInvalid, fmt.Sprintf("body is longer than %d bytes", MaxBody), http.StatusRequestEntityTooLarge}
	case err != nil:
		return &Refusal{CheckBody, wire.CodeInvalid, err.Error(), http.StatusBadRequest}
	}
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

// open finds out whose k the request carries, and decrypts the arguments, unless that was
// done or refused already. It wants the world held for reading.
func (c *call) open(refusal *Refusal) *Refusal {
	if refusal != nil || c.method == wire.LegacyCreateUser || c.users == c.p.users {
		return refusal
	}
	c.users = c.p.users
	refusal = c.openK()
	c.exchange.Args, c.exchange.Secrets = c.plain, c.secrets
	if c.partner != nil {
		c.exchange.Partner = c.partner.Hash
	}
	if c.user != nil {
		c.exchange.User = c.user.hash
	}
	if refusal != nil {
		c.exchange.Diagnosis = c.diagnose(refusal)
	}
	return refusal
}

func (c *call) openK() *Refusal {
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
	c.exchange.Partner = partner.Hash
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
	if refusal := c.open(nil); refusal != nil {
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
