package mutant

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/partnerkit/partnerkit/contract/robokassa"
)

const roboPath = "/robokassa"

// shop is a shop's settings at Robokassa.
type shop map[string]any

func (s shop) password1(test bool) robokassa.Password {
	if test {
		return robokassa.Password(text(s["test_password1"]))
	}
	return robokassa.Password(text(s["password1"]))
}

func (s shop) password2(test bool) robokassa.Password {
	if test {
		return robokassa.Password(text(s["test_password2"]))
	}
	return robokassa.Password(text(s["password2"]))
}

func (s shop) hash(test bool) robokassa.Algorithm {
	if test {
		return robokassa.Algorithm(cmp.Or(text(s["test_hash"]), string(robokassa.MD5)))
	}
	return robokassa.Algorithm(cmp.Or(text(s["hash"]), string(robokassa.MD5)))
}

// shop is a shop by its login, empty if nobody has it.
func (p *Platform) shop(login string) shop {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shops[login]
}

// logins are those of all shops that the suite has made.
func (p *Platform) logins() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.shops))
}

// fields are what a form or query says.
func (m *message) fields() robokassa.Fields {
	from := string(m.body)
	if from == "" {
		from = m.query
	}
	fields, err := robokassa.ParseFields(from)
	if err != nil {
		return nil
	}
	return fields
}

// fill puts other fields into the form or query.
func (m *message) fill(fields robokassa.Fields) {
	if len(m.body) > 0 {
		m.body = []byte(fields.Encode())
		return
	}
	m.query = fields.Encode()
}

// robo has a wrap for calls of Robokassa whose path ends so.
func robo(path string, w wrap) wrap {
	return only(toPlatform, func(m *message) {
		if !strings.HasPrefix(m.path, roboPath) || !strings.HasSuffix(m.path, path) {
			m.pass()
			return
		}
		w(m)
	})
}

const (
	indexJSON = "/Merchant/Indexjson.aspx"
	index     = "/Merchant/Index.aspx"
	opState   = "/OpStateExt"
)

// declines answers the payment page with a code.
func (m *message) declines(code robokassa.Code) {
	m.says(http.StatusOK, "application/json", fmt.Sprintf(`{"invoiceID":%q,"errorCode":%d,"errorMessage":null}`, robokassa.ZeroGUID, code))
}

// code is what the payment page has said, -1 if that cannot be read.
func (m *message) code() robokassa.Code {
	a, err := robokassa.ParseIndexAnswer(m.answer)
	if err != nil {
		return -1
	}
	return a.ErrorCode
}

// pays has a wrap for requests to the payment page.
func pays(w func(m *message, r robokassa.Request)) wrap {
	return robo(indexJSON, func(m *message) { w(m, robokassa.NewRequest(m.fields())) })
}

// wants declines with code 29 what is not also signed as base says.
func wants(base func(m *message, r robokassa.Request, p robokassa.Password) []string) wrap {
	return pays(func(m *message, r robokassa.Request) {
		if m.pass(); m.code() != 0 {
			return
		}
		s := m.p.shop(r.Login)
		for _, plain := range base(m, r, s.password1(r.IsTest)) {
			if strings.EqualFold(s.hash(r.IsTest).Sum(plain), r.Signature) {
				return
			}
		}
		m.declines(robokassa.CodeSignature)
	})
}

// reads has requests read otherwise before their signature is looked at.
func reads(change func(r *robokassa.Request)) wrap {
	return wants(func(_ *message, r robokassa.Request, p robokassa.Password) []string {
		change(&r)
		return accepted(r, robokassa.DefaultLeniency(), p)
	})
}

// accepted are the texts under which a signature is good.
func accepted(r robokassa.Request, l robokassa.Leniency, p robokassa.Password) (all []string) {
	for _, base := range r.Accepted(l) {
		all = append(all, base.Text(p))
	}
	return all
}

// under has signatures accepted under other rules.
func under(change func(*robokassa.Leniency)) wrap {
	return wants(func(_ *message, r robokassa.Request, p robokassa.Password) []string {
		l := robokassa.DefaultLeniency()
		change(&l)
		return accepted(r, l, p)
	})
}

// shops has the shop's own fields signed in another way.
func shops(write func(shp robokassa.Fields) robokassa.Fields) wrap {
	return wants(func(_ *message, r robokassa.Request, p robokassa.Password) []string {
		shp := write(slices.Clone(r.Shp))
		r.Shp = nil
		plain := r.Base().Text(p)
		for _, f := range shp {
			plain += ":" + f.Name + "=" + f.Value
		}
		return []string{plain}
	})
}

// resign signs a request as the shop should have.
func (m *message) resign(r robokassa.Request) {
	s := m.p.shop(r.Login)
	m.fill(r.Signed(s.hash(r.IsTest), s.password1(r.IsTest)).Fields())
}

// accepts lets a request pass that is signed under another base.
func accepts(l robokassa.Leniency, also func(r robokassa.Request, s shop) bool) wrap {
	return pays(func(m *message, r robokassa.Request) {
		s := m.p.shop(r.Login)
		if also != nil && also(r, s) || r.Verify(l, s.hash(r.IsTest), s.password1(r.IsTest)) == nil {
			m.resign(r)
		}
		m.pass()
	})
}

