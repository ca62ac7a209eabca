package journal_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// schema is HAR 1.2 as its description has it: the members that an object must have, with the
// kind of each. "…?" may be absent; "[]" holds objects of the schema that follows.
var schema = map[string]map[string]string{
	"":         {"log": "{log"},
	"log":      {"version": "s", "creator": "{creator", "browser": "{creator?", "pages": "[page?", "entries": "[entry", "comment": "s?"},
	"creator":  {"name": "s", "version": "s", "comment": "s?"},
	"page":     {"startedDateTime": "t", "id": "s", "title": "s", "pageTimings": "{timings"},
	"entry":    {"pageref": "s?", "startedDateTime": "t", "time": "n", "request": "{request", "response": "{response", "cache": "{cache", "timings": "{timings", "serverIPAddress": "s?", "connection": "s?", "comment": "s?"},
	"request":  {"method": "s", "url": "s", "httpVersion": "s", "cookies": "[named", "headers": "[named", "queryString": "[named", "postData": "{post?", "headersSize": "n", "bodySize": "n", "comment": "s?"},
	"response": {"status": "n", "statusText": "s", "httpVersion": "s", "cookies": "[named", "headers": "[named", "content": "{content", "redirectURL": "s", "headersSize": "n", "bodySize": "n", "comment": "s?"},
	"named":    {"name": "s", "value": "s", "comment": "s?"},
	"post":     {"mimeType": "s", "params": "[named?", "text": "s", "comment": "s?"},
	"content":  {"size": "n", "compression": "n?", "mimeType": "s", "text": "s?", "encoding": "s?", "comment": "s?"},
	"cache":    {},
	"timings":  {"blocked": "n?", "dns": "n?", "connect": "n?", "send": "n", "wait": "n", "receive": "n", "ssl": "n?", "comment": "s?"},
}

// violations names what is not as the schema wants it.
func violations(path, name string, value any) (found []string) {
	object, ok := value.(map[string]any)
	if !ok {
		return []string{path + " is no object"}
	}
	for member := range object {
		if _, known := schema[name][member]; !known && !strings.HasPrefix(member, "_") {
			found = append(found, path+"."+member+" is unknown")
		}
	}
	for member, kind := range schema[name] {
		kind, optional := strings.CutSuffix(kind, "?")
		at := path + "." + member
		v, given := object[member]
		if !given {
			if !optional {
				found = append(found, at+" is missing")
			}
			continue
		}
		switch kind[0] {
		case 's':
			_, ok = v.(string)
		case 'n':
			_, ok = v.(float64)
		case 't':
			text, _ := v.(string)
			_, err := time.Parse(time.RFC3339Nano, text)
			ok = err == nil
		case '{':
			found = append(found, violations(at, kind[1:], v)...)
			continue
		case '[':
			var list []any
			list, ok = v.([]any)
			for i, each := range list {
				found = append(found, violations(fmt.Sprintf("%s[%d]", at, i), kind[1:], each)...)
			}
		}
		if !ok {
			found = append(found, fmt.Sprintf("%s is %v", at, v))
		}
	}
	return found
}

func check(t *testing.T, har journal.HAR) map[string]any {
	t.Helper()
	text, err := json.Marshal(har)
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	for _, v := range violations("har", "", read) {
		t.Error(v)
	}
	return read
}

func sample() []*journal.Exchange {
	at := time.Date(2026, 1, 31, 12, 0, 0, 5, time.UTC)
	return []*journal.Exchange{
		{
			Seq: 1, Protocol: "integra", Method: "confirmPayment", Direction: journal.In, Scheme: "https", Payment: "p1",
			At: at, Real: at, Took: 1_500 * time.Microsecond, Status: 200,
			Request:  []byte("POST /iframe/confirmPayment?k=a%2Bb&x HTTP/1.1\r\nHost: api.promopult.org\r\nContent-Type: application/x-www-form-urlencoded\r\nCookie: a=b; c=d\r\n\r\nids=1%2C2&token=topsecret-topsecret"),
			Response: []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: s=1; Path=/\r\n\r\n{}"),
			Args:     []byte(`{"amount":"1"}`), Verdict: journal.Verdict{OK: true}, Secrets: []string{"topsecret-topsecret"},
		},
		{
			Seq: 2, Protocol: "integra", Method: "notify", Direction: journal.Out, Fault: "f1 drop_after", At: at, Real: at,
			Request: []byte("GET /notify?id=1 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"),
			Verdict: journal.Verdict{Check: "acknowledged", Detail: "no answer"},
		},
		{Seq: 3, Request: []byte("PUT /\xff HTTP/1.1\r\nX: \xfe\r\n\r\n\x00\xff"), Response: []byte("HTTP/1.1 502 Bad Gateway\r\nLocation: /x\r\n\r\n\xff")},
		{Seq: 4},
		{Seq: 5, Request: []byte("GET"), Response: []byte("HTTP/1.1")},
	}
}

