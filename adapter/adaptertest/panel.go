package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

// What the partner's panel needs of the store: users, requests under their keys, tokens.

func testAddUsers(t *testing.T, f *fixture) {
	ctx := t.Context()
	users := func(ns ...int) (list []adapter.User) {
		for _, n := range ns {
			list = append(list, adapter.User{Hash: Hash(n), Login: fmt.Sprintf("user%d", n), CreatedAt: f.clock.Now()})
		}
		return list
	}
	if err := f.AddUsers(ctx, users(20, 21, 22)); err != nil {
		t.Fatal(err)
	}
	if err := f.AddUsers(ctx, nil); err != nil {
		t.Errorf("nobody: %v", err)
	}
	loginTaken := users(30, 31)
	loginTaken[1].Login = "user20"
	for _, tt := range []struct {
		name string
		list []adapter.User
		want string // hash of whom the error is about
	}{
		{"a hash that is here", users(30, 21, 31), Hash(21)},
		{"a login that is here", loginTaken, Hash(31)},
		{"twice the same", users(30, 31, 30), Hash(30)},
	} {
		err := f.AddUsers(ctx, tt.list)
		var taken *adapter.TakenError
		if !errors.As(err, &taken) || taken.Hash != tt.want || !errors.Is(err, adapter.ErrConflict) {
			t.Errorf("%s: %v; want a conflict about %s", tt.name, err, tt.want)
		}
		for _, n := range []int{30, 31} {
			if _, err := f.User(ctx, Hash(n)); !errors.Is(err, adapter.ErrNotFound) {
				t.Errorf("%s: user %d was stored all the same (%v)", tt.name, n, err)
			}
			if _, err := f.Balance(ctx, Hash(n)); !errors.Is(err, adapter.ErrNotFound) {
				t.Errorf("%s: user %d has a balance (%v)", tt.name, n, err)
			}
		}
	}
	list, err := f.Users(ctx, adapter.UserFilter{Login: "user21"})
	if err != nil || len(list) != 1 || list[0].Hash != Hash(21) {
		t.Errorf("by login: %v, %v", list, err)
	}
	f.clean(t)
}

func testArchive(t *testing.T, f *fixture) {
	ctx := t.Context()
	active := AddUser(t, f.Store, 2, 0)
	first := f.clock.Advance(time.Hour)
	archived := func(hash string) time.Time {
		t.Helper()
		u, err := f.User(ctx, hash)
		if err != nil {
			t.Fatal(err)
		}
		return u.ArchivedAt
	}
	for range 2 { // the first time stays
		if err := f.SetArchived(ctx, f.user, f.clock.Now()); err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(time.Hour)
	}
	if got := archived(f.user); !got.Equal(first) {
		t.Errorf("archived since %s, want %s", got, first)
	}
	yes, no := true, false
	for want, filter := range map[string]adapter.UserFilter{f.user: {Archived: &yes}, active: {Archived: &no}} {
		list, err := f.Users(ctx, filter)
		if err != nil || len(list) != 1 || list[0].Hash != want {
			t.Errorf("archived %t: %v, %v; want %s alone", *filter.Archived, list, err, want)
		}
	}
	if err := f.SetArchived(ctx, f.user, time.Time{}); err != nil || !archived(f.user).IsZero() {
		t.Errorf("unarchived: %v, since %s", err, archived(f.user))
	}
	wantErr(t, f.SetArchived(ctx, Hash(77), first), adapter.ErrNotFound)
}

