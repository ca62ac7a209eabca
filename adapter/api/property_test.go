package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/ledger"
)

// request is one call that the property draws.
type request struct {
	verb, path, key, body string
	operation             string // as in the document
}

// answered is what came back.
type answered struct {
	request
	status int
	body   string
}

// statuses returns what the document says each operation can answer.
func statuses(t testing.TB, h http.Handler) map[string][]int {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text(t, call(h, "GET", "/openapi.json", "", "", ""))), &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string][]int{}
	for _, verbs := range doc.Paths {
		for _, op := range verbs {
			for code := range op.Responses {
				var n int
				if _, err := fmt.Sscan(code, &n); err != nil {
					t.Fatalf("%s: status %q", op.OperationID, code)
				}
				out[op.OperationID] = append(out[op.OperationID], n)
			}
		}
	}
	return out
}

// Whatever is called, right and wrong, repeated and at once, while the platform says yes, no and
// nothing, and answers get lost after what was done: every answer is one of the documented, a key that was answered is answered the same
// for ever and never with another effect, and the books balance, to the sum of the deposits and
// withdrawals that were answered with yes.
func TestAnySequenceOfCallsKeepsTheBooks(t *testing.T) {
	t.Parallel()
	b := &breaking{}
	w := newWorld(t, func(c *api.Config) { b.Requests, c.Requests = c.Requests, b })
	documented := statuses(t, w)
	round := 0
	moved := map[string]int64{} // by key: kopecks into the books from outside
	rapid.Check(t, func(rt *rapid.T) {
		round++
		users := []string{w.user(t, 10*round, 50_00), w.user(t, 10*round+1, 0)}
		moved["first deposit of "+users[0]] = 50_00
		known := map[string]answered{} // the first that counts, by key
		strangers := append(slices.Clone(users), strings.Repeat("f", 32), "nobody")
		user := rapid.SampledFrom(append(strangers, users...))
		amount := rapid.SampledFrom([]string{`"10"`, `"0.01"`, `"25.5"`, `"60"`, `"10"`, `"10"`, `"0"`, `"-1"`, `"1e2"`, `7`, `null`, `"1000000000001"`, `"9999999999999999999999"`})
		extra := rapid.SampledFrom([]string{"", "", "", "", `,"note":"x"`, `,"currency":"RUB"`, `,"currency":"USD"`, `,"x":1`, `,"amount":"3"`})
		var made []request
		fresh := func(label string) request {
			key := fmt.Sprintf("%d.%d", round, rapid.IntRange(0, 7).Draw(rt, label+" key"))
			if rapid.IntRange(0, 15).Draw(rt, label+" keyless") == 0 {
				key = ""
			}
			u := user.Draw(rt, label+" user")
			payment := fmt.Sprint(rapid.IntRange(0, 12).Draw(rt, label+" payment"))
			if list, err := w.Payments(t.Context(), adapter.PaymentFilter{User: users[0], Limit: 4}); err == nil && len(list) > 0 {
				payment = fmt.Sprint(list[rapid.IntRange(0, len(list)-1).Draw(rt, label+" which")].Num)
			}
			body := fmt.Sprintf(`{"amount":%s%s}`, amount.Draw(rt, label+" amount"), extra.Draw(rt, label+" extra"))
			withUser := fmt.Sprintf(`{"user":%q,%s`, u, body[1:])
			switch rapid.IntRange(0, 12).Draw(rt, label+" call") {
			case 0, 1:
				return request{"POST", "accounts/" + u + "/deposits", key, body, "deposit"}
			case 2:
				return request{"POST", "accounts/" + u + "/withdrawals", key, body, "withdraw"}
			case 3, 4, 5:
				return request{"POST", "payments", key, withUser, "create-payment"}
			case 6, 7:
				return request{"POST", "payments/" + payment + "/refunds", key, withUser, "refund-payment"}
			case 8:
				outcome := rapid.SampledFrom([]string{"confirmed", "declined", "perhaps"}).Draw(rt, label+" outcome")
				return request{"POST", "payments/" + payment + "/resolve", key, fmt.Sprintf(`{"outcome":%q,"reason":"seen"}`, outcome), "resolve-payment"}
			case 9:
				verb := rapid.SampledFrom([]string{"archive", "unarchive"}).Draw(rt, label+" verb")
				return request{"POST", "users/" + u + "/" + verb, key, "", verb + "-user"}
			case 10:
				login := rapid.SampledFrom([]string{"taken", "silent", fmt.Sprint("new", round, key)}).Draw(rt, label+" login")
				return request{"POST", "users", key, fmt.Sprintf(`{"login":%q}`, login), "register-user"}
			case 11:
				return request{"GET", "payments/" + payment, "", "", "get-payment"}
			}
			return request{"GET", "accounts/" + u + "/statement?limit=2", "", "", "get-statement"}
		}
		draw := func(label string) request {
			if len(made) > 0 && rapid.IntRange(0, 2).Draw(rt, label+" again") == 0 {
				return made[rapid.IntRange(0, len(made)-1).Draw(rt, label+" repeats")]
			}
			made = append(made, fresh(label))
			return made[len(made)-1]
		}
		check := func(a answered) {
			if !slices.Contains(documented[a.operation], a.status) || a.status == http.StatusInternalServerError || a.status == http.StatusServiceUnavailable {
				rt.Fatalf("%s %s %s: %d is not documented, or a failure: %s", a.verb, a.path, a.body, a.status, a.body)
			}
			decided := a.status < 500 && a.status != 409 && a.status != 429
			if a.key == "" || !decided || a.status == 400 ||
				strings.Contains(a.body, "validation failed") || strings.Contains(a.body, "idempotency-key-reused") ||
				a.status == 422 && (strings.Contains(a.body, `"location":"body.currency"`) || strings.Contains(a.body, `"location":"body.amount"`)) {
				return // refused before the key was looked at, or because of it
			}
			first, repeated := known[a.key]
			if !repeated {
				known[a.key] = a
				if a.status == 201 && (a.operation == "deposit" || a.operation == "withdraw") {
					moved[a.key] = kopecks(t, w, a)
				}
				return
			}
			if first.request == a.request && (first.status != a.status || first.body != a.body) {
				rt.Fatalf("%+v\nanswered before: %d %s\nand now: %d %s", a.request, first.status, first.body, a.status, a.body)
			}
			if first.request != a.request && a.status < 300 && a.body != first.body {
				rt.Fatalf("%+v did something, under the key of %+v", a.request, first.request)
			}
		}
		for i := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			label := fmt.Sprint(i)
			switch rapid.IntRange(0, 6).Draw(rt, label+" step") {
			case 0: // the platform answers whatever is due
				w.verdict.Store(rapid.SampledFrom([]adapter.Verdict{adapter.Accepted, adapter.Refused, adapter.Unknown, adapter.NotSent}).Draw(rt, label+" verdict"))
				w.drive(t)
				w.clock.Advance(time.Duration(rapid.IntRange(0, 40).Draw(rt, label+" pause")) * time.Second)
			case 6: // what is done stays without an answer, until it is asked for again
				r := draw(label)
				b.broken.Store(true)
				lost := w.answer(t, r)
				b.broken.Store(false)
				if lost.status == http.StatusServiceUnavailable {
					w.clock.Advance(31 * time.Second)
					lost = w.answer(t, r)
				}
				check(lost)
			case 1: // several at once, some of them the same
				n := rapid.IntRange(2, 5).Draw(rt, label+" at once")
				requests := make([]request, n)
				for j := range requests {
					requests[j] = draw(fmt.Sprint(label, " ", j))
					if j > 0 && rapid.Bool().Draw(rt, fmt.Sprint(label, " same ", j)) {
						requests[j] = requests[0]
					}
				}
				answers := make([]answered, n)
				var wg sync.WaitGroup
				for j, r := range requests {
					wg.Go(func() { answers[j] = w.answer(t, r) })
				}
				wg.Wait()
				for _, a := range answers {
					check(a)
				}
			default:
				check(w.answer(t, draw(label)))
			}
		}
		w.balanced(rt, moved)
	})
}

