package webui

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// hostile is text as a stranger might send it.
const hostile = `"><script>alert('x')</script><img src=x onerror=alert(1)>`

// desk is the pages over a journal that tests write themselves.
type desk struct {
	t       testing.TB
	journal *journal.Journal
	router  *mux.Router
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	c, err := clock.New(clock.State{Now: noon, Frozen: true})
	if err != nil {
		t.Fatal(err)
	}
	j := journal.New(journal.Config{})
	p, err := integra.New(integra.Config{Clock: c, Dice: dice.New(1), Journal: j, Settings: integra.DefaultSettings()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); c.Close() })
	d := &desk{t: t, journal: j, router: mux.NewRouter()}
	Mount(d.router, Config{Clock: c, Journal: j, Integra: p})
	return d
}

// record puts an exchange into the journal, as good as it can be unless change says otherwise.
func (d *desk) record(change func(*journal.Exchange)) *journal.Exchange {
	e := &journal.Exchange{
		Protocol: "integra", Method: "confirmPayment", Direction: journal.In, User: "u1", Payment: "p1",
		At: noon, Real: noon, Took: time.Millisecond, Status: 200, Verdict: journal.Verdict{OK: true},
		Request: []byte("GET /x?k=zaa HTTP/1.1\r\nHost: a\r\n\r\n"), Response: []byte("HTTP/1.1 200 OK\r\n\r\n{\"error\":false}"),
		Args: []byte(`{"amount":"100"}`),
	}
	if change != nil {
		change(e)
	}
	d.journal.Record(e)
	return e
}

func (d *desk) get(target string) (int, *html.Node, http.Header) {
	d.t.Helper()
	w := httptest.NewRecorder()
	d.router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	doc, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		d.t.Fatal(err)
	}
	return w.Code, doc, w.Header()
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// rows returns the words of the list's rows, from top to bottom.
func rows(doc *html.Node) (out []string) {
	for n := range doc.Descendants() {
		if n.Data == "tr" && strings.HasPrefix(attr(n, "id"), "x") {
			out = append(out, textOf(n))
		}
	}
	return out
}

func byID(doc *html.Node, id string) *html.Node {
	for n := range doc.Descendants() {
		if attr(n, "id") == id {
			return n
		}
	}
	return nil
}

func textOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func links(doc *html.Node, text string) (out []string) {
	for n := range doc.Descendants() {
		if n.Data == "a" && textOf(n) == text {
			out = append(out, attr(n, "href"))
		}
	}
	return out
}

