package anymoney_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRandomCases plays random cases and compares whole answers with those of the oracle:
// configurations of every shape with requests that are in order, or wrong in one or several
// ways at once, so that the order of the checks shows. Each try is one case of the format of
// case files, which is printed when it fails, to be kept as one if it is worth it.
// More of them: go test -run TestRandomCases -rapid.checks 20000.
func TestRandomCases(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{T: t}
		base, patch := g.config("base"), map[string]any(nil)
		if g.chance("has a patch", 50) {
			patch = g.patch(base)
		}
		g.oracle = newOracle(mergePatch(map[string]any{}, base).(map[string]any))
		g.patched(patch)
		for range rapid.IntRange(4, 20).Draw(t, "steps") {
			g.step()
		}
		c := testCase{ID: "random", Config: encode(patch)}
		for _, s := range g.steps {
			c.Steps = append(c.Steps, encode(s))
		}
		defer func() {
			if t.Failed() {
				whole, _ := json.MarshalIndent(map[string]any{"base_config": base, "cases": []any{map[string]any{"id": "random", "config": patch, "steps": g.steps}}}, "", " ")
				t.Logf("the case:\n%s", whole)
			}
		}()
		p.play(t, encode(base), c)
	})
}

func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if string(text) == "null" {
		return nil
	}
	return text
}

// generator draws a case, and has the oracle say what is expected of each step.
type generator struct {
	*rapid.T
	oracle *oracle
	steps  []any
}

// even draws a number below n, each equally often: rapid's own prefer the ends, and one
// fault in a hundred should be one in a hundred.
func even(n int) *rapid.Generator[int] {
	return rapid.Custom(func(t *rapid.T) int {
		drawn := 0
		for range 10 {
			drawn <<= 1
			if rapid.Bool().Draw(t, "bit") {
				drawn++
			}
		}
		return drawn * n >> 10
	})
}

// chance is true so many times of a hundred; what shrinks becomes false.
func (g *generator) chance(what string, percent int) bool {
	return even(100).Draw(g.T, what) >= 100-percent
}

func pick[T any](g *generator, what string, from ...T) T {
	return from[even(len(from)).Draw(g.T, what)]
}

// name draws one of the names, seldom the last one, which nobody has.
func (g *generator) name(what string, from []string) string {
	if g.chance("unknown "+what, 4) {
		return from[len(from)-1]
	}
	return pick(g, what, allButLast(from)...)
}

// maybe sets a member, with so many chances of a hundred.
func (g *generator) maybe(in map[string]any, name string, percent int, value func() any) {
	if g.chance("has "+name, percent) {
		in[name] = value()
	}
}

// The names that configurations and requests are made of. The last of each is in no
// configuration.
var (
	someCurrencies = []string{"UAH", "USD", "BTC", "XXX"}
	somePayways    = []string{"visamc", "qiwi", "exmo", "nopay"}
	someMerchants  = []string{"37", "38", "39", "99"}
	someCodes      = []string{"CODE-1", "code-2", "none"}
)

func allButLast(names []string) []string { return names[:len(names)-1] }

// decimals draws a number as configurations have it: up to nine decimals.
func (g *generator) number(what string, most int64, decimals int) any {
	scale := int64(1)
	for range decimals {
		scale *= 10
	}
	n := rapid.OneOf(rapid.Just[int64](0), rapid.Int64Range(0, min(most*scale, 100)), rapid.Int64Range(0, most*scale)).Draw(g.T, what)
	return plain(big.NewRat(n, scale))
}

