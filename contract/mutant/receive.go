package mutant

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// serve takes notifications.
func (a *Adapter) serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20))
	if r.Method != http.MethodGet && r.Method != http.MethodPost && !a.has("takes-any-verb") {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	n, status := a.read(r)
	if status == 0 {
		status = a.accept(r, n)
	}
	if a.has("answers-201") && status == http.StatusOK {
		status = http.StatusCreated
	}
	if a.has("answers-slowly") {
		select { // longer than its test allows
		case <-time.After(1500 * time.Millisecond):
		case <-r.Context().Done():
		}
	}
	if a.has("floods-answers") {
		_, _ = w.Write(make([]byte, 2<<20))
		return
	}
	w.WriteHeader(status)
}

// noticed is a notification as it was read.
type noticed struct {
	id, hash string
	sum      int64
}

// read reads a notification; a status other than 0 refuses it.
func (a *Adapter) read(r *http.Request) (n noticed, refused int) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	malformed := err != nil
	get := func(name string) string {
		values := query[name]
		if len(values) > 1 && !a.has("takes-any-amount") {
			malformed = true
		}
		return query.Get(name)
	}
	id, amount, hash, token := get("id"), get("amount"), get("hash"), get("token")
	if a.has("reads-by-position") {
		pairs := strings.Split(r.URL.RawQuery+"&&&&", "&")
		_, id, _ = strings.Cut(pairs[0], "=")
		_, amount, _ = strings.Cut(pairs[1], "=")
		_, hash, _ = strings.Cut(pairs[2], "=")
		_, token, _ = strings.Cut(pairs[3], "=")
	}
	if a.has("does-not-decode") {
		for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
			if value, ok := strings.CutPrefix(pair, "amount="); ok {
				amount = value
			}
		}
	}
	if a.has("dies-of-garbage") && strings.ContainsAny(amount, "xeNI") {
		a.mu.Lock()
		a.die()
		a.mu.Unlock()
		return n, http.StatusInternalServerError
	}
	n = noticed{id: id, hash: hash}
	if a.has("takes-any-id") {
		malformed = false
		if id == "" {
			n.id = md5Of(r.URL.RawQuery)
		}
	} else if !integra.ValidHash(id) {
		malformed = true
	}
	if n.sum, err = a.readAmount(amount); err != nil {
		malformed = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.has("takes-any-user") || a.has("guesses-the-user") && integra.ValidHash(hash) {
		if a.disk.users[hash] == nil {
			for other := range a.disk.users { // "there is only one customer anyway"
				n.hash = other
			}
		}
		malformed = false
	} else if a.disk.users[hash] == nil {
		malformed = true
	}
	switch {
	case malformed && a.has("fails-on-malformed"):
		return n, http.StatusInternalServerError
	case malformed:
		return n, http.StatusBadRequest
	case n.hash == hash && !a.proven(token, hash):
		return n, http.StatusForbidden
	}
	return n, 0
}

// readAmount reads an amount into kopecks.
func (a *Adapter) readAmount(text string) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	roubles, err := strconv.ParseInt(whole, 10, 64)
	switch a.defect {
	case "takes-any-amount":
		return lenient(text), nil
	case "drops-kopecks":
		return roubles * 100, err
	case "reads-decimals-as-kopecks": // 100.5 becomes 100 roubles 5 kopecks
		part, _ := strconv.ParseInt(fraction, 10, 64)
		return roubles*100 + part, err
	case "wants-whole-or-one-decimal":
		if len(fraction) > 1 {
			return 0, money.ErrFormat
		}
	case "counts-in-floats":
		sum, err := strconv.ParseFloat(text, 64)
		return int64(sum * 100), err
	case "counts-in-32-bits":
		sum, err := money.Parse(text, money.RUB)
		return int64(int32(sum.Minor())), err //nolint:gosec // the defect itself
	case "takes-zero":
		if strings.Trim(text, "0.") == "" && text != "" {
			return 1, nil
		}
	case "takes-exponents":
		if sum, err := strconv.ParseFloat(text, 64); err == nil && strings.Contains(text, "e") {
			return int64(sum * 100), nil
		}
	case "takes-the-sign-for-nothing":
		text = strings.TrimPrefix(text, "-")
	case "rounds-what-is-finer":
		if sum, err := strconv.ParseFloat(text, 64); err == nil && sum > 0 && sum < 1e12 && len(fraction) > 2 {
			return int64(sum*100 + 0.5), nil
		}
	}
	sum, err := money.Parse(text, money.RUB)
	return sum.Minor(), err
}

