package mutant

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

const (
	moneyPath = "/anymoney/"
	sciPath   = "/anymoney-sci/"
)

// merchant is a merchant's part of the configuration.
func (p *Platform) merchant(lid string) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return object(object(p.money["merchants"])[lid])
}

// apiKey is the key of the merchant that the message is from or for.
func (m *message) apiKey() anymoney.Key {
	return anymoney.Key(text(m.p.merchant(m.header.Get(anymoney.HeaderMerchant))["api_key"]))
}

// signed is the text that a signature is made of, as a JSON object.
func signed(value any) anymoney.Object {
	o, err := anymoney.ParseObject(encode(value))
	if err != nil {
		return nil
	}
	return o
}

// rpc is the call, nil if it is none.
func (m *message) rpc() map[string]any {
	if m.to != toPlatform || m.path != moneyPath {
		return nil
	}
	call, _ := decode(m.body).(map[string]any)
	return call
}

// rightly tells whether the call is signed as it should be.
func (m *message) rightly() bool {
	return m.apiKey().Verify(signed(object(m.rpc()["params"])), m.header.Get(anymoney.HeaderUTCNowMS), m.header.Get(anymoney.HeaderSignature)) == nil
}

// sign signs the call.
func (m *message) sign() {
	m.header.Set(anymoney.HeaderSignature, m.apiKey().Sign(signed(object(m.rpc()["params"])), m.header.Get(anymoney.HeaderUTCNowMS)))
}

// put makes another call of it, with a signature that is good if the former was.
func (m *message) put(call map[string]any) {
	good := m.rightly()
	m.body = encode(call)
	if good {
		m.sign()
	}
}

// moneyCalls has a wrap for calls of some methods, of all if none is named.
func moneyCalls(w wrap, methods ...string) wrap {
	return func(m *message) {
		if call := m.rpc(); call != nil && (len(methods) == 0 || slices.Contains(methods, text(call["method"]))) {
			w(m)
			return
		}
		m.pass()
	}
}

// moneyAsked changes the parameters of calls.
func moneyAsked(change func(m *message, params map[string]any), methods ...string) wrap {
	return moneyCalls(func(m *message) {
		call := m.rpc()
		if params, ok := call["params"].(map[string]any); ok {
			change(m, params)
			m.put(call)
		}
		m.pass()
	}, methods...)
}

// moneyAnswers changes answers, which are signed anew.
func moneyAnswers(change func(m *message, response map[string]any)) wrap {
	return func(m *message) {
		m.pass()
		if m.to != toPlatform || m.path != moneyPath {
			return
		}
		m.edit(func(response map[string]any) { change(m, response) })
		m.signAnswer()
	}
}

// signAnswer signs the answer if it was signed.
func (m *message) signAnswer() {
	if m.answered.Get(anymoney.HeaderSignature) == "" {
		return
	}
	response := object(decode(m.answer))
	of := response["result"]
	if of == nil {
		of = response["error"]
	}
	m.answered.Set(anymoney.HeaderSignature, m.apiKey().Sign(signed(of), m.answered.Get(anymoney.HeaderUTCNowMS)))
}

// results changes results.
func results(change func(m *message, result map[string]any), methods ...string) wrap {
	return moneyAnswers(func(m *message, response map[string]any) {
		if result, ok := response["result"].(map[string]any); ok && (len(methods) == 0 || slices.Contains(methods, text(m.rpc()["method"]))) {
			change(m, result)
		}
	})
}

// refusals changes refusals.
func refusals(change func(m *message, refusal map[string]any)) wrap {
	return moneyAnswers(func(m *message, response map[string]any) {
		if refusal, ok := response["error"].(map[string]any); ok {
			change(m, refusal)
		}
	})
}

// renamed gives a refusal, of a call or of a form, another code and name.
func renamed(code, name string, newCode int, newName string) wrap {
	calls := refusals(func(_ *message, refusal map[string]any) {
		if text(refusal["code"]) == code {
			refusal["code"], refusal["message"] = newCode, newName
		}
	})
	return func(m *message) {
		calls(m)
		if to := m.answered.Get("Location"); strings.HasPrefix(m.path, sciPath) && to != "" {
			m.answered.Set("Location", strings.Replace(to, "code="+code+"&message="+name, fmt.Sprintf("code=%d&message=%s", newCode, newName), 1))
		}
	}
}

// refusal is the name of what the call was refused for, with its field and its reason; "" if it was not.
func (m *message) refusal() (name, field, reason string) {
	refusal := object(object(decode(m.answer))["error"])
	data := object(refusal["data"])
	return text(refusal["message"]), text(data["field"]), text(data["reason"])
}

// tries makes the call; if it is refused for the reason of that name, mend may change it, and it
// is made again. What then counts is the second answer, or only a second refusal.
func tries(name string, evenYes bool, mend func(m *message, call map[string]any, field, reason string) bool) wrap {
	return moneyCalls(func(m *message) {
		m.pass()
		got, field, reason := m.refusal()
		call := m.rpc()
		if got != name || !mend(m, call, field, reason) {
			return
		}
		first, header, body := m.answer, m.answered, m.body
		m.body = encode(call)
		m.sign()
		m.pass()
		if again, _, _ := m.refusal(); again == "" && !evenYes {
			m.answer, m.answered = first, header
		}
		m.body = body
	})
}

// configured changes the configuration whenever the suite gives one.
func configured(change func(m *message, config map[string]any)) wrap {
	return settings("/anymoney/config", change)
}

// each calls change for every object below a path of names, where * is any.
func each(in map[string]any, path string, change func(map[string]any)) {
	name, rest, more := strings.Cut(path, ".")
	for key, value := range in {
		inside, ok := value.(map[string]any)
		switch {
		case !ok || name != "*" && name != key:
		case more:
			each(inside, rest, change)
		default:
			change(inside)
		}
	}
}

// everywhere gives members another value wherever the configuration has one.
func everywhere(path, member string, value any) wrap {
	return configured(func(_ *message, config map[string]any) {
		each(config, path, func(o map[string]any) {
			if _, there := o[member]; there {
				o[member] = value
			}
		})
	})
}