func (g *generator) config(what string) map[string]any {
	bools := func(v map[string]any, active, disabled bool) {
		if active {
			g.maybe(v, "is_active", 30, func() any { return !g.chance(what+": inactive", 15) })
		}
		if disabled {
			g.maybe(v, "is_disabled", 30, func() any { return g.chance(what+": disabled", 15) })
		}
	}
	fee := func() any {
		v := map[string]any{}
		bools(v, true, false)
		g.maybe(v, "mult", 70, func() any { return g.number("mult", 1, pick(g, "decimals of mult", 2, 3, 9)) })
		g.maybe(v, "add", 50, func() any { return g.number("add", 5, pick(g, "decimals of add", 2, 9)) })
		g.maybe(v, "min", 30, func() any { return g.number("min", 5, 3) })
		g.maybe(v, "max", 30, func() any { return g.number("max", 8, 3) })
		g.maybe(v, "method", 30, func() any { return "ceil" })
		return v
	}
	limits := func(v map[string]any) {
		g.maybe(v, "tech_min", 70, func() any { return g.number("tech_min", 3, pick(g, "decimals of tech_min", 2, 8)) })
		g.maybe(v, "tech_max", 70, func() any { return g.number("tech_max", 300, 2) })
	}
	currencies, payways, exchanges, merchants, codes := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	for _, name := range allButLast(someCurrencies) {
		v := map[string]any{"precision": number(pick(g, "precision", 2, 0, 1, 3, 8, 9))}
		bools(v, true, true)
		g.maybe(v, "is_crypto", 30, func() any { return g.chance("crypto", 50) })
		currencies[name] = v
	}
	for _, name := range allButLast(somePayways) {
		in := map[string]any{}
		for _, currency := range someCurrencies {
			if g.chance("no pair", 25) {
				continue
			}
			pair := map[string]any{}
			bools(pair, true, false)
			limits(pair)
			g.maybe(pair, "fee", 80, fee)
			g.maybe(pair, "bound_fee", 40, fee)
			g.maybe(pair, "order", 50, func() any { return number(rapid.IntRange(-3, 9).Draw(g.T, "order")) })
			in[currency] = pair
		}
		v := map[string]any{"in": in, "is_code": name == "exmo" || g.chance("takes codes", 10)}
		bools(v, true, true)
		g.maybe(v, "type", 50, func() any { return pick(g, "type", "sci", "crypto", "cheque", "cash") })
		g.maybe(v, "order", 50, func() any { return number(rapid.IntRange(0, 9).Draw(g.T, "order")) })
		g.maybe(v, "required", 40, func() any {
			return pick(g, "required", []any{"payer"}, []any{}, []any{"payer", "contact"}, []any{"contact"})
		})
		payways[name] = v
	}
	for _, in := range allButLast(someCurrencies) {
		for _, out := range allButLast(someCurrencies) {
			if in == out || g.chance("no exchange", 10) {
				continue
			}
			r := g.number("rate", pick(g, "magnitude", int64(40), 20_000, 1), pick(g, "decimals of rate", 4, 9))
			if r == "0" || r == "1" {
				r = "28.1999"
			}
			v := map[string]any{"rate": []any{r, "1"}}
			if g.chance("multiplies", 50) {
				v["rate"] = []any{"1", r}
			}
			bools(v, true, false)
			limits(v)
			g.maybe(v, "fee", 60, func() any { return g.number("exchange fee", 1, pick(g, "decimals of exchange fee", 2, 4, 9)) })
			exchanges[in+"-"+out] = v
		}
	}
	for _, lid := range allButLast(someMerchants) {
		v := map[string]any{"api_key": "api key " + lid, "sci_key": "sci ключ " + lid}
		if lid == "39" {
			v["is_active"] = g.chance("active", 50)
		}
		g.maybe(v, "is_customfee", 50, func() any { return g.chance("custom fees", 70) })
		if lid == "38" {
			g.maybe(v, "payway", 70, func() any { return g.name("typed", somePayways) })
		}
		g.maybe(v, "payways", 40, func() any {
			switches := map[string]any{}
			for _, name := range somePayways {
				g.maybe(switches, name, 30, func() any { return g.chance("switched on", 40) })
			}
			return switches
		})
		g.maybe(v, "fees", 60, func() any {
			fees := map[string]any{}
			for _, payway := range somePayways {
				g.maybe(fees, payway+"/"+pick(g, "personal fee", someCurrencies...), 40, fee)
			}
			return fees
		})
		g.maybe(v, "exchange_fees", 60, func() any {
			fees := map[string]any{}
			for _, in := range someCurrencies {
				g.maybe(fees, in+"-"+pick(g, "personal exchange fee", someCurrencies...), 40, func() any {
					fee := map[string]any{"fee": g.number("personal exchange fee", 1, 4)}
					bools(fee, true, false)
					return fee
				})
			}
			return fees
		})
		g.maybe(v, "balances", 50, func() any {
			return map[string]any{pick(g, "balance", someCurrencies...): g.number("balance", 1000, 2)}
		})
		merchants[lid] = v
	}
	for _, name := range allButLast(someCodes) {
		v := map[string]any{
			"payway": pick(g, "code of", "exmo", "visamc", "exmo", "nopay"), "currency": pick(g, "code in", someCurrencies...),
			"amount": g.number("code for", 20, pick(g, "decimals of code", 0, 2)),
		}
		g.maybe(v, "state", 60, func() any { return pick(g, "state", "fresh", "used", "fresh") })
		codes[name] = v
	}
	c := map[string]any{"currencies": currencies, "payways": payways, "exchanges": exchanges, "merchants": merchants, "codes": codes}
	g.maybe(c, "settings", 70, func() any {
		s := map[string]any{"sci_base": pick(g, "sci_base", "https://sci.mock.test", "http://sci.mock.test/pay")}
		g.maybe(s, "request_window_ms", 50, func() any { return number(pick(g, "window", 60_000, 0, 1, 5_000)) })
		return s
	})
	return c
}

