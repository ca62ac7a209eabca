package contract

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/testdata"
)

var anymoneyAreas = []Area{
	{
		ID: "PA-CALL", Title: Text{"Any.Money: calls on any account", "Any.Money: вызовы с любой учётной записью"},
		Why: Text{
			"These hold for every merchant, whatever is configured, and so can be tried at a real sandbox.",
			"Эти правила действуют для любого мерчанта, как бы он ни был настроен, поэтому их можно проверить и на настоящей песочнице.",
		},
		Mend: Text{
			"Check in this order: parse, envelope, headers, merchant, signature, time, method, parameters.",
			"Проверяйте в таком порядке: разбор, конверт, заголовки, мерчант, подпись, время, метод, параметры.",
		},
		Example: "POST / (x-merchant, x-utc-now-ms, x-signature) {\"jsonrpc\":\"2.0\",\"method\":\"balance\",\"params\":{},\"id\":\"1\"} → {\"result\":{…},\"id\":\"1\",\"jsonrpc\":\"2.0\"}",
	},
	anymoneyArea("amounts", "AMOUNT", "amounts", "суммы"),
	anymoneyArea("exchange", "RATE", "conversion", "обмен"),
	anymoneyArea("fees", "FEE", "fees", "комиссии"),
	anymoneyArea("errors", "ERROR", "refusals", "отказы"),
	anymoneyArea("spelling", "SPELL", "how amounts are written", "запись сумм"),
	anymoneyArea("auth", "AUTH", "headers and signatures", "заголовки и подписи"),
	anymoneyArea("envelope", "ENVELOPE", "the envelope", "конверт"),
	anymoneyArea("orders", "ORDER", "orders", "заказы"),
	anymoneyArea("codes", "CODE", "codes", "коды"),
	anymoneyArea("typed", "TYPED", "typed merchants", "типизированные мерчанты"),
	anymoneyArea("balance", "BALANCE", "balances", "балансы"),
	anymoneyArea("pwcurrency", "PAYWAY", "payways", "способы оплаты"),
	anymoneyArea("callbacks", "CALLBACK", "callbacks", "обратные вызовы"),
	anymoneyArea("sci", "SCI", "the SCI form", "форма SCI"),
}

// anymoneyGroups are the groups of cases: the last part of their area's name, and the clause.
var anymoneyGroups = map[string]struct{ area, clause string }{
	"amounts": {"PA-AMOUNT", "Any.Money §7"}, "exchange": {"PA-RATE", "Any.Money §7"}, "fees": {"PA-FEE", "Any.Money §6, §7"},
	"errors": {"PA-ERROR", "Any.Money §4, §8"}, "spelling": {"PA-SPELL", "Any.Money §5"}, "auth": {"PA-AUTH", "Any.Money §3"},
	"envelope": {"PA-ENVELOPE", "Any.Money §2"}, "orders": {"PA-ORDER", "Any.Money §10, §11"}, "codes": {"PA-CODE", "Any.Money §9"},
	"typed": {"PA-TYPED", "Any.Money §12.3"}, "balance": {"PA-BALANCE", "Any.Money §9"}, "pwcurrency": {"PA-PAYWAY", "Any.Money §9"},
	"callbacks": {"PA-CALLBACK", "Any.Money §12.1"}, "sci": {"PA-SCI", "Any.Money §12.2"},
}

func anymoneyArea(group, name, en, ru string) Area {
	return Area{
		ID: "PA-" + name, Title: Text{"Any.Money: " + en, "Any.Money: " + ru},
		Why: Text{
			"Known answers of the platform's own tests, its documentation and its callers; whoever differs computes or refuses otherwise than the platform.",
			"Это известные ответы: из тестов самой платформы, её документации и от тех, кто её вызывает. У кого ответ другой, тот считает или отказывает не так, как платформа.",
		},
		Mend: Text{
			"Look the case up by its name in testdata/anymoney/cases.json or own.json (group \"" + group + "\"): it has the configuration, the call, the answer and its source.",
			"Найдите случай по имени в testdata/anymoney/cases.json или own.json (группа \"" + group + "\"): там конфигурация, вызов, ответ и источник.",
		},
		Example: "payin.calc {\"payway\":\"privat24\",\"amount\":\"115\",\"in_curr\":\"UAH\",\"out_curr\":\"USD\"} → {\"account_amount\":\"3.78\",\"in_fee_amount\":\"6.03\",…}",
	}
}