// number reads a number of the configuration or of a call; 0 for what is none.
func number(value any) decimal.Decimal {
	d, err := decimal.NewFromString(strings.Replace(text(value), ",", ".", 1))
	if err != nil {
		return decimal.Zero
	}
	return d
}

const pairs = "payways.*.in.*"

// A feeRule computes a fee. Its places are those of the currency.
type feeRule func(amount, mult, add, least, most decimal.Decimal, places int32) decimal.Decimal

// charges has fees computed by another rule: before each call the configuration gets a fee
// that comes to that.
func charges(rule feeRule) wrap {
	return moneyCalls(func(m *message) {
		params := object(m.rpc()["params"])
		m.p.mu.Lock()
		config := m.p.money
		m.p.mu.Unlock()
		payway, currency := text(params["payway"]), text(params["in_curr"])
		merchant := m.p.merchant(m.header.Get(anymoney.HeaderMerchant))
		pair := object(object(object(object(config["payways"])[payway])["in"])[currency])
		fee := object(pair["fee"])
		personal := object(object(merchant["fees"])[payway+"/"+currency])
		if personal["is_active"] == true && merchant["is_customfee"] == true {
			fee = personal
		}
		places, _ := number(object(object(config["currencies"])[currency])["precision"]).Float64()
		if len(fee) > 0 && fee["is_active"] != false {
			is := map[string]any{"mult": "0", "min": "0", "max": "0", "add": rule(number(params["amount"]), number(fee["mult"]), number(fee["add"]), number(fee["min"]), number(fee["max"]), int32(places)).String()}
			patch := map[string]any{"payways": map[string]any{payway: map[string]any{"in": map[string]any{currency: map[string]any{"fee": is}}}}}
			if len(personal) > 0 {
				patch["merchants"] = map[string]any{m.header.Get(anymoney.HeaderMerchant): map[string]any{"fees": map[string]any{payway + "/" + currency: is}}}
			}
			m.of(toControl, http.MethodPatch, "/anymoney/config", patch)
		}
		m.pass()
	}, "payin.calc", "payin.create")
}

// clamp is a fee as it should be, but for the rounding.
func clamp(amount, mult, add, least, most decimal.Decimal) decimal.Decimal {
	f := amount.Mul(mult).Add(add)
	if most.IsPositive() {
		f = decimal.Min(f, most)
	}
	return decimal.Max(f, least)
}

// converts has the effective rate computed by another rule, of the rate and the exchange's
// fee; dividing tells whether r units buy one.
func converts(rule func(r, fee decimal.Decimal, dividing bool) decimal.Decimal) wrap {
	return configured(func(m *message, config map[string]any) {
		m.p.mu.Lock()
		known := m.p.money
		m.p.mu.Unlock()
		merchant := m.p.merchant("37")
		for name, value := range object(config["exchanges"]) {
			exchange := object(value)
			sides, _ := exchange["rate"].([]any)
			if len(sides) != 2 {
				continue
			}
			fee := number(object(object(known["exchanges"])[name])["fee"])
			if own := object(object(merchant["exchange_fees"])[name]); own["is_active"] == true && merchant["is_customfee"] == true {
				fee = number(own["fee"])
			}
			dividing := text(sides[1]) == "1"
			side := map[bool]int{true: 0, false: 1}[dividing]
			sides[side], exchange["fee"] = rule(number(sides[side]), fee, dividing).String(), "0"
		}
		each(config, "merchants.*", func(merchant map[string]any) { delete(merchant, "exchange_fees") })
	})
}

func anymoneyDefects(add adding) {
	anymoneySums(add)
	anymoneyConfiguration(add)
	anymoneyRefusals(add)
	anymoneyAuth(add)
	anymoneyOrders(add)
	anymoneyCallbacks(add)
	anymoneyForm(add)
}

