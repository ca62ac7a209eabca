package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// demo is `make demo`: the main job without a person.
func demo(ctx context.Context) (err error) {
	listen, err := stage.FreeAddr()
	if err != nil {
		return err
	}
	w, err := open(ctx, "var/demo", listen, "--seed", "1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	p := &play{world: w, color: term.IsTerminal(int(os.Stdout.Fd()))} //nolint:gosec // a descriptor is a small number

	p.title("A user is registered and gets 1000.00 RUB in the partner's ledger")
	if p.user, _, err = w.register(ctx, "demo", "1000.00"); err != nil {
		return err
	}
	scenes := []struct {
		title string
		play  func(context.Context) error
	}{
		{"Direct payment: the partner pays 250.00 for the user", p.direct},
		{"Top-up of 100 pressed in Integra's page: enough funds", p.topUp("100", "confirmed")},
		{"Top-up of 5000: not enough funds", p.topUp("5000", "declined")},
		{"Refund of 50.00 of the direct payment", p.refund},
	}
	if err := p.exchanges(ctx); err != nil {
		return err
	}
	for _, s := range scenes {
		p.title(s.title)
		if err := s.play(ctx); err != nil {
			return err
		}
		if err := p.exchanges(ctx); err != nil {
			return err
		}
	}
	return p.books(ctx)
}

// play is the demo under way.
type play struct {
	*world
	color bool
	user  string
	paid  string
	seen  uint64 // the last exchange printed
}

func (p *play) title(text string) {
	if p.color {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	fmt.Printf("\n%s\n", text)
}

func (p *play) direct(ctx context.Context) error {
	var pay struct{ ID, State string }
	err := p.partner.RunJSON(ctx, &pay, "payments", "create", p.user, "250.00", "--key", "demo-direct")
	p.paid = pay.ID
	return err
}

func (p *play) refund(ctx context.Context) error {
	_, err := p.partner.Run(ctx, "payments", "refund", p.paid, "50.00", "--key", "demo-refund")
	return err
}

// topUp presses the button and waits for the platform's verdict.
func (p *play) topUp(amount, want string) func(context.Context) error {
	return func(ctx context.Context) error {
		pay, err := p.platform.TopUp(ctx, p.user, amount)
		if err != nil {
			return err
		}
		if pay, err = p.platform.Settled(ctx, pay.ID); err != nil {
			return err
		}
		if pay.State != want {
			return fmt.Errorf("top-up of %s is %s, not %s", amount, pay.State, want)
		}
		// The platform has answered; the adapter writes that down a moment later.
		_, err = stage.Until(ctx, func() (string, bool, error) {
			var mine struct{ State string }
			err := p.partner.RunJSON(ctx, &mine, "payments", "show", pay.ID)
			return mine.State, mine.State == want, err
		})
		return err
	}
}

// exchanges prints what passed between platform and partner since the last time.
func (p *play) exchanges(ctx context.Context) error {
	var journal struct {
		Exchanges []struct {
			Seq       uint64
			Method    string
			Direction string
			Args      string
			Request   string
			Response  string
			Status    int
		}
	}
	if err := p.platform.Do(ctx, http.MethodGet, fmt.Sprintf("/journal?since=%d", p.seen), nil, &journal); err != nil {
		return err
	}
	for _, e := range journal.Exchanges {
		p.seen = e.Seq
		from, to, what := "Partner", "Integra", e.Args
		switch {
		case e.Direction == "out":
			from, to, what = "Integra", "Partner", target(e.Request)
		case e.Method == "topUp" || e.Method == "cryptLogin":
			from = "User"
		}
		fmt.Printf("  %-7s → %-7s  %-16s %s\n  %27s %s\n", from, to, e.Method, shorten(what), "←", shorten(answer(e.Status, e.Response)))
	}
	return nil
}

// target is the address in a raw request, without its token.
func target(request string) string {
	line, _, _ := strings.Cut(request, "\r\n")
	line, _, _ = strings.Cut(line, " HTTP/")
	return line
}

// answer is the body of a raw answer, or its status where the body is a page.
func answer(status int, raw string) string {
	_, body, _ := strings.Cut(raw, "\r\n\r\n")
	body = strings.TrimSpace(body)
	if !json.Valid([]byte(body)) {
		return fmt.Sprintf("HTTP %d", status)
	}
	return body
}

// shorten keeps a line on a wide terminal.
func shorten(s string) string {
	const most = 150
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// books compares both sides: 1000 − 250 − 100 + 50 with the partner, the rest at Integra.
func (p *play) books(ctx context.Context) error {
	p.title("The books")
	available, reserved, err := p.balance(ctx, p.user)
	if err != nil {
		return err
	}
	at, err := p.platform.User(ctx, p.user)
	if err != nil {
		return err
	}
	verify, err := p.partner.Run(ctx, "ledger", "verify")
	if err != nil {
		return err
	}
	fmt.Printf("  partner's ledger  %10s RUB available, %s RUB reserved   (want 700.00, 0.00)\n", available, reserved)
	fmt.Printf("  Integra           %10s RUB                              (want 300.00)\n\n%s\n", at.Balance, verify)
	if available != "700.00" || reserved != "0.00" || at.Balance != "300.00" {
		return errors.New("the balances differ from what they must be")
	}
	return nil
}
