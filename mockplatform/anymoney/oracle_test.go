package anymoney_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// oracle is the platform once more, written from its description (§§3 to 12) alone: plain
// JSON values, exact fractions, one long list of checks. It says what the stand-in must
// answer, in the format of case files. It shares no line with the code that it judges.
type oracle struct {
	config map[string]any // as it is at the moment: balances and codes move in it
	now    int64          // ms
	orders map[string]*oracleOrder
}

type oracleOrder struct {
	shown    map[string]any
	viaForm  bool
	created  int64
	lifetime int64 // ms; 0 for ever
}

func newOracle(config map[string]any) *oracle {
	return &oracle{config: config, now: firstMS, orders: map[string]*oracleOrder{}}
}

func (o *oracle) patch(patch any) { o.config = mergePatch(o.config, patch).(map[string]any) }

// The errors of §4.
var oracleCodes = map[string]int{
	"Parse error": -32700, "Invalid Request": -32600, "Method not found": -32601,
	"EParamInvalid": -32003, "EParamType": -32004, "EParamSignInvalid": -32010, "EParamHeadersInvalid": -32012,
	"EParamRequestWindow": -32013, "EParamCurrencyInvalid": -32014, "EParamMerchantInvalid": -32015, "EParamFieldInvalid": -32016,
	"EParamPeriodInvalid": -32020, "EParamPeriodTooShort": -32021, "EParamPeriodTooLong": -32022,
	"EStateForbidden": -32032, "EStateCurrencyInactive": -32033, "EStateCurrencyUnavail": -32055,
	"EParamAmountTooBig": -32073, "EParamAmountTooSmall": -32074, "EParamCodeInvalid": -32076, "EParamPaywayInvalid": -32081,
	"EParamAmountFormatInvalid": -32082, "EStatePaywayInactive": -32083, "EStatePaywayUnavail": -32084,
	"EStateExchangeUnavail": -32085, "EParamNotFound": -32090, "EParamUnique": -32091,
}

// no is an error; data are names and values in turn.
func no(message string, data ...any) map[string]any {
	e := map[string]any{"code": number(oracleCodes[message]), "message": message}
	if len(data) > 0 {
		members := map[string]any{}
		for i := 0; i < len(data); i += 2 {
			members[data[i].(string)] = data[i+1]
		}
		e["data"] = members
	}
	return e
}

func number[N int | int64](n N) json.Number { return json.Number(strconv.FormatInt(int64(n), 10)) }

// Fractions (§5).

func frac(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(strings.Replace(text, ",", ".", 1))
	if !ok {
		panic("no number: " + text)
	}
	return r
}

// member is a number of a configuration, "0" if it is not there.
func fracAt(value any, names ...string) *big.Rat {
	text, ok := at(value, names...).(string)
	if !ok {
		return new(big.Rat)
	}
	return frac(text)
}

func rounded(r *big.Rat, decimals int64, up bool) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(decimals), nil)
	n := new(big.Int).Mul(r.Num(), scale)
	quotient, rest := new(big.Int).DivMod(n, r.Denom(), new(big.Int))
	if up && rest.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return new(big.Rat).SetFrac(quotient, scale)
}

// plain writes a fraction that ends as the platform does.
func plain(r *big.Rat) string {
	decimals := 0
	for scaled := new(big.Rat).Set(r); !scaled.IsInt(); decimals++ {
		scaled.Mul(scaled, big.NewRat(10, 1))
	}
	return r.FloatString(decimals)
}

func mul(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
func add(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }
func sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }

// Configuration (§6).

func (o *oracle) merchant(lid string) map[string]any {
	m, _ := at(o.config, "merchants", lid).(map[string]any)
	return m
}

// is is a boolean of a configuration.
func is(value any, name string, otherwise bool) bool {
	b, ok := at(value, name).(bool)
	if !ok {
		return otherwise
	}
	return b
}

func object(value any, names ...string) map[string]any {
	m, _ := at(value, names...).(map[string]any)
	return m
}

func (o *oracle) usable(currency any) bool {
	return is(currency, "is_active", true) && !is(currency, "is_disabled", false)
}

func (o *oracle) precision(currency string) int64 {
	n, _ := at(o.config, "currencies", currency, "precision").(json.Number).Int64()
	return n
}

// available reports whether an active payway is there for the merchant.
func available(m map[string]any, name string, way any) bool {
	typed, _ := m["payway"].(string)
	return !is(way, "is_disabled", false) && is(m["payways"], name, true) && (typed == "" || typed == name)
}

