package integra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// maxSuspects bounds how many keys of other users the doctor tries.
const maxSuspects = 2_000

// diagnose says what is wrong with k, which was refused; nil if the refusal says it all. It
// wants the world held for reading.
func (c *call) diagnose(refusal *Refusal) *journal.Diagnosis {
	switch refusal.Check {
	case CheckK, CheckKey, CheckPartner, CheckUser, CheckArgs:
	default:
		return nil
	}
	k := c.query.Get(wire.ParamK)
	if k == "" {
		return c.diagnoseMissing()
	}
	d := &journal.Diagnosis{Cause: journal.CauseUnknown, Hint: refusal.Message, Got: c.describe(k), Want: c.wanted(k)}
	for _, m := range mendings {
		mended := m.mend(k)
		if mended == k {
			continue
		}
		if plain, _ := c.tryOpen(mended); plain != nil {
			d.Cause, d.Hint = m.cause, m.hint
			d.Want = c.describe(mended)
			return d
		}
	}
	envelope, err := wire.ParseK(k)
	if err != nil {
		d.Cause = journal.CauseEncoding
		return d
	}
	if cause, hint := c.diagnoseHash(envelope.Hash); cause != "" {
		d.Cause, d.Hint = cause, hint
		return d
	}
	if cause, hint := c.diagnosePlain(refusal); cause != "" {
		d.Cause, d.Hint = cause, hint
		return d
	}
	if cause, hint := c.diagnoseKey(envelope); cause != "" {
		d.Cause, d.Hint = cause, hint
	} else if refusal.Check == CheckKey {
		d.Cause, d.Hint = journal.CauseWrongKey, "no key that is known here opens it: a key that was changed or cut, or text that was encrypted by something else"
	}
	return d
}

func (c *call) diagnoseMissing() *journal.Diagnosis {
	d := &journal.Diagnosis{Cause: journal.CauseMissing, Hint: "the address has no parameter k", Want: "?k=zaa" + "{hash}{base64}"}
	switch {
	case c.form().Has(wire.ParamK):
		d.Hint = "k is in the body: it belongs into the query of the address, also of a POST"
	case c.query.Has("K"):
		d.Cause, d.Hint = journal.CauseCase, "the parameter is named K: its name is k"
	}
	return d
}

// mendings undo what is known to happen to a k on its way.
var mendings = []struct {
	cause journal.Cause
	hint  string
	mend  func(string) string
}{
	{journal.CauseEncoding, "a '+' of the base64 arrived as a space: url-encode k, so that '+' is sent as %2B", func(k string) string { return strings.ReplaceAll(k, " ", "+") }},
	{journal.CauseEncoding, "k was url-encoded twice", func(k string) string {
		if once, err := url.QueryUnescape(k); err == nil {
			return once
		}
		return k
	}},
	{journal.CauseEncoding, "url-safe base64: the alphabet has '+' and '/', not '-' and '_'", strings.NewReplacer("-", "+", "_", "/").Replace},
	{journal.CauseEncoding, "the base64 is without its padding '='", func(k string) string {
		if len(k) < len(wire.Prefix)+wire.HashLen {
			return k
		}
		data := k[len(wire.Prefix)+wire.HashLen:]
		return k + strings.Repeat("=", (4-len(data)%4)%4)
	}},
	{journal.CauseEncoding, "the base64 was wrapped into lines", func(k string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(k) }},
	{journal.CauseParts, "the prefix zaa is missing", func(k string) string { return wire.Prefix + k }},
	{journal.CauseCase, "the prefix is in another case: it is zaa", func(k string) string {
		if len(k) < len(wire.Prefix) {
			return k
		}
		return strings.ToLower(k[:len(wire.Prefix)]) + k[len(wire.Prefix):]
	}},
	{journal.CauseCase, "the hash is in another case than the one registered", func(k string) string { return withHash(k, strings.ToLower) }},
	{journal.CauseCase, "the hash is in another case than the one registered", func(k string) string { return withHash(k, strings.ToUpper) }},
}

func withHash(k string, change func(string) string) string {
	from, to := len(wire.Prefix), len(wire.Prefix)+wire.HashLen
	if len(k) < to {
		return k
	}
	return k[:from] + change(k[from:to]) + k[to:]
}

// tryOpen opens k as the method wants it, and returns nil and whose key it should be if that
// does not work.
func (c *call) tryOpen(k string) (plain []byte, owner string) {
	envelope, err := wire.ParseK(k)
	if err != nil {
		return nil, ""
	}
	for _, cred := range c.rightKeys(envelope.Hash) {
		if plain, err := envelope.Open(cred.cipher, cred.key); err == nil {
			return plain, cred.owner
		}
	}
	return nil, ""
}

// suspect is a key that may have been taken.
type suspect struct {
	owner  string // for people
	key    string
	cipher wire.Cipher
}

// rightKeys are the keys that a call in the name of hash may be encrypted with.
func (c *call) rightKeys(hash string) []suspect {
	if c.method.HashOwner() == wire.OwnerPartner {
		if partner := c.p.partner(hash); partner != nil && partner.answersUnder(c.path) {
			return []suspect{{"the partner's key", partner.Key, partner.cipher}}
		}
		return nil
	}
	u := c.p.users.get(hash)
	if u == nil {
		return nil
	}
	partner := c.p.partner(u.partner)
	if !partner.answersUnder(c.path) {
		return nil
	}
	all := []suspect{{"the user's key", u.key, partner.cipher}}
	if c.method.KeyOwner() == wire.OwnerPartner {
		all = append([]suspect{{"the partner's key", partner.Key, partner.cipher}}, all...)
	}
	return all
}

