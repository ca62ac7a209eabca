// Package mutant has adapters and platforms with exactly one deliberate defect each. They are
// what the contract suite is tested with: every mutant must be caught by the checks that it
// names, and every check must catch a mutant. docs/mutants.md is the table of that.
//
// An Adapter without a defect keeps the agreement. It is written for this purpose alone: what
// it calls its disk is memory that outlives Kill, so that a crash costs microseconds.
package mutant

import (
	"context"
	"crypto/md5" //nolint:gosec // the form that the protocol gives a payment's hash
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// An Adapter keeps the agreement but for its defect. It is its own contract.Process and
// contract.Hook, and safe for concurrent use.
type Adapter struct {
	defect  string
	url     string // of the platform
	partner contract.Partner
	address string
	first   net.Listener // until the first start
	secret  []byte

	mu   sync.Mutex
	disk disk // outlives Kill
	life *life
	died error
	last map[string]string // what a defect wrongly remembers, by defect and name

	lingers chan struct{} // closed when another one lingers too; nil while nobody does
}

// disk is what the adapter has stored.
type disk struct {
	users    map[string]*user
	payments map[string]*payment
}

type user struct {
	hash, login, key    string
	available, reserved int64 // kopecks
	busy                int   // payments that are not at an end
}

type payment struct {
	id, user string
	kind     string // topup, direct or refund
	amount   int64
	of       string // of a refund: the payment
	state    string
	tries    int
	reason   string
}

// The states of a payment.
const (
	received  = "received"
	reserved  = "reserved"
	declining = "declining"
	confirmed = "confirmed"
	declined  = "declined"
	inDoubt   = "in doubt"
)

// life is the time from a start to the end.
type life struct {
	ctx    context.Context
	cancel context.CancelFunc
	server *http.Server
	client *http.Client
	work   sync.WaitGroup
}

// How long a call to the platform may take: mutants shall fail soon, while an adapter without
// a defect must not give up too early on a busy machine.
const (
	mutantTimeout = 500 * time.Millisecond
	honestTimeout = 3 * time.Second
)

// NewAdapter returns an adapter with a defect, "" for none, that is a partner of the platform
// at the address. It does not serve yet.
func NewAdapter(defect, platform string, partner contract.Partner) (*Adapter, error) {
	l, err := place()
	if err != nil {
		return nil, err
	}
	return &Adapter{
		defect: defect, url: platform, partner: partner, first: l, address: l.Addr().String(), secret: []byte("of this mutant alone"),
		disk: disk{users: map[string]*user{}, payments: map[string]*payment{}},
		last: map[string]string{},
	}, nil
}

// place listens at an address below those that systems give to outgoing connections, so that
// it is still free when a killed adapter comes back to it.
func place() (l net.Listener, err error) {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)) //nolint:gosec // chance, no secret
		if l, err = net.Listen("tcp", address); err == nil {             //nolint:noctx // it does not wait
			return l, nil
		}
	}
	return nil, err
}

// Target is the adapter as the suite judges it.
func (a *Adapter) Target(standIn contract.StandIn) *contract.Target {
	name := a.defect
	if name == "" {
		name = "honest"
	}
	return &contract.Target{
		Name: name, StandIn: standIn,
		Adapter: &contract.AdapterTarget{
			NotifyURL: "http://" + a.address + "/notify?id={id}&amount={amount}&hash={hash}&token={proof}",
			Partner:   a.partner, Users: "adopt", Reach: a, Process: a,
		},
	}
}

func (a *Adapter) has(defect string) bool { return a.defect == defect }

