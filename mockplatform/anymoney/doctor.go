package anymoney

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // what a merchant may have taken by mistake
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"

	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/doctor"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// pair is a value that may be signed, under its name.
type pair struct {
	name, text string
	kind       wire.Kind
}

// diagnoseCall says how a request came by its signature.
func (c *call) diagnoseCall(m *merchant, params wire.Object, headers wire.Headers) *journal.Diagnosis {
	var pairs []pair
	for _, p := range params {
		text, isText := p.Value.Text()
		if !isText {
			text = string(p.Value.AppendJSON(nil))
		}
		pairs = append(pairs, pair{p.Name, text, p.Value.Kind()})
	}
	bases := basesOf(pairs, headers.UTCNowMS)
	bases = append(bases, base(journal.CauseParts, "the whole body was signed, not the values of params", string(c.body)+headers.UTCNowMS),
		base(journal.CauseParts, "the whole body was signed, without the time", string(c.body)))
	return doctor.Diagnose(headers.Signature, c.keys(m, m.apiKey, m.sciKey, "the SCI key: requests are signed with the API key"), bases, sums)
}

// diagnoseForm says how a form came by its sign.
func (c *call) diagnoseForm(m *merchant, form wire.Form) *journal.Diagnosis {
	var pairs []pair
	for name := range strings.SplitSeq(string(c.body), "&") { // the order of the form
		name, _, _ = strings.Cut(name, "=")
		if value, ok := form[name]; ok && name != wire.FieldSign {
			pairs = append(pairs, pair{name, value, wire.KindText})
		}
	}
	bases := basesOf(pairs, "")
	bases[0] = base("", "", form.SignedText())
	return doctor.Diagnose(form[wire.FieldSign], c.keys(m, m.sciKey, m.apiKey, "the API key: forms are signed with the SCI key"), bases, sums)
}

// keys are those that may have been taken, the right one first.
func (c *call) keys(m *merchant, right, other wire.Key, hint string) []doctor.Key {
	key := func(value, hint string) doctor.Key {
		return doctor.Key{Way: doctor.Way{Cause: journal.CauseWrongKey, Hint: hint}, Value: value}
	}
	all := []doctor.Key{
		{Value: string(right)},
		key(string(other), hint),
		key(string(right)+"\n", "the key has a line end"), key(" "+string(right), "the key has a space before it"),
		key(string(right)+" ", "the key has a space behind it"),
		key(strings.ToUpper(string(right)), "the key is in upper case"), key(strings.ToLower(string(right)), "the key is in lower case"),
	}
	if raw, err := hex.DecodeString(string(right)); err == nil {
		all = append(all, key(string(raw), "the key was taken for hex: its text is the key"))
	}
	merchants := c.p.rules.Load().merchants
	for _, lid := range slices.Sorted(maps.Keys(merchants))[:min(len(merchants), 50)] {
		if lid != m.lid {
			all = append(all, key(string(merchants[lid].apiKey), "the API key of the merchant "+lid), key(string(merchants[lid].sciKey), "the SCI key of the merchant "+lid))
		}
	}
	return all
}

func base(cause journal.Cause, hint, text string) doctor.Base {
	return doctor.Base{Way: doctor.Way{Cause: cause, Hint: hint}, Text: func(string) string { return text }}
}

