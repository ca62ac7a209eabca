package webui_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page/pagetest"
)

// TestBrowser opens Integra's page and the journal in a real browser. One browser serves all
// of it: starting one takes longer than most of these tests.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := pagetest.Start(t)
	for name, test := range map[string]func(*testing.T, *pagetest.Browser){
		"press, wait, confirmed":  testConfirmed,
		"press, wait, declined":   testDeclined,
		"notification repeated":   testRepeated,
		"wrong amount":            testWrongAmount,
		"pressed twice":           testPressedTwice,
		"without JavaScript":      testWithoutScript,
		"in a foreign frame":      testForeignFrame,
		"journal by the keyboard": testJournalKeys,
		"journal by the mouse":    testJournalMouse,
		"nothing sticks out":      testWidths,
		"printed":                 testPrint,
		"buttons":                 testDashboard,
		"orders and operations":   testPlatformPages,
		"timeline":                testTimeline,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

func testConfirmed(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	tab := b.Open(t, w.page(url.Values{"r": {"go/payment"}}), pagetest.Reader{Width: 640, Height: 900, Lang: "ru"})
	if got := pagetest.Eval[string](tab, "document.activeElement.id"); got != "amount" {
		t.Errorf("go/payment focuses %q", got)
	}
	tab.Press("1 234,50" + kb.Enter)
	id := w.await()
	tab.UntilText("Партнёр получил уведомление и проверяет счёт.")
	tab.Until(`document.getElementById("amount").value === ""`) // the form's answer and the news come apart
	if got := tab.Text("#history tbody tr"); !strings.HasPrefix(got, "Ожидает Со счёта у партнёра") {
		t.Errorf("the history says %q", got)
	}
	w.confirm(id, "1234.5")
	tab.UntilText("Зачислено: 1 234,50 ₽")
	if got := tab.Text("#balance .headline"); got != "1 234,50 ₽" {
		t.Errorf("the balance is %q", got)
	}
	if got := tab.Text("#history tbody tr"); !strings.HasPrefix(got, "Подтверждён") {
		t.Errorf("the history says %q", got)
	}
	// What is being typed stays while the rest of the page changes.
	tab.Fill("#amount", "77")
	w.call(wire.DoPayment, wire.DoPaymentArgs{PaymentSum: "1", PaymentHash: "5d41402abc4b2a76b9719d911017c592", UserLogin: userLogin})
	tab.UntilText("1 235,50 ₽")
	if got := pagetest.Eval[string](tab, "document.activeElement.id + ' ' + document.activeElement.value"); got != "amount 77" {
		t.Errorf("after a change the focus and the field are %q", got)
	}
}

func testDeclined(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	tab := b.Open(t, w.page(nil), pagetest.Reader{Width: 360, Height: 800, Dark: true})
	tab.Fill("#amount", "5000")
	tab.Click("#top-up .primary")
	id := w.await()
	tab.UntilText("The partner got the notification and is checking your account.")
	w.decline(id, "Not enough <b>funds</b>")
	tab.UntilText("Declined: ₽5,000.00 Not enough <b>funds</b> More at the partner's")
	if got := tab.Text("#balance .headline"); got != "₽0.00" {
		t.Errorf("the balance is %q", got)
	}
}

func testRepeated(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	tab := b.Open(t, w.page(nil), pagetest.Reader{})
	w.answer <- http.StatusInternalServerError
	tab.Fill("#amount", "10")
	tab.Click("#top-up .primary")
	w.await()
	tab.UntilText("The partner did not accept the notification, try 1. Next one: in")
	if err := w.platform.Clock().Advance(t.Context(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	w.await()
	tab.UntilText("The partner got the notification")
}

func testWrongAmount(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	tab := b.Open(t, w.page(nil), pagetest.Reader{Lang: "ru"})
	tab.Fill("#amount", "-5")
	tab.Click("#top-up .primary")
	tab.UntilText("Сумма пишется без знака и должна быть больше нуля.")
	if got := pagetest.Eval[string](tab, "document.activeElement.id + ' ' + getSelection()"); got != "amount -5" {
		t.Errorf("after the error the focus and the selection are %q", got)
	}
	tab.Press("1" + strings.Repeat("0", 30) + kb.Enter)
	tab.UntilText("Слишком много")
	if u, _ := w.platform.Integra().User(userHash, 10); len(u.Payments) != 0 {
		t.Errorf("payments %+v", u.Payments)
	}
}

func testPressedTwice(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	tab := b.Open(t, w.page(nil), pagetest.Reader{})
	tab.Fill("#amount", "10")
	tab.DoubleClick("#top-up .primary")
	w.confirm(w.await(), "10")
	tab.UntilText("Credited: ₽10.00")
	if u, _ := w.platform.Integra().User(userHash, 10); len(u.Payments) != 1 {
		t.Errorf("%d payments of one double click", len(u.Payments))
	}
}

func testWithoutScript(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	tab := b.Open(t, w.page(url.Values{"lang": {"en"}}), pagetest.Reader{NoScript: true})
	tab.Fill("#amount", "0")
	tab.Click("#top-up .primary")
	tab.UntilText("The amount must be more than zero.")
	tab.Fill("#amount", "100.5")
	tab.Click("#top-up .primary")
	id := w.await()
	tab.UntilText("Waiting for the partner")
	w.confirm(id, "100.5")
	tab.Go(w.page(url.Values{"lang": {"en"}}))
	tab.UntilText("Credited: ₽100.50")
	tab.Click(`.switch a[lang="ru"]`)
	tab.UntilText("Зачислено: 100,50 ₽")
	tab.Click(`.tabs a:last-child`)
	tab.UntilText("Как пополнить баланс")

	tab.Go(w.platform.ControlURL() + "/?lang=en")
	tab.UntilText("confirmPayment")
	tab.Click(".row-link")
	tab.UntilText("HTTP status")
	tab.Click(".drawer label:nth-of-type(2)")
	tab.UntilText("HTTP/1.1")
	tab.Go(w.platform.ControlURL() + "/?lang=en&payment=" + id + "#x-3")
	tab.UntilText("answered after")
}

// testForeignFrame puts the page where partners put it: in a frame on another site, with the
// script that the documents name. The frame grows and shrinks with the page.
func testForeignFrame(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	script, err := os.ReadFile("testdata/iframeResizer.min.js")
	if err != nil {
		t.Fatal(err)
	}
	panel := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/iframeResizer.js" {
			rw.Header().Set("Content-Type", "text/javascript")
			_, _ = rw.Write(script)
			return
		}
		rw.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(rw, `<!doctype html><link rel="icon" href="data:,"><script src="/iframeResizer.js"></script>
			<iframe id="f" src="%s" style="width: 400px; border: 0" onload="iFrameResize({checkOrigin:false}, this)"></iframe>`,
			html.EscapeString(w.page(nil)))
	}))
	t.Cleanup(panel.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(panel.URL, "http://"), ":")
	tab := b.Open(t, "http://localhost:"+port+"/", pagetest.Reader{Width: 500, Height: 1200})
	const height = `document.getElementById("f").offsetHeight`
	tab.Until(height + " > 400")
	empty := pagetest.Eval[int](tab, height)
	pay, err := w.platform.Integra().TopUp(userHash, "100", "partner")
	if err != nil {
		t.Fatal(err)
	}
	w.await()
	tab.Until(fmt.Sprintf("%s > %d", height, empty))
	waiting := pagetest.Eval[int](tab, height)
	w.confirm(pay.ID, "100")
	tab.Until(fmt.Sprintf("%s < %d", height, waiting))
}

