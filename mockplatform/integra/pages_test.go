package integra_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

// hostile is text as a stranger might send it.
const hostile = `"><script>alert('x')</script><img src=x onerror=alert(1)>`

// screenOf is the address of a user's page; it notifies nowhere.
func screenOf(hash, login, query string) string {
	args, _ := json.Marshal(wire.LoginArgs{Login: login, Hash: hash, PaymentNotifyURL: nowhere})
	return "/partners/plain/iframe?k=" + url.QueryEscape("zaa"+hash+base64.StdEncoding.EncodeToString(args)) + query
}

// visit returns an answer with its page parsed. header holds pairs of name and value.
func (s *stand) visit(verb, target, form string, header ...string) (*httptest.ResponseRecorder, *html.Node) {
	s.t.Helper()
	r := httptest.NewRequest(verb, target, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	doc, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		s.t.Fatal(err)
	}
	return w, doc
}

// byID returns the element with an id, or nil.
func byID(doc *html.Node, id string) *html.Node {
	for n := range doc.Descendants() {
		if attr(n, "id") == id {
			return n
		}
	}
	return nil
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// textOf returns the words below n with single spaces.
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

func count(doc *html.Node, tag string) (n int) {
	for d := range doc.Descendants() {
		if d.Type == html.ElementNode && d.Data == tag {
			n++
		}
	}
	return n
}

// TestScreen reads the account of a user with every kind of payment.
func TestScreen(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	s.logIn(alice, nowhere)
	s.call("doPayment", alice, `{"paymentSum":"1234.5","paymentHash":"5d41402abc4b2a76b9719d911017c592","userLogin":"`+alice+`"}`)
	s.call("doPayment", alice, `{"paymentSum":"-34.5","paymentHash":"5d41402abc4b2a76b9719d911017c593","userLogin":"`+alice+`"}`)
	no := s.topUp(alice, "70")
	s.call("declinePayment", alice, `{"transactionId":"`+no.ID+`","errorCode":402,"errorMessage":"Недостаточно средств","errorLink":"https://partner.example/topup"}`)
	late := s.topUp(alice, "80")
	s.advance(25 * time.Hour)
	yes := s.topUp(alice, "99.9")
	s.call("confirmPayment", alice, `{"transactionId":"`+yes.ID+`","amount":"99.90"}`)
	open := s.topUp(alice, "5")
	s.advance(0) // until the notification has failed

	for lang, want := range map[string]map[string]string{
		"ru": {
			"balance":       "Баланс 1 299,90 ₽ " + alice + " Ждём ответа партнёра: 5,00 ₽ Партнёр не принял уведомление, попытка 1. Следующая: через 10 с",
			"p-" + open.ID:  "Ожидает Со счёта у партнёра",
			"p-" + yes.ID:   "Подтверждён Со счёта у партнёра",
			"p-" + late.ID:  "Истёк срок Со счёта у партнёра Партнёр не подтвердил платёж вовремя.",
			"p-" + no.ID:    "Отклонён Со счёта у партнёра Недостаточно средств Подробнее у партнёра",
			"history-title": "История",
		},
		"en": {
			"balance":                            "Balance ₽ 1,299.90 " + alice + " Waiting for the partner: ₽ 5.00 The partner did not accept the notification, try 1. Next one: in 10 s",
			"p-" + open.ID:                       "Waiting From your partner account",
			"p-" + late.ID:                       "Expired From your partner account The partner did not confirm the payment in time.",
			"p-5d41402abc4b2a76b9719d911017c592": "Confirmed Direct payment by the partner",
			"p-5d41402abc4b2a76b9719d911017c593": "Confirmed Refund to the partner",
		},
	} {
		w, doc := s.visit(http.MethodGet, screenOf(alice, alice, ""), "", "Accept-Language", lang)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d", lang, w.Code)
		}
		for id, text := range want {
			if got := textOf(byID(doc, id)); !strings.HasPrefix(got, text) {
				t.Errorf("%s: #%s says %q; want %q", lang, id, got, text)
			}
		}
		if got := textOf(doc); strings.Contains(got, "%!") {
			t.Errorf("%s: a text has wrong arguments: %s", lang, got)
		}
	}
}