func TestTexts(t *testing.T) {
	t.Parallel()
	used := []string{"tab.args", "tab.form", "tab.query", "tab.body", "tab.raw", "note.created", "note.confirmed", "note.declined", "note.expired", "detail.end", "detail.end.said"}
	if err := site.Check(used...); err != nil {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, doc, header := d.get("/")
	if got := textOf(byID(doc, "list")); !strings.Contains(got, "Nobody has called yet") {
		t.Errorf("an empty journal says %q", got)
	}
	if got := header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors 'none'") || strings.Contains(got, "unsafe") {
		t.Errorf("policy %q", got)
	}
	d.record(func(e *journal.Exchange) { e.Method, e.Direction, e.Attempt = "notify", journal.Out, 2 })
	d.record(func(e *journal.Exchange) {
		e.Method, e.Direction, e.Status = "notify", journal.Out, 500
		e.Verdict = journal.Verdict{Check: "acknowledged", Detail: "answered 500, not 200"}
	})
	d.record(func(e *journal.Exchange) {
		e.Method, e.Direction, e.Status, e.Verdict.OK = "notify", journal.Out, 0, false
	})
	d.record(func(e *journal.Exchange) { e.Verdict = journal.Verdict{Check: "amount", Code: 9} })
	d.record(func(e *journal.Exchange) { e.Method, e.User, e.Payment = "hello", "", "" })
	d.record(func(e *journal.Exchange) { e.Method, e.Payment = "cryptLogin", "" })
	_, doc, _ = d.get("/")
	want := []string{
		"12:00:00.000 User → Integra cryptLogin u1 OK 1 ms",
		"12:00:00.000 Partner → Integra hello OK 1 ms",
		"12:00:00.000 Partner → Integra confirmPayment u1 p1 Refused amount 1 ms",
		"12:00:00.000 Integra → Partner notify u1 p1 No answer 1 ms",
		"12:00:00.000 Integra → Partner notify u1 p1 Not accepted 500 1 ms",
		"12:00:00.000 Integra → Partner notify try 2 u1 p1 OK 1 ms",
	}
	got := rows(doc)
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "\u00a0", " ")
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows %q; want %q", got, want)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.record(func(e *journal.Exchange) { e.User = "alice" })
	d.record(func(e *journal.Exchange) { e.Method, e.Direction = "notify", journal.Out })
	d.record(func(e *journal.Exchange) { e.Protocol, e.Payment = "anymoney", "p2" })
	for query, want := range map[string]int{
		"":                              3,
		"user=alice":                    1,
		"user=+alice+":                  1,
		"method=notify":                 1,
		"direction=in":                  2,
		"protocol=anymoney":             1,
		"payment=p1":                    2,
		"payment=p1&user=alice":         1,
		"method=nope":                   0,
		"payment=nope":                  0,
		"direction=" + hostile:          0,
		"protocol=&method=&direction=":  3,
		"user=" + url.QueryEscape("a'"): 0,
	} {
		code, doc, _ := d.get("/?" + strings.ReplaceAll(query, hostile, url.QueryEscape(hostile)))
		if got := rows(doc); len(got) != want || code != http.StatusOK {
			t.Errorf("%q: status %d, %d rows; want %d", query, code, len(got), want)
		}
		if want == 0 && !strings.Contains(textOf(byID(doc, "list")), "Nothing matches") {
			t.Errorf("%q: an empty list says %q", query, textOf(byID(doc, "list")))
		}
	}
	_, doc, _ := d.get("/?lang=ru&method=gone&before=3")
	var hidden, selected []string
	for n := range doc.Descendants() {
		switch {
		case n.Data == "input" && attr(n, "type") == "hidden":
			hidden = append(hidden, attr(n, "name")+"="+attr(n, "value"))
		case n.Data == "option" && slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "selected" }):
			selected = append(selected, textOf(n))
		}
	}
	if !slices.Equal(hidden, []string{"lang=ru"}) || !slices.Equal(selected, []string{"gone"}) {
		t.Errorf("the form keeps %q and shows %q", hidden, selected)
	}
}

