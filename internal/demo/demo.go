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
		{"Top-up of 150 by card, paid on Robokassa's page: the partner is not asked", p.byCard("150", "pay", "confirmed")},
		{"Top-up of 70 by card, refused by the bank: nothing is credited", p.byCard("70", "refuse", "unconfirmed")},
		{"Any.Money: what would 200 RUB by card bring?", p.calc},
		{"Order of 200 RUB, paid on Any.Money's page: callback received, balance credited", p.payin("200", "RUB", "RUB")},
		{"Order of 115 UAH that brings USD: kept, but the ledger is in RUB", p.payin("115", "UAH", "USD")},
		{"Order of 5 RUB: less than Any.Money takes", p.tooSmall},
	}
	if err := p.fees(ctx); err != nil {
		return err
	}
	if err := p.exchanges(ctx); err != nil {
		return err
	}
	for _, s := range scenes {
		p.title(s.title)
		p.after = ""
		if err := s.play(ctx); err != nil {
			return err
		}
		if err := p.exchanges(ctx); err != nil {
			return err
		}
		if p.after != "" {
			fmt.Println(p.after)
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
	after string // a line to be printed after the scene's exchanges
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
			Protocol  string
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
		if strings.HasPrefix(e.Method, "shop.") {
			continue // Integra's end of an exchange with Robokassa
		}
		from, to, what := "Partner", "Integra", e.Args
		switch {
		case e.Direction == "out":
			from, to, what = "Integra", "Partner", target(e.Request)
		case e.Method == "topUp" || e.Method == "cryptLogin":
			from = "User"
		}
		said := answer(e.Status, e.Response)
		switch e.Protocol {
		case "anymoney":
			from, to, what, said = anymoney(e.Method, e.Direction, e.Request, said)
		case "robokassa":
			from, to, what = robokassa(e.Method, e.Direction, e.Args, e.Request)
			if _, body, _ := strings.Cut(e.Response, "\r\n\r\n"); e.Method == "ResultURL" {
				said = body
			}
		}
		fmt.Printf("  %-9s → %-9s  %-16s %s\n  %31s %s\n", from, to, e.Method, shorten(what), "←", shorten(said))
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

// books compares all sides: 1000 − 250 − 100 + 50 + 197 with the partner; at Integra what was
// paid, and 150 by card; at Any.Money what came in, less its fees.
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
	var merchant map[string]string
	if err := p.partner.RunJSON(ctx, &merchant, "payins", "balance"); err != nil {
		return err
	}
	verify, err := p.partner.Run(ctx, "ledger", "verify")
	if err != nil {
		return err
	}
	fmt.Printf("  partner's ledger  %10s RUB available, %s RUB reserved   (want 897.00, 0.00)\n", available, reserved)
	fmt.Printf("  Integra           %10s RUB                              (want 450.00)\n", at.Balance)
	fmt.Printf("  Any.Money         %10s RUB, %s USD                    (want 197, 3.85)\n\n%s\n", merchant["RUB"], merchant["USD"], verify)
	if available != "897.00" || reserved != "0.00" || at.Balance != "450.00" || merchant["RUB"] != "197" || merchant["USD"] != "3.85" {
		return errors.New("the balances differ from what they must be")
	}
	return nil
}
