// Command demo shows the main job with the real binaries of bin/: a top-up pressed in
// Integra's page becomes confirmed money.
//
//	demo run    starts the stand-in and an adapter, prints the links, stays until Ctrl-C
//	demo demo   plays the whole job without a person, prints each exchange, checks the books
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/partnerkit/partnerkit/internal/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	mode := ""
	if len(os.Args) == 2 {
		mode = os.Args[1]
	}
	var err error
	switch mode {
	case "run":
		err = run(ctx)
	case "demo":
		err = demo(ctx)
	default:
		err = errors.New("usage: demo run | demo demo")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// world is a stand-in with one partner and its adapter.
type world struct {
	platform *stage.Platform
	partner  *stage.Partner
	adapter  *stage.Adapter
}

// open starts both with their files in folder, which is made anew.
func open(ctx context.Context, folder, listen string, platformArgs ...string) (w *world, err error) {
	if err := os.RemoveAll(folder); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(folder, "log.jsonl")) //nolint:gosec // a folder of ours
	if err != nil {
		return nil, err
	}
	bin := stage.In("bin")
	w = &world{}
	if w.platform, err = stage.StartPlatform(ctx, bin, log, platformArgs...); err != nil {
		return nil, err
	}
	w.partner = stage.NewPartner(bin, w.platform, listen, folder, "sqlite:"+filepath.Join(folder, "adapter.db"))
	if err = w.partner.MakeKey(ctx, folder); err == nil {
		w.adapter, err = w.partner.Start(ctx, log)
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// close stops both, the adapter first.
func (w *world) close() error {
	var err error
	if w.adapter != nil {
		err = w.adapter.Stop(15 * time.Second)
	}
	return errors.Join(err, w.platform.Stop(15*time.Second))
}

// register creates a user with money in the ledger and opens Integra's page for it, as the
// partner's panel does in an iframe: from then on the platform knows where to notify.
func (w *world) register(ctx context.Context, login, deposit string) (hash, link string, err error) {
	if hash, err = w.partner.Run(ctx, "users", "register", "--login", login); err != nil {
		return "", "", err
	}
	if _, err = w.partner.Run(ctx, "ledger", "deposit", hash, deposit, "--note", "demo"); err != nil {
		return "", "", err
	}
	if link, err = w.partner.Run(ctx, "login-link", hash); err != nil {
		return "", "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return "", "", err
	}
	res, err := http.DefaultClient.Do(req) //nolint:gosec // the stand-in's address
	if err != nil {
		return "", "", err
	}
	if err := res.Body.Close(); err != nil {
		return "", "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", "", fmt.Errorf("page of user %s: %s", login, res.Status)
	}
	return hash, link, nil
}

// balance is what the ledger holds for a user.
func (w *world) balance(ctx context.Context, hash string) (available, reserved string, err error) {
	var b struct{ Available, Reserved string }
	err = w.partner.RunJSON(ctx, &b, "ledger", "balance", hash)
	return b.Available, b.Reserved, err
}

// run is `make run`.
func run(ctx context.Context) (err error) {
	const folder = "var/run"
	w, err := open(ctx, folder, "127.0.0.1:8080", "--listen", "127.0.0.1:8090", "--control-listen", "127.0.0.1:8091")
	if err != nil {
		return fmt.Errorf("%w\n(ports 8080, 8090 and 8091 of 127.0.0.1 must be free)", err)
	}
	defer func() { err = errors.Join(err, w.close()) }()

	// One payment shows at once that everything is in place; the demo user's money stays whole.
	check, _, err := w.register(ctx, "first-payment", "10.00")
	if err != nil {
		return err
	}
	pay, err := w.platform.TopUp(ctx, check, "10")
	if err == nil {
		pay, err = w.platform.Settled(ctx, pay.ID)
	}
	if err != nil {
		return err
	}
	user, link, err := w.register(ctx, "demo", "1000.00")
	if err != nil {
		return err
	}
	fmt.Printf(`
A first payment of 10.00 RUB is %[1]s. The demo user has 1000.00 RUB in the ledger.

  Integra's page of the user   %[2]s
  the stand-in's journal       %[3]s/

Press "top up" with 100: it ends in "confirmed". With 5000: "declined: not enough funds".
In another terminal:

  export ADAPTER_DATABASE=sqlite:%[4]s/adapter.db ADAPTER_MASTER_KEY_FILE=%[4]s/master.key
  bin/adapter ledger balance %[5]s
  bin/adapter payments list
  bin/adapter ledger verify
  bin/adapter token mint --name me --scope admin   # to log in at %[6]s/console/

The adapter listens on %[6]s; both log to %[4]s/log.jsonl. Ctrl-C stops everything.
`, pay.State, link, w.platform.Control, folder, user, w.adapter.URL)

	select {
	case <-ctx.Done():
		fmt.Println("\nstopping")
		return nil
	case <-w.adapter.Done():
		return fmt.Errorf("the adapter ended by itself:\n%s", w.adapter.Log())
	case <-w.platform.Done():
		return fmt.Errorf("the stand-in ended by itself:\n%s", w.platform.Log())
	}
}
