package contract

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/recording"
)

// replayUser is a user at the stand-in who stands for one of the recording.
type replayUser struct {
	partner          *Partner
	hash, key, login string
	canTopUp         bool // logged in with an address for notifications
}

func (u *replayUser) cred() integra.Credentials {
	return integra.Credentials{Hash: u.hash, Key: u.key}
}

// integraCall is a recorded call, sealed anew for the stand-in.
func (r *replay) integraCall(ctx context.Context, x *recording.Exchange, m recording.Message, target *url.URL) (*http.Request, error) {
	method := integra.Method(x.Method)
	s := x.Sealed
	switch {
	case method == integra.LegacyCreateUser:
		return nil, skip("the predecessor's registration is not replayed")
	case s == nil:
		return nil, skip("its arguments could not be opened: give the recorder the key")
	case method.HTML() && m.Verb == http.MethodPost && m.Body != "":
		return nil, skip("a form of the page: what it did is replayed where it is announced or confirmed")
	}
	cipher, err := integra.CipherByName(s.Cipher)
	if err != nil {
		return nil, skip(err.Error())
	}
	args := textMembers(x.Args)
	about := args["partner"]
	if method.HashOwner() == integra.OwnerPartner {
		about = s.Hash
	}
	if u := r.users[s.Hash]; u != nil && about == "" {
		about = r.ids.back[u.partner.Hash]
	}
	p, err := r.partner(ctx, about, s)
	if err != nil {
		return nil, err
	}
	cred := integra.Credentials{Hash: p.Hash, Key: p.Key}
	switch {
	case method == integra.CreateUser:
		r.newUser(p, args["hash"], args["username"])
		if x.Verdict.Code == int(integra.CodeHashTaken) && r.users[args["hash"]].key == "" {
			err = r.makeUser(ctx, args["hash"], p, "")
		}
	case method.HashOwner() == integra.OwnerUser:
		u, missing := r.user(ctx, s.Hash, p, r.logins[s.Hash])
		if missing != nil {
			return nil, missing
		}
		cred = u.cred()
		if s.Key == recording.KeyPartner {
			cred.Key = u.partner.Key
		}
		if payment := args["transactionId"]; r.ids.there[payment] == "" {
			if amount, was := r.amounts[payment]; was {
				if amount == "" {
					amount = "100"
					r.note("payment %s: nothing recorded names its amount; %s was taken", payment, amount)
				}
				err = r.press(ctx, s.Hash, payment, amount)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	plain, logsIn := r.rewrite(x.Args)
	if u := r.users[s.Hash]; u != nil && logsIn {
		u.canTopUp = u.canTopUp || x.Verdict.OK
	}
	k, err := integra.SealText(cipher, cred, plain)
	if err != nil {
		return nil, skip(err.Error())
	}
	query := target.Query()
	query.Del(integra.ParamK)
	address, err := integra.RequestURL(r.platform, p.Path, method, k, query)
	if err != nil {
		return nil, skip(err.Error())
	}
	return r.request(ctx, m, address, r.rewriteForm(m))
}

// newUser prepares a user that a recorded call makes.
func (r *replay) newUser(p *Partner, hash, login string) {
	if r.users[hash] != nil {
		return
	}
	u := &replayUser{partner: p, hash: hash}
	if integra.ValidHash(hash) { // what is none is to be refused here as well
		u.hash = r.dice.token(integra.HashLen)
		r.ids.bind(hash, u.hash)
	}
	u.login = r.login(login)
	r.users[hash] = u
}

// login is a user's login at the stand-in.
func (r *replay) login(recorded string) string {
	if recorded == "" {
		return "drift-" + r.dice.token(12)
	}
	if login, ok := r.ids.there[recorded]; ok {
		return login
	}
	login := "d" + r.dice.token(7) + "-" + recorded
	r.ids.bind(recorded, login)
	return login
}

// user returns the user who stands for one of the recording, made here if the recording does
// not show how he came to be.
func (r *replay) user(ctx context.Context, hash string, p *Partner, login string) (*replayUser, error) {
	if u := r.users[hash]; u != nil && u.key != "" {
		if p != u.partner {
			return nil, skip("its user belongs to another partner")
		}
		return u, nil
	}
	r.newUser(p, hash, login)
	if err := r.makeUser(ctx, hash, p, r.users[hash].login); err != nil {
		return nil, err
	}
	r.note("user %s was there before the recording: made for the replay, with nothing", hash)
	return r.users[hash], nil
}

// makeUser makes a user beside the recorded calls.
func (r *replay) makeUser(ctx context.Context, hash string, p *Partner, login string) error {
	u := r.users[hash]
	got := r.ask(ctx, p, integra.CreateUser, integra.Credentials{Hash: p.Hash, Key: p.Key}, integra.CreateUserArgs{Username: cmp.Or(login, "drift-"+r.dice.token(12)), Hash: u.hash})
	var made integra.CreateUserResult
	response, err := integra.ParseResponse(got.body)
	if err == nil {
		err = response.Err()
	}
	if err == nil {
		err = response.Result(&made)
	}
	if err != nil || made.CryptKey == "" {
		return skip(fmt.Sprintf("its user cannot be made at the stand-in: %d %s", got.status, oneLine(string(got.body), 200)))
	}
	u.key = made.CryptKey
	return nil
}

// ask makes a call of the replay's own.
func (r *replay) ask(ctx context.Context, p *Partner, m integra.Method, cred integra.Credentials, args any) answer {
	cipher, err := integra.CipherByName(p.Cipher)
	if err != nil {
		return answer{err: err}
	}
	k, err := integra.Seal(cipher, cred, args)
	if err != nil {
		return answer{err: err}
	}
	address, err := integra.RequestURL(r.platform, p.Path, m, k, nil)
	if err != nil {
		return answer{err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{err: err}
	}
	return r.send(req)
}

// learn takes the key of a user who was just made.
func (r *replay) learn(x *recording.Exchange, got answer) {
	if x.Method != string(integra.CreateUser) {
		return
	}
	response, err := integra.ParseResponse(got.body)
	var made integra.CreateUserResult
	if err == nil && response.Err() == nil && response.Result(&made) == nil && made.CryptKey != "" {
		r.users[textMembers(x.Args)["hash"]].key = made.CryptKey
	}
}

// press tops up as a user does in the page, for a payment of the recording.
func (r *replay) press(ctx context.Context, user, payment, amount string) error {
	u := r.users[user]
	if !u.canTopUp {
		got := r.ask(ctx, u.partner, integra.CryptLogin, u.cred(), integra.LoginArgs{Login: u.login, Hash: u.hash, PaymentNotifyURL: r.inbox.template()})
		if got.err != nil || got.status != http.StatusOK {
			return skip(fmt.Sprintf("its user cannot log in at the stand-in (%d)", got.status))
		}
		u.canTopUp = true
	}
	made, err := r.control.topUp(ctx, u.hash, amount, "partner")
	if err != nil {
		return err
	}
	r.ids.bind(payment, made.ID)
	return r.control.advance(ctx, 0)
}

// patience is how much later than the platform the stand-in may send a notification.
const patience = 2_000 // milliseconds

// integraNotify brings a notification about, and compares it with the recorded one. What the
// partner answered then is what it answers now.
func (r *replay) integraNotify(ctx context.Context, x *recording.Exchange) error {
	args := textMembers(x.Args)
	payment := args["id"]
	if payment == "" || args["amount"] == "" {
		return skip("it names no payment, or no amount")
	}
	if r.users[args["hash"]] == nil || r.users[args["hash"]].key == "" {
		return skip("nothing was recorded of its user before")
	}
	n := r.heard[payment]
	r.heard[payment]++
	r.inbox.answerWith(x.Status)
	defer r.inbox.answerWith(http.StatusOK)
	if r.ids.there[payment] == "" {
		if err := r.press(ctx, args["hash"], payment, args["amount"]); err != nil {
			return err
		}
	}
	got := r.inbox.get(r.ids.there[payment], n)
	if got == nil {
		r.now += patience
		if err := r.control.advance(ctx, patience*1e6); err != nil {
			return err
		}
		got = r.inbox.get(r.ids.there[payment], n)
	}
	if got == nil {
		r.differ(x, "(notification)", "sent", Absent)
		return nil
	}
	m, err := recording.ParseRequest(x.Request)
	if err != nil {
		return skip(err.Error())
	}
	r.differ(x, "(verb)", m.Verb, got.verb)
	for _, name := range []string{"id", "amount", "hash"} {
		if args[name] != "" { // the partner's template may do without
			r.differ(x, name, args[name], r.ids.asRecorded(got.query.Get(name)))
		}
	}
	return nil
}

// rewrite puts the stand-in's ids into arguments. logsIn tells that they give an address for
// notifications, which is now the replay's own.
func (r *replay) rewrite(args string) (plain []byte, logsIn bool) {
	value := readJSON([]byte(args))
	var walk func(name string, value any) any
	walk = func(name string, value any) any {
		switch v := value.(type) {
		case map[string]any:
			for name, inner := range v {
				v[name] = walk(name, inner)
			}
		case []any:
			for i, inner := range v {
				v[i] = walk(name, inner)
			}
		case string:
			return r.rewriteText(name, v, &logsIn)
		case json.Number:
			if standIn, ok := r.ids.there[v.String()]; ok && !isSum(name) {
				return json.Number(standIn)
			}
		}
		return value
	}
	return plainJSON(walk("", value)), logsIn
}

// isSum tells whether an argument is one whose digits are no id.
func isSum(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "amount") || strings.Contains(name, "sum")
}

func (r *replay) rewriteText(name, text string, logsIn *bool) string {
	switch {
	case text == "":
		return text
	case name == "paymentNotifyUrl":
		if _, err := integra.ParseNotifyTemplate(text); err != nil {
			return text // to be refused here as well
		}
		*logsIn = true
		return r.inbox.template()
	case name == "callback_url" && strings.HasPrefix(text, "http"):
		return r.inbox.callback()
	}
	if standIn, ok := r.ids.there[text]; ok && !isSum(name) {
		return standIn
	}
	switch name {
	case "username", "login", "userLogin":
		return r.login(text)
	case "paymentHash":
		if integra.ValidHash(text) {
			r.ids.bind(text, r.dice.token(integra.HashLen))
			return r.ids.there[text]
		}
	case "externalid":
		r.ids.bind(text, "d"+r.dice.token(7)+"-"+text)
		return r.ids.there[text]
	}
	return text
}

// rewriteForm is a recorded body with the stand-in's ids: a list of them in the form of
// readMessages.
func (r *replay) rewriteForm(m recording.Message) string {
	form, err := url.ParseQuery(m.Body)
	if err != nil || !form.Has(integra.ParamIDs) {
		return m.Body
	}
	list := strings.Split(form.Get(integra.ParamIDs), ",")
	for i, id := range list {
		standIn := r.ids.there[scoped("data.messages[].id", id)]
		list[i] = cmp.Or(standIn[strings.LastIndexByte(standIn, ' ')+1:], id)
	}
	form.Set(integra.ParamIDs, strings.Join(list, ","))
	return form.Encode()
}

// textMembers are the members of a JSON object that are texts or numbers.
func textMembers(object string) map[string]string {
	texts := map[string]string{}
	members, _ := readJSON([]byte(object)).(map[string]any)
	for name, value := range members {
		switch v := value.(type) {
		case string:
			texts[name] = v
		case json.Number:
			texts[name] = v.String()
		}
	}
	return texts
}
