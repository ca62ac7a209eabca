// Command billing is an example of a partner's billing that keeps users' funds for the
// adapter, as docs/billing.openapi.yaml asks: one SQLite file, every move in one transaction.
//
//	billing --database billing.db --listen 127.0.0.1:8070 --secret-file secret
//	billing --database billing.db deposit HASH 1000.00
//	billing --database billing.db books
//
// It shows what has to be right (keys, repeats, what comes late), not how a billing is built.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "billing:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) (err error) {
	flags := flag.NewFlagSet("billing", flag.ContinueOnError)
	file := flags.String("database", "billing.db", "SQLite file")
	listen := flags.String("listen", "127.0.0.1:8070", "address to listen on")
	secretFile := flags.String("secret-file", "", "file with the secret that the adapter signs its tokens with, 32 bytes or more")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b, err := openBooks(ctx, *file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	switch args := flags.Args(); {
	case len(args) == 3 && args[0] == "deposit":
		amount, err := parseAmount(args[2])
		if err != nil {
			return err
		}
		return b.deposit(ctx, args[1], amount)
	case len(args) == 1 && args[0] == "books":
		return b.print(ctx, out)
	case len(args) > 0:
		return fmt.Errorf("%q: want deposit HASH AMOUNT, or books, or nothing to serve", args)
	}
	secret, err := os.ReadFile(*secretFile)
	if err != nil {
		return err
	}
	key := strings.TrimSpace(string(secret))
	if len(key) < 32 {
		return errors.New("--secret-file: the secret must have 32 bytes or more")
	}
	return serve(ctx, *listen, newHandler(b, []byte(key), time.Now), log)
}

// serve answers until ctx is done.
func serve(ctx context.Context, listen string, h http.Handler, log io.Writer) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	_, _ = fmt.Fprintf(log, "billing: listening on %s\n", l.Addr())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return s.Shutdown(ctx)
	}
}
