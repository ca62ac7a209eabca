package integra

import (
	"fmt"
	"strings"
)

// A Deeplink is a screen of Integra's page, as the parameter r of cryptLogin names it.
type Deeplink string

// The screens.
const (
	ScreenPayment Deeplink = "go/payment"
	ScreenSupport Deeplink = "go/support"
	ScreenHelp    Deeplink = "go/help"
)

// Deeplinks returns every screen in the order of the docs.
func Deeplinks() []Deeplink { return []Deeplink{ScreenPayment, ScreenSupport, ScreenHelp} }

// ParseDeeplink reads a screen after url-decoding, with or without a slash in front.
func ParseDeeplink(s string) (Deeplink, error) {
	for _, d := range Deeplinks() {
		if strings.TrimPrefix(s, "/") == string(d) {
			return d, nil
		}
	}
	return "", fmt.Errorf("deeplink %.40q is unknown: possible are %v", s, Deeplinks())
}

// ReplaceLinks replaces the link templates in the text of a message, such as {{go/payment}},
// by what link returns: an address in the partner's panel that passes the screen on to the
// page. The text is HTML, and so must be what link returns. Other templates stay.
func ReplaceLinks(text string, link func(Deeplink) string) string {
	var pairs []string
	for _, d := range Deeplinks() {
		to := link(d)
		pairs = append(pairs, "{{"+string(d)+"}}", to, "{{/"+string(d)+"}}", to)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
