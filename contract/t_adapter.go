package contract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// A User is a user of the adapter under test, made for one check.
type User struct {
	t     *T
	hash  string
	login string
	key   string // crypt key; "" where the adapter made the user
	proof string // what {proof} of notify_url is; asked for once

	funds   money.Amount // what was ever put into the user's account at the adapter
	outside money.Amount // what the platform was paid by others
	loose   bool         // the adapter may keep money reserved for good: a payment is in doubt
	counted *books       // when the money was last counted; nil before
}

func rub(text string) money.Amount {
	a, err := money.ParseBalance(text, money.RUB)
	if err != nil {
		panic("contract: amount in a check: " + err.Error())
	}
	return a
}

func plus(a, b money.Amount) money.Amount {
	sum, err := a.Add(b)
	if err != nil {
		panic("contract: amounts in a check: " + err.Error())
	}
	return sum
}

func minus(a, b money.Amount) money.Amount { return plus(a, b.Neg()) }

// newUser makes a user who has opened the platform's page and has the balance at the adapter.
func (t *T) newUser(balance string) *User {
	u := &User{t: t, login: t.env.login(t), funds: rub("0"), outside: rub("0")}
	if t.env.target.Adapter.maker() == opAdopt {
		u.hash = t.fresh()
		key, err := t.env.createUser(t.ctx, u.login, u.hash)
		t.set(err)
		u.key = key
		t.secret(key)
		t.hook(opAdopt, map[string]string{"login": u.login, "user": u.hash, "key": key})
	} else {
		u.hash = t.hook(opRegister, map[string]string{"login": u.login})["hash"]
		if !integra.ValidHash(u.hash) {
			t.set(errorf("hook register: %q is no hash of 32 letters or digits", u.hash))
		}
	}
	t.set(t.env.open(t.ctx, u))
	if rub(balance).Sign() > 0 {
		u.deposit(balance)
	}
	t.mu.Lock()
	t.users = append(t.users, u)
	t.mu.Unlock()
	return u
}

// hook carries an operation out; that it fails is an error of the run.
func (t *T) hook(op string, args map[string]string) map[string]string {
	answer, err := t.env.hook.Do(t.ctx, op, args)
	t.set(err)
	return answer
}

// deposit puts money into the user's account at the adapter.
func (u *User) deposit(amount string) {
	u.t.hook(opDeposit, map[string]string{"user": u.hash, "amount": amount})
	u.funds = plus(u.funds, rub(amount))
}

// balance is what the adapter says the user has.
func (u *User) balance(ctx context.Context) (available, reserved money.Amount, err error) {
	answer, err := u.t.env.hook.Do(ctx, opBalance, map[string]string{"user": u.hash})
	if err != nil {
		return available, reserved, err
	}
	if available, err = money.ParseBalance(answer["available"], money.RUB); err != nil {
		return available, reserved, errorf("hook balance: available: %w", err)
	}
	if answer["reserved"] == "" {
		return available, rub("0"), nil
	}
	if reserved, err = money.ParseBalance(answer["reserved"], money.RUB); err != nil {
		return available, reserved, errorf("hook balance: reserved: %w", err)
	}
	return available, reserved, nil
}

// credited is the user's balance at the platform.
func (u *User) credited(ctx context.Context) (money.Amount, error) {
	p, err := u.t.env.control.user(ctx, u.hash)
	if err != nil {
		return money.Amount{}, err
	}
	balance, err := money.ParseBalance(p.Balance, money.RUB)
	if err != nil {
		return balance, errorf("control API: balance of %s: %w", u.hash, err)
	}
	return balance, nil
}

// has waits until the user has these balances at the adapter and at the platform, and
// nothing is reserved.
func (u *User) has(available, credited string) {
	want := say("%s available at the partner, nothing reserved, %s at Integra", rub(available).Text(), rub(credited).Text())
	u.t.until(u.t.env.limits.Settle, want, func() (bool, Text) {
		a, r, err := u.balance(u.t.ctx)
		u.t.set(err)
		c, err := u.credited(u.t.ctx)
		u.t.set(err)
		return a == rub(available) && r.IsZero() && c == rub(credited),
			say("%s available, %s reserved, %s at Integra", a.Text(), r.Text(), c.Text())
	})
}

// mayDoubt allows the adapter to hold money for good: a person has to look at the payment.
func (u *User) mayDoubt() { u.loose = true }