// describe shows the parts of k.
func (c *call) describe(k string) string {
	const shown = 24
	cut := func(s string) string {
		if len(s) > shown {
			return s[:shown] + "…"
		}
		return s
	}
	envelope, err := wire.ParseK(k)
	if err != nil {
		return fmt.Sprintf("%.80q", k)
	}
	return wire.Prefix + " | " + envelope.Hash + " | " + cut(envelope.Data)
}

// wanted describes what k should be.
func (c *call) wanted(k string) string {
	whose := "hash of the user"
	if c.method.HashOwner() == wire.OwnerPartner {
		whose = "hash of the partner"
	}
	key, cipher := "the user's key", "simple"
	if c.method.KeyOwner() == wire.OwnerPartner {
		key = "the partner's key"
	}
	if c.partner != nil {
		cipher = c.partner.cipher.Name()
	}
	if envelope, err := wire.ParseK(k); err == nil && len(c.rightKeys(envelope.Hash)) > 0 {
		whose = envelope.Hash
	}
	return fmt.Sprintf("%s | %s | base64 of the JSON, by the cipher %s with %s", wire.Prefix, whose, cipher, key)
}

// diagnoseHash looks for somebody else who has the hash.
func (c *call) diagnoseHash(hash string) (journal.Cause, string) {
	if len(c.rightKeys(hash)) > 0 {
		return "", ""
	}
	forPartner := c.method.HashOwner() == wire.OwnerPartner
	u, partner := c.p.users.get(hash), c.p.partner(hash)
	switch {
	case forPartner && u != nil:
		return journal.CauseParts, string(c.method) + " is called in the name of the partner: the hash in k is a user's"
	case !forPartner && partner != nil:
		return journal.CauseParts, string(c.method) + " is called in the name of a user: the hash in k is the partner's"
	case u != nil || partner != nil:
		return journal.CauseParts, fmt.Sprintf("the hash in k is known, but not under the path %q", c.path)
	}
	return journal.CauseUnknown, "nobody has the hash in k: registered under another one, or lost by a reset"
}

// diagnosePlain looks at text that the right key opened, but that is not what it should be.
func (c *call) diagnosePlain(refusal *Refusal) (journal.Cause, string) {
	plain := bytes.TrimSpace(c.plain)
	if len(plain) == 0 {
		return "", ""
	}
	var text string
	readable := utf8.Valid(plain) && !bytes.ContainsFunc(plain, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' })
	switch {
	case json.Unmarshal(plain, &text) == nil:
		return journal.CauseEncoding, "the arguments are JSON inside a JSON string: they were encoded twice"
	case refusal.Check == CheckArgs:
		return journal.CauseEncoding, "it was opened, but the arguments are not one JSON object: " + refusal.Message
	case readable && bytes.ContainsRune(plain, '=') && plain[0] != '{':
		return journal.CauseEncoding, "the arguments are a form, such as http_build_query writes: they have to be JSON"
	case readable && bytes.HasPrefix(plain, []byte("a:")):
		return journal.CauseEncoding, "the arguments are PHP's serialize: they have to be JSON"
	case bytes.HasPrefix(plain, []byte{'{'}) && bytes.HasSuffix(plain, []byte{'}'}) && !utf8.Valid(plain):
		return journal.CauseEncoding, "the JSON is not in UTF-8: in windows-1251, perhaps"
	case readable && plain[0] == '{':
		return journal.CauseEncoding, "it was opened, but the JSON is broken: " + refusal.Message
	}
	return "", ""
}

// diagnoseKey looks for another key, or another cipher, that opens the envelope.
func (c *call) diagnoseKey(envelope wire.Envelope) (journal.Cause, string) {
	opens := func(cipher wire.Cipher, key string) bool {
		_, err := envelope.Open(cipher, key)
		return err == nil
	}
	for _, right := range c.rightKeys(envelope.Hash) {
		for _, other := range []wire.Cipher{wire.Simple, wire.Base64} {
			if other.Name() != right.cipher.Name() && opens(other, right.key) {
				return journal.CauseAlgorithm, fmt.Sprintf("by the cipher %s: for this partner it is %s", other.Name(), right.cipher.Name())
			}
		}
		for _, changed := range []struct{ key, how string }{
			{strings.ToUpper(right.key), "in upper case"},
			{right.key + "\n", "with a line end"},
			{right.key + "\r\n", "with a line end"},
			{" " + right.key, "with a space before it"},
			{right.key + " ", "with a space behind it"},
			{right.key[:len(right.key)-1], "without its last character"},
			{right.key[1:], "without its first character"},
		} {
			if changed.key != "" && changed.key != right.key && opens(right.cipher, changed.key) {
				return journal.CauseWrongKey, right.owner + ", but " + changed.how
			}
		}
	}
	if c.partner == nil {
		return "", ""
	}
	if opens(c.partner.cipher, c.partner.Key) {
		return journal.CauseWrongKey, "encrypted with the partner's key: this method wants the user's"
	}
	if c.user != nil && opens(c.partner.cipher, c.user.key) {
		return journal.CauseWrongKey, "encrypted with the user's key: this method wants the partner's"
	}
	for _, p := range c.p.Partners() {
		if p.Hash != c.partner.Hash && opens(c.partner.cipher, p.Key) {
			return journal.CauseWrongKey, "encrypted with the key of the partner " + p.Hash
		}
	}
	for i, u := range c.p.users.all() {
		if i == maxSuspects {
			break
		}
		if opens(c.partner.cipher, u.key) {
			return journal.CauseWrongKey, "encrypted with the key of the user " + u.hash
		}
	}
	return "", ""
}
