package webui_test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page/pagetest"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// form sends a form of a page, as a browser does, and returns the page that came back: the
// next one if all is well, the same one with what is wrong if not.
func (w *world) form(path string, form url.Values) (status int, body string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.platform.ControlURL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

func (w *world) ok(path string, form url.Values) string {
	w.t.Helper()
	status, body := w.form(path, form)
	if status != http.StatusOK {
		w.t.Fatalf("%s %v: %d\n%s", path, form, status, body)
	}
	return body
}

func frozen(c *mockplatform.Config) { c.Clock.Frozen = true }

func TestClockButtons(t *testing.T) {
	t.Parallel()
	w := newWorld(t, frozen)
	start := w.platform.Clock().State().Now
	w.ok("/controls", url.Values{"do": {"advance"}, "ms": {"600000"}})
	if got := w.platform.Clock().State().Now.Sub(start); got != 10*time.Minute {
		t.Errorf("moved on by %s", got)
	}
	w.ok("/controls", url.Values{"do": {"run"}, "rate": {"60"}})
	if s := w.platform.Clock().State(); s.Frozen || s.Rate != 60 {
		t.Errorf("running: %+v", s)
	}
	w.ok("/controls", url.Values{"do": {"freeze"}, "rate": {"60"}})
	if s := w.platform.Clock().State(); !s.Frozen {
		t.Errorf("frozen: %+v", s)
	}
	for _, bad := range []url.Values{
		{"do": {"advance"}, "ms": {"-1"}},
		{"do": {"advance"}, "ms": {"soon"}},
		{"do": {"advance"}},
		{"do": {"run"}, "rate": {"0"}},
		{"do": {"run"}, "rate": {"fast"}},
		{"do": {"dance"}},
		{},
	} {
		if status, body := w.form("/controls", bad); status < 400 || status > 499 || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%v: %d, want a refusal on the page", bad, status)
		}
	}
}

func TestFaultButtons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rule := `{"match":{"method":"confirmPayment"},"act":{"do":"drop_after"}}`
	if body := w.ok("/controls", url.Values{"do": {"arm"}, "rule": {rule}}); !strings.Contains(body, "1 rule is armed") {
		t.Errorf("after arming:\n%s", body)
	}
	w.ok("/controls", url.Values{"do": {"arm"}, "rule": {`{"match":{"method":"hello","nth":1},"act":{"do":"status","status":503}}`}})
	w.has("/controls", "2 rules are armed", "!ended")
	w.ok("/compose", url.Values{"do": {"send"}, "method": {"hello"}, "hash": {mockplatform.DemoPartner.Hash}, "args": {`{"name":"Ada"}`}})
	w.has("/controls", "1 rule is armed", "ended", "Forget") // it is listed still
	w.ok("/controls", url.Values{"do": {"preset"}, "preset": {"answers-lost"}})
	if n := len(w.platform.Faults().List()); n < 2 {
		t.Errorf("%d rules after a preset", n)
	}
	w.ok("/controls", url.Values{"do": {"disarm"}, "id": {w.platform.Faults().List()[0].ID}})
	w.ok("/controls", url.Values{"do": {"disarm"}})
	if n := len(w.platform.Faults().List()); n != 0 {
		t.Errorf("%d rules are left", n)
	}
	for name, bad := range map[string]struct{ rule, want string }{
		"not JSON":      {`{`, "not JSON"},
		"unknown field": {`{"match":{"methd":"x"},"act":{"do":"hang"}}`, "body.match.methd"},
		"unknown act":   {`{"act":{"do":"explode"}}`, "body.act"},
	} {
		status, body := w.form("/controls", url.Values{"do": {"arm"}, "rule": {bad.rule}})
		if status != http.StatusUnprocessableEntity || !strings.Contains(body, bad.want) {
			t.Errorf("%s: %d, want 422 and %q", name, status, bad.want)
		}
	}
	if n := len(w.platform.Faults().List()); n != 0 {
		t.Errorf("%d rules after refusals", n)
	}
}

