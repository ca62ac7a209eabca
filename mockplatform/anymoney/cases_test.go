package anymoney_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/mockplatform"
)

// The case runner plays files of cases over HTTP to stand-ins and compares whole objects.
// It knows nothing of the stand-in's code, nor of the wire package's: it signs and reads by
// itself, so that what the two have in common cannot hide a mistake. The format is described
// in the files.
//
// ANYMONEY_CASES names the files, parted by ":", relative ones from the root of the
// repository; without it they are those of testdata.

// Where and when every case begins.
const (
	firstMS  = 1_700_000_000_000
	merchant = "37"
)

// timeout is how long the stand-in waits for a scripted listener that does not answer, in
// place of the configured five seconds.
const timeout = time.Second

type caseFile struct {
	BaseConfig json.RawMessage `json:"base_config"`
	Cases      []testCase      `json:"cases"`
	Vectors    []vector        `json:"signature_vectors"`
}

type vector struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	Key       string          `json:"key"`
	Data      json.RawMessage `json:"data"`
	UTCNowMS  string          `json:"utc_now_ms"`
	Message   string          `json:"message"`
	Signature string          `json:"signature"`
}

type testCase struct {
	ID     string            `json:"id"`
	Config json.RawMessage   `json:"config"`
	Steps  []json.RawMessage `json:"steps"`
}

// step is one of several things, told apart by which member it has.
type step struct {
	Call    *callStep       `json:"call"`
	RawBody *string         `json:"raw_body"`
	SCI     json.RawMessage `json:"sci"`

	As            string             `json:"as"`
	SignAs        string             `json:"sign_as"`
	SignedParams  json.RawMessage    `json:"signed_params"`
	SignedFields  map[string]string  `json:"signed_fields"`
	OmitSign      bool               `json:"omit_sign"`
	Headers       map[string]*string `json:"headers"`
	TimeOffsetMS  int64              `json:"time_offset_ms"`
	SignatureCase string             `json:"signature_case"`
	Expect        *expectation       `json:"expect"`

	SetStatus       *statusStep       `json:"set_status"`
	SetConfig       json.RawMessage   `json:"set_config"`
	AdvanceMS       int64             `json:"advance_ms"`
	CallbackReplies []json.RawMessage `json:"callback_replies"`
	ExpectCallback  *callbackStep     `json:"expect_callback"`
	Note            string            `json:"note"`
}

type callStep struct {
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	ID      json.RawMessage `json:"id"`
	JSONRPC json.RawMessage `json:"jsonrpc"`
}

type statusStep struct {
	ExternalID string `json:"externalid"`
	Status     string `json:"status"`
	Merchant   string `json:"merchant"`
}

type callbackStep struct {
	AttemptsAtMS []int64 `json:"attempts_at_ms"`
	Body         string  `json:"body"`
	ExternalID   string  `json:"externalid"`
	Merchant     string  `json:"merchant"`
}

type expectation struct {
	Error   json.RawMessage `json:"error"`
	Result  json.RawMessage `json:"result"`
	Match   string          `json:"match"`
	SameAs  *int            `json:"same_as"`
	ID      json.RawMessage `json:"id"`
	Paylink string          `json:"paylink"`
}

func TestCases(t *testing.T) {
	t.Parallel()
	for _, name := range filepath.SplitList(or(os.Getenv("ANYMONEY_CASES"), "testdata/anymoney/cases.json")) {
		if !filepath.IsAbs(name) {
			name = filepath.Join("..", "..", name)
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			runFile(t, name)
		})
	}
}

// players is how many cases are played at once, each to a stand-in of its own.
const players = 8

func runFile(t *testing.T, name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file caseFile
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		if got := signedText(parse(t, v.Data), v.UTCNowMS); got != v.Message || mac(v.Key, got) != v.Signature {
			t.Errorf("%s: the runner signs %q; want %q", v.ID, got, v.Message)
		}
	}
	cases := make(chan testCase)
	var done sync.WaitGroup
	for range min(players, len(file.Cases)) {
		done.Go(func() {
			p := newPlayer(t)
			for c := range cases {
				t.Run(c.ID, func(t *testing.T) { p.play(t, file.BaseConfig, c) })
			}
		})
	}
	for _, c := range file.Cases {
		cases <- c
	}
	close(cases)
	done.Wait()
}

// tester is what a case is played for: a test, or one try of a property.
type tester interface {
	rapid.TB
	Context() context.Context
}

// player plays one case after the other to a stand-in.
type player struct {
	server *mockplatform.Server
	client *http.Client
	sink   *sink

	// Of the case that is played:
	t       tester
	now     int64 // ms, of the frozen clock
	config  map[string]any
	results []any // of the steps; nil for those without
}