func robokassaSignatures(add adding) {
	const shut = "Shops that sign as documented are refused, and sell nothing"
	const open = "A stranger sets the price of what he buys"
	for _, d := range []struct {
		id, what string
		change   func(r *robokassa.Request)
	}{
		{"receipt", "Receipt", func(r *robokassa.Request) { r.Receipt = "" }},
		{"stepbystep", "StepByStep", func(r *robokassa.Request) { r.StepByStep = false }},
		{"resulturl2", "ResultUrl2", func(r *robokassa.Request) { r.ResultURL2 = "" }},
		{"successurl2", "SuccessUrl2", func(r *robokassa.Request) { r.SuccessURL2 = "" }},
		{"successmethod", "SuccessUrl2Method", func(r *robokassa.Request) { r.SuccessMethod = "" }},
		{"failurl2", "FailUrl2", func(r *robokassa.Request) { r.FailURL2 = "" }},
		{"failmethod", "FailUrl2Method", func(r *robokassa.Request) { r.FailMethod = "" }},
		{"shp", "the shop's own fields", func(r *robokassa.Request) { r.Shp = nil }},
		{"userip", "UserIp", func(r *robokassa.Request) { r.UserIP = "" }},
	} {
		add("unsigned-"+d.id, "Leaves "+d.what+" out of the base", shut, reads(d.change))
	}
	for _, d := range []struct {
		id, what string
		value    func(r robokassa.Request) string
	}{
		{"description", "Description", func(r robokassa.Request) string { return r.Description }},
		{"email", "Email", func(r robokassa.Request) string { return r.Email }},
		{"recurring", "Recurring", func(r robokassa.Request) string { return map[bool]string{true: "true"}[r.Recurring] }},
		{"test", "IsTest", func(r robokassa.Request) string { return map[bool]string{true: "1"}[r.IsTest] }},
	} {
		add("signed-"+d.id, "Wants "+d.what+" in the base", shut, reads(func(r *robokassa.Request) {
			if value := d.value(*r); value != "" {
				r.InvID += ":" + value
			}
		}))
	}
	add("no-empty-slot", "Leaves the slot of InvId out where it is empty", shut, wants(func(_ *message, r robokassa.Request, p robokassa.Password) []string {
		return []string{strings.Replace(r.Base().Text(p), ":"+r.OutSum+"::", ":"+r.OutSum+":", 1)}
	}))
	add("zero-is-empty", "Takes InvId 0 for an empty one when it computes the base", shut, reads(func(r *robokassa.Request) {
		if r.InvID == "0" {
			r.InvID = ""
		}
	}))
	add("rewrites-sums", "Writes the sum with two decimals into the base", shut, reads(func(r *robokassa.Request) {
		whole, cents, _ := strings.Cut(r.OutSum, ".")
		r.OutSum = whole + "." + (cents + "00")[:2]
	}))
	add("32-bits", "Takes numbers beyond 32 bits for wrong ones", shut, pays(func(m *message, r robokassa.Request) {
		if len(r.InvID) > 10 {
			m.declines(robokassa.CodeInvoice)
			return
		}
		m.pass()
	}))
	add("shp-as-sent", "Takes the shop's own fields in the order in which they come", shut, shops(func(shp robokassa.Fields) robokassa.Fields { return shp }))
	sorted := func(key func(name string) string) func(robokassa.Fields) robokassa.Fields {
		return func(shp robokassa.Fields) robokassa.Fields {
			slices.SortFunc(shp, func(a, b robokassa.Field) int { return strings.Compare(key(a.Name), key(b.Name)) })
			return shp
		}
	}
	add("shp-bytewise", "Sorts the shop's own fields bytewise", shut, shops(sorted(func(name string) string { return name })))
	add("shp-folded", "Sorts the shop's own fields without regard to case alone", shut, under(func(l *robokassa.Leniency) { l.BytewiseShp = false }))
	add("shp-without-empty", "Leaves empty fields of the shop out of the base", shut, shops(func(shp robokassa.Fields) robokassa.Fields {
		return sorted(strings.ToLower)(slices.DeleteFunc(shp, func(f robokassa.Field) bool { return f.Value == "" }))
	}))
	add("shp-decoded", "Decodes the shop's own fields once more", shut, shops(func(shp robokassa.Fields) robokassa.Fields {
		for i, f := range shp {
			if plain, err := url.QueryUnescape(f.Value); err == nil {
				shp[i].Value = plain
			}
		}
		return sorted(strings.ToLower)(shp)
	}))
	add("shp-capitals", "Writes Shp_ with a capital whatever was sent", shut, shops(func(shp robokassa.Fields) robokassa.Fields {
		for i, f := range shp {
			shp[i].Name = "Shp_" + f.Name[len("Shp_"):]
		}
		return sorted(strings.ToLower)(shp)
	}))
	add("receipts-as-sent", "Takes a receipt only as it was sent", shut, under(func(l *robokassa.Leniency) { l.ReceiptDecodings = 0 }))
	add("receipts-decoded-once", "Decodes a receipt once at most", shut, under(func(l *robokassa.Leniency) { l.ReceiptDecodings = 1 }))
	add("receipts-decoded", "Takes a receipt only decoded", shut, reads(func(r *robokassa.Request) {
		for range 2 {
			if plain, err := url.QueryUnescape(r.Receipt); err == nil && strings.HasPrefix(r.Receipt, "%") {
				r.Receipt = plain
			}
		}
	}))
	add("currency-signed", "Wants OutSumCurrency and UserIp in the base", shut, under(func(l *robokassa.Leniency) { l.UnsignedCurrency = false }))
	add("currency-unsigned", "Wants OutSumCurrency out of the base", shut, reads(func(r *robokassa.Request) { r.Currency = "" }))
	add("urls-decoded", "Decodes addresses once more", shut, reads(func(r *robokassa.Request) {
		if plain, err := url.QueryUnescape(r.ResultURL2); err == nil {
			r.ResultURL2 = plain
		}
	}))
	add("new-names-alone", "Does not know the old names of parameters", shut, pays(func(m *message, _ robokassa.Request) {
		if strings.Contains(string(m.body), "MrchLogin=") {
			m.declines(robokassa.CodeNoShop)
			return
		}
		m.pass()
	}))
	add("invid-alone", "Does not know InvoiceID", shut, wants(func(m *message, r robokassa.Request, p robokassa.Password) []string {
		if strings.Contains(string(m.body), "InvoiceID=") {
			r.InvID = ""
		}
		return accepted(r, robokassa.DefaultLeniency(), p)
	}))
	add("encoded-urls", "Accepts addresses that are signed encoded, as before June 2025", open, accepts(robokassa.Leniency{EncodedURLs: true, ReceiptDecodings: 2, UnsignedCurrency: true, BytewiseShp: true}, nil))
	add("encoded-receipts", "Accepts a receipt that is signed more encoded than it was sent", open, accepts(robokassa.DefaultLeniency(), func(r robokassa.Request, s shop) bool {
		r.Receipt = url.QueryEscape(r.Receipt)
		return r.Verify(robokassa.DefaultLeniency(), s.hash(r.IsTest), s.password1(r.IsTest)) == nil
	}))
	add("one-password-for-all", "Accepts the live password in tests", "Whoever may test may pay", accepts(robokassa.DefaultLeniency(), func(r robokassa.Request, s shop) bool {
		return r.Verify(robokassa.DefaultLeniency(), s.hash(false), s.password1(false)) == nil
	}))
	add("second-password-as-well", "Accepts password 2 in requests", "The key that vouches for payments also asks for them", accepts(robokassa.DefaultLeniency(), func(r robokassa.Request, s shop) bool {
		return r.Verify(robokassa.DefaultLeniency(), s.hash(false), s.password2(false)) == nil
	}))
	add("live-password-in-tests", "Wants the live password in tests", shut, wants(func(m *message, r robokassa.Request, p robokassa.Password) []string {
		if r.IsTest {
			p = m.p.shop(r.Login).password1(false)
		}
		return accepted(r, robokassa.DefaultLeniency(), p)
	}))
	add("any-algorithm", "Accepts every algorithm whatever the shop has chosen", "A shop that chose SHA-512 is guarded by MD5", accepts(robokassa.DefaultLeniency(), func(r robokassa.Request, s shop) bool {
		return slices.ContainsFunc(robokassa.Algorithms(), func(a robokassa.Algorithm) bool {
			return r.Verify(robokassa.DefaultLeniency(), a, s.password1(r.IsTest)) == nil
		})
	}))
	for _, algorithm := range robokassa.Algorithms() {
		add("no-"+string(algorithm), "Does not know "+string(algorithm), shut, pays(func(m *message, r robokassa.Request) {
			if m.pass(); m.p.shop(r.Login).hash(r.IsTest) == algorithm && m.code() == 0 {
				m.declines(robokassa.CodeSignature)
			}
		}))
	}
	add("cards-unsigned", "Does not look at the signature of CoFPayment", "A stranger pays with the buyer's card", robo("/CoFPayment", func(m *message) {
		m.resign(robokassa.NewRequest(m.fields()))
		m.pass()
	}))
	add("any-signature", "Does not look at the signature", open, pays(func(m *message, r robokassa.Request) {
		m.resign(r)
		m.pass()
	}))
	add("some-signature", "Looks whether there is a signature", open, pays(func(m *message, r robokassa.Request) {
		if r.Signature != "" {
			m.resign(r)
		}
		m.pass()
	}))
	add("unsigned-welcome", "Takes requests without a signature", open, pays(func(m *message, r robokassa.Request) {
		if r.Signature == "" {
			m.resign(r)
		}
		m.pass()
	}))
	add("sum-unsigned", "Does not look at the sum when it verifies", open, pays(func(m *message, r robokassa.Request) {
		for _, sum := range []string{"100.00", "100.0", "100"} {
			other := r
			other.OutSum = sum
			if s := m.p.shop(r.Login); other.Verify(robokassa.DefaultLeniency(), s.hash(r.IsTest), s.password1(r.IsTest)) == nil {
				m.resign(r)
			}
		}
		m.pass()
	}))
	add("lower-case-alone", "Wants signatures in lower case", shut, pays(func(m *message, r robokassa.Request) {
		if m.pass(); r.Signature != strings.ToLower(r.Signature) {
			m.declines(robokassa.CodeSignature)
		}
	}))
}