// Every setting is explained in Russian as well, and nothing is that there is not.
func TestSettingsInRussian(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text, err := os.ReadFile("page/settings.ru.json")
	if err != nil {
		t.Fatal(err)
	}
	var docs map[string]string
	if err := json.Unmarshal(text, &docs); err != nil {
		t.Fatal(err)
	}
	_, page := w.get("/controls?lang=ru")
	page = html.UnescapeString(page)
	fields := regexp.MustCompile(`name="((?:integra|robokassa)\.[^"]+|magic_amounts)"`).FindAllStringSubmatch(page, -1)
	for _, f := range fields {
		if doc := docs[f[1]]; doc == "" || !strings.Contains(page, ">"+doc+"<") {
			t.Errorf("page/settings.ru.json does not say what %s is, or the page does not", f[1])
		}
		delete(docs, f[1])
	}
	for path := range docs {
		t.Errorf("page/settings.ru.json has %s, which is no setting", path)
	}
}

// Snapshots are taken, gone back to and forgotten; namespaces are made, gone to and ended.
func TestWorldButtons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok("/controls", url.Values{"do": {"snapshot"}, "name": {"before"}})
	if _, err := w.platform.Integra().Register(mockplatform.DemoPartner.Hash, wire.CreateUserArgs{Username: "late", Hash: strings.Repeat("1", 32)}); err != nil {
		t.Fatal(err)
	}
	if body := w.ok("/controls", url.Values{"do": {"restore"}, "name": {"before"}}); !strings.Contains(body, "<strong>before</strong>") {
		t.Error("the snapshot is not listed")
	}
	if n := len(w.platform.Integra().Users()); n != 1 {
		t.Errorf("%d users after going back; want 1", n)
	}
	w.ok("/controls", url.Values{"do": {"forget"}, "name": {"before"}})
	if body := w.ok("/controls", url.Values{"do": {"make"}, "name": {"mine"}}); !strings.Contains(body, "/ mine") || !strings.Contains(body, `href="../../ns/mine/controls"`) {
		t.Error("making a namespace does not lead into it")
	}
	w.has("/controls", `href="ns/mine/controls"`)
	if body := w.ok("/ns/mine/controls", url.Values{"do": {"drop"}, "name": {"mine"}}); strings.Contains(body, "mine") {
		t.Error("after its end the namespace is still there")
	}
	for _, bad := range []url.Values{
		{"do": {"snapshot"}, "name": {"a b"}},
		{"do": {"snapshot"}, "name": {""}},
		{"do": {"restore"}, "name": {"before"}},
		{"do": {"forget"}, "name": {"before"}},
		{"do": {"make"}, "name": {"ns/mine"}},
		{"do": {"make"}, "name": {".."}},
		{"do": {"drop"}, "name": {"mine"}},
	} {
		if status, body := w.form("/controls", bad); status < 400 || status > 499 || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%v: %d, want a refusal on the page", bad, status)
		}
	}
}