// lenient takes whatever digits there are for kopecks.
func lenient(text string) (sum int64) {
	for _, c := range text {
		if c >= '0' && c <= '9' && sum < 1e12 {
			sum = sum*10 + int64(c-'0')
		}
	}
	return max(sum, 1)
}

// accept stores a payment and has it carried out; it returns the answer's status.
func (a *Adapter) accept(r *http.Request, n noticed) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	alive := a.life
	if alive == nil {
		return http.StatusServiceUnavailable
	}
	p := &payment{id: n.id, user: n.hash, kind: "topup", amount: n.sum, state: received}
	known := a.disk.payments[n.id]
	if a.has("looks-then-stores") && known == nil {
		a.linger()
	}
	if a.has("half-done-when-hung-up-on") && known == nil {
		if a.last["mark "+n.id] != "" {
			return http.StatusOK // "I have seen this one"
		}
		a.last["mark "+n.id] = "x"
		a.mu.Unlock()
		t := time.NewTimer(50 * time.Millisecond)
		gone := false
		select {
		case <-r.Context().Done():
			gone = true
		case <-t.C:
		}
		t.Stop()
		a.mu.Lock()
		if gone {
			return http.StatusOK
		}
	}
	if a.has("remembers-ids-in-memory") {
		known = nil
		if a.last[n.id] != "" {
			return http.StatusOK
		}
		a.last[n.id] = "x"
	}
	if status := a.repeat(known, n); status != 0 {
		return status
	}
	switch {
	case a.has("mixes-users-up"):
		name := "user of " + strconv.FormatInt(n.sum, 10)
		if other := a.last[name]; other != "" && a.disk.users[other] != nil {
			p.user = other
		}
		a.last[name] = n.hash
	case a.has("same-sum-is-a-repeat"):
		name := n.hash + " " + strconv.FormatInt(n.sum, 10)
		if a.last[name] != "" {
			return http.StatusOK
		}
		a.last[name] = "x"
	case a.has("drops-the-busy") && a.disk.users[n.hash].busy > 0:
		return http.StatusOK
	case a.has("answers-before-storing"):
		alive.work.Go(func() { // it is in memory for a while, and then stored
			t := time.NewTimer(400 * time.Millisecond)
			defer t.Stop()
			select {
			case <-t.C:
			case <-alive.ctx.Done():
				return
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.disk.payments[p.id] = p
			a.drive(p)
		})
		return http.StatusOK
	case a.has("trusts-the-notification"):
		if a.move(p.user, -p.amount, 0) {
			p.state = confirmed
			u := *a.disk.users[p.user]
			alive.work.Go(func() { a.pay(alive, &u, p) })
		}
		a.disk.payments[p.id] = p
		return http.StatusOK
	case a.has("confirms-before-storing"):
		u := *a.disk.users[n.hash]
		a.mu.Unlock()
		v := a.pay(alive, &u, p)
		a.mu.Lock()
		if alive.ctx.Err() != nil {
			return http.StatusServiceUnavailable
		}
		a.disk.payments[p.id] = p
		if v == yes && a.move(p.user, -p.amount, 0) {
			p.state = confirmed
			return http.StatusOK
		}
	case a.has("answers-when-confirmed"):
		a.disk.payments[p.id] = p
		a.drive(p)
		for p.state == received || p.state == reserved {
			a.linger()
			if alive.ctx.Err() != nil {
				break
			}
		}
		return http.StatusOK
	case a.has("serves-one-at-a-time"):
		a.disk.payments[p.id] = p
		a.drive(p)
		time.Sleep(60 * time.Millisecond) // under the lock that everybody needs
		return http.StatusOK
	case a.has("stores-nothing"):
		return http.StatusOK
	}
	a.disk.payments[p.id] = p
	a.drive(p)
	return http.StatusOK
}

// repeat judges a notification whose id is known; 0 means that it is taken for a new payment.
func (a *Adapter) repeat(known *payment, n noticed) int {
	switch {
	case known == nil, a.has("takes-repeats-for-new"):
		return 0
	case a.has("revives-the-declined") && known.state == declined:
		known.state, known.tries = received, 0
		a.drive(known)
		return http.StatusOK
	case a.has("refuses-repeats"):
		return http.StatusConflict
	case known.amount == n.sum && known.user == n.hash, a.has("takes-conflicts-for-repeats"):
		return http.StatusOK
	case a.has("charges-the-difference") && known.user == n.hash:
		a.move(known.user, known.amount-n.sum, 0)
		return http.StatusConflict
	case a.has("charges-both-users") && known.user != n.hash:
		a.move(n.hash, -n.sum, 0)
		return http.StatusConflict
	}
	return http.StatusConflict
}
