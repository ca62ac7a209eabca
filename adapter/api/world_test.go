package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/worker"
	"github.com/partnerkit/partnerkit/contract/money"
)

// world is the API over a real store and the real service; the platform alone is played.
type world struct {
	http.Handler
	*store.Store
	clock   *adaptertest.Clock
	service *adapter.Service
	pool    *worker.Pool
	people  *people
	verdict atomic.Value // of the platform's next answers, an adapter.Verdict
}

// newWorld changes the config last.
func newWorld(t testing.TB, change func(*api.Config)) *world {
	t.Helper()
	w := &world{clock: adaptertest.NewClock()}
	w.verdict.Store(adapter.Accepted)
	w.Store = adaptertest.Open(t, adaptertest.SQLite(t), func(c *store.Config) { c.Now = w.clock.Now })
	w.service = adapter.NewService(w.Store, idle{}, adaptertest.Policy, w.clock.Now)
	w.people = &people{Store: w.Store, now: w.clock.Now}
	var err error
	w.pool, err = worker.New(w.Store, w, w, worker.Config{Policy: adaptertest.Policy, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := api.Config{
		Users: w.people, Payments: w.service, Balances: w.Store, Ledger: w.Store, Records: w.Store, Actions: w.Store, Requests: w.Store, Currency: money.RUB,
		Revoked: w.TokenRevoked, Act: w.Act, Now: w.clock.Now, Version: "test", Log: slog.New(slog.DiscardHandler),
		Verify: func(text string) (api.Grant, error) {
			return api.Grant{ID: text, Name: "panel of " + text, Scopes: strings.Split(text, "+")}, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	w.Handler = api.New(cfg)
	return w
}

// idle takes no work: tests drive payments themselves.
type idle struct{}

func (idle) Admit(context.Context) bool { return false }
func (idle) Submit(adapter.Payment)     {}
func (idle) Return()                    {}
func (idle) Kick()                      {}

// Call is the platform's answer to every payment.
func (w *world) Call(context.Context, adapter.Payment) adapter.Outcome {
	return adapter.Outcome{Verdict: w.verdict.Load().(adapter.Verdict), Code: 9, Detail: "so"}
}

// Refuses tells registered users from others.
func (w *world) Refuses(ctx context.Context, user string) (string, error) {
	if _, err := w.User(ctx, user); err != nil {
		return adapter.ReasonUnknownUser, nil
	}
	return "", nil
}

// drive carries whatever is due as far as it goes.
func (w *world) drive(t testing.TB) {
	t.Helper()
	due, err := w.Claim(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range due {
		if _, err := w.pool.Drive(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

// user is a new user with so many kopecks.
func (w *world) user(t testing.TB, n int, kopecks int64) string {
	t.Helper()
	return adaptertest.AddUser(t, w.Store, n, kopecks)
}

// post sends a body as admin.
func (w *world) post(path, key, body string) *http.Response {
	return call(w, "POST", "/v1/"+path, "Bearer admin", key, body)
}

// clean checks the books.
func (w *world) clean(t testing.TB) {
	t.Helper()
	r, err := w.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Differences {
		t.Error("verify:", d)
	}
}

// people is a platform that does as the login says.
type people struct {
	*store.Store
	now   func() time.Time
	count atomic.Int64 // users made
}

func (p *people) Register(ctx context.Context, r adapter.Registration) (adapter.User, error) {
	switch r.Login {
	case "taken":
		return adapter.User{}, &adapter.Refusal{Code: 3, Message: "username is taken", Field: "login", Reason: "choose another"}
	case "silent":
		return adapter.User{}, fmt.Errorf("createUser: %w", adapter.ErrUnanswered)
	}
	u := adapter.User{Hash: adaptertest.Hash(int(1_000_000 + p.count.Add(1))), Login: r.Login, CreatedAt: p.now()}
	return u, p.AddUser(ctx, u)
}

func (p *people) Archive(ctx context.Context, user string) (string, error) {
	return "2026-05-05", p.SetArchived(ctx, user, p.now())
}

func (p *people) Unarchive(ctx context.Context, user string) error {
	return p.SetArchived(ctx, user, time.Time{})
}

func (p *people) Login(ctx context.Context, user, screen string) (adapter.Login, error) {
	u, err := p.User(ctx, user)
	switch {
	case err != nil:
		return adapter.Login{}, err
	case !u.ArchivedAt.IsZero():
		return adapter.Login{}, adapter.ErrArchived
	case screen != "" && screen != "go/payment":
		return adapter.Login{}, adapter.ErrInvalid
	}
	return adapter.Login{URL: "https://platform.example/?r=" + screen, Embed: "<iframe>"}, nil
}

func (p *people) Live(ctx context.Context, user string) (adapter.PlatformUser, error) {
	u, err := p.User(ctx, user)
	if err == nil && u.Login == "user2" {
		err = fmt.Errorf("getUserData: %w", adapter.ErrUnanswered)
	}
	return adapter.PlatformUser{Balance: "12.5", Status: "run", Unread: 2, LastsUntil: p.now()}, err
}

func (p *people) Messages(_ context.Context, user string) ([]adapter.Message, error) {
	if user == adaptertest.Hash(2) {
		return nil, fmt.Errorf("getUserMessages: %w", adapter.ErrUnanswered)
	}
	return []adapter.Message{{ID: "17", Login: "user1", Type: "welcome", Title: "T", Text: "<b>x</b>", TemplateID: "1"}}, nil
}

func (p *people) MessageTemplates(context.Context) ([]adapter.MessageTemplate, error) {
	return []adapter.MessageTemplate{{ID: "1", Title: "T", Text: "x"}}, nil
}

func (p *people) ReadMessages(_ context.Context, ids []int64) (int, error) { return len(ids), nil }
