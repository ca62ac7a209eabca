package console_test

import (
	"context"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/internal/page/pagetest"
)

var screenshots = flag.String("screenshots", "", "folder to write the pictures of the documentation to")

// open logs in through the page, as a person does.
func (w *world) open(t *testing.T, b *pagetest.Browser, token, path string, r pagetest.Reader) *pagetest.Tab {
	t.Helper()
	tab := b.Open(t, w.url+path, r)
	tab.Fill("#token", token)
	tab.Press("\r")
	tab.Until(`document.querySelector(".bar-nav") !== null`)
	return tab
}

// fill stores a day of payments.
func (w *world) fill(t *testing.T) (confirmed, doubt adapter.Payment) {
	t.Helper()
	for i := range int64(40) {
		w.payment(t, 1_00+i*37, adapter.Confirmed)
		w.clock.Advance(time.Duration(i%7) * 9 * time.Minute)
	}
	confirmed = w.payment(t, 250_00, adapter.Confirmed)
	doubt = w.payment(t, 49_90, adapter.InDoubt)
	w.payment(t, 10_00, adapter.Received)
	w.clock.Advance(90 * time.Second)
	return confirmed, doubt
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	b := pagetest.Start(t)
	t.Run("a person settles a doubt", func(t *testing.T) {
		w := newWorld(t)
		_, doubt := w.fill(t)
		tab := w.open(t, b, writer, "/console/", pagetest.Reader{Width: 1440, Height: 900})
		tab.UntilText("1 payment is in doubt")
		tab.Click("#news a")
		tab.Until(`document.querySelectorAll("#list tbody tr").length === 1 && location.search === "?state=in_doubt"`)
		tab.Click("#list .row-link")
		tab.UntilText("Decide")
		tab.Fill("#reason", "balance grew, ticket 1207")
		tab.Click(`button[value="confirm"]`)
		tab.Until(`document.querySelector("#payment .badge.ok") !== null`)
		tab.UntilText("balance grew, ticket 1207")
		if p, err := w.store.PaymentByNum(t.Context(), doubt.Num); err != nil || p.State != adapter.Confirmed {
			t.Errorf("payment is %s, %v", p.State, err)
		}
	})
	t.Run("new payments come by themselves", func(t *testing.T) {
		w := newWorld(t)
		tab := w.open(t, b, reader, "/console/?lang=ru", pagetest.Reader{Width: 1440, Height: 900, Lang: "ru"})
		tab.UntilText("Платежей пока нет")
		tab.Until(`document.querySelector("[data-live=on]") !== null`)
		w.payment(t, 77_00, adapter.Confirmed)
		tab.Until(`document.querySelectorAll("#list tbody tr").length === 1`)
		tab.UntilText("Подтверждён")
	})
	t.Run("the keyboard is enough", func(t *testing.T) {
		w := newWorld(t)
		w.fill(t)
		tab := w.open(t, b, reader, "/console/", pagetest.Reader{Width: 1440, Height: 900})
		tab.Press("/")
		tab.Until(`document.activeElement.id === "q"`)
		tab.Fill("#q", "42")
		tab.Press("\r")
		tab.Until(`location.pathname === "/console/payments/42"`)
	})
	t.Run("a person has a day compared", func(t *testing.T) {
		w := newWorld(t)
		w.compared(t, time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC))
		tab := w.open(t, b, clerk, "/console/", pagetest.Reader{Width: 1440, Height: 900})
		tab.Click(`.bar-nav a[href="/console/reconciliation"]`)
		tab.UntilText("1 day differs")
		tab.Click(`form[action="/console/reconciliation"] button`)
		tab.UntilText("3 November 2026 is being compared")
		w.books.end(false)
		tab.UntilText("3 November 2026 has been compared") // by itself
		tab.Press("j")
		tab.Until(`document.activeElement.matches("#list .row-link")`)
		tab.Press("\r")
		tab.UntilText("1 of 3 users differs")
		tab.Click(".table .row-link")
		tab.UntilText("Payments behind these figures")
		tab.Click(".table .row-link")
		tab.Until(`location.pathname === "/console/payments/1"`)
	})
	t.Run("a person looks who did what", func(t *testing.T) {
		w := newWorld(t)
		if err := w.store.Act(t.Context(), adapter.Action{Who: "vera", Via: adapter.ViaCLI, What: "ledger deposit", On: "user/" + w.user}, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		tab := w.open(t, b, writer, "/console/audit", pagetest.Reader{Width: 1440, Height: 900, Lang: "ru"})
		tab.Press("/")
		tab.Until(`document.activeElement.id === "who"`)
		tab.Fill("#who", "nobody")
		tab.Press("\r")
		tab.UntilText("Ничего не найдено")
		tab.Until(`location.search === "?who=nobody"`)
		tab.Click(`.filters a[href="/console/audit"]`)
		tab.UntilText("ledger deposit")
		tab.Click(`td a[href^="/console/accounts/"]`)
		tab.UntilText("Выписка")
	})
	t.Run("nothing sticks out", func(t *testing.T) {
		w := newWorld(t)
		w.compared(t, time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC))
		_, doubt := w.fill(t)
		if err := w.store.Act(t.Context(), adapter.Action{
			Who: "somebody with quite a long name (as root)", Via: adapter.ViaAPI, What: "create-payment", On: "accounts/" + w.user + "/deposits", Detail: strings.Repeat("key", 99),
		}, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for _, lang := range []string{"ru", "en"} {
			tab := w.open(t, b, writer, "/console/", pagetest.Reader{Width: 360, Height: 700, Lang: lang})
			for _, path := range []string{"/", "/?state=in_doubt", "/payments/" + num(doubt), "/accounts", "/accounts/" + w.user, "/plots", "/reconciliation", "/reconciliation/2026-05-02?result=all", "/reconciliation/2026-05-02/" + w.user, "/audit", "/odd", "/login"} {
				tab.Go(w.url + "/console" + path)
				if path == "/" {
					tab.Until(`[...document.querySelectorAll("#list tbody tr")].every(row => row.querySelector('a[href^="/console/accounts/"]').checkVisibility())`) // whose payment it is, on a phone
				}
				for _, width := range []int{360, 640, 768, 1024, 1440} {
					tab.Resize(width)
					if out := tab.Overflow(); len(out) > 0 {
						t.Errorf("%s, %s, %d px: these stick out: %q", path, lang, width, out)
					}
				}
			}
		}
	})
}