func newPlayer(t *testing.T) *player {
	p := &player{server: mockplatform.Start(t), client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	p.sink = newSink(t)
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

// control calls the control API, which must say yes, and returns what it answers.
func (p *player) control(verb, path string, body any) any {
	p.t.Helper()
	text, isText := body.(json.RawMessage)
	if !isText {
		var err error
		if text, err = json.Marshal(body); err != nil {
			p.t.Fatal(err)
		}
	}
	status, _, answer := p.send(verb, p.server.ControlURL()+path, nil, text)
	if status/100 != 2 {
		p.t.Fatalf("%s %s: %d %s", verb, path, status, answer)
	}
	if len(answer) == 0 {
		return nil
	}
	return parse(p.t, answer)
}

func (p *player) send(verb, address string, header http.Header, body []byte) (int, http.Header, []byte) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), verb, address, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	response, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, response.Header, answer
}

// begin has the stand-in begin anew, at the beginning of time.
func (p *player) begin(t tester, base json.RawMessage) {
	p.t, p.now = t, firstMS
	p.sink.begin()
	p.control(http.MethodPost, "/reset", nil)
	p.control(http.MethodPut, "/clock", map[string]any{"now_ms": p.now, "frozen": true})
	p.control(http.MethodPut, "/anymoney/config", base)
	p.config = parse(t, base).(map[string]any)
}

func (p *player) play(t tester, base json.RawMessage, c testCase) {
	p.begin(t, base)
	p.results = make([]any, len(c.Steps))
	if c.Config != nil {
		p.patch(c.Config)
	}
	for i, text := range c.Steps {
		var s step
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		p.step(i, s)
		if t.Failed() {
			t.Logf("failed at step %d: %s", i, text)
			return
		}
	}
}

func (p *player) step(i int, s step) {
	switch {
	case s.Call != nil, s.RawBody != nil:
		p.call(i, s)
	case s.SCI != nil:
		p.form(s)
	case s.SetStatus != nil:
		p.control(http.MethodPost, "/anymoney/orders/"+url.PathEscape(s.SetStatus.ExternalID)+"/status",
			map[string]string{"merchant": or(s.SetStatus.Merchant, merchant), "status": s.SetStatus.Status})
	case s.SetConfig != nil:
		p.patch(s.SetConfig)
	case s.CallbackReplies != nil:
		for _, reply := range s.CallbackReplies {
			if string(reply) == `"timeout"` {
				p.patch(json.RawMessage(fmt.Sprintf(`{"settings":{"callback_timeout_ms":%d}}`, timeout.Milliseconds())))
			}
		}
		p.sink.script(s.CallbackReplies)
	case s.ExpectCallback != nil:
		p.callbacks(s.ExpectCallback)
	case s.AdvanceMS > 0:
		p.advance(s.AdvanceMS)
	default:
		p.t.Errorf("a step that the runner does not know")
	}
}

func (p *player) patch(patch json.RawMessage) {
	p.t.Helper()
	p.control(http.MethodPatch, "/anymoney/config", patch)
	p.config = mergePatch(p.config, parse(p.t, patch)).(map[string]any)
}

func (p *player) advance(ms int64) {
	p.t.Helper()
	p.control(http.MethodPost, "/clock/advance", map[string]any{"ms": ms})
	p.now += ms
}

// key returns a key of a merchant, api_key or sci_key.
func (p *player) key(lid, name string) string {
	m, _ := at(p.config, "merchants", lid).(map[string]any)
	key, _ := m[name].(string)
	return key
}

func (p *player) sciBase() string {
	base, _ := at(p.config, "settings", "sci_base").(string)
	return or(base, p.server.PlatformURL()+"/anymoney-sci")
}

