package integra_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/contract/money"
)

// nowhere takes every payment and keeps none.
type nowhere struct{}

func (nowhere) Accept(_ context.Context, p adapter.Payment) (adapter.Payment, bool, error) {
	return p, true, nil
}

// blank is a ResponseWriter that costs nothing.
type blank struct {
	h      http.Header
	status int
}

func (b *blank) Header() http.Header         { return b.h }
func (b *blank) WriteHeader(status int)      { b.status = status }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkReceiver is what a notification costs beside net/http and storage, with its log line
// and without.
func BenchmarkReceiver(b *testing.B) {
	logs := map[string]slog.Handler{
		"logged": slog.NewJSONHandler(io.Discard, nil),
		"quiet":  slog.DiscardHandler,
	}
	for name, log := range logs {
		b.Run(name, func(b *testing.B) {
			rc := integra.NewReceiver(nowhere{}, endpoint(b, integra.Names{}, integra.GuardByToken(tokens{})), integra.ReceiverConfig{Log: slog.New(log)})
			r := httptest.NewRequest("GET", "/integra/notify?"+good, nil)
			w := &blank{h: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				w.status = 0
				if rc.ServeHTTP(w, r); w.status != 200 {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// BenchmarkForm compares the parser with net/url's.
func BenchmarkForm(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := integra.ReadForm(good); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("net/url", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := url.ParseQuery(good); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCall is a confirm against a server on the same machine that answers at once, and
// the same request by net/http alone.
func BenchmarkCall(b *testing.B) {
	const body = `{"status":{"code":0,"message":"ok"},"error":false,"data":{"transactionId":"` + paymentID + `"},"version":"1","notices":[]}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, body)
	}))
	b.Cleanup(s.Close)
	p := payment(b, adapter.TopUp, adapter.Reserved)
	p.Amount = money.New(100_00, money.RUB)
	b.Run("client", func(b *testing.B) {
		c, _ := newClient(b, s.URL, func(cfg *integra.ClientConfig) { cfg.Watch = outcall.Watch{} })
		b.ReportAllocs()
		for b.Loop() {
			if o := c.Call(b.Context(), p); o.Verdict != adapter.Accepted {
				b.Fatal(o)
			}
		}
	})
	b.Run("net/http", func(b *testing.B) {
		hc := &http.Client{Transport: &http.Transport{}, Timeout: time.Second}
		b.Cleanup(hc.CloseIdleConnections)
		b.ReportAllocs()
		for b.Loop() {
			r, err := hc.Post(s.URL+"/partners/acme/confirmPayment?k=zaa"+userHash+"3oPD0NDX0dWEnYOTk5GEj4PW1cLQ1sLF18rR0arGhZuElZGUxsObmZPDxpabk5iXxZqYl8OSmpKXlcWUlpXEmpGE4A%3D%3D", "application/json", nil)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
		}
	})
}