// Keys are sealed anew in groups, beside whoever changes them meanwhile, and a run that is cut
// short is finished by the next.
func testSealAnew(t *testing.T, f *fixture) {
	ctx := t.Context()
	const users = 450 // more than two groups
	list := make([]adapter.User, users)
	for i := range list {
		list[i] = adapter.User{Hash: Hash(1000 + i), Login: fmt.Sprintf("u%d", i), SealedKey: []byte("old " + Hash(1000+i)), CreatedAt: f.clock.Now()}
	}
	if err := f.AddUsers(ctx, list); err != nil {
		t.Fatal(err)
	}
	cut := errors.New("cut short")
	calls := 0
	seal := func(stopAfter int) func(string, []byte) ([]byte, error) {
		return func(user string, sealed []byte) ([]byte, error) {
			if calls++; calls == stopAfter {
				return nil, cut
			}
			if rest, old := bytes.CutPrefix(sealed, []byte("old ")); old {
				return append([]byte("new "), rest...), nil
			}
			return sealed, nil
		}
	}
	done, err := f.SealAnew(ctx, seal(300))
	if !errors.Is(err, cut) || done == 0 || done >= users {
		t.Fatalf("cut short: %d done, %v", done, err)
	}
	rest, err := f.SealAnew(ctx, seal(0))
	if err != nil || done+rest != users {
		t.Errorf("%d and then %d done, %v; want %d in all", done, rest, err, users)
	}
	for _, u := range list {
		got, err := f.User(ctx, u.Hash)
		if err != nil || string(got.SealedKey) != "new "+u.Hash {
			t.Fatalf("user %s: %q, %v", u.Hash, got.SealedKey, err)
		}
	}
	if again, err := f.SealAnew(ctx, seal(0)); again != 0 || err != nil {
		t.Errorf("again: %d, %v", again, err)
	}
}

func testRequests(t *testing.T, f *fixture) {
	ctx := t.Context()
	const hold = 30 * time.Second
	r := adapter.Request{Key: "k", Operation: "deposit", Fingerprint: "abc", By: "panel", At: f.clock.Now()}
	begin := func(r adapter.Request, wantBegun bool, want error) adapter.Request {
		t.Helper()
		known, begun, err := f.BeginRequest(ctx, r, hold)
		if begun != wantBegun || !errors.Is(err, want) {
			t.Fatalf("begin %+v: begun %t, %v; want %t, %v", r, begun, err, wantBegun, want)
		}
		return known
	}
	begin(r, true, nil)
	begin(r, false, adapter.ErrUnderWay)
	other := r
	other.Fingerprint = "xyz"
	if known := begin(other, false, adapter.ErrConflict); known.Operation != "deposit" {
		t.Errorf("in conflict with %+v", known)
	}

	// Given back without an answer, it can be begun at once; left by a dead process, later.
	if _, err := f.EndRequest(ctx, r); err != nil {
		t.Fatal(err)
	}
	begin(r, true, nil)
	f.clock.Advance(hold - time.Microsecond)
	begin(r, false, adapter.ErrUnderWay)
	f.clock.Advance(time.Microsecond)
	begin(r, true, nil)

	answered := r
	answered.Status, answered.Answer = 201, []byte(`{"x":1}`)
	stored, err := f.EndRequest(ctx, answered)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "stored", stored, answered)
	late := r
	late.Status, late.Answer = 422, []byte(`no`)
	stored, err = f.EndRequest(ctx, late)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the answer of who was late", stored, answered)
	if _, err = f.EndRequest(ctx, r); err != nil { // gives nothing back any more
		t.Fatal(err)
	}
	equal(t, "a repeat", begin(r, false, nil), answered)
	begin(other, false, adapter.ErrConflict)
	_, _, err = f.BeginRequest(ctx, adapter.Request{Fingerprint: "abc"}, hold)
	wantErr(t, err, adapter.ErrInvalid)
}