// anymoneyFile is the file of cases; its format is described in it.
type anymoneyFile struct {
	Base  json.RawMessage `json:"base_config"`
	Cases []anymoneyCase  `json:"cases"`
}

type anymoneyCase struct {
	ID       string            `json:"id"`
	Group    string            `json:"group"`
	Evidence string            `json:"evidence"`
	Config   json.RawMessage   `json:"config"`
	Steps    []json.RawMessage `json:"steps"`
}

// anymoneyStep is one of several things, told apart by which member it has.
type anymoneyStep struct {
	Call            *anymoneyCall      `json:"call"`
	RawBody         *string            `json:"raw_body"`
	SCI             map[string]string  `json:"sci"`
	As              string             `json:"as"`
	SignAs          string             `json:"sign_as"`
	SignedParams    json.RawMessage    `json:"signed_params"`
	SignedFields    map[string]string  `json:"signed_fields"`
	OmitSign        bool               `json:"omit_sign"`
	Headers         map[string]*string `json:"headers"`
	TimeOffsetMS    int64              `json:"time_offset_ms"`
	SignatureCase   string             `json:"signature_case"`
	Expect          *anymoneyExpect    `json:"expect"`
	SetStatus       *anymoneyStatus    `json:"set_status"`
	SetConfig       json.RawMessage    `json:"set_config"`
	AdvanceMS       int64              `json:"advance_ms"`
	CallbackReplies []json.RawMessage  `json:"callback_replies"`
	ExpectCallback  *anymoneyCallback  `json:"expect_callback"`
}

type (
	anymoneyCall struct {
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
		ID      json.RawMessage `json:"id"`
		JSONRPC json.RawMessage `json:"jsonrpc"`
	}
	anymoneyExpect struct {
		Error   json.RawMessage `json:"error"`
		Result  json.RawMessage `json:"result"`
		Match   string          `json:"match"`
		SameAs  *int            `json:"same_as"`
		ID      json.RawMessage `json:"id"`
		Paylink string          `json:"paylink"`
	}
	anymoneyStatus struct {
		ExternalID string `json:"externalid"`
		Status     string `json:"status"`
		Merchant   string `json:"merchant"`
	}
	anymoneyCallback struct {
		AttemptsAtMS []int64 `json:"attempts_at_ms"`
		ExternalID   string  `json:"externalid"`
		Merchant     string  `json:"merchant"`
	}
)

// anymoneyCases reads the embedded files, once.
var anymoneyCases = sync.OnceValue(func() anymoneyFile {
	var file, own anymoneyFile
	if err := json.Unmarshal(testdata.AnyMoneyCases, &file); err != nil {
		panic("contract: testdata/anymoney/cases.json: " + err.Error())
	}
	if err := json.Unmarshal(testdata.AnyMoneyOwn, &own); err != nil {
		panic("contract: testdata/anymoney/own.json: " + err.Error())
	}
	file.Cases = append(file.Cases, own.Cases...)
	return file
})

func anymoneyChecks() []Check {
	checks := anymoneyAnywhere()
	count := map[string]int{}
	for _, c := range anymoneyCases().Cases {
		group := anymoneyGroups[c.Group]
		count[c.Group]++
		check := Check{
			ID: fmt.Sprintf("%s-%02d", group.area, count[c.Group]), Title: c.title(), Clause: group.clause,
			// A case begins with a configuration of its own, so it has the platform for itself.
			Needs: []Need{NeedAnyMoney, NeedWrite, NeedControl, NeedClock},
			Run:   func(t *T) { t.playCase(c) },
		}
		if c.Group == "sci" {
			check.Needs = append(check.Needs, NeedSCI)
		}
		if c.Evidence == "choice" { // nobody has seen what the platform does
			check.Severity = Should
		}
		checks = append(checks, check)
	}
	return checks
}

