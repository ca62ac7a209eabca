package contract

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// An Exchange is a request with its answer, as a report shows it.
type Exchange struct {
	From     string    `json:"from" doc:"Who called: Suite, Integra, Partner, AnyMoney or Robokassa"`
	To       string    `json:"to" doc:"Who was called"`
	Method   string    `json:"method" doc:"The protocol's word for the call"`
	At       time.Time `json:"at"`
	TookUS   int64     `json:"took_us" doc:"Microseconds from the request to its answer, or to the end of the wait"`
	Status   int       `json:"status" doc:"HTTP status; 0 without an answer"`
	Request  string    `json:"request" doc:"Raw, cut to 16 KiB"`
	Response string    `json:"response,omitempty" doc:"Raw, cut to 16 KiB"`
	Args     string    `json:"args,omitempty" doc:"Arguments, decrypted"`
	Err      string    `json:"error,omitempty" doc:"Why there is no answer"`
	Curl     string    `json:"curl,omitempty" doc:"The command that makes this call again; only where the suite made it"`
}

// Parties of exchanges.
const (
	PartySuite   = "Suite"
	PartyPartner = "Partner"
	PartyIntegra = "Integra"
	PartyMoney   = "AnyMoney"
	PartyRobo    = "Robokassa"
)

// keptRaw is how much of a message a report shows.
const keptRaw = 16 << 10

func keep(raw []byte) string {
	text := string(raw)
	cut := len(text) > keptRaw
	if cut {
		text = text[:keptRaw]
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if cut {
		text += fmt.Sprintf("\n… %d bytes more", len(raw)-keptRaw)
	}
	return text
}

// answer is what a call of the suite brought.
type answer struct {
	status int // 0 without an answer
	header http.Header
	body   []byte
	err    error
	index  int // of the exchange in the check's record
}

// newClient returns a client that shows what is sent: no redirects, no compression.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 32,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call makes a request and records the exchange. Whatever comes back, it does not fail.
func (t *T) call(to, method string, req *http.Request, limit time.Duration) answer {
	ctx, cancel := context.WithTimeout(req.Context(), limit)
	defer cancel()
	req = req.WithContext(ctx)
	raw, err := httputil.DumpRequestOut(req, true)
	if err != nil {
		raw = []byte(req.Method + " " + req.URL.String())
	}
	x := Exchange{From: PartySuite, To: to, Method: method, At: time.Now(), Request: keep(raw), Curl: curl(req)}
	var a answer
	res, err := t.env.client.Do(req) //nolint:bodyclose // closed below
	if err == nil {
		a.status, a.header = res.StatusCode, res.Header
		head, dumpErr := httputil.DumpResponse(res, false)
		a.body, err = readAll(res.Body)
		_ = res.Body.Close()
		x.Response = keep(slices.Concat(head, a.body))
		err = errors.Join(err, dumpErr)
	}
	x.TookUS = time.Since(x.At).Microseconds()
	x.Status = a.status
	if err != nil {
		if ctx.Err() != nil && req.Context().Err() != nil {
			err = errorf("no answer within %s", limit)
		}
		a.err = err
		x.Err = oneLine(err.Error(), 300)
	}
	a.index = t.record(x)
	return a
}

// curl is the command that makes a request again.
func curl(req *http.Request) string {
	var b strings.Builder
	b.WriteString("curl -i")
	if req.Method != http.MethodGet {
		b.WriteString(" -X " + req.Method)
	}
	names := make([]string, 0, len(req.Header))
	for name := range req.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range req.Header[name] {
			b.WriteString(" -H " + quote(name+": "+value))
		}
	}
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			if raw, err := io.ReadAll(io.LimitReader(body, keptRaw+1)); err == nil && len(raw) > 0 {
				if len(raw) <= keptRaw {
					b.WriteString(" --data-binary " + quote(string(raw)))
				} else {
					b.WriteString(" --data-binary @BODY")
				}
			}
		}
	}
	return b.String() + " " + quote(req.URL.String())
}

// quote quotes for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// exchangeOf shows an exchange of the stand-in's journal.
func exchangeOf(e *entry) Exchange {
	x := Exchange{
		From: PartyPartner, To: PartyIntegra, Method: e.Method, At: time.UnixMilli(e.RealMS).UTC(), TookUS: e.TookUS, Status: e.Status,
		Request: keep([]byte(e.Request)), Response: keep([]byte(e.Response)), Args: e.Args,
	}
	if e.Direction == "out" {
		x.From, x.To = PartyIntegra, PartyPartner
	}
	if e.Method == "topUp" {
		x.From, x.To = PartySuite, PartyIntegra
	}
	if e.Status == 0 {
		x.Err = cmp.Or(e.Verdict.Detail, "no answer")
	}
	return x
}

// newRequest is a request with a body that curl can be given.
func newRequest(t *T, verb, address, body string) (*http.Request, error) {
	return http.NewRequestWithContext(t.ctx, verb, address, strings.NewReader(body))
}

// readJSON reads JSON and keeps numbers as they are written; nil for what is none.
func readJSON(text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || decoder.More() {
		return nil
	}
	return value
}

// plainJSON writes what readJSON returns, without the escapes that only a page needs.
func plainJSON(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // it was JSON
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// unbase64 decodes either alphabet, with padding or without; nil for what is none.
func unbase64(text string) []byte {
	text = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return raw
}
