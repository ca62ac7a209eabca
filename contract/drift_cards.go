package contract

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/contract/robokassa"
)

// replayMerchant is a merchant at the stand-in's Any.Money who stands for one of the recording.
type replayMerchant struct {
	lid      string
	api, sci anymoney.Key
}

// merchant returns the merchant who stands for one of the recording: a copy of the stand-in's
// merchant of the same lid, if it has one.
func (r *replay) merchant(ctx context.Context, lid string) (*replayMerchant, error) {
	if m := r.merchants[lid]; m != nil {
		return m, nil
	}
	var config struct {
		Merchants map[string]map[string]any `json:"merchants"`
	}
	if err := r.control.do(ctx, http.MethodGet, "/anymoney/config", nil, &config); err != nil {
		return nil, err
	}
	settings := config.Merchants[lid]
	if settings == nil {
		r.note("the stand-in's Any.Money has no merchant %s: replayed with one that has every payway", lid)
		settings = map[string]any{"is_active": true}
	}
	m := &replayMerchant{lid: "9" + strings.Map(toDigit, r.dice.token(8)), api: anymoney.Key(r.dice.token(32)), sci: anymoney.Key(r.dice.token(32))}
	settings["api_key"], settings["sci_key"] = string(m.api), string(m.sci)
	patch := map[string]any{"merchants": map[string]any{m.lid: settings}}
	if err := r.control.do(ctx, http.MethodPatch, "/anymoney/config", patch, nil); err != nil {
		return nil, err
	}
	r.ids.back[m.lid] = lid // not the other way: it is short, and stands in sums too
	r.merchants[lid] = m
	return m, nil
}

func toDigit(c rune) rune { return '0' + c%10 }

// wrongSignature stands for one that the platform refused.
var wrongSignature = strings.Repeat("0", 128)

