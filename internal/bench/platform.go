package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/partnerkit/partnerkit/contract/integra"
)

// key is the crypt key of everybody at the platform of the benchmark.
const key = "benchbenchbenchbenchbenchbenchbenchbenchbenchbench1"

// slowPlatform accepts whatever it is asked to, each call after the same time: the adapter
// is measured, so the platform has a cost that is known. Like the generator it shares the
// machine with the adapter and speaks just as much HTTP as it needs.
type slowPlatform struct {
	url      string
	listener net.Listener
	takes    time.Duration
	serving  sync.WaitGroup
}

func startPlatform(ctx context.Context, takes time.Duration) (*slowPlatform, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &slowPlatform{url: "http://" + l.Addr().String(), listener: l, takes: takes}
	p.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go p.serve(c)
		}
	})
	return p, nil
}

func (p *slowPlatform) close() {
	_ = p.listener.Close()
	p.serving.Wait()
}

// serve answers the calls of one connection until its end, or closes it over a request that
// it does not understand: the adapter then knows no outcome, and the run fails on it.
func (p *slowPlatform) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReaderSize(c, 4096)
	var out []byte
	for {
		k, err := readCall(in)
		if err != nil {
			return
		}
		body, err := answer(k)
		if err != nil {
			return
		}
		time.Sleep(p.takes)
		out = append(out[:0], "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "...)
		out = strconv.AppendInt(out, int64(len(body)), 10)
		out = append(append(out, "\r\n\r\n"...), body...)
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// readCall reads a request, which has no body, and returns its k.
func readCall(in *bufio.Reader) (k string, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	_, after, _ := bytes.Cut(line, []byte("k="))
	escaped, _, ok := bytes.Cut(after, []byte(" HTTP/1.1\r\n"))
	if !ok {
		return "", fmt.Errorf("request %q", line)
	}
	if k, err = url.QueryUnescape(string(escaped)); err != nil {
		return "", err
	}
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case err != nil:
			return "", err
		case len(line) == len("\r\n"):
			return k, nil
		case bytes.HasPrefix(line, []byte("Content-Length: ")) && string(line) != "Content-Length: 0\r\n",
			bytes.HasPrefix(line, []byte("Transfer-Encoding:")):
			return "", errors.New("a call with a body")
		}
	}
}

// answer takes the call apart just as far as its answer needs.
func answer(text string) ([]byte, error) {
	k, err := integra.ParseK(text)
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
