package anymoney_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is no request of the API is refused by its fault, and leaves no trace: no order, no
// spent code, no moved balance. Each is signed as it should be and would create an order if
// only the one fault were overlooked.
func TestWhatIsNoRequestLeavesNoTrace(t *testing.T) {
	t.Parallel()
	const (
		code   = "EX-CODE_1000001_USD00000000000000000000000000000000000000aa"
		params = `{"amount":"10","in_curr":"USD","payway":"exmo","externalid":"x","code":"` + code + `"}`
		call   = `{"jsonrpc":"2.0","method":"payin.create","params":` + params + `,"id":"1"}`
	)
	nested := func(depth int) string {
		return strings.Replace(call, `"id"`, `"more":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`,"id"`, 1)
	}
	with := func(param string) string {
		return strings.Replace(call, `"code":"`+code+`"`, `"code":"`+code+`",`+param, 1)
	}
	unread, invalid := no("Parse error"), no("Invalid Request")
	tests := []struct {
		name, body string
		want       map[string]any
	}{
		{"empty", "", unread},
		{"spaces", " \n", unread},
		{"no JSON", "amount=10", unread},
		{"cut off", call[:len(call)-1], unread},
		{"goes on", call + "{}", unread},
		{"byte order mark", "\ufeff" + call, unread},
		{"single quotes", strings.ReplaceAll(call, `"`, `'`), unread},
		{"comment", "/**/" + call, unread},
		{"NUL byte in front", "\x00" + call, unread},
		{"NUL byte in a text", strings.Replace(call, `"x"`, "\"x\x00\"", 1), unread},
		{"invalid UTF-8", strings.Replace(call, `"x"`, "\"x\xff\"", 1), unread},
		{"half a surrogate pair", strings.Replace(call, `"x"`, `"x\ud800"`, 1), unread},
		{"deeper than anybody means", nested(600), unread},
		{"deep enough for a stack", nested(500_000), unread},
		{"text", `"payin.create"`, invalid},
		{"number", `1`, invalid},
		{"null", `null`, invalid},
		{"empty batch", `[]`, invalid},
		{"batch", "[" + call + "]", invalid},
		{"notification", strings.Replace(call, `,"id":"1"`, "", 1), invalid},
		{"null id", strings.Replace(call, `"id":"1"`, `"id":null`, 1), invalid},
		{"boolean id", strings.Replace(call, `"id":"1"`, `"id":true`, 1), invalid},
		{"positional params", strings.Replace(call, params, `["10","USD","exmo","x"]`, 1), invalid},
		{"text for params", strings.Replace(call, params, `"amount=10"`, 1), invalid},
		{"no version", strings.Replace(call, `"jsonrpc":"2.0",`, "", 1), invalid},
		{"another version", strings.Replace(call, `"2.0"`, `"1.0"`, 1), invalid},
		{"no method", strings.Replace(call, `"method":"payin.create",`, "", 1), invalid},
		{"empty method", strings.Replace(call, `"payin.create"`, `""`, 1), invalid},
		{"number for a method", strings.Replace(call, `"payin.create"`, `1`, 1), invalid},
		{"amount twice", with(`"amount":"10"`), invalid},
		{"method twice", strings.Replace(call, `"id"`, `"method":"payin.create","id"`, 1), invalid},
		{"name twice far inside", with(`"payer":{"a":{"b":1,"b":1}}`), invalid},
		{"name twice by an escape", with(`"\u0061mount":"10"`), invalid},
		{"megabyte in an unknown parameter", with(`"more":"` + strings.Repeat("x", 1<<20) + `"`), no("EParamInvalid", "field", "more", "reason", "Should not be provided")},
		{"megabyte of parameters", with(manyParams(50_000)), no("EParamInvalid", "field", "p0", "reason", "Should not be provided")},
		{"megabyte of digits", strings.Replace(call, `"10"`, `"1`+strings.Repeat("0", 1<<20)+`"`, 1), no("EParamAmountTooBig", "field", "amount", "reason", "Amount is too big", "value", "1"+strings.Repeat("0", 1<<20))},
		{"megabyte of decimals", strings.Replace(call, `"10"`, `"10.`+strings.Repeat("1", 1<<20)+`"`, 1), no("EParamAmountFormatInvalid", "field", "amount")},
		{"megabyte for a method", strings.Replace(call, `payin.create`, strings.Repeat("m", 1<<20), 1), no("Method not found")},
	}
	p := newPlayer(t)
	p.begin(t, baseConfig(t))
	before := p.traces()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.t = t
			status, _, answer := p.post(tt.body)
			if status != http.StatusOK {
				t.Errorf("answered %d; want 200", status)
			}
			id := any("1")
			if tt.want["code"] == unread["code"] || tt.want["code"] == invalid["code"] {
				id = nil
			}
			want := parse(t, encode(map[string]any{"jsonrpc": "2.0", "id": id, "error": tt.want}))
			if diff := cmp.Diff(want, parse(t, answer)); diff != "" {
				t.Errorf("answer (-want +got):\n%.2000s", diff)
			}
			if diff := cmp.Diff(before, p.traces()); diff != "" {
				t.Errorf("it left a trace (-before +after):\n%s", diff)
			}
		})
	}
	p.t = t
	if _, _, answer := p.post(call); !strings.Contains(string(answer), `"tp":"payin"`) {
		t.Errorf("the call without a fault: %s", answer)
	}
	if diff := cmp.Diff(before, p.traces()); diff == "" {
		t.Error("the call without a fault left no trace: the others prove nothing")
	}
}

