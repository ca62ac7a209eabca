package integra

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// user is one user of a partner.
type user struct {
	hash, login, key string // never change
	partner          string // hash
	details          wire.CreateUserArgs
	order            int // of registration, from 1
	created          time.Time

	mu         sync.Mutex // guards what follows
	balance    money.Amount
	payments   []*payment // the oldest first
	days       []day      // with movements, the oldest first
	messages   []message  // the oldest first
	template   *wire.NotifyTemplate
	secrets    []string // in the template
	loginAt    time.Time
	archivedAt time.Time // zero while the user is not archived
	url        string
	counters   map[string]int64 // Yandex's id to ours
	watchers   map[chan struct{}]struct{}
}

// day sums up one day of a user, UTC.
type day struct {
	date            string // YYYY-MM-DD
	income, outcome money.Amount
	balance         money.Amount // at its end
}

// A User shows one user as it is at the moment.
type User struct {
	Hash         string
	Login        string
	Partner      string // hash
	Email        string
	Phone        string
	Balance      money.Amount
	Archived     bool
	CreatedAt    time.Time
	LastLoginAt  time.Time // zero before the first one
	CanTopUp     bool      // logged in with a notification URL, not archived
	URL          string    // of the promoted site
	Unread       int       // messages
	Payments     []Payment // the newest first
	PaymentCount int       // of all that are remembered
}

func (u *user) view(payments int) User {
	u.mu.Lock()
	defer u.mu.Unlock()
	view := User{
		Hash: u.hash, Login: u.login, Partner: u.partner, Email: u.details.Email, Phone: u.details.Phone,
		Balance: u.balance, Archived: !u.archivedAt.IsZero(), CreatedAt: u.created, LastLoginAt: u.loginAt,
		CanTopUp: u.template != nil && u.archivedAt.IsZero(), URL: u.url, Unread: u.unread(), PaymentCount: len(u.payments),
	}
	for _, pay := range slices.Backward(u.payments) {
		if len(view.Payments) == payments {
			break
		}
		view.Payments = append(view.Payments, pay.view())
	}
	return view
}

// changed tells whoever watches the user; it wants mu held.
func (u *user) changed() {
	for c := range u.watchers {
		select {
		case c <- struct{}{}:
		default: // it has not yet looked at what it was told of before
		}
	}
}

// move changes the balance and the day's sums, or nothing. It wants mu held.
func (u *user) move(sum money.Amount, at time.Time) *Refusal {
	balance, err := u.balance.Add(sum)
	if err != nil {
		return refuse(CheckBalance, wire.CodeInvalid, fmt.Sprintf("balance of %s: %v", u.hash, err))
	}
	date := at.Format(time.DateOnly)
	i, found := u.findDay(date)
	if !found {
		u.days = slices.Insert(u.days, i, day{date: date, income: nothing, outcome: nothing})
	}
	d := &u.days[i]
	total := &d.income
	if sum.Sign() < 0 {
		total = &d.outcome
	}
	sums, err := total.Add(sum)
	if err != nil {
		return refuse(CheckBalance, wire.CodeInvalid, fmt.Sprintf("sums of %s on %s: %v", u.hash, date, err))
	}
	*total = sums
	u.balance, d.balance = balance, balance
	return nil
}

// findDay returns the place of a day with movements, or where it would stand.
func (u *user) findDay(date string) (place int, found bool) {
	return slices.BinarySearchFunc(u.days, date, func(d day, date string) int { return cmp.Compare(d.date, date) })
}

// summary returns the sums of a day and the balance at its end.
func (u *user) summary(date string) day {
	u.mu.Lock()
	defer u.mu.Unlock()
	i, found := u.findDay(date)
	switch {
	case found:
		return u.days[i]
	case i > 0:
		return day{date: date, income: nothing, outcome: nothing, balance: u.days[i-1].balance}
	}
	return day{date: date, income: nothing, outcome: nothing, balance: nothing}
}

// A campaign's budget is the same for everybody: it starts with the first money, and
// nothing is ever charged.
var dailyBudget = money.New(100*money.RUB.Unit(), money.RUB)