// tokens has a wrap for calls of the Invoice API.
func tokens(w func(m *message, token robokassa.Token)) wrap {
	return robo("", func(m *message) {
		token, err := robokassa.ParseToken(m.body)
		if err != nil || !strings.Contains(m.path, "/InvoiceServiceWebApi/") {
			m.pass()
			return
		}
		w(m, token)
	})
}

// badToken has a token refused for its signature.
func (m *message) badToken() {
	text := strings.Trim(string(m.body), `"`)
	m.body = encode(text[:max(0, len(text)-6)] + "AAAAAA")
	m.pass()
}

func robokassaTokens(add adding) {
	const shut = "Shops that send such tokens cannot issue invoices"
	for _, alg := range []string{"MD5", "RIPEMD160", "SHA1", "HS1", "SHA256", "HS256", "SHA384", "HS384", "SHA512", "HS512", ""} {
		add("no-token-"+cmp.Or(alg, "without-alg"), "Does not know tokens of algorithm "+cmp.Or(alg, "nothing"), shut, tokens(func(m *message, token robokassa.Token) {
			if token.Algorithm == alg {
				m.badToken()
				return
			}
			m.pass()
		}))
	}
	add("typ-first", "Wants typ first in the header of a token", shut, tokens(func(m *message, token robokassa.Token) {
		if strings.HasPrefix(strings.Trim(string(m.body), `"`), "eyJhbGci") {
			m.badToken()
			return
		}
		m.pass()
	}))
	add("url-safe-alone", "Knows one alphabet of base64", shut, tokens(func(m *message, token robokassa.Token) {
		if strings.ContainsAny(string(m.body), "+/=") {
			m.badToken()
			return
		}
		m.pass()
	}))
	add("any-token", "Does not look at a token's signature", "A stranger issues invoices in the shop's name", tokens(func(m *message, token robokassa.Token) {
		login := text(object(decode(token.Payload))["MerchantLogin"])
		key := robokassa.InvoiceKey(login, m.p.shop(login).password1(false))
		if signed, err := robokassa.SignToken(`{"typ":"JWT","alg":"MD5"}`, string(token.Payload), robokassa.MD5, key); err == nil {
			m.body = encode(signed)
		}
		m.pass()
	}))
	add("quoted-alone", "Takes tokens in quotes alone", shut, tokens(func(m *message, _ robokassa.Token) {
		if !strings.HasPrefix(string(m.body), `"`) {
			m.badToken()
			return
		}
		m.pass()
	}))
	invoice := func(change func(m *message, answer map[string]any)) wrap {
		return tokens(func(m *message, _ robokassa.Token) {
			m.pass()
			m.edit(func(answer map[string]any) { change(m, answer) })
		})
	}
	add("numbers-twice", "Issues two invoices with one number", "Two buyers pay one invoice", invoice(func(m *message, answer map[string]any) {
		if answer["message"] == robokassa.InvoiceTaken {
			answer["isSuccess"] = true
		}
	}))
	add("says-taken-otherwise", "Words the refusal of a taken number otherwise", "Shops that look for the words try for ever", invoice(func(_ *message, answer map[string]any) {
		if answer["message"] == robokassa.InvoiceTaken {
			answer["message"] = "no"
		}
	}))
	add("assigns-no-number", "Does not say which number it assigned", "The shop cannot find the payment again", invoice(func(_ *message, answer map[string]any) { delete(answer, "invId") }))
	add("deactivates-anything", "Answers yes to the deactivation of what is not there", "The invoice that was meant is paid after all", invoice(func(m *message, answer map[string]any) {
		if strings.HasSuffix(m.path, "/DeactivateInvoice") {
			answer["isSuccess"] = true
		}
	}))
	for _, method := range []string{"CreateInvoice", "DeactivateInvoice", "GetInvoiceInformationList"} {
		add("no-"+method, "Refuses every "+method, "Invoices cannot be issued, taken back or seen", invoice(func(m *message, answer map[string]any) {
			if strings.HasSuffix(m.path, "/"+method) {
				answer["isSuccess"], answer["message"] = false, "no"
			}
		}))
	}
	add("success-as-text", "Writes isSuccess as text", "Callers take a refusal for a yes", invoice(func(_ *message, answer map[string]any) { answer["isSuccess"] = fmt.Sprint(answer["isSuccess"]) }))
}

