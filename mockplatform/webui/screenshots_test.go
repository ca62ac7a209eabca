package webui_test

import (
	"flag"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/partnerkit/partnerkit/internal/page/pagetest"
)

var screenshots = flag.String("screenshots", "", "folder to write the pictures of the documentation to")

// TestScreenshots makes the pictures of the documentation:
//
//	go test ./mockplatform/webui -run TestScreenshots -screenshots "$PWD/docs/screenshots"
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder given by -screenshots")
	}
	b := pagetest.Start(t)
	w := newWorld(t)
	confirmed, _ := busy(w)
	journal := w.platform.ControlURL() + "/"
	save := func(name string, picture []byte) { pagetest.Save(t, filepath.Join(*screenshots, name), picture) }
	wide, narrow := pagetest.Reader{Width: 1440, Height: 900}, pagetest.Reader{Width: 360, Height: 720, Scale: 2}

	page := pagetest.Reader{Width: 768, Height: 540, Scale: 2}
	tab := b.Open(t, w.page(nil), page)
	tab.Fill("#amount", "250")
	tab.Click("#top-up .primary")
	w.confirm(w.await(), "250")
	tab.UntilText("Credited")
	save("iframe.png", tab.Shot())

	narrow.Lang, narrow.Dark = "ru", true
	save("iframe-360-ru-dark.png", b.Open(t, w.page(nil), narrow).View())

	tab = b.Open(t, journal, wide)
	tab.Until(`document.querySelector("[data-live=on]")`)
	save("journal.png", tab.View())
	pagetest.Eval[bool](tab, `[...document.querySelectorAll(".row-link")].find(a => a.textContent === "confirmPayment").click() ?? true`)
	tab.Until(`document.querySelector(".drawer")`)
	save("journal-exchange.png", tab.View())

	_, number := w.card("100.50")
	tab = b.Open(t, w.platform.ControlURL()+"/operations?of=integra&id="+number, wide)
	tab.Until(`document.querySelector("[data-live=on]")`)
	save("operation.png", tab.Shot())

	wide.Lang, wide.Dark = "ru", true
	tab = b.Open(t, journal+"?"+url.Values{"payment": {confirmed}}.Encode(), wide)
	tab.Click(`.arrow[aria-label*="100,51"] .label`)
	tab.Until(`document.querySelector("[data-live=on]")`)
	save("payment-ru-dark.png", tab.Shot())
}
