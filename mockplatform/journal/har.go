package journal

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// HAR is a HTTP Archive 1.2 (http://www.softwareishard.com/blog/har-12-spec/), as the network
// tab of browsers imports it. Fields of our own begin with "_", as the format wants it.
type HAR struct {
	Log harLog `json:"log"`
}

type (
	harLog struct {
		Version string     `json:"version"`
		Creator harCreator `json:"creator"`
		Pages   []struct{} `json:"pages"`
		Entries []harEntry `json:"entries"`
	}
	harCreator struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	harEntry struct {
		Started  string      `json:"startedDateTime"`
		Time     float64     `json:"time"` // milliseconds
		Request  harRequest  `json:"request"`
		Response harResponse `json:"response"`
		Cache    struct{}    `json:"cache"`
		Timings  harTimings  `json:"timings"`
		Comment  string      `json:"comment,omitempty"`

		Seq       uint64    `json:"_seq"`
		Protocol  string    `json:"_protocol"`
		Method    string    `json:"_method"`
		Direction Direction `json:"_direction"`
		Partner   string    `json:"_partner,omitempty"`
		User      string    `json:"_user,omitempty"`
		Payment   string    `json:"_payment,omitempty"`
		Trace     string    `json:"_trace,omitempty"`
		Virtual   string    `json:"_virtualTime"`
		Args      string    `json:"_args,omitempty"`
		Check     string    `json:"_check,omitempty"`
		Fault     string    `json:"_fault,omitempty"`
	}
	harRequest struct {
		Method      string       `json:"method"`
		URL         string       `json:"url"`
		HTTPVersion string       `json:"httpVersion"`
		Cookies     []harNamed   `json:"cookies"`
		Headers     []harNamed   `json:"headers"`
		QueryString []harNamed   `json:"queryString"`
		PostData    *harPostData `json:"postData,omitempty"`
		HeadersSize int          `json:"headersSize"`
		BodySize    int          `json:"bodySize"`
	}
	harPostData struct {
		MIMEType string     `json:"mimeType"`
		Params   []harNamed `json:"params,omitempty"`
		Text     string     `json:"text"`
	}
	harResponse struct {
		Status      int        `json:"status"`
		StatusText  string     `json:"statusText"`
		HTTPVersion string     `json:"httpVersion"`
		Cookies     []harNamed `json:"cookies"`
		Headers     []harNamed `json:"headers"`
		Content     harContent `json:"content"`
		RedirectURL string     `json:"redirectURL"`
		HeadersSize int        `json:"headersSize"`
		BodySize    int        `json:"bodySize"`
		Error       string     `json:"_error,omitempty"` // browsers show it
	}
	harContent struct {
		Size     int    `json:"size"`
		MIMEType string `json:"mimeType"`
		Text     string `json:"text,omitempty"`
		Encoding string `json:"encoding,omitempty"`
	}
	harTimings struct {
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
	harNamed struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// NewHAR writes exchanges as an archive, without secrets. version is the program's.
func NewHAR(exchanges []*Exchange, version string) HAR {
	har := HAR{harLog{Version: "1.2", Creator: harCreator{"partnerkit mockplatform", version}, Pages: []struct{}{}}}
	har.Log.Entries = make([]harEntry, len(exchanges))
	for i, e := range exchanges {
		har.Log.Entries[i] = newHAREntry(e.Redacted())
	}
	return har
}

func newHAREntry(e *Exchange) harEntry {
	took := float64(e.Took.Microseconds()) / 1000
	return harEntry{
		Started: e.Real.UTC().Format(time.RFC3339Nano), Time: took,
		Request: newHARRequest(e), Response: newHARResponse(e),
		Timings: harTimings{Wait: took}, Comment: e.Verdict.Detail,
		Seq: e.Seq, Protocol: e.Protocol, Method: e.Method, Direction: e.Direction,
		Partner: e.Partner, User: e.User, Payment: e.Payment, Trace: e.Trace, Virtual: e.At.UTC().Format(time.RFC3339Nano),
		Args: valid(e.Args), Check: e.Verdict.Check, Fault: e.Fault,
	}
}

func newHARRequest(e *Exchange) harRequest {
	m := parse(e.Request)
	q := harRequest{
		Method: m.first[0], URL: m.url(e.Scheme), HTTPVersion: m.first[2],
		Cookies: []harNamed{}, Headers: named(m.headers), QueryString: []harNamed{},
		HeadersSize: m.size, BodySize: len(m.body),
	}
	if cookies, err := http.ParseCookie(m.header("Cookie")); err == nil {
		q.Cookies = cookiesOf(cookies)
	}
	if _, query, ok := strings.Cut(m.first[1], "?"); ok {
		q.QueryString = pairs(query)
	}
	if len(m.body) > 0 {
		q.PostData = &harPostData{MIMEType: m.header("Content-Type"), Text: valid(m.body)}
		if strings.HasPrefix(q.PostData.MIMEType, "application/x-www-form-urlencoded") {
			q.PostData.Params = pairs(string(m.body))
		}
	}
	return q
}

func newHARResponse(e *Exchange) harResponse {
	if e.Response == nil {
		return harResponse{
			HTTPVersion: "HTTP/1.1", Cookies: []harNamed{}, Headers: []harNamed{},
			Content: harContent{MIMEType: "x-unknown"}, HeadersSize: -1, BodySize: -1, Error: "no answer",
		}
	}
	m := parse(e.Response)
	status, _ := strconv.Atoi(m.first[1])
	p := harResponse{
		Status: status, StatusText: m.first[2], HTTPVersion: m.first[0],
		Cookies: []harNamed{}, Headers: named(m.headers),
		Content:     harContent{Size: len(m.body), MIMEType: m.header("Content-Type"), Text: string(m.body)},
		RedirectURL: m.header("Location"), HeadersSize: m.size, BodySize: len(m.body),
	}
	for _, h := range m.headers {
		if strings.EqualFold(h.name, "Set-Cookie") {
			if c, err := http.ParseSetCookie(h.value); err == nil {
				p.Cookies = append(p.Cookies, harNamed{c.Name, c.Value})
			}
		}
	}
	if p.Content.MIMEType == "" {
		p.Content.MIMEType = "x-unknown"
	}
	if !utf8.Valid(m.body) {
		p.Content.Text, p.Content.Encoding = base64.StdEncoding.EncodeToString(m.body), "base64"
	}
	return p
}

func named(headers []header) []harNamed {
	all := make([]harNamed, len(headers))
	for i, h := range headers {
		all[i] = harNamed{valid([]byte(h.name)), valid([]byte(h.value))}
	}
	return all
}

func cookiesOf(cookies []*http.Cookie) []harNamed {
	all := []harNamed{}
	for _, c := range cookies {
		all = append(all, harNamed{c.Name, c.Value})
	}
	return all
}

// pairs takes a query or a form apart, in its order; what is no pair stays as it is.
func pairs(text string) []harNamed {
	all := []harNamed{}
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		if pair != "" {
			all = append(all, harNamed{valid([]byte(name)), valid([]byte(value))})
		}
	}
	return all
}

func valid(text []byte) string { return strings.ToValidUTF8(string(text), "\ufffd") }