func robokassaPage(add adding) {
	const open = "A payment is taken that the shop cannot deliver for"
	for _, code := range []robokassa.Code{
		robokassa.CodeNoShop, robokassa.CodeInactive, robokassa.CodeNoTestMode, robokassa.CodeSum, robokassa.CodeSignature,
		robokassa.CodeInvoice, robokassa.CodeExpired, robokassa.CodeNoRecurring, robokassa.CodeNoHold, robokassa.CodePaid,
	} {
		add(fmt.Sprintf("500-for-%d", code), fmt.Sprintf("Gives code 500 instead of %d", code), "Shops cannot tell their own mistake from an outage", pays(func(m *message, _ robokassa.Request) {
			if m.pass(); m.code() == code {
				m.declines(robokassa.CodeInternal)
			}
		}))
		add(fmt.Sprintf("passes-over-%d", code), fmt.Sprintf("Opens the page where code %d is due", code), open, pays(func(m *message, _ robokassa.Request) {
			if m.pass(); m.code() == code {
				m.says(http.StatusOK, "application/json", `{"invoiceID":"11111111-1111-1111-1111-111111111111","errorCode":0,"errorMessage":null}`)
			}
		}))
	}
	add("no-invoice-id", "Does not say which invoice it opened", "The shop has no page to send the buyer to", pays(func(m *message, _ robokassa.Request) {
		m.pass()
		m.edit(func(answer map[string]any) { answer["invoiceID"] = robokassa.ZeroGUID })
	}))
	add("codes-as-text", "Writes errorCode as text", "Shops cannot read it", pays(func(m *message, _ robokassa.Request) {
		m.pass()
		m.edit(func(answer map[string]any) { answer["errorCode"] = text(answer["errorCode"]) })
	}))
	shopSetting := func(name string, value any) wrap {
		return settings("/robokassa/shops/", func(_ *message, body map[string]any) {
			if _, there := body[name]; there {
				body[name] = value
			}
		})
	}
	add("inactive-shops", "Lets shops sell that are not active", open, shopSetting("inactive", false))
	add("holds-for-all", "Holds money for shops that may not", open, shopSetting("no_holds", false))
	add("recurring-for-all", "Grants recurring payments to all", "Buyers are charged again without having agreed", shopSetting("no_recurring", false))
	changed := func(change func(r *robokassa.Request)) wrap {
		return pays(func(m *message, r robokassa.Request) {
			if s := m.p.shop(r.Login); r.Verify(robokassa.DefaultLeniency(), s.hash(r.IsTest), s.password1(r.IsTest)) == nil {
				change(&r)
				m.resign(r)
			}
			m.pass()
		})
	}
	for _, sum := range []string{"0", "", "-1"} {
		add(fmt.Sprintf("sum-%s-is-1", cmp.Or(sum, "nothing")), fmt.Sprintf("Takes the sum %q for 1", sum), open, changed(func(r *robokassa.Request) {
			if r.OutSum == sum {
				r.OutSum = "1"
			}
		}))
	}
	add("numbers-read-as-far", "Reads a number as far as it is one", "Two invoices get one number", changed(func(r *robokassa.Request) {
		if end := strings.IndexFunc(r.InvID, func(c rune) bool { return c < '0' || c > '9' }); end > 0 {
			r.InvID = r.InvID[:end]
		}
	}))
	add("numbers-overflow", "Counts numbers round at 64 bits", "Two invoices get one number", changed(func(r *robokassa.Request) {
		if len(r.InvID) == 19 && r.InvID > "9223372036854775807" {
			r.InvID = "1"
		}
	}))
	add("time-never-over", "Does not look at ExpirationDate", open, changed(func(r *robokassa.Request) { r.Expiration = "" }))
	add("numbers-paid-twice", "Opens the page for a number that was paid", "The buyer pays twice", pays(func(m *message, r robokassa.Request) {
		if m.pass(); m.code() == robokassa.CodePaid {
			r.InvID += "1"
			m.resign(r)
			m.pass()
		}
	}))
	add("test-numbers-once", "Takes the number of a test once", "A shop cannot test again", pays(func(m *message, r robokassa.Request) {
		if m.pass(); r.IsTest && m.code() == 0 && m.p.remember("test "+r.Login+r.InvID, "used") != "" {
			m.declines(robokassa.CodePaid)
		}
	}))
	add("exact-names", "Knows parameters in their documented spelling alone", "Shops with older modules are refused", pays(func(m *message, _ robokassa.Request) {
		if strings.Contains(string(m.body), "merchantlogin=") {
			m.declines(robokassa.CodeNoShop)
			return
		}
		m.pass()
	}))
	add("page-without-code", "Shows buyers a page that does not say what is wrong", "Nobody learns why buyers go away", robo(index, func(m *message) {
		m.pass()
		m.answer = []byte(strings.ReplaceAll(string(m.answer), "29", ""))
	}))
	add("page-as-text", "Shows buyers plain text", "Buyers see markup", robo(index, func(m *message) {
		if m.pass(); m.status != 0 {
			m.answered.Set("Content-Type", "text/plain")
		}
	}))
}

