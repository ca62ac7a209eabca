package robokassa_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// Every mistake that is known to be made with a signature is found out and named, in the
// journal, with both texts beside each other and no password.
func TestSignatureDoctor(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	must(t, s.platform.PutShop(robokassa.Shop{Login: "other", Password1: "Pass1-Other_42", Password2: "Pass2-Other_42"}))
	receipt := `{"items":[{"name":"a b","quantity":1,"sum":1,"tax":"none"}]}`
	full := wire.Request{
		Login: login, OutSum: "100.50", InvID: "7", Receipt: receipt, ResultURL2: "https://s.example/?a=b", Description: "seven",
		Shp: wire.Fields{{Name: "Shp_b", Value: "я"}, {Name: "Shp_a", Value: "1 2"}},
	}
	bare := wire.Request{Login: login, OutSum: "100.50"}
	test := bare
	test.IsTest = true
	const head = "demo-shop:100.50:7:"
	middle := receipt + ":https://s.example/?a=b:"
	right := head + middle + "***:Shp_a=1 2:Shp_b=я"
	sum := func(text string) string { return wire.MD5.Sum(strings.Replace(text, "***", string(pass1), 1)) }
	for _, tt := range []struct {
		name      string
		r         wire.Request
		signature string
		cause     journal.Cause
		hint, got string
	}{
		{"none", full, "", journal.CauseMissing, "there is no signature", ""},
		{"password 2", full, full.Base().Sign(wire.MD5, pass2), journal.CauseWrongKey, "signed with password 2", right},
		{"test password in live mode", full, full.Base().Sign(wire.MD5, test1), journal.CauseOtherMode, "signed with password 1 of the test mode", right},
		{"live password in test mode", test, test.Base().Sign(wire.MD5, pass1), journal.CauseOtherMode, "signed with password 1", "demo-shop:100.50::***"},
		{"another shop's", full, full.Base().Sign(wire.MD5, "Pass1-Other_42"), journal.CauseWrongKey, "signed with password 1 of the shop other", right},
		{"line end in the password", full, full.Base().Sign(wire.MD5, pass1+"\n"), journal.CauseWrongKey, "the password has a line end", right},
		{"password in upper case", full, full.Base().Sign(wire.MD5, wire.Password(strings.ToUpper(string(pass1)))), journal.CauseWrongKey, "the password is in upper case", right},
		{"SHA512", full, full.Base().Sign(wire.SHA512, pass1), journal.CauseAlgorithm, "hashed with SHA512 instead of MD5", right},
		{"twice", full, wire.MD5.Sum(full.Base().Sign(wire.MD5, pass1)), journal.CauseAlgorithm, "hashed twice", right},
		{"sum without its zero", full, sum("demo-shop:100.5:7:" + middle + "***:Shp_a=1 2:Shp_b=я"), journal.CauseTrailingZero, "OutSum is signed as 100.5 but was sent as 100.50", ""},
		{"sum with six decimals", full, sum("demo-shop:100.500000:7:" + middle + "***:Shp_a=1 2:Shp_b=я"), journal.CauseTrailingZero, "OutSum is signed as 100.500000 but was sent as 100.50", ""},
		{"sum with a comma", full, sum("demo-shop:100,50:7:" + middle + "***:Shp_a=1 2:Shp_b=я"), journal.CauseDecimalForm, "OutSum is signed as 100,50 but was sent as 100.50", ""},
		{"Shp_ unsorted", full, sum(head + middle + "***:Shp_b=я:Shp_a=1 2"), journal.CauseOrder, "in the order in which they were sent, not sorted", head + middle + "***:Shp_b=я:Shp_a=1 2"},
		{"Shp_ left out", full, sum(head + middle + "***"), journal.CauseParts, "the Shp_ fields are not signed", head + middle + "***"},
		{"Shp_ before the password", full, sum(head + middle + "Shp_a=1 2:Shp_b=я:***"), journal.CauseOrder, "the Shp_ fields stand before the password", ""},
		{"Shp_ in lower case", full, sum(head + middle + "***:shp_a=1 2:shp_b=я"), journal.CauseCase, "the names of the Shp_ fields are signed in lower case", ""},
		{"Shp_ encoded", full, sum(head + middle + "***:Shp_a=1+2:Shp_b=%D1%8F"), journal.CauseEncoding, "signed percent-encoded but were sent plain", ""},
		{"Shp_ without names", full, sum(head + middle + "***:я:1 2"), journal.CauseParts, "the values alone", ""},
		{"windows-1251", full, sum(head + middle + "***:Shp_a=1 2:Shp_b=\xff"), journal.CauseEncoding, "windows-1251", ""},
		{"receipt encoded", full, sum(head + url.QueryEscape(receipt) + ":https://s.example/?a=b:***:Shp_a=1 2:Shp_b=я"), journal.CauseEncoding, "Receipt is signed percent-encoded", ""},
		{"receipt left out", full, sum(head + "https://s.example/?a=b:***:Shp_a=1 2:Shp_b=я"), journal.CauseParts, "Receipt is not signed", ""},
		{"password first", full, sum("***:" + head + strings.TrimSuffix(middle, ":") + ":Shp_a=1 2:Shp_b=я"), journal.CauseOrder, "the password stands first", ""},
		{"number before sum", full, sum("demo-shop:7:100.50:" + middle + "***:Shp_a=1 2:Shp_b=я"), journal.CauseOrder, "InvId is signed before OutSum", ""},
		{"separator", full, sum(strings.ReplaceAll(right, ":", ";")), journal.CauseSeparator, `joined by ";"`, ""},
		{"upper case", full, wire.MD5.Sum(strings.ToUpper(strings.Replace(right, "***", string(pass1), 1))), journal.CauseCase, "put into upper case", ""},
		{"no slot", bare, sum("demo-shop:100.50:***"), journal.CauseParts, "the slot of InvId is missing", "demo-shop:100.50:***"},
		{"zero", bare, sum("demo-shop:100.50:0:***"), journal.CauseParts, "InvId is signed as 0 but was sent empty", ""},
		{"two at once", full, wire.MD5.Sum("demo-shop:100.5:7:" + middle + string(pass2) + ":Shp_a=1 2:Shp_b=я"), journal.CauseTrailingZero, "was sent as 100.50; and signed with password 2", ""},
		{"nobody knows", full, strings.Repeat("0", 32), journal.CauseUnknown, "no known mistake", ""},
	} {
		tt.r.Signature = tt.signature
		s.post("/Merchant/Index.aspx", tt.r.Fields())
		e := s.last(robokassa.MethodIndex)
		d := e.Diagnosis
		want := right
		if tt.r.InvID == "" {
			want = "demo-shop:100.50::***"
		}
		switch {
		case d == nil:
			t.Errorf("%s: no diagnosis: %+v", tt.name, e.Verdict)
		case d.Cause != tt.cause || !strings.Contains(d.Hint, tt.hint) || d.Want != want || tt.got != "" && d.Got != tt.got || !strings.Contains(e.Verdict.Detail, d.Hint):
			t.Errorf("%s: %+v, %s", tt.name, d, e.Verdict.Detail)
		}
		for _, secret := range []string{"Live_42", "LIVE_42", "TestPass", "Other_42"} {
			if strings.Contains(fmt.Sprintf("%+v %+v", d, e.Verdict), secret) {
				t.Errorf("%s: a password shows: %+v %+v", tt.name, d, e.Verdict)
			}
		}
	}
	s.post("/Merchant/Index.aspx", full.Signed(wire.MD5, pass1).Fields())
	if e := s.last(robokassa.MethodIndex); e.Diagnosis != nil || !e.Verdict.OK {
		t.Errorf("signed rightly: %+v %+v", e.Verdict, e.Diagnosis)
	}
}

