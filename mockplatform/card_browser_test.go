package mockplatform_test

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page/pagetest"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

var screenshots = flag.String("screenshots", "", "folder to write the pictures of the documentation to")

// payer is a user of Integra with a browser.
type payer struct {
	*testing.T
	*pagetest.Browser
	platform *mockplatform.Server
	account  string // address of the user's page
}

func newPayer(t *testing.T) payer {
	t.Helper()
	p := payer{T: t, Browser: pagetest.Start(t), platform: mockplatform.Start(t)}
	key, err := p.platform.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "carol", Hash: cardUser})
	if err != nil {
		t.Fatal(err)
	}
	k, err := wire.Seal(wire.Simple, wire.Credentials{Hash: cardUser, Key: key}, wire.LoginArgs{Login: "carol", Hash: cardUser})
	if err != nil {
		t.Fatal(err)
	}
	if p.account, err = wire.RequestURL(p.platform.PlatformURL(), mockplatform.DemoPartner.Path, wire.CryptLogin, k, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// topUp types an amount into Integra's page and goes to Robokassa's.
func (p payer) topUp(tab *pagetest.Tab, amount string) {
	p.Helper()
	tab.Go(p.account)
	tab.Fill("#amount", amount)
	tab.Click("[value=robokassa]")
	tab.Until(`location.pathname.includes("/robokassa/Merchant/Index/")`)
}

func card(tab *pagetest.Tab, number string) {
	tab.Click(`a[href*="method=BankCardPSR"]`)
	tab.Until(`document.querySelector("#number")`)
	tab.Fill("#number", number)
	tab.Fill("#expiry", "12/39")
	tab.Fill("#cvc", "123")
	tab.Click("[name=action][value=pay]")
}

func (p payer) fits(tab *pagetest.Tab) {
	p.Helper()
	if over := tab.Overflow(); len(over) > 0 {
		p.Errorf("%s sticks out at %s", over, pagetest.Eval[string](tab, "location.pathname"))
	}
}

func (p payer) balance() string {
	u, _ := p.platform.Integra().User(cardUser, 0)
	return u.Balance.Text()
}

// From the button in Integra's page over Robokassa's page to the balance, which grows in
// every open page of the user, and back; the partner hears nothing of it.
func TestPayByCardInBrowser(t *testing.T) {
	t.Parallel()
	for name, reader := range map[string]pagetest.Reader{
		"desktop":        {},
		"phone":          {Width: 360, Height: 720, Dark: true},
		"without script": {Width: 768, Height: 720, NoScript: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPayer(t)
			other := p.Open(t, p.account, pagetest.Reader{Width: 320, Height: 640, Lang: "ru"})
			other.UntilText("Баланс 0,00")
			other.Until(`document.querySelector("[data-live=on]")`)

			tab := p.Open(t, p.account, reader)
			p.fits(tab)
			p.topUp(tab, "100.50")
			other.UntilText("Деньги поступят на баланс, как только Robokassa сообщит об оплате.")
			tab.UntilText("To pay · Integra") // in the language of Integra's page
			p.fits(tab)
			card(tab, "4000 0000 0000 9995")
			tab.UntilText("There is not enough money on the card.")
			p.fits(tab)
			if got := p.balance(); got != "0.00" {
				t.Errorf("balance %s after a refusal", got)
			}
			tab.Click(`a[href*="../Index/"]`)
			card(tab, "4111 1111 1111 1111")
			tab.UntilText("The payment is accepted.")
			p.fits(tab)
			other.UntilText("Баланс 100,50")
			other.UntilText("Картой · Robokassa")
			p.fits(other)
			tab.Until(`location.pathname.endsWith("/cryptLogin")`) // by itself, after five seconds
			tab.UntilText("100.50")
			p.fits(tab)
			if got := p.balance(); got != "100.50" {
				t.Errorf("balance %s", got)
			}
			if n := len(p.platform.Journal().List(journal.Filter{Method: "notify"})); n != 0 {
				t.Errorf("the partner was notified %d times", n)
			}
		})
	}
}

