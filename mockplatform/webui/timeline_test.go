package webui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/internal/page/pagetest"
	"github.com/partnerkit/partnerkit/mockplatform"
)

const timelineYAML = `
name: An evening
clock: {now: 2026-03-02T09:00:00Z, frozen: true}
users:
  - {hash: a11ce000000000000000000000000000, login: alice, key: k}
timeline:
  - {at: 1m, topup: {user: alice, amount: "1", via: robokassa}, note: "She <pays> by card"}
  - {at: 2m, order: {merchant: "37", externalid: none, status: done}}
  - {at: 3m, every: 1m, times: 300, topup: {user: alice, amount: "2", via: robokassa}}
`

func withScenario(c *mockplatform.Config) {
	c.Scenarios = append(c.Scenarios, mockplatform.Script{File: "test.yaml", Text: []byte(timelineYAML)})
}

// The page says what was done, what is next and when, what was refused, and leads there.
func TestTimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withScenario)
	w.has("/timeline", "An evening", "0 of 302", "She &lt;pays&gt; by card", "in 1 min", "Jump to the next step", `aria-current="step"`, "Later", "!Earlier", "!refused</span>")
	next := url.Values{"do": {"next"}}
	w.ok("/timeline", next)
	w.has("/timeline", "1 of 302", "09:01:00.000", "09:02:00.000")
	w.ok("/timeline", next)
	w.has("/timeline", "2 of 302", "1 step refused", "has no order none")
	w.has("/timeline?state=refused", "has no order none", "!She &lt;pays&gt;")
	w.has("/timeline?state=done", "She &lt;pays&gt;", "!has no order none")
	w.has("/timeline?from=200", "Earlier", "Later", "Where it is now", "!She &lt;pays&gt;")
	w.has("/timeline?from=999999", "Earlier", "!Later")
	w.has("/timeline?from=-5", "She &lt;pays&gt;")
	for range 30 {
		w.ok("/timeline", next)
	}
	w.has("/timeline", "32 of 302", "!She &lt;pays&gt;", "Earlier") // the next one stays in sight
	w.ok("/controls", url.Values{"do": {"advance"}, "ms": {"86400000"}})
	w.has("/timeline", "302 of 302", "played to the end", "!Jump to")
	for _, bad := range []url.Values{next, {"do": {"dance"}}, {}} {
		if status, body := w.form("/timeline", bad); status < 400 || status > 499 || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%v: %d, want a refusal on the page", bad, status)
		}
	}
	w.has("/timeline?lang=ru", "сыгран до конца", "1 шаг не выполнен", "Пользователь пополняет баланс")
}

func TestNoTimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.has("/timeline", "No timeline is played", "!Jump to")
	if status, _ := w.form("/timeline", url.Values{"do": {"next"}}); status != http.StatusConflict {
		t.Errorf("a jump to nowhere: %d", status)
	}
}

func testTimeline(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t, withScenario)
	tab := b.Open(t, w.platform.ControlURL()+"/timeline", pagetest.Reader{Width: 360, Height: 700, Lang: "ru"})
	tab.Click(`button[value="next"]`)
	tab.UntilText("1 из 302")
	tab.Until(`document.querySelector("[data-live=on]")`)
	w.ok("/controls", url.Values{"do": {"advance"}, "ms": {"60000"}}) // the page hears of it
	tab.UntilText("1 шаг не выполнен")
	for _, width := range []int{320, 639, 640, 768, 1280, 1600} {
		tab.Resize(width)
		if out := tab.Overflow(); len(out) > 0 {
			t.Errorf("%d px: these stick out: %q", width, out)
		}
	}
}
