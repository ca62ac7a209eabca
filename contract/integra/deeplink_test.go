package integra_test

import (
	"testing"

	"github.com/partnerkit/partnerkit/contract/integra"
)

func TestParseDeeplink(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]integra.Deeplink{
		"go/payment": integra.ScreenPayment, "/go/payment": integra.ScreenPayment,
		"go/support": integra.ScreenSupport, "/go/support": integra.ScreenSupport,
		"go/help": integra.ScreenHelp, "/go/help": integra.ScreenHelp,
	} {
		if got, err := integra.ParseDeeplink(s); got != want || err != nil {
			t.Errorf("ParseDeeplink(%q) = %q, %v; want %q", s, got, err, want)
		}
	}
	for _, s := range []string{"", "/", "payment", "go/payment/", "//go/payment", "go/Payment", "go%2Fpayment", "https://evil.example"} {
		if got, err := integra.ParseDeeplink(s); err == nil {
			t.Errorf("ParseDeeplink(%q) = %q; want an error", s, got)
		}
	}
}

func TestReplaceLinks(t *testing.T) {
	t.Parallel()
	link := func(d integra.Deeplink) string { return "http://my-cool-service.com/promotion?open=" + string(d) }
	// The first is the docs' own example.
	for text, want := range map[string]string{
		`Чтобы пополнить баланс перейдите по <a target="_blank" href="{{go/payment}}">ссылке</a>. `: `Чтобы пополнить баланс перейдите по <a target="_blank" href="http://my-cool-service.com/promotion?open=go/payment">ссылке</a>. `,
		`{{go/help}}{{/go/support}}{{go/help}}`: link("go/help") + link("go/support") + link("go/help"),
		`{{days}} {{go/payments}} {go/payment}`: `{{days}} {{go/payments}} {go/payment}`,
		``:                                      ``,
	} {
		if got := integra.ReplaceLinks(text, link); got != want {
			t.Errorf("ReplaceLinks(%q) = %q; want %q", text, got, want)
		}
	}
}
