package anymoney_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/internal/page/pagetest"
)

// payers is a stand-in whose payers use a browser.
type payers struct {
	*player
	*pagetest.Browser
}

// shopFees give the payer something to look at.
const shopFees = `{
	"settings": {"sci_base": null},
	"payways": {
		"visamc": {"in": {"UAH": {"tech_min": "10", "tech_max": "3000", "fee": {"mult": "0.035", "add": "2"}}}},
		"privat24": {"in": {"UAH": {"tech_min": "500", "fee": {"mult": "0.01"}}}},
		"exmo": {"in": {"UAH": {"fee": {"mult": "0.02"}}}},
		"kuna": {"is_active": false},
		"anycash": {"in": {"UAH": {"is_active": false}}}
	},
	"codes": {
		"EXMO-CODE-OF-101-HRYVNIAS": {"payway": "exmo", "currency": "UAH", "amount": "101", "state": "fresh"}
	}
}`

func newPayers(t *testing.T) *payers {
	t.Helper()
	b := &payers{newPlayer(t), pagetest.Start(t)}
	b.begin(t, baseConfig(t))
	b.control(http.MethodPut, "/clock", map[string]any{"now_ms": firstMS, "frozen": false})
	b.patch(json.RawMessage(shopFees))
	return b
}

// ask posts the form of a shop and returns where the payer is sent.
func (b *payers) ask(fields map[string]string) string {
	b.t.Helper()
	form, signed := url.Values{}, map[string]any{}
	for name, value := range fields {
		form.Set(name, value)
		signed[name] = value
	}
	form.Set("sign", mac(b.key(fields["merchant"], "sci_key"), signedText(signed, "")))
	_, header, _ := b.postForm(form.Encode())
	return header.Get("Location")
}

// order asks for an order of 100 UAH, with some fields otherwise, and returns its paylink.
func (b *payers) order(externalID string, other map[string]string) string {
	b.t.Helper()
	fields := map[string]string{
		"merchant": merchant, "externalid": externalID, "amount": "100", "in_curr": "UAH",
		"callback_url": b.sink.address(), "redirect_url": b.sink.server.URL + "/shop",
	}
	for name, value := range other {
		fields[name] = value
	}
	link := b.ask(fields)
	if !strings.Contains(link, "/#token=") {
		b.t.Fatalf("the form leads to %s", link)
	}
	return link
}

// await waits until the merchant was told of an order so many times, and returns the last word.
func (b *payers) await(externalID string, n int) map[string]any {
	b.t.Helper()
	b.control(http.MethodPost, "/clock/advance", map[string]any{"ms": 1}) // after what is on its way
	got := b.sink.of(externalID, merchant)
	if len(got) != n {
		b.t.Fatalf("%d callbacks about %s; want %d", len(got), externalID, n)
	}
	if n == 0 {
		return nil
	}
	return got[n-1].body
}

// From the shop's form over the payer's choice to the callback and back to the shop.
func TestPayerPays(t *testing.T) {
	t.Parallel()
	b := newPayers(t)
	link := b.order("order-1", map[string]string{"merchant_payfee": "0.5"})
	other := b.Open(t, link, pagetest.Reader{Lang: "ru"}) // on the telephone, say
	other.UntilText("Ждёт оплаты")
	other.Until(`document.querySelector("[data-live=on]")`)

	tab := b.Open(t, link, pagetest.Reader{})
	tab.UntilText("To pay, choose a payway first.")
	if address := pagetest.Eval[string](tab, "location.href"); strings.Contains(address, "#token") {
		t.Errorf("the order's page is %s", address)
	}
	for button, want := range map[string]string{
		"visamc":   "visamc ₴102.75 fee ₴5.50 · from ₴10 to ₴3,000",
		"privat24": "privat24 amount too small from ₴500 to ₴3,000",
		"kuna":     "kuna not available from ₴0.01 to ₴3,000",
	} {
		if got := tab.Text("[value=" + button + "]"); got != want {
			t.Errorf("%s: %q; want %q", button, got, want)
		}
	}
	tab.Click("[value=visamc]")
	tab.UntilText("Pay ₴102.75")
	other.UntilText("Оплатить 102,75 ₴")
	tab.Click("[value=exmo]")
	tab.UntilText("Pay ₴101")
	other.UntilText("Код")
	tab.Click("[value=visamc]")
	tab.UntilText("Pay ₴102.75")
	tab.Click("[value=pay]")
	tab.Until(`location.pathname === "/shop"`) // by itself, after five seconds
	other.UntilText("Заказ оплачен.")
	other.UntilText("Вернуться в магазин")
	if told := b.await("order-1", 1); told["status"] != "done" || told["in_amount"] != "102.75" || told["amount_paid"] != "102.75" || told["account_amount"] != "97.25" {
		t.Errorf("the merchant is told %v", told)
	}
	other.Until(`location.pathname.includes("/order/")`) // where nothing was pressed
}