// fee is the fee that applies; nil for none.
func (o *oracle) fee(m map[string]any, payway, currency string) map[string]any {
	pair := at(o.config, "payways", payway, "in", currency)
	candidates := []map[string]any{object(pair, "fee")}
	if m["payway"] != nil {
		candidates = slices.Insert(candidates, 0, object(pair, "bound_fee"))
	}
	if is(m, "is_customfee", false) {
		candidates = slices.Insert(candidates, 0, object(m, "fees", payway+"/"+currency))
	}
	for _, fee := range candidates {
		if fee != nil && is(fee, "is_active", true) {
			return fee
		}
	}
	return nil
}

// rate is the effective rate of an exchange: whether there is one, how much, and which way.
func (o *oracle) rate(m map[string]any, in, out string) (ok bool, by *big.Rat, divide bool) {
	x := object(o.config, "exchanges", in+"-"+out)
	if x == nil || !is(x, "is_active", true) {
		return false, nil, false
	}
	fee := fracAt(x, "fee")
	if personal := object(m, "exchange_fees", in+"-"+out); personal != nil && is(m, "is_customfee", false) && is(personal, "is_active", true) {
		fee = fracAt(personal, "fee")
	}
	stored := x["rate"].([]any)
	if frac(stored[1].(string)).Cmp(big.NewRat(1, 1)) == 0 {
		return true, rounded(mul(frac(stored[0].(string)), add(big.NewRat(1, 1), fee)), 5, true), true
	}
	return true, rounded(mul(frac(stored[1].(string)), sub(big.NewRat(1, 1), fee)), 5, false), false
}

// Arithmetic (§7).

// outgoing fills in what goes out of what came in.
func (o *oracle) outgoing(shown, m map[string]any, in, out string) {
	amount, fee := frac(shown["in_amount"].(string)), frac(shown["in_fee_amount"].(string))
	shown["rate"] = nil
	if in != out {
		_, by, divide := o.rate(m, in, out)
		if divide {
			shown["rate"] = []any{plain(by), "1"}
			by = new(big.Rat).Inv(by)
		} else {
			shown["rate"] = []any{"1", plain(by)}
		}
		amount, fee = rounded(mul(amount, by), o.precision(out), false), rounded(mul(fee, by), o.precision(out), true)
	}
	shown["out_amount"], shown["out_fee_amount"], shown["account_amount"] = plain(amount), plain(fee), plain(sub(amount, fee))
}

// sums are the six amounts and the rate of an order; share is what the merchant bears of the fee.
func (o *oracle) sums(m map[string]any, asked, share *big.Rat, payway, in, out string) map[string]any {
	kept := new(big.Rat)
	if fee := o.fee(m, payway, in); fee != nil && payway != "" {
		kept = add(mul(fracAt(fee, "mult"), asked), fracAt(fee, "add"))
		if most := fracAt(fee, "max"); most.Sign() > 0 && kept.Cmp(most) > 0 {
			kept = most
		}
		if least := fracAt(fee, "min"); kept.Cmp(least) < 0 {
			kept = least
		}
		kept = rounded(kept, o.precision(in), true)
	}
	onTop := rounded(mul(sub(big.NewRat(1, 1), share), kept), o.precision(in), true)
	shown := map[string]any{"orig_amount": plain(asked), "in_amount": plain(add(asked, onTop)), "in_fee_amount": plain(kept)}
	o.outgoing(shown, m, in, out)
	return shown
}

// Checks (§8, from step 4).

var (
	amountSyntax = regexp.MustCompile(`^-?[0-9]+([.,][0-9]+)?$`)
	wordOf       = func(v any) string {
		switch v := v.(type) {
		case map[string]any:
			return "dict"
		case []any:
			return "list"
		case json.Number:
			if strings.ContainsAny(v.String(), ".eE") {
				return "float"
			}
			return "int"
		}
		return ""
	}
)

// text is a parameter's text; "" for a boolean or nothing.
func text(params map[string]any, name string) string {
	s, _ := params[name].(string)
	return s
}