// must are members without which their object is no configuration.
var must = []string{"precision", "api_key", "sci_key", "rate", "amount", "currency", "payway"}

// patch draws a merge patch: parts of another configuration, and removals.
func (g *generator) patch(base map[string]any) map[string]any {
	patch := map[string]any{}
	if g.chance("changes", 60) {
		patch = g.some(g.config("other"), base)
	}
	var paths [][]string
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		for _, name := range slices.Sorted(maps.Keys(object(v))) {
			below := append(slices.Clone(path), name)
			if path != nil && (!slices.Contains(must, name) || path[0] == "merchants" && name == "payway") {
				paths = append(paths, below)
			}
			walk(object(v)[name], below)
		}
	}
	walk(base, nil)
	for range rapid.IntRange(0, 4).Draw(g.T, "removals") {
		path := pick(g, "removed", paths...)
		change := map[string]any{path[len(path)-1]: nil}
		for _, name := range slices.Backward(path[:len(path)-1]) {
			change = map[string]any{name: change}
		}
		patch = joined(patch, change)
	}
	return patch
}

// joined puts two patches together; unlike mergePatch it keeps removals.
func joined(a, b map[string]any) map[string]any {
	both := maps.Clone(a)
	for name, value := range b {
		x, isObject := both[name].(map[string]any)
		y, both2 := value.(map[string]any)
		if isObject && both2 {
			value = joined(x, y)
		}
		both[name] = value
	}
	return both
}

// some keeps some members of a configuration, and all of an object that base has not.
func (g *generator) some(of, base map[string]any) map[string]any {
	kept := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		there, isThere := base[name]
		value := of[name]
		inner, isObject := value.(map[string]any)
		if !g.chance("keeps "+name, 30) {
			continue
		}
		if isObject && isThere {
			value = g.some(inner, object(there))
		}
		kept[name] = value
	}
	return kept
}

func (g *generator) patched(patch map[string]any) {
	if patch != nil {
		g.oracle.patch(patch)
	}
}