// Start serves, and takes up what is unfinished.
func (a *Adapter) Start(ctx context.Context) error {
	l := a.first
	a.first = nil
	if l == nil {
		var err error
		if l, err = listen(ctx, a.address); err != nil {
			return err
		}
	}
	alive := &life{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	alive.ctx, alive.cancel = context.WithCancel(context.Background())
	alive.server = &http.Server{Handler: http.HandlerFunc(a.serve), ReadHeaderTimeout: time.Second}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.life, a.died = alive, nil
	alive.work.Go(func() { _ = alive.server.Serve(l) })
	a.recover()
	return nil
}

// listen waits for the address to be free: who was killed a moment ago may still hold it.
func listen(ctx context.Context, address string) (l net.Listener, err error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err == nil {
			return l, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, err
}

// recover takes up what is unfinished. It wants mu held.
func (a *Adapter) recover() {
	if a.has("forgets-unfinished") {
		return
	}
	for _, p := range a.disk.payments {
		switch p.state {
		case received, reserved, declining:
			if a.has("releases-at-start") && p.state == reserved && p.kind != "refund" {
				a.move(p.user, p.amount, -p.amount)
				p.state = declined
				continue
			}
			switch {
			case a.has("recovers-as-new"):
				p.state = received
			case a.has("confirms-declines-at-start") && p.state == declining:
				p.state, p.tries = reserved, 0
			}
			a.drive(p)
		case confirmed:
			if a.has("captures-again-at-start") && p.kind == "topup" {
				a.disk.users[p.user].available -= p.amount
			}
		}
	}
	if a.has("balances-in-memory") {
		for _, u := range a.disk.users {
			u.available, u.reserved = 0, 0
		}
	}
}

// Stop ends the adapter in order, which here is what Kill does.
func (a *Adapter) Stop(ctx context.Context) error {
	err := a.Kill(ctx)
	if a.has("does-not-stop") {
		return errors.New("it did not end")
	}
	return err
}

// Kill ends the adapter at once. What it was doing leaves no further trace on its disk.
func (a *Adapter) Kill(context.Context) error {
	a.mu.Lock()
	alive := a.life
	a.life = nil
	if alive != nil && a.has("remembers-ids-in-memory") {
		clear(a.last)
	}
	a.mu.Unlock()
	if alive == nil {
		return nil
	}
	alive.cancel()
	_ = alive.server.Close()
	alive.work.Wait()
	alive.client.CloseIdleConnections()
	return nil
}

// Died tells whether a defect has brought the adapter down.
func (a *Adapter) Died() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.died
}

// die is a crash of the adapter's own making. It wants mu held.
func (a *Adapter) die() {
	a.died = errors.New("panic: what no program should do")
	if alive := a.life; alive != nil {
		alive.cancel()
		alive.work.Go(func() { _ = alive.server.Close() })
	}
}

// move changes a user's balances; false, and nothing changed, if there is not enough. It
// wants mu held.
func (a *Adapter) move(hash string, available, reserved int64) bool {
	u := a.disk.users[hash]
	need := -available
	switch {
	case a.has("tolerates-a-kopeck") && need > 0:
		need--
	case a.has("keeps-a-kopeck") && need > 0:
		need++
	case a.has("zero-is-unlimited") && u.available == 0:
		need = 0
	case a.has("overdraws") && need > 0:
		need = 0
	}
	if u.available < need || u.reserved+reserved < 0 {
		return false
	}
	u.available += available
	u.reserved += reserved
	return true
}

// drive carries a payment on until its end or the adapter's. It wants mu held.
func (a *Adapter) drive(p *payment) {
	alive := a.life
	if alive == nil {
		return
	}
	a.disk.users[p.user].busy++
	alive.work.Go(func() {
		for pause := 5 * time.Millisecond; alive.ctx.Err() == nil && a.step(alive, p); pause = min(2*pause, 50*time.Millisecond) {
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-alive.ctx.Done():
				t.Stop()
			}
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.disk.users[p.user].busy--
	})
}

// step takes a payment on by one call at most; again is false at its end.
func (a *Adapter) step(alive *life, p *payment) (again bool) {
	a.mu.Lock()
	if alive.ctx.Err() != nil {
		a.mu.Unlock()
		return false
	}
	if p.state == received {
		a.reserve(p)
	}
	if p.state == reserved {
		p.tries++
	}
	u, now := *a.disk.users[p.user], *p
	a.mu.Unlock()

	switch now.state {
	case reserved:
		verdict := a.pay(alive, &u, &now)
		a.mu.Lock()
		if alive.ctx.Err() == nil { // else killed meanwhile: nobody saw the answer
			a.paid(p, verdict)
		}
		a.mu.Unlock()
	case declining:
		if a.has("never-declines") {
			a.settle(alive, p, declined)
			return false
		}
		args := integra.DeclinePaymentArgs{TransactionID: now.id, ErrorCode: 1, ErrorMessage: now.reason}
		if a.has("declines-without-reason") {
			args.ErrorCode, args.ErrorMessage = 0, ""
		}
		verdict := a.call(alive, integra.DeclinePayment, &u, args)
		if verdict != unknown || a.has("declines-once") {
			a.settle(alive, p, declined)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.state == reserved || p.state == declining
}

func (a *Adapter) settle(alive *life, p *payment, state string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if alive.ctx.Err() == nil {
		p.state = state
	}
}

// reserve sets the payment's money aside. It wants mu held.
func (a *Adapter) reserve(p *payment) {
	enough := a.disk.users[p.user].available >= p.amount
	if a.has("looks-then-takes") && p.kind == "topup" { // others come in between
		a.linger()
		if enough {
			a.disk.users[p.user].available -= p.amount
			a.disk.users[p.user].reserved += p.amount
			p.state = reserved
			return
		}
	} else if a.move(p.user, -p.amount, p.amount) {
		p.state = reserved
		return
	}
	p.state, p.reason = declining, "not enough funds"
	if a.has("reserves-for-the-declined") {
		u := a.disk.users[p.user]
		u.reserved += u.available
		u.available = 0
	}
}

// linger is the defect of those who look, and act upon it later: once another one has looked,
// or nobody comes for a while. It wants mu held, and lets others in meanwhile.
func (a *Adapter) linger() {
	if other := a.lingers; other != nil {
		a.lingers = nil
		close(other)
		return
	}
	another := make(chan struct{})
	a.lingers = another
	a.mu.Unlock()
	alone := time.NewTimer(500 * time.Millisecond)
	select {
	case <-another:
	case <-alone.C:
	}
	alone.Stop()
	a.mu.Lock()
	if a.lingers == another {
		a.lingers = nil
	}
}

// pay makes the call that the payment is about.
func (a *Adapter) pay(alive *life, u *user, p *payment) verdict {
	sum := kopecks(p.amount).Short()
	hash := p.id
	if a.has("new-hash-for-every-call") {
		hash = md5Of(fmt.Sprint(p.id, p.tries))
	}
	if a.has("short-hash") {
		hash = hash[:31]
	}
	switch p.kind {
	case "direct":
		login := u.login
		if a.has("hash-for-login") {
			login = u.hash
		}
		v := a.call(alive, integra.DoPayment, u, integra.DoPaymentArgs{PaymentSum: integra.Text(sum), PaymentHash: hash, UserLogin: login})
		if a.has("confirms-the-direct") && v == yes {
			a.call(alive, integra.ConfirmPayment, u, integra.ConfirmPaymentArgs{Amount: integra.Text(sum), TransactionID: p.id})
		}
		return v
	case "refund":
		return a.call(alive, integra.DoPayment, u, integra.DoPaymentArgs{PaymentSum: integra.Text("-" + sum), PaymentHash: hash, UserLogin: u.login})
	}
	if a.has("confirms-whole-roubles") {
		sum = kopecks(p.amount / 100 * 100).Short()
	}
	if a.has("confirms-a-kopeck-more") {
		sum = kopecks(p.amount + 1).Short()
	}
	if a.has("wrong-key-first") && p.tries == 1 {
		wrong := *u
		wrong.key = a.partner.Key
		a.call(alive, integra.ConfirmPayment, &wrong, integra.ConfirmPaymentArgs{Amount: integra.Text(sum), TransactionID: p.id})
	}
	if a.has("never-confirms") {
		return unknown
	}
	args := integra.ConfirmPaymentArgs{Amount: integra.Text(sum), TransactionID: p.id}
	v := a.call(alive, integra.ConfirmPayment, u, args)
	if a.has("declines-the-confirmed") && v == yes {
		a.call(alive, integra.DeclinePayment, u, integra.DeclinePaymentArgs{TransactionID: p.id})
	}
	if a.has("confirms-twice") {
		v = a.call(alive, integra.ConfirmPayment, u, args)
	}
	return v
}

// paid is what the verdict means for the money. It wants mu held.
func (a *Adapter) paid(p *payment, v verdict) {
	switch {
	case v == unknown && a.has("takes-silence-for-yes"):
		v = yes
	case v == unknown && (a.has("gives-back-after-silence") || a.has("gives-back-direct-after-silence") && p.kind == "direct"):
		v, p.tries = no, 1
	case v == unknown && a.has("gives-up-after-one-call"):
		p.state = inDoubt
		return
	case v == no && a.has("captures-the-refused"):
		v = yes
	}
	switch {
	case v == yes && p.kind == "refund":
		a.disk.users[p.user].available += p.amount
		p.state = confirmed
	case v == yes:
		if a.has("captures-twice") {
			a.disk.users[p.user].available -= p.amount
		}
		if a.has("does-not-capture") {
			p.state = confirmed
			return
		}
		if a.has("releases-instead-of-capturing") {
			a.disk.users[p.user].available += p.amount
		}
		a.disk.users[p.user].reserved -= p.amount
		p.state = confirmed
	case v == unknown: // the money stays reserved, and the same call is made again
	case p.tries > 1 && !a.has("believes-late-refusals"):
		p.state = inDoubt
	default:
		if p.kind != "refund" && !a.has("keeps-the-refused-reserved") {
			a.disk.users[p.user].available += p.amount
			a.disk.users[p.user].reserved -= p.amount
		}
		p.state, p.reason = declining, "refused by the platform"
		if p.kind != "topup" {
			p.state = declined
		}
	}
}

// verdict is what a call ended in.
type verdict int

const (
	unknown verdict = iota
	yes
	no
)

// call makes a call for a user.
func (a *Adapter) call(alive *life, m integra.Method, u *user, args any) verdict {
	limit := mutantTimeout
	if a.defect == "" {
		limit = honestTimeout
	}
	ctx, cancel := context.WithTimeout(alive.ctx, limit)
	defer cancel()
	k, err := integra.Seal(integra.Simple, integra.Credentials{Hash: u.hash, Key: u.key}, args)
	if err != nil {
		return unknown
	}
	address, err := integra.RequestURL(a.url, a.partner.Path, m, k, nil)
	if err != nil {
		return unknown
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return unknown
	}
	res, err := alive.client.Do(req)
	if err != nil {
		if a.has("takes-a-cut-for-no") && ctx.Err() == nil || a.has("takes-a-time-out-for-no") && ctx.Err() != nil && alive.ctx.Err() == nil {
			return no
		}
		return unknown
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if a.has("believes-any-200") && res.StatusCode == http.StatusOK {
		return yes
	}
	if res.StatusCode >= 500 {
		if a.has("takes-500-for-no") {
			return no
		}
		return unknown
	}
	response, parseErr := integra.ParseResponse(body)
	switch {
	case err != nil || parseErr != nil:
		if a.has("takes-garbage-for-no") {
			return no
		}
		return unknown
	case !response.Error:
		return yes
	}
	return no
}

func kopecks(n int64) money.Amount { return money.New(n, money.RUB) }

func md5Of(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // a form, no protection
	return hex.EncodeToString(sum[:])
}

// token vouches for notifications about a user.
func (a *Adapter) token(hash string, expires time.Time) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{Subject: hash, ExpiresAt: jwt.NewNumericDate(expires)}).SignedString(a.secret)
}

// proven tells whether a token vouches for notifications about the user.
func (a *Adapter) proven(token, hash string) bool {
	switch a.defect {
	case "ignores-the-token":
		return true
	case "wants-any-token":
		return token != ""
	case "compares-half-the-token":
		for known := range a.disk.users {
			whole, err := a.token(known, time.Unix(1<<32, 0))
			if err == nil && known == hash && len(token) >= len(whole)/2 && token[:len(whole)/2] == whole[:len(whole)/2] {
				return true
			}
		}
		return false
	}
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()}
	var keys jwt.Keyfunc = func(*jwt.Token) (any, error) { return a.secret, nil }
	if a.has("accepts-expired-tokens") {
		options = []jwt.ParserOption{jwt.WithoutClaimsValidation()}
	}
	if a.has("accepts-unsigned-tokens") {
		options = nil
		keys = func(t *jwt.Token) (any, error) {
			if t.Method == jwt.SigningMethodNone {
				return jwt.UnsafeAllowNoneSignatureType, nil
			}
			return a.secret, nil
		}
	}
	if a.has("finds-the-token-anywhere") && len(token) > 1 && token[0] == 'x' {
		token = token[1:]
	}
	var claims jwt.RegisteredClaims
	if _, err := jwt.ParseWithClaims(token, &claims, keys, options...); err != nil {
		return false
	}
	return claims.Subject == hash || a.has("takes-anybodys-token")
}

// Has tells that the hook knows every operation but those that make users by themselves.
func (a *Adapter) Has(op string) bool { return op != "register" && op != "reset" }

// Do carries out an operation of the hook.
func (a *Adapter) Do(_ context.Context, op string, args map[string]string) (map[string]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.disk.users[args["user"]]
	if u == nil && op != "adopt" {
		return nil, fmt.Errorf("%s: nobody has the hash %q", op, args["user"])
	}
	switch op {
	case "adopt":
		a.disk.users[args["user"]] = &user{hash: args["user"], login: args["login"], key: args["key"]}
		return nil, nil
	case "link":
		link, err := a.link(u)
		return map[string]string{"url": link}, err
	case "proof":
		token, err := a.token(u.hash, time.Unix(1<<32, 0))
		return map[string]string{"proof": token}, err
	case "expired_proof":
		token, err := a.token(u.hash, time.Unix(1<<30, 0))
		return map[string]string{"proof": token}, err
	case "deposit":
		sum, err := money.Parse(args["amount"], money.RUB)
		if err != nil {
			return nil, err
		}
		u.available += sum.Minor()
		return nil, nil
	case "balance":
		return map[string]string{"available": kopecks(u.available).Text(), "reserved": kopecks(u.reserved).Text()}, nil
	case "pay", "refund":
		return nil, a.ask(op, u, args)
	}
	return nil, fmt.Errorf("%s: no such operation", op)
}

// link is the address of the platform's page for a user. It wants mu held.
func (a *Adapter) link(u *user) (string, error) {
	token, err := a.token(u.hash, time.Unix(1<<32, 0))
	if err != nil {
		return "", err
	}
	template := "http://" + a.address + "/notify?id={id}&amount={amount}&hash={hash}&token=" + url.QueryEscape(token)
	if a.has("template-without-amount") {
		template = "http://" + a.address + "/notify?id={id}&hash={hash}&token=" + url.QueryEscape(token)
	}
	k, err := integra.Seal(integra.Simple, integra.Credentials{Hash: u.hash, Key: u.key}, integra.LoginArgs{Login: u.login, Hash: u.hash, PaymentNotifyURL: template})
	if err != nil {
		return "", err
	}
	return integra.RequestURL(a.url, a.partner.Path, integra.CryptLogin, k, nil)
}

// ask makes a direct payment or a refund. It wants mu held.
func (a *Adapter) ask(op string, u *user, args map[string]string) error {
	sum, err := a.readSum(args["amount"])
	if err != nil {
		return fmt.Errorf("%w: amount: %w", contract.ErrRefused, err)
	}
	p := &payment{id: md5Of(op + u.hash + args["key"]), user: u.hash, kind: "direct", amount: sum, state: reserved}
	known := a.disk.payments[p.id] != nil
	if a.has("looks-then-pays") {
		a.linger()
		if !known && a.disk.payments[p.id] != nil {
			p.id = md5Of(p.id + fmt.Sprint(len(a.disk.payments)))
		}
	}
	if known {
		if !a.has("ignores-the-key") {
			return nil
		}
		p.id = md5Of(p.id + fmt.Sprint(len(a.disk.payments)))
	}
	if op == "refund" {
		of := a.disk.payments[args["payment"]]
		p.kind, p.of = "refund", args["payment"]
		if of == nil || of.state != confirmed || a.refunded(of.id)+sum > of.amount && !a.has("refunds-more-than-paid") {
			return fmt.Errorf("%w: more than was paid", contract.ErrRefused)
		}
		if a.has("gives-refunds-at-once") {
			u.available += p.amount
		}
	} else if !a.move(u.hash, -sum, sum) {
		if a.has("pays-without-funds") {
			alive, who := a.life, *u
			a.mu.Unlock()
			a.pay(alive, &who, p)
			a.mu.Lock()
		}
		return fmt.Errorf("%w: not enough funds", contract.ErrRefused)
	}
	a.disk.payments[p.id] = p
	a.drive(p)
	return nil
}

// refunded is what was given back, or may be, of a payment. It wants mu held.
func (a *Adapter) refunded(id string) (sum int64) {
	for _, p := range a.disk.payments {
		if p.of == id && p.state != declined {
			sum += p.amount
		}
	}
	return sum
}

// readSum reads the sum of a direct payment.
func (a *Adapter) readSum(text string) (int64, error) {
	if a.has("pays-malformed-sums") {
		return lenient(text), nil
	}
	sum, err := money.Parse(text, money.RUB)
	return sum.Minor(), err
}