// basesOf are the texts that may have been signed, the right one first. now is "" for a form.
func basesOf(sent []pair, now string) []doctor.Base {
	signed := slices.DeleteFunc(slices.Clone(sent), func(p pair) bool {
		return p.kind == wire.KindNull || p.kind == wire.KindList || p.kind == wire.KindObject
	})
	slices.SortStableFunc(signed, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	join := func(pairs []pair, change func(pair) string, separator string) string {
		texts := make([]string, len(pairs))
		for i, p := range pairs {
			texts[i] = change(p)
		}
		return strings.Join(texts, separator)
	}
	value := func(p pair) string { return p.text }
	right := strings.ToLower(join(signed, value, "") + now)
	all := []doctor.Base{base("", "", right)}
	add := func(cause journal.Cause, hint, text string) {
		if text != right {
			all = append(all, base(cause, hint, text))
		}
	}
	lower := func(pairs []pair, change func(pair) string) string {
		return strings.ToLower(join(pairs, change, "") + now)
	}

	add(journal.CauseCase, "the text was not put into lower case", join(signed, value, "")+now)
	add(journal.CauseOrder, "the values are in the order of the request, not of their names", lower(unsorted(sent, signed), value))
	byValue := slices.Clone(signed)
	slices.SortFunc(byValue, func(a, b pair) int { return strings.Compare(a.text, b.text) })
	add(journal.CauseOrder, "the values are in their own order, not in that of their names", lower(byValue, value))
	backwards := slices.Clone(signed)
	slices.Reverse(backwards)
	add(journal.CauseOrder, "the values are in the reverse order of their names", lower(backwards, value))

	add(journal.CauseTrailingZero, "amounts were signed without the zeros at their end", lower(signed, func(p pair) string { return withoutZeros(p.text) }))
	for n := range 4 {
		decimals := n + 1
		add(journal.CauseTrailingZero, "amounts were signed with "+strconv.Itoa(decimals)+" decimals, but not sent so",
			lower(signed, func(p pair) string { return withDecimals(p.text, decimals) }))
	}
	add(journal.CauseDecimalForm, "amounts were signed with a point, but sent with a comma", lower(signed, func(p pair) string {
		if isDecimal(strings.Replace(p.text, ",", ".", 1)) {
			return strings.Replace(p.text, ",", ".", 1)
		}
		return p.text
	}))
	add(journal.CauseDecimalForm, "amounts were signed with a comma, but sent with a point", lower(signed, func(p pair) string {
		if isDecimal(p.text) {
			return strings.Replace(p.text, ".", ",", 1)
		}
		return p.text
	}))
	add(journal.CauseEncoding, "booleans were signed as 1 and nothing", lower(signed, func(p pair) string {
		if p.kind == wire.KindBool {
			return map[string]string{"true": "1"}[p.text]
		}
		return p.text
	}))
	nested := slices.Clone(sent)
	slices.SortStableFunc(nested, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	add(journal.CauseParts, "null, lists or objects were signed: only texts, booleans and numbers are", lower(nested, value))
	add(journal.CauseParts, "the names were signed as well: only values are", lower(signed, func(p pair) string { return p.name + p.text }))
	add(journal.CauseParts, "the names were signed as well, as name=value", lower(signed, func(p pair) string { return p.name + "=" + p.text }))
	for _, separator := range []string{"&", ":", ";", ",", "|", " ", "\n"} {
		add(journal.CauseSeparator, "the values were parted by "+strconv.Quote(separator)+": nothing stands between them",
			strings.ToLower(strings.Trim(join(signed, value, separator)+separator+now, separator)))
		add(journal.CauseSeparator, "a query was signed: only values are, with nothing between them",
			strings.ToLower(strings.Trim(join(signed, func(p pair) string { return p.name + "=" + p.text }, separator)+now, separator)))
	}
	if now != "" {
		add(journal.CauseTime, "the time was not signed: x-utc-now-ms follows the values", strings.ToLower(join(signed, value, "")))
		add(journal.CauseTime, "the time was signed before the values: it follows them", strings.ToLower(now+join(signed, value, "")))
		if len(now) > 3 {
			add(journal.CauseTime, "the time was signed in seconds: it is the header x-utc-now-ms as sent", strings.ToLower(join(signed, value, "")+now[:len(now)-3]))
		}
	}
	return all
}

// unsorted is what is signed in the order in which it was sent.
func unsorted(sent, signed []pair) []pair {
	return slices.DeleteFunc(slices.Clone(sent), func(p pair) bool { return !slices.Contains(signed, p) })
}

func isDecimal(s string) bool {
	whole, decimals, point := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(whole) && (!point || digits(decimals))
}

func withoutZeros(s string) string {
	if !isDecimal(s) || !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// withDecimals writes a decimal with so many decimals, if that does not change it.
func withDecimals(s string, n int) string {
	short := withoutZeros(s)
	whole, decimals, _ := strings.Cut(short, ".")
	if !isDecimal(s) || len(decimals) > n {
		return s
	}
	return whole + "." + decimals + strings.Repeat("0", n-len(decimals))
}

// sums are what may have been made of key and text, the right one first.
var sums = func() []doctor.Sum {
	mac := func(h func() hash.Hash, key, text string) []byte {
		m := hmac.New(h, []byte(key))
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	plain := func(h func() hash.Hash, text string) string {
		s := h()
		s.Write([]byte(text))
		return hex.EncodeToString(s.Sum(nil))
	}
	way := func(hint string, of func(key, text string) string) doctor.Sum {
		return doctor.Sum{Way: doctor.Way{Cause: journal.CauseAlgorithm, Hint: hint}, Of: of}
	}
	all := []doctor.Sum{
		{Of: func(key, text string) string { return hex.EncodeToString(mac(sha512.New, key, text)) }},
		way("in base64: the signature is in hex", func(key, text string) string {
			return base64.StdEncoding.EncodeToString(mac(sha512.New, key, text))
		}),
		way("key and text were exchanged", func(key, text string) string { return hex.EncodeToString(mac(sha512.New, text, key)) }),
	}
	for name, h := range map[string]func() hash.Hash{"SHA-256": sha256.New, "SHA-1": sha1.New, "MD5": md5.New, "SHA-384": sha512.New384} {
		all = append(all, way("by HMAC-"+name+": it is HMAC-SHA512", func(key, text string) string { return hex.EncodeToString(mac(h, key, text)) }))
	}
	for name, h := range map[string]func() hash.Hash{"SHA-512": sha512.New, "SHA-256": sha256.New, "MD5": md5.New} {
		all = append(all,
			way("by "+name+" of text and key: it is HMAC-SHA512", func(key, text string) string { return plain(h, text+key) }),
			way("by "+name+" of key and text: it is HMAC-SHA512", func(key, text string) string { return plain(h, key+text) }),
			way("by "+name+" without a key: it is HMAC-SHA512", func(_, text string) string { return plain(h, text) }))
	}
	slices.SortFunc(all[1:], func(a, b doctor.Sum) int { return strings.Compare(a.Hint, b.Hint) }) // maps have no order
	return all
}()