// sinkPath is where an address of the suite's leads through the layer.
func sinkPath(address string) string {
	_, path, _ := strings.Cut(address, paths[toSuite])
	return path
}

// tellsResult tells ResultURL that a payment was made.
func (m *message) tellsResult(login, number, sum string) {
	s := m.p.shop(login)
	r := robokassa.Result{OutSum: sum, InvID: number, PaymentMethod: "BankCard", IncSum: sum, IncCurrLabel: "BankCardPSR", Fee: "0.000000"}
	m.of(toSuite, http.MethodPost, sinkPath(text(s["result_url"])), r.Signed(s.hash(false), s.password2(false)).Fields().Encode())
}

// acting has a wrap for what buyers do on the control API.
func acting(action string, w func(m *message, login, number string)) wrap {
	return only(toControl, func(m *message) {
		if number, ok := strings.CutPrefix(m.path, "/robokassa/operations/"); ok && strings.HasSuffix(number, "/"+action) {
			w(m, text(object(decode(m.body))["shop"]), strings.TrimSuffix(number, "/"+action))
			return
		}
		m.pass()
	})
}

// resultMessages has a wrap for messages to ResultURL, with the shop that they are for.
func resultMessages(w func(m *message, s shop, r robokassa.Result)) wrap {
	return only(toSuite, func(m *message) {
		r, err := robokassa.NewResult(m.fields())
		if err != nil {
			m.pass()
			return
		}
		var to shop
		m.p.mu.Lock()
		for _, s := range m.p.shops {
			if sinkPath(text(s["result_url"])) == m.path {
				to = s
			}
		}
		m.p.mu.Unlock()
		w(m, to, r)
	})
}

// second has a wrap for messages to ResultUrl2.
func second(w wrap) wrap {
	return only(toSuite, func(m *message) {
		if strings.Count(string(m.body), ".") == 2 && strings.HasPrefix(string(m.body), "eyJ") {
			w(m)
			return
		}
		m.pass()
	})
}