// Every setting of the API is on the page, and can be changed there.
func TestEverySettingIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.ok("/controls", url.Values{"do": {"settings"}})
	var walk func(path string, value any)
	leaves := 0
	walk = func(path string, value any) {
		if object, ok := value.(map[string]any); ok && !strings.Contains(page, `name="`+path+`"`) {
			for name, member := range object {
				walk(strings.TrimPrefix(path+"."+name, "."), member)
			}
			return
		}
		leaves++
		if !strings.Contains(page, `name="`+path+`"`) {
			t.Errorf("setting %s is not on the page", path)
		}
	}
	walk("", w.settings())
	if !strings.Contains(page, `value="9223372036854775807"`) {
		t.Error("the largest InvId is not shown to the last digit")
	}
	if leaves < 12 {
		t.Errorf("only %d settings", leaves)
	}
	w.ok("/controls", url.Values{
		"do": {"settings"}, "integra.confirm_repeated": {"refuse"}, "integra.notify.retries": {"2"}, "integra.notify.schedule_ms": {"[1000,2000]"},
		"integra.payment_expiry_ms": {"86400000"}, // as it is
	})
	s := w.platform.Integra().Settings()
	if s.ConfirmRepeated != "refuse" || s.Notify.Retries != 2 || len(s.Notify.Schedule) != 2 {
		t.Errorf("settings: %+v", s)
	}
	for field, bad := range map[string]string{"integra.notify.retries": "-1", "integra.notify.timeout_ms": "long", "integra.confirm_repeated": "maybe"} {
		status, body := w.form("/controls", url.Values{"do": {"settings"}, field: {bad}})
		if status != http.StatusUnprocessableEntity || !strings.Contains(body, field) {
			t.Errorf("%s=%s: %d, want 422 naming it", field, bad, status)
		}
	}
	w.ok("/controls", url.Values{"do": {"reset"}})
	if s := w.platform.Integra().Settings(); s.ConfirmRepeated != "success" {
		t.Errorf("after a reset: %+v", s)
	}
}

func (w *world) settings() (all map[string]any) {
	w.t.Helper()
	res, err := http.Get(w.platform.ControlURL() + "/settings")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestTopUpButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if status, body := w.form("/users", url.Values{"user": {userHash}, "amount": {"100"}}); status < 400 || !strings.Contains(body, `role="alert"`) {
		t.Errorf("top-up before a login: %d", status)
	}
	res, err := http.Get(w.page(nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	w.ok("/users", url.Values{"user": {userHash}, "amount": {"12.50"}})
	id := w.await()
	if p, ok := w.platform.Integra().Payment(id); !ok || p.Amount.Text() != "12.50" {
		t.Errorf("payment %+v, %v", p, ok)
	}
	for _, amount := range []string{"", "0", "-1", "1e3", "ten"} {
		if status, body := w.form("/users", url.Values{"user": {userHash}, "amount": {amount}}); status < 400 || !strings.Contains(body, `role="alert"`) {
			t.Errorf("top-up of %q: %d, want a refusal on the page", amount, status)
		}
	}
}

func TestComposer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	partner := mockplatform.DemoPartner.Hash
	body := w.ok("/compose", url.Values{"do": {"send"}, "method": {"hello"}, "hash": {partner}, "args": {`{"name":"Ada"}`}})
	if !strings.Contains(body, "Hello, Ada!") || !strings.Contains(body, "curl -X POST") {
		t.Errorf("hello:\n%s", body)
	}
	before := len(w.platform.Journal().List(journal.Filter{}))
	w.ok("/compose", url.Values{"do": {"show"}, "method": {"changeUrl"}, "hash": {userHash}, "args": {`{"url":"https://example.com"}`}})
	if after := len(w.platform.Journal().List(journal.Filter{})); after != before {
		t.Errorf("only shown, but %d exchanges more", after-before)
	}
	w.ok("/compose", url.Values{"do": {"send"}, "method": {"changeUrl"}, "hash": {userHash}, "args": {`{"url":"https://example.com"}`}})
	if u, _ := w.platform.Integra().User(userHash, 0); u.URL != "https://example.com" {
		t.Errorf("the user's address is %q", u.URL)
	}
	for name, bad := range map[string]url.Values{
		"method": {"method": {"steal"}, "hash": {partner}, "args": {"{}"}},
		"hash":   {"method": {"hello"}, "hash": {userHash}, "args": {"{}"}},
		"user":   {"method": {"changeUrl"}, "hash": {strings.Repeat("f", 32)}, "args": {"{}"}},
		"JSON":   {"method": {"hello"}, "hash": {partner}, "args": {"{"}},
		"object": {"method": {"hello"}, "hash": {partner}, "args": {"[]"}},
	} {
		if status, body := w.form("/compose", bad); status != http.StatusUnprocessableEntity || !strings.Contains(body, `role="alert"`) {
			t.Errorf("bad %s: %d, want 422", name, status)
		}
	}
}

// The pages of a namespace stay in it, and what they send reaches its own platform.
func TestPagesOfANamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok("/ns/other/controls", url.Values{"do": {"freeze"}})
	if w.platform.Clock().State() == (clock.State{}) || w.platform.Clock().State().Frozen {
		t.Error("the first world's clock was frozen from a namespace")
	}
	body := w.ok("/ns/other/compose", url.Values{"do": {"send"}, "method": {"hello"}, "hash": {mockplatform.DemoPartner.Hash}, "args": {`{"name":"Ada"}`}})
	if !strings.Contains(body, "Hello, Ada!") || !strings.Contains(body, "/ns/other/") {
		t.Errorf("hello in a namespace:\n%s", body)
	}
	if n := len(w.platform.Journal().List(journal.Filter{Method: "hello"})); n != 0 {
		t.Errorf("%d exchanges in the first world", n)
	}
}

