package mutant

import (
	"bytes"
	"context"
	_ "embed" // for kills
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/partnerkit/partnerkit/contract"
)

// A PlatformDefect is what is wrong with a mutant of a platform.
type PlatformDefect struct {
	Defect
	Costs string // how that becomes money
	Area  string // of the checks that it is tried with: PI, PA, PR-SIGN …
	wrap  wrap
}

// A Platform is a stand-in behind a layer through which everything passes that is said to it,
// by it, and to its control API. The layer knows the keys, as the stand-in does, and does one
// thing wrongly: it changes, swallows, repeats or invents a message, and seals or signs it
// as the platform would. So the platform behind it is the one that passes every check, and
// what catches the mutant catches its defect.
type Platform struct {
	wrap   wrap
	target contract.Target
	to     [3]string // addresses, by party
	url    string
	server *http.Server
	client *http.Transport
	done   chan struct{}

	mu    sync.Mutex        // guards what follows
	keys  map[string]string // at Integra, by hash
	money map[string]any    // Any.Money's configuration, as it was last given
	shops map[string]shop   // at Robokassa, by login
	known map[string]string // what defects remember, by defect's own names
}

// A party is whom a message is for.
type party int

// The parties.
const (
	toPlatform party = iota // partners' calls
	toControl               // the suite's, on the control API
	toSuite                 // what the platform tells partners
)

// paths are how the layer's address goes on, by party.
var paths = [3]string{"/platform", "/control", "/suite"}

// wrap is what a layer does with a message. It is called for every one of them.
type wrap func(*message)

// message is something on its way, with the answer to it once it has passed.
type message struct {
	p           *Platform
	ctx         context.Context
	to          party
	verb        string
	path, query string // as they are written
	header      http.Header
	body        []byte

	status   int // 0 as long as there is no answer
	answered http.Header
	answer   []byte
}

// NewPlatform puts a layer with a defect before the stand-in that target describes, and serves
// until Close. Without a defect, the zero value, everything passes as it is.
func NewPlatform(d PlatformDefect, target *contract.Target) (*Platform, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	t := target.Platform
	p := &Platform{
		wrap: d.wrap, target: *target, url: "http://" + l.Addr().String(), done: make(chan struct{}),
		client: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute},
		keys:   map[string]string{t.Integra.Partner.Hash: t.Integra.Partner.Key},
		money: map[string]any{"merchants": map[string]any{
			t.AnyMoney.Merchant: map[string]any{"api_key": t.AnyMoney.Key, "sci_key": t.AnyMoney.SCIKey},
		}},
		shops: map[string]shop{}, known: map[string]string{},
	}
	p.to[toPlatform], p.to[toControl] = t.Integra.URL, t.Control
	if p.wrap == nil {
		p.wrap = (*message).pass
	}
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(l)
	}()
	return p, nil
}

// Close ends what is under way.
func (p *Platform) Close() {
	_ = p.server.Close()
	<-p.done
	p.client.CloseIdleConnections()
}

// Target is the mutant as a target for the suite.
func (p *Platform) Target() *contract.Target {
	target := p.target
	of := *target.Platform
	inside := func(address string) string {
		return strings.Replace(address, p.to[toPlatform], p.url+paths[toPlatform], 1)
	}
	of.Control = p.url + paths[toControl]
	of.Integra, of.AnyMoney, of.Robokassa = new(*of.Integra), new(*of.AnyMoney), new(*of.Robokassa)
	of.Integra.URL, of.Robokassa.URL = inside(of.Integra.URL), inside(of.Robokassa.URL)
	of.AnyMoney.URL, of.AnyMoney.SCIURL = inside(of.AnyMoney.URL), inside(of.AnyMoney.SCIURL)
	of.Through = func(sinks string) string {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.to[toSuite] = sinks
		return p.url + paths[toSuite]
	}
	target.Platform = &of
	return &target
}

// maxMessage bounds a message.
const maxMessage = 16 << 20

