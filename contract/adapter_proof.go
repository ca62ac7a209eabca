package contract

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/partnerkit/partnerkit/contract/integra"
)

func proofChecks() []Check {
	forge := func(change func(t *T, proof string) string) func(*T) {
		return func(t *T) {
			u := t.users[0]
			p := u.topUp("100")
			n := p.notice()
			n.proof = change(t, n.proof)
			t.secret(n.proof) // from one that was spoilt, the good one can be guessed
			a := t.deliver(n)
			if a.err != nil || (a.status != http.StatusUnauthorized && a.status != http.StatusForbidden && a.status != http.StatusBadRequest && a.status != http.StatusNotFound) {
				t.failAt(a.index, say("a refusal: 401 or 403"), a.said())
			}
			p.callsExactly(integra.ConfirmPayment, 0)
			t.taken(t.deliver(p.notice())) // the true one still counts
			p.confirmed()
			u.has("900", "100")
		}
	}
	table := []struct {
		en, ru string
		needs  []Need
		change func(t *T, proof string) string
	}{
		{"Without its proof a notification is refused", "Без подтверждения подлинности уведомление отклоняется", nil, func(*T, string) string { return "" }},
		{"A proof with its last part changed is refused", "Подтверждение с изменённым концом отклоняется", nil, func(_ *T, proof string) string { return otherEnd(proof) }},
		{"A proof with its beginning changed is refused", "Подтверждение с изменённым началом отклоняется", nil, func(_ *T, proof string) string { return "x" + proof }},
		{"A proof cut in half is refused", "Половина подтверждения отклоняется", nil, func(_ *T, proof string) string { return proof[:len(proof)/2] }},
		{"A made-up proof is refused", "Выдуманное подтверждение отклоняется", nil, func(t *T, _ string) string { return t.dice.token(40) }},
		{"A token that says it needs no signature is refused", "Токен, объявивший себя не нуждающимся в подписи, отклоняется", nil, func(t *T, proof string) string {
			parts := strings.Split(proof, ".")
			if len(parts) != 3 {
				t.skip(Text{"the proof is no JWT", "подтверждение подлинности — не JWT"})
			}
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
		}},
		{"An expired proof is refused", "Просроченное подтверждение отклоняется", []Need{NeedExpired}, func(t *T, _ string) string {
			return t.hook(opExpiredProof, map[string]string{"user": t.users[0].hash})["proof"]
		}},
	}
	var checks []Check
	add := func(c Check) {
		c.ID, c.Clause, c.Scene = "INT-PROOF-"+twoDigits(len(checks)+1), clauseTemplate, byHand
		checks = append(checks, c)
	}
	for _, row := range table {
		add(Check{Title: Text{row.en, row.ru}, Needs: append([]Need{NeedProof}, row.needs...), Users: []string{"1000"}, Run: forge(row.change)})
	}
	add(Check{
		Title: Text{"The proof of one user does not vouch for another", "Подтверждение одного пользователя не годится для другого"},
		Needs: []Need{NeedProof}, Users: []string{"1000", "1000"},
		Run: func(t *T) {
			a, b := t.users[0], t.users[1]
			p := b.topUp("100")
			n := p.notice()
			n.proof = a.proven()
			if n.proof == b.proven() {
				t.skip(Text{"the proof is the same for every user", "подтверждение подлинности одно на всех пользователей"})
			}
			t.refused(t.deliver(n))
			p.never(integra.ConfirmPayment)
			b.has("1000", "0")
			a.has("1000", "0")
		},
	})
	add(Check{
		Title: Text{"A payment that was never announced charges nobody", "Платёж, которого платформа не объявляла, ни с кого не списывается"},
		Users: []string{"1000"},
		Run: func(t *T) {
			u := t.users[0]
			n := u.notice(t.fresh(), "100")
			t.taken(t.deliver(n)) // it looks right: only the platform knows better
			u.conserve()
			u.has("1000", "0")
		},
	})
	add(Check{
		Title: Text{"Somebody else's payment under one's own name charges neither", "Чужой платёж под своим именем не списывается ни с кого"},
		Users: []string{"1000", "1000"},
		Run: func(t *T) {
			a, b := t.users[0], t.users[1]
			p := b.topUp("100")
			t.taken(t.deliver(a.notice(p.id, "100")))
			a.has("1000", "0")
			b.has("1000", "0")
		},
	})
	add(Check{
		Title: Text{"An amount made smaller on the way credits no more than it charges", "Сумма, уменьшенная в пути, не приносит больше, чем списано"},
		Users: []string{"1000"},
		Run: func(t *T) {
			u := t.users[0]
			p := u.topUp("500")
			t.taken(t.deliver(u.notice(p.id, "1")))
			u.has("1000", "0") // code 9: another amount
		},
	})
	return checks
}

// otherEnd changes a character near the end of a proof; not the last one, whose low bits a
// base64 decoder may pass over.
func otherEnd(proof string) string {
	if len(proof) < 3 {
		return proof + "x"
	}
	at := len(proof) - 3
	c := byte('A')
	if proof[at] == c {
		c = 'B'
	}
	return proof[:at] + string(c) + proof[at+1:]
}