// judge judges the user's money. Both sides together must have what was put in; a payment in
// doubt may stay reserved, but never be given back while the platform has its money, nor be
// charged while it has not.
func (u *User) judge(available, reserved, credited money.Amount) (want Text, ok bool) {
	captured := minus(u.funds, plus(available, reserved))
	paid := minus(credited, u.outside)
	if u.loose {
		return say("no more charged than the %s credited at Integra, no more available than %s", paid.Text(), minus(u.funds, paid).Text()),
			captured.Cmp(paid) <= 0 && available.Cmp(minus(u.funds, paid)) <= 0
	}
	return say("%s charged, as much as Integra has credited, and nothing reserved", paid.Text()), captured == paid && reserved.IsZero()
}

// books are a user's money, counted: what the adapter has charged and reserves, and what the
// platform has credited for it.
type books struct{ charged, reserved, credited money.Amount }

// conserve waits until the user's books balance.
func (u *User) conserve() {
	var want, state Text
	ask := func(ctx context.Context) (bool, error) {
		a, r, err := u.balance(ctx)
		if err != nil {
			return false, err
		}
		c, err := u.credited(ctx)
		if err != nil {
			return false, err
		}
		var ok bool
		want, ok = u.judge(a, r, c)
		u.counted = &books{charged: minus(u.funds, plus(a, r)), reserved: r, credited: minus(c, u.outside)}
		state = say("of %s put in: %s available, %s reserved, %s charged; %s at Integra", u.funds.Text(), a.Text(), r.Text(), minus(u.funds, plus(a, r)).Text(), c.Text())
		return ok, nil
	}
	u.t.until(u.t.env.limits.Settle, say("money conserved"), func() (bool, Text) {
		ok, err := ask(u.t.ctx)
		u.t.set(err)
		return ok, say("want %s, got %s", want, state)
	})
	u.t.atEnd(func(ctx context.Context) *Failure {
		if ok, err := ask(ctx); err != nil || ok {
			return nil // an error was reported by the check that met it first
		}
		return failure(-1, say("%s, still at the end of the run", want), state)
	})
}

// A payment is a top-up that the platform has announced.
type payment struct {
	u      *User
	id     string
	amount string // as the button was pressed
}

// topUp presses "top up" on the user's page: from the partner's account.
func (u *User) topUp(amount string) *payment {
	p, err := u.t.env.control.topUp(u.t.ctx, u.hash, amount, "partner")
	u.t.set(err)
	return &payment{u: u, id: p.ID, amount: amount}
}

// seen is the payment as the platform sees it.
func (p *payment) seen() platformPayment {
	seen, err := p.u.t.env.control.payment(p.u.t.ctx, p.id)
	p.u.t.set(err)
	return seen
}

// becomes waits until the platform has the payment in the state.
func (p *payment) becomes(state string) {
	want := say("the payment %s at Integra", stateText(state))
	p.u.t.until(p.u.t.env.limits.Settle, want, func() (bool, Text) {
		seen := p.seen()
		if seen.State != state && seen.State != "unconfirmed" {
			got := stateText(seen.State)
			if seen.Reason != "" {
				got = say("%s: %s", got, seen.Reason)
			}
			p.u.t.fail(want, say("%s%s", got, refusals(p.calls(integra.ConfirmPayment))))
		}
		return seen.State == state, stateText(seen.State)
	})
}

// refusals says what the platform had against calls: mostly the cause of all that follows.
func refusals(calls []entry) (text Text) {
	for i := range calls {
		if v := calls[i].Verdict; !v.OK && v.Detail != "" {
			text = say("%s; before that %s was refused: %s", text, calls[i].Method, oneLine(v.Detail, 200))
		}
	}
	return text
}

// stateText is a payment's state at the platform in words.
func stateText(state string) Text {
	switch state {
	case "confirmed":
		return say("confirmed")
	case "declined":
		return say("declined")
	case "unconfirmed":
		return say("unconfirmed")
	}
	return verbatim(state)
}

func (p *payment) confirmed() { p.becomes("confirmed") }
func (p *payment) declined()  { p.becomes("declined") }

// final waits until the platform has the payment confirmed or declined, and tells which.
func (p *payment) final() (state string) {
	p.u.t.until(p.u.t.env.limits.Settle, say("the payment confirmed or declined at Integra"), func() (bool, Text) {
		state = p.seen().State
		return state != "unconfirmed", stateText(state)
	})
	return state
}

// acknowledged waits until a notification of the payment was answered 200.
func (p *payment) acknowledged() {
	p.u.t.until(p.u.t.env.limits.Answer+p.u.t.env.limits.Settle, say("a notification answered 200"), func() (bool, Text) {
		seen := p.seen()
		for _, a := range seen.Attempts {
			if a.Status == http.StatusOK {
				return true, Text{}
			}
		}
		var answers []string
		for _, try := range seen.Attempts {
			answers = append(answers, cmp.Or(try.Error, strconv.Itoa(try.Status)))
		}
		return false, say("none of %d answered 200: %s", len(answers), oneLine(strings.Join(answers, "; "), 400))
	})
}