// order makes the checks and returns the refusal or what they found: the sums of the order
// with its currencies and payway.
func (o *oracle) order(m, params map[string]any, share *big.Rat, create, form bool) (refused, found map[string]any) {
	amount := text(params, "amount")
	if !amountSyntax.MatchString(amount) {
		return no("EParamInvalid", "field", "amount", "reason", "Should be a Number"), nil
	}
	asked := frac(amount)
	if asked.Sign() < 0 {
		return no("EParamInvalid", "field", "amount", "reason", "Should be a positive Number"), nil
	}
	if v := params["callback_url"]; v != nil {
		u, err := url.Parse(text(params, "callback_url"))
		if text(params, "callback_url") != "$callback_sink" &&
			(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || utf8.RuneCountInString(text(params, "callback_url")) > 2048) {
			return no("EParamFieldInvalid", "field", "callback_url", "reason", "Invalid callback_url value", "value", v), nil
		}
	}
	if create || form {
		if refused := badExternalID(params["externalid"]); refused != nil {
			return refused, nil
		}
	}
	in, out := text(params, "in_curr"), text(params, "in_curr")
	if params["out_curr"] != nil {
		out = text(params, "out_curr")
	}
	for _, side := range [][2]string{{"in_curr", in}, {"out_curr", out}} {
		if object(o.config, "currencies", side[1]) == nil {
			return no("EParamCurrencyInvalid", "field", side[0], "reason", "Invalid currency name"), nil
		}
	}
	for _, name := range []string{in, out} {
		if !o.usable(at(o.config, "currencies", name)) {
			return no("EStateCurrencyInactive", "field", "curr", "reason", "Inactive"), nil
		}
	}
	if rounded(asked, o.precision(in), false).Cmp(asked) != 0 {
		return no("EParamAmountFormatInvalid", "field", "amount"), nil
	}
	payway, typed := text(params, "payway"), m["payway"] != nil
	if form && params["payway"] == nil && typed {
		payway = m["payway"].(string)
	}
	pair := object(o.config, "payways", payway, "in", in)
	way := object(o.config, "payways", payway)
	if payway != "" || !form {
		switch {
		case way == nil:
			return no("EParamPaywayInvalid", "field", "payway", "reason", "Invalid payway name"), nil
		case !is(way, "is_active", true):
			return no("EStatePaywayInactive", "field", "payway", "reason", "Inactive"), nil
		case !available(m, payway, way):
			return no("EStatePaywayUnavail", "field", "payway", "reason", "Disabled"), nil
		}
		if create {
			required, _ := way["required"].([]any)
			for _, name := range sorted(required) {
				if params[name] == nil {
					return no("EParamInvalid", "field", name, "reason", "Should be provided"), nil
				}
				if text(params, name) == "" {
					return no("EParamInvalid", "field", name, "reason", "Invalid "+name+" value", "value", params[name]), nil
				}
			}
		}
		switch {
		case pair == nil:
			return no("EStateCurrencyUnavail", "field", "currency", "reason", "Not able to be used", "value", in), nil
		case !is(pair, "is_active", true):
			return no("EStateCurrencyInactive", "field", "currency", "reason", "Inactive"), nil
		}
	}
	if in != out {
		if typed {
			return no("EStateForbidden", "reason", "Forbidden"), nil
		}
		if ok, _, _ := o.rate(m, in, out); !ok {
			return no("EStateExchangeUnavail", "reason", "Unavailable exchange from "+in+" to "+out), nil
		}
	}
	limit := func(of any, field string) map[string]any {
		if least, ok := at(of, "tech_min").(string); ok && asked.Cmp(frac(least)) < 0 {
			return no("EParamAmountTooSmall", "field", field, "reason", "Amount is too small", "value", plain(asked))
		}
		if most, ok := at(of, "tech_max").(string); ok && asked.Cmp(frac(most)) > 0 {
			return no("EParamAmountTooBig", "field", field, "reason", "Amount is too big", "value", plain(asked))
		}
		return nil
	}
	tooSmall := no("EParamAmountTooSmall", "field", "amount", "reason", "Amount is too small", "value", plain(asked))
	if refused := limit(pair, "amount"); refused != nil {
		return refused, nil
	}
	if asked.Sign() == 0 {
		return tooSmall, nil
	}
	if in != out {
		if refused := limit(at(o.config, "exchanges", in+"-"+out), "in_amount"); refused != nil {
			return refused, nil
		}
	}
	found = o.sums(m, asked, share, payway, in, out)
	if strings.HasPrefix(found["account_amount"].(string), "-") {
		return tooSmall, nil
	}
	found["in_curr"], found["out_curr"], found["payway_name"] = in, out, any(payway)
	if payway == "" {
		found["payway_name"] = nil
	}
	return nil, found
}