// A code is tried until it fits, and then spent.
func TestPayerPaysWithCode(t *testing.T) {
	t.Parallel()
	b := newPayers(t)
	link := b.order("order-1", map[string]string{"payway": "exmo", "amount": "101", "redirect_url": "javascript:alert(1)"})
	tab := b.Open(t, link, pagetest.Reader{Width: 360, Height: 720})
	tab.UntilText("Pay ₴101")
	tab.Fill("#code", "NO-SUCH-CODE")
	tab.Click("[value=pay]")
	tab.UntilText("The code does not fit")
	if got := pagetest.Eval[string](tab, `document.querySelector("#code").value`); got != "NO-SUCH-CODE" {
		t.Errorf("the code that was typed became %q", got)
	}
	b.await("order-1", 0)
	tab.Fill("#code", "EXMO-CODE-OF-101-HRYVNIAS")
	tab.Press("\r")
	tab.UntilText("The order is paid.")
	if told := b.await("order-1", 1); told["status"] != "done" || told["tp"] != "invoice" {
		t.Errorf("the merchant is told %v", told)
	}
	if state := at(b.control(http.MethodGet, "/anymoney/config", nil), "codes", "EXMO-CODE-OF-101-HRYVNIAS", "state"); state != "used" {
		t.Errorf("the code is %v", state)
	}
	if pagetest.Eval[bool](tab, `document.documentElement.outerHTML.includes("javascript:")`) {
		t.Error("the page leads to a script")
	}
}

// Everything but the news works without a script.
func TestPayerWithoutScript(t *testing.T) {
	t.Parallel()
	b := newPayers(t)
	for status, button := range map[string]string{"reject": "refuse", "canceled": "cancel"} {
		link := b.order(status, nil)
		tab := b.Open(t, link, pagetest.Reader{NoScript: true})
		tab.UntilText("paste the whole link")
		tab.Fill("#token", link)
		tab.Click(".primary")
		tab.UntilText("Awaiting payment")
		tab.Click("[value=visamc]")
		tab.Until(`document.querySelector("[value=pay]:enabled")`)
		tab.Click("[value=" + button + "]")
		tab.Until(`location.pathname === "/shop"`)
		if told := b.await(status, 1); told["status"] != status || told["amount_paid"] != "0" {
			t.Errorf("the merchant is told %v", told)
		}
		tab = b.Open(t, strings.Replace(link, "#token=", "?token=", 1), pagetest.Reader{NoScript: true})
		tab.UntilText("Nothing was charged.")
	}
}

// An order that expires while the page is open says so, and a page that is older than the
// order's end does nothing.
func TestPayerIsLate(t *testing.T) {
	t.Parallel()
	b := newPayers(t)
	link := b.order("order-1", map[string]string{"payway": "visamc", "lifetime": "1h"})
	tab := b.Open(t, link, pagetest.Reader{})
	tab.Until(`document.querySelector("[data-live=on]")`)
	stale := b.Open(t, link, pagetest.Reader{NoScript: true})
	stale.Fill("#token", link)
	stale.Click(".primary")
	stale.UntilText("Pay ₴100")
	b.control(http.MethodPost, "/clock/advance", map[string]any{"ms": 3_600_000})
	tab.UntilText("The time to pay has run out.")
	stale.Click("[value=pay]")
	stale.UntilText("this order is settled already")
	stale.UntilText("Expired")
	if told := b.await("order-1", 1); told["status"] != "expired" {
		t.Errorf("the merchant is told %v", told)
	}
	b.control(http.MethodPost, "/reset", nil)
	tab.Go(pagetest.Eval[string](tab, "location.href"))
	tab.UntilText("There is no such order.")
}