// The transaction that has a request's effect says so, and old requests are forgotten, but for
// those that somebody works on.
func testRequestsDone(t *testing.T, f *fixture) {
	user := AddUser(t, f.Store, 77, 100_00)
	begin := func(key string) adapter.Request {
		t.Helper()
		known, begun, err := f.BeginRequest(t.Context(), adapter.Request{Key: key, Operation: "o", Fingerprint: "f", At: f.clock.Now()}, time.Minute)
		if err != nil || !begun {
			t.Fatalf("begin %s: %t, %v", key, begun, err)
		}
		return known
	}
	effects := map[string]func(ctx context.Context) error{
		"deposit": func(ctx context.Context) error {
			_, err := f.Deposit(ctx, user, RUB(1), "", "k")
			return err
		},
		"accept": func(ctx context.Context) error {
			_, _, err := f.Accept(ctx, TopUp(t, user, 1, f.clock.Now()))
			return err
		},
		"archive": func(ctx context.Context) error { return f.SetArchived(ctx, user, f.clock.Now()) },
		"nothing": func(ctx context.Context) error {
			if _, err := f.Withdraw(ctx, user, RUB(1_000_000_00), "", "w"); !errors.Is(err, adapter.ErrInsufficient) {
				return fmt.Errorf("withdraw: %w", err)
			}
			return nil
		},
	}
	for key, effect := range effects {
		if begin(key).Done {
			t.Errorf("%s is done before it is", key)
		}
		if err := effect(adapter.ForRequest(t.Context(), key)); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.Advance(time.Minute)
	for key := range effects {
		if r := begin(key); r.Done != (key != "nothing") {
			t.Errorf("%s: done %t", key, r.Done)
		}
	}
	for i := range 1200 { // more than one transaction forgets
		r := adapter.Request{Key: fmt.Sprint("old", i), Operation: "o", Fingerprint: "f", At: f.clock.Now().Add(-time.Hour)}
		if _, _, err := f.BeginRequest(t.Context(), r, time.Nanosecond); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.Advance(time.Second)
	if n, err := f.PruneRequests(t.Context(), f.clock.Now().Add(-time.Minute)); n != 1200 || err != nil {
		t.Errorf("forgot %d, %v; want 1200", n, err)
	}
	f.clock.Advance(30 * time.Second) // these are worked on
	if n, err := f.PruneRequests(t.Context(), f.clock.Now()); n != 0 || err != nil {
		t.Errorf("forgot %d that are worked on, %v", n, err)
	}
}

// Of many who come with one key at once, one begins.
func testRequestsConcurrently(t *testing.T, f *fixture) {
	for round := range 5 {
		r := adapter.Request{Key: fmt.Sprint("k", round), Operation: "o", Fingerprint: "f", At: f.clock.Now()}
		var begun, waiting atomic.Int64
		all(8, func(int) {
			switch _, first, err := f.BeginRequest(t.Context(), r, time.Minute); {
			case first && err == nil:
				begun.Add(1)
			case errors.Is(err, adapter.ErrUnderWay):
				waiting.Add(1)
			default:
				t.Errorf("begun %t, %v", first, err)
			}
		})
		if begun.Load() != 1 || waiting.Load() != 7 {
			t.Errorf("%d began and %d wait; want 1 and 7", begun.Load(), waiting.Load())
		}
	}
}

func testTokens(t *testing.T, f *fixture) {
	ctx := t.Context()
	minted := adapter.Token{ID: "one", Name: "panel", Scopes: []string{"payments:read", "admin"}, MintedAt: f.clock.Now(), ExpiresAt: f.clock.Now().Add(time.Hour)}
	if err := f.AddToken(ctx, minted); err != nil {
		t.Fatal(err)
	}
	wantErr(t, f.AddToken(ctx, minted), adapter.ErrConflict)
	revoked := func(id string, want bool) {
		t.Helper()
		if got, err := f.TokenRevoked(ctx, id); got != want || err != nil {
			t.Errorf("revoked %s: %t, %v; want %t", id, got, err, want)
		}
	}
	revoked("one", false)
	revoked("of somebody else", false)
	at := f.clock.Advance(time.Minute)
	for i, id := range []string{"one", "of somebody else", "one"} {
		err := f.RevokeToken(ctx, adapter.Token{ID: id, RevokedAt: at.Add(time.Duration(i) * time.Second), Reason: fmt.Sprint("reason ", i)})
		if err != nil {
			t.Fatal(err)
		}
	}
	revoked("one", true)
	revoked("of somebody else", true)
	wantErr(t, f.RevokeToken(ctx, adapter.Token{RevokedAt: at}), adapter.ErrInvalid)
	list, err := f.Tokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	minted.RevokedAt, minted.Reason = at, "reason 0"
	equal(t, "tokens", list, []adapter.Token{
		{ID: "of somebody else", Scopes: []string{}, RevokedAt: at.Add(time.Second), Reason: "reason 1"},
		minted,
	})
}