func anymoneySums(add adding) {
	const lost = "The merchant is credited another sum than was computed for the payer"
	sums := []string{"account_amount", "in_amount", "in_fee_amount", "orig_amount", "out_amount", "out_fee_amount"}
	for _, name := range sums {
		add("more-"+name, "Gives "+name+" one unit of its last digit too high", lost, results(func(_ *message, result map[string]any) {
			if _, there := result[name]; there {
				d := number(result[name])
				result[name] = d.Add(decimal.New(1, min(d.Exponent(), 0))).String()
			}
		}))
		add("number-"+name, "Writes "+name+" as a number", "Callers read it in floating point", results(func(_ *message, result map[string]any) {
			if s, ok := result[name].(string); ok {
				result[name] = json.Number(s)
			}
		}))
		add("zeros-"+name, "Writes "+name+" with zeros at its end", "What is signed is text: 1.50 is another amount than 1.5", results(func(_ *message, result map[string]any) {
			if s, ok := result[name].(string); ok {
				result[name] = number(s).StringFixed(4)
			}
		}))
	}
	add("rate-turned-round", "Shows the rate the other way round", "A rate of 28 is taken for 1/28", results(func(_ *message, result map[string]any) {
		if sides, ok := result["rate"].([]any); ok {
			slices.Reverse(sides)
		}
	}))
	add("rate-always", "Shows a rate where nothing is converted", "Callers convert what is not to be converted", results(func(_ *message, result map[string]any) {
		if rate, there := result["rate"]; !there || rate == nil {
			result["rate"] = []any{"1", "1"}
		}
	}))
	const fees = "Over all payments the platform charges less or more than was agreed"
	for _, r := range []struct {
		id, what string
		rule     feeRule
	}{
		{"half-up", "Rounds fees to the nearest unit", func(a, mult, add, least, most decimal.Decimal, places int32) decimal.Decimal {
			return clamp(a, mult, add, least, most).Round(places)
		}},
		{"down", "Rounds fees down", func(a, mult, add, least, most decimal.Decimal, places int32) decimal.Decimal {
			return clamp(a, mult, add, least, most).RoundDown(places)
		}},
		{"to-2-places", "Rounds fees to two decimals in every currency", func(a, mult, add, least, most decimal.Decimal, _ int32) decimal.Decimal {
			return clamp(a, mult, add, least, most).RoundUp(2)
		}},
		{"without-add", "Leaves the fixed part of fees out", func(a, mult, _, least, most decimal.Decimal, _ int32) decimal.Decimal {
			return clamp(a, mult, decimal.Zero, least, most)
		}},
		{"without-mult", "Leaves the percentage of fees out", func(a, _, add, least, most decimal.Decimal, _ int32) decimal.Decimal {
			return clamp(a, decimal.Zero, add, least, most)
		}},
		{"add-before-mult", "Takes the percentage of amount and fixed part", func(a, mult, add, least, most decimal.Decimal, _ int32) decimal.Decimal {
			return clamp(a.Add(add), mult, add, least, most)
		}},
		{"without-min", "Does not look at the least fee", func(a, mult, add, _, most decimal.Decimal, _ int32) decimal.Decimal {
			return clamp(a, mult, add, decimal.Zero, most)
		}},
		{"min-of-the-percentage", "Applies the least fee to the percentage alone", func(a, mult, add, least, most decimal.Decimal, _ int32) decimal.Decimal {
			return clamp(a, mult, decimal.Zero, least, most).Add(add)
		}},
		{"without-max", "Does not look at the greatest fee", func(a, mult, add, least, _ decimal.Decimal, _ int32) decimal.Decimal {
			return clamp(a, mult, add, least, decimal.Zero)
		}},
		{"max-0-is-free", "Takes a greatest fee of 0 for no fee", func(a, mult, add, least, most decimal.Decimal, _ int32) decimal.Decimal {
			return decimal.Min(clamp(a, mult, add, least, most), most)
		}},
		{"max-of-the-percentage", "Applies the greatest fee to the percentage alone", func(a, mult, add, least, most decimal.Decimal, _ int32) decimal.Decimal {
			return clamp(a, mult, decimal.Zero, least, most).Add(add)
		}},
	} {
		add("fees-"+r.id, r.what, fees, charges(r.rule))
	}
	one := decimal.New(1, 0)
	round := func(d decimal.Decimal, up bool, places int32) decimal.Decimal {
		if up {
			return d.RoundUp(places)
		}
		return d.RoundDown(places)
	}
	with := func(fee decimal.Decimal, dividing bool) decimal.Decimal {
		if dividing {
			return one.Add(fee)
		}
		return one.Sub(fee)
	}
	for _, r := range []struct {
		id, what string
		rule     func(r, fee decimal.Decimal, dividing bool) decimal.Decimal
	}{
		{"other-way", "Rounds rates in favour of the merchant", func(r, fee decimal.Decimal, dividing bool) decimal.Decimal {
			return round(r.Mul(with(fee, dividing)), !dividing, 5)
		}},
		{"four-places", "Rounds rates to four decimals", func(r, fee decimal.Decimal, dividing bool) decimal.Decimal {
			return round(r.Mul(with(fee, dividing)), dividing, 4)
		}},
		{"without-fee", "Leaves the fee of the exchange out", func(r, _ decimal.Decimal, _ bool) decimal.Decimal { return r }},
		{"fee-the-other-way", "Gives the fee of the exchange to the merchant", func(r, fee decimal.Decimal, dividing bool) decimal.Decimal {
			return round(r.Mul(with(fee, !dividing)), dividing, 5)
		}},
		{"divided-by-fee", "Divides by the fee of the exchange", func(r, fee decimal.Decimal, dividing bool) decimal.Decimal {
			return round(r.DivRound(with(fee, !dividing), 12), dividing, 5)
		}},
	} {
		add("rates-"+r.id, r.what, lost, converts(r.rule))
	}
	add("rate-of-creation", "Keeps the rate at which an invoice was made", "The platform pays the difference when the rate has moved", only(toControl, func(m *message) {
		if m.path == "/anymoney/config" && m.verb == http.MethodPatch {
			m.says(http.StatusOK, "application/json", "{}")
			return
		}
		m.pass()
	}))
}

