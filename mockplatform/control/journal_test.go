package control_test

import (
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

func record(s *stand, method string, ok bool) {
	s.journal.Record(&journal.Exchange{
		Protocol: "integra", Method: method, Direction: journal.In, Status: 200, Verdict: journal.Verdict{OK: ok},
		Request: []byte("GET /iframe/" + method + " HTTP/1.1\r\nHost: localhost\r\n\r\n"), Response: []byte("HTTP/1.1 200 OK\r\n\r\n"),
	})
}

func TestExpect(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	record(s, "hello", true)
	tests := []struct {
		query  string
		status int
		text   string
	}{
		{"method=hello", 200, `"method":"hello"`},
		{"method=hello&count=1&within=600000", 200, `"seq":1`}, // at once
		{"method=hello&count=2&within=1", 417, "expected at least 2, there were 1"},
		{"method=hello&count=1&exact=true&within=1", 200, `"seq":1`},
		{"method=nothing&count=0&within=1", 200, `"exchanges":[]`},
		{"method=hello&count=0&within=600000", 417, "expected exactly 0, there were 1"}, // at once
		{"method=confirmPayment&within=1", 417, "in integra hello : 200"},
		{"method=hello&since=1&within=1", 417, "there were 0"},
		{"count=-1", 422, "query.count"},
		{"counts=1", 422, "query.counts"},
		{"within=600001", 422, "query.within"},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			t.Parallel()
			if status, answer := s.do("GET", "/journal/expect?"+tt.query, ""); status != tt.status || !strings.Contains(answer, tt.text) {
				t.Errorf("%d %s; want %d with %s", status, answer, tt.status, tt.text)
			}
		})
	}
}

func TestExpectWaits(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	answered := make(chan string, 1)
	go func() {
		_, answer := s.do("GET", "/journal/expect?method=hello&count=2&within=600000", "")
		answered <- answer
	}()
	for range 2 {
		select {
		case answer := <-answered:
			t.Fatalf("answered %s too early", answer)
		default:
		}
		record(s, "hello", true)
	}
	if answer := <-answered; strings.Count(answer, `"method":"hello"`) != 2 {
		t.Errorf("answered %s", answer)
	}
}

func TestOneExchange(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	record(s, "hello", true)
	if status, answer := s.do("GET", "/journal/1", ""); status != 200 || !strings.Contains(answer, `"curl":"curl -i \\\n  'http://localhost/iframe/hello'"`) {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := s.do("GET", "/journal/2", ""); status != 404 {
		t.Errorf("an unknown one: %d", status)
	}
	if status, answer := s.do("GET", "/journal.har?method=hello", ""); status != 200 || !strings.Contains(answer, `"_seq":1`) {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := s.do("GET", "/journal.har?method=other", ""); status != 200 || !strings.Contains(answer, `"entries":[]`) {
		t.Errorf("%d %s", status, answer)
	}
}