// step draws one step.
func (g *generator) step() {
	switch n := even(100).Draw(g.T, "kind of step"); {
	case n < 70:
		g.call()
	case n < 82:
		g.form()
	case n < 92 && len(g.oracle.orders) > 0:
		g.setStatus()
	case n < 96:
		ms := pick(g, "advance", int64(1), 60_000, 3_600_000, 604_800_000)
		g.add(map[string]any{"advance_ms": ms})
		g.oracle.advance(ms)
	default:
		patch := g.patch(g.oracle.config)
		delete(patch, "settings") // the pages of orders that are there would move
		g.add(map[string]any{"set_config": patch})
		g.patched(patch)
	}
}

func (g *generator) add(step map[string]any) { g.steps = append(g.steps, step) }

func (g *generator) setStatus() {
	key := pick(g, "order", slices.Sorted(maps.Keys(g.oracle.orders))...)
	lid, externalID, _ := strings.Cut(key, " ")
	status := pick(g, "status", "done", "done", "fail", "reject", "canceled", "expired", "pending", "started", "wait", "retry", "finalizing", "abnormal", "new")
	g.add(map[string]any{"set_status": map[string]any{"externalid": externalID, "merchant": lid, "status": status}})
	order := g.oracle.orders[key]
	was := order.shown["status"]
	g.oracle.setStatus(lid, externalID, status, g.oracle.now)
	address := order.shown["reqdata"].(map[string]any)["callback_url"]
	if address == "$callback_sink" && !final(was) && final(status) && g.oracle.merchant(lid) != nil {
		g.add(map[string]any{"expect_callback": map[string]any{"attempts_at_ms": []any{0}, "body": "order", "externalid": externalID, "merchant": lid}})
		g.oracle.advance(3_900_000) // the runner sees to it that nothing follows
	}
	g.expectOrder(key)
}

// expectOrder asks for an order as a whole, if its merchant may.
func (g *generator) expectOrder(key string) {
	lid, externalID, _ := strings.Cut(key, " ")
	if m := g.oracle.merchant(lid); m != nil && is(m, "is_active", true) {
		result, _ := g.oracle.call(lid, "status", map[string]any{"externalid": externalID})
		g.add(map[string]any{
			"as": lid, "call": map[string]any{"method": "status", "params": map[string]any{"externalid": externalID}},
			"expect": map[string]any{"result": result, "match": "exact"},
		})
	}
}

// amount draws an amount around what decides about it, in one of its spellings.
func (g *generator) amount(payway, in, out string) string {
	around := []string{"0", "10"}
	for _, of := range []any{at(g.oracle.config, "payways", payway, "in", in), at(g.oracle.config, "exchanges", in+"-"+out)} {
		for _, name := range []string{"tech_min", "tech_max"} {
			if limit, ok := at(of, name).(string); ok {
				around = append(around, limit)
			}
		}
	}
	for _, name := range allButLast(someCodes) {
		if amount, ok := at(g.oracle.config, "codes", name, "amount").(string); ok {
			around = append(around, amount)
		}
	}
	amount := frac(pick(g, "around", around...))
	unit := big.NewRat(1, 1)
	if known := object(g.oracle.config, "currencies", in); known != nil {
		for range g.oracle.precision(in) {
			unit.Mul(unit, big.NewRat(1, 10))
		}
	}
	switch pick(g, "how far", "there", "random", "random", "random", "above", "below", "too fine") {
	case "random":
		amount = mul(unit, big.NewRat(rapid.Int64Range(0, 100_000).Draw(g.T, "units"), 1))
		if g.chance("large", 50) {
			amount = rounded(frac(g.number("amount", 400, 2).(string)), 2, false)
		}
	case "above":
		amount = add(amount, unit)
	case "below":
		amount = sub(amount, unit)
	case "too fine":
		amount = add(amount, mul(unit, big.NewRat(1, 10)))
	}
	text := plain(amount)
	if g.chance("spelt otherwise", 25) {
		sign, digits := "", text
		if strings.HasPrefix(text, "-") {
			sign, digits = "-", text[1:]
		}
		if !strings.Contains(digits, ".") {
			digits += ".0"
		}
		text = sign + pick(g, "leading", "", "0", "000") + digits + pick(g, "trailing", "", "0", "0000000000000")
		if g.chance("comma", 50) {
			text = strings.Replace(text, ".", ",", 1)
		}
	}
	return text
}