func sorted(names []any) []string {
	var all []string
	for _, name := range names {
		all = append(all, name.(string))
	}
	slices.Sort(all)
	return all
}

func badExternalID(v any) map[string]any {
	if s, _ := v.(string); s == "" || utf8.RuneCountInString(s) > 255 {
		return no("EParamInvalid", "field", "externalid", "reason", "Invalid externalid value", "value", v)
	}
	return nil
}

// Methods (§9).

var oracleParams = map[string][2][]string{ // required, optional
	"payin.create":    {{"amount", "externalid", "in_curr", "payway"}, {"out_curr", "callback_url", "code", "payer", "contact"}},
	"payin.calc":      {{"amount", "in_curr", "payway"}, {"out_curr"}},
	"payin.get":       {{"externalid"}, {}},
	"status":          {{"externalid"}, {}},
	"balance":         {{}, {"curr"}},
	"pwcurrency.list": {{}, {}},
}

// call answers a request whose outside was found to be in order: a result or an error.
func (o *oracle) call(lid, method string, params map[string]any) (result, refused map[string]any) {
	m := o.merchant(lid)
	known, ok := oracleParams[method]
	if !ok {
		return nil, no("Method not found")
	}
	byName := slices.Sorted(maps.Keys(params))
	for _, name := range byName {
		if !slices.Contains(known[0], name) && !slices.Contains(known[1], name) {
			return nil, no("EParamInvalid", "field", name, "reason", "Should not be provided")
		}
	}
	for _, name := range known[0] { // which is in the order of names
		if params[name] == nil {
			return nil, no("EParamInvalid", "field", name, "reason", "Should be provided")
		}
	}
	for _, name := range byName {
		if word := wordOf(params[name]); word != "" {
			return nil, no("EParamType", "field", name, "reason", fmt.Sprintf("'%s' must not be of '%s' type", name, word), "value", params[name])
		}
	}
	switch method {
	case "payin.create":
		return o.create(lid, params)
	case "payin.calc":
		refused, found := o.order(m, params, big.NewRat(1, 1), false, false)
		if refused != nil {
			return nil, refused
		}
		result = map[string]any{}
		for _, name := range []string{"account_amount", "in_amount", "in_fee_amount", "orig_amount", "out_amount", "out_fee_amount"} {
			result[name] = found[name]
		}
		if found["rate"] != nil {
			result["rate"] = found["rate"]
		}
		return result, nil
	case "payin.get", "status":
		if refused := badExternalID(params["externalid"]); refused != nil {
			return nil, refused
		}
		order := o.orders[lid+" "+text(params, "externalid")]
		if order == nil || method == "payin.get" && order.viaForm {
			return nil, no("EParamNotFound", "field", "externalid", "reason", "Not found")
		}
		return maps.Clone(order.shown), nil
	case "balance":
		result = map[string]any{}
		for name := range object(o.config, "currencies") {
			result[name] = plain(fracAt(m, "balances", name))
		}
		if params["curr"] == nil {
			return result, nil
		}
		if result[text(params, "curr")] == nil {
			return nil, no("EParamCurrencyInvalid", "field", "curr", "reason", "Invalid currency name")
		}
		return map[string]any{text(params, "curr"): result[text(params, "curr")]}, nil
	}
	return o.payways(m), nil
}

func (o *oracle) create(lid string, params map[string]any) (result, refused map[string]any) {
	m := o.merchant(lid)
	refused, shown := o.order(m, params, big.NewRat(1, 1), true, false)
	if refused != nil {
		return nil, refused
	}
	codeWay := is(at(o.config, "payways", text(params, "payway")), "is_code", false)
	redeems := codeWay && params["code"] != nil
	code := object(o.config, "codes", text(params, "code"))
	if redeems {
		fits := code != nil && (code["state"] == "fresh" || code["state"] == nil) && code["payway"] == params["payway"] &&
			code["currency"] == params["in_curr"] && fracAt(code, "amount").Cmp(frac(text(params, "amount"))) == 0
		if !fits {
			return nil, no("EParamCodeInvalid", "field", "code", "reason", "Invalid code value", "value", params["code"])
		}
	}
	lifetime := int64(7 * 24 * 3600 * 1000)
	if redeems {
		lifetime = 0
		shown["code"] = map[string]any{"amount": shown["orig_amount"], "code": params["code"], "currency": params["in_curr"]}
	}
	if refused := o.place(lid, params, shown, false, lifetime); refused != nil {
		return nil, refused
	}
	if redeems {
		o.patch(map[string]any{"codes": map[string]any{text(params, "code"): map[string]any{"state": "used"}}})
	}
	return maps.Clone(shown), nil
}