// title says what a case is about: the first call, and what it must come to.
func (c *anymoneyCase) title() Text {
	what, outcome := c.ID, ""
	for _, raw := range c.Steps {
		var s anymoneyStep
		if json.Unmarshal(raw, &s) != nil || s.Expect == nil {
			continue
		}
		switch {
		case s.Call != nil:
			what = s.Call.Method + " " + oneLine(string(s.Call.Params), 110)
		case s.RawBody != nil:
			what = oneLine(*s.RawBody, 110)
		case s.SCI != nil:
			names := slices.Sorted(maps.Keys(s.SCI))
			for i, name := range names {
				names[i] = name + "=" + s.SCI[name]
			}
			what = "invoice " + strings.Join(names, "&")
		}
		var refusal struct{ Message string }
		if s.Expect.Error != nil && json.Unmarshal(s.Expect.Error, &refusal) == nil {
			outcome = " → " + refusal.Message
		}
		break
	}
	return Text{En: "Case " + c.ID + ": " + what + outcome, Ru: "Случай " + c.ID + ": " + what + outcome}
}

// moneyPlay is the state of one case.
type moneyPlay struct {
	t       *T
	began   int64 // platform's time
	config  map[string]any
	sink    *sink
	results map[int]any
	replies []json.RawMessage
	mu      sync.Mutex // guards replies
}

// playCase sets the case's configuration, with time standing still, and goes through its steps.
func (t *T) playCase(c anymoneyCase) {
	p := &moneyPlay{t: t, results: map[int]any{}}
	p.configure(c.Config)
	p.began = t.at()
	p.sink = t.sink(p.next)
	for i, raw := range c.Steps {
		var s anymoneyStep
		t.set(json.Unmarshal(raw, &s))
		p.step(i, &s)
	}
}

// configure gives the platform the base configuration with a change, and stops its time.
func (p *moneyPlay) configure(change json.RawMessage) {
	t := p.t
	p.config, _ = mergePatch(readJSON(anymoneyCases().Base), readJSON(orJSON(change, "{}"))).(map[string]any)
	p.config, _ = mergePatch(p.config, map[string]any{"settings": map[string]any{
		"sci_base": strings.TrimRight(cmp.Or(t.env.target.Platform.AnyMoney.SCIURL, "https://sci.invalid"), "/"), "callback_timeout_ms": json.Number("1000"),
	}}).(map[string]any)
	t.set(t.env.control.do(t.ctx, http.MethodPut, "/anymoney/config", p.config, nil))
	t.freeze()
}

// next is how the next callback is answered; the last answer repeats.
func (p *moneyPlay) next(int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.replies) == 0 {
		return http.StatusOK
	}
	status, _ := strconv.Atoi(string(p.replies[0])) // 0 for "timeout"
	if len(p.replies) > 1 {
		p.replies = p.replies[1:]
	}
	return status
}

func (p *moneyPlay) step(i int, s *anymoneyStep) {
	t := p.t
	switch {
	case s.Call != nil || s.RawBody != nil:
		p.call(i, s)
	case s.SCI != nil:
		p.form(s)
	case s.SetStatus != nil:
		t.set(t.env.control.do(t.ctx, http.MethodPost, "/anymoney/orders/"+url.PathEscape(s.SetStatus.ExternalID)+"/status",
			map[string]string{"merchant": cmp.Or(s.SetStatus.Merchant, "37"), "status": s.SetStatus.Status}, nil))
	case s.SetConfig != nil:
		t.set(t.env.control.do(t.ctx, http.MethodPatch, "/anymoney/config", s.SetConfig, nil))
		p.config, _ = mergePatch(p.config, readJSON(s.SetConfig)).(map[string]any)
	case s.AdvanceMS > 0:
		t.advance(time.Duration(s.AdvanceMS) * time.Millisecond)
	case s.CallbackReplies != nil:
		p.mu.Lock()
		p.replies = s.CallbackReplies
		p.mu.Unlock()
	case s.ExpectCallback != nil:
		p.callbacks(s.ExpectCallback)
	}
}

// key is a merchant's key in the configuration.
func (p *moneyPlay) key(lid, name string) anymoney.Key {
	merchants, _ := p.config["merchants"].(map[string]any)
	m, _ := merchants[lid].(map[string]any)
	key, _ := m[name].(string)
	return anymoney.Key(key)
}

func (p *moneyPlay) fill(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte("$callback_sink"), []byte(p.sink.url+"/callback"))
}

