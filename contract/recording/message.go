package recording

import (
	"errors"
	"strconv"
	"strings"
)

// A Message is a request or an answer, taken apart.
type Message struct {
	Verb, Target string // of a request
	Status       int    // of an answer
	Headers      []Header
	Body         string
}

// A Header is one line of a message's head.
type Header struct{ Name, Value string }

// Header returns the first header of that name, "" if there is none.
func (m *Message) Header(name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// ParseRequest takes a raw request apart.
func ParseRequest(raw string) (Message, error) {
	first, m, err := parse(raw)
	if err != nil {
		return Message{}, err
	}
	words := strings.Split(first, " ")
	if len(words) != 3 || words[0] == "" || words[1] == "" || !strings.HasPrefix(words[2], "HTTP/") {
		return Message{}, errors.New("does not begin with VERB TARGET HTTP/1.1")
	}
	m.Verb, m.Target = words[0], words[1]
	return m, nil
}

// ParseResponse takes a raw answer apart.
func ParseResponse(raw string) (Message, error) {
	first, m, err := parse(raw)
	if err != nil {
		return Message{}, err
	}
	proto, rest, _ := strings.Cut(first, " ")
	code, _, _ := strings.Cut(rest, " ")
	m.Status, err = strconv.Atoi(code)
	if err != nil || len(code) != 3 || code[0] < '1' || !strings.HasPrefix(proto, "HTTP/") {
		return Message{}, errors.New("does not begin with HTTP/1.1 STATUS")
	}
	return m, nil
}

func parse(raw string) (first string, m Message, err error) {
	head, body, whole := strings.Cut(raw, "\r\n\r\n")
	if !whole {
		return "", m, errors.New("has no empty line behind its headers")
	}
	first, headers, _ := strings.Cut(head, "\r\n")
	for line := range strings.SplitSeq(headers, "\r\n") {
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return "", m, errors.New("has a header without a colon")
		}
		m.Headers = append(m.Headers, Header{name, strings.TrimSpace(value)})
	}
	m.Body = body
	return first, m, nil
}
