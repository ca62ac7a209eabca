package mutant

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// method is the method that is called, "" where the message is no call of Integra.
func (m *message) method() string {
	if m.to != toPlatform || !strings.HasPrefix(m.path, "/"+m.p.target.Platform.Integra.Partner.Path+"/") {
		return ""
	}
	return path.Base(m.path)
}

func (p *Platform) cipher() integra.Cipher {
	c, err := integra.CipherByName(cmp.Or(p.target.Platform.Integra.Partner.Cipher, integra.Simple.Name()))
	if err != nil {
		return integra.Simple
	}
	return c
}

// key is the crypt key that belongs to a hash.
func (p *Platform) key(hash string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[hash]
}

// open takes a call's k apart. The error is that of the wire format; without one, plain is an
// object, and cred what it is sealed with.
func (m *message) open() (plain []byte, cred integra.Credentials, err error) {
	e, err := integra.ParseK(m.params().Get(integra.ParamK))
	if err != nil {
		return nil, cred, err
	}
	partner := m.p.target.Platform.Integra.Partner
	for _, key := range []string{m.p.key(e.Hash), partner.Key} {
		if key == "" {
			continue
		}
		cred = integra.Credentials{Hash: e.Hash, Key: key}
		if plain, err = e.Open(m.p.cipher(), key); err == nil {
			return plain, cred, nil
		}
	}
	return nil, integra.Credentials{Hash: e.Hash}, cmp.Or[error](err, integra.ErrKey)
}

// args are the arguments of a call, empty if they cannot be read.
func (m *message) args() map[string]any {
	plain, _, err := m.open()
	if err != nil {
		return map[string]any{}
	}
	return object(decode(plain))
}

// seal puts arguments into the call, which stays as it is if that cannot be.
func (m *message) seal(cred integra.Credentials, plain []byte) {
	k, err := integra.SealText(m.p.cipher(), cred, plain)
	if err != nil {
		return
	}
	values := m.params()
	values.Set(integra.ParamK, k)
	m.query = values.Encode()
}

// call makes a call as a partner would.
func (m *message) call(method integra.Method, cred integra.Credentials, args any) *message {
	k, err := integra.Seal(m.p.cipher(), cred, args)
	if err != nil {
		return m
	}
	return m.of(toPlatform, http.MethodPost, "/"+m.p.target.Platform.Integra.Partner.Path+"/"+string(method)+"?k="+url.QueryEscape(k), nil)
}

// user are a user's credentials.
func (m *message) user(hash string) integra.Credentials {
	return integra.Credentials{Hash: hash, Key: m.p.key(hash)}
}

// refused tells whether a call got a no, and with which code.
func (m *message) refused() (integra.Code, bool) {
	r, err := integra.ParseResponse(m.answer)
	return r.Status.Code, err == nil && r.Error
}

func (m *message) succeeds(data any) {
	m.says(http.StatusOK, integra.ContentType, string(integra.Success(data).Encode()))
}

func (m *message) refuses(code integra.Code, message string) {
	m.says(http.StatusOK, integra.ContentType, string(integra.Failure(code, message).Encode()))
}

// calls has a wrap for calls of some methods, of all if none is named.
func calls(w wrap, methods ...integra.Method) wrap {
	return func(m *message) {
		name := m.method()
		for _, method := range methods {
			if name == string(method) {
				w(m)
				return
			}
		}
		if len(methods) == 0 && name != "" {
			w(m)
			return
		}
		m.pass()
	}
}

// asked changes the arguments of calls.
func asked(change func(m *message, args map[string]any), methods ...integra.Method) wrap {
	return calls(func(m *message) {
		if plain, cred, err := m.open(); err == nil {
			args := object(decode(plain))
			change(m, args)
			m.seal(cred, encode(args))
		}
		if m.status == 0 {
			m.pass()
		}
	}, methods...)
}

// answers changes the envelope that calls are answered with.
func answers(change func(m *message, envelope map[string]any), methods ...integra.Method) wrap {
	return calls(func(m *message) {
		m.pass()
		m.edit(func(envelope map[string]any) { change(m, envelope) })
	}, methods...)
}

// returns changes the data of successes.
func returns(change func(m *message, data map[string]any), methods ...integra.Method) wrap {
	return answers(func(m *message, envelope map[string]any) {
		if data, ok := envelope["data"].(map[string]any); ok {
			change(m, data)
		}
	}, methods...)
}

// without leaves a member of the data out.
func without(name string, method integra.Method) wrap {
	return returns(func(_ *message, data map[string]any) { delete(data, name) }, method)
}