// place fills in what an order has beside its sums (§10) and remembers it, if its name is free.
func (o *oracle) place(lid string, params, shown map[string]any, viaForm bool, lifetime int64) (refused map[string]any) {
	key := lid + " " + text(params, "externalid")
	if o.orders[key] != nil {
		return no("EParamUnique", "field", "externalid", "reason", "Such externalid already present")
	}
	reqdata, userdata := map[string]any{}, map[string]any{}
	for name, value := range params {
		switch {
		case value == nil:
		case name == "payer" || name == "contact":
			userdata[name] = value
		default:
			reqdata[name] = value
		}
	}
	reqdata["userdata"] = userdata
	maps.Copy(shown, map[string]any{
		"tp": "payin", "status": "new", "lid": "$lid", "token": "$token", "ref": "$token",
		"externalid": params["externalid"], "owner": lid, "renumeration": "0",
		"ctime": number(o.now), "ftime": nil, "tgt": nil, "uaccount": nil, "userdata": userdata, "reqdata": reqdata,
	})
	if shown["code"] == nil {
		shown["tp"] = "invoice"
		invoice := map[string]any{
			"paylink": "$paylink", "amount_paid": "0", "is_multipay": false, "merchant_payfee": "1", "email": nil, "redirect_url": nil,
			"address": nil, "confirmations": nil, "txid": nil, "payer": nil, "front_params": map[string]any{},
		}
		if viaForm {
			invoice["is_multipay"] = params["is_multipay"] == "true"
			if share := text(params, "merchant_payfee"); share != "" {
				invoice["merchant_payfee"] = plain(frac(share))
			}
			invoice["email"], invoice["redirect_url"] = params["client_email"], params["redirect_url"]
		}
		maps.Copy(shown, invoice)
	}
	o.orders[key] = &oracleOrder{shown: shown, viaForm: viaForm, created: o.now, lifetime: lifetime}
	return nil
}

func (o *oracle) payways(m map[string]any) map[string]any {
	result := map[string]any{}
	for name, way := range object(o.config, "payways") {
		if !is(way, "is_active", true) || !available(m, name, way) {
			continue
		}
		in := map[string]any{}
		for currency, pair := range object(way, "in") {
			known := object(o.config, "currencies", currency)
			if known == nil || !o.usable(known) {
				continue
			}
			fee := map[string]any{}
			if applies := o.fee(m, name, currency); applies != nil {
				fee["method"] = "ceil"
				for _, member := range []string{"add", "max", "min", "mult"} {
					fee[member] = plain(fracAt(applies, member))
				}
			}
			in[currency] = map[string]any{
				"fee": fee, "is_active": is(pair, "is_active", true), "is_crypto": is(known, "is_crypto", false),
				"order": orElse(at(pair, "order"), number(0)), "precision": known["precision"],
				"tech_max": plain(fracAt(pair, "tech_max")), "tech_min": plain(fracAt(pair, "tech_min")),
			}
		}
		result[name] = map[string]any{
			"in": in, "out": map[string]any{}, "order": orElse(at(way, "order"), number(0)), "type": orElse(at(way, "type"), "sci"),
		}
	}
	return result
}

func orElse(v, otherwise any) any {
	if v == nil {
		return otherwise
	}
	return v
}

// Life cycle (§11).

func final(status any) bool {
	return slices.Contains([]any{"done", "fail", "reject", "expired", "canceled"}, status)
}

// setStatus reports whether there is such an order.
func (o *oracle) setStatus(lid, externalID, status string, at int64) {
	order := o.orders[lid+" "+externalID]
	shown := order.shown
	if final(shown["status"]) {
		return
	}
	shown["status"] = status
	if final(status) {
		shown["ftime"] = number(at)
	}
	if status != "done" {
		return
	}
	m := o.merchant(lid)
	if in, out := shown["in_curr"].(string), shown["out_curr"].(string); shown["tp"] == "invoice" {
		if ok, _, _ := o.rate(m, in, out); in != out && (!ok || object(o.config, "currencies", out) == nil) {
			shown["out_curr"] = in
		}
		if in != out {
			o.outgoing(shown, m, in, shown["out_curr"].(string))
		}
		shown["amount_paid"] = shown["in_amount"]
	}
	if m == nil {
		return
	}
	currency := shown["out_curr"].(string)
	o.patch(map[string]any{"merchants": map[string]any{lid: map[string]any{"balances": map[string]any{
		currency: plain(add(fracAt(m, "balances", currency), frac(shown["account_amount"].(string)))),
	}}}})
}