// notAmounts are texts that are no amounts, or negative ones.
var notAmounts = []any{"", "abc", "1e2", "+1", " 1", "1 ", ".5", "5.", "1.2.3", "1,2.3", "-", "--1", "-1", "-0.01", "٣", "0x1", "1_000", "NaN", "Infinity", true}

// params draws what a method is called with: right for the most part.
func (g *generator) params(method, lid string) map[string]any {
	m := g.oracle.merchant(lid)
	payway, in := g.name("payway", somePayways), g.name("in_curr", someCurrencies)
	out := in
	if typed, ok := m["payway"].(string); ok && g.chance("its own payway", 70) {
		payway = typed
	}
	if g.chance("converts", 55) {
		out = g.name("out_curr", someCurrencies)
	}
	all := map[string]any{}
	known, ok := oracleParams[method]
	if !ok {
		return nil
	}
	for _, name := range slices.Concat(known[0], known[1]) {
		switch name {
		case "amount":
			all[name] = g.amount(payway, in, out)
			if g.chance("no amount", 3) {
				all[name] = pick(g, "amount", notAmounts...)
			}
		case "payway":
			all[name] = payway
		case "in_curr":
			all[name] = in
		case "out_curr":
			if in != out || g.chance("says so", 20) {
				all[name] = out
			}
		case "externalid":
			all[name] = g.externalID()
			if g.chance("bad", 4) {
				all[name] = pick[any](g, "bad", "", true, strings.Repeat("я", 256), strings.Repeat("я", 255))
			}
		case "callback_url":
			g.maybe(all, name, 30, func() any { return "$callback_sink" })
			if g.chance("bad", 4) {
				all[name] = pick[any](g, "bad", "", false, "ftp://shop.test/", "http:///path", "//shop.test", "shop.test/cb", "http://shop.test/"+strings.Repeat("x", 2032))
			}
		case "code":
			g.maybe(all, name, 40, func() any { return pick[any](g, "code", "CODE-1", "code-2", "none", "", true) })
		case "payer", "contact":
			g.maybe(all, name, 60, func() any {
				return pick[any](g, name, "+380 50 123", "+380 50 123", "", false, "плательщик", "плательщик")
			})
		case "curr":
			g.maybe(all, name, 60, func() any { return pick[any](g, name, "UAH", "USD", "XXX", "", true) })
		}
	}
	if method == "payin.create" && payway == "exmo" && g.chance("redeems", 50) { // what fits by chance alone hardly ever fits
		name := pick(g, "code", allButLast(someCodes)...)
		if code := object(g.oracle.config, "codes", name); code != nil {
			all["code"], all["amount"], all["in_curr"] = name, code["amount"], code["currency"]
		}
	}
	for range pick(g, "faults", 0, 0, 0, 0, 0, 0, 0, 1, 2, 3) {
		name := pick(g, "fault in", append(slices.Concat(known[0], known[1], known[0], known[1]), "extra", "Amount", "zzz")...)
		all[name] = pick[any](g, "fault", nil, json.Number("7"), json.Number("7.0"), json.Number("-1e3"), []any{"1"}, map[string]any{"a": "1"}, "text", true, false)
	}
	for name := range all {
		if all[name] == nil && g.chance("absent", 50) {
			delete(all, name)
		}
	}
	return all
}

// patience is how often something is drawn again that would be refused: left to chance, most
// requests are.
func (g *generator) patience() int { return pick(g, "patience", 0, 20) }