// set gives a setting of the platform another value, whatever is asked for; below notify if the
// name says so.
func set(name string, value any) wrap {
	return settings("/settings", func(_ *message, body map[string]any) {
		to, at := object(body["integra"]), name
		if inside, ok := strings.CutPrefix(name, "notify."); ok {
			to, at = object(to["notify"]), inside
		}
		if _, there := to[at]; there {
			to[at] = value
		}
	})
}

// overlooks lets calls succeed that are refused with a code.
func overlooks(code integra.Code, methods ...integra.Method) wrap {
	return calls(func(m *message) {
		m.pass()
		if got, refused := m.refused(); refused && got == code {
			m.succeeds(map[string]any{"transactionId": m.args()["transactionId"]})
		}
	}, methods...)
}

// recodes gives refusals with a code another one.
func recodes(from, to integra.Code) wrap {
	return answers(func(_ *message, envelope map[string]any) {
		if status := object(envelope["status"]); text(status["code"]) == fmt.Sprint(int(from)) {
			status["code"] = int(to)
		}
	})
}

// fresh is a hash that nobody has.
func fresh() string { return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) } //nolint:gosec // chance, no secret

func integraDefects(add adding) {
	integraCalls(add)
	integraUsers(add)
	integraData(add)
	integraMoney(add)
	integraSettling(add)
	integraNotices(add)
}

const (
	inDoubt0 = "Clients take the outcome for unknown: payments stay in doubt"
	misread  = "Arguments are not what the partner meant: another name, another user, another sum"
	forged   = "A stranger's call, or one that broke on its way, moves money"
)

func integraCalls(add adding) {
	add("no-name", "Answers hello without the name", "Nobody can tell whether the arguments were read", answers(func(_ *message, e map[string]any) { e["data"] = "Hello!" }, integra.Hello))
	add("wants-post", "Answers GET with 405", "Partners that follow the guide's example reach nothing", calls(func(m *message) {
		if m.verb == http.MethodGet {
			m.says(http.StatusMethodNotAllowed, "text/plain", "")
			return
		}
		m.pass()
	}))
	add("no-data", "Leaves data out of successes", inDoubt0, answers(func(_ *message, e map[string]any) { delete(e, "data") }))
	add("no-message", "Leaves the message of successes empty", "Logs do not say what happened", answers(func(_ *message, e map[string]any) {
		if e["error"] == false {
			object(e["status"])["message"] = ""
		}
	}))
	add("no-reason", "Leaves the message of refusals empty", "Nobody learns why a payment was refused", answers(func(_ *message, e map[string]any) {
		if e["error"] == true {
			object(e["status"])["message"] = ""
		}
	}))
	add("error-as-text", "Writes error as text", inDoubt0, answers(func(_ *message, e map[string]any) { e["error"] = fmt.Sprint(e["error"]) }))
	add("code-as-text", "Writes status.code as text", inDoubt0, answers(func(_ *message, e map[string]any) {
		object(e["status"])["code"] = text(object(e["status"])["code"])
	}))
	add("refusals-with-0", "Gives refusals code 0", "A refusal is taken for a yes", answers(func(_ *message, e map[string]any) { object(e["status"])["code"] = 0 }))
	add("refuses-with-400", "Refuses with status 400", "Clients that look at the status first take a refusal for a fault and call again", calls(func(m *message) {
		m.pass()
		if _, refused := m.refused(); refused {
			m.status = http.StatusBadRequest
		}
	}))
	add("says-html", "Declares answers as HTML", inDoubt0, calls(func(m *message) {
		m.pass()
		if m.status != 0 && json.Valid(m.answer) {
			m.answered.Set("Content-Type", "text/html")
		}
	}))
	add("says-latin-1", "Declares answers as Latin-1", "Names and reasons turn into garbage", calls(func(m *message) {
		m.pass()
		if m.status != 0 && json.Valid(m.answer) {
			m.answered.Set("Content-Type", "application/json; charset=iso-8859-1")
		}
	}))
	reads := func(change func(plain string) string) wrap {
		return calls(func(m *message) {
			if plain, cred, err := m.open(); err == nil {
				m.seal(cred, []byte(change(string(plain))))
			}
			m.pass()
		}, integra.Hello)
	}
	add("keeps-escapes", "Takes \\u0416 for six characters", misread, reads(func(s string) string { return strings.ReplaceAll(s, `\u`, `\\u`) }))
	add("keeps-slashes", "Takes \\/ for two characters", misread, reads(func(s string) string { return strings.ReplaceAll(s, `\/`, `\\/`) }))
	add("reads-latin-1", "Reads arguments as Latin-1", misread, reads(func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			b.WriteRune(rune(s[i]))
		}
		return b.String()
	}))
	add("no-strange-members", "Refuses members that it does not know", "A partner that sends one more is shut out", calls(func(m *message) {
		if args := m.args(); len(args) > 1 {
			m.refuses(integra.CodeInvalid, "unknown member")
			return
		}
		m.pass()
	}, integra.Hello))
	add("takes-lists", "Takes a list for whatever it asks for", "A list becomes the login Array, and the sum of nobody's payment", calls(func(m *message) {
		for _, value := range m.args() {
			if _, list := value.([]any); list {
				m.succeeds(map[string]string{"cryptKey": fresh()})
				return
			}
		}
		m.pass()
	}))
	add("dies-of-methods", "Answers 500 to a method that is not there", "Monitoring takes a typing error for an outage", calls(func(m *message) {
		if m.pass(); m.method() == "noSuchMethod" {
			m.says(http.StatusInternalServerError, "text/plain", "")
		}
	}))
	add("key-from-its-beginning", "Begins with the first byte of the key instead of the last", "The links of every older partner module are garbage", only(toPlatform, func(m *message) {
		if strings.HasPrefix(m.path, "/vectors/") {
			m.refuses(integra.CodeInvalid, "not JSON")
			return
		}
		m.pass()
	}))
	// What the wire format finds wrong with k is let pass as if it said {"name":"x"}.
	for _, f := range []struct {
		id, what string
		is       func(m *message, k string, err error) bool
	}{
		{"any-key", "Does not notice a wrong key", func(m *message, k string, err error) bool {
			e, fault := integra.ParseK(k)
			if fault != nil || m.p.key(e.Hash) == "" {
				return false
			}
			_, fault = m.p.cipher().Decrypt(e.Data, m.p.key(e.Hash))
			return err != nil && fault == nil && !strings.HasPrefix(m.plainly(), "[") && !strings.HasPrefix(m.plainly(), "name")
		}},
		{"any-prefix", "Does not look at the prefix", func(_ *message, k string, _ error) bool { return len(k) > 3 && k[:3] != integra.Prefix }},
		{"any-hash", "Takes a hash that nobody has for the partner's", func(m *message, k string, _ error) bool {
			e, fault := integra.ParseK(k)
			return fault == nil && m.p.key(e.Hash) == ""
		}},
		{"cut-off", "Fills up base64 that is cut off", func(_ *message, k string, _ error) bool {
			e, fault := integra.ParseK(k)
			return fault == nil && len(e.Data) > 0 && len(e.Data)%4 != 0 && !strings.Contains(k, "!")
		}},
		{"no-base64", "Passes over what is no base64", func(_ *message, k string, _ error) bool { return strings.Contains(k, "!") }},
		{"nothing-inside", "Takes no data for no arguments", func(_ *message, k string, _ error) bool { return len(k) == len(integra.Prefix)+integra.HashLen }},
		{"a-list", "Takes a list for an object", func(m *message, _ string, _ error) bool { return strings.HasPrefix(m.plainly(), "[") }},
		{"no-json", "Takes a query for JSON", func(m *message, _ string, _ error) bool { return strings.HasPrefix(m.plainly(), "name") }},
		{"no-k", "Takes an empty k for no arguments", func(_ *message, k string, _ error) bool { return k == "" }},
	} {
		add("accepts-"+f.id, f.what, forged, calls(func(m *message) {
			_, _, err := m.open()
			if f.is(m, m.params().Get(integra.ParamK), err) {
				m.succeeds("Hello, x!")
				return
			}
			m.pass()
		}, integra.Hello))
	}
}

