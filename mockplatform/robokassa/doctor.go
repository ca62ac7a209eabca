package robokassa

import (
	"cmp"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // what a shop may have taken by mistake
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
	"golang.org/x/text/encoding/charmap"

	"github.com/partnerkit/partnerkit/contract/money"
	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/doctor"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// wrongSignature refuses a request whose signature is sent, and says how it came about: keys
// and bases begin with the right one.
func wrongSignature(code wire.Code, sent string, own wire.Algorithm, keys []doctor.Key, bases []doctor.Base) *Refusal {
	d := diagnose(sent, own, keys, bases)
	refused := refuse(CheckSignature, code, "%s. Expected: %s of %q in hex under %s; sent: %.140q", d.Hint, own, d.Want, keys[0].Hint, sent)
	refused.Diagnosis = d
	return refused
}

func diagnose(sent string, own wire.Algorithm, keys []doctor.Key, bases []doctor.Base) *journal.Diagnosis {
	if strings.TrimSpace(sent) == "" {
		return &journal.Diagnosis{Cause: journal.CauseMissing, Hint: "there is no signature", Want: bases[0].Text(doctor.Mask)}
	}
	return doctor.Diagnose(strings.TrimSpace(sent), keys, bases, sumsOf(own))
}

// keysFor are the keys that may have been taken, the right one first: the password of that
// number, 1 or 2, in the mode.
func (p *Platform) keysFor(shop *Shop, password int, test bool) []doctor.Key {
	type own struct {
		value wire.Password
		name  string
	}
	all := []own{
		{shop.Password1, "password 1"},
		{shop.TestPassword1, "password 1 of the test mode"},
		{shop.Password2, "password 2"},
		{shop.TestPassword2, "password 2 of the test mode"},
		{shop.Password3, "password 3"},
	}
	mode := 0
	if test {
		mode = 1
	}
	at := 2*(password-1) + mode
	right := string(all[at].value)
	keys := []doctor.Key{{Way: doctor.Way{Hint: all[at].name}, Value: right}}
	add := func(cause journal.Cause, hint, value string) {
		if value != "" && value != right {
			keys = append(keys, doctor.Key{Way: doctor.Way{Cause: cause, Hint: hint}, Value: value})
		}
	}
	for i, k := range all {
		cause := journal.CauseWrongKey
		if i == at^1 {
			cause = journal.CauseOtherMode
		}
		add(cause, "signed with "+k.name, string(k.value))
	}
	add(journal.CauseWrongKey, "the password has a line end", right+"\n")
	add(journal.CauseWrongKey, "the password has a space before it", " "+right)
	add(journal.CauseWrongKey, "the password has a space behind it", right+" ")
	add(journal.CauseWrongKey, "the password is in upper case", strings.ToUpper(right))
	add(journal.CauseWrongKey, "the password is in lower case", strings.ToLower(right))
	logins := slices.Sorted(maps.Keys(p.shops))
	for _, login := range logins[:min(len(logins), 20)] {
		if login != shop.Login {
			add(journal.CauseWrongKey, "signed with password 1 of the shop "+login, string(p.shops[login].Password1))
			add(journal.CauseWrongKey, "signed with password 2 of the shop "+login, string(p.shops[login].Password2))
		}
	}
	return keys
}

func baseOf(cause journal.Cause, hint string, text func(key string) string) doctor.Base {
	return doctor.Base{Way: doctor.Way{Cause: cause, Hint: hint}, Text: text}
}

// plainBases are a base of parts joined by colons, and the usual mistakes with one.
func plainBases(right wire.Base) []doctor.Base {
	text := func(key string) string { return right.Text(wire.Password(key)) }
	all := []doctor.Base{baseOf("", "", text)}
	for _, separator := range []string{"", ";", ",", "|", "&", " "} {
		all = append(all, baseOf(journal.CauseSeparator, fmt.Sprintf("the parts were joined by %q instead of a colon", separator), func(key string) string {
			return strings.ReplaceAll(text(key), ":", separator)
		}))
	}
	return append(
		all,
		baseOf(journal.CauseCase, "the text was put into lower case", func(key string) string { return strings.ToLower(text(key)) }),
		baseOf(journal.CauseCase, "the text was put into upper case", func(key string) string { return strings.ToUpper(text(key)) }),
		baseOf(journal.CauseEncoding, "the text was signed in windows-1251 instead of UTF-8", func(key string) string {
			old, err := charmap.Windows1251.NewEncoder().String(text(key))
			if err != nil {
				return text(key)
			}
			return old
		}),
		baseOf(journal.CauseOrder, "the password stands first", func(key string) string {
			return key + ":" + strings.Replace(text(key), ":"+key, "", 1)
		}),
		baseOf(journal.CauseParts, "the password is not in the text", func(key string) string { return strings.Replace(text(key), ":"+key, "", 1) }),
	)
}

// basesFor are the texts of a payment request that may have been signed, the right one first.
func basesFor(r wire.Request, l wire.Leniency) []doctor.Base {
	text := func(r wire.Request) func(string) string {
		b := r.Base()
		return func(key string) string { return b.Text(wire.Password(key)) }
	}
	all := plainBases(r.Base())
	add := func(cause journal.Cause, hint string, change func(*wire.Request)) {
		c := r
		c.Shp = slices.Clone(r.Shp)
		change(&c)
		for _, b := range c.Accepted(wire.DefaultLeniency()) {
			all = append(all, baseOf(cause, hint, func(key string) string { return b.Text(wire.Password(key)) }))
		}
	}
	accepted := r.Accepted(l)
	for _, b := range r.Accepted(wire.Leniency{ReceiptDecodings: 2, UnsignedCurrency: true, BytewiseShp: true, EncodedURLs: true}) {
		if !slices.Contains(accepted, b) {
			all = append(all, baseOf(journal.CauseEncoding, "signed as Robokassa may take it, but the settings of the stand-in do not", func(key string) string { return b.Text(wire.Password(key)) }))
		}
	}
	if sum, err := wire.ParseSum(r.OutSum, money.RUB); err == nil {
		for _, form := range []string{sum.Short(), sum.Text(), sum.Decimal().StringFixed(1), wire.SixDigits(sum), strings.Replace(r.OutSum, ".", ",", 1)} {
			cause := journal.CauseTrailingZero
			if strings.Contains(form, ",") {
				cause = journal.CauseDecimalForm
			} else if same, err := decimal.NewFromString(form); err != nil || !same.Equal(sum.Decimal()) {
				continue
			}
			if form != r.OutSum {
				add(cause, "OutSum is signed as "+form+" but was sent as "+r.OutSum, func(c *wire.Request) { c.OutSum = form })
			}
		}
	}
	add(journal.CauseEncoding, "Receipt is signed percent-encoded but was sent less encoded", func(c *wire.Request) { c.Receipt = url.QueryEscape(c.Receipt) })
	add(journal.CauseParts, "Receipt is not signed", func(c *wire.Request) { c.Receipt = "" })
	add(journal.CauseEncoding, "the addresses (ResultUrl2, SuccessUrl2, FailUrl2) are signed percent-encoded but were sent plain", func(c *wire.Request) {
		c.ResultURL2, c.SuccessURL2, c.FailURL2 = url.QueryEscape(c.ResultURL2), url.QueryEscape(c.SuccessURL2), url.QueryEscape(c.FailURL2)
	})
	add(journal.CauseParts, "ResultUrl2, SuccessUrl2 and FailUrl2 are not signed", func(c *wire.Request) {
		c.ResultURL2, c.SuccessURL2, c.SuccessMethod, c.FailURL2, c.FailMethod = "", "", "", "", ""
	})
	add(journal.CauseParts, "StepByStep is not signed", func(c *wire.Request) { c.StepByStep = false })
	add(journal.CauseParts, "StepByStep is signed but was not sent", func(c *wire.Request) { c.StepByStep = true })
	add(journal.CauseParts, "Token is not signed", func(c *wire.Request) { c.Token = "" })
	add(journal.CauseParts, "Description is signed: it never is", func(c *wire.Request) { c.InvID += ":" + c.Description })
	add(journal.CauseParts, "InvId is signed as 0 but was sent empty", func(c *wire.Request) { c.InvID = "0" })
	add(journal.CauseParts, "InvId is not signed", func(c *wire.Request) { c.InvID = "" })
	add(journal.CauseOrder, "InvId is signed before OutSum", func(c *wire.Request) { c.OutSum, c.InvID = c.InvID, c.OutSum })
	all = append(all, baseOf(journal.CauseParts, "the slot of InvId is missing: it stays, empty, if InvId is not sent", func(key string) string {
		return strings.Replace(text(r)(key), ":"+r.OutSum+":"+r.InvID+":", ":"+r.OutSum+":", 1)
	}))
	if len(r.Shp) == 0 {
		return all
	}
	bare := r
	bare.Shp = nil
	shp := func(write func(wire.Field) string) func(string) string {
		var tail strings.Builder
		for _, f := range r.Shp {
			tail.WriteString(write(f))
		}
		return func(key string) string { return text(bare)(key) + tail.String() }
	}
	add(journal.CauseParts, "the Shp_ fields are not signed", func(c *wire.Request) { c.Shp = nil })
	add(journal.CauseEncoding, "the values of the Shp_ fields are signed percent-encoded but were sent plain", func(c *wire.Request) {
		for i := range c.Shp {
			c.Shp[i].Value = url.QueryEscape(c.Shp[i].Value)
		}
	})
	add(journal.CauseCase, "the names of the Shp_ fields are signed in lower case", func(c *wire.Request) {
		for i := range c.Shp {
			c.Shp[i].Name = strings.ToLower(c.Shp[i].Name)
		}
	})
	return append(
		all,
		baseOf(journal.CauseOrder, "the Shp_ fields are signed in the order in which they were sent, not sorted", shp(func(f wire.Field) string { return ":" + f.Name + "=" + f.Value })),
		baseOf(journal.CauseParts, "of the Shp_ fields the values alone are signed", shp(func(f wire.Field) string { return ":" + f.Value })),
		baseOf(journal.CauseOrder, "the Shp_ fields stand before the password", func(key string) string {
			whole := text(r)(key)
			tail := strings.TrimPrefix(whole, text(bare)(key))
			return strings.TrimSuffix(text(bare)(key), ":"+key) + tail + ":" + key
		}),
	)
}

// sumsOf are what may have been made of the text, the right one first.
func sumsOf(own wire.Algorithm) []doctor.Sum {
	way := func(hint string, of func(key, text string) string) doctor.Sum {
		return doctor.Sum{Way: doctor.Way{Cause: journal.CauseAlgorithm, Hint: hint}, Of: of}
	}
	all := []doctor.Sum{{Of: func(_, text string) string { return own.Sum(text) }}}
	for _, a := range wire.Algorithms() {
		if a != own {
			all = append(all, way("hashed with "+string(a)+" instead of "+string(own), func(_, text string) string { return a.Sum(text) }))
		}
	}
	return append(
		all,
		way("the hash is in base64 instead of hex", func(_, text string) string {
			raw, err := hex.DecodeString(own.Sum(text))
			if err != nil {
				return ""
			}
			return base64.StdEncoding.EncodeToString(raw)
		}),
		way("hashed twice", func(_, text string) string { return own.Sum(own.Sum(text)) }),
		way("by HMAC-MD5 instead of "+string(own), func(key, text string) string {
			m := hmac.New(md5.New, []byte(key))
			m.Write([]byte(text))
			return hex.EncodeToString(m.Sum(nil))
		}),
		way("by HMAC-SHA256 instead of "+string(own), func(key, text string) string {
			m := hmac.New(sha256.New, []byte(key))
			m.Write([]byte(text))
			return hex.EncodeToString(m.Sum(nil))
		}),
	)
}

// wrongToken refuses a JWT, and says whose key it bears the signature of, as far as that is one
// of the shop's. verify is nil for a good key; wrap makes a key of a password.
func (p *Platform) wrongToken(refused *Refusal, right string, verify func(wire.Password) error, wrap func(wire.Password) wire.Password, keys []doctor.Key) *Refusal {
	d := &journal.Diagnosis{Cause: journal.CauseUnknown, Hint: "it bears the signature of no key that is known here", Want: "HMAC under " + right}
	for _, k := range keys {
		for i, key := range []wire.Password{wrap(wire.Password(k.Value)), wire.Password(k.Value)} {
			if verify(key) != nil {
				continue
			}
			name := strings.TrimPrefix(k.Hint, "signed with ")
			if i == 1 && key != wrap(key) {
				name += " alone"
			}
			d.Cause, d.Hint, d.Got = cmp.Or(k.Cause, journal.CauseWrongKey), "signed with "+name, "HMAC under "+name
			refused.Diagnosis = d
			return refused
		}
	}
	refused.Diagnosis = d
	return refused
}
