package integra_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
	wire "github.com/partnerkit/partnerkit/contract/integra"
)

// asked is one request as the platform got it.
type asked struct{ Method, Hash, Key, Args, Form string }

// panel returns Users whose client is changed, over a platform that answers by method (or by
// key and method, "old createUser") and notes what it was asked. Requests are opened with
// whichever of the known keys fits.
func panel(t testing.TB, p *people, answers map[string]string, change func(*integra.ClientConfig)) (*integra.Users, *[]asked) {
	t.Helper()
	cfg := integra.ClientConfig{BaseURL: platform, PartnerPath: "partners/acme", Partner: wire.Credentials{Hash: partnerHash, Key: partnerKey}}
	if change != nil {
		change(&cfg)
	}
	c, err := integra.NewClient(cfg, p, plainVault{})
	if err != nil {
		t.Fatal(err)
	}
	var got []asked
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		e, err := wire.ParseK(r.URL.Query().Get("k"))
		if err != nil {
			return nil, err
		}
		a := asked{Method: r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], Hash: e.Hash}
		for name, key := range map[string]string{"partner": partnerKey, "user": userKey, "old": "old-partner-key-0123456789"} {
			if plain, err := e.Open(wire.Simple, key); err == nil && strings.HasPrefix(string(plain), "{") {
				a.Key, a.Args = name, string(plain)
			}
		}
		if r.Body != nil {
			form, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			a.Form = string(form)
		}
		got = append(got, a)
		answer, ok := answers[a.Key+" "+a.Method]
		if !ok {
			answer = answers[a.Method]
		}
		return httpmock.NewStringResponse(200, answer), nil
	})
	c.HTTP().Transport = mock
	return integra.NewUsers(c, p, plainVault{}, endpoint(t, integra.Names{}, integra.GuardByToken(tokens{})), strings.NewReader(strings.Repeat("dice", 100)), func() time.Time { return day }), &got
}

func success(data string) string {
	return `{"status":{"code":0,"message":"ok"},"error":false,"data":` + data + `}`
}

const refusal6 = `{"status":{"code":6,"message":"archived"},"error":true}`

func TestArchive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer string
		err          error // nil for success
	}{
		{"yes", success(`{"userHash":"` + userHash + `","lastBillingDate":"2026-03-02"}`), nil},
		{"no answer", "<html>", adapter.ErrUnanswered},
	} {
		p := somebody()
		u, calls := panel(t, p, map[string]string{"archiveUser": tt.answer}, nil)
		if _, err := u.Login(t.Context(), userHash, ""); err != nil { // the user is remembered as active
			t.Fatal(err)
		}
		last, err := u.Archive(t.Context(), userHash)
		if !errors.Is(err, tt.err) || err == nil && last != "2026-03-02" {
			t.Errorf("%s: Archive = %q, %v; want %v", tt.name, last, err, tt.err)
		}
		want := []asked{{"archiveUser", userHash, "user", `{"partner":"` + partnerHash + `"}`, ""}}
		if diff := cmp.Diff(want, *calls); diff != "" {
			t.Errorf("%s: the platform got (-want +got):\n%s", tt.name, diff)
		}
		if got := p.byHash[userHash].ArchivedAt; got.IsZero() != (tt.err != nil) {
			t.Errorf("%s: archived since %s", tt.name, got)
		}
		if _, err := u.Login(t.Context(), userHash, ""); errors.Is(err, adapter.ErrArchived) != (tt.err == nil) {
			t.Errorf("%s: login afterwards: %v", tt.name, err)
		}
	}
	p := somebody()
	u, _ := panel(t, p, map[string]string{"archiveUser": refusal6, "unarchiveUser": success(`{"userHash":"` + userHash + `"}`)}, nil)
	_, err := u.Archive(t.Context(), userHash)
	var refusal *adapter.Refusal
	if !errors.As(err, &refusal) || refusal.Code != 6 || !p.byHash[userHash].ArchivedAt.IsZero() {
		t.Errorf("refused: %v, archived since %s", err, p.byHash[userHash].ArchivedAt)
	}
	p.byHash[userHash] = adapter.User{Hash: userHash, SealedKey: p.byHash[userHash].SealedKey, ArchivedAt: day}
	if err := u.Unarchive(t.Context(), userHash); err != nil || !p.byHash[userHash].ArchivedAt.IsZero() {
		t.Errorf("Unarchive: %v, archived since %s", err, p.byHash[userHash].ArchivedAt)
	}
	if _, err := u.Archive(t.Context(), otherUser); !errors.Is(err, adapter.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}