func anymoneyConfiguration(add adding) {
	for _, d := range []struct {
		id, what, costs string
		w               wrap
	}{
		{"no-personal-fees", "Does not look at personal fees", "The merchant pays more than was agreed with him", everywhere("merchants.*", "is_customfee", false)},
		{"personal-fees-for-all", "Applies personal fees where they are switched off", "The merchant pays less than everybody", everywhere("merchants.*", "is_customfee", true)},
		{"inactive-personal-fees", "Applies personal fees that are not active", "The merchant pays less than everybody", everywhere("merchants.*.fees.*", "is_active", true)},
		{"inactive-fees", "Applies fees that are not active", "Payers pay a fee that was abolished", everywhere(pairs+".fee", "is_active", true)},
		{"no-fees", "Charges no fee", "The platform earns nothing", configured(func(_ *message, config map[string]any) {
			each(config, pairs, func(pair map[string]any) { delete(pair, "fee") })
		})},
		{"inactive-exchange-fees", "Applies personal exchange fees that are not active", "The merchant converts at a rate that was not agreed", everywhere("merchants.*.exchange_fees.*", "is_active", true)},
		{"no-personal-exchange-fees", "Does not look at personal exchange fees", "The merchant converts at a rate that was not agreed", configured(func(_ *message, config map[string]any) {
			each(config, "merchants.*", func(merchant map[string]any) { delete(merchant, "exchange_fees") })
		})},
		{"no-bound-fees", "Does not look at the fees of typed merchants", "Typed merchants pay another fee than was agreed", configured(func(_ *message, config map[string]any) {
			each(config, pairs, func(pair map[string]any) { delete(pair, "bound_fee") })
		})},
		{"bound-fees-for-all", "Applies the fees of typed merchants to everybody", "Merchants pay another fee than was agreed", configured(func(_ *message, config map[string]any) {
			each(config, pairs, func(pair map[string]any) {
				if bound, ok := pair["bound_fee"]; ok {
					pair["fee"] = bound
				}
			})
		})},
		{"no-lower-limits", "Does not look at the least amount of a payway", "Amounts are taken that the bank refuses", everywhere(pairs, "tech_min", "0.00000001")},
		{"no-upper-limits", "Does not look at the greatest amount of a payway", "Amounts are taken that the bank refuses", everywhere(pairs, "tech_max", "900000000")},
		{"lower-limits-excluded", "Refuses the least amount itself", "Payments at the limit are refused", configured(func(_ *message, config map[string]any) {
			each(config, pairs, func(pair map[string]any) {
				if pair["tech_min"] != nil {
					pair["tech_min"] = number(pair["tech_min"]).Add(decimal.New(1, -8)).String()
				}
			})
		})},
		{"upper-limits-excluded", "Refuses the greatest amount itself", "Payments at the limit are refused", configured(func(_ *message, config map[string]any) {
			each(config, pairs, func(pair map[string]any) {
				if pair["tech_max"] != nil {
					pair["tech_max"] = number(pair["tech_max"]).Sub(decimal.New(1, -8)).String()
				}
			})
		})},
		{"no-lower-limits-of-exchanges", "Does not look at the least amount of an exchange", "Sums are converted that come to nothing", everywhere("exchanges.*", "tech_min", "0.00000001")},
		{"no-upper-limits-of-exchanges", "Does not look at the greatest amount of an exchange", "More is converted than there is", everywhere("exchanges.*", "tech_max", "900000000")},
		{"inactive-currencies", "Takes currencies that are not active", "Money comes in that cannot be paid out", everywhere("currencies.*", "is_active", true)},
		{"disabled-currencies", "Takes currencies that are disabled", "Money comes in that cannot be paid out", everywhere("currencies.*", "is_disabled", false)},
		{"inactive-payways", "Takes payways that are not active", "The payer pays where nobody looks", everywhere("payways.*", "is_active", true)},
		{"disabled-payways", "Takes payways that are disabled", "The payer pays where nobody looks", everywhere("payways.*", "is_disabled", false)},
		{"payways-switched-off", "Takes payways that are switched off for the merchant", "The merchant gets money in a way that he ruled out", configured(func(_ *message, config map[string]any) {
			each(config, "merchants.*", func(merchant map[string]any) { delete(merchant, "payways") })
		})},
		{"inactive-pairs", "Takes payways in currencies that are not active there", "The payer pays where nobody looks", everywhere(pairs, "is_active", true)},
		{"inactive-exchanges", "Converts where the exchange is not active", "Money is converted at a rate of yesterday", everywhere("exchanges.*", "is_active", true)},
		{"inactive-merchants", "Lets merchants in that are not active", "A merchant that was shut out goes on", everywhere("merchants.*", "is_active", true)},
		{"nothing-required", "Does not want what a payway requires", "The bank gets a payment without a payer", everywhere("payways.*", "required", []any{})},
		{"eight-places", "Takes eight decimals in every currency", "Amounts are taken that no account can hold", everywhere("currencies.*", "precision", 8)},
		{"whole-units", "Takes no decimals in any currency", "Nobody can pay kopecks", everywhere("currencies.*", "precision", 0)},
		{"typed-are-free", "Lets typed merchants use any payway", "Money comes in under another contract", configured(func(_ *message, config map[string]any) {
			each(config, "merchants.*", func(merchant map[string]any) { delete(merchant, "payway") })
		})},
		{"no-code-payways", "Redeems no codes", "The code's money is gone, and no payment made", everywhere("payways.*", "is_code", false)},
		{"used-codes", "Redeems codes that are used", "One code pays twice", everywhere("codes.*", "state", "fresh")},
		{"codes-of-any-payway", "Takes codes for invoices", "A code is spent where it is not due", everywhere("payways.*", "is_code", true)},
		{"wide-window", "Accepts calls an hour old", "A recorded call can be played again", everywhere("settings", "request_window_ms", 3_600_000)},
		{"no-window", "Accepts no call that took a second", "Honest callers with another clock are shut out", everywhere("settings", "request_window_ms", 0)},
		{"callbacks-at-once", "Repeats callbacks every second", "Merchants that are down for a minute lose payments", everywhere("settings", "callback_offsets_ms", []int{0, 1000, 2000, 3000, 4000})},
		{"callbacks-twice", "Sends two callbacks at most", "Merchants that are down for a minute lose payments", everywhere("settings", "callback_offsets_ms", []int{0, 25_000})},
		{"callbacks-six-times", "Sends six callbacks", "What the platform says five times is not what it does", everywhere("settings", "callback_offsets_ms", []int{0, 25_000, 150_000, 775_000, 3_900_000, 7_800_000})},
		{"callbacks-late", "Sends the first callback after a minute", "The payer waits for his goods", everywhere("settings", "callback_offsets_ms", []int{60_000, 85_000, 210_000, 835_000, 3_960_000})},
	} {
		add(d.id, d.what, d.costs, d.w)
	}
}