func TestHAR(t *testing.T) {
	t.Parallel()
	read := check(t, journal.NewHAR(sample(), "v1"))
	entries := read["log"].(map[string]any)["entries"].([]any)
	text, _ := json.Marshal(entries)
	for _, want := range []string{
		`"url":"https://api.promopult.org/iframe/confirmPayment?k=a%2Bb\u0026x"`, `{"name":"k","value":"a+b"}`, `{"name":"c","value":"d"}`,
		`{"name":"ids","value":"1,2"}`, `"time":1.5`, `"_payment":"p1"`, `"_args":"{\"amount\":\"1\"}"`, `{"name":"s","value":"1"}`,
		`"status":0`, `"_error":"no answer"`, `"_fault":"f1 drop_after"`, `"encoding":"base64"`, `"redirectURL":"/x"`, `"url":"http://127.0.0.1:80/notify?id=1"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "topsecret-topsecret") {
		t.Errorf("a secret in\n%s", text)
	}
	check(t, journal.NewHAR(nil, "v1"))
}

// Whatever an exchange holds, it becomes a valid archive and a command.
func FuzzHAR(f *testing.F) {
	for _, e := range sample() {
		f.Add(e.Request, e.Response)
	}
	f.Fuzz(func(t *testing.T, request, response []byte) {
		e := &journal.Exchange{Request: request, Response: response}
		check(t, journal.NewHAR([]*journal.Exchange{e}, "v1"))
		if e.Curl() == "" {
			t.Error("no command")
		}
	})
}

func TestCurl(t *testing.T) {
	t.Parallel()
	got := sample()[0].Curl()
	want := `curl -i \
  'https://api.promopult.org/iframe/confirmPayment?k=a%2Bb&x' \
  -H 'Content-Type: application/x-www-form-urlencoded' \
  -H 'Cookie: a=b; c=d' \
  --data-binary 'ids=1%2C2&token=to***'`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("curl (-want +got):\n%s", diff)
	}
	odd := &journal.Exchange{Request: []byte("POST / HTTP/1.1\r\nHost: h\r\nX: it's\r\n\r\n\xff'\\\t")}
	if got, want := odd.Curl(), `--data-binary $'\xff\'\\\x09'`; !strings.Contains(got, want) || !strings.Contains(got, `'X: it'\''s'`) {
		t.Errorf("curl %s, want %s", got, want)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	j := journal.New(journal.Config{})
	for _, e := range []*journal.Exchange{
		{Partner: "a", Status: http.StatusOK, Verdict: journal.Verdict{OK: true}},
		{Partner: "b", Status: http.StatusOK, Verdict: journal.Verdict{Check: "k"}},
		{Partner: "a", Status: 0, Verdict: journal.Verdict{Check: "acknowledged"}, Fault: "f1 hang"},
	} {
		j.Record(e)
	}
	for _, tt := range []struct {
		f    journal.Filter
		want string
	}{
		{journal.Filter{}, "[1 2 3]"},
		{journal.Filter{Partner: "a"}, "[1 3]"},
		{journal.Filter{Outcome: journal.OK}, "[1]"},
		{journal.Filter{Outcome: journal.Refused}, "[2 3]"},
		{journal.Filter{Outcome: journal.Faulty}, "[3]"},
		{journal.Filter{Check: "k"}, "[2]"},
		{journal.Filter{Status: 200}, "[1 2]"},
		{journal.Filter{Status: -1}, "[3]"},
	} {
		var got []uint64
		for _, e := range j.List(tt.f) {
			got = append(got, e.Seq)
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%+v: %v, want %s", tt.f, got, tt.want)
		}
	}
	if e := j.Get(2); e == nil || e.Partner != "b" || j.Get(0) != nil || j.Get(4) != nil {
		t.Errorf("Get(2) = %+v", e)
	}
}

// What began before a reset is no part of the world after it.
func TestResetDropsWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	j := journal.New(journal.Config{})
	began := time.Now()
	j.Reset()
	j.Record(&journal.Exchange{Real: began})
	j.Record(&journal.Exchange{Real: time.Now()})
	if got := j.List(journal.Filter{}); len(got) != 1 || got[0].Seq != 1 || got[0].Real.Before(began) {
		t.Errorf("%d exchanges", len(got))
	}
}
