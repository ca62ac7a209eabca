package recorder

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// understand finds out what an exchange is about, and learns what is secret in it. What it
// does not understand stays recording.Unknown.
func (r *keyring) understand(x *recording.Exchange, req *http.Request, body []byte, status int, answer []byte) {
	x.Protocol, x.Method, x.Verdict.OK = recording.Unknown, recording.Unknown, status >= 200 && status < 400
	fields, _ := url.ParseQuery(req.URL.RawQuery)
	if strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, _ := url.ParseQuery(string(body))
		for name, values := range form {
			fields[name] = append(fields[name], values...)
		}
	}
	path := strings.ToLower(req.URL.Path)
	switch {
	case x.Direction == recording.Out && req.Header.Get(anymoney.HeaderSignature) != "":
		r.anyMoneyCallback(x, req, body)
	case x.Direction == recording.Out && fields.Has(robokassa.FieldOutSum) && fields.Has(robokassa.FieldSignature):
		x.Method = "ResultURL"
		r.robokassa(x, req, body, answer)
	case x.Direction == recording.Out:
		r.integraNotify(x, req, fields)
	case req.Header.Get(anymoney.HeaderMerchant) != "", json.Valid(body) && strings.Contains(string(body), `"jsonrpc"`):
		r.anyMoney(x, req, body, answer)
	case fields.Has(anymoney.FieldMerchant) && fields.Has(anymoney.FieldSign):
		r.anyMoneyForm(x, fields)
	case strings.Contains(path, "/merchant/"), strings.Contains(path, "/invoiceservicewebapi/"), strings.Contains(path, "/refundservice/"):
		r.robokassa(x, req, body, answer)
	default:
		r.integra(x, req, fields, status, answer)
	}
	if x.Direction == recording.Out { // what is fixed in the address vouches for who calls it
		r.learn(slices.DeleteFunc(journal.SecretsIn("http://adapter"+req.RequestURI), func(value string) bool {
			return value == x.Payment || value == x.User || strings.Contains(x.Args, value)
		})...)
	}
}

// method is the last segment of a path, and path all before it.
func cutPath(path string) (before, method string) {
	path = strings.Trim(path, "/")
	at := strings.LastIndexByte(path, '/')
	return path[:max(at, 0)], path[at+1:]
}

func (r *keyring) integra(x *recording.Exchange, req *http.Request, fields url.Values, status int, answer []byte) {
	path, name := cutPath(req.URL.Path)
	method := integra.Method(name)
	if method.HashOwner() == 0 && method != integra.LegacyCreateUser && !strings.HasPrefix(fields.Get(integra.ParamK), integra.Prefix) {
		return
	}
	x.Protocol, x.Method = recording.Integra, recording.Unknown
	if method.HashOwner() != 0 || method == integra.LegacyCreateUser {
		x.Method = name
	}
	if method == integra.LegacyCreateUser {
		x.Partner, x.User = fields.Get("partner"), fields.Get("hash")
		x.Args = object(fields)
	} else if envelope, err := integra.ParseK(fields.Get(integra.ParamK)); err == nil {
		x.User = envelope.Hash
		if method.HashOwner() == integra.OwnerPartner {
			x.Partner, x.User = envelope.Hash, ""
		}
		if plain, partner := r.open(envelope); plain != nil && path != "" {
			x.Args = string(plain)
			x.Sealed = &recording.Sealed{Path: path, Hash: envelope.Hash, Key: recording.KeyUser, Cipher: r.cipher.Name()}
			if partner {
				x.Sealed.Key = recording.KeyPartner
			}
		}
	}
	args := textsOf(x.Args)
	if x.User == "" {
		x.User = args["hash"]
	}
	x.Payment = cmp.Or(args["transactionId"], args["paymentHash"])
	r.learn(secretsOfAddress(args["paymentNotifyUrl"])...)
	response, err := integra.ParseResponse(answer)
	var refused *integra.Refusal
	switch {
	case err == nil && errors.As(response.Err(), &refused):
		x.Verdict = recording.Verdict{Code: int(refused.Code), Detail: refused.Message}
	case err == nil:
		var made integra.CreateUserResult
		if (method == integra.CreateUser || method == integra.LegacyCreateUser) && response.Result(&made) == nil && made.CryptKey != "" {
			if err := r.learnUser(x.User, made.CryptKey); err != nil {
				x.Verdict.Detail = "the key could not be kept for the next start: " + err.Error()
			}
		}
	case status != 0 && !method.HTML():
		x.Verdict = recording.Verdict{Detail: "not an answer of the API"}
	}
}

