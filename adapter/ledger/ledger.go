// Package ledger holds the rules of the embedded double-entry ledger: which accounts there
// are, what each move does to a user's balance, and what the books of a payment must look
// like in each of its states.
//
// It is pure: no database, no clock. The rows live in adapter/store, which applies these
// rules inside the transaction of the payment's change, and Audit replays the same rows to
// prove that the stored balances follow from them.
//
// A transfer takes its amount from one account (debit) and gives it to another (credit), so
// that double entry holds by construction: the sum over all accounts is always zero. Seen
// from the partner, users' accounts are money owed to them.
package ledger

import (
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Account names one side of a transfer. The two accounts of a user are named by their role;
// the user stands beside them in the transfer.
type Account string

// The accounts. A platform's account is "platform:" and the platform's name, see Platform.
const (
	Available Account = "user:available"    // the user's money, free to be spent
	Reserved  Account = "user:reserved"     // the user's money, set aside for payments under way
	External  Account = "external"          // the world outside: where deposits come from
	Anymoney  Account = "external:anymoney" // the merchant's account at Any.Money: where payins come from
)

// Platform returns the account of a platform: what users have paid to it.
func Platform(name string) Account { return Account("platform:" + name) }

// The moves beside those of a payment (adapter.Reserve, Capture, Release and Restore).
const (
	Deposit  adapter.Move = "deposit"  // external → available
	Withdraw adapter.Move = "withdraw" // available → external
	Payin    adapter.Move = "payin"    // external:anymoney → available
)

// Sides returns the accounts that a move takes from and gives to; platform is the name of the
// payment's platform. An unknown move is an error.
func Sides(move adapter.Move, platform string) (debit, credit Account, err error) {
	switch move {
	case adapter.Reserve:
		return Available, Reserved, nil
	case adapter.Capture:
		return Reserved, Platform(platform), nil
	case adapter.Release:
		return Reserved, Available, nil
	case adapter.Restore:
		return Platform(platform), Available, nil
	case Deposit:
		return External, Available, nil
	case Withdraw:
		return Available, External, nil
	case Payin:
		return Anymoney, Available, nil
	}
	return "", "", fmt.Errorf("ledger: no such move: %q", move)
}

// A Balance is what a user has. Neither part is ever negative.
type Balance struct {
	Available money.Amount
	Reserved  money.Amount
}

// A Transfer is one line of the books, never changed and never removed.
type Transfer struct {
	Num     int64 // given by the store, growing with time for each user
	User    string
	Payment int64 // the payment it belongs to; 0 for deposits, withdrawals and payins
	Payin   int64 // the payin that it credits; 0 for all else
	Move    adapter.Move
	Debit   Account
	Credit  Account
	Amount  money.Amount // always positive
	After   Balance      // the user's balance once the transfer was made
	Prev    int64        // the user's transfer before this one; 0 for the first
	At      time.Time    // UTC, microseconds
	Key     string       // the caller's idempotency key; "" for the moves of payments and payins
	Note    string       // what a person wrote to it
}

// A StatementFilter chooses transfers of a user; empty fields choose all.
type StatementFilter struct {
	From, To time.Time // at or after From, before To
	Before   int64     // a cursor: what was before the transfer with this Num; 0 begins with the newest
	Limit    int       // 50 if 0
}

// Apply returns the balance after taking amount from debit and giving it to credit; with an
// error it is b as it was.
//
// More than is available is adapter.ErrInsufficient, a business answer. More than is
// reserved is not: every capture and release has its reservation, so the books are broken,
// and the error says so without wrapping ErrInsufficient. Overflow wraps money.ErrOverflow.
func (b Balance) Apply(debit, credit Account, amount money.Amount) (after Balance, err error) {
	if amount.Sign() <= 0 {
		return b, fmt.Errorf("ledger: transfer of %s: not positive", amount)
	}
	after = b
	switch debit {
	case Available:
		if after.Available, err = b.Available.Sub(amount); err == nil && after.Available.Sign() < 0 {
			err = adapter.ErrInsufficient
		}
	case Reserved:
		if after.Reserved, err = b.Reserved.Sub(amount); err == nil && after.Reserved.Sign() < 0 {
			err = fmt.Errorf("ledger: %s is taken from a reservation that is not there", amount)
		}
	}
	if err != nil {
		return b, err
	}
	switch credit {
	case Available:
		after.Available, err = after.Available.Add(amount)
	case Reserved:
		after.Reserved, err = after.Reserved.Add(amount)
	}
	if err != nil {
		return b, err
	}
	return after, nil
}
