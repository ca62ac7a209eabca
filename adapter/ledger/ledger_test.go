package ledger_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/contract/money"
)

func rub(minor int64) money.Amount { return money.New(minor, money.RUB) }

func balance(available, reserved int64) ledger.Balance {
	return ledger.Balance{Available: rub(available), Reserved: rub(reserved)}
}

func TestApply(t *testing.T) {
	const platform = "integra"
	broken := errors.New("any error that is no business answer")
	tests := []struct {
		name   string
		from   ledger.Balance
		move   adapter.Move
		amount int64
		want   ledger.Balance
		err    error
	}{
		{"reserve", balance(100, 0), adapter.Reserve, 100, balance(0, 100), nil},
		{"reserve a kopeck too much", balance(100, 500), adapter.Reserve, 101, balance(100, 500), adapter.ErrInsufficient},
		{"capture", balance(5, 100), adapter.Capture, 60, balance(5, 40), nil},
		{"capture what is not reserved", balance(500, 10), adapter.Capture, 11, balance(500, 10), broken},
		{"release", balance(5, 100), adapter.Release, 100, balance(105, 0), nil},
		{"release what is not reserved", balance(500, 0), adapter.Release, 1, balance(500, 0), broken},
		{"restore", balance(5, 7), adapter.Restore, 10, balance(15, 7), nil},
		{"deposit", balance(0, 0), ledger.Deposit, 10, balance(10, 0), nil},
		{"deposit past the end of numbers", balance(math.MaxInt64, 0), ledger.Deposit, 1, balance(math.MaxInt64, 0), money.ErrOverflow},
		{"withdraw", balance(10, 5), ledger.Withdraw, 10, balance(0, 5), nil},
		{"withdraw what is reserved", balance(10, 5), ledger.Withdraw, 11, balance(10, 5), adapter.ErrInsufficient},
		{"zero", balance(10, 0), ledger.Deposit, 0, balance(10, 0), broken},
		{"negative", balance(10, 0), ledger.Deposit, -5, balance(10, 0), broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			debit, credit, err := ledger.Sides(tt.move, platform)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tt.from.Apply(debit, credit, rub(tt.amount))
			switch {
			case tt.err == nil && (err != nil || got != tt.want):
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			case tt.err == broken && (err == nil || errors.Is(err, adapter.ErrInsufficient)): //nolint:errorlint // a marker
				t.Errorf("error %v; want one that is no business answer", err)
			case tt.err != nil && tt.err != broken && !errors.Is(err, tt.err): //nolint:errorlint // a marker
				t.Errorf("error %v; want %v", err, tt.err)
			}
		})
	}
}

func TestUnknownMoveHasNoSides(t *testing.T) {
	if _, _, err := ledger.Sides("gift", "integra"); err == nil {
		t.Error("a gift has sides")
	}
}

// Whatever is moved, no part of a balance turns negative, and what leaves one account comes
// to another.
func TestMovesConserve(t *testing.T) {
	moves := []adapter.Move{adapter.Reserve, adapter.Capture, adapter.Release, adapter.Restore, ledger.Deposit, ledger.Withdraw}
	rapid.Check(t, func(t *rapid.T) {
		b, outside := balance(0, 0), int64(0)
		for range rapid.IntRange(1, 50).Draw(t, "moves") {
			debit, credit, err := ledger.Sides(rapid.SampledFrom(moves).Draw(t, "move"), "integra")
			if err != nil {
				t.Fatal(err)
			}
			amount := rapid.Int64Range(1, 1000).Draw(t, "amount")
			after, err := b.Apply(debit, credit, rub(amount))
			if err != nil {
				continue
			}
			within := func(a ledger.Account) bool { return strings.HasPrefix(string(a), "user:") }
			if !within(debit) {
				outside -= amount
			}
			if !within(credit) {
				outside += amount
			}
			b = after
			if b.Available.Sign() < 0 || b.Reserved.Sign() < 0 || b.Available.Minor()+b.Reserved.Minor()+outside != 0 {
				t.Fatalf("balance %v with %d outside", b, outside)
			}
		}
	})
}

