package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// PlainJSON writes a value as the journal shows it: without the escapes that only a page needs,
// and without a line end. It is nil for what is no JSON.
func PlainJSON(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Sent gathers a request that is sent, as the transport writes it. The transport writes on a
// goroutine of its own, which can outlive a call that was given up.
type Sent struct {
	mu      sync.Mutex
	headers []byte
}

// Trace is to be put into the context of the request (httptrace.WithClientTrace).
func (r *Sent) Trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { // once more if the first connection turns out dead
			r.mu.Lock()
			defer r.mu.Unlock()
			r.headers = nil
		},
		WroteHeaderField: func(name string, values []string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, value := range values {
				r.headers = appendHeader(r.headers, name, value)
			}
		},
	}
}

// Raw returns the request that was sent to address, for the journal.
func (r *Sent) Raw(verb, address string, body []byte) []byte {
	target := address
	if u, err := url.Parse(address); err == nil {
		target = u.RequestURI()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := append([]byte(verb+" "), target...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = append(b, r.headers...)
	b = append(b, "\r\n"...)
	return append(b, body...)
}

// RawRequest writes a request that was received. Go keeps neither the order nor the spelling
// of header names; they are sorted.
func RawRequest(r *http.Request, body []byte) []byte {
	const around = len("Host: ") + 4*len("\r\n") + 2*len(" ")
	b := make([]byte, 0, len(r.Method)+len(r.RequestURI)+len(r.Proto)+len(r.Host)+headersSize(r.Header)+len(body)+around)
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.RequestURI...)
	b = append(b, ' ')
	b = append(b, r.Proto...)
	b = append(b, "\r\n"...)
	b = appendHeader(b, "Host", r.Host)
	b = appendHeaders(b, r.Header)
	b = append(b, "\r\n"...)
	return append(b, body...)
}

// RawResponse writes a response as the server does: headers in the order of their names.
func RawResponse(proto string, status int, header http.Header, body []byte) []byte {
	const around = len(" 200 ") + 2*len("\r\n")
	b := make([]byte, 0, len(proto)+len(http.StatusText(status))+headersSize(header)+len(body)+around)
	b = append(b, proto...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	b = appendHeaders(b, header)
	b = append(b, "\r\n"...)
	return append(b, body...)
}

// headersSize is what appendHeaders appends: the journal keeps many requests, so none
// occupies more than it needs.
func headersSize(header http.Header) (n int) {
	for name, values := range header {
		for _, value := range values {
			n += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	return n
}

func appendHeaders(b []byte, header http.Header) []byte {
	var buf [16]string
	names := buf[:0]
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			b = appendHeader(b, name, value)
		}
	}
	return b
}

func appendHeader(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// Reason is why a call failed, without the address, which holds secrets.
func Reason(err error) string {
	var e *url.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}

// SecretsIn returns what is secret in an address that a partner wants to be notified at, or
// in a template of one. No protocol says; whoever may call that address is known by something
// fixed in it, so every fixed value of the query counts that is long, or named like a secret,
// and every long segment of the path that is no word.
func SecretsIn(template string) []string {
	address, query, _ := strings.Cut(template, "?")
	var found []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if value != "" && !strings.ContainsAny(value, "{}") && (len(value) >= 16 || namesSecret(name)) {
			found = append(found, value)
		}
	}
	if _, path, ok := strings.Cut(address, "://"); ok {
		segments := strings.Split(path, "/")
		for _, segment := range segments[1:] {
			if len(segment) >= 16 && !strings.ContainsAny(segment, "{}") && strings.ContainsAny(segment, "0123456789") {
				found = append(found, segment)
			}
		}
	}
	return found
}

func namesSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"token", "secret", "key", "sign", "pass", "auth"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}
