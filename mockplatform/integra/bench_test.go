package integra_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

// sealed is the query of a call of a user of acme, encrypted as real partners do.
func sealed(b *testing.B, hash, key string, args any) string {
	k, err := wire.Seal(wire.Simple, wire.Credentials{Hash: hash, Key: key}, args)
	if err != nil {
		b.Fatal(err)
	}
	return "k=" + url.QueryEscape(k)
}

// discard is a ResponseWriter that costs nothing, so that the handler's costs show.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkCalls measures the handler with the journal on, without a network.
func BenchmarkCalls(b *testing.B) {
	const users = 32
	setUp := func(b *testing.B) (s *stand, hashes, keys []string) {
		s = newStand(b)
		for i := range users {
			hash := fmt.Sprintf("%032x", i)
			key, err := s.p.Register(acme.Hash, wire.CreateUserArgs{Username: hash, Hash: hash})
			if err != nil {
				b.Fatal(err)
			}
			hashes, keys = append(hashes, hash), append(keys, key)
			login := sealed(b, hash, key, wire.LoginArgs{Login: hash, Hash: hash, PaymentNotifyURL: nowhere})
			if got := s.send(http.MethodGet, "/partners/acme/cryptLogin?"+login, ""); got.status != http.StatusOK {
				b.Fatal(got.body)
			}
		}
		return s, hashes, keys
	}
	run := func(b *testing.B, method wire.Method, queries []string) {
		s, _, _ := setUp(b)
		var next atomic.Int64
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			r := httptest.NewRequest(http.MethodPost, "http://localhost/", http.NoBody)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("User-Agent", "integra-client")
			r.URL.Path = "/partners/acme/" + string(method)
			for pb.Next() {
				r.URL.RawQuery = queries[int(next.Add(1))%len(queries)]
				r.RequestURI = r.URL.Path + "?" + r.URL.RawQuery
				w := &discard{header: http.Header{}}
				s.handler.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
		})
		b.StopTimer()
		if e := s.last(); !e.Verdict.OK {
			b.Fatalf("%+v", e.Verdict)
		}
	}

	b.Run("getUserData", func(b *testing.B) {
		_, hashes, _ := setUp(b)
		var queries []string
		for _, hash := range hashes {
			queries = append(queries, sealed(b, hash, acme.Key, wire.PartnerArgs{Partner: acme.Hash}))
		}
		run(b, wire.GetUserData, queries)
	})
	b.Run("doPayment", func(b *testing.B) {
		_, hashes, keys := setUp(b)
		queries := make([]string, b.N+1)
		for i := range queries {
			u := i % users
			queries[i] = sealed(b, hashes[u], keys[u], wire.DoPaymentArgs{
				PaymentSum: wire.Text(strconv.Itoa(1 + i%1000)), PaymentHash: fmt.Sprintf("%032x", i), UserLogin: hashes[u],
			})
		}
		run(b, wire.DoPayment, queries)
	})
}

// BenchmarkTopUp measures a press of the button and its confirmation, beside 10,000
// payments that wait: what waits must not make the next one dearer.
func BenchmarkTopUp(b *testing.B) {
	for _, waiting := range []int{1, 10_000} {
		b.Run(fmt.Sprint("beside ", waiting), func(b *testing.B) {
			s := newStand(b, with(func(s *integra.Settings) { s.Notify.Delay = integra.MaxPause }))
			s.register(alice)
			s.logIn(alice, nowhere)
			for range waiting {
				s.topUp(alice, "1")
			}
			b.ReportAllocs()
			for b.Loop() {
				payment := s.topUp(alice, "1")
				got := s.call("confirmPayment", alice, `{"amount":"1","transactionId":"`+payment.ID+`"}`)
				if got.status != http.StatusOK {
					b.Fatal(got.body)
				}
			}
		})
	}
}