// A payment that was given up leads back to Integra, which goes on waiting and offers it again.
func TestGiveUpInBrowser(t *testing.T) {
	t.Parallel()
	p := newPayer(t)
	tab := p.Open(t, p.account, pagetest.Reader{Width: 360, Height: 720})
	p.topUp(tab, "70")
	tab.Click("[value=cancel] ~ button")
	tab.UntilText("You cancelled the payment.")
	tab.Click(".button.primary")
	tab.Until(`location.pathname.endsWith("/cryptLogin")`)
	tab.UntilText("Go on to the payment")
	if got := p.balance(); got != "0.00" {
		t.Errorf("balance %s", got)
	}
	tab.Click(`#history a[href*="Index.aspx"]`)
	tab.UntilText("How to pay")
	card(tab, "5555 5555 5555 4444")
	tab.Until(`location.pathname.endsWith("/cryptLogin")`)
	tab.UntilText("Credited")
	if got := p.balance(); got != "70.00" {
		t.Errorf("balance %s", got)
	}
}

// The code of SBP is paid on a telephone, and the page beside it hears of that.
func TestPayByCodeInBrowser(t *testing.T) {
	t.Parallel()
	p := newPayer(t)
	tab := p.Open(t, p.account, pagetest.Reader{})
	p.topUp(tab, "30")
	tab.Click(`a[href*="method=SBPPSR"]`)
	tab.Until(`document.querySelector("svg.qr")`)
	p.fits(tab)
	phone := p.Open(t, pagetest.Eval[string](tab, `document.querySelector("figure a").href`), pagetest.Reader{Width: 320, Height: 640})
	phone.UntilText("Confirm the payment by SBP.")
	p.fits(phone)
	phone.Click("[name=action][value=pay]")
	phone.UntilText("The payment is accepted.")
	tab.UntilText("The payment is accepted. Continue")
	tab.Click("#news a")
	tab.Until(`location.pathname.endsWith("/cryptLogin")`)
	if got := p.balance(); got != "30.00" {
		t.Errorf("balance %s", got)
	}
}

// TestScreenshots makes the pictures of the documentation:
//
//	go test ./mockplatform -run TestScreenshots -screenshots "$PWD/docs/screenshots"
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder given by -screenshots")
	}
	p := newPayer(t)
	save := func(name string, picture []byte) { pagetest.Save(t, filepath.Join(*screenshots, name), picture) }
	if err := p.platform.Robokassa().ChangeSettings(func(s *robokassa.Settings) error { s.FinalPageSecond = 600; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		name, lang string
		pagetest.Reader
	}{
		{"robokassa", "en", pagetest.Reader{Width: 768, Height: 540, Scale: 2}},
		{"robokassa-360-ru-dark", "ru", pagetest.Reader{Width: 360, Height: 720, Scale: 2, Dark: true, Lang: "ru"}},
	} {
		tab := p.Open(t, p.account, at.Reader)
		p.topUp(tab, "1500")
		page := pagetest.Eval[string](tab, "location.href")
		show := func(name, query string) {
			tab.Go(page + "?lang=" + at.lang + query)
			save(strings.Replace(at.name, "robokassa", "robokassa"+name, 1)+".png", tab.Shot())
		}
		show("", "")
		show("-card", "&method=BankCardPSR")
		show("-sbp", "&method=SBPPSR")
		tab.Go(page + "?lang=" + at.lang + "&method=BankCardPSR")
		tab.Fill("#number", "4000000000000002")
		tab.Fill("#expiry", "12/39")
		tab.Fill("#cvc", "123")
		tab.Click("[name=action][value=pay]")
		tab.Until(`location.pathname.includes("/State/")`)
		save(strings.Replace(at.name, "robokassa", "robokassa-refused", 1)+".png", tab.Shot())
		tab.Go(p.account + "&lang=" + at.lang)
		save(strings.Replace(at.name, "robokassa", "iframe-card", 1)+".png", tab.Shot())
		tab.Go(p.platform.PlatformURL() + "/robokassa/Merchant/Index.aspx?MerchantLogin=integra&OutSum=1&lang=" + at.lang)
		save(strings.Replace(at.name, "robokassa", "robokassa-error", 1)+".png", tab.Shot())
	}
}