// TestScreenshots makes the pictures of the documentation:
//
//	go test ./adapter/console -run TestScreenshots -screenshots "$PWD/docs/screenshots"
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder given by -screenshots")
	}
	b := pagetest.Start(t)
	w := newWorld(t)
	confirmed, doubt := w.fill(t)
	w.compared(t, time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC))
	for _, a := range []adapter.Action{
		{Who: "vera (as root)", Via: adapter.ViaCLI, What: "ledger deposit", On: "user/" + w.user, Detail: "1000.00 RUB, key 5YVQXMRLA3KF"},
		{Who: "panel", Via: adapter.ViaAPI, What: "create-payment", On: "payments", Detail: "key order-1042"},
		{Who: "Anna", Via: adapter.ViaConsole, What: "resolve-payment", On: "payment/" + confirmed.Key.ID, Detail: "confirm: the balance grew by 250.00, ticket 1207"},
	} {
		if err := w.store.Act(t.Context(), a, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(7 * time.Minute)
	}
	save := func(name string, picture []byte) { pagetest.Save(t, filepath.Join(*screenshots, name), picture) }
	wide := pagetest.Reader{Width: 1440, Height: 900}
	tab := w.open(t, b, writer, "/console/", wide)
	save("console.png", tab.View())
	tab.Go(w.url + "/console/payments/" + num(doubt))
	save("console-doubt.png", tab.Shot())
	tab.Go(w.url + "/console/plots")
	save("console-plots.png", tab.View())
	tab.Go(w.url + "/console/accounts/" + w.user)
	save("console-account.png", tab.View())
	tab.Go(w.url + "/console/reconciliation/2026-05-02?result=all")
	save("console-reconciliation.png", tab.View())
	tab.Go(w.url + "/console/audit")
	save("console-audit.png", tab.View())
	wide.Lang, wide.Dark = "ru", true
	save("console-payment-ru-dark.png", w.open(t, b, reader, "/console/payments/"+num(confirmed), wide).View())
	narrow := pagetest.Reader{Width: 360, Height: 720, Scale: 2, Lang: "ru"}
	save("console-360-ru.png", w.open(t, b, reader, "/console/", narrow).View())
}