// books are a deposit and one confirmed payment, right to the last field.
type books struct {
	transfers []ledger.Transfer
	balance   ledger.Balance
	last      int64
	payment   adapter.Payment
	history   []adapter.Event
}

func rightBooks(t *testing.T) *books {
	t.Helper()
	user := strings.Repeat("u", 32)
	p, err := adapter.NewPayment(adapter.Key{Platform: "integra", ID: strings.Repeat("a", 32)}, adapter.TopUp, user, rub(40), time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	p.Num, p.Version, p.State = 1, 2, adapter.Confirmed
	return &books{
		transfers: []ledger.Transfer{
			{Num: 1, User: user, Move: ledger.Deposit, Debit: ledger.External, Credit: ledger.Available, Amount: rub(100), After: balance(100, 0)},
			{Num: 2, User: user, Payment: 1, Move: adapter.Reserve, Debit: ledger.Available, Credit: ledger.Reserved, Amount: rub(40), After: balance(60, 40), Prev: 1},
			{Num: 3, User: user, Payment: 1, Move: adapter.Capture, Debit: ledger.Reserved, Credit: ledger.Platform("integra"), Amount: rub(40), After: balance(60, 0), Prev: 2},
		},
		balance: balance(60, 0), last: 3, payment: p,
		history: []adapter.Event{
			{Version: 1, From: adapter.Received, To: adapter.Reserved},
			{Version: 2, From: adapter.Reserved, To: adapter.Confirmed},
		},
	}
}

func (b *books) audit() ledger.Report {
	a := ledger.NewAudit(money.RUB)
	var moves []ledger.Transfer
	for _, x := range b.transfers {
		a.Transfer(x)
		if x.Payment == b.payment.Num {
			moves = append(moves, x)
		}
	}
	a.Balance(b.payment.User, b.balance, b.last)
	a.Payment(b.payment, moves, b.history)
	return a.Report()
}

// An audit of right books is clean, and every way to spoil them is named.
func TestAudit(t *testing.T) {
	if r := rightBooks(t).audit(); !r.Clean() || r.Transfers != 3 || r.Payments != 1 || r.Users != 1 ||
		r.Accounts[ledger.Platform("integra")] != rub(40) || r.Accounts[ledger.External] != rub(-100) {
		t.Fatalf("right books: %+v", r)
	}
	tests := []struct {
		name  string
		spoil func(*books)
		says  string
	}{
		{"a balance with a kopeck more", func(b *books) { b.balance = balance(61, 0) }, "the transfers give"},
		{"money that stays reserved", func(b *books) { b.balance = balance(60, 40) }, "the transfers give"},
		{"a transfer that is gone", func(b *books) { b.transfers = b.transfers[:2] }, "made the moves"},
		{"a capture that was made twice", func(b *books) {
			again := b.transfers[2]
			again.Num, again.Prev = 4, 3
			b.transfers, b.last = append(b.transfers, again), 4
		}, "not possible"},
		{"a transfer from nowhere", func(b *books) { b.transfers[0].Debit = "elsewhere" }, "no move of the ledger"},
		{"a changed amount", func(b *books) { b.transfers[1].Amount = rub(41) }, "recomputed"},
		{"another order", func(b *books) { b.transfers[2].Prev = 1 }, "follows transfer"},
		{"captured, yet declined", func(b *books) {
			b.payment.State, b.history[1].To = adapter.Declined, adapter.Declined
		}, "made the moves"},
		{"a state that no event explains", func(b *books) { b.history = b.history[:1] }, "history ends"},
		{"an event that fits nowhere", func(b *books) { b.history[1].From = adapter.InDoubt }, "leads from"},
		{"another user's money", func(b *books) { b.payment.User = strings.Repeat("v", 32) }, "of user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := rightBooks(t)
			tt.spoil(b)
			r := b.audit()
			found := false
			for _, d := range r.Differences {
				found = found || strings.Contains(d.String(), tt.says)
			}
			if r.Clean() || !found {
				t.Errorf("differences %v; want one that says %q", r.Differences, tt.says)
			}
		})
	}
}