func (p *moneyPlay) call(i int, s *anymoneyStep) {
	t, as := p.t, cmp.Or(s.As, "37")
	body, params, id := "", json.RawMessage(nil), any("1")
	if s.RawBody != nil {
		body = *s.RawBody
	} else {
		params = p.fill(s.Call.Params)
		body = fmt.Sprintf(`{"jsonrpc":%s,"method":%q,`, orJSON(s.Call.JSONRPC, `"2.0"`), s.Call.Method)
		if params != nil {
			body += fmt.Sprintf(`"params":%s,`, params)
		}
		if s.Call.ID != nil {
			id = readJSON(s.Call.ID)
		}
		body += fmt.Sprintf(`"id":%s}`, orJSON(s.Call.ID, `"1"`))
	}
	if s.SignedParams != nil {
		params = s.SignedParams
	}
	signed, err := anymoney.ParseObject(orJSON(params, "{}"))
	if err != nil {
		signed = nil // such as a list of parameters: only the time is signed
	}
	stamp := strconv.FormatInt(t.at()+s.TimeOffsetMS, 10)
	signature := p.key(cmp.Or(s.SignAs, as), "api_key").Sign(signed, stamp)
	if s.SignatureCase == "upper" {
		signature = strings.ToUpper(signature)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range map[string]*string{anymoney.HeaderMerchant: &as, anymoney.HeaderUTCNowMS: &stamp, anymoney.HeaderSignature: &signature} {
		if other, given := s.Headers[name]; given {
			value = other
		}
		if value != nil {
			header.Set(name, *value)
		}
	}
	method := "raw"
	if s.Call != nil {
		method = s.Call.Method
	}
	a := t.send(method, http.MethodPost, t.env.target.Platform.AnyMoney.URL, body, header)
	response := t.moneyAnswer(a)
	p.results[i] = response["result"]
	p.signed(a, as, response)
	if s.Expect == nil {
		return
	}
	if s.Expect.ID != nil {
		id = readJSON(s.Expect.ID)
	}
	want := map[string]any{"jsonrpc": "2.0", "id": id}
	switch {
	case s.Expect.Error != nil:
		want["error"] = readJSON(s.Expect.Error)
	case s.Expect.SameAs != nil:
		want["result"] = p.results[*s.Expect.SameAs]
	default:
		want["result"] = readJSON(p.fill(s.Expect.Result))
	}
	result, _ := response["result"].(map[string]any)
	token, _ := result["token"].(string)
	if why := p.differs("answer", want, response, s.Expect.Match == "subset", token); why != (Text{}) {
		t.failAt(a.index, say("the known answer: %s", oneLine(string(orJSON(s.Expect.Error, string(s.Expect.Result))), 300)), why)
	}
}

// moneyAnswer reads an answer, which must be one of the API's.
func (t *T) moneyAnswer(a answer) map[string]any {
	response, ok := readJSON(a.body).(map[string]any)
	if a.err != nil || a.status != http.StatusOK || !ok || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.failAt(a.index, say("200 with a JSON object"), a.said())
	}
	return response
}

// signed fails unless a result, or an error that is signed at all, bears the right signature.
func (p *moneyPlay) signed(a answer, as string, response map[string]any) {
	signature := a.header.Get(anymoney.HeaderSignature)
	text, isResult := response["result"]
	if !isResult {
		text = response["error"]
	}
	if signature == "" && !isResult {
		return
	}
	raw, err := json.Marshal(text)
	p.t.set(err)
	object, err := anymoney.ParseObject(raw)
	if err == nil {
		err = p.key(as, "api_key").Verify(object, a.header.Get(anymoney.HeaderUTCNowMS), signature)
	}
	if err != nil {
		p.t.failAt(a.index, say("an answer that is rightly signed"), textOf(err))
	}
}

func orJSON(text json.RawMessage, otherwise string) json.RawMessage {
	if text == nil {
		return json.RawMessage(otherwise)
	}
	return text
}

var orderToken = regexp.MustCompile(`^[A-Za-z0-9_-]{68}$`)