func anymoneyRefusals(add adding) {
	for code := anymoney.CodeParse; code < -32000; code++ {
		if name := code.Message(); name != "" && code != anymoney.CodeInternal {
			id := strings.ToLower(strings.ReplaceAll(name, " ", "-"))
			add("code-of-"+id, "Gives "+name+" another code", "Callers branch on the code", renamed(fmt.Sprint(int(code)), name, int(code)-1000, name))
			add("name-of-"+id, "Gives "+name+" another name", "Callers branch on the name", renamed(fmt.Sprint(int(code)), name, int(code), "E"+name))
		}
	}
	for _, member := range []string{"field", "reason", "value"} {
		add("no-"+member, "Does not give the "+member+" of a refusal", "Nobody learns which parameter was wrong", refusals(func(_ *message, refusal map[string]any) {
			delete(object(refusal["data"]), member)
		}))
	}
	add("no-data-at-all", "Gives refusals no data", "Nobody learns which parameter was wrong", refusals(func(_ *message, refusal map[string]any) { delete(refusal, "data") }))
	add("status-400", "Refuses with status 400", "Callers that look at the status first take a refusal for a fault and call again", func(m *message) {
		m.pass()
		if name, _, _ := m.refusal(); m.path == moneyPath && name != "" {
			m.status = http.StatusBadRequest
		}
	})
	drop := func(_ *message, call map[string]any, field, _ string) bool {
		_, there := object(call["params"])[field]
		delete(object(call["params"]), field)
		return there
	}
	const free = "What the caller asked for is not what it gets, and nobody says so"
	replace := func(id, what, name string, with map[string]any) {
		add(id, what, free, tries(name, true, func(_ *message, call map[string]any, field, reason string) bool {
			value, ok := with[field]
			if !ok {
				value, ok = with[reason]
			}
			if ok {
				object(call["params"])[field] = value
			}
			return ok
		}))
	}
	add("passes-over-parameters", "Passes over parameters that it does not know", "A misspelt callback_url is no callback at all", tries("EParamInvalid", true, func(m *message, call map[string]any, field, reason string) bool {
		return reason == "Should not be provided" && drop(m, call, field, reason)
	}))
	replace("default-currency", "Takes UAH where no currency is given", "EParamInvalid", map[string]any{"in_curr": "UAH"})
	replace("default-amount", "Takes 1 where no amount is given, or none that it can read", "EParamInvalid", map[string]any{"amount": "1"})
	replace("default-payway", "Takes visamc where no payway is given", "EParamInvalid", map[string]any{"payway": "visamc"})
	replace("default-externalid", "Makes an externalid up where none is given", "EParamInvalid", map[string]any{"externalid": fresh()})
	replace("default-payer", "Makes a payer up where none is given", "EParamInvalid", map[string]any{"payer": "79000000000"})
	replace("unknown-currencies", "Takes an unknown currency for UAH", "EParamCurrencyInvalid", map[string]any{"in_curr": "UAH", "out_curr": "UAH", "curr": "UAH"})
	replace("unknown-payways", "Takes an unknown payway for visamc", "EParamPaywayInvalid", map[string]any{"payway": "visamc"})
	replace("any-type", "Takes values of any type", "EParamType", map[string]any{"amount": "1", "in_curr": "UAH", "externalid": "any-type", "payway": "visamc"})
	replace("rounds-amounts", "Rounds amounts that are too fine", "EParamAmountFormatInvalid", map[string]any{"amount": "1"})
	add("unconverted", "Does not convert where there is no exchange", free, tries("EStateExchangeUnavail", true, func(m *message, call map[string]any, _, _ string) bool {
		return drop(m, call, "out_curr", "")
	}))
	add("typed-unconverted", "Does not convert for typed merchants, and does not say so", free, tries("EStateForbidden", true, func(m *message, call map[string]any, _, _ string) bool {
		return drop(m, call, "out_curr", "")
	}))
	add("bad-callback-urls", "Passes over addresses that it cannot call", "The merchant never learns that he was paid", tries("EParamFieldInvalid", true, drop))
	add("bad-codes", "Makes an invoice where a code is refused", "The payer who gave a code is asked for money", tries("EParamCodeInvalid", true, drop))
	add("other-payways-for-pairs", "Takes another payway where the payway has not the currency", free, tries("EStateCurrencyUnavail", true, func(_ *message, call map[string]any, _, _ string) bool {
		object(call["params"])["in_curr"], object(call["params"])["payway"] = "UAH", "visamc"
		return true
	}))
	add("orders-twice", "Answers a taken externalid with the order that has it", "Two payments with one number: one is never paid out", tries("EParamUnique", true, func(_ *message, call map[string]any, _, _ string) bool {
		call["method"], call["params"] = "payin.get", map[string]any{"externalid": object(call["params"])["externalid"]}
		return true
	}))
	add("missing-before-unknown", "Names what is missing before what is unknown", "Callers that mend what they are told never come to the end", tries("EParamInvalid", false, func(m *message, call map[string]any, field, reason string) bool {
		return reason == "Should not be provided" && drop(m, call, field, reason)
	}))
	add("last-missing-first", "Names the last parameter that is missing", "Callers that mend what they are told never come to the end", tries("EParamInvalid", false, func(_ *message, call map[string]any, field, reason string) bool {
		object(call["params"])[field] = "1"
		return reason == "Should be provided"
	}))
	add("exchange-limits-first", "Looks at the limits of the exchange first", "The payer is told a limit that is not his", configured(func(_ *message, config map[string]any) {
		each(config, pairs, func(pair map[string]any) {
			if pair["tech_min"] != nil && pair["tech_max"] != nil {
				pair["tech_min"], pair["tech_max"] = "0.00000001", "900000000"
			}
		})
	}))
	add("amounts-before-currencies", "Looks at decimals before it looks whether currencies are active", "The payer is told of an amount where the currency is the matter", tries("EStateCurrencyInactive", false, func(m *message, call map[string]any, _, _ string) bool {
		return drop(m, call, "out_curr", "")
	}))
	add("dies-of-json", "Answers 500 to what is no JSON", "Monitoring takes a typing error for an outage", func(m *message) {
		m.pass()
		if name, _, _ := m.refusal(); name == "Parse error" {
			m.status = http.StatusInternalServerError
		}
	})
	add("unbatches", "Carries out the first call of a batch", "The rest of the batch is lost", only(toPlatform, func(m *message) {
		if list, ok := decode(m.body).([]any); ok && m.path == moneyPath && len(list) > 0 {
			m.body = encode(list[0])
			m.sign()
		}
		m.pass()
	}))
	add("positional", "Passes over parameters that stand in a list", "Whatever was asked for is not done, and nobody says so", moneyCalls(func(m *message) {
		if call := m.rpc(); call["params"] != nil {
			if _, list := call["params"].([]any); list {
				call["params"] = map[string]any{}
				m.body = encode(call)
				m.sign()
			}
		}
		m.pass()
	}))
	add("wants-params", "Refuses calls without params", "Callers of balance get none", moneyCalls(func(m *message) {
		if call := m.rpc(); call["params"] == nil {
			call["method"] = ""
			m.body = encode(call)
		}
		m.pass()
	}))
	add("own-ids", "Answers under an id of its own", "Callers throw the answer away", moneyAnswers(func(_ *message, response map[string]any) { response["id"] = "0" }))
	add("ids-without-letters", "Answers texts as ids with their digits alone", "Callers throw the answer away", moneyAnswers(func(_ *message, response map[string]any) {
		if id, ok := response["id"].(string); ok {
			response["id"] = json.Number("0" + strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
		}
	}))
	add("no-version", "Leaves jsonrpc out of answers", "Strict callers throw the answer away", moneyAnswers(func(_ *message, response map[string]any) { delete(response, "jsonrpc") }))
	add("says-text", "Declares answers as plain text", "Strict callers throw the answer away", func(m *message) {
		if m.pass(); m.path == moneyPath && m.status != 0 {
			m.answered.Set("Content-Type", "text/plain")
		}
	})
	add("no-comma", "Takes no comma in amounts", "Callers that follow the documents pay nothing", moneyAsked(func(_ *message, params map[string]any) {
		if amount := text(params["amount"]); strings.Contains(amount, ",") {
			params["amount"] = "comma"
		}
	}))
	add("comma-is-thousands", "Takes a comma for a separator of thousands", "256,13 is 25613", moneyAsked(func(_ *message, params map[string]any) {
		if amount, ok := params["amount"].(string); ok && strings.Contains(amount, ",") {
			params["amount"] = strings.ReplaceAll(amount, ",", "")
		}
	}))
	add("counts-zeros", "Counts zeros at the end as decimals", "10.5000 is refused", moneyAsked(func(_ *message, params map[string]any) {
		if amount := text(params["amount"]); strings.Contains(amount, ".") && strings.HasSuffix(amount, "00") {
			params["amount"] = amount + "1"
		}
	}))
	add("exponents", "Takes 1e1 for 10", "A misprint is a hundredfold", moneyAsked(func(_ *message, params map[string]any) {
		if amount, ok := params["amount"].(string); ok && strings.ContainsAny(amount, "eE") {
			if d, err := decimal.NewFromString(amount); err == nil {
				params["amount"] = d.String()
			}
		}
	}))
	add("signs-dropped", "Takes -10 for 10", "A refund is a payment", moneyAsked(func(_ *message, params map[string]any) {
		if amount, ok := params["amount"].(string); ok {
			params["amount"] = strings.TrimPrefix(amount, "-")
		}
	}))
	add("zero-is-an-amount", "Takes an amount of zero", "Orders that nobody can pay", moneyAsked(func(_ *message, params map[string]any) {
		if params["amount"] == "0" {
			params["amount"] = "1"
		}
	}))
}

func anymoneyAuth(add adding) {
	const forged = "A stranger makes calls in the merchant's name"
	add("any-signature", "Accepts any signature", forged, moneyCalls(func(m *message) {
		if m.header.Get(anymoney.HeaderSignature) != "" {
			m.sign()
		}
		m.pass()
	}))
	add("any-time", "Accepts calls of any time", "A recorded call can be played again", tries("EParamRequestWindow", true, func(m *message, _ map[string]any, _, _ string) bool {
		m.header.Set(anymoney.HeaderUTCNowMS, m.answered.Get(anymoney.HeaderUTCNowMS))
		return true
	}))
	add("any-merchant", "Takes an unknown merchant for the first", forged, tries("EParamMerchantInvalid", true, func(m *message, _ map[string]any, _, _ string) bool {
		m.header.Set(anymoney.HeaderMerchant, "37")
		return true
	}))
	for _, header := range []string{anymoney.HeaderMerchant, anymoney.HeaderSignature, anymoney.HeaderUTCNowMS} {
		add("no-"+header, "Does without "+header, forged, tries("EParamHeadersInvalid", true, func(m *message, _ map[string]any, field, _ string) bool {
			values := map[string]string{anymoney.HeaderMerchant: "37", anymoney.HeaderUTCNowMS: m.now()}
			m.header.Set(field, values[field])
			return field == header
		}))
	}
	add("parameters-first", "Looks at parameters before the signature", "Strangers find out what a merchant has", tries("EParamSignInvalid", false, func(*message, map[string]any, string, string) bool { return true }))
	add("signature-of-capitals", "Wants signatures in lower case", "Callers that write capitals are shut out", moneyCalls(func(m *message) {
		if s := m.header.Get(anymoney.HeaderSignature); s != strings.ToLower(s) {
			m.header.Set(anymoney.HeaderSignature, "0")
		}
		m.pass()
	}))
	add("signs-null", "Signs null as a value", "Callers that send null are shut out", moneyCalls(func(m *message) {
		for _, value := range object(m.rpc()["params"]) {
			if value == nil {
				m.header.Set(anymoney.HeaderSignature, "0")
			}
		}
		m.pass()
	}))
	add("each-stamp-once", "Accepts a timestamp once", "Two calls of one millisecond: one is refused", moneyCalls(func(m *message) {
		if m.p.remember("stamp "+m.header.Get(anymoney.HeaderUTCNowMS), "used") != "" && m.rightly() {
			m.header.Set(anymoney.HeaderSignature, "0")
		}
		m.pass()
	}, "balance", "payin.calc"))
	add("answers-unsigned", "Does not sign answers", "Whoever sits in between writes the answers", func(m *message) {
		if m.pass(); m.path == moneyPath && m.status != 0 {
			m.answered.Del(anymoney.HeaderSignature)
		}
	})
	add("answers-signed-before", "Signs answers with another time", "Callers that verify throw the answer away", func(m *message) {
		if m.pass(); m.path == moneyPath && m.answered.Get(anymoney.HeaderUTCNowMS) != "" {
			m.answered.Set(anymoney.HeaderUTCNowMS, "1")
		}
	})
	add("refusals-signed-wrongly", "Signs refusals with another text", "Callers that verify take a refusal for an unknown outcome", func(m *message) {
		m.pass()
		if name, _, _ := m.refusal(); m.path == moneyPath && name != "" && m.answered.Get(anymoney.HeaderSignature) != "" {
			m.answered.Set(anymoney.HeaderSignature, m.apiKey().Sign(nil, m.answered.Get(anymoney.HeaderUTCNowMS)))
		}
	})
}

// now is the platform's time in milliseconds.
func (m *message) now() string {
	return text(object(decode(m.of(toControl, http.MethodGet, "/clock", nil).answer))["now_ms"])
}

func anymoneyOrders(add adding) {
	const blind = "Merchants keep what is not there, or do not find what they need"
	for _, name := range []string{
		"account_amount", "in_amount", "in_fee_amount", "orig_amount", "out_amount", "out_fee_amount", "rate",
		"ctime", "externalid", "ftime", "in_curr", "lid", "out_curr", "owner", "payway_name", "ref", "renumeration", "reqdata", "status",
		"tgt", "token", "tp", "uaccount", "userdata", "address", "amount_paid", "confirmations", "email", "front_params", "is_multipay",
		"merchant_payfee", "payer", "paylink", "redirect_url", "txid", "code",
	} {
		add("without-"+name, "Leaves "+name+" out of results", blind, results(func(_ *message, result map[string]any) { delete(result, name) }))
	}
	for _, d := range []struct {
		name  string
		value any
	}{
		{"lid", "1"},
		{"ctime", "1"},
		{"owner", json.Number("37")},
		{"status", "pending"},
		{"tp", "convert"},
		{"paylink", "https://sci.invalid/"},
		{"token", "short"},
		{"renumeration", json.Number("0")},
		{"out_curr", nil},
		{"payway_name", "card"},
		{"in_curr", "uah"},
		{"externalid", "1"},
	} {
		add("wrong-"+d.name, fmt.Sprintf("Gives %s as %s", d.name, encode(d.value)), blind, results(func(_ *message, result map[string]any) {
			if _, there := result[d.name]; there {
				result[d.name] = d.value
			}
		}))
	}
	add("ends-without-time", "Does not say when an order ended", "Merchants cannot tell which day's money it is", results(func(_ *message, result map[string]any) {
		if _, there := result["ftime"]; there {
			result["ftime"] = nil
		}
	}))
	add("final-is-not-final", "Shows orders as new for ever", "Goods are never handed out", results(func(_ *message, result map[string]any) {
		if _, there := result["status"]; there {
			result["status"] = "new"
		}
	}, "payin.get", "status"))
	add("get-finds-forms", "Finds orders of the SCI form by payin.get", "An order is answered for twice", tries("EParamNotFound", true, func(_ *message, call map[string]any, _, _ string) bool {
		call["method"] = "status"
		return true
	}))
	add("get-finds-payins-alone", "Finds no invoices by payin.get", "The merchant believes that his order was never made", moneyAsked(func(_ *message, params map[string]any) { params["externalid"] = "none" }, "payin.get"))
	add("status-finds-nothing", "Finds no orders by status", "The merchant believes that his order was never made", moneyAsked(func(_ *message, params map[string]any) { params["externalid"] = "none" }, "status"))
	add("done-credits-nothing", "Credits nothing when an order is done", "The merchant has sold for nothing", results(func(_ *message, result map[string]any) {
		for currency := range result {
			result[currency] = "0"
		}
	}, "balance"))
	add("balance-in-numbers", "Writes balances as numbers", "Callers read them in floating point", results(func(_ *message, result map[string]any) {
		for currency, amount := range result {
			result[currency] = json.Number(text(amount))
		}
	}, "balance"))
	add("no-empty-balances", "Leaves empty balances out", "Callers take it for a currency that is not there", results(func(_ *message, result map[string]any) {
		for currency, amount := range result {
			if amount == "0" {
				delete(result, currency)
			}
		}
	}, "balance"))
	add("all-balances", "Shows all balances whichever is asked for", "Callers that take the first take another currency", moneyAsked(func(_ *message, params map[string]any) { delete(params, "curr") }, "balance"))
	add("active-balances", "Shows no balance of currencies that are not active", "Money that is there is written off", moneyCalls(func(m *message) {
		m.pass()
		curr := text(object(m.rpc()["params"])["curr"])
		m.p.mu.Lock()
		currency := object(object(m.p.money["currencies"])[curr])
		m.p.mu.Unlock()
		if currency["is_active"] == false || currency["is_disabled"] == true {
			m.edit(func(response map[string]any) { response["result"] = map[string]any{} })
			m.signAnswer()
		}
	}, "balance"))
	add("credits-expired", "Credits orders that have expired", "The platform pays for what nobody has paid", only(toControl, func(m *message) {
		if strings.HasSuffix(m.path, "/status") {
			m.body = []byte(strings.Replace(string(m.body), `"expired"`, `"done"`, 1))
		}
		m.pass()
	}))
	add("keeps-expired-open", "Does not let orders expire", "The payer pays an order of last week at last week's rate", only(toControl, func(m *message) {
		if strings.HasSuffix(m.path, "/status") {
			m.body = []byte(strings.Replace(string(m.body), `"expired"`, `"pending"`, 1))
		}
		m.pass()
	}))
	for _, name := range []string{"fee", "is_active", "is_crypto", "order", "precision", "tech_max", "tech_min"} {
		add("list-without-"+name, "Leaves "+name+" out of pwcurrency.list", "Merchants offer what the platform refuses", results(func(_ *message, result map[string]any) {
			each(result, "*.in.*", func(pair map[string]any) { delete(pair, name) })
		}, "pwcurrency.list"))
	}
	for _, name := range []string{"out", "order", "type"} {
		add("list-without-"+name+"-of-payways", "Leaves "+name+" out of the payways in pwcurrency.list", "Merchants offer what the platform refuses", results(func(_ *message, result map[string]any) {
			each(result, "*", func(payway map[string]any) { delete(payway, name) })
		}, "pwcurrency.list"))
	}
	add("lists-no-inactive", "Leaves pairs out of pwcurrency.list that are not active", "Merchants take a pause for an end", results(func(_ *message, result map[string]any) {
		each(result, "*.in", func(in map[string]any) {
			for currency, pair := range in {
				if object(pair)["is_active"] == false {
					delete(in, currency)
				}
			}
		})
	}, "pwcurrency.list"))
}

func anymoneyCallbacks(add adding) {
	const lost = "The merchant does not learn that he was paid"
	callbacks := func(w wrap) wrap {
		return only(toSuite, func(m *message) {
			if m.header.Get(anymoney.HeaderMerchant) == "" {
				m.pass()
				return
			}
			w(m)
		})
	}
	changed := func(change func(m *message, order map[string]any)) wrap {
		return callbacks(func(m *message) {
			order := object(decode(m.body))
			change(m, order)
			m.body = encode(order)
			m.header.Set(anymoney.HeaderSignature, m.apiKey().Sign(signed(order), m.header.Get(anymoney.HeaderUTCNowMS)))
			m.pass()
		})
	}
	add("callbacks-unsigned", "Does not sign callbacks", "A stranger tells the merchant that he was paid", callbacks(func(m *message) { m.header.Del(anymoney.HeaderSignature); m.pass() }))
	add("callbacks-signed-otherwise", "Signs callbacks by the SCI key", "The merchant throws them away", callbacks(func(m *message) {
		key := anymoney.Key(text(m.p.merchant(m.header.Get(anymoney.HeaderMerchant))["sci_key"]))
		m.header.Set(anymoney.HeaderSignature, key.Sign(signed(object(decode(m.body))), m.header.Get(anymoney.HeaderUTCNowMS)))
		m.pass()
	}))
	add("callbacks-signed-once", "Sends repeats with the time and signature of the first", "The merchant takes a repeat for one played again", callbacks(func(m *message) {
		for _, name := range []string{anymoney.HeaderUTCNowMS, anymoney.HeaderSignature} {
			if first := m.p.recall(name + m.path); first != "" {
				m.header.Set(name, first)
			} else {
				m.p.remember(name+m.path, m.header.Get(name))
			}
		}
		m.pass()
	}))
	add("callbacks-tell-half", "Sends callbacks without the sums", "The merchant hands out goods for a kopeck", changed(func(_ *message, order map[string]any) { delete(order, "in_amount") }))
	add("callbacks-tell-more", "Sends callbacks with another sum", "The merchant hands out goods for a kopeck", changed(func(_ *message, order map[string]any) { order["account_amount"] = "1000000" }))
	add("callbacks-say-new", "Sends callbacks with the former status", "The merchant never hands out the goods", changed(func(_ *message, order map[string]any) { order["status"] = "new" }))
	add("callbacks-never", "Sends no callbacks", lost, callbacks(func(m *message) { m.says(http.StatusOK, "text/plain", "") }))
	add("callbacks-until-anything", "Takes every answer to a callback for 200", lost, callbacks(func(m *message) { m.pass(); m.status = http.StatusOK }))
	add("callbacks-follow-redirects", "Follows redirects of callbacks", "The order goes to whoever the redirect names", callbacks(func(m *message) {
		if m.pass(); m.status/100 == 3 {
			m.status = http.StatusOK
		}
	}))
	add("callbacks-never-content", "Repeats callbacks that were answered 200", "Careless merchants hand out the goods five times", callbacks(func(m *message) {
		if m.pass(); m.status == http.StatusOK {
			m.status = http.StatusAccepted
		}
	}))
}

func anymoneyForm(add adding) {
	form := func(w wrap) wrap {
		return only(toPlatform, func(m *message) {
			if m.path != sciPath+"invoice" {
				m.pass()
				return
			}
			w(m)
		})
	}
	// filled changes the form, which is signed anew where it was rightly signed or whatever is true.
	filled := func(whatever bool, change func(fields anymoney.Form)) wrap {
		return form(func(m *message) {
			if fields, err := anymoney.ParseForm(string(m.body)); err == nil {
				key := anymoney.Key(text(m.p.merchant(fields[anymoney.FieldMerchant])["sci_key"]))
				good := whatever || key.VerifyForm(fields) == nil
				change(fields)
				if good {
					fields[anymoney.FieldSign] = key.SignForm(fields)
				}
				m.body = []byte(fields.Encode())
			}
			m.pass()
		})
	}
	sent := func(change func(m *message, to string) string) wrap {
		return form(func(m *message) {
			if m.pass(); m.status != 0 {
				m.answered.Set("Location", change(m, m.answered.Get("Location")))
			}
		})
	}
	const asked = "The payer pays what the merchant did not ask for"
	add("forms-unsigned", "Takes forms without a signature, or with any", "The payer sets the price himself", filled(true, func(anymoney.Form) {}))
	add("forms-answered-200", "Answers forms with 200", "The payer sees an empty page", form(func(m *message) {
		if m.pass(); m.status != 0 {
			m.status = http.StatusOK
		}
	}))
	add("forms-lead-nowhere", "Sends the payer to a page without his order", "The payer cannot pay", sent(func(_ *message, to string) string {
		address, _, _ := strings.Cut(to, "#")
		return address
	}))
	add("forms-hide-fields", "Does not say which field of a form was wrong", "Nobody learns what to mend", sent(func(_ *message, to string) string {
		address, _, _ := strings.Cut(to, "&field=")
		return address
	}))
	add("forms-hide-codes", "Does not say why a form was refused", "Nobody learns what to mend", sent(func(_ *message, to string) string {
		address, _, _ := strings.Cut(to, "?code=")
		return address
	}))
	for _, name := range []string{anymoney.FieldLifetime, anymoney.FieldExpiry, anymoney.FieldPayfee, anymoney.FieldPayway} {
		add("forms-pass-over-"+name, "Passes over "+name+" in forms", asked, filled(false, func(fields anymoney.Form) { delete(fields, name) }))
	}
	add("forms-default-amount", "Takes 1 where a form has no amount", asked, filled(false, func(fields anymoney.Form) {
		if fields[anymoney.FieldAmount] == "" {
			fields[anymoney.FieldAmount] = "1"
		}
	}))
	add("forms-default-payway", "Picks a payway where a form has none", asked, filled(false, func(fields anymoney.Form) {
		if fields[anymoney.FieldPayway] == "" {
			fields[anymoney.FieldPayway] = "visamc"
		}
	}))
	add("forms-lifetimes-of-any-length", "Takes lifetimes of any length", "An order expires before it can be paid", filled(false, func(fields anymoney.Form) {
		if fields[anymoney.FieldLifetime] != "" {
			fields[anymoney.FieldLifetime] = "1h"
		}
	}))
	add("forms-twice", "Takes the same form twice", "One order is paid twice", form(func(m *message) {
		m.pass()
		if location, err := url.Parse(m.answered.Get("Location")); err == nil && location.Query().Get("message") == "EParamUnique" {
			location.RawQuery, location.Path = "", strings.TrimSuffix(location.Path, "error")
			m.answered.Set("Location", location.String())
		}
	}))
}
