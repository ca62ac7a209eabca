package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/money"
)

// A Report is the result of an audit: what was checked and every difference found.
type Report struct {
	Users       int
	Payments    int
	Payins      int
	Transfers   int
	Accounts    map[Account]money.Amount // what each account holds over all users; the sum is zero
	Differences []Difference
}

// Clean reports whether the books are right.
func (r Report) Clean() bool { return len(r.Differences) == 0 }

// A Difference is one thing in the books that does not follow from the rest of them.
type Difference struct {
	User    string // "" when it is about no user
	Payment int64  // 0 when it is about no payment
	Text    string
}

func (d Difference) String() string {
	var b strings.Builder
	if d.User != "" {
		fmt.Fprintf(&b, "user %s: ", d.User)
	}
	if d.Payment != 0 {
		fmt.Fprintf(&b, "payment %d: ", d.Payment)
	}
	b.WriteString(d.Text)
	return b.String()
}

// An Audit recomputes the books. Feed it one snapshot of them: all transfers by their number
// (Transfer), then every stored balance (Balance), every payment with what belongs to it
// (Payment) and every payin (Payin), and ask for the Report. It keeps one small record per user and is not safe for
// concurrent use.
type Audit struct {
	currency money.Currency
	users    map[string]*running
	report   Report
}

// running is a user's balance as it follows from the transfers seen so far.
type running struct {
	Balance
	last   int64 // the newest transfer
	stored bool  // the stored balance was compared
}

// NewAudit begins an audit of books kept in the given currency.
func NewAudit(c money.Currency) *Audit {
	return &Audit{
		currency: c,
		users:    make(map[string]*running),
		report:   Report{Accounts: make(map[Account]money.Amount)},
	}
}

func (a *Audit) differ(user string, payment int64, format string, args ...any) {
	a.report.Differences = append(a.report.Differences, Difference{user, payment, fmt.Sprintf(format, args...)})
}

func (a *Audit) user(hash string) *running {
	u := a.users[hash]
	if u == nil {
		zero := money.New(0, a.currency)
		u = &running{Balance: Balance{Available: zero, Reserved: zero}}
		a.users[hash] = u
	}
	return u
}

// Transfer replays the next transfer: it must follow the user's last one, be possible, and
// lead to the balance that was written down with it.
func (a *Audit) Transfer(t Transfer) {
	a.report.Transfers++
	u := a.user(t.User)
	if t.Prev != u.last {
		a.differ(t.User, t.Payment, "transfer %d follows transfer %d, but the one before it is %d", t.Num, t.Prev, u.last)
	}
	u.last = t.Num
	if debit, credit, err := Sides(t.Move, strings.TrimPrefix(string(cmp.Or(platformOf(t.Debit), platformOf(t.Credit))), "platform:")); err != nil || debit != t.Debit || credit != t.Credit {
		a.differ(t.User, t.Payment, "transfer %d: a %s from %s to %s is no move of the ledger", t.Num, t.Move, t.Debit, t.Credit)
	}
	after, err := u.Apply(t.Debit, t.Credit, t.Amount)
	if err != nil {
		a.differ(t.User, t.Payment, "transfer %d (%s of %s) is not possible: %v", t.Num, t.Move, t.Amount, err)
	}
	if after != t.After {
		a.differ(t.User, t.Payment, "transfer %d leaves %s available and %s reserved, recomputed are %s and %s",
			t.Num, t.After.Available, t.After.Reserved, after.Available, after.Reserved)
	}
	u.Balance = after
	a.add(t.Debit, t.Amount.Neg())
	a.add(t.Credit, t.Amount)
}

func platformOf(acc Account) Account {
	if strings.HasPrefix(string(acc), "platform:") {
		return acc
	}
	return ""
}

func (a *Audit) add(acc Account, amount money.Amount) {
	sum, ok := a.report.Accounts[acc]
	if !ok {
		sum = money.New(0, a.currency)
	}
	sum, err := sum.Add(amount)
	if err != nil {
		a.differ("", 0, "account %s: %v", acc, err)
		return
	}
	a.report.Accounts[acc] = sum
}

// Balance compares a stored balance, and the number of the user's newest transfer that is
// stored with it, with what the transfers say.
func (a *Audit) Balance(user string, stored Balance, last int64) {
	a.report.Users++
	u := a.user(user)
	u.stored = true
	if stored != u.Balance {
		a.differ(user, 0, "balance is %s available and %s reserved, the transfers give %s and %s",
			stored.Available, stored.Reserved, u.Available, u.Reserved)
	}
	if last != u.last {
		a.differ(user, 0, "newest transfer is said to be %d, it is %d", last, u.last)
	}
}

// Payment checks one payment against its moves, in the order they were made, and its history
// without remarks, in the order of versions.
func (a *Audit) Payment(p adapter.Payment, moves []Transfer, history []adapter.Event) {
	a.report.Payments++
	a.moves(p, moves, keptOutside(history))
	a.history(p, history)
}