// A form that is refused leads to a page that says why, in the reader's language.
func TestPayerIsRefused(t *testing.T) {
	t.Parallel()
	b := newPayers(t)
	address := b.ask(map[string]string{"merchant": merchant, "externalid": "order-1", "amount": "0.001", "in_curr": "UAH"})
	for lang, want := range map[string]string{"en": "more decimals than this currency", "ru": "больше знаков после запятой"} {
		tab := b.Open(t, address, pagetest.Reader{Lang: lang, NoScript: true})
		for _, text := range []string{want, "EParamAmountFormatInvalid", "-32082", "amount"} {
			tab.UntilText(text)
		}
	}
	hostile := b.server.PlatformURL() + "/anymoney-sci/error?" + url.Values{"code": {"<b>1"}, "message": {`"><script>alert(1)</script>`}, "field": {"<img src=x>"}}.Encode()
	tab := b.Open(t, hostile, pagetest.Reader{})
	tab.UntilText(`"><script>alert(1)</script>`)
	tab.UntilText("That was not done")
}

// Nothing sticks out of any page at any width.
func TestPayerPagesFit(t *testing.T) {
	t.Parallel()
	b := newPayers(t)
	b.patch(json.RawMessage(`{"exchanges":{"UAH-BTC":{"fee":"0.02"}}}`))
	long := strings.Repeat("Очень-длинный-номер-заказа", 9)
	open := b.order(long, map[string]string{"out_curr": "BTC", "merchant_payfee": "0.25"})
	token := func(link string) string { return strings.Replace(link, "#token=", "order/", 1) }
	final := b.order("order-2", map[string]string{"payway": "visamc"})
	b.control(http.MethodPost, "/anymoney/orders/order-2/status", map[string]string{"merchant": merchant, "status": "done"})
	for _, address := range []string{
		token(open), token(final), token(b.order("order-3", map[string]string{"payway": "exmo"})),
		b.sciBase() + "/", b.sciBase() + "/error?code=-32003&message=EParamInvalid&field=merchant_payfee", b.sciBase() + "/nowhere",
	} {
		for _, width := range []int{320, 640, 1600} {
			for _, lang := range []string{"ru", "en"} {
				tab := b.Open(t, address, pagetest.Reader{Width: width, Height: 700, Lang: lang})
				if out := tab.Overflow(); len(out) > 0 {
					t.Errorf("%s at %d px in %s: %q sticks out", address, width, lang, out)
				}
			}
		}
	}
}

var screenshots = flag.String("screenshots", "", "folder to write the pictures of the documentation to")

// TestScreenshots makes the pictures of the documentation:
//
//	go test ./mockplatform/anymoney -run TestScreenshots -screenshots "$PWD/docs/screenshots"
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder given by -screenshots")
	}
	b := newPayers(t)
	b.control(http.MethodPut, "/clock", map[string]any{"now_ms": firstMS, "frozen": true})
	tab := b.Open(t, b.order("order-1042", map[string]string{"merchant_payfee": "0.5"}), pagetest.Reader{Width: 768, Height: 700, Scale: 2})
	tab.UntilText("choose a payway first")
	tab.Click("[value=visamc]")
	tab.UntilText("Pay ₴102.75")
	pagetest.Save(t, filepath.Join(*screenshots, "anymoney.png"), tab.Shot())

	tab = b.Open(t, b.order("order-1043", map[string]string{"out_curr": "USD", "payway": "visamc"}), pagetest.Reader{Width: 360, Height: 640, Scale: 2, Dark: true, Lang: "ru"})
	tab.UntilText("Ждёт оплаты")
	b.control(http.MethodPost, "/anymoney/orders/order-1043/status", map[string]string{"merchant": merchant, "status": "done"})
	tab.UntilText("Заказ оплачен.")
	pagetest.Save(t, filepath.Join(*screenshots, "anymoney-360-ru-dark.png"), tab.Shot())
}