// anyMoneyCall is a recorded call, signed anew for the stand-in.
func (r *replay) anyMoneyCall(ctx context.Context, x *recording.Exchange, m recording.Message) (*http.Request, error) {
	if strings.Contains(x.LeftOut, "request:") {
		return nil, skip("its body was left out")
	}
	if x.Method == "invoice" {
		return r.anyMoneyForm(ctx, x, m)
	}
	merchant := &replayMerchant{lid: m.Header(anymoney.HeaderMerchant)}
	var err error
	if merchant.lid != "" && x.Verdict.Code != int(anymoney.CodeMerchantInvalid) {
		if merchant, err = r.merchant(ctx, merchant.lid); err != nil {
			return nil, err
		}
	}
	body, signature := m.Body, wrongSignature
	request, err := anymoney.ParseRequest([]byte(m.Body))
	if err == nil {
		plain, _ := r.rewrite(request.Params.String())
		// Params that were none, and the words of the request, stay as they were sent.
		if written, err := anymoney.ParseRequest([]byte(`{"jsonrpc":"2.0","method":"x","params":` + string(plain) + `,"id":1}`)); err == nil && len(request.Params) > 0 {
			request.Params = written.Params
			body = string(request.Encode())
		}
		if x.Verdict.Code != int(anymoney.CodeSignInvalid) {
			signature = merchant.api.Sign(request.Params, m.Header(anymoney.HeaderUTCNowMS))
		}
	}
	req, err := r.request(ctx, m, r.platform+"/anymoney/", body)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{anymoney.HeaderMerchant: merchant.lid, anymoney.HeaderSignature: signature, anymoney.HeaderUTCNowMS: m.Header(anymoney.HeaderUTCNowMS)} {
		if m.Header(name) != "" {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

// anyMoneyForm is a recorded SCI form, signed anew.
func (r *replay) anyMoneyForm(ctx context.Context, x *recording.Exchange, m recording.Message) (*http.Request, error) {
	fields := textMembers(x.Args)
	merchant, err := r.merchant(ctx, fields[anymoney.FieldMerchant])
	if err != nil {
		return nil, err
	}
	plain, _ := r.rewrite(x.Args)
	form := anymoney.Form(textMembers(string(plain)))
	form[anymoney.FieldMerchant] = merchant.lid
	delete(form, anymoney.FieldSign)
	form[anymoney.FieldSign] = merchant.sci.SignForm(form)
	return r.request(ctx, m, r.platform+"/anymoney-sci/invoice", form.Encode())
}

// anyMoneyCallback gives an order the status that a callback told, and compares the stand-in's
// callback with the recorded one.
func (r *replay) anyMoneyCallback(ctx context.Context, x *recording.Exchange) error {
	args := textMembers(x.Args)
	order, status := args["externalid"], args["status"]
	standIn, known := r.ids.there[order]
	merchant := r.merchants[x.Partner]
	if !known || merchant == nil || status == "" {
		return skip("nothing was recorded of its order before")
	}
	n := r.heard["order "+order]
	r.heard["order "+order]++
	r.inbox.answerWith(x.Status)
	defer r.inbox.answerWith(http.StatusOK)
	got := r.inbox.get(standIn, n)
	if got == nil {
		body := map[string]string{"merchant": merchant.lid, "status": status}
		if err := r.control.do(ctx, http.MethodPost, "/anymoney/orders/"+url.PathEscape(standIn)+"/status", body, nil); err != nil {
			return err
		}
		if err := r.control.advance(ctx, 0); err != nil {
			return err
		}
		got = r.inbox.get(standIn, n)
	}
	if got == nil {
		r.differ(x, "(notification)", "sent", Absent)
		return nil
	}
	r.compare(x, "", readJSON([]byte(x.Args)), readJSON(got.body))
	return nil
}

// shopPassword signs for every shop of a replay: it is no secret.
const shopPassword = "drift-password-1"

// shop returns the login of the shop that stands for one of the recording.
func (r *replay) shop(ctx context.Context, login string) (string, error) {
	if known := r.shops[login]; known != "" {
		return known, nil
	}
	made := "drift-" + r.dice.token(12)
	body := map[string]string{"password1": shopPassword, "password2": shopPassword, "test_password1": shopPassword, "test_password2": shopPassword, "password3": shopPassword, "result_url": r.inbox.resultURL(made)}
	if err := r.control.do(ctx, http.MethodPut, "/robokassa/shops/"+made, body, nil); err != nil {
		return "", err
	}
	r.ids.bind(login, made)
	r.shops[login] = made
	return made, nil
}

// robokassaCall is a recorded call of a shop, signed anew. What buyers do on Robokassa's pages
// is not replayed.
func (r *replay) robokassaCall(ctx context.Context, x *recording.Exchange, m recording.Message, target *url.URL) (*http.Request, error) {
	at := strings.Index(strings.ToLower(target.Path), "/merchant/")
	if at < 0 {
		at = max(strings.LastIndex(target.Path[:max(strings.LastIndex(target.Path, "/"), 0)], "/api/"), strings.Index(target.Path, "/InvoiceServiceWebApi/"), strings.Index(target.Path, refundService))
	}
	if isRefund := at >= 0 && strings.HasPrefix(target.Path[at:], refundService); isRefund && x.Partner == "" && !isUnknownRefund(x) {
		return nil, skip("the recording does not say which operation it is about: nobody asked OpStateExt for its OpKey")
	} else if isRefund && x.Partner == "" {
		return r.request(ctx, m, r.platform+"/robokassa"+target.Path[at:]+"?"+target.RawQuery, m.Body)
	}
	if at < 0 || strings.Contains(x.LeftOut, "request:") || x.Partner == "" {
		return nil, skip("it is no call of a shop")
	}
	login, err := r.shop(ctx, x.Partner)
	if err != nil {
		return nil, err
	}
	if wasPaid(x) {
		if err := r.pay(ctx, x.Partner, login, x.Payment); err != nil {
			return nil, err
		}
	}
	address := r.platform + "/robokassa" + target.Path[at:]
	header, payload, isToken := tokenOf(m.Body)
	if x.Method == methodRefund && !isToken && x.Args != "" {
		header, payload, isToken = refundHeader, x.Args, true // it is masked as a whole, for its OpKey
	}
	if isToken {
		plain, _ := r.rewrite(payload)
		key := robokassa.InvoiceKey(login, shopPassword)
		if x.Method == methodRefund {
			key = shopPassword
			if x.Status == http.StatusUnauthorized {
				key = wrongPassword
			}
			if plain, err = r.withOpKey(ctx, login, x.Payment, plain); err != nil {
				return nil, err
			}
		}
		body, err := robokassa.SignToken(header, string(plain), robokassa.MD5, key)
		if err != nil {
			return nil, skip(err.Error())
		}
		quoted, _ := json.Marshal(body) // a text is always JSON
		return r.request(ctx, m, address, string(quoted))
	}
	text, inBody := target.RawQuery, false
	if strings.HasPrefix(m.Header("Content-Type"), "application/x-www-form-urlencoded") && m.Body != "" {
		text, inBody = m.Body, true
	}
	fields, err := robokassa.ParseFields(text)
	if err != nil {
		return nil, skip(err.Error())
	}
	signature, err := r.robokassaSignature(x.Method, login, fields)
	if err != nil {
		return nil, err
	}
	if x.Verdict.Code == int(robokassa.CodeSignature) {
		signature = wrongSignature[:32]
	}
	for i, f := range fields {
		switch one := (robokassa.Fields{f}); {
		case one.Get(robokassa.FieldLogin) != "":
			fields[i].Value = login
		case strings.HasPrefix(strings.ToLower(f.Name), "signature"):
			fields[i].Value = signature
		case x.Method == methodRefundState && r.ids.there[f.Value] != "":
			fields[i].Value = r.ids.there[f.Value]
		}
	}
	if inBody {
		return r.request(ctx, m, address, fields.Encode())
	}
	return r.request(ctx, m, address+"?"+fields.Encode(), "")
}

// robokassaSignature is that of a call by the shop.
func (r *replay) robokassaSignature(method, login string, fields robokassa.Fields) (string, error) {
	switch strings.ToLower(method) {
	case "index.aspx", "indexjson.aspx", "cofpayment":
		request := robokassa.NewRequest(fields)
		request.Login = login
		return request.Base().Sign(robokassa.MD5, shopPassword), nil
	case "opstate", "opstateext":
		return robokassa.OpStateBase(login, fields.Get(robokassa.FieldInvID)).Sign(robokassa.MD5, shopPassword), nil
	case "confirm":
		return robokassa.NewBase(nil, login, fields.Get(robokassa.FieldOutSum), fields.Get(robokassa.FieldInvID)).Sign(robokassa.MD5, shopPassword), nil
	case "cancel":
		return robokassa.CancelBase(login, fields.Get(robokassa.FieldInvID)).Sign(robokassa.MD5, shopPassword), nil
	case "getcurrencies", "getpaymentmethods", strings.ToLower(methodRefundState):
		return "", nil
	}
	return "", skip("calls of this method are not replayed")
}

// tokenOf takes a JWT apart whose signature may be masked.
func tokenOf(body string) (header, payload string, ok bool) {
	parts := strings.Split(strings.Trim(strings.TrimSpace(body), `"`), ".")
	if len(parts) != 3 {
		return "", "", false
	}
	plain := [2]string{}
	for i := range plain {
		text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[i], "="))
		if err != nil || !json.Valid(text) {
			return "", "", false
		}
		plain[i] = string(text)
	}
	return plain[0], plain[1], cmp.Or(plain[0], plain[1]) != ""
}