// plainly is what the partner's call says, object or not.
func (m *message) plainly() string {
	e, err := integra.ParseK(m.params().Get(integra.ParamK))
	if err != nil {
		return ""
	}
	plain, err := m.p.cipher().Decrypt(e.Data, m.p.key(e.Hash))
	if err != nil {
		return ""
	}
	return string(plain)
}

func integraUsers(add adding) {
	add("no-crypt-key", "Does not return the crypt key", "The user cannot pay: nothing can be sealed for him", without("cryptKey", integra.CreateUser))
	add("one-key-for-all", "Gives every user the same key", "Any user's key opens every account", func(m *message) {
		const same = "0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0k0"
		if e, err := integra.ParseK(m.params().Get(integra.ParamK)); err == nil && m.method() != "" && m.p.key(e.Hash) != "" {
			if plain, err := e.Open(m.p.cipher(), same); err == nil {
				m.seal(m.user(e.Hash), plain)
			}
		}
		m.pass()
		if m.method() == string(integra.CreateUser) {
			m.edit(func(envelope map[string]any) {
				if data := object(envelope["data"]); data["cryptKey"] != nil {
					data["cryptKey"] = same
				}
			})
		}
	})
	add("any-users-key", "Opens a user's call with any user's key", "Any user spends another one's money", calls(func(m *message) {
		if e, err := integra.ParseK(m.params().Get(integra.ParamK)); err == nil {
			m.p.mu.Lock()
			keys := make([]string, 0, len(m.p.keys))
			for _, key := range m.p.keys {
				keys = append(keys, key)
			}
			m.p.mu.Unlock()
			for _, key := range keys {
				if plain, err := e.Open(m.p.cipher(), key); err == nil {
					m.seal(m.user(e.Hash), plain)
					break
				}
			}
		}
		m.pass()
	}, integra.DoPayment))
	for _, from := range []integra.Code{integra.CodeInvalid, integra.CodeHashTaken, integra.CodeHashLength} {
		add(fmt.Sprintf("99-for-%d", from), fmt.Sprintf("Gives code 99 instead of %d", from), "Partners branch on the code: a new hash is not tried, or for ever", recodes(from, integra.CodeInternal))
	}
	add("logins-twice", "Takes a login that is taken", "Two people share one login, and one pays for the other", asked(func(m *message, args map[string]any) {
		if login := text(args["username"]); login != "" && m.p.remember("taken "+login, "yes") != "" {
			args["username"] = login + "-2"
		}
	}, integra.CreateUser))
	add("hashes-twice", "Takes a hash that is taken", "Two people share one account", asked(func(m *message, args map[string]any) {
		if hash := text(args["hash"]); hash != "" && m.p.remember("hash "+hash, "taken") != "" {
			args["hash"] = fresh()
		}
	}, integra.CreateUser))
	add("any-hash-length", "Takes hashes of any length", "Every later k of that user is cut in the wrong place", asked(func(_ *message, args map[string]any) {
		if hash := text(args["hash"]); hash != "" && len(hash) != integra.HashLen {
			args["hash"] = (hash + fresh())[:integra.HashLen]
		}
	}, integra.CreateUser))
	add("nobody", "Makes users without a login", "A user whom nobody can name in a payment", asked(func(_ *message, args map[string]any) {
		if text(args["username"]) == "" {
			args["username"] = fresh()
		}
	}, integra.CreateUser))
	add("no-hash", "Makes users without a hash", "A user whom the partner cannot reach again", asked(func(_ *message, args map[string]any) {
		if text(args["hash"]) == "" {
			args["hash"] = fresh()
		}
	}, integra.CreateUser))
	add("burns-logins", "Keeps the login of a refused createUser", "The user can never register", calls(func(m *message) {
		login := text(m.args()["username"])
		if login != "" && m.p.recall("burnt "+login) != "" {
			m.refuses(integra.CodeHashTaken, "the login is taken")
			return
		}
		m.pass()
		if _, refused := m.refused(); refused {
			m.p.remember("burnt "+login, "yes")
		}
	}, integra.CreateUser))
	for _, method := range []integra.Method{integra.CryptLogin, integra.Iframe} {
		add("no-page-by-"+strings.ToLower(string(method)), "Answers "+string(method)+" with JSON", "The user sees no page and pays nothing", calls(func(m *message) { m.succeeds(nil) }, method))
	}
	add("no-last-billing", "Does not say up to when an archived user is charged", "The partner closes the account too early, and the last charge bounces", without("lastBillingDate", integra.ArchiveUser))
	add("unarchives-nobody", "Does not say who was unarchived", "The partner does not know whom to let in again", without("userHash", integra.UnarchiveUser))
	add("archives-nothing", "Answers archiveUser and does nothing", "An archived user is charged on", calls(func(m *message) {
		m.succeeds(map[string]string{"userHash": text(m.args()["partner"]), "lastBillingDate": "2026-01-31"})
	}, integra.ArchiveUser))
}