// calls returns the adapter's calls of a method about the payment, the oldest first.
func (p *payment) calls(method integra.Method) []entry { return p.u.calls(method, p.id) }

// calls returns the adapter's calls of a method for the user; payment may be "" for any.
func (u *User) calls(method integra.Method, payment string) []entry {
	all, err := u.t.env.control.journal(u.t.ctx, u.hash)
	u.t.set(err)
	return callsOf(all, method, payment)
}

func callsOf(all []entry, method integra.Method, payment string) (found []entry) {
	for _, e := range all {
		if e.Direction == "in" && e.Method == string(method) && (payment == "" || e.Payment == payment || e.arg("transactionId") == payment) {
			found = append(found, e)
		}
	}
	return found
}

// notifications are those that the platform has sent about the payment, the oldest first.
func (p *payment) notifications() (found []entry) {
	for _, e := range p.u.exchanges() {
		if e.Direction == "out" && e.Payment == p.id {
			found = append(found, e)
		}
	}
	return found
}

// called waits until the adapter has called the method for the payment n times at least.
func (p *payment) called(method integra.Method, n int) {
	p.u.t.until(p.u.t.env.limits.Settle, say("%s called %s", method, times(n)), func() (bool, Text) {
		calls := p.calls(method)
		return len(calls) >= n, say("called %s", times(len(calls)))
	})
}

// callsExactly fails unless the adapter has called the method exactly n times.
func (p *payment) callsExactly(method integra.Method, n int) {
	if calls := p.calls(method); len(calls) != n {
		p.u.t.fail(say("%s called %s", method, times(n)), times(len(calls)))
	}
}

func times(n int) Text {
	switch few := n%10 >= 2 && n%10 <= 4 && n/10%10 != 1; {
	case n == 0:
		return say("never")
	case n == 1:
		return say("once")
	case few:
		return Text{fmt.Sprintf("%d times", n), fmt.Sprintf("%d раза", n)}
	}
	return say("%d times", n)
}

// never promises that the adapter does not call the method for the payment, now and until
// the end of the run.
func (p *payment) never(method integra.Method) { p.u.neverFor(method, p.id) }

// never promises the same for all payments of the user.
func (u *User) never(method integra.Method) { u.neverFor(method, "") }

func (u *User) neverFor(method integra.Method, payment string) {
	want := say("%s never called", method)
	if calls := u.calls(method, payment); len(calls) > 0 {
		u.t.fail(want, verbatim(calls[0].Args))
	}
	u.t.atEnd(func(ctx context.Context) *Failure {
		all, err := u.t.env.control.journal(ctx, u.hash)
		if err != nil {
			return nil // whoever comes next meets it
		}
		if calls := callsOf(all, method, payment); len(calls) > 0 {
			return failure(-1, want, say("a call, late: %s", calls[0].Args))
		}
		return nil
	})
}

// A notice is a notification that the suite delivers by itself.
type notice struct {
	id, amount, hash string
	proof            string
	// edit changes the address once the template is filled in.
	edit func(*url.URL)
}

// notice is the payment's true notification.
func (p *payment) notice() notice { return p.u.notice(p.id, p.amount) }

// notice is a notification about a payment of the user.
func (u *User) notice(id, amount string) notice {
	n := notice{id: id, amount: amount, hash: u.hash}
	if u.t.env.hasProof() {
		n.proof = u.proven()
	}
	return n
}

// proven is what vouches for notifications about the user.
func (u *User) proven() string {
	u.t.mu.Lock()
	proof := u.proof
	u.t.mu.Unlock()
	if proof == "" {
		proof = u.t.hook(opProof, map[string]string{"user": u.hash})["proof"]
		u.t.secret(proof)
		u.t.mu.Lock()
		u.proof = proof
		u.t.mu.Unlock()
	}
	return proof
}

// with returns the notice with a query parameter set; values none removes it.
func (n notice) with(placeholder string, values ...string) notice {
	before := n.edit
	n.edit = func(u *url.URL) {
		if before != nil {
			before(u)
		}
		setParameter(u, placeholder, values)
	}
	return n
}

// setParameter replaces the parameter whose value is the mark.
func setParameter(u *url.URL, mark string, values []string) {
	var kept []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if value != mark {
			kept = append(kept, pair)
			continue
		}
		for _, v := range values {
			kept = append(kept, name+"="+v)
		}
	}
	u.RawQuery = strings.Join(kept, "&")
}

