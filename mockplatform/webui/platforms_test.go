package webui_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/internal/page/pagetest"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

const merchant = "37"

// order makes an order of 100 UAH by the form of a shop.
func (w *world) order(id string) {
	w.t.Helper()
	form := anymoney.Form{"merchant": merchant, "externalid": id, "amount": "100", "in_curr": "UAH", "payway": "visamc"}
	form[anymoney.FieldSign] = anymoney.Key("mock-sci-key-of-merchant-37").SignForm(form)
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := stay.Post(w.platform.PlatformURL()+"/anymoney-sci/invoice", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	if to := res.Header.Get("Location"); !strings.Contains(to, "#token=") {
		w.t.Fatalf("the form leads to %q", to)
	}
}

// ownShop is a shop of the partner's own, which is told nothing.
var ownShop = robokassa.Shop{Login: "mine", Password1: "one", Password2: "two", Password3: "three"}

func withShop(c *mockplatform.Config) { c.Shops = append(c.Shops, ownShop) }

// operation opens the payment page of ownShop.
func (w *world) operation(sum string, change func(*wire.Request)) string {
	w.t.Helper()
	amount, err := money.Parse(sum, money.RUB)
	if err != nil {
		w.t.Fatal(err)
	}
	r := wire.Request{Login: ownShop.Login, OutSum: amount.Text()}
	if change != nil {
		change(&r)
	}
	o, refused := w.platform.Robokassa().Open(r.Signed(wire.MD5, ownShop.Password1), robokassa.FromPage)
	if refused != nil {
		w.t.Fatal(refused)
	}
	return strconv.FormatInt(o.InvID, 10)
}

// card makes a top-up by card and has it paid, up to what Integra answers Robokassa.
func (w *world) card(amount string) (id, number string) {
	w.t.Helper()
	pay, err := w.platform.Integra().TopUp(userHash, amount, "robokassa")
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := http.Get(pay.PayURL)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	w.ok("/operations?of=integra&id="+pay.Invoice, url.Values{"of": {"integra"}, "id": {pay.Invoice}, "do": {"pay"}})
	if err := w.platform.Clock().Advance(w.t.Context(), 0); err != nil {
		w.t.Fatal(err)
	}
	return pay.ID, pay.Invoice
}

func (w *world) get(path string) (int, string) {
	w.t.Helper()
	res, err := http.Get(w.platform.ControlURL() + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, strings.ReplaceAll(string(raw), "\u00a0", " ")
}

// has fails unless the page has all of these texts, and none of those that begin with "!".
func (w *world) has(path string, want ...string) {
	w.t.Helper()
	status, body := w.get(path)
	if status != http.StatusOK {
		w.t.Errorf("%s: %d", path, status)
	}
	for _, text := range want {
		absent, not := strings.CutPrefix(text, "!")
		if not && strings.Contains(body, absent) || !not && !strings.Contains(body, text) {
			w.t.Errorf("%s: want %q", path, text)
		}
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, frozen)
	w.has("/orders", "No orders")
	for _, id := range []string{"one", "two/2", "three"} {
		w.order(id)
	}
	w.has("/orders", ">one<", ">two/2<", ">three<")
	w.has("/orders?merchant=38", "No orders", "!>one<")
	w.ok("/orders?owner=37&id=two/2", url.Values{"owner": {merchant}, "id": {"two/2"}, "status": {"done"}})
	w.has("/orders?status=done", ">two/2<", "!>one<")
	w.has("/orders?owner=37&id=two/2", `value="100 UAH"`, "History", w.platform.Clock().Now().UTC().Format("2 January 2006"), "Any.Money: sci.invoice ₴100", "!name=\"status\" value=\"reject\"", `href="./?payment=37%2Ftwo%2F2"`)
	w.has("/?payment=37/two/2", "sci.invoice", `href="orders?owner=37&amp;id=two%2f2"`)
	w.has("/?payment=two/2", "sci.invoice")
	for _, bad := range []url.Values{
		{"owner": {merchant}, "id": {"one"}, "status": {"paid"}},
		{"owner": {"38"}, "id": {"one"}, "status": {"done"}},
		{},
	} {
		if status, body := w.form("/orders", bad); status < 400 || status > 499 || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%v: %d, want a refusal on the page", bad, status)
		}
	}
	if status, body := w.get("/orders?owner=37&id=none"); status != http.StatusNotFound || !strings.Contains(body, "There is no such order") {
		t.Errorf("an unknown order: %d", status)
	}
	for i := range 101 {
		w.order(fmt.Sprint("many-", i))
	}
	_, body := w.get("/orders?status=new")
	if n := strings.Count(body, `data-row>`); n != 100 || !strings.Contains(body, "Older") {
		t.Errorf("%d orders on the first page", n)
	}
	w.has("/orders?status=new&before=135004", ">three<", ">one<", "!>two/2<", "!many-")
}

func TestOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, frozen, withShop)
	w.has("/operations", "No operations")
	plain := w.operation("10", nil)
	held := w.operation("20", func(r *wire.Request) { r.StepByStep = true })
	do := func(shop, id, what string, more ...string) {
		t.Helper()
		form := url.Values{"of": {shop}, "id": {id}, "do": {what}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		w.ok("/operations?of="+shop+"&id="+id, form)
	}
	w.has("/operations", ">"+plain+"<", ">"+held+"<")
	do("mine", plain, "refuse")
	w.has("/operations?of=mine&id="+plain, "not paid", "declined", `value="expire"`)
	do("mine", plain, "pay", "method", "SBPPSR")
	w.has("/operations?of=mine&id="+plain, "credited", "SBPPSR", `name="amount"`, "!value=\"expire\"")
	do("mine", plain, "refund", "amount", "4")
	w.has("/operations?of=mine&id="+plain, `value="4.00 RUB"`)
	do("mine", plain, "refund")
	w.has("/operations?of=mine&id="+plain, "!name=\"amount\"")
	do("mine", held, "pay")
	w.has("/operations?of=mine&id="+held, "on hold", `value="confirm"`, `value="cancel"`)
	w.has("/operations?state=20", ">"+held+"<", "!>"+plain+"<")
	do("mine", held, "cancel")
	w.has("/operations?state=60&shop=mine&source=page", ">"+held+"<")
	for _, bad := range []url.Values{
		{"of": {"mine"}, "id": {held}, "do": {"pay"}},
		{"of": {"mine"}, "id": {held}, "do": {"confirm"}},
		{"of": {"mine"}, "id": {plain}, "do": {"refund"}},
		{"of": {"mine"}, "id": {"1"}, "do": {"pay"}},
		{"of": {"mine"}, "id": {"../../reset"}, "do": {"pay"}},
		{"of": {"mine"}, "id": {plain}, "do": {"steal"}},
		{},
	} {
		if status, body := w.form("/operations", bad); status < 400 || status > 499 || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%v: %d, want a refusal on the page", bad, status)
		}
	}
	if status, _ := w.get("/operations?of=mine&id=1"); status != http.StatusNotFound {
		t.Errorf("an unknown operation: %d", status)
	}
}