func robokassaResults(add adding) {
	const lost = "Shops that verify throw the message away, and the goods are never handed out"
	const gift = "The shop hands out goods that nobody has paid for"
	changed := func(change func(r *robokassa.Result)) wrap {
		return resultMessages(func(m *message, s shop, r robokassa.Result) {
			change(&r)
			m.fill(r.Signed(s.hash(r.IsTest), s.password2(r.IsTest)).Fields())
			m.pass()
		})
	}
	rewritten := func(change func(fields robokassa.Fields) robokassa.Fields) wrap {
		return resultMessages(func(m *message, _ shop, _ robokassa.Result) {
			m.fill(change(m.fields()))
			m.pass()
		})
	}
	add("results-by-get", "Tells by GET", lost, resultMessages(func(m *message, _ shop, _ robokassa.Result) {
		m.verb, m.query, m.body = http.MethodGet, string(m.body)+m.query, nil
		m.pass()
	}))
	add("results-by-post", "Tells by POST whatever the shop has chosen", lost, settings("/robokassa/shops/", func(_ *message, body map[string]any) { delete(body, "result_method") }))
	add("results-as-text", "Tells in plain text", lost, resultMessages(func(m *message, _ shop, _ robokassa.Result) {
		m.header.Set("Content-Type", "text/plain")
		m.pass()
	}))
	add("results-sorted", "Sorts the fields", "Shops that read by position read another field", rewritten(func(fields robokassa.Fields) robokassa.Fields {
		slices.SortFunc(fields, func(a, b robokassa.Field) int { return strings.Compare(a.Name, b.Name) })
		return fields
	}))
	add("results-unsigned", "Signs with a wrong key", lost, rewritten(func(fields robokassa.Fields) robokassa.Fields {
		for i, f := range fields {
			if f.Name == "crc" || f.Name == robokassa.FieldSignature {
				fields[i].Value = strings.Repeat("0", len(f.Value))
			}
		}
		return fields
	}))
	add("results-by-password-1", "Signs with password 1", "Whoever may ask for a payment may say that it was made", resultMessages(func(m *message, s shop, r robokassa.Result) {
		m.fill(r.Signed(s.hash(r.IsTest), s.password1(r.IsTest)).Fields())
		m.pass()
	}))
	add("results-by-live-password", "Signs tests with the live password", "A test hands out goods", resultMessages(func(m *message, s shop, r robokassa.Result) {
		m.fill(r.Signed(s.hash(r.IsTest), s.password2(false)).Fields())
		m.pass()
	}))
	add("results-in-lower-case", "Signs in lower case", "Shops that compare text by text throw the message away", rewritten(func(fields robokassa.Fields) robokassa.Fields {
		for i, f := range fields {
			if f.Name == "crc" || f.Name == robokassa.FieldSignature {
				fields[i].Value = strings.ToLower(f.Value)
			}
		}
		return fields
	}))
	add("results-with-two-decimals", "Writes sums with two decimals", lost, changed(func(r *robokassa.Result) { r.OutSum = strings.TrimSuffix(r.OutSum, "0000") }))
	add("results-with-short-fees", "Writes fees with two decimals", "Shops that cut six digits off book another fee", changed(func(r *robokassa.Result) { r.Fee = strings.TrimSuffix(r.Fee, "0000") }))
	add("results-with-six-decimals", "Writes sums of tests with six decimals", lost, changed(func(r *robokassa.Result) {
		if r.IsTest {
			r.OutSum += "0000"
		}
	}))
	add("results-of-tests-unmarked", "Does not mark tests", "A test hands out goods", resultMessages(func(m *message, s shop, r robokassa.Result) {
		if r.IsTest {
			r.IsTest = false
			m.fill(r.Signed(s.hash(true), s.password2(true)).Fields())
		}
		m.pass()
	}))
	add("results-of-tests-with-fee", "Charges a fee for tests", "Books do not add up", changed(func(r *robokassa.Result) {
		if r.IsTest {
			r.Fee = "1.0"
		}
	}))
	add("results-of-tests-with-address", "Tells the buyer's address in tests", "Buyers of tests get mail", changed(func(r *robokassa.Result) {
		if r.IsTest {
			r.EMail = "buyer@example.com"
		}
	}))
	add("results-with-another-sum", "Tells the sum less the fee", "The shop takes a payment in full for one in part", changed(func(r *robokassa.Result) { r.OutSum = "95.500000" }))
	add("results-with-another-number", "Tells the number of another invoice", "Another buyer gets the goods", changed(func(r *robokassa.Result) { r.InvID += "0" }))
	add("results-without-old-names", "Leaves the old names out", "Shops with older modules read nothing", rewritten(func(fields robokassa.Fields) robokassa.Fields {
		return slices.DeleteFunc(fields, func(f robokassa.Field) bool { return slices.Contains([]string{"out_summ", "inv_id", "crc"}, f.Name) })
	}))
	add("results-without-shp", "Does not send the shop's own fields back", "The shop does not know whose payment it is", changed(func(r *robokassa.Result) { r.Shp = nil }))
	add("results-with-shp-folded", "Sends the shop's own fields back in small letters", lost, changed(func(r *robokassa.Result) {
		for i := range r.Shp {
			r.Shp[i].Name = strings.ToLower(r.Shp[i].Name)
		}
	}))
	add("results-never", "Does not tell", lost, resultMessages(func(m *message, _ shop, r robokassa.Result) {
		m.says(http.StatusOK, "text/plain", robokassa.Answer(r.InvID))
	}))
	add("results-once", "Tells once, whatever is answered", "A shop that is down for a minute loses payments", resultMessages(func(m *message, _ shop, r robokassa.Result) {
		if m.pass(); m.status != 0 {
			m.says(http.StatusOK, "text/plain", robokassa.Answer(r.InvID))
		}
	}))
	add("results-until-200", "Takes every 200 for an acknowledgement", "A page that says \"we are closed\" loses payments", resultMessages(func(m *message, _ shop, r robokassa.Result) {
		if m.pass(); m.status == http.StatusOK {
			m.answer = []byte(robokassa.Answer(r.InvID))
		}
	}))
	add("results-for-ever", "Repeats what was acknowledged", "Careless shops hand out the goods many times", resultMessages(func(m *message, _ shop, _ robokassa.Result) {
		m.pass()
		m.answer = []byte("no")
	}))
	add("results-numbered", "Changes what it tells with each repeat", "The shop takes a repeat for another payment", resultMessages(func(m *message, s shop, r robokassa.Result) {
		m.p.remember("tries "+m.path, m.p.recall("tries "+m.path)+"0")
		r.IncSum += m.p.recall("tries " + m.path)
		m.fill(r.Signed(s.hash(r.IsTest), s.password2(r.IsTest)).Fields())
		m.pass()
	}))
	add("results-of-refused", "Tells of payments that the bank has refused", gift, acting("refuse", func(m *message, login, number string) {
		if m.pass(); m.status/100 == 2 {
			m.tellsResult(login, number, "100.000000")
		}
	}))
	add("results-when-opened", "Tells as soon as the page is opened", gift, pays(func(m *message, r robokassa.Request) {
		if m.pass(); m.code() == 0 {
			m.tellsResult(r.Login, r.InvID, "100.000000")
		}
	}))
	add("results-of-holds", "Tells of money that is only held", gift, pays(func(m *message, r robokassa.Request) {
		if m.pass(); m.code() == 0 && r.StepByStep {
			m.tellsResult(r.Login, r.InvID, "100.000000")
		}
	}))
	add("second-never", "Does not tell ResultUrl2", lost, second(func(m *message) { m.says(http.StatusOK, "text/plain", "") }))
	add("second-by-put", "Tells ResultUrl2 by PUT", lost, second(func(m *message) { m.verb = http.MethodPut; m.pass() }))
	token := func(id, what string, old, with string) {
		add("second-"+id, what, lost, second(func(m *message) {
			parts := strings.Split(string(m.body), ".")
			for i := range parts[:2] {
				if plain, err := base64.RawURLEncoding.DecodeString(parts[i]); err == nil {
					parts[i] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(plain), old, with, 1)))
				}
			}
			m.body = []byte(strings.Join(parts, "."))
			m.pass()
		}))
	}
	token("hs256", "Says HS256 in tokens for ResultUrl2", "RS256", "HS256")
	token("nameless", "Leaves the shop out of tokens for ResultUrl2", `"shop"`, `"from"`)
	token("unnumbered", "Leaves the number out of tokens for ResultUrl2", `"invId"`, `"id"`)
	token("sumless", "Leaves the sum out of tokens for ResultUrl2", `"incSum"`, `"sum"`)
	token("hold-as-ok", "Says OK of holds to ResultUrl2", `"HOLD"`, `"OK"`)
	token("ok-as-hold", "Says HOLD of payments to ResultUrl2", `"OK"`, `"HOLD"`)
	add("second-in-tests", "Tells ResultUrl2 of tests", "A test hands out goods", pays(func(m *message, r robokassa.Request) {
		if m.pass(); m.code() == 0 && r.IsTest && r.ResultURL2 != "" {
			m.of(toSuite, http.MethodPost, sinkPath(r.ResultURL2), "e30.e30.e30")
		}
	}))
}