func integraData(add adding) {
	const blind = "Panels show nothing there, and reconciliation compares with nothing"
	member := func(name string, method integra.Method) {
		add("no-"+strings.ToLower(name)+"-in-"+strings.ToLower(string(method)), "Leaves "+name+" out of "+string(method), blind, without(name, method))
	}
	for _, name := range []string{"hash", "balance", "dailyBudget", "dailyExpense", "url", "keywords", "status", "progress", "markers", "unreadCount", "balanceInfo"} {
		member(name, integra.GetUserData)
	}
	for _, name := range []string{"date", "balance", "income", "outcome"} {
		member(name, integra.GetFinSummaryByDate)
	}
	for _, method := range []integra.Method{integra.GetUserMessages, integra.GetMessages, integra.GetMessageTemplates} {
		member("messages", method)
	}
	member("id", integra.AttachCounter)
	member("oldUrl", integra.ChangeURL)
	add("welcome-money", "Shows a new user 100 roubles", "Users spend money that nobody has paid", returns(func(_ *message, data map[string]any) { data["balance"] = 100 }, integra.GetUserData))
	add("balance-in-kopecks", "Shows balances in kopecks", "A hundredfold of every balance", returns(func(_ *message, data map[string]any) {
		if a, err := money.ParseBalance(text(data["balance"]), money.RUB); err == nil {
			data["balance"] = json.Number(fmt.Sprint(a.Minor()))
		}
	}, integra.GetUserData, integra.GetFinSummaryByDate))
	add("partners-key-only", "Shows a user's data to the partner's key alone", "Partners that seal as everywhere else see no balance", calls(func(m *message) {
		if e, err := integra.ParseK(m.params().Get(integra.ParamK)); err == nil {
			if _, err := e.Open(m.p.cipher(), m.p.target.Platform.Integra.Partner.Key); err != nil {
				m.refuses(integra.CodeInvalid, "not JSON")
				return
			}
		}
		m.pass()
	}, integra.GetUserData))
	add("lists-nobody", "Lists no users", blind, answers(func(_ *message, e map[string]any) { e["data"] = []any{} }, integra.GetUsersData))
	add("any-date", "Takes any date for today", "Reconciliation of a day that never was finds everything in order", asked(func(_ *message, args map[string]any) {
		if _, err := time.Parse(time.DateOnly, text(args["date"])); err != nil {
			args["date"] = "2026-01-31"
		}
	}, integra.GetFinSummaryByDate))
	add("counts-what-it-was-told", "Counts messages as read that nobody has", "Warnings of an empty balance are never seen", returns(func(_ *message, data map[string]any) { data["success"] = 2 }, integra.ReadMessages))
	add("urls-changed-round", "Mixes up the new and the old address", "The old site is promoted on, for the user's money", returns(func(_ *message, data map[string]any) {
		data["newUrl"], data["oldUrl"] = data["oldUrl"], data["newUrl"]
	}, integra.ChangeURL))
}