// busy makes a few exchanges: a payment confirmed after a repeated notification, and one
// declined.
func busy(w *world) (confirmed, declined string) {
	w.t.Helper()
	press := func(amount string) string {
		w.t.Helper()
		stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := stay.PostForm(w.page(nil), url.Values{"amount": {amount}, "via": {"partner"}})
		if err != nil {
			w.t.Fatal(err)
		}
		_ = resp.Body.Close()
		return w.await()
	}
	if resp, err := http.Get(w.page(nil)); err != nil {
		w.t.Fatal(err)
	} else {
		_ = resp.Body.Close()
	}
	w.answer <- http.StatusServiceUnavailable
	confirmed = press("100.50")
	if err := w.platform.Clock().Advance(w.t.Context(), 10*time.Second); err != nil {
		w.t.Fatal(err)
	}
	w.await()
	w.confirm(confirmed, "100.51")
	w.confirm(confirmed, "100.50")
	declined = press("5000")
	w.decline(declined, "Not enough funds")
	return confirmed, declined
}

const current = `document.querySelector("#list tr[aria-current] .row-link")?.textContent ?? ""`

func testJournalKeys(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	tab := b.Open(t, w.platform.ControlURL()+"/", pagetest.Reader{})
	tab.UntilText("Nobody has called yet")
	confirmed, _ := busy(w)
	tab.Until(`document.querySelectorAll("#list tbody tr").length >= 9`)
	focused := func(want int) {
		t.Helper()
		if got := pagetest.Eval[int](tab, "[...document.querySelectorAll('#list .row-link')].indexOf(document.activeElement)"); got != want {
			t.Errorf("the focus is on row %d; want %d", got, want)
		}
	}
	tab.Press("j")
	focused(0)
	tab.Press("jj")
	focused(2)
	tab.Press("k")
	focused(1)
	method := pagetest.Eval[string](tab, "document.activeElement.textContent")
	tab.Press(kb.Enter)
	tab.UntilText("HTTP status")
	tab.Until(fmt.Sprintf("%s === %q", current, method))
	if got := pagetest.Eval[string](tab, "location.search"); !strings.HasPrefix(got, "?open=") {
		t.Errorf("an open drawer has the address %q", got)
	}
	w.call(wire.Hello, struct{}{}) // the list changes below the drawer
	tab.Until(`document.querySelector("#list .row-link").textContent === "hello"`)
	tab.Until(fmt.Sprintf("%s === %q", current, method))
	tab.Press(kb.Escape)
	tab.Until(`!document.querySelector(".drawer") && location.search === ""`)
	tab.Press("?")
	tab.Until(`document.querySelector("dialog").open`)
	tab.Press(kb.Escape)
	tab.Until(`!document.querySelector("dialog").open`)
	tab.Click("[data-keys-open]")
	tab.Until(`document.querySelector("dialog").open`)
	tab.Click("dialog button")
	tab.Until(`!document.querySelector("dialog").open`)
	tab.Press("/")
	if got := pagetest.Eval[string](tab, "document.activeElement.name"); got != "payment" {
		t.Errorf("/ focuses %q", got)
	}
	tab.Fill("#payment-filter", confirmed)
	tab.UntilText("Confirmed")
	tab.Until(fmt.Sprintf(`location.search === "?payment=%s" && document.activeElement.name === "payment"`, confirmed))
	if got := pagetest.Eval[int](tab, `document.querySelectorAll("#list tbody tr").length`); got != 5 {
		t.Errorf("%d exchanges of the payment; want 5", got)
	}
}

