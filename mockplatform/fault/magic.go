package fault

import (
	"strings"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// A Magic amount arms a fault for the payment that is over it, and for that payment alone, so
// that a page or a client that nobody can change may provoke it.
type Magic struct {
	Amount string // as decimal text, in whatever currency
	What   string // what happens, for people
	rule   Rule   // of the payment
}

// magic is the table. Sums like these are rare by accident.
var magic = []Magic{
	{"4040.01", "the acknowledgement of the first notification is lost", notice(1, Act{Do: DropAfter})},
	{"4040.02", "every notification is sent twice", notice(0, Act{Do: Duplicate})},
	{"4040.03", "the first notification comes a minute late", notice(1, Act{DelayMS: 60_000})},
	{"4040.04", "the first notification is lost on its way", notice(1, Act{Do: DropBefore})},
	{"4040.05", "the first notification names an amount that is 1 more", notice(1, Act{Do: OtherAmount})},
	{"4040.06", "the first notification is signed wrongly, where notifications are signed", notice(1, Act{Do: WrongSignature})},
	{"4040.07", "no notification arrives", notice(0, Act{Do: DropBefore})},
	{"4040.11", "the partner's call is carried out, its first answer is lost", answer(1, Act{Do: DropAfter})},
	{"4040.12", "the partner's first call is lost on its way", answer(1, Act{Do: DropBefore})},
	{"4040.13", "the partner's first three calls are answered 503, and not carried out", answer(3, Act{Do: Status, Status: 503})},
	{"4040.14", "the partner's call is carried out, its first answer never comes", answer(1, Act{Do: Hang, Committed: new(true)})},
	{"4040.15", "the partner's call is carried out, its first answer is garbage", answer(1, Act{Do: Garbage})},
	{"4040.16", "the partner's call is carried out, its first answer is cut off", answer(1, Act{Do: Truncate})},
	{"4040.17", "the partner's call is carried out, its first answer is a 500", answer(1, Act{Do: Status, Status: 500, Committed: new(true)})},
	{"4040.18", "the partner's call is carried out, its first answer takes ten seconds", answer(1, Act{DelayMS: 10_000, Committed: new(true)})},
}

func notice(count int, act Act) Rule { return of(journal.Out, atMost(count), act) }
func answer(count int, act Act) Rule { return of(journal.In, atMost(count), act) }

func atMost(n int) func(*Match) {
	if n == 0 {
		return nil
	}
	return func(m *Match) { m.Count = new(n) }
}

// MagicAmounts returns the table.
func MagicAmounts() []Magic { return append([]Magic(nil), magic...) }

// magicOf returns the row of an amount, which may have zeros at its end.
func magicOf(amount string) *Magic {
	if !strings.HasPrefix(amount, "4040.") { // nearly always
		return nil
	}
	amount = strings.TrimRight(amount, "0")
	for i := range magic {
		if magic[i].Amount == amount {
			return &magic[i]
		}
	}
	return nil
}

// UseMagic turns magic amounts on or off; a Reset turns them on.
func (s *Set) UseMagic(on bool) { s.noMagic.Store(!on) }

// MagicOn tells whether amounts are magic.
func (s *Set) MagicOn() bool { return !s.noMagic.Load() }

// Enchant arms what the amount of a new payment asks for, if anything. What is possible for
// no exchange of the protocol is left out. partner is "" where the payment's id is unique by
// itself.
func (s *Set) Enchant(protocol, partner, payment, amount string) {
	if m := magicOf(amount); m != nil && s.MagicOn() {
		r := m.rule
		r.Name = "magic " + m.Amount
		r.Match.Protocol, r.Match.Partner, r.Match.Payment = protocol, partner, payment
		s.ArmBriefly(r)
	}
}

// Told forgets what the amount of a payment did to its notifications, once none is sent any
// more. What it does to answers stays, since the partner may still ask.
func (s *Set) Told(protocol, partner, payment string) {
	if !s.byPay.Load() { // nearly always
		return
	}
	about := subject{protocol: protocol, direction: journal.Out, partner: partner, payment: payment}
	s.mu.RLock()
	some := s.groups[about] != nil
	s.mu.RUnlock()
	if some {
		s.disarm(func(a *armed) bool { return a.fleeting && a.Match.subject() == about })
	}
}

// Conjure is for a payment that comes into being by the very call whose answer the amount is
// about: it returns what becomes of that answer, nil for what an answer always does. What
// would have kept the call from being carried out comes too late.
func (s *Set) Conjure(amount string) *Plan {
	m := magicOf(amount)
	if m == nil || !s.MagicOn() || m.rule.Match.Direction == journal.Out {
		return nil
	}
	if p := s.NewPlan("magic "+m.Amount, m.rule.Act); !p.Prevents() {
		return p
	}
	return nil
}