// orders reports whether the parameters pass the checks of an order.
func (g *generator) orders(lid string, params map[string]any, create, form bool) bool {
	m := g.oracle.merchant(lid)
	if m == nil {
		return false
	}
	refused, _ := g.oracle.order(m, params, big.NewRat(1, 1), create, form)
	return refused == nil
}

// externalID is one of few, so that orders are found, and clash.
func (g *generator) externalID() string {
	return fmt.Sprintf("Заказ-%d", rapid.IntRange(1, 3).Draw(g.T, "externalid"))
}

// call draws a call: perhaps with an outside that is not in order either.
func (g *generator) call() {
	lid := pick(g, "as", "37", "37", "37", "37", "37", "38", "38", "38", "38", "39", "99")
	method := pick(g, "method", "payin.create", "payin.create", "payin.create", "payin.create", "payin.create", "payin.create", "payin.calc", "payin.calc", "payin.calc", "payin.get", "status", "balance", "pwcurrency.list", "payin.list")
	params := g.params(method, lid)
	if method == "payin.create" || method == "payin.calc" {
		for try, most := 0, g.patience(); try < most && !g.orders(lid, params, method == "payin.create", false); try++ {
			params = g.params(method, lid)
		}
	}
	call := map[string]any{"method": method}
	if params != nil || g.chance("null", 50) {
		call["params"] = params
	}
	id := pick[any](g, "id", "1", "1", "1", "", number(0), json.Number("1.50"), json.Number("-12345678901234567890"), "Ж")
	call["id"] = id
	s := map[string]any{"call": call, "as": lid}

	var refused map[string]any
	refuse := func(e map[string]any) { // the first refusal counts
		if refused == nil {
			refused = e
		}
	}
	if g.chance("bad envelope", 4) {
		id = nil
		refuse(no("Invalid Request"))
		switch pick(g, "which", "jsonrpc", "id", "params", "method") {
		case "jsonrpc":
			call["jsonrpc"] = pick[any](g, "jsonrpc", "1.0", json.Number("2.1"), false, "2")
		case "id":
			call["id"] = pick[any](g, "id", true, []any{}, map[string]any{})
		case "params":
			call["params"] = pick[any](g, "params", []any{}, "text", true, json.Number("1"))
		case "method":
			call["method"] = ""
		}
	} else if g.chance("number", 5) {
		call["jsonrpc"] = json.Number("2.0")
	}
	m := g.oracle.merchant(lid)
	headers := map[string]any{}
	for _, name := range []string{"x-merchant", "x-signature", "x-utc-now-ms"} {
		if g.chance("without "+name, 2) {
			headers[name] = pick[any](g, "what instead", nil, "")
			refuse(no("EParamHeadersInvalid", "field", name, "reason", "Not present"))
		}
	}
	if _, absent := headers["x-utc-now-ms"]; !absent && g.chance("no time", 2) {
		headers["x-utc-now-ms"] = pick[any](g, "what instead", "now", "-1", "1.7e12", "1700000000000.0")
		refuse(no("EParamHeadersInvalid", "field", "x-utc-now-ms", "reason", "Should be an Integer"))
	}
	if m == nil || !is(m, "is_active", true) {
		refuse(no("EParamMerchantInvalid", "field", "x-merchant", "reason", "Merchant inactive"))
	}
	if m != nil && g.chance("signed by another", 4) {
		s["sign_as"] = map[string]string{"37": "38", "38": "37", "39": "37"}[lid]
		refuse(no("EParamSignInvalid", "reason", "Invalid signature"))
	} else if g.chance("upper case", 5) {
		s["signature_case"] = "upper"
	}
	window := int64(60_000)
	if n, ok := at(g.oracle.config, "settings", "request_window_ms").(json.Number); ok {
		window, _ = n.Int64()
	}
	if g.chance("early or late", 15) {
		offset := pick(g, "offset", window, -window, window+1, -window-1)
		s["time_offset_ms"] = offset
		if max(offset, -offset) > window {
			refuse(no("EParamRequestWindow", "field", "x-utc-now-ms", "reason", "Request window exceeded", "value", string(number(g.oracle.now+offset))))
		}
	}
	if len(headers) > 0 {
		s["headers"] = headers
	}
	expect := map[string]any{"id": id}
	if refused == nil {
		var result map[string]any
		if result, refused = g.oracle.call(lid, method, params); refused == nil {
			expect["result"], expect["match"] = result, "exact"
		}
	}
	if refused != nil {
		expect["error"] = refused
	}
	s["expect"] = expect
	g.add(s)
}