// TestScreenInForeignFrame: the session is the address; a cookie would be blocked there.
func TestScreenInForeignFrame(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	w, doc := s.visit(http.MethodGet, screenOf(alice, alice, "&r=%2Fgo%2Fpayment&lang=ru"), "")
	for _, c := range w.Result().Cookies() {
		if c.Name != "lang" {
			t.Errorf("sets the cookie %s", c)
		}
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors *") || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if got := w.Header().Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("the address, which is the session, would leak: %q", got)
	}
	if w.Header().Get("X-Frame-Options") != "" {
		t.Error("X-Frame-Options is set")
	}
	for n := range doc.Descendants() {
		href := attr(n, "href")
		if n.Data == "a" && strings.HasPrefix(href, "?") {
			q, err := url.ParseQuery(href[1:])
			if err != nil || q.Get("k") == "" || q.Get("lang") == "" {
				t.Errorf("link %q loses the session or the language", href)
			}
		}
	}
}

func TestDeeplinks(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	for r, want := range map[string]struct {
		title   string
		focused bool
	}{
		"":              {"Top up", false},
		"go/payment":    {"Top up", true},
		"%2Fgo/payment": {"Top up", true},
		"go/support":    {"Support", false},
		"%2Fgo%2Fhelp":  {"Help", false},
		"go/nowhere":    {"Top up", false},
	} {
		w, doc := s.visit(http.MethodGet, screenOf(alice, alice, "&r="+r), "")
		amount := byID(doc, "amount")
		if w.Code != http.StatusOK || !strings.Contains(textOf(doc), want.title) {
			t.Errorf("r=%s: status %d, no %q", r, w.Code, want.title)
		}
		if focused := amount != nil && hasAttr(amount, "autofocus"); focused != want.focused {
			t.Errorf("r=%s: the amount has the focus: %t; want %t", r, focused, want.focused)
		}
	}
}

func TestWrongAmounts(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"":                            "Enter an amount",
		" ":                           "Enter an amount",
		"0":                           "more than zero",
		"0,00":                        "more than zero",
		"-100":                        "without a sign",
		"+1":                          "without a sign",
		"сто":                         "This is no amount",
		"1e30":                        "This is no amount",
		"0x10":                        "This is no amount",
		"１００":                         "This is no amount",
		"100.005":                     "at most two digits",
		"1,234":                       "what the comma means",
		"1" + strings.Repeat("0", 30): "Too much",
		"1000000000000.01":            "Too much",
		strings.Repeat("9", 10_000):   "Too much",
		hostile:                       "This is no amount",
	} {
		s := newStand(t)
		s.register(alice)
		s.logIn(alice, nowhere)
		before := s.world()
		for _, htmx := range []string{"", "true"} {
			w, doc := s.visit(http.MethodPost, screenOf(alice, alice, ""), url.Values{"amount": {typed}, "via": {"partner"}}.Encode(), "HX-Request", htmx)
			if w.Code != http.StatusUnprocessableEntity {
				t.Errorf("%.40q: status %d", typed, w.Code)
			}
			if got := textOf(byID(doc, "amount-error")); !strings.Contains(got, want) {
				t.Errorf("%.40q: the page says %q; want %q", typed, got, want)
			}
			field := byID(doc, "amount")
			if field == nil || attr(field, "value") != typed || attr(field, "aria-invalid") != "true" || attr(field, "aria-describedby") != "amount-error" {
				t.Errorf("%.40q: the field does not show what was typed, or is not marked", typed)
			}
			if count(doc, "img") != 0 {
				t.Errorf("%.40q made an element", typed)
			}
		}
		unchanged(t, s, before)
	}
}