// secretsOfAddress are what is secret in an address that a platform is to call.
func secretsOfAddress(address string) []string {
	if address == "" {
		return nil
	}
	return journal.SecretsIn(address)
}

// integraNotify recognizes a notification by its values: their names are the partner's own.
func (r *keyring) integraNotify(x *recording.Exchange, req *http.Request, fields url.Values) {
	args := map[string]string{"id": cmp.Or(fields.Get("id"), fields.Get("transaction_id"), fields.Get("transactionId")), "hash": fields.Get("hash"), "amount": fields.Get("amount")}
	values := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		values = append(values, fields[name]...)
	}
	for _, value := range values {
		isHash := integra.ValidHash(value)
		switch {
		case isHash && r.isUser(value):
			args["hash"] = value
		case isHash && args["id"] == "" && value != args["hash"]:
			args["id"] = value
		case args["amount"] == "" && isAmount(value):
			args["amount"] = value
		}
	}
	if args["id"] == "" {
		return // somebody else
	}
	x.Protocol, x.Method, x.User, x.Payment = recording.Integra, recording.Notify, args["hash"], args["id"]
	text, _ := json.Marshal(args) // texts are always JSON
	x.Args = string(text)
}

func isAmount(value string) bool {
	_, err := anymoney.ParseAmount(value)
	return err == nil && len(value) <= 16
}

func (r *keyring) anyMoney(x *recording.Exchange, req *http.Request, body, answer []byte) {
	x.Protocol, x.Partner = recording.AnyMoney, req.Header.Get(anymoney.HeaderMerchant)
	request, err := anymoney.ParseRequest(body)
	if err != nil {
		x.Verdict = recording.Verdict{Detail: err.Error()}
		return
	}
	if request.Method.Known() {
		x.Method = string(request.Method)
	}
	r.anyMoneyOrder(x, request.Params)
	switch response, err := anymoney.ParseResponse(answer, request.ID); {
	case err != nil && len(answer) > 0:
		x.Verdict = recording.Verdict{Detail: err.Error()}
	case err == nil && response.Err != nil:
		x.Verdict = recording.Verdict{Code: int(response.Err.Code), Detail: response.Err.Message}
	case err == nil:
		r.learnOrder(response.Result)
	}
}

func (r *keyring) anyMoneyCallback(x *recording.Exchange, req *http.Request, body []byte) {
	x.Protocol, x.Method, x.Partner = recording.AnyMoney, "callback", req.Header.Get(anymoney.HeaderMerchant)
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) == nil {
		x.Args = string(body)
		x.Payment = textsOf(x.Args)[anymoney.FieldExternalID]
	}
}

func (r *keyring) anyMoneyForm(x *recording.Exchange, fields url.Values) {
	x.Protocol, x.Method = recording.AnyMoney, "invoice"
	x.Partner, x.Payment = fields.Get(anymoney.FieldMerchant), fields.Get(anymoney.FieldExternalID)
	x.Args = object(fields)
	r.learn(secretsOfAddress(fields.Get(anymoney.FieldCallbackURL))...)
	r.learn(fields.Get(anymoney.FieldCode))
}

func (r *keyring) anyMoneyOrder(x *recording.Exchange, params anymoney.Object) {
	x.Payment, _ = params.Get(anymoney.FieldExternalID).Text()
	x.Args = string(params.AppendJSON(nil))
	r.learnOrder(params)
}

// learnOrder remembers a code, which is as good as money, the address for callbacks and the
// token of the payer's page.
func (r *keyring) learnOrder(o anymoney.Object) {
	code := o.Get(anymoney.FieldCode)
	if redeemed, ok := code.Object(); ok {
		code = redeemed.Get(anymoney.FieldCode)
	}
	if text, _ := code.Text(); text != "" {
		r.learn(text)
	}
	if address, _ := o.Get(anymoney.FieldCallbackURL).Text(); address != "" {
		r.learn(secretsOfAddress(address)...)
	}
	if sent, ok := o.Get("reqdata").Object(); ok {
		r.learnOrder(sent)
	}
}

