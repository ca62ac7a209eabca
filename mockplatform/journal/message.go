package journal

import (
	"bytes"
	"net/url"
	"strings"
)

// message is a raw request or response, taken apart. It may be cut off anywhere.
type message struct {
	first   [3]string // words of the first line
	headers []header
	body    []byte
	size    int // of first line and headers, with the line that ends them
}

type header struct{ name, value string }

func parse(raw []byte) message {
	var m message
	head, body, whole := bytes.Cut(raw, []byte("\r\n\r\n"))
	m.body, m.size = body, len(head)
	if whole {
		m.size += len("\r\n\r\n")
	}
	lines := strings.Split(string(head), "\r\n")
	copy(m.first[:], strings.SplitN(lines[0], " ", 3))
	for _, line := range lines[1:] {
		if name, value, ok := strings.Cut(line, ":"); ok {
			m.headers = append(m.headers, header{name, strings.TrimSpace(value)})
		}
	}
	return m
}

func (m *message) header(name string) string {
	for _, h := range m.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// url is the full address of a request.
func (m *message) url(scheme string) string {
	if scheme == "" {
		scheme = "http"
	}
	target := m.first[1]
	if !strings.HasPrefix(target, "/") { // absolute, "*" or nothing
		if u, err := url.Parse(target); err == nil && u.IsAbs() {
			return target
		}
		target = "/"
	}
	return scheme + "://" + m.header("Host") + target
}