// A person who mistypes an address is answered with a page, a program with a problem.
func TestNoSuchPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for accept, want := range map[string]string{"text/html,*/*;q=0.8": "There is no such page", "application/json": `"status":404`, "": `"status":404`} {
		for _, path := range []string{"/nowhere", "/ns/other/far/away"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.platform.ControlURL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", accept)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusNotFound || !strings.Contains(string(body), want) {
				t.Errorf("%s for %q: %d, %v, want 404 and %q\n%s", path, accept, res.StatusCode, err, want, body)
			}
		}
	}
}

// A form of a foreign page is not taken.
func TestForeignFormIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.platform.ControlURL()+"/controls", strings.NewReader("do=freeze"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden || w.platform.Clock().State().Frozen {
		t.Errorf("%d; %+v", res.StatusCode, w.platform.Clock().State())
	}
}

func testDashboard(t *testing.T, b *pagetest.Browser) {
	w := newWorld(t)
	tab := b.Open(t, w.page(nil), pagetest.Reader{Width: 1440, Height: 900})
	tab.Go(w.platform.ControlURL() + "/users")
	tab.Click(".row-link")
	tab.Until(`document.readyState === "complete" && document.querySelector("#amount") !== null`)
	tab.Fill("#amount", "70")
	tab.Press("\r")
	w.confirm(w.await(), "70")
	tab.Until(`document.querySelector('[aria-labelledby="user-title"] tbody tr') !== null && document.readyState === "complete"`)
	tab.Go(w.platform.ControlURL() + "/controls")
	tab.Click(`button[value="answers-lost"]`)
	tab.Until(`document.readyState === "complete" && document.body.innerText.includes("rules are armed")`)
	tab.Click(`button[value="freeze"]`)
	tab.Until(`document.readyState === "complete" && document.body.innerText.includes("stands still")`)
	tab.Select(`[name="integra.confirm_repeated"]`, "refuse")
	pagetest.Eval[bool](tab, `window.before = true`) // gone once the next page is there
	tab.Click(`[aria-labelledby="g-integra"] .card-head button`)
	tab.Until(`!window.before && document.readyState === "complete" && document.querySelector('[name="integra.confirm_repeated"]').value === "refuse"`)
	tab.Go(w.platform.ControlURL() + "/compose?hash=" + mockplatform.DemoPartner.Hash)
	tab.Click(`button[value="send"]`)
	tab.UntilText("Hello, World!")
	for _, lang := range []string{"ru", "en"} {
		tab := b.Open(t, w.platform.ControlURL()+"/controls", pagetest.Reader{Width: 360, Height: 700, Lang: lang})
		for _, path := range []string{"/controls", "/users", "/users?user=" + userHash, "/compose?method=createUser"} {
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