func TestEmbedIsHTML(t *testing.T) {
	t.Parallel()
	u, _ := panel(t, somebody(), nil, func(c *integra.ClientConfig) { c.Resizer = `/a"b.js` })
	l, err := u.Login(t.Context(), userHash, "go/help")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`src="/a&#34;b.js"`, strings.ReplaceAll(l.URL, "&", "&amp;"), "iFrameResize({checkOrigin:false}, this)"} {
		if !strings.Contains(l.Embed, want) {
			t.Errorf("embed has no %s:\n%s", want, l.Embed)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	const one = `{"messages":[{"id":17,"userLogin":"a","type":"low_balance","title":"T","text":"<a href=\"{{go/payment}}\">x</a> {{/go/help}} {{amount}}","params":{"amount":"5"},"templateId":"3","textTemplate":"{{go/support}}","titleTemplate":"TT"}]}`
	link := func(c *integra.ClientConfig) { c.PanelLink = "https://panel.example/promo?a=1&r={r}" }
	u, calls := panel(t, somebody(), map[string]string{
		"getMessages": success(one), "getUserMessages": success(one), "readMessages": success(`{"success":2}`),
		"getMessageTemplates": success(`{"messages":[{"templateId":1,"textTemplate":"{{go/payment}}","titleTemplate":"TT"}]}`),
	}, link)
	want := []adapter.Message{{
		ID: "17", Login: "a", Type: "low_balance", Title: "T", Params: []byte(`{"amount":"5"}`), TemplateID: "3", TitleTemplate: "TT",
		Text:         `<a href="https://panel.example/promo?a=1&amp;r=go%2Fpayment">x</a> https://panel.example/promo?a=1&amp;r=go%2Fhelp {{amount}}`,
		TextTemplate: "https://panel.example/promo?a=1&amp;r=go%2Fsupport",
	}}
	for _, user := range []string{"", userHash} {
		got, err := u.Messages(t.Context(), user)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("messages to %q: %v (-want +got):\n%s", user, err, diff)
		}
	}
	if got, err := u.MessageTemplates(t.Context()); err != nil || len(got) != 1 || got[0].Text != "https://panel.example/promo?a=1&amp;r=go%2Fpayment" {
		t.Errorf("templates: %v, %v", got, err)
	}
	if n, err := u.ReadMessages(t.Context(), []int64{17, 18}); n != 2 || err != nil {
		t.Errorf("ReadMessages = %d, %v", n, err)
	}
	for _, ids := range [][]int64{nil, {0}, {-1}, make([]int64, 1001)} {
		if _, err := u.ReadMessages(t.Context(), ids); !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(err.Error(), "ids") {
			t.Errorf("%d ids: %v", len(ids), err)
		}
	}
	partner := `{"partner":"` + partnerHash + `"}`
	wantCalls := []asked{
		{"getMessages", partnerHash, "partner", partner, ""},
		{"getUserMessages", userHash, "user", partner, ""},
		{"getMessageTemplates", partnerHash, "partner", partner, ""},
		{"readMessages", partnerHash, "partner", partner, url.Values{"ids": {"17,18"}}.Encode()},
	}
	if diff := cmp.Diff(wantCalls, *calls); diff != "" {
		t.Errorf("the platform got (-want +got):\n%s", diff)
	}

	plain, _ := panel(t, somebody(), map[string]string{"getMessages": success(one)}, nil)
	if got, err := plain.Messages(t.Context(), ""); err != nil || !strings.Contains(got[0].Text, "{{go/payment}}") {
		t.Errorf("without a panel link: %v, %v", got, err)
	}
}