// differs says where got is not what was wanted, an empty text if it is; placeholders stand for what
// cannot be known. A subset may have further members.
func (p *moneyPlay) differs(at string, want, got any, subset bool, token string) Text {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return say("%s is %s", at, short(got))
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			value, there := g[name]
			if !there {
				return say("%s has no %q", at, name)
			}
			if why := p.differs(at+"."+name, w[name], value, subset, token); why != (Text{}) {
				return why
			}
		}
		for _, name := range slices.Sorted(maps.Keys(g)) {
			if _, wanted := w[name]; !wanted && !subset {
				return say("%s has %q: %s", at, name, short(g[name]))
			}
		}
		return Text{}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return say("%s is %s", at, short(got))
		}
		for i := range w {
			if why := p.differs(fmt.Sprintf("%s[%d]", at, i), w[i], g[i], subset, token); why != (Text{}) {
				return why
			}
		}
		return Text{}
	case string:
		if strings.HasPrefix(w, "$") {
			if p.stands(w, got, token) {
				return Text{}
			}
			return say("%s is %s, no %s", at, short(got), w[1:])
		}
	}
	if text, ok := want.(string); ok && caseTime.MatchString(text) {
		n, err := strconv.ParseInt(text, 10, 64)
		p.t.set(err)
		want = strconv.FormatInt(n-caseBegins+p.began, 10)
	}
	if want != got {
		return say("%s is %s; want %s", at, short(got), short(want))
	}
	return Text{}
}

// Cases are written down as if they began at this time; here they begin when they do.
const caseBegins = 1_700_000_000_000

var caseTime = regexp.MustCompile(`^(1699|1700)[0-9]{9}$`)

// stands tells whether got is what a placeholder stands for.
func (p *moneyPlay) stands(placeholder string, got any, token string) bool {
	text, _ := got.(string)
	number, isNumber := got.(json.Number)
	n, err := strconv.ParseInt(number.String(), 10, 64)
	whole := isNumber && err == nil
	switch placeholder {
	case "$any":
		return true
	case "$ms":
		now := p.t.at()
		return whole && n <= now && n > now-int64(366*24*time.Hour/time.Millisecond)
	case "$lid":
		return whole && n > 0
	case "$token":
		return orderToken.MatchString(text)
	case "$paylink":
		return text == p.sciBase()+"/#token="+token
	}
	return false
}

func (p *moneyPlay) sciBase() string {
	settings, _ := p.config["settings"].(map[string]any)
	base, _ := settings["sci_base"].(string)
	return base
}

func short(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return oneLine(string(raw), 160)
}

// form posts an SCI form and judges where the payer is sent.
func (p *moneyPlay) form(s *anymoneyStep) {
	t := p.t
	fields := anymoney.Form{}
	for name, value := range s.SCI {
		fields[name] = string(p.fill([]byte(value)))
	}
	if !s.OmitSign && fields[anymoney.FieldSign] == "" {
		signed := fields
		if s.SignedFields != nil {
			signed = s.SignedFields
		}
		fields[anymoney.FieldSign] = p.key(cmp.Or(s.SignAs, fields[anymoney.FieldMerchant]), "sci_key").SignForm(signed)
	}
	a := t.send("invoice", http.MethodPost, p.sciBase()+"/invoice", fields.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	location := a.header.Get("Location")
	if a.err != nil || a.status != http.StatusFound {
		t.failAt(a.index, verbatim("302"), a.said())
	}
	if s.Expect == nil {
		return
	}
	want := ""
	if s.Expect.Error != nil {
		var e struct {
			Code    int64
			Message string
			Field   *string
		}
		t.set(json.Unmarshal(s.Expect.Error, &e))
		want = fmt.Sprintf("%s/error?code=%d&message=%s", p.sciBase(), e.Code, url.QueryEscape(e.Message))
		if e.Field != nil {
			want += "&field=" + url.QueryEscape(*e.Field)
		}
	} else {
		token, _ := p.order(fields[anymoney.FieldExternalID], fields[anymoney.FieldMerchant])["token"].(string)
		want = p.sciBase() + "/#token=" + token
	}
	if location != want {
		t.failAt(a.index, say("the payer sent to %s", want), verbatim(location))
	}
}

// order is an order as the control API shows it.
func (p *moneyPlay) order(externalID, merchant string) map[string]any {
	var raw json.RawMessage
	p.t.set(p.t.env.control.do(p.t.ctx, http.MethodGet, "/anymoney/orders/"+url.PathEscape(externalID)+"?merchant="+url.QueryEscape(merchant), nil, &raw))
	order, _ := readJSON(raw).(map[string]any)
	return order
}

// callbacks judges the callbacks of an order: when they came, what they say, how they are
// signed, and that none follows the last.
func (p *moneyPlay) callbacks(want *anymoneyCallback) {
	t, merchant := p.t, cmp.Or(want.Merchant, "37")
	order := p.order(want.ExternalID, merchant)
	finished, err := strconv.ParseInt(fmt.Sprint(order["ftime"]), 10, 64)
	if err != nil {
		t.fail(say("an order that is finished"), verbatim(fmt.Sprintf("ftime %v", order["ftime"])))
	}
	for _, offset := range want.AttemptsAtMS {
		if ahead := finished + offset - t.at(); ahead > 0 {
			t.advance(time.Duration(ahead) * time.Millisecond)
		}
	}
	p.sink.wait(len(want.AttemptsAtMS))
	hits := p.sink.exactly(len(want.AttemptsAtMS))
	for i, h := range hits {
		stamp := h.header.Get(anymoney.HeaderUTCNowMS)
		if ms, _ := strconv.ParseInt(stamp, 10, 64); ms-finished != want.AttemptsAtMS[i] {
			t.fail(say("callback %d %d ms after the end", i+1, want.AttemptsAtMS[i]), say("x-utc-now-ms %s, %d ms after it", stamp, ms-finished))
		}
		object, err := anymoney.ParseObject([]byte(h.body))
		if err == nil {
			err = p.key(merchant, "api_key").Verify(object, stamp, h.header.Get(anymoney.HeaderSignature))
		}
		if err != nil {
			t.fail(say("callback %d rightly signed", i+1), textOf(err))
		}
		if why := p.differs("callback", order, readJSON([]byte(h.body)), false, ""); why != (Text{}) {
			t.fail(say("a callback with the order as it stands"), why)
		}
	}
	if n := len(hits); n == 5 || n > 0 && hits[n-1].reply == http.StatusOK {
		t.advance(2 * time.Hour)
		p.sink.exactly(n)
	}
}

// mergePatch is RFC 7396.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	merged, _ := target.(map[string]any)
	merged = maps.Clone(merged)
	if merged == nil {
		merged = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(merged, name)
		} else {
			merged[name] = mergePatch(merged[name], value)
		}
	}
	return merged
}