// call sends a JSON-RPC request and judges the answer.
func (p *player) call(i int, s step) {
	as := or(s.As, merchant)
	var body []byte
	var params json.RawMessage
	id := any("1")
	if s.RawBody != nil {
		body, id = []byte(*s.RawBody), nil
	} else {
		params = bytes.ReplaceAll(s.Call.Params, []byte(`"$callback_sink"`), strconv.AppendQuote(nil, p.sink.address()))
		var b bytes.Buffer
		fmt.Fprintf(&b, `{"jsonrpc":%s,"method":%q,`, or(string(s.Call.JSONRPC), `"2.0"`), s.Call.Method)
		if params != nil {
			fmt.Fprintf(&b, `"params":%s,`, params)
		}
		if s.Call.ID != nil {
			id = parse(p.t, s.Call.ID)
		}
		fmt.Fprintf(&b, `"id":%s}`, or(string(s.Call.ID), `"1"`))
		body = b.Bytes()
	}
	stamp := strconv.FormatInt(p.now+s.TimeOffsetMS, 10)
	if s.SignedParams != nil {
		params = s.SignedParams
	}
	signed, _ := parse(p.t, orJSON(params, "{}")).(map[string]any)
	signature := mac(p.key(or(s.SignAs, as), "api_key"), signedText(signed, stamp))
	switch s.SignatureCase {
	case "upper":
		signature = strings.ToUpper(signature)
	case "lower", "":
	default:
		p.t.Fatalf("signature_case %q", s.SignatureCase)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	header.Set("x-merchant", as)
	header.Set("x-utc-now-ms", stamp)
	header.Set("x-signature", signature)
	for name, value := range s.Headers {
		header.Del(name)
		if value != nil {
			header.Set(name, *value)
		}
	}
	status, answered, answer := p.send(http.MethodPost, p.server.PlatformURL()+"/anymoney/", header, body)
	if status != http.StatusOK || answered.Get("Content-Type") != "application/json" {
		p.t.Errorf("answered %d %s; want 200 application/json", status, answered.Get("Content-Type"))
	}
	response, ok := parse(p.t, answer).(map[string]any)
	if !ok {
		p.t.Fatalf("answered %s; want an object", answer)
	}
	p.results[i] = response["result"]
	p.verify(header.Get("x-merchant"), answered, response)
	if s.Expect == nil {
		return
	}
	if s.Expect.ID != nil {
		id = parse(p.t, s.Expect.ID)
	}
	p.judge(s.Expect, response, id)
}

// verify checks the signature of an answer: if there is one, and there must be one for a
// result.
func (p *player) verify(as string, header http.Header, response map[string]any) {
	p.t.Helper()
	signed, isResult := response["result"].(map[string]any)
	if !isResult {
		signed, _ = response["error"].(map[string]any)
	}
	got := header.Get("x-signature")
	if got == "" && !isResult {
		return
	}
	if want := mac(p.key(as, "api_key"), signedText(signed, header.Get("x-utc-now-ms"))); got != want {
		p.t.Errorf("the answer is signed %q; want %q", got, want)
	}
}

func (p *player) judge(want *expectation, response map[string]any, id any) {
	p.t.Helper()
	expected := map[string]any{"jsonrpc": "2.0", "id": id}
	token, _ := at(response, "result", "token").(string)
	switch {
	case want.Error != nil:
		expected["error"] = parse(p.t, want.Error)
	case want.SameAs != nil:
		expected["result"] = p.results[*want.SameAs]
	case want.Match == "exact":
		expected["result"] = parse(p.t, want.Result)
	case want.Match == "subset":
		expected["result"] = parse(p.t, want.Result)
		if result, ok := response["result"]; ok {
			response = maps.Clone(response)
			response["result"] = onlyKeys(result, expected["result"])
		}
	default:
		p.t.Fatalf("nothing that the runner knows is expected")
	}
	p.compare(expected, response, token)
}

// compare reports differences, once the placeholders that hold are filled in; token is that
// of the order.
func (p *player) compare(want, got any, token string) {
	p.t.Helper()
	if diff := cmp.Diff(p.fill(want, got, token), got); diff != "" {
		p.t.Errorf("answer (-want +got):\n%s", diff)
	}
}

var tokens = regexp.MustCompile(`^[A-Za-z0-9_-]{68}$`)

// fill returns want with each placeholder that got satisfies replaced by what got has there.
func (p *player) fill(want, got any, token string) any {
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		filled := map[string]any{}
		for name, value := range w {
			filled[name] = p.fill(value, g[name], token)
		}
		return filled
	case []any:
		g, _ := got.([]any)
		filled := make([]any, len(w))
		for i, value := range w {
			var there any
			if i < len(g) {
				there = g[i]
			}
			filled[i] = p.fill(value, there, token)
		}
		return filled
	case string:
		number, isNumber := got.(json.Number)
		n, err := strconv.ParseInt(number.String(), 10, 64)
		isWhole := isNumber && err == nil
		text, _ := got.(string)
		holds := false
		switch w {
		case "$any":
			holds = true
		case "$ms":
			holds = isWhole && n >= firstMS && n <= p.now
		case "$lid":
			holds = isWhole && n > 0
		case "$token":
			holds = tokens.MatchString(text)
		case "$paylink":
			holds = text == p.sciBase()+"/#token="+token
		case "$callback_sink":
			holds = text == p.sink.address()
		}
		if holds {
			return got
		}
	}
	return want
}