// data is what getUserData tells of the user.
func (u *user) data(now time.Time) wire.UserData {
	u.mu.Lock()
	defer u.mu.Unlock()
	data := wire.UserData{
		Hash: u.hash, Balance: number(u.balance), DailyBudget: "0", DailyExpense: "0", URL: u.url,
		Keywords: []string{}, Markers: []wire.Marker{}, UnreadCount: u.unread(),
		Status: wire.StatusNew, Progress: wire.ProgressStep1,
	}
	paid := u.balance.Sign() > 0
	switch {
	case paid && u.archivedAt.IsZero():
		data.Status, data.Progress = wire.StatusRun, wire.ProgressPaid
		data.DailyBudget = number(dailyBudget)
		days := u.balance.Minor() / dailyBudget.Minor()
		data.BalanceInfo = wire.BalanceInfo{Days: int(days % 30), Months: int(days / 30)}
		data.BalanceInfo.UntilTime = now.UnixMilli() + days*(24*time.Hour).Milliseconds()
	case paid:
		data.Status, data.Progress = wire.StatusStopped, wire.ProgressPaid
	case len(u.days) > 0:
		data.Status, data.Progress = wire.StatusStopped, wire.ProgressUnpaid
		data.Markers = append(data.Markers, wire.Marker{
			Code: 1, Type: wire.MarkerWarning,
			Title: "Баланс исчерпан", TitleTemplate: "Баланс исчерпан",
			Text: "Продвижение остановлено до пополнения баланса.", TextTemplate: "Продвижение остановлено до пополнения баланса.",
			Data: json.RawMessage("[]"),
		})
	}
	return data
}

func (u *user) isArchived() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.archivedAt.IsZero()
}

// archive archives the user, unless it is, and returns since when it is.
func (u *user) archive(now time.Time) (since time.Time, changed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if changed = u.archivedAt.IsZero(); changed {
		u.archivedAt = now
		u.changed()
	}
	return u.archivedAt, changed
}

func (u *user) unarchive() (changed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if changed = !u.archivedAt.IsZero(); changed {
		u.archivedAt = time.Time{}
		u.changed()
	}
	return changed
}

// refuseArchived refuses what an archived user may not do. It wants mu held.
func (u *user) refuseArchived() *Refusal {
	if u.archivedAt.IsZero() {
		return nil
	}
	return archivedUser(u)
}

func (u *user) changeURL(to string) (old string, _ *Refusal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if refusal := u.refuseArchived(); refusal != nil {
		return "", refusal
	}
	old, u.url = u.url, to
	u.changed()
	return old, nil
}

// attachCounter returns our id of a counter, the same for the same counter.
func (u *user) attachCounter(counter string, next func() int64) (int64, *Refusal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if refusal := u.refuseArchived(); refusal != nil {
		return 0, refusal
	}
	if u.counters == nil {
		u.counters = map[string]int64{}
	}
	if u.counters[counter] == 0 {
		u.counters[counter] = next()
	}
	return u.counters[counter], nil
}

// rememberLogin notes where the user's top-ups are announced from now on; a login without a
// template changes nothing of that.
func (p *Platform) rememberLogin(u *user, template *wire.NotifyTemplate) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.loginAt = p.cfg.Clock.Now()
	if template != nil {
		u.setTemplate(template)
	}
	u.changed()
}

// setTemplate wants mu held.
func (u *user) setTemplate(template *wire.NotifyTemplate) {
	u.template = template
	u.secrets = journal.SecretsIn(template.String())
}

// checkDetails checks what the partner tells of a new user.
func checkDetails(args wire.CreateUserArgs) *Refusal {
	const maxText = 255
	bad := func(name, why string) *Refusal {
		return refuse(checkArg(name), wire.CodeInvalid, fmt.Sprintf("invalid arguments: %q %s", name, why))
	}
	for _, arg := range [][2]string{
		{"username", args.Username},
		{"email", args.Email},
		{"suggestedDomain", args.SuggestedDomain},
		{"inviterUserId", string(args.InviterUserID)},
	} {
		if len(arg[1]) > maxText {
			return bad(arg[0], fmt.Sprintf("is longer than %d bytes", maxText))
		}
	}
	switch {
	case strings.TrimSpace(args.Username) == "":
		return bad("username", "is empty")
	case len(args.Hash) != wire.HashLen:
		return refuse(checkArg("hash"), wire.CodeHashLength, fmt.Sprintf("hash must be %d characters long, not %d", wire.HashLen, len(args.Hash)))
	case !wire.ValidHash(args.Hash):
		return bad("hash", "has other characters than letters and digits")
	case args.Email != "" && !looksLikeEmail(args.Email):
		return bad("email", "is no e-mail address")
	case args.Phone != "" && !looksLikePhone(args.Phone):
		return bad("phone", "is not international, such as +79551234567")
	case strings.Contains(args.SuggestedDomain, "://"):
		return bad("suggestedDomain", "must not have a scheme")
	}
	return nil
}

func looksLikeEmail(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && domain != "" && !strings.ContainsAny(s, " \t\r\n") && !strings.Contains(domain, "@")
}

func looksLikePhone(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < 7 || len(digits) > 15 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