// resultCode is the outcome of a call of the XML service.
var resultCode = regexp.MustCompile(`<Result>\s*<Code>(\d{1,9})</Code>`)

// operation is what a key of Robokassa stands for.
type operation struct{ shop, number string }

// opKey is the key in an answer of OpStateExt; requestID that of a refund.
var (
	opKey     = regexp.MustCompile(`<OpKey>([^<]{1,100})</OpKey>`)
	requestID = regexp.MustCompile(`"requestId"\s*:\s*"([^"]{1,100})"`)
)

// follow says which operation an exchange is about that names it by a key alone, and remembers
// the key of an answer. The file does not say the key itself: it is a secret.
func (r *keyring) follow(x *recording.Exchange, key string, answer []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of, known := r.about[key]; known && x.Partner == "" {
		x.Partner, x.Payment = of.shop, of.number
	}
	for _, pattern := range []*regexp.Regexp{opKey, requestID} {
		if found := pattern.FindSubmatch(answer); found != nil && x.Partner != "" && x.Payment != "" {
			r.about[string(found[1])] = operation{x.Partner, x.Payment}
		}
	}
}

// robokassa is everything of Robokassa; its methods are named by the last segment of the path.
func (r *keyring) robokassa(x *recording.Exchange, req *http.Request, body, answer []byte) {
	x.Protocol = recording.Robokassa
	before, name := cutPath(req.URL.Path)
	folder := strings.ToLower(before[strings.LastIndexByte(before, '/')+1:])
	switch {
	case x.Method != recording.Unknown: // a notification
	case folder == "index" || folder == "state":
		x.Method = "page" // of a buyer; its name is the operation's
	case folder == "refund":
		x.Method = "Refund/" + name
	case name != "":
		x.Method = name
	}
	if index, err := robokassa.ParseIndexAnswer(answer); err == nil && index.ErrorCode != 0 {
		x.Verdict = recording.Verdict{Code: int(index.ErrorCode)}
	} else if code := resultCode.FindSubmatch(answer); code != nil && string(code[1]) != "0" {
		n, _ := strconv.Atoi(string(code[1]))
		x.Verdict = recording.Verdict{Code: n}
	}
	query := req.URL.RawQuery
	if strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") && len(body) > 0 {
		query = strings.TrimPrefix(query+"&"+string(body), "&")
	} else if token, err := robokassa.ParseToken(body); err == nil {
		x.Args = string(token.Payload)
		var about struct {
			MerchantLogin string
			InvID         json.Number `json:"InvId"`
			OpKey         string
		}
		_ = token.Decode(&about)
		x.Partner, x.Payment = about.MerchantLogin, about.InvID.String()
		r.follow(x, about.OpKey, answer)
		if !json.Valid(token.Payload) {
			x.Args = ""
		}
		return
	}
	fields, err := robokassa.ParseFields(query)
	if err != nil || len(fields) == 0 {
		return
	}
	x.Partner, x.Payment = fields.Get(robokassa.FieldLogin), fields.Get(robokassa.FieldInvID)
	r.follow(x, fields.Get("id"), answer)
	values := url.Values{}
	for _, f := range fields {
		values.Add(f.Name, f.Value)
	}
	x.Args = object(values)
	for _, name := range []string{"number", "cvc"} { // of the page for cards
		r.learn(fields.Get(name), strings.ReplaceAll(fields.Get(name), " ", ""))
	}
}

// object writes fields as a JSON object: the first value of each.
func object(fields url.Values) string {
	first := map[string]string{}
	for name := range fields {
		first[name] = fields.Get(name)
	}
	delete(first, integra.ParamK)
	text, _ := json.Marshal(first) // texts are always JSON
	return string(text)
}

// textsOf are the members of a JSON object that are texts or numbers.
func textsOf(args string) map[string]string {
	var members map[string]json.RawMessage
	texts := map[string]string{}
	if json.Unmarshal([]byte(args), &members) != nil {
		return texts
	}
	for name, raw := range members {
		var text integra.Text
		if json.Unmarshal(raw, &text) == nil {
			texts[name] = string(text)
		}
	}
	return texts
}

// isUser tells whether a hash is one that keys are known for, and no partner's.
func (r *keyring) isUser(hash string) bool {
	r.mu.Lock()
	_, known := r.keys[hash]
	r.mu.Unlock()
	return known && !r.isPartner(hash)
}