// form posts a form and judges where the payer is sent.
func (p *player) form(s step) {
	fields := map[string]string{}
	if err := json.Unmarshal(s.SCI, &fields); err != nil {
		p.t.Fatal(err)
	}
	for name, value := range fields {
		fields[name] = strings.ReplaceAll(value, "$callback_sink", p.sink.address())
	}
	signed := fields
	if s.SignedFields != nil {
		signed = s.SignedFields
	}
	all := map[string]any{}
	for name, value := range signed {
		all[name] = value
	}
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	if !s.OmitSign && !values.Has("sign") {
		delete(all, "sign")
		values.Set("sign", mac(p.key(or(s.SignAs, fields["merchant"]), "sci_key"), signedText(all, "")))
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	status, answered, answer := p.send(http.MethodPost, p.server.PlatformURL()+"/anymoney-sci/invoice", header, []byte(values.Encode()))
	location := answered.Get("Location")
	if status != http.StatusFound {
		p.t.Fatalf("answered %d %s; want 302", status, answer)
	}
	if s.Expect == nil {
		return
	}
	if s.Expect.Error != nil {
		if want := p.errorAddress(s.Expect.Error); location != want {
			p.t.Errorf("the payer is sent to %s; want %s", location, want)
		}
		return
	}
	query := url.Values{"merchant": {fields["merchant"]}}
	order := p.control(http.MethodGet, "/anymoney/orders/"+url.PathEscape(fields["externalid"])+"?"+query.Encode(), nil)
	token, _ := at(order, "token").(string)
	if want := p.sciBase() + "/#token=" + token; location != want || !tokens.MatchString(token) {
		p.t.Errorf("the payer is sent to %s; want %s", location, want)
	}
}

func (p *player) errorAddress(want json.RawMessage) string {
	var e struct {
		Code    int64
		Message string
		Field   *string
	}
	if err := json.Unmarshal(want, &e); err != nil {
		p.t.Fatal(err)
	}
	address := fmt.Sprintf("%s/error?code=%d&message=%s", p.sciBase(), e.Code, url.QueryEscape(e.Message))
	if e.Field != nil {
		address += "&field=" + url.QueryEscape(*e.Field)
	}
	return address
}

// callbacks judges the callbacks of an order: how many have come by the time of the last
// that is expected, when, what they say, and that none follows an acknowledged one.
func (p *player) callbacks(want *callbackStep) {
	as := or(want.Merchant, merchant)
	query := url.Values{"merchant": {as}}
	order, _ := p.control(http.MethodGet, "/anymoney/orders/"+url.PathEscape(want.ExternalID)+"?"+query.Encode(), nil).(map[string]any)
	finished, err := strconv.ParseInt(fmt.Sprint(order["ftime"]), 10, 64)
	if err != nil {
		p.t.Fatalf("the order was finished at %v", order["ftime"])
	}
	last := int64(0)
	if n := len(want.AttemptsAtMS); n > 0 {
		last = want.AttemptsAtMS[n-1]
	}
	p.advance(max(finished+last-p.now, 0))
	got := p.sink.of(want.ExternalID, as)
	at := make([]int64, len(got))
	for i, c := range got {
		stamp := c.header.Get("x-utc-now-ms")
		ms, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil {
			p.t.Errorf("callback %d has x-utc-now-ms %q", i, stamp)
		}
		at[i] = ms - finished
		if want := mac(p.key(as, "api_key"), signedText(c.body, stamp)); c.header.Get("x-signature") != want {
			p.t.Errorf("callback %d is signed %q; want %q", i, c.header.Get("x-signature"), want)
		}
		if c.header.Get("Content-Type") != "application/json" {
			p.t.Errorf("callback %d is %q", i, c.header.Get("Content-Type"))
		}
		if diff := cmp.Diff(order, c.body); want.Body == "order" && diff != "" {
			p.t.Errorf("callback %d (-order +callback):\n%s", i, diff)
		}
	}
	if diff := cmp.Diff(orNone(want.AttemptsAtMS), at); diff != "" {
		p.t.Errorf("times of callbacks (-want +got):\n%s", diff)
	}
	if len(got) > 0 && got[len(got)-1].reply == http.StatusOK || len(got) == 5 {
		p.advance(3_900_000)
		if more := p.sink.of(want.ExternalID, as); len(more) > len(got) {
			p.t.Errorf("%d callbacks came after the last one", len(more)-len(got))
		}
	}
}

// A merchant hears of a change that is not final if, and only if, the settings say so.
func TestCallbackOnChange(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	for _, always := range []bool{false, true} {
		p.begin(t, baseConfig(t))
		p.patch(json.RawMessage(fmt.Sprintf(`{"settings":{"callback_on_change":%t}}`, always)))
		p.results = make([]any, 1)
		p.call(0, step{Call: &callStep{Method: "payin.create", Params: json.RawMessage(
			`{"payway":"visamc","amount":"50","in_curr":"UAH","externalid":"g1","callback_url":"$callback_sink"}`)}})
		var heard []string
		for _, status := range []string{"pending", "done"} {
			p.control(http.MethodPost, "/anymoney/orders/g1/status", map[string]string{"merchant": merchant, "status": status})
			p.advance(1000) // later news end the sending of earlier ones
		}
		for _, c := range p.sink.of("g1", merchant) {
			heard = append(heard, fmt.Sprint(c.body["status"]))
		}
		want := []string{"done"}
		if always {
			want = []string{"pending", "done"}
		}
		if diff := cmp.Diff(want, heard); diff != "" {
			t.Errorf("callback_on_change %t (-want +heard):\n%s", always, diff)
		}
	}
}

// sink is the listener of the merchants.
type sink struct {
	server *httptest.Server

	mu      sync.Mutex
	run     int // of the case; callbacks of earlier ones are not counted
	replies []json.RawMessage
	got     []callback
}

type callback struct {
	header http.Header
	body   map[string]any
	reply  int // 0 for none
}

func newSink(t *testing.T) *sink {
	s := &sink{}
	s.server = httptest.NewServer(http.HandlerFunc(s.take))
	t.Cleanup(s.server.Close)
	return s
}

func (s *sink) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run++
	s.replies, s.got = nil, nil
}

