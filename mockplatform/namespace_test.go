package mockplatform_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	money "github.com/partnerkit/partnerkit/contract/anymoney"
	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// send makes a request in a namespace that a header names, "" for none.
func send(t *testing.T, verb, address, namespace, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), verb, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if namespace != "" {
		r.Header.Set("X-Mock-Namespace", namespace)
	}
	if verb == http.MethodPost && strings.Contains(body, "=") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := (&http.Client{
		Transport:     client.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, _ := io.ReadAll(response.Body)
	return response, strings.TrimSpace(string(raw))
}

// Users, clock, faults, journal and settings of one namespace are nobody else's.
func TestNamespacesAreApart(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, frozen)
	hello := strings.TrimPrefix(address(t, s, wire.Hello, partner(), wire.HelloArgs{Name: "x"}, nil), s.PlatformURL())
	begin := s.Clock().Now()
	for _, tt := range []struct{ prefix, header string }{{"/ns/a", ""}, {"", "b"}, {"/ns/c", "c"}} {
		get := func(verb, path, body string) string {
			response, answer := send(t, verb, s.ControlURL()+tt.prefix+path, tt.header, body)
			if response.StatusCode >= 300 {
				t.Fatalf("%s %s: %d %s", verb, path, response.StatusCode, answer)
			}
			return answer
		}
		get("POST", "/clock/advance", `{"ms":3600000}`)
		get("POST", "/faults", `{"match":{"method":"hello","nth":2},"act":{"do":"status","status":503}}`)
		get("PATCH", "/settings", `{"integra":{"lost_answers":"error"}}`)
		if response, answer := send(t, "GET", s.PlatformURL()+tt.prefix+hello, tt.header, ""); response.StatusCode != 200 || !strings.Contains(answer, "Hello, x!") {
			t.Errorf("hello: %d %s", response.StatusCode, answer)
		}
		if response, _ := send(t, "GET", s.PlatformURL()+tt.prefix+hello, tt.header, ""); response.StatusCode != 503 {
			t.Errorf("the second hello: %d", response.StatusCode)
		}
		if got := get("GET", "/journal", ""); strings.Count(got, `"seq":`) != 2 || !strings.Contains(got, "GET "+tt.prefix+"/partners/acme/hello") {
			t.Errorf("journal: %s", got)
		}
	}
	if s.Journal().Len() != 0 || len(s.Faults().List()) != 0 || !s.Clock().Now().Equal(begin) {
		t.Errorf("the first world changed: %d exchanges, %d faults, %s", s.Journal().Len(), len(s.Faults().List()), s.Clock().Now())
	}
	if got := s.Integra().Settings().LostAnswers; got != "none" {
		t.Errorf("the first world loses answers: %s", got)
	}
	if _, got := send(t, "GET", s.ControlURL()+"/ns", "", ""); got != `{"namespaces":["a","b","c"]}` {
		t.Errorf("namespaces: %s", got)
	}
	a, err := s.Namespace("a")
	if err != nil || a.Journal().Len() != 2 || a.Clock().Now().Sub(begin) < time.Hour {
		t.Errorf("namespace a: %v", err)
	}
	if response, _ := send(t, "POST", s.ControlURL()+"/reset", "a", ""); response.StatusCode != 204 || a.Journal().Len() != 0 {
		t.Errorf("reset: %d", response.StatusCode)
	}
	if b, _ := s.Namespace("b"); b.Journal().Len() != 2 {
		t.Error("the reset of one reached another")
	}
	for _, want := range []int{204, 404} {
		if response, _ := send(t, "DELETE", s.ControlURL()+"/ns/b", "", ""); response.StatusCode != want {
			t.Errorf("delete: %d, want %d", response.StatusCode, want)
		}
	}
	if got := namesOf(t, s); fmt.Sprint(got) != "[a c]" {
		t.Errorf("after the deletion: %v", got)
	}
	if b, _ := s.Namespace("b"); b.Journal().Len() != 0 {
		t.Error("what was deleted is still there")
	}
}

func namesOf(t *testing.T, s *mockplatform.Server) []string {
	t.Helper()
	_, answer := send(t, "GET", s.ControlURL()+"/ns", "", "")
	_, list, _ := strings.Cut(answer, "[")
	return strings.FieldsFunc(strings.TrimSuffix(list, "]}"), func(c rune) bool { return c == ',' || c == '"' })
}

// The addresses that the stand-in makes lead back into the namespace.
func TestNamespaceAddresses(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, frozen)
	n, err := s.Namespace("shop")
	if err != nil {
		t.Fatal(err)
	}
	if n.PlatformURL() != s.PlatformURL()+"/ns/shop" || n.ControlURL() != s.ControlURL()+"/ns/shop" {
		t.Errorf("addresses %s and %s", n.PlatformURL(), n.ControlURL())
	}
	form := money.Form{"merchant": "37", "amount": "10", "externalid": "o1", "in_curr": "UAH", "payway": "visamc"}
	form["sign"] = money.Key("mock-sci-key-of-merchant-37").SignForm(form)
	fields := url.Values{}
	for name, value := range form {
		fields.Set(name, value)
	}
	response, _ := send(t, "POST", n.PlatformURL()+"/anymoney-sci/invoice", "", fields.Encode())
	link := response.Header.Get("Location")
	if !strings.HasPrefix(link, n.PlatformURL()+"/") {
		t.Fatalf("paylink %s", link)
	}
	placed := n.AnyMoney().Order("37", "o1")
	if placed == nil {
		t.Fatal("no order")
	}
	order := n.PlatformURL() + "/anymoney-sci/order/" + placed.Token
	response, page := send(t, "POST", order, "", "action=pay")
	if to, err := response.Location(); err != nil || response.StatusCode != http.StatusSeeOther || to.String() != order {
		t.Errorf("pay: %d to %s\n%s", response.StatusCode, to, page)
	}
	if got := n.AnyMoney().Order("37", "o1"); got == nil || got.Status != money.StatusDone {
		t.Errorf("order %+v", got)
	}
	if got := s.AnyMoney().Order("37", "o1"); got != nil {
		t.Error("the order is in the first world as well")
	}
}