func TestTopUpForm(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	s.logIn(alice, nowhere)
	target := screenOf(alice, alice, "&r=go%2Fpayment&lang=ru")
	form := url.Values{"amount": {"1 234,50"}, "via": {"partner"}}.Encode()

	w, _ := s.visit(http.MethodPost, target, form)
	_, query, _ := strings.Cut(target, "?")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "?"+query {
		t.Errorf("without JavaScript: status %d, to %q; want 303 back to the page", w.Code, w.Header().Get("Location"))
	}
	u, _ := s.p.User(alice, 10)
	if len(u.Payments) != 1 || u.Payments[0].Amount.Text() != "1234.50" || u.Payments[0].State != integra.Unconfirmed {
		t.Fatalf("payments %+v; want one of 1234.50", u.Payments)
	}

	w, doc := s.visit(http.MethodPost, target, form, "HX-Request", "true")
	if w.Code != http.StatusOK || attr(byID(doc, "amount"), "value") != "" {
		t.Errorf("with htmx: status %d, the field still holds %q", w.Code, attr(byID(doc, "amount"), "value"))
	}
	if u, _ := s.p.User(alice, 10); len(u.Payments) != 2 || count(doc, "link") != 0 || byID(doc, "history") != nil {
		t.Errorf("with htmx: %d payments; the answer is more than the form: %q", len(u.Payments), textOf(doc))
	}
}

func TestNoTopUp(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	args := `{"login":"` + alice + `","hash":"` + alice + `"}`
	address := target("cryptLogin", alice, args)
	_, doc := s.visit(http.MethodGet, address, "")
	if got := textOf(byID(doc, "amount-hint")); !strings.Contains(got, "without paymentNotifyUrl") || !hasAttr(byID(doc, "amount"), "disabled") {
		t.Errorf("a page without notification URL says %q", got)
	}
	before := s.world()
	for form, want := range map[string]string{
		"amount=1&via=partner":   "without paymentNotifyUrl",
		"amount=1&via=robokassa": "not offered",
		"amount=1":               "not offered",
	} {
		w, doc := s.visit(http.MethodPost, address, form)
		if got := textOf(byID(doc, "amount-error")); w.Code != http.StatusUnprocessableEntity || !strings.Contains(got, want) {
			t.Errorf("%s: status %d, %q; want %q", form, w.Code, got, want)
		}
	}
	unchanged(t, s, before)
}

// TestHostilePage lets everybody who can put text on the page try to make it more than text.
func TestHostilePage(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	login := hostile
	if _, err := s.p.Register(plain.Hash, wire.CreateUserArgs{Username: login, Hash: bob}); err != nil {
		t.Fatal(err)
	}
	address := screenOf(bob, login, "&r="+url.QueryEscape(hostile)+"&lang="+url.QueryEscape(hostile)+"&x="+url.QueryEscape(hostile))
	s.visit(http.MethodGet, address, "")
	pay := s.topUp(bob, "1")
	args, _ := json.Marshal(wire.DeclinePaymentArgs{TransactionID: pay.ID, ErrorMessage: hostile, ErrorLink: "javascript:alert(1)"})
	s.call("declinePayment", bob, string(args))
	for _, screen := range []string{"", "go/support", "go/help"} {
		address := strings.Replace(address, url.QueryEscape(hostile), url.QueryEscape(screen), 1)
		w, doc := s.visit(http.MethodGet, address, "")
		if w.Code != http.StatusOK {
			t.Fatalf("status %d", w.Code)
		}
		checkHarmless(t, doc, 2)
	}
	w, doc := s.visit(http.MethodGet, "/partners/plain/iframe?k="+url.QueryEscape(hostile), "")
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
	checkHarmless(t, doc, 2)
}

func checkHarmless(t *testing.T, doc *html.Node, scripts int) {
	t.Helper()
	if got := count(doc, "script"); got != scripts || count(doc, "img") != 0 || count(doc, "style") != 0 {
		t.Errorf("%d scripts, %d images, %d styles", got, count(doc, "img"), count(doc, "style"))
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
		if n.Data == "script" && !strings.HasPrefix(attr(n, "src"), "/_page/") {
			t.Errorf("a script from %q", attr(n, "src"))
		}
	}
}