func robokassaStates(add adding) {
	const blind = "Shops that ask because ResultURL never came are told something else"
	says := func(change func(m *message, xml string) string) wrap {
		return robo(opState, func(m *message) {
			m.pass()
			m.answer = []byte(change(m, string(m.answer)))
		})
	}
	stateCode := regexp.MustCompile(`(<State>\s*<Code>)\d+`)
	resultCode := regexp.MustCompile(`(<Result>\s*<Code>)(\d+)`)
	for _, state := range []string{"10", "20", "60", "100"} {
		add("states-without-"+state, "Gives state 50 instead of "+state, blind, says(func(_ *message, xml string) string {
			return strings.Replace(xml, "<Code>"+state+"</Code>", "<Code>50</Code>", 1)
		}))
	}
	add("states-always-done", "Says of every payment that it is done", "The shop hands out goods that nobody has paid for", says(func(_ *message, xml string) string { return stateCode.ReplaceAllString(xml, "${1}100") }))
	for _, code := range []string{"1", "2", "3"} {
		add("results-without-"+code, "Answers OpStateExt with code 1000 instead of "+code, blind, says(func(_ *message, xml string) string {
			return resultCode.ReplaceAllStringFunc(xml, func(s string) string {
				if strings.HasSuffix(s, ">"+code) {
					return strings.TrimSuffix(s, code) + "1000"
				}
				return s
			})
		}))
	}
	add("unknown-is-new", "Says of unknown payments that they have begun", "The shop waits for what never comes", says(func(_ *message, xml string) string {
		if m := resultCode.FindStringSubmatch(xml); m != nil && m[2] == "3" {
			return strings.Replace(resultCode.ReplaceAllString(xml, "${1}0"), "</Result>", "</Result><State><Code>5</Code></State>", 1)
		}
		return xml
	}))
	add("tells-strangers", "Does not look at the signature of OpStateExt", "A stranger reads the shop's payments", robo(opState, func(m *message) {
		values := m.params()
		login, id := values.Get("MerchantLogin"), values.Get("InvoiceID")
		values.Set("Signature", robokassa.OpStateBase(login, id).Sign(m.p.shop(login).hash(false), m.p.shop(login).password2(false)))
		m.query = values.Encode()
		m.pass()
	}))
	add("tells-more-than-no", "Tells the state beside a refusal", "A stranger reads the shop's payments", says(func(_ *message, xml string) string {
		if m := resultCode.FindStringSubmatch(xml); m != nil && m[2] != "0" && !strings.Contains(xml, "<State>") {
			return strings.Replace(xml, "</Result>", "</Result><State><Code>100</Code></State>", 1)
		}
		return xml
	}))
	add("small-letters-for-states", "Wants signatures of OpStateExt in lower case", "Shops that send capitals learn nothing", robo(opState, func(m *message) {
		if signature := m.params().Get("Signature"); signature != strings.ToLower(signature) {
			m.query = strings.Replace(m.query, signature, "0", 1)
		}
		m.pass()
	}))
	add("recurring-unsigned", "Does not look at the signature of Recurring", "A stranger charges the buyer again", robo("/Merchant/Recurring", func(m *message) {
		m.pass()
		m.answer = []byte(strings.Replace(string(m.answer), fmt.Sprint(int(robokassa.CodeSignature)), fmt.Sprint(int(robokassa.CodeRecurring)), 1))
	}))
	add("no-opkey", "Leaves OpKey out", "Nothing can be refunded", says(func(_ *message, xml string) string { return strings.ReplaceAll(xml, "OpKey", "Key") }))
	add("states-as-html", "Declares XML as HTML", "Strict clients throw the answer away", robo(opState, func(m *message) {
		if m.pass(); m.status != 0 {
			m.answered.Set("Content-Type", "text/html")
		}
	}))
	for _, list := range []struct{ path, what string }{{"/GetCurrencies", "BankCardPSR"}, {"/GetPaymentMethods", "<Method "}, {"/CalcOutSumm", "<OutSum>"}} {
		add("empty"+strings.ReplaceAll(list.path, "/", "-"), "Answers "+list.path[1:]+" with nothing in it", "Buyers are offered no way to pay, or at no price", robo(list.path, func(m *message) {
			m.pass()
			m.answer = []byte(strings.ReplaceAll(string(m.answer), list.what, "<x "))
		}))
	}
	add("tells-of-tests", "Tells of tests", "A test hands out goods", func(m *message) {
		if strings.HasSuffix(m.path, indexJSON) && m.to == toPlatform {
			if r := robokassa.NewRequest(m.fields()); r.IsTest {
				m.p.remember("test "+r.Login+" "+r.InvID, "yes")
			}
		}
		m.pass()
		if values := m.params(); m.to == toPlatform && strings.HasSuffix(m.path, opState) && m.p.recall("test "+values.Get("MerchantLogin")+" "+values.Get("InvoiceID")) != "" {
			m.answer = []byte(strings.Replace(resultCode.ReplaceAllString(string(m.answer), "${1}0"), "</Result>", "</Result><State><Code>100</Code></State>", 1))
		}
	})
}

