package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/contract/money"
)

// errChanged says that some payment was not as its step expects. The transaction is undone
// and the group done again, carefully: reading the payments first, to find out which.
var errChanged = errors.New("a payment was changed meanwhile")

// steps writes the steps of one transaction. Balances are locked and read first and the
// steps applied to them in memory, one after the other, so that steps of one user see each
// other's effect; then all rows are written in bulk.
type steps struct {
	store    *Store
	accounts map[string]*account       // of the users whose money may move
	nums     []int64                   // fresh numbers for transfers
	current  map[int64]adapter.Payment // the payments as they are; nil unless careful
	taken    map[int64]struct{}        // payments that have their step

	payments  []any // rows to be written, value after value
	held      []any // those of payments whose next_at stays
	events    []any
	transfers []any
}

// account is a user's balance within the transaction.
type account struct {
	ledger.Balance
	last    int64 // the user's newest transfer
	changed bool
}

// newSteps locks and reads what the steps need.
func (s *Store) newSteps(ctx context.Context, t tx, ops []*op, careful bool) (*steps, error) {
	slices.SortFunc(ops, func(a, b *op) int { return compareNums(a.step.Before, b.step.Before) })
	w := &steps{store: s, accounts: make(map[string]*account), taken: make(map[int64]struct{}, len(ops))}
	moves := 0
	for _, o := range ops {
		if o.step.Move != adapter.NoMove {
			w.accounts[o.step.Before.User] = nil
			moves++
		}
	}
	if moves > 0 {
		w.lock(t, moves)
	}
	if careful {
		w.current = make(map[int64]adapter.Payment, len(ops))
		nums := make([]any, len(ops))
		for i, o := range ops {
			nums[i] = o.step.Before.Num
		}
		t.add(s.sql.selectPayments.stmts(nums, s.scanInto(func(p adapter.Payment) { w.current[p.Num] = p }))...)
	}
	if moves > 0 || careful {
		if err := t.flush(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func compareNums(a, b adapter.Payment) int {
	switch {
	case a.Num < b.Num:
		return -1
	case a.Num > b.Num:
		return 1
	}
	return 0
}

// lock queues the reading of the accounts, and of numbers for their transfers.
func (w *steps) lock(t tx, moves int) {
	s := w.store
	users := make([]any, 0, len(w.accounts))
	for _, user := range slices.Sorted(maps.Keys(w.accounts)) {
		users = append(users, user)
	}
	t.add(s.sql.selectBalances.stmts(users, func(scan scanner) error {
		var (
			user                      string
			available, reserved, last int64
		)
		if err := scan(&user, &available, &reserved, &last); err != nil {
			return err
		}
		w.accounts[user] = &account{Balance: s.balance(available, reserved), last: last}
		return nil
	})...)
	w.nums = make([]int64, 0, moves)
	t.add(&stmt{sql: s.sql.transferNums, args: []any{int64(moves)}, row: func(scan scanner) error {
		var n int64
		err := scan(&n)
		w.nums = append(w.nums, n)
		return err
	}})
}

func (s *Store) balance(available, reserved int64) ledger.Balance {
	return ledger.Balance{
		Available: money.New(available, s.cfg.Currency),
		Reserved:  money.New(reserved, s.cfg.Currency),
	}
}

// apply decides one step and queues its rows, or those of its Short. It returns the payment
// as it will be stored.
func (w *steps) apply(st *adapter.Step) (adapter.Payment, error) {
	num := st.Before.Num
	if w.current != nil {
		switch now := w.current[num]; {
		case now.Num == 0:
			return now, adapter.ErrNotFound
		case now == stored(st.After), st.Short != nil && now == stored(st.Short.After):
			return now, nil // this very step, written by a commit whose outcome got lost
		case now.Version != st.Before.Version:
			return now, adapter.ErrLost
		}
	}
	if _, twice := w.taken[num]; twice {
		return adapter.Payment{}, adapter.ErrLost
	}
	if st.Move != adapter.NoMove {
		err := w.move(st.Before, st.Move, st.Event.At)
		switch {
		case errors.Is(err, adapter.ErrInsufficient) && st.Short != nil:
			st = st.Short
		case err != nil:
			return st.Before, fmt.Errorf("%s for payment %s: %w", st.Move, st.Before.Key, err)
		}
	}
	w.taken[num] = struct{}{}
	return w.change(st), nil
}

// stored returns p as it reads when it was stored.
func stored(p adapter.Payment) adapter.Payment {
	p.NextAt, p.UpdatedAt = whole(p.NextAt), whole(p.UpdatedAt)
	p.Reason = text(p.Reason)
	return p
}

// change queues the payment's row and its line of history.
func (w *steps) change(st *adapter.Step) adapter.Payment {
	after := stored(st.After)
	rows := &w.payments
	if after.NextAt.Equal(st.Before.NextAt) {
		rows = &w.held
	}
	*rows = append(*rows, after.Num, int64(st.Before.Version), string(after.State), int64(after.Attempt), after.Owner,
		after.Reason, after.UpdatedAt.UnixMicro())
	if rows == &w.payments {
		*rows = append(*rows, micros(after.NextAt))
	}
	if e := st.Event; e.Kind != "" {
		w.events = appendEvent(w.events, &e)
	}
	return after
}

func appendEvent(values []any, e *adapter.Event) []any {
	return append(values,
		e.Payment, int64(e.Version), int64(e.N), e.At.UnixMicro(), string(e.Kind), string(e.From), string(e.To),
		int64(e.Attempt), string(e.Verdict), int64(e.Code), text(e.Detail), e.Took.Microseconds(),
	)
}

// move applies a payment's move to its user's account.
func (w *steps) move(p adapter.Payment, m adapter.Move, at time.Time) error {
	acc := w.accounts[p.User]
	switch {
	case acc == nil && m == adapter.Reserve:
		return adapter.ErrInsufficient
	case acc == nil:
		return fmt.Errorf("user %s has no account", p.User)
	}
	return w.transfer(acc, ledger.Transfer{User: p.User, Payment: p.Num, Move: m, Amount: p.Amount, At: at}, p.Key.Platform)
}

// transfer changes the account and queues the row, giving it its number, its accounts and
// its place in the user's chain.
func (w *steps) transfer(acc *account, t ledger.Transfer, platform string) (err error) {
	if t.Debit, t.Credit, err = ledger.Sides(t.Move, platform); err != nil {
		return err
	}
	if t.After, err = acc.Apply(t.Debit, t.Credit, t.Amount); err != nil {
		return err
	}
	t.Num, w.nums = w.nums[0], w.nums[1:]
	t.Prev = acc.last
	var payment, key any // NULL where there is none
	if t.Payment != 0 {
		payment = t.Payment
	}
	if t.Key != "" {
		key = t.Key
	}
	w.transfers = append(w.transfers, t.Num, t.User, payment, string(t.Move), string(t.Debit), string(t.Credit), t.Amount.Minor(),
		t.After.Available.Minor(), t.After.Reserved.Minor(), t.Prev, t.At.UnixMicro(), key, t.Note)
	acc.Balance, acc.last, acc.changed = t.After, t.Num, true
	return nil
}

// write queues everything. The transaction fails with errChanged if a payment is not at the
// version that its step was made from.
func (w *steps) write(t tx) {
	sql := &w.store.sql
	var balances []any
	for _, user := range slices.Sorted(maps.Keys(w.accounts)) {
		if acc := w.accounts[user]; acc != nil && acc.changed {
			balances = append(balances, user, acc.Available.Minor(), acc.Reserved.Minor(), acc.last)
		}
	}
	t.add(sql.updatePayments.stmts(w.payments, nil)...)
	t.add(sql.updateHeld.stmts(w.held, nil)...)
	t.add(sql.updateBalances.stmts(balances, nil)...)
	t.add(sql.insertEvents.stmts(w.events, nil)...)
	t.add(sql.insertTransfers.stmts(w.transfers, nil)...)
}