// serve takes a message and lets it through the layer.
func (p *Platform) serve(w http.ResponseWriter, r *http.Request) {
	m := &message{p: p, ctx: r.Context(), verb: r.Method, header: r.Header.Clone()}
	m.path, m.query, _ = strings.Cut(r.RequestURI, "?")
	for to, path := range paths {
		if rest, ok := strings.CutPrefix(m.path, path); ok {
			m.to, m.path = party(to), rest
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	if err != nil {
		return // the caller has hung up
	}
	m.body = body
	m.learn()
	p.wrap(m)
	if m.status == 0 { // the platform has hung up, and so does the layer
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), m.answered)
	w.Header().Del("Content-Length")
	w.WriteHeader(m.status)
	_, _ = w.Write(m.answer)
}

// pass sends the message on as it now is. It may be called more than once; the last answer
// counts.
func (m *message) pass() {
	m.p.mu.Lock()
	address := m.p.to[m.to] + m.path
	m.p.mu.Unlock()
	if m.query != "" {
		address += "?" + m.query
	}
	m.status = 0
	r, err := http.NewRequestWithContext(m.ctx, m.verb, address, bytes.NewReader(m.body))
	if err != nil {
		return
	}
	r.Header = m.header.Clone()
	r.Header.Del("Connection")
	res, err := m.p.client.RoundTrip(r)
	if err != nil {
		return
	}
	defer func() { _ = res.Body.Close() }()
	if m.answer, err = io.ReadAll(io.LimitReader(res.Body, maxMessage)); err != nil {
		return
	}
	m.status, m.answered = res.StatusCode, res.Header
	m.learnAnswer()
}

// says makes the answer up, instead of an answer that has come or before any has.
func (m *message) says(status int, kind, text string) {
	m.status, m.answered, m.answer = status, http.Header{"Content-Type": {kind}}, []byte(text)
}

// of sends a message of the layer's own and returns it with its answer.
func (m *message) of(to party, verb, path string, body any) *message {
	own := &message{p: m.p, ctx: m.ctx, to: to, verb: verb, path: path, header: http.Header{}}
	switch body := body.(type) {
	case nil:
	case string:
		own.header.Set("Content-Type", "application/x-www-form-urlencoded")
		own.body = []byte(body)
	default:
		own.header.Set("Content-Type", "application/json")
		own.body = encode(body)
	}
	own.path, own.query, _ = strings.Cut(path, "?")
	own.pass()
	return own
}

// learn remembers what the suite sets up on the control API.
func (m *message) learn() {
	if m.to != toControl || m.verb != http.MethodPut && m.verb != http.MethodPatch {
		return
	}
	object, ok := decode(m.body).(map[string]any)
	if !ok {
		return
	}
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	if m.path == "/anymoney/config" {
		if m.verb == http.MethodPatch {
			object = merge(m.p.money, object)
		}
		m.p.money = object
	}
	if login, ok := strings.CutPrefix(m.path, "/robokassa/shops/"); ok {
		m.p.shops[login] = object
	}
}

// merge returns a configuration with a change; neither is changed.
func merge(config, change map[string]any) map[string]any {
	config = maps.Clone(config)
	for name, value := range change {
		if inside, ok := value.(map[string]any); ok {
			value = merge(object(config[name]), inside)
		}
		config[name] = value
	}
	return config
}

// learnAnswer remembers crypt keys and logins.
func (m *message) learnAnswer() {
	if m.to != toPlatform || m.method() != "createUser" {
		return
	}
	args := m.args()
	hash, key := text(args["hash"]), text(object(object(decode(m.answer))["data"])["cryptKey"])
	if key != "" {
		m.p.mu.Lock()
		defer m.p.mu.Unlock()
		m.p.keys[hash], m.p.known["login of "+hash] = key, text(args["username"])
	}
}

// remember keeps a value under a name and returns what was there before.
func (p *Platform) remember(name, value string) (before string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before = p.known[name]
	p.known[name] = value
	return before
}

// recall is what was remembered under a name.
func (p *Platform) recall(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[name]
}

// edit changes a JSON object that was answered.
func (m *message) edit(change func(map[string]any)) {
	if o, ok := decode(m.answer).(map[string]any); ok {
		change(o)
		m.answer = encode(o)
	}
}

// only has a wrap for one party.
func only(to party, w wrap) wrap {
	return func(m *message) {
		if m.to != to {
			m.pass()
			return
		}
		w(m)
	}
}

// settings changes what is set up on the control API below a path.
func settings(path string, change func(m *message, body map[string]any)) wrap {
	return only(toControl, func(m *message) {
		body, ok := decode(m.body).(map[string]any)
		if ok && strings.HasPrefix(m.path, path) && (m.verb == http.MethodPut || m.verb == http.MethodPatch) {
			change(m, body)
			m.body = encode(body)
		}
		m.pass()
	})
}

// told changes what the platform tells the partner.
func told(change func(*message)) wrap {
	return only(toSuite, func(m *message) {
		change(m)
		if m.status == 0 {
			m.pass()
		}
	})
}

// heard changes what the platform hears when it has told the partner something.
func heard(change func(*message)) wrap {
	return only(toSuite, func(m *message) {
		m.pass()
		change(m)
	})
}

// params are the query as values.
func (m *message) params() url.Values {
	values, err := url.ParseQuery(m.query)
	if err != nil {
		return url.Values{}
	}
	return values
}

// decode reads JSON with its numbers as they are written; nil for what is none.
func decode(raw []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil
	}
	return value
}

// encode writes JSON without the escapes that only a page needs.
func encode(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// object is a value as an object, empty if it is none.
func object(value any) map[string]any {
	if o, ok := value.(map[string]any); ok && o != nil {
		return o
	}
	return map[string]any{}
}

// text is a text or number as text, "" for anything else.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// kills.txt says which checks catch which defects of platforms: a line each, found by trying
// every one with every check of its area.
//
//go:embed kills.txt
var kills string

// Platforms are the defects of platforms.
func Platforms() []PlatformDefect {
	catch := map[string][]string{}
	for line := range strings.Lines(kills) {
		id, checks, _ := strings.Cut(line, ":")
		catch[id] = strings.Fields(checks)
	}
	var all []PlatformDefect
	for _, protocol := range []struct {
		area    string
		defects func(adding)
	}{
		{"PI", integraDefects},
		{"PA", anymoneyDefects},
		{"PR-SIGN", robokassaSignatures},
		{"PR-TOKEN", robokassaTokens},
		{"PR-PAGE", robokassaPage},
		{"PR-RESULT", robokassaResults},
		{"PR-STATE", robokassaStates},
		{"PR-HOLD", robokassaHolds},
	} {
		protocol.defects(func(id, what, costs string, w wrap) {
			id = strings.ToLower(protocol.area[:2] + "-" + id)
			all = append(all, PlatformDefect{Defect{id, what, catch[id]}, costs, protocol.area, w})
		})
	}
	return all
}

// adding is how the defects of a protocol are told, one by one.
type adding func(id, what, costs string, w wrap)
