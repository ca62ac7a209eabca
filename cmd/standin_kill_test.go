package cmd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// spender is a user of a stand-in with --data, who pays directly and by card without a pause.
type spender struct {
	t        *testing.T
	platform *stage.Platform
	file     string
	args     []string
	made     atomic.Int64 // calls that were answered

	mu   sync.Mutex
	sent []string // paymentHashes of direct payments over 1 rouble each, answered or not
}

const (
	spenderHash = "5bec7a00000000000000000000000000"
	spenderKey  = "key-of-the-spender"
)

func (s *spender) start() {
	s.t.Helper()
	var err error
	if s.platform, err = stage.StartPlatform(s.t.Context(), binaries, nil, s.args...); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = s.platform.Kill() })
}

// direct is doPayment; an error is one of the connection.
func (s *spender) direct(ctx context.Context, hash string) error {
	k, err := integra.Seal(integra.Simple, integra.Credentials{Hash: spenderHash, Key: spenderKey},
		integra.DoPaymentArgs{PaymentSum: "1", PaymentHash: hash, UserLogin: "spender"})
	if err != nil {
		return err
	}
	address, err := integra.RequestURL(s.platform.URL, s.platform.PartnerPath, integra.DoPayment, k, nil)
	if err != nil {
		return err
	}
	answer, err := s.platform.Fetch(ctx, http.MethodPost, address)
	if err == nil && !strings.Contains(string(answer), `"error":false`) {
		s.t.Errorf("doPayment: %s", answer)
	}
	return err
}

// byCard tops up by card, over 2 roubles.
func (s *spender) byCard(ctx context.Context) error {
	var payment struct {
		Number string `json:"inv_id"`
		PayURL string `json:"pay_url"`
	}
	err := s.platform.Do(ctx, http.MethodPost, "/integra/users/"+spenderHash+"/topups", map[string]string{"amount": "2", "via": "robokassa"}, &payment)
	if err == nil {
		_, err = s.platform.Fetch(ctx, http.MethodGet, payment.PayURL)
	}
	if err == nil {
		err = s.platform.Do(ctx, http.MethodPost, "/robokassa/operations/"+payment.Number+"/pay", map[string]string{"shop": "integra"}, nil)
	}
	return err
}

// spend goes on until the stand-in is gone.
func (s *spender) spend(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	for i := range 2 {
		all.Go(func() {
			for n := 0; ; n++ {
				var err error
				if i == 0 && n < 250 { // the shop shows a thousand
					err = s.byCard(ctx)
				} else {
					hash := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
					s.mu.Lock()
					s.sent = append(s.sent, hash)
					s.mu.Unlock()
					err = s.direct(ctx, hash)
				}
				if err != nil {
					return
				}
				s.made.Add(1)
			}
		})
	}
	return all.Wait
}

// kept is what the stand-in knows after a start: direct payments, when all that is due by
// card has come. It checks that the money is right.
func (s *spender) kept() (direct []string) {
	s.t.Helper()
	ctx := s.t.Context()
	if err := s.platform.Do(ctx, http.MethodPost, "/clock/advance", map[string]int64{"ms": time.Hour.Milliseconds()}, nil); err != nil {
		s.t.Fatal(err)
	}
	var user struct {
		Balance  string
		Count    int `json:"payment_count"`
		Payments []struct{ ID, Kind, State, Credited, Via string }
	}
	if err := s.platform.Do(ctx, http.MethodGet, "/integra/users/"+spenderHash+"?limit=1000000", nil, &user); err != nil {
		s.t.Fatal(err)
	}
	var shop struct {
		Operations []struct{ State int }
	}
	if err := s.platform.Do(ctx, http.MethodGet, "/robokassa/operations?limit=1000&shop=integra", nil, &shop); err != nil {
		s.t.Fatal(err)
	}
	roubles, cards, paid := 0, 0, 0
	for _, p := range user.Payments {
		switch {
		case p.Kind == "direct" && p.State == "confirmed" && p.Credited == "1.00":
			direct = append(direct, p.ID)
			roubles++
		case p.Via == "robokassa" && p.State == "confirmed" && p.Credited == "2.00":
			cards++
			roubles += 2
		case p.Via == "robokassa" && p.State != "confirmed" && p.Credited == "0.00":
		default:
			s.t.Errorf("payment %+v", p)
		}
	}
	for _, o := range shop.Operations {
		if o.State == 100 {
			paid++
		}
	}
	if user.Balance != fmt.Sprintf("%d.00", roubles) || cards != paid || user.Count != len(user.Payments) {
		s.t.Errorf("balance %s, payments say %d; %d cards credited, %d charged; %d of %d payments", user.Balance, roubles, cards, paid, len(user.Payments), user.Count)
	}
	slices.Sort(direct)
	return direct
}

// The stand-in is killed with SIGKILL under load, at any moment and while it writes: its file
// is whole, the next start goes on from there, and the money is right at all platforms.
func TestStandInKilled(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	listen, err := stage.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	s := &spender{t: t, file: filepath.Join(folder, "state.json")}
	s.args = []string{"--seed", "1", "--data", s.file, "--listen", listen, "--keep-payments", "1000000", "--journal-exchanges", "100"}
	s.start()
	user := map[string]string{"login": "spender", "key": spenderKey}
	if err := s.platform.Do(t.Context(), http.MethodPut, "/integra/users/"+spenderHash, user, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.platform.Do(t.Context(), http.MethodPatch, "/settings", json.RawMessage(`{"integra":{"payment_hash_reused":"success"}}`), nil); err != nil {
		t.Fatal(err)
	}
	var before []string
	for round := range 3 {
		changed, err := os.Stat(s.file)
		ended := s.spend(t.Context())
		written := func() (int64, bool, error) {
			now, e := os.Stat(s.file)
			return s.made.Load(), e == nil && (err != nil || !os.SameFile(changed, now)), nil
		}
		made, err := stage.Until(t.Context(), written)
		if err != nil {
			t.Fatal(err)
		}
		more := made + rand.Int64N(200)
		if _, err := stage.Until(t.Context(), func() (int64, bool, error) {
			if round != 1 {
				return 0, s.made.Load() >= more, nil
			}
			entries, err := os.ReadDir(folder)
			return 0, slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".tmp") }), err
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.platform.Kill(); err != nil {
			t.Fatal(err)
		}
		ended()
		text, err := os.ReadFile(s.file)
		if err != nil || !json.Valid(text) {
			t.Fatalf("round %d: the file has %d bytes: %v", round, len(text), err)
		}
		s.start()
		if left, _ := filepath.Glob(filepath.Join(folder, "*.tmp")); len(left) > 0 {
			t.Errorf("round %d: left behind: %v", round, left)
		}
		kept := s.kept()
		for _, hash := range before {
			if _, there := slices.BinarySearch(kept, hash); !there {
				t.Fatalf("round %d: payment %s was kept before, and is gone", round, hash)
			}
		}
		t.Logf("round %d: %d payments sent, %d kept", round, len(s.sent), len(kept))
		before = kept
	}
	for i, hash := range s.sent { // a repeat makes good what is missing, and does nothing twice
		if _, there := slices.BinarySearch(before, hash); there && i%100 > 0 {
			continue
		}
		if err := s.direct(t.Context(), hash); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(s.kept()); got != len(s.sent) {
		t.Errorf("%d direct payments after all were repeated, %d were sent", got, len(s.sent))
	}
}