func integraMoney(add adding) {
	add("payments-in-letters", "Gives payments ids with letters", "Partners keep the id in a number", returns(func(_ *message, data map[string]any) {
		data["paymentId"] = "P" + text(data["paymentId"])
	}, integra.DoPayment))
	add("books-nothing", "Answers doPayment and credits nothing", "The partner has charged the user for nothing", calls(func(m *message) { m.succeeds(map[string]string{"paymentId": "1"}) }, integra.DoPayment))
	sum := func(change func(string) string) wrap {
		return asked(func(_ *message, args map[string]any) {
			if change := change(text(args["paymentSum"])); change != text(args["paymentSum"]) {
				args["paymentSum"] = change
			}
		}, integra.DoPayment)
	}
	add("drops-kopecks", "Cuts sums to whole roubles", "Up to a rouble of every payment is gone", sum(func(s string) string {
		if _, err := money.ParseBalance(s, money.RUB); err != nil {
			return s
		}
		whole, _, _ := strings.Cut(s, ".")
		return whole
	}))
	add("counts-in-floats", "Computes kopecks in floating point and cuts", "1.15 is 114 kopecks: one is gone", sum(func(s string) string {
		var f float64
		if _, err := money.ParseBalance(s, money.RUB); err != nil {
			return s
		}
		if _, err := fmt.Sscan(s, &f); err != nil {
			return s
		}
		return money.New(int64(f*100), money.RUB).Text()
	}))
	add("forgets-signs", "Takes -40.50 for 40.50", "A refund is paid out twice over", sum(func(s string) string { return strings.TrimPrefix(s, "-") }))
	add("refunds-nothing", "Answers refunds and books nothing", "The user has the money twice", calls(func(m *message) {
		if strings.HasPrefix(text(m.args()["paymentSum"]), "-") {
			m.succeeds(map[string]string{"paymentId": "1"})
			return
		}
		m.pass()
	}, integra.DoPayment))
	for _, bad := range []struct{ id, sum, meant string }{
		{"nothing", "", "100"},
		{"zero", "0", "100"},
		{"words", "abc", "100"},
		{"exponents", "1e3", "1000"},
		{"commas", "1,5", "1.5"},
		{"tenths-of-kopecks", "1.005", "1.01"},
		{"nan", "NaN", "100"},
		{"overflow", "99999999999999999999", "7766279631452241919"},
	} {
		add("pays-"+bad.id, fmt.Sprintf("Takes the sum %q for %s", bad.sum, bad.meant), "Money is credited that nobody meant to pay", sum(func(s string) string {
			if s == bad.sum {
				return bad.meant[:min(len(bad.meant), 9)]
			}
			return s
		}))
	}
	add("no-payment-hash", "Makes payments without paymentHash", "Nothing tells a repeat from a new payment", asked(func(_ *message, args map[string]any) {
		if text(args["paymentHash"]) == "" {
			args["paymentHash"] = fresh()
		}
	}, integra.DoPayment))
	add("pays-repeats", "Makes a payment again whose paymentHash is known", "A call repeated after a lost answer is credited twice", asked(func(_ *message, args map[string]any) {
		if text(args["paymentHash"]) != "" {
			args["paymentHash"] = fresh()
		}
	}, integra.DoPayment))
	add("new-ids-for-repeats", "Gives a repeated payment a new paymentId", "The partner books one payment as two", returns(func(m *message, data map[string]any) {
		if m.p.remember("hash "+text(m.args()["paymentHash"]), "used") != "" {
			data["paymentId"] = text(data["paymentId"]) + "1"
		}
	}, integra.DoPayment))
	add("credits-the-first", "Credits every payment to the first user who paid", "One user gets the money of all", calls(func(m *message) {
		plain, cred, err := m.open()
		if err == nil {
			first := m.p.recall("first")
			if first == "" {
				m.p.remember("first", cred.Hash)
			} else {
				m.seal(m.user(first), plain)
			}
		}
		m.pass()
	}, integra.DoPayment))
	add("no-numbers", "Refuses sums that are JSON numbers", "Partners that write numbers pay nothing", calls(func(m *message) {
		if _, number := m.args()["paymentSum"].(json.Number); number {
			m.refuses(integra.CodeInvalid, "paymentSum must be text")
			return
		}
		m.pass()
	}, integra.DoPayment))
	for _, value := range []string{"refuse", "success"} {
		add("used-hash-"+value, "Answers a used paymentHash always with "+value, "Partners that rely on the other reading pay twice or not at all", set("payment_hash_reused", value))
	}
	for _, value := range []string{"refuse", "allow"} {
		add("overdraft-"+value, "Answers refunds beyond the balance always with "+value, "Refunds of money that is not there, or none of money that is owed", set("refund_beyond_balance", value))
	}
}