// A top-up by card is one story on one diagram: both platforms, the call between them once.
func TestDiagramOverPlatforms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, frozen)
	id, number := w.card("100.50")
	for _, path := range []string{"/?payment=" + id, "/operations?of=integra&id=" + number} {
		w.has(path, "User → Robokassa: Index.aspx ₽100.50", "Robokassa → Integra: ResultURL ₽100.50", "Robokassa ← Integra: 200",
			"!Integra: shop.result", "!Partner →", "shop.result: OK", "unconfirmed", "credited", ">open<")
	}
	w.has("/?payment="+id, `href="operations?of=integra&amp;id=`+number+`"`, ">shop.result<")
	w.ok("/operations?of=integra&id="+number, url.Values{"of": {"integra"}, "id": {number}, "do": {"refund"}, "amount": {"0.50"}})
	if err := w.platform.Clock().Advance(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	w.has("/?payment="+id, "Integra → Robokassa: shop.opstate", "Integra → Robokassa: shop.refund", "!Integra → Robokassa: OpStateExt")
	if u, _ := w.platform.Integra().User(userHash, 1); u.Balance.Text() != "100.00" {
		t.Errorf("balance %s after a refund", u.Balance.Text())
	}
}

func testPlatformPages(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t, withShop)
	w.order("one")
	tab := b.Open(t, w.platform.ControlURL()+"/orders", pagetest.Reader{Width: 1440, Height: 900})
	tab.Until(`!!document.querySelector("[data-live=on]")`)
	w.order("two") // shows up by itself
	tab.Until(`document.querySelectorAll("#list tbody tr").length === 2`)
	tab.Press("jj\r")
	tab.UntilText("Give the order a status")
	tab.Until(`location.search.includes("id=one") && !!document.querySelector("[data-live=on]")`)
	w.platform.AnyMoney().SetStatus(merchant, "one", anymoney.StatusWait)
	tab.Until(`document.querySelector("#one .badge").innerText === "waiting"`)
	tab.Click(`button[value="done"]`)
	tab.Until(`document.querySelector("#one .badge").innerText === "done" && !document.querySelector("#one button[name=status]")`)
	tab.Select("#status-filter", "new")
	tab.Until(`document.querySelectorAll("#list tbody tr").length === 1 && location.search.includes("status=new")`)
	tab.Until(`!!document.querySelector("[data-live=on]")`)
	w.order("three") // what comes later is filtered as well
	tab.Until(`document.querySelectorAll("#list tbody tr").length === 2`)

	number := w.operation("50", nil)
	tab.Go(w.platform.ControlURL() + "/operations?of=mine&id=" + number)
	tab.Click(`button[value="pay"]`)
	tab.Until(`document.querySelector("#one .badge").innerText === "credited" && !!document.querySelector("[data-live=on]")`)
	tab.Fill("#refund", "7.25")
	w.operation("51", nil) // the page changes below what is being typed
	tab.Until(`document.querySelectorAll("#list tbody tr").length === 2`)
	if got := pagetest.Eval[string](tab, `document.activeElement.id + " " + document.activeElement.value`); got != "refund 7.25" {
		t.Errorf("after a change the focus and the field are %q", got)
	}
	tab.Press("\r")
	tab.Until(`document.querySelector("#one").innerText.includes("7.25")`)

	id, card := w.card("100")
	pages := []string{"/orders", "/orders?owner=37&id=one", "/orders?owner=37&id=two", "/operations", "/operations?of=mine&id=" + number, "/operations?of=integra&id=" + card, "/?payment=" + id}
	for _, lang := range []string{"ru", "en"} {
		tab := b.Open(t, w.platform.ControlURL()+pages[0], pagetest.Reader{Width: 320, Height: 700, Lang: lang})
		for _, path := range pages {
			tab.Go(w.platform.ControlURL() + path)
			for _, width := range []int{320, 639, 768, 1440} {
				tab.Resize(width)
				if out := tab.Overflow(); len(out) > 0 {
					t.Errorf("%s, %s, %d px: these stick out: %q", path, lang, width, out)
				}
			}
		}
	}
}

// Why a payment ended, and when what happened to it, is said in the page's language.
func TestExpiredPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, frozen)
	res, err := http.Get(w.page(nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	w.ok("/users", url.Values{"user": {userHash}, "amount": {"12.50"}})
	id := w.await()
	w.ok("/controls", url.Values{"do": {"advance"}, "ms": {"0"}})
	w.has("/?payment="+id, "First notified, UTC", "Acknowledged, UTC", "Expires, UTC", "!Partner answered")
	w.ok("/controls", url.Values{"do": {"advance"}, "ms": {"86400000"}})
	w.has("/?payment="+id, "nobody confirmed it within 24 h", "!24h0m0s", "!Partner answered", "!Expires, UTC")
	w.has("/?lang=ru&payment="+id, "никто не подтвердил за 24 ч", "!nobody")
}