// address fills the target's template in.
func (t *T) address(n notice) *url.URL {
	text := strings.ReplaceAll(t.env.notifyURL, "{proof}", url.QueryEscape(n.proof))
	template, err := integra.ParseNotifyTemplate(text)
	t.set(err)
	u, err := url.Parse(template.Expand(n.id, n.amount, n.hash))
	t.set(err)
	if n.edit != nil {
		n.edit(u)
	}
	return u
}

// deliver sends a notification as the platform does and returns the answer.
func (t *T) deliver(n notice) answer {
	return t.deliverBy(http.MethodGet, n)
}

func (t *T) deliverBy(verb string, n notice) answer {
	u := t.address(n)
	req, err := http.NewRequestWithContext(t.ctx, verb, u.String(), nil)
	if err != nil { // an address that net/url cannot write is the check's own mistake
		t.set(err)
	}
	req.URL = u
	req.Header.Set("User-Agent", "Integra (partnerkit contract)")
	return t.call(PartyPartner, "notify", req, t.env.limits.Answer)
}

// hangUp sends a notification and closes the connection without waiting for the answer.
func (t *T) hangUp(n notice) {
	u := t.address(n)
	req, err := http.NewRequestWithContext(t.ctx, http.MethodGet, u.String(), nil)
	t.set(err)
	req.Close = true
	x := Exchange{From: PartySuite, To: PartyPartner, Method: "notify", At: time.Now(), Request: "GET " + u.RequestURI(), Err: "the suite hung up on purpose"}
	conn, err := dial(t.ctx, u)
	if err == nil {
		err = errors.Join(req.Write(conn), conn.Close())
	}
	if err != nil {
		x.Err = oneLine(err.Error(), 200)
	}
	x.TookUS = time.Since(x.At).Microseconds()
	t.record(x)
}

// taken fails unless the notification was answered 200 in time.
func (t *T) taken(a answer) {
	if a.err != nil || a.status != http.StatusOK {
		t.failAt(a.index, say("200 within %s", t.env.limits.Answer), a.said())
	}
}

// refused fails unless the notification was answered with a status from 400 to 499.
func (t *T) refused(a answer) {
	if a.err != nil || a.status < 400 || a.status > 499 {
		t.failAt(a.index, say("a refusal: a status from 400 to 499"), a.said())
	}
}

// said is what came back.
func (a answer) said() Text {
	why := func() Text {
		text := textOf(a.err)
		return Text{oneLine(text.En, 200), oneLine(text.Ru, 200)}
	}
	switch {
	case a.err != nil && a.status == 0:
		return say("no answer: %s", why())
	case a.err != nil:
		return say("%d, then: %s", a.status, why())
	case len(a.body) == 0:
		return say("%d with an empty body", a.status)
	}
	return verbatim(fmt.Sprintf("%d: %s", a.status, oneLine(string(a.body), 160)))
}

// pay makes a direct payment and tells whether the adapter said yes; no is also what it says
// while the outcome is open.
func (u *User) pay(amount, key string) bool {
	_, err := u.t.env.hook.Do(u.t.ctx, opPay, map[string]string{"user": u.hash, "amount": amount, "key": key})
	if errors.Is(err, ErrRefused) {
		return false
	}
	u.t.set(err)
	return true
}

// refund gives money back, of the payment with the id at the platform.
func (u *User) refund(payment, amount, key string) bool {
	_, err := u.t.env.hook.Do(u.t.ctx, opRefund, map[string]string{"user": u.hash, "payment": payment, "amount": amount, "key": key})
	if errors.Is(err, ErrRefused) {
		return false
	}
	u.t.set(err)
	return true
}

// kill ends the adapter as a power cut does, and begin starts it again.
func (t *T) kill() {
	t.happens(Killed)
	t.set(t.env.process.Kill(t.ctx))
}

func (t *T) begin() {
	t.happens(Started)
	t.set(t.env.process.Start(t.ctx))
}

// advance moves the platform's time on; what falls due has happened when it returns.
func (t *T) advance(d time.Duration) { t.set(t.env.control.advance(t.ctx, d)) }

// journalled adds what the platform's journal has about the check's users to the record.
func (t *T) journalled(ctx context.Context) error {
	t.mu.Lock()
	users := slices.Clone(t.users)
	t.mu.Unlock()
	for _, u := range users {
		entries, err := t.env.control.journal(ctx, u.hash)
		if err != nil {
			return err
		}
		for i := range entries {
			t.record(exchangeOf(&entries[i]))
		}
	}
	return nil
}