func (s *sink) address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s/callback/%d", s.server.URL, s.run)
}

// script says how the following callbacks are answered; the last answer repeats.
func (s *sink) script(replies []json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = replies
}

// take answers a callback as the script says, 200 without one.
func (s *sink) take(w http.ResponseWriter, r *http.Request) {
	c := callback{header: r.Header, reply: http.StatusOK}
	text, _ := io.ReadAll(r.Body)
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = d.Decode(&c.body) // what is no object is compared, and differs
	s.mu.Lock()
	if r.URL.Path != fmt.Sprintf("/callback/%d", s.run) {
		s.mu.Unlock()
		return
	}
	if len(s.replies) > 0 {
		reply := s.replies[0]
		if len(s.replies) > 1 {
			s.replies = s.replies[1:]
		}
		c.reply, _ = strconv.Atoi(string(reply)) // 0 for "timeout"
	}
	s.got = append(s.got, c)
	s.mu.Unlock()
	switch {
	case c.reply == 0:
		<-r.Context().Done() // until the caller gives up
	case c.reply/100 == 3:
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(c.reply)
	default:
		w.WriteHeader(c.reply)
	}
}

// of returns the callbacks of an order.
func (s *sink) of(externalID, owner string) []callback {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []callback
	for _, c := range s.got {
		if c.body["externalid"] == externalID && c.header.Get("x-merchant") == owner {
			found = append(found, c)
		}
	}
	return found
}

// parse reads JSON and keeps numbers as they are written.
func parse(t tester, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return value
}

// mergePatch is RFC 7396.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	merged, ok := target.(map[string]any)
	if !ok {
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

// signedText is what is signed: the values that are no null, list or object in the order of
// their names, then the stamp, in lower case.
func signedText(value any, stamp string) string {
	members, _ := value.(map[string]any)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch v := members[name].(type) {
		case string:
			b.WriteString(v)
		case bool, json.Number:
			fmt.Fprint(&b, v)
		}
	}
	return strings.ToLower(b.String() + stamp)
}

func mac(key, text string) string {
	h := hmac.New(sha512.New, []byte(key))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// at follows names into objects; nil where there is nothing.
func at(value any, names ...string) any {
	for _, name := range names {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	return value
}

// onlyKeys returns what value has of the keys of want, recursively.
func onlyKeys(value, want any) any {
	keys, isObject := want.(map[string]any)
	members, ok := value.(map[string]any)
	if !isObject || !ok {
		return value
	}
	kept := map[string]any{}
	for name := range keys {
		if member, there := members[name]; there {
			kept[name] = onlyKeys(member, keys[name])
		}
	}
	return kept
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orJSON(text json.RawMessage, otherwise string) json.RawMessage {
	if text == nil {
		return json.RawMessage(otherwise)
	}
	return text
}

func orNone(at []int64) []int64 {
	if at == nil {
		return []int64{}
	}
	return at
}