func TestPanelLinkIsChecked(t *testing.T) {
	t.Parallel()
	for link, ok := range map[string]bool{
		"": true, "https://panel.example/p?r={r}": true, "/promo/{r}": true,
		"https://panel.example/": false, "javascript:alert({r})": false, "promo?r={r}": false, "https:///{r}": false, "ftp://x/{r}": false,
	} {
		if err := integra.CheckPanelLink(link); (err == nil) != ok {
			t.Errorf("%q: %v; want it taken: %t", link, err, ok)
		}
	}
}

// While the partner's key is being replaced, calls find the one that the platform asks for and
// stay with it, and a refusal that has nothing to do with the key is told as it was.
func TestTwoPartnerKeys(t *testing.T) {
	t.Parallel()
	const (
		wrong   = `{"status":{"code":2,"message":"wrong partner key"},"error":true}`
		garbage = `{"status":{"code":1,"message":"no arguments"},"error":true}`
		data    = `{"hash":"` + userHash + `","balance":5}`
	)
	twoKeys := func(c *integra.ClientConfig) { c.PreviousKey = "old-partner-key-0123456789" }
	names := func(calls []asked) (list []string) {
		for _, c := range calls {
			list = append(list, c.Key)
		}
		return list
	}
	for _, tt := range []struct {
		name    string
		answers map[string]string
		code    int // of the refusal; 0 for success
		keys    []string
	}{
		{"already the new", map[string]string{"partner getUserData": success(data), "old getUserData": wrong}, 0, []string{"partner", "partner"}},
		{"still the old", map[string]string{"partner getUserData": wrong, "old getUserData": success(data)}, 0, []string{"partner", "old", "old"}},
		{"still the old, said otherwise", map[string]string{"partner getUserData": garbage, "old getUserData": success(data)}, 0, []string{"partner", "old", "old"}},
		{"bad input", map[string]string{"partner getUserData": garbage, "old getUserData": wrong}, 1, []string{"partner", "old", "partner", "old"}},
		{"refused for another reason", map[string]string{"getUserData": refusal6}, 6, []string{"partner", "partner"}},
	} {
		u, calls := panel(t, somebody(), tt.answers, twoKeys)
		for range 2 {
			got, err := u.Live(t.Context(), userHash)
			var refusal *adapter.Refusal
			switch {
			case errors.As(err, &refusal):
				if refusal.Code != tt.code {
					t.Errorf("%s: %v; want code %d", tt.name, err, tt.code)
				}
			case err != nil, tt.code != 0, got.Balance != "5":
				t.Errorf("%s: %+v, %v; want code %d", tt.name, got, err, tt.code)
			}
		}
		if diff := cmp.Diff(tt.keys, names(*calls)); diff != "" {
			t.Errorf("%s: keys used (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Links that were handed out under the secret before this one stay good.
func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	const current, previous = "0123456789abcdef-new", "0123456789abcdef-old"
	guard, err := integra.GuardBySecret(current, previous)
	if err != nil {
		t.Fatal(err)
	}
	e := endpoint(t, integra.Names{}, guard)
	if text, err := e.Template(userHash); err != nil || !strings.Contains(text, "/"+current+"?") {
		t.Errorf("template %s, %v; want the new secret in it", text, err)
	}
	for secret, want := range map[string]int{current: 200, previous: 200, "0123456789abcdef-xyz": 401} {
		w := newRecorder(receiver(&books{first: true}, e, io.Discard, nil), "http://adapter.example/integra/notify/"+secret+"?id="+paymentID+"&amount=1&hash="+userHash)
		if w.Code != want {
			t.Errorf("under %s: %d %s; want %d", secret, w.Code, w.Body, want)
		}
	}
	if _, err := integra.GuardBySecret(current, "short"); !errors.Is(err, adapter.ErrInvalid) {
		t.Errorf("a short previous secret: %v", err)
	}
}