// owner is the user of a payment that was announced.
func (m *message) owner(id string) integra.Credentials { return m.user(m.p.recall("owner " + id)) }

// announcing remembers who pressed "top up", then goes on with a wrap that may be nil.
func announcing(topUp func(m *message, payment map[string]any), w wrap) wrap {
	return func(m *message) {
		hash, pressed := strings.CutPrefix(m.path, "/integra/users/")
		if m.to != toControl || !pressed || !strings.HasSuffix(hash, "/topups") {
			w(m)
			return
		}
		m.pass()
		m.edit(func(payment map[string]any) {
			m.p.remember("owner "+text(payment["id"]), strings.TrimSuffix(hash, "/topups"))
			if topUp != nil {
				topUp(m, payment)
			}
		})
	}
}

func integraSettling(add adding) {
	settling := []integra.Method{integra.ConfirmPayment, integra.DeclinePayment}
	add("confirms-nameless", "Answers confirmPayment without the payment's id", "The partner does not know what was confirmed", without("transactionId", integra.ConfirmPayment))
	add("declines-nameless", "Answers declinePayment without the payment's id", "The partner does not know what was declined", without("transactionId", integra.DeclinePayment))
	add("confirms-nothing", "Answers confirmPayment and credits nothing", "The partner has charged the user for nothing", calls(func(m *message) {
		m.succeeds(map[string]string{"transactionId": text(m.args()["transactionId"])})
	}, integra.ConfirmPayment))
	add("credits-at-once", "Credits a top-up before the partner has confirmed it", "Users without money in the panel get it at the platform", announcing(func(m *message, payment map[string]any) {
		id := text(payment["id"])
		m.call(integra.ConfirmPayment, m.owner(id), integra.ConfirmPaymentArgs{Amount: integra.Text(text(payment["amount"])), TransactionID: id})
	}, (*message).pass))
	add("credits-declined", "Credits what was declined", "The platform pays for users without money", announcing(func(m *message, payment map[string]any) {
		m.p.remember("amount "+text(payment["id"]), text(payment["amount"]))
	}, calls(func(m *message) {
		id := text(m.args()["transactionId"])
		m.call(integra.ConfirmPayment, m.owner(id), integra.ConfirmPaymentArgs{Amount: integra.Text(m.p.recall("amount " + id)), TransactionID: id})
		m.succeeds(map[string]string{"transactionId": id})
	}, integra.DeclinePayment)))
	add("wants-a-reason", "Refuses a decline without a reason", "Partners that follow the reference cannot decline", calls(func(m *message) {
		if args := m.args(); args["errorCode"] == nil {
			m.refuses(integra.CodeInvalid, "errorCode is missing")
			return
		}
		m.pass()
	}, integra.DeclinePayment))
	add("credits-repeats", "Credits again what is confirmed again", "A confirmation repeated after a lost answer counts twice", calls(func(m *message) {
		plain, cred, err := m.open()
		m.pass()
		if _, refused := m.refused(); err != nil || refused {
			return
		}
		args := object(decode(plain))
		if m.p.remember("confirmed "+text(args["transactionId"]), "yes") != "" {
			m.call(integra.DoPayment, cred, map[string]string{"paymentSum": text(args["amount"]), "paymentHash": fresh(), "userLogin": m.p.recall("login of " + cred.Hash)})
		}
	}, integra.ConfirmPayment))
	add("confirms-the-declined", "Answers yes to a confirmation after a decline", "The partner charges the user for a payment that was declined", overlooks(integra.CodePaymentFinal, integra.ConfirmPayment))
	add("declines-the-confirmed", "Answers yes to a decline after a confirmation", "The partner gives back what was credited", overlooks(integra.CodePaymentFinal, integra.DeclinePayment))
	add("says-yes-to-both", "Answers yes to confirmation and decline of one payment", "The partner charges and gives back as it likes, and the platform credits one of them", overlooks(integra.CodePaymentFinal, settling...))
	add("settles-what-is-not-there", "Answers yes to payments that are not there", "The partner charges the user for a payment of nobody", overlooks(integra.CodePaymentNotFound, settling...))
	add("takes-any-amount", "Answers yes to another amount than was announced", "The partner charges one sum, and another is credited", overlooks(integra.CodeAmountDiffers, integra.ConfirmPayment))
	add("credits-what-was-announced", "Credits the announced amount whatever is confirmed", "The partner charges one sum, and another is credited", announcing(func(m *message, payment map[string]any) {
		m.p.remember("amount "+text(payment["id"]), text(payment["amount"]))
	}, asked(func(m *message, args map[string]any) {
		if amount := m.p.recall("amount " + text(args["transactionId"])); amount != "" {
			args["amount"] = amount
		}
	}, integra.ConfirmPayment)))
	add("compares-amounts-as-text", "Takes 100.00 for another amount than 100", "A payment can never be confirmed and stays in doubt", calls(func(m *message) {
		if amount := text(m.args()["amount"]); strings.HasSuffix(amount, "00") && strings.Contains(amount, ".") {
			m.refuses(integra.CodeAmountDiffers, "the amount differs")
			return
		}
		m.pass()
	}, integra.ConfirmPayment))
	add("settles-for-anybody", "Lets any user settle any payment", "A user declines the payments of others", announcing(nil, calls(func(m *message) {
		plain, _, err := m.open()
		if owner := m.owner(text(m.args()["transactionId"])); err == nil && owner.Key != "" {
			m.seal(owner, plain)
		}
		m.pass()
	}, settling...)))
	for _, value := range []string{"refuse", "success"} {
		add("confirmed-again-"+value, "Answers a repeated confirmation always with "+value, "Partners that rely on the other reading give back what was credited", set("confirm_repeated", value))
	}
	for _, value := range []string{"refuse", "credit"} {
		add("other-amount-"+value, "Answers another amount always with "+value, "The partner charges one sum, and another is credited", set("confirm_other_amount", value))
	}
	add("never-expires", "Lets payments wait for ever", "A payment of last year is confirmed when everybody has forgotten it", set("payment_expiry_ms", 0))
	add("expires-always", "Lets every payment expire after a day", "What the agreement keeps open is lost over a holiday", set("payment_expiry_ms", 24*time.Hour.Milliseconds()))
	add("forgets-without-answer", "Does nothing where the answer is lost", "The partner believes what has not happened", func(m *message) {
		if m.to == toControl && m.path == "/settings" {
			m.p.remember("loses", text(object(object(decode(m.body))["integra"])["lost_answers"]))
		}
		if m.method() == string(integra.ConfirmPayment) && m.p.recall("loses") == "drop" {
			return // and no answer
		}
		m.pass()
	})
	add("never-loses-answers", "Answers what it is told to lose", "Nobody can try what becomes of a lost answer", set("lost_answers", "none"))
}

