package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/contract/integra"
)

// key is the crypt key of everybody at the platform of the benchmark.
const key = "benchbenchbenchbenchbenchbenchbenchbenchbenchbench1"

// slowPlatform accepts whatever it is asked to, each call after the same time: the adapter
// is measured, so the platform has a cost that is known.
type slowPlatform struct {
	url   string
	calls atomic.Int64
	srv   *http.Server
}

func startPlatform(ctx context.Context, takes time.Duration) (*slowPlatform, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &slowPlatform{url: "http://" + l.Addr().String()}
	p.srv = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := p.answer(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		time.Sleep(takes)
		_, _ = w.Write(body) //nolint:gosec // JSON, and nobody's browser reads it
	})}
	go func() { _ = p.srv.Serve(l) }()
	return p, nil
}

func (p *slowPlatform) close() { _ = p.srv.Close() }

// answer takes the call apart just as far as its answer needs.
func (p *slowPlatform) answer(r *http.Request) ([]byte, error) {
	k, err := integra.ParseK(r.URL.Query().Get("k"))
	if err != nil {
		return nil, err
	}
	plain, err := k.Open(integra.Simple, key)
	if err != nil {
		return nil, err
	}
	var args struct {
		TransactionID string `json:"transactionId"`
	}
	if err := json.Unmarshal(plain, &args); err != nil {
		return nil, err
	}
	if args.TransactionID == "" {
		return integra.Success(integra.CreateUserResult{CryptKey: key}).Encode(), nil
	}
	p.calls.Add(1)
	return integra.Success(integra.TransactionResult{TransactionID: args.TransactionID}).Encode(), nil
}

// bare is the least that a server of this kind can be: one route, one constant answer. It
// runs in a process of its own, as what is compared with it does.
func bare() error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	body := integra.Success(integra.DoPaymentResult{PaymentID: "1"}).Encode()
	r := mux.NewRouter()
	r.HandleFunc("/{partner:.+}/{method}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(body)
	})
	fmt.Println(l.Addr())
	srv := &http.Server{Handler: r, ReadHeaderTimeout: time.Second}
	return srv.Serve(l)
}