// TestPages walks through a long list by its links and meets every exchange once.
func TestPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const total = 2*perPage + 7
	for range total {
		d.record(nil)
	}
	met := map[string]int{}
	visits := 0
	for address := "/?method=confirmPayment"; address != ""; visits++ {
		_, doc, _ := d.get(address)
		for n := range doc.Descendants() {
			if n.Data == "tr" && attr(n, "id") != "" {
				met[attr(n, "id")]++
			}
		}
		if got := textOf(byID(doc, "list")); !strings.Contains(got, fmt.Sprint(total, " in the journal")) {
			t.Errorf("%s does not count %d exchanges", address, total)
		}
		if newest := links(doc, "Newest"); (visits > 0) != slices.Equal(newest, []string{"?method=confirmPayment"}) {
			t.Errorf("visit %d links to the newest page by %q", visits, newest)
		}
		older := links(doc, "Older")
		address = ""
		if len(older) > 0 && visits < 5 {
			address = "/" + older[0]
		}
	}
	if visits != 3 || len(met) != total {
		t.Errorf("met %d exchanges on %d pages; want %d on 3", len(met), visits, total)
	}
	for id, times := range met {
		if times != 1 {
			t.Errorf("met %s %d times", id, times)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.record(nil)
	e := d.record(func(e *journal.Exchange) {
		e.Secrets = []string{"very-secret-token-0123"}
		e.Method, e.Direction = "notify", journal.Out
		e.Request = []byte("GET /n?id=p1&token=very-secret-token-0123 HTTP/1.1\r\nHost: partner\r\n\r\n")
		e.Response = []byte("HTTP/1.1 500 Internal Server Error\r\n\r\nvery-secret-token-0123")
		e.Status, e.Cut, e.Fault = 500, true, "f1 status"
		e.Diagnosis = &journal.Diagnosis{Cause: journal.CauseCase, Hint: "letters of another case", Got: "A very-secret-token-0123", Want: "a"}
		e.Verdict = journal.Verdict{Check: "acknowledged", Code: 7, Detail: "answered 500 with very-secret-token-0123"}
	})
	code, doc, _ := d.get(fmt.Sprintf("/?user=u1&open=%d", e.Seq))
	got := textOf(byID(doc, "drawer"))
	for _, want := range []string{"notify", "Integra → Partner", "acknowledged", "answered 500 with", "HTTP status 500", "id: p1", "GET /n?id=p1&token=", "first 64 KiB", "letters of another case", "Should have been a", "f1 status"} {
		if !strings.Contains(got, want) {
			t.Errorf("the drawer says %q; want %q", got, want)
		}
	}
	if strings.Contains(got, "secret-token") || code != http.StatusOK {
		t.Errorf("status %d; a secret is shown: %q", code, got)
	}
	if back := links(doc, "Close"); !slices.Equal(back, []string{"?user=u1"}) {
		t.Errorf("closing leads to %q", back)
	}
	if attr(byID(doc, "x2"), "aria-current") != "true" || attr(byID(doc, "x1"), "aria-current") != "" {
		t.Error("the open row is not marked, or another one is")
	}
	for _, open := range []string{"99", "0", "x", "-1", "18446744073709551616"} {
		if code, doc, _ := d.get("/?open=" + open); code != http.StatusNotFound || !strings.Contains(textOf(byID(doc, "drawer")), "not in the journal") {
			t.Errorf("open=%s: status %d, %q", open, code, textOf(byID(doc, "drawer")))
		}
	}
}

// TestHostileJournal shows exchanges in which everything is HTML.
func TestHostileJournal(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := d.record(func(e *journal.Exchange) {
		e.Protocol, e.Method, e.User, e.Payment, e.Partner = hostile, hostile, hostile, hostile, hostile
		e.Request, e.Response, e.Args = []byte(hostile), []byte("x\r\n\r\n\""+hostile), []byte(`{"a":"`+`<script>`+`"}`)
		e.Verdict = journal.Verdict{Check: hostile, Detail: hostile}
	})
	for _, target := range []string{"/", fmt.Sprintf("/?open=%d", e.Seq), "/?payment=" + url.QueryEscape(hostile), "/?user=" + url.QueryEscape(hostile)} {
		_, doc, _ := d.get(target)
		for n := range doc.Descendants() {
			if n.Data == "img" || n.Data == "style" || n.Data == "script" && !strings.HasPrefix(attr(n, "src"), page.AssetPrefix) {
				t.Errorf("%s: <%s>", target, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(a.Val, "javascript:") {
					t.Errorf("%s: <%s %s=%q>", target, n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

// TestLive: a thousand calls cost a few events, and the last one is exact.
func TestLive(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	server := httptest.NewServer(d.router)
	defer server.Close()
	resp, err := server.Client().Get(server.URL + "/?live=1&method=hello&open=5")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	seen := make(chan string)
	go func() {
		defer close(seen)
		buf := make([]byte, 1<<20)
		var text strings.Builder
		for {
			n, err := resp.Body.Read(buf)
			text.Write(buf[:n])
			for {
				event, rest, ok := strings.Cut(text.String(), "\n\n")
				if !ok {
					break
				}
				text.Reset()
				text.WriteString(rest)
				seen <- event
			}
			if err != nil {
				return
			}
		}
	}()
	events := 0
	until := func(want string) {
		t.Helper()
		timeout := time.After(20 * time.Second)
		for {
			select {
			case event, ok := <-seen:
				if !ok {
					t.Fatal("the stream ended")
				}
				events++
				if strings.Contains(event, "&amp;live") || strings.Contains(event, "?live") {
					t.Error("a link leads to the part")
				}
				if strings.Contains(event, want) {
					return
				}
			case <-timeout:
				t.Fatalf("no event with %q", want)
			}
		}
	}
	until("Nothing matches")
	for i := range 1000 {
		d.record(func(e *journal.Exchange) {
			if i%2 == 0 {
				e.Method = "hello"
			}
		})
	}
	until(">1,000 in the journal<")
	if events > 20 {
		t.Errorf("%d events for 1000 calls", events)
	}
}

// TestTimeline: real time gives the order, virtual time the distances, and no two moments
// are one.
func TestTimeline(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []*journal.Exchange
		for range rapid.IntRange(0, 10).Draw(t, "exchanges") {
			ms := func(name string) time.Duration {
				return time.Duration(rapid.IntRange(0, 50).Draw(t, name)) * time.Millisecond
			}
			all = append(all, &journal.Exchange{Real: noon.Add(ms("real")), Took: ms("took"), At: noon.Add(ms("at") * 1000)})
		}
		slices.SortStableFunc(all, func(a, b *journal.Exchange) int { return a.Real.Compare(b.Real) })
		done := mark{real: noon.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "mark")) * time.Millisecond), at: noon}
		spans := timeline(all, []mark{done, {at: noon}})
		for i, a := range all {
			if at := spans[len(all)].start; a.Real.Add(a.Took).Before(done.real) && !spans[i].end.Before(at) || done.real.Before(a.Real) && !at.Before(spans[i].start) {
				t.Errorf("exchange %d is drawn from %s to %s, the mark at %s", i, spans[i].start, spans[i].end, at)
			}
			if !spans[i].end.After(spans[i].start) || spans[i].start.Before(a.At) {
				t.Errorf("exchange %d lasts from %s to %s", i, spans[i].start, spans[i].end)
			}
			for k, b := range all {
				if a.Real.Add(a.Took).Before(b.Real) && !spans[i].end.Before(spans[k].start) {
					t.Errorf("exchange %d ended before %d began, but is drawn until %s, after %s", i, k, spans[i].end, spans[k].start)
				}
			}
		}
	})
}

// TestPaymentDiagram draws a payment on a clock that stands still.
func TestPaymentDiagram(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	call := func(real, took int, method string, change func(*journal.Exchange)) {
		d.record(func(e *journal.Exchange) {
			e.Real, e.Took, e.Method = at(real), time.Duration(took)*time.Millisecond, method
			if method == "notify" {
				e.Direction = journal.Out
			}
			if change != nil {
				change(e)
			}
		})
	}
	lost := func(request, why string) func(*journal.Exchange) {
		return func(e *journal.Exchange) {
			e.Request, e.Response, e.Status = []byte(request), nil, 0
			e.Verdict = journal.Verdict{Detail: why}
		}
	}
	call(0, 3, "topUp", nil)
	call(4, 1, "notify", lost("GET /n HTTP/1.1\r\n\r\n", "connection refused"))
	call(6, 5, "notify", lost("GET /n HTTP/1.1\r\nHost: p\r\n\r\n", "no answer within 5s"))
	call(12, 9, "notify", nil)
	call(14, 2, "confirmPayment", func(e *journal.Exchange) {
		e.Args, e.Verdict = []byte(`{"amount":"100.01"}`), journal.Verdict{Check: "amount", Code: 9}
	})
	call(17, 2, "confirmPayment", nil)
	call(22, 2, "confirmPayment", func(e *journal.Exchange) { e.Status = 0; e.Verdict.Detail = "done, but its answer was lost: drop" })
	_, doc, _ := d.get("/?payment=p1")
	var got []string
	for n := range doc.Descendants() {
		if slices.Contains(strings.Fields(attr(n, "class")), "arrow") {
			got = append(got, strings.ReplaceAll(attr(n, "aria-label"), "\u00a0", " "))
		}
	}
	want := []string{
		"1. User → Integra: topUp", "1. User ← Integra: 200",
		"2. Integra → Partner: notify (lost)",
		"3. Integra → Partner: notify · try 2", "3. Integra ← Partner: no answer within 5s (lost)",
		"4. Integra → Partner: notify · try 3",
		"5. Partner → Integra: confirmPayment ₽100.01", "5. Partner ← Integra: 9 amount",
		"6. Partner → Integra: confirmPayment ₽100.00 · try 2", "6. Partner ← Integra: ok",
		"4. Integra ← Partner: 200",
		"7. Partner → Integra: confirmPayment ₽100.00 · try 3", "7. Partner ← Integra: done, but its answer was lost: drop (lost)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("arrows:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A call between two of our platforms has two ends in the journal and is one arrow.
func TestJoin(t *testing.T) {
	t.Parallel()
	at := func(seq uint64, direction journal.Direction, method string, real, took int) *journal.Exchange {
		return &journal.Exchange{Seq: seq, Direction: direction, Method: method, Real: noon.Add(time.Duration(real)), Took: time.Duration(took)}
	}
	all := []*journal.Exchange{
		at(2, journal.Out, "ResultURL", 0, 10), at(1, journal.In, "shop.result", 2, 5),
		at(4, journal.Out, "ResultURL", 20, 10), at(3, journal.In, "shop.result", 22, 5),
		at(5, journal.In, "shop.result", 40, 5), // somebody else's
		at(7, journal.Out, "shop.refund", 50, 10), at(6, journal.In, "Refund/Create", 52, 5),
		at(8, journal.Out, "ResultURL", 70, 10), // never got there
	}
	left, ends := join(all)
	var got []string
	for _, e := range left {
		text := fmt.Sprint(e.Seq)
		if end := ends[e.Seq]; end != nil {
			text += fmt.Sprint("+", end.Seq)
		}
		got = append(got, text)
	}
	if want := []string{"2+1", "4+3", "5", "7+6", "8"}; !slices.Equal(got, want) {
		t.Errorf("joined %q; want %q", got, want)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	settled := noon.Add(time.Hour)
	confirm := &journal.Exchange{Method: string(wire.ConfirmPayment), Verdict: journal.Verdict{OK: true}}
	times := []span{{noon.Add(time.Minute), noon.Add(2 * time.Minute)}}
	tests := []struct {
		name      string
		pay       integra.Payment
		exchanges []*journal.Exchange
		want      []string // text and when
	}{
		{"waiting", integra.Payment{Kind: integra.TopUp, State: integra.Unconfirmed, CreatedAt: noon}, nil, []string{"unconfirmed 12:00:00"}},
		{"confirmed", integra.Payment{Kind: integra.TopUp, State: integra.Confirmed, CreatedAt: noon, SettledAt: settled}, []*journal.Exchange{confirm}, []string{"unconfirmed 12:00:00", "credited 0 12:01:30"}},
		{"confirmed, but the journal was cleared", integra.Payment{Kind: integra.TopUp, State: integra.Confirmed, CreatedAt: noon, SettledAt: settled}, nil, []string{"unconfirmed 12:00:00", "credited 0 13:00:00"}},
		{"declined", integra.Payment{Kind: integra.TopUp, State: integra.Declined, CreatedAt: noon, SettledAt: settled}, nil, []string{"unconfirmed 12:00:00", "declined 13:00:00"}},
		{"expired", integra.Payment{Kind: integra.TopUp, State: integra.Declined, Expired: true, CreatedAt: noon, SettledAt: settled}, nil, []string{"unconfirmed 12:00:00", "expired 13:00:00"}},
		{"direct", integra.Payment{Kind: integra.Direct, State: integra.Confirmed, CreatedAt: noon, SettledAt: noon}, nil, []string{"credited 0 12:00:00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, m := range marks(page.EN, &payment{Known: &tt.pay}) {
				got = append(got, strings.TrimSpace(strings.ReplaceAll(m.text, "\u00a0", " "))+" "+m.place(tt.exchanges, times, time.Time{}).Format(time.TimeOnly))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("notes %q; want %q", got, tt.want)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"GET /n?a=1&b=%D0%B0+%26&&c&=d HTTP/1.1\r\n\r\n": "a: 1\nb: а &\nc: \n",
		"GET /n?a=%zz HTTP/1.1":                          "a: %zz\n",
		"GET /n HTTP/1.1":                                "",
		"":                                               "",
	} {
		if got := parameters(query([]byte(raw))); got != want {
			t.Errorf("parameters of %q: %q; want %q", raw, got, want)
		}
	}
}

// FuzzCodes: whatever bytes were exchanged, they can be shown.
func FuzzCodes(f *testing.F) {
	f.Add([]byte("GET /n?a=1 HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\n\r\n{}"), []byte(`{"a":1}`))
	f.Add([]byte("\xff\x00"), []byte("\r\n\r\n{"), []byte("\xff"))
	f.Fuzz(func(t *testing.T, request, response, args []byte) {
		h := &handler{}
		for _, e := range []*journal.Exchange{
			{Seq: 1, Direction: journal.In, Method: integra.MethodTopUp, Request: request, Response: response, Args: args},
			{Seq: 2, Direction: journal.Out, Request: request, Response: response},
		} {
			request, reply := codes(page.EN, e)
			if _, err := site.HTML(page.EN, "drawer", &journalPage{frame: frame{View: page.View{Lang: page.EN}}, Open: &detail{row: h.row(e), Request: request, Reply: reply}}); err != nil {
				t.Fatal(err)
			}
			if d := h.draw(page.EN, []*journal.Exchange{e}, &payment{}, func(seq string) string { return seq }); len(d.Exchanges) != 1 {
				t.Fatalf("drawn %+v", d)
			}
		}
	})
}