// anymoneyAnywhere are checks that need nothing but a merchant's account.
func anymoneyAnywhere() []Check {
	// call makes a call with the target's account; change may spoil it.
	call := func(t *T, method, params string, change func(http.Header)) (answer, map[string]any) {
		m := t.env.target.Platform.AnyMoney
		object, err := anymoney.ParseObject([]byte(params))
		t.set(err)
		now := time.Now().UnixMilli()
		if t.env.control != nil {
			now = t.at()
		}
		stamp := strconv.FormatInt(now, 10)
		header := http.Header{"Content-Type": {"application/json"}}
		header.Set(anymoney.HeaderMerchant, m.Merchant)
		header.Set(anymoney.HeaderUTCNowMS, stamp)
		header.Set(anymoney.HeaderSignature, anymoney.Key(m.Key).Sign(object, stamp))
		if change != nil {
			change(header)
		}
		a := t.send(method, http.MethodPost, m.URL, fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":%s,"id":"c1"}`, method, params), header)
		return a, t.moneyAnswer(a)
	}
	refuses := func(t *T, a answer, response map[string]any, message string) {
		e, _ := response["error"].(map[string]any)
		if e["message"] != message {
			t.failAt(a.index, verbatim(message), verbatim(oneLine(string(a.body), 300)))
		}
	}
	spoil := func(en, ru, message string, change func(http.Header)) Check {
		return Check{Title: Text{en, ru}, Run: func(t *T) {
			a, response := call(t, "balance", "{}", change)
			refuses(t, a, response, message)
		}}
	}
	without := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
	return numbered("PA-CALL", "Any.Money §2, §3", []Need{NeedAnyMoney}, []Check{
		{Title: Text{"balance answers with amounts by currency, signed, under the request's id", "balance отвечает суммами по валютам, с подписью, под id запроса"}, Run: func(t *T) {
			a, response := call(t, "balance", "{}", nil)
			result, ok := response["result"].(map[string]any)
			if !ok || response["id"] != "c1" || response["jsonrpc"] != "2.0" {
				t.failAt(a.index, verbatim(`{"result":{…},"id":"c1","jsonrpc":"2.0"}`), verbatim(oneLine(string(a.body), 300)))
			}
			for currency, amount := range result {
				text, isText := amount.(string)
				if canonical, err := anymoney.ParseAmount(text); !isText || err != nil || string(canonical) != text {
					t.failAt(a.index, say("a canonical amount in text"), say("%s of %s", short(amount), currency))
				}
			}
			raw, err := json.Marshal(result)
			t.set(err)
			object, err := anymoney.ParseObject(raw)
			t.set(err)
			if err := anymoney.Key(t.env.target.Platform.AnyMoney.Key).Verify(object, a.header.Get(anymoney.HeaderUTCNowMS), a.header.Get(anymoney.HeaderSignature)); err != nil {
				t.failAt(a.index, say("an answer that is rightly signed"), textOf(err))
			}
		}},
		spoil("Without x-merchant a call is refused", "Без x-merchant вызов отвергается", "EParamHeadersInvalid", without(anymoney.HeaderMerchant)),
		spoil("Without x-signature a call is refused", "Без x-signature вызов отвергается", "EParamHeadersInvalid", without(anymoney.HeaderSignature)),
		spoil("Without x-utc-now-ms a call is refused", "Без x-utc-now-ms вызов отвергается", "EParamHeadersInvalid", without(anymoney.HeaderUTCNowMS)),
		spoil("A signature by another key is refused", "Подпись другим ключом отвергается", "EParamSignInvalid", func(h http.Header) {
			h.Set(anymoney.HeaderSignature, anymoney.Key("another key").Sign(nil, h.Get(anymoney.HeaderUTCNowMS)))
		}),
		spoil("A signature of another time is refused", "Подпись другого времени отвергается", "EParamSignInvalid", func(h http.Header) {
			h.Set(anymoney.HeaderUTCNowMS, h.Get(anymoney.HeaderUTCNowMS)[:12]+"0")
			h.Set(anymoney.HeaderSignature, strings.Repeat("0", 128))
		}),
		spoil("A merchant that nobody is is refused", "Несуществующий мерчант отвергается", "EParamMerchantInvalid", func(h http.Header) { h.Set(anymoney.HeaderMerchant, "999999999") }),
		{Title: Text{"A method that is not there is refused", "Несуществующий метод отвергается"}, Run: func(t *T) {
			a, response := call(t, "payin.nothing", "{}", nil)
			refuses(t, a, response, "Method not found")
		}},
		{Title: Text{"A parameter that is not there is refused", "Несуществующий параметр отвергается"}, Run: func(t *T) {
			a, response := call(t, "balance", `{"currency":"UAH"}`, nil)
			refuses(t, a, response, "EParamInvalid")
		}},
		{Title: Text{"A currency that is not there is refused", "Несуществующая валюта отвергается"}, Run: func(t *T) {
			a, response := call(t, "balance", `{"curr":"UHA"}`, nil)
			refuses(t, a, response, "EParamCurrencyInvalid")
		}},
		{Title: Text{"An order that is not there is not found", "Несуществующий заказ не находится"}, Run: func(t *T) {
			a, response := call(t, "payin.get", `{"externalid":"`+t.dice.token(24)+`"}`, nil)
			refuses(t, a, response, "EParamNotFound")
		}},
		{Title: Text{"What is no JSON is a parse error", "То, что не JSON, — ошибка разбора"}, Run: func(t *T) {
			a := t.send("raw", http.MethodPost, t.env.target.Platform.AnyMoney.URL, "{", http.Header{"Content-Type": {"application/json"}})
			refuses(t, a, t.moneyAnswer(a), "Parse error")
		}},
		{Title: Text{"The same timestamp may serve two calls", "Одна метка времени годится для двух вызовов"}, Run: func(t *T) {
			stamp, signature := "", ""
			for range 2 {
				a, response := call(t, "balance", "{}", func(h http.Header) {
					if stamp != "" {
						h.Set(anymoney.HeaderUTCNowMS, stamp)
						h.Set(anymoney.HeaderSignature, signature)
					}
					stamp, signature = h.Get(anymoney.HeaderUTCNowMS), h.Get(anymoney.HeaderSignature)
				})
				if response["error"] != nil {
					t.failAt(a.index, say("a result"), verbatim(oneLine(string(a.body), 200)))
				}
			}
		}},
		{Title: Text{"status finds no order of that name either", "status тоже не находит такого заказа"}, Run: func(t *T) {
			a, response := call(t, "status", `{"externalid":"`+t.dice.token(24)+`"}`, nil)
			refuses(t, a, response, "EParamNotFound")
		}},
	})
}