// advance lets time pass: what is not final by the end of its life expires then.
func (o *oracle) advance(ms int64) {
	o.now += ms
	for key, order := range o.orders {
		if ends := order.created + order.lifetime; order.lifetime > 0 && ends <= o.now {
			lid, externalID, _ := strings.Cut(key, " ")
			o.setStatus(lid, externalID, "expired", ends)
		}
	}
}

// The form (§12.2).

var (
	shareSyntax = regexp.MustCompile(`^[0-9]+([.,][0-9]+)?$`)
	pairSyntax  = regexp.MustCompile(`^([0-9]+(w|d|h|ms|m|s))+$`)
	pairs       = regexp.MustCompile(`([0-9]+)(w|d|h|ms|m|s)`)
	unitMS      = map[string]int64{"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
)

// lifetimeOf returns milliseconds, or the name of the error.
func lifetimeOf(value string) (int64, string) {
	if regexp.MustCompile(`^[0-9]+$`).MatchString(value) {
		value += "s"
	}
	if !pairSyntax.MatchString(value) {
		return 0, "EParamPeriodInvalid"
	}
	total, seen := new(big.Int), map[string]bool{}
	for _, pair := range pairs.FindAllStringSubmatch(value, -1) {
		if seen[pair[2]] {
			return 0, "EParamPeriodInvalid"
		}
		seen[pair[2]] = true
		n, _ := new(big.Int).SetString(pair[1], 10)
		total.Add(total, n.Mul(n, big.NewInt(unitMS[pair[2]])))
	}
	switch {
	case total.Cmp(big.NewInt(3_600_000)) < 0:
		return 0, "EParamPeriodTooShort"
	case total.Cmp(big.NewInt(604_800_000)) > 0:
		return 0, "EParamPeriodTooLong"
	}
	return total.Int64(), ""
}

// form answers a form: nil for a new order, or the refusal. signed tells whether its sign is
// that of its merchant, and is not looked at where there is none.
func (o *oracle) form(fields map[string]string, hasSign, signed bool) (refused map[string]any) {
	missing := func(name string) map[string]any {
		return no("EParamInvalid", "field", name, "reason", "Should be provided")
	}
	params := map[string]any{}
	for _, name := range []string{
		"amount", "externalid", "in_curr", "out_curr", "payway", "callback_url", "redirect_url", "client_email",
		"is_multipay", "lifetime", "expiry", "merchant_payfee",
	} {
		if fields[name] != "" {
			params[name] = fields[name]
		}
	}
	lid := fields["merchant"]
	m := o.merchant(lid)
	switch {
	case lid == "":
		return missing("merchant")
	case !hasSign:
		return missing("sign")
	case m == nil || !is(m, "is_active", true):
		return no("EParamMerchantInvalid", "field", "merchant", "reason", "Merchant inactive")
	case !signed:
		return no("EParamSignInvalid", "reason", "Invalid signature")
	}
	for _, name := range []string{"amount", "externalid", "in_curr"} {
		if params[name] == nil {
			return missing(name)
		}
	}
	if v := fields["is_multipay"]; v != "" && v != "true" && v != "false" {
		return no("EParamInvalid", "field", "is_multipay")
	}
	share := big.NewRat(1, 1)
	if v := fields["merchant_payfee"]; v != "" {
		if !shareSyntax.MatchString(v) {
			return no("EParamInvalid", "field", "merchant_payfee")
		}
		share = frac(v)
		if share.Cmp(big.NewRat(1, 1)) > 0 || rounded(share, 2, false).Cmp(share) != 0 {
			return no("EParamInvalid", "field", "merchant_payfee")
		}
	}
	lifetime := int64(604_800_000)
	if v := or(fields["lifetime"], fields["expiry"]); v != "" {
		var wrong string
		if lifetime, wrong = lifetimeOf(v); wrong != "" {
			return no(wrong, "field", "lifetime")
		}
	}
	refused, shown := o.order(m, params, share, false, true)
	if refused != nil {
		return refused
	}
	return o.place(lid, params, shown, true, lifetime)
}
