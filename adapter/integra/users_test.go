package integra_test

import (
	"bytes"
	"context"
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

const (
	registered = `{"status":{"code":0,"message":"ok"},"error":false,"data":{"cryptKey":"q8w1dm0ra5"}}`
	taken      = `{"status":{"code":3,"message":"hash is taken"},"error":true}`
)

// users returns Users over a platform that gives the answers one after the other, and what
// the platform decrypts of the requests.
func users(t testing.TB, p *people, answers ...string) (*integra.Users, *[]string) {
	t.Helper()
	c, err := integra.NewClient(integra.ClientConfig{
		BaseURL: platform, PartnerPath: "partners/acme", Partner: wire.Credentials{Hash: partnerHash, Key: partnerKey},
	}, p, plainVault{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		e, err := wire.ParseK(r.URL.Query().Get("k"))
		if err != nil {
			return nil, err
		}
		plain, err := e.Open(wire.Simple, partnerKey)
		if err != nil {
			return nil, err
		}
		got = append(got, string(plain))
		return httpmock.NewStringResponse(200, answers[len(got)-1]), nil
	})
	c.HTTP().Transport = mock
	dice := bytes.NewReader([]byte("0123456789abcdefABCDEFGHIJKLMNOP"))
	return integra.NewUsers(c, p, plainVault{}, endpoint(t, integra.Names{}, integra.GuardByToken(tokens{})), dice, func() time.Time { return day }), &got
}

const (
	firstHash  = "30313233343536373839616263646566" // of the dice's first 16 bytes
	secondHash = "4142434445464748494a4b4c4d4e4f50"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	whole := adapter.Registration{Login: login, Email: "a@acme.example", Phone: "+79551234567", SuggestedDomain: "acme-site.ru", InviterID: "17"}
	const firstCall = `{"username":"acme-site.ru-11235813","hash":"` + firstHash + `","email":"a@acme.example","phone":"+79551234567","suggestedDomain":"acme-site.ru","inviterUserId":"17"}`
	tests := []struct {
		name    string
		reg     adapter.Registration
		answers []string
		store   error
		calls   []string
		hash    string // of the stored user; "" if there is none
		returns string // hash of the returned user
		check   func(error) bool
	}{
		{
			name: "new", reg: whole, answers: []string{registered}, calls: []string{firstCall}, hash: firstHash, returns: firstHash,
			check: func(err error) bool { return err == nil },
		},
		{
			name: "hash is taken", reg: adapter.Registration{Login: login}, answers: []string{taken, registered}, hash: secondHash, returns: secondHash,
			calls: []string{`{"username":"acme-site.ru-11235813","hash":"` + firstHash + `"}`, `{"username":"acme-site.ru-11235813","hash":"` + secondHash + `"}`},
			check: func(err error) bool { return err == nil },
		},
		{
			name: "login is taken, which has the same code", reg: adapter.Registration{Login: login}, answers: []string{taken, taken},
			calls: []string{`{"username":"acme-site.ru-11235813","hash":"` + firstHash + `"}`, `{"username":"acme-site.ru-11235813","hash":"` + secondHash + `"}`},
			check: func(err error) bool {
				var e *adapter.Refusal
				return errors.As(err, &e) && e.Code == 3 && e.Field == "login" && strings.Contains(err.Error(), "choose another")
			},
		},
		{
			name: "refused otherwise", reg: whole, answers: []string{`{"status":{"code":1,"message":"phone"},"error":true}`}, calls: []string{firstCall},
			check: refused(1),
		},
		{
			name: "outcome unknown: not tried again", reg: whole, answers: []string{"<html>"}, calls: []string{firstCall},
			check: func(err error) bool {
				var e *integra.CallError
				return errors.As(err, &e) && e.Verdict == adapter.Unknown
			},
		},
		{
			name: "no login", reg: adapter.Registration{},
			check: func(err error) bool { return errors.Is(err, adapter.ErrInvalid) },
		},
		{
			name: "registered, but not stored", reg: whole, answers: []string{registered}, store: adapter.ErrConflict, calls: []string{firstCall}, returns: firstHash,
			check: func(err error) bool {
				return errors.Is(err, adapter.ErrConflict) && !strings.Contains(err.Error(), "q8w1")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &people{byHash: map[string]adapter.User{}, err: tt.store}
			u, calls := users(t, p, tt.answers...)
			got, err := u.Register(t.Context(), tt.reg)
			if !tt.check(err) || got.Hash != tt.returns {
				t.Errorf("Register = %q, %v; want %q", got.Hash, err, tt.returns)
			}
			if diff := cmp.Diff(tt.calls, *calls); diff != "" {
				t.Errorf("the platform got (-want +got):\n%s", diff)
			}
			want := map[string]adapter.User{}
			if tt.hash != "" {
				want[tt.hash] = adapter.User{Hash: tt.hash, Login: login, SealedKey: []byte(tt.hash + "q8w1dm0ra5"), CreatedAt: day}
			}
			if diff := cmp.Diff(want, p.byHash); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

func refused(code int) func(error) bool {
	return func(err error) bool {
		var e *integra.CallError
		return errors.As(err, &e) && e.Verdict == adapter.Refused && e.Code == code
	}
}

func TestRegisterStoresAlthoughTheCallerHangsUp(t *testing.T) {
	t.Parallel()
	p := &people{byHash: map[string]adapter.User{}}
	ctx, hangUp := context.WithCancel(t.Context())
	c, err := integra.NewClient(integra.ClientConfig{BaseURL: platform, Partner: wire.Credentials{Hash: partnerHash, Key: partnerKey}}, p, plainVault{})
	if err != nil {
		t.Fatal(err)
	}
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(*http.Request) (*http.Response, error) {
		defer hangUp()
		return httpmock.NewStringResponse(200, registered), nil
	})
	c.HTTP().Transport = mock
	picky := &pickyStore{p}
	u := integra.NewUsers(c, picky, plainVault{}, endpoint(t, integra.Names{}, integra.Unguarded()), strings.NewReader(firstHash), time.Now)
	if _, err := u.Register(ctx, adapter.Registration{Login: login}); err != nil || len(p.byHash) != 1 {
		t.Errorf("Register: %v with %d users stored; want one: the platform shows the key only once", err, len(p.byHash))
	}
}

// pickyStore stores nothing for a caller that is gone.
type pickyStore struct{ *people }

func (p *pickyStore) AddUsers(ctx context.Context, users []adapter.User) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.people.AddUsers(ctx, users)
}

func TestRegisterWithoutDice(t *testing.T) {
	t.Parallel()
	p := somebody()
	c, _ := newClient(t, platform, nil)
	u := integra.NewUsers(c, p, plainVault{}, endpoint(t, integra.Names{}, integra.Unguarded()), strings.NewReader("short"), time.Now)
	if _, err := u.Register(t.Context(), adapter.Registration{Login: login}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Register: %v; want ErrUnexpectedEOF rather than a hash that can be guessed", err)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	u, calls := users(t, somebody())
	login, err := u.Login(t.Context(), userHash, "/go/payment")
	if err != nil {
		t.Fatal(err)
	}
	link := login.URL
	parsed, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	e, err := wire.ParseK(parsed.Query().Get("k"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := e.Open(wire.Simple, userKey)
	const want = `{"login":"acme-site.ru-11235813","hash":"0123456789abcdef0123456789abcdef",` +
		`"paymentNotifyUrl":"http://adapter.example/integra/notify?id={id}&amount={amount}&hash={hash}&token=for-0123456789abcdef0123456789abcdef"}`
	if string(plain) != want || err != nil || e.Hash != userHash {
		t.Errorf("k of %s holds %s, %v\nwant %s", e.Hash, plain, err, want)
	}
	if !strings.HasPrefix(link, platform+"/partners/acme/cryptLogin?k=zaa"+userHash) || parsed.Query().Get("r") != "go/payment" {
		t.Errorf("link is %s; want cryptLogin with k and the screen", link)
	}
	if len(*calls) != 0 {
		t.Errorf("%d calls were made, want none", len(*calls))
	}

	login, err = u.Login(t.Context(), userHash, "")
	if err != nil || strings.Contains(login.URL, "r=") {
		t.Errorf("without a screen: %s, %v; want no r", login.URL, err)
	}
	if _, err := u.Login(t.Context(), userHash, "go/home"); !errors.Is(err, adapter.ErrInvalid) || !strings.Contains(err.Error(), "r: ") {
		t.Errorf("unknown screen: %v; want ErrInvalid that names r", err)
	}
	if _, err := u.Login(t.Context(), otherUser, ""); !errors.Is(err, adapter.ErrNotFound) {
		t.Errorf("unknown user: %v; want ErrNotFound", err)
	}
}

// TestLoginLeadsBackToTheReceiver: the platform expands the template as its documents
// say, and the receiver takes what comes of it.
func TestLoginLeadsBackToTheReceiver(t *testing.T) {
	t.Parallel()
	for name, guard := range map[string]integra.Guard{
		"token": integra.GuardByToken(tokens{}), "secret": secretGuard(t, "0123456789abcdef-_"), "none": integra.Unguarded(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := endpoint(t, integra.Names{ID: "transaction_id"}, guard)
			text, err := e.Template(userHash)
			if err != nil {
				t.Fatal(err)
			}
			template, err := wire.ParseNotifyTemplate(text)
			if err != nil {
				t.Fatal(err)
			}
			b := &books{first: true}
			w := newRecorder(receiver(b, e, io.Discard, nil), template.Expand(paymentID, "100.5", userHash))
			if w.Code != 200 || len(b.accepted) != 1 {
				t.Errorf("%s answered %d %s and stored %d; want 200 and one", template, w.Code, w.Body, len(b.accepted))
			}
		})
	}
}