func integraNotices(add adding) {
	const lost = "The partner does not learn of the payment, and the user has paid for nothing"
	add("posts", "Announces by POST", lost, told(func(m *message) { m.verb = http.MethodPost }))
	add("announces-nothing", "Announces no payment", lost, told(func(m *message) { m.says(http.StatusOK, "text/plain", "") }))
	add("announces-one-of-each-user", "Announces only the first payment of a user", lost, told(func(m *message) {
		if first := m.p.remember("first of "+m.path, cmp.Or(m.p.recall("first of "+m.path), m.query)); first != "" && first != m.query {
			m.says(http.StatusOK, "text/plain", "")
		}
	}))
	add("ids-as-uuids", "Gives payments ids with dashes", "Partners keep 32 characters: the id is cut", announcing(func(_ *message, payment map[string]any) {
		if id := text(payment["id"]); len(id) == integra.HashLen {
			payment["id"] = id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
		}
	}, (*message).pass))
	add("fills-in-the-query-alone", "Leaves placeholders in the path alone", lost, told(func(m *message) {
		parts := strings.Split(m.path, "/")
		for i, part := range parts {
			if integra.ValidHash(part) {
				parts[i] = "{id}"
			}
		}
		m.path = strings.Join(parts, "/")
	}))
	add("fills-in-once", "Fills each placeholder in once", lost, told(func(m *message) {
		if before, after, ok := strings.Cut(m.query, "again="); ok {
			_, rest, _ := strings.Cut(after, "&")
			m.query = before + "again={id}&" + rest
		}
	}))
	add("sorts-parameters", "Writes the query anew, sorted", "The partner's signature over its own address is broken", told(func(m *message) { m.query = m.params().Encode() }))
	add("decodes-parameters", "Decodes the partner's own parameters", "Tokens with a plus are broken: every notification is refused", told(func(m *message) {
		if plain, err := url.PathUnescape(m.query); err == nil {
			m.query = strings.ReplaceAll(plain, " ", "+")
		}
	}))
	add("drops-the-unknown", "Drops placeholders that it does not know", "The partner's address is no longer its own", told(func(m *message) {
		m.query = strings.NewReplacer("{zebra}", "", "%7Bzebra%7D", "").Replace(m.query)
	}))
	add("tells-kopecks", "Announces the amount in kopecks", "A hundredfold is charged", told(func(m *message) {
		m.query = strings.NewReplacer("amount=100.50", "amount=10050", "amount=100.5", "amount=10050", "amount=100", "amount=10000", "sum=100", "sum=10000").Replace(m.query)
	}))
	add("tells-roubles", "Announces the amount cut to roubles", "Kopecks are credited that nobody was charged", told(func(m *message) {
		m.query = strings.NewReplacer("amount=100.50", "amount=100", "amount=100.5", "amount=100").Replace(m.query)
	}))
	for _, form := range []string{"short", "full"} {
		add("amounts-always-"+form, "Writes amounts always in the "+form+" form", "Partners that read one form alone misread the other", set("notify.amount", form))
	}
	add("never-content", "Repeats what was answered with 200", "Partners are flooded, and careless ones charge twice", heard(func(m *message) {
		if m.status == http.StatusOK {
			m.status = http.StatusInternalServerError
		}
	}))
	add("content-with-anything", "Takes every answer for an acknowledgement", "A payment is lost when the partner is down for a second", heard(func(m *message) {
		if m.status != 0 {
			m.status = http.StatusOK
		}
	}))
	add("content-with-redirects", "Takes a redirect for an acknowledgement", "A payment is lost when the partner's site moves", heard(func(m *message) {
		if m.status/100 == 3 {
			m.status = http.StatusOK
		}
	}))
	add("numbers-repeats", "Adds the number of the try", "The partner takes a repeat for another payment", told(func(m *message) {
		m.p.remember("tries "+m.path, m.p.recall("tries "+m.path)+"x")
		if n := len(m.p.recall("tries " + m.path)); n > 1 {
			m.query += fmt.Sprintf("&try=%d", n)
		}
	}))
	for _, s := range []struct {
		id, name string
		value    any
		what     string
	}{
		{"repeats-never", "retries", 0, "Repeats no notification"},
		{"repeats-thrice", "retries", 3, "Gives up after three repeats"},
		{"repeats-always", "retries", 50, "Repeats fifty times"},
		{"repeats-at-once", "first_retry_ms", 1000, "Repeats after a second"},
		{"repeats-late", "first_retry_ms", 60_000, "Repeats after a minute"},
		{"repeats-evenly", "schedule_ms", []int{10_000, 10_000, 10_000, 10_000, 10_000}, "Repeats every ten seconds"},
		{"copies-never", "duplicates", 0, "Sends no copies where it is told to"},
		{"copies-always", "duplicates", 2, "Sends two copies of everything"},
		{"delays", "delay_ms", 60_000, "Announces a minute late"},
	} {
		add(s.id, s.what, "Partners that are down meanwhile miss payments, or drown in repeats", set("notify."+s.name, s.value))
	}
	add("announces-direct-payments", "Announces direct payments", "The partner charges the user a second time", calls(func(m *message) {
		plain, cred, err := m.open()
		if m.pass(); err != nil {
			return
		}
		if m.method() == string(integra.CryptLogin) {
			m.p.remember("template "+cred.Hash, text(object(decode(plain))["paymentNotifyUrl"]))
			return
		}
		if _, rest, ok := strings.Cut(m.p.recall("template "+cred.Hash), paths[toSuite]); ok {
			m.of(toSuite, http.MethodGet, strings.NewReplacer("{id}", fresh(), "{amount}", "100", "{hash}", cred.Hash).Replace(rest), nil)
		}
	}, integra.CryptLogin, integra.DoPayment))
}