func TestRefusedPages(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	s.register(bob)
	s.call("archiveUser", bob, `{"partner":"`+plain.Hash+`"}`)
	loginOf := func(hash string) string { return `{"login":"` + hash + `","hash":"` + hash + `"}` }
	tests := []struct {
		name, target string
		status       int
		en, ru       string
	}{
		{"no k", "/partners/plain/iframe", 400, "no correct parameter k", "нет правильного параметра k"},
		{"another prefix", "/partners/plain/iframe?k=zab" + alice, 400, "no correct parameter k", "нет правильного параметра k"},
		{"short hash", "/partners/plain/iframe?k=zaaabc", 400, "no correct parameter k", "нет правильного параметра k"},
		{"no base64", "/partners/plain/iframe?k=zaa" + alice + "!!!", 400, "no correct parameter k", "нет правильного параметра k"},
		{"another key", "/partners/plain/iframe?k=zaa" + alice + "AAAA", 403, "does not decrypt", "не расшифровываются"},
		{"unknown user", target("iframe", carol, loginOf(carol)), 404, "no such user", "Такого пользователя здесь нет"},
		{"unknown path", strings.Replace(target("iframe", alice, loginOf(alice)), "plain", "nobody", 1), 404, "no partner under this path", "Под этим путём нет партнёра"},
		{"archived", target("iframe", bob, loginOf(bob)), 403, "is archived", "в архиве"},
		{"somebody else's login", target("iframe", alice, `{"login":"`+bob+`","hash":"`+alice+`"}`), 403, "do not fit", "не подходят"},
		{"no login", target("iframe", alice, `{}`), 403, "do not fit", "не подходят"},
		{"a notification URL that is none", target("iframe", alice, `{"login":"`+alice+`","hash":"`+alice+`","paymentNotifyUrl":"ftp://x"}`), 403, "do not fit", "не подходят"},
	}
	before := s.world()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for lang, want := range map[string]string{"en": tt.en, "ru": tt.ru} {
				w, doc := s.visit(http.MethodGet, tt.target, "", "Accept-Language", lang)
				if w.Code != tt.status || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
					t.Errorf("status %d, %s; want %d", w.Code, w.Header().Get("Content-Type"), tt.status)
				}
				if got := textOf(doc); !strings.Contains(got, want) || !strings.Contains(got, s.last().Verdict.Detail) || strings.Contains(got, "refused.") || strings.Contains(got, "remedy.") {
					t.Errorf("%s: the page says %q; want %q and the journal's %q", lang, got, want, s.last().Verdict.Detail)
				}
			}
		})
	}
	unchanged(t, s, before)
}

// TestLivePage follows a payment by server-sent events, as a browser does.
func TestLivePage(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.register(alice)
	s.logIn(alice, nowhere)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	ctx, leave := context.WithTimeout(t.Context(), 20*time.Second)
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+screenOf(alice, alice, "&live=1&lang=ru"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("Content-Type %q", got)
	}
	events := bufio.NewReader(resp.Body)
	shows := func(want string) {
		t.Helper()
		var event strings.Builder
		for !strings.Contains(textOfHTML(event.String()), want) {
			event.Reset()
			for {
				line, err := events.ReadString('\n')
				if err != nil {
					t.Fatalf("waiting for %q: %v", want, err)
				}
				if line == "\n" {
					break
				}
				event.WriteString(strings.TrimPrefix(line, "data: "))
			}
		}
		if strings.Contains(event.String(), `"?live=1`) || strings.Contains(event.String(), "&amp;live=1") {
			t.Errorf("a link in the part leads to the part: %s", event.String())
		}
	}
	shows("Платежей ещё не было")
	pay := s.topUp(alice, "100")
	shows("Ждём ответа партнёра: 100,00 ₽")
	s.call("confirmPayment", alice, `{"transactionId":"`+pay.ID+`","amount":"100"}`)
	shows("Зачислено: 100,00 ₽")
	pay = s.topUp(alice, "7")
	s.call("declinePayment", alice, `{"transactionId":"`+pay.ID+`","errorMessage":"`+"нет денег"+`"}`)
	shows("Отклонено: 7,00 ₽ нет денег")
	journalled := s.journal.Len()
	s.p.Reset(func() {})
	if _, err := events.ReadString('\x00'); err == nil {
		t.Error("the stream goes on although the user is gone")
	}
	if got := s.journal.Len(); got != journalled {
		t.Errorf("the stream left %d exchanges in the journal", got-journalled)
	}
}

func textOfHTML(s string) string {
	doc, err := html.Parse(strings.NewReader(s))
	if err != nil {
		return fmt.Sprint(err)
	}
	return textOf(doc)
}