func robokassaHolds(add adding) {
	const both = "The shop delivers for money that was let go, or keeps what it was not owed"
	held := func(path string, w wrap) wrap { return robo("/Merchant/Payment/"+path, w) }
	says := func(m *message, success bool) {
		m.says(http.StatusOK, "application/json", robokassa.HoldAnswer(success))
	}
	for _, path := range []string{"Confirm", "Cancel"} {
		add(path+"-does-nothing", "Answers "+path+" with yes and does nothing", both, held(path, func(m *message) { says(m, true) }))
		add(path+"-refuses", "Carries "+path+" out and says no", both, held(path, func(m *message) { m.pass(); says(m, false) }))
		add(path+"-always-yes", "Answers "+path+" always with yes", both, held(path, func(m *message) { m.pass(); says(m, true) }))
		add(path+"-answers-json", "Answers "+path+" with an object", "Shops cannot read it", held(path, func(m *message) { m.says(http.StatusOK, "application/json", `{"success":true}`) }))
	}
	// sum confirms another sum than is asked for.
	sum := func(change func(sum string) string) wrap {
		return held("Confirm", func(m *message) {
			fields := m.fields()
			login, number := fields.Get(robokassa.FieldLogin), fields.Get(robokassa.FieldInvID)
			s, other := m.p.shop(login), change(fields.Get(robokassa.FieldOutSum))
			form := robokassa.Fields{{Name: "MerchantLogin", Value: login}, {Name: "InvoiceID", Value: number}, {Name: "OutSum", Value: other}}
			form = append(form, robokassa.Field{Name: "SignatureValue", Value: robokassa.NewBase(nil, login, other, number).Sign(s.hash(false), s.password1(false))})
			m.fill(form)
			m.pass()
		})
	}
	add("captures-all", "Captures all that is held, whatever is confirmed", "The buyer pays for what he did not get", sum(func(string) string { return "100.00" }))
	add("captures-less", "Captures a kopeck less than is confirmed", "A kopeck of every hold is gone", sum(func(s string) string { return strings.Replace(s, "60.00", "59.99", 1) }))
	add("captures-no-part", "Refuses to capture less than is held", "The shop lets all go where it could deliver a part", held("Confirm", func(m *message) {
		if m.fields().Get(robokassa.FieldOutSum) != "100.00" {
			says(m, false)
			return
		}
		m.pass()
	}))
	refund := func(change func(m *message, answer map[string]any)) wrap {
		return robo("/RefundService/Refund/Create", func(m *message) {
			m.pass()
			m.edit(func(answer map[string]any) { change(m, answer) })
		})
	}
	const twice = "More is given back than was paid"
	add("refunds-nameless", "Gives refunds no id", "Nobody can ask what became of it", refund(func(_ *message, answer map[string]any) { answer["requestId"] = nil }))
	add("refunds-refused", "Refuses every refund", "The buyer never sees his money again", refund(func(_ *message, answer map[string]any) { answer["success"] = false }))
	add("refunds-anything", "Answers yes to every refund", twice, refund(func(_ *message, answer map[string]any) { answer["success"] = true }))
	add("refunds-wordless", "Words the refusal of too large a refund otherwise", "Shops that look for the words try for ever", refund(func(_ *message, answer map[string]any) {
		if answer["message"] == robokassa.RefundNoFunds {
			answer["message"] = "no"
		}
	}))
	add("refunds-each-by-itself", "Does not sum refunds up", twice, refund(func(_ *message, answer map[string]any) {
		if answer["message"] == robokassa.RefundNoFunds && answer["success"] == false {
			answer["success"] = nil
		}
	}))
	add("refunds-for-anybody", "Does not look at the signature of a refund", "A stranger empties the shop", robo("/RefundService/Refund/Create", func(m *message) {
		token, err := robokassa.ParseToken(m.body)
		for _, login := range m.p.logins() {
			key := robokassa.Password(text(m.p.shop(login)["password3"]))
			if signed, err2 := robokassa.SignToken(`{"alg":"HS256","typ":"JWT"}`, string(token.Payload), robokassa.SHA256, key); err == nil && err2 == nil {
				m.body = encode(signed)
			}
			if m.pass(); object(decode(m.answer))["success"] == true {
				return
			}
		}
	}))
	state := func(change func(answer map[string]any)) wrap {
		return robo("/RefundService/Refund/GetState", func(m *message) {
			m.pass()
			m.edit(change)
		})
	}
	add("refund-states-nameless", "Does not say of which refund it tells the state", "Refunds are mixed up", state(func(answer map[string]any) { delete(answer, "requestId") }))
	add("refund-states-canceled", "Says of every refund that it was canceled", "The shop refunds again", state(func(answer map[string]any) { answer["label"] = "canceled" }))
	add("refund-states-of-nothing", "Makes the state of an unknown refund up", "The shop waits for money that never went", state(func(answer map[string]any) { delete(answer, "message") }))
}