// The same for what is signed besides: the XML service, holds, and tokens.
func TestOtherSignaturesDoctor(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	check := func(method string, cause journal.Cause, hint, want string) {
		t.Helper()
		if d := s.last(method).Diagnosis; d == nil || d.Cause != cause || d.Hint != hint || d.Want != want {
			t.Errorf("%s: %+v; want %s, %s, %s", method, d, cause, hint, want)
		}
	}
	s.get(service + "OpState?MerchantLogin=demo-shop&InvoiceID=30&Signature=" + wire.OpStateBase(login, "30").Sign(wire.MD5, pass1))
	check(robokassa.MethodOpState, journal.CauseWrongKey, "signed with password 1", "demo-shop:30:***")
	s.get(service + "OpState?MerchantLogin=demo-shop&InvoiceID=30&Signature=" + wire.OpStateBase(login, "30").Sign(wire.MD5, test2))
	check(robokassa.MethodOpState, journal.CauseOtherMode, "signed with password 2 of the test mode", "demo-shop:30:***")
	s.post("/Merchant/Payment/Cancel", wire.Fields{
		{Name: "MerchantLogin", Value: login},
		{Name: "InvoiceID", Value: "5"},
		{Name: "SignatureValue", Value: wire.MD5.Sum("demo-shop:;5:" + string(pass1))},
	})
	check(robokassa.MethodCancel, journal.CauseUnknown, "no known mistake leads to this signature: compare key and signed text", "demo-shop::5:***")
	for _, tt := range []struct {
		key   wire.Password
		cause journal.Cause
		hint  string
	}{
		{wire.InvoiceKey(login, pass2), journal.CauseWrongKey, "signed with password 2"},
		{wire.InvoiceKey(login, test1), journal.CauseOtherMode, "signed with password 1 of the test mode"},
		{pass1, journal.CauseWrongKey, "signed with password 1 alone"},
		{"nobody", journal.CauseUnknown, "it bears the signature of no key that is known here"},
	} {
		token, err := wire.SignToken(`{"typ":"JWT","alg":"MD5"}`, `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime","OutSum":1,"InvId":9}`, wire.MD5, tt.key)
		must(t, err)
		s.do("POST", "/InvoiceServiceWebApi/api/CreateInvoice", "application/json", `"`+token+`"`)
		check(robokassa.MethodCreateInvoice, tt.cause, tt.hint, "HMAC under demo-shop:password 1 of this mode")
	}
}