func testJournalMouse(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	confirmed, _ := busy(w)
	tab := b.Open(t, w.platform.ControlURL()+"/?payment="+confirmed, pagetest.Reader{Width: 1440, Height: 1000})
	shown := func(want string) {
		t.Helper()
		tab.Until(fmt.Sprintf(`(document.querySelector(".panel.shown h3")?.innerText ?? "").includes(%q)`, want))
	}
	tab.Hover(`.arrow[aria-label^="2. "] .label`)
	shown("notify")
	tab.Focus(`.arrow[aria-label*="100.51"]`)
	shown("confirmPayment ₽100.51")
	tab.Until(`document.querySelector(".panel.shown .code").innerText.includes('"amount": "100.51"')`)
	tab.Click(`.arrow[aria-label*="100.51"] .label`)
	tab.Until(`location.hash.startsWith("#x-")`)
	w.call(wire.ConfirmPayment, wire.ConfirmPaymentArgs{Amount: "100.50", TransactionID: confirmed})
	tab.Until(`document.querySelectorAll(".arrow").length === 12`)
	shown("confirmPayment ₽100.51")
	tab.Click(".copy")
	tab.UntilText("Copied")
	tab.Click("#list .row-link")
	tab.Until(`!!document.querySelector(".drawer") && location.search.includes("open=")`)
	tab.Back()
	tab.Until(`!document.querySelector(".drawer") && !location.search.includes("open=") && document.querySelector("[data-live=on]")`)
	tab.Select("#method-filter", "notify")
	tab.Until(`document.querySelectorAll("#list tbody tr").length === 2 && location.search.includes("method=notify")`)
}

func testWidths(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	confirmed, _ := busy(w)
	journal := w.platform.ControlURL() + "/"
	addresses := map[string]string{
		"account": w.page(nil),
		"support": w.page(url.Values{"r": {"go/support"}}),
		"help":    w.page(url.Values{"r": {"go/help"}}),
		"refused": w.platform.PlatformURL() + "/partners/acme/iframe?k=zaa",
		"journal": journal,
		"payment": journal + "?payment=" + confirmed,
		"open":    journal + "?open=2",
		"nothing": journal + "?method=none",
	}
	for _, lang := range []string{"ru", "en"} {
		tab := b.Open(t, journal, pagetest.Reader{Width: 320, Height: 700, Lang: lang})
		for name, address := range addresses {
			tab.Go(address)
			for _, width := range []int{320, 639, 640, 768, 1024, 1200, 1600} {
				tab.Resize(width)
				if out := tab.Overflow(); len(out) > 0 {
					t.Errorf("%s, %s, %d px: these stick out: %q", name, lang, width, out)
				}
			}
		}
	}
}

func testPrint(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	confirmed, _ := busy(w)
	tab := b.Open(t, w.platform.ControlURL()+"/?payment="+confirmed, pagetest.Reader{Dark: true})
	if pdf := tab.Print(); !strings.HasPrefix(string(pdf), "%PDF") || len(pdf) < 10_000 {
		t.Errorf("printed %d bytes", len(pdf))
	}
}