// keptOutside reports whether a payment's funds are or were kept by the partner's billing,
// which its history tells: the billing's answer to the reservation, or a move that was owed.
func keptOutside(history []adapter.Event) bool {
	return slices.ContainsFunc(history, func(e adapter.Event) bool {
		return e.Kind == adapter.EventReserved && e.Verdict != "" || e.To == adapter.Capturing || e.To == adapter.Releasing
	})
}

// Payin checks one payin against its moves and its history without remarks, in the order of
// versions: a user is credited once, with what is written at the payin, or not at all.
func (a *Audit) Payin(p adapter.Payin, moves []Transfer, history []adapter.PayinEvent) {
	a.report.Payins++
	var moved money.Amount
	for _, t := range moves {
		if t.Move != Payin || t.User != p.User || !moved.IsZero() {
			a.differ(p.User, 0, "payin %d: its %s moves %s for user %s", p.Num, t.Move, t.Amount, t.User)
		}
		moved = t.Amount
	}
	if moved != p.Credited || !moved.IsZero() && p.Status != adapter.PayinDone {
		a.differ(p.User, 0, "payin %d: it is %s and says it credited %s, the ledger has %s", p.Num, p.Status, p.Credited, moved)
	}
	status, version := p.FirstStatus(), 0
	for _, e := range history {
		if e.From != status || e.Version <= version {
			a.differ(p.User, 0, "payin %d: version %d leads from %s, but version %d left it %s", p.Num, e.Version, e.From, version, status)
		}
		status, version = e.To, e.Version
	}
	if status != p.Status || version > p.Version {
		a.differ(p.User, 0, "payin %d: it is %s at version %d, its history ends with %s at version %d", p.Num, p.Status, p.Version, status, version)
	}
}

// Orphan reports a transfer or an event of a payment that does not exist.
func (a *Audit) Orphan(payment int64, what string) {
	a.differ("", payment, "%s of a payment that does not exist", what)
}

// OrphanPayin reports a transfer or an event of a payin that does not exist.
func (a *Audit) OrphanPayin(payin int64, what string) {
	a.differ("", 0, "%s of payin %d, which does not exist", what, payin)
}

// expected gives, for each state, the moves that a payment's life up to there has made; a
// release beside its reservation is possible in any state that follows a refusal.
func expected(p adapter.Payment) [][]adapter.Move {
	if p.Kind == adapter.Refund {
		if p.State == adapter.Confirmed {
			return [][]adapter.Move{{adapter.Restore}}
		}
		return [][]adapter.Move{nil}
	}
	switch {
	case p.State.HoldsFunds():
		return [][]adapter.Move{{adapter.Reserve}}
	case p.State == adapter.Confirmed:
		return [][]adapter.Move{{adapter.Reserve, adapter.Capture}}
	case p.State == adapter.Declining, p.State == adapter.Declined:
		return [][]adapter.Move{nil, {adapter.Reserve, adapter.Release}}
	}
	return [][]adapter.Move{nil}
}

func (a *Audit) moves(p adapter.Payment, transfers []Transfer, outside bool) {
	var made []adapter.Move
	for _, t := range transfers {
		made = append(made, t.Move)
		if t.User != p.User || t.Amount != p.Amount {
			a.differ(p.User, p.Num, "its %s moves %s of user %s, the payment is of %s", t.Move, t.Amount, t.User, p.Amount)
		}
	}
	want := expected(p)
	if outside {
		want = [][]adapter.Move{nil}
	}
	if !slices.ContainsFunc(want, func(w []adapter.Move) bool { return slices.Equal(w, made) }) {
		a.differ(p.User, p.Num, "a %s that is %s has made the moves %v, expected are %v", p.Kind, p.State, made, want)
	}
}

func (a *Audit) history(p adapter.Payment, events []adapter.Event) {
	state, version := adapter.Received, 0
	for _, e := range events {
		if e.Kind == adapter.EventArchived && version == 0 && e.Version == p.Version { // the rest is in a file
			state, version = e.From, p.Version-1
		}
		if e.From != state || e.Version <= version {
			a.differ(p.User, p.Num, "version %d leads from %s, but version %d left it %s", e.Version, e.From, version, state)
		}
		state, version = e.To, e.Version
	}
	if state != p.State || version > p.Version {
		a.differ(p.User, p.Num, "it is %s at version %d, its history ends with %s at version %d", p.State, p.Version, state, version)
	}
}

// Report closes the audit.
func (a *Audit) Report() Report {
	for _, hash := range slices.Sorted(maps.Keys(a.users)) {
		if !a.users[hash].stored {
			a.differ(hash, 0, "has transfers but no balance")
		}
	}
	sum := money.New(0, a.currency)
	for acc, amount := range a.report.Accounts {
		var err error
		if sum, err = sum.Add(amount); err != nil {
			a.differ("", 0, "account %s: %v", acc, err)
		}
	}
	if !sum.IsZero() {
		a.differ("", 0, "all accounts together hold %s, which must be nothing", sum)
	}
	return a.report
}