func (w *world) answer(t testing.TB, r request) answered {
	res := call(w, r.verb, "/v1/"+r.path, "Bearer admin", r.key, r.body)
	return answered{r, res.StatusCode, text(t, res)}
}

// kopecks is what a deposit or withdrawal that was answered with yes has moved.
func kopecks(t testing.TB, w *world, a answered) int64 {
	t.Helper()
	list, err := w.Statement(t.Context(), strings.Split(a.path, "/")[1], ledger.StatementFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if x.Key != a.key {
			continue
		}
		if x.Move == ledger.Withdraw {
			return -x.Amount.Minor()
		}
		return x.Amount.Minor()
	}
	t.Fatalf("%s %s was answered with yes and is not in the statement", a.path, a.request.body)
	return 0
}

// balanced checks the books against themselves and against what was answered.
func (w *world) balanced(rt *rapid.T, moved map[string]int64) {
	r, err := w.Verify(rt.Context())
	if err != nil {
		rt.Fatal(err)
	}
	for _, d := range r.Differences {
		rt.Errorf("verify: %s", d)
	}
	var want int64
	for _, n := range moved {
		want += n
	}
	if got := r.Accounts[ledger.External]; got != adaptertest.RUB(-want) {
		rt.Errorf("%s came in by the books, %s by the answers", got.Neg(), adaptertest.RUB(want))
	}
}