func TestNamespaceIsRefused(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.Namespaces = 2 })
	empty, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ControlURL()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	empty.Header["X-Mock-Namespace"] = []string{""}
	if response, err := client.Do(empty); err != nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("an empty header: %v %v", response, err)
	} else {
		_ = response.Body.Close()
	}
	for _, tt := range []struct {
		path, header string
		status       int
		text         string
	}{
		{"/healthz", "a b", 400, "letters, digits"},
		{"/healthz", "..", 400, "points"},
		{"/healthz", strings.Repeat("x", 65), 400, "64"},
		{"/ns/a/healthz", "b", 400, "the path"},
		{"/ns//healthz", "", 400, "names no namespace"},
		{"/ns//healthz", "one", 400, "names no namespace"},
		{"/healthz", "one", 200, ""},
		{"/ns/two/healthz", "", 200, ""},
		{"/healthz", "three", 429, "delete one"},
		{"/healthz", "one", 200, ""},
	} {
		response, answer := send(t, "GET", s.ControlURL()+tt.path, tt.header, "")
		if response.StatusCode != tt.status || !strings.Contains(answer, tt.text) {
			t.Errorf("%s %q: %d %s; want %d %s", tt.path, tt.header, response.StatusCode, answer, tt.status, tt.text)
		}
	}
	if _, err := s.Namespace("three"); !errors.Is(err, mockplatform.ErrNamespaceLimit) {
		t.Errorf("one too many: %v", err)
	}
	if !s.DropNamespace("one") || s.DropNamespace("one") {
		t.Error("a namespace is dropped once")
	}
	if _, err := s.Namespace("three"); err != nil {
		t.Errorf("after a deletion: %v", err)
	}
}

// Where there are too many, the one makes room that was used the longest ago; never one in
// use, and never one that a test of this process holds.
func TestNamespaceMakesRoom(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.Namespaces, cfg.NamespaceIdle = 3, time.Nanosecond })
	if _, err := s.Namespace("held"); err != nil {
		t.Fatal(err)
	}
	waiting, end := context.WithCancel(t.Context())
	defer end()
	r, err := http.NewRequestWithContext(waiting, http.MethodGet, s.ControlURL()+"/ns/busy/journal/expect?method=none&count=1&within=600000", nil)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		if response, err := client.Do(r); err == nil {
			_ = response.Body.Close()
		}
	}()
	for !slices.Contains(namesOf(t, s), "busy") { // the request has arrived
		runtime.Gosched()
	}
	visit := func(name string, want int) {
		t.Helper()
		if response, answer := send(t, "GET", s.ControlURL()+"/healthz", name, ""); response.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", name, response.StatusCode, answer, want)
		}
	}
	visit("a", 200)
	visit("b", 200)
	if got := fmt.Sprint(namesOf(t, s)); got != "[b busy held]" {
		t.Errorf("namespaces %s", got)
	}
	if _, err := s.Namespace("b"); err != nil {
		t.Fatal(err)
	}
	visit("c", 429)
	if got := fmt.Sprint(namesOf(t, s)); got != "[b busy held]" {
		t.Errorf("after a refusal: %s", got)
	}
	end()
	<-over
	for done := false; !done; { // once the server has noticed
		response, _ := send(t, "GET", s.ControlURL()+"/healthz", "c", "")
		done = response.StatusCode == http.StatusOK
	}
	if got := fmt.Sprint(namesOf(t, s)); got != "[b c held]" {
		t.Errorf("namespaces %s", got)
	}
}

// Who was used the longest ago goes first.
func TestNamespaceOldestGoes(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.Namespaces, cfg.NamespaceIdle = 3, time.Nanosecond })
	for _, name := range []string{"a", "b", "c", "a", "d", "e"} {
		if response, answer := send(t, "GET", s.ControlURL()+"/healthz", name, ""); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", name, response.StatusCode, answer)
		}
	}
	if got := fmt.Sprint(namesOf(t, s)); got != "[a d e]" {
		t.Errorf("namespaces %s", got)
	}
}

// Many who make room at once hurt nobody whose request is under way.
func TestNamespacesMakeRoomAtOnce(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.Namespaces, cfg.NamespaceIdle = 4, time.Nanosecond })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/ns/n%d/journal", s.ControlURL(), i), nil)
				response, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close()
				if c := response.StatusCode; c != http.StatusOK && c != http.StatusTooManyRequests {
					t.Errorf("answered %d", c)
				}
			}
		})
	}
	wg.Wait()
	if got := namesOf(t, s); len(got) > 4 {
		t.Errorf("namespaces %v", got)
	}
}

// Of many who name a namespace at once, all get the same one; and all work beside each other.
func TestNamespacesAtOnce(t *testing.T) {
	t.Parallel()
	s := mockplatform.Start(t)
	hello := strings.TrimPrefix(address(t, s, wire.Hello, partner(), wire.HelloArgs{Name: "x"}, nil), s.PlatformURL())
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/ns/n%d%s", s.PlatformURL(), i%8, hello), nil)
			response, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
		})
	}
	wg.Wait()
	for i := range 8 {
		n, err := s.Namespace(fmt.Sprint("n", i))
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Journal().List(journal.Filter{Outcome: journal.OK}); len(got) != 5 {
			t.Errorf("namespace %d has %d exchanges, want 5", i, len(got))
		}
	}
}