func manyParams(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"p%d":"some value"`, i)
	}
	return strings.Join(members, ",")
}

// baseConfig is the configuration of the given cases.
func baseConfig(t *testing.T) json.RawMessage {
	t.Helper()
	text, err := os.ReadFile("../../testdata/anymoney/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file caseFile
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.BaseConfig
}

// post sends a body to the API, signed for the params in it as far as they can be read.
func (p *player) post(body string) (int, http.Header, []byte) {
	p.t.Helper()
	var call struct{ Params map[string]any }
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	_ = d.Decode(&call) // what cannot be read is signed as if it had none
	stamp := strconv.FormatInt(p.now, 10)
	header := http.Header{"Content-Type": {"application/json"}}
	header.Set("x-merchant", merchant)
	header.Set("x-utc-now-ms", stamp)
	header.Set("x-signature", mac(p.key(merchant, "api_key"), signedText(call.Params, stamp)))
	return p.send(http.MethodPost, p.server.PlatformURL()+"/anymoney/", header, []byte(body))
}

// traces are what a request can leave behind: balances and codes, and the order "x".
func (p *player) traces() any {
	p.t.Helper()
	status, _, order := p.send(http.MethodGet, p.server.ControlURL()+"/anymoney/orders/x?merchant="+merchant, nil, nil)
	return []any{p.control(http.MethodGet, "/anymoney/config", nil), status, string(order)}
}

// What does not come as a POST to the API's address is refused in the words of HTTP.
func TestWhatIsNoPostLeavesNoTrace(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	p.begin(t, baseConfig(t))
	before := p.traces()
	api := p.server.PlatformURL() + "/anymoney/"
	tests := []struct {
		name, verb, address string
		body                []byte
		want                int
	}{
		{"GET", http.MethodGet, api, nil, http.StatusMethodNotAllowed},
		{"PUT", http.MethodPut, api, []byte(`{}`), http.StatusMethodNotAllowed},
		{"too long", http.MethodPost, api, bytes.Repeat([]byte(" "), 2<<20+1), http.StatusRequestEntityTooLarge},
		{"elsewhere", http.MethodPost, api + "payin.create", []byte(`{}`), http.StatusNotFound},
		{"GET of the form", http.MethodGet, p.server.PlatformURL() + "/anymoney-sci/invoice", nil, http.StatusMethodNotAllowed},
		{"form too long", http.MethodPost, p.server.PlatformURL() + "/anymoney-sci/invoice", bytes.Repeat([]byte("a"), 2<<20+1), http.StatusRequestEntityTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.t = t
			status, header, answer := p.send(tt.verb, tt.address, nil, tt.body)
			if status != tt.want {
				t.Errorf("answered %d %s; want %d", status, answer, tt.want)
			}
			if allow := header.Get("Allow"); (status == http.StatusMethodNotAllowed) != (allow == http.MethodPost) {
				t.Errorf("answered %d with Allow %q", status, allow)
			}
			if diff := cmp.Diff(before, p.traces()); diff != "" {
				t.Errorf("it left a trace (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		p.t = t
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.server.PlatformURL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "POST /anymoney/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"jsonrpc\"")
		_ = conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
			t.Errorf("answered %q, %v; want 400", answer, err)
		}
	})
}

// A form that cannot be read, or is not in order, sends the payer to the error page and makes
// no order.
func TestBadFormsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	p.begin(t, baseConfig(t))
	fields := map[string]any{"merchant": merchant, "amount": "10", "externalid": "x", "in_curr": "UAH", "payway": "visamc"}
	good := url.Values{"sign": {mac(p.key(merchant, "sci_key"), signedText(fields, ""))}}
	for name, value := range fields {
		good.Set(name, value.(string))
	}
	body := good.Encode()
	before := p.traces()
	tests := []struct{ name, body, want string }{
		{"empty", "", "code=-32003&message=EParamInvalid&field=merchant"},
		{"JSON", `{"merchant":"37"}`, "code=-32003&message=EParamInvalid&field=merchant"},
		{"bad escape", body + "&note=%zz", "code=-32700&message=Parse+error"},
		{"semicolon", body + "&a=1;b=2", "code=-32700&message=Parse+error"},
		{"invalid UTF-8", body + "&note=%ff", "code=-32700&message=Parse+error"},
		{"invalid UTF-8 in a name", body + "&%ff=1", "code=-32700&message=Parse+error"},
		{"amount twice", body + "&amount=10", "code=-32700&message=Parse+error"},
		{"sign twice", body + "&sign=x", "code=-32700&message=Parse+error"},
		{"a field more than was signed", body + "&note=1", "code=-32010&message=EParamSignInvalid"},
		{"megabyte more", body + "&note=" + strings.Repeat("x", 1<<20), "code=-32010&message=EParamSignInvalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.t = t
			status, header, answer := p.postForm(tt.body)
			if got, want := header.Get("Location"), p.sciBase()+"/error?"+tt.want; status != http.StatusFound || got != want {
				t.Errorf("answered %d %s, to %s; want 302 to %s", status, answer, got, want)
			}
			if diff := cmp.Diff(before, p.traces()); diff != "" {
				t.Errorf("it left a trace (-before +after):\n%s", diff)
			}
		})
	}
	p.t = t
	if _, header, _ := p.postForm(body); !strings.Contains(header.Get("Location"), "#token=") {
		t.Errorf("the form without a fault leads to %s", header.Get("Location"))
	}
}

func (p *player) postForm(body string) (int, http.Header, []byte) {
	p.t.Helper()
	return p.send(http.MethodPost, p.server.PlatformURL()+"/anymoney-sci/invoice", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(body))
}