// form draws a form.
func (g *generator) form() {
	lid := pick(g, "as", "37", "37", "37", "38", "38", "38", "39", "99")
	fields := map[string]string{"merchant": lid, "externalid": g.externalID()}
	for try, most := 0, g.patience(); try <= most; try++ {
		payway, in := g.name("payway", somePayways), g.name("in_curr", someCurrencies)
		out := in
		delete(fields, "out_curr")
		if g.chance("converts", 55) {
			out = g.name("out_curr", someCurrencies)
			fields["out_curr"] = out
		}
		delete(fields, "payway")
		if g.chance("with a payway", 60) {
			fields["payway"] = payway
		}
		fields["amount"], fields["in_curr"] = g.amount(payway, in, out), in
		params := map[string]any{}
		for name, value := range fields {
			params[name] = any(value)
		}
		if g.orders(lid, params, false, true) {
			break
		}
	}
	for _, f := range formDraws {
		if g.chance("has "+f.name, f.percent) {
			fields[f.name] = pick(g, f.name, f.values...)
		}
	}
	for _, name := range []string{"amount", "externalid", "in_curr", "merchant"} {
		if g.chance("without "+name, 3) {
			if fields[name] = ""; g.chance("absent", 50) {
				delete(fields, name)
			}
		}
	}
	s := map[string]any{"sci": fields}
	hasSign, signed := true, true
	switch {
	case g.chance("not signed", 3):
		hasSign, s["omit_sign"] = false, true
	case g.chance("signed by another", 3):
		signed, s["sign_as"] = false, map[string]string{"37": "38", "38": "37", "39": "37", "99": "37"}[lid]
		if other := g.oracle.merchant(s["sign_as"].(string)); other == nil {
			return
		}
	}
	if refused := g.oracle.form(fields, hasSign, signed); refused != nil {
		seen := map[string]any{"code": refused["code"], "message": refused["message"]}
		if field := at(refused, "data", "field"); field != nil {
			seen["field"] = field
		}
		s["expect"] = map[string]any{"error": seen}
		g.add(s)
		return
	}
	s["expect"] = map[string]any{"paylink": "$paylink"}
	g.add(s)
	g.expectOrder(lid + " " + fields["externalid"])
}

// formDraws are the fields that only forms have, or have otherwise.
var formDraws = []struct {
	name    string
	percent int
	values  []string
}{
	{"callback_url", 30, []string{"$callback_sink", "", "ftp://shop.test"}},
	{"redirect_url", 30, []string{"https://shop.test/done?order=1", "javascript:alert(1)", ""}},
	{"client_email", 30, []string{"buyer@shop.test"}},
	{"is_multipay", 30, []string{"true", "false", "", "True", "1"}},
	{"merchant_payfee", 50, []string{"1", "0", "0.5", "0,25", "00.330", "0.71", "0.07", "0.333", "1.01", "-1", "x"}},
	{"lifetime", 40, []string{"3600", "1h", "7d", "1w", "5h", "2d", "6000", "90m", "3599", "604801", "1d12h", "1h1h", "59m59s999ms", "60m", "3600000ms", "1w1ms", "1 h", "h", "99999999999999999999999", "12x", "-1h"}},
	{"expiry", 20, []string{"3600", "2h", "1"}},
	{"note", 20, []string{"что-то", ""}},
}
