package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/contract/money"
)

var policy = adapter.Policy{Lease: 10 * time.Second, Retry: func(n int) time.Duration { return time.Second }, DeclineFor: 24 * time.Hour}

func TestSmoke(t *testing.T) {
	for _, db := range []string{"sqlite", "postgres"} {
		t.Run(db, func(t *testing.T) {
			url := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
			if db == "postgres" {
				url = adaptertest.Postgres(t)
			}
			ctx := t.Context()
			s, err := store.Open(ctx, store.Config{Database: url, Migrate: true, Serve: true, Policy: policy})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx2, cancel := context.WithCancel(ctx)
			done := make(chan error)
			go func() { done <- s.Run(ctx2) }()
			user := fmt.Sprintf("%032d", 1)
			if err := s.AddUser(ctx, adapter.User{Hash: user, Login: "x", CreatedAt: time.Now()}); err != nil {
				t.Fatal(err)
			}
			if b, err := s.Deposit(ctx, user, money.New(100000, money.RUB), "n", "k"); err != nil {
				t.Fatal(b, err)
			}
			if b, err := s.Deposit(ctx, user, money.New(100000, money.RUB), "n", "k"); err != nil {
				t.Fatal(b, err)
			}
			for i := range 5 {
				p, err := adapter.NewPayment(adapter.Key{Platform: "integra", ID: fmt.Sprintf("%032d", i)}, adapter.TopUp, user, money.New(40000, money.RUB), time.Now())
				if err != nil {
					t.Fatal(err)
				}
				st, first, err := s.Accept(ctx, p)
				if err != nil || !first {
					t.Fatal(first, err)
				}
				st2, first, err := s.Accept(ctx, p)
				if err != nil || first || st2 != st {
					t.Fatal(st2, st, err)
				}
				p.Amount = money.New(1, money.RUB)
				if _, _, err := s.Accept(ctx, p); err == nil {
					t.Fatal("no conflict")
				} else {
					t.Log(err)
				}
			}
			ps, err := s.Claim(ctx, 10)
			if err != nil || len(ps) != 5 {
				t.Fatal(ps, err)
			}
			for _, p := range ps {
				step, err := p.Decide(policy, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				p, err = s.Apply(ctx, step)
				if err != nil {
					t.Fatal(err)
				}
				p2, err := s.Apply(ctx, step)
				if err != nil || p2 != p {
					t.Fatal(err)
				}
				step, err = p.Answered(adapter.Outcome{Verdict: adapter.Accepted}, policy, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				p, err = s.Apply(ctx, step)
				if err != nil {
					t.Fatal(err)
				}
				h, err := s.History(ctx, p.Num)
				t.Log(h, err)
			}
			l, err := s.Payments(ctx, store.Filter{States: adapter.States, Limit: 3})
			t.Log(l, err)
			st, err := s.Statement(ctx, user, 0, 3)
			t.Log(st, err)
			st, err = s.Statement(ctx, user, st[2].Num, 0)
			t.Log(st, err)
			r, err := s.Verify(ctx)
			t.Log(r, err)
			stats, err := s.Stats(ctx)
			t.Log(stats, err)
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		})
	}
}
